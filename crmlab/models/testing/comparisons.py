"""Cells compared with their controls: rates, means and ratios, with intervals that hold for all at once; and their sizes with the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from crmlab.errors import ModelError, shown
from crmlab.models.btyd.special import Array
from crmlab.models.checked import checked_amounts, checked_row
from crmlab.models.testing.cells import CellStatistics
from crmlab.models.testing.max_t import checked_correction, corrected
from crmlab.models.testing.measures import (
    Measure,
    detected,
    fieller,
    from_normal,
    log_ratio,
    measure,
    reach,
    to_normal,
    unskewed,
)
from crmlab.models.testing.options import DEFAULTS, ComparisonOptions

__all__ = ["Adjust", "SampleRatio", "compare_cells", "paired", "sample_ratio", "score_interval", "score_z"]


_MODEL = "compare_cells"
Adjust = str | Sequence[str] | Mapping[str, str | Sequence[str]] | None
COLUMNS = (
    "cell", "control", "metric", "n", "n_control", "mean", "mean_control", "estimate", "low", "high", "p_value", "p_adjusted",
    "lift", "lift_low", "lift_high", "detectable", "method", "correction", "level",
)  # fmt: skip


_HALVINGS = 55  # of an interval of width 2: to double precision
_FEW = 5  # expected in a cell: fewer, and chi-square is a poor guide


@dataclass(frozen=True)
class _Contrast:
    metric: int
    cell: int
    control: int


def compare_cells(
    cells: Mapping[str, CellStatistics],
    *,
    control: str | Mapping[str, str],
    metrics: Sequence[str] | None = None,
    adjust: Adjust = None,
    correction: str | None = None,
    level: float | None = None,
    options: ComparisonOptions = DEFAULTS,
) -> pd.DataFrame:
    """Compare each cell with its control.

    A difference of rates is tested by Miettinen and Nurminen's score, a difference of means by Welch's t, a difference of ratios by
    the delta method. Where third moments are known and sizes differ, t is freed of skewness by Hall's transformation: without it, the
    interval of a mean of mostly zeros against a small control misses on one side. Rates of households use the score with the
    number of lone customers that would know as much.

    Under "max-t" and "none" an interval leaves out 0 exactly where its adjusted p-value is under 1 - level. Under "holm" the
    p-values are Holm's and the intervals Bonferroni's, a little wider. Intervals of lifts are of the same level; a rate's may differ
    from its test where that is close.

    Parameters
    ----------
    cells : mapping of name to CellStatistics
    control : str, or mapping of cell to its control
        With a mapping every cell that is no one's control must be in it.
    metrics : sequence of str, optional
        Default: all that the cells know, but covariates and parts of ratios.
    adjust : str, sequence of str, or mapping of metric to these, optional
        Covariates known before the campaign. Their difference between cells is taken off with one coefficient for all cells, whose
        own uncertainty the interval holds: variances are bias-reduced, with degrees of freedom after Bell and McCaffrey. Small
        cells are not adjusted (see :func:`~crmlab.models.testing.measures.measure`), and ``method`` says so ("too-few-to-adjust").
    correction : {"max-t", "holm", "none"}, optional
    level : float, optional
        Default, of both: that of the options.
    options : ComparisonOptions
        Ratios, what is corrected together, the power of ``detectable``, and which look this is where there are several: level and
        intervals are then those of the look. Planned shares are for :func:`sample_ratio`.

    Returns
    -------
    DataFrame
        A row per metric and cell, in the order given: cell, control, metric, n, n_control, mean, mean_control (at the covariates'
        overall mean where adjusted), estimate (cell less control), low, high, p_value, p_adjusted; lift, lift_low, lift_high
        (difference over control's mean; None, all three, where the control's mean is not clearly above 0): by Fieller for means and
        ratios, on the log scale for rates; detectable (smallest difference found with ``power``, at the corrected level, by
        noncentral t where the interval is t's); method,
        correction, level. There is never NaN in it. A cell in which a mean does not vary borrows the variance of the others; a rate
        of 0 or 1 has a score interval all the same.

    Raises
    ------
    ModelError
        No cells, an unknown control or metric, a cell that is its own control, a cell with no control, a mean of fewer than two
        customers, a product that is not known, a metric that does not vary in any cell, a ratio whose denominator is 0.

    References
    ----------
    Miettinen and Nurminen (1985), Statistics in Medicine 4. Welch (1947), Biometrika 34. Fieller (1954), JRSS B 16.
    Deng, Xu, Kohavi and Walker (2013), Improving the sensitivity of online controlled experiments (adjustment), WSDM.
    Bell and McCaffrey (2002), Survey Methodology 28; Imbens and Kolesár (2016), Review of Economics and Statistics 98.
    Zhou and Dinh (2005), Nonparametric confidence intervals for the one- and two-sample problems, Biostatistics 6 (skewness).
    Hothorn, Bretz and Westfall (2008), Simultaneous inference in general parametric models, Biometrical Journal 50.

    Examples
    --------
    >>> cells = {
    ...     "letter": CellStatistics.from_sums(3461, sums={"spend": 2422.7}, squares={"spend": 134698.29}),
    ...     "none": CellStatistics.from_sums(3407, sums={"spend": 1396.87}, squares={"spend": 52377.9767}),
    ... }
    >>> row = compare_cells(cells, control="none", correction="none").iloc[0]
    >>> [round(float(row[name]), 5) for name in ("estimate", "low", "high", "p_value")]
    [0.29, 0.04538, 0.53462, 0.02016]
    """
    correction = options.correction if correction is None else correction
    level = checked_correction(_MODEL, correction, options.level if level is None else level)
    look = options.at_look(level)
    level = level if look is None else look.level
    if not options.power > 1 - level:
        raise ModelError.expected(
            _MODEL, "power", f"above {1 - level:.6g}, the chance to find what is not there", options.power
        )
    names = tuple(cells)
    pairs = paired(cells, control)
    listed = tuple(cells.values())
    ratio = dict(options.ratios)
    wanted = _metrics(listed, metrics, ratio, adjust)
    measures = [measure(listed, name, ratio.get(name), _covariates(adjust, name)) for name in wanted]
    rows: list[dict[str, object]] = []
    groups = [[k] for k in range(len(measures))] if options.family == "metric" else [list(range(len(measures)))]
    for group in groups:
        contrasts = [_Contrast(k, names.index(a), names.index(b)) for k in group for a, b in pairs]
        z = np.array([_statistic(measures[one.metric], one) for one in contrasts])
        p, adjusted, critical = corrected(z, _correlation(measures, listed, contrasts), correction, level)
        ends = _score_ends(measures, contrasts, critical)
        for i, one in enumerate(contrasts):
            row = _row(measures[one.metric], one, critical, options.power, ends[i])
            row.update(cell=names[one.cell], control=names[one.control], metric=wanted[one.metric], correction=correction)
            row.update(p_value=float(p[i]), p_adjusted=float(adjusted[i]), level=level)
            row.update(n=listed[one.cell].n, n_control=listed[one.control].n)
            rows.append(row)
    frame = pd.DataFrame({column: [row[column] for row in rows] for column in COLUMNS if not column.startswith("lift")})
    for k, column in enumerate(("lift", "lift_low", "lift_high")):
        values = pd.Series([row[column] for row in rows], dtype=object)  # None stays None
        frame.insert(COLUMNS.index("lift") + k, column, values)
    return frame


def paired(cells: Mapping[str, CellStatistics], control: str | Mapping[str, str]) -> list[tuple[str, str]]:
    """Each cell with its control, in the order of the cells."""
    if len(cells) < 2:
        raise ModelError.expected(_MODEL, "cells", "at least two, one of them a control", list(cells))
    if isinstance(control, str):
        if control not in cells:
            raise ModelError.unknown_cell("control", control, cells)
        return [(name, control) for name in cells if name != control]
    for cell, its in control.items():
        for what, name in (("cell", cell), ("control", its)):
            if name not in cells:
                raise ModelError.unknown_cell(what, name, cells)
        if cell == its:
            raise ModelError.own_control(cell)
    for name in cells:
        if name not in control and name not in control.values():
            raise ModelError(
                f"Cell {shown(name)} has no control. Expected another cell that it is compared with. Found none. "
                "Name one in control."
            )
    return [(name, control[name]) for name in cells if name in control]


def _covariates(adjust: Adjust, metric: str) -> tuple[str, ...]:
    if isinstance(adjust, Mapping):
        adjust = adjust.get(metric)
    return () if adjust is None else (adjust,) if isinstance(adjust, str) else tuple(adjust)


def _metrics(
    cells: Sequence[CellStatistics], metrics: Sequence[str] | None, ratios: Mapping[str, tuple[str, str]], adjust: Adjust
) -> list[str]:
    if metrics is not None:
        found = [*metrics, *(name for name in ratios if name not in metrics)]
        if not found:
            raise ModelError.expected(_MODEL, "metrics", "at least one that all cells know", "none")
        return found
    every = adjust.keys() if isinstance(adjust, Mapping) else ("",)
    left_out = {name for metric in every for name in _covariates(adjust, metric)}
    left_out |= {part for parts in ratios.values() for part in parts}
    shared = [name for name in cells[0].metrics if all(name in cell.metrics for cell in cells) and name not in left_out]
    found = [*shared, *ratios]
    if not found:
        raise ModelError.expected(_MODEL, "metrics", "at least one that all cells know", "none")
    return found


def _statistic(found: Measure, one: _Contrast) -> float:
    """Test statistic on the scale of a standard normal."""
    a, b = one.cell, one.control
    if found.score:
        return float(
            score_z(found.values[a] * found.sizes[a], found.sizes[a], found.values[b] * found.sizes[b], found.sizes[b])
        )
    variance, freedom = _of_difference(found, one)
    t = unskewed((found.values[a] - found.values[b]) / float(np.sqrt(variance)), found.skewness(a, b))
    return to_normal(t, freedom)


def _of_difference(found: Measure, one: _Contrast) -> tuple[float, float]:
    """Variance and degrees of freedom of a difference."""
    weights = np.zeros((1, len(found.values)))
    weights[0, [one.cell, one.control]] = 1.0, -1.0
    covariance, freedom = found.spread(weights)
    return float(covariance[0, 0]), float(freedom[0])


def _correlation(measures: Sequence[Measure], cells: Sequence[CellStatistics], contrasts: Sequence[_Contrast]) -> Array:
    """Of the differences: cells share controls, and metrics share customers. A pair of metrics not known to go together is 0.

    That adjusted cells share a slope as well is left out: it moves correlations by chance, this way or that, and little.
    """
    m = len(contrasts)
    covariance = np.zeros((m, m))
    for i, one in enumerate(contrasts):
        for j, two in enumerate(contrasts[: i + 1]):
            total = 0.0
            for c in {one.cell, one.control} & {two.cell, two.control}:
                sign = (1 if c == one.cell else -1) * (1 if c == two.cell else -1)
                total += sign * measures[one.metric].covariance(measures[two.metric], c, cells[c])
            covariance[i, j] = covariance[j, i] = total
    scale = np.sqrt(np.diag(covariance))
    correlation = np.clip(covariance / np.outer(scale, scale), -1.0, 1.0)
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(correlation)


def _score_ends(measures: Sequence[Measure], contrasts: Sequence[_Contrast], critical: float) -> Array:
    """Score intervals of all contrasts at once; those of means are not used."""
    sizes = np.array([[measures[one.metric].sizes[c] for c in (one.cell, one.control)] for one in contrasts])
    values = np.array([[measures[one.metric].values[c] for c in (one.cell, one.control)] for one in contrasts])
    used = [k for k, one in enumerate(contrasts) if measures[one.metric].score]
    found = np.zeros((len(contrasts), 2))
    if used:
        x, n = (values * sizes)[used], sizes[used]
        found[used] = np.column_stack(score_interval(x[:, 0], n[:, 0], x[:, 1], n[:, 1], critical))
    return found


def _row(found: Measure, one: _Contrast, critical: float, power: float, ends: Array) -> dict[str, object]:
    a, b = one.cell, one.control
    m1, m0 = float(found.values[a]), float(found.values[b])
    variance, freedom = _of_difference(found, one)
    error = float(np.sqrt(variance))
    if found.score:
        low, high = float(ends[0]), float(ends[1])
        lift = log_ratio(m1, m0, float(found.variances[a]), float(found.variances[b]), critical)
        least = detected(critical, np.inf, power)
    else:
        t = from_normal(critical, freedom)
        low, high = (m1 - m0 - error * end for end in reach(t, found.skewness(a, b)))
        own = found.spread(np.eye(len(found.values))[[a, b]])[0]
        lift = fieller(m1, m0, float(own[0, 0]), float(own[1, 1]), t, float(own[0, 1]))
        least = detected(critical, freedom, power)
    return {
        "mean": m1, "mean_control": m0, "estimate": m1 - m0, "low": low, "high": high,
        "lift": lift and m1 / m0 - 1, "lift_low": lift and lift[0] - 1, "lift_high": lift and lift[1] - 1,
        "detectable": least * error, "method": found.method,
    }  # fmt: skip


def score_z(
    x1: npt.ArrayLike, n1: npt.ArrayLike, x0: npt.ArrayLike, n0: npt.ArrayLike, difference: npt.ArrayLike = 0.0
) -> Array:
    """Score statistic of a difference of two rates.

    The variance is that of the rates that fit best among those that differ by ``difference``, times N / (N - 1).

    Parameters
    ----------
    x1, n1, x0, n0 : array
        Successes and number in all, of the cell and of the control. Numbers may be fractions (effective sizes).
    difference : array
        Tested difference, cell less control, in [-1, 1].

    Returns
    -------
    array
        Standard normal where the rates differ by ``difference``. 0 where nothing varies and nothing differs.

    References
    ----------
    Miettinen and Nurminen (1985), Comparative analysis of two rates, Statistics in Medicine 4, equations (8) and (9).
    Farrington and Manning (1990), Test statistics and sample size formulae for comparative binomial trials, Statistics in
    Medicine 9, appendix (closed form of the restricted rates).

    Examples
    --------
    >>> round(float(score_z(7, 34, 1, 34)), 4)
    2.2417
    """
    a, n, b, m, delta = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (x1, n1, x0, n0, difference)))
    p, q = a / n, b / m
    restricted = _restricted(p, q, m / n, delta)
    other = np.clip(restricted - delta, 0.0, 1.0)
    variance = (restricted * (1 - restricted) / n + other * (1 - other) / m) * (n + m) / (n + m - 1)
    gap = p - q - delta
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(variance > 0, gap / np.sqrt(np.where(variance > 0, variance, 1.0)), np.sign(gap) * np.inf)
    return np.where(np.abs(gap) < 1e-15, 0.0, z)


def _restricted(p: Array, q: Array, theta: Array, delta: Array) -> Array:
    """The cell's rate that is most likely, given that the control's is ``delta`` below it."""
    a = 1 + theta
    b = -(1 + theta + p + theta * q + delta * (theta + 2))
    c = delta**2 + delta * (2 * p + theta + 1) + p + theta * q
    d = -p * delta * (1 + delta)
    v = (b / (3 * a)) ** 3 - b * c / (6 * a**2) + d / (2 * a)
    u = np.where(v >= 0, 1.0, -1.0) * np.sqrt(np.maximum((b / (3 * a)) ** 2 - c / (3 * a), 0.0))
    cubed = u**3
    ratio = np.where(cubed != 0, v / np.where(cubed != 0, cubed, 1.0), 0.0)
    angle = (np.pi + np.arccos(np.clip(ratio, -1.0, 1.0))) / 3
    found = np.clip(2 * u * np.cos(angle) - b / (3 * a), np.maximum(0.0, delta), np.minimum(1.0, 1.0 + delta))
    pooled = (p + theta * q) / (1 + theta)  # exact where nothing differs
    return np.where(delta == 0, pooled, found)


def score_interval(
    x1: npt.ArrayLike, n1: npt.ArrayLike, x0: npt.ArrayLike, n0: npt.ArrayLike, critical: npt.ArrayLike = 1.959963984540054
) -> tuple[Array, Array]:
    """Differences of two rates that the score test does not reject.

    Parameters
    ----------
    x1, n1, x0, n0 : array
        As in ``score_z``.
    critical : array
        Largest value of z, either way, that is not rejected.

    Returns
    -------
    (low, high) : array
        In [-1, 1].

    Examples
    --------
    >>> low, high = score_interval(7, 34, 1, 34)
    >>> round(float(low), 4), round(float(high), 4)
    (0.027, 0.3453)
    """
    a, n, b, m, c = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (x1, n1, x0, n0, critical)))
    seen = a / n - b / m
    side = np.array([1.0, -1.0]).reshape(2, *[1] * seen.ndim)  # the lower end and the upper one at once
    inside, outside = np.stack([seen, seen]), np.stack([np.full(seen.shape, -1.0), np.full(seen.shape, 1.0)])
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        kept = side * score_z(a, n, b, m, middle) <= c
        inside, outside = np.where(kept, middle, inside), np.where(kept, outside, middle)
    return outside[0], outside[1]


@dataclass(frozen=True, eq=False)
class SampleRatio:
    """Whether the sizes of cells fit their planned shares: outcome of :func:`sample_ratio`.

    Attributes
    ----------
    chi_square, df, p_value : float
    table : DataFrame
        cell, n, expected, share, designed.
    warning : str, optional
        Why the p-value may be wrong; None where it may not.
    """

    chi_square: float
    df: int
    p_value: float
    table: pd.DataFrame
    warning: str | None


def sample_ratio(
    counts: Mapping[str, int] | Sequence[int], shares: Mapping[str, float] | Sequence[float] | None = None
) -> SampleRatio:
    """Test the sizes of cells against their designed shares.

    Parameters
    ----------
    counts : mapping of cell to number of customers
        A list is of cells 1, 2, ….
    shares : mapping of cell to share, or list, optional
        They add up to 1; default: equal.

    Returns
    -------
    SampleRatio

    Raises
    ------
    ModelError
        Fewer than two cells, cells that differ, shares that do not add up to 1, negative counts, or nobody at all.

    References
    ----------
    Fabijan et al. (2019), Diagnosing sample ratio mismatch in online controlled experiments, KDD.

    Examples
    --------
    >>> found = sample_ratio({"a": 9463, "b": 7681}, {"a": 0.5, "b": 0.5})
    >>> round(found.chi_square, 7), f"{found.p_value:.6e}"
    (185.2265516, '3.502192e-42')
    """
    found = _named(counts)
    names = list(found)
    designed = dict.fromkeys(names, 1 / max(len(names), 1)) if shares is None else _named(shares)
    if len(names) < 2:
        raise ModelError.expected("sample_ratio", "counts", "of at least two cells", names)
    if set(designed) != set(names):
        raise ModelError.expected("sample_ratio", "shares", f"of the same cells as counts: {', '.join(names)}", list(designed))
    n = checked_amounts("sample_ratio", "counts", [found[name] for name in names])
    share = checked_amounts("sample_ratio", "shares", [designed[name] for name in names])
    if not ((share > 0).all() and abs(share.sum() - 1) < 1e-6):
        raise ModelError.expected(
            "sample_ratio", "shares", "above 0, and add up to 1", f"{share.tolist()}, sum {share.sum():.6g}"
        )
    if not ((n >= 0).all() and (n < 2**53).all() and (n == np.floor(n)).all() and n.sum() > 0):
        raise ModelError.expected("sample_ratio", "counts", "whole numbers of at least 0, not all 0", n.tolist())
    expected = n.sum() * share / share.sum()
    chi_square = float(((n - expected) ** 2 / expected).sum())
    least = float(expected.min())
    few = f"Only {least:.1f} customers were expected in the smallest cell: under {_FEW}, the check is rough."
    table = pd.DataFrame(
        {"cell": names, "n": n.astype(np.int64), "expected": expected, "share": n / n.sum(), "designed": share / share.sum()}
    )
    p = float(special.chdtrc(len(names) - 1, chi_square))
    return SampleRatio(chi_square, len(names) - 1, p, table, few if least < _FEW else None)


def _named(values: Mapping[str, float] | Sequence[float]) -> dict[str, float]:
    if isinstance(values, Mapping):
        return dict(values)
    return {str(k): value for k, value in enumerate(checked_row("sample_ratio", "counts", values).tolist(), start=1)}

"""Who is worth contacting: incremental profit by depth of the list, Qini, and uplift by segment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from crmlab.errors import ModelError, listing
from crmlab.frames import is_table
from crmlab.models.btyd.special import Array
from crmlab.models.checked import checked_amounts, checked_level, checked_outcomes
from crmlab.models.intervals import LEVEL, TEST_LEVEL, normal_quantile
from crmlab.models.testing.cells import CellStatistics
from crmlab.models.testing.columns import RatioOf, cell_name, kinds_of, units_of
from crmlab.models.testing.comparisons import compare_cells
from crmlab.models.testing.max_t import critical_value
from crmlab.models.testing.measures import measure

__all__ = ["Depth", "Segments", "depth_curve", "segment_uplift", "slices"]


_MODEL, _UPLIFT = "depth_curve", "segment_uplift"
_ARMS = ("treated", "control")


@dataclass(frozen=True, eq=False)
class Depth:
    """Incremental profit by how much of the list is contacted, best scores first.

    Attributes
    ----------
    curve : DataFrame
        share (of the list), n, profit (per customer of the whole list: incremental outcome of those contacted less the cost of their
        contacts), low, high (pointwise), band_low, band_high (hold at every depth at once); added, added_low, added_high
        (incremental profit per customer of the slice that this depth adds, pointwise).
    qini, qini_low, qini_high : float
        Area between the curve and that of a random order, per customer of the list: what ranking adds on average over depths.
    p_value : float
        That ranking adds nothing, the effect being the same all down the list; it inverts the interval.
    best : float
        Share of the list at which the curve is highest; its height there is too high by selection.
    level : float
    """

    curve: pd.DataFrame
    qini: float
    qini_low: float
    qini_high: float
    p_value: float
    best: float
    level: float


def slices(score: npt.ArrayLike, treated: npt.ArrayLike, outcome: npt.ArrayLike, parts: int = 20) -> pd.DataFrame:
    """Cut a list into slices by score, highest first, and sum what each arm of each slice brought.

    Customers with the same score stay together, so slices may be fewer and unequal; nothing depends on the order of rows.

    Parameters
    ----------
    score : array of shape (n,)
        Fitted on other data than this outcome.
    treated : boolean array of shape (n,)
        Who was contacted; drawn at random.
    outcome : array of shape (n,)
        Money (margin) or response of each.
    parts : int

    Returns
    -------
    DataFrame
        slice, n_treated, n_control, sum_treated, sum_control, squares_treated, squares_control.

    Examples
    --------
    >>> slices([3, 3, 2, 2, 1, 1], [1, 0, 1, 0, 1, 0], [5.0, 1, 2, 1, 1, 1], parts=3)["sum_treated"].tolist()
    [5.0, 2.0, 1.0]
    """
    s, y = checked_amounts(_MODEL, "score", score), checked_amounts(_MODEL, "outcome", outcome)
    arm = checked_outcomes(_MODEL, treated)
    if not (s.shape == y.shape == arm.shape) or s.ndim != 1 or not len(s):
        raise ModelError.expected(_MODEL, "score, treated, outcome", "of one length, not empty", (s.shape, arm.shape, y.shape))
    if not parts >= 1:
        raise ModelError.expected(_MODEL, "parts", "at least 1", parts)
    _, group, count = np.unique(np.asarray(-s), return_inverse=True, return_counts=True)
    # A score belongs to the slice in which its middle customer is: ties never split.
    middle = np.cumsum(count) - (count + 1) / 2
    place = np.minimum((middle * parts // len(s)).astype(int), parts - 1)[group]
    _, place = np.unique(place, return_inverse=True)
    found: dict[str, npt.NDArray[np.generic]] = {"slice": np.arange(1, place.max() + 2)}
    for name, inside in zip(_ARMS, (arm, ~arm), strict=True):
        found[f"n_{name}"] = np.bincount(place[inside], minlength=place.max() + 1)
    for name, inside in zip(_ARMS, (arm, ~arm), strict=True):
        found[f"sum_{name}"] = np.bincount(place[inside], weights=y[inside], minlength=place.max() + 1)
    for name, inside in zip(_ARMS, (arm, ~arm), strict=True):
        found[f"squares_{name}"] = np.bincount(place[inside], weights=y[inside] ** 2, minlength=place.max() + 1)
    return pd.DataFrame(found)


def depth_curve(parts: pd.DataFrame, *, cost: float = 0.0, level: float = LEVEL) -> Depth:
    """Incremental profit by share of the list contacted, from sums per slice.

    Parameters
    ----------
    parts : DataFrame
        As ``slices`` gives it, best first; or from one pass in the engine.
    cost : float
        Of a contact, in money.
    level : float

    Returns
    -------
    Depth

    Raises
    ------
    ModelError
        A column is missing, an arm has fewer than two customers in the first slices together, or nothing varies.

    References
    ----------
    Radcliffe (2007), Using control groups to target on predicted lift, Direct Marketing Analytics Journal.
    Imai and Li (2023), Experimental evaluation of individualized treatment rules, JASA 118 (variance over depths).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> score, treated = rng.random(20_000), rng.random(20_000) < 0.5
    >>> outcome = rng.normal(0, 1, 20_000) + treated * score
    >>> found = depth_curve(slices(score, treated, outcome), cost=0.5)
    >>> found.qini_low > 0, abs(found.best - 0.5) < 0.2
    (True, True)
    """
    if not isinstance(parts, pd.DataFrame):
        raise ModelError.no_frame(_MODEL, parts)
    for column in [f"{what}_{arm}" for what in ("n", "sum", "squares") for arm in _ARMS]:
        if column not in parts:
            raise ModelError.missing_column(_MODEL, column, parts.columns)
    level = checked_level(_MODEL, level)
    parts = parts[(parts["n_treated"] + parts["n_control"]) > 0]
    k = len(parts)
    n = (parts["n_treated"] + parts["n_control"]).to_numpy(dtype=float)
    if k == 0 or n.sum() == 0:
        raise ModelError.empty(_MODEL)
    share = np.cumsum(n) / n.sum()
    gain, covariance = np.zeros(k), np.zeros((k, k))
    for sign, arm in zip((1.0, -1.0), _ARMS, strict=True):
        mean, spread = _arm(parts, arm)
        gain += sign * mean
        covariance += spread
    covariance *= np.outer(share, share)
    value = share * (gain - cost)
    error = np.sqrt(np.maximum(np.diag(covariance), 0.0))  # rounding may leave a variance of none a little under 0
    if not (error > 0).all():
        raise ModelError.does_not_vary("outcome", float(parts["sum_control"].sum() / max(parts["n_control"].sum(), 1)))
    z = normal_quantile(level)
    band = critical_value(np.clip(covariance / np.outer(error, error), -1, 1), level)
    weights = _area(share)
    qini, spread_qini = float(weights @ value), float(np.sqrt(max(float(weights @ covariance @ weights), 0.0)))
    p = float(2 * special.ndtr(-abs(qini) / spread_qini)) if spread_qini > 0 else 1.0
    steps = (np.eye(k) - np.eye(k, k=-1)) / np.diff(share, prepend=0.0)[:, None]
    added, spread = steps @ value, np.sqrt(np.maximum(np.diag(steps @ covariance @ steps.T), 0.0))
    curve = pd.DataFrame(
        {
            "share": share,
            "n": np.cumsum(n).astype(np.int64),
            "profit": value,
            "low": value - z * error,
            "high": value + z * error,
            "band_low": value - band * error,
            "band_high": value + band * error,
            "added": added,
            "added_low": added - z * spread,
            "added_high": added + z * spread,
        }
    )
    best = float(share[int(np.argmax(value))]) if value.max() > 0 else 0.0
    return Depth(curve, qini, qini - z * spread_qini, qini + z * spread_qini, p, best, level)


def _arm(parts: pd.DataFrame, arm: str) -> tuple[Array, Array]:
    """Mean of an arm down to each depth, and the covariance of these means."""
    n, total, squares = np.cumsum(parts[[f"{what}_{arm}" for what in ("n", "sum", "squares")]].to_numpy(dtype=float), axis=0).T
    if n[0] < 2:
        raise ModelError.expected(_MODEL, "slices", f"with at least two {arm} customers in the first", int(n[0]))
    mean = total / n
    # Customers down to the lesser depth are in both means: sum of (y - one mean) × (y - other mean) over them.
    first = np.minimum.outer(np.arange(len(n)), np.arange(len(n)))
    shared = squares[first] - (mean[:, None] + mean) * total[first] + mean[:, None] * mean * n[first]
    return mean, np.asarray(shared / np.outer(n, n) * np.sqrt(np.outer(n / (n - 1), n / (n - 1))))


def _area(share: Array) -> Array:
    """Weights of the curve's heights in the area over the straight line to its end, by trapezoids from 0."""
    wide = np.diff(share, prepend=0.0)
    weights = wide / 2 + np.append(wide[1:], 0.0) / 2
    weights[-1] -= 0.5
    return np.asarray(weights)


@dataclass(frozen=True, eq=False)
class Segments:
    """Uplift by segment.

    Attributes
    ----------
    table : DataFrame
        segment, and the columns of ``compare_cells`` from n on; corrected over segments.
    q, df, p_value : float
        Test that the effect is the same in all segments: without it, one segment's being shown to differ from 0 and another's not
        says nothing about segments.
    """

    table: pd.DataFrame
    q: float
    df: int
    p_value: float


def segment_uplift(
    segments: Any,
    metric: str | Mapping[str, str],
    *,
    segment: str | None = None,
    cell: str | None = None,
    control: Any = None,
    correction: str = "max-t",
    level: float = TEST_LEVEL,
) -> Segments:
    """Effect in each segment, corrected for their number, and whether segments differ.

    Parameters
    ----------
    segments : table, or mapping of name to (contacted, control)
        A row per customer, those who did nothing too: a frame of pandas, Polars or PyArrow, or an Ibis table. Or two
        :class:`~crmlab.models.testing.cells.CellStatistics` of each segment. At least two segments, fixed before the outcome was seen.
    metric : str, or mapping of it to {"rate", "mean"}
        Of a table: its column. Named alone, a column of 0 and 1 (or False and True) is a rate, any other a mean.
    segment, cell : str
        Of a table: columns with the segment and the cell of each row.
    control : str
        Of a table: the cell that was not contacted; beside it there is one other.
    correction, level
        As in ``compare_cells``.

    Returns
    -------
    Segments
        Those of a table in the order of its column: of categories theirs, else sorted.

    Raises
    ------
    ModelError
        There are fewer than two segments, one lacks contacted customers or a control, or of a table what ``compare`` refuses too.

    References
    ----------
    Cochran (1954), The combination of estimates from different experiments, Biometrics 10 (test that all are the same).

    Examples
    --------
    >>> sent = [("recent", "letter", 60), ("recent", "none", 30), ("lapsed", "letter", 12), ("lapsed", "none", 10)]
    >>> rows = [(who, what, int(k < buyers)) for who, what, buyers in sent for k in range(1000)]
    >>> people = pd.DataFrame(rows, columns=["who", "sent", "bought"])
    >>> found = segment_uplift(people, "bought", segment="who", cell="sent", control="none")
    >>> found.table[["segment", "estimate"]].values.tolist(), found.df, round(found.p_value, 3)
    ([['lapsed', 0.002], ['recent', 0.03]], 1, 0.007)
    >>> statistics = lambda bought: CellStatistics.from_sums(1000, {"bought": bought})
    >>> pairs = {"recent": (statistics(60), statistics(30)), "lapsed": (statistics(12), statistics(10))}
    >>> round(segment_uplift(pairs, "bought").p_value, 3)
    0.007
    """
    pairs: Mapping[str, tuple[CellStatistics, CellStatistics]]
    if is_table(segments):
        pairs, metric = _pairs(segments, metric, segment, cell, control)
    elif not isinstance(segments, Mapping) or not isinstance(metric, str):
        raise ModelError.expected(
            _UPLIFT, "segments", "a table of a row per customer, or pairs of cells and the name of a metric", segments
        )
    elif not (segment is None and cell is None and control is None):
        raise ModelError.expected(_UPLIFT, "segment, cell and control", "left out where pairs of cells are given", segment)
    else:
        pairs = segments
    if len(pairs) < 2:
        raise ModelError.expected(_UPLIFT, "segments", "at least two", list(pairs))
    cells, against = {}, {}
    for name, (contacted, its) in pairs.items():
        cells[f"{name} (contacted)"], cells[f"{name} (control)"] = contacted, its
        against[f"{name} (contacted)"] = f"{name} (control)"
    frame = compare_cells(cells, control=against, metrics=[metric], correction=correction, level=level)
    table = frame.drop(columns=["cell", "control", "metric"])
    table.insert(0, "segment", list(pairs))
    scale = _standard_errors(pairs, metric)
    weight = 1 / scale**2
    effect = table["estimate"].to_numpy()
    q = float(weight @ (effect - weight @ effect / weight.sum()) ** 2)
    return Segments(table, q, len(pairs) - 1, float(special.chdtrc(len(pairs) - 1, q)))


def _pairs(
    frame: Any, metric: str | Mapping[str, str], segment: str | None, cell: str | None, control: Any
) -> tuple[dict[str, tuple[CellStatistics, CellStatistics]], str]:
    """Contacted and control of each segment of a table, and the metric's name."""
    for argument, given in (("segment", segment), ("cell", cell), ("control", control)):
        if given is None or (argument != "control" and not isinstance(given, str)):
            what = (
                "the name of the cell that was not contacted" if argument == "control" else "the name of a column of the table"
            )
            raise ModelError.expected(_UPLIFT, argument, what, given)
    told = kinds_of(_UPLIFT, metric)
    if len(told) != 1 or any(isinstance(kind, RatioOf) for kind in told.values()):
        raise ModelError.expected(_UPLIFT, "metric", "one column, a rate or a mean", listing(told))
    assert segment is not None and cell is not None
    if segment == cell:
        raise ModelError.expected(_UPLIFT, "segment", "another column than that of the cell", segment)
    units, parts = units_of(_UPLIFT, frame, [segment, cell], told)
    known, against = units.levels[cell], cell_name(control)
    if against not in known:
        raise ModelError.no_such("control", against, known, f"in '{cell}'")
    if len(known) != 2:
        hint = "Keep the rows of one cell and of the control, one call for each cell."
        raise ModelError.needs(_UPLIFT, f"two cells in '{cell}', {against} and the one contacted", listing(known), hint)
    contacted = next(name for name in known if name != against)
    rates = [name for name, kind in units.kinds.items() if kind == "rate"]
    found = {}
    for name in units.levels[segment]:
        rows = [units.values[((parts[segment] == name) & (parts[cell] == which)).to_numpy()] for which in (contacted, against)]
        for which, some in zip((contacted, against), rows, strict=True):
            if not len(some):
                hint = "Leave the segment out, or take it together with another."
                raise ModelError.needs(
                    _UPLIFT, f"customers of {contacted} and of {against} in each segment", f"none of {which} in {name}", hint
                )
        found[name] = (CellStatistics.from_values(rows[0], rates), CellStatistics.from_values(rows[1], rates))
    return found, next(iter(told))


def _standard_errors(segments: Mapping[str, tuple[CellStatistics, CellStatistics]], metric: str) -> Array:
    cells = [cell for pair in segments.values() for cell in pair]
    variances = measure(cells, metric).variances
    return np.asarray(np.sqrt(variances[::2] + variances[1::2]))

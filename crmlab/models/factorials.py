"""Factorial campaigns: what each component did, and what components did together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd

from crmlab.errors import ModelError
from crmlab.models.cells import CellStatistics
from crmlab.models.designs import checked_components
from crmlab.models.max_t import checked_correction, corrected
from crmlab.models.measures import from_normal, measure, to_normal
from crmlab.models.special import Array

_MODEL = "factorial_effects"


def factorial_effects(
    cells: Mapping[str, CellStatistics],
    components: Mapping[str, Mapping[str, Any]],
    metric: str,
    *,
    ratio: tuple[str, str] | None = None,
    adjust: Sequence[str] = (),
    order: int = 2,
    correction: str = "max-t",
    level: float = 0.95,
) -> pd.DataFrame:
    """Main effects and interactions of a full or fractional factorial.

    Cell means are fitted by their components, weighted with the number of customers: the same as a regression over customers, with
    each cell's own variance. An effect is averaged over the levels of the other components, each counting alike.

    Parameters
    ----------
    cells : mapping of name to CellStatistics
    components : mapping of cell to mapping of factor to level
        All with the same factors. Cells that are not in it, such as an untouched control, take no part. The first level of a factor,
        in the order of cells, is the one that others are compared with.
    metric : str
    ratio : (numerator, denominator), optional
        The metric is this ratio.
    adjust : sequence of str
        Covariates, taken off with one coefficient for all cells.
    order : int
        1: main effects alone, taking it that components do not work together. 2: with interactions of two.
    correction, level
        Over all effects of the frame.

    Returns
    -------
    DataFrame
        effect (factor, or "a × b"), levels ("2:1 against 1:1"), order, estimate, low, high, p_value, p_adjusted, detectable
        (smallest effect found with 80 % power), method, correction, level. An interaction is the difference of a's effect between
        two levels of b. Rates are compared as means (their differences are averaged, and no score test does that).

    Raises
    ------
    ModelError
        Effects that the cells cannot tell apart, a factor of one level, or cells without components.

    References
    ----------
    Box, Hunter and Hunter (2005), Statistics for Experimenters, chapter 5. Hothorn, Bretz and Westfall (2008), Biometrical
    Journal 50.

    Examples
    --------
    >>> cell = lambda bought: CellStatistics.from_sums(1000, {"bought": bought})
    >>> cells = {"a": cell(20), "b": cell(30), "c": cell(25), "d": cell(60)}
    >>> parts = [("none", "plain"), ("10 %", "plain"), ("none", "photo"), ("10 %", "photo")]
    >>> named = {name: dict(zip(("offer", "creative"), part)) for name, part in zip(cells, parts)}
    >>> found = factorial_effects(cells, named, "bought")
    >>> found["effect"].tolist(), found["estimate"].round(4).tolist()
    (['offer', 'creative', 'offer × creative'], [0.0225, 0.0175, 0.025])
    """
    from scipy import special

    checked_correction(_MODEL, correction, level)
    if order not in (1, 2):
        raise ModelError.expected(_MODEL, "order", "1 or 2", order)
    levels = checked_components(_MODEL, components)
    for name in components:
        if name not in cells:
            raise ModelError.unknown_cell("cell", name, cells)
    used = [cells[name] for name in components]
    found = measure(used, metric, ratio, tuple(adjust))
    names, wanted = _effects(levels, order)
    grid = [dict(zip(levels, each, strict=True)) for each in product(*levels.values())]
    X = _matrix([components[name] for name in components], levels, order)
    contrasts = np.array([weights(grid) for weights in wanted]) @ _matrix(grid, levels, order)
    n = np.array([cell.n for cell in used], dtype=float)
    weighted = (X.T * n) @ X
    inverse = np.linalg.pinv(weighted, hermitian=True, rcond=1e-10)
    told = np.abs(contrasts - contrasts @ inverse @ weighted).max(axis=1) < 1e-8
    if not told.all():
        raise ModelError.not_estimable(f"{one[0]} ({one[1]})" for one, fine in zip(names, told, strict=True) if not fine)
    L = contrasts @ inverse @ (X.T * n)
    estimate, covariance = L @ found.values, (L * found.variances) @ L.T
    error = np.sqrt(np.diag(covariance))
    freedom = np.diag(covariance) ** 2 / (L**4 @ (found.variances**2 / found.freedoms))
    z = np.array([to_normal(t, df) for t, df in zip(estimate / error, freedom, strict=True)])
    correlation = np.clip(covariance / np.outer(error, error), -1.0, 1.0)
    p, adjusted, critical = corrected(z, correlation, correction, level)
    half = error * np.array([from_normal(critical, df) for df in freedom])
    frame = pd.DataFrame(names, columns=["effect", "levels", "order"])
    return frame.assign(
        estimate=estimate,
        low=estimate - half,
        high=estimate + half,
        p_value=p,
        p_adjusted=adjusted,
        detectable=(critical + float(special.ndtri(0.8))) * error,
        method="weighted contrasts" + (", adjusted" if found.adjusted else ""),
        correction=correction,
        level=level,
    )


class _Contrast:
    """Weights of a full grid of cells that make one effect."""

    def __init__(self, pairs: Mapping[str, tuple[Any, Any]], levels: Mapping[str, list[Any]]) -> None:
        self.pairs = pairs
        self.others = int(np.prod([len(each) for name, each in levels.items() if name not in pairs]))

    def __call__(self, grid: list[dict[str, Any]]) -> list[float]:
        return [self._of(cell) for cell in grid]

    def _of(self, cell: dict[str, Any]) -> float:
        sign = 1.0
        for factor, (one, base) in self.pairs.items():
            sign *= 1.0 if cell[factor] == one else -1.0 if cell[factor] == base else 0.0
        return sign / self.others


def _effects(levels: Mapping[str, list[Any]], order: int) -> tuple[list[tuple[str, str, int]], list[_Contrast]]:
    names, wanted = [], []
    for count in range(1, order + 1):
        for factors in combinations(levels, count):
            for chosen in product(*(levels[factor][1:] for factor in factors)):
                pairs = {factor: (one, levels[factor][0]) for factor, one in zip(factors, chosen, strict=True)}
                said = ", ".join(f"{one} against {base}" for one, base in pairs.values())
                names.append((" × ".join(factors), said, count))
                wanted.append(_Contrast(pairs, levels))
    return names, wanted


def _matrix(rows: Sequence[Mapping[str, Any]], levels: Mapping[str, list[Any]], order: int) -> Array:
    """One column for the mean, one per level after the first, and their products."""
    single = {
        factor: np.array([[float(row[factor] == one) for one in known[1:]] for row in rows]) for factor, known in levels.items()
    }
    columns = [np.ones((len(rows), 1)), *single.values()]
    if order == 2:
        for a, b in combinations(single.values(), 2):
            columns.append((a[:, :, None] * b[:, None, :]).reshape(len(rows), -1))
    return np.hstack(columns)

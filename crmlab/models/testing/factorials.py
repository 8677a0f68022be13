"""Factorial campaigns: which cells, what they cannot tell apart, and what each component did, alone and together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd

from crmlab.errors import ModelError, listing
from crmlab.models.btyd.special import Array
from crmlab.models.intervals import TEST_LEVEL
from crmlab.models.testing.cells import CellStatistics
from crmlab.models.testing.max_t import checked_correction, corrected
from crmlab.models.testing.measures import detected, from_normal, measure, to_normal

__all__ = ["aliases", "checked_components", "component_differences", "design_cells", "factorial_effects"]


_MODEL = "factorial_effects"


_DESIGN = "design_cells"


def factorial_effects(
    cells: Mapping[str, CellStatistics],
    components: Mapping[str, Mapping[str, Any]],
    metric: str | tuple[str, str],
    *,
    adjust: Sequence[str] = (),
    order: int = 2,
    correction: str = "max-t",
    level: float = TEST_LEVEL,
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
    metric : str, or (numerator, denominator)
        Of two, their ratio.
    adjust : sequence of str
        Covariates, taken off with one coefficient for all cells, as in ``compare_cells``; not in small cells, and ``method`` says so.
    order : int
        1: main effects alone, taking it that components do not work together. 2: with interactions of two.
    correction, level
        Over all effects of the frame.

    Returns
    -------
    DataFrame
        effect (factor, or "a × b"), levels ("2:1 against 1:1"), order, estimate, low, high, p_value, p_adjusted, detectable
        (smallest effect found with 80% power), method, correction, level. An interaction is the difference of a's effect between
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
    >>> parts = [("none", "plain"), ("10%", "plain"), ("none", "photo"), ("10%", "photo")]
    >>> named = {name: dict(zip(("offer", "creative"), part)) for name, part in zip(cells, parts)}
    >>> found = factorial_effects(cells, named, "bought")
    >>> found["effect"].tolist(), found["estimate"].round(4).tolist()
    (['offer', 'creative', 'offer × creative'], [0.0225, 0.0175, 0.025])
    """
    level = checked_correction(_MODEL, correction, level)
    if order not in (1, 2):
        raise ModelError.expected(_MODEL, "order", "1 or 2", order)
    levels = checked_components(_MODEL, components)
    for name in components:
        if name not in cells:
            raise ModelError.unknown_cell("cell", name, cells)
    used = [cells[name] for name in components]
    name, ratio = (metric, None) if isinstance(metric, str) else (" / ".join(metric), metric)
    found = measure(used, name, ratio, tuple(adjust))
    names, wanted = _effects(levels, order)
    grid = [dict(zip(levels, each, strict=True)) for each in product(*levels.values())]
    X = _matrix([components[name] for name in components], levels, order)
    contrasts = np.array([weights(grid) for weights in wanted]) @ _matrix(grid, levels, order)
    n = np.array([cell.n for cell in used], dtype=float)
    weighted = (X.T * n) @ X
    inverse = np.linalg.pinv(weighted, hermitian=True, rcond=1e-10)
    told = np.abs(contrasts - contrasts @ inverse @ weighted).max(axis=1) < 1e-8
    if not told.all():
        effects = [f"{one[0]} ({one[1]})" for one, fine in zip(names, told, strict=True) if not fine]
        raise ModelError(
            f"These effects cannot be told apart in the cells that were sent: {listing(effects)}. Expected a design that "
            "separates them. Ask for fewer interactions (order=1), or see the alias table."
        )
    L = contrasts @ inverse @ (X.T * n)
    estimate, (covariance, freedom) = L @ found.values, found.spread(L)
    error = np.sqrt(np.diag(covariance))
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
        detectable=error * np.array([detected(critical, df, 0.8) for df in freedom]),
        method="weighted contrasts" + (", adjusted" if found.adjusted else ", too few to adjust" if found.declined else ""),
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


def design_cells(factors: Mapping[str, Sequence[Any]], generators: Mapping[str, Sequence[str]] | None = None) -> pd.DataFrame:
    """Cells of a factorial campaign: all combinations, or a regular fraction of them.

    Parameters
    ----------
    factors : mapping of name to its levels
        Such as offer, list, creative; at least two levels each.
    generators : mapping of factor to factors, optional
        For a fraction: a factor of two levels whose level follows from others of two levels, D = A × B × C as {"D": ("A", "B",
        "C")}. The other factors, of any number of levels, are combined in full.

    Returns
    -------
    DataFrame
        A row per cell and a column per factor, in their order; the first row has the first level of every factor that is not
        generated.

    Raises
    ------
    ModelError
        A factor of one level, levels named twice, or a generator of other than two levels or of an unknown factor.

    References
    ----------
    Box, Hunter and Hunter (2005), Statistics for Experimenters, chapter 6.

    Examples
    --------
    >>> two = {"offer": ["none", "10%"], "list": ["recent", "lapsed"], "creative": ["plain", "photo"]}
    >>> len(design_cells(two)), len(design_cells(two, {"creative": ("offer", "list")}))
    (8, 4)
    """
    made = dict(generators or {})
    if not factors:
        raise ModelError.expected(_DESIGN, "factors", "at least one", "none")
    for name, levels in factors.items():
        if len(levels) < 2 or len(set(levels)) != len(levels):
            raise ModelError.expected(_DESIGN, f"factors[{name}]", "at least two levels, none twice", list(levels))
    for name, parts in made.items():
        for factor in (name, *parts):
            if factor not in factors or len(factors[factor]) != 2:
                raise ModelError.expected(
                    _DESIGN, "generators", "made of factors of two levels", f"{name} = {' × '.join(parts)}"
                )
        if not parts or any(part in made for part in parts) or len(set(parts)) != len(parts):
            raise ModelError.expected(
                _DESIGN, "generators", "made of factors not generated, none twice", f"{name} = {list(parts)}"
            )
    free = [name for name in factors if name not in made]
    rows = []
    for chosen in product(*(range(len(factors[name])) for name in free)):
        at = dict(zip(free, chosen, strict=True))
        for name, parts in made.items():
            at[name] = int(np.prod([2 * at[part] - 1 for part in parts]) > 0)
        rows.append([factors[name][at[name]] for name in factors])
    return pd.DataFrame(rows, columns=list(factors))


def aliases(cells: pd.DataFrame, order: int = 2) -> pd.DataFrame:
    """Effects that a set of cells cannot tell apart.

    Parameters
    ----------
    cells : DataFrame
        A row per cell, a column per factor.
    order : int
        How many factors an effect may be of.

    Returns
    -------
    DataFrame
        effect, aliased_with, correlation (largest between the two, from 0 to 1), how ("fully", or "partly": an estimate of one
        then holds a share of the other). Pairs of effects in their order; empty where all can be told apart.

    Raises
    ------
    ModelError
        No cells, or a factor of one level.

    Examples
    --------
    >>> two = {"offer": ["none", "10%"], "list": ["recent", "lapsed"], "creative": ["plain", "photo"]}
    >>> aliases(design_cells(two, {"creative": ("offer", "list")})).head(1).values.tolist()
    [['offer', 'list × creative', 1.0, 'fully']]
    """
    if not isinstance(cells, pd.DataFrame):
        raise ModelError.no_frame("aliases", cells)
    if not len(cells):
        raise ModelError.empty("aliases")
    levels = checked_components("aliases", {str(k): dict(row) for k, row in enumerate(cells.to_dict("records"))})
    if not 1 <= order <= len(levels):
        raise ModelError.expected("aliases", "order", f"from 1 to {len(levels)}", order)
    single = {factor: _coded(cells[factor], known) for factor, known in levels.items()}
    spaces: dict[str, Array] = {}
    for count in range(1, order + 1):
        for chosen in combinations(single, count):
            block = single[chosen[0]]
            for factor in chosen[1:]:
                block = (block[:, :, None] * single[factor][:, None, :]).reshape(len(cells), -1)
            spaces[" × ".join(chosen)] = _basis(block - block.mean(axis=0))
    rows = []
    for a, b in combinations(spaces, 2):
        largest = 0.0
        if spaces[a].size and spaces[b].size:
            largest = min(1.0, float(np.linalg.svd(spaces[a].T @ spaces[b], compute_uv=False).max()))
        if largest > 1e-8:
            rows.append((a, b, round(largest, 12), "fully" if largest > 1 - 1e-8 else "partly"))
    rows += [(a, "mean", 1.0, "fully") for a, space in spaces.items() if space.size == 0]
    return pd.DataFrame(rows, columns=["effect", "aliased_with", "correlation", "how"])


def _coded(column: pd.Series, levels: list[Any]) -> Array:
    """A factor in columns that add up to 0 over its levels; -1 and 1 where there are two."""
    found = np.array([[float(value == one) - float(value == levels[0]) for one in levels[1:]] for value in column])
    return found.reshape(len(column), len(levels) - 1)


def _basis(block: Array) -> Array:
    """Orthonormal columns that span a block; none where the effect is the same in all cells."""
    u, s, _ = np.linalg.svd(block, full_matrices=False)
    return u[:, s > 1e-9 * max(1.0, float(s.max(initial=0.0)))]


def component_differences(components: Mapping[str, Mapping[str, Any]], controls: Mapping[str, str]) -> pd.DataFrame:
    """How each cell differs from its control.

    Parameters
    ----------
    components : mapping of cell to mapping of factor to level
        Controls too.
    controls : mapping of cell to its control

    Returns
    -------
    DataFrame
        cell, control, count (of components that differ), differs (their names), warning (None where exactly one differs).

    Raises
    ------
    ModelError
        An unknown cell, or one that is its own control.

    Examples
    --------
    >>> parts = {"a": {"offer": "10%", "creative": "photo"}, "b": {"offer": "none", "creative": "plain"}}
    >>> component_differences(parts, {"a": "b"})["warning"].item()
    'a differs from its control b in 2 components (offer, creative): what it earns cannot be put down to one of them.'
    """
    rows = []
    for cell, control in controls.items():
        for what, name in (("cell", cell), ("control", control)):
            if name not in components:
                raise ModelError.unknown_cell(what, name, components)
        if cell == control:
            raise ModelError.own_control(cell)
        names = list(dict.fromkeys([*components[cell], *components[control]]))
        differs = [name for name in names if components[cell].get(name) != components[control].get(name)]
        listed = ", ".join(differs)
        warning = None
        if len(differs) > 1:
            warning = (
                f"{cell} differs from its control {control} in {len(differs)} components ({listed}): "
                "what it earns cannot be put down to one of them."
            )
        elif not differs:
            warning = f"{cell} is the same as its control {control}: they cannot differ but by chance."
        rows.append((cell, control, len(differs), listed, warning))
    frame = pd.DataFrame([row[:4] for row in rows], columns=["cell", "control", "count", "differs"])
    return frame.assign(warning=pd.Series([row[4] for row in rows], dtype=object))  # None stays None


def checked_components(model: str, components: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Levels of each factor in the order in which cells bring them."""
    if not components:
        raise ModelError.expected(model, "components", "those of at least two cells", "none")
    factors = list(next(iter(components.values())))
    levels: dict[str, list[Any]] = {factor: [] for factor in factors}
    for cell, own in components.items():
        if list(own) != factors and set(own) != set(factors):
            raise ModelError.expected(model, f"components of {cell}", f"{', '.join(factors)}", list(own))
        for factor in factors:
            if own[factor] not in levels[factor]:
                levels[factor].append(own[factor])
    for factor, known in levels.items():
        if len(known) < 2:
            raise ModelError.expected(model, f"factor '{factor}'", "of at least two levels in the cells", known)
    return levels

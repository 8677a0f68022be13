"""Which cells to send: full and fractional factorials, and what a fraction cannot tell apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd

from crmlab.errors import ModelError
from crmlab.models.special import Array

_MODEL = "design_cells"


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
    >>> two = {"offer": ["none", "10 %"], "list": ["recent", "lapsed"], "creative": ["plain", "photo"]}
    >>> len(design_cells(two)), len(design_cells(two, {"creative": ("offer", "list")}))
    (8, 4)
    """
    made = dict(generators or {})
    if not factors:
        raise ModelError.expected(_MODEL, "factors", "at least one", "none")
    for name, levels in factors.items():
        if len(levels) < 2 or len(set(levels)) != len(levels):
            raise ModelError.expected(_MODEL, f"factors[{name}]", "at least two levels, none twice", list(levels))
    for name, parts in made.items():
        for factor in (name, *parts):
            if factor not in factors or len(factors[factor]) != 2:
                raise ModelError.expected(
                    _MODEL, "generators", "made of factors of two levels", f"{name} = {' × '.join(parts)}"
                )
        if not parts or any(part in made for part in parts) or len(set(parts)) != len(parts):
            raise ModelError.expected(
                _MODEL, "generators", "made of factors not generated, none twice", f"{name} = {list(parts)}"
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
    >>> two = {"offer": ["none", "10 %"], "list": ["recent", "lapsed"], "creative": ["plain", "photo"]}
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
    >>> parts = {"a": {"offer": "10 %", "creative": "photo"}, "b": {"offer": "none", "creative": "plain"}}
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

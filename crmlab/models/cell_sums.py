"""What sums over customers must fulfil to make a cell of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from crmlab.errors import ModelError
from crmlab.models.special import Array

Pair = tuple[str, str]
MODEL = "CellStatistics"
_ROUNDING = 1e-9  # how far below its least possible value a sum of squares may be by rounding


def as_dict(mapping: Mapping[Any, Any] | None) -> dict[Any, Any]:
    """A mapping or Series as a dict; an empty one where none was given."""
    return {} if mapping is None else dict(mapping)


def checked_rates(names: tuple[str, ...], means: Array, rates: frozenset[str]) -> None:
    """Refuse rates outside 0 to 1."""
    for name, mean in zip(names, means, strict=True):
        if name in rates and not 0 <= mean <= 1:
            raise ModelError.not_a_rate(MODEL, name, float(mean))


def weighted(values: Array, weights: Array) -> float:
    """Sum with weights, in which a value that is not known counts only where its weight is not 0."""
    used = weights != 0
    return float(values[used] @ weights[used])


def matrix(names: tuple[str, ...], diagonal: Array) -> Array:
    """A matrix of which only the diagonal is known yet."""
    found = np.full((len(names), len(names)), np.nan)
    np.fill_diagonal(found, diagonal)
    return found


def known(argument: str, given: Mapping[str, Any], names: Iterable[str]) -> None:
    """Refuse names that are no metric."""
    for name in given:
        if name not in tuple(names):
            raise ModelError.unknown_metric(name, names, argument)


def pairs(given: Mapping[Pair, Any] | None, names: tuple[str, ...]) -> list[tuple[tuple[int, int], Any]]:
    """Pairs of positions, with what was given for them."""
    found = []
    for pair, value in as_dict(given).items():
        known("products", dict.fromkeys(pair), names)
        found.append(((names.index(pair[0]), names.index(pair[1])), value))
    return found


def at_least_0(names: tuple[str, ...], scatter: Array, scale: Array) -> Array:
    """Sums of squared deviations; a little below 0 is rounding, much below it is a mistake."""
    for name, value, size in zip(names, scatter, scale, strict=True):
        if value < -_ROUNDING * max(abs(size), 1e-300):
            raise ModelError.impossible_square(MODEL, name)
    return np.maximum(scatter, 0.0)

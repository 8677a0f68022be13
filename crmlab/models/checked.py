"""What models ask of the numbers that they are given: levels, outcomes, amounts. What cannot be is refused in words."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from crmlab.errors import ModelError

__all__ = ["LARGE", "SMALL", "checked_amounts", "checked_level", "checked_numbers", "checked_outcomes", "workable"]


SMALL, LARGE = 1e-60, 1e60  # numbers beyond these cannot be taken to the fourth power and added up


def checked_level(model: str, level: Any) -> float:
    """Return a confidence level; refuse what is no share, such as 95 for 95 %.

    Raises
    ------
    ModelError
        The level is no number between 0 and 1.

    Examples
    --------
    >>> checked_level("wilson", 0.95)
    0.95
    """
    if not isinstance(level, Real) or isinstance(level, bool | np.bool_) or not 0 < float(level) < 1:
        raise ModelError.expected(model, "level", "between 0 and 1, both excluded, such as 0.9", level)
    return float(level)


def checked_outcomes(model: str, values: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Return whether something happened, from booleans or 0 and 1; refuse what is missing, and texts such as "False".

    Raises
    ------
    ModelError
        A value is neither yes nor no.

    Examples
    --------
    >>> checked_outcomes("kaplan_meier", [1.0, 0.0, True]).tolist()
    [True, False, True]
    """
    given = np.asarray(values)
    if given.dtype.kind not in "biuf":
        fine = [isinstance(value, Real | np.bool_) and value in (0, 1) for value in given.ravel()]
        if not all(fine):
            raise _no_outcome(model, next(value for value, good in zip(given.ravel(), fine, strict=True) if not good))
        given = given.astype(float)
    wrong = (given != 0) & (given != 1)
    if wrong.any():
        raise _no_outcome(model, given[wrong].ravel()[0])
    return np.asarray(given, dtype=bool)


def _no_outcome(model: str, found: Any) -> ModelError:
    hint = "Say of each whether it happened; leave out those of whom it is not known."
    return ModelError.must_be(f"{model}: every outcome", "True or False, or 0 or 1", found, hint)


def checked_numbers(model: str, name: str, values: Any) -> npt.NDArray[np.float64]:
    """Return values as an array of floats, of whatever shape they have; missing ones stay missing.

    Raises
    ------
    ModelError
        They are none, or of unequal lengths.

    Examples
    --------
    >>> checked_numbers("project", "start", [1, 2])
    array([1., 2.])
    """
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise ModelError.expected(model, name, "numbers, as many in each row", values) from None


def workable(values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Whether each number is 0 or of a size that can be worked with, from 1e-60 to 1e60."""
    size = np.abs(values)
    return np.asarray((size == 0) | ((size > SMALL) & (size < LARGE)))


def checked_amounts(model: str, name: str, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return amounts as an array; refuse what is missing, infinite or absurd, which would end in an overflow.

    Raises
    ------
    ModelError
        A value is no number, missing, or neither 0 nor from 1e-60 to 1e60.

    Examples
    --------
    >>> checked_amounts("pool", "effects", [1, 0.5]).tolist()
    [1.0, 0.5]
    """
    found = checked_numbers(model, name, values)
    fine = workable(found)
    if not fine.all():
        expectation = f"finite numbers, 0 or from {SMALL:g} to {LARGE:g} in size"
        raise ModelError.expected(model, name, expectation, found[~fine].ravel()[0])
    return found

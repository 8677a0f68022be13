"""What models ask of the numbers that they are given: levels, outcomes, amounts. What cannot be is refused in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from crmlab.errors import ModelError
from crmlab.frames import as_pandas, is_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "LARGE",
    "SMALL",
    "checked_amounts",
    "checked_frame",
    "checked_level",
    "checked_number",
    "checked_numbers",
    "checked_outcomes",
    "checked_places",
    "checked_row",
    "workable",
]


SMALL, LARGE = 1e-60, 1e60  # numbers beyond these cannot be taken to the fourth power and added up
_NEAR = 1e-12  # levels closer to 0 or 1 are lost to rounding
_NO_NUMBERS = (str, bytes, date, timedelta, np.datetime64, np.timedelta64)  # what numpy would turn into numbers all the same


def checked_level(model: str, level: Any) -> float:
    """Return a confidence level as a float, which alone is to be worked with; refuse what is no share, such as 95 for 95%.

    Raises
    ------
    ModelError
        The level is no number between 0 and 1, or closer to one of them than rounding allows.

    Examples
    --------
    >>> checked_level("wilson", 0.95)
    0.95
    """
    if not _is_number(level) or isinstance(level, bool | np.bool_) or not 0 < level < 1:
        raise ModelError.expected(model, "level", "between 0 and 1, both excluded, such as 0.9", level)
    if not _NEAR <= level <= 1 - _NEAR:
        raise ModelError.expected(model, "level", f"between 0 and 1, and at least {_NEAR:g} from both", level)
    return float(level)


def checked_frame(model: str, frame: Any, columns: Sequence[str], made_by: str) -> pd.DataFrame:
    """Return a pandas frame that has the columns which a function goes by; refuse what is no table, or another one.

    Parameters
    ----------
    model : str
        Who asks.
    frame : table
        Of pandas, Polars or PyArrow, or an Ibis table, whose rows come ordered by customer_id, or by their first column.
    columns : sequence of str
    made_by : str
        The function that makes such frames, for the message.

    Raises
    ------
    ModelError
        It is no table, or lacks a column.
    """
    if not is_table(frame):
        raise ModelError.must_be(model, f"given a frame of {made_by}", type(frame).__name__)
    found = as_pandas(frame, model, ModelError)
    for column in columns:
        if column not in found.columns:
            raise ModelError.lacks(model, column, found.columns, f"Make the frame with {made_by}.")
    return found


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
    try:
        given = np.asarray(values)
    except ValueError:  # rows of different length
        raise _no_outcome(model, values) from None
    if given.dtype.kind not in "biuf":
        fine = [_is_number(value) and float(value) in (0, 1) for value in given.ravel()]
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
        given = np.asarray(values)
        wrong = [value for value in given.ravel() if isinstance(value, _NO_NUMBERS)] if given.dtype.kind in "OSUMm" else []
        found = given if wrong else np.asarray(values, dtype=float)
    except (TypeError, ValueError, OverflowError):
        raise ModelError.expected(model, name, "numbers, as many in each row", values) from None
    if wrong:
        one = wrong[0]
        raise ModelError.expected(model, name, "numbers", str(one))
    return found


def checked_row(model: str, name: str, values: Any) -> npt.NDArray[np.float64]:
    """Return values as an array of floats of one dimension; missing ones stay missing.

    Raises
    ------
    ModelError
        They are none, or no row of numbers.

    Examples
    --------
    >>> checked_row("stability_index", "now", [1, None])
    array([ 1., nan])
    """
    found = checked_numbers(model, name, values)
    if found.ndim != 1:
        raise ModelError.expected(model, name, "a row of numbers", f"numbers of shape {found.shape}")
    return found


def checked_places(model: str, name: str, values: Any) -> npt.NDArray[np.int64]:
    """Return positions, whole numbers of at least 0, as an array of one dimension.

    Raises
    ------
    ModelError
        One is missing, negative or no whole number.

    Examples
    --------
    >>> checked_places("hits_of", "row", [0, 2.0])
    array([0, 2])
    """
    found = checked_row(model, name, values)
    wrong = ~((found >= 0) & (found < 2**53) & (found == np.floor(found)))
    if wrong.any():
        raise ModelError.expected(model, name, "whole numbers of at least 0", found[wrong][0])
    return found.astype(np.int64)


def checked_number(model: str, name: str, value: Any, expectation: str) -> float:
    """Return one number as a float; refuse a text, a list, and what is missing.

    Parameters
    ----------
    model, name : str
        Who asks, and for what.
    expectation : str
        What the number must be, as the message says it. Whether it is so, the caller checks.

    Raises
    ------
    ModelError
        The value is no real number, or missing.

    Examples
    --------
    >>> checked_number("required_size", "power", 0.8, "under 1")
    0.8
    """
    if not _is_number(value) or isinstance(value, bool | np.bool_) or value != value:  # NaN is not itself
        raise ModelError.expected(model, name, f"a number {expectation}", value)
    try:
        return float(value)
    except OverflowError:
        raise ModelError.expected(model, name, f"a number {expectation}", value) from None


def _is_number(value: Any) -> bool:
    return isinstance(value, Real | np.bool_) or (isinstance(value, Decimal) and value.is_finite())


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

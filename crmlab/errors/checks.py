"""Checks of arguments that several functions share. Each raises :class:`~crmlab.errors.ParameterError`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from crmlab.errors.base import ParameterError

__all__ = ["choice", "day", "positive", "share", "whole"]


def whole(analysis: str, name: str, value: Any, low: int, high: int | None = None) -> None:
    """Check a whole number between two bounds, both included.

    Examples
    --------
    >>> whole("rfm", "bins", 40, 2, 10)
    Traceback (most recent call last):
    crmlab.errors.ParameterError: The 'bins' parameter of rfm must be between 2 and 10. Got 40 instead.
    """
    expectation = f"between {low} and {high}" if high is not None else f"a whole number of at least {low}"
    if not isinstance(value, int) or isinstance(value, bool):
        raise ParameterError.expected(analysis, name, f"a whole number, {expectation}" if high else expectation, value)
    if value < low or (high is not None and value > high):
        raise ParameterError.expected(analysis, name, expectation, value)


def share(analysis: str, name: str, value: Any) -> None:
    """Check a share strictly between 0 and 1."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < 1:
        raise ParameterError.expected(analysis, name, "between 0 and 1, both excluded", value)


def day(analysis: str, name: str, value: Any) -> dt.date | None:
    """Check an ISO date or None, and return it as a date."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            pass
    raise ParameterError.expected(analysis, name, "a date such as 2024-12-31", value)


def positive(analysis: str, name: str, value: Any, high: float | None = None) -> None:
    """Check a finite number above 0, and at most ``high``."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 < value < float("inf") or (high is not None and value > high):
        expectation = "a number above 0" if high is None else f"above 0 and at most {high:g}"
        raise ParameterError.expected(analysis, name, expectation, value)


def choice(analysis: str, name: str, value: Any, options: Sequence[str]) -> None:
    """Check that a text is one of several."""
    if value not in options:
        raise ParameterError.expected(analysis, name, f"one of {', '.join(options)}", value)

"""Periods of the calendar that a history falls into: as long as they must be, so that there are never too many."""

from __future__ import annotations

import datetime as dt
import math

from crmlab.errors import ParameterError

__all__ = ["LATEST", "MOST_PERIODS", "checked_end", "fitting", "opening", "openings", "stride"]


MOST_PERIODS = 520  # of a chart or table by time: ten years of weeks
# What is looked back on and foretold lies within a century of the last day, and the calendar of every engine ends with the year 9999.
LATEST = dt.date(9899, 12, 31)
_MONTHS = {"month": 1, "quarter": 3, "year": 12, "decade": 120, "century": 1200}
_NAMES = ("day", "week", *_MONTHS)


def checked_end(day: dt.date) -> dt.date:
    """Return the last day of a history, after which there must be days to forecast.

    Raises
    ------
    ParameterError
        It lies in the last century of the calendar.

    Examples
    --------
    >>> checked_end(dt.date(9999, 12, 31))
    Traceback (most recent call last):
    crmlab.errors.base.ParameterError: The last day of history must be 9899-12-31 at the latest, since ... Got 9999-12-31 instead. ...
    """
    if day > LATEST:
        raise ParameterError.must_be(
            "The last day of history",
            f"{LATEST} at the latest, since the calendar ends with the year 9999",
            day,
            "Correct that date, leave out what is later by last_day in the TOML file, or give an earlier 'as_of'.",
        )
    return day


def stride(count: int, most: int = MOST_PERIODS) -> int:
    """Return how many periods are taken together so that at most ``most`` are left.

    Examples
    --------
    >>> stride(520), stride(521), stride(416_000)
    (1, 2, 800)
    """
    return max(math.ceil(count / most), 1)


def fitting(first: dt.date, last: dt.date, finest: str = "day", most: int = MOST_PERIODS) -> str:
    """Return the shortest unit of the calendar by which a history has at most ``most`` periods.

    Parameters
    ----------
    first, last : datetime.date
        First and last day.
    finest : {"day", "week", "month", "quarter", "year", "decade", "century"}
        The shortest that may be returned.
    most : int

    Examples
    --------
    >>> first = dt.date(2014, 1, 1)
    >>> [fitting(first, dt.date(year, 12, 31)) for year in (2014, 2022, 2034, 2190, 2890, 9899)]
    ['day', 'week', 'month', 'year', 'decade', 'century']
    """
    days = (last - first).days + 1
    for unit in _NAMES[_NAMES.index(finest) : -1]:
        length = {"day": 1.0, "week": 7.0}.get(unit) or 30.436875 * _MONTHS[unit]
        if days / length + 1 <= most:
            return unit
    return _NAMES[-1]


def opening(day: dt.date, unit: str) -> dt.date:
    """Return the first day of the period that a day lies in: a Monday of a week, the first of a month, and so on.

    Examples
    --------
    >>> [opening(dt.date(2024, 5, 30), unit).isoformat() for unit in ("day", "week", "quarter", "decade")]
    ['2024-05-30', '2024-05-27', '2024-04-01', '2020-01-01']
    """
    if unit == "day":
        return day
    if unit == "week":
        return dt.date.fromordinal(max(day.toordinal() - day.weekday(), 1))
    return _month((12 * day.year + day.month - 1) // _MONTHS[unit] * _MONTHS[unit])


def openings(first: dt.date, last: dt.date, unit: str) -> list[dt.date]:
    """Return the first days of all periods from that of ``first`` to that of ``last``, and of the one after them.

    Examples
    --------
    >>> [day.isoformat() for day in openings(dt.date(2024, 2, 10), dt.date(2024, 7, 1), "quarter")]
    ['2024-01-01', '2024-04-01', '2024-07-01', '2024-10-01']
    """
    begin, end = opening(first, unit), opening(last, unit)
    if unit in ("day", "week"):
        step = 1 if unit == "day" else 7
        return [dt.date.fromordinal(k) for k in range(begin.toordinal(), end.toordinal() + step + 1, step)]
    step = _MONTHS[unit]
    start = (12 * first.year + first.month - 1) // step * step
    return [_month(k) for k in range(start, 12 * last.year + last.month + step, step)]


def _month(number: int) -> dt.date:
    """The first day of a month, counted from the year 0; the calendar's first or last day where it lies outside."""
    year, month = divmod(number, 12)
    return dt.date.min if year < 1 else dt.date.max if year > dt.MAXYEAR else dt.date(year, month + 1, 1)

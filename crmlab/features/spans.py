"""Spans of days that a history is cut into: months, quarters, years, or so many days up to its last."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crmlab.errors import ParameterError
from crmlab.features.gaps import gaps

if TYPE_CHECKING:
    import ibis
    import pandas as pd

_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True)
class Period:
    """A span of days, both ends included."""

    label: str
    first: dt.date
    last: dt.date

    @property
    def days(self) -> int:
        """Length in days."""
        return (self.last - self.first).days + 1


def calendar(first: dt.date, as_of: dt.date, unit: str | int = "quarter", count: int | None = None) -> list[Period]:
    """The whole periods of a history, oldest first.

    Parameters
    ----------
    first, as_of : date
        First and last day of history.
    unit : {"month", "quarter", "year"} or int
        Of the calendar; or a number of days: periods of that length, the last of which ends on ``as_of``.
    count : int, optional
        Only the last so many.

    Returns
    -------
    list of Period
        Those that lie inside the history from end to end; none where it is too short.

    Raises
    ------
    ParameterError
        The unit is unknown or not positive, or the count is.

    Examples
    --------
    >>> [period.label for period in calendar(dt.date(2023, 1, 5), dt.date(2024, 1, 30), "quarter")]
    ['2023-Q2', '2023-Q3', '2023-Q4']
    >>> [str(period.first) for period in calendar(dt.date(2023, 1, 5), dt.date(2024, 1, 30), 90, count=2)]
    ['2023-08-04', '2023-11-02']
    """
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
        raise ParameterError.expected("periods", "count", "a whole number of at least 1", count)
    found: list[Period] = []
    if isinstance(unit, int) and not isinstance(unit, bool):
        if unit < 1:
            raise ParameterError.expected("periods", "unit", "at least 1 day", unit)
        last = as_of
        while (last - first).days + 1 >= unit and (count is None or len(found) < count):
            begin = last - dt.timedelta(days=unit - 1)
            found.insert(0, Period(f"{unit} days to {last}", begin, last))
            last = begin - dt.timedelta(days=1)
        return found
    if unit not in _MONTHS:
        raise ParameterError.expected("periods", "unit", "'month', 'quarter', 'year' or a number of days", unit)
    step = _MONTHS[unit]
    month = (as_of.year * 12 + as_of.month - 1) // step * step
    while _month(month) >= first.replace(day=1) - dt.timedelta(days=366) and (count is None or len(found) < count):
        begin, end = _month(month), _month(month + step) - dt.timedelta(days=1)
        if begin >= first and end <= as_of:
            found.insert(0, Period(_label(begin, unit), begin, end))
        month -= step
    return found


def rhythm(orders: ibis.Table | pd.DataFrame, as_of: str | dt.date | None = None) -> float | None:
    """Median days between a customer's purchase occasions; None where nobody came twice.

    A period shorter than that counts customers who would not have come in it anyhow.
    """
    found = gaps(orders, as_of)
    ended = found.filter(found["ended"])
    counts = ended.group_by("gap").agg(n=ended.count()).order_by("gap").to_pandas()
    if counts.empty:
        return None
    reached = counts["n"].cumsum() * 2 >= counts["n"].sum()
    return float(counts.loc[reached.idxmax(), "gap"])


def _month(number: int) -> dt.date:
    return dt.date(number // 12, number % 12 + 1, 1)


def _label(day: dt.date, unit: str) -> str:
    return {"month": f"{day.year}-{day.month:02d}", "quarter": f"{day.year}-Q{(day.month + 2) // 3}", "year": str(day.year)}[
        unit
    ]

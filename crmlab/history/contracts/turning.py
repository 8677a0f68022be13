"""When contracts renew: the same day of later months, or the last of a month that has no such day; or every so many days.

Written out in whole numbers, since engines do not agree on what a month after 31 January is.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from crmlab.history.contracts.terms import DAYS, EPOCH, MONTHS, day_of

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["next_turn", "periods_made"]


def periods_made(began: Any, until: Any, period: Any) -> ir.IntegerValue:
    """Return how many renewals lie after a first day and no later than another.

    Parameters
    ----------
    began, until : ibis.Value
        Dates; ``until`` is not before ``began``.
    period : ibis.Value
        One of :data:`~crmlab.data.tables.PERIODS`: what lies between renewals.

    Returns
    -------
    ibis.Value
        Whole numbers from 0.

    Examples
    --------
    >>> import ibis
    >>> row = ibis.memtable({"a": [dt.date(2024, 1, 31)] * 2, "b": [dt.date(2024, 2, 28), dt.date(2024, 2, 29)], "p": ["month"] * 2})
    >>> row.mutate(made=periods_made(row["a"], row["b"], row["p"]))["made"].to_pandas().tolist()
    [0, 1]
    """
    import ibis

    years = until.year().cast("int64") - began.year().cast("int64")
    months = years * 12 + until.month().cast("int64") - began.month().cast("int64")
    turn = ibis.least(began.day().cast("int64"), _length(until.year().cast("int64"), until.month().cast("int64")))
    months = months - (until.day().cast("int64") < turn).cast("int64")
    days = day_of(until) - day_of(began)
    cases = [(period == name, _whole(months, each)) for name, each in MONTHS.items()]
    cases += [(period == name, _whole(days, each)) for name, each in DAYS.items()]
    return ibis.cases(*cases, else_=ibis.null("int64"))


def next_turn(began: Any, after: dt.date, period: Any) -> ir.DateValue:
    """Return the day of the first renewal after a day.

    Parameters
    ----------
    began : ibis.Value
        Dates, none of them later than ``after``.
    after : datetime.date
    period : ibis.Value
        One of :data:`~crmlab.data.tables.PERIODS`.

    Examples
    --------
    >>> import ibis
    >>> row = ibis.memtable({"a": [dt.date(2023, 1, 31), dt.date(2024, 2, 20)], "p": ["month", "year"]})
    >>> [str(day)[:10] for day in row.mutate(due=next_turn(row["a"], dt.date(2024, 2, 28), row["p"]))["due"].to_pandas()]
    ['2024-02-29', '2025-02-20']
    """
    import ibis

    turns = periods_made(began, ibis.literal(after, type="date"), period) + 1
    step = ibis.cases(*((period == name, each) for name, each in MONTHS.items()), else_=0).cast("int64")
    place = began.year().cast("int64") * 12 + began.month().cast("int64") - 1 + turns * step
    year, month = _whole(place, 12), place % 12 + 1
    day = ibis.least(began.day().cast("int64"), _length(year, month))
    by_month = ibis.date(year.cast("int32"), month.cast("int32"), day.cast("int32"))
    days = ibis.cases(*((period == name, each) for name, each in DAYS.items()), else_=0).cast("int64")
    number = day_of(began) + turns * days
    by_day = (ibis.literal(EPOCH, type="date") + number.as_interval("D")).cast("date")
    return ibis.ifelse(period.isin(list(DAYS)), by_day, by_month)


def _whole(value: Any, each: int) -> Any:
    """How many times a number goes into another, of numbers that are not below zero."""
    return ((value - value % each) / each).round().cast("int64")


def _length(year: Any, month: Any) -> Any:
    """Days of a month."""
    import ibis

    leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    return ibis.cases((month.isin([4, 6, 9, 11]), 30), ((month == 2) & leap, 29), (month == 2, 28), else_=31).cast("int64")

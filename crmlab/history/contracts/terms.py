"""Contracts as the reductions need them: which terms hold on which days, what is paid for, and what it comes to in a month.

A row of contracts holds from ``started_at`` to ``ended_at``, both included. Its *paid days* are those after its trial, where its price is
above zero. A *subscriber* is a customer with a paid day on the day in question. Where a row ends on the very day on which another of the
same customer begins, it holds until the day before: nobody pays twice for the day of a change.

Days are counted from 1 January 1970 inside of the reductions, and are dates in what they return.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from crmlab.errors import DataError, ParameterError
from crmlab.frames import KINDS, as_ibis, is_table
from crmlab.history.orders import to_date
from crmlab.history.words import YEAR

if TYPE_CHECKING:
    import ibis

__all__ = [
    "COLUMNS",
    "DAYS",
    "EPOCH",
    "MONTHS",
    "NEVER",
    "as_contracts",
    "as_known",
    "begun_by",
    "date_of",
    "day_of",
    "number_of",
    "paid",
]

EPOCH = dt.date(1970, 1, 1)
NEVER = (dt.date.max - EPOCH).days  # the last day of what has no end
COLUMNS = {
    "contract_id": "string",
    "customer_id": "string",
    "started_at": "date",
    "ended_at": "date",
    "price": "decimal(18, 4)",
    "period": "string",
    "plan": "string",
    "trial_until": "date",
    "cancelled_at": "date",
}
_REQUIRED = ("contract_id", "customer_id", "started_at", "price", "period")
# A month is a twelfth of a year: of how many months, or of how many days, each period is.
MONTHS = {"month": 1, "quarter": 3, "half-year": 6, "year": 12}
DAYS = {"day": 1, "week": 7, "4 weeks": 28}


def as_contracts(contracts: Any) -> ibis.Table:
    """Return contracts with the columns and types that the reductions need, each row once.

    Parameters
    ----------
    contracts : table
        Canonical contracts: an Ibis table, or a frame of pandas, Polars or PyArrow with contract_id, customer_id, started_at, price and
        period; ended_at, plan, trial_until and cancelled_at where they are known.

    Returns
    -------
    ibis.Table
        All canonical columns, null where they are not given; a row that is there again, the same in every column, counts once.

    Raises
    ------
    DataError
        It is no table, or lacks a column.

    Examples
    --------
    >>> import pandas as pd
    >>> as_contracts(pd.DataFrame({"customer_id": ["a"]}))
    Traceback (most recent call last):
    crmlab.errors.datasets.DataError: contracts: missing column 'contract_id'. Found: customer_id. Rename a column ...
    """
    import ibis

    if not is_table(contracts):
        hint = "Give its table: history.contracts." if hasattr(type(contracts), "contracts") else "Open a data set first."
        raise DataError.must_be("contracts", KINDS, type(contracts).__name__, hint)
    table = as_ibis(contracts, "contracts", DataError)
    for name in _REQUIRED:
        if name not in table.columns:
            raise DataError.frame_lacks("contracts", name, table.columns)
    columns = {
        name: table[name].cast(kind) if name in table.columns else ibis.null(kind).cast(kind) for name, kind in COLUMNS.items()
    }
    return table.select(**columns).distinct()


def as_known(contracts: ibis.Table, as_of: dt.date) -> ibis.Table:
    """Return contracts as they were known on a day: an end after it is known only where notice had been given by then.

    Parameters
    ----------
    contracts : ibis.Table
        Canonical contracts that had begun; columns that are not there stay away.
    as_of : datetime.date

    Returns
    -------
    ibis.Table
        The same rows and columns; what was not known is null.
    """
    import ibis

    day, none = ibis.literal(as_of, type="date"), ibis.null("date")
    changes: dict[str, Any] = {}
    known: Any = ibis.literal(False)
    if "cancelled_at" in contracts.columns:
        known = (contracts["cancelled_at"] <= day).fill_null(False)
        changes["cancelled_at"] = ibis.ifelse(known, contracts["cancelled_at"], none)
    if "ended_at" in contracts.columns:
        ended = contracts["ended_at"]
        changes["ended_at"] = ibis.ifelse((ended <= day) | known, ended, none)
    return contracts.mutate(**changes) if changes else contracts


def begun_by(contracts: Any, as_of: str | dt.date) -> tuple[ibis.Table, dt.date]:
    """Return the contracts that had begun by a day, as they were known on it, and the day.

    Raises
    ------
    ParameterError
        The day is none.
    DataError
        The contracts are not a table, or lack a column.
    """
    import ibis

    day = to_date(as_of, "as_of", "contracts")
    if day.year < 1900:
        raise ParameterError.expected("contracts", "as_of", "a day of 1900 or later", day)
    table = as_contracts(contracts)
    return as_known(table.filter(table["started_at"] <= ibis.literal(day, type="date")), day), day


def number_of(day: dt.date) -> int:
    """Number of a day, from 1 January 1970."""
    return (day - EPOCH).days


def day_of(date: Any) -> Any:
    """A column of dates as numbers of days."""
    import ibis

    return date.delta(ibis.literal(EPOCH, type="date"), unit="day").cast("int64")


def date_of(number: Any) -> Any:
    """A column of numbers of days as dates; null for what never comes."""
    import ibis

    return ibis.ifelse(
        number < NEVER, (ibis.literal(EPOCH, type="date") + number.as_interval("D")).cast("date"), ibis.null("date")
    )


def paid(contracts: ibis.Table) -> ibis.Table:
    """Return what is paid for, and from when to when.

    Parameters
    ----------
    contracts : ibis.Table
        As of :func:`as_contracts`, cut off at the day in question.

    Returns
    -------
    ibis.Table
        One row per row of contracts with at least one paid day: contract_id, customer_id, plan ("none" where none is named), price, period,
        ``monthly`` (what it comes to in a month of 365/12 days, rounded to the cent, so that every sum of them is whole cents), ``begins``
        and ``until`` (the first and last paid day, as numbers; ``NEVER`` while there is no end), ``noticed`` (whether the end is planned or
        past), and ``place``: its place among the customer's, in order of time.
    """
    import ibis

    started = day_of(contracts["started_at"])
    trial = day_of(contracts["trial_until"]).fill_null(-NEVER)
    table = contracts.filter(contracts["price"] > 0)
    table = table.select(
        "contract_id",
        "customer_id",
        "price",
        "period",
        plan=table["plan"].fill_null("none"),
        monthly=_monthly(table),
        begins=ibis.ifelse(trial >= started, trial + 1, started),
        until=day_of(table["ended_at"]).fill_null(NEVER),
        noticed=table["ended_at"].notnull(),
    )
    table = table.filter(table["until"] >= table["begins"])
    order = ibis.window(group_by="customer_id", order_by=["begins", "until", "contract_id", "plan", "price", "period"])
    table = table.mutate(place=ibis.row_number().over(order).cast("int64"))
    # The last row of each customer that begins on a day: whoever ends on that day, before it in order, gives way.
    starts = table.group_by("customer_id", on=table["begins"]).agg(top=table["place"].max())
    table = table.left_join(starts, (table["customer_id"] == starts["customer_id"]) & (table["until"] == starts["on"])).drop(
        "customer_id_right", "on"
    )
    replaced = (table["top"] > table["place"]).fill_null(False)
    table = table.mutate(until=ibis.ifelse(replaced, table["until"] - 1, table["until"])).drop("top")
    return table.filter(table["until"] >= table["begins"])


def _monthly(table: ibis.Table) -> Any:
    """The price of each row for a month, in whole cents: worked out in whole numbers, which every engine divides alike."""
    import ibis

    exact = (table["price"].cast("decimal(38, 4)") * 10_000).cast("int64")  # in hundredths of a cent
    times: list[tuple[Any, Any]] = []
    for period, months in MONTHS.items():
        times.append((table["period"] == period, _rounded(exact, 1, 100 * months)))
    for period, days in DAYS.items():
        times.append((table["period"] == period, _rounded(exact, YEAR, 1200 * days)))
    cents = ibis.cases(*times, else_=ibis.null("int64"))
    return (cents.cast("decimal(18, 4)") * ibis.literal(Decimal("0.01"), "decimal(18, 4)")).cast("decimal(18, 4)")


def _rounded(value: Any, times: int, parts: int) -> Any:
    """``value`` × ``times`` / ``parts`` as a whole number, a half rounded up; of numbers that are not below zero."""
    doubled = value * (2 * times) + parts
    return ((doubled - doubled % (2 * parts)) / (2 * parts)).round().cast("int64")

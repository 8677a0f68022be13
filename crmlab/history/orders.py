"""Orders as the reductions need them: an Ibis table or a frame with the right columns and types, and its first and last day.

Canonical tables pass as they are. A frame is checked value by value, so that a date that is none or a missing amount is
said, not summed.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from crmlab.collecting import collect_arrow, collect_row
from crmlab.errors import DataError, ParameterError, TooLittleError
from crmlab.frames import KINDS, as_arrow, as_ibis, as_pandas, is_ibis, is_table
from crmlab.history.customer_days import keep_cut
from crmlab.history.plausible import LONG, Reach, judged
from crmlab.history.values import CENSUS, no_amount, no_date, read_columns

if TYPE_CHECKING:
    import ibis

__all__ = [
    "LINES",
    "MONEY",
    "REQUIRED",
    "as_lines",
    "as_orders",
    "between",
    "chosen",
    "daily",
    "extent",
    "history",
    "known_until",
    "reach",
    "reach_of_contracts",
    "to_date",
]


REQUIRED = ("customer_id", "ordered_at", "amount")
MONEY = "decimal(18, 4)"
LINES = ("customer_id", "ordered_at", "product_id", "quantity")


def as_orders(orders: Any) -> ibis.Table:
    """Return orders with the columns and types that the reductions need.

    Parameters
    ----------
    orders : table
        An Ibis table, or a frame of pandas, Polars or PyArrow, which is not changed; of pandas named levels of the index count as
        columns. customer_id, ordered_at (a date or a local time without a zone; ISO text is read), amount, and return_amount
        where orders hold return lines. Times of a frame that carry a zone are taken by the clock of that zone.

    Returns
    -------
    ibis.Table
        The same rows; amounts are DECIMAL(18, 4).

    Raises
    ------
    DataError
        A column is missing, there twice or of the wrong type; a value of a frame is missing or cannot be read.

    Examples
    --------
    >>> import pandas as pd
    >>> as_orders(pd.DataFrame({"customer": ["a"], "ordered_at": ["2024-01-01"], "amount": [1.0]}))
    Traceback (most recent call last):
    crmlab.errors.DataError: orders: missing column 'customer_id'. Found: customer, ordered_at, amount. Rename a column ...
    """
    import ibis
    import pyarrow as pa

    if not is_table(orders):
        raise _no_table("orders", orders)
    if is_ibis(orders):
        table: ibis.Table = orders
    else:
        frame = as_pandas(orders, "orders", DataError)
        table = ibis.memtable(pa.table(read_columns(frame, "orders", REQUIRED, ("return_amount",))))
    for column in REQUIRED:
        if column not in table.columns:
            raise DataError.frame_lacks("orders", column, table.columns)
    changes: dict[str, Any] = {}
    moment = table["ordered_at"].type()
    if moment.is_timestamp() and moment.timezone is not None:
        # Which day an instant falls on depends on the zone; an engine would take that of its session.
        hint = "Convert it to the local time of the shop, without a zone."
        raise DataError.must_hold("orders", "ordered_at", "local times", f"times in the zone {moment.timezone}", hint)
    if moment.is_string():
        changes["ordered_at"] = _moments(table)
    elif not (moment.is_timestamp() or moment.is_date()):
        raise no_date("orders", "ordered_at", f"type {moment}")
    for column in ("amount", "return_amount"):
        if column in table.columns:
            kind = table[column].type()
            if not kind.is_numeric() or kind.is_boolean():
                raise no_amount("orders", column, f"type {kind}")
            if not kind.is_decimal():
                changes[column] = table[column].cast(MONEY)
    return table.mutate(**changes) if changes else table


def _no_table(name: str, given: Any) -> DataError:
    """That something is no table: a data set, and a history, has one."""
    hint = f"Give its table: data.{name}." if hasattr(type(given), name) else "Open a data set with crmlab.open_dataset."
    return DataError.must_be(name, KINDS, type(given).__name__, hint)


def as_lines(order_lines: Any) -> ibis.Table:
    """Return order lines with the columns and types that the reductions need: an Ibis table as it is, a frame checked value by value.

    Parameters
    ----------
    order_lines : table
        An Ibis table in canonical form, or a frame of pandas, Polars or PyArrow with customer_id, ordered_at, product_id, quantity, and
        order_id, amount and what else there is.

    Returns
    -------
    ibis.Table
        The same rows.

    Raises
    ------
    DataError
        It is no table; a column is missing, there twice or of the wrong type; a value is missing or cannot be read.

    Examples
    --------
    >>> import pandas as pd
    >>> lines = pd.DataFrame({"customer_id": ["a"], "ordered_at": ["2024-01-01"], "product_id": ["tea"], "quantity": [2], "shop": ["x"]})
    >>> as_lines(lines).columns
    ('customer_id', 'ordered_at', 'product_id', 'quantity', 'shop')
    """
    import ibis

    if is_ibis(order_lines):
        table: ibis.Table = order_lines
        return table
    if not is_table(order_lines):
        raise _no_table("order_lines", order_lines)
    frame = as_pandas(order_lines, "order_lines", DataError)
    whole = as_arrow(order_lines, "order_lines", DataError)
    for name, values in read_columns(frame, "order_lines", LINES, ("order_id", "amount")).items():
        whole = whole.set_column(whole.column_names.index(name), name, values)
    return ibis.memtable(whole)


def history(orders: Any, as_of: str | dt.date | None = None) -> tuple[dt.date, dt.date]:
    """Return the first day of a history and its last: the last plausible day with an order, or ``as_of`` checked against it.

    Parameters
    ----------
    orders : table
        As :func:`as_orders` takes them.
    as_of : date or ISO date, optional
        Last day of history, inclusive.

    Returns
    -------
    (first, last) : datetime.date
        What is plausible is said in :mod:`crmlab.history.plausible`; a day that is named is taken, plausible or not.

    Raises
    ------
    ParameterError
        ``as_of`` is before the first order or after the last.
    DataError
        There are no orders.

    Examples
    --------
    >>> import pandas as pd
    >>> history(pd.DataFrame({"customer_id": ["a"], "ordered_at": ["2024-01-01"], "amount": [1.0]}))
    (datetime.date(2024, 1, 1), datetime.date(2024, 1, 1))
    """
    return chosen(reach(as_orders(orders)), as_of)


def chosen(found: Reach, as_of: str | dt.date | None = None, until: dt.date | None = None) -> tuple[dt.date, dt.date]:
    """Return the first day of a history and its last, of those that it reaches: ``as_of`` where it is one of them.

    Parameters
    ----------
    found : Reach
    as_of : date or ISO date, optional
        Last day of history; a day is taken though it is not plausible.
    until : datetime.date, optional
        A day up to which all is known, where that is later than the last order.

    Raises
    ------
    ParameterError
        ``as_of`` is before the first order or after the last.
    """
    last = found.last if until is None else max(found.last, until)
    if as_of is None:
        return found.first, last
    day = to_date(as_of, "as_of")
    if not found.first <= day <= max(last, found.latest):
        raise ParameterError.as_of_outside(day, found.first, last, "before" if day < found.first else "after")
    return found.first, day


def extent(orders: ibis.Table) -> tuple[dt.date, dt.date]:
    """Return the days of the first and the last order, plausible or not: of orders that were cut off already.

    Raises
    ------
    DataError
        There are no orders.
    """
    found = collect_row(orders.aggregate(first=orders["ordered_at"].min(), last=orders["ordered_at"].max()))
    if found["first"] is None:
        raise TooLittleError.needs("customer_summary", "at least one order", "none")
    return to_date(found["first"], "first"), to_date(found["last"], "last")


def reach(orders: ibis.Table, *, first_given: bool = False, last_given: bool = False) -> Reach:
    """Say which days orders reach, and which of them are plausible.

    Orders are counted by day only where they span more than the gap of two years that the rule is about.

    Parameters
    ----------
    orders : ibis.Table
    first_given, last_given : bool
        Whether the data set names its first or its last day: then nothing is judged at that end.

    Raises
    ------
    DataError
        There are no orders.
    """
    first, last = extent(orders)
    if (last - first).days <= LONG or (first_given and last_given):
        return Reach(first, last, first, last)
    days = orders.group_by(day=orders["ordered_at"].date()).agg(orders=lambda t: t.count())
    counts = collect_arrow(days, "day").to_pydict()
    pairs = [(to_date(day, "day"), int(count)) for day, count in zip(counts["day"], counts["orders"], strict=True)]
    return judged(pairs, first_given=first_given, last_given=last_given)


def reach_of_contracts(contracts: ibis.Table, last_day: dt.date | None = None, *, first_given: bool = False) -> Reach:
    """Say which days contracts reach: from the first plausible start to the last day on which one began or was cancelled.

    Parameters
    ----------
    contracts : ibis.Table
        Canonical contracts.
    last_day : datetime.date, optional
        The last day that is known, where the data set names it.
    first_given : bool
        Whether the data set names its first day: then nothing is judged at that end.

    Raises
    ------
    DataError
        There are no contracts.
    """
    moves = contracts.select(ordered_at=contracts["started_at"].cast("timestamp"))
    if "cancelled_at" in contracts.columns:
        notice = contracts.filter(contracts["cancelled_at"].notnull())
        moves = moves.union(notice.select(ordered_at=notice["cancelled_at"].cast("timestamp")))
    found = reach(moves, first_given=first_given, last_given=last_day is not None)
    ends = (
        collect_row(contracts.aggregate(last=contracts["ended_at"].max()))["last"] if "ended_at" in contracts.columns else None
    )
    last = found.last if last_day is None else last_day
    return replace(found, last=last, latest=max(filter(None, (found.latest, last, ends and to_date(ends, "ended_at")))))


def known_until(orders: ibis.Table, as_of: str | dt.date | None = None) -> tuple[ibis.Table, dt.date]:
    """Return the orders from the first plausible day on, and the last day that a reduction looks at: ``as_of``, or the last plausible day.

    A day after the last order is one on which nobody ordered, as the last day of a history may be; whether a data set reaches
    that far is what :func:`~crmlab.history.context.span` checks.

    Raises
    ------
    ParameterError
        ``as_of`` is before the first order, or no date.
    DataError
        There are no orders.
    """
    found = reach(orders)
    day = found.last if as_of is None else to_date(as_of, "as_of")
    if day < found.first:
        raise ParameterError.as_of_outside(day, found.first, found.last, "before")
    return (between(orders, found.first, None) if found.before else orders), day


def between(orders: ibis.Table, first: dt.date | None, last: dt.date | None) -> ibis.Table:
    """Keep the orders (or other rows that have ordered_at) from one day to another, both included; None leaves an end open.

    Bare comparisons with the column, not with its date: an engine can skip the parts of a file that lie outside.

    Examples
    --------
    >>> import datetime as dt, pandas as pd
    >>> orders = pd.DataFrame({"customer_id": ["a", "b"], "ordered_at": ["2024-01-01", "2024-02-01"], "amount": [1.0, 2.0]})
    >>> between(as_orders(orders), dt.date(2024, 1, 2), None)["customer_id"].execute().tolist()
    ['b']
    """
    import ibis

    orders = as_ibis(orders, "orders", DataError)

    moment, cut = orders["ordered_at"], orders
    kind = "date" if moment.type().is_date() else "timestamp"
    if first is not None:
        cut = cut.filter(moment >= ibis.literal(first, type="date").cast(kind))
    if last is not None and last < dt.date.max:
        cut = cut.filter(moment < ibis.literal(last + dt.timedelta(days=1), type="date").cast(kind))
    keep_cut(orders, cut, first, last)
    return cut


def daily(orders: Any) -> ibis.Table:
    """Count orders and add up amounts by day.

    Parameters
    ----------
    orders : table
        As :func:`as_orders` takes them.

    Returns
    -------
    ibis.Table
        day, orders, amount; only days with orders, in order.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({"customer_id": ["a", "b"], "ordered_at": ["2024-01-01", "2024-01-01"], "amount": [1.0, 2.0]})
    >>> daily(orders).select("orders", "amount").to_pandas().values.tolist()
    [[2.0, 3.0]]
    """
    orders = as_orders(orders)
    days = orders.group_by(day=orders["ordered_at"].date())
    return days.agg(orders=lambda t: t.count(), amount=lambda t: t["amount"].sum().cast("float64")).order_by("day")


def to_date(value: Any, name: str, analysis: str = "customer_summary") -> dt.date:
    """Read a day: a date, a time (its day), or an ISO text.

    Examples
    --------
    >>> to_date("2024-12-31", "as_of")
    datetime.date(2024, 12, 31)
    """
    try:
        if type(value).__name__ == "datetime64":
            value = value.astype("datetime64[D]").item()
        if isinstance(value, dt.datetime):
            return dt.date(value.year, value.month, value.day)  # fails for a missing time, which has no year
        if isinstance(value, dt.date):
            return value
        return dt.date.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise ParameterError.expected(analysis, name, "a date such as 2024-12-31", value) from error


def _moments(table: ibis.Table) -> Any:
    """The times behind a text column of an Ibis table; says which text is none before an engine stumbles over it."""
    text = table["ordered_at"]
    moment = text.try_cast("timestamp") if table.get_backend().name != "postgres" else text.cast("timestamp")
    wrong = moment.isnull()
    found = collect_row(table.aggregate(rows=table.count(), wrong=table.count(where=wrong), example=text.min(where=wrong)))
    if found["wrong"]:
        raise DataError.unparsable(
            "orders", (None, "ordered_at"), "date", found["wrong"], found["rows"], (None, found["example"]), CENSUS
        )
    return moment

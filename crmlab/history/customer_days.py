"""Customer-days that are worked out once: those of orders that were cut by day are those of all orders, cut likewise.

What a customer did on one day follows from that day's orders alone. So a data set on DuckDB holds its customer-days as a table of the
engine from the first time they are asked for; whoever cuts orders by day, for an earlier history say, and asks for theirs gets its rows.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    import ibis
    from ibis.backends import BaseBackend

__all__ = ["HeldDays", "held_days", "hold_days", "keep_cut"]


class HeldDays:
    """The customer-days of all orders of a data set, in a table of its engine.

    Parameters
    ----------
    con : ibis backend
        DuckDB, which keeps in a file what does not fit into memory.
    orders : str
        Name of the table of orders.
    reduce : callable
        Makes customer-days of it, as an expression: asked once, when they are first needed.
    """

    def __init__(self, con: BaseBackend, orders: str, reduce: Callable[[ibis.Table], ibis.Table]) -> None:
        self._con, self._orders, self._reduce, self._lock = con, orders, reduce, threading.Lock()
        self._table: ibis.Table | None = None

    def between(self, first: dt.date | None, last: dt.date | None) -> ibis.Table:
        """The rows of some days, both ends included; None leaves an end open."""
        import ibis

        with self._lock:
            if self._table is None:
                found = self._reduce(self._con.table(self._orders))
                self._table = self._con.create_table(f"crmlab_days_{uuid4().hex[:12]}", obj=found, temp=True)
        table: ibis.Table = self._table
        if first is not None:
            table = table.filter(table["day"] >= ibis.literal(first, type="date"))
        if last is not None:
            table = table.filter(table["day"] <= ibis.literal(last, type="date"))
        return table


# Name of what a connection holds, as long as it is there itself: by expression of orders, whose customer-days those are, and from which
# day to which they were cut.
_HELD = "_crmlab_customer_days"
_Held = dict[Any, tuple[HeldDays, dt.date | None, dt.date | None]]


def _held_by(orders: ibis.Table) -> _Held:
    found: _Held = vars(orders.get_backend()).setdefault(_HELD, {})
    return found


def hold_days(orders: ibis.Table, reduce: Callable[[ibis.Table], ibis.Table]) -> None:
    """Have an engine hold the customer-days of all orders of a data set, where it can: DuckDB, for a table as it was opened."""
    import ibis.expr.operations as ops

    whole, held = orders.op(), _held_by(orders)
    con = orders.get_backend()
    if con.name == "duckdb" and isinstance(whole, ops.DatabaseTable) and whole not in held:
        held[whole] = HeldDays(con, whole.name, reduce), None, None


def keep_cut(orders: ibis.Table, cut: ibis.Table, first: dt.date | None, last: dt.date | None) -> None:
    """Say that orders were cut by day, both ends included, and nothing else: their customer-days are held, too."""
    held = _held_by(orders)
    known = held.get(orders.op())
    if known is None or cut.op() in held:
        return
    days, begin, end = known
    starts = [day for day in (begin, first) if day is not None]
    ends = [day for day in (end, last) if day is not None]
    held[cut.op()] = (days, max(starts, default=None), min(ends, default=None))


def held_days(orders: ibis.Table) -> ibis.Table | None:
    """The customer-days of orders, where they are held: a table as of :func:`~crmlab.history.customers.occasion_days`."""
    known = _held_by(orders).get(orders.op())
    return known[0].between(*known[1:]) if known is not None else None

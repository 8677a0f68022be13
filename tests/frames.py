"""Small tables for tests of reductions: orders, lines, receipts, just enough of a data set; and a summary as a dictionary."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace

import pandas as pd
import pyarrow as pa

import crmlab
from crmlab.data.descriptor import TOLD
from crmlab.data.season import Season
from crmlab.history.orders import as_orders
from crmlab.history.past import History

MONEY = pa.decimal128(18, 4)
TYPES = {
    "ordered_at": pa.timestamp("us"),
    "amount": MONEY,
    "return_amount": MONEY,
    "quantity": MONEY,
    "unit_cost": MONEY,
    "acquired_at": pa.date32(),
    **dict.fromkeys(("started_at", "ended_at", "trial_until", "cancelled_at"), pa.date32()),
    "price": MONEY,
    "name": pa.string(),
}


def orders(*rows, returns=False):
    """Make an orders frame from rows (customer, day or time, amount[, return_amount])."""
    names = ["customer_id", "ordered_at", "amount"] + (["return_amount"] if returns else [])
    frame = pd.DataFrame([tuple(row) for row in rows], columns=names)
    for column in names[2:]:
        frame[column] = [Decimal(str(value)) for value in frame[column]]
    return frame.assign(ordered_at=pd.to_datetime(frame["ordered_at"], format="ISO8601"))


def by_customer(table):
    """A summary as {customer: {column: value}}."""
    frame = table.to_pandas() if not isinstance(table, pd.DataFrame) else table
    return frame.set_index("customer_id").to_dict("index")


def history_of(frame, as_of=None):
    """A History of an orders frame, and of nothing else; its last day may be one without orders."""
    return History(replace(crmlab.open_dataset("cdnow_sample"), _tables={"orders": as_orders(frame)}, until=as_of), as_of)


class Tables:
    """Just enough of a data set for a rule: its tables by name, that its orders tell amounts and customers, and a day on which it is closed."""

    descriptor = SimpleNamespace(told=tuple(TOLD), free_orders="count", season=Season(closed=("12-25",)))

    def __init__(self, **tables):
        self._tables = tables

    @property
    def tables(self):
        return tuple(self._tables)

    def __getattr__(self, name):
        try:
            return self.__dict__["_tables"][name]
        except KeyError:
            raise AttributeError(name) from None


def money(frame, *columns):
    """The frame with columns as exact decimals."""
    return frame.assign(**{column: [Decimal(str(value)) for value in frame[column]] for column in columns})


def lines(*rows):
    """Make an order lines frame from rows (order, customer, day or time, product, quantity, amount)."""
    names = ["order_id", "customer_id", "ordered_at", "product_id", "quantity", "amount"]
    frame = money(pd.DataFrame([tuple(row) for row in rows], columns=names), "quantity", "amount")
    return frame.assign(ordered_at=pd.to_datetime(frame["ordered_at"], format="ISO8601"))


def receipts(*rows):
    """Make an orders frame with ids from rows (order, customer, day or time, amount)."""
    frame = money(
        pd.DataFrame([tuple(row) for row in rows], columns=["order_id", "customer_id", "ordered_at", "amount"]), "amount"
    )
    return frame.assign(ordered_at=pd.to_datetime(frame["ordered_at"], format="ISO8601"))

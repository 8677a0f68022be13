"""The rule of one customer who is too large to be one: a till, a guest account, a company that buys for many."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from crmlab.collecting import ORDERED, collect_arrow, collect_value
from crmlab.data.ledger import Breach
from crmlab.data.rules.rule import Rule

if TYPE_CHECKING:
    import ibis

    from crmlab.data.dataset import Dataset

__all__ = ["RULES"]

_SHARE = 0.05  # of all orders: more than this
_TIMES = 20  # the orders of the next: more than this
_DAYS = 0.5  # of all days with orders: more than this


def _giants(data: Dataset) -> ibis.Table:
    """The orders of one customer who has more than 5% of all, over 20 times those of the next, and buys on most days."""
    import ibis

    orders = data.orders
    found = orders.select("order_id", "customer_id", "ordered_at", "amount", money=orders["amount"])
    counts = orders.group_by("customer_id").agg(n=orders.count())
    top = collect_arrow(counts.order_by([ibis.desc("n"), "customer_id"]).limit(2), ORDERED).to_pylist()
    if len(top) < 2 or top[0]["n"] <= _TIMES * top[1]["n"] or top[0]["n"] <= _SHARE * int(collect_value(orders.count())):
        return found.limit(0)
    mine, day = orders["customer_id"] == top[0]["customer_id"], orders["ordered_at"].date()
    if collect_value(day.nunique(where=mine)) <= _DAYS * collect_value(day.nunique()):
        return found.limit(0)
    return found.filter(mine)


def _named(_: Dataset, breach: Breach) -> Breach:
    """Name the customer, unless the id is an address."""
    who = breach.examples[0]["customer_id"]
    if who.startswith("("):
        return breach
    said = f"The customer '{who}' has over 20 times the orders of any other and buys on most days. Is it one customer?"
    return replace(
        breach, says=said, advice=f'Where it stands for guests, write guests = ["{who}"] at the top of the data set’s file.'
    )


RULES = (
    Rule(
        name="Customers of usual size",
        says="No customer has over 5% of all orders and over 20 times as many as the next, and buys on most days",
        found="One customer has over 20 times the orders of any other and buys on most days. Is it one customer?",
        advice='Where the ID stands for guests, write guests = ["…"] with it at the top of the data set’s file.',
        unit="orders",
        needs=("orders",),
        grave=True,
        base=lambda data: data.orders.count(),
        broken=_giants,
        told=_named,
    ),
)

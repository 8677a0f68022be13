"""Rules against counting twice: the same orders, lines, contacts and responses again, as files that were loaded twice leave them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from crmlab.collecting import collect_row, collect_value
from crmlab.data.ledger import Breach
from crmlab.data.rules.rule import Rule

if TYPE_CHECKING:
    import ibis

    from crmlab.data.dataset import Dataset

__all__ = ["BLOCKS", "RULES"]

BLOCKS = 0.05  # share of orders that come again from which whole blocks do
SINGLE = 0.01  # share of the orders of several products that may be written twice by chance
_TWINS = 0.5  # share of customers with several orders at one moment, each of which has a twin, from which they are copies
_DROP = 'Remove the copy, or write duplicates = "drop" at the top of the data set’s file.'


def _again(table: ibis.Table, key: str) -> ibis.Table:
    """The rows whose key comes more than once. They are few, and only they are compared in every column."""
    many = table.group_by(key).agg(_n=table.count())
    return table.semi_join(many.filter(many["_n"] > 1), key)


def _copies(table: ibis.Table) -> ibis.Table:
    """Rows that are there several times, with how often, and what all but one of them add up to."""
    money = {}
    if "amount" in table.columns:
        money = {"money": table["amount"].sum() - table["amount"].max()}
    groups = table.group_by(*table.columns).agg(copies=table.count(), **money)
    return groups.filter(groups["copies"] > 1)


def _copied_orders(data: Dataset) -> ibis.Table:
    return _copies(_again(data.orders, "order_id")).select("order_id", "customer_id", "ordered_at", "amount", "copies", "money")


def _several_rows(data: Dataset) -> ibis.Table:
    different = _again(data.orders, "order_id").distinct()
    groups = different.group_by("order_id", "customer_id").agg(copies=different.count(), money=different["amount"].sum())
    return groups.filter(groups["copies"] > 1)


def _repeated_orders(data: Dataset) -> ibis.Table:
    orders = data.orders.filter(data.orders["amount"] != 0)
    groups = orders.group_by("customer_id", "ordered_at", "amount").agg(
        copies=orders.count(),
        money=orders["amount"].sum() - orders["amount"].max(),
        first=orders["order_id"].min(),
        last=orders["order_id"].max(),
    )
    found = groups.filter((groups["copies"] > 1) & (groups["first"] != groups["last"]))
    return found.select("customer_id", "ordered_at", "amount", "copies", "money")


def _of_blocks(data: Dataset, breach: Breach) -> Breach:
    """Say whether whole blocks of orders come again, rather than two that happen to be alike."""
    if breach.share <= BLOCKS:
        return breach
    orders = data.orders.filter(data.orders["amount"] != 0)
    alike = orders.group_by("customer_id", "ordered_at", "amount").agg(n=orders.count())
    moments = alike.group_by("customer_id", "ordered_at").agg(n=alike["n"].sum(), least=alike["n"].min())
    several = moments.filter(moments["n"] > 1)
    found = collect_row(several.aggregate(moments=several.count(), twins=(several["least"] > 1).sum()))
    if int(found["twins"] or 0) < _TWINS * int(found["moments"] or 1):
        return breach  # many buy several times at one moment, and prices are few
    return replace(
        breach,
        grave=True,
        says="Blocks of orders appear again under other IDs, with the same customers, times and amounts. Were they loaded twice?",
        advice="Remove the copy. If order_id only numbers the rows, map the real order ID and write duplicates = \"drop\".",
    )  # fmt: skip


def _copied_lines(data: Dataset) -> ibis.Table:
    lines = data.order_lines
    return _copies(lines).select("order_id", "customer_id", "product_id", "ordered_at", "copies", "money")


def _copied_line_orders(data: Dataset) -> ibis.Table:
    lines = data.order_lines
    extra = lines["amount"].sum() - lines["amount"].max()
    groups = lines.group_by(*lines.columns).agg(_n=lines.count(), _extra=extra)
    orders = groups.group_by("order_id", "customer_id").agg(
        lines=groups.count(), times=groups["_n"].min(), money=groups["_extra"].sum()
    )
    return orders.filter(orders["times"] > 1)


def _of_orders(data: Dataset, breach: Breach) -> Breach:
    """One line twice is what a till writes of two pieces; several lines, each of them again, are an order that is counted again.

    Now and then even these are two pieces of each: a single order, and up to 1% of the orders of several products, prove nothing.
    """
    if breach.share > BLOCKS:
        return breach
    lines, found = data.order_lines, _copied_line_orders(data)
    several = lines.group_by("order_id", "customer_id").agg(different=lines["product_id"].nunique())
    twice = int(collect_value((found["lines"] > 1).sum().fill_null(0)))
    of = int(collect_value((several["different"] > 1).sum().fill_null(0)))
    return breach if twice > max(1, SINGLE * of) else replace(breach, grave=False)


def _copied(table: str) -> Any:
    return lambda data: _copies(getattr(data, table))


RULES = (
    Rule(
        name="Orders counted once",
        says="No order appears twice with the same content",
        found="Some orders appear more than once, the same in every column, and are counted each time.",
        advice=_DROP,
        unit="orders",
        needs=("orders",),
        grave=True,
        base=lambda data: data.orders.count(),
        broken=_copied_orders,
    ),
    Rule(
        name="Lines counted once",
        says="No order appears twice with all its lines",
        found="Some orders appear more than once with all their lines, and are counted each time.",
        advice=_DROP,
        unit="orders",
        needs=("order_lines",),
        grave=True,
        base=lambda data: data.order_lines["order_id"].nunique(),
        broken=_copied_line_orders,
        told=_of_orders,
    ),
    Rule(
        name="Duplicates",
        says="No two lines are the same in every column",
        found="Some lines are exact copies of another line.",
        advice='Unless each line is another unit of the same product, write duplicates = "drop" at the top of the data set’s file.',
        unit="lines",
        needs=("order_lines",),
        base=lambda data: data.order_lines.count(),
        broken=_copied_lines,
    ),
    Rule(
        name="Repeated orders",
        says="No customer has two orders with the same time and amount",
        found="Some customers have two orders with the same time and amount.",
        advice="Check whether they were sent twice; on their own they prove nothing.",
        unit="orders",
        needs=("orders",),
        base=lambda data: data.orders.count(),
        broken=_repeated_orders,
        told=_of_blocks,
    ),
    Rule(
        name="One row per order",
        says="Every order appears only once",
        found="Some orders have several rows that differ.",
        advice="Where rows are lines of an order, name the section [order_lines]; where they are payments, all count.",
        unit="orders",
        needs=("orders",),
        base=lambda data: data.orders.count(),
        broken=_several_rows,
    ),
    Rule(
        name="Contacts counted once",
        says="No contact appears twice",
        found="Some contacts appear more than once, the same in every column. Were they loaded twice?",
        advice=_DROP,
        unit="contacts",
        needs=("contacts",),
        grave=True,
        base=lambda data: data.contacts.count(),
        broken=_copied("contacts"),
    ),
    Rule(
        name="Responses counted once",
        says="No response appears twice",
        found="Some responses appear more than once, the same in every column. Were they loaded twice?",
        advice=_DROP,
        unit="responses",
        needs=("responses",),
        grave=True,
        base=lambda data: data.responses.count(),
        broken=_copied("responses"),
    ),
)

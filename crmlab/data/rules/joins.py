"""Rules of keys: what one table names is in the table that it names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from crmlab.collecting import collect_value
from crmlab.data.ledger import Breach
from crmlab.data.reading.ids import folded
from crmlab.data.rules.rule import Rule, exemplary

if TYPE_CHECKING:
    import ibis

    from crmlab.data.dataset import Dataset

__all__ = ["RULES", "SOME"]

SOME = 0.01  # share of ids, or of sales, from which it matters that they are not found


def _missing(left: str, right: str, key: str) -> Callable[[Dataset], ibis.Table]:
    """The ids of one table that are not in another, each once, and what their rows add up to."""

    def find(data: Dataset) -> ibis.Table:
        one, other = getattr(data, left), getattr(data, right)
        alone = one.anti_join(other, key)
        money = {"money": alone["amount"].sum()} if "amount" in alone.columns else {}
        return alone.group_by(key).agg(**money) if money else alone.select(key).distinct()

    return find


def _lost_lines(data: Dataset) -> ibis.Table:
    """Orders of lines that are not there; where free orders are ignored, theirs are not missing."""
    alone = _missing("order_lines", "orders", "order_id")(data)
    return alone.filter(alone["money"] != 0) if data.descriptor.free_orders == "ignore" else alone


def _ids(left: str, key: str) -> Callable[[Dataset], Any]:
    return lambda data: getattr(data, left)[key].nunique()


def _compared(left: str, right: str, key: str) -> Callable[[Dataset, Breach], Breach]:
    """Say where not one is found, with an id of each side, and where they would be if ids were written in one way."""
    names = (left.replace("_", " "), right.replace("_", " "))

    def look(data: Dataset, breach: Breach) -> Breach:
        one, other = getattr(data, left).select(key).distinct(), getattr(data, right).select(key).distinct()
        alone = folded(one.filter(one[key].notin(other[key]))[key])
        if collect_value(alone.isin(folded(other[key])).any()):
            fold = 'Some IDs differ only in case, spaces or Unicode form: to merge these, write ids = "fold" at the top of its file.'
            breach = replace(breach, advice=fold)
        if breach.broken < breach.checked:
            return breach
        theirs = exemplary({key: collect_value(other[key].min())})
        first = {f"{key} in {names[0]}": breach.examples[0].get(key, ""), f"{key} in {names[1]}": theirs.get(key, "none")}
        return replace(
            breach,
            grave=True,
            says=f"No {key} in {names[0]} is found in {names[1]}: the two tables do not match.",
            examples=(first,),
        )

    return look


def _strangers(data: Dataset) -> ibis.Table:
    """Everybody who was contacted, where not one of them has ordered; nobody where one has."""
    known = data.contacts.semi_join(data.orders, "customer_id")
    everybody = data.contacts.select("customer_id").distinct()
    return everybody.limit(0) if collect_value(known.count()) else everybody


def _rule(name: str, unit: str, says: str, path: tuple[str, str, str], **more: Any) -> Rule:
    left, right, key = path
    subject, rest = says.split(" is ", 1)
    found = more.pop("found", f"Not {subject[0].lower()}{subject[1:]} is {rest}.")
    return Rule(
        name=name,
        says=says,
        found=found,
        advice=f"Add the missing {right}, or check that {key} means the same in [{left}] and [{right}] by comparing some IDs.",
        unit=unit,
        needs=(left, right),
        base=_ids(left, key),
        broken=more.pop("broken", _missing(left, right, key)),
        told=_compared(left, right, key),
        **{"grave": True, "grave_from": SOME, **more},
    )


RULES = (
    _rule(
        "Known products", "products", "Every product sold is in the products table", ("order_lines", "products", "product_id")
    ),
    _rule(
        "Known customers", "customers", "Everyone who ordered is in the customers table", ("orders", "customers", "customer_id")
    ),
    _rule(
        "Contacted customers",
        "customers",
        "Everyone who was contacted is in the customers table",
        ("contacts", "customers", "customer_id"),
    ),
    _rule(
        "Responding customers",
        "customers",
        "Everyone who responded is in the customers table",
        ("responses", "customers", "customer_id"),
    ),
    _rule(
        "Subscribing customers",
        "customers",
        "Everyone with a contract is in the customers table",
        ("contracts", "customers", "customer_id"),
    ),
    _rule("Known cells", "cells", "Every cell that was contacted is in the cells table", ("contacts", "cells", "cell_id")),
    _rule(
        "Lines of known orders",
        "orders",
        "Every line’s order is in the orders table",
        ("order_lines", "orders", "order_id"),
        found="Some lines belong to orders that are not in the orders table.",
        broken=_lost_lines,
    ),
    Rule(
        name="Contacts who order",
        says="Contacts and orders name the same customers",
        found="Nobody who was contacted has ever ordered.",
        advice="Check whether customer_id means the same in [contacts] and [orders]: compare the examples.",
        unit="customers",
        needs=("contacts", "orders"),
        grave=True,
        base=_ids("contacts", "customer_id"),
        broken=_strangers,
        told=_compared("contacts", "orders", "customer_id"),
    ),
)

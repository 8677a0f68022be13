"""Rules that records should keep, each as an expression that finds the rows that break it.

A rule looks at canonical tables, so it runs in the engine. What was dropped on the way to canonical form is in the data
set's ledger, not here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crmlab.features.customers import occasion_days

if TYPE_CHECKING:
    import ibis

    from crmlab.data.dataset import Dataset

EARLIEST = "1990-01-01"  # no order history of today reaches further back
FAR_FROM_MEDIAN = 10  # a price so many times its product's median is suspicious


@dataclass(frozen=True)
class Rule:
    """One rule: what it says, which tables it needs, how grave a breach is, and the rows that break it.

    ``grave`` rules make numbers wrong; the others are worth knowing. ``broken`` gives ids first.
    """

    name: str
    says: str
    needs: tuple[str, ...]
    grave: bool
    broken: Callable[[Dataset], ibis.Table | None]


def _duplicates(data: Dataset) -> ibis.Table:
    lines = data.order_lines
    groups = lines.group_by(*lines.columns).agg(copies=lines.count())
    again = groups.filter(groups["copies"] > 1)
    return again.select("order_id", "customer_id", "product_id", "ordered_at", "copies")


def _split_orders(data: Dataset) -> ibis.Table:
    lines = data.order_lines
    found = lines.group_by("order_id").agg(first=lines["ordered_at"].min(), last=lines["ordered_at"].max())
    return found.filter(found["first"] != found["last"])


def _shared_orders(data: Dataset) -> ibis.Table:
    orders = data.orders
    found = orders.group_by("order_id").agg(customers=orders["customer_id"].nunique())
    return found.filter(found["customers"] > 1)


def _too_early(data: Dataset) -> ibis.Table:
    import ibis

    orders = data.orders
    return orders.filter(orders["ordered_at"].date() < ibis.date(EARLIEST)).select("order_id", "customer_id", "ordered_at")


def _wrong_sign(data: Dataset) -> ibis.Table:
    lines = data.order_lines
    wrong = lines.filter(((lines["quantity"] > 0) & (lines["amount"] < 0)) | ((lines["quantity"] < 0) & (lines["amount"] > 0)))
    return wrong.select("order_id", "customer_id", "product_id", "quantity", "amount")


def _no_quantity(data: Dataset) -> ibis.Table:
    lines = data.order_lines
    return lines.filter(lines["quantity"] == 0).select("order_id", "customer_id", "product_id", "quantity", "amount")


def _free_lines(data: Dataset) -> ibis.Table:
    lines = data.order_lines
    found = lines.filter((lines["amount"] == 0) & (lines["quantity"] != 0))
    return found.select("order_id", "customer_id", "product_id", "quantity", "amount")


def _strange_prices(data: Dataset) -> ibis.Table:
    lines = data.order_lines
    paid = lines.filter((lines["amount"] > 0) & (lines["quantity"] > 0))
    priced = paid.mutate(price=paid["amount"].cast("float64") / paid["quantity"].cast("float64"))
    medians = priced.group_by("product_id").agg(usual=priced["price"].approx_median(), n=priced.count())
    joined = priced.join(medians.filter(medians["n"] >= 5), "product_id")
    far = joined.filter(joined["price"] > FAR_FROM_MEDIAN * joined["usual"])
    return far.select("order_id", "customer_id", "product_id", "price", "usual")


def _returns_without_purchase(data: Dataset) -> ibis.Table:
    lines = data.order_lines
    bought = lines.filter(lines["quantity"] > 0).select("customer_id", "product_id").distinct()
    returned = lines.filter(lines["quantity"] < 0)
    alone = returned.anti_join(bought, ["customer_id", "product_id"])
    return alone.select("order_id", "customer_id", "product_id", "quantity", "amount")


def _without_occasion(data: Dataset) -> ibis.Table:
    days = occasion_days(data.orders)
    found = days.group_by("customer_id").agg(occasions=days["is_occasion"].sum(), amount=days["spend"].sum())
    return found.filter(found["occasions"] == 0).select("customer_id", "amount")


def _unnamed(data: Dataset) -> ibis.Table:
    products = data.products
    return products.filter(products["name"].isnull()).select("product_id")


def _unknown_products(data: Dataset) -> ibis.Table:
    lines = data.order_lines
    return lines.anti_join(data.products, "product_id").select("product_id").distinct()


def _unknown_customers(data: Dataset) -> ibis.Table:
    return data.orders.anti_join(data.customers, "customer_id").select("customer_id").distinct()


def _bought_before_acquired(data: Dataset) -> ibis.Table | None:
    customers = data.customers
    if "acquired_at" not in customers.columns:
        return None
    orders = data.orders
    first = orders.group_by("customer_id").agg(first_order=orders["ordered_at"].min().date())
    joined = first.join(customers.select("customer_id", "acquired_at"), "customer_id")
    return joined.filter(joined["first_order"] < joined["acquired_at"])


def _different_amounts(data: Dataset) -> ibis.Table:
    lines = data.order_lines
    sums = lines.group_by("order_id", "customer_id").agg(of_lines=lines["amount"].sum())
    orders = data.orders.group_by("order_id", "customer_id").agg(of_order=lambda t: t["amount"].sum())
    joined = orders.join(sums, ["order_id", "customer_id"])
    return joined.filter((joined["of_order"] - joined["of_lines"]).abs() >= 0.01)


RULES = (
    Rule("Duplicates", "No two lines are the same in every column", ("order_lines",), False, _duplicates),
    Rule("One time per order", "All lines of an order carry one time", ("order_lines",), False, _split_orders),
    Rule("One customer per order", "An order belongs to one customer", ("orders",), True, _shared_orders),
    Rule("Possible dates", f"No order is older than {EARLIEST}", ("orders",), True, _too_early),
    Rule("Signs agree", "Quantity and amount have the same sign", ("order_lines",), True, _wrong_sign),
    Rule("Quantity", "No line has a quantity of 0", ("order_lines",), False, _no_quantity),
    Rule("Free lines", "No line is free of charge", ("order_lines",), False, _free_lines),
    Rule(
        "Usual prices",
        f"No price is over {FAR_FROM_MEDIAN} times the median of its product",
        ("order_lines",),
        False,
        _strange_prices,
    ),
    Rule("Returns", "What is returned was bought before, in this history", ("order_lines",), False, _returns_without_purchase),
    Rule("Customers who bought", "Every customer with orders has a purchase occasion", ("orders",), False, _without_occasion),
    Rule("Names", "Every product has a name", ("products",), False, _unnamed),
    Rule("Known products", "Every product sold is in the products table", ("order_lines", "products"), True, _unknown_products),
    Rule(
        "Known customers", "Everyone who ordered is in the customers table", ("orders", "customers"), True, _unknown_customers
    ),
    Rule("Won before bought", "Nobody ordered before being won", ("orders", "customers"), False, _bought_before_acquired),
    Rule("Sums agree", "An order adds up to its lines", ("orders", "order_lines"), True, _different_amounts),
)


def largest_orders(orders: ibis.Table, n: int) -> ibis.Table:
    """Return the largest orders and whether each was cancelled.

    Parameters
    ----------
    orders : ibis.Table
        Canonical orders.
    n : int
        How many.

    Returns
    -------
    ibis.Table
        order_id, customer_id, ordered_at, amount, cancelled: the same customer has an order of exactly the opposite
        amount, at the same time or later; ordered by amount, largest first.
    """
    import ibis

    keys = ["amount", "order_id", "customer_id"]
    top = orders.order_by([ibis.desc("amount"), "order_id", "customer_id"]).limit(n)
    top = top.select("order_id", "customer_id", "ordered_at", "amount")
    back = orders.filter(orders["amount"] < 0)
    back = back.select(back_customer=back["customer_id"], back_at=back["ordered_at"], back_amount=-back["amount"])
    match = top.left_join(
        back,
        [
            top["customer_id"] == back["back_customer"],
            top["amount"] == back["back_amount"],
            top["ordered_at"] <= back["back_at"],
        ],
    )
    found = match.group_by("order_id", "customer_id", "ordered_at", "amount").agg(_n=match["back_at"].count())
    cancelled = found.mutate(cancelled=found["_n"] > 0).drop("_n")
    return cancelled.order_by([ibis.desc("amount"), *keys[1:]])


def daily(orders: ibis.Table) -> ibis.Table:
    """Count orders and add up amounts by day.

    Returns
    -------
    ibis.Table
        day, orders, amount; only days with orders, in order.
    """
    days = orders.group_by(day=orders["ordered_at"].date())
    return days.agg(orders=lambda t: t.count(), amount=lambda t: t["amount"].sum().cast("float64")).order_by("day")

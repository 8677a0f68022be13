"""Rules of single records: dates, signs, prices, returns, and whether tables agree about the same order."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from crmlab.collecting import collect_row
from crmlab.data.rules.rule import Rule
from crmlab.data.season import CLOSED

if TYPE_CHECKING:
    import ibis

    from crmlab.data.dataset import Dataset

__all__ = ["EARLIEST", "RULES", "after"]

EARLIEST = "1990-01-01"  # no order history of today reaches further back
NEARLY_ALL = 0.95  # share of free orders from which the amounts are doubtful
ABSURD, ENOUGH_ORDERS = 1000, 20  # times the median from which one amount is absurd, where there are so many orders
_OPEN = 0.01  # share of orders, or of sales, on closed days from which these were open
_FAR = 10  # a price so many times its product's median, or so small a part of it, is suspicious
_ENOUGH = 5  # a median of fewer lines says little
_LINES, _ORDERS = ("order_lines",), ("orders",)


def _lines(data: Dataset) -> Any:
    return data.order_lines.count()


def _orders(data: Dataset) -> Any:
    return data.orders.count()


def _split_orders(data: Dataset) -> ibis.Table:
    lines = data.order_lines
    found = lines.group_by("order_id").agg(
        first=lines["ordered_at"].min(), last=lines["ordered_at"].max(), money=lines["amount"].sum()
    )
    return found.filter(found["first"] != found["last"])


def _shared_orders(data: Dataset) -> ibis.Table:
    orders = data.orders
    ends = orders.group_by("order_id").agg(least=orders["customer_id"].min(), most=orders["customer_id"].max())
    shared = orders.semi_join(ends.filter(ends["least"] != ends["most"]), "order_id")  # few, so that only theirs are counted
    return shared.group_by("order_id").agg(customers=shared["customer_id"].nunique(), money=shared["amount"].sum())


def _dated(orders: ibis.Table) -> ibis.Table:
    return orders.select("order_id", "customer_id", "ordered_at", money=orders["amount"])


def _too_early(data: Dataset) -> ibis.Table:
    import ibis

    return _dated(data.orders.filter(data.orders["ordered_at"].date() < ibis.date(EARLIEST)))


def _when_closed(data: Dataset) -> ibis.Table | None:
    """Orders of closed days; None where the data set names none."""
    season = data.descriptor.season
    if not season.closed:
        return None
    bought = data.orders.filter(data.orders["amount"] > 0)
    day = bought["ordered_at"].date()
    ends = collect_row(bought.aggregate(first=day.min().cast("string"), last=day.max().cast("string")))
    closed: list[dt.date] = []
    if ends["first"]:
        first, last = dt.date.fromisoformat(ends["first"]), dt.date.fromisoformat(ends["last"])
        marks = season.days_between(first, last)
        closed = [first + dt.timedelta(days=place) for place, mark in enumerate(marks) if mark == CLOSED]
    return _dated(bought.filter(day.isin(closed)))


def after(today: dt.date) -> Rule:
    """Return the rule that no order is of a day to come.

    Only commands ask it: what stands on a page must not depend on the day on which it is made.

    Parameters
    ----------
    today : datetime.date
        In the time zone of the data set.
    """
    import ibis

    def later(data: Dataset) -> ibis.Table:
        return _dated(data.orders.filter(data.orders["ordered_at"].date() > ibis.literal(today, type="date")))

    return Rule(
        name="Days to come",
        says="No order is dated after today",
        found="Some orders are dated after today.",
        advice='Correct their dates, or leave them out with last_day = "…" at the top of the data set’s file; where days and '
        "months are mixed up, correct date_format.",
        unit="orders",
        needs=_ORDERS,
        grave=True,
        base=_orders,
        broken=later,
    )


def _described(lines: ibis.Table) -> ibis.Table:
    return lines.select("order_id", "customer_id", "product_id", "quantity", "amount", money=lines["amount"])


def _wrong_sign(data: Dataset) -> ibis.Table:
    lines = data.order_lines
    return _described(
        lines.filter(((lines["quantity"] > 0) & (lines["amount"] < 0)) | ((lines["quantity"] < 0) & (lines["amount"] > 0)))
    )


def _no_quantity(data: Dataset) -> ibis.Table:
    return _described(data.order_lines.filter(data.order_lines["quantity"] == 0))


def _free_lines(data: Dataset) -> ibis.Table:
    lines = data.order_lines
    return _described(lines.filter((lines["amount"] == 0) & (lines["quantity"] != 0)))


def _strange_prices(data: Dataset) -> ibis.Table:
    lines = data.order_lines
    paid = lines.filter((lines["amount"] > 0) & (lines["quantity"] > 0))
    priced = paid.mutate(price=paid["amount"].cast("float64") / paid["quantity"].cast("float64"))
    medians = priced.group_by("product_id").agg(usual=priced["price"].median(), n=priced.count())
    joined = priced.join(medians.filter(medians["n"] >= _ENOUGH), "product_id")
    high = joined["price"] > _FAR * joined["usual"]
    low = _FAR * joined["price"] < joined["usual"]
    return joined.filter(high | low).select("order_id", "customer_id", "product_id", "price", "usual", money=joined["amount"])


def _returned_lines(data: Dataset) -> Any:
    return data.order_lines.filter(data.order_lines["quantity"] < 0).count()


def _returns_without_purchase(data: Dataset) -> ibis.Table:
    lines = data.order_lines
    sold = lines.filter(lines["quantity"] > 0)
    bought = sold.group_by("customer_id", "product_id").agg(first=sold["ordered_at"].min())
    returned = lines.filter(lines["quantity"] < 0)
    joined = returned.left_join(bought, ["customer_id", "product_id"])
    return _described(joined.filter(joined["first"].isnull() | (joined["first"] > joined["ordered_at"])))


def _unnamed(data: Dataset) -> ibis.Table:
    return data.products.filter(data.products["name"].isnull()).select("product_id")


def _won(data: Dataset) -> ibis.Table | None:
    """Customers with an order and a day on which they were won."""
    customers = data.customers
    if "acquired_at" not in customers.columns:
        return None
    orders = data.orders
    first = orders.group_by("customer_id").agg(first_order=orders["ordered_at"].min().date())
    known = customers.filter(customers["acquired_at"].notnull()).select("customer_id", "acquired_at")
    return first.join(known, "customer_id").select("customer_id", "first_order", "acquired_at")


def _won_count(data: Dataset) -> Any:
    won = _won(data)
    return data.customers.count() if won is None else won.count()


def _bought_before_won(data: Dataset) -> ibis.Table | None:
    won = _won(data)
    return None if won is None else won.filter(won["first_order"] < won["acquired_at"])


def _order_sums(data: Dataset) -> ibis.Table:
    lines = data.order_lines
    sums = lines.group_by("order_id", "customer_id").agg(of_lines=lines["amount"].sum())
    orders = data.orders.group_by("order_id", "customer_id").agg(of_order=lambda t: t["amount"].sum())
    joined = orders.join(sums, ["order_id", "customer_id"])
    return joined.select("order_id", "customer_id", "of_order", "of_lines")


def _different_sums(data: Dataset) -> ibis.Table:
    both = _order_sums(data)
    wrong = both.filter((both["of_order"] - both["of_lines"]).abs() >= 0.01)
    return wrong.mutate(money=wrong["of_order"] - wrong["of_lines"])


def _all_free(data: Dataset) -> ibis.Table:
    orders = data.orders
    free = orders.filter(orders["amount"] == 0).select("order_id", "customer_id", "ordered_at", "amount")
    if "amounts" not in data.descriptor.told:
        return free.limit(0)
    found = collect_row(orders.aggregate(free=(orders["amount"] == 0).sum().fill_null(0), all=orders.count()))
    return free if int(found["free"]) >= NEARLY_ALL * int(found["all"]) else free.limit(0)


def _absurd_amounts(data: Dataset) -> ibis.Table:
    orders = data.orders
    amount = orders["amount"].cast("float64")
    found = collect_row(orders.aggregate(n=orders.count(), sales=amount.sum(where=amount > 0), usual=amount.abs().median()))
    far = amount > ABSURD * (found["usual"] or 0.0)
    most = 2 * amount > (found["sales"] or 0.0)
    some = orders.filter(far & most).select("order_id", "customer_id", "ordered_at", "amount", money="amount")
    return some if int(found["n"]) >= ENOUGH_ORDERS else some.limit(0)


RULES = (
    Rule(
        name="Closed days",
        says="Nothing was bought on a day that the data set calls closed",
        found="Some orders fall on days that the data set calls closed.",
        advice="Take these days out of closed under [season] of the data set’s file, or correct the dates of the orders.",
        unit="orders",
        needs=_ORDERS,
        grave=True,
        grave_from=_OPEN,
        base=_orders,
        broken=_when_closed,
    ),
    Rule(
        name="Amounts",
        says="Most orders have an amount other than 0",
        found="Nearly all orders add up to 0.",
        advice="Check that amount names the right column; the formulas of a workbook may have been saved without their results.",
        unit="orders",
        needs=_ORDERS,
        grave=True,
        base=_orders,
        broken=_all_free,
    ),
    Rule(
        name="One amount",
        says="No order is more than half of all sales and a thousand times the usual one",
        found="An order is more than half of all sales, and over a thousand times the usual one.",
        advice="Correct its amount, or take it out; if it is right, accept it.",
        unit="orders",
        needs=_ORDERS,
        grave=True,
        base=_orders,
        broken=_absurd_amounts,
    ),
    Rule(
        name="One time per order",
        says="All lines of an order have the same time",
        found="Lines of some orders have different times.",
        advice="The first of them counts; check that order_id identifies a single order and is not reused.",
        unit="orders",
        needs=_LINES,
        base=lambda data: data.order_lines["order_id"].nunique(),
        broken=_split_orders,
    ),
    Rule(
        name="One customer per order",
        says="Every order belongs to one customer",
        found="Some orders belong to several customers.",
        advice="Check that order_id identifies one order; if numbers restart each year or in each shop, put the year or shop into the ID.",
        unit="orders",
        needs=_ORDERS,
        grave=True,
        base=lambda data: data.orders["order_id"].nunique(),
        broken=_shared_orders,
    ),
    Rule(
        name="Possible dates",
        says=f"No order is dated before {EARLIEST[:4]}",
        found=f"Some orders are dated before {EARLIEST[:4]}.",
        advice='Correct their dates, or leave them out with first_day = "…" at the top of the data set’s file.',
        unit="orders",
        needs=_ORDERS,
        grave=True,
        base=_orders,
        broken=_too_early,
    ),
    Rule(
        name="Signs agree",
        says="Quantity and amount have the same sign",
        found="Quantity and amount of some lines have opposite signs.",
        advice="Check which of the two is wrong in the source: in a return, both are below zero.",
        unit="lines",
        needs=_LINES,
        grave=True,
        base=_lines,
        broken=_wrong_sign,
    ),
    Rule(
        name="Quantity",
        says="No line has a quantity of 0",
        found="Some lines have a quantity of 0.",
        advice="They count with their amount; check what they stand for.",
        unit="lines",
        needs=_LINES,
        base=_lines,
        broken=_no_quantity,
    ),
    Rule(
        name="Free lines",
        says="No line is free of charge",
        found="Some lines are free of charge.",
        advice="They count as bought; check whether they are samples.",
        unit="lines",
        needs=_LINES,
        base=_lines,
        broken=_free_lines,
    ),
    Rule(
        name="Usual prices",
        says=f"No price is over {_FAR} times its product’s median, or under a tenth of it",
        found=f"Some prices are over {_FAR} times their product’s median, or under a tenth of it.",
        advice="Check whether a decimal point is in the wrong place.",
        unit="lines",
        needs=_LINES,
        base=_lines,
        broken=_strange_prices,
    ),
    Rule(
        name="Returns",
        says="Everything returned was bought earlier in this history",
        found="Some products were returned that were not bought earlier in this history.",
        advice="This is usual early in a history; otherwise check the customer and product IDs of returns.",
        unit="return lines",
        needs=_LINES,
        base=_returned_lines,
        broken=_returns_without_purchase,
    ),
    Rule(
        name="Names",
        says="Every product has a name",
        found="Some products have no name.",
        advice="They are shown by their ID.",
        unit="products",
        needs=("products",),
        base=lambda data: data.products.count(),
        broken=_unnamed,
    ),
    Rule(
        name="Won before bought",
        says="Nobody ordered before being acquired",
        found="Some customers ordered before they were acquired.",
        advice="Check what acquired_at means in the source.",
        unit="customers",
        needs=("orders", "customers"),
        base=_won_count,
        broken=_bought_before_won,
    ),
    Rule(
        name="Sums agree",
        says="An order’s amount equals the sum of its lines",
        found="Some order amounts differ from the sum of their lines.",
        advice="Find out which amount includes tax, shipping or discounts; discount and refund can name columns to deduct.",
        unit="orders",
        needs=("orders", "order_lines"),
        grave=True,
        base=lambda data: _order_sums(data).count(),
        broken=_different_sums,
    ),
)

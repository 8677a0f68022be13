"""Rules that records should keep, each as an expression that finds what breaks it.

A rule looks at canonical tables, so it runs in the engine. What was dropped on the way to canonical form is in the data
set's ledger, not here. A rule says what it counts (lines, orders, customers, products), and its share is of those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crmlab.data.collecting import ORDERED, collect_arrow, collect_value
from crmlab.history.customers import occasion_days

if TYPE_CHECKING:
    import ibis
    import pandas as pd

    from crmlab.data.dataset import Dataset

__all__ = ["RULES", "Check", "Rule", "amounts", "largest_orders", "without_occasion"]


EARLIEST = "1990-01-01"  # no order history of today reaches further back
FAR_FROM_MEDIAN = 10  # a price so many times its product's median, or so small a part of it, is suspicious
ENOUGH_PRICES = 5  # a median of fewer lines says little


_LINES, _ORDERS = ("order_lines",), ("orders",)


@dataclass(frozen=True)
class Check:
    """What a rule found: how many things it looked at, how many broke it, and some of them."""

    checked: int
    broken: int
    examples: tuple[Mapping[str, Any], ...]

    @property
    def share(self) -> float:
        """Share of the things looked at that broke the rule."""
        return self.broken / self.checked if self.checked else 0.0


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule: what it says, which tables it needs, how grave a breach is, and what breaks it.

    ``grave`` rules make numbers wrong; the others are worth knowing. ``unit`` is what ``base`` counts; ``broken`` gives
    one row per unit, ids first, or None where a column is not there. Where it has a column ``copies``, all but one of
    them are counted.
    """

    name: str
    says: str
    unit: str
    needs: tuple[str, ...]
    grave: bool = False
    base: Callable[[Dataset], Any]
    broken: Callable[[Dataset], ibis.Table | None]

    def check(self, data: Dataset, examples: int = 3) -> Check | None:
        """Apply the rule.

        Parameters
        ----------
        data : Dataset
        examples : int
            How many of what broke it are returned, in the order of their ids.

        Returns
        -------
        Check or None
            None where a table or column that the rule needs is not there.
        """
        if not set(self.needs) <= set(data.tables):
            return None
        broken = self.broken(data)
        if broken is None:
            return None
        counted = (broken["copies"] - 1).sum().fill_null(0) if "copies" in broken.columns else broken.count()
        count = int(collect_value(counted))
        found = collect_arrow(broken.order_by(broken.columns).limit(examples), ORDERED).to_pylist() if count else []
        return Check(int(collect_value(self.base(data))), count, tuple(found))


def _lines(data: Dataset) -> Any:
    return data.order_lines.count()


def _orders(data: Dataset) -> Any:
    return data.orders.count()


def _line_orders(data: Dataset) -> Any:
    return data.order_lines["order_id"].nunique()


def _order_ids(data: Dataset) -> Any:
    return data.orders["order_id"].nunique()


def _buyers(data: Dataset) -> Any:
    return data.orders["customer_id"].nunique()


def _products(data: Dataset) -> Any:
    return data.products.count()


def _duplicates(data: Dataset) -> ibis.Table:
    lines = data.order_lines
    groups = lines.group_by(*lines.columns).agg(copies=lines.count())
    again = groups.filter(groups["copies"] > 1)
    return again.select("order_id", "customer_id", "product_id", "ordered_at", "copies")


def _repeated_orders(data: Dataset) -> ibis.Table:
    orders = data.orders.filter(data.orders["amount"] != 0)
    groups = orders.group_by("customer_id", "ordered_at", "amount").agg(copies=orders.count())
    return groups.filter(groups["copies"] > 1)


def _repeated_ids(data: Dataset) -> ibis.Table:
    orders = data.orders
    groups = orders.group_by("order_id", "customer_id").agg(copies=orders.count())
    return groups.filter(groups["copies"] > 1)


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
    medians = priced.group_by("product_id").agg(usual=priced["price"].median(), n=priced.count())
    joined = priced.join(medians.filter(medians["n"] >= ENOUGH_PRICES), "product_id")
    high = joined["price"] > FAR_FROM_MEDIAN * joined["usual"]
    low = FAR_FROM_MEDIAN * joined["price"] < joined["usual"]
    return joined.filter(high | low).select("order_id", "customer_id", "product_id", "price", "usual")


def _returned_lines(data: Dataset) -> Any:
    return data.order_lines.filter(data.order_lines["quantity"] < 0).count()


def _returns_without_purchase(data: Dataset) -> ibis.Table:
    lines = data.order_lines
    sold = lines.filter(lines["quantity"] > 0)
    bought = sold.group_by("customer_id", "product_id").agg(first=sold["ordered_at"].min())
    returned = lines.filter(lines["quantity"] < 0)
    joined = returned.left_join(bought, ["customer_id", "product_id"])
    alone = joined.filter(joined["first"].isnull() | (joined["first"] > joined["ordered_at"]))
    return alone.select("order_id", "customer_id", "product_id", "quantity", "amount")


def without_occasion(orders: ibis.Table) -> ibis.Table:
    """Return the customers whose orders make no purchase occasion: they are absent from every summary.

    Parameters
    ----------
    orders : ibis.Table
        Canonical orders.

    Returns
    -------
    ibis.Table
        customer_id, amount: what all their orders add up to.
    """
    days = occasion_days(orders)
    found = days.group_by("customer_id").agg(_n=days["is_occasion"].sum(), amount=days["spend"].sum())
    return found.filter(found["_n"] == 0).select("customer_id", "amount")


def _unnamed(data: Dataset) -> ibis.Table:
    products = data.products
    return products.filter(products["name"].isnull()).select("product_id")


def _sold_products(data: Dataset) -> Any:
    return data.order_lines["product_id"].nunique()


def _unknown_products(data: Dataset) -> ibis.Table:
    lines = data.order_lines
    return lines.anti_join(data.products, "product_id").select("product_id").distinct()


def _unknown_customers(data: Dataset) -> ibis.Table:
    return data.orders.anti_join(data.customers, "customer_id").select("customer_id").distinct()


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
    return both.filter((both["of_order"] - both["of_lines"]).abs() >= 0.01)


RULES = (
    Rule(
        name="Duplicates",
        says="No two lines are the same in every column",
        unit="lines",
        needs=_LINES,
        base=_lines,
        broken=_duplicates,
    ),
    Rule(
        name="Repeated orders",
        says="No customer has two orders of the same time and amount",
        unit="orders",
        needs=_ORDERS,
        base=_orders,
        broken=_repeated_orders,
    ),
    Rule(
        name="One row per order",
        says="Every order is there once",
        unit="orders",
        needs=_ORDERS,
        base=_orders,
        broken=_repeated_ids,
    ),
    Rule(
        name="One time per order",
        says="All lines of an order carry one time",
        unit="orders",
        needs=_LINES,
        base=_line_orders,
        broken=_split_orders,
    ),
    Rule(
        name="One customer per order",
        says="An order belongs to one customer",
        unit="orders",
        needs=_ORDERS,
        grave=True,
        base=_order_ids,
        broken=_shared_orders,
    ),
    Rule(
        name="Possible dates",
        says=f"No order is older than {EARLIEST}",
        unit="orders",
        needs=_ORDERS,
        grave=True,
        base=_orders,
        broken=_too_early,
    ),
    Rule(
        name="Signs agree",
        says="Quantity and amount have the same sign",
        unit="lines",
        needs=_LINES,
        grave=True,
        base=_lines,
        broken=_wrong_sign,
    ),
    Rule(name="Quantity", says="No line has a quantity of 0", unit="lines", needs=_LINES, base=_lines, broken=_no_quantity),
    Rule(name="Free lines", says="No line is free of charge", unit="lines", needs=_LINES, base=_lines, broken=_free_lines),
    Rule(
        name="Usual prices",
        says=f"No price is over {FAR_FROM_MEDIAN} times its product's median, or under a tenth of it",
        unit="lines",
        needs=_LINES,
        base=_lines,
        broken=_strange_prices,
    ),
    Rule(
        name="Returns",
        says="What is returned was bought before, in this history",
        unit="return lines",
        needs=_LINES,
        base=_returned_lines,
        broken=_returns_without_purchase,
    ),
    Rule(
        name="Customers who bought",
        says="Everyone with orders has a purchase occasion",
        unit="customers",
        needs=_ORDERS,
        base=_buyers,
        broken=lambda data: without_occasion(data.orders),
    ),
    Rule(name="Names", says="Every product has a name", unit="products", needs=("products",), base=_products, broken=_unnamed),
    Rule(
        name="Known products",
        says="Every product sold is in the products table",
        unit="products",
        needs=("order_lines", "products"),
        grave=True,
        base=_sold_products,
        broken=_unknown_products,
    ),
    Rule(
        name="Known customers",
        says="Everyone who ordered is in the customers table",
        unit="customers",
        needs=("orders", "customers"),
        grave=True,
        base=_buyers,
        broken=_unknown_customers,
    ),
    Rule(
        name="Won before bought",
        says="Nobody ordered before being won",
        unit="customers",
        needs=("orders", "customers"),
        base=_won_count,
        broken=_bought_before_won,
    ),
    Rule(
        name="Sums agree",
        says="An order adds up to its lines",
        unit="orders",
        needs=("orders", "order_lines"),
        grave=True,
        base=lambda data: _order_sums(data).count(),
        broken=_different_sums,
    ),
)


def amounts(orders: ibis.Table | pd.DataFrame) -> ibis.Table:
    """Add up orders by what they are to customer summaries: spend on occasions, returned, of customers without occasion.

    Parameters
    ----------
    orders : ibis.Table or DataFrame
        Canonical orders.

    Returns
    -------
    ibis.Table
        One row; amounts are exact decimals, null where there is nothing to add up:

        - occasions, spend : purchase occasions and what they add up to
        - back_days, returned : the other days of the same customers, and what they add up to (≤ 0)
        - without, without_days, without_amount : customers with orders but no occasion, their days, and what these
          add up to

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({"customer_id": ["a", "a", "b"], "ordered_at": ["2024-01-01", "2024-01-03", "2024-01-02"],
    ...                        "amount": [10.0, -4.0, -3.0]})
    >>> amounts(orders).to_pandas()[["spend", "returned", "without_amount"]].astype(float).iloc[0].tolist()
    [10.0, -4.0, -3.0]
    """
    import ibis

    days = occasion_days(orders)
    counted = days.mutate(
        bought=ibis.ifelse(days["is_occasion"], days["spend"], None),
        back=ibis.ifelse(days["is_occasion"], None, days["spend"]),
    )
    each = counted.group_by("customer_id").agg(
        occasions=counted["bought"].count(),
        days=counted.count(),
        bought=counted["bought"].sum(),
        back=counted["back"].sum(),
    )
    known = each["occasions"] > 0
    return each.aggregate(
        occasions=each["occasions"].sum(),
        spend=each["bought"].sum(),
        back_days=(each["days"] - each["occasions"]).sum(where=known),
        returned=each["back"].sum(where=known),
        without=each.count(where=~known),
        without_days=each["days"].sum(where=~known),
        without_amount=each["back"].sum(where=~known),
    )


def largest_orders(orders: ibis.Table, n: int, lines: ibis.Table | None = None) -> ibis.Table:
    """Return the largest orders, whether each was cancelled, and how much of it came back.

    Parameters
    ----------
    orders : ibis.Table
        Canonical orders.
    n : int
        How many; fewer where fewer orders are positive.
    lines : ibis.Table, optional
        Canonical order lines, to see what came back in parts.

    Returns
    -------
    ibis.Table
        order_id, customer_id, ordered_at, amount, largest first; cancelled: the same customer has an order of exactly
        the opposite amount, at the same time or later, and it belongs to no other order (each cancels the latest one
        still open); returned: what the customer returned of the same products, at the same time or later, in other
        orders, at most what was bought of each (null without lines).

    Examples
    --------
    >>> import ibis, pandas as pd
    >>> orders = ibis.memtable(pd.DataFrame({
    ...     "order_id": ["1", "2", "3"], "customer_id": ["a", "a", "b"],
    ...     "ordered_at": pd.to_datetime(["2024-01-01", "2024-01-05", "2024-01-06"]), "amount": [90.0, -90.0, 50.0],
    ... }))
    >>> largest_orders(orders, 2).to_pandas()[["order_id", "amount", "cancelled"]]
      order_id  amount  cancelled
    0        1    90.0       True
    1        3    50.0      False
    """
    import ibis

    columns = ("order_id", "customer_id", "ordered_at", "amount")
    by_size = [ibis.desc("amount"), "order_id", "customer_id", "ordered_at"]
    top = orders.filter(orders["amount"] > 0).order_by(by_size).limit(n).select(*columns)
    sizes = top.select("customer_id", size=top["amount"]).distinct()
    events = orders.select(*columns, size=orders["amount"].abs()).semi_join(sizes, ["customer_id", "size"])
    events = events.mutate(step=ibis.ifelse(events["amount"] > 0, 1, -1))
    # Orders and cancellations of one amount pair up like brackets: an order was cancelled where the count of open ones
    # falls under its own place later on.
    place = {"group_by": ["customer_id", "size"], "order_by": ["ordered_at", ibis.desc("step"), "order_id"]}
    running = events.mutate(open=events["step"].sum().over(ibis.window(**place, preceding=(None, 0))))
    after = running["open"].min().over(ibis.window(**place, following=(1, None)))
    paired = running.mutate(cancelled=(after < running["open"]).fill_null(False))
    found = paired.filter(paired["step"] == 1).order_by(by_size).limit(n).select(*columns, "cancelled")
    if lines is None:
        return found.mutate(returned=ibis.null("float64"))
    back = _returned(top, lines)
    joined = found.left_join(back, ["order_id", "customer_id"])
    listed = joined.select(*columns, "cancelled", returned=joined["returned"].fill_null(0).cast("float64"))
    return listed.order_by(by_size)


def _returned(top: ibis.Table, lines: ibis.Table) -> ibis.Table:
    """What came back of some orders: order_id, customer_id, returned."""
    import ibis

    sold = lines.filter(lines["quantity"] > 0).select("order_id", "customer_id", "product_id", "amount")
    orders = top.group_by("order_id", "customer_id").agg(bought_at=top["ordered_at"].min())
    held = sold.join(orders, ["order_id", "customer_id"])
    bought = held.group_by("order_id", "customer_id", "product_id").agg(
        bought=held["amount"].sum(), bought_at=held["bought_at"].min()
    )
    back = lines.filter(lines["quantity"] < 0)
    back = back.select(back_order=back["order_id"], owner=back["customer_id"], product=back["product_id"],
                       back_at=back["ordered_at"], back=-back["amount"])  # fmt: skip
    pairs = bought.join(
        back,
        [
            bought["customer_id"] == back["owner"],
            bought["product_id"] == back["product"],
            bought["bought_at"] <= back["back_at"],
            bought["order_id"] != back["back_order"],
        ],
    )
    each = pairs.group_by("order_id", "customer_id", "product_id", "bought").agg(back=pairs["back"].sum())
    least = each.mutate(back=ibis.least(each["back"], each["bought"]))
    return least.group_by("order_id", "customer_id").agg(returned=least["back"].sum())

"""What data quality asks of orders: what they add up to by part, who makes no occasion, the largest and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crmlab.data.rules import RULES as OF_DATA
from crmlab.data.rules import Rule
from crmlab.history.customers import occasion_days

if TYPE_CHECKING:
    import ibis

__all__ = ["NO_OCCASION", "RULES", "amounts", "largest_orders", "without_occasion"]


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


NO_OCCASION = 0.2  # share of customers, or of sales, from which it is no accident that nothing was bought
# The rules of the data, and one that needs the definition of an occasion.
RULES = (
    *OF_DATA,
    Rule(
        name="Customers who bought",
        says="Everyone with orders has a purchase occasion",
        found="Some customers have orders but no day with a net purchase.",
        advice="They appear in no other report. Their purchases may predate the history; or sales may have been recorded below zero.",
        unit="customers",
        needs=("orders",),
        grave=True,
        grave_from=NO_OCCASION,
        base=lambda data: data.orders["customer_id"].nunique(),
        broken=lambda data: without_occasion(data.orders).mutate(money=lambda t: t["amount"]),
    ),
)


def amounts(orders: Any) -> ibis.Table:
    """Add up orders by what they are to customer summaries: spend on occasions, returned, of customers without occasion.

    Parameters
    ----------
    orders : table
        Canonical orders, as :func:`crmlab.history.orders.as_orders` takes them.

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

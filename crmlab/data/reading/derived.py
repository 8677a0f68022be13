"""Tables that follow from others: orders and products from order lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir

__all__ = ["derive_orders", "derive_products", "free"]


def free(orders: ibis.Table) -> ir.BooleanValue:
    """Whether each order was free of charge: it adds up to 0 and nothing was returned with it."""
    zero = orders["amount"] == 0
    return zero & (orders["return_amount"].fill_null(0) == 0) if "return_amount" in orders.columns else zero


def derive_orders(lines: ibis.Table) -> ibis.Table:
    """Make orders from order lines: one row per receipt and customer.

    Parameters
    ----------
    lines : ibis.Table
        Canonical order lines.

    Returns
    -------
    ibis.Table
        Canonical orders; ``ordered_at`` is the first line's, ``return_amount`` what the return lines add up to.
    """
    columns = {
        "ordered_at": lines["ordered_at"].min(),
        "amount": lines["amount"].sum().cast("decimal(18, 4)"),
        "return_amount": _returned(lines).sum().fill_null(0).cast("decimal(18, 4)"),
    }
    if "channel" in lines.columns:
        columns["channel"] = lines["channel"].min()
    return lines.group_by("order_id", "customer_id").agg(**columns)


def _returned(lines: ibis.Table) -> ir.Value:
    """What came back of each line: a line below zero, or what was paid back of one above."""
    import ibis

    if "refund" not in lines.columns:
        return ibis.ifelse(lines["amount"] < 0, lines["amount"], 0)
    back = lines["refund"].fill_null(0)
    return ibis.cases((back > 0, -back), (lines["amount"] < 0, lines["amount"]), else_=0)


def derive_products(lines: ibis.Table) -> ibis.Table:
    """Make products from the names that order lines carry: the most frequent name of each, ties by the alphabet.

    Parameters
    ----------
    lines : ibis.Table
        Order lines with ``product_name``, ``product_category`` or both.

    Returns
    -------
    ibis.Table
        Canonical products; a name is null where no line has one.
    """
    import ibis

    named = {"name": "product_name", "category": "product_category"}
    result = lines.select("product_id").distinct()
    for canonical, given in named.items():
        if given not in lines.columns:
            result = result.mutate(**{canonical: ibis.null("string")})
            continue
        counts = lines.filter(lines[given].notnull()).group_by("product_id", given).agg(n=lambda t: t.count())
        place = ibis.row_number().over(group_by="product_id", order_by=[ibis.desc("n"), ibis.asc(given)])
        best = counts.mutate(place=place).filter(lambda t: t["place"] == 0)
        best = best.select("product_id", **{canonical: best[given]})
        result = result.left_join(best, "product_id").drop("product_id_right")
    return result

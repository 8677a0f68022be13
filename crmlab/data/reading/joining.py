"""Gives order lines the customer and the time of their orders, where a source keeps the two apart and lines name the order only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from crmlab.data.reading.raw import Raw

if TYPE_CHECKING:
    import ibis

__all__ = ["OF_ORDERS", "with_orders"]

_ORDERLESS = "__orderless"
OF_ORDERS = ("customer_id", "ordered_at")  # what lines can take from their orders


def with_orders(raw: Raw, mapping: Mapping[str, str], orders: ibis.Table | None) -> Raw:
    """Add what order lines do not tell from the orders that they name.

    Parameters
    ----------
    raw : Raw
        The lines as they came.
    mapping : mapping
        For each canonical column the source's.
    orders : ibis.Table or None
        Canonical orders that were kept. A line of an order that was not kept, or whose number several customers share, gets nothing.

    Returns
    -------
    Raw
        In the same order of rows; unchanged where nothing is missing, or the lines do not name their orders.
    """
    missing = [name for name in OF_ORDERS if name not in mapping]
    if not missing or orders is None or "order_id" not in mapping or not raw.numbered:
        return raw
    alone = orders.group_by("order_id").agg(
        **{name: orders[name].min() for name in missing}, customers=orders["customer_id"].nunique()
    )
    known = alone.filter(alone["customers"] == 1).select(_order="order_id", **{f"_{name}": name for name in missing})
    lines = raw.table.mutate(_key=raw.table[mapping["order_id"]].cast("string").strip(), _place=raw.table.rowid())
    both = lines.left_join(known, lines["_key"] == known["_order"]).order_by("_place")
    taken = {name: both[f"_{name}"] for name in missing}
    made = both.select(*raw.table.columns, **taken, **{_ORDERLESS: both["_order"].isnull() & both["_key"].notnull()})
    con = raw.table.get_backend()
    joined = con.create_table("joined_order_lines", obj=made, temp=True)
    return replace(raw, table=joined, columns=(*raw.columns, *missing), orderless=_ORDERLESS)

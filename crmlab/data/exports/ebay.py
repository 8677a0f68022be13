"""eBay: the orders report of the seller hub, one row per item; orders of several items have a row for the whole before."""

from __future__ import annotations

from crmlab.data.exports.declaration import Export, Part

__all__ = ["EXPORTS"]

EXPORTS = (
    Export(
        name="an eBay orders report",
        forms=(("Sales Record Number", "Order Number", "Buyer Username", "Sold For", "Sale Date"),),
        parts=(
            Part(
                table="order_lines",
                columns={
                    "customer_id": ("Buyer Username",),
                    "ordered_at": ("Sale Date", "Paid On Date"),
                    "order_id": ("Order Number", "Sales Record Number"),
                    "product_id": ("Custom Label", "Item Number"),
                    "product_name": ("Item Title",),
                    "quantity": ("Quantity",),
                    "unit_price": ("Sold For",),
                },
                needs=("ordered_at", "order_id", "product_id", "quantity", "unit_price"),
                only_where=("Item Number",),
            ),
        ),
        notes=(
            "Sold For is the price of one piece, without postage. Rows of a whole order, and notes at the end, are left out.",
        ),
    ),
)

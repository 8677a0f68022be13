"""Shopify: the order export of the admin, one row per line of an order, the order's own fields on its first row."""

from __future__ import annotations

from crmlab.data.exports.declaration import Export, Part

__all__ = ["EXPORTS"]

_WHO = {"customer_id": ("Customer ID", "Customer: ID"), "ordered_at": ("Created at", "Processed at", "Paid at")}
_KEEP = ("partially_paid", "partially_refunded")
_STATUS = ("Financial Status", "Payment: Status")

EXPORTS = (
    Export(
        name="a Shopify order export",
        forms=(
            ("Name", "Financial Status", "Total", "Created at", "Lineitem quantity", "Lineitem price"),
            ("Name", "Email", "Financial Status", "Currency", "Total", "Created at"),
        ),
        parts=(
            Part(
                table="orders",
                columns={
                    **_WHO,
                    "order_id": ("Name", "Id"),
                    "amount": ("Total",),
                    "status": _STATUS,
                    "refund": ("Refunded Amount",),
                    "currency": ("Currency",),
                    "channel": ("Source",),
                },
                who=("Email", "Phone"),
                only_where=("Total",),
                drop_where=("Cancelled at",),
                keep=_KEEP,
            ),
            Part(
                table="order_lines",
                columns={
                    **_WHO,
                    "order_id": ("Name", "Id"),
                    "product_id": ("Lineitem sku", "Lineitem name"),
                    "product_name": ("Lineitem name",),
                    "quantity": ("Lineitem quantity",),
                    "unit_price": ("Lineitem price",),
                    "discount": ("Lineitem discount",),
                    "status": _STATUS,
                    "currency": ("Currency",),
                },
                needs=("ordered_at", "order_id", "product_id", "quantity", "unit_price"),
                who=("Email", "Phone"),
                drop_where=("Cancelled at",),
                keep=_KEEP,
                options={"fill_down": ["customer_id", "status", "currency"]},
            ),
        ),
        notes=(
            "Order fields are on the first row of each order: orders are read from rows with a total, lines from all rows.",
            "Discounts, shipping and refunds are in the order's total, not in its lines.",
        ),
    ),
)

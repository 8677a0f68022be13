"""Lightspeed Retail: the sales lines report."""

from __future__ import annotations

from crmlab.data.exports.declaration import Export, Part

__all__ = ["EXPORTS"]

EXPORTS = (
    Export(
        name="a Lightspeed list of sales lines",
        forms=(("Sale ID", "Item", "Quantity", "Subtotal", "Customer", "Date"),),
        parts=(
            Part(
                table="order_lines",
                columns={
                    "customer_id": ("Customer ID",),
                    "ordered_at": ("Date", "Completed"),
                    "order_id": ("Sale ID",),
                    "product_id": ("System ID", "Item ID", "SKU", "Item"),
                    "product_name": ("Item", "Description"),
                    "product_category": ("Category",),
                    "quantity": ("Quantity",),
                    "amount": ("Subtotal",),
                },
                needs=("ordered_at", "order_id", "product_id", "quantity", "amount"),
                who=("Customer Email", "Customer"),
            ),
        ),
    ),
)

"""Square: transactions, one row per payment, and items, one row per thing sold."""

from __future__ import annotations

from crmlab.data.exports.declaration import Export, Part

__all__ = ["EXPORTS"]

_PAYMENT = {
    "customer_id": ("Customer ID", "Customer Reference ID"),
    "ordered_at": ("Date",),
    "order_id": ("Transaction ID", "Payment ID"),
    "status": ("Event Type",),
    "channel": ("Location",),
}
_KEEP = ("Payment", "Refund", "Exchange")  # refunds are rows of their own, below zero
_DROP = ("No Sale", "Failed Payment", "Void")

EXPORTS = (
    Export(
        name="a Square items export",
        forms=(("Date", "Item", "Qty", "Gross Sales", "Net Sales", "Transaction ID"),),
        parts=(
            Part(
                table="order_lines",
                columns={
                    **_PAYMENT,
                    "product_id": ("SKU", "Token", "Item"),
                    "product_name": ("Item",),
                    "product_category": ("Category",),
                    "quantity": ("Qty",),
                    "amount": ("Net Sales",),
                },
                needs=("ordered_at", "order_id", "product_id", "quantity", "amount"),
                who=("Customer Name",),
                keep=_KEEP,
                drop=_DROP,
            ),
        ),
        notes=("Amounts are net sales: after discounts, before tax and tips.",),
    ),
    Export(
        name="a Square transactions export",
        forms=(("Date", "Gross Sales", "Net Sales", "Total Collected", "Transaction ID"),),
        parts=(
            Part(
                table="orders",
                columns={**_PAYMENT, "amount": ("Net Sales",)},
                who=("Customer Name",),
                keep=_KEEP,
                drop=_DROP,
            ),
        ),
        notes=("Amounts are net sales: after discounts, before tax and tips.",),
    ),
)

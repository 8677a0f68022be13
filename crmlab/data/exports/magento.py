"""Magento and Adobe Commerce: the order grid of the admin, and the table sales_order."""

from __future__ import annotations

from crmlab.data.exports.declaration import Export, Part

__all__ = ["EXPORTS"]

# Closed is what Magento calls an order that was refunded in full: netted where the amount paid back is there, and else no sale.
_REFUNDED = ("closed",)
_DROP = ("holded", "fraud", "payment_review", "pending_paypal", "paypal_canceled_reversal", "paypal_reversed", "new")

EXPORTS = (
    Export(
        name="a Magento order grid",
        forms=(("ID", "Purchase Date", "Grand Total (Base)", "Status"), ("ID", "Purchased On", "G.T. (Base)", "Status")),
        parts=(
            Part(
                table="orders",
                columns={
                    "customer_id": ("Customer ID",),
                    "ordered_at": ("Purchase Date", "Purchased On"),
                    "order_id": ("ID",),
                    # In the shop's base currency, whatever was paid in.
                    "amount": ("Grand Total (Base)", "G.T. (Base)"),
                    "refund": ("Total Refunded",),
                    "status": ("Status",),
                    "channel": ("Purchase Point",),
                },
                who=("Customer Email", "Email", "Customer Name", "Bill-to Name", "Bill to Name"),
                refunded=_REFUNDED,
                drop=_DROP,
            ),
        ),
    ),
    Export(
        name="the table sales_order of Magento",
        forms=(
            ("increment_id", "status", "customer_id", "base_grand_total", "created_at"),
            ("increment_id", "status", "customer_email", "grand_total", "created_at"),
        ),
        parts=(
            Part(
                table="orders",
                columns={
                    "customer_id": ("customer_id",),
                    "ordered_at": ("created_at",),
                    "order_id": ("increment_id", "entity_id"),
                    "amount": ("base_grand_total", "grand_total"),
                    "refund": ("base_total_refunded", "total_refunded"),
                    "currency": ("base_currency_code", "order_currency_code"),
                    "status": ("status", "state"),
                },
                who=("customer_email",),
                refunded=_REFUNDED,
                drop=_DROP,
            ),
        ),
    ),
)

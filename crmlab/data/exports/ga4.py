"""Google Analytics 4: purchase events from the BigQuery export, nested or flat."""

from __future__ import annotations

from crmlab.data.exports.declaration import Export, Part

__all__ = ["EXPORTS"]

EXPORTS = (
    Export(
        name="GA4 events from BigQuery",
        forms=(
            ("event_date", "event_name", "user_pseudo_id"),
            ("event_timestamp", "event_name", "user_pseudo_id"),
        ),
        parts=(
            Part(
                table="orders",
                columns={
                    "customer_id": ("user_id", "user_pseudo_id"),
                    "ordered_at": ("event_date", "event_time"),
                    "order_id": ("ecommerce.transaction_id", "transaction_id"),
                    "amount": (
                        *("ecommerce.purchase_revenue", "purchase_revenue", "ecommerce.purchase_revenue_in_usd"),
                        *("purchase_revenue_in_usd", "revenue", "event_value_in_usd", "value"),
                    ),
                    "refund": ("ecommerce.refund_value", "refund_value"),
                    "currency": ("currency", "ecommerce.currency", "event_params.currency"),
                    "status": ("event_name",),
                    "channel": ("platform",),
                },
                unless=("items.item_id", "item_id"),
                keep=("purchase", "in_app_purchase", "ecommerce_purchase"),
                drop=("*",),
                returned=("refund",),
                sent_again=True,
            ),
            Part(
                table="order_lines",
                columns={
                    "customer_id": ("user_id", "user_pseudo_id"),
                    "ordered_at": ("event_date", "event_time"),
                    "order_id": ("ecommerce.transaction_id", "transaction_id"),
                    "product_id": ("items.item_id", "item_id"),
                    "product_name": ("items.item_name", "item_name"),
                    "product_category": ("items.item_category", "item_category"),
                    "quantity": ("items.quantity", "quantity"),
                    "amount": ("items.item_revenue", "item_revenue"),
                    "unit_price": ("items.price", "item_price", "price"),
                    "currency": ("currency", "ecommerce.currency"),
                    "status": ("event_name",),
                },
                needs=("ordered_at", "order_id", "product_id", "quantity"),
                keep=("purchase", "in_app_purchase", "ecommerce_purchase"),
                drop=("*",),
                returned=("refund",),
                sent_again=True,
            ),
        ),
        notes=("Only purchases are read. Where people do not log in, one customer is one browser.",),
    ),
)

"""Amazon: reports of all orders and of unshipped ones, and settlements. None of them says who bought but the order reports."""

from __future__ import annotations

from crmlab.data.exports.declaration import Export, Part

__all__ = ["EXPORTS"]

_NO_CUSTOMER = "The file does not say who bought: reports on products bought together can run; reports on customers cannot."

EXPORTS = (
    Export(
        name="an Amazon report of all orders",
        forms=(
            ("amazon-order-id", "purchase-date", "order-status", "sku", "quantity", "item-price"),
            ("order-id", "order-item-id", "purchase-date", "sku", "quantity-purchased", "item-price"),
        ),
        parts=(
            Part(
                table="order_lines",
                columns={
                    "ordered_at": ("purchase-date",),
                    "order_id": ("amazon-order-id", "order-id"),
                    "product_id": ("sku", "asin"),
                    "product_name": ("product-name",),
                    "quantity": ("quantity", "quantity-purchased"),
                    "amount": ("item-price",),
                    "discount": ("item-promotion-discount",),
                    "currency": ("currency",),
                    "status": ("order-status", "item-status"),
                    "channel": ("sales-channel", "order-channel"),
                },
                needs=("ordered_at", "order_id", "product_id", "quantity", "amount"),
                who=("buyer-email",),
                keep=(
                    "Shipped - Delivered to Buyer",
                    "Shipped - Picked Up",
                    "Shipped - Out for Delivery",
                    "Shipping",
                    "Unshipped",
                ),
                drop=("Shipped - Returned to Seller", "Shipped - Rejected by Buyer", "Shipped - Returning to Seller"),
            ),
        ),
        notes=("item-price is the price of the whole line before promotions, which are deducted.",),
    ),
    Export(
        name="an Amazon settlement report",
        forms=(("settlement-id", "transaction-type", "order-id", "amount-type", "amount-description", "amount"),),
        parts=(
            Part(
                table="order_lines",
                columns={
                    "ordered_at": ("posted-date-time", "posted-date"),
                    "order_id": ("order-id",),
                    "product_id": ("sku",),
                    "quantity": ("quantity-purchased",),
                    "amount": ("amount",),
                    "status": ("amount-description",),
                    "channel": ("marketplace-name",),
                },
                needs=("ordered_at", "order_id", "product_id", "amount"),
                only_where=("sku",),
                keep=("Principal",),
                drop=("*",),
            ),
        ),
        notes=(
            "Only the price of goods is read (Principal; returns are negative), not fees, tax or shipping.",
            _NO_CUSTOMER,
        ),
    ),
)

"""WooCommerce: order exports of its extensions, one row per order or per item, and the table of its analytics."""

from __future__ import annotations

from crmlab.data.exports.declaration import Export, Part

__all__ = ["EXPORTS"]

_ORDER = {
    "customer_id": ("customer_id", "customer_user", "Customer User ID", "Customer ID"),
    "ordered_at": ("order_date", "date", "date_created", "Order Date"),
    "order_id": ("order_id", "order_number", "Order ID", "Order Number"),
    "status": ("status", "order_status", "Order Status"),
    "currency": ("order_currency", "currency", "Order Currency", "Currency"),
}
_EMAIL = ("customer_email", "billing_email", "Email (Billing)", "Customer Account Email Address")
_ITEM = ("item_total", "Order Line Total", "Item Cost")

EXPORTS = (
    Export(
        zero_is_guest=True,
        name="a WooCommerce order export",
        forms=(
            ("order_id", "status", "order_total", "order_currency", "customer_id"),
            ("order_id", "status", "order_total", "order_currency", "billing_email"),
            ("order_number", "order_date", "status", "order_total", "shipping_total"),
            ("order_id", "order_status", "order_total", "customer_user"),
            ("Order Number", "Order Status", "Order Date", "Email (Billing)", "Order Total Amount"),
        ),
        parts=(
            Part(
                table="orders",
                columns={
                    **_ORDER,
                    "amount": ("order_total", "Order Total Amount"),
                    "refund": ("refunded_total", "Order Refund Amount"),
                },
                unless=_ITEM,
                who=_EMAIL,
            ),
            Part(
                table="order_lines",
                columns={
                    **_ORDER,
                    "product_id": ("item_sku", "SKU", "item_product_id", "item_name", "Item Name"),
                    "product_name": ("item_name", "Item Name"),
                    "quantity": ("item_quantity", "Quantity", "Quantity (- Refund)"),
                    "amount": ("item_total", "Order Line Total"),
                    "unit_price": ("Item Cost",),
                    "refund": ("item_refunded",),
                },
                needs=("ordered_at", "order_id", "product_id", "quantity"),
                who=_EMAIL,
            ),
        ),
        notes=("Items packed into one cell are not read: the file gives orders, not order lines.",),
    ),
    Export(
        zero_is_guest=True,
        name="an order table of WooCommerce Analytics",
        forms=(("Date", "Order #", "Status", "Customer", "Net sales"), ("Date", "Order #", "Status", "Customer", "N. Revenue")),
        parts=(
            Part(
                table="orders",
                columns={
                    "ordered_at": ("Date",),
                    "order_id": ("Order #",),
                    "amount": ("Net sales", "N. Revenue"),
                    "status": ("Status",),
                },
                who=("Customer",),
            ),
        ),
        notes=("Customers have names and no ids here: two people of one name would be one customer.",),
    ),
)

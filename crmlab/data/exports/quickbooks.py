"""QuickBooks: sales by customer, one row per line of an invoice or receipt, grouped under each customer or flat."""

from __future__ import annotations

from crmlab.data.exports.declaration import Export, Part

__all__ = ["EXPORTS"]

# Reports that are grouped by customer have the name in a row of its own above, in a column without a name.
_ABOVE = ("column_1", "")
_KEEP = ("Invoice", "Sales Receipt", "Credit Memo", "Refund", "Refund Receipt", "Cash Sale")
_DROP = ("Estimate", "Payment", "Deposit", "Journal Entry", "Statement Charge", "Charge", "Credit", "Bill", "Check", "Expense")

EXPORTS = (
    Export(
        name="a QuickBooks sales detail",
        forms=(
            ("Date", "Transaction Type", "Num", "Customer", "Amount"),
            ("Date", "Transaction Type", "Num", "Name", "Amount"),
            ("Date", "Transaction Type", "Num", "Product/Service", "Qty", "Amount"),
            ("Transaction date", "Transaction type", "Num", "Customer full name", "Amount"),
            ("Type", "Date", "Num", "Name", "Item", "Qty", "Sales Price", "Amount"),
        ),
        parts=(
            Part(
                table="orders",
                columns={
                    "customer_id": ("Customer ID",),
                    "ordered_at": ("Date", "Transaction date"),
                    "order_id": ("Num",),
                    "amount": ("Amount",),
                    "status": ("Transaction Type", "Type"),
                },
                unless=("Qty", "Quantity"),
                who=("Customer", "Customer full name", "Name", *_ABOVE),
                only_where=("Date", "Transaction date"),
                keep=_KEEP,
                drop=_DROP,
                options={"fill_down": ["customer_id", "order_id"], "fill_across": True},
            ),
            Part(
                table="order_lines",
                columns={
                    "customer_id": ("Customer ID",),
                    "ordered_at": ("Date", "Transaction date"),
                    "order_id": ("Num",),
                    "product_id": ("SKU", "Product/Service", "Product/Service full name", "Item"),
                    "product_name": ("Product/Service", "Product/Service full name", "Item"),
                    "quantity": ("Qty", "Quantity"),
                    "amount": ("Amount",),
                    "status": ("Transaction Type", "Type"),
                },
                needs=("ordered_at", "order_id", "product_id", "quantity", "amount"),
                who=("Customer", "Customer full name", "Name", *_ABOVE),
                only_where=("Date", "Transaction date"),
                keep=_KEEP,
                drop=_DROP,
                options={"fill_down": ["customer_id", "order_id"], "fill_across": True},
            ),
        ),
        notes=("Credit memos and refunds stand below zero and are netted.",),
    ),
)

"""PayPal: the activity download, one row per movement of money."""

from __future__ import annotations

from crmlab.data.exports.declaration import Export, Part

__all__ = ["EXPORTS"]

EXPORTS = (
    Export(
        name="a PayPal activity download",
        forms=(("Date", "Type", "Status", "Currency", "Gross", "Fee", "Net", "Transaction ID"),),
        parts=(
            Part(
                table="orders",
                columns={
                    "ordered_at": ("Date",),
                    "order_id": ("Transaction ID",),
                    "amount": ("Gross",),
                    "currency": ("Currency",),
                    "status": ("Type",),
                },
                who=("From Email Address",),
                keep=(
                    "Express Checkout Payment",
                    "Website Payment",
                    "Mobile Payment",
                    "General Payment",
                    "PreApproved Payment Bill User Payment",
                    "Subscription Payment",
                    "eBay Auction Payment",
                    "Payment Received",
                ),
                drop=("*",),
                returned=("Payment Refund", "Refund", "Payment Reversal", "Reversal", "Chargeback"),
                returned_by="they stand under the seller's own address",
                sale_where={"Status": ("Completed", "Partially Refunded")},
            ),
        ),
        notes=("Only incoming payments are read; withdrawals, fees and currency conversions are left out.",),
    ),
)

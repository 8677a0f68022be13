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
            ),
        ),
        notes=(
            "Only incoming payments are read. Refunds are listed under the seller's own address and are left out, as are withdrawals, "
            "fees and currency conversions.",
        ),
    ),
)

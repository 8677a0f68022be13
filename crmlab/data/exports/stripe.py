"""Stripe: unified payments of the dashboard, and charges and payment intents as its API gives them."""

from __future__ import annotations

from crmlab.data.exports.declaration import Export, Part

__all__ = ["EXPORTS"]

_CHARGE = {
    "customer_id": ("customer", "customer_id"),
    "ordered_at": ("created",),
    "order_id": ("id",),
    "currency": ("currency",),
    "status": ("status",),
}
# What was authorized only has the status of a payment too.
_CAPTURED = {"Captured": ("true", "t", "yes", "1")}

# Currencies whose smallest unit, as the API counts it, is no hundredth. Icelandic króna are in hundredths there still.
_NOT_CENTS = {
    **dict.fromkeys(
        ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"], "units"
    ),
    **dict.fromkeys(["BHD", "JOD", "KWD", "OMR", "TND"], "thousandths"),
    "UGX": "units or hundredths",  # listed among the former, and as an exception
}

EXPORTS = (
    Export(
        name="a Stripe payments export",
        forms=(
            ("id", "Created date (UTC)", "Amount", "Amount Refunded", "Currency", "Status"),
            ("id", "Created (UTC)", "Amount", "Amount Refunded", "Currency", "Status"),
            ("id", "Created (UTC)", "Amount", "Amount Refunded", "Converted Amount", "Status"),
        ),
        parts=(
            Part(
                table="orders",
                columns={
                    "customer_id": ("Customer ID",),
                    "ordered_at": ("Created date (UTC)", "Created (UTC)"),
                    "order_id": ("id",),
                    # What was charged in other currencies is in one of them here, as it was settled.
                    "amount": ("Converted Amount", "Amount"),
                    "refund": ("Converted Amount Refunded", "Amount Refunded"),
                    "currency": ("Converted Currency", "Currency"),
                    "status": ("Status",),
                },
                who=("Customer Email", "Card ID"),
                keep=("Partially Refunded", "Disputed - Won"),
                drop=("Blocked", "Canceled", "Incomplete", "Uncaptured", "Early fraud warning", "Disputed", "Dispute lost"),
                sale_where=_CAPTURED,
            ),
        ),
        notes=("Fees are not taken off.",),
    ),
    Export(
        name="charges as the Stripe API gives them",
        forms=(
            ("id", "amount", "amount_refunded", "created", "currency", "customer", "status"),
            ("id", "object", "amount", "amount_received", "created", "currency", "customer", "status"),
        ),
        parts=(
            Part(
                table="orders",
                columns={
                    **_CHARGE,
                    "amount": ("amount_captured", "amount_received", "amount"),
                    "refund": ("amount_refunded",),
                },
                who=("receipt_email", "billing_details.email"),
                sale_where=_CAPTURED,
                options={"amounts_in": "cents", "date_format": "epoch"},
                not_cents=_NOT_CENTS,
            ),
        ),
        notes=("Amounts are in the smallest unit of their currency, as the API documents them; times are seconds since 1970.",),
    ),
)

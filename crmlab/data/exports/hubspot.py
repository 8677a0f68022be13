"""HubSpot: deals, of which those that were won are sales."""

from __future__ import annotations

from crmlab.data.exports.declaration import Export, Part

__all__ = ["EXPORTS"]

EXPORTS = (
    Export(
        name="a HubSpot export of deals",
        forms=(
            ("Deal Name", "Deal Stage", "Close Date", "Amount"),
            ("dealname", "dealstage", "closedate", "amount"),
            ("properties.dealname", "properties.dealstage", "properties.closedate", "properties.amount"),
        ),
        parts=(
            Part(
                table="orders",
                columns={
                    "customer_id": (
                        "Associated Company IDs",
                        "Associated Company IDs (Primary)",
                        "Associated Company ID",
                        "Associated Contact IDs",
                        "associatedcompanyid",
                    ),
                    "ordered_at": ("Close Date", "closedate", "properties.closedate"),
                    "order_id": ("Record ID", "Deal ID", "hs_object_id", "id"),
                    "amount": (
                        "Amount in company currency",
                        "amount_in_home_currency",
                        "Amount",
                        "amount",
                        "properties.amount",
                    ),
                    "currency": ("Currency", "deal_currency_code"),
                    "status": ("Deal Stage", "dealstage", "properties.dealstage"),
                    "channel": ("Pipeline", "pipeline"),
                },
                who=("Associated Company", "Associated Company (Primary)", "Associated Contact", "Associated Contacts"),
                keep=("closedwon", "Closed Won"),
                drop=(
                    *("closedlost", "Closed Lost", "appointmentscheduled", "Appointment Scheduled", "qualifiedtobuy"),
                    *("Qualified To Buy", "presentationscheduled", "Presentation Scheduled", "decisionmakerboughtin"),
                    *("Decision Maker Bought-In", "contractsent", "Contract Sent"),
                ),
            ),
        ),
        notes=("Only won deals count, on their close date.",),
    ),
)

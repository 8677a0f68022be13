"""Salesforce: opportunities, from a report or from the data loader; those that were won are sales."""

from __future__ import annotations

from crmlab.data.exports.declaration import Export, Part

__all__ = ["EXPORTS"]

EXPORTS = (
    Export(
        name="a Salesforce export of opportunities",
        forms=(
            ("Opportunity Name", "Account Name", "Stage", "Amount", "Close Date"),
            ("Opportunity ID", "Stage", "Amount", "Close Date"),
            ("AccountId", "StageName", "Amount", "CloseDate"),
        ),
        parts=(
            Part(
                table="orders",
                columns={
                    "customer_id": ("Account ID", "AccountId", "Account.Id"),
                    "ordered_at": ("Close Date", "CloseDate"),
                    "order_id": ("Opportunity ID", "Id"),
                    "amount": ("Amount (converted)", "Amount"),
                    "currency": ("Amount (converted) Currency", "Amount Currency", "Opportunity Currency", "CurrencyIsoCode"),
                    "status": ("Stage", "StageName"),
                },
                who=("Account Name", "Account.Name"),
                keep=("Closed Won",),
                drop=(
                    *("Prospecting", "Qualification", "Needs Analysis", "Value Proposition", "Id. Decision Makers"),
                    *(
                        "Perception Analysis",
                        "Proposal/Price Quote",
                        "Proposal",
                        "Negotiation/Review",
                        "Negotiation",
                        "Closed Lost",
                    ),
                ),
            ),
        ),
        notes=("Only won opportunities count, on their close date.",),
    ),
)

"""What the page on actions says in numbers, and the columns of its lists."""

from __future__ import annotations

from crmlab.analyses.customer_value import QUANTITIES as VALUE
from crmlab.analyses.customers import QUANTITIES as CUSTOMERS
from crmlab.history.quantities import QUANTITIES as HISTORY
from crmlab.page.quantities import Quantities, Quantity

__all__ = ["QUANTITIES"]

QUANTITIES = Quantities(
    HISTORY.only("customer_id", "contactable", "refusal"),
    VALUE.only("tier", "if_loyal", "value_today", "at_risk"),
    CUSTOMERS.only("action", "action_reason"),
    Quantity(
        "expected_gain", "what the action is expected to bring with the customer, less what it costs; 0 for none", "currency"
    ),
    Quantity("expected_cost", "what the action is expected to cost with the customer; 0 for none", "currency"),
    Quantity(
        "potential",
        "what the best fifth of those who have been customers for as long bring within 12 months, less what this one does",
        "currency",
    ),
    Quantity("cost_of_contacts", "what contacts with the customer cost within the last 12 months", "currency"),
    Quantity("returned", "what the customer brought back within the last 12 months", "currency"),
    Quantity("tickets", "complaints and requests of the customer within the last 12 months", "responses", counted=True),
    Quantity("cost_of_returns", "what handling the customer's returns cost within the last 12 months", "currency"),
    Quantity("cost_of_tickets", "what complaints and requests of the customer cost within the last 12 months", "currency"),
    Quantity("cost_to_serve", "what contacts, returns and tickets of the customer cost within the last 12 months", "currency"),
    Quantity("referrals", "customers whom this one brought", "customers", counted=True),
    Quantity(
        "referral_value",
        "value of the customers whom this one brought, and what winning them cost less than winning others",
        "currency",
    ),
    Quantity("actions_worth", "what the actions of today are expected to bring, less what they cost", "currency"),
    Quantity("actions_customers", "customers with whom something is to be done today", "customers", counted=True),
    Quantity("left_alone", "customers with whom nothing is to be done today", "customers", counted=True),
)

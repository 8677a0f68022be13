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
        "expected_gain",
        "what the action is expected to bring in from the customer, less its cost; 0 if there is no action",
        "currency",
    ),
    Quantity("expected_cost", "what the action is expected to cost for this customer; 0 if there is no action", "currency"),
    Quantity(
        "potential",
        "what the top fifth of customers who joined about as long ago bring in within 12 months, on average, less what this customer does",
        "currency",
    ),
    Quantity("cost_of_contacts", "cost of contacting the customer in the last 12 months", "currency"),
    Quantity("returned", "value of what the customer returned in the last 12 months", "currency"),
    Quantity("tickets", "complaints and requests from the customer in the last 12 months", "responses", counted=True),
    Quantity("cost_of_returns", "cost of handling the customer’s returns in the last 12 months", "currency"),
    Quantity("cost_of_tickets", "cost of complaints and requests from the customer in the last 12 months", "currency"),
    Quantity("cost_to_serve", "cost of the customer’s contacts, returns and tickets in the last 12 months", "currency"),
    Quantity("referrals", "customers referred by this customer", "customers", counted=True),
    Quantity(
        "referral_value",
        "value of the customers referred by this customer, plus what winning them cost less than winning others",
        "currency",
    ),
    Quantity("actions_worth", "what today’s actions are expected to bring in, less their cost", "currency"),
    Quantity("actions_customers", "customers for whom there is an action today", "customers", counted=True),
    Quantity("left_alone", "customers who are to be left alone today", "customers", counted=True),
    Quantity("undecided", "customers for whom nothing can be decided until a margin is given", "customers", counted=True),
)

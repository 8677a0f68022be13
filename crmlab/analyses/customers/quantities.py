"""What is known of each customer: what criteria ask for, and the columns that are published."""

from __future__ import annotations

from crmlab.analyses.churn import QUANTITIES as CHURN
from crmlab.analyses.customer_value import QUANTITIES as VALUE
from crmlab.analyses.lifecycle import QUANTITIES as LIFECYCLE
from crmlab.analyses.rfm import QUANTITIES as RFM
from crmlab.analyses.triggers import QUANTITIES as TRIGGERS
from crmlab.history.quantities import QUANTITIES as HISTORY
from crmlab.page.quantities import Quantities, Quantity

__all__ = ["QUANTITIES"]

QUANTITIES = Quantities(
    HISTORY.only("customer_id", "days_since_last", "contactable", "refusal"),
    VALUE.only("value", "value_{end}", "tier", "alive", "if_loyal", "value_today", "at_risk", "most_to_spend", "customer_rank"),
    RFM.only("segment"),
    LIFECYCLE.only("state"),
    CHURN.only("churn"),
    TRIGGERS.only("trigger"),
    Quantity("orders", "purchase occasions so far", "purchases", label="number of purchases"),
    Quantity("spend", "what purchase occasions so far add up to", "currency", label="spend so far"),
    Quantity("days_as_customer", "days since the first purchase occasion", "days", label="days as a customer"),
    Quantity(
        "follow_up",
        "whether the customer has asked to be contacted again: due, later, or none where nothing is open",
        "text",
        label="request to be contacted again",
    ),
    Quantity("offer_product", "products to offer next, the best first", "text", label="product to offer"),
    Quantity("offer_chance", "probability that the best offer will be bought", "share", label="chance of the best offer"),
    Quantity("as_of", "last day of the history that the row rests on", "date"),
    Quantity("value_level", "level of the interval of value, such as 0.9", "share"),
    Quantity("currency", "ISO code of the currency; missing if the data set names none", "text"),
    Quantity("next_offers", "product ids to offer next, the best first, separated by blanks", "text"),
    Quantity(
        "triggers",
        "moments as of the day, by name, without those of triggers shown not to work, separated by blanks",
        "text",
    ),
    Quantity(
        "action",
        "what to do with the customer today, one action at most; “leave alone”, “held out” and “undecided” mean no action",
        "text",
    ),
    Quantity("action_reason", "the reason for that action, or for taking none", "text"),
    Quantity("value_model", "model behind value, and its version", "text"),
    Quantity("churn_model", "model behind churn, and its version", "text"),
    Quantity("offer_model", "model behind next_offers, and its version", "text"),
)

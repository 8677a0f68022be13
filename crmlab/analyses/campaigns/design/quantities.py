"""What the report before a campaign says in numbers, and the columns of its lists."""

from __future__ import annotations

from crmlab.analyses.campaigns.quantities import QUANTITIES as CAMPAIGNS
from crmlab.page.quantities import Quantities, Quantity

__all__ = ["QUANTITIES"]

QUANTITIES = Quantities(
    CAMPAIGNS.only("customer_id", "cell_id", "response_code", "offer", "creative", "base", "cost"),
    Quantity("stage", "which step of making the list left the customer out", "text"),
    Quantity("step", "why the customer was left out", "text"),
    Quantity("listed", "customers on the list after criteria and suppression", "customers"),
    Quantity("in_cells", "customers in the test, its control included", "customers"),
    Quantity("expected_profit", "margin expected beyond what comes anyway, less what the contacts cost", "currency"),
    Quantity("expected_effect", "rise expected in the share of people who buy", "share"),
    Quantity("detectable_effect", "smallest rise in the share of people who buy that the test would show", "share"),
    Quantity("pays_from", "rise in the share of people who buy from which every cell pays", "share"),
)

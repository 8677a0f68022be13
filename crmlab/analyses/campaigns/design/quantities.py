"""What the report before a campaign says in numbers, and the columns of its lists."""

from __future__ import annotations

from crmlab.analyses.campaigns.quantities import QUANTITIES as CAMPAIGNS
from crmlab.history.quantities import QUANTITIES as HISTORY
from crmlab.page.quantities import Quantities, Quantity

__all__ = ["QUANTITIES"]

QUANTITIES = Quantities(
    CAMPAIGNS.only("customer_id", "cell_id", "response_code", "offer", "creative", "base"),
    HISTORY.only("contactable", "refusal"),
    Quantity("stage", "the step in making the list at which the customer was left out", "text"),
    Quantity("step", "why the customer was left out", "text"),
    Quantity("listed", "customers on the list after criteria and suppression", "customers", counted=True),
    Quantity("in_cells", "customers in the test, its control included", "customers", counted=True),
    Quantity("contact_cost", "what the contacts of the test cost, fixed costs included", "currency", counted=True),
    Quantity("chance", "probability that the test shows what is expected, of the cell where it is smallest", "share"),
    Quantity("expected_profit", "margin expected beyond what comes anyway, less the cost of contacts and offers", "currency"),
    Quantity(
        "expected_profit_before_offers",
        "margin expected beyond what comes anyway, less the cost of contacts and before that of offers",
        "currency",
    ),
    Quantity("expected_incremental_revenue", "revenue expected beyond what comes anyway, before all costs", "currency"),
    Quantity(
        "expected_break_even_offer",
        "what an offer of unknown cost may cost for each who buys before the test loses money",
        "currency",
    ),
    Quantity("expected_effect", "rise expected in the share of people who buy", "share"),
    Quantity("detectable_effect", "smallest rise in the share of people who buy that the test would show", "share"),
    Quantity("pays_from", "rise in the share of people who buy from which every cell pays", "share"),
)

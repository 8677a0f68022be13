"""What the report after a campaign says in numbers, and the columns of its lists."""

from __future__ import annotations

from crmlab.analyses.campaigns.quantities import QUANTITIES as CAMPAIGNS
from crmlab.page.quantities import Quantities, Quantity, ends_of

__all__ = ["QUANTITIES"]

QUANTITIES = Quantities(
    CAMPAIGNS.only("campaign", "cell", "control", "offer", "list", "creative", "channel"),
    CAMPAIGNS.only("metric", "estimate", "low", "high", "error", "n", "p_value", "base"),
    Quantity("n_control", "customers in the control", "customers"),
    Quantity("mean", "mean of the metric in the cell"),
    Quantity("mean_control", "mean of the metric in the control"),
    Quantity("p_adjusted", "p-value, corrected for the number of cells", "p"),
    Quantity("detectable", "smallest difference that cells of this size would detect in 80 of 100 campaigns"),
    Quantity("method", "how cell and control were compared", "text"),
    Quantity("correction", "how interval and p-value were corrected for the number of cells", "text"),
    Quantity("level", "level of the interval", "share"),
    Quantity("opens", "first day of the campaign", "date"),
    Quantity("effect", "share of people who bought: cell minus control", "share"),
    Quantity("profit_per_contact", "incremental profit of a contact", "currency"),
    ends_of("profit_per_contact", "the incremental profit of a contact", "currency"),
    Quantity("from", "source of the past cell: the data, or the record of past campaigns", "text"),
    Quantity("contacts", "contacts of the campaign in cells with a control", "contacts", counted=True),
    Quantity("cost", "what the campaign cost: contacts, fixed costs, and the offers that were taken", "currency", counted=True),
    Quantity("offer_cost", "what the offers cost, for everybody in their cells who bought", "currency", counted=True),
    Quantity(
        "break_even_offer",
        "what an offer whose cost is not known may cost per buyer before the campaign loses money",
        "currency",
    ),
    Quantity("incremental_revenue", "revenue that would not have come without the campaign: cells minus controls", "currency"),
    Quantity(
        "profit_before_offers",
        "what would not have been earned without the contact, after the cost of contacts and before that of the offers",
        "currency",
    ),
    Quantity("response", "share of people who bought because of the contact: cells minus controls", "share"),
    Quantity("incremental_margin", "margin that would not have come without the campaign: cells minus controls", "currency"),
    Quantity(
        "incremental_profit",
        "what would not have been earned without the contact, after its cost and that of the offer: cell minus control",
        "currency",
    ),
    Quantity("first_outcome", "the first outcome of a test in one file, in the clearest cell: cell minus control"),
    Quantity(
        "outcomes_better", "comparisons of a cell with its control that show it to be better", "comparisons", counted=True
    ),
    Quantity(
        "test_profit",
        "what the cell of a test in one file that earned most surely brought, after the cost of contacts",
        "currency",
    ),
    Quantity("cost_per_outcome", "what one more customer with the first outcome of a test in one file cost", "currency"),
    Quantity("cells_that_earned", "cells that are shown to have earned more than they cost", "cells", counted=True),
    Quantity("sample_ratio", "how likely it is that cell sizes would be this far from the plan by chance", "p", counted=True),
    Quantity(
        "qini",
        "what ranking a list adds compared with contacting in random order, averaged over all shares contacted, per 1,000 customers on "
        "the list",
        "currency",
        label="Qini",
    ),
)

"""What the report on churn says in numbers, and the columns of its list."""

from __future__ import annotations

from crmlab.analyses.customer_value import QUANTITIES as VALUE
from crmlab.history.quantities import QUANTITIES as HISTORY
from crmlab.page.quantities import Quantities, Quantity

__all__ = ["QUANTITIES"]

QUANTITIES = Quantities(
    HISTORY.only("customer_id", "days_since_last", "contactable", "refusal"),
    VALUE.only("tier", "if_loyal"),
    Quantity("churn", "probability of no purchase in the whole window", "share", label="probability of churn"),
    Quantity(
        "last_year_spend",
        "spend of the last 365 days, which stands in for value where no model of it could be fitted",
        "currency",
        counted=True,
    ),
    Quantity(
        "at_stake",
        "what the next 365 days would bring if loyal, multiplied by the share of a year for which those who churn stay away: margin, or "
        "revenue where no margin is known",
        "currency",
    ),
    Quantity("expected_loss", "probability of churn multiplied by what is at stake", "currency"),
    Quantity("expected_loss_total", "expected loss of all eligible customers together", "currency"),
    Quantity(
        "profit_of_contact",
        "what contacting is expected to save minus what it costs; empty where no margin is known",
        "currency",
    ),
    Quantity(
        "profit_of_contact_total", "total profit from contacting all who would be worth contacting and may be", "currency"
    ),
    Quantity(
        "keeping_pays", "whether an offer to keep the customer would pay if the assumed share accept; if not, why not", "text"
    ),
    Quantity(
        "reason_{n}",
        "reason {n} for the probability: a fact, and whether it raises or lowers it",
        "text",
        values={"n": "123"},
    ),
    Quantity("eligible", "customers seen recently enough to be scored", "customers", counted=True),
    Quantity("expected_churners", "eligible customers expected to make no purchase in the whole window", "customers"),
    Quantity("worth_contacting", "customers who would be worth contacting and may be", "customers"),
    Quantity(
        "break_even_margin",
        "margin at which contacting breaks even for half of the eligible customers who may be contacted",
        "share",
    ),
    Quantity(
        "test_profit_per_customer",
        "what contacting by these scores would have earned per customer, on the test day",
        "currency",
    ),
    Quantity("test_auc", "chance that a customer who churned was scored above one who did not, on the test day", "share"),
    Quantity("test_brier", "mean squared difference between probability and outcome, on the test day", "share"),
    Quantity(
        "test_calibration_slope",
        "slope of outcome on score, on the test day: 1 where scores are neither too extreme nor too timid",
    ),
    Quantity("test_top_decile_lift", "churn among the tenth with the highest scores over that of all, on the test day"),
)

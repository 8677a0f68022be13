"""What the report on churn says in numbers, and the columns of its list."""

from __future__ import annotations

from crmlab.analyses.customer_value import QUANTITIES as VALUE
from crmlab.history.quantities import QUANTITIES as HISTORY
from crmlab.page.quantities import Quantities, Quantity

__all__ = ["QUANTITIES"]

QUANTITIES = Quantities(
    HISTORY.only("customer_id", "days_since_last", "contactable"),
    VALUE.only("tier"),
    Quantity("churn", "probability that the customer does not buy within the window", "share", label="probability of churn"),
    Quantity("if_loyal", "margin expected in the next 365 days if the customer is certainly still active", "currency"),
    Quantity(
        "at_stake",
        "margin of the next 365 days if loyal, times the share of a year for which a churned customer is away",
        "currency",
    ),
    Quantity("expected_loss", "probability of churn times what is at stake", "currency"),
    Quantity("profit_of_contact", "what contacting earns less what it costs; of all together, where it pays", "currency"),
    Quantity("action", "what to do: contact, or why not", "text"),
    Quantity(
        "reason_{n}",
        "what moves the probability, reason {n}: a fact, and whether it raises or lowers",
        "text",
        values={"n": "123"},
    ),
    Quantity("eligible", "customers who bought lately enough to be scored", "customers"),
    Quantity("expected_churners", "eligible customers expected not to buy within the window", "customers"),
    Quantity("worth_contacting", "customers whom it pays to contact", "customers"),
    Quantity(
        "test_profit_per_customer",
        "what contacting by these scores would have earned per customer, on the test's day",
        "currency",
    ),
    Quantity("test_auc", "chance that a customer who churned was scored above one who did not, on the test's day", "share"),
    Quantity("test_brier", "mean squared difference between probability and outcome, on the test's day", "share"),
    Quantity(
        "test_calibration_slope",
        "slope of outcome on score, on the test's day: 1 where scores are neither too extreme nor too timid",
    ),
    Quantity("test_top_decile_lift", "churn among the tenth with the highest scores over that of all, on the test's day"),
)

"""What the report on customer value says in numbers, and the columns of its list."""

from __future__ import annotations

from crmlab.analyses.customer_value.tiers import TIERS
from crmlab.history.quantities import QUANTITIES as HISTORY
from crmlab.page.quantities import Quantities, Quantity, ends_of

_TIERS = {"tier": tuple(TIERS)}

__all__ = ["QUANTITIES"]

QUANTITIES = Quantities(
    HISTORY.only("customer_id", "customer_base"),
    Quantity("frequency", "repeat purchase occasions: occasions less the first", "purchases"),
    Quantity("recency", "time from the first to the last purchase occasion", "weeks or years"),
    Quantity("age", "time from the first purchase occasion to the last day of history", "weeks or years"),
    Quantity(
        "tier",
        "customers by value: A the top tenth, B the next fifth, C the next three tenths, D the rest",
        "text",
        label="value tier",
    ),
    Quantity("value", "discounted margin that the customer is expected to bring", "currency", label="value still to come"),
    ends_of("value", "the value that this one customer will bring", "currency"),
    Quantity("alive", "probability of being a customer still", "share", label="probability of being a customer"),
    ends_of("alive", "the probability of being a customer still", "share"),
    Quantity("expected_purchases", "purchases expected within the horizon", "purchases", 3),
    ends_of("purchases", "the purchases of this one customer", "purchases"),
    Quantity("next_from", "first day of the range in which the next purchase is expected", "date"),
    Quantity("next_to", "last day of the range in which the next purchase is expected; empty: none may come", "date"),
    Quantity(
        "value_at_risk",
        "value if certainly still a customer, less value as things stand: the most that keeping the customer can be worth",
        "currency",
    ),
    Quantity("value_at_risk_{tier}", "mean value at risk of a customer of tier {tier}", "currency", values=_TIERS),
    Quantity("value_tier_{tier}", "value of all customers of tier {tier}", "currency", values=_TIERS),
    Quantity("value_total", "value of all customers together", "currency"),
    Quantity("value_within_horizon", "the part of the value that is expected within the horizon", "currency"),
    Quantity("value_share_top_tenth", "share of the value that the tenth of customers with the highest value brings", "share"),
    Quantity("customers_alive", "customers expected to be customers still", "customers"),
    Quantity("holdout_bias", "how far the forecast of a time already known was off, as a share of what came", "share"),
    Quantity(
        "holdout_gini", "how well the forecast ranked customers by what they then spent: 1 perfectly, 0 not at all", "share"
    ),
    Quantity("holdout_covered", "share of customers who then bought as often as their interval said", "share"),
)

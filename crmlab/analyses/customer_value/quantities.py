"""What the report on customer value says in numbers, and the columns of its list."""

from __future__ import annotations

from crmlab.analyses.customer_value.tiers import TIERS
from crmlab.history.quantities import QUANTITIES as HISTORY
from crmlab.page.quantities import Quantities, Quantity, ends_of

_TIERS = {"tier": tuple(TIERS)}
_YEARLY = {"if_loyal": "if loyal", "value_today": "value today", "at_risk": "at risk"}

__all__ = ["QUANTITIES"]

QUANTITIES = Quantities(
    HISTORY.only("customer_id", "customer_base", "contactable", "refusal"),
    Quantity("frequency", "number of purchase occasions after the first", "purchases"),
    Quantity("recency", "time from the first to the last purchase occasion", "weeks or years"),
    Quantity("age", "time from the first purchase occasion to the last day of history", "weeks or years"),
    Quantity(
        "tier",
        "customers by value: A the top tenth, B the next fifth, C the next three tenths, D the rest",
        "text",
        label="value tier",
    ),
    Quantity(
        "value",
        "what the customer is expected to bring, discounted: margin, or revenue where no margin is known",
        "currency",
        label="value still to come",
    ),
    ends_of("value", "this customer’s value", "currency"),
    Quantity("alive", "P(alive): the probability of still being a customer", "share", label="probability of being a customer"),
    ends_of("alive", "the probability of still being a customer", "share"),
    Quantity(
        "expected_purchases",
        "purchases expected within the forecast period: the next 12 months (with yearly rounds, 3 years), unless another was "
        "chosen",
        "purchases",
        3,
    ),
    Quantity(
        "expected_purchases_total", "purchases of all customers together, expected within the forecast period", "purchases"
    ),
    ends_of("purchases", "this customer’s purchases in the forecast period", "purchases"),
    Quantity("next_from", "first day of the range in which the next purchase is expected", "date"),
    Quantity(
        "next_to",
        "last day of the range in which the next purchase is expected; empty if there may be no further purchase",
        "date",
    ),
    Quantity(
        "if_loyal",
        "what the customer is expected to bring in the next 365 days if they are still a customer today: "
        "margin, or revenue where no margin is known",
        "currency",
        label="if loyal",
    ),
    Quantity(
        "value_today",
        "what the customer is expected to bring in the next 365 days as things stand, that is, P(alive) multiplied by “if loyal”: "
        "margin, or revenue where no margin is known",
        "currency",
    ),
    Quantity("at_risk", "“if loyal” minus “value today”: the part that may already be lost", "currency"),
    Quantity(
        "most_to_spend",
        "the most that an effort to keep the customer can be worth if it always works: P(alive) multiplied by “at risk”, but no more than "
        "the value; 0 for customers who must not be contacted; where no margin is known, in revenue, of which only the margin may be spent",
        "currency",
    ),
    Quantity(
        "customer_rank",
        "rank among all customers (1 is the highest), by value or in the order of a method shown to rank them better",
        "place",
    ),
    Quantity("{name}_total", "{name} of all customers together", "currency", values={"name": _YEARLY}),
    Quantity("at_risk_tier_{tier}", "value at risk of all customers of tier {tier}", "currency", values=_TIERS),
    Quantity(
        "most_to_spend_tier_{tier}",
        "mean of “most to spend” over the customers of tier {tier} who may be contacted",
        "currency",
        values=_TIERS,
    ),
    Quantity("value_tier_{tier}", "value of all customers of tier {tier}", "currency", values=_TIERS),
    Quantity("value_total", "value of all customers together", "currency"),
    Quantity("value_within_horizon", "the part of the value that is expected within the forecast period", "currency"),
    Quantity("value_share_{tier}", "share of the value that customers of tier {tier} bring", "share", values=_TIERS),
    Quantity(
        "season_{end}",
        "purchases in the four weeks in a row that bring {end}, relative to four mean weeks",
        "times the mean",
        values={"end": {"peak": "most", "trough": "fewest"}},
    ),
    Quantity("level_change", "change of the level in a year, leaving aside season and time since customers joined", "share"),
    Quantity("customers_alive", "customers expected to still be customers", "customers"),
    Quantity(
        "target", "what was forecast: the number of purchases, or their amount (“spend”)", "text", label="what was forecast"
    ),
    Quantity("periods_ahead", "how far ahead forecasts were made, in weeks or years", "weeks or years"),
    Quantity(
        "forecaster", "what made the forecast: a purchase model, a simple rule, machine learning, or a blend of two", "text"
    ),
    Quantity("origins", "number of earlier days on which forecasts were made", "origins", counted=True),
    Quantity("gini", "how well the forecasts ranked customers: 1 is perfect, 0 is random; mean over earlier days"),
    ends_of("gini", "the Gini of the ranking of customers"),
    Quantity("total_ratio", "total forecast relative to the actual total, all earlier days together: 1 is right"),
    ends_of("total_ratio", "the total forecast relative to the actual total"),
    Quantity(
        "total_error", "how far the forecast total was from the actual one, as a share of it; mean over earlier days", "share"
    ),
    Quantity("mean_error", "mean absolute error of the forecasts for individual customers, in purchases or in the currency"),
    ends_of("mean_error", "the mean absolute error of the forecasts for individual customers"),
    Quantity(
        "{aim}_shown",
        "“better” or “worse” where clearly so compared with the forecast used, {aim}; otherwise empty",
        "text",
        values={"aim": {"rank": "in ranking customers", "total": "in the total", "error": "for individual customers"}},
    ),
    Quantity(
        "totals_held",
        "share of earlier days on which the interval contained the actual total; empty if there is no interval",
        "share",
    ),
    Quantity(
        "interval_width", "width of the interval of the total, as a share of the actual one; mean over earlier days", "share"
    ),
    Quantity(
        "interval_score",
        "interval score of the total, as a share of the actual one, the lower the better; mean over earlier days",
        "share",
    ),
    Quantity(
        "singles_covered",
        "share of customers whose number of purchases fell within their own interval; empty if there is no interval",
        "share",
    ),
    ends_of("singles_covered", "the share of customers whose number of purchases fell within their own interval", "share"),
    Quantity("holdout_bias", "how far a forecast of a period already known was off, as a share of the actual figure", "share"),
    Quantity(
        "holdout_gini", "how well the forecast ranked customers by what they then brought: 1 is perfect, 0 is random", "share"
    ),
    Quantity("holdout_covered", "share of customers whose number of purchases then fell within their interval", "share"),
)

"""What an analyst may choose for churn, and what the data must hold."""

from __future__ import annotations

from crmlab.models.intervals import LEVEL
from crmlab.page.params import Day, declared, param

__all__ = ["NEEDS", "Params"]

NEEDS = ("orders", "customer ids")


@declared("churn")
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: Day | None = param(default=None, help="last day of history (YYYY-MM-DD); default: the day of the last order")
    window: int | None = param(
        default=None,
        help="days of silence that count as churn; default: the 90% gap, or a sixth of the history if that is less; "
        "a year where customers buy in yearly rounds",
        ge=1,
        unit="days",
    )
    active_within: int | None = param(
        default=None,
        help="days within which a customer must have bought to be counted; default: twice the window",
        ge=1,
        unit="days",
    )
    margin: float | None = param(
        default=None,
        help="gross margin, share of spend that is kept; default: that of the data set's file, else from unit costs; "
        "otherwise all sums are revenue",
        gt=0,
        le=1,
        unit="share",
    )
    contact_cost: float | None = param(
        default=None, help="cost of contacting one customer; default: the median of past cells, else 0.5", gt=0, unit="money"
    )
    offer_cost: float | None = param(
        default=None,
        help="cost of the offer to one who accepts it; default: the median of past offers that cost something, else 10",
        gt=0,
        unit="money",
    )
    accept: float = param(
        default=0.3,
        help="share of would-be leavers who accept the offer and stay; a guess until it is tested",
        gt=0,
        lt=1,
        unit="share",
    )
    level: float = param(default=LEVEL, help="level of every interval", gt=0, lt=1, unit="share")
    min_group: int = param(default=5, help="smaller groups are not shown", ge=1, unit="customers")
    seed: int = param(default=0, help="random seed for models, shuffles and draws", ge=0)

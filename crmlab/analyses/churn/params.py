"""What an analyst may choose for churn."""

from __future__ import annotations

from crmlab.models.intervals import LEVEL
from crmlab.page.params import Day, declared, param

__all__ = ["Params"]


@declared("churn")
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: Day | None = param(default=None, help="last day of history, ISO date; default: the last order's day")
    window: int | None = param(
        default=None,
        help="days without a purchase that count as churn; default: the 90 % gap, or a sixth of history if less",
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
        help="gross margin, share of spend that is kept; default: from unit costs, else value is revenue",
        gt=0,
        le=1,
        unit="share",
    )
    contact_cost: float = param(default=1.0, help="cost of contacting one customer", gt=0, unit="money")
    offer_cost: float = param(default=10.0, help="cost of the offer to one who accepts it", gt=0, unit="money")
    accept: float = param(
        default=0.3,
        help="share of would-be leavers who accept the offer and stay; a guess until it is tested",
        gt=0,
        lt=1,
        unit="share",
    )
    level: float = param(default=LEVEL, help="of every interval", gt=0, lt=1, unit="share")
    min_group: int = param(default=5, help="smaller groups are not shown", ge=1, unit="customers")
    seed: int = param(default=0, help="of models, shuffles and draws", ge=0)

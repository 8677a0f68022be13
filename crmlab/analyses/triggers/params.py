"""What an analyst may choose for triggers, and what the data must hold."""

from __future__ import annotations

from crmlab.history.words import YEAR
from crmlab.models.intervals import LEVEL
from crmlab.page.params import Day, declared, param

__all__ = ["NEEDS", "Params"]

NEEDS = ("orders", "customer ids")


@declared("triggers")
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: Day | None = param(default=None, help="last day of history (YYYY-MM-DD); default: the day of the last order")
    quantile: float = param(
        default=0.8, help="a customer is overdue once the chance of having bought by now exceeds this", gt=0, lt=1, unit="share"
    )
    window: int | None = param(
        default=None,
        help="days within which what a trigger predicts must come true; default: enough for three in four of those who buy again",
        ge=1,
        le=YEAR,
        unit="days",
    )
    fresh: int | None = param(
        default=None,
        help="days for which a moment counts as today’s; default: a quarter of the window, 28 at most",
        ge=1,
        le=YEAR,
        unit="days",
    )
    respond: int | None = param(
        default=None,
        help="days after a moment by which to act; default: half of the window, 56 at most",
        ge=1,
        le=YEAR,
        unit="days",
    )
    level: float = param(default=LEVEL, help="level of every interval", gt=0, lt=1, unit="share")
    min_group: int = param(default=5, help="fewer customers are not counted on the page", ge=1, unit="customers")

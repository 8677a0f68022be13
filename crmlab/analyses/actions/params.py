"""What an analyst may choose for actions, and what the data must hold; what may be done, within which limits, stands in their file."""

from __future__ import annotations

from crmlab.models.intervals import LEVEL
from crmlab.page.params import Day, declared, param

__all__ = ["DECIDING", "NEEDS", "SECTIONS", "Params"]

NEEDS = ("orders", "customer ids")
DECIDING = ("action", "segment_goal", "limits", "holdout")  # sections of the TOML file that decisions rest on
SECTIONS = (*DECIDING, "service")


@declared("actions")
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: Day | None = param(default=None, help="last day of history (YYYY-MM-DD); default: the day of the last order")
    weeks: int = param(default=8, help="length of the calendar", ge=4, le=12, unit="weeks")
    margin: float | None = param(
        default=None,
        help="gross margin, share of spend that is kept; default: that of the data set's file, else from unit costs",
        gt=0,
        le=1,
        unit="share",
    )
    budget: float | None = param(
        default=None, help="money for the actions of one day; default: that of [limits], else no limit", ge=0, unit="money"
    )
    level: float = param(default=LEVEL, help="level of every interval", gt=0, lt=1, unit="share")
    min_group: int = param(default=5, help="smaller groups are not shown", ge=1, unit="customers")
    seed: int = param(default=0, help="random seed for models and draws", ge=0)

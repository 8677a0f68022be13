"""What an analyst may choose for the lifecycle, and what the data must hold."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from crmlab.errors import ParameterError
from crmlab.models.intervals import LEVEL
from crmlab.page.params import Day, declared, param

__all__ = ["LEAST_PERIODS", "NEEDS", "QUANTILES", "STEPS", "Params"]

NEEDS = ("orders", "customer ids")


STEPS = {1: ("month", "months"), 3: ("quarter", "quarters"), 12: ("year", "years")}
QUANTILES = (0.75, 0.9, 0.975)  # of the gaps between purchases: of slowing, lapsed and lost
LEAST_PERIODS = 3  # of moves, before anything is projected


@declared("lifecycle")
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: Day | None = param(default=None, help="last day of history (YYYY-MM-DD); default: the day of the last order")
    slowing: float = param(
        default=QUANTILES[0],
        help="quantile of the gaps between purchases after which a customer is slowing",
        gt=0,
        lt=1,
        unit="share",
    )
    lapsed: float = param(default=QUANTILES[1], help="the same for lapsed", gt=0, lt=1, unit="share")
    lost: float = param(default=QUANTILES[2], help="the same for lost", gt=0, lt=1, unit="share")
    slowing_days: int | None = param(
        default=None, help="days after which a customer is slowing; default: from the quantile", ge=1, unit="days"
    )
    lapsed_days: int | None = param(default=None, help="the same for lapsed", ge=1, unit="days")
    lost_days: int | None = param(default=None, help="the same for lost", ge=1, unit="days")
    own_from: int | None = param(
        default=6, help="number of purchases from which a customer's own rhythm is used; None: never", ge=3, unit="purchases"
    )
    step: Literal[1, 3, 12] | None = param(
        default=None,
        help="months between the dates compared, 1, 3 or 12; default: 1, with yearly rounds 12",
        unit="months",
        must="1, 3 or 12 months",
    )
    periods: int = param(default=24, help="how many steps to look back, where the history is that long", ge=1, le=120)
    horizon: int | None = param(default=None, help="steps to project; default: a year, with yearly steps 3", ge=1, le=120)
    rate: float = param(default=0.1, help="annual discount rate (0.1 is 10% a year)", gt=0, le=1, unit="share")
    margin: float | None = param(
        default=None,
        help="gross margin, share of spend that is kept; default: from unit costs; otherwise value is revenue",
        gt=0,
        le=1,
        unit="share",
    )
    level: float = param(default=LEVEL, help="level of every interval", gt=0, lt=1, unit="share")
    min_group: int = param(default=5, help="smaller groups are merged or left out", ge=1, unit="customers")
    seed: int = param(default=0, help="random seed for what is drawn", ge=0)

    def __post_init__(self) -> None:
        given = [name for name in ("slowing_days", "lapsed_days", "lost_days") if getattr(self, name) is not None]
        for early, late in (*pairwise(("slowing", "lapsed", "lost")), *pairwise(given)):
            if getattr(self, early) >= getattr(self, late):
                raise ParameterError.expected(
                    "lifecycle", late, f"above '{early}', {getattr(self, early)}", getattr(self, late)
                )

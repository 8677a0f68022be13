"""What an analyst may choose for customer value, among which models, and what the data must hold."""

from __future__ import annotations

from typing import Literal

from crmlab.models.intervals import LEVEL
from crmlab.page.params import Day, declared, param

__all__ = ["NAMES", "NEEDS", "Params"]

NEEDS = ("orders", "amounts", "customer ids")


NAMES = {"mbg_nbd": "MBG/NBD", "pareto_nbd": "Pareto/NBD", "bg_nbd": "BG/NBD", "bg_bb": "BG/BB"}


@declared("customer_value")
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: Day | None = param(default=None, help="last day of history (YYYY-MM-DD); default: the day of the last order")
    holdout: int | None = param(
        default=None, help="weeks (with yearly rounds: years) kept back to check forecasts; default: a third, at most 52", ge=1
    )
    horizon: int | None = param(
        default=None, help="weeks (years) over which purchases are expected; default: 12 months (365 days), or 3 years", ge=1
    )
    model: Literal["mbg_nbd", "pareto_nbd", "bg_nbd", "bg_bb"] | None = param(
        default=None,
        help="mbg_nbd, pareto_nbd, bg_nbd or, with rounds, bg_bb; default: the best on the holdout period, bg_nbd only if clearly so",
    )
    rate: float = param(default=0.1, help="annual discount rate (0.1 is 10% a year)", gt=0, le=1, unit="share")
    margin: float | None = param(
        default=None,
        help="gross margin, share of spend that is kept; default: from unit costs; otherwise value is revenue",
        gt=0,
        le=1,
        unit="share",
    )
    unseen_season: float = param(
        default=0.3,
        help="where no season can be learnt yet: the season that intervals allow for; 0.3 means weeks at 70 to 130% of the mean",
        ge=0,
        lt=1,
        unit="share",
    )
    level: float = param(default=LEVEL, help="level of every interval", gt=0, lt=1, unit="share")
    min_group: int = param(
        default=5, help="each group of the calibration has at least this many customers", ge=1, unit="customers"
    )
    seed: int = param(default=0, help="random seed for the posterior draws", ge=0)

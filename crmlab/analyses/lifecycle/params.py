"""What an analyst may choose for the lifecycle."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from crmlab.analyses.lifecycle.rhythm import QUANTILES
from crmlab.errors import ParameterError
from crmlab.page import params as checks

__all__ = ["LEAST_PERIODS", "STEPS", "Params"]


STEPS = {1: ("month", "months"), 3: ("quarter", "quarters"), 12: ("year", "years")}
LEAST_PERIODS = 3  # of moves, before anything is projected


@dataclass(frozen=True, kw_only=True)
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: str | None = None  # last day of history, ISO date; default: the last order's day
    slowing: float = QUANTILES[0]  # quantile of the gaps between purchases after which a customer is slowing
    lapsed: float = QUANTILES[1]  # the same for lapsed
    lost: float = QUANTILES[2]  # the same for lost
    slowing_days: int | None = None  # days after which a customer is slowing; default: from the quantile
    lapsed_days: int | None = None  # the same for lapsed
    lost_days: int | None = None  # the same for lost
    own_from: int | None = 6  # purchases from which a customer has a rhythm of their own; None: nobody has
    step: int | None = None  # months between the dates compared, 1, 3 or 12; default: 1, with yearly rounds 12
    periods: int = 24  # how many steps to look back, where the history is that long
    horizon: int | None = None  # steps to project; default: a year, with yearly steps 3
    rate: float = 0.1  # annual rate of discount: 0.1 is ten percent a year
    margin: float | None = None  # gross margin, share of spend that is kept; default: from unit costs, else value is revenue
    level: float = 0.9  # of every interval
    min_group: int = 5  # smaller groups are merged or left out
    seed: int = 0  # of what is drawn

    def __post_init__(self) -> None:
        checks.day("lifecycle", "as_of", self.as_of)
        for name in ("slowing", "lapsed", "lost"):
            checks.share("lifecycle", name, getattr(self, name))
        for early, late in pairwise(("slowing", "lapsed", "lost")):
            if getattr(self, early) >= getattr(self, late):
                raise ParameterError.expected(
                    "lifecycle", late, f"above '{early}', {getattr(self, early)}", getattr(self, late)
                )
        given = [name for name in ("slowing_days", "lapsed_days", "lost_days") if getattr(self, name) is not None]
        for name in given:
            checks.whole("lifecycle", name, getattr(self, name), 1)
        for early, late in pairwise(given):
            if getattr(self, early) >= getattr(self, late):
                raise ParameterError.expected(
                    "lifecycle", late, f"above '{early}', {getattr(self, early)}", getattr(self, late)
                )
        if self.own_from is not None:
            checks.whole("lifecycle", "own_from", self.own_from, 3)
        if self.step is not None and (isinstance(self.step, bool) or self.step not in STEPS):
            raise ParameterError.expected("lifecycle", "step", "1, 3 or 12 months", self.step)
        checks.whole("lifecycle", "periods", self.periods, 1, 120)
        if self.horizon is not None:
            checks.whole("lifecycle", "horizon", self.horizon, 1, 120)
        checks.positive("lifecycle", "rate", self.rate, 1)
        if self.margin is not None:
            checks.positive("lifecycle", "margin", self.margin, 1)
        checks.share("lifecycle", "level", self.level)
        checks.whole("lifecycle", "min_group", self.min_group, 1)
        checks.whole("lifecycle", "seed", self.seed, 0)

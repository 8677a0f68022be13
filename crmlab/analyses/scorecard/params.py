"""What an analyst may choose for the scorecard."""

from __future__ import annotations

from dataclasses import dataclass

from crmlab.analyses.scorecard.board import unit_of
from crmlab.page import params as checks

__all__ = ["Params"]


@dataclass(frozen=True, kw_only=True)
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: str | None = None  # last day of history, ISO date; default: the last order's day
    period: str | None = (
        None  # such as "13 weeks" or "30 days" up to the last day, or "month", "quarter", "year"; default: 13 weeks
    )
    margin: float | None = None  # gross margin, share of revenue that is kept; default: from unit costs
    serve_cost: float | None = None  # cost of serving one order, in the currency; default: not known
    rate: float = 0.1  # annual rate of discount: 0.1 is ten percent a year
    level: float = 0.9  # of every interval
    min_group: int = 5  # groups of fewer customers are not shown
    seed: int = 0  # of models and draws

    def __post_init__(self) -> None:
        checks.day("scorecard", "as_of", self.as_of)
        if self.period is not None:
            unit_of(self.period)
        if self.margin is not None:
            checks.positive("scorecard", "margin", self.margin, 1)
        if self.serve_cost is not None:
            checks.positive("scorecard", "serve_cost", self.serve_cost)
        checks.positive("scorecard", "rate", self.rate, 1)
        checks.share("scorecard", "level", self.level)
        checks.whole("scorecard", "min_group", self.min_group, 1)
        checks.whole("scorecard", "seed", self.seed, 0)

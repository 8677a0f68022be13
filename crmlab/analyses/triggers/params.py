"""What an analyst may choose for triggers."""

from __future__ import annotations

from dataclasses import dataclass

from crmlab.page import params as checks

__all__ = ["Params"]


@dataclass(frozen=True, kw_only=True)
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: str | None = None  # last day of history, ISO date; default: the last order's day
    quantile: float = 0.8  # chance of a purchase by now, from which a customer without one is overdue
    fresh: int = 7  # days for which a moment counts as today's
    respond: int = 14  # days after a moment by which to act
    window: int = 28  # days within which what a trigger predicts must come true
    level: float = 0.9  # of every interval
    min_group: int = 5  # fewer customers are not counted on the page
    seed: int = 0  # of the model's draws

    def __post_init__(self) -> None:
        checks.day("triggers", "as_of", self.as_of)
        checks.share("triggers", "quantile", self.quantile)
        for name in ("fresh", "respond", "window"):
            checks.whole("triggers", name, getattr(self, name), 1, 365)
        checks.share("triggers", "level", self.level)
        checks.whole("triggers", "min_group", self.min_group, 1)
        checks.whole("triggers", "seed", self.seed, 0)

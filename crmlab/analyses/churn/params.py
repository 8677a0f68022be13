"""What an analyst may choose for churn."""

from __future__ import annotations

from dataclasses import dataclass

from crmlab.page import params as checks

__all__ = ["Params"]


@dataclass(frozen=True, kw_only=True)
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: str | None = None  # last day of history, ISO date; default: the last order's day
    window: int | None = (
        None  # days without a purchase that count as churn; default: the 90 % gap, or a sixth of history if less
    )
    active_within: int | None = None  # days within which a customer must have bought to be counted; default: twice the window
    margin: float | None = None  # gross margin, share of spend that is kept; default: from unit costs, else value is revenue
    contact_cost: float = 1.0  # cost of contacting one customer
    offer_cost: float = 10.0  # cost of the offer to one who accepts it
    accept: float = 0.3  # share of would-be leavers who accept the offer and stay; a guess until it is tested
    level: float = 0.9  # of every interval
    min_group: int = 5  # smaller groups are not shown
    seed: int = 0  # of models, shuffles and draws

    def __post_init__(self) -> None:
        checks.day("churn", "as_of", self.as_of)
        for name in ("window", "active_within"):
            if getattr(self, name) is not None:
                checks.whole("churn", name, getattr(self, name), 1)
        if self.margin is not None:
            checks.positive("churn", "margin", self.margin, 1)
        checks.positive("churn", "contact_cost", self.contact_cost)
        checks.positive("churn", "offer_cost", self.offer_cost)
        checks.share("churn", "accept", self.accept)
        checks.share("churn", "level", self.level)
        checks.whole("churn", "min_group", self.min_group, 1)
        checks.whole("churn", "seed", self.seed, 0)

"""What an analyst may choose for the results of a campaign."""

from __future__ import annotations

from dataclasses import dataclass

from crmlab.models.testing.max_t import CORRECTIONS
from crmlab.models.testing.sequential import KINDS
from crmlab.page import params as checks

__all__ = ["Params"]


@dataclass(frozen=True, kw_only=True)
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    campaign: str | None = None  # which campaign; default: the last whose windows are over, else the last that began
    as_of: str | None = None  # last day of history, ISO date; default: the last order's day
    correction: str = "max-t"  # for several cells: "max-t", "holm" (Bonferroni's intervals) or "none"
    level: float = 0.95  # of every interval
    adjust: bool = True  # take off what spend in the year before the contact differed by; for money only
    margin: float | None = None  # gross margin, share of spend that is kept; default: from unit costs, else margin is revenue
    looks: int | None = (
        None  # looks at the campaign so far, this one included; default: those in the campaign memory, and this one
    )
    boundary: str = "lan-demets-obf"  # of a campaign that is looked at more than once: or "lan-demets-pocock"
    min_group: int = 5  # cells and segments of fewer customers are not shown
    seed: int = 0  # decides which households are scored together

    def __post_init__(self) -> None:
        checks.day("campaign_results", "as_of", self.as_of)
        checks.choice("campaign_results", "correction", self.correction, CORRECTIONS)
        checks.share("campaign_results", "level", self.level)
        if self.margin is not None:
            checks.positive("campaign_results", "margin", self.margin, 1)
        if self.looks is not None:
            checks.whole("campaign_results", "looks", self.looks, 1, 50)
        checks.choice("campaign_results", "boundary", self.boundary, [kind for kind in KINDS if kind.startswith("lan")])
        checks.whole("campaign_results", "min_group", self.min_group, 1)
        checks.whole("campaign_results", "seed", self.seed, 0)

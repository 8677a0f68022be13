"""What an analyst may choose for the results of a campaign, and what the data must hold."""

from __future__ import annotations

from typing import Literal

from crmlab.analyses.campaigns.looks import BOUNDARY
from crmlab.models.intervals import TEST_LEVEL
from crmlab.page.params import Day, declared, param

__all__ = ["NEEDS", "SUFFICES", "Params"]

NEEDS = ("cells", "contacts", "orders", "amounts", "customer ids")
SUFFICES = "test"  # a test in one file needs nothing else


@declared("campaign_results")
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    campaign: str | None = param(
        default=None, help="which campaign; default: the last whose windows are over, else the last that began"
    )
    as_of: Day | None = param(default=None, help="last day of history (YYYY-MM-DD); default: the day of the last order")
    correction: Literal["max-t", "holm", "none"] = param(
        default="max-t", help="""for several cells: "max-t", "holm" (Bonferroni's intervals) or "none\""""
    )
    level: float = param(default=TEST_LEVEL, help="level of every interval", gt=0, lt=1, unit="share")
    adjust: bool = param(default=True, help="correct for differences in spending in the year before contact (money only)")
    margin: float | None = param(
        default=None,
        help="gross margin, share of spend that is kept; default: from unit costs; otherwise margin is revenue",
        gt=0,
        le=1,
        unit="share",
    )
    looks: int | None = param(
        default=None,
        help="looks at the campaign so far, this one included; default: those in the campaign memory, and this one",
        ge=1,
        le=50,
    )
    boundary: Literal["lan-demets-obf", "lan-demets-pocock"] = param(
        default=BOUNDARY, help='of a campaign that is looked at more than once: or "lan-demets-pocock"'
    )
    min_group: int = param(default=5, help="cells and segments of fewer customers are not shown", ge=1, unit="customers")
    seed: int = param(default=0, help="decides which households are scored together", ge=0)

"""What an analyst may choose for data quality, and what the data must hold."""

from __future__ import annotations

from crmlab.history.words import YEAR
from crmlab.page.params import Day, declared, param

__all__ = ["NAMES_CUSTOMERS", "NEEDS", "Params"]

NEEDS = ("orders",)
NAMES_CUSTOMERS = True


@declared("data_quality")
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: Day | None = param(default=None, help="last day of history (YYYY-MM-DD); default: the day of the last order")
    stale_after: int = param(
        default=YEAR, help="days without a purchase after which a customer counts as stale", ge=1, unit="days"
    )
    largest: int = param(default=10, help="how many of the largest orders are shown, 1 to 20", ge=1, le=20)

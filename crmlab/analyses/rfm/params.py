"""What an analyst may choose for the segments, and what the data must hold."""

from __future__ import annotations

import datetime as dt

from crmlab.errors import ParameterError
from crmlab.history.words import QUARTER, YEAR
from crmlab.page.params import Day, declared, param

__all__ = ["NEEDS", "Params"]

NEEDS = ("orders", "customer ids")


@declared("rfm")
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: Day | None = param(default=None, help="last day of history (YYYY-MM-DD); default: the day of the last order")
    compare_to: Day | None = param(
        default=None,
        help=f"an earlier day (YYYY-MM-DD), against which to show who has moved; default: {QUARTER} days before as_of, "
        f"or {YEAR} where people give once a year",
    )
    bins: int = param(default=5, help="score bins per dimension, 2 to 10", ge=2, le=10)
    min_group: int = param(
        default=5, help='groups with fewer customers are never shown alone, but added up as "Other"', ge=1, unit="customers"
    )

    def __post_init__(self) -> None:
        if self.as_of is None or self.compare_to is None:
            return
        end, earlier = dt.date.fromisoformat(self.as_of), dt.date.fromisoformat(self.compare_to)
        if earlier >= end:
            raise ParameterError.dates_out_of_order("compare_to", earlier, "as_of", end)

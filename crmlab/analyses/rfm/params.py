"""What an analyst may choose for the segments."""

from __future__ import annotations

from dataclasses import dataclass

from crmlab.errors import ParameterError
from crmlab.page import params as checks

__all__ = ["Params"]


@dataclass(frozen=True, kw_only=True)
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: str | None = None  # last day of history, ISO date; default: the last order's day
    compare_to: str | None = None  # an earlier day, ISO date, to say who moved since; default: 91 days before as_of
    bins: int = 5  # score bins per dimension, 2 to 10
    min_group: int = 5  # groups with fewer customers are never shown alone, but added up as "Other"

    def __post_init__(self) -> None:
        end = checks.day("rfm", "as_of", self.as_of)
        earlier = checks.day("rfm", "compare_to", self.compare_to)
        checks.whole("rfm", "bins", self.bins, 2, 10)
        checks.whole("rfm", "min_group", self.min_group, 1)
        if end is not None and earlier is not None and earlier >= end:
            raise ParameterError.dates_out_of_order("compare_to", earlier, "as_of", end)

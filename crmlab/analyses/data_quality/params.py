"""What an analyst may choose for data quality."""

from __future__ import annotations

from dataclasses import dataclass

from crmlab.page import params as checks

__all__ = ["Params"]


@dataclass(frozen=True, kw_only=True)
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: str | None = None  # last day of history, ISO date; default: the last order's day
    stale_after: int = 365  # days without a purchase after which a customer counts as stale
    largest: int = 10  # how many of the largest orders are shown, 1 to 20

    def __post_init__(self) -> None:
        checks.day("data_quality", "as_of", self.as_of)
        checks.whole("data_quality", "stale_after", self.stale_after, 1)
        checks.whole("data_quality", "largest", self.largest, 1, 20)

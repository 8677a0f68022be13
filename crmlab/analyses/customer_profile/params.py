"""What must be named for a profile: the customer."""

from __future__ import annotations

from dataclasses import dataclass

from crmlab.errors import ParameterError
from crmlab.page import params as checks

__all__ = ["Params"]


@dataclass(frozen=True, kw_only=True)
class Params:
    """What an analyst may choose."""

    customer_id: str  # whose page it is, as in the data set
    as_of: str | None = None  # last day of history, ISO date; default: the last order's day
    level: float = 0.9  # of every interval
    seed: int = 0  # of models and draws

    def __post_init__(self) -> None:
        if not isinstance(self.customer_id, str) or not self.customer_id.strip():
            raise ParameterError.expected("customer_profile", "customer_id", "the id of a customer", self.customer_id)
        checks.day("customer_profile", "as_of", self.as_of)
        checks.share("customer_profile", "level", self.level)
        checks.whole("customer_profile", "seed", self.seed, 0)

"""What must be named for a profile: the customer; and what the data must hold."""

from __future__ import annotations

from crmlab.analyses import actions
from crmlab.errors import ParameterError
from crmlab.models.intervals import LEVEL
from crmlab.page.params import Day, declared, param

__all__ = ["NAMES_CUSTOMERS", "NEEDS", "SECTIONS", "Params"]

NEEDS = ("orders", "amounts", "customer ids")
NAMES_CUSTOMERS = True
SECTIONS = actions.DECIDING  # of the data set's TOML file: what the decision on its page rests on


@declared("customer_profile")
class Params:
    """What an analyst may choose."""

    customer_id: str = param(help="whose page it is, as in the data set", must="the id of a customer")
    as_of: Day | None = param(default=None, help="last day of history (YYYY-MM-DD); default: the day of the last order")
    level: float = param(default=LEVEL, help="level of every interval", gt=0, lt=1, unit="share")
    seed: int = param(default=0, help="random seed for models and draws", ge=0)

    def __post_init__(self) -> None:
        if not self.customer_id.strip():
            raise ParameterError.expected("customer_profile", "customer_id", "the id of a customer", self.customer_id)

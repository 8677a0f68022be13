"""What an analyst may choose for the scorecard, and what the data must hold."""

from __future__ import annotations

import re

from crmlab.analyses import actions
from crmlab.errors import ParameterError
from crmlab.models.intervals import LEVEL
from crmlab.page.params import Day, declared, param

__all__ = ["NEEDS", "SECTIONS", "Params", "unit_of"]

NEEDS = ("orders", "amounts", "customer ids")
SECTIONS = ("goals", *actions.DECIDING)  # of the data set's TOML file: also what the decisions on its page rest on

CALENDAR = ("month", "quarter", "year")


@declared("scorecard")
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: Day | None = param(default=None, help="last day of history (YYYY-MM-DD); default: the day of the last order")
    period: str | None = param(
        default=None,
        help='such as "13 weeks" (of 91 days each) or "30 days" up to the last day, or "month", "quarter", "year" of the calendar; '
        "default: quarters up to the last day, four of which are a year of 365 days",
    )
    margin: float | None = param(
        default=None, help="gross margin, share of revenue that is kept; default: from unit costs", gt=0, le=1, unit="share"
    )
    serve_cost: float | None = param(
        default=None, help="cost of serving one order, in the currency; default: not known", gt=0, unit="money"
    )
    rate: float = param(default=0.1, help="annual discount rate (0.1 is 10% a year)", gt=0, le=1, unit="share")
    level: float = param(default=LEVEL, help="level of every interval", gt=0, lt=1, unit="share")
    min_group: int = param(default=5, help="groups of fewer customers are not shown", ge=1, unit="customers")
    seed: int = param(default=0, help="random seed for models and draws", ge=0)

    def __post_init__(self) -> None:
        if self.period is not None:
            unit_of(self.period)


def unit_of(period: str) -> str | int:
    """Read a length of periods: ``"month"``, ``"quarter"`` or ``"year"`` of the calendar, or so many weeks or days.

    Raises
    ------
    ParameterError
        It is none of these.

    Examples
    --------
    >>> unit_of("13 weeks"), unit_of("30 days"), unit_of("month")
    (91, 30, 'month')
    """
    if period in CALENDAR:
        return period
    found = re.fullmatch(r"\s*(\d{1,4})\s*(week|day)s?\s*", period) if isinstance(period, str) else None
    days = int(found[1]) * (7 if found[2] == "week" else 1) if found else 0
    if not 1 <= days <= 3660:
        raise ParameterError.expected("scorecard", "period", "'month', 'quarter', 'year', or such as '13 weeks'", period)
    return days

"""What an analyst may choose for the scorecard."""

from __future__ import annotations

from crmlab.analyses.scorecard.board import unit_of
from crmlab.page.params import Day, declared, param

__all__ = ["Params"]


@declared("scorecard")
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: Day | None = param(default=None, help="last day of history, ISO date; default: the last order's day")
    period: str | None = param(
        default=None,
        help='such as "13 weeks" or "30 days" up to the last day, or "month", "quarter", "year"; default: 13 weeks',
    )
    margin: float | None = param(
        default=None, help="gross margin, share of revenue that is kept; default: from unit costs", gt=0, le=1, unit="share"
    )
    serve_cost: float | None = param(
        default=None, help="cost of serving one order, in the currency; default: not known", gt=0, unit="money"
    )
    rate: float = param(default=0.1, help="annual rate of discount: 0.1 is ten percent a year", gt=0, le=1, unit="share")
    level: float = param(default=0.9, help="of every interval", gt=0, lt=1, unit="share")
    min_group: int = param(default=5, help="groups of fewer customers are not shown", ge=1, unit="customers")
    seed: int = param(default=0, help="of models and draws", ge=0)

    def __post_init__(self) -> None:
        if self.period is not None:
            unit_of(self.period)

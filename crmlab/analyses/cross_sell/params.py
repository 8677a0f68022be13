"""What an analyst may choose for cross-sell, and what the data must hold."""

from __future__ import annotations

from typing import Literal

from crmlab.history.words import QUARTER, YEAR
from crmlab.models.intervals import LEVEL
from crmlab.page.params import Day, declared, param

__all__ = ["NEEDS", "Params"]

NEEDS = ("order_lines",)


@declared("cross_sell")
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: Day | None = param(default=None, help="last day of history (YYYY-MM-DD); default: the day of the last order")
    unit: Literal["order", "customer"] = param(
        default="order", help='what a basket is: "order", or "customer" for all that a customer bought'
    )
    level_of: Literal["product", "category"] = param(default="product", help='what an item is: "product" or "category"')
    min_count: int | None = param(
        default=None, help="baskets that a pair must be in; default: one basket in 500, and at least 10", ge=1, unit="baskets"
    )
    max_items: int = param(default=100, help="most items per basket; larger baskets are cut to this number", ge=2)
    horizon: int = param(
        default=QUARTER,
        help="days for which a purchase is predicted, and on which offers are tested",
        ge=7,
        le=2 * YEAR,
        unit="days",
    )
    k: int = param(default=3, help="offers per customer", ge=1, le=20)
    margin: float | None = param(
        default=None,
        help="gross margin, share of spend that is kept; default: the data set's, or from unit costs; otherwise all sums are revenue",
        gt=0,
        le=1,
        unit="share",
    )
    level: float = param(default=LEVEL, help="level of every interval", gt=0, lt=1, unit="share")
    min_group: int = param(default=5, help="fewer customers are not counted on the page", ge=1, unit="customers")
    seed: int = param(default=0, help="random seed for bootstrap and samples", ge=0)

"""What an analyst may choose for cross-sell."""

from __future__ import annotations

from dataclasses import dataclass

from crmlab.page import params as checks

__all__ = ["Params"]


@dataclass(frozen=True, kw_only=True)
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: str | None = None  # last day of history, ISO date; default: the last order's day
    unit: str = "order"  # what a basket is: "order", or "customer" for all that a customer bought
    level_of: str = "product"  # what an item is: "product" or "category"
    min_count: int | None = None  # baskets that a pair must be in; default: one basket in 500, and at least 10
    max_items: int = 100  # of a basket; one with more is cut down to so many
    horizon: int = 91  # days for which a purchase is predicted, and on which offers are tested
    k: int = 3  # offers per customer
    margin: float | None = None  # gross margin, share of spend that is kept; default: from unit costs, else margin is revenue
    level: float = 0.95  # of every interval
    min_group: int = 5  # fewer customers are not counted on the page
    seed: int = 0  # of bootstrap and samples

    def __post_init__(self) -> None:
        checks.day("cross_sell", "as_of", self.as_of)
        checks.choice("cross_sell", "unit", self.unit, ("order", "customer"))
        checks.choice("cross_sell", "level_of", self.level_of, ("product", "category"))
        if self.min_count is not None:
            checks.whole("cross_sell", "min_count", self.min_count, 1)
        checks.whole("cross_sell", "max_items", self.max_items, 2)
        checks.whole("cross_sell", "horizon", self.horizon, 7, 730)
        checks.whole("cross_sell", "k", self.k, 1, 20)
        if self.margin is not None:
            checks.positive("cross_sell", "margin", self.margin, 1)
        checks.share("cross_sell", "level", self.level)
        checks.whole("cross_sell", "min_group", self.min_group, 1)
        checks.whole("cross_sell", "seed", self.seed, 0)

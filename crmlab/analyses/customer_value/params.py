"""What an analyst may choose for customer value, and the models to choose from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crmlab.models.btyd.bg_bb import BGBB
from crmlab.models.btyd.bg_nbd import BGNBD
from crmlab.models.btyd.mbg_nbd import MBGNBD
from crmlab.models.btyd.pareto_nbd import ParetoNBD
from crmlab.page import params as checks

if TYPE_CHECKING:
    from crmlab.models.btyd.btyd import BuyTillYouDie

__all__ = ["MODELS", "NAMES", "Params"]


MODELS: dict[str, type[BuyTillYouDie]] = {"bg_nbd": BGNBD, "mbg_nbd": MBGNBD, "pareto_nbd": ParetoNBD, "bg_bb": BGBB}
NAMES = {"bg_nbd": "BG/NBD", "mbg_nbd": "MBG/NBD", "pareto_nbd": "Pareto/NBD", "bg_bb": "BG/BB"}


@dataclass(frozen=True, kw_only=True)
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: str | None = None  # last day of history, ISO date; default: the last order's day
    holdout: int | None = None  # weeks (with yearly rounds: years) kept back to check forecasts; default: a third, at most 52
    horizon: int | None = None  # weeks (years) over which purchases are expected; default: 52 weeks, or 3 years
    model: str | None = None  # bg_nbd, mbg_nbd, pareto_nbd or, with rounds, bg_bb; default: the best on the holdout period
    rate: float = 0.1  # annual rate of discount: 0.1 is ten percent a year
    margin: float | None = None  # gross margin, share of spend that is kept; default: from unit costs, else value is revenue
    level: float = 0.9  # of every interval
    min_group: int = 5  # groups of the calibration have at least so many customers
    seed: int = 0  # of the posterior draws

    def __post_init__(self) -> None:
        checks.day("customer_value", "as_of", self.as_of)
        for name in ("holdout", "horizon"):
            if getattr(self, name) is not None:
                checks.whole("customer_value", name, getattr(self, name), 1)
        if self.model is not None:
            checks.choice("customer_value", "model", self.model, tuple(MODELS))
        checks.positive("customer_value", "rate", self.rate, 1)
        if self.margin is not None:
            checks.positive("customer_value", "margin", self.margin, 1)
        checks.share("customer_value", "level", self.level)
        checks.whole("customer_value", "min_group", self.min_group, 1)
        checks.whole("customer_value", "seed", self.seed, 0)

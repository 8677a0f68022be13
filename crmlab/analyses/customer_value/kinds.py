"""The models of purchases to choose from: their classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.customer_value.params import NAMES
from crmlab.models.btyd.bg_bb import BGBB
from crmlab.models.btyd.bg_nbd import BGNBD
from crmlab.models.btyd.mbg_nbd import MBGNBD
from crmlab.models.btyd.pareto_nbd import ParetoNBD

if TYPE_CHECKING:
    from crmlab.models.btyd.btyd import BuyTillYouDie

__all__ = ["MODELS", "name_of"]


MODELS: dict[str, type[BuyTillYouDie]] = {"mbg_nbd": MBGNBD, "pareto_nbd": ParetoNBD, "bg_nbd": BGNBD, "bg_bb": BGBB}


def name_of(model: BuyTillYouDie) -> str:
    """Name of a model for people."""
    return next(NAMES[name] for name, kind in MODELS.items() if type(model) is kind)

"""Models of purchases and of spend by the names under which they are saved."""

from __future__ import annotations

from typing import Any

from crmlab.errors import hint_at
from crmlab.models.btyd.bdw import BDW
from crmlab.models.btyd.bg_bb import BGBB
from crmlab.models.btyd.bg_cnbd import BGCNBD
from crmlab.models.btyd.bg_nbd import BGNBD
from crmlab.models.btyd.gamma_gamma import GammaGamma
from crmlab.models.btyd.mbg_cnbd import MBGCNBD
from crmlab.models.btyd.mbg_nbd import MBGNBD
from crmlab.models.btyd.pareto_nbd import ParetoNBD
from crmlab.models.btyd.saving import restored
from crmlab.models.btyd.sbg import SBG

__all__ = ["NAMED", "made_again"]

NAMED: dict[str, type[Any]] = {
    model.__name__: model for model in (BDW, BGBB, BGCNBD, BGNBD, GammaGamma, MBGCNBD, MBGNBD, ParetoNBD, SBG)
}


def made_again(content: dict[str, Any]) -> Any:
    """Make the model again that a file describes, of whichever class it is.

    Parameters
    ----------
    content : dict
        With ``class``, and what :func:`~crmlab.models.btyd.saving.described` tells.

    Raises
    ------
    ValueError
        There is no such class.
    """
    name = content["class"]
    if name not in NAMED:
        raise ValueError(f"a class {name!r}. {hint_at(str(name), NAMED)}")
    return restored(NAMED[name], content)

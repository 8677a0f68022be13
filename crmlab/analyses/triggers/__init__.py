"""At which moments to act, and for whom: how many there are today, and how often what they predict came true."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.analyses.triggers.params import Params
    from crmlab.analyses.triggers.quantities import QUANTITIES
    from crmlab.analyses.triggers.report import NEEDS, run
    from crmlab.analyses.triggers.rules import TRIGGERS
    from crmlab.analyses.triggers.study import actions, readiness

__all__ = ["NEEDS", "QUANTITIES", "TRIGGERS", "Params", "actions", "readiness", "run"]
__getattr__, __dir__ = lazy_names(__name__)

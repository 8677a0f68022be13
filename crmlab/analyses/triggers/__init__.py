"""At which moments to act, and for whom: how many there are today, and how often what they predict came true."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.analyses.triggers.params import Params
    from crmlab.analyses.triggers.report import NEEDS, run
    from crmlab.analyses.triggers.rules import TRIGGERS, learn, rebuys_of
    from crmlab.analyses.triggers.study import actions_of, occasions_known

__all__ = ["NEEDS", "TRIGGERS", "Params", "actions_of", "learn", "occasions_known", "rebuys_of", "run"]
__getattr__, __dir__ = lazy_names(__name__)

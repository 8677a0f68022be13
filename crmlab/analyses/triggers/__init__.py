"""Which moments are worth acting on, and whose moment is now: which triggers predict better than a simple rule.

Today's moments are listed, and each trigger is judged on past days whose outcome is known: does it work here or not?
"""

# ``moments`` gives every moment of today with the flag ``works``; ``present`` gives the same moments before anything is judged.

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.analyses.triggers.judging import NO, UNKNOWN, YES
    from crmlab.analyses.triggers.params import NEEDS, Params
    from crmlab.analyses.triggers.quantities import QUANTITIES
    from crmlab.analyses.triggers.report import run
    from crmlab.analyses.triggers.rules import TRIGGERS, Trigger
    from crmlab.analyses.triggers.study import judgement, moments, present, readiness

__all__ = [
    "NEEDS",
    "NO",
    "QUANTITIES",
    "TRIGGERS",
    "UNKNOWN",
    "YES",
    "Params",
    "Trigger",
    "judgement",
    "moments",
    "present",
    "readiness",
    "run",
]
__getattr__, __dir__ = lazy_names(__name__)

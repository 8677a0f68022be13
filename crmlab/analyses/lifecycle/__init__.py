"""Where our customers stand, and who is slipping away: how they move, and where that leads if nothing changes.

States follow from the buying rhythm alone. What is shown of them: sizes and revenue, growth accounting, moves with intervals,
time in a state, a projection compared with what happened, the value of the base by state, and cohorts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.analyses.lifecycle.accounts import growth
    from crmlab.analyses.lifecycle.life import Life, life_of, limits_of, moves_between, standing
    from crmlab.analyses.lifecycle.naming import CURRENT, GONE, NONE, STATES
    from crmlab.analyses.lifecycle.params import NEEDS, Params
    from crmlab.analyses.lifecycle.quantities import QUANTITIES
    from crmlab.analyses.lifecycle.reductions import cohorts, spells, states, transitions
    from crmlab.analyses.lifecycle.report import run
    from crmlab.analyses.lifecycle.rhythm import Thresholds, thresholds
    from crmlab.analyses.lifecycle.study import readiness

__all__ = [
    "CURRENT",
    "GONE",
    "NEEDS",
    "NONE",
    "QUANTITIES",
    "STATES",
    "Life",
    "Params",
    "Thresholds",
    "cohorts",
    "growth",
    "life_of",
    "limits_of",
    "moves_between",
    "readiness",
    "run",
    "spells",
    "standing",
    "states",
    "thresholds",
    "transitions",
]
__getattr__, __dir__ = lazy_names(__name__)

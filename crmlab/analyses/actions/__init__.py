"""What to do now, for which customers, and what it is worth: one decision for every customer, and the plan for the weeks ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.analyses.actions.comparing import promised
    from crmlab.analyses.actions.deciding import decide
    from crmlab.analyses.actions.declaring import (
        Action,
        Limits,
        parse_actions,
        parse_limits,
        parse_segment_goals,
        parse_service,
    )
    from crmlab.analyses.actions.joined import ANNOTATES
    from crmlab.analyses.actions.params import DECIDING, NEEDS, SECTIONS, Params
    from crmlab.analyses.actions.planning import ActionPlan, plans_of
    from crmlab.analyses.actions.quantities import QUANTITIES
    from crmlab.analyses.actions.report import run
    from crmlab.analyses.actions.study import decisions, ground_of, readiness
    from crmlab.analyses.campaigns import INPUTS

__all__ = [
    "ANNOTATES",
    "DECIDING",
    "INPUTS",
    "NEEDS",
    "QUANTITIES",
    "SECTIONS",
    "Action",
    "ActionPlan",
    "Limits",
    "Params",
    "decide",
    "decisions",
    "ground_of",
    "parse_actions",
    "parse_limits",
    "parse_segment_goals",
    "parse_service",
    "plans_of",
    "promised",
    "readiness",
    "run",
]
__getattr__, __dir__ = lazy_names(__name__)

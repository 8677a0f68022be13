"""What to test next, who to test it on, and what the test will show and cost, before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.analyses.campaigns.design.laying import laid_out
    from crmlab.analyses.campaigns.design.params import NEEDS, SECTIONS, Params
    from crmlab.analyses.campaigns.design.quantities import QUANTITIES
    from crmlab.analyses.campaigns.design.report import run
    from crmlab.analyses.campaigns.design.study import readiness
    from crmlab.analyses.campaigns.inputs import INPUTS

__all__ = ["INPUTS", "NEEDS", "QUANTITIES", "SECTIONS", "Params", "laid_out", "readiness", "run"]
__getattr__, __dir__ = lazy_names(__name__)

"""What each part of a campaign brought over its control, and how surely.

Incremental is cell against control and nothing else: what contacted people bought is compared with what people bought who were
drawn from the same list by chance and not contacted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.analyses.campaigns.inputs import INPUTS
    from crmlab.analyses.campaigns.results.params import Params
    from crmlab.analyses.campaigns.results.quantities import QUANTITIES
    from crmlab.analyses.campaigns.results.ready import readiness
    from crmlab.analyses.campaigns.results.report import NEEDS, run
    from crmlab.analyses.campaigns.results.study import measure

__all__ = ["INPUTS", "NEEDS", "QUANTITIES", "Params", "measure", "readiness", "run"]
__getattr__, __dir__ = lazy_names(__name__)

"""What each part of a campaign brought beyond its control, and how certain that is.

"Incremental" always means cell against control: purchases by people who were contacted, compared with those by people drawn at random
from the same list who were not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.analyses.campaigns.inputs import INPUTS
    from crmlab.analyses.campaigns.results.params import NEEDS, SUFFICES, Params
    from crmlab.analyses.campaigns.results.quantities import QUANTITIES
    from crmlab.analyses.campaigns.results.ready import readiness
    from crmlab.analyses.campaigns.results.report import run
    from crmlab.analyses.campaigns.results.study import measure

__all__ = ["INPUTS", "NEEDS", "QUANTITIES", "SUFFICES", "Params", "measure", "readiness", "run"]
__getattr__, __dir__ = lazy_names(__name__)

"""Who our customers are, and where the money is: ten segments by recency, frequency and money, and who moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.analyses.rfm.params import NEEDS, Params
    from crmlab.analyses.rfm.quantities import QUANTITIES
    from crmlab.analyses.rfm.report import run
    from crmlab.analyses.rfm.segments import SEGMENTS, score, segmented
    from crmlab.analyses.rfm.study import readiness

__all__ = ["NEEDS", "QUANTITIES", "SEGMENTS", "Params", "readiness", "run", "score", "segmented"]
__getattr__, __dir__ = lazy_names(__name__)

"""Who is leaving, and who would be worth contacting: what is expected to be lost, and how sure that is.

Where nobody says goodbye, churn is silence: no purchase occasion within a window, for customers who had been active. What the
page says of the future was tested on days whose outcome is already known, against rules that need no model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.analyses.churn.params import Params
    from crmlab.analyses.churn.quantities import QUANTITIES
    from crmlab.analyses.churn.reductions import snapshots, with_model
    from crmlab.analyses.churn.report import NEEDS, run
    from crmlab.analyses.churn.scored import Scores
    from crmlab.analyses.churn.study import readiness, scores

__all__ = ["NEEDS", "QUANTITIES", "Params", "Scores", "readiness", "run", "scores", "snapshots", "with_model"]
__getattr__, __dir__ = lazy_names(__name__)

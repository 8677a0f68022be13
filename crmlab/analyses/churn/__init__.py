"""Who is leaving, and who would be worth contacting: how much is likely to be lost, and how certain that is.

Where nobody says goodbye, churn is silence: no purchase occasion within a window, for customers who had been active. The page's
forecasts were tested on past days whose outcome is known, against rules that need no model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.analyses.churn.contacting import customer_list
    from crmlab.analyses.churn.params import NEEDS, Params
    from crmlab.analyses.churn.quantities import QUANTITIES
    from crmlab.analyses.churn.reductions import snapshots, with_model
    from crmlab.analyses.churn.report import run
    from crmlab.analyses.churn.scored import Scores
    from crmlab.analyses.churn.study import readiness, scores

__all__ = ["NEEDS", "QUANTITIES", "Params", "Scores", "customer_list", "readiness", "run", "scores", "snapshots", "with_model"]
__getattr__, __dir__ = lazy_names(__name__)

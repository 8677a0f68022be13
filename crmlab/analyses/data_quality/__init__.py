"""Can we rely on this data? What was read, what was dropped and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.analyses.data_quality.judging import breaches, in_figures, verdict
    from crmlab.analyses.data_quality.params import NAMES_CUSTOMERS, NEEDS, Params
    from crmlab.analyses.data_quality.quantities import QUANTITIES
    from crmlab.analyses.data_quality.reductions import RULES, amounts
    from crmlab.analyses.data_quality.report import run

__all__ = ["NAMES_CUSTOMERS", "NEEDS", "QUANTITIES", "RULES", "Params", "amounts", "breaches", "in_figures", "run", "verdict"]
__getattr__, __dir__ = lazy_names(__name__)

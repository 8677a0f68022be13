"""Is the customer programme working?

One page for a board: goals first, then every measure now, before and a year ago, why it changed, what is to come, and where the
value lies. It is put together from the steps of the other analyses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.analyses.campaigns import INPUTS
    from crmlab.analyses.scorecard.board import board_of
    from crmlab.analyses.scorecard.estimation import concentration, estimates
    from crmlab.analyses.scorecard.forecasts import quarters_ahead
    from crmlab.analyses.scorecard.params import NEEDS, SECTIONS, Params
    from crmlab.analyses.scorecard.quantities import QUANTITIES
    from crmlab.analyses.scorecard.reductions import calendar, periods, two_periods
    from crmlab.analyses.scorecard.report import run
    from crmlab.analyses.scorecard.speech import Speech, speech_of
    from crmlab.analyses.scorecard.study import readiness
    from crmlab.analyses.scorecard.targets import Goal, parse_goals

__all__ = [
    "INPUTS",
    "NEEDS",
    "QUANTITIES",
    "SECTIONS",
    "Goal",
    "Params",
    "Speech",
    "board_of",
    "calendar",
    "concentration",
    "estimates",
    "parse_goals",
    "periods",
    "quarters_ahead",
    "readiness",
    "run",
    "speech_of",
    "two_periods",
]
__getattr__, __dir__ = lazy_names(__name__)

"""How certain that value is, how much is at risk, and the most it is worth spending to keep them.

Purchase models are tested on a known period; the one that predicts it best is fitted to the whole history and combined with a model
of spending. Where people give or renew in yearly rounds, the model is BG/BB and the page
speaks of gifts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.analyses.customer_value.base import Base, base_of, fit_spend
    from crmlab.analyses.customer_value.choice import Choice
    from crmlab.analyses.customer_value.choosing import chosen, clock_followed, season_ahead, told
    from crmlab.analyses.customer_value.kinds import name_of
    from crmlab.analyses.customer_value.params import NAMES, NEEDS, Params
    from crmlab.analyses.customer_value.quantities import QUANTITIES
    from crmlab.analyses.customer_value.report import run
    from crmlab.analyses.customer_value.rounds import last_round, round_summary
    from crmlab.analyses.customer_value.scoring import YEARS_AHEAD, Scores, most_to_spend, scores, spend_each
    from crmlab.analyses.customer_value.seasons import Season, learnt
    from crmlab.analyses.customer_value.sentences import left_for_good, money_of, total_said, what_of
    from crmlab.analyses.customer_value.study import readiness
    from crmlab.analyses.customer_value.tiers import FEWEST, TIER_WORDS, TIERS, tier_of
    from crmlab.analyses.customer_value.valuation import ALL, measured, sums

__all__ = [
    "ALL",
    "FEWEST",
    "NAMES",
    "NEEDS",
    "QUANTITIES",
    "TIERS",
    "TIER_WORDS",
    "YEARS_AHEAD",
    "Base",
    "Choice",
    "Params",
    "Scores",
    "Season",
    "base_of",
    "chosen",
    "clock_followed",
    "fit_spend",
    "last_round",
    "learnt",
    "left_for_good",
    "measured",
    "money_of",
    "most_to_spend",
    "name_of",
    "readiness",
    "round_summary",
    "run",
    "scores",
    "season_ahead",
    "spend_each",
    "sums",
    "tier_of",
    "told",
    "total_said",
    "what_of",
]
__getattr__, __dir__ = lazy_names(__name__)

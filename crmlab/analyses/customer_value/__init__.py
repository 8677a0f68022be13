"""What our customers are worth, and what it pays to invest in them: how sure that is, and the most that keeping them may cost.

The models of purchases are held against a period that is already known; the one that tells it best is fitted to the whole
history and composed with a model of spend. Where people give or renew in yearly rounds, the model is BG/BB and the page
speaks of gifts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.analyses.customer_value.base import Base, base_of, fit_spend
    from crmlab.analyses.customer_value.choosing import Choice, chosen, told
    from crmlab.analyses.customer_value.params import NAMES, Params, name_of
    from crmlab.analyses.customer_value.quantities import QUANTITIES
    from crmlab.analyses.customer_value.report import NEEDS, run
    from crmlab.analyses.customer_value.rounds import last_round, round_summary
    from crmlab.analyses.customer_value.scoring import YEARS_AHEAD, Scores, scores
    from crmlab.analyses.customer_value.study import readiness
    from crmlab.analyses.customer_value.tiers import TIER_WORDS, TIERS, tier_of

__all__ = [
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
    "base_of",
    "chosen",
    "fit_spend",
    "last_round",
    "name_of",
    "readiness",
    "round_summary",
    "run",
    "scores",
    "tier_of",
    "told",
]
__getattr__, __dir__ = lazy_names(__name__)

"""Which offer to whom, with evidence.

What lies together in baskets beyond chance, the products that each customer is likeliest to buy next, and how such offers would
have done on days whose outcome is known. None of it is the effect of an offer: that takes a test cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.analyses.cross_sell.baskets import basket_matrix, basket_months, counted_pairs, kept_items, pair_counts
    from crmlab.analyses.cross_sell.cycles import repurchase_cycles
    from crmlab.analyses.cross_sell.offers import next_best_offers
    from crmlab.analyses.cross_sell.params import Params
    from crmlab.analyses.cross_sell.reductions import bought_within, purchases, repurchase_gaps, spent_within
    from crmlab.analyses.cross_sell.report import NEEDS, run

__all__ = [
    "NEEDS",
    "Params",
    "basket_matrix",
    "basket_months",
    "bought_within",
    "counted_pairs",
    "kept_items",
    "next_best_offers",
    "pair_counts",
    "purchases",
    "repurchase_cycles",
    "repurchase_gaps",
    "run",
    "spent_within",
]
__getattr__, __dir__ = lazy_names(__name__)

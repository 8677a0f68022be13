"""Which offer for which customer, and the evidence.

What is bought together more often than by chance, the products that each customer is likeliest to buy next, and how such offers would
have done on days whose outcome is known. None of it is the effect of an offer: that takes a test cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.analyses.cross_sell.baskets import basket_matrix, counted_pairs, pair_counts
    from crmlab.analyses.cross_sell.choice import next_best_offers
    from crmlab.analyses.cross_sell.pairs import sold_together
    from crmlab.analyses.cross_sell.params import NEEDS, Params
    from crmlab.analyses.cross_sell.quantities import QUANTITIES
    from crmlab.analyses.cross_sell.reached import pairs_worth
    from crmlab.analyses.cross_sell.reductions import purchases
    from crmlab.analyses.cross_sell.report import run

__all__ = [
    "NEEDS",
    "QUANTITIES",
    "Params",
    "basket_matrix",
    "counted_pairs",
    "next_best_offers",
    "pair_counts",
    "pairs_worth",
    "purchases",
    "run",
    "sold_together",
]
__getattr__, __dir__ = lazy_names(__name__)

"""Baskets: itemsets, association beyond chance, substitutes, and what to recommend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.models.baskets.association import redundant, rules
    from crmlab.models.baskets.basket_null import BasketNull
    from crmlab.models.baskets.bridge_mlxtend import from_mlxtend, to_mlxtend
    from crmlab.models.baskets.frequent import itemsets
    from crmlab.models.baskets.ranking import Blend, hits_of, list_measures
    from crmlab.models.baskets.recommend import ItemSimilarity, bm25
    from crmlab.models.baskets.substitution import substitutes

__all__ = [
    "BasketNull",
    "Blend",
    "ItemSimilarity",
    "bm25",
    "from_mlxtend",
    "hits_of",
    "itemsets",
    "list_measures",
    "redundant",
    "rules",
    "substitutes",
    "to_mlxtend",
]
__getattr__, __dir__ = lazy_names(__name__)

"""The two charts that open the page, and the words for the reasons of an offer."""

from __future__ import annotations

__all__: list[str] = []


_ALL = (
    "pairs", "worth", "substitutes", "bundles", "removed", "backtest", "by_history", "cycles",
    "offers", "hits", "opportunity", "lift", "heatmap", "network",
)  # fmt: skip
_REASONS = {
    "substitutes": "No pair that chance would put into 10 baskets is sold together surely less often than that.",
    "bundles": "No three products are sold together surely more often than their best pair explains.",
    "removed": "No longer rule had to be removed.",
    "cycles": "No product was bought again often enough to know its rhythm.",
    "offers": "No offer is known to bring anything: no pair holds, people with the one product did not buy more of the other than "
    "people with neither, or the history is too short to say.",
}

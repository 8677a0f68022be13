"""An order history as of a day: ``History``, through which nothing later can be seen, and the reductions that several subjects share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.history.breakdowns import MEASURES, dimensions
    from crmlab.history.context import form_of, gross_margin, margin_known
    from crmlab.history.cubes import ALL, cube
    from crmlab.history.customers import customer_summary, distinct_states, gaps, holdout_summary, occasion_days, repeat_times
    from crmlab.history.orders import as_lines, as_orders, between, daily, history
    from crmlab.history.past import History

__all__ = [
    "ALL",
    "MEASURES",
    "History",
    "as_lines",
    "as_orders",
    "between",
    "cube",
    "customer_summary",
    "daily",
    "dimensions",
    "distinct_states",
    "form_of",
    "gaps",
    "gross_margin",
    "history",
    "holdout_summary",
    "margin_known",
    "occasion_days",
    "repeat_times",
]
__getattr__, __dir__ = lazy_names(__name__)

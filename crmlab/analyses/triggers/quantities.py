"""What the report on moments says in numbers, and the columns of its list."""

from __future__ import annotations

from crmlab.analyses.triggers.rules import TRIGGERS
from crmlab.history.quantities import QUANTITIES as HISTORY
from crmlab.page.quantities import Quantities, Quantity

_NAMES = {"trigger": tuple(trigger.name for trigger in TRIGGERS)}

__all__ = ["QUANTITIES"]

QUANTITIES = Quantities(
    HISTORY.only("customer_id", "contactable", "product_id"),
    Quantity("trigger", "rule that calls for action: its name", "text"),
    Quantity("fired", "day on which the rule was met", "date"),
    Quantity("act_by", "last day on which to act", "date"),
    Quantity("advice", "what to do", "text"),
    Quantity("customers_{trigger}", "customers for whom the rule {trigger} calls for action now", "customers", values=_NAMES),
    Quantity(
        "came_true_{trigger}",
        "share of past moments of the rule {trigger} that came true",
        "share",
        values=_NAMES,
    ),
    Quantity("customers_share", "share of customers who have a moment to act on now", "share"),
)

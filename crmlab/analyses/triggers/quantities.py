"""What the report on moments says in numbers, and the columns of its lists."""

from __future__ import annotations

from crmlab.analyses.triggers.naming import NAMES, OFTEN, SILENT
from crmlab.history.quantities import QUANTITIES as HISTORY
from crmlab.page.quantities import Quantities, Quantity

_NAMES = {"trigger": NAMES}
_RULES = {"rule": {SILENT: "silent longest", OFTEN: "who bought or gave most often"}}

__all__ = ["QUANTITIES"]

QUANTITIES = Quantities(
    HISTORY.only("customer_id", "contactable", "refusal", "product_id", "days_since_last"),
    Quantity("trigger", "name of the rule that was met", "text"),
    Quantity("fired", "day on which the rule was met", "date"),
    Quantity("act_by", "last day on which a contact would be in time", "date"),
    Quantity(
        "works",
        "whether the trigger predicts better here than both chance and a simple rule: yes, no or not judged yet",
        "text",
    ),
    Quantity("customers_{trigger}", "customers who meet the rule {trigger} now", "customers", counted=True, values=_NAMES),
    Quantity("came_true_{trigger}", "share of moments of the rule {trigger} that come true", "share", values=_NAMES),
    Quantity(
        "base_all_{trigger}",
        "share of all eligible customers, on the days of the rule {trigger}, for whom the same comes true",
        "share",
        values=_NAMES,
    ),
    Quantity(
        "base_rule_{trigger}",
        "share of the same number of customers, chosen by a simple rule, for whom what the rule {trigger} predicts comes true",
        "share",
        values=_NAMES,
    ),
    Quantity("lift_all_{trigger}", "how many times as often the rule {trigger} comes true as for all eligible", values=_NAMES),
    Quantity("lift_rule_{trigger}", "how many times as often the rule {trigger} comes true as the simple rule", values=_NAMES),
    Quantity("simple_true_{rule}", "share of those {rule} for whom what is predicted comes true", "share", values=_RULES),
    Quantity("simple_lift_{rule}", "how many times as often it comes true for those {rule} as for all eligible", values=_RULES),
    Quantity("customers_with_moment", "customers who have a moment now", "customers", counted=True),
    Quantity("eligible_customers", "customers whose last purchase is within reach of the triggers", "customers", counted=True),
    Quantity("customers_working", "customers who have a moment now of a trigger that works", "customers", counted=True),
    Quantity("triggers_working", "triggers that predict better than both chance and a simple rule", "triggers", counted=True),
    Quantity("triggers_judged", "triggers that had enough past customers to be judged", "triggers", counted=True),
)

"""What the report on the lifecycle says in numbers, and the columns of its list."""

from __future__ import annotations

from crmlab.analyses.customer_value import QUANTITIES as VALUE
from crmlab.analyses.lifecycle.naming import STATES
from crmlab.history.quantities import QUANTITIES as HISTORY
from crmlab.page.quantities import Quantities, Quantity

__all__ = ["QUANTITIES"]

QUANTITIES = Quantities(
    HISTORY.only("customer_id", "customer_base", "days_since_last", "last_occasion", "occasions", "contactable", "refusal"),
    Quantity(
        "state", "where the customer stands: new, active, slowing, lapsed, lost, reactivated; prospect: no purchase yet", "text"
    ),
    Quantity("since", "day from which the customer has been in this state", "date"),
    Quantity("mean_gap", "mean number of days between the purchases of this customer", "days"),
    Quantity("own_rhythm", "whether the thresholds come from the customer’s own gaps rather than everyone’s", "flag"),
    Quantity("slowing_after", "days without a purchase after which the customer is slowing", "days"),
    Quantity("lapsed_after", "days without a purchase after which the customer is lapsed", "days"),
    Quantity("lost_after", "days without a purchase after which the customer is lost", "days"),
    Quantity("share_{state}", "share of customers who are {state}", "share", counted=True, values={"state": tuple(STATES)}),
    Quantity("current_share", "share of customers who are new, active, slowing or reactivated", "share", counted=True),
    Quantity("projected_current", "current customers at the end of the projection, if nothing changes", "customers"),
    Quantity("balance", "customers won or won back for each one who lapsed", "per lapsed customer", counted=True),
    Quantity("slowing_lapse", "share of today’s slowing customers who are expected to have lapsed one step later", "share"),
    VALUE.only("value_total", "{name}_total"),
)

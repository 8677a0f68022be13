"""What the report on segments says in numbers, and the columns of its list."""

from __future__ import annotations

from crmlab.analyses.rfm.segments import SEGMENTS
from crmlab.history.quantities import QUANTITIES as HISTORY
from crmlab.page.groups import OTHER
from crmlab.page.quantities import Quantities, Quantity

_SEGMENTS = {name.lower().replace(" ", "_"): name for name in (*(one.name for one in SEGMENTS), OTHER)}

__all__ = ["QUANTITIES"]

QUANTITIES = Quantities(
    HISTORY.only("customer_id", "customer_base", "occasions", "total_spend", "days_since_last"),
    HISTORY.only("first_occasion", "last_occasion", "contactable", "refusal"),
    Quantity("segment", "group of customers defined by a rule on recency and frequency scores", "text"),
    Quantity("segment_before", "segment on the earlier day used for comparison; empty if not yet a customer", "text"),
    Quantity("r_score", "recency score: rank among customers by days since the last purchase; the highest is the most recent"),
    Quantity("f_score", "frequency score: rank among customers by number of purchase occasions; the highest has the most"),
    Quantity("m_score", "money score: rank among customers by total amount; the highest has the most"),
    Quantity(
        "segment_share_{segment}",
        "share of customers in the segment {segment}",
        "share",
        counted=True,
        values={"segment": _SEGMENTS},
    ),
    Quantity(
        "revenue_share_{segment}",
        "share of revenue from the segment {segment}",
        "share",
        counted=True,
        values={"segment": _SEGMENTS},
    ),
    Quantity("quiet_share", "share of customers who bought more often than many, but not recently", "share", counted=True),
)

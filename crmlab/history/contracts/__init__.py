"""Contracts of subscriptions and memberships: who subscribes on a day, what comes in each month, who leaves and who is due.

For several subjects: a page on contracts, and lifecycle and churn where customers are bound by contracts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.history.contracts.lasting import lifetime_table, lifetimes, trials_to_paid
    from crmlab.history.contracts.recurring import PARTS, month_ends, mrr_bridge, mrr_on
    from crmlab.history.contracts.spanning import spans
    from crmlab.history.contracts.standing import ABSENT, STANDINGS, plan_migration, renewals_due, standing_on
    from crmlab.history.contracts.terms import as_contracts, as_known

__all__ = [
    "ABSENT",
    "PARTS",
    "STANDINGS",
    "as_contracts",
    "as_known",
    "lifetime_table",
    "lifetimes",
    "month_ends",
    "mrr_bridge",
    "mrr_on",
    "plan_migration",
    "renewals_due",
    "spans",
    "standing_on",
    "trials_to_paid",
]
__getattr__, __dir__ = lazy_names(__name__)

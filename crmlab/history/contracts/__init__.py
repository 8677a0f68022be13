"""Contracts of subscriptions and memberships: who subscribes on a day, what comes in each month, who leaves and who is due.

For several subjects: a page on contracts, and lifecycle and churn where customers are bound by contracts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.history.contracts.terms import as_contracts, as_known

__all__ = ["as_contracts", "as_known"]
__getattr__, __dir__ = lazy_names(__name__)

"""What the profile of a customer says in numbers."""

from __future__ import annotations

from crmlab.analyses.churn import QUANTITIES as CHURN
from crmlab.analyses.customer_value import QUANTITIES as VALUE
from crmlab.history.quantities import QUANTITIES as HISTORY
from crmlab.page.quantities import Quantities

__all__ = ["QUANTITIES"]

QUANTITIES = Quantities(
    HISTORY.only("occasions"),
    VALUE.only("value", "alive", "expected_purchases"),
    CHURN.only("churn"),
)

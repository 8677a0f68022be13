"""What is known of each customer: the columns that other subjects give, criteria over them, the table and its publishing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.analyses.customers.columns import DOMAINS, customer_outputs, known_columns
    from crmlab.analyses.customers.criteria import Condition, Where, check_columns, conditions, holds, label
    from crmlab.analyses.customers.published import CUSTOMERS, PUBLISHED
    from crmlab.analyses.customers.publishing import publish
    from crmlab.analyses.customers.quantities import QUANTITIES
    from crmlab.analyses.customers.table import customer_table

__all__ = [
    "CUSTOMERS",
    "DOMAINS",
    "PUBLISHED",
    "QUANTITIES",
    "Condition",
    "Where",
    "check_columns",
    "conditions",
    "customer_outputs",
    "customer_table",
    "holds",
    "known_columns",
    "label",
    "publish",
]
__getattr__, __dir__ = lazy_names(__name__)

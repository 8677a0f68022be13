"""What the report on data says in numbers."""

from __future__ import annotations

from crmlab.analyses.data_quality.judging import STATEMENTS
from crmlab.data.reading.cleaning import REASONS
from crmlab.data.tables import TABLES
from crmlab.history.quantities import QUANTITIES as HISTORY
from crmlab.page.quantities import Quantities, Quantity

__all__ = ["QUANTITIES"]

QUANTITIES = Quantities(
    HISTORY.only("customer_base"),
    Quantity("rows_used_share", "share of the rows read that could be used", "share", counted=True),
    Quantity("rules_held", "rules that all records keep", "rules", counted=True),
    Quantity(
        "stale_share", "share of customers without a purchase for longer than the number of days chosen", "share", counted=True
    ),
    Quantity("largest_order", "amount of the largest order", "currency", counted=True),
    Quantity("largest_cancelled", "of the largest orders that are shown, those that were cancelled", "orders", counted=True),
    Quantity(
        "rows_{table}_{reason}",
        "rows of {table}: {reason}",
        "rows",
        counted=True,
        values={"table": tuple(TABLES), "reason": {"kept": "kept", **REASONS}},
    ),
    Quantity(
        "broken_{rule}",
        "rows that break the rule: {rule}",
        "rows",
        counted=True,
        values={"rule": {name.lower().replace(" ", "_"): says for name, says in STATEMENTS.items()}},
    ),
)

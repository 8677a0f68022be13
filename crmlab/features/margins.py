"""Gross margin from what products cost."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from crmlab.features.orders import between

if TYPE_CHECKING:
    import ibis


EXACT = "decimal(18, 4)"


def gross_margin(order_lines: ibis.Table, products: ibis.Table, as_of: dt.date | None = None) -> tuple[float, float] | None:
    """Gross margin of all that was sold, from the unit costs of products.

    Parameters
    ----------
    order_lines, products : ibis.Table
        Canonical tables.
    as_of : datetime.date, optional
        Last day of history.

    Returns
    -------
    (margin, covered) or None
        Share of revenue that is left after the cost of goods, returns taken off both; and the share of revenue whose products'
        costs are known, on which it rests. None where no cost is known, or revenue is not positive.
    """
    if "unit_cost" not in products.columns:
        return None
    lines = between(order_lines, None, as_of)
    costs = products.select("product_id", "unit_cost")
    joined = lines.left_join(costs, "product_id")
    known = joined["unit_cost"].notnull()
    found = joined.aggregate(
        revenue=joined["amount"].sum().cast("float64"),
        known=joined["amount"].sum(where=known).cast("float64"),
        # Exact until it is summed: a sum of floats depends on the order in which an engine adds them.
        cost=(joined["quantity"].cast(EXACT) * joined["unit_cost"].cast(EXACT)).sum(where=known).cast("float64"),
    )
    row = found.to_pyarrow().to_pylist()[0]
    if not row["known"] or row["known"] <= 0 or not row["revenue"] or row["revenue"] <= 0:
        return None
    return 1 - row["cost"] / row["known"], row["known"] / row["revenue"]

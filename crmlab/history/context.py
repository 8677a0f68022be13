"""What analyses ask of a data set as of a day: what a page is about, how its numbers are written, consent, and margin."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from crmlab.data.collecting import collect_row
from crmlab.history.orders import between, chosen, reach
from crmlab.history.plausible import Reach
from crmlab.page.format import Format

if TYPE_CHECKING:
    import ibis

    from crmlab.data.dataset import Dataset

__all__ = ["EXACT", "form_of", "gross_margin", "margin_known", "masked", "reach_of", "span"]


EXACT = "decimal(18, 4)"


def form_of(data: Dataset) -> Format:
    """How numbers of this data set are written."""
    return Format(data.currency, data.descriptor.report.language)


def span(data: Dataset, as_of: dt.date | str | None = None) -> tuple[dt.date, dt.date]:
    """The first day of a data set's history and its last: ``as_of`` checked, by default the last plausible day that is known.

    Raises
    ------
    ParameterError
        ``as_of`` is before the first order, or after the last day that is known: that of the last order, or where the data set
        was cut off.
    DataError
        There are no orders.
    """
    return chosen(reach_of(data), as_of, data.until)


def reach_of(data: Dataset) -> Reach:
    """Say which days the orders of a data set reach, and which are plausible; of one that was cut off, all are.

    Raises
    ------
    DataError
        There are no orders.
    """
    given, cut = data.descriptor, data.until is not None
    return reach(data.orders, first_given=cut or given.first_day is not None, last_given=cut or given.last_day is not None)


def masked(count: int, least: int) -> int | str:
    """A count of people, or that it is too small to be shown.

    Examples
    --------
    >>> masked(0, 5), masked(3, 5), masked(12, 5)
    (0, 'under 5', 12)
    """
    return f"under {least}" if 0 < count < least else count


def margin_known(data: Dataset, end: dt.date, given: float | None) -> tuple[float, str, float]:
    """Gross margin, where it is from, and the share of revenue on which it rests.

    From: ``"given"``, ``"costs"`` (unit costs), or ``"revenue"`` (not known: 1).

    ``"loss"``: by the unit costs nothing is left, which no value can be made of; 1 is taken, and the page must say so.
    """
    if given is not None:
        return float(given), "given", 1.0
    if "order_lines" in data.tables and "products" in data.tables:
        found = gross_margin(data.order_lines, data.products, end)
        if found is not None:
            return (min(found[0], 1.0), "costs", min(found[1], 1.0)) if found[0] > 0 else (1.0, "loss", min(found[1], 1.0))
    return 1.0, "revenue", 0.0


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
    row = collect_row(found)
    if not row["known"] or row["known"] <= 0 or not row["revenue"] or row["revenue"] <= 0:
        return None
    return 1 - row["cost"] / row["known"], row["known"] / row["revenue"]

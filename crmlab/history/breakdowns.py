"""What order lines can be told apart by: attributes of customers, products, channels and time, joined to one table of facts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from crmlab.data.personal import concepts, is_personal
from crmlab.errors import ParameterError
from crmlab.history.context import EXACT
from crmlab.history.customers import occasion_days
from crmlab.history.orders import between

if TYPE_CHECKING:
    import ibis

    from crmlab.data.dataset import Dataset

__all__ = ["MEASURES", "TIMES", "dimensions", "facts"]


TIMES = {"day": "D", "week": "W", "month": "M", "quarter": "Q", "year": "Y"}
PRODUCTS = {"product": "product_id", "category": "category"}
MEASURES = {
    "revenue": "what the rows add up to, returns taken off",
    "orders": "different receipts",
    "lines": "rows of receipts",
    "quantity": "pieces, returns taken off",
    "customers": "different customers",
    "occasions": "different customer-days with a purchase",
    "margin": "revenue less the cost of goods, where that is known",
    "average_order_value": "amounts of at least 0 per receipt that has one: what an order is worth, returns apart",
}
OF_LINES = ("lines", "quantity", "margin")
# An id or an amount tells rows apart, but nobody's groups.
_NO_GROUPS = ("customer_id", "household_id", "acquisition_cost", "referred_by", "follow_up_at")


def dimensions(data: Dataset, customers: Any = None) -> dict[str, str]:
    """Say by what a data set can be sliced.

    Parameters
    ----------
    data : Dataset
    customers : table, optional
        Further attributes by customer_id: a value tier, a state.

    Returns
    -------
    dict of str to str
        What each dimension is of: ``"time"``, ``"channel"``, ``"product"``, ``"customer"`` (the data set's own attributes) or
        ``"given"``. Columns that name a person are never there, whether or not the data set calls them personal; ids and amounts
        of customers are not either.

    Examples
    --------
    >>> from crmlab.data.dataset import open_dataset
    >>> list(dimensions(open_dataset("cdnow_sample")))
    ['day', 'week', 'month', 'quarter', 'year']
    """
    found = dict.fromkeys(TIMES, "time")
    facts = [data.table(name) for name in ("orders", "order_lines") if name in data.tables]
    if any("channel" in table.columns for table in facts):
        found["channel"] = "channel"
    if "order_lines" in data.tables:
        found["product"] = "product"
        if "products" in data.tables and "category" in data.products.columns:
            found["category"] = "product"
    if customers is not None:
        found |= {name: "given" for name in customers.columns if name not in _NO_GROUPS and not _names_a_person(name)}
    if "customers" in data.tables:
        own = (name for name in data.customers.columns if name not in _NO_GROUPS and not _names_a_person(name))
        found |= {name: "customer" for name in own if name not in found}
    return found


def facts(
    data: Dataset,
    by: Sequence[str],
    measures: Sequence[str],
    first: dt.date | None,
    last: dt.date | None,
    customers: ibis.Table | None = None,
) -> ibis.Table:
    """Bring what is measured and what it is sliced by into one table: a row per order line, or per order where that is enough.

    Parameters
    ----------
    data : Dataset
    by, measures : sequences of str
        Of :func:`dimensions` and ``MEASURES``.
    first, last : date or None
        First and last day, inclusive; None leaves an end open.
    customers : ibis.Table, optional
        Further attributes by customer_id, one row each.

    Returns
    -------
    ibis.Table
        d0, d1, … (the dimensions as texts, null where not known; times as their first days) and what the measures need: amount,
        order_id, customer_id, quantity, cost, costed (amount where the cost of goods is known), occasion.

    Raises
    ------
    MissingTableError, ParameterError
        A table or column is not there; the message says which.
    """
    import ibis

    kinds = dimensions(data, customers)
    of_product = [name for name in by if kinds[name] == "product"]
    of_lines = bool(of_product) or any(name in OF_LINES for name in measures)
    table = data.order_lines if of_lines else data.orders
    if "channel" in by and "channel" not in table.columns:
        name = "order_lines" if of_lines else "orders"
        raise ParameterError.expected("cube", "by", f"columns of one table; {name} has no channel", "channel")
    rows = between(table, first, last)
    columns: dict[str, Any] = {"amount": rows["amount"], "customer_id": rows["customer_id"]}
    if {"orders", "average_order_value"} & set(measures):
        columns["order_id"] = rows["order_id"]
    if "quantity" in measures or "margin" in measures:
        columns["quantity"] = rows["quantity"]
    if of_lines:
        columns["product_id"] = rows["product_id"]
    for i, name in enumerate(by):
        if kinds[name] == "time":
            day = rows["ordered_at"].date()
            columns[f"d{i}"] = day if name == "day" else day.truncate(TIMES[name])
        elif name in ("channel", "product"):
            columns[f"d{i}"] = rows[PRODUCTS.get(name, name)].cast("string")
    if "occasions" in measures:
        columns["day"] = rows["ordered_at"].date()
    found = rows.select(**columns)
    if "category" in by or "margin" in measures:
        found = _with_products(found, data.products, by, "margin" in measures)
    for source, other in (("customer", data.customers if "customers" in data.tables else None), ("given", customers)):
        wanted = {f"d{i}": name for i, name in enumerate(by) if kinds[name] == source}
        if wanted and other is not None:
            some = other.select(_who="customer_id", **{key: other[name].cast("string") for key, name in wanted.items()})
            found = found.left_join(some, found["customer_id"] == some["_who"]).drop("_who")
    if "occasions" in measures:
        days = occasion_days(between(data.orders, first, last))
        days = days.filter(days["is_occasion"]).select(_who="customer_id", _day="day")
        found = found.left_join(days, [found["customer_id"] == days["_who"], found["day"] == days["_day"]])
        # Null where the day is none: text that holds both, so that one column tells occasions apart.
        key = found["customer_id"].cast("string") + ibis.literal(" ") + found["_day"].cast("string")
        found = found.mutate(occasion=key).drop("_who", "_day", "day")
    return found


def _with_products(found: ibis.Table, products: ibis.Table, by: Sequence[str], cost: bool) -> ibis.Table:
    import ibis

    wanted = {"_what": products["product_id"]}
    if "category" in by:
        wanted[f"d{list(by).index('category')}"] = products["category"]
    if cost:
        if "unit_cost" not in products.columns:
            raise ParameterError.expected("cube", "measures", "without margin where products have no unit_cost", "margin")
        wanted["_cost"] = products["unit_cost"]
    some = products.select(**wanted)
    joined = found.left_join(some, found["product_id"] == some["_what"]).drop("_what")
    if not cost:
        return joined
    known = joined["_cost"].notnull()
    return joined.mutate(
        cost=(joined["quantity"].cast(EXACT) * joined["_cost"].cast(EXACT)).cast("decimal(36, 8)"),
        costed=ibis.ifelse(known, joined["amount"], None),
    ).drop("_cost")


def _names_a_person(name: str) -> bool:
    return is_personal(concepts(name))

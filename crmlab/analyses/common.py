"""What every analysis shares: the history it looks at, how its numbers are written, and which groups are too small to show."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

from crmlab.features.margins import gross_margin
from crmlab.features.orders import between, history
from crmlab.result import Context
from crmlab.style import Format

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.data.dataset import Dataset

LEVEL = 0.95  # of every interval, unless an analysis says otherwise
OTHER = "Other"  # the name under which groups that are too small to show are added up


def form_of(data: Dataset) -> Format:
    """How numbers of this data set are written."""
    return Format(data.currency, data.descriptor.report.language)


def context_of(data: Dataset, as_of: dt.date | str | None = None, customers: int | None = None) -> Context:
    """What a result is about; checks ``as_of`` against the history."""
    first, last = history(data.orders, as_of)
    return Context(data.name, data.title, last, first, customers, form_of(data))


def known_by(data: Dataset, day: dt.date) -> Dataset:
    """The data set with the orders and order lines of no later day."""
    tables = {name: data.table(name) for name in data.tables}
    tables |= {name: between(tables[name], None, day) for name in ("orders", "order_lines") if name in tables}
    return replace(data, _tables=tables)


def small_groups(sizes: pd.Series, least: int) -> pd.Index:
    """Return the groups that must be shown together because one of them is too small to be shown alone.

    Parameters
    ----------
    sizes : Series
        Group → number of customers.
    least : int
        The smallest size that is shown.

    Returns
    -------
    Index
        The groups with fewer than ``least`` customers, but not those with none. Where these add up to fewer than
        ``least``, the next smallest group is among them: else their number would follow from the total.

    Examples
    --------
    >>> import pandas as pd
    >>> list(small_groups(pd.Series({"a": 90, "b": 7, "c": 3, "d": 0}), 5))
    ['c', 'b']
    """
    some = sizes[sizes > 0].sort_index().sort_values(kind="stable")
    count = int((some < least).sum())
    if count and some.iloc[:count].sum() < least:
        count += 1
    return some.index[:count]


def under(sizes: pd.Series, least: int) -> int:
    """Return a round number that all of some group sizes are under, to write "<5" for each of them.

    Examples
    --------
    >>> import pandas as pd
    >>> under(pd.Series([3, 1]), 5), under(pd.Series([3, 7]), 5)
    (5, 10)
    """
    return least * (int(sizes.max()) // least + 1) if len(sizes) else least


def masked(count: int, least: int) -> int | str:
    """A count of people, or that it is too small to be shown.

    Examples
    --------
    >>> masked(0, 5), masked(3, 5), masked(12, 5)
    (0, 'under 5', 12)
    """
    return f"under {least}" if 0 < count < least else count


def contactable(data: Dataset, customer_ids: pd.Series) -> list[str]:
    """Say of each customer whether they may be contacted: ``"yes"``, ``"no"`` or, where the data set does not say, ``"not known"``.

    Parameters
    ----------
    data : Dataset
    customer_ids : Series

    Returns
    -------
    list of str
        In the order of ``customer_ids``.
    """
    if "customers" not in data.tables or "contactable" not in data.customers.columns:
        return ["not known"] * len(customer_ids)
    flags = data.customers.select("customer_id", "contactable").to_pandas().set_index("customer_id")["contactable"]
    found = flags.reindex(customer_ids).to_numpy()
    return ["not known" if flag is None or flag != flag else "yes" if flag else "no" for flag in found]


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

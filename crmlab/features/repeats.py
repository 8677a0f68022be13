"""When the customers of a cohort came, and how often they bought again in each period: what a track is drawn from."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from crmlab.features.customers import occasion_days
from crmlab.features.orders import as_orders, between, history, to_date

if TYPE_CHECKING:
    import ibis
    import pandas as pd


def arrivals(orders: ibis.Table | pd.DataFrame, known_by: str | dt.date) -> ibis.Table:
    """Count customers by the day of their first purchase occasion.

    Parameters
    ----------
    orders : ibis.Table or DataFrame
        Canonical orders.
    known_by : date or ISO date
        Last day of arrival, inclusive.

    Returns
    -------
    ibis.Table
        day, customers, in order of days.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({"customer_id": ["a", "a", "b"], "ordered_at": ["2024-01-01", "2024-01-09", "2024-01-09"],
    ...                        "amount": [10.0, 20.0, 5.0]})
    >>> arrivals(orders, "2024-01-31").to_pandas().customers.tolist()
    [1, 1]
    """
    firsts = _firsts(as_orders(orders), to_date(known_by, "known_by"))
    return firsts.group_by(day=firsts["first"]).agg(customers=firsts.count()).order_by("day")


def repeats(orders: ibis.Table | pd.DataFrame, known_by: str | dt.date, as_of: str | dt.date | None = None) -> ibis.Table:
    """Count repeat purchase occasions by day, of the customers known by a date.

    Parameters
    ----------
    orders : ibis.Table or DataFrame
        Canonical orders.
    known_by : date or ISO date
        Customers who came later are left out.
    as_of : date or ISO date, optional
        Last day looked at; default: the day of the last order.

    Returns
    -------
    ibis.Table
        day, purchases, in order of days; only days with any.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({"customer_id": ["a", "a", "b"], "ordered_at": ["2024-01-01", "2024-01-09", "2024-01-09"],
    ...                        "amount": [10.0, 20.0, 5.0]})
    >>> repeats(orders, "2024-01-31").to_pandas().purchases.tolist()
    [1]
    """
    table = as_orders(orders)
    _, end = history(table, as_of)
    firsts = _firsts(table, to_date(known_by, "known_by"))
    days = occasion_days(between(table, None, end))
    days = days.filter(days["is_occasion"])
    known = days.join(firsts, "customer_id")
    again = known.filter(known["day"] > known["first"])
    return again.group_by("day").agg(purchases=again.count()).order_by("day")


def _firsts(orders: ibis.Table, known_by: dt.date) -> ibis.Table:
    days = occasion_days(between(orders, None, known_by))
    days = days.filter(days["is_occasion"])
    return days.group_by("customer_id").agg(first=days["day"].min())

"""Orders → gaps between a customer's purchase occasions, the last one of them open."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from crmlab.features.customers import occasion_days
from crmlab.features.orders import as_orders, between, history

if TYPE_CHECKING:
    import ibis
    import pandas as pd


def gaps(orders: ibis.Table | pd.DataFrame, as_of: str | dt.date | None = None) -> ibis.Table:
    """Say after each purchase occasion how long the next one took, or has not come yet.

    Parameters
    ----------
    orders : ibis.Table or DataFrame
        Canonical orders.
    as_of : date or ISO date, optional
        Last day of history; default: the day of the last order.

    Returns
    -------
    ibis.Table
        One row per occasion, in no particular order: customer_id, day, number (1 for the customer's first occasion), gap (days
        to the next occasion or, where none came, to ``as_of``), ended (whether it came).

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({"customer_id": ["a", "a"], "ordered_at": ["2024-01-01", "2024-01-09"], "amount": [10.0, 20.0]})
    >>> gaps(orders, "2024-01-09").order_by("number").to_pandas()[["number", "gap", "ended"]].values.tolist()
    [[1, 8, True], [2, 0, False]]
    """
    import ibis

    table = as_orders(orders)
    _, end = history(table, as_of)
    days = occasion_days(between(table, None, end))
    days = days.filter(days["is_occasion"])
    window = ibis.window(group_by="customer_id", order_by="day")
    seen = days.select(
        "customer_id", "day", number=ibis.row_number().over(window).cast("int64") + 1, following=days["day"].lead().over(window)
    )
    until = ibis.coalesce(seen["following"], ibis.literal(end, type="date"))
    return seen.select(
        "customer_id",
        "day",
        "number",
        gap=until.delta(seen["day"], unit="day").cast("int64"),
        ended=seen["following"].notnull(),  # noqa: PD004
    )

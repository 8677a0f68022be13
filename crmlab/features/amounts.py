"""What the rows of an order history add up to, part by part, to the last digit."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from crmlab.features.customers import occasion_days
from crmlab.features.orders import as_orders, between

if TYPE_CHECKING:
    import ibis
    import pandas as pd


def amounts(orders: ibis.Table | pd.DataFrame, as_of: dt.date | None = None) -> ibis.Table:
    """Add up orders by what they are to customer summaries: spend on occasions, returned, of customers without occasion.

    Parameters
    ----------
    orders : ibis.Table or DataFrame
        Canonical orders.
    as_of : date, optional
        Last day of history, inclusive; default: all orders.

    Returns
    -------
    ibis.Table
        One row; amounts are exact decimals, null where there is nothing to add up:

        - occasions, spend : purchase occasions and what they add up to
        - back_days, returned : the other days of the same customers, and what they add up to (≤ 0)
        - without, without_days, without_amount : customers with orders but no occasion, their days, and what these
          add up to

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({"customer_id": ["a", "a", "b"], "ordered_at": ["2024-01-01", "2024-01-03", "2024-01-02"],
    ...                        "amount": [10.0, -4.0, -3.0]})
    >>> amounts(orders).to_pandas()[["spend", "returned", "without_amount"]].astype(float).iloc[0].tolist()
    [10.0, -4.0, -3.0]
    """
    import ibis

    days = occasion_days(between(as_orders(orders), None, as_of))
    counted = days.mutate(
        bought=ibis.ifelse(days["is_occasion"], days["spend"], None),
        back=ibis.ifelse(days["is_occasion"], None, days["spend"]),
    )
    each = counted.group_by("customer_id").agg(
        occasions=counted["bought"].count(),
        days=counted.count(),
        bought=counted["bought"].sum(),
        back=counted["back"].sum(),
    )
    known = each["occasions"] > 0
    return each.aggregate(
        occasions=each["occasions"].sum(),
        spend=each["bought"].sum(),
        back_days=(each["days"] - each["occasions"]).sum(where=known),
        returned=each["back"].sum(where=known),
        without=each.count(where=~known),
        without_days=each["days"].sum(where=~known),
        without_amount=each["back"].sum(where=~known),
    )

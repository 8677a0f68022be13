"""Orders → one row per customer where people buy, or give, once in each round: donors, members, subscribers of a yearly appeal.

A *round* is a calendar year. It counts for a customer where it holds at least one purchase occasion, however many there are.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from crmlab.errors import ParameterError, TooLittleError
from crmlab.history.customers import occasion_days
from crmlab.history.orders import as_orders, between, extent, history, to_date

if TYPE_CHECKING:
    import ibis

__all__ = ["arrivals", "last_round", "repeats", "round_repeats", "round_summary", "whole_year"]


def last_round(orders: Any, as_of: str | dt.date | None = None) -> int:
    """Return the last year that is whole.

    The year of ``as_of`` is whole where that is its 31 December, or is a day with an order and lies in December: more is
    not known then, whatever came later. Else it is the year before.

    Parameters
    ----------
    orders : table
        Canonical orders, as :func:`crmlab.history.orders.as_orders` takes them.
    as_of : date or ISO date, optional
        Last day of history; default: the day of the last order.

    Returns
    -------
    int

    Examples
    --------
    >>> import pandas as pd
    >>> gifts = pd.DataFrame({"customer_id": ["a", "a"], "ordered_at": ["2023-05-01", "2024-12-20"], "amount": [10.0, 10.0]})
    >>> last_round(gifts), last_round(gifts, "2024-06-30")
    (2024, 2023)
    """
    table = as_orders(orders)
    _, end = history(table, as_of)
    _, last = extent(between(table, None, end))
    return whole_year(end, last)


def whole_year(end: dt.date, last: dt.date) -> int:
    """Return the last whole year of a history that ends on a day, with its last order on ``last``; see :func:`last_round`."""
    whole = end.month == 12 and (end.day == 31 or end == last)
    return end.year if whole else end.year - 1


def round_summary(orders: Any, last: int, until: int | None = None) -> ibis.Table:
    """Reduce orders to one row per customer, in rounds of a year.

    Parameters
    ----------
    orders : table
        Canonical orders, as :func:`crmlab.history.orders.as_orders` takes them.
    last : int
        Last year of history; see :func:`last_round`.
    until : int, optional
        Last year of a holdout period; adds what customers did in it.

    Returns
    -------
    ibis.Table
        One row per customer who bought up to ``last``, in no particular order:

        - customer_id
        - frequency : rounds with a purchase after the first one
        - recency : years from the first round with a purchase to the last one
        - periods : years from the first round with a purchase to ``last``
        - monetary_value : mean spend per repeat round; null where frequency is 0
        - occasions, total_spend : rounds with a purchase, and what their occasions add up to
        - first_occasion, last_occasion : first days of the first and last round
        - last_spend : spend in the round ``last``, and last_purchases : 1 where there was one, else 0
        - holdout_purchases, holdout_spend, horizon : with ``until``, rounds with a purchase in (last, until], their spend, and
          their number

    Raises
    ------
    ParameterError
        ``until`` is not after ``last``.
    DataError
        There is no purchase up to ``last``.

    References
    ----------
    Fader, Hardie and Shang (2010), Customer-base analysis in a discrete-time noncontractual setting, Marketing Science 29: x, t_x, n.

    Examples
    --------
    >>> import pandas as pd
    >>> gifts = pd.DataFrame({"customer_id": ["a", "a", "a"], "ordered_at": ["2021-05-01", "2023-02-01", "2023-09-01"],
    ...                       "amount": [10.0, 20.0, 5.0]})
    >>> round_summary(gifts, 2024).to_pandas()[["frequency", "recency", "periods", "monetary_value"]].iloc[0].tolist()
    [1.0, 2.0, 3.0, 25.0]
    """
    import ibis

    if until is not None and until <= last:
        raise ParameterError.expected("round_summary", "until", f"after {last}", until)
    table = as_orders(orders)
    first_day, _ = extent(table)
    if first_day.year > last:
        raise TooLittleError.needs("customer_value", f"a whole year of history up to {last}", f"orders from {first_day} on")
    rounds = _rounds(table, last if until is None else until)
    before = rounds.filter(rounds["year"] <= last)
    firsts = before.group_by("customer_id").agg(
        _first=before["year"].min(), _last=before["year"].max(), occasions=before.count(), _spend=before["spend"].sum()
    )
    opening = before.join(firsts, [before["customer_id"] == firsts["customer_id"], before["year"] == firsts["_first"]])
    opening = opening.select("customer_id", _first_spend=before["spend"])
    now = before.filter(before["year"] == last).select("customer_id", _now=before["spend"])
    found = (
        firsts.left_join(opening, "customer_id")
        .drop("customer_id_right")
        .left_join(now, "customer_id")
        .drop("customer_id_right")
    )
    frequency = found["occasions"].cast("int64") - 1
    columns = {
        "frequency": frequency,
        "recency": (found["_last"] - found["_first"]).cast("float64"),
        "periods": (ibis.literal(last) - found["_first"]).cast("float64"),
        "monetary_value": (found["_spend"] - found["_first_spend"]).cast("float64") / frequency.nullif(0),
        "occasions": found["occasions"].cast("int64"),
        "total_spend": found["_spend"].cast("float64"),
        "first_occasion": ibis.date(found["_first"].cast("int32"), 1, 1),
        "last_occasion": ibis.date(found["_last"].cast("int32"), 1, 1),
        "last_purchases": found["_now"].notnull().cast("int64"),
        "last_spend": found["_now"].cast("float64").fill_null(0.0),
    }
    if until is None:
        return found.select("customer_id", **columns)
    after = rounds.filter(rounds["year"] > last)
    later = after.group_by("customer_id").agg(_purchases=after.count(), _after=after["spend"].sum().cast("float64"))
    joined = found.select("customer_id", **columns).left_join(later, "customer_id").drop("customer_id_right")
    return joined.select(
        "customer_id",
        *columns,
        holdout_purchases=joined["_purchases"].fill_null(0),
        holdout_spend=joined["_after"].fill_null(0.0),
        horizon=ibis.literal(float(until - last)),
    )


def round_repeats(orders: Any, known_by: int, until: int) -> ibis.Table:
    """Count repeat rounds by year, of the customers known by a year.

    Parameters
    ----------
    orders : table
        Canonical orders, as :func:`crmlab.history.orders.as_orders` takes them.
    known_by : int
        Customers whose first round came later are left out.
    until : int
        Last year looked at.

    Returns
    -------
    ibis.Table
        year, purchases, in order of years; only years with any.

    Examples
    --------
    >>> import pandas as pd
    >>> gifts = pd.DataFrame({"customer_id": ["a", "a", "b"], "ordered_at": ["2021-05-01", "2023-02-01", "2023-09-01"],
    ...                       "amount": [10.0, 20.0, 5.0]})
    >>> round_repeats(gifts, 2023, 2023).to_pandas().values.tolist()
    [[2023, 1]]
    """
    rounds = _rounds(as_orders(orders), until)
    firsts = rounds.group_by("customer_id").agg(first=rounds["year"].min())
    known = rounds.join(firsts.filter(firsts["first"] <= known_by), "customer_id")
    again = known.filter(known["year"] > known["first"])
    return again.group_by("year").agg(purchases=again.count()).order_by("year")


def _rounds(orders: ibis.Table, until: int) -> ibis.Table:
    """customer_id, year, spend: rounds with an occasion up to a year."""
    days = occasion_days(between(orders, None, dt.date(until, 12, 31)))
    bought = days.filter(days["is_occasion"])
    return bought.group_by("customer_id", year=bought["day"].year().cast("int64")).agg(spend=bought["spend"].sum())


def arrivals(orders: Any, known_by: str | dt.date) -> ibis.Table:
    """Count customers by the day of their first purchase occasion.

    Parameters
    ----------
    orders : table
        Canonical orders, as :func:`crmlab.history.orders.as_orders` takes them.
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


def repeats(orders: Any, known_by: str | dt.date, as_of: str | dt.date | None = None) -> ibis.Table:
    """Count repeat purchase occasions by day, of the customers known by a date.

    Parameters
    ----------
    orders : table
        Canonical orders, as :func:`crmlab.history.orders.as_orders` takes them.
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

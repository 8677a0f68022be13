"""Order lines → who bought which product, what came of it later, and how long people wait before they buy a product again.

The only place that decides for offers what lies before a day and what after it.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from crmlab.errors import ParameterError
from crmlab.history.orders import as_lines, between, to_date

if TYPE_CHECKING:
    import ibis

__all__ = ["bought_within", "purchases", "repurchase_gaps", "sent_back", "spent_within", "takings"]


def purchases(order_lines: Any, as_of: str | dt.date) -> ibis.Table:
    """Reduce order lines to one row per customer and product that the customer has, as of a day.

    A product is bought on a day on which more pieces are bought than returned. What was bought and wholly returned is not there.

    Parameters
    ----------
    order_lines : table
        Canonical order lines, as :func:`crmlab.history.orders.as_lines` takes them.
    as_of : date or ISO date
        Last day of history, inclusive. Nothing after it is looked at.

    Returns
    -------
    ibis.Table
        One row per customer and product, in no particular order: customer_id, product_id, days (on which it was bought), first and
        last (of these days), quantity (pieces, net of returns; above 0).

    Raises
    ------
    ParameterError
        ``as_of`` is no date.

    Examples
    --------
    >>> import ibis, pandas as pd
    >>> lines = ibis.memtable(pd.DataFrame({
    ...     "customer_id": ["a", "a", "a", "b", "b"], "product_id": ["x", "x", "y", "x", "x"],
    ...     "ordered_at": pd.to_datetime(["2024-01-01", "2024-01-09", "2024-01-09", "2024-01-02", "2024-01-05"]),
    ...     "quantity": [1.0, 2.0, 1.0, 1.0, -1.0], "amount": [5.0, 10.0, 7.0, 5.0, -5.0]}))
    >>> purchases(lines, "2024-01-31").order_by("product_id").to_pandas()[["product_id", "days", "quantity"]].values.tolist()
    [['x', 2, 3.0], ['y', 1, 1.0]]
    """
    found = _bought(order_lines, as_of)
    kept = found.filter(found["_net"] > 0)
    return kept.select("customer_id", "product_id", "days", "first", "last", quantity=kept["_net"].cast("float64"))


def sent_back(order_lines: ibis.Table, as_of: str | dt.date) -> ibis.Table:
    """List what customers bought and wholly returned, as of a day: they do not have it, and should not be offered it again.

    Parameters
    ----------
    order_lines : ibis.Table
        Canonical order lines.
    as_of : date or ISO date
        Last day of history, inclusive.

    Returns
    -------
    ibis.Table
        customer_id, product_id, in no particular order.

    Examples
    --------
    >>> import ibis, pandas as pd
    >>> lines = ibis.memtable(pd.DataFrame({
    ...     "customer_id": ["b", "b"], "product_id": ["x", "x"], "quantity": [1.0, -1.0],
    ...     "ordered_at": pd.to_datetime(["2024-01-02", "2024-01-05"]), "amount": [5.0, -5.0]}))
    >>> sent_back(lines, "2024-01-31").to_pandas().values.tolist()
    [['b', 'x']]
    """
    found = _bought(order_lines, as_of)
    return found.filter(found["_net"] <= 0).select("customer_id", "product_id")


def _bought(order_lines: ibis.Table, as_of: str | dt.date) -> ibis.Table:
    """Customer and product bought on a day at least, with the pieces left after returns."""
    days = _days(between(as_lines(order_lines), None, to_date(as_of, "as_of", "purchases")))
    bought = days["pieces"] > 0
    found = days.group_by("customer_id", "product_id").agg(
        days=bought.sum().cast("int64"),
        first=days["day"].min(where=bought),
        last=days["day"].max(where=bought),
        _net=days["pieces"].sum(),
    )
    return found.filter(found["days"] > 0)


def bought_within(order_lines: ibis.Table, as_of: str | dt.date, horizon: int) -> ibis.Table:
    """Say what customers bought in the days after a day: the outcome that offers are held against.

    Parameters
    ----------
    order_lines : ibis.Table
        Canonical order lines.
    as_of : date or ISO date
        The period begins the day after.
    horizon : int
        Length of the period in days, at least 1; its last day is ``as_of`` + ``horizon``.

    Returns
    -------
    ibis.Table
        One row per customer and product bought in it on a day on which more pieces were bought than returned, in no particular
        order: customer_id, product_id, days.

    Raises
    ------
    ParameterError
        ``as_of`` is no date, or ``horizon`` is under 1.

    Examples
    --------
    >>> import ibis, pandas as pd
    >>> lines = ibis.memtable(pd.DataFrame({
    ...     "customer_id": ["a", "a", "b"], "product_id": ["x", "y", "x"], "quantity": [1.0, 1.0, 1.0],
    ...     "ordered_at": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-09"]), "amount": [5.0, 7.0, 5.0]}))
    >>> bought_within(lines, "2024-01-01", 7).to_pandas().values.tolist()
    [['a', 'y', 1]]
    """
    if horizon < 1:
        raise ParameterError.expected("bought_within", "horizon", "a whole number of at least 1", horizon)
    end = to_date(as_of, "as_of", "bought_within")
    after = between(order_lines, end + dt.timedelta(days=1), end + dt.timedelta(days=horizon))
    days = _days(after)
    days = days.filter(days["pieces"] > 0)
    return days.group_by("customer_id", "product_id").agg(days=days.count())


def spent_within(order_lines: ibis.Table, as_of: str | dt.date, horizon: int) -> ibis.Table:
    """Add up what customers spent on each product in the days after a day, returns of these days taken off.

    Parameters
    ----------
    order_lines : ibis.Table
        Canonical order lines.
    as_of : date or ISO date
        The period begins the day after.
    horizon : int
        Length of the period in days, at least 1.

    Returns
    -------
    ibis.Table
        customer_id, product_id, amount, quantity, in no particular order.

    Examples
    --------
    >>> import ibis, pandas as pd
    >>> lines = ibis.memtable(pd.DataFrame({
    ...     "customer_id": ["a", "a"], "product_id": ["x", "x"], "quantity": [1.0, 2.0],
    ...     "ordered_at": pd.to_datetime(["2024-01-01", "2024-01-02"]), "amount": [5.0, 7.0]}))
    >>> spent_within(lines, "2024-01-01", 7).to_pandas().values.tolist()
    [['a', 'x', 7.0, 2.0]]
    """
    end = to_date(as_of, "as_of", "spent_within")
    after = between(order_lines, end + dt.timedelta(days=1), end + dt.timedelta(days=horizon))
    return after.group_by("customer_id", "product_id").agg(
        amount=after["amount"].sum().cast("float64"), quantity=after["quantity"].sum().cast("float64")
    )


def repurchase_gaps(order_lines: ibis.Table, as_of: str | dt.date) -> ibis.Table:
    """Count, by product, how long it took until a customer bought it again, or has not yet.

    Parameters
    ----------
    order_lines : table
        Canonical order lines, as :func:`crmlab.history.orders.as_lines` takes them.
    as_of : date or ISO date
        Last day of history, inclusive. Nothing after it is looked at.

    Returns
    -------
    ibis.Table
        product_id, gap (days from one day on which a customer bought it to the customer's next or, where none came, to ``as_of``),
        ended (whether it came), n (how many), in no particular order. Of customers and products as :func:`purchases` has them.

    Examples
    --------
    >>> import ibis, pandas as pd
    >>> lines = ibis.memtable(pd.DataFrame({
    ...     "customer_id": ["a", "a", "b"], "product_id": ["x", "x", "x"], "quantity": [1.0, 1.0, 1.0],
    ...     "ordered_at": pd.to_datetime(["2024-01-01", "2024-01-09", "2024-01-02"]), "amount": [5.0, 5.0, 5.0]}))
    >>> repurchase_gaps(lines, "2024-01-10").order_by("gap", "ended").to_pandas().values.tolist()
    [['x', 1, False, 1], ['x', 8, False, 1], ['x', 8, True, 1]]
    """
    import ibis

    end = to_date(as_of, "as_of", "repurchase_gaps")
    days = _days(between(order_lines, None, end))
    net = days.mutate(_net=days["pieces"].sum().over(ibis.window(group_by=["customer_id", "product_id"])))
    real = net.filter((net["pieces"] > 0) & (net["_net"] > 0))
    window = ibis.window(group_by=["customer_id", "product_id"], order_by="day")
    seen = real.select("product_id", "day", following=real["day"].lead().over(window))
    until = ibis.coalesce(seen["following"], ibis.literal(end, type="date"))
    each = seen.select(
        "product_id",
        gap=until.delta(seen["day"], unit="day").cast("int64"),
        ended=seen["following"].notnull(),
    )
    return each.group_by("product_id", "gap", "ended").agg(n=each.count())


def takings(order_lines: ibis.Table, as_of: str | dt.date) -> ibis.Table:
    """Add up what each product brought, as of a day.

    Parameters
    ----------
    order_lines : ibis.Table
        Canonical order lines.
    as_of : date or ISO date
        Last day of history, inclusive.

    Returns
    -------
    ibis.Table
        product_id, amount and quantity (both net of returns), last_sold (the last day on which pieces of it were sold; missing where
        there was none), in no particular order.

    Examples
    --------
    >>> import ibis, pandas as pd
    >>> lines = ibis.memtable(pd.DataFrame({
    ...     "customer_id": ["a", "a"], "product_id": ["x", "x"], "quantity": [2.0, -1.0],
    ...     "ordered_at": pd.to_datetime(["2024-01-01", "2024-01-09"]), "amount": [10.0, -5.0]}))
    >>> takings(lines, "2024-01-10").to_pandas()[["amount", "quantity"]].values.tolist()
    [[5.0, 1.0]]
    """
    lines = between(order_lines, None, to_date(as_of, "as_of", "takings"))
    return lines.group_by("product_id").agg(
        amount=lines["amount"].sum().cast("float64"),
        quantity=lines["quantity"].sum().cast("float64"),
        last_sold=lines["ordered_at"].max(where=lines["quantity"] > 0).date(),
    )


def _days(order_lines: ibis.Table) -> ibis.Table:
    """Pieces by customer, product and day, net of what was returned that day."""
    keyed = order_lines.select("customer_id", "product_id", "quantity", day=order_lines["ordered_at"].date())
    return keyed.group_by("customer_id", "product_id", "day").agg(pieces=keyed["quantity"].sum())

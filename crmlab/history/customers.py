"""Orders → one row per customer, as of a date.

The words (frequency, recency, T, occasion, returned) are those of the field, one meaning each: a *purchase occasion* is a
customer-day whose spend, net of returns booked that day, is positive, or a free purchase with nothing returned.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from crmlab.collecting import collect
from crmlab.errors import DataError, ParameterError
from crmlab.frames import as_ibis
from crmlab.history.customer_days import held_days, hold_days
from crmlab.history.orders import as_orders, between, chosen, known_until, reach, to_date

if TYPE_CHECKING:
    import ibis
    import numpy as np
    import numpy.typing as npt

    from crmlab.data.dataset import Dataset
    from crmlab.models.btyd.clock import Clock

__all__ = [
    "UNIT_DAYS",
    "came_back",
    "customer_summary",
    "distinct_states",
    "gaps",
    "gaps_until",
    "holdout_summary",
    "is_purchase",
    "keep_occasion_days",
    "occasion_days",
    "repeat_times",
    "summary_until",
]


# Days in one unit of time: a month is a twelfth of 365.25 days.
UNIT_DAYS = {"day": 1.0, "week": 7.0, "month": 30.4375}
_NO_TIME = 1e-9  # between purchases on days on which a clock stands still: their logs must be finite
_LONGEST = 36_525  # days before its end for which a clock is asked: a hundred years


def customer_summary(
    orders: Any,
    as_of: str | dt.date | None = None,
    start: str | dt.date | None = None,
    unit: str = "day",
    *,
    log_gaps: bool | Clock = False,
) -> ibis.Table:
    """Reduce orders to one row per customer, as of a date.

    Parameters
    ----------
    orders : table
        Canonical orders: customer_id, ordered_at, amount, and return_amount where orders hold return lines; see
        :func:`crmlab.history.orders.as_orders`.
    as_of : date or ISO date, optional
        Last day of history, inclusive; default: the day of the last order. Nothing after it is looked at.
    start : date or ISO date, optional
        First day of history, inclusive; default: the day of the first order. What a customer did before it is not
        looked at, so that T counts from the first occasion after it.
    unit : {"day", "week", "month"}
        Unit of recency and T. A week is 7 days, a month 30.4375. Models that are fitted to the summary take horizons and answer in it;
        ``CustomerValue(unit=…)``, which discounts by the year, is told the same.
    log_gaps : bool or Clock
        Adds how regular a customer is, which ``BGCNBD`` and ``MBGCNBD`` are fitted to: measured on a clock where one is given, as they
        need it on a clock.

    Returns
    -------
    ibis.Table
        One row per customer with at least one occasion, in no particular order, as an expression that nothing has worked out yet:
        models and pictures take it as it is, ``.to_pandas()``, ``.to_polars()`` and ``.to_pyarrow()`` make a frame of it, and
        ``.order_by("customer_id")`` before them gives its rows an order. Its columns:

        - customer_id
        - frequency : repeat purchase occasions (occasions − 1)
        - recency : time from first to last occasion, in ``unit``
        - T : time from first occasion to ``as_of``, in ``unit``
        - monetary_value : mean spend per repeat occasion; null where frequency is 0
        - days_since_last : days from last occasion to ``as_of``
        - first_occasion, last_occasion : dates
        - occasions, total_spend : number of occasions and what they add up to
        - returned : net amount of the customer's days that are no occasion (≤ 0)
        - log_gaps, where asked for : sum over repeat occasions of the log of the time since the occasion before, in ``unit``; 0 where
          there is none

    Raises
    ------
    ParameterError
        ``as_of`` is before the first order, ``unit`` is unknown, a date cannot be read, or the clock is not of this day and unit.
    DataError
        A column is missing, or there are no orders.

    References
    ----------
    Fader, Hardie and Lee (2005), "Counting your customers" the easy way: section 2 defines frequency, recency and T.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({
    ...     "customer_id": ["a", "a", "a", "b"],
    ...     "ordered_at": ["2024-01-01", "2024-01-08", "2024-01-08", "2024-01-10"],
    ...     "amount": [10.0, 20.0, 5.0, 7.0],
    ... })
    >>> summary = customer_summary(orders, as_of="2024-01-10", unit="week")
    >>> summary.order_by("customer_id").to_pandas()[["customer_id", "frequency", "recency", "monetary_value"]]
      customer_id  frequency  recency  monetary_value
    0           a          1      1.0            25.0
    1           b          0      0.0             NaN
    """
    table = as_orders(orders)
    _unit_days(unit)
    table, end = known_until(table, as_of)
    return summary_until(table, end, to_date(start, "start") if start is not None else None, unit, log_gaps=log_gaps)


def summary_until(
    orders: ibis.Table, end: dt.date, start: dt.date | None = None, unit: str = "day", *, log_gaps: bool | Clock = False
) -> ibis.Table:
    """Reduce orders as :func:`customer_summary` does, up to a day that is known to be in their history: the engine is not asked.

    Raises
    ------
    ParameterError
        ``start`` is after ``end``, or ``unit`` is unknown.
    """
    import ibis

    scale = _unit_days(unit)
    if start is not None and start > end:
        raise ParameterError.dates_out_of_order("start", start, "as_of", end)
    days = occasion_days(between(orders, start, end))
    gap, more = {}, {}
    if log_gaps is not False:
        if log_gaps is not True:
            if not hasattr(log_gaps, "at"):
                raise ParameterError.expected("customer_summary", "log_gaps", "True, False or a Clock", log_gaps)
            days = _on_clock(days, log_gaps, end, scale)
        window = ibis.window(group_by=["customer_id", "is_occasion"], order_by="day")
        if log_gaps is True:
            since = days["day"].delta(days["day"].lag().over(window), unit="day").cast("float64") / scale
        else:
            since = days["hand"] - days["hand"].lag().over(window)
            since = ibis.ifelse(since < _NO_TIME, _NO_TIME, since)
        gap = {"gap": ibis.ifelse(days["is_occasion"], since, None).ln()}
    # Columns that are null where they do not count, not filtered aggregates: engines are faster so.
    split = days.select(
        "customer_id",
        **gap,
        day=ibis.ifelse(days["is_occasion"], days["day"], None),
        spend=ibis.ifelse(days["is_occasion"], days["spend"], None),
        back=ibis.ifelse(days["is_occasion"], None, days["spend"]),
    )
    if log_gaps is not False:
        more = {"_gaps": split["gap"].sum()}
    grouped = split.group_by("customer_id").agg(
        **more,
        occasions=split["day"].count(),
        first_occasion=split["day"].min(),
        last_occasion=split["day"].max(),
        _spend=split["spend"].sum(),
        _first_spend=_at_least(split["spend"], split["day"]),
        _returned=split["back"].sum(),
    )
    grouped = grouped.filter(grouped["occasions"] > 0)
    until = ibis.literal(end, type="date")
    frequency = grouped["occasions"].cast("int64") - 1
    repeat = (grouped["_spend"] - grouped["_first_spend"]).cast("float64")
    return grouped.select(
        "customer_id",
        frequency=frequency,
        recency=grouped["last_occasion"].delta(grouped["first_occasion"], unit="day").cast("float64") / scale,
        T=until.delta(grouped["first_occasion"], unit="day").cast("float64") / scale,
        monetary_value=repeat / frequency.nullif(0),
        days_since_last=until.delta(grouped["last_occasion"], unit="day").cast("int64"),
        first_occasion=grouped["first_occasion"],
        last_occasion=grouped["last_occasion"],
        occasions=grouped["occasions"].cast("int64"),
        total_spend=grouped["_spend"].cast("float64"),
        returned=grouped["_returned"].fill_null(0).cast("float64"),
        **({} if log_gaps is False else {"log_gaps": grouped["_gaps"].fill_null(0.0)}),
    )


def _on_clock(days: ibis.Table, clock: Clock, end: dt.date, scale: float) -> ibis.Table:
    """Days with what a clock shows on each, in units of it before the end."""
    import ibis
    import numpy as np

    if clock.end != end or clock.days_per_unit != scale:
        expected = f"a clock that ends on {end} and has {scale:g} days to a unit"
        raise ParameterError.expected(
            "customer_summary", "log_gaps", expected, f"one of {clock.end} and {clock.days_per_unit:g} days"
        )
    back = np.arange(_LONGEST)
    hands = {"_day": [end - dt.timedelta(days=int(one)) for one in back], "hand": clock.at(-back / scale)}
    shown = ibis.memtable(hands, schema={"_day": "date", "hand": "float64"})
    return days.left_join(shown, days["day"] == shown["_day"]).drop("_day")


def distinct_states(summary: Any) -> ibis.Table:
    """Count customers by distinct (frequency, recency, T): all that a buy-till-you-die model needs to know.

    Parameters
    ----------
    summary : table
        With columns frequency, recency, T; as of :func:`customer_summary`.

    Returns
    -------
    ibis.Table
        frequency, recency, T, weight (number of customers), in no particular order.

    Examples
    --------
    >>> import pandas as pd
    >>> summary = pd.DataFrame({"frequency": [0, 0, 1], "recency": [0.0, 0.0, 2.0], "T": [5.0, 5.0, 5.0]})
    >>> distinct_states(summary).order_by("frequency").to_pandas()
       frequency  recency    T  weight
    0          0      0.0  5.0       2
    1          1      2.0  5.0       1
    """
    table = as_ibis(summary, "summary", DataError)
    keys = ("frequency", "recency", "T")
    for column in keys:
        if column not in table.columns:
            raise DataError.frame_lacks("summary", column, table.columns)
    return table.group_by(*keys).agg(weight=table.count())


def holdout_summary(
    orders: Any,
    as_of: str | dt.date,
    until: str | dt.date | None = None,
    unit: str = "day",
    *,
    log_gaps: bool | Clock = False,
) -> ibis.Table:
    """Summarise customers as of a date, and what they did after it.

    Parameters
    ----------
    orders : table
        Canonical orders, as :func:`crmlab.history.orders.as_orders` takes them.
    as_of : date or ISO date
        Last day of the calibration period, inclusive.
    until : date or ISO date, optional
        Last day of the holdout period, inclusive; default: the day of the last order.
    unit : {"day", "week", "month"}
        Unit of recency, T and horizon.
    log_gaps : bool or Clock
        As of :func:`customer_summary`.

    Returns
    -------
    ibis.Table
        :func:`customer_summary` as of ``as_of`` (rows in no order; ``.to_pandas()`` makes a frame), and holdout_purchases (occasions
        in (as_of, until]), holdout_spend (what they add up to) and horizon (length of the holdout period in ``unit``).

    Raises
    ------
    ParameterError
        The dates are out of order or outside the history.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({
    ...     "customer_id": ["a", "a"], "ordered_at": ["2024-01-01", "2024-01-15"], "amount": [10.0, 20.0],
    ... })
    >>> held = holdout_summary(orders, "2024-01-08", "2024-01-15", unit="week").to_pandas()
    >>> int(held.holdout_purchases[0]), float(held.holdout_spend[0]), float(held.horizon[0])
    (1, 20.0, 1.0)
    """
    import ibis

    table = as_orders(orders)
    found = reach(table)
    last, (_, begin) = found.last, chosen(found, as_of)
    end = to_date(until, "until", "holdout_summary") if until is not None else last
    if end <= begin:
        raise ParameterError.dates_out_of_order("as_of", begin, "until", end)
    if end > last:
        raise ParameterError.expected("holdout_summary", "until", f"no later than the last order, {last}", str(end))
    summary = customer_summary(table, begin, unit=unit, log_gaps=log_gaps)
    days = occasion_days(between(table, begin + dt.timedelta(days=1), end))
    bought = days.filter(days["is_occasion"])
    after = bought.group_by("customer_id").agg(_purchases=bought.count(), _after=bought["spend"].sum().cast("float64"))
    joined = summary.left_join(after, "customer_id").drop("customer_id_right")
    return joined.select(
        *summary.columns,
        holdout_purchases=joined["_purchases"].fill_null(0),
        holdout_spend=joined["_after"].fill_null(0.0),
        horizon=ibis.literal((end - begin).days).cast("float64") / _unit_days(unit),
    )


def occasion_days(orders: Any) -> ibis.Table:
    """Reduce orders to customer-days, and say which of them are purchase occasions.

    Parameters
    ----------
    orders : table
        Canonical orders, as :func:`crmlab.history.orders.as_orders` takes them.

    Returns
    -------
    ibis.Table
        customer_id, day, spend (DECIMAL, net of returns booked that day), is_occasion.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({"customer_id": ["a", "a"], "ordered_at": ["2024-01-01 09:00", "2024-01-01 15:00"],
    ...                        "amount": [10.0, -10.0]})
    >>> bool(occasion_days(orders).to_pandas().is_occasion[0])
    False
    """
    table = as_orders(orders)
    held = held_days(table)
    return _days_of(table) if held is None else held


def keep_occasion_days(data: Dataset) -> None:
    """Have the customer-days of a data set whose contents stay as they are worked out once, for all histories of it."""
    if data.fingerprint is not None and "orders" in data.tables:
        hold_days(data.orders, _days_of)


def _days_of(table: ibis.Table) -> ibis.Table:
    lowest = table["amount"].min()
    if "return_amount" in table.columns:
        import ibis

        lowest = ibis.least(lowest, table["return_amount"].fill_null(0).min())
    days = table.group_by("customer_id", day=table["ordered_at"].date()).agg(spend=table["amount"].sum(), _lowest=lowest)
    # A free day is an occasion only if nothing came back on it: an order and its return on one day also add up to 0.
    is_occasion = (days["spend"] > 0) | ((days["spend"] == 0) & (days["_lowest"] >= 0))
    return days.select("customer_id", "day", "spend", is_occasion=is_occasion)


def repeat_times(orders: Any, as_of: str | dt.date | None = None, unit: str = "day") -> npt.NDArray[np.float64]:
    """Times of all repeat purchases, counted from the first purchase of all: what ``plot_track`` holds a model's forecast against.

    Parameters
    ----------
    orders : table
        Canonical orders, as :func:`crmlab.history.orders.as_orders` takes them.
    as_of : date or ISO date, optional
        Only of customers who had bought by this day, their later purchases too: the customers of a summary as of it. Default: of all.
    unit : {"day", "week", "month"}
        Of the times: that of the summary to which the model was fitted.

    Returns
    -------
    array of shape (n_repeat_purchases,)
        In order. Several orders of a customer on one day are one purchase.

    Raises
    ------
    ParameterError
        ``as_of`` is before the first order or after the last, or ``unit`` is unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({"customer_id": ["a", "b", "a", "b"], "amount": 10.0,
    ...                        "ordered_at": ["2024-01-01", "2024-01-08", "2024-01-15", "2024-02-05"]})
    >>> repeat_times(orders, unit="week").tolist()
    [2.0, 5.0]
    """
    import ibis

    scale = _unit_days(unit)
    table = as_orders(orders)
    days = occasion_days(table)
    days = days.filter(days["is_occasion"])
    window = ibis.window(group_by="customer_id")
    seen = days.select("day", first=days["day"].min().over(window), start=days["day"].min().over(ibis.window()))
    if as_of is not None:
        seen = seen.filter(seen["first"] <= ibis.literal(chosen(reach(table), as_of)[1], type="date"))
    repeat = seen.filter(seen["day"] > seen["first"])
    since = repeat.select(since=repeat["day"].delta(repeat["start"], unit="day").cast("float64") / scale)
    return collect(since, "since")["since"].to_numpy(float)


def is_purchase(orders: ibis.Table) -> Any:
    """Whether an order buys something, as a condition: its amount is above 0, or it is free and nothing came back in it.

    The rule of :func:`occasion_days` for single orders: a free order is a purchase. Where it is not to be one, the data set says
    ``free_orders = "ignore"``, and such orders are not read. A day on which as much came back as was bought is no occasion, but its order
    was one.

    Examples
    --------
    >>> import ibis, pandas as pd
    >>> orders = ibis.memtable(pd.DataFrame({"customer_id": ["a", "b", "c"], "amount": [10.0, 0.0, -5.0]}))
    >>> orders.filter(is_purchase(orders))["customer_id"].to_pandas().tolist()
    ['a', 'b']
    """
    amount = orders["amount"]
    if "return_amount" not in orders.columns:
        return amount >= 0
    return (amount > 0) | ((amount == 0) & (orders["return_amount"].fill_null(0) >= 0))


def came_back(orders: ibis.Table) -> Any:
    """What of each order came back, at most 0: its return lines where they are known, else an order below 0 as a whole.

    Examples
    --------
    >>> import ibis, pandas as pd
    >>> orders = ibis.memtable(pd.DataFrame({"customer_id": ["a", "b"], "amount": [10.0, -5.0]}))
    >>> orders.select(back=came_back(orders))["back"].to_pandas().tolist()
    [0.0, -5.0]
    """
    import ibis

    amount = orders["amount"]
    if "return_amount" in orders.columns:
        return orders["return_amount"].fill_null(0)
    return ibis.least(amount, ibis.literal(0).cast(amount.type()))


def _at_least(value: Any, key: Any) -> Any:
    """The value where a key is least, nulls left out. Ibis sorts each group for it on DuckDB; ``min_by`` does not."""
    import ibis

    if value.get_backend().name not in ("duckdb", "pyspark"):
        return value.argmin(key)

    def min_by(value, key): ...  # type: ignore[no-untyped-def]

    return ibis.udf.agg.builtin(min_by, signature=((value.type(), key.type()), value.type()))(value, key)


def _unit_days(unit: str) -> float:
    if unit not in UNIT_DAYS:
        raise ParameterError.expected("customer_summary", "unit", "'day', 'week' or 'month'", unit)
    return UNIT_DAYS[unit]


def gaps(orders: Any, as_of: str | dt.date | None = None) -> ibis.Table:
    """Say after each purchase occasion how long the next one took, or has not come yet.

    Parameters
    ----------
    orders : table
        Canonical orders, as :func:`crmlab.history.orders.as_orders` takes them.
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
    table = as_orders(orders)
    return gaps_until(*known_until(table, as_of))


def gaps_until(orders: ibis.Table, end: dt.date) -> ibis.Table:
    """Reduce orders as :func:`gaps` does, up to a day that is known to be in their history: the engine is not asked."""
    import ibis

    days = occasion_days(between(orders, None, end))
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
        ended=seen["following"].notnull(),
    )

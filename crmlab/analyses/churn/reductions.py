"""Orders → customers as they stood on several days, and what they did in a window after each.

Everything in a row but the outcome is known on its day: no later order changes it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from crmlab.errors import ParameterError
from crmlab.history.customers import occasion_days
from crmlab.history.orders import as_orders, between, history, to_date
from crmlab.history.words import YEAR

if TYPE_CHECKING:
    import ibis
    import pandas as pd

    from crmlab.analyses.customer_value import Choice
    from crmlab.history.past import History

__all__ = ["FEATURES", "IN_SEASON", "OF_PURCHASES", "snapshots", "with_breadth", "with_model"]


# What each feature says of a customer on the day of the snapshot, for people: fields are words of the data set, see ``fact_of``.
FEATURES = {
    "days_since_last": "days since the last {deed}",
    "occasions": "{deeds} so far",
    "age": "days since the first {deed}",
    "mean_gap": "usual days between {deeds}",
    "gap_spread": "how irregular the gaps are",
    "silence": "days since the last {deed} compared with the usual gap",
    "recent": "{deeds} in the last window",
    "earlier": "{deeds} in the window before",
    "trend": "recent {deeds} compared with those before",
    "same_season": "{deeds} in the same weeks a year ago",
    "total_spend": "{money} so far",
    "mean_spend": "{money} per {deed}",
    "last_spend": "{money} of the last {deed}",
    "recent_spend": "{money} in the last window",
    "returned_share": "share of {money} that was returned",
    "products": "different products bought",
    "categories": "different categories bought",
    "probability_alive": "probability of still being a {one}",
    "expected_purchases": "{deeds} expected in the window",
}
OF_PURCHASES = ("probability_alive", "expected_purchases")  # what the model of purchases says
IN_SEASON = "probability_of_purchase"  # in the window, told in the season that it lies in: no feature, but what all together are held to


def snapshots(
    orders: Any,
    dates: Sequence[str | dt.date],
    window: int,
    active_within: int,
    *,
    outcome: bool = True,
    as_of: str | dt.date | None = None,
) -> ibis.Table:
    """Reduce orders to one row per customer and day of snapshot.

    Parameters
    ----------
    orders : table
        Canonical orders, as :func:`crmlab.history.orders.as_orders` takes them.
    dates : sequence of dates or ISO dates
        Days of the snapshots, increasing.
    window : int
        Days after a snapshot in which an occasion means that the customer did not churn; positive.
    active_within : int
        A customer is eligible on a day with an occasion in so many days up to it; positive.
    outcome : bool
        Whether the outcome is wanted. Without it, the last snapshot may lie on the last day of history.
    as_of : date or ISO date, optional
        Last day of history, on which nobody need have ordered; default: the day of the last order.

    Returns
    -------
    ibis.Table
        Eligible customers only, in no particular order: customer_id, date, the features that ``FEATURES`` describes (without those
        of the model of purchases, see :func:`with_model`, and the breadth of what was bought, see :func:`with_breadth`; mean_gap,
        gap_spread and
        silence are null where there are too few occasions), and with ``outcome``: churned (no occasion in (date, date + window])
        and bought (occasions in it).

    Raises
    ------
    ParameterError
        Dates do not increase or lie outside the history, a number is not positive, or the window of a date is not complete.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({"customer_id": ["a", "a", "b"], "ordered_at": ["2024-01-01", "2024-01-09", "2024-02-20"],
    ...                        "amount": [10.0, 20.0, 5.0]})
    >>> seen = snapshots(orders, ["2024-01-10"], window=14, active_within=30).to_pandas()
    >>> seen[["customer_id", "days_since_last", "occasions", "churned"]].values.tolist()
    [['a', 1, 2, True]]
    """
    import ibis

    table = as_orders(orders)
    first, last = history(table)
    last = last if as_of is None else to_date(as_of, "as_of", "snapshots")
    days = _checked(dates, window, active_within, first, last, outcome)
    until = min(days[-1] + dt.timedelta(days=window), last) if outcome else days[-1]
    base = occasion_days(between(table, first, until))
    # Within a customer's occasions (and, of no use, within the other days): from one to the next.
    order = ibis.window(group_by=["customer_id", "is_occasion"], order_by="day")
    gap = base["day"].delta(base["day"].lag().over(order), unit="day")
    events = base.select("customer_id", "day", "is_occasion", "spend", gap=gap.cast("int64"))
    parts = [_of_day(events, day, window, active_within, outcome) for day in days]
    return parts[0] if len(parts) == 1 else ibis.union(*parts)


def with_model(frame: pd.DataFrame, history: History, window: int, choice: Choice | None = None) -> pd.DataFrame:
    """Add what the model of purchases, fitted on each snapshot's day to what was known then, says of each customer.

    Parameters
    ----------
    frame : DataFrame
        Of :func:`snapshots`.
    history : History
        Reaches to the last snapshot's day at least.
    window : int
        Days.
    choice : Choice, optional
        Which model of purchases, as of :func:`crmlab.analyses.customer_value.chosen`; default: on each day that which told best
        what had come by then.

    Returns
    -------
    DataFrame
        The frame with probability_alive and expected_purchases; NaN on days on which the model cannot be fitted, because
        nobody had bought again, say, or is on its boundary, where it tells nobody from anybody. Where forecasts follow a season also
        probability_of_purchase, in the window.
    """
    import pandas as pd

    from crmlab.analyses.customer_value import told
    from crmlab.errors import ConvergenceError, DataError, ModelError

    in_season = choice is not None and choice.in_season
    parts = []
    for day, part in frame.groupby("date", sort=True):
        try:
            says = told(history.earlier(to_date(day, "date")), float(window), choice)
        except (DataError, ModelError, ConvergenceError):
            parts.append(part.assign(**dict.fromkeys(OF_PURCHASES, float("nan"))))
        else:
            parts.append(part.merge(says if in_season else says.drop(columns=IN_SEASON), "left", "customer_id"))
    return pd.concat(parts, ignore_index=True) if parts else frame.assign(probability_alive=0.0, expected_purchases=0.0)


def with_breadth(
    found: ibis.Table, order_lines: ibis.Table, products: ibis.Table | None, dates: Sequence[str | dt.date]
) -> ibis.Table:
    """Add how many products, and categories where products have them, each customer had bought by each day.

    Parameters
    ----------
    found : ibis.Table
        Of :func:`snapshots`.
    order_lines : ibis.Table
        Canonical order lines.
    products : ibis.Table or None
        Canonical products.
    dates : sequence of dates or ISO dates
        Days of the snapshots, increasing.

    Returns
    -------
    ibis.Table
        The rows with products and, where they are known, categories.
    """
    import ibis

    days = [to_date(day, "dates", "snapshots") for day in dates]
    lines = between(order_lines, None, days[-1])
    lines = lines.filter(lines["quantity"] > 0).select("customer_id", "product_id", day=lines["ordered_at"].date())
    names = {"products": lines}
    if products is not None and "category" in products.columns:
        kinds = products.select("product_id", "category")
        joined = lines.join(kinds, "product_id")
        names["categories"] = joined.filter(joined["category"].notnull()).select("customer_id", "day", product_id="category")
    for name, bought in names.items():
        first = bought.group_by("customer_id", "product_id").agg(day=bought["day"].min())
        parts = []
        for day in days:
            by = first.filter(first["day"] <= ibis.literal(day, type="date"))
            parts.append(by.group_by("customer_id").agg(**{name: by.count()}).mutate(date=ibis.literal(day, type="date")))
        counts = parts[0] if len(parts) == 1 else ibis.union(*parts)
        joined = found.left_join(counts, ["customer_id", "date"]).drop("customer_id_right", "date_right")
        found = joined.mutate(**{name: joined[name].fill_null(0)})
    return found


def _checked(
    dates: Sequence[str | dt.date], window: int, active_within: int, first: dt.date, last: dt.date, outcome: bool
) -> list[dt.date]:
    for name, value in (("window", window), ("active_within", active_within)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ParameterError.expected("snapshots", name, "a whole number of days of at least 1", value)
    days = [to_date(day, "dates", "snapshots") for day in dates]
    if not days:
        raise ParameterError.expected("snapshots", "dates", "at least one day", "none")
    for early, late in pairwise(days):
        if early >= late:
            raise ParameterError.expected("snapshots", "dates", "in increasing order", f"{early} before {late}")
    for day in days:
        if not first <= day <= last:
            raise ParameterError.expected("snapshots", "dates", f"from {first} to {last}", str(day))
        if outcome and day + dt.timedelta(days=window) > last:
            end = last - dt.timedelta(days=window)
            raise ParameterError.expected(
                "snapshots", "dates", f"at the latest {end}, so that {window} days after it are known", str(day)
            )
    return days


def _of_day(events: ibis.Table, day: dt.date, window: int, active_within: int, outcome: bool) -> ibis.Table:
    """All customers who were eligible on a day: one pass over the events of everybody."""
    import ibis

    def back(days: int) -> Any:
        return ibis.literal(day - dt.timedelta(days=days), type="date")

    now = ibis.literal(day, type="date")
    when, spend = events["day"], events["spend"]
    known = when <= now
    real = known & events["is_occasion"]
    one = ibis.literal(1)

    def count(condition: Any) -> Any:
        return ibis.ifelse(real & condition, one, ibis.literal(0)).sum().cast("int64")

    # Money and days stay exact until they are summed: sums of floats depend on the order in which an engine adds them.
    free = ibis.literal(0).cast(spend.type())

    def total(condition: Any, value: Any) -> Any:
        return ibis.ifelse(condition, value, free).sum().cast("float64")

    nothing = ibis.null("float64")
    gap = ibis.ifelse(real, events["gap"], ibis.null("int64"))
    day_of = ibis.ifelse(real, when, ibis.null("date"))
    last_year = ibis.literal(day - dt.timedelta(days=YEAR), type="date")
    season_end = ibis.literal(day - dt.timedelta(days=YEAR - window), type="date")
    columns = {
        "_last": day_of.max(),
        "_first": day_of.min(),
        "occasions": count(True),
        "_gaps": gap.sum().cast("float64"),
        "_squares": (gap * gap).sum().cast("float64"),
        "recent": count(when > back(window)),
        "earlier": count((when <= back(window)) & (when > back(2 * window))),
        "same_season": count((when > last_year) & (when <= season_end)),
        "total_spend": total(real, spend),
        "recent_spend": total(real & (when > back(window)), spend),
        "last_spend": _latest(spend, day_of).cast("float64"),
        "_back": total(known & ~events["is_occasion"], -spend),
    }
    if outcome:
        after = (when > now) & (when <= ibis.literal(day + dt.timedelta(days=window), type="date")) & events["is_occasion"]
        columns["bought"] = ibis.ifelse(after, one, ibis.literal(0)).sum().cast("int64")
    grouped = events.group_by("customer_id").agg(**columns)
    grouped = grouped.filter(grouped["_last"] > back(active_within))
    since = now.delta(grouped["_last"], unit="day").cast("int64")
    count_gaps = (grouped["occasions"] - 1).nullif(0).cast("float64")
    mean_gap = grouped["_gaps"] / count_gaps
    spread = ibis.greatest(grouped["_squares"] / count_gaps - mean_gap * mean_gap, 0.0).sqrt()
    result = {
        "date": now,
        "days_since_last": since,
        "occasions": grouped["occasions"],
        "age": now.delta(grouped["_first"], unit="day").cast("int64"),
        "mean_gap": mean_gap,
        "gap_spread": ibis.ifelse(grouped["occasions"] > 2, spread, nothing),
        "silence": since.cast("float64") / mean_gap,
        "recent": grouped["recent"],
        "earlier": grouped["earlier"],
        "trend": grouped["recent"] - grouped["earlier"],
        "same_season": grouped["same_season"],
        "total_spend": grouped["total_spend"],
        "mean_spend": grouped["total_spend"] / grouped["occasions"],
        "last_spend": grouped["last_spend"],
        "recent_spend": grouped["recent_spend"],
        "returned_share": grouped["_back"] / (grouped["total_spend"] + grouped["_back"]).nullif(0),
    }
    if outcome:
        result |= {"bought": grouped["bought"], "churned": grouped["bought"] == 0}
    return grouped.select("customer_id", **result)


def _latest(value: Any, key: Any) -> Any:
    """The value where a key is greatest, nulls left out; see ``_at_least`` of the customer summary."""
    import ibis

    if value.get_backend().name not in ("duckdb", "pyspark"):
        return value.argmax(key)

    def max_by(value, key): ...  # type: ignore[no-untyped-def]

    return ibis.udf.agg.builtin(max_by, signature=((value.type(), key.type()), value.type()))(value, key)

"""Where customers stand in their life, at any date, from their buying rhythm: states, moves between them, and time in them.

At a date every customer with an occasion up to it is in exactly one state. With the days since the last occasion, and the
thresholds of :class:`~crmlab.analyses.lifecycle.rhythm.Thresholds` in days, both counted by the season where there is one:

- *new*: one occasion so far, days ≤ slowing
- *reactivated*: came back after having lapsed, days ≤ slowing
- *active*: came again before having lapsed, days ≤ slowing
- *slowing*: slowing < days ≤ lapsed
- *lapsed*: lapsed < days ≤ lost
- *lost*: days > lost

New, active, slowing and reactivated customers are *current*. People of the customers table without any occasion are
*prospects*.
"""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from crmlab.analyses.lifecycle.naming import NONE
from crmlab.analyses.lifecycle.pace import day_number
from crmlab.analyses.lifecycle.rhythm import Thresholds, known, occasions, to_day
from crmlab.errors import DataError, ParameterError
from crmlab.frames import as_ibis
from crmlab.history.orders import to_date

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ibis


__all__ = ["cohorts", "spells", "states", "transitions"]


def states(
    orders: Any,
    as_of: str | dt.date | None,
    thresholds: Thresholds,
    customers: Any = None,
) -> ibis.Table:
    """Say in which state each customer is at a date.

    Parameters
    ----------
    orders : table or History
        Canonical orders.
    as_of : date or ISO date, optional
        The date, inclusive; default: the day of the last order. Nothing after it is looked at.
    thresholds : Thresholds
    customers : table, optional
        Canonical customers; those without an occasion, and acquired by then where that is known, are prospects.

    Returns
    -------
    ibis.Table
        One row per customer, in no particular order:

        - customer_id, state
        - since : first day in this state without a break; null for prospects
        - days_since_last, last_occasion, occasions
        - mean_gap : mean of the customer's gaps in days; null with one occasion
        - own : whether the thresholds are those of the customer's own rhythm
        - slowing_after, lapsed_after, lost_after : the thresholds, in days since the last occasion

    Raises
    ------
    ParameterError
        ``as_of`` is outside the history.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({"customer_id": ["a", "b", "b", "c"], "amount": 5.0,
    ...                        "ordered_at": ["2024-01-01", "2024-01-01", "2024-01-20", "2024-02-20"]})
    >>> found = states(orders, "2024-02-20", Thresholds(30, 45, 90))
    >>> found.order_by("customer_id").to_pandas()[["customer_id", "state", "days_since_last"]].values.tolist()
    [['a', 'lapsed', 50], ['b', 'slowing', 31], ['c', 'new', 0]]
    """
    import ibis

    table, end = known(orders, as_of)
    today = ibis.literal(day_number(end), type="int64")
    rows = occasions(table, thresholds)
    # The start of a run of active occasions is the latest occasion that began one.
    begun = ibis.ifelse(rows["started"], rows["day"], None)
    rows = rows.mutate(begun=begun.max().over(ibis.cumulative_window(group_by="customer_id", order_by="day")))
    rows = rows.filter(rows["following"].isnull())
    passed = [(today <= rows[name]) for name in ("slowing", "lapsed", "lost")]
    state = ibis.cases((passed[0], rows["kind"]), (passed[1], "slowing"), (passed[2], "lapsed"), else_="lost")
    since = ibis.cases(
        (passed[0], rows["begun"]), (passed[1], rows["slowing"] + 1), (passed[2], rows["lapsed"] + 1), else_=rows["lost"] + 1
    )
    gap = (rows["day"] - rows["first"]).cast("float64") / (rows["number"] - 1).nullif(0)
    found = rows.select(
        "customer_id",
        state=state,
        since=to_day(since).cast("date"),
        days_since_last=(today - rows["day"]).cast("int64"),
        last_occasion=to_day(rows["day"]).cast("date"),
        occasions=rows["number"],
        mean_gap=gap,
        own=rows["own"],
        slowing_after=(rows["slowing"] - rows["day"]).cast("int64"),
        lapsed_after=(rows["lapsed"] - rows["day"]).cast("int64"),
        lost_after=(rows["lost"] - rows["day"]).cast("int64"),
    )
    if customers is None:
        return found
    return ibis.union(found, _prospects(found, as_ibis(customers, "customers", DataError), end))


def _prospects(found: ibis.Table, customers: ibis.Table, end: dt.date) -> ibis.Table:
    """People without an occasion, in the columns of the others."""
    import ibis

    if "acquired_at" in customers.columns:
        known = customers["acquired_at"].isnull() | (customers["acquired_at"] <= ibis.literal(end, type="date"))
        customers = customers.filter(known)
    without = customers.anti_join(found, "customer_id")
    given: dict[str, Any] = {"state": ibis.literal("prospect"), "occasions": ibis.literal(0, type="int64")}
    kinds = found.schema()
    empty = {name: ibis.literal(None, type=kind) for name, kind in kinds.items() if name not in given}
    given |= {name: value for name, value in empty.items() if name != "customer_id"}
    given["own"] = ibis.literal(False)
    return without.select("customer_id", **{name: given[name] for name in found.columns if name != "customer_id"})


def transitions(
    orders: Any,
    dates: Sequence[str | dt.date],
    thresholds: Thresholds,
    longest: int | None = None,
) -> ibis.Table:
    """Count customers by the states that they were in on each two neighbouring dates.

    Each occasion is looked at once, whatever the number of dates: it decides the customer's state from the first date on or
    after it to the last date before the next. Occasions are counted by the places of these dates; only the counts are spread
    over the dates.

    Parameters
    ----------
    orders : table or History
        Canonical orders.
    dates : sequence of dates or ISO dates
        At least two, increasing. Nothing after the last is looked at, and no state at a date depends on what came after it.
    thresholds : Thresholds
    longest : int, optional
        Count by silence too, the number of dates that passed since the last occasion before the present one; those with more
        count as with so many.

    Returns
    -------
    ibis.Table
        date, state_before (``none`` for customers without an occasion by the date before), state, customers, occasions and
        spend (in the days after the date before, up to ``date``), in no particular order. A row for each date but the first,
        and pair of states that occurs. With ``longest`` also silence_before (−1 where there was no occasion) and silence.

    Raises
    ------
    ParameterError
        There are fewer than two dates, or they are out of order.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({"customer_id": ["a", "b", "b"], "amount": [5.0, 5.0, 7.0],
    ...                        "ordered_at": ["2024-01-01", "2024-01-01", "2024-02-29"]})
    >>> found = transitions(orders, ["2024-01-31", "2024-02-29"], Thresholds(30, 45, 90))
    >>> found.order_by("state").to_pandas()[["state_before", "state", "customers", "spend"]].values.tolist()
    [['new', 'lapsed', 1, 0.0], ['new', 'reactivated', 1, 7.0]]
    """
    import ibis
    import pandas as pd

    places = _places(dates)
    rows = occasions(known(orders, places[-1])[0], thresholds)
    numbers = [day_number(day) for day in places]
    rows = rows.mutate(
        start=_dates_before(numbers, rows["day"]),
        stop=_dates_before(numbers, rows["following"].fill_null(numbers[-1] + 1)),
    )
    # Only the last occasion before a date decides; what was spent on those between is in the running total.
    rows = rows.filter(rows["start"] < rows["stop"])
    ends = [ibis.least(_dates_before(numbers, rows[name] + 1), rows["stop"]) for name in ("slowing", "lapsed", "lost")]
    rows = rows.mutate(slow=ends[0], lapse=ends[1], lose=ends[2])
    own = ibis.window(group_by="customer_id", order_by="day")
    before = _state_at(rows["stop"] - 1, rows).lag(1).over(own)
    rows = rows.mutate(
        before=before.fill_null(NONE),
        waited=rows["start"].lag(1).over(own),
        bought=rows["number"] - rows["number"].lag(1).over(own).fill_null(0),
        spent=rows["total"] - rows["total"].lag(1).over(own).fill_null(0),
    )
    keys = ["start", "stop", "slow", "lapse", "lose", "kind", "before"]
    counted = rows.group_by(*keys, *(["waited"] if longest is not None else [])).agg(
        customers=rows.count(), bought=rows["bought"].sum(), spent=rows["spent"].sum()
    )
    steps = ibis.memtable(pd.DataFrame({"place": range(1, len(places)), "date": places[1:]}))
    pairs = counted.join(steps, [counted["start"] <= steps["place"], counted["stop"] > steps["place"]])
    entered = pairs["start"] == pairs["place"]
    columns = {
        "date": pairs["date"],
        "state_before": ibis.ifelse(entered, pairs["before"], _state_at(pairs["place"] - 1, pairs)),
        "state": _state_at(pairs["place"], pairs),
    }
    if longest is not None:
        silent = ibis.ifelse(entered, (pairs["place"] - 1 - pairs["waited"]).fill_null(-1), pairs["place"] - 1 - pairs["start"])
        columns["silence_before"] = ibis.least(silent, longest).cast("int64")
        columns["silence"] = ibis.least(pairs["place"] - pairs["start"], longest).cast("int64")
    # Money stays exact until it is summed: sums of floats would depend on the order in which an engine adds them.
    nothing = ibis.literal(0).cast(pairs["spent"].type())
    moves = pairs.select(
        **columns,
        customers=pairs["customers"],
        bought=ibis.ifelse(entered, pairs["bought"], 0),
        spent=ibis.ifelse(entered, pairs["spent"], nothing),
    )
    return moves.group_by(*columns).agg(
        customers=moves["customers"].sum().cast("int64"),
        occasions=moves["bought"].sum().cast("int64"),
        spend=moves["spent"].sum().cast("float64"),
    )


def spells(orders: Any, as_of: str | dt.date | None, thresholds: Thresholds) -> ibis.Table:
    """Count spells in a state by their length in days and the state that came next.

    A spell is an unbroken run of days on which a customer is in one state.

    Parameters
    ----------
    orders : table or History
        Canonical orders.
    as_of : date or ISO date, optional
        Last day of history, inclusive. Spells that last then are censored.
    thresholds : Thresholds

    Returns
    -------
    ibis.Table
        state, next_state (null where the spell is censored), days (until the first day in the next state, or until ``as_of``),
        spells; in no particular order.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({"customer_id": ["a", "a"], "ordered_at": ["2024-01-01", "2024-02-15"], "amount": 5.0})
    >>> found = spells(orders, None, Thresholds(30, 60, 90)).to_pandas().sort_values("days")
    >>> found.fillna({"next_state": "censored"})[["state", "next_state", "days"]].values.tolist()
    [['active', 'censored', 0], ['slowing', 'active', 14], ['new', 'slowing', 31]]
    """
    import ibis

    table, end = known(orders, as_of)
    today = day_number(end)
    rows = occasions(table, thresholds)
    begun = ibis.ifelse(rows["started"], rows["day"], None)
    rows = rows.mutate(begun=begun.max().over(ibis.cumulative_window(group_by="customer_id", order_by="day")))
    never = today + 10**6  # a day that does not come
    rows = rows.mutate(following=rows["following"].fill_null(never))
    # A run of active occasions is told by its last one.
    runs_on = (rows["kind"] == "active") & (rows["following"] <= rows["slowing"] + 1)
    parts = [_spell(rows.filter(~runs_on), "kind", "begun", "slowing", "slowing", "active", today)]
    for state, left, until, fate, back in (
        ("slowing", "slowing", "lapsed", "lapsed", "active"),
        ("lapsed", "lapsed", "lost", "lost", "reactivated"),
        ("lost", "lost", None, None, "reactivated"),
    ):
        there = (rows["following"] > rows[left] + 1) & (rows[left] + 1 <= today)
        some = rows.filter(there).mutate(name=ibis.literal(state), enter=rows[left] + 1)
        parts.append(_spell(some, "name", "enter", until, fate, back, today))
    found = ibis.union(*parts)
    return found.group_by("state", "next_state", "days").agg(spells=found["count"].sum().cast("int64"))


def _spell(rows: ibis.Table, name: str, enter: str, until: str | None, fate: str | None, back: str, today: int) -> ibis.Table:
    """Spells of one state: it ends with the next occasion, or the day after ``until``, whichever is first."""
    import ibis

    out = rows[until] + 1 if until is not None else ibis.literal(today + 10**7)
    end = ibis.least(rows["following"], out)
    seen = end <= today
    next_state = ibis.ifelse(rows["following"] <= out, back, fate or back)
    found = rows.select(
        state=rows[name],
        next_state=ibis.ifelse(seen, next_state, ibis.literal(None, type="string")),
        days=(ibis.ifelse(seen, end, today) - rows[enter]).cast("int64"),
    )
    return found.group_by("state", "next_state", "days").agg(count=found.count())


def cohorts(orders: Any, dates: Sequence[str | dt.date]) -> ibis.Table:
    """Count customers by the period of their first occasion and the periods in which they bought.

    Parameters
    ----------
    orders : table or History
        Canonical orders.
    dates : sequence of dates or ISO dates
        Last days of the periods, increasing, at least two; a period begins the day after the date before, the first with the
        history. Nothing after the last is looked at.

    Returns
    -------
    ibis.Table
        cohort and period (places in ``dates``), customers with an occasion in the period; in no particular order. In the
        period of the cohort itself that is everybody in it.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({"customer_id": ["a", "b", "b"], "ordered_at": ["2024-01-01", "2024-01-01", "2024-02-29"],
    ...                        "amount": 5.0})
    >>> cohorts(orders, ["2024-01-31", "2024-02-29"]).to_pandas().sort_values("period").to_numpy().tolist()
    [[0, 0, 2], [0, 1, 1]]
    """
    places = _places(dates)
    numbers = [day_number(day) for day in places]
    rows = occasions(known(orders, places[-1])[0], Thresholds(1, 2, 3))
    moved = rows.select(
        "customer_id", cohort=_dates_before(numbers, rows["first"]), period=_dates_before(numbers, rows["day"])
    ).distinct()
    return moved.group_by("cohort", "period").agg(customers=moved.count())


def _state_at(place: Any, rows: ibis.Table) -> Any:
    """State at the date with a place, from the places at which the thresholds are passed."""
    import ibis

    return ibis.cases(
        (place < rows["slow"], rows["kind"]), (place < rows["lapse"], "slowing"), (place < rows["lose"], "lapsed"), else_="lost"
    )


def _dates_before(numbers: Sequence[int], day: Any, place: int = 0) -> Any:
    """How many of the dates are before a day: the place of the first date on or after it."""
    # By halves, in comparisons: faster than a join, and every engine has them.
    import ibis

    if not numbers:
        return ibis.literal(place, type="int64")
    middle = len(numbers) // 2
    later = _dates_before(numbers[middle + 1 :], day, place + middle + 1)
    return ibis.ifelse(day > numbers[middle], later, _dates_before(numbers[:middle], day, place))


def _places(dates: Sequence[str | dt.date]) -> list[dt.date]:
    places = [to_date(day, "dates", "lifecycle") for day in dates]
    if len(places) < 2:
        raise ParameterError.expected("lifecycle", "dates", "at least two dates", f"{len(places)}")
    for early, late in pairwise(places):
        if early >= late:
            raise ParameterError.dates_out_of_order("dates", early, "the next of the dates", late)
    return places

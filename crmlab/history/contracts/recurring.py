"""Monthly recurring revenue (MRR): what all paid contracts come to in a month, and the bridge from one day to the next.

The bridge splits the change between two days by customer. Who pays on neither day is in none of its parts:

- *new*: pays on the second day and had no paid day up to the first
- *reactivated*: pays on the second day, not on the first, and had paid before
- *expansion*, *contraction*: pays on both days, more or less than before
- *churned*: pays on the first day and not on the second

start + new + reactivated + expansion − contraction − churned = end, for money to the cent, since each contract's price for a month is whole
cents (:mod:`crmlab.history.contracts.terms`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from crmlab.errors import ParameterError
from crmlab.history.contracts.spanning import joined
from crmlab.history.contracts.terms import as_contracts, as_known, number_of, paid
from crmlab.history.orders import to_date

if TYPE_CHECKING:
    import ibis

__all__ = ["PARTS", "levels", "month_ends", "mrr_bridge", "mrr_on"]

PARTS = ("new", "reactivated", "expansion", "contraction", "churned")
_MOST = 1200  # days that are asked for together: a hundred years of months


def month_ends(first: dt.date, as_of: dt.date) -> list[dt.date]:
    """Return the last day of each month that lies from one day to another, both included, and the day before the first of these months.

    Parameters
    ----------
    first, as_of : datetime.date
        The first and the last day that are known.

    Returns
    -------
    list of datetime.date
        Ends of whole months: a month of which not every day is known has none. Empty where there is no whole month.

    Examples
    --------
    >>> [str(day) for day in month_ends(dt.date(2024, 1, 15), dt.date(2024, 4, 29))]
    ['2024-01-31', '2024-02-29', '2024-03-31']
    """
    month = dt.date(first.year, first.month, 1)
    days = []
    day = month - dt.timedelta(days=1) if first == month and first > dt.date.min else _end(first)
    while day <= as_of:
        days.append(day)
        if day.year == dt.MAXYEAR and day.month == 12:
            break
        day = _end(day + dt.timedelta(days=1))
    return days if len(days) > 1 else []


def _end(day: dt.date) -> dt.date:
    """The last day of a month."""
    later = dt.date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return later - dt.timedelta(days=1)


def _chosen(days: Sequence[str | dt.date], least: int) -> list[dt.date]:
    """Days in order, each once."""
    if isinstance(days, str) or not isinstance(days, Sequence):
        raise ParameterError.expected("contracts", "days", "a list of days", days)
    chosen = sorted({to_date(day, "days", "contracts") for day in days})
    if not least <= len(chosen) <= _MOST:
        raise ParameterError.expected("contracts", "days", f"{least} to {_MOST} different days", len(chosen))
    return chosen


def levels(contracts: Any, days: Sequence[dt.date], gap: int = 0) -> ibis.Table:
    """Return what each customer pays on some days.

    Parameters
    ----------
    contracts : table
        Canonical contracts.
    days : sequence of datetime.date
        In order, each once.
    gap : int
        Days without a contract that are no break, where another begins after them; see :func:`~crmlab.history.contracts.spanning.joined`.

    Returns
    -------
    ibis.Table
        One row per customer and day with a paid contract, in no particular order: customer_id, ``place`` of the day among ``days``,
        ``mrr``, ``contracts``, ``plan`` (of several the one with the highest price for a month, of equal ones the first by name), and
        ``since`` (number of the first paid day that the customer ever had).
    """
    import ibis

    table = as_contracts(contracts)
    known = as_known(table.filter(table["started_at"] <= ibis.literal(days[-1], type="date")), days[-1])
    rows = joined(paid(known), gap)
    first = ibis.window(group_by="customer_id")
    rows = rows.mutate(since=rows["begins"].min().over(first))
    rows = rows.mutate(place=ibis.array([ibis.literal(place, "int64") for place in range(len(days))]).unnest())
    day = ibis.cases(*((rows["place"] == place, number_of(day)) for place, day in enumerate(days)), else_=-1)
    held = rows.filter((rows["begins"] <= day) & (day <= rows["until"]))
    order = ibis.window(group_by=["customer_id", "place"], order_by=[ibis.desc("monthly"), "plan", "contract_id", "begins"])
    held = held.mutate(dearest=held["plan"].first().over(order))
    return held.group_by("customer_id", "place").agg(
        mrr=held["monthly"].sum().cast("decimal(38, 4)"),
        contracts=held.count(),
        plan=held["dearest"].min(),
        since=held["since"].min(),
    )


def mrr_on(contracts: Any, days: Sequence[str | dt.date], gap: int = 0) -> ibis.Table:
    """Return monthly recurring revenue and subscribers on some days.

    Parameters
    ----------
    contracts : table
        Canonical contracts: a frame, or ``history.contracts``.
    days : sequence of date or ISO date
    gap : int
        Days without a contract that are no break, where another begins after them.

    Returns
    -------
    ibis.Table
        One row per day, in order: ``day``, ``mrr`` (money a month, exact), ``subscribers`` (customers with a paid contract), ``contracts``.

    Raises
    ------
    ParameterError
        There are no days, or over 1,200; one is not a valid date; ``gap`` is out of its range.
    DataError
        The contracts are not a table, or lack a column.

    Examples
    --------
    >>> import pandas as pd
    >>> contracts = pd.DataFrame({"contract_id": ["1", "2"], "customer_id": ["a", "b"], "started_at": ["2024-01-10", "2024-02-01"],
    ...                           "ended_at": [None, "2024-02-29"], "price": [10, 96], "period": ["month", "year"]})
    >>> found = mrr_on(contracts, ["2024-01-31", "2024-02-29", "2024-03-31"]).to_pandas()
    >>> found["mrr"].astype(float).tolist(), found["subscribers"].tolist()
    ([10.0, 18.0, 10.0], [1, 2, 1])
    """
    import ibis

    chosen = _chosen(days, 1)
    rows = levels(contracts, chosen, gap)
    sums = rows.group_by("place").agg(
        mrr=rows["mrr"].sum().cast("decimal(38, 4)"), subscribers=rows.count(), contracts=rows["contracts"].sum().cast("int64")
    )
    every = ibis.memtable({"place": list(range(len(chosen))), "day": chosen})
    found = every.left_join(sums, "place").drop("place_right")
    return (
        found.order_by("day")
        .select(
            "day",
            mrr=found["mrr"].fill_null(0).cast("decimal(38, 4)"),
            subscribers=found["subscribers"].fill_null(0),
            contracts=found["contracts"].fill_null(0),
        )
        .order_by("day")
    )


def mrr_bridge(contracts: Any, days: Sequence[str | dt.date], gap: int = 0) -> ibis.Table:
    """Split the change of monthly recurring revenue between each two neighbouring days.

    Parameters
    ----------
    contracts : table
        Canonical contracts: a frame, or ``history.contracts``.
    days : sequence of date or ISO date
        At least two, such as :func:`month_ends` gives.
    gap : int
        Days without a contract that are no break, where another begins after them.

    Returns
    -------
    ibis.Table
        One row for each two neighbouring days, in order:

        - from_day, to_day
        - start, new, reactivated, expansion, contraction, churned, end : money a month, exact; none is below zero
        - start_customers, new_customers, reactivated_customers, expansion_customers, contraction_customers, churned_customers,
          end_customers : how many customers each part is of
        - quick_ratio : (new + reactivated + expansion) / (contraction + churned), a number; null where nothing was lost

    Raises
    ------
    ParameterError
        There are fewer than two days, or over 1,200; one is not a valid date; ``gap`` is out of its range.
    DataError
        The contracts are not a table, or lack a column.

    Examples
    --------
    >>> import pandas as pd
    >>> contracts = pd.DataFrame({"contract_id": ["1", "2"], "customer_id": ["a", "b"], "started_at": ["2024-01-10", "2024-02-01"],
    ...                           "ended_at": ["2024-02-10", None], "price": [10, 96], "period": ["month", "year"]})
    >>> found = mrr_bridge(contracts, ["2024-01-31", "2024-02-29"]).to_pandas()
    >>> found[["start", "new", "churned", "end"]].astype(float).values.tolist(), found["quick_ratio"].tolist()
    ([[10.0, 8.0, 10.0, 8.0]], [0.8])
    """
    import ibis

    chosen = _chosen(days, 2)
    rows = levels(contracts, chosen, gap)
    none = ibis.literal(0, "decimal(38, 4)")
    after = rows.filter(rows["place"] > 0).select("customer_id", "since", "place", before=none, now="mrr")
    behind = rows.filter(rows["place"] < len(chosen) - 1)
    behind = behind.select("customer_id", "since", place=behind["place"] + 1, before=behind["mrr"], now=none)
    both = after.union(behind)
    moves = both.group_by("customer_id", "place").agg(
        before=both["before"].sum().cast("decimal(38, 4)"),
        now=both["now"].sum().cast("decimal(38, 4)"),
        since=both["since"].min(),
    )
    ends = ibis.cases(*((moves["place"] == place, number_of(day)) for place, day in enumerate(chosen)), else_=-1)
    began = ibis.cases(*((moves["place"] == place, number_of(day)) for place, day in enumerate(chosen[:-1], 1)), else_=ends)
    came, left = moves["before"] == 0, moves["now"] == 0
    part = ibis.cases(
        (came & (moves["since"] > began), "new"),
        (came, "reactivated"),
        (left, "churned"),
        (moves["now"] > moves["before"], "expansion"),
        (moves["now"] < moves["before"], "contraction"),
        else_="same",
    )
    moves = moves.mutate(part=part, change=(moves["now"] - moves["before"]).abs().cast("decimal(38, 4)"))
    wanted: dict[str, Any] = {}
    for name in PARTS:
        mine = moves["part"] == name
        wanted[name] = moves["change"].sum(where=mine)
        wanted[f"{name}_customers"] = mine.cast("int64").sum()
    sums = moves.group_by("place").agg(
        start=moves["before"].sum(),
        end=moves["now"].sum(),
        start_customers=(~came).cast("int64").sum(),
        end_customers=(~left).cast("int64").sum(),
        **wanted,
    )
    pairs = list(pairwise(chosen))
    every = ibis.memtable(
        {"place": list(range(1, len(chosen))), "from_day": [one for one, _ in pairs], "to_day": [other for _, other in pairs]}
    )
    found = every.left_join(sums, "place")
    order = ("start", *PARTS, "end")
    money = {name: found[name].fill_null(0).cast("decimal(38, 4)") for name in order}
    people = {f"{name}_customers": found[f"{name}_customers"].fill_null(0).cast("int64") for name in order}
    table = found.select("from_day", "to_day", **money, **people)
    gained = (table["new"] + table["reactivated"] + table["expansion"]).cast("float64")
    lost = (table["contraction"] + table["churned"]).cast("float64")
    return table.mutate(quick_ratio=ibis.ifelse(lost > 0, gained / lost.nullif(0.0), ibis.null("float64"))).order_by("to_day")

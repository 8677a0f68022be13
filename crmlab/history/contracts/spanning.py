"""How long customers subscribe without a break: paid contracts that follow each other, or nearly do, are one span.

A renewal that is written as a further row is no churn, nor are a few days without a contract before the next begins. Such a gap counts as
paid at the price of what came before it, but only once the next contract has begun: until then nobody knew that it would.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np

from crmlab.errors import ParameterError
from crmlab.history.contracts.terms import begun_by, date_of, number_of, paid
from crmlab.history.words import YEAR

if TYPE_CHECKING:
    import ibis

__all__ = ["checked_gap", "joined", "spans"]


def checked_gap(gap: int) -> int:
    """Return the days that are no break, checked.

    Raises
    ------
    ParameterError
        It is no whole number from 0 to 365: who comes back after a year was away.
    """
    if isinstance(gap, bool) or not isinstance(gap, int | np.integer) or not 0 <= gap <= YEAR:
        raise ParameterError.expected("contracts", "gap", f"a whole number from 0 to {YEAR}", gap)
    return int(gap)


def joined(rows: ibis.Table, gap: int) -> ibis.Table:
    """Let contracts hold over the gaps behind them that are no break.

    Parameters
    ----------
    rows : ibis.Table
        As of :func:`~crmlab.history.contracts.terms.paid`.
    gap : int
        Days without a contract that are no break, where another of the customer begins after them.

    Returns
    -------
    ibis.Table
        The same rows; those that end last before such a gap end on the day before the next contract begins. And ``span``: the number of
        the customer's span, from 1, that the row is part of.

    Raises
    ------
    ParameterError
        ``gap`` is out of its range.
    """
    import ibis

    most = checked_gap(gap)
    order = {"group_by": "customer_id", "order_by": "place"}
    rows = rows.mutate(before=rows["until"].max().over(ibis.window(**order, preceding=(None, 1))))
    # A number for each stretch without any gap, then the stretches, which are joined where the gap between them is short.
    fresh = (rows["before"].isnull() | (rows["begins"] > rows["before"] + 1)).cast("int64")
    rows = rows.mutate(stretch=fresh.sum().over(ibis.window(**order, preceding=(None, 0))))
    ends = rows.group_by("customer_id", "stretch").agg(first=rows["begins"].min(), last=rows["until"].max())
    along = ibis.window(group_by="customer_id", order_by="stretch")
    ends = ends.mutate(following=ends["first"].lead().over(along), former=ends["last"].lag().over(along))
    broken = (ends["former"].isnull() | (ends["first"] - ends["former"] - 1 > most)).cast("int64")
    ends = ends.mutate(broken=broken, over=(ends["following"] - ends["last"] - 1 <= most).fill_null(False))
    ends = ends.mutate(
        span=ends["broken"].sum().over(ibis.window(group_by="customer_id", order_by="stretch", preceding=(None, 0)))
    )
    both = rows.inner_join(ends, ["customer_id", "stretch"])
    longer = both["over"] & (both["until"] == both["last"])
    return both.select(
        "contract_id", "customer_id", "price", "period", "plan", "monthly", "begins",
        "noticed", "place", until=ibis.ifelse(longer, both["following"] - 1, both["until"]), span=both["span"].cast("int64"),
    )  # fmt: skip


def spans(contracts: Any, as_of: str | dt.date, gap: int = 0) -> ibis.Table:
    """Return for each customer the times of subscribing without a break, as they were known on a day.

    Parameters
    ----------
    contracts : table
        Canonical contracts: a frame, or ``history.contracts``.
    as_of : date or ISO date
    gap : int
        Days without a contract that are no break, where another begins after them.

    Returns
    -------
    ibis.Table
        One row per span, in no particular order: customer_id, ``number`` (1 is the first), ``began``, ``ended`` (last paid day; null while
        none is known), ``there`` (whether the span goes on after ``as_of``), ``days`` (paid days up to ``as_of``), ``plan`` at the
        beginning and ``last_plan``.

    Raises
    ------
    ParameterError
        ``as_of`` is not a valid date; ``gap`` is out of its range.
    DataError
        The contracts are not a table, or lack a column.

    Examples
    --------
    >>> import pandas as pd
    >>> contracts = pd.DataFrame({"contract_id": ["1", "2"], "customer_id": ["a", "a"], "started_at": ["2024-01-01", "2024-02-03"],
    ...                           "ended_at": ["2024-01-31", None], "price": [10, 10], "period": ["month", "month"]})
    >>> [len(spans(contracts, "2024-03-01", gap).to_pandas()) for gap in (0, 2)]
    [2, 1]
    """
    import ibis

    known, day = begun_by(contracts, as_of)
    today = ibis.literal(number_of(day), "int64")
    rows = paid(known)
    rows = joined(rows.filter(rows["begins"] <= today), gap)
    order = ibis.window(group_by=["customer_id", "span"], order_by="place")
    rows = rows.mutate(
        first_plan=rows["plan"].first().over(order),
        final=rows["plan"]
        .last()
        .over(ibis.window(group_by=["customer_id", "span"], order_by="place", preceding=None, following=None)),
    )
    found = rows.group_by("customer_id", number=rows["span"]).agg(
        begins=rows["begins"].min(), until=rows["until"].max(), plan=rows["first_plan"].min(), last_plan=rows["final"].min()
    )
    return found.select(
        "customer_id",
        "number",
        began=date_of(found["begins"]),
        ended=date_of(found["until"]),
        there=found["until"] > today,
        days=(ibis.least(found["until"], today) - found["begins"] + 1).cast("int64"),
        plan=found["plan"],
        last_plan=found["last_plan"],
    )

"""How long customers stay: the renewals that each made, for models of retention, and what became of free trials."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np

from crmlab.data.tables import PERIODS
from crmlab.errors import ParameterError
from crmlab.history.contracts.spanning import joined
from crmlab.history.contracts.terms import begun_by, date_of, day_of, number_of, paid
from crmlab.history.contracts.turning import periods_made
from crmlab.history.orders import to_date
from crmlab.history.words import YEAR

if TYPE_CHECKING:
    import ibis

__all__ = ["lifetime_table", "lifetimes", "trials_to_paid"]


def lifetimes(
    contracts: Any, as_of: str | dt.date, gap: int = 0, unit: str | None = None, since: str | dt.date | None = None
) -> ibis.Table:
    """Return for each customer how many renewals were made in the first time of subscribing, and whether it goes on.

    Parameters
    ----------
    contracts : table
        Canonical contracts: a frame, or ``history.contracts``.
    as_of : date or ISO date
        The last day that is known; who is a subscriber after it is there still.
    gap : int
        Days without a contract that are no break, where another begins after them.
    unit : {"day", "week", "4 weeks", "month", "quarter", "half-year", "year"}, optional
        What lies between renewals. Default: for each customer the period of the contract with which they began.
    since : date or ISO date, optional
        The first day of which it is known who left. Who left before it is not there; of those who began before it, ``entered`` says how
        many renewals they had made by then. Default: all is known.

    Returns
    -------
    ibis.Table
        One row per customer with a paid contract, in no particular order: customer_id, ``periods`` (renewals made), ``there`` (whether
        still a subscriber), ``entered`` (renewals made before anybody looked), ``cohort`` (first day of the month in which they began to
        pay), ``plan`` and ``period`` at the beginning, ``weight`` (1). :meth:`crmlab.models.btyd.SBG.fit` takes it, where nobody entered
        late.

    Raises
    ------
    ParameterError
        A day is not a valid date; ``gap`` or ``unit`` is out of its range; ``since`` is after ``as_of``.
    DataError
        The contracts are not a table, or lack a column.

    Examples
    --------
    >>> import pandas as pd
    >>> contracts = pd.DataFrame({"contract_id": ["1", "2"], "customer_id": ["a", "b"], "started_at": ["2024-01-31", "2024-02-01"],
    ...                           "ended_at": ["2024-03-30", None], "price": 10, "period": "month"})
    >>> found = lifetimes(contracts, "2024-04-30").order_by("customer_id").to_pandas()
    >>> found[["periods", "there"]].values.tolist()
    [[1, False], [2, True]]
    """
    import ibis

    if unit is not None and unit not in PERIODS:
        raise ParameterError.expected("contracts", "unit", f"None or one of {', '.join(PERIODS)}", unit)
    known, day = begun_by(contracts, as_of)
    today = ibis.literal(number_of(day), "int64")
    rows = paid(known)
    rows = joined(rows.filter(rows["begins"] <= today), gap)
    rows = rows.filter(rows["span"] == 1)
    order = ibis.window(group_by="customer_id", order_by="place")
    rows = rows.mutate(first_plan=rows["plan"].first().over(order), first_period=rows["period"].first().over(order))
    found = rows.group_by("customer_id").agg(
        begins=rows["begins"].min(), until=rows["until"].max(), plan=rows["first_plan"].min(), period=rows["first_period"].min()
    )
    found = found.mutate(began=date_of(found["begins"]), last=date_of(ibis.least(found["until"], today)))
    step = found["period"] if unit is None else ibis.literal(unit)
    entered: Any = ibis.literal(0, "int64")
    if since is not None:
        start = to_date(since, "since", "contracts")
        if start > day:
            raise ParameterError.expected("contracts", "since", f"a day no later than as_of, {day}", start)
        found = found.filter(found["until"] >= number_of(start))
        step = found["period"] if unit is None else ibis.literal(unit)
        first = ibis.least(found["begins"], ibis.literal(number_of(start), "int64"))
        made = periods_made(date_of(first), ibis.literal(start, type="date"), step)
        entered = ibis.ifelse(found["begins"] < number_of(start), made, 0).cast("int64")
    return found.select(
        "customer_id",
        periods=periods_made(found["began"], found["last"], step),
        there=found["until"] > today,
        entered=entered,
        cohort=found["began"].truncate("M").cast("date"),
        plan=found["plan"],
        period=found["period"],
        weight=ibis.literal(1, "int64"),
    )


def lifetime_table(
    contracts: Any, as_of: str | dt.date, gap: int = 0, unit: str | None = None, since: str | dt.date | None = None
) -> ibis.Table:
    """Count customers of the same life: :func:`lifetimes` without their ids, one row per distinct state with its weight.

    Parameters
    ----------
    contracts, as_of, gap, unit, since
        As :func:`lifetimes` takes them.

    Returns
    -------
    ibis.Table
        cohort, plan, period, periods, there, entered, ``weight`` (customers), ordered by all but the last. A model is fitted to it as
        to the customers, in less time.

    Examples
    --------
    >>> import pandas as pd
    >>> contracts = pd.DataFrame({"contract_id": ["1", "2"], "customer_id": ["a", "b"], "started_at": ["2024-01-02", "2024-01-03"],
    ...                           "price": 10, "period": "month"})
    >>> lifetime_table(contracts, "2024-04-30").to_pandas()[["periods", "there", "weight"]].values.tolist()
    [[3, True, 2]]
    """
    rows = lifetimes(contracts, as_of, gap, unit, since)
    keys = ["cohort", "plan", "period", "periods", "there", "entered"]
    return rows.group_by(*keys).agg(weight=rows.count()).order_by(*keys)


def trials_to_paid(contracts: Any, as_of: str | dt.date, wait: int = 30) -> ibis.Table:
    """Count by the month in which free trials began how many of them led to a paid contract.

    A trial is a customer's first row with ``trial_until``; customers who had paid before it are left out. It was paid for where the first
    paid day of the customer comes no later than ``wait`` days after its end. Only trials that had this time are counted.

    Parameters
    ----------
    contracts : table
        Canonical contracts: a frame, or ``history.contracts``.
    as_of : date or ISO date
    wait : int
        Days after the end of the trial; 1 to 365.

    Returns
    -------
    ibis.Table
        One row per month, in order: ``cohort`` (its first day), ``trials``, ``counted`` (those that had the time), ``converted`` (of those
        the paid ones), ``share`` (null where none had the time).

    Raises
    ------
    ParameterError
        ``as_of`` is not a valid date; ``wait`` is out of its range.
    DataError
        The contracts are not a table, or lack a column.

    Examples
    --------
    >>> import pandas as pd
    >>> contracts = pd.DataFrame({"contract_id": ["1", "2"], "customer_id": ["a", "b"], "started_at": ["2024-01-02", "2024-01-20"],
    ...                           "ended_at": [None, "2024-02-02"], "trial_until": ["2024-01-15", "2024-02-02"], "price": 10,
    ...                           "period": "month"})
    >>> trials_to_paid(contracts, "2024-04-30").to_pandas()[["trials", "counted", "converted"]].values.tolist()
    [[2, 2, 1]]
    """
    import ibis

    if isinstance(wait, bool) or not isinstance(wait, int | np.integer) or not 1 <= wait <= YEAR:
        raise ParameterError.expected("contracts", "wait", f"a whole number from 1 to {YEAR}", wait)
    known, day = begun_by(contracts, as_of)
    tried = known.filter((known["trial_until"] >= known["started_at"]).fill_null(False))
    order = ibis.window(group_by="customer_id", order_by=["started_at", "trial_until", "contract_id"])
    tried = tried.mutate(_place=ibis.row_number().over(order))
    tried = tried.filter(tried["_place"] == 0)
    tried = tried.select(
        "customer_id",
        cohort=tried["started_at"].truncate("M").cast("date"),
        start=day_of(tried["started_at"]),
        over=day_of(tried["trial_until"]),
    )
    rows = paid(known)
    first = rows.group_by("customer_id").agg(paid=rows["begins"].min())
    both = tried.left_join(first, "customer_id").drop("customer_id_right")
    both = both.filter(both["paid"].isnull() | (both["paid"] >= both["start"]))
    limit = both["over"] + int(wait)
    ripe = limit <= number_of(day)
    won = ripe & (both["paid"] <= limit).fill_null(False)
    found = both.mutate(ripe=ripe.cast("int64"), won=won.cast("int64"))
    sums = found.group_by("cohort").agg(
        trials=found.count(), counted=found["ripe"].sum().cast("int64"), converted=found["won"].sum().cast("int64")
    )
    return sums.mutate(share=sums["converted"].cast("float64") / sums["counted"].cast("float64").nullif(0.0)).order_by("cohort")

"""Where customers stand on a day: subscribers, on trial, former; which plans they move between; and whose contracts are due."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np

from crmlab.errors import ParameterError
from crmlab.history.contracts.recurring import levels
from crmlab.history.contracts.spanning import spans
from crmlab.history.contracts.terms import begun_by, date_of, day_of, number_of, paid
from crmlab.history.contracts.turning import next_turn, periods_made
from crmlab.history.orders import to_date
from crmlab.history.words import YEAR

if TYPE_CHECKING:
    import ibis

__all__ = ["ABSENT", "STANDINGS", "plan_migration", "renewals_due", "standing_on"]

STANDINGS = ("subscriber", "trial", "free", "former", "never paid")
ABSENT = "no contract"  # of who pays nothing on a day


def standing_on(contracts: Any, as_of: str | dt.date, gap: int = 0) -> ibis.Table:
    """Say where each customer who ever had a contract stands on a day.

    The first that holds: *subscriber* (has a paid contract), *trial* (is on a free trial), *free* (has a contract with the price 0),
    *former* (had a paid day before), *never paid*.

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
        One row per customer, in no particular order: customer_id, ``standing``; of subscribers ``mrr`` (money a month), ``contracts``,
        ``plan`` (the dearest), ``since`` (first day without a break) and ``ends_on`` (the last planned day, where all their contracts have
        one); ``first_paid``, and ``last_paid`` (null while a contract goes on).

    Raises
    ------
    ParameterError
        ``as_of`` is not a valid date; ``gap`` is out of its range.
    DataError
        The contracts are not a table, or lack a column.

    Examples
    --------
    >>> import pandas as pd
    >>> contracts = pd.DataFrame({"contract_id": ["1", "2"], "customer_id": ["a", "b"], "started_at": ["2024-01-10", "2024-02-01"],
    ...                           "ended_at": ["2024-02-10", None], "price": [10, 96], "period": ["month", "year"]})
    >>> standing_on(contracts, "2024-02-29").order_by("customer_id").to_pandas()["standing"].tolist()
    ['former', 'subscriber']
    """
    import ibis

    known, day = begun_by(contracts, as_of)
    today = ibis.literal(day, type="date")
    open_ = known["ended_at"].isnull() | (known["ended_at"] >= today)
    marks = known.group_by("customer_id").agg(
        on_trial=(open_ & (known["trial_until"] >= today) & (known["price"] > 0)).fill_null(False).cast("int64").max(),
        on_free=(open_ & (known["price"] == 0)).cast("int64").max(),
    )
    rows = paid(known)
    number = ibis.literal(number_of(day), "int64")
    rows = rows.filter(rows["begins"] <= number)
    held = rows["until"] >= number
    lasts = rows.group_by("customer_id").agg(
        first=rows["begins"].min(), last=rows["until"].max(), all_end=(~held | rows["noticed"]).cast("int64").min()
    )
    now = levels(known, [day]).select("customer_id", "mrr", "contracts", "plan")
    runs = spans(known, day, gap)
    runs = runs.filter(runs["there"] | (runs["ended"] == today)).group_by("customer_id").agg(since=runs["began"].max())
    found = marks.left_join(lasts, "customer_id").drop("customer_id_right")
    found = found.left_join(now, "customer_id").drop("customer_id_right")
    found = found.left_join(runs, "customer_id").drop("customer_id_right")
    pays = found["mrr"].notnull()
    return found.select(
        "customer_id",
        standing=ibis.cases(
            (pays, "subscriber"),
            (found["on_trial"] == 1, "trial"),
            (found["on_free"] == 1, "free"),
            (found["first"].notnull(), "former"),
            else_="never paid",
        ),
        mrr=found["mrr"],
        contracts=found["contracts"],
        plan=found["plan"],
        since=ibis.ifelse(pays, found["since"], ibis.null("date")),
        ends_on=ibis.ifelse(pays & (found["all_end"] == 1), date_of(found["last"]), ibis.null("date")),
        first_paid=date_of(found["first"]),
        last_paid=ibis.ifelse(pays, ibis.null("date"), date_of(found["last"])),
    )


def plan_migration(contracts: Any, first: str | dt.date, last: str | dt.date, gap: int = 0) -> ibis.Table:
    """Count subscribers by their plan on one day and on a later one; of several plans the dearest counts.

    Parameters
    ----------
    contracts : table
        Canonical contracts: a frame, or ``history.contracts``.
    first, last : date or ISO date
    gap : int
        Days without a contract that are no break, where another begins after them.

    Returns
    -------
    ibis.Table
        One row per pair of plans, ordered by both: ``from_plan``, ``to_plan`` ("no contract" where nothing is paid on that day),
        ``customers``, ``mrr_before``, ``mrr_after`` (money a month, exact). Who pays on neither day is not counted.

    Raises
    ------
    ParameterError
        A day is not a valid date, or ``last`` is not after ``first``; ``gap`` is out of its range.
    DataError
        The contracts are not a table, or lack a column.

    Examples
    --------
    >>> import pandas as pd
    >>> contracts = pd.DataFrame({"contract_id": ["1", "1"], "customer_id": ["a", "a"], "started_at": ["2024-01-10", "2024-02-10"],
    ...                           "ended_at": ["2024-02-09", None], "price": [10, 15], "period": "month", "plan": ["basic", "plus"]})
    >>> plan_migration(contracts, "2024-01-31", "2024-02-29").to_pandas()[["from_plan", "to_plan", "customers"]].values.tolist()
    [['basic', 'plus', 1]]
    """
    import ibis

    days = [to_date(first, "first", "contracts"), to_date(last, "last", "contracts")]
    if days[1] <= days[0]:
        raise ParameterError.expected("contracts", "last", f"a day after first, {days[0]}", days[1])
    rows = levels(contracts, days, gap)
    zero, early = ibis.literal(0, "decimal(38, 4)"), rows["place"] == 0
    both = rows.group_by("customer_id").agg(
        before=rows["plan"].min(where=early),
        after=rows["plan"].min(where=~early),
        mrr_before=rows["mrr"].sum(where=early),
        mrr_after=rows["mrr"].sum(where=~early),
    )
    pairs = both.group_by(from_plan=both["before"].fill_null(ABSENT), to_plan=both["after"].fill_null(ABSENT)).agg(
        customers=both.count(),
        mrr_before=both["mrr_before"].sum().cast("decimal(38, 4)").fill_null(zero),
        mrr_after=both["mrr_after"].sum().cast("decimal(38, 4)").fill_null(zero),
    )
    return pairs.order_by("from_plan", "to_plan")


def renewals_due(contracts: Any, as_of: str | dt.date, days: int = 30) -> ibis.Table:
    """Return the contracts that renew in the days after a day, with what is due: one row for the next renewal of each.

    A contract renews on the day of the month on which its first paid day was, counted by its period; one of which notice was given only
    while it lasts. A trial that is running is due on the day after it.

    Parameters
    ----------
    contracts : table
        Canonical contracts: a frame, or ``history.contracts``.
    as_of : date or ISO date
    days : int
        How many days after ``as_of``; 1 to 365.

    Returns
    -------
    ibis.Table
        Ordered by ``due_on``, customer_id, contract_id: customer_id, contract_id, ``plan``, ``due_on``, ``amount`` (the price of the next
        period), ``period``, ``first`` (whether a trial ends, and this is the first payment), ``renewals`` (made up to ``as_of``).

    Raises
    ------
    ParameterError
        ``as_of`` is not a valid date; ``days`` is out of its range.
    DataError
        The contracts are not a table, or lack a column.

    Examples
    --------
    >>> import pandas as pd
    >>> contracts = pd.DataFrame({"contract_id": ["1", "2"], "customer_id": ["a", "b"], "started_at": ["2023-01-31", "2023-08-15"],
    ...                           "price": [10, 96], "period": ["month", "year"]})
    >>> found = renewals_due(contracts, "2024-02-20").to_pandas()
    >>> found["customer_id"].tolist(), str(found["due_on"][0])[:10]
    (['a'], '2024-02-29')
    """
    import ibis

    if isinstance(days, bool) or not isinstance(days, int | np.integer) or not 1 <= days <= YEAR:
        raise ParameterError.expected("contracts", "days", f"a whole number from 1 to {YEAR}", days)
    known, day = begun_by(contracts, as_of)
    rows = paid(known)
    today = ibis.literal(number_of(day), "int64")
    anchor = rows["begins"].min().over(ibis.window(group_by=["customer_id", "contract_id", "period"]))
    rows = rows.mutate(anchor=anchor)
    rows = rows.filter(rows["until"] > today)
    waits = rows["begins"] > today
    began = date_of(ibis.least(rows["anchor"], today))
    turn = next_turn(began, day, rows["period"])
    made = periods_made(began, ibis.literal(day, type="date"), rows["period"])
    rows = rows.mutate(
        due=ibis.ifelse(waits, rows["begins"], day_of(turn)), first=waits, renewals=ibis.ifelse(waits, 0, made).cast("int64")
    )
    rows = rows.filter((rows["due"] <= today + int(days)) & (rows["until"] >= rows["due"]))
    found = rows.select(
        "customer_id", "contract_id", "plan", due_on=date_of(rows["due"]), amount=rows["price"], period=rows["period"],
        first=rows["first"], renewals=rows["renewals"],
    )  # fmt: skip
    return found.order_by("due_on", "customer_id", "contract_id")

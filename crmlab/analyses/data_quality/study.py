"""What the verdict on a data set rests on: rows by fate, amounts by part, breaches of rules, orders by day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from crmlab.analyses.data_quality.reductions import RULES, amounts, largest_orders
from crmlab.data.collecting import ORDERED, collect, collect_row, collect_value
from crmlab.data.reading.cleaning import REASONS
from crmlab.history.orders import daily
from crmlab.page.result import Context, Output

if TYPE_CHECKING:
    import ibis
    import pandas as pd

    from crmlab.analyses.data_quality.params import Params
    from crmlab.data.dataset import Dataset
    from crmlab.data.descriptor import Descriptor
    from crmlab.history.past import History

__all__ = [
    "DROPPED_CARE",
    "DROPPED_STOP",
    "GRAVE_CARE",
    "SHORT_HISTORY",
    "Study",
    "Verdict",
    "amounts_by_part",
    "breaches",
    "judge",
    "largest_of",
    "orders_by_day",
    "rows_by_fate",
    "study",
]


# The verdict follows from these bounds alone, so that it can be checked by hand.
DROPPED_CARE, DROPPED_STOP = 0.05, 0.5  # share of rows dropped that cannot be used at all
GRAVE_CARE = 0.01  # share of rows that break a grave rule
SHORT_HISTORY = 90  # days


@dataclass(frozen=True, kw_only=True, eq=False)
class Verdict:
    """What the bounds of this module find against a data set.

    Attributes
    ----------
    stop, care : DataFrame
        Rows of :func:`rows_by_fate` that cannot be used, too many of them to go on, or many.
    grave : DataFrame
        Grave rules of :func:`breaches` that are broken too often.
    short : bool
        Whether the history is short.
    """

    stop: pd.DataFrame
    care: pd.DataFrame
    grave: pd.DataFrame
    short: bool

    @property
    def words(self) -> str:
        """Good, Usable with care, or Not usable yet."""
        if len(self.stop):
            return "Not usable yet"
        return "Usable with care" if len(self.care) or len(self.grave) or self.short else "Good"


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """What the page of data quality shows.

    Attributes
    ----------
    context : Context
    params : Params
    descriptor : Descriptor
        The rules by which the data set was read.
    tables : tuple of str
        Names of the tables that it has.
    read : DataFrame
        What became of every row that was read, of :func:`rows_by_fate`.
    amounts : DataFrame
        Totals and their parts, of :func:`amounts_by_part`.
    rules : DataFrame
        What the rules found, of :func:`breaches`.
    largest : DataFrame
        The largest orders, of :func:`largest_of`.
    days : DataFrame
        day and orders, every day of the history.
    occasions, stale : int
        Purchase occasions, and customers whose last one is long ago.
    """

    context: Context
    params: Params
    descriptor: Descriptor
    tables: tuple[str, ...]
    read: pd.DataFrame
    amounts: pd.DataFrame
    rules: pd.DataFrame
    largest: pd.DataFrame
    days: pd.DataFrame
    occasions: int
    stale: int

    @property
    def verdict(self) -> Verdict:
        """The verdict from the bounds of this module."""
        return judge(self.read, self.rules, len(self.days))

    @property
    def outputs(self) -> Mapping[str, Output]:
        """No lists."""
        return {}


def study(history: History, params: Params) -> Study:
    """Count what a data set holds, what was left out, and what would move results."""
    summary = history.summary()
    return Study(
        context=history.context(len(summary)),
        params=params,
        descriptor=history.data.descriptor,
        tables=history.data.tables,
        read=rows_by_fate(history.data),
        amounts=amounts_by_part(history),
        rules=breaches(history),
        largest=largest_of(history, params.largest),
        days=orders_by_day(history),
        occasions=int(summary["occasions"].sum()),
        stale=int((summary["days_since_last"] > params.stale_after).sum()),
    )


def judge(read: pd.DataFrame, rules: pd.DataFrame, days: int) -> Verdict:
    """Give the verdict from the bounds of this module.

    Parameters
    ----------
    read : DataFrame
        As of :func:`rows_by_fate`.
    rules : DataFrame
        As of :func:`breaches`.
    days : int
        Length of history in days.

    Returns
    -------
    Verdict
    """
    lost = read[read["reason"].isin(["unreadable", "no_customer"]) & read["share"].notna()]
    return Verdict(
        stop=lost[lost["share"] >= DROPPED_STOP],
        care=lost[(lost["share"] >= DROPPED_CARE) & (lost["share"] < DROPPED_STOP)],
        grave=rules[rules["grave"] & (rules["share"] >= GRAVE_CARE)],
        short=days < SHORT_HISTORY,
    )


def largest_of(history: History, n: int) -> pd.DataFrame:
    """Return the largest orders, with their share of all sales."""
    orders = history.orders
    frame = collect(largest_orders(orders, n, history.lines), ORDERED)
    total = float(collect_value(orders["amount"].sum(where=orders["amount"] > 0)) or 0)
    frame["amount"] = frame["amount"].astype(float)
    return frame.assign(share=frame["amount"] / total if total else float("nan"))


def rows_by_fate(data: Dataset) -> pd.DataFrame:
    """Say what became of every row that was read.

    Parameters
    ----------
    data : Dataset

    Returns
    -------
    DataFrame
        One row per table and fate: table, reason (None: kept), fate in words, rows, share (of the table's rows), amount,
        examples (up to three, as text with ids only). The rows of a table add up to those read.
    """
    import pandas as pd

    totals: dict[str, int] = {}
    for row in data.ledger:
        totals[row.table] = totals.get(row.table, 0) + row.rows
    rows = [
        {
            "table": row.table,
            "reason": row.reason,
            "fate": "kept" if row.reason is None else f"dropped: {REASONS[row.reason]}",
            "rows": row.rows,
            "share": row.rows / totals[row.table],
            "amount": float(row.amount) if row.amount is not None else None,
            "examples": "\n".join(_example(example) for example in row.examples),
        }
        # A table derived from another has no rows of its own that were read: only what it left out is told.
        for row in data.ledger
    ]
    frame = pd.DataFrame(rows, columns=["table", "reason", "fate", "rows", "share", "amount", "examples"])
    derived = [row.table for row in data.ledger if row.reason is None]
    frame.loc[~frame["table"].isin(derived), "share"] = float("nan")
    return frame


def amounts_by_part(history: History) -> pd.DataFrame:
    """Add up the amounts of every table and of its parts, so that nothing is lost on the way to customer summaries.

    Orders of later days are one part, so that the parts make what was read.

    Parameters
    ----------
    history : History

    Returns
    -------
    DataFrame
        total (what is split into parts), part (empty in the row of the total), rows, unit (what is counted), amount (exact
        decimals). The parts of a total add up to it.
    """
    import pandas as pd

    rows: list[tuple[str, str, int, str, Decimal]] = []
    ledger = history.data.ledger
    for table in dict.fromkeys(row.table for row in ledger):
        fates = [row for row in ledger if row.table == table]
        if all(row.reason or row.amount is None for row in fates):
            continue  # a table without amounts, or one that follows from another
        parts = [(REASONS[row.reason] if row.reason else "", row.rows, Decimal(row.amount or 0)) for row in fates]
        name = f"{table.replace('_', ' ')} read"
        rows.append((name, "", sum(part[1] for part in parts), "rows", sum((part[2] for part in parts), Decimal(0))))
        rows += [(name, f"dropped: {why}" if why else "kept", count, "rows", amount) for why, count, amount in parts]
    (known, sales), (later, more) = _total(history.orders), _total(history.after().orders)
    found = collect_row(amounts(history.orders))
    name = "orders kept"
    rows.append((name, "", known + later, "orders", sales + more))
    for part, count, unit, amount in (
        ("spent on purchase occasions", found["occasions"], "customer-days", found["spend"]),
        ("came back on other days", found["back_days"], "customer-days", found["returned"]),
        ("customers without any occasion", found["without"], "customers", found["without_amount"]),
    ):
        rows.append((name, part, int(count or 0), unit, Decimal(amount or 0)))
    if later:
        rows.append((name, "after the last day of history", later, "orders", more))
    return pd.DataFrame(rows, columns=["total", "part", "rows", "unit", "amount"])


def breaches(history: History, examples: int = 3) -> pd.DataFrame:
    """Count the rows that break each rule; rows of later days break none yet.

    Parameters
    ----------
    history : History
    examples : int
        Rows shown for each rule, with ids only.

    Returns
    -------
    DataFrame
        rule, says, grave, unit (what is counted), checked, broken, share, examples; one row per rule
        whose tables are there.
    """
    import pandas as pd

    rows = []
    for rule in RULES:
        check = rule.check(history.data, examples)
        if check is None:
            continue
        rows.append(
            {
                "rule": rule.name,
                "says": rule.says,
                "grave": rule.grave,
                "unit": rule.unit,
                "checked": check.checked,
                "broken": check.broken,
                "share": check.share,
                "examples": "\n".join(_example(example) for example in check.examples),
            }
        )
    return pd.DataFrame(rows)


def orders_by_day(history: History) -> pd.DataFrame:
    """Count the orders of every day of the history.

    Parameters
    ----------
    history : History

    Returns
    -------
    DataFrame
        day and orders; days without an order are there, with 0.
    """
    import pandas as pd

    found = collect(daily(history.orders), "day")
    counts = found.set_index(pd.to_datetime(found["day"]))["orders"]
    days = pd.date_range(history.first, history.as_of, name="day")
    return counts.reindex(days, fill_value=0).rename_axis("day").reset_index()


def _total(orders: ibis.Table) -> tuple[int, Decimal]:
    """Number of orders, and what they add up to."""
    found = collect_row(orders.aggregate(rows=orders.count(), amount=orders["amount"].sum()))
    return int(found["rows"]), Decimal(found["amount"] or 0)


def _example(row: Any) -> str:
    """One row that was dropped or broke a rule, as text."""
    parts = []
    for key, value in row.items():
        if value in ("", None):
            continue
        text = value.isoformat(" ") if isinstance(value, dt.datetime) else str(value)
        if hasattr(value, "normalize") or (key in ("amount", "quantity") and "." in text):
            text = text.rstrip("0").rstrip(".")
        elif isinstance(value, float):
            text = f"{value:.2f}"
        parts.append(f"{key} {text}")
    return ", ".join(parts)

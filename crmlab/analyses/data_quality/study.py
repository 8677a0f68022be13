"""What the verdict on a data set rests on: rows by fate, amounts by part, breaches of rules, orders by day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from crmlab.analyses.data_quality.judging import Verdict, as_frame, breaches, judge, written
from crmlab.analyses.data_quality.reductions import amounts, largest_orders
from crmlab.collecting import ORDERED, collect, collect_row, collect_value
from crmlab.data.ledger import Breach
from crmlab.data.reading.cleaning import REASONS
from crmlab.history.orders import daily
from crmlab.history.words import WEEKS, Words
from crmlab.page.result import Context, Output

if TYPE_CHECKING:
    import ibis
    import pandas as pd

    from crmlab.analyses.data_quality.params import Params
    from crmlab.data.dataset import Dataset
    from crmlab.data.descriptor import Descriptor
    from crmlab.history.past import History

__all__ = ["Study", "amounts_by_part", "largest_of", "orders_by_day", "rows_by_fate", "study"]


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
    breaches : tuple of Breach
        What the rules found, of :func:`~crmlab.analyses.data_quality.judging.breaches`.
    largest : DataFrame
        The largest orders, of :func:`largest_of`.
    days : DataFrame
        day and orders, of :func:`orders_by_day`.
    words : Words
    occasions, stale : int
        Purchase occasions, and customers whose last one is long ago.
    """

    context: Context
    params: Params
    descriptor: Descriptor
    tables: tuple[str, ...]
    read: pd.DataFrame
    amounts: pd.DataFrame
    breaches: tuple[Breach, ...]
    largest: pd.DataFrame
    days: pd.DataFrame
    occasions: int
    stale: int
    words: Words = WEEKS

    @property
    def order(self) -> str:
        """What people call one row of the table of orders."""
        return self.words.fill("{order}")

    @property
    def verdict(self) -> Verdict:
        """The verdict from the breaches and the length of the history."""
        return judge(self.breaches, self.length)

    @property
    def rules(self) -> pd.DataFrame:
        """The breaches as a frame."""
        return as_frame(self.breaches)

    @property
    def length(self) -> int:
        """Length of the history in days."""
        return int((self.days["day"].iloc[-1] - self.days["day"].iloc[0]).days) + 1

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
        breaches=tuple(breaches(history)),
        largest=largest_of(history, params.largest),
        days=orders_by_day(history),
        occasions=int(summary["occasions"].sum()),
        stale=int((summary["days_since_last"] > params.stale_after).sum()),
        words=history.words,
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
            "examples": "\n".join(map(written, row.examples)),
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

    Orders of later days are one part, and those before the first plausible day another, so that the parts make what was read.

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
    earlier, less = _total(history.before()) if history.reach.before else (0, Decimal(0))
    found, words = collect_row(amounts(history.orders)), history.words
    name = "orders kept"
    rows.append((name, "", earlier + known + later, "orders", less + sales + more))
    for part, count, unit, amount in (
        (
            f"{'spent' if words is WEEKS else 'given'} on {words.deed} occasions",
            found["occasions"],
            f"{words.one}-days",
            found["spend"],
        ),
        ("returned on other days", found["back_days"], f"{words.one}-days", found["returned"]),
        (f"{words.many} with orders but no occasion", found["without"], words.many, found["without_amount"]),
    ):
        rows.append((name, part, int(count or 0), unit, Decimal(amount or 0)))
    if earlier:
        rows.append((name, "before the first day of history", earlier, "orders", less))
    if later:
        rows.append((name, "after the last day of history", later, "orders", more))
    sold, back = (_total(history.orders.filter(some)) for some in (history.orders["amount"] >= 0, history.orders["amount"] < 0))
    if back[0]:
        # Sales, of which the largest order is a share, and what came back.
        name = "orders in the history"
        rows.append((name, "", known, "orders", sales))
        rows.append((name, "sales" if words is WEEKS else words.deeds, sold[0], "orders", sold[1]))
        rows.append((name, "returns and cancellations", back[0], "orders", back[1]))
    return pd.DataFrame(rows, columns=["total", "part", "rows", "unit", "amount"])


def orders_by_day(history: History) -> pd.DataFrame:
    """Count the orders of every day with any.

    Parameters
    ----------
    history : History

    Returns
    -------
    DataFrame
        day and orders, in order; the first and the last day of the history are there whether or not anybody ordered.
    """
    import pandas as pd

    found = collect(daily(history.orders), "day")
    counts = found.set_index(pd.to_datetime(found["day"]))["orders"]
    ends = pd.DatetimeIndex(pd.to_datetime([history.first, history.as_of]))
    return counts.reindex(counts.index.union(ends), fill_value=0).rename_axis("day").reset_index()


def _total(orders: ibis.Table) -> tuple[int, Decimal]:
    """Number of orders, and what they add up to."""
    found = collect_row(orders.aggregate(rows=orders.count(), amount=orders["amount"].sum()))
    return int(found["rows"]), Decimal(found["amount"] or 0)

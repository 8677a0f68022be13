"""What the verdict on a data set rests on: rows by fate, amounts by part, breaches of rules, orders by day."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from crmlab.analyses.data_quality.params import Params
from crmlab.analyses.data_quality.reductions import RULES, amounts, largest_orders
from crmlab.data.reading.cleaning import REASONS
from crmlab.history.context import known_by
from crmlab.history.orders import between, daily
from crmlab.page.format import Format

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.data.dataset import Dataset

__all__ = [
    "DROPPED_CARE",
    "DROPPED_STOP",
    "GRAVE_CARE",
    "SHORT_HISTORY",
    "amounts_table",
    "judge",
    "largest_of",
    "ledger_table",
    "orders_by_day",
    "rules_table",
]


# The verdict follows from these bounds alone, so that it can be checked by hand.
DROPPED_CARE, DROPPED_STOP = 0.05, 0.5  # share of rows dropped that cannot be used at all
GRAVE_CARE = 0.01  # share of rows that break a grave rule
SHORT_HISTORY = 90  # days


def judge(read: pd.DataFrame, rules: pd.DataFrame, days: int) -> tuple[str, tuple[str, ...]]:
    """Give the verdict from the bounds of this module.

    Parameters
    ----------
    read : DataFrame
        As of :func:`ledger_table`.
    rules : DataFrame
        As of :func:`rules_table`.
    days : int
        Length of history in days.

    Returns
    -------
    (verdict, reasons)
        "Good", "Usable with care" or "Not usable yet", and a sentence for each reason.
    """
    form = Format()
    care: list[str] = []
    stop: list[str] = []
    unusable = read[read["reason"].isin(["unreadable", "no_customer"]) & read["share"].notna()]
    for row in unusable.to_dict("records"):
        words = f"{form.share(row['share'])} of the rows of {str(row['table']).replace('_', ' ')} were dropped: {REASONS[row['reason']]}."
        if row["share"] >= DROPPED_STOP:
            stop.append(words)
        elif row["share"] >= DROPPED_CARE:
            care.append(words)
    for row in rules[rules["grave"] & (rules["share"] >= GRAVE_CARE)].to_dict("records"):
        care.append(f"The rule “{row['says']}” is broken by {form.count(row['broken'])} rows ({form.share(row['share'])}).")
    if days < SHORT_HISTORY:
        care.append(f"The history is only {days} days long.")
    if stop:
        return "Not usable yet", (*stop, *care)
    return ("Usable with care", tuple(care)) if care else ("Good", ())


def largest_of(data: Dataset, params: Params, as_of: dt.date) -> pd.DataFrame:
    """Return the largest orders up to the last day, as they are shown."""
    known = between(data.orders, None, as_of)
    lines = between(data.order_lines, None, as_of) if "order_lines" in data.tables else None
    frame = largest_orders(known, params.largest, lines).to_pandas()
    total = float(known.filter(known["amount"] > 0)["amount"].sum().execute() or 0)
    frame["amount"] = frame["amount"].astype(float)
    return frame.assign(share=frame["amount"] / total if total else float("nan"))


def ledger_table(data: Dataset) -> pd.DataFrame:
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


def amounts_table(data: Dataset, as_of: dt.date | None = None) -> pd.DataFrame:
    """Add up the amounts of every table and of its parts, so that nothing is lost on the way to customer summaries.

    Parameters
    ----------
    data : Dataset
    as_of : date, optional
        Last day of history, inclusive; default: all orders.

    Returns
    -------
    DataFrame
        total (what is split into parts), part (empty in the row of the total), rows, unit (what is counted), amount (exact
        decimals). The parts of a total add up to it.
    """
    import pandas as pd

    rows: list[tuple[str, str, int, str, Decimal]] = []
    for table in dict.fromkeys(row.table for row in data.ledger):
        found = [row for row in data.ledger if row.table == table]
        if all(row.reason or row.amount is None for row in found):
            continue  # a table without amounts, or one that follows from another
        parts = [(REASONS[row.reason] if row.reason else "", row.rows, Decimal(row.amount or 0)) for row in found]
        name = f"{table.replace('_', ' ')} read"
        rows.append((name, "", sum(part[1] for part in parts), "rows", sum((part[2] for part in parts), Decimal(0))))
        rows += [(name, f"dropped: {why}" if why else "kept", count, "rows", amount) for why, count, amount in parts]
    orders = data.orders
    whole = orders.aggregate(rows=orders.count(), amount=orders["amount"].sum()).to_pyarrow().to_pylist()[0]
    found = amounts(orders, as_of).to_pyarrow().to_pylist()[0]
    name = "orders kept"
    rows.append((name, "", whole["rows"], "orders", Decimal(whole["amount"] or 0)))
    for part, count, unit, amount in (
        ("spent on purchase occasions", found["occasions"], "customer-days", found["spend"]),
        ("came back on other days", found["back_days"], "customer-days", found["returned"]),
        ("customers without any occasion", found["without"], "customers", found["without_amount"]),
    ):
        rows.append((name, part, int(count or 0), unit, Decimal(amount or 0)))
    if as_of is not None:
        later = orders.filter(orders["ordered_at"].date() > as_of)
        after = later.aggregate(rows=later.count(), amount=later["amount"].sum()).to_pyarrow().to_pylist()[0]
        if after["rows"]:
            rows.append((name, "after the last day of history", after["rows"], "orders", Decimal(after["amount"])))
    return pd.DataFrame(rows, columns=["total", "part", "rows", "unit", "amount"])


def rules_table(data: Dataset, examples: int = 3, as_of: dt.date | None = None) -> pd.DataFrame:
    """Count the rows that break each rule.

    Parameters
    ----------
    data : Dataset
    examples : int
        Rows shown for each rule, with ids only.
    as_of : date, optional
        Last day of history, inclusive: rows of later days break no rule yet; default: all rows.

    Returns
    -------
    DataFrame
        rule, says, grave, unit (what is counted), checked, broken, share, examples; one row per rule
        whose tables are there.
    """
    import pandas as pd

    known = data if as_of is None else known_by(data, as_of)
    rows = []
    for rule in RULES:
        check = rule.check(known, examples)
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


def orders_by_day(data: Dataset, first: dt.date, last: dt.date) -> pd.DataFrame:
    """Count the orders of every day from one to another, both included.

    Parameters
    ----------
    data : Dataset
    first, last : date

    Returns
    -------
    DataFrame
        day and orders; days without an order are there, with 0.
    """
    import pandas as pd

    found = daily(between(data.orders, first, last)).to_pandas()
    counts = found.set_index(pd.to_datetime(found["day"]))["orders"]
    days = pd.date_range(first, last, name="day")
    return counts.reindex(days, fill_value=0).rename_axis("day").reset_index()


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

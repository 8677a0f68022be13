"""What was read, what was dropped and why, and whether the rest can be relied on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crmlab import checks
from crmlab.analyses import data_quality_views as views
from crmlab.analyses.common import LEVEL, context_of
from crmlab.analyses.data_quality_counts import amounts_table, ledger_table, orders_by_day, rules_table
from crmlab.data.clean import REASONS
from crmlab.features.customers import customer_summary
from crmlab.features.orders import between
from crmlab.features.outliers import largest_orders
from crmlab.models.intervals import wilson
from crmlab.result import Estimate, Finding, Findings, Method, Result
from crmlab.style import Format

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.data.dataset import Dataset

__all__ = ["NEEDS", "Params", "amounts_table", "judge", "ledger_table", "orders_by_day", "rules_table", "run"]

NEEDS = ("orders",)

# The verdict follows from these bounds alone, so that it can be checked by hand.
DROPPED_CARE, DROPPED_STOP = 0.05, 0.5  # share of rows dropped that cannot be used at all
GRAVE_CARE = 0.01  # share of rows that break a grave rule
SHORT_HISTORY = 90  # days


@dataclass(frozen=True, kw_only=True)
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: str | None = None  # last day of history, ISO date; default: the last order's day
    stale_after: int = 365  # days without a purchase after which a customer counts as stale
    largest: int = 10  # how many of the largest orders are shown, 1 to 20

    def __post_init__(self) -> None:
        checks.day("data_quality", "as_of", self.as_of)
        checks.whole("data_quality", "stale_after", self.stale_after, 1)
        checks.whole("data_quality", "largest", self.largest, 1, 20)


def run(data: Dataset, params: Params = Params()) -> Result:
    """Say what a data set holds, what was left out, and what would move results.

    Parameters
    ----------
    data : Dataset
        Needs orders; checks every table that is there.
    params : Params

    Returns
    -------
    Result
        Tables: read, amounts, rules, examples, largest, coverage. Charts: orders.

    Raises
    ------
    ParameterError
        ``as_of`` is outside the history.
    """
    context = context_of(data, params.as_of)
    form = context.form
    summary = customer_summary(data.orders, context.as_of).to_pandas()
    context = context_of(data, params.as_of, len(summary))
    read = ledger_table(data)
    rules = rules_table(data, as_of=context.as_of)
    days = orders_by_day(data, context.first_day, context.as_of)
    largest = _largest(data, params, context.as_of)
    length = (context.as_of - context.first_day).days + 1
    verdict, reasons = judge(read, rules, length)
    metrics = _metrics(data, read, rules, largest, summary, params)
    return Result(
        title="Can we rely on this data?",
        context=context,
        params=params,
        findings=_findings(verdict, read, largest, len(summary), length, metrics, params, form),
        metrics=metrics,
        tables={
            "read": views.read_shown(read, form),
            "amounts": views.amounts_shown(amounts_table(data, context.as_of), form),
            "rules": views.rules_shown(rules, form),
            "examples": views.examples_shown(read, rules),
            "largest": views.largest_shown(largest, form),
            "coverage": views.coverage_shown(data, days, summary, form),
        },
        charts={"orders": views.orders_chart(days, form)},
        method=_method(data, form),
        warnings=reasons,
        limits=(
            "Rules find what is impossible or unusual; they do not find an amount that is wrong but plausible.",
            f"Definition of a customer: {data.descriptor.customer}. One person with two ids counts twice.",
        ),
    )


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


def _largest(data: Dataset, params: Params, as_of: dt.date) -> pd.DataFrame:
    known = between(data.orders, None, as_of)
    lines = between(data.order_lines, None, as_of) if "order_lines" in data.tables else None
    frame = largest_orders(known, params.largest, lines).to_pandas()
    total = float(known.filter(known["amount"] > 0)["amount"].sum().execute() or 0)
    frame["amount"] = frame["amount"].astype(float)
    return frame.assign(share=frame["amount"] / total if total else float("nan"))


def _findings(
    verdict: str,
    read: pd.DataFrame,
    largest: pd.DataFrame,
    customers: int,
    length: int,
    metrics: Mapping[str, Estimate],
    params: Params,
    form: Format,
) -> Findings:
    own = read[read["share"].notna()]
    lost = own[own["reason"].notna()]
    rows = form.count(int(own["rows"].sum()))
    if len(lost):
        why = lost.sort_values("rows", ascending=False, kind="stable").iloc[0]
        count = int(why["rows"])
        words = (
            f"{form.share(metrics['rows_used_share'].value)} of {rows} rows were used. Most others: {REASONS[why['reason']]} "
            f"({form.count(count)} {'row' if count == 1 else 'rows'})."
        )
    else:
        words = f"all {rows} rows were used."
    found = [Finding(verdict, words, "counted, not estimated", "rows_used_share")]
    stale = metrics.get("stale_share")
    if stale is not None:
        text = f"of {form.count(customers)} customers last bought more than {params.stale_after} days ago."
        if length <= params.stale_after:
            text = (
                f"of {form.count(customers)} customers last bought more than {params.stale_after} days ago: the history has only "
                f"{form.count(length)} days, so it cannot tell."
            )
        interval = f"{form.interval(stale.low, stale.high, 'share')}; {form.share(LEVEL)} interval"
        found.append(Finding(form.share(stale.value), text, interval if length > params.stale_after else "", "stale_share"))
    if len(largest):
        top = largest.iloc[0]
        value = form.money(top["amount"])
        words = f"is the largest order, {form.share(top['share'])} of all sales, {_fate(top, form)}.{_cancelled(largest, form)}"
        found.append(Finding(value, words, "counted, not estimated", "largest_order"))
    return Findings(found)


def _fate(order: pd.Series, form: Format) -> str:
    if order["cancelled"]:
        return "and was cancelled"
    return f"and {form.money(order['returned'])} of it came back" if order["returned"] > 0 else "and was not cancelled"


def _cancelled(largest: pd.DataFrame, form: Format) -> str:
    """How many of the largest orders were cancelled, as a sentence; nothing where there is only one."""
    count, size = int(largest["cancelled"].sum()), len(largest)
    if size == 1:
        return ""
    if count == size:
        return f" All {form.count(size)} largest were cancelled."
    return f" {form.count(count) if count else 'None'} of the {form.count(size)} largest {'was' if count < 2 else 'were'} cancelled."


def _metrics(
    data: Dataset, read: pd.DataFrame, rules: pd.DataFrame, largest: pd.DataFrame, summary: pd.DataFrame, params: Params
) -> dict[str, Estimate]:
    customers = len(summary)
    metrics = {"customers": Estimate(float(customers), unit="customers")}
    if customers:
        stale = int((summary["days_since_last"] > params.stale_after).sum())
        metrics["stale_share"] = Estimate(stale / customers, *wilson(stale, customers, LEVEL), LEVEL, "share")
    own = read[read["share"].notna()]
    metrics["rows_used_share"] = Estimate(
        float(own.loc[own["reason"].isna(), "rows"].sum()) / max(int(own["rows"].sum()), 1), unit="share"
    )
    if len(largest):
        metrics["largest_order"] = Estimate(float(largest["amount"].iloc[0]), unit=data.currency)
        metrics["largest_cancelled"] = Estimate(float(largest["cancelled"].sum()), unit="orders")
    for row in read.to_dict("records"):
        metrics[f"rows_{row['table']}_{row['reason'] or 'kept'}"] = Estimate(float(row["rows"]), unit="rows")
    for row in rules.to_dict("records"):
        name = str(row["rule"]).lower().replace(" ", "_")
        metrics[f"broken_{name}"] = Estimate(float(row["broken"]), unit="rows")
    return metrics


def _method(data: Dataset, form: Format) -> Method:
    rules = data.descriptor
    returns = {
        "net": "Returns are set against the same customer's purchases of the same day.",
        "drop": "Rows of returns were dropped.",
    }
    free = {"count": "Free orders count as purchases.", "ignore": "Free orders are ignored."}
    return Method(
        f"Counts over every row. The verdict is “Not usable yet” where half of a table's rows or more cannot be used, “Usable "
        f"with care” from {form.share(DROPPED_CARE, 0)}, where a grave rule is broken by {form.share(GRAVE_CARE, 0)} of rows or more, or "
        f"where the history is under {SHORT_HISTORY} days; else “Good”.",
        (
            returns[rules.returns],
            free[rules.free_orders],
            *((f"Not products: {', '.join(rules.not_products)}.",) if rules.not_products else ()),
            f"The share of stale customers has a {form.share(LEVEL)} interval by Wilson's method; all else is counted.",
        ),
        {
            "Stale": "a customer whose last purchase occasion is longer ago than the number of days chosen",
            "Came back": "of a large order: what the customer later returned of its products, at most what was bought of each",
            "Customer-day": "a customer and a day with at least one order",
            "Purchase occasion": "a customer-day with a purchase whose spend, net of returns booked that day, is positive",
        },
    )

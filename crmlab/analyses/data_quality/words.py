"""What data quality says in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from crmlab.analyses.data_quality.params import Params
from crmlab.analyses.data_quality.study import DROPPED_CARE, GRAVE_CARE, SHORT_HISTORY
from crmlab.data.reading.cleaning import REASONS
from crmlab.models.intervals import wilson
from crmlab.page.format import Format
from crmlab.page.groups import LEVEL
from crmlab.page.result import Estimate, Finding, Findings, Method

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.data.dataset import Dataset

__all__ = ["findings_of", "method_of", "metrics_of"]


def findings_of(
    verdict: str,
    read: pd.DataFrame,
    largest: pd.DataFrame,
    customers: int,
    length: int,
    metrics: Mapping[str, Estimate],
    params: Params,
    form: Format,
) -> Findings:
    """Return the findings: the sentences that open the page."""
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


def metrics_of(
    data: Dataset, read: pd.DataFrame, rules: pd.DataFrame, largest: pd.DataFrame, summary: pd.DataFrame, params: Params
) -> dict[str, Estimate]:
    """Return what two runs are compared on."""
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


def method_of(data: Dataset, form: Format) -> Method:
    """Return how it was done, and what it cannot say."""
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

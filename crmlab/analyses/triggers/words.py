"""What the triggers say in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from crmlab.analyses.triggers.params import Params
from crmlab.analyses.triggers.rules import Learnt
from crmlab.models.intervals import wilson
from crmlab.page.result import Estimate, Finding, Findings, Method

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset
    from crmlab.page.format import Format

__all__ = ["findings_of", "method_of", "metrics_of", "warnings_of"]


def findings_of(table: pd.DataFrame, actions: pd.DataFrame, customers: int, form: Format, params: Params) -> Findings:
    """Return the findings: the sentences that open the page."""
    at = form.share(params.level)
    count = int(actions["customer_id"].nunique())
    low, high = wilson(count, customers, params.level)
    found = [
        Finding(
            form.count(count),
            f"of {form.count(customers)} customers have a moment of the last {params.fresh} days to act on, "
            f"{form.share(count / customers)} of all.",
            f"{form.interval(low, high, 'share')} of customers in such a week, at {at}",
            "customers_share",
        )
    ]
    known = table[(table["tested"] >= max(params.min_group, 30)) & (table["customers"] >= params.min_group)]
    for row in known.sort_values(["true", "name"], ascending=[False, True]).head(2).to_dict("records"):
        found.append(
            Finding(
                form.share(row["true"]),
                f"of past moments “{row['label']}” were followed by {row['predicts']}; {form.count(row['customers'])} "
                "customers have one now: "
                f"{row['advice']}.",
                f"{form.interval(row['true_low'], row['true_high'], 'share')}, at {at}",
                f"came_true_{row['name']}",
            )
        )
    return Findings(found)


def metrics_of(table: pd.DataFrame, actions: pd.DataFrame, customers: int, level: float) -> dict[str, Estimate]:
    """Return what two runs are compared on."""
    metrics = {}
    for row in table.to_dict("records"):
        metrics[f"customers_{row['name']}"] = Estimate(float(row["customers"]), unit="customers")
        if row["tested"]:
            metrics[f"came_true_{row['name']}"] = Estimate(row["true"], row["true_low"], row["true_high"], level, "share")
    count = int(actions["customer_id"].nunique())
    metrics["customers_share"] = Estimate(count / customers, *wilson(count, customers, level), level, "share")
    return metrics


def warnings_of(data: Dataset, learnt: Learnt) -> tuple[str, ...]:
    """Return what a reader must know before believing the page."""
    out = []
    if learnt.model is None:
        out.append("BG/NBD could not be fitted, so nobody is called overdue.")
    if "order_lines" not in data.tables:
        out.append("There are no order lines, so no product is called due again.")
    elif learnt.rebuys.empty:
        out.append("No product was bought again often enough to know its rhythm.")
    return tuple(out)


def method_of(learnt: Learnt, split: pd.Timestamp, form: Format, params: Params) -> Method:
    """Return how it was done, and what it cannot say."""
    return Method(
        "Rules on each customer's own purchases; BG/NBD (Fader, Hardie and Lee 2005) for who is overdue.",
        (
            f"A moment is today's where it fired in the last {params.fresh} days; act within {params.respond} days of it.",
            f"How often a prediction came true is counted on moments after {form.day(split.date())} whose "
            f"{params.window} days are over, with "
            "what the rules need learnt before that day only.",
            f"Intervals are Wilson's at {form.share(params.level)}, each trigger by itself. Several moments of one "
            "customer count as several, "
            "which makes them a little narrow.",
            f"{form.count(len(learnt.rebuys))} products were bought again often enough to know their rhythm.",
        ),
        {
            "Moment": "the day on which a rule is met for a customer for the first time since the last purchase",
            "Overdue": "see the rule",
        },
    )

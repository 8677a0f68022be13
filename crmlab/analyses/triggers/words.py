"""What the triggers say in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.models.intervals import wilson
from crmlab.page.result import Estimate, Finding, Findings, Method

if TYPE_CHECKING:
    from crmlab.analyses.triggers.study import Study

__all__ = ["TITLE", "findings", "limits", "method", "metrics", "warnings"]

TITLE = "At which moments to act, and for whom"


def findings(study: Study) -> Findings:
    """The sentences that open the page."""
    table, params, form = study.table, study.params, study.context.form
    at, share = form.share(params.level), _share(study)
    part = form.measured(share.value, share.low, share.high, "share")
    found = [
        Finding(
            form.count(study.actions["customer_id"].nunique()),
            f"of {form.count(study.context.customers)} customers have a moment of the last {params.fresh} days to act on, "
            f"{part.value} of all.",
            f"{part.interval} of customers in such a week, at {at}",
            "customers_share",
        )
    ]
    known = table[(table["tested"] >= max(params.min_group, 30)) & (table["customers"] >= params.min_group)]
    for row in known.sort_values(["true", "name"], ascending=[False, True]).head(2).to_dict("records"):
        true = form.measured(row["true"], row["true_low"], row["true_high"], "share")
        found.append(
            Finding(
                true.value,
                f"of past moments “{row['label']}” were followed by {row['predicts']}; {form.count(row['customers'])} "
                f"customers have one now: {row['advice']}.",
                f"{true.interval}, at {at}",
                f"came_true_{row['name']}",
            )
        )
    return Findings(found)


def _share(study: Study) -> Estimate:
    """Share of customers who have a moment now."""
    count, customers, level = int(study.actions["customer_id"].nunique()), study.context.customers or 0, study.params.level
    return Estimate(count / customers, *wilson(count, customers, level), level, "share")


def metrics(study: Study) -> dict[str, Estimate]:
    """What two runs are compared on."""
    out = {}
    for row in study.table.to_dict("records"):
        out[f"customers_{row['name']}"] = Estimate(float(row["customers"]), unit="customers")
        if row["tested"]:
            out[f"came_true_{row['name']}"] = Estimate.of(row, study.params.level, "share", "true")
    out["customers_share"] = _share(study)
    return out


def warnings(study: Study) -> tuple[str, ...]:
    """What a reader must know before acting."""
    out = []
    if study.yearly:
        out.append("People give or renew once a year here: nobody is overdue before the year is over, so nobody is called so.")
    elif not study.learnt.model:
        out.append("No model of purchases could be fitted, so nobody is called overdue.")
    if not study.with_lines:
        out.append("There are no order lines, so no product is called due again.")
    elif study.learnt.rebuys.empty:
        out.append("No product was bought again often enough to know its rhythm.")
    return tuple(out)


def limits(study: Study) -> tuple[str, ...]:
    """What the page cannot say."""
    return (
        "That something came true after a moment does not show that acting on it would change it: test with a group left alone.",
        "One customer may have several moments at once; the list names them all.",
        "Seasons and campaigns of the last half year are in the numbers of those that came true.",
    )


def method(study: Study) -> Method:
    """How it was done."""
    params, form = study.params, study.context.form
    return Method(
        "Rules on each customer's own purchases"
        + (f"; {study.learnt.model}, which tells best what came, for who is overdue." if study.learnt.model else "."),
        (
            f"A moment is today's where it fired in the last {params.fresh} days; act within {params.respond} days of it.",
            f"How often a prediction came true is counted on moments after {form.day(study.split.date())} whose "
            f"{params.window} days are over, with what the rules need learnt before that day only.",
            f"Intervals are Wilson's at {form.share(params.level)}, each trigger by itself. Several moments of one "
            "customer count as several, which makes them a little narrow.",
            f"{form.count(len(study.learnt.rebuys))} products were bought again often enough to know their rhythm.",
        ),
        {
            "Moment": "the day on which a rule is met for a customer for the first time since the last purchase",
            "Overdue": "see the rule",
        },
    )

"""What the triggers say in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from crmlab.analyses.triggers.judging import BASES, FEWEST, NO, OFTEN, SILENT, UNKNOWN, YES
from crmlab.history.context import masked
from crmlab.history.words import ROUNDS
from crmlab.page.estimate import Estimate
from crmlab.page.result import Finding, Findings, Method

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.analyses.triggers.study import Study

__all__ = ["TITLE", "findings", "limits", "method", "metrics", "warnings"]

TITLE = "Which moments tell what comes next, and who has one now"
CAVEAT = "This is a prediction, not the effect of contacting them: only a test that leaves a random part alone can show that."


def findings(study: Study) -> Findings:
    """The sentences that open the page."""
    table = study.table
    if (table["works"] == YES).any():
        return Findings([_working(study), _best(study), *_failing(study)])
    if (table["works"] == UNKNOWN).all():
        return Findings([_unjudged(study)])
    rules = study.judged.rules[study.judged.rules["works"]].to_dict("records")
    return Findings([_none_works(study, rules), *(_simple(study, row) for row in rules)])


def _working(study: Study) -> Finding:
    """How many have a moment of a trigger that works, and how many of them may be contacted."""
    form, few, words = study.context.form, study.params.min_group, study.words
    labels = study.table.loc[study.table["works"] == YES, "label"]
    count = _acting(study)
    said = study.acting.said(form) if count >= few else ""
    return Finding(
        _written(study, count),
        f"of {form.count(study.context.customers)} {words.many} have a moment now of a trigger that works here: {_listed(labels)}. "
        f"{f'{said} ' if said else ''}{CAVEAT}",
        metric="customers_working",
    )


def _best(study: Study) -> Finding:
    """The trigger that beats the simple rule by most, beside both bases."""
    form, words = study.context.form, study.words
    known = study.table[study.table["works"] == YES].sort_values(["lift_rule", "name"], ascending=[False, True])
    row = known.iloc[0].to_dict()
    true = form.measured(row["true"], row["true_low"], row["true_high"], "share")
    lifts = [form.measured(row[f"lift_{base}"], row[f"lift_{base}_low"], row[f"lift_{base}_high"]) for base in BASES]
    rule = f"with most {words.deeds}" if row["buys"] else f"whose last {words.deed} was longest ago"
    return Finding(
        true.value,
        f"of past moments “{row['label']}” were followed by {row['predicts']} within "
        f"{study.present.rhythm.span(words, form)}, against {form.share(row['base_all'])} of all eligible "
        f"{words.many} on the same days (lift {lifts[0]}) and {form.share(row['base_rule'])} of as many {rule} (lift {lifts[1]}).",
        f"{true.interval}, at {form.share(study.params.level)}",
        f"came_true_{row['name']}",
    )


def _failing(study: Study) -> list[Finding]:
    """Which triggers do not work here."""
    labels, judged = study.table.loc[study.table["works"] == NO, "label"], _judged(study)
    if labels.empty:
        return []
    verb = "does" if len(labels) == 1 else "do"
    return [
        Finding(
            f"{len(labels)} of {judged}",
            f"triggers {verb} not work here: {_listed(labels)}. Do not act on {'it' if len(labels) == 1 else 'them'}.",
            metric="triggers_working",
        )
    ]


def _none_works(study: Study, rules: list[dict[str, Any]]) -> Finding:
    """That no trigger works, and what does instead."""
    failing = study.actions.loc[study.actions["works"] == NO, "customer_id"]
    listed = _written(study, failing.nunique()).lower()
    judged, words = _judged(study), study.words
    by = {SILENT: f"how long ago the last {words.deed} was", OFTEN: f"the number of {words.deeds}"}
    known = " and ".join(by[row["name"]] for row in rules)
    instead = f"Instead, go by {known}." if known else "No simple rule beats chance either."
    return Finding(
        f"0 of {judged}",
        f"{'trigger beats' if judged == 1 else 'triggers beat'} both chance and a simple rule here, so do not act on today's moments "
        f"({listed} {words.many}). {instead}",
        metric="triggers_working",
    )


def _simple(study: Study, row: dict[str, Any]) -> Finding:
    """What a simple rule finds, and for whom it says so today."""
    form, words, span = study.context.form, study.words, study.present.rhythm.span(study.words, study.context.form)
    true, reach = (
        form.measured(row["true"], row["true_low"], row["true_high"], "share"),
        f"{form.count(study.present.learnt.reach)} days",
    )
    base = form.share(row["base"])
    if row["name"] == SILENT:
        text = (
            f"of eligible {words.many} whose last {words.deed} was longest ago (up to {reach}) made no {words.deed} within {span}, against "
            f"{base} of all eligible: a sign of who is leaving."
        )
        count = len(study.silent)
        if count >= study.params.min_group:
            text += f" A list names today's {form.count(count)}. {study.silent_consent.said(form)} {CAVEAT}"
    else:
        text = (
            f"of eligible {words.many} with most {words.deeds} in {reach} made a {words.deed} within {span}, against {base} of all "
            f"eligible: a sign of who will make another."
        )
    return Finding(true.value, text, f"{true.interval}, at {form.share(study.params.level)}", f"simple_true_{row['name']}")


def _unjudged(study: Study) -> Finding:
    """That nothing is known yet, and how many have a moment."""
    form, words = study.context.form, study.words
    return Finding(
        _written(study, _with_moment(study)),
        f"of {form.count(study.context.customers)} {words.many} have a moment now, but no trigger can be judged yet: none was met by "
        f"{FEWEST} {words.many} on past days. Do not rely on them.",
        metric="customers_with_moment",
    )


def _written(study: Study, count: int) -> str:
    shown = masked(count, study.params.min_group)
    return shown.capitalize() if isinstance(shown, str) else study.context.form.count(shown)


def _acting(study: Study) -> int:
    return sum(study.acting)


def _with_moment(study: Study) -> int:
    return int(study.actions["customer_id"].nunique())


def _judged(study: Study) -> int:
    return int((study.table["works"] != UNKNOWN).sum())


def _listed(labels: pd.Series) -> str:
    *some, last = [f"“{label}”" for label in labels]
    return f"{', '.join(some)} and {last}" if some else last


def metrics(study: Study) -> dict[str, Estimate]:
    """What two runs are compared on."""
    out: dict[str, Estimate] = {}
    level = study.params.level

    def measured(name: str, row: dict[str, Any], column: str, unit: str) -> None:
        if np.isfinite([row[column], row[f"{column}_low"], row[f"{column}_high"]]).all():
            out[name] = Estimate.of(row, level, unit, column)

    for row in study.table.to_dict("records"):
        name = row["name"]
        out[f"customers_{name}"] = Estimate(float(row["customers"]), unit="customers")
        measured(f"came_true_{name}", row, "true", "share")
        for base in BASES:
            measured(f"base_{base}_{name}", row, f"base_{base}", "share")
            measured(f"lift_{base}_{name}", row, f"lift_{base}", "")
    for row in study.judged.rules.to_dict("records"):
        measured(f"simple_true_{row['name']}", row, "true", "share")
        measured(f"simple_lift_{row['name']}", row, "lift", "")
    out["customers_with_moment"] = Estimate(float(_with_moment(study)), unit="customers")
    out["eligible_customers"] = Estimate(float(len(study.present.eligible)), unit="customers")
    out["customers_working"] = Estimate(float(_acting(study)), unit="customers")
    out["triggers_working"] = Estimate(float((study.table["works"] == YES).sum()), unit="triggers")
    out["triggers_judged"] = Estimate(float(_judged(study)), unit="triggers")
    return out


def warnings(study: Study) -> tuple[str, ...]:
    """What a reader must know before acting."""
    out = []
    if study.words is not ROUNDS and not study.present.learnt.model:
        out.append("No model of purchases could be fitted, so nobody is called overdue.")
    if study.with_lines and study.present.learnt.rebuys.empty:
        out.append("No product was bought again often enough to know its rhythm.")
    return tuple(out)


def limits(study: Study) -> tuple[str, ...]:
    """What the page cannot say."""
    words, reach = study.words, study.context.form.count(study.present.learnt.reach)
    out = [
        f"{words.many.capitalize()} whose last {words.deed} is more than {reach} days ago have no moment here: the page on the lifecycle "
        "says where they stand.",
        f"One {words.one} may have several moments at once; the list names them all, also those of triggers that do not work here.",
        "Past campaigns affect the numbers: some may have come only because they were sent something.",
        words.decided,
    ]
    if words is ROUNDS:
        out.append("Donors give once a year, so nobody is called overdue.")
    return tuple(out)


def method(study: Study) -> Method:
    """How it was done."""
    params, form, words, now = study.params, study.context.form, study.words, study.present
    days, rhythm = study.judged.days, study.present.rhythm
    model = now.learnt.model
    first, last = form.day(days[0]), form.day(days[-1])
    return Method(
        f"Rules on each {words.one}’s own {words.deeds}"
        + (f"; who is overdue follows {model}, which predicted best what came." if model else ".")
        + f" Each is judged on {len(days)} days from {first} to {last}, with what was known then.",
        (
            f"A moment is today’s where the rule was met in the last {rhythm.fresh} days; a contact is in time up to {rhythm.respond} days after it. What is "
            f"predicted must come within {rhythm.span(words, form)} of the day.",
            "The lengths follow the rhythm of the data: within the window three in four of those who came again have come, in whole weeks."
            if words is not ROUNDS
            else "Donors give in yearly rounds, so the window is a year.",
            f"As time goes on, the model of {words.deeds} and its season are judged anew, and it is refitted with the rules."
            if model
            else "The rules are learnt anew as the days go on.",
            f"The same {words.one} on several days is one cluster. Intervals of lifts are Fieller’s, those of shares Wilson’s for as many independent "
            f"{words.many} as give the same variance, at {form.share(params.level)}.",
            f"A trigger works where its lift over both bases is shown to be above 1 at {form.share(params.level)}, after Benjamini and "
            "Hochberg (1995) over the triggers that were judged; a simple rule where its lift over all eligible is, after the same over the simple rules.",
            f"All eligible {words.many} are those of all past days; a trigger is held against those of its own days, and a simple rule picks the same "
            "share of them on each day.",
        ),
        {
            "Moment": f"the day on which a rule is met for a {words.one} for the first time since the last {words.deed}",
            "Eligible": f"{words.many} whose last {words.deed} was within reach on the day: at most as long ago as 95 of 100 gaps between "
            f"{words.deeds} lasted (three median gaps at least), {form.count(now.learnt.reach)} days today",
            "Lift": "how many times as often a prediction comes true as in the comparison group; 1 is no better",
        },
    )

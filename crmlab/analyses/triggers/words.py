"""What the triggers say in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from crmlab.analyses.triggers.judging import BASES, FEWEST, NO, UNKNOWN, YES
from crmlab.analyses.triggers.naming import OFTEN, SILENT
from crmlab.history.context import masked
from crmlab.history.words import ROUNDS
from crmlab.page.estimate import Estimate
from crmlab.page.result import Finding, Findings, Method
from crmlab.page.texts import joined

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.analyses.triggers.study import Study

__all__ = ["TITLE", "findings", "limits", "method", "metrics", "warnings"]

TITLE = "Which moments are worth acting on, and whose moment is now"
CAVEAT = "This is a prediction, not the effect of contacting them: only a test in which some of them, chosen at random, are not contacted can show that."


def findings(study: Study) -> Findings:
    """The sentences that open the page."""
    table = study.table
    if (table["works"] == YES).any():
        return Findings([_working(study), _best(study), *_failing(study)])
    if (table["works"] == UNKNOWN).all():
        return Findings([_unjudged(study)])
    rules = study.judged.rules[study.judged.rules["works"]].to_dict("records")
    return Findings([_none_works(study, rules), *(_simple(study, row, first=not place) for place, row in enumerate(rules))])


def _working(study: Study) -> Finding:
    """How many have a moment of a trigger that works, and how many of them may be contacted."""
    form, few, words = study.context.form, study.params.min_group, study.words
    labels = study.table.loc[study.table["works"] == YES, "label"]
    count = _acting(study)
    said = study.acting.said(form) if count >= few else ""
    return Finding(
        _written(study, count),
        f"of {form.count(study.context.customers)} {words.many} are now at a moment whose trigger works here: {_quoted(labels)}. "
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
    rule = f"with the most {words.deeds}" if row["buys"] else f"whose last {words.deed} was longest ago"
    return Finding(
        true.value,
        f"of past moments of “{row['label']}” were followed by {row['predicts']} within "
        f"{study.present.rhythm.span(words, form)}, against {form.share(row['base_all'])} of all eligible "
        f"{words.many} on the same days, those who {words.did} in the {form.count(study.present.learnt.reach)} days before (lift {lifts[0]}) and {form.share(row['base_rule'])} of the same number {rule} "
        f"(lift {lifts[1]}).",
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
            f"triggers {verb} not work here: {_quoted(labels)}. Do not act on {'it' if len(labels) == 1 else 'them'}.",
            metric="triggers_working",
        )
    ]


def _none_works(study: Study, rules: list[dict[str, Any]]) -> Finding:
    """That no trigger works, and what does instead."""
    failing = study.moments.loc[study.moments["works"] == NO, "customer_id"]
    listed = _written(study, failing.nunique()).lower()
    judged, words = _judged(study), study.words
    more = _with_moment(study) - failing.nunique()
    rest = f"; those of a further {_written(study, more).lower()} could not be judged" if more else ""
    by = {SILENT: "how long ago {who} last {did}", OFTEN: "how often {who} have {given}"}
    known = " and ".join(
        by[row["name"]].format(who="they" if place else words.many, did=words.did, given=words.fill("{given}"))
        for place, row in enumerate(rules)
    )
    instead = f"Instead, go by {known}." if known else "No simple rule beats chance either."
    return Finding(
        "The only trigger" if judged == 1 else f"None of the {judged}",
        f"{'does not beat' if judged == 1 else 'triggers beats'} both chance and a simple rule here, so do not act on today’s moments "
        f"({listed} {words.many}{rest}). {instead}",
        metric="triggers_working",
    )


def _simple(study: Study, row: dict[str, Any], *, first: bool) -> Finding:
    """What a simple rule finds, and for whom it says so today."""
    form, words, span = study.context.form, study.words, study.present.rhythm.span(study.words, study.context.form)
    true, reach = (
        form.measured(row["true"], row["true_low"], row["true_high"], "share"),
        f"{form.count(study.present.learnt.reach)} days",
    )
    base = form.share(row["base"])
    # Defined where it is said first.
    eligible = f"all eligible {words.many}"
    if first:
        eligible = f"the {words.many} who {words.did} in the last {reach} (“eligible” here)"
    if row["name"] == SILENT:
        text = (
            f"of those whose last {words.deed} was longest ago, among {eligible}, made no {words.deed} within {span}, "
            f"against {base} of all eligible {words.many}: a sign of who is leaving."
        )
        count = len(study.silent)
        if count >= study.params.min_group:
            text += f" Today’s {form.count(count)} are listed. {study.silent_consent.said(form)} {CAVEAT}"
    else:
        # Told of the same outcome as those silent longest: two bases that add up to 100% read like two values of one thing.
        text = (
            f"of those with the most {words.deeds}, among {eligible}, made a {words.deed} within {span}: only {form.share(1 - row['true'])} made "
            f"none, against {form.share(1 - row['base'])} of all eligible {words.many}. That is a sign of who will make another."
        )
    return Finding(true.value, text, f"{true.interval}, at {form.share(study.params.level)}", f"simple_true_{row['name']}")


def _unjudged(study: Study) -> Finding:
    """That nothing is known yet, and how many have a moment."""
    form, words = study.context.form, study.words
    return Finding(
        _written(study, _with_moment(study)),
        f"of {form.count(study.context.customers)} {words.many} are at a moment now, but no trigger can be judged yet: none was met by as "
        f"many as {FEWEST} {words.many} on past days. Do not rely on these moments.",
        metric="customers_with_moment",
    )


def _written(study: Study, count: int) -> str:
    shown = masked(count, study.params.min_group)
    return shown.capitalize() if isinstance(shown, str) else study.context.form.count(shown)


def _acting(study: Study) -> int:
    return sum(study.acting)


def _with_moment(study: Study) -> int:
    return int(study.moments["customer_id"].nunique())


def _judged(study: Study) -> int:
    return int((study.table["works"] != UNKNOWN).sum())


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
        out.append("No model of purchases could be fitted, so no trigger rests on the day by which the next one was expected.")
    if study.with_lines and study.present.learnt.rebuys.empty:
        out.append("No product was bought again often enough for its rhythm to be known.")
    return tuple(out)


def limits(study: Study) -> tuple[str, ...]:
    """What the page cannot say."""
    words, reach = study.words, study.context.form.count(study.present.learnt.reach)
    out = [
        f"{words.many.capitalize()} whose last {words.deed} is more than {reach} days ago have no moment here: the page on the lifecycle "
        "says where they stand.",
        f"One {words.one} may have several moments at once; the list names them all, including those of triggers that do not work here.",
        f"Past campaigns affect the numbers: some {words.many} may have {words.fill('{given}')} only because they were sent something.",
        words.decided,
    ]
    if words is ROUNDS:
        out.append("Donors give once a year, so no trigger rests on the day by which the next gift was expected.")
    return tuple(out)


def method(study: Study) -> Method:
    """How it was done."""
    params, form, words, now = study.params, study.context.form, study.words, study.present
    days, rhythm = study.judged.days, study.present.rhythm
    model = now.learnt.model
    first, last = form.day(days[0]), form.day(days[-1])
    return Method(
        f"Rules on each {words.one}’s own {words.deeds}"
        + (f"; when the next {words.deed} was to be expected is worked out by {model}, which predicted best." if model else ".")
        + f" Each rule is judged on {len(days)} days from {first} to {last}, using only what was known then.",
        (
            f"A moment counts as today’s if the rule was met in the last {rhythm.fresh} days; contact is in time up to {rhythm.respond} days after "
            f"that. The prediction must come true within {rhythm.span(words, form)} of the day for which it is made.",
            "The periods follow the rhythm of the data: the window, in whole weeks, is long enough for three in four of those who bought again "
            "to have done so."
            if words is not ROUNDS
            else "Donors give in yearly rounds, so the window is a year.",
            f"As time goes on, the model of {words.deeds} and its season are reassessed, and the model is refitted along with the rules."
            if model
            else "The rules are relearnt as time goes on.",
            f"The same {words.one} on several days is treated as one cluster. Intervals of lifts are Fieller’s, those of shares Wilson’s for as many independent "
            f"{words.many} as give the same variance, at {form.share(params.level)}.",
            f"A trigger works where its lift over both groups is shown to be above 1 at {form.share(params.level)}, after the Benjamini–Hochberg "
            "(1995) correction over the triggers judged; a simple rule works where its lift over all eligible is shown to be, with the same "
            "correction over the simple rules.",
            "“All eligible” covers all past days; a trigger is compared with those eligible on its own days, and a simple rule picks the "
            "same share of them on each day.",
        ),
        {
            "Moment": f"the day on which a rule is met for a {words.one} for the first time since the last {words.deed}",
            "Eligible": f"{words.many} whose last {words.deed} was recent enough on the day: no longer ago than 95 of 100 gaps between "
            f"{words.deeds} lasted (or three median gaps, if that is longer), {form.count(now.learnt.reach)} days today",
            "Lift": "how many times as often a prediction comes true as in the comparison group; 1 means no better",
        },
        {
            f"{words.did} in the last {form.count(now.learnt.reach)} days, within which nearly all who {words.fill('{buy}')} again do so": len(
                now.eligible
            )
        },
    )


def _quoted(labels: pd.Series) -> str:
    return joined(f"“{label}”" for label in labels)

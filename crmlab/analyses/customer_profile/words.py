"""What the profile of a customer says in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.page.estimate import Estimate
from crmlab.page.result import Finding, Findings, Method

if TYPE_CHECKING:
    from crmlab.analyses.customer_profile.study import Study

__all__ = ["TITLE", "findings", "limits", "method", "metrics", "warnings"]

TITLE = "What do we know about this customer?"


def findings(study: Study) -> Findings:
    """The sentences that open the page: who it is and what they did, today's decision with their value, and the risk."""
    bought, form, words = study.occasions, study.context.form, study.speech.words
    at = form.share(study.params.level)
    who = f"{words.one.capitalize()} {study.params.customer_id}"
    if len(bought):
        spend = form.money(float(bought["spend"].sum()))
        times = words.deed if len(bought) == 1 else words.deeds
        silent = study.state.get("days_since_last")
        days = "day" if silent == 1 else "days"
        last = "the last one " if len(bought) > 1 else ""
        ago = f", {last}{form.count(silent)} {days} ago" if silent is not None else ""
        since = form.short_day(bought["day"].iloc[0])
        did = f"has made {form.count(len(bought))} {times} since {since}, {spend} in all{ago}."
    else:
        did = f"has made no {words.deed} so far."
    found = [Finding(who, did, "", "occasions"), *_decided(study)]
    risk = study.estimates.get("churn")
    if risk is not None:
        chance, ends = form.measured(risk.value, risk.low, risk.high, "share")
        found.append(
            Finding(
                chance,
                f"is the chance of no {words.deed} within {study.risk.window} days.",
                f"{ends}, at {at}",
                "churn",
            )
        )
    return Findings(found[:3])


def _decided(study: Study) -> list[Finding]:
    """What is decided for today, and what is still to come; either may be unknown."""
    value, form = study.estimates.get("value"), study.context.form
    at = form.share(study.params.level)
    worth, ends, tier = "", "", ""
    if value is not None:
        tier = f"tier {study.worth.tier}" if study.worth.tier else "not in a tier"
        worth, ends = form.measured(value.value, value.low, value.high, "amount")
    if not study.todo:
        text = study.speech(f"is what the {{one}} is still expected to {{bring}}: {tier}.")
        return [Finding(worth, text, f"{ends}, at {at}", "value")] if worth else []
    action, why = study.todo
    reason = f" ({why})" if ":" in why else f": {why}" if why else ""
    more = study.speech(f" The {{one}} is still expected to {{bring}} {worth} ({ends}, at {at}): {tier}.") if worth else ""
    decided = f"is today’s decision{reason}.{more}"
    return [Finding(action[:1].upper() + action[1:], decided, "", "value" if worth else "")]


def metrics(study: Study) -> dict[str, Estimate]:
    """What two runs are compared on."""
    return {"occasions": Estimate(float(len(study.occasions)), unit="purchases"), **study.estimates}


def warnings(study: Study) -> tuple[str, ...]:
    """What a reader must know before acting."""
    refused = [f"Do not contact this {study.speech.words.one}: {study.refusal}."] if study.refusal else []
    return (*refused, *(study.why[name] for name in ("state", "value", "churn") if name in study.why))


def limits(study: Study) -> tuple[str, ...]:
    """What the page cannot say."""
    one = study.speech.words.one
    undecided = (
        f"What to do with this {one} has not been decided: {study.why.get('todo', f'the {one} is in no list of actions.')}"
    )
    return (
        f"What a single {one} will do is mostly a matter of chance: the intervals are wide because they have to be.",
        f"Scores say how {study.speech.words.many} like this one have behaved. They are no reason to treat anybody worse.",
        *(() if study.todo else (undecided,)),
    )


def method(study: Study) -> Method:
    """How it was done."""
    at, words = study.context.form.share(study.params.level), study.speech.words
    return Method(
        f"What the reports on customer value, lifecycle, churn, offers, triggers and actions say about one {words.one}.",
        (
            f"{at} intervals: for value and {words.deeds}, they cover what this {words.one} will do; for probabilities, what is not known "
            "about the models.",
            "Contacts are those in the data set’s tables; anyone in a control was assigned to a test and left alone on purpose.",
        ),
        {"Occasion": f"a day with a {words.deed}, net of what was returned that day"},
    )

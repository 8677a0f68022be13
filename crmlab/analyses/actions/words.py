"""What the decision says in sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from crmlab.analyses.actions.deciding import ASKED_LATER, COSTS_MORE, HOUSEHOLD, NO_ACTION, NOT_YET, USED_UP
from crmlab.analyses.actions.declaring import ALONE, AT_RISK, HELD_OUT
from crmlab.analyses.actions.effects import ASSUMED, UNSHOWN
from crmlab.analyses.actions.exhibits import shown_lines
from crmlab.analyses.actions.pressing import PUBLISHED
from crmlab.analyses.actions.quantities import QUANTITIES
from crmlab.errors import listing
from crmlab.history.consent import COMPLAINED, REFUSED, Consent
from crmlab.page.estimate import Estimate
from crmlab.page.exhibits import Absent
from crmlab.page.result import Finding, Findings, Method

if TYPE_CHECKING:
    from crmlab.analyses.actions.study import Study

# Why nothing is done → what is said of several.
_MANY = {
    REFUSED: "have asked not to be contacted",
    COMPLAINED: "have complained",
    HOUSEHOLD: "share a household with somebody who comes first",
    NO_ACTION: "may have none of the actions",
    ASKED_LATER: "have asked to be contacted again on a later day",
    COSTS_MORE: "would cost more than any action brings",
    NOT_YET: "were contacted too recently",
    USED_UP: "are beyond the budget or the capacity of an action",
}

__all__ = ["TITLE", "findings", "limits", "method", "metrics", "warnings"]

TITLE = "What to do now, for whom, and what it is worth"
_EXPLAINED = ("if_loyal", "value_today", "at_risk", "potential", "expected_gain")


def findings(study: Study) -> Findings:
    """What to do, with whom to do nothing, and where to stop."""
    if not study.margin.known:
        return Findings([_without_margin(study)])
    return Findings([one for one in (_what(study), _nobody(study), _kept(study) or _stop(study)) if one is not None])


def _without_margin(study: Study) -> Finding:
    people, form, words = study.ground.people, study.context.form, study.words
    can = int((study.ground.gains.notna().any(axis=1).to_numpy() & people.open).sum())
    return Finding(
        form.count(can),
        f"{words.many} could be contacted, but with whom that pays is not known, because no margin is. {_capital(study.margin.needed)}.",
        metric="left_alone",
    )


def _what(study: Study) -> Finding:
    form, words = study.context.form, study.words
    lines = shown_lines(study)
    worth, low, high = study.total
    if lines.empty:
        return Finding("Nothing", f"pays today: no action is expected to bring more than it costs with any {words.one}.")
    shown = form.measured(worth, low, high, "money")
    parts = [f"{row['action']} for {form.count(row['customers'])}" for row in lines.to_dict("records")]
    who = study.decided.today
    mine = study.ground.people.frame[(~who["action"].isin([ALONE, HELD_OUT])).to_numpy()]
    consent = Consent.of(mine["contactable"], mine["refusal"])
    unknown = f" {consent.said(form)}" if consent.unknown else ""
    return Finding(
        shown.value,
        f"is what today’s actions are expected to bring, after costs of {form.money(float(lines['cost'].sum()))}: "
        f"{_joined(parts)} {words.many}. The files of this report list them.{unknown}",
        f"{shown.interval}, at {form.share(study.params.level)}",
        metric="actions_worth",
    )


def _nobody(study: Study) -> Finding:
    form, words = study.context.form, study.words
    left = study.customers - study.acted
    told = study.alone[(study.alone["customers"] >= study.params.min_group) & study.alone["reason"].isin(list(_MANY))]
    why = _joined([f"{form.count(row['customers'])} {_MANY[row['reason']]}" for row in told.to_dict("records")[:3]])
    return Finding(
        form.count(left),
        f"{words.many} are to be left alone today{f': {why}' if why else ''}{' (the main reasons)' * (len(told) > 3)}.",
        metric="left_alone",
    )


def _stop(study: Study) -> Finding | None:
    form, curve = study.context.form, study.curve
    if isinstance(curve, Absent):
        return None
    last, half = curve.iloc[-1], curve.iloc[len(curve) // 2]
    share = form.share(half["profit"] / last["profit"])
    budget = study.ground.budget
    if budget is not None and budget < last["budget"]:
        more = last["profit"] - float(study.decided.today["gain"].sum())
        return Finding(
            form.money(budget),
            f"may be spent today. {form.money(last['budget'])} would bring {form.money(more)} more; beyond that nothing pays.",
        )
    return Finding(
        form.money(last["budget"]),
        f"is as much as it pays to spend today; the first half of it brings {share} of the profit. Beyond that nothing pays.",
    )


def _kept(study: Study) -> Finding | None:
    """What earlier decisions promised, and what came of it."""
    form, words = study.context.form, study.words
    if study.kept.empty:
        return None
    last = study.kept.iloc[-1]
    if min(last["contacted"], last["held_out"]) < study.params.min_group:
        return None
    # Fewer is told as a number of its own, not as so many less than none.
    low, high = last["came_low"], last["came_high"]
    fewer = last["came"] < 0
    shown = form.measured(abs(last["came"]), *((-high, -low) if fewer else (low, high)), "count")
    return Finding(
        shown.value,
        f"{'fewer' if fewer else 'more'} {words.many} {words.did} while earlier actions ran than would have without them; "
        f"{form.count(round(last['promised']))} were promised.",
        f"{shown.interval}, at {form.share(study.params.level)}",
    )


def _would(study: Study) -> str:
    """What choosing as this page does would have brought in past campaigns, as a sentence; empty where that is not known."""
    form, words = study.context.form, study.words
    if study.judged is None or study.judged.campaigns.empty:
        return ""
    row = study.judged.campaigns.iloc[-1]
    if not row["chosen"] or math.isnan(row["nobody"]):
        return ""
    count = max(len(study.judged.campaigns) - 1, 1)
    less = row["nobody"] < 0
    ends = (row["nobody_low"], row["nobody_high"])
    shown = form.measured(abs(row["nobody"]), *((-ends[1], -ends[0]) if less else ends), "money")
    low, high = row["everybody_low"], row["everybody_high"]
    rest = "; whether contacting everybody would have earned more is not clear"
    if low > 0 or high < 0:
        rest = f"; contacting everybody would have earned {'less' if low > 0 else 'more'}"
    return (
        f"Choosing {words.many} as this page does would have earned {shown.value} {'less' if less else 'more'} ({shown.interval}, at "
        f"{form.share(study.params.level)}) than contacting nobody in {f'{count} past campaigns' if count > 1 else 'a past campaign'}{rest}."
    )


def metrics(study: Study) -> dict[str, Estimate]:
    """What two runs are compared on."""
    unit = study.context.form.currency
    out = {
        "actions_customers": Estimate(float(study.acted), unit="customers"),
        "left_alone": Estimate(float(study.customers - study.acted), unit="customers"),
    }
    if study.margin.known:
        out["actions_worth"] = Estimate.holding(*study.total, study.params.level, unit)
    return out


def warnings(study: Study) -> tuple[str, ...]:
    """What a reader must know before acting."""
    form, words = study.context.form, study.words
    found = list(study.margin.wanted("to see with whom an action pays"))
    used = set(study.lines["action"])
    assumed = [
        one.name for one in study.ground.actions if one.effect.basis == ASSUMED and (one.name in used or not study.margin.known)
    ]
    if assumed:
        found.append(
            f"Nobody has measured what {_joined(assumed)} {'does' if len(assumed) == 1 else 'do'}: the effect is assumed. Send it to a random "
            "half of the list and leave the other half alone, so that the next decision rests on what came."
        )
    unshown = [one.name for one in study.ground.actions if one.effect.basis == UNSHOWN]
    if unshown:
        found.append(
            f"Past tests did not show that {_joined(unshown)} {'makes' if len(unshown) == 1 else 'make'} anybody buy, so nobody gets {'it' if len(unshown) == 1 else 'them'}. "
            "To find out, test on part of a list."
        )
    risky = [one.name for one in study.ground.actions if one.action.brings == AT_RISK]
    if risky and study.ground.people.frame["at_risk"].isna().all():
        found.append(
            f"Who has left cannot be told from this history, so nothing is known to be at risk: {_joined(risky)} "
            f"{'is' if len(risky) == 1 else 'are'} taken to bring one {words.deed}."
        )
    if study.declared.holdout is None:
        found.append(
            f"No {words.many} are held out, so nobody will know what all actions bring together. Write [holdout] with share = 0.05 and a salt "
            "of your own into the data set’s file."
        )
    elif study.detectable is not None:
        found.append(
            f"{form.count(study.held_out)} {words.many} are held out of everything. That can show a rise of {form.points(study.detectable)} or "
            f"more in the share who {words.fill('{buy}')}; a smaller one may go unseen."
        )
    if not study.ground.people.frame["contactable"].isin(["yes", "no"]).any():
        found.append(f"The data do not say which {words.many} may be contacted. Make sure before you send anything.")
    if not study.declared.given:
        found.append(
            f"The data set’s file declares no actions, so these are the usual ones: {listing([one.name for one in study.ground.actions])}. "
            "Declare your own under [[action]]."
        )
    found += [said] if (said := _would(study)) else []
    found += study.left_out[:4]
    return tuple(found)


def limits(study: Study) -> tuple[str, ...]:
    """What the page cannot say."""
    words = study.words
    return (
        f"An action is taken to move every {words.one} who may have it as much as it moved those it was tested on, on average; what differs "
        f"between {words.many} is what a {words.deed} of theirs brings and whether they would have come anyway.",
        f"What a {words.deed} brings later, a habit say, is not counted, nor that a contact may annoy.",
        f"The calendar repeats today’s effects. {_pressed(study)}",
    )


def method(study: Study) -> Method:
    """How it was done."""
    params, form, words = study.params, study.context.form, study.words
    return Method(
        f"Expected incremental value less cost, as of {form.day(study.context.as_of)}: the effect of an action times what a {words.one} who is "
        "moved brings, less the contact and the offers that are taken. Chosen under budgets, capacities and limits on contacts by prices of "
        "the limits (Everett 1963; Fisher 1981). Effects of past cells are pooled by random effects and shrunk (Paule and Mandel 1982; "
        "Gelman et al. 2013).",
        (
            f"Everybody who may be contacted is decided for, one of each household on a day; at most one action for a {words.one} and day.",
            f"An offer costs its price with everybody who takes it: those who are moved, and those who would have come anyway within the days "
            f"that past cells were watched, by the model of {words.deeds}.",
            "A measured effect counts only where its interval, at the level of tests (95%), lies above 0.",
            f"Sums carry what is not known of effects, at {form.share(params.level)}, as if effects were independent of each other; what is not "
            f"known of values is on the page of {words.one} value.",
            "Contacts before today count towards the limits, with whomever of a household they were; a contact with the offer of an action "
            "counts as that action.",
            "Ties are decided by a salted hash of the id.",
        ),
        {name: words.told(meaning) for name, meaning in QUANTITIES.explained(*_EXPLAINED).items()},
    )


def _pressed(study: Study) -> str:
    """How a contact is taken to work with those who had many."""
    curve = study.ground.curve or PUBLISHED
    words, form = study.words, study.context.form
    source = "which own cells have measured" if curve.campaigns else "published for e-mail, until own cells have tested it"
    return (
        f"A contact moves fewer of the {words.many} who had several in the four weeks before: after four of them "
        f"{form.share(float(curve.left(4)))} of what it does after none, by the curve {source}."
    )


def _joined(parts: list[str]) -> str:
    return "".join(parts) if len(parts) < 2 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]

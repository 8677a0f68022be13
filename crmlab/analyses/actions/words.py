"""What the decision says in sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from crmlab.analyses.actions.deciding import ASKED_LATER, CONTROL, COSTS_MORE, HOUSEHOLD, NO_ACTION, NOT_YET, USED_UP
from crmlab.analyses.actions.declaring import AT_RISK, IDLE
from crmlab.analyses.actions.effects import ASSUMED, UNSHOWN
from crmlab.analyses.actions.exhibits import MARGINS, REST, shown_lines, worth_at
from crmlab.analyses.actions.pressing import PUBLISHED
from crmlab.analyses.actions.quantities import QUANTITIES
from crmlab.errors import listing
from crmlab.history.consent import COMPLAINED, REFUSED, Consent
from crmlab.page.estimate import Estimate
from crmlab.page.exhibits import Absent
from crmlab.page.result import Finding, Findings, Method
from crmlab.page.texts import joined

if TYPE_CHECKING:
    from crmlab.analyses.actions.study import Study

# Why nothing is done → what is said of several.
_MANY = {
    REFUSED: "have not consented",
    COMPLAINED: "have complained",
    HOUSEHOLD: "share a household with someone who comes first",
    NO_ACTION: "are eligible for none of the actions",
    ASKED_LATER: "have asked to be contacted again on a later day",
    COSTS_MORE: "would cost more to contact than any action would bring in",
    CONTROL: "belong to the control of a running test",
    NOT_YET: "were contacted too recently",
    USED_UP: "are beyond the budget or the capacity of an action",
}

__all__ = ["TITLE", "findings", "limits", "method", "metrics", "warnings"]

TITLE = "What to do now, for which customers, and what it is worth"
_EXPLAINED = ("if_loyal", "value_today", "at_risk", "potential", "expected_gain")


def findings(study: Study) -> Findings:
    """What to do, with whom to do nothing, and where to stop."""
    if not study.margin.known:
        found = [_without_margin(study), _nobody(study) if study.alone_today else None]
        return Findings([one for one in found if one is not None])
    return Findings([one for one in (_what(study), _nobody(study), _kept(study) or _stop(study)) if one is not None])


def _without_margin(study: Study) -> Finding:
    form, words, table = study.context.form, study.words, worth_at(study)
    if table.empty:
        return Finding("Nobody", "can be contacted today, whatever the margin.", metric="undecided")
    row, (low, middle, high) = table.iloc[-1], MARGINS
    bases = {one.effect.basis for one in study.ground.actions}
    which = "assumed effects" if bases == {ASSUMED} else "effects"
    which = which if len(study.ground.actions) > 1 else which.removesuffix("s")
    return Finding(
        f"{form.count(row[f'at_{middle}'])} of {form.count(row['customers'])}",
        f"{words.many} would be worth contacting at a margin of {form.share(middle / 100)}, if the {which} "
        f"{'hold' if which.endswith('s') else 'holds'} ({form.count(row[f'at_{low}'])} at {form.share(low / 100)}, "
        f"{form.count(row[f'at_{high}'])} at {form.share(high / 100)}). No margin is known, so nothing is decided for them yet.",
        metric="undecided",
    )


def _what(study: Study) -> Finding:
    form, words = study.context.form, study.words
    lines = shown_lines(study)
    worth, low, high = study.total
    if lines.empty:
        return Finding("Nothing", f"pays today: no action is expected to bring in more than it costs for any {words.one}.")
    shown = form.measured(worth, low, high, "money")
    parts = [f"{_quoted(row['action'])} for {form.count(row['customers'])}" for row in lines.to_dict("records")]
    parts[0] += f" {words.many}"
    who = study.decided.today
    mine = study.ground.people.frame[(~who["action"].isin(IDLE)).to_numpy()]
    consent = Consent.of(mine["contactable"], mine["refusal"])
    unknown = f" {consent.said(form)}" if consent.unknown else ""
    spent = f"costs of {form.money(float(lines['cost'].sum()))}"
    advice = (
        " To learn whether they pay, leave a random part of each list alone."
        if study.declared.holdout is None
        else f" The {words.many} who are held out will show whether they pay."
    )
    sure = f"is what today’s actions are expected to bring in, after {spent}"
    unsure = (
        f"is the best estimate of what today’s actions bring in after {spent}, but they may also lose money.{advice} They are"
    )
    return Finding(
        shown.value,
        f"{f'{sure}:' if _pays(study) else unsure} {joined(parts)}. The files of the page “What to do now” list who gets which.{unknown}",
        f"{shown.interval}, at {form.share(study.params.level)}",
        metric="actions_worth",
    )


def _pays(study: Study) -> bool:
    """Whether the interval of what today's actions bring lies above 0."""
    return study.total[1] > 0


def _nobody(study: Study) -> Finding:
    form, words = study.context.form, study.words
    left = study.alone_today
    told = study.alone[(study.alone["customers"] >= study.params.min_group) & study.alone["reason"].isin(list(_MANY))]
    why = joined([f"{form.count(row['customers'])} {_MANY[row['reason']]}" for row in told.to_dict("records")[:3]])
    if len(told) == 1 and told["customers"].iloc[0] == left:
        why = f"they {_MANY[told['reason'].iloc[0]]}"
    main = ". The main reasons: " if len(told) > 3 else ": "
    return Finding(
        form.count(left),
        f"{words.many} should be left alone today{f'{main}{why}' if why else ''}.",
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
            f"may be spent today. Spending {form.money(last['budget'])} would bring in {form.money(more)} more; anything beyond that does "
            "not pay.",
        )
    if not _pays(study):
        return Finding(
            form.money(last["budget"]),
            "is the most to spend today, even if every action works as expected: beyond that, each contact is expected to cost more than "
            "it brings in.",
        )
    return Finding(
        form.money(last["budget"]),
        f"is the most it pays to spend today: any more would not pay. The first half of it brings in {share} of the profit.",
    )


def _kept(study: Study) -> Finding | None:
    """What earlier decisions promised, and what they actually did."""
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
        f"{'fewer' if fewer else 'more'} {words.many} {words.did} while earlier actions ran than would have "
        f"{words.fill('{given}')} without them; {form.count(round(last['promised']))} were promised.",
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
    nobody = int((study.judged.campaigns["chosen"].iloc[:count] == 0).sum())
    idle = f", in {'one' if nobody == 1 else nobody} of which it would have contacted nobody," if nobody else ","
    less = row["nobody"] < 0
    ends = (row["nobody_low"], row["nobody_high"])
    shown = form.measured(abs(row["nobody"]), *((-ends[1], -ends[0]) if less else ends), "money")
    low, high = row["everybody_low"], row["everybody_high"]
    rest = "; it is not clear whether contacting everybody would have earned more"
    if low > 0 or high < 0:
        rest = f"; contacting everybody would have earned {'less' if low > 0 else 'more'}"
    return (
        f"In {f'{count} past campaigns' if count > 1 else 'a past campaign'}{idle} choosing {words.many} as this page does would have earned "
        f"{shown.value} {'less' if less else 'more'} ({shown.interval}, at {form.share(study.params.level)}) than contacting nobody{rest}."
    )


def metrics(study: Study) -> dict[str, Estimate]:
    """What two runs are compared on."""
    unit = study.context.form.currency
    out = {
        "actions_customers": Estimate(float(study.acted), unit="customers"),
        "left_alone": Estimate(float(study.alone_today), unit="customers"),
        "undecided": Estimate(float(study.undecided), unit="customers"),
    }
    if study.margin.known:
        out["actions_worth"] = Estimate.holding(*study.total, study.params.level, unit)
    return out


def warnings(study: Study) -> tuple[str, ...]:
    """What a reader must know before acting."""
    form, words = study.context.form, study.words
    found = study.margin.wanted()
    used = set(study.lines["action"])
    assumed = [
        one.name for one in study.ground.actions if one.effect.basis == ASSUMED and (one.name in used or not study.margin.known)
    ]
    if assumed:
        one = len(assumed) == 1
        found.append(
            f"The {'effect' if one else 'effects'} of {joined(list(map(_quoted, assumed)))} {'has' if one else 'have'} not been measured; "
            f"{'it is' if one else 'they are'} assumed. Send {'it' if one else 'each'} to a random half of {'the' if one else 'its'} list "
            "and leave the other half alone, so that the next decision rests on results."
        )
    unshown = [one.name for one in study.ground.actions if one.effect.basis == UNSHOWN]
    if unshown:
        it = "it" if len(unshown) == 1 else "them"
        found.append(
            f"Past tests did not show that {joined(list(map(_quoted, unshown)), 'or')} makes anybody {words.fill('{buy}')}, so nobody "
            f"gets {it}. To find out, test {it} on part of a list."
        )
    risky = [one.name for one in study.ground.actions if one.action.brings == AT_RISK]
    if risky and study.ground.people.frame["at_risk"].isna().all():
        found.append(
            "This history does not show who has left, so no value is known to be at risk: "
            f"{joined(list(map(_quoted, risky)))} {'is' if len(risky) == 1 else 'are each'} assumed to bring one {words.deed}."
        )
    if study.declared.holdout is None:
        found.append(
            f"No {words.many} are kept out of all actions for comparison, so it will not be known what the actions achieve together. Ask your "
            "analyst to hold some out at random."
        )
    elif study.detectable is not None:
        found.append(
            f"{form.count(study.held_out)} {words.many} are held out of everything. That can show a rise of {form.points(study.detectable)} "
            f"or more in the share who {words.fill('{buy}')}; a smaller rise may go unseen."
        )
    if not study.ground.people.frame["contactable"].isin(["yes", "no"]).any():
        found.append(f"The data do not say which {words.many} may be contacted. Check before you send anything.")
    if not study.declared.given:
        usual = [_quoted(one.name) for one in study.ground.actions]
        found.append(
            f"No actions have been set up, so the usual {'one is' if len(usual) == 1 else 'ones are'} used: {listing(usual)}."
        )
    found += [said] if (said := _would(study)) else []
    found += study.left_out[:4]
    return tuple(found)


def limits(study: Study) -> tuple[str, ...]:
    """What the page cannot say."""
    words = study.words
    return (
        f"Each action is assumed to influence every eligible {words.one} as much, on average, as was measured or assumed; {words.many} "
        f"differ only in what a {words.deed} of theirs brings in and in whether they would have {words.fill('{given}')} anyway.",
        f"Later effects of a {words.deed}, such as a new habit, are not counted, nor is any annoyance a contact may cause.",
        _pressed(study)
        if study.decided.calendar.empty
        else f"The calendar assumes today’s effects throughout. {_pressed(study)}",
    )


def method(study: Study) -> Method:
    """How it was done."""
    params, form, words = study.params, study.context.form, study.words
    return Method(
        f"Expected incremental value less cost, as of {form.day(study.context.as_of)}: the effect of an action times what a {words.one} it "
        "persuades brings in, less the costs of the contact and of offers taken. Actions are chosen within budgets, capacities and contact "
        "limits by putting a price on each limit (Everett 1963; Fisher 1981). Effects of past cells are pooled by random effects and "
        "shrunk (Paule and Mandel 1982; Gelman et al. 2013).",
        (
            "A decision is made for everybody who may be contacted: one person per household per day, and at most one action per "
            f"{words.one} per day.",
            "An offer costs its price for everyone who takes it: those it persuades, and those who, by the model of "
            f"{words.deeds}, would have {words.fill('{given}')} anyway during the days for which past cells were observed.",
            "A measured effect counts where past tests together show one at 95%, the level used for tests. What it will be the next time is "
            "less certain, because campaigns differ: that interval may reach below 0.",
            f"The {form.share(params.level)} intervals of totals cover uncertainty about the effects, as if these were independent of each "
            f"other; for uncertainty about values, see the page on {words.one} value.",
            "Contacts before today count towards the limits, whichever member of the household received them; a contact with an action’s "
            "offer counts as that action. Until a test closes, its control counts as contacted, too.",
            f"Ties are broken by a salted hash of the {words.one}’s ID.",
            *_setting(study),
        ),
        {name: words.told(meaning) for name, meaning in QUANTITIES.explained(*_EXPLAINED).items()},
    )


def _setting(study: Study) -> list[str]:
    """How an analyst gives what is missing: the lines of the data set's file."""
    found = []
    if not study.margin.known:
        found.append(f"To give a margin: {study.margin.needed}.")
    if study.declared.holdout is None:
        found.append(
            f"To hold {study.words.many} out: add [holdout] to the data set’s file, with share = 0.05 and a salt (any text of your own)."
        )
    if not study.declared.given:
        found.append("To declare actions of your own: add [[action]] to the data set’s file, once for each.")
    return found


def _pressed(study: Study) -> str:
    """How a contact is assumed to work for those who had many."""
    curve = study.ground.curve or PUBLISHED
    words, form = study.words, study.context.form
    source = (
        "measured by your own test cells"
        if curve.campaigns
        else "published for email, until your own test cells have checked it"
    )
    return (
        f"A contact persuades fewer of the {words.many} who had several contacts in the previous four weeks: after four, it has "
        f"{form.share(float(curve.left(4)))} of the effect it has after none, by the curve {source}."
    )


def _quoted(name: str) -> str:
    """The name of an action as prose shows it; other actions together have no name."""
    return name if name == REST else f"“{name}”"

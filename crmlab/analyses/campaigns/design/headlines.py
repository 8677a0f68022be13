"""What opens the page of a test to come: whom it is of, whether it will show anything, what it costs and brings, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.campaigns.design.tables import acts_of, guessed_rise, names_of, points, points_measured
from crmlab.analyses.campaigns.lists import COMPLAINTS, NO_CONSENT
from crmlab.page.result import Finding, Findings
from crmlab.page.texts import joined

if TYPE_CHECKING:
    from crmlab.analyses.campaigns.design.study import Study
    from crmlab.page.format import Format

__all__ = ["SOURCES", "days_said", "findings"]

_MOST_NAMES = 3  # offers that a headline names
SOURCES = {
    "offers": "from past cells with {offers}",
    "past": "from past cells",
    "given": "as given",
    "guess": "a guess",
}


def findings(study: Study) -> Findings:
    """At most three: the plan, the smallest rise that it is likely to show, and what it costs and may bring."""
    if not study.advised:
        return Findings([_not_now(study), _listed(study)])
    if study.guessed:
        return Findings([_plan(study), _least_shown(study), _spent(study)])
    return Findings([_plan(study), _least_shown(study), _profit(study)])


def _rise(study: Study) -> str:
    """The rise that is expected, how surely, and where that is from."""
    form, expected = study.context.form, study.expected
    rise = points_measured(study.terms.possible(expected.value), expected.low, expected.high, form)
    source = SOURCES[expected.source].format(offers="this offer" if len(study.plan.cells) == 1 else "these offers")
    ends = f" ({rise.interval}, at {form.share(study.params.level)})" if rise.interval else ""
    average = " on average" if len({one.value for one in study.effects.values()}) > 1 else ""
    value = guessed_rise(study) if expected.source == "guess" else rise.value
    return f"{value} more who {acts_of(study).act}{average}{ends}, {source}"


def _effect(study: Study) -> str:
    """The effect that is expected, as the beginning of a sentence; that it is a guess comes first."""
    if study.expected.source != "guess":
        return f"the expected effect is {_rise(study)}"
    return f"the expected effect, a guess, is {guessed_rise(study)} more who {acts_of(study).act}"


def _plan(study: Study) -> Finding:
    """What is tested on whom, when, and what that costs."""
    form, plan = study.context.form, study.plan
    names = [f"“{name}”" for name in dict.fromkeys(names_of(study)[cell] for cell in plan.cells)]
    people, controls = len(study.people), len(study.people) - int(study.cells["customers"].sum())
    half = "half of them" if abs(2 * controls - people) <= 1 else f"{form.count(controls)} of them"
    opens, closes = study.design.cells["opens_on"].iloc[0], study.design.cells["closes_on"].iloc[0]
    when = f"from {form.day(opens)} to {form.day(closes)}"
    when += f", and again in {plan.rounds - 1} more round{'' if plan.rounds == 2 else 's'}" if plan.rounds > 1 else ""
    cost = _all_costs(study)
    return Finding(
        f"Test {joined(names) if len(names) <= _MOST_NAMES else _cells(len(names))}",
        f"on {form.count(people)} {study.words.many}, {half} left alone as a control, {when}. {cost}{_changed(study)}",
        "",
        "in_cells",
    )


def _least_shown(study: Study) -> Finding:
    """The smallest rise that the test is likely to show, which hangs on no guess; then the rise that is expected, and the chance of showing it."""
    form, plan = study.context.form, study.plan
    if plan.detectable is None:
        return _chance(study)
    low, high = plan.detectable_span() or (plan.detectable, plan.detectable)
    rise = points_measured(plan.detectable, low, high, form)
    ends = f"{rise.interval}, at {form.share(study.params.level)}" if low < high else ""
    each = " of each offer" if len(plan.cells) > 1 else ""
    words = (
        f"is the smallest rise{each} in the share who {acts_of(study).act} that the test is likely to show: it would show one of that size "
        f"within {days_said(study.window)} with a chance of {form.share(study.params.power)}, and a smaller one less often. {_anyway(study)} {_expected_to_show(study)}"
    )
    return Finding(rise.value, words, ends, "detectable_effect")


def _expected_to_show(study: Study) -> str:
    """The rise that is expected, where that is from, and how likely the test is to show it."""
    many = len(study.plan.cells) > 1
    rest = f"the test would show {'the smaller ones of these, too,' if many else 'it'} with a chance of {_chance_in_words(study.plan.chance, study.context.form)}"
    if study.guessed:
        guess = (
            f"If {'each offer' if many else 'the offer'} brings {guessed_rise(study)} more who {acts_of(study).act}, {rest}."
        )
        return f"{guess} That is a guess: no past campaign shows what a contact achieves.{_too_low(study)}"
    return f"What is expected is {_rise(study)}; if that is right, {rest}.{_too_low(study)}"


def _chance(study: Study) -> Finding:
    """The chance that the test shows something, where there is no rise that it is likely to show."""
    words = f"is the chance that the test shows anything. {_anyway(study)} {_expected_to_show(study)}"
    return Finding(study.context.form.share(study.plan.chance), words, "" if study.guessed else _spread(study), "chance")


def _unsure(study: Study) -> str:
    """What it is that makes the chance uncertain."""
    return "the rise" if study.expected.low is not None else f"how many would {acts_of(study).act} anyway"


def _too_low(study: Study) -> str:
    if study.able:
        return ""
    power = study.context.form.share(study.params.power)
    return f" That is too low to decide by: {power} was asked for."


def _spent(study: Study) -> Finding:
    """What contacting costs, which is known, before what it brings if a guess holds."""
    form = study.context.form
    money = form.measured(*study.total, "money")
    ends = f"{money.interval}, at {form.share(study.params.level)}"
    words = f"is the cost of contacting {_contacts(study)}"
    words += f" {_each(study)}, which is also a guess." if study.cost_source == "guess" else "."
    gives = _gives(study)
    if gives:
        words += f" {gives}"
    if not study.has_margin:
        kind = "gifts" if study.words.unit == "year" else "revenue"
        words += f" If the guess about the effect is right, the campaign brings {money.value} of additional {kind}{_net(study)} ({ends})."
        if study.words.unit != "year":
            words += " Without a margin, nobody can say whether that pays."
    else:
        before = " before the cost of the offers" if study.unpriced else ""
        words += (
            f" {_paying(study)} If the guess about the effect is right, it brings {money.value} of profit{before} ({ends})."
        )
    return Finding(form.amount(study.cost), words, "", "contact_cost")


def _paying(study: Study) -> str:
    """From which rise the test pays, as a sentence."""
    if study.pays is None:
        return "No possible rise pays for all of its cells."
    low, _, high = study.pays
    unsure = (
        f" If {study.words.told('buyer')}s {study.words.fill('{pay}')} as little as is possible, no rise pays."
        if low is not None and high is None
        else ""
    )
    return (
        f"The campaign pays from a rise of {_range(study)}{', before the cost of the offer' if study.unpriced else ''}.{unsure}"
    )


def _each(study: Study) -> str:
    """What one contact costs, and how many there are of each."""
    form, times = study.context.form, study.plan.setting.times
    cost = form.exact(study.terms.cost / times)
    return f"at {cost} each" if times == 1 else f"{'twice' if times == 2 else f'{times} times'} at {cost} each"


def _gives(study: Study) -> str:
    """What offers of known cost are expected to give away, as a sentence; empty where that is nothing."""
    if study.given_away <= 0:
        return ""
    form, off = study.context.form, all(study.offers[cell].response is None for cell in study.plan.cells)
    what = "The discount" if off or not study.has_margin else "The offer" if len(study.plan.cells) == 1 else "The offers"
    verb = "give" if what == "The offers" else "gives"
    return f"{what} {verb} away about {form.whole(study.given_away)} more."


def _all_costs(study: Study) -> str:
    """What contacts and offers are expected to cost together, as a sentence."""
    form = study.context.form
    if study.given_away <= 0:
        return f"Contacts cost {form.whole(study.cost)}."
    # Parts that are printed add up to the sum that is printed.
    printed = (float(round(part)) if part >= 1 else part for part in (study.cost, study.given_away))
    both, offers = form.whole(sum(printed)), f"about {form.whole(study.given_away)}"
    return f"Contacts cost {form.whole(study.cost)} and {_offer(study)} {offers}, {both} in all."


def _offer(study: Study) -> str:
    return "the offer" if len(study.plan.cells) == 1 else "the offers"


def _net(study: Study) -> str:
    """What is taken off expected revenue, and what is not."""
    if study.words.unit == "year" and not study.given_away:
        return ""
    after = " after the discount" if study.given_away > 0 else ""
    left = study.not_taken_off
    return f"{after}{' and' if after and left else ''}{' before the cost of ' + _whose(study, left) if left else ''}"


def _whose(study: Study, cells: list[str]) -> str:
    if len(cells) == len(study.plan.cells):
        return _offer(study)
    names = names_of(study)
    return joined(f"“{names[cell]}”" for cell in cells)


def _contacts(study: Study) -> str:
    """How many contacts there are in all rounds."""
    rounds = study.plan.rounds
    contacted = rounds * int(study.cells["customers"].sum())
    return f"{study.context.form.count(contacted)} {study.words.many}{f' in {rounds} rounds' if rounds > 1 else ''}"


def _chance_in_words(share: float, form: Format) -> str:
    """A chance in whole per cents; what is nearly none or certain is not rounded to it."""
    return form.whole_share(share).replace("<", "under ").replace(">", "over ")


def _spread(study: Study) -> str:
    """From where to where the chance goes."""
    form = study.context.form
    low, high = (_chance_in_words(one, form) for one in study.plan.span())
    if low == high:
        return ""
    return f"{low} to {high}, given the uncertainty about {_unsure(study)}, at {form.share(study.params.level)}"


def _changed(study: Study) -> str:
    """What the plan changes in the test as asked, and why."""
    form, plan, asked = study.context.form, study.plan, study.tried[0]
    if plan is asked:
        return ""
    parts = []
    if plan.setting.window > asked.setting.window:
        parts.append(
            f"the window is {days_said(plan.setting.window)} instead of {asked.setting.window}, with {plan.setting.times} contact{'' if plan.setting.times == 1 else 's'} each"
        )
    if plan.rounds > asked.rounds:
        parts.append(f"it is run {plan.rounds} times, with cells drawn anew, and the campaign results show all rounds together")
    names = names_of(study)
    gone = [cell for cell in asked.cells if cell not in plan.cells]
    anyway = study.context.form.share(study.tried[0].setting.terms.base.value)
    dear = f"to cost more than it brings in if everybody on the list gets it, since {anyway} would {acts_of(study).act} anyway and take it too"
    for lost, why in ((True, dear), (False, "to bring no more")):
        some = [f"“{names[cell]}”" for cell in gone if (cell in plan.setting.losing) == lost]
        if some:
            they = "is left out: it is" if len(some) == 1 else "are left out: each is"
            parts.append(f"{joined(some)} {they} expected {why}")
    more = "; ".join([*parts[:-1], f"and {parts[-1]}"] if len(parts) > 1 else parts)
    return f" As asked, the test would have had a chance of only {form.share(asked.chance)} of showing anything. To raise it, {more}."


def _not_now(study: Study) -> Finding:
    """Why no test is advised, and what to do instead."""
    form, plan, simple = study.context.form, study.plan, study.simplest
    people = f"{form.count(study.tried[0].total)} {study.words.many}"
    if study.able:
        return _would_lose(study)
    if plan.chance <= 0:
        why = f"on {people}: {'this offer is' if len(plan.cells) == 1 else 'these offers are'} expected to bring nothing extra."
    else:
        rounds, spread = f", {plan.rounds} rounds" if plan.rounds > 1 else "", _spread(study)
        best = f"Even the best of the {len(study.tried)} designs considered" if len(study.tried) > 1 else "The test"
        why = (
            f"on {people}: {_effect(study)}. {best} ({_cells(len(plan.cells))}, "
            f"{days_said(plan.setting.window)}{rounds}) has a chance of only {form.share(plan.chance)} of showing it"
            f"{f' ({spread})' if spread else ''}."
        )
    ways = []
    if simple.detectable is not None:
        seen = points(simple.detectable, form)
        ways.append(
            f"Look for a bolder offer: a test with {_cells(len(simple.cells))} over {days_said(simple.setting.window)} can show a rise of {seen} or more"
        )
    needed = simple.needed
    if needed is not None and simple.total < needed <= study.pulled.start:
        ways.append(f"{'or widen' if ways else 'Widen'} the list to {form.count(needed)} {study.words.many}")
    return Finding("Do not test this now", f"{why} {', '.join(ways)}{'.' if ways else ''}".strip(), "", "chance")


def _would_lose(study: Study) -> Finding:
    """A test that would show the rise, but is expected to cost more than it brings."""
    form = study.context.form
    kind = "profit" if study.has_margin else "gifts" if study.words.unit == "year" else "revenue"
    brings = study.net + study.cost + study.given_away
    rise = f"the expected effect, {_rise(study)}, brings {form.whole(brings)} of {'margin' if kind == 'profit' else kind}"
    words = (
        f"on {_contacts(study)}: {rise}. {_all_costs(study)} "
        f"That is an expected loss of {form.whole(-study.net)}{_left_out(study)}. Look for an offer that costs less."
    )
    return Finding("Do not test this now", words, "", "chance")


def _left_out(study: Study) -> str:
    left = study.not_taken_off
    return f", before the cost of {_whose(study, left)}" if left else ""


def _profit(study: Study) -> Finding:
    form = study.context.form
    profit = form.measured(*study.total, "money")
    ends = f"{profit.interval}, at {form.share(study.params.level)}"
    contacts = f"contacting {_contacts(study)}"
    if not study.has_margin:
        kind = "revenue" if study.margin is None else study.margin.word
        words = f"of additional {kind}{_net(study)} is expected from {contacts}. That costs {form.whole(study.cost)}."
        gives = _gives(study)
        if gives:
            words += f" {gives}"
        words += " Without a margin, nobody can say whether that pays."
        return Finding(profit.value, words, ends, "expected_incremental_revenue")
    if not study.unpriced:
        words = f"of {study.words.fill('{profit}')} is expected from {contacts}, after all costs. {_paying(study)}"
        return Finding(profit.value, words, ends, "expected_profit")
    assert study.may_cost is not None
    may = form.measured(*study.may_cost, "exact")
    offer = "the offer" if len(study.unpriced) == 1 else "the offers"
    words = (
        f"of {study.words.fill('{profit}')} before the cost of {offer} is expected from {contacts}. That costs {form.whole(study.cost)}. "
        f"For each {study.words.told('buyer')}, {offer} may cost up to {may.value} ({may.interval}) before the test loses money."
    )
    return Finding(profit.value, words, ends, "expected_profit_before_offers")


def _range(study: Study) -> str:
    """From which rise cells pay: one number, or two where offers cost differently."""
    form = study.context.form
    low, high = points(float(study.cells["pays_from"].min()), form), points(float(study.cells["pays_from"].max()), form)
    return high if low == high else f"{low.removesuffix(' points')} to {high}"


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


def days_said(count: int) -> str:
    """So many days, in words."""
    return "1 day" if count == 1 else f"{count} days"


def _listed(study: Study) -> Finding:
    """How many are on the list, and how many must not be."""
    form, pulled = study.context.form, study.pulled
    ledger = pulled.ledger[pulled.ledger["stage"] == "suppression"]
    each = ledger[ledger["step"].isin((NO_CONSENT, COMPLAINTS)) & (ledger["removed"] > 0)]
    refused, why = int(each["removed"].sum()), {NO_CONSENT: "no consent", COMPLAINTS: "a complaint"}
    refusals = ", or ".join(why[step] for step in each["step"])
    gone = f" A further {form.count(refused)} are left out because they must not be contacted ({refusals})." if refused else ""
    share = form.share(pulled.size / pulled.start)
    text = f"of {form.count(pulled.start)} known {study.words.many} ({share}) would be on the list.{gone} {_anyway(study)}"
    return Finding(form.count(pulled.size), text, "", "listed")


def _anyway(study: Study) -> str:
    params, form, base = study.params, study.context.form, study.terms.base
    share, ends = form.measured(base.value, base.low, base.high, "share")
    span = f" ({ends}, at {form.share(params.level)})" if ends else ""
    how = {"given": "as given", "guess": "a guess", "data": f"judging by similar people a little earlier{_seasoned(study)}"}[
        base.source
    ]
    group = "in the test" if study.advised else "on the list"
    return f"Without the campaign, {share}{span} of those {group} would {acts_of(study).act} within {days_said(study.window)}, {how}."


def _seasoned(study: Study) -> str:
    """That what was seen is told for another season, as the end of a clause; empty where forecasts follow none."""
    more = study.base.season
    form = study.context.form
    if form.number(more, 2) == form.number(1.0, 2):
        return ""
    return (
        f" and the season (people {acts_of(study).act} {form.share(abs(more - 1))} {'more' if more > 1 else 'less'} often then)"
    )

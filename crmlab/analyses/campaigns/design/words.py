"""Findings, metrics, warnings, limits and method of the next campaign, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.campaigns.balance import unbalanced
from crmlab.analyses.campaigns.design.money import detectable
from crmlab.analyses.campaigns.design.search import MOST_ROUNDS
from crmlab.analyses.campaigns.design.tables import acts_of, names_of, points, points_measured, said
from crmlab.analyses.customers import conditions
from crmlab.page.estimate import Estimate
from crmlab.page.format import joined, titled
from crmlab.page.result import Finding, Findings, Method

if TYPE_CHECKING:
    from crmlab.analyses.campaigns.design.study import Study

__all__ = ["TITLE", "findings", "limits", "method", "metrics", "warnings"]

_WIDE = 0.5  # chances so far apart are told before the one between them
TITLE = "What to test next, who to test it on, and what the test will show"


_SOURCES = {
    "offers": "from past cells with {offers}",
    "past": "from past cells",
    "given": "as given",
    "guess": "a guess",
}


def metrics(study: Study) -> dict[str, Estimate]:
    """What two runs are compared on; what was given or guessed is no result, and not among them."""
    currency, plan, level = study.context.form.currency, study.plan, study.params.level
    base, shown = study.terms.base, study.plan if study.advised else study.simplest
    found = {
        "chance": Estimate(plan.chance, *plan.span(), level, "share"),
        "listed": Estimate(float(study.pulled.size), unit="customers"),
    }
    seen = shown.detectable_span()
    if shown.detectable is not None and seen is not None:
        found["detectable_effect"] = Estimate(shown.detectable, *seen, level, "share")
    if base.low is not None:
        found["base"] = Estimate(base.value, base.low, base.high, level, "share")
    expected = study.expected
    if expected.low is not None:
        found["expected_effect"] = Estimate(study.terms.possible(expected.value), expected.low, expected.high, level, "share")
    if not study.advised:
        return found
    found |= {
        "in_cells": Estimate(float(len(study.people)), unit="customers"),
        "contact_cost": Estimate(study.cost, unit=currency),
        _profit_name(study): Estimate(*study.total, level, currency),
    }
    if study.pays is not None and study.pays[0] is not None and study.pays[2] is not None:
        low, value, high = study.pays
        found["pays_from"] = Estimate(value, low, high, level, "share")
    if study.may_cost is not None:
        found["expected_break_even_offer"] = Estimate(*study.may_cost, level, currency)
    return found


def _profit_name(study: Study) -> str:
    if not study.has_margin:
        return "expected_incremental_revenue"
    return "expected_profit_before_offers" if study.unpriced else "expected_profit"


def findings(study: Study) -> Findings:
    """At most three: the chance that the test shows what is expected, what it costs and may bring, and on whom."""
    if not study.advised:
        return Findings([_not_now(study), _listed(study)])
    if study.guessed:
        return Findings([_on_a_guess(study), _spent(study), _listed(study)])
    return Findings([_chance(study), _profit(study), _listed(study)])


def _rise(study: Study) -> str:
    """The rise that is expected, how surely, and where that is from."""
    form, expected = study.context.form, study.expected
    rise = points_measured(study.terms.possible(expected.value), expected.low, expected.high, form)
    source = _SOURCES[expected.source].format(offers="this offer" if len(study.plan.cells) == 1 else "these offers")
    ends = f" ({rise.interval}, at {form.share(study.params.level)})" if rise.interval else ""
    average = " on average" if len({one.value for one in study.effects.values()}) > 1 else ""
    return f"{rise.value} more who {acts_of(study).act}{average}{ends}, {source}"


def _effect(study: Study) -> str:
    """The effect that is expected, as the beginning of a sentence; that it is a guess comes first."""
    if study.expected.source != "guess":
        return f"the expected effect is {_rise(study)}"
    rise = points(study.terms.possible(study.expected.value), study.context.form)
    return f"the expected effect is a guess: {rise} more who {acts_of(study).act}"


def _chance(study: Study) -> Finding:
    form, plan = study.context.form, study.plan
    sent = int(study.cells["customers"].sum())
    names = names_of(study)
    if len(plan.cells) == 1:
        what = f"is the chance that this test will show the rise expected of “{names[plan.cells[0]]}”"
    else:
        what = (
            f"is, at the least, the chance that this test will show the rise expected of each of its {_cells(len(plan.cells))}"
        )
    value, ends = form.share(plan.chance), _spread(study)
    low, high = plan.span()
    if high - low > _WIDE:
        value = f"Between {_nearly(low, study)} and {_nearly(high, study)}"
        what += f"; it is {form.share(plan.chance)} if the rise is exactly as expected"
        ends = f"given the uncertainty about {_unsure(study)}, at {form.share(study.params.level)}"
    words = (
        f"{what}: {_rise(study)}. {form.count(sent)} {study.words.many} are contacted and {form.count(len(study.people) - sent)} are not, for "
        f"{_days(plan.setting.window)}.{_changed(study)}"
    )
    return Finding(value, f"{words}{_too_low(study)}", ends, "chance")


def _nearly(share: float, study: Study) -> str:
    """A chance in words: one that is as good as none or certain is nearly so."""
    form = study.context.form
    return f"nearly {form.share(float(round(share)))}" if min(share, 1 - share) < 0.005 else form.share(share)


def _unsure(study: Study) -> str:
    """What it is that makes the chance uncertain."""
    return "the rise" if study.expected.low is not None else f"how many would {acts_of(study).act} anyway"


def _too_low(study: Study) -> str:
    if study.able:
        return ""
    power = study.context.form.share(study.params.power)
    return f" That is too low to decide by: you asked for {power}. Set fit = true to look for a test that reaches it."


def _on_a_guess(study: Study) -> Finding:
    """What a test shows whose chance rests on a guess: how large a rise has to be, and the chance only if the guess holds."""
    form, plan = study.context.form, study.plan
    sent = int(study.cells["customers"].sum())
    act = acts_of(study).act
    words = (
        f"is all that this test’s chance rests on: no past campaign shows what a contact achieves. {form.count(sent)} {study.words.many} are "
        f"contacted and {form.count(len(study.people) - sent)} are not, for {_days(plan.setting.window)}."
    )
    if plan.detectable is not None:
        words += (
            f" The test has a chance of {form.share(study.params.power)} of showing a rise of {points(plan.detectable, form)} in the share who "
            f"{act}; smaller rises may go undetected."
        )
    guess = points(study.terms.possible(study.expected.value), form)
    words += f" If a tenth more {act} ({guess}), its chance is {form.share(plan.chance)}.{_too_low(study)}{_changed(study)}"
    return Finding("A guess", words, "", "detectable_effect" if plan.detectable is not None else "chance")


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
        f" If {_taker(study)}s {study.words.fill('{pay}')} as little as is possible, no rise pays."
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
    both, offers = form.whole(study.cost + study.given_away), f"about {form.whole(study.given_away)}"
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


def _spread(study: Study) -> str:
    """From where to where the chance goes."""
    form = study.context.form
    low, high = study.plan.span()
    if form.share(low) == form.share(high):
        return ""
    return f"{form.span(low, high, 'share')}, given the uncertainty about {_unsure(study)}, at {form.share(study.params.level)}"


def _changed(study: Study) -> str:
    """What the plan changes in the test as asked, and why."""
    form, plan, asked = study.context.form, study.plan, study.tried[0]
    if plan is asked:
        return ""
    parts = []
    if plan.setting.window > asked.setting.window:
        parts.append(
            f"the window is {_days(plan.setting.window)} instead of {asked.setting.window}, with {plan.setting.times} contact{'' if plan.setting.times == 1 else 's'} each"
        )
    if plan.rounds > asked.rounds:
        parts.append(f"it is run {plan.rounds} times, with cells drawn anew, and the campaign results show all rounds together")
    names = names_of(study)
    gone = [cell for cell in asked.cells if cell not in plan.cells]
    anyway = study.context.form.share(study.tried[0].setting.terms.base.value)
    dear = f"to cost more than it brings in, since {anyway} would {acts_of(study).act} anyway and take it too"
    for lost, why in ((True, dear), (False, "to bring no more")):
        some = [f"“{names[cell]}”" for cell in gone if (cell in plan.setting.losing) == lost]
        if some:
            they = "is left out: it is" if len(some) == 1 else "are left out: each is"
            parts.append(f"{joined(some)} {they} expected {why}")
    more = "; ".join([*parts[:-1], f"and {parts[-1]}"] if len(parts) > 1 else parts)
    return f" As you asked for it, the test would have a chance of {form.share(asked.chance)}, so {more}."


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
        best = f"Even the best of the {len(study.tried)} tests tried" if len(study.tried) > 1 else "The test"
        why = (
            f"on {people}: {_effect(study)}. {best} ({_cells(len(plan.cells))}, "
            f"{_days(plan.setting.window)}{rounds}) would show it with a chance of only {form.share(plan.chance)}"
            f"{f' ({spread})' if spread else ''}."
        )
    ways = []
    if simple.detectable is not None:
        seen = points(simple.detectable, form)
        ways.append(
            f"Look for a bolder offer: a test with {_cells(len(simple.cells))} over {_days(simple.setting.window)} can show a rise of {seen} or more"
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
        f"That is an expected loss of {form.whole(-study.net)}{_left_out(study)}. Look for an offer that costs less, or set fit = false to plan it as asked."
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
        words = f"of {study.words.fill('{profit}')} is expected from {contacts}, after all costs. {_all_costs(study)} {_paying(study)}"
        return Finding(profit.value, words, ends, "expected_profit")
    assert study.may_cost is not None
    may = form.measured(*study.may_cost, "exact")
    offer = "the offer" if len(study.unpriced) == 1 else "the offers"
    words = (
        f"of {study.words.fill('{profit}')} before the cost of {offer} is expected from {contacts}. That costs {form.whole(study.cost)}. "
        f"For each {_taker(study)}, {offer} may cost up to {may.value} ({may.interval}) before the test loses money."
    )
    return Finding(profit.value, words, ends, "expected_profit_before_offers")


def _range(study: Study) -> str:
    """From which rise cells pay: one number, or two where offers cost differently."""
    form = study.context.form
    low, high = points(float(study.cells["pays_from"].min()), form), points(float(study.cells["pays_from"].max()), form)
    return high if low == high else f"{low.removesuffix(' points')} to {high}"


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def _listed(study: Study) -> Finding:
    """How many are on the list, and how many must not be."""
    form, pulled = study.context.form, study.pulled
    people = len(study.people) if study.advised else pulled.size
    held = f"are in the test, {form.count(len(study.people) - int(study.cells['customers'].sum()))} of them as a control group that is sent nothing"
    what = f"{held}." if study.advised else "would be on the list."
    ledger = pulled.ledger[pulled.ledger["stage"] == "suppression"]
    refused = int(ledger.loc[ledger["step"].isin(("Has not consented", "Has complained")), "removed"].sum())
    gone = (
        f" A further {form.count(refused)} are left out because they must not be contacted (no consent, or a complaint)."
        if refused
        else ""
    )
    share = form.share(people / pulled.start)
    text = f"of {form.count(pulled.start)} {study.words.many} ({share}) {what}{gone} {_anyway(study)}"
    return Finding(form.count(people), text, "", "in_cells" if study.advised else "listed")


def _anyway(study: Study) -> str:
    params, form, base = study.params, study.context.form, study.terms.base
    share, ends = form.measured(base.value, base.low, base.high, "share")
    span = f" ({ends}, at {form.share(params.level)})" if ends else ""
    how = {"given": "as given", "guess": "a guess", "data": "judging by similar people a little earlier"}[base.source]
    group = "in the test" if study.advised else "on the list"
    return (
        f"Without the campaign, {share}{span} of those {group} would {acts_of(study).act} within {_days(study.window)}, {how}."
    )


def warnings(study: Study) -> tuple[str, ...]:
    """What a reader must know before sending."""
    params, form = study.params, study.context.form
    found = list(study.pulled.notes)
    if study.advised:
        found.append(
            f"This plans the next test, to learn what a contact achieves; it does not say what to send today. {study.words.decided}"
        )
    terms = study.terms
    if terms.base.source == "guess":
        found.append(
            f"The share who would {acts_of(study).act} anyway is a guess, {form.share(terms.base.value)}: fewer than 30 such {study.words.many} were "
            f"found one window earlier, or none or all of them {acts_of(study).acted}. To set it, give response (response=0.04, for example)."
        )
    guesses = (
        [f"a contact costs {form.exact(terms.cost / study.plan.setting.times)} (cost_per_contact)"]
        if study.cost_source == "guess" and study.advised
        else []
    )
    if study.expected.source == "guess":
        guesses.append(f"{'it' if guesses else 'the campaign'} makes a tenth more people {acts_of(study).act} (effect)")
    if guesses:
        found.append(
            f"Assumed: {' and '.join(guesses)}. There is no past campaign to go by: if you know better, set the values named in brackets."
        )
    if study.waits:
        first = form.day(study.design.cells["opens_on"].iloc[0])
        names = joined(f"“{titled(name)}”" for name in study.waits)
        whose = "window of the campaign" if len(study.waits) == 1 else "windows of the campaigns"
        found.append(
            f"The test starts on {first}, after the {whose} {names} {'has' if len(study.waits) == 1 else 'have'} closed, so that nobody is in two "
            "tests at once. To start on another day, set opens_on."
        )
    if study.plan.setting.times > 1 and study.advised:
        found.append(
            f"The guess is for the longer window and assumes one contact every {_days(study.window // study.plan.setting.times)}; the costs include all of these contacts."
        )
    found += [] if study.margin is None else study.margin.wanted("to see how large a rise must be for the test to pay")
    if study.unpriced and study.advised and study.has_margin:
        found.append(
            study.words.fill(
                "What the offers cost is not known, so {profit} is before that cost; those who would have {given} anyway take the offer too. "
            )
            + "Give offer_costs (offer_costs=(8, 3), for example), or cost_per_response or discount in past cells."
        )
    if study.advised and len(set(params.channels)) > 1:
        found.append("Each creative goes by a channel of its own, so their effects cannot be told apart.")
    found += study.design.warnings if study.advised else ()
    if study.advised and unbalanced(study.balance):
        worst = study.balance.loc[study.balance["p_adjusted"].idxmin()]
        found.append(
            f"Cells differ from their control by more than chance allows; the clearest difference: “{said(worst['covariate'], study)}”, by {form.number(abs(worst['difference']), 2)} times its spread, in “{names_of(study)[str(worst['cell'])]}”. "
            "Strata would even this out; choose before anything is sent, never after."
        )
    found += study.past.left_out[:4]
    return tuple(found)


def limits(study: Study) -> tuple[str, ...]:
    """What this test cannot tell."""
    params, form = study.params, study.context.form
    found = []
    if study.shown is not None and study.advised:
        found.append(
            f"A rise of less than {points(study.shown, form)} may well go undetected. "
            "“Not shown to differ” does not mean that a cell has no effect."
        )
    if study.several > 1 and study.advised:
        apart = detectable(study.terms, 2 * int(study.cells["customers"].min()), 1, 0.5, _treated(study))
        least = f": two cells must be {points(apart, form)} apart to be told apart" if apart is not None else ""
        found.append(f"The cells are compared with the control, not with each other{least}.")
    if study.plan.rounds > 1:
        found.append("Pooling assumes that what is sent in one round has no effect in the next: leave time between rounds.")
    found += [
        f"The result holds for people like those on the list, over {_days(study.window)}: {study.words.deeds} that are merely brought forward look like "
        "a gain.",
        "Do not stop at the first good number before the window closes: doing so misleads far more often than the confidence level suggests.",
        "Past campaigns reached other people at another time, so the expected rise is no promise.",
    ]
    if study.advised:
        rounds, name = study.plan.rounds, params.campaign
        launched = name if rounds == 1 else f"{name}-1"
        found.append(
            "The cells on this page are a rehearsal. "
            f"To make them final, run “crmlab campaign plan FILE.toml”, then “crmlab campaign launch {launched}”."
        )
        if rounds > 1:
            found.append(
                f"Name the rounds {name}-1 to {name}-{rounds}, each with a salt of its own and the same offers, lists, creatives and channels: "
                "the campaign results recognise them by these names, and their table of all rounds together has the chance given here."
            )
    return tuple(found)


def _treated(study: Study) -> float:
    return min(max(study.terms.base.value + study.terms.possible(study.expected.value), 0.001), 0.95)


def _offers_cost(study: Study) -> str:
    """What each offer costs, as a sentence of the method."""
    form, names = study.context.form, names_of(study)
    told = []
    for cell in study.plan.cells:
        cost = study.offers[cell]
        parts = [f"{form.amount(cost.response)} per {_taker(study)}"] if cost.response is not None else []
        if cost.discount is not None:
            parts.append(f"{form.share(cost.discount)} of what each {_taker(study)} would have spent")
        told.append(f"“{names.get(cell, cell)}”, {' and '.join(parts) if parts else 'not known'}")
    return f"Cost of offers: {'; '.join(dict.fromkeys(told))}. Those who would have {study.words.fill('{given}')} anyway take them too."


def _taker(study: Study) -> str:
    """Who takes an offer: a buyer or a donor."""
    return study.words.told("buyer")


def _money_of_one(study: Study) -> str:
    """What one response more brings, as a sentence of the method."""
    form, amount, margin = study.context.form, study.context.form.amount(study.terms.margin), study.margin
    gives = study.words.unit == "year"
    if margin is None:
        return f"{'Amount' if gives else 'Margin'} from each additional {'gift' if gives else 'response'}: {amount}, as given."
    if gives:
        return f"Amount from each additional gift: {amount}, all that a donor gives within the window."
    part = "all that" if margin.share == 1 else f"or {form.share(margin.share)} of what"
    return f"{margin.word.capitalize()} from each additional response: {amount}, {part} a buyer spends within the window."


def _pooled_how(study: Study) -> str:
    """Where the expected rise is from, as a sentence of the method."""
    source = study.expected.source
    if source in ("given", "guess"):
        return f"The expected rise is {_SOURCES[source]}."
    names = {str(row["cell_id"]): str(row["offer"]) for row in study.asked.treated.to_dict("records")}
    shown = {one.value for one in study.past.components if one.component == "offer"}
    same = source == "offers" and all(names[cell] in shown for cell in study.plan.cells)
    which = "past campaigns with the offer" if source == "offers" else "past campaigns"
    where = ", as the report on campaign results has it" if same else ""
    return f"The expected rise: {which}, pooled by random effects (Paule and Mandel 1982), with the interval for the next one{where}."


def method(study: Study) -> Method:
    """How the page was made."""
    params, form = study.params, study.context.form
    terms = study.terms
    rules = "; ".join(one.words() for one in conditions(params.criteria)) or "everybody"
    return Method(
        f"Cells take exact shares of the list in the order of SHA-256 hashes of the salt and the household (or the {study.words.one}): the same list gives the same cells on any machine. "
        "Sizes and power: difference of two rates with each rate’s own variance (Fleiss, Levin and Paik 2003), the critical value of the largest of several comparisons with one control (Dunnett 1955). "
        + _pooled_how(study),
        (
            said(
                f"List: {rules}, and {'; '.join(one.words() for one in conditions(params.qualify)) or 'no further rule'}.",
                study,
            ),
            f"Share who would {acts_of(study).act} anyway: {form.share(terms.base.value)}"
            + (
                f", as seen among {form.count(study.base.n)} people the same rules would have chosen {study.window} days earlier and who have not been "
                "contacted since."
                if terms.base.source == "data"
                else f", {'a guess' if terms.base.source == 'guess' else 'as given'}."
            ),
            _money_of_one(study),
            _offers_cost(study),
            f"Each contact costs {form.amount(terms.cost / study.plan.setting.times)}"
            f"{f' ({study.plan.setting.times} per person)' if study.plan.setting.times > 1 else ''}, and each cell {form.amount(terms.fixed)}"
            f"{' (medians of past cells)' if study.cost_source == 'past' else ', as given or assumed'}.",
            f"The control gets {form.share(study.plan.sizes[''] / study.plan.total)} of the list.",
            f"Tests were tried in this order: as you asked for it, with fewer cells, with a longer window, in up to {MOST_ROUNDS} rounds, all within a "
            "year. The first one able to show the expected effect of every cell with the required power was chosen.",
            "Only one person per household is on the list, so that people are independent of each other.",
            "Past cells of one campaign with the same offer count as one, because they share a control; for an offer that was never sent, past "
            "campaigns as a whole are the guide.",
            "Consent and complaints are as recorded on the last day.",
        ),
        {
            "control": "a cell that is sent nothing; whatever the others bring beyond it is due to the campaign",
            "pays from": study.words.told("the rise at which the margin of additional buyers equals what the cell costs"),
            "hold-out": "people who are kept out of all campaigns, to see what campaigns bring together",
        },
    )

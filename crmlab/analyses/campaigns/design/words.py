"""Findings, metrics, warnings, limits and method of the next campaign, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.campaigns.balance import unbalanced
from crmlab.analyses.campaigns.design.money import detectable
from crmlab.analyses.campaigns.design.search import MOST_ROUNDS
from crmlab.analyses.campaigns.design.tables import acts_of, names_of, points, points_measured, said
from crmlab.analyses.customers import conditions
from crmlab.page.estimate import Estimate
from crmlab.page.result import Finding, Findings, Method

if TYPE_CHECKING:
    from crmlab.analyses.campaigns.design.study import Study

__all__ = ["TITLE", "findings", "limits", "method", "metrics", "warnings"]

_WIDE = 0.5  # chances so far apart are told before the one between them
TITLE = "What to test next, on whom, and what the test will show"


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


def _chance(study: Study) -> Finding:
    form, plan = study.context.form, study.plan
    sent = int(study.cells["customers"].sum())
    names = names_of(study)
    if len(plan.cells) == 1:
        what = f"is the chance that this test shows the rise expected of “{names[plan.cells[0]]}”"
    else:
        what = f"is, at the least, the chance that this test shows the rise expected of each of its {_cells(len(plan.cells))}"
    value, ends = form.share(plan.chance), _spread(study)
    low, high = plan.span()
    if high - low > _WIDE:
        value = f"Between {_nearly(low, study)} and {_nearly(high, study)}"
        what += f", {form.share(plan.chance)} if it is just as expected"
        ends = f"given how uncertain {_unsure(study)}, at {form.share(study.params.level)}"
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
    return "the rise is" if study.expected.low is not None else f"the share is who {acts_of(study).act} anyway"


def _too_low(study: Study) -> str:
    if study.able:
        return ""
    power = study.context.form.share(study.params.power)
    return f" That is too low to decide by: {power} was asked for. Set fit = true to look for a test that reaches it."


def _on_a_guess(study: Study) -> Finding:
    """What a test shows whose chance rests on a guess: how large a rise has to be, and the chance only if the guess holds."""
    form, plan = study.context.form, study.plan
    sent = int(study.cells["customers"].sum())
    act = acts_of(study).act
    words = (
        f"is all that the chance of this test rests on: no past campaign says what a contact brings. {form.count(sent)} {study.words.many} are contacted and "
        f"{form.count(len(study.people) - sent)} are not, for {_days(plan.setting.window)}."
    )
    ends, seen = "", plan.detectable_span()
    if plan.detectable is not None and seen is not None:
        rise = points_measured(plan.detectable, *seen, form)
        words += f" The test shows with a chance of {form.share(study.params.power)} a rise of {rise.value} in those who {act}; smaller ones may go unseen."
        ends = "" if seen[0] == seen[1] else f"{rise.interval} points, at {form.share(study.params.level)}"
    guess = points(study.terms.possible(study.expected.value), form)
    words += f" If a tenth more {act}, {guess}, its chance is {form.share(plan.chance)}.{_too_low(study)}{_changed(study)}"
    return Finding("A guess", words, ends, "detectable_effect" if plan.detectable is not None else "chance")


def _spent(study: Study) -> Finding:
    """What contacting costs, which is known, before what it brings if a guess holds."""
    form = study.context.form
    money = form.measured(*study.total, "money")
    ends = f"{money.interval}, at {form.share(study.params.level)}"
    words = f"is what it costs to contact {_contacts(study)}"
    words += f", {_each(study)}, which is a guess too." if study.cost_source == "guess" else "."
    gives = _gives(study)
    if gives:
        words += f" {gives}"
    if not study.has_margin:
        kind = "gifts" if study.words.unit == "year" else "revenue"
        words += f" If the guess holds, {money.value} in {kind}{_net(study)} comes of it beyond what comes anyway ({ends})."
        if study.words.unit != "year":
            words += " Without a margin, nobody knows whether that pays."
    else:
        before = " before the cost of the offers" if study.unpriced else ""
        words += f" {_paying(study)} If the guess holds, it brings {money.value} of profit{before} ({ends})."
    return Finding(form.amount(study.cost), words, "", "contact_cost")


def _paying(study: Study) -> str:
    """From which rise the test pays, as a sentence."""
    if study.pays is None:
        return "No rise that is possible pays for all of its cells."
    low, _, high = study.pays
    unsure = " If buyers spend as little as they may, no rise pays." if low is not None and high is None else ""
    return f"It pays from a rise of {_range(study)}{', before the offer' if study.unpriced else ''}.{unsure}"


def _each(study: Study) -> str:
    """What one contact costs, and how many there are of each."""
    form, times = study.context.form, study.plan.setting.times
    cost = form.exact(study.terms.cost / times)
    return f"{times} times at {cost} each" if times > 1 else f"at {cost} each"


def _gives(study: Study) -> str:
    """What offers of known cost are expected to give away, as a sentence; empty where that is nothing."""
    if study.given_away <= 0:
        return ""
    form, off = study.context.form, all(study.offers[cell].response is None for cell in study.plan.cells)
    what = "The discount" if off or not study.has_margin else "The offer" if len(study.plan.cells) == 1 else "The offers"
    verb = "give" if what == "The offers" else "gives"
    return f"{what} {verb} away about {form.amount(study.given_away)} more."


def _all_costs(study: Study) -> str:
    """What contacts and offers are expected to cost together, as a sentence."""
    form = study.context.form
    if study.given_away <= 0:
        return f"Contacts cost {form.amount(study.cost)}."
    both, offers = form.amount(study.cost + study.given_away), f"about {form.amount(study.given_away)}"
    return f"Contacts cost {form.amount(study.cost)} and {_offer(study)} {offers}, {both} in all."


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
    return " and ".join(f"“{names[cell]}”" for cell in cells)


def _contacts(study: Study) -> str:
    """How many contacts there are in all rounds."""
    rounds = study.plan.rounds
    contacted = rounds * int(study.cells["customers"].sum())
    return f"{study.context.form.count(contacted)} {study.words.many}{f' in {rounds} rounds' if rounds > 1 else ''}"


def _spread(study: Study) -> str:
    """From where to where the chance goes."""
    form = study.context.form
    low, high = (form.share(end) for end in study.plan.span())
    level = form.share(study.params.level)
    return "" if low == high else f"{low} to {high}, given how uncertain {_unsure(study)}, at {level}"


def _changed(study: Study) -> str:
    """What the plan changes of the test as asked, and why."""
    form, plan, asked = study.context.form, study.plan, study.tried[0]
    if plan is asked:
        return ""
    parts = []
    names = names_of(study)
    gone = [cell for cell in asked.cells if cell not in plan.cells]
    anyway = study.context.form.share(study.tried[0].setting.terms.base.value)
    dear = f"to cost more than it brings since {anyway} would {acts_of(study).act} anyway and take it too"
    for lost, why in ((True, dear), (False, "to bring no more")):
        some = [f"“{names[cell]}”" for cell in gone if (cell in plan.setting.losing) == lost]
        if some:
            parts.append(
                f"{' and '.join(some)}, {'each ' if len(some) > 1 else ''}expected {why}, {'is' if len(some) == 1 else 'are'} left out"
            )
    if plan.setting.window > asked.setting.window:
        parts.append(
            f"the window is {_days(plan.setting.window)} instead of {_days(asked.setting.window)}, with {plan.setting.times} contacts each in it"
        )
    if plan.rounds > asked.rounds:
        parts.append(f"it is run {plan.rounds} times, with cells drawn anew, and campaign results shows all rounds together")
    more = "; ".join(parts)
    return f" As asked, the chance would be {form.share(asked.chance)}, so {more}."


def _not_now(study: Study) -> Finding:
    """Why no test is advised, and what to do instead."""
    form, plan, simple = study.context.form, study.plan, study.simplest
    people = f"{form.count(study.tried[0].total)} {study.words.many}"
    if study.able:
        return _would_lose(study)
    if plan.chance <= 0:
        why = f"on {people}: {'this offer is' if len(plan.cells) == 1 else 'these offers are'} expected to bring nothing beyond what comes anyway."
    else:
        rounds = f", {plan.rounds} rounds" if plan.rounds > 1 else ""
        why = (
            f"on {people}: the expected effect is {_rise(study)}. The best of {len(study.tried)} tests that were tried "
            f"({_cells(len(plan.cells))}, {_days(plan.setting.window)}{rounds}) would show it with a chance of only {form.share(plan.chance)}."
        )
    ways = []
    if simple.detectable is not None:
        seen = points(simple.detectable, form)
        ways.append(
            f"Look for a bolder offer: a test with {_cells(len(simple.cells))} in {_days(simple.setting.window)} shows a rise of at least {seen}"
        )
    needed = simple.needed
    if needed is not None and simple.total < needed <= study.pulled.start:
        ways.append(f"{'or widen' if ways else 'Widen'} the list to {form.count(needed)} {study.words.many}")
    ends = _spread(study)
    return Finding("Do not test this now", f"{why} {', '.join(ways)}{'.' if ways else ''}".strip(), ends, "chance")


def _would_lose(study: Study) -> Finding:
    """A test that would show the rise, but is expected to cost more than it brings."""
    form = study.context.form
    kind = "profit" if study.has_margin else "gifts" if study.words.unit == "year" else "revenue"
    brings = study.net + study.cost + study.given_away
    rise = f"{_rise(study)}, bring {form.amount(brings)} in {'margin' if kind == 'profit' else kind}"
    words = (
        f"on {_contacts(study)}: {rise}. {_all_costs(study)} "
        f"That is an expected loss of {form.amount(-study.net)}{_left_out(study)}. Look for an offer that costs less, or set fit = false to plan it as asked."
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
        words = f"in {kind}{_net(study)} is expected from {contacts}, beyond what comes anyway. That costs {form.amount(study.cost)}."
        gives = _gives(study)
        if gives:
            words += f" {gives}"
        words += " Without a margin, nobody knows whether it pays."
        return Finding(profit.value, words, ends, "expected_incremental_revenue")
    if not study.unpriced:
        words = f"of {study.words.fill('{profit}')} is expected from {contacts}, after all costs. {_all_costs(study)} {_paying(study)}"
        return Finding(profit.value, words, ends, "expected_profit")
    assert study.may_cost is not None
    may = form.measured(*study.may_cost, "exact")
    offer = "the offer" if len(study.unpriced) == 1 else "the offers"
    words = (
        f"of {study.words.fill('{profit}')} before the cost of {offer} is expected from {contacts}. That costs {form.amount(study.cost)}. "
        f"For each who {acts_of(study).act}s, {offer} may cost up to {may.value} ({may.interval}) before the test loses money."
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
    held = f"are in the test, {form.count(len(study.people) - int(study.cells['customers'].sum()))} of them as a control that is sent nothing"
    what = f"{held}." if study.advised else "would be on the list."
    ledger = pulled.ledger[pulled.ledger["stage"] == "suppression"]
    refused = int(ledger.loc[ledger["step"].isin(("Has not consented", "Has complained")), "removed"].sum())
    gone = f" {form.count(refused)} are left out who must not be contacted (no consent, or a complaint)." if refused else ""
    share = form.share(people / pulled.start)
    text = f"of {form.count(pulled.start)} {study.words.many} ({share}) {what}{gone} {_anyway(study)}"
    return Finding(form.count(people), text, "", "in_cells" if study.advised else "listed")


def _anyway(study: Study) -> str:
    params, form, base = study.params, study.context.form, study.terms.base
    share, ends = form.measured(base.value, base.low, base.high, "share")
    span = f" ({ends}, at {form.share(params.level)})" if ends else ""
    how = {"given": "as given", "guess": "a guess", "data": "judging by similar people a little earlier"}[base.source]
    return f"Without the campaign {share}{span} of them would {acts_of(study).act} within {_days(study.window)}, {how}."


def warnings(study: Study) -> tuple[str, ...]:
    """What a reader must know before sending."""
    params, form = study.params, study.context.form
    found = list(study.pulled.notes)
    terms = study.terms
    if terms.base.source == "guess":
        found.append(
            f"The share who {acts_of(study).act} anyway is a guess, {form.share(terms.base.value)}: fewer than 30 such customers were seen a window ago, or none or all of them {acts_of(study).acted}. "
            "Give response=0.04, say."
        )
    guesses = (
        [f"a contact costs {form.exact(terms.cost / study.plan.setting.times)} (cost_per_contact)"]
        if study.cost_source == "guess" and study.advised
        else []
    )
    if study.expected.source == "guess":
        guesses.append(f"it makes a tenth more {acts_of(study).act} (effect)")
    if guesses:
        found.append(
            f"Guessed: {' and '.join(guesses)}. No past campaign tells us: set what is named in brackets if you know better."
        )
    if study.waits:
        first = form.day(study.design.cells["opens_on"].iloc[0])
        names = " and ".join(f"“{name.replace('_', ' ')}”" for name in study.waits)
        whose = "window of the campaign" if len(study.waits) == 1 else "windows of the campaigns"
        found.append(
            f"The test starts on {first}, when the {whose} {names} {'has' if len(study.waits) == 1 else 'have'} closed: nobody is in two tests at once. Set opens_on for another day."
        )
    if study.plan.setting.times > 1 and study.advised:
        found.append(
            f"The guess is for the longer window and assumes one contact every {_days(study.window // study.plan.setting.times)}; the costs include them."
        )
    found += [] if study.margin is None else study.margin.wanted("to see from which rise the test pays")
    if study.unpriced and study.advised and study.has_margin:
        found.append(
            study.words.fill(
                "What the offers cost is not known, so {profit} is before that cost; those who would have {given} anyway take the offer too. "
            )
            + "Give offer_costs=(8, 3), say, or cost_per_response or discount in past cells."
        )
    if study.advised and len(set(params.channels)) > 1:
        found.append("Each creative goes by a channel of its own: so their effects cannot be told apart.")
    found += study.design.warnings if study.advised else ()
    if study.advised and unbalanced(study.balance):
        worst = study.balance.loc[study.balance["p_adjusted"].idxmin()]
        found.append(
            f"Cells differ from their control by more than chance allows; the surest difference: “{said(worst['covariate'], study)}”, {form.number(worst['difference'], 2)} standard deviations in {names_of(study)[str(worst['cell'])]}. "
            "Strata would even it out; choose before anything is sent, never after."
        )
    found += study.past.left_out[:4]
    return tuple(found)


def limits(study: Study) -> tuple[str, ...]:
    """What this test cannot tell."""
    params, form = study.params, study.context.form
    found = []
    if study.shown is not None and study.advised:
        found.append(
            f"A rise of less than {points(study.shown, form)} may well stay unseen. "
            "“Not shown to differ” does not mean that a cell does nothing."
        )
    if study.several > 1 and study.advised:
        apart = detectable(study.terms, 2 * int(study.cells["customers"].min()), 1, 0.5, _treated(study))
        least = f": two cells must be {points(apart, form)} apart to be told from each other" if apart is not None else ""
        found.append(f"The cells are compared with the control, not with each other{least}.")
    if study.plan.rounds > 1:
        found.append("Pooling assumes that what is sent in one round has no effect in the next: leave time between rounds.")
    found += [
        f"The result holds for people like those on the list, over {_days(study.window)}: what is {study.words.fill('{given}')} now and not later looks like a gain.",
        "Do not stop at the first good number before the window closes: that errs far more often than the level says.",
        "Past campaigns reached other people at another time, so the expected rise is no promise.",
    ]
    if study.advised:
        rounds, name = study.plan.rounds, params.campaign
        launched = name if rounds == 1 else f"{name}-1"
        found.append(
            "The cells of this page are a rehearsal. "
            f"They are fixed by: crmlab campaign plan FILE.toml, then crmlab campaign launch {launched}."
        )
        if rounds > 1:
            found.append(
                f"Name the rounds {name}-1 to {name}-{rounds}, each with a salt of its own and the same offers, lists, creatives and channels: "
                "by these names campaign results knows them, and its table of all rounds together has the chance that is told here."
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
        parts = [f"{form.exact(cost.response)} for each who {acts_of(study).act}s"] if cost.response is not None else []
        if cost.discount is not None:
            parts.append(f"{form.share(cost.discount)} of what they would have spent, for each who {acts_of(study).act}s")
        told.append(f"“{names.get(cell, cell)}” {' and '.join(parts) if parts else 'an unknown amount'}")
    return f"Offers cost: {'; '.join(dict.fromkeys(told))}; those who would have {study.words.fill('{given}')} anyway take them too."


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
    return f"The expected rise: {which} pooled by random effects (Paule and Mandel 1982), with the interval of the next one{where}."


def method(study: Study) -> Method:
    """How the page was made."""
    params, form = study.params, study.context.form
    terms = study.terms
    rules = "; ".join(one.words() for one in conditions(params.criteria)) or "everybody"
    part = "all of" if study.margin is None or study.margin.share == 1 else f"{form.share(study.margin.share)} of"
    each = (
        "as given"
        if study.margin is None
        else f"{part} what one who {acts_of(study).act}s {study.words.fill('{pay}')}s within the window"
    )
    return Method(
        f"Cells take exact shares of the list in the order of SHA-256 hashes of the salt and the household (or the {study.words.one}): the same list gives the same cells on any machine. "
        "Sizes and power: difference of two rates with each rate's own variance (Fleiss, Levin and Paik 2003), the critical value of the largest of several comparisons with one control (Dunnett 1955). "
        + _pooled_how(study),
        (
            study.words.told(
                f"List: {rules}. Then {'; '.join(one.words() for one in conditions(params.qualify)) or 'no further rule'}."
            ),
            f"Share who {acts_of(study).act} anyway: {form.share(terms.base.value)}"
            + (
                f", seen of {form.count(study.base.n)} people whom the same rules would have chosen {study.window} days earlier and who were not contacted since."
                if terms.base.source == "data"
                else f", {'a guess' if terms.base.source == 'guess' else 'as given'}."
            ),
            f"Money from one response more: {form.exact(terms.margin)}, {each}.",
            _offers_cost(study),
            f"A contact costs {form.exact(terms.cost / study.plan.setting.times)}{f', {study.plan.setting.times} of them for each' if study.plan.setting.times > 1 else ''}, and a cell {form.exact(terms.fixed)}, {'the medians of past cells' if study.cost_source == 'past' else 'as given or guessed'}.",
            f"The control gets {form.share(study.plan.sizes[''] / study.plan.total)} of the list.",
            f"Tests were tried in this order: as asked, with fewer cells, in a longer window, in up to {MOST_ROUNDS} rounds, all within a year; "
            "the first that shows what is expected of every cell with the power asked for is planned.",
            "Only one person of a household is on the list, so that people are independent of each other.",
            "Past cells of one campaign with the same offer count as one, for they share a control; of an offer that was never sent, past campaigns as a whole are the guide.",
            "Consent and complaints are as the data have them on the last day.",
        ),
        {
            "control": "a cell that is sent nothing; what the others bring beyond it is due to the campaign",
            "pays from": study.words.told("the rise at which the margin of additional buyers equals what the cell costs"),
            "hold-out": "people who are kept out of all campaigns, to see what campaigns bring together",
        },
    )

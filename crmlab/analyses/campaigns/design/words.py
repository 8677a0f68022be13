"""Findings, metrics, warnings, limits and method of the next campaign, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.campaigns.balance import unbalanced
from crmlab.analyses.campaigns.design import headlines
from crmlab.analyses.campaigns.design.headlines import SOURCES, days_said
from crmlab.analyses.campaigns.design.money import detectable
from crmlab.analyses.campaigns.design.params import MOST_ROUNDS
from crmlab.analyses.campaigns.design.tables import acts_of, guessed_rise, names_of, points, said
from crmlab.analyses.customers import conditions
from crmlab.page.estimate import Estimate
from crmlab.page.result import Method
from crmlab.page.texts import joined, titled

if TYPE_CHECKING:
    from crmlab.analyses.campaigns.design.study import Study

__all__ = ["TITLE", "findings", "limits", "method", "metrics", "warnings"]

TITLE = "What to test next, who to test it on, and what the test will show"

findings = headlines.findings  # a page asks its words for them


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


def warnings(study: Study) -> tuple[str, ...]:
    """What a reader must know before sending."""
    params, form = study.params, study.context.form
    found = list(study.pulled.notes)
    if study.advised:
        alike = " A test contacts everybody in a cell, that page only those with whom it pays, so amounts per contact differ."
        found.append(
            f"This page only plans a test; it does not say what to send today. {study.words.decided} Whoever is on both lists belongs to the test "
            f"only, from the day it starts; until it closes, its control counts as contacted, too.{alike if study.has_margin else ''}"
        )
    terms = study.terms
    if terms.base.source == "guess":
        found.append(
            f"The share who would {acts_of(study).act} anyway is a guess, {form.share(terms.base.value)}: fewer than 30 such {study.words.many} were "
            f"found one window earlier, or none or all of them {acts_of(study).acted}."
        )
    guesses = (
        [f"a contact costs {form.exact(terms.cost / study.plan.setting.times)}"]
        if study.cost_source == "guess" and study.advised
        else []
    )
    if study.expected.source == "guess":
        guesses.append(f"{'it' if guesses else 'the campaign'} brings {guessed_rise(study)} more who {acts_of(study).act}")
    if guesses:
        found.append(
            f"Assumed: {' and '.join(guesses)}. There is no past campaign to go by; if you know better, ask your analyst to set it."
        )
    if study.waits:
        first = form.day(study.design.cells["opens_on"].iloc[0])
        names = joined(f"“{titled(name)}”" for name in study.waits)
        whose = "window of the campaign" if len(study.waits) == 1 else "windows of the campaigns"
        found.append(
            f"The test starts on {first}, after the {whose} {names} {'has' if len(study.waits) == 1 else 'have'} closed, so that nobody is in two "
            "tests at once."
        )
    if study.plan.setting.times > 1 and study.advised:
        found.append(
            f"The guess is for the longer window and assumes one contact every {days_said(study.window // study.plan.setting.times)}; the costs include all of these contacts."
        )
    if not study.has_margin:
        assert study.margin is not None
        found += study.margin.wanted("to see how large a rise must be for the test to pay")
    if study.unpriced and study.advised and study.has_margin:
        found.append(
            study.words.fill(
                "What the offers cost is not known, so {profit} is before that cost; those who would have {given} anyway take the offer too."
            )
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
    form = study.context.form
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
        f"The result holds for people like those on the list, over {days_said(study.window)}: {study.words.deeds} that are merely brought forward look like "
        "a gain.",
        "Do not stop at the first good number before the window closes: doing so misleads far more often than the confidence level suggests.",
    ]
    if study.expected.source in ("offers", "past"):
        found.append("Past campaigns reached other people at another time, so the expected rise is no promise.")
    if study.advised:
        found.append(
            "The cells on this page are a rehearsal until your analyst makes them final; “Method and definitions” says how."
        )
    return tuple(found)


def _launching(study: Study) -> list[str]:
    """How an analyst makes the cells final, and names the rounds of a test that has several."""
    rounds, name = study.plan.rounds, study.params.campaign
    first = name if rounds == 1 else f"{name}-1"
    found = [f"To make the cells final: “crmlab campaign plan FILE.toml”, then “crmlab campaign launch {first}”."]
    if rounds > 1:
        found.append(
            f"Name the rounds {name}-1 to {name}-{rounds}, each with a salt of its own and the same offers, lists, creatives and channels: "
            "the campaign results recognise them by these names, and their table of all rounds together has the chance given here."
        )
    return found


def _treated(study: Study) -> float:
    return min(max(study.terms.base.value + study.terms.possible(study.expected.value), 0.001), 0.95)


def _setting(study: Study) -> list[str]:
    """How an analyst sets what is guessed or not known: the parameters of the report."""
    params, found = [], []
    if study.terms.base.source == "guess":
        params.append(f"response (share who {acts_of(study).act} anyway, such as 0.04)")
    if study.cost_source == "guess":
        params.append("cost_per_contact")
    if study.expected.source == "guess":
        params.append("effect (rise expected of a contact)")
    if study.unpriced:
        params.append("offer_costs (such as 8, 3; or give past cells a cost_per_response or a discount)")
    if study.waits:
        params.append("opens_on (to start on another day)")
    if params:
        found.append(f"Parameters of this report that would replace what is assumed here: {joined(params)}.")
    if not study.able:
        found.append(
            "With fit = true, a test that reaches the power asked for is looked for; with fit = false, it is planned as asked."
        )
    if not study.has_margin and study.margin is not None:
        found.append(f"To give a margin: {study.margin.needed}.")
    return found


def _offers_cost(study: Study) -> str:
    """What each offer costs, as a sentence of the method."""
    form, names = study.context.form, names_of(study)
    told = []
    for cell in study.plan.cells:
        cost = study.offers[cell]
        parts = [f"{form.amount(cost.response)} per {study.words.told('buyer')}"] if cost.response is not None else []
        if cost.discount is not None:
            parts.append(f"{form.share(cost.discount)} of what each {study.words.told('buyer')} would have spent")
        told.append(f"“{names.get(cell, cell)}”, {' and '.join(parts) if parts else 'not known'}")
    return f"Cost of offers: {'; '.join(dict.fromkeys(told))}. Those who would have {study.words.fill('{given}')} anyway take them too."


def _money_of_one(study: Study) -> str:
    """What one response more brings, as a sentence of the method."""
    form, amount, margin = study.context.form, study.context.form.amount(study.terms.margin), study.margin
    gives = study.words.unit == "year"
    if margin is None:
        return f"{'Amount' if gives else 'Margin'} from each additional {'gift' if gives else 'response'}: {amount}, as given."
    deed = study.words.deed
    what = {
        "model": f"what one {deed} of the people on the list is expected to bring in, as on the page “What to do now”",
        "window": f"what {'a donor' if gives else 'a buyer'} {'gives' if gives else 'spends'} within the window",
        "list": f"what a {deed} of the people on the list has brought in so far",
    }[study.terms.source]
    if gives:
        return f"Amount from each additional gift: {amount}, {what}."
    part = "" if margin.share == 1 else f"or {form.share(margin.share)} of "
    return f"{margin.word.capitalize()} from each additional response: {amount}, {part}{what}."


def _pooled_how(study: Study) -> str:
    """Where the expected rise is from, as a sentence of the method."""
    source = study.expected.source
    if source in ("given", "guess"):
        return f"The expected rise is {SOURCES[source]}."
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
            f"Tests were tried in this order: with the settings given, with fewer cells, with a longer window, in up to {MOST_ROUNDS} rounds, all within a "
            "year. The first one able to show the expected effect of every cell with the required power was chosen.",
            "Only one person per household is on the list, so that people are independent of each other.",
            "Past cells of one campaign with the same offer count as one, because they share a control; for an offer that was never sent, past "
            "campaigns as a whole are the guide.",
            "Consent and complaints are as recorded on the last day.",
            *_setting(study),
            *(_launching(study) if study.advised else ()),
        ),
        {
            "control": "a cell that is sent nothing; whatever the others bring beyond it is due to the campaign",
            "pays from": study.words.told("the rise at which the margin of additional buyers equals what the cell costs"),
            "hold-out": "people who are kept out of all campaigns, to see what campaigns bring together",
        },
    )

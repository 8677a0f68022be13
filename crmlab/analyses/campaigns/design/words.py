"""Findings, metrics, warnings, limits and method of the next campaign, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.campaigns.balance import unbalanced
from crmlab.analyses.campaigns.design.money import detectable
from crmlab.analyses.campaigns.design.tables import names_of, points, points_measured
from crmlab.analyses.customers import conditions
from crmlab.page.result import Estimate, Finding, Findings, Method

if TYPE_CHECKING:
    from crmlab.analyses.campaigns.design.study import Study

__all__ = ["TITLE", "findings", "limits", "method", "metrics", "warnings"]

TITLE = "What to test next, on whom, and what the test will show"


_SOURCES = {
    "offers": "expected from past cells with these offers:",
    "past": "expected from past cells:",
    "given": "expected, as given:",
    "guess": "expected, a guess:",
}


def _shown(study: Study) -> tuple[float | None, float | None, float | None]:
    """The smallest effect that is shown, and the same at both ends of the response without a campaign."""
    base, total = study.terms.base, len(study.people)
    if study.shown is None or base.low is None or base.high is None:
        return study.shown, None, None
    ends = [detectable(study.terms, total, study.several, base=end) for end in (base.low, base.high)]
    known = [end for end in ends if end is not None]
    if len(known) < 2:
        return study.shown, None, None
    return study.shown, min(*known, study.shown), max(*known, study.shown)


def metrics(study: Study) -> dict[str, Estimate]:
    """What two runs are compared on."""
    currency = study.context.form.currency
    base, level = study.terms.base, study.params.level
    value, low, high = study.total
    found = {
        "listed": Estimate(float(study.pulled.size), unit="customers"),
        "in_cells": Estimate(float(len(study.people)), unit="customers"),
        "cost": Estimate(study.cost, unit=currency),
        "expected_profit": Estimate(value, low, high, level, currency),
        "pays_from": Estimate(float(study.cells["pays_from"].max()), unit="share"),
        "base": Estimate(base.value, base.low, base.high, level if base.low is not None else None, "share"),
    }
    shown, least, most = _shown(study)
    if shown is not None:
        found["detectable_effect"] = Estimate(shown, least, most, level if least is not None else None, "share")
    expected = study.expected
    found["expected_effect"] = Estimate(
        study.terms.possible(expected.value), expected.low, expected.high, level if expected.low is not None else None, "share"
    )
    return found


def _verdict(study: Study) -> str:
    """Whether the list is large enough, in a sentence."""
    form = study.context.form
    shown, pays = study.shown, float(study.cells["pays_from"].max())
    expected = study.terms.possible(study.expected.value)
    if shown is None:
        return "The list is too small to show anything."
    if shown <= pays:
        return "The list is large enough to show all that pays."
    row = study.options[study.options["cells"] == study.several].iloc[0]
    if 0 < shown <= expected:
        needed = form.count(row["needed_paying"])
        return f"Large enough for what is expected, but not for all that pays: that would take {needed} customers."
    fits = study.options[(study.options["detectable"].notna()) & (study.options["detectable"] <= expected)]
    fewer = fits[fits["cells"] < study.several]
    if len(fewer):
        most = int(fewer["cells"].max())
        best = study.cells.sort_values("expected", ascending=False, kind="stable")["expected"].tolist()
        which = f" (“{names_of(study)[str(study.cells.loc[study.cells['expected'].idxmax(), 'cell_id'])]}”)"
        named = which if most == 1 and len(set(best)) > 1 else ""
        return f"Too few customers for {_cells(study.several)}: {_cells(most)}{named} would show what is expected."
    if expected <= 0:
        return "Nothing better than the control is expected: think of another offer first."
    return f"Too few customers to show what is expected: that would take {form.count(row['needed_expected'])}."


def _range(study: Study) -> str:
    """From which rise cells pay: one number, or two where offers cost differently."""
    form = study.context.form
    low, high = points(float(study.cells["pays_from"].min()), form), points(float(study.cells["pays_from"].max()), form)
    return high if low == high else f"{low.removesuffix(' points')} to {high}"


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


def findings(study: Study) -> Findings:
    """At most three: what the test can show, what it costs and may bring, and on whom."""
    params, form = study.params, study.context.form
    shown, low, high = _shown(study)
    expected = study.expected
    at = form.share(params.level)
    rise = points_measured(study.terms.possible(expected.value), expected.low, expected.high, form)
    known = f"{_SOURCES[expected.source]} {rise.value}{f' ({rise.interval}, at {at})' if rise.interval else ''}"
    days = "1 day" if study.window == 1 else f"{study.window} days"
    if shown is None:
        first = Finding("None", f"of the rises that there could be would be shown. {_verdict(study)}", metric="in_cells")
    else:
        seen = points_measured(shown, low, high, form)
        first = Finding(
            seen.value,
            f"more buyers ({form.share(study.terms.base.value)} to {form.share(study.terms.base.value + shown)}) within {days} is the least that this test would show; {known}. "
            f"{_verdict(study)}",
            f"{seen.interval} points, at {at}, with {form.share(params.power)} power" if seen.interval else "",
            "detectable_effect",
        )
    value, least, most = study.total
    contacted = int(study.cells["customers"].sum())
    gain = "profit" if study.margin_known else "revenue less cost"
    gain += "" if study.terms.gift else ", before what the offers cost,"
    guess = ", if that guess holds" if expected.source == "guess" else ""
    profit = form.measured(value, least, most, "money")
    second = Finding(
        profit.value,
        f"is the {gain} to expect of {form.count(contacted)} contacts, beyond what comes anyway{guess}. "
        f"They cost {form.amount(study.cost)} and pay from a rise of {_range(study)}.",
        f"{profit.interval}, at {at}",
        "expected_profit",
    )
    share = len(study.people) / study.pulled.start
    third = Finding(
        form.count(len(study.people)),
        f"of {form.count(study.pulled.start)} customers ({form.share(share)}) are in the test, {form.count(len(study.people) - contacted)} of them as a control that is sent nothing. "
        f"{_anyway(study)}",
        "",
        "in_cells",
    )
    return Findings([first, second, third] if first.metric != "in_cells" else [first, second])


def _anyway(study: Study) -> str:
    params, form, base = study.params, study.context.form, study.terms.base
    days = "1 day" if study.window == 1 else f"{study.window} days"
    share, ends = form.measured(base.value, base.low, base.high, "share")
    span = f" ({ends}, at {form.share(params.level)})" if ends else ""
    how = {"given": "as given", "guess": "a guess", "data": "as people like them did"}[base.source]
    return f"Without the campaign {share}{span} of them buy within {days}, {how}."


def warnings(study: Study) -> tuple[str, ...]:
    """What a reader must know before sending."""
    params, form = study.params, study.context.form
    found = list(study.pulled.notes)
    terms = study.terms
    if terms.base.source == "guess":
        found.append(
            f"How many buy anyway is a guess of {form.share(terms.base.value)}: fewer than 30 such customers were seen a window ago, or none or all of them bought. "
            "Give response=0.04, say."
        )
    guesses = [f"a contact costs {form.exact(terms.cost)} (cost_per_contact)"] if study.cost_source == "guess" else []
    if study.expected.source == "guess":
        guesses.append("it makes a tenth more buy (effect)")
    if guesses:
        found.append(f"Guessed: {' and '.join(guesses)}. No past campaign says it; give what you know.")
    if not study.margin_known:
        found.append(
            f"No margin is known, so all of the {form.amount(terms.margin)} that a buyer spends counts as gain, which is too much. "
            "Give margin=5, say: money kept from one response."
        )
    if not terms.gift:
        found.append(
            "The offers are taken to cost nothing, so profit may be far less: who would have bought anyway takes a discount or a gift too. "
            "Give offer_costs=(8, 3), say."
        )
    if len(set(params.channels)) > 1:
        found.append("Each creative goes by a channel of its own: what is due to the one cannot be told from the other.")
    found += study.design.warnings
    if unbalanced(study.balance):
        worst = study.balance.loc[study.balance["p_adjusted"].idxmin()]
        found.append(
            f"Cells differ from their control by more than chance allows; the surest difference: “{worst['covariate']}”, {form.number(worst['difference'], 2)} standard deviations in {names_of(study)[str(worst['cell'])]}. "
            "Strata would even it out; choose before anything is sent, never after."
        )
    found += study.past.left_out[:4]
    return tuple(found)


def limits(study: Study) -> tuple[str, ...]:
    """What this test cannot tell."""
    params, form = study.params, study.context.form
    found = []
    if study.shown is not None:
        found.append(
            f"A rise of less than {points(study.shown, form)} may well stay unseen. "
            "Then a cell is “not shown to differ”, which is not that it does nothing."
        )
    if study.several > 1:
        apart = detectable(study.terms, 2 * int(study.cells["customers"].min()), 1, base=_treated(study), share=0.5)
        least = f": two cells must be {points(apart, form)} apart to be told from each other" if apart is not None else ""
        found.append(f"The cells are compared with the control, not with each other{least}.")
    found += [
        f"It speaks of people like those on the list, and of {study.window} days: what is bought now and not later looks like a gain.",
        "Looking before the window closes and stopping at the first good number errs far more often than the level says.",
        "What past campaigns brought was with other people at another time; the expected rise and profit are no promise.",
        "The cells of this page are a rehearsal. "
        f"They are fixed by: crmlab campaign plan FILE.toml, then crmlab campaign launch {params.campaign}.",
    ]
    return tuple(found)


def _treated(study: Study) -> float:
    return min(max(study.terms.base.value + study.terms.possible(study.expected.value), 0.001), 0.95)


def method(study: Study) -> Method:
    """How the page was made."""
    params, form = study.params, study.context.form
    terms = study.terms
    rules = "; ".join(one.words() for one in conditions(params.criteria)) or "everybody"
    margins = {
        "given": "as given", "costs": "spend of a buyer within the window, less the cost of goods", "revenue": "the whole spend of a buyer within the window", "loss": "the whole spend of a buyer within the window",
    }  # fmt: skip
    return Method(
        "Cells take exact shares of the list in the order of SHA-256 hashes of the salt and the household (or the customer): the same list gives the same cells on any machine. "
        "Sizes and power: difference of two rates with each rate's own variance (Fleiss, Levin and Paik 2003), the critical value of the largest of several comparisons with one control (Dunnett 1955). "
        "The expected rise: past campaigns with the offer pooled by random effects (Paule and Mandel 1982), with the interval of the next one, as the report on campaign results has it.",
        (
            f"List: {rules}. Then {'; '.join(one.words() for one in conditions(params.qualify)) or 'no further rule'}.",
            f"Share who buy anyway: {form.share(terms.base.value)}"
            + (
                f", seen of {form.count(study.seen)} people whom the same rules would have chosen {study.window} days earlier and who were not contacted since."
                if terms.base.source == "data"
                else f", {'a guess' if terms.base.source == 'guess' else 'as given'}."
            ),
            f"Money kept from one response more: {form.exact(terms.margin)}, {margins[study.margin_source]}.",
            f"An offer costs {form.exact(terms.gift)} on average for each who buys, those too who would have bought anyway.",
            f"A contact costs {form.exact(terms.cost)} and a cell {form.exact(terms.fixed)}, {'the medians of past cells' if study.cost_source == 'past' else 'as given or guessed'}.",
            f"The control gets {form.share(terms.share)} of the list.",
            "Of a household one person is on the list, so that everybody stands alone.",
            "Past cells of one campaign with the same offer count as one, for they share a control; of an offer that was never sent, past campaigns as a whole are the guide.",
            "Consent and complaints are as the data have them on the last day.",
        ),
        {
            "control": "a cell that is sent nothing; what the others bring beyond it is due to the campaign",
            "pays from": "the rise at which the margin of additional buyers equals what the cell costs",
            "hold-out": "people who are kept out of all campaigns, to see what campaigns bring together",
        },
    )

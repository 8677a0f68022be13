"""What the page of churn says: findings, metrics, warnings, method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from crmlab.analyses.churn.contacting import FEW_WORTH
from crmlab.analyses.churn.drift import SCORE, TOO_FAR
from crmlab.analyses.churn.model import FARTHEST, FEWEST, NAMES
from crmlab.analyses.churn.origins import on_average
from crmlab.analyses.churn.quantities import QUANTITIES
from crmlab.analyses.customer_value import NAMES as MODELS
from crmlab.history.words import ROUNDS, YEAR
from crmlab.models.intervals import LEVEL
from crmlab.page.estimate import Estimate
from crmlab.page.result import Finding, Findings, Method
from crmlab.page.texts import joined

if TYPE_CHECKING:
    from crmlab.analyses.churn.study import Study
    from crmlab.page.format import Format

__all__ = ["TITLE", "findings", "limits", "method", "metrics", "warnings"]

_FROM = {
    "given": " (as given)",
    "past": " (the median of past campaign cells)",
    "guess": " (a guess: enter your own figure)",
}  # where a cost is from
TITLE = "Who is leaving, and who would be worth contacting"
PATIENCE = 2 * YEAR  # days within which a test that is pooled over rounds must be over


def findings(study: Study) -> Findings:
    """Three findings, each with its interval and the metric it shows."""
    found, scheme, form, tested = study.estimates, study.scheme, study.context.form, study.tested
    words, count = study.found.words, len(study.listed)
    if study.found.refused:
        text = f"{_who(study)} get{'s' if count == 1 else ''} no scores today: they differ too much from those on whom the scores were tested."
        return Findings([Finding(form.count(count), text, metric="eligible")])
    at = form.share(study.params.level)
    leaving, lost = (
        form.measured(found[name].value, found[name].low, found[name].high, kind)
        for name, kind in (("expected_churners", "count"), ("expected_loss_total", "money"))
    )
    off = "; today’s number may be just as far out" if tested.missed else ""
    leaves = f"will probably make no {words.deed} in the next {scheme.window} days"
    if words is ROUNDS:
        leaves = f"will probably not renew: no {words.deed} in the next {scheme.window} days"
    return Findings(
        [
            Finding(
                f"About {leaving.value}",
                f"of {form.count(count)} {_who(study)} (“eligible” from here on) {leaves}. For any one of them this is only a "
                f"probability, by which the list is ranked. {_past(study)}{form.day(scheme.origins[0])}, {form.share(tested.told)} were forecast to churn and "
                f"{form.share(tested.seen)} did{off}.",
                f"{leaving.interval}, at {at}",
                "expected_churners",
            ),
            Finding(
                lost.value,
                f"of the {study.found.money} that eligible {words.many} would otherwise {words.fill('{bring}')} in the next 12 months is expected to be "
                "lost; for those who come back late, only the time away is counted.",
                f"{lost.interval}, at {at}",
                "expected_loss_total",
            ),
            *(_worth(study) if study.found.margin.known else _margin_needed(study)),
        ]
    )


def _past(study: Study) -> str:
    """What was forecast and what happened on the mean of the past days, where there are several; goes on with the latest of them."""
    (days, told, came), form = on_average(study.found.past), study.context.form
    if days < 2:
        return "On the test day, "
    return f"On average over {days} test days, {form.share(told)} were forecast to churn and {form.share(came)} did; on the latest, "


def _who(study: Study) -> str:
    """Who is scored, in words that need no definition: "customers who bought in the last 238 days"."""
    words, form = study.found.words, study.context.form
    people = words.one if len(study.listed) == 1 else words.many
    return f"{people} who {words.did} in the last {form.count(study.scheme.active_within)} days"


def _worth(study: Study) -> list[Finding]:
    """Whom it would pay to contact, who must not be though it would pay, and whether what it saves can be measured."""
    found, params, form, words = study.estimates, study.params, study.context.form, study.found.words
    worth, profit = (
        form.measured(found[name].value, found[name].low, found[name].high, kind)
        for name, kind in (("worth_contacting", "count"), ("profit_of_contact_total", "money"))
    )
    count, accept = int(found["worth_contacting"].value), form.share(params.accept)
    pays = study.listed[study.listed["profit_of_contact"] > 0]
    barred = int((pays["contactable"] == "no").sum())
    at = form.share(params.level)
    earned = f"{profit.value} ({profit.interval}, at {at})"
    must = f" Another {form.count(barred)} would be worth it, but must not be contacted." if barred and count else ""
    unknown = " The data do not say whether they may be contacted." if (pays["contactable"] == "not known").any() else ""
    offer = f"an offer of {_price(form, study.found.costs.offer)}" if study.found.costs.offer else "a contact"
    if count:
        people = words.one if count == 1 else words.many
        few = count < FEW_WORTH
        hardly = f"{offer} would pay for itself with almost no one. If" if few else "if"
        text = (
            f"{people} would be worth contacting, judged by risk and value alone, {form.share(count / len(study.listed))} of those eligible: "
            f"{hardly} {accept} of would-be leavers accept the offer (a guess), contacting {'this one' if count == 1 else 'them'} would bring in "
            f"about {profit.value} after costs.{must}{unknown}{_test(study)} {words.decided} "
            "That page also weighs what people would do anyway."
        )
    else:
        text = (
            f"{words.many} would be worth contacting: even if {accept} of would-be leavers accept the offer, it would cost more than it saves "
            f"with everyone who may be contacted. {words.fill('{Profit}')} from contact: {earned}."
        )
    return [Finding(worth.value, text, f"{worth.interval}, at {at}", "worth_contacting")]


def _test(study: Study) -> str:
    """Where the hold-out that is needed is larger than the list: what it would take. Otherwise nothing."""
    form, sizes = study.context.form, study.sizes
    if sizes.empty:
        return ""
    if sizes["targets"].iloc[0] < FEWEST:
        return f" {form.count(int(study.estimates['worth_contacting'].value))} are too few to build on or to learn from."
    row = sizes.loc[(sizes["saving"] - study.params.accept).abs().idxmin()]
    if pd.isna(row["kept_out"]) or 2 * row["kept_out"] <= row["targets"]:
        return ""
    rounds, days = int(row["rounds"]), int(row["rounds"]) * study.scheme.window
    few = "The list is too short to test that"
    if rounds == 1:
        return f" {few} with two equal groups; a fifth left out at random, and four fifths contacted, would show it."
    if days <= PATIENCE:
        return f" {few} in one go: with a fifth left out at random each time, {form.count(rounds)} rounds together ({form.count(days)} days) would show it."
    return (
        f" {few}: it would take {form.count(rounds)} rounds of {form.count(study.scheme.window)} days. Choose a shorter window, or treat the "
        "sum as a guess."
    )


def _margin_needed(study: Study) -> list[Finding]:
    """How large a margin contacting needs, where none is known; nothing where there is nothing at stake."""
    needed = study.estimates.get("break_even_margin")
    if needed is None:
        return []
    form, params, words = study.context.form, study.params, study.found.words
    shown = form.measured(needed.value, needed.low, needed.high, "share")
    costs = study.found.costs
    guessed = costs.offer_source == "guess"
    guess = " (a guess)" if guessed else ""
    accept = f"if {form.share(params.accept)} of would-be leavers accept an offer of {_price(form, costs.offer)}{guess}"
    interval = f"{shown.interval}, at {form.share(params.level)}"
    if needed.value > 1:
        text = (
            f"cannot break even with most of the {form.count(len(study.listed))} eligible {words.many}, whatever the margin, "
            f"if {form.share(params.accept)} of would-be leavers accept it.{' What it costs is a guess.' if guessed else ''}"
        )
        return [Finding(f"An offer of {_price(form, costs.offer)}", text, metric="break_even_margin")]
    text = f"of {study.found.money} is the smallest margin at which contact breaks even for half of the eligible {words.many}, {accept}."
    return [Finding(shown.value, text, interval, "break_even_margin")]


def _price(form: Format, cost: float) -> str:
    """A cost: without cents where it is whole."""
    return form.tick(cost) if cost < 100 else form.amount(cost)


def metrics(study: Study) -> dict[str, Estimate]:
    """What two runs are compared on."""
    tested = study.tested

    def of(measure: str, unit: str) -> Estimate:
        return Estimate.of(tested.scores.loc[(tested.used, measure)], study.params.level, unit)

    return {
        "eligible": Estimate(float(len(study.listed)), unit="customers"),
        **study.estimates,
        **({"test_profit_per_customer": of("profit", study.context.form.currency)} if study.found.margin.known else {}),
        "test_auc": of("auc", "share"),
        "test_brier": of("brier", "share"),
        "test_calibration_slope": of("slope", ""),
        "test_top_decile_lift": of("lift", ""),
    }


def warnings(study: Study) -> tuple[str, ...]:
    """What a reader must know before acting."""
    tested, found, form = study.tested, study.found, study.context.form
    out = [f"No scores are given. {found.why(form)}"] if found.refused else []
    rule = found.words.told(NAMES[tested.used])
    if tested.chosen is None:
        out.append(f"No model was trained: {tested.reason}. The scores are those of the best simple rule, “{rule}”.")
    elif tested.used != tested.chosen:
        out.append(f"The model that was trained did not beat the simple rule “{rule}”, so the rule is used.")
    out += [*_drifted(study), *_untold(study), *found.margin.wanted("to see who would be worth contacting")]
    if not found.tiers:
        out.append(
            "The models of value could not be fitted, so nobody has a value tier, and what is at stake is taken from last year’s "
            f"{'gifts' if found.words is ROUNDS else 'spend'}."
        )
    if study.scheme.crossfits and tested.chosen is not None:
        out.append(
            f"The history has no separate day for calibration: it was done on the training day, across {found.words.many}."
        )
    return tuple(out)


def _drifted(study: Study) -> list[str]:
    """How far today's customers are from those of the test day."""
    found, form = study.found, study.context.form
    if found.drift is None or found.refused:
        return []
    far, day = found.drift.far, form.day(study.scheme.origins[0])
    out = []
    if found.drift.scores_far:
        then, now = (float(found.drift.rows.loc[SCORE, name]) for name in ("then", "now"))
        out.append(
            f"Today’s scores are distributed differently from those of {day}, on which they were tested: their mean is now {form.share(now)} and was "
            f"{form.share(then)} then. So what the test found is less certain for today than it looks."
        )
    if far:
        more = [f"{len(far) - 3} more {'fact' if len(far) == 4 else 'facts'}"] if len(far) > 3 else []
        these = "this fact" if len(far) == 1 else "these facts"
        out.append(
            f"Today’s {found.words.many} differ a lot from those of the test day, {day}, in {joined([*far[:3], *more])}. "
            f"The scores rest on {these} and were not tested on {found.words.many} like today’s; see “Is today like the day of the test?”."
        )
    return out


def _untold(study: Study) -> list[str]:
    """Where the model of purchases says nothing."""
    choice, untold, words = study.found.choice, study.found.untold, study.found.words
    if choice is None or not untold:
        return []
    return [
        f"Two of the usual facts are not used, the probability of still being a {words.one} and the expected number of {words.deeds}: they could not be "
        f"worked out reliably on {'one' if len(untold) == 1 else 'some'} of the days needed."
    ]


def limits(study: Study) -> tuple[str, ...]:
    """What the page cannot say."""
    words = study.found.words
    churn = f"{study.scheme.window} days without a {words.deed}"
    return (
        *_unseen(study),
        "What moves a score goes hand in hand with churn but may not cause it; changing it may not keep anyone.",
        f"Churn is {churn}{': a renewal that did not happen' if words is ROUNDS else ''}. Some of those who fall silent come back: see the curve of those who come back.",
        f"How many accept an offer is a guess until a campaign with a control group has measured it. {words.decided}",
    )


def _unseen(study: Study) -> list[str]:
    """That no season is followed, where there may be one."""
    if study.found.in_season or study.found.words is ROUNDS or study.scheme.window >= YEAR:
        return []
    return [
        f"No season is taken into account: the total holds only if the next {study.scheme.window} days are like those that the model learnt from."
    ]


def method(study: Study) -> Method:
    """Source, assumptions and words of the page."""
    scheme, params, found, form = study.scheme, study.params, study.found, study.context.form
    words = found.words
    gap = f"the 90% quantile of the gaps between {words.deeds}"
    bound = {
        "given": "as given",
        "gap": f"{gap}, in whole weeks; a sixth of the history would have been longer",
        "history": f"a sixth of the history, in whole weeks; {gap} would have been longer",
        "year": f"a year, since {words.many} give once a year",
    }[scheme.bound_by]
    days = ", ".join(form.short_day(day) for day in scheme.origins)
    at_level = form.share(params.level)
    contact = (
        f"a contact costs {_price(form, found.costs.contact)}{_FROM[found.costs.source]}, an offer {_price(form, found.costs.offer)}"
        f"{_FROM[found.costs.offer_source]}"
    )
    if found.costs.source == found.costs.offer_source == "guess":
        contact = (
            f"a contact is assumed to cost {_price(form, found.costs.contact)} and an offer {_price(form, found.costs.offer)} (guesses: enter "
            "your own figures)"
        )
    strength = " (in the test: a Beta distribution, as uncertain as after 20 answers)" if found.margin.known else ""
    contact += (
        f". It is assumed that {form.share(params.accept)} of would-be leavers accept{strength}, that everyone else takes the offer too, and that "
        f"keeping a {words.one} saves no more than the page on {words.one} value says may be spent on them"
    )
    points = [
        f"Window: {scheme.window} days, {bound}. "
        f"Eligible: {words.many} with a {words.deed} in the preceding {form.count(scheme.active_within)} days, {form.count(len(study.listed))} today.",
        f"Past days used, one window apart so that no outcome overlaps with a later one: {days}. The first is the test day"
        + (", the second the calibration day." if len(scheme.origins) > 2 else "."),
        f"Used: {words.told(NAMES[study.tested.used])}. A model is used only if its Brier score is better than that of the best simple rule and the "
        f"{form.share(LEVEL)} interval of the difference excludes zero.{_unbeaten(study)} "
        "No resampling, no class weights: scores are probabilities.",
        f"Facts that are the same for everyone, apart from rounding, are left out; in the logistic regression a fact counts for at most {form.number(FARTHEST)} "
        f"standard deviations. Today is compared with the test day by the population stability index (Siddiqi 2006); if it is over "
        f"{form.number(TOO_FAR)} for the scores, no scores are given.",
        *_purchases(study),
        *_in_season(study),
        f"Intervals are at {at_level}. For measures they come from resampling {words.many}; for expected churners and expected loss, from chance and "
        "the calibration error (how far past forecasts were off), and they are at least as wide as the miss on the test day; for curves, from "
        "Greenwood’s formula.",
        words.fill(f"{{Profit}}: {contact}. {found.margin.told(form)}")
        if found.margin.known
        else f"Margin needed: {contact}. {found.margin.told(form)}",
        f"Value: expected {found.money} over the next 12 months"
        + (
            f" if still a {words.one} today, as worked out on the page on {words.one} value; the tiers come from there too."
            if found.tiers
            else f", taken to be the same as last year’s; there are no tiers, which come only from the page on {words.one} value."
        )
        + (
            f" {form.share(found.lost)} of it is at stake: the part of a year for which those who churned stayed away, since some came back (see "
            "the curve)."
            if found.lost < 1
            else " All of it is at stake."
        ),
        f"Expected loss is not what the page on {words.one} value calls “at risk”: expected loss concerns silence in the next {scheme.window} days, "
        "“at risk” those who may have left already. The two overlap, so do not add them up.",
    ]
    return Method(
        "Buckinx and Van den Poel (2005) for partial defection; Verbraken, Verbeke and Baesens (2013) for expected maximum profit; Kaplan and Meier (1958) for curves.",
        tuple(points),
        {
            "Churn": f"no {'gift' if words is ROUNDS else 'purchase occasion'} within {scheme.window} days",
            "Eligible": f"a {words.one} with a {words.deed} in the preceding {form.count(scheme.active_within)} days",
            **{term: words.told(meaning) for term, meaning in QUANTITIES.explained("at_stake", "expected_loss").items()},
            "Brier score": "mean squared difference between probability and outcome; smaller is better",
        },
        {f"{words.did} in the last {form.count(scheme.active_within)} days, so that they can still be lost": len(study.listed)},
    )


def _unbeaten(study: Study) -> str:
    """By how much the model that was trained failed to beat the rule."""
    tested = study.tested
    if tested.chosen is None or tested.used == tested.chosen or tested.difference is None:
        return ""
    gap = study.context.form.span(tested.difference[1], tested.difference[2])
    return f" {NAMES[tested.chosen]} did not: its Brier score differs from the rule’s by {gap}."


def _purchases(study: Study) -> list[str]:
    """Which model of purchases two of the facts are from."""
    choice, form, words = study.found.choice, study.context.form, study.found.words
    if choice is None:
        return [f"No model of {words.deeds} could be fitted, so the probability of still being a {words.one} is not known."]
    if study.found.untold:
        days = joined([form.short_day(day) for day in study.found.untold])
        return [
            f"The probability of still being a {words.one} and the expected number of {words.deeds} are not used: on {days}, the "
            f"{MODELS[choice.name]} model could not be fitted, or gave extreme estimates that do not tell {words.many} apart."
        ]
    return [
        f"The probability of still being a {words.one} and the expected number of {words.deeds} come from {MODELS[choice.name]}, which best "
        f"predicted what had happened by {form.day(study.scheme.origins[0])}; it was refitted for each day."
    ]


def _in_season(study: Study) -> list[str]:
    """That as many churn as the season lets expect."""
    choice, words = study.found.choice, study.found.words
    if choice is None or not study.found.in_season:
        return []
    return [
        f"Season: the model learnt from seasons other than that of the next {study.scheme.window} days. So the total number of {words.many} "
        f"forecast to churn is the number that {MODELS[choice.name]}, with the season, expects to make no {words.deed} then; the score "
        "still decides the ranking."
    ]

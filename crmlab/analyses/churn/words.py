"""What the page of churn says: findings, metrics, warnings, method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.churn.drift import SCORE, TOO_FAR
from crmlab.analyses.churn.model import FARTHEST, NAMES
from crmlab.analyses.churn.quantities import QUANTITIES
from crmlab.analyses.customer_value import NAMES as MODELS
from crmlab.models.intervals import LEVEL
from crmlab.page.result import Estimate, Finding, Findings, Method

if TYPE_CHECKING:
    from crmlab.analyses.churn.study import Study

__all__ = ["TITLE", "findings", "limits", "method", "metrics", "warnings"]

TITLE = "Who is leaving, and whom it pays to contact"


def findings(study: Study) -> Findings:
    """Three findings, each with its interval and the metric it shows."""
    found, scheme, params, form = study.estimates, study.scheme, study.params, study.context.form
    count = len(study.listed)
    if study.found.refused:
        text = "active customers get no scores today: they are too unlike those whom the scores were tested on."
        return Findings([Finding(form.count(count), text, metric="eligible")])

    kinds = {"expected_churners": "count", "expected_loss": "money", "worth_contacting": "count", "profit_of_contact": "money"}
    written = {name: form.measured(found[name].value, found[name].low, found[name].high, kind) for name, kind in kinds.items()}
    at, worth, profit = form.share(params.level), written["worth_contacting"], written["profit_of_contact"]
    return Findings(
        [
            Finding(
                written["expected_churners"].value,
                f"of {form.count(count)} active customers are expected not to buy in the next {scheme.window} days.",
                f"{written['expected_churners'].interval}, at {at}",
                "expected_churners",
            ),
            Finding(
                written["expected_loss"].value,
                "of what they would bring in the next 12 months is expected to be lost; those who will come back late are counted for the time away.",
                f"{written['expected_loss'].interval}, at {at}",
                "expected_loss",
            ),
            Finding(
                worth.value,
                f"customers are worth contacting, {form.share(found['worth_contacting'].value / count)} of the active. "
                f"If {form.share(params.accept)} of would-be leavers accept, that earns {profit.value} more than it costs.",
                f"{worth.interval} customers, {profit.interval}, at {at}",
                "worth_contacting",
            ),
        ]
    )


def metrics(study: Study) -> dict[str, Estimate]:
    """What two runs are compared on."""
    tested = study.tested

    def of(measure: str, unit: str) -> Estimate:
        return Estimate.of(tested.scores.loc[(tested.used, measure)], study.params.level, unit)

    return {
        "eligible": Estimate(float(len(study.listed)), unit="customers"),
        **study.estimates,
        "test_profit_per_customer": of("profit", study.context.form.currency),
        "test_auc": of("auc", "share"),
        "test_brier": of("brier", "share"),
        "test_calibration_slope": of("slope", ""),
        "test_top_decile_lift": of("lift", ""),
    }


def warnings(study: Study) -> tuple[str, ...]:
    """What a reader must know before acting."""
    tested, source, form = study.tested, study.found.source, study.context.form
    out = [f"No scores are given. {study.found.why(form)}"] if study.found.refused else []
    if tested.chosen is None:
        out.append(
            f"No model was learnt: {tested.reason}. The scores are those of the best simple rule, “{NAMES[tested.used]}”."
        )
    elif tested.used != tested.chosen:
        assert tested.difference is not None
        gap = form.span(tested.difference[1], tested.difference[2])
        out.append(
            f"{NAMES[tested.chosen]} did not beat the simple rule “{NAMES[tested.used]}” (Brier score differs by {gap}), so the rule is used."
        )
    off = tested.scores.loc[(tested.used, "intercept")]
    if not off["low"] <= 0 <= off["high"]:
        seen, told = float(tested.test["churned"].mean()), float(tested.test["probability"].mean())
        out.append(
            f"On the test's day churn of {form.share(told)} was forecast, and {form.share(seen)} came: seasons or campaigns moved everybody. "
            "Today's numbers may be off as much; their intervals allow for it."
        )
    out += [*_drifted(study), *_untold(study)]
    if "revenue" in source:
        out.append("No costs are known, so value is revenue. Give margin=0.3, say, to see what contact earns.")
    if source.startswith("last_year"):
        out.append("The models of value could not be fitted: value is the last year's spend.")
    if study.scheme.crossfits and tested.chosen is not None:
        out.append("The history has no day to spare for calibration: it was done on the day of learning, across customers.")
    return tuple(out)


def _drifted(study: Study) -> list[str]:
    """How far today's customers are from those of the test's day."""
    found, form = study.found, study.context.form
    if found.drift is None or found.refused:
        return []
    far, day = found.drift.far, form.day(study.scheme.origins[0])
    out = []
    if found.drift.scores_far:
        then, now = (float(found.drift.rows.loc[SCORE, name]) for name in ("then", "now"))
        out.append(
            f"Today's scores are not spread as those of {day}, on which they were tested: their mean is {form.share(now)} and was {form.share(then)}. "
            "What the test found of them holds for today with less certainty than it says."
        )
    if far:
        more = f", and {len(far) - 3} more" if len(far) > 3 else ""
        out.append(
            f"Since the test's day, {day}, customers have changed much in: {'; '.join(far[:3])}{more}. "
            "The scores rest on these facts, and were not tested on customers like today's; see “Is today like the day of the test?”."
        )
    return out


def _untold(study: Study) -> list[str]:
    """Where the model of purchases says nothing."""
    choice, untold, form = study.found.choice, study.found.untold, study.context.form
    if choice is None or not untold:
        return []
    days = ", ".join(form.short_day(day) for day in untold)
    return [
        f"The probability of being active still and the purchases expected are used on no day: on {days} {MODELS[choice.name]} could not be "
        "fitted, or was at the boundary of its parameters, where it does not tell customers apart."
    ]


def limits(study: Study) -> tuple[str, ...]:
    """What the page cannot say."""
    return (
        "What moves a score goes with churn; it need not cause it, and changing it need not keep anybody.",
        f"Churn is {study.scheme.window} days of silence. Some of the silent come back: see the curve of returns.",
        "How many accept an offer is a guess until a campaign with a control group has measured it.",
    )


def method(study: Study) -> Method:
    """Source, assumptions and words of the page."""
    scheme, params, source, form = study.scheme, study.params, study.found.source, study.context.form
    bound = {
        "given": "as given",
        "gap": "the 90 % quantile of the gaps between purchases, in whole weeks; a sixth of the history would have been longer",
        "history": "a sixth of the history, in whole weeks; the 90 % quantile of the gaps would have been longer",
    }[scheme.bound_by]
    days = ", ".join(form.short_day(day) for day in scheme.origins)
    at_level = form.share(params.level)
    points = [
        f"Window: {scheme.window} days, {bound}. "
        f"Eligible: bought within {scheme.active_within} days before; {form.count(len(study.listed))} are today.",
        f"Days looked back from, a window apart so that no outcome reaches into a later day's: {days}. The first is the test's"
        + (", the second that of calibration." if len(scheme.origins) > 2 else "."),
        f"Used: {NAMES[study.tested.used]}. "
        f"A model is used only where its Brier score beats the best simple rule's beyond the {form.share(LEVEL)} interval of the difference. "
        "No resampling, no class weights: scores are probabilities.",
        f"Facts that are the same for everybody but for rounding are left out; in the logistic regression a fact counts for at most {form.number(FARTHEST)} "
        f"standard deviations. Today is held against the test's day by the population stability index (Siddiqi 2006); over {form.number(TOO_FAR)} of the "
        "scores, none are given.",
        *_purchases(study),
        f"Intervals at {at_level}: of measures by drawing customers anew; of expected churners and expected loss by chance, the calibration's error and how far it was off on the test's day; of curves by Greenwood's formula.",
        f"Profit: a contact costs {form.exact(params.contact_cost)}, an offer {form.exact(params.offer_cost)}; {form.share(params.accept)} of would-be leavers accept (Beta with the strength of 20 answers), all others take it as a gift.",
        f"Value: {'expected margin' if 'revenue' not in source else 'expected revenue'} of the next 12 months if certainly active"
        + (
            ", as the report on customer value works it out, and so are tiers."
            if source.startswith("model")
            else ", taken as the last year's."
        )
        + f" At stake is {form.share(study.found.lost)} of it: so much of a year those who churned were away, some coming back (see the curve).",
    ]
    return Method(
        "Buckinx and Van den Poel (2005) for partial defection; Verbraken, Verbeke and Baesens (2013) for expected maximum profit; Kaplan and Meier (1958) for curves.",
        tuple(points),
        {
            "Churn": f"no purchase occasion within {scheme.window} days",
            "Eligible": f"a customer with a purchase within the {scheme.active_within} days before",
            **QUANTITIES.explained("at_stake", "expected_loss"),
            "Break-even contact cost": "what a contact may cost so that it just pays, offer included",
            "Brier score": "mean squared difference between probability and outcome; smaller is better",
        },
    )


def _purchases(study: Study) -> list[str]:
    """Which model of purchases two of the facts are from."""
    choice, form = study.found.choice, study.context.form
    if choice is None:
        return ["No model of purchases could be fitted, so nothing is known of P(alive)."]
    if study.found.untold:
        return []
    return [
        f"The probability of being active still and the purchases expected are those of {MODELS[choice.name]}, which told best "
        f"what had come by {form.day(study.scheme.origins[0])}; it was fitted anew on each day."
    ]

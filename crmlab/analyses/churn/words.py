"""What the page of churn says: findings, metrics, warnings, method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.analyses.churn.model import NAMES
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

    def ends(name: str, kind: str, at: bool = True) -> str:
        low, high = found[name].low, found[name].high
        assert low is not None and high is not None
        whole = kind == "count"
        text = form.interval(round(low) if whole else low, round(high) if whole else high, kind)
        return f"{text}, at {form.share(params.level)}" if at else text

    worth, profit = found["worth_contacting"], found["profit_of_contact"]
    return Findings(
        [
            Finding(
                form.count(found["expected_churners"].value),
                f"of {form.count(count)} active customers are expected not to buy in the next {scheme.window} days.",
                ends("expected_churners", "count"),
                "expected_churners",
            ),
            Finding(
                form.money(found["expected_loss"].value),
                "of what they would bring in the next 12 months is expected to be lost; those who will come back late are counted for the time away.",
                ends("expected_loss", "money"),
                "expected_loss",
            ),
            Finding(
                form.count(worth.value),
                f"customers are worth contacting, {form.share(worth.value / count)} of the active. "
                f"If {form.share(params.accept)} of would-be leavers accept, that earns {form.money(profit.value)} more than it costs.",
                f"{ends('worth_contacting', 'count', at=False)} customers, {ends('profit_of_contact', 'money')}",
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
    out = []
    if tested.chosen is None:
        out.append(
            f"No model was learnt: {tested.reason}. The scores are those of the best simple rule, “{NAMES[tested.used]}”."
        )
    elif tested.used != tested.chosen:
        assert tested.difference is not None
        gap = form.interval(tested.difference[1], tested.difference[2])
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
    if "revenue" in source:
        out.append("No costs are known, so value is revenue. Give margin=0.3, say, to see what contact earns.")
    if source.startswith("last_year"):
        out.append("The models of value could not be fitted: value is the last year's spend.")
    if study.scheme.crossfits and tested.chosen is not None:
        out.append("The history has no day to spare for calibration: it was done on the day of learning, across customers.")
    return tuple(out)


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
    return [
        f"The probability of being active still and the purchases expected are those of {MODELS[choice.name]}, which told best "
        f"what had come by {form.day(study.scheme.origins[0])}; it was fitted anew on each day."
    ]

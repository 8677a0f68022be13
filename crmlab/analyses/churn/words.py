"""What the page of churn says: findings, metrics, warnings, method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from crmlab.analyses.churn.model import BASELINES, CANDIDATES, Plan
from crmlab.analyses.churn.study import VALUE_WEEKS
from crmlab.analyses.churn.trials import Trial
from crmlab.page.result import Estimate, Finding, Findings, Method

if TYPE_CHECKING:
    from crmlab.analyses.churn.params import Params
    from crmlab.page.format import Format

__all__ = ["findings_of", "method_of", "metrics_of", "warnings_of"]


def findings_of(found: dict[str, Estimate], scheme: Plan, count: int, form: Format, params: Params) -> Findings:
    """At most three findings, each with its interval and the metric it shows."""

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
                form.money(found["value_at_risk"].value),
                f"of what they would bring in the next {VALUE_WEEKS} weeks is at risk; those who will come back late are counted for the time away.",
                ends("value_at_risk", "money"),
                "value_at_risk",
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


def metrics_of(found: dict[str, Estimate], tested: Trial, count: int, currency: str, level: float) -> dict[str, Estimate]:
    """What two runs are compared on."""

    def of(measure: str, unit: str) -> Estimate:
        row = tested.scores.loc[(tested.used, measure)]
        return Estimate(float(row["value"]), float(row["low"]), float(row["high"]), level, unit)

    return {
        "eligible": Estimate(float(count), unit="customers"),
        **found,
        "test_profit_per_customer": of("profit", currency),
        "test_auc": of("auc", "share"),
        "test_brier": of("brier", "share"),
        "test_calibration_slope": of("slope", ""),
        "test_top_decile_lift": of("lift", ""),
    }


def warnings_of(tested: Trial, scheme: Plan, source: str, form: Format) -> tuple[str, ...]:
    """What a reader must know before acting."""
    names = CANDIDATES | BASELINES
    out = []
    if tested.chosen is None:
        out.append(
            f"No model was learnt: {tested.reason}. The scores are those of the best simple rule, “{names[tested.used]}”."
        )
    elif tested.used != tested.chosen:
        assert tested.difference is not None
        gap = form.interval(tested.difference[1], tested.difference[2])
        out.append(
            f"{names[tested.chosen]} did not beat the simple rule “{names[tested.used]}” (Brier score differs by {gap}), so the rule is used."
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
    if scheme.crossfits and tested.chosen is not None:
        out.append("The history has no day to spare for calibration: it was done on the day of learning, across customers.")
    return tuple(out)


def method_of(
    scheme: Plan, tested: Trial, params: Params, source: str, form: Format, today: pd.DataFrame, lost: float
) -> Method:
    """Source, assumptions and words of the page."""
    names = CANDIDATES | BASELINES
    bound = {
        "given": "as given",
        "gap": "the 90 % quantile of the gaps between purchases, in whole weeks; a sixth of the history would have been longer",
        "history": "a sixth of the history, in whole weeks; the 90 % quantile of the gaps would have been longer",
    }[scheme.bound_by]
    days = ", ".join(form.short_day(day) for day in scheme.origins)
    at_level = form.share(params.level)
    points = [
        f"Window: {scheme.window} days, {bound}. "
        f"Eligible: bought within {scheme.active_within} days before; {form.count(len(today))} are today.",
        f"Days looked back from, a window apart so that no outcome reaches into a later day's: {days}. The first is the test's"
        + (", the second that of calibration." if len(scheme.origins) > 2 else "."),
        f"Used: {names[tested.used]}. "
        f"A model is used only where its Brier score beats the best simple rule's beyond the {at_level} interval of the difference. "
        "No resampling, no class weights: scores are probabilities.",
        f"Intervals at {at_level}: of measures by drawing customers anew; of expected churners and value at risk by chance, the calibration's error and how far it was off on the test's day; of curves by Greenwood's formula.",
        f"Profit: a contact costs {form.exact(params.contact_cost)}, an offer {form.exact(params.offer_cost)}; {form.share(params.accept)} of would-be leavers accept (Beta with the strength of 20 answers), all others take it as a gift.",
        f"Value: {'expected margin' if 'revenue' not in source else 'expected revenue'} of the next {VALUE_WEEKS} weeks if certainly active"
        + (", from BG/NBD and Gamma-Gamma." if source.startswith("model") else ", taken as the last year's.")
        + f" At stake is {form.share(lost)} of it: so much of a year those who churned were away, some coming back (see the curve).",
    ]
    return Method(
        "Buckinx and Van den Poel (2005) for partial defection; Verbraken, Verbeke and Baesens (2013) for expected maximum profit; Kaplan and Meier (1958) for curves.",
        tuple(points),
        {
            "Churn": f"no purchase occasion within {scheme.window} days",
            "Eligible": f"a customer with a purchase within the {scheme.active_within} days before",
            "At stake": "value of the next year if active, times the share of a year that a churned customer is away",
            "Value at risk": "probability of churn times what is at stake",
            "Break-even contact cost": "what a contact may cost so that it just pays, offer included",
            "Brier score": "mean squared difference between probability and outcome; smaller is better",
        },
    )

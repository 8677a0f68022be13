"""What the page of customer value says: findings, warnings, limits, method."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from crmlab.analyses.customer_value.backtesting import RULES, Backtest, label_of
from crmlab.analyses.customer_value.params import NAMES, name_of
from crmlab.analyses.customer_value.quantities import QUANTITIES
from crmlab.analyses.customer_value.tiers import TIERS
from crmlab.history.words import ROUNDS, Words
from crmlab.models.btyd.fitting import NO_DROPOUT
from crmlab.models.btyd.gamma_gamma import CONSTANT
from crmlab.models.btyd.lifetimes_bridge import cross_check
from crmlab.models.intervals import normal_quantile
from crmlab.page.result import Estimate, Finding, Findings, Method

if TYPE_CHECKING:
    from crmlab.analyses.customer_value.scoring import Modelled
    from crmlab.analyses.customer_value.study import Study
    from crmlab.models.btyd.gamma_gamma import GammaGamma
    from crmlab.page.format import Format

__all__ = ["TITLE", "findings", "limits", "method", "metrics", "warnings", "what_of"]

TITLE = "What our customers are worth, and what it pays to invest in them"
DEPENDENT = 0.3  # correlation of frequency and spend from which the page warns


def what_of(study: Study) -> str:
    """What value is: of what, over how long, at which discount."""
    model, form, horizon = study.fit.model, study.context.form, study.found.horizon
    kind = "revenue" if study.fit.revenue else f"gross margin ({form.share(model.margin)} of spend)"
    span = "without end" if math.isinf(horizon) else f"over {study.base.words.span(horizon)}"
    return f"expected {kind} {span}, discounted at {form.share(model.rate)} a year"


def findings(study: Study) -> Findings:
    """At most three findings, each with its interval and the metric it shows."""
    fit, found, words, form = study.fit, study.found, study.base.words, study.context.form
    tested, sums = study.tested, found.sums
    at = form.share(study.params.level)
    money = "revenue" if fit.revenue else "margin"
    total, near, top = sums.loc["total"], sums.loc["total_ahead"], sums.loc["top_share"]
    if fit.seen:
        text = f"is what today's {form.count(len(found.customers))} {words.many} will still bring in discounted {money}; {form.money(near['value'])} of it in the next {words.span(found.ahead)}."
    else:
        text = (
            f"is what today's {form.count(len(found.customers))} {words.many} will bring in discounted {money} in the next {words.span(found.ahead)}. "
            "Nobody is seen to have left yet, so value beyond that cannot be told."
        )
    whole = form.measured(total["value"], total["low"], total["high"], "money")
    tenth = form.measured(top["value"], top["low"], top["high"], "share")
    result = [
        Finding(whole.value, text, f"{whole.interval}, at {at}", "value_total"),
        Finding(
            tenth.value,
            f"of that value lies with the tenth of {words.many} worth most. Care for them first.",
            f"{tenth.interval}, at {at}",
            "value_share_top_tenth",
        ),
    ]
    if fit.seen:
        risk = sums.loc["risk_A"]
        if fit.revenue:
            keeping = (
                f"of revenue per {words.one} of tier A is at risk, on average: keeping one may cost at most the margin in it."
            )
        else:
            keeping = f"is the most that keeping a {words.one} of tier A may cost, on average, if the measure always works."
        most = form.measured(risk["value"], risk["low"], risk["high"], "amount")
        result.append(Finding(most.value, keeping, f"{most.interval}, at {at}", "value_at_risk_A"))
    elif tested is not None and tested.of(tested.best)["seen"] > 0:
        row = tested.of(tested.best)
        off = form.measured(abs(row["bias"]), row["bias_low"], row["bias_high"], "share")
        result.append(
            Finding(
                off.value,
                f"too {'low' if row['bias'] < 0 else 'high'} was the forecast of {words.deeds} for the last {words.span(tested.holdout)}, which we know already.",
                f"{off.interval} off, at {at}",
                "holdout_bias",
            )
        )
    return Findings(result)


def metrics(study: Study) -> dict[str, Estimate]:
    """What two runs are compared on."""
    found, tested, level, currency = study.found, study.tested, study.params.level, study.context.form.currency

    def estimate(name: str, unit: str) -> Estimate:
        return Estimate.of(found.sums.loc[name], level, unit)

    out = {
        "customer_base": Estimate(float(len(found.customers)), unit="customers"),
        "value_total": estimate("total", currency),
        "value_within_horizon": estimate("total_ahead", currency),
        "value_share_top_tenth": estimate("top_share", "share"),
        "expected_purchases": estimate("purchases", "purchases"),
    }
    if study.fit.seen:
        out["customers_alive"] = estimate("alive", "customers")
    for name in TIERS:
        if f"value_{name}" in found.sums.index:
            out[f"value_tier_{name}"] = estimate(f"value_{name}", currency)
            if study.fit.seen:
                out[f"value_at_risk_{name}"] = estimate(f"risk_{name}", currency)
    if tested is not None:
        row = tested.of(tested.best)
        for name in ("bias", "gini", "covered"):
            out[f"holdout_{name}"] = Estimate.of(row, level, "share", name)
    return out


def warnings(study: Study) -> tuple[str, ...]:
    """What a reader must know before acting."""
    fit, form = study.fit, study.context.form
    out = [*_boundary(study), *_spend(study), *_starts(study), *_money(fit.source), *_unfinished(study), *_checked(study)]
    if fit.cap is not None:
        out.append(
            f"A few spend so much that their mean would be infinite for the model: mean spend above {form.exact(fit.cap)} was taken as that, so value is on the low side."
        )
    correlation = fit.spend.correlation_
    if abs(correlation) >= DEPENDENT:
        out.append(
            f"Those who come more often spend {'more' if correlation > 0 else 'less'} each time (correlation {form.number(correlation)}), which the model of spend takes to be unrelated: values at the ends of the list are off."
        )
    return tuple(out)


def _boundary(study: Study) -> list[str]:
    """Estimates on the boundary."""
    boundary, words = study.fit.purchases.boundary_, study.base.words
    if boundary is None:
        return []
    if boundary == NO_DROPOUT:
        return [
            f"Drop-out cannot be seen yet ({boundary}): the estimates are on the boundary, have no standard errors, and take every {words.one} for active. "
            f"P(alive) and value at risk would mean nothing and are left out; value is given for {words.span(study.found.ahead)} only."
        ]
    return [
        f"The estimates are on the boundary ({boundary}): they have no standard errors, and what they say of differences between {words.many} rests on few {words.many} or a short history."
    ]


def _spend(study: Study) -> list[str]:
    """Spend on the boundary: it does not vary at all, or not within customers, or not between them."""
    spend, words = study.fit.spend, study.base.words
    if spend.boundary_ is None:
        return []
    if spend.boundary_ == CONSTANT:
        amount = study.context.form.exact(spend.params_["v"])
        return [
            f"Every {words.deed} after the first was of the same amount, {amount}: values take it for that of all to come, and their intervals carry only how many come."
        ]
    return [
        f"The estimates of spend are on the boundary ({spend.boundary_}): they have no standard errors, and values rest on what was seen of spend so far."
    ]


def _starts(study: Study) -> list[str]:
    """Fits whose starts led to different optima."""
    fit, form = study.fit, study.context.form
    return [
        f"The fit of {what} has more than one optimum: log-likelihood {form.number(model.log_likelihood_, 2)}, which was taken, and {form.number(model.lesser_optima_[0], 2)}. What depends on which of them holds is less sure than the intervals say."
        for what, model in (("purchases", fit.purchases), ("spend", fit.spend))
        if model.lesser_optima_
    ]


def _money(source: str) -> list[str]:
    """A margin that is not known."""
    if source == "revenue":
        return ["No costs are known, so value is revenue. Give margin=0.3, say, to see profit, and what it pays to invest."]
    if source == "loss":
        return [
            "By their unit costs, products cost more than what they were sold for brought in. "
            "No value can be made of that, so value is revenue. "
            "Check the costs, or give margin=0.3, say."
        ]
    return []


def _unfinished(study: Study) -> list[str]:
    """A round that may have more to come."""
    base, last = study.base, study.base.known
    if base.words is not ROUNDS or last.year != base.end.year or last >= base.end.replace(day=24):
        return []
    return [
        f"The last {base.words.deed} is of {study.context.form.day(last)}: if the year has more to come, its {base.words.deeds} are counted too low here. "
        "Give as_of, the last day of the year before, to leave it out."
    ]


def _checked(study: Study) -> list[str]:
    """What the holdout period says against the forecast."""
    tested, words, form = study.tested, study.base.words, study.context.form
    if tested is None:
        return [f"{study.untested} So nothing was checked."]
    out = []
    row = tested.of(tested.best)
    # What is seen is a whole number, and the interval is shown in whole numbers.
    if not row["forecast_low"] - 0.5 < row["seen"] < row["forecast_high"] + 0.5:
        ends = form.span(row["forecast_low"], row["forecast_high"], "count")
        side = "more" if row["seen"] > row["forecast_high"] else "fewer"
        out.append(
            f"In the last {words.span(tested.holdout)} there were {form.count(row['seen'])} {words.deeds}, {side} than the forecast's {form.share(study.params.level)} interval of {ends}: the intervals on this page leave out what made it miss, such as seasons and campaigns."
        )
    out += _beaten(tested, words, form)
    return out + [f"{label_of(name)} was not fitted: {reason}" for name, reason in tested.failed.items()]


def _beaten(tested: Backtest, words: Words, form: Format) -> list[str]:
    """Where a simple rule did at least as well as the model, it is said."""
    model = tested.of(tested.best)
    out = []
    for rule, name in RULES.items():
        row = tested.of(rule)
        better = []
        if row["error"] < model["error"] - 1e-6:
            better.append(
                f"its error was {form.number(row['error'])} {words.deeds} per {words.one}, the model's {form.number(model['error'])}"
            )
        if row["gini"] > model["gini"] + 1e-6:
            ours = form.measured(model["gini"], model["gini_low"], model["gini_high"])
            better.append(
                f"it ranked {words.many} by spend better (Gini {form.number(row['gini'])} against {ours.value}, {ours.interval})"
            )
        if better:
            out.append(f"The simple rule “{name}” did better than the model in the holdout period: {' and '.join(better)}.")
    return out


def limits(study: Study) -> tuple[str, ...]:
    """What the page cannot say."""
    found, summary, words, form = study.found, study.fit.summary, study.base.words, study.context.form
    endless = math.isinf(found.horizon)
    out = [
        f"Only today's {words.many} are valued, at the pace and spend of their own past; no {words.one} to come, no season, no campaign is in it.",
    ]
    if words is not ROUNDS:
        out.append(f"A {words.one} from before the history counts as new when first seen in it.")
    if endless:
        out.append(
            f"Value at risk says what certainty about a {words.one} would be worth. It does not say that anything keeps them: test that."
        )
    if endless and name_of(study.fit.purchases) == NAMES["bg_nbd"]:
        out.append(f"BG/NBD takes everybody with a single {words.deed} for active, so none of their value counts as at risk.")
    back = -float(summary["returned"].sum()) if "returned" in summary else 0.0
    if back > 0:
        share = form.share(back / float(summary["total_spend"].sum()))
        out.append(f"Returns on days without a purchase ({share} of what was spent) are not taken off the values.")
    total, near = found.sums.loc["total", "value"], found.sums.loc["total_ahead", "value"]
    if endless and total > 0:
        later = form.share(max(1 - near / total, 0.0))
        out.append(f"{later} of the value comes after the next {words.span(found.ahead)}: it rests on the model alone.")
    return tuple(out)


def method(study: Study) -> Method:
    """Source, assumptions and words of the page."""
    fit, params, words, form = study.fit, study.params, study.base.words, study.context.form
    purchases, spend, margin = fit.purchases, fit.spend, form.share(fit.model.margin)
    name = name_of(purchases)
    if params.model:
        chosen = "as asked"
    elif len(study.base.models) == 1:
        chosen = f"the model of what may be done once in every {words.period}"
    else:
        chosen = "chosen by the holdout period" if fit.choice.by == "holdout" else "chosen by AIC"
    points = [
        f"Purchases: {name}, {chosen}, by maximum likelihood on {form.count(purchases.n_states_)} distinct states of {form.count(purchases.n_customers_)} {words.many}; log-likelihood {form.number(purchases.log_likelihood_, 2)}, in {words.periods}.",
        f"Spend: Gamma-Gamma, on {form.count(spend.n_customers_)} {words.many} who came again; correlation of frequency and spend {_correlation(spend, form, params.level)}. "
        f"{form.count(fit.model.n_left_out_)} with repeat spend of 0 or less were left out of that fit, and are valued at the spend of somebody of whom nothing is known.",
        f"Intervals are at {form.share(params.level)}, from the posterior under weak priors (importance sampling, no MCMC). "
        "Sums carry both models' uncertainty and chance; each single value in the list is an interval of what that one will bring.",
        f"Discounting: {form.share(params.rate)} a year, continuously, δ = ln(1 + rate) / {_units(words.unit)} per {words.period}.",
        {
            "given": f"Gross margin: {margin}, as given.",
            "costs": f"Gross margin: {margin}, from the unit costs of products with {form.share(fit.covered)} of revenue.",
            "revenue": "Gross margin: not known; value is revenue.",
            "loss": "Gross margin: not above 0 by the unit costs of what was sold; value is revenue.",
        }[fit.source],
        f"Tiers: {words.many} by value, cut at the top 10, 30 and 60 %; equal values are in one tier.",
        _cross_checked(fit),
    ]
    once = words.period if words is ROUNDS else "day"
    return Method(
        "Fader, Hardie and Lee (2005), Schmittlein, Morrison and Colombo (1987), Batislam, Denizel and Filiztekin (2007), Fader, Hardie and Shang (2010), and Fader and Hardie (2013) for spend.",
        tuple(points),
        {
            "P(alive)": f"probability that a {words.one} has not dropped out for good",
            "Value": f"discounted money that a {words.one} will still bring, the past not counted",
            **QUANTITIES.explained("value_at_risk"),
            f"Repeat {words.deeds}": f"{words.deeds} after the first; several in one {once} are one",
        },
    )


def _units(unit: str) -> str:
    return {"week": "52.17857", "year": "1"}[unit]


def _correlation(spend: GammaGamma, form: Format, level: float) -> str:
    """The correlation and its interval, by Fisher's transformation."""
    n, r = spend.n_customers_, spend.correlation_
    if n < 4 or abs(r) >= 1:
        return f"{form.number(r)} (no interval)"
    half = normal_quantile(level) / math.sqrt(n - 3)
    return str(form.measured(r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)))


def _cross_checked(fit: Modelled) -> str:
    """What the lifetimes package says of the same customers."""
    parts = []
    for model, label in ((fit.purchases, name_of(fit.purchases)), (fit.spend, "Gamma-Gamma")):
        found = cross_check(model)
        if "parameters" in found:
            gap = found["parameters"]
            limit = next((text for bound, text in ((1e-4, "1e-4"), (1e-3, "1e-3"), (1e-2, "1e-2")) if gap < bound), None)
            parts.append(
                f"for {label} lifetimes " + (f"agrees to {limit}" if limit else f"finds other estimates, {gap:.0%} off")
            )
        elif "log_likelihood" in found:
            close = "agrees to 1e-4 on" if found["log_likelihood"] < 1e-4 else f"differs by {found['log_likelihood']:.1e} in"
            parts.append(f"for {label} lifetimes {close} the log-likelihood at these estimates")
        else:
            parts.append(f"for {label} lifetimes cannot compute the likelihood of these data")
    return f"Cross-check with the package lifetimes: {'; '.join(parts)}."

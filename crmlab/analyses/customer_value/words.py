"""What the page of customer value says: findings, warnings, limits, method."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from crmlab.analyses.customer_value import tables as views
from crmlab.analyses.customer_value.backtesting import RULES, Backtest, label_of
from crmlab.analyses.customer_value.base import Base
from crmlab.analyses.customer_value.tiers import TIERS, Valuation
from crmlab.history.words import ROUNDS
from crmlab.models.btyd.customer_value import CustomerValue
from crmlab.models.btyd.fitting import NO_DROPOUT
from crmlab.models.btyd.gamma_gamma import GammaGamma
from crmlab.models.btyd.lifetimes_bridge import cross_check
from crmlab.models.intervals import normal_quantile
from crmlab.page.result import Estimate, Finding, Findings, Method

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.analyses.customer_value.params import Params
    from crmlab.models.btyd.btyd import BuyTillYouDie
    from crmlab.page.format import Format

__all__ = ["DEPENDENT", "UNKNOWN", "absent_of", "findings_of", "limits_of", "method_of", "metrics_of", "warnings_of", "what_of"]


UNKNOWN = ("revenue", "loss")  # sources of a margin that is none
DEPENDENT = 0.3  # correlation of frequency and spend from which the page warns


def what_of(model: CustomerValue, found: Valuation, base: Base, form: Format, source: str) -> str:
    """What value is: of what, over how long, at which discount."""
    kind = "revenue" if source in UNKNOWN else f"gross margin ({form.share(model.margin)} of spend)"
    span = "without end" if math.isinf(found.horizon) else f"over {base.words.span(found.horizon)}"
    return f"expected {kind} {span}, discounted at {form.share(model.rate)} a year"


def absent_of(seen: bool, why: str) -> dict[str, str]:
    """Parts of the page that these data do not allow, and why."""
    out: dict[str, str] = {}
    if not seen:
        out |= dict.fromkeys(("invest", "maps"), "Drop-out cannot be seen yet, so nobody's value can be said to be at risk.")
    if why:
        out |= dict.fromkeys(("scores", "models", "calibration", "track"), why)
    return out


def findings_of(
    found: Valuation, tested: Backtest | None, base: Base, form: Format, level: float, seen: bool, source: str
) -> Findings:
    """At most three findings, each with its interval and the metric it shows."""
    words, sums = base.words, found.sums
    at = form.share(level)
    money = "revenue" if source in UNKNOWN else "margin"
    total, near, top = sums.loc["total"], sums.loc["total_ahead"], sums.loc["top_share"]
    if seen:
        text = f"is what today's {form.count(len(found.customers))} {words.many} will still bring in discounted {money}; {form.money(near['value'])} of it in the next {words.span(found.ahead)}."
    else:
        text = (
            f"is what today's {form.count(len(found.customers))} {words.many} will bring in discounted {money} in the next {words.span(found.ahead)}. "
            "Nobody is seen to have left yet, so value beyond that cannot be told."
        )
    result = [
        Finding(
            form.money(total["value"]), text, f"{form.interval(total['low'], total['high'], 'money')}, at {at}", "value_total"
        ),
        Finding(
            form.share(top["value"]),
            f"of that value lies with the tenth of {words.many} worth most. Care for them first.",
            f"{form.interval(top['low'], top['high'], 'share')}, at {at}",
            "value_share_top_tenth",
        ),
    ]
    if seen:
        risk = sums.loc["risk_A"]
        if source in UNKNOWN:
            keeping = (
                f"of revenue per {words.one} of tier A is at risk, on average: keeping one may cost at most the margin in it."
            )
        else:
            keeping = f"is the most that keeping a {words.one} of tier A may cost, on average, if the measure always works."
        result.append(
            Finding(
                form.amount(risk["value"]),
                f"{keeping}",
                f"{form.interval(risk['low'], risk['high'], 'amount')}, at {at}",
                "value_at_risk_A",
            )
        )
    elif tested is not None and tested.of(tested.best)["seen"] > 0:
        row = tested.of(tested.best)
        result.append(
            Finding(
                form.share(abs(row["bias"])),
                f"too {'low' if row['bias'] < 0 else 'high'} was the forecast of {words.deeds} for the last {words.span(tested.holdout)}, which we know already.",
                f"{form.interval(row['bias_low'], row['bias_high'], 'share')} off, at {at}",
                "holdout_bias",
            )
        )
    return Findings(result)


def metrics_of(found: Valuation, tested: Backtest | None, level: float, currency: str, seen: bool) -> dict[str, Estimate]:
    """What two runs are compared on."""

    def estimate(name: str, unit: str) -> Estimate:
        row = found.sums.loc[name]
        return Estimate(float(row["value"]), float(row["low"]), float(row["high"]), level, unit)

    metrics = {
        "customers": Estimate(float(len(found.customers)), unit="customers"),
        "value_total": estimate("total", currency),
        "value_within_horizon": estimate("total_ahead", currency),
        "value_share_top_tenth": estimate("top_share", "share"),
        "expected_purchases": estimate("purchases", "purchases"),
    }
    if seen:
        metrics["customers_alive"] = estimate("alive", "customers")
    for name in TIERS:
        if f"value_{name}" in found.sums.index:
            metrics[f"value_tier_{name}"] = estimate(f"value_{name}", currency)
            if seen:
                metrics[f"value_at_risk_{name}"] = estimate(f"risk_{name}", currency)
    if tested is not None:
        row = tested.of(tested.best)
        for name in ("bias", "gini", "covered"):
            metrics[f"holdout_{name}"] = Estimate(
                float(row[name]), float(row[f"{name}_low"]), float(row[f"{name}_high"]), level, "share"
            )
    return metrics


def warnings_of(
    model: CustomerValue,
    found: Valuation,
    tested: Backtest | None,
    why: str,
    base: Base,
    form: Format,
    source: str,
    level: float,
    cap: float | None,
) -> tuple[str, ...]:
    """What a reader must know before acting."""
    words, purchases = base.words, model.purchases
    assert purchases is not None
    out = []
    if purchases.boundary_ == NO_DROPOUT:
        out.append(
            f"Drop-out cannot be seen yet ({purchases.boundary_}): the estimates are on the boundary, have no standard errors, and take every {words.one} for active. "
            f"P(alive) and value at risk would mean nothing and are left out; value is given for {words.span(found.ahead)} only."
        )
    elif purchases.boundary_ is not None:
        out.append(
            f"The estimates are on the boundary ({purchases.boundary_}): they have no standard errors, and what they say of differences between {words.many} rests on few {words.many} or a short history."
        )
    if source == "revenue":
        out.append("No costs are known, so value is revenue. Give margin=0.3, say, to see profit, and what it pays to invest.")
    if source == "loss":
        out.append(
            "By their unit costs, products cost more than what they were sold for brought in. "
            "No value can be made of that, so value is revenue. "
            "Check the costs, or give margin=0.3, say."
        )
    last = base.known
    if base.words is ROUNDS and last.year == base.end.year and last < base.end.replace(day=24):
        out.append(
            f"The last {words.deed} is of {form.day(last)}: if the year has more to come, its {words.deeds} are counted too low here. "
            "Give as_of, the last day of the year before, to leave it out."
        )
    if tested is None:
        out.append(f"{why} So nothing was checked.")
    else:
        row = tested.of(tested.best)
        # What is seen is a whole number, and the interval is shown in whole numbers.
        if not row["forecast_low"] - 0.5 < row["seen"] < row["forecast_high"] + 0.5:
            ends = form.interval(row["forecast_low"], row["forecast_high"], "number")
            side = "more" if row["seen"] > row["forecast_high"] else "fewer"
            out.append(
                f"In the last {words.span(tested.holdout)} there were {form.count(row['seen'])} {words.deeds}, {side} than the forecast's {form.share(level)} interval of {ends}: the intervals on this page leave out what made it miss, such as seasons and campaigns."
            )
        out += _beaten(tested, base, form)
        out += [f"{label_of(name)} was not fitted: {reason}" for name, reason in tested.failed.items()]
    if cap is not None:
        out.append(
            f"A few spend so much that their mean would be infinite for the model: mean spend above {form.exact(cap)} was taken as that, so value is on the low side."
        )
    correlation = getattr(model.spend_, "correlation_", 0.0)
    if abs(correlation) >= DEPENDENT:
        out.append(
            f"Those who come more often spend {'more' if correlation > 0 else 'less'} each time (correlation {form.number(correlation)}), which the model of spend takes to be unrelated: values at the ends of the list are off."
        )
    return tuple(out)


def _beaten(tested: Backtest, base: Base, form: Format) -> list[str]:
    """Where a simple rule did at least as well as the model, it is said."""
    model, one = tested.of(tested.best), base.words.one
    out = []
    for rule, words in RULES.items():
        row = tested.of(rule)
        better = []
        if row["error"] < model["error"] - 1e-6:
            better.append(
                f"its error was {form.number(row['error'])} {base.words.deeds} per {one}, the model's {form.number(model['error'])}"
            )
        if row["gini"] > model["gini"] + 1e-6:
            better.append(
                f"it ranked {base.words.many} by spend better (Gini {form.number(row['gini'])} against {form.number(model['gini'])}, {form.interval(model['gini_low'], model['gini_high'])})"
            )
        if better:
            out.append(f"The simple rule “{words}” did better than the model in the holdout period: {' and '.join(better)}.")
    return out


def limits_of(found: Valuation, base: Base, summary: pd.DataFrame, form: Format) -> tuple[str, ...]:
    """What the page cannot say."""
    words, purchases = base.words, found.model.purchases
    endless = math.isinf(found.horizon)
    out = [
        f"Only today's {words.many} are valued, at the pace and spend of their own past; no {words.one} to come, no season, no campaign is in it.",
    ]
    if base.words is not ROUNDS:
        out.append(f"A {words.one} from before the history counts as new when first seen in it.")
    if endless:
        out.append(
            f"Value at risk says what certainty about a {words.one} would be worth. It does not say that anything keeps them: test that."
        )
    if endless and type(purchases).__name__ == "BGNBD":
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


def method_of(
    model: CustomerValue, tested: Backtest | None, base: Base, params: Params, source: str, covered: float, form: Format
) -> Method:
    """Source, assumptions and words of the page."""
    words, purchases, spend = base.words, model.purchases, model.spend_
    assert purchases is not None
    name = views.name_of(purchases)
    if params.model:
        chosen = "as asked"
    elif len(base.models) == 1:
        chosen = f"the model of what may be done once in every {words.period}"
    else:
        chosen = "chosen by the holdout period" if tested is not None else "chosen by AIC"
    points = [
        f"Purchases: {name}, {chosen}, by maximum likelihood on {form.count(purchases.n_states_)} distinct states of {form.count(purchases.n_customers_)} {words.many}; log-likelihood {form.number(purchases.log_likelihood_, 2)}, in {words.periods}.",
        f"Spend: Gamma-Gamma, on {form.count(spend.n_customers_)} {words.many} who came again; correlation of frequency and spend {form.number(spend.correlation_)} ({_correlation_interval(spend, form, params.level)}). "
        f"{form.count(model.n_left_out_)} with repeat spend of 0 or less were left out of that fit, and are valued at the spend of somebody of whom nothing is known.",
        f"Intervals are at {form.share(params.level)}, from the posterior under weak priors (importance sampling, no MCMC). "
        "Sums carry both models' uncertainty and chance; each single value in the list is an interval of what that one will bring.",
        f"Discounting: {form.share(params.rate)} a year, continuously, δ = ln(1 + rate) / {_units(words.unit)} per {words.period}.",
        {
            "given": f"Gross margin: {form.share(model.margin)}, as given.",
            "costs": f"Gross margin: {form.share(model.margin)}, from the unit costs of products with {form.share(covered)} of revenue.",
            "revenue": "Gross margin: not known; value is revenue.",
            "loss": "Gross margin: not above 0 by the unit costs of what was sold; value is revenue.",
        }[source],
        f"Tiers: {words.many} by value, cut at the top 10, 30 and 60 %; equal values are in one tier.",
        _checked(purchases, spend, name),
    ]
    once = words.period if words is ROUNDS else "day"
    return Method(
        "Fader, Hardie and Lee (2005), Schmittlein, Morrison and Colombo (1987), Batislam, Denizel and Filiztekin (2007), Fader, Hardie and Shang (2010), and Fader and Hardie (2013) for spend.",
        tuple(points),
        {
            "P(alive)": f"probability that a {words.one} has not dropped out for good",
            "Value": f"discounted money that a {words.one} will still bring, the past not counted",
            "Value at risk": "value if certainly still active, less value as things stand: (1 − P(alive)) times the first",
            f"Repeat {words.deeds}": f"{words.deeds} after the first; several in one {once} are one",
        },
    )


def _units(unit: str) -> str:
    return {"week": "52.17857", "year": "1"}[unit]


def _correlation_interval(spend: GammaGamma, form: Format, level: float) -> str:
    """Interval of the correlation, by Fisher's transformation."""
    n, r = spend.n_customers_, spend.correlation_
    if n < 4 or abs(r) >= 1:
        return "no interval"
    half = normal_quantile(level) / math.sqrt(n - 3)
    return form.interval(math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half))


def _checked(purchases: BuyTillYouDie, spend: GammaGamma, name: str) -> str:
    """What the lifetimes package says of the same customers."""
    parts = []
    for model, label in ((purchases, name), (spend, "Gamma-Gamma")):
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

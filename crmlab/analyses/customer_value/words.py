"""What the page of customer value says: findings, warnings, limits, method."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from crmlab.analyses.customer_value.backtesting import label_of
from crmlab.analyses.customer_value.kinds import name_of
from crmlab.analyses.customer_value.params import NAMES
from crmlab.analyses.customer_value.quantities import QUANTITIES
from crmlab.analyses.customer_value.reasons import reason_said
from crmlab.analyses.customer_value.sentences import left_for_good, money_of, spend_of, total_said
from crmlab.analyses.customer_value.standings import rivals_said, standing_said
from crmlab.analyses.customer_value.valuation import ALL
from crmlab.history.words import ROUNDS
from crmlab.models.btyd.fitting import NO_DROPOUT
from crmlab.models.btyd.gamma_gamma import CONSTANT
from crmlab.models.btyd.lifetimes_bridge import cross_check
from crmlab.models.intervals import normal_quantile
from crmlab.page.estimate import Estimate
from crmlab.page.result import Finding, Findings, Method
from crmlab.page.texts import joined

if TYPE_CHECKING:
    from crmlab.analyses.customer_value.scoring import Modelled
    from crmlab.analyses.customer_value.study import Study
    from crmlab.models.btyd.gamma_gamma import GammaGamma
    from crmlab.page.format import Format

__all__ = ["TITLE", "findings", "limits", "method", "metrics", "warnings"]

TITLE = "What our customers are worth, and what it is worth spending to keep them"
DEPENDENT = 0.3  # correlation of frequency and spend from which the page warns

_EXPLAINED = ("if_loyal", "value_today", "at_risk", "most_to_spend")


def findings(study: Study) -> Findings:
    """At most three findings, each with its interval and the metric it shows."""
    found, words, form = study.found, study.base.words, study.context.form
    at, people = form.share(study.params.level), len(study.found.customers)
    if study.few:
        who = f"{words.one} is" if people == 1 else f"{words.many} are"
        text = f"{who} too few to say what they will {words.blanks['bring']}: a single one of them could decide the result."
        return Findings([Finding(form.count(people), text, metric="customer_base")])
    total, money = found.sums.loc[ALL], money_of(study.worth)
    whole = form.measured(total["value"], total["value_low"], total["value_high"], "money")
    result = [Finding(whole.value, total_said(study.worth, found.sums, form), f"{whole.interval}, at {at}", "value_total")]
    if study.worth.alike:
        text = f"{words.many} are all worth the same, so none of them ranks above another."
        return Findings([*result, Finding(form.count(people), text, metric="customer_base")])
    top = found.sums.loc["A"]
    share = form.measured(top["value_share"], top["value_share_low"], top["value_share_high"], "share")
    consent = study.best.said(form)
    care = f"of that value lies with tier A, the {form.count(top['customers'])} {words.many} who are worth most."
    result.append(Finding(share.value, f"{care} {consent}" if consent else care, f"{share.interval}, at {at}", "value_share_A"))
    if study.fit.seen and not np.isnan(top["most_to_spend"]):
        whom = f"a tier A {words.one}{' who may be contacted' if study.best.told else ''}"
        if study.fit.margin.known:
            keeping = f"is the most it is worth spending, on average, to keep {whom}, even if the effort always works."
        else:
            keeping = (
                f"of {money} is the most, on average, that an effort to keep {whom} can save, even if it always works. "
                "Spend no more than the margin on it."
            )
        shown = form.measured(top["most_to_spend"], top["most_to_spend_low"], top["most_to_spend_high"], "amount")
        result.append(Finding(shown.value, keeping, f"{shown.interval}, at {at}", "most_to_spend_tier_A"))
    return Findings(result)


def metrics(study: Study) -> dict[str, Estimate]:
    """What two runs are compared on."""
    found, tested, level, currency = study.found, study.tested, study.params.level, study.context.form.currency
    total, seen = found.sums.loc[ALL], study.fit.seen
    out = {
        "customer_base": Estimate(float(len(found.customers)), unit="customers"),
        "value_total": Estimate.of(total, level, currency, "value"),
        "value_within_horizon": Estimate.of(found.near, level, currency),
        "if_loyal_total": Estimate.of(total, level, currency, "if_loyal"),
        "expected_purchases_total": Estimate.of(found.purchases, level, "purchases"),
    }
    if seen:
        out |= {f"{name}_total": Estimate.of(total, level, currency, name) for name in ("value_today", "at_risk")}
        out["customers_alive"] = Estimate.of(found.alive, level, "customers")
    out |= _seasonal(study)
    for name, row in () if study.few else found.sums.drop(index=ALL).iterrows():
        out[f"value_tier_{name}"] = Estimate.of(row, level, currency, "value")
        out[f"value_share_{name}"] = Estimate.of(row, level, "share", "value_share")
        if seen:
            out[f"at_risk_tier_{name}"] = Estimate.of(row, level, currency, "at_risk")
        if seen and not np.isnan(row["most_to_spend"]):
            out[f"most_to_spend_tier_{name}"] = Estimate.of(row, level, currency, "most_to_spend")
    if tested is not None:
        row = tested.of(tested.best)
        for name in ("bias", "gini", "covered"):
            if np.isnan(row[name]):
                continue  # all came to the same: nobody could be ranked
            out[f"holdout_{name}"] = Estimate.of(row, level, "share", name)
    return out


def _seasonal(study: Study) -> dict[str, Estimate]:
    """Peak and trough of a season that forecasts follow, and how the level moved."""
    found, level = study.seasonal, study.params.level
    if not found.shown:
        return {}
    grown = found.grown
    out = {"level_change": Estimate(grown[0], grown[1], grown[2], level, "share")}
    for name, one in zip(("season_peak", "season_trough"), found.ends if found.season.used else (), strict=False):
        out[name] = Estimate(one.rate, one.low, one.high, level, "times the mean")
    return out


def warnings(study: Study) -> tuple[str, ...]:
    """What a reader must know before acting."""
    fit, words, form = study.fit, study.base.words, study.context.form
    give = spend_of(words, "give")
    out = [
        *_boundary(study),
        *_spend(study),
        *_starts(study),
        *_money(study),
        *_unfinished(study),
        *_season(study),
        *_checked(study),
        *rivals_said(study),
    ]
    if fit.cap is not None:
        out.append(
            f"A few {words.many} {give} so much that, for the model, the mean would be infinite: means above {form.amount(fit.cap)} were taken as {form.amount(fit.cap)}, so values are on the low side."
        )
    correlation = fit.spend.correlation_
    if abs(correlation) >= DEPENDENT:
        out.append(
            f"{words.many.capitalize()} who {words.blanks['buy']} more often {give} {'more' if correlation > 0 else 'less'} each time (correlation {form.number(correlation)}), but the model takes the two to be unrelated: values at the two ends of the list are off."
        )
    return tuple(out)


def _boundary(study: Study) -> list[str]:
    """Estimates on the boundary."""
    boundary, words = study.fit.purchases.boundary_, study.base.words
    if boundary is None:
        return []
    if boundary == NO_DROPOUT:
        return [
            f"Drop-out cannot be measured yet: nobody seems to have dropped out, so everyone is taken to be a {words.one} still. "
            f"What rests on drop-out (the chance of still being a {words.one}, value today and value at risk) is left out, and value is given for {words.span(study.found.ahead)} only.",
            left_for_good(words),
        ]
    return [
        f"What is said about differences between {words.many} rests on few {words.many} or a short history ({words.told(boundary)})."
    ]


def _spend(study: Study) -> list[str]:
    """Spend on the boundary: it does not vary at all, or not within customers, or not between them."""
    spend, words = study.fit.spend, study.base.words
    if spend.boundary_ is None:
        return []
    if spend.boundary_ == CONSTANT:
        amount = study.context.form.exact(spend.params_["v"])
        return [
            f"Every {words.deed} after the first was for the same amount, {amount}: values assume the same for all that are still to come, and their intervals allow only for how many there will be."
        ]
    return [
        f"Little can be learnt about {spend_of(words, 'amounts given')} ({words.told(spend.boundary_)}), so values rest on what was {words.blanks['paid']} so far."
    ]


def _starts(study: Study) -> list[str]:
    """Fits whose starts led to different optima."""
    fit, form = study.fit, study.context.form
    deeds, spent = study.base.words.deeds, spend_of(study.base.words, "amounts given")
    return [
        f"The fit of {what} has more than one optimum: log-likelihood {form.number(model.log_likelihood_, 2)}, which was taken, and {form.number(model.lesser_optima_[0], 2)}. What depends on which of them holds is less certain than the intervals say."
        for what, model in ((deeds, fit.purchases), (spent, fit.spend))
        if model.lesser_optima_
    ]


def _money(study: Study) -> list[str]:
    """How to give a margin, where none is known."""
    return study.fit.margin.wanted("to see profit, and how much keeping a customer is worth")


def _unfinished(study: Study) -> list[str]:
    """A round that may have more to come."""
    base, last = study.base, study.base.known
    if base.words is not ROUNDS or last.year != base.end.year or last >= base.end.replace(day=24):
        return []
    return [
        f"The last {base.words.deed} is dated {study.context.form.day(last)}: if the year has more to come, its {base.words.deeds} are undercounted here. "
        "To leave that year out, set as_of to the last day of the year before."
    ]


def _season(study: Study) -> list[str]:
    """That no season is followed where one may be there, and how much of the interval of the value allows for it."""
    if study.seasonal.followed or study.seasonal.season.by in ("rounds", "off"):
        return []
    return [f"{study.seasonal.said(study.context.form)} {_part_of_season(study)}"]


def _part_of_season(study: Study) -> str:
    """Which part of the interval of the value comes from what is not known of season and level."""
    whole, known, form = study.found.sums.loc[ALL], study.found.if_known, study.context.form
    what = "a season not yet seen" if study.seasonal.clock is None else "uncertainty about season and level"
    wide = form.span(whole["value_low"], whole["value_high"], "money")
    narrow = form.span(known["low"], known["high"], "money")
    if wide == narrow:
        return f"The interval of the value ({wide}) is as wide as the last forecast was wrong, which is more than {what} would add."
    if min(whole["value_low"], known["low"]) <= 0:
        return f"The interval of the value is {wide}; without {what} it would be {narrow}."
    part = 1 - np.log(known["high"] / known["low"]) / np.log(whole["value_high"] / whole["value_low"])
    return f"{form.share(float(part))} of the width of the interval of the value ({wide}) comes from {what}; without that, the interval would be {narrow}."


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
            f"In the last {words.span(tested.holdout)} there were {form.count(row['seen'])} {words.deeds}, {side} than the forecast’s {form.share(study.params.level)} interval of {ends}. {_why_missed(study)} may be why. Intervals of sums are at least as wide as this miss; those of individual {words.many} are not."
        )
    return out + [f"{label_of(name)} was not fitted: {reason_said(reason, words)}" for name, reason in tested.failed.items()]


def _why_missed(study: Study) -> str:
    return "Growth or campaigns" if study.seasonal.followed else "Seasons, growth or campaigns"


def limits(study: Study) -> tuple[str, ...]:
    """What the page cannot say."""
    found, summary, words, form = study.found, study.fit.summary, study.base.words, study.context.form
    endless = math.isinf(found.horizon)
    left_out = f"new {words.many} and campaigns" if study.seasonal.followed else f"new {words.many}, seasons and campaigns"
    out = [
        f"Only today’s {words.many} are valued, at their own past pace and {spend_of(words, 'amounts')}; {left_out} are not included.",
        words.decided,
    ]
    if study.seasonal.followed:
        out.append("The season is assumed to return as in past years, and the level to stay as it is.")
    if words is not ROUNDS:
        out.append(f"{words.many.capitalize()} from before the history begins count as new when they first appear in it.")
    if endless:
        out.append(
            f"“At risk” and “most to spend” say what keeping a {words.one} would be worth. They do not say that any effort works: test that."
        )
    if endless and name_of(study.fit.purchases) == NAMES["bg_nbd"]:
        out.append(
            f"BG/NBD treats anyone with a single {words.deed} as a {words.one} for ever, so nothing of theirs counts as at risk."
        )
    back = -float(summary["returned"].sum()) if "returned" in summary else 0.0
    if back > 0:
        share = form.share(back / float(summary["total_spend"].sum()))
        out.append(
            f"Returns on days without a purchase ({share} of what was {words.blanks['paid']}) are not deducted from the values."
        )
    total, near = found.sums.loc[ALL, "value"], found.near["value"]
    if endless and total > 0:
        later = form.share(max(1 - near / total, 0.0))
        out.append(
            f"{later} of the value comes after the next {words.span(found.ahead)}, so that part rests on the model alone."
        )
    return tuple(out)


def method(study: Study) -> Method:
    """Source, assumptions and words of the page."""
    fit, params, words, form = study.fit, study.params, study.base.words, study.context.form
    purchases, spend, spent = fit.purchases, fit.spend, spend_of(words, "amounts given")
    name = name_of(purchases)
    points = [
        f"{words.deeds.capitalize()}: {name}, {_why_chosen(study)}. Fitted by maximum likelihood to {form.count(purchases.n_states_)} different {words.deed} histories of {form.count(purchases.n_customers_)} {words.many}; log-likelihood {form.number(purchases.log_likelihood_, 0)}, with time in {words.periods}.",
        standing_said(study),
        f"{spent.capitalize()}: Gamma-Gamma, on {form.count(spend.n_customers_)} {words.many} who {words.did} again; correlation of frequency and {spend_of(words)} {_correlation(spend, form, params.level)}. "
        f"{words.many.capitalize()} whose mean {spend_of(words)} per repeat {words.deed} is 0 or less (here {form.count(fit.model.n_left_out_) if fit.model.n_left_out_ else 'none'}) were left out of that fit and are valued as if nothing were known about {'the size of their gifts' if words is ROUNDS else 'their spend'}.",
        f"Intervals are at {form.share(params.level)}, from the posterior under weak priors (importance sampling, no MCMC). "
        f"Intervals of sums allow for the uncertainty of both models and for chance; each interval in the list is for what that one person will {words.blanks['bring']}. "
        f"{_widening(study)}{_rivals_said(study)}",
        *_season_told(study),
        f"Discounting: {form.share(params.rate)} a year, continuously.",
        fit.margin.told(form),
        f"Tiers: {words.many} by value, cut at the top 10, 30 and 60%; {words.many} with equal values are in the same tier.",
        _cross_checked(fit, form),
    ]
    once = f"in one {words.period}" if words is ROUNDS else "on one day"
    return Method(
        "Fader, Hardie and Lee (2005), Schmittlein, Morrison and Colombo (1987), Batislam, Denizel and Filiztekin (2007), Fader, Hardie and Shang (2010), and Fader and Hardie (2013) for amounts.",
        tuple(points),
        {
            "P(alive)": f"probability that a {words.one} has not dropped out for good",
            "Value": words.fill("money that a {one} is still expected to {bring}, discounted; past {deeds} are not counted"),
            **{term: words.told(meaning) for term, meaning in QUANTITIES.explained(*_EXPLAINED).items()},
            **_terms(study),
            f"Repeat {words.deeds}": f"{words.deeds} after the first; several {once} count as one",
        },
        {f"ever {words.did}": len(study.found.customers)}
        | ({f"expected to still be {words.many}": float(study.found.alive["value"])} if fit.seen else {}),
    )


def _terms(study: Study) -> dict[str, str]:
    """What season and level mean, where they are shown."""
    if not study.seasonal.shown:
        return {}
    words = study.base.words
    return {
        "Season": f"{words.deeds} in each week of the year relative to the mean week, the same every year",
        "Level": words.fill(
            "how fast {many} {buy} compared with the last day, leaving aside season and time since joining; forecasts assume it stays as it is"
        ),
    }


def _season_told(study: Study) -> list[str]:
    """How season and level are learnt and judged, and their part of the interval of the value."""
    found, words = study.seasonal, study.base.words
    if found.season.by in ("rounds", "off", "short"):
        return []
    return [
        f"Season and level: repeat {words.deeds} in each week compared with what was expected of each {words.one}, given all that is known, so "
        "that neither growth nor departures are mistaken for a season; smoothed, and drawn towards no season where the data "
        "say little (EM with a penalised mixed model). They are used only where they improved past forecasts of the number of "
        f"{words.deeds}; the season of spend per {words.deed} is used along with that of {words.deeds} and was not tested separately. "
        "How much season and level, and unusually busy or quiet weeks, may throw a forecast off is itself learnt from few years, so intervals "
        f"allow for more of it the shorter the history is. {_part_of_season(study)}"
    ]


def _widening(study: Study) -> str:
    """How far intervals of sums reach at least."""
    if not study.worth.miss.checked:
        return "Nothing was checked, so intervals of sums are not widened."
    miss, words, form = study.worth.miss, study.base.words, study.context.form
    deeds, spent = form.number(miss.factor(money=False), 2), spend_of(words, "amounts given")
    return (
        "Intervals of sums reach at least as far up and down as the forecast was out in the holdout period: by a factor of "
        f"{form.number(miss.factor(), 2)} for money (the larger of its misses in {spent} and in {words.deeds}) and of {deeds} for {words.deeds}."
    )


def _rivals_said(study: Study) -> str:
    """Which models intervals take in beside the one that is used."""
    alternatives, form = study.worth.alternatives, study.context.form
    if not alternatives:
        return ""
    names = joined(
        f"{name_of(alternative.model.fitted_models()[0])} (weight {form.share(alternative.weight)})"
        for alternative in alternatives
    )
    return (
        f" The holdout period cannot tell {name_of(study.fit.purchases)} apart from {names}, so the intervals of sums, shares and P(alive) "
        "combine all of these models, each weighted by how well it predicted what happened (pseudo-BMA+, Yao and others 2018)."
    )


def _why_chosen(study: Study) -> str:
    """Why this model of purchases is used and no other."""
    choice, deed, form = study.fit.choice, study.base.words.deed, study.context.form
    never = f"for which anybody with a single {deed} stays a customer for ever"
    if choice.by == "given":
        return "as requested"
    if len(study.base.models) == 1:
        return f"a model for things that can be done at most once a {study.base.words.period}"
    if choice.by == "aic" or choice.ranked is None:
        return "chosen by AIC, since no holdout period could be kept back"
    if choice.by == "holdout" and choice.name != "bg_nbd":
        return "chosen because no other model predicted the holdout period better"
    row = choice.ranked.ranking.loc[choice.ranked.best_but("bg_nbd")]
    ahead = form.measured(row["behind"], row["behind_low"], row["behind_high"])
    if choice.by == "holdout":
        return (
            f"{never}, chosen because it predicted the holdout period clearly better than the others "
            f"(by a log-likelihood of {ahead.value}, {ahead.interval}); {_seasons_said(choice.seasons)}"
        )
    return (
        f"chosen although BG/NBD, {never}, predicted the holdout period better (by a log-likelihood of {ahead.value}, {ahead.interval}): "
        + _lead_lost(choice.seasons)
    )


def _earlier(tested: int) -> str:
    """The holdout periods of the same length on which the lead of BG/NBD was tested too."""
    many = {1: "the one earlier-ending period that was", 2: "both of the earlier-ending periods that were"}
    return f"{many.get(tested, f'all {tested} of the earlier-ending periods that were')} tested"


def _seasons_said(tested: int) -> str:
    """On how many earlier periods the lead of BG/NBD was clear too."""
    return f"it did so too in {_earlier(tested)}" if tested else "this could not be tested on periods that end earlier"


def _lead_lost(tested: int) -> str:
    """Where the lead of BG/NBD was not clear."""
    return f"its lead was clear in that period, but not in {_earlier(tested)}" if tested else "its lead was not clear"


def _correlation(spend: GammaGamma, form: Format, level: float) -> str:
    """The correlation and its interval, by Fisher's transformation."""
    n, r = spend.n_customers_, spend.correlation_
    if n < 4 or abs(r) >= 1:
        return f"{form.number(r)} (no interval)"
    half = normal_quantile(level) / math.sqrt(n - 3)
    return str(form.measured(r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)))


def _cross_checked(fit: Modelled, form: Format) -> str:
    """What the lifetimes package says of the same customers."""
    said: dict[str, list[str]] = {}
    for model, label in ((fit.purchases, name_of(fit.purchases)), (fit.spend, "Gamma-Gamma")):
        said.setdefault(_agreement(cross_check(model), form), []).append(label)
    parts = [f"it {what} for {'both ' if len(names) > 1 else ''}{' and '.join(names)}" for what, names in said.items()]
    return f"Cross-check with the package “lifetimes”: {'; '.join(parts)}."


def _agreement(found: dict[str, float], form: Format) -> str:
    """How far what the lifetimes package finds agrees."""
    if "parameters" in found:
        gap = found["parameters"]
        limit = next((bound for bound in (1e-4, 1e-3, 1e-2) if gap < bound), None)
        return f"agrees to within {form.share(limit)}" if limit else f"finds other estimates, {form.share(gap)} off,"
    if "log_likelihood" in found:
        gap = found["log_likelihood"]
        close = f"agrees to within {form.share(1e-4)} on" if gap < 1e-4 else f"differs by {form.share(gap)} in"
        return f"{close} the log-likelihood at these estimates"
    return "cannot compute the likelihood of these data"

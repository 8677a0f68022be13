"""Tables of customer value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.customer_value.backtesting import label_of
from crmlab.analyses.customer_value.kinds import name_of
from crmlab.analyses.customer_value.seasons import HORIZON
from crmlab.analyses.customer_value.sentences import a_year, later_spend, money_of, spend_of, what_of
from crmlab.models.intervals import LEVEL, normal_quantile
from crmlab.page.exhibits import Absent
from crmlab.page.tables import Column, Table

if TYPE_CHECKING:
    from crmlab.analyses.customer_value.study import Study

__all__ = [
    "NOT_SEEN",
    "invest_table",
    "models_table",
    "most_of",
    "nobody_asked",
    "parameters_table",
    "scores_table",
    "season_table",
    "tiers_table",
    "too_few",
]

NOT_SEEN = Absent("Drop-out cannot be measured yet, so nothing can be said to be at risk.")


def tiers_table(study: Study) -> Table | Absent:
    """Customers and value by tier, and where drop-out is seen P(alive)."""
    if study.few:
        return too_few(study)
    found, words, form = study.found, study.base.words, study.context.form
    columns = {
        "tier": Column("Tier"),
        "customers": Column(words.many.capitalize(), "count"),
        "value": Column("Value", "money", "value_low", "value_high"),
        "value_share": Column("Share of value", "share", "value_share_low", "value_share_high"),
        "value_each": Column(f"Per {words.one}", "amount", "value_each_low", "value_each_high"),
    }
    if study.fit.seen:
        columns["alive"] = Column(f"Chance still a {words.one}", "share", "alive_low", "alive_high")
    alive = f" The chance of still being a {words.one} is also called P(alive)." if study.fit.seen else ""
    caption = f"Value: {what_of(study.worth, form)}.{alive} Small figures are {form.share(study.params.level)} intervals."
    return Table(caption, found.tiers, columns, form)


def invest_table(study: Study) -> Table | Absent:
    """What a year brings per customer of each tier, what of it is at risk, and the most that keeping a customer may cost.

    All are means in cents, and at risk is the difference of the two before it as they are written.
    """
    if study.few:
        return too_few(study)
    if not study.fit.seen:
        return NOT_SEEN
    words, form, tiers = study.base.words, study.context.form, study.found.tiers
    names = [f"{name}{end}" for name in ("if_loyal", "value_today", "at_risk") for end in ("", "_low", "_high")]
    each = tiers[names].div(tiers["customers"], axis=0).round(form.cents)
    each["at_risk"] = (each["if_loyal"] - each["value_today"]).round(form.cents)
    frame = tiers[["tier", "customers", "most_to_spend", "most_to_spend_low", "most_to_spend_high"]].join(each)
    labels = {"if_loyal": "If loyal", "value_today": "Value today", "at_risk": "At risk", "most_to_spend": most_of(study)}
    columns = {name: Column(label, "exact", f"{name}_low", f"{name}_high") for name, label in labels.items()}
    caption = (
        f"{money_of(study.worth).capitalize()} per {words.one} over the next {a_year(words)}, not discounted. What a {words.one} would "
        f"{words.blanks['bring']} if certainly still a {words.one} (“if loyal”), minus “value today”, is “at risk”. The last column "
        f"covers only those who may be contacted.{nobody_asked(study)} Small figures are {form.share(study.params.level)} intervals."
    )
    return Table(caption, frame, {"tier": Column("Tier"), **columns}, form)


def most_of(study: Study) -> str:
    """What the most to spend on a customer is called: where no margin is known, it is no cost that may be met."""
    one = study.base.words.one
    if study.fit.margin.known:
        return f"Most to spend per {one}"
    return f"Most {money_of(study.worth)} that can be saved per {one}"


def nobody_asked(study: Study) -> str:
    """Say of which tiers nobody may be contacted, so that nothing may be spent on them, as a sentence with a blank before it."""
    tiers = study.found.tiers
    names = tiers.index[tiers["most_to_spend"].isna()]
    return f" Nobody of tier {' or '.join(names)} may be contacted." if len(names) else ""


def too_few(study: Study) -> Absent:
    """Why customers have no tiers."""
    many = study.base.words.many
    people = study.context.form.count(len(study.found.customers))
    return Absent(f"{people} {many} are too few for tiers: one or two of them would decide what the best tenth is worth.")


def scores_table(study: Study) -> Table | Absent:
    """The holdout score card: models and simple rules side by side."""
    found, words, form, level = study.tested, study.base.words, study.context.form, study.params.level
    if found is None:
        return Absent(study.untested)
    frame = found.scores.assign(label=[label_of(str(name)) for name in found.scores["name"]])
    columns = {
        "label": Column("Forecast by"),
        "forecast": Column(f"{words.deeds.capitalize()} forecast", "count", "forecast_low", "forecast_high"),
        "seen": Column("Actual", "count"),
        "bias": Column("Bias", "share", "bias_low", "bias_high"),
        "error": Column(f"Error per {words.one}", "number", "error_low", "error_high"),
        "spend_bias": Column(f"Bias in {spend_of(words)}", "share", "spend_bias_low", "spend_bias_high"),
        "gini": Column(f"Gini of {spend_of(words)}", "number", "gini_low", "gini_high"),
        "covered": Column("Within their interval", "share", "covered_low", "covered_high"),
    }
    caption = (
        f"Scorecard: forecasts on {form.day(found.split)} of the {words.span(found.holdout)} after it, and the actual figures. Errors "
        f"are mean absolute errors per {words.one}; a Gini of 1 is a perfect ranking of {words.many} by {later_spend(words)}, 0 a "
        f"random one; the last column should be {form.share(level)} or more (rarely exact, since counts are whole numbers). The model "
        "chosen is judged on the same period that was used to choose it, which flatters it a little. Small figures are "
        f"{form.share(level)} intervals."
    )
    return Table(caption, frame, columns, form)


def season_table(study: Study) -> Table | Absent:
    """On which earlier days forecasts with the season were tried, and how far they were off with it and without."""
    found, words, form = study.seasonal, study.base.words, study.context.form
    if not found.shown:
        return Absent(found.missing)
    tested = found.season.tested
    came = tested["seen"].where(tested["seen"] > 0)
    frame = tested.assign(
        plain_off=(tested["plain"] - came) / came,
        clock_off=(tested["clock"] - came) / came,
        label=[form.day(day) for day in tested["day"]],
    ).iloc[::-1]
    columns = {
        "label": Column("Forecast on"),
        "seen": Column(f"Actual {words.deeds}", "count"),
        "plain": Column("Forecast without season", "count"),
        "plain_off": Column("Off by", "share"),
        "clock": Column("With season", "count"),
        "clock_off": Column("Off by", "share"),
    }
    gain, low, high = found.season.gain
    side = "lower" if gain < 0 else "higher"
    shown = form.measured(-gain, -high, -low) if gain < 0 else form.measured(gain, low, high)
    caption = (
        f"Forecasts of the repeat {words.deeds} in the {words.span(HORIZON)} after these days, with and without a season, each from "
        f"what was known on that day, by MBG/NBD. The log-likelihood of what each {words.one} then did is {shown.value} {side} with "
        f"the season ({shown.interval} {side}, at {form.share(LEVEL)}, clustered by {words.one}); the season is used only where it is "
        "higher."
    )
    return Table(caption, frame, columns, form)


def models_table(study: Study) -> Table | Absent:
    """Why the model was chosen."""
    found, form = study.tested, study.context.form
    if found is None:
        return Absent(study.untested)
    frame = found.ranking.drop(columns="model").reset_index()
    frame["label"] = [label_of(str(name)) for name in frame["model_name"]]
    frame["chosen"] = ["chosen" if name == found.best else "" for name in frame["model_name"]]
    best = study.fit.choice.ranked.best if study.fit.choice.ranked is not None else found.best
    frame.loc[frame["model_name"] == best, ["behind", "behind_low", "behind_high"]] = np.nan
    # On the boundary the models are one and the same; what is left of their difference is rounding.
    frame[["behind", "behind_low", "behind_high"]] = frame[["behind", "behind_low", "behind_high"]].round(3)
    frame["boundary"] = [study.base.words.told(str(name)) for name in frame["boundary"].fillna("inside")]
    columns = {
        "label": Column("Model"),
        "holdout_log_likelihood": Column("Holdout log-likelihood", "number"),
        "behind": Column("Behind the best", "number", "behind_low", "behind_high"),
        "aic": Column("AIC before", "number"),
        "boundary": Column("Optimum"),
        "chosen": Column("Choice"),
    }
    caption = (
        f"How the models compare: the log-likelihood of what each {study.base.words.one} did in the holdout period (higher is better; "
        f"with the {form.share(study.params.level)} interval of the difference), and AIC on the history before it (lower is better)."
    )
    return Table(caption, frame, columns, form)


def parameters_table(study: Study) -> Table:
    """Estimates with intervals of the models used."""
    purchases, spend = study.fit.purchases, study.fit.spend
    form, level = study.context.form, study.params.level
    z = normal_quantile(level)
    rows = []
    for model, name in ((purchases, name_of(purchases)), (spend, "Gamma-Gamma")):
        for key, value in model.params_.items():
            error = float(model.standard_errors_[key])
            # On the log scale, so that no end is negative.
            half = z * error / value if np.isfinite(error) else np.nan
            with np.errstate(over="ignore"):
                low, high = value * np.exp(-half), value * np.exp(half)
            known = np.isfinite(high)
            ends = {"low": low if known else np.nan, "high": high if known else np.nan}
            rows.append({"model": name, "parameter": key, "value": value, **ends})
    columns = {"model": Column("Model"), "parameter": Column("Parameter"), "value": Column("Estimate", "number", "low", "high")}
    missing = purchases.standard_errors_reason_ or spend.standard_errors_reason_
    caption = f"Estimates on the whole history, with {form.share(level)} intervals from the standard errors."
    return Table(f"{caption} {study.base.words.told(missing)}" if missing else caption, pd.DataFrame(rows), columns, form)

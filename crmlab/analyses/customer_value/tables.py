"""Tables of customer value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.customer_value.backtesting import label_of
from crmlab.analyses.customer_value.params import name_of
from crmlab.analyses.customer_value.words import what_of
from crmlab.models.intervals import normal_quantile
from crmlab.page.exhibits import Absent
from crmlab.page.result import Column, Table

if TYPE_CHECKING:
    from crmlab.analyses.customer_value.study import Study

__all__ = ["models_table", "parameters_table", "scores_table", "tiers_table"]


def tiers_table(study: Study) -> Table:
    """Value, customers and, where drop-out is seen, P(alive) and what it pays to invest, by tier."""
    found, words, form = study.found, study.base.words, study.context.form
    columns = {
        "tier": Column("Tier"),
        "customers": Column(words.many.capitalize(), "count"),
        "value": Column("Value", "money", "value_low", "value_high"),
        "value_share": Column("Share of value", "share"),
        "each": Column(f"Per {words.one}", "amount", "each_low", "each_high"),
        "purchases": Column(
            f"{words.deeds.capitalize()} in {words.span(found.ahead)}", "number", "purchases_low", "purchases_high"
        ),
    }
    if study.fit.seen:
        columns["alive"] = Column("P(alive)", "share", "alive_low", "alive_high")
        at_risk = "Revenue at risk" if study.fit.revenue else "At most to invest"
        columns["risk"] = Column(f"{at_risk} per {words.one}", "amount", "risk_low", "risk_high")
    caption = (
        f"Tiers by value, {what_of(study)}. Small figures are {form.share(study.params.level)} intervals: of the tier's value with chance, "
        f"of all that is per {words.one} of the mean."
    )
    return Table(caption, found.tiers, columns, form)


def scores_table(study: Study) -> Table | Absent:
    """The holdout score card: models and simple rules side by side."""
    found, words, form, level = study.tested, study.base.words, study.context.form, study.params.level
    if found is None:
        return Absent(study.untested)
    frame = found.scores.assign(label=[label_of(str(name)) for name in found.scores["name"]])
    columns = {
        "label": Column("Forecast by"),
        "forecast": Column(f"{words.deeds.capitalize()} forecast", "count", "forecast_low", "forecast_high"),
        "seen": Column("Seen", "count"),
        "bias": Column("Bias", "share", "bias_low", "bias_high"),
        "error": Column(f"Error per {words.one}", "number", "error_low", "error_high"),
        "spend_error": Column("Error in spend", "amount", "spend_error_low", "spend_error_high"),
        "gini": Column("Gini of spend", "number", "gini_low", "gini_high"),
        "covered": Column("Inside their interval", "share", "covered_low", "covered_high"),
    }
    caption = (
        f"The score card: forecasts on {form.day(found.split)} of the {words.span(found.holdout)} after it, and what came. Errors "
        f"are mean absolute errors per {words.one}; a Gini of 1 ranks {words.many} by spend as it came, 0 by chance; the last "
        f"column should be {form.share(level)} or more (whole numbers cannot hit it). The model "
        f"chosen is shown on the period that chose it, which flatters it a little. Small figures are {form.share(level)} intervals."
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
    frame.loc[frame["model_name"] == found.best, ["behind", "behind_low", "behind_high"]] = np.nan
    # On the boundary the models are one and the same; what is left of their difference is rounding.
    frame[["behind", "behind_low", "behind_high"]] = frame[["behind", "behind_low", "behind_high"]].round(3)
    frame["boundary"] = frame["boundary"].fillna("inside").astype(str)
    columns = {
        "label": Column("Model"),
        "holdout_log_likelihood": Column("Holdout log-likelihood", "number"),
        "behind": Column("Behind the best", "number", "behind_low", "behind_high"),
        "aic": Column("AIC before", "number"),
        "boundary": Column("Optimum"),
        "chosen": Column("Choice"),
    }
    caption = (
        "How the models compare: the log-likelihood of what each customer did in the holdout period (higher is better; with "
        f"{form.share(study.params.level)} interval of the difference), and AIC on the history before it (lower is better)."
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
    return Table(f"{caption} {missing}" if missing else caption, pd.DataFrame(rows), columns, form)

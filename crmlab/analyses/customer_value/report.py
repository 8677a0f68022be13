"""The report: what was worked out, put on one page."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from crmlab.analyses.customer_value import charts as charts_of
from crmlab.analyses.customer_value import tables as views
from crmlab.analyses.customer_value.base import base_of, fit_spend
from crmlab.analyses.customer_value.params import Params
from crmlab.analyses.customer_value.study import DRAWS, YEARS_AHEAD, backtest_of, fitted, holdout_of, margin_of, names_of
from crmlab.analyses.customer_value.tiers import value_customers
from crmlab.analyses.customer_value.words import (
    UNKNOWN,
    absent_of,
    findings_of,
    limits_of,
    method_of,
    metrics_of,
    warnings_of,
    what_of,
)
from crmlab.errors import DataError
from crmlab.history.context import form_of
from crmlab.history.words import ROUNDS, YEAR_OF_WEEKS
from crmlab.models.btyd.customer_value import CustomerValue
from crmlab.models.btyd.fitting import NO_DROPOUT
from crmlab.models.btyd.gamma_gamma import GammaGamma
from crmlab.page.result import Context, Output, Result

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

__all__ = ["NEEDS", "TOO_SHORT", "run"]


NEEDS = ("orders",)
TOO_SHORT = "The history is too short to keep a part of it back."


def run(data: Dataset, params: Params = Params()) -> Result:
    """Value the customer base, and say how far the forecast behind it can be trusted.

    Parameters
    ----------
    data : Dataset
        Needs orders; takes the margin from order lines and unit costs where they are there.
    params : Params

    Returns
    -------
    Result
        Tables: tiers, scores, models, parameters. Charts: tiers, invest, calibration, track, maps, spend; invest and maps only
        where drop-out can be seen, calibration and track only where a holdout period could be kept back. Outputs: customers.

    Raises
    ------
    ParameterError
        ``as_of`` is outside the history, the holdout period leaves too little, or the model does not fit the data set.
    ModelError
        The models cannot be fitted: nobody bought again, say.

    References
    ----------
    Fader, Hardie and Lee (2005), "Counting your customers" the easy way, Marketing Science 24; and RFM and CLV, JMR 42.
    Schmittlein, Morrison and Colombo (1987); Batislam, Denizel and Filiztekin (2007); Fader, Hardie and Shang (2010).
    """
    base = base_of(data, params.as_of)
    names = names_of(base, params)
    summary = base.summary()
    if summary.empty:
        raise DataError.too_little("customer_value", "at least one customer with a purchase", "none")
    context = Context(data.name, data.title, base.end, base.first, len(summary), form_of(data))
    holdout = holdout_of(base, params)
    tested, why = (None, TOO_SHORT) if holdout is None else backtest_of(base, holdout, names, params)
    purchases = fitted(summary, names, tested, params.seed)
    margin, source, covered = margin_of(base.data, base, params)
    unfitted = CustomerValue(
        purchases=purchases,
        spend=GammaGamma(draws=DRAWS, seed=params.seed),
        margin=margin,
        rate=params.rate,
        unit=base.words.unit,
    )
    model, summary, cap = fit_spend(unfitted, summary)
    ahead = params.horizon or (YEARS_AHEAD if base.words is ROUNDS else YEAR_OF_WEEKS)
    # Any other boundary (all drop out alike, say) says nothing against drop-out.
    seen = purchases.boundary_ != NO_DROPOUT
    found = value_customers(base, model, ahead, horizon=math.inf if seen else float(ahead), level=params.level, summary=summary)
    form, what = context.form, what_of(model, found, base, context.form, source)
    tables = {
        "tiers": views.tiers_table(found, base, form, params.level, what, seen, source in UNKNOWN),
        "parameters": views.parameters_table(purchases, model.spend_, form, params.level),
    }
    charts = {"tiers": charts_of.tiers_chart(found, base, form, what)}
    if seen:
        charts["invest"] = charts_of.invest_chart(found, base, form, params.level, source in UNKNOWN)
    if tested is not None:
        tables |= {
            "scores": views.scores_table(tested, base, form, params.level),
            "models": views.models_table(tested, form, params.level),
        }
        charts |= {
            "calibration": charts_of.calibration_chart(tested, base, form, params.level),
            "track": charts_of.track_chart(tested, base, form, params.level),
        }
    if seen:
        charts["maps"] = charts_of.maps_chart(purchases, base, summary, ahead, form, params.level)
    charts["spend"] = charts_of.spend_chart(model.spend_, summary, form, params.level, base.words.deed)
    return Result(
        title="What our customers are worth, and what it pays to invest in them",
        context=context,
        params=params,
        findings=findings_of(found, tested, base, form, params.level, seen, source),
        metrics=metrics_of(found, tested, params.level, context.form.currency, seen),
        tables=tables,
        charts=charts,
        method=method_of(model, tested, base, params, source, covered, form),
        warnings=warnings_of(model, found, tested, why, base, form, source, params.level, cap),
        limits=limits_of(found, base, summary, form),
        absent=absent_of(seen, why),
        outputs={
            "customers": Output(f"List of {base.words.many} with value, tier and outlook", found.customers, ("customer_id",))
        },
    )

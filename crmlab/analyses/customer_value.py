"""Customer value: what customers will still bring, how sure that is, and the most that keeping them may cost.

The models of purchases are held against a period that is already known; the one that tells it best is fitted to the whole
history and composed with a model of spend. Where people give or renew in yearly rounds, the model is BG/BB and the page
speaks of gifts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crmlab import checks
from crmlab.analyses import value_charts as charts_of
from crmlab.analyses import value_views as views
from crmlab.analyses.common import form_of, margin_known
from crmlab.analyses.value_backtest import Backtest, backtest
from crmlab.analyses.value_base import MODELS, ROUNDS, YEAR_OF_WEEKS, Base, base_of, default_holdout, fit_spend
from crmlab.analyses.value_tiers import value_customers
from crmlab.analyses.value_words import UNKNOWN, absent_of, findings_of, limits_of, method_of, metrics_of, warnings_of, what_of
from crmlab.errors import ConvergenceError, DataError, ModelError, ParameterError
from crmlab.models.customer_value import CustomerValue
from crmlab.models.fitting import NO_DROPOUT
from crmlab.models.gamma_gamma import GammaGamma
from crmlab.result import Context, Output, Result

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.data.dataset import Dataset
    from crmlab.models.btyd import BuyTillYouDie

NEEDS = ("orders",)
YEARS_AHEAD = 3  # periods ahead where they are years
DRAWS = 500  # of the posterior
TOO_SHORT = "The history is too short to keep a part of it back."


@dataclass(frozen=True, kw_only=True)
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: str | None = None  # last day of history, ISO date; default: the last order's day
    holdout: int | None = None  # weeks (with yearly rounds: years) kept back to check forecasts; default: a third, at most 52
    horizon: int | None = None  # weeks (years) over which purchases are expected; default: 52 weeks, or 3 years
    model: str | None = None  # bg_nbd, mbg_nbd, pareto_nbd or, with rounds, bg_bb; default: the best on the holdout period
    rate: float = 0.1  # annual rate of discount: 0.1 is ten percent a year
    margin: float | None = None  # gross margin, share of spend that is kept; default: from unit costs, else value is revenue
    level: float = 0.9  # of every interval
    min_group: int = 5  # groups of the calibration have at least so many customers
    seed: int = 0  # of the posterior draws

    def __post_init__(self) -> None:
        checks.day("customer_value", "as_of", self.as_of)
        for name in ("holdout", "horizon"):
            if getattr(self, name) is not None:
                checks.whole("customer_value", name, getattr(self, name), 1)
        if self.model is not None:
            checks.choice("customer_value", "model", self.model, tuple(MODELS))
        checks.positive("customer_value", "rate", self.rate, 1)
        if self.margin is not None:
            checks.positive("customer_value", "margin", self.margin, 1)
        checks.share("customer_value", "level", self.level)
        checks.whole("customer_value", "min_group", self.min_group, 1)
        checks.whole("customer_value", "seed", self.seed, 0)


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
    names = _names(base, params)
    summary = base.summary()
    if summary.empty:
        raise DataError.too_little("customer_value", "at least one customer with a purchase", "none")
    context = Context(data.name, data.title, base.end, base.first, len(summary), form_of(data))
    holdout = _holdout(base, params)
    tested, why = (None, TOO_SHORT) if holdout is None else _tested(base, holdout, names, params)
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


def fitted(summary: pd.DataFrame, names: tuple[str, ...], tested: Backtest | None, seed: int = 0) -> BuyTillYouDie:
    """Fit the chosen model to the whole history: the best of the backtest, or where there was none the one with the lowest AIC.

    Parameters
    ----------
    summary : DataFrame
        One row per customer.
    names : tuple of str
        Models to choose from.
    tested : Backtest or None
    seed : int

    Returns
    -------
    fitted model

    Raises
    ------
    ModelError, ConvergenceError
        None can be fitted; the message is that of the first.
    """
    if tested is not None:
        return MODELS[tested.best](draws=DRAWS, seed=seed).fit(summary)
    found: list[BuyTillYouDie] = []
    first: ModelError | ConvergenceError | None = None
    for name in names:
        try:
            found.append(MODELS[name](draws=DRAWS, seed=seed).fit(summary))
        except (ModelError, ConvergenceError) as error:
            first = first or error
    if not found:
        assert first is not None
        raise first
    return min(found, key=lambda model: round(model.aic_, 2))


def margin_of(data: Dataset, base: Base, params: Params) -> tuple[float, str, float]:
    """Gross margin, where it is from, and the share of revenue on which it rests; see :func:`~crmlab.analyses.common.margin_known`."""
    return margin_known(data, base.end, params.margin)


def _names(base: Base, params: Params) -> tuple[str, ...]:
    if params.model is None:
        return base.models
    if params.model not in base.models:
        kind = "with yearly rounds" if base.words is ROUNDS else "without rounds"
        raise ParameterError.expected(
            "customer_value", "model", f"{' or '.join(base.models)} for a data set {kind}", params.model
        )
    return (params.model,)


def _holdout(base: Base, params: Params) -> int | None:
    if params.holdout is None:
        return default_holdout(base)
    least = 2 if base.words is ROUNDS else 4
    if params.holdout > base.length - least:
        left = f"a number that leaves at least {base.words.span(least)} of {base.words.span(base.length)} of history"
        raise ParameterError.expected("customer_value", "holdout", left, params.holdout)
    return params.holdout


def _tested(base: Base, holdout: int, names: tuple[str, ...], params: Params) -> tuple[Backtest | None, str]:
    try:
        return backtest(base, holdout, names, level=params.level, seed=params.seed, min_group=params.min_group), ""
    except (ModelError, ConvergenceError) as error:
        # The shorter history may hold too little (nobody had come again yet): the page says that nothing was checked, and why.
        if params.holdout is not None:
            raise
        return None, f"No forecast could be made of the last {base.words.span(holdout)}: {error}"

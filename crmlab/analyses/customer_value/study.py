"""Customer value, step by step: models held against what came, fitted to the whole history, and what customers are worth by them."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from crmlab.analyses.customer_value.backtesting import Backtest, backtest
from crmlab.analyses.customer_value.base import Base, base_of, default_holdout, fit_spend
from crmlab.analyses.customer_value.params import MODELS, Params
from crmlab.analyses.customer_value.tiers import Valuation, value_customers
from crmlab.errors import ConvergenceError, ModelError, ParameterError, TooLittleError
from crmlab.history.words import ROUNDS, YEAR_OF_WEEKS
from crmlab.models.btyd.customer_value import CustomerValue
from crmlab.models.btyd.fitting import NO_DROPOUT
from crmlab.models.btyd.gamma_gamma import GammaGamma
from crmlab.page.result import Context, Output

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset
    from crmlab.history.past import History
    from crmlab.models.btyd.btyd import BuyTillYouDie

__all__ = [
    "DRAWS",
    "TOO_SHORT",
    "YEARS_AHEAD",
    "Modelled",
    "Study",
    "backtest_of",
    "fitted",
    "holdout_of",
    "model_of",
    "modelled",
    "names_of",
    "study",
]


YEARS_AHEAD = 3  # periods ahead where they are years
DRAWS = 500  # of the posterior
TOO_SHORT = "The history is too short to keep a part of it back."


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


def names_of(base: Base, params: Params) -> tuple[str, ...]:
    """Return the names of the models to try."""
    if params.model is None:
        return base.models
    if params.model not in base.models:
        kind = "with yearly rounds" if base.words is ROUNDS else "without rounds"
        raise ParameterError.expected(
            "customer_value", "model", f"{' or '.join(base.models)} for a data set {kind}", params.model
        )
    return (params.model,)


def holdout_of(base: Base, params: Params) -> int | None:
    """Return how many periods are held back to test the models on."""
    if params.holdout is None:
        return default_holdout(base)
    least = 2 if base.words is ROUNDS else 4
    if params.holdout > base.length - least:
        left = f"a number that leaves at least {base.words.span(least)} of {base.words.span(base.length)} of history"
        raise ParameterError.expected("customer_value", "holdout", left, params.holdout)
    return params.holdout


def backtest_of(base: Base, holdout: int, names: tuple[str, ...], params: Params) -> tuple[Backtest | None, str]:
    """Return the backtest of the models, or None with the reason where the history is too short."""
    try:
        return backtest(base, holdout, names, level=params.level, seed=params.seed, min_group=params.min_group), ""
    except (ModelError, ConvergenceError) as error:
        # The shorter history may hold too little (nobody had come again yet): the page says that nothing was checked, and why.
        if params.holdout is not None:
            raise
        return None, f"No forecast could be made of the last {base.words.span(holdout)}: {error}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Modelled:
    """The models of value of a customer base.

    Attributes
    ----------
    model : CustomerValue
        Fitted to the whole history.
    summary : DataFrame
        The customers that it was fitted to: one row each, mean spend capped where a cap was needed.
    cap : float or None
        What mean spend was capped at.
    tested : Backtest or None
        What the models forecast of a period that is known; None where nothing was checked.
    untested : str
        Why nothing was checked; empty where something was.
    source : str
        Where the gross margin is from, as of :func:`crmlab.history.context.margin_known`.
    covered : float
        Share of revenue on which the gross margin rests.
    """

    model: CustomerValue
    summary: pd.DataFrame
    cap: float | None
    tested: Backtest | None
    untested: str
    source: str
    covered: float

    @property
    def purchases(self) -> BuyTillYouDie:
        """The model of purchases."""
        return self.model.fitted_models()[0]

    @property
    def spend(self) -> GammaGamma:
        """The model of spend."""
        return self.model.fitted_models()[1]

    @property
    def seen(self) -> bool:
        """Whether drop-out can be seen. Any other boundary (all drop out alike, say) says nothing against drop-out."""
        return self.purchases.boundary_ != NO_DROPOUT

    @property
    def revenue(self) -> bool:
        """Whether value is revenue, since no margin is known."""
        return self.source in ("revenue", "loss")

    def horizon(self, ahead: float) -> float:
        """How far value reaches: without end where drop-out can be seen, else as far as purchases are expected."""
        return math.inf if self.seen else float(ahead)


def modelled(base: Base, params: Params, asked_by: str = "customer_value") -> Modelled:
    """Fit the models of value to a customer base, and hold them against a period that is known.

    Parameters
    ----------
    base : Base
    params : Params
    asked_by : str
        The report that needs it, for the message where there are no customers.

    Raises
    ------
    ParameterError
        The model does not fit the data set, or the holdout period leaves too little.
    ModelError, DataError
        The models cannot be fitted.
    """
    names = names_of(base, params)
    summary = base.summary()
    if summary.empty:
        raise TooLittleError.needs(asked_by, "at least one customer with a purchase", "none")
    holdout = holdout_of(base, params)
    tested, untested = (None, TOO_SHORT) if holdout is None else backtest_of(base, holdout, names, params)
    purchases = fitted(summary, names, tested, params.seed)
    margin, source, covered = base.margin(params.margin)
    spend = GammaGamma(draws=DRAWS, seed=params.seed)
    unfitted = CustomerValue(purchases=purchases, spend=spend, margin=margin, rate=params.rate, unit=base.words.unit)
    model, summary, cap = fit_spend(unfitted, summary)
    return Modelled(model=model, summary=summary, cap=cap, tested=tested, untested=untested, source=source, covered=covered)


def model_of(
    data: Dataset | History,
    end: dt.date,
    *,
    margin: float | None = None,
    rate: float = 0.1,
    level: float = 0.9,
    seed: int = 0,
    min_group: int = 5,
) -> tuple[Base, CustomerValue, pd.DataFrame, str, float, float | None]:
    """Fit the models of value as the report on customer value does, for others.

    Parameters
    ----------
    data : Dataset or History
    end : date
        Last day of history.
    margin, rate, level, seed, min_group
        As of that report.

    Returns
    -------
    (base, model, summary, source, horizon, cap)
        The customers that it was fitted to; where the margin is from; how far value reaches: infinite, or a finite time where drop-out
        cannot be seen; and what mean spend was capped at, None where no cap was needed.

    Raises
    ------
    ModelError, DataError
        The models cannot be fitted.
    """
    base = base_of(data, end)
    params = Params(margin=margin, rate=rate, level=level, seed=seed, min_group=min_group)
    found = modelled(base, params, asked_by="scorecard")
    return base, found.model, found.summary, found.source, found.horizon(_ahead(base, params)), found.cap


def _ahead(base: Base, params: Params) -> int:
    """Periods over which purchases are expected."""
    return params.horizon or (YEARS_AHEAD if base.words is ROUNDS else YEAR_OF_WEEKS)


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """What the page of customer value shows.

    Attributes
    ----------
    context : Context
    params : Params
    base : Base
        The customers, and the words that go with them.
    fit : Modelled
        The models, and how they did on a period that is known.
    found : Valuation
        What the customers are worth.
    """

    context: Context
    params: Params
    base: Base
    fit: Modelled
    found: Valuation

    @property
    def outputs(self) -> Mapping[str, Output]:
        """The list of customers."""
        title = f"List of {self.base.words.many} with value, tier and outlook"
        return {"customers": Output(title, self.found.customers, ("customer_id",))}


def study(history: History, params: Params) -> Study:
    """Value the customer base, and hold the forecast behind it against what came.

    Raises
    ------
    ParameterError
        The holdout period leaves too little, or the model does not fit the data set.
    ModelError
        The models cannot be fitted: nobody bought again, say.
    """
    base = base_of(history)
    fit = modelled(base, params)
    ahead = _ahead(base, params)
    found = value_customers(base, fit.model, ahead, horizon=fit.horizon(ahead), level=params.level, summary=fit.summary)
    context = replace(history.context(len(fit.summary)), as_of=base.end, first_day=base.first)
    return Study(context=context, params=params, base=base, fit=fit, found=found)

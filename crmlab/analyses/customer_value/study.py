"""Customer value, step by step: models fitted and held against what came, the margin, the names of customers."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING

import pandas as pd

from crmlab.analyses.customer_value.backtesting import Backtest, backtest
from crmlab.analyses.customer_value.base import Base, base_of, default_holdout, fit_spend
from crmlab.analyses.customer_value.params import MODELS, Params
from crmlab.errors import ConvergenceError, DataError, ModelError, ParameterError
from crmlab.history.context import margin_known
from crmlab.history.words import ROUNDS, YEAR_OF_WEEKS
from crmlab.models.btyd.customer_value import CustomerValue
from crmlab.models.btyd.fitting import NO_DROPOUT
from crmlab.models.btyd.gamma_gamma import GammaGamma

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset
    from crmlab.models.btyd.btyd import BuyTillYouDie

__all__ = ["DRAWS", "YEARS_AHEAD", "backtest_of", "fitted", "holdout_of", "margin_of", "model_of", "names_of"]


YEARS_AHEAD = 3  # periods ahead where they are years
DRAWS = 500  # of the posterior


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
    """Gross margin, where it is from, and the share of revenue on which it rests; see :func:`~crmlab.history.context.margin_known`."""
    return margin_known(data, base.end, params.margin)


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


def model_of(
    data: Dataset, end: dt.date, *, margin: float | None = None, rate: float = 0.1, level: float = 0.9, seed: int = 0, min_group: int = 5
) -> tuple[Base, CustomerValue, pd.DataFrame, str, float, float | None]:  # fmt: skip
    """Fit the models of value as the report on customer value does.

    Parameters
    ----------
    data : Dataset
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
    summary = base.summary()
    if summary.empty:
        raise DataError.too_little("scorecard", "at least one customer with a purchase", "none")
    share, source, _ = margin_known(base.data, base.end, margin)
    holdout = default_holdout(base)
    tested = None
    if holdout is not None:
        try:
            tested = backtest(base, holdout, base.models, level=level, seed=seed, min_group=min_group)
        except (ModelError, ConvergenceError):
            tested = None
    purchases = fitted(summary, base.models, tested, seed)
    unfitted = CustomerValue(
        purchases=purchases, spend=GammaGamma(draws=DRAWS, seed=seed), margin=share, rate=rate, unit=base.words.unit
    )
    model, summary, cap = fit_spend(unfitted, summary)
    ahead = float(YEARS_AHEAD if base.words is ROUNDS else YEAR_OF_WEEKS)
    horizon = math.inf if purchases.boundary_ != NO_DROPOUT else ahead
    return base, model, summary, source, horizon, cap

"""Which model of purchases is used: the one that tells best what came, chosen in one place for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crmlab.analyses.customer_value.backtesting import Ranked, ranked
from crmlab.analyses.customer_value.base import Base, base_of, default_holdout
from crmlab.analyses.customer_value.params import MODELS, Params
from crmlab.errors import ConvergenceError, ModelError, ParameterError
from crmlab.history.words import ROUNDS, YEAR

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.history.past import History
    from crmlab.models.btyd.btyd import BuyTillYouDie

__all__ = ["DEFAULTS", "DRAWS", "TOO_SHORT", "Choice", "chosen", "first_fitting", "holdout_of", "names_of", "told", "unknown"]


DEFAULTS = Params()
DRAWS = 500  # of the posterior
TOO_SHORT = "The history is too short to keep a part of it back."


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Choice:
    """Which model of purchases is used, and why.

    Attributes
    ----------
    name : str
        Of ``MODELS``.
    by : {"given", "holdout", "aic"}
        It was asked for; it told best what came in the holdout period; or, where nothing could be kept back, its AIC is the lowest.
    ranked : Ranked or None
        The models on the holdout period; None where nothing was kept back.
    untested : str
        Why nothing was kept back; empty where something was.
    """

    name: str
    by: str
    ranked: Ranked | None
    untested: str

    def model(self, seed: int = 0) -> BuyTillYouDie:
        """The model, not fitted."""
        return MODELS[self.name](draws=DRAWS, seed=seed)

    def fit(self, summary: pd.DataFrame, seed: int = 0) -> BuyTillYouDie:
        """Fit the model to customers.

        Raises
        ------
        ModelError, ConvergenceError
            It cannot be fitted to them.
        """
        return self.model(seed).fit(summary)


def chosen(history: History | Base, params: Params = DEFAULTS) -> Choice:
    """Choose the model of purchases for a history: the one that tells best what came, as was known on its last day.

    Everybody who needs a model of purchases asks here, so that all speak of the same one.

    Parameters
    ----------
    history : History or Base
    params : Params
        ``model``, ``holdout`` and ``seed`` matter.

    Raises
    ------
    ParameterError
        The model does not fit the data set, or the holdout period leaves too little.
    ModelError, ConvergenceError, DataError
        None can be fitted; the message is that of the first.
    """
    base = history if isinstance(history, Base) else base_of(history)
    key = ("customer_value.chosen", params.model, params.holdout, params.level, params.seed)
    return base.history.once(key, lambda: _choice(base, params))


def _choice(base: Base, params: Params) -> Choice:
    names = names_of(base, params)
    holdout = holdout_of(base, params)
    ranking, untested = None, TOO_SHORT
    if holdout is not None:
        try:
            ranking, untested = ranked(base, holdout, names, level=params.level, seed=params.seed), ""
        except (ModelError, ConvergenceError) as error:
            # The shorter history may hold too little (nobody had come again yet): the page says that nothing was checked, and why.
            if params.holdout is not None:
                raise
            untested = unknown(base, holdout, error)
    if params.model is not None:
        return Choice(name=params.model, by="given", ranked=ranking, untested=untested)
    if ranking is not None:
        return Choice(name=ranking.best, by="holdout", ranked=ranking, untested=untested)
    return Choice(name=_of_lowest_aic(base.summary(), names, params.seed), by="aic", ranked=None, untested=untested)


def first_fitting(base: Base, params: Params, summary: pd.DataFrame) -> BuyTillYouDie:
    """Fit the first of the models to try that can be fitted.

    Raises
    ------
    ModelError, ConvergenceError
        None can; the message is that of the first.
    """
    first: ModelError | ConvergenceError | None = None
    for name in names_of(base, params):
        try:
            return MODELS[name](draws=DRAWS, seed=params.seed).fit(summary)
        except (ModelError, ConvergenceError) as error:
            first = first or error
    assert first is not None
    raise first


def unknown(base: Base, holdout: int, error: Exception) -> str:
    """Why nothing was checked, where models failed on the shorter history."""
    return f"No forecast could be made of the last {base.words.span(holdout)}: {error}"


def _of_lowest_aic(summary: pd.DataFrame, names: tuple[str, ...], seed: int) -> str:
    """The model of the lowest AIC; the first of equals."""
    found: dict[str, float] = {}
    first: ModelError | ConvergenceError | None = None
    for name in names:
        try:
            found[name] = round(MODELS[name](seed=seed).fit(summary).aic_, 2)
        except (ModelError, ConvergenceError) as error:
            first = first or error
    if not found:
        assert first is not None
        raise first
    return min(found, key=lambda name: found[name])


def told(history: History, days: float, choice: Choice | None = None) -> pd.DataFrame:
    """What the chosen model says of each customer: whether they are active still, and how much they will buy.

    Parameters
    ----------
    history : History
        The model is fitted to all of it.
    days : float
        How far ahead purchases are expected.
    choice : Choice, optional
        Chosen on another day; default: :func:`chosen` on the last day of this history.

    Returns
    -------
    DataFrame
        customer_id, probability_alive, expected_purchases; ordered by customer. With yearly rounds: of customers of whole years, over
        as many whole years as ``days`` come to, one at least. Both are missing where the model is on its boundary: there everybody
        is alive but for rounding, say, and the differences between customers are no facts about them.

    Raises
    ------
    ModelError, ConvergenceError, DataError
        The model cannot be fitted.
    """
    base = base_of(history)
    choice = choice if choice is not None else chosen(base)
    summary = base.summary()
    model = choice.fit(summary)
    if model.boundary_ is not None:
        return summary[["customer_id"]].assign(probability_alive=np.nan, expected_purchases=np.nan)
    ahead = days / 7 if base.words is not ROUNDS else float(max(round(days / YEAR), 1))
    return summary[["customer_id"]].assign(
        probability_alive=model.probability_alive(summary), expected_purchases=model.expected_purchases(summary, ahead)
    )

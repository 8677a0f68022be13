"""What each customer is worth, and what they will do: value, tier and outlook, worked out in one place for everybody."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.customer_value.base import Base, base_of, fit_spend
from crmlab.analyses.customer_value.choosing import DEFAULTS, DRAWS, Choice, chosen, first_fitting, holdout_of
from crmlab.analyses.customer_value.params import Params
from crmlab.analyses.customer_value.tiers import tier_of
from crmlab.history.enough import need_buyers
from crmlab.history.words import ROUNDS
from crmlab.models.btyd.customer_value import CustomerValue
from crmlab.models.btyd.fitting import NO_DROPOUT
from crmlab.models.btyd.gamma_gamma import GammaGamma

if TYPE_CHECKING:
    from crmlab.history.past import History
    from crmlab.models.btyd.btyd import BuyTillYouDie

__all__ = ["YEARS_AHEAD", "Modelled", "Scores", "listed", "modelled", "need_models", "points_of", "scores"]


YEARS_AHEAD = 3  # periods ahead where they are years
_FURTHEST = 20  # years; a purchase expected later is not dated


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
    choice : Choice
        Which model of purchases it holds, and why.
    source : str
        Where the gross margin is from, as of :func:`crmlab.history.context.margin_known`.
    covered : float
        Share of revenue on which the gross margin rests.
    """

    model: CustomerValue
    summary: pd.DataFrame
    cap: float | None
    choice: Choice
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


def modelled(base: Base, params: Params) -> Modelled:
    """Fit the models of value to a customer base.

    Raises
    ------
    ParameterError
        The model does not fit the data set, or the holdout period leaves too little.
    ModelError, DataError
        The models cannot be fitted.
    """
    need_buyers(base.history, "customer_value")
    summary = base.summary()
    choice = chosen(base, params)
    purchases = choice.fit(summary, params.seed)
    margin, source, covered = base.margin(params.margin)
    model, summary, cap = fit_spend(_unfitted(base, purchases, params, margin), summary)
    return Modelled(model=model, summary=summary, cap=cap, choice=choice, source=source, covered=covered)


def need_models(base: Base, params: Params) -> None:
    """Make sure that purchases and spend can be fitted at all, without choosing the best model of purchases.

    Raises
    ------
    ParameterError
        The model does not fit the data set, or the holdout period leaves too little.
    ModelError, ConvergenceError, TooLittleError
        Nobody bought, nobody bought again, or spend is too unequal, say.
    """
    need_buyers(base.history, "customer_value")
    holdout_of(base, params)
    summary = base.summary()
    fit_spend(_unfitted(base, first_fitting(base, params, summary), params, 1.0), summary)


def _unfitted(base: Base, purchases: BuyTillYouDie, params: Params, margin: float) -> CustomerValue:
    spend = GammaGamma(draws=DRAWS, seed=params.seed)
    return CustomerValue(purchases=purchases, spend=spend, margin=margin, rate=params.rate, unit=base.words.unit)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """What each customer is worth, by the one recipe: whoever shows value, tier or outlook of customers asks for these.

    Attributes
    ----------
    base : Base
        The customers, and the words that go with them.
    fit : Modelled
        The models.
    ahead : float
        Periods over which purchases are expected.
    level : float
        Of the intervals.
    """

    base: Base
    fit: Modelled
    ahead: float
    level: float

    @property
    def horizon(self) -> float:
        """How far value reaches, in periods: without end, or where drop-out cannot be seen as far as ``ahead``."""
        return self.fit.horizon(self.ahead)

    @cached_property
    def points(self) -> pd.DataFrame:
        """One row per customer, ordered by id, without intervals.

        customer_id, tier, value, alive (missing where drop-out cannot be seen), if_loyal (expected margin of the next 365 days given
        alive today), value_today (P(alive) times that).
        """
        return points_of(self.fit.model, self.fit.summary, self.horizon, self.base.words.year, seen=self.fit.seen)

    @cached_property
    def customers(self) -> pd.DataFrame:
        """The list of customers: columns as of :func:`crmlab.analyses.customer_value.scoring.listed`."""
        return listed(self.base, self.fit, self.points, self.ahead, self.level)


def scores(history: History, params: Params = DEFAULTS) -> Scores:
    """Work out what each customer of a history is worth. The owner of value, tier, P(alive) and expected purchases.

    Parameters
    ----------
    history : History
    params : Params
        Tiers depend on none of them; values on margin and rate.

    Raises
    ------
    ParameterError
        The model does not fit the data set, or the holdout period leaves too little.
    ModelError, ConvergenceError, DataError
        The models cannot be fitted: nobody bought again, say.

    Examples
    --------
    >>> import crmlab
    >>> from crmlab.history.past import History
    >>> found = scores(History(crmlab.open_dataset("cdnow_sample"))).points
    >>> found["tier"].value_counts()[["A", "B"]].tolist()
    [236, 472]
    """

    def work() -> Scores:
        base = base_of(history)
        ahead = params.horizon or (float(YEARS_AHEAD) if base.words is ROUNDS else base.words.year)
        return Scores(base=base, fit=modelled(base, params), ahead=float(ahead), level=params.level)

    return history.once(("customer_value.scores", replace(params, as_of=None)), work)


def points_of(model: CustomerValue, summary: pd.DataFrame, horizon: float, year: float, *, seen: bool) -> pd.DataFrame:
    """Value and tier of each customer, and what they bring within a year, without intervals.

    Parameters
    ----------
    model : CustomerValue
        Fitted.
    summary : DataFrame
        One row per customer.
    horizon : float
        Of the value, in periods.
    year : float
        A year in periods.
    seen : bool
        Whether drop-out can be seen: where it cannot, P(alive) says nothing.

    Returns
    -------
    DataFrame
        customer_id, tier, value (in cents exactly, and tiers are of these values), alive, if_loyal, value_today.
    """
    purchases, _ = model.fitted_models()
    value = model.residual_value(summary, horizon).round(2)
    alive = np.asarray(purchases.probability_alive(summary), dtype=float)
    states = purchases.states_of(summary)
    with np.errstate(all="ignore"):
        bought = purchases.purchases_if_alive(purchases.parameters(), states, year)[states.inverse]
    loyal = model.margin * model.expected_spend(summary).to_numpy(float) * bought
    return pd.DataFrame(
        {
            "customer_id": summary["customer_id"],
            "tier": tier_of(value.to_numpy(float)),
            "value": value,
            "alive": alive if seen else np.nan,
            "if_loyal": loyal.round(2),
            "value_today": (alive * loyal).round(2),
        }
    )


def listed(base: Base, fit: Modelled, points: pd.DataFrame, ahead: float, level: float) -> pd.DataFrame:
    """The list of customers with value, tier and outlook, each with the interval of what this customer will do.

    Parameters
    ----------
    base : Base
    fit : Modelled
    points : DataFrame
        Of :func:`points_of`.
    ahead : float
        Periods over which purchases are expected.
    level : float

    Returns
    -------
    DataFrame
        One row per customer, ordered by id: customer_id, frequency, recency, age, tier, value (with value_low and
        value_high, of what this customer will bring), alive (and interval), expected_purchases (and interval of
        what this customer will do), next_from and next_to (dates), value_at_risk. P(alive) and value at risk are missing where
        drop-out cannot be seen.
    """
    model, summary, horizon = fit.model, fit.summary, fit.horizon(ahead)
    purchases = fit.purchases
    value = model.residual_value(summary, horizon, level=level, interval="outcome")
    alive = purchases.probability_alive(summary, level=level)
    bought = purchases.expected_purchases(summary, ahead, level=level, interval="outcome")
    soon = purchases.next_purchase(summary, level=level, interval="outcome")
    customers = pd.DataFrame(
        {
            "customer_id": summary["customer_id"],
            "frequency": summary["frequency"].astype("int64"),
            "recency": summary["recency"],
            "age": summary[base.age],
            "tier": points["tier"],
            "value": points["value"],
            "value_low": value["low"].round(2),
            "value_high": value["high"].round(2),
            "alive": alive["probability_alive"],
            "alive_low": alive["low"],
            "alive_high": alive["high"],
            "expected_purchases": bought["expected_purchases"],
            "purchases_low": bought["low"],
            "purchases_high": bought["high"],
            "next_from": _dated(soon["low"], base, opening=True),
            "next_to": _dated(soon["high"], base),
            "value_at_risk": model.value_at_risk(summary, horizon).round(2),
        }
    )
    if not fit.seen:
        # Drop-out cannot be seen: the list does not say what the page leaves out.
        customers[["alive", "alive_low", "alive_high", "value_at_risk"]] = np.nan
    return customers


def _dated(ahead: pd.Series, base: Base, opening: bool = False) -> pd.Series:
    """Times from the end of history as dates; missing where they are further than twenty years, or never.

    A round is a year: its first day where a range opens, its last day where it closes.
    """
    values = ahead.to_numpy(float)
    if base.words.unit == "year":
        near = values <= _FURTHEST
        years = np.where(near, values, 0).astype(int) + base.end.year
        day = (1, 1) if opening else (12, 31)
        days = [dt.datetime(year, *day) if ok else None for year, ok in zip(years, near, strict=True)]
        return pd.Series(pd.to_datetime(pd.Series(days, dtype="object")), index=ahead.index)
    near = values <= base.words.year * _FURTHEST
    shift = pd.to_timedelta(np.ceil(np.where(near, values, 0) * 7), unit="D")
    return pd.Series((pd.Timestamp(base.end) + shift), index=ahead.index).where(near)

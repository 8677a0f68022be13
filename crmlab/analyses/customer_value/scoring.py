"""What each customer is worth, and what they will do: value, tier and outlook, worked out in one place for everybody."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.customer_value.averaging import Alternative, alternatives_of, averaged
from crmlab.analyses.customer_value.base import DRAWS, Base, base_of, fit_spend
from crmlab.analyses.customer_value.choice import Choice
from crmlab.analyses.customer_value.choosing import DEFAULTS, chosen, first_fitting, holdout_of
from crmlab.analyses.customer_value.misses import Miss, miss_of
from crmlab.analyses.customer_value.params import Params
from crmlab.analyses.customer_value.tiers import FEWEST, tier_of
from crmlab.history.enough import need_buyers
from crmlab.history.words import ROUNDS
from crmlab.models.btyd.customer_value import CustomerValue
from crmlab.models.btyd.fitting import NO_DROPOUT
from crmlab.models.btyd.gamma_gamma import GammaGamma

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from crmlab.history.context import Margin
    from crmlab.history.past import History
    from crmlab.models.btyd.btyd import BuyTillYouDie

__all__ = [
    "YEARS_AHEAD",
    "Modelled",
    "Scores",
    "listed",
    "modelled",
    "most_to_spend",
    "need_models",
    "points_of",
    "ranks_of",
    "scores",
    "spend_each",
]


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
    margin : Margin
        Gross margin: how much, and where it is from.
    """

    model: CustomerValue
    summary: pd.DataFrame
    cap: float | None
    choice: Choice
    margin: Margin

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

    def horizon(self, ahead: float) -> float:
        """How far value reaches: without end where drop-out can be seen, else as far as purchases are expected."""
        return math.inf if self.seen else float(ahead)


def modelled(base: Base, params: Params, choice: Choice | None = None) -> Modelled:
    """Fit the models of value to a customer base.

    Parameters
    ----------
    base : Base
    params : Params
    choice : Choice, optional
        Of the model of purchases, on another day; default: as of :func:`chosen`.

    Raises
    ------
    ParameterError
        The model does not fit the data set, or the holdout period leaves too little.
    ModelError, DataError
        The models cannot be fitted.
    """
    need_buyers(base.history, "customer_value")
    summary = base.summary()
    choice = chosen(base, params) if choice is None else choice
    purchases = choice.fit(base, summary, params.seed)
    margin = base.margin(params.margin)
    model, summary, cap = fit_spend(_unfitted(base, purchases, params, margin.share), summary)
    return Modelled(model=model, summary=summary, cap=cap, choice=choice, margin=margin)


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
    def miss(self) -> Miss:
        """How far the forecast was off in a time that is already known: intervals of sums reach at least as far."""
        return miss_of(self.base, self.fit.choice)

    @cached_property
    def alternatives(self) -> tuple[Alternative, ...]:
        """The models that the data do not tell apart from the one that is used: intervals take in what they say."""
        return alternatives_of(self.base, self.fit.choice, self.fit.model, self.fit.summary)

    @cached_property
    def blocked(self) -> npt.NDArray[np.bool_]:
        """Who must not be contacted, in the order of ``points``."""
        return np.array([flag == "no" for flag in self.base.history.contactable(self.fit.summary["customer_id"])], dtype=bool)

    @cached_property
    def points(self) -> pd.DataFrame:
        """One row per customer, ordered by id, without intervals: as of :func:`points_of`, most_to_spend and customer_rank."""
        found = points_of(self.fit.model, self.fit.summary, self.horizon, self.base.words.year, seen=self.fit.seen)
        alive, at_risk, value = (found[name].to_numpy(float) for name in ("alive", "at_risk", "value"))
        most = most_to_spend(alive, at_risk, value, self.blocked).round(2)
        return found.assign(most_to_spend=most, customer_rank=ranks_of(found, self.fit.choice.lead.order))

    @cached_property
    def customers(self) -> pd.DataFrame:
        """The list of customers: columns as of :func:`listed`, as far as :meth:`told`, and contactable and refusal."""
        return self.base.history.with_consent(
            self.told(listed(self.base, self.fit, self.points, self.ahead, self.level, self.alternatives))
        )

    @property
    def few(self) -> bool:
        """Whether customers are too few for tiers, whose best is a tenth of them: then nothing is told of a single one."""
        return len(self.points) < FEWEST

    @property
    def alike(self) -> bool:
        """Whether all are worth the same, so that no tier is above another."""
        return self.points["value"].nunique() == 1

    def told(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A frame of customers with what a list may tell of each: where they are few, only what was seen, and nothing of the models."""
        if not self.few:
            return frame
        seen = ("customer_id", "frequency", "recency", "age")
        empty = {"tier": None, "next_from": pd.NaT, "next_to": pd.NaT}
        return frame.assign(**{name: empty.get(name, np.nan) for name in frame.columns if name not in seen})


def spend_each(found: Scores) -> pd.Series:
    """What one purchase of each customer is expected to bring in, in money. The owner of what one purchase more is worth.

    Returns
    -------
    Series
        Indexed by customer_id, in the order of ``points``: of the model of spend, before any margin.

    Examples
    --------
    >>> import crmlab
    >>> from crmlab.history.past import History
    >>> each = spend_each(scores(History(crmlab.open_dataset("cdnow_sample"))))
    >>> int(each.mean()), each.index[0]
    (35, '00004')
    """
    fit = found.fit
    each = fit.model.expected_spend(fit.summary).to_numpy(float)
    return pd.Series(each, index=pd.Index(fit.summary["customer_id"], name="customer_id"), name="spend")


def scores(history: History, params: Params = DEFAULTS, choice: Choice | None = None) -> Scores:
    """Work out what each customer of a history is worth. The owner of value, tier, P(alive) and expected purchases.

    Parameters
    ----------
    history : History
    params : Params
        Tiers depend on none of them; values on margin and rate.
    choice : Choice, optional
        Of the model of purchases, made on a later day: to ask what would have been known on an earlier one. Default: made on the last day
        of this history.

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
        return Scores(base=base, fit=modelled(base, params, choice), ahead=float(ahead), level=params.level)

    return history.once(("customer_value.scores", replace(params, as_of=None)), work) if choice is None else work()


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
        customer_id, tier, value (in cents exactly, and tiers are of these values), alive, if_loyal, value_today, at_risk (the first of
        these less the second, to the cent). What needs P(alive) is missing where drop-out cannot be seen.
    """
    purchases, _ = model.fitted_models()
    rows = summary.drop(columns="customer_id")  # answers are joined by rows
    value = model.residual_value(rows, horizon).round(2)
    alive = np.asarray(purchases.probability_alive(rows), dtype=float)
    outlook = model.outlook(rows, year).round(2)
    loyal, today = outlook["if_loyal"], outlook["value_today"]
    return pd.DataFrame(
        {
            "customer_id": summary["customer_id"],
            "tier": tier_of(value.to_numpy(float)),
            "value": value,
            "alive": alive if seen else np.nan,
            "if_loyal": loyal,
            "value_today": today if seen else np.nan,
            "at_risk": (loyal - today).round(2) if seen else np.nan,
        }
    )


def most_to_spend(
    alive: npt.NDArray[np.float64],
    at_risk: npt.NDArray[np.float64],
    value: npt.NDArray[np.float64],
    blocked: npt.NDArray[np.bool_],
) -> npt.NDArray[np.float64]:
    """The most that an effort to keep each customer can be worth, if it always works: P(alive) × at risk, at most their value.

    What is at risk cannot all be won back by writing: a message reaches a customer only with the probability that there is one still,
    and whoever surely stays, or has surely left, cannot be won. Nothing may be spent on who must not be contacted.

    Parameters
    ----------
    alive, at_risk, value : arrays of shape (n_customers,)
    blocked : array of bool of shape (n_customers,)
        Who must not be contacted.

    Examples
    --------
    >>> alive, at_risk, value = np.array([0.5, 0.5, 1.0, 0.1]), np.array([50.0, 50.0, 0.0, 90.0]), np.array([400.0, 20.0, 900.0, 80.0])
    >>> most_to_spend(alive, at_risk, value, np.array([False, False, False, True])).tolist()
    [25.0, 20.0, 0.0, 0.0]
    """
    return np.where(blocked & np.isfinite(at_risk), 0.0, np.minimum(alive * at_risk, value))


def ranks_of(points: pd.DataFrame, order: pd.Series | None = None) -> npt.NDArray[np.int64]:
    """The place of each customer among all, 1 the first: by value, or by what a rival tells that is shown to rank them better.

    Parameters
    ----------
    points : DataFrame
        customer_id and value.
    order : Series, optional
        What the rival tells, indexed by customer_id. Of equals the higher value comes first, then the lower id.

    Examples
    --------
    >>> points = pd.DataFrame({"customer_id": ["a", "b", "c"], "value": [5.0, 9.0, 5.0]})
    >>> ranks_of(points).tolist(), ranks_of(points, pd.Series({"a": 1.0, "b": 0.0, "c": 1.0})).tolist()
    ([2, 1, 3], [1, 3, 2])
    """
    told = points["value"] if order is None else points["customer_id"].map(order).fillna(0.0)
    place = np.lexsort((np.arange(len(points)), -points["value"].to_numpy(float), -told.to_numpy(float)))
    out = np.empty(len(points), dtype=np.int64)
    out[place] = np.arange(1, len(points) + 1)
    return out


def listed(
    base: Base, fit: Modelled, points: pd.DataFrame, ahead: float, level: float, alternatives: Sequence[Alternative] = ()
) -> pd.DataFrame:
    """The list of customers with value, tier and outlook, each with the interval of what this customer will do.

    Parameters
    ----------
    base : Base
    fit : Modelled
    points : DataFrame
        ``points`` of :class:`Scores`.
    ahead : float
        Periods over which purchases are expected.
    level : float
    alternatives : sequence of Alternative
        Models that may be as right: the interval of P(alive), which nobody will ever see, takes in what they say.

    Returns
    -------
    DataFrame
        One row per customer, ordered by id: customer_id, frequency, recency, age, tier, value (with value_low and
        value_high, of what this customer will bring), alive (and interval), expected_purchases (and interval of
        what this customer will do), next_from and next_to (dates), if_loyal, value_today, at_risk, most_to_spend, customer_rank. What
        needs P(alive) is missing where drop-out cannot be seen.
    """
    model, summary, horizon = fit.model, fit.summary, fit.horizon(ahead)
    purchases = fit.purchases
    rows = summary.drop(columns="customer_id")  # answers are joined by rows
    value = model.residual_value(rows, horizon, level=level, interval="outcome")
    alive = averaged(fit.model, alternatives, _alive_of(rows, level), level)
    bought = purchases.expected_purchases(rows, ahead, level=level, interval="outcome")
    soon = purchases.next_purchase(rows, level=level, interval="outcome")
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
            "alive": alive["value"],
            "alive_low": alive["low"],
            "alive_high": alive["high"],
            "expected_purchases": bought["expected_purchases"],
            "purchases_low": bought["low"],
            "purchases_high": bought["high"],
            "next_from": _dated(soon["low"], base, opening=True),
            "next_to": _dated(soon["high"], base),
        }
    ).assign(**{name: points[name] for name in ("if_loyal", "value_today", "at_risk", "most_to_spend", "customer_rank")})
    if not fit.seen:
        # Drop-out cannot be seen: the list does not say what the page leaves out.
        customers[["alive", "alive_low", "alive_high"]] = np.nan
    return customers


def _alive_of(summary: pd.DataFrame, level: float) -> Callable[[CustomerValue], pd.DataFrame]:
    """P(alive) of each customer, by a model: value, low, high."""

    def told(model: CustomerValue) -> pd.DataFrame:
        return pd.DataFrame(model.fitted_models()[0].probability_alive(summary, level=level)).set_axis(
            ["value", "low", "high"], axis=1
        )

    return told


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

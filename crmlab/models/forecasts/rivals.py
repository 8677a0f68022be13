"""Rivals of the models of purchases: simple rules of one form, and a forecast scaled to the total of another.

A rival is fitted on what was known at an origin, ``rival.fit(whole.until(origin), horizon)``, and tells of each customer what the days
after it bring: ``rival.predict(whole.until(origin))``. What it learns from, features and what followed them, lies before the origin.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from crmlab.errors import ModelError, TooLittleError
from crmlab.models.checked import checked_amounts, checked_row
from crmlab.models.forecasts.windows import SEASONAL_YEAR, Array, Purchases, checked_horizon, checked_target

__all__ = ["MeanRate", "RecentPace", "Rival", "SameWeeks", "scaled_to"]


class Rival(BaseEstimator, ABC):
    """What all rivals share: ``fit(past, horizon)`` and ``predict(past)``.

    Parameters
    ----------
    target : {"purchases", "spend"}
        What is told of each customer: how often he buys, or what he spends.

    Attributes
    ----------
    horizon_ : int
        Days ahead that are told.
    """

    def __init__(self, target: str = "purchases") -> None:
        self.target = target

    def fit(self, past: Purchases, horizon: int) -> Self:
        """Learn from what is known.

        Parameters
        ----------
        past : Purchases
            Cut at the origin: nothing after it is in it.
        horizon : int
            Days ahead.

        Returns
        -------
        Rival
            Itself.

        Raises
        ------
        ModelError
            The horizon is no whole number of days, or a parameter is not what it must be.
        TooLittleError
            The history is too short, or holds too few purchases, to learn from.
        """
        checked_target(type(self).__name__, self.target)
        days = checked_horizon(type(self).__name__, horizon)
        self._learn(past, days)
        self.horizon_ = days
        return self

    def predict(self, past: Purchases) -> pd.Series:
        """Tell the purchases or the spend of each customer in the days after the last of ``past``.

        Parameters
        ----------
        past : Purchases
            As it was fitted to, or as of another day.

        Returns
        -------
        Series
            At least 0, indexed by customer_id in the order of ``past.ids``; its name is the target.

        Raises
        ------
        NotFittedError
            It was not fitted.
        TooLittleError
            The history is too short.
        """
        check_is_fitted(self, "horizon_")
        return pd.Series(self._tell(past), index=past.ids, name=self.target)

    @abstractmethod
    def _learn(self, past: Purchases, horizon: int) -> None: ...

    @abstractmethod
    def _tell(self, past: Purchases) -> Array: ...


class RecentPace(Rival):
    """Last year goes on: each customer buys on at the pace of the last days.

    The first purchase of a customer counts as all others do: what is told in all is what the last year brought, by the day.

    Parameters
    ----------
    target : {"purchases", "spend"}
    days : int
        How far back the pace is taken from; by default a year. The history must hold as many.

    Attributes
    ----------
    horizon_ : int

    Examples
    --------
    >>> frame = pd.DataFrame({"customer_id": ["a", "a", "b"], "day": [0, 300, 364], "spend": [10.0, 20.0, 7.3]})
    >>> past = Purchases.of(frame)
    >>> RecentPace("spend").fit(past, horizon=73).predict(past).round(6).to_dict()
    {'a': 6.0, 'b': 1.46}
    """

    def __init__(self, target: str = "purchases", days: int = 365) -> None:
        super().__init__(target)
        self.days = days

    def _learn(self, past: Purchases, horizon: int) -> None:  # noqa: ARG002
        if isinstance(self.days, bool) or not isinstance(self.days, int | np.integer) or self.days < 1:
            raise ModelError.expected("RecentPace", "days", "a whole number of at least 1", self.days)
        _needs_days(type(self).__name__, past, int(self.days))

    def _tell(self, past: Purchases) -> Array:
        _needs_days(type(self).__name__, past, self.days)
        return _column(past, past.ends - self.days, past.ends, self.target) * (self.horizon_ / self.days)


class MeanRate(Rival):
    """Each customer goes on at the own mean rate: purchases after the first by the days since it.

    Nothing is told of who bought once, or came on the last day: a rate is not known yet. Spend is the rate times the own mean spend.

    Parameters
    ----------
    target : {"purchases", "spend"}

    Attributes
    ----------
    horizon_ : int

    Examples
    --------
    >>> frame = pd.DataFrame({"customer_id": ["a", "a", "b"], "day": [0, 4, 10], "spend": [10.0, 20.0, 5.0]})
    >>> past = Purchases.of(frame)
    >>> MeanRate("spend").fit(past, horizon=20).predict(past).to_dict()
    {'a': 30.0, 'b': 0.0}
    """

    def _learn(self, past: Purchases, horizon: int) -> None:
        """There is nothing to learn."""

    def _tell(self, past: Purchases) -> Array:
        known = past.features(self.horizon_)
        frequency, age = known["frequency"].to_numpy(), known["age"].to_numpy()
        rate = np.divide(frequency, age, out=np.zeros(len(age)), where=age > 0)
        each = known["mean_spend"].to_numpy() if self.target == "spend" else 1.0
        return np.asarray(rate * each * self.horizon_)


class SameWeeks(Rival):
    """Each customer does what was done in the same weeks a year ago: 52 weeks back, so that weekdays are the same.

    Where the horizon is longer than that, the last 52 weeks come again and again.

    Parameters
    ----------
    target : {"purchases", "spend"}

    Attributes
    ----------
    horizon_ : int

    Examples
    --------
    >>> frame = pd.DataFrame({"customer_id": ["a", "a", "b"], "day": [0, 10, 370], "spend": [10.0, 20.0, 5.0]})
    >>> past = Purchases.of(frame)
    >>> SameWeeks("spend").fit(past, horizon=5).predict(past).to_dict()
    {'a': 20.0, 'b': 0.0}
    """

    def _learn(self, past: Purchases, horizon: int) -> None:  # noqa: ARG002
        _needs_days(type(self).__name__, past, SEASONAL_YEAR)

    def _tell(self, past: Purchases) -> Array:
        _needs_days(type(self).__name__, past, SEASONAL_YEAR)
        years, rest = divmod(self.horizon_, SEASONAL_YEAR)
        back = past.ends - SEASONAL_YEAR
        whole = _column(past, back, past.ends, self.target) * years if years else 0.0
        return np.asarray(whole + _column(past, back, back + rest, self.target))


def scaled_to(scores: npt.ArrayLike, total: float) -> Array:
    """Scale forecasts of one model so that they add up to the total of another: its order, the other's level.

    Parameters
    ----------
    scores : array of shape (n,)
        At least 0.
    total : float
        At least 0.

    Returns
    -------
    array of shape (n,)

    Raises
    ------
    ModelError
        Scores or the total are negative, or all scores are 0 and the total is not.

    Examples
    --------
    >>> scaled_to([1.0, 3.0], 8.0).tolist()
    [2.0, 6.0]
    """
    given = checked_amounts("scaled_to", "scores", checked_row("scaled_to", "scores", scores))
    whole = float(checked_amounts("scaled_to", "total", total))
    if (given < 0).any():
        raise ModelError.expected("scaled_to", "scores", "at least 0", float(given.min()))
    if whole < 0:
        raise ModelError.expected("scaled_to", "total", "at least 0", whole)
    have = float(given.sum())
    if not have and whole:
        raise ModelError.expected("scaled_to", "scores", "above 0 for somebody, to share out the total", "0 for all")
    return np.asarray(given * (whole / have)) if have else given


def _needs_days(model: str, past: Purchases, days: int) -> None:
    if past.days < days:
        raise TooLittleError.needs(model, f"{days:,} days of history", f"{past.days:,}")


def _column(past: Purchases, after: int, until: int, target: str) -> Array:
    return past.between(after, until)[target].to_numpy()

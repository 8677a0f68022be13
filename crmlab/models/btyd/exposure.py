"""What a customer base is expected to buy on each day of its history, given all that is known of each customer; and what that tells.

Of a rate that varies from week to week the data tell less than the number of purchases suggests: a level that falls and customers who
leave look much alike. How much they tell is the curvature of the likelihood of the customers' own histories.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from crmlab.errors import ConvergenceError
from crmlab.models.btyd.beta_geometric import BetaGeometric
from crmlab.models.btyd.fitting import Coordinates, hessian, newton
from crmlab.models.btyd.special import Array
from crmlab.models.btyd.states import States

__all__ = ["Exposure", "Information"]


_STEPS, _FEW_STEPS = 20, 3  # of Newton's method: with its own Hessian; with one from a sample, when others follow
_STEP = 1e-4  # of a coordinate, for differences
_LEAST = 0.02  # of what is told of a rate by its purchases, were all else known: less is taken as so much
_FEW = 0.5  # purchases that a week is taken to expect at least
_DAYS = 7  # in a unit of the model's time


@dataclass(frozen=True, eq=False)
class Information:
    """What a history tells of the logs of the rates of its weeks, while the parameters of the model follow them.

    Attributes
    ----------
    matrix : array of shape (n_weeks, n_weeks)
        Negative second derivatives of the log-likelihood, the parameters at their optimum for the rates. Of the mean of all it tells
        nothing, for it is the unit of time; the matrix is filled up there, so that it can be inverted.
    today : array of shape (n_weeks,)
        Derivatives of the log of the rate at which all together are expected to buy after the history, at a level of 1; they sum to −1.
    """

    matrix: Array
    today: Array


class Exposure:
    """Customers by whole days of a history.

    Parameters
    ----------
    model : BGNBD or MBGNBD
        Its parameters are not used.
    states : States
        Frequency, recency and age at the end of the history, in the calendar's weeks.
    length : int, optional
        Days of the history that are looked at, the last; customers may have come before them. All, unless given.
    """

    def __init__(self, model: BetaGeometric, states: States, length: int | None = None) -> None:
        self.model, self.states = model, states
        age = np.round(states.columns[2] * _DAYS).astype(np.int64)
        self.total = max(int(age.max(initial=0)) + 1, length or 0)
        self.length = length or self.total
        self.first = self.total - 1 - age
        self.last = self.first + np.round(states.columns[1] * _DAYS).astype(np.int64)
        ages = states.group(2)
        self._came = self.total - 1 - np.round(ages.values * _DAYS).astype(np.int64)

    def timed(self, rates: Array) -> States:
        """States in operational time, at a rate of each day up to the end of the history, of shape (total,)."""
        run = np.concatenate([[0.0], np.cumsum(rates)]) / _DAYS
        return self.states.retimed(run[self.last + 1] - run[self.first + 1], run[-1] - run[self._came + 1])

    def by_day(self, params: Array, timed: States) -> Array:
        """Purchases expected of all on each day at a rate of 1, given all that is known of each customer; shape (length,)."""
        before, after = self.model.conditional_rates(params, timed)
        size, weight = self.total + 1, self.states.weight
        slope = np.bincount(self.first + 1, weights=weight * before, minlength=size)
        slope += np.bincount(self.last + 1, weights=weight * (after - before), minlength=size)
        return np.cumsum(slope)[self.total - self.length : self.total] / _DAYS

    def nearest(self, params: Array, timed: States, curvature: Array | None = None) -> tuple[Array, Array]:
        """Parameters at the optimum that is nearest, and the Hessian of the negative log-likelihood there, in coordinates.

        A Hessian that is known from a sample of the customers saves working it out.
        """
        where = self._where
        objective = self.model.objective(timed, where)
        eta = where.eta(params)
        free = (eta > where.low + 0.5) & (eta < where.high - 0.5)
        known = curvature is not None
        found = curvature if curvature is not None else hessian(objective, eta)
        with np.errstate(all="ignore"):
            there, _, _ = newton(objective, eta, free, found, _FEW_STEPS if known else _STEPS)
        if not np.isfinite(there).all():
            raise ConvergenceError.not_reached(
                type(self.model).__name__, ["Newton’s steps on a clock, from the last parameters"]
            )
        there = np.clip(there, where.low, where.high)
        return where.params(there)[0], found if known else hessian(objective, there)

    def information(self, params: Array, rates: Array, of_day: npt.NDArray[np.int64], curvature: Array) -> Information:
        """What the history tells of the rates of its weeks.

        Parameters
        ----------
        params : array
            At their optimum for the rates.
        rates : array of shape (total,)
            Of each day.
        of_day : array of int of shape (length,)
            Week of each day, increasing but for days of an event, which are weeks of their own.
        curvature : array
            Hessian of the negative log-likelihood by the coordinates of the parameters.

        References
        ----------
        Louis (1982), Finding the observed information matrix when using the EM algorithm, JRSS B 44: what is told is what would be told
        if rates and drop-out were seen, less what is missed because they are not.
        """
        timed, weight = self.timed(rates), self.states.weight
        here = rates[self.total - self.length :]
        count = int(of_day.max()) + 1

        def by_week(by_day: Array) -> Array:
            return np.bincount(of_day, weights=by_day, minlength=count).astype(float)

        # Where a customer's history begins and ends, to the day; half of that day's week is taken as within it.
        spent = by_week(here) / _DAYS
        order = np.arange(count)
        middle = np.bincount(of_day, weights=np.arange(self.length)) / np.bincount(of_day)
        after = (middle[:, None] > middle) + 0.5 * (order[:, None] == order)
        reach = spent[:, None] * np.column_stack([np.ones(count), after])
        place = np.concatenate([np.zeros(self.total - self.length, dtype=np.int64), of_day + 1])
        first, last = place[self.first], place[self.last]
        by_age, mixed, by_recency = self.model.conditional_curvature(params, timed)
        size = count + 1

        def table(one: Array, other: Array, values: Array) -> Array:
            found = np.bincount(one * size + other, weights=weight * values, minlength=size * size)
            return found.reshape(size, size).astype(float)

        cross = table(first, last, mixed + by_recency)
        ends: Array = np.diag(np.bincount(first, weights=weight * (by_age + 2 * mixed + by_recency), minlength=size)).astype(
            float
        )
        ends += np.diag(np.bincount(last, weights=weight * by_recency, minlength=size)) - cross - cross.T
        missed = reach @ ends @ reach.T
        expected = np.maximum(by_week(self.by_day(params, timed) * here), _FEW)
        # Parameters follow.
        slopes, rate_slopes, rate = self._slopes(params, timed, by_week, here)
        follows = np.linalg.pinv(curvature + self._where.prior_information(self._where.eta(params)), hermitian=True) @ slopes.T
        told = np.diag(expected) - missed - slopes @ follows
        own = np.bincount(first, weights=weight * (by_age + mixed), minlength=size)
        own -= np.bincount(last, weights=weight * mixed, minlength=size)
        today = -(reach @ own + rate_slopes @ follows) / rate
        return Information(_filled(told, expected), today / -today.sum())

    def _slopes(
        self, params: Array, timed: States, by_week: Callable[[Array], Array], here: Array
    ) -> tuple[Array, Array, float]:
        """Derivatives by the coordinates: of what is expected by week, and of the rate after the history; and that rate."""
        where, weight = self._where, self.states.weight
        eta = where.eta(params)
        weeks, rates = [], []
        for k in range(len(eta)):
            both = []
            for side in (_STEP, -_STEP):
                moved = eta.copy()
                moved[k] += side
                there = where.params(moved)[0]
                both.append((by_week(self.by_day(there, timed) * here), weight @ self.model.conditional_rates(there, timed)[1]))
            weeks.append((both[0][0] - both[1][0]) / (2 * _STEP))
            rates.append((both[0][1] - both[1][1]) / (2 * _STEP))
        return np.column_stack(weeks), np.array(rates), float(weight @ self.model.conditional_rates(params, timed)[1])

    @cached_property
    def _where(self) -> Coordinates:
        return self.model.coordinates(self.states)


def _filled(told: Array, expected: Array) -> Array:
    """Information by weeks, positive in all directions: at most what purchases would tell, at least a little of it."""
    root = np.sqrt(expected)
    even = root / np.linalg.norm(root)
    share = told / np.outer(root, root)
    share = (share + share.T) / 2
    # The mean of all is the unit of time.
    off = share @ even
    share = share - np.outer(off, even) - np.outer(even, off) + (even @ off + 1.0) * np.outer(even, even)
    values, vectors = np.linalg.eigh(share)
    kept: Array = np.outer(root, root) * ((vectors * np.clip(values, _LEAST, 1.0)) @ vectors.T)
    return kept

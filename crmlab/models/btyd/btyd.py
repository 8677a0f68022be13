"""What the buy-till-you-die models share: everything that may be asked of a customer's future.

Each model says how likely a customer is alive and what a customer who is alive will do; this module turns that into points,
intervals and quantiles on distinct states, and joins them back to the customers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from crmlab.errors import ModelError
from crmlab.frames import as_pandas
from crmlab.models.btyd.answers import beside, joined, per_customer
from crmlab.models.btyd.clock import Clock
from crmlab.models.btyd.estimator import positive
from crmlab.models.btyd.future import Future
from crmlab.models.btyd.posterior import FEW, of_few, quantiles
from crmlab.models.btyd.special import Array
from crmlab.models.btyd.states import States, checked, framed
from crmlab.models.checked import checked_level
from crmlab.models.intervals import LEVEL, normal_quantile

__all__ = ["BuyTillYouDie"]


class BuyTillYouDie(Future):
    """Base of the models with (frequency, recency, T) as a customer's state: what may be asked of them.

    Notes
    -----
    Answers are indexed like the table that is asked about; where that has a column customer_id and no index but 0, 1, 2, …, by
    customer_id. An answer assigned to such a pandas frame as a column is missing in all rows: :meth:`scored` gives the table itself with
    what is expected of each customer as further columns, and any other answer is joined by ``frame.join(answer, on="customer_id")``.

    Examples
    --------
    >>> from crmlab.models import BGNBD
    >>> model = BGNBD.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> customers = pd.DataFrame({"customer_id": ["1516", "7"], "frequency": [2, 0], "recency": [30.43, 0.0], "T": [38.86, 38.86]})
    >>> model.scored(customers, 39)[["customer_id", "frequency", "expected_purchases"]].round(3)
      customer_id  frequency  expected_purchases
    0        1516          2               1.226
    1           7          0               0.195
    >>> customers.join(model.next_purchase(customers, q=0.2).round(1), on="customer_id")["next_purchase"].tolist()
    [6.7, 65.1]
    """

    def scored(self, summary: Any, horizon: float, *, level: float | None = None, interval: str = "mean") -> pd.DataFrame:
        """The customers' own table with what is expected of each as further columns, in the order and with the index that it has.

        Parameters
        ----------
        summary : table
            As of :meth:`probability_alive`, with whatever other columns; it is not changed.
        horizon : float
            Positive, in the time unit of ``summary``.
        level : float, optional
            Adds columns of intervals at this level.
        interval : {"mean", "outcome"}
            As of :meth:`expected_purchases`.

        Returns
        -------
        DataFrame
            The columns of ``summary`` and after them probability_alive, probability_of_purchase and expected_purchases within the horizon;
            with ``level`` each is followed by its own of the same name with _low and _high.

        Raises
        ------
        ModelError
            The table has a column of such a name already, or cannot be used.
        """
        frame = as_pandas(summary, type(self).__name__, ModelError)
        how: dict[str, Any] = {"level": level, "interval": interval}
        return beside(
            type(self).__name__,
            frame,
            self.probability_alive(frame, **how),
            self.probability_of_purchase(frame, horizon, **how),
            self.expected_purchases(frame, horizon, **how),
        )

    @per_customer("model.probability_alive(frame)")
    def probability_alive(
        self, summary: Any, *, level: float | None = None, interval: str = "mean", since: npt.ArrayLike | None = None
    ) -> pd.Series | pd.DataFrame:
        """Probability that each customer has not dropped out.

        Parameters
        ----------
        summary : table
            frequency, recency and T (age; ``periods`` of BG/BB), as in ``fit``: of pandas, Polars or PyArrow, or an Ibis table as
            ``customer_summary`` makes it.
        level : float, optional
            Adds columns low and high at this level.
        interval : {"mean", "outcome"}
            Of the probability (what is not known of the parameters), or of whether the customer is alive: 0 or 1.
        since : array of shape (n_customers,), optional
            When each row of ``summary`` stood so, as in :meth:`next_purchase`; default: at the end of the history.

        Returns
        -------
        Series, or DataFrame with columns probability_alive, low, high
            Indexed like ``summary``; where that has no index of its own, by its customer_id.
        """
        return self._chance("probability_alive", summary, self.chance_alive, level, interval, since=since)

    @per_customer("model.probability_of_purchase(frame, 26)")
    def probability_of_purchase(
        self, summary: Any, horizon: float, *, level: float | None = None, interval: str = "mean"
    ) -> pd.Series | pd.DataFrame:
        """Probability that each customer buys at least once within ``horizon``.

        Parameters
        ----------
        summary : table
        horizon : float
            Length of the time after the end of the history, positive, in the time unit of ``summary``.
        level, interval
            As in :meth:`probability_alive`; both carry what is not known of the clock over the horizon too.

        Returns
        -------
        Series, or DataFrame with columns probability_of_purchase, low, high
        """
        self.parameters()
        h = self.checked_horizon(horizon)

        def chance(params: Array, states: States, elapsed: float) -> Array:
            return self.chance_alive(params, states) * self._any(params, states, elapsed)

        return self._chance("probability_of_purchase", summary, chance, level, interval, h)

    @per_customer("model.expected_purchases(frame, 26)")
    def expected_purchases(
        self, summary: Any, horizon: float, *, level: float | None = None, interval: str = "mean"
    ) -> pd.Series | pd.DataFrame:
        """Expected purchases of each customer within ``horizon``.

        Parameters
        ----------
        summary : table
        horizon : float
            Positive, in the time unit of ``summary``.
        level : float, optional
        interval : {"mean", "outcome"}
            Of the expectation, or of the number that the customer will make. The second is the narrowest that leaves out
            at most (1 − level) / 2 on either side, and all of it above where it begins at 0; it reaches to the expectation
            where that lies beyond it.

        Returns
        -------
        Series, or DataFrame with columns expected_purchases, low, high
        """
        summary = framed(type(self).__name__, summary)
        states = self.states_of(summary)
        h, share = self.checked_horizon(horizon), self.checked_level(level, interval)
        bounds = None
        with np.errstate(all="ignore"):
            point = self.mean_purchases(self.parameters(), states, h)
            if share is not None and interval == "mean":
                most = self.most_purchases(h)
                more = self.clock_variance(h)
                bounds = self._mean_interval(lambda params: self.mean_purchases(params, states, h), share, most=most, more=more)
            elif share is not None:
                bounds = self._count_interval(states, h, share)
        return joined("expected_purchases", summary.index, states.inverse, point, bounds)

    @per_customer("model.predict(frame, 26)")
    def predict(self, summary: Any, horizon: float | None = None) -> pd.Series:
        """Expected purchases of each customer, as scikit-learn asks for them: in a pipeline, or where predictions are scored.

        Parameters
        ----------
        summary : table
        horizon : float, optional
            Default: that of the column ``horizon`` of ``summary``, one for all, as ``holdout_summary`` makes it.

        Returns
        -------
        Series
            As of :meth:`expected_purchases`.

        Raises
        ------
        ModelError
            There is no horizon, or customers have different ones.
        """
        name = type(self).__name__
        frame = framed(name, summary)
        if horizon is None:
            if "horizon" not in frame.columns:
                raise ModelError.needs(f"{name}: predict", "a horizon, or a column of that name", "neither")
            values = checked(name, frame, ["horizon"])["horizon"]
            if not (values == values[0]).all():
                raise ModelError.needs(f"{name}: predict", "one horizon for all", f"{len(np.unique(values)):,} horizons")
            horizon = float(values[0])
        found: pd.Series = self.expected_purchases(frame, horizon)
        return found

    def expected_purchases_new(
        self, t: npt.ArrayLike, *, level: float | None = None, interval: str = "mean", like: Mapping[str, Any] | None = None
    ) -> float | pd.Series | pd.DataFrame:
        """Expected repeat purchases of a new customer up to time t.

        Parameters
        ----------
        t : float or array of floats
            Positive, in the time unit of the data.
        level, interval
            As in :meth:`expected_purchases`.
        like : mapping, optional
            Of a model with covariates: what is known of the newcomer, by column. Without it newcomers are as the customers of the fit;
            the outcome is that of one customer, and needs it.

        Returns
        -------
        float, or Series for a single t with ``level``; Series or DataFrame indexed by t for several
        """
        self.parameters()
        share = self.checked_level(level, interval)
        times = [self.checked_horizon(one, "t") for one in np.atleast_1d(np.asarray(t, dtype=float))]
        state, points, lows, highs = self.newcomer(like), [], [], []
        if share is not None and interval == "outcome" and len(state.weight) > 1:
            raise ModelError.needs(type(self).__name__, "'like' for the outcome of one newcomer: covariates by column", "none")
        for one in times:
            with np.errstate(all="ignore"):
                points.append(self.mean_purchases(self.parameters(), state, one) @ state.weight)
                if share is not None and interval == "mean":
                    most = self.most_purchases(one)
                    low, high = self._mean_interval(
                        lambda params, h=one: np.atleast_1d(self.mean_purchases(params, state, h) @ state.weight),  # type: ignore[misc]
                        share,
                        most=most,
                        more=self.clock_variance(one),
                    )
                elif share is not None:
                    low, high = self._count_interval(state, one, share)
            if share is not None:
                lows.append(low[0])
                highs.append(high[0])
        bounds = None if share is None else (np.array(lows), np.array(highs))
        found = joined("expected_purchases", pd.Index(times, name="t"), slice(None), np.array(points), bounds)
        if np.ndim(t) == 0:
            return float(points[0]) if share is None else found.iloc[0]
        return found

    def pmf(
        self, n: npt.ArrayLike, t: float, *, level: float | None = None, like: Mapping[str, Any] | None = None
    ) -> float | pd.Series | pd.DataFrame:
        """Probability that a new customer makes exactly n repeat purchases up to time t.

        Parameters
        ----------
        n : int or array of ints
            At least 0.
        t : float
            Positive.
        level : float, optional
            Adds the interval over the posterior.
        like : mapping, optional
            As in :meth:`expected_purchases_new`.

        Returns
        -------
        float for a single n without ``level``; else Series, or DataFrame with columns pmf, low, high, indexed by n
        """
        self.parameters()
        share, h = self.checked_level(level, "mean"), self.checked_horizon(t, "t")
        counts = np.atleast_1d(np.asarray(n, dtype=float))
        if not ((counts >= 0) & (counts == np.floor(counts))).all():
            raise ModelError.expected(type(self).__name__, "n", "whole numbers of at least 0", n)
        state = self.newcomer(like)

        def mass(params: Array) -> Array:
            kinds = [self.count_mass(params, state, np.full(len(counts), k), counts, h) for k in range(len(state.weight))]
            return np.asarray(state.weight @ np.array(kinds))

        with np.errstate(all="ignore"):
            point = mass(self.parameters())
            bounds = self._mean_interval(mass, share, chance=True) if share is not None else None
        if np.ndim(n) == 0 and bounds is None:
            return float(point[0])
        index = pd.Index(counts.astype(int), name="n")
        return joined("pmf", index, np.arange(len(counts)), point, bounds)

    @per_customer("model.discounted_expected_purchases(frame, 0.002)")
    def discounted_expected_purchases(
        self,
        summary: Any,
        delta: float,
        *,
        horizon: float = np.inf,
        level: float | None = None,
        interval: str = "mean",
    ) -> pd.Series | pd.DataFrame:
        """Discounted expected residual purchases (DERT) of each customer.

        Parameters
        ----------
        summary : table
        delta : float
            Continuous rate of discount per unit of time, positive: ln(1 + annual rate) / units in a year.
        horizon : float
            Infinite unless given.
        level : float, optional
        interval : {"mean", "outcome"}
            Of the expectation, or of the discounted sum that the customer will make (simulated on the distinct states).

        Returns
        -------
        Series, or DataFrame with columns discounted_expected_purchases, low, high
        """
        summary = framed(type(self).__name__, summary)
        states = self.states_of(summary)
        rate, share = positive(type(self).__name__, "delta", delta), self.checked_level(level, interval)
        h = np.inf if horizon == np.inf else self.checked_horizon(horizon)
        bounds = None
        with np.errstate(all="ignore"):
            point = self.mean_discounted(self.parameters(), states, rate, h)
            if share is not None and interval == "mean":
                most = self.most_purchases(h, rate)
                more = self.clock_variance(h)
                bounds = self._mean_interval(
                    lambda params: self.mean_discounted(params, states, rate, h), share, most=most, more=more
                )
            elif share is not None:
                bounds = self.simulated_interval(states, rate, h, share, None)
        return joined("discounted_expected_purchases", summary.index, states.inverse, point, bounds)

    @per_customer("model.next_purchase(frame)")
    def next_purchase(
        self,
        summary: Any,
        q: float = 0.5,
        *,
        level: float | None = None,
        interval: str = "mean",
        since: npt.ArrayLike | None = None,
    ) -> pd.Series | pd.DataFrame:
        """Time by which each customer's next purchase comes with probability q; infinite where it may never come.

        Parameters
        ----------
        summary : table
        q : float
            Between 0 and 1.
        level : float, optional
        interval : {"mean", "outcome"}
            Of the quantile, or of the time itself: its (1 ∓ level) / 2 quantiles, parameters not being known.
        since : array of shape (n_customers,), optional
            When each row of ``summary`` stood so, from the end of the history, negative before it; default: at the end. It matters where
            there is a season, in which the days after a purchase in June are not those after one in December.

        Returns
        -------
        Series, or DataFrame with columns next_purchase, low, high
            In the time unit of ``summary``, from the end of the history, or from ``since``. The ends of the quantile carry what is not
            known of the clock over the time ahead; the outcome's do not: how long one customer takes is far less sure than that.
        """
        clock, summary = self._running, framed(type(self).__name__, summary)
        states = self.states_of(summary) if since is None or clock is None else self._states_at(clock, summary, since)
        share = self.checked_level(level, interval)
        if isinstance(q, bool) or not isinstance(q, (int, float, np.number)) or not 0 < q < 1:
            raise ModelError.expected(type(self).__name__, "q", "between 0 and 1, both excluded", q)

        def at(params: Array) -> Callable[[Array], Array]:
            alive = self.chance_alive(params, states)
            return lambda t: alive * self._any(params, states, t)

        bounds = None
        with np.errstate(all="ignore"):
            point = self._first_time(at(self.parameters()), float(q), states)
            if share is not None and interval == "mean":
                # The quantile is early where the chance is high: its interval inverts that of the chance.
                posterior = self._posterior()
                design = [at(params) for params in posterior.design]

                def limit(side: int, t: Array) -> Array:
                    chances = [np.clip(chance(t), 1e-300, 1 - 1e-16) for chance in design]
                    found = quantiles(posterior.cumulants([special.logit(one) for one in chances]), share)
                    return special.expit(found[side])

                bounds = (
                    self._first_time(lambda t: limit(1, t), float(q), states),
                    self._first_time(lambda t: limit(0, t), float(q), states),
                )
            elif share is not None:
                each = [at(params) for params in self.posterior_points()]

                def mixed(t: Array) -> Array:
                    return np.mean([chance(t) for chance in each], axis=0)

                bounds = (
                    self._first_time(mixed, (1 - share) / 2, states),
                    self._first_time(mixed, (1 + share) / 2, states),
                )
        if clock is not None:
            begun = states.columns[-1] if since is not None else np.zeros(len(point))
            point = _turned_back(clock, point, begun)
            bounds = None if bounds is None else (_turned_back(clock, bounds[0], begun), _turned_back(clock, bounds[1], begun))
        else:
            begun = np.zeros(len(point))
        if bounds is not None and share is not None and interval == "mean" and self.clock is not None:
            half = normal_quantile(share) * np.sqrt(self.clock_spread(begun + point, begun))
            bounds = _further(point, bounds[0], half, -1.0), _further(point, bounds[1], half, 1.0)
        return joined("next_purchase", summary.index, states.inverse, point, bounds)

    def expected_total(self, summary: Any, horizon: float, *, level: float = LEVEL, interval: str = "mean") -> pd.Series:
        """Expected purchases of all customers together within ``horizon``, with an interval.

        Parameters
        ----------
        summary : table
        horizon : float
        level : float
        interval : {"mean", "outcome"}
            Of the expectation, or of the total that will be seen: what is not known of the parameters, and chance.

        Returns
        -------
        Series with expected_purchases, low, high
        """
        states = self.states_of(summary)
        self.checked_level(level, interval)
        h, share = self.checked_horizon(horizon), checked_level(type(self).__name__, level)
        with np.errstate(all="ignore"):
            point = float(states.weight @ self.mean_purchases(self.parameters(), states, h))
            cumulants = (
                self.log_cumulants(lambda params: np.array([states.weight @ self.mean_purchases(params, states, h)]))
                if self.has_posterior
                else (np.log([point]), np.zeros(1), np.zeros(1))
            )
            # Chance is independent of the parameters' error and, summed over customers, nearly normal.
            chance = self._count_variance(states, h) if interval == "outcome" else 0.0
            cumulants = (cumulants[0], cumulants[1] + self.clock_variance(h), cumulants[2])
            if self.clock is not None and interval == "outcome":
                chance += float(self.clock.more_than_chance(point))
            if interval == "outcome" and point < FEW:
                low, high = of_few(np.array([point]), chance + cumulants[1] * point**2, share)
            else:
                spread = cumulants[1] + chance / max(point, 1e-150) ** 2
                low, high = (np.exp(end) for end in quantiles((cumulants[0], spread, cumulants[2]), share))
            ends = min(float(low[0]), point), max(float(high[0]), point)
        most = states.n * self.most_purchases(h)
        return pd.Series({"expected_purchases": point, "low": ends[0], "high": min(ends[1], most)})


def _further(point: Array, end: Array, half: Array, side: float) -> Array:
    """An end of the interval of a time, and a half width of its log that comes from elsewhere: their squares add up."""
    if not half.any():
        return end
    known = np.isfinite(point) & np.isfinite(end) & (point > 0) & (end > 0)
    at, there = np.where(known, point, 1.0), np.where(known, end, 1.0)
    gap = np.maximum(side * np.log(there / at), 0.0)
    moved = at * np.exp(side * np.sqrt(gap**2 + half**2))
    return np.where(known, moved, end)


def _turned_back(clock: Clock, times: Array, begun: Array) -> Array:
    """Times of the clock from each beginning on as times of the calendar; what never comes stays so."""
    never = np.isinf(times)
    return np.where(never, np.inf, clock.back(clock.at(begun) + np.where(never, 0.0, times)) - begun)

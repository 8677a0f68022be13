"""Pareto/NBD: the classic buy-till-you-die model, in which customers may drop out at any time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy import special

from crmlab.models.btyd.covariates import DROPOUT, PURCHASE
from crmlab.models.btyd.explained import WithCovariates
from crmlab.models.btyd.fitting import NO_DROPOUT, Axis, Part, Rates
from crmlab.models.btyd.future import MEAN_RATE, SHAPE
from crmlab.models.btyd.leaving import lived, worth_lived
from crmlab.models.btyd.special import Array, discounted_power, gauss, power_integral, shrinkage
from crmlab.models.btyd.states import States

__all__ = ["ParetoNBD"]


_DROPOUT_SHAPE = Axis(-6.0, 9.0, "some drop out at once, the others never", "all customers drop out alike", 0.0, 1.5)
_DROPOUT_RATE = Axis(-18.0, 18.0, NO_DROPOUT, "everybody drops out at once", 0.0, 2.0)


class ParetoNBD(WithCovariates):
    """The Pareto/NBD model: customers buy at their own steady rate until they drop out, at any time, unseen.

    Purchase rates λ vary over customers as Gamma(r, alpha), rates μ of dropping out as Gamma(s, beta). The likelihood is worked
    out as a sum of positive terms, so that it does not cancel for busy customers or where alpha and beta are near each other.

    On a clock customers buy in operational time, at the rate λ times that of the day, and drop out in the calendar's time, at the same
    steady rate in every season: alpha is then a length of operational time, beta one of the calendar.

    ``fit`` takes one table with a row per customer, as ``customer_summary(orders, unit="week")`` makes it: frequency (repeat purchases),
    recency (time from the first purchase to the last) and T (age: time from the first purchase to the end of the history), both in one
    unit of time, in which horizons are given and times are told. A column ``weight`` says how many customers a row stands for.

    Parameters
    ----------
    max_iter, draws, seed, priors
        See :class:`~crmlab.models.btyd.estimator.WeightedModel`. ``priors=True`` is what other packages have a penaliser for
        (``penalizer_coef`` of lifetimes): few customers, or a short history.
    clock : Clock, optional
        A season, as :func:`~crmlab.models.btyd.seasonality.fit_clock` learns it; without it time runs evenly.
    unit
        See :class:`~crmlab.models.btyd.future.Future`.
    covariates : list of str, or Covariates, optional
        Columns of what is known of each customer from the beginning on: see :class:`~crmlab.models.btyd.explained.WithCovariates`. The
        scales become alpha · exp(−γ'z) and beta · exp(−δ'z): rates of buying are exp(γ) times as high per 1 more, those of dropping out
        exp(δ) times. There is no clock with them.

    Attributes
    ----------
    params_ : dict
        Estimates of r, alpha, s and beta, and of coefficients; ``summary()`` has them with intervals.
    n_customers_, log_likelihood_, aic_, bic_, boundary_
        See :class:`~crmlab.models.btyd.estimator.WeightedModel`, which has more.

    References
    ----------
    Schmittlein, Morrison and Colombo (1987), Counting your customers: who are they and what will they do next?, Management
    Science 33; Fader and Hardie (2005), A note on deriving the Pareto/NBD model and related expressions: (18), (36), (41); Fader,
    Hardie and Lee (2005), RFM and CLV: using iso-value curves for customer base analysis, Journal of Marketing Research 42: (2). Fader and
    Hardie (2007), Incorporating time-invariant covariates into the Pareto/NBD and BG/NBD models, for covariates.

    Examples
    --------
    >>> import pandas as pd
    >>> model = ParetoNBD.from_params(r=0.5534, alpha=10.5802, s=0.6061, beta=11.6562)
    >>> customers = pd.DataFrame({"frequency": [2], "recency": [30.43], "T": [38.86]})
    >>> model.discounted_expected_purchases(customers, 0.0027).round(6).tolist()
    [6.482562]
    """

    parameter_names = ("r", "alpha", "s", "beta")
    meanings: ClassVar[Mapping[str, str]] = {
        "r": "purchase rates: shape",
        "alpha": "purchase rates: scale, a length of time",
        "s": "rates of dropping out: shape",
        "beta": "rates of dropping out: scale, a length of time",
    }
    takes_clock = True
    leaves_by_calendar = True
    moves: ClassVar[Mapping[str, Sequence[float]]] = {PURCHASE: (0, -1, 0, 0), DROPOUT: (0, 0, 0, -1)}

    @classmethod
    def from_params(cls, *, r: float, alpha: float, s: float, beta: float) -> Self:
        """Make a model at given parameters.

        Parameters
        ----------
        r, alpha : float
            Shape and scale parameter of the Gamma distribution of purchase rates.
        s, beta : float
            The same of the rates of dropping out; alpha and beta are lengths of time.
        """
        return cls._from_params({"r": r, "alpha": alpha, "s": s, "beta": beta})

    def _parts(self) -> tuple[Part, ...]:
        return Rates((SHAPE, MEAN_RATE)), Rates((_DROPOUT_SHAPE, _DROPOUT_RATE))

    def _starts(self) -> Sequence[Sequence[float]]:
        # (log r, log mean purchases in a typical history, log s, log mean drop-outs in a typical history)
        return [
            (-0.5, 0.5, -0.5, 0.5),
            (0.0, 0.0, 0.0, -1.5),
            (-0.5, 1.5, -0.5, -0.5),
            (0.5, 2.5, 0.0, -3.0),
            (-1.5, -1.0, -1.0, 0.5),
        ]

    def _log_likelihood(self, params: Array, states: States, gradient: bool) -> tuple[float, Array]:
        return self._summed(params, states, gradient)

    def _by_state(self, each: Sequence[Any], states: States, gradient: bool) -> tuple[Array, list[Array]]:
        r, alpha, s, beta = each
        x, tx, T = states.columns[:3]
        last, age = _on_calendar(states)
        # Alive at T, or dropped out at some τ between the last purchase and T.
        from_tx = _gone(each, states, gradient)
        log_a, log_b = np.log(alpha + tx), np.log(beta + last)
        with np.errstate(divide="ignore"):
            log_gone = np.log(from_tx[0])
        lives = -(r + x) * np.log(alpha + T) - s * np.log(beta + age)
        dies = np.log(s) - (r + x) * log_a - (s + 1) * log_b + log_gone
        both = np.logaddexp(lives, dies)
        value = both + special.gammaln(r + x) + (r * np.log(alpha) + s * np.log(beta) - special.gammaln(r))
        if not gradient:
            return value, []
        alive, dead = np.exp(lives - both), np.exp(dies - both)
        # Where nothing can have happened since the last purchase the integral is 0, and so is its part.
        slope = [np.divide(part, from_tx[0], out=np.zeros_like(part), where=from_tx[0] > 0) for part in from_tx[1:]]
        by_r = special.digamma(r + x) + (np.log(alpha) - special.digamma(r))
        by_r += -alive * np.log(alpha + T) + dead * (slope[0] - log_a)
        by_alpha = r / alpha - alive * ((r + x) / (alpha + T)) + dead * (slope[1] - (r + x) / (alpha + tx))
        by_s = np.log(beta) - alive * np.log(beta + age) + dead * (1 / s + slope[2] - log_b)
        by_beta = s / beta - alive * (s / (beta + age)) + dead * (slope[3] - (s + 1) / (beta + last))
        return value, [r * by_r, alpha * by_alpha, s * by_s, beta * by_beta]

    def chance_alive(self, params: Array, states: States) -> Array:
        """P(alive) of each state, at given parameters."""
        r, alpha, s, beta = each = self.at_states(params, states)
        x, tx, T = states.columns[:3]
        last, age = _on_calendar(states)
        with np.errstate(divide="ignore"):
            log_odds = np.log(s * _gone(each, states)[0]) - np.log(beta + last)
        log_odds += (r + x) * np.log((alpha + T) / (alpha + tx)) + s * np.log((beta + age) / (beta + last))
        return special.expit(-log_odds)

    def purchases_if_alive(self, params: Array, states: States, horizon: float) -> Array:
        """Expected purchases within the horizon of a customer of each state who is alive."""
        r, alpha, s, beta = self.at_states(params, states)
        x, T = states.columns[0], states.columns[2]
        if states.standing is not None:
            out: Array = self.purchases_by(params, states, np.array([horizon], dtype=float))[0]
            return out
        return (r + x) / (alpha + T) * (beta + T) * shrinkage(s - 1, np.log1p(horizon / (beta + T)))

    def purchases_by(self, params: Array, states: States, horizons: Array) -> Array:
        """The same within each of some horizons, shape (n_horizons, n_states)."""
        standing = states.standing
        if standing is None:
            return super().purchases_by(params, states, horizons)
        r, alpha, s, beta = self.at_states(params, states)
        some = np.asarray(horizons, dtype=float)
        ahead, clock = some > 0, standing.clock
        found = np.zeros((len(some), len(states.weight)))
        for begun in np.unique(standing.begun) if ahead.any() else ():
            mine = states.taken(standing.begun == begun)
            ends = clock.back(clock.at(begun) + some[ahead])

            def span(age: Array, begun: float = begun, ends: Array = ends) -> Array:
                return lived(clock, s, beta + age, np.full(len(age), begun), ends).T

            found[np.ix_(ahead, standing.begun == begun)] = mine.on_ages(span, beta).T
        return found * (r + states.columns[0]) / (alpha + states.columns[2])

    def newcomers_by(self, begun: Array, ends: Array) -> Callable[[Array], Array]:
        """Expected repeat purchases of newcomers by each of some ends, as a function of parameters."""
        clock = self._running
        if clock is None:
            return super().newcomers_by(begun, ends)

        def expected(params: Array) -> Array:
            r, alpha, s, beta = params
            out: Array = r / alpha * lived(clock, s, np.full(len(begun), beta), begun, ends)
            return out

        return expected

    def worth_if_alive(self, params: Array, states: States, delta: float, horizon: float, *, money: bool = False) -> Array:
        """Expected purchases of one who is alive, each times its discount: the clock's days are summed as they are."""
        standing = states.standing
        if standing is None or (delta == 0 and (standing.clock.evenly_spent or not money)):
            return super().worth_if_alive(params, states, delta, horizon, money=money)
        r, alpha, s, beta = self.at_states(params, states)
        clock = standing.clock

        def span(age: Array) -> Array:
            return worth_lived(clock, s, beta + age, delta, horizon, money=money)

        return (r + states.columns[0]) / (alpha + states.columns[2]) * states.on_ages(span, beta)

    def _any(self, params: Array, states: States, horizon: Array | float) -> Array:
        # The first purchase comes at τ, before dropping out: ∫ E[λ e^−λτ] E[e^−μτ] dτ.
        r, alpha, s, beta = self.at_states(params, states)
        x, T = states.columns[0], states.columns[2]
        if states.standing is not None:
            return _any_on_clock(params, states, horizon)
        span = power_integral(r + x + 1, alpha + T, np.array(s), beta + T, np.asarray(horizon))[0]
        return np.minimum((r + x) / (alpha + T) * span, 1.0)

    def discounted_if_alive(self, params: Array, states: States, delta: float, horizon: float) -> Array:
        """Discounted expected purchases of a customer of each state who is alive."""
        r, alpha, s, beta = self.at_states(params, states)
        if np.ndim(beta):  # each state has its own
            length = beta + states.columns[2]
            alone = length * discounted_power(delta * length, np.array(s), horizon / length)
        else:
            age = states.group(2)
            length = beta + age.values
            alone = (length * discounted_power(delta * length, np.array(s), horizon / length))[age.inverse]
        return (r + states.columns[0]) / (alpha + states.columns[2]) * alone

    def _tail(self, params: Array, k: Array, states: States, horizon: float) -> Array:
        # The k-th arrival comes at a Beta(k, r') share of time, and must come before dropping out.
        r, alpha, s, beta = self.at_states(params, states)
        age, standing = _on_calendar(states)[1], states.standing
        k, power, a_age, b_age = np.broadcast_arrays(k, r + states.columns[0], alpha + states.columns[2], beta + age)
        end = horizon / (a_age + horizon)
        low = np.minimum(special.betaincinv(k, power, 1e-14), end)
        high = np.minimum(special.betaincinv(k, power, 1 - 1e-14), end)
        nodes, weights = gauss(48)
        # In logs of the odds of the share the density is smooth on both sides.
        first, last = special.logit(np.maximum(low, 1e-300)), special.logit(np.minimum(high, 1 - 1e-16))
        first = np.maximum(first, last - 700)
        odds = first[:, None] + (last - first)[:, None] * nodes
        share, rest = special.log_expit(odds), special.log_expit(-odds)
        log_f = k[:, None] * share + power[:, None] * rest - special.betaln(k, power)[:, None]
        run = a_age[:, None] * np.exp(odds)
        stays = np.exp(-s * np.log1p((run if standing is None else standing.reached(run)) / b_age[:, None]))
        return np.maximum((last - first) * ((np.exp(log_f) * stays) @ weights), 0.0)

    def _mass(self, params: Array, n: Array, states: States, horizon: float) -> Array:
        # n arrivals up to the horizon, or up to dropping out at τ before it; τ by its own distribution.
        r, alpha, s, beta = self.at_states(params, states)
        age, standing = _on_calendar(states)[1], states.standing
        n, power, a_age, b_age = np.broadcast_arrays(n, r + states.columns[0], alpha + states.columns[2], beta + age)
        nodes, weights = gauss(40)
        reach = np.full((len(n), 1), horizon)
        reach = (reach if standing is None else standing.reached(reach))[:, 0]
        small = np.minimum(b_age, a_age)
        first = np.log1p(reach * 1e-9 / small)
        middle = np.log1p(reach * 0.05 / small)
        last = np.log1p(reach / small)
        base = special.gammaln(power + n) - special.gammaln(power) - special.gammaln(n + 1)

        def arrivals(tau: Array) -> Array:
            run = tau if standing is None else standing.passed(tau)
            length = a_age[:, None] + run
            log_f = base[:, None] + power[:, None] * np.log(a_age[:, None] / length) + n[:, None] * np.log(run / length)
            return np.exp(log_f)

        stayed = arrivals(reach[:, None])[:, 0] * np.exp(-s * np.log1p(reach / b_age))
        left = np.zeros(len(n))
        for low, high in ((first, middle), (middle, last)):
            u = low[:, None] + (high - low)[:, None] * nodes
            tau = small[:, None] * np.expm1(u)
            density = s / b_age[:, None] * np.exp(-(s + 1) * np.log1p(tau / b_age[:, None])) * (small[:, None] + tau)
            left += (high - low) * ((arrivals(tau) * density) @ weights)
        return stayed + left

    def simulated_lives(
        self, params: Array, states: States, rng: np.random.Generator, m: int
    ) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
        """Rates and remaining lives drawn for each state, at given parameters."""
        r, alpha, s, beta = self.at_states(params, states)
        x, T = states.columns[0], states.columns[2]
        rate = rng.gamma((r + x)[:, None], 1.0, (len(x), m)) / (alpha + T)[:, None]
        leaving = rng.gamma(s, 1.0, (len(x), m)) / (beta + _on_calendar(states)[1])[:, None]
        life = rng.exponential(1.0, (len(x), m)) / np.maximum(leaving, 1e-300)
        return rate, life if states.standing is None else states.standing.passed(life), np.zeros(rate.shape, dtype=bool)


def _on_calendar(states: States) -> tuple[Array, Array]:
    """Recency and age in the calendar's time, by which customers leave."""
    standing = states.standing
    return (states.columns[1], states.columns[2]) if standing is None else (standing.recency, standing.age)


def _gone(each: Sequence[Any], states: States, gradient: bool = False) -> list[Array]:
    """Integral over the time since the last purchase of the chance to have left then, over its first value; and derivatives."""
    r, alpha, s, beta = each
    x, tx, T = states.columns[:3]
    if states.standing is None:
        return power_integral(r + x, alpha + tx, np.array(s + 1), beta + tx, T - tx, gradient)
    return states.standing.since_last(r + x, alpha + tx, np.full(len(x), s + 1), beta + states.standing.recency, gradient)


def _any_on_clock(params: Array, states: States, horizon: Array | float) -> Array:
    """Probability of at least one purchase of one who is alive: the mean chance to be there still when the first one comes."""
    r, alpha, s, beta = params
    standing = states.standing
    assert standing is not None
    power, age, length = r + states.columns[0], alpha + states.columns[2], beta + standing.age
    out = np.zeros(len(power))
    if np.ndim(horizon) == 0 and horizon > 0 and (standing.begun == standing.begun[0]).all():
        run, time, weight, uneven = standing.ahead(float(horizon))
        for start in range(0, len(out), 1024):
            block = slice(start, start + 1024)
            A, B = age[block, None], length[block, None]
            f = np.exp(-(power[block, None] + 1) * np.log1p(run / A) - s * np.log1p(time / B))
            out[block] = power[block] / age[block] * ((f * (1 + s * (s + 1) / 2 * uneven / (B + time) ** 2)) @ weight)
        return np.minimum(out, 1.0)
    # In u = log(1 + v / age) the chance that no purchase has come is e^(−power u). Where horizons differ, nodes take what the clock shows.
    end = np.minimum(np.log1p(horizon / age), 36 / power)
    edges = np.sort([np.zeros_like(end), 3 / power, 12 / power, np.full_like(end, 1.5), np.full_like(end, 4.0), end], axis=0)
    nodes, weights = gauss(12)
    for low, high in pairwise(np.minimum(edges, end)):
        some = np.flatnonzero(high > low)
        for start in range(0, len(some), 4096):
            k = some[start : start + 4096]
            width = (high - low)[k, None]
            u = low[k, None] + width * nodes
            time = standing.taken(k).reached(age[k, None] * np.expm1(u))
            stays = np.exp(-power[k, None] * u - s * np.log1p(time / length[k, None]))
            out[k] += power[k] * ((stays * width) @ weights)
    return np.minimum(out, 1.0)

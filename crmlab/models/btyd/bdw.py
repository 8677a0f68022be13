"""BdW: the beta-discrete-Weibull model of customers under contract, whose chance to leave changes with duration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

import numpy as np
from scipy import special

from crmlab.models.btyd.contracts import UnderContract
from crmlab.models.btyd.fitting import Axis, Chances, Part, Power
from crmlab.models.btyd.future import DROPOUT_MEAN, DROPOUT_STRENGTH
from crmlab.models.btyd.special import Array, digamma_rise, gauss
from crmlab.models.btyd.states import States

__all__ = ["BDW"]


_DIRECT = 1024  # periods that are summed one by one; what comes after them is smooth
_MOST = 1e300  # so long a duration is as good as one without end
# Prior of the log of c: a factor of e^±1 around 1, that of an sBG.
DURATION = Axis(-5.0, 4.0, "who renews once stays for good", "who renews once leaves at the next end", 0.0, 1.0)


class BDW(UnderContract):
    """The BdW model: chances to leave vary over customers, and each customer's own changes with duration.

    A customer with the chance θ to leave at the end of the first period is still there after t periods with the chance
    (1 − θ)^(t^c); θ varies over customers as Beta(alpha, beta). Below c = 1 a customer's own chance to leave falls with each renewal,
    above it rises; c = 1 is the sBG, whose rate of retention rises only because those likely to leave do so first. A customer's state is
    one column: ``periods``, the number of renewals already made.

    Parameters
    ----------
    max_iter, draws, seed, priors
        See :class:`~crmlab.models.btyd.estimator.WeightedModel`.
    unit
        See :class:`~crmlab.models.btyd.future.Future`.

    Notes
    -----
    Sums over periods without end are worked out period by period at first, then by the formula of Euler and Maclaurin, up to where the
    discount leaves nothing: to 1e-9 of their size.

    References
    ----------
    Fader, Hardie, Liu, Davin and Steenburgh (2018), "How to project customer retention" revisited: the role of duration dependence,
    Journal of Interactive Marketing 43: S(t) = B(alpha, beta + t^c) / B(alpha, beta).

    Examples
    --------
    >>> model = BDW().fit([1000, 869, 743, 653, 593])
    >>> {name: round(value, 2) for name, value in model.params_.items()}
    {'alpha': 0.26, 'beta': 1.72, 'c': 1.58}
    >>> model.survival([4, 12]).round(3).tolist()
    [0.593, 0.389]
    """

    parameter_names = ("alpha", "beta", "c")
    meanings: ClassVar[Mapping[str, str]] = {
        "alpha": "chance to leave at first: alpha of its Beta distribution",
        "beta": "chance to leave at first: beta of its Beta distribution",
        "c": "duration: above 1 a customer's chance to leave rises with it, below 1 it falls",
    }
    least_periods = 3

    @classmethod
    def from_params(cls, *, alpha: float, beta: float, c: float) -> Self:
        """Make a model at given parameters of the Beta distribution of the chance to leave, and of duration."""
        return cls._from_params({"alpha": alpha, "beta": beta, "c": c})

    def _parts(self) -> tuple[Part, ...]:
        return (Chances((DROPOUT_MEAN, DROPOUT_STRENGTH)), Power((DURATION,)))

    def _starts(self) -> Sequence[Sequence[float]]:
        return [(-1.5, 1.0, 0.0), (-3.0, 0.0, 0.0), (0.0, 1.0, 0.0), (-2.0, 3.0, 0.0), (-1.5, 0.0, 0.5), (-1.5, 2.0, -0.5)]

    def _log_likelihood(self, params: Array, states: States, gradient: bool) -> tuple[float, Array]:
        time, left, *late = states.columns
        gone, n = left > 0, len(time)
        # Those who left were there after t − 1 periods and not after t; who entered late was there by then.
        times = np.concatenate([time - left, time + 1 - left, *late])
        stayed = self.log_survival(params, times)
        # log(S(t − 1) − S(t)), without the difference of two shares that are nearly the same.
        drop = np.where(gone, stayed[n : 2 * n] - stayed[:n], -1.0)
        each = stayed[:n] + np.where(gone, np.log(-np.expm1(drop)), 0.0)
        if late:
            each = each - stayed[2 * n :]
        value = float(states.weight @ each)
        if not gradient:
            return value, np.zeros(3)
        by = self._slopes(params, times)
        slopes = by[:, :n] + np.where(gone, (by[:, :n] - by[:, n : 2 * n]) / np.expm1(-drop), 0.0)
        if late:
            slopes = slopes - by[:, 2 * n :]
        return value, slopes @ states.weight

    def _slopes(self, params: Array, t: Array) -> Array:
        """Derivatives of the log of survival by the parameters, of shape (3, n)."""
        alpha, beta, _ = params
        u = self._duration(params, t)
        fall = digamma_rise(beta + u, alpha)
        log_t = np.log(np.maximum(t, 1.0))
        by_alpha = special.digamma(alpha + beta) - special.digamma(alpha + beta + u)
        return np.array([by_alpha, digamma_rise(beta, alpha) - fall, -fall * u * log_t])

    def _duration(self, params: Array, t: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.minimum(np.asarray(t, dtype=float) ** params[2], _MOST)

    def _renewals(self, params: Array, theta: Array, made: Array, rng: np.random.Generator) -> Array:
        # There after t with the chance (1 − θ)^(t^c): the last t^c that is reached is exponential, from what was reached already on.
        more = rng.exponential(size=theta.shape) / -np.log1p(-np.clip(theta, 1e-12, 1 - 1e-16))
        with np.errstate(over="ignore"):
            reached = (self._duration(params, made) + more) ** (1 / params[2])
        return np.clip(np.floor(np.minimum(reached, 1e12 + made)) - made, 0.0, 1e12)

    def discounted_if_alive(self, params: Array, states: States, delta: float, horizon: float) -> Array:
        """Discounted expected purchases of a customer of each state who is alive."""
        age = states.group(0)
        parts = [age.values[k : k + 256] for k in range(0, len(age.values), 256)]
        last = min(horizon, np.ceil(45 / delta)) if delta else horizon
        return np.concatenate([self._summed(params, part, delta, last) for part in parts])[age.inverse]

    def _summed(self, params: Array, made: Array, delta: float, last: float) -> Array:
        """Sum of what is renewed, discounted, at the ends 1, 2, … last after so many renewals, given the first of them."""
        first = self.log_survival(params, made + 1)[:, None]
        made = made[:, None]

        def renewed(k: Array) -> Array:
            return np.exp(self.log_survival(params, made + k) - first - delta * k)

        total: Array = renewed(np.arange(1.0, min(last, _DIRECT) + 1)).sum(axis=1)
        if last <= _DIRECT:
            return total
        edges = [float(_DIRECT)]
        while edges[-1] < last:
            edges.append(min(2 * edges[-1], edges[-1] + (8 / delta if delta else np.inf), last))
        at, share = gauss(20)
        wide = np.diff(edges)[:, None]
        inside = renewed((np.array(edges[:-1])[:, None] + wide * at).ravel()) @ (wide * share).ravel()
        ends = np.array([edges[0], edges[-1]])
        u = self._duration(params, made + ends)
        value = renewed(ends)
        slope = -value * (delta + params[2] * u * digamma_rise(params[1] + u, params[0]) / (made + ends))
        return total + inside + np.diff(value / 2 + slope / 12, axis=1)[:, 0]

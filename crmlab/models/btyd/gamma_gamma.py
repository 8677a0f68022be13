"""Gamma-Gamma: what customers spend per purchase, learnt from the mean of few purchases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from scipy import special

from crmlab.errors import ModelError
from crmlab.models.btyd.answers import joined, per_customer
from crmlab.models.btyd.estimator import WeightedModel
from crmlab.models.btyd.fitting import Amounts, Axis, Coordinates, Optimum, Part
from crmlab.models.btyd.posterior import Posterior
from crmlab.models.btyd.special import Array, digamma_rest, log1p_rest, stirling_rest
from crmlab.models.btyd.states import States, checked, checked_weight, framed, refuse, typical
from crmlab.models.checked import LARGE, SMALL, workable

__all__ = ["CONSTANT", "GammaGamma"]


CONSTANT = "every purchase is of the same amount"
# Amounts that differ by less than this, relative to their median and in the mean of squares, differ by rounding: that of sums of
# numbers of single precision, of seven digits, is some 1e-7.
_ROUNDING = 1e-6
# Amounts as equal as floats can be have a p or q of e^36.
_P = Axis(-7.0, 36.0, None, "each customer always spends the same", 0.5, 1.5)
_Q = Axis(-4.0, 36.0, None, "all customers spend alike", 1.0, 1.5)
# The bounds are of p v / q in units of a typical amount, the prior is of v.
_V = Axis(-30.0, 30.0, None, None, 0.5, 2.0)


# From such a p on single purchases vary by less than a hundredth of a percent: they are taken not to.
_EVEN = 1e8


class GammaGamma(WeightedModel):
    """The Gamma-Gamma model: single purchases vary around a customer's own mean, which varies between customers.

    Spend per purchase is Gamma(p, ν), ν varies over customers as Gamma(q, v). The model supposes that spend does not depend on
    how often a customer buys: ``correlation_`` says how well the data agree, and should be small.

    Where every purchase is of the same amount the likelihood has no maximum. The limit is taken: spend is that amount, ``boundary_``
    is :data:`CONSTANT`, and ``log_likelihood_`` is that of amounts as equal as floats can tell. Everybody is then taken to spend that
    amount, whatever mean is told of a customer later: amounts that never differed say nothing of how far to believe another one. Points
    and both ends of all intervals are that amount.

    Parameters
    ----------
    max_iter, draws, seed, priors
        See :class:`~crmlab.models.btyd.estimator.WeightedModel`. ``priors=True`` is what other packages have a penaliser for.

    Attributes
    ----------
    params_ : dict
        Estimates of p, q and v; ``summary()`` has them with intervals.
    constant_ : float or None
        The amount of every purchase where all are of the same; None where amounts differ.
    correlation_ : float
        Between frequency and monetary_value of those who bought again; 0 where one of them does not vary.

    References
    ----------
    Fader and Hardie (2013), The Gamma-Gamma model of monetary value: likelihood (1a), conditional expectation (5).

    Examples
    --------
    >>> import pandas as pd
    >>> model = GammaGamma.from_params(p=6.25, q=3.74, v=15.44)
    >>> customers = pd.DataFrame({"frequency": [0, 2], "monetary_value": [float("nan"), 22.35]})
    >>> model.expected_spend(customers).round(2).tolist()
    [35.22, 24.66]
    >>> tickets = pd.DataFrame({"frequency": [2, 0, 5], "monetary_value": [12.5, float("nan"), 12.5]})
    >>> GammaGamma().fit(tickets).expected_spend(tickets, level=0.9).iloc[1].tolist()
    [12.5, 12.5, 12.5]
    """

    parameter_names = ("p", "q", "v")
    meanings: ClassVar[Mapping[str, str]] = {
        "p": "single purchases of a customer: shape",
        "q": "customers’ means: shape",
        "v": "customers’ means: scale, an amount",
    }
    needs = "frequency and monetary_value"
    also_saved = ("constant", "correlation")

    @classmethod
    def from_params(cls, *, p: float, q: float, v: float) -> Self:
        """Make a model at given parameters.

        Parameters
        ----------
        p, q : float
            Shapes of the Gamma distributions within and between customers; q above 1.
        v : float
            Scale of the second, an amount.
        """
        model = cls._from_params({"p": p, "q": q, "v": v})
        if q <= 1:
            raise ModelError.infinite_mean("GammaGamma", q)
        return model

    def fit(self, summary: Any, y: None = None, *more: Any) -> Self:
        """Fit to customers who bought again; those with frequency 0 carry no information and are passed over.

        Parameters
        ----------
        summary : table
            frequency, monetary_value (mean spend per repeat purchase, positive) and an optional weight.
        y : None
            Not used.
        *more
            Nothing: the columns come in one table.

        Returns
        -------
        self

        Raises
        ------
        ModelError
            Among others where q is at most 1, so that mean spend would be infinite.
        """
        self.constant_ = None
        super().fit(summary, y, *more)
        if self.params_["q"] <= 1:
            q = self.params_["q"]
            del self.params_
            raise ModelError.infinite_mean("GammaGamma", q)
        x, m = self.states_.columns
        self.constant_ = float(m[0]) if self.boundary_ == CONSTANT else None
        w = self.states_.weight / self.states_.n
        dx, dm = x - w @ x, m - w @ m
        spread = float(np.sqrt((w @ dx**2) * (w @ dm**2)))
        varies = spread > 0 and self.boundary_ != CONSTANT
        self.correlation_ = float(w @ (dx * dm)) / spread if varies else 0.0
        return self

    def checked_columns(self, frame: Any, fitting: bool = False) -> tuple[list[Array], Array | None]:
        """Columns of a frame and its weights, checked."""
        frame = framed("GammaGamma", frame)
        found = checked("GammaGamma", frame, ["frequency", "monetary_value"])
        x, m = found["frequency"], found["monetary_value"]
        with np.errstate(invalid="ignore"):
            refuse(
                "GammaGamma",
                "frequency must be a whole number of at least 0",
                ~((x >= 0) & (x == np.floor(x)) & np.isfinite(x)),
                frame,
            )
            bad = (x > 0) & ~((m > 0) & np.isfinite(m))
            absurd = (x > 0) & ~bad & ~workable(m)
        refuse("GammaGamma", f"monetary_value must be from {SMALL:g} to {LARGE:g} where frequency is above 0", absurd, frame)
        refuse(
            "GammaGamma", "monetary_value must be positive where frequency is above 0", bad, frame,
            "Leave customers whose repeat spend is not positive out of the spend fit.",
        )  # fmt: skip
        if not fitting:
            return [x, self.amounts(x, m)], None
        weight = checked_weight("GammaGamma", frame)
        again = x > 0
        if not again.any():
            raise ModelError.not_identifiable(
                "GammaGamma", "customers who bought again", f"{len(x):,} rows, all with frequency 0", "Take a longer history."
            )
        x, m, weight = x[again], m[again], None if weight is None else weight[again]
        constant = float(np.median(m))
        differ = float(np.average((m / constant - 1) ** 2, weights=weight)) > _ROUNDING**2
        return [x, m if differ else np.full(len(m), constant)], weight

    def amounts(self, frequency: Array, monetary_value: Array) -> Array:
        """Mean spend as the model takes it: 0 of those who never bought again, and the one amount where every purchase is of it.

        Parameters
        ----------
        frequency, monetary_value : arrays of shape (n,)

        Returns
        -------
        array of shape (n,)
        """
        constant = self._constant()
        return np.where(frequency > 0, monetary_value if constant is None else constant, 0.0)

    def _constant(self) -> float | None:
        """The amount of every purchase; None where amounts differ."""
        found: float | None = getattr(self, "constant_", None)
        return found

    def _posterior(self, n: int | None = None, seed: int | None = None, exact: bool = False) -> Posterior:
        if self._constant() is None:
            return super()._posterior(n, seed, exact)
        # What never varied is taken as known.
        eta = self.coordinates_.eta(self.parameters())
        size = len(eta)
        return Posterior.of_normal(eta, np.zeros((size, size)), self.coordinates_, self.draws if n is None else n, 0)

    def _unit(self, states: States) -> float:
        return typical(states.columns[1], states.weight)

    def _parts(self) -> tuple[Part, ...]:
        return (Amounts((_P, _Q, _V)),)

    def _starts(self) -> Sequence[Sequence[float]]:
        # (log p, log q, log harmonic mean of customers' means): what varies more, single purchases or customers?
        return [(1.0, 1.0, 0.0), (0.0, 1.5, 0.0), (2.0, 0.7, 0.3), (-0.5, 2.5, 0.0), (6.0, 1.0, 0.0), (1.0, 6.0, 0.0)]

    def _unlimited(self, states: States, where: Coordinates) -> Optimum | None:
        # Where all amounts are one, the density of that amount has no upper limit: p and q are as high as they may be.
        amounts = states.columns[1]
        if (amounts != amounts[0]).any():
            return None
        eta = np.array([_P.high, _Q.high, np.log(amounts[0] / where.unit)])
        value = self._log_likelihood(where.params(eta)[0], states, False)[0]
        return Optimum(eta, value, np.full((3, 3), np.nan), CONSTANT)

    def _log_likelihood(self, params: Array, states: States, gradient: bool) -> tuple[float, Array]:
        # The share x m / (v + x m) is Beta(p x, q). With huge p or q the textbook form is a small difference of huge numbers; here
        # the logs of share and rest over their means are taken less what adds up to 0, and of Γ what Stirling's formula leaves.
        p, q, v = params
        x, m = states.columns
        w, times = states.weight, states.group(0)
        at_x, a = np.bincount(times.inverse, weights=w), p * times.values
        gap, whole, a_each = m * q - p * v, v + x * m, a[times.inverse]
        up, down = gap / (whole * p), -x * gap / (whole * q)
        rest_up = np.where(np.abs(up) < 0.4, log1p_rest(up), np.log(x * m / whole * ((a_each + q) / a_each)) - up)
        rest_down = np.where(np.abs(down) < 0.4, log1p_rest(down), np.log(v / whole * ((a_each + q) / q)) - down)
        value = w @ (a_each * rest_up + q * rest_down - np.log(m))
        value += at_x @ (np.log(a / (a + q) * q) / 2 + stirling_rest(a + q) - stirling_rest(a))
        value -= states.n * (stirling_rest(q) + np.log(2 * np.pi) / 2)
        if not gradient:
            # A posterior draw with an infinite mean is none of this model's.
            return float(value) if q > 1 else -np.inf, params
        both = digamma_rest(a + q)
        by_p = at_x @ (times.values * (both - digamma_rest(a))) + w @ (x * (rest_up + up))
        by_q = at_x @ both - states.n * digamma_rest(q) + w @ (rest_down + down)
        by_v = w @ (x * gap / (v * whole))
        return float(value), np.array([by_p, float(by_q), by_v])

    @per_customer("model.expected_spend(frame)")
    def expected_spend(self, summary: Any, *, level: float | None = None, interval: str = "mean") -> pd.Series | pd.DataFrame:
        """Expected spend per purchase of each customer.

        Parameters
        ----------
        summary : table
            frequency and monetary_value; the latter is not looked at where frequency is 0.
        level : float, optional
        interval : {"mean", "outcome"}
            Of the customer's expected spend, or of the spend of the next purchase.

        Returns
        -------
        Series, or DataFrame with columns expected_spend, low, high
        """
        self.parameters()
        share, summary = self.checked_level(level, interval), framed("GammaGamma", summary)
        states = self._compressed(self.checked_columns(summary)[0])
        bounds = None
        with np.errstate(all="ignore"):
            point = self.mean_spend(self.parameters(), states)
            if share is not None and self._constant() is not None:
                bounds = point, point
            elif share is not None and interval == "mean":
                bounds = self._mean_interval(lambda params: self.mean_spend(params, states), share)
            elif share is not None:
                bounds = self._next_spend(states, (1 - share) / 2), self._next_spend(states, (1 + share) / 2)
        return joined("expected_spend", summary.index, states.inverse, point, bounds)

    @per_customer("model.predict(frame)")
    def predict(self, summary: Any) -> pd.Series:
        """Expected spend per purchase of each customer, as scikit-learn asks for it; see :meth:`expected_spend`."""
        found: pd.Series = self.expected_spend(summary)
        return found

    def mean_spend(self, params: Array, states: States) -> Array:
        """Expected spend per purchase of each state, at given parameters."""
        constant = self._constant()
        if constant is not None:
            return np.full(len(states.weight), constant)
        p, q, v = params
        x, m = states.columns
        return p * (v + x * m) / np.maximum(p * x + q - 1, 1e-12)

    def square_spend(self, params: Array, states: States) -> Array:
        """Mean square of what one purchase of each state brings, at given parameters.

        Of a customer's mean it is finite from a shape above 2 on; below, it is taken at 2.25.
        """
        p, q, _ = params
        shape = p * states.columns[0] + q
        within = 1 + 1 / p
        out: Array = self.mean_spend(params, states) ** 2 * (shape - 1) / np.maximum(shape - 2, 0.25) * within
        return out

    def _next_spend(self, states: States, chance: float) -> Array:
        """Quantile of the next purchase: (v + x m) times a beta-prime, mixed over the parameters."""
        points = self.posterior_points()
        x, m = states.columns

        def below(amount: Array) -> Array:
            return np.mean([_below(amount, params, x, m) for params in points], axis=0)

        middle = np.log(self.mean_spend(points[0], states))
        low, high = middle - 30, middle + 30
        for _ in range(60):
            guess = (low + high) / 2
            over = below(np.exp(guess)) >= chance
            low, high = np.where(over, low, guess), np.where(over, guess, high)
        return np.exp(high)

    def mean_spend_cdf(self, amount: Any, frequency: Any) -> Array:
        """Probability that the mean spend of a customer over ``frequency`` repeat purchases is at most ``amount``.

        Parameters
        ----------
        amount, frequency : floats or arrays that broadcast
            frequency above 0.

        Returns
        -------
        array

        Examples
        --------
        >>> GammaGamma.from_params(p=6.25, q=3.74, v=15.44).mean_spend_cdf([20.0, 40.0], 1).round(3)
        array([0.33, 0.72])
        """
        p, q, v = self.parameters()
        m, x = np.asarray(amount, dtype=float), np.asarray(frequency, dtype=float)
        constant = self._constant()
        if constant is not None:
            return np.where(m + 0 * x >= constant * (1 - _ROUNDING), 1.0, 0.0)
        # By the rest, which keeps its digits where purchases hardly vary.
        found: Array = special.betaincc(q, p * x, v / (v + x * m))
        return found

    def simulate(self, frequency: Any, *, seed: int = 0) -> pd.DataFrame:
        """Draw customers with the frequencies given: monetary_value, and the mean it would settle at, ``true_spend``."""
        p, q, v = self.parameters()
        x = np.asarray(frequency, dtype=float)
        rng = np.random.default_rng(seed)
        nu = rng.gamma(q, 1 / v, len(x))
        mean = rng.gamma(np.maximum(p * x, 1e-300)) / nu / np.maximum(x, 1)
        return pd.DataFrame({"frequency": x, "monetary_value": np.where(x > 0, mean, np.nan), "true_spend": p / nu})


def _below(amount: Array, params: Array, x: Array, m: Array) -> Array:
    """Probability that the next purchase is at most an amount: of Gamma(p, ν) with ν by Gamma(p x + q, v + x m)."""
    p, q, v = params
    found: Array
    if p < _EVEN:
        found = special.betainc(p, p * x + q, amount / (amount + v + x * m))
    else:
        found = special.gammaincc(p * x + q, p * (v + x * m) / amount)
    return found

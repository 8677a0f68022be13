"""Gamma-Gamma: what customers spend per purchase, learnt from the mean of few purchases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy import special

from crmlab.errors import ModelError
from crmlab.models.btyd.estimator import WeightedModel, joined
from crmlab.models.btyd.fitting import Axis, Part, Scale
from crmlab.models.btyd.special import Array
from crmlab.models.btyd.states import States, checked, checked_weight, refuse

__all__ = ["GammaGamma"]


_P = Axis(-7.0, 9.0, "single purchases vary without limit", "each customer always spends the same", 0.5, 1.5)
_Q = Axis(-4.0, 9.0, "mean spend is infinite", "all customers spend alike", 1.0, 1.5)
_V = Axis(-9.0, 18.0, "v is 0", "v is infinite", 0.5, 2.0)


class GammaGamma(WeightedModel):
    """The Gamma-Gamma model: single purchases vary around a customer's own mean, which varies between customers.

    Spend per purchase is Gamma(p, ν), ν varies over customers as Gamma(q, v). The model supposes that spend does not depend on
    how often a customer buys: ``correlation_`` says how well the data agree, and should be small.

    Parameters
    ----------
    max_iter, draws, seed : int
        See :class:`~crmlab.models.btyd.estimator.WeightedModel`.

    Attributes
    ----------
    correlation_ : float
        Between frequency and monetary_value of those who bought again.

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
    """

    parameter_names = ("p", "q", "v")

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

    def fit(self, summary: pd.DataFrame, y: None = None) -> Self:  # noqa: ARG002
        """Fit to customers who bought again; those with frequency 0 carry no information and are passed over.

        Parameters
        ----------
        summary : DataFrame
            frequency, monetary_value (mean spend per repeat purchase, positive) and an optional weight.
        y : None
            Not used.

        Returns
        -------
        self

        Raises
        ------
        ModelError
            Among others where q is at most 1, so that mean spend would be infinite.
        """
        super().fit(summary)
        if self.params_["q"] <= 1:
            q = self.params_["q"]
            del self.params_
            raise ModelError.infinite_mean("GammaGamma", q)
        x, m = self.states_.columns
        w = self.states_.weight / self.states_.n
        dx, dm = x - w @ x, m - w @ m
        spread = float(np.sqrt((w @ dx**2) * (w @ dm**2)))
        self.correlation_ = float(w @ (dx * dm)) / spread if spread > 0 else 0.0
        return self

    def checked_columns(self, frame: Any, fitting: bool = False) -> tuple[list[Array], Array | None]:
        """Columns of a frame and its weights, checked."""
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
        refuse(
            "GammaGamma", "monetary_value must be positive where frequency is above 0", bad, frame,
            "Leave customers whose repeat spend is not positive out of the spend fit.",
        )  # fmt: skip
        if not fitting:
            return [x, np.where(x > 0, m, 0.0)], None
        weight = checked_weight("GammaGamma", frame)
        again = x > 0
        if not again.any():
            raise ModelError.not_identifiable(
                "GammaGamma", "customers who bought again", f"{len(x):,} rows, all with frequency 0", "Take a longer history."
            )
        return [x[again], m[again]], None if weight is None else weight[again]

    def _unit(self, states: States) -> float:
        return float(states.weight @ states.columns[1] / states.n)

    def _parts(self) -> tuple[Part, ...]:
        return Scale((_P,)), Scale((_Q,)), Scale((_V,), in_unit=True)

    def _starts(self) -> Sequence[Sequence[float]]:
        return [(1.0, 1.0, 0.0), (0.0, 1.5, 1.5), (2.0, 0.7, -1.0), (-0.5, 2.5, 3.0)]

    def _log_likelihood(self, params: Array, states: States, gradient: bool) -> tuple[float, Array]:
        p, q, v = params
        x, m = states.columns
        w, log_all = states.weight, np.log(v + x * m)
        times = states.group(0)
        at_x = np.bincount(times.inverse, weights=w)
        px = p * times.values
        value = at_x @ (special.gammaln(px + q) - special.gammaln(px)) + states.n * (q * np.log(v) - special.gammaln(q))
        log_m = np.log(m)
        value += w @ (p * x * (log_m + np.log(x)) - log_m - (p * x + q) * log_all)
        if not gradient:
            # A posterior draw with an infinite mean is none of this model's.
            return float(value) if q > 1 else -np.inf, params
        psi = special.digamma
        by_p = at_x @ (times.values * (psi(px + q) - psi(px))) + w @ (x * (log_m + np.log(x) - log_all))
        by_q = at_x @ psi(px + q) + states.n * (np.log(v) - psi(q)) - w @ log_all
        by_v = states.n * q / v - w @ ((p * x + q) / (v + x * m))
        return float(value), np.array([by_p, by_q, by_v])

    def expected_spend(
        self, summary: pd.DataFrame, *, level: float | None = None, interval: str = "mean"
    ) -> pd.Series | pd.DataFrame:
        """Expected spend per purchase of each customer.

        Parameters
        ----------
        summary : DataFrame
            frequency and monetary_value; the latter is not looked at where frequency is 0.
        level : float, optional
        interval : {"mean", "outcome"}
            Of the customer's expected spend, or of the spend of the next purchase.

        Returns
        -------
        Series, or DataFrame with columns expected_spend, low, high
        """
        self.parameters()
        share = self.checked_level(level, interval)
        states = self._compressed(self.checked_columns(summary)[0])
        bounds = None
        with np.errstate(all="ignore"):
            point = self.mean_spend(self.parameters(), states)
            if share is not None and interval == "mean":
                bounds = self._mean_interval(lambda params: self.mean_spend(params, states), share)
            elif share is not None:
                bounds = self._next_spend(states, (1 - share) / 2), self._next_spend(states, (1 + share) / 2)
        return joined("expected_spend", summary.index, states.inverse, point, bounds, interval == "mean")

    def mean_spend(self, params: Array, states: States) -> Array:
        """Expected spend per purchase of each state, at given parameters."""
        p, q, v = params
        x, m = states.columns
        return p * (v + x * m) / np.maximum(p * x + q - 1, 1e-12)

    def _next_spend(self, states: States, chance: float) -> Array:
        """Quantile of the next purchase: (v + x m) times a beta-prime, mixed over the parameters."""
        points = self.posterior_points()
        x, m = states.columns

        def below(amount: Array) -> Array:
            each = [special.betainc(p, p * x + q, amount / (amount + v + x * m)) for p, q, v in points]
            return np.mean(each, axis=0)

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
        found: Array = special.betainc(p * x, q, x * m / (v + x * m))
        return found

    def simulate(self, frequency: Any, *, seed: int = 0) -> pd.DataFrame:
        """Draw customers with the frequencies given: monetary_value, and the mean it would settle at, ``true_spend``."""
        p, q, v = self.parameters()
        x = np.asarray(frequency, dtype=float)
        rng = np.random.default_rng(seed)
        nu = rng.gamma(q, 1 / v, len(x))
        mean = rng.gamma(np.maximum(p * x, 1e-300)) / nu / np.maximum(x, 1)
        return pd.DataFrame({"frequency": x, "monetary_value": np.where(x > 0, mean, np.nan), "true_spend": p / nu})

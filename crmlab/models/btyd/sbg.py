"""sBG: the shifted beta-geometric model of customers under contract, who are seen to leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

import numpy as np
from scipy import special

from crmlab.models.btyd.contracts import UnderContract
from crmlab.models.btyd.fitting import Chances, Part
from crmlab.models.btyd.future import DROPOUT_MEAN, DROPOUT_STRENGTH
from crmlab.models.btyd.special import Array, beta_rule
from crmlab.models.btyd.states import States

__all__ = ["SBG"]


class SBG(UnderContract):
    """The sBG model: at the end of each period a customer leaves with a chance of their own that does not change.

    Chances θ to leave vary over customers as Beta(alpha, beta); those likely to leave do so first, so that the rate of
    retention rises with age though nobody grows more loyal. A "purchase" is a renewal, "alive" means there in the coming
    period, and a customer's state is one column: ``periods``, the number of renewals already made.

    Parameters
    ----------
    max_iter, draws, seed, priors
        See :class:`~crmlab.models.btyd.estimator.WeightedModel`.
    unit
        See :class:`~crmlab.models.btyd.future.Future`.

    References
    ----------
    Fader and Hardie (2007), How to project customer retention, Journal of Interactive Marketing 21: (5)–(7); Fader and Hardie
    (2010), Customer-base valuation in a contractual setting: the perils of ignoring heterogeneity, Marketing Science 29.

    Examples
    --------
    >>> model = SBG().fit([1000, 869, 743, 653, 593, 551, 517, 491])
    >>> {name: round(value, 3) for name, value in model.params_.items()}
    {'alpha': 0.668, 'beta': 3.806}
    >>> model.survival([8, 12]).round(3).tolist()
    [0.46, 0.378]
    """

    parameter_names = ("alpha", "beta")
    meanings: ClassVar[Mapping[str, str]] = {
        "alpha": "chance to leave: alpha of its Beta distribution",
        "beta": "chance to leave: beta of its Beta distribution",
    }
    least_periods = 2

    @classmethod
    def from_params(cls, *, alpha: float, beta: float) -> Self:
        """Make a model at given parameters of the Beta distribution of the chance to leave."""
        return cls._from_params({"alpha": alpha, "beta": beta})

    def _parts(self) -> tuple[Part, ...]:
        return (Chances((DROPOUT_MEAN, DROPOUT_STRENGTH)),)

    def _starts(self) -> Sequence[Sequence[float]]:
        return [(-1.5, 1.0), (-3.0, 0.0), (0.0, 1.0), (-2.0, 3.0)]

    def _log_likelihood(self, params: Array, states: States, gradient: bool) -> tuple[float, Array]:  # noqa: ARG002
        alpha, beta = params
        time, left, *late = states.columns
        # Whoever left at t renewed t − 1 times; whoever is still there renewed t times.
        stayed = time - left
        value = states.weight @ (special.betaln(alpha + left, beta + stayed) - special.betaln(alpha, beta))
        psi = special.digamma
        both = psi(alpha + beta) - psi(alpha + beta + time)
        slopes = np.array(
            [
                states.weight @ (both + psi(alpha + left) - psi(alpha)),
                states.weight @ (both + psi(beta + stayed) - psi(beta)),
            ]
        )
        for entered in late:  # given that so many renewals were made
            value -= states.weight @ self.log_survival(params, entered)
            both = psi(alpha + beta) - psi(alpha + beta + entered)
            slopes -= np.array([states.weight @ both, states.weight @ (both + psi(beta + entered) - psi(beta))])
        return float(value), slopes

    def _duration(self, params: Array, t: Array) -> Array:  # noqa: ARG002
        return t

    def _renewals(self, params: Array, theta: Array, made: Array, rng: np.random.Generator) -> Array:  # noqa: ARG002
        return np.minimum(rng.geometric(np.maximum(theta, 1e-12)), 1e12) - 1.0

    def discounted_if_alive(self, params: Array, states: States, delta: float, horizon: float) -> Array:
        """Discounted expected purchases of a customer of each state who is alive."""
        age = states.group(0)
        steepest = min(horizon, 1 / delta if delta else np.inf)
        theta, weights = beta_rule(params[0], params[1], age.values + 1, steepest)
        log_w = np.log1p(-theta) - delta
        with np.errstate(invalid="ignore"):
            periods = np.expm1(horizon * log_w) / np.expm1(log_w) if horizon < np.inf else -1 / np.expm1(log_w)
        return np.exp(-delta) * (weights @ np.where(log_w == 0, horizon, periods))[age.inverse]

"""Sums, shares and averages of value over many customers, with the uncertainty of both models, and of chance where asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.models.posterior import quantiles
from crmlab.models.special import Array

if TYPE_CHECKING:
    from crmlab.models.customer_value import CustomerValue

# Chance is worked out for at most so many customers: half of them those worth most, who carry most of it, the others a random
# sample of the rest, scaled up.
_SIMULATED = 20_000
_DRAWS = 400


@dataclass(frozen=True)
class Worth:
    """What two models say of each customer, all arrays of shape (n_rows,).

    Attributes
    ----------
    value : array
        Residual value, margin included.
    if_alive : array
        Residual value of a customer who is certainly alive.
    alive : array
        P(alive).
    purchases : array
        Expected purchases within the horizon of purchases.
    """

    value: Array
    if_alive: Array
    alive: Array
    purchases: Array

    @property
    def at_risk(self) -> Array:
        """Value if certainly alive, less value as things stand."""
        return self.if_alive - self.value


@dataclass(frozen=True)
class Measure:
    """A positive number worked out from the worth of all customers.

    Parameters
    ----------
    of : callable
        Gets a :class:`Worth`, gives a number.
    outcome : str
        ``"mean"``: the interval carries what is not known of the parameters. ``"outcome"``: chance too; only for a sum of values.
    members : array of bool of shape (n_rows,), optional
        The customers over whom a sum of values goes; all unless given.
    """

    of: Callable[[Worth], float]
    outcome: str = "mean"
    members: npt.NDArray[np.bool_] | None = None


class Portfolio:
    """Customers, reduced to the distinct states of both models, ready to be valued at any parameters."""

    def __init__(self, model: CustomerValue, summary: pd.DataFrame, horizon: float, ahead: float | None = None) -> None:
        self.model, self.summary, self.horizon, self.ahead = model, summary, horizon, ahead
        self.purchases, self.spend = model.fitted_models()
        self.states = self.purchases.states_of(summary)
        self.money, self.place = model.spend_states(summary)
        self.delta = model.delta_

    def at(self, purchases: Array | None, spend: Array | None) -> Worth:
        """Value the customers; None stands for the estimates."""
        alive, worth, bought = self._typical if purchases is None else self._bought(purchases)
        each = self._each if spend is None else self.model.margin * self.spend.mean_spend(spend, self.money)[self.place]
        return Worth(alive * worth * each, worth * each, alive, bought)

    def _bought(self, params: Array) -> tuple[Array, Array, Array]:
        inverse = self.states.inverse
        alive = self.purchases.chance_alive(params, self.states)
        worth = self.purchases.discounted_if_alive(params, self.states, self.delta, self.horizon)
        bought = (
            alive * self.purchases.purchases_if_alive(params, self.states, self.ahead) if self.ahead else np.zeros_like(alive)
        )
        return alive[inverse], worth[inverse], bought[inverse]

    @cached_property
    def _typical(self) -> tuple[Array, Array, Array]:
        return self._bought(self.purchases.parameters())

    @cached_property
    def _each(self) -> Array:
        return self.model.margin * self.spend.mean_spend(self.spend.parameters(), self.money)[self.place]

    def chance(self) -> tuple[npt.NDArray[np.int64], Array]:
        """Customers drawn (their rows) and the variance by chance that each stands for at known parameters, margin included."""
        p, q, v = self.spend.parameters()
        rng = np.random.default_rng(self.purchases.seed)
        n = len(self.summary)
        rows, weight = np.arange(n), np.ones(n)
        if n > _SIMULATED:
            best = np.argsort(-self.at(None, None).value, kind="stable")
            sure = _SIMULATED // 2
            others = rng.choice(best[sure:], _SIMULATED - sure, replace=False)
            weight[others] = (n - sure) / len(others)
            rows = np.sort(np.concatenate([best[:sure], others]))
        x = self.money.columns[0][self.place][rows]
        states = self.model.joint_states(self.summary.iloc[rows], x)
        variance = np.empty(len(states.weight))
        for start in range(0, len(variance), 2000):
            some = slice(start, min(start + 2000, len(variance)))
            count, total = self.purchases.simulated_futures(
                self.purchases.parameters(), states, some, self.delta, self.horizon, _DRAWS, rng
            )
            each = rng.gamma(np.maximum(p * count, 1e-300)) / np.maximum(count, 1.0)
            each /= rng.gamma(p * states.columns[3][some][:, None] + q, 1.0, count.shape)
            variance[some] = (total * each).var(axis=1, ddof=1)
        scale = self.model.margin * (v + x * self.money.columns[1][self.place][rows])
        return rows, weight[rows] * scale**2 * variance[states.inverse]


def portfolio(
    model: CustomerValue,
    summary: pd.DataFrame,
    measures: Mapping[str, Measure],
    horizon: float = np.inf,
    *,
    ahead: float | None = None,
    level: float = 0.9,
) -> pd.DataFrame:
    """Work out measures over all customers, each with an interval.

    Parameters
    ----------
    model : CustomerValue
        Fitted, or of two fitted models.
    summary : DataFrame
        The customers.
    measures : mapping of str to Measure
    horizon : float
        Of the value, in the time unit; infinite unless given.
    ahead : float, optional
        Horizon of expected purchases, where a measure looks at them.
    level : float

    Returns
    -------
    DataFrame
        Indexed by the names of the measures: value, low, high. The interval always holds the value.

    Examples
    --------
    >>> from crmlab.models.customer_value import CustomerValue
    >>> from crmlab.models.pareto_nbd import ParetoNBD
    >>> from crmlab.models.gamma_gamma import GammaGamma
    >>> model = CustomerValue(
    ...     purchases=ParetoNBD.from_params(r=0.5534, alpha=10.5802, s=0.6061, beta=11.6562),
    ...     spend=GammaGamma.from_params(p=6.25, q=3.74, v=15.44), margin=0.3, rate=0.15, unit="week",
    ... )
    >>> customers = pd.DataFrame({"frequency": [2, 0], "recency": [30.43, 0.0], "T": [38.86, 38.86],
    ...                           "monetary_value": [22.35, float("nan")]})
    >>> portfolio(model, customers, {"total": Measure(lambda worth: worth.value.sum())}).round(1).value.tolist()
    [53.3]
    """
    share = model.fitted_models()[0].checked_level(level, "mean")
    assert share is not None
    base = Portfolio(model, summary, model.checked_horizon(horizon), ahead)
    wanted = list(measures.values())

    def found(worth: Worth) -> Array:
        return np.array([measure.of(worth) for measure in wanted], dtype=float)

    with np.errstate(all="ignore"):
        point = found(base.at(None, None))
        # The two fits are independent: the cumulants of their parts of the error add up.
        first = _cumulants(base.purchases, lambda params: found(base.at(params, None)), point)
        second = _cumulants(base.spend, lambda params: found(base.at(None, params)), point)
        centre = np.where(point > 0, np.log(np.maximum(point, 1e-300)), 0.0)
        mean, spread, skew = first[0] + second[0] - centre, first[1] + second[1], first[2] + second[2]
        spread = spread + _chances(base, wanted) / np.maximum(point, 1e-300) ** 2
        low, high = quantiles((mean, spread, skew), share)
        ends = (
            np.where(point > 0, np.minimum(np.exp(low), point), point),
            np.where(point > 0, np.maximum(np.exp(high), point), point),
        )
    return pd.DataFrame({"value": point, "low": ends[0], "high": ends[1]}, index=pd.Index(list(measures), name="measure"))


def _cumulants(model: Any, function: Callable[[Array], Array], point: Array) -> tuple[Array, Array, Array]:
    """Cumulants of the logs over the posterior; those of a constant where parameters were given."""
    if hasattr(model, "states_"):
        found: tuple[Array, Array, Array] = model.log_cumulants(function)
        return found
    return np.log(np.maximum(point, 1e-300)), np.zeros(len(point)), np.zeros(len(point))


def _chances(base: Portfolio, measures: list[Measure]) -> Array:
    """Variance by chance of each measure that asks for it."""
    out = np.zeros(len(measures))
    if any(measure.outcome == "outcome" for measure in measures):
        rows, variance = base.chance()
        for k, measure in enumerate(measures):
            if measure.outcome == "outcome":
                out[k] = variance.sum() if measure.members is None else variance[measure.members[rows]].sum()
    return out

"""All customers of a model of value together: what they are worth at any parameters, and measures over them with intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.models.btyd.btyd import BuyTillYouDie
from crmlab.models.btyd.gamma_gamma import GammaGamma
from crmlab.models.btyd.posterior import log_cumulants_of, quantiles
from crmlab.models.btyd.special import Array
from crmlab.models.btyd.states import States, framed
from crmlab.models.checked import checked_level
from crmlab.models.intervals import LEVEL

__all__ = ["Measure", "Portfolio", "Valued", "Worth", "portfolio"]


# Chance is worked out for at most so many customers: half of them those worth most, who carry most of it, the others a random
# sample of the rest, scaled up.
_SIMULATED = 20_000
_DRAWS = (100, 400)  # futures of each customer: fewer where many customers make their sum sure
_BUDGET = 400_000  # of futures of all


class Valued(Protocol):
    """What a portfolio asks of a model of value: :class:`~crmlab.models.btyd.customer_value.CustomerValue` has it."""

    margin: float

    @property
    def delta_(self) -> float:
        """Continuous rate of discount per unit of time."""

    def fitted_models(self) -> tuple[BuyTillYouDie, GammaGamma]:
        """The models of purchases and of spend."""

    def checked_horizon(self, horizon: float) -> float:
        """A horizon, or infinity, checked."""

    def spend_states(self, summary: Any) -> tuple[States, Any]:
        """Distinct states of the model of spend, and the place of each customer among them."""

    def joint_states(self, summary: Any, x: Array) -> States:
        """Distinct states of purchases beside a further column."""


@dataclass(frozen=True)
class Worth:
    """What two models say of each customer, all arrays of shape (n_rows,).

    Attributes
    ----------
    value : array
        Residual value, margin included.
    if_loyal : array
        Margin within a year of a customer who is certainly alive today; 0 where no year was given.
    alive : array
        P(alive).
    purchases : array
        Expected purchases within the horizon of purchases.
    """

    value: Array
    if_loyal: Array
    alive: Array
    purchases: Array

    @property
    def value_today(self) -> Array:
        """Margin within a year as things stand: P(alive) times what a customer brings who is alive."""
        return self.alive * self.if_loyal

    @property
    def at_risk(self) -> Array:
        """Margin within a year of a customer who is certainly alive today, less that as things stand."""
        return self.if_loyal - self.value_today


@dataclass(frozen=True)
class Measure:
    """A positive number worked out from the worth of all customers.

    Parameters
    ----------
    of : callable
        Gets a :class:`Worth`, gives a number.
    ahead : float, optional
        How far ahead the number looks, in the time unit: its interval carries what is not known of the clock over that time. Nothing
        of it where the number is a share, or of today.
    outcome : str
        ``"mean"``: the interval carries what is not known of the parameters. ``"outcome"``: chance too; only for a sum of values.
    members : array of bool of shape (n_rows,), optional
        The customers over whom a sum of values goes; all unless given.
    """

    of: Callable[[Worth], float]
    outcome: str = "mean"
    members: npt.NDArray[np.bool_] | None = None
    ahead: float | None = None


class Portfolio:
    """Customers, reduced to the distinct states of both models, ready to be valued at any parameters."""

    def __init__(
        self,
        model: Valued,
        summary: Any,
        horizon: float,
        *,
        ahead: float | None = None,
        year: float | None = None,
    ) -> None:
        summary = framed("CustomerValue", summary)
        self.model, self.summary, self.horizon, self.ahead, self.year = model, summary, horizon, ahead, year
        self.purchases, self.spend = model.fitted_models()
        self.states = self.purchases.states_of(summary)
        self.money, self.place = model.spend_states(summary)
        self.delta = model.delta_

    def at(self, purchases: Array | None, spend: Array | None) -> Worth:
        """Value the customers; None stands for the estimates."""
        alive, worth, bought, loyal = self._typical if purchases is None else self._bought(purchases)
        each = self._each if spend is None else self.model.margin * self.spend.mean_spend(spend, self.money)[self.place]
        return Worth(alive * worth * each, loyal * each, alive, bought)

    def _bought(self, params: Array) -> tuple[Array, Array, Array, Array]:
        inverse = self.states.inverse
        alive = self.purchases.chance_alive(params, self.states)
        worth = self.purchases.worth_if_alive(params, self.states, self.delta, self.horizon, money=True)
        bought, loyal = (
            self.purchases.worth_if_alive(params, self.states, 0.0, span, money=money) if span else np.zeros_like(alive)
            for span, money in ((self.ahead, False), (self.year, True))
        )
        return alive[inverse], worth[inverse], (alive * bought)[inverse], loyal[inverse]

    @cached_property
    def _typical(self) -> tuple[Array, Array, Array, Array]:
        return self._bought(self.purchases.parameters())

    @cached_property
    def _each(self) -> Array:
        return self.model.margin * self.spend.mean_spend(self.spend.parameters(), self.money)[self.place]

    def unevenness(self) -> Array:
        """Variance that weeks which vary more than by chance add to what each customer brings, margin included; 0 without a clock."""
        clock = self.purchases.clock
        if clock is None or clock.dispersion == 1:
            return np.zeros(len(self.place))
        params = self.purchases.parameters()
        # Purchases by the square of their discount; and of their factor of spend, which is much the same in all.
        bought, dear = (
            self.purchases.mean_discounted(params, self.states, 2 * self.delta, self.horizon, money=money)
            for money in (False, True)
        )
        worth = dear**2 / np.maximum(bought, 1e-300)
        square = self.spend.square_spend(self.spend.parameters(), self.money)[self.place]
        return self.model.margin**2 * clock.more_than_chance(worth[self.states.inverse], square)

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
        draws = int(np.clip(_BUDGET // max(len(variance), 1), *_DRAWS))
        for start in range(0, len(variance), 2000):
            some = slice(start, min(start + 2000, len(variance)))
            count, total = self.purchases.simulated_futures(
                self.purchases.parameters(), states, some, self.delta, self.horizon, (draws, rng), money=True
            )
            each = rng.gamma(np.maximum(p * count, 1e-300)) / np.maximum(count, 1.0)
            each /= rng.gamma(p * states.columns[-1][some][:, None] + q, 1.0, count.shape)
            variance[some] = (total * each).var(axis=1, ddof=1)
        scale = self.model.margin * (v + x * self.money.columns[1][self.place][rows])
        return rows, weight[rows] * scale**2 * variance[states.inverse]


def portfolio(
    model: Valued,
    summary: Any,
    measures: Mapping[str, Measure],
    horizon: float = np.inf,
    *,
    ahead: float | None = None,
    year: float | None = None,
    level: float = LEVEL,
) -> pd.DataFrame:
    """Work out measures over all customers, each with an interval.

    Parameters
    ----------
    model : CustomerValue
        Fitted, or of two fitted models.
    summary : table
        The customers.
    measures : mapping of str to Measure
    horizon : float
        Of the value, in the time unit; infinite unless given.
    ahead : float, optional
        Horizon of expected purchases, where a measure looks at them.
    year : float, optional
        A year in the time unit, where a measure looks at what a year brings.
    level : float

    Returns
    -------
    DataFrame
        Indexed by the names of the measures: value, low, high. The interval always holds the value.

    Examples
    --------
    >>> from crmlab.models.btyd.customer_value import CustomerValue
    >>> from crmlab.models.btyd.pareto_nbd import ParetoNBD
    >>> from crmlab.models.btyd.gamma_gamma import GammaGamma
    >>> model = CustomerValue(
    ...     purchases=ParetoNBD.from_params(r=0.5534, alpha=10.5802, s=0.6061, beta=11.6562),
    ...     spend=GammaGamma.from_params(p=6.25, q=3.74, v=15.44), margin=0.3, rate=0.15, unit="week",
    ... )
    >>> customers = pd.DataFrame({"frequency": [2, 0], "recency": [30.43, 0.0], "T": [38.86, 38.86],
    ...                           "monetary_value": [22.35, float("nan")]})
    >>> portfolio(model, customers, {"total": Measure(lambda worth: worth.value.sum())}).round(1).value.tolist()
    [53.3]
    """
    share = checked_level("CustomerValue", level)
    base = Portfolio(model, summary, model.checked_horizon(horizon), ahead=ahead, year=year)
    wanted = list(measures.values())

    def found(worth: Worth) -> Array:
        return np.array([measure.of(worth) for measure in wanted], dtype=float)

    with np.errstate(all="ignore"):
        point = found(base.at(None, None))
        # The two fits are independent: the cumulants of their parts of the error add up.
        first = log_cumulants_of(base.purchases, lambda params: found(base.at(params, None)), point)
        second = log_cumulants_of(base.spend, lambda params: found(base.at(None, params)), point)
        centre = np.where(point > 0, np.log(np.maximum(point, 1e-300)), 0.0)
        mean, spread, skew = first[0] + second[0] - centre, first[1] + second[1], first[2] + second[2]
        spread = spread + _chances(base, wanted) / np.maximum(point, 1e-150) ** 2
        spread = spread + [base.purchases.clock_variance(one.ahead) if one.ahead else 0.0 for one in wanted]
        low, high = quantiles((mean, spread, skew), share)
        ends = (
            np.where(point > 0, np.minimum(np.exp(low), point), point),
            np.where(point > 0, np.maximum(np.exp(high), point), point),
        )
    return pd.DataFrame({"value": point, "low": ends[0], "high": ends[1]}, index=pd.Index(list(measures), name="measure"))


def _chances(base: Portfolio, measures: list[Measure]) -> Array:
    """Variance by chance of each measure that asks for it, and by weeks that vary more than by chance."""
    out = np.zeros(len(measures))
    if any(measure.outcome == "outcome" for measure in measures):
        rows, variance = base.chance()
        uneven = base.unevenness()
        for k, measure in enumerate(measures):
            if measure.outcome == "outcome":
                some = slice(None) if measure.members is None else measure.members
                out[k] = (variance if measure.members is None else variance[measure.members[rows]]).sum() + uneven[some].sum()
    return out

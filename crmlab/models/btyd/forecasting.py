"""Purchase occasions and spend of the quarters ahead: of customers known, and of those to come at a rate and season learnt here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlab.errors import ModelError
from crmlab.models.btyd.customer_value import CustomerValue
from crmlab.models.btyd.posterior import log_cumulants_of, quantiles
from crmlab.models.btyd.special import Array
from crmlab.models.intervals import LEVEL

__all__ = ["AHEAD", "DAYS", "ArrivalRate", "Past", "coverage", "forecast", "recent_rate", "seasonal_factors"]


_STEPS = 4  # arrivals of a quarter are taken to come at so many moments
_DRAWS = 100
_NEWCOMERS = 4000
_NAME = "forecast"


AHEAD = 4  # quarters
DAYS = (92, 91, 91, 91)  # of each: a year together, as the four before it


@dataclass(frozen=True, eq=False)
class Past:
    """Whole quarters before the origin, oldest first.

    Attributes
    ----------
    arrivals, occasions : arrays of shape (n_quarters,)
        Customers who came for the first time, and purchase occasions of all.
    first_spend, first_spend_error : float
        Mean spend on first occasions of recent newcomers, and its standard error.
    first_spend_deviation : float
        Standard deviation of it between customers.
    days : sequence of int, of shape (4,)
        Lengths of the quarters ahead. Those of the past are the same, four quarters earlier and so on.
    """

    arrivals: Array
    occasions: Array
    first_spend: float
    first_spend_error: float = 0.0
    first_spend_deviation: float = 0.0
    days: Sequence[int] = DAYS


def forecast(
    model: CustomerValue,
    summary: pd.DataFrame,
    past: Past,
    *,
    season: Any = None,
    level: float = LEVEL,
    widen: float = 1.0,
    seed: int = 0,
) -> pd.DataFrame:
    """Occasions and spend of the next four quarters, and of all four together: the next 365 days, unless they have other lengths.

    Parameters
    ----------
    model : CustomerValue
        Of two fitted models, in weeks.
    summary : DataFrame
        The customers known: frequency, recency, T, monetary_value.
    past : Past
    season : array of shape (4,), optional
        Factors of the quarters ahead, as of :func:`seasonal_factors`, per day.
    level : float
        Of the intervals: what is not known of the parameters and of the rate of newcomers, and chance.
    widen : float
        Factor by which intervals are widened on the log scale, as a backtest has measured.
    seed : int
        Of the draws behind chance.

    Returns
    -------
    DataFrame
        measure (``"occasions"`` or ``"spend"``, in the currency), quarter (1 to 4, and 0 for all four), expected, known and new (parts of
        it: customers of today, and those to come, first purchases included), low, high.

    Raises
    ------
    ModelError
        The time unit is not weeks, seasonal factors or lengths are not four positive numbers, or ``widen`` is below 1.

    Notes
    -----
    Customers of today buy as the model of purchases expects, at the spend that the model of spend expects of each. Newcomers come at the
    recent rate, evenly within a quarter, buy once, and then as a new customer does. Parameters enter by the posterior's cumulants,
    newcomers by the error of their rate in the past (one error for all quarters), chance by simulated customers.

    References
    ----------
    Fader, Hardie and Lee (2005), "Counting your customers" the easy way, section 4; Fader and Hardie (2013), the Gamma-Gamma model of
    monetary value, for the mean and variance of spend.
    """
    if model.unit != "week":
        raise ModelError.expected(_NAME, "unit", "'week'", model.unit)
    if isinstance(widen, bool) or not widen >= 1:
        raise ModelError.expected(_NAME, "widen", "a number of at least 1", widen)
    factors, days = np.ones(AHEAD) if season is None else np.asarray(season, dtype=float), np.asarray(past.days, dtype=float)
    for name, given in (("season", factors), ("days", days)):
        if given.shape != (AHEAD,) or not (np.isfinite(given) & (given > 0)).all():
            raise ModelError.expected(_NAME, name, "four positive numbers", given.tolist())
    share = model.fitted_models()[0].checked_level(level, "outcome")
    assert share is not None
    with np.errstate(all="ignore"):
        rate = recent_rate(past.arrivals, factors * days / days.mean())
        made = _Ahead(model, summary, rate, past, factors, seed)
        frames = [made.measure(name, share, float(widen)) for name in ("occasions", "spend")]
    return pd.concat(frames, ignore_index=True)


class _Ahead:
    """What both measures share: expectations by state and quarter, and their chance."""

    def __init__(
        self, model: CustomerValue, summary: pd.DataFrame, rate: ArrivalRate, past: Past, season: Array, seed: int
    ) -> None:
        self.bought, self.money = model.fitted_models()
        self.rate, self.past, self.season, self.seed = rate, past, season, seed
        self.weeks = np.asarray(past.days, dtype=float) / 7
        self.states = self.bought.states_of(summary)
        self.spends, self.place = model.spend_states(summary)
        self.edges = np.append(0.0, np.cumsum(self.weeks))
        # How long after each moment at which newcomers arrive each quarter ends; before the moment, nothing.
        moments = (self.edges[:-1, None] + self.weeks[:, None] * (np.arange(_STEPS) + 0.5) / _STEPS)[..., None]
        self.ages, self.place_of_age = np.unique(np.maximum(self.edges - moments, 0.0).round(9), return_inverse=True)
        self.place_of_age = self.place_of_age.reshape(AHEAD, _STEPS, AHEAD + 1)

    def counts(self, params: Array) -> tuple[Array, Array]:
        """Expected occasions of each state in each quarter, and repeat occasions of all newcomers."""
        until = [self.bought.mean_purchases(params, self.states, end) for end in self.edges[1:]]
        known = np.diff(np.column_stack([np.zeros(len(until[0])), *until]), axis=1) * self.season
        new = self.bought.new_customer()
        reached = np.array([float(self.bought.mean_purchases(params, new, age)[0]) if age else 0.0 for age in self.ages])
        repeats = self.rate.expected @ np.diff(reached[self.place_of_age], axis=2).mean(axis=1)
        return known, repeats * self.season

    def spend_each(self, params: Array) -> tuple[Array, float]:
        """Expected spend per purchase of each distinct history of spend, and of a newcomer."""
        p, q, v = params
        return self.money.mean_spend(params, self.spends), float(p * v / (q - 1))

    def measure(self, name: str, level: float, widen: float) -> pd.DataFrame:
        money = name == "spend"
        given = self.bought.parameters(), self.money.parameters()
        known, repeats = self.counts(given[0])
        each, new_each = self.spend_each(given[1])
        first = self.past.first_spend if money else 1.0
        weight = np.bincount(self.states.inverse, weights=each[self.place] if money else None, minlength=len(known))
        arriving = self.rate.expected * first

        def by_purchases(params: Array) -> Array:
            mine, theirs = self.counts(params)
            return _with_total(weight @ mine + arriving + theirs * (new_each if money else 1.0))

        share_of = np.array(
            [np.bincount(self.place, weights=known[self.states.inverse, k], minlength=len(each)) for k in range(AHEAD)]
        )

        def by_spend(params: Array) -> Array:
            mine, theirs = self.spend_each(params)
            return _with_total(share_of @ mine + arriving + repeats * theirs)

        known_part = _with_total(weight @ known)
        new_part = _with_total(arriving + repeats * (new_each if money else 1.0))
        point = known_part + new_part
        mean, spread, skew = log_cumulants_of(self.bought, by_purchases, point)
        if money:
            more = log_cumulants_of(self.money, by_spend, point)
            centre = np.log(np.maximum(point, 1e-300))
            mean, spread, skew = mean + more[0] - centre, spread + more[1], skew + more[2]
        # One error of the rate moves newcomers of all quarters alike; the first spend is known to its standard error.
        outside = self.rate.variance * new_part**2
        if money:
            outside = outside + (_with_total(self.rate.expected) * self.past.first_spend_error) ** 2
        spread = spread + (outside + self.chance(money)) / np.maximum(point, 1e-150) ** 2
        low, high = quantiles((mean, spread, skew), level)
        log = np.log(np.maximum(point, 1e-300))
        ends = [np.exp(log + widen * (side - log)) for side in (low, high)]
        return pd.DataFrame(
            {
                "measure": name, "quarter": [*range(1, AHEAD + 1), 0], "expected": point, "known": known_part, "new": new_part,
                "low": np.where(point > 0, np.minimum(ends[0], point), 0.0),
                "high": np.where(point > 0, np.maximum(ends[1], point), 0.0),
            }
        )  # fmt: skip

    def chance(self, money: bool) -> Array:
        """Variance by chance at known parameters and a known rate, of each quarter and of all four."""
        rng = np.random.default_rng(self.seed)
        params = self.bought.parameters()
        p, q, v = self.money.parameters()
        x, m = self.spends.columns[0][self.place], self.spends.columns[1][self.place]
        # Mean and mean square of a customer's mean spend; the square is finite from a shape above 2 on.
        shape = p * x + q
        one = p * (v + x * m) / (shape - 1) if money else np.ones(len(x))
        square = one**2 * (shape - 1) / np.maximum(shape - 2, 0.25) if money else one
        within = 1 / p if money else 0.0
        n = len(self.states.weight)
        total = np.zeros(AHEAD + 1)
        sums = [np.bincount(self.states.inverse, weights=part, minlength=n) for part in (one**2, square)]
        for start in range(0, n, 5000):
            some = slice(start, min(start + 5000, n))
            alive = self.bought.chance_alive(params, self.states)[some]
            bought, age = self.states.columns[0][some], self.states.columns[2][some]
            found = _simulated(self.bought, params, (bought, age, alive), self.edges, (rng, _DRAWS))
            found = np.concatenate([found * self.season, (found * self.season).sum(axis=-1, keepdims=True)], axis=-1)
            mean, mean_square = found.mean(axis=1), (found**2).mean(axis=1)
            # Of N purchases at mean spend M: E N² E M² − (E N)² (E M)² + E N E M² / p.
            total += sums[1][some] @ (mean_square + within * mean) - sums[0][some] @ mean**2
        return total + self._chance_of_new(money, rng, p * v / (q - 1), within, q)

    def _chance_of_new(self, money: bool, rng: np.random.Generator, mean: float, within: float, q: float) -> Array:
        """Newcomers are a Poisson number: what they bring has the variance of its mean square."""
        params, zero = self.bought.parameters(), np.zeros(1)
        alive = self.bought.chance_alive(params, self.bought.new_customer())
        whole = np.zeros(AHEAD + 1)
        for k in range(AHEAD):
            late = self.edges[k] + self.weeks[k] * rng.random(_NEWCOMERS)
            repeats = _simulated(self.bought, params, (zero, zero, alive), self.edges, (rng, _NEWCOMERS), late)[0] * self.season
            each = np.column_stack([repeats, repeats.sum(axis=1)])
            square = mean**2 * (q - 1) / max(q - 2, 0.25) if money else 1.0
            second = (each**2).mean(axis=0) * square + (each.mean(axis=0) * within * square if money else 0.0)
            first = self.past.first_spend_deviation**2 if money else 0.0
            own = np.zeros(AHEAD + 1)
            own[[k, AHEAD]] = first
            # The number of newcomers itself is part of the rate's error; here only what each of them does.
            whole += self.rate.expected[k] * (second + own)
        return whole


def _simulated(
    model: Any,
    params: Array,
    states: tuple[Array, Array, Array],
    edges: Array,
    draws: tuple[np.random.Generator, int],
    late: Array | float = 0.0,
) -> Array:
    """Purchases of simulated customers in each quarter, of shape (states, m, quarters); ``late``: when they begin.

    ``states``: repeat purchases, age and chance of being alive; ``draws``: the generator, and m.
    """
    (x, T, alive), (rng, m) = states, draws
    rate, life, ends = model.simulated_lives(params, x, T, rng, m)
    born = rng.random(rate.shape) < alive[:, None]
    life = np.where(born, life, 0.0) + late
    spans = np.clip(np.minimum(edges[1:], life[..., None]) - np.maximum(edges[:-1], np.asarray(late)[..., None]), 0.0, None)
    bought = rng.poisson(np.minimum(rate[..., None] * spans, 1e9)).astype(float)
    dies = life[..., None]
    return bought + ((ends & born)[..., None] & (dies > edges[:-1]) & (dies <= edges[1:]))


def _with_total(values: Array) -> Array:
    return np.append(values, values.sum())


@dataclass(frozen=True)
class ArrivalRate:
    """Newcomers to come: per quarter ahead, with the variance of what will be seen, relative to its square."""

    expected: Array
    variance: float


def recent_rate(arrivals: Any, season: Any = None, recent: int = 4) -> ArrivalRate:
    """Newcomers of the quarters ahead at the recent rate, with the error that this rule has made before.

    Parameters
    ----------
    arrivals : array of shape (n_quarters,)
        Customers who came in each past quarter, oldest first.
    season : array of shape (4,), optional
        Factors of the quarters ahead; the past quarters have the same, four quarters earlier and so on.
    recent : int
        The rate is the mean of so many last quarters.

    Returns
    -------
    ArrivalRate
        Where nobody came in the last quarter, acquisition has stopped: nobody is expected. The variance is the mean squared
        relative error of the same rule at all earlier quarters (one to four quarters ahead), and at least that of Poisson
        numbers: newcomers vary more than by chance alone, and their rate drifts.

    Raises
    ------
    ModelError
        No quarter, or a number that is negative or missing.

    Examples
    --------
    >>> recent_rate([100, 110, 90, 100]).expected.tolist()
    [100.0, 100.0, 100.0, 100.0]
    """
    seen = np.asarray(arrivals, dtype=float)
    if seen.ndim != 1 or not len(seen) or not (np.isfinite(seen) & (seen >= 0)).all():
        raise ModelError.expected(_NAME, "arrivals", "at least one number of at least 0, none missing", seen.tolist())
    factors = np.ones(AHEAD) if season is None else np.asarray(season, dtype=float)
    n = len(seen)
    own = factors[(np.arange(n) - n) % AHEAD]
    level = seen[-recent:].sum() / own[-recent:].sum() if seen[-1] > 0 else 0.0
    errors = []
    for origin in range(min(recent, 2), n):
        part = slice(max(origin - recent, 0), origin)
        before = seen[part].sum() / own[part].sum()
        for step in range(origin, min(origin + AHEAD, n)):
            if before > 0 and seen[origin - 1] > 0:
                errors.append((seen[step] / (before * own[step]) - 1) ** 2)
    count = max(level * min(recent, n), 1.0)
    poisson = 1 / max(level, 1.0) + 1 / count
    return ArrivalRate(level * factors, max(float(np.mean(errors)) if errors else 0.0, poisson))


def seasonal_factors(occasions: Any) -> Array | None:
    """Factors of the four quarters ahead, from the ratio to a centred moving average; None with under two years.

    Parameters
    ----------
    occasions : array of shape (n_quarters,)
        Oldest first; per day where quarters differ in length.

    Returns
    -------
    array of shape (4,) or None
        With mean 1. Each is drawn towards 1 by as much as one more year without a season would.

    References
    ----------
    Makridakis, Wheelwright and Hyndman (1998), Forecasting: methods and applications, 3rd edition, section 3/4 (classical
    decomposition).

    Examples
    --------
    >>> seasonal_factors([80, 100, 100, 120] * 3).round(2).tolist(), seasonal_factors([1, 2, 3]) is None
    ([0.87, 1.0, 1.0, 1.13], True)
    """
    seen = np.asarray(occasions, dtype=float)
    n = len(seen)
    if n < 2 * AHEAD:
        return None
    middle = np.convolve(seen, np.array([0.5, 1, 1, 1, 0.5]) / 4, "valid")
    ratio = np.divide(seen[2:-2], middle, out=np.ones_like(middle), where=middle > 0)
    place = (np.arange(2, n - 2) - n) % AHEAD
    found = np.array([1 + (ratio[place == k] - 1).sum() / ((place == k).sum() + 1) for k in range(AHEAD)])
    return found / found.mean()


def coverage(backtest: pd.DataFrame, level: float = LEVEL) -> tuple[int, int, float]:
    """How many intervals of a backtest held what came, of how many, and the factor by which they had to be wider.

    Parameters
    ----------
    backtest : DataFrame
        expected, low, high and seen.
    level : float
        That the intervals claim.

    Returns
    -------
    (inside, of, factor)
        The factor is the conformal quantile of |log(seen / expected)| over the half-width on that side; at least 1. With fewer cases
        than the level needs it is their largest.

    References
    ----------
    Vovk, Gammerman and Shafer (2005), Algorithmic Learning in a Random World: the rank of the quantile.

    Examples
    --------
    >>> frame = pd.DataFrame({"expected": [10.0, 10.0], "low": [5.0, 5.0], "high": [20.0, 20.0], "seen": [10.0, 40.0]})
    >>> coverage(frame)
    (1, 2, 2.0)
    """
    known = backtest[(backtest["expected"] > 0) & (backtest["seen"] > 0)]
    if known.empty:
        return 0, 0, 1.0
    expected, low, high, seen = (known[name].to_numpy(float) for name in ("expected", "low", "high", "seen"))
    inside = (low <= seen) & (seen <= high)
    gap = np.log(seen / expected)
    with np.errstate(all="ignore"):
        half = np.where(gap >= 0, np.log(high / expected), np.log(expected / low))
        ratio = np.sort(np.where(gap == 0, 0.0, np.abs(gap) / np.maximum(half, 1e-12)))
    rank = min(int(np.ceil((len(ratio) + 1) * level)), len(ratio))
    return int(inside.sum()), len(known), max(1.0, round(float(ratio[rank - 1]), 6))

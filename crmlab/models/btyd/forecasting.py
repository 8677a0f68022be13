"""Purchase occasions and spend of the quarters ahead: of customers known, and of those to come, in their season."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlab.errors import ModelError
from crmlab.models.btyd.arrivals import ArrivalRate
from crmlab.models.btyd.clock import day_of_year
from crmlab.models.btyd.customer_value import CustomerValue
from crmlab.models.btyd.posterior import log_cumulants_of, quantiles
from crmlab.models.btyd.special import Array
from crmlab.models.btyd.states import compress, framed
from crmlab.models.checked import checked_level
from crmlab.models.intervals import LEVEL

__all__ = ["AHEAD", "DAYS", "Past", "coverage", "forecast"]


_STEPS = 13  # arrivals of a quarter are taken to come at so many moments
_DRAWS = 100
_NEWCOMERS = 4000
_NAME = "forecast"


AHEAD = 4  # quarters
DAYS = (92, 91, 91, 91)  # of each: a year together, as the four before it


@dataclass(frozen=True, eq=False)
class Past:
    """What the past says of newcomers.

    Attributes
    ----------
    arrivals : ArrivalRate
        Customers to come for the first time.
    first_spend, first_spend_error : float
        Mean spend on first occasions of newcomers of the last year, and its standard error.
    first_spend_deviation : float
        Standard deviation of it between customers.
    days : sequence of int, of shape (4,)
        Lengths of the quarters ahead.
    """

    arrivals: ArrivalRate
    first_spend: float
    first_spend_error: float = 0.0
    first_spend_deviation: float = 0.0
    days: Sequence[int] = DAYS


def forecast(
    model: CustomerValue,
    summary: Any,
    past: Past,
    *,
    level: float = LEVEL,
    widen: float = 1.0,
    seed: int = 0,
) -> pd.DataFrame:
    """Occasions and spend of the next four quarters, and of all four together: the next 365 days, unless they have other lengths.

    Parameters
    ----------
    model : CustomerValue
        Of two fitted models, in weeks.
    summary : table
        The customers known: frequency, recency, T, monetary_value.
    past : Past
    level : float
        Of the intervals: what is not known of the parameters, of the clock and of the rate of newcomers, and chance.
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
        The time unit is not weeks, lengths are not four positive whole numbers, newcomers are those after another day than the last of the
        model's clock, or ``widen`` is below 1.

    Notes
    -----
    Customers of today buy as the model of purchases expects, on its clock where it has one, at the spend that the model of spend expects
    of each, times the clock's season of spend. Newcomers come at their own rate and season, buy once, and then as a new customer does, on
    the same clock. Parameters enter by the posterior's cumulants, the clock by its variance in each quarter (season, level, drift, and a
    season that was not seen), newcomers by the error of their rate in the past (one error for all quarters), chance by simulated customers
    and by how much more weeks vary than by chance.

    References
    ----------
    Fader, Hardie and Lee (2005), "Counting your customers" the easy way, section 4; Fader and Hardie (2013), the Gamma-Gamma model of
    monetary value, for the mean and variance of spend.
    """
    if model.unit != "week":
        raise ModelError.expected(_NAME, "unit", "'week'", model.unit)
    if isinstance(widen, bool) or not widen >= 1:
        raise ModelError.expected(_NAME, "widen", "a number of at least 1", widen)
    days = np.asarray(past.days, dtype=float)
    if days.shape != (AHEAD,) or not (np.isfinite(days) & (days > 0) & (days == np.floor(days))).all():
        raise ModelError.expected(_NAME, "days", "four positive whole numbers", days.tolist())
    clock = model.fitted_models()[0].clock
    if clock is not None and clock.end != past.arrivals.end:
        expected = f"those after the last day of the model's clock, {clock.end}"
        raise ModelError.expected(_NAME, "arrivals", expected, f"those after {past.arrivals.end}")
    share = checked_level(_NAME, level)
    with np.errstate(all="ignore"):
        made = _Ahead(model, summary, past, seed)
        frames = [made.measure(name, share, float(widen)) for name in ("occasions", "spend")]
    return pd.concat(frames, ignore_index=True)


class _Ahead:
    """What both measures share: expectations by state and quarter, and their chance."""

    def __init__(self, model: CustomerValue, summary: Any, past: Past, seed: int) -> None:
        self.bought, self.money = model.fitted_models()
        summary = framed(_NAME, summary)
        self.past, self.seed = past, seed
        self.clock = self.bought.clock
        self.states = self.bought.states_of(summary)
        self.spends, self.place = model.spend_states(summary)
        days = np.asarray(past.days, dtype=int)
        last = np.append(0, np.cumsum(days))
        self.edges = last / 7
        by_day = past.arrivals.expected(int(last[-1]))
        quarter = np.repeat(np.arange(AHEAD), days)
        self.arriving = np.bincount(quarter, weights=by_day)
        # Moments at which newcomers of a quarter arrive, and how many of them then.
        part = np.concatenate([np.arange(n) * _STEPS // n for n in days])
        self.shares = np.bincount(quarter * _STEPS + part, weights=by_day, minlength=AHEAD * _STEPS).reshape(AHEAD, _STEPS)
        self.shares = self.shares / np.maximum(self.shares.sum(axis=1, keepdims=True), 1e-300)
        moments = self.edges[:-1, None] + days[:, None] / 7 * (np.arange(_STEPS) + 0.5) / _STEPS
        self.by_newcomers = self.bought.newcomers_by(moments.ravel(), self.edges)
        # What purchases bring in each quarter, over the mean of the year: repeat ones, and first ones.
        self.dearness, self.first_dearness = np.ones(AHEAD), np.ones(AHEAD)
        if self.clock is not None and not self.clock.evenly_spent:
            spend = self.clock.spend[day_of_year(np.datetime64(self.clock.end, "D") + np.arange(1, last[-1] + 1))]
            for name, weight in (("dearness", self.clock.rates(1, int(last[-1]))), ("first_dearness", by_day)):
                sums = np.bincount(quarter, weights=weight * spend) / np.maximum(np.bincount(quarter, weights=weight), 1e-300)
                setattr(self, name, np.where(np.bincount(quarter, weights=weight) > 0, sums, 1.0))
            # The mean first spend is that of a year's newcomers, in the seasons in which they came.
            self.first_dearness /= max(self.arriving @ self.first_dearness / max(self.arriving.sum(), 1e-300), 1e-12)

    def run(self, times: Array) -> Array:
        """Operational time at times from the end of the history."""
        return times if self.clock is None else self.clock.at(times)

    def counts(self, params: Array) -> tuple[Array, Array]:
        """Expected occasions of each state in each quarter, and repeat occasions of all newcomers."""
        until = [self.bought.mean_purchases(params, self.states, end) for end in self.edges[1:]]
        known = np.diff(np.column_stack([np.zeros(len(until[0])), *until]), axis=1)
        bought = np.diff(self.by_newcomers(params), axis=0).reshape(AHEAD, AHEAD, _STEPS)
        return known, np.einsum("k,ks,qks->q", self.arriving, self.shares, bought)

    def spend_each(self, params: Array) -> tuple[Array, float]:
        """Expected spend per purchase of each distinct history of spend, and of a newcomer."""
        p, q, v = params
        return self.money.mean_spend(params, self.spends), float(p * v / (q - 1))

    def measure(self, name: str, level: float, widen: float) -> pd.DataFrame:
        money = name == "spend"
        given = self.bought.parameters(), self.money.parameters()
        dear = self.dearness if money else np.ones(AHEAD)
        known, repeats = (part * dear for part in self.counts(given[0]))
        each, new_each = self.spend_each(given[1])
        first = self.past.first_spend * self.first_dearness if money else np.ones(AHEAD)
        weight = np.bincount(self.states.inverse, weights=each[self.place] if money else None, minlength=len(known))
        arriving = self.arriving * first

        def by_purchases(params: Array) -> Array:
            mine, theirs = self.counts(params)
            return _with_total((weight @ mine + theirs * (new_each if money else 1.0)) * dear + arriving)

        share_of = np.array(
            [np.bincount(self.place, weights=known[self.states.inverse, k], minlength=len(each)) for k in range(AHEAD)]
        )

        def by_spend(params: Array) -> Array:
            mine, theirs = self.spend_each(params)
            return _with_total(share_of @ mine + arriving + repeats * theirs)

        known_part = _with_total(weight @ known)
        repeat_part = _with_total(repeats * (new_each if money else 1.0))
        first_part = _with_total(arriving)
        new_part = first_part + repeat_part
        point = known_part + new_part
        mean, spread, skew = log_cumulants_of(self.bought, by_purchases, point)
        if money:
            more = log_cumulants_of(self.money, by_spend, point)
            centre = np.log(np.maximum(point, 1e-300))
            mean, spread, skew = mean + more[0] - centre, spread + more[1], skew + more[2]
        # One error of the rate moves newcomers of all quarters alike; the first spend is known to its standard error.
        outside = self.past.arrivals.variance * new_part**2
        if money:
            outside = outside + (_with_total(self.arriving * self.first_dearness) * self.past.first_spend_error) ** 2
        outside = outside + self.of_the_clock(known_part + repeat_part, first_part) + self.chance(money)
        if self.clock is not None:
            # Weeks vary more than by chance: as much more as they did, in purchases at the mean square of what each brings.
            squares = self.money.square_spend(given[1], self.spends)[self.place] if money else None
            heavy = np.bincount(self.states.inverse, weights=squares, minlength=len(known))
            new_square = float(self.money.square_spend(given[1], compress([np.zeros(1), np.zeros(1)]))[0]) if money else 1.0
            outside = outside + _with_total(self.clock.more_than_chance(heavy @ known + repeats * new_square, dear))
        spread = spread + outside / np.maximum(point, 1e-150) ** 2
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

    def of_the_clock(self, repeated: Array, first: Array) -> Array:
        """Variance of each quarter and of the year by the clock: of repeat purchases; an unseen season moves first ones too."""
        if self.clock is None:
            return np.zeros(AHEAD + 1)
        spans = [*zip(self.edges[1:], self.edges[:-1], strict=True), (self.edges[-1], 0.0)]
        whole = np.array([self.clock.variance(end, start) for end, start in spans])
        unseen = np.array([self.clock.unseen_variance(end, start) for end, start in spans])
        alike = repeated + (0.0 if self.past.arrivals.seasonal else first)
        out: Array = (whole - unseen) * repeated**2 + unseen * alike**2
        return out

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
        dear, edges = (self.dearness if money else np.ones(AHEAD)), self.run(self.edges)
        n = len(self.states.weight)
        total = np.zeros(AHEAD + 1)
        sums = [np.bincount(self.states.inverse, weights=part, minlength=n) for part in (one**2, square)]
        for start in range(0, n, 5000):
            some = slice(start, min(start + 5000, n))
            alive = self.bought.chance_alive(params, self.states)[some]
            found = self.bought.simulated_counts(params, (self.states.taken(some), alive), edges, (_DRAWS, rng)) * dear
            found = np.concatenate([found, found.sum(axis=-1, keepdims=True)], axis=-1)
            mean, mean_square = found.mean(axis=1), (found**2).mean(axis=1)
            # Of N purchases at mean spend M: E N² E M² − (E N)² (E M)² + E N E M² / p.
            total += sums[1][some] @ (mean_square + within * mean) - sums[0][some] @ mean**2
        return total + self._chance_of_new(money, rng, p * v / (q - 1), within, q)

    def _chance_of_new(self, money: bool, rng: np.random.Generator, mean: float, within: float, q: float) -> Array:
        """Newcomers are a Poisson number: what they bring has the variance of its mean square."""
        params = self.bought.parameters()
        dear, edges = (self.dearness if money else np.ones(AHEAD)), self.run(self.edges)
        whole = np.zeros(AHEAD + 1)
        for k in range(AHEAD):
            if not self.arriving[k]:
                continue
            step = rng.choice(_STEPS, _NEWCOMERS, p=self.shares[k]) + rng.random(_NEWCOMERS)
            moment = self.edges[k] + (self.edges[k + 1] - self.edges[k]) * step / _STEPS
            states = self.bought.new_customers(moment)
            new = states, self.bought.chance_alive(params, states)
            repeats = self.bought.simulated_counts(params, new, edges, (1, rng), self.run(moment)[:, None])[:, 0] * dear
            each = np.column_stack([repeats, repeats.sum(axis=1)])
            square = mean**2 * (q - 1) / max(q - 2, 0.25) if money else 1.0
            second = (each**2).mean(axis=0) * square + (each.mean(axis=0) * within * square if money else 0.0)
            first = (self.past.first_spend_deviation * self.first_dearness[k]) ** 2 if money else 0.0
            own = np.zeros(AHEAD + 1)
            own[[k, AHEAD]] = first
            # The number of newcomers itself is part of the rate's error; here only what each of them does.
            whole += self.arriving[k] * (second + own)
        return whole


def _with_total(values: Array) -> Array:
    return np.append(values, values.sum())


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

"""What a customer may still do: the questions that each buy-till-you-die model answers for itself, and what follows from them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from crmlab.errors import ModelError
from crmlab.models.btyd.answers import joined
from crmlab.models.btyd.clock import Clock
from crmlab.models.btyd.estimator import WeightedModel, positive
from crmlab.models.btyd.fitting import NO_DROPOUT, Axis
from crmlab.models.btyd.leaving import Standing
from crmlab.models.btyd.posterior import certain
from crmlab.models.btyd.priors import Priors
from crmlab.models.btyd.searching import first_period, first_time, smallest
from crmlab.models.btyd.special import Array, discounting, nodes_of
from crmlab.models.btyd.states import States, checked_history, checked_weight, compress, framed, refuse, typical

__all__ = [
    "DROPOUT_MEAN",
    "DROPOUT_STRENGTH",
    "MEAN_RATE",
    "SHAPE",
    "Future",
]


# Priors (in coordinates, see fitting.py): a factor of e^±1.5 around a shape of 1 and of e^±2 around one event per history for
# rates; uniform means and strengths a + b between 0.14 and 54 (at two deviations) for chances.
SHAPE = Axis(-6.0, 9.0, "a few customers make all purchases", "all customers buy at the same rate", 0.0, 1.5)
MEAN_RATE = Axis(-18.0, 18.0, "nobody buys again", None, 0.0, 2.0)
DROPOUT_MEAN = Axis(-18.0, 18.0, NO_DROPOUT, "everybody drops out at the first chance")
DROPOUT_STRENGTH = Axis(-7.0, 9.0, "some drop out at once, the others never", "all customers drop out alike", 1.0, 1.5)


_MOST_PURCHASES = 1e6  # of one customer in one future: a rate that is estimated without an upper end draws no more


class Future(WeightedModel):
    """Base of the models with (frequency, recency, T) as a customer's state.

    Parameters
    ----------
    max_iter, draws, seed, priors
        As of :class:`~crmlab.models.btyd.estimator.WeightedModel`.
    clock : Clock, optional
        Operational time, for models of purchases at any time: all times that are given and told are of the calendar, while customers buy
        on the clock. They leave on it too, where they do so at purchases; or by the calendar (``leaves_by_calendar``). Summaries must end
        with the clock's last day.
    unit : str, optional
        What one unit of the data's time is, in the singular: "day", "week", "month", or of periods "year". Pictures name it; nothing is
        worked out by it.

    Notes
    -----
    What a model says of itself (``purchases_if_alive``, ``discounted_if_alive``, ``_any``, ``_tail``, ``_mass``, ``simulated_lives``)
    is in operational time; what others ask is in the calendar's. Where customers leave by the calendar, states tell beside it how they
    stand there (``States.standing``), if the clock does not run as the calendar does.
    """

    _age: ClassVar[str] = "T"
    whole_periods: ClassVar[bool] = False
    takes_clock: ClassVar[bool] = False
    leaves_by_calendar: ClassVar[bool] = False

    def __init__(
        self,
        *,
        max_iter: int = 500,
        draws: int = 1000,
        seed: int = 0,
        priors: Priors = False,
        clock: Clock | None = None,
        unit: str | None = None,
    ) -> None:
        super().__init__(max_iter=max_iter, draws=draws, seed=seed, priors=priors)
        self.clock = clock
        self.unit = unit

    @property
    def unit_names(self) -> tuple[str, str]:
        """The unit of time, one and several: ("week", "weeks"), or ("unit of time", "units of time") where ``unit`` is None.

        Raises
        ------
        ModelError
            ``unit`` is no word.
        """
        unit = "unit of time" if self.unit is None else self.unit
        if not isinstance(unit, str) or not unit.strip() or "\n" in unit:
            raise ModelError.expected(type(self).__name__, "unit", "a word in the singular, such as 'week'", unit)
        return unit, "units of time" if self.unit is None else f"{unit}s"

    @property
    def _smooth(self) -> float:
        """How far from real times what is expected by then is analytic in their logs, as of :func:`nodes_of`."""
        return float(np.pi)

    # What a model must say of a customer.

    @abstractmethod
    def chance_alive(self, params: Array, states: States) -> Array:
        """Probability that the customer is alive."""

    @abstractmethod
    def purchases_if_alive(self, params: Array, states: States, horizon: float) -> Array:
        """Expected purchases of one who is alive within a horizon of operational time."""

    def purchases_by(self, params: Array, states: States, horizons: Array) -> Array:
        """The same within each of some horizons, shape (n_horizons, n_states)."""
        found = [self.purchases_if_alive(params, states, float(one)) for one in horizons]
        return np.array(found).reshape(len(horizons), len(states.columns[0]))

    def newcomers_by(self, begun: Array, ends: Array) -> Callable[[Array], Array]:
        """Expected repeat purchases of customers who come at times ``begun``, by each of some ends, as a function of parameters.

        Both are times of the calendar from the end of the history; the answers are of shape (n_ends, n_newcomers), and take into account
        that newcomers may be gone after their first purchase.
        """
        new = self.new_customer()
        clock = self._running
        came, until = (begun, ends) if clock is None else (clock.at(begun), clock.at(ends))
        # Newcomers of many days meet many ends; their differences are few.
        gap: Array = np.maximum(until[:, None] - came, 0.0)
        age = np.round(gap, 9)
        ages, place = np.unique(age, return_inverse=True)
        times, matrix = ages, None
        if clock is not None and not clock.flat:
            # On the clock hardly two of them are the same: what is expected by some time is smooth, and worked out at few.
            times, values = nodes_of(max(float(ages.max()), 1e-9), self.time_scale(self.parameters(), new), self._smooth)
            matrix = values(ages)
        place = place.reshape(age.shape)

        def expected(params: Array) -> Array:
            each = (self.chance_alive(params, new) * self.purchases_by(params, new, times)) @ new.weight
            each = np.where(times > 0, each, 0.0)
            each = each if matrix is None else matrix @ each
            out: Array = np.minimum(each, ages if self.whole_periods else np.inf)[place]
            return out

        return expected

    @abstractmethod
    def _any(self, params: Array, states: States, horizon: Array | float) -> Array:
        """Probability of at least one purchase of one who is alive; ``horizon`` may differ between states."""

    @abstractmethod
    def discounted_if_alive(self, params: Array, states: States, delta: float, horizon: float) -> Array:
        """Discounted expected purchases of one who is alive."""

    @abstractmethod
    def _tail(self, params: Array, k: Array, states: States, horizon: float) -> Array:
        """Probability of at least k ≥ 1 purchases of one who is alive."""

    @abstractmethod
    def _mass(self, params: Array, n: Array, states: States, horizon: float) -> Array:
        """Probability of exactly n ≥ 1 purchases of one who is alive."""

    @abstractmethod
    def simulated_lives(
        self, params: Array, states: States, rng: np.random.Generator, m: int
    ) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
        """Draw (purchase rate, remaining lifetime, whether a purchase ends it) of those alive, each of shape (states, m)."""

    # Checks.

    def checked_columns(self, frame: Any, fitting: bool = False) -> tuple[list[Array], Array | None]:
        """Columns of a frame and its weights, checked."""
        name = type(self).__name__
        frame = framed(name, frame)
        columns = checked_history(name, frame, self._age)
        if self.whole_periods:
            for label, column in (("recency", columns[1]), (self._age, columns[2])):
                refuse(name, f"{label} must be a whole number of periods", column != np.floor(column), frame)
            refuse(name, "frequency must be at most recency", columns[0] > columns[1], frame, "One purchase per period.")
        if not fitting:
            return columns, None
        weight = checked_weight(name, frame)
        rows = len(columns[0])
        if (columns[2] == 0).all():
            raise ModelError.not_identifiable(name, f"some {self._age} above 0", f"{rows:,} rows with 0", "Take a later as_of.")
        if (columns[0] == 0).all():
            raise ModelError.not_identifiable(
                name, "customers who bought again", f"{rows:,} rows, all with frequency 0", "Take a longer history."
            )
        if not self.whole_periods and (columns[1] == 0).all():
            # Purchases that take no time have an infinite rate, and a density without limit.
            raise ModelError.not_identifiable(
                name, "repeat purchases after the first", f"{rows:,} rows, all with recency 0", "Count one purchase a day."
            )
        return columns, weight

    def _held_out(self, summary: Any) -> tuple[list[Array], Array | None]:
        name = type(self).__name__
        frame = framed(name, summary)
        return self.checked_columns(frame)[0], checked_weight(name, frame)

    def _unit(self, states: States) -> float:
        return typical(states.columns[2], states.weight)

    def checked_horizon(self, value: Any, name: str = "horizon") -> float:
        """A horizon, checked: positive, and whole where the model counts periods."""
        found = positive(type(self).__name__, name, value)
        if self.whole_periods and found != np.floor(found):
            raise ModelError.expected(type(self).__name__, name, "a whole number of periods", value)
        return found

    def states_of(self, summary: Any) -> States:
        """Distinct states of customers who are asked about; raises NotFittedError where there are no parameters."""
        self.parameters()
        states = self._compressed(self.checked_columns(summary)[0])
        clock, known = self._running if self.leaves_by_calendar else None, states.standing
        if clock is None or (known is not None and known.clock is clock):
            return states
        # Those of the fit, whose clock was since set to run otherwise in the time to come.
        recency, age = states.columns[1], states.columns[2]
        return replace(states, standing=known.on(clock) if known else Standing(clock, recency, age, np.zeros(len(age))))

    def _states_at(self, clock: Clock, summary: Any, since: npt.ArrayLike) -> States:
        """Distinct states of customers as they stood at times from the end of the history, in operational time; last these times."""
        self.parameters()
        columns, _ = self.checked_columns(summary)
        then = np.asarray(since, dtype=float)
        if then.shape != columns[0].shape or not np.isfinite(then).all():
            expected = f"{len(columns[0]):,} finite numbers, one of each row"
            raise ModelError.expected(type(self).__name__, "since", expected, f"an array of shape {then.shape}")
        least = then.min(initial=0.0)
        states = compress([*columns, then - least])
        frequency, recency, age, *more, begun = states.columns
        begun = begun + least
        first, now = clock.at(begun - age), clock.at(begun)
        last = clock.at(begun - age + recency)
        return States(
            [frequency, np.maximum(last - first, 0.0), np.maximum(now - first, 0.0), *more, begun],
            states.weight,
            states.inverse,
            self._standing(recency, age, begun),
        )

    @property
    def age_column(self) -> str:
        """Name of the column that holds a customer's age."""
        return self._age

    @property
    def _running(self) -> Clock | None:
        """The clock, where it does not run as the calendar does."""
        return None if self.clock is None or (self.clock.flat and self.clock.evenly_spent) else self.clock

    def timed(self, states: States) -> States:
        """States whose recency and age are in the calendar's time, in operational time."""
        clock = self._running
        if clock is None:
            return states
        ages = states.group(2)
        first = clock.at(-ages.values)
        recency = clock.at(states.columns[1] - states.columns[2]) - first[ages.inverse]
        found = states.retimed(np.maximum(recency, 0.0), np.maximum(-first, 0.0))
        found.standing = self._standing(states.columns[1], states.columns[2], np.zeros(len(recency)))
        return found

    def _standing(self, recency: Array, age: Array, begun: Array) -> Standing | None:
        """Where states stand on the calendar; None where that is of no use."""
        clock = self._running if self.leaves_by_calendar else None
        return None if clock is None else Standing(clock, recency, age, begun)

    def elapsed(self, horizon: float) -> float:
        """Operational time that a horizon of the calendar takes."""
        clock = self._running
        return horizon if clock is None or horizon == np.inf else float(clock.at(horizon))

    def clock_variance(self, horizon: float) -> float:
        """Variance of the log of what a horizon brings that comes from the clock; 0 without one."""
        return 0.0 if self.clock is None else self.clock.variance(horizon)

    def clock_spread(self, ends: Array, begun: Array) -> Array:
        """Variance of the log of the time from each beginning to each end that comes from the clock: of what lies ahead of today alone.

        Both are times from the end of the history; an end may be infinite.
        """
        if self.clock is None:
            return np.zeros(len(ends))
        ahead = np.maximum(ends, 0.0)
        # It changes little from week to week, and grows no more after three years.
        whole = np.minimum(np.ceil(ahead), 160.0)
        weeks, place = np.unique(whole, return_inverse=True)
        found = np.array([self.clock.variance(week) if week > 0 else 0.0 for week in weeks.tolist()])[place]
        share = np.where(np.isfinite(ends), ahead / np.maximum(np.where(np.isfinite(ends), ends - begun, 1.0), 1e-9), 1.0)
        out: Array = found * np.minimum(share, 1.0) ** 2
        return out

    def _checked_options(self) -> None:
        super()._checked_options()
        _ = self.unit_names  # checks it
        if self.clock is not None and not self.takes_clock and not self.clock.flat:
            expected = "none that runs otherwise than the calendar: this model counts whole periods"
            raise ModelError.expected(type(self).__name__, "clock", expected, "a clock with a season")

    def new_customer(self) -> States:
        """The state of a customer who has just made the first purchase."""
        return self.new_customers(np.zeros(1))

    def new_customers(self, begun: Array) -> States:
        """The states of customers who make their first purchase at times from the end of the history, negative before it."""
        n = len(begun)
        zero = np.zeros(n)
        return States([zero, zero, zero], np.ones(n), np.arange(n), self._standing(zero, zero, begun))

    def simulate(self, T: npt.ArrayLike, horizon: float | None = None, *, seed: int = 0) -> pd.DataFrame:
        """Draw customers from the model: what they did up to T and, with a horizon, after it.

        Parameters
        ----------
        T : array of shape (n,)
            Age of each customer at the end of the history.
        horizon : float, optional
            Adds a column holdout_purchases: repeat purchases in (T, T + horizon].
        seed : int

        Returns
        -------
        DataFrame
            frequency, recency, T (``periods`` of BG/BB), and holdout_purchases where asked.
        """
        params, asked = self.parameters(), np.asarray(T, dtype=float)
        return self.drawn(params, self.new_customers(-asked), asked, horizon, seed)

    def drawn(self, params: Array, new: States, asked: Array, horizon: float | None, seed: int) -> pd.DataFrame:
        """What newcomers of given states, as :meth:`simulate` draws them, did by the ages asked, at given parameters."""
        clock = self._running
        age = asked if clock is None else -clock.at(-asked)
        rng = np.random.default_rng(seed)
        born = rng.random(len(age)) < self.chance_alive(params, new)
        lives = self.simulated_lives(params, new, rng, 1)
        rate, life, ends = lives[0][:, 0], lives[1][:, 0], lives[2][:, 0]
        life, ends = np.where(born, life, 0.0), ends & born
        seen = np.minimum(life, age)
        x = rng.poisson(rate * seen)
        last = np.where(x > 0, seen * rng.random(len(age)) ** (1 / np.maximum(x, 1)), 0.0)
        ended = ends & (life <= age)
        recency = np.where(ended, life, last)
        if clock is not None:
            recency = np.where(x + ended > 0, np.clip(clock.back(recency - age) + asked, 0.0, asked), 0.0)
        frame = pd.DataFrame({"frequency": x + ended, "recency": recency, self._age: asked})
        if horizon is not None:
            h = self.elapsed(self.checked_horizon(horizon))
            more = rng.poisson(rate * np.clip(np.minimum(life, age + h) - age, 0, None))
            frame["holdout_purchases"] = more + (ends & (life > age) & (life <= age + h))
        return frame

    # How.

    def mean_purchases(self, params: Array, states: States, horizon: float) -> Array:
        """Expected purchases within the horizon of each state, at given parameters."""
        found = self.chance_alive(params, states) * self.purchases_if_alive(params, states, self.elapsed(horizon))
        return np.minimum(found, self.most_purchases(horizon))

    def mean_discounted(self, params: Array, states: States, delta: float, horizon: float, *, money: bool = False) -> Array:
        """Discounted expected purchases of each state, at given parameters; with ``money`` each times its factor of spend."""
        found = self.chance_alive(params, states) * self.worth_if_alive(params, states, delta, horizon, money=money)
        return np.minimum(found, self.most_purchases(horizon, delta))

    def worth_if_alive(self, params: Array, states: States, delta: float, horizon: float, *, money: bool = False) -> Array:
        """Expected purchases within a horizon of the calendar of one who is alive, each times its discount, in the calendar's time.

        Parameters
        ----------
        params : array
        states : States
        delta : float
            Continuous rate of discount; 0 for none.
        horizon : float
            May be infinite where there is a discount.
        money : bool
            Count a purchase by what it brings in its week, against the mean of the year.

        Notes
        -----
        Without a clock this is what it would be if time ran evenly. With one, it is that and what the clock moves: summed by days for
        twenty years, with the even tail times its mean over a year after that. All are sums over expected purchases by some time, which
        are smooth, and so worked out at Chebyshev's nodes.
        """
        clock = self._running
        if clock is None or (delta == 0 and (clock.evenly_spent or not money)):
            there = self.elapsed(horizon)
            return (
                self.discounted_if_alive(params, states, delta, there)
                if delta
                else self.purchases_if_alive(params, states, there)
            )
        times, run, plain, worth = clock.steps(delta, horizon, money=money)
        reach, scale = self.worth_counting(delta, horizon), self.time_scale(params, states)
        nodes, values = nodes_of(max(float(run[-1]), float(times[-1]), reach), scale, self._smooth)
        bought = self.purchases_by(params, states, nodes)
        closed = discounting(values, reach, scale, delta) @ bought
        even, moved = plain @ np.diff(values(times), axis=0), worth @ np.diff(values(run), axis=0)
        found = closed + (moved - even) @ bought
        if horizon > times[-1]:
            found = found + (clock.tail(delta, money=money) - 1) * np.maximum(closed - even @ bought, 0.0)
        return np.maximum(found, 0.0)

    @staticmethod
    def worth_counting(delta: float, horizon: float) -> float:
        """How far ahead purchases count: to the horizon, or to where a discount leaves nothing of them."""
        return min(horizon, 45 / delta) if delta else horizon

    def most_purchases(self, horizon: float, delta: float = 0.0) -> float:
        """Most purchases, discounted at ``delta``, that can be made within the horizon: one a period, or any number."""
        if not self.whole_periods:
            return np.inf
        if delta == 0:
            return horizon
        return float(np.expm1(-delta * horizon) / np.expm1(-delta) * np.exp(-delta))

    def _chance(
        self,
        name: str,
        summary: Any,
        chance: Any,
        level: float | None,
        interval: str,
        horizon: float | None = None,
        since: npt.ArrayLike | None = None,
    ) -> pd.Series | pd.DataFrame:
        """A chance of each customer; with a horizon, one of what comes within it: of parameters, states and operational time."""
        variance = 0.0 if horizon is None else self.clock_variance(horizon)
        reach = () if horizon is None else (self.elapsed(horizon),)
        summary = framed(type(self).__name__, summary)
        clock = self._running
        states = self.states_of(summary) if since is None or clock is None else self._states_at(clock, summary, since)
        share = self.checked_level(level, interval)
        bounds = None
        with np.errstate(all="ignore"):
            point = chance(self.parameters(), states, *reach)
            # A clock that runs otherwise than was learnt is as good as more or less time: two ways, as likely, carry its variance.
            factors = np.exp(np.sqrt(variance) * np.array([-1.0, 1.0])) if variance > 0 else np.ones(1)
            if share is not None and interval == "mean":
                ends = [_log_odds(chance(self.parameters(), states, *(u * factor for u in reach))) for factor in factors]
                more = ((ends[-1] - ends[0]) / 2) ** 2
                bounds = self._mean_interval(lambda params: chance(params, states, *reach), share, chance=True, more=more)
            elif share is not None:
                each = [
                    chance(params, states, *(u * factor for u in reach))
                    for params in self.posterior_points()
                    for factor in factors
                ]
                bounds = certain(np.mean(each, axis=0), share)
        return joined(name, summary.index, states.inverse, point, bounds, interval == "mean")

    def mass_since(self, params: Array, age: float, n: Array) -> Array:
        """Probability of exactly n repeat purchases by today of a customer who came some time ago.

        Parameters
        ----------
        params : array
        age : float
            Of the calendar, above 0.
        n : array of shape (m,)
            Whole numbers.
        """
        states, clock = self.newcomers_at(-age), self._running
        reach = age if clock is None else -float(clock.at(-age))
        alive, none = self.chance_alive(params, states), self._any(params, states, reach)
        out = np.zeros(len(n))
        for kind, share in enumerate(states.weight.tolist()):
            some = self._mass(params, np.maximum(n, 1), states.taken(np.full(len(n), kind)), reach)
            out += share * np.where(n > 0, alive[kind] * some, 1 - alive[kind] * none[kind])
        return out

    def newcomers_at(self, begun: float) -> States:
        """The states of those who make their first purchase at a time: one; where newcomers differ, one of each kind with its share."""
        return self.new_customers(np.array([begun]))

    def newcomer(self, like: Any) -> States:
        """The state of a newcomer; ``like``, the covariates, must be None where the model has none."""
        if like is not None:
            raise ModelError.expected(type(self).__name__, "like", "None, as the model has no covariates", like)
        return self.new_customer()

    def time_scale(self, params: Array, states: States) -> float:  # noqa: ARG002
        """A length of time over which what is expected is smooth."""
        return float(params[1])

    def count_mass(self, params: Array, states: States, which: Any, n: Array, horizon: float) -> Array:
        """Probability of n purchases of the states chosen."""
        alive = self.chance_alive(params, states)[which]
        reach = self.elapsed(horizon)
        some = self._mass(params, np.maximum(n, 1), states.taken(which), reach)
        return np.where(n > 0, alive * some, 1 - alive * self._any(params, states, reach)[which])

    def _count_interval(self, states: States, horizon: float, level: float) -> tuple[Array, Array]:
        points, horizon = self.posterior_points(), self.elapsed(horizon)
        alive = np.array([self.chance_alive(params, states) for params in points])
        none = 1 - np.mean(
            [one * self._any(params, states, horizon) for one, params in zip(alive, points, strict=True)], axis=0
        )
        side = (1 - level) / 2

        def above(n: Array, which: Any) -> Array:
            some = states.taken(which)
            tails = [self._tail(params, n + 1, some, horizon) for params in points]
            return np.mean([one[which] * tail for one, tail in zip(alive, tails, strict=True)], axis=0)

        from_zero = none >= side
        low = np.zeros(len(none))
        late = np.flatnonzero(~from_zero)
        if len(late):
            low[late] = smallest(lambda n, some: above(n, late[some]), np.full(len(late), 1 - side))
        high = smallest(above, np.where(from_zero, 1 - level, side))
        return low, high

    def simulated_futures(
        self,
        params: Array,
        states: States,
        some: slice,
        delta: float,
        horizon: float,
        draws: tuple[int, np.random.Generator],
        *,
        money: bool = False,
    ) -> tuple[Array, Array]:
        """Draw the number of purchases and their discounted sum, each of shape (states, m); ``draws``: m, and the generator.

        With ``money`` each purchase counts by what it brings in its week.
        """
        (m, rng), clock = draws, self._running
        rate, life, ends = self.simulated_lives(params, states.taken(some), rng, m)
        born = rng.random(rate.shape) < self.chance_alive(params, states)[some][:, None]
        end = self.elapsed(min(horizon, 60 / delta) if delta > 0 else horizon)
        span = np.where(born, np.minimum(life, end), 0.0)
        count = rng.poisson(np.minimum(rate * span, 1e15)).astype(float)
        # Given their number, the times of purchases are uniform: their discounts have this mean and variance.
        if clock is None:
            lost = np.maximum(delta * span, 1e-12)
            mean, square = -np.expm1(-lost) / lost, -np.expm1(-2 * lost) / (2 * lost)
            floor, top, at_last = np.exp(-lost), np.ones(1), np.exp(-delta * np.minimum(life, end))
        else:
            mean, square = clock.discounts(delta, span, money=money)
            floor = np.exp(-delta * clock.back(span)) * (clock.spend.min() if money else 1.0)
            top = clock.spend.max(keepdims=True) if money else np.ones(1)
            at_last = clock.discount(delta, np.minimum(life, end), money=money)
        total = count * mean + np.sqrt(count * np.maximum(square - mean**2, 0)) * rng.standard_normal(count.shape)
        total = np.clip(total, count * floor, count * top)
        last = born & ends & (life <= end)
        return count + last, total + np.where(last, at_last, 0.0)

    def simulated_counts(
        self,
        params: Array,
        states: tuple[States, Array],
        edges: Array,
        draws: tuple[int, np.random.Generator],
        late: Array | float = 0.0,
    ) -> Array:
        """Draw the number of purchases between edges of operational time, of shape (states, m, edges − 1).

        Parameters
        ----------
        params : array
        states : (States, array of shape (states,))
            And each one's chance of being alive.
        edges : array of shape (n_edges,)
            Increasing; the first may be −∞.
        draws : (int, Generator)
            m, and the generator.
        late : float or array of shape (states, 1)
            When they begin.
        """
        (some, alive), (m, rng) = states, draws
        rate, life, ends = self.simulated_lives(params, some, rng, m)
        born = rng.random(rate.shape) < alive[:, None]
        life = np.where(born, life, 0.0) + late
        began = np.asarray(late)[..., None]
        spans = np.clip(np.minimum(edges[1:], life[..., None]) - np.maximum(edges[:-1], began), 0.0, None)
        if self.whole_periods:
            return rng.binomial(spans.astype(np.int64), rate[..., None]).astype(float)
        bought = rng.poisson(np.minimum(rate[..., None] * spans, 1e9)).astype(float)
        dies = life[..., None]
        return bought + ((ends & born)[..., None] & (dies > edges[:-1]) & (dies <= edges[1:]))

    def simulated_times(
        self,
        params: Array,
        states: tuple[States, Array],
        reach: float,
        factor: Array,
        draws: tuple[int, np.random.Generator],
    ) -> tuple[npt.NDArray[np.int64], Array]:
        """Draw when customers buy within a reach of operational time, in some futures.

        Parameters
        ----------
        params : array
        states : (States, array of shape (states,))
            And each one's chance of being alive.
        reach : float
        factor : array of shape (m,)
            By how much operational time runs faster in each future than was learnt; times are told as if it did not.
        draws : (int, Generator)
            m, and the generator.

        Returns
        -------
        (path, time) : arrays of shape (purchases,)
            Whose purchase it is, in which future: ``future * n_states + state``; and when. In no order.
        """
        (some, alive), (m, rng) = states, draws
        rates, lives, ended = self.simulated_lives(params, some, rng, m)
        rate, life, ends = rates.T, lives.T, ended.T
        if self.leaves_by_calendar:
            # The clock may run otherwise than was learnt: the calendar, by which they leave, does not.
            life = life * factor[:, None]
        born, until = rng.random(rate.shape) < alive, reach * factor[:, None]
        span = np.where(born, np.minimum(life, until), 0.0).ravel()
        count = rng.poisson(np.minimum(rate.ravel() * span, _MOST_PURCHASES))
        path = np.repeat(np.arange(len(span)), count)
        last = np.flatnonzero(born & ends & (life <= until))
        path, time = np.concatenate([path, last]), np.concatenate([rng.random(len(path)) * span[path], life.ravel()[last]])
        return path, time / factor[path // rate.shape[1]]

    def _count_variance(self, states: States, horizon: float) -> float:
        """Variance of all purchases together at known parameters, by simulation in blocks of states."""
        rng, total = np.random.default_rng(self.seed), 0.0
        for start in range(0, len(states.weight), 5000):
            some = slice(start, min(start + 5000, len(states.weight)))
            count, _ = self.simulated_futures(self.parameters(), states, some, 0.0, horizon, (200, rng))
            total += float(states.weight[some] @ count.var(axis=1, ddof=1))
        return total

    def simulated_interval(
        self, states: States, delta: float, horizon: float, level: float, spend: Any, m: int = 1200
    ) -> tuple[Array, Array]:
        """Interval of the discounted sum, or with ``spend`` of what it is worth, by simulation on the distinct states."""
        rng = np.random.default_rng(self.seed)
        points = self.posterior_points()
        each = m // len(points)
        low, high = np.empty(len(states.weight)), np.empty(len(states.weight))
        for start in range(0, len(low), 1000):
            some = slice(start, min(start + 1000, len(low)))
            draws = []
            for k, params in enumerate(points):
                count, total = self.simulated_futures(
                    params, states, some, delta, horizon, (each, rng), money=spend is not None
                )
                draws.append(total if spend is None else total * spend(k, states, some, count, rng))
            sums = np.concatenate(draws, axis=1)
            from_zero = (sums <= 0).mean(axis=1) >= (1 - level) / 2
            ordered = np.quantile(sums, [(1 - level) / 2, (1 + level) / 2, level], axis=1)
            low[some] = np.where(from_zero, 0.0, ordered[0])
            high[some] = np.where(from_zero, ordered[2], ordered[1])
        return low, high

    def _first_time(self, chance: Callable[[Array], Array], target: float, states: States, precision: float = 1e-13) -> Array:
        n = len(states.weight)
        if self.whole_periods:
            return first_period(chance, target, n)
        return first_time(chance, target, n, float(states.columns[2].max(initial=0.0)), precision)


def _log_odds(chance: Array) -> Array:
    out: Array = special.logit(np.clip(chance, 1e-300, 1 - 1e-16))
    return out

"""Where the moves between states lead: the base projected, that held against what came, and what it brings if they go on."""

from __future__ import annotations

import calendar
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from crmlab.analyses.lifecycle.life import Chain, Life, moves_between, table_of
from crmlab.analyses.lifecycle.naming import CURRENT, STATES
from crmlab.analyses.lifecycle.params import LEAST_PERIODS
from crmlab.models.intervals import normal_quantile
from crmlab.models.markov import project
from crmlab.page.estimate import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crmlab.models.btyd.special import Array

__all__ = [
    "Ahead",
    "Check",
    "Fate",
    "Misses",
    "Part",
    "ahead",
    "between_steps",
    "came_of",
    "checked",
    "dates_ahead",
    "misses_of",
    "place_of_check",
    "slowing_fate",
    "wider",
]


_CHECKS = 12  # earlier dates on which a step, or the fate of the slowing, is asked for


@dataclass(frozen=True, kw_only=True, eq=False)
class Ahead:
    """Customers per state today and on later days, each array of shape (days + 1, 6); and those current in all, (3, days + 1)."""

    expected: Array
    low: Array
    high: Array
    current: Array

    def widened(self, misses: Misses | None, check: Check | None = None) -> Ahead:
        """The same with intervals at least as wide, both ways, as what single steps, and an earlier projection, missed by.

        The miss of a projection grows with the steps that were checked; what comes after them was not checked, and is taken to be missed
        by as much.
        """
        runs, most = np.arange(len(self.expected), dtype=float), float(self.expected[0].sum())
        far = most * misses.reach(runs) if misses is not None else np.zeros((len(runs), len(STATES) + 1))
        # Nobody becomes new again.
        far[:, STATES.index("new")] = np.minimum(far[:, STATES.index("new")], self.expected[:, STATES.index("new")])
        middle, *ends = self.current
        low, high = np.minimum(self.low, self.expected - far[:, :-1]), np.maximum(self.high, self.expected + far[:, :-1])
        ends = [np.minimum(ends[0], middle - far[:, -1]), np.maximum(ends[1], middle + far[:, -1])]
        if check is not None:
            grown = np.minimum(runs / check.steps, 1.0)
            missed = {part.name: part.ratio for part in check.states}
            by = np.array([missed.get(state, 1.0) for state in STATES]) ** grown[:, None]
            low, high = wider(self.expected, (low, high), by, most)
            ends = list(wider(middle, ends, check.total.ratio**grown, most))
        low, high, *ends = (np.clip(end, 0.0, most) for end in (low, high, *ends))
        return Ahead(expected=self.expected, low=low, high=high, current=np.stack([middle, *ends]))


@dataclass(frozen=True, eq=False)
class Misses:
    """By how much forecasts of single steps were off on earlier dates: what was seen less what was expected, as a share of all customers.

    Attributes
    ----------
    size : array of shape (7,)
        Root of their mean square, per state and of all who are current.
    z : float
        Deviations of a normal number that an interval reaches to.
    """

    size: Array
    z: float

    def reach(self, steps: Array) -> Array:
        """How far an interval reaches after some steps, as a share of all customers, of shape (n, 7): it grows by their root."""
        return self.z * self.size * np.sqrt(steps)[:, None]


def misses_of(life: Life, place: int, level: float) -> Misses:
    """How far forecasts of single steps were off on the last dates of those whose next step was known at a place of ``life.even``."""
    off, settled = [], set(life.settled_even)
    # Before anybody could have lapsed, the chain has nothing to tell of it.
    for k in [k for k in range(LEAST_PERIODS, place) if life.even[k + 1] in settled][-_CHECKS:]:
        chain = life.chain(k)
        moved = chain.counts.sum(axis=0)
        told = chain.sums(chain.start @ (moved / np.maximum(moved.sum(axis=1, keepdims=True), 1)))
        came = table_of(life.even_moves, life.even[k + 1]).sum(axis=0)
        if told.sum() and came.sum():
            miss = (came - told) / came.sum()
            off.append(np.append(miss, miss[: len(CURRENT)].sum()))
    found = np.array(off) if off else np.zeros((1, len(STATES) + 1))
    return Misses(np.sqrt((found**2).mean(axis=0)), normal_quantile(level))


def wider(value: Any, ends: Sequence[Any], ratio: Any, most: float) -> tuple[Any, Any]:
    """Ends of an interval, at least from ``value / ratio`` to ``value * ratio``, and nowhere above ``most``.

    Examples
    --------
    >>> low, high = wider(np.array([100.0]), (np.array([95.0]), np.array([130.0])), np.array([1.25]), 1000)
    >>> low.tolist(), high.tolist()
    ([80.0], [130.0])
    """
    low, high = ends
    return np.minimum(low, value / ratio), np.maximum(high, np.minimum(value * ratio, most))


def ahead(chain: Chain, runs: Array, level: float, seed: int) -> Ahead:
    """Project the customers of a chain to days that are so many steps ahead, and add up over silence."""
    found = project(chain.counts, chain.start, max(int(np.ceil(runs[-1])), 1), level, seed=seed)
    runs = np.append(0.0, runs)
    expected, drawn = between_steps(chain.sums(found.expected), runs), between_steps(chain.sums(found.drawn), runs)
    k = len(CURRENT)
    ends = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(drawn, ends, axis=0)
    total = np.quantile(drawn[..., :k].sum(axis=-1), ends, axis=0)
    return Ahead(expected=expected, low=low, high=high, current=np.stack([expected[:, :k].sum(axis=1), *total]))


def between_steps(values: Array, runs: Array) -> Array:
    """Values after 0, 1, … steps (the last axis but one), at times between steps: on the line from one to the next.

    Examples
    --------
    >>> between_steps(np.array([[10.0], [6.0], [4.0]]), np.array([0.0, 0.5, 2.0])).ravel().tolist()
    [10.0, 8.0, 4.0]
    """
    low = np.minimum(np.floor(runs).astype(int), values.shape[-2] - 1)
    high, part = np.minimum(low + 1, values.shape[-2] - 1), (runs - low)[:, None]
    out: Array = values[..., low, :] * (1 - part) + values[..., high, :] * part
    return out


class Part(NamedTuple):
    """How many were in a state, how many were expected to be in it later, with the interval, and how many are."""

    name: str
    then: float
    expected: float
    low: float
    high: float
    seen: float

    @property
    def missed(self) -> bool:
        """Whether the actual number lies outside of the interval, in the whole numbers in which both are shown."""
        return not round(self.low) <= self.seen <= round(self.high)

    @property
    def ratio(self) -> float:
        """How many times as many came as were expected, or the other way round: at least 1. Nobody counts as half a customer."""
        seen, expected = max(self.seen, 0.5), max(self.expected, 0.5)
        return max(seen / expected, expected / seen)

    @property
    def side(self) -> str:
        """On which side of the interval it lies."""
        return "above" if self.seen > self.high else "below"


@dataclass(frozen=True, kw_only=True, eq=False)
class Check:
    """A projection made at an earlier date, and what became of the customers of then; arrays are per state, of shape (6,).

    Its intervals are as it was made; those of a chain are as wide as single steps before it had missed by.
    """

    date: dt.date
    steps: int
    then: Array
    found: Ahead
    now: Array

    @property
    def total(self) -> Part:
        """Those who are current, in all."""
        expected, low, high = self.found.current[:, -1]
        k = len(CURRENT)
        return Part("current, in total", float(self.then[:k].sum()), expected, low, high, float(self.now[:k].sum()))

    @property
    def states(self) -> list[Part]:
        """Each state in which anybody was then or is now."""
        expected, low, high = (ends[-1] for ends in (self.found.expected, self.found.low, self.found.high))
        return [
            Part(state, self.then[k], expected[k], low[k], high[k], self.now[k])
            for k, state in enumerate(STATES)
            if self.then[k] or self.now[k]
        ]


class Fate(NamedTuple):
    """The share of today's slowing customers who will be gone a step later, and how well that was told on earlier dates.

    ``dates`` of them were asked; ``missed`` is by how much it was off at most, as a ratio of at least 1.
    """

    share: Estimate
    dates: int
    missed: float


def slowing_fate(life: Life, chain: Chain, level: float, min_group: int, seed: int) -> Fate | None:
    """How many of those who are slowing today will have lapsed or be lost a step later; None where too few are slowing.

    Expected by the chain, which knows how long they have been silent; asked in the same way on up to twelve earlier dates. The
    interval holds what chance and differences of periods make, and is at least as wide as the worst miss on these dates.
    """
    is_slowing, gone = chain.member == STATES.index("slowing"), chain.member >= len(CURRENT)
    start = np.where(is_slowing, chain.start, 0.0)
    if start.sum() < min_group or chain.counts[:, is_slowing].sum() < min_group:
        return None
    runs = life.steps_to(dates_ahead(life, 1))
    found = project(chain.counts, start, max(int(np.ceil(runs[0])), 1), level, seed=seed)
    expected, drawn = between_steps(found.expected, runs), between_steps(found.drawn, runs)
    share = float(expected[0][gone].sum() / start.sum())
    low, high = np.quantile(drawn[:, 0, gone].sum(axis=1) / start.sum(), [(1 - level) / 2, (1 + level) / 2])
    # A chain that has seen hardly any date on which somebody could have lapsed has nothing to tell.
    asked = [life.even.index(day) - 1 for day in life.settled_even[LEAST_PERIODS:]]
    misses = [_missed(life, place, min_group) for place in asked if place >= LEAST_PERIODS]
    known = [miss for miss in misses if miss is not None][-_CHECKS:]
    worst = max(known, default=1.0)
    low, high = wider(share, (low, high), worst, 1.0)
    return Fate(Estimate.holding(share, low, high, level, "share"), len(known), worst)


def _missed(life: Life, place: int, min_group: int) -> float | None:
    """By how much the chain of an earlier date missed how many of the slowing were gone a step later, as a ratio."""
    chain, moves = life.chain(place), table_of(life.even_moves, life.even[place + 1])[STATES.index("slowing")]
    is_slowing = chain.member == STATES.index("slowing")
    start, moved = chain.start * is_slowing, chain.counts.sum(axis=0)
    if moves.sum() < min_group or moved[is_slowing].sum() < min_group:
        return None
    leave = moved[:, chain.member >= len(CURRENT)].sum(axis=1) / np.maximum(moved.sum(axis=1), 1)
    expected, seen = float(start @ leave), float(moves[len(CURRENT) :].sum())
    return Part("slowing", float(start.sum()), expected, expected, expected, seen).ratio


def checked(life: Life, level: float, seed: int) -> Check | None:
    """Project the customers of two thirds into the history, at most a year before its end, and see what became of them.

    None where too little was known by then.
    """
    place = place_of_check(life, life.even)
    if place is None:
        return None
    chain = life.chain(place)
    if not chain.counts.any():
        return None
    start, later = life.even[place], life.even[place + 1 :]
    found = ahead(chain, life.steps_to(later, start), level, seed).widened(misses_of(life, place, level))
    return Check(date=start, steps=len(later), then=chain.sums(chain.start), found=found, now=came_of(life, start))


def place_of_check(life: Life, dates: list[dt.date]) -> int | None:
    """Place of the date on which an earlier projection is made, of dates a step apart; None where too little was known by then."""
    back = min(life.year if life.step < 12 else 3, life.periods // 3)
    place = len(dates) - 1 - back
    return place if back and place >= LEAST_PERIODS else None


def came_of(life: Life, start: dt.date) -> Array:
    """How many of the customers of an earlier date are in each state today."""
    return table_of(moves_between(life.history, [start, life.end], life.limits), life.end).sum(axis=0)


def dates_ahead(life: Life, steps: int) -> list[dt.date]:
    """The dates that follow the last one, a step apart."""
    at_end = life.end.day == calendar.monthrange(life.end.year, life.end.month)[1]
    found = []
    for k in range(1, steps + 1):
        year, month = divmod(12 * life.end.year + life.end.month - 1 + k * life.step, 12)
        length = calendar.monthrange(year, month + 1)[1]
        found.append(dt.date(year, month + 1, length if at_end else min(life.end.day, length)))
    return found

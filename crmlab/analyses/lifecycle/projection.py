"""Where the moves between states lead: the base projected, that held against what came, and its value as a Markov chain."""

from __future__ import annotations

import calendar
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from crmlab.analyses.lifecycle.life import Chain, Life, moves_between, table_of
from crmlab.analyses.lifecycle.params import LEAST_PERIODS
from crmlab.analyses.lifecycle.reductions import CURRENT, STATES
from crmlab.models.markov import markov_value, project, resampled_matrices, resampled_rewards

if TYPE_CHECKING:
    from crmlab.models.btyd.special import Array

__all__ = ["Ahead", "Check", "Part", "ahead", "checked", "dates_ahead", "value_frame"]


_DRAWS = 400  # of chains, for intervals of values


@dataclass(frozen=True, kw_only=True, eq=False)
class Ahead:
    """Customers per state after 0, 1, … steps, each array of shape (steps + 1, 6); and those current in all, (3, steps + 1)."""

    expected: Array
    low: Array
    high: Array
    current: Array


def ahead(chain: Chain, steps: int, level: float, seed: int) -> Ahead:
    """Project the customers of a chain, and add up over silence."""
    found = project(chain.counts, chain.start, steps, level, seed=seed)
    drawn = chain.sums(found.drawn)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    current = found.total(chain.member < len(CURRENT), level)
    return Ahead(expected=chain.sums(found.expected), low=low, high=high, current=current)


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
        """Whether what came lies outside of the interval, in the whole numbers in which both are shown."""
        return not round(self.low) <= self.seen <= round(self.high)

    @property
    def side(self) -> str:
        """On which side of the interval it lies."""
        return "more" if self.seen > self.high else "fewer"


@dataclass(frozen=True, kw_only=True, eq=False)
class Check:
    """A projection made at an earlier date, and what became of the customers of then; arrays are per state, of shape (6,)."""

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
        return Part("current in all", float(self.then[:k].sum()), expected, low, high, float(self.now[:k].sum()))

    @property
    def states(self) -> list[Part]:
        """Each state in which anybody was then or is now."""
        expected, low, high = (ends[-1] for ends in (self.found.expected, self.found.low, self.found.high))
        return [
            Part(state, self.then[k], expected[k], low[k], high[k], self.now[k])
            for k, state in enumerate(STATES)
            if self.then[k] or self.now[k]
        ]


def checked(life: Life, level: float, seed: int) -> Check | None:
    """Project the customers of two thirds into the history, at most a year before its end, and see what became of them.

    None where too little was known by then.
    """
    back = min(life.year if life.step < 12 else 3, life.periods // 3)
    place = len(life.dates) - 1 - back
    if not back or place < LEAST_PERIODS:
        return None
    chain = life.chain(place)
    if not chain.counts.any():
        return None
    now = table_of(moves_between(life.history, [life.dates[place], life.end], life.limits), life.end).sum(axis=0)
    return Check(
        date=life.dates[place], steps=back, then=chain.sums(chain.start), found=ahead(chain, back, level, seed), now=now
    )


def value_frame(chain: Chain, *, step: int, horizon: int, rate: float, margin: float, level: float, seed: int) -> pd.DataFrame:
    """The value of the base as a Markov chain, by state: customers, reward per period, value per customer and in all.

    Rows: the states with customers today, then ``all``. ``step`` is the length of a period in months, ``rate`` that of a year.
    """
    step_rate = (1 + rate) ** (step / 12) - 1
    n = chain.counts.sum(axis=(0, 2))
    typical = chain.counts.sum(axis=0) / np.maximum(n, 1)[:, None]
    typical[n == 0] = np.eye(len(n))[n == 0]
    rewards = margin * chain.spend.sum(axis=0) / np.maximum(n, 1)

    def worth(matrix: np.ndarray, reward: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        near = markov_value(matrix, reward, step_rate, horizon - 1) * chain.start
        return chain.sums(near), chain.sums(markov_value(matrix, reward, step_rate) * chain.start)

    near, whole = worth(typical, rewards)
    drawn = [
        worth(matrix, margin * reward)
        for matrix, reward in zip(
            resampled_matrices(chain.counts, _DRAWS, seed),
            resampled_rewards(chain.counts, chain.spend, _DRAWS, seed),
            strict=True,
        )
    ]
    draws = np.asarray(drawn)  # (draws, near or whole, states)
    sizes = chain.sums(chain.start)
    rows = []
    groups = [(state, np.arange(len(STATES)) == k) for k, state in enumerate(STATES) if sizes[k]]
    for state, inside in [*groups, ("all", np.ones(len(STATES), dtype=bool))]:
        count = float(sizes[inside].sum())
        row: dict[str, object] = {"state": state, "customers": int(count)}
        for k, (name, value) in enumerate((("near", near), ("whole", whole))):
            total, sums = float(value[inside].sum()), draws[:, k][:, inside].sum(axis=1)
            low, high = np.quantile(sums, [(1 - level) / 2, (1 + level) / 2])
            row |= {name: total, f"{name}_low": min(low, total), f"{name}_high": max(high, total)}
        for end in ("", "_low", "_high"):
            row[f"each{end}"] = float(row[f"near{end}"]) / count  # type: ignore[arg-type]
        rows.append(row)
    return pd.DataFrame(rows)


def dates_ahead(life: Life, steps: int) -> list[dt.date]:
    """The dates that follow the last one, a step apart."""
    at_end = life.end.day == calendar.monthrange(life.end.year, life.end.month)[1]
    found = []
    for k in range(1, steps + 1):
        year, month = divmod(12 * life.end.year + life.end.month - 1 + k * life.step, 12)
        length = calendar.monthrange(year, month + 1)[1]
        found.append(dt.date(year, month + 1, length if at_end else min(life.end.day, length)))
    return found

"""The states of today's customers on later days, by the model of purchases: each customer at a rate and with a lifetime of their own.

A chain of moves treats all customers of a state alike, so that who buys often is thought to leave as soon as who buys seldom (Blumen,
Kogan and McCarthy 1955), and its error grows with each step. The model of purchases that values the base knows of each customer how often
they buy, whether they may have left, and the season ahead. So its futures are drawn, and in each of them every purchase decides a state
by the same rules as those of the past.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crmlab.analyses import customer_value
from crmlab.analyses.lifecycle.naming import CURRENT, STATES
from crmlab.analyses.lifecycle.pace import day_number
from crmlab.analyses.lifecycle.projection import Ahead, Check, came_of, place_of_check
from crmlab.analyses.lifecycle.reductions import states
from crmlab.analyses.lifecycle.rhythm import Thresholds
from crmlab.collecting import collect
from crmlab.errors import ConvergenceError, DataError, ModelError
from crmlab.models.btyd.paths import PARAMETERS, drawn_paths

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    import pandas as pd

    from crmlab.analyses.lifecycle.life import Life
    from crmlab.history.past import History
    from crmlab.models.btyd.future import Future
    from crmlab.models.btyd.paths import Paths
    from crmlab.models.btyd.special import Array

    Days = npt.NDArray[np.int64]

__all__ = ["FUTURES", "Standing", "drawn_states", "model_ahead", "model_checked", "standing_on"]


_EACH = 2  # futures at the same parameters
FUTURES = PARAMETERS * _EACH  # drawn of a base
_ACTIVE, _SLOWING, _BACK, _LAPSED, _LOST = (
    STATES.index(name) for name in ("active", "slowing", "reactivated", "lapsed", "lost")
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Standing:
    """Where each customer stands on a day, and what decides where they go; days are numbered from 1 January 1970.

    Customers are in an order in which like ones are neighbours.

    Attributes
    ----------
    day : int
    summary : DataFrame
        What the model of purchases knows of each of them.
    state, number : array of int of shape (n,)
        Place in ``STATES``, and occasions so far.
    first : array of int of shape (n,)
        Day of the first occasion.
    until : array of int of shape (3, n)
        Last days on which they are not slowing, lapsed, lost, without another purchase.
    limits : Thresholds
    """

    day: int
    summary: pd.DataFrame
    state: Days
    number: Days
    first: Days
    until: Days
    limits: Thresholds

    def after(self, paths: Paths, days: Days) -> Days:
        """The state of each customer of some paths on later days, of shape (days, futures · customers).

        Every purchase is an occasion; several on one day are one. Thresholds and states are those of
        :func:`crmlab.analyses.lifecycle.rhythm.occasions`.
        """
        n = len(paths.rows)
        day = self.day + np.maximum(np.ceil(7 * paths.time), 1).astype(np.int64)
        once = np.ones(len(day), dtype=bool)
        once[1:] = (day[1:] != day[:-1]) | (paths.path[1:] != paths.path[:-1])
        path, day = paths.path[once], day[once]
        who = paths.rows[path % n]
        opens = np.ones(len(path), dtype=bool)
        opens[1:] = path[1:] != path[:-1]
        places = np.arange(len(path))
        rank = places - np.maximum.accumulate(np.where(opens, places, 0))
        until = _until(day, self.first[who], self.number[who] + rank + 1, self.limits)
        lapse = np.where(opens, self.until[1][who], np.concatenate([[0], until[1][:-1]])[: len(path)])
        kind = np.where(day > lapse + 1, _BACK, _ACTIVE)
        near = day <= days[-1]
        path, day, until, kind = path[near], day[near], until[:, near], kind[near]
        every, reach = np.arange(paths.futures * n), int(days[-1]) - self.day + 1
        rows, key = np.tile(paths.rows, paths.futures), path * reach + day - self.day
        out = np.empty((len(days), len(every)), dtype=np.int64)
        for k, date in enumerate(days.tolist()):
            place = np.searchsorted(key, every * reach + date - self.day, side="right") - 1
            bought = place >= 0
            bought[bought] = path[place[bought]] == every[bought]
            ends, now = self.until[:, rows].copy(), self.state[rows].copy()
            ends[:, bought], now[bought] = until[:, place[bought]], kind[place[bought]]
            out[k] = np.select([date <= ends[0], date <= ends[1], date <= ends[2]], [now, _SLOWING, _LAPSED], _LOST)
        return out


def _until(day: Days, first: Days, number: Days, limits: Thresholds) -> Days:
    """Last days on which who buys on a day, their purchase of some number, is not slowing, lapsed, lost: of shape (3, purchases)."""
    pace = limits.pace
    ran, begun = (day, first) if pace is None else (pace.counted(day), pace.counted(first))
    waits = limits.of_many((ran - begun) / np.maximum(number - 1, 1), number)
    return ran + waits if pace is None else pace.last_with(ran + waits)


def standing_on(history: History, summary: pd.DataFrame, limits: Thresholds) -> Standing:
    """Where the customers of a summary stand on the last day of a history."""
    found = collect(states(history, None, limits), "customer_id").set_index("customer_id").reindex(summary["customer_id"])
    place = np.array([STATES.index(state) for state in found["state"]])
    number, silent = (found[name].to_numpy(np.int64) for name in ("occasions", "days_since_last"))
    today = day_number(history.as_of)
    span = np.round(found["mean_gap"].fillna(0.0).to_numpy(float) * (number - 1)).astype(np.int64)
    until = np.stack([found[f"{name}_after"].to_numpy(np.int64) for name in ("slowing", "lapsed", "lost")]) + today - silent
    order = np.lexsort((number, silent, place))
    return Standing(
        day=today,
        summary=summary.iloc[order].reset_index(drop=True),
        state=place[order],
        number=number[order],
        first=(today - silent - span)[order],
        until=until[:, order],
        limits=limits,
    )


def drawn_states(model: Future, now: Standing, dates: list[dt.date], seed: int) -> Array:
    """Customers by the state that they are in now and that on each of some later dates, in many futures.

    Parameters
    ----------
    model : Future
        Of purchases, fitted to the customers as they are now.
    now : Standing
    dates : list of datetime.date
        Increasing.
    seed : int

    Returns
    -------
    array of shape (futures, dates, 6, 6)
        In each of them all customers of now.
    """
    days, sizes = np.array([day_number(day) for day in dates]), np.bincount(now.state, minlength=len(STATES))
    return np.concatenate(list(_tables(model, now, days, sizes, seed)))


def _tables(model: Future, now: Standing, days: Days, sizes: Days, seed: int) -> Iterator[Array]:
    k, horizon = len(STATES), (int(days[-1]) - now.day) / 7
    # Who is current on the last day has bought since the day from which silence up to it is too long.
    since = max(horizon - now.limits.lapsed / 7, 0.0)
    for paths in drawn_paths(model, now.summary, horizon, since=since, each=_EACH, seed=seed):
        later, before = now.after(paths, days), now.state[paths.rows]
        future = np.repeat(np.arange(paths.futures), len(paths.rows))
        cell = (future * k + np.tile(before, paths.futures)) * k
        counts = [np.bincount(cell + at, minlength=paths.futures * k * k).reshape(-1, k, k) for at in later]
        # Of a sample: each state in its true size.
        yield np.stack(counts, axis=1) * (sizes / np.maximum(np.bincount(before, minlength=k), 1))[:, None]


def model_ahead(drawn: Array, now: Standing, level: float) -> Ahead:
    """Project customers to later dates, as of :func:`drawn_states`: what is expected, and the interval of all futures."""
    today = np.bincount(now.state, minlength=len(STATES)).astype(float)
    drawn = np.concatenate([np.broadcast_to(today, (len(drawn), 1, len(STATES))), drawn.sum(axis=2)], axis=1)
    expected, current = drawn.mean(axis=0), drawn[..., : len(CURRENT)].sum(axis=-1)
    ends = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(drawn, ends, axis=0)
    middle, (least, most) = current.mean(axis=0), np.quantile(current, ends, axis=0)
    return Ahead(
        expected=expected,
        low=np.minimum(low, expected),
        high=np.maximum(high, expected),
        current=np.stack([middle, np.minimum(least, middle), np.maximum(most, middle)]),
    )


def model_checked(life: Life, choice: customer_value.Choice, level: float, seed: int) -> Check | None:
    """Project the customers of two thirds into the history, at most a year before its end, and see what became of them.

    The model of purchases is the one that is used today, fitted to what was known then. None where too little was known by then.
    """
    place = place_of_check(life, life.dates)
    if place is None:
        return None
    start, later = life.dates[place], life.dates[place + 1 :]
    then = life.history.earlier(start)
    base = customer_value.base_of(then)
    try:
        summary = base.summary()
        model = choice.fit(base, summary, seed)
    except (DataError, ModelError, ConvergenceError):
        return None
    standing = standing_on(then, summary, life.limits)
    found = model_ahead(drawn_states(model, standing, later, seed), standing, level)
    return Check(date=start, steps=len(later), then=found.expected[0], found=found, now=came_of(life, start))

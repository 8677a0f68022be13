"""A light world: orders up to a day, what truly came after it, and what anybody who knew the truth could have foretold.

A *light* world has orders and nothing else. Its families are in :mod:`tests.worlds.model` and :mod:`tests.worlds.other`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

import crmlab
from crmlab.data.dataset import Dataset
from crmlab.history.orders import as_orders
from crmlab.history.past import History
from tests.worlds.clocks import Array, Whole, Yes

__all__ = ["AFTER", "HORIZONS", "Expected", "Futures", "Known", "World", "added_up", "discounted", "first_of_day", "order_rows"]

HORIZONS = (13, 26, 52)  # weeks
AFTER = 400  # days after ``as_of`` that are known
DISCOUNT = 0.1  # a year

Known = Literal["parameters", "customers"]


class Futures(NamedTuple):
    """Purchases and spend of the customers known at ``as_of`` within each horizon, in many futures: arrays of shape (m, horizons)."""

    purchases: Array
    spend: Array

    def ends(self, level: float) -> dict[str, tuple[Array, Array]]:
        """The interval of each horizon's totals, as ``{"purchases": (low, high), "spend": (low, high)}``."""
        sides = [(1 - level) / 2, (1 + level) / 2]
        return {name: tuple(np.quantile(draws, sides, axis=0)) for name, draws in self._asdict().items()}


class Expected(NamedTuple):
    """What is expected of each customer known at ``as_of`` by who knows the parameters and the past, arrays of shape (n,).

    The probability of being a customer still; the spend of the 365 days to come of who is one still; and the spend of all the time to
    come, discounted, as things stand: not a number where the world has no end that could be told.
    """

    alive: Array
    if_loyal: Array
    worth: Array


@dataclass(frozen=True, eq=False, kw_only=True)
class World:
    """A simulated world.

    Attributes
    ----------
    family : str
        ``"model"``, ``"shop"`` or ``"other"``.
    traits : mapping
        What was drawn for this world.
    as_of : datetime.date
        Last day that is known.
    orders, after : DataFrame
        customer_id, ordered_at (a day), amount: one row per customer and day up to ``as_of``, and of the 400 days after it. ``after``
        holds newcomers as well.
    alive : Series of bool
        Whether each customer known at ``as_of`` is one still, by customer_id.
    worth : Series or None
        Spend of each of them in all the time to come, discounted at 10% a year, by customer_id; None where the world has no end that
        could be told.
    draw : callable
        ``draw(m, rng, known)`` draws :class:`Futures` of the customers known. With ``"parameters"`` of who knows the parameters and the past:
        the best that a model can do, in the families whose story is the model's. With ``"customers"`` of who knows the rate, drop-out and spend of
        each customer too, and whether they left: better than anybody can do.
    expected : callable or None
        ``expected(m, rng)``: :class:`Expected`, by so many draws for each customer; None where the story is not the model's.
    """

    family: str
    traits: Mapping[str, object]
    as_of: dt.date
    orders: pd.DataFrame = field(repr=False)
    after: pd.DataFrame = field(repr=False)
    alive: pd.Series = field(repr=False)
    worth: pd.Series | None = field(repr=False)
    draw: Callable[[int, np.random.Generator, Known], Futures] = field(repr=False)
    expected: Callable[[int, np.random.Generator], Expected] | None = field(repr=False)

    @property
    def first(self) -> dt.date:
        """Day of the first order."""
        return self.orders["ordered_at"].min().date()

    def ahead(self, days: int, *, newcomers: bool = False) -> pd.DataFrame:
        """Orders of so many days after ``as_of``, of the customers known or of everybody."""
        if not 0 < days <= AFTER:
            raise ValueError(f"A world knows the {AFTER} days after its last one. Got {days}.")
        near = self.after["ordered_at"] <= pd.Timestamp(self.as_of) + pd.Timedelta(days=days)
        return self.after[near if newcomers else near & self.after["customer_id"].isin(self.alive.index)]

    def came(self, weeks: int) -> tuple[int, float]:
        """Repeat purchases and spend of the customers known within so many weeks: what came."""
        found = self.ahead(7 * weeks)
        return len(found), float(found["amount"].sum())

    def dataset(self, days: int = 0) -> Dataset:
        """The world as a data set, of orders alone, up to ``as_of`` or so many days after it."""
        # What a data set needs to be told is that of any that holds orders alone.
        base = crmlab.open_dataset("cdnow_sample")
        told = replace(base.descriptor, title=f"World {self.traits['seed']}", description="", licence="")
        orders = self.orders if not days else pd.concat([self.orders, self.ahead(days, newcomers=True)])
        until = self.as_of + dt.timedelta(days=days)
        return replace(base, descriptor=told, _tables={"orders": as_orders(orders)}, until=until, fingerprint=None)

    def history(self) -> History:
        """What is known at ``as_of``."""
        return History(self.dataset(), self.as_of)


def discounted(day: Whole) -> Array:
    """What 1 is worth that comes on a day, counted from 0 right after ``as_of``: the middle of the day is meant."""
    return (1 + DISCOUNT) ** (-(day + 0.5) / 365)


def first_of_day(who: Whole, day: Whole) -> Yes:
    """Whether each purchase, ordered by customer and time, is the customer's first on its day: further ones are no occasion."""
    return np.concatenate([np.ones(min(len(who), 1), dtype=bool), (np.diff(who) != 0) | (np.diff(day) != 0)])


def added_up(n: int, m: int, who: Whole, day: Whole, amount: Array) -> Futures:
    """Totals of ``m`` futures of ``n`` customers: ``who`` counts the customers of the first future, then of the second, and so on."""
    counted, future = first_of_day(who, day), who // n
    purchases, spend = np.zeros((m, len(HORIZONS))), np.zeros((m, len(HORIZONS)))
    for k, weeks in enumerate(HORIZONS):
        near = day < 7 * weeks
        purchases[:, k] = np.bincount(future[near & counted], minlength=m)
        spend[:, k] = np.bincount(future[near], amount[near], minlength=m)
    return Futures(purchases, spend)


def order_rows(ids: Array, who: Whole, day: Whole, amount: Array, start: dt.date) -> pd.DataFrame:
    """Orders as a data set holds them: one row per customer and day, days counted from ``start``, amounts in cents."""
    frame = pd.DataFrame({"customer_id": ids[who], "day": day, "amount": amount})
    frame = frame.groupby(["customer_id", "day"], as_index=False)["amount"].sum()
    at = pd.Timestamp(start) + pd.to_timedelta(frame["day"], unit="D")
    return pd.DataFrame(
        {"customer_id": frame["customer_id"], "ordered_at": at, "amount": frame["amount"].round(2).clip(lower=0.01)}
    )

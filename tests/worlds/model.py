"""Worlds whose story is the model's: BG/NBD or MBG/NBD and Gamma-Gamma in operational time, of a season that is known."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from crmlab.data import make_shop
from tests.worlds.clocks import Array, Whole, Yes, christmas, clock, cosine, day_of_year, days_at, purchases, times_at
from tests.worlds.world import AFTER, Expected, Futures, Known, World, added_up, discounted, order_rows

__all__ = ["Parameters", "model_world", "shop_world"]

LONG = 60 * 365  # days after which what a discounted purchase is worth is nothing
LAST = 365 - 1  # days that the last days of histories lie apart at most


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Of purchases per operational day, and of spend. ``first`` says whether one may drop out right after the first purchase: MBG/NBD."""

    first: bool
    r: float
    alpha: float
    a: float
    b: float
    p: float
    q: float
    v: float


@dataclass(frozen=True, kw_only=True, eq=False)
class _Customers:
    """Everybody who ever comes, in the order of their first purchase, and their purchases by customer and time.

    ``ended``: whether the customer dropped out right after the purchase. Days count from the first of the history, ``time`` is operational.
    """

    rate: Array
    dropout: Array
    scale: Array
    who: Whole
    time: Array
    day: Whole
    amount: Array
    ended: Yes


@dataclass(frozen=True, kw_only=True, eq=False)
class _Story:
    """What futures are drawn from. The history has ``days`` days; ``factor`` is the season of spend, by day as the clock."""

    parameters: Parameters
    knots: Array
    factor: Array
    days: int
    customers: _Customers

    @cached_property
    def known(self) -> Whole:
        """Places of the customers known at the end of the history."""
        people = self.customers
        return np.unique(people.who[people.day < self.days])

    @cached_property
    def past(self) -> tuple[Array, Array, Array, Array, Array]:
        """Repeat purchases, operational time from the first to the last and to the end, spend less its season, and alive or not."""
        people, n = self.customers, len(self.known)
        some = people.day < self.days
        who = np.searchsorted(self.known, people.who[some])
        time, count = people.time[some], np.bincount(who, minlength=n)
        begin = np.concatenate([[0], np.cumsum(count)[:-1]])
        first, last = time[begin], time[begin + count - 1]
        spend = np.bincount(who, (people.amount / self.factor[people.day])[some], minlength=n)
        alive = np.bincount(who, people.ended[some], minlength=n) == 0
        return count - 1.0, last - first, self.knots[self.days] - first, spend, alive

    @cached_property
    def chance_alive(self) -> Array:
        """Probability that each customer known is one still, given the past."""
        of, (x, last, age, _, _) = self.parameters, self.past
        odds = of.a / (of.b + x - (not of.first)) * ((of.alpha + age) / (of.alpha + last)) ** (of.r + x)
        return 1 / (1 + np.where((x > 0) | of.first, odds, 0.0))

    def alive_draws(self, m: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        """Rate, drop-out probability and scale of spend of each customer known given the past and that they are alive: (m, n) each."""
        of, (x, _, age, spend, _) = self.parameters, self.past
        size = (m, len(x))
        rate = rng.standard_gamma(of.r + x, size) / (of.alpha + age)
        dropout = rng.beta(of.a, of.b + x + of.first, size)
        scale = (of.v + spend) / rng.standard_gamma(of.q + of.p * (x + 1), size)
        return rate, dropout, scale

    def draw(self, m: int, rng: np.random.Generator, known: Known) -> Futures:
        """As ``draw`` of :class:`World`."""
        n = len(self.known)
        if known == "parameters":
            rate, dropout, scale = self.alive_draws(m, rng)
            alive = rng.random((m, n)) < self.chance_alive
        else:
            people = self.customers
            rate, dropout, scale = (np.tile(one[self.known], (m, 1)) for one in (people.rate, people.dropout, people.scale))
            alive = np.tile(self.past[4], (m, 1))
        return added_up(n, m, *self._future(rate, dropout, scale, alive, rng, AFTER))

    def expected(self, m: int, rng: np.random.Generator) -> Expected:
        """As ``expected`` of :class:`World`."""
        n = len(self.known)
        reach = len(self.knots) - 1 - self.days
        who, day, amount = self._future(*self.alive_draws(m, rng), np.ones((m, n), dtype=bool), rng, reach)
        loyal = np.bincount(who % n, amount * (day < 365), minlength=n) / m
        worth = self.chance_alive * np.bincount(who % n, amount * discounted(day), minlength=n) / m
        return Expected(self.chance_alive, loyal, worth if reach >= LONG else np.full(n, np.nan))

    def _future(
        self, rate: Array, dropout: Array, scale: Array, alive: Yes, rng: np.random.Generator, days: int
    ) -> tuple[Whole, Whole, Array]:
        begin, end = self.knots[self.days], self.knots[self.days + days]
        until = np.where(alive.ravel(), end, begin)
        who, time, _ = purchases(np.full(rate.size, begin), until, rate.ravel(), rng, dropout=dropout.ravel())
        day = days_at(self.knots, time)
        amount = rng.standard_gamma(self.parameters.p, len(who)) * scale.ravel()[who] * self.factor[day]
        return who, day - self.days, amount


def _world(family: str, traits: dict[str, object], story: _Story, start: dt.date, *, whole: bool) -> World:
    people, days = story.customers, story.days
    ids = np.array([f"c{k:05d}" for k in range(len(people.rate))], dtype=object)
    past, soon = people.day < days, people.day < days + AFTER
    rows = [order_rows(ids, people.who[some], people.day[some], people.amount[some], start) for some in (past, soon & ~past)]
    index = pd.Index(ids[story.known], name="customer_id")
    worth = None
    if whole:
        later = people.amount * discounted(people.day - days) * ~past
        worth = pd.Series(np.bincount(people.who, later, minlength=len(ids))[story.known], index=index)
    return World(
        family=family,
        traits=traits,
        as_of=start + dt.timedelta(days=days - 1),
        orders=rows[0],
        after=rows[1],
        alive=pd.Series(story.past[4], index=index),
        worth=worth,
        draw=story.draw,
        expected=story.expected,
    )


def model_world(seed: int, n: int = 600, days: int | None = None, *, seasonal: bool = True) -> World:
    """Draw a world of the model: its parameters, its season, who comes when, and what they buy. 1,000 customers take 0.1 s.

    Parameters
    ----------
    seed : int
        Same arguments, same world.
    n : int
        Customers who come within the history; as many for each day come after it.
    days : int, optional
        Length of the history; default: drawn, three to four years.
    seasonal : bool
        Whether there is a season: a cosine of any phase and an amplitude of up to 0.8, or up to half of a year's demand before Christmas.
        Baskets have one of their own.

    Returns
    -------
    World
    """
    rng = np.random.default_rng([seed, 1])
    days = int(rng.integers(3 * 365 + 1, 4 * 365 + 2)) if days is None else days
    start = dt.date(2024, 7, 1) + dt.timedelta(days=int(rng.integers(0, LAST + 1)) - days + 1)
    r, yearly, mean, strength = (float(rng.uniform(*ends)) for ends in ((0.4, 1.4), (2.0, 8.0), (0.04, 0.25), (1.5, 8.0)))
    p, q, spend = (float(rng.uniform(*ends)) for ends in ((3.0, 8.0), (3.0, 6.0), (20.0, 80.0)))
    of = Parameters(
        first=bool(rng.random() < 0.5),
        r=r,
        alpha=r * 365 / yearly,
        a=mean * strength,
        b=(1 - mean) * strength,
        p=p,
        q=q,
        v=spend * (q - 1) / p,
    )
    peak, amplitude, share, baskets = (
        int(rng.integers(365)),
        rng.uniform(0.1, 0.8),
        rng.uniform(0.1, 0.5),
        rng.uniform(0.0, 0.3),
    )
    name = "cosine" if rng.random() < 0.5 else "christmas"
    season = cosine(amplitude, peak) if name == "cosine" else christmas(share)
    if not seasonal:
        name, season, baskets = "none", np.ones(365), 0.0
    places = day_of_year(start, days + LONG)
    knots, factor = clock(season[places]), cosine(baskets, 343)[places]
    even = bool(rng.random() < 0.5)
    customers = _customers(round(n * (days + AFTER) / days), of, knots, factor, days + AFTER, even, rng)
    traits: dict[str, object] = {
        "seed": seed,
        "parameters": of,
        "season": name,
        "strength": round(float(season.max() - 1), 3),
        "entries": "even" if even else "seasonal",
        "days": days,
    }
    story = _Story(parameters=of, knots=knots, factor=factor, days=days, customers=customers)
    return _world("model", traits, story, start, whole=True)


def _customers(
    n: int, of: Parameters, knots: Array, factor: Array, span: int, even: bool, rng: np.random.Generator
) -> _Customers:
    arrival = np.sort(rng.random(n))
    first = times_at(knots, arrival * span) if even else arrival * knots[span]
    rate, dropout = rng.gamma(of.r, 1 / of.alpha, n), rng.beta(of.a, of.b, n)
    scale = 1 / rng.gamma(of.q, 1 / of.v, n)
    stay = rng.random(n) >= dropout if of.first else np.ones(n, dtype=bool)
    again, later, ended = purchases(first, np.where(stay, knots[-1], first), rate, rng, dropout=dropout)
    who, time = np.concatenate([np.arange(n), again]), np.concatenate([first, later])
    order = np.argsort(who, kind="stable")
    who, time, ended = who[order], time[order], np.concatenate([~stay, ended])[order]
    day = days_at(knots, time)
    amount = rng.standard_gamma(of.p, len(who)) * scale[who] * factor[day]
    return _Customers(rate=rate, dropout=dropout, scale=scale, who=who, time=time, day=day, amount=amount, ended=ended)


def shop_world(seed: int, n: int = 600) -> World:
    """The sample shop over four years, ``make_shop(days=1461)``, as a world: its orders alone, and the 400 days after them.

    Its season is a Christmas peak and quiet Sundays, of a strength that is drawn.
    """
    rng = np.random.default_rng([seed, 2])
    days, seasonality = 1461, float(rng.uniform(0.1, 0.5))
    end = dt.date(2024, 7, 1) + dt.timedelta(days=int(rng.integers(0, LAST + 1)) + AFTER)
    everyone = round(n * (days + AFTER) / days)
    shop = make_shop(
        everyone, seed, end=end, days=days + AFTER, seasonality=seasonality, return_rate=0.0, affinities=False, campaigns=False
    ).truth
    rows = shop.customers.sort_values(["first_at", "customer_id"], kind="stable", ignore_index=True)
    place = pd.Series(rows.index, index=rows["customer_id"])
    bought = shop.occasions.assign(who=place[shop.occasions["customer_id"]].to_numpy()).sort_values(
        ["who", "time"], kind="stable"
    )
    who = bought["who"].to_numpy(np.int64)
    last = np.append(np.diff(who) != 0, True)
    population = shop.population
    of = Parameters(first=False, **{name: population[name] for name in ("r", "alpha", "a", "b", "p", "q", "v")})
    customers = _Customers(
        rate=rows["purchase_rate"].to_numpy(float),
        dropout=rows["dropout_probability"].to_numpy(float),
        scale=rows["mean_spend"].to_numpy(float) / of.p,
        who=who,
        time=bought["time"].to_numpy(float),
        day=np.floor(bought["day"].to_numpy(float)).astype(np.int64),
        amount=bought["spend"].to_numpy(float),
        ended=last & rows["dropped_at"].notna().to_numpy()[who],
    )
    story = _Story(
        parameters=of,
        knots=clock(shop.season.intensity),
        factor=np.ones(days + AFTER),
        days=days,
        customers=customers,
    )
    traits: dict[str, object] = {
        "seed": seed,
        "parameters": of,
        "season": "shop",
        "strength": round(seasonality, 3),
        "days": days,
    }
    return _world("shop", traits, story, end - dt.timedelta(days=days + AFTER - 1), whole=False)

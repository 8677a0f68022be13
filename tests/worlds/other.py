"""Worlds whose story is not the model's: what real shops do and no model of constant rates knows.

Customers leave in calendar time, as in Pareto/NBD; two groups have seasons of their own; promotions make days busy; ever more customers
come; the level of all drifts; the gaps of some are regular; and some files begin long after the shop did.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import special, stats

from tests.worlds.clocks import Array, Whole, Yes, christmas, clock, cosine, day_of_year, days_at, purchases, times_at
from tests.worlds.world import AFTER, Futures, Known, World, added_up, order_rows

__all__ = ["Traits", "other_world"]

LEAD = 730  # days of the shop before a file that begins late
RATES, LIVES = 40, 12  # points at which a customer's rate and time of leaving are weighed


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What a world of this family is made of; of some there may be none.

    Attributes
    ----------
    r, alpha : float
        Of the rates of purchase, per day.
    s, beta : float
        Of the rates at which customers leave, per day.
    p, q, v : float
        Of spend.
    first_group : float
        Share of customers of the group with the cosine; the others are those of Christmas.
    amplitude, peak, christmas : float, int, float
        Of the two seasons.
    regular : float
        Share of customers with gaps of a gamma distribution of shape 3.
    promotions : float
        How many a year, each of 4 to 10 days.
    lift : float
        How many times as busy they make a day.
    declared : bool
        Whether those to come are known beforehand.
    growth : float
        How much faster customers come at the end of the history than at its beginning, less one.
    drift : float
        Standard deviation of the log of the level after a year.
    truncated : bool
        Whether the file begins two years after the shop.
    """

    r: float
    alpha: float
    s: float
    beta: float
    p: float
    q: float
    v: float
    first_group: float
    amplitude: float
    peak: int
    christmas: float
    regular: float
    promotions: float
    lift: float
    declared: bool
    growth: float
    drift: float
    truncated: bool

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Traits:
        """Draw them."""
        r, yearly, s, half = (float(rng.uniform(*ends)) for ends in ((0.4, 1.4), (2.0, 8.0), (0.5, 2.0), (365.0, 1460.0)))
        p, q, spend = (float(rng.uniform(*ends)) for ends in ((3.0, 8.0), (3.0, 6.0), (20.0, 80.0)))
        return cls(
            r=r,
            alpha=r * 365 / yearly,
            s=s,
            beta=half / (2 ** (1 / s) - 1),  # half of all have left after so many days
            p=p,
            q=q,
            v=spend * (q - 1) / p,
            first_group=float(rng.uniform(0.3, 0.7)),
            amplitude=float(rng.uniform(0.2, 0.8)),
            peak=int(rng.integers(365)),
            christmas=float(rng.uniform(0.1, 0.5)),
            regular=float(rng.uniform(0.0, 0.6)),
            promotions=float(rng.uniform(0.0, 4.0)),
            lift=float(rng.uniform(1.5, 3.0)),
            declared=bool(rng.random() < 0.5),
            growth=float(rng.uniform(0.0, 2.0)),
            drift=float(rng.uniform(0.0, 0.2)),
            truncated=bool(rng.random() < 0.3),
        )

    def promoted(self, days: int, rows: int, rng: np.random.Generator) -> Array:
        """Factors of so many days, (rows, days): of which some are those of promotions."""
        factor = np.ones((rows, days))
        for row in factor:
            for day in rng.integers(0, days, rng.poisson(self.promotions * days / 365)):
                row[day : day + int(rng.integers(4, 11))] = self.lift
        return factor

    def level(self, days: int, rows: int, rng: np.random.Generator) -> Array:
        """Factors of so many days, (rows, days): a walk of the log from 0."""
        steps = rng.standard_normal((rows, days)) * self.drift / np.sqrt(365)
        return np.exp(np.cumsum(steps, axis=1))

    def seasons(self, first: dt.date, days: int) -> Array:
        """Factors of so many days from the first on, of both groups: (2, days)."""
        return np.stack([cosine(self.amplitude, self.peak), christmas(self.christmas)])[:, day_of_year(first, days)]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Story:
    """What futures are drawn from. Days count from when the shop began; ``today`` is the first that is not known.

    Of all who ever come: group, rate, shape (of gaps), leaving (rate), scale (of spend), life (day of leaving); and their purchases by
    customer and time. ``ahead`` holds what is known of how busy the days to come are, for both groups: the level of today, seasons, promotions that are declared.
    """

    traits: Traits
    knots: Array
    factor: Array
    ahead: Array
    today: int
    file: int
    group: Whole
    rate: Array
    shape: Array
    leaving: Array
    scale: Array
    came: Array
    life: Array
    who: Whole
    at: Array
    day: Whole
    amount: Array

    @cached_property
    def known(self) -> Whole:
        """Places of the customers who are in the file at its end."""
        return np.unique(self.who[(self.day >= self.file) & (self.day < self.today)])

    @cached_property
    def past(self) -> tuple[Array, Array, Array]:
        """First and last purchase of each customer known (calendar), and how many there were after the first."""
        some = (self.day < self.today) & np.isin(self.who, self.known)
        who = np.searchsorted(self.known, self.who[some])
        count = np.bincount(who, minlength=len(self.known))
        begin = np.concatenate([[0], np.cumsum(count)[:-1]])
        return self.at[some][begin], self.at[some][begin + count - 1], count - 1.0

    @cached_property
    def waited(self) -> Array:
        """Operational time since the last purchase of each customer known, by the clocks of both groups: (2, n)."""
        return np.stack([row[self.today] - times_at(row, self.past[1]) for row in self.knots])

    @cached_property
    def weights(self) -> tuple[Array, Array]:
        """Rates, (n, RATES), and the probability of each combination of group, regular or not, rate and time of leaving given the past.

        Probabilities have shape (n, 2, 2, RATES, LIVES + 1): the last time is that of those who have not left.
        """
        of, (first, last, x) = self.traits, self.past
        n, some = len(x), self.day < self.today
        who = np.searchsorted(self.known, self.who[some & np.isin(self.who, self.known)])
        at = self.at[some & np.isin(self.who, self.known)]
        later = np.concatenate([[False], who[1:] == who[:-1]])
        # Times of leaving: at the middle of slices of the silence, or later than today.
        slices = np.linspace(0, 1, LIVES + 1)
        edges = last[:, None] + (self.today - last)[:, None] * slices
        stays = (of.beta / (of.beta + edges - first[:, None])) ** of.s
        lived = np.concatenate([stays[:, :-1] - stays[:, 1:], stays[:, -1:]], axis=1)
        silent = np.concatenate([(edges[:, :-1] + edges[:, 1:]) / 2, np.full((n, 1), float(self.today))], axis=1)
        age = np.stack([row[self.today] - times_at(row, first) for row in self.knots])
        tenure = np.stack([times_at(row, last) - times_at(row, first) for row in self.knots])
        low = stats.gamma.ppf(5e-4, of.r + x, scale=1 / (of.alpha + age.max(axis=0)))
        high = stats.gamma.isf(5e-4, of.r + x, scale=1 / (of.alpha + tenure.min(axis=0)))
        rates = low[:, None] * (high / low)[:, None] ** np.linspace(0, 1, RATES)
        log = np.full((n, 2, 2, RATES, LIVES + 1), -np.inf)
        for g, share in enumerate((of.first_group, 1 - of.first_group)):
            time = times_at(self.knots[g], at)
            gap = np.maximum(np.diff(time, prepend=0.0)[later], 1e-12)
            busy = np.diff(self.knots[g])[np.floor(at[later]).astype(np.int64)]
            log_gap, log_busy = (np.bincount(who[later], np.log(one), minlength=n)[:, None] for one in (gap, busy))
            sum_gap = np.bincount(who[later], gap, minlength=n)[:, None]
            rest = (
                np.stack([times_at(self.knots[g], column) for column in silent.T], axis=1)
                - times_at(self.knots[g], last)[:, None]
            )
            for regular, shape, part in ((0, 1.0, 1 - of.regular), (1, 3.0, of.regular)):
                per = shape * rates
                gaps = x[:, None] * (shape * np.log(per) - special.gammaln(shape)) + (shape - 1) * log_gap - per * sum_gap
                seen = gaps + log_busy + of.r * np.log(rates) - of.alpha * rates + np.log(max(share * part, 1e-300))
                none = np.log(np.maximum(special.gammaincc(shape, per[:, :, None] * rest[:, None, :]), 1e-300))
                log[:, g, regular] = seen[:, :, None] + none + np.log(np.maximum(lived, 1e-300))[:, None, :]
        # Steps of the log of the rate are equal for one customer, so that they need no weight.
        likely = np.exp(log - log.max(axis=(1, 2, 3, 4), keepdims=True))
        return rates, likely / likely.sum(axis=(1, 2, 3, 4), keepdims=True)

    def draw(self, m: int, rng: np.random.Generator, known: Known) -> Futures:
        """As ``draw`` of :class:`World`."""
        of, (first, _, x), n = self.traits, self.past, len(self.known)
        if known == "customers":
            group, rate, shape, leaving, scale = (
                np.tile(one[self.known], (m, 1)) for one in (self.group, self.rate, self.shape, self.leaving, self.scale)
            )
            alive = np.tile(self.life[self.known] >= self.today, (m, 1))
        else:
            rates, likely = self.weights
            place = _picked(likely.reshape(n, -1), m, rng)
            group, regular, step, lived = np.unravel_index(place, likely.shape[1:])
            spread = (rates[:, 1] / rates[:, 0]) ** rng.uniform(-0.5, 0.5, (m, n))  # rates lie between the points too
            rate, shape, alive = rates[np.arange(n), step] * spread, np.where(regular, 3.0, 1.0), lived == LIVES
            leaving = rng.standard_gamma(of.s, (m, n)) / (of.beta + self.today - first)
            scale = (of.v + self._spent) / rng.standard_gamma(of.q + of.p * (x + 1), (m, n))
        factor = self.ahead * (1 if of.declared else of.promoted(AFTER, m, rng)[:, None, :])
        knots = clock(factor * of.level(AFTER, m, rng)[:, None, :]).reshape(2 * m, AFTER + 1)
        row = (2 * np.arange(m)[:, None] + group).ravel()
        life = np.minimum(rng.standard_exponential((m, n)) / leaving, AFTER - 1e-9) * alive
        end = times_at(knots, life.ravel(), row) * alive.ravel()
        waited = self.waited[group, np.arange(n)].ravel()
        who, time, _ = purchases(np.zeros(m * n), end, rate.ravel(), rng, shape=shape.ravel(), waited=waited)
        day = days_at(knots, time, row[who])
        amount = rng.standard_gamma(of.p, len(who)) * scale.ravel()[who] * self.factor[self.today + day]
        return added_up(n, m, who, day, amount)

    @cached_property
    def _spent(self) -> Array:
        some = (self.day < self.today) & np.isin(self.who, self.known)
        who = np.searchsorted(self.known, self.who[some])
        return np.bincount(who, self.amount[some] / self.factor[self.day[some]], minlength=len(self.known))


def _picked(likely: Array, m: int, rng: np.random.Generator) -> Whole:
    """Draw ``m`` places of each row by the probabilities of the row: (m, rows)."""
    n, k = likely.shape
    line = np.cumsum(likely, axis=1)
    line = line / line[:, -1:] + np.arange(n)[:, None]
    found = np.searchsorted(line.ravel(), rng.random((m, n)) + np.arange(n), side="right") - k * np.arange(n)
    return np.clip(found, 0, k - 1)


def other_world(seed: int, n: int = 600, days: int | None = None, traits: Traits | None = None) -> World:
    """Draw a world that is not the model's. 1,000 customers take 0.1 s.

    Parameters
    ----------
    seed : int
        Same arguments, same world.
    n : int
        Customers who come within the history; as many for each day come after it and, where the file begins late, before it.
    days : int, optional
        Length of the history; default: drawn, three to four years.
    traits : Traits, optional
        Default: drawn.

    Returns
    -------
    World
    """
    rng = np.random.default_rng([seed, 3])
    days = int(rng.integers(3 * 365 + 1, 4 * 365 + 2)) if days is None else days
    last = dt.date(2024, 7, 1) + dt.timedelta(days=int(rng.integers(0, 365)))
    of = Traits.drawn(rng) if traits is None else traits
    file = LEAD if of.truncated else 0
    today = file + days
    span = today + AFTER
    start = last - dt.timedelta(days=today - 1)
    promoted = of.promoted(span, 1, rng)
    baskets = float(rng.uniform(0.0, 0.3))
    seasons = of.seasons(start, span)
    level = of.level(span, 1, rng)
    knots = clock(seasons * promoted * level)
    # Customers come at a rate that grows with every day of the file, and goes on to grow after it.
    pace = 1 + of.growth * np.clip(np.arange(span) - file, 0, None) / days
    everyone = rng.poisson(n * pace.sum() / pace[file:today].sum())
    came = np.sort(np.interp(rng.random(everyone), np.append(0, np.cumsum(pace)) / pace.sum(), np.arange(span + 1)))
    group = (rng.random(everyone) >= of.first_group).astype(np.int64)
    rate = rng.gamma(of.r, 1 / of.alpha, everyone)
    shape = np.where(rng.random(everyone) < of.regular, 3.0, 1.0)
    leaving = rng.gamma(of.s, 1 / of.beta, everyone)
    scale = 1 / rng.gamma(of.q, 1 / of.v, everyone)
    life = came + rng.standard_exponential(everyone) / leaving
    begin, end = times_at(knots, came, group), times_at(knots, np.minimum(life, span - 1e-9), group)
    again, later, _ = purchases(begin, end, rate, rng, shape=shape)
    who, time = np.concatenate([np.arange(everyone), again]), np.concatenate([begin, later])
    order = np.argsort(who, kind="stable")
    who, time = who[order], time[order]
    day = days_at(knots, time, group[who])
    low, high = knots[group[who], day], knots[group[who], day + 1]
    at = day + np.clip((time - low) / (high - low), 0, 1 - 1e-9)
    factor = cosine(baskets, 343)[day_of_year(start, span)]
    amount = rng.standard_gamma(of.p, len(who)) * scale[who] * factor[day]
    story = _Story(
        traits=of,
        knots=knots,
        factor=factor,
        ahead=level[:, today - 1] * seasons[:, today:] * (promoted[:, today:] if of.declared else 1),
        today=today,
        file=file,
        group=group,
        rate=rate,
        shape=shape,
        leaving=leaving,
        scale=scale,
        came=came,
        life=life,
        who=who,
        at=at,
        day=day,
        amount=amount,
    )
    return _world(seed, days, story, start, promoted[0] > 1)


def _world(seed: int, days: int, story: _Story, start: dt.date, promoted: Yes) -> World:
    ids = np.array([f"c{k:05d}" for k in range(len(story.rate))], dtype=object)
    seen, past = story.day >= story.file, story.day < story.today
    rows = [
        order_rows(ids, story.who[some], story.day[some], story.amount[some], start) for some in (seen & past, seen & ~past)
    ]
    index = pd.Index(ids[story.known], name="customer_id")
    dates = pd.date_range(start, periods=len(promoted))[promoted]
    return World(
        family="other",
        traits={"seed": seed, "traits": story.traits, "days": days, "promoted": dates},
        as_of=start + dt.timedelta(days=story.today - 1),
        orders=rows[0],
        after=rows[1],
        alive=pd.Series(story.life[story.known] >= story.today, index=index),
        worth=None,
        draw=story.draw,
        expected=None,
    )

"""The truth behind the simulated shop: who buys when and for how much, before any table is made of it.

Purchases follow the BG/NBD story and spend the Gamma-Gamma story, both in *operational time*: a clock that runs faster
in busy weeks and slower in quiet ones. On that clock the two models hold exactly.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "POPULATION",
    "Affinity",
    "FloatArray",
    "Histories",
    "IntArray",
    "Season",
    "TimeArray",
    "Truth",
    "arrivals",
    "draw_histories",
    "make_season",
]


FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
TimeArray = NDArray[np.datetime64]
# Chosen so that over two years four in ten customers buy once, and the average is four occasions of 45 each.
POPULATION: dict[str, float] = {"r": 0.4, "alpha": 28.0, "a": 0.7, "b": 6.3, "p": 6.0, "q": 4.0, "v": 22.5}
PEAK_DAY = 344  # day of the year of the peak: about 10 December
PEAK_CONCENTRATION = 5.0  # of the bell round the peak: half of the seasonal demand lies within 18 days of it
ACQUISITION_GROWTH = 0.4  # customers are won 40% faster at the end than at the start
LEAST_SPEND = 200  # cents: leaves at least a cent for every line of an occasion


class Affinity(NamedTuple):
    """Two products planted to sell together.

    An order with the antecedent and without the consequent gets the consequent on top with this probability.
    """

    antecedent: str
    consequent: str
    probability: float


@dataclass(frozen=True, eq=False)
class Season:
    """How busy the shop is from day to day, and the clock that follows from it.

    Attributes
    ----------
    start : datetime.date
        First day.
    intensity : ndarray, shape (days,)
        How busy each day is; 1 is the average of a year. Constant within a day.

    Examples
    --------
    >>> season = make_season(dt.date(2024, 1, 1), 366, 0.25)
    >>> season.start + dt.timedelta(days=int(season.intensity.argmax()))
    datetime.date(2024, 12, 9)
    >>> bool(np.isclose(season.calendar(season.operational(100.5)), 100.5))
    True
    """

    start: dt.date
    intensity: FloatArray = field(repr=False)

    @cached_property
    def _knots(self) -> FloatArray:
        return np.concatenate([[0.0], np.cumsum(self.intensity)])

    @property
    def days(self) -> int:
        """Number of days."""
        return len(self.intensity)

    @property
    def length(self) -> float:
        """Length of the whole period in operational days."""
        return float(self._knots[-1])

    def operational(self, day: ArrayLike) -> FloatArray:
        """Operational days passed at a moment, given in calendar days since ``start`` began."""
        return np.asarray(np.interp(np.asarray(day), np.arange(self.days + 1), self._knots))

    def calendar(self, time: ArrayLike) -> FloatArray:
        """Calendar days since ``start`` began at a moment of operational time: the inverse of ``operational``."""
        return np.asarray(np.interp(np.asarray(time), self._knots, np.arange(self.days + 1)))


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known of the simulated shop because it was put there.

    Attributes
    ----------
    customers : DataFrame
        One row per customer who buys: ``customer_id``; ``purchase_rate`` (occasions per operational day while active);
        ``dropout_probability`` (of becoming inactive right after a repeat occasion); ``mean_spend`` (expected, per
        occasion); ``first_at`` and ``last_at`` (first and last occasion); ``occasions`` (how many, the first
        included); ``dropped_at`` (the moment of dropping out, which is that of the last occasion; missing for customers
        still active at the end).
    occasions : DataFrame
        One row per occasion, by customer and time: ``customer_id``; ``day`` (calendar days since the
        period began); ``time`` (the same moment in operational days); ``spend`` (before returns).
    products : DataFrame
        ``product_id``; ``list_price``; ``popularity`` (weight with which each of an order's products is drawn, from
        those not drawn yet).
    population : dict
        ``r`` and ``alpha`` of the purchase rates, ``a`` and ``b`` of the drop-out probabilities, ``p``, ``q`` and ``v``
        of the spend.
    season : Season
        The daily intensity and the operational clock.
    affinities : tuple of Affinity
        The planted pairs. Any other products are independent, given the number of products drawn for an order and the
        range on sale that day. Given the number of products *in* the order, a planted pair takes two places at once, so
        that its products meet others a little less often than by chance: visible in a million lines, never as a lift.
    dirt : dict
        Rows added to the order lines, by kind of dirt; empty where the shop is clean.
    campaigns : DataFrame
        One row per cell, controls too: ``campaign_id``, ``cell_id``, ``control_cell_id``, ``offer``, ``creative``;
        ``effect`` (by how much the cell raises the probability that a person of the list buys while the window is open);
        ``seen`` (the part of it that falls before the data end); ``spend`` and ``margin`` (expected per contact of the
        orders seen that it causes; the margin is before costs of contact). What is expected holds for everybody assigned,
        by the first contact; the second contact of the few who got two does nothing.
    caused : DataFrame
        One row per order that would not have been: ``order_id``, ``customer_id``, ``cell_id``. Nothing of them is in
        ``customers`` and ``occasions``, which tell the story without campaigns.
    """

    customers: pd.DataFrame = field(repr=False)
    occasions: pd.DataFrame = field(repr=False)
    products: pd.DataFrame = field(repr=False)
    population: dict[str, float]
    season: Season
    affinities: tuple[Affinity, ...] = ()
    dirt: dict[str, int] = field(default_factory=dict)
    campaigns: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    caused: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)


@dataclass(frozen=True, eq=False)
class Histories:
    """Customers' parameters, and all their occasions sorted by customer and time.

    The first four arrays have one value per customer, the others one per occasion; ``who`` is the customer's place.
    """

    purchase_rate: FloatArray
    dropout_probability: FloatArray
    mean_spend: FloatArray
    dropped: NDArray[np.bool_]
    who: IntArray
    time: FloatArray
    day: FloatArray
    cents: IntArray

    @property
    def first(self) -> IntArray:
        """Place of each customer's first occasion."""
        return np.flatnonzero(np.diff(self.who, prepend=-1))

    @property
    def last(self) -> IntArray:
        """Place of each customer's last occasion."""
        return np.flatnonzero(np.diff(self.who, append=self.purchase_rate.size))


def make_season(start: dt.date, days: int, seasonality: float) -> Season:
    """Lay out how busy each day is: a Christmas peak, and quieter Sundays.

    Parameters
    ----------
    start : datetime.date
        First day.
    days : int
        Number of days.
    seasonality : float
        Share of a year's demand that gathers in a bell round 10 December, in [0, 1); Sundays lose the same share of
        theirs to the other days of the week. 0 makes every day alike.

    Returns
    -------
    Season

    Examples
    --------
    >>> make_season(dt.date(2024, 1, 1), 3, 0.0).intensity.tolist()
    [1.0, 1.0, 1.0]
    """
    dates = pd.date_range(start, periods=days)
    angle = 2 * np.pi * (dates.day_of_year.to_numpy() - PEAK_DAY) / 365.25
    # A von Mises density relative to its mean over the year.
    bell = np.exp(PEAK_CONCENTRATION * np.cos(angle)) / np.i0(PEAK_CONCENTRATION)
    sunday = dates.day_of_week.to_numpy() == 6
    week = np.where(sunday, 1 - seasonality, 1.0) * 7 / (7 - seasonality)
    return Season(start, ((1 - seasonality) + seasonality * bell) * week)


def arrivals(n: int, season: Season, rng: np.random.Generator) -> FloatArray:
    """Draw when ``n`` customers arrive, in operational days: steadily, with some growth over the period."""
    growth = ACQUISITION_GROWTH
    share = (np.sqrt(1 + 2 * growth * rng.random(n) * (1 + growth / 2)) - 1) / growth
    return np.asarray(share * season.length)


def draw_histories(n: int, season: Season, rng: np.random.Generator) -> Histories:
    """Draw customers and everything they do until the period ends.

    The first occasion is given. While active, a customer buys again after exponential times; right after each repeat
    occasion the customer drops out with a probability of the customer's own. The spend of an occasion is gamma
    distributed round the customer's mean, whatever the rate and the drop-out.

    Parameters
    ----------
    n : int
        Number of customers, all of whom buy at least once.
    season : Season
        The clock.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Histories

    References
    ----------
    Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2), section 3.
    Fader & Hardie (2013), The Gamma-Gamma Model of Monetary Value, section 2.

    Examples
    --------
    >>> season = make_season(dt.date(2024, 1, 1), 366, 0.0)
    >>> histories = draw_histories(5, season, np.random.default_rng(1))
    >>> sorted(set(histories.who.tolist()))
    [0, 1, 2, 3, 4]
    """
    of = POPULATION
    rate = rng.gamma(of["r"], 1 / of["alpha"], n)
    dropout = rng.beta(of["a"], of["b"], n)
    scale = 1 / rng.gamma(of["q"], 1 / of["v"], n)
    who, time, dropped = _occasion_times(arrivals(n, season, rng), rate, dropout, season.length, rng)
    # Rounding can put a moment just before the end onto the end itself, which is the next day.
    day = np.minimum(season.calendar(time), np.nextafter(season.days, 0))
    cents = np.rint(100 * rng.gamma(of["p"], scale[who])).astype(np.int64)
    return Histories(rate, dropout, of["p"] * scale, dropped, who, time, day, np.maximum(cents, LEAST_SPEND))


def _occasion_times(
    first: FloatArray, rate: FloatArray, dropout: FloatArray, length: float, rng: np.random.Generator
) -> tuple[IntArray, FloatArray, NDArray[np.bool_]]:
    """Every customer's occasions; one round of the loop draws the next occasion of all customers still active."""
    live, now = np.arange(rate.size), first
    who, time, dropped = [live], [now], np.zeros(rate.size, dtype=bool)
    while live.size:
        now = now + rng.standard_exponential(live.size) / rate[live]
        inside = now < length
        live, now = live[inside], now[inside]
        who.append(live)
        time.append(now)
        gone = rng.random(live.size) < dropout[live]
        dropped[live[gone]] = True
        live, now = live[~gone], now[~gone]
    everyone = np.concatenate(who)
    order = np.argsort(everyone, kind="stable")  # rounds are in time order already
    return everyone[order], np.concatenate(time)[order], dropped

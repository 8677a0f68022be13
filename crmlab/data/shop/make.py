"""The simulated shop: every table, with the truth behind it known. Nothing here is real.

Models are tested on it (they must find the truth again), examples run on it, and it is the data set that reports show
until a team brings its own.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from crmlab.data.descriptor import LEAST_CUSTOMERS
from crmlab.data.shop.campaigns import Sent, send_all, true_effects
from crmlab.data.shop.dirt import soil
from crmlab.data.shop.goods import fill_baskets, make_goods, plant_affinities
from crmlab.data.shop.orders import canonical, moments, order_tables, pick, pick_channels, pick_returns, write_receipts
from crmlab.data.shop.responses import campaign_tables, caused_orders, margin_of_caused, with_caused
from crmlab.data.shop.truth import (
    POPULATION,
    Affinity,
    Histories,
    IntArray,
    Season,
    Truth,
    arrivals,
    draw_histories,
    make_season,
)
from crmlab.data.tables import CUSTOMERS, PRODUCTS, labels
from crmlab.errors import ParameterError

__all__ = ["Shop", "make_shop"]


PROSPECTS = 0.04  # people in the books who never ordered, per customer who did
REGISTERS_EARLY = 0.2  # share of customers in the books some days before their first order
JOINS_HOUSEHOLD = 0.15
CONTACTABLE = 0.85
COUNTRIES = {"DE": 0.6, "AT": 0.15, "FR": 0.1, "NL": 0.1, "CH": 0.05}


@dataclass(frozen=True, eq=False)
class Shop:
    """A simulated shop.

    Attributes
    ----------
    tables : dict of DataFrame
        Frames in canonical form by name: ``orders`` (not where the shop is dirty), ``order_lines``, ``products``,
        ``customers``, and where there are campaigns ``cells``, ``contacts``, ``responses``. The customers' attributes are
        ``country`` and, as an example of a personal column, ``email``.
    truth : Truth
        What a model should find.
    """

    tables: dict[str, pd.DataFrame]
    truth: Truth = field(repr=False)

    def __repr__(self) -> str:
        return f"Shop({', '.join(f'{len(frame):,} {name}' for name, frame in self.tables.items())})"


def make_shop(
    n_customers: int = 2000,
    seed: int = 1,
    *,
    end: dt.date = dt.date(2025, 12, 31),
    days: int = 730,
    seasonality: float = 0.25,
    return_rate: float = 0.04,
    affinities: bool = True,
    dirty: bool = False,
    campaigns: bool = True,
) -> Shop:
    """Simulate a shop for household goods: its customers, their orders, and the truth behind them.

    Customers come as BG/NBD tells it: after the first occasion they buy at random at a rate of their own, and after
    each repeat occasion drop out with a probability of their own; rates are Gamma(r, alpha) and probabilities
    Beta(a, b) distributed. What an occasion is worth follows Gamma-Gamma(p, q, v), whatever the rate. Both hold
    exactly in operational time, a clock that runs fast before Christmas and slow on Sundays; with ``seasonality=0`` it
    is the calendar.

    Parameters
    ----------
    n_customers : int
        Customers who buy at least once. Some prospects, who never do, come on top (4%).
    seed : int
        Same arguments, same shop.
    end : datetime.date
        Last day.
    days : int
        Length of the period that ends there, at least 30.
    seasonality : float
        Share of a year's demand that gathers round 10 December, and that Sundays lose to other days; in [0, 1).
    return_rate : float
        Share of order lines that are returned whole, some on the same day, most up to three weeks later, by an order of
        their own (``R…``) with negative quantity and amount; in [0, 1). What would come back after ``end`` is left out.
    affinities : bool
        Plant a few pairs of products that sell together. Others do not: see :class:`Truth`.
    dirty : bool
        Add to the same clean order lines what real books have: rows without a customer, duplicates, postage,
        write-offs and the like. Their numbers are in ``truth.dirt``; the orders table is left out, to be derived.
    campaigns : bool
        Send five campaigns, one of which does nothing, one lost part of a cell, and one is not over at the end. Their
        cells cause orders that come on top of all others, numbered after them (1 to 2%); ``truth.campaigns`` says how
        many and ``truth.caused`` which. Everything else stays as it is without. Shops of fewer than 100 customers send
        none.

    Returns
    -------
    Shop

    Raises
    ------
    ParameterError
        A number is out of its range.

    Notes
    -----
    Days discretise the truth. Two occasions drawn for one customer and day are one purchase occasion to whoever counts
    customer-days (1 in 50 occasions goes that way). Within a day, occasions keep their order but are squeezed into
    opening hours, so time them in days, not hours. Returns lower the spend of the day on which they are booked, and a
    day may lose its occasion to them: compare counts with ``return_rate=0``. Some occasions (4%) have two orders.
    Spend is rounded to cents, and never under 2.00.

    References
    ----------
    Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2), 275-284.
    Fader & Hardie (2013), The Gamma-Gamma Model of Monetary Value, brucehardie.com/notes/025.

    Examples
    --------
    >>> shop = make_shop(100, seed=1)
    >>> len(shop.tables["customers"]), sorted(shop.tables)
    (104, ['cells', 'contacts', 'customers', 'order_lines', 'orders', 'products', 'responses'])
    >>> shop.truth.population["r"]
    0.4
    """
    _check(n_customers, seed, days, seasonality, return_rate)
    # A stream of its own for each step: changing one option leaves what the others draw as it is.
    people, books, shelves, tills, baskets, counter, dust, post = np.random.default_rng(seed).spawn(8)
    last_day = np.datetime64(end, "D")
    start = last_day - (days - 1)
    season = make_season(start.item(), days, float(seasonality))
    histories = draw_histories(n_customers, season, people)
    customers, place = _customers(histories, season, books)
    goods = make_goods(days, last_day, shelves)
    planted = plant_affinities(goods) if affinities else ()
    receipts = write_receipts(histories, place, start, tills)
    channel = pick_channels(receipts.customer, len(customers), tills)
    sold = fill_baskets(receipts.cents, receipts.at.astype("datetime64[D]"), goods, planted, baskets)
    returned = pick_returns(receipts.at[sold.order], return_rate, last_day, counter)
    ids, product_ids = customers["customer_id"], goods["product_id"]
    sent: list[Sent] = []
    further: dict[str, pd.DataFrame] = {}
    if campaigns and n_customers >= LEAST_CUSTOMERS:
        sending, buying, saying = post.spawn(3)
        sent = send_all(customers, receipts, start, days, sending)
        receipts, channel, sold = with_caused(sent, receipts, channel, sold, goods, planted, buying)
        further = campaign_tables(sent, receipts, customers, last_day + 1, saying)
    orders, order_lines = order_tables(receipts, channel, sold, returned, ids, product_ids)
    tables = {"orders": orders, "order_lines": order_lines}
    dirt: dict[str, int] = {}
    if dirty:
        book, dirt = soil(order_lines, dust)
        tables = {"order_lines": book}
    tables |= {"products": canonical(PRODUCTS, goods), "customers": customers, **further}
    truth = _truth(histories, ids, place, goods, season, planted, dirt)
    if further:
        margin = margin_of_caused(goods, planted, last_day, post)
        truth = replace(truth, campaigns=true_effects(sent, margin), caused=caused_orders(sent, receipts, ids))
    return Shop(tables, truth)


def _check(n_customers: int, seed: int, days: int, seasonality: float, return_rate: float) -> None:
    for name, value, least in (("n_customers", n_customers, 1), ("seed", seed, 0), ("days", days, 30)):
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or value < least:
            raise ParameterError.expected("shop", name, f"a whole number of at least {least}", value)
    for name, rate in (("seasonality", seasonality), ("return_rate", return_rate)):
        if not isinstance(rate, int | float | np.floating) or not 0 <= rate < 1:
            raise ParameterError.expected("shop", name, "at least 0 and under 1", rate)


def _customers(histories: Histories, season: Season, rng: np.random.Generator) -> tuple[pd.DataFrame, IntArray]:
    """Make the customers table, and say which row of it each customer who buys is."""
    first = np.floor(histories.day[histories.first])
    before = np.where(rng.random(first.size) < REGISTERS_EARLY, rng.geometric(0.15, first.size), 0)
    prospects = np.floor(season.calendar(arrivals(round(PROSPECTS * first.size), season, rng)))
    acquired = np.concatenate([np.maximum(first - before, 0), np.minimum(prospects, season.days - 1)])
    in_order = np.argsort(acquired, kind="stable")  # customer numbers are given in the order of acquisition
    place = np.empty_like(in_order)
    place[in_order] = np.arange(in_order.size)
    n = acquired.size
    ids = [f"C{number:06d}" for number in range(1, n + 1)]
    household = rng.permutation(np.cumsum(rng.random(n) >= JOINS_HOUSEHOLD))
    frame = pd.DataFrame(
        {
            "customer_id": ids,
            "household_id": labels([f"H{number:06d}" for number in range(n + 1)], household),
            "contactable": rng.random(n) < CONTACTABLE,
            "acquired_at": np.datetime64(season.start, "us") + acquired[in_order].astype("timedelta64[D]"),
            "acquisition_cost": rng.gamma(4.0, 3.0, n).round(2),
            "country": labels(list(COUNTRIES), pick(COUNTRIES, n + 1, rng)[household]),
            "email": [f"{name.lower()}@shop.example" for name in ids],
        }
    )
    return canonical(CUSTOMERS, frame), place[: first.size]


def _truth(
    histories: Histories,
    ids: pd.Series[str],
    place: IntArray,
    goods: pd.DataFrame,
    season: Season,
    affinities: tuple[Affinity, ...],
    dirt: dict[str, int],
) -> Truth:
    at = moments(np.datetime64(season.start, "D"), histories.day)
    by_id, whose = np.argsort(place), place[histories.who]
    first, last = histories.first[by_id], histories.last[by_id]
    customers = pd.DataFrame(
        {
            "customer_id": labels(ids, place[by_id]),
            "purchase_rate": histories.purchase_rate[by_id],
            "dropout_probability": histories.dropout_probability[by_id],
            "mean_spend": histories.mean_spend[by_id],
            "first_at": at[first],
            "last_at": at[last],
            "occasions": last - first + 1,
            "dropped_at": np.where(histories.dropped[by_id], at[last], np.datetime64("NaT", "us")),
        }
    )
    row = np.argsort(whose, kind="stable")
    occasions = pd.DataFrame(
        {
            "customer_id": labels(ids, whose[row]),
            "day": histories.day[row],
            "time": histories.time[row],
            "spend": histories.cents[row] / 100,
        }
    )
    products = goods[["product_id", "list_price", "popularity"]]
    return Truth(customers, occasions, products, dict(POPULATION), season, affinities, dirt)

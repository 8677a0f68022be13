"""What the simulated shop sells, and what lies together in its baskets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlab.data.shop.truth import Affinity, FloatArray, IntArray, TimeArray

__all__ = ["Lines", "fill_baskets", "make_goods", "plant_affinities"]


# Category: usual list price; materials; objects. Every material goes with every object.
RANGE: dict[str, tuple[float, str, str]] = {
    "Kitchen": (9, "Beech, Olive wood, Steel, Cast iron, Ceramic", "ladle, chopping board, canister, trivet"),
    "Tableware": (8, "Stoneware, Porcelain, Glass, Bamboo, Enamel", "plate, bowl, mug, serving dish"),
    "Textiles": (12, "Linen, Cotton, Wool, Jute, Hemp", "apron, table runner, cushion cover, throw"),
    "Bath": (9, "Teak, Slate, Marble, Cork, Resin", "soap dish, tumbler, bath tray, towel hook"),
    "Light": (8, "Copper, Rattan, Paper, Opal glass, Iron", "lantern, candle holder, tea light, lampshade"),
    "Storage": (11, "Wicker, Seagrass, Felt, Canvas, Oak", "basket, box, tray, magazine holder"),
    "Garden": (10, "Terracotta, Zinc, Cedar, Stone, Willow", "planter, bird feeder, plant stand, door stop"),
    "Decoration": (10, "Driftwood, Brass, Clay, Silver, Walnut", "picture frame, vase, bookend, wall hook"),
    "Stationery": (7, "Leather, Kraft, Birch, Acrylic, Recycled", "pen pot, desk tray, card holder, memo board"),
    "Cleaning": (6, "Horsehair, Coconut, Tampico, Sisal, Maple", "dish brush, hand brush, broom, scrubber"),
}
# Popularity: weight 1 / (rank + 10), a Zipf-Mandelbrot law: the best-seller takes 3% of the draws.
MANDELBROT_SHIFT = 10
# Ranks by popularity (0 is the best-seller). One discontinued product is popular: an offer of it would be noticed.
DISCONTINUED = (8, 45, 70, 95, 120, 150)
PLANTED = ((2, 50, 0.40), (5, 62, 0.30), (11, 80, 0.35), (16, 41, 0.25), (22, 104, 0.30), (30, 75, 0.25))
# An order of 45 has 1 + 45/25 lines on average. The mean stops at half the limit, so that the limit is seldom met.
CENTS_PER_LINE = 2500.0
MOST_FURTHER_LINES = 14


@dataclass(frozen=True, eq=False)
class Lines:
    """Order lines, sorted by order: place of the order, place of the product, pieces, and cents."""

    order: IntArray
    product: IntArray
    quantity: IntArray
    cents: IntArray


def make_goods(days: int, end: np.datetime64, rng: np.random.Generator) -> pd.DataFrame:
    """Make the catalogue: 200 household goods in 10 categories.

    Parameters
    ----------
    days : int
        Length of the period; a few products are discontinued in the last quarter of it.
    end : numpy.datetime64
        Last day of the period.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    DataFrame
        One row per product: ``product_id``, ``name``, ``category``, ``unit_cost``, ``available_until`` (last day of
        sale; missing where it goes on), ``list_price``, ``popularity`` (sums to 1), and ``rank`` (0 is the most
        popular). Popularity has nothing to do with category, price or cost.

    Examples
    --------
    >>> goods = make_goods(730, np.datetime64("2025-12-31"), np.random.default_rng(1))
    >>> goods["name"].head(2).tolist(), len(goods), bool((goods["unit_cost"] < goods["list_price"]).all())
    (['Beech ladle', 'Beech chopping board'], 200, True)
    """
    rows = [
        (f"{material} {thing}", category, usual)
        for category, (usual, materials, things) in RANGE.items()
        for material in materials.split(", ")
        for thing in things.split(", ")
    ]
    goods = pd.DataFrame(rows, columns=["name", "category", "usual"])
    n = len(goods)
    goods.insert(0, "product_id", [f"P{number:04d}" for number in range(1, n + 1)])
    # Shelf prices end in 45 or 95 cents.
    price = (np.rint(2 * goods["usual"] * np.exp(rng.normal(0.0, 0.3, n))) * 50 - 5) / 100
    goods["unit_cost"] = (price * rng.uniform(0.4, 0.6, n)).round(2)
    rank = rng.permutation(n)
    until = np.full(n, np.datetime64("NaT", "us"))
    gone = np.isin(rank, DISCONTINUED)
    before_end = rng.uniform(0.08 * days, 0.25 * days, gone.sum()).astype(np.int64) + 1
    until[gone] = end.astype("datetime64[D]") - before_end
    weight = 1 / (rank + 1.0 + MANDELBROT_SHIFT)
    goods = goods.drop(columns="usual")
    return goods.assign(available_until=until, list_price=price, popularity=weight / weight.sum(), rank=rank)


def plant_affinities(goods: pd.DataFrame) -> tuple[Affinity, ...]:
    """Choose the pairs of products that sell together; no product is in two pairs.

    Examples
    --------
    >>> goods = make_goods(730, np.datetime64("2025-12-31"), np.random.default_rng(1))
    >>> [affinity.probability for affinity in plant_affinities(goods)]
    [0.4, 0.3, 0.35, 0.25, 0.3, 0.25]
    """
    ids = goods.set_index("rank")["product_id"]
    return tuple(Affinity(str(ids[first]), str(ids[second]), chance) for first, second, chance in PLANTED)


def fill_baskets(
    cents: IntArray,
    day: TimeArray,
    goods: pd.DataFrame,
    affinities: tuple[Affinity, ...],
    rng: np.random.Generator,
) -> Lines:
    """Fill orders with products whose lines add up to the order's amount.

    Each order draws 1 + Poisson products (more where more is spent), one after the other without replacement, by
    popularity among those on sale. Then the planted pairs add theirs. Quantities bring the shelf prices near the
    amount; a price reduction or surcharge across the order does the rest.

    Parameters
    ----------
    cents : ndarray of int, shape (orders,)
        What each order adds up to, in cents.
    day : ndarray of datetime64[D], shape (orders,)
        Day of each order.
    goods : DataFrame
        The catalogue of :func:`make_goods`.
    affinities : tuple of Affinity
        Planted pairs of products.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Lines
        Products are distinct within an order.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> goods = make_goods(730, np.datetime64("2025-12-31"), rng)
    >>> lines = fill_baskets(np.array([4500, 999]), np.array(["2025-01-01"] * 2, dtype="datetime64[D]"), goods, (), rng)
    >>> np.bincount(lines.order, lines.cents).tolist()
    [4500.0, 999.0]
    """
    further = rng.poisson(np.minimum(cents / CENTS_PER_LINE, MOST_FURTHER_LINES / 2))
    order, product = _draw_distinct(1 + np.minimum(further, MOST_FURTHER_LINES), day, goods, rng)
    order, product = _add_planted(order, product, cents.size, goods, affinities, rng)
    quantity, value = _quantities(order, product, cents, goods, rng)
    return Lines(order, product, quantity, _share_out(cents, order, value))


def _draw_distinct(size: IntArray, day: TimeArray, goods: pd.DataFrame, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Draw ``size`` distinct products per order.

    Drawing with replacement and drawing again whatever is there already, or is not on sale, is the same as drawing one
    after the other without replacement.
    """
    until = goods["available_until"].to_numpy().astype("datetime64[D]")
    last_day = np.where(np.isnat(until), day.max(), until)
    cumulative = np.cumsum(goods["popularity"].to_numpy())[:-1]
    order = np.repeat(np.arange(size.size), size)
    product = np.empty_like(order)
    redraw = play = np.arange(order.size)
    while redraw.size:
        product[redraw] = np.searchsorted(cumulative, rng.random(redraw.size), side="right")
        on_sale = play[last_day[product[play]] >= day[order[play]]]
        _, kept = np.unique(order[on_sale] * len(goods) + product[on_sale], return_index=True)
        waiting = np.zeros(order.size, dtype=bool)
        waiting[play] = True
        waiting[on_sale[kept]] = False
        redraw = np.flatnonzero(waiting)
        unfinished = np.zeros(size.size, dtype=bool)
        unfinished[order[redraw]] = True
        play = play[unfinished[order[play]]]
    return order, product


def _add_planted(
    order: IntArray,
    product: IntArray,
    n_orders: int,
    goods: pd.DataFrame,
    affinities: tuple[Affinity, ...],
    rng: np.random.Generator,
) -> tuple[IntArray, IntArray]:
    place = {name: number for number, name in enumerate(goods["product_id"])}
    orders, products = [order], [product]
    for affinity in affinities:
        chance = np.zeros(n_orders)
        chance[order[product == place[affinity.antecedent]]] = affinity.probability
        chance[order[product == place[affinity.consequent]]] = 0.0
        added = np.flatnonzero(rng.random(n_orders) < chance)
        orders.append(added)
        products.append(np.full(added.size, place[affinity.consequent]))
    every_order, every_product = np.concatenate(orders), np.concatenate(products)
    by_order = np.lexsort((every_product, every_order))
    return every_order[by_order], every_product[by_order]


def _quantities(
    order: IntArray, product: IntArray, cents: IntArray, goods: pd.DataFrame, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Pieces of each line, and what they cost at shelf prices in cents."""
    price = np.rint(100 * goods["list_price"].to_numpy()).astype(np.int64)[product]
    pieces: FloatArray = (cents / np.bincount(order, price, minlength=cents.size))[order]
    quantity = np.maximum(np.floor(pieces + rng.random(order.size)).astype(np.int64), 1)
    return quantity, price * quantity


def _share_out(cents: IntArray, order: IntArray, value: IntArray) -> IntArray:
    """Share each order's cents out over its lines by their value: to the cent, and at least a cent for each line."""
    start = np.flatnonzero(np.diff(order, prepend=-1))
    count = np.diff(start, append=order.size)
    running = np.cumsum(value)
    running -= np.repeat(running[start] - value[start], count)
    total = np.add.reduceat(value, start)[order]
    # Rounding the running sum instead of each line keeps the sum exact.
    upper = (2 * (cents - count)[order] * running + total) // (2 * total)
    lower = np.concatenate([[0], upper[:-1]])
    lower[start] = 0
    return np.asarray(1 + upper - lower)

"""The simple lists that personal offers are held against, and that are sent where these are no better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from crmlab.analyses.cross_sell.blend import Origins
from crmlab.analyses.cross_sell.state import HISTORY, Array, Goods, IntArray, State, places
from crmlab.errors import TooLittleError
from crmlab.models.baskets.recommend import best_per_row

__all__ = ["BASELINES", "BY_CHANCE", "NAMES", "PERSONAL", "UNTESTED", "Lists", "chances", "labels", "simple_list"]


BY_CHANCE, PERSONAL = "offers", "offers_by_margin"
BASELINES = ("best_sellers", "new_best_sellers", "segment_best_sellers", "buy_again")
UNTESTED = "new_best_sellers"  # what is sent where nothing could be tested: it offers nobody what they have
NAMES = {  # in a sentence
    PERSONAL: "personal offers",
    "best_sellers": "best-sellers",
    "new_best_sellers": "best-sellers not yet bought",
    "segment_best_sellers": "best-sellers of the segment",
    "buy_again": "products to buy again, then best-sellers",
}
_STEP = 100_000  # customers at a time
_LIKE = 10.0  # customers of the average who are added to those of a segment


class Lists(NamedTuple):
    """Lists of all customers: customer, product, place from 1."""

    row: IntArray
    col: IntArray
    rank: IntArray


def labels(money: str) -> Mapping[str, str]:
    """What the lists are called in tables and charts.

    Parameters
    ----------
    money : {"margin", "revenue"}
        What personal offers are ranked by.

    Examples
    --------
    >>> labels("revenue")[PERSONAL], labels("margin")["best_sellers"]
    ('Personal offers, by expected revenue', 'Best-sellers')
    """
    ours = {BY_CHANCE: "Personal offers, by probability", PERSONAL: f"Personal offers, by expected {money}"}
    return ours | {rule: NAMES[rule][:1].upper() + NAMES[rule][1:] for rule in BASELINES}


def simple_list(rule: str, state: State, goods: Goods, worth: Array, k: int) -> Lists:
    """Make the list of a simple rule for every customer.

    Parameters
    ----------
    rule : str
        One of ``BASELINES``: the best-sellers of the last horizon (to everybody; of those that the customer does not have; of the
        class by occasions), or the customer's own products, most often and most lately bought first, filled up with best-sellers.
    state : State
    goods : Goods
        Of the same day.
    worth : array of shape (products,)
        What a purchase is worth; a product of 0 or less is on no list, nor is one out of range.
    k : int
        Products at most.

    Returns
    -------
    Lists
        By customer and place; nobody gets what they have sent back.
    """
    n, m = state.shape
    allowed = state.in_range & (worth > 0)
    table, which = np.where(allowed, np.exp(goods.popularity), 0.0)[None, :], np.zeros(n, dtype=np.int64)
    if rule == "segment_best_sellers":
        lately, classes = state.since <= state.recent, len(HISTORY)
        bought = np.bincount(state.history[state.row[lately]] * m + state.col[lately], minlength=classes * m)
        # Popularity decides where a class says nothing.
        table, which = np.where(allowed, bought.reshape(classes, m) + table, 0.0), state.history
    mine = allowed[state.col] & (rule == "buy_again")
    value = 10.0 + state.days[mine] + 1 / (2.0 + state.since[mine])
    barred = [state.back_row * m + state.back_col]
    if rule == "new_best_sellers":
        barred.append(state.row * m + state.col)
    return _filled((state.row[mine], state.col[mine], value), table, which, np.concatenate(barred), k)


def _filled(own: tuple[IntArray, IntArray, Array], table: Array, which: IntArray, barred: IntArray, k: int) -> Lists:
    """Own products by value, then the best of each customer's class that are not among them, nor barred (customer × m + product)."""
    row, col, value = own
    n, m = len(which), table.shape[1]
    taken = np.concatenate([row * m + col, barred])
    most = int(np.bincount(taken // m, minlength=n).max(initial=0))
    head = np.argsort(-table, axis=1, kind="stable")[:, : k + min(most, 50)]
    parts = []
    for begin in range(0, n, _STEP):
        end = min(begin + _STEP, n)
        r, c = np.repeat(np.arange(begin, end), head.shape[1]), head[which[begin:end]].ravel()
        worth = table[which[r], c]
        free = (worth > 0) & ~np.isin(r * m + c, taken[(taken >= begin * m) & (taken < end * m)])
        mine = (row >= begin) & (row < end)
        value_of = np.concatenate([value[mine], worth[free]])
        parts.append(best_per_row(np.concatenate([row[mine], r[free]]), np.concatenate([col[mine], c[free]]), value_of, k))
    return Lists(*(np.concatenate([part[j] for part in parts]) for j in (0, 1, 3)))


def chances(origins: Origins, back: int, row: IntArray, col: IntArray) -> Array:
    """How likely customers buy products within the horizon: the share of such customers who did in the horizon before, in its season.

    Such are those of the same segment (occasions, and whether the last is recent) who had the product then, or had it not, as the
    customer has it now or has it not. Small segments lean on all customers.

    Parameters
    ----------
    origins : Origins
    back : int
        Horizons that the day lies back.
    row, col : arrays of int
        Customer and product of each pair, of the state of that day.

    Returns
    -------
    array
        Missing where the history does not reach a horizon further back.
    """
    import pyarrow as pa

    now, then = origins.state(back), _before(origins, back)
    if then is None:
        return np.full(len(row), np.nan)
    (n, m), segments = now.shape, 2 * len(HISTORY)
    who = places(pa.chunked_array([then.customers]), now.customers)
    what = places(pa.chunked_array([pa.array(then.products, pa.string())]), pa.array(now.products, pa.string()))
    segment = np.full(n, -1)
    segment[who[who >= 0]] = then.segment[who >= 0]
    kept = (who[then.row] >= 0) & (what[then.col] >= 0)
    had = who[then.row[kept]] * m + what[then.col[kept]]
    came = (now.since < origins.horizon) & (segment[now.row] >= 0)
    bought = now.row[came] * m + now.col[came]
    again = np.isin(bought, had)

    def table(keys: IntArray) -> Array:
        return np.bincount(segment[keys // m] * m + keys % m, minlength=segments * m).reshape(segments, m).astype(float)

    owners, people = table(had), np.bincount(segment[segment >= 0], minlength=segments)[:, None]
    seen = (_rates(table(bought[~again]), people - owners), _rates(table(bought[again]), owners))
    has = np.isin(row * m + col, now.row * m + now.col)
    return origins.in_season(back, np.where(has, seen[1][now.segment[row], col], seen[0][now.segment[row], col]))


def _before(origins: Origins, back: int) -> State | None:
    """Who had what a horizon before a day; None where the history does not reach so far, or nobody had anything."""
    if (origins.past(back).as_of - origins.first).days <= origins.horizon:
        return None
    try:
        return origins.state(back + 1)
    except TooLittleError:
        return None


def _rates(came: Array, of: Array) -> Array:
    """Shares by segment and product; where few are known, those of the product times how much more or less the segment buys."""
    usual = (came.sum() + 0.5) / (of.sum() + 1.0)
    product = (came.sum(axis=0) + _LIKE * usual) / (of.sum(axis=0) + _LIKE)
    expected = (of * product).sum(axis=1, keepdims=True)
    segment = (came.sum(axis=1, keepdims=True) + _LIKE) / (expected + _LIKE)
    return np.asarray((came + _LIKE * np.minimum(product * segment, 1.0)) / (of + _LIKE))

"""Lists to hold against what was bought: offers, and the simple rules that they must beat."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from crmlab.analyses.cross_sell_blend import Ingredients, Weights
from crmlab.analyses.cross_sell_rank import ranked
from crmlab.analyses.cross_sell_state import HISTORY, Array, IntArray
from crmlab.models.recommend import best_per_row

OURS = ("offers", "offers_by_margin")
BASELINES = ("best_sellers", "new_best_sellers", "segment_best_sellers", "buy_again")
LABELS = {
    "offers": "Offers, by chance",
    "offers_by_margin": "Offers, by expected margin",
    "best_sellers": "Best-sellers",
    "new_best_sellers": "Best-sellers not yet bought",
    "segment_best_sellers": "Best-sellers of the segment",
    "buy_again": "Buy again, then best-sellers",
}

_STEP = 100_000  # customers at a time


class Lists(NamedTuple):
    """Lists of all customers: customer, product, place from 1."""

    row: IntArray
    col: IntArray
    rank: IntArray


def lists_of(ingredients: Ingredients, weights: Weights, worth: Array, k: int) -> tuple[dict[str, Lists], Array]:
    """The lists of each method, and the chances of those of the first."""
    state, goods = ingredients.state, ingredients.goods
    n, m = state.shape
    allowed = state.in_range & (worth > 0)
    by_chance = ranked(ingredients, weights, k, (worth > 0).astype(float))
    by_margin = ranked(ingredients, weights, k, worth)
    popular = np.where(allowed, np.exp(goods.popularity), 0.0)
    classes = len(HISTORY)
    lately = state.since <= state.recent
    table = np.bincount(state.history[state.row[lately]] * m + state.col[lately], minlength=classes * m).reshape(classes, m)
    in_class = np.where(allowed, table + popular, 0.0)  # popularity decides where a class says nothing
    mine = allowed[state.col]
    row, col = state.row[mine], state.col[mine]
    own = 10.0 + state.days[mine] + 1 / (2.0 + state.since[mine])
    return {
        "offers": Lists(by_chance.row, by_chance.col, by_chance.rank),
        "offers_by_margin": Lists(by_margin.row, by_margin.col, by_margin.rank),
        "best_sellers": _by_class(popular[None, :], np.zeros(n, dtype=np.int64), k),
        "new_best_sellers": _without(popular, state.row, state.col, n, k),
        "segment_best_sellers": _by_class(in_class, state.history, k),
        "buy_again": _filled(row, col, own, popular, n, k),
    }, by_chance.probability


def _by_class(table: Array, which: IntArray, k: int) -> Lists:
    """The best of each class for all of its customers."""
    best = np.argsort(-table, axis=1, kind="stable")[:, :k]
    some = int((np.take_along_axis(table, best, axis=1) > 0).sum(axis=1).min())
    best = best[:, :some]
    n = len(which)
    return Lists(np.repeat(np.arange(n), some), best[which].ravel(), np.tile(np.arange(1, some + 1), n))


def _without(popular: Array, row: IntArray, col: IntArray, n: int, k: int) -> Lists:
    return _filled(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), popular, n, k, (row, col))


def _filled(
    row: IntArray, col: IntArray, value: Array, popular: Array, n: int, k: int, owned: tuple[IntArray, IntArray] | None = None
) -> Lists:
    """Own products by value, then best-sellers that are not among them (or not owned), for each customer."""
    m = len(popular)
    taken = row * m + col if owned is None else owned[0] * m + owned[1]
    most = int(np.bincount(taken // m, minlength=n).max(initial=0))
    head = np.argsort(-popular, kind="stable")[: k + min(most, 50)]
    head = head[popular[head] > 0]
    parts = []
    for begin in range(0, n, _STEP):
        end = min(begin + _STEP, n)
        r, c = np.repeat(np.arange(begin, end), len(head)), np.tile(head, end - begin)
        free = ~np.isin(r * m + c, taken[(taken >= begin * m) & (taken < end * m)])
        mine = (row >= begin) & (row < end)
        parts.append(
            best_per_row(
                np.concatenate([row[mine], r[free]]),
                np.concatenate([col[mine], c[free]]),
                np.concatenate([value[mine], popular[c[free]]]),
                k,
            )
        )
    return Lists(*(np.concatenate([part[j] for part in parts]) for j in (0, 1, 3)))

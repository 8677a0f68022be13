"""The best few products of each customer, from a day's ingredients and their weights, and which ingredient moved each most.

Chunk by chunk of customers. For a product that a customer does not have, the log odds are a sum: something of the customer's, of
the product in the customer's segment, and, at or above 0, of each product owned. So beside what goes with something owned only
the head of the segment's own list can be among the best.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from crmlab.analyses.cross_sell.blend import NEW, Ingredients, Weights, again_rows, base_of, levelled
from crmlab.models.baskets.recommend import best_per_row

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["HEAD", "RHYTHM", "SOURCES", "Array", "IntArray", "Ranked", "best_places", "ranked"]


Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
SOURCES = ("association", "similarity", "segment", "popularity", "rhythm")
RHYTHM = SOURCES.index("rhythm")
HEAD = 40  # products of a segment's list that are looked at for each customer
_CELLS = 4_000_000  # customers × head at a time
_OWNED = np.float32(-1e9)


@dataclass(frozen=True, eq=False)
class Ranked:
    """The chosen products, by customer and rank.

    Attributes
    ----------
    row, col, rank : arrays of int
        Customer, product, place from 1.
    probability : array
        Of a purchase within the horizon.
    source : array of int
        Place in ``SOURCES``.
    because : array of int
        The product owned that speaks most for it, where association or similarity moved it; else -1.
    """

    row: IntArray
    col: IntArray
    rank: IntArray
    probability: Array
    source: IntArray
    because: IntArray


def ranked(
    ingredients: Ingredients, weights: Weights, k: int, value: Array, customers: IntArray | None = None, only_new: bool = False
) -> Ranked:
    """Choose the k best products of each customer by probability × value.

    Parameters
    ----------
    ingredients : Ingredients
    weights : Weights
    k : int
    value : array of shape (products,)
        What a purchase is worth; a product of value 0 or less is not chosen. Ones: by probability.
    customers : array of int, optional
        Whom to choose for; default: everybody.
    only_new : bool
        Leave out what is due again.

    Returns
    -------
    Ranked
        Nothing that is out of range; nothing owned unless it is due again. Ties go to the lower product id.
    """
    people = np.arange(ingredients.state.shape[0]) if customers is None else np.asarray(customers, dtype=np.int64)
    plan = _Plan(ingredients, weights, k, np.asarray(value, dtype=float), only_new)
    step = max(1, _CELLS // max(plan.head, 1))
    parts = [plan.chunk(people[begin : begin + step]) for begin in range(0, len(people), step)]
    columns = zip(*parts, strict=True) if parts else [[np.empty(0)]] * 6
    row, col, rank, probability, source, because = (np.concatenate(column) for column in columns)
    return Ranked(row, col, rank, probability, source, because)


class _Plan:
    """What all chunks share."""

    def __init__(self, ingredients: Ingredients, weights: Weights, k: int, value: Array, only_new: bool) -> None:
        from scipy import sparse, special

        state = ingredients.state
        self.ingredients, self.k, self.value = ingredients, k, value
        self.segment, self.starts, self.n = state.segment, state.starts(), len(state.products)
        self.weights = weights
        w = weights.new.coef_
        self.base = np.where(value > 0, base_of(ingredients, weights), -np.inf)
        self.slopes = np.array([w[NEW.index("similarity")], w[NEW.index("association")]], dtype=np.float32)
        # Two sums at the price of one: likeness in the real part, pairs in the imaginary. An ingredient without weight is left out.
        mixed = ingredients.similar * float(w[3] > 0) + ingredients.associated * (1j * float(w[4] > 0))
        # What is owned is marked by a number that no sum can outweigh.
        marked = sparse.csr_array(mixed + sparse.eye_array(self.n, format="csr") * _OWNED, dtype=np.complex64)
        marked.eliminate_zeros()
        self.marked = marked
        finite = int(np.isfinite(self.base).any(axis=0).sum())
        self.head = min(finite, max(HEAD, 4 * k))
        self.all = finite
        with np.errstate(divide="ignore"):
            order = np.log(np.maximum(value, 1e-300)) + self.base
        self.popular = w[0] * ingredients.goods.popularity + w[1] * ingredients.goods.history
        lists = np.argsort(-order, axis=1, kind="stable")
        self.lists = lists
        self.middle = np.array([_centre(self.popular, line[: self.head]) for line in lists])
        row, col, Z = again_rows(ingredients, weights.horizon)
        some = (value[col] > 0) & (not only_new)
        self.again_row, self.again_col = row[some], col[some]
        self.again_p = special.expit(weights.again.decision_function(Z[some]))

    def chunk(
        self, people: IntArray, head: int | None = None
    ) -> tuple[IntArray, IntArray, IntArray, Array, IntArray, IntArray]:
        """The best of some customers: row, col, rank, probability, source, because."""
        size = self.head if head is None else head
        segment = self.segment[people]
        offset = self.ingredients.customer(people) @ self.weights.new.coef_[5:] + self.weights.new.intercept_
        found = self.ingredients.owned(people).astype(np.float32) @ self.marked
        at = np.repeat(np.arange(len(people), dtype=np.int32), np.diff(found.indptr))
        lists = self.lists[:, :size]
        place = np.full((len(lists), self.n), -1, dtype=np.int32)
        np.put_along_axis(place, lists, np.arange(size, dtype=np.int32)[None, :], axis=1)
        owned = found.data.real < -1
        lifts = self._lift(np.where(owned, 0, found.data))
        base = self.base.astype(np.float32)
        its = segment[at] * self.n + found.indices
        where = place.ravel()[its]
        listed = where >= 0
        extra = np.zeros((len(people), size), dtype=np.float32)
        extra[at[listed], where[listed]] = np.where(owned[listed], _OWNED, lifts[listed])
        odds = extra + np.take_along_axis(base, lists, axis=1)[segment] + offset[:, None].astype(np.float32)
        chance = _expit(odds)
        worth = chance * self.value[lists].astype(np.float32)[segment]
        worth[(extra < -1) | ~np.isfinite(odds)] = 0.0
        # The k-th best of the list: what is worth less cannot be among the best.
        floor = -np.partition(-worth, self.k - 1, axis=1)[:, self.k - 1] if size > self.k else np.zeros(len(people), np.float32)
        floor *= np.float32(1 - 1e-5)
        r1, c1 = np.nonzero((worth >= floor[:, None]) & (worth > 0))
        beside = np.flatnonzero(~listed & ~owned)
        z = lifts[beside] + base.ravel()[its[beside]] + offset[at[beside]].astype(np.float32)
        e = _expit(z) * self.value.astype(np.float32)[found.indices[beside]]
        keep = (e >= floor[at[beside]]) & (e > 0)
        beside = beside[keep]
        row = np.concatenate([r1, at[beside]]).astype(np.int64)
        col = np.concatenate([lists[segment[r1], c1], found.indices[beside]]).astype(np.int64)
        chances = np.concatenate([chance[r1, c1], _expit(z[keep])]).astype(float)
        lift = np.concatenate([extra[r1, c1], lifts[beside]])
        low, high = np.searchsorted(self.again_row, [people[0], people[-1] + 1]) if len(people) else (0, 0)
        near = np.searchsorted(people, self.again_row[low:high])
        mine = people[np.minimum(near, len(people) - 1)] == self.again_row[low:high]
        near, again_col, again_p = near[mine], self.again_col[low:high][mine], self.again_p[low:high][mine]
        good = again_p * self.value[again_col] >= floor[near]
        row = np.concatenate([row, near[good]])
        col = np.concatenate([col, again_col[good]])
        chances = np.concatenate([chances, again_p[good]])
        lift = np.concatenate([lift, np.full(int(good.sum()), np.nan, np.float32)])
        where_at = best_places(row, col, chances * self.value[col], self.k)
        row, col, chances, lift = row[where_at], col[where_at], chances[where_at], lift[where_at]
        start = np.flatnonzero(np.diff(row, prepend=-1))
        rank = np.arange(len(row)) - np.repeat(start, np.diff(start, append=len(row))) + 1
        source, because = self._why(people, segment, row, col, lift)
        answer = (people[row], col, rank, chances, source, because)
        # Who has nearly all of the list: the whole range is looked at.
        short = np.flatnonzero(np.bincount(row, minlength=len(people)) < min(self.k, self.all))
        if head is None and len(short) and size < self.all:
            step = max(1, _CELLS // self.all)
            again = [self.chunk(people[short[b : b + step]], self.all) for b in range(0, len(short), step)]
            kept = ~np.isin(row, short)
            joined = [np.concatenate([a[kept], *(part[j] for part in again)]) for j, a in enumerate(answer)]
            order = np.lexsort((joined[2], joined[0]))
            return tuple(column[order] for column in joined)  # type: ignore[return-value]
        return answer

    def _lift(self, sums: npt.NDArray[np.complex64]) -> npt.NDArray[np.float32]:
        """Log odds that likeness and pairs add."""
        total = np.zeros(len(sums), dtype=np.float32)
        for slope, part in zip(self.slopes, (sums.real, sums.imag), strict=True):
            if slope > 0:
                total += slope * levelled(part)
        return total

    def _why(self, people: IntArray, segment: IntArray, row: IntArray, col: IntArray, lift: Array) -> tuple[IntArray, IntArray]:
        """The ingredient that adds most to each choice.

        Likeness, pairs and segment are compared with what they add on average, popularity with the middle of the segment's list.
        """
        goods, w = self.ingredients.goods, self.weights.new.coef_
        seg = segment[row]
        parts = np.full((len(row), 4), -np.inf)
        more = goods.segment[seg, col]
        parts[:, 2] = np.where((w[2] > 0) & (more > 0), w[2] * more, -np.inf)
        parts[:, 3] = self.popular[col] - self.middle[seg]
        because = np.full((len(row), 2), -1)
        # Who has sent everything back has nothing that could speak for a product.
        some = np.flatnonzero((lift > 0) & (self.starts[people[row] + 1] > self.starts[people[row]]))
        if len(some):
            start, end = self.starts[people[row[some]]], self.starts[people[row[some]] + 1]
            size = end - start
            which = np.repeat(np.arange(len(some)), size)
            first = np.cumsum(size) - size
            j = self.ingredients.state.col[np.arange(len(which)) - np.repeat(first - start, size)]
            weight = np.repeat(1 / np.sqrt(size), size)
            for side, table, slope in (
                (0, self.ingredients.associated, self.slopes[1]),
                (1, self.ingredients.similar, self.slopes[0]),
            ):
                term = _entries(table, j, col[some][which]) * weight
                added = slope * levelled(np.add.reduceat(term, first))
                usual = slope * self.ingredients.usual[1 - side][seg[some], col[some]]
                parts[some, side] = np.where(added > 0, added - usual, -np.inf)
                best = np.maximum.reduceat(term, first)
                hit = np.flatnonzero((term == np.repeat(best, size)) & (term > 0))
                owner, place = np.unique(which[hit], return_index=True)
                because[some[owner], side] = j[hit[place]]
        source = np.argmax(parts, axis=1)
        source[np.isnan(lift)] = RHYTHM
        return source, np.where(source < 2, because[np.arange(len(row)), np.minimum(source, 1)], -1)


def best_places(row: IntArray, col: IntArray, value: Array, k: int) -> IntArray:
    """Places of the k best of each row, by row and rank."""
    place = np.arange(len(row))
    r, c, _, _ = best_per_row(row, col, value, k)
    width = int(col.max(initial=0)) + 1
    key = row * width + col
    order = np.argsort(key, kind="stable")
    return place[order[np.searchsorted(key[order], r * width + c)]]


def _entries(table: sparse.csr_array, row: IntArray, col: IntArray) -> Array:
    """Single entries of a sparse table, 0 where there is none."""
    if not table.nnz or not len(row):
        return np.zeros(len(row))
    n = table.shape[1]
    if n <= 4000:
        return np.asarray(table.toarray()[row, col])
    keys = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr)) * n + table.indices
    wanted = row * n + col
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, table.data[place], 0.0)


def _centre(popularity: Array, products: IntArray) -> float:
    return float(np.median(popularity[products])) if len(products) else 0.0


def _expit(odds: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    from scipy import special

    return np.asarray(special.expit(odds))

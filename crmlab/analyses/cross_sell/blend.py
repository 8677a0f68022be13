"""The ingredients of an offer's chance, and their weights, learnt from what customers bought in a period that is over."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from crmlab.analyses.cross_sell.reductions import bought_within
from crmlab.analyses.cross_sell.state import (
    Array,
    Flags,
    Goods,
    IntArray,
    State,
    first_line,
    goods_of,
    places,
    state_at,
)
from crmlab.analyses.customer_value import season_ahead
from crmlab.collecting import collect_arrow
from crmlab.errors import TooLittleError
from crmlab.history.words import QUARTER
from crmlab.models.baskets.ranking import Blend
from crmlab.models.baskets.recommend import ItemSimilarity, best_per_row

if TYPE_CHECKING:
    from scipy import sparse

    from crmlab.data.dataset import Dataset
    from crmlab.history.past import History

    Pairs: TypeAlias = pd.DataFrame | Callable[[Dataset, dt.date], pd.DataFrame] | None

__all__ = [
    "AGAIN",
    "NEW",
    "Ingredients",
    "Origins",
    "Weights",
    "again_rows",
    "base_of",
    "ingredients_of",
    "learn",
    "levelled",
    "outcome_of",
    "usual_gap",
]


NEW = ("popularity", "history", "segment", "similarity", "association", "pace", "silence", "occasions")
AGAIN = ("own_pace", "waiting", "rhythm", "rebought", "popularity", "portion", "pace", "silence", "occasions")
LEAST_DAYS = 28  # of history before the period from which weights are learnt
NEIGHBOURS = 20
_LEVEL = 0.05
_WAIT = float(QUARTER)  # days added to the time since a first purchase: one purchase yesterday is not one a day
LEAST = 20  # outcomes, below which no weights are learnt
_SAMPLE = 1_000_000  # customer × product rows, and
_LIKENESS = 250_000
_USUAL = 20_000
_PEOPLE = 30_000  # customers, from which weights are learnt at most
_SENT_BACK = 1e-6


@dataclass(frozen=True, eq=False)
class Weights:
    """How the ingredients are blended.

    Attributes
    ----------
    new, again : Blend
        For products that a customer does not have (ingredients ``NEW``), and for those due again (``AGAIN``).
    learnt_on : datetime.date or None
        The day on which the ingredients were read; the outcome is of the horizon after it.
    horizon : int
        Days.
    outcomes : (int, int)
        Purchases from which each was learnt.
    """

    new: Blend
    again: Blend
    learnt_on: dt.date | None
    horizon: int
    outcomes: tuple[int, int]

    def frame(self) -> pd.DataFrame:
        """Weights by kind and ingredient: log odds per unit."""
        kinds = ["new"] * len(NEW) + ["again"] * len(AGAIN)
        return pd.DataFrame(
            {"kind": kinds, "ingredient": [*NEW, *AGAIN], "weight": np.concatenate([self.new.coef_, self.again.coef_])}
        )


@dataclass(frozen=True, eq=False)
class Ingredients:
    """A day's ingredients: its state, how products sell, and the tables from what is owned to what goes with it."""

    state: State
    goods: Goods
    similar: sparse.csr_array
    associated: sparse.csr_array

    def owned(self, rows: IntArray | slice = slice(None)) -> sparse.csr_array:
        """What customers have, weighted so that a long list does not count for more than the square root of its length."""
        from scipy import sparse

        start = self.state.starts()
        size = np.maximum(np.diff(start), 1)
        table = sparse.csr_array((1 / np.sqrt(size)[self.state.row], self.state.col, start), shape=self.state.shape)
        if len(self.state.back_row):
            # What was sent back speaks for nothing, and is not offered as new either: a weight that only a marker is moved by.
            back = np.full(len(self.state.back_row), _SENT_BACK)
            table = sparse.csr_array(
                table + sparse.csr_array((back, (self.state.back_row, self.state.back_col)), shape=table.shape)
            )
        return table[rows]

    @cached_property
    def usual(self) -> Array:
        """What likeness and pairs speak for each product in each segment on average, levelled: shape (2, segments, n).

        It is taken off, so that popular products, which are like many, do not gain by it twice.
        """
        n, m = self.state.shape
        rows = np.arange(0, n, -(-n // _USUAL))
        owned, segment = self.owned(rows), self.state.segment[rows]
        size = np.maximum(np.bincount(segment, minlength=len(self.goods.segment)), 1)[:, None]
        found = []
        for table in (self.similar, self.associated):
            total = owned @ table
            key = np.repeat(segment, np.diff(total.indptr)) * m + total.indices
            found.append(np.bincount(key, levelled(total.data), size.size * m).reshape(size.size, m) / size)
        return np.stack(found)

    def customer(self, rows: IntArray | slice = slice(None)) -> Array:
        """Occasions per day, silence and occasions of customers, as logs: shape (customers, 3)."""
        occasions, silence, age = self.state.occasions[rows], self.state.silence[rows], self.state.age[rows]
        return np.column_stack([np.log(occasions / (age + _WAIT)), np.log1p(silence), np.log(occasions)])


class Origins:
    """A history as it was known on its last day, and on the days that lie whole horizons before it.

    Weights are learnt on one such day, offers are made on a later one, and a test holds them against what came after it. What is
    worked out of a day is worked out once. Days are told by how many horizons they lie back.

    Parameters
    ----------
    past : History
        Needs orders and order lines.
    horizon : int
        Days.
    pairs : DataFrame or callable, optional
        Significant pairs: antecedent, consequent (product ids), lift_low (lower end of the lift's interval). A callable gets the
        data set and the day, and returns them as known on that day.
    rebuy_share : float
        A product is one that people buy again where surely (95%) no smaller a share of its buyers did.
    """

    def __init__(self, past: History, horizon: int = QUARTER, pairs: Pairs = None, rebuy_share: float = 0.05) -> None:
        self.horizon, self.pairs, self.rebuy_share = horizon, pairs, rebuy_share
        self._pasts = {0: past}
        self._states: dict[int, State] = {}
        self._ingredients: dict[int, Ingredients] = {}
        self._seasons: dict[int, float] = {}

    @cached_property
    def first(self) -> dt.date:
        """The first day of the order lines."""
        return first_line(self._pasts[0])

    def past(self, back: int) -> History:
        """The history as it was known then."""
        if back not in self._pasts:
            end = self._pasts[0]
            self._pasts[back] = end.earlier(end.as_of - dt.timedelta(days=back * self.horizon))
        return self._pasts[back]

    def state(self, back: int) -> State:
        """Who had what then; raises :class:`~crmlab.errors.TooLittleError` where nobody had bought anything."""
        if back not in self._states:
            self._states[back] = state_at(self.past(back), self.horizon)
        return self._states[back]

    def season(self, back: int) -> float:
        """How much more is bought in the horizon after that day than in the one before it: as of ``season_ahead`` of customer value."""
        if back not in self._seasons:
            self._seasons[back] = season_ahead(self.past(back), float(self.horizon))
        return self._seasons[back]

    def in_season(self, back: int, chance: Array) -> Array:
        """Chances that were learnt on the horizon before that day, as chances of the horizon after it.

        All are so many times as large, at most 1: so which offer comes first, by chance or by money, stays.
        """
        more = self.season(back)
        return chance if more == 1 else np.minimum(more * chance, 1.0)

    def ingredients(self, back: int) -> Ingredients:
        """The ingredients of that day."""
        if back not in self._ingredients:
            past, state = self.past(back), self.state(back)
            found = self.pairs(past.data, past.as_of) if callable(self.pairs) else self.pairs
            self._ingredients[back] = ingredients_of(state, found, self.rebuy_share)
        return self._ingredients[back]

    def weights(self, back: int, seed: int = 0) -> Weights:
        """Weights learnt on the horizon that ends then, from what was known on the day before it began.

        Raises
        ------
        TooLittleError
            The history is too short.
        """
        days, needed = (self._pasts[0].as_of - self.first).days, (back + 1) * self.horizon + LEAST_DAYS
        if days < needed:
            raise TooLittleError.needs("cross_sell", f"at least {needed} days of order lines", f"{days} days")
        return learn(self.past(back + 1), self.ingredients(back + 1), self.horizon, seed)


def ingredients_of(state: State, pairs: pd.DataFrame | None = None, rebuy_share: float = 0.05) -> Ingredients:
    """Work out a day's ingredients.

    Parameters
    ----------
    state : State
        Nothing after its day is looked at.
    pairs : DataFrame, optional
        Significant pairs as known on the day: antecedent, consequent (product ids), lift_low (lower end of the lift's interval).
    rebuy_share : float

    Returns
    -------
    Ingredients
    """
    counts = state.counts()
    every = -(-state.shape[0] // _LIKENESS)  # of very many customers a share is enough to see who is like whom
    similar = ItemSimilarity(NEIGHBOURS).fit(counts[::every] if every > 1 else counts).similarity_
    return Ingredients(state, goods_of(state, rebuy_share), similar, _associated(pairs, state))


def learn(past: History, ingredients: Ingredients, horizon: int, seed: int = 0) -> Weights:
    """Learn weights from what was bought in the horizon after the last day of a history.

    Parameters
    ----------
    past : History
        What came after it must reach to the end of that horizon.
    ingredients : Ingredients
        The ingredients of its last day.
    horizon : int
        Days.
    seed : int
        Of the customers from whom they are learnt, where there are many.

    Returns
    -------
    Weights
    """
    state = ingredients.state
    n, m = state.shape
    row, col = outcome_of(past, state, horizon)
    bought = row[col >= 0] * m + col[col >= 0]
    people = _sample(n, m, seed)
    asked = np.zeros(n, dtype=bool)
    asked[people] = True
    bought = bought[asked[bought // m]]
    owned_row, owned_col, Z = again_rows(ingredients, horizon, asked)
    u, i, X = _new_rows(ingredients, people)
    y = np.isin(u * m + i, bought)
    came = np.isin(owned_row * m + owned_col, bought)
    return Weights(
        _blend(X, y, NEW.index("popularity"), tuple(range(5))),
        _blend(Z, came, AGAIN.index("popularity"), ()),
        state.until,
        horizon,
        (int(y.sum()), int(came.sum())),
    )


def outcome_of(past: History, state: State, horizon: int) -> tuple[IntArray, IntArray]:
    """Customer and product of what customers known at the end of a history bought in the horizon after it; -1: a product new since."""
    import pyarrow as pa

    bought = bought_within(past.after(horizon).order_lines, past.as_of, horizon)
    found = collect_arrow(bought.select("customer_id", "product_id"), ("customer_id", "product_id"))
    row = places(found["customer_id"], state.customers)
    col = places(found["product_id"], pa.array(state.products, pa.string()))
    known = np.flatnonzero(row >= 0)
    order = known[np.lexsort((col[known], row[known]))]
    return row[order], col[order]


def again_rows(ingredients: Ingredients, horizon: int, asked: Flags | None = None) -> tuple[IntArray, IntArray, Array]:
    """Products that customers have, that people buy again, and that fall due within the horizon; with their ingredients.

    Of all customers, or of those ``asked`` (an array of bool). Due: the usual gap since the last purchase ends before the horizon
    does. The usual gap is the customer's own after three purchases, else that of the product.

    Returns
    -------
    (customer, product, ingredients)
        Ingredients of shape (rows, len(AGAIN)).
    """
    state, goods = ingredients.state, ingredients.goods
    gap = usual_gap(state, goods)
    due = goods.rebuyable[state.col] & state.in_range[state.col] & (state.since + horizon >= gap)
    if asked is not None:
        due &= asked[state.row]
    row, col = state.row[due], state.col[due]
    rhythm = np.log((state.since[due] + 1) / (gap[due] + 1))
    people = ingredients.customer()[row]
    columns = [
        np.log(state.days[due] / (state.span[due] + state.since[due] + _WAIT)),
        np.log1p(state.since[due]),
        rhythm,
        goods.rebought[col],
        goods.popularity[col],
        np.log(np.minimum(state.days[due] / state.occasions[row], 1.0)),
    ]
    return row, col, np.column_stack([*columns, people])


def levelled(total: Any) -> Any:
    """What speaks for a product, added up over what is owned, on a scale on which more of the same adds ever less."""
    return np.log1p(total / _LEVEL)


def usual_gap(state: State, goods: Goods) -> Array:
    """Days from one purchase of a product to the next: the customer's own mean after three, else the product's median."""
    own = state.span / np.maximum(state.days - 1, 1)
    return np.where(state.days >= 3, np.maximum(own, 1.0), goods.gap[state.col])


def base_of(ingredients: Ingredients, weights: Weights) -> Array:
    """Log odds of each product in each segment, from popularity alone; -inf where it is out of range. Shape (segments, n).

    What likeness and pairs speak for it on average is off already, so that what they add for a customer is at least 0.
    """
    goods, w = ingredients.goods, weights.new.coef_
    table = w[0] * goods.popularity + w[1] * goods.history + w[2] * goods.segment
    table = table - w[3] * ingredients.usual[0] - w[4] * ingredients.usual[1]
    return np.where(ingredients.state.in_range, table, -np.inf)


def _new_rows(ingredients: Ingredients, people: IntArray) -> tuple[IntArray, IntArray, Array]:
    """Products in range that customers do not have, with their ingredients."""
    state, goods = ingredients.state, ingredients.goods
    m = len(state.products)
    owned = ingredients.owned(people)
    similar, associated = (owned @ ingredients.similar).toarray(), (owned @ ingredients.associated).toarray()
    free = np.broadcast_to(state.in_range, (len(people), m)).copy()
    free[np.repeat(np.arange(len(people)), np.diff(owned.indptr)), owned.indices] = False
    r, i = np.nonzero(free)
    if m > 400:  # of a wide range, all that something speaks for, and the best-sellers
        best = np.argsort(-np.where(state.in_range, goods.popularity, -np.inf), kind="stable")[:100]
        top = np.zeros(m, dtype=bool)
        top[best] = True
        some = top[i] | (similar[r, i] > 0) | (associated[r, i] > 0)
        r, i = r[some], i[some]
    u = people[r]
    s = state.segment[u]
    likeness = levelled(similar[r, i]) - ingredients.usual[0][s, i]
    together = levelled(associated[r, i]) - ingredients.usual[1][s, i]
    X = np.column_stack(
        [goods.popularity[i], goods.history[i], goods.segment[s, i], likeness, together, ingredients.customer()[u]]
    )
    return u, i, X


def _blend(X: Array, y: Flags, popularity: int, positive: tuple[int, ...]) -> Blend:
    """Weights; where there are too few outcomes to learn them from, popularity alone at the rate that was seen."""
    if int(y.sum()) >= LEAST:
        return Blend(ridge=1.0, positive=positive).fit(X, y)
    blend = Blend(ridge=1.0, positive=positive)
    blend.coef_ = np.zeros(X.shape[1])
    blend.coef_[popularity] = 1.0
    rate = (y.sum() + 0.5) / (len(y) + 1)
    blend.intercept_ = float(np.log(rate / (1 - rate)) - (np.log(np.exp(X[:, popularity]).mean()) if len(y) else 0.0))
    blend.n_features_in_ = X.shape[1]
    return blend


def _sample(n: int, m: int, seed: int) -> IntArray:
    size = min(n, _PEOPLE, max(1000, _SAMPLE // min(m, 400)))
    if size == n:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, size, replace=False)).astype(np.int64)


def _associated(pairs: pd.DataFrame | None, state: State) -> sparse.csr_array:
    """Log of the lower end of the lift, from what is owned to what goes with it; above 0 only, the best few of each."""
    from scipy import sparse

    m = len(state.products)
    if pairs is None or pairs.empty:
        return sparse.csr_array((m, m))
    ids = pd.Index(state.products)
    a, b = ids.get_indexer(pairs["antecedent"]), ids.get_indexer(pairs["consequent"])
    lift = pairs["lift_low"].to_numpy(dtype=float)
    some = (a >= 0) & (b >= 0) & (a != b) & np.isfinite(lift) & (lift > 1)
    frame = pd.DataFrame({"a": a[some], "b": b[some], "v": np.log(lift[some])}).groupby(["a", "b"], as_index=False)["v"].max()
    row, col, value, _ = best_per_row(frame["a"], frame["b"], frame["v"], NEIGHBOURS)
    return sparse.csr_array((value, (row, col)), shape=(m, m))

"""What offers are made from: who has what on a day, how each product sells, and who is like whom. Arrays by sorted ids."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from crmlab.analyses.cross_sell.reductions import purchases, sent_back, spent_within, takings
from crmlab.collecting import collect, collect_arrow
from crmlab.errors import TooLittleError
from crmlab.history.customers import summary_until
from crmlab.history.orders import extent
from crmlab.history.past import History
from crmlab.history.words import QUARTER

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from scipy import sparse

__all__ = [
    "HISTORY",
    "Array",
    "Flags",
    "Goods",
    "IntArray",
    "State",
    "earned_within",
    "first_line",
    "goods_of",
    "margins_of",
    "names_of",
    "places",
    "state_at",
]


Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
HISTORY = ("1", "2-3", "4-9", "10+")  # occasions: the classes by which customers are compared
EDGES = (2, 4, 10)
_PRIOR = 500.0  # purchases of the whole base that are added to those of a segment, so that small ones do not say much
_WAITED = 2000.0  # days of waiting that are added to those of a product's buyers, for how often they buy it again
LEAST_REBUYERS = 5
_SURE = 0.95  # of the rule which products are bought again: part of the model, and no interval that is shown


@dataclass(frozen=True, eq=False)
class State:
    """What is known on a day.

    Attributes
    ----------
    until : datetime.date
        The day, included.
    customers : pyarrow.Array
        Ids of customers with an occasion, sorted.
    products : ndarray of str, shape (n,)
        Ids of products sold by then, sorted.
    row, col : arrays of int
        Customer and product of each pair that is owned, by customer and product.
    days, since, span : arrays
        Of each pair: days on which it was bought, days since the last of them, days from the first to the last.
    occasions, silence, age : arrays of shape (customers,)
        Purchase occasions, days since the last and since the first.
    back_row, back_col : arrays of int
        Customer and product of what was bought and wholly returned.
    in_range : array of bool of shape (n,)
    amount, quantity : arrays of shape (n,)
        What each product brought, net of returns; pieces.
    recent : int
        Days for which a purchase counts as recent.
    """

    until: dt.date
    customers: pa.Array
    products: npt.NDArray[Any]
    row: IntArray
    col: IntArray
    days: IntArray
    since: IntArray
    span: IntArray
    occasions: IntArray
    silence: IntArray
    age: IntArray
    back_row: IntArray
    back_col: IntArray
    in_range: Flags
    amount: Array
    quantity: Array
    recent: int

    @property
    def shape(self) -> tuple[int, int]:
        """Number of customers and of products."""
        return len(self.customers), len(self.products)

    @property
    def ids(self) -> pd.Series:
        """Ids of the customers, as a Series ``customer_id``."""
        import pandas as pd

        return pd.Series(self.customers.to_pandas(), name="customer_id")

    @property
    def history(self) -> IntArray:
        """Class of each customer by number of occasions: a place in ``HISTORY``."""
        return np.digitize(self.occasions, EDGES).astype(np.int64)

    @property
    def segment(self) -> IntArray:
        """Segment of each customer: class by occasions, and whether the last one is recent."""
        return 2 * self.history + (self.silence > self.recent)

    def counts(self) -> sparse.csr_array:
        """Days on which each customer bought each product."""
        from scipy import sparse

        return sparse.csr_array((self.days.astype(float), self.col, self.starts()), shape=self.shape)

    def starts(self) -> IntArray:
        """Where each customer's pairs begin, and where the last one's end."""
        return np.searchsorted(self.row, np.arange(len(self.customers) + 1))


@dataclass(frozen=True, eq=False)
class Goods:
    """How each product sells; arrays of shape (n,), ``segment`` of shape (segments, n).

    Attributes
    ----------
    popularity : log share of the customers who bought recently who bought it recently
    history : log share of it in all that was bought
    segment : log of a product's share of what a segment has bought over its share of what all have
    rebought : log of how often its buyers bought it again, per day
    gap : days between purchases of who did: the median
    rebuyable : whether it is a product that people buy again
    """

    popularity: Array
    history: Array
    segment: Array
    rebought: Array
    gap: Array
    rebuyable: Flags


def first_line(past: History) -> dt.date:
    """The first day of the order lines, which may begin later than the orders.

    Raises
    ------
    MissingTableError
        There are no order lines.
    """
    return extent(past.data.order_lines)[0]


def state_at(past: History, recent: int = QUARTER) -> State:
    """Read what is known on the last day of a history.

    Parameters
    ----------
    past : History
        Needs orders and order lines; products are used for what is out of range.
    recent : int
        Days for which a purchase counts as recent; where no product has a last day of sale, one not sold for longer is out of range.

    Returns
    -------
    State

    Raises
    ------
    MissingTableError
        There are no order lines.
    TooLittleError
        Nobody had bought anything by then.
    """
    import pyarrow as pa

    lines, until = past.data.order_lines, past.as_of
    pairs, back = (collect_arrow(made(lines, until), ("customer_id", "product_id")) for made in (purchases, sent_back))
    sold = collect_arrow(takings(lines, until), "product_id")
    dates = summary_until(past.orders, until).select("customer_id", "occasions", "first_occasion", "last_occasion")
    base = collect_arrow(dates, "customer_id")
    if not base.num_rows or not pairs.num_rows:
        raise TooLittleError.needs("cross_sell", f"purchases up to {until}", "none")
    customers = base["customer_id"].combine_chunks()
    row = places(pairs["customer_id"], customers)
    col = places(pairs["product_id"], sold["product_id"].combine_chunks())
    day = np.datetime64(until, "D")
    last, first = _dates(pairs["last"]), _dates(pairs["first"])
    known = np.flatnonzero(row >= 0)  # who has no occasion (returned everything on the day, say) gets no offers
    order = known[_sorted(row[known], col[known], (len(customers), len(sold)))]
    last_sold = _dates(sold["last_sold"])
    back_row, back_col = places(back["customer_id"], customers), places(back["product_id"], sold["product_id"].combine_chunks())
    back_known = back_row >= 0
    return State(
        until=until,
        customers=customers if isinstance(customers, pa.Array) else pa.array(customers),
        products=np.asarray(sold["product_id"].to_pylist(), dtype=object),
        row=row[order],
        col=col[order],
        days=pairs["days"].to_numpy()[order],
        since=(day - last[order]).astype(np.int64),
        span=(last[order] - first[order]).astype(np.int64),
        occasions=base["occasions"].to_numpy().astype(np.int64),
        silence=(day - _dates(base["last_occasion"])).astype(np.int64),
        age=(day - _dates(base["first_occasion"])).astype(np.int64),
        back_row=back_row[back_known],
        back_col=back_col[back_known],
        in_range=_in_range(past, sold["product_id"], last_sold, day, recent),
        amount=sold["amount"].to_numpy(),
        quantity=sold["quantity"].to_numpy(),
        recent=recent,
    )


def goods_of(state: State, rebuy_share: float = 0.05) -> Goods:
    """Work out how each product sells.

    Parameters
    ----------
    state : State
    rebuy_share : float
        A product is one that people buy again where at least 5 did, and the lower end of the interval (95%) of their share of all
        its buyers is not under this.

    Returns
    -------
    Goods
    """
    import pandas as pd

    from crmlab.models.intervals import proportion_intervals

    m = len(state.products)
    buyers = np.bincount(state.col, minlength=m).astype(float)
    lately = np.bincount(state.col[state.since <= state.recent], minlength=m)
    segment = state.segment
    segments = 2 * len(HISTORY)
    table = np.bincount(segment[state.row] * m + state.col, minlength=segments * m).reshape(segments, m)
    share = (buyers + 0.5) / (buyers.sum() + 0.5 * m)
    within = (table + _PRIOR * share) / (table.sum(axis=1, keepdims=True) + _PRIOR)
    again = state.days >= 2
    rebuyers = np.bincount(state.col[again], minlength=m).astype(float)
    # Per day since a customer bought it first, so that it does not depend on how long the history is.
    waited = np.bincount(state.col, state.span + state.since, minlength=m) + 1.0
    repeats = np.bincount(state.col, state.days - 1, minlength=m)
    usual = (repeats.sum() + 0.1) / waited.sum()
    pace = (repeats + _WAITED * usual) / (waited + _WAITED)
    gaps = pd.Series(state.span[again] / (state.days[again] - 1)).groupby(state.col[again]).median()
    gap = gaps.reindex(np.arange(m)).to_numpy(dtype=float)
    low, _ = proportion_intervals(rebuyers, np.maximum(buyers, 1), _SURE)
    return Goods(
        popularity=np.log((lately + 0.5) / (int((state.silence <= state.recent).sum()) + 1)),
        history=np.log(share),
        segment=np.log(within / share),
        rebought=np.log(pace),
        gap=np.where(np.isfinite(gap), np.maximum(gap, 1.0), np.nan),
        rebuyable=(rebuyers >= LEAST_REBUYERS) & (low >= rebuy_share),
    )


def margins_of(past: History, state: State, margin: float | None) -> Array:
    """What is left of one purchase of each product after the cost of goods, on average: its revenue, where no margin is known.

    Returns
    -------
    array of shape (products,)
        In the data set's currency, per customer and day on which it was bought. What it is says
        :meth:`crmlab.history.past.History.margin`.
    """
    bought = np.bincount(state.col, state.days, len(state.products))
    left = _left(past, state, np.arange(len(state.products)), state.amount, state.quantity, margin)
    return np.where(bought > 0, left / np.maximum(bought, 1), 0.0)


def earned_within(past: History, state: State, horizon: int, margin: float | None) -> tuple[IntArray, IntArray, Array]:
    """What was left of what customers known at the end of a history spent on each product in the horizon after it, after returns.

    Returns
    -------
    (row, col, margin)
        Customer, product and money; products that were new by then are left out.
    """
    import pyarrow as pa

    spent = spent_within(past.after(horizon).order_lines, past.as_of, horizon)
    found = collect_arrow(spent, ("customer_id", "product_id"))
    row, col = places(found["customer_id"], state.customers), places(found["product_id"], pa.array(state.products, pa.string()))
    known = (row >= 0) & (col >= 0)
    row, col = row[known], col[known]
    amount, quantity = found["amount"].to_numpy()[known], found["quantity"].to_numpy()[known]
    return row, col, _left(past, state, col, amount, quantity, margin)


def _left(past: History, state: State, col: IntArray, amount: Array, quantity: Array, margin: float | None) -> Array:
    """What is left of amounts after the cost of goods, by product."""
    known = past.margin(margin)
    left = known.share * amount
    if known.source == "costs":
        products = past.data.products
        costs = collect(products.select("product_id", cost=products["unit_cost"].cast("float64")), "product_id")
        cost = (
            costs.drop_duplicates("product_id")
            .set_index("product_id")["cost"]
            .reindex(state.products)
            .to_numpy(dtype=float)[col]
        )
        left = np.where(np.isfinite(cost), amount - cost * quantity, left)
    return left


def names_of(past: History, ids: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Names of products; their id where there is none."""
    products = past.products
    if products is None or "name" not in products.columns:
        return ids
    named = collect(products.select("product_id", "name"), "product_id").dropna(subset=["name"])
    found = named.drop_duplicates("product_id").set_index("product_id")["name"].reindex(ids)
    names = found.to_numpy(dtype=object)
    missing = found.isna().to_numpy() | np.array([not str(name).strip() for name in names])
    return np.where(missing, ids, names)


def _in_range(past: History, ids: pa.ChunkedArray, last_sold: npt.NDArray[Any], day: np.datetime64, recent: int) -> Flags:
    """Which products can be offered: not out of range by their last day of sale or, where none is known, sold recently."""
    products = past.products
    if products is not None and "available_until" in products.columns:
        known = collect(products.select("product_id", "available_until"), "product_id")
        if known["available_until"].notna().any():
            known["available_until"] = known["available_until"].astype("datetime64[s]")
            until = known.groupby("product_id")["available_until"].max().reindex(ids.to_pylist()).to_numpy()
            days = until.astype("datetime64[D]")
            return np.isnat(days) | (days >= day)
    return np.asarray(~np.isnat(last_sold) & ((day - last_sold).astype(np.int64) < recent))


def _sorted(row: IntArray, col: IntArray, shape: tuple[int, int]) -> IntArray:
    """Places of distinct pairs by row and column, in linear time."""
    from scipy import sparse

    table = sparse.coo_array((np.arange(len(row)), (row, col)), shape=shape).tocsr()
    table.sort_indices()
    return np.asarray(table.data)


def places(values: pa.ChunkedArray, vocabulary: pa.Array) -> IntArray:
    """Place of each value in a sorted vocabulary; -1 where it is not in it."""
    import pyarrow.compute as pc

    return pc.fill_null(pc.index_in(values, value_set=vocabulary), -1).to_numpy().astype(np.int64)


def _dates(values: pa.ChunkedArray) -> npt.NDArray[Any]:
    return values.to_numpy().astype("datetime64[D]")

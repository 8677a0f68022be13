"""Order lines → baskets: which items lie together, as a sparse matrix in memory or as counts in the engine."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from crmlab.features.basket_counts import counted_pairs, kept_items, pair_counts
from crmlab.features.basket_lines import KEY, MAX_ITEMS, basket_key, check, lines_of

if TYPE_CHECKING:
    import ibis
    import pyarrow as pa
    from scipy import sparse

__all__ = ["MAX_ITEMS", "Baskets", "basket_matrix", "basket_months", "counted_pairs", "kept_items", "pair_counts"]

CHUNK = 1_000_000  # lines read at a time


@dataclass(frozen=True, eq=False)
class Baskets:
    """Baskets and what is in them.

    Attributes
    ----------
    matrix : scipy.sparse.csr_array of ones, shape (baskets, items)
        One row for each basket that holds anything, those with a single item and those with rare items only among them: they
        belong to the base rates.
    items : tuple of str
        Identifiers of the columns, sorted.
    unit, level : str
    capped : int
        Baskets that were cut down to ``max_items`` items.
    max_items : int
    min_count : int
        Baskets that an item must be in to have a column.
    dropped : int
        Items that are in fewer.
    keys : pyarrow.Array of str, shape (baskets,)
        What each row is, sorted: a customer, or a receipt and its customer.
    """

    matrix: sparse.csr_array = field(repr=False)
    items: tuple[str, ...] = field(repr=False)
    unit: str
    level: str
    min_count: int
    max_items: int
    capped: int
    dropped: int
    keys: pa.Array = field(repr=False)

    @property
    def n(self) -> int:
        """Number of baskets."""
        return int(self.matrix.shape[0])

    def __repr__(self) -> str:
        return f"Baskets({self.n:,} by {self.unit}, {len(self.items):,} of {self.level}, {self.matrix.nnz:,} items held)"


def basket_matrix(
    order_lines: ibis.Table,
    unit: str = "order",
    level: str = "product",
    min_count: int = 1,
    *,
    products: ibis.Table | None = None,
    max_items: int = MAX_ITEMS,
    start: dt.date | None = None,
    as_of: dt.date | None = None,
) -> Baskets:
    """Make a sparse matrix of baskets and items.

    Parameters
    ----------
    order_lines : ibis.Table
        Canonical order lines.
    unit : {"order", "customer"}
        What a basket is: one receipt, or all that a customer bought.
    level : {"product", "category"}
        What an item is. Categories need ``products``; products without one are left out.
    min_count : int
        Items in fewer baskets have no column; their baskets stay.
    products : ibis.Table, optional
        Canonical products.
    max_items : int
        A basket with more of the items that have a column keeps so many, drawn by a hash of basket and item. Few such
        baskets hold most of all pairs.
    start, as_of : datetime.date, optional
        First and last day of history, both inclusive.

    Returns
    -------
    Baskets
        An item is in a basket where its net quantity there is above 0: what was wholly returned is not.

    Raises
    ------
    ParameterError
        A parameter is out of its range.
    DataError
        ``order_lines`` lacks a column.

    Examples
    --------
    >>> import ibis
    >>> lines = ibis.memtable({"order_id": ["1", "1", "2"], "customer_id": ["a", "a", "b"], "product_id": ["ale", "bread", "ale"],
    ...                        "quantity": [1, 0.5, 2], "ordered_at": [dt.datetime(2024, 1, 1)] * 3})
    >>> baskets = basket_matrix(lines)
    >>> baskets, baskets.items, baskets.matrix.toarray().tolist()
    (Baskets(2 by order, 2 of product, 3 items held), ('ale', 'bread'), [[1, 1], [1, 0]])
    """
    lines = lines_of(order_lines, unit, level, products, start, as_of)
    check(min_count, max_items)
    return _matrix(lines, unit, level, min_count, max_items)


def basket_months(order_lines: ibis.Table, baskets: Baskets) -> npt.NDArray[np.int64]:
    """Return the month of each basket, numbered from 0 in the order of time: that of its first line.

    Parameters
    ----------
    order_lines : ibis.Table
        Of which ``baskets`` were made.
    baskets : Baskets

    Returns
    -------
    ndarray of int, shape (baskets,)
    """
    import pyarrow.compute as pc

    moment = order_lines["ordered_at"]
    keyed = order_lines.select(
        basket=basket_key(order_lines, baskets.unit), month=(moment.year() * 12 + moment.month()).cast("int32")
    )
    first = keyed.group_by("basket").agg(month=keyed["month"].min()).to_pyarrow()
    place = pc.index_in(baskets.keys, value_set=first["basket"].combine_chunks())
    month = first["month"].to_numpy()[place.to_numpy(zero_copy_only=False).astype(np.int64)]
    return np.unique(month, return_inverse=True)[1].astype(np.int64)


def _matrix(lines: ibis.Table, unit: str, level: str, min_count: int, max_items: int) -> Baskets:
    from scipy import sparse

    basket, item, keys, names = _read(lines, level)
    counts = np.bincount(item, minlength=len(names))
    frequent = counts >= min_count
    if not frequent.all():
        column = np.cumsum(frequent) - 1
        some = frequent[item]
        basket, item = basket[some], column[item[some]].astype(np.int32)
    items = tuple(name for name, kept in zip(names.to_pylist(), frequent, strict=True) if kept)
    sizes = np.bincount(basket, minlength=len(keys))
    large = np.flatnonzero(sizes > max_items)
    if len(large):
        some = _drawn(basket, item, sizes, keys, items, max_items)
        basket, item = basket[some], item[some]
        sizes = np.bincount(basket, minlength=len(keys))
    start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32 if len(item) < 2**31 else np.int64)
    matrix = sparse.csr_array((np.ones(len(item), dtype=np.int8), item, start), shape=(len(keys), len(items)))
    return Baskets(matrix, items, unit, level, min_count, max_items, len(large), int((~frequent).sum()), keys)


def _read(lines: ibis.Table, level: str) -> tuple[Any, Any, pa.Array, pa.Array]:
    """Basket and item of all that is held, by basket and item, with their texts, both sorted.

    Lines are read in parts and turned into numbers at once, so that their texts are never in memory together.
    """
    import pyarrow as pa
    from scipy import sparse

    columns = ("basket", "product") if level == "product" else ("basket", "product", "item")
    parts: dict[str, list[pa.Array]] = {name: [] for name in (*columns, "pieces")}
    for batch in lines.select(*parts).to_pyarrow_batches(chunk_size=CHUNK):
        for name in columns:
            parts[name].append(batch[name].dictionary_encode())
        parts["pieces"].append(batch["pieces"])
    amounts = [part.to_numpy() for part in parts.pop("pieces")]
    column, names = _codes(parts.pop("product"))
    row, keys = _codes(parts.pop("basket"))
    # Where nothing was returned, what is bought is held.
    returned = any(len(part) and part.min() <= 0 for part in amounts)
    pieces = np.concatenate(amounts) if returned else np.ones(len(row), dtype=np.int32)
    del amounts
    held = sparse.csr_array((pieces, (row, column)), shape=(len(keys), len(names)))
    del pieces, row
    if returned:
        held = sparse.csr_array((np.maximum(held.data, 0), held.indices, held.indptr), shape=held.shape)
        held.eliminate_zeros()
    if level == "category":
        code, groups = _codes(parts.pop("item"))
        of = np.zeros(len(names), dtype=np.int32)
        of[column] = code
        held, names = sparse.csr_array((held.data, of[held.indices], held.indptr), shape=(len(keys), len(groups))), groups
        held.sum_duplicates()
    held.sort_indices()
    sizes = np.diff(held.indptr)
    there = sizes > 0  # baskets of which nothing is left are none
    basket = np.repeat(np.arange(int(there.sum()), dtype=np.int32), sizes[there])
    return basket, held.indices.astype(np.int32, copy=False), keys if there.all() else keys.filter(pa.array(there)), names


def _codes(parts: list[pa.Array]) -> tuple[Any, pa.Array]:
    """Whole numbers for texts, and the texts, sorted."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not parts:
        return np.zeros(0, dtype=np.int32), pa.array([], pa.string())
    whole = pa.chunked_array(parts).unify_dictionaries()
    texts = whole.chunk(0).dictionary
    order = pc.sort_indices(texts).to_numpy()
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    codes = np.concatenate([rank[chunk.indices.to_numpy()] for chunk in whole.chunks])
    return codes, texts.take(pa.array(order)).cast(pa.string())


def _drawn(basket: Any, item: Any, sizes: Any, keys: pa.Array, items: tuple[str, ...], most: int) -> Any:
    """Which items stay: all of a basket that is small enough, of others those that a hash puts first."""
    from hashlib import md5

    stays = np.ones(len(basket), dtype=bool)
    in_large = np.flatnonzero(sizes[basket] > most)
    by_basket: dict[int, list[tuple[str, str, int]]] = {}
    for row in in_large.tolist():
        place, name = int(basket[row]), items[item[row]]
        draw = md5(f"{keys[place].as_py()}{KEY}{name}".encode(), usedforsecurity=False).hexdigest()
        by_basket.setdefault(place, []).append((draw, name, row))
    for rows in by_basket.values():
        stays[[row for _, _, row in sorted(rows)[most:]]] = False
    return stays

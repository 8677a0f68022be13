"""Order lines → baskets: which items lie together, as a sparse matrix in memory or as counts in the engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from crmlab.collecting import collect, collect_arrow, collect_batches, collect_value
from crmlab.errors import DataError, ParameterError, checks
from crmlab.frames import as_ibis
from crmlab.history.orders import as_lines
from crmlab.models.baskets.basket_null import Totals

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir
    import pandas as pd
    import pyarrow as pa
    from scipy import sparse

__all__ = [
    "CHUNK",
    "MAX_ITEMS",
    "Baskets",
    "basket_key",
    "basket_matrix",
    "basket_months",
    "check",
    "counted_pairs",
    "engine_md5",
    "held_items",
    "kept_items",
    "lines_of",
    "pair_counts",
]


CHUNK = 1_000_000  # lines read at a time


MAX_ITEMS = 100  # of a basket; one with more is cut down to so many
EXACT = "decimal(18, 4)"
_IDS = ("order_id", "customer_id", "product_id")
KEY = "\x1f"  # between the parts of a basket's key: no identifier holds it


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
    order_lines: Any,
    unit: str = "order",
    level: str = "product",
    min_count: int = 1,
    *,
    products: Any = None,
    max_items: int = MAX_ITEMS,
) -> Baskets:
    """Make a sparse matrix of baskets and items.

    Parameters
    ----------
    order_lines : table
        Order lines, as :func:`crmlab.history.orders.as_lines` takes them, of the days in question: see
        :func:`crmlab.history.orders.between`.
    unit : {"order", "customer"}
        What a basket is: one receipt, or all that a customer bought.
    level : {"product", "category"}
        What an item is. Categories need ``products``; products without one are left out.
    min_count : int
        Items in fewer baskets have no column; their baskets stay.
    products : table, optional
        Canonical products.
    max_items : int
        A basket with more of the items that have a column keeps so many, drawn by a hash of basket and item. Few such
        baskets hold most of all pairs.

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
    >>> import datetime as dt
    >>> import ibis
    >>> lines = ibis.memtable({"order_id": ["1", "1", "2"], "customer_id": ["a", "a", "b"], "product_id": ["ale", "bread", "ale"],
    ...                        "quantity": [1, 0.5, 2], "ordered_at": [dt.datetime(2024, 1, 1)] * 3})
    >>> baskets = basket_matrix(lines)
    >>> baskets, baskets.items, baskets.matrix.toarray().tolist()
    (Baskets(2 by order, 2 of product, 3 items held), ('ale', 'bread'), [[1, 1], [1, 0]])
    """
    lines = lines_of(order_lines, unit, level, products)
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
    first = collect_arrow(keyed.group_by("basket").agg(month=keyed["month"].min()), "basket")
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
    for batch in collect_batches(lines.select(*parts), CHUNK):
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


def pair_counts(
    order_lines: Any,
    unit: str = "order",
    level: str = "product",
    min_count: int = 1,
    *,
    products: Any = None,
    max_items: int = MAX_ITEMS,
) -> ibis.Table:
    """Count pairs of items in the engine, where the lines do not fit into memory: the numbers of
    :func:`crmlab.analyses.cross_sell.baskets.basket_matrix`.

    Parameters
    ----------
    order_lines, unit, level, min_count, products, max_items
        As :func:`crmlab.analyses.cross_sell.baskets.basket_matrix` takes them.

    Returns
    -------
    ibis.Table
        first, second (in the order of identifiers), n_both: pairs that ``min_count`` baskets hold.

    Examples
    --------
    >>> import datetime as dt
    >>> import ibis
    >>> lines = ibis.memtable({"order_id": ["1", "1", "2"], "customer_id": ["a", "a", "b"], "product_id": ["ale", "bread", "ale"],
    ...                        "quantity": [1, 0.5, 2], "ordered_at": [dt.datetime(2024, 1, 1)] * 3})
    >>> pair_counts(lines).to_pandas().values.tolist()
    [['ale', 'bread', 1]]
    """
    kept = kept_items(order_lines, unit, level, min_count, products=products, max_items=max_items)
    return _paired(kept, min_count)


def counted_pairs(
    order_lines: Any,
    unit: str = "order",
    level: str = "product",
    min_count: int = 1,
    *,
    products: Any = None,
    max_items: int = MAX_ITEMS,
) -> pd.DataFrame:
    """Count items and pairs in the engine, with all that rules need of them: only counts come into memory.

    Parameters
    ----------
    order_lines, unit, level, min_count, products, max_items
        As :func:`crmlab.analyses.cross_sell.baskets.basket_matrix` takes them.

    Returns
    -------
    DataFrame
        What ``itemsets(basket_matrix(…), min_count, max_length=2)`` returns, to be given to
        :func:`crmlab.models.baskets.association.rules`.

    Examples
    --------
    >>> import datetime as dt
    >>> import ibis
    >>> lines = ibis.memtable({"order_id": ["1", "1", "2"], "customer_id": ["a", "a", "b"], "product_id": ["ale", "bread", "ale"],
    ...                        "quantity": [1, 0.5, 2], "ordered_at": [dt.datetime(2024, 1, 1)] * 3})
    >>> counted_pairs(lines).values.tolist()
    [[('ale',), 2], [('bread',), 1], [('ale', 'bread'), 1]]
    """
    import ibis
    import pandas as pd

    kept = kept_items(order_lines, unit, level, min_count, products=products, max_items=max_items)
    counts = kept.group_by("item").agg(count=lambda t: t.count())
    single = collect(counts.filter(counts["count"] >= min_count), "item")
    pairs = collect(_paired(kept, min_count), ("first", "second"))
    n = collect_value(held_items(order_lines, unit, level, products)["basket"].nunique())
    # A cut basket may have left an item under the minimum: sizes are of what is left.
    some = kept.filter(kept["item"].isin(single["item"].tolist())) if len(single) else kept.limit(0)
    sized = some.mutate(size=some.count().over(ibis.window(group_by="basket")))
    table = collect(sized.group_by("size", "item").agg(baskets=lambda t: t.count()), ("size", "item"))
    frame = pd.DataFrame(
        {
            "items": pd.Series(
                [(a,) for a in single["item"]] + list(zip(pairs["first"], pairs["second"], strict=True)), dtype=object
            ),
            "count": np.concatenate([single["count"], pairs["n_both"]]).astype(np.int64),
        }
    )
    keyed = frame.assign(_length=frame["items"].map(len), _less=-frame["count"])
    found = keyed.sort_values(["_length", "_less", "items"], kind="stable", ignore_index=True)[["items", "count"]]
    wide = table.pivot_table(index="size", columns="item", values="baskets", fill_value=0, aggfunc="sum")
    held = wide.reindex(columns=single["item"], fill_value=0).to_numpy(dtype=np.int64)
    sizes = wide.index.to_numpy(dtype=np.int64)
    found.attrs = {"n": n, "margins": Totals(sizes, held.sum(axis=1) // np.maximum(sizes, 1), held)}
    return found


def _paired(kept: ibis.Table, min_count: int) -> ibis.Table:
    other = kept.view()
    both = kept.join(other, [kept["basket"] == other["basket"], kept["item"] < other["item"]])
    pairs = both.select(first=kept["item"], second=other["item"])
    counted = pairs.group_by("first", "second").agg(n_both=lambda t: t.count())
    return counted.filter(counted["n_both"] >= min_count)


def kept_items(
    order_lines: ibis.Table,
    unit: str = "order",
    level: str = "product",
    min_count: int = 1,
    *,
    products: ibis.Table | None = None,
    max_items: int = MAX_ITEMS,
) -> ibis.Table:
    """Baskets and their items in the engine, rare items and what is too much for a basket left out.

    Returns
    -------
    ibis.Table
        basket, item: one row for each item of a basket.
    """
    import ibis

    held = held_items(order_lines, unit, level, products)
    check(min_count, max_items)
    counts = held.group_by("item").agg(baskets=lambda t: t.count())
    frequent = held.semi_join(counts.filter(counts["baskets"] >= min_count), "item")
    md5 = engine_md5()
    whole = frequent.mutate(
        size=frequent.count().over(ibis.window(group_by="basket")),
        draw=ibis.row_number().over(
            ibis.window(group_by="basket", order_by=[md5(frequent["basket"] + KEY + frequent["item"]), frequent["item"]])
        ),
    )
    return whole.filter((whole["size"] <= max_items) | (whole["draw"] < max_items)).select("basket", "item")


def basket_key(order_lines: ibis.Table, unit: str) -> ir.StringValue:
    """Key of the basket that each line is in."""
    # Numbers of receipts may begin anew with each customer.
    return order_lines["order_id"] + KEY + order_lines["customer_id"] if unit == "order" else order_lines["customer_id"]


def check(min_count: int, max_items: int) -> None:
    """Check thresholds."""
    checks.whole("basket_matrix", "min_count", min_count, 1)
    checks.whole("basket_matrix", "max_items", max_items, 2)


def lines_of(
    order_lines: Any,
    unit: str,
    level: str,
    products: Any,
) -> ibis.Table:
    """Lines: basket, product and, of categories, item, with exact pieces as whole numbers."""
    checks.choice("basket_matrix", "unit", unit, ("order", "customer"))
    checks.choice("basket_matrix", "level", level, ("product", "category"))
    order_lines = as_lines(order_lines)
    for column in ("order_id", "customer_id", "product_id", "quantity"):
        if column not in order_lines.columns:
            raise DataError.frame_lacks("order_lines", column, order_lines.columns)
    lines = order_lines.filter(order_lines["product_id"].notnull())
    # Ids of a frame may be numbers.
    ids = {name: lines[name].cast("string") for name in _IDS if not lines[name].type().is_string()}
    lines = lines.mutate(**ids) if ids else lines
    pieces = (lines["quantity"].cast(EXACT) * 10_000).cast("int64")
    lines = lines.select(basket=basket_key(lines, unit), product=lines["product_id"], pieces=pieces)
    if level == "product":
        return lines.mutate(item=lines["product"])
    products = None if products is None else as_ibis(products, "products", DataError)
    if products is None or "category" not in products.columns:
        raise ParameterError.expected("basket_matrix", "level", "product, where no product has a category", level)
    groups = products.filter(products["category"].notnull()).select(
        product=products["product_id"].cast("string"), item=products["category"]
    )
    return lines.join(groups, "product").select("basket", "product", "pieces", item=groups["item"])


def held_items(
    order_lines: ibis.Table,
    unit: str,
    level: str,
    products: ibis.Table | None,
) -> ibis.Table:
    """One row for each basket and item with a product whose net quantity is above 0."""
    lines = lines_of(order_lines, unit, level, products)
    bought = lines.group_by("basket", "product", "item").agg(pieces=lines["pieces"].sum())
    held = bought.filter(bought["pieces"] > 0).select("basket", "item")
    return held if level == "product" else held.distinct()


def engine_md5() -> Any:
    """The engine's own md5 of a text, which DuckDB, Spark and Postgres have in common."""
    import ibis

    @ibis.udf.scalar.builtin(name="md5", signature=(("string",), "string"))  # type: ignore[untyped-decorator]
    def md5(text: str) -> str:  # type: ignore[empty-body]
        ...

    return md5

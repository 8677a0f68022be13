"""Counts of pairs in the engine, where order lines do not fit into memory: the numbers of the matrix of baskets."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

from crmlab.features.basket_lines import KEY, MAX_ITEMS, check, engine_md5, held_items
from crmlab.models.basket_null import Totals

if TYPE_CHECKING:
    import ibis
    import pandas as pd


def pair_counts(
    order_lines: ibis.Table,
    unit: str = "order",
    level: str = "product",
    min_count: int = 1,
    *,
    products: ibis.Table | None = None,
    max_items: int = MAX_ITEMS,
    start: dt.date | None = None,
    as_of: dt.date | None = None,
) -> ibis.Table:
    """Count pairs of items in the engine, where the lines do not fit into memory: the numbers of
    :func:`crmlab.features.baskets.basket_matrix`.

    Parameters
    ----------
    order_lines, unit, level, min_count, products, max_items, start, as_of
        As :func:`crmlab.features.baskets.basket_matrix` takes them.

    Returns
    -------
    ibis.Table
        first, second (in the order of identifiers), n_both: pairs that ``min_count`` baskets hold.

    Examples
    --------
    >>> import ibis
    >>> lines = ibis.memtable({"order_id": ["1", "1", "2"], "customer_id": ["a", "a", "b"], "product_id": ["ale", "bread", "ale"],
    ...                        "quantity": [1, 0.5, 2], "ordered_at": [dt.datetime(2024, 1, 1)] * 3})
    >>> pair_counts(lines).to_pandas().values.tolist()
    [['ale', 'bread', 1]]
    """
    kept = kept_items(order_lines, unit, level, min_count, products=products, max_items=max_items, start=start, as_of=as_of)
    return _paired(kept, min_count)


def counted_pairs(
    order_lines: ibis.Table,
    unit: str = "order",
    level: str = "product",
    min_count: int = 1,
    *,
    products: ibis.Table | None = None,
    max_items: int = MAX_ITEMS,
    start: dt.date | None = None,
    as_of: dt.date | None = None,
) -> pd.DataFrame:
    """Count items and pairs in the engine, with all that rules need of them: only counts come into memory.

    Parameters
    ----------
    order_lines, unit, level, min_count, products, max_items, start, as_of
        As :func:`crmlab.features.baskets.basket_matrix` takes them.

    Returns
    -------
    DataFrame
        What ``itemsets(basket_matrix(…), min_count, max_length=2)`` returns, to be given to
        :func:`crmlab.models.association.rules`.

    Examples
    --------
    >>> import ibis
    >>> lines = ibis.memtable({"order_id": ["1", "1", "2"], "customer_id": ["a", "a", "b"], "product_id": ["ale", "bread", "ale"],
    ...                        "quantity": [1, 0.5, 2], "ordered_at": [dt.datetime(2024, 1, 1)] * 3})
    >>> counted_pairs(lines).values.tolist()
    [[('ale',), 2], [('bread',), 1], [('ale', 'bread'), 1]]
    """
    import ibis
    import pandas as pd

    kept = kept_items(order_lines, unit, level, min_count, products=products, max_items=max_items, start=start, as_of=as_of)
    counts = kept.group_by("item").agg(count=lambda t: t.count())
    single = counts.filter(counts["count"] >= min_count).to_pandas().sort_values("item", ignore_index=True)
    pairs = _paired(kept, min_count).to_pandas()
    n = int(held_items(order_lines, unit, level, products, start, as_of)["basket"].nunique().to_pyarrow().as_py())
    # A cut basket may have left an item under the minimum: sizes are of what is left.
    some = kept.filter(kept["item"].isin(single["item"].tolist())) if len(single) else kept.limit(0)
    sized = some.mutate(size=some.count().over(ibis.window(group_by="basket")))
    table = sized.group_by("size", "item").agg(baskets=lambda t: t.count()).to_pandas()
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
    start: dt.date | None = None,
    as_of: dt.date | None = None,
) -> ibis.Table:
    """Baskets and their items in the engine, rare items and what is too much for a basket left out.

    Returns
    -------
    ibis.Table
        basket, item: one row for each item of a basket.
    """
    import ibis

    held = held_items(order_lines, unit, level, products, start, as_of)
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

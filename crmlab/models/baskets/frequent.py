"""Itemsets: how many baskets hold an item, a pair, a triple. Exact whole counts from a sparse matrix of baskets and items.

Pairs and triples are counted by sparse products, which need memory for what was bought together, not for what might have
been; longer sets go through mlxtend's fpgrowth.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from crmlab.errors import ModelError, shown
from crmlab.frames import as_pandas, is_table
from crmlab.models.baskets.basket_null import Totals

if TYPE_CHECKING:
    import pandas as pd
    from scipy import sparse

__all__ = ["IntArray", "as_matrix", "itemsets", "least_count", "pair_codes"]


IntArray = npt.NDArray[np.int64]
BLOCK = 256  # items whose pairs are counted at a time
DENSE = 3000  # items up to which pairs are counted in a square table
LONG = 100  # cells of that table gone through for a pair in a basket, beyond which a sparse product is faster
PART = 4_000_000  # pairs counted at a time
MOST = 1_000_000  # sets in all: a frame of so many is made in a quarter of a minute


def least_count(support: float, n: int) -> int:
    """Turn a minimum support into the whole number of baskets that it means.

    Parameters
    ----------
    support : float
        Share of baskets, in (0, 1].
    n : int
        Number of baskets.

    Returns
    -------
    int
        The least count whose share is at least ``support``, worked out in decimals: in floats, 0.28 · 25 is more than 7.

    Examples
    --------
    >>> least_count(0.28, 25), math.ceil(0.28 * 25)
    (7, 8)
    """
    if not 0 < support <= 1:
        raise ModelError.expected("least_count", "support", "above 0 and at most 1", support)
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
        raise ModelError.expected("least_count", "n", "a whole number of baskets of at least 0", n)
    return max(1, math.ceil(Decimal(str(support)) * int(n)))


def as_matrix(baskets: Any, items: Sequence[Hashable] | None = None) -> tuple[sparse.csr_array, list[Hashable]]:
    """Return baskets as a sparse matrix of ones, and the names of its columns.

    Parameters
    ----------
    baskets : sparse matrix, array, table, or an object with ``matrix`` and ``items``
        One row per basket, one column per item; anything above 0 counts as bought. Gaps are refused. A table is one of pandas, Polars,
        PyArrow or Ibis.
    items : sequence, optional
        Names of the columns; default: those that ``baskets`` has, else numbers.

    Returns
    -------
    (matrix, items)

    Raises
    ------
    ModelError
        What was given is no table of numbers, a value is missing, or the names do not go with the columns.
    """
    import pandas as pd
    from scipy import sparse

    if hasattr(baskets, "matrix"):
        baskets, items = baskets.matrix, list(baskets.items) if items is None else items
    elif is_table(baskets):
        baskets = as_pandas(baskets, "itemsets", ModelError)
        items = list(baskets.columns) if items is None else items
        whole = (
            all(isinstance(kind, pd.SparseDtype) and kind.fill_value == 0 for kind in baskets.dtypes) and baskets.shape[1] > 0
        )
        baskets = baskets.sparse.to_coo() if whole else baskets.to_numpy()
    if not sparse.issparse(baskets):
        baskets = _numbers(baskets, items)
    matrix = baskets if isinstance(baskets, sparse.csr_array) else sparse.csr_array(baskets)
    if matrix.data.dtype.kind == "f" and np.isnan(matrix.data).any():
        gap = matrix.tocoo()
        place = int(np.flatnonzero(np.isnan(gap.data))[0])
        row, column = int(gap.row[place]), int(gap.col[place])
        name = str(column if items is None else list(items)[column])
        raise ModelError.must_hold("itemsets", name, "numbers, or True and False", f"a missing value in row {row}", _FILL)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()  # whoever gave it keeps theirs as it is
        matrix.sum_duplicates()
    if matrix.nnz and not (matrix.data == 1).all():
        matrix = sparse.csr_array((matrix > 0).astype(np.int32))
        matrix.eliminate_zeros()
    names: list[Hashable] = list(range(matrix.shape[1])) if items is None else list(items)
    if len(names) != matrix.shape[1]:
        raise ModelError.expected("itemsets", "items", f"one name for each of {matrix.shape[1]} columns", f"{len(names)} names")
    if not all(isinstance(name, Hashable) and name == name for name in names):  # NaN is not itself
        raise ModelError.expected("itemsets", "items", "names, none of them missing", names)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ModelError.expected("itemsets", "items", "names that are given once each", f"{twice!r} twice")
    return matrix, names


_FILL = "Fill it with 0 where nothing was bought."


def _numbers(baskets: Any, items: Sequence[Hashable] | None) -> npt.NDArray[Any]:
    """A table of numbers from whatever is dense."""
    try:
        table = np.asarray(baskets)
        found = f"{type(baskets).__name__} of shape {table.shape}"
    except ValueError:
        table, found = np.empty(0, dtype=object), "rows of different lengths"
    if table.dtype.kind == "O" and table.ndim == 2:
        fine = np.array([[isinstance(value, Real | np.bool_) for value in row] for row in table], dtype=bool)
        wrong = np.argwhere(~fine.reshape(table.shape))
        if len(wrong):
            row, column = wrong[0].tolist()
            raise ModelError.must_hold(
                "itemsets", str(column if items is None else items[column]), "numbers, or True and False",
                f"{shown(table[row, column])} in row {row}", _FILL,
            )  # fmt: skip
        table = table.astype(float)
    if table.ndim != 2 or table.dtype.kind not in "biuf":
        raise ModelError.expected(
            "itemsets", "matrix", "a table with a row per basket and a column per item, of numbers or of True and False",
            found,
        )  # fmt: skip
    return table


def itemsets(matrix: Any, min_count: int, max_length: int = 3, *, items: Sequence[Hashable] | None = None) -> pd.DataFrame:
    """Count every set of items that at least ``min_count`` baskets hold.

    Parameters
    ----------
    matrix : sparse matrix of shape (baskets, items), or whatever :func:`as_matrix` reads
    min_count : int
        Whole number of baskets, at least 1; :func:`least_count` turns a share into one.
    max_length : int
        Most items in a set. Sets of more than three are counted by mlxtend. A basket of 28 items alone holds 268,435,455 sets: more
        than a million in all are refused, and where it can be known, before they are counted.
    items : sequence, optional
        Names of the columns.

    Returns
    -------
    DataFrame
        items (a sorted tuple) and count; by length, then from many to few, then by items. Its ``attrs`` hold what
        :func:`~crmlab.models.baskets.association.rules` needs to know besides: ``n``, the number of baskets, and ``margins``, how
        often each item that reaches ``min_count`` is in baskets of each size.

    Raises
    ------
    ModelError
        A number is out of its range, the table is none of numbers, or there would be too many sets.

    References
    ----------
    Agrawal and Srikant (1994), Fast algorithms for mining association rules, VLDB: every part of a frequent set is frequent.
    Geerts, Goethals and Van den Bussche (2005), Tight upper bounds on the number of candidate patterns, ACM TODS 30.

    Examples
    --------
    >>> found = itemsets([[1, 1, 0], [1, 1, 1], [0, 1, 1]], 2, items=["ale", "bread", "cheese"])
    >>> list(zip(found["items"], found["count"]))
    [(('bread',), 3), (('ale',), 2), (('cheese',), 2), (('ale', 'bread'), 2), (('bread', 'cheese'), 2)]
    >>> found.attrs
    {'n': 3, 'margins': Totals({2: 2, 3: 1})}
    """
    for name, value in (("min_count", min_count), ("max_length", max_length)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise ModelError.expected("itemsets", name, "a whole number of at least 1", value)
    whole, names = as_matrix(matrix, items)
    n = int(whole.shape[0])
    counts = np.bincount(whole.indices, minlength=whole.shape[1])
    kept = _sorted_by_name(np.flatnonzero(counts >= min_count), names)
    some = whole if np.array_equal(kept, np.arange(whole.shape[1])) else whole[:, kept] if len(kept) else whole[:, :0]
    basket = np.repeat(np.arange(n), np.diff(some.indptr))
    labels = [names[place] for place in kept]
    levels = [np.arange(len(kept), dtype=np.int64)[:, None]]
    totals = [counts[kept].astype(np.int64)]
    if max_length >= 2 and len(kept) > 1:
        _check_least(some, min_count, max_length)
        pairs, both = pair_codes(some, min_count)
        if len(kept) + len(pairs) > MOST:
            raise _too_many(2, f"{len(kept) + len(pairs):,}")
        levels.append(pairs)
        totals.append(both)
        if max_length >= 3 and len(pairs) > 2:
            triples, all_three = _triples(some, pairs, min_count, MOST - len(kept) - len(pairs))
            levels.append(triples)
            totals.append(all_three)
            if max_length > 3 and len(triples) > 3:
                _check_number(sum(map(len, levels)), triples, np.diff(some.indptr), min_count, max_length)
                longer = _longer(some, n, min_count, max_length)
                levels += [codes for codes, _ in longer]
                totals += [count for _, count in longer]
    found = _frame(levels, totals, labels)
    found.attrs = {"n": n, "margins": Totals.of(some.indices, basket, len(kept))}
    return found


def pair_codes(matrix: sparse.csr_array, min_count: int = 1) -> tuple[IntArray, IntArray]:
    """Count pairs of columns.

    Parameters
    ----------
    matrix : sparse.csr_array of ones, shape (baskets, items)
    min_count : int

    Returns
    -------
    (pairs, counts)
        Arrays of shapes (pairs, 2), the smaller column first, and (pairs,); in the order of the columns.
    """
    if 1 < matrix.shape[1] <= DENSE and _is_short(matrix):
        return _dense_pairs(matrix, min_count)
    ones = matrix.astype(np.int32)
    by_item = ones.T.tocsr()
    pairs, counts = [], []
    for start in range(0, max(by_item.shape[0], 1), BLOCK):
        both = (by_item[start : start + BLOCK] @ ones).tocoo()
        first, second = both.row + start, both.col
        some = (second > first) & (both.data >= min_count)
        pairs.append(np.stack([first[some], second[some]], axis=1).astype(np.int64))
        counts.append(both.data[some].astype(np.int64))
    found, many = np.concatenate(pairs), np.concatenate(counts)
    order = np.lexsort((found[:, 1], found[:, 0]))
    return found[order], many[order]


def _is_short(matrix: sparse.csr_array) -> bool:
    """Whether a square table pays: it is gone through once for each item of the longest basket."""
    held = np.diff(matrix.indptr).astype(np.int64)
    pairs = int((held * (held - 1) // 2).sum())
    return int(held.max(initial=0)) * matrix.shape[1] ** 2 <= LONG * max(pairs, 1)


def _dense_pairs(matrix: sparse.csr_array, min_count: int) -> tuple[IntArray, IntArray]:
    """Count pairs in a square table: each item with the one that lies 1, 2, … places on in its basket."""
    k, item = matrix.shape[1], matrix.indices
    left = np.repeat(matrix.indptr[1:], np.diff(matrix.indptr)) - np.arange(len(item), dtype=matrix.indptr.dtype) - 1
    table = np.zeros(k * k, dtype=np.int64)
    place, step = np.flatnonzero(left >= 1).astype(np.int32 if len(item) < 2**31 else np.int64), 1
    while len(place):
        for start in range(0, len(place), PART):
            some = place[start : start + PART]
            table += np.bincount(item[some].astype(np.int64) * k + item[some + step], minlength=k * k)
        step += 1
        place = place[left[place] >= step]
    first, second = np.divmod(np.flatnonzero(table >= min_count), k)
    return np.column_stack([first, second]).astype(np.int64), table[first * k + second]


def _triples(matrix: sparse.csr_array, pairs: IntArray, min_count: int, room: int) -> tuple[IntArray, IntArray]:
    """Count triples: for each item, pairs of its partners in the baskets that hold it. Rare items come first, so that few do.

    More than there is ``room`` for are refused.
    """
    k = matrix.shape[1]
    counts = np.bincount(matrix.indices, minlength=k)
    order = np.lexsort((np.arange(k), counts))
    rank = np.empty(k, dtype=np.int64)
    rank[order] = np.arange(k)
    ranked = rank[pairs]
    low, high = ranked.min(axis=1), ranked.max(axis=1)
    by_low = np.lexsort((high, low))
    low, high = low[by_low], high[by_low]
    known = low * k + high  # sorted
    baskets = matrix.tocsc()
    found, many, total = [], [], 0
    edges = np.searchsorted(low, np.arange(k + 1))
    for place in np.flatnonzero(np.diff(edges) > 1):
        partners = high[edges[place] : edges[place + 1]]
        column = order[place]
        rows = baskets.indices[baskets.indptr[column] : baskets.indptr[column + 1]]
        inside = matrix[rows][:, order[partners]].astype(np.int32)
        both = (inside.T.tocsr() @ inside).tocoo()
        some = (both.col > both.row) & (both.data >= min_count)
        second, third = partners[both.row[some]], partners[both.col[some]]
        key = second * k + third
        frequent = known[np.minimum(np.searchsorted(known, key), len(known) - 1)] == key
        size = int(frequent.sum())
        found.append(np.stack([np.full(size, place), second[frequent], third[frequent]], axis=1))
        many.append(both.data[some][frequent].astype(np.int64))
        total += size
        if total > room:
            raise _too_many(3, "more")
    if not found:
        return np.empty((0, 3), dtype=np.int64), np.empty(0, dtype=np.int64)
    sets = np.sort(order[np.concatenate(found)], axis=1)
    row = np.lexsort((sets[:, 2], sets[:, 1], sets[:, 0]))
    return sets[row].astype(np.int64), np.concatenate(many)[row]


def _check_least(matrix: sparse.csr_array, min_count: int, max_length: int) -> None:
    """Refuse what is sure to be too many pairs and triples before they are counted.

    Sets are sure to be frequent where all their items are in the same ``min_count`` longest baskets, and where items are so frequent
    that baskets without one of them cannot be enough to keep them apart (Bonferroni).
    """
    n, k = matrix.shape
    counts = np.bincount(matrix.indices, minlength=k)
    longest = np.argsort(-np.diff(matrix.indptr), kind="stable")[:min_count]
    shared = int((np.bincount(matrix[longest].indices, minlength=k) == min_count).sum())
    least = k
    for length in range(2, min(max_length, 3) + 1):
        sure = max(shared, int((length * counts - (length - 1) * n >= min_count).sum()))
        least += math.comb(sure, length)
    if least > MOST:
        raise _too_many(min(max_length, 3), f"at least {least:,}")


def _check_number(known: int, triples: IntArray, held: IntArray, min_count: int, max_length: int) -> None:
    """Refuse what would be too many sets, by three bounds: triples that share two items, what baskets hold, and Kruskal and Katona's."""
    _, shared = np.unique(triples[:, :2], axis=0, return_counts=True)
    sizes = list(zip(*(part.tolist() for part in np.unique(held, return_counts=True)), strict=True))
    at_most, total = sum(math.comb(many, 2) for many in shared.tolist()), known
    for length in range(4, min(max_length, sizes[-1][0]) + 1):
        at_most = min(at_most, sum(many * math.comb(size, length) for size, many in sizes) // min_count)
        total += at_most
        at_most = _following(at_most, length)
    if total > MOST:
        raise _too_many(max_length, f"up to {total:,}" if total < 10**15 else f"up to {total:.1e}")


def _following(sets: int, length: int) -> int:
    """Most sets of one item more, all parts of which are among so many sets of a length (Kruskal and Katona)."""
    found = 0
    while sets > 0 and length > 0:
        low, high = length, length + 1
        while math.comb(high, length) <= sets:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if math.comb(middle, length) <= sets else (low, middle)
        found += math.comb(low, length + 1)
        sets, length = sets - math.comb(low, length), length - 1
    return found


def _too_many(length: int, found: str) -> ModelError:
    reason = f"There would be {found}, and {MOST:,} are the most" if found != "more" else f"There would be more than {MOST:,}"
    return ModelError.cannot(
        f"itemsets: sets of up to {length} items", "all be counted", reason, "Lower max_length, or raise min_count."
    )


def _longer(matrix: sparse.csr_array, n: int, min_count: int, max_length: int) -> list[tuple[IntArray, IntArray]]:
    """Sets of four and more, through mlxtend; half a basket under the threshold, so that rounding drops none."""
    import pandas as pd
    from mlxtend.frequent_patterns import fpgrowth

    frame = pd.DataFrame.sparse.from_spmatrix(matrix.astype(bool), columns=range(matrix.shape[1]))
    found = fpgrowth(frame, min_support=(min_count - 0.5) / n, max_len=max_length)
    length = found["itemsets"].map(len)
    out = []
    for size in range(4, max_length + 1):
        some = found[length == size]
        if some.empty:
            break
        codes = np.array([sorted(items) for items in some["itemsets"]], dtype=np.int64)
        out.append((codes, np.rint(some["support"].to_numpy() * n).astype(np.int64)))
    return out


def _sorted_by_name(places: IntArray, names: Sequence[Hashable]) -> IntArray:
    """Places of items in the order of their names, so that a sorted tuple of codes is one of names."""
    try:
        return np.array(sorted(places, key=lambda place: cast(Any, names[place])), dtype=np.int64)
    except TypeError as error:
        raise ModelError.expected("itemsets", "items", "names of one type", "names that cannot be sorted") from error


def _frame(levels: list[IntArray], totals: list[IntArray], labels: list[Hashable]) -> pd.DataFrame:
    import pandas as pd

    sets: list[tuple[Hashable, ...]] = []
    counts = []
    for codes, total in zip(levels, totals, strict=True):
        order = np.lexsort((*codes.T[::-1], -total))
        columns = [[labels[code] for code in column] for column in codes[order].T]
        sets += list(zip(*columns, strict=True))
        counts.append(total[order])
    series = pd.Series(sets, dtype=object, name="items")
    return pd.DataFrame({"items": series, "count": np.concatenate(counts).astype(np.int64)})

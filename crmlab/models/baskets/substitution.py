"""Substitutes: items that lie together less often than chance would have it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.errors import ModelError
from crmlab.models.baskets.association import adjusted, lower_tail
from crmlab.models.baskets.basket_null import StratifiedNull, Totals
from crmlab.models.baskets.frequent import as_matrix, itemsets
from crmlab.models.checked import checked_level
from crmlab.models.intervals import LEVEL, proportion_intervals

__all__ = ["FloatArray", "IntArray", "substitutes"]


FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def substitutes(
    matrix: Any,
    min_expected: float = 10.0,
    *,
    min_count: int = 1,
    periods: npt.ArrayLike | None = None,
    alpha: float = 0.05,
    level: float = LEVEL,
    items: Sequence[Hashable] | None = None,
) -> pd.DataFrame:
    """Find pairs of items that are together in fewer baskets than chance would have it, both margins kept.

    Parameters
    ----------
    matrix : sparse matrix of shape (baskets, items), or whatever :func:`~crmlab.models.baskets.frequent.as_matrix` reads
    min_expected : float
        Pairs that chance would put together in fewer baskets are not looked at: their absence says nothing.
    min_count : int
        Rarer items are left out.
    periods : array of int, shape (baskets,), optional
        Period of each basket, from 0: what is not sold at the same time is not expected together. Default: one period.
    alpha : float
        Pairs whose q_value is under this are returned; 1 returns all that are together less than expected.
    level : float
        Of the interval of the ratio.
    items : sequence, optional
        Names of the columns.

    Returns
    -------
    DataFrame
        first, second (in the order of names), n, n_first, n_second, n_both, expected, ratio (n_both over expected) with ratio_low
        and ratio_high, p_value (twice the chance of so few or fewer), q_value (Benjamini–Hochberg over all pairs with such an
        expectation). Sorted by ratio_high. Its ``attrs`` hold ``tested``, the number of pairs in the family.

    Raises
    ------
    ModelError
        A number is out of its range, or periods are not one per basket.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> rows = rng.random((2000, 10)) < 0.2
    >>> rows[rows[:, 0], 1] = False  # who has the first has never the second
    >>> substitutes(rows)[["first", "second", "n_both"]].values.tolist()
    [[0, 1, 0]]
    """
    if not min_expected > 0:
        raise ModelError.expected("substitutes", "min_expected", "a number above 0", min_expected)
    if not 0 < alpha <= 1:
        raise ModelError.expected("substitutes", "alpha", "above 0 and at most 1", alpha)
    level = checked_level("substitutes", level)
    whole, names = as_matrix(matrix, items)
    if periods is not None:
        when = np.asarray(periods)
        if when.shape != whole.shape[:1] or when.dtype.kind not in "iu" or (when < 0).any():
            expectation = f"a whole number of at least 0 for each of {whole.shape[0]} baskets"
            raise ModelError.expected("substitutes", "periods", expectation, f"{when.dtype} of shape {when.shape}")
    counted = itemsets(matrix, min_count, 1, items=items)
    labels = [item for (item,) in sorted(counted["items"])]
    counts = counted.set_index("items")["count"].reindex([(item,) for item in labels]).to_numpy(dtype=np.int64)
    n, margins = counted.attrs["n"], counted.attrs["margins"]
    pairs = _likely_pairs(counts, n, margins, min_expected)
    null = StratifiedNull(margins)
    mean, variance = null.pair_moments(pairs) if len(pairs) else (np.zeros(0), np.zeros(0))
    place = {name: column for column, name in enumerate(names)}
    columns = whole[:, [place[label] for label in labels]].tocsc().astype(np.int32)
    if periods is not None and len(pairs):
        at_once = _at_once(columns, np.asarray(periods, dtype=np.int64), pairs)
        mean, variance = mean * at_once, variance * at_once
    enough = mean >= min_expected
    pairs, mean, variance = pairs[enough], mean[enough], variance[enough]
    both = _together(columns, pairs)
    p = np.minimum(2 * lower_tail(both, mean, variance), 1.0)  # two-sided, as for pairs that are together more often
    q = adjusted(p, len(pairs))
    some = (both < mean) & (q < alpha if alpha < 1 else True)
    pairs, both, mean = pairs[some], both[some], mean[some]
    least = np.minimum(counts[pairs[:, 0]], counts[pairs[:, 1]]) if len(pairs) else np.zeros(0)
    low, high = proportion_intervals(both, least, level)
    frame = pd.DataFrame(
        {
            "first": pd.Series([labels[a] for a in pairs[:, 0]], dtype=object),
            "second": pd.Series([labels[b] for b in pairs[:, 1]], dtype=object),
            "n": n, "n_first": counts[pairs[:, 0]], "n_second": counts[pairs[:, 1]], "n_both": both, "expected": mean,
            "ratio": both / mean, "ratio_low": low * least / mean, "ratio_high": high * least / mean,
            "p_value": p[some], "q_value": q[some], "_a": pairs[:, 0], "_b": pairs[:, 1],
        }
    )  # fmt: skip
    frame = frame.sort_values(["ratio_high", "_a", "_b"], kind="stable", ignore_index=True).drop(columns=["_a", "_b"])
    frame.attrs = {"tested": int(enough.sum())}
    return frame


def _likely_pairs(counts: IntArray, n: int, margins: Totals, least: float) -> IntArray:
    """Pairs that may be expected together so often: all of which it is true, and some more."""
    sold = int(margins.sizes @ margins.baskets)
    ordered = int((margins.sizes * (margins.sizes - 1)) @ margins.baskets)
    if len(counts) < 2 or not ordered:
        return np.empty((0, 2), dtype=np.int64)
    bound = least * n / max(2.0 * n * ordered / sold**2, 1.0)
    order = np.argsort(-counts, kind="stable")
    falling = counts[order].astype(float)
    reach = np.searchsorted(-falling, -bound / falling, side="right")  # partners of each: the first so many
    many = np.maximum(reach - np.arange(len(counts)) - 1, 0)
    first = np.repeat(np.arange(len(counts)), many)
    second = np.arange(len(first)) - np.repeat(np.cumsum(many) - many, many) + first + 1
    return np.sort(np.column_stack([order[first], order[second]]), axis=1)


def _at_once(columns: Any, period: IntArray, pairs: IntArray) -> FloatArray:
    """How many times likelier two items are to meet because of when they are sold."""
    from scipy import sparse

    n = columns.shape[0]
    which = sparse.csr_array((np.ones(n), (period, np.arange(n))), shape=(int(period.max(initial=0)) + 1, n))
    sold, baskets = (which @ columns).toarray().astype(float), np.bincount(period, minlength=which.shape[0])
    share = sold / np.maximum(baskets, 1)[:, None]
    total = sold.sum(axis=0)
    out = np.zeros(len(pairs))
    for row in range(len(sold)):
        out += sold[row, pairs[:, 0]] * share[row, pairs[:, 1]]
    return out / (total[pairs[:, 0]] * total[pairs[:, 1]] / n)


def _together(columns: Any, pairs: IntArray) -> IntArray:
    """In how many baskets each pair of columns is."""
    out = np.zeros(len(pairs), dtype=np.int64)
    by_item = columns.T.tocsr()
    order = np.argsort(pairs[:, 0], kind="stable") if len(pairs) else np.zeros(0, dtype=np.int64)
    for start in range(0, by_item.shape[0], 256):
        some = order[np.searchsorted(pairs[order, 0], start) : np.searchsorted(pairs[order, 0], start + 256)]
        if len(some):
            block = (by_item[start : start + 256] @ columns).toarray()
            out[some] = block[pairs[some, 0] - start, pairs[some, 1]]
    return out

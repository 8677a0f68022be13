"""How good ranked lists are: hit rate, recall, average precision, coverage, with intervals over customers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.errors import ModelError

Array = npt.NDArray[np.float64]


def hits_of(
    row: npt.ArrayLike, column: npt.ArrayLike, wanted_row: npt.ArrayLike, wanted_column: npt.ArrayLike
) -> npt.NDArray[np.bool_]:
    """Say of each thing on a list whether it was wanted.

    Examples
    --------
    >>> hits_of([0, 0, 1], [5, 7, 5], [0, 1], [7, 9]).tolist()
    [False, True, False]
    """
    r, c = np.asarray(row, dtype=np.int64), np.asarray(column, dtype=np.int64)
    wr, wc = np.asarray(wanted_row, dtype=np.int64), np.asarray(wanted_column, dtype=np.int64)
    width = int(max(c.max(initial=0), wc.max(initial=0))) + 1
    return np.isin(r * width + c, wr * width + wc)


def list_measures(row: npt.ArrayLike, rank: npt.ArrayLike, hit: npt.ArrayLike, wanted: npt.ArrayLike, k: int) -> pd.DataFrame:
    """Measure each customer's list of the best k.

    Parameters
    ----------
    row : array of int of shape (n,)
        Number of the customer of each thing on a list.
    rank : array of int of shape (n,)
        Place on the list, from 1.
    hit : array of bool of shape (n,)
        Whether the customer wanted it.
    wanted : array of int of shape (customers,)
        How many things each customer wanted.
    k : int
        Places looked at.

    Returns
    -------
    DataFrame
        One row per customer: hit_rate (1 where at least one was wanted, else 0), recall (share of what was wanted that is on the
        list), map (mean, over min(k, wanted), of the precision at each hit). 0 where nothing was wanted.

    Raises
    ------
    ModelError
        ``k`` is under 1.

    References
    ----------
    Manning, Raghavan and Schütze (2008), Introduction to Information Retrieval, section 8.4; cut at k as is usual.

    Examples
    --------
    Two of three are hits, at 1 and 3, of four wanted: (1/1 + 2/3) / 3.

    >>> list_measures([0, 0, 0], [1, 2, 3], [True, False, True], [4], 3).round(4).values.tolist()
    [[1.0, 0.5, 0.5556]]
    """
    if k < 1:
        raise ModelError.expected("list_measures", "k", "a whole number of at least 1", k)
    who, place = np.asarray(row, dtype=np.int64), np.asarray(rank, dtype=np.int64)
    yes, many = np.asarray(hit, dtype=bool), np.asarray(wanted, dtype=float)
    some = place <= k
    order = np.lexsort((place[some], who[some]))
    who, place, yes = who[some][order], place[some][order], yes[some][order]
    n = len(many)
    so_far = np.cumsum(yes)
    start = np.flatnonzero(np.diff(who, prepend=-1))
    before = np.repeat(so_far[start] - yes[start], np.diff(start, append=len(who)))
    precision = np.where(yes, (so_far - before) / place, 0.0)
    found = np.bincount(who, yes, n)
    least = np.maximum(many, 1)
    return pd.DataFrame(
        {
            "hit_rate": (found > 0).astype(float),
            "recall": found / least,
            "map": np.bincount(who, precision, n) / np.minimum(k, least),
        }
    )


def bootstrap_means(
    values: npt.ArrayLike, *, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> tuple[Array, Array, Array]:
    """Means of columns with percentile intervals, rows drawn anew; the same rows for all columns, so that differences are paired.

    Parameters
    ----------
    values : array of shape (customers, columns)
    level : float
    draws : int
    seed : int

    Returns
    -------
    (mean, low, high) : array of shape (columns,)
        NaN where there are no rows.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, section 13.3. Each draw is a vector of multinomial counts.

    Examples
    --------
    >>> mean, low, high = bootstrap_means([[0.0], [1.0]] * 50)
    >>> float(mean[0]), bool(low[0] < 0.5 < high[0])
    (0.5, True)
    """
    table = np.asarray(values, dtype=np.float64)
    n, columns = table.shape
    if not n:
        nothing = np.full(columns, np.nan)
        return nothing, nothing.copy(), nothing.copy()
    rng = np.random.default_rng(seed)
    means = np.empty((draws, columns))
    step = max(1, 20_000_000 // n)
    for begin in range(0, draws, step):
        size = min(step, draws - begin)
        drawn = rng.integers(0, n, (size, n), dtype=np.int32)
        for j in range(size):
            means[begin + j] = np.bincount(drawn[j], minlength=n) @ table / n
    sides = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(means, sides, axis=0)
    return table.mean(axis=0), low, high

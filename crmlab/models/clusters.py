"""Intervals and p-values of what is summed over rows of which several are of one customer: each customer is one cluster."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from crmlab.errors import ModelError
from crmlab.models.checked import checked_level
from crmlab.models.intervals import LEVEL, FloatArray

__all__ = ["by_cluster", "clusters_of", "freedom_of", "interval_of", "t_quantile", "two_sided"]


def clusters_of(model: str, who: npt.ArrayLike | None, rows: int) -> npt.NDArray[np.int64]:
    """Return the cluster of each row as whole numbers from 0, in the order of the ids; every row is its own where none are given.

    Parameters
    ----------
    model : str
        Who asks.
    who : array of shape (rows,), optional
        Ids of any kind, none missing.
    rows : int

    Raises
    ------
    ModelError
        There are not as many ids as rows, or one is missing.

    Examples
    --------
    >>> clusters_of("total_ratio", ["b", "a", "b"], 3).tolist()
    [1, 0, 1]
    """
    import pandas as pd

    if who is None:
        return np.arange(rows, dtype=np.int64)
    ids = np.asarray(who)
    if ids.shape != (rows,):
        raise ModelError.expected(model, "who", f"one customer for each of {rows:,} rows", f"shape {ids.shape}")
    codes, _ = pd.factorize(ids, sort=True)
    if (codes < 0).any():
        raise ModelError.expected(model, "who", "a customer for each row", "a missing one")
    return np.asarray(codes, dtype=np.int64)


def by_cluster(influence: npt.ArrayLike, cluster: npt.NDArray[np.int64]) -> FloatArray:
    """Sum of each cluster's influence on an estimate, scaled so that the sum of their squares is its variance.

    Parameters
    ----------
    influence : array of shape (n,)
        Of each row: what the estimate would change by if the row counted a little more. It sums to 0.
    cluster : array of int of shape (n,)
        Whole numbers from 0.

    Returns
    -------
    array of shape (clusters,)

    References
    ----------
    Liang and Zeger (1986), Longitudinal data analysis using generalized linear models, Biometrika 73.

    Examples
    --------
    >>> by_cluster([0.1, 0.1, -0.1, -0.1], np.array([0, 0, 1, 1])).round(4).tolist()
    [0.2828, -0.2828]
    """
    sums = np.bincount(cluster, weights=np.asarray(influence, dtype=float))
    some = int((np.bincount(cluster) > 0).sum())
    return np.asarray(sums * np.sqrt(some / max(some - 1, 1)))


def freedom_of(by: FloatArray) -> float:
    """Degrees of freedom of a variance that is a sum of squares of customers.

    Few customers may carry most of a variance: it is then known as badly as from these few.

    References
    ----------
    Satterthwaite (1946), An approximate distribution of estimates of variance components, Biometrics Bulletin 2.

    Examples
    --------
    >>> freedom_of(np.array([1.0, -1.0, 1.0, -1.0])), freedom_of(np.array([3.0, -3.0] + [0.1] * 100)) < 5
    (inf, True)
    """
    squares = by[by != 0] ** 2
    total = float(squares.sum())
    spread = float(squares @ squares) - total**2 / max(len(squares), 1)
    return max(1.0, 2 * total**2 / spread) if spread > 1e-12 * total**2 else float("inf")


def t_quantile(level: float, freedom: float) -> float:
    """How many standard errors a two-sided interval reaches to either side.

    Examples
    --------
    >>> round(t_quantile(0.95, 10), 3)
    2.228
    """
    return float(stats.t.isf((1 - level) / 2, freedom))


def two_sided(difference: float, variance: float, freedom: float) -> float:
    """P-value of a difference; without variance, 1 where there is no difference, else 0.

    Examples
    --------
    >>> round(two_sided(2.228, 1.0, 10), 3)
    0.05
    """
    if variance <= 0:
        return 1.0 if difference == 0 else 0.0
    return float(2 * stats.t.sf(abs(difference) / np.sqrt(variance), freedom))


def interval_of(value: float, by: FloatArray, level: float = LEVEL) -> tuple[float, float, float, float]:
    """Interval of an estimate, and the p-value of 0, from what each cluster contributes.

    Parameters
    ----------
    value : float
    by : array of shape (clusters,)
        As of :func:`by_cluster`.
    level : float

    Returns
    -------
    (value, low, high, p_value)
        The p-value is above ``1 - level`` exactly where the interval holds 0. Nothing is known better than if there had been one more
        customer who did the opposite: that is the least variance, which counts where all do alike. Of one customer alone, and of a value
        of 0 to which all contribute nothing, chance is not known: the ends are NaN and the p-value is 1.

    Examples
    --------
    >>> value, low, high, p_value = interval_of(0.5, np.array([0.05, -0.05] * 10))
    >>> round(low, 2), round(high, 2), p_value < 0.1
    (0.11, 0.89, True)
    >>> [round(float(end), 2) for end in interval_of(1.0, np.zeros(100))]
    [1.0, 0.97, 1.03, 0.0]
    """
    level = checked_level("interval_of", level)
    variance, least = float(by @ by), (2 * value / max(len(by), 1)) ** 2
    if len(by) < 2 or not max(variance, least) > 0:
        return value, float("nan"), float("nan"), 1.0
    freedom = min(freedom_of(by), len(by) - 1.0) if variance > least else len(by) - 1.0
    variance = max(variance, least)
    half = t_quantile(level, freedom) * float(np.sqrt(variance))
    return value, value - half, value + half, two_sided(value, variance, freedom)

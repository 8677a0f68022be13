"""How well a forecast of single customers did, with intervals over customers that need no resampling."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crmlab.models.intervals import normal_quantile
from crmlab.models.special import Array


def mean_with_interval(values: npt.ArrayLike, level: float = 0.9) -> tuple[float, float, float]:
    """Mean of customers' values, with an interval from their spread.

    Parameters
    ----------
    values : array of shape (n,)
    level : float

    Returns
    -------
    (mean, low, high)
        The ends are NaN for fewer than two values.

    Examples
    --------
    >>> mean_with_interval([1.0, 2.0, 3.0, 4.0]).__class__
    <class 'tuple'>
    """
    found = np.asarray(values, dtype=float)
    mean = float(found.mean())
    if len(found) < 2:
        return mean, float("nan"), float("nan")
    half = normal_quantile(level) * float(found.std(ddof=1)) / np.sqrt(len(found))
    return mean, mean - half, mean + half


def gini(actual: npt.ArrayLike, predicted: npt.ArrayLike, level: float = 0.9) -> tuple[float, float, float]:
    """How well a forecast ranks customers: the Gini coefficient of what came, ranked by the forecast, over that of a perfect ranking.

    1 where the forecast ranks as what came does, 0 where it ranks at random. Customers with equal forecasts share their ranks, so
    nothing depends on the order of rows.

    Parameters
    ----------
    actual : array of shape (n,)
        What came, at least 0 in sum.
    predicted : array of shape (n,)
    level : float

    Returns
    -------
    (gini, low, high)
        NaN where nothing came, or all got the same.

    References
    ----------
    The variance is that of the linearised ratio of two such indices; see Kakwani, Wagstaff and van Doorslaer (1997),
    Socioeconomic inequalities in health, Journal of Econometrics 77.

    Examples
    --------
    >>> gini([0.0, 1.0, 5.0, 9.0], [0.1, 0.2, 0.3, 0.4])[0]
    1.0
    """
    y, p = np.asarray(actual, dtype=float), np.asarray(predicted, dtype=float)
    mean = float(y.mean()) if len(y) else 0.0
    nothing = float("nan"), float("nan"), float("nan")
    if not mean > 0:
        return nothing
    ranked, perfect = _index(y, p, mean), _index(y, y, mean)
    if not perfect[0] > 0:
        return nothing
    ratio = ranked[0] / perfect[0]
    influence = (ranked[1] - ratio * perfect[1]) / perfect[0]
    half = normal_quantile(level) * float(np.sqrt((influence**2).mean() / len(y)))
    return ratio, ratio - half, min(ratio + half, 1.0)


def _index(y: Array, by: Array, mean: float) -> tuple[float, Array]:
    """Concentration index of y ranked by another variable, and each customer's influence on it."""
    n = len(y)
    _, place, size = np.unique(by, return_inverse=True, return_counts=True)
    below = np.cumsum(size) - size
    rank = (below + 0.5 * size)[place] / n
    held = np.bincount(place, weights=y, minlength=len(size))
    above = y.sum() - np.cumsum(held)
    ahead = (above + 0.5 * held)[place] / n
    theta = float((y * rank).mean())
    value = 2 * theta / mean - 1
    influence = 2 * (y * rank + ahead - 2 * theta) / mean - 2 * theta * (y - mean) / mean**2
    return value, influence

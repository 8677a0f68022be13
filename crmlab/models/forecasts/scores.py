"""Rulers of forecasts of single customers: the total, calibration by decile, the error of each, and intervals.

How well a forecast ranks customers is told by :func:`crmlab.models.classification.gini`. Everywhere ``who`` may say whose row it is: a
customer who was looked at on several origins is one cluster, and not several customers. Intervals speak of customers: how the ruler would
vary had others like them been drawn in the same weeks. What other weeks would have brought, several origins show.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.errors import ModelError
from crmlab.models.checked import checked_amounts, checked_level, checked_row
from crmlab.models.clusters import by_cluster, clusters_of, interval_of
from crmlab.models.intervals import LEVEL

__all__ = [
    "checked_forecast",
    "covered_share",
    "decile_calibration",
    "deciles_of",
    "interval_score",
    "mean_absolute_error",
    "total_influence",
    "total_ratio",
]

Interval = tuple[float, float, float]
Array = npt.NDArray[np.float64]


def checked_forecast(model: str, actual: npt.ArrayLike, *others: npt.ArrayLike) -> tuple[Array, ...]:
    """Return what came, and what was told of it, as rows of finite numbers of one length, at least one.

    Raises
    ------
    ModelError
        A value is missing or infinite, or lengths differ.

    Examples
    --------
    >>> [row.tolist() for row in checked_forecast("total_ratio", [1, 2], [0.5, 2.5])]
    [[1.0, 2.0], [0.5, 2.5]]
    """
    found = tuple(
        checked_amounts(model, "actual and forecast", checked_row(model, "actual and forecast", one))
        for one in (actual, *others)
    )
    if len({len(one) for one in found}) > 1 or not len(found[0]):
        lengths = " and ".join(f"{len(one):,}" for one in found)
        raise ModelError.needs(model, "a forecast for each of what came, at least one", lengths)
    return found


def total_influence(actual: Array, forecast: Array) -> tuple[float, Array]:
    """Total told over the total that came, and what each row contributes to its error; NaN where nothing came.

    Examples
    --------
    >>> total_influence(np.array([1.0, 3.0]), np.array([2.0, 4.0]))
    (1.5, array([ 0.125, -0.125]))
    """
    came = float(actual.sum())
    if not came > 0:
        return float("nan"), np.full(len(actual), np.nan)
    ratio = float(forecast.sum()) / came
    return ratio, (forecast - ratio * actual) / came


def total_ratio(
    actual: npt.ArrayLike, forecast: npt.ArrayLike, *, who: npt.ArrayLike | None = None, level: float = LEVEL
) -> Interval:
    """Total told over the total that came: 1 is right, above it too much was told.

    Parameters
    ----------
    actual, forecast : arrays of shape (n,)
    who : array of shape (n,), optional
        The customer of each row.
    level : float

    Returns
    -------
    (ratio, low, high)
        NaN where nothing came; the ends also where chance is not known, as of one customer.

    Raises
    ------
    ModelError
        A value is missing, lengths differ, or the level is not between 0 and 1.

    References
    ----------
    Cochran (1977), Sampling Techniques, section 6.5: variance of a ratio of two totals.

    Examples
    --------
    >>> total_ratio([0.0, 2.0, 1.0, 1.0], [1.0, 1.0, 0.5, 0.5])[0]
    0.75
    """
    level = checked_level("total_ratio", level)
    y, told = checked_forecast("total_ratio", actual, forecast)
    ratio, influence = total_influence(y, told)
    if np.isnan(ratio):
        return ratio, ratio, ratio
    return interval_of(ratio, by_cluster(influence, clusters_of("total_ratio", who, len(y))), level)[:3]


def mean_absolute_error(
    actual: npt.ArrayLike, forecast: npt.ArrayLike, *, who: npt.ArrayLike | None = None, level: float = LEVEL
) -> Interval:
    """Mean absolute error of the forecasts of single customers.

    Parameters
    ----------
    actual, forecast : arrays of shape (n,)
    who : array of shape (n,), optional
        The customer of each row.
    level : float

    Returns
    -------
    (error, low, high)
        In the unit of the forecast; the ends are NaN where chance is not known, as of one customer.

    Raises
    ------
    ModelError
        A value is missing, lengths differ, or the level is not between 0 and 1.

    Notes
    -----
    Where most customers do nothing, a forecast of nothing for everybody has a small one: it is to be read beside the total.

    Examples
    --------
    >>> mean_absolute_error([0.0, 2.0, 1.0, 1.0], [1.0, 1.0, 0.5, 0.5])[0]
    0.75
    """
    y, told = checked_forecast("mean_absolute_error", actual, forecast)
    return _mean("mean_absolute_error", np.abs(y - told), who, level)


def covered_share(
    actual: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike, *, who: npt.ArrayLike | None = None, level: float = LEVEL
) -> Interval:
    """Share of intervals that held what came, their ends included.

    Parameters
    ----------
    actual, low, high : arrays of shape (n,)
    who : array of shape (n,), optional
        The customer of each row.
    level : float
        Of the interval of the share; not the one that the intervals claim.

    Returns
    -------
    (share, low, high)
        From 0 to 1; the ends are NaN where chance is not known, as of one customer.

    Raises
    ------
    ModelError
        A value is missing, lengths differ, an interval ends before it begins, or the level is not between 0 and 1.

    Examples
    --------
    >>> covered_share([1.0, 2.0, 3.0, 9.0], [0.0] * 4, [3.0] * 4)[0]
    0.75
    """
    y, least, most = _checked_ends("covered_share", actual, low, high)
    held = ((least <= y) & (y <= most)).astype(float)
    if held.mean() < 0.5:  # of those that did not hold, so that what none did has an interval as well
        share, low_end, high_end = _mean("covered_share", 1 - held, who, level)
        share, low_end, high_end = 1 - share, 1 - high_end, 1 - low_end
    else:
        share, low_end, high_end = _mean("covered_share", held, who, level)
    return share, float(np.clip(low_end, 0.0, 1.0)), float(np.clip(high_end, 0.0, 1.0))


def interval_score(actual: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike, level: float = LEVEL) -> Array:
    """Score of each interval, the lower the better: its width, and a penalty for what came outside of it.

    Parameters
    ----------
    actual, low, high : arrays of shape (n,)
    level : float
        That the intervals claim.

    Returns
    -------
    array of shape (n,)
        ``high - low``, and ``2 / (1 - level)`` times how far what came lies outside. Its mean is least for the true quantiles, so neither
        wide intervals nor narrow ones pay.

    Raises
    ------
    ModelError
        A value is missing, lengths differ, an interval ends before it begins, or the level is not between 0 and 1.

    References
    ----------
    Gneiting and Raftery (2007), Strictly proper scoring rules, prediction, and estimation, JASA 102, equation (43).

    Examples
    --------
    >>> interval_score([5.0, 12.0, 0.0], [2.0, 2.0, 2.0], [10.0, 10.0, 10.0], level=0.9).round(6).tolist()
    [8.0, 48.0, 48.0]
    """
    alpha = 1 - checked_level("interval_score", level)
    y, least, most = _checked_ends("interval_score", actual, low, high)
    return np.asarray(most - least + 2 / alpha * (np.maximum(least - y, 0.0) + np.maximum(y - most, 0.0)))


def decile_calibration(
    actual: npt.ArrayLike, forecast: npt.ArrayLike, *, who: npt.ArrayLike | None = None, level: float = LEVEL
) -> pd.DataFrame:
    """Compare what was told with what came, by decile of the forecast.

    Parameters
    ----------
    actual, forecast : arrays of shape (n,)
    who : array of shape (n,), optional
        The customer of each row.
    level : float

    Returns
    -------
    DataFrame
        decile (1 is the lowest), rows, told and came (means of each), low and high (of came). Deciles that nobody is in, because equal
        forecasts stay together, are absent.

    Raises
    ------
    ModelError
        A value is missing, lengths differ, or the level is not between 0 and 1.

    Examples
    --------
    >>> decile_calibration(range(20), [0.0] * 10 + [1.0] * 10)[["decile", "rows", "told", "came"]].values.tolist()
    [[3.0, 10.0, 0.0, 4.5], [8.0, 10.0, 1.0, 14.5]]
    """
    level = checked_level("decile_calibration", level)
    y, told = checked_forecast("decile_calibration", actual, forecast)
    cluster, decile = clusters_of("decile_calibration", who, len(y)), deciles_of(told)
    rows = []
    for one in np.unique(decile):
        some = decile == one
        _, own = np.unique(cluster[some], return_inverse=True)
        came, low, high = _clustered_mean(y[some], own, level)
        rows.append((int(one), int(some.sum()), float(told[some].mean()), came, low, high))
    return pd.DataFrame(rows, columns=["decile", "rows", "told", "came", "low", "high"])


def deciles_of(forecast: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Decile of each forecast, from 1, the lowest, to 10; equal forecasts are in the one where the middle of them lies.

    Examples
    --------
    >>> deciles_of([5.0, 1.0, 3.0, 3.0]).tolist()
    [9, 2, 6, 6]
    """
    told = checked_row("deciles_of", "forecast", forecast)
    _, place, size = np.unique(told, return_inverse=True, return_counts=True)
    twice = 2 * (np.cumsum(size) - size) + size  # whole numbers: rounding moves nobody
    return np.asarray(np.minimum(10 * twice // (2 * max(len(told), 1)) + 1, 10)[place], dtype=np.int64)


def _checked_ends(model: str, actual: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike) -> tuple[Array, ...]:
    y, least, most = checked_forecast(model, actual, low, high)
    if (least > most).any():
        k = int(np.argmax(least > most))
        raise ModelError.expected(model, "low", "at most high", f"{least[k]:g} and {most[k]:g}")
    return y, least, most


def _mean(model: str, values: Array, who: npt.ArrayLike | None, level: float) -> Interval:
    return _clustered_mean(values, clusters_of(model, who, len(values)), checked_level(model, level))


def _clustered_mean(values: Array, cluster: npt.NDArray[np.int64], level: float) -> Interval:
    mean = float(values.mean())
    return interval_of(mean, by_cluster((values - mean) / len(values), cluster), level)[:3]

"""The rate at which customers come, the season of the year, and how far a forecast's intervals must be widened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlab.errors import ModelError
from crmlab.models.special import Array

AHEAD = 4  # quarters
_NAME = "forecast"


@dataclass(frozen=True)
class Rate:
    """Newcomers to come: per quarter ahead, with the variance of what will be seen, relative to its square."""

    expected: Array
    variance: float


def recent_rate(arrivals: Any, season: Any = None, recent: int = 4) -> Rate:
    """Newcomers of the quarters ahead at the recent rate, with the error that this rule has made before.

    Parameters
    ----------
    arrivals : array of shape (n_quarters,)
        Customers who came in each past quarter, oldest first.
    season : array of shape (4,), optional
        Factors of the quarters ahead; the past quarters have the same, four quarters earlier and so on.
    recent : int
        The rate is the mean of so many last quarters.

    Returns
    -------
    Rate
        Where nobody came in the last quarter, acquisition has stopped: nobody is expected. The variance is the mean squared
        relative error of the same rule at all earlier quarters (one to four quarters ahead), and at least that of Poisson
        numbers: newcomers vary more than by chance alone, and their rate drifts.

    Raises
    ------
    ModelError
        No quarter, or a number that is negative or missing.

    Examples
    --------
    >>> recent_rate([100, 110, 90, 100]).expected.tolist()
    [100.0, 100.0, 100.0, 100.0]
    """
    seen = np.asarray(arrivals, dtype=float)
    if seen.ndim != 1 or not len(seen) or not (np.isfinite(seen) & (seen >= 0)).all():
        raise ModelError.expected(_NAME, "arrivals", "at least one number of at least 0, none missing", seen.tolist())
    factors = np.ones(AHEAD) if season is None else np.asarray(season, dtype=float)
    n = len(seen)
    own = factors[(np.arange(n) - n) % AHEAD]
    level = seen[-recent:].sum() / own[-recent:].sum() if seen[-1] > 0 else 0.0
    errors = []
    for origin in range(min(recent, 2), n):
        part = slice(max(origin - recent, 0), origin)
        before = seen[part].sum() / own[part].sum()
        for step in range(origin, min(origin + AHEAD, n)):
            if before > 0 and seen[origin - 1] > 0:
                errors.append((seen[step] / (before * own[step]) - 1) ** 2)
    count = max(level * min(recent, n), 1.0)
    poisson = 1 / max(level, 1.0) + 1 / count
    return Rate(level * factors, max(float(np.mean(errors)) if errors else 0.0, poisson))


def seasonal_factors(occasions: Any) -> Array | None:
    """Factors of the four quarters ahead, from the ratio to a centred moving average; None with under two years.

    Parameters
    ----------
    occasions : array of shape (n_quarters,)
        Oldest first.

    Returns
    -------
    array of shape (4,) or None
        With mean 1. Each is drawn towards 1 by as much as one more year without a season would.

    References
    ----------
    Makridakis, Wheelwright and Hyndman (1998), Forecasting: methods and applications, 3rd edition, section 3/4 (classical
    decomposition).

    Examples
    --------
    >>> seasonal_factors([80, 100, 100, 120] * 3).round(2).tolist(), seasonal_factors([1, 2, 3]) is None
    ([0.87, 1.0, 1.0, 1.13], True)
    """
    seen = np.asarray(occasions, dtype=float)
    n = len(seen)
    if n < 2 * AHEAD:
        return None
    middle = np.convolve(seen, np.array([0.5, 1, 1, 1, 0.5]) / 4, "valid")
    ratio = np.divide(seen[2:-2], middle, out=np.ones_like(middle), where=middle > 0)
    place = (np.arange(2, n - 2) - n) % AHEAD
    found = np.array([1 + (ratio[place == k] - 1).sum() / ((place == k).sum() + 1) for k in range(AHEAD)])
    return found / found.mean()


def coverage(backtest: pd.DataFrame, level: float = 0.9) -> tuple[int, int, float]:
    """How many intervals of a backtest held what came, of how many, and the factor by which they had to be wider.

    Parameters
    ----------
    backtest : DataFrame
        expected, low, high and seen.
    level : float
        That the intervals claim.

    Returns
    -------
    (inside, of, factor)
        The factor is the conformal quantile of |log(seen / expected)| over the half-width on that side; at least 1. With fewer cases
        than the level needs it is their largest.

    References
    ----------
    Vovk, Gammerman and Shafer (2005), Algorithmic Learning in a Random World: the rank of the quantile.

    Examples
    --------
    >>> frame = pd.DataFrame({"expected": [10.0, 10.0], "low": [5.0, 5.0], "high": [20.0, 20.0], "seen": [10.0, 40.0]})
    >>> coverage(frame)
    (1, 2, 2.0)
    """
    known = backtest[(backtest["expected"] > 0) & (backtest["seen"] > 0)]
    if known.empty:
        return 0, 0, 1.0
    expected, low, high, seen = (known[name].to_numpy(float) for name in ("expected", "low", "high", "seen"))
    inside = (low <= seen) & (seen <= high)
    gap = np.log(seen / expected)
    with np.errstate(all="ignore"):
        half = np.where(gap >= 0, np.log(high / expected), np.log(expected / low))
        ratio = np.sort(np.where(gap == 0, 0.0, np.abs(gap) / np.maximum(half, 1e-12)))
    rank = min(int(np.ceil((len(ratio) + 1) * level)), len(ratio))
    return int(inside.sum()), len(known), max(1.0, round(float(ratio[rank - 1]), 6))

"""Searches for many customers at once: the first time at which a chance reaches a target, and the least count that is seldom exceeded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from crmlab.models.btyd.special import Array

__all__ = ["first_period", "first_time", "smallest"]


def first_time(chance: Callable[[Array], Array], target: float, n: int, unit: float, precision: float = 1e-13) -> Array:
    """First time at which a chance that grows with time reaches a target: bisection of its log, then regula falsi.

    Parameters
    ----------
    chance : callable
        Gives the chances of all states at times of shape (n,).
    target : float
    n : int
        Number of states.
    unit : float
        A typical length of time.
    precision : float
        Of the log of the time, times 100.

    Returns
    -------
    array of shape (n,)
        Infinite where the target is never reached.

    Examples
    --------
    >>> first_time(lambda t: np.array([1.0, 0.4]) * -np.expm1(-t), 0.5, 2, 1.0).round(9)
    array([0.69314718,        inf])
    """
    unit = float(np.log(max(unit, 1.0)))

    def gap(log_t: Array) -> Array:
        return np.log(np.maximum(chance(np.exp(log_t)), 1e-300) / target)

    low, high = np.full(n, unit - 25), np.full(n, unit + 30)
    at_low, at_high = gap(low), gap(high)
    never = ~(at_high >= 0)
    done = never.copy()
    for step in range(100):
        middle = (low + high) / 2
        if step >= 6 and step % 4 != 3:
            crossing = (low * at_high - high * at_low) / (at_high - at_low)
            middle = np.where(np.isfinite(crossing), np.clip(crossing, low, high), middle)
        found = gap(middle)
        reached = found >= 0
        exact = np.abs(found) < precision
        # A state that is done stays as it is, so that its answer does not depend on which others were asked.
        go = ~done
        # Illinois: an end that stays loses half its weight, so that both ends close in.
        at_low, at_high = (
            np.where(go, np.where(reached, at_low / 2, found), at_low),
            np.where(go, np.where(reached, found, at_high / 2), at_high),
        )
        low, high = (
            np.where(go & (~reached | exact), middle, low),
            np.where(go & (reached | exact), middle, high),
        )
        done |= (high - low < precision * 100) | exact
        if done.all():
            break
    return np.where(never, np.inf, np.exp(high))


def first_period(chance: Callable[[Array], Array], target: float, n: int) -> Array:
    """First whole period at which a chance reaches a target, by doubling and bisection."""
    low, high = np.zeros(n), np.ones(n)
    never = ~(chance(np.full(n, 1e12)) >= target)
    for _ in range(40):
        late = ~never & ~(chance(high) >= target)
        if not late.any():
            break
        low, high = np.where(late, high, low), np.where(late, 2 * high, high)
    while (high - low > 1).any():
        middle = np.floor((low + high) / 2)
        reached = chance(np.maximum(middle, 1)) >= target
        open_ = high - low > 1
        low, high = np.where(open_ & ~reached, middle, low), np.where(open_ & reached, middle, high)
    return np.where(never, np.inf, high)


def smallest(above: Callable[[Array, Any], Array], target: Array) -> Array:
    """Smallest n ≥ 0 at which P(count > n) is at most the target, by doubling and bisection."""
    n = len(target)
    low, high = np.full(n, -1.0), np.zeros(n)
    active = np.arange(n)
    while len(active):
        over = above(high[active], active) > target[active]
        active = active[over]
        low[active] = high[active]
        high[active] = 2 * high[active] + 1
    active = np.flatnonzero(high - low > 1)
    while len(active):
        middle = np.floor((low[active] + high[active]) / 2)
        over = above(middle, active) > target[active]
        low[active[over]] = middle[over]
        high[active[~over]] = middle[~over]
        active = active[high[active] - low[active] > 1]
    return high

"""How much more often something comes true of those whom a rule chose than of those whom another choice took.

The shares of both and their ratio, the lift, with intervals that count each customer once: a customer who was looked at on several days
is one cluster.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crmlab.errors import ModelError
from crmlab.models.checked import checked_level
from crmlab.models.clusters import freedom_of, t_quantile, two_sided
from crmlab.models.intervals import LEVEL, FloatArray

__all__ = ["Lift", "first_of", "lift_of", "spread_over"]

Interval = tuple[float, float, float]
_NONE = (float("nan"),) * 3
_NEAR = 1e-12  # weights that are parts of places add up to everybody but for rounding


@dataclass(frozen=True, kw_only=True)
class Lift:
    """How often it came true of those whom a rule chose, and of those whom they are compared with.

    Attributes
    ----------
    share, base, ratio, difference : (value, low, high)
        Of those chosen, of those compared with, the one through the other, the one less the other. The ends of the ratio are missing
        where so little is known of the base that any ratio would be possible.
    p_value : float
        That the ratio is 1, two-sided: above ``1 - level`` exactly where the interval of the difference holds 0.
    """

    share: Interval
    base: Interval
    ratio: Interval
    difference: Interval
    p_value: float


def spread_over(stratum: npt.ArrayLike, chosen: npt.ArrayLike, among: npt.ArrayLike) -> FloatArray:
    """Weights that give the rows ``among`` the strata of the chosen: each stratum as much as it has chosen rows, evenly.

    Parameters
    ----------
    stratum : array of n ints
        Whole numbers from 0, such as of the day.
    chosen, among : boolean array of n

    Returns
    -------
    ndarray of n floats
        They add up to the number of chosen rows in strata with anybody among.

    Examples
    --------
    >>> spread_over([0, 0, 0, 1], [True, True, False, False], [True, True, True, True]).round(3).tolist()
    [0.667, 0.667, 0.667, 0.0]
    """
    where, inside = np.asarray(stratum, dtype=np.int64), np.asarray(among, dtype=bool)
    size = int(where.max()) + 1 if len(where) else 0
    wanted = np.bincount(where, weights=np.asarray(chosen, dtype=float), minlength=size)
    there = np.bincount(where, weights=inside.astype(float), minlength=size)
    return np.where(inside, (wanted / np.maximum(there, 1))[where], 0.0)


def first_of(stratum: npt.ArrayLike, chosen: npt.ArrayLike, *keys: npt.ArrayLike) -> FloatArray:
    """Weights of the rows that a simple rule takes: in each stratum as many as are chosen, those with the highest keys.

    Parameters
    ----------
    stratum : array of n ints
    chosen : array of n booleans, or of parts of places
    *keys : arrays of n numbers
        What is ordered by, the first first.

    Returns
    -------
    ndarray of n floats
        1 for who is taken, 0 for who is not. Where rows with the same keys are more than the places left, each gets the same part of a
        place: nothing depends on the order of rows.

    Examples
    --------
    >>> first_of([0, 0, 0, 0], [True, True, False, False], [5, 9, 5, 1]).tolist()
    [0.5, 1.0, 0.5, 0.0]
    """
    where = np.asarray(stratum, dtype=np.int64)
    n = len(where)
    if not n:
        return np.zeros(0)
    by = [-np.asarray(key, dtype=float) for key in keys]
    order = np.lexsort((*by[::-1], where))
    ranked = [where[order], *(key[order] for key in by)]
    begins = np.r_[True, np.logical_or.reduce([part[1:] != part[:-1] for part in ranked])]
    group = np.cumsum(begins) - 1
    at = np.flatnonzero(begins)
    sizes = np.diff(np.r_[at, n])
    first = np.searchsorted(ranked[0], ranked[0][at])  # where the stratum of each group begins
    wanted = np.bincount(where, weights=np.asarray(chosen, dtype=float))[ranked[0][at]]
    part = np.clip((wanted - (at - first)) / sizes, 0, 1)
    out = np.empty(n)
    out[order] = part[group]
    return out


def lift_of(
    came: npt.ArrayLike, chosen: npt.ArrayLike, compared: npt.ArrayLike, who: npt.ArrayLike, level: float = LEVEL
) -> Lift:
    """Compare how often it came true of two choices among the same rows, each customer counted as one.

    Both shares are weighted means. The variance is that of their linearised difference, summed by customer; where that is nothing, as
    for a share of nobody or everybody, or where all customers have the same mix, it is as if each of them counted once, with one
    success and one failure added. Intervals of the
    ratio are Fieller's, so that the p-value is that of the difference as well; quantiles are those of the t distribution with
    Satterthwaite's degrees of freedom, since few customers may carry most of the variance.

    Parameters
    ----------
    came : array of n, boolean
    chosen, compared : arrays of n weights of at least 0
        A row may be in both.
    who : array of n ints
        The customer of each row, whole numbers from 0.
    level : float
        Of intervals.

    Raises
    ------
    ModelError
        Nobody is chosen, or compared with.

    References
    ----------
    Fieller (1954), "Some problems in interval estimation", JRSS B 16.
    Liang and Zeger (1986), "Longitudinal data analysis using generalized linear models", Biometrika 73 (variance by cluster).
    Satterthwaite (1946), "An approximate distribution of estimates of variance components", Biometrics Bulletin 2.

    Examples
    --------
    >>> found = lift_of([True] * 60 + [False] * 40 + [True] * 30 + [False] * 70, [1] * 100 + [0] * 100, [0] * 100 + [1] * 100, range(200))
    >>> round(found.ratio[0], 2), [round(end, 2) for end in found.ratio[1:]], found.p_value < 0.001
    (2.0, [1.53, 2.74], True)
    """
    level = checked_level("lift_of", level)
    y, codes = np.asarray(came, dtype=float), np.asarray(who, dtype=np.int64)
    parts, sums, shares, variance, rough = [], [], [], [], []
    for name, given in (("chosen", chosen), ("compared", compared)):
        weights = np.asarray(given, dtype=float)
        total = float(weights.sum())
        if not total > 0:
            raise ModelError.expected("lift_of", name, "somebody", "nobody")
        share = min(float(weights @ y) / total, 1.0)
        share = share if 1 - share > _NEAR else 1.0
        some = int((np.bincount(codes, weights=weights) > 0).sum())
        by = np.bincount(codes, weights=weights * (y - share)) / total * np.sqrt(some / max(some - 1, 1))
        middle = (share * some + 1) / (some + 2)
        rough.append(middle * (1 - middle) / some)
        varies = float(by @ by) > _NEAR**2  # below it there is rounding only
        parts.append(weights / total)
        sums.append(by if varies else np.zeros_like(by))
        shares.append(share)
        variance.append(float(by @ by) if varies else rough[-1])
    gap, shared = sums[0] - sums[1], float(sums[0] @ sums[1])
    means = [_mean(shares[k], variance[k], freedom_of(sums[k]), level) for k in (0, 1)]
    if float(gap @ gap) <= _NEAR**2 and not np.allclose(parts[0], parts[1], rtol=0, atol=_NEAR):
        # Every customer differs by the same: a few of them do not show that all others would.
        gap, shared, variance = np.zeros_like(gap), 0.0, [max(pair) for pair in zip(variance, rough, strict=True)]
    t = t_quantile(level, freedom_of(gap))
    between = max(variance[0] + variance[1] - 2 * shared, 0.0)
    half = t * float(np.sqrt(between))
    difference = shares[0] - shares[1]
    return Lift(
        share=means[0],
        base=means[1],
        ratio=_ratio(shares, variance, shared, t),
        difference=(difference, max(difference - half, -1.0), min(difference + half, 1.0)),
        p_value=two_sided(difference, between, freedom_of(gap)),
    )


def _mean(share: float, variance: float, freedom: float, level: float) -> Interval:
    """A share by Wilson's score, of as many independent customers as would give this variance."""
    z = t_quantile(level, freedom)
    n = share * (1 - share) / variance if 0 < share < 1 else 1 / variance**0.5
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return share, min(max(0.0, middle - half), share), max(min(1.0, middle + half), share)


def _ratio(shares: list[float], variance: list[float], shared: float, t: float) -> Interval:
    """Fieller's interval of a ratio: all ratios r for which the first less r times the second may be 0."""
    top, base = shares
    if base <= 0:
        return _NONE
    a, b, c = base**2 - t * t * variance[1], top * base - t * t * shared, top**2 - t * t * variance[0]
    root = b * b - a * c
    if a <= 0 or root < 0:
        return top / base, float("nan"), float("nan")
    half = float(np.sqrt(root))
    return top / base, max(0.0, (b - half) / a), (b + half) / a

"""Tails of counts whose mean and variance are known, and the correction of many tests."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def upper_tail(count: npt.ArrayLike, mean: npt.ArrayLike, variance: npt.ArrayLike, most: npt.ArrayLike) -> FloatArray:
    """P(a count is so large or larger), from its mean and variance.

    The count is taken as binomial with that mean and variance, which it is where it is a sum of alike yes and no; the number of
    trials need not be whole. Beyond what that binomial can reach, a looser bound is used.

    Parameters
    ----------
    count : array of int
    mean, variance : array
        Variance at most the mean; 0 means that the count cannot be anything else.
    most : array of int
        What the count cannot be above.

    Returns
    -------
    ndarray
        1 where the variance is 0.

    Examples
    --------
    >>> from scipy import stats
    >>> bool(np.isclose(upper_tail([7], [2.0], [1.6], [10])[0], stats.binom.sf(6, 10, 0.2)))
    True
    """
    from scipy import special

    k, m, v, top = (np.asarray(a, dtype=float) for a in np.broadcast_arrays(count, mean, variance, most))
    free = (v > 0) & (m > 0)
    p = np.ones(k.shape)
    with np.errstate(all="ignore"):
        chance = np.clip(1 - v / m, 1e-12, 1 - 1e-12)
        trials = m / chance
        reach = np.minimum(k, np.floor(trials))
        matched = np.where(reach > 0, special.betainc(np.maximum(reach, 1e-9), trials - reach + 1, chance), 1.0)
        # Few expected: binomial among the rarer item's baskets. Many: the normal tail, from half a basket lower.
        share = np.clip(m / np.maximum(top, 1), 0, 1)
        few = special.betainc(np.maximum(k, 1e-9), np.maximum(top - k + 1, 1e-9), share)
        many = special.ndtr(-(k - 0.5 - m) / np.sqrt(v))
        beyond = np.minimum(matched, np.where(m < 10, few, many))
    p[free] = np.where(k <= np.floor(trials), matched, beyond)[free]
    return np.where(k <= 0, 1.0, np.clip(p, 0.0, 1.0))


def lower_tail(count: npt.ArrayLike, mean: npt.ArrayLike, variance: npt.ArrayLike) -> FloatArray:
    """P(a count is so small or smaller), from its mean and variance: the other side of :func:`upper_tail`.

    Examples
    --------
    >>> from scipy import stats
    >>> bool(np.isclose(lower_tail([1], [4.0], [2.4])[0], stats.binom.cdf(1, 10, 0.4)))
    True
    """
    from scipy import special

    k, m, v = (np.asarray(a, dtype=float) for a in np.broadcast_arrays(count, mean, variance))
    with np.errstate(all="ignore"):
        chance = np.clip(1 - v / m, 1e-12, 1 - 1e-12)
        trials = m / chance
        inside = special.betaincc(np.maximum(k, 0) + 1, np.maximum(trials - k, 1e-9), chance)
    return np.where((v > 0) & (k < trials), np.clip(inside, 0.0, 1.0), 1.0)


def adjusted(p: npt.ArrayLike, tests: int | None = None) -> FloatArray:
    """Correct p-values for the rate of false discoveries.

    Parameters
    ----------
    p : array
    tests : int, optional
        Size of the family; tests that are not among ``p`` count as p = 1. Default: ``len(p)``.

    Returns
    -------
    ndarray
        q-values, in the order of ``p``.

    References
    ----------
    Benjamini and Hochberg (1995), Controlling the false discovery rate, JRSS B 57.

    Examples
    --------
    >>> adjusted([0.01, 0.04, 0.03], tests=4).round(4).tolist()
    [0.04, 0.0533, 0.0533]
    """
    values = np.asarray(p, dtype=float)
    m = len(values) if tests is None else tests
    order = np.argsort(values, kind="stable")
    raised = values[order] * m / np.arange(1, len(values) + 1)
    q = np.empty(len(values))
    q[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0) if len(values) else raised
    return q

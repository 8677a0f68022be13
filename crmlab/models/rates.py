"""Two rates compared by the score method: the p-value and the interval are of one test."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crmlab.models.special import Array

_HALVINGS = 55  # of an interval of width 2: to double precision


def score_z(
    x1: npt.ArrayLike, n1: npt.ArrayLike, x0: npt.ArrayLike, n0: npt.ArrayLike, difference: npt.ArrayLike = 0.0
) -> Array:
    """Score statistic of a difference of two rates.

    The variance is that of the rates that fit best among those that differ by ``difference``, times N / (N - 1).

    Parameters
    ----------
    x1, n1, x0, n0 : array
        Successes and number in all, of the cell and of the control. Numbers may be fractions (effective sizes).
    difference : array
        Tested difference, cell less control, in [-1, 1].

    Returns
    -------
    array
        Standard normal where the rates differ by ``difference``. 0 where nothing varies and nothing differs.

    References
    ----------
    Miettinen and Nurminen (1985), Comparative analysis of two rates, Statistics in Medicine 4, equations (8) and (9).
    Farrington and Manning (1990), Test statistics and sample size formulae for comparative binomial trials, Statistics in
    Medicine 9, appendix (closed form of the restricted rates).

    Examples
    --------
    >>> round(float(score_z(7, 34, 1, 34)), 4)
    2.2417
    """
    a, n, b, m, delta = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (x1, n1, x0, n0, difference)))
    p, q = a / n, b / m
    restricted = _restricted(p, q, m / n, delta)
    other = np.clip(restricted - delta, 0.0, 1.0)
    variance = (restricted * (1 - restricted) / n + other * (1 - other) / m) * (n + m) / (n + m - 1)
    gap = p - q - delta
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(variance > 0, gap / np.sqrt(np.where(variance > 0, variance, 1.0)), np.sign(gap) * np.inf)
    return np.where(np.abs(gap) < 1e-15, 0.0, z)


def _restricted(p: Array, q: Array, theta: Array, delta: Array) -> Array:
    """The cell's rate that is most likely, given that the control's is ``delta`` below it."""
    a = 1 + theta
    b = -(1 + theta + p + theta * q + delta * (theta + 2))
    c = delta**2 + delta * (2 * p + theta + 1) + p + theta * q
    d = -p * delta * (1 + delta)
    v = (b / (3 * a)) ** 3 - b * c / (6 * a**2) + d / (2 * a)
    u = np.where(v >= 0, 1.0, -1.0) * np.sqrt(np.maximum((b / (3 * a)) ** 2 - c / (3 * a), 0.0))
    cubed = u**3
    ratio = np.where(cubed != 0, v / np.where(cubed != 0, cubed, 1.0), 0.0)
    angle = (np.pi + np.arccos(np.clip(ratio, -1.0, 1.0))) / 3
    found = np.clip(2 * u * np.cos(angle) - b / (3 * a), np.maximum(0.0, delta), np.minimum(1.0, 1.0 + delta))
    pooled = (p + theta * q) / (1 + theta)  # exact where nothing differs
    return np.where(delta == 0, pooled, found)


def score_interval(
    x1: npt.ArrayLike, n1: npt.ArrayLike, x0: npt.ArrayLike, n0: npt.ArrayLike, critical: npt.ArrayLike = 1.959963984540054
) -> tuple[Array, Array]:
    """Differences of two rates that the score test does not reject.

    Parameters
    ----------
    x1, n1, x0, n0 : array
        As in ``score_z``.
    critical : array
        Largest value of z, either way, that is not rejected.

    Returns
    -------
    (low, high) : array
        In [-1, 1].

    Examples
    --------
    >>> low, high = score_interval(7, 34, 1, 34)
    >>> round(float(low), 4), round(float(high), 4)
    (0.027, 0.3453)
    """
    a, n, b, m, c = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (x1, n1, x0, n0, critical)))
    seen = a / n - b / m
    side = np.array([1.0, -1.0]).reshape(2, *[1] * seen.ndim)  # the lower end and the upper one at once
    inside, outside = np.stack([seen, seen]), np.stack([np.full(seen.shape, -1.0), np.full(seen.shape, 1.0)])
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        kept = side * score_z(a, n, b, m, middle) <= c
        inside, outside = np.where(kept, middle, inside), np.where(kept, outside, middle)
    return outside[0], outside[1]

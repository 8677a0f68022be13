"""Many comparisons at once: the largest of correlated normal statistics, and Holm's step-down."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import special

from crmlab.errors import ModelError
from crmlab.models.btyd.special import Array
from crmlab.models.checked import checked_level, checked_numbers
from crmlab.models.intervals import TEST_LEVEL

__all__ = ["checked_correction", "corrected", "critical_value", "holm", "largest"]


CORRECTIONS = ("max-t", "holm", "none")
_POINTS = 2**13  # at which probabilities of many correlated values are summed; always the same ones
_TINY = 1e-12


def holm(p_values: npt.ArrayLike) -> Array:
    """Holm's step-down p-values: the chance of one false finding or more in the family stays under the level.

    Parameters
    ----------
    p_values : array of shape (m,)

    Returns
    -------
    array of shape (m,)
        In the order of what was given, at most 1.

    Raises
    ------
    ModelError
        A p-value is missing or not from 0 to 1.

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03, 0.005, 0.55, 0.6]).round(12).tolist()
    [0.05, 0.12, 0.12, 0.03, 1.0, 1.0]
    """
    p = checked_numbers("holm", "p_values", p_values)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ModelError.expected("holm", "p_values", "a list of numbers from 0 to 1, none of them missing", p.tolist())
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    found = np.empty_like(p)
    found[order] = np.minimum(stepped, 1.0)
    return found


def critical_value(correlation: npt.ArrayLike, level: float = TEST_LEVEL) -> float:
    """Value that the largest of correlated standard normal |z| stays under with probability ``level``.

    Parameters
    ----------
    correlation : array of shape (m, m)
        Of the statistics. For equal cells against one control of their size: 0.5 off the diagonal.
    level : float

    Returns
    -------
    float

    Raises
    ------
    ModelError
        What was given is no matrix of correlations, or the level is not between 0 and 1.

    References
    ----------
    Dunnett (1955), A multiple comparison procedure for comparing several treatments with a control, JASA 50.
    Genz (1992), Numerical computation of multivariate normal probabilities, Journal of Computational and Graphical Statistics 1,
    for correlations that no one shared control explains.

    Examples
    --------
    >>> round(critical_value([[1.0, 0.5], [0.5, 1.0]]), 4)
    2.2121
    """
    from scipy import optimize

    R = _checked_correlation("critical_value", correlation)
    level = checked_level("critical_value", level)
    exceed = _exceedance(R)
    alpha = 1 - level
    low, high = -special.ndtri(alpha / 2), -special.ndtri(alpha / (2 * len(R)))
    if high - low < _TINY:
        return float(low)
    return float(optimize.brentq(lambda c: exceed(c) - alpha, low - 1e-9, high + 1e-9, xtol=1e-9, rtol=1e-9))


def largest(z: npt.ArrayLike, correlation: npt.ArrayLike) -> Array:
    """P-values of the largest |z|: how probable it is that any of the family reaches as far as each did.

    Parameters
    ----------
    z : array of shape (m,)
    correlation : array of shape (m, m)

    Returns
    -------
    array of shape (m,)

    Raises
    ------
    ModelError
        What was given is no matrix of correlations, or a z is missing.

    Examples
    --------
    >>> largest([2.2121, 0.0], [[1.0, 0.5], [0.5, 1.0]]).round(4).tolist()
    [0.05, 1.0]
    """
    R, far = _checked_correlation("largest", correlation), np.abs(checked_numbers("largest", "z", z))
    if far.ndim != 1 or np.isnan(far).any():
        raise ModelError.expected("largest", "z", "a list of numbers, none of them missing", far.tolist())
    exceed = _exceedance(R)
    return np.array([min(exceed(min(float(one), 37.0)), 1.0) for one in far])


def corrected(z: Array, correlation: Array, correction: str, level: float) -> tuple[Array, Array, float]:
    """P-values, p-values of the family, and how many standard errors the intervals reach.

    Under "max-t" and "none" an interval leaves out what its p-value rejects. Under "holm" the intervals are Bonferroni's: they are
    a little wider than Holm's p-values ask for.

    Parameters
    ----------
    z : array of shape (m,)
        Standard normal where nothing differs.
    correlation : array of shape (m, m)
    correction : {"max-t", "holm", "none"}
    level : float

    Returns
    -------
    (p_value, p_adjusted, critical)
    """
    level = checked_correction("corrected", correction, level)
    p = 2 * special.ndtr(-np.abs(z))
    alpha = 1 - level
    if correction == "none":
        return p, p.copy(), float(-special.ndtri(alpha / 2))
    if correction == "holm":
        return p, holm(p), float(-special.ndtri(alpha / (2 * len(p))))
    return p, np.maximum(largest(z, correlation), p), critical_value(correlation, level)


def checked_correction(model: str, correction: str, level: float) -> float:
    """Return the level; refuse a correction that is not known, or a level outside (0, 1)."""
    if correction not in CORRECTIONS:
        raise ModelError.expected(model, "correction", "one of max-t, holm, none", correction)
    return checked_level(model, level)


def _checked_correlation(model: str, correlation: npt.ArrayLike) -> Array:
    R = checked_numbers(model, "correlation", correlation)
    if R.ndim != 2 or not len(R) or R.shape != R.T.shape:
        raise ModelError.expected(model, "correlation", "a square matrix of at least one row", R.shape)
    if not (np.isfinite(R).all() and (np.abs(R) <= 1 + 1e-9).all() and np.allclose(np.diag(R), 1) and np.allclose(R, R.T)):
        raise ModelError.expected(model, "correlation", "symmetric, from -1 to 1, and 1 on the diagonal", R.tolist())
    return R


def _exceedance(R: Array) -> Callable[[float], float]:
    """Probability that any |z| is above c, as a function of c."""
    blocks: list[Callable[[float], float]] = []
    for block in _blocks(R):
        inner = R[np.ix_(block, block)]
        loadings = _one_factor(inner)
        blocks.append(_sobol(inner) if loadings is None else _factor(loadings))

    def exceed(c: float) -> float:
        with np.errstate(divide="ignore"):
            return float(-np.expm1(sum(np.log1p(-min(one(c), 1.0)) for one in blocks)))

    return exceed


def _blocks(R: Array) -> list[list[int]]:
    """Groups of statistics that are correlated with each other, and with no other."""
    left, found = set(range(len(R))), []
    while left:
        block, ahead = [], [min(left)]
        while ahead:
            one = ahead.pop()
            if one in left:
                left.remove(one)
                block.append(one)
                ahead.extend(int(j) for j in np.flatnonzero(np.abs(R[one]) > _TINY) if int(j) in left)
        found.append(sorted(block))
    return found


def _one_factor(R: Array) -> Array | None:
    """Loadings of the one thing shared, such as a control, where R[i, j] = loading i × loading j; else None."""
    m = len(R)
    if m == 1:
        return np.zeros(1)
    if m == 2:
        rho = float(R[0, 1])
        return np.array([1.0, np.sign(rho)]) * np.sqrt(abs(rho)) if abs(rho) < 1 - _TINY else None
    if np.abs(R).min() < _TINY:
        return None
    first = np.sqrt(abs(R[0, 1] * R[0, 2] / R[1, 2]))
    loadings = R[0] / first
    loadings[0] = first
    away = R - np.outer(loadings, loadings)
    np.fill_diagonal(away, 0.0)
    return loadings if np.abs(away).max() < 1e-9 and np.abs(loadings).max() < 1 - 1e-9 else None


def _factor(loadings: Array) -> Callable[[float], float]:
    """Given the shared part u, statistics are independent: integrate over u, by the trapezoid rule, which is exact here."""
    spread = np.sqrt(1 - loadings**2)
    step = min(0.05, float(spread.min()) / 4)

    def exceed(c: float) -> float:
        u = np.arange(-(c + 9.0), c + 9.0 + step, step)[:, None]
        out = special.ndtr((-c - loadings * u) / spread) + special.ndtr((-c + loadings * u) / spread)
        with np.errstate(divide="ignore"):
            any_out = -np.expm1(np.log1p(-np.minimum(out, 1.0)).sum(axis=1))
        return float(step * (any_out * np.exp(-(u[:, 0] ** 2) / 2)).sum() / np.sqrt(2 * np.pi))

    return exceed


def _sobol(R: Array) -> Callable[[float], float]:
    """Any correlations: Genz's transformation to the unit cube, summed over fixed Sobol points; good to about 3e-5."""
    from scipy.stats import qmc

    m = len(R)
    values, vectors = np.linalg.eigh(R)  # rounding, or pairs that are not known, may leave it a little off
    fixed = (vectors * np.maximum(values, 1e-9)) @ vectors.T
    scale = np.sqrt(np.diag(fixed))
    L = np.linalg.cholesky(fixed / np.outer(scale, scale) + 1e-12 * np.eye(m))
    points = qmc.Sobol(m, seed=0).random(_POINTS)

    def exceed(c: float) -> float:
        drawn = np.zeros((_POINTS, m))
        inside = np.ones(_POINTS)
        for k in range(m):
            middle = drawn[:, :k] @ L[k, :k]
            low = special.ndtr((-c - middle) / L[k, k])
            high = special.ndtr((c - middle) / L[k, k])
            inside *= high - low
            drawn[:, k] = special.ndtri(np.clip(low + points[:, k] * (high - low), 1e-300, 1 - 1e-16))
        one = 2 * float(special.ndtr(-c))
        return float(np.clip(1 - inside.mean(), one, m * one))  # Bonferroni's bound is the better one far out

    return exceed

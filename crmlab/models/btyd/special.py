"""Integrals that the buy-till-you-die models need, computed as sums of positive terms.

The textbook forms of these models subtract large hypergeometric functions from each other, overflow for busy customers and are
undefined at a = 1 or a + b < 1. All of them are expectations of positive functions under a Beta distribution or integrals of
powers over time; worked out as such by Gaussian quadrature they lose no digits and need no special case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg, special

__all__ = [
    "Array",
    "beta_rule",
    "digamma_rest",
    "digamma_rise",
    "discounted_power",
    "discounting",
    "gauss",
    "log1p_rest",
    "log_gamma_rise",
    "nodes_of",
    "power_integral",
    "shrinkage",
    "stirling_rest",
]


Array = npt.NDArray[np.float64]
# From here on the asymptotic series of the Gamma function are exact to the last digit.
_SERIES = 16.0


@lru_cache(maxsize=64)
def gauss(n: int) -> tuple[Array, Array]:
    """Gauss–Legendre nodes and weights on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return (nodes + 1) / 2, weights / 2


@lru_cache(maxsize=256)
def _jacobi(n: int, exponent: float) -> tuple[Array, Array]:
    """Nodes and weights of ∫₀¹ v^exponent f(v) dv; exponent ≥ 0 (Golub and Welsch 1969)."""
    k = np.arange(1.0, n)
    total = 2 * k + exponent
    diagonal = np.concatenate([[exponent / (exponent + 2)], exponent**2 / (total * (total + 2))])
    beside = np.sqrt(4 * (k * (k + exponent)) ** 2 / (total**2 * (total + 1) * (total - 1)))
    values, vectors = linalg.eigh_tridiagonal(diagonal, beside)
    return (values + 1) / 2, vectors[0] ** 2 / (exponent + 1)


def _end(n: int, power: float) -> tuple[Array, Array]:
    """Nodes and weights of ∫₀¹ v^(power−1) f(v) dv; the first node is 0, so that a tiny power is exact (Radau)."""
    nodes, weights = _jacobi(n, power)
    inner = weights / nodes
    return np.concatenate([[0.0], nodes]), np.concatenate([[1 / power - inner.sum()], inner])


def _graded(power: float, finest: float) -> Array:
    """Panel edges from ``finest`` to 1/2, closer where v^power is steep."""
    count = max(int(np.ceil(np.log(0.5 / finest) / min(1.1, 3 / np.sqrt(power)))), 0)
    return np.geomspace(finest, 0.5, count + 1) if count else np.array([0.5])


@lru_cache(maxsize=256)
def _grid(a: float, b: float, top: float, finest: float) -> tuple[Array, Array, Array, Array]:
    """Nodes p and 1 − p, weights w and exponents e of ∫₀¹ p^(a−1) (1−p)^(b−1) f(p) dp = Σ w exp(e) f(p)."""
    left, right = _graded(a, finest), _graded(b + top, 0.5 if a < 8 else 0.5 / a)
    v, w = _end(20, a)
    parts = [(left[0] * v, 1 - left[0] * v, w, a * np.log(left[0]) + (b - 1) * np.log1p(-left[0] * v))]
    nodes, weights = gauss(14)
    for edges, flip in ((left, False), (right, True)):
        near = (edges[:-1, None] + np.diff(edges)[:, None] * nodes).ravel()
        size = (np.diff(edges)[:, None] * weights).ravel()
        first, second = (b, a) if flip else (a, b)
        log_f = (first - 1) * np.log(near) + (second - 1) * np.log1p(-near)
        parts.append((1 - near, near, size, log_f) if flip else (near, 1 - near, size, log_f))
    v, w = _end(24, b)
    parts.append((1 - right[0] * v, right[0] * v, w, b * np.log(right[0]) + (a - 1) * np.log1p(-right[0] * v)))
    p, q, w, log_f = (np.concatenate([part[k] for part in parts]) for k in range(4))
    return p, q, w, log_f


def beta_rule(a: float, b: float, extra: npt.ArrayLike, steepest: float) -> tuple[Array, Array]:
    """Give quadrature rules for expectations under Beta(a, b + extra), all with the same nodes.

    Parameters
    ----------
    a, b : float
        Parameters of the Beta distribution, positive; a may be tiny.
    extra : array of shape (m,)
        Added to b, one rule each, at least 0.
    steepest : float
        The functions to integrate are smooth in log p above p = 1 / steepest and smooth in p below it.

    Returns
    -------
    nodes : array of shape (k,)
    weights : array of shape (m, k)
        Each row sums to 1.

    Examples
    --------
    >>> p, weights = beta_rule(0.8, 2.4, [0.0, 3.0], 10.0)
    >>> (weights @ p).round(12)
    array([0.25      , 0.12903226])
    """
    more = np.atleast_1d(np.asarray(extra, dtype=float))
    # Rounded up to a power of 3, so that neighbouring calls share one grid.
    finest = 3.0 ** -np.ceil(np.log(max(2.0 * steepest, 2.0 * (b + float(more.max(initial=0.0))), 4.0)) / np.log(3.0))
    top = float(more.max(initial=0.0)) if a >= 8 else 0.0
    p, q, w, log_f = _grid(float(a), float(b), top, float(finest))
    with np.errstate(divide="ignore", invalid="ignore"):
        log_all = log_f + np.where(more[:, None] > 0, more[:, None] * np.log(q), 0.0)
    log_all -= log_all.max(axis=1, keepdims=True)
    weights = w * np.exp(log_all)
    return p, weights / weights.sum(axis=1, keepdims=True)


def power_integral(p: Array, A: Array, q: Array, B: Array, h: Array, gradient: bool = False) -> list[Array]:
    """Integrate (1 + τ/A)^−p (1 + τ/B)^−q over τ from 0 to h.

    The likelihood of Pareto/NBD is a sum of such positive terms; as a difference of two 2F1 it cancels.

    Parameters
    ----------
    p, A, q, B, h : array
        Of shapes that broadcast. p + q > 1; A and B positive; h ≥ 0.
    gradient : bool
        Whether derivatives are wanted too.

    Returns
    -------
    list of arrays
        The integral, and with ``gradient`` its derivatives by p, A, q and B.

    Examples
    --------
    >>> value = power_integral(np.array([2.0]), np.array([1.0]), np.array([1.0]), np.array([1.0]), np.array([3.0]))[0]
    >>> value.round(12)      # (1 − 4⁻²) / 2
    array([0.46875])
    """
    p, A, q, B, h = (np.ascontiguousarray(part, dtype=float) for part in np.broadcast_arrays(p, A, q, B, h))
    shape = p.shape
    p, A, q, B, h = (part.ravel() for part in (p, A, q, B, h))
    out = [np.zeros_like(p) for _ in range(5 if gradient else 1)]
    # In u = log(1 + τ/C) the integrand is smooth on a scale of 1; panels end where it has fallen by about e⁻⁶, e⁻¹⁸, e⁻⁵⁰.
    C = np.minimum(A, B)
    with np.errstate(over="ignore"):
        edges = [np.minimum(A * np.expm1(fall / p), B * np.expm1(fall / q)) for fall in (6.0, 18.0, 50.0)]
    last = np.minimum(h, edges.pop())
    edges += [C * np.expm1(5.0), C * np.expm1(10.0)]
    inner = np.sort(np.minimum(edges, last), axis=0)
    bounds = np.log1p(np.vstack([np.zeros_like(h), inner, last]) / C)
    # One short panel over which little falls, the usual case, needs fewer nodes.
    easy = (bounds[-1] < 2.0) & (p * np.log1p(h / A) + q * np.log1p(h / B) < 3.0)
    for k, (low, high) in enumerate(pairwise(bounds)):
        if k == 0:
            for start in range(0, int(easy.sum()), 4096):
                s = np.flatnonzero(easy)[start : start + 4096]
                _add_panel(out, s, (p, A, q, B, C), low, bounds[-1], 12)
        some = np.flatnonzero((high > low) & ~easy)
        # In blocks, so that the arrays of nodes stay in the processor's cache.
        for start in range(0, len(some), 2048):
            s = some[start : start + 2048]
            _add_panel(out, s, (p, A, q, B, C), low, high, 20)
    return [part.reshape(shape) for part in out]


def _add_panel(out: list[Array], s: Any, parts: Sequence[Array], low: Array, high: Array, n: int) -> None:
    p, A, q, B, C, low, high = (part[s] for part in (*parts, low, high))
    nodes, weights = gauss(n)
    width = (high - low)[:, None]
    tau = C[:, None] * np.expm1(low[:, None] + width * nodes)
    by_a, by_b = np.log1p(tau / A[:, None]), np.log1p(tau / B[:, None])
    f = np.exp(-p[:, None] * by_a - q[:, None] * by_b)
    f *= (tau + C[:, None]) * (width * weights)
    out[0][s] += f.sum(axis=1)
    if len(out) > 1:
        out[1][s] -= np.einsum("ij,ij->i", f, by_a)
        out[2][s] += p / A * np.einsum("ij,ij->i", f, tau / (A[:, None] + tau))
        out[3][s] -= np.einsum("ij,ij->i", f, by_b)
        out[4][s] += q / B * np.einsum("ij,ij->i", f, tau / (B[:, None] + tau))


def discounted_power(q: Array, n: Array, limit: Array) -> Array:
    """Integrate e^(−q v) (1 + v)^−n over v from 0 to a limit that may be infinite.

    With an infinite limit this is Tricomi's U(1, 2 − n, q), the function of discounted expected purchases.

    Parameters
    ----------
    q, n, limit : array
        Of shapes that broadcast; q > 0, or ≥ 0 where the limit is finite.

    Returns
    -------
    array

    Examples
    --------
    >>> discounted_power(np.array([1.0]), np.array([1.0]), np.array([np.inf])).round(12)    # e · E₁(1)
    array([0.59634736])
    """
    q, n, limit = (np.asarray(part, dtype=float) for part in np.broadcast_arrays(q, n, limit))
    shape = q.shape
    q, n, limit = (part.ravel() for part in (q, n, limit))
    out = np.empty(q.shape)
    nodes, weights = gauss(16)
    for start in range(0, len(q), 8192):
        s = slice(start, start + 8192)
        rate, power = q[s], n[s]
        safe = np.maximum(rate, 1e-300)
        growth = np.maximum(1 - power, 0) * np.log1p(100 / safe)
        end = np.log1p(np.minimum(limit[s], (45 + growth) / safe))
        end = np.minimum(end, 45 / np.maximum(power - 1, 1e-300))
        scale = 1 / np.maximum(power - 1 + rate, 1e-2)
        turn = np.log1p(1 / safe)
        edges = np.sort([np.zeros_like(end), 5 * scale, 18 * scale, turn - 1.2, turn + 1.2, turn + 2.6, end], axis=0)
        edges = np.clip(edges, 0, end)
        total = np.zeros_like(end)
        for low, high in pairwise(edges):
            if (high > low).any():
                u = low[:, None] + (high - low)[:, None] * nodes
                total += (high - low) * (np.exp(-rate[:, None] * np.expm1(u) - (power - 1)[:, None] * u) @ weights)
        out[s] = total
    return out.reshape(shape)


def nodes_of(reach: float, scale: float, smooth: float = np.pi) -> tuple[Array, Callable[[Array], Array]]:
    """Times up to ``reach`` at which a function that is 0 at 0 is worked out, and the matrix that takes it to other times.

    ``smooth``: how far from real ones the function is analytic in log(1 + time / scale).
    """
    top = float(np.log1p(reach / scale))
    count = int(np.ceil(32 / np.arcsinh(2 * smooth / max(top, 1e-3)))) + 3
    angle = (2 * np.arange(count) + 1) * np.pi / (2 * count)
    nodes = top / 2 * (1 + np.cos(angle))
    sign = (-1.0) ** np.arange(count) * np.sin(angle)

    def values(times: Array) -> Array:
        gap = np.log1p(times / scale)[:, None] - nodes
        exact = gap == 0
        part = sign / np.where(exact, 1.0, gap)
        matrix = part / part.sum(axis=1, keepdims=True)
        rows = exact.any(axis=1)
        matrix[rows] = exact[rows]
        matrix[times == 0] = 0.0
        return matrix

    return scale * np.expm1(nodes), values


def discounting(values: Callable[[Array], Array], reach: float, scale: float, delta: float) -> Array:
    """Give the weights at nodes that discount what comes up to a time, where it is known at the nodes by when it has come.

    ∫₀ʰ e^(−δ s) dE(s) = e^(−δ h) E(h) + δ ∫₀ʰ e^(−δ s) E(s) ds.

    Parameters
    ----------
    values : callable
        Gives the matrix that takes E at the nodes to E at the times asked, of shape (n_times, n_nodes).
    reach : float
        The h of the formula, finite.
    scale : float
        E is smooth in log(1 + s / scale).
    delta : float
        Continuous rate of discount; 0 for none.

    Returns
    -------
    array of shape (n_nodes,)

    Examples
    --------
    >>> nodes = np.array([0.0, 10.0])
    >>> weights = discounting(lambda times: np.column_stack([1 - times / 10, times / 10]), 10.0, 5.0, 0.2)
    >>> (weights @ nodes).round(9) == ((1 - np.exp(-2)) / 0.2).round(9)    # one a period, evenly
    np.True_
    """
    weights = np.exp(-delta * reach) * values(np.array([reach]))[0]
    if delta > 0:
        at, share = gauss(12)
        edges = np.linspace(0, np.log1p(reach / scale), 4 * int(np.ceil(np.log1p(reach / scale))) + 1)
        u = (edges[:-1, None] + np.diff(edges)[:, None] * at).ravel()
        width = (np.diff(edges)[:, None] * share).ravel()
        times = scale * np.expm1(u)
        weights = weights + (delta * np.exp(-delta * times) * (times + scale) * width) @ values(times)
    return weights


def shrinkage(power: Array | float, log_ratio: Array | float) -> Array:
    """Work out (1 − e^(−power · log_ratio)) / power, also where power is 0.

    Examples
    --------
    >>> float(shrinkage(0.0, 2.0)), float(shrinkage(1.0, 0.0))
    (2.0, 0.0)
    """
    return log_ratio * special.exprel(-np.asarray(power) * log_ratio)


def log1p_rest(x: Array) -> Array:
    """Work out log(1 + x) − x without the cancellation of both where x is small.

    Parameters
    ----------
    x : array
        Above −1.

    References
    ----------
    Loader (2000), Fast and accurate computation of binomial probabilities: the deviance part, by the series of log((1 + r) / (1 − r)).

    Examples
    --------
    >>> log1p_rest(np.array([1e-3, 1.0])).round(12)
    array([-4.99667000e-07, -3.06852819e-01])
    """
    small = np.abs(x) < 0.4
    some = np.where(small, x, 0.0)
    r = some / (2 + some)
    y, total = r * r, np.zeros_like(some)
    for k in range(25, 1, -2):
        total = (total + 1 / k) * y
    return np.where(small, r * (2 * total - some), np.log1p(x) - x)


def stirling_rest(z: Array | float) -> Array:
    """Work out what Stirling's formula leaves of the log of the Gamma function: log Γ(z) − (z − ½) log z + z − ½ log 2π.

    Parameters
    ----------
    z : array
        Positive.

    References
    ----------
    Abramowitz and Stegun (1964), Handbook of Mathematical Functions, 6.1.41.

    Examples
    --------
    >>> stirling_rest(np.array([1.0, 100.0])).round(12)
    array([0.08106147, 0.00083333])
    """
    z = np.asarray(z, dtype=float)
    near = np.minimum(z, _SERIES)
    direct = special.gammaln(near) - ((near - 0.5) * np.log(near) - near + 0.5 * np.log(2 * np.pi))
    return np.where(z < _SERIES, direct, _stirling_series(np.maximum(z, _SERIES)))


def _stirling_series(z: Array) -> Array:
    i = 1 / z
    y = i * i
    found: Array = i * (1 / 12 - y * (1 / 360 - y * (1 / 1260 - y * (1 / 1680 - y / 1188))))
    return found


def digamma_rest(z: Array | float) -> Array:
    """Work out ψ(z) − log z, the digamma function less its leading term.

    Parameters
    ----------
    z : array
        Positive.

    References
    ----------
    Abramowitz and Stegun (1964), Handbook of Mathematical Functions, 6.3.18.

    Examples
    --------
    >>> digamma_rest(np.array([1.0, 100.0])).round(8)
    array([-0.57721566, -0.00500833])
    """
    z = np.asarray(z, dtype=float)
    near = np.minimum(z, _SERIES)
    series = _digamma_series(np.maximum(z, _SERIES))
    return np.where(z < _SERIES, special.digamma(near) - np.log(near), series)


def _digamma_series(z: Array) -> Array:
    i = 1 / z
    y = i * i
    found: Array = -i / 2 - y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y / 132))))
    return found


def log_gamma_rise(x: Array | float, a: float) -> Array:
    """Work out log Γ(x + a) − log Γ(x), also where x is huge and both are nearly the same.

    Parameters
    ----------
    x : array
        Positive.
    a : float
        Positive.

    Examples
    --------
    >>> log_gamma_rise(np.array([3.0, 1e12]), 1.0).round(12)
    array([ 1.09861229, 27.63102112])
    """
    x = np.asarray(x, dtype=float)
    near, far = np.minimum(x, _SERIES), np.maximum(x, _SERIES)
    rest = _stirling_series(far + a) - _stirling_series(far)
    series = (far - 0.5) * np.log1p(a / far) + a * np.log(far + a) - a + rest
    return np.where(x < _SERIES, special.gammaln(near + a) - special.gammaln(near), series)


def digamma_rise(x: Array | float, a: float) -> Array:
    """Work out ψ(x + a) − ψ(x), also where x is huge and both are nearly the same.

    Parameters
    ----------
    x : array
        Positive.
    a : float
        Positive.

    Examples
    --------
    >>> digamma_rise(np.array([4.0, 1e12]), 1.0)
    array([2.5e-01, 1.0e-12])
    """
    x = np.asarray(x, dtype=float)
    near, far = np.minimum(x, _SERIES), np.maximum(x, _SERIES)
    series = np.log1p(a / far) + _digamma_series(far + a) - _digamma_series(far)
    return np.where(x < _SERIES, special.digamma(near + a) - special.digamma(near), series)

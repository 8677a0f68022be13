"""Purchases at every k-th event of a Poisson process: what is expected of them, where rates and chances to drop out vary.

Customers whose purchases need k events each ("phases") buy the more regularly the larger k is. All that follows is exact: phases are
negative binomial where rates are Gamma-distributed, and purchases are every k-th of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from crmlab.models.btyd.special import Array, beta_rule, gauss

__all__ = ["Renewals", "phase_weights", "renewal_times"]


_WIDTH = (
    0.5  # of a panel of log z, over which what is expected is interpolated; less of very regular purchases, which come in waves
)
_NODES = 14  # of each
_RARE = 1e-3  # below this chance to stay, powers of it are summed; above it, roots of unity are
_POWERS = 6  # of such a chance: the next is 1e-18
_NOTHING = 1e-24  # of the heaviest weight
_MOST_PURCHASES = 100_000  # of one customer that are drawn
_CELLS = 60_000  # numbers held at once, so that they stay in the processor's cache


def phase_weights(k: int, shape: Array, share: Array) -> tuple[Array, Array]:
    """How many phases have passed since the last purchase, of one who has made none since.

    Parameters
    ----------
    k : int
        Phases that a purchase needs.
    shape : array of shape (n,)
        Of the Gamma distribution of each rate, given the purchases.
    share : array of shape (n,)
        Time since the last purchase as a share of the scale of that distribution, given all the time that has passed.

    Returns
    -------
    (weights, total) : arrays of shapes (n, k) and (n,)
        The chance of each number of phases below k, given that it is below; and the sum over them of (shape)ⱼ shareʲ / j!.

    Examples
    --------
    >>> weights, total = phase_weights(2, np.array([3.0]), np.array([0.5]))
    >>> weights.tolist(), total.tolist()    # 1 and 3 · 0.5
    ([[0.4, 0.6]], [2.5])
    """
    terms = np.ones((len(shape), k))
    for j in range(1, k):
        terms[:, j] = terms[:, j - 1] * ((shape + (j - 1)) / j) * share
    total = terms.sum(axis=1)
    return terms / total[:, None], total


def renewal_times(
    k: int, lives: tuple[Array, npt.NDArray[np.int64], Array], end: Array, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], Array]:
    """Draw the times of purchases of some customers.

    Parameters
    ----------
    k : int
        Phases that a purchase needs.
    lives : (array, array of int, array), each of shape (n,)
        Rate of phases, phases that have passed since the last purchase, and purchases after which the customer leaves: 0 of who has left.
    end : array of shape (n,)
        Up to when.
    rng : Generator

    Returns
    -------
    (who, time) : arrays of shape (purchases,)
        Places of customers; all first purchases, then all second ones, and so on.

    Examples
    --------
    >>> lives = np.array([3.0, 3.0]), np.array([0, 0]), np.array([0.0, 2.0])
    >>> who, time = renewal_times(3, lives, np.array([100.0, 100.0]), np.random.default_rng(0))
    >>> who.tolist()
    [1, 1]
    """
    rate, phase, last = np.maximum(lives[0], 1e-300), lives[1], lives[2]
    time = rng.gamma(k - phase, 1.0) / rate
    active = np.flatnonzero((last > 0) & (time <= end))
    places, times = [np.empty(0, dtype=np.int64)], [np.empty(0)]
    for number in range(1, _MOST_PURCHASES):
        if not len(active):
            break
        places.append(active)
        times.append(time[active])
        active = active[last[active] > number]
        time[active] += rng.gamma(k, 1.0, len(active)) / rate[active]
        active = active[time[active] <= end[active]]
    return np.concatenate(places), np.concatenate(times)


@dataclass(frozen=True, eq=False)
class Renewals:
    """Purchases to come of customers with k phases to a purchase, at given parameters.

    Attributes
    ----------
    k : int
        Above 1.
    shape : float
        Of the Gamma distribution of rates, before anything is known of a customer.
    chance : (float, float)
        Beta distribution of the chance to drop out after a purchase, before anything is known.
    past : callable
        Chances to drop out that a customer has come through, from repeat purchases.

    Notes
    -----
    Given the chance p to drop out, with ρᵏ = 1 − p and ω = e^(2πi/k), one who is alive j phases after the last purchase is expected to
    make within a time h

        ρ^(j+1−k) / k · Σₗ ω^(l (j+1)) E(1 − e^(−λ h (1 − ρ ωˡ))) / (1 − ρ ωˡ),   l = 0, …, k − 1,

    purchases: the sum over roots of unity picks every k-th phase. The mean over λ is a power of 1 + (1 − ρ ωˡ) z, where z is h over
    the scale of λ given the past; that over p is a sum over nodes. For k = 1 this is (1 − (1 + p z)^−r) / p, as of BG/NBD. Where little
    time passes the terms cancel; there the sum over purchases is short, and taken instead. The whole depends on time by z alone.
    """

    k: int
    shape: float
    chance: tuple[float, float]
    past: Callable[[Array], Array]

    def expected(self, x: float, z: Array) -> Array:
        """Expected purchases of one who is alive and has made x repeat purchases, of shape (n, k): by phases since the last one.

        Parameters
        ----------
        x : float
        z : array of shape (n,)
            Time ahead over the scale of the rate given the past; 0 for none.
        """
        out = np.zeros((len(z), self.k))
        some = z > 0
        out[some] = _in_panels(z[some], lambda at: self._exact(x, at), self.k)
        return out

    def _exact(self, x: float, z: Array) -> Array:
        """The same, without interpolation."""
        shape = self.shape + self.k * x
        # Where few phases are to come, the sum over purchases is short.
        soon = (z <= 1) & ((shape + self.k) * z <= 2 * self.k)
        out = np.empty((len(z), self.k))
        if soon.any():
            out[soon] = self._by_purchases(x, shape, z[soon])
        if not soon.all():
            out[~soon] = self._by_roots(x, shape, z[~soon])
        return out

    def _by_purchases(self, x: float, shape: float, z: Array) -> Array:
        a, b = self.chance
        past, phase = float(self.past(np.array([x]))[0]), np.arange(self.k)
        share = (z / (1 + z))[:, None]
        out = np.zeros((len(z), self.k))
        for n in range(1, 1000):
            stays = np.exp(special.betaln(a, b + past + (n - 1)) - special.betaln(a, b + past))
            more = special.betainc(self.k * n - phase, shape + phase, share) * stays
            out += more
            if (more <= 1e-17 * out).all():
                break
        return out

    def _rule(self, x: float, steepest: float) -> tuple[Array, Array]:
        a, b = self.chance
        nodes, weights = beta_rule(a, b, self.past(np.array([x])), steepest)
        # A narrow distribution has nodes that count for nothing; what is expected differs by far less than their weights.
        counts = weights[0] > _NOTHING * weights[0].max()
        return nodes[counts], weights[0, counts]

    def _by_roots(self, x: float, shape: float, z: Array) -> Array:
        k, phase = self.k, np.arange(self.k)
        p, weight = self._rule(x, float(z.max()) * max(1.0, 0.05 * shape))
        often = p <= 1 - _RARE
        out = np.zeros((len(z), k))
        rare, share = 1 - p[~often], (z / (1 + z))[:, None]
        for n in range(1, _POWERS + 1):
            mean = float(weight[~often] @ rare ** (n - 1))
            if mean > 0:
                out += mean * special.betainc(k * n - phase, shape + phase, share)
        p, weight = np.maximum(p[often], 1e-250), weight[often]
        log_root = np.log1p(-p) / k
        root = np.exp(log_root)
        step = max(_CELLS // max(len(p), 1), 1)
        for turn in range(k // 2 + 1):
            # Roots come in pairs whose terms have the same real part, but for 1 and −1.
            omega = np.exp(2j * np.pi * turn / k)
            twice = 1.0 if turn in (0, k / 2) else 2.0
            away = -np.expm1(log_root) if turn == 0 else 1 - root * omega
            heavy = [twice * weight * omega ** (j + 1) * root ** (j + 1 - k) / (k * away) for j in phase]
            for start in range(0, len(z), step):
                s = slice(start, start + step)
                grown = np.log1p(away * z[s, None])
                if turn == 0:
                    for j in phase:
                        out[s, j] += -np.expm1(-(shape + j) * grown) @ heavy[j].real
                    continue
                left, fewer = np.exp(-shape * grown), np.exp(-grown)
                for j in phase:
                    out[s, j] += ((1 - left) @ heavy[j]).real
                    left *= fewer
        return out

    def discounted(self, x: float, scale: Array, delta: float, reach: float) -> Array:
        """Discounted expected purchases within ``reach`` of one who is alive, of shape (n, k): by phases since the last one.

        Parameters
        ----------
        x : float
        scale : array of shape (n,)
            Of the rate given the past: a length of time.
        delta : float
            Continuous rate of discount, positive.
        reach : float
            Finite.
        """
        return _in_panels(scale, lambda at: self._discounted(x, at, delta, reach), self.k)

    def _discounted(self, x: float, scale: Array, delta: float, reach: float) -> Array:
        # ∫₀ʰ e^(−δ s) dE(s) = e^(−δ h) E(h) + δ ∫₀ʰ e^(−δ s) E(s) ds, over panels of log s.
        first = min(1e-7 * float(scale.min()) / (self.shape + self.k * (x + 1)), reach / 4)
        panels = int(np.ceil(np.log(reach / first) / min(_WIDTH, 2 / self.k)))
        edges = np.log(first) + np.arange(panels + 1) * np.log(reach / first) / panels
        at, share = gauss(10)
        times = np.exp((edges[:-1, None] + np.diff(edges)[:, None] * at).ravel())
        width = (np.diff(edges)[:, None] * share).ravel() * times
        weight = np.append(delta * np.exp(-delta * times) * width, np.exp(-delta * reach))
        times = np.append(times, reach)
        # What is expected rises no faster than time.
        kept = weight * times > 1e-16 * (weight * times).max()
        out = np.empty((len(scale), self.k))
        for start in range(0, len(scale), 64):
            some = scale[start : start + 64]
            found = self.expected(x, (times[kept] / some[:, None]).ravel()).reshape(len(some), -1, self.k)
            out[start : start + 64] = np.einsum("t,ntk->nk", weight[kept], found)
        return out


def _in_panels(z: Array, exact: Callable[[Array], Array], k: int) -> Array:
    """Work k positive functions out that are smooth in log z, of shape (n, k): where many are asked for, by Chebyshev's polynomials.

    Panels of log z are the same whatever is asked for, so that what is found for one z does not hang on the others.
    """
    log_z = np.log(z)
    width = min(_WIDTH, 2 / k)
    panel = np.floor(log_z / width).astype(np.int64)
    used, place, count = np.unique(panel, return_inverse=True, return_counts=True)
    out, direct = np.empty((len(z), k)), count[place] <= _NODES
    if direct.any():
        out[direct] = exact(z[direct])
    if direct.all():
        return out
    angle = (2 * np.arange(_NODES) + 1) * np.pi / (2 * _NODES)
    at, sign = (1 + np.cos(angle)) / 2, (-1.0) ** np.arange(_NODES) * np.sin(angle)
    dense = np.flatnonzero(count > _NODES)
    row = np.zeros(len(used), dtype=np.int64)
    row[dense] = np.arange(len(dense))
    grid = np.exp(width * (used[dense, None] + at))
    known = np.log(np.maximum(exact(grid.ravel()), 1e-300)).reshape(len(dense), _NODES, k)
    rest = np.flatnonzero(~direct)
    for start in range(0, len(rest), 16_384):
        s = rest[start : start + 16_384]
        gap = (log_z[s] / width - panel[s])[:, None] - at
        same = gap == 0
        part = sign / np.where(same, 1.0, gap)
        matrix = part / part.sum(axis=1, keepdims=True)
        rows = same.any(axis=1)
        matrix[rows] = same[rows]
        out[s] = np.exp(np.einsum("en,enk->ek", matrix, known[row[place[s]]]))
    return out

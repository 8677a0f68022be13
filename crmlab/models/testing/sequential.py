"""Looking at a running campaign more than once: how high each look's bar must be, and what looking too often costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from crmlab.errors import ModelError
from crmlab.models.btyd.special import Array
from crmlab.models.checked import checked_number, checked_numbers
from crmlab.models.intervals import TEST_LEVEL

__all__ = ["KINDS", "boundaries", "error_of"]


KINDS = ("pocock", "obrien-fleming", "lan-demets-obf", "lan-demets-pocock")
_FAR = 10.0  # no look's bar is above this; what is beyond it has a probability of 1e-23
_MODEL = "boundaries"


def boundaries(kind: str, looks: int | Sequence[float], alpha: float = 1 - TEST_LEVEL) -> pd.DataFrame:
    """Bars for \\|z\\| at each look, so that all looks together err with probability ``alpha``.

    Parameters
    ----------
    kind : {"pocock", "obrien-fleming", "lan-demets-obf", "lan-demets-pocock"}
        The first two fix the shape of the bars and need the number of looks. The others fix how much of alpha may be spent by
        which share of the data: with them looks need not be where they were planned, as long as the plan was not changed because
        of what was seen.
    looks : int, or sequence of float
        Number of looks after equal shares of the data, or these shares, rising, the last at most 1.
    alpha : float
        Two-sided.

    Returns
    -------
    DataFrame
        look, fraction, z, p_nominal (two-sided p-value that a look must stay under), alpha_spent (by this look and those before).

    Raises
    ------
    ModelError
        An unknown kind, fractions that do not rise, or alpha outside (0, 1).

    References
    ----------
    Armitage, McPherson and Rowe (1969), Repeated significance tests on accumulating data, JRSS A 132 (integration).
    Pocock (1977), Biometrika 64. O'Brien and Fleming (1979), Biometrics 35. Lan and DeMets (1983), Biometrika 70.

    Examples
    --------
    >>> boundaries("lan-demets-obf", 5)["z"].round(5).tolist()
    [4.87688, 3.35701, 2.68028, 2.28982, 2.03103]
    """
    from scipy import optimize

    if not isinstance(kind, str) or kind not in KINDS:
        raise ModelError.expected(_MODEL, "kind", f"one of {', '.join(KINDS)}", kind)
    if not 0 < checked_number(_MODEL, "alpha", alpha, "between 0 and 1") < 1:
        raise ModelError.expected(_MODEL, "alpha", "between 0 and 1", alpha)
    t = _fractions(looks)
    if kind in ("pocock", "obrien-fleming"):
        shape = np.ones(len(t)) if kind == "pocock" else np.sqrt(t[-1] / t)

        def wrong(constant: float) -> float:
            return float(_crossings(constant * shape, t).sum()) - alpha

        single = float(-special.ndtri(alpha / 2))
        constant = single if len(t) == 1 else float(optimize.brentq(wrong, single * 0.999, single + 3, xtol=1e-12))
        z = constant * shape
    else:
        z = _spending(_obf if kind == "lan-demets-obf" else _pocock, t, alpha)
    return pd.DataFrame(
        {
            "look": np.arange(1, len(t) + 1),
            "fraction": t,
            "z": z,
            "p_nominal": 2 * special.ndtr(-z),
            "alpha_spent": np.cumsum(_crossings(z, t)),
        }
    )


def error_of(z: npt.ArrayLike, looks: int | Sequence[float]) -> float:
    """Probability that \\|z\\| is above its bar at any look, where nothing differs.

    Parameters
    ----------
    z : float, or array of shape (looks,)
        One bar for all, or one for each look.
    looks : int, or sequence of float
        As in ``boundaries``.

    Returns
    -------
    float

    Examples
    --------
    >>> round(error_of(1.959964, 5), 3)
    0.142
    """
    t = _fractions(looks)
    bars = checked_numbers("error_of", "z", z)
    if bars.shape not in ((), t.shape):
        raise ModelError.expected("error_of", "z", f"one number, or one for each of {len(t)} looks", z)
    bars = np.broadcast_to(bars, t.shape)
    if not (bars > 0).all():
        raise ModelError.expected("error_of", "z", "above 0", bars.tolist())
    return float(_crossings(bars, t).sum())


def _fractions(looks: int | Sequence[float]) -> Array:
    if isinstance(looks, (int, np.integer)) and not isinstance(looks, bool):
        if looks < 1:
            raise ModelError.expected(_MODEL, "looks", "at least 1", looks)
        return np.arange(1, looks + 1) / looks
    t = checked_numbers(_MODEL, "looks", looks)
    if t.ndim != 1 or len(t) == 0 or not ((np.diff(t, prepend=0.0) > 0).all() and t[-1] <= 1):
        raise ModelError.expected(_MODEL, "looks", "a whole number, or rising shares above 0 and up to 1", looks)
    return t


def _obf(t: float, alpha: float) -> float:
    """Alpha spent by share t, in the manner of O'Brien and Fleming, half of alpha on each side."""
    return float(4 * special.ndtr(special.ndtri(alpha / 4) / np.sqrt(t)))


def _pocock(t: float, alpha: float) -> float:
    return float(alpha * np.log1p((np.e - 1) * t))


def _spending(spent: Callable[[float, float], float], t: Array, alpha: float) -> Array:
    """Bars, one after the other, each of which spends what its look may spend."""
    from scipy import optimize

    z: list[float] = []
    before = 0.0
    walk = _Walk(t)
    for k in range(len(t)):
        allowed = spent(float(t[k]), alpha) - before

        def left(bar: float, allowed: float = allowed) -> float:
            return walk.beyond(bar) - allowed

        bar = _FAR if left(_FAR) >= 0 else float(optimize.brentq(left, 0.0, _FAR, xtol=1e-13))
        before += walk.beyond(bar)
        walk.step(bar)
        z.append(bar)
    return np.array(z)


def _crossings(z: Array, t: Array) -> Array:
    """Probability of crossing for the first time at each look."""
    walk, found = _Walk(t), []
    for bar in z:
        found.append(walk.beyond(float(bar)))
        walk.step(float(bar))
    return np.array(found)


class _Walk:
    """Density of the sum z·√t among walks that have stayed under every bar so far."""

    def __init__(self, t: Array) -> None:
        self.t, self.k = t, 0
        self.points, self.mass = np.zeros(1), np.ones(1)  # before the first look the walk is at 0

    def beyond(self, bar: float) -> float:
        """Probability of being above the bar at the next look."""
        end, spread = self._next(bar)
        out = special.ndtr((self.points - end) / spread) + special.ndtr((-end - self.points) / spread)
        return float(self.mass @ out)

    def step(self, bar: float) -> None:
        """Go on to the next look with those that are under the bar."""
        end, spread = self._next(min(bar, _FAR))
        # Gauss-Legendre with some ten points to a step of the walk: more than double precision needs.
        following = self.t[self.k + 1] - self.t[self.k] if self.k + 1 < len(self.t) else self.t[self.k]
        count = int(min(40 + 20 * end / min(spread, np.sqrt(following)), 4000))
        nodes, weights = special.roots_legendre(count)
        points = end * nodes
        density = np.exp(-(((points[:, None] - self.points) / spread) ** 2) / 2) / (spread * np.sqrt(2 * np.pi))
        self.points, self.mass = points, end * weights * (density @ self.mass)
        self.k += 1

    def _next(self, bar: float) -> tuple[float, float]:
        before = self.t[self.k - 1] if self.k else 0.0
        return bar * float(np.sqrt(self.t[self.k])), float(np.sqrt(self.t[self.k] - before))

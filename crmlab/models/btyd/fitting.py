"""Maximum likelihood with several starts, optima on the boundary, and the posterior without MCMC.

Models are fitted in coordinates in which they are nearly independent and unconstrained: for a Gamma distribution of rates the
logs of its shape and of the mean number of events in a typical history, for a Beta distribution the log odds of its mean and
the log of its strength a + b. The same coordinates carry the priors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import linalg, optimize, special

from crmlab.errors import ConvergenceError
from crmlab.models.btyd.priors import Stated
from crmlab.models.btyd.special import Array
from crmlab.models.threads import one_thread

__all__ = [
    "NO_DROPOUT",
    "Amounts",
    "Axis",
    "Chances",
    "Coefficients",
    "Coordinates",
    "Objective",
    "Optimum",
    "Part",
    "Power",
    "Rates",
    "hessian",
    "maximise",
    "newton",
    "with_prior",
]


Objective = Callable[[Array], tuple[float, Array]]
NO_DROPOUT = "nobody has dropped out yet"
# Log-likelihoods nearer than this to that of a limiting model are the limiting model.
_SAME = 1e-3
# A limit is near where what is still gained shrinks by this much per unit of the coordinate; a rise that goes on is none.
_SHRINKS = 0.75
# A Hessian's differences may span so many deviations: beyond, a sharply peaked log-likelihood is no parabola.
_SPAN = 10.0


@dataclass(frozen=True)
class Axis:
    """One coordinate: its bounds, what its bounds mean, and its weakly informative prior.

    A bound that is no limit of the model, but where the search ends, means None and is never called a boundary.
    ``deviation`` of the normal prior; None for the logistic one, which makes the mean of a Beta distribution uniform.
    """

    low: float
    high: float
    at_low: str | None
    at_high: str | None
    centre: float = 0.0
    deviation: float | None = None

    def log_prior(self, value: float) -> tuple[float, float]:
        """Log density and its derivative."""
        if self.deviation is None:
            return float(special.log_expit(value) + special.log_expit(-value)), float(1 - 2 * special.expit(value))
        z = (value - self.centre) / self.deviation
        return -0.5 * z * z - np.log(self.deviation * np.sqrt(2 * np.pi)), -z / self.deviation


@dataclass(frozen=True)
class Rates:
    """Gamma-distributed rates: shape and scale parameter (a length of time)."""

    axes: tuple[Axis, ...]
    size = 2

    def params(self, eta: Array, unit: float) -> tuple[Array, Array]:
        """Parameters and the derivatives of their logs by the coordinates."""
        return np.array([np.exp(eta[0]), np.exp(eta[0] - eta[1]) * unit]), np.array([[1.0, 0.0], [1.0, -1.0]])

    def eta(self, params: Array, unit: float) -> Array:
        """Coordinates of parameters."""
        return np.array([np.log(params[0]), np.log(params[0] * unit / params[1])])


@dataclass(frozen=True)
class Chances:
    """Beta-distributed probabilities: a and b."""

    axes: tuple[Axis, ...]
    size = 2

    def params(self, eta: Array, unit: float) -> tuple[Array, Array]:  # noqa: ARG002
        """Parameters and the derivatives of their logs by the coordinates."""
        mean, rest, strength = special.expit(eta[0]), special.expit(-eta[0]), np.exp(eta[1])
        return np.array([mean * strength, rest * strength]), np.array([[rest, 1.0], [-mean, 1.0]])

    def eta(self, params: Array, unit: float) -> Array:  # noqa: ARG002
        """Coordinates of parameters."""
        return np.array([np.log(params[0] / params[1]), np.log(params[0] + params[1])])


@dataclass(frozen=True)
class Amounts:
    """Gamma-distributed amounts around Gamma-distributed means: p, q and v (an amount).

    Coordinates are the logs of p, of q and of p v / q, the harmonic mean of customers' means: where amounts hardly differ, p and q
    are huge and v alone says nothing. The third prior is that of v all the same, see ``shear``.
    """

    axes: tuple[Axis, ...]
    size = 3

    def params(self, eta: Array, unit: float) -> tuple[Array, Array]:
        """Parameters and the derivatives of their logs by the coordinates."""
        return np.exp(_SHEAR @ eta) * np.array([1.0, 1.0, unit]), _SHEAR

    def eta(self, params: Array, unit: float) -> Array:
        """Coordinates of parameters."""
        p, q, v = params
        return np.array([np.log(p), np.log(q), np.log(v / unit) + np.log(p) - np.log(q)])


@dataclass(frozen=True)
class Power:
    """One positive number without a unit, such as an exponent."""

    axes: tuple[Axis, ...]
    size = 1

    def params(self, eta: Array, unit: float) -> tuple[Array, Array]:  # noqa: ARG002
        """Parameters and the derivatives of their logs by the coordinates."""
        return np.exp(eta), np.eye(1)

    def eta(self, params: Array, unit: float) -> Array:  # noqa: ARG002
        """Coordinates of parameters."""
        return np.log(params)


_SHEAR = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0, 1.0, 1.0]])


@dataclass(frozen=True, eq=False)
class Coefficients:
    """Coefficients of covariates, of either sign: coordinates are coefficients times the standard deviations of their columns."""

    axes: tuple[Axis, ...]
    deviations: Array

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return len(self.axes)

    def params(self, eta: Array, unit: float) -> tuple[Array, Array]:  # noqa: ARG002
        """Coefficients, and their own derivatives by the coordinates: they have no logs."""
        return eta / self.deviations, np.diag(1 / self.deviations)

    def eta(self, params: Array, unit: float) -> Array:  # noqa: ARG002
        """Coordinates of coefficients."""
        return params * self.deviations


Part = Rates | Chances | Amounts | Power | Coefficients


@dataclass(frozen=True)
class Coordinates:
    """All coordinates of a model, for a typical length of history ``unit``.

    ``stated``: priors that a user states of parameters. Densities by the logs of a part's parameters are those by its coordinates, as the
    determinant is 1 for each: a stated prior so takes the place of one axis' prior, see :attr:`weak`. ``shift``, where there are
    coefficients, of shape (n_others, n_coefficients): what the logs of the other parameters are more, per coefficient, than their
    coordinates say, which are those of the mean customer.
    """

    parts: tuple[Part, ...]
    unit: float
    stated: tuple[Stated, ...] = ()
    shift: Array | None = None

    @property
    def axes(self) -> list[Axis]:
        """The axes of all parts."""
        return [axis for part in self.parts for axis in part.axes]

    @cached_property
    def shear(self) -> Array:
        """What turns coordinates into those of the priors: the identity, but for :class:`Amounts`."""
        return linalg.block_diag(*(_SHEAR if isinstance(part, Amounts) else np.eye(part.size) for part in self.parts))

    @property
    def low(self) -> Array:
        """Lower bounds."""
        return np.array([axis.low for axis in self.axes])

    @property
    def high(self) -> Array:
        """Upper bounds."""
        return np.array([axis.high for axis in self.axes])

    def params(self, eta: Array) -> tuple[Array, Array]:
        """Parameters, and the derivatives of their logs (of coefficients: their own) by the coordinates."""
        values, blocks, place = [], np.zeros((len(eta), len(eta))), 0
        for part in self.parts:
            inside = slice(place, place + part.size)
            found, blocks[inside, inside] = part.params(eta[inside], self.unit)
            values.append(found)
            place += part.size
        found = np.concatenate(values)
        if self.shift is not None:
            m = len(self.shift)
            found[:m] *= np.exp(self.shift @ found[m:])
            blocks[:m, m:] = self.shift @ blocks[m:, m:]
        return found, blocks

    def jacobian(self, eta: Array) -> tuple[Array, Array]:
        """Parameters, and their derivatives by the coordinates."""
        found, slopes = self.params(eta)
        positive = np.concatenate([np.full(part.size, not isinstance(part, Coefficients)) for part in self.parts])
        return found, np.where(positive, found, 1.0)[:, None] * slopes

    def eta(self, params: Array) -> Array:
        """Coordinates of parameters."""
        if self.shift is not None:
            m = len(self.shift)
            params = np.append(params[:m] * np.exp(-self.shift @ params[m:]), params[m:])
        out, place = [], 0
        for part in self.parts:
            out.append(part.eta(params[place : place + part.size], self.unit))
            place += part.size
        return np.concatenate(out)

    @cached_property
    def weak(self) -> npt.NDArray[np.bool_]:
        """Axes that keep their own weak prior: all but those in whose place a parameter's prior was stated.

        The axis of a parameter is the one at its place. Of a Beta distribution of which one parameter alone has a stated prior that is
        the strength: its mean keeps its own.
        """
        kept, place = np.ones(sum(part.size for part in self.parts), dtype=bool), 0
        for part in self.parts:
            named = [one.place - place for one in self.stated if place <= one.place < place + part.size]
            for k in [1] if isinstance(part, Chances) and len(named) == 1 else named:
                kept[place + k] = False
            place += part.size
        return kept

    def log_prior(self, eta: Array) -> tuple[float, Array]:
        """Log density of the prior and its gradient."""
        shear = self.shear
        found = [axis.log_prior(float(value)) for axis, value in zip(self.axes, shear @ eta, strict=True)]
        weak = self.weak
        total = sum(value for (value, _), kept in zip(found, weak, strict=True) if kept)
        gradient = np.where(weak, [slope for _, slope in found], 0.0) @ shear
        if self.stated:
            params, slopes = self.params(eta)
            for one in self.stated:
                with np.errstate(divide="ignore"):
                    value, slope = one.log_prior(float(np.log(params[one.place])))
                total, gradient = total + value, gradient + slope * slopes[one.place]
        return total, gradient

    def prior_information(self, eta: Array) -> Array:
        """About the curvature of the prior at some coordinates, of shape (d, d)."""
        shear = self.shear
        weights = [1 / (axis.deviation or 1.8) ** 2 if kept else 0.0 for axis, kept in zip(self.axes, self.weak, strict=True)]
        found: Array = shear.T @ np.diag(weights) @ shear
        if self.stated:
            slopes = self.params(eta)[1]
            for one in self.stated:
                found = found + np.outer(slopes[one.place], slopes[one.place]) / one.deviation**2
        return found


def with_prior(f: Objective, where: Coordinates, share: float = 1.0) -> Objective:
    """A log-likelihood plus a share of the log density of the priors, with its gradient.

    Parameters
    ----------
    f : callable
    where : Coordinates
    share : float
        As much of the prior as ``f`` has of the customers.
    """

    def total(eta: Array) -> tuple[float, Array]:
        value, gradient = f(eta)
        prior, slope = where.log_prior(eta)
        return value + share * prior, gradient + share * slope

    return total


@dataclass(frozen=True)
class Optimum:
    """Where the log-likelihood is highest: coordinates, value, Hessian of its negative, and the boundary's name if on one.

    ``lesser``: log-likelihoods of lesser optima to which other starts led, highest first.
    """

    eta: Array
    value: float
    hessian: Array
    boundary: str | None
    lesser: tuple[float, ...] = ()


def hessian(f: Objective, eta: Array, step: float = 1e-4) -> Array:
    """Hessian of −f by central differences of the analytic gradient, of a shorter step where f is so steep that it must be."""
    rows = []
    for k in range(len(eta)):
        shift = np.zeros(len(eta))
        shift[k] = step
        row = (f(eta - shift)[1] - f(eta + shift)[1]) / (2 * step)
        width = _SPAN / np.sqrt(max(float(row[k]), 1e-300))
        if width < step:
            shift[k] = width
            row = (f(eta - shift)[1] - f(eta + shift)[1]) / (2 * width)
        rows.append(row)
    found = np.array(rows)
    return (found + found.T) / 2


def _inverse_step(curvature: Array, gradient: Array) -> Array:
    """Newton step with negative and tiny curvatures replaced, so that it always climbs; none where nothing is finite."""
    if not (np.isfinite(curvature).all() and np.isfinite(gradient).all()):
        return np.zeros(len(gradient))
    # One steep coordinate must not make the curvature of the others look like none.
    scale = 1 / np.sqrt(np.maximum(np.abs(np.diag(curvature)), 1.0))
    values, vectors = np.linalg.eigh(scale[:, None] * curvature * scale)
    values = np.maximum(np.abs(values), 1e-7 * max(float(np.abs(values).max()), 1e-300))
    return scale * (vectors @ ((vectors.T @ (scale * gradient)) / values))


def newton(
    f: Objective, eta: Array, free: npt.NDArray[np.bool_], curvature: Array | None = None, steps: int = 60
) -> tuple[Array, float, bool]:
    """Climb to the optimum in the coordinates that are free; a given Hessian is kept while it serves."""
    value, gradient = f(eta)
    if not free.any():
        return eta, value, True
    before = np.inf
    h = hessian(f, eta) if curvature is None else curvature
    keep = np.ix_(free, free)
    for _ in range(steps):
        step = np.zeros(len(eta))
        step[free] = _inverse_step(h[keep], gradient[free])
        gain = float(gradient @ step) / 2
        # Rounding of a sum of this size bounds what can be gained.
        if gain < max(1e-10, 1e-15 * abs(value)):
            # The last step costs little, and takes what is left: else parameters would hang on where the climb began.
            there = eta + step
            found, _ = f(there)
            return (there, found, True) if np.isfinite(found) and found >= value - 1e-12 * abs(value) else (eta, value, True)
        if gain > before / 4:
            h, before = hessian(f, eta), np.inf
            continue
        before = gain
        length = min(1.0, 3.0 / float(np.abs(step).max()))
        for _ in range(30):
            there = eta + length * step
            found, slope = f(there)
            if np.isfinite(found) and found >= value - 1e-12 * abs(value):
                break
            length, before = length / 3, np.inf
        else:
            return eta, value, gain < 1e-6
        eta, value, gradient = there, found, slope
    return eta, value, False


def _climb(f: Objective, start: Array, low: Array, high: Array, most: int) -> tuple[Array, float]:
    """L-BFGS-B within the bounds."""
    with one_thread():
        found = optimize.minimize(
            lambda eta: tuple(-part for part in f(eta)),
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=list(zip(low, high, strict=True)),
            options={"maxiter": most, "ftol": 1e-13, "gtol": 1e-9, "maxcor": 12},
        )
    return found.x, -float(found.fun)


def maximise(
    name: str, f: Objective, thin: Objective, share: float, where: Coordinates, starts: Sequence[Array], most: int
) -> Optimum:
    """Find the optimum, on the boundary or inside it.

    Parameters
    ----------
    name : str
        Of the model, for the error.
    f, thin : callable
        Log-likelihood and gradient on all states, and on a thinned sample of customers that only brings near the optimum.
    share : float
        Customers in the thinned sample as a share of all.
    where : Coordinates
    starts : sequence of arrays
        The best three are followed.
    most : int
        Iterations of each.

    Raises
    ------
    ConvergenceError
        No start led to an optimum.
    """
    low, high = where.low, where.high
    size = 1 / max(abs(thin(starts[0])[0]), 1.0)

    def scaled(eta: Array) -> tuple[float, Array]:
        value, gradient = thin(eta)
        return (value * size, gradient * size) if np.isfinite(value) else (-1e10, np.zeros(len(eta)))

    ranked = sorted((np.clip(start, low, high) for start in starts), key=lambda start: -scaled(start)[0])[:3]
    found = [_climb(scaled, start, low, high, most) for start in ranked]
    tried = [f"start {k + 1}: log-likelihood {value / size:.6g}" for k, (_, value) in enumerate(found)]
    found.sort(key=lambda one: -one[1])
    optimum = _settle(f, thin, share, found[0][0], low, high)
    # What the other starts led to, where it is not the same: it is followed to its end too, and the better one is taken.
    lesser: list[float] = []
    for eta, value in found[1:]:
        if found[0][1] - value < _SAME * size:
            continue
        other = _settle(f, thin, share, eta, low, high)
        ahead = other[1] - optimum[1]
        if ahead > _SAME or (ahead >= -_SAME and other[2] and not optimum[2]):
            optimum, other = other, optimum
        within = (other[0] > low + 0.5) & (other[0] < high - 0.5)
        if other[2] and within.all() and optimum[1] - other[1] > _SAME and _peaks(f, other[0]):
            lesser.append(other[1])
    inside = (optimum[0] > low + 0.5) & (optimum[0] < high - 0.5)
    h = hessian(f, np.clip(optimum[0], low + 1e-3, high - 1e-3))
    if not np.isfinite(h).all():
        raise ConvergenceError.not_reached(name, tried)
    deviation = np.sqrt(np.diag(np.linalg.pinv(h)).clip(0))
    # A curvature of next to nothing beside a steep one is rounded off by the inverse.
    flat = (deviation > 3) | (np.diag(h) < 1 / 9)
    suspects = np.flatnonzero(~inside | flat | (np.linalg.eigvalsh(h)[0] <= 0))
    ends = [(k, low[k], where.axes[k].at_low) for k in suspects] + [(k, high[k], where.axes[k].at_high) for k in suspects]
    limits = [(k, bound, label) for k, bound, label in ends if label is not None]
    # Without drop-out its other coordinate is free: the plainest name of that limit comes first.
    limits.sort(key=lambda limit: limit[2] != NO_DROPOUT)
    best: tuple[float, Array, str] | None = None
    for k, bound, label in limits:
        there, value, _ = _bounded(f, int(k), float(bound), optimum[0], low, high)
        better = value >= optimum[1] - _SAME and (best is None or value > best[0] + _SAME)
        if better and _levels_off(f, int(k), there, low, high):
            best = value, there, label
    lesser.sort(reverse=True)
    if best is not None:
        return Optimum(best[1], best[0], h, best[2], tuple(lesser))
    if not optimum[2] or not inside.all():
        raise ConvergenceError.not_reached(name, [*tried, f"Newton's method from the best: {optimum[1]:.6g}"])
    return Optimum(optimum[0], optimum[1], h, None, tuple(lesser))


def _peaks(f: Objective, eta: Array) -> bool:
    """Whether the log-likelihood falls on all sides: an optimum, and no plateau on the way to a boundary."""
    h = hessian(f, eta)
    return bool(np.isfinite(h).all() and np.linalg.eigvalsh(h)[0] > 1e-2)


def _levels_off(f: Objective, k: int, there: Array, low: Array, high: Array) -> bool:
    """Whether the log-likelihood nears a limit beyond the bounds; where it goes on rising, they are only where the search ended."""
    side = np.where(there >= high - 1e-6, 1.0, 0.0) - np.where(there <= low + 1e-6, 1.0, 0.0)
    slope = np.maximum(side * f(there)[1], 0.0)
    # Other coordinates may be at their bounds too, and only together go on.
    rising = slope > _SAME
    if not rising.any():
        return True
    further = there + side * rising
    held = k if rising[k] else int(np.flatnonzero(rising)[0])
    least, most = np.where(rising, further, low), np.where(rising, further, high)
    further = _bounded(f, held, float(further[held]), further, least, most)[0]
    return bool((side * f(further)[1])[rising].sum() < _SHRINKS * slope.sum())


def _settle(f: Objective, thin: Objective, share: float, eta: Array, low: Array, high: Array) -> tuple[Array, float, bool]:
    """Newton's method on all states, first with the Hessian of the thinned sample."""
    free = (eta > low + 1e-6) & (eta < high - 1e-6)
    guess = hessian(thin, eta) / share
    there, value, fine = newton(f, eta, free, guess if np.linalg.eigvalsh(guess)[0] > 0 else None)
    if ((there < low) | (there > high)).any():
        clipped = np.clip(there, low, high)
        return clipped, f(clipped)[0], True
    return there, value, fine


def _bounded(f: Objective, k: int, bound: float, eta: Array, low: Array, high: Array) -> tuple[Array, float, bool]:
    """Optimum with one coordinate held at a bound."""
    start = eta.copy()
    start[k] = bound
    low, high = low.copy(), high.copy()
    low[k] = high[k] = bound
    size = 1 / max(abs(f(start)[0]), 1.0)
    there, _ = _climb(lambda e: tuple(part * size for part in f(e)), start, low, high, 200)  # type: ignore[arg-type,return-value]
    free = (there > low + 1e-6) & (there < high - 1e-6)
    found, value, fine = newton(f, there, free, steps=20)
    if ((found < low) | (found > high)).any():
        return there, f(there)[0], True
    return found, value, fine

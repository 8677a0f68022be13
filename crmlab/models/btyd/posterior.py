"""The posterior of a model's parameters by importance sampling, and quantiles of quantities by a quadratic surface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import stats

from crmlab.errors import ModelError
from crmlab.models.btyd.fitting import Coordinates, Objective, hessian, newton, with_prior
from crmlab.models.btyd.special import Array
from crmlab.models.intervals import normal_quantile

__all__ = ["FEW", "Posterior", "Surface", "certain", "log_cumulants_of", "of_few", "quantiles", "sample"]


# Below this a number that will be seen is far from lognormal: 0 may well come.
FEW = 50.0
_FREEDOM = 5.0
_STEP = 1.4
# A sample with an effective size under this share of the draws is not used.
_USABLE = 0.1
# With weights of so small a share nothing is learnt of the posterior's shape: weights are flattened until the share is this.
_FLAT = 0.05
# Proposals tried: as many as make a usable sample better, and as many as may lead to one.
_TRIES, _MORE = 4, 24
# Eigenvalues further apart than this are rounding error.
_CONDITION = 1e-10


@dataclass
class Posterior:
    """Weighted draws of coordinates.

    Attributes
    ----------
    eta : array of shape (n, d)
    weight : array of shape (n,)
        Sum to 1.
    share : float
        Effective sample size as a share of n.
    where : Coordinates
    normal : bool
        Whether the draws are of a normal distribution, so that moments need not be taken from them.
    """

    eta: Array
    weight: Array
    share: float
    where: Coordinates
    normal: bool = False

    @classmethod
    def of_normal(cls, mean: Array, root: Array, where: Coordinates, n: int, seed: int) -> Self:
        """A normal posterior of a known mean and root of the covariance, with draws in pairs around the mean; a root of 0 is certainty.

        Parameters
        ----------
        mean : array of shape (d,)
        root : array of shape (d, d)
        where : Coordinates
        n : int
            Draws.
        seed : int
        """
        half = np.random.default_rng(seed).standard_normal(((n + 1) // 2, len(mean)))
        z = np.vstack([half, -half])[:n]
        found = cls(mean + z @ root.T, np.full(n, 1 / n), 1.0, where, normal=True)
        # Known, and not to be worked out of the draws.
        found.__dict__.update(mean=mean, root=root)
        return found

    @cached_property
    def mean(self) -> Array:
        """Mean of the coordinates."""
        return self.weight @ self.eta

    @cached_property
    def root(self) -> Any:
        """Triangular root of the covariance of the coordinates."""
        return _triangular(self.eta - self.mean, self.weight)

    @cached_property
    def design(self) -> list[Array]:
        """Parameters at which a quantity must be known for its quadratic surface: 1 + 2d + d(d−1)/2 points.

        Where the posterior is normal it is narrow, and the mixed terms are left out.
        """
        d = self.eta.shape[1]
        one = _STEP * np.eye(d)
        z = [np.zeros(d), *one, *(-one)]
        if not self.normal:
            z += [one[i] + one[j] for i in range(d) for j in range(i + 1, d)]
        return [self.where.params(self.mean + self.root @ point)[0] for point in z]

    @cached_property
    def points(self) -> list[Array]:
        """Equally weighted parameters with the posterior's mean and covariance (a cubature of degree 3)."""
        d = self.eta.shape[1]
        return [self.where.params(self.mean + sign * np.sqrt(d) * self.root[:, k])[0] for k in range(d) for sign in (-1.0, 1.0)]

    @cached_property
    def _moments(self) -> tuple[Array, Array, Array]:
        """Mean, covariance and third central moments of the terms of the surface, under the draws."""
        z = (np.linalg.pinv(self.root) @ (self.eta - self.mean).T).T
        d = z.shape[1]
        terms = np.column_stack([z, z**2, *(z[:, i] * z[:, j] for i in range(d) for j in range(i + 1, d))])
        mean = self.weight @ terms
        gap = terms - mean
        heavy = gap * self.weight[:, None]
        return mean, heavy.T @ gap, np.einsum("si,sj,sk->ijk", heavy, gap, gap, optimize=True)

    def cumulants(self, values: list[Array]) -> tuple[Array, Array, Array]:
        """First three cumulants of a quantity from its values at the design.

        Parameters
        ----------
        values : list of arrays of shape (m,)
            On a scale on which the quantity is nearly normal, in the order of :attr:`design`.
        """
        d = self.eta.shape[1]
        middle, up, down = values[0], values[1 : d + 1], values[d + 1 : 2 * d + 1]
        linear = [(a - b) / (2 * _STEP) for a, b in zip(up, down, strict=True)]
        square = [(a + b - 2 * middle) / (2 * _STEP**2) for a, b in zip(up, down, strict=True)]
        if self.normal:
            # Of c + b'z + z'Az for standard normal z and diagonal A.
            k1, k2, k3 = middle.copy(), np.zeros_like(middle), np.zeros_like(middle)
            for b, a in zip(linear, square, strict=True):
                k1 += a
                k2 += b * b + 2 * a * a
                k3 += a * (6 * b * b + 8 * a * a)
            return k1, k2, k3
        pairs = [(i, j) for i in range(d) for j in range(i + 1, d)]
        cross = [(both - up[i] - up[j] + middle) / _STEP**2 for both, (i, j) in zip(values[2 * d + 1 :], pairs, strict=True)]
        mean, cov, third = self._moments
        coefficients = np.stack([*linear, *square, *cross])
        k1 = middle + mean @ coefficients
        k2 = np.einsum("in,in->n", coefficients, cov @ coefficients)
        k3 = np.zeros(len(middle))
        for one, by_two in zip(coefficients, third, strict=True):
            k3 += one * np.einsum("bn,bn->n", coefficients, by_two @ coefficients)
        return k1, k2, k3


def quantiles(cumulants: tuple[Array, Array, Array], level: float) -> tuple[Array, Array]:
    """Both ends of a central interval from three cumulants, by Cornish and Fisher's expansion.

    Examples
    --------
    >>> low, high = quantiles((np.zeros(1), np.ones(1), np.zeros(1)), 0.9)
    >>> low.round(6), high.round(6)
    (array([-1.644854]), array([1.644854]))
    """
    k1, k2, k3 = cumulants
    deviation = np.sqrt(np.maximum(k2, 0))
    skew = np.clip(np.divide(k3, deviation**3, out=np.zeros_like(k3), where=deviation > 0), -1.6, 1.6)
    z = normal_quantile(level)
    # The second-order term keeps tails right where the surface is curved.
    bend = [skew / 6 * (z * z - 1) - skew**2 / 36 * (2 * side**3 - 5 * side) for side in (-z, z)]
    return k1 + deviation * (-z + bend[0]), k1 + deviation * (z + bend[1])


def of_few(mean: Array, variance: Array, level: float) -> Array:
    """Both ends of the interval of a small number, in whole numbers: negative binomial, or Poisson where it varies no more.

    Parameters
    ----------
    mean, variance : arrays of shape (n,)
    level : float

    Returns
    -------
    array of shape (2, n)

    Examples
    --------
    >>> of_few(np.array([3.0]), np.array([3.0]), 0.9).tolist()
    [[1.0], [6.0]]
    """
    mean = np.maximum(mean, 1e-12)
    size = mean / np.maximum(variance / mean - 1, 1e-6)
    found: Array = stats.nbinom.ppf(np.array([[(1 - level) / 2], [(1 + level) / 2]]), size, size / (size + mean))
    return found


def certain(yes: Array, level: float) -> tuple[Array, Array]:
    """Narrowest interval of a yes (1) or no (0) that holds with the level.

    Examples
    --------
    >>> [end.tolist() for end in certain(np.array([0.02, 0.5, 0.98]), 0.9)]
    [[0.0, 0.0, 1.0], [0.0, 1.0, 1.0]]
    """
    return np.where(1 - yes <= 1 - level, 1.0, 0.0), np.where(yes <= 1 - level, 0.0, 1.0)


def _triangular(gap: Array, weight: Array) -> Array:
    """Triangular root of a weighted covariance; a column of zeros for what does not vary, or only with what stands before it."""
    covariance = (gap * weight[:, None]).T @ gap
    deviation = np.sqrt(np.maximum(np.diag(covariance), 0))
    scale = np.where(deviation > 0, deviation, 1.0)
    rest, d = covariance / np.outer(scale, scale), len(covariance)
    root = np.zeros((d, d))
    for k in range(d):
        if rest[k, k] > 1e-14:
            root[k:, k] = rest[k:, k] / np.sqrt(rest[k, k])
            rest = rest - np.outer(root[:, k], root[:, k])
    return scale[:, None] * root


@dataclass(frozen=True, kw_only=True, eq=False)
class Surface:
    """A log-likelihood: with its gradient, alone, and the coordinates in which both are told."""

    objective: Objective
    value: Callable[[Array], float]
    where: Coordinates


def sample(
    name: str,
    surface: Surface,
    start: Array,
    information: Array | None,
    n: int,
    seed: int,
    large: bool,
) -> Posterior:
    """Draw from the posterior: Laplace's approximation at the mode, corrected by weights of a multivariate t.

    Parameters
    ----------
    surface : Surface
    start : array of shape (d,)
        The optimum of the likelihood.
    information : array of shape (d, d), optional
        Hessian there, where it is inside the bounds.
    large : bool
        Whether one evaluation is so dear that the normal approximation is taken where it holds along all axes.

    Raises
    ------
    ModelError
        The effective sample size is under 10%.
    """
    value, where = surface.value, surface.where
    total = with_prior(surface.objective, where)
    guess = None if information is None else information + where.prior_information(start)
    mode, _, _ = newton(total, start, np.ones(len(start), dtype=bool), guess)
    # What the posterior moves beyond all bounds is as good as known: it is held there.
    free = (mode >= where.low) & (mode <= where.high)
    if not free.all():
        mode, _, _ = newton(total, np.clip(mode, where.low, where.high), free)
    # With many customers the prior moves the mode so little that the curvature is the same.
    curvature = guess if large and guess is not None else hessian(total, mode)
    root = _root(curvature, where, free)
    if not free.any():
        return Posterior(np.tile(mode, (n, 1)), np.full(n, 1 / n), 1.0, where, normal=True)
    rng = np.random.default_rng(seed)
    if large and _is_normal(value, where, mode, root):
        half = rng.standard_normal((max(n // 2, 1), root.shape[1]))
        z = np.vstack([half, -half])
        return Posterior(mode + z @ root.T, np.full(len(z), 1 / len(z)), 1.0, where, normal=True)
    centre = mode
    best: Posterior | None = None
    for tried in range(1, _TRIES + _MORE + 1):
        eta, weight, share = _weighted(rng, value, where, centre, root, n)
        if best is None or share > best.share:
            best = Posterior(eta, weight, share, where)
        if best.share > 0.5 or (tried >= _TRIES and best.share >= _USABLE):
            break
        # Where the posterior is skewed, a second proposal with its own mean and covariance covers it better.
        shape = best if best.share >= _FLAT else Posterior(eta, _flattened(weight), share, where)
        if np.linalg.matrix_rank(shape.root) < free.sum():
            root = root * 2  # nothing was met: further out
            continue
        centre, root = shape.mean, shape.root[:, free] * 1.05
    assert best is not None
    if not best.share >= _USABLE:
        raise ModelError(
            f"{name}: the posterior sample is not usable. Expected an effective sample size of at least 10%. "
            f"Found {best.share:.1%}. Fit to more customers, or to a longer history."
        )
    return best


def _root(curvature: Array, where: Coordinates, free: npt.NDArray[np.bool_]) -> Array:
    """Root of the inverse of a curvature, along the axes of the priors where their rounding allows; of what is free."""
    if free.all():
        back = np.linalg.inv(where.shear)
        values, vectors = np.linalg.eigh(back.T @ curvature @ back)
        if values[0] > _CONDITION * values[-1]:
            return back @ (vectors / np.sqrt(np.maximum(values, 1e-3)))
    inner = curvature[np.ix_(free, free)]
    scale = 1 / np.sqrt(np.maximum(np.abs(np.diag(inner)), 1e-3))
    values, vectors = np.linalg.eigh(scale[:, None] * inner * scale)
    root = np.zeros((len(curvature), int(free.sum())))
    root[free] = scale[:, None] * vectors / np.sqrt(np.maximum(values, 1e-3))
    return root


def _flattened(weight: Array) -> Array:
    """Weights to a power below 1, the highest at which the effective sample size is a share worth learning from."""
    with np.errstate(divide="ignore"):
        log_weight = np.log(weight) - np.log(weight.max())
    low, high = 0.0, 1.0
    found = np.where(np.isfinite(log_weight), 1.0, 0.0)
    for _ in range(30):
        power = (low + high) / 2
        flat = np.exp(power * np.where(np.isfinite(log_weight), log_weight, 0.0)) * np.isfinite(log_weight)
        if 1 / ((flat / flat.sum()) ** 2).sum() / len(flat) >= _FLAT:
            low, found = power, flat
        else:
            high = power
    return found / found.sum()


def _is_normal(value: Callable[[Array], float], where: Coordinates, mode: Array, root: Array) -> bool:
    """Whether the log posterior falls by 2 at two deviations along every axis, within a quarter."""
    top = value(mode) + where.log_prior(mode)[0]
    for axis in root.T:
        for side in (-2.0, 2.0):
            there = mode + side * axis
            if not abs(top - value(there) - where.log_prior(there)[0] - 2.0) < 0.25:
                return False
    return True


def _weighted(
    rng: np.random.Generator, value: Callable[[Array], float], where: Coordinates, centre: Array, root: Array, n: int
) -> tuple[Array, Array, float]:
    d = root.shape[1]
    z = rng.standard_normal((n, d)) / np.sqrt(rng.chisquare(_FREEDOM, n) / _FREEDOM)[:, None]
    eta = centre + z @ root.T
    proposal = stats.multivariate_t.logpdf(z, df=_FREEDOM, shape=np.eye(d)).reshape(n)
    # Beyond the bounds of the coordinates (five deviations of the priors) the log-likelihood is only rounding error.
    inside = ((eta >= where.low) & (eta <= where.high)).all(axis=1)
    target = np.full(n, -np.inf)
    target[inside] = [value(one) + where.log_prior(one)[0] for one in eta[inside]]
    target[~np.isfinite(target)] = -np.inf
    if not np.isfinite(target).any():
        return eta, np.full(n, 1 / n), 0.0
    log_weight = target - proposal
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    return eta, weight, float(1 / (weight**2).sum() / n)


def log_cumulants_of(model: Any, function: Callable[[Array], Array], point: Array) -> tuple[Array, Array, Array]:
    """First three cumulants of the logs of some quantities over a model's posterior.

    Parameters
    ----------
    model : estimator
        Fitted, or with given parameters: the quantities are then constants.
    function : callable
        Coordinates → quantities, an array of shape (n,).
    point : array of shape (n,)
        The quantities at the estimate.
    """
    if model.has_posterior:
        found: tuple[Array, Array, Array] = model.log_cumulants(function)
        return found
    return np.log(np.maximum(point, 1e-300)), np.zeros(len(point)), np.zeros(len(point))

"""Outcomes adjusted by what was known before the campaign: one slope for all cells, one variance for each, and how sure both are.

The variance is bias-reduced in the manner of HC2: residuals are smaller than errors because the slope was fitted to them, and small
cells feel it. HC2 divides each squared residual by one less its leverage; here the sums of squared residuals of the cells are solved
for the one variance that each cell has, so that the estimates are unbiased also where the cells' variances differ, and sums over
customers are enough. Degrees of freedom are Bell and McCaffrey's: those of the chi-square that has the mean and the variance of the
estimate, with each cell's variance as it was estimated. Without covariates both are Welch's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crmlab.models.btyd.special import Array

__all__ = ["CommonSlope", "diagonal_spread"]

_SINGULAR = 1e-10  # share of the largest direction under which covariates are taken to repeat each other


@dataclass(frozen=True, eq=False)
class CommonSlope:
    """A regression with one slope for all cells, from sums. Leading axes, such as those of simulated campaigns, are kept: ``…``.

    Attributes
    ----------
    slope : array of shape (…, k)
        Change of the outcome per unit of each covariate, inside cells.
    variances : array of shape (…, cells)
        Of what the covariates leave of one unit's outcome; unbiased, whatever the variances of the other cells.
    inner : array of shape (…, cells, k, k)
        Sums of products of the covariates' deviations.
    inverse : array of shape (…, k, k)
        Of their sum over cells, generalised where covariates repeat each other.
    solver : array of shape (…, cells, cells)
        Takes the cells' sums of squared residuals to their variances.
    uncertainty : array of shape (…, cells, cells)
        Half the covariance of the cells' sums of squared residuals, for normal outcomes; over the square of the mean variance.

    References
    ----------
    Bell and McCaffrey (2002), Bias reduction in standard errors for linear regression with multi-stage samples, Survey Methodology
    28. Imbens and Kolesár (2016), Robust standard errors in small samples: some practical advice, Review of Economics and
    Statistics 98, section II. Rao (1970), Estimation of heteroscedastic variances in linear models, JASA 65 (unbiased variances).

    Examples
    --------
    >>> products = [[[14.0, 6.0], [6.0, 10.0]], [[20.0, 10.0], [10.0, 12.0]]]  # of an outcome and a covariate, in two cells
    >>> CommonSlope.of([8, 8], products).slope.round(4).tolist()
    [0.7273]
    """

    slope: Array
    variances: Array
    inner: Array
    inverse: Array
    solver: Array
    uncertainty: Array

    @classmethod
    def of(cls, units: npt.ArrayLike, products: npt.ArrayLike) -> CommonSlope:
        """Fit the slope, and what it leaves in each cell.

        Parameters
        ----------
        units : array of shape (cells,)
            Customers or households of each cell, at least 2 k + 2.
        products : array of shape (…, cells, 1 + k, 1 + k)
            Sums of products of deviations from the cell's means, of the outcome and then the covariates.

        Returns
        -------
        CommonSlope
            Where a variance would not come out above 0, which happens by chance in small cells, HC2's are taken: unbiased where
            cells vary alike, and never below 0.
        """
        table, freedom = np.asarray(products, dtype=float), np.asarray(units, dtype=float) - 1
        own, cross, inner = table[..., 0, 0], table[..., 0, 1:], table[..., 1:, 1:]
        inverse = _inverse(inner.sum(axis=-3))
        slope = (inverse @ cross.sum(axis=-2)[..., None])[..., 0]
        fitted = 2 * np.einsum("...ck,...k->...c", cross, slope) - np.einsum("...k,...ckl,...l->...c", slope, inner, slope)
        left = np.maximum(own - fitted, 0.0)
        taken = inverse[..., None, :, :] @ inner
        leverage = np.trace(taken, axis1=-2, axis2=-1)  # of all units of a cell together
        expected = np.einsum("...ckl,...dlk->...cd", taken, taken) + _diagonal(freedom - 2 * leverage)
        solver = np.linalg.pinv(expected)
        hc2 = _diagonal(1 / np.maximum(freedom - leverage, 1e-9))
        solved = (np.einsum("...cd,...d->...c", solver, left) > 0).all(axis=-1)
        solver = np.where(solved[..., None, None], solver, hc2)
        variances = np.einsum("...cd,...d->...c", solver, left)
        unit = variances.mean(axis=-1, keepdims=True)
        relative = variances / np.where(unit > 0, unit, 1.0)
        return cls(slope, variances, inner, inverse, solver, _uncertainty(freedom, inner, inverse, relative))

    def spread(self, weights: npt.ArrayLike, base: npt.ArrayLike, away: npt.ArrayLike) -> tuple[Array, Array]:
        """Covariance and degrees of freedom of weighted sums of the cells' adjusted means.

        Parameters
        ----------
        weights : array of shape (m, cells)
        base : array of shape (cells,)
            Variance of a cell's mean over that of a unit: 1 / n where units are customers.
        away : array of shape (…, cells, k)
            Means of the covariates in each cell, less those at which the outcome is taken.

        Returns
        -------
        (covariance, freedom) : array of shape (…, m, m), (…, m)
        """
        L = np.asarray(weights, dtype=float)
        turned = (L @ np.asarray(away, dtype=float)) @ self.inverse
        each = np.einsum("...mk,...ckl,...nl->...cmn", turned, self.inner, turned)
        each = each + np.einsum("mc,nc,c->cmn", L, L, np.asarray(base, dtype=float))
        covariance = np.einsum("...cmn,...c->...mn", each, self.variances)
        by_residuals = np.einsum("...cmm,...cd->...md", each, self.solver)
        spread = np.einsum("...mc,...cd,...md->...m", by_residuals, self.uncertainty, by_residuals)
        with np.errstate(divide="ignore", invalid="ignore"):
            total = np.diagonal(covariance, axis1=-2, axis2=-1) / self.variances.mean(axis=-1)[..., None]
            freedom = np.where(total > 0, total**2 / spread, 1.0)
        return covariance, np.maximum(freedom, 1.0)


def diagonal_spread(weights: npt.ArrayLike, variances: npt.ArrayLike, freedoms: npt.ArrayLike) -> tuple[Array, Array]:
    """Covariance and Satterthwaite's degrees of freedom of weighted sums of independent values.

    Parameters
    ----------
    weights : array of shape (m, cells)
    variances, freedoms : array of shape (cells,)
        Of the values.

    Returns
    -------
    (covariance, freedom) : array of shape (m, m), (m,)

    References
    ----------
    Welch (1947), The generalization of 'Student's' problem when several different population variances are involved, Biometrika 34.

    Examples
    --------
    >>> covariance, freedom = diagonal_spread([[1.0, -1.0]], [0.5, 0.5], [7.0, 7.0])
    >>> covariance.tolist(), freedom.round(9).tolist()
    ([[1.0]], [14.0])
    """
    L, each = np.asarray(weights, dtype=float), np.asarray(variances, dtype=float)
    covariance = (L * each) @ L.T
    share = L**2 * each / np.diag(covariance)[:, None]
    return covariance, 1 / (share**2 @ (1 / np.asarray(freedoms, dtype=float)))


def _inverse(inner: Array) -> Array:
    """Generalised inverse of sums of products, whatever the covariates' units."""
    scale = np.sqrt(np.diagonal(inner, axis1=-2, axis2=-1))
    scale = np.where(scale > 0, scale, 1.0)
    outer = scale[..., :, None] * scale[..., None, :]
    return np.asarray(np.linalg.pinv(inner / outer, rcond=_SINGULAR, hermitian=True) / outer)


def _diagonal(values: Array) -> Array:
    return np.asarray(values[..., None] * np.eye(values.shape[-1]))


def _uncertainty(freedom: Array, inner: Array, inverse: Array, variances: Array) -> Array:
    """Half the covariance of the cells' sums of squared residuals: squared norms of the blocks of residuals' covariance."""
    slope = inverse @ np.einsum("...c,...ckl->...kl", variances, inner) @ inverse
    both = variances[..., :, None] + variances[..., None, :]
    blocks = slope[..., None, None, :, :] - both[..., None, None] * inverse[..., None, None, :, :]
    turned = inner[..., :, None, :, :] @ blocks  # of the one cell
    back = inner[..., None, :, :, :] @ blocks  # of the other
    found = np.einsum("...cdkl,...cdlk->...cd", turned, back)
    own = 2 * variances * np.trace(np.einsum("...cckl->...ckl", turned), axis1=-2, axis2=-1)
    return np.asarray(found + _diagonal(variances**2 * freedom + own))

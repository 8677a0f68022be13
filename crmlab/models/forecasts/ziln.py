"""Zero-inflated lognormal amounts: nothing with some chance, else an amount whose logarithm is normal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import optimize, special
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from crmlab.errors import ConvergenceError, ModelError, TooLittleError
from crmlab.models.checked import checked_amounts, checked_number
from crmlab.models.classification import varies
from crmlab.models.threads import one_thread

__all__ = ["ZILN", "ziln_loss", "ziln_mean"]

Array = npt.NDArray[np.float64]
_LEAST_SCALE = 1e-7**0.5  # of the logarithm of amounts, as in the published code
_LEAST_AMOUNTS = 5
_SHARP = 1e-5  # largest slope of the mean loss at an optimum


def ziln_loss(labels: npt.ArrayLike, logits: npt.ArrayLike) -> Array:
    """Negative log-likelihood of amounts.

    Parameters
    ----------
    labels : array of shape (n,)
        At least 0.
    logits : array of shape (n, 3)
        Log odds that the amount is above 0; mean of its logarithm; standard deviation of its logarithm, before softplus.

    Returns
    -------
    array of shape (n,)

    Raises
    ------
    ModelError
        Labels are negative, a number is missing, or shapes do not go together.

    References
    ----------
    Wang, Liu and Miao (2019), A deep probabilistic model for customer lifetime value prediction, arXiv:1912.07753, equation (3).

    Examples
    --------
    >>> ziln_loss([0.0, 1.5], [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]).round(6).tolist()
    [0.744397, 1.878373]
    """
    y, z = checked_amounts("ziln_loss", "labels", labels), _checked_logits("ziln_loss", logits)
    if y.shape != (len(z),) or (y < 0).any():
        expectation = f"{len(z):,} amounts of at least 0"
        raise ModelError.expected("ziln_loss", "labels", expectation, f"shape {y.shape}, least {y.min(initial=0):g}")
    some = y > 0
    loss = _odds_loss(some, z[:, 0])[0]
    loss[some] += _amount_loss(np.log(y[some]), z[some, 1:])[0]
    return loss


def ziln_mean(logits: npt.ArrayLike) -> Array:
    """Mean amount: p exp(mu + sigma² / 2).

    Parameters
    ----------
    logits : array of shape (n, 3)
        As of :func:`ziln_loss`.

    Returns
    -------
    array of shape (n,)

    Raises
    ------
    ModelError
        A number is missing, or there are not three in a row.

    Examples
    --------
    >>> ziln_mean([[0.1, 0.2, 0.3]]).round(4).tolist()
    [0.9236]
    """
    z = _checked_logits("ziln_mean", logits)
    return np.asarray(np.exp(special.log_expit(z[:, 0]) + z[:, 1] + _scale(z[:, 2]) ** 2 / 2))


class ZILN(BaseEstimator):
    """Zero-inflated lognormal regression whose three logits are linear in the features.

    Parameters
    ----------
    ridge : float
        Strength of the penalty: half of it times the sum of squared weights of the standardised features. Intercepts are free.
    least_scale : float
        Logarithms of amounts are taken to be known up to this standard deviation, which is added to what is seen (in squares). Where
        amounts are all the same, or small whole numbers, the likelihood would otherwise grow without end as it goes to 0.

    Attributes
    ----------
    coef_ : array of shape (features, 3)
        Of each logit, per unit of each feature; 0 for a feature that does not vary.
    intercept_ : array of shape (3,)
    n_features_in_ : int

    References
    ----------
    Wang, Liu and Miao (2019), A deep probabilistic model for customer lifetime value prediction, arXiv:1912.07753; here with one linear
    layer, its exact gradient, and L-BFGS.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=(4000, 1))
    >>> y = (rng.random(4000) < 0.3) * np.exp(1 + x[:, 0] + 0.5 * rng.normal(size=4000))
    >>> ZILN().fit(x, y).coef_.round(1)[0, 1].item()
    1.0
    """

    def __init__(self, ridge: float = 1.0, least_scale: float = 0.1) -> None:
        self.ridge = ridge
        self.least_scale = least_scale

    def fit(self, X: Any, y: Any) -> Self:
        """Learn the weights.

        Parameters
        ----------
        X : array of shape (n, features)
        y : array of shape (n,)
            Amounts of at least 0.

        Returns
        -------
        ZILN
            Itself.

        Raises
        ------
        ModelError
            Shapes do not go together, an amount or the penalty is negative, or the least scale is not above 0.
        TooLittleError
            Fewer than five amounts are above 0, or none is 0.
        ConvergenceError
            No optimum was reached.
        """
        design, amounts = checked_amounts("ZILN", "X", X), checked_amounts("ZILN", "y", y)
        if design.ndim != 2 or amounts.shape != (len(design),):
            raise ModelError.expected(
                "ZILN", "X", "a table with as many rows as amounts", f"{design.shape} and {amounts.shape}"
            )
        if (amounts < 0).any():
            raise ModelError.expected("ZILN", "y", "at least 0", float(amounts.min()))
        ridge = checked_number("ZILN", "ridge", self.ridge, "of at least 0")
        if not 0 <= ridge < np.inf:
            raise ModelError.expected("ZILN", "ridge", "a number of at least 0", ridge)
        least = checked_number("ZILN", "least_scale", self.least_scale, "above 0")
        if not 0 < least < np.inf:
            raise ModelError.expected("ZILN", "least_scale", "a number above 0", least)
        some = amounts > 0
        if some.sum() < _LEAST_AMOUNTS or some.all():
            found = f"{int(some.sum()):,} and {int((~some).sum()):,}"
            raise TooLittleError.needs("ZILN", f"{_LEAST_AMOUNTS} amounts above 0, and one of 0", found)
        logs = np.log(amounts, out=np.zeros(len(amounts)), where=some)
        middle, spread = design.mean(axis=0), design.std(axis=0)
        free = [k for k in range(design.shape[1]) if varies(design[:, k])]
        standard = (design[:, free] - middle[free]) / spread[free]
        theta = _fitted(standard, logs, some, (ridge, least))
        coef = np.zeros((design.shape[1], 3))
        coef[free] = theta[1:] / spread[free][:, None]
        self.coef_, self.intercept_, self.n_features_in_ = coef, theta[0] - middle @ coef, design.shape[1]
        return self

    def decision_function(self, X: Any) -> Array:
        """Logits of each row, shape (n, 3)."""
        check_is_fitted(self)
        design = checked_amounts("ZILN", "X", X)
        if design.ndim != 2 or design.shape[1] != self.n_features_in_:
            raise ModelError.expected("ZILN", "X", f"a table of {self.n_features_in_:,} features", f"shape {design.shape}")
        return np.asarray(design @ self.coef_ + self.intercept_)

    def predict(self, X: Any) -> Array:
        """Mean amount of each row, shape (n,)."""
        return ziln_mean(self.decision_function(X))


def _fitted(standard: Array, logs: Array, some: npt.NDArray[np.bool_], given: tuple[float, float]) -> Array:
    """Intercepts and weights, shape (1 + features, 3), that make the penalised loss least.

    The loss is a sum of one in the first logit, of all rows, and one in the other two, of amounts above 0: each has its own search.
    """
    ridge, least = given
    design = np.column_stack([np.ones(len(logs)), standard])
    start = np.zeros((design.shape[1], 3))
    start[0] = special.logit(some.mean()), logs[some].mean(), np.log(np.expm1(np.hypot(logs[some].std(), least)))
    chance = _least(lambda z: _odds_loss(some, z[:, 0]), design, start[:, :1], ridge)
    amount = _least(lambda z: _amount_loss(logs[some], z, least), design[some], start[:, 1:], ridge)
    return np.column_stack([chance, amount])


def _least(loss: Callable[[Array], tuple[Array, Array]], design: Array, start: Array, ridge: float) -> Array:
    """Weights, of the shape of ``start``, for which the loss of the rows and the penalty are least; the first weights are free."""
    n = len(design)

    def penalised(flat: Array) -> tuple[float, Array]:
        theta = flat.reshape(start.shape)
        each, slope = loss(design @ theta)
        held = theta.copy()
        held[0] = 0.0
        slopes = design.T @ slope.reshape(n, -1) + ridge * held
        return float(each.sum() + ridge / 2 * (held**2).sum()) / n, slopes.ravel() / n

    options = {"maxiter": 2000, "maxfun": 4000, "ftol": 1e-14, "gtol": _SHARP / 2}
    with one_thread():
        found = optimize.minimize(penalised, start.ravel(), jac=True, method="L-BFGS-B", options=options)
    if not np.isfinite(found.x).all() or not np.abs(found.jac).max() < _SHARP:
        raise ConvergenceError.not_reached("ZILN", [f"L-BFGS from the plain means, {found.nit:,} steps"])
    return np.asarray(found.x.reshape(start.shape))


def _scale(logit: Array) -> Array:
    return np.maximum(np.logaddexp(0.0, logit), _LEAST_SCALE)


def _odds_loss(some: npt.NDArray[np.bool_], odds: Array) -> tuple[Array, Array]:
    """Loss of each row by whether its amount is above 0, and its slope."""
    return np.logaddexp(0.0, odds) - some * odds, special.expit(odds) - some


def _amount_loss(logs: Array, logits: Array, least: float = 0.0) -> tuple[Array, Array]:
    """Loss of each amount above 0, and its slope along the two logits of the logarithm; ``least`` is added to deviations, in squares."""
    scale = _scale(logits[:, 1])
    z, square = (logs - logits[:, 0]) / scale, ((logs - logits[:, 0]) ** 2 + least**2) / scale**2
    along = special.expit(logits[:, 1]) * (scale > _LEAST_SCALE)
    loss = square / 2 + np.log(scale) + logs + np.log(2 * np.pi) / 2
    return loss, np.column_stack([-z / scale, (1 - square) / scale * along])


def _checked_logits(model: str, logits: npt.ArrayLike) -> Array:
    found = checked_amounts(model, "logits", logits)
    if found.ndim != 2 or found.shape[1] != 3:
        raise ModelError.expected(model, "logits", "three numbers in each row", f"shape {found.shape}")
    return found

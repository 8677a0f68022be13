"""Ingredients of a score, blended by logistic regression into the probability of a yes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from crmlab.errors import ModelError

Array = npt.NDArray[np.float64]


class Blend(BaseEstimator):
    """Logistic regression whose weights may be held at 0 or above.

    Parameters
    ----------
    ridge : float
        Strength of the penalty: half of it times the sum of squared weights of the standardised ingredients.
    positive : tuple of int
        Columns whose weight may not be negative: where the fit makes one so, it is set to 0 and the rest fitted again.

    Attributes
    ----------
    coef_ : array of shape (ingredients,)
        Log odds per unit of each ingredient.
    intercept_ : float
    n_features_in_ : int

    Notes
    -----
    The intercept is not penalised: so on what it was fitted to, the probabilities add up to the number of yeses.

    Examples
    --------
    >>> blend = Blend(ridge=0.0).fit([[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]], [0, 0, 1, 1, 1, 0])
    >>> blend.predict_proba([[0.0], [1.0]])[:, 1].round(4).tolist()
    [0.3333, 0.6667]
    """

    def __init__(self, ridge: float = 1.0, positive: tuple[int, ...] = ()) -> None:
        self.ridge = ridge
        self.positive = positive

    def fit(self, X: Any, y: Any) -> Blend:
        """Learn the weights.

        Parameters
        ----------
        X : array of shape (n, ingredients)
        y : array of shape (n,)
            0 or 1.

        Returns
        -------
        Blend
            Itself. Where all outcomes are the same, the weights are 0 and the intercept is that of half a yes more.

        Raises
        ------
        ModelError
            Shapes do not go together, or values are none.
        """
        design, yes = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
        if design.ndim != 2 or yes.shape != (len(design),) or not len(yes):
            raise ModelError.expected("Blend", "X", "a table with as many rows as outcomes, at least one", f"{design.shape}")
        if not np.isfinite(design).all() or not np.isin(yes, (0.0, 1.0)).all():
            raise ModelError.expected("Blend", "X and y", "numbers, and outcomes of 0 or 1", "others")
        n, m = design.shape
        middle, scale = design.mean(axis=0), design.std(axis=0)
        coef = np.zeros(m)
        rate = (yes.sum() + 0.5) / (n + 1)
        intercept = float(np.log(rate / (1 - rate)))
        free = np.flatnonzero(scale > 1e-12)
        if 0 < yes.sum() < n:
            while True:
                z = (design[:, free] - middle[free]) / scale[free]
                theta = _newton(np.column_stack([np.ones(n), z]), yes, self.ridge, intercept)
                negative = [k for k, column in enumerate(free) if column in self.positive and theta[1 + k] < 0]
                if not negative:
                    break
                free = np.delete(free, negative)
            coef[free] = theta[1:] / scale[free]
            intercept = float(theta[0] - coef @ middle)
        self.coef_, self.intercept_, self.n_features_in_ = coef, intercept, m
        return self

    def decision_function(self, X: Any) -> Array:
        """Log odds of a yes."""
        check_is_fitted(self)
        return np.asarray(np.asarray(X, dtype=np.float64) @ self.coef_ + self.intercept_)

    def predict_proba(self, X: Any) -> Array:
        """Probability of a no and of a yes, shape (n, 2)."""
        from scipy import special

        yes = special.expit(self.decision_function(X))
        return np.column_stack([1 - yes, yes])


def _newton(design: Array, yes: Array, ridge: float, start: float) -> Array:
    """Weights of a penalised logistic line."""
    from scipy import special

    penalty = np.full(design.shape[1], ridge)
    penalty[0] = 0.0
    theta = np.zeros(design.shape[1])
    theta[0] = start
    for _ in range(50):
        p = special.expit(design @ theta)
        gradient = design.T @ (yes - p) - penalty * theta
        curvature = (design * (p * (1 - p))[:, None]).T @ design + np.diag(penalty + 1e-9)
        step = np.clip(np.linalg.solve(curvature, gradient), -3.0, 3.0)
        theta = theta + step
        if np.abs(step).max() < 1e-8:
            break
    return theta

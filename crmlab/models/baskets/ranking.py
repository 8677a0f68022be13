"""How good ranked lists are: hit rate, recall, average precision, coverage, with intervals over customers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from crmlab.errors import ModelError
from crmlab.models.checked import checked_amounts, checked_level, checked_number, checked_outcomes, checked_places, checked_row
from crmlab.models.intervals import LEVEL

__all__ = ["Array", "Blend", "bootstrap_means", "hits_of", "list_measures"]


Array = npt.NDArray[np.float64]


def hits_of(
    row: npt.ArrayLike, column: npt.ArrayLike, wanted_row: npt.ArrayLike, wanted_column: npt.ArrayLike
) -> npt.NDArray[np.bool_]:
    """Say of each thing on a list whether it was wanted.

    Examples
    --------
    >>> hits_of([0, 0, 1], [5, 7, 5], [0, 1], [7, 9]).tolist()
    [False, True, False]
    """
    r, c = checked_places("hits_of", "row", row), checked_places("hits_of", "column", column)
    wr, wc = checked_places("hits_of", "wanted_row", wanted_row), checked_places("hits_of", "wanted_column", wanted_column)
    if r.shape != c.shape or wr.shape != wc.shape:
        raise ModelError.expected("hits_of", "row and column", "of one length", (r.shape, c.shape, wr.shape, wc.shape))
    width = int(max(c.max(initial=0), wc.max(initial=0))) + 1
    return np.isin(r * width + c, wr * width + wc)


def list_measures(row: npt.ArrayLike, rank: npt.ArrayLike, hit: npt.ArrayLike, wanted: npt.ArrayLike, k: int) -> pd.DataFrame:
    """Measure each customer's list of the best k.

    Parameters
    ----------
    row : array of int of shape (n,)
        Number of the customer of each thing on a list.
    rank : array of int of shape (n,)
        Place on the list, from 1.
    hit : array of bool of shape (n,)
        Whether the customer wanted it.
    wanted : array of int of shape (customers,)
        How many things each customer wanted.
    k : int
        Places looked at.

    Returns
    -------
    DataFrame
        One row per customer: hit_rate (1 where at least one was wanted, else 0), recall (share of what was wanted that is on the
        list), map (mean, over min(k, wanted), of the precision at each hit). 0 where nothing was wanted.

    Raises
    ------
    ModelError
        ``k`` is under 1, lengths differ, a hit is neither yes nor no, or a customer or a place is none.

    References
    ----------
    Manning, Raghavan and Schütze (2008), Introduction to Information Retrieval, section 8.4; cut at k as is usual.

    Examples
    --------
    Two of three are hits, at 1 and 3, of four wanted: (1/1 + 2/3) / 3.

    >>> list_measures([0, 0, 0], [1, 2, 3], [True, False, True], [4], 3).round(4).values.tolist()
    [[1.0, 0.5, 0.5556]]
    """
    if checked_number("list_measures", "k", k, "of at least 1") < 1:
        raise ModelError.expected("list_measures", "k", "a whole number of at least 1", k)
    who, place = checked_places("list_measures", "row", row), checked_places("list_measures", "rank", rank)
    yes, many = checked_outcomes("list_measures", hit), checked_row("list_measures", "wanted", wanted)
    if not who.shape == place.shape == yes.shape or who.ndim != 1:
        raise ModelError.expected("list_measures", "row, rank, hit", "of one length", (who.shape, place.shape, yes.shape))
    if len(who) and not (who.min() >= 0 and who.max() < len(many) and place.min() >= 1):
        expectation = f"numbers of customers from 0 to {len(many) - 1}, and places from 1"
        raise ModelError.expected("list_measures", "row and rank", expectation, (int(who.max()), int(place.min())))
    if not (np.isfinite(many) & (many >= 0)).all():
        raise ModelError.expected("list_measures", "wanted", "numbers of at least 0", many.tolist())
    some = place <= k
    order = np.lexsort((place[some], who[some]))
    who, place, yes = who[some][order], place[some][order], yes[some][order]
    n = len(many)
    so_far = np.cumsum(yes)
    start = np.flatnonzero(np.diff(who, prepend=-1))
    before: npt.NDArray[np.int64] = np.repeat(so_far[start] - yes[start], np.diff(start, append=len(who)))
    precision = np.where(yes, (so_far - before) / place, 0.0)
    found = np.bincount(who, yes, n)
    least = np.maximum(many, 1)
    return pd.DataFrame(
        {
            "hit_rate": (found > 0).astype(float),
            "recall": found / least,
            "map": np.bincount(who, precision, n) / np.minimum(k, least),
        }
    )


def bootstrap_means(
    values: npt.ArrayLike, *, level: float = LEVEL, draws: int = 1000, seed: int = 0
) -> tuple[Array, Array, Array]:
    """Means of columns with percentile intervals, rows drawn anew; the same rows for all columns, so that differences are paired.

    Parameters
    ----------
    values : array of shape (customers, columns)
    level : float
    draws : int
    seed : int

    Returns
    -------
    (mean, low, high) : array of shape (columns,)
        NaN where there are no rows.

    Raises
    ------
    ModelError
        The values are no table of numbers, or the level is not between 0 and 1.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, section 13.3. Each draw is a vector of multinomial counts.

    Examples
    --------
    >>> mean, low, high = bootstrap_means([[0.0], [1.0]] * 50)
    >>> float(mean[0]), bool(low[0] < 0.5 < high[0])
    (0.5, True)
    """
    table = checked_amounts("bootstrap_means", "values", values)
    level = checked_level("bootstrap_means", level)
    if table.ndim != 2:
        raise ModelError.expected("bootstrap_means", "values", "a table of numbers", f"shape {table.shape}")
    if not draws >= 1:
        raise ModelError.expected("bootstrap_means", "draws", "at least 1", draws)
    n, columns = table.shape
    if not n:
        nothing = np.full(columns, np.nan)
        return nothing, nothing.copy(), nothing.copy()
    rng = np.random.default_rng(seed)
    means = np.empty((draws, columns))
    step = max(1, 20_000_000 // n)
    for begin in range(0, draws, step):
        size = min(step, draws - begin)
        drawn = rng.integers(0, n, (size, n), dtype=np.int32)
        for j in range(size):
            means[begin + j] = np.bincount(drawn[j], minlength=n) @ table / n
    sides = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(means, sides, axis=0)
    return table.mean(axis=0), low, high


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
        design, yes = checked_amounts("Blend", "X", X), checked_outcomes("Blend", y).astype(np.float64)
        if design.ndim != 2 or yes.shape != (len(design),) or not len(yes):
            raise ModelError.expected("Blend", "X", "a table with as many rows as outcomes, at least one", f"{design.shape}")
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

    def likelihood(at: Array) -> float:
        odds = design @ at
        return float(yes @ odds - np.logaddexp(0.0, odds).sum() - (penalty * at**2).sum() / 2)

    reached = likelihood(theta)
    for _ in range(100):
        p = special.expit(design @ theta)
        gradient = design.T @ (yes - p) - penalty * theta
        curvature = (design * (p * (1 - p))[:, None]).T @ design + np.diag(penalty + 1e-9)
        step = np.clip(np.linalg.solve(curvature, gradient), -3.0, 3.0)
        # Where few outcomes lie far out, a whole step leaps over the top, and ever farther: it is halved until it climbs.
        while (climbed := likelihood(theta + step)) < reached and np.abs(step).max() >= 1e-8:
            step = step / 2
        theta, reached = theta + step, climbed
        if np.abs(step).max() < 1e-8:
            break
    return theta

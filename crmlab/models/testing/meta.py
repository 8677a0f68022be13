"""What past campaigns say together: their mean, how much they differ, each one shrunk, whether effects fade, and what to expect next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from crmlab.errors import ModelError
from crmlab.models.btyd.special import Array
from crmlab.models.checked import checked_amounts, checked_level
from crmlab.models.intervals import LEVEL, TEST_LEVEL, normal_quantile
from crmlab.models.testing.max_t import critical_value

__all__ = ["Fade", "Pooled", "fade", "pool", "pool_rounds"]


_APART = 1e6  # errors further apart leave nothing of a line but one point, by rounding


@dataclass(frozen=True, eq=False)
class Pooled:
    """Effects of several campaigns, pooled.

    Attributes
    ----------
    k : int
        Number of effects.
    tau : float
        Standard deviation of true effects between campaigns; tau_low, tau_high are its interval.
    mean, low, high : float
        Mean of true effects.
    next_low, next_high : float
        Prediction interval: where the true effect of the next campaign is expected.
    q, p_value : float
        Cochran's test that all true effects are the same.
    effects : DataFrame
        In the order given: raw, raw_low, raw_high, shrunk, low, high, pull (share of the way from raw to the mean).
    prior : (float, float)
        Mean and standard deviation of the next true effect: the next plan's prior. The deviation is that of a normal distribution
        with the same interval.
    level : float
    """

    k: int
    tau: float
    tau_low: float
    tau_high: float
    mean: float
    low: float
    high: float
    next_low: float
    next_high: float
    q: float
    p_value: float
    effects: pd.DataFrame
    prior: tuple[float, float]
    level: float


def pool(effects: npt.ArrayLike, errors: npt.ArrayLike, level: float = LEVEL) -> Pooled:
    """Pool effects of past campaigns by random effects, and shrink each to the mean.

    Parameters
    ----------
    effects, errors : array of shape (k,)
        Effects and their standard errors, k at least 2.
    level : float

    Returns
    -------
    Pooled
        tau by Paule and Mandel, intervals of the mean by Hartung and Knapp (never narrower than without their factor), of tau by the
        Q-profile. Shrunk values are the best predictors at that tau. Their intervals and that of the next effect allow for tau
        being known only roughly: they are averaged over all values of tau, as probable as the effects make them.

    Raises
    ------
    ModelError
        Fewer than two effects, or an error that is not above 0.

    References
    ----------
    Paule and Mandel (1982), Consensus values and weighting factors, Journal of Research of the NBS 87.
    Hartung and Knapp (2001), Statistics in Medicine 20. Viechtbauer (2007), Statistics in Medicine 26 (Q-profile).
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, equations (5.17) to (5.21), with tau uniform (shrunk, next).

    Examples
    --------
    Kacker (2004), Combining information from interlaboratory evaluations using a random effects model, Metrologia 41:

    >>> effects = [61.00, 61.40, 62.21, 62.30, 62.34, 62.60, 62.70, 62.84, 65.90]
    >>> variances = [0.2025, 1.2100, 0.0900, 0.2025, 0.3844, 0.5625, 0.0676, 0.0225, 1.8225]
    >>> round(pool(effects, np.sqrt(variances)).tau, 4)
    0.8399
    """
    level = checked_level("pool", level)
    y, s = _checked("pool", effects, errors, 2)
    k = len(y)
    X = np.ones((k, 1))
    tau2 = _between(y, s, X, k - 1.0)
    w = 1 / (s**2 + tau2)
    mean = float(w @ y / w.sum())
    factor = max(1.0, float(w @ (y - mean) ** 2) / (k - 1))
    variance = factor / float(w.sum())
    quantile = float(-special.stdtrit(k - 1, (1 - level) / 2))
    half = quantile * float(np.sqrt(variance))
    q = float((1 / s**2) @ (y - float((1 / s**2) @ y / (1 / s**2).sum())) ** 2)
    tail = (1 - level) / 2
    ends = [float(np.sqrt(_between(y, s, X, float(special.chdtri(k - 1, p))))) for p in (tail, 1 - tail)]
    shrunk, following = _predicted(y, s, tau2, mean, level)
    z = normal_quantile(level)
    return Pooled(
        k,
        float(np.sqrt(tau2)),
        ends[0],
        ends[1],
        mean,
        mean - half,
        mean + half,
        following[0],
        following[1],
        q,
        float(special.chdtrc(k - 1, q)),
        shrunk,
        (mean, (following[1] - following[0]) / (2 * z)),
        level,
    )


def pool_rounds(effects: npt.ArrayLike, covariances: npt.ArrayLike, level: float = TEST_LEVEL) -> pd.DataFrame:
    """Pool rounds of one test by inverse variance: the same cells sent again, whose true effects are taken to be the same.

    Campaigns that differ are for :func:`pool`.

    Parameters
    ----------
    effects : array of shape (k, m)
        Of m cells, each less its control, in k rounds.
    covariances : array of shape (k, m, m)
        Of the effects of each round.
    level : float

    Returns
    -------
    DataFrame
        effect, low, high of each cell; intervals hold for all cells at once (max-t, normal).

    Raises
    ------
    ModelError
        Fewer than two rounds, or a variance that is not above 0.

    Examples
    --------
    >>> pool_rounds([[1.0], [3.0]], [[[1.0]], [[3.0]]]).round(3).to_dict("records")
    [{'effect': 1.5, 'low': -0.197, 'high': 3.197}]
    """
    level = checked_level("pool_rounds", level)
    y = checked_amounts("pool_rounds", "effects", effects)
    V = checked_amounts("pool_rounds", "covariances", covariances)
    if y.ndim != 2 or len(y) < 2 or V.shape != (*y.shape, y.shape[1]):
        raise ModelError.expected(
            "pool_rounds", "effects", "at least 2 rounds, with a covariance each", f"{y.shape} and {V.shape}"
        )
    own = np.diagonal(V, axis1=1, axis2=2)
    if not (own > 0).all():
        raise ModelError.expected("pool_rounds", "covariances", "above 0 on the diagonal", own.tolist())
    weights = (1 / own) / (1 / own).sum(axis=0)
    value = (weights * y).sum(axis=0)
    covariance = np.einsum("rj,rl,rjl->jl", weights, weights, V)
    error = np.sqrt(np.diagonal(covariance))
    half = critical_value(covariance / np.outer(error, error), level) * error
    return pd.DataFrame({"effect": value, "low": value - half, "high": value + half})


def _checked(model: str, effects: npt.ArrayLike, errors: npt.ArrayLike, least: int) -> tuple[Array, Array]:
    y, s = checked_amounts(model, "effects", effects), checked_amounts(model, "errors", errors)
    if y.ndim != 1 or y.shape != s.shape or len(y) < least:
        raise ModelError.expected(model, "effects", f"at least {least}, each with its error", f"{y.shape} and {s.shape}")
    if not (s > 0).all():
        raise ModelError.expected(model, "errors", "finite and above 0", s.tolist())
    return y, s


def _between(y: Array, s: Array, X: Array, target: float) -> float:
    """Variance between campaigns at which the weighted sum of squares about the fit is ``target``; 0 where it is less at once."""
    from scipy import optimize

    def over(tau2: float) -> float:
        w = 1 / (s**2 + tau2)
        beta = np.linalg.solve((X.T * w) @ X, (X.T * w) @ y)
        return float(w @ (y - X @ beta) ** 2) - target

    if over(0.0) <= 0:
        return 0.0
    high = float(np.var(y)) + float((s**2).max())
    while over(high) > 0:
        high *= 2
    return float(optimize.brentq(over, 0.0, high, xtol=1e-14 * high, rtol=1e-13))


def _predicted(y: Array, s: Array, tau2: float, mean: float, level: float) -> tuple[pd.DataFrame, tuple[float, float]]:
    """Best predictors of the true effects, and the interval of the next one."""
    z = normal_quantile(level)
    pull = s**2 / (s**2 + tau2)
    shrunk = pull * mean + (1 - pull) * y
    tau, weight = _taus(y, s)
    total = s**2 + tau[:, None] ** 2
    spread = 1 / (1 / total).sum(axis=1)  # variance of the mean, at each tau
    middle = (y / total).sum(axis=1) * spread
    share = s**2 / total
    means = np.column_stack([share * middle[:, None] + (1 - share) * y, middle])
    variances = np.column_stack([(1 - share) * s**2 + share**2 * spread[:, None], tau**2 + spread])
    low, high = (_quantiles(means, np.sqrt(variances), weight, p) for p in ((1 - level) / 2, (1 + level) / 2))
    frame = pd.DataFrame(
        {
            "raw": y,
            "raw_low": y - z * s,
            "raw_high": y + z * s,
            "shrunk": shrunk,
            "low": np.minimum(low[:-1], shrunk),
            "high": np.maximum(high[:-1], shrunk),
            "pull": pull,
        }
    )
    return frame, (min(float(low[-1]), mean), max(float(high[-1]), mean))


def _taus(y: Array, s: Array) -> tuple[Array, Array]:
    """Values of tau, and how probable the effects make each, all being alike before."""
    scale = float(np.std(y) + np.median(s))
    nodes, width = special.roots_legendre(200)
    u = (1 + nodes) / 2
    tau = scale * u / (1 - u)
    total = s**2 + tau[:, None] ** 2
    spread = 1 / (1 / total).sum(axis=1)
    middle = (y / total).sum(axis=1) * spread
    log = (np.log(spread) - np.log(total).sum(axis=1) - ((y - middle[:, None]) ** 2 / total).sum(axis=1)) / 2
    if len(y) == 2:
        log -= np.log1p((tau / scale) ** 2)  # two effects do not say that tau is finite
    weight = np.exp(log - log.max()) * width / (1 - u) ** 2
    return tau, weight / weight.sum()


def _quantiles(means: Array, deviations: Array, weight: Array, p: float) -> Array:
    """Quantiles of mixtures of normal distributions, one per column."""
    far = 12 * deviations.max(axis=0) + np.ptp(means, axis=0)
    low, high = means.min(axis=0) - far, means.max(axis=0) + far
    for _ in range(100):
        middle = (low + high) / 2
        under = weight @ special.ndtr((middle - means) / deviations) < p
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    return (low + high) / 2


@dataclass(frozen=True)
class Fade:
    """Change of effects with time.

    Attributes
    ----------
    slope, low, high : float
        Change of the effect per unit of time.
    p_value : float
        That there is none; it inverts the interval.
    now : (float, float, float)
        Effect expected at the latest time, low, high.
    tau : float
        Standard deviation of true effects about the line.
    """

    slope: float
    low: float
    high: float
    p_value: float
    now: tuple[float, float, float]
    tau: float


def fade(effects: npt.ArrayLike, errors: npt.ArrayLike, times: npt.ArrayLike, level: float = LEVEL) -> Fade:
    """Whether effects fade: a line through past effects over time, by random-effects meta-regression.

    Parameters
    ----------
    effects, errors : array of shape (k,)
        k at least 3.
    times : array of shape (k,)
        Not all the same.
    level : float

    Raises
    ------
    ModelError
        Fewer than three effects, errors that are not above 0 or so far apart that one effect alone would count, or only one time.

    References
    ----------
    Knapp and Hartung (2003), Improved tests for a random effects meta-regression with a single covariate, Statistics in Medicine 22.

    Examples
    --------
    >>> found = fade([5.0, 4.0, 3.1, 2.0, 1.0], [0.2] * 5, [0, 1, 2, 3, 4])
    >>> round(found.slope, 2), found.high < 0
    (-1.0, True)
    """
    level = checked_level("fade", level)
    y, s = _checked("fade", effects, errors, 3)
    t = checked_amounts("fade", "times", times)
    if t.shape != y.shape or np.ptp(t) == 0:
        raise ModelError.expected("fade", "times", "one per effect, not all the same", t.tolist())
    if not s.max() < _APART * s.min():
        raise ModelError.expected("fade", "errors", f"within a factor of {_APART:,.0f} of each other", s.tolist())
    latest, scale = float(t.max()), float(np.ptp(t))
    X = np.column_stack([np.ones(len(y)), (t - latest) / scale])
    freedom = len(y) - 2
    tau2 = _between(y, s, X, float(freedom))
    w = 1 / (s**2 + tau2)
    covariance = np.linalg.inv((X.T * w) @ X)
    beta = covariance @ ((X.T * w) @ y)
    covariance *= max(1.0, float(w @ (y - X @ beta) ** 2) / freedom)
    error = np.sqrt(np.diag(covariance))
    quantile = float(-special.stdtrit(freedom, (1 - level) / 2))
    slope, its = float(beta[1]) / scale, float(error[1]) / scale
    half = quantile * float(error[0])
    p = 2 * float(special.stdtr(freedom, -abs(slope / its)))
    now = (float(beta[0]), float(beta[0]) - half, float(beta[0]) + half)
    return Fade(slope, slope - quantile * its, slope + quantile * its, p, now, float(np.sqrt(tau2)))

"""How good probabilities of a yes-or-no outcome are: ranking, calibration, the profit of acting on them, and what has drifted since."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special, stats

from crmlab.errors import ModelError
from crmlab.models.checked import checked_amounts, checked_level, checked_numbers, checked_outcomes, checked_row
from crmlab.models.intervals import LEVEL, normal_quantile

__all__ = [
    "Array",
    "auc",
    "average_precision",
    "bootstrap",
    "brier",
    "brier_skill",
    "calibration_line",
    "expected_maximum_profit",
    "gini",
    "gini_influence",
    "mean_with_interval",
    "stability_index",
    "top_lift",
    "varies",
]


Array = npt.NDArray[np.float64]
_EDGE = 1e-6  # probabilities are kept this far from 0 and 1 before their odds are taken
_ROUNDING = 1e-6  # a standard deviation below this share of the largest value is rounding


def auc(y: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Chance that a yes scores higher than a no; ties count half.

    Examples
    --------
    >>> auc([0, 1, 0, 1], [0.1, 0.4, 0.35, 0.8])
    1.0
    """
    yes, s = _checked(y, score)
    n1, n0 = float(yes.sum()), float((1 - yes).sum())
    if not n1 or not n0:
        return float("nan")
    return float((stats.rankdata(s)[yes > 0].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def average_precision(y: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Mean precision over the yeses, from the highest score down; equal scores are taken together.

    Examples
    --------
    >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)
    0.8333
    """
    yes, s = _checked(y, score)
    taken, hits = _from_the_top(yes, s)
    gained = np.diff(hits, prepend=0.0)
    return float((gained * hits / taken).sum() / yes.sum()) if yes.sum() else float("nan")


def brier(y: npt.ArrayLike, probability: npt.ArrayLike) -> float:
    """Mean squared difference between outcome and probability.

    Examples
    --------
    >>> brier([0, 1], [0.5, 0.5])
    0.25
    """
    yes, p = _checked(y, probability)
    return float(((yes - p) ** 2).mean())


def brier_skill(y: npt.ArrayLike, probability: npt.ArrayLike) -> float:
    """Share of the Brier score of the plain rate that a forecast takes off: 1 is perfect, 0 no better than the rate.

    Examples
    --------
    >>> brier_skill([0, 1], [0.0, 1.0])
    1.0
    """
    yes, _ = _checked(y, probability)
    plain = float(yes.mean() * (1 - yes.mean()))
    return 1 - brier(y, probability) / plain if plain else float("nan")


def calibration_line(y: npt.ArrayLike, probability: npt.ArrayLike) -> tuple[float, float]:
    """Intercept and slope of the outcome's log odds on those of the probability: 0 and 1 where probabilities are right.

    The intercept is that at slope 1 (calibration in the large): how far the odds are off in all.

    References
    ----------
    Cox (1958), Two further applications of a model for binary regression, Biometrika 45.

    Examples
    --------
    >>> intercept, slope = calibration_line([0, 0, 1, 0, 1, 1], [0.2, 0.2, 0.2, 0.8, 0.8, 0.8])
    >>> abs(round(intercept, 6)), round(slope, 6)
    (0.0, 0.5)
    """
    yes, p = _checked(y, probability)
    odds = special.logit(np.clip(p, _EDGE, 1 - _EDGE))
    if not 0 < yes.mean() < 1 or odds.std() == 0:
        return float("nan"), float("nan")

    slope = float(_newton(yes, np.column_stack([np.ones(len(odds)), odds]), np.array([0.0, 1.0]), np.zeros(len(odds)))[1])
    intercept = float(_newton(yes, np.ones((len(odds), 1)), np.zeros(1), odds)[0])
    return intercept, slope


def _newton(yes: Array, design: Array, theta: Array, offset: Array) -> Array:
    """Maximum likelihood of a logistic line; NaN where rows are told apart perfectly, so that there is none."""
    for _ in range(40):
        p = special.expit(design @ theta + offset)
        try:
            step = np.linalg.solve((design * (p * (1 - p))[:, None]).T @ design, design.T @ (yes - p))
        except np.linalg.LinAlgError:
            break
        theta = theta + np.clip(step, -5.0, 5.0)
        if np.abs(step).max() < 1e-9:
            return theta
    return np.full(len(theta), np.nan)


def top_lift(y: npt.ArrayLike, score: npt.ArrayLike, tenths: int = 1) -> float:
    """Rate of yes among the top tenths by score over that of all; where a tie straddles the cut, its expected value.

    Examples
    --------
    >>> top_lift([1, 0, 0, 0, 0, 0, 0, 0, 0, 1], [0.9, 0.9, 0, 0, 0, 0, 0, 0, 0, 0])
    2.5
    """
    if isinstance(tenths, bool) or not isinstance(tenths, int | np.integer) or not 1 <= tenths <= 10:
        raise ModelError.expected("top_lift", "tenths", "a whole number from 1 to 10", tenths)
    yes, s = _checked(y, score)
    size = max(len(yes) * int(tenths) // 10, 1)
    taken, hits = _from_the_top(yes, s)
    k = int(np.searchsorted(taken, size))
    before, found = (taken[k - 1], hits[k - 1]) if k else (0.0, 0.0)
    expected = found + (size - before) * (hits[k] - found) / (taken[k] - before)
    return float(expected / size / yes.mean()) if yes.sum() else float("nan")


def expected_maximum_profit(
    y: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    value: float = 200.0,
    offer: float = 10.0,
    contact: float = 1.0,
    accept: tuple[float, float] = (6.0, 14.0),
) -> tuple[float, float]:
    """Profit per customer of a retention campaign at the best cut, expected over how many accept the offer.

    Parameters
    ----------
    y : array of shape (n,)
        1 for who leaves.
    score : array of shape (n,)
    value : float
        Value of a customer who is kept.
    offer : float
        Cost of the offer, paid to whoever accepts it: would-be leavers with the chance, all others who are contacted.
    contact : float
        Cost of one contact.
    accept : (float, float)
        Beta distribution of the chance that a would-be leaver accepts and stays.

    Returns
    -------
    (profit, share)
        Expected maximum profit per customer, and the share of customers contacted at it, expected too.

    References
    ----------
    Verbraken, Verbeke and Baesens (2013), A novel profit maximizing metric for measuring classification performance of customer
    churn prediction models, IEEE Transactions on Knowledge and Data Engineering 25: equations (13) to (18).

    Examples
    --------
    >>> profit, _ = expected_maximum_profit([0, 1, 0, 1, 0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.8, 0.9])
    >>> round(profit, 9)
    23.875593418
    """
    if not (0 < value < np.inf and 0 <= offer < value and 0 <= contact < np.inf):
        expectation = "above 0, from 0 to under value, and at least 0"
        raise ModelError.expected("expected_maximum_profit", "value, offer and contact", expectation, (value, offer, contact))
    if not (len(accept) == 2 and all(0 < one < np.inf for one in accept)):
        raise ModelError.expected("expected_maximum_profit", "accept", "two numbers above 0", accept)
    yes, s = _checked(y, score)
    rate = float(yes.mean())
    if not 0 < rate < 1:
        return float("nan"), float("nan")
    taken, hits = _from_the_top(yes, s)
    found0 = np.concatenate([[0.0], hits / yes.sum()])
    found1 = np.concatenate([[0.0], (taken - hits) / (len(yes) - yes.sum())])
    hull = _hull(found1, found0)
    f0, f1 = found0[hull], found1[hull]
    d, f = offer / value, contact / value
    # Between two corners of the hull the later one pays from this chance to accept on.
    step0, step1 = np.diff(f0), np.diff(f1)
    with np.errstate(divide="ignore"):
        turn = ((1 - rate) * (d + f) * step1 + rate * f * step0) / (rate * (1 - d) * step0)
    edges = np.clip(np.concatenate([[0.0], turn, [1.0]]), 0.0, 1.0)
    edges = np.maximum.accumulate(edges)
    a, b = accept
    chance = np.diff(special.betainc(a, b, edges))
    mean = a / (a + b) * np.diff(special.betainc(a + 1, b, edges))
    profit = value * (rate * f0 * ((1 - d) * mean - f * chance) - (1 - rate) * f1 * (d + f) * chance)
    contacted = (rate * f0 + (1 - rate) * f1) * chance
    return float(profit.sum()), float(contacted.sum())


def bootstrap(
    measures: dict[str, Callable[[Array, Array], float]],
    y: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    level: float = LEVEL,
    draws: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Work out measures with percentile intervals from customers drawn anew.

    Parameters
    ----------
    measures : mapping of str to callable
        Each gets outcomes and scores.
    y, score : arrays of shape (n,)
    level : float
    draws : int
        Fewer are taken above 50,000 customers, whose intervals are narrow anyway.
    seed : int

    Returns
    -------
    DataFrame
        Indexed by measure: value, low, high.

    Examples
    --------
    >>> bootstrap({"auc": auc}, [0, 1] * 50, [0.2, 0.8] * 50).loc["auc"].tolist()
    [1.0, 1.0, 1.0]
    """
    level = checked_level("bootstrap", level)
    if not draws >= 1:
        raise ModelError.expected("bootstrap", "draws", "at least 1", draws)
    yes, s = _checked(y, score)
    rng = np.random.default_rng(seed)
    n = len(yes)
    count = draws if n <= 50_000 else max(draws // 4, 40)
    found = []
    for _ in range(count):
        some = rng.integers(0, n, n)
        found.append([of(yes[some], s[some]) for of in measures.values()])
    sides = [(1 - level) / 2, (1 + level) / 2]
    # Of some draws a measure may not be known (nobody churned, say); of none, it has no interval.
    columns = [column[np.isfinite(column)] for column in np.array(found).T]
    ends = np.array([np.quantile(column, sides) if len(column) else [np.nan, np.nan] for column in columns]).T
    point = [of(yes, s) for of in measures.values()]
    return pd.DataFrame({"value": point, "low": ends[0], "high": ends[1]}, index=pd.Index(list(measures), name="measure"))


def _checked(y: npt.ArrayLike, score: npt.ArrayLike) -> tuple[Array, Array]:
    yes, s = checked_outcomes("compare", y).astype(float), checked_amounts("compare", "scores", score)
    if yes.shape != s.shape or yes.ndim != 1 or not len(yes):
        raise ModelError.needs("compare", "outcomes and scores of one length", f"{yes.shape} and {s.shape}")
    return yes, s


def _from_the_top(yes: Array, score: Array) -> tuple[Array, Array]:
    """Customers taken, and yeses among them, after each distinct score from the highest down."""
    values, place = np.unique(-score, return_inverse=True)
    size = np.bincount(place, minlength=len(values)).astype(float)
    return np.cumsum(size), np.cumsum(np.bincount(place, weights=yes, minlength=len(values)))


def _hull(x: Array, y: Array) -> list[int]:
    """Places of the corners of the upper convex hull of a curve from (0, 0) to (1, 1)."""
    corners: list[int] = []
    # Plain floats: numbers of an array are several times slower one by one.
    across, up = x.tolist(), y.tolist()
    for k in range(len(across)):
        while len(corners) >= 2:
            i, j = corners[-2], corners[-1]
            if (across[j] - across[i]) * (up[k] - up[i]) - (up[j] - up[i]) * (across[k] - across[i]) < 0:
                break
            corners.pop()
        corners.append(k)
    return corners


def mean_with_interval(values: npt.ArrayLike, level: float = LEVEL) -> tuple[float, float, float]:
    """Mean of customers' values, with an interval from their spread.

    Parameters
    ----------
    values : array of shape (n,)
    level : float

    Returns
    -------
    (mean, low, high)
        The ends are NaN for fewer than two values, the mean too for none.

    Raises
    ------
    ModelError
        A value is missing or infinite, or the level is not between 0 and 1.

    Examples
    --------
    >>> mean_with_interval([1.0, 2.0, 3.0, 4.0]).__class__
    <class 'tuple'>
    """
    level = checked_level("mean_with_interval", level)
    found = checked_amounts("mean_with_interval", "values", checked_row("mean_with_interval", "values", values))
    mean = float(found.mean()) if len(found) else float("nan")
    if len(found) < 2:
        return mean, float("nan"), float("nan")
    half = normal_quantile(level) * float(found.std(ddof=1)) / np.sqrt(len(found))
    return mean, mean - half, mean + half


def gini(actual: npt.ArrayLike, predicted: npt.ArrayLike, level: float = LEVEL) -> tuple[float, float, float]:
    """How well a forecast ranks customers: the Gini coefficient of what came, ranked by the forecast, over that of a perfect ranking.

    1 where the forecast ranks as what came does, 0 where it ranks at random. Customers with equal forecasts share their ranks, so
    nothing depends on the order of rows.

    Parameters
    ----------
    actual : array of shape (n,)
        What came, at least 0 in sum.
    predicted : array of shape (n,)
    level : float

    Returns
    -------
    (gini, low, high)
        From -1 to 1; NaN where nothing came, or all got the same.

    Raises
    ------
    ModelError
        A value is missing, forecasts are not one for each, or the level is not between 0 and 1.

    References
    ----------
    The variance is that of the linearised ratio of two such indices; see Kakwani, Wagstaff and van Doorslaer (1997),
    Socioeconomic inequalities in health, Journal of Econometrics 77.

    Examples
    --------
    >>> gini([0.0, 1.0, 5.0, 9.0], [0.1, 0.2, 0.3, 0.4])[0]
    1.0
    """
    level = checked_level("gini", level)
    ratio, influence = gini_influence(actual, predicted)
    if np.isnan(ratio):
        return ratio, ratio, ratio
    half = normal_quantile(level) * float(np.sqrt((influence**2).mean() / len(influence)))
    return ratio, max(ratio - half, -1.0), min(ratio + half, 1.0)


def gini_influence(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> tuple[float, Array]:
    """The coefficient of :func:`gini`, and what each customer contributes to its error: the mean square over n is its variance.

    Examples
    --------
    >>> value, influence = gini_influence([0.0, 1.0, 5.0, 9.0], [2.0, 2.0, 2.0, 2.0])
    >>> value, bool(abs(influence.sum()) < 1e-12)
    (0.0, True)
    """
    y, p = checked_amounts("gini", "actual", actual), checked_amounts("gini", "predicted", predicted)
    if y.shape != p.shape or y.ndim != 1:
        raise ModelError.expected("gini", "predicted", "one for each of actual", (y.shape, p.shape))
    mean = float(np.sort(y).mean()) if len(y) else 0.0
    perfect = _index(y, y, mean) if mean > 0 else (0.0, y)
    if not perfect[0] > 0:
        return float("nan"), np.full(len(y), np.nan)
    ranked = _index(y, p, mean)
    ratio = ranked[0] / perfect[0]
    return ratio, (ranked[1] - ratio * perfect[1]) / perfect[0]


def _index(y: Array, by: Array, mean: float) -> tuple[float, Array]:
    """Concentration index of y ranked by another variable, and each customer's influence on it; sums do not know the order of rows."""
    n = len(y)
    order = np.lexsort((y, by))
    held, ranks = y[order], by[order]
    begins = np.flatnonzero(np.append(True, ranks[1:] != ranks[:-1]))
    size = np.diff(begins, append=n)
    groups = np.add.reduceat(held, begins)
    rank = np.repeat((begins + 0.5 * size) / n, size)
    above = np.repeat((groups.sum() - np.cumsum(groups) + 0.5 * groups) / n, size)
    theta = float((held * rank).mean())
    value = 2 * theta / mean - 1
    influence = np.empty(n)
    influence[order] = 2 * (held * rank + above - 2 * theta) / mean - 2 * theta * (held - mean) / mean**2
    return value, influence


def varies(values: npt.ArrayLike) -> bool:
    """Whether values differ by more than rounding: by their standard deviation, relative to the largest of them.

    A model that divides by the spread of a column must not be given one whose spread is rounding: it would learn from noise, and
    the next day's values would lie millions of standard deviations away.

    Parameters
    ----------
    values : array of shape (n,)
        Missing ones are left out.

    Returns
    -------
    bool
        False where no value is known, or all are the same but for a millionth of the largest.

    Examples
    --------
    >>> varies([1.0, 1.0 - 1e-8, 1.0 - 3e-8]), varies([1e-9, 3e-9]), varies([None, 2.0])
    (False, True, False)
    """
    found = checked_numbers("varies", "values", values)
    known = found[np.isfinite(found)]
    if not len(known):
        return False
    size = float(np.abs(known).max())
    return bool(size > 0 and float((known / size).std()) > _ROUNDING)


def stability_index(before: npt.ArrayLike, now: npt.ArrayLike, bins: int = 10) -> tuple[float, float]:
    """Population stability index: how far a distribution has moved, and how far chance alone would have moved it.

    The sum over bins of (q − p) ln(q / p), with the shares p before and q now. Bins are tenths of the values before, one for those
    below all of them, one for those above, and one for missing values. Half a value is added to each bin, so that none is empty.

    Parameters
    ----------
    before, now : arrays of shape (n,) and (m,)
        NaN where a value is missing.
    bins : int
        Of the values before; fewer where values are alike.

    Returns
    -------
    (index, chance)
        The index, at least 0, and the 95% quantile of what it would be if nothing had moved. By custom, up to 0.1 nothing has
        moved, above 0.25 much has; a shift of a normal distribution by d standard deviations gives about d².

    Raises
    ------
    ModelError
        There are no values, before or now.

    References
    ----------
    Siddiqi (2006), Credit Risk Scorecards, chapter 9: index and limits.
    Yurdakul and Naranjo (2020), Statistical properties of the population stability index, Journal of Risk Model Validation 14: the
    index is distributed as (1/n + 1/m) χ² with one degree of freedom less than there are bins.

    Examples
    --------
    >>> same, chance = stability_index(range(1000), range(1000))
    >>> same, same < chance
    (0.0, True)
    >>> moved, _ = stability_index(range(1000), range(500, 1500))
    >>> moved > 0.25
    True
    """
    old, new = checked_row("compare", "before", before), checked_row("compare", "now", now)
    if not len(old) or not len(new):
        raise ModelError.needs("compare", "values on both days", f"{len(old):,} and {len(new):,}")
    edges = _edges(old[~np.isnan(old)], bins)
    p, q = _binned(old, edges), _binned(new, edges)
    used = (p > 0) | (q > 0)
    p, q = p[used] + 0.5, q[used] + 0.5
    p, q = p / p.sum(), q / q.sum()
    chance = float(stats.chi2.ppf(0.95, max(len(p) - 1, 1))) * (1 / len(old) + 1 / len(new))
    return float(((q - p) * np.log(q / p)).sum()), chance


def _edges(known: Array, bins: int) -> Array:
    """Between which values bins are cut: midway between two, so that rounding moves nothing from one bin to another."""
    if not len(known):
        return np.array([])
    values, counts = np.unique(known, return_counts=True)
    place = np.searchsorted(np.cumsum(counts), len(known) * np.arange(1, bins) / bins)
    place = np.unique(place[place < len(values) - 1])
    slack = _ROUNDING * float(np.abs(values).max()) or _ROUNDING
    return np.concatenate([[values[0] - slack], (values[place] + values[place + 1]) / 2, [values[-1] + slack]])


def _binned(values: Array, edges: Array) -> Array:
    known = values[~np.isnan(values)]
    counts = np.bincount(np.searchsorted(edges, known), minlength=len(edges) + 1)
    return np.append(counts, len(values) - len(known)).astype(float)

"""Intervals of proportions, medians and shares of a total, and the quantile behind normal ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crmlab.errors import ModelError
from crmlab.models.checked import checked_amounts, checked_level, checked_numbers, checked_outcomes, checked_places

__all__ = [
    "FEW",
    "LEVEL",
    "TEST_LEVEL",
    "FloatArray",
    "clopper_pearson",
    "median_interval",
    "mixture_interval",
    "normal_quantile",
    "paired_difference",
    "proportion_intervals",
    "share_of_total",
    "wilson",
    "wilson_of",
]

FloatArray = npt.NDArray[np.float64]
LEVEL = 0.9  # of intervals, unless another is asked for
TEST_LEVEL = 0.95  # of the tests and intervals of campaigns


def _checked_counts(model: str, successes: npt.ArrayLike, n: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Counts as arrays of one shape; refuse those below 0, those above what they are of, and missing ones."""
    k, size = checked_amounts(model, "successes", successes), checked_amounts(model, "n", n)
    try:
        k, size = np.broadcast_arrays(k, size)
    except ValueError as error:
        raise ModelError.expected(
            model, "successes and n", "as many of the one as of the other", (k.shape, size.shape)
        ) from error
    if (size < 0).any():
        raise ModelError.expected(model, "n", "a number of at least 0", size[size < 0].ravel()[0])
    wrong = ~((k >= 0) & (k <= size))
    if wrong.any():
        of = f"from 0 to n = {size[wrong].ravel()[0]:,.12g}"
        raise ModelError.expected(model, "successes", of, k[wrong].ravel()[0])
    return k, size


def normal_quantile(level: float) -> float:
    """How many standard errors an interval of a normal estimate reaches to either side.

    Parameters
    ----------
    level : float
        Confidence level, in (0, 1).

    Returns
    -------
    float
        The quantile of the standard normal distribution at (1 + level) / 2.

    Examples
    --------
    >>> round(normal_quantile(0.95), 7)
    1.959964
    """
    from scipy import special

    return float(special.ndtri((1 + checked_level("normal_quantile", level)) / 2))


def wilson(successes: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Interval of a proportion by Wilson's score method.

    Parameters
    ----------
    successes, n : int
        Number that have the property, number in all.
    level : float
        Confidence level.

    Returns
    -------
    (low, high) : float
        Both in [0, 1]; (0, 1) where n is 0.

    Raises
    ------
    ModelError
        A count is below 0 or above n, or the level is not between 0 and 1.

    References
    ----------
    Wilson (1927), "Probable inference, the law of succession, and statistical inference", JASA 22.

    Examples
    --------
    >>> low, high = wilson(19, 38, 0.95)
    >>> round(low, 7), round(high, 7)
    (0.3484993, 0.6515007)
    """
    level = checked_level("wilson", level)
    if np.ndim(successes) or np.ndim(n):
        raise ModelError.expected("wilson", "successes and n", "one number each", (np.shape(successes), np.shape(n)))
    _checked_counts("wilson", successes, n)
    if n == 0:
        return 0.0, 1.0
    low, high = wilson_of(successes / n, n, level)
    return 0.0 if successes == 0 else low, 1.0 if successes == n else high


def wilson_of(share: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's interval of a share, of a number that need not be whole: customers who come in households know less than so many would.

    Parameters
    ----------
    share : float
    n : float
        Above 0.
    level : float

    Examples
    --------
    >>> [round(end, 7) for end in wilson_of(0.5, 38, 0.95)]
    [0.3484993, 0.6515007]
    """
    z = normal_quantile(level)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return max(0.0, middle - half), min(1.0, middle + half)


def clopper_pearson(successes: npt.ArrayLike, n: npt.ArrayLike, level: float = LEVEL) -> tuple[FloatArray, FloatArray]:
    """Exact intervals of proportions, which hold their level whatever the proportion.

    Parameters
    ----------
    successes, n : array
        Number that have the property, number in all.
    level : float
        Confidence level.

    Returns
    -------
    (low, high) : ndarray
        In [0, 1]; (0, 1) where n is 0.

    Raises
    ------
    ModelError
        A count is below 0 or above n, or the level is not between 0 and 1.

    References
    ----------
    Clopper and Pearson (1934), "The use of confidence or fiducial limits illustrated in the case of the binomial", Biometrika 26.

    Examples
    --------
    >>> low, high = clopper_pearson(19, 21, 0.95)
    >>> round(float(low), 4), round(float(high), 4)
    (0.6962, 0.9883)
    """
    from scipy import special

    k, size = _checked_counts("clopper_pearson", successes, n)
    tail = (1 - checked_level("clopper_pearson", level)) / 2
    with np.errstate(invalid="ignore"):
        low = np.where(k > 0, special.betaincinv(np.maximum(k, 1e-300), size - k + 1, tail), 0.0)
        high = np.where(k < size, special.betaincinv(k + 1, np.maximum(size - k, 1e-300), 1 - tail), 1.0)
    return low, high


_LEAST = 1e-300  # of a number or a width, so that it has a log, and something can be divided by it
_HALVINGS = 60  # of the range in which a quantile lies: to the last digit
FEW = 10  # fewer successes or failures than this, and a proportion's interval is the exact one


def proportion_intervals(successes: npt.ArrayLike, n: npt.ArrayLike, level: float = LEVEL) -> tuple[FloatArray, FloatArray]:
    """Intervals of many proportions: Wilson's, and the exact one where fewer than 10 have the property or fewer than 10 have not.

    Parameters
    ----------
    successes, n : array
        Number that have the property, number in all.
    level : float
        Confidence level.

    Returns
    -------
    (low, high) : ndarray
        In [0, 1]; (0, 1) where n is 0.

    Raises
    ------
    ModelError
        A count is below 0 or above n, or the level is not between 0 and 1.

    Examples
    --------
    >>> low, high = proportion_intervals([19, 19], [38, 21], 0.95)
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.3485, 0.6962], [0.6515, 0.9883])
    """
    from scipy import special

    k, size = _checked_counts("proportion_intervals", successes, n)
    level = checked_level("proportion_intervals", level)
    z = -float(special.ndtri((1 - level) / 2))
    some = np.maximum(size, 1)
    middle, half = k / some + z * z / (2 * some), z * np.sqrt(k / some * (1 - k / some) / some + z * z / (4 * some * some))
    low, high = (middle - half) / (1 + z * z / some), (middle + half) / (1 + z * z / some)
    few = np.minimum(k, size - k) < FEW
    if few.any():
        exact_low, exact_high = clopper_pearson(np.where(few, k, 0), np.where(few, size, 1), level)
        low, high = np.where(few, exact_low, low), np.where(few, exact_high, high)
    return low, high


def paired_difference(first_only: int, second_only: int, n: int, level: float = LEVEL) -> tuple[float, float, float]:
    """Difference of two shares of the same people, with an interval that keeps to its level where few differ.

    Parameters
    ----------
    first_only, second_only : int
        People of whom the one holds and not the other.
    n : int
        People, those of whom both or neither hold among them; at least 1.
    level : float

    Returns
    -------
    (difference, low, high)
        The first share less the second.

    Raises
    ------
    ModelError
        A count is no whole number of at least 0, nobody is there, more differ than there are people, or the level is not between 0
        and 1.

    References
    ----------
    Agresti and Min (2005), Simple improved confidence intervals for comparing matched proportions, Statistics in Medicine 24,
    729-740: half a person is added to each of the four cells.

    Examples
    --------
    Three of twenty who differ one way and none the other are not enough; five are.

    >>> [round(end, 3) for end in paired_difference(3, 0, 20)]
    [0.15, -0.005, 0.278]
    >>> paired_difference(5, 0, 20)[1] > 0
    True
    """
    given = (("first_only", first_only), ("second_only", second_only), ("n", n))
    first, second, size = (int(checked_places("paired_difference", name, [value])[0]) for name, value in given)
    if not size:
        raise ModelError.expected("paired_difference", "n", "a whole number of at least 1", n)
    if first + second > size:
        raise ModelError.expected(
            "paired_difference", "first_only and second_only", f"at most n = {size:,} together", first + second
        )
    gap, differ, people = first - second, first + second + 1, size + 2
    half = normal_quantile(level) * np.sqrt(differ - gap**2 / people) / people
    difference = gap / size
    low, high = max(-1.0, float(gap / people - half)), min(1.0, float(gap / people + half))
    return difference, min(low, difference), max(high, difference)


def mixture_interval(
    value: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike, weights: npt.ArrayLike, level: float = LEVEL
) -> tuple[FloatArray, FloatArray]:
    """Intervals of positive numbers of which several models tell, each with an interval, and each right with a probability.

    Parameters
    ----------
    value, low, high : arrays of shape (n_models, n)
        What each model tells of each number: its median, and the ends of an interval at the level, in this order.
    weights : array of shape (n_models,)
        Probabilities of the models.
    level : float
        Confidence level.

    Returns
    -------
    (low, high) : ndarray of shape (n,)
        Quantiles of the mixture of what models say: of each the log is normal, as wide below the median and above it as its interval is.

    Raises
    ------
    ModelError
        Shapes do not match, weights are no probabilities, a number is missing, ends are not in order, or the level is not between 0 and 1.

    References
    ----------
    Hoeting, Madigan, Raftery and Volinsky (1999), Bayesian model averaging: a tutorial, Statistical Science 14.

    Examples
    --------
    >>> low, high = mixture_interval([[10.0], [20.0]], [[9.0], [18.0]], [[11.0], [22.0]], [0.5, 0.5])
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([9.21], [21.54])
    """
    from scipy import special

    z = normal_quantile(level)
    point, lower, upper = (checked_numbers("mixture_interval", "value, low, high", part) for part in (value, low, high))
    share = checked_amounts("mixture_interval", "weights", weights)
    if point.ndim != 2 or not point.shape == lower.shape == upper.shape or share.shape != point.shape[:1]:
        raise ModelError.expected("mixture_interval", "value, low, high", "one row per weight", point.shape)
    if (share < 0).any() or not abs(float(share.sum()) - 1) < 1e-9:
        raise ModelError.expected("mixture_interval", "weights", "probabilities that add up to 1", share.tolist())
    if not ((lower >= 0) & (lower <= point) & (point <= upper) & np.isfinite(upper)).all():
        raise ModelError.expected("mixture_interval", "value, low, high", "finite, and 0 ≤ low ≤ value ≤ high", "others")
    logs = [np.log(np.maximum(part, _LEAST)) for part in (lower, point, upper)]
    # An end that is the median itself is a jump there.
    down, up = (np.maximum(logs[k + 1] - logs[k], _LEAST) / z for k in (0, 1))

    def below(x: FloatArray) -> FloatArray:
        gap = x - logs[1]
        found: FloatArray = share @ special.ndtr(gap / np.where(gap < 0, down, up))
        return found

    ends = []
    for part in ((1 - level) / 2, (1 + level) / 2):
        # The quantile of a mixture lies among those of its parts.
        own = logs[0] if part < 0.5 else logs[2]
        left, right = own.min(axis=0), own.max(axis=0)
        for _ in range(_HALVINGS):
            middle = (left + right) / 2
            less = below(middle) < part
            left, right = np.where(less, middle, left), np.where(less, right, middle)
        ends.append(np.exp((left + right) / 2))
    return ends[0], ends[1]


def median_interval(values: npt.ArrayLike, level: float = LEVEL) -> tuple[float, float]:
    """Interval of a median from order statistics, without any assumption about the distribution.

    Parameters
    ----------
    values : array of shape (n,)
    level : float
        Confidence level, reached at least.

    Returns
    -------
    (low, high) : float
        Two of the values. NaN where even the lowest and highest do not reach the level: under 6 values at 95%.

    Raises
    ------
    ModelError
        A value is missing, or the level is not between 0 and 1.

    References
    ----------
    David and Nagaraja (2003), Order Statistics, section 7.1.

    Examples
    --------
    >>> median_interval(range(1, 101), 0.95)
    (40.0, 61.0)
    """
    from scipy import stats

    level = checked_level("median_interval", level)
    ordered = np.sort(checked_numbers("median_interval", "values", values).ravel())
    n = len(ordered)
    if np.isnan(ordered).any():
        raise ModelError.expected("median_interval", "values", "numbers, none of them missing", np.nan)
    # The number of values under the median is binomial(n, 1/2): leave out at most (1 - level) / 2 on each side.
    rank = int(stats.binom.ppf((1 - level) / 2, n, 0.5)) if n else 0
    if rank == 0:
        return float("nan"), float("nan")
    return float(ordered[rank - 1]), float(ordered[n - rank])


def share_of_total(values: npt.ArrayLike, member: npt.ArrayLike, level: float = LEVEL) -> tuple[float, float, float]:
    """Share of a total that a group holds, with an interval over the sampling of customers.

    The share is a ratio of two sums over the same customers. Its variance is that of the linearised ratio, from each
    customer's influence on it. Where few large customers carry that variance it is itself uncertain: so a t quantile is
    used, with Satterthwaite's degrees of freedom. The interval is worked out on the logit scale and stays in (0, 1).

    Parameters
    ----------
    values : array of shape (n,)
        What each customer adds to the total, at least 0.
    member : boolean array of shape (n,)
        Who is in the group.
    level : float
        Confidence level.

    Returns
    -------
    (share, low, high) : float
        All NaN where the total is 0. Low and high are NaN where the share is 0 or 1: nothing varies in the sample, so
        nothing can be said of how it would.

    Raises
    ------
    ModelError
        A value is below 0 or missing, it is not said of each whether it is in the group, or the level is not between 0 and 1.

    References
    ----------
    Cochran (1977), Sampling Techniques, 3rd edition, section 6.4 (ratio estimator).
    Satterthwaite (1946), "An approximate distribution of estimates of variance components", Biometrics Bulletin 2.

    Examples
    --------
    >>> share, low, high = share_of_total([1.0, 2.0, 3.0, 4.0], [False, False, True, True])
    >>> round(share, 2), low < 0.7 < high
    (0.7, True)
    """
    from scipy import special, stats

    level = checked_level("share_of_total", level)
    x = checked_amounts("share_of_total", "values", values)
    inside = checked_outcomes("share_of_total", member)
    if x.shape != inside.shape or x.ndim != 1:
        raise ModelError.expected("share_of_total", "member", f"one per value, {x.size}", inside.shape)
    if (x < 0).any():
        raise ModelError.expected("share_of_total", "values", "amounts of at least 0", x[x < 0][0])
    total, n = float(x.sum()), len(x)
    nothing = float("nan")
    if n == 0 or total <= 0:
        return nothing, nothing, nothing
    share = float(x[inside].sum()) / total
    if share <= 0 or share >= 1:
        return share, nothing, nothing
    squares = (x * (inside - share) / total) ** 2
    variance = float(squares.sum())
    deviation = float(np.sqrt(variance * n / (n - 1)))
    spread = float(np.sum(squares**2)) - variance**2 / n
    freedom = max(1.0, 2 * variance**2 / spread) if spread > 1e-12 * variance**2 else np.inf
    half = float(stats.t.isf((1 - level) / 2, freedom)) * deviation / (share * (1 - share))
    logit = float(np.log(share / (1 - share)))
    return share, float(special.expit(logit - half)), float(special.expit(logit + half))

"""Why a sum changed between two periods, split into parts that add up: by factors of a product, and by groups of customers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from math import factorial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.errors import ModelError
from crmlab.models.btyd.special import Array
from crmlab.models.btyd.states import floats, refuse
from crmlab.models.checked import checked_level, checked_numbers, checked_row
from crmlab.models.intervals import LEVEL

__all__ = ["FACTORS", "GROUPS", "apportion", "decompose", "growth", "product_effects"]


# Spend on occasions = customers × occasions per customer × pieces per occasion × spend per piece.
FACTORS = ("customers", "occasions per customer", "basket", "price")
SHORT_FACTORS = ("customers", "occasions per customer", "spend per occasion")
GROUPS = ("new", "reactivated", "kept", "lost", "returns only")
_DRAWS = 2000
_MOST = 1e60  # of an amount: the fourth power of a sum of them is still a number
_NAME = "decomposition"


def decompose(
    customers: pd.DataFrame, method: str = "lmdi", *, level: float = LEVEL, seed: int = 0, digits: int = 2
) -> pd.DataFrame:
    """Split the change of revenue into customers × occasions per customer × basket × price, and returns.

    Parameters
    ----------
    customers : DataFrame
        One row per customer with anything in either period: occasions_before, occasions_after, spend_before, spend_after (on
        occasions), returned_before, returned_after (net amount of other days), and where they are known pieces_before,
        pieces_after (on occasions; or lines).
    method : {"lmdi", "shapley"}
    level : float
        Of the intervals.
    seed : int
        Of the draws behind the intervals.
    digits : int
        Decimals to which effects are rounded, so that they add up to the rounded change: by largest remainders.

    Returns
    -------
    DataFrame
        One row per part, in order: the factors (without pieces: spend per occasion in the place of basket and price), ``returns``,
        ``total``. Columns: part, before, after (the factor's value; amounts for returns and total), effect, low, high. Effects add
        up to the total's exactly, in units of the last digit.

    Raises
    ------
    ModelError
        A column is missing, a value is not finite or negative, or pieces are not positive where there is spend.

    Notes
    -----
    Spend on occasions is never negative, so the product is not either; returns stand beside it as a term of their own, and a
    period whose returns exceed its spend is split like any other. A rate that has no denominator (no customers in an empty period,
    no occasion, no piece) is taken as unchanged: the change goes to the factor that vanished. Two empty periods give zeros.

    Intervals are over customers who come and buy independently of each other, so that a sum has the variance of the sum of squares
    (their number is random too). Sums of both periods, which share customers, are drawn from the normal distribution with this
    covariance, and each draw is split: ends are quantiles of the draws. The interval of the total is that of :func:`growth`.

    Examples
    --------
    >>> frame = pd.DataFrame({"occasions_before": [1, 1, 0], "occasions_after": [1, 2, 1], "spend_before": [10.0, 20.0, 0.0],
    ...                       "spend_after": [10.0, 45.0, 12.0], "returned_before": 0.0, "returned_after": [0.0, -5.0, 0.0]})
    >>> found = decompose(frame)
    >>> found[["part", "effect"]].values.tolist()
    [['customers', 18.67], ['occasions per customer', 13.25], ['spend per occasion', 5.08], ['returns', -5.0], ['total', 32.0]]
    """
    share, digits = checked_level(_NAME, level), _digits(digits)
    sums, names = _columns(customers)
    totals = sums.sum(axis=0)
    effects, before, after = _split(totals, names, method)
    change = float(totals[-1] + totals[-3] - totals[-2] - totals[-4])
    with np.errstate(all="ignore"):
        spread = _split(_drawn(sums, totals, np.random.default_rng(seed)), names, method)[0]
        ends = np.quantile(spread, [(1 - share) / 2, (1 + share) / 2], axis=0)
    # The total is the sum of customers' changes: its interval is that of growth, whatever it is split by.
    half = _half(sums[:, -1] + sums[:, -3] - sums[:, -2] - sums[:, -4], share)
    ends = np.column_stack([ends, [change - half, change + half]])
    shown = [*apportion(effects.tolist(), change, digits), round(change, digits)]
    parts = [*names, "returns", "total"]
    frame = pd.DataFrame({"part": parts, "before": before, "after": after, "effect": shown, "low": ends[0], "high": ends[1]})
    # A skewed draw, or rounding, must not leave the point outside its interval.
    return frame.assign(low=frame[["effect", "low"]].min(axis=1), high=frame[["effect", "high"]].max(axis=1))


def growth(customers: pd.DataFrame, *, level: float = LEVEL, digits: int = 2) -> pd.DataFrame:
    """Split the change of revenue and of the number of customers into those who are new, reactivated, kept and lost.

    Parameters
    ----------
    customers : DataFrame
        As in :func:`decompose`, and is_new: whether the first occasion ever came after the earlier period.
    level : float
    digits : int

    Returns
    -------
    DataFrame
        One row per group of ``GROUPS``, and ``total``: group, customers, before, after (their revenue, returns taken off), change,
        low, high. *Kept* bought in both periods; *lost* only in the earlier one; *new* and *reactivated* only in the later one, the
        first time ever after the earlier period, or not; *returns only* did not buy in either. Changes add up to the total's
        exactly; customers of the later period = those of the earlier + new + reactivated − lost. ``total`` counts all rows.

    References
    ----------
    The intervals have Satterthwaite's (1946) degrees of freedom, as those of :func:`crmlab.models.intervals.share_of_total`.

    Examples
    --------
    >>> frame = pd.DataFrame({"occasions_before": [1, 1, 0], "occasions_after": [1, 0, 1], "spend_before": [10.0, 20.0, 0.0],
    ...                       "spend_after": [15.0, 0.0, 12.0], "returned_before": 0.0, "returned_after": 0.0,
    ...                       "is_new": [False, False, True]})
    >>> growth(frame).set_index("group").change.to_dict()
    {'new': 12.0, 'reactivated': 0.0, 'kept': 5.0, 'lost': -20.0, 'returns only': 0.0, 'total': -3.0}
    """
    share, digits = checked_level(_NAME, level), _digits(digits)
    _columns(customers)
    if "is_new" not in customers.columns:
        raise ModelError.missing_column(_NAME, "is_new", customers.columns)
    one, two = (customers[f"occasions_{period}"].to_numpy(float) > 0 for period in ("before", "after"))
    known = customers["is_new"].isin([True, False])
    refuse(_NAME, "is_new must be True or False", ~known.to_numpy(bool), customers)
    new = customers["is_new"].to_numpy(bool)
    members = (~one & two & new, ~one & two & ~new, one & two, one & ~two, ~one & ~two)
    before, after = (
        customers[f"spend_{period}"].to_numpy(float) + customers[f"returned_{period}"].to_numpy(float)
        for period in ("before", "after")
    )
    gap, rows = after - before, []
    for name, who in zip((*GROUPS, "total"), (*members, np.ones(len(gap), dtype=bool)), strict=True):
        some = gap[who]
        half = _half(some, share)
        total = float(some.sum())
        rows.append(
            [name, int(who.sum()), float(before[who].sum()), float(after[who].sum()), total, total - half, total + half]
        )
    frame = pd.DataFrame(rows, columns=["group", "customers", "before", "after", "change", "low", "high"])
    total = float(frame["change"].iloc[-1])
    frame["change"] = [*apportion(frame["change"].iloc[:-1].tolist(), total, digits), round(total, digits)]
    return frame.assign(low=frame[["change", "low"]].min(axis=1), high=frame[["change", "high"]].max(axis=1))


def apportion(parts: Sequence[float], total: float, digits: int = 2) -> list[float]:
    """Round parts so that they add up to the rounded total: the largest remainders are rounded up, the first of equals first.

    Examples
    --------
    >>> apportion([1.004, 1.004, 1.004], 3.012, 2)
    [1.01, 1.0, 1.0]
    """
    asked = checked_numbers(_NAME, "total", total)
    if asked.ndim or not np.isfinite(checked_row(_NAME, "parts", parts)).all() or not np.isfinite(asked):
        raise ModelError.expected(_NAME, "parts and total", "finite numbers", f"{parts} and {total}")
    if not len(parts):
        return []
    scale = 10 ** _digits(digits)
    # What a float cannot tell must not decide: remainders that differ in the ninth digit are equal.
    exact = [round(part * scale, 6) for part in parts]
    whole = [int(np.floor(part)) for part in exact]
    order = sorted(range(len(parts)), key=lambda k: (-round(exact[k] - whole[k], 6), k))
    left = round(total * scale) - sum(whole)
    each, more = divmod(abs(left), len(parts))
    for k in range(len(parts)):
        whole[order[k] if left > 0 else order[-1 - k]] += (each + (k < more)) * (1 if left > 0 else -1)
    return [part / scale for part in whole]


# How.


def _half(change: Array, level: float) -> float:
    """Half the width of the interval of a sum of customers' changes."""
    from scipy import stats

    square, fourth = float((change**2).sum()), float((change**4).sum())
    freedom = max(1.0, 2 * square**2 / fourth) if fourth > 0 else np.inf
    return float(stats.t.isf((1 - level) / 2, freedom)) * float(np.sqrt(square))


def _columns(customers: Any) -> tuple[Array, tuple[str, ...]]:
    """Per customer, both periods side by side: bought (0 or 1), occasions, pieces where known, spend, returned; and the factors."""
    if not isinstance(customers, pd.DataFrame):
        raise ModelError.no_frame(_NAME, customers)
    pieces = "pieces_before" in customers.columns and "pieces_after" in customers.columns
    kinds = ("occasions", *(("pieces",) if pieces else ()), "spend", "returned")
    found = []
    for kind in kinds:
        for period in ("before", "after"):
            name = f"{kind}_{period}"
            if name not in customers.columns:
                raise ModelError.missing_column(_NAME, name, customers.columns)
            values = floats(customers[name])
            wrong = ~(np.abs(values) <= _MOST) | ((values < 0) if kind in ("occasions", "spend") else False)
            words = f"{name} must be a finite number" + (" of at least 0" if kind in ("occasions", "spend") else "")
            hint = (
                f"Amounts above {_MOST:g} are taken for errors."
                if (np.isfinite(values) & (np.abs(values) > _MOST)).any()
                else ""
            )
            refuse(_NAME, words, wrong, customers, hint)
            if kind == "occasions":
                found.append((values > 0).astype(float))
            found.append(values)
    order = [0, 2, 1, 3, *range(4, len(found))]
    sums = np.column_stack([found[i] for i in order])
    totals = sums.sum(axis=0)
    if pieces:
        for shift, period in enumerate(("before", "after")):
            if totals[4 + shift] < 0 or (totals[6 + shift] > 0 and totals[4 + shift] == 0):
                words = "more than 0 in sum where there is spend (lines may stand in their place)"
                raise ModelError.expected(_NAME, f"pieces_{period}", words, float(totals[4 + shift]))
    return sums, FACTORS if pieces else SHORT_FACTORS


def _split(totals: Array, names: tuple[str, ...], method: str) -> tuple[Array, Array, Array]:
    """Effects of the factors and of returns, and the values of both periods, from totals of shape (..., 2 × kinds)."""
    k = len(names)
    chain = [totals[..., 2 * i : 2 * i + 2] for i in range(k)]
    rates = [chain[0]]
    for below, above in pairwise(chain):
        with np.errstate(all="ignore"):
            rate = np.where(below > 0, above / below, np.nan)
        # Without a denominator nothing says that a rate changed.
        rate = np.where(np.isnan(rate), rate[..., ::-1], rate)
        rates.append(np.where(np.isnan(rate), 0.0, rate))
    x, y = (np.stack([rate[..., side] for rate in rates], axis=-1) for side in (0, 1))
    returned = totals[..., -2:]
    effects = np.concatenate([product_effects(x, y, method), (returned[..., 1] - returned[..., 0])[..., None]], axis=-1)
    sums = totals[..., -4:-2] + returned
    before, after = (np.concatenate([z, returned[..., [s]], sums[..., [s]]], axis=-1) for s, z in ((0, x), (1, y)))
    return effects, before, after


def _drawn(sums: Array, totals: Array, rng: np.random.Generator) -> Array:
    """Totals drawn anew; those that cannot be negative are kept from it, and returns from being positive where none was."""
    covariance = sums.T @ sums
    values, vectors = np.linalg.eigh(covariance)
    # The sign of an eigenvector is the library's choice: fixed, so that the same data give the same draws.
    vectors = vectors * np.where(vectors[np.abs(vectors).argmax(axis=0), np.arange(len(values))] < 0, -1.0, 1.0)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn = totals + rng.standard_normal((_DRAWS, len(totals))) @ root.T
    # What is 0 stays 0; what is positive stays so.
    drawn[:, :-2] = np.where(totals[:-2] > 0, np.maximum(drawn[:, :-2], 1e-3 * totals[:-2]), 0.0)
    return drawn


def _digits(digits: Any) -> int:
    if isinstance(digits, bool) or not isinstance(digits, (int, np.integer)) or not -12 <= digits <= 12:
        raise ModelError.expected(_NAME, "digits", "a whole number from -12 to 12", digits)
    return int(digits)


def product_effects(before: npt.ArrayLike, after: npt.ArrayLike, method: str = "lmdi") -> Array:
    """Split the change of a product into the effects of its factors, which add up to it.

    Parameters
    ----------
    before, after : arrays of shape (..., k)
        The factors in both periods; at least 0 with ``"lmdi"``.
    method : {"lmdi", "shapley"}
        Additive log-mean Divisia index (LMDI I): the logarithmic mean of both products times the log-ratio of each factor. Or
        Shapley's value: the mean effect of changing a factor over all orders in which factors can be changed; any sign.

    Returns
    -------
    array of shape (..., k)

    Notes
    -----
    Where a factor is 0 in one of both periods, the log-mean index is its analytic limit: the whole change goes to the factors that
    came from or went to 0, in equal parts. Where the product is 0 in both, every effect is 0.

    Raises
    ------
    ModelError
        Shapes differ, values are missing or infinite, or a factor is negative with ``"lmdi"``.

    References
    ----------
    Ang (2005), "The LMDI approach to decomposition analysis: a practical guide", Energy Policy 33: the additive formula of table 1.
    Ang and Liu (2007), "Handling zero values in the logarithmic mean Divisia index decomposition approach", Energy Policy 35.
    Sun (1998), "Changes in energy consumption and energy intensity: a complete decomposition model", Energy Economics 20, which is
    Shapley's value (1953) of this game.

    Examples
    --------
    >>> product_effects([100.0, 2.0], [110.0, 3.0]).round(4).tolist(), product_effects([100.0, 2.0], [110.0, 3.0], "shapley").tolist()
    ([24.7423, 105.2577], [25.0, 105.0])
    """
    x, y = checked_numbers(_NAME, "before", before), checked_numbers(_NAME, "after", after)
    if x.shape != y.shape or x.ndim < 1:
        raise ModelError.expected(_NAME, "before and after", "of one shape", f"{x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ModelError.expected(_NAME, "before and after", "finite numbers", "missing or infinite ones")
    with np.errstate(over="ignore"):
        if not (np.isfinite(x.prod(axis=-1)).all() and np.isfinite(y.prod(axis=-1)).all()):
            raise ModelError.expected(_NAME, "before and after", "of a size whose product is finite", "greater ones")
    if method == "shapley":
        return _shapley(x, y)
    if method != "lmdi":
        raise ModelError.expected(_NAME, "method", "'lmdi' or 'shapley'", method)
    if (x < 0).any() or (y < 0).any():
        raise ModelError.expected(
            _NAME, "before and after", "at least 0 with 'lmdi' (use 'shapley')", float(min(x.min(), y.min()))
        )
    return _lmdi(x, y)


def _lmdi(x: Array, y: Array) -> Array:
    product = np.stack([x.prod(axis=-1), y.prod(axis=-1)])
    some = np.asarray((product > 0).all(axis=0))
    with np.errstate(all="ignore"):
        half = np.log(product[1] / product[0]) / 2
        # (b − a) / ln(b / a), in a form that is exact where both are nearly equal.
        mean = np.sqrt(product[0]) * np.sqrt(product[1]) * np.where(np.abs(half) < 1e-8, 1.0, np.sinh(half) / half)
        plain = mean[..., None] * np.log(y / x)
    gone = np.where(np.asarray(product[0] > 0)[..., None], y == 0, x == 0)
    one = np.asarray((product > 0).sum(axis=0) == 1)
    limit = gone * ((product[1] - product[0]) / np.maximum(gone.sum(axis=-1), 1))[..., None]
    return np.where(some[..., None], plain, np.where(one[..., None], limit, 0.0))


def _shapley(x: Array, y: Array) -> Array:
    k = x.shape[-1]
    out = np.zeros_like(x)
    for i in range(k):
        others = [j for j in range(k) if j != i]
        for size in range(k):
            weight = factorial(size) * factorial(k - size - 1) / factorial(k)
            for changed in combinations(others, size):
                rest = np.ones(x.shape[:-1])
                for j in others:
                    rest = rest * (y[..., j] if j in changed else x[..., j])
                out[..., i] += weight * rest * (y[..., i] - x[..., i])
    return out

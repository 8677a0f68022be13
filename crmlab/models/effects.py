"""The change of a product, split into the effects of its factors: log-mean Divisia index, and Shapley's value."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np
import numpy.typing as npt

from crmlab.errors import ModelError
from crmlab.models.special import Array

_NAME = "decomposition"


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
    x, y = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    if x.shape != y.shape or x.ndim < 1:
        raise ModelError.expected(_NAME, "before and after", "of one shape", f"{x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ModelError.expected(_NAME, "before and after", "finite numbers", "missing or infinite ones")
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

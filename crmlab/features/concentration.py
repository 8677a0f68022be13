"""How much of revenue hangs on how few customers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crmlab.errors import DataError, ParameterError
from crmlab.models.intervals import normal_quantile, share_of_total


@dataclass(frozen=True)
class Concentration:
    """What :func:`concentration` finds.

    Attributes
    ----------
    customers, top : int
        All, and those of the top share.
    share : (value, low, high)
        Of revenue, that the top holds. The ends are NaN where it holds all.
    gini : (value, low, high)
        0 where all customers bring the same, near 1 where one brings all.
    below_zero : int
        Customers whose returns exceed what they bought; they count as 0.
    """

    customers: int
    top: int
    share: tuple[float, float, float]
    gini: tuple[float, float, float]
    below_zero: int


def concentration(revenue: npt.ArrayLike, top: float = 0.1, *, level: float = 0.9) -> Concentration:
    """Share of revenue of the customers who bring most, and the Gini coefficient, both with intervals over customers.

    Parameters
    ----------
    revenue : array of shape (n,)
        Of each customer, in the currency.
    top : float
        Share of customers, between 0 and 1; their number is rounded up.
    level : float

    Returns
    -------
    Concentration

    Raises
    ------
    DataError
        Fewer than two customers, values that are missing or infinite, or revenue of nothing.
    ParameterError
        ``top`` or ``level`` is not between 0 and 1.

    References
    ----------
    Langel and Tillé (2013), "Variance estimation of the Gini index: revisiting a result several times published", Journal of the
    Royal Statistical Society A 176: linearisation. The share's interval is that of
    :func:`crmlab.models.intervals.share_of_total`, which takes who is in the top as given.

    Examples
    --------
    >>> found = concentration([1.0, 2.0, 3.0, 4.0, 90.0], top=0.2)
    >>> found.top, found.share[0], round(found.gini[0], 3)
    (1, 0.9, 0.72)
    """
    for name, value in (("top", top), ("level", level)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1:
            raise ParameterError.expected("concentration", name, "between 0 and 1, both excluded", value)
    given = np.asarray(revenue, dtype=float)
    x = np.sort(np.maximum(given, 0.0), kind="stable")
    n = len(x)
    if n < 2 or not np.isfinite(given).all() or x.sum() <= 0:
        found = f"{n} customers" if n < 2 else "revenue that is missing, infinite or nothing"
        raise DataError.too_little("concentration", "at least two customers with revenue", found)
    # Sorted: who of equals is in the top does not change what it holds.
    count = int(np.ceil(round(top * n, 9)))
    member = np.arange(n) >= n - count
    mean, rank = float(x.mean()), (np.arange(1, n + 1) - 0.5) / n
    gini = float(2 * (x * rank).sum() / x.sum() - 1)
    above = (x.sum() - np.cumsum(x) + x / 2) / n
    influence = 2 / mean * (x * rank + above) - x / mean * (1 + gini)
    half = float(normal_quantile(level) * influence.std(ddof=1) / np.sqrt(n))
    ends = (max(gini - half, 0.0), min(gini + half, 1.0))
    return Concentration(n, count, share_of_total(x, member, level), (gini, *ends), int((given < 0).sum()))

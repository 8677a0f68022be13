"""Value tiers: A the top tenth, B the next fifth, C the next three tenths, D the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["FEWEST", "TIERS", "TIER_WORDS", "tier_of"]


# Tier → per cent of customers from the top that it reaches down to.
FEWEST = 30  # customers of whom a tenth is three; a tier of fewer is decided by one or two of them
TIERS = {"A": 10, "B": 30, "C": 60, "D": 100}
TIER_WORDS = {"A": "top 10%", "B": "next 20%", "C": "next 30%", "D": "the rest"}


def tier_of(values: npt.NDArray[np.float64]) -> npt.NDArray[np.object_]:
    """Name the tier of each customer by value. Equal values are in one tier, the better one.

    Examples
    --------
    >>> tier_of(np.array([5.0, 1.0, 9.0, 1.0, 2.0, 1.0, 3.0, 4.0, 6.0, 7.0])).tolist()
    ['C', 'D', 'A', 'D', 'D', 'D', 'C', 'C', 'B', 'B']
    """
    n = len(values)
    above = n - np.searchsorted(np.sort(values), values, side="right")
    out = np.full(n, "", dtype=object)
    for name, reach in reversed(TIERS.items()):
        out[100 * above < reach * n] = name
    return out

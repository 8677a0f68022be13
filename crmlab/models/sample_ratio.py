"""Whether as many customers came into each cell as the plan said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from crmlab.errors import ModelError

_FEW = 5  # expected in a cell: fewer, and chi-square is a poor guide


@dataclass(frozen=True, eq=False)
class SampleRatio:
    """Outcome of the check.

    Attributes
    ----------
    chi_square, df, p_value : float
    table : DataFrame
        cell, n, expected, share, designed.
    warning : str, optional
        Why the p-value may be wrong; None where it may not.
    """

    chi_square: float
    df: int
    p_value: float
    table: pd.DataFrame
    warning: str | None


def sample_ratio(
    counts: Mapping[str, int] | Sequence[int], shares: Mapping[str, float] | Sequence[float] | None = None
) -> SampleRatio:
    """Test the sizes of cells against their designed shares.

    Parameters
    ----------
    counts : mapping of cell to number of customers
        A list is of cells 1, 2, ….
    shares : mapping of cell to share, or list, optional
        They add up to 1; default: equal.

    Returns
    -------
    SampleRatio

    Raises
    ------
    ModelError
        Fewer than two cells, cells that differ, shares that do not add up to 1, negative counts, or nobody at all.

    References
    ----------
    Fabijan et al. (2019), Diagnosing sample ratio mismatch in online controlled experiments, KDD.

    Examples
    --------
    >>> found = sample_ratio({"a": 9463, "b": 7681}, {"a": 0.5, "b": 0.5})
    >>> round(found.chi_square, 7), f"{found.p_value:.6e}"
    (185.2265516, '3.502192e-42')
    """
    found = _named(counts)
    names = list(found)
    designed = dict.fromkeys(names, 1 / max(len(names), 1)) if shares is None else _named(shares)
    if len(names) < 2:
        raise ModelError.expected("sample_ratio", "counts", "of at least two cells", names)
    if set(designed) != set(names):
        raise ModelError.expected("sample_ratio", "shares", f"of the same cells as counts: {', '.join(names)}", list(designed))
    n = np.array([float(found[name]) for name in names])
    share = np.array([float(designed[name]) for name in names])
    if not (np.isfinite(share).all() and (share > 0).all() and abs(share.sum() - 1) < 1e-6):
        raise ModelError.expected(
            "sample_ratio", "shares", "above 0, and add up to 1", f"{share.tolist()}, sum {share.sum():.6g}"
        )
    if not ((n >= 0).all() and (n == np.floor(n)).all() and n.sum() > 0):
        raise ModelError.expected("sample_ratio", "counts", "whole numbers of at least 0, not all 0", n.tolist())
    expected = n.sum() * share / share.sum()
    chi_square = float(((n - expected) ** 2 / expected).sum())
    least = float(expected.min())
    few = f"Only {least:.1f} customers were expected in the smallest cell: under {_FEW}, the check is rough."
    table = pd.DataFrame(
        {"cell": names, "n": n.astype(np.int64), "expected": expected, "share": n / n.sum(), "designed": share / share.sum()}
    )
    p = float(special.chdtrc(len(names) - 1, chi_square))
    return SampleRatio(chi_square, len(names) - 1, p, table, few if least < _FEW else None)


def _named(values: Mapping[str, float] | Sequence[float]) -> dict[str, float]:
    if isinstance(values, Mapping):
        return dict(values)
    return {str(k): value for k, value in enumerate(values, start=1)}

"""Whether cells were alike before anything was sent: the one comparison, before a campaign and after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from crmlab.models.testing.cells import CellStatistics
from crmlab.models.testing.comparisons import compare_cells
from crmlab.models.testing.options import ComparisonOptions

__all__ = ["BALANCE_ALPHA", "COLUMNS", "balance_of", "unbalanced"]


BALANCE_ALPHA = 0.01  # of all differences together
COLUMNS = ("cell", "control", "covariate", "mean", "mean_control", "difference", "low", "high", "p_adjusted")


def balance_of(stats: Mapping[str, CellStatistics], control: Mapping[str, str], covariates: Sequence[str]) -> pd.DataFrame:
    """Compare each cell with its control in what was known before, corrected for all comparisons together (max-t).

    Parameters
    ----------
    stats : mapping of cell to CellStatistics
    control : mapping of cell to its control
    covariates : sequence of str
        Metrics of the cells. One in which nobody differs is not there.

    Returns
    -------
    DataFrame
        ``COLUMNS``: by covariate and cell. ``difference``, ``low`` and ``high`` are in standard deviations of customers within cells.

    References
    ----------
    Austin (2009), Balance diagnostics for comparing the distribution of baseline covariates, Statistics in Medicine 28: standardised
    differences.

    Examples
    --------
    >>> stats = {name: CellStatistics.from_values({"orders": given}) for name, given in {"a": [1, 3], "b": [2, 4]}.items()}
    >>> round(balance_of(stats, {"a": "b"}, ["orders"])["difference"].item(), 4)
    -0.7071
    """
    names = [name for name in covariates if any(one.scatter[one.index(name), one.index(name)] > 0 for one in stats.values())]
    if not names:
        return pd.DataFrame(columns=list(COLUMNS))
    options = ComparisonOptions(family="all")
    frame = compare_cells(stats, control=control, metrics=names, level=1 - BALANCE_ALPHA, options=options)
    n = sum(one.n for one in stats.values())
    spread = {name: float(np.sqrt(sum(one.n * _own(one.variance(name)) for one in stats.values()) / n)) for name in names}
    scale = frame["metric"].map(spread)
    found = frame.rename(columns={"metric": "covariate"}).assign(
        difference=frame["estimate"] / scale, low=frame["low"] / scale, high=frame["high"] / scale
    )
    return found[list(COLUMNS)]


def unbalanced(balance: pd.DataFrame) -> bool:
    """Whether cells differed by more than chance allows."""
    return len(balance) > 0 and float(balance["p_adjusted"].min()) < BALANCE_ALPHA


def _own(variance: float) -> float:
    return variance if np.isfinite(variance) else 0.0

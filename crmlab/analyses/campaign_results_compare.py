"""Cells against their controls: one by one, and added up over a campaign."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlab.analyses.campaign_results_cells import COVARIATE, METRICS, Measured
from crmlab.errors import CampaignError
from crmlab.models.comparisons import compare_cells
from crmlab.models.measures import measure


def compared(
    found: Measured,
    *,
    level: float = 0.95,
    correction: str = "max-t",
    adjust: bool = True,
    metrics: tuple[str, ...] | None = None,
) -> pd.DataFrame:
    """Compare every cell with its own control.

    Parameters
    ----------
    found : Measured
    level, correction
        As in :func:`crmlab.models.comparisons.compare_cells`.
    adjust : bool
        Take off what spend in the year before differed by; for money only, rates stay as they are.
    metrics : tuple of str, optional
        Default: response, spend, margin, profit.

    Returns
    -------
    DataFrame
        As ``compare_cells`` gives it, with ``error`` (standard error of the estimate, before any correction). Metrics in which nobody
        differs are not there.
    """
    wanted = [name for name in (metrics or (*METRICS, "profit")) if found.varies(name)]
    frames = []
    for metric in wanted:
        covariates = covariates_of(found, metric, adjust=adjust)
        frame = compare_cells(
            found.stats, control=found.control, metrics=[metric], adjust=covariates or None, correction=correction, level=level
        )
        errors = [
            contrast(found, metric, {a: 1.0, b: -1.0}, adjust=adjust)[1]
            for a, b in zip(frame["cell"], frame["control"], strict=True)
        ]
        frames.append(frame.assign(error=errors))
    if not frames:
        raise CampaignError.expected(f"What people of {found.campaign} did", "different for some of them", "all the same")
    return pd.concat(frames, ignore_index=True)


def covariates_of(found: Measured, metric: str, *, adjust: bool) -> tuple[str, ...]:
    """What a metric is adjusted by."""
    return (COVARIATE,) if adjust and metric != "response" and found.varies(COVARIATE) else ()


def contrast(found: Measured, metric: str, weights: dict[str, float], *, adjust: bool = True) -> tuple[float, float, float]:
    """Return a weighted sum of cells' means: its value, standard error, and degrees of freedom.

    Parameters
    ----------
    found : Measured
    metric : str
    weights : dict of cell to weight
    adjust : bool
        As in :func:`compared`.
    """
    names = list(found.stats)
    one = measure(list(found.stats.values()), metric, None, covariates_of(found, metric, adjust=adjust))
    w = np.array([weights.get(name, 0.0) for name in names])
    parts = w**2 * one.variances
    total = float(parts.sum())
    freedom = total**2 / float((parts**2 / one.freedoms).sum())
    return float(w @ one.values), float(np.sqrt(total)), freedom


def ends(value: float, error: float, freedom: float, level: float) -> tuple[float, float, float]:
    """Interval of an estimate, and the p-value of it being 0."""
    from scipy import special

    half = error * float(-special.stdtrit(freedom, (1 - level) / 2))
    return value - half, value + half, 2 * float(special.stdtr(freedom, -abs(value / error)))


def overall(found: Measured) -> dict[str, float]:
    """Weights by which all contacts of cells with a control add up: each cell's size, and against it its control's."""
    weights: dict[str, float] = {}
    for cell, its in found.control.items():
        n = float(found.stats[cell].n)
        weights[cell] = weights.get(cell, 0.0) + n
        weights[its] = weights.get(its, 0.0) - n
    return weights

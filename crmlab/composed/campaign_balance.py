"""Whether cells are alike before anything is sent: standardised differences from the control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from crmlab.composed.campaign_where import label
from crmlab.models.intervals import normal_quantile


def balance(people: pd.DataFrame, controls: Mapping[str, str], covariates: Sequence[str], level: float = 0.95) -> pd.DataFrame:
    """Compare each cell with its control in what was known before.

    Parameters
    ----------
    people : DataFrame
        ``cell_id`` and the covariates: numbers, or texts, of which each value's share is compared.
    controls : mapping of cell to its control
    covariates : sequence of str
    level : float

    Returns
    -------
    DataFrame
        covariate, label, cell_id, mean, mean_control, difference (of means, in standard deviations; 0 where nothing varies), low,
        high, chance (what chance alone keeps it under with probability ``level``).

    References
    ----------
    Austin (2009), Balance diagnostics for comparing the distribution of baseline covariates, Statistics in Medicine 28: standardised
    differences. Hedges and Olkin (1985), Statistical Methods for Meta-Analysis, section 5: their standard error.

    Examples
    --------
    >>> people = pd.DataFrame({"cell_id": list("aabb"), "orders": [1, 3, 2, 4]})
    >>> round(balance(people, {"a": "b"}, ["orders"])["difference"].item(), 4)
    -0.7071
    """
    z = normal_quantile(level)
    rows = []
    for name, title, values in _columns(people, covariates):
        for cell, control in controls.items():
            mine, other = values[people["cell_id"] == cell], values[people["cell_id"] == control]
            mine, other = mine[~np.isnan(mine)], other[~np.isnan(other)]
            n, n0 = len(mine), len(other)
            if n < 2 or n0 < 2:
                continue
            sd = float(np.sqrt((mine.var(ddof=1) + other.var(ddof=1)) / 2))
            gap = float(mine.mean() - other.mean())
            difference = gap / sd if sd > 0 else 0.0
            chance = float(np.sqrt(1 / n + 1 / n0))
            error = float(np.sqrt(1 / n + 1 / n0 + difference**2 / (2 * (n + n0))))
            rows.append(
                {
                    "covariate": name, "label": title, "cell_id": cell, "mean": float(mine.mean()),
                    "mean_control": float(other.mean()), "difference": difference, "low": difference - z * error,
                    "high": difference + z * error, "chance": z * chance,
                }
            )  # fmt: skip
    columns = ["covariate", "label", "cell_id", "mean", "mean_control", "difference", "low", "high", "chance"]
    return pd.DataFrame(rows, columns=columns)


def _columns(people: pd.DataFrame, covariates: Sequence[str], most: int = 6) -> list[tuple[str, str, np.ndarray]]:
    """Numbers as they are, texts of few values as one share each."""
    found = []
    for name in covariates:
        column = people[name]
        text = label(name)
        title = text[:1].upper() + text[1:]
        if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype):
            found.append((name, title, column.to_numpy(dtype=float, na_value=np.nan)))
            continue
        texts = column.dropna()
        if texts.map(lambda one: isinstance(one, str)).all() and 1 < texts.nunique() <= most:
            for value in sorted(texts.unique()):
                found.append((name, f"{title}: {value}", (column == value).to_numpy(dtype=float)))
    return found

"""How often customers are contacted, and what one more contact brings: by the curve that own cells have measured, or a published one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.actions.effects import past_cells
from crmlab.data.collecting import collect
from crmlab.history.sending import sent
from crmlab.models.decisions import PRESSURE, pressure

if TYPE_CHECKING:
    import numpy.typing as npt

    from crmlab.history.past import History

    Array = npt.NDArray[np.float64]

__all__ = ["LOOKED_BACK", "PUBLISHED", "Curve", "curve_of", "measured_curve"]

LOOKED_BACK = 28  # days of contacts before a day that count for the next one
_WEEKS = LOOKED_BACK / 7
_ALIKE = 1.1  # cells whose contacts a week differ by no more were contacted equally often
_TESTED = [
    "campaign",
    "control",
    "offer",
    "creative",
    "channel",
]  # cells that are alike in all of these test nothing but how often


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Demand from contacts by how many there are in a week.

    Attributes
    ----------
    at : tuple of float
        Contacts a week, from 0 on.
    demand : tuple of float
        What they bring at each, as a share of all demand where they bring most.
    campaigns : tuple of str
        Whose cells have measured it; empty for the published curve.

    Examples
    --------
    >>> PUBLISHED.left(np.array([0, 4, 8])).round(2).tolist()
    [1.0, 0.7, 0.2]
    """

    at: tuple[float, ...]
    demand: tuple[float, ...]
    campaigns: tuple[str, ...] = ()

    def told(self, contacts_a_week: npt.ArrayLike) -> Array:
        """Demand at so many contacts a week."""
        return pressure(contacts_a_week, self.demand, self.at)

    def left(self, contacts: npt.ArrayLike) -> Array:
        """What one more contact brings after so many within four weeks, as a share of what the first one brings; from 0 to 1."""
        already = np.asarray(contacts, dtype=float)
        first = float(self.told(1 / _WEEKS) - self.told(0.0))
        if first <= 0:  # own cells have shown no gain of any contact: how it diminishes is not known
            return np.ones(already.shape)
        found: Array = np.clip((self.told((already + 1) / _WEEKS) - self.told(already / _WEEKS)) / first, 0.0, 1.0).round(12)
        return found


PUBLISHED = Curve(at=tuple(map(float, range(len(PRESSURE)))), demand=PRESSURE)


def curve_of(history: History, level: float) -> Curve:
    """The curve that past cells of a history have measured; the published one where none tested how often people are contacted.

    Parameters
    ----------
    history : History
    level : float
        Of the intervals of past cells, which are worked out once for each.
    """
    cells = past_cells(history, level).cells
    table = sent(history)
    if table is None or cells.empty or cells.groupby(_TESTED, dropna=False).size().max() < 2:
        return PUBLISHED
    some = table.filter(table["cell_id"].isin([str(name) for name in cells["cell"]]))
    found = some.group_by("cell_id").agg(contacts=some.count(), people=some["customer_id"].nunique())
    counts = collect(found, "cell_id").set_index("cell_id")
    many = cells["cell"].astype(str).map(counts["contacts"] / counts["people"]).astype(float)
    return measured_curve(cells.assign(weekly=many * 7 / cells["days"].astype(float))) or PUBLISHED


def measured_curve(cells: pd.DataFrame) -> Curve | None:
    """The curve of cells that differ in nothing but how often their people were contacted; None where there are no such cells.

    Parameters
    ----------
    cells : DataFrame
        As ``cells`` of :class:`~crmlab.analyses.campaigns.Past`, and ``weekly``: contacts a week of each of their customers.

    Notes
    -----
    Cells with as many contacts a week are averaged by their precision, whichever campaign they are of; so is the share of their controls
    who bought anyway.
    """
    known = cells[cells["weekly"].notna() & (cells["weekly"] > 0) & (cells["error"].astype(float) > 0)]
    spans = known.groupby(_TESTED, dropna=False)["weekly"].agg(["min", "max"])
    tests = spans[spans["max"] > _ALIKE * spans["min"]].index
    mine = known[pd.MultiIndex.from_frame(known[_TESTED]).isin(tests)].sort_values(
        ["weekly", "campaign", "cell"], kind="stable"
    )
    if mine.empty:
        return None
    weekly, weight = mine["weekly"].to_numpy(float), mine["error"].to_numpy(float) ** -2
    steps = np.zeros(len(mine), dtype=int)
    first = weekly[0]
    for k in range(1, len(weekly)):
        apart = weekly[k] > _ALIKE * first
        steps[k] = steps[k - 1] + apart
        first = weekly[k] if apart else first

    def averaged(values: Array) -> Array:
        return np.bincount(steps, weight * values) / np.bincount(steps, weight)

    rise, anyway = averaged(mine["effect"].to_numpy(float)), float(np.average(mine["base"].to_numpy(float), weights=weight))
    most = anyway + max(float(rise.max()), 0.0)
    if not most > 0:
        return None
    return Curve(
        at=(0.0, *averaged(weekly).tolist()),
        demand=(0.0, *(rise / most).tolist()),
        campaigns=tuple(sorted(mine["campaign"].astype(str).unique())),
    )

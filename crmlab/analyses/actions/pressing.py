"""How often customers are contacted, and what one more contact brings: by the curve that own cells have measured, or a published one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.actions.effects import past_cells
from crmlab.collecting import collect
from crmlab.data.memory.reader import COMPONENTS
from crmlab.history.sending import sent
from crmlab.models.decisions import PRESSURE, pressure, pressure_of_next
from crmlab.models.intervals import TEST_LEVEL, normal_quantile

if TYPE_CHECKING:
    import numpy.typing as npt

    from crmlab.history.past import History

    Array = npt.NDArray[np.float64]

__all__ = ["LOOKED_BACK", "PUBLISHED", "Curve", "curve_of", "measured_curve"]

LOOKED_BACK = 28  # days of contacts before a day that count for the next one
_WEEKS = LOOKED_BACK / 7
_ALIKE = 1.1  # cells whose contacts a week differ by no more were contacted equally often
_SAME = ["campaign", "control", *COMPONENTS, "discount", "cost_per_response"]  # cells alike in these test nothing but how often


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
    tested : float
        Contacts a week up to which it was seen.

    Examples
    --------
    >>> PUBLISHED.left(np.array([0, 4, 8])).round(2).tolist()
    [1.0, 0.7, 0.2]
    """

    at: tuple[float, ...]
    demand: tuple[float, ...]
    campaigns: tuple[str, ...] = ()
    tested: float = float(len(PRESSURE) - 1)

    def told(self, contacts_a_week: npt.ArrayLike) -> Array:
        """Demand at so many contacts a week."""
        return pressure(contacts_a_week, self.demand, self.at)

    def left(self, contacts: npt.ArrayLike) -> Array:
        """What one more contact brings after so many within four weeks, as a share of what the first one brings; from 0 to 1."""
        already = np.asarray(contacts, dtype=float)
        first, following = (
            pressure_of_next(weekly, self.demand, self.at, more=1 / _WEEKS) for weekly in (0.0, already / _WEEKS)
        )
        found: Array = np.clip(following / first, 0.0, 1.0).round(12)
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
    if table is None or cells.empty or cells.groupby(_SAME, dropna=False).size().max() < 2:
        return PUBLISHED
    some = table.filter(table["cell_id"].isin([str(name) for name in cells["cell"]]))
    some = some.select("customer_id", "cell_id", "contacted_at").distinct()
    by_day = some.group_by("cell_id", day=some["contacted_at"].date()).agg(contacts=some.count())
    days = collect(by_day, ["cell_id", "day"]).merge(cells[["cell", "opens", "days"]], left_on="cell_id", right_on="cell")
    gone = (pd.to_datetime(days["day"]) - pd.to_datetime(days["opens"])).dt.days
    contacts = days[gone.between(0, days["days"].astype(int) - 1)].groupby("cell_id")["contacts"].sum()
    many = cells["cell"].astype(str).map(contacts) / cells["n"].astype(float)
    return measured_curve(cells.assign(weekly=many.astype(float) * 7 / cells["days"].astype(float))) or PUBLISHED


def measured_curve(cells: pd.DataFrame) -> Curve | None:
    """The curve of cells that differ in nothing but how often their people were contacted; None where none show that contacts work.

    Parameters
    ----------
    cells : DataFrame
        As ``cells`` of :class:`~crmlab.analyses.campaigns.Past`, and ``weekly``: contacts a week of each of their customers.

    Notes
    -----
    Of several tests the one is taken that knows its effects best: their levels differ, so that points of several would make a curve of
    none. Cells of it that were contacted equally often are averaged by their precision. Beyond what was tested the curve goes on as the
    published one does from there.
    """
    known = cells[cells["weekly"].notna() & (cells["weekly"] > 0) & (cells["error"].astype(float) > 0)]
    best: pd.DataFrame | None = None
    for _, mine in known.groupby([known[name].astype(object).where(known[name].notna(), "") for name in _SAME], sort=True):
        apart = mine["weekly"].max() > _ALIKE * mine["weekly"].min()
        shown = (mine["effect"].astype(float) / mine["error"].astype(float)).max() > normal_quantile(TEST_LEVEL)
        if apart and shown and (best is None or mine["error"].astype(float).mean() < best["error"].astype(float).mean()):
            best = mine
    if best is None:
        return None
    best = best.sort_values(["weekly", "cell"], kind="stable")
    weekly, weight = best["weekly"].to_numpy(float), best["error"].to_numpy(float) ** -2
    steps = np.zeros(len(best), dtype=int)
    first = weekly[0]
    for k in range(1, len(weekly)):
        apart = weekly[k] > _ALIKE * first
        steps[k] = steps[k - 1] + apart
        first = weekly[k] if apart else first

    def averaged(values: Array) -> Array:
        return np.bincount(steps, weight * values) / np.bincount(steps, weight)

    rise, anyway = averaged(best["effect"].to_numpy(float)), float(np.average(best["base"].to_numpy(float), weights=weight))
    at, demand = _beyond(np.r_[0.0, averaged(weekly)], np.r_[0.0, rise / (anyway + float(rise.max()))])
    return Curve(
        at=tuple(at.tolist()),
        demand=tuple(demand.tolist()),
        campaigns=tuple(sorted(best["campaign"].astype(str).unique())),
        tested=float(averaged(weekly)[-1]),
    )


def _beyond(at: Array, demand: Array) -> tuple[Array, Array]:
    """A curve that goes on beyond its last point as the published one does from there, at the pace of its own last step."""
    last = float(at[-1])
    places = np.array([one for one in PUBLISHED.at if one > last])
    if not len(places):
        return at, demand
    edges = np.r_[last, places]
    slopes = np.diff(PUBLISHED.told(edges)) / np.diff(edges)
    # Slopes are averaged where they grow, so that the last of the own curve is that of its smoothed form.
    near = np.array([(last + float(at[-2])) / 2, last])
    own = float(np.diff(pressure(near, demand.tolist(), at.tolist()))[0] / np.diff(near)[0])
    just = np.array([last * (1 - 1e-6), last])
    before = float(np.diff(PUBLISHED.told(just))[0] / np.diff(just)[0])
    steps = slopes / before * max(own, 0.0) * np.diff(edges)
    return np.r_[at, places], np.r_[demand, float(demand[-1]) + np.cumsum(steps)]

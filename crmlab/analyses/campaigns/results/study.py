"""What one campaign earned: everything that its page shows, worked out once."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from crmlab.analyses.campaigns.matching import match_counts
from crmlab.analyses.campaigns.measurement import Measured, choose_campaign, compared, known_cells, measured
from crmlab.analyses.campaigns.moments import first_days
from crmlab.analyses.campaigns.past import History, history_of, past_cells, remembered
from crmlab.analyses.campaigns.results.depth import Ranked, ranked
from crmlab.analyses.campaigns.results.earnings import Money, components_of, money
from crmlab.analyses.campaigns.results.health_checks import Health, Look, health, look_of
from crmlab.analyses.campaigns.results.params import Params
from crmlab.data.memory.campaigns import open_memory
from crmlab.history.orders import history

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

__all__ = ["Parts", "measure", "parts_of"]


@dataclass(frozen=True, eq=False)
class Parts:
    """What the page is made of; None where the data do not allow it, with the reason in ``absent``."""

    found: Measured
    health: Health
    frame: pd.DataFrame  # every cell against its control, see compared
    money: Money
    components: pd.DataFrame | None
    order: int  # 2: components with their interactions
    days: pd.DataFrame  # first purchases by cell and day
    ranked: Ranked
    history: History
    matched: pd.DataFrame | None
    campaigns: tuple[str, ...]
    as_of: dt.date
    absent: dict[str, str]

    @property
    def look(self) -> Look:
        """Which look this is."""
        return self.health.look


def parts_of(data: Dataset, params: Params) -> Parts:
    """Measure, check, compare and look back: everything that the page shows.

    Parameters
    ----------
    data : Dataset
    params : Params

    Returns
    -------
    Parts
    """
    _, end = history(data.orders, params.as_of)
    cells, memory = known_cells(data), open_memory()
    campaign = choose_campaign(cells, data.contacts, end, params.campaign)
    found = measured(data, campaign, end, margin=params.margin, min_group=params.min_group)
    past = memory.results(campaign) if memory.headers(campaign, "results") else pd.DataFrame()
    earlier = tuple(
        sorted({dt.date.fromisoformat(str(day)[:10]) for day in past.get("as_of", pd.Series(dtype=object)).dropna()})
    )
    look = look_of(found, end, params.level, params.looks, params.boundary, earlier)
    checked = health(data, found, cells, look, end)
    options = {"level": look.level, "correction": params.correction, "adjust": params.adjust}
    frame = compared(found, **options)  # type: ignore[arg-type]
    earned = money(found, frame, level=look.level, adjust=params.adjust, unit=data.currency)
    parts, why, order = components_of(found, **options)  # type: ignore[arg-type]
    known = set(cells["campaign_id"].astype(str))
    rows, groups, gone = past_cells(
        data, found, cells, end, margin=params.margin, level=params.level, adjust=params.adjust, min_group=params.min_group
    )
    more = remembered(memory, known)
    looked = history_of(rows, pd.concat([groups, more], ignore_index=True) if len(more) else groups, gone, params.level)
    scores = ranked(found, level=look.level, correction=params.correction, seed=params.seed, min_group=params.min_group)
    absent = dict(scores.reason)
    if parts is None:
        absent["components"] = absent["components_chart"] = why
    if not looked.components:
        absent["history"] = absent["next_plan"] = absent["history_chart"] = (
            "No offer, list or creative was sent in two campaigns whose windows are over: there is nothing to pool yet."
        )
    if not found.varies("margin"):
        absent["forest"] = absent["money"] = "Nobody's spend differs from anybody's: there is no money to compare."
    matched = None
    if "responses" in data.tables:
        homes = data.customers if "customers" in data.tables else None
        matched = match_counts(data.responses, data.contacts, data.cells, found.days, end, homes)
    else:
        absent["matched"] = "The data set holds no responses: codes cannot be counted. What cells earned does not need them."
    return Parts(
        found,
        checked,
        frame,
        earned,
        parts,
        order,
        first_days(found.table),
        scores,
        looked,
        matched,
        tuple(sorted(known)),
        end,
        absent,
    )


def measure(
    data: Dataset,
    campaign: str,
    *,
    as_of: dt.date,
    cells: pd.DataFrame | None = None,
    people: pd.DataFrame | None = None,
    level: float = 0.95,
    correction: str = "max-t",
    adjust: bool = True,
    margin: float | None = None,
) -> pd.DataFrame:
    """Measure a campaign, as ``crmlab campaign results`` records it.

    Parameters
    ----------
    data : Dataset
    campaign : str
    as_of : datetime.date
        Last day of history.
    cells, people : DataFrame, optional
        As the campaign memory has them; default: the tables of the data set.
    level, correction, adjust, margin
        As in :class:`Params`.

    Returns
    -------
    DataFrame
        A row per metric (response, spend, margin, profit, all per contact) and cell with a control, as
        :func:`crmlab.models.testing.comparisons.compare_cells` gives it, without lifts; with ``error``, the standard error of the estimate.
    """
    found = measured(data, campaign, as_of, cells=cells, people=people, margin=margin)
    frame = compared(found, level=level, correction=correction, adjust=adjust)
    return frame.drop(columns=[name for name in frame.columns if name.startswith("lift")])

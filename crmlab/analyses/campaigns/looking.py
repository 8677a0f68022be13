"""A look at a campaign, as the command line takes it: what its cells did, and what is said of it to whoever sent it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crmlab.analyses.campaigns.ids import check_ids
from crmlab.analyses.campaigns.looks import looked
from crmlab.collecting import collect, collect_arrow
from crmlab.errors import CampaignError, shown

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.data.dataset import Dataset
    from crmlab.data.memory.campaigns import CampaignMemory

__all__ = ["CampaignLook", "campaign_data", "measure_campaign"]


@dataclass(frozen=True, eq=False)
class CampaignLook:
    """A look at a campaign.

    Attributes
    ----------
    campaign : str
    as_of : datetime.date
    results : DataFrame
        A row per cell and metric, as :func:`crmlab.analyses.campaigns.results.measure` gives it.
    cells : DataFrame
        Rows of the canonical table.
    contacts : DataFrame
        Who was in which cell, and since when.
    earlier : DataFrame
        What the last look before this one said, in the same form; empty at the first.
    """

    campaign: str
    as_of: dt.date
    results: pd.DataFrame
    cells: pd.DataFrame
    contacts: pd.DataFrame
    earlier: pd.DataFrame


def campaign_data(name: str, memory: CampaignMemory) -> str | None:
    """Return the data set that a campaign was launched from, else the one that its plan was held against; None where none is known."""
    headers = [*memory.headers(name, "launched"), *reversed(memory.headers(name, "planned"))]
    return next((str(one.details["data"]) for one in headers if "data" in one.details), None)


def measure_campaign(name: str, data: Dataset, memory: CampaignMemory, as_of: dt.date | None) -> CampaignLook:
    """Measure a campaign.

    Parameters
    ----------
    name : str
    data : Dataset
        With the orders; opened with the same memory.
    memory : CampaignMemory
    as_of : datetime.date, optional
        Last day of history; default: that of the last order.

    Returns
    -------
    CampaignLook
        Intervals are so wide that all looks together keep their level.

    Raises
    ------
    CampaignError
        The campaign is neither in the memory nor in the data set, or the data set knows nobody who is in it.
    CustomerKeyError
        Ids of the data set are made with another key than those of a campaign that was launched from it.
    """
    from crmlab.history.context import span

    check_ids(memory, data.descriptor)
    known = set(memory.campaigns()["campaign_id"])
    if name in known:
        cells = memory.cells(name).drop(columns="state")
    elif "cells" in data.tables:
        every = collect_arrow(data.cells, ("campaign_id", "cell_id")).to_pandas()
        cells = every[every["campaign_id"] == name].reset_index(drop=True)
        known |= set(every["campaign_id"])
    if name not in known:
        raise CampaignError.unknown(name, known)
    launched = bool(memory.headers(name, "launched"))
    if not launched and name in set(memory.campaigns()["campaign_id"]) and "contacts" not in data.tables:
        raise CampaignError(
            f"The campaign {shown(name)} is not launched. Expected one whose people have been assigned. Launch it with: crmlab campaign "
            f"launch {name}"
        )
    people = _contacts(name, data, memory) if launched else None
    if launched:
        _check_people(name, data, memory, people)
    day = as_of or span(data)[1]
    found = _measure(data, name, as_of=day, cells=cells, people=people, earlier=looked(memory, name))
    before = memory.results(name, last_only=True) if memory.looks(name) else found.iloc[:0]
    contacts = people if people is not None else _own_contacts(data, cells)
    return CampaignLook(name, day, found, cells, contacts, before)


def _measure(data: Dataset, name: str, **given: Any) -> pd.DataFrame:
    """The one place that calls the analysis of results: a row per cell and metric. ``people`` None: the table of contacts."""
    from crmlab.analyses.campaigns.results import measure

    return measure(data, name, **given)


def _contacts(name: str, data: Dataset, memory: CampaignMemory) -> pd.DataFrame:
    """Who was contacted when: as the data set has it, where it reads the memory, else as the memory does."""
    found = data.remembered
    bear = {} if found is None else {shown_as: cell for (of, cell), shown_as in found.names.items() if of == name}
    if not bear:
        return memory.contacts(name, data.descriptor.timezone)
    mine = data.contacts.filter(data.contacts["cell_id"].isin(sorted(bear)))
    frame = collect(mine, ("customer_id", "contacted_at", "cell_id"))
    return frame.assign(cell_id=frame["cell_id"].map(bear))


def _own_contacts(data: Dataset, cells: pd.DataFrame) -> pd.DataFrame:
    mine = data.contacts.filter(data.contacts["cell_id"].isin(sorted(cells["cell_id"])))
    return collect(mine, ("customer_id", "contacted_at", "cell_id"))


def _check_people(name: str, data: Dataset, memory: CampaignMemory, people: pd.DataFrame | None) -> None:
    """Refuse a data set that knows nobody of a campaign that was launched from another: all would seem not to have responded."""
    of = campaign_data(name, memory)
    if people is None or of == data.name:
        return
    tables = [data.table(one) for one in ("customers", "orders") if one in data.tables]
    known = {one for table in tables for one in collect(table.select("customer_id").distinct(), "customer_id")["customer_id"]}
    if not known & set(people["customer_id"]):
        raise CampaignError(
            f"The data set '{data.name}' knows nobody who is in the campaign {shown(name)}. Expected {of or 'the one'} that it was "
            f"launched from. Name it with --data."
        )

"""The campaign memory: what was planned, launched and learnt, for ever. Written by ``crmlab campaign``, read by reports.

Nothing is overwritten and nothing is deleted. Writing the same twice changes nothing, and of two writers at once neither loses
anything.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlab.data.campaign_events import Event, make_event
from crmlab.data.campaign_files import Folder
from crmlab.data.campaign_input import check_codes, checked_cells, checked_people
from crmlab.data.campaign_reading import CampaignReader, Store, cells_now
from crmlab.errors import CampaignError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CampaignMemory", "Store", "fingerprint", "open_memory"]

VARIABLE = "CRMLAB_CAMPAIGNS"


def open_memory(place: str | os.PathLike[str] | None = None) -> CampaignMemory:
    """Open the campaign memory.

    Parameters
    ----------
    place : str or path, optional
        A folder. Default: what the environment variable ``CRMLAB_CAMPAIGNS`` holds, a folder or the address of a Postgres
        (``postgresql://…``); where it is not set, ``campaigns/`` in the folder of private data. It need not be there yet.

    Returns
    -------
    CampaignMemory

    Raises
    ------
    CampaignError
        The address of a database was given as ``place``: addresses hold passwords and belong into the environment.
    """
    if place is not None:
        # A path that was made of an address has lost one of its slashes.
        if "://" in os.fspath(place) or os.fspath(place).startswith(("postgres:", "postgresql:")):
            raise CampaignError.address_given()
        return CampaignMemory(Folder(Path(place).expanduser()))
    named = os.environ.get(VARIABLE, "").strip()
    if "://" in named:
        from crmlab.data.campaigns_postgres import Postgres

        return CampaignMemory(Postgres(VARIABLE))
    from crmlab.data.project import home

    return CampaignMemory(Folder(Path(named).expanduser() if named else home() / "data" / "private" / "campaigns"))


def fingerprint(memory: CampaignMemory | None = None) -> str:
    """Return a digest of everything in the memory; it changes with every event, and with nothing else.

    Raises
    ------
    CampaignError
        The memory cannot be read.
    """
    events = sorted(header.event_id for header in (memory or open_memory()).headers())
    return hashlib.sha256(json.dumps(events).encode()).hexdigest()


class CampaignMemory(CampaignReader):
    """What was planned, launched and learnt.

    Parameters
    ----------
    store : Store
        A :class:`~crmlab.data.campaign_files.Folder` or a :class:`~crmlab.data.campaigns_postgres.Postgres`.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> cells = pd.DataFrame({"cell_id": ["a-1", "a-0"], "control_cell_id": ["a-0", None], "response_code": ["AYADH7", None]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     memory = open_memory(folder)
    ...     event = memory.plan("a", cells)
    ...     event == memory.plan("a", cells), memory.cells()["cell_id"].tolist()
    (True, ['a-0', 'a-1'])
    """

    def plan(self, campaign: str, cells: pd.DataFrame, details: dict[str, Any] | None = None) -> str:
        """Keep the plan of a campaign; a later plan takes the place of an earlier one until the launch.

        Parameters
        ----------
        campaign : str
        cells : DataFrame
            Rows of the canonical table ``cells``; ``campaign_id`` may be left out.
        details : dict, optional
            Salt, criteria of the list and the like, as plain values.

        Returns
        -------
        str
            Identifier of the event.

        Raises
        ------
        CampaignError
            The cells do not make a test, a code is in use, or the campaign is launched and this is another plan.
        """
        mine = checked_cells(campaign, cells)
        with self.store.exclusive():
            known = self.headers()
            check_codes(campaign, mine, known)
            launched = next((header for header in known if header.kind == "launched" and header.campaign == campaign), None)
            event = make_event("planned", campaign, _now(), cells=mine, details=details)
            if launched is not None and all(header.event_id != event.header.event_id for header in known):
                raise CampaignError.launched_already(campaign, launched.recorded_at)
            return self._put(event)

    def launch(
        self, campaign: str, cells: pd.DataFrame, assignments: pd.DataFrame, details: dict[str, Any] | None = None
    ) -> str:
        """Fix for ever who is in which cell.

        Parameters
        ----------
        campaign : str
        cells : DataFrame
            As of :meth:`plan`.
        assignments : DataFrame
            ``customer_id``, ``cell_id`` and, where known, ``household_id``; in any order.
        details : dict, optional

        Returns
        -------
        str
            Identifier of the event: the same if the same was launched before.

        Raises
        ------
        CampaignError
            The cells do not make a test, a customer is assigned twice or to no cell of the campaign, or the campaign is
            launched with other cells or other people.
        """
        mine, people = checked_cells(campaign, cells), checked_people(campaign, cells, assignments)
        with self.store.exclusive():
            known = self.headers()
            check_codes(campaign, mine, known)
            return self._put(make_event("launched", campaign, _now(), rows=people, cells=mine, details=details))

    def record_results(
        self,
        campaign: str,
        results: pd.DataFrame,
        cells: pd.DataFrame | None = None,
        details: dict[str, Any] | None = None,
    ) -> str:
        """Add one look at the results of a campaign.

        Parameters
        ----------
        campaign : str
            Launched from here or known from elsewhere.
        results : DataFrame
            One row per cell and metric: ``cell_id``, ``metric``, ``n``, and any further numbers and texts, such as ``sum``,
            ``square``, ``mean``, ``control_cell_id``, ``estimate``, ``low``, ``high``, ``level``, ``p_value``. ``cell`` and
            ``control``, as ``compare_cells`` has them, are taken for ``cell_id`` and ``control_cell_id``.
        cells : DataFrame, optional
            Rows of the cells table, needed where the campaign was not planned here.
        details : dict, optional
            Such as ``as_of`` and ``data``: the same look at the same data is one event.

        Returns
        -------
        str
            Identifier of the event.

        Raises
        ------
        CampaignError
            A column is missing, a cell is unknown, the campaign is unknown and no cells are given, or it is closed.
        """
        frame = results.rename(columns={"cell": "cell_id", "control": "control_cell_id"})
        for column in ("cell_id", "metric", "n"):
            if column not in frame.columns:
                raise CampaignError.missing_column(f"results of {campaign}", column, results.columns)
        frame = frame.sort_values(["metric", "cell_id"], ignore_index=True)
        with self.store.exclusive():
            known = self.headers(campaign)
            mine = checked_cells(campaign, cells) if cells is not None else cells_now(known)
            if mine is None:
                raise CampaignError.unknown(campaign, {header.campaign for header in self.headers()})
            extra = sorted(set(frame["cell_id"].dropna()) - set(mine["cell_id"]))
            if extra:
                raise CampaignError.unknown_cells(campaign, extra, mine["cell_id"])
            event = make_event("results", campaign, _now(), rows=frame, cells=mine, details=details)
            closed = any(header.kind == "closed" for header in known)
            if closed and all(header.event_id != event.header.event_id for header in known):
                raise CampaignError.closed(campaign)
            return self._put(event)

    def close(self, campaign: str, note: str = "") -> str:
        """Say that a campaign is over: no further results are taken."""
        with self.store.exclusive():
            if not self.headers(campaign):
                raise CampaignError.unknown(campaign, {header.campaign for header in self.headers()})
            known = self.headers(campaign, "closed")
            return known[0].event_id if known else self._put(make_event("closed", campaign, _now(), details={"note": note}))

    def _put(self, event: Event) -> str:
        mine = event.header
        if not self.store.put(event):
            there = next(header for header in self.store.headers() if header.slot == mine.slot)
            if there.event_id != mine.event_id:
                raise CampaignError.launched_already(mine.campaign, there.recorded_at)
        return mine.event_id


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="microseconds")

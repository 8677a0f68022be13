"""The campaign memory: what was planned, launched and learnt, for ever. Written by ``crmlab campaign``, read by reports.

Nothing is overwritten and nothing is deleted. Writing the same twice changes nothing, and of two writers at once neither loses
anything. Every reading checks all headers, and that no event is missing; rows are checked when they are read. What that finds out, and what
it does not, is said in :mod:`crmlab.data.memory.chain`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from crmlab.data.memory.chain import Head, Heads, heads_of, in_line, unlinked
from crmlab.data.memory.checks import check_codes, checked_cells, checked_people
from crmlab.data.memory.events import UNLINKED, Event, Header, Kind, make_event, read_rows
from crmlab.data.memory.stores import Folder
from crmlab.data.tables import CELLS
from crmlab.errors import CampaignError, shown

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import pandas as pd

__all__ = [
    "COMPONENTS",
    "VARIABLE",
    "CampaignMemory",
    "CampaignReader",
    "Store",
    "addresses",
    "cells_now",
    "fingerprint",
    "open_memory",
    "witnessed",
]


VARIABLE = "CRMLAB_CAMPAIGNS"


COMPONENTS = ("offer", "list", "creative", "channel")
_STATES = {"planned": "planned", "launched": "launched", "results": "measured", "closed": "closed"}


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
            # What was given may hold a password: it is not shown.
            raise CampaignError(
                "The campaign memory must be named by a folder. Got the address of a database, which is not shown. "
                "Put it into the environment variable CRMLAB_CAMPAIGNS: addresses are never written into files."
            )
        return CampaignMemory(Folder(Path(place).expanduser()))
    named = os.environ.get(VARIABLE, "").strip()
    if "://" in named:
        from crmlab.data.memory.stores import Postgres

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
    events = sorted(header.digest for header in (memory or open_memory()).headers())
    return hashlib.sha256(json.dumps(events).encode()).hexdigest()


def witnessed(before: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what the record of a run keeps of the memory, and what is not as the record of an earlier run says.

    Parameters
    ----------
    before : mapping
        What the earlier record keeps; empty where there is none.

    Returns
    -------
    (seen, notes)
        By campaign the ``count`` of its events and the ``digest`` of the last; and sentences: on campaigns that had more events then, or
        others, and on a memory that was not adopted yet.

    Raises
    ------
    CampaignError
        The memory cannot be read.
    """
    memory = open_memory()
    digests = {name: [header.digest for header in mine] for name, mine in _by_campaign(memory.headers()).items()}
    form = "" if before else memory.old_form()  # said with the first run that sees it
    notes = [form] if form else []
    for name, head in sorted(before.items()):
        count, digest = (head.get("count"), head.get("digest")) if isinstance(head, dict) else (None, None)
        if not isinstance(count, int) or count < 1:
            notes.append(f"What the record of an earlier run says of the campaign {shown(name)} cannot be read.")
            continue
        now = digests.get(name, [])
        if len(now) < count:
            notes.append(
                f"The campaign memory holds {len(now)} of the {count} events of the campaign {shown(name)} that an earlier run saw: it is "
                "another memory, or events were lost."
            )
        elif now[count - 1] != digest:
            notes.append(
                f"The first {count} events of the campaign {shown(name)} in the campaign memory are not those that an earlier run saw: "
                "it is another memory, or it was written anew."
            )
    return {name: {"count": len(mine), "digest": mine[-1]} for name, mine in digests.items()}, tuple(notes)


def addresses() -> tuple[str, ...]:
    """Return the address of the database that holds the memory; nothing where it is a folder."""
    named = os.environ.get(VARIABLE, "").strip()
    return (named,) if "://" in named else ()


class CampaignReader:
    """What can be read of a campaign memory. See :class:`~crmlab.data.memory.campaigns.CampaignMemory`."""

    def __init__(self, store: Store):
        self.store = store

    def __repr__(self) -> str:
        return f"CampaignMemory({self.store!r})"

    def headers(self, campaign: str | None = None, kind: Kind | None = None) -> list[Header]:
        """Return the headers of events, in the order of recording; those of one campaign in their order, whatever clocks said.

        Raises
        ------
        CampaignError
            The memory cannot be read, or an event is missing or not as it was written.
        """
        return [item for item in _ordered(self._read()[0]) if campaign in (None, item.campaign) and kind in (None, item.kind)]

    def old_form(self) -> str:
        """Return a sentence where the memory is of the form before links and was not adopted yet, else nothing."""
        headers, heads = self.store.read()
        if not unlinked(headers, heads):
            return ""
        return (
            "The campaign memory is of the form before links: an event that was deleted, or whose time was changed, is not found out. It "
            "is read as it is; the next crmlab campaign command that can write to it adopts it."
        )

    def _read(self) -> tuple[list[Header], Heads]:
        """All events, checked and in line, and the heads that there are."""
        headers, heads = self.store.read()
        if unlinked(headers, heads):
            for header in headers:  # nothing but their content holds them yet
                self._rows(header)
        return in_line(headers, heads, self.store.ahead), heads or {}

    def campaigns(self) -> pd.DataFrame:
        """Return one row per campaign: ``campaign_id``, ``state``, ``cells``, ``people`` (assigned), ``looks``, ``last_at``."""
        return self._overview(self.headers())

    def _overview(self, headers: list[Header]) -> pd.DataFrame:
        import pandas as pd

        rows = []
        order = list(_STATES)
        for name, mine in _by_campaign(headers).items():
            state = _STATES[max((header.kind for header in mine), key=order.index)]
            people = sum(header.rows for header in mine if header.kind == "launched")
            looks = sum(header.kind == "results" for header in mine)
            cells = cells_now(mine)
            rows.append((name, state, 0 if cells is None else len(cells), people, looks, mine[-1].recorded_at))
        return pd.DataFrame(rows, columns=["campaign_id", "state", "cells", "people", "looks", "last_at"])

    def cells(self, campaign: str | None = None) -> pd.DataFrame:
        """Return the cells as launched, else as last planned: the columns of the canonical table, and ``state``.

        Raises
        ------
        CampaignError
            There is no such campaign.
        """
        import pandas as pd

        columns = [*(column.name for column in CELLS.columns), "state"]
        frames = []
        headers = self.headers()
        overview, events = self._overview(headers), _by_campaign(headers)
        self._known(campaign, overview)
        for name, state in zip(overview["campaign_id"], overview["state"], strict=True):
            found = cells_now(events[name]) if campaign in (None, name) else None
            if found is not None:
                frames.append(found.reindex(columns=columns[:-1]).assign(state=state).astype(object))
        if not frames:
            return pd.DataFrame(columns=columns)
        return pd.concat(frames).sort_values(["campaign_id", "cell_id"], ignore_index=True).infer_objects()

    def assignments(self, campaign: str) -> pd.DataFrame:
        """Return who is in which cell, as launched: ``customer_id``, ``cell_id``, ``household_id``.

        Raises
        ------
        CampaignError
            The campaign was not launched from here, or the file is not as it was written.
        """
        launched = self.headers(campaign, "launched")
        if not launched:
            raise CampaignError.unknown(campaign, {header.campaign for header in self.headers(kind="launched")})
        return self._rows(launched[0])

    def launched(self) -> Iterator[tuple[Header, pd.DataFrame]]:
        """Give every launch with its people, as :meth:`assignments` has them, in the order of recording."""
        for header in self.headers(kind="launched"):
            yield header, self._rows(header)

    def plan_details(self, campaign: str) -> dict[str, Any]:
        """Return what the last plan says beside its cells: salt, criteria of the list."""
        planned = self.headers(campaign, "planned")
        if not planned:
            raise CampaignError.unknown(campaign, {header.campaign for header in self.headers(kind="planned")})
        return dict(planned[-1].details)

    def looks(self, campaign: str) -> int:
        """Return how often results of a campaign have been recorded."""
        return len(self.headers(campaign, "results"))

    def results(self, campaign: str | None = None, *, last_only: bool = False) -> pd.DataFrame:
        """Return results: ``campaign_id``, ``look`` (from 1), ``cell_id``, ``metric``, ``n`` and whatever was recorded.

        Parameters
        ----------
        campaign : str, optional
            Default: all.
        last_only : bool
            Only the last look of each campaign.
        """
        import pandas as pd

        frames = []
        for name, events in _by_campaign(self.headers(campaign, "results")).items():
            mine = list(enumerate(events, start=1))
            for look, header in mine[-1:] if last_only else mine:
                frame = self._rows(header)
                leading = {"campaign_id": name, "look": look}
                said = {key: header.details.get(key) for key in ("as_of",) if key not in frame.columns}
                frames.append(frame.drop(columns=[*leading], errors="ignore").assign(**said).astype(object).assign(**leading))
        columns = ["campaign_id", "look", "cell_id", "metric", "n"]
        if not frames:
            return pd.DataFrame(columns=columns)
        whole = pd.concat(frames, ignore_index=True).infer_objects()
        rest = [name for name in whole.columns if name not in columns]
        return whole[[*columns, *rest]].sort_values(["campaign_id", "look", "metric", "cell_id"], ignore_index=True)

    def history(self, component: str = "offer", value: str | None = None) -> pd.DataFrame:
        """Return the last results of every past cell that had a control, by one of its components.

        Parameters
        ----------
        component : {"offer", "list", "creative", "channel"}
        value : str, optional
            Only cells with this offer (list, …).

        Returns
        -------
        DataFrame
            ``component``'s value as ``value``, then ``campaign_id``, ``cell_id``, ``control_cell_id``, ``metric``, ``n``,
            ``look``, ``opens_on``, ``closes_on``, ``state`` and what was recorded; ordered by value, then by time.

        Raises
        ------
        CampaignError
            There is no such component.
        """
        if component not in COMPONENTS:
            raise CampaignError.must_be("The component of a history", f"one of {', '.join(COMPONENTS)}", component)
        last, cells = self.results(last_only=True), self.cells()
        about = cells[["campaign_id", "cell_id", "control_cell_id", component, "opens_on", "closes_on", "state"]]
        about = about.rename(columns={component: "value"})
        kept = last.drop(columns=[name for name in about.columns if name not in ("campaign_id", "cell_id")], errors="ignore")
        joined = about.merge(kept, on=["campaign_id", "cell_id"])
        joined = joined[joined["control_cell_id"].notna() & joined["value"].notna()]
        if value is not None:
            joined = joined[joined["value"] == value]
        leading = [
            "value",
            "campaign_id",
            "cell_id",
            "control_cell_id",
            "metric",
            "n",
            "look",
            "opens_on",
            "closes_on",
            "state",
        ]
        joined = joined[[*leading, *(name for name in joined.columns if name not in leading)]]
        return joined.sort_values(["value", "opens_on", "campaign_id", "cell_id", "metric"], ignore_index=True)

    def _rows(self, header: Header) -> pd.DataFrame:
        content, name = self.store.content(header)
        return read_rows(content, header, name)

    def _known(self, campaign: str | None, overview: pd.DataFrame) -> None:
        if campaign is not None and campaign not in set(overview["campaign_id"]):
            raise CampaignError.unknown(campaign, overview["campaign_id"])


class CampaignMemory(CampaignReader):
    """What was planned, launched and learnt.

    Parameters
    ----------
    store : Store
        A :class:`~crmlab.data.memory.stores.Folder` or a :class:`~crmlab.data.memory.stores.Postgres`.

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
        with self._writing() as known:
            check_codes(campaign, mine, known)
            launched = next((header for header in known if header.kind == "launched" and header.campaign == campaign), None)
            event = make_event("planned", campaign, _now(), cells=mine, details=details)
            if launched is not None and all(header.event_id != event.header.event_id for header in known):
                raise CampaignError.launched_already(campaign, launched.recorded_at)
            return self._put(event, known)

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
        with self._writing() as known:
            check_codes(campaign, mine, known)
            return self._put(make_event("launched", campaign, _now(), rows=people, cells=mine, details=details), known)

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
                raise CampaignError.lacks(f"results of {campaign}", column, results.columns)
        frame = frame.sort_values(["metric", "cell_id"], ignore_index=True)
        with self._writing() as every:
            known = [header for header in every if header.campaign == campaign]
            mine = checked_cells(campaign, cells) if cells is not None else cells_now(known)
            if mine is None:
                raise CampaignError.unknown(campaign, {header.campaign for header in every})
            extra = sorted(set(frame["cell_id"].dropna()) - set(mine["cell_id"]))
            if extra:
                raise CampaignError.unknown_cells(campaign, extra, mine["cell_id"])
            event = make_event("results", campaign, _now(), rows=frame, cells=mine, details=details)
            closed = any(header.kind == "closed" for header in known)
            if closed and all(header.event_id != event.header.event_id for header in known):
                raise CampaignError(f"The campaign {shown(campaign)} is closed. Expected no further results. Plan a new one.")
            return self._put(event, every)

    def close(self, campaign: str, note: str = "") -> str:
        """Say that a campaign is over: no further results are taken."""
        with self._writing() as every:
            known = [header for header in every if header.campaign == campaign]
            if not known:
                raise CampaignError.unknown(campaign, {header.campaign for header in every})
            closed = [header for header in known if header.kind == "closed"]
            if closed:
                return closed[0].event_id
            return self._put(make_event("closed", campaign, _now(), details={"note": note}), every)

    def adopt(self) -> str:
        """Bring a memory of the form before links into line; where it is, nothing happens.

        Returns
        -------
        str
            A sentence on what was adopted; nothing where there was nothing to do.

        Raises
        ------
        CampaignError
            The memory cannot be written, or an event is not as it was written; then nothing is adopted.
        """
        if not self.old_form():
            return ""
        with self._writing() as headers:
            old = [header for header in headers if header.form == UNLINKED]
        events = "1 event" if len(old) == 1 else f"{len(old):,} events"
        return (
            f"The campaign memory was of the form before links. It was adopted as it is: {events}. What is deleted or changed from now "
            "on is found out."
        )

    @contextmanager
    def _writing(self) -> Iterator[list[Header]]:
        """Keep others out, and give the events there are. First the heads are brought up to them: one that a killed writer left behind,
        and those of a memory that had none.
        """
        with self.store.exclusive():
            headers, heads = self._read()
            if (found := heads_of(headers)) != heads:
                self.store.keep_heads(found)
            yield _ordered(headers)

    def _put(self, event: Event, known: list[Header]) -> str:
        """Write an event, then its head; nothing where it is there already. Inside :meth:`_writing` only."""
        mine = event.header
        there = next((header for header in known if header.slot == mine.slot), None)
        if there is None:
            heads = heads_of(known)
            last = heads.get(mine.campaign, Head(0, ""))
            event = event.linked(last.count + 1, last.digest)
            if self.store.put(event):
                self.store.keep_heads({**heads, mine.campaign: Head(last.count + 1, event.header.digest, last.adopted)})
                return mine.event_id
            there = next(header for header in self._read()[0] if header.slot == mine.slot)
        if there.event_id != mine.event_id:
            raise CampaignError.launched_already(mine.campaign, there.recorded_at)
        return mine.event_id


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="microseconds")


class Store(Protocol):
    """Where events are kept. ``ahead``: how many there may be that the heads do not know yet."""

    ahead: int

    def exclusive(self) -> AbstractContextManager[None]: ...  # noqa: D102
    def read(self) -> tuple[list[Header], dict[str, Head] | None]: ...  # noqa: D102
    def content(self, header: Header) -> tuple[Any, str]: ...  # noqa: D102
    def put(self, event: Event) -> bool: ...  # noqa: D102
    def keep_heads(self, heads: Heads) -> None: ...  # noqa: D102


def cells_now(headers: list[Header]) -> pd.DataFrame | None:
    """The cells of one campaign as launched, else as last planned, else as last measured."""
    import pandas as pd

    for kind in ("launched", "planned", "results"):
        mine = [header for header in headers if header.kind == kind and header.cells]
        if mine:
            return pd.DataFrame(list(mine[-1].cells))
    return None


def _by_campaign(headers: list[Header]) -> dict[str, list[Header]]:
    """Headers by campaign, in the order of names; those of one stay in their order."""
    found: dict[str, list[Header]] = {name: [] for name in sorted({header.campaign for header in headers})}
    for header in headers:
        found[header.campaign].append(header)
    return found


def _ordered(headers: list[Header]) -> list[Header]:
    """Events in the order of recording. A clock that was set back does not bring an event before the one that it follows."""
    at: dict[str, str] = {}
    keyed = []
    for header in sorted(headers, key=lambda one: (one.campaign, one.sequence)):
        at[header.campaign] = max(header.recorded_at, at.get(header.campaign, ""))
        keyed.append((at[header.campaign], header.campaign, header.sequence, header))
    return [header for *_, header in sorted(keyed, key=lambda one: one[:3])]

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
from typing import TYPE_CHECKING, Any

from crmlab.data.memory.chain import Head, heads_of
from crmlab.data.memory.checks import check_codes, checked_cells, checked_decision, checked_people
from crmlab.data.memory.events import UNLINKED, Event, Header, make_event
from crmlab.data.memory.reader import RESPONSE_KEY, CampaignReader, by_campaign, cells_now, in_order
from crmlab.data.memory.stores import Folder
from crmlab.errors import CampaignError, shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "VARIABLE",
    "CampaignMemory",
    "addresses",
    "fingerprint",
    "open_memory",
    "witnessed",
]


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
    digests = {name: [header.digest for header in mine] for name, mine in by_campaign(memory.headers()).items()}
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
            The cells do not make a test, a code is in use, the campaign is launched and this is another plan, or it was withdrawn.
        """
        mine = checked_cells(campaign, cells)
        with self._writing() as known:
            check_codes(campaign, mine, known)
            _not_withdrawn(campaign, known)
            launched = next((header for header in known if header.kind == "launched" and header.campaign == campaign), None)
            event = make_event("planned", campaign, _now(), cells=mine, details=details)
            if launched is not None and all(header.event_id != event.header.event_id for header in known):
                raise CampaignError.launched_already(campaign, launched.recorded_at)
            return self._put(event, known)

    def decide(self, campaign: str, people: pd.DataFrame, details: dict[str, Any] | None = None) -> str:
        """Keep the decision that a planned campaign was made of: with whom it would be done, and who of them is held out.

        It is what the campaign promised, and what later tells whether that was kept: those held out were as good as the others when it
        was decided. A later decision takes the place of an earlier one until the launch.

        Parameters
        ----------
        campaign : str
        people : DataFrame
            ``customer_id``, ``action`` (what would be done), ``arm`` (``"acted"``, or ``"held out"`` by the universal control), ``gain``
            (expected, less the cost) and ``cost``; in any order.
        details : dict, optional
            Such as the data set, its day and the effect that was expected, as plain values.

        Returns
        -------
        str
            Identifier of the event.

        Raises
        ------
        CampaignError
            A column is missing, a customer is there twice or in no arm, or the campaign is not planned, launched already, or withdrawn.
        """
        found = checked_decision(campaign, people)
        with self._writing() as every:
            known = [header for header in every if header.campaign == campaign]
            kinds = {header.kind: header for header in known}
            _planned(campaign, every)
            _not_withdrawn(campaign, known)
            event = make_event("decided", campaign, _now(), rows=found, details=details)
            if "launched" in kinds and all(header.event_id != event.header.event_id for header in known):
                raise CampaignError.launched_already(campaign, kinds["launched"].recorded_at)
            return self._put(event, every)

    def withdraw(self, campaign: str, note: str = "") -> str:
        """Say that a campaign which was planned will not be launched; its name and its codes are not given again.

        Parameters
        ----------
        campaign : str
        note : str
            Why.

        Returns
        -------
        str
            Identifier of the event: the same if it was withdrawn before.

        Raises
        ------
        CampaignError
            There is no such plan, or the campaign is launched: what is in people's hands cannot be taken back.
        """
        with self._writing() as every:
            known = [header for header in every if header.campaign == campaign]
            kinds = {header.kind: header for header in known}
            if "withdrawn" in kinds:
                return kinds["withdrawn"].event_id
            if "launched" in kinds:
                raise CampaignError(
                    f"{shown(campaign)} was launched on {kinds['launched'].recorded_at[:10]} and can no longer be withdrawn. To close it: "
                    f"crmlab campaign results {campaign} --close"
                )
            _planned(campaign, every)
            return self._put(make_event("withdrawn", campaign, _now(), details={"note": note}), every)

    def record_responses(self, campaign: str, responses: pd.DataFrame, details: dict[str, Any] | None = None) -> int:
        """Add responses to a launched campaign; those that are there already are passed over.

        Parameters
        ----------
        campaign : str
        responses : DataFrame
            ``customer_id``, ``responded_at``, ``kind`` and, where known, ``response_code``, ``order_id`` and ``follow_up_at``.
        details : dict, optional
            Such as the name of the file.

        Returns
        -------
        int
            How many were new.

        Raises
        ------
        CampaignError
            A column is missing, or the campaign is not launched, or closed.
        """
        for column in RESPONSE_KEY:
            if column not in responses.columns:
                raise CampaignError.lacks(f"responses of {campaign}", column, responses.columns)
        with self._writing() as every:
            mine = [header for header in every if header.campaign == campaign]
            kinds = {header.kind for header in mine}
            if "launched" not in kinds:
                raise CampaignError.unknown(campaign, {header.campaign for header in every if header.kind == "launched"})
            if "closed" in kinds:
                raise CampaignError(f"The campaign {shown(campaign)} is closed. Expected no further responses. Plan a new one.")
            key = list(RESPONSE_KEY)
            there = self.responses_of([header for header in mine if header.kind == "responses"])
            known = set(there[key].itertuples(index=False, name=None))
            given = responses.astype({"responded_at": "datetime64[us]"}).drop_duplicates(key)
            new = [row not in known for row in given[key].itertuples(index=False, name=None)]
            fresh = given[new].sort_values(key, ignore_index=True)
            if len(fresh):
                self._put(make_event("responses", campaign, _now(), rows=fresh, details=details), every)
            return len(fresh)

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
            _not_withdrawn(campaign, known)
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
            _not_withdrawn(campaign, known)
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
            yield in_order(headers)

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


def _planned(campaign: str, every: list[Header]) -> None:
    """Refuse what goes on with a plan where there is none."""
    names = {header.campaign for header in every if header.kind == "planned"}
    if campaign not in names:
        raise CampaignError.unknown(campaign, names)


def _not_withdrawn(campaign: str, known: list[Header]) -> None:
    """Refuse whatever would go on with a campaign that was withdrawn."""
    for header in known:
        if header.kind == "withdrawn" and header.campaign == campaign:
            raise CampaignError(
                f"The campaign {shown(campaign)} was withdrawn on {header.recorded_at[:10]}. Expected one that was not. "
                "Plan a new one under another name."
            )


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="microseconds")

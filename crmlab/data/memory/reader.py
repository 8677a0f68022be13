"""What the campaign memory tells: campaigns, cells, who was assigned, results and past effects, every event checked as it is read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

from crmlab.data.memory.chain import Head, Heads, in_line, unlinked
from crmlab.data.memory.checks import code_problems
from crmlab.data.memory.events import Event, Header, Kind, read_rows
from crmlab.data.tables import CELLS, RESPONSES
from crmlab.errors import CampaignError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import pandas as pd

__all__ = ["COMPONENTS", "RESPONSE_KEY", "CampaignReader", "Store", "by_campaign", "cells_now", "in_order"]

COMPONENTS = ("offer", "list", "creative", "channel")
_STATES = {
    "planned": "planned", "decided": "planned", "withdrawn": "withdrawn", "launched": "launched", "responses": "launched",
    "results": "measured", "closed": "closed",
}  # fmt: skip
RESPONSE_KEY = ("customer_id", "responded_at", "kind")  # what makes two rows of responses the same response


class Store(Protocol):
    """Where events are kept. ``ahead``: how many there may be that the heads do not know yet."""

    ahead: int

    def exclusive(self) -> AbstractContextManager[None]: ...  # noqa: D102
    def read(self) -> tuple[list[Header], dict[str, Head] | None]: ...  # noqa: D102
    def content(self, header: Header) -> tuple[Any, str]: ...  # noqa: D102
    def put(self, event: Event) -> bool: ...  # noqa: D102
    def keep_heads(self, heads: Heads) -> None: ...  # noqa: D102


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
        return [item for item in in_order(self._read()[0]) if campaign in (None, item.campaign) and kind in (None, item.kind)]

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
        for name, mine in by_campaign(headers).items():
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
        overview, events = self._overview(headers), by_campaign(headers)
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
        return self._rows(self._launch(campaign))

    def launched(self, timezone: str = "UTC") -> Iterator[tuple[Header, pd.DataFrame]]:
        """Give every launch with its contacts, as :meth:`contacts` has them, in the order of recording."""
        for header in self.headers(kind="launched"):
            yield header, self._contacts(header, timezone)

    def contacts(self, campaign: str, timezone: str = "UTC") -> pd.DataFrame:
        """Return who was contacted when, as launched; controls too, on the day on which they would have been.

        Parameters
        ----------
        campaign : str
        timezone : str
            In which the day of the launch is told.

        Returns
        -------
        DataFrame
            ``customer_id``, ``cell_id``, ``contacted_at`` (the first day of the cell's window; where it names none, the day of the
            launch), ``household_id``, ``response_code``.

        Raises
        ------
        CampaignError
            As of :meth:`assignments`.
        """
        return self._contacts(self._launch(campaign), timezone)

    def _contacts(self, launch: Header, timezone: str) -> pd.DataFrame:
        import pandas as pd

        people, cells = self._rows(launch), {str(row["cell_id"]): row for row in launch.cells}
        moment = dt.datetime.fromisoformat(launch.recorded_at).astimezone(ZoneInfo(timezone))
        opens = {name: pd.Timestamp(row.get("opens_on") or moment.date()) for name, row in cells.items()}
        codes = {name: row.get("response_code") for name, row in cells.items()}
        columns = ["customer_id", "cell_id", "contacted_at", "household_id", "response_code"]
        named = people.assign(contacted_at=people["cell_id"].map(opens), response_code=people["cell_id"].map(codes))
        return named.reindex(columns=columns)

    def responses(self, campaign: str) -> pd.DataFrame:
        """Return the responses that were recorded for a campaign: columns of the canonical table, each response once.

        Raises
        ------
        CampaignError
            A file of the memory is not as it was written.
        """
        return self.responses_of(self.headers(campaign, "responses"))

    def responses_of(self, headers: Sequence[Header]) -> pd.DataFrame:
        """Return what the events of some headers hold, as :meth:`responses` does."""
        import pandas as pd

        columns = [column.name for column in RESPONSES.kept]
        frames = [self._rows(header).reindex(columns=columns) for header in headers]
        if not frames:
            return pd.DataFrame(columns=columns)
        whole = pd.concat([frame.astype(object) for frame in frames], ignore_index=True)
        whole = whole.astype({"responded_at": "datetime64[us]"}).drop_duplicates(list(RESPONSE_KEY))
        return whole.sort_values(list(RESPONSE_KEY), ignore_index=True)

    def plan_details(self, campaign: str) -> dict[str, Any]:
        """Return what the last plan says beside its cells: salt, criteria of the list."""
        planned = self.headers(campaign, "planned")
        if not planned:
            raise CampaignError.unknown(campaign, {header.campaign for header in self.headers(kind="planned")})
        return dict(planned[-1].details)

    def decision(self, campaign: str) -> tuple[dict[str, Any], pd.DataFrame] | None:
        """Return the decision that a campaign was made of: what it says, and its people as :meth:`CampaignMemory.decide` takes them.

        None where the campaign was not made of a decision. Of several the last one counts.

        Raises
        ------
        CampaignError
            A file of the memory is not as it was written.
        """
        found = self.headers(campaign, "decided")
        return (dict(found[-1].details), self._rows(found[-1])) if found else None

    def code_problems(self, campaign: str, cells: pd.DataFrame) -> list[CampaignError]:
        """Return what is wrong with the codes of a plan beside those of launched campaigns."""
        return list(code_problems(campaign, cells, self.headers(kind="launched")))

    def looks(self, campaign: str) -> int:
        """Return how often results of a campaign have been recorded."""
        return len(self.headers(campaign, "results"))

    def recorded_since_look(self, campaign: str) -> int:
        """Return how many responses were recorded since the last look at a campaign."""
        kinds = [(one.kind, one.rows) for one in self.headers(campaign)]
        last = max((place for place, (kind, _) in enumerate(kinds) if kind == "results"), default=-1)
        return sum(rows for kind, rows in kinds[last + 1 :] if kind == "responses")

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
        for name, events in by_campaign(self.headers(campaign, "results")).items():
            mine = list(enumerate(events, start=1))
            for look, header in mine[-1:] if last_only else mine:
                frame = self._rows(header)
                leading = {"campaign_id": name, "look": look}
                said = {key: header.details.get(key) for key in ("as_of", "data") if key not in frame.columns}
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

    def _launch(self, campaign: str) -> Header:
        launched = self.headers(campaign, "launched")
        if not launched:
            raise CampaignError.unknown(campaign, {header.campaign for header in self.headers(kind="launched")})
        return launched[0]

    def _rows(self, header: Header) -> pd.DataFrame:
        content, name = self.store.content(header)
        return read_rows(content, header, name)

    def _known(self, campaign: str | None, overview: pd.DataFrame) -> None:
        if campaign is not None and campaign not in set(overview["campaign_id"]):
            raise CampaignError.unknown(campaign, overview["campaign_id"])


def cells_now(headers: list[Header]) -> pd.DataFrame | None:
    """The cells of one campaign as launched, else as last planned, else as last measured."""
    import pandas as pd

    for kind in ("launched", "planned", "results"):
        mine = [header for header in headers if header.kind == kind and header.cells]
        if mine:
            return pd.DataFrame(list(mine[-1].cells))
    return None


def by_campaign(headers: list[Header]) -> dict[str, list[Header]]:
    """Headers by campaign, in the order of names; those of one stay in their order."""
    found: dict[str, list[Header]] = {name: [] for name in sorted({header.campaign for header in headers})}
    for header in headers:
        found[header.campaign].append(header)
    return found


def in_order(headers: list[Header]) -> list[Header]:
    """Events in the order of recording. A clock that was set back does not bring an event before the one that it follows."""
    at: dict[str, str] = {}
    keyed = []
    for header in sorted(headers, key=lambda one: (one.campaign, one.sequence)):
        at[header.campaign] = max(header.recorded_at, at.get(header.campaign, ""))
        keyed.append((at[header.campaign], header.campaign, header.sequence, header))
    return [header for *_, header in sorted(keyed, key=lambda one: one[:3])]

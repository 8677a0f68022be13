"""What the campaign memory knows of a data set: cells, contacts and responses of the campaigns that were launched from it.

They stand in the data set's tables beside those that it has of its own, so that a launched campaign is measured, shown and counted as any
other. A campaign that is in both is counted once.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from crmlab.collecting import collect_arrow
from crmlab.data.memory.campaigns import open_memory
from crmlab.data.memory.reader import RESPONSE_KEY, by_campaign
from crmlab.data.tables import TABLES
from crmlab.errors import CampaignError, listing, shown

if TYPE_CHECKING:
    import ibis
    import pandas as pd
    import pyarrow as pa

    from crmlab.data.descriptor import Descriptor
    from crmlab.data.memory.events import Header
    from crmlab.data.memory.reader import CampaignReader

__all__ = ["Remembered", "Taken", "joined", "remembered", "taken"]

# Puts an Arrow table into the engine of a data set, under a name, and gives it back as a table.
Place = Callable[[str, "pa.Table"], "ibis.Table"]


@dataclass(frozen=True, eq=False)
class Remembered:
    """The campaigns of a data set that the memory knows.

    Attributes
    ----------
    cells, contacts, responses : DataFrame
        Rows of the canonical tables; ``contacts`` and ``responses`` with ``campaign_id``.
    names : mapping of (campaign, cell) to str
        What a cell is called in the tables of the data set: its own name, or where another campaign has a cell of that name the two
        together.
    """

    cells: pd.DataFrame = field(repr=False)
    contacts: pd.DataFrame = field(repr=False)
    responses: pd.DataFrame = field(repr=False)
    names: Mapping[tuple[str, str], str]

    def answers(self, campaign: str) -> pd.DataFrame:
        """Who answered a campaign with an order by what was recorded in the memory.

        Returns
        -------
        DataFrame
            ``customer_id``, ``responded_at``, ``cell_id`` (as launched), ``control`` (whether that is the control of another cell).
        """
        mine = self.responses[(self.responses["campaign_id"] == campaign) & (self.responses["kind"] == "order")]
        people = self.contacts[self.contacts["campaign_id"] == campaign].set_index("customer_id")["cell_id"]
        cells = self.cells[self.cells["campaign_id"] == campaign]
        controls = set(cells["control_cell_id"].dropna()) if "control_cell_id" in cells else set()
        found = mine[["customer_id", "responded_at"]].assign(cell_id=mine["customer_id"].map(people))
        return found.assign(control=found["cell_id"].isin(controls)).reset_index(drop=True)


@dataclass(frozen=True)
class Taken:
    """What a data set takes from the memory, told from headers alone: a digest of all of it, and rows by table."""

    digest: str
    rows: Mapping[str, int]


def taken(descriptor: Descriptor) -> Taken | None:
    """Say what a data set takes from the campaign memory; None where no campaign was launched from it.

    Raises
    ------
    CampaignError
        The memory cannot be read.
    """
    events = _events(descriptor, open_memory()) if descriptor.campaigns.memory else []
    if not events:
        return None
    launches = [one for one in events if one.kind == "launched"]
    rows = {
        "cells": sum(len(one.cells) for one in launches),
        "contacts": sum(one.rows for one in launches),
        "responses": sum(one.rows for one in events if one.kind == "responses"),
    }
    digest = hashlib.sha256(json.dumps(sorted(one.digest for one in events)).encode()).hexdigest()
    return Taken(digest, {name: count for name, count in rows.items() if count})


def _events(descriptor: Descriptor, memory: CampaignReader) -> list[Header]:
    """Launches from a data set, and responses to them."""
    headers = memory.headers()
    mine = {one.campaign for one in headers if one.kind == "launched" and one.details.get("data") == descriptor.name}
    return [one for one in headers if one.campaign in mine and one.kind in ("launched", "responses")]


def remembered(descriptor: Descriptor, memory: CampaignReader | None = None) -> Remembered | None:
    """Read what the memory knows of a data set; None where no campaign was launched from it.

    Parameters
    ----------
    descriptor : Descriptor
        Where it says ``memory = false`` under ``[campaigns]``, nothing is read.
    memory : CampaignReader, optional
        Default: that of the project.

    Raises
    ------
    CampaignError
        The memory cannot be read, or a file of it is not as it was written.
    """
    import pandas as pd

    if not descriptor.campaigns.memory:
        return None
    kept = memory or open_memory()
    events = _events(descriptor, kept)
    if not events:
        return None
    frames: dict[str, list[pd.DataFrame]] = {"cells": [], "contacts": [], "responses": []}
    said = by_campaign(events)
    for launch, contacts in kept.launched(descriptor.timezone):
        if (campaign := launch.campaign) in said:
            answers = kept.responses_of([one for one in said[campaign] if one.kind == "responses"])
            frames["cells"].append(pd.DataFrame(list(launch.cells), dtype=object).assign(campaign_id=campaign))
            frames["contacts"].append(contacts.assign(campaign_id=campaign))
            frames["responses"].append(answers.assign(campaign_id=campaign))
    whole = {name: _whole(name, found) for name, found in frames.items()}
    pairs = zip(whole["cells"]["campaign_id"], whole["cells"]["cell_id"], strict=True)
    return Remembered(**whole, names={(str(campaign), str(cell)): str(cell) for campaign, cell in pairs})


def _whole(name: str, frames: list[pd.DataFrame]) -> pd.DataFrame:
    """All rows, with every column of the canonical table that any of them fills."""
    import pandas as pd

    columns = list(dict.fromkeys(["campaign_id", *(column.name for column in TABLES[name].kept)]))
    found = pd.concat([frame.reindex(columns=columns).astype(object) for frame in frames], ignore_index=True)
    needed = {column.name for column in TABLES[name].kept if column.required}
    return found[[one for one in columns if one in needed or one == "campaign_id" or found[one].notna().any()]]


def joined(
    tables: Mapping[str, ibis.Table], found: Remembered, place: Place, where: str
) -> tuple[dict[str, ibis.Table], Remembered]:
    """Add what the memory knows to the tables of a data set.

    Parameters
    ----------
    tables : mapping
        Canonical tables of the data set itself.
    found : Remembered
    place : callable
        Puts an Arrow table into the engine of the data set.
    where : str
        The file of the data set, for messages.

    Returns
    -------
    (tables, found)
        Of a campaign that has cells in both, those of the data set stay; of a contact or a response in both, too. ``found`` has the
        names that cells bear there.

    Raises
    ------
    CampaignError
        A campaign is in both with other cells: it cannot be told which were sent.
    """
    own = _own_cells(tables)
    _check_same(found, own, where)
    there = {campaign for campaign, _ in own}
    named = replace(found, names=_names(found, own))
    result = dict(tables)
    more = found.cells[~found.cells["campaign_id"].astype(str).isin(there)]
    frames = {"cells": more.assign(cell_id=_renamed(more, named, "cell_id"))}
    if "control_cell_id" in more.columns:
        frames["cells"] = frames["cells"].assign(control_cell_id=_renamed(more, named, "control_cell_id"))
    frames["contacts"] = found.contacts.assign(cell_id=_renamed(found.contacts, named, "cell_id"))
    frames["responses"] = found.responses
    for name, key in (("cells", ("cell_id",)), ("contacts", ("customer_id", "cell_id")), ("responses", RESPONSE_KEY)):
        if len(frames[name]):
            further = place(name, _arrow(name, frames[name]))
            result[name] = _united(name, tables[name], further, key) if name in tables else further
    return result, named


def _own_cells(tables: Mapping[str, ibis.Table]) -> dict[tuple[str, str], str | None]:
    """The control of each cell that the data set has of its own, by campaign and cell."""
    if "cells" not in tables:
        return {}
    rows = collect_arrow(tables["cells"].select("campaign_id", "cell_id", "control_cell_id"), "cell_id").to_pylist()
    return {(row["campaign_id"], row["cell_id"]): row["control_cell_id"] for row in rows}


def _check_same(found: Remembered, own: Mapping[tuple[str, str], str | None], where: str) -> None:
    controls = found.cells["control_cell_id"] if "control_cell_id" in found.cells else [None] * len(found.cells)
    mine = {
        (str(a), str(b)): _text(c) for a, b, c in zip(found.cells["campaign_id"], found.cells["cell_id"], controls, strict=True)
    }
    for campaign in sorted({campaign for campaign, _ in own} & {campaign for campaign, _ in mine}):
        here = {cell: control for (of, cell), control in own.items() if of == campaign}
        launched = {cell: control for (of, cell), control in mine.items() if of == campaign}
        if here != launched:
            raise CampaignError(
                f"The campaign {shown(campaign)} is in the campaign memory and among the cells of {where}, with other cells or controls. "
                f"Expected the same. Found {listing(sorted(launched))} in the memory and {listing(sorted(here))} in the data. "
                "Correct the table cells, or write memory = false under [campaigns]."
            )


def _names(found: Remembered, own: Mapping[tuple[str, str], str | None]) -> dict[tuple[str, str], str]:
    """Names that no two cells share, whichever campaign they are of."""
    of: dict[str, set[str]] = {}
    for campaign, cell in (*found.names, *own):
        of.setdefault(cell, set()).add(campaign)
    theirs = {campaign for campaign, _ in own}
    return {
        (campaign, cell): cell if campaign in theirs or len(of[cell]) == 1 else f"{campaign}: {cell}"
        for campaign, cell in found.names
    }


def _renamed(frame: pd.DataFrame, found: Remembered, column: str) -> list[str | None]:
    pairs = zip(frame["campaign_id"], frame[column], strict=True)
    return [None if _text(cell) is None else found.names[(str(campaign), str(cell))] for campaign, cell in pairs]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _arrow(name: str, frame: pd.DataFrame) -> pa.Table:
    """Rows as the cache keeps a canonical table."""
    import pyarrow as pa

    types = {
        "text": pa.string(), "time": pa.timestamp("us"), "date": pa.date32(), "money": pa.decimal128(18, 4),
        "number": pa.decimal128(18, 4),
    }  # fmt: skip
    columns = [column for column in TABLES[name].kept if column.name in frame.columns]
    return pa.table(
        {
            column.name: pa.array([_value(value, column.kind) for value in frame[column.name]], types[column.kind])
            for column in columns
        }
    )


def _value(value: Any, kind: str) -> Any:
    """A value of the memory, where days are texts and amounts are floats, as a canonical table has it."""
    import pandas as pd

    if value is None or pd.isna(value):
        return None
    if kind == "time":
        return pd.Timestamp(value).to_pydatetime()
    if kind == "date":
        return value if type(value) is dt.date else pd.Timestamp(value).date()
    return Decimal(str(value)).quantize(Decimal("0.0001")) if kind in ("money", "number") else str(value)


def _united(name: str, own: ibis.Table, more: ibis.Table, key: tuple[str, ...]) -> ibis.Table:
    """Both together; what has the same key in both is taken from the data set itself."""
    import ibis

    kinds = {column.name: column.ibis_type for column in TABLES[name].kept}
    fresh = more.anti_join(own, list(key))
    columns = [*own.columns, *(one for one in more.columns if one not in own.columns)]

    def filled(table: ibis.Table) -> ibis.Table:
        kind = {one: own.schema()[one] if one in own.columns else kinds[one] for one in columns}
        return table.select(**{one: (table[one] if one in table.columns else ibis.null()).cast(kind[one]) for one in columns})

    return filled(own).union(filled(fresh))

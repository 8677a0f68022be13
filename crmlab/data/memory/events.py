"""Events of the campaign memory: what each kind holds, its identifier, and its form as bytes.

An event is a small Parquet file: its rows, and a header in the metadata of the file. Its identifier is the sha256 of what it
says. The time of recording is in the header but plays no part in the identifier: saying the same twice is one event.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from crmlab.errors import CampaignError, shown

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["KINDS", "Event", "Header", "Kind", "make_event", "parse_header", "read_header", "read_rows", "slot_of"]


Kind = Literal["planned", "launched", "results", "closed"]
KINDS: tuple[str, ...] = get_args(Kind)
FORMAT = 1
_HEADER = b"crmlab_event"
# Whatever a campaign has once has one slot: the second writer finds it taken.
_ONCE = ("launched", "closed")


@dataclass(frozen=True)
class Header:
    """What is known of an event without reading its rows.

    ``cells`` are rows of the cells table as plain values; ``recorded_at`` is an ISO time in UTC.
    """

    event_id: str
    kind: Kind
    campaign: str
    recorded_at: str
    rows: int
    details: dict[str, Any] = field(default_factory=dict)
    cells: tuple[dict[str, Any], ...] = ()

    @property
    def slot(self) -> str:
        """Where the event is kept: one place per content, or per campaign for what happens once."""
        return slot_of(self.kind, self.campaign, self.event_id)

    def to_json(self) -> str:
        """Return the header as it is kept."""
        said = {"format": FORMAT, "id": self.event_id, "kind": self.kind, "campaign": self.campaign, "rows": self.rows}
        said |= {"recorded_at": self.recorded_at, "details": self.details, "cells": list(self.cells)}
        return json.dumps(said, sort_keys=True)


@dataclass(frozen=True, eq=False)
class Event:
    """An event to be written: its header, and rows as an Arrow table."""

    header: Header
    table: pa.Table = field(repr=False)

    def to_bytes(self) -> bytes:
        """Return the Parquet file of the event."""
        import pyarrow.parquet as pq

        sink = io.BytesIO()
        pq.write_table(self.table.replace_schema_metadata({_HEADER: self.header.to_json().encode()}), sink, compression="zstd")
        return sink.getvalue()


def slot_of(kind: str, campaign: str, event_id: str) -> str:
    """Return the name that an event is kept under.

    Examples
    --------
    >>> slot_of("planned", "spring", "ab" * 32)
    'planned-abababababababababababababababab'
    """
    key = hashlib.sha256(campaign.encode()).hexdigest() if kind in _ONCE else event_id
    return f"{kind}-{key[:32]}"


def make_event(
    kind: Kind,
    campaign: str,
    recorded_at: str,
    *,
    rows: pd.DataFrame | None = None,
    cells: pd.DataFrame | None = None,
    details: dict[str, Any] | None = None,
) -> Event:
    """Make an event of frames.

    Parameters
    ----------
    kind : {"planned", "launched", "results", "closed"}
    campaign : str
    recorded_at : str
        ISO time in UTC.
    rows : DataFrame, optional
        Rows of the event, in an order that follows from what they say.
    cells : DataFrame, optional
        Rows of the cells table.
    details : dict, optional
        Further plain values.

    Returns
    -------
    Event
    """
    import pandas as pd

    table = _arrow(rows if rows is not None else pd.DataFrame())
    plain = tuple(_plain(row) for row in cells.to_dict("records")) if cells is not None else ()
    said = json.dumps([FORMAT, kind, campaign, details or {}, list(plain)], sort_keys=True)
    digest = hashlib.sha256(said.encode())
    _digest_rows(table, digest)
    return Event(Header(digest.hexdigest(), kind, campaign, recorded_at, table.num_rows, details or {}, plain), table)


def read_header(content: Any, name: str) -> Header:
    """Read the header of an event.

    Parameters
    ----------
    content : path or file object
        The Parquet file.
    name : str
        What messages call it.

    Raises
    ------
    CampaignError
        It cannot be read, or is no event.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        said = (pq.read_metadata(content).metadata or {}).get(_HEADER, b"null")
    except (pa.ArrowException, OSError, ValueError) as error:
        raise CampaignError.unreadable(name, str(error).split("\n")[0]) from error
    return parse_header(said, name)


def parse_header(text: str | bytes, name: str) -> Header:
    """Read a header as it is kept.

    Raises
    ------
    CampaignError
        It is none, or of another form.
    """
    try:
        said = json.loads(text)
    except ValueError as error:
        raise CampaignError.unreadable(name, str(error)) from error
    if not isinstance(said, dict) or said.get("kind") not in KINDS or "id" not in said:
        raise CampaignError.foreign(name)
    if said.get("format") != FORMAT:
        raise CampaignError(
            f"{name} of the campaign memory has another form. Expected form {FORMAT}. Found {shown(said.get('format'))}. "
            "Use the version of crmlab that wrote it."
        )
    return Header(
        str(said["id"]),
        said["kind"],
        str(said["campaign"]),
        str(said["recorded_at"]),
        int(said["rows"]),
        dict(said["details"]),
        tuple(said["cells"]),
    )


def read_rows(content: Any, name: str) -> pd.DataFrame:
    """Read the rows of an event, and check that they are what was written.

    Raises
    ------
    CampaignError
        The file cannot be read, or its content is not what its identifier says.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    header = read_header(content, name)
    if hasattr(content, "seek"):
        content.seek(0)
    try:
        table = pq.read_table(content).replace_schema_metadata(None)
    except (pa.ArrowException, OSError) as error:
        raise CampaignError.unreadable(name, str(error).split("\n")[0]) from error
    said = json.dumps([FORMAT, header.kind, header.campaign, header.details, list(header.cells)], sort_keys=True)
    digest = hashlib.sha256(said.encode())
    _digest_rows(table, digest)
    if digest.hexdigest() != header.event_id:
        raise CampaignError.altered(name)
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON holds it: days and times as ISO texts, numbers as numbers, nothing as None."""
    return {str(key): _plain_value(value) for key, value in row.items()}


def _plain_value(value: Any) -> Any:
    import datetime as dt
    import decimal

    import pandas as pd

    if value is None or (not isinstance(value, list | dict) and pd.isna(value)):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, dt.datetime):
        whole = value.time() == dt.time()
        return value.date().isoformat() if whole else value.isoformat()
    return value.isoformat() if isinstance(value, dt.date) else value


def _arrow(frame: pd.DataFrame) -> pa.Table:
    """A frame as an Arrow table of few types, so that the same content always has the same bytes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    made = {}
    for name in table.column_names:
        column = table[name]
        kind = column.type
        if pa.types.is_decimal(kind) or pa.types.is_floating(kind):
            column = column.cast(pa.float64())
            column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, pa.float64()))
        elif pa.types.is_boolean(kind):
            pass
        elif pa.types.is_integer(kind):
            column = column.cast(pa.int64())
        elif pa.types.is_timestamp(kind):
            column = column.cast(pa.timestamp("us"))
        elif pa.types.is_date(kind):
            column = column.cast(pa.date32())
        else:
            column = column.cast(pa.string())
        made[name] = column
    return pa.table(made)


def _digest_rows(table: pa.Table, digest: Any) -> None:
    """Add names, types and values of a table to a digest; chunks and unused bytes play no part."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in table.column_names:
        column = table[name].combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
        missing = column.is_null().to_numpy(zero_copy_only=False)
        digest.update(json.dumps([name, str(column.type), len(column)]).encode())
        digest.update(np.packbits(missing).tobytes())
        if pa.types.is_string(column.type):
            filled = pc.fill_null(column, "")
            digest.update(pc.binary_length(filled).to_numpy(zero_copy_only=False).astype("<i4").tobytes())
            data, offsets = filled.buffers()[2], np.frombuffer(filled.buffers()[1], "<i4")
            if data is not None and len(filled):
                first, last = offsets[filled.offset], offsets[filled.offset + len(filled)]
                digest.update(memoryview(data)[int(first) : int(last)])
        elif pa.types.is_floating(column.type):
            digest.update(pc.fill_null(column, 0.0).to_numpy(zero_copy_only=False).astype("<f8").tobytes())
        else:
            whole = column.cast(pa.int32()) if pa.types.is_date(column.type) else column
            digest.update(pc.fill_null(whole.cast(pa.int64()), 0).to_numpy(zero_copy_only=False).astype("<i8").tobytes())

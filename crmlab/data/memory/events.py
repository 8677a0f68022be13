"""Events of the campaign memory: what each kind holds, its identifier, and its form as bytes.

An event is a small Parquet file: its rows, and a header in the metadata of the file. Its identifier is the sha256 of what it
says. The time of recording is in the header but plays no part in the identifier: saying the same twice is one event. Beside the
identifier stands a digest of the whole event, the time included, and a link to the event before it in its campaign; see
:mod:`crmlab.data.memory.chain`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from crmlab.errors import CampaignError, shown

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = [
    "FORMAT",
    "KINDS",
    "UNLINKED",
    "Event",
    "Header",
    "Kind",
    "is_digest",
    "make_event",
    "parse_header",
    "read_header",
    "read_rows",
    "slot_of",
]


Kind = Literal["planned", "decided", "withdrawn", "launched", "responses", "results", "closed"]
KINDS: tuple[str, ...] = get_args(Kind)
FORMAT = 2
UNLINKED = 1  # the form before digests and links
_CONTENT = 1  # the form of what identifiers are made of: the same since the first version
_ENDLESS = 2**63
_HEADER = b"crmlab_event"
# Whatever a campaign has once has one slot: the second writer finds it taken.
_ONCE = ("withdrawn", "launched", "closed")


@dataclass(frozen=True)
class Header:
    """What is known of an event without reading its rows.

    ``cells`` are rows of the cells table as plain values; ``recorded_at`` is an ISO time in UTC. ``sequence`` counts the events
    of the campaign from 1, ``before`` is the digest of the event before it ("" for the first), ``digest`` that of this one, and
    ``form`` the form that it was written in. An event that was just made, or is of the form before links, has none of the three.
    """

    event_id: str
    kind: Kind
    campaign: str
    recorded_at: str
    rows: int
    details: dict[str, Any] = field(default_factory=dict)
    cells: tuple[dict[str, Any], ...] = ()
    sequence: int = 0
    before: str = ""
    digest: str = ""
    form: int = FORMAT

    @property
    def slot(self) -> str:
        """Where the event is kept: one place per content, or per campaign for what happens once."""
        return slot_of(self.kind, self.campaign, self.event_id)

    def linked(self, sequence: int, before: str) -> Header:
        """Return the header with its place among the events of the campaign, and the digest that holds it there.

        Parameters
        ----------
        sequence : int
            From 1.
        before : str
            Digest of the event before it, "" for the first.
        """
        placed = replace(self, sequence=sequence, before=before)
        return replace(placed, digest=placed.worked_out())

    def worked_out(self) -> str:
        """Return the sha256 of everything that the event says, its rows by way of the identifier, and of its place."""
        said = [self.event_id, self.kind, self.campaign, self.recorded_at, self.rows, self.details, list(self.cells)]
        return hashlib.sha256(json.dumps([*said, self.sequence, self.before], sort_keys=True).encode()).hexdigest()

    def to_json(self) -> str:
        """Return the header as it is kept."""
        said = {"format": FORMAT, "id": self.event_id, "kind": self.kind, "campaign": self.campaign, "rows": self.rows}
        said |= {"recorded_at": self.recorded_at, "details": self.details, "cells": list(self.cells)}
        said |= {"sequence": self.sequence, "before": self.before, "digest": self.digest}
        return json.dumps(said, sort_keys=True)


@dataclass(frozen=True, eq=False)
class Event:
    """An event to be written: its header, and rows as an Arrow table."""

    header: Header
    table: pa.Table = field(repr=False)

    def linked(self, sequence: int, before: str) -> Event:
        """Return the event in its place: see :meth:`Header.linked`."""
        return replace(self, header=self.header.linked(sequence, before))

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
    kind : {"planned", "decided", "withdrawn", "launched", "responses", "results", "closed"}
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
    header = Header("", kind, campaign, recorded_at, table.num_rows, details or {}, plain)
    return Event(replace(header, event_id=_identifier(header, table)), table)


def _identifier(header: Header, table: pa.Table) -> str:
    """The sha256 of what an event says, without the time at which it was said."""
    said = json.dumps([_CONTENT, header.kind, header.campaign, header.details, list(header.cells)], sort_keys=True)
    digest = hashlib.sha256(said.encode())
    _digest_rows(table, digest)
    return digest.hexdigest()


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
        It cannot be read, is no event, or is not as it was written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        said = (pq.read_metadata(content).metadata or {}).get(_HEADER, b"null")
    except (pa.ArrowException, *_UNREADABLE) as error:
        raise CampaignError.unreadable(name, _reason(error)) from error
    return parse_header(said, name)


# What readers of Parquet and JSON raise, beside Arrow's own, for bytes that are not what they should be.
_UNREADABLE = (ValueError, OSError, MemoryError, LookupError, TypeError, ArithmeticError, RecursionError, NotImplementedError)


def _reason(error: BaseException) -> str:
    return str(error).split("\n")[0] or type(error).__name__


def parse_header(text: str | bytes, name: str) -> Header:
    """Read a header as it is kept, and check it against its digest.

    Raises
    ------
    CampaignError
        It is none, of another form, or not as it was written.
    """
    if not isinstance(text, str | bytes):
        raise CampaignError.unreadable(name, f"a header of the type {type(text).__name__}")
    try:
        said = json.loads(text)
    except _UNREADABLE as error:
        raise CampaignError.unreadable(name, _reason(error)) from error
    if not isinstance(said, dict) or said.get("kind") not in KINDS or "id" not in said:
        raise CampaignError.foreign(name)
    form = said.get("format")
    if isinstance(form, bool) or form not in (UNLINKED, FORMAT):
        raise CampaignError(
            f"{name} of the campaign memory has another form. Expected form {FORMAT} or {UNLINKED}. Found {shown(form)}. "
            "Use the version of crmlab that wrote it."
        )
    for key, (holds, expected) in _FIELDS.items():
        if form == UNLINKED and key in _LINK:
            continue
        if not holds(said.get(key)):
            raise CampaignError.wrong_field(name, key, expected, said.get(key, "nothing"))
    header = Header(
        said["id"],
        said["kind"],
        said["campaign"],
        said["recorded_at"],
        said["rows"],
        said["details"],
        tuple(said["cells"]),
        form=form,
    )
    if form == UNLINKED:
        return header
    header = replace(header, sequence=said["sequence"], before=said["before"], digest=said["digest"])
    if header.worked_out() != header.digest:
        raise CampaignError.altered(name)
    return header


def is_digest(value: object) -> bool:
    """Say whether a value is a sha256 as crmlab writes it.

    Examples
    --------
    >>> is_digest("ab" * 32), is_digest("AB" * 32), is_digest(None)
    (True, False, False)
    """
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _ENDLESS


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and dt.datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _are_cells(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(row, dict) and isinstance(row.get("cell_id"), str) for row in value)


# What each field of a header holds, and in words.
_LINK = ("sequence", "before", "digest")
_FIELDS: dict[str, tuple[Callable[[object], bool], str]] = {
    "id": (is_digest, "a sha256"),
    "campaign": (lambda value: isinstance(value, str) and value.isprintable() and value != "", "a name"),
    "recorded_at": (_is_time, "an ISO time with its zone"),
    "rows": (_is_count, "a whole number of at least 0"),
    "details": (lambda value: isinstance(value, dict), "names and values"),
    "cells": (_are_cells, "a list of cells, each with its cell_id"),
    "sequence": (lambda value: _is_count(value) and value != 0, "a whole number of at least 1"),
    "before": (lambda value: value == "" or is_digest(value), "a sha256, or nothing for the first event"),
    "digest": (is_digest, "a sha256"),
}


def read_rows(content: Any, header: Header, name: str) -> pd.DataFrame:
    """Read the rows of an event, and check that they are what was written.

    Parameters
    ----------
    content : path or file object
        The Parquet file.
    header : Header
        As it was read before.
    name : str
        What messages call it.

    Raises
    ------
    CampaignError
        The file cannot be read, has another header by now, or its content is not what its identifier says.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    here = read_header(content, name)
    if here != (header if header.form == FORMAT else replace(header, sequence=0, before="", digest="")):
        raise CampaignError.altered(name)
    try:
        if hasattr(content, "seek"):
            content.seek(0)
        with pq.ParquetFile(content) as file:  # read_table would look for a whole folder of them, which takes ten times as long
            table = file.read(use_threads=False).replace_schema_metadata(None)
        same = _identifier(header, table) == header.event_id and table.num_rows == header.rows
        frame: pd.DataFrame | None = table.to_pandas() if same else None
    except (pa.ArrowException, *_UNREADABLE) as error:
        raise CampaignError.unreadable(name, _reason(error)) from error
    if frame is None:
        raise CampaignError.altered(name)
    return frame


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON holds it: days and times as ISO texts, numbers as numbers, nothing as None."""
    return {str(key): _plain_value(value) for key, value in row.items()}


def _plain_value(value: Any) -> Any:
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

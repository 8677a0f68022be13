"""Reads JSON as columns of text: one object per line, or one array of objects, packed or not.

Numbers keep their digits as they are written. What stands in an object within a record is a column of its own, ``a.b``, two levels
deep; what is deeper, and lists, are kept as JSON.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from crmlab.data.reading.layout import LONGEST
from crmlab.data.reading.raw import Raw, first_line
from crmlab.data.reading.texts import Chooser, check_width, open_text, other_columns, unique
from crmlab.errors import SourceError

if TYPE_CHECKING:
    from ibis.backends import BaseBackend

__all__ = ["read_json", "records"]

_CHUNK = 1 << 20
_ROWS = 50_000  # that are handed to the engine at a time
_FIRST = 1_000  # that are looked at for what the columns are
_DEEPEST = 2
_BETWEEN = re.compile(r"[\s,]*")
_EXPECTED = "Expected one object per line, or one array of objects."


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


def read_json(con: BaseBackend, table: str, files: list[Path], choose: Chooser) -> Raw:
    """Load JSON files one after the other; see :func:`crmlab.data.reading.source.read_file`.

    Parameters
    ----------
    con : ibis DuckDB backend
        The scratch database. The table ``raw_<table>`` is made in it.
    table : str
        The canonical table.
    files : list of Path
        Their columns are those that any record has.
    choose : callable
        Says which columns are needed.

    Returns
    -------
    Raw

    Raises
    ------
    SourceError
        The file is no JSON, or holds something else than records.
    """
    import ibis

    target = f"raw_{table}"
    filled = [file for file in files if file.stat().st_size]
    first = filled[0]
    # What the first records have is mostly what all have: where it is not, the files are read again.
    keys = _keys(islice(records(table, first), _FIRST)) or _keys(records(table, first))
    while True:
        wanted = _wanted(table, first, keys, choose)
        con.create_table(target, schema=ibis.schema(dict.fromkeys(wanted, "string")), temp=True, overwrite=True)
        parts: list[tuple[str, int]] = []
        found: list[str] = []
        for file in filled:
            of_file, rows = _append(con, table, file, wanted)
            found = found or of_file
            if set(of_file) != set(found):
                raise other_columns(table, (first.name, found), (file.name, of_file))
            parts.append((file.name, rows))
        if _wanted(table, first, found, choose) == wanted:
            break
        keys = found
    several = len(parts) > 1
    name = f"{len(parts)} files" if several else first.name
    return Raw(con.table(target), name, tuple(unique(found)), parts=tuple(parts) if several else ())


def _keys(rows: Iterable[dict[str, str | None]]) -> list[str]:
    """The columns of records, in the order in which they come."""
    keys: dict[str, None] = {}
    for row in rows:
        if not row.keys() <= keys.keys():
            keys |= dict.fromkeys(row)
    return list(keys)


def _wanted(table: str, file: Path, keys: list[str], choose: Chooser) -> dict[str, str]:
    """The columns that are needed, and the key of each."""
    if not keys:
        raise SourceError.empty(table, file.name)
    columns = unique(keys)
    check_width(table, file.name, len(columns))
    return {name: keys[columns.index(name)] for name in choose(columns)}


def _append(con: BaseBackend, table: str, file: Path, wanted: dict[str, str]) -> tuple[list[str], int]:
    """Append the records of a file; return all columns that it has, and how many records."""
    import ibis
    import pyarrow as pa

    keys: dict[str, None] = {}
    rows, count = records(table, file), 0
    while batch := list(islice(rows, _ROWS)):
        keys |= dict.fromkeys(_keys(batch))
        count += len(batch)
        try:
            arrays = {name: pa.array([row.get(key) for row in batch], pa.string()) for name, key in wanted.items()}
        except UnicodeEncodeError as error:
            reason = "It holds half of a character (\\ud800 to \\udfff), which is no text."
            raise SourceError.unreadable(table, file.name, reason, "Correct the file.") from error
        con.insert(f"raw_{table}", obj=ibis.memtable(pa.table(arrays)))
    if not keys:
        raise SourceError.empty(table, file.name)
    return list(keys), count


def records(table: str, file: Path) -> Iterator[dict[str, str | None]]:
    r"""Give out the records of a file, one after the other, as texts.

    Parameters
    ----------
    table : str
        What messages call what is read.
    file : Path

    Raises
    ------
    SourceError
        It is no JSON, or holds something else than records.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "o.jsonl")
    ...     _ = file.write_text('{"id": "007", "who": {"no": 4917650000000000123}, "total": 1.50, "tags": [1.0, "a"]}\n')
    ...     list(records("orders", file))
    [{'id': '007', 'who.no': '4917650000000000123', 'total': '1.50', 'tags': '[1.0, "a"]'}]
    """
    try:
        with open_text(file) as stream:
            for place, value in enumerate(_values(table, file.name, stream), start=1):
                if not isinstance(value, dict):
                    reason = f"Found: {_kind(value)}."
                    raise SourceError.unreadable(table, f"row {place:,} of {file.name}", _EXPECTED, reason)
                yield dict(_flat(value))
    except UnicodeError as error:
        raise SourceError.unreadable(table, file.name, "It is not UTF-8 text, as JSON is.") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SourceError.unreadable(table, file.name, f"It is not a whole gzip file: {first_line(error)}") from error


def _values(table: str, name: str, stream: IO[str]) -> Iterator[Any]:
    """The values of a file that stand one after the other, or in one array."""
    decoder = json.JSONDecoder(parse_float=_Number, parse_int=_Number)
    text = stream.read(_CHUNK)
    place = count = 0
    start = _BETWEEN.match(text)
    assert start is not None
    listed = text[start.end() : start.end() + 1] == "["
    place = start.end() + listed
    while True:
        found = _BETWEEN.match(text, place)
        assert found is not None
        place = found.end()
        if place >= len(text):
            text, place = stream.read(_CHUNK), 0
            if text:
                continue
            if listed:
                raise SourceError.unreadable(table, name, "Its array has no end.", "It may have been cut off: export it again.")
            return
        if listed and text[place] == "]":
            if text[place + 1 :].strip() or stream.read(_CHUNK).strip():
                raise SourceError.unreadable(table, name, "Something follows its array.", _EXPECTED)
            return
        while True:
            try:
                value, place = decoder.raw_decode(text, place)
                break
            except json.JSONDecodeError as error:
                # A record may go on in what was not read yet.
                more = stream.read(max(_CHUNK, len(text) - place)) if len(text) - place <= LONGEST else ""
                if not more:
                    reason = f"It is no JSON: {error.msg[0].lower()}{error.msg[1:]}."
                    raise SourceError.unreadable(table, f"row {count + 1:,} of {name}", reason, _EXPECTED) from error
                text, place = text[place:] + more, 0
            except RecursionError as error:
                raise SourceError.unreadable(table, f"row {count + 1:,} of {name}", "It is too deep.", _EXPECTED) from error
        count += 1
        yield value


def _kind(value: Any) -> str:
    names = {list: "a list", _Number: "a number", str: "a text", bool: "true or false"}
    return names.get(type(value), "null")


def _flat(record: dict[str, Any], before: str = "", depth: int = 1) -> Iterator[tuple[str, str | None]]:
    """The fields of a record with those of the objects in it, as texts."""
    for key, value in record.items():
        name = f"{before}{key.strip()}"
        if isinstance(value, dict) and value and depth < _DEEPEST:
            yield from _flat(value, f"{name}.", depth + 1)
        else:
            yield name, _text(value)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value if value is None else str(value)
    return _written(value)


def _written(value: Any) -> str:
    """A value as JSON, with numbers as they were written."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {_written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)

"""Reads text files: csv and its relatives, packed or not, in any encoding, as columns of text."""

from __future__ import annotations

import csv
import gzip
import io
import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from crmlab.data.collecting import collect_value
from crmlab.data.descriptor import TableSection
from crmlab.data.reading.raw import Raw, first_line, literal, row_words
from crmlab.data.room import no_room
from crmlab.errors import DescriptorError, SourceError, listing

if TYPE_CHECKING:
    from ibis.backends import BaseBackend

__all__ = ["Chooser", "given_names", "open_text", "read_texts", "unique"]


# Says which columns of a source are to be loaded.
Chooser = Callable[[list[str]], list[str]]
_WORDS = {"whitespace": "\t", "tab": "\t", "\\t": "\t"}
_TRY_ENCODING = 'Name its encoding, for example encoding = "cp1252".'
_CUT_WRONG = ("TOO MANY COLUMNS", "MISSING COLUMNS")  # as DuckDB calls rows with a wrong number of fields
_DROP = 'Correct the file, or set bad_rows = "drop" at the top of the TOML file to drop and count such rows.'
_LONGEST_FIELD = 16_000_000


@dataclass(frozen=True)
class _Text:
    """A text file as it is read: ``plain`` is in UTF-8 and not packed."""

    section: TableSection
    name: str
    plain: Path
    delimiter: str
    columns: list[str]


def read_texts(
    con: BaseBackend,
    section: TableSection,
    files: list[Path],
    table: str,
    scratch: Path,
    choose: Chooser,
    *,
    tolerant: bool = False,
) -> Raw:
    """Load text files of the same columns, one after the other; see :func:`crmlab.data.reading.source.read_file`."""
    parts: list[tuple[str, int]] = []
    rejected: list[int] = []
    loaded = 0
    first: _Text | None = None
    for i, file in enumerate(files):
        if file.stat().st_size == 0:
            continue
        plain = _plain(section, file, scratch / f"{section.table}-{i}.csv")
        delimiter = first.delimiter if first else _delimiter(section, plain, file.name)
        text = _Text(section, file.name, plain, delimiter, _header(section, plain, file.name, delimiter))
        if first and text.columns != first.columns:
            raise SourceError(
                f"{section.table}: {file.name} has other columns than {first.name}. "
                f"Expected: {listing(first.columns)}. Found: {listing(text.columns)}. "
                "Files that are read together need the same columns in the same order."
            )
        first = first or text
        bad = _load(con, text, choose(text.columns), table, append=bool(parts), tolerant=tolerant)
        rejected += [sum(rows for _, rows in parts) + row for row in bad]
        count = collect_value(con.table(table).count())
        parts.append((file.name, count - loaded + len(bad)))
        loaded = count
    assert first is not None  # the caller has seen that some file is not empty
    several = len(parts) > 1
    return Raw(
        con.table(table),
        f"{len(parts)} files" if several else first.name,
        tuple(first.columns),
        header=section.header,
        parts=tuple(parts) if several else (),
        rejected=tuple(rejected),
    )


def _load(con: BaseBackend, text: _Text, kept: list[str], table: str, *, append: bool, tolerant: bool) -> list[int]:
    """Append the rows of one file to a table, and return the places of those that were left out."""
    import duckdb
    import ibis

    if not append:
        con.create_table(table, schema=ibis.schema(dict.fromkeys(kept, "string")), temp=True)

    def attempt(plain: Path, **options: Any) -> None:
        rows = con.read_csv(
            [literal(plain)],
            columns=dict.fromkeys(text.columns, "VARCHAR"),
            auto_detect=False,
            delim=text.delimiter,
            header=text.section.header,
            skip=_empty_lines(plain) if text.section.header else 0,
            quote='"',
            escape='"',
            nullstr="",
            compression="none",
            max_line_size=_LONGEST_FIELD,
            **options,
        ).select(kept)
        con.insert(table, obj=rows)

    try:
        attempt(text.plain)
    except duckdb.Error as error:
        if "invalid state" in str(error):
            # Lines end now in one way and now in another: where that is all, one way for all of them helps.
            try:
                attempt(_with_one_newline(text.plain))
            except duckdb.Error as other:
                raise _explained(text, other) from other
            return []
        if not (tolerant and "Expected Number of Columns" in str(error)):
            raise _explained(text, error) from error
        attempt(text.plain, ignore_errors=True, store_rejects=True)
        return _rejects(con, text, error)
    return []


def _rejects(con: BaseBackend, text: _Text, error: Exception) -> list[int]:
    """The places of rows that DuckDB left out. Other faults than a wrong number of fields may hide more: they are raised."""
    found = con.raw_sql("SELECT line, error_type FROM reject_errors").fetchall()
    misfits = [row for row, _ in _misfits(text)]
    if any(kind not in _CUT_WRONG for _, kind in found) or len({line for line, _ in found}) != len(misfits):
        raise _explained(text, error) from error
    con.raw_sql("DROP TABLE reject_errors")
    con.raw_sql("DROP TABLE reject_scans")
    return misfits


def _explained(text: _Text, error: Exception) -> SourceError:
    """Word an error of DuckDB's reader, naming the row."""
    other = no_room(error)
    if other:
        return other
    table, name = text.section.table, text.name
    message = str(error)
    line = re.search(r"CSV Error on Line: (\d+)", message)
    if "not utf-8" in message.lower() or "invalid unicode" in message.lower():
        return SourceError.unreadable(table, name, "It is not UTF-8 text.", _TRY_ENCODING)
    if "Expected Number of Columns" in message:
        row, fields = next(_misfits(text), (None, 0))
        if row is not None:
            reason = f"Expected {len(text.columns)} fields, found {fields}."
            return SourceError.unreadable(table, f"{row_words(row, header=text.section.header)} of {name}", reason, _DROP)
    if line and "quote" in message.lower():
        row = _row_of_line(text, int(line.group(1)))
        place = f"{row_words(row, header=text.section.header)} of {name}"
        reason = "A quotation mark is opened and not closed, or stands inside a field."
        return SourceError.unreadable(table, place, reason, "Correct the file.")
    if line and "maximum" in message.lower():
        place = f"{row_words(_row_of_line(text, int(line.group(1))), header=text.section.header)} of {name}"
        return SourceError.unreadable(table, place, "It is longer than 16 million characters.", "Correct the file.")
    return SourceError.unreadable(
        table,
        name,
        f"Its rows cannot be taken apart at {text.delimiter!r}.",
        'Name what stands between fields: delimiter = ";"',
    )


def _records(text: _Text) -> Iterator[list[str]]:
    """The records of a file as Python's reader sees them, without the header; [] where a line is empty."""
    limit = csv.field_size_limit(_LONGEST_FIELD)
    try:
        with open_text(text.plain) as stream:
            reader = csv.reader(stream, delimiter=text.delimiter)
            if text.section.header:
                next(filter(None, reader), None)
            yield from reader
    except (csv.Error, UnicodeError):
        return
    finally:
        csv.field_size_limit(limit)


def _misfits(text: _Text) -> Iterator[tuple[int, int]]:
    """The places of rows with a wrong number of fields, and that number. Empty lines are no rows, as for DuckDB."""
    width, place = len(text.columns), 0
    for record in _records(text):
        if record or width == 1:
            place += 1
            if len(record) != width and (record or width > 1):
                yield place, len(record)


def _row_of_line(text: _Text, line: int) -> int:
    """The place of the row in a line as DuckDB counts: records, the header and empty lines included."""
    place = 0
    for i, record in enumerate(_records(text), start=2 if text.section.header else 1):
        place += bool(record) or len(text.columns) == 1
        if i >= line:
            break
    return max(place, 1)


@contextmanager
def open_text(path: Path, encoding: str | None = None) -> Iterator[IO[str]]:
    """Open a text file, packed or not, in its encoding (default UTF-8, a byte order mark is skipped)."""
    opener: Any = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "rb") as binary, io.TextIOWrapper(binary, encoding=encoding or "utf-8-sig", newline="") as text:
        yield text


def _plain(section: TableSection, file: Path, target: Path) -> Path:
    """Return the file as UTF-8, not packed, with one delimiter: itself where it is so, else a copy in the scratch folder.

    Packed files are unpacked here and not by DuckDB, which takes a file that was cut off for whole.
    """
    utf8 = (section.encoding or "utf-8").lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig", "ascii", "us-ascii")
    packed = file.name.lower().endswith(".gz")
    if utf8 and not packed and section.delimiter != "whitespace":
        return file
    try:
        if utf8 and section.delimiter != "whitespace":
            with gzip.open(file, "rb") as binary, target.open("wb") as copy:
                shutil.copyfileobj(binary, copy, 1 << 20)
            return target
        with open_text(file, section.encoding) as source, target.open("w", encoding="utf-8", newline="") as sink:
            if section.delimiter == "whitespace":
                sink.writelines("\t".join(line.split()) + "\n" for line in source if line.strip())
            else:
                while chunk := source.read(1 << 20):
                    sink.write(chunk)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SourceError.unreadable(section.table, file.name, f"It is not a whole gzip file: {first_line(error)}") from error
    except UnicodeError as error:
        hint = "Correct 'encoding' in the TOML file." if section.encoding else _TRY_ENCODING
        raise SourceError.unreadable(
            section.table, file.name, f"It is not {section.encoding or 'UTF-8'} text.", hint
        ) from error
    return target


def _with_one_newline(plain: Path) -> Path:
    """A copy in which every line ends with a line feed. Line ends inside quotation marks change too, which loses nothing."""
    copy = plain.with_name(f"{plain.stem}-newlines.csv")
    with plain.open(encoding="utf-8", newline=None) as source, copy.open("w", encoding="utf-8", newline="\n") as sink:
        while chunk := source.read(1 << 20):
            sink.write(chunk)
    return copy


def _empty_lines(plain: Path) -> int:
    """How many lines are empty before the header."""
    with plain.open("rb") as stream:
        start = stream.read(1 << 16).removeprefix(b"\xef\xbb\xbf")
    blank = start[: len(start) - len(start.lstrip(b"\r\n"))]
    return blank.count(b"\n") or blank.count(b"\r")


def _first_record(section: TableSection, file: Path, name: str, delimiter: str | None) -> list[str] | str:
    """The first record of a text file: split where the delimiter is known, else the raw line."""
    try:
        with open_text(file) as text:
            if delimiter is None:
                return next((line for line in text if line.strip()), "")
            return next(filter(None, csv.reader(text, delimiter=delimiter)), [])
    except (UnicodeError, csv.Error) as error:
        raise SourceError.unreadable(section.table, name, "It is not UTF-8 text.", _TRY_ENCODING) from error


def _delimiter(section: TableSection, file: Path, name: str) -> str:
    if section.delimiter:
        return _WORDS.get(section.delimiter, section.delimiter)
    line = str(_first_record(section, file, name, None))
    unquoted = re.sub(r'"[^"]*"', "", line)
    return max(",;\t|", key=unquoted.count)


def _header(section: TableSection, file: Path, name: str, delimiter: str) -> list[str]:
    record = list(_first_record(section, file, name, delimiter))
    if not record:
        raise SourceError.empty(section.table, name)
    if any("\0" in cell for cell in record):
        raise SourceError.unreadable(section.table, name, "It holds binary data, not text.", _TRY_ENCODING)
    if not section.header:
        return unique(given_names(section, len(record)))
    return unique([cell.strip() for cell in record])


def given_names(section: TableSection, width: int) -> list[str]:
    """The names that the TOML file gives to columns without a header, or column_1, column_2, …"""
    names = list(section.names) or [f"column_{i + 1}" for i in range(width)]
    if len(names) != width:
        raise DescriptorError.other_width(section.table, len(names), width)
    return names


def unique(names: list[str]) -> list[str]:
    """Name every column, each once (without regard to case, as engines compare names).

    Examples
    --------
    >>> unique(["id", "ID", ""])
    ['id', 'ID_2', 'column_3']
    """
    seen: set[str] = set()
    result = []
    for i, name in enumerate(names):
        base = name or f"column_{i + 1}"
        candidate, n = base, 1
        while candidate.lower() in seen:
            n += 1
            candidate = f"{base}_{n}"
        seen.add(candidate.lower())
        result.append(candidate)
    return result

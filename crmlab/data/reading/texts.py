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

from crmlab.collecting import collect_value
from crmlab.data.reading.layout import LONGEST, WIDEST, Layout, joined_names
from crmlab.data.reading.lines import (
    Head,
    Lines,
    TooLongError,
    check_lines,
    copy_between,
    end_of_records,
    named_delimiter,
    read_head,
    standard_copy,
)
from crmlab.data.reading.raw import Raw, first_line, literal, row_words
from crmlab.data.room import no_room
from crmlab.data.table_section import TableSection
from crmlab.errors import DescriptorError, SourceError, listing

if TYPE_CHECKING:
    from ibis.backends import BaseBackend

__all__ = ["Chooser", "check_width", "given_names", "open_text", "other_columns", "read_texts", "unique"]


# Says which columns of a source are to be loaded.
Chooser = Callable[[list[str]], list[str]]
_WORDS = {"whitespace": "\t", "tab": "\t", "\\t": "\t"}
_TRY_ENCODING = 'Name its encoding, for example encoding = "cp1252".'
_CUT_WRONG = ("TOO MANY COLUMNS", "MISSING COLUMNS")  # as DuckDB calls rows with a wrong number of fields
_DROP = 'Correct the file, or set bad_rows = "drop" at the top of the TOML file to drop and count such rows.'
_LINES = "Export it with a line for each record."


@dataclass(frozen=True)
class _Text:
    """A text file as it is read: ``plain`` is in UTF-8 and not packed; ``titled`` says whether the line of column names is in it."""

    section: TableSection
    name: str
    plain: Path
    scratch: Path
    delimiter: str
    columns: list[str]
    titled: bool


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
        text = _opened(section, file, scratch / f"{section.table}-{i}.csv", first)
        if first and set(text.columns) != set(first.columns):
            raise other_columns(section.table, (first.name, first.columns), (text.name, text.columns))
        first = first or text
        bad = _load(con, text, choose(first.columns), table, append=bool(parts), tolerant=tolerant)
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


def other_columns(table: str, first: tuple[str, list[str]], other: tuple[str, list[str]]) -> SourceError:
    """Say that two files that are read together, each a name and its columns, have other columns."""
    return SourceError(
        f"{table}: {other[0]} has other columns than {first[0]}. Expected: {listing(first[1])}. Found: {listing(other[1])}. "
        "Files that are read together need the same columns, in any order."
    )


def _opened(section: TableSection, file: Path, target: Path, first: _Text | None) -> _Text:
    """Find out where the column names and the records of a file stand; make a copy where they are not the whole of it."""
    name = file.name
    plain = _plain(section, file, target)
    with _explained_head(section, name):
        delimiter = first.delimiter if first else _delimiter(section, plain)
        if section.escape:
            plain = standard_copy(plain, delimiter, section.escape, target.with_name(f"{target.stem}-standard.csv"))
        check_lines(plain)
        layout = Layout(section.skip_rows, section.header_row, section.footer_rows, section.header)
        head = read_head(plain, layout, delimiter)
    if head is None and not layout.plain:
        reason = "It has fewer rows than skip_rows and header_row say."
        raise SourceError.unreadable(section.table, name, reason, "Correct them in the TOML file.")
    if head is None:
        raise SourceError.empty(section.table, name)
    columns = _columns(section, name, head)
    whole = layout.plain and head.bare and len(columns) == len((head.names or [columns])[0])
    if not whole:
        end = end_of_records(plain, section.footer_rows) if section.footer_rows else plain.stat().st_size
        plain = copy_between(plain, head.start, end, target.with_name(f"{target.stem}-records.csv"))
    return _Text(section, name, plain, target, delimiter, columns, whole and section.header)


def _columns(section: TableSection, name: str, head: Head) -> list[str]:
    """The names of the columns. A delimiter at the end of a record makes none: DuckDB passes over what is empty behind the last column."""
    found = head.names or [head.first]
    if any("\0" in cell for row in found for cell in row):
        raise SourceError.unreadable(section.table, name, "It holds binary data, not text.", _TRY_ENCODING)
    check_width(section.table, name, max(map(len, found)))
    if not section.header:
        return unique(given_names(section, len(head.first)))
    names = joined_names(found) if len(found) > 1 else [cell.strip() for cell in found[0]]
    if not any(names):
        raise SourceError.empty(section.table, name)
    if len(head.first) == len(names) - 1 and not names[-1]:
        names = names[:-1]
    return unique(names)


def check_width(table: str, name: str, width: int) -> None:
    """Refuse a file with more columns than anybody keeps of customers: most likely rows stand in one line."""
    if width > WIDEST:
        reason = f"It has {width:,} columns, and at most {WIDEST:,} can be read."
        raise SourceError.unreadable(table, name, reason, "Export it with a line for each record, and only the columns needed.")


@contextmanager
def _explained_head(section: TableSection, name: str) -> Iterator[None]:
    try:
        yield
    except TooLongError as error:
        raise SourceError.unreadable(
            section.table, name, "A line of it is longer than 16 million characters.", _LINES
        ) from error
    except (UnicodeError, csv.Error) as error:
        raise SourceError.unreadable(section.table, name, "It is not UTF-8 text.", _TRY_ENCODING) from error


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
            header=text.titled,
            skip=_empty_lines(plain) if text.titled else 0,
            quote='"',
            escape='"',
            nullstr="",
            compression="none",
            max_line_size=LONGEST,
            **options,
        ).select(kept)
        con.insert(table, obj=rows)

    try:
        attempt(text.plain)
    except duckdb.Error as error:
        if "invalid state" in str(error):
            # Lines end now in one way and now in another: where that is all, one way for all of them helps.
            try:
                attempt(_with_one_newline(text))
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
    table, name = text.section.table, text.name
    # Copies stand among temporary files: that one is named does not mean that it could not be written.
    copies = re.escape(str(text.scratch.parent)) + r"[/\\][\w.-]+\.csv"
    message = re.sub(copies, lambda _: name, str(error))
    other = no_room(type(error)(message))
    if other:
        return other
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
    limit = csv.field_size_limit(LONGEST)
    try:
        with open_text(text.plain) as stream:
            reader = csv.reader(_bounded(stream), delimiter=text.delimiter)
            if text.titled:
                next(filter(None, reader), None)
            yield from reader
    except (csv.Error, UnicodeError):
        return
    finally:
        csv.field_size_limit(limit)


def _bounded(stream: IO[str]) -> Iterator[str]:
    """The lines of a text up to one that is too long to be held."""
    while line := stream.readline(LONGEST + 1):
        if len(line) > LONGEST:
            return
        yield line


def _misfits(text: _Text) -> Iterator[tuple[int, int]]:
    """The places of rows with a wrong number of fields, and that number. Empty lines are no rows, as for DuckDB."""
    width, place = len(text.columns), 0
    for record in _records(text):
        if record or width == 1:
            place += 1
            while len(record) > width and not record[-1]:
                record.pop()  # a delimiter at the end
            if len(record) != width and (record or width > 1):
                yield place, len(record)


def _row_of_line(text: _Text, line: int) -> int:
    """The place of the row in a line as DuckDB counts: records, the header and empty lines included."""
    place = 0
    for i, record in enumerate(_records(text), start=2 if text.titled else 1):
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


def _with_one_newline(text: _Text) -> Path:
    """A copy in which every line ends with a line feed. Line ends inside quotation marks change too, which loses nothing."""
    copy = text.scratch.with_name(f"{text.scratch.stem}-newlines.csv")
    with text.plain.open(encoding="utf-8", newline=None) as source, copy.open("w", encoding="utf-8", newline="\n") as sink:
        while chunk := source.read(1 << 20):
            sink.write(chunk)
    return copy


def _empty_lines(plain: Path) -> int:
    """How many lines are empty before the header."""
    with plain.open("rb") as stream:
        start = stream.read(1 << 16).removeprefix(b"\xef\xbb\xbf")
    blank = start[: len(start) - len(start.lstrip(b"\r\n"))]
    return blank.count(b"\n") or blank.count(b"\r")


def _delimiter(section: TableSection, plain: Path) -> str:
    if section.delimiter:
        return _WORDS.get(section.delimiter, section.delimiter)
    titles = section.skip_rows + (section.header_row[-1] - 1 if section.header else 0)
    with plain.open("rb") as stream:
        lines = Lines(stream)
        line = next(lines, "")
        if named := named_delimiter(line):
            return named
        for _ in range(titles):
            line = next(lines, "")
        while line and not line.strip():
            line = next(lines, "")
    unquoted = re.sub(r'"[^"]*"', "", line)
    return max(",;\t|", key=unquoted.count)


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

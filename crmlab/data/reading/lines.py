"""Cuts a text file at its rows: what stands above the records and below them, without reading what lies between."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from crmlab.data.reading.layout import LONGEST, Layout, is_blank

__all__ = [
    "Head",
    "Lines",
    "TooLongError",
    "check_lines",
    "copy_between",
    "end_of_records",
    "named_delimiter",
    "read_head",
    "standard_copy",
]

_BOM = b"\xef\xbb\xbf"
_SEP = re.compile(r'"?sep=(\\t|.)"?[;,\t]*\r?\n?', re.IGNORECASE)
_CHUNK = 1 << 20


class TooLongError(ValueError):
    """A line has no end within reason."""


class Lines:
    """The lines of a text file in UTF-8, with their ends, none longer than is sensible.

    ``offset`` is the place of the byte after the last line that was given out.
    """

    def __init__(self, stream: IO[bytes]):
        self.offset = len(_BOM) if stream.read(len(_BOM)) == _BOM else 0
        stream.seek(self.offset)
        self._text = io.TextIOWrapper(stream, encoding="utf-8", newline="")

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(LONGEST + 1)
        if not line:
            raise StopIteration
        if len(line) > LONGEST:
            raise TooLongError
        self.offset += len(line.encode("utf-8"))
        return line


@dataclass(frozen=True)
class Head:
    """What stands above the first record of a text file.

    Attributes
    ----------
    names : list of list of str
        The rows with column names; none where the file has no header.
    first : list of str
        The first record that is not empty; none where there is no record.
    start : int
        The byte at which the records begin.
    bare : bool
        Whether nothing but empty lines stands above the names, or above the records where there are none.
    """

    names: list[list[str]]
    first: list[str]
    start: int
    bare: bool


def named_delimiter(line: str) -> str | None:
    r"""Return the delimiter that a line such as ``sep=;`` names; None where the line is another.

    Examples
    --------
    >>> named_delimiter("sep=;\n"), named_delimiter('"sep=,"'), named_delimiter("sep;id\n")
    (';', ',', None)
    """
    found = _SEP.fullmatch(line)
    return found and found[1].replace("\\t", "\t")


def read_head(path: Path, layout: Layout, delimiter: str) -> Head | None:
    """Read what stands above the records of a file, and the first of them.

    Parameters
    ----------
    path : Path
        A file in UTF-8, not packed.
    layout : Layout
        Where its column names stand. A line ``sep=;`` is no row.
    delimiter : str
        What stands between its fields.

    Returns
    -------
    Head or None
        None where there are not as many rows.

    Raises
    ------
    TooLongError
        A line is longer than 16 million characters.
    UnicodeError, csv.Error
        No text in UTF-8; a field that has no end.
    """
    limit = csv.field_size_limit(LONGEST)
    try:
        with path.open("rb") as stream:
            lines = Lines(stream)
            named = _names_delimiter(path)
            if named:
                next(lines)
            reader = csv.reader(lines, delimiter=delimiter)
            rows: list[list[str]] = []
            found = None
            start = lines.offset
            before = start  # of the row that was read last
            for row in reader:
                rows.append(row)
                if found := layout.places(rows):
                    start = lines.offset if layout.header else before
                    break
                before = lines.offset
            if not found:
                return None
            names, _ = found
            above = rows[: names[0]] if names else rows[:-1]
            first = next((row for row in reader if not is_blank(row)), []) if layout.header else rows[-1]
            return Head([rows[place] for place in names], first, start, not named and not any(above))
    finally:
        csv.field_size_limit(limit)


def check_lines(path: Path) -> None:
    """Refuse a file with a line of more than 16 million bytes, which an engine would try to hold.

    Raises
    ------
    TooLongError
    """
    endless = 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            endless = 0 if b"\n" in chunk or b"\r" in chunk else endless + len(chunk)
            if endless > LONGEST:
                raise TooLongError


def _names_delimiter(path: Path) -> bool:
    with path.open("rb") as stream:
        start = stream.read(64).removeprefix(_BOM).decode("utf-8", "replace")
    return named_delimiter(re.split(r"(?<=\n)|(?<=\r)(?!\n)", start, maxsplit=1)[0]) is not None


def end_of_records(path: Path, footer_rows: int) -> int:
    """Return the byte at which the last rows of a file begin. Empty rows at the very end do not count.

    Parameters
    ----------
    path : Path
        A file in UTF-8, not packed.
    footer_rows : int
        How many rows follow the last record.
    """
    size = path.stat().st_size
    chunk = 1 << 16
    with path.open("rb") as stream:
        while True:
            stream.seek(max(0, size - chunk))
            tail = stream.read()
            rows = _rows_backwards(tail)
            while rows and not tail[rows[0][0] : rows[0][1]].strip(b" \r\n\t;,|\"'"):
                rows.pop(0)
            if len(rows) > footer_rows or chunk >= size:
                end = rows[min(footer_rows, len(rows)) - 1][0] if rows else 0
                return size - len(tail) + end
            chunk *= 8


def _rows_backwards(tail: bytes) -> list[tuple[int, int]]:
    """Where rows begin and end, the last one first. Within quotation marks the end of a line is none of a row."""
    rows = []
    end = open_at = None
    quotes = 0
    for line in reversed(list(re.finditer(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)", tail))):
        if line.start() == line.end():
            continue
        end = line.end() if open_at is None else end
        quotes += line.group().count(b'"')
        if quotes % 2:
            open_at = line.start()  # the row began further up
            continue
        assert end is not None
        rows.append((line.start(), end))
        open_at, quotes = None, 0
    return rows


def copy_between(path: Path, start: int, end: int, target: Path) -> Path:
    """Copy a part of a file."""
    with path.open("rb") as source, target.open("wb") as sink:
        source.seek(start)
        left = end - start
        while left > 0 and (chunk := source.read(min(_CHUNK, left))):
            sink.write(chunk)
            left -= len(chunk)
    return target


def standard_copy(path: Path, delimiter: str, escape: str, target: Path) -> Path:
    r"""Write a file in which a sign stands before quotation marks in the usual way, with quotation marks doubled.

    A field ``\N``, which MySQL writes for nothing, becomes an empty one.
    """
    sign = re.escape(delimiter)
    nothing = re.compile(rf"(^|{sign})\\N(?={sign}|\r|\n|$)")
    limit = csv.field_size_limit(LONGEST)
    try:
        with path.open("rb") as stream, target.open("w", encoding="utf-8", newline="") as sink:
            held = Lines(stream)
            lines: Iterator[str] = held
            if escape == "\\":
                lines = (nothing.sub(r"\1", line) for line in lines)
            writer = csv.writer(sink, delimiter=delimiter, lineterminator="\n")
            for row in csv.reader(lines, delimiter=delimiter, escapechar=escape):
                if row:
                    writer.writerow(row)
                else:
                    sink.write("\n")
    finally:
        csv.field_size_limit(limit)
    return target

"""Looks into a workbook without loading it: how large its sheets are, and which cells hold formulas without values, or errors.

What a library calls empty may be an error, or a formula that was never worked out; only the XML inside tells. One cell that stands far
off makes a library ask for all the cells between, so the extent is read first, from the cells themselves: what the file says of it may lie.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from xml.etree import ElementTree as ET

__all__ = ["MOST_CELLS", "MOST_UNPACKED", "NOT_AVAILABLE", "NO_VALUE", "Extent", "RefusedError", "sheet_extents"]

MOST_CELLS = 30_000_000  # some 1.5 GB
MOST_UNPACKED = 1 << 30  # bytes of one part of a workbook
_MOST_PACKED = 150  # times that a part over _FREE bytes may unpack to: records pack to a tenth or a twentieth
_FREE = 200 << 20
NO_VALUE = "a formula without a value"
NOT_AVAILABLE = "#N/A"  # an error that says what an empty cell says; the others are faults
_CHUNK = 1 << 20
_ENTRY = 1 << 22  # bytes of a single cell: more than a text in a workbook can have
_REF = re.compile(rb"""\sr=["']([A-Z]{1,3})([0-9]{1,7})["']""")
_COLUMNS = re.compile(rb"""\sr=["']([A-Z]{1,3})[0-9]""")
_ROWS = re.compile(rb"""\sr=["'][A-Z]{1,3}([0-9]{1,7})["']""")
_TAG = re.compile(rb"<(?:\w+:)?(row|c)\b([^>]*?)(/?)>")
_TYPE = re.compile(rb"""\bt=["'](\w+)["']""")
_ROW = re.compile(rb"""\br=["']([0-9]+)["']""")
_FORMULA = re.compile(rb"<(?:\w+:)?f\b")
_VALUE = re.compile(rb"<(?:\w+:)?v\b[^>]*?(?:/>|>([^<]*)<)")
_CLOSED = re.compile(rb"</(?:\w+:)?c>")
_SUSPECTS = (b"<f>", b"<f ", b"<f/", b":f>", b":f ", b't="e"', b"t='e'")


class RefusedError(Exception):
    """A workbook is larger than can be read; ``args`` are the reason and what to do."""


@dataclass
class Extent:
    """How far a sheet reaches, and the cells (row, column; from 0) that hold no value but something else."""

    cells: int = 0
    last: str = ""
    marks: dict[tuple[int, int], str] = field(default_factory=dict)


def sheet_extents(path: Path) -> dict[str, Extent | RefusedError]:
    """Look at the sheets of a workbook of the .xlsx kind.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict
        The name of a sheet → its extent, or why it is not to be read. Nothing for other kinds of workbooks.

    Raises
    ------
    RefusedError
        Parts that all sheets need are too large.
    zipfile.BadZipFile, xml.etree.ElementTree.ParseError
        The workbook is damaged.
    """
    if not zipfile.is_zipfile(path):
        return {}
    with zipfile.ZipFile(path) as archive:
        held = {info.filename: info for info in archive.infolist()}
        parts = _parts(archive) if "xl/workbook.xml" in held else {}
        for name, info in held.items():
            if name not in parts.values() and name.endswith((".xml", ".bin")):
                _check_packed("It", info)
        result: dict[str, Extent | RefusedError] = {}
        for sheet, part in parts.items():
            try:
                if part in held:
                    _check_packed(f"Its sheet '{sheet}'", held[part])
                result[sheet] = _extent(archive, part, sheet) if part in held else Extent()
            except RefusedError as error:
                result[sheet] = error
        return result


def _check_size(what: str, size: int) -> None:
    if size > MOST_UNPACKED:
        reason = f"{what} unpacks to {size / 1e9:.1f} GB, and at most {MOST_UNPACKED / 1e9:.1f} GB can be read."
        raise RefusedError(reason, "Save the sheet as csv.")


def _check_packed(what: str, info: zipfile.ZipInfo) -> None:
    _check_size(what, info.file_size)
    if info.file_size > max(_FREE, _MOST_PACKED * info.compress_size):
        reason = f"{what} holds the same over and over: {info.compress_size:,} bytes unpack to {info.file_size / 1e6:,.0f} MB."
        raise RefusedError(reason, "Save the sheet as csv.")


def _parts(archive: zipfile.ZipFile) -> dict[str, str]:
    """The name of a sheet → the part of the archive that holds it."""
    for name in ("xl/workbook.xml", "xl/_rels/workbook.xml.rels"):
        _check_size("It", archive.getinfo(name).file_size)
    related = {}
    for element in ET.fromstring(archive.read("xl/_rels/workbook.xml.rels")):
        target = element.get("Target", "")
        related[element.get("Id")] = target.lstrip("/") if target.startswith("/") else posixpath.normpath(f"xl/{target}")
    parts = {}
    for element in ET.fromstring(archive.read("xl/workbook.xml")).iter():
        if element.tag.rpartition("}")[2] == "sheet":
            key = next((value for name, value in element.items() if name.rpartition("}")[2] == "id"), None)
            parts[element.get("name", "")] = related.get(key, "")
    return parts


def _extent(archive: zipfile.ZipFile, part: str, sheet: str) -> Extent:
    """Read the extent of one sheet from its cells."""
    result = Extent()
    columns: set[bytes] = set()
    first, last = 1 << 30, 0
    where = _Cursor()
    numbered: bool | None = None
    with archive.open(part) as stream:
        for piece in _pieces(stream):
            found = set(_COLUMNS.findall(piece))
            if numbered is None and b"<sheetData" in piece and _TAG.search(piece, piece.find(b"<sheetData") + 10):
                numbered = bool(found)
            if found:
                columns |= found
                rows = {int(row) for row in set(_ROWS.findall(piece))}
                first, last = min(first, *rows), max(last, *rows)
            if numbered is False or any(sign in piece for sign in _SUSPECTS):
                _mark(piece, where, result.marks)
    if columns:
        places = [_place(column) for column in columns]
        result.cells = (last - first + 1) * (max(places) - min(places) + 1)
        result.last = f"{max(columns, key=_place).decode()}{last}"
    if result.cells > MOST_CELLS:
        reason = (
            f"Its sheet '{sheet}' reaches to cell {result.last}, which makes {result.cells:,} cells, "
            f"and at most {MOST_CELLS:,} can be read."
        )
        raise RefusedError(reason, "Delete what stands far off the table, or save the table as csv.")
    return result


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    """The XML of a sheet in pieces that end before a cell."""
    held, read = b"", 0
    while chunk := stream.read(_CHUNK):
        read += len(chunk)
        _check_size("A sheet", read)
        held += chunk
        cut = max(held.rfind(sign) for sign in (b"<c ", b"<c>", b":c ", b":c>", b"<row"))
        cut = held.rfind(b"<", 0, cut + 1) if cut > 0 else -1
        if cut > 0:
            yield held[:cut]
            held = held[cut:]
        elif len(held) > _ENTRY:
            raise RefusedError("One of its cells has no end.", "Save the sheet as csv.")
    yield held


def _place(column: bytes) -> int:
    place = 0
    for letter in column:
        place = place * 26 + letter - 64
    return place - 1


class _Cursor:
    """Where cells without a place of their own stand: beside the one before."""

    def __init__(self) -> None:
        self.row = -1
        self.column = -1


def _mark(piece: bytes, where: _Cursor, marks: dict[tuple[int, int], str]) -> None:
    """Note the cells of a piece that hold an error, or a formula and no value."""
    for tag in _TAG.finditer(piece):
        kind, attributes, closed = tag.groups()
        if kind == b"row":
            given = _ROW.search(attributes)
            where.row, where.column = int(given[1]) - 1 if given else where.row + 1, -1
            continue
        ref = _REF.search(b" " + attributes)
        where.column = _place(ref[1]) if ref else where.column + 1
        where.row = int(ref[2]) - 1 if ref else where.row
        if closed:
            continue
        end = _CLOSED.search(piece, tag.end())
        content = piece[tag.end() : end.start() if end else len(piece)]
        typed = _TYPE.search(attributes)
        value = _VALUE.search(content)
        text = ((value and value[1]) or b"").strip()
        if typed and typed[1] == b"e":
            marks[where.row, where.column] = text.decode("utf-8", "replace") or "an error"
        elif _FORMULA.search(content) and not text and not (typed and typed[1] == b"str" and value):
            marks[where.row, where.column] = NO_VALUE

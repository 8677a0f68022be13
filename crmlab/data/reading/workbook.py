"""Asks another process for the sheets of a workbook (.xlsx and its relatives), and makes named columns of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlab.data.reading.extents import NO_VALUE, NOT_AVAILABLE
from crmlab.data.reading.layout import joined_names
from crmlab.data.reading.raw import first_line, row_words
from crmlab.data.reading.sheets import as_text, decoded
from crmlab.data.reading.texts import Chooser, check_width, given_names, unique
from crmlab.data.reading.times import cell_form
from crmlab.data.table_section import TableSection
from crmlab.data.tables import KIND_WORDS
from crmlab.errors import DataError, SourceError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Grid", "Sheet", "column_of", "peek", "read_sheet"]

_MEMORY = 4 << 30  # bytes of address space
_SECONDS = 600
_CSV = "Save the sheet as csv, and read that."
_START = "import sys; sys.path.insert(0, sys.argv[1]); from crmlab.data.reading.sheets import serve; serve()"


@dataclass(frozen=True)
class Sheet:
    """The columns of a sheet that are needed.

    ``names`` are all that it has; ``cells`` holds for each needed one its kind and its values; ``marks`` and ``rounded`` are as in
    :class:`~crmlab.data.reading.raw.Raw`; ``rejected`` are rows with faults in needed columns.
    """

    names: list[str]
    cells: Mapping[str, tuple[str, list[Any]]]
    marks: Mapping[str, Mapping[int, str]]
    rounded: tuple[str, ...]
    rejected: tuple[int, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows there are, without those that are rejected."""
        return max((len(values) for _, values in self.cells.values()), default=0)


@dataclass(frozen=True)
class Grid:
    """What stands at the beginning and at the end of a sheet, None where a cell is empty.

    ``height`` counts its rows; ``marks`` are cells (row, column; from 0) that hold an error, or a formula without a value; ``refused``
    says why it was not read.
    """

    name: str
    head: list[list[Any]]
    tail: list[list[Any]]
    height: int
    marks: Mapping[tuple[int, int], str]
    refused: str = ""


class _Reader:
    """A process that reads one workbook."""

    def __init__(self, table: str, path: Path):
        self.table, self.path = table, path
        root = str(Path(__file__).resolve().parents[3])  # where this package is, and no other of its name
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, root],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        )
        self._late = False
        self._timer = threading.Timer(_SECONDS, self._stop)
        self._timer.daemon = True
        self._timer.start()

    def _stop(self) -> None:
        self._late = True
        self._process.kill()

    def tell(self, content: Any) -> None:
        """Write one line to the process."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended, which hear() says
            self._process.stdin.write(json.dumps(content) + "\n")
            self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Read one line of the process.

        Raises
        ------
        SourceError
            The workbook cannot be read.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            raise self._ended()
        content: dict[str, Any] = json.loads(line)
        if "memory" in content:
            raise self._ended()
        if "unreadable" in content:
            raise self._error(first_line(content["unreadable"]))
        return content

    def _ended(self) -> SourceError:
        if self._late:
            return self._error(f"It takes more than {_SECONDS / 60:.0f} minutes.", _CSV)
        return self._error(f"It needs more than {_MEMORY >> 30} GB of memory, or is damaged.", _CSV)

    def _error(self, reason: str, hint: str = "") -> SourceError:
        return SourceError.unreadable(self.table, self.path.name, reason, hint)

    def check(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """Raise what a sheet was refused for."""
        if "refused" in content:
            raise self._error(*content["refused"])
        return content

    def close(self) -> None:
        """End the process."""
        self._timer.cancel()
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with suppress(OSError):
                stream.close()
        self._process.wait()


@contextmanager
def _reader(table: str, path: Path) -> Iterator[_Reader]:
    with path.open("rb"):
        pass  # where it may not be read, the system says so
    reader = _Reader(table, path)
    try:
        yield reader
    finally:
        reader.close()


def peek(table: str, path: Path, rows: int) -> list[Grid]:
    """Look at the beginning and the end of every sheet of a workbook.

    Parameters
    ----------
    table : str
        What messages call what is read.
    path : Path
        The workbook.
    rows : int
        How many rows of the beginning.

    Returns
    -------
    list of Grid
        One for each sheet, in their order.

    Raises
    ------
    SourceError
        No workbook, or none that can be held.
    """
    with _reader(table, path) as reader:
        reader.tell({"path": os.path.abspath(path), "rows": rows, "memory": _MEMORY, "seconds": _SECONDS})
        grids = []
        for name in reader.check(reader.hear())["sheets"]:
            said = reader.hear()
            if "refused" in said:
                grids.append(Grid(name, [], [], 0, {}, " ".join(said["refused"])))
                continue
            head, tail = ([[decoded(cell) for cell in row] for row in said[key]] for key in ("head", "tail"))
            marks = {(row, column): what for row, column, what in said["marks"]}
            grids.append(Grid(name, head, tail, said["height"], marks))
        return grids


def read_sheet(section: TableSection, path: Path, choose: Chooser, *, tolerant: bool = False) -> Sheet:
    """Read a sheet.

    Parameters
    ----------
    section : TableSection
        Names the sheet (default: the first) and says where the names of its columns and its records stand.
    path : Path
        The workbook.
    choose : callable
        Says which columns are needed.
    tolerant : bool
        Leave rows out that have a formula without a value, or an error, in a needed column, and say which.

    Returns
    -------
    Sheet

    Raises
    ------
    SourceError
        No workbook, no such sheet, an empty one, one that cannot be held.
    DataError
        A needed column holds formulas without values, or errors other than #N/A.
    """
    keys = ("sheet", "skip_rows", "header_row", "footer_rows", "header", "date_format")
    order = {key: getattr(section, key) for key in keys}
    order["date_format"] = cell_form(section)
    with _reader(section.table, path) as reader:
        reader.tell({**order, "path": os.path.abspath(path), "rows": None, "memory": _MEMORY, "seconds": _SECONDS})
        sheets = reader.check(reader.hear())["sheets"]
        if section.sheet is not None and section.sheet not in sheets:
            raise SourceError.no_table(section.table, section.sheet, path.name, sheets)
        if not sheets:
            raise SourceError.empty(section.table, path.name)
        head = reader.check(reader.hear())
        if head["header"] is None and head["rows"]:
            reason = "It has fewer rows than skip_rows and header_row say."
            raise SourceError.unreadable(section.table, path.name, reason, "Correct them in the TOML file.")
        if head["header"] is None:
            raise SourceError.empty(section.table, path.name)
        check_width(section.table, path.name, head["width"])
        if section.header:
            rows = head["header"]
            names = unique(joined_names(rows) if len(rows) > 1 else [cell.strip() for cell in rows[0]])
        else:
            names = unique(given_names(section, head["width"]))
        kept = choose(names)
        reader.tell([names.index(name) for name in kept])
        found = {name: reader.hear() for name in kept}
    sheet = Sheet(
        names,
        {name: (column["kind"], column["values"]) for name, column in found.items()},
        {name: {int(row): what for row, what in column["marks"].items()} for name, column in found.items() if column["marks"]},
        tuple(name for name, column in found.items() if column.get("rounded")),
    )
    return _without_faults(section, sheet, path.name, tolerant=tolerant)


def _without_faults(section: TableSection, sheet: Sheet, file: str, *, tolerant: bool) -> Sheet:
    """Refuse, or leave out, rows that have a fault where a value is needed: they would be read as if nothing stood there."""
    faults = {name: {row: what for row, what in marks.items() if what != NOT_AVAILABLE} for name, marks in sheet.marks.items()}
    bad = sorted({row for rows in faults.values() for row in rows})
    if not bad:
        return sheet
    if not tolerant:
        raise _fault(section, sheet, file, next((name, rows) for name, rows in faults.items() if rows))
    left = [row for row in range(1, sheet.rows + 1) if row not in set(bad)]
    cells = {name: (kind, [values[row - 1] for row in left]) for name, (kind, values) in sheet.cells.items()}
    place = {row: i for i, row in enumerate(left, start=1)}
    marks = {name: {place[row]: what for row, what in rows.items() if row in place} for name, rows in sheet.marks.items()}
    return Sheet(sheet.names, cells, marks, sheet.rounded, tuple(bad))


def _fault(section: TableSection, sheet: Sheet, file: str, fault: tuple[str, Mapping[int, str]]) -> DataError:
    name, rows = fault
    first = min(rows)
    spec = section.spec
    mapped = next((column for column, source in section.named(sheet.names).items() if source == name), name.lower())
    column = spec.column(mapped)
    hint = (
        "Open the workbook in Excel or LibreOffice and save it, so that the results of formulas are stored."
        if rows[first] == NO_VALUE
        else "Correct the formula in the workbook."
    )
    words = KIND_WORDS[column.kind] if column else "value"
    example = (f"{row_words(first, header=section.header)} of {file}", rows[first])
    hint += ' Or set bad_rows = "drop" at the top of the TOML file to drop and count such rows.'
    return DataError.unparsable(
        section.table, (name, column.name if column else name), words, len(rows), sheet.rows, example, hint
    )


def column_of(parts: list[tuple[str, list[Any]]], date_format: str | None) -> pa.Array:
    """One column of the same column in several sheets, each a kind and values: a mixture of kinds becomes text."""
    import pyarrow as pa

    types = {"time": pa.timestamp("us"), "number": pa.float64(), "bool": pa.bool_(), "text": pa.string()}
    kinds = {kind for kind, values in parts if any(value is not None for value in values)} or {"text"}
    if len(kinds) == 1:
        (kind,) = kinds
        return pa.array([value for _, values in parts for value in values], types[kind])
    texts: list[str | None] = []
    for kind, values in parts:
        cells = pa.array(values, types[kind]).to_pylist()
        texts += [None if cell is None else as_text(cell, date_format) for cell in cells]
    return pa.array(texts, pa.string())

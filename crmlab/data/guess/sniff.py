"""Looks at the beginning of a user's file: a text, a Parquet file or a workbook, as named columns of values.

Nothing here knows what the columns mean; that is :mod:`crmlab.data.guess.roles`. At most a few thousand rows are kept.
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from crmlab.data.guess.date_columns import dates
from crmlab.data.guess.number_columns import number
from crmlab.data.guess.profiles import NOTHING, is_contact
from crmlab.data.guess.text import ROWS, TABLE, cleaned, read_text, unreadable
from crmlab.data.personal import concepts
from crmlab.data.project import private_data
from crmlab.data.reading.texts import unique
from crmlab.errors import NotInProjectError, SourceError

__all__ = ["ENDINGS", "Sample", "find", "sample"]

# As in crmlab.data.reading.source.
_TEXTS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
_WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
_RAGGED = 'correct the file, or write bad_rows = "drop" at the top'
ENDINGS = (*_TEXTS, ".parquet", *_WORKBOOKS)


@dataclass(frozen=True)
class Sample:
    """The first rows of a file, and how they were read.

    ``columns[i]`` holds the values of the column ``names[i]``; None where there is none. ``header_sure`` is False where
    the first row might as well be data. ``doubts`` pairs the name of an option with a sentence.
    """

    path: Path
    kind: Literal["text", "parquet", "workbook"]
    names: tuple[str, ...]
    columns: tuple[tuple[Any, ...], ...]
    complete: bool = True
    delimiter: str | None = None
    encoding: str | None = None
    header: bool = True
    header_sure: bool = True
    sheet: str | None = None
    doubts: tuple[tuple[str, str], ...] = ()

    @property
    def rows(self) -> int:
        """How many rows were looked at."""
        return len(self.columns[0]) if self.columns else 0


def find(path: Path) -> Path:
    """Return the path of a file, which may also lie in the folder of the user's own data."""
    if path.exists() or path.is_absolute():
        return path
    try:
        other = private_data() / path
    except NotInProjectError:
        return path
    return other if other.exists() else path


def sample(path: Path) -> Sample:
    """Read the first rows of a file.

    Parameters
    ----------
    path : Path
        A text file (packed or not), a Parquet file or a folder of them, a workbook.

    Returns
    -------
    Sample

    Raises
    ------
    SourceError
        No such file, an empty one, a header without rows, an unknown format, damaged or binary content.
    """
    lower = path.name.lower()
    try:
        if path.is_dir():
            files = sorted(item for item in path.rglob("*.parquet") if item.is_file())
            if not files:
                raise SourceError.empty_folder(TABLE, path.name)
            return _parquet(path, files[0])
        if not path.is_file():
            raise SourceError.no_file(TABLE, [path.name], [path.parent])
        if not lower.endswith(ENDINGS):
            raise SourceError.unknown_format(TABLE, path.name, ENDINGS)
        if path.stat().st_size == 0:
            raise SourceError.empty(TABLE, path.name)
        if lower.endswith(".parquet"):
            return _parquet(path, path)
        return _workbook(path) if lower.endswith(_WORKBOOKS) else _text(path)
    except SourceError:
        raise
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error) from error


def _parquet(path: Path, file: Path) -> Sample:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as source:
            total = source.metadata.num_rows
            batch = next(source.iter_batches(batch_size=ROWS), None)
            names = tuple(source.schema_arrow.names)
        columns = tuple(_arrow_values(column) for column in batch.columns) if batch is not None else ()
    except (pa.ArrowException, ValueError, KeyError) as error:
        raise unreadable(path, error) from error
    if total == 0 or not columns:
        raise SourceError.no_rows(TABLE, path.name)
    return Sample(path, "parquet", names, columns, complete=total <= ROWS and path == file)


def _arrow_values(column: Any) -> tuple[Any, ...]:
    import pyarrow as pa

    kind, types = column.type, pa.types
    if types.is_dictionary(kind):
        return _arrow_values(column.dictionary_decode())
    if types.is_timestamp(kind):
        # Nanoseconds have no Python type. A time zone only matters by being there.
        moments = column.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.timestamp("us")).to_pylist()
        return tuple(moment and (moment.replace(tzinfo=dt.UTC) if kind.tz else moment) for moment in moments)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return tuple(cleaned(value) for value in column.to_pylist())
    known = (types.is_integer, types.is_floating, types.is_decimal, types.is_date, types.is_boolean)
    if any(test(kind) for test in known):
        # A gap may be written as NaN, the only value that is not itself.
        return tuple(None if value != value else value for value in column.to_pylist())
    # Lists, structs, binary data: nothing that a role could use.
    return tuple(f"<{kind}>" if valid else None for valid in column.is_valid().to_pylist())


def _workbook(path: Path) -> Sample:
    from python_calamine import CalamineError, CalamineWorkbook

    best: list[list[Any]] = []
    sheet = ""
    try:
        book = CalamineWorkbook.from_path(str(path))
        for name in book.sheet_names:
            rows = book.get_sheet_by_name(name).to_python(skip_empty_area=True, nrows=ROWS)
            useful = len(rows) > 1 and len(rows[0]) > 2
            if useful or len(rows) > len(best):
                best, sheet = rows, name
            if useful:  # the first that can hold orders: sheets with a title or a note are passed over
                break
    except (CalamineError, ValueError) as error:
        raise unreadable(path, error) from error
    grid = [[cleaned(cell) if isinstance(cell, str) else cell for cell in row] for row in best]
    if not any(cell is not None for row in grid for cell in row):
        raise SourceError.empty(TABLE, path.name)
    made = _tabulate(path, grid, "workbook")
    others = [name for name in book.sheet_names if name != sheet]
    if not others:
        return replace(made, complete=len(best) < ROWS)
    listed = ", ".join(f"'{name}'" for name in others[:5])
    doubt = ("sheet", f"The workbook has {len(others) + 1} sheets; '{sheet}' is read, and not {listed}.")
    return replace(made, complete=len(best) < ROWS, sheet=sheet, doubts=(doubt, *made.doubts))


def _text(path: Path) -> Sample:
    text = read_text(path)
    doubts = []
    if text.guessed:
        sentence = f"The encoding is not UTF-8; '{text.encoding}' is a guess. Look whether accents come out right."
        doubts.append(("encoding", sentence))
    if text.usual < 1:
        doubts.append(("delimiter", f"Only {text.usual:.1%} of the rows have the usual number of fields; {_RAGGED}."))
    made = _tabulate(path, text.rows, "text")
    return replace(
        made,
        complete=text.complete,
        delimiter=text.delimiter,
        encoding=text.encoding,
        doubts=(*doubts, *made.doubts),
    )


def _tabulate(path: Path, rows: list[list[Any]], kind: Literal["text", "workbook"]) -> Sample:
    """Turn rows into named columns."""
    width = Counter(map(len, rows)).most_common(1)[0][0]
    _refuse_preamble(path, rows, width)
    header, sure = _has_header(rows)
    doubts = []
    if header:
        names, body = unique(["" if cell is None else _cell_text(cell) for cell in rows[0]]), rows[1:]
        if not sure:
            doubts.append(("header", "The first row is taken as column names, but it might be data."))
    else:
        names, body = [f"column_{i + 1}" for i in range(width)], rows
        doubts.append(("header", "The first row looks like data, so the columns have no names of their own."))
    body = [row for row in body if len(row) == width and any(cell is not None for cell in row)]
    if not body:
        raise SourceError.no_rows(TABLE, path.name)
    columns = tuple(zip(*body, strict=True))
    return Sample(path, kind, tuple(names), columns, header=header, header_sure=sure, doubts=tuple(doubts))


def _cell_text(cell: Any) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _refuse_preamble(path: Path, rows: list[list[Any]], width: int) -> None:
    """Refuse a file whose column names are not in its first row: the reader cannot skip rows."""
    filled = [sum(cell is not None for cell in row) for row in rows[:12]]
    if len(rows[0]) == width and filled[0] >= width / 2:
        return
    full = next((i for i, row in enumerate(rows[:12]) if len(row) == width and filled[i] >= max(2, width * 0.7)), None)
    if full or len(rows[0]) != width:
        place = f"row {full + 1} has {filled[full]}" if full else f"most rows have {width}"
        reason = f"Its first row has {len(rows[0])} fields, {filled[0]} of them filled; {place}"
        raise unreadable(path, reason, "Expected the column names in the first row, one for each column.")


def _has_header(rows: list[list[Any]]) -> tuple[bool, bool]:
    """Whether the first row holds column names, and whether that is sure."""
    cells = [cell for cell in rows[0] if cell is not None]
    texts = [cell for cell in cells if isinstance(cell, str)]
    hits = sum(bool(concepts(text) - {"?"}) for text in texts)
    if any(isinstance(cell, (dt.date, bool)) or is_contact(cell) for cell in cells) or dates(texts).share > 0:
        return False, True
    if any(_is_number(cell) or str(cell).lower() in NOTHING for cell in cells):
        # A name such as "2023" stands beside real names.
        return hits >= max(2, len(cells) / 2), True
    if hits >= max(1, len(texts) / 3):
        return True, True
    for i, cell in enumerate(rows[0]):
        below = [row[i] for row in rows[1:200] if i < len(row) and row[i] is not None]
        if cell is not None and below and (all(map(_is_number, below)) or dates(below).share > 0.9):
            return True, True  # words above numbers are names
    return True, False


def _is_number(cell: Any) -> bool:
    return number(cell) is not None or number(cell, ",") is not None

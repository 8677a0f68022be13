"""Looks at the beginning of a user's file: a text, JSON, a Parquet file or a workbook, as named columns of values.

Nothing here knows what the columns mean; that is :mod:`crmlab.data.guess.roles`. At most a few thousand rows are kept.
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from crmlab.data.guess.layout import find_layout
from crmlab.data.guess.text import ROWS, TABLE, cleaned, read_text, unreadable
from crmlab.data.project import private_data
from crmlab.data.reading.extents import NO_VALUE, NOT_AVAILABLE
from crmlab.data.reading.json_records import records
from crmlab.data.reading.source import ENDINGS, JSON_ENDINGS, WORKBOOK_ENDINGS
from crmlab.data.reading.texts import check_width, unique
from crmlab.data.reading.workbook import Grid, peek
from crmlab.errors import NotInProjectError, SourceError

__all__ = ["Sample", "find", "sample", "samples"]

_RAGGED = 'correct the file, or write bad_rows = "drop" at the top'


@dataclass(frozen=True)
class Sample:
    """The first rows of a file, and how they were read.

    ``columns[i]`` holds the values of the column ``names[i]``; None where there is none. ``header_sure`` is False where
    the first row might as well be data. ``sheet`` is None where a workbook has one only; ``others`` are its other sheets, of any kind.
    ``skip_rows``, ``header_row``, ``footer_rows`` and ``escape`` are as in :class:`~crmlab.data.table_section.TableSection`; ``remarks``
    pairs the name of such an option with what was found there, and ``doubts`` with a sentence about what is not sure. ``table`` is the
    canonical table that somebody says it is; None where that is to be found out.
    """

    path: Path
    kind: Literal["text", "json", "parquet", "workbook"]
    names: tuple[str, ...]
    columns: tuple[tuple[Any, ...], ...]
    complete: bool = True
    delimiter: str | None = None
    encoding: str | None = None
    header: bool = True
    header_sure: bool = True
    sheet: str | None = None
    others: tuple[str, ...] = ()
    skip_rows: int = 0
    header_row: tuple[int, ...] = (1,)
    footer_rows: int = 0
    escape: str | None = None
    remarks: tuple[tuple[str, str], ...] = ()
    doubts: tuple[tuple[str, str], ...] = ()
    table: str | None = None

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
    """Read the first rows of a file: of a workbook the first sheet that can hold records.

    Parameters
    ----------
    path : Path
        A text or JSON file (packed or not), a Parquet file or a folder of them, a workbook.

    Returns
    -------
    Sample

    Raises
    ------
    SourceError
        No such file, an empty one, a header without rows, an unknown format, damaged or binary content.
    """
    first = samples(path)[0]
    if not first.others:
        return first
    listed = ", ".join(f"'{name}'" for name in first.others[:5])
    doubt = ("sheet", f"The workbook has {len(first.others) + 1} sheets; '{first.sheet}' is read, and not {listed}.")
    return replace(first, doubts=(doubt, *first.doubts))


def samples(path: Path) -> list[Sample]:
    """Read the first rows of every table in a file: one of a text or Parquet file, one of each sheet of a workbook that holds records.

    Parameters
    ----------
    path : Path
        A text or JSON file (packed or not), a Parquet file or a folder of them, a workbook.

    Returns
    -------
    list of Sample
        At least one, in the order of the file. Sheets with no more than a title or a note are passed over. ``sheet`` names the sheet
        where the workbook has several.

    Raises
    ------
    SourceError
        As for :func:`sample`.
    """
    lower = path.name.lower()
    try:
        if path.is_dir():
            files = sorted(item for item in path.rglob("*.parquet") if item.is_file())
            if not files:
                raise SourceError.empty_folder(TABLE, path.name)
            return [_parquet(path, files[0])]
        if not path.is_file():
            raise SourceError.no_such_file(path.name, path.parent)
        if not lower.endswith(ENDINGS):
            raise SourceError.unknown_format(TABLE, path.name, ENDINGS)
        if path.stat().st_size == 0:
            raise SourceError.empty(TABLE, path.name)
        if lower.endswith(".parquet"):
            return [_parquet(path, path)]
        if lower.endswith(JSON_ENDINGS):
            return [_json(path)]
        return _workbook(path) if lower.endswith(WORKBOOK_ENDINGS) else [_text(path)]
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


def _json(path: Path) -> Sample:
    rows = list(islice(records(TABLE, path), ROWS + 1))
    keys = list(dict.fromkeys(key for row in rows for key in row))
    if not keys:
        raise SourceError.empty(TABLE, path.name)
    check_width(TABLE, path.name, len(keys))
    columns = tuple(tuple(cleaned(row.get(key)) for row in rows[:ROWS]) for key in keys)
    return Sample(path, "json", tuple(unique(keys)), columns, complete=len(rows) <= ROWS)


def _workbook(path: Path) -> list[Sample]:
    grids = peek(TABLE, path, ROWS)
    refused = tuple(("sheet", f"The sheet '{grid.name}' is passed over. {grid.refused}") for grid in grids if grid.refused)
    held = [grid for grid in grids if not grid.refused]
    useful = [grid for grid in held if grid.height > 1 and max(map(_filled, grid.head), default=0) > 2]
    if not useful:
        useful = sorted(held, key=lambda grid: -grid.height)[:1]
    made = []
    for grid in useful:
        rows, tail = ([[_cleaned(cell) for cell in row] for row in part] for part in (grid.head, grid.tail))
        complete = not tail
        if not any(map(_filled, rows)):
            raise SourceError.empty(TABLE, path.name)
        try:
            one = _tabulate(path, rows, "workbook", None if complete else [*rows[-len(tail) :], *tail])
        except SourceError:
            if len(useful) > 1:  # a sheet of another kind beside the tables
                continue
            raise
        others = tuple(other.name for other in grids if other is not grid)
        doubts = (*refused, *_faults(grid), *one.doubts)
        made.append(replace(one, complete=complete, sheet=grid.name if others else None, others=others, doubts=doubts))
    if not made:
        raise SourceError.no_rows(TABLE, path.name)
    return made


def _filled(row: Sequence[Any]) -> int:
    return sum(cell is not None for cell in row)


def _cleaned(cell: Any) -> Any:
    return cleaned(cell) if isinstance(cell, str) else cell


def _faults(grid: Grid) -> Iterator[tuple[str, str]]:
    """Say what stands in a sheet instead of values."""
    for what, count in sorted(Counter(grid.marks.values()).items()):
        cells = "1 cell holds" if count == 1 else f"{count:,} cells hold"
        if what == NOT_AVAILABLE:
            advice = "It is read as an empty cell."
        elif what == NO_VALUE:
            advice = "Open the workbook in Excel or LibreOffice and save it, so that results are stored."
        else:
            advice = "Correct them in the workbook."
        yield "file", f"In '{grid.name}' {cells} {what}. {advice}"


def _text(path: Path) -> Sample:
    text = read_text(path)
    doubts = []
    if text.guessed:
        sentence = f"The encoding is not UTF-8; '{text.encoding}' is a guess. Look whether accents come out right."
        doubts.append(("encoding", sentence))
    made = _tabulate(path, text.rows, "text", text.tail, text.further)
    remarks = made.remarks
    if text.escape:
        remarks = (*remarks, ("escape", "stands before quotation marks within fields"))
    return replace(
        made,
        complete=text.complete,
        delimiter=text.delimiter,
        encoding=text.encoding,
        escape=text.escape,
        remarks=remarks,
        doubts=(*doubts, *made.doubts),
    )


def _tabulate(
    path: Path,
    rows: list[list[Any]],
    kind: Literal["text", "workbook"],
    tail: list[list[Any]] | None,
    further: Sequence[list[Any]] = (),
) -> Sample:
    """Turn rows into named columns."""
    found = find_layout(path, rows, tail)
    body = [row for row in rows[found.first : found.last] if row]
    width = Counter(map(len, body)).most_common(1)[0][0] if body else len(found.names)
    check_width(TABLE, path.name, max(width, len(found.names)))
    doubts = []
    given = list(found.names)
    if found.header:
        trailing = len(given) == width - 1 and all(row[-1] is None for row in body if len(row) == width)
        if len(given) == width + 1 and not given[-1]:
            given.pop()
        names = unique(given)
        if not found.sure:
            doubts.append(("header", "The first row is taken as column names, but it might be data."))
    else:
        names, trailing = [f"column_{i + 1}" for i in range(width)], False
        doubts.append(("header", "The first row looks like data, so the columns have no names of their own."))
    usual = sum(len(row) == len(names) + trailing for row in body) / max(len(body), 1)
    if usual < 1 and kind == "text":
        doubts.insert(0, ("delimiter", f"Only {usual:.1%} of the rows have the usual number of fields; {_RAGGED}."))
    body += [row for row in further if row not in (tail or ())[-found.footer_rows or len(tail or ()) :]]
    body = [row[: len(names)] for row in body if len(row) == len(names) + trailing and any(cell is not None for cell in row)]
    if not body:
        raise SourceError.no_rows(TABLE, path.name)
    return Sample(
        path,
        kind,
        tuple(names),
        tuple(zip(*body, strict=True)),
        header=found.header,
        header_sure=found.sure,
        skip_rows=found.skip_rows,
        header_row=found.header_row,
        footer_rows=found.footer_rows,
        remarks=found.remarks,
        doubts=tuple(doubts),
    )

"""Opens csv, JSON lines (packed or not), Parquet and workbooks as tables of a scratch DuckDB, with the source's own columns.

Text files are read as text: what is a date and what is a number is decided in :mod:`crmlab.data.reading.parse`, where a value
that does not fit can be counted and named. Nothing is guessed here but the delimiter, from the header line.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from crmlab.data.catalog import locate, matches
from crmlab.data.collecting import collect_arrow, collect_value
from crmlab.data.descriptor import Descriptor, TableSection
from crmlab.data.reading.layout import total_word
from crmlab.data.reading.raw import Raw, first_line, literal
from crmlab.data.reading.texts import Chooser
from crmlab.data.room import no_room
from crmlab.errors import DescriptorError, SourceError

if TYPE_CHECKING:
    from ibis.backends import BaseBackend

__all__ = ["ENDINGS", "JSON_ENDINGS", "TEXT_ENDINGS", "WORKBOOK_ENDINGS", "file_of", "files_of", "read_file", "row_count"]


TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
JSON_ENDINGS = (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz")
WORKBOOK_ENDINGS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
_LAST = 3  # rows at the end among which a total may stand
ENDINGS = (*TEXT_ENDINGS, *JSON_ENDINGS, ".parquet", *WORKBOOK_ENDINGS)


def file_of(section: TableSection, descriptor: Descriptor) -> Path:
    """Return the file (or folder, or glob) of a table of a data set that lives in files.

    Raises
    ------
    SourceError
        Where there is none; the message says where it was looked for.
    DescriptorError
        Where the section names no file.
    """
    if not section.file:
        raise DescriptorError.expected(f"{descriptor.where}: [{section.table}] file", "given", "nothing")
    path, looked = locate(section, descriptor.folder)
    if path is None:
        raise SourceError.no_file(section.table, section.file, [folder.name or str(folder) for folder in looked])
    return path


def files_of(path: Path) -> list[Path]:
    """Return the single files behind a file, a folder of Parquet files or a glob, sorted.

    As in Spark, names that begin with a dot or an underscore are not data: half-written files, logs, markers.
    """
    if path.is_dir():
        inside = (item for item in path.rglob("*.parquet") if not _is_hidden(item.relative_to(path)))
        return sorted(item for item in inside if item.is_file())
    return [path] if path.exists() else matches(path)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith((".", "_")) for part in path.parts)


def read_file(
    con: BaseBackend, section: TableSection, path: Path, scratch: Path, choose: Chooser, *, tolerant: bool = False
) -> Raw:
    """Load one file into a table of a scratch DuckDB, with the columns that it has.

    Parameters
    ----------
    con : ibis DuckDB backend
        The scratch database. The table ``raw_<table>`` is made in it; its ``rowid`` is the row's place in the file.
    section : TableSection
        How the file is to be read.
    path : Path
        The file, a folder of Parquet files, or a glob.
    scratch : Path
        A folder for temporary files.
    choose : callable
        Says which of the file's columns are needed.
    tolerant : bool
        Leave rows of a text file out that have too many or too few fields, and say which.

    Returns
    -------
    Raw

    Raises
    ------
    SourceError
        The file is empty, damaged, in an unknown format or encoding; a row has too many or too few fields.
    """
    from crmlab.data.reading.json_records import read_json
    from crmlab.data.reading.texts import read_texts

    table, lower = f"raw_{section.table}", path.name.lower()
    try:
        files = files_of(path)
        if not files:
            raise SourceError.empty_folder(section.table, path.name)
        if all(file.stat().st_size == 0 for file in files):
            raise SourceError.empty(section.table, path.name)
        if path.is_dir() or lower.endswith(".parquet"):
            raw = _read_parquet(con, section, path, files, choose)
        elif lower.endswith(WORKBOOK_ENDINGS):
            raw = _read_workbooks(con, section, files, choose, tolerant=tolerant)
        elif lower.endswith(TEXT_ENDINGS):
            raw = read_texts(con, section, files, table, scratch, choose, tolerant=tolerant)
        elif lower.endswith(JSON_ENDINGS):
            raw = read_json(con, section.table, files, choose)
        else:
            raise SourceError.unknown_format(section.table, path.name, ENDINGS)
        raw = replace(raw, doubled=_doubled(files))
    except SourceError:
        raise
    except OSError as error:
        raise no_room(error) or SourceError.unreadable(
            section.table, path.name, f"{error.strerror or first_line(error)}."
        ) from error
    rows = row_count(raw)
    if rows == 0 and not raw.rejected:
        raise SourceError.no_rows(section.table, path.name)
    return replace(raw, total=_total(raw, rows))


def _total(raw: Raw, rows: int) -> int | None:
    """The place of a row at the end that reads like a total."""
    texts = [name for name, kind in raw.table.schema().items() if kind.is_string()]
    if not texts:
        return None
    place = raw.table.rowid() + 1
    held = {f"v{i}": raw.table[name] for i, name in enumerate(texts)}
    last = raw.table.select(place=place, **held).filter(lambda table: table["place"] > rows - _LAST)
    for row in reversed(collect_arrow(last, "place").to_pylist()):
        if any(alone for _, alone in map(total_word, row.values())):
            return int(row["place"])
    return None


def _doubled(files: list[Path]) -> tuple[str, ...]:
    """The names of files that hold what an earlier one holds."""
    sizes = Counter(file.stat().st_size for file in files)
    seen: set[bytes] = set()
    found = []
    for file in files:
        size = file.stat().st_size
        if size and sizes[size] > 1:
            with file.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").digest()
            if digest in seen:
                found.append(file.name)
            seen.add(digest)
    return tuple(found)


def row_count(raw: Raw) -> int:
    """Count the rows of a source."""
    return int(collect_value(raw.table.count()))


def _read_parquet(con: BaseBackend, section: TableSection, path: Path, files: list[Path], choose: Chooser) -> Raw:
    import duckdb
    import pyarrow.parquet as pq

    table = f"raw_{section.table}"
    try:
        found = con.read_parquet([literal(file) for file in files], table_name=f"file_{section.table}")
        kept = found.select(choose(list(found.columns)))
        parts = [(file.name, pq.read_metadata(file).num_rows) for file in files] if len(files) > 1 else []
        loaded = con.create_table(table, obj=kept, temp=True)
        return Raw(loaded, path.name, tuple(found.columns), parts=tuple(parts))
    except duckdb.Error as error:
        raise no_room(error) or SourceError.unreadable(section.table, path.name, first_line(error)) from error


def _read_workbooks(con: BaseBackend, section: TableSection, files: list[Path], choose: Chooser, *, tolerant: bool) -> Raw:
    """Load the sheet of a workbook, or those of several, one after the other."""
    import pyarrow as pa

    from crmlab.data.reading.texts import other_columns
    from crmlab.data.reading.workbook import column_of, read_sheet

    sheets = {file.name: read_sheet(section, file, choose, tolerant=tolerant) for file in files if file.stat().st_size}
    (name, first), *others = sheets.items()
    for other, sheet in others:
        if set(sheet.names) != set(first.names):
            raise other_columns(section.table, (name, first.names), (other, sheet.names))
    columns = {
        column: column_of([sheet.cells[column] for sheet in sheets.values()], section.date_format) for column in first.cells
    }
    loaded = con.create_table(f"raw_{section.table}", obj=pa.table(columns), temp=True)
    marked: dict[str, dict[int, str]] = {}
    rejected: list[int] = []
    before = kept = 0
    for sheet in sheets.values():
        for column, rows in sheet.marks.items():
            marked.setdefault(column, {}).update({kept + row: what for row, what in rows.items()})
        rejected += [before + row for row in sheet.rejected]
        before, kept = before + sheet.rows + len(sheet.rejected), kept + sheet.rows
    several = bool(others)
    return Raw(
        loaded,
        f"{len(sheets)} files" if several else name,
        tuple(first.names),
        header=section.header,
        parts=tuple((of, sheet.rows + len(sheet.rejected)) for of, sheet in sheets.items()) if several else (),
        rejected=tuple(rejected),
        marked=marked,
        rounded=tuple(column for column in first.cells if any(column in sheet.rounded for sheet in sheets.values())),
    )

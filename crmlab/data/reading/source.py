"""Opens csv, JSON lines (packed or not), Parquet and workbooks as tables of a scratch DuckDB, with the source's own columns.

Text files are read as text: what is a date and what is a number is decided in :mod:`crmlab.data.reading.parse`, where a value
that does not fit can be counted and named. Nothing is guessed here but the delimiter, from the header line.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import replace
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlab.collecting import collect_arrow, collect_value
from crmlab.data.catalog import locate, matches
from crmlab.data.descriptor import Descriptor
from crmlab.data.reading.layout import is_blank, total_word
from crmlab.data.reading.raw import Raw, first_line, literal
from crmlab.data.reading.texts import Chooser
from crmlab.data.reading.times import cell_form
from crmlab.data.room import no_room
from crmlab.data.table_section import TableSection
from crmlab.errors import DescriptorError, SourceError, listing

if TYPE_CHECKING:
    from ibis.backends import BaseBackend

__all__ = ["ENDINGS", "JSON_ENDINGS", "TEXT_ENDINGS", "WORKBOOK_ENDINGS", "file_of", "files_of", "read_file", "row_count"]


TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
JSON_ENDINGS = (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz")
WORKBOOK_ENDINGS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
# Options that say how a file is laid out, and take effect only in files of some kinds.
_LAYOUT = {
    **dict.fromkeys(("delimiter", "encoding", "escape"), ("text",)),
    **dict.fromkeys(("skip_rows", "header_row", "footer_rows", "header", "names"), ("text", "workbook")),
    "sheet": ("workbook",),
}
_LAST = 3  # rows at the end among which a total may stand
_KINDS = {"text": TEXT_ENDINGS, "json": JSON_ENDINGS, "parquet": (".parquet",), "workbook": WORKBOOK_ENDINGS}
ENDINGS = (*TEXT_ENDINGS, *JSON_ENDINGS, ".parquet", *WORKBOOK_ENDINGS)


def file_of(section: TableSection, descriptor: Descriptor) -> Path:
    """Return the file (or folder, or glob) of a table of a data set that lives in files.

    Raises
    ------
    SourceError
        Where there is none; the message says where it was looked for.
    DescriptorError
        Where the section names no file, or has an option that takes effect in none of the files that it names.
    """
    if not section.file:
        raise DescriptorError.expected(f"{descriptor.where}: [{section.table}] file", "given", "nothing")
    path, looked = locate(section, descriptor.folder)
    if path is None:
        raise SourceError.no_file(section.table, section.file, [folder.name or str(folder) for folder in looked])
    _refuse_idle(section, path, descriptor)
    return path


def _refuse_idle(section: TableSection, path: Path, descriptor: Descriptor) -> None:
    """Refuse options that would change nothing: who wrote them expects that they do."""
    kinds = {_kind(path), *(_kind(Path(file)) for file in section.file)} - {""}
    usual = TableSection(section.table)
    for option, used in _LAYOUT.items():
        given = getattr(section, option)
        if kinds and kinds.isdisjoint(used) and given != getattr(usual, option):
            what = f"{descriptor.where}: [{section.table}] {option}"
            got = listing(map(str, given)) if isinstance(given, tuple) else given
            raise DescriptorError.expected(what, f"left out, because it has no effect on {path.name}", got)


def files_of(path: Path) -> list[Path]:
    """Return the single files behind a file, a folder of Parquet files or a glob, sorted.

    As in Spark, names that begin with a dot or an underscore are not data: half-written files, logs, markers.
    """
    if path.is_dir():
        inside = (item for item in path.rglob("*.parquet") if not _is_hidden(item.relative_to(path)))
        return sorted(item for item in inside if item.is_file())
    return [path] if path.exists() else matches(path)


def _kind(path: Path) -> str:
    """The kind of a file, a folder or a glob by its ending; empty where it is not known."""
    if path.is_dir():
        return "parquet"
    return next((kind for kind, endings in _KINDS.items() if path.name.lower().endswith(endings)), "")


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

    table, kind = f"raw_{section.table}", _kind(path)
    try:
        files = files_of(path)
        if not files:
            raise SourceError.empty_folder(section.table, path.name)
        if all(file.stat().st_size == 0 for file in files):
            raise SourceError.empty(section.table, path.name)
        if kind == "parquet":
            raw = _read_parquet(con, section, path, files, choose)
        elif kind == "workbook":
            raw = _read_workbooks(con, section, files, choose, tolerant=tolerant)
        elif kind == "text":
            raw = read_texts(con, section, files, table, scratch, choose, tolerant=tolerant)
        elif kind == "json":
            raw = read_json(con, section.table, files, choose)
        else:
            raise SourceError.unknown_format(section.table, path.name, ENDINGS)
        called = _called(files)
        filled = [name for name, file in zip(called, files, strict=True) if file.stat().st_size]
        parts = tuple((name, count) for name, (_, count) in zip(filled, raw.parts, strict=False))
        raw = replace(raw, parts=parts, doubled=_doubled(files, called))
    except SourceError:
        raise
    except OSError as error:
        raise no_room(error) or SourceError.unreadable(
            section.table, path.name, f"{error.strerror or first_line(error)}."
        ) from error
    rows = row_count(raw)
    if rows == 0 and not raw.rejected:
        raise SourceError.no_rows(section.table, path.name)
    totals, footer = _totals(raw, rows, section)
    return replace(raw, totals=totals, footer_rows=footer if kind in ("text", "workbook") else 0)


def _called(files: list[Path]) -> list[str]:
    """What messages call files: their names, with the folders that tell them apart where two have the same one."""
    names = [file.name for file in files]
    if len(set(names)) == len(names):
        return names
    base = os.path.commonpath([file.parent for file in files])
    return [file.relative_to(base).as_posix() for file in files]


def _totals(raw: Raw, rows: int, section: TableSection) -> tuple[tuple[int, ...], int]:
    """The rows that read like totals, of those at the end of each file; and the ``footer_rows`` that leave all of them out, or 0.

    What stands for the name of the row has to be such a word: the order id, or what is filled in first. A product may be called so.
    """
    named = section.named(raw.columns)
    order, product = (named.get(name, name) for name in ("order_id", "product_id"))
    kinds = raw.table.schema()
    held = {f"v{i}": raw.table[name] if kinds[name].is_string() else raw.table[name].notnull() for i, name in enumerate(kinds)}
    last = [range(first, end)[-_LAST:] for first, end in pairwise([1, *raw.starts(), rows + 1])]
    place = raw.table.rowid() + 1
    found = raw.table.select(place=place, **held).filter(lambda table: table["place"].isin([*chain(*last)]))
    seen = {row.pop("place"): dict(zip(kinds, row.values(), strict=True)) for row in collect_arrow(found, "place").to_pylist()}
    totals, footers = [], set()
    for places in last:
        filled = [at for at in places if not is_blank([cell or None for cell in seen[at].values()])]
        own = next((at for at in reversed(filled) if _is_total(seen[at], order, product)), None)
        totals += [own] if own else []
        if filled:
            footers.add(raw.origin(filled[-1])[0] - raw.origin(own)[0] + 1 if own else 0)
    return tuple(totals), footers.pop() + section.footer_rows if totals and len(footers) == 1 else 0


def _is_total(row: dict[str, Any], order: str, product: str) -> bool:
    """Whether a row, its texts and whether there is something else, reads like a total."""
    by_name = {name.lower(): cell for name, cell in row.items()}
    numbered = row.get(order, by_name.get(order.lower()))
    name, first = next(((name, cell) for name, cell in row.items() if not is_blank([cell or None])), ("", None))
    return total_word(numbered)[1] or (
        total_word(first)[1] and (name.lower() != product.lower() or is_blank([numbered or None]))
    )


def _doubled(files: list[Path], called: list[str]) -> tuple[str, ...]:
    """What messages call the files that hold what an earlier one holds."""
    sizes = Counter(file.stat().st_size for file in files)
    seen: set[bytes] = set()
    found = []
    for file, name in zip(files, called, strict=True):
        size = file.stat().st_size
        if size and sizes[size] > 1:
            with file.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").digest()
            if digest in seen:
                found.append(name)
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

    filled = [file for file in files if file.stat().st_size]
    sheets = [read_sheet(section, file, choose, tolerant=tolerant) for file in filled]
    first, several = sheets[0], len(sheets) > 1
    for file, sheet in zip(filled, sheets, strict=True):
        if set(sheet.names) != set(first.names):
            raise other_columns(section.table, (filled[0].name, first.names), (file.name, sheet.names))
    columns = {column: column_of([sheet.cells[column] for sheet in sheets], cell_form(section)) for column in first.cells}
    loaded = con.create_table(f"raw_{section.table}", obj=pa.table(columns), temp=True)
    marked: dict[str, dict[int, str]] = {}
    rejected: list[int] = []
    before = kept = 0
    for sheet in sheets:
        for column, rows in sheet.marks.items():
            marked.setdefault(column, {}).update({kept + row: what for row, what in rows.items()})
        rejected += [before + row for row in sheet.rejected]
        before, kept = before + sheet.rows + len(sheet.rejected), kept + sheet.rows
    return Raw(
        loaded,
        f"{len(sheets)} files" if several else filled[0].name,
        tuple(first.names),
        header=section.header,
        parts=tuple((file.name, sheet.rows + len(sheet.rejected)) for file, sheet in zip(filled, sheets, strict=True))
        if several
        else (),
        rejected=tuple(rejected),
        marked=marked,
        rounded=tuple(column for column in first.cells if any(column in sheet.rounded for sheet in sheets)),
    )

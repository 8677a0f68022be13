"""Opens csv, csv.gz, parquet, xlsx, a DuckDB file, Postgres and Spark, as Ibis tables with the source's own columns.

Text files are read as text: what is a date and what is a number is decided in :mod:`crmlab.data.clean`, where a value
that does not fit can be counted and named. Nothing is guessed here but the delimiter, from the header line.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from crmlab.data.catalog import Descriptor, TableSection, locate
from crmlab.errors import DataError, DescriptorError, SourceError

if TYPE_CHECKING:
    import ibis
    import pyarrow as pa
    from ibis.backends import BaseBackend

TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
WORKBOOK_ENDINGS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
ENDINGS = (*TEXT_ENDINGS, ".parquet", *WORKBOOK_ENDINGS)


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
        raise DescriptorError.expected(descriptor.where, section.table, "file", "given", "nothing")
    path, looked = locate(section, descriptor.folder)
    if path is None:
        raise SourceError.no_file(section.table, section.file, [folder.name or str(folder) for folder in looked])
    return path


def files_of(path: Path) -> list[Path]:
    """Return the single files behind a file, a folder or a glob, sorted."""
    if path.is_dir():
        return sorted(item for item in path.rglob("*.parquet") if item.is_file())
    if path.is_file():
        return [path]
    return sorted(item for item in path.parent.glob(path.name) if item.is_file())


def read_file(con: BaseBackend, section: TableSection, path: Path, scratch: Path) -> ibis.Table:
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

    Returns
    -------
    ibis.Table

    Raises
    ------
    SourceError
        The file is empty, damaged, in an unknown format or encoding; a row has too many or too few fields.
    """
    table, name = f"raw_{section.table}", path.name
    lower = name.lower()
    files = files_of(path)
    if not files:
        raise SourceError.empty(section.table, name)
    if all(file.stat().st_size == 0 for file in files):
        raise SourceError.empty(section.table, name)
    if path.is_dir() or lower.endswith(".parquet"):
        raw = _read_parquet(con, section, files, table)
    elif lower.endswith(WORKBOOK_ENDINGS):
        raw = con.create_table(table, obj=_read_workbook(section, path), temp=True)
    elif lower.endswith(TEXT_ENDINGS):
        raw = _read_texts(con, section, files, table, scratch)
    else:
        raise SourceError.unknown_format(section.table, name, ENDINGS)
    if raw.count().execute() == 0:
        raise SourceError.no_rows(section.table, name)
    return raw


def _read_parquet(con: BaseBackend, section: TableSection, files: list[Path], table: str) -> ibis.Table:
    import duckdb

    try:
        return con.create_table(table, obj=con.read_parquet([str(file) for file in files]), temp=True)
    except duckdb.Error as error:
        raise SourceError.unreadable(section.table, files[0].name, _first_line(error)) from error


def _read_workbook(section: TableSection, path: Path) -> pa.Table:
    import pyarrow as pa
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(str(path))
        if section.sheet is not None and section.sheet not in book.sheet_names:
            raise SourceError.no_table(section.table, section.sheet, path.name, book.sheet_names)
        rows = book.get_sheet_by_name(section.sheet or book.sheet_names[0]).to_python(skip_empty_area=True)
    except (CalamineError, OSError, ValueError) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError.unreadable(section.table, path.name, _first_line(error)) from error
    if section.header:
        if not rows:
            raise SourceError.empty(section.table, path.name)
        names, rows = [_cell_text(cell) for cell in rows[0]], rows[1:]
    else:
        names = _given_names(section, len(rows[0]) if rows else 0)
    names = _unique(names)
    return pa.table({name: _workbook_column([row[i] for row in rows]) for i, name in enumerate(names)})


def _workbook_column(cells: list[Any]) -> pa.Array:
    """One column of a workbook: days and numbers stay what they are where all are; a mixture becomes text."""
    import datetime as dt

    import pyarrow as pa

    values = [None if cell == "" else cell for cell in cells]
    kinds = {type(value) for value in values if value is not None}
    if kinds and kinds <= {dt.datetime, dt.date}:
        moments = [dt.datetime.combine(v, dt.time()) if type(v) is dt.date else v for v in values]
        return pa.array(moments, pa.timestamp("us"))
    if kinds and kinds <= {int, float}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    return pa.array([None if value is None else _cell_text(value) for value in values], pa.string())


def _cell_text(cell: Any) -> str:
    # Workbooks store every number as a float: an id 17850 arrives as 17850.0.
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _read_texts(con: BaseBackend, section: TableSection, files: list[Path], table: str, scratch: Path) -> ibis.Table:
    import duckdb

    first = files[0]
    plain = [_plain(section, file, scratch / f"{section.table}-{i}.csv") for i, file in enumerate(files)]
    delimiter = _delimiter(section, plain[0])
    names = _header(section, plain[0], delimiter)
    try:
        source = con.read_csv(
            [str(file) for file in plain],
            columns=dict.fromkeys(names, "VARCHAR"),
            auto_detect=False,
            delim=delimiter,
            header=section.header,
            quote='"',
            escape='"',
            nullstr="",
            max_line_size=16_000_000,
        )
        return con.create_table(table, obj=source, temp=True)
    except duckdb.Error as error:
        raise _text_error(section, first.name, error, header=section.header) from error


def _text_error(section: TableSection, name: str, error: Exception, *, header: bool) -> SourceError:
    text = str(error)
    if "unicode" in text.lower() or "utf" in text.lower():
        return SourceError.unreadable(
            section.table, name, "It is not UTF-8.", 'Name its encoding, for example encoding = "cp1252".'
        )
    line = re.search(r"CSV Error on Line: (\d+)", text)
    expected = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", text)
    if line is None:
        return SourceError.unreadable(section.table, name, _first_line(error))
    row = int(line.group(1)) - int(header)
    if expected:
        reason = f"Expected {expected.group(1)} fields, found {expected.group(2)}."
    elif "quote" in text.lower():
        reason = "A quotation mark is opened and not closed."
    else:
        reason = _first_line(error)
    return SourceError.bad_row(section.table, name, row, reason)


def _first_line(error: Exception) -> str:
    line = (str(error) or type(error).__name__).strip().splitlines()[0]
    # A driver's message may name the file with its folders; the caller has named it already.
    return re.sub(r"(?:[A-Za-z]:)?[/\\](?:[^/\\\s\"']+[/\\])+", "", line)[:200].rstrip(".") + "."


@contextmanager
def open_text(path: Path, encoding: str | None = None) -> Iterator[IO[str]]:
    """Open a text file, packed or not, in its encoding (default UTF-8, a byte order mark is skipped)."""
    opener: Any = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "rb") as binary, io.TextIOWrapper(binary, encoding=encoding or "utf-8-sig", newline="") as text:
        yield text


def _plain(section: TableSection, file: Path, target: Path) -> Path:
    """Return the file as UTF-8 with one delimiter: itself where it is so already, else a copy in the scratch folder."""
    utf8 = (section.encoding or "utf-8").lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig", "ascii")
    if utf8 and section.delimiter != "whitespace":
        return file
    try:
        with open_text(file, section.encoding) as source, target.open("w", encoding="utf-8", newline="") as sink:
            if section.delimiter == "whitespace":
                sink.writelines("\t".join(line.split()) + "\n" for line in source if line.strip())
            else:
                while chunk := source.read(1 << 20):
                    sink.write(chunk)
    except LookupError as error:
        raise SourceError.unreadable(section.table, file.name, f"The encoding '{section.encoding}' is not known.") from error
    except (UnicodeError, EOFError, gzip.BadGzipFile) as error:
        raise SourceError.unreadable(
            section.table, file.name, _first_line(error), "Correct 'encoding' in the TOML file."
        ) from error
    return target


def _first_record(section: TableSection, file: Path, delimiter: str | None) -> list[str] | str:
    """The first record of a text file: split where the delimiter is known, else the raw line."""
    try:
        with open_text(file) as text:
            if delimiter is None:
                return text.readline()
            return next(csv.reader(text, delimiter=delimiter), [])
    except (UnicodeError, csv.Error) as error:
        raise SourceError.unreadable(
            section.table, file.name, "It is not UTF-8 text.", 'Name its encoding, for example encoding = "cp1252".'
        ) from error
    except (EOFError, OSError) as error:
        raise SourceError.unreadable(section.table, file.name, _first_line(error)) from error


def _delimiter(section: TableSection, file: Path) -> str:
    if section.delimiter:
        return {"whitespace": "\t", "tab": "\t", "\\t": "\t"}.get(section.delimiter, section.delimiter)
    line = str(_first_record(section, file, None))
    unquoted = re.sub(r'"[^"]*"', "", line)
    return max(",;\t|", key=unquoted.count)


def _header(section: TableSection, file: Path, delimiter: str) -> list[str]:
    record = list(_first_record(section, file, delimiter))
    if not record:
        raise SourceError.empty(section.table, file.name)
    if not section.header:
        return _unique(_given_names(section, len(record)))
    return _unique([name.strip() for name in record])


def _given_names(section: TableSection, width: int) -> list[str]:
    names = list(section.names) or [f"column_{i + 1}" for i in range(width)]
    if len(names) != width:
        found = f"{width} columns"
        raise DataError.wrong_type(
            section.table,
            "names",
            f"as many names as the file has columns ({width})",
            f"{len(names)} names, {found}",
            "the TOML file",
        )
    return names


def _unique(names: list[str]) -> list[str]:
    """Name every column, each once (without regard to case, as engines compare names)."""
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


def connect(descriptor: Descriptor, engine: Any) -> BaseBackend:
    """Connect to where a data set's own tables are: Postgres or a Spark session.

    Raises
    ------
    SourceError
        The engine is not installed or does not answer.
    DescriptorError
        The environment variable with the address is not set.
    """
    if descriptor.kind == "postgres":
        return _connect_postgres(descriptor)
    return spark(engine)


def _connect_postgres(descriptor: Descriptor) -> BaseBackend:
    variable = str(descriptor.source["url_env"])
    url = os.environ.get(variable)
    if not url:
        raise DescriptorError.no_environment(descriptor.where, variable)
    import ibis

    try:
        return ibis.connect(url)
    except ImportError as error:
        raise SourceError.no_engine("postgres", "Install it with: pip install 'crmlab[postgres]'") from error
    except Exception as error:
        # The driver's text may repeat the address, which holds the password: only its kind is told.
        raise SourceError.no_engine(
            "postgres", f"The database that {variable} names does not answer ({type(error).__name__})."
        ) from None


def spark(session: Any = None) -> BaseBackend:
    """Return an Ibis backend on a Spark session; makes a local one where none is given.

    Raises
    ------
    SourceError
        PySpark or Java is not there.
    """
    import ibis

    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise SourceError.no_engine("spark", "Install it with: pip install 'crmlab[spark]'") from error
    if session is None or isinstance(session, str):
        builder = SparkSession.builder.master("local[2]").appName("crmlab")
        for key, value in _SPARK_SETTINGS.items():
            builder = builder.config(key, value)
        try:
            session = builder.getOrCreate()
        except Exception as error:
            raise SourceError.no_engine("spark", "It needs Java 17 or newer on the PATH.") from error
    backend: BaseBackend = ibis.pyspark.connect(session)
    return backend


_SPARK_SETTINGS: Mapping[str, str] = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "4",
    "spark.default.parallelism": "4",
    "spark.driver.memory": "2g",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.log.level": "ERROR",
}


def database_table(con: BaseBackend, section: TableSection, source: str) -> ibis.Table:
    """Return a table of a database; ``from_table`` may name its schema (default: the canonical name)."""
    name = section.from_table or section.table
    schema, _, table = name.rpartition(".")
    try:
        return con.table(table, database=tuple(schema.split(".")) if schema else None)
    except Exception as error:
        try:
            found = con.list_tables()
        except Exception:
            found = []
        raise SourceError.no_table(section.table, name, source, found) from error


def attach(con: BaseBackend, path: Path, table: str) -> str:
    """Attach a DuckDB file read-only to a DuckDB connection and return its name there."""
    import duckdb

    try:
        con.attach(str(path), name="source", read_only=True)
    except duckdb.Error as error:
        raise SourceError.unreadable(table, path.name, _first_line(error)) from error
    return "source"

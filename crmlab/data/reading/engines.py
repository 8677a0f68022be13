"""Connects to engines: DuckDB in this process, a DuckDB file, Postgres, Spark."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlab.collecting import collect_arrow, collect_value
from crmlab.data.descriptor import Descriptor
from crmlab.data.reading.raw import first_line
from crmlab.data.room import no_room, not_written
from crmlab.data.scratch import process_scratch
from crmlab.data.table_section import TableSection
from crmlab.errors import CrmlabError, DescriptorError, SourceError

if TYPE_CHECKING:
    import ibis
    from ibis.backends import BaseBackend

__all__ = [
    "SPARK_SETTINGS",
    "attach",
    "attached_table",
    "connect",
    "database_table",
    "explain_errors",
    "is_attached",
    "scratch_duckdb",
    "spark",
]


SPARK_SETTINGS: Mapping[str, str] = {
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


def scratch_duckdb(scratch: Path | None = None, folder: Path | None = None) -> BaseBackend:
    """Return an Ibis backend on a DuckDB in memory, which neither fetches nor loads extensions.

    Parameters
    ----------
    scratch : Path, optional
        A folder for what is too large for memory. Default: one that stays until this process ends.
    folder : Path, optional
        Where it may still write once a foreign database is attached.

    Raises
    ------
    SourceError
        The folder for temporary files cannot be written.
    """
    import ibis

    try:
        place = scratch or process_scratch()
    except OSError as error:
        raise not_written("temporary", error) from error
    con: BaseBackend = ibis.duckdb.connect(
        temp_directory=str(place), memory_limit="1GB", autoinstall_known_extensions=False, autoload_known_extensions=False
    )
    if folder:
        con.raw_sql(f"SET allowed_directories = [{_quoted(folder)}]")
    return con


def attach(con: BaseBackend, path: Path, table: str) -> None:
    """Attach a DuckDB file read-only to a DuckDB connection, as ``source``; then nothing else is open to that connection.

    What stands in the file was written by others. From here on the engine reads no further file and no address, whatever an
    expression in it asks for, writes only where :func:`scratch_duckdb` was told, and none of this can be taken back.
    """
    import duckdb

    try:
        # By its type: a file of another database would be opened by an extension.
        con.raw_sql(f"ATTACH {_quoted(path)} AS source (READ_ONLY, TYPE duckdb)")
    except duckdb.Error as error:
        raise SourceError.unreadable(table, path.name, first_line(error)) from error
    con.settings["enable_external_access"] = False
    con.settings["lock_configuration"] = True


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def is_attached(con: BaseBackend) -> bool:
    """Whether a DuckDB file is attached as ``source``."""
    places = con.table("schemata", database=("system", "information_schema"))
    return bool(collect_value(places.filter(places["catalog_name"] == "source").count()))


def attached_table(con: BaseBackend, section: TableSection, file: str) -> ibis.Table:
    """Return a table of the attached DuckDB file; ``from_table`` may name its schema (default: ``main``).

    Raises
    ------
    SourceError
        There is none of that name, or it is a view: what a view reads was decided by whoever wrote the file.
    """
    wanted = section.from_table or section.table
    schema, _, name = wanted.rpartition(".")
    found = _listed(con)
    kinds = {(place.lower(), item.lower()): kind for place, item, kind in found}
    kind = kinds.get(((schema or "main").lower(), name.lower()))
    if kind is None:
        plain = [f"{place}.{item}".removeprefix("main.") for place, item, kind in found if kind == _TABLE]
        raise SourceError.no_table(section.table, wanted, file, plain)
    if kind != _TABLE:
        raise SourceError.view(section.table, wanted, file)
    return con.table(name, database=("source", schema or "main"))


_TABLE = "BASE TABLE"  # as DuckDB calls what is no view


def _listed(con: BaseBackend) -> list[tuple[str, str, str]]:
    """The schema, name and kind of everything in the attached file."""
    places = con.table("tables", database=("system", "information_schema"))
    names = ("table_schema", "table_name", "table_type")
    inside = places.filter(places["table_catalog"] == "source").select(*names)
    return [(row[names[0]], row[names[1]], row[names[2]]) for row in collect_arrow(inside, names).to_pylist()]


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


def connect(descriptor: Descriptor, engine: Any) -> BaseBackend:
    """Connect to where a data set's own tables are: Postgres or a Spark session.

    Raises
    ------
    SourceError
        The engine is not installed or does not answer.
    DescriptorError
        The environment variable with the address is not set, or holds none.
    """
    return _postgres(descriptor) if descriptor.kind == "postgres" else spark(engine)


def _postgres(descriptor: Descriptor) -> BaseBackend:
    variable = str(descriptor.source["url_env"])
    url = os.environ.get(variable, "").strip()
    if not url:
        raise DescriptorError.no_environment(descriptor.where, variable)
    if not url.startswith(("postgres://", "postgresql://")):
        raise DescriptorError.no_address(descriptor.where, variable)
    import ibis

    try:
        from psycopg.conninfo import conninfo_to_dict

        # Read by the driver itself: Ibis takes a + in a password for a blank, and knows no sslmode.
        given: dict[str, Any] = dict(conninfo_to_dict(url))
        if "dbname" in given:
            given["database"] = given.pop("dbname")
        given["port"] = int(given.get("port", 5432))
        con: BaseBackend = ibis.postgres.connect(**{"connect_timeout": 20, **given})
    except ImportError as error:
        raise SourceError.cannot(
            "The engine 'postgres'", "be used", hint="Install it with: pip install 'crmlab[postgres]'"
        ) from error
    except Exception as error:
        # The driver's text may repeat the address, which holds the password: only its kind is told.
        kind = type(error).__name__
    else:
        return con
    raise SourceError.cannot(
        "The engine 'postgres'", "be used", f"The database that {variable} names does not answer ({kind})."
    )


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
        raise SourceError.cannot(
            "The engine 'spark'", "be used", hint="Install it with: pip install 'crmlab[spark]'"
        ) from error
    if session is None or isinstance(session, str):
        builder = SparkSession.builder.master("local[2]").appName("crmlab")
        for key, value in SPARK_SETTINGS.items():
            builder = builder.config(key, value)
        try:
            session = builder.getOrCreate()
        except Exception as error:
            raise SourceError.cannot("The engine 'spark'", "be used", "It needs Java 17 or newer on the PATH.") from error
    backend: BaseBackend = ibis.pyspark.connect(session)
    return backend


@contextmanager
def explain_errors(table: str, name: str) -> Iterator[None]:
    """Turn an engine's own errors into a sentence that names the source, or the folder that could not be written."""
    try:
        yield
    except CrmlabError:
        raise
    except (OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise no_room(error) or SourceError.unreadable(table, name, f"{reason}.") from error
    except _engine_errors() as error:
        raise no_room(error) or SourceError.unreadable(table, name, first_line(error)) from error


def _engine_errors() -> tuple[type[Exception], ...]:
    """The errors of the engines that are loaded."""
    known = (
        ("duckdb", "Error"),
        ("pyarrow", "ArrowException"),
        ("ibis.common.exceptions", "IbisError"),
        ("psycopg", "Error"),
        ("pyspark.errors", "PySparkException"),
        ("py4j.protocol", "Py4JError"),
    )
    return tuple(getattr(sys.modules[module], name) for module, name in known if module in sys.modules)

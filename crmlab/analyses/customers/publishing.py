"""Writes published tables to a DuckDB file, a Parquet folder or Postgres, so that readers see one run or the next, never both."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlab.analyses.customers.published import CUSTOMERS, PUBLISHED, SQL_TYPES, Published, prepared
from crmlab.data.private import like, private_folder
from crmlab.errors import PublishError, shown

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["Columns", "publish"]


Columns = Mapping[str, Sequence[Published]]
_LOCK = 0x63726D6C6162  # of Postgres' advisory locks: one publisher at a time
_KEPT = 2  # versions of a Parquet folder: the last one may still be read


def publish(frames: Mapping[str, pd.DataFrame], to: str, dictionary: Columns | None = None) -> str:
    """Publish tables, and their data dictionary as a table of its own.

    Parameters
    ----------
    frames : mapping of table names to frames
        Usually ``{"crmlab_customers": frame}``.
    to : str
        ``path.duckdb`` or ``duckdb:///path.duckdb``; ``env:NAME`` for the Postgres whose address the environment variable holds; or
        a folder, for Parquet files.
    dictionary : mapping of table names to columns, optional
        Default: :data:`crmlab.analyses.customers.published.PUBLISHED` for ``crmlab_customers``.

    Returns
    -------
    str
        The run: the same for the same contents, and in the column ``run`` of every row.

    Raises
    ------
    PublishError
        The frames do not fit the dictionary, the place is not one that can be published to, holds something else, or cannot be
        written; what was published before is then as it was.

    Notes
    -----
    *DuckDB*: a new file takes the place of the old one in one step; who has the old one open reads it to the end.

    *Parquet*: each run is a folder of its own, and the link ``current`` is moved to it in one step. Read several tables through
    ``Path("current").resolve()``; the run before stays until the next.

    Files and folders are for their owner only. Where something was published before, the new takes over its rights: give them with chmod,
    once, to whoever is to read it.

    *Postgres*: one transaction. Rows are replaced, so that rights and views on the tables stay, readers never wait, and a
    transaction of a reader at REPEATABLE READ sees one run throughout; where columns have changed the table is made anew.
    """
    known = dictionary if dictionary is not None else {CUSTOMERS: PUBLISHED}
    for name in frames:
        if name not in known:
            raise PublishError.unknown_column("dictionary", name, known)
    target = str(to).strip()
    if target.startswith(("postgres:", "postgresql:")):
        raise PublishError.address_given()
    tables, columns, run = prepared(frames, known)
    if target.startswith("env:"):
        _to_postgres(tables, columns, _address(target.removeprefix("env:")))
    elif target.removeprefix("duckdb://").endswith((".duckdb", ".db")):
        _to_duckdb(tables, columns, Path(target.removeprefix("duckdb://")))
    elif not target or "://" in target or Path(target).suffix:
        raise PublishError(
            f"There is nothing to publish to in {shown(to)}. Expected a path that ends in .duckdb, a folder for Parquet files, or "
            "env:NAME for Postgres."
        )
    else:
        _to_parquet(tables, columns, Path(target))
    return run


def _to_duckdb(tables: Mapping[str, pa.Table], columns: Columns, place: Path) -> None:
    import duckdb

    wal = place.with_name(place.name + ".wal")
    if wal.exists():
        raise PublishError.cannot_write(place.name, "somebody is writing to it")
    if place.exists():
        try:
            with duckdb.connect(str(place), read_only=True) as con:
                found = [row[0] for row in con.execute("select table_name from information_schema.tables").fetchall()]
        except duckdb.Error as error:
            raise PublishError.cannot_write(place.name, "it is no DuckDB file, or in use") from error
        others = sorted(set(found) - set(tables))
        if others:
            raise PublishError.not_ours(place.name, others)
    try:
        private_folder(place.parent)
        with tempfile.TemporaryDirectory(prefix=".publish-", dir=place.parent) as scratch:
            new = Path(scratch) / place.name
            with duckdb.connect(str(new)) as con:
                for name, table in tables.items():
                    listed = ", ".join(f'"{column.name}" {SQL_TYPES[column.kind]}' for column in columns[name])
                    con.execute(f'create table "{name}" ({listed})')
                    con.register("_incoming", table)
                    con.execute(f'insert into "{name}" select * from _incoming')
                    con.unregister("_incoming")
                    for column in columns[name]:
                        con.execute(f'comment on column "{name}"."{column.name}" is {_quoted(column.meaning)}')
            like(new, place)
            new.replace(place)
    except (OSError, duckdb.Error) as error:
        raise PublishError.cannot_write(place.name, type(error).__name__) from error


def _to_parquet(tables: Mapping[str, pa.Table], columns: Columns, place: Path) -> None:
    import pyarrow.parquet as pq

    if place.exists() and not place.is_dir():
        raise PublishError.not_ours(place.name, [place.name])
    here = sorted(path.name for path in place.iterdir()) if place.exists() else []
    others = [name for name in here if name != "current" and not re.fullmatch(r"run-\d+|\.publish-.*", name)]
    if others:
        raise PublishError.not_ours(place.name, others)
    try:
        private_folder(place)
        number = 1 + max((int(name.split("-")[1]) for name in here if name.startswith("run-")), default=0)
        scratch = Path(tempfile.mkdtemp(prefix=".publish-", dir=place))
        for name, table in tables.items():
            # Meanings travel with the file: readers of Arrow see them as metadata of the fields.
            fields = [table.schema.field(column.name).with_metadata({"meaning": column.meaning}) for column in columns[name]]
            pq.write_table(table.cast(_schema(fields)), scratch / f"{name}.parquet")
        like(scratch, place / "current")
        new = place / f"run-{number:06d}"
        scratch.rename(new)
        link = place / f".publish-{number:06d}"
        link.unlink(missing_ok=True)
        link.symlink_to(new.name)
        link.replace(place / "current")
        for old in sorted(path for path in place.iterdir() if path.name.startswith("run-"))[:-_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise PublishError.cannot_write(place.name, error.strerror or type(error).__name__) from error


def _to_postgres(tables: Mapping[str, pa.Table], columns: Columns, address: str) -> None:
    try:
        import psycopg
        from psycopg import sql
    except ImportError as error:
        raise PublishError.cannot_write("postgres", "install it with: pip install 'crmlab[postgres]'") from error
    try:
        with psycopg.connect(address, connect_timeout=20) as con, con.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
            for name, table in tables.items():
                _replace_rows(cursor, name, table, columns[name], sql)
    except psycopg.Error as error:
        # The driver's text may repeat the address, which holds the password: only its kind is told.
        raise PublishError.cannot_write("postgres", type(error).__name__) from None


def _replace_rows(cursor: Any, name: str, table: pa.Table, columns: Sequence[Published], sql: Any) -> None:
    wanted = [(column.name, SQL_TYPES[column.kind]) for column in columns]
    cursor.execute(
        "select column_name, data_type from information_schema.columns where table_schema = current_schema() and table_name = %s "
        "order by ordinal_position",
        [name],
    )
    place = sql.Identifier(name)
    found = [tuple(row) for row in cursor.fetchall()]
    if found == wanted:
        cursor.execute(sql.SQL("delete from {}").format(place))
    else:
        if found:
            cursor.execute(sql.SQL("drop table {}").format(place))
        listed = [sql.SQL("{} ").format(sql.Identifier(column)) + sql.SQL(kind) for column, kind in wanted]
        cursor.execute(sql.SQL("create table {} ({})").format(place, sql.SQL(", ").join(listed)))
    for column in columns:
        comment = sql.SQL("comment on column {}.{} is {}")
        cursor.execute(comment.format(place, sql.Identifier(column.name), sql.Literal(column.meaning)))
    with cursor.copy(sql.SQL("copy {} from stdin").format(place)) as copy:
        for batch in table.to_batches(max_chunksize=10_000):
            for row in zip(*(batch.column(i).to_pylist() for i in range(batch.num_columns)), strict=True):
                copy.write_row(row)


def _address(variable: str) -> str:
    address = os.environ.get(variable, "").strip()
    if not address:
        raise PublishError.no_environment(variable, "nothing")
    if not address.startswith(("postgres://", "postgresql://")):
        raise PublishError.no_environment(variable, "something else, which is not shown")
    return address


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _schema(fields: list[Any]) -> Any:
    import pyarrow as pa

    return pa.schema(fields)

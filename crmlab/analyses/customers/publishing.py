"""Writes published tables to a DuckDB file, a Parquet folder or Postgres, so that readers see one run or the next, never both.

One publisher at a time writes to a target; another waits. What a killed one left is removed by the next.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlab.analyses.customers.published import CUSTOMERS, DICTIONARY, PUBLISHED, SQL_TYPES, Published, prepared
from crmlab.data.private import like, private_folder
from crmlab.errors import PublishError, shown

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["Columns", "publish"]


Columns = Mapping[str, Sequence[Published]]
_LOCK = 0x63726D6C6162  # of Postgres' advisory locks: one publisher at a time
_ASIDE = ".publish-"  # what names of ours begin with beside, or in, a target


def _quiet(_: str) -> None:
    """Tell nobody."""


def publish(
    frames: Mapping[str, pd.DataFrame], to: str, dictionary: Columns | None = None, on_wait: Callable[[str], None] = _quiet
) -> str:
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
    on_wait : callable
        Told, in a sentence, when another publisher is at work on the target.

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
    *Links*: where the target is a symbolic link, what it leads to is replaced, and the link stays.

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
        _to_postgres(tables, columns, _address(target.removeprefix("env:")), on_wait)
    elif target.removeprefix("duckdb://").endswith((".duckdb", ".db")):
        _to_duckdb(tables, columns, Path(target.removeprefix("duckdb://")), on_wait)
    elif not target or "://" in target or Path(target).suffix:
        raise PublishError(
            f"Cannot publish to {shown(to)}. Expected a path that ends in .duckdb, a folder for Parquet files, or "
            "env:NAME for Postgres."
        )
    else:
        _to_parquet(tables, columns, Path(target), on_wait)
    return run


@contextlib.contextmanager
def _alone(lock: Path, place: Path, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of a target, waiting for another publisher; its file is removed while it is held, so that nothing is left."""
    from filelock import FileLock, Timeout

    held = FileLock(str(lock))
    try:
        held.acquire(timeout=0)
    except Timeout:
        on_wait(f"Another publisher is at work on {place.name}; waiting for it to end.")
        held.acquire()
    while not lock.exists():  # it was removed between our opening and locking it: that lock keeps nobody out
        held.release()
        held.acquire()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows removes no file that is held: there it stays
            lock.unlink()
        held.release()


@contextlib.contextmanager
def _aside(folder: Path) -> Iterator[Path]:
    """Make a folder where the next run is written; what a killed publisher left there is removed. The caller holds the lock."""
    _removed(folder)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        _removed(folder)


def _removed(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _target(place: Path) -> Path:
    """What is written to: behind all symbolic links, so that they stay.

    Raises
    ------
    PublishError
        They go in a circle.
    """
    try:
        return place.resolve(strict=False)
    except (OSError, RuntimeError) as error:
        raise PublishError.cannot_write(place.name, "its symbolic links go in a circle") from error


def _to_duckdb(tables: Mapping[str, pa.Table], columns: Columns, named: Path, on_wait: Callable[[str], None]) -> None:
    import duckdb

    place = _target(named)
    try:
        private_folder(place.parent)
        with _alone(place.with_name(f"{_ASIDE}{place.name}.lock"), place, on_wait):
            _check_duckdb(tables, place, named)
            with _aside(place.with_name(f"{_ASIDE}{place.name}")) as scratch:
                new = scratch / place.name
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
        raise PublishError.cannot_write(place.name, getattr(error, "strerror", None) or type(error).__name__) from error


def _check_duckdb(tables: Mapping[str, pa.Table], place: Path, named: Path) -> None:
    """Refuse a file that somebody writes to, that holds changes not taken in, or that holds what was not published."""
    import duckdb

    found: list[str] = []
    if place.exists():
        try:
            with duckdb.connect(str(place), read_only=True) as con:
                found = [row[0] for row in con.execute("select table_name from information_schema.tables").fetchall()]
        except duckdb.Error as error:
            reason = "a program has it open for writing" if "lock on file" in str(error) else "it is no DuckDB file"
            raise PublishError.cannot_write(place.name, reason) from error
    for path in dict.fromkeys((place, Path(os.path.abspath(named)))):
        wal = path.with_name(f"{path.name}.wal")
        if os.path.lexists(wal):
            raise PublishError.stale_log(place.name, wal.name)
    others = sorted(set(found) - set(tables))
    if others:
        raise PublishError.not_ours(place.name, others)


def _to_parquet(tables: Mapping[str, pa.Table], columns: Columns, named: Path, on_wait: Callable[[str], None]) -> None:
    import pyarrow.parquet as pq

    place = _target(named)
    if place.exists() and not place.is_dir():
        raise PublishError.not_ours(place.name, [place.name])
    try:
        private_folder(place)
        lock = place / f"{_ASIDE}lock"
        with _alone(lock, place, on_wait):
            # Asked under the lock: another publisher at work may be taking an old run away.
            others = sorted(path.name for path in place.iterdir() if not _is_ours(path))
            if others:
                raise PublishError.not_ours(place.name, others)
            with _aside(place / f"{_ASIDE}run") as scratch:
                before = _swept(place, scratch)
                (scratch / "run").mkdir()
                for name, table in tables.items():
                    # Meanings travel with the file: readers of Arrow see them as metadata of the fields.
                    fields = [table.schema.field(one.name).with_metadata({"meaning": one.meaning}) for one in columns[name]]
                    pq.write_table(table.cast(_schema(fields)), scratch / "run" / f"{name}.parquet")
                like(scratch / "run", place / "current")
                new = place / f"run-{1 + before:06d}"
                (scratch / "run").rename(new)
                try:
                    (scratch / "current").symlink_to(new.name)
                    (scratch / "current").replace(place / "current")
                except OSError:
                    _removed(new)
                    raise
                _taken_away(place, scratch, lambda number: number < before)  # the one before may still be read
    except OSError as error:
        raise PublishError.cannot_write(place.name, error.strerror or type(error).__name__) from error


def _is_ours(path: Path) -> bool:
    """Whether a publisher made this in a folder of runs: known by what it holds, not by its name alone."""
    if path.name == "current":
        return path.is_symlink()
    if path.name == f"{_ASIDE}lock":
        return path.is_file() and not path.is_symlink()
    if path.name == f"{_ASIDE}run":
        return path.is_dir() and not path.is_symlink()
    return _is_run(path)


def _is_run(path: Path) -> bool:
    if not re.fullmatch(r"run-\d{6,}", path.name) or path.is_symlink() or not path.is_dir():
        return False
    here = list(path.iterdir())
    return path / f"{DICTIONARY}.parquet" in here and all(item.suffix == ".parquet" and item.is_file() for item in here)


def _runs(place: Path) -> dict[int, Path]:
    """The runs in a folder, by number."""
    return {int(path.name.removeprefix("run-")): path for path in place.glob("run-*") if _is_run(path)}


def _taken_away(place: Path, scratch: Path, which: Callable[[int], bool]) -> None:
    """Move runs into the folder aside, which is removed: a run that is half removed would not be known for one any more."""
    for number, path in _runs(place).items():
        if which(number):
            path.rename(scratch / path.name)


def _swept(place: Path, scratch: Path) -> int:
    """Take away what killed publishers left, and return the number of the run that is published; 0 where there is none.

    A run with a higher number was never published: its publisher was killed before the link was moved. The caller holds the lock.
    """
    link = place / "current"
    runs = _runs(place)
    published = next((number for number, path in runs.items() if link.is_symlink() and link.readlink().name == path.name), 0)
    _taken_away(place, scratch, lambda number: number > published)
    return published


def _to_postgres(tables: Mapping[str, pa.Table], columns: Columns, address: str, on_wait: Callable[[str], None]) -> None:
    try:
        import psycopg
        from psycopg import sql
    except ImportError as error:
        raise PublishError.cannot_write("postgres", "install it with: pip install 'crmlab[postgres]'") from error
    try:
        with psycopg.connect(address, connect_timeout=20) as con, con.cursor() as cursor:
            cursor.execute("select pg_try_advisory_xact_lock(%s)", [_LOCK])
            if cursor.fetchall() != [(True,)]:
                on_wait("Another publisher is at work on this database; waiting for it to end.")
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

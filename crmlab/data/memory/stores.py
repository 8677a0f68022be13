"""Where the campaign memory is kept: a folder with one Parquet file per event, or a table of a Postgres; never overwritten."""

from __future__ import annotations

import io
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crmlab.data.memory.events import KINDS, Event, Header, parse_header, read_header
from crmlab.errors import CampaignError, SourceError

__all__ = ["Folder", "Postgres"]


_NAME = re.compile(rf"({'|'.join(KINDS)})-[0-9a-f]{{32}}\.parquet")
_ASIDE = ".aside-"


TABLE = "crmlab_campaign_events"
_MAKE = f"""
create table if not exists {TABLE} (
    event_id text primary key,
    slot text not null unique,
    kind text not null,
    campaign text not null,
    recorded_at text not null,
    header text not null,
    content bytea not null
)
"""
# A number of our own: two sessions that make the table at once would otherwise trip over each other.
_LOCK = 7_226_301_948


class Folder:
    """Events as files of one folder.

    Parameters
    ----------
    path : Path
        Made with the first event. Hidden files are passed over: what a killed process leaves is one.
    """

    def __init__(self, path: Path):
        self.path = path

    def __repr__(self) -> str:
        return f"Folder({self.path.name!r})"

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other writers out, so that nothing changes between a check and what is written on the strength of it."""
        from filelock import FileLock

        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with FileLock(str(self.path / ".lock")):
                # The lock is ours: whatever was written aside was left by somebody who was killed.
                for rest in self.path.glob(f"{_ASIDE}*"):
                    rest.unlink(missing_ok=True)
                yield
        except OSError as error:
            raise CampaignError.cannot_write(self.path, error.strerror or error) from error

    def headers(self) -> list[Header]:
        """Return the headers of all events.

        Raises
        ------
        CampaignError
            A file is no event, or cannot be read.
        """
        if not self.path.exists():
            return []
        try:
            names = sorted(path.name for path in self.path.iterdir() if not path.name.startswith("."))
        except OSError as error:
            raise CampaignError.unreadable(str(self.path), error.strerror or str(error)) from error
        found = []
        for name in names:
            if not _NAME.fullmatch(name):
                raise CampaignError.foreign(name)
            header = read_header(self.path / name, name)
            if f"{header.slot}.parquet" != name:
                raise CampaignError.altered(name)
            found.append(header)
        return found

    def content(self, header: Header) -> tuple[Path, str]:
        """Return what holds an event, and its name."""
        return self.path / f"{header.slot}.parquet", f"{header.slot}.parquet"

    def put(self, event: Event) -> bool:
        """Write an event unless its place is taken; say whether it was written.

        The bytes go to a file of another name in the same folder and reach the disk; then a link puts the whole file into
        place, which fails where there is one already. A reader sees no file or a whole one.
        """
        target = self.path / f"{event.header.slot}.parquet"
        try:
            handle, aside = tempfile.mkstemp(dir=self.path, prefix=_ASIDE)
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(event.to_bytes())
                    stream.flush()
                    os.fsync(stream.fileno())
                return _into_place(Path(aside), target)
            finally:
                Path(aside).unlink(missing_ok=True)
        except OSError as error:
            raise CampaignError.cannot_write(self.path, error.strerror or error) from error


def _into_place(aside: Path, target: Path) -> bool:
    try:
        os.link(aside, target)
    except FileExistsError:
        return False
    except OSError:
        # No links on this file system. The lock keeps other writers of ours out; on Windows rename never overwrites.
        if target.exists():
            return False
        try:
            aside.rename(target)
        except FileExistsError:
            return False
    folder = os.open(target.parent, os.O_RDONLY) if os.name == "posix" else None
    if folder is not None:
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return True


class Postgres:
    """Events as rows of one table.

    Parameters
    ----------
    variable : str
        The environment variable that holds the address; the address is shown nowhere.
    """

    def __init__(self, variable: str):
        self.variable = variable
        self._held = threading.local()  # each thread has its own transaction

    def __repr__(self) -> str:
        return f"Postgres(address in {self.variable})"

    @contextmanager
    def _session(self) -> Iterator[Any]:
        url = os.environ.get(self.variable, "").strip()
        if not url.startswith(("postgres://", "postgresql://")):
            raise CampaignError(
                f"The environment variable {self.variable} must hold an address such as postgresql://user@host/database. "
                "Got nothing or something else, which is not shown."
            )
        try:
            import psycopg
        except ImportError as error:
            raise SourceError.cannot(
                "The engine 'postgres'", "be used", hint="Install it with: pip install 'crmlab[postgres]'"
            ) from error
        try:
            with psycopg.connect(url, connect_timeout=20) as session:
                yield session
                return
        except psycopg.Error as error:
            # The driver's text may repeat the address, which holds the password: only its kind is told.
            kind = type(error).__name__
        raise CampaignError(
            f"The campaign memory that {self.variable} names does not answer or refuses ({kind}). Nothing was changed."
        )

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other writers out until the end of one transaction; what was put is there whole or not at all."""
        with self._session() as session:
            session.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
            session.execute(_MAKE)
            self._held.session = session
            try:
                yield
            finally:
                self._held.session = None

    @contextmanager
    def _reader(self) -> Iterator[Any]:
        mine = getattr(self._held, "session", None)
        if mine is not None:
            yield mine
        else:
            with self._session() as session:
                yield session

    def headers(self) -> list[Header]:
        """Return the headers of all events."""
        with self._reader() as session:
            if session.execute("select to_regclass(%s)", (TABLE,)).fetchone()[0] is None:
                return []
            rows = session.execute(f"select slot, header from {TABLE} order by slot").fetchall()
        return [parse_header(header, slot) for slot, header in rows]

    def content(self, header: Header) -> tuple[io.BytesIO, str]:
        """Return what holds an event, and its name."""
        with self._reader() as session:
            row = session.execute(f"select content from {TABLE} where slot = %s", (header.slot,)).fetchone()
        if row is None:
            raise CampaignError.altered(header.slot)
        return io.BytesIO(row[0]), header.slot

    def put(self, event: Event) -> bool:
        """Insert an event unless its place is taken; say whether it was inserted. Inside :meth:`exclusive` only."""
        of = event.header
        done = self._held.session.execute(
            f"insert into {TABLE} (event_id, slot, kind, campaign, recorded_at, header, content) "
            "values (%s, %s, %s, %s, %s, %s, %s) "
            "on conflict do nothing",
            (of.event_id, of.slot, of.kind, of.campaign, of.recorded_at, of.to_json(), event.to_bytes()),
        )
        return bool(done.rowcount)

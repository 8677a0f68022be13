"""Where the campaign memory is kept: a folder with one Parquet file per event, or a table of a Postgres; never overwritten.

Beside the events stand the heads of their lines (see :mod:`crmlab.data.memory.chain`): ``heads.json`` in the folder, a second table in
the Postgres. Only they change, and only under the lock.
"""

from __future__ import annotations

import io
import json
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crmlab.data.memory.chain import Head, Heads, checked_heads, heads_json, parse_heads
from crmlab.data.memory.events import KINDS, Event, Header, parse_header, read_header
from crmlab.data.private import FILE, private_folder
from crmlab.errors import CampaignError, SourceError

__all__ = ["Folder", "Postgres"]


_NAME = re.compile(rf"({'|'.join(KINDS)})-[0-9a-f]{{32}}\.parquet")
_ASIDE = ".aside-"
_HEADS = "heads.json"
_PATIENCE = 200  # times that a reader looks again where writers are at work


TABLE = "crmlab_campaign_events"
HEADS = "crmlab_campaign_heads"
_MAKE = f"""
create table if not exists {TABLE} (
    event_id text primary key,
    slot text not null unique,
    kind text not null,
    campaign text not null,
    recorded_at text not null,
    header text not null,
    content bytea not null
);
create table if not exists {HEADS} (
    campaign text primary key,
    count bigint not null,
    digest text not null,
    adopted text not null
)
"""
# A number of our own: two sessions that make the table at once would otherwise trip over each other.
_LOCK = 7_226_301_948


class Folder:
    """Events as files of one folder.

    Parameters
    ----------
    path : Path
        Made with the first event, for its owner only. Hidden files are passed over: what a killed process leaves is one.
    """

    ahead = 1  # a writer may be killed when an event is in place and its head is not

    def __init__(self, path: Path):
        self.path = path

    def __repr__(self) -> str:
        return f"Folder({self.path.name!r})"

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other writers out, so that nothing changes between a check and what is written on the strength of it."""
        from filelock import FileLock

        try:
            private_folder(self.path)
            with FileLock(str(self.path / ".lock"), mode=FILE):
                # The lock is ours: whatever was written aside was left by somebody who was killed.
                for rest in self.path.glob(f"{_ASIDE}*"):
                    rest.unlink(missing_ok=True)
                yield
        except OSError as error:
            raise CampaignError.cannot_write(self.path, error.strerror or error) from error

    def read(self) -> tuple[list[Header], dict[str, Head] | None]:
        """Return the headers of all events, and the heads; None where there are no heads.

        Nothing is locked, for who reads may not be allowed to write: the heads are read before and after, and must be the same.

        Raises
        ------
        CampaignError
            A file is no event, is not as it was written, or cannot be read.
        """
        before = self._heads()
        for _ in range(_PATIENCE):
            found = self._headers()
            after = self._heads()
            if after == before:
                return found, None if after is None else parse_heads(after, _HEADS)
            before = after
            time.sleep(0.01)
        raise CampaignError.cannot(
            f"The campaign memory {self.path}", "be read", "It changes all the time", "Wait until others have written."
        )

    def _heads(self) -> bytes | None:
        place = self.path / _HEADS
        try:
            if place.exists() and not place.is_file():
                raise CampaignError.heads_wrong(_HEADS, "no file")
            return place.read_bytes() if self.path.is_dir() else None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CampaignError.heads_wrong(_HEADS, error.strerror or error) from error

    def _headers(self) -> list[Header]:
        try:
            if not self.path.exists():
                return []
            names = sorted(path.name for path in self.path.iterdir() if not path.name.startswith("."))
        except OSError as error:
            raise CampaignError.unreadable(str(self.path), error.strerror or str(error)) from error
        found = []
        for name in names:
            if name == _HEADS:
                continue
            if not _NAME.fullmatch(name) or not (self.path / name).is_file():
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
        return self._written(event.to_bytes(), self.path / f"{event.header.slot}.parquet", _into_place)

    def keep_heads(self, heads: Heads) -> None:
        """Write the heads in the place of those that are there. Inside :meth:`exclusive` only, after the event."""
        self._written(heads_json(heads).encode(), self.path / _HEADS, _instead)

    def _written(self, content: bytes, target: Path, move: Callable[[Path, Path], bool]) -> bool:
        """Write aside, for the owner only, and put it in place when it has reached the disk."""
        try:
            handle, aside = tempfile.mkstemp(dir=self.path, prefix=_ASIDE)
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(content)
                    stream.flush()
                    os.fsync(stream.fileno())
                return move(Path(aside), target)
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
    _to_disk(target.parent)
    return True


def _instead(aside: Path, target: Path) -> bool:
    aside.replace(target)
    _to_disk(target.parent)
    return True


def _to_disk(place: Path) -> None:
    """What a folder holds reaches the disk as well."""
    folder = os.open(place, os.O_RDONLY) if os.name == "posix" else None
    if folder is not None:
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class Postgres:
    """Events as rows of one table, heads as rows of another.

    Parameters
    ----------
    variable : str
        The environment variable that holds the address; the address is shown nowhere.
    """

    ahead = 0  # event and head are one transaction

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
            import psycopg

            with self._session() as session:
                # Events and heads as of one moment.
                session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                yield session

    def read(self) -> tuple[list[Header], dict[str, Head] | None]:
        """Return the headers of all events, and the heads; None where there are no heads."""
        with self._reader() as session:
            if session.execute("select to_regclass(%s)", (TABLE,)).fetchone()[0] is None:
                return [], None
            rows = session.execute(
                f"select slot, header, event_id, kind, campaign, recorded_at from {TABLE} order by slot"
            ).fetchall()
            known = []
            if session.execute("select to_regclass(%s)", (HEADS,)).fetchone()[0] is not None:
                known = session.execute(f"select campaign, count, digest, adopted from {HEADS} order by campaign").fetchall()
        found = []
        for slot, text, *columns in rows:
            header = parse_header(text, str(slot))
            if [header.slot, header.event_id, header.kind, header.campaign, header.recorded_at] != [slot, *columns]:
                raise CampaignError.altered(str(slot))
            found.append(header)
        return found, _heads_of_rows(known) if known else None

    def content(self, header: Header) -> tuple[io.BytesIO, str]:
        """Return what holds an event, and its name."""
        with self._reader() as session:
            row = session.execute(f"select content from {TABLE} where slot = %s", (header.slot,)).fetchone()
        if row is None or not isinstance(row[0], bytes):
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

    def keep_heads(self, heads: Heads) -> None:
        """Write the heads in the place of those that are there. Inside :meth:`exclusive` only, after the event."""
        self._held.session.cursor().executemany(
            f"insert into {HEADS} (campaign, count, digest, adopted) values (%s, %s, %s, %s) "
            "on conflict (campaign) do update set count = excluded.count, digest = excluded.digest, adopted = excluded.adopted",
            [(name, head.count, head.digest, json.dumps([list(one) for one in head.adopted])) for name, head in heads.items()],
        )


def _heads_of_rows(rows: list[tuple[Any, ...]]) -> dict[str, Head]:
    said = {}
    for campaign, count, digest, adopted in rows:
        try:
            pairs = json.loads(adopted)
        except (ValueError, TypeError, RecursionError) as error:
            raise CampaignError.heads_wrong(HEADS, error) from error
        said[str(campaign)] = {"count": count, "digest": digest, "adopted": pairs}
    return checked_heads(said, HEADS)

"""The campaign memory as a table of a Postgres: the same events, each with its bytes, inserted and never changed."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from crmlab.data.campaign_events import Event, Header, parse_header
from crmlab.errors import CampaignError, SourceError

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
            raise CampaignError.no_address(self.variable)
        try:
            import psycopg
        except ImportError as error:
            raise SourceError.no_engine("postgres", "Install it with: pip install 'crmlab[postgres]'") from error
        try:
            with psycopg.connect(url, connect_timeout=20) as session:
                yield session
                return
        except psycopg.Error as error:
            # The driver's text may repeat the address, which holds the password: only its kind is told.
            kind = type(error).__name__
        raise CampaignError.no_database(self.variable, kind)

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

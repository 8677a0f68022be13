"""A Postgres of the tests' own, on loopback, in a folder that goes away."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

# A password that an address must escape.
USER, PASSWORD = "clerk", "p:w/d +%@5"


def _program(name: str) -> str | None:
    found = shutil.which(name)
    if found:
        return found
    places = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"),
        key=lambda path: int(path.parts[-3]) if path.parts[-3].isdigit() else 0,
    )
    return str(places[-1]) if places else None


@contextmanager
def server() -> Iterator[str]:
    """The address of an empty database; skips where Postgres is not installed."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: it comes with requirements-dev.lock.")
    initdb, postgres = _program("initdb"), _program("pg_ctl")
    if initdb is None or postgres is None or sys.platform == "win32":
        pytest.skip("Postgres is not installed.")
    # Postgres refuses to run as root: then it runs as the user that its package made, or as nobody.
    who = None
    if os.geteuid() == 0:
        import pwd

        names = {entry.pw_name for entry in pwd.getpwall()}
        who = "postgres" if "postgres" in names else "nobody"
    folder = Path(tempfile.mkdtemp(prefix="crmlab-postgres-"))
    secret = folder / "secret"
    secret.write_text(PASSWORD, encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    if who:
        shutil.chown(folder, who)
        shutil.chown(secret, who)
    place = folder / "data"

    def call(*command: str) -> None:
        subprocess.run(
            command, check=True, user=who, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60
        )

    call(
        initdb,
        "-D",
        str(place),
        "-U",
        USER,
        "-A",
        "scram-sha-256",
        f"--pwfile={secret}",
        "-E",
        "UTF8",
        "--locale=C",
        "--no-sync",
    )
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c max_connections=20"
    call(postgres, "-D", str(place), "-w", "-t", "30", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/postgres"
    finally:
        call(postgres, "-D", str(place), "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)

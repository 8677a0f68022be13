"""A Postgres of our own for tests: made in a folder, on the loopback, and taken away afterwards."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PASSWORD = "p:w/d +%@5"


@contextmanager
def server() -> Iterator[str]:
    """Start a server and give the address of its database; skips where Postgres is not installed."""
    tools = {name: shutil.which(name) for name in ("initdb", "postgres")}
    if None in tools.values():
        pytest.skip("Postgres is not installed.")
    pytest.importorskip("psycopg", reason="psycopg is not installed: it comes with requirements-dev.lock.")
    import psycopg

    # Postgres refuses to run as root.
    as_other = (
        {"user": "nobody", "group": "nogroup", "extra_groups": []} if hasattr(os, "geteuid") and os.geteuid() == 0 else {}
    )
    base = Path(tempfile.mkdtemp(prefix="crmlab-pg-"))
    process = None
    try:
        secret = base / "secret"
        secret.write_text(PASSWORD)
        for path in (base, secret):
            if as_other:
                shutil.chown(path, "nobody", "nogroup")
        folder, env = base / "data", {**os.environ, "LC_ALL": "C", "TZ": "UTC", "HOME": str(base)}
        command = [
            tools["initdb"],
            "-D",
            folder,
            "-U",
            "clerk",
            "--auth=scram-sha-256",
            f"--pwfile={secret}",
            "--no-sync",
            "-E",
            "UTF8",
        ]
        subprocess.run(command, check=True, capture_output=True, env=env, cwd=base, **as_other)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = ["-c", "fsync=off", "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={base}"]
        process = subprocess.Popen(
            [tools["postgres"], "-D", folder, "-p", str(port), *settings],
            env=env, cwd=base, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **as_other,
        )  # fmt: skip
        from urllib.parse import quote

        url = f"postgresql://clerk:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/postgres"
        for _ in range(200):
            try:
                psycopg.connect(url, connect_timeout=2).close()
                break
            except psycopg.OperationalError:
                if process.poll() is not None:
                    raise
                import time

                time.sleep(0.05)
        yield url
    finally:
        if process is not None:
            process.terminate()
            process.wait(20)
        shutil.rmtree(base, ignore_errors=True)

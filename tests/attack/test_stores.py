"""Writers of the campaign memory and publishers, two at a time, killed at random: what was acknowledged is there, whole, once."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pandas as pd
import pytest

from crmlab.analyses.customers.published import CUSTOMERS, DICTIONARY
from crmlab.analyses.customers.publishing import publish
from crmlab.data.memory.campaigns import open_memory
from tests.report.helpers import ROOT

pytestmark = pytest.mark.proof
WRITER = """
import sys
import pandas as pd
from crmlab.data.memory.campaigns import open_memory
place, who = sys.argv[1:]
memory = open_memory(place or None)
cells = pd.DataFrame({"cell_id": [who + "-0", who + "-1"], "control_cell_id": [None, who + "-0"], "response_code": [None, who + "X7"]})
people = pd.DataFrame({"customer_id": [f"{i:05d}" for i in range(3000)], "cell_id": [f"{who}-{i % 2}" for i in range(3000)]})
print("begun", flush=True)
print(memory.plan(who, cells), flush=True)
print(memory.launch(who, cells, people), flush=True)
for look in range(10_000):
    results = pd.DataFrame({"cell_id": [who + "-1"], "metric": ["response"], "n": [look]})
    print(memory.record_results(who, results, details={"look": look}), flush=True)
"""
PUBLISHER = """
import datetime as dt
import sys
import pandas as pd
from crmlab.analyses.customers.published import CUSTOMERS
from crmlab.analyses.customers.publishing import publish
place, who = sys.argv[1:]
print("begun", flush=True)
for version in range(10_000):
    number = int(who) * 10_000 + version
    day = dt.date(2025, 12, 31)
    frame = pd.DataFrame({"customer_id": [f"{i:04d}" for i in range(2000)], "as_of": day, "value": float(number)})
    print(publish({CUSTOMERS: frame}, place), flush=True)
"""


def pair(code: str, place: str, names: tuple[str, str], rng: random.Random, seconds: float) -> list[list[str]]:
    """Two processes at work on one place; one is killed at a random moment, the other a little later; what each was told."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with contextlib.ExitStack() as held:
        # To files: what was read ahead of a pipe would be lost to communicate().
        outs, errors = ([held.enter_context(tempfile.TemporaryFile("w+")) for _ in names] for _ in range(2))
        both = [
            subprocess.Popen([sys.executable, "-c", code, place, name], stdout=out, stderr=error, env=env)
            for name, out, error in zip(names, outs, errors, strict=True)
        ]
        for process, out, error in zip(both, outs, errors, strict=True):
            until = time.monotonic() + 120
            while not lines_of(out):
                assert process.poll() is None and time.monotonic() < until, lines_of(error)
                time.sleep(0.01)
        said = []
        for process, out, error in zip(both, outs, errors, strict=True):
            time.sleep(rng.uniform(0, seconds))
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=60)
            assert process.returncode == -signal.SIGKILL, lines_of(error)
            first, *further = lines_of(out)
            assert first == "begun"
            said.append(further)
    return said


def lines_of(stream: IO[str]) -> list[str]:
    """What was written to a file so far, by line; the last may be cut off."""
    size = os.fstat(stream.fileno()).st_size
    return os.pread(stream.fileno(), size, 0).decode().splitlines()


@pytest.mark.parametrize("times", [3, pytest.param(40, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("kind", ["folder", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_memory_under_kills_and_two_writers(
    kind: str,
    times: int,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    figures: Callable[..., None],
) -> None:
    place = str(tmp_path / "memory")
    if kind == "postgres":
        monkeypatch.setenv("CRMLAB_CAMPAIGNS", request.getfixturevalue("postgres"))
        place = ""
    rng, told, total = random.Random(times), 0, 0
    for number in range(times):
        names = (f"A{number}", f"B{number}")
        for name, said in zip(names, pair(WRITER, place, names, rng, 1.5), strict=True):
            memory = open_memory(place or None)
            there = [header.event_id for header in memory.headers(name)]
            whole = [identity for identity in said if len(identity) == 64]
            assert set(whole) <= set(there), "an acknowledged event is gone"
            assert len(there) == len(set(there)) <= len(whole) + 1
            if any(header.kind == "launched" for header in memory.headers(name)):
                assert len(memory.assignments(name)) == 3000
            assert len(memory.results(name)) == memory.looks(name)
            told, total = told + len(whole), total + len(there)
    memory = open_memory(place or None)
    memory.plan("last", pd.DataFrame({"cell_id": ["z-0", "z-1"], "control_cell_id": [None, "z-0"]}))
    assert len(memory.headers()) == total + 1
    if kind == "folder":
        assert not [path.name for path in (tmp_path / "memory").iterdir() if ".aside" in path.name]
    figures(kills=2 * times, acknowledged=told, there=total, lost=0)
    assert told > times, "hardly anything was written: no attack"


def read(kind: str, place: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables, as a reader sees them."""
    if kind == "duckdb":
        import duckdb

        with duckdb.connect(place, read_only=True) as con:
            return con.table(CUSTOMERS).to_df(), con.table(DICTIONARY).to_df()
    if kind == "parquet":
        import pyarrow.parquet as pq

        folder = (Path(place) / "current").resolve()
        customers, terms = (pq.read_table(folder / f"{name}.parquet").to_pandas() for name in (CUSTOMERS, DICTIONARY))
        return customers, terms
    import psycopg

    with psycopg.connect(os.environ["ATTACKED"]) as con, con.cursor() as cursor:
        con.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        cursor.execute(f"select value, run from {CUSTOMERS}")
        found = pd.DataFrame(cursor.fetchall(), columns=["value", "run"])
        cursor.execute(f"select run from {DICTIONARY}")
        return found, pd.DataFrame(cursor.fetchall(), columns=["run"])


@pytest.mark.parametrize("times", [3, pytest.param(40, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("kind", ["duckdb", "parquet", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_publish_under_kills_and_two_writers(
    kind: str,
    times: int,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    figures: Callable[..., None],
) -> None:
    folder = tmp_path / "place"
    folder.mkdir()
    place = str(folder / "crm.duckdb" if kind == "duckdb" else folder / "crm")
    if kind == "postgres":
        monkeypatch.setenv("ATTACKED", request.getfixturevalue("postgres"))
    target = "env:ATTACKED" if kind == "postgres" else place
    frame = pd.DataFrame({"customer_id": ["a"], "as_of": dt.date(2025, 12, 31), "value": [1.0]})
    publish({CUSTOMERS: frame}, target)
    rng, runs = random.Random(times), 0
    for _ in range(times):
        said = pair(PUBLISHER, target, ("1", "2"), rng, 1.5)
        runs += sum(len(some) - 1 for some in said)
        customers, terms = read(kind, place)
        assert len(customers) in (1, 2000)
        assert len(set(customers["value"])) == 1, "two runs are mixed"
        assert set(customers["run"]) == set(terms["run"])
        assert len(set(customers["run"])) == 1
        last = publish({CUSTOMERS: frame}, target)
        assert set(read(kind, place)[0]["run"]) == {last}
        if kind != "postgres":
            left = [path.relative_to(folder).as_posix() for path in folder.rglob("*")]
            hidden = [name for name in left if Path(name).name.startswith(".publish")]
            assert not hidden, f"left of a killed publisher: {hidden}"
            assert len(left) < 12, left
    figures(kills=2 * times, published=runs, mixed=0)
    assert runs > times, "hardly anything was published: no attack"

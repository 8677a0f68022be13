"""Kind: two publishers of one target, or one that is killed, leave it mixed, lost or littered.

One publisher at a time is at work on a target, and the next removes what a killed one left; readers see one run or the next. A link
stays a link; changes that another program never finished are named, not lost.
"""

import datetime as dt
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from filelock import FileLock

from crmlab.analyses.customers.published import CUSTOMERS, DICTIONARY
from crmlab.analyses.customers.publishing import publish
from crmlab.errors import PublishError

KINDS = ("duckdb", "parquet")
CHILD = """
import datetime as dt, os, signal, sys
from pathlib import Path
import pandas as pd
from crmlab.analyses.customers.published import CUSTOMERS
from crmlab.analyses.customers.publishing import publish

def frame(version):
    return pd.DataFrame({"customer_id": [f"{i:05d}" for i in range(ROWS)], "as_of": dt.date(2025, 12, 31), "value": float(version)})

to, first, last, ROWS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
print("ready", flush=True)
PATCH
for version in range(first, last):
    publish({CUSTOMERS: frame(version)}, to)
    print(version, flush=True)
"""
# The process kills itself right before, or right after, one step.
DIES = """
real = {on}.{step}
def dies(*arguments, **options):
    {before}
    real(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)
{on}.{step} = dies
"""
BEFORE = "os.kill(os.getpid(), signal.SIGKILL)"
STEPS = {
    "duckdb": [("Path", "replace"), ("Path", "mkdir")],
    "parquet": [("Path", "rename"), ("Path", "symlink_to"), ("Path", "replace"), ("Path", "mkdir")],
}


def frame(version, rows=50):
    ids = [f"{i:05d}" for i in range(rows)]
    return pd.DataFrame({"customer_id": ids, "as_of": dt.date(2025, 12, 31), "value": float(version)})


def child(to, first=2, last=3, rows=50, patch=""):
    code = CHILD.replace("PATCH", textwrap.dedent(patch))
    command = [sys.executable, "-c", code, str(to), str(first), str(last), str(rows)]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert started.stdout.readline() == "ready\n", started.stderr.read()
    return started


def ended(process):
    said, errors = process.communicate(timeout=120)
    return process.returncode, said, errors


def target(kind, folder):
    return folder / ("crm.duckdb" if kind == "duckdb" else "crm")


def version_of(kind, place):
    """The one version that is published; both tables are of one run."""
    if kind == "duckdb":
        with duckdb.connect(str(place), read_only=True) as con:
            frames = con.table(CUSTOMERS).to_df(), con.table(DICTIONARY).to_df()
    else:
        frames = tuple(pq.read_table(place / "current" / f"{name}.parquet").to_pandas() for name in (CUSTOMERS, DICTIONARY))
    (run,), (other,), (value,) = set(frames[0]["run"]), set(frames[1]["run"]), set(frames[0]["value"])
    assert run == other
    return value


def assert_tidy(kind, place):
    """Nothing is there but what was published: a file; or the link, the run that it leads to and the one before."""
    if kind == "duckdb":
        assert [path.name for path in place.parent.iterdir()] == [place.name]
        return
    assert [path.name for path in place.parent.iterdir()] == [place.name]
    runs = sorted(path.name for path in place.iterdir() if path.name != "current")
    assert all(name.startswith("run-") for name in runs), runs
    assert len(runs) <= 2
    assert (place / "current").readlink().name == runs[-1]


@pytest.mark.proof
@pytest.mark.parametrize(("kind", "on", "step"), [(kind, *step) for kind in KINDS for step in STEPS[kind]])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_step_the_last_run_stands_and_the_next_clears_up(tmp_path, kind, on, step, when):
    place = target(kind, tmp_path)
    publish({CUSTOMERS: frame(0)}, str(place))
    publish({CUSTOMERS: frame(1)}, str(place))
    patch = DIES.format(on=on, step=step, before=BEFORE if when == "before" else "pass")
    status, _, errors = ended(child(place, patch=patch))
    assert status == -signal.SIGKILL, errors
    assert version_of(kind, place) == (2 if (step, when) == ("replace", "after") else 1)
    publish({CUSTOMERS: frame(3)}, str(place))
    assert version_of(kind, place) == 3
    assert_tidy(kind, place)


@pytest.mark.proof
def test_a_run_that_was_never_published_does_not_drive_out_the_one_that_is(tmp_path):
    kind, place = "parquet", target("parquet", tmp_path)
    publish({CUSTOMERS: frame(1)}, str(place))
    for _ in range(3):  # killed after the folder got its name, before the link was moved
        ended(child(place, patch=DIES.format(on="Path", step="symlink_to", before=BEFORE)))
    reading = (place / "current").resolve()
    publish({CUSTOMERS: frame(2)}, str(place))
    assert reading.is_dir()  # who reads it goes on
    assert_tidy(kind, place)


@pytest.mark.proof
@pytest.mark.parametrize("kind", KINDS)
def test_two_publishers_of_one_target_take_turns(tmp_path, kind):
    place = target(kind, tmp_path)
    both = [child(place, first, first + 8) for first in (100, 200)]
    done = [ended(one) for one in both]
    assert [status for status, _, _ in done] == [0, 0], done
    assert version_of(kind, place) in (107, 207)
    assert_tidy(kind, place)


@pytest.mark.nightly
@pytest.mark.parametrize("kind", KINDS)
def test_kills_at_random_moments_among_publishers(tmp_path, kind):
    place, rng = target(kind, tmp_path), random.Random(15)
    publish({CUSTOMERS: frame(1)}, str(place))
    for kill in range(5):
        first = 1000 * (kill + 1)
        killed, other = child(place, first, first + 900, rows=20_000), child(place, first + 900, first + 903)
        time.sleep(rng.uniform(0, 1.0))
        killed.kill()
        killed.communicate()
        status, _, errors = ended(other)
        assert status == 0, errors
        assert version_of(kind, place) >= first
        publish({CUSTOMERS: frame(2)}, str(place))
        assert version_of(kind, place) == 2
        assert_tidy(kind, place)


@pytest.mark.parametrize("kind", KINDS)
def test_waiting_for_another_publisher_is_said(tmp_path, kind):
    place = target(kind, tmp_path)
    publish({CUSTOMERS: frame(1)}, str(place))
    held = FileLock(str(place / ".publish-lock" if kind == "parquet" else tmp_path / ".publish-crm.duckdb.lock"))
    said = []
    with held:
        waiting = threading.Thread(target=publish, args=[{CUSTOMERS: frame(2)}, str(place)], kwargs={"on_wait": said.append})
        waiting.start()
        until = time.monotonic() + 30
        while not said and time.monotonic() < until:
            time.sleep(0.01)
        assert version_of(kind, place) == 1
    waiting.join()
    assert said == [f"Another publisher is at work on {place.name}; waiting for it to end."]
    assert version_of(kind, place) == 2
    assert_tidy(kind, place)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["absolute", "relative", "chain", "dangling"])
def test_a_link_stays_a_link_and_what_it_leads_to_is_replaced(tmp_path, kind, form):
    real, link = target(kind, tmp_path / "real"), target(kind, tmp_path / "named")
    for path in (real, link):
        path.parent.mkdir()
    if form != "dangling":
        publish({CUSTOMERS: frame(1)}, str(real))
    middle = tmp_path / f"middle{link.suffix}"
    if form == "chain":
        middle.symlink_to(real)
    link.symlink_to(
        {"relative": os.path.relpath(real, link.parent), "chain": middle}.get(form, real), target_is_directory=kind == "parquet"
    )
    leads_to = link.readlink()
    publish({CUSTOMERS: frame(2)}, str(link))
    assert link.readlink() == leads_to
    assert version_of(kind, real) == 2
    assert_tidy(kind, real)
    assert [path.name for path in link.parent.iterdir()] == [link.name]


def test_links_in_a_circle_are_named(tmp_path):
    (tmp_path / "a.duckdb").symlink_to("b.duckdb")
    (tmp_path / "b.duckdb").symlink_to("a.duckdb")
    with pytest.raises(PublishError, match=r"a\.duckdb"):
        publish({CUSTOMERS: frame(1)}, str(tmp_path / "a.duckdb"))


WRITES = """
import duckdb, sys, time
con = duckdb.connect(sys.argv[1])
con.execute("create table mine (x int)")
print("ready", flush=True)
time.sleep(60)
"""


def test_changes_that_were_never_finished_are_explained_not_lost(tmp_path):
    place = tmp_path / "crm.duckdb"
    publish({CUSTOMERS: frame(1)}, str(place))
    writer = subprocess.Popen([sys.executable, "-c", WRITES, str(place)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout.readline() == "ready\n"
    with pytest.raises(PublishError, match="a program has it open for writing"):
        publish({CUSTOMERS: frame(2)}, str(place))
    writer.kill()
    writer.communicate()
    assert (tmp_path / "crm.duckdb.wal").exists()
    with pytest.raises(PublishError) as caught:
        publish({CUSTOMERS: frame(2)}, str(place))
    assert str(caught.value) == (
        "crm.duckdb cannot be replaced: beside it lies crm.duckdb.wal, changes that a program wrote and never finished; it was probably "
        "killed, for nobody has crm.duckdb open. They would be taken for changes of the new file. Open crm.duckdb once with DuckDB, "
        "which takes them in, or remove crm.duckdb.wal; then publish again."
    )
    # As it says: opened once, the changes are in the file, which then holds what was not published.
    with duckdb.connect(str(place)):
        pass
    with pytest.raises(PublishError, match=r"holds what crmlab did not publish.*Found: mine"):
        publish({CUSTOMERS: frame(2)}, str(place))
    with duckdb.connect(str(place)) as con:
        con.execute("drop table mine")
    publish({CUSTOMERS: frame(2)}, str(place))
    assert version_of("duckdb", place) == 2
    assert_tidy("duckdb", place)


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "crm.duckdb").write_bytes(b"no database" * 1000)
    with pytest.raises(PublishError, match="it is no DuckDB file"):
        publish({CUSTOMERS: frame(1)}, str(tmp_path / "crm.duckdb"))
    assert [path.name for path in tmp_path.iterdir()] == ["crm.duckdb"]


@pytest.mark.proof
@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_shows_what_is_being_done(tmp_path, monkeypatch, terminal):
    from crmlab.analyses.customers import table as customer_table
    from crmlab.cli.publish import publish_command

    monkeypatch.setattr(customer_table, "customer_table", lambda data, as_of: (time.sleep(0.3), frame(1))[1])
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm")
    done = CliRunner().invoke(publish_command, ["--data", "cdnow_sample", "--to", str(tmp_path / "crm.duckdb")])
    assert done.exit_code == 0, done.output
    assert ("Working out what is known of each customer" in done.stderr) == terminal
    assert done.stdout.startswith("Published 50 customers")
    if not terminal:
        assert done.stderr == ""


PEOPLE = pd.DataFrame({"customer_id": ["a"], "as_of": dt.date(2025, 12, 31), "value": [1.0]})


@pytest.mark.parametrize("name", ["run-1", "run-000007", "run-2024-01", ".publish-note", "current"])
def test_what_others_keep_in_a_folder_is_not_taken_for_a_run(tmp_path, name):
    (tmp_path / "crm" / name).mkdir(parents=True)
    (tmp_path / "crm" / name / "thesis.txt").write_text("mine")
    with pytest.raises(PublishError, match=name):
        publish({CUSTOMERS: PEOPLE}, str(tmp_path / "crm"))
    assert (tmp_path / "crm" / name / "thesis.txt").read_text() == "mine"
    assert [path.name for path in (tmp_path / "crm").iterdir()] == [name]


def test_a_run_that_could_not_be_published_is_not_left(tmp_path, monkeypatch):
    publish({CUSTOMERS: PEOPLE}, str(tmp_path / "crm"))
    real = Path.replace

    def refuses(path, target):
        if path.name == "current":
            raise OSError(21, "Is a directory")
        return real(path, target)

    monkeypatch.setattr(Path, "replace", refuses)
    with pytest.raises(PublishError, match="as it was"):
        publish({CUSTOMERS: PEOPLE.assign(value=2.0)}, str(tmp_path / "crm"))
    assert sorted(path.name for path in (tmp_path / "crm").iterdir()) == ["current", "run-000001"]


def test_a_publisher_killed_while_it_takes_an_old_run_away_leaves_nothing_that_the_next_takes_for_somebody_elses(
    tmp_path, monkeypatch
):
    from crmlab.analyses.customers import publishing

    def published(version):
        frame = pd.DataFrame({"customer_id": ["a", "b"], "as_of": dt.date(2025, 12, 31), "value": float(version)})
        publish({CUSTOMERS: frame}, tmp_path / "crm")

    def dies(folder, **_):
        inside = sorted(item for item in Path(folder).rglob("*") if item.is_file())
        if inside:
            inside[-1 if inside[-1].stem == DICTIONARY else 0].unlink()
            raise KeyboardInterrupt

    for version in (1, 2, 3):
        published(version)
    with monkeypatch.context() as patch:
        patch.setattr(publishing.shutil, "rmtree", dies)
        with pytest.raises(KeyboardInterrupt):
            published(4)
    assert pq.read_table(tmp_path / "crm" / "current" / f"{CUSTOMERS}.parquet")["value"].to_pylist() == [4, 4]
    published(5)
    assert pq.read_table(tmp_path / "crm" / "current" / f"{CUSTOMERS}.parquet")["value"].to_pylist() == [5, 5]
    assert sorted(path.name for path in (tmp_path / "crm").iterdir()) == ["current", "run-000004", "run-000005"]

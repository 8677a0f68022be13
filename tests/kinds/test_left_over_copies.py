"""Kind: a killed process leaves copies of what people gave. The next one removes them; one that is in use is never touched."""

import gzip
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import crmlab
from crmlab.data import scratch
from crmlab.report.batches import Settings
from crmlab.report.jobs import Order
from crmlab.report.runner import run_reports

HOLDS = """
import signal
from crmlab.data.scratch import process_scratch, scratch_folder
with scratch_folder() as folder:
    (folder / "copy.csv").write_text("customer")
    (process_scratch() / "spilled.tmp").write_text("customer")
    print("ready", flush=True)
    signal.pause()
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A folder for temporary files of our own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(scratch, "_own", None)
    yield tmp_path
    monkeypatch.setattr(tempfile, "tempdir", None)


@pytest.fixture
def holder(temporary):
    process = subprocess.Popen([sys.executable, "-c", HOLDS], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def copies(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")


def test_a_living_process_keeps_its_folders(holder, temporary):
    assert scratch.sweep_scratch() == 0
    with scratch.scratch_folder():
        assert copies(temporary) == ["copy.csv", "spilled.tmp"]


def test_a_suspended_process_keeps_its_folders(holder, temporary):
    holder.send_signal(signal.SIGSTOP)
    assert scratch.sweep_scratch() == 0
    assert copies(temporary) == ["copy.csv", "spilled.tmp"]


def test_what_a_killed_process_left_is_gone_with_the_next_folder(holder, temporary):
    holder.kill()
    holder.wait()
    with scratch.scratch_folder() as folder:
        assert copies(temporary) == []
        assert [path.name for path in temporary.iterdir() if path.is_dir()] == [folder.name]
    assert list(temporary.iterdir()) == []


def test_a_folder_is_for_its_user_only(temporary):
    with scratch.scratch_folder() as folder:
        assert folder.stat().st_mode & 0o077 == 0


def test_what_was_not_made_here_stays(temporary):
    for name in ("crmlab-tests-0123456789", "crmlab-012345678", "crmlab-0123456789x", "crmlab-0123456789"):
        (temporary / name).mkdir()  # other forms, and one without a lock
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.csv").write_text("mine")
    (temporary / "crmlab-abcdefabcd").symlink_to(elsewhere)
    (temporary / "crmlab-abcdefabcd.lock").touch()
    assert scratch.sweep_scratch() == 0
    assert (elsewhere / "mine.csv").exists()
    assert (temporary / "crmlab-abcdefabcd").is_symlink()
    assert sum(path.name.startswith("crmlab-") and path.is_dir() for path in temporary.iterdir()) == 5


@pytest.mark.may_skip("Only root can give files away.")
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="Only root can give files away.")
def test_what_belongs_to_others_stays(temporary):
    theirs = temporary / "crmlab-0123456789"
    theirs.mkdir()
    theirs.with_name(theirs.name + ".lock").touch()
    os.chown(theirs, 12345, 12345)
    assert scratch.sweep_scratch() == 0
    os.chown(theirs, 0, 0)
    assert scratch.sweep_scratch() == 1


def test_a_forked_process_does_not_remove_the_folders_of_its_parent(temporary):
    code = "import os\nfrom crmlab.data.scratch import process_scratch\nfolder = process_scratch()\n"
    code += "pid = os.fork()\nif pid:\n    os.waitpid(pid, 0)\n    print(folder.is_dir(), process_scratch().parent == folder.parent)\n"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True True\n"
    assert list(temporary.iterdir()) == []


READS = """
import signal, sys
import crmlab
from crmlab.data.reading import building
real = building._write
def write(*arguments):
    real(*arguments)
    print("ready", flush=True)
    signal.pause()
building._write = write
crmlab.open_dataset(sys.argv[1])
"""


@pytest.fixture
def killed_reading(temporary, monkeypatch):
    """A data set, and what is left of a process that was killed when it had read it and written the first table."""
    cache = temporary / "cache"
    monkeypatch.setenv("CRMLAB_CACHE", str(cache))
    (temporary / "o.csv.gz").write_bytes(gzip.compress(b"cust,day,total\nc1,2024-01-01,1\n"))
    toml = temporary / "mine.toml"
    toml.write_text('[orders]\nfile = "o.csv.gz"\ncustomer_id = "cust"\nordered_at = "day"\namount = "total"\n')
    process = subprocess.Popen([sys.executable, "-c", READS, str(toml)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    found = copies(temporary)
    assert "orders-0.csv" in found  # unpacked
    assert "orders.parquet" in found  # half of the cache
    yield toml, process
    process.kill()
    process.wait()
    process.stdout.close()


def left(toml: Path) -> set[str]:
    return {*copies(toml.parent)} - {"mine.toml", "o.csv.gz", "manifest.json"}


@pytest.mark.proof
def test_the_next_reading_removes_the_copies_of_one_that_was_killed(killed_reading):
    toml, process = killed_reading
    process.kill()
    process.wait()
    (toml.parent / "o.csv.gz").write_bytes(gzip.compress(b"cust,day,total\nc1,2024-01-01,2\n"))  # another key
    assert crmlab.open_dataset(toml).orders.count().execute() == 1
    assert left(toml) - {"orders.parquet"} <= {path.name for path in (toml.parent / "cache" / "digests").glob("*")}
    assert len([*toml.parent.rglob("orders.parquet")]) == 1


@pytest.mark.proof
def test_a_run_that_has_nothing_to_make_removes_them_too(killed_reading, monkeypatch):
    toml, process = killed_reading
    process.kill()
    process.wait()
    monkeypatch.setattr("crmlab.report.making._make", lambda job, batch, record, *_: setattr(record, "status", "ok"))
    run_reports([Order("cdnow_sample", ("rfm",))], Settings(out=toml.parent / "reports"))
    assert not [path for path in toml.parent.rglob("*") if path.name in ("orders-0.csv", "spilled.tmp")]
    assert not [*(toml.parent / "cache").glob(".aside-*")]


@pytest.mark.proof
def test_a_reading_at_work_is_left_alone(killed_reading):
    toml, _ = killed_reading
    other = toml.with_name("other.toml")
    other.write_text(toml.read_text().replace("[orders]", 'currency = "EUR"\nbad_rows = "drop"\n[orders]'))
    assert crmlab.open_dataset(other).orders.count().execute() == 1
    assert "orders-0.csv" in copies(toml.parent)
    assert len([*(toml.parent / "cache").glob(".aside-*/new/orders.parquet")]) == 1


def test_engines_run_over_into_folders_that_are_swept(temporary, monkeypatch):
    monkeypatch.setenv("CRMLAB_CACHE", str(temporary / "cache"))
    data = crmlab.open_dataset("cdnow_sample")
    where = Path(str(data.con.settings["temp_directory"]))
    assert where.is_relative_to(temporary)
    assert where.parent.name.startswith(scratch.PREFIX)

"""Kind: a killed process leaves copies of what people gave. The next one removes them; one that is in use is never touched."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from crmlab.data import scratch

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

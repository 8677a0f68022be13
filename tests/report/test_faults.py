"""Faults, injected: whatever happens, the last good report stays whole, the records tell the truth, and the next run succeeds."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .helpers import (
    NO_MOUNT,
    Nursery,
    Project,
    Runner,
    assert_settled,
    assert_whole,
    files_of,
    history_of,
    new_project,
    record_of,
    reports_in,
    start,
    wait_for,
)

pytestmark = pytest.mark.proof
# The quick notebook: heading, parameters, injected parameters, saving, a short wait; what a test adds is cell 5.
ADDED = 5


def sleeping(flag: Path, seconds: float = 60) -> str:
    """A cell that says that it runs, then sleeps."""
    return f"import pathlib, time\npathlib.Path({str(flag)!r}).touch()\ntime.sleep({seconds})"


def asleep(runner: Runner, flag: Path) -> None:
    """Wait until a sleeping cell runs."""
    wait_for(lambda: flag.exists(), f"a cell of process {runner.pid}")


def index_of(project: Project) -> str:
    return (project.folder / "index.html").read_text(encoding="utf-8")


def assert_kept(project: Project, before: dict[str, bytes], status: str) -> dict[str, object]:
    """The last good report is untouched, marked stale, and the failure is on record; return that record."""
    assert files_of(project.rfm) == before
    assert_whole(project.rfm)
    last = history_of(project.folder)[-1]
    assert (last["report"], last["status"]) == ("rfm", status), last
    failed = record_of(project.folder / "failed" / "rfm")
    assert (failed["status"], failed["reason"], failed["error"]) == (status, last["reason"], last["error"])
    assert last["reason"] and last["finished"] > last["started"]
    assert not last["files"] and not last["metrics"]
    assert "Stale" in index_of(project)
    return last


def assert_next_run_succeeds(project: Project, *arguments: str) -> None:
    """With a sound notebook again, the next run ends well, clears up, and the index holds nothing against the report."""
    project.write()
    status, said = project.run("rfm", *arguments)
    assert status == 0, said
    assert_settled(project.folder)
    assert reports_in(project.folder) == [project.rfm]
    assert "Stale" not in index_of(project)
    assert "did not succeed" not in index_of(project)


# --- notebooks that go wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lone", [True, False], ids=["lone", "forked"])
def test_kernel_killed(proven: Project, tmp_path: Path, lone: bool) -> None:
    before = files_of(proven.rfm)
    proven.write(sleeping(tmp_path / "flag"))
    runner = proven.start("rfm", lone=lone)
    asleep(runner, tmp_path / "flag")
    (kernel,) = runner.kernels()
    kernel.kill()
    status, said = runner.end()
    assert status == 1, said
    assert "Its kernel died" in said
    assert "Traceback" not in said
    assert runner.survivors() == []
    last = assert_kept(proven, before, "kernel_died")
    assert last["error"]["cell"] == ADDED
    assert_next_run_succeeds(proven, "--force")


def test_process_that_forks_kernels_killed(proven: Project, tmp_path: Path) -> None:
    before = files_of(proven.rfm)
    proven.write(sleeping(tmp_path / "flag"))
    runner = proven.start("rfm", lone=False)
    asleep(runner, tmp_path / "flag")
    (kernel,) = runner.kernels()
    parent = kernel.parent()
    if parent is None or parent.pid == runner.pid:
        runner.signal(signal.SIGINT)
        runner.end()
        pytest.skip("Kernels are not forked on this system.")
    parent.kill()
    status, said = runner.end()
    assert status == 1, said
    assert "Traceback" not in said
    assert runner.survivors() == []
    assert_kept(proven, before, "kernel_died")
    assert_next_run_succeeds(proven)


def test_cell_over_its_deadline(proven: Project, tmp_path: Path) -> None:
    before = files_of(proven.rfm)
    proven.write(sleeping(tmp_path / "flag"))
    runner = proven.start("rfm", "--cell-deadline", "2", "--run-deadline", "300")
    status, said = runner.end()
    assert status == 1, said
    assert runner.survivors() == []
    last = assert_kept(proven, before, "timed_out")
    assert last["error"]["cell"] == ADDED
    assert "2 s" in last["reason"]
    assert last["seconds"] < 60
    assert_next_run_succeeds(proven)


def test_run_over_its_deadline(proven: Project) -> None:
    # Each cell is quick enough for any deadline of its own; together they are not.
    before = files_of(proven.rfm)
    proven.write(*["time.sleep(0.5)"] * 40)
    runner = proven.start("rfm", "--run-deadline", "4")
    status, said = runner.end()
    assert status == 1, said
    assert runner.survivors() == []
    last = assert_kept(proven, before, "timed_out")
    assert "4 s" in last["reason"]
    assert_next_run_succeeds(proven)


HEAVY = "from IPython.display import HTML\nHTML('<p>' + 'x' * 510_000 + '</p>')"
WRONG = {
    "an exception": ("raise ValueError('no <b>luck</b>')", "failed", "ValueError", "no <b>luck</b>"),
    "sys.exit": ("import sys\nsys.exit()", "failed", "SystemExit", ""),
    "exit": ("exit()", None, None, ""),
    "a hard exit": ("import os\nos._exit(0)", "kernel_died", "DeadKernelError", ""),
    "a folder taken away": ("shutil.rmtree(os.environ['CRMLAB_TARGET'])", "failed", None, ""),
    "nothing saved": ("os.remove(os.environ['CRMLAB_TARGET'] + '/result.json')", "failed", "ReportError", "saved no result"),
    "a page too heavy": (HEAVY, "failed", "ReportError", "Expected at most 500 kB"),
}


@pytest.mark.parametrize("what", WRONG)
def test_notebook_goes_wrong(proven: Project, what: str) -> None:
    cell, expected, kind, words = WRONG[what]
    before = files_of(proven.rfm)
    proven.write(cell, "time.sleep(0.2)")
    runner = proven.start("rfm")
    status, said = runner.end()
    assert status == 1, said
    assert "Traceback" not in said
    assert runner.survivors() == []
    last = history_of(proven.folder)[-1]
    assert last["status"] in ({expected} if expected else {"failed", "kernel_died"})
    assert words in last["reason"]
    assert kind is None or last["error"]["type"] == kind
    assert files_of(proven.rfm) == before
    assert "Stale" in index_of(proven)
    assert "<b>luck" not in index_of(proven)
    assert_next_run_succeeds(proven)


def test_first_run_that_fails_is_no_report(project: Project) -> None:
    project.write("raise ValueError('no luck')")
    status, said = project.run("rfm")
    assert status == 1, said
    assert not project.rfm.exists()
    assert "Not made" in index_of(project)
    assert "no luck" in index_of(project)
    assert_next_run_succeeds(project)


# --- the disk -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=755", "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        pytest.skip(NO_MOUNT)
    if done.returncode != 0:
        pytest.skip(NO_MOUNT)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path, room: int) -> None:
    """Leave so many bytes free."""
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    with (disk / "ballast").open("wb") as stream:
        stream.write(b"\0" * max(0, free - room))


@pytest.mark.may_skip("mounting needs a right that containers may not have")
def test_disk_full(project: Project, good: Path, disk: Path) -> None:
    project.out = disk / "reports"
    shutil.copytree(good, project.out)
    before = files_of(project.rfm)
    weight = sum(len(content) for content in before.values())
    # From no room at all to nearly enough: it ends at another step each time.
    for share in (0, 0.1, 0.5, 0.9):
        fill(disk, round(share * weight))
        runner = project.start("rfm", "--force")
        status, said = runner.end()
        assert status != 0, said
        assert "Traceback" not in said
        assert "No space left on device" in said
        assert runner.survivors() == []
        assert files_of(project.rfm) == before
        (disk / "ballast").unlink()
    assert_next_run_succeeds(project, "--force")


@pytest.mark.may_skip("mounting needs a right that containers may not have")
def test_reports_folder_read_only(project: Project, good: Path, disk: Path) -> None:
    project.out = disk / "reports"
    shutil.copytree(good, project.out)
    before = files_of(project.folder)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    try:
        for out in (project.out, disk / "elsewhere"):
            status, said = project.run("rfm", "--force", out=out)
            assert status == 2, said
            assert "cannot be written. Read-only file system. Choose another with --out." in said
            assert "Traceback" not in said
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    assert files_of(project.folder) == before
    assert_next_run_succeeds(project, "--force")


# --- the input ------------------------------------------------------------------------------------------------------------

ORDERS = "order_id,customer_id,ordered_at,amount\n" + "".join(
    f"{i},{i % 40:03},2024-{1 + i % 12:02}-{1 + i % 28:02},{5 + i % 17}.50\n" for i in range(400)
)
CORRUPTIONS = {
    "noise": random.Random(1).randbytes(20_000),
    "nothing": b"",
    "a row cut off": ORDERS.encode()[:-9] + b"x",
    "gone": None,
}


@pytest.fixture
def own_data(project: Project) -> Project:
    """A project with a data set of its own, and a good report on it."""
    (project.home / "data" / "mine.toml").write_text('[orders]\nfile = "orders.csv"\n')
    (project.home / "data" / "orders.csv").write_text(ORDERS)
    status, said = project.run("rfm", "--data", "mine")
    assert status == 0, said
    return project


def test_corrupted_input(own_data: Project) -> None:
    place = own_data.out / "mine" / "rfm"
    before = files_of(place)
    for what, content in CORRUPTIONS.items():
        file = own_data.home / "data" / "orders.csv"
        file.unlink() if content is None else file.write_bytes(content)
        status, said = own_data.run("rfm", "--data", "mine")
        assert status == 2, (what, said)
        assert said.startswith("crmlab: orders: "), (what, said)
        assert "Traceback" not in said
        assert files_of(place) == before
        assert_settled(own_data.out / "mine")
        file.write_text(ORDERS)
    status, said = own_data.run("rfm", "--data", "mine")
    assert (status, "up to date" in said) == (0, True), said


def test_corrupted_input_marks_the_index(own_data: Project) -> None:
    index = own_data.out / "mine" / "index.html"
    assert "Stale" not in index.read_text(encoding="utf-8")
    (own_data.home / "data" / "orders.csv").write_bytes(b"")
    status, said = own_data.run("rfm", "--data", "mine")
    assert status == 2, said
    assert "Stale" in index.read_text(encoding="utf-8")
    assert "is empty" in index.read_text(encoding="utf-8")
    (own_data.home / "data" / "orders.csv").write_text(ORDERS)
    status, said = own_data.run("rfm", "--data", "mine")
    assert status == 0, said
    assert "Stale" not in index.read_text(encoding="utf-8")


# --- the runner, interrupted ----------------------------------------------------------------------------------------------


def test_ctrl_c_stops_all(tmp_path: Path, cache: Path, saved: Path, nursery: Nursery) -> None:
    names = ("rfm", "data_quality")
    project = new_project(tmp_path, cache, saved, nursery, names)
    assert project.run(*names)[0] == 0
    before = {name: files_of(project.folder / name) for name in names}
    for name in names:
        project.write(sleeping(tmp_path / f"flag-{name}"), name=name)
    runner = project.start(*names, "--jobs", "2", lone=False)
    for name in names:
        asleep(runner, tmp_path / f"flag-{name}")
    assert len(runner.kernels()) == 2
    runner.signal(signal.SIGINT)
    time.sleep(0.1)
    runner.signal(signal.SIGINT)  # impatient
    status, said = runner.end()
    assert status in (1, 130), said
    assert "Traceback" not in said
    assert runner.survivors() == []
    assert {name: files_of(project.folder / name) for name in names} == before
    assert {record["status"] for record in history_of(project.folder)[-2:]} == {"cancelled"}
    for name in names:
        project.write(name=name)
    status, said = project.run(*names)
    assert status == 0, said
    assert_settled(project.folder)


def test_ctrl_c_starts_nothing_more(tmp_path: Path, cache: Path, saved: Path, nursery: Nursery) -> None:
    names = ("data_quality", "rfm")
    project = new_project(tmp_path, cache, saved, nursery, names)
    for name in names:
        project.write(
            sleeping(tmp_path / f"flag-{name}"), before_saving=[f"open({str(tmp_path / name)!r}, 'w').close()"], name=name
        )
    runner = project.start(*names, "--jobs", "1")
    asleep(runner, tmp_path / "flag-data_quality")
    begun = time.monotonic()
    runner.signal(signal.SIGINT)
    status, said = runner.end()
    assert time.monotonic() - begun < 20, "the cell was waited for"  # it sleeps for a minute; a stop takes seconds
    assert status == 130, said
    assert said.rstrip().endswith("crmlab: stopped.")
    assert runner.survivors() == []
    assert not (tmp_path / "rfm").exists(), "a cell of a second notebook ran after Ctrl-C"
    assert [(r["report"], r["status"]) for r in history_of(project.folder)] == [(name, "cancelled") for name in names]


@pytest.fixture(scope="module")
def battered(
    tmp_path_factory: pytest.TempPathFactory, cache: Path, saved: Path, nursery: Nursery, good: Path
) -> tuple[Project, dict[bool, float]]:
    """A project for many interrupted runs, and the seconds that a whole run takes with lone kernels and with forked ones."""
    project = new_project(tmp_path_factory.mktemp("battered"), cache, saved, nursery)
    shutil.copytree(good, project.out)
    whole = {}
    for lone in (True, False):
        begun = time.monotonic()
        assert project.run("rfm", "--force", lone=lone)[0] == 0
        whole[lone] = time.monotonic() - begun
    return project, whole


SIGNALS = (signal.SIGINT, signal.SIGKILL, signal.SIGTERM)


@pytest.mark.parametrize("seed", [*range(8), *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(8, 40))])
def test_signal_at_a_random_moment(battered: tuple[Project, dict[bool, float]], seed: int) -> None:
    project, whole = battered
    rng = random.Random(seed)
    number = SIGNALS[seed // 3 % len(SIGNALS)]
    before = record_of(project.rfm)
    # A third of them with the process that forks kernels, which makes runs three times as long here.
    lone = bool(seed % 3)
    runner = project.start("rfm", "--force", lone=lone)
    time.sleep(rng.uniform(0, 1.05 * whole[lone]))
    runner.signal(number)
    status, said = runner.end()
    assert runner.survivors() == []
    after = assert_whole(project.rfm)
    if status == 0:
        assert after["started"] > before["started"], "it says that a report was made, but the old one is there"
    if number != signal.SIGKILL:
        assert "Traceback" not in said
    if seed % 5 == 4:
        assert_next_run_succeeds(project, "--force")


KILLED = """
import os, signal
import crmlab.report.{module} as module
real, calls = module.{name}, []
def killed(*arguments, **options):
    calls.append(1)
    if len(calls) < {call}:
        return real(*arguments, **options)
    if {after}:
        real(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)
module.{name} = killed
"""
# Where a kill does most harm: (module, function, at which call, before or after it).
POINTS = [
    ("making", "put_in_place", 1, False),
    ("swap", "_exchange", 1, True),
    ("making", "keep", 2, False),
    ("runner", "write_index", 1, False),
]


@pytest.mark.parametrize(("module", "name", "call", "after"), POINTS, ids=lambda value: str(value))
def test_kill_at_the_worst_moment(proven: Project, module: str, name: str, call: int, after: bool) -> None:
    prepare = KILLED.format(module=module, name=name, call=call, after=after)
    runner = proven.start("rfm", "--force", prepare=prepare)
    status, said = runner.end()
    assert status == -signal.SIGKILL, said
    assert runner.survivors() == []
    assert_whole(proven.rfm)
    # The next run finds the same key: it settles what was left and makes nothing anew.
    assert_next_run_succeeds(proven)


def test_waiting_run_goes_on_when_the_first_is_killed(proven: Project, tmp_path: Path) -> None:
    proven.write(sleeping(tmp_path / "flag"))
    first = start("run", "rfm", "--data", "cdnow_sample", "--out", proven.out, env=proven.env)
    asleep(first, tmp_path / "flag")
    proven.write()
    second = proven.start("rfm", "--force")
    time.sleep(2)
    assert len(history_of(proven.folder)) == 2, "the second did not wait"
    first.signal(signal.SIGKILL)
    first.end()
    status, said = second.end()
    assert first.survivors() + second.survivors() == []
    assert status == 0, said
    assert "Another crmlab run is at work" in said
    assert_settled(proven.folder)
    assert [record["status"] for record in history_of(proven.folder)] == ["ok", "cancelled", "ok"]

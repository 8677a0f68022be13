"""Kind: a run that is stopped or killed while its kernels are being born waits, leaves processes or folders, or blames the wrong thing.

A stop ends within 5 s, whatever is being imported, and no process lives on; temporary folders of killed runs go with the next run;
a kernel that is slow to be born is waited for as long as its process lives; and where a process ended, the message says which, how, and
what it printed last.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import psutil
import pytest

from crmlab.errors import KernelError
from crmlab.report import runner
from crmlab.report.batches import Settings
from crmlab.report.jobs import Order
from crmlab.report.kernels import ENVIRONMENT, Kernels, WarmProcess, available, how_ended
from crmlab.report.stops import heard

ROOT = Path(__file__).resolve().parents[2]
MARK = "CRMLAB_KIND"
pytestmark = pytest.mark.skipif(not available(), reason="Kernels are forked on Linux only.")
# Read by every Python process that starts: makes the imports of the process that starts kernels slow, or lets it end.
SITE = """
import sys, time, os
class Slow:
    def find_spec(self, name, *_):
        if name == {module!r} and "crmlab.report.kernels" in " ".join(sys.orig_argv):
            open({flag!r}, "w").close()
            {action}
sys.meta_path.insert(0, Slow())
"""


@pytest.fixture
def site(tmp_path):
    """Write what Python reads at its start; return the environment for it, and a file that is there once it took effect."""

    def write(action, module="scipy.stats"):
        flag = tmp_path / "flag"
        (tmp_path / "sitecustomize.py").write_text(SITE.format(module=module, action=action, flag=str(flag)))
        path = os.pathsep.join([str(tmp_path), str(ROOT)])
        return {**os.environ, **ENVIRONMENT, "PYTHONPATH": path}, flag

    return write


def wait_for(look, patience=60.0):
    until = time.monotonic() + patience
    while not look():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def marked(mark):
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == mark:
                found.append(process)
        except psutil.Error:
            continue
    return found


def request(warm, seen):
    def ask():
        try:
            seen.append(warm.fork(["-f", "/nonexistent.json"], dict(os.environ), "/"))
        except BaseException as error:
            seen.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def test_a_stop_while_kernels_are_being_born_ends_at_once(site, tmp_path):
    env, flag = site("time.sleep(60)")
    warm, seen = WarmProcess(env, [], tmp_path / "printed.txt"), []
    thread = request(warm, seen)
    wait_for(flag.exists)
    begun = time.monotonic()
    warm.stop()
    thread.join(timeout=5)
    warm.close()
    assert time.monotonic() - begun < 5  # the promise
    assert str(seen[0]) == "The process that starts kernels ended: killed by signal 9 (SIGKILL). It printed nothing."


@pytest.mark.proof
@pytest.mark.parametrize(
    ("action", "how"),
    [
        (
            "sys.stderr.write('no room left\\n'); sys.stderr.flush(); os._exit(3)",
            "exit status 3. It printed last: no room left",
        ),
        ("os.kill(os.getpid(), 9)", "killed by signal 9 (SIGKILL). It printed nothing."),
        ("raise RuntimeError('broken install')", "exit status 1. It printed last: "),
    ],
)
def test_who_ended_and_how_is_said(site, tmp_path, action, how):
    env, _ = site(action)
    warm = WarmProcess(env, [], tmp_path / "printed.txt")
    with pytest.raises(KernelError) as caught:
        warm.fork([], {}, "/")
    assert str(caught.value).startswith(f"The process that starts kernels ended: {how}")
    if "RuntimeError" in action:
        assert str(caught.value).endswith("RuntimeError: broken install")
    warm.close()


@pytest.mark.proof
def test_a_slow_machine_is_waited_for_while_the_process_lives(site, tmp_path, monkeypatch):
    # No clock decides: were there a limit of any length, this wait would ask for it.
    asked = []
    real = threading.Condition.wait_for

    def wait_for_ever(self, look, timeout=None):
        asked.append(timeout)
        return real(self, look, timeout)

    env, _ = site("time.sleep(1)")
    warm = WarmProcess(env, [], tmp_path / "printed.txt")
    monkeypatch.setattr(threading.Condition, "wait_for", wait_for_ever)
    kernel = warm.fork(["-f", "/nonexistent.json"], dict(os.environ), "/")
    assert asked == [None]
    assert psutil.pid_exists(kernel.pid)
    warm.close()


@pytest.mark.proof
def test_kernels_end_with_the_process_that_starts_them(tmp_path):
    warm = WarmProcess({**os.environ, **ENVIRONMENT}, [], tmp_path / "printed.txt")
    kernel = warm.fork(["-f", str(tmp_path / "connection.json")], {**os.environ, **ENVIRONMENT}, "/")
    process = psutil.Process(kernel.pid)
    process.parent().kill()
    process.wait(timeout=5)
    warm.close()


def test_ends_are_told_in_words():
    assert how_ended(0) == "exit status 0"
    assert how_ended(-11) == "killed by signal 11 (SIGSEGV)"
    assert how_ended(-999) == "killed by signal 999"


def test_nothing_is_born_after_a_stop():
    with Kernels() as kernels:
        kernels.stop()
        kernels.warm_up()
        assert kernels._warm is None
        with pytest.raises(KeyboardInterrupt):
            kernels.prepare(type("Manager", (), {"kernel_id": None})())


class Signals:
    """The last reference to it is dropped: the signal lands in its finaliser, where Python drops what is raised."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        signal.raise_signal(self.number)


@pytest.fixture
def handlers():
    """Puts the handlers of signals back as they were."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_that_lands_in_a_finaliser_is_heard(number, handlers, monkeypatch, tmp_path, capsys):
    signal.signal(number, signal.default_int_handler)  # a worker of the test run may ignore it
    real, waits = runner.wait, []

    def wait_on(*arguments, **options):
        if not waits:
            Signals(number)
        waits.append(arguments)
        return real(*arguments, **options)

    monkeypatch.setattr(runner, "wait", wait_on)
    begun = time.monotonic()
    records = runner.run_reports([Order("cdnow_sample", ("rfm",))], Settings(out=tmp_path))
    assert [record.status for record in records] == ["cancelled"]
    assert time.monotonic() - begun < 5
    assert signal.getsignal(number) is signal.default_int_handler
    assert capsys.readouterr().err == ""  # no traceback of what Python dropped


def test_a_handler_of_somebody_else_is_kept():
    def mine(*_):
        pass

    before = signal.signal(signal.SIGTERM, mine)
    try:
        with heard() as asked:
            assert signal.getsignal(signal.SIGTERM) is mine
            signal.raise_signal(signal.SIGTERM)
            assert not asked.is_set()
    finally:
        signal.signal(signal.SIGTERM, before)


# --- whole runs -----------------------------------------------------------------------------------------------------------


def run(env, out, *arguments):
    mark = uuid.uuid4().hex
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "crmlab.cli",
            "run",
            "rfm",
            "data_quality",
            "--data",
            "cdnow_sample",
            "--out",
            str(out),
            *arguments,
        ],
        env={**env, MARK: mark},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return process, mark


def end(process, mark):
    """Seconds until the run ended, its status, what it said; and that none of its processes lives 1 s later."""
    begun = time.monotonic()
    said, _ = process.communicate(timeout=60)
    took = time.monotonic() - begun
    time.sleep(1)
    left = [" ".join(one.cmdline()) for one in marked(mark)]
    assert left == []
    return took, process.returncode, said


@pytest.mark.proof
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_is_stopped_while_its_kernels_are_being_born(site, tmp_path, number):
    env, flag = site("time.sleep(60)")
    process, mark = run(env, tmp_path / "reports")
    wait_for(flag.exists)
    process.send_signal(number)
    took, status, said = end(process, mark)
    assert (status, took < 5) == (130, True), (took, said)
    assert said.rstrip().endswith("crmlab: stopped.")
    assert "Traceback" not in said


@pytest.mark.proof
def test_a_run_is_stopped_at_any_moment_of_its_birth(tmp_path):
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process, mark = run(env, tmp_path / "warm")  # fills the cache, and says how long a run takes
    begun = time.monotonic()
    process.communicate(timeout=200)
    whole = time.monotonic() - begun
    longest = 0.0
    for k in range(3):
        process, mark = run(env, tmp_path / "reports", "--force")
        time.sleep(whole * (k + 1) / 4)
        process.send_signal(signal.SIGINT)
        took, status, said = end(process, mark)
        longest = max(longest, took)
        assert status in (0, 1, 130, -signal.SIGINT), said
    print(f"the longest stop took {longest:.1f} s")
    assert longest < 5, longest


@pytest.mark.proof
def test_a_run_says_that_the_process_that_starts_kernels_ended(site, tmp_path):
    env, _ = site("sys.stderr.write('no room left\\n'); sys.stderr.flush(); os._exit(3)")
    _, status, said = end(*run(env, tmp_path / "reports"))
    assert status == 1
    assert "Its kernel died: The process that starts kernels ended: exit status 3. It printed last: no room left" in said, said
    assert "Traceback" not in said


@pytest.mark.proof
def test_folders_of_killed_runs_go_with_the_next(site, tmp_path):
    (tmp_path / "temporary").mkdir()
    env, flag = site("time.sleep(15)")  # whoever is killed is outlived by it
    env["TMPDIR"] = str(tmp_path / "temporary")
    out = tmp_path / "reports"

    def folders():
        return {path.name for path in (tmp_path / "temporary").iterdir() if path.name.startswith("crmlab-")}

    process, mark = run(env, out)
    wait_for(flag.exists)
    first = {name for name in folders() if not name.endswith(".lock")}
    assert first
    other, _ = run(env, tmp_path / "elsewhere")
    flag.unlink()
    wait_for(flag.exists)
    assert first <= folders()  # of a run at work
    process.kill()
    process.communicate()
    wait_for(lambda: not marked(mark))
    assert first <= folders()
    other.send_signal(signal.SIGINT)
    other.communicate(timeout=30)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "temporary")}
    process, mark = run(env, out)
    end(process, mark)
    assert folders() == set()
    assert list(out.rglob(".aside-*")) == []


def test_what_was_being_written_anywhere_below_is_swept(tmp_path):
    from crmlab.report.swap import sweep

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.txt").touch()
    folder = tmp_path / "reports"
    for name in ("history/.aside-1", "rfm/.aside-2", ".aside-rfm-3"):
        (folder / name).mkdir(parents=True)
        (folder / name / "result.json").touch()
    (folder / "history" / ".aside-k3_9xv0q").touch()
    (folder / ".aside-link").symlink_to(elsewhere)
    sweep(folder)
    assert [path.name for path in folder.rglob(".aside-*")] == [".aside-link"]  # nothing of ours is a link
    assert (elsewhere / "mine.txt").exists()


def test_the_temporary_folder_is_the_systems(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Kernels():
        (folder,) = [path for path in tmp_path.iterdir() if path.is_dir()]
        assert folder.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == []

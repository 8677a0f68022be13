"""Kind: a source changes while it is read, and what was read is kept under the key of what was there before.

A table is kept only where its source was the same before and after; one run reads one version. A folder that cannot be written is
named, with what failed and what to do, and nothing half-written stays.
"""

import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import pytest

import crmlab
from crmlab.collecting import collect
from crmlab.data import cache, kept, room
from crmlab.data.reading import building, engines
from crmlab.errors import DamageWarning, SourceError
from crmlab.report import inputs

ROOT = Path(__file__).parents[2]
TOML = """currency = "EUR"
[orders]
file = "o.csv"
customer_id = "cust"
ordered_at = "day"
amount = "total"
"""
ONE = "cust,day,total\nc1,2024-01-01,1\n"
TWO = "cust,day,total\nc1,2024-01-01,2\n"


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLAB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "o.csv").write_text(ONE)
    (tmp_path / "mine.toml").write_text(TOML)
    return tmp_path / "mine.toml"


def amounts(toml: Path) -> list[str]:
    return [str(value) for value in collect(crmlab.open_dataset(toml).orders, "order_id")["amount"]]


def folders(toml: Path) -> list[str]:
    return sorted(path.name for path in (toml.parent / "cache").glob("mine-*") if path.is_dir())


def while_reading(monkeypatch, *acts):
    """Let something happen each time after a source was read and before it is kept."""
    real, left = building.build, list(acts)

    def build(descriptor, folder):
        made = real(descriptor, folder)
        if left:
            left.pop(0)()
        return made

    monkeypatch.setattr(building, "build", build)


def test_what_changed_meanwhile_is_read_again(mine, monkeypatch):
    file = mine.with_name("o.csv")
    while_reading(monkeypatch, lambda: file.write_text(TWO))
    assert amounts(mine) == ["2.0000"]
    assert len(folders(mine)) == 1
    file.write_text(ONE)
    assert amounts(mine) == ["1.0000"]


def test_what_changed_and_changed_back_is_read_again(mine, monkeypatch):
    file, reads = mine.with_name("o.csv"), []

    def forth_and_back():
        reads.append(1)
        file.write_text(TWO)
        file.write_text(ONE)

    while_reading(monkeypatch, forth_and_back)
    assert amounts(mine) == ["1.0000"]
    assert len(reads) == 1


def test_times_that_were_set_back_do_not_hide_a_change(mine, monkeypatch):
    file = mine.with_name("o.csv")
    state = file.stat()

    def change():
        file.write_text(TWO)
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))

    while_reading(monkeypatch, change)
    assert amounts(mine) == ["2.0000"]


@pytest.mark.proof
def test_a_file_that_came_meanwhile_is_read(mine, monkeypatch):
    folder = mine.parent / "parts"
    folder.mkdir()
    (folder / "1.csv").write_text(ONE)
    mine.write_text(TOML.replace("o.csv", "parts/*.csv"))
    while_reading(monkeypatch, lambda: (folder / "2.csv").write_text(TWO))
    assert amounts(mine) == ["1.0000", "2.0000"]


@pytest.mark.proof
def test_an_error_of_a_half_written_file_is_no_answer(mine, monkeypatch):
    file, real = mine.with_name("o.csv"), building.build
    file.write_text("cust,day,total\nc1,2024-01-01,never")

    def build(descriptor, folder):
        try:
            return real(descriptor, folder)
        finally:
            file.write_text(TWO)

    monkeypatch.setattr(building, "build", build)
    with contextlib.suppress(SourceError):  # it is written again and again
        amounts(mine)
    monkeypatch.setattr(building, "build", real)
    assert amounts(mine) == ["2.0000"]


def test_a_source_that_never_rests_is_told(mine, monkeypatch):
    file = mine.with_name("o.csv")
    while_reading(monkeypatch, *(lambda k=k: file.write_text(ONE + f"c{k},2024-01-02,1\n") for k in range(9)))
    with pytest.raises(SourceError, match=r"'mine' cannot be read\. Its source changed 3 times while it was read\. Wait"):
        amounts(mine)
    assert folders(mine) == []


def test_two_changes_within_one_tick_are_two(mine):
    """File systems tell times in steps: a file that was just written is not known by its time."""
    file, state = mine.with_name("o.csv"), None
    for k in range(200):
        file.write_text(TWO if k % 2 else ONE)
        if state is not None:
            os.utime(file, ns=state)
        state = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
        assert cache.file_digest(file) == cache.hashlib.sha256(file.read_bytes()).hexdigest()


def test_kernels_read_the_version_of_their_run(mine, monkeypatch):
    told = inputs.inspect(str(mine)).verdict()
    mine.with_name("o.csv").write_text(TWO)
    monkeypatch.setenv(kept.VERDICT, told[kept.VERDICT])
    monkeypatch.setattr(kept, "_verified", {})
    assert amounts(mine) == ["1.0000"]
    other = mine.with_name("other.toml")
    other.write_text(TOML)
    assert amounts(other) == ["2.0000"]  # of which the run knows nothing
    monkeypatch.delenv(kept.VERDICT)
    assert amounts(mine) == ["2.0000"]


def test_a_run_whose_version_is_gone_says_so(mine, monkeypatch):
    run = inputs.inspect(str(mine))
    mine.with_name("o.csv").write_text(TWO)
    (folder,) = folders(mine)
    shutil.rmtree(mine.parent / "cache" / folder)
    with pytest.raises(SourceError, match=r"Its source was changed while the run was at work\. Run again\."):
        run.verdict()


def test_rules_that_changed_during_a_run_are_said(mine, monkeypatch):
    told = inputs.inspect(str(mine)).verdict()
    monkeypatch.setenv(kept.VERDICT, told[kept.VERDICT])
    mine.write_text(TOML.replace("EUR", "USD"))
    with pytest.raises(SourceError, match="was changed while the run was at work"):
        amounts(mine)


FULL = [errno.ENOSPC, errno.EDQUOT]
DENIED = [errno.EROFS, errno.EACCES]


@pytest.mark.proof
@pytest.mark.parametrize("number", [*FULL, *DENIED])
@pytest.mark.parametrize("step", ["mkdir", "lock", "table", "manifest", "rename"])
def test_a_cache_that_cannot_be_written_is_named(mine, monkeypatch, step, number):
    def fails(*arguments, **_):
        raise OSError(number, os.strerror(number), str(mine.parent / "cache" / "x"))

    def engine(*arguments):
        raise duckdb.IOException(f'IO Error: Could not write file "{arguments[-1]}": {os.strerror(number)}')

    if step == "mkdir":
        monkeypatch.setattr(cache, "scratch_folder", fails)
    elif step == "lock":
        monkeypatch.setattr("filelock.FileLock.acquire", fails)
    elif step == "table":
        monkeypatch.setattr(building, "_write", engine)
    elif step == "manifest":
        monkeypatch.setattr(cache.Manifest, "to_bytes", fails)
    else:
        monkeypatch.setattr(Path, "rename", fails)
    hint = "Make room there, or name another in CRMLAB_CACHE." if number in FULL else "Name another in CRMLAB_CACHE."
    with pytest.raises(SourceError) as told:
        amounts(mine)
    assert str(told.value) == f"The cache folder {mine.parent}/cache cannot be written. {os.strerror(number)}. {hint}"
    assert [path.name for path in (mine.parent / "cache").rglob("*") if path.suffix == ".parquet" or "aside" in path.name] == []
    monkeypatch.undo()
    monkeypatch.setenv("CRMLAB_CACHE", str(mine.parent / "cache"))
    assert amounts(mine) == ["1.0000"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        duckdb.IOException(f'Could not write file "{tempfile.gettempdir()}/crmlab-0123456789/a.tmp": No space left on device'),
        duckdb.OutOfMemoryException(
            "failed to offload data block. This limit was set by the 'max_temp_directory_size' setting."
        ),
    ],
)
def test_a_full_folder_for_temporary_files_is_named(error):
    said = r"The folder for temporary files .* cannot be written\..*name another in TMPDIR\."
    with pytest.raises(SourceError, match=said), engines.explain_errors("orders", "o.csv"):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EACCES, "Permission denied", "/somewhere/o.csv"),
        OSError(errno.EIO, "Input/output error", f"{tempfile.gettempdir()}/o.csv"),
        duckdb.IOException(f'Cannot open file "{tempfile.gettempdir()}/o.csv": Permission denied'),
    ],
)
def test_a_source_that_cannot_be_read_is_not_taken_for_it(error):
    assert room.no_room(error) is None
    with pytest.raises(SourceError, match=r"orders: o.csv cannot be read"), engines.explain_errors("orders", "o.csv"):
        raise error


@pytest.mark.parametrize("place", [".", "o.csv", "somewhere"])
def test_where_the_cache_lies_misleads_nobody(monkeypatch, place):
    monkeypatch.setenv("CRMLAB_CACHE", place)
    assert room.no_room(PermissionError(errno.EACCES, "Permission denied", "/somewhere/o.csv")) is None


def test_a_disk_that_fails_is_a_damage(mine, monkeypatch):
    before = amounts(mine)

    def fails(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(kept, "_verified", {})
    monkeypatch.setattr(kept, "_check", fails)
    with pytest.warns(DamageWarning, match="it cannot be read: Input/output error"):
        assert amounts(mine) == before


def test_a_read_only_cache_serves_what_it_holds_and_names_its_damage(mine, monkeypatch):
    before = amounts(mine)

    def fails(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    for name in ("mkdir", "write_bytes", "write_text", "rename"):
        monkeypatch.setattr(Path, name, fails)
    monkeypatch.setattr(cache.tempfile, "mkstemp", fails)
    monkeypatch.setattr("filelock.FileLock.acquire", fails)
    monkeypatch.setattr(engines, "process_scratch", lambda: mine.parent)
    assert amounts(mine) == before
    (folder,) = folders(mine)
    os.truncate(mine.parent / "cache" / folder / "orders.parquet", 10)
    with pytest.raises(
        SourceError, match=r"Read-only file system; what it keeps of 'mine' is damaged \(orders.parquet has 10 bytes"
    ):
        amounts(mine)


@pytest.mark.proof
@pytest.mark.may_skip("Not everybody may mount a small disk.")
def test_a_cache_on_a_full_disk(mine):
    """A real one: 64 kB in a namespace of its own."""
    code = f"import crmlab; print(crmlab.open_dataset({str(mine)!r}).orders.count().execute())"
    lines = "\n".join(f"customer {k},2024-01-{k % 28 + 1:02},{k}" for k in range(20_000))
    mine.with_name("o.csv").write_text(f"cust,day,total\n{lines}\n")
    (mine.parent / "cache").mkdir()
    mount = f"mount -t tmpfs -o size=64k none {mine.parent}/cache || exit 77"
    script = f'{mount}; {sys.executable} -c "{code}"; ls -R {mine.parent}/cache'
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, check=False)
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("No disk can be mounted here.")
    assert "No space left on device. Make room there, or name another in CRMLAB_CACHE." in done.stderr, done.stderr
    assert "parquet" not in done.stdout


@pytest.mark.proof
def test_all_pages_of_a_run_show_one_version(mine):
    """With kernels: the source changes when the first report is made, and the second shows what the first did."""
    days = [f"2024-{k % 12 + 1:02}-{k % 28 + 1:02}" for k in range(400)]
    rows = [f"c{k % 50},{day},{k}.50" for k, day in enumerate(days)]
    file = mine.with_name("o.csv")
    file.write_text("\n".join(["cust,day,total", *rows]) + "\n")
    command = [sys.executable, "-u", "-m", "crmlab.cli", "run", "rfm", "lifecycle", "--jobs", "1", "--data", str(mine)]
    env = {**os.environ, "CRMLAB_HOME": str(ROOT), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([*command, "--out", str(mine.parent / "out")], stdout=subprocess.PIPE, text=True, env=env) as run:
        assert run.stdout is not None
        assert "done" in run.stdout.readline()
        file.write_text("\n".join(["cust,day,total", *rows[:200]]) + "\n")
        assert "done" in run.stdout.read()
    records = [json.loads(path.read_text()) for path in (mine.parent / "out").glob("mine/*/run.json")]
    results = [json.loads(path.read_text()) for path in (mine.parent / "out").glob("mine/*/result.json")]
    assert [record["inputs"]["rows"] for record in records] == [{"orders": 400}] * 2
    assert [result["customers"] for result in results] == [50, 50]
    assert {result["as_of"] for result in results} == {max(days)}
    assert len(folders(mine)) == 1

"""Same inputs, same bytes; what changed is made again and nothing else; two runs are told apart by what differs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Shop
from .helpers import (
    PATIENCE,
    Project,
    assert_settled,
    crmlab,
    environment,
    files_of,
    history_of,
    made,
    record_of,
    reports_in,
    start,
)
from .test_faults import ORDERS, asleep, sleeping

pytestmark = pytest.mark.proof
# What a run's record says of this very run, not of what was made.
ALONE = ("actions", "churn", "customer_value", "rfm")
OF_THE_RUN = ("sequence", "digest", "started", "finished", "seconds", "cell_seconds", "git")


@pytest.fixture(scope="module")
def one_by_one(tiny: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports of the small shop that share what they work out, made one at a time."""
    out = tmp_path_factory.mktemp("one-by-one")
    made(crmlab("run", *ALONE, "--data", tiny, "--out", out, "--jobs", "1", env=environment(cache)))
    return out / "tiny"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of the reports of a folder; the records of runs, which hold times, left out."""
    return {
        f"{place.name}/{name}": content
        for place in reports_in(folder)
        for name, content in files_of(place).items()
        if name != "run.json"
    }


# --- the same bytes -------------------------------------------------------------------------------------------------------


@pytest.mark.nightly
def test_same_bytes_one_job_or_two(one_by_one: Path, shop: Shop) -> None:
    first, second = contents(one_by_one), contents(shop.folder)
    assert len(first) > 20
    assert set(first) == {name for name in second if name.partition("/")[0] in ALONE}
    assert [name for name in first if first[name] != second[name]] == []
    for place in reports_in(one_by_one):
        old, new = record_of(place), record_of(shop.folder / place.name)
        for name in OF_THE_RUN:
            old.pop(name), new.pop(name)
        assert old == new


def test_no_name_of_this_machine_in_reports(shop: Shop, cache: Path) -> None:
    # The place of the TOML file is how the data set was named here, so the notebook holds it; nothing else does.
    for name, content in contents(shop.folder).items():
        # A name of a few letters turns up in packed bytes and in words by chance: it is looked for as a word of a text.
        packed = name.endswith((".parquet", ".xlsx", ".pdf"))
        for secret in (str(cache), str(shop.out)):
            assert secret.encode() not in content, (name, secret)
        if not packed:
            assert not re.search(rb"(?<![\w-])" + re.escape(os.uname().nodename.encode()) + rb"(?![\w-])", content), name


# By day the notebooks run as they stand, by nbval too; this one runs each of them again.
@pytest.mark.nightly
def test_executed_notebooks_pass_strict_nbval(shop: Shop, tmp_path: Path) -> None:
    notebooks = []
    for place in reports_in(shop.folder):
        notebooks.append(tmp_path / f"{place.name}.ipynb")
        shutil.copyfile(place / "notebook.ipynb", notebooks[-1])
    # Nothing needs to be sanitised but what would betray itself here: an address in memory.
    rules = tmp_path / "sanitise.cfg"
    rules.write_text("[address]\nregex: 0x[0-9a-f]{8,}\nreplace: ADDRESS\n")
    target = tmp_path / "target"
    target.mkdir()
    # As the runner sets them; links to saved files are shown only where there is a target.
    kernel = {"CRMLAB_TARGET": str(target), "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    command = [
        sys.executable, "-m", "pytest", "--nbval", "--nbval-sanitize-with", str(rules), "-q", "-p", "no:cacheprovider", "-p",
        "no:xdist", "-c", os.devnull, "--rootdir", str(tmp_path), *map(str, notebooks),
    ]  # fmt: skip
    done = subprocess.run(
        command, env={**shop.env, **kernel}, cwd=tmp_path, capture_output=True, text=True, timeout=2 * PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr
    assert "passed" in done.stdout
    assert "failed" not in done.stdout


# --- what is made again ---------------------------------------------------------------------------------------------------


@pytest.fixture
def mine(project: Project) -> Project:
    """A project with a data set in a csv file."""
    (project.home / "data" / "mine.toml").write_text('title = "Mine"\n\n[orders]\nfile = "orders.csv"\n')
    (project.home / "data" / "orders.csv").write_text(ORDERS)
    return project


def test_only_what_changed_is_made_again(mine: Project) -> None:
    place = mine.out / "mine" / "rfm"
    notebook, toml, csv = (
        mine.home / "notebooks" / "rfm.ipynb",
        mine.home / "data" / "mine.toml",
        mine.home / "data" / "orders.csv",
    )

    def run(*arguments: str, prepare: str = "") -> str:
        status, said = mine.start("rfm", "--data", "mine", *arguments, prepare=prepare).end()
        assert status == 0, said
        assert ("up to date" in said) != ("done" in said), said
        return "up to date" if "up to date" in said else "done"

    def replace(path: Path, old: str, new: str) -> None:
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))

    assert run() == "done"
    before = files_of(place)
    assert run() == "up to date"
    for path in (notebook, toml, csv):
        path.touch()
        os.utime(path, (2_000_000_000, 2_000_000_000))
    assert run() == "up to date"
    # Neither comments nor outputs are content.
    toml.write_text("# a remark\n" + toml.read_text())
    replace(notebook, '"nbformat_minor": 5', '"nbformat_minor": 4')
    assert run() == "up to date"
    assert files_of(place) == before
    assert len(history_of(mine.out / "mine")) == 1, "a run that made nothing is no run"
    # Any one of these is.
    assert run("-p", "bins=4") == "done"
    assert run() == "done", "back to the default is a change, too"
    replace(csv, "\n7,007,", "\n7,008,")
    assert run() == "done"
    replace(toml, '"Mine"', '"Ours"')
    assert run() == "done"
    mine.write("2 + 2")
    assert run() == "done"
    assert run(prepare="import crmlab.report.keys as keys\nkeys.source_digest = lambda: 'other'") == "done"
    other = "import crmlab.report.keys as keys\nreal = keys.installed()\nkeys.installed = lambda: {**real, 'duckdb': '99.0'}"
    assert run(prepare=other) == "done"
    assert run() == "done"
    assert run() == "up to date"
    # A report that is not whole is not up to date.
    (place / "metrics.json").unlink()
    assert run() == "done"
    (place / "report.html").write_text("broken")
    assert run() == "done"
    assert run("--force") == "done"
    assert_settled(mine.out / "mine")


# --- two runs -------------------------------------------------------------------------------------------------------------


def test_rerun_makes_the_same_bytes(mine: Project, tmp_path: Path) -> None:
    assert mine.run("rfm", "--data", "mine", "-p", "bins=4")[0] == 0
    record = mine.out / "mine" / "rfm" / "run.json"
    before = files_of(mine.out)
    status, said = mine.nursery.start("rerun", record, "--out", tmp_path / "again", env=mine.env).end()
    assert status == 0, said
    count = len(record_of(record.parent)["files"])
    assert f"All {count} files are identical." in said
    assert files_of(mine.out) == before
    again = tmp_path / "again" / "mine" / "rfm"
    assert record_of(again)["params"]["bins"] == 4
    assert contents(mine.out / "mine") == contents(again.parent)
    # Where the input differs, it says so.
    csv = mine.home / "data" / "orders.csv"
    csv.write_text(csv.read_text() + "400,039,2024-05-05,12.00\n")
    mine.write(before_saving=["print('now with another output')"])
    status, said = mine.nursery.start("rerun", record, "--out", tmp_path / "again", env=mine.env).end()
    assert status == 1, said
    assert "The input differs: orders 400 → 401 rows." in said
    assert "files differ: notebook.ipynb" in said


def test_diff_of_two_days(shop: Shop, tmp_path: Path) -> None:
    earlier = record_of(shop.folder / "rfm")
    made(crmlab("run", "rfm", "--data", shop.toml, "-p", "as_of=2024-06-30", "--out", tmp_path, env=shop.env))
    then = record_of(tmp_path / "tiny" / "rfm")
    assert then["metrics"] != earlier["metrics"]
    done = made(crmlab("diff", tmp_path / "tiny" / "rfm", shop.folder / "rfm" / "run.json", env=shop.env))
    lines = done.stdout.splitlines()
    assert lines[0] == "The parameter as_of differs: 2024-06-30 → last order's day."
    assert lines[-1].startswith(f"{len({*then['metrics'], *earlier['metrics']})} metrics:")
    assert any(line.split()[0] == "customer_base" and "counted, so it has no interval" in line for line in lines[1:-1])
    assert not any("changed, " in line for line in lines[1:-1])  # segments are counted
    same = made(crmlab("diff", shop.folder / "rfm", shop.folder / "rfm", env=shop.env))
    count = len(earlier["metrics"])
    assert same.stdout == f"{count} metrics: {count} the same, 0 changed beyond their intervals.\n"


def test_two_runs_on_one_folder(mine: Project, tmp_path: Path) -> None:
    # Both would make the report: the second waits, and then finds it up to date.
    flag = tmp_path / "flag"
    mine.write(sleeping(flag, 4))
    command = ("run", "rfm", "--data", "mine", "--out", mine.out)
    first = start(*command, env=mine.env)
    asleep(first, flag)
    second = start(*command, env=mine.env)
    (status, said), (status_2, said_2) = first.end(), second.end()
    assert (status, status_2) == (0, 0), said + said_2
    assert "Another crmlab run" not in said
    assert "Another crmlab run is at work in" in said_2
    assert "up to date" in said_2
    assert_settled(mine.out / "mine")
    assert [record["status"] for record in history_of(mine.out / "mine")] == ["ok"]


def test_two_runs_at_the_same_moment(mine: Project) -> None:
    command = ("run", "rfm", "--data", "mine", "--force", "--out", mine.out)
    runners = [start(*command, env=mine.env) for _ in range(2)]
    ends = [runner.end() for runner in runners]
    assert [status for status, _ in ends] == [0, 0], ends
    assert_settled(mine.out / "mine")
    assert [record["status"] for record in history_of(mine.out / "mine")] == ["ok", "ok"]

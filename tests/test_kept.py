"""What people have made stays theirs: data sets, campaign memories and folders of reports as they were written in November 2026.

``tests/kept/`` was written by crmlab before its modules moved, and is never written anew: of the folder of reports it keeps the
records, not the pages.
"""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

import crmlab
from crmlab.analyses.scorecard import parse_goals
from crmlab.cli import main

KEPT = Path(__file__).parent / "kept"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what was kept, with the notebooks of today."""
    home = tmp_path / "home"
    shutil.copytree(KEPT, home)
    shutil.copytree(Path(__file__).parents[1] / "notebooks", home / "notebooks")
    monkeypatch.setenv("CRMLAB_HOME", str(home))
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", str(home / "campaigns"))
    monkeypatch.chdir(home)
    return home


def command(*arguments: str) -> str:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.proof
def test_data_set_opens(project: Path) -> None:
    data = crmlab.open_dataset("kept")
    assert data.orders.count().execute() == 212
    assert data.orders["amount"].sum().execute() == Decimal("9801.25")
    descriptor = data.descriptor
    assert (descriptor.title, descriptor.currency, descriptor.timezone) == ("Kept from before", "EUR", "Europe/Berlin")
    assert (descriptor.report.title, descriptor.report.language, descriptor.report.lists) == (
        "Customer report",
        "de",
        ("xlsx",),
    )
    assert [goal.measure for goal in parse_goals(descriptor.sections["goals"], descriptor.where)] == ["revenue"]
    assert "No problems." in command("check", "kept")


@pytest.mark.proof
def test_campaign_memory_opens_and_goes_on(project: Path) -> None:
    from crmlab.data.memory import open_memory

    memory = open_memory()
    assert memory.cells("spring")["cell_id"].tolist() == ["spring-0", "spring-1"]
    assert memory.cells("spring")["response_code"].dropna().tolist() == ["AYADH7"]
    assert memory.assignments("spring")["cell_id"].value_counts().to_dict() == {"spring-0": 20, "spring-1": 20}
    assert "0.25" in command("campaign", "history")
    # The same plan again changes nothing: what was written is read as it is.
    assert "AYADH7" in command("campaign", "plan", "spring.toml")
    assert len(memory.headers()) == 3
    # Intervals are wider than when it was written, by the degrees of freedom of small cells: to measure again is another look, once.
    assert "Look 2 at spring:" in command("campaign", "results", "spring", "--data", "kept")
    assert "Look 2 at spring (as before)" in command("campaign", "results", "spring", "--data", "kept")
    assert len(open_memory().headers()) == 4
    # And it is written on.
    command("campaign", "results", "spring", "--data", "kept", "--as-of", "2025-06-20", "--close")
    assert len(open_memory().headers()) > 4


def test_records_of_reports_are_read(project: Path) -> None:
    from crmlab.report.records import read_record

    record = read_record(project / "reports" / "kept" / "rfm")
    assert (record.report, record.dataset, record.status) == ("rfm", "kept", "ok")
    assert "2026-11-28 09:59:10" in command("history", "--data", "kept")
    same = command("diff", "reports/kept/rfm", "reports/kept/rfm")
    assert same.startswith(f"{len(record.metrics)} metrics: {len(record.metrics)} the same")


@pytest.mark.proof
def test_report_is_made_again_and_old_runs_stay_in_the_history(project: Path) -> None:
    assert "done" in command("run", "rfm", "--data", "kept")
    lines = command("history", "--data", "kept").splitlines()
    assert len(lines) == 3 and lines[0].split()[:3] == ["started", "(UTC)", "report"]
    assert "metrics" in command("diff", str(KEPT / "reports" / "kept" / "rfm"), "reports/kept/rfm")

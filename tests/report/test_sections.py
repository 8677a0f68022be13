"""Sections of a TOML file that belong to a subject: checked before anything runs, and only their readers are made again."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from click.testing import CliRunner

from crmlab.cli import main
from crmlab.data import sections
from crmlab.data.project import cache_folder
from crmlab.report import registry
from crmlab.report.inputs import fingerprint_of, inspect, with_sections

GOAL = '\n[[goals]]\nmeasure = "revenue"\ntarget = 5\nby = 2026-06-30\n'


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CRMLAB_CAMPAIGNS", str(tmp_path / "memory"))
    (tmp_path / "o.csv").write_text("order_id,customer_id,ordered_at,amount\n1,a,2024-01-01,5\n2,b,2024-02-01,7\n")
    path = tmp_path / "mine.toml"
    path.write_text('[orders]\nfile = "o.csv"\n' + GOAL)
    return path


def keys(path):
    """What each report reads, as one fingerprint."""
    inputs = inspect(str(path))
    modules = {name: registry.analysis(name) for name in registry.REPORTS}
    further = {name: [one.fingerprint() for one in registry.inputs_of(name)] for name in modules}
    return {
        name: fingerprint_of(with_sections(inputs.fingerprint, module, inputs.descriptor), further[name])
        for name, module in modules.items()
    }


def test_data_and_subjects_name_the_same_sections():
    assert set(registry.SECTIONS) == set(sections.SECTIONS)
    for face, function in registry.SECTIONS.values():
        assert function in importlib.import_module(face).__all__


def test_reports_say_on_their_faces_which_sections_they_read():
    reading = {
        name: registry.analysis(name).SECTIONS for name in registry.REPORTS if hasattr(registry.analysis(name), "SECTIONS")
    }
    assert reading == {
        "actions": ("action", "segment_goal", "limits", "holdout", "service"),
        "campaign_design": ("holdout",),
        "scorecard": ("goals", "action", "segment_goal", "limits", "holdout"),
        "customer_profile": ("action", "segment_goal", "limits", "holdout"),
    }
    assert all("SECTIONS" in registry.analysis(name).__all__ for name in reading)
    # None is read by a report that does not say so; the universal control and decisions are asked for by their owners.
    for name in registry.REPORTS:
        folder = Path(str(registry.analysis(name).__file__)).parent
        texts = [path.read_text(encoding="utf-8") for path in folder.glob("*.py")]
        asks = (".sections", "holdout_for(", "actions.decisions(")
        assert any(one in text for text in texts for one in asks) == (name in reading), name


def test_editing_goals_makes_the_scorecard_again_and_nothing_else(mine):
    before, made = keys(mine), sorted(cache_folder().iterdir())
    for text in (mine.read_text().replace("target = 5", "target = 6"), mine.read_text().replace(GOAL, "")):
        mine.write_text(text)
        after = keys(mine)
        assert {name for name in after if after[name] != before[name]} == {"scorecard"}
        assert [path for path in sorted(cache_folder().iterdir()) if path.name != "digests"] == [
            path for path in made if path.name != "digests"
        ]
        before = after
    # A comment, or another place in the file, is no change.
    mine.write_text("# mine\n" + mine.read_text())
    assert keys(mine) == before
    assert with_sections(None, registry.analysis("scorecard"), inspect(str(mine)).descriptor) is None


@pytest.mark.parametrize("command", [("check",), ("run", "rfm", "--data")])
def test_commands_tell_every_fault_before_anything_runs(mine, command):
    mine.write_text(mine.read_text().replace("2026-06-30", '"soon"').replace("[orders]", "curency = 3\n[orders]\ndecimal = 5"))
    done = CliRunner().invoke(main, [*command, str(mine)])
    assert done.exit_code == 2
    said = done.output.splitlines()
    assert [line.partition("mine.toml")[2] for line in said] == [
        ": unknown key 'curency' at the top. Did you mean 'currency'?",
        ': [orders] decimal must be "." or ",". Got 5 instead.',
        ", line 6: [[goals]] by must be an ISO date, such as 2026-06-30. Got 'soon' instead.",
    ]
    assert not cache_folder().exists()

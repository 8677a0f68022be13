"""What reports work out for each other outlives a run, for the same contents and the same code, and saves time only."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from crmlab.data.sections import Section
from crmlab.report import artefacts
from crmlab.report.batches import Settings
from crmlab.report.inputs import Inputs, inspect
from crmlab.report.jobs import Order
from crmlab.report.runner import run_reports


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inputs:
    found = inspect("cdnow_sample")
    monkeypatch.setattr(artefacts, "cache_folder", lambda: tmp_path)
    return found


def test_the_same_contents_and_code_have_one_folder_for_its_owner(inputs: Inputs) -> None:
    place = artefacts.folder_of(inputs, None)
    assert place is not None and place.stat().st_mode & 0o777 == 0o700 and place == artefacts.folder_of(inputs, None)


def test_whatever_results_depend_on_changes_the_folder(inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    goals = {"goals": Section("goals", {"measure": "revenue"}, "data/x.toml")}
    others = [
        (replace(inputs, fingerprint="f" * 64), None),
        (replace(inputs, descriptor=replace(inputs.descriptor, sections=goals)), None),
        (inputs, "spark"),
    ]
    places = {artefacts.folder_of(inputs, None), *(artefacts.folder_of(*other) for other in others)}
    monkeypatch.setattr(artefacts, "source_digest", lambda: "other code")
    places.add(artefacts.folder_of(inputs, None))
    monkeypatch.setattr(artefacts, "installed_digest", lambda: "other versions")
    places.add(artefacts.folder_of(inputs, None))
    assert len(places) == 6 and None not in places


def test_of_a_database_and_without_a_cache_nothing_is_kept(inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    assert artefacts.folder_of(replace(inputs, fingerprint=None), None) is None

    def full(_: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artefacts, "private_folder", full)
    assert artefacts.folder_of(inputs, None) is None


def test_what_was_not_used_for_longest_goes_but_for_what_a_run_may_read(inputs: Inputs, tmp_path: Path) -> None:
    root = tmp_path / artefacts.FOLDER
    old = [root / f"cdnow-{k:024d}" for k in range(artefacts.MOST + 2)]
    for k, place in enumerate(old):
        place.mkdir(parents=True)
        (place / "a.pickle").touch()
        long_ago = time.time() - (40 - k) * 86_400
        os.utime(place, (long_ago, long_ago))
    place = artefacts.folder_of(inputs, None)
    left = {path.name for path in root.iterdir()}
    assert left == {place.name, *(path.name for path in old[3:])} and len(left) == artefacts.MOST  # type: ignore[union-attr]
    for path in old[3:]:
        os.utime(path)
    for k in range(4):
        (root / f"new-{k}").mkdir()
    artefacts.folder_of(inputs, None)
    assert len(list(root.iterdir())) == artefacts.MOST + 4  # all were used within a day


@pytest.mark.proof
def test_a_second_run_finds_what_the_first_worked_out_and_force_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRMLAB_CACHE", str(tmp_path / "cache"))

    def run(out: str, *, force: bool = False) -> tuple[dict[str, float], str]:
        (record,) = run_reports([Order("cdnow_sample", ("triggers",))], Settings(out=tmp_path / out, force=force))
        assert record.status == "ok", record.reason
        kept = {path.name: path.stat().st_mtime for path in (tmp_path / "cache" / artefacts.FOLDER).rglob("*.pickle")}
        return kept, (tmp_path / out / "cdnow_sample" / "triggers" / "report.html").read_text(encoding="utf-8")

    first, page = run("one")
    second, again = run("two")
    forced, anew = run("three", force=True)
    assert first and first == second == forced
    assert page == again == anew

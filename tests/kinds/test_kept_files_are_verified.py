"""Kind: a small file that one run keeps and another reads (a record, a result, a notebook) is believed though it is damaged.

Then a page shows numbers that no run has found, or a traceback ends a run that had nothing to do with the file. The right answer:
what is not as it was written is passed over, said once with its name and what happens now, and made again; the order of runs is that
in which they were kept, whatever clocks say.
"""

import dataclasses
import hashlib
import json
import os
import random
import shutil

import pytest
from click.testing import CliRunner

from crmlab.cli import main
from crmlab.data.catalog import load
from crmlab.errors import ReportError
from crmlab.report import site
from crmlab.report.batches import Settings
from crmlab.report.jobs import Order
from crmlab.report.records import RunRecord, history, keep, latest, read_record, settle
from crmlab.report.runner import run_reports

SUMMARY = {
    "title": "Which customers matter?",
    "dataset": "cdnow_sample",
    "dataset_title": "CDNOW",
    "context": "2,357 customers",
    "first_day": "1997-01-01",
    "as_of": "1998-06-30",
    "customers": 2357,
    "params": {},
    "findings": [{"value": "42%", "text": "of customers buy twice.", "interval": "40–44%", "metric": "share"}],
    "warnings": [],
    "outputs": [],
}
NOTEBOOK = {
    "cells": [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Which customers matter?\n\n42% buy twice."}],
    "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


def make(folder, name="rfm", share=0.42, started="2026-03-01T10:00:00.000+00:00", key="k"):
    """A report in place, with its record, as a run leaves them."""
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    metrics = {"share": {"value": share, "low": share - 0.02, "high": share + 0.02, "level": 0.9, "unit": "share"}}
    for file, content in (("result.json", SUMMARY), ("metrics.json", metrics), ("notebook.ipynb", NOTEBOOK)):
        (place / file).write_text(json.dumps(content), encoding="utf-8")
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in place.iterdir() if path.name != "run.json"}
    record = RunRecord(name, "cdnow_sample", "ok", data="cdnow_sample", key=key, started=started, finished=started)
    record.files, record.metrics, record.inputs = files, metrics, {"fingerprint": "f", "rows": {"orders": 6919}}
    keep(record, folder)
    (place / "run.json").write_bytes(record.to_json())
    return record


@pytest.fixture
def folder(tmp_path):
    """Reports of a data set: rfm ran twice, and its share rose."""
    found = tmp_path / "reports" / "cdnow_sample"
    make(found, share=0.30, key="before")
    make(found)
    return found


def index(folder):
    """The text of the index, made anew, and what was said."""
    said = []
    path = site.write_index(folder, load("cdnow_sample"), say=said.append)
    return path.read_text(encoding="utf-8"), said


def run_something_else(folder, said):
    """A run that makes no report: the one that was asked for needs tables that are not there."""
    settings = Settings(out=folder.parent, on_notice=said.append)
    return run_reports([Order("cdnow_sample", ("campaign_results",))], settings)


FORMS = {
    "empty": b"",
    "zeros": b"\0" * 64,
    "not UTF-8": b"\xff\xfe{}",
    "half": b'{"report": "rf',
    "a list": b"[1, 2]",
    "a number": b"3",
    "null": b"null",
    "no keys": b"{}",
    "NaN": b'{"metrics": {"share": {"value": NaN}}, "findings": NaN}',
    "nested": b"[" * 100_000,
    "other types": b'{"report": 1, "dataset": [], "status": {}, "findings": {}, "title": 3, "cells": {}, "metadata": []}',
    "a long number": b'{"customers": ' + b"9" * 5000 + b"}",
}


def damage(path, form):
    path.unlink()
    if form == "a folder":
        path.mkdir()
        (path / "x").touch()
    elif form == "a link to nothing":
        path.symlink_to("nowhere")
    else:
        path.write_bytes(FORMS[form])


@pytest.mark.parametrize("form", [*FORMS, "a folder", "a link to nothing"])
@pytest.mark.parametrize("name", ["run.json", "result.json", "history"])
def test_what_another_run_left_damaged_is_passed_over_and_said(folder, name, form):
    path = sorted((folder / "history").iterdir())[-1] if name == "history" else folder / "rfm" / name
    damage(path, form)
    said = []
    (record,) = run_something_else(folder, said)
    assert record.status == "skipped"
    mine = [text for text in said if text.startswith(f"{path.parent.name}/{path.name} ")]
    assert len(mine) == len(said) == 1, said
    page = (folder / "index.html").read_text(encoding="utf-8")
    if name == "result.json":  # the numbers are not known: none is shown
        assert "42%" not in page
        assert "Damaged: rfm/result.json" in page
        assert "It has to be made again." in page and "Make it again with: crmlab run rfm" in said[0]
    else:  # of each record there is another one
        assert "42%" in page
        assert "Damaged" not in page


def test_damage_to_the_history_is_said_in_one_run_and_mended(folder):
    first, last = sorted((folder / "history").iterdir())
    kept = last.read_bytes()
    first.write_bytes(b"{")
    last.write_bytes(b"{")
    said = []
    run_something_else(folder, said)
    # The second is that of the report in place; of the first there is no other copy.
    assert last.read_bytes() == kept
    assert [text.rpartition("report. ")[2] for text in said] == [
        f"It is passed over; what was there is now {first.name}.damaged.",
        f"It was written anew from run.json of rfm; what was there is now {last.name}.damaged.",
    ]
    said.clear()
    run_something_else(folder, said)
    assert said == []


@pytest.mark.proof
def test_no_flipped_bit_changes_a_number_in_silence(folder):
    right, said = index(folder)
    assert said == []
    assert "Since the last run: up from 30" in right
    files = [folder / "rfm" / "result.json", *sorted((folder / "history").iterdir()), folder / "rfm" / "run.json"]
    rng, silent = random.Random(15), []
    for _ in range(100):
        path = rng.choice(files)
        content = bytearray(path.read_bytes())
        at = rng.randrange(len(content))
        content[at] ^= 1 << rng.randrange(8)
        whole = path.read_bytes()
        path.write_bytes(content)
        page, said = index(folder)
        if page != right and not said:
            silent.append((path.name, at))
        path.write_bytes(whole)
    assert silent == []


def test_a_digit_edited_in_a_record_is_not_compared_with(folder):
    first = sorted((folder / "history").iterdir())[0]
    first.write_text(first.read_text().replace('"value": 0.3', '"value": 0.4'))
    with pytest.raises(ReportError, match="does not fit its digest"):
        read_record(first)
    page, said = index(folder)
    assert "Since the last run" not in page
    assert len(said) == 1


def test_a_record_of_an_older_version_is_taken_as_it_is(folder):
    content = json.loads((folder / "rfm" / "run.json").read_text())
    del content["digest"], content["sequence"]
    (folder / "rfm" / "run.json").write_text(json.dumps(content))
    assert read_record(folder / "rfm").metrics["share"]["value"] == 0.42
    # A digest whose name is damaged is not taken for one that was never there.
    (folder / "rfm" / "run.json").write_text(json.dumps(content | {"dIgest": "0" * 64}))
    with pytest.raises(ReportError, match="dIgest is unknown"):
        read_record(folder / "rfm")


def test_a_record_dated_2099_makes_no_later_run_stale(folder):
    record = RunRecord("rfm", "cdnow_sample", "failed", reason="No luck.", started="2099-01-01T00:00:00.000+00:00")
    keep(record, folder)
    assert "Stale" in index(folder)[0]
    make(folder)  # the clock was set right again
    assert "Stale" not in index(folder)[0]
    # As older versions named it, by time.
    old = dataclasses.replace(record, sequence=0)
    (folder / "history" / "20990101000000000-rfm.json").write_bytes(old.to_json())
    assert "Stale" not in index(folder)[0]
    assert latest(folder, "rfm").status == "ok"


def test_two_runs_at_one_moment_and_a_clock_set_back_are_kept_in_order(tmp_path):
    for started in ("2026-03-01T10:00:00.000+00:00",) * 2 + ("2020-01-01T00:00:00.000+00:00",):
        keep(RunRecord("rfm", "shop", "ok", started=started), tmp_path)
    assert [(record.sequence, record.started[:4]) for record in history(tmp_path)] == [(1, "2026"), (2, "2026"), (3, "2020")]


def test_a_killed_run_is_settled_by_its_number_not_by_its_moment(folder):
    moment = "2026-03-01T10:00:00.000+00:00"
    keep(RunRecord("rfm", "cdnow_sample", "running", started=moment), folder)  # the clock was set back, and it was killed
    settle(folder)
    assert [record.status for record in history(folder)] == ["ok", "ok", "cancelled"]


@pytest.mark.parametrize("name", ["index.html", ".lock", "history", "failed"])
def test_what_stands_in_the_way_is_moved_not_deleted(folder, name):
    if name == "history":
        shutil.rmtree(folder / name)
        (folder / name).write_text("mine")
    elif name == "failed":
        (folder / name).symlink_to("nowhere")
    else:
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir()
        (folder / name / "letter.txt").write_text("mine")
    said = []
    run_something_else(folder, said)
    assert (folder / "index.html").is_file()
    assert os.path.lexists(folder / f"{name}.moved-1")
    assert len(said) == 1
    assert said[0].startswith(f"cdnow_sample/{name} was ")
    assert f"moved to {name}.moved-1" in said[0]
    said.clear()
    run_something_else(folder, said)
    assert said == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="Root may read everything.")
@pytest.mark.may_skip("rights are not asked of root")
def test_a_file_without_rights_is_passed_over(folder):
    (folder / "rfm" / "result.json").chmod(0)
    page, said = index(folder)
    assert "42%" not in page
    assert "permission denied" in said[0]


@pytest.mark.parametrize("name", ["notebook.ipynb", "result.json", "run.json"])
@pytest.mark.parametrize("form", ["half", "a list", "a folder", "a link to nothing", "edited"])
def test_render_passes_over_what_is_not_as_its_run_wrote_it(folder, name, form):
    make(folder, "churn")
    if form == "edited":
        path = folder / "rfm" / name
        path.write_text(path.read_text().replace("2", "7"))
    else:
        damage(folder / "rfm" / name, form)
    done = CliRunner().invoke(main, ["render", "--out", str(folder.parent)])
    assert done.exit_code == 1, done.output
    assert f"rfm/{name}" in done.output
    assert "It was passed over. Make it again with: crmlab run rfm" in done.output
    assert "Traceback" not in done.output
    assert (folder / "churn" / "report.html").is_file()
    assert not (folder / "rfm" / "report.html").exists()


@pytest.mark.parametrize("form", ["empty", "not UTF-8", "a list", "other types", "a folder"])
def test_commands_say_which_record_cannot_be_read(folder, form):
    make(folder, "churn")
    damage(folder / "rfm" / "run.json", form)
    for command in (["diff", str(folder / "rfm"), str(folder / "churn")], ["rerun", str(folder / "rfm" / "run.json")]):
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 2, done.output
        assert "crmlab: rfm/run.json holds no record of a run: " in done.output
    damage(sorted((folder / "history").iterdir())[0], form)
    done = CliRunner().invoke(main, ["history", "--data", "cdnow_sample", "--out", str(folder.parent)])
    assert done.exit_code == 0, done.output
    assert "It is passed over." in done.output
    assert done.output.count("  ok  ") == 2


def test_a_name_in_a_record_leads_out_of_no_folder(folder):
    for name in ("../../x", "/etc", "", ".hidden"):
        record = RunRecord(name, "cdnow_sample", "ok")
        (folder / "rfm" / "run.json").write_bytes(record.to_json())
        with pytest.raises(ReportError, match="holds no record of a run: report"):
            read_record(folder / "rfm")


@pytest.mark.parametrize("form", ["empty", "half", "a list", "other types"])
def test_a_notebook_of_the_project_that_is_none_is_named(tmp_path, monkeypatch, form):
    from crmlab.data.project import home
    from crmlab.report.registry import label, question

    for name in ("notebooks", "data"):
        shutil.copytree(home() / name, tmp_path / name, ignore=shutil.ignore_patterns("private", "explore"))
    monkeypatch.setenv("CRMLAB_HOME", str(tmp_path))
    (tmp_path / "notebooks" / "rfm.ipynb").write_bytes(FORMS[form])
    with pytest.raises(ReportError, match=r"The notebook notebooks/rfm\.ipynb cannot be read: "):
        question("rfm")
    assert label("rfm") == "Rfm"
    (record,) = run_reports([Order("cdnow_sample", ("rfm",))], Settings(out=tmp_path / "reports"))
    assert record.status == "failed"
    assert record.reason.startswith("The notebook notebooks/rfm.ipynb cannot be read: ")


@pytest.mark.proof
def test_every_file_of_a_report_that_is_damaged_is_made_again(tmp_path):
    order, said = Order("cdnow_sample", ("rfm",)), []
    settings = Settings(out=tmp_path, on_notice=said.append)
    (made,) = run_reports([order], settings)
    assert (made.status, said) == ("ok", [])
    place = tmp_path / "cdnow_sample" / "rfm"
    whole = {name: (place / name).read_bytes() for name in made.files}
    for name, form in (
        ("run.json", "half"),
        ("result.json", "flipped"),
        ("notebook.ipynb", "a folder"),
        ("metrics.json", "a link to nothing"),
    ):
        if form == "flipped":
            (place / name).write_bytes(whole[name].replace(b"2", b"3", 1))
        else:
            damage(place / name, form)
        (again,) = run_reports([order], settings)
        assert again.status == "ok"
        assert {name: (place / name).read_bytes() for name in again.files} == whole
        assert [text for text in said if text.startswith(f"rfm/{name} ") and "The report is made again." in text], said
        assert len(said) == 1
        said.clear()
    # A record of another report, whole in itself.
    other = read_record(place)
    (place / "run.json").write_bytes(dataclasses.replace(other, report="lifecycle").to_json())
    (again,) = run_reports([order], settings)
    assert said.pop() == "rfm/run.json is that of lifecycle of cdnow_sample. The report is made again."
    assert {name: (place / name).read_bytes() for name in again.files} == whole
    # The folder itself.
    shutil.rmtree(place)
    place.symlink_to("nowhere")
    (again,) = run_reports([order], settings)
    assert again.status == "ok"
    assert {name: (place / name).read_bytes() for name in again.files} == whole

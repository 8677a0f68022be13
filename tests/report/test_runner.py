"""Runs of real notebooks, through the package."""

import json
import re
import subprocess
import sys

import pytest

from crmlab.report.batches import Settings
from crmlab.report.jobs import Order
from crmlab.report.records import history, read_record
from crmlab.report.runner import run_reports

pytestmark = pytest.mark.proof


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRMLAB_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def made(cache, tmp_path_factory):
    out = tmp_path_factory.mktemp("reports")
    seen = []
    records = run_reports(
        [Order("cdnow_sample")], Settings(out=out, on_start=seen.append, on_end=lambda r: seen.append(r.status))
    )
    return out / "cdnow_sample", records, seen


def test_run_makes_every_report_that_the_data_allow(made):
    folder, records, seen = made
    assert {record.report for record in records if record.ok} >= {"rfm", "data_quality"}
    for record in records:
        if record.status != "ok":
            assert record.status == "skipped"
            continue
        place = folder / record.report
        names = {item.name for item in place.iterdir()}
        assert {"report.html", "notebook.ipynb", "tables", "metrics.json", "run.json", "result.json"} <= names
        assert read_record(place).status == "ok"
    assert seen.count("ok") == sum(record.ok for record in records)
    assert not list(folder.glob(".aside-*"))


def test_run_json_says_what_was_run(made):
    folder, _, _ = made
    record = json.loads((folder / "rfm" / "run.json").read_text())
    assert record["params"] == {"as_of": None, "compare_to": None, "bins": 5, "min_group": 5}
    assert record["inputs"]["rows"] == {"orders": 6919}
    assert record["error"] is None
    assert record["versions"]["pandas"]
    assert record["seconds"] >= record["cell_seconds"] > 0
    assert set(record["files"]) >= {"report.html", "metrics.json", "notebook.ipynb"}
    assert re.fullmatch(r"[0-9a-f]{64}", record["key"])


def test_executed_notebook_names_no_place_of_this_machine(made, tmp_path_factory):
    folder, _, _ = made
    text = (folder / "rfm" / "notebook.ipynb").read_text()
    assert str(tmp_path_factory.getbasetemp()) not in text
    assert "papermill" not in text


def test_page_leaves_out_code_and_says_when_history_ends(made):
    folder, _, _ = made
    page = (folder / "rfm" / "report.html").read_text()
    assert "run_notebook" not in page
    assert "CDNOW, tenth · history to 30 June 1998 · 2,357 customers" in page
    assert page.count("<h1") == 1
    assert "data-crmlab" not in page


def test_second_run_is_up_to_date_and_adds_no_history(made, cache):
    folder, _, _ = made
    before = len(history(folder))
    again = run_reports([Order("cdnow_sample", ("rfm",))], Settings(out=folder.parent))
    assert [record.status for record in again] == ["up_to_date"]
    assert len(history(folder)) == before


def test_damaged_report_is_made_again(made, cache):
    folder, _, _ = made
    whole = (folder / "rfm" / "report.html").read_bytes()
    (folder / "rfm" / "report.html").write_bytes(whole[:100])
    again = run_reports([Order("cdnow_sample", ("rfm",))], Settings(out=folder.parent))
    assert [record.status for record in again] == ["ok"]
    assert (folder / "rfm" / "report.html").read_bytes() == whole


def test_failed_run_leaves_the_last_good_report_and_says_so_on_the_index(made, cache):
    folder, _, _ = made
    good = (folder / "rfm" / "report.html").read_bytes()
    (record,) = run_reports([Order("cdnow_sample", ("rfm",), {"as_of": "1990-01-01"})], Settings(out=folder.parent))
    assert record.status == "failed"
    assert "1990-01-01 is before the first order" in record.reason
    assert record.error["type"] == "ParameterError"
    assert record.error["cell"] == 3
    assert (folder / "rfm" / "report.html").read_bytes() == good
    assert (folder / "failed" / "rfm" / "notebook.ipynb").is_file()
    assert not (folder / "failed" / "rfm" / "report.html").exists()
    index = (folder / "index.html").read_text()
    assert "Stale: the last run did not succeed" in index
    run_reports([Order("cdnow_sample", ("rfm",))], Settings(out=folder.parent, force=True))
    assert "Stale" not in (folder / "index.html").read_text()
    assert not (folder / "failed" / "rfm").exists()


def test_variants_of_a_plan_lie_beside_each_other(cache, tmp_path):
    order = Order("cdnow_sample", ("rfm",), {}, {"bins": [3, 4]})
    records = run_reports([order], Settings(out=tmp_path))
    assert [record.status for record in records] == ["ok", "ok"]
    assert (tmp_path / "cdnow_sample" / "rfm--bins-3" / "report.html").is_file()
    index = (tmp_path / "cdnow_sample" / "index.html").read_text()
    assert 'href="rfm--bins-4/report.html"' in index


SLOW = """
import sys, time
import traitlets

def resolve(self):
    # As traitlets does it, with a pause where another thread may come between.
    for name in ("klass", "default_value") if isinstance(self, traitlets.Type) else ("klass",):
        if isinstance(getattr(self, name), str):
            time.sleep(0.01)
            setattr(self, name, self._resolve_string(getattr(self, name)))

traitlets.Type._resolve_classes = traitlets.Instance._resolve_classes = resolve
from crmlab.cli.commands import main
main()
"""


def test_reports_that_begin_at_once_do_not_break_each_other(tmp_path, cache):
    arguments = ["run", "rfm", "data_quality", "--data", "cdnow_sample", "--jobs", "2", "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", SLOW, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

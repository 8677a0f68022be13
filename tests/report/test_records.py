import pytest

from crmlab.errors import ReportError
from crmlab.report.records import RunRecord, history, keep, read_record, settle, versions


def record(status="ok", started="2026-01-02T03:04:05.678+00:00", **rest):
    return RunRecord("rfm", "shop", status, started=started, **rest)


def test_history_is_in_order_and_passes_over_what_cannot_be_read(tmp_path):
    keep(record(started="2026-01-03T00:00:00.000+00:00"), tmp_path)
    keep(record(started="2026-01-02T00:00:00.000+00:00", status="failed"), tmp_path)
    (tmp_path / "history" / "0-bad.json").write_text("{")
    (tmp_path / "history" / "run-00000009-rfm.json").write_text("{")
    said = []
    # In the order in which they were kept: a clock may be set back.
    assert [item.status for item in history(tmp_path, said.append)] == ["ok", "failed"]
    assert said == [
        "history/run-00000009-rfm.json holds no record of a run: it is not JSON. Expected a run.json, or the folder of a report. "
        "It is passed over."
    ]


def test_keep_of_the_same_run_writes_the_same_file(tmp_path):
    one = record("running")
    keep(one, tmp_path)
    one.status = "ok"
    keep(one, tmp_path)
    assert [item.status for item in history(tmp_path)] == ["ok"]


def test_settle_tells_the_truth_about_killed_runs(tmp_path):
    keep(record("running"), tmp_path)
    settle(tmp_path)
    (found,) = history(tmp_path)
    assert found.status == "cancelled"
    assert found.reason == "The run was killed before it could end."


def test_read_record_takes_a_folder_and_refuses_what_is_none(tmp_path):
    (tmp_path / "run.json").write_bytes(record(params={"bins": 5}).to_json())
    assert read_record(tmp_path).params == {"bins": 5}
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(ReportError, match="holds no record of a run"):
        read_record(tmp_path)


def test_versions_name_python_and_packages():
    assert {"python", "crmlab", "pandas", "duckdb"} <= set(versions())

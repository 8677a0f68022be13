"""Kind: files that others may read. What names customers (lists, launch files, published tables, the campaign memory, the cache, pages that
show ids, records of runs, whatever is aside for a moment) would be open to everybody on the machine, as the umask leaves it.

Right is: 0600 for files and 0700 for folders, under every umask; what was opened on purpose stays open.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from crmlab.analyses.campaigns import launch_campaign
from crmlab.analyses.customers import CUSTOMERS, publish
from crmlab.data.cache import materialised
from crmlab.data.dataset import open_dataset
from crmlab.data.memory.campaigns import open_memory
from crmlab.data.private import private_folder
from crmlab.report.batches import Settings
from crmlab.report.jobs import Order
from crmlab.report.runner import run_reports

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such rights.")

CELLS = pd.DataFrame(
    {
        "cell_id": ["a-0", "a-1"],
        "control_cell_id": [None, "a-0"],
        "response_code": [None, "AYADH7"],
        "offer": [None, "gift"],
        "creative": [None, "plain"],
        "channel": "email",
        "planned_share": [0.5, 0.5],
    }
)


@pytest.fixture(params=["022", "000"], autouse=True)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(int(request.param, 8))
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """What of a folder, itself included, others may do something with; locks and links hold nothing."""
    found = [
        path
        for path in (folder, *folder.rglob("*"))
        if not path.is_symlink() and path.suffix != ".lock" and path.name != ".lock"
    ]
    return sorted(str(path.relative_to(folder)) for path in found if path.stat().st_mode & 0o077)


def test_a_launch_and_its_memory(tmp_path):
    data = open_dataset("cdnow_sample")
    memory = open_memory(tmp_path / "new" / "memory")
    memory.plan("spring", CELLS, {"salt": "of a test", "criteria": ["orders >= 3"]})
    done = launch_campaign("spring", data, memory, tmp_path / "lists" / "spring", consent_not_known=True)
    assert done.files and all(path.read_text().count("\n") > 100 for path in done.files)
    for folder in ("new", "lists"):
        assert open_to_others(tmp_path / folder) == []
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o700
    again = launch_campaign("spring", data, memory, tmp_path / "lists" / "spring")
    assert again.again and open_to_others(tmp_path / "lists") == []


def test_a_launch_file_that_was_open_is_closed_when_it_is_written_again(tmp_path):
    memory = open_memory(tmp_path / "memory")
    memory.plan("spring", CELLS, {"salt": "of a test", "criteria": ["orders >= 3"]})
    file = launch_campaign("spring", open_dataset("cdnow_sample"), memory, tmp_path / "lists", consent_not_known=True).files[0]
    file.chmod(0o644)
    launch_campaign("spring", open_dataset("cdnow_sample"), memory, tmp_path / "lists")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def frame() -> pd.DataFrame:
    return pd.DataFrame({"customer_id": ["1", "2"], "as_of": pd.Timestamp("2026-01-01").date()})


def test_published_tables(tmp_path):
    publish({CUSTOMERS: frame()}, str(tmp_path / "here" / "customers.duckdb"))
    publish({CUSTOMERS: frame()}, str(tmp_path / "there"))
    publish({CUSTOMERS: frame().head(1)}, str(tmp_path / "there"))
    assert open_to_others(tmp_path / "here") == [] and open_to_others(tmp_path / "there") == []


def test_what_was_opened_on_purpose_stays_open(tmp_path):
    place = tmp_path / "here" / "customers.duckdb"
    publish({CUSTOMERS: frame()}, str(place))
    place.chmod(0o640)
    publish({CUSTOMERS: frame().head(1)}, str(place))
    assert stat.S_IMODE(place.stat().st_mode) == 0o640
    folder = tmp_path / "there"
    publish({CUSTOMERS: frame()}, str(folder))
    run = (folder / "current").resolve()
    run.chmod(0o750)
    publish({CUSTOMERS: frame().head(1)}, str(folder))
    new = (folder / "current").resolve()
    assert new != run and stat.S_IMODE(new.stat().st_mode) == 0o750
    assert {stat.S_IMODE(path.stat().st_mode) for path in new.iterdir()} == {0o640}


def test_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLAB_CACHE", str(tmp_path / "cache"))

    def build(folder: Path) -> tuple[dict[str, int], tuple[()], tuple[()]]:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700  # aside, too
        (folder / "orders.parquet").write_bytes(b"x")
        return {"orders": 1}, (), ()

    materialised("mine", "0" * 64, build)
    assert open_to_others(tmp_path / "cache") == []


def test_a_folder_that_is_there_stays_as_it_is(tmp_path):
    (tmp_path / "shared").mkdir(mode=0o755)
    before = stat.S_IMODE((tmp_path / "shared").stat().st_mode)
    private_folder(tmp_path / "shared" / "mine" / "deep")
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == before
    assert open_to_others(tmp_path / "shared" / "mine") == []
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        private_folder(tmp_path / "file")


@pytest.mark.nightly
@pytest.mark.parametrize("umask", ["000"], indirect=True)  # a run takes a minute: where everything would be open to everybody
def test_reports_and_their_lists(tmp_path):
    out = tmp_path / "out"
    orders = [
        Order("cdnow_sample", ("rfm", "data_quality")),
        Order("cdnow_sample", ("customer_profile",), {"customer_id": "00004"}),
    ]
    records = run_reports(orders, Settings(out=out))
    assert all(record.ok for record in records), [record.reason for record in records]
    place = out / "cdnow_sample"
    assert open_to_others(place / "rfm" / "outputs") == []
    assert (place / "rfm" / "outputs").is_dir()
    assert open_to_others(place / "data_quality") == [] and open_to_others(place / "customer_profile") == []
    assert [path for path in (*place.rglob("run.json"), *place.glob("history/*.json")) if path.stat().st_mode & 0o077] == []
    # The page of segments names nobody: who may read the folder around it may read it.
    assert (place / "rfm" / "report.html").stat().st_mode & 0o044 == 0o044
    failed = run_reports([Order("cdnow_sample", ("customer_profile",), {"customer_id": "nobody"})], Settings(out=out))
    assert not failed[0].ok and open_to_others(place / "failed" / "customer_profile") == []

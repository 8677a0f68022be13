"""The net under changes: what ``tools/pages.py`` calls the same, and what it calls different."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from crmlab.data.catalog import dataset_names
from crmlab.data.project import home

TOOL = Path(__file__).parents[1] / "tools" / "pages.py"
SPEC = importlib.util.spec_from_file_location("pages_tool", TOOL)
assert SPEC is not None and SPEC.loader is not None
pages = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(pages)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("before", "after"):
        place = tmp_path / name / "shop" / "rfm"
        (place / "tables").mkdir(parents=True)
        (place / "report.html").write_text("<p>It&#x27;s</p>", encoding="utf-8")
        (place / "run.json").write_text(name)
        (place / "metrics.json").write_text("{}")
        (place / "tables" / "segments.csv").write_text("a,b\n1,2\n")
        (tmp_path / name / "shop" / "index.html").write_text(name)
    return tmp_path / "before", tmp_path / "after"


def test_the_same_pages_are_the_same_whatever_the_records_say(folders):
    before, after = folders
    (after / "shop" / "rfm" / "report.html").write_text("<p>It&#39;s</p>", encoding="utf-8")
    assert pages.compare(before, after) == []
    assert set(pages.contents(before)) == {"shop/rfm/report.html", "shop/rfm/metrics.json", "shop/rfm/tables/segments.csv"}


def test_a_byte_that_differs_is_seen_and_so_is_a_file_that_is_missing(folders):
    before, after = folders
    (after / "shop" / "rfm" / "tables" / "segments.csv").write_text("a,b\n1,3\n")
    (after / "shop" / "rfm" / "metrics.json").unlink()
    (before / "shop" / "rfm" / "report.html").write_text("<p>Its</p>")
    lines = pages.compare(before, after)
    assert len(lines) == 3
    assert lines[0].startswith("only in") and lines[0].endswith("metrics.json")
    assert lines[1:] == ["differs: shop/rfm/report.html", "differs: shop/rfm/tables/segments.csv"]
    done = subprocess.run([sys.executable, str(TOOL), "compare", str(before), str(after)], capture_output=True, check=False)
    assert done.returncode == 1


def test_every_data_set_that_ships_is_rendered():
    assert home() == Path(__file__).parents[1]
    assert set(pages.CUSTOMERS) == set(dataset_names())

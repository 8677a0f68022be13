"""A file that would need more memory than anybody has is refused with a sentence, before it is read.

Else one stray cell, or a small file that unpacks to gigabytes, ends the process, or the whole machine.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from crmlab.data.dataset import open_dataset
from crmlab.data.guess import look, write
from crmlab.errors import CrmlabError, SourceError
from tests.books import workbook

HEADER = ["order_id", "customer_id", "order_date", "amount"]
ROWS = [HEADER, *([f"A{i}", f"C{i % 3}", f"2024-01-1{i % 10}", "5.00"] for i in range(12))]


def cells(rows=ROWS) -> str:
    lines = []
    for i, row in enumerate(rows, start=1):
        listed = "".join(f'<c r="{"ABCD"[j]}{i}" t="inlineStr"><is><t>{cell}</t></is></c>' for j, cell in enumerate(row))
        lines.append(f'<row r="{i}">{listed}</row>')
    return "".join(lines)


FAR = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
AMONG = '<row r="14"><c r="XFD1048576"><v>1</v></c></row>'  # its row says otherwise


def refused(project: Path, path: Path) -> tuple[str, str]:
    """What `crmlab new` and the reader say of a file."""
    toml = project / "data" / "mine.toml"
    toml.write_text(f'[orders]\nfile = "{path}"\nordered_at = "order_date"\n')
    with pytest.raises(SourceError) as first:
        look(path)
    with pytest.raises(CrmlabError) as second:
        open_dataset(toml)
    assert "\n" not in f"{first.value}{second.value}"
    return str(first.value), str(second.value)


@pytest.mark.parametrize("stray", [FAR, AMONG])
def test_a_cell_that_stands_far_off(empty_project, stray):
    for said in refused(empty_project, workbook(empty_project / "o.xlsx", cells() + stray)):
        assert (
            "o.xlsx cannot be read. Its sheet 'S1' reaches to cell XFD1048576, which makes 17,179,869,184 cells, and at most 30,000,000 "
            "can be read. Delete what stands far off the table, or save the table as csv." in said
        )


def test_a_far_cell_in_another_sheet_does_no_harm(empty_project):
    path = workbook(empty_project / "o.xlsx", cells(), cells() + FAR)
    assert any("'S2' is passed over. Its sheet 'S2' reaches to cell XFD1048576" in doubt for doubt in look(path).doubts)
    assert open_dataset(write(path, folder=empty_project / "data")).orders.count().to_pyarrow().as_py() == 12


def test_a_sheet_that_unpacks_to_gigabytes(empty_project):
    for said in refused(empty_project, workbook(empty_project / "o.xlsx", cells(), claimed=1_700_000_000)):
        assert "Its sheet 'S1' unpacks to 1.7 GB, and at most 1.1 GB can be read. Save the sheet as csv." in said


@pytest.mark.proof
def test_a_sheet_that_holds_the_same_over_and_over(empty_project):
    for said in refused(empty_project, workbook(empty_project / "o.xlsx", cells() + " " * (211 << 20))):
        assert "Its sheet 'S1' holds the same over and over: " in said
        assert said.endswith("Save the sheet as csv.")


def test_a_workbook_that_the_process_cannot_hold(empty_project, monkeypatch):
    """However it hides its size: the process that reads it has a limit, and no other process is touched."""
    from crmlab.data.reading import workbook as module

    path = workbook(empty_project / "o.xlsx", cells() + '<row r="7000000"><c r="D7000000"><v>1</v></c></row>')
    monkeypatch.setattr(module, "_MEMORY", 300 << 20)
    for said in refused(empty_project, path):
        assert said.endswith("Save the sheet as csv, and read that.")


def test_a_workbook_that_takes_too_long(empty_project, monkeypatch):
    from crmlab.data.reading import workbook as module

    monkeypatch.setattr(module, "_SECONDS", 0.0)
    monkeypatch.setattr(module._Reader, "tell", lambda self, content: None)  # it would wait for ever
    for said in refused(empty_project, workbook(empty_project / "o.xlsx", cells())):
        assert "It takes more than 0 minutes. Save the sheet as csv, and read that." in said


@pytest.mark.parametrize("columns", [20_000, 100_000])
def test_a_text_of_too_many_columns(empty_project, columns):
    path = empty_project / "o.csv"
    path.write_text("\n".join([",".join(f"c{i}" for i in range(columns)), ",".join(["1"] * columns)]) + "\n")
    said = refused(empty_project, path)
    assert all("at most 5,000" in sentence and "Export it with a line for each record" in sentence for sentence in said)
    assert f"It has {columns:,} columns, and at most 5,000 can be read." in said[1]


def test_a_text_without_ends_of_lines(empty_project):
    path = empty_project / "o.csv"
    path.write_bytes(b"a text that does not end " * 800_000)
    first, second = refused(empty_project, path)
    assert "Its first line has more than 400,000 characters" in first
    assert "A line of it is longer than 16 million characters." in second


def test_a_line_without_an_end_further_down(empty_project):
    path = empty_project / "o.csv"
    with path.open("wb") as stream:
        stream.write("\n".join(map(",".join, ROWS)).encode() + b"\n")
        stream.write(b"1,C1,2024-01-01,5 " * 1_200_000 + b"\n")
    toml = empty_project / "data" / "mine.toml"
    toml.write_text(f'[orders]\nfile = "{path}"\nordered_at = "order_date"\n')
    with pytest.raises(CrmlabError, match="A line of it is longer than 16 million characters"):
        open_dataset(toml)

"""Kind: lists that run formulas. A name such as ``=HYPERLINK(…)`` in somebody's orders would be run by the spreadsheet in which a colleague
opens the list, also where it stands after a semicolon or a tab at which that spreadsheet splits.

Right is: no cell of any csv or workbook begins with what starts a formula; numbers stay numbers; and whatever crmlab reads back is what it
was, to the last character.
"""

from __future__ import annotations

import csv
import io
import re
import time
import zipfile
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import crmlab
from crmlab.analyses.customers import CUSTOMERS, publish
from crmlab.data.memory.campaigns import open_memory
from crmlab.page.quantities import Quantities
from crmlab.page.result import Output
from crmlab.page.sheets import LONGEST_TEXT, as_it_was, cut, neutral, too_long, write_csv, write_workbook
from crmlab.report.saving import save, with_cuts_said
from tests.commands import campaign

SIGNS = ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\ufe66", "\ufe62", "\ufe63", "\ufe6b"]
LEADS = [
    "",
    " ",
    "   ",
    "\t",
    "\r",
    "\n",
    "\r\n",
    "\xa0",
    "\u3000",
    "\u200b",
    "\ufeff",
    "a;",
    "a\t",
    "a\n",
    "a; ",
    "a;\t",
    ";;",
    "'",
    "''",
    "a;'",
]


def cells_of(text: str) -> list[str]:
    """Every cell that a program may make of a text, split as it likes."""
    found = [text]
    for ends in (";", "\t", "\r", "\n"):
        found += [part for whole in list(found) for part in whole.split(ends)]
    return found


def runs(cell: str) -> bool:
    return cell.lstrip(" \t\r\n\xa0\u3000\u200b\ufeff").startswith(tuple(SIGNS))


@pytest.mark.parametrize("lead", LEADS)
@pytest.mark.parametrize("sign", SIGNS)
def test_no_cell_begins_a_formula_wherever_it_is_split(lead, sign):
    text = f"{lead}{sign}1+1"
    safe = neutral(text)
    assert safe != text
    assert not any(map(runs, cells_of(safe))) and safe[:1] not in ("\t", "\r", "\n")
    assert as_it_was(safe) == text


_TEXTS = st.text(st.sampled_from("=+-@\uff1d;\t\r\n '\"a1,\xa0\u200b|"), max_size=12)


@given(_TEXTS)
@example("\n\n=")
@example("'\t-")
def test_every_text_is_safe_and_comes_back(text):
    safe = neutral(text)
    assert not any(map(runs, cells_of(safe))) and safe[:1] not in ("\t", "\r", "\n")
    assert as_it_was(safe) == text
    assert as_it_was(neutral(safe)) == safe


@pytest.mark.parametrize(
    "value", [-5, -5.5, Decimal("-2.50"), None, True, float("nan"), "plain", "a=b", "it's", "a - b", "a;b", "a, -b", ""]
)
def test_what_runs_nothing_stays_as_it_is(value):
    assert neutral(value) == value or value != value


def test_a_long_text_takes_no_longer_than_its_length():
    begin = time.perf_counter()
    for text in ("\n" * 200_000, "; " * 100_000 + "=", "'" * 200_000 + "x", " " * 200_000):
        assert as_it_was(neutral(text)) == text
    assert time.perf_counter() - begin < 60  # no promise of speed: what is quadratic takes many minutes


@given(st.lists(st.tuples(_TEXTS, st.floats(-9, 9, allow_nan=False)), min_size=1, max_size=5))
def test_a_csv_holds_what_was_written_and_numbers_stay_numbers(tmp_path_factory, rows):
    place = tmp_path_factory.getbasetemp() / "some.csv"
    frame = pd.DataFrame(rows, columns=["text", "number"])
    write_csv(frame, place)
    raw = place.read_bytes().decode()
    read = list(csv.reader(io.StringIO(raw, newline="")))
    assert read[0] == ["text", "number"]
    assert [as_it_was(row[0]) for row in read[1:]] == frame["text"].tolist()
    assert [float(row[1]) for row in read[1:]] == frame["number"].tolist()
    assert all(not row[1].startswith("'") for row in read[1:])


def test_texts_that_others_split_are_in_quotes(tmp_path):
    frame = pd.DataFrame(
        {"id": ["7"], "name": ["Ann;=cmd|x"], "owed": [-1.5], "note": ["a\t-2"], "n": ["-12.50"], "d": [Decimal("-2.5")]}
    )
    write_csv(frame, tmp_path / "x.csv")
    assert (
        tmp_path / "x.csv"
    ).read_text() == '"id","name","owed","note","n","d"\n"7","Ann;\'=cmd|x",-1.5,"a\t\'-2","-12.50",-2.5\n'
    write_csv(frame.drop(columns=["name", "note"]), tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text() == "id,owed,n,d\n7,-1.5,-12.50,-2.5\n"
    write_csv(pd.DataFrame({"=a;@b": ["x"]}), tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text() == '"\'=a;\'@b"\n"x"\n'


def test_other_things_than_texts_run_nothing_either(tmp_path):
    class Name:
        def __str__(self) -> str:
            return "=1+1"

    write_csv(pd.DataFrame({"a": [Name()], "b": pd.Categorical(["=2"]), "c": [["x;=3"]]}), tmp_path / "x.csv")
    read = list(csv.reader(io.StringIO((tmp_path / "x.csv").read_text())))
    assert read[1] == ["'=1+1", "'=2", "['x;'=3']"]


def test_files_for_spreadsheets_have_one_owner():
    folder = Path(crmlab.__file__).parent
    writers = r"\.to_csv\(|\.to_excel\(|csv\.writer\(|write_csv\((?!frame|shown|hide)|ExcelWriter\("
    owners = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*.py") if re.search(writers, path.read_text("utf-8"))
    }
    # What a csv of somebody else's is brought into before it is read is for no spreadsheet: it lies in the scratch folder.
    assert owners == {"page/sheets.py", "data/reading/lines.py"}


# Launch files

IDS = ["-5", "'-5", "=1+1", "+49", "@x", "007", "a;=1", "b", "\uff1d1"]
PLAN = """
campaign = "spring"
salt = "of a test"
channel = "email"
opens_on = 2026-01-10
closes_on = 2026-02-06
[[cell]]
name = "s-0"
share = 0.1
[[cell]]
name = "s-1"
share = 0.9
control = "s-0"
offer = "=HYPERLINK(1)"
creative = "a;@b"
"""


@pytest.fixture
def project(empty_project: Path) -> Path:
    names = pd.DataFrame({"customer_id": IDS, "name": [f"={i}" for i in range(len(IDS))], "owed": ["-1.50"] * len(IDS)})
    names.to_parquet("customers.parquet")
    orders = {
        "order_id": [str(i) for i in range(2 * len(IDS))],
        "customer_id": IDS * 2,
        "ordered_at": pd.Timestamp("2024-12-01"),
        "amount": 5.0,
    }
    pd.DataFrame(orders).to_parquet("data/orders.parquet")
    names.to_csv("list.csv", index=False)
    Path("data/mine.toml").write_text('[source]\nkind = "files"\n[orders]\nfile = "orders.parquet"\n')
    return empty_project


def test_launch_files_run_nothing_and_are_read_back(project):
    Path("spring.toml").write_text(PLAN)
    campaign("plan", "spring.toml")
    campaign(
        "launch",
        "spring",
        "--data",
        "mine",
        "--list",
        "list.csv",
        "--out",
        "out",
        "--with",
        "name",
        "--with",
        "owed",
        "--consent-not-known",
    )
    raw = Path("out/spring-email.csv").read_bytes().decode()
    rows = list(csv.DictReader(io.StringIO(raw, newline="")))
    sent = open_memory().assignments("spring").query("cell_id == 's-1'")["customer_id"].tolist()
    assert len(sent) >= 7
    assert [as_it_was(row["customer_id"]) for row in rows] == sent
    assert not any(runs(cell) for row in rows for key, value in row.items() if key != "owed" for cell in cells_of(value))
    assert {row["owed"] for row in rows} == {"-1.50"}
    # The list of the first is the list of the second: the same people.
    Path("again.toml").write_text(PLAN.replace("spring", "again").replace("s-", "g-"))
    campaign("plan", "again.toml")
    campaign("launch", "again", "--data", "mine", "--list", "out/spring-email.csv", "--out", "out2", "--consent-not-known")
    assert sorted(open_memory().assignments("again")["customer_id"]) == sorted(sent)


def test_a_published_table_gives_the_same_ids(project):
    frame = pd.DataFrame({"customer_id": IDS, "as_of": pd.Timestamp("2026-01-01").date()})
    publish({CUSTOMERS: frame}, str(project / "there"))
    assert sorted(pd.read_parquet(project / "there" / "current" / f"{CUSTOMERS}.parquet")["customer_id"]) == sorted(IDS)


# Workbooks


def test_workbooks_hold_texts_and_no_formulas(tmp_path):
    write_workbook(pd.DataFrame({"=name": ["=1+1", "@x", "https://x.org"], "n": [-1.5, 2, None]}), tmp_path / "x.xlsx")
    read = pd.read_excel(tmp_path / "x.xlsx", engine="calamine", header=None)
    assert read[0].tolist() == ["=name", "=1+1", "@x", "https://x.org"]
    assert read[1].tolist()[:3] == ["n", -1.5, 2]
    with zipfile.ZipFile(tmp_path / "x.xlsx") as parts:
        assert b"<f>" not in parts.read("xl/worksheets/sheet1.xml")


@pytest.mark.parametrize("text", ["x" * (LONGEST_TEXT + 1), "\U0001f600" * 20_000, "x" + "\U0001f600" * 16_383 + "y"])
def test_texts_that_do_not_fit_are_cut_between_characters(tmp_path, text):
    assert too_long(text)
    kept = cut(text)
    assert text.startswith(kept) and LONGEST_TEXT - 1 <= len(kept.encode("utf-16-le")) // 2 <= LONGEST_TEXT
    write_workbook(pd.DataFrame({"a": [text, "b"]}), tmp_path / "x.xlsx")
    assert pd.read_excel(tmp_path / "x.xlsx", engine="calamine")["a"].tolist() == [kept, "b"]


def test_a_cut_text_is_said_on_the_page_and_csv_has_it_whole(tmp_path, result_of):
    from dataclasses import replace

    result = result_of("rfm", "cdnow_sample")
    long = "x" * 40_000
    frame = pd.DataFrame({"customer_id": ["1", "2"], "note": [long, "short"]})
    made = replace(
        result, outputs={"people": Output("People", frame, ("customer_id",))}, quantities=Quantities(result.quantities)
    )
    assert with_cuts_said(made, ()) is made
    said = with_cuts_said(made, ("xlsx",))
    assert said.warnings[-1] == (
        "In people.xlsx 1 text is cut after 32,767 characters, the most that a cell of a workbook holds (note). people.csv has them whole."
    )
    save(said, tmp_path, ("xlsx",))
    assert pd.read_csv(tmp_path / "outputs" / "people.csv", dtype=str)["note"].tolist() == [long, "short"]
    for rows in (frame.tail(1), frame.head(0), frame.head(0).astype("str")):
        short = replace(made, outputs={"people": Output("People", rows, ("customer_id",))})
        assert with_cuts_said(short, ("xlsx",)).warnings == made.warnings
        save(short, tmp_path / str(len(rows)), ("xlsx",))

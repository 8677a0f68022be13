"""Kind: a name that gives the terminal orders. The title of a data set, a column, a cell or a file's name may hold what a terminal obeys (ESC,
CSI, OSC, BEL, C1) or what turns the direction of reading; printed as it is, it would hide lines, write into the clipboard or show another
name than there is.

Right is: whatever is printed shows them as Python escapes them, errors too; and in HTML they are nowhere.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import crmlab
from crmlab.cli import main
from crmlab.cli.grids import say, show_table
from crmlab.data.memory.campaigns import open_memory
from crmlab.errors import (
    CampaignError,
    CrmlabError,
    DataError,
    ParameterError,
    ReportError,
    SourceError,
    hint_at,
    shown,
    visible,
)
from crmlab.page.html import safe
from crmlab.report.progress import Progress
from crmlab.report.records import RunRecord

ORDERS = {
    "colour": "\x1b[31m",
    "title": "\x1b]0;owned\x07",
    "clipboard": "\x1b]52;c;ZXZpbA==\x1b\\",
    "bell": "\x07",
    "C1": "\x9b31m",
    "return": "good\rbad",
    "backspace": "ab\x08\x08cd",
    "override": "exe.\u202egpj",
    "isolate": "a\u2066b\u2069",
    "delete": "\x7f",
    "line": "a\u2028b",
}
# What a terminal obeys; tab and the end of a line are for those who print.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
ERRORS = (CrmlabError, CampaignError, DataError, ParameterError, ReportError, SourceError)


@pytest.fixture(params=ORDERS.values(), ids=ORDERS)
def order(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def harmless(text: str) -> bool:
    return OBEYED.search(text) is None


def test_errors_show_orders(order):
    made = [error(f"The file {order} is odd.") for error in ERRORS]
    made += [
        CrmlabError.lacks(order, order, [order]),
        CrmlabError.must_be(order, order, order, order),
        CrmlabError.must_hold(order, order, order, order, order),
        CrmlabError.needs(order, order, order, order),
        CrmlabError.no_such(order, order, [order], order),
        CrmlabError.cannot(order, order, order, order),
        CampaignError.unreadable(order, order),
        CampaignError.unknown_cells(order, [order], [order]),
    ]
    for error in made:
        assert harmless(str(error)), repr(str(error))
    assert ascii(order[-1])[1:-1] in str(made[0]) or order[-1].isprintable()


@pytest.mark.parametrize(
    "value",
    [
        lambda text: text,
        lambda text: Path(text),
        lambda text: [text],
        lambda text: type("Odd", (), {"__str__": lambda _: text})(),
    ],
)
def test_shown_shows_orders_of_whatever_type(order, value):
    assert harmless(shown(value(order)))
    assert harmless(str(CrmlabError(hint_at("x", [order]))))


def test_what_is_printed_shows_orders(order, capsys):
    say(f"Title {order}")
    say(f"Title {order}", err=True)
    show_table([(order, 1), ("b", 2)], (order, "n"), numbers={1})
    out = capsys.readouterr()
    assert harmless(out.out) and harmless(out.err)
    assert len(out.out.splitlines()) == 4  # a row stays a row


def test_a_cell_with_lines_stays_a_row(capsys):
    show_table([("a\nb\tc", 1)])
    assert capsys.readouterr().out == "  a\\nb\\tc  1\n"


def test_progress_shows_orders(order, capsys):
    with Progress() as progress:
        progress.waiting(Path(f"out{order}[red]"))
        progress.started(order)
        progress.ended(RunRecord("rfm", "x", "failed", reason=f"no {order}\nfake line", variant=order, notes=[order]))
    out = capsys.readouterr().out
    assert harmless(out) and "[red]" in out and "\nfake line" not in out


@given(st.text())
def test_everything_is_harmless_once_and_twice(text):
    assert harmless(visible(text)) and visible(visible(text)) == visible(text)
    visible(text).encode()  # half characters too


@pytest.mark.parametrize("text", ["Zoë’s Läden", "متجر", "חנות", "店", "👩‍👧", "a\u200cb", "a\tb\nc", "50 % – “x”"])
def test_what_people_write_stays(text):
    assert visible(text) == text


def test_names_of_files_that_no_terminal_can_write():
    assert visible("caf\udce9.csv") == "caf\\udce9.csv"
    str(SourceError.cannot("The file caf\udce9.csv", "be read")).encode()


# The commands


@pytest.fixture
def project(empty_project: Path) -> Path:
    Path("data/orders.csv").write_text("order_id,customer_id,ordered_at,amount\n1,7,2024-01-01,5\n2,8,2024-01-02,6\n")
    return empty_project


def toml(text: str) -> str:
    """A text as a TOML file holds it."""
    return '"' + "".join(ch if ch.isprintable() and ch not in '"\\' else f"\\U{ord(ch):08x}" for ch in text) + '"'


def describe_data(order: str, more: str = "") -> None:
    Path("data/mine.toml").write_text(
        f'title = {toml("Shop " + order)}\n[source]\nkind = "files"\n[orders]\nfile = "orders.csv"\n{more}', encoding="utf-8"
    )


def outputs(*arguments: str) -> str:
    done = CliRunner().invoke(main, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.output


@pytest.mark.parametrize("order", [ORDERS["title"], ORDERS["override"], ORDERS["C1"]], ids=["title", "override", "C1"])
def test_commands_show_orders(project, order):
    describe_data(order)
    shown_order = visible(order)
    said = outputs("list")
    assert harmless(said) and shown_order in said
    said = outputs("check", "mine")
    assert harmless(said) and shown_order in said
    describe_data("", f"amount = {toml('sum' + order)}\n")  # a column that is not there
    assert harmless(outputs("check", "mine"))
    describe_data("", f"{toml(order)} = 1\n")  # a key that nobody knows
    assert harmless(outputs("check", "mine"))
    for arguments in (
        ("check", order),
        ("describe", order),
        ("run", order),
        ("new", order),
        ("history", "--data", order),
        ("diff", order, order),
    ):
        assert harmless(outputs(*arguments)), arguments


def test_columns_and_names_of_files_show_orders(project):
    odd = Path("data/or\x1b]0;x\x07ders.csv")
    odd.write_text("cust\x1b[2J,d\x9bate,am\u202eount\na,b,c\n")
    assert harmless(outputs("new", str(odd)))


def test_campaigns_show_orders(project):
    cells = pd.DataFrame(
        {"cell_id": ["a\x1b[2J", "b\u202e"], "control_cell_id": [None, "a\x1b[2J"], "offer": [None, "gift\x07"]}
    )
    memory = open_memory()
    memory.plan("spring", cells)
    memory.record_results("spring", pd.DataFrame({"cell_id": ["a\x1b[2J", "b\u202e"], "metric": "response\x9b", "n": 2}))
    said = outputs("campaign", "history")
    assert harmless(said) and "gift\\x07" in said
    Path("plan\x1b[2J.toml").write_text("x = 1")
    assert harmless(outputs("campaign", "plan", "plan\x1b[2J.toml"))


def test_commands_print_in_one_place():
    folder = Path(crmlab.__file__).parent
    printing = {
        path.name
        for path in (folder / "cli").glob("*.py")
        if re.search(r"click\.s?echo\(|(?<!console\.)\bprint\(", path.read_text("utf-8"))
    }
    assert printing == {"grids.py"}


# Pages


def test_pages_hold_no_orders(order):
    assert harmless(str(safe(f"Title {order}")))


@pytest.mark.proof
def test_the_title_of_a_page_holds_no_orders(project):
    from crmlab.report.batches import Settings
    from crmlab.report.jobs import Order
    from crmlab.report.runner import run_reports

    Path("data/orders.csv").write_text(
        "order_id,customer_id,ordered_at,amount\n"
        + "".join(f"{i},{i % 40},2024-{1 + i % 12:02d}-0{1 + i % 7},{5 + i % 9}\n" for i in range(400))
    )
    describe_data("".join(ORDERS.values()))
    (project / "notebooks").rmdir()
    (project / "notebooks").symlink_to(Path(__file__).parents[2] / "notebooks")
    records = run_reports([Order("mine", ("rfm",))], Settings(out=project / "out"))
    assert records[0].ok, records[0].reason
    for page in (project / "out" / "mine").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert harmless(text) and "Shop" in text

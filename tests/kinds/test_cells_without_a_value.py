"""A cell of a workbook that holds an error, or a formula that was never worked out, is named as what it is.

Else a message speaks of an empty cell where the user sees a formula, and money that nobody worked out counts as none.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from crmlab.data.dataset import open_dataset
from crmlab.data.guess import look
from crmlab.errors import CrmlabError
from tests.books import workbook

NAMES = ("order_id", "customer_id", "ordered_at", "amount", "channel", "refund")
FORMULA = "<c r='{}'><f>2*3</f><v></v></c>"
STORED = '<c r="{}"><f>2*3</f><v>6</v></c>'
EMPTY_TEXT = '<c r="{}" t="str"><f>""</f><v></v></c>'
ERROR = '<c r="{}" t="e"><v>%s</v></c>'


def sheet(**cells: str) -> str:
    """Five orders of 1 with a refund of 0; cells may be replaced by others."""
    lines = [[f'<c r="{{}}" t="inlineStr"><is><t>{name}</t></is></c>' for name in NAMES]]
    for i in range(5):
        texts = (f"A{i}", f"C{i % 2}", f"2024-01-1{i}")
        line = [f'<c r="{{}}" t="inlineStr"><is><t>{text}</t></is></c>' for text in texts]
        lines.append(
            [*line, '<c r="{}"><v>1</v></c>', '<c r="{}" t="inlineStr"><is><t>web</t></is></c>', '<c r="{}"><v>0</v></c>']
        )
    made = ""
    for i, line in enumerate(lines, start=1):
        placed = {f"{'ABCDEF'[j]}{i}": cell for j, cell in enumerate(line)}
        made += f'<row r="{i}">' + "".join(cells.get(place, cell).format(place) for place, cell in placed.items()) + "</row>"
    return made


def toml(project, *, options: str = "", **cells: str):
    path = workbook(project / "o.xlsx", sheet(**cells), dimension="A1:F6")
    file = project / "data" / "mine.toml"
    file.write_text(f'{options}\n[orders]\nfile = "{path}"\nrefund = "refund"\n')
    return file


def test_values_of_formulas_are_values(empty_project):
    orders = open_dataset(toml(empty_project, D2=STORED, E3=EMPTY_TEXT)).orders
    assert orders["amount"].sum().to_pyarrow().as_py() == Decimal(10)


@pytest.mark.proof
@pytest.mark.parametrize(
    ("cell", "found"),
    [
        (FORMULA, "a formula without a value"),
        ("<c r='{}'><f>2*3</f></c>", "a formula without a value"),
        ('<c r="{}"><f t="shared" si="0"/></c>', "a formula without a value"),
        (ERROR % "#N/A", "#N/A"),
        (ERROR % "#REF!", "#REF!"),
        (ERROR % "#DIV/0!", "#DIV/0!"),
    ],
)
def test_what_stands_where_an_amount_is_needed_is_named(empty_project, cell, found):
    with pytest.raises(CrmlabError) as caught:
        open_dataset(toml(empty_project, D4=cell))
    assert str(caught.value).startswith(
        "orders: 1 of 5 rows has no valid amount in column 'amount', first in row 3 below the header"
    )
    assert f" Found: {found}. " in str(caught.value)
    dropped = open_dataset(toml(empty_project, options='bad_rows = "drop"', D4=cell))
    assert [(row.reason, row.rows) for row in dropped.ledger] == [(None, 4), ("unreadable", 1)]
    assert dropped.ledger[1].examples[0]["row"] == "3"


@pytest.mark.parametrize("cell", [FORMULA, '<c r="{}" t="e"><v>#REF!</v></c>'])
@pytest.mark.parametrize("place", ["B4", "C4", "F4"])
def test_no_formula_without_a_value_is_read_as_nothing(empty_project, cell, place):
    """Neither where a value may be missing: a customer, a refund."""
    with pytest.raises(
        CrmlabError, match="first in row 3 below the header of o.xlsx. Found: (a formula without a value|#REF!). "
    ):
        open_dataset(toml(empty_project, **{place: cell}))


def test_not_available_is_missing_where_a_value_may_be(empty_project):
    orders = open_dataset(toml(empty_project, E4='<c r="{}" t="e"><v>#N/A</v></c>')).orders
    assert orders.count().to_pyarrow().as_py() == 5
    assert orders["channel"].isnull().sum().to_pyarrow().as_py() == 1


def test_columns_that_are_not_read_may_hold_anything(empty_project):
    path = toml(empty_project, E4=FORMULA)
    path.write_text(path.read_text() + 'channel = "order_id"\n')
    assert open_dataset(path).orders.count().to_pyarrow().as_py() == 5


def test_new_says_what_it_saw(empty_project):
    doubts = " ".join(
        look(toml(empty_project, D4=FORMULA, D5=FORMULA, D6='<c r="{}" t="e"><v>#N/A</v></c>').parents[1] / "o.xlsx").doubts
    )
    assert "In 'S1' 2 cells hold a formula without a value. Open the workbook" in doubts
    assert "In 'S1' 1 cell holds #N/A. It is read as an empty cell." in doubts


def test_numbers_of_more_digits_than_a_workbook_keeps_are_told(empty_project, tmp_path):
    from crmlab.data.reading import engines, source
    from crmlab.data.table_section import TableSection

    long = {f"B{i}": '<c r="{}"><v>491765000000000' + f"{i}</v></c>" for i in range(2, 7)}
    path = workbook(empty_project / "o.xlsx", sheet(**long), dimension="A1:F6")
    con = engines.scratch_duckdb()
    try:
        raw = source.read_file(con, TableSection("orders"), path, tmp_path, lambda names: names)
    finally:
        con.disconnect()
    assert raw.rounded == ("customer_id",)
    (empty_project / "data" / "mine.toml").write_text(f'[orders]\nfile = "{path}"\n')
    ids = open_dataset(empty_project / "data" / "mine.toml").orders["customer_id"].to_pyarrow().to_pylist()
    assert sorted(ids) == [f"491765000000000{i}" for i in range(2, 7)]

"""Titles, notes, group titles, totals and signs at the ends of lines are no records, in whatever file they stand.

Else the commonest exports are refused, a total row doubles what was sold, or a title is taken for the names of columns.
"""

from __future__ import annotations

import gzip
import io
import json
from decimal import Decimal
from pathlib import Path

import pytest
import xlsxwriter

from crmlab.data.dataset import open_dataset
from crmlab.data.guess import look, write
from crmlab.errors import CrmlabError

HEADER = ["order_id", "customer_id", "order_date", "amount"]
RECORDS = [[f"A-{i:03}", f"C{i % 7:03}", f"2024-0{1 + i % 9}-1{i % 10}", f"{10 + i}.50"] for i in range(20)]
SOLD = Decimal("400.00")  # 20 · 10.50 + (0 + 1 + … + 19)
TITLE = ["Sales report 2024"]
NOTE = ["Prepared by Controlling, all amounts in EUR"]
BLANK: list[str] = []


def text(rows, sign=",", end="\n"):
    """Rows as a text file, with quotation marks where a sign stands within a field."""
    return end.join(sign.join(f'"{cell}"' if sign in cell else cell for cell in row) for row in rows) + end


def book(**sheets):
    """Rows as a workbook; what reads as a number is one."""
    packed = io.BytesIO()
    with xlsxwriter.Workbook(packed) as made:
        for name, rows in sheets.items():
            sheet = made.add_worksheet(name)
            for i, row in enumerate(rows):
                for j, cell in enumerate(row):
                    number = cell.replace(".", "", 1).removeprefix("-").isdigit()
                    (sheet.write_number(i, j, float(cell)) if number else sheet.write_string(i, j, cell)) if cell else None
    return packed.getvalue()


def sums(toml: Path) -> tuple[int, Decimal]:
    orders = open_dataset(toml).orders
    found = orders.aggregate(n=orders.count(), sold=orders["amount"].sum()).to_pyarrow().to_pylist()[0]
    return found["n"], found["sold"]


def from_new(project: Path, name: str, content: str | bytes) -> tuple[int, Decimal]:
    """What `crmlab new` and then reading make of a file."""
    path = project / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return sums(write(path, folder=project / "data"))


LAYOUTS = {
    "a title": ([TITLE, HEADER, *RECORDS], {"skip_rows": 1}),
    "a title, a note and an empty row": ([TITLE, NOTE, BLANK, HEADER, *RECORDS], {"skip_rows": 3}),
    "comments": ([["# exported by Billing 4.2"], ["# period 2024, all shops, all, all"], HEADER, *RECORDS], {"skip_rows": 2}),
    "keys and values": ([["Shop", "Main street"], ["Period", "2024"], BLANK, HEADER, *RECORDS], {"skip_rows": 3}),
    "group titles": ([["Order", "", "Money", ""], HEADER, *RECORDS], {"skip_rows": 1}),
    "a header of two rows": ([["order", "customer", "order", ""], ["id", "id", "date", "amount"], *RECORDS], {}),
    "a total": ([HEADER, *RECORDS, ["Total", "", "", str(SOLD)]], {"footer_rows": 1}),
    "a total after an empty row": ([HEADER, *RECORDS, BLANK, ["Summe:", "", "", str(SOLD)]], {"footer_rows": 1}),
    "a total at the side": ([HEADER, *RECORDS, ["", "", "Total général", str(SOLD)]], {"footer_rows": 1}),
    "a total without a word": ([HEADER, *RECORDS, ["", "", "", str(SOLD)]], {"footer_rows": 1}),
    "a total where customers stand": ([HEADER, *RECORDS, ["", "Suma", "", str(SOLD)]], {"footer_rows": 1}),
    "a total and a note": (
        [HEADER, *RECORDS, ["Totaal", "", "", str(SOLD)], BLANK, ["Exported for internal use"]],
        {"footer_rows": 3},
    ),
    "all of it": ([TITLE, BLANK, HEADER, *RECORDS, BLANK, ["Gesamt", "", "", str(SOLD)]], {"skip_rows": 2, "footer_rows": 1}),
}


@pytest.mark.proof
@pytest.mark.parametrize("kind", ["csv", "semicolon", "workbook", "packed"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_new_finds_what_is_no_record(empty_project, layout, kind):
    rows, options = LAYOUTS[layout]
    content: str | bytes = text(rows, ";" if kind == "semicolon" else ",", "\r\n" if kind == "semicolon" else "\n")
    name = {"workbook": "o.xlsx", "packed": "o.csv.gz"}.get(kind, "o.csv")
    if kind == "workbook":
        content = book(Orders=rows)
    if kind == "packed":
        content = gzip.compress(content.encode())
    (empty_project / name).write_bytes(content.encode() if isinstance(content, str) else content)
    guess = look(empty_project / name)
    assert {key: guess.options[key] for key in options} == options
    assert all(guess.remarks[key] for key in options)
    assert from_new(empty_project, name, content) == (20, SOLD)


@pytest.mark.proof
def test_names_of_a_header_of_two_rows_are_joined(empty_project):
    rows = [
        ["Order", "", "", "Amount", ""],
        ["id", "date", "by", "net", "gross"],
        ["1", "2024-01-31", "K1", "10", "11.9"],
        ["2", "2024-02-01", "K2", "20", "23.8"],
    ]
    (empty_project / "o.csv").write_text(text([TITLE, BLANK, *rows]))
    (empty_project / "o.xlsx").write_bytes(book(Orders=[TITLE, BLANK, *rows]))
    for name in ("o.csv", "o.xlsx"):
        for options in ("header_row = [3, 4]", "skip_rows = 2\nheader_row = [1, 2]"):
            toml = empty_project / "data" / "mine.toml"
            toml.write_text(
                f'[orders]\nfile = "{empty_project / name}"\n{options}\norder_id = "Order id"\nordered_at = "Order date"\n'
                'customer_id = "Order by"\namount = "Amount gross"\n'
            )
            assert sums(toml) == (2, Decimal("35.7000"))


def test_rows_in_messages_are_those_of_the_file(empty_project):
    bad = [*RECORDS[:6], ["A-006", "C000", "never", "1"], *RECORDS[7:]]
    rows = [TITLE, BLANK, HEADER, *bad, ["Total", "", "", "1"]]
    for name, content in (("o.csv", text(rows).encode()), ("o.xlsx", book(Orders=rows))):
        (empty_project / name).write_bytes(content)
        toml = empty_project / "data" / "mine.toml"
        toml.write_text(
            f'[orders]\nfile = "{empty_project / name}"\nskip_rows = 2\nfooter_rows = 1\nordered_at = "order_date"\n'
        )
        with pytest.raises(
            CrmlabError,
            match=r"1 of 20 rows has no valid date in column 'order_date' \(ordered_at\), first in row 7 below the header",
        ):
            open_dataset(toml)


@pytest.mark.proof
def test_a_total_far_below_what_is_looked_at_is_found(empty_project):
    rows = [[f"A-{i}", f"C{i % 700}", "2024-01-31", "1.00"] for i in range(18_000)]
    for content in (
        text([HEADER, *rows, ["Total", "", "", "18000.00"]]),
        text([HEADER, *rows, BLANK, ["", "Total", "", "18000.00"]], ";"),
    ):
        for file in (empty_project / "data").glob("*.toml"):
            file.unlink()
        assert from_new(empty_project, "o.csv", content) == (18_000, Decimal(18_000))
        assert look(empty_project / "o.csv").remarks["footer_rows"] == "'Total' in the last row"
        (empty_project / "o.csv.gz").write_bytes(gzip.compress(content.encode(), 1))
        assert look(empty_project / "o.csv.gz").options["footer_rows"] == 1


@pytest.mark.parametrize(
    "last",
    [
        ["A-020", "Total Energies", "2024-09-30", "5.00"],  # a customer
        ["A-020", "Summers", "2024-09-30", "5.00"],
        ["A-020", "C001", "2024-09-30", "400.00"],  # an order as large as all others
        ["A-020", "C001", "2024-09-30", ""],
    ],
)
def test_a_last_row_that_is_a_record_stays_one(empty_project, last):
    (empty_project / "o.csv").write_text(text([HEADER, *RECORDS, last]))
    assert "footer_rows" not in look(empty_project / "o.csv").options


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;", "\ufeffsep=;"])
def test_a_line_that_names_the_delimiter_is_no_row(empty_project, first):
    content = f"{first}\r\n" + text([HEADER, *[[*row[:3], row[3].replace(".", ",")] for row in RECORDS]], ";", "\r\n")
    assert from_new(empty_project, "o.csv", content) == (20, SOLD)
    toml = empty_project / "data" / "mine.toml"
    toml.write_text(f'[orders]\nfile = "{empty_project / "o.csv"}"\ndecimal = ","\nordered_at = "order_date"\n')
    assert sums(toml) == (20, SOLD)


@pytest.mark.parametrize("sign", [",", ";", "\t"])
@pytest.mark.parametrize(("names", "records"), [("", ","), (",", ""), (",", ",")])
def test_a_delimiter_at_the_end_of_all_lines_is_no_column(empty_project, sign, names, records):
    lines = [sign.join(HEADER) + names.replace(",", sign), *(sign.join(row) + records.replace(",", sign) for row in RECORDS)]
    assert from_new(empty_project, "o.csv", "\n".join(lines) + "\n") == (20, SOLD)


@pytest.mark.parametrize("bad_rows", ["error", "drop"])
def test_a_delimiter_at_the_end_of_some_lines_loses_nothing(empty_project, bad_rows):
    lines = [",".join(HEADER), *(",".join(row) + "," * (i % 3) for i, row in enumerate(RECORDS))]
    (empty_project / "o.csv").write_text("\n".join([*lines, *(["1,2,3,4,5"] if bad_rows == "drop" else [])]) + "\n")
    assert any("Only" in doubt for doubt in look(empty_project / "o.csv").doubts)
    toml = empty_project / "data" / "mine.toml"
    toml.write_text(f'bad_rows = "{bad_rows}"\n[orders]\nfile = "{empty_project / "o.csv"}"\nordered_at = "order_date"\n')
    assert sums(toml) == (20, SOLD)


def test_a_value_behind_the_last_column_is_never_lost(empty_project):
    lines = [",".join(HEADER), *(",".join(row) + "," for row in RECORDS[:-1]), ",".join(RECORDS[-1]) + ",7"]
    (empty_project / "o.csv").write_text("\n".join(lines) + "\n")
    toml = empty_project / "data" / "mine.toml"
    toml.write_text(f'[orders]\nfile = "{empty_project / "o.csv"}"\nordered_at = "order_date"\n')
    with pytest.raises(CrmlabError, match="Expected 4 fields, found 5"):
        open_dataset(toml)


def test_signs_before_quotation_marks_within_fields(empty_project):
    r"""As MySQL writes them; \N is its word for nothing."""
    lines = [r'"order_id","customer_id","order_date","note","amount"']
    lines += [f'"{row[0]}","{row[1]}","{row[2]}","5\\" pipe, \\"new\\" \\\\","{row[3]}"' for row in RECORDS]
    lines += [r'"A-999",\N,"2024-01-31",\N,"9.00"']
    content = "\n".join(lines) + "\n"
    assert from_new(empty_project, "o.csv", content) == (20, SOLD)
    assert look(empty_project / "o.csv").options["escape"] == "\\"
    toml = empty_project / "data" / "mine.toml"
    toml.write_text(
        f'[customers]\nfile = "{empty_project / "o.csv"}"\nescape = "\\\\"\ncustomer_id = "order_id"\nattributes = ["note"]\n'
    )
    notes = open_dataset(toml).customers.select("note").distinct().to_pyarrow()["note"].to_pylist()
    assert set(notes) == {'5" pipe, "new" \\', None}


def test_each_table_of_a_workbook_is_seen(empty_project):
    from crmlab.data.guess.sniff import samples

    clients = [["customer_id", "Segment", "Opt-in"], *([f"C{i:03}", "B2B", "Y"] for i in range(7))]
    path = empty_project / "o.xlsx"
    path.write_bytes(book(About=[["Made by hand"]], Orders=[TITLE, BLANK, HEADER, *RECORDS], Clients=clients))
    seen = samples(path)
    assert [(one.sheet, one.names[0], one.rows) for one in seen] == [("Orders", "order_id", 20), ("Clients", "customer_id", 7)]
    assert seen[0].skip_rows == 2


@pytest.mark.parametrize(
    ("last", "places"),
    [
        (["Total", "", "", "400"], (21,)),
        (["", "Summe:", "", "400"], (21,)),
        (["A-020", "Total Energies", "2024-09-30", "5"], ()),
        (["A-020", "Total", "2024-09-30", "5"], ()),
    ],
)
def test_a_total_that_the_file_of_the_data_set_does_not_name_is_told(empty_project, tmp_path, last, places):
    from crmlab.data.reading import engines, source
    from crmlab.data.table_section import TableSection

    path = empty_project / "o.csv"
    path.write_text(text([HEADER, *RECORDS, last]))
    con = engines.scratch_duckdb()
    try:
        assert source.read_file(con, TableSection("orders"), path, tmp_path, lambda names: names).totals == places
    finally:
        con.disconnect()


TOTAL = ["Total", "C001", "2024-09-30", "400"]  # nothing else tells it from a record


def told(project: Path, kind: str, *parts: list[list[str]], options: str = ""):
    """The breaches by totals in files that are read together."""
    for i, rows in enumerate(parts):
        whole = [HEADER, *rows]
        if kind == "xlsx":
            (project / "data" / f"o{i}.xlsx").write_bytes(book(Sheet=whole))
        elif kind == "jsonl":
            lines = [json.dumps(dict(zip(HEADER, row, strict=True))) for row in rows]
            (project / "data" / f"o{i}.jsonl").write_text("\n".join(lines))
        else:
            (project / "data" / f"o{i}.csv").write_text(text(whole))
    toml = project / "data" / "mine.toml"
    toml.write_text(f'[orders]\nfile = "o*.{kind}"\nordered_at = "order_date"\n{options}')
    data = open_dataset(toml)
    return data, [breach for breach in data.breaches if breach.rule == "Totals"]


@pytest.mark.proof
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_total_at_the_end_of_any_file_is_told(empty_project, kind):
    data, (breach,) = told(empty_project, kind, [*RECORDS[:10], TOTAL], RECORDS[10:])
    assert (breach.broken, breach.examples[0]["row"]) == (1, f"11 of o0.{kind}")
    assert breach.advice == "Take this row out of the file."  # footer_rows would take a record from the other file
    data, (breach,) = told(empty_project, kind, [*RECORDS[:10], TOTAL], [*RECORDS[10:], TOTAL])
    assert (breach.broken, breach.advice) == (2, "Write footer_rows = 1 under [orders] of data/mine.toml.")
    data, breaches = told(empty_project, kind, [*RECORDS[:10], TOTAL], [*RECORDS[10:], TOTAL], options="footer_rows = 1\n")
    assert not breaches
    assert data.orders["amount"].sum().to_pyarrow().as_py() == SOLD


def test_a_total_above_other_rows_is_left_out_with_them(empty_project):
    _, (breach,) = told(empty_project, "csv", [*RECORDS, TOTAL, ["Tax", "C001", "2024-09-30", "19"]])
    assert breach.advice == "Write footer_rows = 2 under [orders] of data/mine.toml."


def test_a_total_where_no_row_can_be_left_out(empty_project):
    _, (breach,) = told(empty_project, "jsonl", [*RECORDS, TOTAL])
    assert breach.advice == "Take this row out of the file."


@pytest.mark.parametrize("order", [["product_id", *HEADER, "quantity"], [*HEADER, "quantity", "product_id"]])
def test_a_product_may_be_called_total(empty_project, order):
    rows = [dict(zip(HEADER, row, strict=True)) | {"product_id": "Total", "quantity": "1"} for row in RECORDS]
    (empty_project / "data" / "o.csv").write_text(text([order, *([row[name] for name in order] for row in rows)]))
    toml = empty_project / "data" / "mine.toml"
    toml.write_text('[order_lines]\nfile = "o.csv"\nordered_at = "order_date"\n')
    assert not [breach for breach in open_dataset(toml).breaches if breach.rule == "Totals"]


def test_rows_between_totals_are_no_records(empty_project):
    rows = [HEADER, *RECORDS, ["Subtotal", "", "", str(SOLD)], ["Tax", "", "", "19.00"], ["Grand total", "", "", "419.00"]]
    assert from_new(empty_project, "o.csv", text(rows)) == (20, SOLD)

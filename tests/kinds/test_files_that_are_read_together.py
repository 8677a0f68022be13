"""Files of one glob are one table: columns are found by their names, and a copy of a file is told.

Else a column that moved in March puts amounts where customers stand, and "orders (1).csv" doubles what was sold.
"""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from crmlab.data.dataset import open_dataset
from crmlab.data.reading import engines, source
from crmlab.data.table_section import TableSection
from crmlab.errors import CrmlabError

ONE = [{"order_id": "1", "customer_id": "K1", "ordered_at": "2024-01-31", "amount": "10.50"}]
TWO = [{"order_id": str(i), "customer_id": "K2", "ordered_at": "2024-02-01", "amount": "2.25"} for i in (2, 3)]


def turned(rows):
    """The same rows with the columns in another order."""
    return [dict(reversed(row.items())) for row in rows]


def made(rows, ending):
    if ending.startswith("csv"):
        text = "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)]) + "\n"
        return gzip.compress(text.encode(), mtime=0) if ending == "csv.gz" else text.encode()
    if ending == "jsonl":
        return "\n".join(map(json.dumps, rows)).encode()
    packed = io.BytesIO()
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), packed)
    else:
        with xlsxwriter.Workbook(packed) as book:
            sheet = book.add_worksheet()
            for i, row in enumerate([list(rows[0]), *(list(row.values()) for row in rows)]):
                sheet.write_row(i, 0, row)
    return packed.getvalue()


def dataset(project, ending, *parts):
    for i, rows in enumerate(parts):
        (project / "data" / f"o-{i}.{ending}").write_bytes(made(rows, ending))
    toml = project / "data" / "mine.toml"
    toml.write_text(f'[orders]\nfile = "o-*.{ending}"\n')
    return toml


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl", "parquet", "xlsx"])
def test_columns_in_another_order_are_read_by_name(empty_project, ending):
    orders = open_dataset(dataset(empty_project, ending, ONE, turned(TWO))).orders
    found = orders.order_by("order_id").to_pyarrow().to_pydict()
    assert found["customer_id"] == ["K1", "K2", "K2"]
    assert found["amount"] == [Decimal("10.5000"), Decimal("2.2500"), Decimal("2.2500")]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "xlsx"])
def test_other_columns_are_refused(empty_project, ending):
    other = [{**row, "shop": "B"} for row in TWO]
    with pytest.raises(CrmlabError) as caught:
        open_dataset(dataset(empty_project, ending, ONE, other))
    assert f"o-1.{ending} has other columns than o-0.{ending}." in str(caught.value)


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl", "parquet", "xlsx"])
def test_copies_are_told(empty_project, tmp_path, ending):
    dataset(empty_project, ending, ONE, TWO)
    folder = empty_project / "data"
    (folder / f"o-1 (1).{ending}").write_bytes((folder / f"o-1.{ending}").read_bytes())
    con = engines.scratch_duckdb()
    try:
        raw = source.read_file(con, TableSection("orders"), folder / f"o-*.{ending}", tmp_path, lambda names: names)
        assert source.row_count(raw) == 5
    finally:
        con.disconnect()
    assert raw.doubled == (f"o-1.{ending}",)  # "o-1 (1)" comes before it


@pytest.mark.proof
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet", "xlsx"])
def test_files_of_one_name_in_several_folders(empty_project, tmp_path, ending):
    """None of them takes the place of another, and messages tell them apart."""
    folder, again = empty_project / "data", [row | {"order_id": "9"} for row in ONE]
    for year, rows in (("y1", ONE), ("y2", TWO), ("y3", again), ("y4", TWO)):
        (folder / year).mkdir()
        (folder / year / f"o.{ending}").write_bytes(made(rows, ending))
    con = engines.scratch_duckdb()
    try:
        raw = source.read_file(con, TableSection("orders"), folder / "*" / f"o.{ending}", tmp_path, lambda names: names)
        assert source.row_count(raw) == 6
    finally:
        con.disconnect()
    assert raw.parts == tuple((f"{year}/o.{ending}", count) for year, count in (("y1", 1), ("y2", 2), ("y3", 1), ("y4", 2)))
    assert raw.doubled == (f"y4/o.{ending}",)
    toml = folder / "mine.toml"
    toml.write_text(f'[orders]\nfile = "*/o.{ending}"\n')
    data = open_dataset(toml)
    assert data.orders["amount"].sum().to_pyarrow().as_py() == Decimal("30.0000")
    (told,) = [breach for breach in data.breaches if breach.rule == "Doubling" and "y4" in breach.says]
    assert (told.broken, Decimal(told.amount)) == (2, Decimal("4.50"))


def test_days_in_one_workbook_and_texts_with_the_name_of_a_month_in_another(empty_project):
    texts = [ONE[0] | {"ordered_at": "01-Okt-24"}]
    toml = dataset(empty_project, "xlsx", texts)
    toml.write_text(toml.read_text() + 'month_language = "de"\ndate_format = "%d-%b-%y"\n')
    packed = io.BytesIO()
    with xlsxwriter.Workbook(packed) as book:
        sheet, form = book.add_worksheet(), book.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_row(0, 0, list(ONE[0]))
        sheet.write_row(1, 0, ["4", "K3", "", "3"])
        sheet.write_datetime(1, 2, dt.datetime(2024, 10, 2), form)
    (empty_project / "data" / "o-2.xlsx").write_bytes(packed.getvalue())
    days = open_dataset(toml).orders["ordered_at"].to_pyarrow().to_pylist()
    assert sorted(days) == [dt.datetime(2024, 10, 1), dt.datetime(2024, 10, 2)]


def test_numbers_in_one_workbook_and_texts_in_another(empty_project):
    toml = dataset(empty_project, "xlsx", ONE, TWO)
    packed = io.BytesIO()
    with xlsxwriter.Workbook(packed) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, list(ONE[0]))
        sheet.write_row(1, 0, [4, 17850, "2024-03-01", 3])
    (empty_project / "data" / "o-2.xlsx").write_bytes(packed.getvalue())
    orders = open_dataset(toml).orders
    assert sorted(orders["customer_id"].to_pyarrow().to_pylist()) == ["17850", "K1", "K2", "K2"]
    assert orders["amount"].sum().to_pyarrow().as_py() == Decimal("18.0000")


def test_a_file_with_other_line_ends_leaves_nothing_in_the_folder(empty_project):
    toml = dataset(empty_project, "csv", ONE, TWO)
    mixed = (empty_project / "data" / "o-1.csv").read_bytes().replace(b"\n", b"\r\n", 1)
    (empty_project / "data" / "o-1.csv").write_bytes(mixed.replace(b"2.25\n3", b"2.25\r3"))
    before = sorted((empty_project / "data").iterdir())
    assert open_dataset(toml).orders.count().to_pyarrow().as_py() == 3
    assert sorted((empty_project / "data").iterdir()) == before

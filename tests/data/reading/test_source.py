"""Files as users have them: every format, and every way in which they are broken."""

from __future__ import annotations

import csv
import gzip
import io
import os
import zipfile
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from crmlab.data.dataset import check_source, open_dataset
from crmlab.data.reading import engines, source
from crmlab.data.reading.source import read_file
from crmlab.data.table_section import TableSection
from crmlab.errors import CrmlabError, SourceError


def gz(content: bytes) -> bytes:
    """Packed without the time of day, which would be part of a test's name."""
    return gzip.compress(content, mtime=0)


TWO = [("7", Decimal("12.5000")), ("8", Decimal("7.0000"))]
MAPPED = '[orders]\nfile = "{}"\ncustomer_id = "cust"\nordered_at = "date"\namount = "total"\n'
COMMAS = "cust,date,total\n7,2024-01-31,12.50\n8,2024-02-01,7\n"


def spent(data) -> list[tuple[str, Decimal]]:
    found = data.orders.select("customer_id", "amount").order_by("customer_id").to_pyarrow().to_pydict()
    return list(zip(found["customer_id"], found["amount"], strict=True))


# Formats


@pytest.mark.proof
@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("o.csv", COMMAS, ""),
        ("o.csv", "\ufeff" + COMMAS, ""),
        ("o.csv", COMMAS.replace("\n", "\r\n"), ""),
        ("o.csv", COMMAS.replace("\n", "\r"), ""),
        ("o.csv", COMMAS.rstrip("\n"), ""),
        ("o.csv", "\n\n" + COMMAS.replace("\n", "\n\n"), ""),
        ("o.csv", COMMAS.replace("\n", "\r\n", 2), ""),
        ("o.csv", COMMAS.replace("\n", "\r\n").replace("50\r\n", "50\n"), ""),
        ("O.CSV", COMMAS, ""),
        ("o.tsv", COMMAS.replace(",", "\t"), ""),
        ("o.txt", COMMAS.replace(",", "|"), ""),
        ("o.txt", COMMAS.replace(",", "§"), 'delimiter = "§"'),
        ("o.txt", COMMAS.replace(",", " "), 'delimiter = " "'),
        ("o.txt", COMMAS.replace(",", "\t"), 'delimiter = "tab"'),
        ("o.txt", "cust  date \t total\n\n 7 2024-01-31   12.50\n  8 2024-02-01 7\n", 'delimiter = "whitespace"'),
        ("o.txt", "  7 x 2024-01-31 12.50\n8 y 2024-02-01 7", 'delimiter = "whitespace"\nheader = false\nnames = ["cust", "x", "date", "total"]'),
        ("o.csv", "7,2024-01-31,12.50\n8,2024-02-01,7\n", 'header = false\nnames = ["cust", "date", "total"]'),
        ("o.csv", "cust;date;total\n7;2024-01-31;12,50\n8;2024-02-01;7,0\n", 'decimal = ","'),
        ("o.csv", '"cust","date","total"\n"7","2024-01-31","12.50"\n"8","2024-02-01","7"\n', ""),
        ("o.csv", 'cust,date,"total, net"\n7,2024-01-31,12.50\n8,2024-02-01,7\n'.replace('"total, net"', '"total"'), ""),
        ("o.csv", 'cust,note,date,total\n7,"a ""b"",\nc",2024-01-31,12.50\n8,,2024-02-01,7\n', ""),
        ("o.csv", COMMAS.encode("utf-16"), 'encoding = "utf-16"'),
        ("o.csv", COMMAS.encode("utf-16-le"), 'encoding = "utf-16-le"'),
        ("o.csv", COMMAS.encode("cp1252"), 'encoding = "cp1252"'),
        ("o.csv", COMMAS.encode("cp037"), 'encoding = "cp037"'),
        ("o.csv.gz", gz(COMMAS.encode()), ""),
        ("o.CSV.GZ", gz(COMMAS.encode()), ""),
        ("o.csv.gz", gz(COMMAS[:20].encode()) + gz(COMMAS[20:].encode()), ""),
        ("o.tsv.gz", gz(COMMAS.replace(",", "\t").encode("utf-16")), 'encoding = "utf-16"'),
        ("o.txt.gz", gz(COMMAS.replace(",", "  ").encode()), 'delimiter = "whitespace"'),
    ],
)  # fmt: skip
def test_read_file_texts(opened, name, content, options):
    data = opened(MAPPED.format(name) + options, {name: content})
    assert spent(data) == TWO
    assert data.ledger[0].rows == 2


def test_read_file_header_of_names_that_need_quotation_marks(opened):
    names = ['Kunde "Nr"', "Datum; Zeit", "Betrag {€}", "select", "O'Neil", "a\\b"]
    text = io.StringIO()
    csv.writer(text).writerows([names, ["7", "2024-01-31", "12.50", "", "", ""]])
    toml = f"[orders]\nfile = 'o.csv'\ncustomer_id = '{names[0]}'\nordered_at = '{names[1]}'\namount = '{names[2]}'\n"
    assert spent(opened(toml, text.getvalue())) == TWO[:1]


def test_read_file_columns_of_one_name_are_told_apart(opened):
    data = opened(
        '[orders]\nfile = "o.csv"\namount = "AMOUNT_2"\nordered_at = "date"\n',
        "customer_id,amount,date,AMOUNT\n7,1,2024-01-31,12.50\n",
    )
    assert spent(data) == TWO[:1]


def test_read_file_names_with_blanks_and_without(opened):
    data = opened(MAPPED.format("o.csv") + 'channel = "column_4"', "cust , date,total ,\n7,2024-01-31,12.50,web\n")
    assert data.orders.select("customer_id", "channel").to_pyarrow().to_pylist() == [{"customer_id": "7", "channel": "web"}]


def test_read_file_encoding_reads_letters(opened, column):
    data = opened(
        '[order_lines]\nfile = "o.csv"\nencoding = "cp1252"\n',
        {"o.csv": "order_id,customer_id,ordered_at,product_id,product_name,quantity,amount\n1,Müller,2024-01-31,ü,Größe €,1,2\n".encode("cp1252")},
    )  # fmt: skip
    assert column(data.orders, "customer_id") == ["Müller"]
    assert column(data.products, "name") == ["Größe €"]


def test_read_file_brackets_in_a_name_are_no_pattern(opened, tmp_path):
    # "x[1].csv" is a pattern to DuckDB, which fits x1.csv.
    files = {
        "o[1].csv": COMMAS,
        "o1.csv": COMMAS.replace("12.50", "99"),
        "o*.csv": COMMAS,
        "oo.csv": COMMAS.replace("12.50", "98"),
    }
    assert spent(opened(MAPPED.format("o[1].csv"), files)) == TWO
    assert spent(opened(MAPPED.format("o*.csv"), files)) == TWO


def test_read_file_brackets_in_a_folder_are_no_pattern(make, tmp_path):
    odd = tmp_path / "a [1] {x} *"
    odd.mkdir()
    for name in ("o.csv", "mine.toml"):
        (odd / name).write_text(COMMAS if name == "o.csv" else MAPPED.format("o.csv"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRMLAB_CACHE", str(odd / "cache [1]"))
        assert spent(open_dataset(odd / "mine.toml")) == TWO
        assert spent(open_dataset(odd / "mine.toml")) == TWO


def test_read_file_several_texts_by_a_glob(opened):
    files = {"o-1.csv": COMMAS, "o-2.csv": COMMAS.replace("\n7,", "\n5,").replace("\n8,", "\n6,")}
    assert [name for name, _ in spent(opened(MAPPED.format("o-*.csv"), files))] == ["5", "6", "7", "8"]


def test_read_file_several_texts_of_other_columns(message):
    files = {"o-1.csv": COMMAS, "o-2.csv": "date,who,total\n2024-01-31,7,12.50\n"}
    assert message(MAPPED.format("o-*.csv"), files) == (
        "orders: o-2.csv has other columns than o-1.csv. Expected: cust, date, total. Found: date, who, total. "
        "Files that are read together need the same columns, in any order."
    )


def test_read_file_bad_row_of_several_files_is_named(message):
    files = {"o-1.csv": COMMAS, "o-2.csv": COMMAS.replace("2024-02-01", "never")}
    said = message(MAPPED.format("o-*.csv"), files)
    assert (
        "1 of 4 rows has no valid date in column 'date' (ordered_at), first in row 2 below the header of o-2.csv. Found: 'never'."
        in said
    )


def test_read_file_parquet_file_folder_and_glob(opened):
    one = pa.table({"cust": [7], "date": [datetime(2024, 1, 31)], "total": [12.5]})
    two = pa.table({"cust": [8], "date": [datetime(2024, 2, 1)], "total": [7.0]})
    files = {
        "p/a.parquet": one,
        "p/sub/b.parquet": two,
        "p/_temporary/c.parquet": one,
        "p/.hidden.parquet": one,
        "p/_SUCCESS": b"",
    }
    assert spent(opened(MAPPED.format("p/a.parquet"), files)) == TWO[:1]
    assert spent(opened(MAPPED.format("p"), files)) == TWO
    assert spent(opened(MAPPED.format("p/[a-z]*.parquet"), files)) == TWO[:1]
    assert spent(opened(MAPPED.format("p/**/b.parquet"), files)) == TWO[1:]


def test_read_file_parquet_folders_of_keys_are_columns(opened):
    day = pa.table({"cust": [7], "total": [12.5]})
    files = {"p/date=2024-01-31/x.parquet": day, "p/date=2024-02-01/x.parquet": day}
    assert opened(MAPPED.format("p"), files).orders.count().to_pyarrow().as_py() == 2


def test_read_file_parquet_only_what_is_needed_is_loaded(make, tmp_path):
    make(
        MAPPED.format("o.parquet"),
        {"o.parquet": pa.table({"cust": [7], "date": [datetime(2024, 1, 31)], "total": [12.5], "secret": ["x"]})},
    )
    con = engines.scratch_duckdb()
    raw = read_file(con, TableSection("orders"), tmp_path / "o.parquet", tmp_path, lambda names: names[:2])
    assert raw.table.columns == ("cust", "date")
    assert raw.columns == ("cust", "date", "total", "secret")


def test_read_file_workbook_with_the_columns_of_uci(opened, workbook, rows):
    # The column names of "Online Retail.xlsx", UCI 352; numbers are floats in a workbook, and some invoices are texts.
    names = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
    day = datetime(2010, 12, 1, 8, 26)
    table = [
        names,
        [536365, "85123A", "WHITE HANGING HEART", 6, day, 2.55, 17850, "United Kingdom"],
        [536365, 71053, "WHITE METAL LANTERN", 6, day, 3.39, 17850, "United Kingdom"],
        [536366, "POST", "POSTAGE", 1, day, 18.0, 17850, "United Kingdom"],
        ["C536379", "85123A", "WHITE HANGING HEART", -1, day, 2.55, 17850, "United Kingdom"],
        [536414, 22139, None, 56, day, 0, None, "United Kingdom"],
    ]
    toml = (Path(__file__).parents[3] / "data" / "online_retail.toml").read_text().replace('"online_retail.parquet", ', "")
    data = opened(toml, {"Online Retail.xlsx": workbook({"Online Retail": table})})
    assert [(row.reason, row.rows, row.amount) for row in data.ledger] == [
        (None, 3, "33.0900"),
        ("no_customer", 1, "0.0000"),
        ("not_product", 1, "18.0000"),
    ]
    assert rows(data.order_lines, "order_id", "product_id", "quantity", "amount") == [
        {"order_id": "536365", "product_id": "71053", "quantity": Decimal(6), "amount": Decimal("20.34")},
        {"order_id": "536365", "product_id": "85123A", "quantity": Decimal(6), "amount": Decimal("15.30")},
        {"order_id": "C536379", "product_id": "85123A", "quantity": Decimal(-1), "amount": Decimal("-2.55")},
    ]
    assert rows(data.orders, "customer_id", "ordered_at")[0] == {"customer_id": "17850", "ordered_at": day}


def test_read_file_workbook_sheets(make, workbook):
    book = workbook(
        {
            "Notes": [["a", "b"], ["nothing", "here"]],
            "2024": [["cust", "date", "total"], [7, "2024-01-31", 12.5], [8, "2024-02-01", 7]],
        }
    )
    make("", {"o.xlsx": book})
    assert spent(open_dataset(make(MAPPED.format("o.xlsx") + 'sheet = "2024"', {}))) == TWO
    with pytest.raises(
        CrmlabError, match=r"column 'customer_id' is mapped to 'cust', which is not in the file\. Found: a, b\."
    ):
        open_dataset(make(MAPPED.format("o.xlsx"), {}))
    with pytest.raises(CrmlabError, match=r"orders: there is no table or sheet '2023' in o\.xlsx\. Found: Notes, 2024\."):
        open_dataset(make(MAPPED.format("o.xlsx") + 'sheet = "2023"', {}))


def test_read_file_workbook_without_a_header(opened, workbook):
    book = workbook({"a": [[7, "2024-01-31", 12.5], [8, "2024-02-01", 7]]})
    assert spent(opened(MAPPED.format("o.xlsx") + 'header = false\nnames = ["cust", "date", "total"]', {"o.xlsx": book})) == TWO


def test_read_file_workbook_empty_rows_are_counted_and_dropped(opened, workbook):
    table = [["cust", "date", "total"], [7, datetime(2024, 1, 31), 12.5], [None, None, None], [8, datetime(2024, 2, 1), 7]]
    data = opened(MAPPED.format("o.xlsx"), {"o.xlsx": workbook({"a": table})})
    assert spent(data) == TWO
    assert [(row.reason, row.rows) for row in data.ledger] == [(None, 2), ("blank", 1)]


def test_read_file_workbook_days_beside_texts_and_as_numbers(opened, workbook):
    table = [["cust", "date", "total"], [7, datetime(2024, 1, 31), 12.5], [8, "01.02.2024", 7]]
    data = opened(MAPPED.format("o.xlsx") + 'date_format = "%d.%m.%Y"', {"o.xlsx": workbook({"a": table})})
    days = [datetime(2024, 1, 31), datetime(2024, 2, 1)]
    assert data.orders.order_by("customer_id").to_pyarrow()["ordered_at"].to_pylist() == days
    table = [["cust", "date", "total"], [7, 20240131, 12.5], [8, 20240201, 7]]
    data = opened(MAPPED.format("o.xlsx") + 'date_format = "%Y%m%d"', {"o.xlsx": workbook({"a": table})})
    assert data.orders.order_by("customer_id").to_pyarrow()["ordered_at"].to_pylist() == days


# Broken files


@pytest.mark.parametrize("name", ["o.csv", "o.tsv", "o.csv.gz", "o.parquet", "o.xlsx"])
def test_read_file_empty(message, name):
    assert message(MAPPED.format(name), {name: b""}) == f"orders: {name} is empty. Expected a header and at least one row."


@pytest.mark.parametrize("content", [b"\n\n", b"\xef\xbb\xbf", b"\r\n", gz(b"")])
def test_read_file_nothing_but_line_ends(message, content):
    name = "o.csv.gz" if content[:2] == b"\x1f\x8b" else "o.csv"
    assert message(MAPPED.format(name), {name: content}) == f"orders: {name} is empty. Expected a header and at least one row."


def test_read_file_header_only(message, workbook):
    said = "orders: {} has a header but no rows. Expected at least one row."
    assert message(MAPPED.format("o.csv"), "cust,date,total\n") == said.format("o.csv")
    assert message(MAPPED.format("o.csv"), "cust,date,total") == said.format("o.csv")
    book = workbook({"a": [["cust", "date", "total"]]})
    assert message(MAPPED.format("o.xlsx"), {"o.xlsx": book}) == said.format("o.xlsx")
    table = pa.table(
        {"cust": pa.array([], pa.string()), "date": pa.array([], pa.date32()), "total": pa.array([], pa.float64())}
    )
    assert message(MAPPED.format("o.parquet"), {"o.parquet": table}) == said.format("o.parquet")


def test_read_file_missing(message, tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLAB_DATA", str(tmp_path / "private"))
    assert message('[orders]\nfile = ["a.csv", "b.xlsx"]\n', {}) == (
        f"orders: there is no file a.csv or b.xlsx. Looked in: {tmp_path.name}, private. "
        "Put the file there, name its folder in CRMLAB_DATA, or correct 'file' in the TOML file."
    )


def test_read_file_not_named(message):
    assert message("[orders]\n", {}) == "mine.toml: [orders] file must be given. Got 'nothing' instead."


def test_read_file_folder_without_parquet(message):
    said = "orders: the folder p holds no .parquet file. Expected at least one. Name a file, or another folder."
    assert message(MAPPED.format("p"), {"p/o.csv": COMMAS}) == said
    assert message(MAPPED.format("p"), {"p/_x.parquet": b"x", "p/o.csv": COMMAS}) == said


def test_read_file_unknown_format(message):
    said = message(MAPPED.format("o.pdf"), {"o.pdf": b"{}"})
    assert said.startswith("orders: the format of o.pdf is not known. Expected a name that ends in .csv, .tsv, .txt,")


@pytest.mark.parametrize("content", [b"x", b"PAR1" + b"\0" * 50 + b"PAR1", COMMAS.encode(), bytes(range(256)) * 20])
@pytest.mark.parametrize("name", ["o.parquet", "o.xlsx", "o.xls", "o.ods", "o.xlsb"])
def test_read_file_damaged_binary_files(message, name, content):
    said = message(MAPPED.format(name), {name: content})
    assert said.startswith(f"orders: {name} cannot be read. ")


def test_read_file_parquet_cut_off(message, tmp_path):
    pq.write_table(pa.table({"cust": range(1000), "total": range(1000)}), tmp_path / "whole.parquet")
    whole = (tmp_path / "whole.parquet").read_bytes()
    for content in (whole[:-1], whole[: len(whole) // 2], whole[:8]):
        assert message(MAPPED.format("o.parquet"), {"o.parquet": content}).startswith("orders: o.parquet cannot be read. ")


def test_read_file_workbook_damaged_inside(message, workbook):
    book = workbook({"a": [["cust", "date", "total"], [7, "2024-01-31", 12.5]]})
    broken = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(broken, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name)[:200] if "sheet1" in name else old.read(name))
    assert message(MAPPED.format("o.xlsx"), {"o.xlsx": broken.getvalue()}).startswith("orders: o.xlsx ")
    assert message(MAPPED.format("o.xlsx"), {"o.xlsx": book[:400]}).startswith("orders: o.xlsx cannot be read. ")
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    assert message(MAPPED.format("o.xlsx"), {"o.xlsx": empty.getvalue()}).startswith("orders: o.xlsx cannot be read. ")


def test_read_file_gzip_cut_off_is_not_taken_for_whole(message):
    # DuckDB reads what is there and says nothing.
    text = "cust,date,total\n" + "".join(f"{i},2024-01-31,{i * 7919 % 10007}\n" for i in range(20000))
    whole = gz(text.encode())
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    for content in (whole[: len(whole) // 2], whole[:-4], bytes(damaged), b"\x1f\x8b" + b"x" * 40, COMMAS.encode()):
        said = message(MAPPED.format("o.csv.gz"), {"o.csv.gz": content})
        assert said.startswith("orders: o.csv.gz cannot be read. It is not a whole gzip file: ")


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (
            COMMAS.replace("7,", "ü,").encode("cp1252"),
            "",
            'It is not UTF-8 text. Name its encoding, for example encoding = "cp1252".',
        ),
        (b"cust,date,total\n" + b"7,2024-01-31,1\n" * 50000 + b"\xfc,2024-01-31,1\n", "", "It is not UTF-8 text."),
        (("ü" + COMMAS).encode("cp1252"), "", "It is not UTF-8 text."),
        (COMMAS.encode("utf-16"), "", "It is not UTF-8 text. Name its encoding"),
        (COMMAS.encode("utf-16-le"), "", "It holds binary data, not text. Name its encoding"),
        (COMMAS.encode(), 'encoding = "utf-16"', "It is not utf-16 text. Correct 'encoding' in the TOML file."),
        (COMMAS.replace("7,", "ü,").encode("cp1252"), 'encoding = "ascii"', "text."),
        (gz(COMMAS.encode()), "", "It is not UTF-8 text."),
    ],
)
def test_read_file_wrong_encoding(message, content, options, said):
    found = message(MAPPED.format("o.csv") + options, {"o.csv": content})
    assert found.startswith("orders: o.csv cannot be read. ")
    assert said in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            COMMAS + "9,2024-01-31,1,2\n",
            "row 3 below the header of o.csv cannot be read. Expected 3 fields, found 4. Correct the file, or",
        ),
        (COMMAS + "9,2024-01-31\n", "row 3 below the header of o.csv cannot be read. Expected 3 fields, found 2."),
        (COMMAS + "   \n", "row 3 below the header of o.csv cannot be read. Expected 3 fields, found 1."),
        ('cust,date,total\n\n\n"a\n\nb",2024-01-31,1\n\n9,2024-01-31,1,2\n', "row 2 below the header of o.csv cannot be read."),
        (
            COMMAS + '9,"2024-01-31,1\n10,2024-01-31,1\n',
            "row 3 below the header of o.csv cannot be read. A quotation mark is opened",
        ),
        (COMMAS + '9,"2024"-01-31,1\n', "row 3 below the header of o.csv cannot be read. A quotation mark"),
    ],
)
def test_read_file_rows_that_cannot_be_taken_apart(message, text, said):
    assert said in message(MAPPED.format("o.csv"), text)


def test_read_file_wrong_delimiter(message):
    said = message(MAPPED.format("o.csv") + 'delimiter = ";"', COMMAS)
    assert "column 'customer_id' is mapped to 'cust', which is not in the file. Found: cust,date,total." in said


def test_read_file_names_of_another_number(message):
    said = message(MAPPED.format("o.csv") + 'header = false\nnames = ["cust", "date"]', COMMAS)
    assert said == "orders: 'names' must name every column of the file, 3 of them. Got 2 names instead."


def test_read_file_rows_of_wrong_width_are_dropped_and_counted_where_bad_rows_are(opened):
    text = COMMAS + "1,2,3,4\n9,2024-03-01,5\n8\n\n10,never,5\n"
    data = opened('bad_rows = "drop"\n' + MAPPED.format("o.csv"), text)
    assert [(row.reason, row.rows, row.amount) for row in data.ledger] == [(None, 3, "24.5000"), ("unreadable", 3, "5.0000")]
    # Rows are counted as in the file, with those that could not be taken apart.
    assert [example["row"] for example in data.ledger[1].examples] == ["3", "5", "6"]


def test_read_file_open_quotation_mark_is_an_error_even_where_bad_rows_are_dropped(message):
    # It may hide any number of rows behind it.
    said = message(
        'bad_rows = "drop"\n' + MAPPED.format("o.csv"), COMMAS + '9,"2024-01-31,1\n' + "10,2024-01-31,1\n" * 9 + "1,2,3,4\n"
    )
    assert "A quotation mark is opened" in said


def test_read_file_rejected_rows_of_several_files(opened):
    files = {"o-1.csv": COMMAS + "1\n", "o-2.csv": "cust,date,total\n1\n9,never,1\n10,2024-01-31,1\n"}
    data = opened('bad_rows = "drop"\n' + MAPPED.format("o-*.csv"), files)
    assert [(row.reason, row.rows) for row in data.ledger] == [(None, 3), ("unreadable", 3)]
    assert [example["row"] for example in data.ledger[1].examples] == ["3 of o-1.csv", "1 of o-2.csv", "2 of o-2.csv"]


@pytest.fixture
def nobody():
    """Run as somebody who may not read everything: root may."""
    if os.name == "nt":
        pytest.skip("Windows has other permissions.")
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(
    ("name", "content"), [("o.csv", COMMAS), ("o.xlsx", b"x"), ("o.csv.gz", gz(b"a")), ("o.parquet", b"x")]
)
def test_read_file_without_permission(tmp_path_factory, nobody, name, content):
    # A folder of nobody's own: those of pytest may be entered by their owner only.
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp())
    try:
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        (folder / name).chmod(0)
        (folder / "mine.toml").write_text(MAPPED.format(name))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CRMLAB_CACHE", str(folder / "cache"))
            with pytest.raises(SourceError, match=rf"orders: {name} cannot be read\. Permission denied\."):
                open_dataset(folder / "mine.toml")
            (folder / "mine.toml").chmod(0)
            with pytest.raises(CrmlabError, match=r"mine\.toml cannot be read\. Permission denied\."):
                open_dataset(folder / "mine.toml")
    finally:
        (folder / name).chmod(0o600)
        shutil.rmtree(folder)


# Two hundred thousand rows, one of them bad; two million every night


@pytest.fixture(scope="module", params=[200_000, pytest.param(2_000_000, marks=pytest.mark.nightly)])
def many(request, tmp_path_factory) -> tuple[int, Path]:
    """Many good rows, and how many."""
    n, rng = request.param, np.random.default_rng(5)
    cents = rng.integers(100, 99_999, n)
    table = pa.table(
        {
            "order_id": np.arange(n),
            "cust": rng.integers(0, 300_000, n),
            "date": pa.array(np.datetime64("2022-01-01") + rng.integers(0, 700, n)),
            "total": cents / 100,
        }
    )
    path = tmp_path_factory.mktemp("many") / "good.csv"
    pyarrow.csv.write_csv(table, path, pyarrow.csv.WriteOptions(quoting_style="none"))
    return n, path


@pytest.mark.proof
@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"x,7,2024-02-30,1.00", "1 of {n:,} rows has no valid date in column 'date' (ordered_at), first in row {row:,} below the header. Found: '2024-02-30'."),
        (b"x,7,2024-02-28,12:00", "1 of {n:,} rows has no valid amount in column 'total' (amount), first in row {row:,} below the header. Found: '12:00'."),
        (b"x,7,2024-02-28,1.00,2", "row {row:,} below the header of o.csv cannot be read. Expected 4 fields, found 5."),
    ],
)  # fmt: skip
def test_read_file_one_bad_row_of_many_is_named(many, make, bad, said):
    n, path = many
    lines, row = path.read_bytes().split(b"\n"), n * 6 // 10 + 1_234
    lines[row] = bad  # the header is line 0
    toml = make(MAPPED.format("o.csv"), {"o.csv": b"\n".join(lines)})
    with pytest.raises(CrmlabError) as caught:
        open_dataset(toml)
    assert said.format(n=n, row=row) in str(caught.value)
    (toml.parent / "o.csv").unlink()


# What Python's own reader sees is what is read


@pytest.fixture(scope="module")
def scratch():
    con = engines.scratch_duckdb()
    yield con
    con.disconnect()


def _own(text: str) -> list[list[str]]:
    return [record for record in csv.reader(io.StringIO(text, newline="")) if record][1:]


@pytest.mark.proof
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.lists(st.text(alphabet="ab,\"\n\r ;'\\é0", max_size=4), min_size=3, max_size=3), min_size=1, max_size=6),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
@example([["a", "\r", "b"]], "\n")
@example([["", "", "\n"]], "\r\n")
def test_read_file_well_formed_texts_lose_nothing(scratch, tmp_path_factory, table, end):
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([["x", "y", "z"], *table])
    path = tmp_path_factory.mktemp("csv") / "o.csv"
    path.write_text(text.getvalue(), newline="")
    con = scratch
    try:
        raw = read_file(con, TableSection("orders"), path, path.parent, lambda names: names)
        found = [
            [cell or "" for cell in row.values()] for row in raw.table.order_by(raw.table.rowid()).to_pyarrow().to_pylist()
        ]
    finally:
        con.drop_table("raw_orders", force=True)
    assert [[cell.replace("\r\n", "\n").replace("\r", "\n") for cell in row] for row in found] == [
        [cell.replace("\r\n", "\n").replace("\r", "\n") for cell in row] for row in table
    ]


@pytest.mark.proof
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(alphabet='ab,,"\n\n\r ;\\é0', max_size=40))
@example('a,b\n"",\n')
@example("a,b\n1,2\r3,4\n")
@example("a,b\n1,2\n\x1a")
def test_read_file_any_text_is_read_whole_or_refused(scratch, tmp_path_factory, body):
    path = tmp_path_factory.mktemp("csv") / "o.csv"
    path.write_text("x,y\n" + body, newline="")
    con = scratch
    try:
        raw = read_file(con, TableSection("orders"), path, path.parent, lambda names: names)
        count = source.row_count(raw)
    except CrmlabError:
        return
    finally:
        con.drop_table("raw_orders", force=True)
    records = _own("x,y\n" + body)
    # Readers may differ in how they take a stray quotation mark, but no row is lost.
    if '"' not in body:
        assert count == len(records)


def test_check_source_collects_every_problem_at_once(make):
    toml = make(
        '[orders]\nfile = "o.csv"\ncustomer_id = "who"\namount = "totl"\n[products]\nfile = "p.csv"\n[customers]\nfile = "c.csv"\npersonal = ["mail"]\n',
        {"o.csv": "cust,ordered_at,total\n7,2024-01-31,1\n", "c.csv": "customer_id,email\n7,x@y.z\n"},
    )  # fmt: skip
    from crmlab.data.catalog import load

    rows, _, problems = check_source(load(toml))
    said = [str(problem) for problem in problems]
    assert rows == []
    assert len(said) == 4
    assert said[0].startswith(
        "orders: column 'customer_id' is mapped to 'who', which is not in the file. Found: cust, ordered_at, total."
    )
    assert "Did you mean 'total'?" in said[1]
    assert said[2].startswith("products: there is no file p.csv.")
    assert (
        said[3]
        == "customers: 'mail' is listed in mine.toml under [customers] but is not in the file. Found: customer_id, email. Did you mean 'email'?"
    )

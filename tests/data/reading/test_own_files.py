"""A user's own files, of every format and with every mistake, opened as data sets."""

import gzip
import os
import subprocess
import sys
from decimal import Decimal

import duckdb
import pandas as pd
import pytest

import crmlab
from crmlab.data.catalog import load
from crmlab.data.reading.building import check
from crmlab.errors import CrmlabError, DataError, DescriptorError, MissingTableError, SourceError

ROWS = [("007", "2024-01-31", "10.50"), ("007", "2024-02-01", "4.25"), ("8", "2024-02-03", "-4.25")]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLAB_CACHE", str(tmp_path / "cache"))


def text(rows=ROWS, delimiter=",", header="cust,day,total"):
    lines = [header.replace(",", delimiter), *(delimiter.join(row) for row in rows)]
    return "\n".join(lines) + "\n"


def dataset(folder, options="", table="orders", file="o.csv", mapping=None, top="", name="mine"):
    mapping = {"customer_id": "cust", "ordered_at": "day", "amount": "total"} if mapping is None else mapping
    lines = [top, f"[{table}]", f'file = "{file}"', *(f'{key} = "{value}"' for key, value in mapping.items()), options]
    (folder / f"{name}.toml").write_text("\n".join(lines), encoding="utf-8")
    return folder / f"{name}.toml"


def opened(folder, content, file="o.csv", **rest):
    (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    return crmlab.open_dataset(dataset(folder, file=file, **rest))


def rows_of(data):
    frame = data.orders.order_by("order_id").to_pyarrow().to_pylist()
    return [(row["customer_id"], row["ordered_at"].date().isoformat(), str(row["amount"])) for row in frame]


CANONICAL = [("007", "2024-01-31", "10.5000"), ("007", "2024-02-01", "4.2500"), ("8", "2024-02-03", "-4.2500")]


def test_csv(tmp_path):
    data = opened(tmp_path, text())
    assert rows_of(data) == CANONICAL
    assert data.tables == ("orders",)
    assert repr(data) == "Dataset('mine', tables: orders)"


def test_csv_gz(tmp_path):
    assert rows_of(opened(tmp_path, gzip.compress(text().encode()), file="o.csv.gz")) == CANONICAL


@pytest.mark.proof
@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_delimiters_are_seen_in_the_header(tmp_path, delimiter):
    assert rows_of(opened(tmp_path, text(delimiter=delimiter))) == CANONICAL


def test_decimal_comma_date_form_and_encoding(tmp_path):
    rows = [("007", "31.01.2024", "1.010,50"), ("Müller-1", "01.02.2024", "4,25")]
    content = text(rows, ";").encode("cp1252")
    data = opened(tmp_path, content, options='decimal = ","\ndate_format = "%d.%m.%Y"\nencoding = "cp1252"')
    assert rows_of(data) == [("007", "2024-01-31", "1010.5000"), ("Müller-1", "2024-02-01", "4.2500")]


def test_decimal_comma_without_saying_so_is_an_error_not_a_tenfold_amount(tmp_path):
    with pytest.raises(DataError, match="If amounts look like"):
        opened(tmp_path, text([("1", "2024-01-01", "12,50")], ";"))


def test_thousands_with_commas_are_read(tmp_path):
    assert rows_of(opened(tmp_path, text([("1", "2024-01-01", "1,234.50")], ";")))[0][2] == "1234.5000"


def test_whitespace_without_header(tmp_path):
    content = "".join("  ".join(row) + "\n" for row in ROWS)
    options = 'delimiter = "whitespace"\nheader = false\nnames = ["cust", "day", "total"]'
    assert rows_of(opened(tmp_path, content, options=options, file="o.txt")) == CANONICAL


@pytest.mark.parametrize("how", ["file", "folder", "glob"])
def test_parquet(tmp_path, how):
    frame = pd.DataFrame(ROWS, columns=["cust", "day", "total"]).assign(total=lambda f: f["total"].astype(float))
    (tmp_path / "parts").mkdir()
    frame.iloc[:1].to_parquet(tmp_path / "parts" / "a.parquet")
    frame.iloc[1:].to_parquet(tmp_path / "parts" / "b.parquet")
    frame.to_parquet(tmp_path / "o.parquet")
    file = {"file": "o.parquet", "folder": "parts", "glob": "parts/*.parquet"}[how]
    data = crmlab.open_dataset(dataset(tmp_path, file=file))
    assert sorted(rows_of(data)) == sorted(CANONICAL)


def test_workbook_ids_are_not_floats(tmp_path):
    frame = pd.DataFrame({"cust": [17850, 12], "day": pd.to_datetime(["2024-01-31", "2024-02-01"]), "total": [1.5, 2]})
    with pd.ExcelWriter(tmp_path / "o.xlsx", engine="xlsxwriter") as writer:
        pd.DataFrame({"x": [1]}).to_excel(writer, sheet_name="other", index=False)
        frame.to_excel(writer, sheet_name="sales", index=False)
    data = crmlab.open_dataset(dataset(tmp_path, 'sheet = "sales"', file="o.xlsx"))
    assert rows_of(data) == [("17850", "2024-01-31", "1.5000"), ("12", "2024-02-01", "2.0000")]
    with pytest.raises(SourceError, match=r"there is no (table or )?sheet .*'sale'"):
        crmlab.open_dataset(dataset(tmp_path, 'sheet = "sale"', file="o.xlsx"))


def test_duckdb_file(tmp_path):
    con = duckdb.connect(str(tmp_path / "crm.duckdb"))
    con.execute("create schema sales")
    con.execute("create table sales.t as select '007' cust, date '2024-01-31' as day, 10.5 total")
    con.close()
    path = tmp_path / "mine.toml"
    path.write_text(
        '[source]\nkind = "duckdb"\nfile = "crm.duckdb"\n[orders]\nfrom_table = "sales.t"\n'
        'customer_id = "cust"\nordered_at = "day"\namount = "total"\n'
    )
    assert rows_of(crmlab.open_dataset(path)) == CANONICAL[:1]


def test_times_with_offsets_come_to_the_time_zone_of_the_data_set(tmp_path):
    rows = [("1", "2024-06-30T23:30:00Z", "1"), ("2", "2024-12-31 23:30:00+01:00", "1"), ("3", "2024-06-30 12:00", "1")]
    data = opened(tmp_path, text(rows), top='timezone = "Europe/Berlin"')
    assert [row[1] for row in rows_of(data)] == ["2024-07-01", "2024-12-31", "2024-06-30"]


LINES = """\
order,cust,day,product,name,pieces,price
1,A,2024-01-01,p1,Tray,3,0.10
1,A,2024-01-01,p2,Cup,1,0.20
1,A,2024-01-01,p1,Tray,-1,0.10
2,A,2024-01-02,p2,Mug,1,0
3,,2024-01-03,p1,Tray,1,5
4,B,2024-01-04,post,Postage,1,4.90
5,B,2024-01-05,p2,Cup,-1,0.20
"""
LINE_MAPPING = {
    "order_id": "order", "customer_id": "cust", "ordered_at": "day", "product_id": "product", "product_name": "name",
    "quantity": "pieces", "unit_price": "price",
}  # fmt: skip


def lines(folder, top=""):
    return opened(folder, LINES, table="order_lines", mapping=LINE_MAPPING, top=top)


def reasons(data, table="order_lines"):
    return {row.reason: row.rows for row in data.ledger if row.table == table}


def test_orders_and_products_are_derived_from_lines(tmp_path):
    data = lines(tmp_path)
    assert data.tables == ("orders", "order_lines", "products")
    found = {row["order_id"]: row for row in data.orders.to_pyarrow().to_pylist()}
    assert found["1"]["amount"] == Decimal("0.4000")  # 0.3 + 0.2 - 0.1, exactly
    assert found["1"]["return_amount"] == Decimal("-0.1000")
    products = {row["product_id"]: row["name"] for row in data.products.to_pyarrow().to_pylist()}
    assert products["p2"] == "Cup"


def test_ledger_counts_every_row_once(tmp_path):
    data = lines(tmp_path, 'not_products = ["POST"]')
    assert reasons(data) == {None: 5, "no_customer": 1, "not_product": 1}
    assert sum(reasons(data).values()) == 7
    assert data.order_lines.filter(data.order_lines.product_id == "post").count().execute() == 0


def test_returns_dropped_and_free_orders_ignored(tmp_path):
    data = lines(tmp_path, 'returns = "drop"\nfree_orders = "ignore"')
    assert reasons(data)["return_line"] == 2
    assert reasons(data, "orders") == {"free_order": 1}
    assert set(data.orders.order_id.to_pyarrow().to_pylist()) == {"1", "4"}


def test_absent_table_says_which_section_to_add(tmp_path):
    data = opened(tmp_path, text())
    with pytest.raises(MissingTableError, match=r"The data set 'mine' has no table 'products'.*Add a section \[products\] to"):
        _ = data.products
    with pytest.raises(MissingTableError, match="no canonical table 'order'. Did you mean 'orders'"):
        data.table("order")


def test_personal_columns_are_nowhere(tmp_path):
    (tmp_path / "c.csv").write_text("id,name,email,town\n007,Secret Person,hidden@mail.example,Bonn\n")
    path = dataset(tmp_path)
    (tmp_path / "o.csv").write_text(text())
    path.write_text(path.read_text() + '\n[customers]\nfile = "c.csv"\ncustomer_id = "id"\npersonal = ["name", "email"]\n')
    data = crmlab.open_dataset(path)
    assert list(data.customers.columns) == ["customer_id", "town"]
    for file in (tmp_path / "cache").rglob("*"):
        if file.is_file():
            assert b"Secret" not in file.read_bytes(), file
            assert b"hidden@" not in file.read_bytes(), file


@pytest.mark.parametrize(
    ("content", "mapping", "error", "message"),
    [
        ("cust,date,amount\n1,2024-01-01,5\n", {"ordered_at": "date"}, DataError,
         r"orders: missing column 'customer_id'\. Found: cust, date, amount\. Map it in .*mine\.toml under \[orders\]\."),
        (text(), {"customer_id": "cst", "ordered_at": "day", "amount": "total"}, DataError,
         "column 'customer_id' is mapped to 'cst', which is not in the file.*Did you mean 'cust'"),
        (text([("1", "yesterday", "5"), ("2", "2024-01-01", "5")]), None, DataError,
         r"1 of 2 rows has no valid date in column 'day' \(ordered_at\), first in row 1.*Found: 'yesterday'\."),
        (text([("1", "2024-01-01", "five")]), None, DataError, r"valid amount in column 'total' \(amount\).*Found: 'five'"),
        ("", None, SourceError, r"orders: o\.csv is empty"),
        ("cust,day,total\n", None, SourceError, r"orders: o\.csv has a header but no rows"),
        (text([("", "2024-01-01", "5")]), None, DataError, "none of 1 rows? is left after cleaning"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_the_grammar(tmp_path, content, mapping, error, message):
    with pytest.raises(error, match=message):
        opened(tmp_path, content, mapping=mapping)


def test_wrong_type_of_a_column(tmp_path):
    frame = pd.DataFrame({"cust": ["1"], "day": [1.5], "total": [2.0]})
    frame.to_parquet(tmp_path / "o.parquet")
    with pytest.raises(DataError, match="column 'ordered_at' must hold a date"):
        crmlab.open_dataset(dataset(tmp_path, file="o.parquet"))


def test_missing_file_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(SourceError, match=r"orders: there is no file o\.csv\. Looked in:"):
        crmlab.open_dataset(dataset(tmp_path))


def test_unknown_key_is_an_error_with_a_hint(tmp_path):
    with pytest.raises(DescriptorError, match=r"unknown key 'ordered_on' under \[orders\]\. Did you mean 'ordered_at'\?"):
        crmlab.open_dataset(dataset(tmp_path, 'ordered_on = "x"'))
    with pytest.raises(DescriptorError, match="unknown key 'curency' at the top. Did you mean 'currency'"):
        crmlab.open_dataset(dataset(tmp_path, top='curency = "EUR"'))


@pytest.mark.proof
@pytest.mark.parametrize("n", [200_000, pytest.param(2_000_000, marks=pytest.mark.nightly)])
@pytest.mark.parametrize(("bad", "place"), [("1,2024-13-45,5", 0.75), ("1,2024-01-01,x", 1), ("1,2024-01-01,5,6", 0)])
def test_one_bad_row_of_many_is_named(tmp_path, bad, place, n):
    row = max(777, round(place * n) - 1)
    good = "12345,2024-01-01,5.00\n"
    (tmp_path / "o.csv").write_text("cust,day,total\n" + good * (row - 1) + bad + "\n" + good * (n - row))
    with pytest.raises(CrmlabError, match=f"row {row:,}"):
        crmlab.open_dataset(dataset(tmp_path))


def test_bad_rows_may_be_dropped_and_counted(tmp_path):
    data = opened(tmp_path, text([*ROWS, ("9", "never", "1")]), top='bad_rows = "drop"')
    assert {row.reason: row.rows for row in data.ledger} == {None: 3, "unreadable": 1}


def test_check_collects_every_problem(tmp_path):
    (tmp_path / "o.csv").write_text(text([("1", "never", "x")]))
    _, _, problems = check(load(dataset(tmp_path)))
    assert len(problems) == 2


def test_damaged_files_give_no_traceback(tmp_path):
    for name in ("o.parquet", "o.xlsx", "o.csv.gz", "o.duckdb", "o.doc"):
        with pytest.raises(CrmlabError):
            opened(tmp_path, b"\x00\x01 this is no such file \xff\xfe", file=name)


def test_second_open_reads_nothing_and_a_changed_byte_does(tmp_path):
    opened(tmp_path, text())
    folder = next(path for path in (tmp_path / "cache").iterdir() if path.name.startswith("mine-") and path.is_dir())
    made = (folder / "manifest.json").stat().st_mtime_ns
    os.utime(tmp_path / "o.csv")  # touched, not changed
    crmlab.open_dataset(tmp_path / "mine.toml")
    assert (folder / "manifest.json").stat().st_mtime_ns == made
    changed = opened(tmp_path, text([("007", "2024-01-31", "10.51")]))
    assert rows_of(changed) == [("007", "2024-01-31", "10.5100")]


@pytest.mark.proof
def test_two_processes_at_once_are_safe(tmp_path):
    (tmp_path / "o.csv").write_text(text())
    code = f"import crmlab; print(crmlab.open_dataset({str(dataset(tmp_path))!r}).orders.count().execute())"
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0].strip() for process in both] == ["3", "3"]
    assert len([path for path in (tmp_path / "cache").glob("mine-*") if path.is_dir()]) == 1


def test_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("CRMLAB_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(SourceError, match="The cache folder .* cannot be written"):
        opened(tmp_path, text())


@pytest.mark.parametrize("bad", ["<script>alert(1)</script>", "{x}", "a, b", '"q"', "ü" * 10_000, "=1+1"])
def test_hostile_texts_are_kept_as_they_are(tmp_path, bad):
    frame = pd.DataFrame({"cust": [bad], "day": ["2024-01-01"], "total": [1.0]})
    frame.to_parquet(tmp_path / "o.parquet")
    assert rows_of(crmlab.open_dataset(dataset(tmp_path, file="o.parquet")))[0][0] == bad


@pytest.mark.proof
def test_named_data_sets():
    cdnow = crmlab.open_dataset("cdnow").orders
    assert (cdnow.count().execute(), cdnow.customer_id.nunique().execute()) == (69659, 23570)
    sample = crmlab.open_dataset("cdnow_sample").orders
    assert (sample.count().execute(), sample.customer_id.nunique().execute()) == (6919, 2357)
    assert sample.customer_id.min().execute() == "00004"


@pytest.mark.proof
def test_online_retail_adds_up_to_the_cent():
    # Counts and sum of the file as published: UCI 352.
    try:
        data = crmlab.open_dataset("online_retail")
    except SourceError as error:
        pytest.skip(f"The user's own copy of Online Retail is not there: {error}")
    rows = {row.reason: row for row in data.ledger if row.table == "order_lines"}
    assert sum(row.rows for row in rows.values()) == 541_909
    assert rows["no_customer"].rows == 135_080
    assert sum(Decimal(row.amount) for row in rows.values()) == Decimal("9747747.9340")

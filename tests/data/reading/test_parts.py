"""Tables that are read of several parts, each with its own section: columns, options and days."""

from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from crmlab.data.catalog import load
from crmlab.data.dataset import Dataset, check_source, open_dataset
from crmlab.data.reading.revealing import persons_of
from crmlab.data.rules import examined
from crmlab.errors import CrmlabError, DescriptorError
from crmlab.report.inputs import inspect

OLD = "Invoice,Client,When,Total\n1,7,2024-01-30,1.50\n2,8,2024-01-31,2.25\n3,7,2024-02-01,4.00\n"
NEW = "Beleg;Kunde;Tag;Summe\n3;7;01.02.2024;4,00\n4;9;02.02.2024;8,75\n"
TOML = """
[[orders]]
file = "old.csv"
order_id = "Invoice"
customer_id = "Client"
ordered_at = "When"
amount = "Total"
{old}

[[orders]]
file = "new.csv"
order_id = "Beleg"
customer_id = "Kunde"
ordered_at = "Tag"
amount = "Summe"
decimal = ","
date_format = "%d.%m.%Y"
{new}
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLAB_CACHE", str(tmp_path / "cache"))


def written(folder: Path, top: str = "", old: str = "", new: str = "", toml: str = TOML, **files: str) -> Path:
    for name, content in {"old_csv": OLD, "new_csv": NEW, **files}.items():
        (folder / name.replace("_", ".")).write_text(content)
    (folder / "mine.toml").write_text(top + toml.format(old=old, new=new))
    return folder / "mine.toml"


def rows(data: Dataset) -> list[tuple[str, str, str, str]]:
    frame = data.orders.order_by("order_id", "amount").to_pyarrow().to_pylist()
    return [(row["order_id"], row["customer_id"], str(row["ordered_at"].date()), f"{row['amount']:.2f}") for row in frame]


def fates(data: Dataset) -> dict[str | None, tuple[int, str]]:
    return {row.reason: (row.rows, f"{Decimal(row.amount):.2f}") for row in data.ledger}


ALL = [
    ("1", "7", "2024-01-30", "1.50"),
    ("2", "8", "2024-01-31", "2.25"),
    ("3", "7", "2024-02-01", "4.00"),
    ("4", "9", "2024-02-02", "8.75"),
]


@pytest.mark.parametrize("days", [{"old": "last_day = 2024-01-31"}, {"new": 'first_day = "2024-02-02"'}])
def test_each_day_is_taken_from_one_part(tmp_path, days):
    data = open_dataset(written(tmp_path, **days))
    assert rows(data) == ALL
    assert fates(data) == {None: (4, "16.50"), "outside_part": (1, "4.00")}
    assert not data.breaches


def test_what_is_left_out_says_where_it_stood(tmp_path):
    (left,) = [row for row in open_dataset(written(tmp_path, new="first_day = 2024-02-02")).ledger if row.reason]
    assert left.examples == (
        {"row": "1 of new.csv", "order_id": "3", "customer_id": "7", "ordered_at": "2024-02-01 00:00:00", "amount": "4.0000"},
    )


def test_what_stands_in_two_parts_is_told(tmp_path):
    data = open_dataset(written(tmp_path))
    assert len(rows(data)) == 5
    (breach,) = data.breaches
    assert (breach.rule, breach.broken, breach.checked, breach.grave) == ("Doubling", 1, 2, True)
    assert Decimal(breach.amount) == 4
    assert breach.says == "Rows of 2024-02-01 are in new.csv and also in an earlier part, and are counted twice."
    assert breach.advice == (
        "Write first_day or last_day under one [[orders]] of mine.toml, so that each day is taken from one part; "
        'where both have rows of their own on these days, write duplicates = "drop" at the top instead.'
    )
    assert breach.examples[0]["order_id"] == "3"


def test_days_that_no_part_is_read_for_are_told(tmp_path):
    data = open_dataset(written(tmp_path, old="last_day = 2024-01-30"))
    (breach,) = data.breaches
    assert (breach.rule, breach.broken, breach.checked, breach.grave) == ("Parts", 1, 3, True)
    assert Decimal(breach.amount) == Decimal("2.25")
    assert breach.says == "Rows of 2024-01-31 are left out of old.csv and are in no other part."
    assert [one.rule for one in examined(data) if one.broken and one.grave] == ["Parts"]


def test_what_stands_in_two_parts_is_dropped_where_duplicates_are(tmp_path):
    data = open_dataset(written(tmp_path, top='duplicates = "drop"\n'))
    assert rows(data) == ALL
    assert fates(data) == {None: (4, "16.50"), "duplicate": (1, "4.00")}
    assert not data.breaches


def test_three_parts_count_what_is_in_all_of_them_once(tmp_path):
    third = '[[orders]]\nfile = "third.csv"\n'
    path = written(
        tmp_path,
        top='duplicates = "drop"\n',
        toml=TOML + third,
        third_csv="order_id,customer_id,ordered_at,amount\n3,7,2024-02-01,4\n4,9,2024-02-02,8.75\n4,9,2024-02-02,9\n5,,2024-02-02,1\n",
    )
    data = open_dataset(path)
    assert rows(data) == [*ALL, ("4", "9", "2024-02-02", "9.00")]
    assert fates(data) == {None: (5, "25.50"), "no_customer": (1, "1.00"), "duplicate": (3, "16.75")}


def test_a_number_that_two_parts_give_to_others_is_no_copy(tmp_path):
    """A shop and its till both begin with order 1."""
    data = open_dataset(written(tmp_path, new_csv=NEW.replace("3;7;01", "1;9;01")))
    assert len(rows(data)) == 5
    assert not data.breaches


@pytest.mark.proof
def test_orders_without_numbers_are_numbered_through_all_parts(tmp_path):
    toml = "".join(line for line in TOML.splitlines(keepends=True) if "order_id" not in line)
    data = open_dataset(written(tmp_path, toml=toml, old="last_day = 2024-01-31"))
    assert [row[0] for row in rows(data)] == [f"{number:012}" for number in (1, 2, 4, 5)]
    # What is alike by chance is told, and is no question where there is little of it.
    (breach,) = open_dataset(written(tmp_path, toml=toml)).breaches
    assert (breach.broken, breach.grave) == (1, True)
    many = "".join(f"{i};{i};03.02.2024;1,00\n" for i in range(100, 200))
    (breach,) = open_dataset(written(tmp_path, toml=toml, new_csv=NEW + many)).breaches
    assert (breach.broken, breach.grave) == (1, False)


def test_sheets_of_a_workbook_and_files_of_other_forms(tmp_path):
    packed = io.BytesIO()
    with xlsxwriter.Workbook(packed) as book:
        for name, number in (("2023", 1), ("2024", 2)):
            sheet = book.add_worksheet(name)
            sheet.write_row(0, 0, ["order_id", "customer_id", "ordered_at", "amount", "channel"])
            sheet.write_row(1, 0, [number, 17850, f"{name}-03-01", 3.5, "web"])
    (tmp_path / "both.xlsx").write_bytes(packed.getvalue())
    pq.write_table(
        pa.table({"order_id": [3], "customer_id": [17850.0], "ordered_at": ["2025-03-01"], "amount": [1]}),
        tmp_path / "c.parquet",
    )
    (tmp_path / "mine.toml").write_text(
        '[[orders]]\nfile = ["none.parquet", "both.xlsx"]\nsheet = "2023"\n[[orders]]\nfile = "both.xlsx"\nsheet = "2024"\nlast_day = 2024-12-31\n'
        '[[orders]]\nfile = "c.parquet"\n'
    )
    data = open_dataset(tmp_path / "mine.toml")
    assert rows(data) == [
        (str(i), "17850", f"{2022 + i}-03-01", amount) for i, amount in ((1, "3.50"), (2, "3.50"), (3, "1.00"))
    ]
    assert data.orders.order_by("order_id")["channel"].to_pyarrow().to_pylist() == ["web", "web", None]


def test_order_lines_take_from_orders_what_they_do_not_tell(tmp_path):
    for name in "ab":
        (tmp_path / f"lines-{name}.csv").write_text(f"order_id,product_id,quantity,amount\n{1 + (name == 'b')},p{name},1,2\n")
    (tmp_path / "o.csv").write_text("order_id,customer_id,ordered_at,amount\n1,7,2024-01-30,2\n2,8,2024-01-31,2\n")
    (tmp_path / "mine.toml").write_text(
        '[[order_lines]]\nfile = "lines-a.csv"\n[[order_lines]]\nfile = "lines-b.csv"\n[orders]\nfile = "o.csv"\n'
    )
    lines = open_dataset(tmp_path / "mine.toml").order_lines.order_by("order_id").to_pyarrow().to_pydict()
    assert (lines["customer_id"], lines["product_id"]) == (["7", "8"], ["pa", "pb"])


def test_tables_of_a_duckdb_file(tmp_path):
    con = duckdb.connect(tmp_path / "crm.duckdb")
    for name, day in (("old", "2023-05-05"), ("new", "2024-05-05")):
        con.execute(f"create table {name} as select '{name}' order_id, 'k' customer_id, date '{day}' ordered_at, 5 amount")
    con.close()
    (tmp_path / "mine.toml").write_text(
        '[source]\nkind = "duckdb"\nfile = "crm.duckdb"\n[[orders]]\nfrom_table = "old"\n[[orders]]\nfrom_table = "new"\nfirst_day = 2024-01-01\n'
    )
    assert rows(open_dataset(tmp_path / "mine.toml")) == [
        ("new", "k", "2024-05-05", "5.00"),
        ("old", "k", "2023-05-05", "5.00"),
    ]


@pytest.mark.proof
def test_a_change_of_any_part_is_a_change_of_the_data(tmp_path):
    first = inspect(str(written(tmp_path))).key
    assert inspect(str(written(tmp_path, new_csv=NEW + "5;9;03.02.2024;1,00\n"))).key != first
    assert inspect(str(written(tmp_path, old="last_day = 2024-01-31"))).key != first
    assert inspect(str(written(tmp_path))).key == first


def test_what_a_part_does_not_tell_is_not_told(tmp_path):
    without = 'without = ["amount"]'
    toml = TOML.replace('amount = "Summe"\n', "").replace("{new}", without)
    assert open_dataset(written(tmp_path, toml=toml)).descriptor.told == ("customer ids",)


def test_ids_that_are_made_of_a_column_are_found_again_in_every_part(tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLAB_KEY", str(tmp_path / "customers.key"))
    (tmp_path / "customers.key").write_text("ab" * 32 + "\n")
    (tmp_path / "customers.key").chmod(0o600)
    toml = TOML.replace("customer_id =", "customer_hash =")
    mails = {
        "old_csv": OLD.replace(",7,", ",ann@x.example,"),
        "new_csv": NEW.replace(";9;", ";bob@x.example;").replace(";7;", ";ann@x.example;"),
    }
    data = open_dataset(written(tmp_path, toml=toml, old="last_day = 2024-01-31", **mails))
    ids = data.orders["customer_id"].to_pyarrow().to_pylist()
    assert len(set(ids)) == 3
    assert sorted(persons_of(data.descriptor, ids).values.values()) == ["8", "ann@x.example", "bob@x.example"]


@pytest.mark.proof
def test_a_column_may_have_several_names_of_which_the_first_that_is_there_is_meant(tmp_path):
    toml = '[orders]\nfile = "{old}"\norder_id = ["Beleg", "Invoice"]\ncustomer_id = ["Client", "Kunde"]\n'
    toml += 'ordered_at = ["When", "Tag"]\namount = ["Total", "Summe"]\n{new}\n'
    assert rows(open_dataset(written(tmp_path, toml=toml, old="old.csv"))) == ALL[:3]
    path = written(tmp_path, toml=toml, old="new.csv", new='decimal = ","\ndate_format = "%d.%m.%Y"')
    assert rows(open_dataset(path)) == ALL[2:]
    path.write_text(path.read_text().replace('["Total", "Summe"]', '["Sum", "Amount"]'))
    with pytest.raises(
        CrmlabError, match="orders: column 'amount' is mapped to 'Sum' or 'Amount', none of which is in the file"
    ):
        open_dataset(path)


def refused(tmp_path: Path, toml: str) -> str:
    (tmp_path / "mine.toml").write_text(toml)
    with pytest.raises(DescriptorError) as caught:
        load(tmp_path / "mine.toml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('[orders]\nfile = "o.csv"\nlast_day = 2024-01-01', "mine.toml: unknown key 'last_day' under [orders]."),
        (
            '[[orders]]\nfile = "o.csv"\n[[orders]]\nfile = "p.csv"\nlst_day = 2024-01-01',
            "mine.toml, line 3: unknown key 'lst_day' under [[orders]]. Did you mean 'last_day'?",
        ),
        ('[[orders]]\nfile = "o.csv"\nlast_day = 2024-01-01', "mine.toml, line 1: unknown key 'last_day' under [[orders]]."),
        (
            '[[orders]]\nfile = "p.csv"\n[[orders]]\nfile = "o.csv"\nfirst_day = 2024-02-01\nlast_day = 2024-01-01',
            "mine.toml, line 3: [[orders]] last_day must be first_day, 2024-02-01, or later. Got 2024-01-01 instead.",
        ),
        (
            '[[orders]]\nfile = "p.csv"\n[[orders]]\nfile = "o.csv"\nlast_day = "soon"',
            "mine.toml, line 3: [[orders]] last_day must be a day such as 2024-12-31.",
        ),
        (
            '[[products]]\nfile = "o.csv"',
            "mine.toml: products must be one section, [products]: only tables whose rows have dates can be read in parts. Got '[[products]]'",
        ),
        (
            '[source]\nkind = "postgres"\nurl_env = "X"\n[[orders]]\nfrom_table = "o"',
            "mine.toml: orders must be one section, [orders]: in a database, combine the parts in a view. Got '[[orders]]' instead.",
        ),
        ("orders = [3]", "mine.toml: orders must be a section. Got [3] instead."),
        (
            '[orders]\nfile = "o.csv"\namount = []',
            "mine.toml: [orders] amount must be a column name in quotes, or a list of such names.",
        ),
        (
            '[orders]\nfile = "o.csv"\namount = ["a", 3]',
            "mine.toml: [orders] amount must be a column name in quotes, or a list",
        ),
        (
            '[customers]\nfile = "c.csv"\npersonal = ["mail"]\ncustomer_id = ["id", "mail"]',
            "mine.toml: [customers] personal must name columns that are not used. Found 'mail', which is mapped to 'customer_id'.",
        ),
    ],
)
def test_sections_that_cannot_be_are_refused(tmp_path, toml, said):
    assert refused(tmp_path, toml).startswith(said)


def test_faults_of_a_part_name_it(tmp_path):
    path = written(tmp_path, new_csv=NEW.replace("8,75", "eight"))
    with pytest.raises(CrmlabError) as caught:
        open_dataset(path)
    assert "row 2 below the header of new.csv" in str(caught.value)
    assert str(caught.value).endswith("This concerns part 2 of [[orders]], new.csv.")
    _, _, problems = check_source(load(path))
    assert [str(one) for one in problems] == [str(caught.value)]
    (tmp_path / "new.csv").unlink()
    with pytest.raises(CrmlabError, match=r"new\.csv"):
        open_dataset(path)

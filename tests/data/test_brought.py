"""Frames and files as they are, opened as a data set."""

from __future__ import annotations

import datetime as dt
import os
import re
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import ibis
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import crmlab
from crmlab.analyses import rfm
from crmlab.errors import CrmlabError, DataError, MissingTableError, NotInProjectError, ParameterError, SourceError
from crmlab.frames import as_arrow

from .conftest import make_workbook

SALES = pd.DataFrame(
    {
        "Kunde": [7, 8, 7, 9],
        "Datum": pd.to_datetime(["2024-01-31", "2024-02-01", "2024-02-14", "2024-03-01"]),
        "Betrag": [12.50, 7.00, 0.10, -3.25],
    }
)
MAPPED = {"customer_id": "a", "ordered_at": "b", "amount": "c"}


def rows(data, table="orders", *columns):
    found = data.table(table).select(*columns) if columns else data.table(table)
    return found.order_by(found.columns).to_pyarrow().to_pylist()


def told(*args, **kwargs):
    with pytest.raises(CrmlabError) as caught:
        crmlab.open_dataset(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return type(caught.value), str(caught.value)


@pytest.mark.parametrize(
    "brought",
    [SALES, pl.from_pandas(SALES), pl.from_pandas(SALES).lazy(), pa.Table.from_pandas(SALES), ibis.memtable(SALES)],
    ids=["pandas", "polars", "lazy", "arrow", "ibis"],
)
def test_every_kind_of_frame_is_the_same_data_set(brought):
    data = crmlab.open_dataset(brought)
    assert rows(data, "orders", "customer_id", "ordered_at", "amount") == [
        {"customer_id": "7", "ordered_at": dt.datetime(2024, 1, 31), "amount": Decimal("12.5000")},
        {"customer_id": "7", "ordered_at": dt.datetime(2024, 2, 14), "amount": Decimal("0.1000")},
        {"customer_id": "8", "ordered_at": dt.datetime(2024, 2, 1), "amount": Decimal("7.0000")},
        {"customer_id": "9", "ordered_at": dt.datetime(2024, 3, 1), "amount": Decimal("-3.2500")},
    ]
    assert data.notes[0] == "orders: customer_id is 'Kunde', ordered_at is 'Datum', amount is 'Betrag'."
    assert repr(data).splitlines()[:2] == ["Dataset('orders', tables: orders)", f"  {data.notes[0]}"]


def test_a_file_is_the_same_data_set_as_its_frame(tmp_path):
    SALES.to_csv(tmp_path / "Sales 2024.csv", index=False)
    SALES.to_parquet(tmp_path / "sales.parquet")
    book = tmp_path / "sales.xlsx"
    book.write_bytes(make_workbook({"Blatt": [list(SALES), *[[a, b.to_pydatetime(), c] for a, b, c in SALES.values.tolist()]]}))
    wanted = rows(crmlab.open_dataset(SALES), "orders", "customer_id", "ordered_at", "amount")
    for name in ("Sales 2024.csv", "sales.parquet", "sales.xlsx"):
        for given in (tmp_path / name, str(tmp_path / name)):
            data = crmlab.open_dataset(given)
            assert rows(data, "orders", "customer_id", "ordered_at", "amount") == wanted
    assert crmlab.open_dataset(tmp_path / "Sales 2024.csv").title == "Sales 2024"
    assert crmlab.open_dataset(SALES, title="Café").title == "Café"


def test_it_is_cleaned_and_counted_as_the_same_records_with_a_toml_file(make):
    dirty = pd.concat([SALES, SALES.assign(Kunde=None).head(2), SALES.head(1)], ignore_index=True)
    path = make(
        'duplicates = "drop"\n[orders]\nfile = "o.csv"\ncustomer_id = "Kunde"\nordered_at = "Datum"\namount = "Betrag"\n',
        dirty.to_csv(index=False),
    )
    known, data = crmlab.open_dataset(path), crmlab.open_dataset(dirty, settings={"duplicates": "drop"})
    assert [(row.reason, row.rows, row.amount) for row in data.ledger] == [
        (row.reason, row.rows, row.amount) for row in known.ledger
    ]
    assert rows(data, "orders", "customer_id", "ordered_at", "amount") == rows(
        known, "orders", "customer_id", "ordered_at", "amount"
    )
    assert "orders: 3 of 7 rows were dropped: no customer (2); the same row again (1)." in data.notes


def test_a_report_says_the_same_of_frames_as_of_the_data_set_they_come_from():
    shop = crmlab.open_dataset("shop")
    frames = {name: shop.table(name).to_pandas() for name in shop.tables if name != "orders"}
    data = crmlab.open_dataset(frames, settings={"currency": shop.currency})
    assert set(data.tables) == {"orders", *frames}
    first, second = rfm.run(shop), rfm.run(data)
    for name, table in first.tables.items():
        pd.testing.assert_frame_equal(second.tables[name].frame, table.frame)
    assert data.fingerprint
    assert rfm.run(data, rfm.Params(as_of="2024-06-30")).metrics != second.metrics


def test_a_frame_is_not_changed_and_changes_of_it_come_too_late():
    given = SALES.set_index("Kunde")
    data = crmlab.open_dataset(given)
    pd.testing.assert_frame_equal(given, SALES.set_index("Kunde"))
    before = rows(data)
    given["Betrag"] = 0.0
    assert rows(data) == before
    assert sum(row["amount"] for row in before) == Decimal("16.35")


def test_the_fingerprint_follows_contents_and_settings():
    def key(frame, **kwargs):
        return crmlab.open_dataset(frame, **kwargs).fingerprint

    assert key(SALES) == key(SALES.copy())
    assert len({key(SALES), key(SALES.head(3)), key(SALES, settings={"returns": "drop"})}) == 3


def test_nothing_of_it_is_kept_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLAB_CACHE", str(tmp_path / "cache"))
    crmlab.open_dataset(SALES)
    assert not (tmp_path / "cache").exists()


@pytest.fixture(autouse=True)
def own_key(tmp_path, monkeypatch):
    """Hashed ids are made with a key of the test."""
    monkeypatch.setenv("CRMLAB_KEY", str(tmp_path / "customers.key"))


def test_no_project_is_needed(tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLAB_HOME", str(tmp_path / "nowhere"))
    monkeypatch.delenv("CRMLAB_DATA", raising=False)
    many = pd.concat([SALES.assign(Kunde=SALES["Kunde"] + 3 * step, Betrag=5.0 + step) for step in range(20)])
    assert rfm.run(crmlab.open_dataset(many)).findings
    # The key of hashed ids is kept in a project.
    monkeypatch.delenv("CRMLAB_KEY")
    mails = SALES.assign(Kunde=[f"k{i}@shop.example" for i in SALES["Kunde"]])
    kind, text = told(mails)
    assert kind is NotInProjectError
    assert 'name an id that is not personal: columns={"customer_id": "…"}' in text


def test_columns_that_are_not_recognised_are_named():
    odd = SALES.set_axis(["a", "b", "c"], axis=1)
    kind, text = told(odd.assign(d="x"), columns={"amount": "c"})
    assert kind is DataError
    assert text.startswith("orders: no column was recognised as customer_id. Found: ")
    assert text.endswith('Say which it is: columns={"customer_id": "…"}.')
    data = crmlab.open_dataset(odd, columns=MAPPED)
    assert data.notes[0] == "orders: customer_id is 'a', ordered_at is 'b', amount is 'c'."
    assert rows(data) == rows(crmlab.open_dataset(SALES))


def test_a_column_that_was_named_is_taken_before_one_that_has_the_canonical_name():
    data = crmlab.open_dataset(SALES.assign(amount=1000.0), columns={"amount": "Betrag"})
    assert sum(row["amount"] for row in rows(data)) == Decimal("16.35")
    assert data.notes[0].endswith("Not read: 'amount'.")


def test_wrong_names_are_told_with_what_was_meant():
    assert told(SALES, columns={"customer_id": "Kunnde"}) == (
        DataError,
        "There is no column 'Kunnde' in your table, for customer_id. Did you mean 'Kunde'?",
    )
    assert told(SALES, columns={"customer": "Kunde"})[1].startswith("There is no canonical column 'customer'. Did you mean")
    assert told({"order": SALES}) == (ParameterError, "There is no canonical table 'order'. Did you mean 'orders'?")
    assert told({"orders": SALES}, columns={"customers": {"customer_id": "Kunde"}})[1].startswith(
        "There is no table 'customers'"
    )
    assert told({"orders": SALES}, columns={"orders": {"customer_id": "Kunnde"}})[1].endswith("Did you mean 'Kunde'?")
    assert told(SALES, settings={"curency": "EUR"})[1].endswith("Did you mean 'currency'?")
    assert told(SALES, columns={"unit_cost": "Betrag"})[1].startswith("open_dataset: 'unit_cost' is no column of orders")
    assert told(SALES, columns={"orders": {"amount": "Betrag"}})[0] is ParameterError


def test_what_is_not_sure_is_asked_for():
    several = SALES.assign(Buchungsdatum=SALES["Datum"])
    assert told(several) == (
        DataError,
        "orders: ordered_at may be 'Buchungsdatum' or 'Datum'. Say which it is: columns={\"ordered_at\": \"Buchungsdatum\"}.",
    )
    assert crmlab.open_dataset(several, columns={"ordered_at": "Datum"}).notes[0].endswith("Not read: 'Buchungsdatum'.")
    texts = SALES.assign(Datum=["01/02/2024", "05/03/2024", "03/01/2024", "02/12/2024"])
    kind, text = told(texts)
    assert kind is DataError
    assert text.endswith('day and month exchanged. Say which it is: settings={"orders": {"date_format": "%d/%m/%Y"}}.')
    for form, day in (("%d/%m/%Y", dt.datetime(2024, 1, 3)), ("%m/%d/%Y", dt.datetime(2024, 1, 2))):
        data = crmlab.open_dataset(texts, settings={"orders": {"date_format": form}})
        assert min(row["ordered_at"] for row in rows(data)) == day
        assert not any("exchanged" in note for note in data.notes)


def test_a_customer_0_is_asked_about():
    counted = SALES.assign(Kunde=[0, 1, 2, 1])
    assert told(counted) == (
        DataError,
        "orders: the customer '0' may stand for guests, or be a customer as others are. "
        'Say which it is: settings={"guests": ["0"]} for guests, settings={"guests": []} for a customer.',
    )
    for guests, people in (([], 3), (["0"], 2)):
        data = crmlab.open_dataset(counted, settings={"guests": guests})
        assert len({row["customer_id"] for row in rows(data)}) == people


def test_amounts_keep_every_digit():
    exact = [Decimal("0.1"), Decimal("0.2"), Decimal("12345678901234.5678"), Decimal("-0.3")]
    for given in (
        SALES.assign(Betrag=exact),
        pl.from_pandas(SALES).with_columns(pl.Series("Betrag", exact, pl.Decimal(18, 4))),
    ):
        found = rows(crmlab.open_dataset(given))
        assert sorted(row["amount"] for row in found) == sorted(exact)
        assert sum(row["amount"] for row in found) == Decimal("12345678901234.5678")


def test_columns_may_be_numbered():
    data = crmlab.open_dataset(SALES.set_axis([0, 1, 2], axis=1), columns={"customer_id": 0, "ordered_at": 1, "amount": 2})
    assert rows(data) == rows(crmlab.open_dataset(SALES))
    assert told(SALES, columns={"customer_id": 1.5})[1].endswith("must be the name of a column. Got 1.5 instead.")


def test_amounts_may_be_missing_where_somebody_says_so():
    bare = SALES.drop(columns="Betrag")
    assert told(bare)[1].endswith('Where there is none: columns={"amount": None}.')
    data = crmlab.open_dataset(bare, columns={"amount": None})
    assert "amounts" not in data.descriptor.told


def test_texts_as_people_write_them_are_read():
    data = crmlab.open_dataset(SALES.assign(Datum=["31.01.2024"] * 4, Betrag=["1.234,50", "7,00", "0,10", "2,55"]))
    assert sum(row["amount"] for row in rows(data)) == Decimal("1244.15")


def test_a_day_is_that_of_the_zone_that_times_carry():
    night = SALES.assign(Datum=SALES["Datum"].dt.tz_localize("Europe/Berlin") + pd.Timedelta("30min"))
    assert min(row["ordered_at"] for row in rows(crmlab.open_dataset(night))) == dt.datetime(2024, 1, 31, 0, 30)
    utc = crmlab.open_dataset(night, settings={"timezone": "UTC"})
    assert min(row["ordered_at"] for row in rows(utc)) == dt.datetime(2024, 1, 30, 23, 30)


def test_several_tables_have_columns_of_their_own(tmp_path):
    products = pd.DataFrame({"Nr": ["A1", "B2"], "Text": ["Tea", "Cup"], "EK": [1.0, 2.5]})
    products.to_csv(tmp_path / "p.csv", index=False)
    people = pd.DataFrame({"Kunde": [7, 8], "E-Mail": ["a@x.example", "b@x.example"], "Stufe": ["gold", "none"]})
    own = {"products": {"product_id": "Nr", "name": "Text", "unit_cost": "EK"}, "customer_id": "Kunde"}
    data = crmlab.open_dataset({"orders": SALES, "products": tmp_path / "p.csv", "customers": people}, columns=own)
    assert data.tables == ("orders", "products", "customers")
    assert [row["unit_cost"] for row in rows(data, "products")] == [Decimal("1.0000"), Decimal("2.5000")]
    assert [(row["customer_id"], row["Stufe"]) for row in rows(data, "customers")] == [("7", "gold"), ("8", "none")]
    assert "E-Mail" not in data.customers.columns
    assert any("Personal, and not kept: 'E-Mail'" in note for note in data.notes)


def test_an_address_is_never_an_id_as_it_stands():
    Path(os.environ["CRMLAB_KEY"]).write_text("ab" * 32 + "\n")
    Path(os.environ["CRMLAB_KEY"]).chmod(0o600)
    mails = SALES.assign(Kunde=["anna@shop.example", "ben@shop.example", "anna@shop.example", "eva@shop.example"])
    for columns in (None, {"customer_id": "Kunde"}):
        data = crmlab.open_dataset(mails, columns=columns)
        ids = {row["customer_id"] for row in rows(data)}
        assert len(ids) == 3
        assert all(re.fullmatch("c[0-9a-f]{24}", one) for one in ids)


def test_what_cannot_be_opened_is_refused_in_plain_words(tmp_path):
    assert told(SALES.head(0)) == (DataError, "orders: your table is empty. Expected at least one row.")
    assert told({})[0] is ParameterError
    assert told([1])[1].endswith("Got 'list' instead.")
    assert told({"orders": 3})[0] is ParameterError
    assert told("nowhere.csv") == (SourceError, "There is no file nowhere.csv in this folder.")
    assert told("cdnow", title="Mine")[0] is ParameterError
    assert told(SALES, columns="Kunde")[0] is ParameterError
    twice = pd.concat([SALES, SALES["Betrag"]], axis=1)
    assert told(twice)[1].startswith("orders: 2 columns of your frame are named 'Betrag'. Expected one.")
    summary = pd.DataFrame({"customer_id": range(50), "total_spent": range(50), "orders_count": range(50)})
    assert "it is already a summary" in told(summary)[1]
    with pytest.raises(MissingTableError, match=r'Give it to open_dataset with the others: \{"orders": …, "products": …\}'):
        crmlab.open_dataset(SALES).products  # noqa: B018


def test_lines_of_a_toml_file_are_named_as_settings():
    columns = {"amount": "Betrag"}
    assert told(SALES.assign(Betrag=["x", "1", "2", "3"]), columns=columns) == (
        DataError,
        "orders: 1 of 4 rows has no valid amount in column 'Betrag' (amount), first in row 1. Found: 'x'. "
        'Correct the file, or give settings={"bad_rows": "drop"} to drop and count such rows.',
    )
    dropped = crmlab.open_dataset(SALES.assign(Betrag=["x", "1", "2", "3"]), columns=columns, settings={"bad_rows": "drop"})
    assert "orders: 1 of 4 rows was dropped: a value is missing or cannot be read (1)." in dropped.notes
    named = SALES.set_axis(["customer_id", "ordered_at", "amount"], axis=1)
    assert "none of 4 rows is left after cleaning. Dropped: 4 (no customer)" in told(named.assign(customer_id=None))[1]
    # What has its canonical name already is not spelt out.
    assert crmlab.open_dataset(named).notes[0] == "orders: every column is taken by its own name."


def test_values_without_a_common_type_become_texts():
    frame = pd.DataFrame({"id": [1, "b", None], "when": pd.period_range("2024-01", periods=3, freq="M")})
    table = as_arrow(frame, "orders", ValueError)
    assert table.to_pylist()[0] == {"id": "1", "when": "2024-01"}
    assert table["id"].to_pylist()[2] is None


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_a_notebook_shows_what_a_data_set_is():
    hostile = SALES.rename(columns={"Kunde": "customer_id"}).assign(**{"<script>alert(1)</script>": "x"})
    data = crmlab.open_dataset({"orders": hostile, "customers": SALES[["Kunde"]].drop_duplicates()}, title="<b>Shop</b> & Co")
    html = data._repr_html_()
    page = Tags()
    page.feed(html)
    assert page.open == []
    assert "<script>" not in html
    assert "<b>" not in html
    said = " ".join(page.text)
    assert "<b>Shop</b> & Co" in said
    assert "4 orders by 3 customers, 2024-01-31 to 2024-03-01." in said
    assert "order_id, customer_id, ordered_at, amount" in said
    assert "Not read: '<script>alert(1)</script>'" in said
    # One that was not guessed says what was dropped of it, too.
    dropped = crmlab.open_dataset(pd.concat([SALES, SALES.assign(Kunde=None).head(2)]))
    assert "orders: 2 of 6 rows were dropped: no customer (2)." in replace(dropped, notes=())._repr_html_()

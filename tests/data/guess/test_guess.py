"""What `crmlab new` guesses of files as they come: from shops, from spreadsheets, from five languages."""

from __future__ import annotations

import codecs
import datetime as dt
import gzip
import os
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmlab.data import catalog, guess
from crmlab.data.descriptor import Descriptor
from crmlab.data.guess.date_columns import dates
from crmlab.data.guess.number_columns import number, numbers
from crmlab.data.guess.profiles import profile
from crmlab.data.guess.roles import name_score
from crmlab.data.table_section import TableSection
from crmlab.errors import CrmlabError, DescriptorError, SourceError

DAYS = [dt.date(2024, 1, 1) + dt.timedelta(days=11 * i) for i in range(30)]


def put(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def rows(*columns: str, sep: str = ",", count: int = 12, header: bool = True, **values: Callable[[int], Any]) -> str:
    """A text table: names of columns, and for each by position a function of the row's number."""
    makers = list(values.values())
    lines = [sep.join(columns)] if header else []
    lines += [sep.join(str(make(i)) for make in makers) for i in range(count)]
    return "\n".join(lines) + "\n"


def section_of(path: Path, **options: Any) -> tuple[Descriptor, TableSection, guess.Guess]:
    """Write the TOML file, load it as the reader does, and return both with the guess."""
    seen = guess.look(path)
    folder = path.parent / "made"
    made = guess.write(path, folder=folder, **options)
    descriptor = catalog.load(made)
    section = descriptor.tables[seen.table]
    assert dict(section.columns) == dict(seen.columns)
    found, _ = catalog.locate(section, descriptor.folder)
    assert found is not None
    assert found.samefile(path)
    made.unlink()
    return descriptor, section, seen


def customer(i: int) -> str:
    return f"C{1000 + i % 7}"


def day(i: int) -> str:
    return DAYS[i].isoformat()


ORDERS = {"id": lambda i: 5000 + i, "who": customer, "day": day, "money": lambda i: f"{10 + i}.50"}
LINES = {
    "order": lambda i: 900 + i // 3,
    "who": lambda i: customer(i // 3),
    "day": lambda i: day(i // 3),
    "sku": lambda i: f"SKU-{i % 5}",
    "pieces": lambda i: 1 + i % 4,
    "price": lambda i: f"{2 + i % 5}.25",
}


# Languages and names


@pytest.mark.parametrize(
    ("names", "language"),
    [
        ("order_id,customer_id,ordered_at,amount", "canonical"),
        ("OrderNo,CustNo,OrderDate,Total", "camelCase"),
        ("Invoice Number,Client ID,Invoice Date,Revenue", "blanks"),
        ("TRANSACTION_ID,CUSTOMERID,TRANSACTIONDATE,SALES", "capitals"),
        ("Bestellnummer,Kundennummer,Bestelldatum,Umsatz", "German"),
        ("Beleg-Nr.,Kunden-Nr.,Datum,Betrag", "German, short"),
        ("Rechnungsnummer,KdNr,Rechnungsdatum,Rechnungsbetrag", "German, compounds"),
        ("Numéro de facture,id_client,Date,Montant", "French"),
        ("commande,client,date_commande,montant total", "French, bare"),
        ("Pedido,Cliente,Fecha,Importe", "Spanish"),
        ("num_factura,id_cliente,fecha_factura,importe_total", "Spanish, snake"),
        ("bestelnummer,klantnummer,besteldatum,bedrag", "Dutch"),
        ("receipt,member,purchase date,amount paid", "receipts"),
        ("basket_id,user_id,created_at,order_value", "web shop"),
    ],
)
def test_look_orders_in_five_languages(tmp_path: Path, names: str, language: str) -> None:
    file = put(tmp_path / "f.csv", rows(*names.split(","), **ORDERS))
    _, section, seen = section_of(file)
    order, who, when, money = names.split(",")
    assert section.table == "orders"
    expected = {"order_id": order, "customer_id": who, "ordered_at": when, "amount": money}
    assert dict(section.columns) == expected
    assert seen.doubts == ()


@pytest.mark.parametrize(
    "names",
    [
        "InvoiceNo,CustomerID,InvoiceDate,StockCode,Quantity,UnitPrice",
        "Bestellnummer,Kundennummer,Datum,Artikelnummer,Menge,Einzelpreis",
        "Belegnr,Kunde,Belegdatum,Artikel-Nr,Anzahl,Preis pro Stück",
        "facture,client,date,article,quantité,prix unitaire",
        "factura,cliente,fecha,producto,cantidad,precio",
        "factuur,klant,datum,artikelcode,aantal,prijs",
        "order id,cust,order time,sku,qty,unit price",
    ],
)
def test_look_order_lines_with_a_unit_price(tmp_path: Path, names: str) -> None:
    file = put(tmp_path / "f.csv", rows(*names.split(","), **LINES))
    _, section, _ = section_of(file)
    roles = ("order_id", "customer_id", "ordered_at", "product_id", "quantity", "unit_price")
    assert section.table == "order_lines"
    assert dict(section.columns) == dict(zip(roles, names.split(","), strict=True))


def test_look_takes_names_categories_and_channels_of_products(tmp_path: Path) -> None:
    names = (
        "order",
        "customer",
        "date",
        "item no",
        "qty",
        "unit price",
        "Beschreibung",
        "Warengruppe",
        "Vertriebskanal",
        "Country",
    )
    extra = {
        "text": lambda i: f"red mug no. {i % 5}",
        "group": lambda i: f"group {'AB'[i % 2]}",
        "channel": lambda i: ("web", "shop")[i % 2],
        "country": lambda i: "United Kingdom",
    }
    _, section, seen = section_of(put(tmp_path / "f.csv", rows(*names, **LINES, **extra)))
    assert section.columns["product_name"] == "Beschreibung"
    assert section.columns["product_category"] == "Warengruppe"
    assert seen.unread == ("Country",)
    assert seen.personal == ()


@pytest.mark.parametrize(
    ("name", "role", "other"),
    [
        ("Gesamtbetrag", "amount", "unit_price"),
        ("Stückpreis", "unit_price", "quantity"),
        ("Stueck", "quantity", "unit_price"),
        ("LineTotal", "amount", "unit_price"),
        ("Product Name", "product_name", "product_id"),
        ("orderedAt", "ordered_at", "order_id"),
        ("EAN", "product_id", "quantity"),
        ("number of items", "quantity", "product_id"),
        ("Sales Channel", "channel", "amount"),
        ("Rechnungs-Nr", "order_id", "amount"),
    ],
)
def test_name_score_prefers_the_right_role(name: str, role: str, other: str) -> None:
    item = profile(name, [])
    assert name_score(role, item) > name_score(other, item)


@pytest.mark.parametrize(
    "name", ["Versanddatum", "due date", "Geburtsdatum", "delivery_date", "Discount", "VAT", "Shipping cost"]
)
def test_name_score_of_other_days_and_costs_is_low(name: str) -> None:
    item = profile(name, [])
    assert name_score("ordered_at", item) <= 0.7
    assert name_score("amount", item) < 0.6


# Text: delimiter, header, encoding


@pytest.mark.parametrize("sep", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", [".csv", ".txt", ".tsv"])
def test_look_delimiter(tmp_path: Path, sep: str, ending: str) -> None:
    file = put(tmp_path / f"f{ending}", rows("order", "cust", "date", "total", sep=sep, **ORDERS))
    _, section, _ = section_of(file)
    assert section.delimiter == sep
    assert section.columns["amount"] == "total"


def test_look_blanks_between_fields(tmp_path: Path) -> None:
    text = "".join(f"  {i:05d}   {19970101 + i}  {i % 3}   {i}.99 \n" for i in (1, 1, 2, 3, 3, 4, 5, 5))
    _, section, seen = section_of(put(tmp_path / "cd.txt", text))
    assert section.delimiter == "whitespace"
    assert not section.header
    assert section.names == ("column_1", "column_2", "column_3", "column_4")
    assert dict(section.columns) == {"customer_id": "column_1", "ordered_at": "column_2", "amount": "column_4"}
    assert section.date_format == "%Y%m%d"
    assert sum("by its values alone" in doubt for doubt in seen.doubts) == 3


def test_look_blanks_with_a_header(tmp_path: Path) -> None:
    text = "customer_id date number_of_cds dollar_value\n" + "".join(f" {i:05d} 19970118 {i}  {i}.77\n" for i in range(1, 9))
    descriptor, section, _ = section_of(put(tmp_path / "cd.txt", text))
    assert section.delimiter == "whitespace"
    assert descriptor.currency == "USD"
    assert dict(section.columns) == {"customer_id": "customer_id", "ordered_at": "date", "amount": "dollar_value"}


def test_look_decimal_commas_do_not_delimit(tmp_path: Path) -> None:
    text = rows(sep=";", header=False, a=lambda i: i % 4, b=lambda i: f"{i},50", c=lambda i: f"{i},25", d=day)
    _, section, _ = section_of(put(tmp_path / "f.csv", text))
    assert section.delimiter == ";"
    assert section.decimal == ","


def test_look_quoted_fields_hold_delimiters_and_line_breaks(tmp_path: Path) -> None:
    text = 'order,cust,date,total,"note, long"\n' + "".join(
        f'{i},C{i % 5},{day(i)},{i}.50,"a, b\nand ""c"""\n' for i in range(20)
    )
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.delimiter == ","
    assert seen.rows == 20


def test_look_header_of_unknown_words_above_numbers(tmp_path: Path) -> None:
    text = rows("aaa", "bbb", "ccc", a=customer, b=day, c=lambda i: f"{i}.50")
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.header
    assert section.columns["ordered_at"] == "bbb"
    assert section.columns["amount"] == "ccc"
    assert "customer_id" not in section.columns
    assert any("No customer id column" in doubt for doubt in seen.doubts)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"])
def test_look_encoding(tmp_path: Path, encoding: str) -> None:
    text = rows("Bestellung", "Kunde", "Datum", "Betrag", "Größe", sep=";", **ORDERS, size=lambda i: "groß, für Küche")
    _, section, seen = section_of(put(tmp_path / "f.csv", text, encoding))
    assert section.columns["customer_id"] == "Kunde"
    if encoding.startswith("utf-8"):
        assert section.encoding is None
    else:
        assert section.encoding is not None
        assert codecs.lookup(section.encoding).name in {codecs.lookup(encoding).name, "cp1252"}
    assert any("encoding" in doubt for doubt in seen.doubts) == (encoding in ("cp1252", "latin-1"))


@pytest.mark.parametrize(
    ("encoding", "word"), [("cp850", "Größe für Küche"), ("cp1251", "размер товара"), ("cp1250", "żółta książka")]
)
def test_look_other_encodings_decode(tmp_path: Path, encoding: str, word: str) -> None:
    text = rows("order", "cust", "date", "total", word, count=30, **ORDERS, size=lambda i: word)
    _, section, _ = section_of(put(tmp_path / "f.csv", text, encoding))
    assert section.encoding is not None
    assert word.encode(encoding).decode(section.encoding) == word


def test_look_finds_a_late_umlaut(tmp_path: Path) -> None:
    text = rows("order", "cust", "date", "total", "note", **ORDERS, note=lambda i: "x" * 40_000)
    file = put(tmp_path / "f.csv", text + "9999,C1,2024-12-31,5.50,später\n", "cp1252")
    assert file.stat().st_size > 400_000
    _, section, _ = section_of(file)
    assert section.encoding == "cp1252"


@pytest.mark.proof
def test_look_reads_only_the_beginning_of_a_long_file(tmp_path: Path) -> None:
    line = "".join(f"{i},C{i % 50},{day(i % 30)},{i % 90}.50\n" for i in range(1000))
    file = put(tmp_path / "f.csv", "order,cust,date,total\n" + line * 100)
    _, _, seen = section_of(file)
    assert 5000 <= seen.rows + 1 <= 6500
    assert not seen.complete


@pytest.mark.proof
def test_look_sees_the_13th_far_below(tmp_path: Path) -> None:
    early = "".join(f"{i},C{i % 50},0{1 + i % 9}/05/2024,{i % 90}.50\n" for i in range(30_000))
    late = "".join(f"{i},C{i % 50},25/05/2024,{i % 90}.50\n" for i in range(4_000))
    _, section, seen = section_of(put(tmp_path / "f.csv", "order,cust,date,total\n" + early + late))
    assert section.date_format == "%d/%m/%Y"
    assert not any("exchanged" in doubt for doubt in seen.doubts)


def test_look_packed_text(tmp_path: Path) -> None:
    file = tmp_path / "f.csv.gz"
    file.write_bytes(gzip.compress(rows("order", "cust", "date", "total", **ORDERS).encode()))
    _, section, seen = section_of(file)
    assert seen.name == "f"
    assert section.delimiter == ","


@pytest.mark.proof
def test_look_long_packed_text(tmp_path: Path) -> None:
    file = tmp_path / "long.txt.gz"
    line = "".join(f"{i};C{i % 50};{day(i % 30)};{i % 90},50;für\n" for i in range(1000)).encode("cp1252")
    file.write_bytes(gzip.compress(b"order;cust;date;total;note\n" + line * 400))
    _, section, _ = section_of(file)
    assert (section.encoding, section.delimiter, section.decimal) == ("cp1252", ";", ",")


# Numbers


@pytest.mark.parametrize(
    ("values", "decimal"),
    [
        (["1234.50", "7.25"], "."),
        (["1.234,56", "7,10"], ","),
        (["1,234.56", "7.10"], "."),
        (["1234,5", "7"], ","),
        (["1.234.567", "12"], ","),
        (["1,234,567", "12"], "."),
        (["1 234,50", "7,00"], ","),
        (["1'234.50", "7.00"], "."),
        (["€ 1.234,50", "7,00 €"], ","),
        (["$1,234.50", "$7.00"], "."),
        (["-1.234,50", "0,125"], ","),
    ],
)
def test_numbers_decimal_sign(values: list[str], decimal: str) -> None:
    found = numbers(values)
    assert found.decimal == decimal
    assert found.share == 1
    assert not found.mixed


def test_number_reads_as_the_reader_does() -> None:
    assert number("1.234,56", ",") == 1234.56
    assert number("1,234.56") == 1234.56
    assert number("12,50") is None
    assert number("7.00 EUR") == 7
    assert number("nan") is None
    assert number(True) is None
    assert number("٣") == 3


def test_look_decimal_comma(tmp_path: Path) -> None:
    text = rows("Beleg", "Kunde", "Datum", "Betrag", sep=";", **{**ORDERS, "money": lambda i: f"1.{i + 100},50"})
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.decimal == ","
    assert seen.doubts == ()


def test_look_thousands_only_is_a_doubt(tmp_path: Path) -> None:
    text = rows("Beleg", "Kunde", "Datum", "Betrag", sep=";", **{**ORDERS, "money": lambda i: f"{i + 1}.500"})
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.decimal == ","
    assert any("thousands" in doubt for doubt in seen.doubts)


def test_look_mixed_decimal_signs_are_a_doubt(tmp_path: Path) -> None:
    money = {"money": lambda i: "12,50" if i % 3 else "12.50"}
    text = rows("Beleg", "Kunde", "Datum", "Betrag", sep=";", **{**ORDERS, **money})
    _, _, seen = section_of(put(tmp_path / "f.csv", text))
    assert any("decimal points" in doubt for doubt in seen.doubts)


def test_look_columns_with_different_signs_are_a_doubt(tmp_path: Path) -> None:
    text = rows(
        *("Beleg", "Kunde", "Datum", "Betrag", "Gewicht"),
        sep=";",
        **{**ORDERS, "money": lambda i: f"{i},50"},
        kg=lambda i: f"{i}.5",
    )
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.decimal == ","
    assert any("'Betrag' has decimal commas and 'Gewicht' decimal points" in doubt for doubt in seen.doubts)


@pytest.mark.parametrize("form", ["({})", "{}-", "EUR {}", "kr {}", "−{}", "R$ {}"])
def test_look_amounts_as_people_write_them(tmp_path: Path, form: str) -> None:
    text = rows("order", "cust", "date", "total", **{**ORDERS, "money": lambda i: form.format("12.50") if i % 2 else "7.10"})
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.columns["amount"] == "total"
    assert not any("cannot be read" in doubt for doubt in seen.doubts)


@pytest.mark.parametrize("form", ["Rs. {}", "{},-"])
def test_look_amounts_that_the_reader_cannot_read_are_a_doubt(tmp_path: Path, form: str) -> None:
    money = {"money": lambda i: form.format("12") if i % 2 else "7.10"}
    text = rows("order", "cust", "date", "total", sep=";", **{**ORDERS, **money})
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.columns["amount"] == "total"
    assert any("cannot be read as numbers" in doubt and form.format("12") in doubt for doubt in seen.doubts)


def test_look_text_for_nothing_is_a_doubt(tmp_path: Path) -> None:
    text = rows(
        "order", "cust", "date", "total", **{**ORDERS, "who": lambda i: ("na", "NULL")[i % 2] if i % 3 == 0 else customer(i)}
    )
    descriptor, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.columns["customer_id"] == "cust"
    assert any("'na'" in doubt for doubt in seen.doubts)  # the reader knows NULL, and not this
    assert descriptor.missing_customer == "drop"


# Dates


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("%Y-%m-%d", None),
        ("%Y/%m/%d", None),
        ("%Y-%m-%d %H:%M:%S", None),
        ("%Y-%m-%dT%H:%M:%SZ", None),
        ("%Y-%m-%d %H:%M:%S UTC", None),
        ("%d/%m/%Y", "%d/%m/%Y"),
        ("%m/%d/%Y", "%m/%d/%Y"),
        ("%d.%m.%Y", "%d.%m.%Y"),
        ("%d.%m.%y", "%d.%m.%y"),
        ("%m/%d/%y %H:%M", "%m/%d/%y %H:%M"),
        ("%d-%m-%Y %H:%M:%S", "%d-%m-%Y %H:%M:%S"),
        ("%m/%d/%Y %I:%M %p", "%m/%d/%Y %I:%M %p"),
        ("%Y%m%d", "%Y%m%d"),
        ("%Y%m%d%H%M%S", "%Y%m%d%H%M%S"),
        ("%Y.%m.%d", "%Y.%m.%d"),
        ("%b %d %Y", "%b %d %Y"),
        ("%d-%b-%y", "%d-%b-%y"),
        ("%d %B %Y", "%d %B %Y"),
    ],
)
def test_look_date_form(tmp_path: Path, form: str, expected: str | None) -> None:
    moments = [dt.datetime(2024, 1, 2, 9, 5) + dt.timedelta(days=13 * i, minutes=7 * i) for i in range(20)]
    text = rows("order", "cust", "date", "total", sep="|", count=20, **{**ORDERS, "day": lambda i: moments[i].strftime(form)})
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.columns["ordered_at"] == "date"
    assert section.date_format == expected
    assert not any("exchanged" in doubt for doubt in seen.doubts)


def test_dates_forms_are_read_by_duckdb() -> None:
    import duckdb

    moments = [dt.datetime(2010, 1, 1, 0, 5, 9) + dt.timedelta(days=47 * i, minutes=61 * i) for i in range(110)]
    con = duckdb.connect()
    day_forms = "%Y-%m-%d %Y/%m/%d %Y.%m.%d %d.%m.%Y %d/%m/%Y %m/%d/%Y %d-%m-%y %m/%d/%y %Y%m%d %b_%d_%Y %d._%B_%Y %a,_%d_%b_%Y"
    for day_form in day_forms.split():
        for clock in ("", " %H:%M", " %H:%M:%S", "T%H:%M:%S", " %I:%M %p", " %I:%M%p", ", %H:%M"):
            form = day_form.replace("_", " ") + clock
            texts = [moment.strftime(form) for moment in moments]
            found = dates(texts)
            assert found.share == 1, form
            wanted = [dt.datetime.strptime(text, form) for text in texts]
            column = duckdb.ColumnExpression("text")
            source = con.from_arrow(pa.table({"text": texts}))
            if found.form is None:
                read = source.select(column.cast("TIMESTAMP"))
            else:
                read = source.select(duckdb.FunctionExpression("try_strptime", column, duckdb.ConstantExpression(found.form)))
            assert [row[0] for row in read.fetchall()] == wanted, form


def ambiguous(sep: str, money: Callable[[int], str], form: str = "{:02d}/{:02d}/2024") -> str:
    """Days and months up to 12 only, in no order."""
    return rows(
        "order",
        "cust",
        "date",
        "total",
        sep=sep,
        **{**ORDERS, "day": lambda i: form.format(1 + 5 * i % 12, 1 + 7 * i % 12), "money": money},
    )


def test_look_undecidable_dates_have_the_day_first(tmp_path: Path) -> None:
    _, section, seen = section_of(put(tmp_path / "f.csv", ambiguous(";", lambda i: f"{i},50")))
    assert section.date_format == "%d/%m/%Y"
    assert any("exchanged" in doubt for doubt in seen.doubts)


def test_look_undecidable_dates_of_an_american_file_have_the_month_first(tmp_path: Path) -> None:
    _, section, seen = section_of(put(tmp_path / "f.csv", ambiguous(",", lambda i: f"{i}.50")))
    assert section.date_format == "%m/%d/%Y"
    assert any("American" in doubt for doubt in seen.doubts)


def test_look_undecidable_dates_beside_pounds_have_the_day_first(tmp_path: Path) -> None:
    descriptor, section, seen = section_of(put(tmp_path / "f.csv", ambiguous(",", lambda i: f"£{i}.50")))
    assert section.date_format == "%d/%m/%Y"
    assert descriptor.currency == "GBP"
    assert any("exchanged" in doubt for doubt in seen.doubts)


def test_look_order_of_rows_decides_day_or_month(tmp_path: Path) -> None:
    text = rows(
        "order", "cust", "date", "total", count=20, **{**ORDERS, "day": lambda i: f"{1 + i % 12:02d}/0{3 + i // 12}/2024"}
    )
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.date_format == "%d/%m/%Y"
    assert any("in order of time" in doubt for doubt in seen.doubts)


def test_look_another_column_decides_day_or_month(tmp_path: Path) -> None:
    day = {"day": lambda i: f"0{1 + i % 3}/0{1 + 2 * i % 5}/2024"}
    text = rows("order", "cust", "order date", "total", "ship date", **{**ORDERS, **day}, ship=lambda i: f"{15 + i}/02/2024")
    _, section, _ = section_of(put(tmp_path / "f.csv", text))
    assert section.columns["ordered_at"] == "order date"
    assert section.date_format == "%d/%m/%Y"


def test_look_two_digit_years_lead(tmp_path: Path) -> None:
    text = rows("order", "cust", "date", "total", **{**ORDERS, "day": lambda i: DAYS[i].strftime("%y-%m-%d")})
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.date_format == "%y-%m-%d"
    assert not any("two digits" in doubt for doubt in seen.doubts)


@pytest.mark.parametrize(
    ("day", "asked"),
    [
        ("01.07.24", False),
        ("01.07.59", False),
        ("01.07.60", True),
        ("01.07.79", True),
        ("01.07.80", False),
        ("1-Mai-79", True),
        ("1-Mai-23", False),
        ("1-May-72", True),
        ("01.07.1972", False),
        ("1 mai 1972", False),
    ],
)
def test_the_century_of_two_digits_is_asked_about_where_it_could_be_another(day: str, asked: bool) -> None:
    assert dates([day, day.replace("1", "2", 1)]).turned is asked


def test_look_both_orders_of_day_and_month_are_a_doubt(tmp_path: Path) -> None:
    text = rows("order", "cust", "date", "total", **{**ORDERS, "day": lambda i: "31/12/2024" if i % 2 else "12/31/2024"})
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert "ordered_at" not in section.columns
    assert any("others the month" in doubt for doubt in seen.doubts)


def test_look_some_dates_in_another_form_are_a_doubt(tmp_path: Path) -> None:
    text = rows("order", "cust", "date", "total", **{**ORDERS, "day": lambda i: "yesterday" if i == 3 else day(i)})
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.columns["ordered_at"] == "date"
    assert any("'yesterday'" in doubt for doubt in seen.doubts)


@pytest.mark.proof
def test_look_a_date_that_cannot_be_read_is_left_to_the_user(tmp_path: Path) -> None:
    text = rows("Beleg", "Kunde", "Datum", "Betrag", **{**ORDERS, "day": lambda i: f"{i + 1}. Nebelung 2024"})
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert "ordered_at" not in section.columns
    assert seen.maybe == {"ordered_at": "Datum"}
    assert '# ordered_at = "Datum"' in guess.to_toml(seen)


def test_look_leaves_other_days_aside(tmp_path: Path) -> None:
    names = ("ship_date", "birth_date", "order", "cust", "order_date", "total")
    text = rows(*names, ship=lambda i: day(i + 1), birth=lambda i: "1980-01-01", **ORDERS)
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.columns["ordered_at"] == "order_date"
    assert seen.personal == ("birth_date",)
    assert not any("ship_date" in doubt for doubt in seen.doubts)


def test_look_times_with_a_zone_are_said(tmp_path: Path) -> None:
    text = rows("order", "cust", "date", "total", **{**ORDERS, "day": lambda i: f"{day(i)}T10:00:00+01:00"})
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.date_format is None
    assert "are converted to this time zone" in seen.remarks["timezone"]


# Tables and money


def test_look_lines_without_pieces_but_with_repeated_orders(tmp_path: Path) -> None:
    values = {key: LINES[key] for key in ("order", "who", "day", "sku", "price")}
    _, section, seen = section_of(put(tmp_path / "f.csv", rows("order", "cust", "date", "sku", "line total", **values)))
    assert section.table == "order_lines"
    assert any("No quantity column" in doubt for doubt in seen.doubts)


def test_look_lines_without_an_order_have_to_name_one(tmp_path: Path) -> None:
    values = {key: LINES[key] for key in ("who", "day", "sku", "pieces", "price")}
    _, section, seen = section_of(put(tmp_path / "f.csv", rows("cust", "date", "sku", "qty", "price", **values)))
    assert section.table == "order_lines"
    assert any("No order number column" in doubt for doubt in seen.doubts)
    assert "# order_id = " in guess.to_toml(seen)


def test_look_orders_without_an_id(tmp_path: Path) -> None:
    values = {key: ORDERS[key] for key in ("who", "day", "money")}
    _, section, seen = section_of(put(tmp_path / "f.csv", rows("cust", "date", "total", **values)))
    assert section.table == "orders"
    assert seen.doubts == ("No order number column was found, so each row counts as one order.",)


def test_look_orders_with_a_product_are_orders(tmp_path: Path) -> None:
    text = rows("order", "cust", "date", "total", "product", **ORDERS, product=lambda i: f"P{i % 3}")
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.table == "orders"
    assert seen.unread == ("product",)


def test_look_total_beside_unit_price(tmp_path: Path) -> None:
    total = {"total": lambda i: f"{(1 + i % 4) * (2.25 + i % 5):.2f}"}
    _, section, seen = section_of(
        put(tmp_path / "f.csv", rows("order", "cust", "date", "sku", "qty", "price", "total", **LINES, **total))
    )
    assert section.columns["amount"] == "total"
    assert not any("'total'" in doubt for doubt in seen.doubts)


def test_look_total_that_is_the_price(tmp_path: Path) -> None:
    text = rows("order", "cust", "date", "sku", "qty", "price", "revenue", **LINES, again=LINES["price"])
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert "amount" not in section.columns
    assert section.columns["unit_price"] == "price"
    assert any("'revenue' equals 'price'" in doubt for doubt in seen.doubts)


def test_look_total_of_the_whole_order_is_no_amount_of_a_line(tmp_path: Path) -> None:
    text = rows(
        "order", "cust", "date", "sku", "qty", "price", "order total", count=24, **LINES, total=lambda i: f"{100 + i // 3}.10"
    )
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert "amount" not in section.columns
    assert any("the order's total" in doubt for doubt in seen.doubts)


def test_look_total_of_the_whole_order_without_a_price_is_a_doubt(tmp_path: Path) -> None:
    values = {**LINES, "price": lambda i: f"{50 + i // 3}.00"}
    text = rows("order", "cust", "date", "sku", "qty", "order total", count=24, **values)
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.columns["amount"] == "order total"
    assert any("once for every line" in doubt for doubt in seen.doubts)


def test_look_total_less_discount_is_a_doubt(tmp_path: Path) -> None:
    total = {"total": lambda i: f"{(1 + i % 4) * (2.25 + i % 5) * (0.8 + 0.01 * i):.2f}"}
    text = rows("order", "cust", "date", "sku", "qty", "price", "total", count=24, **LINES, **total)
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.columns["amount"] == "total"
    assert any("'qty' × 'price' in only" in doubt for doubt in seen.doubts)


def test_look_amount_that_does_not_grow_with_pieces_is_a_price(tmp_path: Path) -> None:
    values = {**LINES, "pieces": lambda i: 1 + i % 7}
    _, section, seen = section_of(
        put(tmp_path / "f.csv", rows("order", "cust", "date", "sku", "qty", "Wert", count=28, **values))
    )
    assert section.columns["unit_price"] == "Wert"
    assert any("stays the same" in doubt for doubt in seen.doubts)


def test_look_an_amount_called_so_cannot_be_unmapped(tmp_path: Path) -> None:
    text = rows("order", "cust", "date", "sku", "qty", "price", "amount", **LINES, again=LINES["price"])
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.columns["amount"] == "amount"
    assert any("Rename" in doubt for doubt in seen.doubts)


def test_look_the_total_that_fits_wins(tmp_path: Path) -> None:
    totals = {
        "wrong": lambda i: f"{3 + i}.10",
        "right": lambda i: f"{(1 + i % 4) * (2.25 + i % 5):.2f}",
    }
    names = ("order", "cust", "date", "sku", "qty", "price", "total value", "total amount")
    _, section, _ = section_of(put(tmp_path / "f.csv", rows(*names, **LINES, **totals)))
    assert section.columns["amount"] == "total amount"


def test_look_price_of_an_order_is_its_amount(tmp_path: Path) -> None:
    _, section, seen = section_of(put(tmp_path / "f.csv", rows("order", "cust", "date", "price", **ORDERS)))
    assert section.columns["amount"] == "price"
    assert any("'price' is used as the order total" in doubt for doubt in seen.doubts)


def test_look_price_and_pieces_without_product_need_a_total(tmp_path: Path) -> None:
    text = rows("order", "cust", "date", "price", "qty", **ORDERS, qty=lambda i: i % 3 + 1)
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.table == "orders"
    assert "amount" not in section.columns
    assert any("'qty' × 'price'" in doubt for doubt in seen.doubts)


def test_look_two_candidates_are_a_doubt(tmp_path: Path) -> None:
    text = rows("order", "cust", "date", "net amount", "gross amount", **ORDERS, gross=lambda i: f"{12 + i}.60")
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.columns["amount"] == "net amount"
    assert any("it could also be 'gross amount'" in doubt for doubt in seen.doubts)


def test_look_no_customer_is_commented_out(tmp_path: Path) -> None:
    values = {key: ORDERS[key] for key in ("id", "day", "money")}
    _, section, seen = section_of(put(tmp_path / "f.csv", rows("order", "date", "total", **values)))
    assert "customer_id" not in section.columns
    assert "\n# customer_id = " in guess.to_toml(seen)
    assert any("customer" in doubt for doubt in seen.doubts)


def test_look_bare_id(tmp_path: Path) -> None:
    text = rows("id", "customer", "date", "total", **ORDERS)
    _, section, _ = section_of(put(tmp_path / "f.csv", text))
    assert section.columns["order_id"] == "id"


def test_look_bare_id_that_repeats_is_the_customer(tmp_path: Path) -> None:
    text = rows("id", "date", "total", id=customer, day=day, money=ORDERS["money"])
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.columns["customer_id"] == "id"
    assert any("'id' repeats" in doubt for doubt in seen.doubts)


def test_look_returns_free_orders_and_charges(tmp_path: Path) -> None:
    values = {
        **LINES,
        "sku": lambda i: ("POST", "DISCOUNT", "M")[i] if i < 3 else f"SKU-{i}",
        "pieces": lambda i: -1 if i == 5 else 2,
        "price": lambda i: "0.00" if i == 7 else "2.50",
    }
    text = rows("order", "cust", "date", "sku", "qty", "price", count=30, **values)
    descriptor, _, seen = section_of(put(tmp_path / "f.csv", text))
    text = guess.to_toml(seen)
    assert descriptor.returns == "net"
    assert descriptor.free_orders == "count"
    assert '# not_products = ["DISCOUNT", "M", "POST"]' in text
    assert '# free_orders = "ignore"' in text
    assert "below zero" in text


def test_look_customers(tmp_path: Path) -> None:
    text = rows(
        *("customer_id", "name", "email", "signup date", "segment"),
        a=lambda i: f"C{i}",
        b=lambda i: f"Person{i} Example",
        c=lambda i: f"p{i}@example.org",
        d=day,
        e=lambda i: "AB"[i % 2],
    )
    _, section, seen = section_of(put(tmp_path / "people.csv", text))
    assert section.table == "customers"
    assert dict(section.columns) == {"customer_id": "customer_id", "acquired_at": "signup date"}
    assert section.personal == ("name", "email")
    assert any("no orders" in doubt for doubt in seen.doubts)


def test_look_products(tmp_path: Path) -> None:
    text = rows(
        *("sku", "name", "category", "cost price"),
        a=lambda i: f"P{i}",
        b=lambda i: f"mug {i}",
        c=lambda i: "AB"[i % 2] + " group",
        d=lambda i: f"{i}.10",
    )
    _, section, _ = section_of(put(tmp_path / "goods.csv", text))
    assert section.table == "products"
    assert dict(section.columns) == {"product_id": "sku", "name": "name", "category": "category", "unit_cost": "cost price"}


# Currency


@pytest.mark.parametrize(
    ("name", "form", "currency", "doubtful"),
    [
        ("total", "£{}", "GBP", True),
        ("total", "{} €", "EUR", True),
        ("total", "${}", "USD", True),
        ("total", "{} CHF", "CHF", True),
        ("amount_eur", "{}", "EUR", False),
        ("Betrag (EUR)", "{}", "EUR", False),
        ("Betrag in €", "{}", "EUR", False),
        ("total", "{}", "", False),
    ],
)
def test_look_currency(tmp_path: Path, name: str, form: str, currency: str, doubtful: bool) -> None:
    text = rows("order", "cust", "date", name, sep=";", **{**ORDERS, "money": lambda i: form.format(f"{i}.50")})
    descriptor, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert descriptor.currency == currency
    assert section.columns["amount"] == name
    remark = seen.remarks.get("currency", "")
    assert ("taken off" in remark or "US dollars" in remark) == doubtful
    assert seen.doubts == ()


def test_look_currency_column(tmp_path: Path) -> None:
    text = rows("order", "cust", "date", "total", "currency", **ORDERS, currency=lambda i: "SEK")
    assert section_of(put(tmp_path / "f.csv", text))[0].currency == "SEK"
    text = rows("order", "cust", "date", "total", "currency", **ORDERS, currency=lambda i: ("SEK", "NOK")[i % 2])
    descriptor, _, seen = section_of(put(tmp_path / "g.csv", text))
    assert descriptor.currency == "NOK"
    assert any("also holds SEK (6 rows, 93.00 SEK)" in doubt for doubt in seen.doubts)


# Personal columns


PEOPLE = [f"Anna{c} Muster{c}" for c in "abcdefghijkl"]
PERSONAL = {
    "name": lambda i: PEOPLE[i],
    "mail": lambda i: f"anna{i}@example.org",
    "phone": lambda i: f"+49 30 55500{i:02d}",
    "street": lambda i: f"Musterweg {100 + i}",
    "zip": lambda i: f"{10100 + i}",
    "born": lambda i: f"19{60 + i}-03-0{1 + i % 9}",
}


@pytest.mark.parametrize(
    "names",
    [
        ("Customer Name", "E-Mail", "Phone", "Street", "ZIP", "date of birth"),
        ("Name", "email_address", "Telefon", "Straße", "PLZ", "Geburtsdatum"),
        ("nom", "courriel", "téléphone", "adresse", "code postal", "naissance"),
        ("Kunde", "Kontakt 1", "Kontakt 2", "Anschrift", "Postleitzahl", "Geburtstag"),
        ("billing_name", "x1", "x2", "ship_address", "zipcode", "dob"),
    ],
)
@pytest.mark.parametrize("identified", [True, False])
def test_look_never_maps_or_shows_persons(tmp_path: Path, names: tuple[str, ...], identified: bool) -> None:
    orders = dict(ORDERS) if identified else {key: ORDERS[key] for key in ("id", "day", "money")}
    heads = ("order", "customer id", "date", "total") if identified else ("order", "date", "total")
    file = put(tmp_path / "f.csv", rows(*names, *heads, **PERSONAL, **orders))
    _, section, seen = section_of(file)
    text = guess.to_toml(seen)
    assert not set(section.columns.values()) & set(names)
    told = set() if identified else {names[1]}
    assert {section.customer_hash} - {None} == told  # the address tells who bought, where no id does
    assert set(seen.personal) == set(names) - told
    assert "Personal columns are not read" in text
    for make in PERSONAL.values():
        for i in range(12):
            assert str(make(i)) not in text
    assert any("No customer id column" in doubt for doubt in seen.doubts) != identified


def test_look_persons_in_a_file_without_header(tmp_path: Path) -> None:
    text = rows(header=False, sep=";", **PERSONAL, **ORDERS)
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert not section.header
    written = guess.to_toml(seen)
    for key in ("name", "mail", "phone", "street"):
        assert all(str(PERSONAL[key](i)) not in written for i in range(12))


def test_look_first_row_of_persons_is_not_shown_as_names(tmp_path: Path) -> None:
    file = put(tmp_path / "f.csv", "Erika;Mustermann\nMax;Muster\n")
    seen = guess.look(file)
    text = guess.to_toml(seen)
    assert "Erika" not in text
    assert "Muster" not in text


def test_look_a_customer_without_numbers_is_a_doubt(tmp_path: Path) -> None:
    text = rows("order", "Kunde", "date", "total", **{**ORDERS, "who": lambda i: ("Meier", "Huber", "Kunz")[i % 3]})
    _, _, seen = section_of(put(tmp_path / "f.csv", text))
    assert any("'Kunde' holds words" in doubt for doubt in seen.doubts)
    assert "Meier" not in guess.to_toml(seen)


def test_look_does_not_show_a_person_in_a_row_that_slipped(tmp_path: Path) -> None:
    slip = {
        "day": lambda i: "Anna Muster" if i == 3 else day(i),
        "money": lambda i: "anna@example.org" if i == 4 else f"{i}.50",
    }
    text = rows("order", "cust", "date", "total", **{**ORDERS, **slip})
    text = guess.to_toml(guess.look(put(tmp_path / "f.csv", text)))
    assert "anna" not in text.lower()
    assert text.count("a name or an address") == 2


def test_look_a_customer_that_is_an_address_is_a_doubt(tmp_path: Path) -> None:
    text = rows("order", "customer_id", "date", "total", **{**ORDERS, "who": lambda i: f"anna{i}@example.org"})
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert "customer_id" not in section.columns
    assert section.customer_hash == "customer_id"  # an address is never an id; its keyed hash is
    assert any("keyed hash" in doubt for doubt in seen.doubts)
    assert "@" not in guess.to_toml(seen)


def test_look_a_bare_name_that_goes_with_the_product(tmp_path: Path) -> None:
    text = rows("order", "customer", "date", "sku", "qty", "price", "name", count=24, **LINES, name=lambda i: f"mug {i % 5}")
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.columns["product_name"] == "name"
    assert seen.personal == ()
    assert "mug" not in guess.to_toml(seen)


def test_look_an_export_of_a_web_shop(tmp_path: Path) -> None:
    names = (
        "Name,Email,Financial Status,Paid at,Currency,Subtotal,Shipping,Taxes,Total,Created at,Lineitem quantity,Lineitem name"
    )
    names += ",Lineitem price,Lineitem sku,Billing Name,Billing Street,Billing Phone"
    values = {
        "a": lambda i: f"#{1001 + i // 2}",
        "b": lambda i: f"anna{i // 2}@example.org",
        "c": lambda i: "" if i % 2 else "paid",
        "d": lambda i: "" if i % 2 else f"{day(i // 2)} 10:00:00 +0000",
        "e": lambda i: "" if i % 2 else "EUR",
        "f": lambda i: "" if i % 2 else f"{20 + i}.00",
        "g": lambda i: "" if i % 2 else "4.90",
        "h": lambda i: "" if i % 2 else "3.10",
        "i": lambda i: "" if i % 2 else f"{28 + i}.00",
        "j": lambda i: f"{day(i // 2)} 10:00:00",
        "k": lambda i: 1 + i % 3,
        "l": lambda i: f"mug no. {i % 4}",
        "m": lambda i: f"{5 + i % 4}.50",
        "n": lambda i: f"MUG-{i % 4}",
        "o": lambda i: "" if i % 2 else PEOPLE[i % 12],
        "p": lambda i: "" if i % 2 else f"Musterweg {100 + i}",
        "q": lambda i: "",
    }
    descriptor, section, seen = section_of(put(tmp_path / "orders_export.csv", rows(*names.split(","), count=20, **values)))
    assert seen.export == "a Shopify order export"
    assert descriptor.currency == "EUR"
    orders, section = descriptor.tables["orders"], descriptor.tables["order_lines"]
    assert (orders.only_where, orders.columns["amount"], orders.customer_hash) == ("Total", "Total", "Email")
    assert section.columns["order_id"] == "Name"
    assert section.columns["ordered_at"] == "Created at"
    assert section.columns["product_id"] == "Lineitem sku"
    assert section.columns["product_name"] == "Lineitem name"
    assert section.columns["quantity"] == "Lineitem quantity"
    assert section.columns["unit_price"] == "Lineitem price"
    assert "amount" not in section.columns
    assert {"Billing Name", "Billing Street", "Billing Phone"} <= set(seen.personal)


# Parquet and workbooks


def test_look_parquet(tmp_path: Path) -> None:
    moments = [dt.datetime(2024, 1, 1, 9) + dt.timedelta(days=i) for i in range(40)]
    table = pa.table(
        {
            "InvoiceNo": [str(500 + i // 3) for i in range(40)],
            "StockCode": pa.array([f"{20000 + i % 9}" for i in range(40)]).dictionary_encode(),
            "Quantity": pa.array([1 + i % 5 for i in range(40)], pa.int64()),
            "InvoiceDate": pa.array(moments, pa.timestamp("ns")),
            "UnitPrice": [1.25 + i for i in range(40)],
            "CustomerID": pa.array([None if i % 4 == 0 else 17850 + i % 6 for i in range(40)], pa.int64()),
            "Tags": [["a"]] * 40,
            "Raw": pa.array([b"x"] * 40),
        }
    )
    file = tmp_path / "sales.parquet"
    pq.write_table(table, file)
    descriptor, section, seen = section_of(file)
    assert section.table == "order_lines"
    assert section.columns["ordered_at"] == "InvoiceDate"
    assert section.columns["customer_id"] == "CustomerID"
    assert section.delimiter is None
    assert descriptor.missing_customer == "drop"
    (doubt,) = seen.doubts
    assert doubt.startswith("25.0% of the rows")


@pytest.mark.parametrize("kind", [pa.timestamp("us", "Europe/Berlin"), pa.timestamp("ms"), pa.date32(), pa.date64()])
def test_look_parquet_times(tmp_path: Path, kind: Any) -> None:
    moments = pa.array([dt.datetime(2024, 1, 1) + dt.timedelta(days=i) for i in range(9)])
    columns = {
        "cust": [i % 3 for i in range(9)],
        "when": moments.cast(kind) if "date" not in str(kind) else moments.cast(pa.date32()).cast(kind),
    }
    table = pa.table({**columns, "total": pa.array([dt_ * 1.5 for dt_ in range(9)])})
    pq.write_table(table, tmp_path / "f.parquet")
    _, section, seen = section_of(tmp_path / "f.parquet")
    assert section.columns["ordered_at"] == "when"
    assert ("are converted" in seen.remarks["timezone"]) == ("tz" in str(kind))


def test_look_parquet_numbers_as_dates(tmp_path: Path) -> None:
    table = pa.table(
        {"cust": ["a1", "b2"] * 5, "date": [20240101 + i for i in range(10)], "total": [1.5 + i for i in range(10)]}
    )
    pq.write_table(table, tmp_path / "f.parquet")
    _, section, _ = section_of(tmp_path / "f.parquet")
    assert section.date_format == "%Y%m%d"


def test_look_folder_of_parquet_files(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    table = pa.table(
        {"cust": ["a1", "b2"] * 5, "date": [dt.date(2024, 1, 1 + i) for i in range(10)], "total": [1.5 + i for i in range(10)]}
    )
    for i in range(2):
        pq.write_table(table, folder / f"{i}.parquet")
    _, section, seen = section_of(folder)
    assert dict(section.columns) == {"customer_id": "cust", "ordered_at": "date", "amount": "total"}
    assert not seen.complete


CELL = {
    "str": lambda v: f'<c t="inlineStr"><is><t xml:space="preserve">{v}</t></is></c>',
    "num": lambda v: f"<c><v>{v}</v></c>",
    "day": lambda v: f'<c s="1"><v>{v}</v></c>',
    "none": lambda v: "<c/>",
}


def workbook(path: Path, **sheets: list[list[tuple[str, Any]]]) -> Path:
    """A small .xlsx written by hand, since nothing here writes them."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rels = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    numbered = list(enumerate(sheets.items(), start=1))
    listed = "".join(f'<sheet name="{name}" sheetId="{i}" r:id="rId{i}"/>' for i, (name, _) in numbered)
    links = "".join(
        f'<Relationship Id="rId{i}" Type="{rels}/worksheet" Target="worksheets/sheet{i}.xml"/>' for i, _ in numbered
    )
    links += f'<Relationship Id="rId99" Type="{rels}/styles" Target="styles.xml"/>'
    with zipfile.ZipFile(path, "w") as book:
        book.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.'
            'relationships+xml"/><Default Extension="xml" ContentType="application/xml"/></Types>',
        )
        book.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{rels}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        book.writestr("xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{rels}"><sheets>{listed}</sheets></workbook>')
        book.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}/relationships">{links}</Relationships>')
        book.writestr(
            "xl/styles.xml",
            f'<styleSheet xmlns="{main}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/></cellXfs>'
            "</styleSheet>",
        )
        for i, (_, grid) in numbered:
            body = "".join(f"<row>{''.join(CELL[kind](value) for kind, value in row)}</row>" for row in grid)
            book.writestr(f"xl/worksheets/sheet{i}.xml", f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>')
    return path


def grid(*names: str) -> list[list[tuple[str, Any]]]:
    head = [("str", name) for name in names]
    return [head, *([("num", 17850 + i % 4), ("day", 45292 + i), ("num", 10.5 + i)] for i in range(12))]


def test_look_workbook(tmp_path: Path) -> None:
    _, section, seen = section_of(workbook(tmp_path / "Verkäufe 2024.xlsx", Tabelle1=grid("Kunden-Nr", "Datum", "Umsatz")))
    assert dict(section.columns) == {"customer_id": "Kunden-Nr", "ordered_at": "Datum", "amount": "Umsatz"}
    assert section.sheet is None
    assert section.date_format is None
    assert seen.name == "verkaufe_2024"
    assert "17850, 17851" in seen.remarks["customer_id"]
    assert "2024-01-01" in seen.remarks["ordered_at"]


def test_look_workbook_with_several_sheets(tmp_path: Path) -> None:
    sheets = {
        "Notes": [[("str", "made by hand")]],
        "Data 1": grid("cust", "date", "total"),
        "Data 2": grid("cust", "date", "total"),
    }
    _, section, seen = section_of(workbook(tmp_path / "book.xlsx", **sheets))
    assert section.sheet == "Data 1"
    assert any("'Notes', 'Data 2'" in doubt for doubt in seen.doubts)


def test_look_workbook_with_a_title_above(tmp_path: Path) -> None:
    title = [("str", "Sales report"), ("none", ""), ("none", "")]
    book = workbook(tmp_path / "book.xlsx", Sheet=[title, [("none", "")] * 3, *grid("cust", "date", "total")])
    _, section, seen = section_of(book)
    assert section.skip_rows == 2
    assert seen.remarks["skip_rows"] == "titles or notes, and empty rows stand above the column names"


def test_look_workbook_with_dates_as_numbers(tmp_path: Path) -> None:
    cells = [[("str", name) for name in ("cust", "date", "total")]]
    cells += [[("num", i % 4), ("num", 20240101 + i), ("num", 10.5 + i)] for i in range(12)]
    _, section, _ = section_of(workbook(tmp_path / "book.xlsx", Sheet=cells))
    assert section.date_format == "%Y%m%d"


def test_look_workbook_with_days_beside_texts(tmp_path: Path) -> None:
    cells = grid("cust", "date", "total")
    cells[3][1] = ("str", "24.12.2024")
    _, section, seen = section_of(workbook(tmp_path / "book.xlsx", Sheet=cells))
    assert section.columns["ordered_at"] == "date"
    assert section.date_format == "%d.%m.%Y"
    assert not any("date" in doubt for doubt in seen.doubts)


def test_look_workbook_names_lose_their_blanks(tmp_path: Path) -> None:
    _, section, _ = section_of(workbook(tmp_path / "book.xlsx", Sheet=grid("cust ", " date", "total amount")))
    assert section.columns["customer_id"] == "cust"
    assert section.columns["ordered_at"] == "date"


# Errors


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("f.csv", b"", "is empty"),
        ("f.csv", b"\n \n", "is empty"),
        ("f.csv", b"\xef\xbb\xbf", "is empty"),
        ("f.csv", b"order,cust,date,total\n", "no rows"),
        ("f.csv", b"order,cust,date,total\n,,,\n", "no rows"),
        ("f.pdf", b"order,cust\n1,2\n", "format of f.pdf is not known"),
        ("f.csv", b"PK\x03\x04" + bytes(range(256)), "a workbook or a zip archive"),
        ("f.csv", b"PAR1" + bytes(range(256)), "Parquet"),
        ("f.csv", bytes(range(256)) * 8, "binary"),
        ("f.csv", bytes(range(1, 256)) * 8, "binary"),
        ("f.csv", b"total\n1\n2\n3\n", "Only one column"),
        ("f.csv", b"just a sentence\n\nand another, longer one\nor two\n", "Only one column"),
        (
            "f.csv",
            b"order,cust\n1,2,3\n4,5,6\n7,8,9\n",
            "Its rows have 3 fields, and row 1, which seems to hold the column names, has 2",
        ),
        ("f.csv.gz", b"order,cust,date,total\n1,2,3,4\n", "cannot be read"),
        ("f.csv.gz", gzip.compress(b"order,cust,date,total\n1,2,3,4\n" * 99, mtime=0)[:40], "cannot be read"),
        ("f.parquet", b"PAR1 and nothing else", "cannot be read"),
        ("f.xlsx", b"no workbook at all", "cannot be read"),
        ("f.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "cannot be read"),
    ],
    ids=lambda value: value if isinstance(value, str) else "content",
)
def test_look_refuses_with_a_sentence(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        guess.look(file)
    assert str(caught.value).startswith("new file: ")
    assert str(tmp_path) not in str(caught.value)


def test_look_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"There is no file nowhere\.csv"):
        guess.look(tmp_path / "nowhere.csv")


def test_look_folder_without_parquet(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"holds no \.parquet file"):
        guess.look(tmp_path)


def test_look_empty_parquet_and_workbook(tmp_path: Path) -> None:
    pq.write_table(pa.table({"cust": pa.array([], pa.string())}), tmp_path / "f.parquet")
    with pytest.raises(SourceError, match="no rows"):
        guess.look(tmp_path / "f.parquet")
    with pytest.raises(SourceError, match="is empty"):
        guess.look(workbook(tmp_path / "f.xlsx", Sheet=[]))
    with pytest.raises(SourceError, match="no rows"):
        guess.look(workbook(tmp_path / "g.xlsx", Sheet=grid("cust", "date", "total")[:1]))


def test_look_ragged_rows_are_a_doubt(tmp_path: Path) -> None:
    text = rows("order", "cust", "date", "total", count=25, **ORDERS) + "1,2\n"
    _, _, seen = section_of(put(tmp_path / "f.csv", text))
    assert any("usual number of fields" in doubt for doubt in seen.doubts)


# Writing


ODD_NAMES = [
    'cust "id"',
    "cust\\no",
    "cust = id",
    "cust # id",
    "cust 'x' id",
    "Kundën-Nr 🙂",
    "cust\tid",
    "cust\x7f id",
    "[cust id]",
    "客 cust id",
]


@pytest.mark.parametrize("name", ODD_NAMES, ids=range(len(ODD_NAMES)))
def test_to_toml_quotes_any_column_name(tmp_path: Path, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    text = rows("order", quoted, "date", "total", '"a\nremark = ""x"""', **ORDERS, remark=lambda i: "x")
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.columns["customer_id"] == name
    assert seen.unread == ('a\nremark = "x"',)


def test_to_toml_line_breaks_in_names_and_doubts(tmp_path: Path) -> None:
    text = rows(
        '"cust\nid"',
        '"total\r\nnet amount"',
        '"gross\namount = 1"',
        "date",
        a=customer,
        b=ORDERS["money"],
        c=ORDERS["money"],
        d=day,
    )
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.columns["customer_id"] == "cust\nid"
    assert section.columns["amount"] == "total\r\nnet amount"
    assert any("gross" in doubt for doubt in seen.doubts)


def test_to_toml_names_that_repeat(tmp_path: Path) -> None:
    text = rows(
        "order",
        "Date",
        "date",
        "",
        "total",
        "cust",
        a=ORDERS["id"],
        b=day,
        c=lambda i: "x",
        d=lambda i: "y",
        e=ORDERS["money"],
        f=customer,
    )
    _, section, seen = section_of(put(tmp_path / "f.csv", text))
    assert section.columns["ordered_at"] == "Date"
    assert set(seen.unread) == {"date_2", "column_4"}


def test_to_toml_comments_every_mapped_line(tmp_path: Path) -> None:
    file = put(tmp_path / "f.csv", rows("order", "cust", "date", "total", **ORDERS))
    text = guess.to_toml(guess.look(file))
    assert 'customer_id = "cust"  # for example C1000, C1001, C1002' in text
    assert 'amount = "total"  # for example 10.50, 11.50, 12.50' in text
    assert tomllib.loads(text)["orders"]["delimiter"] == ","


def test_to_toml_puts_doubts_above_their_lines(tmp_path: Path) -> None:
    file = put(tmp_path / "f.csv", ambiguous(";", lambda i: f"{i},50"))
    seen = guess.look(file)
    lines = guess.to_toml(seen).splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("date_format"))
    assert lines[place - 1].startswith("# unsure: Day and month")
    assert all(f"# unsure: {' '.join(doubt.split())}" in lines for doubt in seen.doubts)


def test_write_refuses_to_overwrite(tmp_path: Path) -> None:
    file = put(tmp_path / "f.csv", rows("order", "cust", "date", "total", **ORDERS))
    made = guess.write(file, folder=tmp_path)
    made.write_text("mine")
    with pytest.raises(DescriptorError, match="exists already"):
        guess.write(file, folder=tmp_path)
    assert made.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.csv", "f.toml"]


def test_write_leaves_nothing_behind_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = put(tmp_path / "f.csv", rows("order", "cust", "date", "total", **ORDERS))

    def no_space(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", no_space)
    monkeypatch.setattr(Path, "replace", no_space)
    with pytest.raises(DescriptorError, match="No space left"):
        guess.write(file, folder=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["f.csv"]


def test_write_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = put(tmp_path / "f.csv", rows("order", "cust", "date", "total", **ORDERS))

    def no_links(*_: Any) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    made = guess.write(file, folder=tmp_path)
    assert catalog.load(made).name == "f"
    with pytest.raises(DescriptorError, match="exists already"):
        guess.write(file, folder=tmp_path)
    assert not list(tmp_path.glob(".*"))


def test_write_name_and_folder(tmp_path: Path) -> None:
    file = put(tmp_path / "f.csv", rows("order", "cust", "date", "total", **ORDERS))
    assert guess.write(file, name="mine", folder=tmp_path / "new" / "place") == tmp_path / "new" / "place" / "mine.toml"
    for name in ("a/b", "..", "", "a b", "a\n", "x.toml"):
        with pytest.raises(DescriptorError, match="letters"):
            guess.write(file, name=name, folder=tmp_path)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("notebooks", "data/private"):
        (tmp_path / "project" / name).mkdir(parents=True)
    monkeypatch.setenv("CRMLAB_HOME", str(tmp_path / "project"))
    monkeypatch.delenv("CRMLAB_DATA", raising=False)
    return tmp_path / "project"


def file_key(made: Path) -> str:
    (section,) = catalog.load(made).tables.values()
    (name,) = section.file
    assert catalog.locate(section, made.parent)[0] is not None
    return name


def test_write_into_the_project(project: Path) -> None:
    text = rows("order", "cust", "date", "total", **ORDERS)
    made = guess.write(put(project / "data" / "Mai 2024.csv", text))
    assert made == project / "data" / "mai_2024.toml"
    assert file_key(made) == "Mai 2024.csv"
    assert file_key(guess.write(put(project / "data" / "private" / "secret.csv", text))) == "private/secret.csv"
    outside = put(project.parent / "outside.csv", text)
    assert file_key(guess.write(outside)) == outside.as_posix()


def test_write_names_a_file_in_the_users_own_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = rows("order", "cust", "date", "total", **ORDERS)
    own = project.parent / "own"
    own.mkdir()
    monkeypatch.setenv("CRMLAB_DATA", str(own))
    put(own / "a.csv", text)
    assert file_key(guess.write("a.csv")) == "a.csv"
    put(project / "data" / "b.csv", text)  # a file of that name beside the TOML file would be taken first
    assert file_key(guess.write(put(own / "b.csv", text))) == (own / "b.csv").as_posix()
    assert file_key(guess.write(put(own / "~c.csv", text))) == (own / "~c.csv").as_posix()


def test_write_through_a_link(project: Path) -> None:
    real = put(project / "data" / "private" / "real.csv", rows("order", "cust", "date", "total", **ORDERS))
    link = project.parent / "link.csv"
    link.symlink_to(real)
    assert file_key(guess.write(link)) == "private/real.csv"


def test_write_a_file_whose_name_is_no_text(tmp_path: Path) -> None:
    try:
        file = put(Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xff.csv")), rows("order", "cust", "date", "total", **ORDERS))
    except OSError:
        pytest.skip("the file system takes only valid names")
    with pytest.raises(CrmlabError, match="name"):
        guess.write(file, name="mine", folder=tmp_path)
    assert not list(tmp_path.glob("*.toml"))


# The reader takes what was guessed


OPENED = {
    "german.csv": (rows("Bestellnummer", "Kundennummer", "Datum", "Größe", "Betrag", sep=";", **{
        "id": ORDERS["id"], "who": customer, "day": lambda i: DAYS[i].strftime("%d.%m.%y"), "size": lambda i: "groß",
        "money": lambda i: f"1.{100 + i},50 €"}).encode("cp1252"), 13_272),
    "american.csv": (rows("order", "cust", "date", "total", **{
        **ORDERS, "day": lambda i: DAYS[i].strftime("%m/%d/%Y %I:%M %p"), "money": lambda i: f"$1{i:02d}.50"}).encode(), 1_272),
    "utf16.txt": (rows("order", "cust", "date", "sku", "qty", "price", sep="\t", **LINES).encode("utf-16"), 117.5),
    "zoned.csv": (rows("order", "cust", "date", "total", **{**ORDERS, "day": lambda i: f"{day(i)}T10:00:00+0100"}).encode(), 192),
    "blanks.txt": (b"".join(b" %05d  %d  %d.25 \n" % (1 + i % 3, 19970101 + i, i) for i in range(9)), 38.25),
    "packed.csv.gz": (gzip.compress(rows("order", '"cust ""x"" id"', "date", "total", **ORDERS).encode(), mtime=0), 192),
}  # fmt: skip


# Ibis 12 calls a function of DuckDB that DuckDB means to drop; nothing of ours.
OPENS = pytest.mark.filterwarnings("ignore:fetch_arrow_table")


@OPENS
@pytest.mark.parametrize("name", OPENED)
def test_write_makes_a_data_set_that_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    from crmlab.data.dataset import open_dataset

    monkeypatch.setenv("CRMLAB_CACHE", str(tmp_path / "cache"))
    content, total = OPENED[name]
    (tmp_path / name).write_bytes(content)
    data = open_dataset(guess.write(tmp_path / name, folder=tmp_path, name="mine"))
    orders = data.orders.to_pandas()
    assert float(orders["amount"].sum()) == total
    assert sum(row.rows for row in data.ledger if row.reason is not None) == 0


@OPENS
def test_write_makes_a_data_set_of_a_workbook_that_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from crmlab.data.dataset import open_dataset

    monkeypatch.setenv("CRMLAB_CACHE", str(tmp_path / "cache"))
    cells = grid(" cust\nid", "date", "total ")
    cells[3][1] = ("str", "24.12.2024")
    file = workbook(tmp_path / "book.xlsx", Notes=[[("str", "by hand")]], Data=cells)
    orders = open_dataset(guess.write(file, folder=tmp_path)).orders.to_pandas()
    assert float(orders["amount"].sum()) == 192
    assert orders["ordered_at"].max() == dt.datetime(2024, 12, 24)


@OPENS
@pytest.mark.parametrize("decimal", [".", ","])
def test_number_and_the_reader_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decimal: str) -> None:
    from crmlab.data.dataset import open_dataset

    monkeypatch.setenv("CRMLAB_CACHE", str(tmp_path / "cache"))
    texts = "12 -12 +12 1,234.50 1.234,50 12,50 12.50 1.234 1,234 1,23,4 1234,5 1,234,567 1.234.567 .5 ,5 5. 5, 1e3 1e400 (12.50) 12,50-"
    forms = [
        *texts.split(),
        "€ 12",
        "12 €",
        "EUR 12.50",
        "12,50 CHF",
        "kr 7",
        "7 kr",
        "1 234,50",
        "1'234.50",
        "R$ 5",
        "US$5",
        "x",
        "1 2",
        "$-5",
    ]
    lines = "".join(f'{i},C1,2024-01-01,"{text}"\n' for i, text in enumerate(forms))
    put(tmp_path / "f.csv", "order_id,customer_id,ordered_at,amount\n0000,C1,2024-01-01,1\n" + lines)
    top = 'bad_rows = "drop"\ncurrency = "EUR"\n[rates]\nUSD = 1\nCHF = 1\nSEK = 1\nBRL = 1\n'
    put(tmp_path / "f.toml", f'{top}[orders]\nfile = "f.csv"\ndelimiter = ","\ndecimal = "{decimal}"\n')
    read = open_dataset(tmp_path / "f.toml").orders.to_pandas().set_index("order_id")["amount"]
    for i, text in enumerate(forms):
        assert number(text, decimal) == (float(read[str(i)]) if str(i) in read.index else None), text


# Whatever comes


def survives(file: Path) -> None:
    try:
        seen = guess.look(file)
    except CrmlabError:
        return
    content = tomllib.loads(guess.to_toml(seen))
    catalog.parse(content, name=seen.name, where="x.toml", folder=file.parent)


FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@FUZZ
@given(
    content=st.binary(max_size=300), ending=st.sampled_from([".csv", ".txt", ".csv.gz", ".parquet", ".xlsx", ".xls", ".ods"])
)
@pytest.mark.proof
def test_look_survives_random_bytes(tmp_path: Path, content: bytes, ending: str) -> None:
    file = tmp_path / f"f{ending}"
    file.write_bytes(content)
    survives(file)


CELLS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["1,5", "1.234,50", "2024-01-31", "31.12.24", "01/02/2024", "", '"', "NULL", "Anna Muster", "a@b.de", "1e309", "٣", "²"]
    ),
    st.integers().map(str),
    st.floats().map(str),
    st.dates().map(str),
)
HEADS = st.one_of(
    st.sampled_from(
        ["customer_id", "Datum", "Betrag", "total", "sku", "qty", "price", "name", "id", "currency", "E-Mail", "order no"]
    ),
    st.text(max_size=8),
)


@pytest.mark.proof
@FUZZ
@given(
    head=st.lists(HEADS, min_size=1, max_size=7),
    body=st.lists(st.lists(CELLS, min_size=1, max_size=7), max_size=12),
    sep=st.sampled_from([",", ";", "\t", "|", " "]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
)
def test_look_survives_random_lines(tmp_path: Path, head: list[str], body: list[list[str]], sep: str, encoding: str) -> None:
    lines = [sep.join(row) for row in [head, *body]]
    (tmp_path / "f.csv").write_bytes("\n".join(lines).encode(encoding, errors="replace"))
    survives(tmp_path / "f.csv")


@FUZZ
@given(
    head=st.lists(HEADS, min_size=4, max_size=4), body=st.lists(st.lists(CELLS, min_size=4, max_size=4), min_size=1, max_size=9)
)
def test_look_survives_random_tables(tmp_path: Path, head: list[str], body: list[list[str]]) -> None:
    import csv

    with (tmp_path / "f.csv").open("w", encoding="utf-8", errors="replace", newline="") as file:
        csv.writer(file).writerows([head, *body])
    survives(tmp_path / "f.csv")


@FUZZ
@given(place=st.integers(0, 4000), byte=st.integers(0, 255), cut=st.integers(0, 4000))
@pytest.mark.proof
def test_look_survives_damaged_workbooks(tmp_path: Path, place: int, byte: int, cut: int) -> None:
    file = tmp_path / "f.xlsx"
    if not (tmp_path / "whole.xlsx").exists():
        workbook(tmp_path / "whole.xlsx", Sheet=grid("cust", "date", "total"))
    content = bytearray((tmp_path / "whole.xlsx").read_bytes())
    content[place % len(content)] = byte
    file.write_bytes(bytes(content[: max(cut, 100)] if cut % 2 else content))
    survives(file)


# Real data


@pytest.mark.proof
def test_look_cdnow() -> None:
    from importlib.util import find_spec

    spec = find_spec("lifetimes")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(spec.submodule_search_locations[0]) / "datasets"
    master = guess.look(folder / "CDNOW_master.txt")
    assert dict(master.columns) == {"customer_id": "customer_id", "ordered_at": "date", "amount": "dollar_value"}
    assert master.options == {"delimiter": "whitespace", "date_format": "%Y%m%d"}
    sample = guess.look(folder / "CDNOW_sample.txt")
    assert dict(sample.columns) == {"customer_id": "column_1", "ordered_at": "column_3", "amount": "column_5"}


def test_look_online_retail() -> None:
    file = Path(os.environ.get("CRMLAB_DATA", "data/private")) / "online_retail.parquet"
    if not file.is_file():
        pytest.skip("CRMLAB_DATA names no folder with online_retail.parquet")
    seen = guess.look(file)
    assert seen.table == "order_lines"
    assert dict(seen.columns) == {
        "order_id": "InvoiceNo",
        "customer_id": "CustomerID",
        "ordered_at": "InvoiceDate",
        "product_id": "StockCode",
        "product_name": "Description",
        "quantity": "Quantity",
        "unit_price": "UnitPrice",
    }
    (doubt,) = seen.doubts  # about the rows that have no customer
    assert doubt.startswith("24.1% of the rows and 12.7% of the money have no customer in 'CustomerID'")
    assert {"POST", "DOT", "M", "D", "BANK CHARGES"} <= set(seen.settings["#not_products"])

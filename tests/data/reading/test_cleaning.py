"""Values as users write them: amounts, days, identifiers. What is read is exact, and what is not sure is not read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmlab.data.descriptor import Descriptor
from crmlab.data.reading import engines
from crmlab.data.reading import ledgers as ledger
from crmlab.data.reading.parse import Parser
from crmlab.data.table_section import TableSection
from crmlab.data.tables import TABLES, Column

NBSP, THIN = "\u00a0", "\u202f"


@pytest.fixture(scope="module")
def scratch():
    con = engines.scratch_duckdb()
    yield con
    con.disconnect()


@pytest.fixture
def read(scratch, tmp_path) -> Callable[..., list[Any]]:
    """A function that reads values as a canonical column of a kind."""

    def values(kind: str, given_values: Any, timezone: str = "UTC", name: str = "x", **options: Any) -> list[Any]:
        array = given_values if isinstance(given_values, pa.Array) else pa.array(given_values)
        raw = scratch.create_table("values", obj=pa.table({"v": array}), temp=True, overwrite=True)
        section = TableSection("orders", **options)
        parser = Parser(TABLES["orders"], section, Descriptor("m", "m.toml", tmp_path, "M", timezone=timezone), "duckdb")
        value = parser.parse(Column(name, kind, "meaning"), parser.given(parser.stripped(raw["v"])))
        return raw.select(v=value, row=raw.rowid()).order_by("row").to_pyarrow()["v"].to_pylist()

    return values


# Amounts


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("12.50", "12.5"), ("12", "12"), ("12.", "12"), (".5", "0.5"), ("0", "0"), ("-3", "-3"), ("+3", "3"), ("-.5", "-0.5"),
        ("007", "7"), ("1e3", "1000"), ("1.5E+03", "1500"), ("25e-1", "2.5"), ("0.0001", "0.0001"), ("0.00005", "0.0001"),
        ("1,234.50", "1234.5"), ("1,234,567", "1234567"), ("-1,234.5", "-1234.5"), ("1 234.50", "1234.5"),
        ("1,23,456", "123456"), ("١٢", "12"), ("１２", "12"),
        (f"1{NBSP}234.50", "1234.5"), (f"1{THIN}234{THIN}567.5", "1234567.5"), ("1'234.50", "1234.5"), ("1’234.50", "1234.5"),
        ("€ 12.50", "12.5"), ("€12.50", "12.5"), ("12.50 €", "12.5"), ("12.50 EUR", "12.5"), ("EUR 12.50", "12.5"),
        ("$1,234.50", "1234.5"), ("US$ 12", "12"), ("£12.50", "12.5"), ("₹12.50", "12.5"), ("12.50 kr", "12.5"), ("Fr 12.50", "12.5"),
        ("-€12.50", "-12.5"), ("€-12.50", "-12.5"), ("€ -12.50", "-12.5"), ("- 12.50", "-12.5"), ("−12.50", "-12.5"),
        ("(12.00)", "-12"), ("(€ 12.00)", "-12"), ("(1,234.50)", "-1234.5"), ("12.00-", "-12"),
        ("  12.50\t", "12.5"), (f"{NBSP}12.50", "12.5"), ("99999999999999.9999", "99999999999999.9999"),
        ("-99999999999999.9999", "-99999999999999.9999"),
    ],
)  # fmt: skip
def test_parser_amounts_with_a_decimal_point(read, text, amount):
    assert read("money", [text]) == [Decimal(amount).quantize(Decimal("0.0001"))]


@pytest.mark.parametrize(
    "text",
    [
        "12,50", "1.234,50", "1,2345", "0,125", "1,234,5", "12 50", "1 2345", "1'2", "1.2.3", "1..2", "--3", "+-3", "(-3)",
        "12,34", "1,23,45", "1,234,56,789",
        "(3", "3)", "3--", "€", "EUR", "-", "+", ".", ",", "e3", "1e", "1e999", "0x10", "1_000", "1/2", "12%", "12 Stück", "twelve",
        "inf", "-inf", "Infinity", "12:00", "2024-01-31", "1,234 567", "1 234,567", "100000000000000", "1e20", "١२", "12\n50",
        "12;50", "=1+1", "<b>1</b>", "12.50 EURO", "Fr. 12", "1\x002", "12.-", "12.–",
    ],
)  # fmt: skip
def test_parser_amounts_that_are_not_sure_are_not_read(read, text):
    # "12,50" is above all not 1250, and "Fr. 12" not 0.12.
    assert read("money", [text]) == [None]


@pytest.mark.parametrize(
    "text", ["", " ", NBSP, "\t", "NaN", "nan", "NULL", "null", "N/A", "#N/A", "\\N", "None", "NaT", "(null)", "<NA>"]
)
def test_parser_nothing_is_given(read, text):
    assert read("money", [text]) == [None]
    assert read("text", [text]) == [None]
    assert read("time", [text]) == [None]


@pytest.mark.parametrize(
    ("text", "amount"),
    [("12,50", "12.5"), ("1.234,50", "1234.5"), ("1.234.567,8", "1234567.8"), ("1 234,50", "1234.5"), ("12", "12"), (",5", "0.5"),
     ("1.234", "1234"), ("-12,5 €", "-12.5"), ("(12,50)", "-12.5"), ("1'234,50", "1234.5"), ("1,5E+03", "1500"), ("12,50-", "-12.5")],
)  # fmt: skip
def test_parser_amounts_with_a_decimal_comma(read, text, amount):
    assert read("money", [text], decimal=",") == [Decimal(amount).quantize(Decimal("0.0001"))]


@pytest.mark.parametrize("text", ["12.50", "1,234.50", "1.23", "0.125", "1,2,3", "1.2345,00", "1.234.56"])
def test_parser_amounts_with_another_decimal_sign_are_not_read(read, text):
    assert read("money", [text], decimal=",") == [None]


def test_parser_amounts_of_numeric_columns(read):
    assert read("money", [0.1 + 0.2, 2.55, -1e-9, 1e13]) == [
        Decimal("0.3000"),
        Decimal("2.5500"),
        Decimal("0.0000"),
        Decimal(10**13),
    ]
    assert read("money", [float("nan"), float("inf"), -float("inf"), 1e14, -1e300]) == [None] * 5
    assert read("money", np.array([12.1], dtype="float32").tolist()) == [Decimal("12.1000")]
    assert read("money", pa.array([12.1], pa.float32())) == [Decimal("12.1000")]
    assert read("money", pa.array([2**63 - 1, 5], pa.int64())) == [None, Decimal(5)]
    assert read("money", pa.array([255], pa.uint8())) == [Decimal(255)]
    assert read("money", pa.array([Decimal("1.23456")], pa.decimal128(30, 5))) == [Decimal("1.2346")]


@pytest.mark.proof
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.decimals(-(10**14) + 1, 10**14 - 1, places=4), min_size=25, max_size=50))
def test_parser_amounts_are_exact(read, amounts):
    texts = [f"{amount:f}" for amount in amounts]
    assert read("money", [*texts, *(f"{amount:,f}" for amount in amounts)]) == 2 * amounts
    assert read("money", [text.replace(".", ",") for text in texts], decimal=",") == amounts


@pytest.mark.proof
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.text(alphabet="0123456789.,'- €()+eE", min_size=1, max_size=12), min_size=25, max_size=50))
def test_parser_an_amount_that_is_read_has_the_digits_that_are_there(read, texts):
    # Whatever is written: the value is the number that all its digits make, cut where the one decimal sign stands.
    # The engine is asked once for many texts.
    asked = [
        (text, value, sign) for sign in ".," for text, value in zip(texts, read("money", texts, decimal=sign), strict=True)
    ]
    for text, value, sign in asked:
        if value is None or any(letter in text for letter in "eE"):
            continue
        whole, _, part = text.partition(sign)
        digits = "".join(filter(str.isdigit, whole)) or "0"
        part = "".join(filter(str.isdigit, part))
        expected = Decimal(f"{digits}.{part}").quantize(Decimal("0.0001"), rounding="ROUND_HALF_UP")
        assert abs(value) == expected
        assert (value < 0) == (expected > 0 and any(minus in text for minus in "-("))


def test_parser_sums_are_exact(opened):
    # 0.1 + 0.2 is 0.30000000000000004 in floats; a million cents lose digits there too.
    text = "customer_id,ordered_at,amount\n" + "a,2024-01-31,0.1\na,2024-01-31,0.2\n" + "b,2024-01-31,0.01\n" * 10000
    data = opened('[orders]\nfile = "o.csv"\n', text)
    sums = data.orders.group_by("customer_id").agg(sum=lambda t: t["amount"].sum()).order_by("customer_id").to_pyarrow()["sum"]
    assert sums.to_pylist() == [Decimal("0.3000"), Decimal("100.0000")]
    assert data.ledger[0].amount == "100.3000"


PRODUCTS = [
    ("3", "0.1", "0.3"), ("40000", "0.000125", "5"), ("-6", "2.55", "-15.3"), ("0.3333", "0.0003", "0.0001"), ("1.5", "1,234.50", "1851.75"),
    ("9999999", "999.99", "9999899000.01"), ("1", "9999999999.9999", "9999999999.9999"), ("80995", "2.08", "168469.6"),
]  # fmt: skip


def test_clean_quantity_times_price_is_exact(opened, column):
    # All in one file: a data set takes longer to open than a row to read.
    text = "order_id,customer_id,ordered_at,product_id,quantity,unit_price\n" + "".join(
        f'{row},7,2024-01-31,p,{quantity},"{price}"\n' for row, (quantity, price, _) in enumerate(PRODUCTS)
    )
    lines = opened('[order_lines]\nfile = "o.csv"\n', text).order_lines
    assert column(lines, "amount", by="order_id") == [Decimal(amount).quantize(Decimal("0.0001")) for *_, amount in PRODUCTS]
    assert "unit_price" not in lines.columns


def test_clean_quantity_times_price_that_is_too_large(message):
    text = "order_id,customer_id,ordered_at,product_id,quantity,unit_price\n1,7,2024-01-31,p,9999999,999999999\n"
    assert message('[order_lines]\nfile = "o.csv"\n', text) == (
        "order_lines: 1 of 1 row has no valid amount in column 'amount', first in row 1 below the header. Found: '9999999 × 999999999'. "
        'Amounts have at most 14 digits before the decimal sign. Correct the file, or set bad_rows = "drop" at the top of mine.toml '
        "to drop and count such rows."
    )


def test_clean_price_that_is_missing_is_not_dropped_silently(message, opened):
    text = "order_id,customer_id,ordered_at,product_id,quantity,unit_price\n1,7,2024-01-31,p,1,\n2,7,2024-01-31,p,1,1\n"
    said = message('[order_lines]\nfile = "o.csv"\n', text)
    assert said.startswith(
        "order_lines: 1 of 2 rows has no valid amount in column 'unit_price', first in row 1 below the header. Found: an empty cell."
    )
    assert (
        opened('[order_lines]\nfile = "o.csv"\n', text.replace("unit_price", "amount,unit_price").replace(",1,", ",1,5,"))
        .ledger[0]
        .rows
        == 2
    )


def test_clean_orders_that_add_up_to_too_much(message):
    line = "1,7,2024-01-31,p,1,60000000000000\n"
    said = message('[order_lines]\nfile = "o.csv"\n', "order_id,customer_id,ordered_at,product_id,quantity,amount\n" + 2 * line)
    assert said.startswith(
        "orders: 'amount' has more than 14 digits before the decimal sign in 1 row. Expected none. Found for example: 12000"
    )


# Days


DAY = datetime(2024, 1, 31)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-01-31", DAY), ("2024-1-31", DAY), ("2024/01/31", DAY), (" 2024-01-31 ", DAY), ("2024-02-29", datetime(2024, 2, 29)),
        ("2024-01-31 10:15", DAY.replace(hour=10, minute=15)), ("2024-01-31T10:15:20", DAY.replace(hour=10, minute=15, second=20)),
        ("2024-01-31 10:15:20.5", DAY.replace(hour=10, minute=15, second=20, microsecond=500000)),
        ("2024-01-31T10:15:20.123456789", DAY.replace(hour=10, minute=15, second=20, microsecond=123456)),
        ("0001-01-01", datetime(1, 1, 1)), ("9999-12-31", datetime(9999, 12, 31)),
    ],
)  # fmt: skip
def test_parser_iso_days_and_times(read, text, moment):
    # Without a zone the time is that of the data set, whatever its time zone.
    assert read("time", [text], timezone="America/New_York") == [moment]
    assert read("date", [text]) == [moment.date()]


@pytest.mark.parametrize(
    "text",
    [
        "31.01.2024", "31/01/2024", "01/31/24", "24-01-31", "2024-02-30", "2023-02-29", "2024-13-01", "2024-00-01", "20240131", "45322",
        "45322.5", "2024-01", "2024", "2024-01/31", "2024-01-31T", "2024-01-31 10", "2024-01-31 25:00", "2024-01-31 10:15 PM",
        "2024-01-31 10:15:20 CET", "2024-01-31 10:15 Europe/Berlin", "infinity", "-infinity", "epoch", "now", "today", "tomorrow",
        "0044-03-15 (BC)", "99999-01-01", "0000-01-01", "0000-00-00", "Jan 31 2024", "2024-W05-3", "2024-031", "2024-01-31+01:00",
        "2024-01-31 10:15:20+99:00", "never", "<script>",
    ],
)  # fmt: skip
def test_parser_days_that_are_not_sure_are_not_read(read, text):
    assert read("time", [text]) == [None]


@pytest.mark.parametrize(
    ("text", "zone", "moment"),
    [
        ("2024-01-31T10:00:00Z", "Europe/Berlin", datetime(2024, 1, 31, 11)),
        ("2024-07-31T10:00:00Z", "Europe/Berlin", datetime(2024, 7, 31, 12)),
        ("2024-01-31T23:30:00Z", "Europe/Berlin", datetime(2024, 2, 1, 0, 30)),  # another day there
        ("2024-01-31T01:30:00+02:00", "America/New_York", datetime(2024, 1, 30, 18, 30)),
        ("2024-03-31T00:59:59Z", "Europe/Berlin", datetime(2024, 3, 31, 1, 59, 59)),  # clocks go forward a second later
        ("2024-03-31T01:00:00Z", "Europe/Berlin", datetime(2024, 3, 31, 3)),
        ("2024-10-27T00:30:00Z", "Europe/Berlin", datetime(2024, 10, 27, 2, 30)),  # and back: this half hour comes twice
        ("2024-10-27T01:30:00Z", "Europe/Berlin", datetime(2024, 10, 27, 2, 30)),
        ("2024-01-31 10:00:00+01", "UTC", datetime(2024, 1, 31, 9)),
        ("2024-01-31 10:00:00-0530", "UTC", datetime(2024, 1, 31, 15, 30)),
        ("2024-01-31T10:00+05:45", "Asia/Kathmandu", datetime(2024, 1, 31, 10)),
        ("2024-01-31 10:00:00 +0100", "UTC", datetime(2024, 1, 31, 9)),
        ("2024-01-31 10:00:00 UTC", "Europe/Berlin", datetime(2024, 1, 31, 11)),
        ("2024-01-31 10:00:00 GMT", "Europe/Berlin", datetime(2024, 1, 31, 11)),
        ("2024-01-31T10:00:00.250z", "UTC", datetime(2024, 1, 31, 10, 0, 0, 250000)),
    ],
)  # fmt: skip
def test_parser_times_with_a_zone_are_brought_into_the_data_sets(read, text, zone, moment):
    assert read("time", [text], timezone=zone) == [moment]


@pytest.mark.parametrize(
    ("form", "text", "moment"),
    [
        ("%d/%m/%Y", "05/06/2024", datetime(2024, 6, 5)), ("%m/%d/%Y", "05/06/2024", datetime(2024, 5, 6)),
        ("%d.%m.%Y", "5.6.2024", datetime(2024, 6, 5)), ("%d.%m.%Y %H:%M", "05.06.2024 10:15", datetime(2024, 6, 5, 10, 15)),
        ("%Y%m%d", "20240131", DAY), ("%d/%m/%y", "31/01/24", DAY), ("%d/%m/%y", "31/01/68", datetime(2068, 1, 31)),
        ("%d/%m/%y", "31/01/69", datetime(1969, 1, 31)), ("%d %b %Y", "31 Jan 2024", DAY), ("%B %d, %Y", "January 31, 2024", DAY),
        ("%m/%d/%Y %I:%M:%S %p", "01/31/2024 01:02:03 PM", datetime(2024, 1, 31, 13, 2, 3)),
        ("%d/%m/%Y", "31-01-2024", None), ("%d/%m/%Y", "01/31/2024", None), ("%d/%m/%Y", "2024-01-31", None), ("%d/%m/%Y", "x", None),
    ],
)  # fmt: skip
def test_parser_date_format(read, form, text, moment):
    assert read("time", [text], date_format=form) == [moment]


def test_parser_date_format_with_a_zone(read):
    # The machine's own time zone plays no part.
    found = read(
        "time", ["31/01/2024 10:00:00 +0100", "31/07/2024 10:00:00 +0100"], "Europe/Berlin", date_format="%d/%m/%Y %H:%M:%S %z"
    )
    assert found == [datetime(2024, 1, 31, 10), datetime(2024, 7, 31, 11)]


def test_parser_days_as_numbers_need_a_form(read):
    assert read("time", pa.array([20240131, 20241301, None]), date_format="%Y%m%d") == [DAY, None, None]
    assert read("time", pa.array([20240131.0, 20240131.5, float("nan")]), date_format="%Y%m%d") == [DAY, None, None]


def test_parser_typed_days(read):
    assert read("time", pa.array([date(2024, 1, 31), None])) == [DAY, None]
    for unit in ("s", "ms", "us", "ns"):
        assert read("time", pa.array([DAY], pa.timestamp(unit))) == [DAY]
    late = datetime(2024, 1, 31, 23, 30, tzinfo=UTC)
    summer = datetime(2024, 7, 31, 23, 30, tzinfo=timezone(timedelta(hours=-4))).astimezone(UTC)
    assert read("time", pa.array([late], pa.timestamp("us", "UTC")), "Europe/Berlin") == [datetime(2024, 2, 1, 0, 30)]
    assert read("time", pa.array([summer], pa.timestamp("us", "UTC")), "Europe/Berlin") == [datetime(2024, 8, 1, 5, 30)]
    assert read("time", pa.array([late], pa.timestamp("ns", "Asia/Tokyo")), "Europe/Berlin") == [datetime(2024, 2, 1, 0, 30)]


def test_parser_moments_outside_the_calendar(scratch, read):

    odd = scratch.sql(
        "SELECT * FROM (VALUES (TIMESTAMP 'infinity'), (TIMESTAMP '290000-01-01'), (TIMESTAMP '0044-03-15 (BC)')) AS t(v)"
    )
    parser = Parser(TABLES["orders"], TableSection("orders"), Descriptor("m", "m.toml", Path(), "M"), "duckdb")
    found = odd.select(v=parser.parse(Column("x", "time", ""), odd["v"])).to_pyarrow()
    assert found["v"].to_pylist() == [None] * 3


@pytest.mark.proof
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"])
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(moments=st.lists(st.datetimes(datetime(1970, 1, 2), datetime(2026, 12, 30)), min_size=20, max_size=40))
def test_parser_zones_agree_with_pythons(read, moments, zone):
    from zoneinfo import ZoneInfo

    found = read("time", [f"{moment.isoformat()}Z" for moment in moments], timezone=zone)
    assert found == [moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) for moment in moments]


# Identifiers


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        (["007", " 7 ", "7", f"{NBSP}7\u200b", "\ufeff7"], ["007", "7", "7", "7", "7"]),
        (["a'b", 'a"b', "<script>alert(1)</script>", "a,b", "{}", "%s", "=1+1", "; DROP TABLE"], None),
        (["Ü", "ü", "日本", "\U0001f600", "e\u0301", "\u202e"], None),
        (["x" * 10_000], None),
        (["a\x00b"], None),
        ([17850, 0, -1, 2**62], ["17850", "0", "-1", str(2**62)]),
        ([17850.0, 1.5, float("nan"), None], ["17850", "1.5", None, None]),
        ([float("inf"), 1e300, 2.0**53, -(2.0**60)], [None] * 4),  # floats that no longer tell ids apart
        ([True], ["true"]),
    ],
)
def test_parser_identifiers(read, values, ids):
    assert read("text", values) == (values if ids is None else ids)


def test_parser_identifiers_of_other_types(read):
    assert read("text", pa.array([Decimal("17850.0000"), Decimal("1.5000")])) == ["17850", "1.5000"]
    assert read("text", pa.array([2**64 - 1], pa.uint64())) == [str(2**64 - 1)]
    assert read("text", pa.array(["a"]).dictionary_encode()) == ["a"]


def test_clean_identifiers_stay_what_they_are(opened, column):
    ids = ["007", "<script>", "a,b", 'a"b', "O'Neil", "x" * 10_000, "日本", "a\x00b", "{}"]
    table = pa.table({"customer_id": ids, "ordered_at": [DAY] * len(ids), "amount": [1.0] * len(ids), "order_id": ids})
    data = opened('[orders]\nfile = "o.parquet"\n', {"o.parquet": table})
    assert sorted(column(data.orders, "customer_id")) == sorted(ids)
    text = "customer_id,ordered_at,amount\n" + "".join('"' + name.replace('"', '""') + '",2024-01-31,1\n' for name in ids)
    assert sorted(column(opened('[orders]\nfile = "o.csv"\n', text).orders, "customer_id")) == sorted(ids)


def test_parser_yes_and_no(read):
    assert read("flag", ["yes", "NO", "1", "0", "Ja", "nein", "t", "", "maybe", "2"]) == [
        *(True, False, True, False, True, False, True, None, None, None)
    ]
    assert read("flag", [1, 0, 2]) == [True, False, None]
    assert read("flag", [True, None]) == [True, None]
    assert read("flag", [1.0, float("nan")]) == [True, None]


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("ordered_at", pa.array([1]), "column 'ordered_at' must hold a date. Found: type int64."),
        ("ordered_at", pa.array([1.5]), "column 'ordered_at' must hold a date. Found: type float64."),
        ("ordered_at", pa.array([True]), "column 'ordered_at' must hold a date. Found: type boolean."),
        ("amount", pa.array([DAY]), "column 'amount' must hold an amount. Found: type timestamp"),
        ("amount", pa.array([True]), "column 'amount' must hold an amount. Found: type boolean."),
        ("amount", pa.array([[1.0]]), "column 'amount' must hold an amount. Found: type array"),
        ("customer_id", pa.array([DAY]), "column 'customer_id' must hold text. Found: type timestamp"),
        ("customer_id", pa.array([{"a": 1}]), "column 'customer_id' must hold text. Found: type struct"),
        ("customer_id", pa.array([b"x"]), "column 'customer_id' must hold text. Found: type binary."),
    ],
)
def test_clean_column_of_a_wrong_type(message, column, value, said):
    table = {"customer_id": pa.array(["7"]), "ordered_at": pa.array([DAY]), "amount": pa.array([1.0])} | {column: value}
    found = message('[orders]\nfile = "o.parquet"\n', {"o.parquet": pa.table(table)})
    assert found.startswith(f"orders: {said}")
    assert found.lower().endswith(" map another column in mine.toml under [orders].")
    assert ('date_format = "epoch"' in found) == (column == "ordered_at" and "boolean" not in said)


# Columns


def test_clean_missing_column_has_the_message_of_the_design(message):
    # DESIGN, section 8.
    assert message('[orders]\nfile = "o.csv"\nordered_at = "date"\n', "cust,date,amount\n7,2024-01-31,1\n") == (
        "orders: missing column 'customer_id'. Found: cust, date, amount. Map it in mine.toml under [orders]."
    )


def test_clean_column_mapped_to_nothing(message):
    assert message('[orders]\nfile = "o.csv"\ncustomer_id = "custmer"\n', "customer,ordered_at,amount\n7,2024-01-31,1\n") == (
        "orders: column 'customer_id' is mapped to 'custmer', which is not in the file. Found: customer, ordered_at, amount. "
        "Did you mean 'customer'? Correct it in mine.toml under [orders]."
    )


def test_clean_optional_column_mapped_to_nothing(message):
    said = message('[orders]\nfile = "o.csv"\nchannel = "kanal"\n', "customer_id,ordered_at,amount\n7,2024-01-31,1\n")
    assert "column 'channel' is mapped to 'kanal', which is not in the file" in said


def test_clean_many_columns_are_listed_shortly(message):
    names = [f"c{i}" for i in range(300)]
    said = message('[orders]\nfile = "o.csv"\n', ",".join(names) + "\n" + ",".join("1" * 300) + "\n")
    assert "Found: c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, … (300 in all)." in said


def test_clean_canonical_names_without_regard_to_case(opened, column):
    data = opened('[orders]\nfile = "o.csv"\n', "Customer_ID,ORDERED_AT,Amount\n7,2024-01-31,1\n")
    assert data.orders.columns == ("order_id", "customer_id", "ordered_at", "amount") or set(data.orders.columns) == {
        *("order_id", "customer_id", "ordered_at", "amount")
    }


def test_clean_one_column_may_serve_twice(opened, rows):
    data = opened('[orders]\nfile = "o.csv"\norder_id = "customer_id"\n', "customer_id,ordered_at,amount\n7,2024-01-31,1\n")
    assert rows(data.orders, "order_id", "customer_id") == [{"order_id": "7", "customer_id": "7"}]


def test_clean_orders_without_an_id_get_one_each(opened, column):
    data = opened('[orders]\nfile = "o.csv"\n', "customer_id,ordered_at,amount\n" + "7,2024-01-31,1\n" * 3)
    assert column(data.orders, "order_id") == ["000000000001", "000000000002", "000000000003"]


# Messages of values


def test_clean_values_that_cannot_be_read_say_count_first_row_and_value(message):
    text = "customer_id,ordered_at,amount\n7,2024-01-31,1\n7,31.01.2024,1\n7,01.02.2024,1\n"
    assert message('[orders]\nfile = "o.csv"\n', text) == (
        "orders: 2 of 3 rows have no valid date in column 'ordered_at', first in row 2 below the header. Found: '31.01.2024'. "
        'If days look like that, add date_format = "%d.%m.%Y" to [orders] of mine.toml. '
        'Correct the file, or set bad_rows = "drop" at the top of mine.toml to drop and count such rows.'
    )


def test_clean_date_format_that_fits_nothing(message):
    said = message('[orders]\nfile = "o.csv"\ndate_format = "%d.%m.%Y"\n', "customer_id,ordered_at,amount\n7,2024-01-31,1\n")
    assert said.endswith("Found: '2024-01-31'. date_format = \"%d.%m.%Y\" does not fit: correct it in [orders] of mine.toml.")


def test_clean_date_format_that_the_engine_does_not_know(message):
    said = message('[orders]\nfile = "o.csv"\ndate_format = "%Y-%Q"\n', "customer_id,ordered_at,amount\n7,2024-01-31,1\n")
    assert said.startswith(
        "mine.toml: [orders] date_format must be a form of strptime, such as \"%d/%m/%Y\". Got '%Y-%Q' instead:"
    )


@pytest.mark.parametrize(
    ("value", "decimal", "hint"),
    [
        ('"12,50"', ".", 'If amounts look like 1.234,50 add decimal = "," to [orders] of mine.toml.'),
        ("12.50", ",", 'If amounts look like 1,234.50 take decimal = "," out of [orders] of mine.toml.'),
        ("123456789012345", ".", "Amounts have at most 14 digits before the decimal sign."),
    ],
)
def test_clean_hints_for_amounts(message, value, decimal, hint):
    said = message(
        f'[orders]\nfile = "o.csv"\ndecimal = "{decimal}"\n', f"customer_id,ordered_at,amount\n7,2024-01-31,{value}\n"
    )
    assert hint in said
    assert said.startswith("orders: 1 of 1 row has no valid amount in column 'amount', first in row 1 below the header.")


def test_clean_values_in_messages_are_short_and_on_one_line(message):
    said = message('[orders]\nfile = "o.csv"\n', 'customer_id,ordered_at,amount\n7,2024-01-31,"' + "x\n" * 5000 + '"\n')
    assert len(said) < 400


def test_clean_empty_cells_are_missing_values(message):
    said = message('[orders]\nfile = "o.csv"\n', "customer_id,ordered_at,amount\n7,2024-01-31,1\n7,,1\n")
    assert (
        "1 of 2 rows has no valid date in column 'ordered_at', first in row 2 below the header. Found: an empty cell." in said
    )


@pytest.mark.parametrize(
    ("value", "form"),
    [("31.12.2024", "%d.%m.%Y"), ("31/12/24", "%d/%m/%y"), ("12/31/2024 10:15", "%m/%d/%Y %H:%M"), ("20241231", "%Y%m%d"),
     ("31-12-2024 10:15:20", "%d-%m-%Y %H:%M:%S"), ("soon", "%d/%m/%Y")],
)  # fmt: skip
def test_form_of_suggests_a_form_that_reads_the_value(read, value, form):
    assert ledger.form_of(value) == form
    if value != "soon":
        assert read("time", [value], date_format=form) != [None]

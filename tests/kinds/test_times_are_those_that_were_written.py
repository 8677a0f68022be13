"""A time is read as the moment that was written, in whatever way its program counts or its country names months, or not at all.

Otherwise a file with seconds since 1970 cannot be used, a serial number becomes another day, orders of one country are lost, and
a purchase at night moves to another day.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmlab.data.dataset import open_dataset
from crmlab.data.guess import look, write
from crmlab.data.guess.date_columns import as_counted, dates
from crmlab.data.guess.suggest import Guess
from crmlab.data.months import day_of, languages_of, month_names
from crmlab.errors import CrmlabError, DescriptorError

Read = Callable[..., list[Any]]
NOON = datetime(2023, 10, 19, 12)
few = settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
moments = st.lists(
    st.datetimes(datetime(1900, 3, 1), datetime(2100, 1, 1)).map(lambda moment: moment.replace(microsecond=0)),
    min_size=1,
    max_size=40,
)


# Seconds and milliseconds since 1970


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1697716800", NOON),
        ("1697716800.5", NOON + timedelta(seconds=0.5)),
        ("1697716800.0", NOON),
        ("'1697716800", NOON),
        ("-1.25", datetime(1969, 12, 31, 23, 59, 58, 750000)),
        ("0", datetime(1970, 1, 1)),
        ("١٦٩٧٧١٦٨٠٠", NOON),
        ("2023-10-19", datetime(2023, 10, 19)),  # clear in itself
        ("1697716800000", None),
        ("1.697E9", None),
        ("1,697,716,800", None),
        ("soon", None),
    ],
)
def test_seconds_since_1970(read: Read, text: str, moment: datetime | None) -> None:
    assert read("time", [text], date_format="epoch") == [moment]


def test_seconds_and_milliseconds_of_any_type(read: Read) -> None:
    seconds = pa.array([1697716800, None, 9 * 10**18])
    assert read("time", seconds, date_format="epoch") == [NOON, None, None]
    assert read("time", pa.array([1697716800.5, float("nan"), 1e300]), date_format="epoch")[1:] == [None, None]
    assert read("time", pa.array([Decimal("1697716800")]), date_format="epoch") == [NOON]
    assert read("time", pa.array([1697716800000]), date_format="epoch_ms") == [NOON]
    assert read("time", ["1697716800123.5", "-1500"], date_format="epoch_ms") == [
        datetime(2023, 10, 19, 12, 0, 0, 123500),
        datetime(1969, 12, 31, 23, 59, 58, 500000),
    ]
    assert read("date", ["1697716800"], date_format="epoch") == [date(2023, 10, 19)]


@few
@given(moments, st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]))
def test_an_instant_is_shown_by_the_clock_of_the_data_set(read: Read, written: list[datetime], zone: str) -> None:
    seconds = [int(moment.replace(tzinfo=UTC).timestamp()) for moment in written]
    # Before 1970 few zones are certain.
    known = [s for s in seconds if s > 0] or [0]
    there = [datetime.fromtimestamp(s, ZoneInfo(zone)).replace(tzinfo=None) for s in known]
    assert read("time", list(map(str, known)), timezone=zone, date_format="epoch") == there
    assert read("time", [str(s * 1000) for s in known], timezone=zone, date_format="epoch_ms") == there


# Days of spreadsheets


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("45218", datetime(2023, 10, 19)),
        ("45218.5", NOON),
        ("45218.4354166667", datetime(2023, 10, 19, 10, 27)),
        ("45218.43541666667", datetime(2023, 10, 19, 10, 27)),
        ("61", datetime(1900, 3, 1)),
        ("60", None),  # the February 29, 1900 of Lotus
        ("60.5", None),
        ("59", None),  # not the same day in every program
        ("2023-10-19", datetime(2023, 10, 19)),
        ("9999999", None),
    ],
)
def test_days_of_a_spreadsheet_are_what_it_shows(read: Read, text: str, moment: datetime | None) -> None:
    assert read("time", [text], timezone="Europe/Berlin", date_format="excel") == [moment]


@pytest.mark.proof
@few
@given(moments)
def test_a_serial_number_is_the_moment_that_it_counts(read: Read, written: list[datetime]) -> None:
    serials = [(moment - datetime(1899, 12, 30)) / timedelta(days=1) for moment in written]
    assert read("time", pa.array(serials), date_format="excel") == written
    assert read("time", list(map(repr, serials)), date_format="excel") == written
    assert read("time", [repr(s).replace(".", ",") for s in serials], decimal=",", date_format="excel") == written


# Names of months


@pytest.mark.parametrize(
    ("language", "text", "day"),
    [
        ("de", "19. Okt 2023", datetime(2023, 10, 19)),
        ("de", "03. Mär 2023", datetime(2023, 3, 3)),
        ("de", "3. Maerz 2023", datetime(2023, 3, 3)),
        ("de", "Do., 19. Oktober 2023 um 10:15 Uhr", datetime(2023, 10, 19, 10, 15)),
        ("de", "1. Jänner 2024", datetime(2024, 1, 1)),
        ("fr", "3 février 2024", datetime(2024, 2, 3)),
        ("fr", "1er août 2024", datetime(2024, 8, 1)),
        ("fr", "mar. 5 mars 2024", datetime(2024, 3, 5)),
        ("es", "3 de marzo de 2024", datetime(2024, 3, 3)),
        ("pt", "3 de março de 2024", datetime(2024, 3, 3)),
        ("ru", "12 марта 2024", datetime(2024, 3, 12)),
        ("ru", "12 МАРТ 2024 г., 08:05:09", datetime(2024, 3, 12, 8, 5, 9)),
        ("pl", "5 listopada 2024", datetime(2024, 11, 5)),
        ("hr", "5. listopada 2024", datetime(2024, 10, 5)),
        ("hu", "2024. március 12.", datetime(2024, 3, 12)),
        ("tr", "12 KASIM 2024", datetime(2024, 11, 12)),
        ("ar", "٣ مارس ٢٠٢٤", datetime(2024, 3, 3)),
        ("ar", "3 كانون الثاني 2024", datetime(2024, 1, 3)),
        ("hi", "३ मार्च २०२४", datetime(2024, 3, 3)),
        ("vi", "12 tháng 12, 2024", datetime(2024, 12, 12)),
        ("vi", "12 tháng 1 2024", datetime(2024, 1, 12)),
        ("th", "12 มีนาคม 2024", datetime(2024, 3, 12)),
        ("th", "12 มีนาคม 2567", None),  # counted from another beginning
        ("en", "Mar 5, 2024", datetime(2024, 3, 5)),
        ("de", "31. Feb 2024", None),
        ("de", "3. Okt 2023 5. Mai", None),
        ("de", "3. Lenz 2023", None),
        ("de", "3. Okt 23", None),  # its year is not sure without a form
        ("de", "2024-01-31", datetime(2024, 1, 31)),
    ],
)
def test_names_of_months(read: Read, language: str, text: str, day: datetime | None) -> None:
    assert read("time", [text], month_language=language) == [day]
    if "-" not in text:
        assert day_of(text, language) == day  # `crmlab new` reads what the reader does


@pytest.mark.parametrize(
    ("form", "text", "day"),
    [
        ("%d-%b-%y", "19-Okt-23", datetime(2023, 10, 19)),
        ("%d. %B %Y", "19. Okt. 2023", datetime(2023, 10, 19)),
        ("%a, %d. %b %Y %H:%M Uhr", "Do, 19. Okt. 2023 10:15 Uhr", datetime(2023, 10, 19, 10, 15)),
        ("%b %Y %d", "Okt 2023 19", datetime(2023, 10, 19)),
        ("%d-%b-%y", "19-Oct-23", None),  # no German
    ],
)
def test_names_of_months_in_a_form(read: Read, form: str, text: str, day: datetime | None) -> None:
    assert read("time", [text], month_language="de", date_format=form) == [day]


@few
@given(
    st.sampled_from(
        [
            "de",
            "fr",
            "es",
            "it",
            "pt",
            "nl",
            "pl",
            "ru",
            "uk",
            "cs",
            "fi",
            "sv",
            "da",
            "tr",
            "el",
            "ro",
            "hu",
            "bg",
            "ca",
            "lt",
            "ar",
            "he",
            "fa",
            "hi",
            "bn",
            "th",
            "vi",
            "id",
            "sr",
        ]
    ),
    st.data(),
)
def test_every_name_of_a_month_is_that_month(read: Read, language: str, data: st.DataObject) -> None:
    names = sorted(month_names(language).items())
    chosen = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=12))
    point = data.draw(st.sampled_from(["", "."]))
    written = [f"7 {name}{point} 2023" for name, _ in chosen] + [f"7 {name.upper()} 2023" for name, _ in chosen]
    expected = [datetime(2023, month, 7) for _, month in chosen] * 2
    found = read("time", written, month_language=language)
    assert all(day in (None, right) for day, right in zip(found, expected, strict=True))
    assert found[: len(chosen)] == expected[: len(chosen)]


def test_a_language_without_names_of_months_is_refused(empty_project: Path) -> None:
    (empty_project / "data" / "m.csv").write_text("customer_id,ordered_at,amount\n7,2024-01-31,1\n")
    (empty_project / "data" / "m.toml").write_text('[orders]\nfile = "m.csv"\nmonth_language = "xx"\n')
    with pytest.raises(DescriptorError, match=r"month_language must be a code of a language .* Got 'xx' instead"):
        open_dataset("m")


# Time zones by row


@pytest.mark.proof
def test_times_of_a_row_are_in_its_zone(read: Read) -> None:
    written = {
        ("2024-07-01 12:00", "America/New_York"): datetime(2024, 7, 1, 18),
        ("2024-01-01 12:00:00.25", "+05:30"): datetime(2024, 1, 1, 7, 30, 0, 250000),
        ("2024-07-01 12:00", "UTC-3"): datetime(2024, 7, 1, 17),
        ("2024-07-01 12:00", "Z"): datetime(2024, 7, 1, 14),
        ("2024-07-01 12:00", "Europe/Berlin"): datetime(2024, 7, 1, 12),
        ("2024-07-01T12:00:00Z", "Asia/Tokyo"): datetime(2024, 7, 1, 14),  # its own offset tells
        ("2024-07-01", "America/New_York"): datetime(2024, 7, 1),  # a day is a day
        ("2024-07-01 12:00", ""): datetime(2024, 7, 1, 12),
    }
    texts, zones = zip(*written, strict=True)
    assert read("time", list(texts), timezone="Europe/Berlin", zones=list(zones)) == list(written.values())
    typed = pa.array([datetime(2024, 7, 1, 12)])
    assert read("time", typed, timezone="Europe/Berlin", zones=["Asia/Tokyo"]) == [datetime(2024, 7, 1, 5)]
    form = {"date_format": "%d.%m.%Y %H:%M", "timezone": "Europe/Berlin", "zones": ["Asia/Tokyo"]}
    assert read("time", ["01.07.2024 12:00"], **form) == [datetime(2024, 7, 1, 5)]
    assert read("time", ["45474.5"], timezone="Europe/Berlin", zones=["Asia/Tokyo"], date_format="excel") == [
        datetime(2024, 7, 1, 5)
    ]


MIDNIGHTS = [datetime(2024, 1, 31), datetime(2024, 7, 1)]


@pytest.mark.parametrize(
    ("written", "options"),
    [
        (["2024-01-31", "2024-07-01"], {}),
        (["2024-01-31 00:00:00", "2024-07-01T00:00"], {}),
        (["31.01.2024 00:00", "01.07.2024 00:00"], {"date_format": "%d.%m.%Y %H:%M"}),
        (["45322", "45474.0"], {"date_format": "excel"}),
        (pa.array(MIDNIGHTS), {}),
        (pa.array([day.date() for day in MIDNIGHTS]), {}),
    ],
    ids=["days", "texts", "form", "serials", "times", "dates"],
)
def test_days_that_are_written_as_midnight_stay_those_days(read: Read, written: Any, options: dict[str, str]) -> None:
    zones = ["Asia/Tokyo", "America/New_York"]
    assert read("time", written, timezone="Europe/Berlin", zones=zones, **options) == MIDNIGHTS


def test_a_midnight_among_times_is_a_time(read: Read) -> None:
    written = pa.array([datetime(2024, 1, 31), datetime(2024, 1, 31, 9, 30), None])
    moved = [datetime(2024, 1, 30, 16), datetime(2024, 1, 31, 1, 30), None]
    assert read("time", written, timezone="Europe/Berlin", zones=["Asia/Tokyo"] * 3) == moved


@pytest.mark.proof
@pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet"])
def test_days_in_any_file_stay_those_days(empty_project: Path, ending: str) -> None:
    columns = {"order_id": ["1", "2"], "customer_id": ["7", "8"], "amount": ["1", "2"], "zone": ["Asia/Tokyo"] * 2}
    frame = pd.DataFrame({**columns, "ordered_at": pd.to_datetime(MIDNIGHTS)})
    write_frame = {"csv": frame.to_csv, "xlsx": partial(frame.to_excel, engine="xlsxwriter"), "parquet": frame.to_parquet}
    write_frame[ending](empty_project / "data" / f"m.{ending}", index=False)
    options = f'timezone = "Europe/Berlin"\n[orders]\nfile = "m.{ending}"\ntime_zone = "zone"\n'
    (empty_project / "data" / "m.toml").write_text(options)
    assert sorted(open_dataset("m").orders["ordered_at"].to_pyarrow().to_pylist()) == MIDNIGHTS


def test_a_zone_that_is_not_known_makes_its_row_unreadable(empty_project: Path) -> None:
    rows = "7,2024-07-01 12:00,1,Asia/Tokyo\n7,2024-07-02 12:00,1,CEST\n"
    (empty_project / "data" / "m.csv").write_text("customer_id,ordered_at,amount,zone\n" + rows)
    (empty_project / "data" / "m.toml").write_text('[orders]\nfile = "m.csv"\ntime_zone = "zone"\n')
    with pytest.raises(
        CrmlabError,
        match=r"no valid text in column 'zone' \(time_zone\), first in row 2.*Found: 'CEST'. Expected a name such as",
    ):
        open_dataset("m")


def test_a_column_of_zones_is_found(empty_project: Path) -> None:
    lines = [
        f"{i},C{i % 5},2024-01-{i + 1:02} 23:30,1.50,{'Asia/Tokyo' if i % 2 else 'Europe/Berlin'},Japan" for i in range(20)
    ]
    file = empty_project / "f.csv"
    file.write_text("\n".join(["order_id,customer_id,order_date,amount,tz,country", *lines]))
    assert look(file).columns["time_zone"] == "tz"
    assert _ordered(look(file), file)[:2] == [datetime(2024, 1, 1, 22, 30), datetime(2024, 1, 2, 14, 30)]


# What `crmlab new` makes of them, and what is said where they cannot be read

FILES = {
    "seconds": ("created", lambda day: f"{int(day.replace(tzinfo=UTC).timestamp())}", {"date_format": "epoch"}),
    "milliseconds": ("order_date", lambda day: f"{int(day.replace(tzinfo=UTC).timestamp())}000", {"date_format": "epoch_ms"}),
    "serials": ("Order date", lambda day: str((day - datetime(1899, 12, 30)).days), {"date_format": "excel"}),
    "german": ("Datum", lambda day: f"{day.day}. {GERMAN[day.month - 1]} {day.year}", {"month_language": "de"}),
    "oracle": (
        "Datum",
        lambda day: f"{day.day:02}-{GERMAN[day.month - 1].upper()}-{day:%y}",
        {"month_language": "de", "date_format": "%d-%b-%y"},
    ),
    "arabic": (
        "Order date",
        lambda day: f"{day.day} {ARABIC[day.month - 1]} {day.year}".translate(INDIC),
        {"month_language": "ar"},
    ),
    "apostrophes": ("Order date", lambda day: f"'{day:%d.%m.%Y}", {"date_format": "%d.%m.%Y"}),
}
GERMAN = ["Jan", "Feb", "Mär", "Apr", "Mai", "Jun", "Jul", "Aug", "Sep", "Okt", "Nov", "Dez"]
ARABIC = ["يناير", "فبراير", "مارس", "أبريل", "مايو", "يونيو", "يوليو", "أغسطس", "سبتمبر", "أكتوبر", "نوفمبر", "ديسمبر"]
INDIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


@pytest.mark.parametrize("kind", FILES)
def test_from_a_file_to_its_days_without_a_question(empty_project: Path, kind: str) -> None:
    name, written, options = FILES[kind]
    days = [datetime(2023, 1, 5) + timedelta(days=23 * i) for i in range(40)]
    lines = [f"{i + 1000},C{i % 9},{written(day)},{i + 1}.50" for i, day in enumerate(days)]
    file = empty_project / f"{kind}.csv"
    file.write_text("\n".join([f"order_id,customer_id,{name},amount", *lines]), encoding="utf-8")
    guess = look(file)
    read = {key: value for key, value in guess.options.items() if key in ("date_format", "month_language")}
    assert read == options
    assert [key for key, _ in guess.unsure if key in ("ordered_at", "month_language")] == []
    assert _ordered(guess, file) == days


def _ordered(guess: Guess, file: Path) -> list[datetime]:
    write(file)
    orders = open_dataset(guess.name).orders
    return sorted(orders.to_pyarrow()["ordered_at"].to_pylist())


def test_numbers_are_days_only_where_something_says_so() -> None:
    numbers = [str(1697716800 + 86400 * i) for i in range(30)]
    assert dates(numbers).share == 0
    assert as_counted(dates(numbers)).form == "epoch"
    assert as_counted(dates([str(100 + i) for i in range(30)])).form is None


def test_dates_that_a_spreadsheet_made_of_half_the_texts_are_doubted() -> None:
    texts = [f"{day}/03/2024" for day in range(13, 29)]
    turned = [date(2024, month, 3) for month in range(1, 13)]  # were 01/03/2024 to 12/03/2024
    assert dates([*texts, *turned]).exchanged
    assert not dates([*texts, *turned, date(2024, 3, 30)]).exchanged
    assert not dates(turned).exchanged


def test_customers_with_long_numbers_stay_customers(tmp_path: Path) -> None:
    lines = [f"{1697716800 + i % 5},{45000 + i},2024-01-{i + 1:02},{i}.50" for i in range(25)]
    file = tmp_path / "f.csv"
    file.write_text("\n".join(["customer_id,order_id,order_date,amount", *lines]))
    assert dict(look(file).columns) == {
        "customer_id": "customer_id", "order_id": "order_id", "ordered_at": "order_date", "amount": "amount",
    }  # fmt: skip


def test_months_that_two_languages_have_are_asked_about(tmp_path: Path) -> None:
    assert languages_of(["5 listopad 2024"]) == ["pl", "hr"]
    lines = [f"{i},C{i % 5},{i + 1} listopad 2024,{i}.50" for i in range(25)]
    file = tmp_path / "f.csv"
    file.write_text("\n".join(["order_id,customer_id,order_date,amount", *lines]))
    assert "The same names are other months in hr than in pl." in look(file).doubts


@pytest.mark.parametrize(
    ("value", "options", "said"),
    [
        ("1697716800", "", 'add date_format = "epoch" (seconds since 1970) to [orders] of data/m.toml.'),
        ("1697716800000", "", 'add date_format = "epoch_ms" (milliseconds since 1970) to [orders] of data/m.toml.'),
        ("45218", "", 'add date_format = "excel" (days of a spreadsheet) to [orders] of data/m.toml.'),
        ("19. Okt 2023", "", 'add month_language = "de" to [orders] of data/m.toml.'),
        ("19-Okt-23", "", 'add date_format = "%d-%b-%y" and month_language = "de" to [orders] of data/m.toml.'),
        ("45218", 'date_format = "%d.%m.%Y"', 'That looks like date_format = "excel" (days of a spreadsheet).'),
        ("Oct. 19 2023", "", 'add month_language = "en" to [orders] of data/m.toml.'),
        ("soon", "", 'Name the form of the days in [orders] of data/m.toml, such as date_format = "%d/%m/%Y".'),
        ("Mai", "", 'Name the form of the days in [orders] of data/m.toml, such as date_format = "%d/%m/%Y".'),
        ("10:30:00", "", "That is a time without a day."),
        ("2024-02-30", "", "That day or time does not exist."),
        ("30.02.2024", 'date_format = "%d.%m.%Y"', "That day or time does not exist."),
        ("31.12.2024", "", 'add date_format = "%d.%m.%Y" to [orders] of data/m.toml.'),
    ],
)
def test_messages_name_the_line_that_mends(empty_project: Path, value: str, options: str, said: str) -> None:
    (empty_project / "data" / "m.csv").write_text(f"customer_id,ordered_at,amount\n7,{value},1\n", encoding="utf-8")
    (empty_project / "data" / "m.toml").write_text(f'[orders]\nfile = "m.csv"\n{options}\n')
    with pytest.raises(CrmlabError) as error:
        open_dataset("m")
    assert f"Found: '{value}'." in str(error.value)
    assert said in str(error.value)

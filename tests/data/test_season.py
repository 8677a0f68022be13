"""The section ``[season]``: what it says of each day, and what is said where it is wrong."""

from __future__ import annotations

import datetime as dt
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmlab.data.dataset import open_dataset
from crmlab.data.descriptor import Descriptor, parse
from crmlab.data.ledger import Breach
from crmlab.data.rules import examined
from crmlab.data.season import CLOSED, Season
from crmlab.errors import DescriptorError
from crmlab.report.inputs import inspect

DAY = dt.date.fromisoformat
DAYS = st.dates(dt.date(2015, 1, 1), dt.date(2034, 12, 31))
A_DAY = 'a day ("2024-12-25", or "12-25" for each year) or a range of days ("2024-08-05/2024-08-18")'


def parsed(text: str) -> Descriptor:
    text = f'[orders]\nfile = "o.csv"\n{text}'
    return parse(tomllib.loads(text), name="mine", where="mine.toml", folder=Path(), text=text)


def refused(text: str) -> list[str]:
    with pytest.raises(DescriptorError) as caught:
        parsed(text)
    return str(caught.value).splitlines()


def event(**keys: object) -> str:
    return "[[season.event]]\n" + "".join(f"{key} = {value!r}\n" for key, value in keys.items())


def days_of(season: Season, first: str, last: str) -> dict[str, str]:
    """The days that are not like others."""
    begin = DAY(first)
    marks = season.days_between(begin, DAY(last))
    return {str(begin + dt.timedelta(days=i)): mark for i, mark in enumerate(marks) if mark}


def test_without_a_section_nothing_is_known():
    season = parsed("").season
    assert season == parsed("[season]\n").season == Season()
    assert season.learn and season.days_between(DAY("2024-01-01"), DAY("2024-12-31")) == (None,) * 366


def test_a_section_as_a_shop_writes_it():
    season = parsed(
        '[season]\nclosed = ["12-25", 2024-01-01, "2024-08-05 / 2024-08-06"]\nlearn = false\n'
        + event(name=" Easter ", days=["2024-03-29", "2025-04-18/2025-04-19"])
        + event(name="sale", days=["2030-01-02"])
    ).season
    assert season.closed == ("12-25", "2024-01-01", "2024-08-05/2024-08-06")
    assert season.events == {"Easter": ("2024-03-29", "2025-04-18/2025-04-19"), "sale": ("2030-01-02",)}
    assert not season.learn
    assert days_of(season, "2024-01-01", "2025-12-31") == {
        **dict.fromkeys(("2024-01-01", "2024-08-05", "2024-08-06", "2024-12-25", "2025-12-25"), CLOSED),
        **dict.fromkeys(("2024-03-29", "2025-04-18", "2025-04-19"), "Easter"),
    }


def test_an_event_does_not_open_a_closed_day():
    season = Season(closed=("12-25", "2024-03-31"), events={"feast": ("2024-12-24/2024-12-26",), "spring": ("03-31",)})
    assert days_of(season, "2024-12-20", "2024-12-31") == {"2024-12-24": "feast", "2024-12-25": CLOSED, "2024-12-26": "feast"}
    assert days_of(season, "2023-03-30", "2024-04-01") == {"2023-03-31": "spring", "2023-12-25": CLOSED, "2024-03-31": CLOSED}


def test_ranges_of_each_year_go_over_its_turn_and_know_leap_days():
    season = Season(closed=("12-30/01-02", "02-28/03-01"))
    assert list(days_of(season, "2023-12-01", "2024-03-31")) == [
        *("2023-12-30", "2023-12-31", "2024-01-01", "2024-01-02"),
        *("2024-02-28", "2024-02-29", "2024-03-01"),
    ]
    assert list(days_of(season, "2025-02-01", "2025-03-31")) == ["2025-02-28", "2025-03-01"]
    assert list(days_of(Season(closed=("02-29",)), "2023-01-01", "2026-12-31")) == ["2024-02-29"]


def test_no_days_between_a_day_and_the_one_before():
    assert Season().days_between(DAY("2024-01-02"), DAY("2024-01-01")) == ()
    assert Season(closed=("0001-01-01", "9999-12-31")).days_between(dt.date.max, dt.date.max) == (CLOSED,)


@given(first=DAYS, length=st.integers(0, 500), start=DAYS, window=st.integers(0, 900))
def test_a_dated_range_marks_its_days_and_no_others(first, length, start, window):
    last = first + dt.timedelta(days=length)
    marks = Season(events={"sale": (f"{first}/{last}",)}).days_between(start, start + dt.timedelta(days=window))
    assert len(marks) == window + 1
    assert all((mark == "sale") == (first <= start + dt.timedelta(days=i) <= last) for i, mark in enumerate(marks))


@given(first=DAYS, length=st.integers(0, 180), start=DAYS)
def test_a_yearly_range_comes_each_year(first, length, start):
    last = first + dt.timedelta(days=length)
    ends = first.isoformat()[5:], last.isoformat()[5:]
    marks = Season(closed=("/".join(ends),)).days_between(start, start + dt.timedelta(days=800))
    for i, mark in enumerate(marks):
        day = (start + dt.timedelta(days=i)).isoformat()[5:]
        within = ends[0] <= day <= ends[1] if ends[0] <= ends[1] else day >= ends[0] or day <= ends[1]
        assert (mark == CLOSED) == within


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2024-13-25", f"each {A_DAY}"),
        ("2024-02-30", f"each {A_DAY}"),
        ("02-30", f"each {A_DAY}"),
        ("20241225", f"each {A_DAY}"),
        ("2024-W52-3", f"each {A_DAY}"),
        ("25.12.2024", f"each {A_DAY}"),
        ("", f"each {A_DAY}"),
        ("2024-12-24/2024-12-25/2024-12-26", f"each {A_DAY}"),
        ("2024-12-24/12-26", "each a range with the year at both ends or at neither"),
        ("2024-08-18/2024-08-05", 'each a range from its first day to its last, such as "2024-08-05/2024-08-18"'),
        (
            "08-18/08-05",
            'each a range from its first day to its last, such as "08-05/08-18"; over the turn of the year "08-18/12-31" and "01-01/08-05"',
        ),
        ("1924-01-01/2024-01-01", "each a range of at most three years"),
    ],
)
def test_a_text_that_names_no_days_is_told(text, said):
    assert refused(f'[season]\nclosed = ["12-25", "{text}"]\n') == [
        f"mine.toml: [season] closed must be made of days: {said}. Got '{text}' instead."
    ]
    (line,) = refused(event(name="sale", days=["12-25", text]))
    assert line == f"mine.toml, line 3: [[season.event]] days must be made of days: {said}. Got '{text}' instead."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[season]\nlern = false\nlearn = "no"',
            ["unknown key 'lern' under [season]. Did you mean 'learn'?", "[season] learn must be"],
        ),
        ('[season]\nclosed = "12-25"', ["[season] closed must be a list of days, such as"]),
        ("[season]\nclosed = [3, 12:00:00]", ["Got 3 instead.", "Got 12:00:00 instead."]),
        ("[[season]]\nclosed = []", ["season must be a section."]),
        ("[season.event]\nname = 'a'", ["[season] event must be given as [[season.event]], once for each event."]),
        (event(days=["12-31"]), ["line 3: an event has no 'name'. Expected one, such as name = \"Easter\"."]),
        (event(name="a"), ["line 3: the event 'a' has no 'days'. Expected them, such as days = ["]),
        (event(name=" ", days=["12-31"]), ['line 3: [[season.event]] name must be a text in quotes, and not "closed".']),
        (event(name="Closed", days=["12-31"]), ["name must be a text in quotes, and not \"closed\". Got 'Closed' instead."]),
        (event(name="a", days=[]), ["line 3: [[season.event]] days must be a list of days, such as"]),
        (event(name="a", days="12-31"), ["line 3: [[season.event]] days must be a list of days, such as"]),
        (event(name="a", day=["12-31"]), ["unknown key 'day' under [[season.event]]. Did you mean 'days'?"]),
        (
            event(name="a", days=["12-31"]) + event(name="A", days=["12-30"]),
            ["line 6: there are two events 'A'. Expected one, with all its days."],
        ),
    ],
)
def test_what_else_is_wrong_is_told(text, said):
    lines = refused(text)
    assert len(lines) == len(said)
    assert all(part in line for part, line in zip(said, lines, strict=True))


@pytest.mark.parametrize(
    ("first", "second", "day"),
    [
        ("2024-03-29", "2024-03-29", "2024-03-29"),
        ("2024-03-28/2024-04-01", "2024-03-29", "2024-03-29"),
        ("2024-03-29", "2024-03-28/2024-04-01", "2024-03-29"),
        ("03-29", "2024-03-28/2024-04-01", "2024-03-29"),
        ("2024-03-28/2024-04-01", "03-29", "03-29"),
        ("12-24/01-02", "01-02/01-10", "01-02"),
    ],
)
def test_a_day_belongs_to_one_event(first, second, day):
    (line,) = refused(event(name="a", days=[first, second]))
    assert line == (
        f"mine.toml, line 3: the event 'a' has the day {day} twice: {first}, {second}. Expected each day once. Take it out of one."
    )
    (line,) = refused(event(name="a", days=[first]) + event(name="b", days=[second]))
    assert line == (
        f"mine.toml, line 6: the day {day} is in two events: 'a' ({first}), 'b' ({second}). "
        "Expected at most one for each day. Take it out of one."
    )


def test_days_of_two_events_side_by_side_are_fine():
    assert len(parsed(event(name="a", days=["2024-03-29", "03-30"]) + event(name="b", days=["2025-03-29"])).season.events) == 2


@pytest.mark.proof
def test_what_was_bought_on_closed_days_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLAB_CACHE", str(tmp_path / "cache"))
    days = ["2023-12-25", "2024-12-25", "2024-12-26", "2024-12-27"]
    rows = [f"{i},c{i % 40},2024-0{i % 9 + 1}-05,10" for i in range(96)] + [f"x{i},c1,{day},7" for i, day in enumerate(days)]
    (tmp_path / "o.csv").write_text("\n".join(["order_id,customer_id,ordered_at,amount", *rows, "r,c1,2024-12-25,-7", ""]))

    def breach(text: str) -> Breach | None:
        (tmp_path / "mine.toml").write_text(f'[orders]\nfile = "o.csv"\n{text}')
        return next((one for one in examined(open_dataset(tmp_path / "mine.toml")) if one.rule == "Closed days"), None)

    assert breach("") is None
    found = breach('[season]\nclosed = ["12-25"]\n')
    assert found is not None
    assert (found.broken, found.checked, found.amount, found.grave) == (2, 101, "14.0000", True)
    assert [row["order_id"] for row in found.examples] == ["x0", "x1"]  # what came back was not bought
    few = breach('[season]\nclosed = ["2024-12-27"]\n')
    assert few is not None and (few.broken, few.grave) == (1, False)
    none = breach('[season]\nclosed = ["12-24"]\n')
    assert none is not None and none.broken == 0


def test_reports_are_made_again_where_it_changes_and_tables_are_not(tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLAB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "o.csv").write_text("order_id,customer_id,ordered_at,amount\n1,a,2024-01-01,5\n2,b,2024-02-01,7\n")
    seen, kept = set(), set()
    for text in ("", '[season]\nclosed = ["12-25"]\n', "[season]\nlearn = false\n", event(name="a", days=["2024-03-29"])):
        (tmp_path / "mine.toml").write_text(f'[orders]\nfile = "o.csv"\n{text}')
        found = inspect(str(tmp_path / "mine.toml"))
        seen.add(found.fingerprint)
        kept.add(found.key)
    assert (len(seen), len(kept)) == (4, 1)
    (tmp_path / "mine.toml").write_text('# mine\n[orders]\nfile = "o.csv"\n' + event(days=["2024-03-29"], name="a"))
    assert inspect(str(tmp_path / "mine.toml")).fingerprint in seen  # what is the same in other words is no change

"""An id such as 0 or "guest" is many people, told with its share; whether another id is one customer is asked, never decided alone.

Else a third of the revenue stands under one customer who buys every day.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import ibis
import pytest

from crmlab.data import catalog, guess
from crmlab.data.dataset import check_source
from crmlab.data.descriptor import parse
from crmlab.data.guests import is_guest
from crmlab.data.reading.ids import guest
from crmlab.errors import DescriptorError


def look(folder: Path, who: Callable[[int], str], count: int = 200, mails: bool = False) -> guess.Guess:
    lines = ["order_id,customer_id,order_date,total" + (",email" if mails else "")]
    for i in range(count):
        line = f"{i},{who(i)},2024-{1 + i % 9:02d}-{1 + i % 27:02d},10.00"
        lines.append(line + (f",p{i % 50}@example.org" if mails else ""))
    (file := folder / "orders.csv").write_text("\n".join(lines) + "\n")
    return guess.look(file)


NAMES = (
    *(
        "0",
        "0000000000",
        "-1",
        "guest",
        "Guest",
        "guest-0001",
        "Gast 12",
        "anonymous",
        "walk-in",
        "Cash",
        "POS Customer",
        "pos",
        "No Name",
    ),
    *(
        "noname",
        "Laufkunde",
        "Diverse Kunden",
        "invité",
        "client divers",
        "Cliente Contado",
        "clientes varios",
        "cliente genérico",
    ),
)


@pytest.mark.parametrize("name", NAMES)
def test_guests_are_named_with_their_share(tmp_path: Path, name: str) -> None:
    seen = look(tmp_path, lambda i: name if i % 4 == 0 else f"{5000 + i % 40}")
    assert seen.settings["guests"] == [name]
    assert f'guests = ["{name}"]  # 25.0% of the rows and 25.0% of the money' in guess.to_toml(seen)


def test_an_email_can_tell_guests_apart(tmp_path: Path) -> None:
    seen = look(tmp_path, lambda i: "0" if i % 4 == 0 else f"{5000 + i % 40}", mails=True)
    (question,) = seen.questions
    assert 'customer_hash = "email"' in question.sentence
    kept = seen.answered(question, question.written([0]))
    assert kept.columns["customer_id"] == "customer_id"
    told = seen.answered(question, question.written([1]))
    assert "customer_id" not in told.columns
    assert 'customer_hash = "email"' in guess.to_toml(told)


def test_a_customer_0_among_others_is_asked_about(tmp_path: Path) -> None:
    seen = look(tmp_path, lambda i: str(i % 40))
    assert "guests" not in seen.settings
    (question,) = seen.questions
    assert seen.answered(question, question.written([0])).settings["guests"] == []
    assert seen.answered(question, question.written([1])).settings["guests"] == ["0"]


def test_one_id_that_buys_like_many_is_asked_about(tmp_path: Path) -> None:
    seen = look(tmp_path, lambda i: "9999" if i % 3 else str(10 + i), count=600)
    (question,) = seen.questions
    assert "66.7% of the rows" in question.sentence
    assert "guests" not in seen.settings
    assert seen.answered(question, question.written([1])).settings["guests"] == ["9999"]


def test_the_id_that_buys_like_many_joins_the_guests_that_are_known(tmp_path: Path) -> None:
    seen = look(tmp_path, lambda i: "T1" if i % 3 else "guest" if i % 9 == 0 else str(10 + i), count=600)
    question = next(one for one in seen.questions if "Is it one customer?" in one.sentence)
    assert seen.answered(question, question.written([1])).settings["guests"] == ["guest", "T1"]


def test_an_id_that_tells_who_somebody_is_is_not_written(tmp_path: Path) -> None:
    seen = look(tmp_path, lambda i: "till@example.org" if i // 27 % 4 == 0 else str(10 + i), count=600)
    assert seen.columns["customer_id"] == "customer_id"
    assert any("Is it one customer?" in doubt for doubt in seen.doubts)
    assert "example.org" not in guess.to_toml(seen)
    assert all("example.org" not in str(question) for question in seen.questions)


def test_the_largest_of_a_few_customers_is_not_asked_about(tmp_path: Path) -> None:
    seen = look(tmp_path, lambda i: "K1" if i % 3 else f"K{2 + i % 9}", count=600)  # a small B2B base: somebody always has 5%
    assert seen.questions == ()


def test_many_rows_without_a_customer_are_asked_about(tmp_path: Path) -> None:
    assert look(tmp_path, lambda i: "" if i % 10 == 0 else f"{5000 + i % 40}").questions == ()
    seen = look(tmp_path, lambda i: "" if i % 3 == 0 else f"{5000 + i % 40}")
    (question,) = seen.questions
    assert question.sentence.startswith("33.5% of the rows and 33.5% of the money have no customer")


def test_gaps_in_runs_are_merged_cells(tmp_path: Path) -> None:
    seen = look(tmp_path, lambda i: f"{5000 + i // 3}" if i % 3 == 0 else "")
    (question,) = seen.questions
    assert "were the cells merged?" in question.sentence
    assert seen.answered(question, question.written([0])).options["fill_down"] == ["customer_id"]


@pytest.mark.parametrize(
    ("lines", "merged", "filled"),
    [
        (1, "", {"fill_down": ["customer_id"], "fill_across": True}),  # one customer over three orders
        (3, "", {"fill_down": ["customer_id"]}),  # three lines of one order
        (3, "order_id", {"fill_down": ["customer_id", "order_id"]}),
    ],
)
def test_merged_cells_are_filled_as_far_as_they_reach(
    tmp_path: Path, lines: int, merged: str, filled: dict[str, object]
) -> None:
    rows = ["order_id,customer_id,order_date,product_id,quantity,total"]
    for i in range(180):
        order = "" if merged and i % 3 else f"R{1000 + i // lines}"
        rows.append(f"{order},{'' if i % 3 else 5000 + i // 3},2024-{1 + i // 3 % 9:02d}-03,P{i % 7},1,10.00")
    (file := tmp_path / "orders.csv").write_text("\n".join(rows) + "\n")
    seen = guess.look(file)
    (question,) = (one for one in seen.questions if "were the cells merged?" in one.sentence)
    assert ("fill_across = true" in question.sentence) is ("fill_across" in filled)
    told = seen.answered(question, question.written([0]))
    assert {key: value for key, value in told.options.items() if key.startswith("fill")} == filled
    section = tomllib.loads(guess.to_toml(told))[told.table]
    assert {key: section[key] for key in filled} == filled
    parse({told.table: section}, name="orders", where="orders.toml", folder=tmp_path)


def test_across_orders_means_nothing_where_nothing_is_filled(tmp_path: Path) -> None:
    with pytest.raises(DescriptorError, match="fill_across.*used together with fill_down"):
        parse({"orders": {"file": "o.csv", "fill_across": True}}, name="o", where="o.toml", folder=tmp_path)


def test_an_email_that_is_the_only_id_becomes_a_keyed_hash(tmp_path: Path) -> None:
    lines = [
        "order_id,email,order_date,total",
        *(f"{i},p{i % 9}@example.org,2024-03-{1 + i % 27:02d},10.00" for i in range(60)),
    ]
    (file := tmp_path / "orders.csv").write_text("\n".join(lines) + "\n")
    seen = guess.look(file)
    text = guess.to_toml(seen)
    assert seen.options["customer_hash"] == "email"
    assert "@" not in text


OTHERS = ("100", "0001", "-10", "guestrow", "guest-lee", "gasthof 7", "cashmere", "post", "10-guest")


def test_reading_and_looking_agree_on_who_is_a_guest() -> None:
    ids = [*NAMES, *OTHERS, " Guest-0007 ", "GAST_3"]
    guests = ibis.memtable({"who": ids}).select(guest=lambda t: guest(t.who, None)).execute()["guest"].tolist()
    assert guests == [is_guest(one) for one in ids] == [one not in OTHERS for one in ids]
    none = ibis.memtable({"who": ids}).select(guest=lambda t: guest(t.who, ())).execute()["guest"]
    assert not none.any()


@pytest.mark.filterwarnings("ignore::crmlab.errors.NewKeyWarning")
def test_numbered_guests_have_no_keyed_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRMLAB_HOME", str(tmp_path))
    for name in ("data", "notebooks"):
        (tmp_path / name).mkdir()
    who = ["guest-0001", "Guest-0002", "0000000000", "ann@example.org", "bob@example.org"]
    rows = [f"{i},{name},2024-03-{i:02d},10" for i, name in enumerate(who, start=1)]
    (tmp_path / "o.csv").write_text("\n".join(["order_id,email,ordered_at,amount", *rows]) + "\n")
    (tmp_path / "own.toml").write_text('[orders]\nfile = "o.csv"\ncustomer_hash = "email"\n')
    ledger, _, problems = check_source(catalog.load(tmp_path / "own.toml"))
    assert problems == []
    assert {row.reason: row.rows for row in ledger if row.table == "orders"} == {None: 2, "guest": 3}

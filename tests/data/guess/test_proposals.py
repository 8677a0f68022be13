"""What `crmlab new` proposes and asks beyond columns: discounts, odd rows, files that hold no orders, tables of campaigns."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crmlab.data import guess


def day(i: int) -> str:
    return f"2024-{1 + i % 9:02d}-{1 + i % 27:02d}"


def look(folder: Path, header: str, row: Callable[[int], tuple[Any, ...]], count: int = 60) -> guess.Guess:
    lines = [header, *(",".join(map(str, row(i))) for i in range(count))]
    (file := folder / "table.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return guess.look(file)


LINES = "order,customer,date,sku,qty,price,discount,total"


@pytest.mark.parametrize(
    ("total", "mapped", "asked"),
    [
        (lambda off: 20 - off, False, False),  # off already
        (lambda off: 20, True, False),  # still in it
        (lambda off: 33 - 5 * off, False, True),  # nothing tells
    ],
)
def test_a_discount_is_mapped_where_the_amount_is_before_it(
    tmp_path: Path, total: Callable[[float], float], mapped: bool, asked: bool
) -> None:
    def row(i: int) -> tuple[Any, ...]:
        off = 1.5 if i % 3 else 0
        return (i // 2, f"C{i % 9}", day(i // 2), f"s{i % 4}", 2, "10.00", off, f"{total(off):.2f}")

    seen = look(tmp_path, LINES, row)
    assert ("discount" in seen.columns) is mapped
    assert any(question.key == "discount" for question in seen.questions) is asked
    assert any("in only" in doubt for doubt in seen.doubts) is asked


def test_a_discount_of_an_order_is_off_where_the_parts_add_up(tmp_path: Path) -> None:
    def row(i: int) -> tuple[Any, ...]:
        off = 2.0 if i % 3 else 0.0
        return (i, f"C{i % 9}", day(i), f"{20 + i % 5}.00", f"{off:.2f}", "4.90", f"{20 + i % 5 - off + 4.9:.2f}")

    seen = look(tmp_path, "order,customer,date,subtotal,discount_total,shipping,order_total", row)
    assert seen.columns["amount"] == "order_total"
    assert "discount" not in seen.columns
    assert seen.questions == ()


def test_a_discount_that_nothing_explains_is_asked_about(tmp_path: Path) -> None:
    seen = look(
        tmp_path,
        "order,customer,date,total,Rabatt",
        lambda i: (i, f"C{i % 9}", day(i), f"{20 + i}.50", "1.00" if i % 3 else "0"),
    )
    (question,) = seen.questions
    assert question.key == "discount"
    off, still_in = (seen.answered(question, question.written([choice])) for choice in (0, 1))
    assert "discount" not in off.columns
    assert still_in.columns["discount"] == "Rabatt"
    assert '# discount = "Rabatt"' in guess.to_toml(seen)


@pytest.mark.parametrize("name", ["discount_code", "discount %", "discount_rate", "discount reason"])
def test_what_says_something_about_a_discount_is_no_amount(tmp_path: Path, name: str) -> None:
    seen = look(
        tmp_path, f"order,customer,date,total,{name}", lambda i: (i, f"C{i % 9}", day(i), f"{20 + i}.50", 10 if i % 3 else 0)
    )
    assert all(question.key != "discount" for question in seen.questions)


def test_quantity_and_price_below_zero_are_asked_about(tmp_path: Path) -> None:
    def row(i: int) -> tuple[Any, ...]:
        sign = -1 if i == 7 else 1
        return (i // 2, f"C{i % 9}", day(i // 2), f"s{i % 4}", 2 * sign, f"{10 * sign}.00")

    seen = look(tmp_path, "order,customer,date,sku,qty,price", row)
    (question,) = seen.questions
    assert question.sentence.startswith(
        "In 1 row 'qty' and 'price' are both negative, so that their product counts as a sale: 20.00."
    )
    text = guess.to_toml(seen.answered(question, question.written([0])))
    assert tomllib.loads(text)["negative_price"] == "return"
    assert '# negative_price = "return"' in guess.to_toml(seen)


@pytest.mark.parametrize(("odd", "key"), [("2202-03-01", "last_day"), ("9999-12-31", "last_day"), ("1900-01-01", "first_day")])
def test_a_day_that_cannot_be_is_asked_about(tmp_path: Path, odd: str, key: str) -> None:
    seen = look(tmp_path, "order,customer,date,total", lambda i: (i, f"C{i % 9}", odd if i == 7 else day(i), "10.00"))
    (question,) = seen.questions
    assert (question.key, odd in question.sentence, "1 row, worth 10.00, has a date" in question.sentence) == (key, True, True)
    written = tomllib.loads(guess.to_toml(seen.answered(question, question.written([0]))))[key]
    assert written == (dt.date.today() if key == "last_day" else dt.date(2024, 1, 1))


def test_an_old_history_is_not_asked_about(tmp_path: Path) -> None:
    seen = look(tmp_path, "order,customer,date,total", lambda i: (i, f"C{i % 9}", f"1900-03-{1 + i % 27:02d}", "10.00"))
    assert seen.questions == ()


def test_orders_that_stand_twice_are_asked_about(tmp_path: Path) -> None:
    seen = look(tmp_path, "order,customer,date,total", lambda i: (i % 30, f"C{i % 30 % 9}", day(i % 30), "10.00"))
    (question,) = seen.questions
    assert question.sentence.startswith("30 rows, 300.00: exact copies of other rows.")
    assert seen.doubts == (question.sentence,)
    assert seen.answered(question, question.written([0])).settings["duplicates"] == "drop"


def test_two_of_the_same_on_one_receipt_are_no_question(tmp_path: Path) -> None:
    seen = look(
        tmp_path,
        "order,customer,date,sku,qty,price",
        lambda i: (i // 3, f"C{i // 3}", day(i // 3), f"s{i % 3 // 2 if i < 9 else i % 3}", 1, "2.00"),
    )
    assert seen.questions == ()
    assert seen.settings["#duplicates"] == "drop"


@pytest.mark.parametrize(
    ("header", "row", "said"),
    [
        (
            "customer_id,frequency,recency,T,monetary_value",
            lambda i: (i, i % 4, i * 3, 400, "10.00"),
            "it is already a summary",
        ),
        ("client,orders,total_spent,last_order", lambda i: (f"C{i}", i % 4, f"{i}.50", day(i)), "it is already a summary"),
        ("Kunde,Umsatz", lambda i: (f"C{i}", f"{i}.50"), "it is already a summary"),
        ("user,converted,revenue", lambda i: (i, i % 2, f"{i % 2 * 9}.50"), "the results of an experiment"),
        (
            "subscription_id,customer,mrr,started_at,canceled_at",
            lambda i: (f"s{i}", f"C{i}", 29, day(i), ""),
            "one row per subscription",
        ),
    ],
)
def test_a_file_without_orders_is_said_to_be_one(
    tmp_path: Path, header: str, row: Callable[[int], tuple[Any, ...]], said: str
) -> None:
    seen = look(tmp_path, header, row)
    assert said in seen.doubts[0]
    assert "crmlab needs" in seen.doubts[0]
    assert seen.questions == ()


def test_a_first_order_of_each_customer_is_no_summary(tmp_path: Path) -> None:
    seen = look(tmp_path, "order_id,customer,date,total", lambda i: (i, f"C{i}", day(i), f"{i}.50"))
    assert seen.doubts == ()


@pytest.mark.parametrize(
    ("header", "row", "lacks", "said"),
    [
        (
            "receipt,date,sku,qty,price",
            lambda i: (i // 2, day(i // 2), f"s{i % 4}", 2, "10.00"),
            "customer_id",
            "products bought together can run",
        ),
        ("user_id,visited_at,page", lambda i: (5 + i % 9, day(i), f"p{i}"), "amount", "reports that count purchases can run"),
    ],
)
def test_what_runs_without_a_column_is_said(
    tmp_path: Path, header: str, row: Callable[[int], tuple[Any, ...]], lacks: str, said: str
) -> None:
    seen = look(tmp_path, header, row)
    assert any(key == lacks and said in sentence for key, sentence in seen.unsure)
    assert seen.options["without"] == [lacks]


CAMPAIGNS: list[tuple[str, str, Callable[[int], tuple[Any, ...]], set[str]]] = [
    (
        "cells",
        "campaign,cell,control,offer,cost per contact",
        lambda i: ("spring", f"A{i}", "A0" if i else "", "10%", "0.50"),
        {"control_cell_id"},
    ),
    (
        "cells",
        "Kampagne,Zelle,Kontrollzelle,Angebot",
        lambda i: ("Mai", f"A{i}", "A0" if i else "", "x"),
        {"campaign_id", "offer"},
    ),
    ("contacts", "customer_id,cell,sent_at", lambda i: (f"C{i}", f"A{i % 3}", day(i)), {"cell_id", "contacted_at"}),
    ("responses", "Kunde,Datum,type", lambda i: (f"C{i}", day(i), ("open", "click", "order")[i % 3]), {"responded_at", "kind"}),
]


@pytest.mark.parametrize(("table", "header", "row", "mapped"), CAMPAIGNS)
def test_tables_of_campaigns_are_recognised(
    tmp_path: Path, table: str, header: str, row: Callable[[int], tuple[Any, ...]], mapped: set[str]
) -> None:
    seen = look(tmp_path, header, row, count=12)
    assert seen.table == table
    assert mapped <= set(seen.columns)
    assert any("no orders" in doubt for doubt in seen.doubts)


@pytest.mark.parametrize(
    ("header", "row", "table"),
    [
        ("email,first name,last name,registered", lambda i: (f"p{i}@example.org", "Ann", "B", day(i)), "customers"),
        ("e-mail,cell,sent_at", lambda i: (f"p{i}@example.org", f"A{i % 3}", day(i)), "contacts"),
        ("email,date,event", lambda i: (f"p{i}@example.org", day(i), ("open", "click")[i % 2]), "responses"),
    ],
)
def test_an_address_tells_who_somebody_is_in_every_table(
    tmp_path: Path, header: str, row: Callable[[int], tuple[Any, ...]], table: str
) -> None:
    seen = look(tmp_path, header, row)
    assert seen.table == table
    assert seen.options["customer_hash"] == header.split(",")[0]
    assert "customer_id" not in seen.columns
    assert "@" not in guess.to_toml(seen)

"""A status that says "no sale" is guessed as one, told with its rows and money, and an unknown one is asked about, never summed in silence.

Else failed, cancelled and refunded orders count as revenue, and nothing says so.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from crmlab.data import guess
from crmlab.data.dataset import open_dataset
from crmlab.data.statuses import is_status_name

STATES = ("paid", "cancelled", "refunded", "failed")


def look(folder: Path, name: str, states: tuple[str, ...], extra: str = "", more: tuple[str, ...] = ("",)) -> guess.Guess:
    """A file of 60 orders over 10.00 each, whose status column goes through some states."""
    lines = [f"order_id,customer_id,order_date,total,{name}{extra and ','}{extra}"]
    for i in range(60):
        values = [f"{i}", f"C{i % 9}", f"2024-{1 + i % 9:02d}-{1 + i % 27:02d}", "10.00", states[i % len(states)]]
        lines.append(",".join([*values, *([more[i % len(more)]] if extra else [])]))
    (file := folder / "orders.csv").write_text("\n".join(lines) + "\n")
    return guess.look(file)


@pytest.mark.parametrize(
    ("name", "states", "keep", "drop"),
    [
        ("Financial Status", ("paid", "voided"), ["paid"], ["voided"]),
        ("status", ("wc-completed", "wc-failed", "wc-cancelled"), ["wc-completed"], ["wc-cancelled", "wc-failed"]),
        ("Etat", ("payée", "annulée"), ["payée"], ["annulée"]),
        ("Zustand", ("bezahlt", "storniert"), ["bezahlt"], ["storniert"]),
        ("estado del pedido", ("pagado", "cancelado"), ["pagado"], ["cancelado"]),
        ("payment_status", ("succeeded", "requires_payment_method"), ["succeeded"], ["requires_payment_method"]),
        ("orderState", ("DELIVERED", "CANCELLED"), ["DELIVERED"], ["CANCELLED"]),
        ("x", ("paid", "cancelled"), ["paid"], ["cancelled"]),  # by its values alone
    ],
)
def test_a_status_is_found_by_name_and_values(
    tmp_path: Path, name: str, states: tuple[str, ...], keep: list[str], drop: list[str]
) -> None:
    seen = look(tmp_path, name, states)
    assert seen.columns["status"] == name
    assert (seen.options["keep"], seen.options["drop"]) == (keep, drop)
    assert all(question.key != "status" for question in seen.questions)


def test_each_value_is_told_with_its_rows_and_money(tmp_path: Path) -> None:
    text = guess.to_toml(look(tmp_path, "status", STATES))
    assert 'keep = ["paid"]  # paid: 15 rows, 150.00' in text
    assert "# cancelled: 15 rows, 150.00; failed: 15 rows, 150.00; refunded: 15 rows, 150.00" in text


@pytest.mark.parametrize("name", ["Fulfillment Status", "shipping_status", "Lieferstatus", "delivery state", "stock status"])
def test_the_state_of_a_parcel_is_no_status_of_a_sale(tmp_path: Path, name: str) -> None:
    seen = look(tmp_path, name, ("shipped", "pending"))
    assert "status" not in seen.columns


def test_payment_decides_where_there_are_several(tmp_path: Path) -> None:
    seen = look(tmp_path, "status", ("completed", "pending"), "payment_status", ("paid", "failed"))
    assert seen.columns["status"] == "payment_status"


def test_unknown_statuses_are_in_neither_list_and_asked_about(tmp_path: Path) -> None:
    seen = look(tmp_path, "status", ("paid", "phase 3", "other"))
    assert (seen.options["keep"], seen.options["drop"]) == (["paid"], [])
    (question,) = (question for question in seen.questions if question.key == "status")
    assert "'other' (20 rows, 200.00); 'phase 3' (20 rows, 200.00)" in question.sentence
    assert f"# unsure: {question.sentence}" in guess.to_toml(seen)
    told = seen.answered(question, question.written([1]))
    assert (told.options["keep"], told.options["drop"]) == (["paid", "phase 3"], ["other"])
    assert question.sentence not in guess.to_toml(told)


def test_a_loyalty_status_is_asked_about_and_sums_nothing(tmp_path: Path) -> None:
    seen = look(tmp_path, "status", ("gold", "silver"))
    assert seen.options["keep"] == []
    assert any("gold" in doubt for doubt in seen.doubts)


def test_statuses_that_may_come_are_left_to_words(tmp_path: Path) -> None:
    lines = ["order_id,customer_id,order_date,total,status"]
    lines += [f"{i},C{i % 99},2024-03-{1 + i % 27:02d},10.00,{('paid', 'failed')[i % 2]}" for i in range(6000)]
    (file := tmp_path / "orders.csv").write_text("\n".join(lines) + "\n")
    text = guess.to_toml(guess.look(file))
    assert 'status = "status"' in text
    assert '# keep = ["paid"]' in text  # a list would leave out a "shipped" that comes later


@pytest.mark.parametrize(
    ("name", "refunds", "mapped"),
    [
        ("Refunded Amount", ("0.00", "3.00"), True),
        ("refund_total", ("", "-3.00"), True),
        ("Erstattungsbetrag", ("0.00", "3.00"), True),
        ("refund_reason", ("", "broken"), False),
        ("refunded_at", ("", "2024-05-05"), False),
    ],
)
def test_what_was_paid_back_is_found_and_taken_off(tmp_path: Path, name: str, refunds: tuple[str, ...], mapped: bool) -> None:
    seen = look(tmp_path, "status", ("paid", "cancelled"), name, refunds)
    assert (seen.columns.get("refund") == name) is mapped
    assert seen.columns["amount"] == "total"


@pytest.mark.parametrize(("refunds", "kept"), [(("0.00", "10.00"), True), (("0.00", "4.00"), True), (("0.00", "0.00"), False)])
def test_refunded_orders_are_netted_where_it_is_known_what_was_paid_back(
    tmp_path: Path, refunds: tuple[str, ...], kept: bool
) -> None:
    seen = look(tmp_path, "status", ("paid", "refunded"), "refunded_total", refunds)
    assert ("refunded" in seen.options["keep"]) is kept
    assert ("refunded" in seen.options["drop"]) is not kept


def test_a_day_of_cancelling_and_a_flag_of_a_test_order_are_no_sales(tmp_path: Path) -> None:
    seen = look(tmp_path, "status", ("paid", "paid", "cancelled"), "cancelled_at", ("", "", "2024-05-05"))
    assert seen.options["drop_where"] == "cancelled_at"
    assert "in 20 rows, 200.00" in seen.remarks["drop_where"]
    seen = look(tmp_path, "test", ("false", "false", "true"))
    assert (seen.columns["status"], seen.options["keep"], seen.options["drop"]) == ("test", ["false"], ["true"])
    seen = look(tmp_path, "status", ("paid", "failed"), "is_test", ("0", "0", "0", "1", "1"))
    assert any(
        "According to 'is_test', these are not sales, but they are counted: 12 rows, 120.00." in doubt for doubt in seen.doubts
    )


@pytest.mark.parametrize("ending", ["xlsx", "parquet", "decimal.parquet", "bool.parquet", "csv"])
def test_a_flag_of_numbers_is_written_as_it_is_read(tmp_path: Path, ending: str) -> None:
    flags: list[Any] = [float(i % 4 == 0) for i in range(60)]
    form = {"decimal.parquet": Decimal, "bool.parquet": bool, "csv": int}.get(ending, float)
    frame = pd.DataFrame(
        {
            "order_id": [f"R{i}" for i in range(60)],
            "customer_id": [f"C{i % 9}" for i in range(60)],
            "order_date": [f"2024-{1 + i % 9:02d}-03" for i in range(60)],
            "total": [10.0] * 60,
            "Test order": [form(flag) for flag in flags],
        }
    )
    file = tmp_path / f"orders.{ending}"
    if ending == "xlsx":
        frame.to_excel(file, index=False)
    elif ending == "csv":
        frame.to_csv(file, index=False)
    else:
        frame.to_parquet(file)
    seen = guess.look(file)
    words = ["false", "true"] if ending == "bool.parquet" else ["0", "1"]
    assert [seen.options["keep"], seen.options["drop"]] == [[word] for word in words]
    assert total(tmp_path, seen) == 450


def total(folder: Path, seen: guess.Guess) -> Decimal:
    """What the orders come to with the TOML file that is proposed."""
    return Decimal(open_dataset(guess.write([seen], folder=folder)).orders["amount"].sum().execute())


@pytest.mark.parametrize(
    ("name", "mine"),
    [
        ("Product status", False),
        ("Lieferstatus", False),
        ("accountState", False),
        ("Order status", True),
        ("Zahlungsstatus", True),
    ],
)
def test_new_and_the_reader_take_the_same_columns_for_the_status(tmp_path: Path, name: str, mine: bool) -> None:
    seen = look(tmp_path, name, ("active", "draft"))
    assert ("status" in seen.columns) is mine
    assert is_status_name(name) is mine


def test_who_somebody_is_is_not_written_as_a_status(tmp_path: Path) -> None:
    seen = look(tmp_path, "status", ("call +49 30 1234567 first", "a.b@example.org", "paid", "mail a.b@example.org", "phase 3"))
    (question,) = (question for question in seen.questions if question.key == "status")
    told = seen.answered(question, question.written([0]))
    for text in (guess.to_toml(seen), guess.to_toml(told), *(answer.label for answer in question.answers)):
        assert "1234567" not in text and "example.org" not in text
    assert told.options["keep"] == ["paid", "phase 3"]
    assert any("holds in 36 rows what tells who somebody is" in doubt for doubt in told.doubts)


@pytest.mark.parametrize(
    ("amounts", "kept", "comes_to"),
    [
        (("10", "-10", "10"), True, 200),  # booked back in rows of its own
        (("10", "-10", "0"), True, 0),
        (("10", "-10", "20"), False, 200),  # some above zero: what was sold and what was paid back, both no sales
    ],
)
def test_refunds_are_booked_back_only_where_none_is_above_zero(
    tmp_path: Path, amounts: tuple[str, ...], kept: bool, comes_to: int
) -> None:
    states = {"10": "paid", "-10": "refunded", "0": "refunded", "20": "refunded"}
    lines = ["order_id,customer_id,order_date,total,status"]
    for i in range(60):
        amount = amounts[i % 3]
        lines.append(f"R{i},C{i % 9},2024-{1 + i % 9:02d}-03,{amount},{states[amount]}")
    (file := tmp_path / "orders.csv").write_text("\n".join(lines) + "\n")
    seen = guess.look(file)
    assert ("refunded" in seen.options["keep"]) is kept
    assert ("refunded" in seen.options["drop"]) is not kept
    assert total(tmp_path, seen) == comes_to


def test_credit_notes_above_zero_are_asked_about(tmp_path: Path) -> None:
    seen = look(tmp_path, "Belegart", ("Rechnung", "Rechnung", "Gutschrift"))
    (question,) = seen.questions
    assert "'Gutschrift' in 20 rows, 200.00, above zero" in question.sentence
    left_out = seen.answered(question, question.written([0]))
    assert (left_out.columns["status"], left_out.options["drop"]) == ("Belegart", ["Gutschrift"])

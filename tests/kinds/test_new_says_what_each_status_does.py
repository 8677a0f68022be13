"""A status that says "no sale" is guessed as one, told with its rows and money, and an unknown one is asked about, never summed in silence.

Else failed, cancelled and refunded orders count as revenue, and nothing says so.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from crmlab.data import guess

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
    assert any("'is_test' says of 12 rows, 120.00 that they are no sales" in doubt for doubt in seen.doubts)


def test_credit_notes_above_zero_are_asked_about(tmp_path: Path) -> None:
    seen = look(tmp_path, "Belegart", ("Rechnung", "Rechnung", "Gutschrift"))
    (question,) = seen.questions
    assert "'Gutschrift' in 20 rows, 200.00, above zero" in question.sentence
    left_out = seen.answered(question, question.written([0]))
    assert (left_out.columns["status"], left_out.options["drop"]) == ("Belegart", ["Gutschrift"])

"""Kind: in an export that is known, one column says a row is a sale, and another, or another row, takes it back.

Else payments that were denied, authorized only or paid back, returns and purchases that were sent twice count as revenue without a word.
"""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path

import pytest

from crmlab.data import catalog, guess
from crmlab.data.dataset import check_source

pytestmark = pytest.mark.filterwarnings("ignore::crmlab.errors.NewKeyWarning")  # each test has a project of its own


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRMLAB_HOME", str(tmp_path))
    for name in ("data", "notebooks"):
        (tmp_path / name).mkdir()


def look(folder: Path, header: str, *rows: str) -> guess.Guess:
    (file := folder / "export.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    (seen,) = guess.survey([file])
    assert seen.export
    return seen


def kept(seen: guess.Guess) -> tuple[int, Decimal, list[str]]:
    """Rows that count, what they add up to, and the statuses that check asks about."""
    ledger, breaches, problems = check_source(catalog.load(guess.write([seen], name=f"made_{time.monotonic_ns()}")))
    assert problems == []
    (row,) = [row for row in ledger if row.reason is None]
    return row.rows, Decimal(row.amount), [one.rule for one in breaches if one.grave]


PAYPAL = "Date,Time,TimeZone,Name,Type,Status,Currency,Gross,Fee,Net,From Email Address,To Email Address,Transaction ID"


def payment(
    number: int, gross: str, state: str = "Completed", kind: str = "Express Checkout Payment", back: bool = False
) -> str:
    ends = ("shop@example.org", f"b{number}@example.org") if back else (f"b{number}@example.org", "shop@example.org")
    return f"2024-03-{number:02d},10:00:00,UTC,A B,{kind},{state},EUR,{gross},0.00,{gross},{ends[0]},{ends[1]},X{number}"


def test_the_state_of_a_payment_decides(tmp_path: Path) -> None:
    states = ("Completed", "Denied", "Pending", "Canceled", "Failed", "Expired", "Reversed", "Partially Refunded")
    seen = look(tmp_path, PAYPAL, *(payment(i, f"{i}0.00", state) for i, state in enumerate(states, start=1)))
    assert seen.doubts == ()
    assert kept(seen) == (2, Decimal(90), [])


def test_a_state_is_asked_about_where_the_kind_of_movement_decides(tmp_path: Path) -> None:
    rows = [payment(1, "100.00"), payment(2, "30.00", "Denied"), payment(3, "-50.00", kind="General Withdrawal", back=True)]
    seen = look(tmp_path, PAYPAL, *rows)
    (doubt,) = seen.doubts
    assert "'Status' says of 1 row, 30.00 that they are no sales ('Denied'), and they count" in doubt


def test_what_was_paid_back_is_taken_off_or_asked_about(tmp_path: Path) -> None:
    refund = payment(3, "-100.00", kind="Payment Refund", back=True)
    seen = look(tmp_path, PAYPAL, payment(1, "100.00"), payment(2, "20.00"), refund)
    (question,) = seen.questions
    assert seen.doubts == (question.sentence,)
    assert "'Payment Refund' (1 row, -100.00); they stand under the seller's own address" in question.sentence
    assert kept(seen) == (2, Decimal(120), ["Status"])
    assert kept(seen.answered(question, question.written([0])))[1:] == (Decimal(20), [])
    assert kept(seen.answered(question, question.written([1])))[1:] == (Decimal(120), [])


MAGENTO = "ID,Purchase Point,Purchase Date,Bill-to Name,Grand Total (Base),Status,Customer Email"


def grid(number: int, state: str, back: str | None = None) -> str:
    row = f"10000{number},Main,2024-03-{number:02d} 10:00:00,A B,30.00,{state},b{number}@example.org"
    return row if back is None else f"{row},{back}"


def test_a_closed_order_was_paid_back(tmp_path: Path) -> None:
    seen = look(tmp_path, MAGENTO, *(grid(i, "Closed" if i == 3 else "Complete") for i in range(1, 9)))
    assert kept(seen) == (7, Decimal(210), [])


@pytest.mark.parametrize(("back", "rows"), [("30.00", 8), ("0.00", 7), ("", 7)])
def test_a_closed_order_is_netted_where_it_says_what_was_paid_back(tmp_path: Path, back: str, rows: int) -> None:
    lines = [grid(i, "closed" if i == 3 else "complete", back if i == 3 else "0.00") for i in range(1, 9)]
    assert kept(look(tmp_path, f"{MAGENTO},Total Refunded", *lines)) == (rows, Decimal(210), [])


STRIPE = "id,Created date (UTC),Amount,Amount Refunded,Currency,Captured,Status,Customer ID"


def charge(number: int, captured: str, state: str = "Paid") -> str:
    return f"ch_{number},2024-03-{number:02d} 10:00:00,20.00,0.00,eur,{captured},{state},cus_{number % 3}"


def test_what_was_authorized_only_is_no_sale(tmp_path: Path) -> None:
    rows = [charge(i, "false" if i in (2, 5) else "true", "Failed" if i == 5 else "Paid") for i in range(1, 9)]
    seen = look(tmp_path, STRIPE, *rows)
    assert (seen.columns["status"], seen.doubts) == ("Captured", ())
    assert kept(seen) == (6, Decimal(120), [])


def test_what_was_authorized_only_is_asked_about_where_the_status_says_more(tmp_path: Path) -> None:
    rows = [charge(i, "false" if i == 2 else "true", "Failed" if i == 5 else "Paid") for i in range(1, 9)]
    (doubt,) = look(tmp_path, STRIPE, *rows).doubts
    assert "'Captured' says of 1 row, 20.00 that they are no sales ('false'), and they count" in doubt


SAP = "VBELN,VBTYP,ERDAT,KUNNR,NETWR,WAERK"


def document(number: int, kind: str, amount: str) -> str:
    return f"00000{number},{kind},2024-03-{number:02d},C{number % 2},{amount},EUR"


@pytest.mark.parametrize("kind", ["H", "K"])
def test_returns_above_zero_are_asked_about(tmp_path: Path, kind: str) -> None:
    seen = look(tmp_path, SAP, document(1, "C", "100.00"), document(2, kind, "100.00"), document(3, "C", "50.00"))
    (doubt,) = seen.doubts
    assert f"'{kind}' (1 row, 100.00)" in doubt
    assert kept(seen) == (2, Decimal(150), ["Status"])


def test_returns_below_zero_are_taken_off(tmp_path: Path) -> None:
    seen = look(tmp_path, SAP, document(1, "C", "100.00"), document(2, "H", "-100.00"), document(3, "C", "50.00"))
    assert seen.doubts == ()
    assert kept(seen)[1:] == (Decimal(50), [])


GA4 = "event_date,event_timestamp,event_name,user_pseudo_id,ecommerce.transaction_id,ecommerce.purchase_revenue,ecommerce.refund_value"


def event(number: int, name: str, order: str, revenue: str = "30.00", back: str = "") -> str:
    return f"202403{number:02d},17099933{number:02d}000000,{name},9{number % 4}.1,{order},{revenue},{back}"


def test_a_purchase_that_is_sent_again_is_asked_about(tmp_path: Path) -> None:
    seen = look(tmp_path, GA4, *(event(i, "purchase", "T1" if i == 5 else f"T{i}") for i in range(1, 9)))
    (doubt,) = [doubt for doubt in seen.doubts if "again" in doubt]
    assert doubt.startswith("1 row, 30.00 repeat the 'ecommerce.transaction_id' of another, with the same values")
    once = look(tmp_path, GA4, *(event(i, "purchase", "(not set)" if i < 3 else f"T{i}") for i in range(1, 9)))
    assert once.doubts == ()


def test_an_event_that_takes_a_purchase_back_is_asked_about(tmp_path: Path) -> None:
    rows = [*(event(i, "purchase", f"T{i}") for i in range(1, 9)), event(9, "refund", "T2", "", "30.00")]
    (doubt,) = look(tmp_path, GA4, *rows).doubts
    assert "'refund' (1 row, 0.00), with 30.00 paid back" in doubt

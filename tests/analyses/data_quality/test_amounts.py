"""Amounts add up to the last digit, on both engines."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlab.analyses.data_quality.reductions import amounts
from crmlab.history.customers import customer_summary
from crmlab.history.orders import as_orders, between
from tests.frames import orders

HISTORY = orders(
    ("a", "2024-01-01", "10.01"), ("a", "2024-01-01", "-0.0001"), ("a", "2024-01-05", "-4.5"), ("a", "2024-02-01", "0.1"),
    ("b", "2024-01-02", "-3"), ("b", "2024-01-09", "-2.2"), ("c", "2024-01-03", "7"), ("c", "2024-01-03", "-7"), ("d", "2024-03-01", "5"),
)  # fmt: skip


def only(table):
    return table.to_pyarrow().to_pylist()[0]


def test_amounts_by_part():
    assert only(amounts(HISTORY)) == {
        "occasions": 3,
        "spend": Decimal("15.1099"),
        "back_days": 1,
        "returned": Decimal("-4.5"),
        "without": 2,
        "without_days": 3,
        "without_amount": Decimal("-5.2"),
    }


def test_amounts_up_to_a_day():
    found = only(amounts(between(as_orders(HISTORY), None, dt.date(2024, 1, 4))))
    assert (found["occasions"], found["spend"]) == (1, Decimal("10.0099"))
    assert (found["back_days"], found["returned"]) == (0, None)
    assert (found["without"], found["without_amount"]) == (2, Decimal("-3"))


rows = st.tuples(
    st.sampled_from("abcd"), st.integers(1, 9), st.decimals(-50, 50, places=4, allow_nan=False, allow_infinity=False)
)


@pytest.mark.proof
@settings(deadline=None, max_examples=30)
@given(st.lists(rows, min_size=1, max_size=30))
def test_parts_add_up_to_everything_and_agree_with_the_summary(values):
    history = orders(*((who, f"2024-01-{day:02}", amount) for who, day, amount in values))
    found = only(amounts(history))
    parts = [found[name] or Decimal(0) for name in ("spend", "returned", "without_amount")]
    assert sum(parts) == sum((amount for *_, amount in values), Decimal(0))
    summary = customer_summary(history).to_pandas()
    assert summary["occasions"].sum() == found["occasions"]
    assert summary["returned"].sum() == pytest.approx(float(parts[1]))
    assert len(summary) + found["without"] == history["customer_id"].nunique()


@pytest.mark.spark
def test_amounts_on_both_engines(both):
    one, other = both(lambda history: amounts(between(history, None, dt.date(2024, 2, 1))), history=HISTORY)
    assert one.astype(str).to_dict("list") == other.astype(str).to_dict("list")

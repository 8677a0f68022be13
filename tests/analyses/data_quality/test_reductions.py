"""Every rule, where it fires and where it does not; what became of the largest orders; all on both engines."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import ibis
import pandas as pd
import pyarrow as pa
import pytest

from crmlab.analyses.data_quality.reductions import RULES, largest_orders, without_occasion
from crmlab.history.orders import daily
from tests.frames import TYPES, Tables, lines, orders, receipts

NAMED = {rule.name: rule for rule in RULES}

MAY, JUNE = dt.date(2024, 5, 1), dt.date(2024, 6, 1)

CLEAN = {
    "order_lines": lines(
        ("1", "a", "2024-01-01 10:00", "p", 1, 10), ("1", "a", "2024-01-01 10:00", "q", 2, 8),
        ("2", "b", "2024-01-02", "p", 1, 10), ("3", "b", "2024-01-09", "p", -1, -10), ("4", "a", "2024-02-01", "p", 2, 20),
        ("5", "a", "2024-02-03", "p", 1, 10), ("6", "a", "2024-02-04", "p", 1, 10),
    ),
    "orders": receipts(
        ("1", "a", "2024-01-01 10:00", 18), ("2", "b", "2024-01-02", 10), ("3", "b", "2024-01-09", -10),
        ("4", "a", "2024-02-01", 20), ("5", "a", "2024-02-03", 10), ("6", "a", "2024-02-04", 10),
    ),
    "products": pd.DataFrame({"product_id": ["p", "q"], "name": ["Plate", "Cup"]}),
    "customers": pd.DataFrame({"customer_id": ["a", "b"], "acquired_at": [dt.date(2023, 12, 1), dt.date(2024, 1, 2)]}),
    "cells": pd.DataFrame({"campaign_id": ["m", "m"], "cell_id": ["k", "0"], "control_cell_id": ["0", None], "response_code": ["K", None]}),
    "contacts": pd.DataFrame({"customer_id": ["a", "b"], "cell_id": ["k", "0"], "contacted_at": ["2024-01-05", "2024-01-05"]}),
    "responses": pd.DataFrame({"customer_id": ["a"], "responded_at": ["2024-01-06"], "kind": ["click"], "response_code": ["K"]}),
    "contracts": pd.DataFrame(
        [("k1", "a", dt.date(2024, 1, 1), dt.date(2024, 1, 31), Decimal(9), "basic", None), ("k1", "a", dt.date(2024, 1, 31), None, Decimal(12), "plus", None),
         ("k2", "b", dt.date(2024, 1, 5), None, Decimal(9), "basic", dt.date(2024, 1, 11))],
        columns=["contract_id", "customer_id", "started_at", "ended_at", "price", "plan", "trial_until"],
    ),
}  # fmt: skip


def with_lines(*rows):
    return {"order_lines": pd.concat([CLEAN["order_lines"], lines(*rows)], ignore_index=True)}


def with_orders(*rows):
    return {"orders": pd.concat([CLEAN["orders"], receipts(*rows)], ignore_index=True)}


def with_rows(table, *rows):
    return {table: pd.concat([CLEAN[table], pd.DataFrame(rows, columns=CLEAN[table].columns)], ignore_index=True)}


# rule → (what is added to clean tables, number broken, number looked at, first id among the examples)
BROKEN = {
    "Duplicates": (with_lines(*[("1", "a", "2024-01-01 10:00", "p", 1, 10)] * 2), 2, 9, "1"),
    "Repeated orders": (with_orders(("7", "a", "2024-02-03", 10)), 1, 7, "a"),
    "One row per order": (with_orders(("5", "a", "2024-02-05", 1)), 1, 7, "5"),
    "One time per order": (with_lines(("1", "a", "2024-01-01 10:01", "r", 1, 1)), 1, 6, "1"),
    "One customer per order": (with_orders(("1", "b", "2024-01-01 10:00", 5)), 1, 6, "1"),
    "One amount": (
        with_orders(*((str(k), "z", "2024-02-01", 5) for k in range(100, 130)), ("big", "z", "2024-02-05", 9_000_000)), 1, 37, "big",
    ),
    "Amounts": (
        {"orders": receipts(*((str(k), "a", "2024-02-01", 0) for k in range(100, 130)))}, 30, 30, "100",
    ),
    "Closed days": (with_orders(("7", "a", "2024-12-25", 5), ("8", "a", "2023-12-25", -5)), 1, 8, "7"),
    "Possible dates": (with_orders(("0", "a", "1970-01-01", 5)), 1, 7, "0"),
    "Signs agree": (with_lines(("7", "a", "2024-02-05", "q", -1, 3), ("7", "a", "2024-02-05", "q", 1, -3)), 2, 9, "7"),
    "Quantity": (with_lines(("7", "a", "2024-02-05", "q", 0, 3)), 1, 8, "7"),
    "Free lines": (with_lines(("7", "a", "2024-02-05", "q", 1, 0)), 1, 8, "7"),
    "Usual prices": (
        with_lines(("7", "a", "2024-02-05", "p", 1, "100.01"), ("8", "a", "2024-02-05", "p", 2, "1.98")), 2, 9, "7",
    ),
    "Returns": (
        with_lines(("7", "a", "2023-12-31", "p", -1, -10), ("8", "b", "2024-02-05", "q", -1, -4)), 2, 3, "7",
    ),
    "Customers who bought": (with_orders(("7", "c", "2024-02-05", -4)), 1, 3, "c"),
    "Names": ({"products": pd.DataFrame({"product_id": ["p", "q", "r"], "name": ["Plate", None, "Pot"]})}, 1, 3, "q"),
    "Known products": (with_lines(*[("7", "a", "2024-02-05", "z", n, 3) for n in (1, 2)]), 1, 3, "z"),
    "Known customers": (with_orders(*[(n, "z", "2024-02-05", 3 + int(n)) for n in "78"]), 1, 3, "z"),
    "Won before bought": (
        {"customers": CLEAN["customers"].assign(acquired_at=[dt.date(2024, 1, 2), None])}, 1, 1, "a",
    ),
    "Sums agree": ({"orders": CLEAN["orders"].assign(amount=[18, 10, -10, 20, 10, "10.01"]).pipe(
        lambda frame: receipts(*frame.itertuples(index=False)))}, 1, 6, "6"),
    "Orders counted once": (with_orders(*[("5", "a", "2024-02-03", 10)] * 2), 2, 8, "5"),
    "Lines counted once": (
        with_lines(("1", "a", "2024-01-01 10:00", "p", 1, 10), ("1", "a", "2024-01-01 10:00", "q", 2, 8)), 1, 6, "1",
    ),
    "Contacts counted once": (with_rows("contacts", ("a", "k", "2024-01-05")), 1, 3, "a"),
    "Responses counted once": (with_rows("responses", ("a", "2024-01-06", "click", "K")), 1, 2, "a"),
    "Whole order ids": (with_orders(("4.91765E+12", "a", "2024-02-05", 7)), 1, 7, "4.91765E+12"),
    "Whole customer ids": (with_orders(("7", "4,9e+15", "2024-02-05", 7)), 1, 7, "4,9e+15"),
    "Whole product ids": (with_lines(*[("7", "a", "2024-02-05", f"40063813339{n}0000", 1, n) for n in range(10, 16)]), 6, 13,
        "40063813339100000"),
    "One spelling of customer ids": (with_orders(("7", "\u00a0A", "2024-02-05", 7)), 1, 7, "'\u00a0A' beside 'a'"),
    "One spelling of product ids": (with_lines(*[(n, "a", "2024-02-05", "P ", 1, 10) for n in "78"]), 2, 9, "'P ' beside 'p'"),
    "Customers of usual size": (
        with_orders(*[(f"z{n}", "z", pd.Timestamp("2024-03-01") + pd.Timedelta(days=n), 3) for n in range(100)]), 100, 106, "z0",
    ),
    "Contacted customers": (with_rows("contacts", ("z", "k", "2024-01-05"), ("z", "0", "2024-01-06")), 1, 3, "z"),
    "Responding customers": (with_rows("responses", ("z", "2024-01-06", "visit", "K")), 1, 2, "z"),
    "Known cells": (with_rows("contacts", ("a", "x", "2024-01-05")), 1, 3, "x"),
    "One cell per customer": (with_rows("contacts", ("a", "0", "2024-01-05"), ("a", "x", "2024-01-05")), 1, 2, "m"),
    "Known codes": (with_rows("responses", ("b", "2024-01-06", "click", "k"), ("b", "2024-01-06", "click", None)), 1, 2, "k"),
    "Lines of known orders": (with_lines(("99", "a", "2024-02-05", "p", 1, 10)), 1, 7, "99"),
    "Contracts counted once": (with_rows("contracts", *[("k3", "b", JUNE, None, Decimal(3), "extra", None)] * 3), 2, 6, "k3"),
    "Contracts end after they start": (
        with_rows("contracts", ("k3", "b", JUNE, MAY, Decimal(9), "basic", None), ("k4", "a", JUNE, JUNE, Decimal(0), "day pass", None)), 1, 5, "k3",
    ),
    "One price at a time": (with_rows("contracts", ("k2", "b", JUNE, None, Decimal(12), "plus", None)), 1, 4, "k2"),
    "One contract for a plan": (
        with_rows("contracts", ("k3", "b", MAY, JUNE, Decimal(9), "basic", None), ("k4", "b", MAY, None, Decimal(9), "extra", None)), 1, 5, "k3",
    ),
    "Trials lie in their contracts": (with_rows("contracts", ("k3", "b", JUNE, None, Decimal(9), "extra", MAY)), 1, 4, "k3"),
    "Subscribing customers": (with_rows("contracts", ("k3", "z", JUNE, None, Decimal(9), "basic", None)), 1, 3, "z"),
    "Contacts who order": ({"contacts": CLEAN["contacts"].assign(customer_id=["y", "z"])}, 2, 2, "y"),
}  # fmt: skip


def arrow(frame):
    """The frame with canonical types."""
    schema = pa.schema([(column, TYPES.get(column, pa.string())) for column in frame.columns])
    return pa.Table.from_pandas(frame, schema=schema, preserve_index=False)


def tables(**frames):
    return Tables(**{name: ibis.memtable(arrow(frame)) for name, frame in frames.items()})


def test_every_rule_has_a_case():
    assert set(BROKEN) == set(NAMED)
    assert len(NAMED) == len(RULES)


@pytest.mark.parametrize("name", BROKEN)
def test_rule_keeps_still_on_clean_tables(name):
    check = NAMED[name].check(tables(**CLEAN))
    assert check.broken == 0
    assert check.examples == ()
    assert check.share == 0
    assert check.checked > 0


@pytest.mark.parametrize("name", BROKEN)
def test_rule_fires(name):
    change, broken, checked, first = BROKEN[name]
    check = NAMED[name].check(tables(**{**CLEAN, **change}))
    assert (check.broken, check.checked) == (broken, checked)
    assert check.share == pytest.approx(broken / checked)
    assert 1 <= len(check.examples) <= 3
    assert next(iter(check.examples[0].values())) == first


@pytest.mark.parametrize("name", BROKEN)
def test_rule_is_skipped_without_its_tables(name):
    for missing in NAMED[name].needs:
        rest = {table: frame for table, frame in CLEAN.items() if table != missing}
        assert NAMED[name].check(tables(**rest)) is None


def test_rule_won_before_bought_needs_the_day():
    frames = {**CLEAN, "customers": CLEAN["customers"][["customer_id"]]}
    assert NAMED["Won before bought"].check(tables(**frames)) is None


def test_rule_usual_prices_needs_enough_lines():
    few = lines(*[(str(n), "a", "2024-01-01", "p", 1, price) for n, price in enumerate((1, 1, 1, 99))])
    assert NAMED["Usual prices"].check(tables(order_lines=few)).broken == 0


def test_rule_returns_on_the_moment_of_purchase_count_as_bought():
    both_at_once = lines(("1", "a", "2024-01-01", "p", 1, 5), ("2", "a", "2024-01-01", "p", -1, -5))
    assert NAMED["Returns"].check(tables(order_lines=both_at_once)).broken == 0


def test_rule_examples_are_at_most_three_and_ordered():
    many = lines(*[(str(n), "a", "2024-01-01", "p", 0, 1) for n in (5, 3, 9, 1, 7)])
    assert [row["order_id"] for row in NAMED["Quantity"].check(tables(order_lines=many)).examples] == ["1", "3", "5"]


def test_without_occasion_tells_what_they_add_up_to():
    frame = orders(
        ("a", "2024-01-01", 5),
        ("b", "2024-01-01", -2),
        ("b", "2024-01-05", "-0.5"),
        ("c", "2024-01-01", 3),
        ("c", "2024-01-01", -3),
    )
    found = without_occasion(ibis.memtable(frame)).order_by("customer_id").to_pandas()
    assert [(row.customer_id, float(row.amount)) for row in found.itertuples()] == [("b", -2.5), ("c", 0.0)]


def test_daily_counts_days_with_orders():
    found = daily(ibis.memtable(CLEAN["orders"])).to_pandas()
    assert found["orders"].tolist() == [1] * 6
    assert found["amount"].tolist() == [18.0, 10.0, -10.0, 20.0, 10.0, 10.0]


# The largest orders


def cancelled(*rows, n=5, order_lines=None):
    """{order: was it cancelled} of the largest orders."""
    found = largest_orders(ibis.memtable(receipts(*rows)), n, order_lines).to_pandas()
    return dict(zip(found["order_id"], found["cancelled"], strict=True))


def test_largest_cancelled_later_or_at_the_same_time():
    assert cancelled(("1", "a", "2024-01-01", 9), ("2", "a", "2024-01-05", -9)) == {"1": True}
    assert cancelled(("1", "a", "2024-01-01", 9), ("2", "a", "2024-01-01", -9)) == {"1": True}


def test_largest_not_cancelled_by_what_came_before():
    assert cancelled(("1", "a", "2024-01-02", 9), ("2", "a", "2024-01-01", -9)) == {"1": False}


def test_largest_not_cancelled_by_someone_else_or_another_amount():
    assert cancelled(("1", "a", "2024-01-01", 9), ("2", "b", "2024-01-05", -9)) == {"1": False}
    assert cancelled(("1", "a", "2024-01-01", 9), ("2", "a", "2024-01-05", "-8.99")) == {"1": False}


def test_largest_one_cancellation_cancels_one_order():
    # The later of two equal orders: what is cancelled is what was just bought.
    rows = [("1", "a", "2024-01-01", 9), ("2", "a", "2024-01-03", 9), ("3", "a", "2024-01-04", -9)]
    assert cancelled(*rows) == {"1": False, "2": True}
    assert cancelled(*rows, ("4", "a", "2024-01-05", -9)) == {"1": True, "2": True}
    again = [("1", "a", "2024-01-01", 9), ("2", "a", "2024-01-02", -9), ("3", "a", "2024-01-03", 9)]
    assert cancelled(*again) == {"1": True, "3": False}


def test_largest_beyond_the_number_asked():
    rows = [("1", "a", "2024-01-01", 9), ("2", "a", "2024-01-02", 9), ("3", "b", "2024-01-03", 9), ("4", "b", "2024-01-03", 1)]
    assert list(cancelled(*rows, n=2)) == ["1", "2"]
    assert list(cancelled(*rows, n=9)) == ["1", "2", "3", "4"]
    assert cancelled(("1", "a", "2024-01-01", -9)) == {}


def test_largest_in_parts():
    sold = lines(
        ("1", "a", "2024-01-02", "p", 10, 100), ("1", "a", "2024-01-02", "q", 1, 20),
        ("0", "a", "2024-01-01", "p", -1, -10),  # came back before
        ("2", "a", "2024-01-05", "p", -3, -30), ("3", "a", "2024-01-06", "p", -1, -10),
        ("4", "a", "2024-01-07", "q", -5, -100),  # more than was bought then: from other orders
        ("5", "b", "2024-01-05", "p", -2, -20), ("6", "a", "2024-01-09", "r", -1, -7),
    )  # fmt: skip
    frame = receipts(("1", "a", "2024-01-02", 120), ("2", "a", "2024-01-05", -30))
    found = largest_orders(ibis.memtable(frame), 3, ibis.memtable(sold)).to_pandas()
    assert found["returned"].tolist() == [60.0]
    assert not found["cancelled"].any()


def test_largest_without_lines_knows_no_parts():
    assert largest_orders(ibis.memtable(CLEAN["orders"]), 3).to_pandas()["returned"].isna().all()


# Both engines


def _same(one, other):
    assert list(one.columns) == list(other.columns)
    for column in one.columns:
        left, right = one[column], other[column]
        if left.dtype.kind in "iuf" and right.dtype.kind in "iuf":
            assert ((left == right) | (left.isna() & right.isna())).all(), column
        else:
            assert left.astype(str).tolist() == right.astype(str).tolist(), column


@pytest.mark.proof
@pytest.mark.spark
@pytest.mark.parametrize("name", BROKEN)
def test_engines_rule(both, name):
    change, broken, _, _ = BROKEN[name]
    frames = {table: {**CLEAN, **change}[table] for table in NAMED[name].needs}
    one, other = both(lambda **found: NAMED[name].broken(Tables(**found)), **frames)
    assert len(one) >= 1
    assert (one["copies"] - 1).sum() == broken if "copies" in one else len(one) == broken
    _same(one, other)


@pytest.mark.proof
@pytest.mark.spark
def test_engines_rule_check(spark, tmp_path):
    frames = {**CLEAN, **BROKEN["Duplicates"][0]}
    backend = ibis.pyspark.connect(spark)
    found = {}
    for name, frame in frames.items():
        path = tmp_path / f"{name}.parquet"
        pa.parquet.write_table(arrow(frame), path)
        found[name] = backend.read_parquet(str(path))
    for rule in RULES:
        assert rule.check(Tables(**found)) == rule.check(tables(**frames)), rule.name


@pytest.mark.spark
def test_engines_largest_orders(both):
    frame = pd.concat(
        [CLEAN["orders"], receipts(("7", "a", "2024-03-01", -20), ("8", "a", "2024-03-02", 20))], ignore_index=True
    )
    one, other = both(
        lambda orders, order_lines: largest_orders(orders, 4, order_lines), orders=frame, order_lines=CLEAN["order_lines"]
    )
    assert one["cancelled"].sum() == 2  # b gave his 10 back in January, a his 20 in March; the 20 after that stands
    _same(one, other)


@pytest.mark.proof
@pytest.mark.spark
def test_engines_daily(both):
    _same(*both(daily, orders=CLEAN["orders"]))


@pytest.mark.proof
@pytest.mark.spark
def test_engines_without_occasion(both):
    one, other = both(without_occasion, orders=BROKEN["Customers who bought"][0]["orders"])
    assert one["customer_id"].tolist() == ["c"]
    _same(one, other)

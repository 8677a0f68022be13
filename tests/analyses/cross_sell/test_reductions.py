"""Who bought what: returns, days, the outcome of a horizon, gaps; no row after the day leaks; the same on DuckDB and Spark."""

from __future__ import annotations

import datetime as dt

import ibis
import pandas as pd
import pytest

from crmlab.analyses.cross_sell.reductions import bought_within, purchases, repurchase_gaps, takings
from crmlab.errors import ParameterError
from tests.frames import lines

DAY = "2024-01-31"
BOOK = lines(
    ("1", "a", "2024-01-01T09:00", "x", 2, 10),
    ("2", "a", "2024-01-01T17:00", "x", 1, 5),  # the same day: once
    ("3", "a", "2024-01-11", "x", 1, 5),
    ("4", "a", "2024-01-15", "x", -1, -5),  # one piece comes back: still owned
    ("5", "b", "2024-01-02", "x", 1, 5),
    ("6", "b", "2024-01-20", "x", -1, -5),  # wholly returned: not owned
    ("7", "b", "2024-01-03", "y", 1.5, 9),  # a fraction
    ("8", "b", "2024-01-31T23:59:59", "y", 0.5, 3),  # the last day counts
    ("9", "c", "2024-01-05", "y", 1, 6),
    ("9", "c", "2024-01-05", "y", -1, -6),  # bought and returned the same day
    ("10", "c", "2024-01-07", "z", -1, -8),  # a return of what was never bought
    ("11", "a", "2024-02-01", "y", 1, 6),
    ("12", "b", "2024-02-07", "x", 1, 5),
    ("13", "c", "2024-02-08", "x", 1, 5),
)


def table(frame=BOOK):
    return ibis.memtable(frame)


def owned(frame=BOOK, as_of=DAY):
    found = purchases(table(frame), as_of).to_pandas()
    return {
        (r.customer_id, r.product_id): (r.days, str(r.first)[:10], str(r.last)[:10], r.quantity) for r in found.itertuples()
    }


def test_purchases_by_hand():
    assert owned() == {
        ("a", "x"): (2, "2024-01-01", "2024-01-11", 3.0),
        ("b", "y"): (2, "2024-01-03", "2024-01-31", 2.0),
    }


def test_a_return_after_the_day_does_not_take_it_away():
    assert ("b", "x") in owned(as_of="2024-01-19") and ("b", "x") not in owned(as_of="2024-01-20")


@pytest.mark.parametrize("reduce", [purchases, repurchase_gaps, takings])
def test_no_row_after_the_day_leaks(reduce):
    before = BOOK[BOOK["ordered_at"] < "2024-02-01"]
    keys = ["product_id"]
    with_future = reduce(table(), DAY).to_pandas()
    without = reduce(table(before), DAY).to_pandas()
    columns = list(with_future.columns)
    assert len(with_future) and keys[0] in columns
    pd.testing.assert_frame_equal(
        with_future.sort_values(columns, ignore_index=True), without.sort_values(columns, ignore_index=True)
    )


def test_outcome_is_of_the_days_after_and_no_others():
    found = bought_within(table(), DAY, 7).to_pandas()
    assert sorted(found.itertuples(index=False, name=None)) == [("a", "y", 1), ("b", "x", 1)]
    after = BOOK[BOOK["ordered_at"] >= "2024-02-01"]
    assert len(bought_within(table(after), DAY, 7).to_pandas()) == 2
    assert len(bought_within(table(), DAY, 8).to_pandas()) == 3


def test_outcome_wants_a_horizon():
    with pytest.raises(ParameterError, match="at least 1"):
        bought_within(table(), DAY, 0)
    with pytest.raises(ParameterError, match="date"):
        purchases(table(), "soon")


def test_gaps_by_hand():
    found = repurchase_gaps(table(), dt.date(2024, 1, 31)).to_pandas()
    rows = {(r.product_id, r.gap, bool(r.ended)): r.n for r in found.itertuples()}
    assert rows == {("x", 10, True): 1, ("x", 20, False): 1, ("y", 28, True): 1, ("y", 0, False): 1}


def test_takings_by_hand():
    found = takings(table(), DAY).to_pandas().set_index("product_id")
    assert found.loc["x", ["amount", "quantity"]].tolist() == [15.0, 3.0]
    assert str(found.loc["x", "last_sold"])[:10] == "2024-01-11"
    assert pd.isna(found.loc["z", "last_sold"])


@pytest.mark.spark
@pytest.mark.parametrize(
    "reduce",
    [
        lambda order_lines: purchases(order_lines, DAY),
        *(
            pytest.param(reduce, marks=pytest.mark.proof)
            for reduce in (
                lambda order_lines: bought_within(order_lines, DAY, 8),
                lambda order_lines: repurchase_gaps(order_lines, DAY),
                lambda order_lines: takings(order_lines, DAY),
            )
        ),
    ],
)
def test_same_on_both_engines(both, reduce):
    duckdb, spark = both(reduce, order_lines=BOOK)
    assert len(duckdb)
    pd.testing.assert_frame_equal(duckdb, spark, check_dtype=False)

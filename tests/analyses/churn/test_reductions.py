"""Snapshots of customers: by hand, on both engines, and deaf to the future."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmlab.analyses.churn.reductions import FEATURES, snapshots, with_breadth, with_model
from crmlab.analyses.customer_value import Choice, Season
from crmlab.data.shop.make import make_shop
from crmlab.errors import ParameterError
from crmlab.history.customers import gaps
from tests.frames import history_of

ROWS = [
    ("a", "2024-01-01", 10.0),
    ("a", "2024-01-11", 30.0),
    ("a", "2024-01-15", -4.0),
    ("a", "2024-02-01", 20.0),
    ("a", "2024-02-20", 5.0),
    ("b", "2024-01-20", 8.0),
    ("b", "2024-01-25", 6.0),
    ("b", "2024-01-25", -6.0),
    ("c", "2024-03-01", 1.0),
    ("d", "2023-06-01", 9.0),
    ("z", "2024-04-30", 1.0),
]
ORDERS = pd.DataFrame(ROWS, columns=["customer_id", "ordered_at", "amount"])


def by_id(table):
    frame = table if isinstance(table, pd.DataFrame) else table.to_pandas()
    return frame.sort_values(["date", "customer_id"], ignore_index=True).set_index("customer_id")


def test_snapshot_by_hand():
    found = by_id(snapshots(ORDERS, ["2024-02-01"], window=20, active_within=30))
    assert found.index.tolist() == ["a", "b"]  # c comes later, d is silent for too long
    a = found.loc["a"]
    expected = {
        "days_since_last": 0, "occasions": 3, "age": 31, "mean_gap": 15.5, "gap_spread": 5.5, "silence": 0.0, "recent": 1,
        "earlier": 2, "trend": -1, "same_season": 0, "total_spend": 60.0, "mean_spend": 20.0, "last_spend": 20.0, "recent_spend": 20.0,
        "returned_share": 4 / 64, "bought": 1, "churned": False,
    }  # fmt: skip
    for name, value in expected.items():
        assert a[name] == pytest.approx(value), name
    b = found.loc["b"]  # the day that came back whole is no occasion
    assert (b["occasions"], b["days_since_last"], b["churned"]) == (1, 12, True)
    assert pd.isna(b["mean_gap"]) and pd.isna(b["gap_spread"]) and pd.isna(b["silence"])


def test_outcome_counts_the_window_and_no_more():
    for window, churned in ((18, True), (19, False)):
        found = by_id(snapshots(ORDERS, ["2024-02-01"], window=window, active_within=30))
        assert bool(found.loc["a", "churned"]) is churned


def test_the_last_day_may_be_one_without_orders():
    found = by_id(snapshots(ORDERS, ["2024-05-10"], window=20, active_within=30, outcome=False, as_of="2024-05-10"))
    assert found["days_since_last"].to_dict() == {"z": 10}
    outcome = by_id(snapshots(ORDERS, ["2024-04-30"], window=20, active_within=30, as_of="2024-05-20"))
    assert outcome["churned"].to_dict() == {"z": True}
    with pytest.raises(ParameterError, match="at the latest 2024-04-29, so that 20 days after it are known"):
        snapshots(ORDERS, ["2024-04-30"], window=20, active_within=30, as_of="2024-05-19")
    earlier = by_id(snapshots(ORDERS, ["2024-02-01"], window=20, active_within=30, as_of="2024-02-21"))
    pd.testing.assert_frame_equal(earlier, by_id(snapshots(ORDERS, ["2024-02-01"], window=20, active_within=30)))


def test_same_season_is_that_of_a_year_ago():
    late = pd.concat([ORDERS, pd.DataFrame({"customer_id": ["d"], "ordered_at": ["2024-05-20"], "amount": [2.0]})])
    found = by_id(snapshots(late, ["2024-05-20"], window=20, active_within=30, outcome=False))
    assert found.loc["d", "same_season"] == 1


@pytest.mark.proof
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("abcdxyz"), st.integers(0, 90), st.integers(-50, 500)), min_size=0, max_size=12))
def test_no_feature_hears_of_what_comes_later(later):
    # What is appended lies after the snapshot's day; the outcome may change, no feature may.
    day = dt.date(2024, 2, 1)
    more = [(who, str(day + dt.timedelta(days=1 + days)), float(amount)) for who, days, amount in later]
    longer = pd.concat([ORDERS, pd.DataFrame(more, columns=ORDERS.columns)]) if more else ORDERS
    # One model for both: which is chosen is a matter of customer_value, whose tests hold that to the day.
    choice = Choice(name="bg_nbd", by="given", ranked=None, untested="", season=Season(by="off", tested=pd.DataFrame()))
    before = by_id(with_model(snapshots(ORDERS, [str(day)], 20, 60).to_pandas(), history_of(ORDERS), 20, choice))
    after = by_id(with_model(snapshots(longer, [str(day)], 20, 60).to_pandas(), history_of(longer), 20, choice))
    known = [name for name in FEATURES if name in before.columns]
    assert "probability_alive" in known
    pd.testing.assert_frame_equal(before[["date", *known]], after[["date", *known]])


def test_breadth_counts_products_and_categories_so_far():
    made = make_shop(150, seed=5, days=300)
    days = ["2025-08-31", "2025-10-31"]
    bought, goods = (as_table(made.tables[t]) for t in ("order_lines", "products"))
    found = by_id(with_breadth(snapshots(made.tables["orders"], days, 30, 120), bought, goods, days))
    lines = made.tables["order_lines"]
    for day in days:
        some = found[found["date"].astype(str).str.startswith(day)]
        known = lines[(lines["ordered_at"] < pd.Timestamp(day) + pd.Timedelta(days=1)) & (lines["quantity"].astype(float) > 0)]
        expected = known.groupby("customer_id")["product_id"].nunique()
        assert (some["products"] == expected.reindex(some.index)).all()
        kinds = known.merge(made.tables["products"], on="product_id").groupby("customer_id")["category"].nunique()
        assert (some["categories"] == kinds.reindex(some.index)).all()


def as_table(frame):
    import ibis

    return ibis.memtable(frame)


@pytest.mark.parametrize(
    ("dates", "window", "within", "said"),
    [
        ([], 20, 30, "at least one day"),
        (["2024-02-02", "2024-02-01"], 20, 30, "in increasing order"),
        (["2023-01-01"], 20, 30, "from 2023-06-01 to 2024-04-30"),
        (["2024-04-20"], 20, 30, "at the latest 2024-04-10, so that 20 days after it are known"),
        (["2024-02-01"], 0, 30, "'window' parameter"),
        (["2024-02-01"], 20, 1.5, "'active_within' parameter"),
    ],
)
def test_snapshots_refuse_what_makes_no_sense(dates, window, within, said):
    with pytest.raises(ParameterError, match=said):
        snapshots(ORDERS, dates, window, within)


def test_gaps_by_hand():
    found = gaps(ORDERS, "2024-03-01").to_pandas().sort_values(["customer_id", "number"])
    a = found[found["customer_id"] == "a"]
    assert a["gap"].tolist() == [10, 21, 19, 10]
    assert a["ended"].tolist() == [True, True, True, False]
    assert found[found["customer_id"] == "b"][["gap", "ended"]].to_numpy().tolist() == [[41, False]]


@pytest.mark.spark
def test_snapshots_and_gaps_on_both_engines(both):
    made = make_shop(120, seed=7, days=260)
    tables = {name: made.tables[name].copy() for name in ("orders", "order_lines", "products")}
    for name, columns in (("orders", ["amount", "return_amount"]), ("order_lines", ["amount", "quantity"])):
        for column in columns:
            tables[name][column] = [Decimal(str(value)) for value in tables[name][column]]
    tables["products"] = tables["products"][["product_id", "category"]]
    days = ["2025-08-31", "2025-10-31"]
    duck, spark = both(
        lambda orders, order_lines, products: with_breadth(snapshots(orders, days, 30, 90), order_lines, products, days),
        **tables,
    )
    assert len(duck) > 50
    pd.testing.assert_frame_equal(duck, spark, check_dtype=False)
    duck, spark = both(lambda orders: gaps(orders, "2025-11-30"), orders=tables["orders"])
    pd.testing.assert_frame_equal(duck, spark, check_dtype=False)
    assert np.isin(duck["ended"], (True, False)).all()

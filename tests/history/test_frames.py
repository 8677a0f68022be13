"""Every public function that takes a table takes pandas, Polars, PyArrow and Ibis alike, and changes none."""

from __future__ import annotations

import datetime as dt

import ibis
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from crmlab.analyses import campaigns, churn, cross_sell, customer_value, lifecycle, rfm, scorecard
from crmlab.errors import CampaignError, DataError
from crmlab.history import (
    as_lines,
    as_orders,
    between,
    customer_summary,
    daily,
    distinct_states,
    gaps,
    gross_margin,
    history,
    holdout_summary,
    occasion_days,
)
from crmlab.models import itemsets

DRAW = np.random.default_rng(20241231)
N = 400
LINES = pd.DataFrame(
    {
        "order_id": [f"R{i // 2:03}" for i in range(N)],
        "customer_id": np.repeat([f"K{DRAW.integers(40):02}" for _ in range(N // 2)], 2),
        "ordered_at": (
            pd.Timestamp("2023-01-01") + pd.to_timedelta(np.repeat(np.sort(DRAW.integers(0, 700, N // 2)), 2), unit="D")
        ),
        "product_id": [f"P{DRAW.integers(8)}" for _ in range(N)],
        "quantity": DRAW.integers(1, 4, N),
        "amount": DRAW.integers(100, 9000, N) / 100,
    }
)
ORDERS = LINES.groupby(["order_id", "customer_id", "ordered_at"], as_index=False)["amount"].sum()
ORDERS["amount"] = ORDERS["amount"].round(2)
PRODUCTS = pd.DataFrame({"product_id": [f"P{i}" for i in range(8)], "category": list("aabbccdd"), "unit_cost": [0.5] * 8})
PEOPLE = pd.DataFrame({"customer_id": [f"K{i:02}" for i in range(40)], "orders": range(40), "household_id": [None] * 40})
CELLS = pd.DataFrame(
    {
        "campaign_id": "spring",
        "cell_id": ["gift", "none"],
        "control_cell_id": ["none", None],
        "opens_on": [dt.date(2024, 1, 1)] * 2,
    }
)
CONTACTS = pd.DataFrame(
    {"customer_id": ["K01", "K02"], "cell_id": ["gift", "none"], "contacted_at": pd.Timestamp("2024-01-02")}
)
RESPONSES = pd.DataFrame({"customer_id": ["K01", "K03"], "responded_at": pd.Timestamp("2024-01-05"), "kind": "order"})
SEEN = PEOPLE.assign(cell_id=["gift", "none"] * 20, response=[1, 0, 0, 1] * 10)
KINDS = {"pandas": lambda frame: frame, "polars": pl.from_pandas, "lazy": lambda f: pl.from_pandas(f).lazy(),
         "arrow": lambda f: pa.Table.from_pandas(f, preserve_index=False), "ibis": ibis.memtable}  # fmt: skip


def summary():
    return customer_summary(ORDERS).order_by("customer_id").to_pandas()


LIMITS = lifecycle.Thresholds(30, 60, 120)
# What is asked of tables; the results are compared with those of pandas.
ASKED = {
    "as_orders": lambda of: as_orders(of(ORDERS)).select("customer_id", "ordered_at", "amount"),
    "as_lines": lambda of: as_lines(of(LINES)),
    "between": lambda of: between(of(ORDERS), dt.date(2023, 6, 1), dt.date(2024, 1, 1)),
    "history": lambda of: history(of(ORDERS)),
    "customer_summary": lambda of: customer_summary(of(ORDERS)),
    "daily": lambda of: daily(of(ORDERS)),
    "gaps": lambda of: gaps(of(ORDERS)),
    "occasion_days": lambda of: occasion_days(of(ORDERS)),
    "holdout_summary": lambda of: holdout_summary(of(ORDERS), "2024-01-01"),
    "distinct_states": lambda of: distinct_states(of(summary())),
    "gross_margin": lambda of: gross_margin(of(LINES), of(PRODUCTS)),
    "rfm.score": lambda of: rfm.score(of(summary())),
    "rfm.segmented": lambda of: rfm.segmented(of(summary())),
    "lifecycle.states": lambda of: lifecycle.states(of(ORDERS), None, LIMITS, of(PEOPLE)),
    "lifecycle.spells": lambda of: lifecycle.spells(of(ORDERS), None, LIMITS),
    "lifecycle.transitions": lambda of: lifecycle.transitions(of(ORDERS), ["2023-12-31", "2024-06-30"], LIMITS),
    "lifecycle.cohorts": lambda of: lifecycle.cohorts(of(ORDERS), ["2023-12-31", "2024-06-30"]),
    "lifecycle.thresholds": lambda of: repr(lifecycle.thresholds(of(ORDERS))),
    "churn.snapshots": lambda of: churn.snapshots(of(ORDERS), ["2024-01-01"], window=60, active_within=200),
    "customer_value.last_round": lambda of: customer_value.last_round(of(ORDERS)),
    "customer_value.round_summary": lambda of: customer_value.round_summary(of(ORDERS), 2023),
    "cross_sell.purchases": lambda of: cross_sell.purchases(of(LINES), "2024-06-30"),
    "cross_sell.pair_counts": lambda of: cross_sell.pair_counts(of(LINES)),
    "cross_sell.counted_pairs": lambda of: cross_sell.counted_pairs(of(LINES), level="category", products=of(PRODUCTS)),
    "cross_sell.basket_matrix": lambda of: cross_sell.basket_matrix(of(LINES)).matrix.toarray().tolist(),
    "models.itemsets": lambda of: itemsets(of(pd.DataFrame({"ale": [1, 1, 0], "tea": [1, 0, 1]})), 1),
    "campaigns.assign": lambda of: campaigns.assign(of(PEOPLE), {"gift": 0.5, "none": 0.5}, "spring 2024"),
    "campaigns.pull_list": lambda of: campaigns.pull_list(of(PEOPLE), "orders >= 20").frame,
    "campaigns.check_tables": lambda of: repr(campaigns.check_tables(of(CELLS), of(CONTACTS), of(RESPONSES), of(PEOPLE))),
    "campaigns.check_cells": lambda of: campaigns.check_cells(of(CELLS)),
    "campaigns.match_back": lambda of: campaigns.match_back(of(RESPONSES), of(CONTACTS), of(CELLS), dt.date(2024, 6, 30)),
    "campaigns.cell_statistics": lambda of: repr(campaigns.cell_statistics(of(SEEN), ["response"], rates=["response"])),
    "scorecard.two_periods": lambda of: scorecard.two_periods(
        of(ORDERS), *scorecard.calendar(dt.date(2023, 1, 1), dt.date(2024, 6, 30), "quarter")[-2:], of(LINES)
    ),
}


def plain(found):
    """Rows in one order, as texts."""
    if isinstance(found, ibis.Table):
        found = found.to_pandas()
    if not isinstance(found, pd.DataFrame):
        return found
    return list(found.columns), sorted(
        tuple("" if cell is None or cell != cell else str(cell) for cell in row) for row in found.to_numpy().tolist()
    )


@pytest.mark.parametrize("kind", [name for name in KINDS if name != "pandas"])
@pytest.mark.parametrize("name", ASKED)
def test_results_are_those_of_pandas(name, kind):
    before = [frame.copy() for frame in (ORDERS, LINES, PRODUCTS, PEOPLE)]
    assert plain(ASKED[name](KINDS[kind])) == plain(ASKED[name](KINDS["pandas"]))
    for frame, was in zip((ORDERS, LINES, PRODUCTS, PEOPLE), before, strict=True):
        pd.testing.assert_frame_equal(frame, was)


def test_results_name_the_customers():
    for name in ("customer_summary", "rfm.score", "rfm.segmented", "lifecycle.states", "churn.snapshots", "campaigns.assign"):
        assert "customer_id" in ASKED[name](pl.from_pandas).columns, name


def test_an_index_of_customers_is_a_column_of_customers():
    indexed = ORDERS.set_index("customer_id")
    assert plain(customer_summary(indexed)) == plain(customer_summary(ORDERS))
    scored = rfm.score(summary().set_index("customer_id"))
    assert scored["customer_id"].tolist() == summary()["customer_id"].tolist()
    pulled = campaigns.pull_list(PEOPLE.set_index("customer_id"), "orders >= 20")
    assert pulled.frame["customer_id"].tolist() == PEOPLE["customer_id"].tolist()[20:]
    assert len(campaigns.assign(PEOPLE.set_index("customer_id"), {"gift": 0.5, "none": 0.5}, "spring 2024")) == 40


def test_lines_of_a_frame_are_checked_value_by_value():
    with pytest.raises(DataError, match="order_lines: missing column 'quantity'"):
        cross_sell.purchases(LINES.drop(columns="quantity"), "2024-06-30")
    with pytest.raises(DataError, match="order_lines: .*date.*'soon'"):
        cross_sell.purchases(LINES.assign(ordered_at=["soon", *["2024-01-01"] * (N - 1)]), "2024-06-30")
    with pytest.raises(DataError, match="order_lines must be a table: a frame of pandas"):
        cross_sell.purchases([1], "2024-06-30")
    with pytest.raises(
        DataError, match=r"orders must be a table: a frame of pandas, Polars or PyArrow, or an Ibis table. Got 'list' instead"
    ):
        customer_summary([1])
    with pytest.raises(CampaignError, match="The list: expected a table"):
        campaigns.assign("K01", {"gift": 0.5, "none": 0.5}, "spring 2024")


def test_ids_that_are_numbers_make_baskets():
    numbers = LINES.assign(order_id=LINES.index // 2, customer_id=1, product_id=LINES["product_id"].str[1:].astype(int))
    texts = numbers.astype({"order_id": str, "customer_id": str, "product_id": str})
    found, wanted = cross_sell.basket_matrix(numbers), cross_sell.basket_matrix(texts)
    assert found.items == wanted.items
    assert found.matrix.toarray().tolist() == wanted.matrix.toarray().tolist()

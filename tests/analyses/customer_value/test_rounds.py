"""Customers in yearly rounds, on both engines, and what must not change them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pandas as pd
import pytest

from crmlab.analyses.customer_value.rounds import arrivals, last_round, repeats, round_repeats, round_summary
from crmlab.analyses.customer_value.seasons import spend_ratios
from crmlab.data.shop.donors import make_donors
from crmlab.errors import DataError, ParameterError
from crmlab.history.context import gross_margin

GIFTS = pd.DataFrame(
    [
        ("a", "2019-03-01", 10.0),
        ("a", "2021-01-05", 20.0),
        ("a", "2021-11-30", 5.0),
        ("a", "2022-12-31", 40.0),
        ("b", "2020-06-01", 7.0),
        ("b", "2020-06-01", -7.0),
        ("b", "2021-06-01", 9.0),
        ("c", "2023-02-01", 3.0),
    ],
    columns=["customer_id", "ordered_at", "amount"],
)


def by_id(table):
    return table.to_pandas().sort_values("customer_id").set_index("customer_id")


def test_rounds_by_hand():
    found = by_id(round_summary(GIFTS, 2022))
    assert found.index.tolist() == ["a", "b"]  # c came later; b's first day came back whole, so b came in 2021
    assert found.loc["a", ["frequency", "recency", "periods", "monetary_value"]].tolist() == [2, 3.0, 3.0, 32.5]
    assert found.loc["a", ["occasions", "total_spend", "last_purchases", "last_spend"]].tolist() == [3, 75.0, 1, 40.0]
    assert found.loc["b", ["frequency", "recency", "periods"]].tolist() == [0, 0.0, 1.0]
    assert pd.isna(found.loc["b", "monetary_value"])
    assert found.loc["b", ["last_purchases", "last_spend"]].tolist() == [0, 0.0]


def test_rounds_holdout_by_hand():
    found = by_id(round_summary(GIFTS, 2020, 2023))
    assert found.index.tolist() == ["a"]
    assert found.loc["a", ["frequency", "periods", "holdout_purchases", "holdout_spend", "horizon"]].tolist() == [
        0,
        1,
        2,
        65,
        3,
    ]
    before = round_summary(GIFTS[GIFTS["ordered_at"] < "2021"], 2020).to_pandas()
    pd.testing.assert_frame_equal(found.reset_index()[before.columns], before, check_dtype=False)


def test_rounds_do_not_see_what_comes_later():
    later = pd.concat([GIFTS, pd.DataFrame({"customer_id": ["a", "z"], "ordered_at": ["2023-01-01"] * 2, "amount": [1e6] * 2})])
    pd.testing.assert_frame_equal(by_id(round_summary(later, 2022)), by_id(round_summary(GIFTS, 2022)))


def test_last_round_is_whole():
    assert last_round(GIFTS) == 2022  # the last order is in February 2023
    assert last_round(GIFTS, "2022-12-31") == 2022
    assert last_round(GIFTS, "2022-12-30") == 2021
    ends = GIFTS[GIFTS["ordered_at"] <= "2021-12-31"]
    assert last_round(pd.concat([ends, ends.tail(1).assign(ordered_at="2021-12-20")])) == 2021


def test_round_repeats_by_hand():
    assert round_repeats(GIFTS, 2020, 2023).to_pandas().to_numpy().tolist() == [[2021, 1], [2022, 1]]
    assert round_repeats(GIFTS, 2019, 2021).to_pandas().to_numpy().tolist() == [[2021, 1]]


def test_rounds_refuse_what_makes_no_sense():
    with pytest.raises(ParameterError, match="The 'until' parameter of round_summary must be after 2022. Got 2022 instead."):
        round_summary(GIFTS, 2022, 2022)
    with pytest.raises(DataError, match="whole year"):
        round_summary(GIFTS, 2018)


def test_repeats_and_arrivals_by_hand():
    assert arrivals(GIFTS, "2021-12-31").to_pandas()["customers"].tolist() == [1, 1]
    found = repeats(GIFTS, "2020-12-31", "2022-12-30").to_pandas()
    assert found["purchases"].tolist() == [1, 1]
    assert found["day"].astype(str).tolist() == ["2021-01-05", "2021-11-30"]
    assert repeats(GIFTS, "2021-12-31").to_pandas()["purchases"].sum() == 3


def test_donors_are_in_rounds_as_they_were_drawn():
    made = make_donors(300, seed=3, years=7)
    found = by_id(round_summary(made.tables["orders"], 2025))
    truth = made.truth.set_index("customer_id")
    assert (2025 - found["periods"] == truth["first_year"]).all()
    gone = truth["left"].notna()
    last = 2025 - found["periods"] + found["recency"]
    assert (last[gone] < truth["left"][gone].astype(float)).all()
    assert made.tables["orders"]["ordered_at"].max() == pd.Timestamp("2025-12-31 12:00")
    again = make_donors(300, seed=3, years=7)
    pd.testing.assert_frame_equal(made.tables["orders"], again.tables["orders"])
    assert not make_donors(300, seed=4, years=7).truth.equals(made.truth)


def test_donors_refuse_what_makes_no_sense():
    with pytest.raises(
        ParameterError, match="The 'years' parameter of donors must be a whole number of at least 3. Got 2 instead."
    ):
        make_donors(10, years=2)


ON_BOTH_ENGINES = (
    lambda orders: round_summary(orders, 2024, 2025),
    lambda orders: round_summary(orders, 2025),
    lambda orders: round_repeats(orders, 2023, 2025),
    lambda orders: repeats(orders, "2023-12-31", "2025-06-30"),
    lambda orders: arrivals(orders, "2024-06-30"),
    lambda orders: spend_ratios(orders, dt.date(2024, 6, 30)),
)


@pytest.mark.spark
@pytest.mark.parametrize(
    "reduce", [ON_BOTH_ENGINES[0], *(pytest.param(one, marks=pytest.mark.proof) for one in ON_BOTH_ENGINES[1:])]
)
def test_rounds_and_repeats_on_both_engines(both, reduce):
    orders = make_donors(120, seed=2, years=5).tables["orders"]
    orders["amount"] = [Decimal(f"{amount:.2f}") for amount in orders["amount"]]
    duck, spark = both(reduce, orders=orders)
    pd.testing.assert_frame_equal(duck, spark, check_dtype=False)


def lines(costs):
    sold = pd.DataFrame(
        {
            "order_id": ["1", "2", "3"], "customer_id": ["a"] * 3, "ordered_at": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-02-01"]),
            "product_id": ["p", "q", "p"], "quantity": [2.0, 1.0, -1.0], "amount": [20.0, 30.0, -10.0],
        }
    )  # fmt: skip
    return sold, pd.DataFrame({"product_id": ["p", "q"], "name": ["P", "Q"], "unit_cost": costs})


def test_gross_margin_by_hand():
    import ibis

    sold, products = (ibis.memtable(frame) for frame in lines([4.0, 15.0]))
    assert gross_margin(sold, products) == pytest.approx((1 - (4 + 15) / 40, 1.0))
    assert gross_margin(sold, products, pd.Timestamp("2024-01-31").date()) == pytest.approx((1 - 23 / 50, 1.0))
    some = ibis.memtable(lines([4.0, None])[1])
    assert gross_margin(sold, some) == pytest.approx((1 - 4 / 10, 10 / 40))
    assert gross_margin(sold, products.drop("unit_cost")) is None
    assert gross_margin(sold, ibis.memtable(lines([None, None])[1], schema=products.schema())) is None

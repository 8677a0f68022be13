"""Outcomes in the window and before it, and their moments in one pass: by hand, against numpy, on both engines, without losing digits."""

import datetime as dt
from decimal import Decimal

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from crmlab.analyses.campaigns.moments import cell_cubes, cell_moments, cell_statistics, first_days, state_moments
from crmlab.analyses.campaigns.reductions import assigned, outcomes, windows
from crmlab.models.testing.cells import CellStatistics

AS_OF = dt.date(2024, 6, 30)


def money(values):
    return [Decimal(str(value)) for value in values]


def orders(*rows):
    frame = pd.DataFrame(rows, columns=["customer_id", "ordered_at", "amount"])
    return ibis.memtable(
        pa.table(
            {
                "customer_id": frame["customer_id"].tolist(),
                "ordered_at": pa.array(pd.to_datetime(frame["ordered_at"], format="ISO8601"), pa.timestamp("us")),
                "amount": pa.array(money(frame["amount"]), pa.decimal128(18, 4)),
            }
        )
    )


def contacts(*rows):
    frame = pd.DataFrame(rows, columns=["customer_id", "cell_id", "contacted_at", "household_id"])
    return ibis.memtable(
        pa.table(
            {
                **{
                    name: pa.array(frame[name], pa.string(), from_pandas=True)
                    for name in ("customer_id", "cell_id", "household_id")
                },
                "contacted_at": pa.array(pd.to_datetime(frame["contacted_at"]), pa.timestamp("us")),
            }
        )
    )


CELLS = pd.DataFrame({"cell_id": ["0", "1"], "opens_on": ["2024-05-01"] * 2, "closes_on": ["2024-05-28"] * 2})
CONTACTS = contacts(
    ("ann", "1", "2024-05-01 06:00", "h1"), ("bob", "0", "2024-05-01 06:00", None), ("ann", "0", "2024-05-02 06:00", "h1")
)


def by_customer(table):
    return table.to_pandas().set_index("customer_id")


def test_assigned_is_the_first_contact_whatever_the_order_of_rows():
    once = by_customer(assigned(CONTACTS, ["0", "1"], AS_OF))
    assert once["cell_id"].to_dict() == {"ann": "1", "bob": "0"}
    assert once["unit"].to_dict() == {"ann": "h:h1", "bob": "c:bob"}
    tie = contacts(("ann", "1", "2024-05-01 06:00", None), ("ann", "0", "2024-05-01 06:00", None))
    assert by_customer(assigned(tie, ["0", "1"], AS_OF))["cell_id"].to_dict() == {"ann": "0"}


def test_assigned_knows_no_contact_after_as_of_and_no_other_campaign():
    assert assigned(CONTACTS, ["0", "1"], dt.date(2024, 4, 30)).count().execute() == 0
    assert sorted(by_customer(assigned(CONTACTS, ["0"], AS_OF)).index) == ["ann", "bob"]


def test_windows_end_with_the_history_and_begin_with_the_first_contact():
    days = windows(CELLS[["cell_id"]], dt.date(2024, 5, 3), AS_OF)
    assert days["opens"].tolist() == [dt.date(2024, 5, 3)] * 2
    assert days["last"].tolist() == [AS_OF] * 2
    early = windows(CELLS, dt.date(2024, 5, 3), dt.date(2024, 5, 10))
    assert early["is_open"].all()
    assert early["last"].tolist() == [dt.date(2024, 5, 10)] * 2


def some_outcomes(*rows, **options):
    who = assigned(CONTACTS, ["0", "1"], AS_OF)
    return outcomes(who, windows(CELLS, dt.date(2024, 5, 1), AS_OF), orders(*rows), **options)


def test_outcomes_by_hand():
    table = by_customer(
        some_outcomes(
            ("ann", "2024-05-28 23:59", 30),  # the last day of the window
            ("ann", "2024-05-10", -10),  # a return
            ("ann", "2024-05-29", 500),  # after it
            ("ann", "2024-04-30 23:59", 7),  # before it, recent
            ("ann", "2023-05-02", 5),  # 365 days before
            ("ann", "2023-05-01", 1000),  # 366 days before
            ("cy", "2024-05-02", 99),  # nobody of the campaign
            margin=0.5,
        )
    )
    ann, bob = table.loc["ann"], table.loc["bob"]
    assert (ann["response"], ann["spend"], ann["margin"]) == (1, Decimal(20), Decimal(10))
    assert (ann["before"], ann["orders_before"], ann["recent"], ann["ever"]) == (Decimal(12), 2, 1, 1)
    assert str(ann["first_day"])[:10] == "2024-05-28"
    assert (bob["response"], bob["spend"], bob["before"], bob["ever"]) == (0, Decimal(0), Decimal(0), 0)
    assert len(table) == 2


def test_outcomes_do_not_change_with_orders_after_as_of():
    days = windows(CELLS, dt.date(2024, 5, 1), dt.date(2024, 5, 10))
    who = assigned(CONTACTS, ["0", "1"], dt.date(2024, 5, 10))
    rows = [("ann", "2024-05-05", 30)]
    now = by_customer(outcomes(who, days, orders(*rows)))
    later = by_customer(outcomes(who, days, orders(*rows, ("ann", "2024-05-11", 99), ("bob", "2024-05-12", 99))))
    pd.testing.assert_frame_equal(now.sort_index(), later.sort_index())


def test_outcomes_take_margin_from_unit_costs_and_the_share_where_none_is_known():
    lines = ibis.memtable(
        pa.table(
            {
                "customer_id": ["ann", "ann"],
                "ordered_at": pa.array(pd.to_datetime(["2024-05-05"] * 2), pa.timestamp("us")),
                "product_id": ["x", "y"],
                "quantity": pa.array(money([2, 1]), pa.decimal128(18, 4)),
                "amount": pa.array(money([20, 10]), pa.decimal128(18, 4)),
            }
        )
    )
    costs = pa.array([Decimal(3), None], pa.decimal128(18, 4))
    products = ibis.memtable(pa.table({"product_id": ["x", "y"], "unit_cost": costs}))
    table = by_customer(some_outcomes(("ann", "2024-05-05", 30), margin=0.25, order_lines=lines, products=products))
    assert table.loc["ann", "margin"] == Decimal("16.5")  # 20 - 2 × 3, and a quarter of 10
    assert table.loc["bob", "margin"] == 0


def random_rows(n=400, seed=1, homes=None):
    rng = np.random.default_rng(seed)
    spend = np.where(rng.random(n) < 0.3, np.round(rng.gamma(2, 30, n), 2), 0)
    return pd.DataFrame(
        {
            "cell_id": rng.choice(["a", "b", "c"], n),
            "unit": [f"h{k}" for k in (rng.integers(0, homes, n) if homes else range(n))],
            "response": (spend > 0).astype(int),
            "spend": spend,
            "before": np.round(rng.gamma(1, 100, n), 2),
        }
    )


def as_table(frame):
    kinds = {"spend": pa.decimal128(18, 4), "before": pa.decimal128(18, 4), "response": pa.int32()}
    columns = {
        name: pa.array(
            money(frame[name]) if name in ("spend", "before") else frame[name].tolist(), kinds.get(name, pa.string())
        )
        for name in frame.columns
    }
    return ibis.memtable(pa.table(columns))


@pytest.mark.parametrize("homes", [None, 150])
def test_cell_statistics_are_those_of_every_value(homes):
    frame = random_rows(homes=homes)
    found = cell_statistics(
        as_table(frame), ["response", "spend"], covariates=["before"], rates=["response"], household="unit" if homes else None
    )
    for name, rows in frame.groupby("cell_id"):
        values = {metric: rows[metric].to_numpy(dtype=float) for metric in ("response", "spend", "before")}
        expected = CellStatistics.from_values(values, rates=["response"], households=rows["unit"] if homes else None)
        got = found[name]
        assert (got.n, got.clusters) == (expected.n, expected.clusters)
        np.testing.assert_allclose(got.means, expected.means, rtol=1e-12)
        known = np.isfinite(got.scatter)
        np.testing.assert_allclose(got.scatter[known], expected.scatter[known], rtol=1e-9)
        assert known[0, 2]
        assert known[1, 2]
        assert known.diagonal().all()
        if not homes:
            np.testing.assert_allclose(got.thirds[:2], expected.thirds[:2], rtol=1e-8)  # of covariates nobody asks


def test_households_of_one_are_customers():
    lone = cell_statistics(as_table(random_rows()), ["spend"], household="unit")
    assert all(cell.clusters is None for cell in lone.values())


def test_cell_statistics_lose_no_digits_beside_a_large_mean():
    # Sums of squares of floats would be left with nothing: 1e22 against a variance of 1e-4.
    values = [1e10 + 0.01 * (k % 3) for k in range(300)]
    frame = pd.DataFrame({"cell_id": "a", "spend": [f"{value:.2f}" for value in values]})
    found = cell_statistics(as_table(frame), ["spend"])["a"]
    assert found.variance("spend") == pytest.approx(np.var([0.0, 0.01, 0.02] * 100, ddof=1), rel=1e-9)


@pytest.mark.parametrize("household", [None, "unit"])
def test_cell_statistics_keep_four_decimals(household):
    values = [0.0001, 12.3457, 99999.9999, 3.0003]  # such as margins from unit costs; their squares have eight
    frame = pd.DataFrame({"cell_id": "a", "unit": ["h1", "h1", "h2", "h3"], "spend": [f"{value:.4f}" for value in values]})
    found = cell_statistics(as_table(frame), ["spend"], household=household)["a"]
    expected = CellStatistics.from_values({"spend": values}, households=frame["unit"] if household else None)
    assert found.variance("spend") == pytest.approx(expected.variance("spend"), rel=1e-12)


def test_cell_moments_are_the_same_whatever_the_order_of_rows():
    frame = random_rows(2000)
    one = cell_statistics(as_table(frame), ["spend"], covariates=["before"])
    two = cell_statistics(as_table(frame[::-1]), ["spend"], covariates=["before"])
    for name in one:
        assert one[name].means.tolist() == two[name].means.tolist()
        np.testing.assert_array_equal(one[name].thirds, two[name].thirds)
        np.testing.assert_array_equal(one[name].scatter, two[name].scatter)


@pytest.mark.parametrize("household", [pytest.param(None, marks=pytest.mark.proof), "unit"])
def test_cell_moments_on_both_engines(both, household):
    frame = random_rows(homes=150)

    def reduce(rows):
        rows = rows.mutate(
            response=rows["response"].cast("int32"),
            spend=rows["spend"].cast("decimal(18, 4)"),
            before=rows["before"].cast("decimal(18, 4)"),
        )
        return cell_moments(rows, ["response", "spend"], covariates=["before"], household=household)

    duck, spark = both(reduce, rows=frame.astype(str))
    pd.testing.assert_frame_equal(duck, spark, check_dtype=False, rtol=1e-12)
    assert len(duck) == 3


@pytest.mark.proof
def test_outcomes_on_both_engines(both):
    rng = np.random.default_rng(5)
    people = [f"c{k}" for k in range(60)]
    sent = pd.DataFrame(
        {"customer_id": people, "cell_id": [str(k % 2) for k in range(60)], "household_id": [f"h{k // 2}" for k in range(60)]}
    ).assign(contacted_at="2024-05-01 06:00:00")
    days = rng.integers(0, 400, 500)
    bought = pd.DataFrame(
        {
            "customer_id": rng.choice(people, 500),
            "ordered_at": [str(dt.datetime(2023, 5, 1) + dt.timedelta(days=int(day), hours=9)) for day in days],
            "amount": money(np.round(rng.normal(30, 30, 500), 2)),
        }
    )
    bought["ordered_at"] = pd.to_datetime(bought["ordered_at"])

    def reduce(contacts, orders):
        contacts = contacts.mutate(contacted_at=contacts["contacted_at"].cast("timestamp"))
        who = assigned(contacts, ["0", "1"], AS_OF)
        return outcomes(who, windows(CELLS, dt.date(2024, 5, 1), AS_OF), orders, margin=0.4)

    duck, spark = both(reduce, contacts=sent, orders=bought)
    for frame in (duck, spark):
        frame["opens"], frame["first_day"] = (frame[name].astype(str).str[:10] for name in ("opens", "first_day"))
    pd.testing.assert_frame_equal(duck, spark, check_dtype=False)
    assert duck["response"].sum() > 5


def test_first_days_and_states_count_everybody_once():
    table = some_outcomes(
        ("ann", "2024-05-03", 30), ("ann", "2024-05-09", 30), ("bob", "2024-01-03", 4), ("bob", "2024-04-03", 4)
    )
    assert first_days(table).to_numpy().tolist() == [["1", 2, 1]]
    states = state_moments(table, "spend", "a salt").to_pandas().set_index("cell_id")
    assert states.loc["1", ["recency", "buys", "n", "total", "squares"]].tolist() == [2, 0, 1, 60, 3600]
    assert states.loc["0", ["recency", "buys", "n", "total"]].tolist() == [0, 2, 1, 0]


def test_cubes_pass_over_customers_who_did_nothing():
    frame = random_rows()
    cubes = cell_cubes(as_table(frame), ["spend"]).to_pandas().set_index("cell_id")["c_spend"]
    for name, rows in frame.groupby("cell_id"):
        assert cubes[name] == pytest.approx((rows["spend"] ** 3).sum())


def test_third_moments_are_not_made_up_where_a_mean_leaves_no_digits_to_them():
    frame = pd.DataFrame({"cell_id": "a", "spend": [f"{10**6 + k % 3}" for k in range(300)]})
    assert np.isnan(cell_statistics(as_table(frame), ["spend"])["a"].thirds).all()


@pytest.mark.nightly
def test_a_million_rows_in_several_chunks_on_both_engines(both):
    rng = np.random.default_rng(9)
    n = 1_000_000
    spend = np.where(rng.random(n) < 0.02, np.round(rng.gamma(2, 30, n), 2), 0)
    frame = pd.DataFrame({"cell_id": rng.choice(list("abcdefgh"), n), "unit": [f"h{k // 2}" for k in range(n)]})
    frame["response"], frame["spend"], frame["before"] = (
        [str(value) for value in one] for one in ((spend > 0).astype(int), spend, np.round(rng.gamma(1, 100, n), 2))
    )
    for household in (None, "unit"):

        def reduce(rows, household=household):
            rows = rows.mutate(
                response=rows["response"].cast("int32"),
                spend=rows["spend"].cast("decimal(18, 4)"),
                before=rows["before"].cast("decimal(18, 4)"),
            )
            return cell_moments(rows, ["response", "spend"], covariates=["before"], household=household)

        duck, spark = both(reduce, rows=frame)
        pd.testing.assert_frame_equal(duck, spark, check_dtype=False, rtol=1e-12)
        assert duck["n"].sum() == n

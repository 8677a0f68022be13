"""Periods: sums to the cent, growth identities, both engines, nothing from after a period; and intervals that hold."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from crmlab.analyses.scorecard.estimation import concentration, estimates
from crmlab.analyses.scorecard.reductions import Period, calendar, customer_periods, periods, rhythm, two_periods
from crmlab.data.dataset import open_dataset
from crmlab.errors import DataError, ParameterError
from crmlab.history.orders import history
from crmlab.history.words import QUARTERS, YEAR
from crmlab.models.decomposition import decompose, growth
from tests.frames import lines, money, orders, receipts

ORDERS = receipts(
    ("1", "a", "2024-01-05", 10.01), ("2", "a", "2024-01-05", 5.02), ("3", "a", "2024-02-01", -3.03), ("4", "b", "2024-02-02", 7.0701),
    ("5", "c", "2024-01-09", 1.1), ("6", "c", "2024-04-09", 2.2), ("7", "a", "2024-04-10", 4.0), ("8", "d", "2024-04-10", 9.0),
)  # fmt: skip
LINES = lines(
    ("1", "a", "2024-01-05", "p", 1, 4.01), ("1", "a", "2024-01-05", "q", 2, 6.00), ("2", "a", "2024-01-05", "p", 1, 5.02),
    ("3", "a", "2024-02-01", "p", -1, -3.03), ("4", "b", "2024-02-02", "r", 1, 7.07), ("5", "c", "2024-01-09", "q", 3, 1.1),
    ("6", "c", "2024-04-09", "q", 1, 2.2), ("7", "a", "2024-04-10", "s", 2, 4.0), ("8", "d", "2024-04-10", "q", 1, 9.0),
)  # fmt: skip
GOODS = money(pd.DataFrame({"product_id": ["p", "q", "r"], "unit_cost": [2.0, 1.25, 3.0]}), "unit_cost")
MONTHS = calendar(dt.date(2024, 1, 1), dt.date(2024, 4, 30), "month")


def memory(frame, **types):
    import ibis
    import pyarrow as pa

    table = pa.Table.from_pandas(frame, preserve_index=False)
    kinds = {"amount": pa.decimal128(18, 4), "quantity": pa.decimal128(18, 4), "unit_cost": pa.decimal128(18, 4)}
    kinds["ordered_at"] = pa.timestamp("us")
    return ibis.memtable(table.cast(pa.schema([(n, kinds.get(n, pa.string())) for n in table.column_names])))


def test_periods_count_what_happened():
    found = periods(memory(ORDERS), MONTHS, memory(LINES), memory(GOODS)).to_pandas().set_index("number")
    # March had nothing at all: it has no row.
    assert found.index.tolist() == [0, 1, 3]
    assert found["customers"].tolist() == [2, 1, 3]
    assert found["new"].tolist() == [2, 1, 1]
    assert found["occasions"].tolist() == [2, 1, 3]
    assert [float(v) for v in found["revenue"]] == pytest.approx([16.13, 4.0401, 15.2])
    assert [float(v) for v in found["returned"]] == pytest.approx([0, -3.03, 0])
    assert [float(v) for v in found["returns"]] == pytest.approx([0, -3.03, 0])
    assert found["orders"].tolist() == [3, 2, 3]
    assert found["purchases"].tolist() == [3, 1, 3]
    assert found["products"].tolist() == [3, 1, 3]
    assert [float(v) for v in found["pieces"]] == [7, 1, 4]
    assert [float(v) for v in found["cost"]] == [4 + 2.5 + 3.75, -2 + 3, 2.5]
    assert [float(v) for v in found["costed"]] == pytest.approx([16.13, 4.04, 11.2])
    assert found["rows"].tolist() == [2, 2, 3]


def test_estimates_fill_empty_periods_and_hold_identities():
    found = estimates(periods(memory(ORDERS), MONTHS, memory(LINES), memory(GOODS)), MONTHS, rhythm=60.0)
    wide = found.pivot_table(index="number", columns="measure", values="value")
    assert wide["customers"].tolist() == [2, 1, 0, 3]
    assert wide["lost"].tolist()[1:] == [2, 1, 0]
    assert wide["kept"].tolist()[1:] == [0, 0, 0]
    assert wide["resumed"].tolist()[1:] == [0, 0, 2]
    for now, before in ((1, 0), (2, 1), (3, 2)):
        gone = wide.loc[now, "new"] + wide.loc[now, "resumed"] - wide.loc[now, "lost"]
        assert wide.loc[now, "customers"] == wide.loc[before, "customers"] + gone
    assert not found.drop(columns="period").isna().to_numpy().any()
    assert (found["low"] <= found["value"] + 1e-12).all()
    assert (found["value"] <= found["high"] + 1e-12).all()
    # An empty period has no average; a period of a month is shorter than a rhythm of 60 days.
    assert not {"average_order_value", "occasions_per_customer"} & set(found.loc[found["number"] == 2, "measure"])
    assert found["short"].all()
    assert found.loc[(found["number"] == 3) & (found["measure"] == "margin"), "value"].item() == pytest.approx(11.2 - 2.5)


def test_estimates_by_hand():
    found = estimates(periods(memory(ORDERS), MONTHS), MONTHS, level=0.9).set_index(["number", "measure"])
    z = 1.6448536269514722  # 95% quantile of the normal distribution
    row = found.loc[(0, "revenue")]
    spread = np.sqrt(15.03**2 + 1.1**2)
    assert row[["low", "high"]].tolist() == pytest.approx(
        [16.13 * np.exp(-z * spread / 16.13), 16.13 * np.exp(z * spread / 16.13)]
    )
    row, rate = found.loc[(0, "average_order_value")], 16.13 / 3
    spread = np.sqrt((15.03 - rate * 2) ** 2 + (1.1 - rate) ** 2) / 3
    assert row["value"] == pytest.approx(rate)
    assert row["high"] == pytest.approx(rate * np.exp(z * spread / rate))
    assert "cost" not in found.index.get_level_values("measure")


@pytest.mark.proof
@pytest.mark.parametrize("unit", ["month", "quarter", "year"])
@pytest.mark.parametrize("name", ["shop", "cdnow"])
def test_periods_add_up_to_the_input_to_the_cent(name, unit):
    data = open_dataset(name)
    first, last = history(data.orders)
    spans = calendar(dt.date(first.year, 1, 1), dt.date(last.year, 12, 31), unit)
    lined = data.order_lines if name == "shop" else None
    found = periods(data.orders, spans, lined, data.products if name == "shop" else None).to_pyarrow().to_pandas()
    exact = data.orders.aggregate(x=data.orders["amount"].sum(), n=data.orders.count()).to_pyarrow().to_pylist()[0]
    assert sum(map(Decimal, found["revenue"])) == exact["x"]
    assert sum(map(Decimal, found["spend"])) + sum(map(Decimal, found["returned"])) == exact["x"]
    assert found["orders"].sum() == exact["n"]


def test_periods_do_not_look_ahead():
    early = ORDERS[ORDERS["ordered_at"] < "2024-03-01"]
    known = periods(memory(ORDERS), MONTHS[:2], memory(LINES)).to_pandas()
    pd.testing.assert_frame_equal(known, periods(memory(early), MONTHS[:2], memory(LINES)).to_pandas())


def test_overlapping_periods_are_each_counted():
    spans = [
        Period("all", dt.date(2024, 1, 1), dt.date(2024, 4, 30)),
        Period("April", dt.date(2024, 4, 1), dt.date(2024, 4, 30)),
    ]
    found = periods(memory(ORDERS), spans).to_pandas()
    assert found["customers"].tolist() == [4, 3]
    assert [float(v) for v in found["revenue"]] == pytest.approx([35.3701, 15.2])


def test_two_periods_feed_the_decomposition():
    data = open_dataset("shop")
    spans = calendar(*history(data.orders), "quarter")[-2:]
    sums = periods(data.orders, spans, data.order_lines).to_pyarrow().to_pandas()
    frame = two_periods(data.orders, *spans, data.order_lines).to_pandas()
    change = Decimal(sums["revenue"][1]) - Decimal(sums["revenue"][0])
    found, groups = decompose(frame), growth(frame).set_index("group")
    effects = [Decimal(str(value)) for value in found["effect"]]
    assert sum(effects[:-1]) == effects[-1] == change
    assert Decimal(str(groups.loc["total", "change"])) == change
    assert sum(Decimal(str(value)) for value in groups["change"][:-1]) == change
    counts = groups["customers"]
    assert counts["new"] == sums["new"][1]
    assert counts["kept"] == sums["kept"][1]
    assert counts["lost"] == sums["lost"][1]
    assert found["before"][0] == sums["customers"][0]


@pytest.mark.spark
def test_periods_are_the_same_on_spark(both):
    # A customer so large that squares have more digits than a short decimal holds.
    large = receipts(("9", "e", "2024-04-11", 9876543.2101))
    frames = {"orders": pd.concat([ORDERS, large]), "order_lines": LINES, "products": GOODS}
    duck, spark = both(lambda **t: periods(t["orders"], MONTHS, t["order_lines"], t["products"]), **frames)
    assert len(duck) == 3
    assert Decimal(str(duck["revenue_2"][2])) > 9 * 10**13
    assert duck.columns.tolist() == spark.columns.tolist()
    for column in duck.columns:
        one, two = ([None if v is None or v != v else Decimal(str(v)) for v in f[column]] for f in (duck, spark))
        assert one == two, column
    duck, spark = both(lambda **t: two_periods(t["orders"], MONTHS[0], MONTHS[3], t["order_lines"]), **frames)
    pd.testing.assert_frame_equal(duck, spark, check_dtype=False)


def test_calendar_holds_whole_periods_only():
    first, last = dt.date(2023, 1, 5), dt.date(2024, 3, 31)
    assert [span.label for span in calendar(first, last, "quarter")] == ["2023-Q2", "2023-Q3", "2023-Q4", "2024-Q1"]
    assert calendar(first, last, "year") == []
    assert [span.label for span in calendar(first, last, "month", 2)] == ["2024-02", "2024-03"]
    rolling = calendar(first, last, 100)
    assert [span.days for span in rolling] == [100] * 4
    assert rolling[-1].last == last
    # Quarters: the oldest of four has 92 days, so that four are a year, and a year ago lies 365 days back to the day.
    quarters = calendar(dt.date(2021, 1, 1), last, QUARTERS)
    assert [span.days for span in quarters[-9:]] == [91, 92, 91, 91, 91, 92, 91, 91, 91]
    assert {now.last - then.last for then, now in zip(quarters, quarters[4:], strict=False)} == {dt.timedelta(days=YEAR)}
    assert quarters[0].first >= dt.date(2021, 1, 1) > quarters[0].first - dt.timedelta(days=92)
    # 13 weeks that are asked for stay 13 weeks.
    assert {span.days for span in calendar(dt.date(2021, 1, 1), last, 91)} == {91}
    assert calendar(dt.date(2022, 1, 1), dt.date(2024, 3, 31), "year")[0].first == dt.date(2022, 1, 1)


def test_rhythm_is_the_median_gap():
    table = orders(
        ("a", "2024-01-01", 1), ("a", "2024-01-11", 1), ("a", "2024-02-20", 1), ("b", "2024-01-01", 1), ("b", "2024-01-31", 1)
    )
    assert rhythm(table) == 30.0
    assert rhythm(orders(("a", "2024-01-01", 1))) is None


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: calendar(dt.date(2024, 1, 1), dt.date(2024, 3, 1), "week"), "'month', 'quarter', 'year' or a number of days"),
        (lambda: calendar(dt.date(2024, 1, 1), dt.date(2024, 3, 1), 0), "at least 1 day"),
        (lambda: calendar(dt.date(2024, 1, 1), dt.date(2024, 3, 1), ()), "at least 1 day"),
        (lambda: calendar(dt.date(2024, 1, 1), dt.date(2024, 3, 1), "year", 0), "at least 1"),
        (lambda: two_periods(ORDERS, MONTHS[1], MONTHS[1]), "'before' must be before 'after'"),
        (lambda: customer_periods(ORDERS, [Period("x", MONTHS[1].last, MONTHS[0].first)]), "'first' must be before 'last'"),
        (lambda: estimates(pd.DataFrame(), [], level=1.0), "between 0 and 1"),
    ],
)
def test_periods_refuse(call, said):
    with pytest.raises(ParameterError, match=said):
        call()


def test_periods_refuse_no_periods():
    with pytest.raises(DataError, match="at least one whole period of history"):
        periods(ORDERS, [])


def test_period_intervals_cover_the_truth():
    # Sixty months, each a world of its own: other customers, Poisson with mean 300, with 1 to 3 days each, a day worth 20 on average.
    rng, spans = np.random.default_rng(3), calendar(dt.date(2019, 1, 1), dt.date(2023, 12, 31), "month")
    parts = []
    for number, span in enumerate(spans):
        days = rng.integers(1, 4, rng.poisson(300))
        who = np.repeat(np.arange(len(days)) + 1000 * number, days).astype(str)
        day = np.concatenate([rng.choice(28, k, replace=False) for k in days])
        when = pd.Timestamp(span.first) + pd.to_timedelta(day, unit="D")
        parts.append(pd.DataFrame({"customer_id": who, "ordered_at": when, "amount": rng.gamma(2, 10, len(who)).round(4)}))
    found = estimates(periods(pd.concat(parts, ignore_index=True), spans), spans, level=0.9)
    inside = 0
    for name, value in {"revenue": 300 * 2 * 20.0, "customers": 300.0, "spend_per_occasion": 20.0}.items():
        rows = found[found["measure"] == name]
        held = ((rows["low"] <= value) & (value <= rows["high"])).sum()
        # 60 months at 90%: four deviations are 9.
        assert held >= 45, name
        inside += held
    assert inside < 179


def test_concentration_published_and_extreme():
    # The Gini coefficient of 1..n is (n² − 1) / (3 n) / (n + 1).
    assert concentration(np.arange(1, 101)).gini[0] == pytest.approx((100**2 - 1) / (3 * 100) / 101)
    assert concentration(np.ones(50)).gini == pytest.approx((0, 0, 0), abs=1e-12)
    found = concentration([5.0, -3.0, 0.0, 5.0, 0, 0, 0, 0, 0, 0])
    assert (found.top, found.share[0], found.below_zero) == (1, 0.5, 1)
    with pytest.raises(DataError, match="at least two customers"):
        concentration([1.0])
    with pytest.raises(DataError, match="revenue that is missing"):
        concentration([0.0, 0.0])
    with pytest.raises(ParameterError, match="between 0 and 1"):
        concentration([1.0, 2.0], top=10)


def test_concentration_intervals_cover_the_truth():
    # Of exponential revenue, the Gini coefficient is 1/2 and the top tenth holds 0.1 (1 + ln 10) of all.
    rng, inside, runs = np.random.default_rng(1), np.zeros(2), 400
    for _ in range(runs):
        found = concentration(rng.exponential(size=500), level=0.9)
        for k, (truth, (_, low, high)) in enumerate(((0.5, found.gini), (0.1 * (1 + np.log(10)), found.share))):
            inside[k] += low <= truth <= high
    assert 0.84 < inside[0] / runs < 0.96
    # Who is in the top is taken as given, which makes the share's interval wide rather than narrow.
    assert inside[1] / runs > 0.86

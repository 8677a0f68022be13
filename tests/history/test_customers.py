"""The definitions of a customer's summary: hand-worked days, published numbers, and what must not change it."""

from __future__ import annotations

import datetime as dt
import math
import os
import warnings
from decimal import Decimal
from pathlib import Path

import ibis
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import crmlab
from crmlab.analyses.data_quality.reductions import without_occasion
from crmlab.errors import DataError, ParameterError
from crmlab.history.customers import customer_summary, distinct_states, holdout_summary, occasion_days, repeat_times
from crmlab.models import Clock
from tests.frames import by_customer, orders

RETAIL = Path(os.environ.get("CRMLAB_DATA", "data/private"))
needs_retail = pytest.mark.skipif(
    not any((RETAIL / name).exists() for name in ("online_retail.parquet", "Online Retail.xlsx", "online_retail.xlsx")),
    reason="The online_retail file is not here: put it into the folder that CRMLAB_DATA names.",
)
KEYS = ["frequency", "recency", "T"]


def test_times_of_repeat_purchases_are_days_since_the_first_of_all():
    rows = [
        ("a", "2024-01-03", 5.0), ("a", "2024-01-10", 5.0), ("a", "2024-01-10", 7.0),  # two orders on one day
        ("b", "2024-01-01", -3.0), ("b", "2024-01-05", 9.0), ("b", "2024-01-31", 9.0),  # a return is no purchase
        ("c", "2024-01-20", 1.0), ("c", "2024-01-24", 1.0), ("d", "2024-01-04", 1.0),
    ]  # fmt: skip
    bought = pd.DataFrame(rows, columns=["customer_id", "ordered_at", "amount"])
    assert repeat_times(bought).tolist() == [7.0, 21.0, 28.0]
    assert repeat_times(bought.sample(frac=1, random_state=1), unit="week").tolist() == [1.0, 3.0, 4.0]
    # Later purchases of those who had come by then.
    assert repeat_times(bought, as_of="2024-01-15").tolist() == [7.0, 28.0]
    assert repeat_times(bought.iloc[:1]).tolist() == []
    with pytest.raises(ParameterError, match="unit"):
        repeat_times(bought, unit="year")
    with pytest.raises(ParameterError, match="after the last order"):
        repeat_times(bought, as_of="2025-01-15")


def test_log_gaps_add_up_the_logs_of_times_between_occasions():
    rows = [
        ("a", "2024-01-03", 5.0), ("a", "2024-01-10", 5.0), ("a", "2024-01-10", 7.0),  # two orders on one day
        ("b", "2024-01-01", 3.0), ("b", "2024-01-05", -1.0), ("b", "2024-01-15", 9.0), ("b", "2024-02-05", 9.0),  # a return between
        ("c", "2024-01-20", 1.0),
        ("d", "2024-01-02", -4.0), ("d", "2024-01-04", 1.0), ("d", "2024-01-05", 1.0),
    ]  # fmt: skip
    bought = pd.DataFrame(rows, columns=["customer_id", "ordered_at", "amount"])

    def told(reduced) -> list[float]:
        found = by_customer(reduced)
        return [found[customer]["log_gaps"] for customer in "abcd"]

    for unit, scale in (("day", 1.0), ("week", 7.0)):
        expected = [sum(math.log(gap / scale) for gap in gaps) for gaps in ([7], [14, 21], [], [1])]
        assert told(customer_summary(bought.sample(frac=1, random_state=2), unit=unit, log_gaps=True)) == pytest.approx(
            expected, abs=1e-12
        )
    early = [math.log(7), math.log(14), 0.0, 0.0]
    assert told(customer_summary(bought, "2024-01-20", log_gaps=True)) == pytest.approx(early, abs=1e-12)
    assert told(holdout_summary(bought, "2024-01-20", log_gaps=True)) == pytest.approx(early, abs=1e-12)
    # All else is as without them.
    plain, more = (by_customer(customer_summary(bought, log_gaps=log_gaps)) for log_gaps in (False, True))
    assert "log_gaps" not in plain["a"]
    for customer, row in more.items():
        assert {name: str(value) for name, value in row.items() if name != "log_gaps"} == {
            name: str(value) for name, value in plain[customer].items()
        }


# Published numbers


def test_summary_cdnow_sample_is_that_of_fader_and_hardie():
    # Fader, Hardie and Lee (2005): 2,357 customers, calibration to 30 September 1997, 1,882 purchases in the holdout;
    # 38.857142857 weeks are the 272 days of the first cohort.
    data = crmlab.open_dataset("cdnow_sample")
    held = holdout_summary(data.orders, "1997-09-30", "1998-06-30", unit="week").to_pandas()
    assert len(held) == 2357
    assert held["frequency"].sum() == 2457
    assert (held["frequency"] == 0).sum() == 1411
    assert held["T"].max() == 272 / 7 == pytest.approx(38.857142857, abs=5e-10)
    assert held["holdout_purchases"].sum() == 1882
    assert (held["horizon"] == 39.0).all()
    states = distinct_states(customer_summary(data.orders, "1997-09-30", unit="week")).to_pandas()
    assert len(states) == 1016
    assert states["weight"].sum() == 2357


def test_summary_cdnow_whole_history():
    # The same 23,570 customers of CDNOW_master.txt, to 30 June 1998.
    summary = customer_summary(crmlab.open_dataset("cdnow").orders, "1998-06-30")
    frame = summary.to_pandas()
    assert len(frame) == 23_570
    assert frame["frequency"].sum() == 44_021
    assert (frame["frequency"] == 0).sum() == 12_054
    assert distinct_states(summary).count().execute() == 11_104


@needs_retail
def test_summary_online_retail_exact():
    # UCI 352 with the rules of data/online_retail.toml, in exact decimals. A float group-by of the same rows gives 12,218
    # repeat occasions and 16,550 occasions: see the next test.
    data = crmlab.open_dataset("online_retail")
    frame = customer_summary(data.orders).to_pandas()
    assert len(frame) == 4332
    assert (frame["frequency"] == 0).sum() == 1568
    assert frame["frequency"].sum() == 12_214
    assert frame["occasions"].sum() == 16_546
    assert frame["total_spend"].sum() == pytest.approx(8_416_466.053, abs=5e-4)


@pytest.mark.skipif(
    not (RETAIL / "online_retail.parquet").exists(),
    reason="The file online_retail.parquet is not here: put it into the folder that CRMLAB_DATA names.",
)
def test_summary_online_retail_floats_see_days_that_are_none():
    # On a few customer-days purchases and returns add up to exactly 0.00. A pandas float group-by of the file leaves
    # 1e-14 on four of them, which is over 0: so it counts 16,550 occasions and 12,218 repeats instead of 16,546 and
    # 12,214. Which days those are hangs on the order of the rows; decimals do not.
    raw = pd.read_parquet(RETAIL / "online_retail.parquet")
    codes = ["POST", "DOT", "M", "C2", "D", "S", "BANK CHARGES", "AMAZONFEE", "CRUK"]
    lines = raw[raw["CustomerID"].notna() & ~raw["StockCode"].astype(str).str.strip().str.upper().isin(codes)]
    amount = lines["Quantity"] * lines["UnitPrice"]
    key = [lines["CustomerID"], lines["InvoiceDate"].dt.date]
    floats = amount.groupby(key).sum()
    exact = (amount * 10_000).round().astype("int64").groupby(key).sum()
    assert (floats > 0).sum() == 16_550
    assert (exact > 0).sum() == 16_546
    assert (floats > 0).sum() - floats[floats > 0].index.get_level_values(0).nunique() == 12_218
    assert floats[(floats > 0) & (exact == 0)].between(0, 1e-12).sum() == 4
    mixed = lines.sample(frac=1, random_state=3).index
    again = amount.loc[mixed].groupby([lines["CustomerID"].loc[mixed], lines["InvoiceDate"].loc[mixed].dt.date]).sum()
    assert (again > 0).sum() != 16_550


def test_summary_agrees_with_lifetimes():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lifetimes is archived; its imports warn
        from lifetimes.utils import summary_data_from_transaction_data

    frame = crmlab.open_dataset("cdnow_sample").orders.to_pandas()
    frame["amount"] = frame["amount"].astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = summary_data_from_transaction_data(
            frame, "customer_id", "ordered_at", monetary_value_col="amount", observation_period_end="1997-09-30"
        )
    ours = customer_summary(frame, "1997-09-30").to_pandas().set_index("customer_id").loc[theirs.index]
    for column in KEYS:
        assert (ours[column] == theirs[column]).all(), column
    pd.testing.assert_series_equal(ours["monetary_value"].fillna(0.0), theirs["monetary_value"], rtol=1e-12, check_names=False)


# Definitions, one hand-worked day each


def test_summary_every_column():
    table = orders(
        ("a", "2024-01-01 09:00", 10), ("a", "2024-01-08 18:00", 20), ("a", "2024-01-15", 40), ("a", "2024-01-16", -5)
    )
    row = by_customer(customer_summary(table, as_of="2024-01-16"))["a"]
    assert row == {
        "frequency": 2,
        "recency": 14.0,
        "T": 15.0,
        "monetary_value": 30.0,
        "days_since_last": 1,
        "first_occasion": pd.Timestamp("2024-01-01"),
        "last_occasion": pd.Timestamp("2024-01-15"),
        "occasions": 3,
        "total_spend": 70.0,
        "returned": -5.0,
    }


def test_summary_columns_and_types():
    summary = customer_summary(orders(("a", "2024-01-01", 1)))
    assert {name: str(kind) for name, kind in summary.schema().items()} == {
        "customer_id": "string",
        "frequency": "int64",
        "recency": "float64",
        "T": "float64",
        "monetary_value": "float64",
        "days_since_last": "int64",
        "first_occasion": "date",
        "last_occasion": "date",
        "occasions": "int64",
        "total_spend": "float64",
        "returned": "float64",
    }


def test_occasion_orders_of_one_day_are_one():
    row = by_customer(customer_summary(orders(("a", "2024-01-01 00:00", 1), ("a", "2024-01-01 23:59:59.999999", 2))))["a"]
    assert (row["occasions"], row["total_spend"]) == (1, 3.0)


@pytest.mark.parametrize(
    ("amounts", "occasions", "spend", "returned"),
    [
        ((10, -4), 1, 6.0, 0.0),  # a return booked the same day is netted
        ((10, -10), 0, None, 0.0),  # all came back: no occasion
        ((10, -12), 0, None, -2.0),
        ((0,), 1, 0.0, 0.0),  # a free purchase is one
        ((0, -3), 0, None, -3.0),  # free, and something came back
        ((0, 5, -5), 0, None, 0.0),
        ((0, 5), 1, 5.0, 0.0),
        ((-7,), 0, None, -7.0),
        (("0.0001",), 1, 0.0001, 0.0),
        (("0.1", "0.2", "-0.3"), 0, None, 0.0),  # exact: floats would leave 5.6e-17
    ],
)
def test_occasion_of_one_day(amounts, occasions, spend, returned):
    days = occasion_days(orders(*[("a", "2024-03-01", amount) for amount in amounts])).to_pandas()
    assert days["is_occasion"].sum() == occasions
    assert float(days["spend"].iloc[0]) == (spend if occasions else returned)


def test_occasion_return_inside_a_free_order():
    # One order of 10 and its return of 10 in one receipt adds up to 0, like a gift; return_amount tells them apart.
    table = orders(("gift", "2024-01-01", 0, 0), ("swap", "2024-01-01", 0, -10), ("part", "2024-01-01", 5, -10), returns=True)
    assert set(by_customer(customer_summary(table))) == {"gift", "part"}


def test_occasion_missing_return_amount_is_none():
    table = orders(("a", "2024-01-01", 0, 0), returns=True).assign(return_amount=[None])
    table["return_amount"] = table["return_amount"].astype(float)
    assert by_customer(customer_summary(table))["a"]["occasions"] == 1


def test_summary_returns_on_days_of_their_own():
    table = orders(("a", "2024-01-01", 10), ("a", "2024-01-05", -4), ("a", "2024-01-09", -1), ("b", "2024-01-02", -3))
    summary = by_customer(customer_summary(table))
    assert set(summary) == {"a"}  # b never bought
    assert (summary["a"]["total_spend"], summary["a"]["returned"]) == (10.0, -5.0)
    assert summary["a"]["last_occasion"] == pd.Timestamp("2024-01-01")


def test_summary_return_before_the_first_purchase_does_not_start_the_clock():
    row = by_customer(customer_summary(orders(("a", "2024-01-01", -9), ("a", "2024-01-11", 9)), "2024-01-11"))["a"]
    assert (row["T"], row["returned"], row["frequency"]) == (0.0, -9.0, 0)


def test_monetary_value_leaves_out_the_first_occasion():
    table = orders(("a", "2024-01-03", 30), ("a", "2024-01-01", 1000), ("a", "2024-01-02", 10))
    assert by_customer(customer_summary(table))["a"]["monetary_value"] == 20.0
    assert math.isnan(by_customer(customer_summary(orders(("a", "2024-01-03", 30))))["a"]["monetary_value"])


@pytest.mark.parametrize(("unit", "length"), [("day", 1.0), ("week", 7.0), ("month", 30.4375)])
def test_summary_units(unit, length):
    table = orders(("a", "2024-01-01", 1), ("a", "2024-02-15", 1))
    row = by_customer(customer_summary(table, "2024-02-15", unit=unit))["a"]
    assert row["recency"] == row["T"] == 45 / length
    assert row["days_since_last"] == 0  # days whatever the unit


def test_summary_start_cuts_what_came_before():
    table = orders(("a", "2024-01-01", 1), ("a", "2024-01-05", 2), ("b", "2024-01-01", 1), ("a", "2024-01-09", 4))
    summary = by_customer(customer_summary(table, start="2024-01-05"))
    assert set(summary) == {"a"}
    assert (summary["a"]["occasions"], summary["a"]["total_spend"], summary["a"]["T"]) == (2, 6.0, 4.0)


def test_summary_as_of_is_inclusive_to_the_last_second():
    table = orders(("a", "2024-01-01", 1), ("a", "2024-01-10 23:59:59", 2), ("a", "2024-01-11 00:00:00", 4))
    assert by_customer(customer_summary(table, "2024-01-10"))["a"]["total_spend"] == 3.0
    assert by_customer(customer_summary(table, "2024-01-09"))["a"]["total_spend"] == 1.0
    assert by_customer(customer_summary(table))["a"]["total_spend"] == 7.0


def test_summary_as_of_kinds():
    table = orders(("a", "2024-01-01", 1), ("a", "2024-01-10", 2))
    given_as = ["2024-01-05", dt.date(2024, 1, 5), dt.datetime(2024, 1, 5, 23), pd.Timestamp("2024-01-05")]
    assert {by_customer(customer_summary(table, day))["a"]["T"] for day in given_as} == {4.0}


def test_holdout_by_hand():
    table = orders(
        ("a", "2024-01-01", 10), ("a", "2024-01-08", 5), ("a", "2024-01-09", 7), ("a", "2024-01-10", -2),
        ("a", "2024-01-15", 3), ("b", "2024-01-02", 1), ("c", "2024-01-12", 9), ("a", "2024-01-16", 100),
    )  # fmt: skip
    held = by_customer(holdout_summary(table, "2024-01-08", "2024-01-15", unit="week"))
    assert set(held) == {"a", "b"}  # c was no customer yet
    assert (held["a"]["frequency"], held["a"]["holdout_purchases"], held["a"]["holdout_spend"]) == (1, 2, 10.0)
    assert (held["b"]["holdout_purchases"], held["b"]["holdout_spend"], held["b"]["horizon"]) == (0, 0.0, 1.0)


def test_holdout_summary_is_the_summary():
    data = crmlab.open_dataset("cdnow_sample")
    summary = customer_summary(data.orders, "1997-09-30").order_by("customer_id").to_pandas()
    held = holdout_summary(data.orders, "1997-09-30").order_by("customer_id").to_pandas()
    pd.testing.assert_frame_equal(held[summary.columns], summary)


def test_holdout_dates():
    table = orders(("a", "2024-01-01", 1), ("a", "2024-01-10", 2))
    with pytest.raises(ParameterError, match=r"'as_of' must be before 'until'\. Got as_of 2024-01-10 and until 2024-01-10\."):
        holdout_summary(table, "2024-01-10")
    with pytest.raises(ParameterError, match="no later than the last order, 2024-01-10"):
        holdout_summary(table, "2024-01-05", "2024-01-11")


# What a frame may be


@pytest.mark.parametrize(
    ("days", "amounts"),
    [
        (["2024-01-01", "2024-01-05"], [1, 2]),
        (["2024-01-01 10:00", "2024-01-05T11:00:00"], [1.0, 2.0]),
        ([dt.date(2024, 1, 1), dt.date(2024, 1, 5)], [Decimal("1.0"), Decimal(2)]),
        ([dt.datetime(2024, 1, 1, 9), dt.datetime(2024, 1, 5)], pd.array([1, 2], dtype="Int64")),
        (pd.to_datetime(["2024-01-01", "2024-01-05"]), pd.array([1.0, 2.0], dtype="float32")),
    ],
)
def test_frame_kinds_of_columns(days, amounts):
    frame = pd.DataFrame({"customer_id": ["a", "a"], "ordered_at": days, "amount": amounts})
    row = by_customer(customer_summary(frame))["a"]
    assert (row["T"], row["total_spend"]) == (4.0, 3.0)


def test_frame_times_with_a_zone_are_taken_by_its_clock():
    # 23:30 in Berlin is still that day there, whatever the zone of the machine; in UTC it is 22:30, in Tokyo tomorrow.
    times = pd.to_datetime(["2024-06-30 23:30", "2024-07-01 00:30"]).tz_localize("Europe/Berlin")
    frame = pd.DataFrame({"customer_id": ["a", "a"], "ordered_at": times, "amount": [1.0, 2.0]})
    assert by_customer(customer_summary(frame))["a"]["occasions"] == 2
    assert by_customer(customer_summary(frame.assign(ordered_at=times.tz_convert("UTC"))))["a"]["occasions"] == 1


def test_table_times_with_a_zone_are_refused():
    times = pd.to_datetime(["2024-06-30 23:30"]).tz_localize("Europe/Berlin")
    table = ibis.memtable(pd.DataFrame({"customer_id": ["a"], "ordered_at": times, "amount": [1.0]}))
    with pytest.raises(DataError, match="must hold local times. Found: times in the zone Europe/Berlin"):
        customer_summary(table)


def test_table_of_texts_is_read_or_refused():
    frame = pd.DataFrame({"customer_id": ["a", "b"], "ordered_at": ["2024-01-01", "2024-01-02 10:00"], "amount": [1.0, 2.0]})
    assert len(customer_summary(ibis.memtable(frame)).to_pandas()) == 2
    with pytest.raises(DataError, match=r"1 of 2 rows has no valid date in column 'ordered_at'. Found: 'soon'"):
        customer_summary(ibis.memtable(frame.assign(ordered_at=["2024-01-01", "soon"])))


def test_frame_integer_ids_stay_integers():
    frame = pd.DataFrame({"customer_id": [7, 7], "ordered_at": ["2024-01-01", "2024-01-02"], "amount": [1, 2]})
    assert customer_summary(frame).to_pandas()["customer_id"].tolist() == [7]


GOOD = {"customer_id": ["a", "b"], "ordered_at": ["2024-01-01", "2024-01-02"], "amount": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"amount": [1.0, None]},
            r"1 of 2 rows has no valid amount in column 'amount', first in row 2\. Found: an empty cell\.",
        ),
        ({"amount": [float("inf"), 1]}, "has no valid amount in column 'amount', first in row 1. Found: inf"),
        ({"amount": [1e15, 1]}, "has no valid amount"),
        ({"amount": ["1", "2"]}, r"column 'amount' must hold amounts\..*pandas.to_numeric"),
        ({"amount": [True, False]}, "must hold amounts. Found: type bool"),
        ({"amount": [1, "x"]}, "must hold amounts. Found: values of several types"),
        ({"ordered_at": ["2024-01-01", "yesterday"]}, "1 of 2 rows has no valid date .* first in row 2. Found: 'yesterday'"),
        ({"ordered_at": [None, "2024-01-01"]}, "1 of 2 rows has no valid date .* first in row 1. Found: an empty cell"),
        ({"ordered_at": [pd.NaT, pd.Timestamp("2024-01-01")]}, "1 of 2 rows has no valid date"),
        ({"ordered_at": [20240101, 20240102]}, "must hold dates. Found: type int64. Convert it with pandas.to_datetime"),
        ({"customer_id": ["a", None]}, "1 of 2 rows has no valid customer in column 'customer_id', first in row 2"),
        ({"customer_id": [1, "a"]}, "must hold ids of one type"),
        ({"return_amount": [0.0, float("inf")]}, "column 'return_amount'"),
    ],
)
def test_frame_bad_values(change, message):
    with pytest.raises(DataError, match=message):
        customer_summary(pd.DataFrame({**GOOD, **change}))


@pytest.mark.parametrize("column", ["customer_id", "ordered_at", "amount"])
def test_frame_missing_column(column):
    frame = pd.DataFrame(GOOD).rename(columns={column: column + "s"})
    message = rf"orders: missing column '{column}'\. Found: .*\. Rename a column of your frame: .*'{column}s': '{column}'"
    with pytest.raises(DataError, match=message):
        customer_summary(frame)
    with pytest.raises(DataError, match=f"orders: missing column '{column}'"):
        customer_summary(ibis.memtable(frame))


def test_frame_two_columns_of_one_name():
    frame = pd.concat([pd.DataFrame(GOOD), pd.DataFrame({"amount": [5.0, 5.0]})], axis=1)
    with pytest.raises(DataError, match="2 columns of your frame are named 'amount'. Expected one"):
        customer_summary(frame)


def test_frame_further_columns_do_no_harm():
    frame = pd.DataFrame({**GOOD, "note": [{"a": 1}, object()]})
    assert len(customer_summary(frame).to_pandas()) == 2


def test_frame_empty():
    with pytest.raises(DataError, match="needs at least one order. Found: none"):
        customer_summary(pd.DataFrame(GOOD).iloc[:0])


def test_distinct_states_missing_column():
    with pytest.raises(DataError, match="summary: missing column 'T'"):
        distinct_states(pd.DataFrame({"frequency": [0], "recency": [0.0]}))


# Dates out of the history


def test_as_of_outside_the_history():
    table = orders(("a", "2024-01-02", 1), ("a", "2024-01-10", 2))
    with pytest.raises(
        ParameterError, match=r"'as_of' date 2024-01-01 is before the first order\. Expected a day from 2024-01-02"
    ):
        customer_summary(table, "2024-01-01")
    # A day after the last order is one on which nobody ordered: a history may end on it.
    later = customer_summary(table, "2024-01-12").to_pandas()
    assert (later["T"].item(), later["days_since_last"].item(), later["frequency"].item()) == (10, 2, 1)
    assert len(customer_summary(table, "2024-01-02").to_pandas()) == 1


@pytest.mark.parametrize("day", ["31.12.2024", "", "2024-02-30", 20240101, pd.NaT])
def test_as_of_that_is_no_date(day):
    with pytest.raises(ParameterError, match="'as_of' parameter of customer_summary must be a date such as 2024-12-31"):
        customer_summary(orders(("a", "2024-01-02", 1)), day)


def test_start_after_as_of():
    with pytest.raises(ParameterError, match="'start' must be before 'as_of'. Got start 2024-01-09 and as_of 2024-01-05"):
        customer_summary(orders(("a", "2024-01-01", 1), ("a", "2024-01-10", 1)), "2024-01-05", "2024-01-09")


def test_unit_unknown():
    with pytest.raises(ParameterError, match="'unit' parameter .* must be 'day', 'week' or 'month'. Got 'year' instead"):
        customer_summary(orders(("a", "2024-01-01", 1)), unit="year")


def test_summary_one_customer_one_order():
    row = by_customer(customer_summary(orders(("a", "2024-01-01", 5))))["a"]
    assert (row["frequency"], row["recency"], row["T"], row["days_since_last"]) == (0, 0.0, 0.0, 0)


def test_summary_only_returns_is_empty():
    assert customer_summary(orders(("a", "2024-01-01", -5))).to_pandas().empty


def test_summary_last_day_of_the_calendar():
    assert by_customer(customer_summary(orders(("a", "9999-12-31", 5))))["a"]["T"] == 0.0


# Invariants

DAYS = [dt.datetime(2024, 1, 1) + dt.timedelta(days=i) for i in range(12)]
ROWS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(DAYS),
        st.decimals(-50, 50, places=2, allow_nan=False, allow_infinity=False),
    ),
    min_size=1,
    max_size=25,
)
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _sorted(table):
    return table.order_by("customer_id").to_pandas()


@pytest.mark.proof
@quick
@given(rows=ROWS)
def test_summary_reconciles_exactly(rows):
    table = orders(*rows)
    summary = customer_summary(table).to_pandas()
    absent = without_occasion(ibis.memtable(table)).to_pandas()
    total = sum((Decimal(row[2]) for row in rows), Decimal(0))
    parts = [*summary["total_spend"], *summary["returned"], *absent["amount"]]
    assert sum((Decimal(str(round(float(part), 4))) for part in parts), Decimal(0)) == total
    assert set(summary["customer_id"]) | set(absent["customer_id"]) == {row[0] for row in rows}
    assert not set(summary["customer_id"]) & set(absent["customer_id"])
    assert (summary["returned"] <= 0).all()
    assert (summary["total_spend"] >= 0).all()


@pytest.mark.proof
@quick
@given(rows=ROWS, future=ROWS)
def test_summary_nothing_after_as_of_reaches_it(rows, future):
    late = [(customer, day + dt.timedelta(days=12), amount) for customer, day, amount in future]
    as_of = max(row[1] for row in rows).date()
    before = _sorted(customer_summary(orders(*rows), as_of))
    after = _sorted(customer_summary(orders(*rows, *late), as_of))
    pd.testing.assert_frame_equal(before, after)


@pytest.mark.proof
@quick
@given(rows=ROWS, data=st.data())
def test_summary_order_of_rows_does_not_matter(rows, data):
    mixed = data.draw(st.permutations(rows))
    pd.testing.assert_frame_equal(_sorted(customer_summary(orders(*rows))), _sorted(customer_summary(orders(*mixed))))


@pytest.mark.proof
@quick
@given(rows=ROWS, cut=st.integers(0, 10))
def test_holdout_splits_the_history(rows, cut):
    table = orders(*rows)
    first, last = min(row[1] for row in rows), max(row[1] for row in rows)
    as_of = (first + dt.timedelta(days=cut)).date()
    if as_of >= last.date():
        return
    held = holdout_summary(table, as_of).to_pandas().set_index("customer_id")
    whole = customer_summary(table).to_pandas().set_index("customer_id").loc[held.index]
    assert (held["occasions"] + held["holdout_purchases"] == whole["occasions"]).all()
    assert (held["recency"] <= held["T"]).all()


# Both engines


def _same(one, other):
    """Equal to the last bit: sums are exact decimals, and division of the same floats is the same everywhere."""
    assert list(one.columns) == list(other.columns)
    for column in one.columns:
        left, right = one[column], other[column]
        if left.dtype.kind == "f" or right.dtype.kind == "f":
            assert ((left == right) | (left.isna() & right.isna())).all(), column
        else:
            assert left.astype(str).tolist() == right.astype(str).tolist(), column


HISTORY = orders(
    ("a", "2024-01-01 09:00", 10, 0), ("a", "2024-01-01 17:00", "2.5", 0), ("a", "2024-01-08", 20, -3),
    ("a", "2024-01-09", -4, -4), ("b", "2024-01-03", 0, 0), ("c", "2024-01-04", 0, -5), ("d", "2024-01-05", -1, -1),
    ("e", "2024-01-05", "0.1", 0), ("e", "2024-01-05", "0.2", 0), ("e", "2024-01-05", "-0.3", "-0.3"),
    ("e", "2024-01-20 23:59:59", "33.3333", 0), ("a", "2024-02-29", 7, 0), ("b", "2024-02-29 12:00", 8, 0),
    returns=True,
)  # fmt: skip


@pytest.mark.spark
@pytest.mark.parametrize("unit", [*(pytest.param(unit, marks=pytest.mark.proof) for unit in ("day", "week")), "month"])
def test_engines_customer_summary(both, unit):
    one, other = both(lambda orders: customer_summary(orders, "2024-01-21", unit=unit), orders=HISTORY)
    assert len(one) == 3
    _same(one, other)


@pytest.mark.proof
@pytest.mark.spark
def test_engines_log_gaps(both):
    one, other = both(lambda orders: customer_summary(orders, unit="week", log_gaps=True), orders=HISTORY)
    assert (one["log_gaps"] != 0).any()
    _same(one, other)
    clock = Clock(end=dt.date(2024, 2, 29))
    timed, elsewhere = both(lambda orders: customer_summary(orders, unit="week", log_gaps=clock), orders=HISTORY)
    _same(timed, elsewhere)
    assert timed["log_gaps"].sum() == pytest.approx(one["log_gaps"].sum(), abs=1e-9)


@pytest.mark.proof
@pytest.mark.spark
def test_engines_customer_summary_start(both):
    _same(*both(lambda orders: customer_summary(orders, start="2024-01-04"), orders=HISTORY))


@pytest.mark.proof
@pytest.mark.spark
def test_engines_without_return_amount(both):
    _same(*both(customer_summary, orders=HISTORY.drop(columns="return_amount")))


@pytest.mark.proof
@pytest.mark.spark
def test_engines_distinct_states(both):
    one, other = both(lambda orders: distinct_states(customer_summary(orders, unit="month")), orders=HISTORY)
    assert one["weight"].sum() == 3
    _same(one, other)


@pytest.mark.proof
@pytest.mark.spark
def test_engines_holdout_summary(both):
    one, other = both(lambda orders: holdout_summary(orders, "2024-01-08", "2024-02-29", unit="week"), orders=HISTORY)
    assert one["holdout_purchases"].sum() == 2
    _same(one, other)


@pytest.mark.proof
@pytest.mark.spark
def test_engines_occasion_days(both):
    _same(*both(occasion_days, orders=HISTORY))


@pytest.mark.proof
@pytest.mark.spark
def test_engines_repeat_times(both):
    one, other = both(lambda orders: ibis.memtable({"time": repeat_times(orders, unit="week")}), orders=HISTORY)
    assert len(one) == 3
    _same(one, other)


@pytest.mark.spark
def test_engines_cdnow_sample(spark):
    data = crmlab.open_dataset("cdnow_sample", engine=spark)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PySpark's own
        summary = customer_summary(data.orders, "1997-09-30", unit="week")
        frame = summary.to_pandas()
        states = distinct_states(summary).count().execute()
    assert (len(frame), frame["frequency"].sum(), states) == (2357, 2457, 1016)

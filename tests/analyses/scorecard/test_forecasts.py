"""Forecast from orders: backtest, nothing from after the day, and histories that are too short."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from crmlab.analyses.scorecard.forecasts import misses_said, quarters_ahead
from crmlab.data.dataset import open_dataset
from crmlab.errors import DataError
from tests.frames import orders


@pytest.fixture(scope="module")
def cdnow():
    return quarters_ahead(open_dataset("cdnow_sample").orders, origins=2)


@pytest.mark.proof
def test_forecast_holds_itself_against_what_came(cdnow):
    tested = cdnow.backtest
    assert tested["origin"].nunique() == 2
    # Two origins: one quarter is known after the later, two after the earlier, of each of two measures.
    assert len(tested) == cdnow.cases == 6
    inside = ((tested["low"] <= tested["seen"]) & (tested["seen"] <= tested["high"])).sum()
    assert cdnow.inside == inside
    assert f"{inside} of the 6 intervals at 90%" in cdnow.said
    if inside < 0.9 * 6:
        assert cdnow.widen > 1
        assert f"widened by a factor of {cdnow.widen:.2f}" in cdnow.said


@pytest.mark.proof
def test_forecast_days_and_parts(cdnow):
    quarters = cdnow.quarters[cdnow.quarters["measure"] == "occasions"]
    assert quarters["quarter"].tolist() == [1, 2, 3, 4, 0]
    assert quarters["first"].iloc[0] == dt.date(1998, 7, 1)
    # 92, 91, 91 and 91 days: the 365 days after the last one.
    assert [(last - first).days + 1 for first, last in zip(quarters["first"], quarters["last"], strict=True)] == [
        92, 91, 91, 91, 365,
    ]  # fmt: skip
    assert (quarters["last"].iloc[3], quarters["last"].iloc[4]) == (dt.date(1999, 6, 30), dt.date(1999, 6, 30))
    # CDNOW won no customer after its first quarter.
    assert (quarters["new"] == 0).all()
    assert not cdnow.seasonal
    assert not cdnow.quarters.isna().to_numpy().any()


@pytest.mark.proof
def test_forecast_does_not_look_ahead():
    table = open_dataset("cdnow_sample").orders
    early = table.filter(table["ordered_at"] < "1998-01-01").to_pandas()
    known = quarters_ahead(table, "1997-12-31", origins=1)
    cut = quarters_ahead(early, "1997-12-31", origins=1)
    pd.testing.assert_frame_equal(known.quarters, cut.quarters)
    pd.testing.assert_frame_equal(known.backtest, cut.backtest)


@pytest.mark.proof
def test_forecast_of_the_shop_knows_its_season():
    found = quarters_ahead(open_dataset("shop").orders, origins=1)
    assert found.seasonal
    expected = found.quarters[found.quarters["measure"] == "occasions"].set_index("quarter")["expected"]
    assert expected[4] == expected[[1, 2, 3, 4]].max()


def test_forecast_refuses_short_histories():
    short = orders(*(("a" if i % 2 else "b", f"2024-0{1 + i}-01", 5.0) for i in range(6)))
    with pytest.raises(DataError, match="at least 3 quarters of 91 days of history. Found: 2024-01-01 to 2024-06-01"):
        quarters_ahead(short)


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ([120, 80], "off by 20% on average, some too high and some too low"),
        ([120, 140], "off by 30% on average, each of them too high"),
        ([100, 100], "off by less than 1%"),
        ([75], "25% too low"),
    ],
)
def test_misses_to_both_sides_do_not_cancel_out(expected, said):
    assert misses_said(pd.DataFrame({"expected": expected, "seen": [100.0] * len(expected)})) == said


def test_nothing_is_said_of_misses_of_nothing():
    assert misses_said(pd.DataFrame({"expected": [3.0], "seen": [0.0]})) == ""

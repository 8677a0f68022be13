"""What was known on a day, and nothing later."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from crmlab.errors import ModelError, TooLittleError
from crmlab.models.forecasts import Purchases

DAY, HORIZON = 500, 60


def drawn(seed=0, n=3000, customers=200, days=800):
    rng = np.random.default_rng(seed)
    who, day = rng.integers(0, customers, n), rng.integers(0, days, n)
    return pd.DataFrame({"customer_id": [f"C{k:04d}" for k in who], "day": day, "spend": rng.gamma(2.0, 20.0, n)})


def test_features_are_those_of_a_loop_over_customers():
    frame = drawn()
    found = Purchases.of(frame).until(DAY).features(HORIZON)
    known = frame[frame["day"] <= DAY].groupby(["customer_id", "day"], as_index=False)["spend"].sum()
    assert found.index.tolist() == sorted(known["customer_id"].unique())
    begins = frame["day"].min()
    assert DAY - begins >= 364
    for customer, rows in list(known.groupby("customer_id"))[::9]:
        day, spend = rows["day"].to_numpy(), rows["spend"].to_numpy()
        told = {
            "frequency": len(day) - 1,
            "recency": day.max() - day.min(),
            "age": DAY - day.min(),
            "days_since_last": DAY - day.max(),
            "mean_gap": np.diff(np.sort(day)).mean() if len(day) > 1 else np.nan,
            "mean_spend": spend.mean(),
        }
        for weeks in (4, 13, 26, 52):
            recent = day > DAY - 7 * weeks
            told |= {f"purchases_{weeks}w": recent.sum(), f"spend_{weeks}w": spend[recent].sum()}
        same = (day > DAY - 364) & (day <= DAY - 364 + HORIZON)
        told |= {"purchases_same": same.sum(), "spend_same": spend[same].sum()}
        assert found.loc[customer].to_dict() == pytest.approx(told, nan_ok=True)
        assert set(told) == set(found.columns)


def test_what_came_is_of_customers_known_and_of_the_days_after():
    frame = pd.DataFrame(
        {"customer_id": ["a", "a", "a", "b", "c"], "day": [1, 5, 9, 4, 6], "spend": [1.0, 2.0, 4.0, 8.0, 16.0]}
    )
    whole = Purchases.of(frame)
    assert whole.came(4, 5).to_dict("index") == {"a": {"purchases": 2, "spend": 6}, "b": {"purchases": 0, "spend": 0}}
    assert whole.came(4, 4).to_dict("index")["a"] == {"purchases": 1, "spend": 2}
    with pytest.raises(ModelError, match="'horizon' must be at most 5"):
        whole.came(4, 6)
    with pytest.raises(ModelError, match="at most 0"):
        whole.until(4).came(4, 1)


def test_nothing_later_can_be_reached():
    frame = drawn()
    later = frame["day"] > DAY
    wild = pd.concat([frame[~later], frame[later].assign(spend=1e6, day=DAY + 1, customer_id="new")])
    cut, whole, other = (Purchases.of(one, ends=800).until(DAY) for one in (frame[~later], frame, wild))
    for one in (whole, other):
        pd.testing.assert_frame_equal(one.features(HORIZON), cut.features(HORIZON), check_exact=True)
        assert (one.begins, one.ends) == (cut.begins, cut.ends)
        assert one.day.max() <= DAY
    with pytest.raises(ModelError, match="the days of the history"):
        whole.until(DAY + 1)


def test_order_and_kind_of_rows_do_not_matter():
    frame = drawn()
    first = Purchases.of(frame).features(HORIZON)
    pd.testing.assert_frame_equal(Purchases.of(frame.sample(frac=1, random_state=3)).features(HORIZON), first, check_exact=True)
    dates = frame.assign(day=pd.Timestamp("2020-01-01") + pd.to_timedelta(frame["day"], "D") + pd.Timedelta("7h"))
    pd.testing.assert_frame_equal(Purchases.of(dates).features(HORIZON), first, check_exact=True)
    plain = dates.assign(day=dates["day"].dt.date)
    for one in (Purchases.of(plain), Purchases.of(plain.assign(day=plain["day"].astype(str)))):
        pd.testing.assert_frame_equal(one.features(HORIZON), first, check_exact=True)
    day = dt.date(2020, 1, 1) + dt.timedelta(DAY)
    by_day = Purchases.of(dates).until(day)
    assert len(by_day.day) == len(Purchases.of(dates).until(str(day)).day) == len(Purchases.of(frame).until(DAY).day)
    assert by_day.until(pd.Timestamp(day)).ends == by_day.until(np.datetime64(day)).ends == by_day.ends


def test_the_same_weeks_are_not_known_before_a_year_has_passed():
    frame = pd.DataFrame({"customer_id": ["a", "a"], "day": [0, 100], "spend": [1.0, 1.0]})
    assert Purchases.of(frame, ends=362).features(30)["purchases_same"].isna().all()
    assert Purchases.of(frame, ends=363).features(30)["purchases_same"].tolist() == [1.0]
    assert Purchases.of(frame, begins=-1, ends=362).features(30)["purchases_same"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("changes", "options", "words"),
    [
        ({"spend": [1.0, -2.0]}, {}, "'spend' must be at least 0. Got -2"),
        ({"spend": [1.0, np.nan]}, {}, "'spend' must be finite"),
        ({"customer_id": ["a", None]}, {}, "'customer_id' must be there for each"),
        ({"day": [1.0, 2.5]}, {}, "'day' must be whole numbers, or dates"),
        ({"day": ["monday", "friday"]}, {}, "'day' must be whole numbers, or dates"),
        ({"day": [None, 1]}, {}, "'day' must be .* none of them missing"),
        ({"day": pd.to_datetime(["2020-01-01", "2020-01-02"], utc=True)}, {}, "without a time zone"),
        ({}, {"begins": 2}, "'begins' must be at most the day of the first"),
        ({}, {"ends": "soon"}, "'ends' must be a day"),
        ({}, {"ends": True}, "'ends' must be a day"),
    ],
)
def test_what_are_no_purchases_is_refused(changes, options, words):
    frame = pd.DataFrame({"customer_id": ["a", "b"], "day": [1, 2], "spend": [1.0, 2.0]} | changes)
    with pytest.raises(ModelError, match=words):
        Purchases.of(frame, **options)


def test_no_purchases_are_too_little():
    frame = pd.DataFrame({"customer_id": ["a"], "day": [3], "spend": [1.0]})
    with pytest.raises(TooLittleError, match="needs at least one purchase"):
        Purchases.of(frame.iloc[:0])
    with pytest.raises(TooLittleError, match="needs at least one purchase"):
        Purchases.of(frame, ends=2)
    with pytest.raises(TooLittleError, match="none by day 2"):
        Purchases.of(frame, begins=1).until(2)
    with pytest.raises(ModelError, match="missing column 'spend'"):
        Purchases.of(frame.drop(columns="spend"))
    for wrong in (0, -3, 1.5, True, "7"):
        with pytest.raises(ModelError, match="'horizon' must be a whole number of days"):
            Purchases.of(frame).features(wrong)

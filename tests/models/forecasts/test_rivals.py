"""Rivals tell what they say they do, know nothing of the future, and beat the mean rate where there is something to learn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from crmlab.errors import ModelError, TooLittleError
from crmlab.models.classification import gini
from crmlab.models.forecasts import (
    Boosting,
    LinearZILN,
    MeanRate,
    Purchases,
    RecentPace,
    SameWeeks,
    Scored,
    differences,
    scaled_to,
)

DAY, HORIZON = 560, 91
RIVALS = [
    RecentPace(), RecentPace("spend"), RecentPace("spend", days=91), MeanRate(), MeanRate("spend"), SameWeeks(), SameWeeks("spend"),
    Boosting(), Boosting("spend"), LinearZILN(), LinearZILN("purchases"),
]  # fmt: skip


def drawn(seed=0, customers=600, days=700):
    """Customers who come over a year, buy at their own rates, drop out, and spend their own amounts."""
    rng = np.random.default_rng(seed)
    begins, rate = rng.integers(0, 365, customers), rng.gamma(1.0, 0.02, customers)
    ends, size = begins + rng.exponential(500, customers), rng.lognormal(3.0, 0.7, customers)
    day = np.arange(days)
    alive = (day > begins[:, None]) & (day < ends[:, None])
    who, when = np.nonzero((rng.random((customers, days)) < rate[:, None]) & alive | (day == begins[:, None]))
    return pd.DataFrame({"customer_id": who, "day": when, "spend": size[who] * rng.lognormal(0.0, 0.3, len(who))})


@pytest.fixture(scope="module")
def whole():
    return Purchases.of(drawn())


@pytest.mark.parametrize("rival", RIVALS, ids=repr)
def test_nothing_after_the_origin_changes_a_forecast(rival, whole):
    frame = drawn()
    later = frame["day"] > DAY
    wild = frame[later].assign(spend=1e5, customer_id=lambda rows: rows["customer_id"] % 7)
    other = Purchases.of(pd.concat([frame[~later], wild, wild.assign(day=DAY + 1)]))
    first, second = (clone(rival).fit(one.until(DAY), HORIZON).predict(one.until(DAY)) for one in (whole, other))
    pd.testing.assert_series_equal(first, second, check_exact=True)
    assert first.name == rival.target
    assert first.index.tolist() == sorted(frame.loc[~later, "customer_id"].unique())
    assert np.isfinite(first).all()
    assert (first >= 0).all()
    assert first.sum() > 0
    # Whether it would be noticed: the same rows, known.
    known = Purchases.of(pd.concat([frame[~later], *(wild.assign(day=DAY - back) for back in (1, 300))]), ends=700).until(DAY)
    assert not clone(rival).fit(known, HORIZON).predict(known).equals(first)


@pytest.mark.parametrize("rival", [Boosting(), LinearZILN()], ids=repr)
def test_windows_that_are_learnt_from_end_by_the_origin(rival, whole):
    # What the last days before the origin brought is learnt: they are the end of the last window, and no more than that is.
    past = whole.until(DAY)
    some = past.day > DAY - 5
    changed = Purchases(past.ids, past.customer, past.day, np.where(some, past.spend * 50, past.spend), past.begins, past.ends)
    earlier = whole.until(DAY - HORIZON)
    first, second = (clone(rival).set_params(target="spend").fit(one, HORIZON).predict(earlier) for one in (past, changed))
    assert not first.equals(second)


@pytest.mark.parametrize("rival", [Boosting("spend", rows=500), LinearZILN(rows=500)], ids=repr)
def test_the_same_seed_gives_the_same_forecast(rival, whole):
    past = whole.until(DAY)
    told = [clone(rival).set_params(seed=seed).fit(past, HORIZON).predict(past) for seed in (4, 4, 5)]
    pd.testing.assert_series_equal(told[0], told[1], check_exact=True)
    assert not told[0].equals(told[2])


def test_simple_rules_by_hand():
    days = [0, 100, 150, 400, 500, 500]
    frame = pd.DataFrame(
        {"customer_id": ["a", "a", "b", "b", "a", "c"], "day": days, "spend": [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]}
    )
    past = Purchases.of(frame)
    assert RecentPace().fit(past, 73).predict(past).to_dict() == pytest.approx({"a": 0.2, "b": 0.4, "c": 0.2})
    assert RecentPace("spend", days=100).fit(past, 50).predict(past).to_dict() == pytest.approx({"a": 8.0, "b": 0.0, "c": 16.0})
    assert MeanRate().fit(past, 50).predict(past).to_dict() == pytest.approx({"a": 0.2, "b": 50 / 350, "c": 0.0})
    assert MeanRate("spend").fit(past, 50).predict(past)["a"] == pytest.approx(0.2 * 19 / 3)
    # The 14 days from 137 on: 364 days before those from 501 on.
    assert SameWeeks("spend").fit(past, 14).predict(past).to_dict() == pytest.approx({"a": 0.0, "b": 4.0, "c": 0.0})
    assert SameWeeks("spend").fit(past, 13).predict(past).sum() == 0
    assert SameWeeks("spend").fit(past, 364 + 14).predict(past).to_dict() == pytest.approx({"a": 16.0, "b": 16.0, "c": 32.0})


def test_scaled_to_a_total_keeps_the_order(whole):
    past = whole.until(DAY)
    ranks, level = (one.fit(past, HORIZON).predict(past) for one in (MeanRate("spend"), RecentPace("spend")))
    both = scaled_to(ranks, float(level.sum()))
    assert both.sum() == pytest.approx(level.sum())
    assert (both / ranks)[ranks > 0].std() == pytest.approx(0.0, abs=1e-9)
    assert scaled_to([0.0, 0.0], 0.0).tolist() == [0.0, 0.0]
    for scores, total, words in (
        ([0.0, 0.0], 1.0, "above 0 for somebody"), ([-1.0], 1.0, "'scores' must be at least 0"), ([1.0], -1.0, "'total' must be at"),
    ):  # fmt: skip
        with pytest.raises(ModelError, match=words):
            scaled_to(scores, total)


def test_too_little_is_said():
    short = Purchases.of(pd.DataFrame({"customer_id": ["a", "b"], "day": [0, 200], "spend": [1.0, 1.0]}))
    for rival, words in (
        (RecentPace(), "RecentPace: needs 365 days of history. Found: 201"),
        (SameWeeks(), "SameWeeks: needs 364 days of history. Found: 201"),
        (Boosting(), "needs 20 customers in earlier windows, and 5 cases in which one of them then bought. Found: 1 and 0"),
        (LinearZILN(), "LinearZILN: needs 20 customers"),
    ):
        with pytest.raises(TooLittleError, match=words):
            rival.fit(short, 91)
    with pytest.raises(TooLittleError, match="needs 228 days of history to learn what 200 days bring"):
        Boosting().fit(short, 200)
    assert MeanRate().fit(short, 91).predict(short).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("rival", [Boosting(), LinearZILN("spend"), LinearZILN("purchases")], ids=repr)
def test_odd_histories_have_an_answer(rival):
    n = 40
    once = pd.DataFrame({"customer_id": range(n), "day": np.arange(n) * 9, "spend": 1.0})
    with pytest.raises(TooLittleError, match="one of them then bought"):  # nobody bought again
        clone(rival).fit(Purchases.of(once), 30)
    # Everybody buys the same every day: alike, or nobody without a purchase to tell apart.
    daily = pd.DataFrame({"customer_id": np.repeat(range(n), 100), "day": np.tile(range(100), n), "spend": 1.0})
    past = Purchases.of(daily)
    if isinstance(rival, Boosting):
        told = clone(rival).fit(past, 30).predict(past)
        assert told.to_numpy() == pytest.approx(np.full(n, 30.0), rel=0.01)
    else:
        with pytest.raises(TooLittleError, match="one of 0"):
            clone(rival).fit(past, 30)
    free = drawn(customers=100).assign(spend=0.0)
    if rival.target == "spend":
        with pytest.raises(TooLittleError, match="one of them then bought. Found: 100 and 0"):
            clone(rival).fit(Purchases.of(free), HORIZON)
    else:
        assert clone(rival).fit(Purchases.of(free), HORIZON).predict(Purchases.of(free)).sum() > 0


def test_parameters_are_checked(whole):
    past = whole.until(DAY)
    for rival, words in (
        (MeanRate("money"), "'target' must be one of purchases, spend"),
        (RecentPace(days=0), "'days' must be a whole number of at least 1"),
        (Boosting(windows=0), "'windows' must be a whole number"),
        (LinearZILN(rows=1.5), "'rows' must be a whole number"),
    ):
        with pytest.raises(ModelError, match=words):
            rival.fit(past, HORIZON)
        with pytest.raises(NotFittedError):
            rival.predict(past)
    with pytest.raises(ModelError, match="'horizon' must be a whole number of days"):
        MeanRate().fit(past, 0)


def test_learners_beat_the_mean_rate_on_cdnow():
    import crmlab
    from crmlab.history.past import History

    occasions = History(crmlab.open_dataset("cdnow_sample"), None).occasions()
    whole = Purchases.of(occasions[occasions["is_occasion"]])
    origin, horizon = "1998-01-05", 176
    past = whole.until(origin)
    for target in ("purchases", "spend"):
        trial = whole.came(origin, horizon)[[target]].rename(columns={target: "actual"})
        for name, rival in (
            ("mean rate", MeanRate(target)),
            ("boosting", Boosting(target, windows=6)),
            ("ZILN", LinearZILN(target, windows=6)),
        ):
            trial[name] = rival.fit(past, horizon).predict(past)
        ranked = {name: gini(trial["actual"], trial[name])[0] for name in trial}
        off = (trial.sum() / trial["actual"].sum() - 1).abs()
        assert off["boosting"] < 0.2 < off["ZILN"] + 0.15 < off["mean rate"]
        assert ranked["ZILN"] > ranked["mean rate"] - 0.01
        assert ranked["boosting"] > ranked["mean rate"] - 0.01
        shown = differences(Scored.of({origin: trial}), "total", "mean rate")
        assert shown["better"].tolist() == ["boosting", "ZILN"]

"""A model scores a day that is unlike those it was learnt and tested on, and the page does not know it.

What would go wrong: a fact that is the same for everybody but for rounding is divided by that rounding, and the next day's values decide
every score; or customers have changed so much that scores mean nothing, and the page prints them with an interval.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import special

import crmlab
from crmlab.analyses import churn
from crmlab.analyses.churn import exhibits, words
from crmlab.analyses.churn.drift import drift_of
from crmlab.analyses.churn.model import features_of, fit
from crmlab.analyses.churn.reductions import with_model
from crmlab.analyses.churn.report import EXHIBITS
from crmlab.analyses.churn.study import study, told_on_all
from crmlab.analyses.customer_value import Choice, Season, base_of
from crmlab.analyses.customers import customer_outputs, customer_table
from crmlab.history.past import History
from crmlab.models.classification import brier, stability_index, varies
from crmlab.page.exhibits import page


def customers_of(alive, n=4000, seed=0, shift=0.0):
    """Simulated customers whose churn depends on how long they are silent; P(alive) is as given, and says nothing."""
    rng = np.random.default_rng(seed)
    silent = rng.exponential(60.0, n) + shift
    p = special.expit(1.28 * (np.log1p(silent) - 3.7))
    return pd.DataFrame(
        {
            "customer_id": [f"c{k}" for k in range(n)],
            "days_since_last": silent,
            "occasions": rng.poisson(3.0, n) + 1,
            "probability_alive": alive(rng, n),
            "churned": rng.random(n) < p,
        }
    )


def at_the_boundary(rng, n):
    return 1 - 1e-8 * rng.random(n)


def inside(rng, n):
    return 1 - 0.02 * rng.random(n)


@pytest.mark.parametrize("name", ["logistic", "boosting"])
def test_a_fact_whose_spread_is_rounding_decides_no_score(name):
    train, held = customers_of(at_the_boundary, seed=1), customers_of(at_the_boundary, seed=2)
    today = customers_of(inside, seed=3)
    scorer = fit(name, features_of(train), train, held)
    assert "probability_alive" not in scorer.columns
    assert brier(today["churned"], scorer.probability(today)) == pytest.approx(0.176, abs=0.006)
    assert scorer.probability(today).sum() == pytest.approx(today["churned"].sum(), rel=0.04)


@pytest.mark.parametrize("spread", [1e-7, 1e-5, 1e-4, 1e-3])
def test_a_value_far_outside_of_what_was_learnt_is_clipped(spread):
    # A spread that is small but no rounding stays; the next day's values lie up to 200,000 standard deviations away.
    train = customers_of(lambda rng, n: 1 - spread * rng.random(n), seed=1)
    held = customers_of(lambda rng, n: 1 - spread * rng.random(n), seed=2)
    today = customers_of(inside, seed=3)
    scorer = fit("logistic", ("days_since_last", "occasions", "probability_alive"), train, held)
    assert brier(today["churned"], scorer.probability(today)) == pytest.approx(0.176, abs=0.012)


def test_spread_is_measured_against_the_size_of_values():
    assert (
        not varies([1.0, 1 - 1e-8, 1 - 2e-8])
        and not varies([1e9, 1e9 + 1])
        and not varies([0.0, 0.0])
        and not varies([np.nan] * 3)
    )
    assert varies([1e-12, 3e-12]) and varies([0.0, 1.0]) and varies([np.nan, 1.0, 2.0]) and varies([1.0] * 9999 + [2.0])


def test_the_index_is_that_of_the_formula():
    # Shares .5/.3/.2 before, .3/.3/.4 now: (.3−.5)·ln(.3/.5) + (.4−.2)·ln(.4/.2) = .2408, by Siddiqi's formula.
    before, now = np.repeat([1.0, 2.0, 3.0], [50_000, 30_000, 20_000]), np.repeat([1.0, 2.0, 3.0], [30_000, 30_000, 40_000])
    assert stability_index(before, now)[0] == pytest.approx(0.2408, abs=1e-3)
    assert stability_index(before, now + 1e-9)[0] == pytest.approx(0.2408, abs=1e-3)  # rounding moves nothing to another bin
    rng = np.random.default_rng(5)
    drawn = [stability_index(rng.normal(size=400), rng.normal(size=300)) for _ in range(300)]
    assert np.mean([index > chance for index, chance in drawn]) < 0.12
    assert stability_index(rng.normal(size=4000), rng.normal(1.0, size=4000))[0] == pytest.approx(
        1.0, abs=0.15
    )  # d² of one deviation


@pytest.fixture(scope="module")
def found():
    return study(History(crmlab.open_dataset("cdnow_sample"), None), churn.Params())


@pytest.mark.proof
def test_the_page_compares_each_fact_and_the_scores_with_those_of_the_tests_day(found):
    table = exhibits.drift_table(found)
    assert set(found.found.drift.rows.index) == {"score", *found.found.scorer.columns}
    assert table.frame["says"].iloc[0] == "the scores: probability of churn"
    # A cohort that was won in one quarter grows older: that moved far, and is said; the scores are as they were.
    assert "days since the first purchase" in found.found.drift.far and not found.found.refused
    assert any("days since the first purchase" in text for text in words.warnings(found))
    assert "over 0.25 a large change" in table.caption


def refusing(found):
    """The same scores, where all customers of today are like the one who was likeliest to leave."""
    scores = found.found
    worst = scores.rows.iloc[[int(np.argmax(scores.scorer.probability(scores.rows)))] * len(scores.rows)].reset_index(drop=True)
    rows = worst.assign(customer_id=scores.rows["customer_id"].to_numpy())
    return replace(scores, rows=rows, drift=drift_of(scores.scorer, scores.tested.test, rows))


@pytest.mark.proof
def test_scores_that_moved_too_far_are_refused(found, monkeypatch):
    scores = refusing(found)
    assert scores.refused and scores.customers["churn"].isna().all() and (scores.customers["reason_1"] == "").all()
    assert scores.interval(scores.rows["customer_id"].iloc[0], 0.9) is None
    monkeypatch.setattr("crmlab.analyses.churn.study.scores", lambda history, params: scores)
    history = History(crmlab.open_dataset("cdnow_sample"), None)
    refused = page(study(history, churn.Params()), EXHIBITS, words, churn.QUANTITIES)
    assert [finding.sentence() for finding in refused.findings] == [
        "498 customers who bought in the last 168 days get no scores today: they differ too much from those on whom the scores were tested."
    ]
    assert refused.warnings[0].startswith("No scores are given. Today’s customers are so unlike those of the test day")
    assert not {"expected_churners", "expected_loss_total", "worth_contacting"} & set(refused.metrics)
    assert {"matrix", "holdout"} <= set(refused.absent) and refused.tables["drift"].frame["grade"].iloc[0] == "changed too much"
    listed = refused.outputs["customers"].frame
    assert listed["churn"].isna().all() and set(listed["keeping_pays"]) == {"no score today"}


@pytest.mark.nightly
def test_other_pages_cope_with_scores_that_are_missing(found, monkeypatch):
    scores = refusing(found)
    monkeypatch.setattr("crmlab.analyses.churn.study._scores", lambda history, params: scores)
    data = crmlab.open_dataset("cdnow_sample")
    assert customer_outputs(data, needed=["churn"])["churn"].isna().all()
    table = customer_table(data)
    assert table["churn"].isna().all() and table["churn_model"].isna().all() and table["value"].notna().any()


@pytest.fixture
def own(tmp_path):
    """Opens orders of one's own."""

    def opened(orders):
        orders.assign(order_id=range(len(orders))).to_csv(tmp_path / "own.csv", index=False)
        (tmp_path / "own.toml").write_text('title = "Own"\ncurrency = "EUR"\n[orders]\nfile = "own.csv"\n')
        return crmlab.open_dataset(str(tmp_path / "own.toml"))

    return opened


def test_what_a_model_on_its_boundary_says_is_missing(own):
    # One purchase in every ten days and nobody silent: no model sees anybody drop out.
    rng, days = np.random.default_rng(0), pd.date_range("2024-01-01", "2024-06-30", freq="10D")
    rows = [(f"c{k:02d}", day + pd.Timedelta(days=int(rng.integers(0, 9))), 10.0) for k in range(60) for day in days]
    history = History(own(pd.DataFrame(rows, columns=["customer_id", "ordered_at", "amount"])), None)
    choice = Choice(name="bg_nbd", by="given", ranked=None, untested="", season=Season(by="off", tested=pd.DataFrame()))
    assert choice.fit(base_of(history)).boundary_ is not None
    frame = pd.DataFrame({"customer_id": ["c00", "c01"], "date": pd.Timestamp(history.as_of)})
    told = with_model(frame, history, 30, choice)
    assert told["probability_alive"].isna().all() and told["expected_purchases"].isna().all()


def test_a_model_that_is_silent_on_one_day_is_used_on_none():
    days = {dt.date(2024, k, 1): pd.DataFrame({"probability_alive": [0.5, 0.6], "expected_purchases": 1.0}) for k in (1, 2, 3)}
    assert told_on_all(days) == (days, ())
    days[dt.date(2024, 2, 1)] = days[dt.date(2024, 2, 1)].assign(probability_alive=np.nan, expected_purchases=np.nan)
    blank, untold = told_on_all(days)
    assert untold == (dt.date(2024, 2, 1),)
    assert all(rows["probability_alive"].isna().all() and rows["expected_purchases"].isna().all() for rows in blank.values())


def eleven_years(n=6000, seed=0):
    """Orders of eleven years by customers of whom most buy once or twice; nobody drops out, and each buys more often as time goes by."""
    rng, length = np.random.default_rng(seed), 365 * 11
    start = rng.integers(0, length, n)
    again = rng.poisson(rng.gamma(0.4, 1 / (0.4 * 1500), n) * (length - start))
    who = np.repeat(np.arange(n), again)
    later = start[who] + rng.random(len(who)) ** 0.8 * (length - start[who])
    customer, day = np.concatenate([np.arange(n), who]), np.concatenate([start, later.astype(int)])
    amount = np.round(rng.gamma(4, 10, len(day)) + 1, 2)
    when = pd.Timestamp("2013-01-01") + pd.to_timedelta(day, unit="D")
    frame = pd.DataFrame({"customer_id": [f"c{k:04d}" for k in customer], "ordered_at": when, "amount": amount})
    return frame.sort_values(["ordered_at", "customer_id"], ignore_index=True)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(4))
def test_as_many_stay_away_as_were_expected(own, seed):
    orders = eleven_years(seed=seed)
    assert (orders.groupby("customer_id").size() <= 2).mean() > 0.7
    day, window = pd.Timestamp("2022-06-30"), 546
    found = study(History(own(orders), str(day.date())), churn.Params(window=window))
    assert found.found.untold  # nobody drops out, so that the model of purchases is on its boundary
    assert any("could not be worked out reliably" in text for text in words.warnings(found))
    bought = orders.loc[
        orders["ordered_at"].between(day + pd.Timedelta(days=1), day + pd.Timedelta(days=window)), "customer_id"
    ]
    came = int((~found.listed["customer_id"].isin(bought)).sum())
    expected = found.estimates["expected_churners"]
    assert expected.value == pytest.approx(came, rel=0.04)
    assert expected.low <= came <= expected.high

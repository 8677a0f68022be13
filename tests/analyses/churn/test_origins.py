"""Churn told on several past days: from what was known then, held to the season to come, and against what came."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import special

import crmlab
from crmlab.analyses.churn import model as churn_model
from crmlab.analyses.churn import study as churn_study
from crmlab.analyses.churn.model import Scorer, shift_to
from crmlab.analyses.churn.origins import Told, alike, foretold, off_by, on_average, tenths_of, totals_of
from crmlab.analyses.churn.trials import shift_of, trial
from crmlab.errors import ModelError
from crmlab.history.past import History
from crmlab.models.intervals import wilson

DAY = dt.date(2024, 11, 1)


def told_on(day, probability, churned, *, in_season=True):
    rows = pd.DataFrame(
        {"customer_id": [f"c{k:05d}" for k in range(len(churned))], "probability": probability, "churned": churned}
    )
    return Told(day=day, in_season=in_season, rows=rows)


def test_tenths_and_totals_are_counted():
    told = told_on(DAY, np.linspace(0.05, 0.95, 100), np.arange(100) >= 60)
    (row,) = totals_of([told], 0.9).to_dict("records")
    assert (row["customers"], row["told"], row["came"]) == (100, pytest.approx(0.5), 0.4)
    assert (row["low"], row["high"]) == wilson(40, 100, 0.9) and row["difference"] == pytest.approx(-0.1)
    tenths = tenths_of([told, told_on(DAY - dt.timedelta(days=60), np.full(30, 0.3), np.zeros(30, dtype=bool))], 0.9)
    assert tenths.groupby("day")["customers"].sum().tolist() == [30, 100]
    assert tenths.loc[tenths["day"] == pd.Timestamp(DAY), "seen"].tolist() == [0.0] * 6 + [1.0] * 4


def test_who_was_told_the_same_is_in_the_same_tenth():
    """Of two days that differ in the names of customers alone, tenths are the same."""
    probability, churned = np.repeat([0.2, 0.6], [55, 45]), np.arange(100) % 2 == 0
    tenths = tenths_of([told_on(DAY, probability, churned)], 0.9)
    assert tenths[["tenth", "customers"]].to_numpy().tolist() == [[3, 55], [8, 45]]
    assert tenths["told"].tolist() == pytest.approx([0.2, 0.6])


def test_how_far_forecasts_were_off_is_of_days_that_knew_as_much():
    half, came = np.full(1000, 0.5), np.arange(1000) < 731
    known = told_on(DAY, half, came)
    later = told_on(DAY - dt.timedelta(days=90), half, ~came)
    unknown = told_on(DAY - dt.timedelta(days=180), np.full(1000, 0.01), came, in_season=False)
    off = np.log(0.731 / 0.269)
    assert shift_of(known.rows) == pytest.approx(off) and off_by([known, later]) == pytest.approx(off)
    assert off_by([known, later, unknown]) == pytest.approx(off)
    # The mean on the page is over the same days: one that knew of no season says nothing of today's number.
    assert alike([known, unknown, later]) == (known, later)
    days, told, happened = on_average([known, later, unknown])
    assert (days, told) == (2, pytest.approx((known.told + later.told) / 2)) and happened == pytest.approx(0.5)


class _Odds:
    """A model whose probability is a column."""

    def predict_proba(self, frame):
        p = frame["p"].to_numpy(float)
        return np.column_stack([1 - p, p])


def test_as_many_churn_as_the_season_lets_expect_and_the_order_stays():
    rng = np.random.default_rng(3)
    rows = pd.DataFrame({"p": rng.uniform(0.1, 0.9, 500), "probability_of_purchase": rng.beta(2, 5, 500)})
    scorer = Scorer(name="recency", model=_Odds(), columns=("p",), intercept=0.3, slope=0.8)
    held = scorer.held_to(rows)
    assert held.probability(rows).mean() == pytest.approx(1 - rows["probability_of_purchase"].mean(), abs=1e-9)
    moved = special.logit(held.probability(rows)) - special.logit(scorer.probability(rows))
    assert np.ptp(moved) < 1e-9  # all by as much, so that nobody overtakes anybody
    assert scorer.held_to(rows.drop(columns="probability_of_purchase")) is scorer
    assert scorer.held_to(rows.assign(probability_of_purchase=np.nan)) is scorer


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_a_share_is_reached(share):
    odds = np.array([-3.0, 0.0, 4.0, 1.0])
    reached = special.expit(odds + shift_to(odds, share)).mean()
    assert reached == pytest.approx(np.clip(share, 0.125, 0.875))


@pytest.mark.parametrize("odds", [[60.0, 62.0], [-90.0, -50.0, 80.0], [np.inf, -np.inf, 0.0]])
def test_a_share_is_reached_from_far(odds):
    reached = special.expit(np.clip(odds, -30, 30) + shift_to(np.array(odds), 0.5)).mean()
    assert reached == pytest.approx(0.5)


@pytest.mark.parametrize(("odds", "share"), [([], 0.5), ([0.0, np.nan], 0.5), ([0.0], np.nan), ([0.0], 1.5)])
def test_a_share_of_nothing_is_refused(odds, share):
    with pytest.raises(ModelError, match="shift_to: '(odds|share)' must be"):
        shift_to(np.array(odds), share)


def test_one_customer_of_whom_nothing_is_known_takes_the_season_from_nobody():
    rng = np.random.default_rng(3)
    rows = pd.DataFrame({"p": rng.uniform(0.1, 0.9, 500), "probability_of_purchase": rng.beta(2, 5, 500)})
    scorer = Scorer(name="recency", model=_Odds(), columns=("p",), intercept=0.3, slope=0.8)
    some = rows.assign(probability_of_purchase=rows["probability_of_purchase"].where(rows.index > 0))
    held, known = scorer.held_to(some), rows.iloc[1:]
    assert held.probability(known).mean() == pytest.approx(1 - known["probability_of_purchase"].mean(), abs=1e-9)
    assert scorer.held_to(rows.head(0)) is scorer


def planted(day, share, seed, season=None):
    """Eligible customers of a day: churn falls with what they spent lately, and as many churn as is said."""
    rng = np.random.default_rng(seed)
    spent = rng.gamma(2.0, 10.0, 1500)
    odds = -0.08 * spent
    p = special.expit(odds + shift_to(odds, share))
    rows = {
        "customer_id": [f"c{k:05d}" for k in range(1500)], "date": pd.Timestamp(day), "days_since_last": rng.integers(1, 90, 1500),
        "mean_gap": 30.0, "recent_spend": spent, "probability_alive": 0.9, "churned": rng.random(1500) < p,
    }  # fmt: skip
    return pd.DataFrame(rows if season is None else rows | {"probability_of_purchase": 1 - season})


@pytest.mark.proof
@pytest.mark.parametrize("known", [True, False])
def test_a_season_that_comes_is_told_where_it_is_known(known):
    # Slow and busy windows in turn. Each is told from the window before it, which was of the other kind.
    shares = [0.35, 0.65, 0.35, 0.65, 0.35]
    origins = tuple(DAY - dt.timedelta(days=60 * k) for k in range(5))
    scheme = churn_model.Plan(window=60, bound_by="given", active_within=60, origins=origins, missing=0)
    days = {
        day: planted(day, share, k, share if known else None)
        for k, (day, share) in enumerate(zip(origins, shares, strict=True))
    }
    tested = trial(days, scheme, None, seed=0)
    past = foretold(scheme, tested, known, lambda then: ({day: days[day] for day in then.origins}, known))
    assert [one.day for one in past] == list(origins[:3])
    # The test's day is told as the trial told it.
    assert past[0].rows["probability"].equals(tested.test["probability"])
    off = totals_of(past, 0.9)["difference"].abs()
    assert (off < 0.04).all() if known else (off > 0.2).all()
    assert (off_by(past) < 0.15) == known


def test_a_day_is_told_from_what_was_known_on_it(monkeypatch):
    """Each past day asks for its own model of purchases; its rows serve again where that is the one of the test's day."""
    asked = []
    choices = {0: ("mbg_nbd", True), 1: ("mbg_nbd", True), 2: ("mbg_nbd", False)}
    origins = tuple(DAY - dt.timedelta(days=60 * k) for k in range(4))

    def chosen(history):
        name, in_season = choices[origins.index(history.as_of)]
        return SimpleNamespace(name=name, in_season=in_season)

    monkeypatch.setattr(churn_study, "_choice", chosen)
    monkeypatch.setattr(
        churn_study, "_rows_of", lambda history, scheme, days, *, outcome: pd.concat([known[day] for day in days])
    )
    monkeypatch.setattr(churn_study, "_modelled", lambda rows, history, scheme, choice: asked.append(choice) or rows)
    known = {day: planted(day, 0.5, k).assign(expected_purchases=1.0) for k, day in enumerate(origins)}
    history = SimpleNamespace(earlier=lambda day: SimpleNamespace(as_of=day))
    choice = SimpleNamespace(name="mbg_nbd", in_season=True)
    for k, followed in ((1, True), (2, False)):
        then = churn_model.Plan(window=60, bound_by="given", active_within=60, origins=origins[k:], missing=0)
        days, in_season = churn_study._as_known(history, then, known, choice)
        assert set(days) == set(origins[k:]) and in_season == followed
    assert [one.in_season for one in asked] == [False]


@pytest.mark.proof
def test_on_the_shop_the_season_is_followed_and_told_better():
    found = churn_study.scores(History(crmlab.open_dataset("shop"), None))
    table = totals_of(found.past, 0.9)
    assert found.in_season and table["in_season"].tolist() == [True, True, False]
    followed = table[table["in_season"]]
    # 2 and 1 points off; on the day on which no season was known yet it was 19.
    assert (followed["difference"].abs() < 0.04).all() and followed["difference"].abs().max() < table[
        "difference"
    ].abs().max() / 4

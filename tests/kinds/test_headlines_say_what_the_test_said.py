"""A headline that the check below it refutes: a sum with a narrow interval over a forecast that was 19% too low.

The headline says how far the forecast of a known time was off, its interval is at least as wide as that, on every page that shows the
sum; and where nothing was checked, it says so.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import crmlab
from crmlab.analyses import customer_value, scorecard
from crmlab.analyses.customer_value.misses import Miss
from crmlab.data.shop.make import make_shop
from crmlab.history.past import History
from crmlab.history.words import ROUNDS
from crmlab.page.format import Format


def opened(folder, days):
    orders = make_shop(100, seed=2, days=days).tables["orders"]
    orders.to_csv(folder / "orders.csv", index=False)
    (folder / "own.toml").write_text('title = "Own"\ncurrency = "EUR"\n\n[orders]\nfile = "orders.csv"\n')
    return crmlab.open_dataset(str(folder / "own.toml"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return opened(tmp_path_factory.mktemp("own"), 500)


@pytest.fixture(scope="module")
def page(data):
    return customer_value.run(data)


def said_by(result):
    """The sentence and the interval of the value of the base."""
    return next(finding for finding in result.findings if finding.metric == "value_total")


def check(result, row):
    """The headline says the bias of the table, on its side, and its interval reaches as far as the miss, both ways."""
    headline, total = said_by(result).sentence(), result.metrics["value_total"]
    off = row["spend_forecast"] / row["spend_seen"] - 1
    assert row["spend_bias"] == pytest.approx(off)
    if abs(off) >= 0.005:
        assert f"{Format().share(abs(off))} too {'low' if off < 0 else 'high'}" in headline
    deeds = max(row["seen"] / row["forecast"], row["forecast"] / row["seen"])
    money = max(deeds, 1 / (1 + off), 1 + off)
    for name, estimate in result.metrics.items():
        factor = deeds if name == "expected_purchases_total" else money
        names = ("value_total", "value_within_horizon", "expected_purchases_total", "if_loyal_total", "value_today_total")
        if name in names or name.startswith("value_tier_"):
            assert estimate.low <= estimate.value / factor and estimate.high >= estimate.value * factor, name
    shown = Format("EUR").measured(total.value, total.low, total.high, "money")
    assert shown.interval in headline or result.context.form.currency != "EUR"


@pytest.mark.proof
def test_the_headline_says_what_the_check_said(data, page):
    name = customer_value.scores(History(data)).fit.choice.name
    rows = page.tables["scores"].frame.set_index("name")
    check(page, rows.loc[name])
    errors = rows["spend_bias"].abs()
    closer = errors[["last_year", "average"]].min() < errors[name]
    assert ("came closer" in said_by(page).sentence()) == closer


@pytest.mark.proof
def test_the_scorecard_says_the_same_of_the_same_total(data, page):
    other = scorecard.run(data, scorecard.Params())
    mine, theirs = said_by(page), said_by(other)
    assert (mine.value, mine.interval) == (theirs.value, theirs.interval)
    assert theirs.text.startswith(mine.text)
    now = other.tables["value"].frame.iloc[-1]
    total = page.metrics["value_total"]
    assert [now["value"], now["low"], now["high"]] == [total.value, total.low, total.high]


@pytest.mark.proof
def test_where_nothing_was_checked_the_headline_says_so(tmp_path):
    page = customer_value.run(opened(tmp_path, 50))
    assert "scores" not in page.tables
    assert "No earlier forecast could be checked" in said_by(page).sentence()


@pytest.mark.parametrize(("forecast", "seen"), [(80.0, 100.0), (125.0, 100.0), (100.0, 100.0), (12.0, 0.0), (1e-9, 30.0)])
def test_an_interval_is_as_wide_as_the_miss_both_ways(forecast, seen):
    found = Miss(forecast=forecast, seen=seen, holdout=26)
    value, ends = np.array([100.0, -45.0, 100.0]), (np.array([90.0, -50.0, 70.0]), np.array([110.0, -40.0, 150.0]))
    low, high = found.widened(value, *ends)
    assert (low <= ends[0]).all() and (high >= ends[1]).all()
    if seen and forecast > 1:
        factor = max(seen / forecast, forecast / seen)
        # As far as the miss, and no further: an interval that carries as much already stays as it is.
        assert low[0] == pytest.approx(min(90, 100 / factor)) and high[0] == pytest.approx(max(110, 100 * factor))
        assert low[1] == pytest.approx(min(-50, -45 * factor)) and high[1] == pytest.approx(max(-40, -45 / factor))
        assert low[2] == 70 and high[2] == 150
    assert math.isfinite(high[0])


@pytest.mark.parametrize(("spend", "factor"), [((1.97e6, 3.0e6), 3.0 / 1.97), ((100.0, 110.0), 1.25), ((300.0, 100.0), 3.0)])
def test_sums_of_money_reach_as_far_as_the_miss_in_money(spend, factor):
    """Purchases were missed by a quarter: sums of them reach as far, those of money as far as the larger miss."""
    found = Miss(forecast=80.0, seen=100.0, spend_forecast=spend[0], spend_seen=spend[1], holdout=17)
    assert found.widened(100.0, 90.0, 110.0) == pytest.approx((100 / factor, 100 * factor))
    assert found.widened(100.0, 90.0, 110.0, money=False) == pytest.approx((80.0, 125.0))


@pytest.mark.parametrize(
    ("miss", "said"),
    [
        (
            Miss(forecast=80.0, seen=100.0, holdout=26),
            "The model’s forecast of purchases in the last 26 weeks was 20% too low.",
        ),
        (
            Miss(forecast=119.0, seen=100.0, holdout=2, words=ROUNDS, closer="the historic average going on"),
            "The model’s forecast of gifts in the last 2 years was 19% too high; the historic average going on came closer.",
        ),
        (
            Miss(forecast=100.1, seen=100.0, holdout=26),
            "The model’s forecast of purchases in the last 26 weeks was right to within 1%.",
        ),
        (
            Miss(forecast=2900.0, seen=3579.0, spend_forecast=1.97e6, spend_seen=3.0e6, holdout=17),
            "The model’s forecast of spend in the last 17 weeks was 34% too low.",
        ),
        (
            Miss(forecast=80.0, seen=100.0, spend_forecast=120.0, spend_seen=100.0, holdout=3, words=ROUNDS),
            "The model’s forecast of the money given in the last 3 years was 20% too high.",
        ),
        (
            Miss(forecast=12.0, seen=0.0, holdout=26),
            "The model forecast 12 purchases for the last 26 weeks, and there were none.",
        ),
        (Miss(), "No earlier forecast could be checked against the actual figures."),
    ],
)
def test_what_is_said_of_a_miss(miss, said):
    assert miss.said(Format()).replace("\u202f", " ") == said.replace("\u202f", " ")


@pytest.mark.proof
@pytest.mark.parametrize("name", ["shop", "cdnow_sample", "donors"])
def test_data_sets_of_the_project_say_it_too(name, opened_once, result_of):
    page = result_of("customer_value", name)
    model = customer_value.scores(History(opened_once(name))).fit.choice.name
    check(page, page.tables["scores"].frame.set_index("name").loc[model])

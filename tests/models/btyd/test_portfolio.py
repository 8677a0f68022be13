"""Sums over customers, tracks and scores: by hand, by simulation, and against the parts that they are made of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crmlab.errors import ModelError
from crmlab.models.btyd import portfolios as module
from crmlab.models.btyd.bg_bb import BGBB
from crmlab.models.btyd.bg_nbd import BGNBD
from crmlab.models.btyd.customer_value import CustomerValue
from crmlab.models.btyd.gamma_gamma import GammaGamma
from crmlab.models.btyd.lifetimes_bridge import cross_check
from crmlab.models.btyd.mbg_nbd import MBGNBD
from crmlab.models.btyd.pareto_nbd import ParetoNBD
from crmlab.models.btyd.portfolios import Measure, portfolio
from crmlab.models.btyd.selection import compare_models
from crmlab.models.btyd.tracking import track
from crmlab.models.classification import gini, mean_with_interval

TRUTH = BGNBD.from_params(r=0.5, alpha=5.0, a=0.8, b=2.5)


@pytest.fixture(scope="module")
def value(cdnow):
    return CustomerValue(margin=0.4, rate=0.15, unit="week").fit(cdnow)


@pytest.mark.proof
def test_portfolio_is_the_sum_of_its_customers(cdnow, value):
    top = (value.residual_value(cdnow) > 100).to_numpy()
    found = portfolio(
        value,
        cdnow,
        {
            "all": Measure(lambda worth: float(worth.value.sum())),
            "top": Measure(lambda worth: float(worth.value[top].sum()), "outcome", top),
            "risk": Measure(lambda worth: float(worth.at_risk.sum())),
            "alive": Measure(lambda worth: float(worth.alive.mean())),
            "purchases": Measure(lambda worth: float(worth.purchases.sum())),
        },
        ahead=39.0,
        year=52.0,
    )
    each = value.residual_value(cdnow)
    assert found.loc["all", "value"] == pytest.approx(each.sum(), rel=1e-10)
    assert found.loc["top", "value"] == pytest.approx(each[top].sum(), rel=1e-10)
    outlook = value.outlook(cdnow, 52.0)
    assert found.loc["risk", "value"] == pytest.approx(outlook["at_risk"].sum(), rel=1e-10)
    alive = value.purchases_.probability_alive(cdnow)
    # By another way: what a year brings is purchases, times spend, times the margin.
    today = 0.4 * value.purchases_.expected_purchases(cdnow, 52.0) * value.expected_spend(cdnow)
    np.testing.assert_allclose(outlook["value_today"], today, rtol=1e-9)
    np.testing.assert_allclose(outlook["if_loyal"], today / alive, rtol=1e-9)
    np.testing.assert_allclose(outlook["if_loyal"] - outlook["value_today"], outlook["at_risk"], rtol=0, atol=1e-9)
    assert found.loc["alive", "value"] == pytest.approx(alive.mean(), rel=1e-10)
    expected = value.purchases_.expected_total(cdnow, 39)
    assert found.loc["purchases"].to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-6)
    assert (found["low"] < found["value"]).all() and (found["high"] > found["value"]).all()


@pytest.mark.proof
def test_portfolio_intervals_are_those_of_posterior_draws(cdnow, value):
    # The quadratic surface against the sum at every pair of draws of both posteriors.
    found = portfolio(value, cdnow, {"all": Measure(lambda worth: float(worth.value.sum()))}, level=0.9).loc["all"]
    base = module.Portfolio(value, cdnow, np.inf)
    bought = value.purchases_.sample_posterior(400, 1).to_numpy()
    spent = value.spend_.sample_posterior(400, 2).to_numpy()
    draws = [base.at(bought[k], spent[k]).value.sum() for k in range(400)]
    low, high = np.quantile(draws, [0.05, 0.95])
    width = high - low
    assert abs(found["low"] - low) < 0.12 * width  # 400 draws leave about 0.05 of noise in a quantile
    assert abs(found["high"] - high) < 0.12 * width


def test_portfolio_scales_chance_up_from_a_sample(cdnow, value, monkeypatch):
    every = np.ones(len(cdnow), dtype=bool)
    measure = {"all": Measure(lambda worth: float(worth.value.sum()), "outcome", every)}
    whole = portfolio(value, cdnow, measure, 39.0).loc["all"]
    monkeypatch.setattr(module, "_SIMULATED", 800)
    part = portfolio(value, cdnow, measure, 39.0).loc["all"]
    assert part["value"] == whole["value"]
    # A third of the customers, of very unequal value, tells the spread to about a seventh.
    assert (part["high"] - part["low"]) == pytest.approx(whole["high"] - whole["low"], rel=0.2)


def test_chance_of_a_few_large_customers_is_not_left_to_a_sample(monkeypatch):
    # Spend of so heavy a tail that a handful of customers carries the variance of the total.
    spend = GammaGamma.from_params(p=6.0, q=1.9, v=30.0)
    customers = TRUTH.simulate(np.full(6000, 80.0), seed=1)
    customers["monetary_value"] = spend.simulate(customers["frequency"], seed=2)["monetary_value"]
    measure = {"all": Measure(lambda worth: float(worth.value.sum()), "outcome")}

    def width(seed):
        bought = BGNBD.from_params(**TRUTH.params_).set_params(seed=seed)
        found = portfolio(CustomerValue(purchases=bought, spend=spend, unit="week"), customers, measure).loc["all"]
        return found["high"] - found["low"]

    whole = width(0)
    monkeypatch.setattr(module, "_SIMULATED", 600)
    assert [width(seed) for seed in range(5)] == pytest.approx([whole] * 5, rel=0.25)


def test_portfolio_of_given_models_has_no_parameter_uncertainty():
    spend = GammaGamma.from_params(p=6.25, q=3.74, v=15.44)
    given = CustomerValue(purchases=TRUTH, spend=spend, unit="week")
    customers = pd.DataFrame({"frequency": [2, 0], "recency": [30.0, 0.0], "T": [38.0, 38.0], "monetary_value": [22.0, np.nan]})
    found = portfolio(given, customers, {"all": Measure(lambda worth: float(worth.value.sum()))}).loc["all"]
    assert found["low"] == pytest.approx(found["value"]) == pytest.approx(found["high"])


def test_track_adds_up_and_covers_simulated_cohorts():
    starts, weight = np.array([0.0, 4.0, 8.0]), np.array([300, 200, 100])
    ends = np.array([10.0, 20.0, 30.0, 40.0])
    found = track(TRUTH, starts, weight, ends, level=0.9)
    np.testing.assert_allclose(found["expected"].cumsum(), found["cumulative"])
    by_hand = sum(w * TRUTH.expected_purchases_new(40.0 - s) for s, w in zip(starts, weight, strict=True))
    assert found["cumulative"].iloc[-1] == pytest.approx(by_hand, rel=1e-9)
    ages = np.repeat(40.0 - starts, weight)
    totals = [TRUTH.simulate(ages, seed=seed)["frequency"].sum() for seed in range(400)]
    last = found.iloc[-1]
    inside = np.mean([last["cumulative_low"] <= total <= last["cumulative_high"] for total in totals])
    assert 0.85 <= inside <= 0.95  # 400 cohorts: ±0.03 at two deviations, and the spread is simulated too


def test_track_of_a_few_covers_too():
    # Half a purchase, and one or two, are expected: none at all is no surprise, and the band must say so.
    found = track(TRUTH, [0.0], [20], [0.25, 1.0, 2.0], level=0.9)
    assert found["expected"].iloc[0] < 0.6
    totals = {
        end: [TRUTH.simulate([end] * 20, seed=seed)["frequency"].sum() for seed in range(400)] for end in (0.25, 1.0, 2.0)
    }
    for row in found.itertuples():
        inside = np.mean([row.cumulative_low <= total <= row.cumulative_high for total in totals[row.end]])
        assert inside >= 0.87, row.end
    assert found["low"].iloc[0] == 0


def test_track_in_whole_periods_covers_simulated_donors():
    donors = BGBB.from_params(alpha=1.2, beta=0.75, gamma=0.65, delta=2.8)
    found = track(donors, [0.0], [500], [1.0, 2.0, 3.0, 4.0, 5.0])
    totals = [donors.simulate(np.full(500, 5), seed=seed)["frequency"].sum() for seed in range(300)]
    last = found.iloc[-1]
    assert last["cumulative"] == pytest.approx(np.mean(totals), rel=0.02)
    assert 0.84 <= np.mean([last["cumulative_low"] <= total <= last["cumulative_high"] for total in totals]) <= 0.96


@pytest.mark.parametrize(
    ("starts", "weight", "ends", "said"),
    [([0.0], [1, 2], [1.0], "one length"), ([], [], [1.0], "one length"), ([0.0], [1], [2.0, 1.0], "increase")],
)
def test_track_refuses_what_does_not_fit(starts, weight, ends, said):
    with pytest.raises(ModelError, match=said):
        track(TRUTH, starts, weight, ends)


def test_gini_ranks():
    actual = np.array([0.0, 0.0, 1.0, 3.0, 6.0])
    assert gini(actual, actual)[0] == pytest.approx(1.0)
    assert gini(actual, -actual)[0] == pytest.approx(-1.0)
    assert gini(actual, np.ones(5))[0] == pytest.approx(0.0)
    # By hand: shares 0, 0, .1, .3, .6 under ranks .1, .3, .5, .7, .9: 2 (.05 + .21 + .54) − 1 = .6 at best, and with
    # the two best exchanged 2 (.05 + .27 + .42) − 1 = .48.
    assert gini(actual, np.array([1.0, 2.0, 3.0, 5.0, 4.0]))[0] == pytest.approx(0.48 / 0.6)
    assert np.isnan(gini(np.zeros(4), np.arange(4.0))).all()
    assert np.isnan(gini(np.ones(4), np.arange(4.0))).all()
    order = np.random.default_rng(0).permutation(5)
    assert gini(actual[order], np.arange(5.0)[order]) == pytest.approx(gini(actual, np.arange(5.0)))


def test_gini_interval_covers():
    rng = np.random.default_rng(1)

    def draw(n):
        rate = rng.gamma(0.5, 2.0, n)
        return rng.poisson(rate).astype(float), rate

    truth = gini(*draw(1_000_000))[0]
    inside = 0
    for _ in range(400):
        _, low, high = gini(*draw(800), level=0.9)
        inside += low <= truth <= high
    assert 0.86 <= inside / 400 <= 0.96  # nominal 0.9; two deviations of 400 are 0.03, and the linearisation is a little wide


def test_mean_with_interval_of_one_value():
    mean, low, high = mean_with_interval([3.0])
    assert mean == 3.0 and np.isnan(low) and np.isnan(high)


def test_compare_says_how_far_behind():
    customers = TRUTH.simulate([40.0] * 4000, 40, seed=5).assign(horizon=40.0)
    found = compare_models([BGNBD(), MBGNBD(), ParetoNBD()], customers)
    best = found.iloc[0]
    assert best[["behind", "behind_low", "behind_high"]].tolist() == [0, 0, 0]
    np.testing.assert_allclose(found["behind"], best["holdout_log_likelihood"] - found["holdout_log_likelihood"], atol=1e-6)
    assert (found["behind_low"].iloc[1:] < found["behind"].iloc[1:]).all()
    grouped = customers.groupby(list(customers.columns), as_index=False).size().rename(columns={"size": "weight"})
    again = compare_models([BGNBD(), MBGNBD(), ParetoNBD()], grouped)
    np.testing.assert_allclose(again["behind_low"], found["behind_low"], rtol=1e-3, atol=1e-3)


def test_spend_distribution_is_that_of_simulated_customers():
    spend = GammaGamma.from_params(p=6.25, q=3.74, v=15.44)
    drawn = spend.simulate(np.full(60_000, 3), seed=2)["monetary_value"]
    for amount in (15.0, 30.0, 60.0):
        assert spend.mean_spend_cdf(amount, 3) == pytest.approx((drawn <= amount).mean(), abs=0.006)  # three deviations


def test_cross_check_finds_a_wrong_estimate(cdnow):
    model = BGNBD().fit(cdnow)
    assert cross_check(model)["parameters"] < 1e-4
    model.params_ = {**model.params_, "r": model.params_["r"] * 1.01}
    found = cross_check(model)
    assert found["parameters"] > 5e-3
    assert found["log_likelihood"] > 1e-9
    with pytest.raises(ModelError):
        cross_check(TRUTH)

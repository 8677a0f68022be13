"""On data simulated from each model: parameters are found again, and intervals cover what they promise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crmlab.models.btyd.bdw import BDW
from crmlab.models.btyd.bg_bb import BGBB
from crmlab.models.btyd.bg_nbd import BGNBD
from crmlab.models.btyd.gamma_gamma import GammaGamma
from crmlab.models.btyd.mbg_nbd import MBGNBD
from crmlab.models.btyd.pareto_nbd import ParetoNBD
from crmlab.models.btyd.sbg import SBG

TRUTH = {
    "BGNBD": BGNBD.from_params(r=0.6, alpha=5.0, a=0.8, b=2.5),
    "MBGNBD": MBGNBD.from_params(r=0.7, alpha=5.0, a=0.8, b=2.5),
    "ParetoNBD": ParetoNBD.from_params(r=0.7, alpha=8.0, s=0.8, beta=15.0),
    "BGBB": BGBB.from_params(alpha=1.2, beta=0.75, gamma=0.65, delta=2.8),
    "SBG": SBG.from_params(alpha=0.67, beta=3.8),
    "BDW": BDW.from_params(alpha=0.67, beta=3.8, c=1.5),
    "GammaGamma": GammaGamma.from_params(p=6.0, q=3.7, v=15.0),
}
HISTORY = ["BGNBD", "MBGNBD", "ParetoNBD", "BGBB"]


def draw(name: str, n: int, seed: int, horizon: float | None = None):
    truth, rng = TRUTH[name], np.random.default_rng([seed, 9])
    if name == "GammaGamma":
        return truth.simulate(rng.poisson(2.0, n), seed=seed)
    if name in ("SBG", "BDW"):
        renewed = truth.simulate(np.full(n, 7.0), seed=seed)["periods"].to_numpy()
        return [n, *((renewed >= t).sum() for t in range(1, 8))]
    if name == "BGBB":
        return truth.simulate(rng.integers(5, 9, n), horizon, seed=seed)
    return truth.simulate(rng.uniform(20, 60, n), horizon, seed=seed)


def recovered(name: str, seed: int, n: int) -> bool:
    fitted = type(TRUTH[name])().fit(draw(name, n, seed))
    if fitted.boundary_ is not None:
        return False
    # The distance in all parameters together would be stricter on none of them alone; 3 errors each is what is promised.
    gaps = [abs(fitted.params_[k] - v) / fitted.standard_errors_[k] for k, v in TRUTH[name].params_.items()]
    return max(gaps) <= 3


@pytest.mark.proof
@pytest.mark.parametrize("name", list(TRUTH))
def test_parameters_recovered(name):
    assert sum(recovered(name, seed, 4000 if name == "ParetoNBD" else 10_000) for seed in range(10)) >= 9


@pytest.mark.nightly
@pytest.mark.parametrize("name", list(TRUTH))
def test_parameters_recovered_100_seeds(name):
    assert sum(recovered(name, 100 + seed, 10_000) for seed in range(100)) >= 95


def mean_coverage(name: str, seeds, n: int) -> float:
    truth, inside = TRUTH[name], []
    for seed in seeds:
        data = draw(name, n, seed)
        fitted = type(truth)(draws=400).fit(data)
        some = data.iloc[:200]
        found = fitted.expected_purchases(some, 8, level=0.9)
        true = truth.expected_purchases(some, 8)
        inside.append(((found["low"] <= true) & (true <= found["high"])).mean())
    return float(np.mean(inside))


@pytest.mark.proof
@pytest.mark.parametrize("name", ["BGNBD", "MBGNBD"])
def test_mean_intervals_cover(name):
    # 40 samples: their coverage is known to about 4%.
    assert 0.80 <= mean_coverage(name, range(40), 1500) <= 0.98


@pytest.mark.nightly
@pytest.mark.parametrize("name", HISTORY)
def test_mean_intervals_cover_87_to_93(name):
    assert 0.87 <= mean_coverage(name, range(1000, 1400), 1500) <= 0.93


# Customers who are certainly gone are covered for certain, by 0; the promise is about those who may still buy.
BUSY = {
    "BGNBD": BGNBD.from_params(r=3.0, alpha=1.0, a=0.4, b=150.0),
    "MBGNBD": MBGNBD.from_params(r=3.0, alpha=1.0, a=0.4, b=150.0),
    "ParetoNBD": ParetoNBD.from_params(r=3.0, alpha=1.0, s=0.8, beta=60.0),
    "BGBB": BGBB.from_params(alpha=2.0, beta=2.0, gamma=0.3, delta=15.0),
}


def outcome_coverage(name: str, seeds) -> float:
    truth, inside = BUSY[name], []
    for seed in seeds:
        rng = np.random.default_rng([seed, 7])
        if name == "BGBB":
            data = truth.simulate(rng.integers(10, 20, 1500), 60, seed=seed)
        else:
            data = truth.simulate(rng.uniform(10, 30, 1500), 30, seed=seed)
        fitted = type(truth)(draws=400).fit(data)
        found = fitted.expected_purchases(data, 60 if name == "BGBB" else 30, level=0.9, interval="outcome")
        count = data["holdout_purchases"]
        inside.append(((found["low"] <= count) & (count <= found["high"])).mean())
    return float(np.mean(inside))


@pytest.mark.proof
@pytest.mark.parametrize("name", HISTORY)
def test_outcome_intervals_cover_87_to_93(name):
    assert 0.87 <= outcome_coverage(name, range(1 if name == "BGBB" else 2)) <= 0.93


@pytest.mark.nightly
@pytest.mark.parametrize("name", HISTORY)
def test_outcome_intervals_cover_87_to_93_many(name):
    assert 0.87 <= outcome_coverage(name, range(20, 50)) <= 0.93


@pytest.mark.parametrize("name", HISTORY)
def test_simulation_agrees_with_the_model(name):
    truth = TRUTH[name]
    data = draw(name, 150_000, 5, 20)
    column = type(truth)._age
    age = np.sort(data[column].unique())
    if name == "BGBB":
        for n in age:
            seen = data.loc[data[column] == n, "frequency"]
            assert seen.mean() == pytest.approx(truth.expected_purchases_new(n), abs=5 * seen.std() / np.sqrt(len(seen)))
    states = data[["frequency", "recency", column]]
    expected = truth.expected_purchases(states, 20)
    busy = pd.qcut(expected, 8, labels=False, duplicates="drop")
    for _, group in data.assign(expected=expected).groupby(busy):
        gap = group["holdout_purchases"] - group["expected"]
        assert abs(gap.mean()) < 5 * gap.std() / np.sqrt(len(group))
    any_ = truth.probability_of_purchase(states, 20)
    bought = data["holdout_purchases"] > 0
    assert bought.mean() == pytest.approx(any_.mean(), abs=5 * np.sqrt(0.25 / len(data)))


@pytest.mark.proof
def test_totals_cover():
    truth, inside = TRUTH["BGNBD"], 0
    for seed in range(20):
        data = draw("BGNBD", 1500, 50 + seed, 20)
        found = BGNBD(draws=400).fit(data).expected_total(data, 20, level=0.9, interval="outcome")
        inside += found["low"] <= data["holdout_purchases"].sum() <= found["high"]
    assert truth is TRUTH["BGNBD"] and 14 <= inside <= 20


@pytest.mark.proof
def test_next_spend_outcome_covers():
    truth = TRUTH["GammaGamma"]
    data = truth.simulate(np.random.default_rng(1).integers(0, 6, 5000), seed=2)
    fitted = GammaGamma().fit(data)
    found = fitted.expected_spend(data, level=0.9, interval="outcome")
    following = np.random.default_rng(3).gamma(6.0, data["true_spend"] / 6.0)
    assert ((found["low"] <= following) & (following <= found["high"])).mean() == pytest.approx(0.9, abs=0.015)


def test_next_purchase_outcome_covers():
    # The chance of a purchase by the upper end is 95%, by the lower 5%.
    truth = BUSY["BGNBD"]
    some = truth.simulate(np.full(200, 20.0), seed=1)
    found = truth.next_purchase(some, level=0.9, interval="outcome")
    for row in np.flatnonzero(np.isfinite(found["low"]))[:50]:
        chance = truth.probability_of_purchase(some.iloc[[row]], float(found["low"].iloc[row])).iloc[0]
        assert chance == pytest.approx(0.05, rel=1e-5)
    known = np.isfinite(found["high"])
    for row in np.flatnonzero(known)[:50]:
        chance = truth.probability_of_purchase(some.iloc[[row]], float(found["high"].iloc[row])).iloc[0]
        assert chance == pytest.approx(0.95, rel=1e-5)
    assert (truth.probability_alive(some)[~known] < 0.95).all()

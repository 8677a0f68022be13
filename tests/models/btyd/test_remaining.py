"""How many stay: the mean is a sum of chances, outcomes are binomial at known parameters, and intervals hold what comes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats

from crmlab.errors import ModelError
from crmlab.models import BDW, BGNBD, SBG, remaining_frame

PLAIN, LATE = SBG.from_params(alpha=0.8, beta=3.0), BDW.from_params(alpha=0.6, beta=3.0, c=1.5)
TODAY = pd.DataFrame({"periods": [0, 2, 5, 1], "there": [True, True, True, False], "weight": [40, 30, 10, 99]})


@pytest.mark.parametrize("model", [PLAIN, LATE])
def test_expected_are_sums_of_chances(model):
    found = remaining_frame(model, TODAY, 4)
    assert found["period"].tolist() == [1, 2, 3, 4]
    for period, expected in zip(found["period"], found["expected"], strict=True):
        by_hand = sum(n * model.survival(period, renewed=made).iloc[0] for made, n in ((0, 40), (2, 30), (5, 10)))
        assert expected == pytest.approx(by_hand, rel=1e-12)
    assert found["share"].to_numpy() == pytest.approx(found["expected"] / 80)
    staying = TODAY[TODAY["there"]]
    renewals = model.expected_purchases(staying, 4) @ staying["weight"]
    assert found["renewals"].iloc[-1] == pytest.approx(renewals, rel=1e-9)
    assert remaining_frame(model, pl.from_pandas(TODAY), 4).equals(found)
    assert remaining_frame(model, TODAY, 4, seed=1)["expected"].equals(found["expected"])


@pytest.mark.parametrize("model", [PLAIN, LATE])
def test_at_known_parameters_outcomes_are_binomial(model):
    found = remaining_frame(model, pd.DataFrame({"periods": [3], "weight": [400]}), 5, level=0.8)
    chance = model.survival(np.arange(1, 6), renewed=3).to_numpy()
    low, high = stats.binom.ppf(0.1, 400, chance), stats.binom.ppf(0.9, 400, chance)
    assert found["low"].to_numpy() == pytest.approx(low, abs=1.0)
    assert found["high"].to_numpy() == pytest.approx(high, abs=1.0)


def test_parameters_and_chance_add_up():
    model = LATE.simulate([5.0] * 400, seed=3)
    fitted = BDW().fit(model)
    today = pd.DataFrame({"periods": [5], "weight": [200]})
    mean, outcome = (remaining_frame(fitted, today, 6, interval=how) for how in ("mean", "outcome"))
    draws = fitted.sample_posterior(4000, seed=9)
    shares = [BDW.from_params(**row).survival(6, renewed=5).iloc[0] for row in draws.iloc[:1500].to_dict("records")]
    assert mean[["low", "high"]].iloc[-1].tolist() == pytest.approx(200 * np.quantile(shares, [0.05, 0.95]), rel=0.04)
    seen = np.random.default_rng(4).binomial(200, np.repeat(shares, 20))
    assert outcome[["low", "high"]].iloc[-1].tolist() == pytest.approx(np.quantile(seen, [0.05, 0.95]), rel=0.04)
    assert (outcome["high"] - outcome["low"] > mean["high"] - mean["low"]).all()


def held(model, n: int, seeds: range, horizon: int = 5) -> float:
    inside = []
    for seed in seeds:
        rng = np.random.default_rng([seed, 8])
        lives = model.simulate(rng.integers(1, 8, n).astype(float), horizon, seed=seed)
        told = remaining_frame(type(model)(draws=400).fit(lives), lives, horizon, level=0.9)
        later = lives.loc[lives["there"], "holdout_purchases"].to_numpy()
        came = np.array([(later >= k).sum() for k in range(1, horizon + 1)])
        inside.append((told["low"] <= came) & (came <= told["high"]))
    return float(np.mean(inside))


@pytest.mark.proof
@pytest.mark.parametrize(("model", "n"), [(PLAIN, 300), (LATE, 1200)])
def test_intervals_hold_what_comes(model, n):
    assert 0.85 <= held(model, n, range(150)) <= 0.95


def test_what_cannot_be_forecast_is_refused():
    with pytest.raises(ModelError, match="remaining_frame: 'model' must be an SBG or a BDW. Got 'BGNBD'"):
        remaining_frame(BGNBD.from_params(r=0.5, alpha=5.0, a=0.8, b=2.5), TODAY, 3)
    for wrong in (0, 1.5, True):
        with pytest.raises(ModelError, match="remaining_frame: 'periods' must be a whole number of at least 1"):
            remaining_frame(PLAIN, TODAY, wrong)
    with pytest.raises(ModelError, match="customers who are there today. Found: none"):
        remaining_frame(PLAIN, TODAY.iloc[3:], 3)
    with pytest.raises(ModelError, match="SBG: parameters that were given have no uncertainty"):
        remaining_frame(PLAIN, TODAY, 3, interval="mean")
    with pytest.raises(ModelError, match="'interval' must be 'mean' or 'outcome'"):
        remaining_frame(PLAIN, TODAY, 3, interval="both")

"""The posterior and its intervals agree with NUTS, with full draws, and hold what they promise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crmlab.errors import ModelError
from crmlab.models.btyd.bg_bb import BGBB
from crmlab.models.btyd.bg_nbd import BGNBD
from crmlab.models.btyd.mbg_nbd import MBGNBD
from crmlab.models.btyd.pareto_nbd import ParetoNBD
from crmlab.models.btyd.posterior import Posterior, quantiles

# PyMC-Marketing 0.19.2, its default priors, NUTS, 2 chains of 1,000 draws, on cdnow_sample to 1997-09-30 in weeks, by
# benchmarks/nuts_reference.py: mean, deviation, 5% and 95% quantile.
NUTS = {
    "r": [0.2460364276344373, 0.012243246558563575, 0.2259433000715989, 0.26675056182413504],
    "alpha": [4.524555448891326, 0.3741693789174489, 3.9274990495973103, 5.152052799178818],
    "a": [0.7876884015197096, 0.19771176147441183, 0.5367222746393456, 1.1438318526916873],
    "b": [2.439646758336178, 0.7833592960994742, 1.520517098675745, 3.761274212600878],
}
STATES = pd.DataFrame(
    {"frequency": [0, 2, 1, 5, 10], "recency": [0.0, 30.43, 5.0, 35.0, 20.0], "T": [39.0, 38.86, 38.0, 39.0, 30.0]}
)
NUTS_PURCHASES = [
    [0.18224137936941062, 1.159902760923064, 0.2749346047660755, 2.902076027881622, 1.9975503964756227],
    [0.21094330011141657, 1.308381850991592, 0.3552242308407378, 3.43297953140021, 3.4990636058418687],
]
NUTS_ALIVE = [
    [1.0, 0.7022237043273623, 0.28434896643478796, 0.8014574303799562, 0.2479956317962522],
    [1.0, 0.7553382578928883, 0.3626553282323405, 0.8629148240439829, 0.3750612173231085],
]


def test_posterior_agrees_with_nuts(cdnow):
    # The priors of the two are both weak but not the same: a third of a deviation is what that moves.
    draws = BGNBD().fit(cdnow).sample_posterior(4000, 1)
    assert draws.attrs["effective_sample_size"] > 2000
    for name, (mean, deviation, low, high) in NUTS.items():
        assert draws[name].mean() == pytest.approx(mean, abs=deviation / 3)
        assert draws[name].std() == pytest.approx(deviation, rel=0.12)
        assert draws[name].quantile([0.05, 0.95]).to_numpy() == pytest.approx([low, high], abs=deviation / 2.5)


def test_intervals_agree_with_nuts(cdnow):
    model = BGNBD().fit(cdnow)
    for found, (low, high) in (
        (model.expected_purchases(STATES, 39, level=0.9), NUTS_PURCHASES),
        (model.probability_alive(STATES, level=0.9), NUTS_ALIVE),
    ):
        width = np.subtract(high, low) + 1e-12
        assert (np.abs(found["low"] - low) / width).max() < 0.2
        assert (np.abs(found["high"] - high) / width).max() < 0.2


@pytest.mark.nightly
@pytest.mark.parametrize("model", [BGNBD, MBGNBD, ParetoNBD])
def test_cheap_rule_agrees_with_full_draws(cdnow, model):
    fitted = model(draws=2000).fit(cdnow)
    some = cdnow.iloc[::150]
    draws = fitted.sample_posterior(800, 2)
    ask = {
        "expected_purchases": {"horizon": 39},
        "probability_alive": {},
        "discounted_expected_purchases": {"delta": 0.0027},
        "probability_of_purchase": {"horizon": 10},
    }
    each = [model.from_params(**row) for row in draws.to_dict("records")]
    for method, how in ask.items():
        if method == "discounted_expected_purchases" and model is not ParetoNBD:
            each_one = each[:250]
        else:
            each_one = each
        full = np.array([getattr(one, method)(some, **how).to_numpy() for one in each_one])
        found = getattr(fitted, method)(some, level=0.9, **how)
        low, high = np.quantile(full, [0.05, 0.95], axis=0)
        wide = high - low > 1e-9
        room = (high - low)[wide] * (0.3 if len(each_one) < 800 else 0.2)
        assert (np.abs(found["low"].to_numpy() - low)[wide] < room).all()
        assert (np.abs(found["high"].to_numpy() - high)[wide] < room).all()


@pytest.mark.proof
def test_next_purchase_interval_agrees_with_full_draws(cdnow):
    fitted = BGNBD(draws=4000).fit(cdnow)
    some = cdnow.iloc[::150]
    draws = fitted.sample_posterior(800, 2).to_dict("records")
    full = np.array([BGNBD.from_params(**row).next_purchase(some, 0.25).to_numpy() for row in draws])
    found = fitted.next_purchase(some, 0.25, level=0.9)
    low, high = np.quantile(full, [0.05, 0.95], axis=0, method="inverted_cdf")
    # Near the customers for whom it is never, the interval has no end to speak of.
    known = np.isfinite(high) & (high < 4 * low)
    assert known.sum() > 3
    room = 0.2 * (high[known] - low[known])
    assert (np.abs(found["low"].to_numpy()[known] - low[known]) < room).all()
    assert (np.abs(found["high"].to_numpy()[known] - high[known]) < room).all()
    # Where most draws say never, so does the interval.
    never = np.isinf(low)
    assert np.isinf(found["high"].to_numpy()[never]).all()


def test_sample_posterior_same_seed_same_draws(cdnow):
    model = BGNBD().fit(cdnow)
    one, same, other = model.sample_posterior(500, 1), model.sample_posterior(500, 1), model.sample_posterior(500, 2)
    pd.testing.assert_frame_equal(one, same)
    assert not one.equals(other)
    assert list(one.columns) == ["r", "alpha", "a", "b"]
    assert (one > 0).all().all()


def test_sample_posterior_on_boundary_is_proper(online_retail):
    draws = BGNBD().fit(online_retail).sample_posterior(1000, 1)
    assert draws.attrs["effective_sample_size"] > 100
    assert np.isfinite(draws).all().all()
    assert (draws["a"] / (draws["a"] + draws["b"])).median() < 0.01


@pytest.mark.proof
def test_posterior_of_few_customers_is_usable():
    # Strengths beyond all bounds once made rounding error of the likelihood look like evidence.
    truth = MBGNBD.from_params(r=0.6, alpha=5.0, a=0.7, b=2.0)
    for seed in (999999, 1, 2, 3):
        data = truth.simulate(np.random.default_rng(seed).integers(4, 40, 500), seed=seed).round(1)
        for model in (MBGNBD, BGNBD, ParetoNBD):
            draws = model().fit(data).sample_posterior(400)
            assert np.isfinite(draws).all().all()
            assert draws.attrs["effective_sample_size"] > 60


def test_low_sample_size_raises(cdnow, monkeypatch):
    from crmlab.models.btyd import posterior

    def useless(rng, value, where, centre, root, n):
        return np.zeros((n, 4)), np.full(n, 1 / n), 0.05

    monkeypatch.setattr(posterior, "_weighted", useless)
    monkeypatch.setattr(Posterior, "root", np.eye(4))
    with pytest.raises(ModelError, match=r"at least 10%. Found 5\.0%"):
        BGNBD().fit(cdnow).sample_posterior(1000)


@pytest.mark.proof
def test_intervals_of_many_states_use_the_normal_posterior():
    # With very many states the normal approximation stands in; it agrees with the sample.
    truth = BGNBD.from_params(r=0.5, alpha=20.0, a=0.8, b=2.5)
    data = truth.simulate(np.random.default_rng(0).uniform(20, 300, 40_000), seed=0)
    fitted = BGNBD().fit(data)
    assert fitted.n_states_ > 20_000
    some = data.iloc[:200]
    found = fitted.expected_purchases(some, 50, level=0.9)
    assert fitted.kept_.normal
    draws = fitted.sample_posterior(300, 1).to_dict("records")
    full = np.array([BGNBD.from_params(**row).expected_purchases(some, 50).to_numpy() for row in draws])
    low, high = np.quantile(full, [0.05, 0.95], axis=0)
    assert np.median((found["high"] - found["low"]) / (high - low)) == pytest.approx(1.0, abs=0.12)


def test_quantiles_of_a_skewed_quantity():
    # Chi-square with 30 degrees of freedom: cumulants 30, 60, 240.
    low, high = quantiles((np.array([30.0]), np.array([60.0]), np.array([240.0])), 0.9)
    assert [low[0], high[0]] == pytest.approx([18.492661, 43.772972], rel=4e-3)


def test_outcome_of_a_chance_is_yes_or_no(cdnow):
    found = BGNBD().fit(cdnow).probability_alive(STATES, level=0.9, interval="outcome")
    assert found["low"].tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]
    assert found["high"].tolist() == [1.0] * 5


def test_outcome_intervals_at_given_parameters_hold_their_level():
    # Exactly: the chance of a count inside, from the pmf of one who is new.
    for model, h in (
        (BGNBD.from_params(r=2.0, alpha=4.0, a=0.5, b=9.0), 40.0),
        (ParetoNBD.from_params(r=2.0, alpha=4.0, s=0.6, beta=50.0), 40.0),
        (BGBB.from_params(alpha=2.0, beta=1.0, gamma=0.5, delta=9.0), 40),
    ):
        row = model.expected_purchases_new(h, level=0.9, interval="outcome")
        inside = model.pmf(np.arange(row["low"], row["high"] + 1), h).sum()
        assert 0.9 <= inside < 0.95
        shorter = model.pmf(np.arange(row["low"], row["high"]), h).sum()
        assert shorter < 0.9 + 0.05 * (row["low"] > 0)

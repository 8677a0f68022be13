"""With priors an estimate is the mode of the posterior: the likelihood's own where there are many customers, and inside where few."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize
from sklearn.base import clone

from crmlab.errors import ModelError
from crmlab.models import BDW, BGBB, BGNBD, MBGNBD, SBG, GammaGamma, ParetoNBD, load_model

TRUTH = BGNBD.from_params(r=0.5, alpha=6.0, a=0.8, b=2.5)


def drawn(customers: int, seed: int = 1) -> pd.DataFrame:
    ages = np.random.default_rng(seed).integers(8, 60, customers).astype(float)
    seen = TRUTH.simulate(ages, seed=seed)
    spend = GammaGamma.from_params(p=6.0, q=4.0, v=15.0).simulate(seen["frequency"], seed=seed)
    return seen.assign(monetary_value=spend["monetary_value"])


@pytest.mark.parametrize("kind", [BGNBD, MBGNBD, ParetoNBD, GammaGamma])
def test_the_estimate_is_the_mode_of_the_posterior(kind):
    base = drawn(60)
    model = kind(draws=100, priors=True).fit(base)
    where = model.coordinates_
    value = model.objective(model.states_, where)

    def lost(eta):
        return -value(eta)[0] - where.log_prior(eta)[0]

    # By another route, without gradients, from another place.
    start = where.eta(model.parameters()) + 0.2
    found = optimize.minimize(
        lost, start, method="Nelder-Mead", options={"maxiter": 8000, "maxfev": 8000, "xatol": 1e-7, "fatol": 1e-10}
    )
    assert where.eta(model.parameters()) == pytest.approx(found.x, abs=2e-3)
    assert lost(where.eta(model.parameters())) <= found.fun + 1e-7
    assert model.log_likelihood_ == pytest.approx(value(where.eta(model.parameters()))[0], rel=1e-12)


def test_of_many_customers_priors_change_little():
    base = drawn(40_000)
    plain, with_priors = BGNBD(draws=100).fit(base), BGNBD(draws=100, priors=True).fit(base)
    for name, error in plain.standard_errors_.items():
        assert abs(with_priors.params_[name] - plain.params_[name]) < 0.25 * error
    assert with_priors.log_likelihood_ <= plain.log_likelihood_ + 1e-6


def test_where_the_likelihood_is_highest_on_a_boundary_priors_keep_the_estimate_inside():
    # Everybody bought at the very end: no drop-out was seen.
    few = pd.DataFrame({"frequency": [3.0, 1.0, 2.0, 5.0, 4.0, 1.0] * 3, "recency": [10.0] * 18, "T": [10.0] * 18})
    for kind in (BGNBD, MBGNBD, ParetoNBD):
        assert kind(draws=100).fit(few).boundary_ is not None
        model = kind(draws=200, priors=True).fit(few)
        assert model.boundary_ is None
        assert np.isfinite(model.standard_errors_).all()
        found = model.expected_purchases(few, 10.0, level=0.9)
        assert ((found["low"] < found["expected_purchases"]) & (found["expected_purchases"] < found["high"])).all()
        assert (model.probability_alive(few.assign(T=20.0)) < 1).all()


def test_the_other_models_take_priors_too(tmp_path):
    periods = BGBB.from_params(alpha=1.2, beta=0.75, gamma=0.66, delta=2.8).simulate([6.0] * 40, seed=1)
    there = [30, 24, 20, 18]
    for model, data in ((BGBB(), periods), (SBG(), there), (BDW(), there)):
        model.set_params(draws=100, priors=True)
        fitted = model.fit(data)
        assert fitted.log_likelihood_ <= clone(model).set_params(priors=False).fit(data).log_likelihood_ + 1e-9
        fitted.save(tmp_path / "model.json")
        assert load_model(tmp_path / "model.json").priors is True
    constant = GammaGamma(priors=True).fit(pd.DataFrame({"frequency": [1, 2, 3], "monetary_value": [5.0] * 3}))
    assert constant.constant_ == 5.0
    with pytest.raises(
        ModelError, match=r"'priors' must be True, False, or a mapping of parameters to \(median, factor\). Got 'weak' instead"
    ):
        BGNBD(priors="weak").fit(periods)


def test_intervals_do_not_count_priors_twice():
    base = drawn(200)
    plain, with_priors = (BGNBD(draws=2000, priors=priors).fit(base) for priors in (False, True))
    ours, theirs = (one.summary()[["low", "high"]].iloc[:4].to_numpy() for one in (plain, with_priors))
    assert np.log(theirs) == pytest.approx(np.log(ours), abs=0.15)

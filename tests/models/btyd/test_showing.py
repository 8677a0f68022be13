"""What a model says of itself: parameters with intervals as a frame, and as HTML in a notebook, fitted or not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from crmlab.errors import ModelError
from crmlab.models import BDW, BGBB, BGNBD, MBGNBD, SBG, CustomerValue, GammaGamma, ParetoNBD

MODELS = (BGNBD, MBGNBD, ParetoNBD, BGBB, SBG, BDW, GammaGamma)


@pytest.fixture(scope="module")
def base() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    seen = BGNBD.from_params(r=0.5, alpha=6.0, a=0.8, b=2.5).simulate(rng.integers(8, 60, 400) / 1.0, seed=3)
    spend = GammaGamma.from_params(p=6.0, q=4.0, v=15.0).simulate(seen["frequency"], seed=4)
    return seen.assign(monetary_value=spend["monetary_value"])


def test_a_summary_has_the_interval_of_the_posterior_and_what_it_was_learnt_from(base):
    model = BGNBD(draws=2000).fit(base)
    found = model.summary(level=0.9)
    assert found.index.tolist() == ["r", "alpha", "a", "b", "customers", "log_likelihood"]
    assert found["estimate"].tolist() == [*model.params_.values(), 400.0, model.log_likelihood_]
    # By another route: the quantiles of many draws.
    drawn = model.sample_posterior(20_000, seed=5)
    for name in ("r", "alpha"):
        low, high = drawn[name].quantile([0.05, 0.95])
        assert (found.loc[name, "low"], found.loc[name, "high"]) == pytest.approx((low, high), rel=0.05)
    assert (model.summary(0.5)["low"].iloc[:4] > found["low"].iloc[:4]).all()
    assert found.loc[["customers", "log_likelihood"], ["low", "high"]].isna().all(axis=None)


def test_parameters_that_were_given_have_no_ends():
    found = BGNBD.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426).summary()
    assert found.index.tolist() == ["r", "alpha", "a", "b"]
    assert found[["low", "high"]].isna().all(axis=None)
    with pytest.raises(NotFittedError):
        BGNBD().summary()
    with pytest.raises(NotFittedError):
        CustomerValue().summary()


def test_a_constant_amount_has_a_summary():
    found = GammaGamma().fit(pd.DataFrame({"frequency": [1, 2, 3], "monetary_value": [5.0] * 3})).summary()
    assert np.isfinite(found.loc[["p", "q", "v"]].to_numpy()).all()


def test_value_has_both(base):
    value = CustomerValue(BGNBD(draws=200), GammaGamma(draws=200), margin=0.3).fit(base)
    found = value.summary()
    assert found.loc["purchases"].equals(value.purchases_.summary())
    assert found.loc["spend"].equals(value.spend_.summary())
    html = value._repr_html_()
    assert "margin=0.3" in html
    assert "Purchases: BGNBD" in html
    assert "Spend: GammaGamma" in html


@pytest.mark.parametrize("model", MODELS)
def test_a_notebook_shows_what_a_fit_needs_and_the_meaning_of_every_parameter(model):
    assert set(model.meanings) == set(model.parameter_names)
    html = model()._repr_html_()
    assert "Not fitted yet" in html
    assert model.needs in html
    # scikit-learn's own way, which Jupyter asks first.
    assert model()._repr_mimebundle_()["text/html"] == html
    assert "Not fitted yet" in CustomerValue()._repr_html_()


def test_a_notebook_shows_parameters_intervals_and_the_fit(base):
    model = BGNBD(draws=200).fit(base)
    html = model._repr_html_()
    for text in ("90% interval", "purchase rates: shape", "400 customers in ", "log-likelihood −", "AIC ", "seed=0"):
        assert text in html
    given = BGNBD.from_params(r=0.2, alpha=4.0, a=0.7, b=2.0)._repr_html_()
    assert "Parameters were given" in given
    assert "interval" not in given
    # Colours are the page's own, light or dark.
    assert "#" not in html and "background:white" not in html


def test_an_unusable_posterior_leaves_the_ends_out(base, monkeypatch):
    def unusable(*_, **__):
        raise ModelError("BGNBD: the posterior sample is not usable.")

    monkeypatch.setattr("crmlab.models.btyd.estimator.sample", unusable)
    model = BGNBD(draws=200).fit(base)
    assert model.summary()["low"].isna().all()
    assert "interval" not in model._repr_html_()

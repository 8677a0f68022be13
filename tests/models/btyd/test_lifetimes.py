"""The lifetimes package as an oracle, and the bridge to it."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from crmlab.errors import ModelError
from crmlab.models.btyd.bg_bb import BGBB
from crmlab.models.btyd.bg_nbd import BGNBD
from crmlab.models.btyd.gamma_gamma import GammaGamma
from crmlab.models.btyd.lifetimes_bridge import to_lifetimes
from crmlab.models.btyd.mbg_nbd import MBGNBD
from crmlab.models.btyd.pareto_nbd import ParetoNBD
from crmlab.models.btyd.sbg import SBG

GIVEN = [
    BGNBD.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426),
    MBGNBD.from_params(r=0.525, alpha=6.183, a=0.891, b=1.614),
    ParetoNBD.from_params(r=0.5534, alpha=10.5802, s=0.6061, beta=11.6562),
]


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("model", GIVEN, ids=lambda model: type(model).__name__)
def test_history_models_agree(cdnow, model):
    fitter = to_lifetimes(model)
    x, tx, T = (cdnow[name].to_numpy(float) for name in ("frequency", "recency", "T"))
    theirs = np.array(fitter.conditional_expected_number_of_purchases_up_to_time(39, x, tx, T))
    np.testing.assert_allclose(model.expected_purchases(cdnow, 39), theirs, rtol=1e-8)
    alive = np.array(fitter.conditional_probability_alive(x, tx, T))
    np.testing.assert_allclose(model.probability_alive(cdnow), alive, rtol=1e-8)
    times = np.array([1.0, 10.0, 39.0, 100.0])
    np.testing.assert_allclose(
        model.expected_purchases_new(times), fitter.expected_number_of_purchases_up_to_time(times), rtol=1e-9
    )
    if not isinstance(model, ParetoNBD):
        mass = [fitter.probability_of_n_purchases_up_to_time(39, n) for n in range(12)]
        np.testing.assert_allclose(model.pmf(np.arange(12), 39), mass, rtol=1e-8)
    else:
        alone = [float(fitter.conditional_probability_of_n_purchases_up_to_time(n, 20.0, 2, 30.43, 38.86)) for n in range(6)]
        state = pd.DataFrame({"frequency": [2], "recency": [30.43], "T": [38.86]})
        found = model.count_mass(model.parameters(), model.states_of(state), np.zeros(6, dtype=int), np.arange(6.0), 20.0)
        np.testing.assert_allclose(found, alone, rtol=1e-6)


@pytest.mark.parametrize("model", [BGNBD, MBGNBD, ParetoNBD, GammaGamma])
def test_to_lifetimes_is_their_fit(cdnow, model):
    fitted = model().fit(cdnow)
    fitter = to_lifetimes(fitted)
    again = type(fitter)()
    if model is GammaGamma:
        some = cdnow[cdnow["frequency"] > 0]
        again.fit(some["frequency"], some["monetary_value"])
        ours = fitted.expected_spend(some)
        theirs = fitter.conditional_expected_average_profit(some["frequency"], some["monetary_value"])
        np.testing.assert_allclose(ours, theirs, rtol=1e-10)
    else:
        again.fit(cdnow["frequency"], cdnow["recency"], cdnow["T"])
        x = cdnow.iloc[:5]
        np.testing.assert_allclose(
            fitter.predict(39, x["frequency"], x["recency"], x["T"]), fitted.expected_purchases(x, 39), rtol=1e-8
        )
    # Their optimiser stops early: 1e-3 for Nelder and Mead's.
    np.testing.assert_allclose(
        fitter.params_, again.params_.reindex(fitter.params_.index), rtol=2e-2 if model is ParetoNBD else 2e-3
    )
    assert int(fitter.data["weights"].sum()) == fitted.n_customers_
    if model in (BGNBD, MBGNBD):
        np.testing.assert_allclose(fitter.standard_errors_, again.standard_errors_, rtol=2e-2)


def test_bg_bb_agrees():
    model = BGBB.from_params(alpha=1.204, beta=0.750, gamma=0.657, delta=2.783)
    fitter = to_lifetimes(model)
    donors = pd.DataFrame(
        [(x, tx, 6) for tx in range(7) for x in range(min(tx, 1), tx + 1)], columns=["frequency", "recency", "periods"]
    )
    x, tx, n = (donors[name].to_numpy() for name in donors)
    theirs = fitter.conditional_expected_number_of_purchases_up_to_time(5, x, tx, n)
    np.testing.assert_allclose(model.expected_purchases(donors, 5), theirs, rtol=1e-8)
    np.testing.assert_allclose(model.probability_alive(donors), fitter.conditional_probability_alive(1, x, tx, n), rtol=1e-8)


def test_to_lifetimes_leaves_warnings_as_they_were():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        to_lifetimes(GIVEN[0])
        assert list(warnings.filters) == before


def test_to_lifetimes_has_no_sbg():
    with pytest.raises(ModelError, match=r"'model' must be one that lifetimes has too. Got 'SBG'"):
        to_lifetimes(SBG.from_params(alpha=1.0, beta=2.0))

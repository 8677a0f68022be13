"""The models reach the published and independently computed numbers."""

from __future__ import annotations

import importlib.util
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special

from crmlab.models.btyd.bg_bb import BGBB
from crmlab.models.btyd.bg_nbd import BGNBD
from crmlab.models.btyd.gamma_gamma import GammaGamma
from crmlab.models.btyd.mbg_nbd import MBGNBD
from crmlab.models.btyd.pareto_nbd import ParetoNBD
from crmlab.models.btyd.sbg import SBG
from crmlab.models.btyd.states import compress

SURVIVORS = [100.0, 86.9, 74.3, 65.3, 59.3, 55.1, 51.7, 49.1]
BG = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
PARETO = {"r": 0.5534, "alpha": 10.5802, "s": 0.6061, "beta": 11.6562}


def one(frequency: float, recency: float, T: float) -> pd.DataFrame:
    return pd.DataFrame({"frequency": [frequency], "recency": [recency], "T": [T]})


def donations() -> pd.DataFrame:
    home = Path(importlib.util.find_spec("lifetimes").origin).parent
    return pd.read_csv(home / "datasets" / "donations.csv").rename(columns={"weights": "weight"})


# Fader, Hardie and Lee (2005) for BG/NBD; the others from the issue, and lifetimes comes near them (test_lifetimes.py).
@pytest.mark.parametrize(
    ("model", "params", "log_likelihood"),
    [
        (BGNBD, {"r": 0.2425945, "alpha": 4.4136019, "a": 0.7929199, "b": 2.4258881}, -9582.4292),
        (ParetoNBD, {"r": 0.553277, "alpha": 10.577684, "s": 0.60624, "beta": 11.668736}, -9594.9762),
        (MBGNBD, {"r": 0.524843, "alpha": 6.183085, "a": 0.891359, "b": 1.614002}, -9582.1357),
    ],
)
def test_fit_cdnow_sample(cdnow, model, params, log_likelihood):
    fitted = model().fit(cdnow)
    assert fitted.params_ == pytest.approx(params, rel=1e-4)
    assert fitted.log_likelihood_ == pytest.approx(log_likelihood, abs=1e-3)
    assert fitted.n_customers_ == 2357
    assert fitted.boundary_ is None
    assert fitted.aic_ == pytest.approx(8 - 2 * fitted.log_likelihood_)
    assert fitted.bic_ == pytest.approx(4 * np.log(2357) - 2 * fitted.log_likelihood_)


def test_fit_pareto_nbd_cdnow_sample_standard_errors(cdnow):
    errors = ParetoNBD().fit(cdnow).standard_errors_
    assert errors.to_dict() == pytest.approx({"r": 0.0476, "alpha": 0.8427, "s": 0.1873, "beta": 6.2105}, rel=1e-3)


def test_fit_gamma_gamma_cdnow_sample(cdnow):
    fitted = GammaGamma().fit(cdnow)
    assert fitted.params_ == pytest.approx({"p": 6.24957, "q": 3.74422, "v": 15.44352}, rel=1e-4)
    assert fitted.log_likelihood_ == pytest.approx(-4055.9177, abs=1e-3)
    assert fitted.n_customers_ == 946
    again = cdnow[cdnow["frequency"] > 0]
    assert fitted.correlation_ == pytest.approx(again["frequency"].corr(again["monetary_value"]), rel=1e-9)


def test_fit_bg_bb_donations():
    fitted = BGBB().fit(donations())
    expected = {"alpha": 1.2035224, "beta": 0.7497164, "gamma": 0.6567182, "delta": 2.7834420}
    assert fitted.params_ == pytest.approx(expected, rel=1e-4)
    assert fitted.log_likelihood_ == pytest.approx(-33225.58127, abs=1e-3)
    assert fitted.n_customers_ == 11104


def test_fit_sbg_high_end_survivors():
    # The survivors and estimates of Fader and Hardie (2007).
    fitted = SBG().fit(np.array(SURVIVORS) * 1000)
    assert fitted.params_ == pytest.approx({"alpha": 0.6681, "beta": 3.8061}, rel=1e-4)
    assert fitted.log_likelihood_ / 100 == pytest.approx(-1611.1581, abs=1e-3)


@pytest.mark.proof
def test_fit_online_retail_ends_on_boundary(online_retail):
    for model in (BGNBD, MBGNBD, ParetoNBD):
        fitted = model().fit(online_retail)
        assert fitted.boundary_ == "nobody has dropped out yet"
        assert fitted.log_likelihood_ == pytest.approx(-60_955.0387, abs=1e-2)
        assert fitted.standard_errors_.isna().all()
        assert "boundary" in fitted.standard_errors_.attrs["reason"]
        assert fitted.covariance_.isna().all().all()
        some = online_retail.iloc[:50]
        found = fitted.expected_purchases(some, 30, level=0.9)
        assert ((found["low"] <= found["expected_purchases"]) & (found["expected_purchases"] <= found["high"])).all()
        assert (found["high"] < 1.15 * found["low"]).all()
        assert fitted.probability_alive(some).to_numpy() == pytest.approx(1.0, abs=1e-4)


def test_bg_nbd_closed_forms():
    model = BGNBD.from_params(**BG)
    assert model.expected_purchases_new(39) == pytest.approx(1.1967232, abs=5e-8)
    assert model.expected_purchases(one(2, 30.43, 38.86), 39)[0] == pytest.approx(1.226028175, rel=1e-9)
    assert model.probability_alive(one(23, 39, 39))[0] == pytest.approx(0.9685554542, rel=1e-9)
    assert 1 - model.probability_of_purchase(one(0, 0, 39), 20)[0] == pytest.approx(0.9120382463, rel=1e-9)
    assert model.discounted_expected_purchases(one(2, 30.43, 38.86), 0.0027)[0] == pytest.approx(5.156379826, rel=1e-9)
    assert model.expected_purchases(one(1500, 364.9, 365), 365)[0] == pytest.approx(1107.2696687, rel=1e-10)


def test_bg_nbd_a_of_one():
    model = BGNBD.from_params(**{**BG, "a": 1.0})
    assert model.expected_purchases(one(2, 30, 39), 39)[0] == pytest.approx(1.0867299650, rel=1e-9)


def test_pareto_nbd_closed_forms():
    model = ParetoNBD.from_params(**PARETO)
    busy = compress([np.array([200.0]), np.array([39.0]), np.array([39.0])])
    assert model._log_likelihood(model.parameters(), busy, False)[0] == pytest.approx(77.9273940052, rel=1e-11)
    assert model.discounted_expected_purchases(one(2, 30.43, 38.86), 0.0027)[0] == pytest.approx(6.482562365, rel=1e-9)


def _over_beta(f, a, b) -> float:
    """E f(p) under Beta(a, b): 8,000 nodes over log p below 1/2 and over log (1 − p) above, the ends in closed form."""
    v, w = np.polynomial.legendre.leggauss(20)
    edges = np.linspace(np.log(1e-25), np.log(0.5), 201)
    y = ((edges[1:] + edges[:-1])[:, None] / 2 + np.diff(edges)[:, None] / 2 * v).ravel()
    w = (np.diff(edges)[:, None] / 2 * w).ravel()
    p, norm, low = np.exp(y), np.exp(special.betaln(a, b)), np.exp(edges[0])
    near = (w * np.exp(a * y + (b - 1) * np.log1p(-p))) @ f(p) + low**a / a * f(low)
    far = (w * np.exp(b * y + (a - 1) * np.log1p(-p))) @ f(1 - p) + low**b / b * f(1.0)
    return float(near + far) / norm


@pytest.mark.parametrize(
    ("a", "b"), [(0.2, 0.3), (0.5, 0.49), (0.793, 2.426), (1.0, 2.0), (3.0, 0.4), (1e-6, 1.0), (40.0, 90.0)]
)
@pytest.mark.parametrize("state", [(0, 0.0, 39.0), (2, 30.43, 38.86), (40, 38.0, 39.0), (5000, 1.0, 39.0), (5000, 39.0, 39.0)])
def test_beta_geometric_expectations_by_brute_force(a, b, state):
    # ∫∫ over time and the chance p to drop out of the expected rate of one who is alive, by brute force in log p.
    x, _, T = state
    h, r, alpha = 39.0, 0.243, 4.414
    for model, past in ((BGNBD, b + x), (MBGNBD, b + x + 1)):
        power, length = r + x, alpha + T

        fitted = model.from_params(r=r, alpha=alpha, a=a, b=b)
        frame = one(*state)
        alive = fitted.probability_alive(frame)[0]
        flow = _over_beta(lambda p, n=power, t=length: -np.expm1(-n * np.log1p(p * h / t)) / p, a, past)
        assert fitted.expected_purchases(frame, h)[0] == pytest.approx(alive * flow, rel=1e-10)


@pytest.mark.parametrize("model", [BGNBD.from_params(**BG), MBGNBD.from_params(**BG), ParetoNBD.from_params(**PARETO)])
def test_discounted_expected_purchases_is_discounted_integral_of_rate(model):
    # The rate is the derivative of the expectation: integrate by parts, E[Y(h)] e^(−δh) + δ ∫ E[Y(s)] e^(−δs) ds.
    delta, frame = 0.05, one(2, 30.43, 38.86)

    def expected(s):
        return model.expected_purchases(frame, s)[0] * np.exp(-delta * s)

    edges = [1e-12, 1.0, 10.0, 50.0, 200.0, 700.0]
    whole = sum(integrate.quad(expected, s, e, epsrel=1e-11)[0] for s, e in pairwise(edges))
    found = model.discounted_expected_purchases(frame, delta)[0]
    assert found == pytest.approx(delta * whole, rel=1e-9)
    near = integrate.quad(expected, 1e-12, 25.0, epsrel=1e-11)[0]
    ended = model.discounted_expected_purchases(frame, delta, horizon=25.0)[0]
    assert ended == pytest.approx(delta * near + expected(25.0), rel=1e-9)


def test_pareto_nbd_against_integrals_over_customers():
    # The definition itself: over rates λ and μ of a customer who made x purchases, the last at tx, by a product rule.
    r, alpha, s, beta = PARETO.values()
    x, tx, T, h = 3, 20.0, 38.86, 39.0
    lam, wl = special.roots_genlaguerre(70, r + x - 1)
    edges = np.concatenate([[0], np.geomspace(1e-14, 60, 60)])
    nodes, weights = np.polynomial.legendre.leggauss(20)
    mu = np.concatenate([(e - b) / 2 * nodes + (e + b) / 2 for b, e in pairwise(edges)])
    wm = np.concatenate([(e - b) / 2 * weights for b, e in pairwise(edges)]) * mu ** (s - 1) * np.exp(-mu)
    L, M = lam[:, None] / (alpha + T), mu / beta
    # exp(-alpha λ) is in the Laguerre weight together with exp(-λ T), so the likelihood keeps exp(λ T) less.
    alive = np.exp(-M * T) * np.ones_like(L)
    dead = M / (L + M) * (np.exp(-(L + M) * tx + L * T) - np.exp(-M * T))
    joint = wl[:, None] * wm
    total = (joint * (alive + dead)).sum()
    model, frame = ParetoNBD.from_params(**PARETO), one(x, tx, T)
    assert model.probability_alive(frame)[0] == pytest.approx((joint * alive).sum() / total, rel=2e-7)
    expected = (joint * alive * L / M * -np.expm1(-M * h)).sum() / total
    assert model.expected_purchases(frame, h)[0] == pytest.approx(expected, rel=2e-7)
    buys = (joint * alive * L / (L + M) * -np.expm1(-(L + M) * h)).sum() / total
    assert model.probability_of_purchase(frame, h)[0] == pytest.approx(buys, rel=2e-7)
    log_l = np.log(total) - np.log(special.gamma(s)) - special.gammaln(r) + r * np.log(alpha) - (r + x) * np.log(alpha + T)
    state = compress([np.array([float(x)]), np.array([tx]), np.array([T])])
    assert model._log_likelihood(model.parameters(), state, False)[0] == pytest.approx(log_l, rel=1e-7)


def test_bg_bb_donor_expectations():
    # At the parameters of Fader, Hardie and Shang (2010); lifetimes gives the same to 1e-8 (test_lifetimes.py).
    model = BGBB.from_params(alpha=1.204, beta=0.750, gamma=0.657, delta=2.783)
    donors = pd.DataFrame({"frequency": [6, 0], "recency": [6, 0], "periods": 6})
    assert model.expected_purchases(donors, 5).round(2).tolist() == [3.75, 0.07]


def test_bg_bb_discounted_is_sum_over_periods():
    model = BGBB.from_params(alpha=1.204, beta=0.750, gamma=0.657, delta=2.783)
    donors = pd.DataFrame({"frequency": [6, 0, 3], "recency": [6, 0, 4], "periods": [6, 6, 6]})
    grown = np.array([model.expected_purchases(donors, h).to_numpy() for h in range(1, 401)])
    each = np.diff(grown, axis=0, prepend=0.0)
    discount = np.exp(-0.1 * np.arange(1, 401))
    assert model.discounted_expected_purchases(donors, 0.1).to_numpy() == pytest.approx(discount @ each, rel=1e-10)
    assert model.discounted_expected_purchases(donors, 0.1, horizon=7).to_numpy() == pytest.approx(
        discount[:7] @ each[:7], rel=1e-11
    )


def test_sbg_is_the_sum_of_survival():
    model = SBG.from_params(alpha=0.6681, beta=3.8061)
    now = pd.DataFrame({"periods": [0, 3, 10]})

    def survival(t):
        return model.survival(t).to_numpy()

    for h in (1, 5, 40):
        for row, n in enumerate(now["periods"]):
            later = survival(n + np.arange(1, h + 1)) / survival([n])
            assert model.expected_purchases(now, h)[row] == pytest.approx(later.sum(), rel=1e-11)
            discounted = (later * np.exp(-0.1 * np.arange(1, h + 1))).sum()
            assert model.discounted_expected_purchases(now, 0.1, horizon=h)[row] == pytest.approx(discounted, rel=1e-11)
    assert model.retention_rate([1, 2])[1.0] == pytest.approx(survival([1])[0])

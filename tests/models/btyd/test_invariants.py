"""What must hold for every data set."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import special

from crmlab.models.btyd.bdw import BDW
from crmlab.models.btyd.bg_bb import BGBB
from crmlab.models.btyd.bg_nbd import BGNBD
from crmlab.models.btyd.mbg_nbd import MBGNBD
from crmlab.models.btyd.pareto_nbd import ParetoNBD
from crmlab.models.btyd.sbg import SBG
from crmlab.models.btyd.special import power_integral
from crmlab.models.btyd.states import compress

CONTINUOUS = [
    BGNBD.from_params(r=0.5, alpha=5.0, a=0.8, b=2.5),
    MBGNBD.from_params(r=0.6, alpha=5.0, a=0.7, b=2.0),
    ParetoNBD.from_params(r=0.6, alpha=9.0, s=0.7, beta=11.0),
]
sizes = st.floats(0.02, 60.0)
few = settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
many = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def sample_of(model, n: int, seed: int) -> pd.DataFrame:
    age = np.random.default_rng(seed).integers(4, 40, n)
    return model.simulate(age, seed=seed).round(1)


@pytest.mark.parametrize("truth", CONTINUOUS)
@few
@given(seed=st.integers(0, 10**6))
def test_weights_are_replication(truth, seed):
    data = sample_of(truth, 600, seed)
    weight = np.random.default_rng(seed).integers(1, 5, len(data))
    one = type(truth)().fit(data.assign(weight=weight))
    other = type(truth)().fit(data.loc[data.index.repeat(weight)])
    assert one.log_likelihood_ == pytest.approx(other.log_likelihood_, rel=1e-12)
    assert one.params_ == pytest.approx(other.params_, rel=1e-6)
    assert one.n_customers_ == other.n_customers_ == weight.sum()


@pytest.mark.proof
@pytest.mark.parametrize("truth", CONTINUOUS)
@few
@given(seed=st.integers(0, 10**6), factor=st.sampled_from([7.0, 1 / 7.0, 365.25, 0.001]))
def test_time_unit_shifts_the_log_likelihood(truth, seed, factor):
    data = sample_of(truth, 600, seed)
    changed = data.assign(recency=data["recency"] * factor, T=data["T"] * factor)
    one, other = type(truth)().fit(data), type(truth)().fit(changed)
    shift = data["frequency"].sum() * np.log(factor)
    assert other.log_likelihood_ == pytest.approx(one.log_likelihood_ - shift, abs=2e-6)
    assert other.boundary_ == one.boundary_
    if one.boundary_ is None:
        for name, value in one.params_.items():
            scale = factor if name in ("alpha", "beta") else 1.0
            assert other.params_[name] == pytest.approx(scale * value, rel=2e-4)


@pytest.mark.proof
@pytest.mark.parametrize("truth", CONTINUOUS)
@few
@given(seed=st.integers(0, 10**6))
def test_row_order_and_subset(truth, seed):
    data = sample_of(truth, 500, seed)
    mixed = data.sample(frac=1, random_state=seed % 1000)
    one, other = type(truth)().fit(data), type(truth)().fit(mixed)
    assert one.params_ == other.params_
    assert one.log_likelihood_ == other.log_likelihood_
    for method, how in (("expected_purchases", {"horizon": 10}), ("next_purchase", {}), ("probability_alive", {})):
        for more in ({}, {"level": 0.9}, {"level": 0.9, "interval": "outcome"}):
            if more and method == "next_purchase" and type(truth) is ParetoNBD:
                continue  # the same search as of the others, on dearer integrals
            whole = getattr(one, method)(data, **how, **more)
            part = getattr(one, method)(mixed.iloc[:60], **how, **more)
            assert part.index.equals(mixed.index[:60])
            np.testing.assert_allclose(part.to_numpy(), whole.loc[part.index].to_numpy(), rtol=1e-9, atol=1e-13)


@pytest.mark.proof
@many
@given(r=sizes, alpha=sizes, a=sizes, b=sizes, t=st.floats(0.5, 200.0))
def test_pmf_sums_to_one(r, alpha, a, b, t):
    for model in (BGNBD, MBGNBD):
        fitted = model.from_params(r=r, alpha=alpha, a=a, b=b)
        top = int(fitted.expected_purchases_new(t, level=0.999999, interval="outcome")["high"])
        mass = fitted.pmf(np.arange(top + 1), t)
        assert (mass >= 0).all()
        assert mass.sum() == pytest.approx(1.0, abs=2e-6)
        # The pmf and the tail are worked out apart from each other.
        assert fitted.pmf(0, t) + fitted.probability_of_purchase(_new("T"), t)[0] == pytest.approx(1.0, abs=1e-12)


@settings(max_examples=8, deadline=None)
@given(r=sizes, alpha=sizes, s=sizes, beta=sizes, t=st.floats(0.5, 200.0))
def test_pmf_sums_to_one_pareto_nbd(r, alpha, s, beta, t):
    fitted = ParetoNBD.from_params(r=r, alpha=alpha, s=s, beta=beta)
    top = int(fitted.expected_purchases_new(t, level=0.999999, interval="outcome")["high"])
    assert fitted.pmf(np.arange(top + 1), t).sum() == pytest.approx(1.0, abs=1e-5)


@settings(max_examples=25, deadline=None)
@given(alpha=sizes, beta=sizes, gamma=sizes, delta=sizes, t=st.integers(1, 60))
def test_pmf_sums_to_one_discrete(alpha, beta, gamma, delta, t):
    n = np.arange(t + 1)
    bought = BGBB.from_params(alpha=alpha, beta=beta, gamma=gamma, delta=delta)
    assert bought.pmf(n, t).sum() == pytest.approx(1.0, abs=1e-11)
    assert (bought.pmf(n, t) * n).sum() == pytest.approx(bought.expected_purchases_new(t), rel=1e-9)
    for renewed in (SBG.from_params(alpha=alpha, beta=beta), BDW.from_params(alpha=alpha, beta=beta, c=0.5 + gamma)):
        assert renewed.pmf(n, t).sum() == pytest.approx(1.0, abs=1e-11)
        assert (renewed.pmf(n, t) * n).sum() == pytest.approx(renewed.expected_purchases_new(t), rel=1e-9)


@pytest.mark.parametrize(
    "given", [(1.2, 0.75, 0.66, 2.8), (0.001, 0.01, 0.001, 0.5), (8.0, 8000.0, 0.5, 30.0), (0.9, 300.0, 0.05, 900.0)]
)
def test_purchase_within_thousands_of_periods_is_the_sum_over_them(given):
    alpha, beta, gamma, delta = given
    model = BGBB.from_params(alpha=alpha, beta=beta, gamma=gamma, delta=delta)
    donor = pd.DataFrame({"frequency": [2], "recency": [3], "periods": [6]})
    t = np.arange(1.0, 20_001)
    log_f = special.betaln(alpha + 3, beta + (3 + t)) - special.betaln(alpha + 2, beta + 4)
    log_f += special.betaln(gamma, delta + 6 + t) - special.betaln(gamma, delta + 7)
    brute = model.probability_alive(donor)[0] * np.exp(log_f).sum()
    assert model.probability_of_purchase(donor, 20_000)[0] == pytest.approx(brute, rel=1e-6)


def _new(age: str) -> pd.DataFrame:
    return pd.DataFrame({"frequency": [0], "recency": [0.0], age: [0.0]})


EXTREME = pd.DataFrame(
    {
        "frequency": [0, 0, 0, 1, 1, 5000, 5000, 5000, 3],
        "recency": [0.0, 0.0, 0.0, 1e-6, 364.9999, 0.01, 365.0, 180.0, 1e-9],
        "T": [0.0, 1e-9, 1e5, 365.0, 365.0, 365.0, 365.0, 365.0, 1e5],
    }
)


def everything(model, frame: pd.DataFrame) -> list[pd.Series]:
    return [
        model.probability_alive(frame),
        model.expected_purchases(frame, 1e-6),
        model.expected_purchases(frame, 39.0),
        model.expected_purchases(frame, 1e5),
        model.probability_of_purchase(frame, 39.0),
        model.discounted_expected_purchases(frame, 0.0027),
        model.discounted_expected_purchases(frame, 5.0),
    ]


@pytest.mark.proof
@many
@given(r=sizes, alpha=sizes, a=st.floats(0.001, 60.0), b=sizes)
def test_beta_geometric_is_finite_everywhere(r, alpha, a, b):
    for model in (BGNBD, MBGNBD):
        for found in everything(model.from_params(r=r, alpha=alpha, a=a, b=b), EXTREME):
            assert np.isfinite(found).all()
            assert (found >= 0).all()


@settings(max_examples=25, deadline=None)
@given(r=sizes, alpha=sizes, s=sizes, beta=sizes)
def test_pareto_nbd_is_finite_everywhere(r, alpha, s, beta):
    model = ParetoNBD.from_params(r=r, alpha=alpha, s=s, beta=beta)
    for found in everything(model, EXTREME):
        assert np.isfinite(found).all()
        assert (found >= 0).all()
    states = compress([EXTREME[name].to_numpy(float) for name in ("frequency", "recency", "T")])
    value, gradient = model._log_likelihood(model.parameters(), states, True)
    assert np.isfinite(value) and np.isfinite(gradient).all()


@pytest.mark.parametrize("truth", CONTINUOUS)
def test_one_customer_with_5000_purchases_changes_nothing_for_others(truth):
    some = sample_of(truth, 300, 1)
    busy = pd.DataFrame({"frequency": [5000], "recency": [39.0], "T": [39.0]}, index=[-1])
    for alone, together in zip(everything(truth, some), everything(truth, pd.concat([busy, some])), strict=True):
        np.testing.assert_allclose(together.loc[some.index], alone, rtol=1e-11)
    model = type(truth)()
    assert np.isfinite(model.fit(pd.concat([busy, some])).log_likelihood_)


@pytest.mark.parametrize("truth", CONTINUOUS)
def test_gradient_is_the_derivative(truth):
    data = sample_of(truth, 300, 2)
    states = compress([data[name].to_numpy(float) for name in ("frequency", "recency", "T")])
    params = truth.parameters() * 1.1
    gradient = truth._log_likelihood(params, states, True)[1]
    for k in range(4):
        step = np.zeros(4)
        step[k] = 1e-5 * params[k]
        up, down = (truth._log_likelihood(params + side * step, states, False)[0] for side in (1, -1))
        assert gradient[k] == pytest.approx((up - down) / (2 * step[k]), rel=1e-5, abs=1e-4)


def test_interpolation_over_ages_is_exact_enough():
    model = CONTINUOUS[0]
    ages = np.arange(0.0, 2000.0)
    frame = pd.DataFrame({"frequency": 2, "recency": 0.0, "T": ages})
    some = frame.iloc[[0, 1, 7, 100, 1234, 1999]]
    for many_ages, few_ages in zip(everything(model, frame), everything(model, some), strict=True):
        np.testing.assert_allclose(many_ages.loc[some.index], few_ages, rtol=1e-11)


@many
@given(
    p=st.floats(0.05, 6000.0), a=st.floats(1e-3, 1e4), q=st.floats(1.01, 1e4), b=st.floats(1e-3, 1e6), h=st.floats(1e-3, 1e4)
)
def test_power_integral_by_brute_force(p, a, q, b, h):
    edges = np.concatenate([[0.0], np.geomspace(h * 1e-14, h, 400)])
    nodes, weights = np.polynomial.legendre.leggauss(20)
    tau = (edges[1:] + edges[:-1])[:, None] / 2 + np.diff(edges)[:, None] / 2 * nodes
    brute = (np.exp(-p * np.log1p(tau / a) - q * np.log1p(tau / b)) * np.diff(edges)[:, None] / 2 * weights).sum()
    found = power_integral(*(np.array([one]) for one in (p, a, q, b, h)))[0][0]
    assert found == pytest.approx(brute, rel=1e-10)


def test_pickle_holds_states_not_customers():
    data = sample_of(CONTINUOUS[0], 4000, 3)
    model = BGNBD().fit(pd.concat([data] * 20, ignore_index=True))
    small = pickle.dumps(model)
    assert len(small) < 400_000
    again = pickle.loads(small)
    pd.testing.assert_series_equal(again.expected_purchases(data, 9), model.expected_purchases(data, 9))
    pd.testing.assert_frame_equal(again.expected_purchases(data, 9, level=0.9), model.expected_purchases(data, 9, level=0.9))


def test_compress_long_keys():
    # Codes that do not fit one whole number are packed in between.
    rng = np.random.default_rng(0)
    columns = [rng.random(4000).round(3) * 1e7 + 0.5 for _ in range(8)]
    columns = [np.concatenate([column, column]) for column in columns]
    states = compress(columns)
    assert states.weight.sum() == 8000
    for column, found in zip(columns, states.columns, strict=True):
        np.testing.assert_array_equal(found[states.inverse], column)

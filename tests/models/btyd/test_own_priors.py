"""Priors of one's own: the estimate is the mode found by another route, the plain fit where they are wide, their medians where narrow."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from scipy.special import betaln, gammaln
from sklearn.base import clone

from crmlab.errors import ModelError
from crmlab.models import BDW, BGBB, BGNBD, MBGNBD, SBG, CustomerValue, GammaGamma, ParetoNBD, load_model

TRUTH = BGNBD.from_params(r=0.5, alpha=6.0, a=0.8, b=2.5)
MEDIANS = {
    BGNBD: {"r": 0.6, "alpha": 8.0, "a": 1.0, "b": 4.0},
    MBGNBD: {"r": 0.6, "alpha": 8.0, "a": 1.0, "b": 4.0},
    ParetoNBD: {"r": 0.6, "alpha": 8.0, "s": 0.9, "beta": 15.0},
    BGBB: {"alpha": 1.5, "beta": 1.0, "gamma": 0.8, "delta": 4.0},
    SBG: {"alpha": 0.8, "beta": 3.0},
    BDW: {"alpha": 0.8, "beta": 3.0, "c": 1.2},
    GammaGamma: {"p": 5.0, "q": 3.0, "v": 20.0},
}


def drawn(customers: int, seed: int = 1) -> pd.DataFrame:
    ages = np.random.default_rng(seed).integers(8, 60, customers).astype(float)
    seen = TRUTH.simulate(ages, seed=seed)
    spend = GammaGamma.from_params(p=6.0, q=4.0, v=15.0).simulate(seen["frequency"], seed=seed)
    return seen.assign(monetary_value=spend["monetary_value"])


def data_of(kind):
    if kind is BGBB:
        return BGBB.from_params(alpha=1.2, beta=0.75, gamma=0.66, delta=2.8).simulate([6.0] * 300, seed=1)
    return [300, 240, 205, 184, 170] if kind in (SBG, BDW) else drawn(300)


def with_factor(kind, factor: float) -> dict[str, tuple[float, float]]:
    return {name: (median, factor) for name, median in MEDIANS[kind].items()}


def test_the_estimate_is_the_mode_found_by_another_route():
    base = drawn(80)
    priors = {"r": (0.3, 1.3), "alpha": (12.0, 1.5), "a": (0.5, 2.0), "b": (3.0, 1.2)}
    model = BGNBD(draws=100, priors=priors).fit(base)

    # Fader, Hardie and Lee (2005), (6): the likelihood customer by customer; and scipy’s
    # densities of normal logs.
    x, tx, T = (base[name].to_numpy(float) for name in ("frequency", "recency", "T"))

    def lost(logs):
        r, alpha, a, b = np.exp(logs)
        head = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        alive = betaln(a, b + x) - betaln(a, b) - (r + x) * np.log(alpha + T)
        with np.errstate(divide="ignore", invalid="ignore"):
            gone = np.where(
                x > 0, betaln(a + 1, b + np.maximum(x, 1) - 1) - betaln(a, b) - (r + x) * np.log(alpha + tx), -np.inf
            )
        told = (head + np.logaddexp(alive, gone)).sum()
        own = sum(
            stats.norm.logpdf(log, np.log(median), np.log(factor))
            for log, (median, factor) in zip(logs, priors.values(), strict=True)
        )
        return -told - own

    found = optimize.minimize(
        lost,
        np.log([0.5, 6, 0.8, 2.5]),
        method="Nelder-Mead",
        options={"maxiter": 9000, "maxfev": 9000, "xatol": 1e-8, "fatol": 1e-11},
    )
    assert list(model.params_.values()) == pytest.approx(np.exp(found.x).tolist(), rel=1e-4)
    own = sum(stats.norm.logpdf(np.log(model.params_[k]), np.log(m), np.log(f)) for k, (m, f) in priors.items())
    assert model.log_likelihood_ == pytest.approx(-lost(np.log(list(model.params_.values()))) - own, rel=1e-9)


def test_of_some_parameters_the_others_keep_weak_priors():
    base = drawn(60)
    model = ParetoNBD(draws=100, priors={"beta": (20.0, 1.3)}).fit(base)
    plain = ParetoNBD(draws=100).fit(base)
    value, unit = plain.objective(plain.states_, plain.coordinates_), plain.coordinates_.unit
    assert model.coordinates_.unit == unit

    def lost(eta):
        # r and s keep factors of e^1.5 around 1, the mean purchases in a history one of e^2 around 1; beta has its own.
        weak = stats.norm.logpdf(eta[0], 0, 1.5) + stats.norm.logpdf(eta[1], 0, 2) + stats.norm.logpdf(eta[2], 0, 1.5)
        log_beta = eta[2] - eta[3] + np.log(unit)
        return -value(eta)[0] - weak - stats.norm.logpdf(log_beta, np.log(20), np.log(1.3))

    start = model.coordinates_.eta(model.parameters())
    found = optimize.minimize(
        lost, start + 0.2, method="Nelder-Mead", options={"maxiter": 9000, "maxfev": 9000, "xatol": 1e-7, "fatol": 1e-10}
    )
    assert start == pytest.approx(found.x, abs=2e-3)


@pytest.mark.parametrize(("named", "kept"), [(["a"], [1, 1, 1, 0]), (["b", "alpha"], [1, 0, 1, 0]), (["a", "b"], [1, 1, 0, 0])])
def test_a_stated_prior_takes_one_place(named, kept):
    model = BGNBD(priors=dict.fromkeys(named, (1.0, 2.0)))
    where = model.coordinates_of(30.0)
    assert where.weak.tolist() == [bool(one) for one in kept]
    # A density over all coordinates: it integrates to 1 over those of the chance, the mean's being uniform.
    eta = np.array([0.3, -0.4, -0.7, 0.9])
    step = 1e-6
    for k in range(4):
        shift = step * np.eye(4)[k]
        slope = (where.log_prior(eta + shift)[0] - where.log_prior(eta - shift)[0]) / (2 * step)
        assert where.log_prior(eta)[1][k] == pytest.approx(slope, abs=1e-6)
    grid = np.linspace(-14, 14, 141)
    both = [[np.exp(where.log_prior(np.array([0.0, 0.0, x, y]))[0]) for y in grid] for x in grid]
    there = np.exp(where.log_prior(np.array([0.0, 0.0, 0.0, 0.0]))[0])
    rest = there / np.exp(
        sum(one.log_prior(0.0)[0] for one, keeps in zip(where.axes[2:], where.weak[2:], strict=True) if keeps)
        + sum(one.log_prior(np.log(0.5))[0] for one in where.stated if one.place >= 2)
    )
    assert np.sum(both) * 0.2**2 / rest == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("kind", list(MEDIANS))
def test_wide_priors_are_the_plain_fit_and_narrow_ones_their_medians(kind):
    data = data_of(kind)
    plain = kind(draws=100).fit(data)
    wide = kind(draws=100, priors=with_factor(kind, 1e8)).fit(data)
    assert list(wide.params_.values()) == pytest.approx(list(plain.params_.values()), rel=0.02)
    assert wide.log_likelihood_ == pytest.approx(plain.log_likelihood_, abs=0.02)
    narrow = kind(draws=100, priors=with_factor(kind, 1.0001)).fit(data)
    assert narrow.params_ == pytest.approx(MEDIANS[kind], rel=2e-4)
    # What is known beforehand the intervals know as well.
    found = narrow.summary(0.9).loc[list(narrow.parameter_names)]
    assert (found["high"] / found["low"]).to_numpy() == pytest.approx(np.full(len(found), 1.0001 ** (2 * 1.645)), rel=1e-4)


def test_intervals_go_by_the_stated_priors():
    few = drawn(5)
    priors = {"alpha": (10.0, 1.2), "r": (0.5, 1.2)}
    found = BGNBD(draws=4000, priors=priors).fit(few).summary(0.9)
    # Five customers say little: the interval is nearly that of the prior.
    assert found.loc["alpha", ["low", "high"]].tolist() == pytest.approx(
        found.loc["alpha", ["prior_low", "prior_high"]].tolist(), rel=0.12
    )
    ends = [10.0 * 1.2**-1.6448536, 10.0 * 1.2**1.6448536]
    assert found.loc["alpha", ["prior_low", "prior_high"]].tolist() == pytest.approx(ends, rel=1e-6)
    assert found.loc[["a", "b", "customers"], ["prior_low", "prior_high"]].isna().all(axis=None)
    assert "prior_low" not in BGNBD(draws=100, priors=True).fit(few).summary()


def test_they_are_saved_cloned_and_shown(tmp_path):
    base = drawn(100)
    priors = {"alpha": (np.float64(8), 2), "b": [3.0, 1.5]}
    model = BGNBD(draws=200, priors=priors)
    assert clone(model).get_params()["priors"] == priors
    assert "alpha" in repr(model)
    fitted = model.fit(base)
    assert model.priors is priors
    html = fitted._repr_html_()
    assert "of the prior" in html
    assert ">weak<" in html
    fitted.save(tmp_path / "model.json")
    loaded = load_model(tmp_path / "model.json")
    assert loaded.priors == {"alpha": (8.0, 2), "b": (3.0, 1.5)}
    pd.testing.assert_frame_equal(loaded.summary(), fitted.summary())
    pd.testing.assert_frame_equal(
        loaded.expected_purchases(base, 10.0, level=0.9), fitted.expected_purchases(base, 10.0, level=0.9)
    )
    assert clone(loaded).fit(base).params_ == pytest.approx(fitted.params_)
    value = CustomerValue(model, GammaGamma(draws=100, priors={"v": (15.0, 1.2)})).fit(base)
    value.save(tmp_path / "value.json")
    pd.testing.assert_frame_equal(load_model(tmp_path / "value.json").summary(), value.summary())


def test_a_prior_far_from_the_data_is_reached():
    model = BGNBD(draws=100, priors={"r": (40.0, 1.01), "alpha": (4000.0, 1.01)}).fit(drawn(60))
    assert model.params_["r"] == pytest.approx(40.0, rel=0.05)


@pytest.mark.parametrize(
    ("priors", "said"),
    [
        (
            {"alfa": (1, 2)},
            "BGNBD: unknown parameter 'alfa' in 'priors'. Expected some of r, alpha, a, b. Did you mean 'alpha'?",
        ),
        ({}, "BGNBD: 'priors' must be True, False, or a mapping of parameters to (median, factor). Got {} instead."),
        (
            {"r": 2.0},
            "BGNBD: the prior of 'r' must be a pair of a median and a factor. Got 2.0 instead. For example priors={'r': (1.0, 2.0)}.",
        ),
        ({"r": (0, 2.0)}, "BGNBD: the prior of 'r': its median must be a number above 0. Got 0 instead."),
        ({"r": (1.0, 1)}, "BGNBD: the prior of 'r': its factor must be a number above 1. Got 1 instead."),
    ],
)
def test_what_is_no_prior_is_refused(priors, said):
    with pytest.raises(ModelError) as error:
        BGNBD(priors=priors).fit(drawn(30))
    assert str(error.value) == said

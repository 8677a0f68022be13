"""Zero-inflated lognormal: published losses, slopes by differences, and a truth that comes back."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, special, stats

from crmlab.errors import ModelError, TooLittleError
from crmlab.models.forecasts import ZILN, ziln_loss, ziln_mean
from crmlab.models.forecasts.ziln import _amount_loss, _odds_loss


def drawn(n, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    logits = np.column_stack([-0.5 + x[:, 0], 2.0 + 0.8 * x[:, 0] - 0.5 * x[:, 1], 0.3 + 0.2 * x[:, 1]])
    bought = rng.random(n) < special.expit(logits[:, 0])
    amount = np.exp(logits[:, 1] + np.logaddexp(0, logits[:, 2]) * rng.normal(size=n))
    return x, np.where(bought, amount, 0.0), logits


def test_loss_is_the_published_one():
    # Wang, Liu and Miao (2019): the test of zero_inflated_lognormal_loss in their code.
    found = ziln_loss([0.0, 1.5], [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
    assert found == pytest.approx([0.744396660, 1.878372591], abs=2e-9)


def test_loss_is_that_of_scipy():
    _, y, logits = drawn(200)
    p, scale = special.expit(logits[:, 0]), np.log1p(np.exp(logits[:, 2]))
    some = y > 0
    told = -np.log(np.where(some, p, 1 - p))
    told[some] -= stats.lognorm(scale[some], scale=np.exp(logits[some, 1])).logpdf(y[some])
    assert ziln_loss(y, logits) == pytest.approx(told, rel=1e-12)
    assert ziln_mean(logits) == pytest.approx(p * stats.lognorm(scale, scale=np.exp(logits[:, 1])).mean(), rel=1e-12)


def test_slopes_are_those_of_differences():
    rng = np.random.default_rng(1)
    for _ in range(20):
        z, log = rng.normal(size=(1, 3)) * 2, rng.normal(size=1)
        for some in (True, False):
            slope = _odds_loss(np.array([some]), z[:, 0])[1]
            seen = optimize.approx_fprime(z[0, :1], lambda at, some=some: float(_odds_loss(np.array([some]), at)[0][0]))
            assert slope == pytest.approx(seen, abs=1e-5)
        slope = _amount_loss(log, z[:, 1:])[1][0]
        seen = optimize.approx_fprime(z[0, 1:], lambda at, log=log: float(_amount_loss(log, at[None, :])[0][0]))
        assert slope == pytest.approx(seen, abs=1e-4, rel=1e-5)


def test_truth_comes_back():
    x, y, logits = drawn(40_000)
    model = ZILN(ridge=0.0).fit(x, y)
    assert model.intercept_ == pytest.approx([-0.5, 2.0, 0.3], abs=0.05)
    assert model.coef_ == pytest.approx(np.array([[1.0, 0.8, 0.0], [0.0, -0.5, 0.2]]), abs=0.05)
    assert model.predict(x).sum() == pytest.approx(ziln_mean(logits).sum(), rel=0.03)


def test_the_optimum_is_one():
    x, y, _ = drawn(500)
    for ridge in (0.0, 3.0):
        model = ZILN(ridge, least_scale=1e-6).fit(x, y)

        def loss(coef, intercept, ridge=ridge):
            return ziln_loss(y, x @ coef + intercept).sum() + ridge / 2 * ((coef * x.std(axis=0)[:, None]) ** 2).sum()

        least = loss(model.coef_, model.intercept_)
        rng = np.random.default_rng(2)
        for _ in range(50):
            assert loss(model.coef_ + 0.02 * rng.normal(size=(2, 3)), model.intercept_ + 0.02 * rng.normal(size=3)) > least


def test_units_do_not_matter_and_constants_are_left_out():
    x, y, _ = drawn(2000)
    told = ZILN().fit(x, y).predict(x)
    scaled = x * [1000.0, 0.01] + [5.0, -3.0]
    assert ZILN().fit(scaled, y).predict(scaled) == pytest.approx(told, rel=1e-3)
    wider = np.column_stack([x, np.full(2000, 7.0)])
    model = ZILN().fit(wider, y)
    assert (model.coef_[2] == 0).all()
    assert model.predict(wider) == pytest.approx(told, rel=1e-9)
    assert ZILN().fit(x, 100 * y).predict(x) == pytest.approx(100 * told, rel=1e-3)


def test_amounts_that_do_not_vary_have_an_answer():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(400, 3))
    for y in (
        np.where(x[:, 0] > 0, 12.0, 0.0),
        np.maximum(np.round(x[:, 0]), 0.0),
        np.where(x[:, 0] > 0, np.exp(x[:, 1]), 0.0),
    ):
        model = ZILN().fit(x, y)
        assert model.predict(x).sum() == pytest.approx(y.sum(), rel=0.1)
        assert np.logaddexp(0, model.decision_function(x)[y > 0, 2]).mean() > 0.05


def test_too_little_is_said():
    x = np.arange(12.0)[:, None]
    for y in (np.zeros(12), np.arange(12.0) + 1, np.r_[np.zeros(8), 1.0, 2.0, 3.0, 4.0]):
        with pytest.raises(TooLittleError, match="ZILN: needs 5 amounts above 0, and one of 0"):
            ZILN().fit(x, y)
    y = np.r_[np.zeros(6), np.arange(6.0) + 1]
    with pytest.raises(ModelError, match="'y' must be at least 0"):
        ZILN().fit(x, -y)
    with pytest.raises(ModelError, match="'ridge' must be a number of at least 0"):
        ZILN(ridge=-1.0).fit(x, y)
    with pytest.raises(ModelError, match="'least_scale' must be a number above 0"):
        ZILN(least_scale=0.0).fit(x, y)
    with pytest.raises(ModelError, match="as many rows as amounts"):
        ZILN().fit(x[:5], y)
    with pytest.raises(ModelError, match="a table of 1 features"):
        ZILN().fit(x, y).predict(np.ones((3, 2)))
    with pytest.raises(ModelError, match="three numbers in each row"):
        ziln_loss([1.0], [[1.0, 2.0]])
    with pytest.raises(ModelError, match="amounts of at least 0"):
        ziln_loss([-1.0], [[1.0, 2.0, 3.0]])

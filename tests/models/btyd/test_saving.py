"""A saved model is read again as it was: parameters, intervals, clock; what is no saved model is refused, and no customer is in a file."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from crmlab.errors import ModelError
from crmlab.models import (
    BDW,
    BGBB,
    BGNBD,
    MBGNBD,
    SBG,
    Clock,
    CustomerValue,
    GammaGamma,
    ParetoNBD,
    cross_check,
    load_model,
    track,
)
from crmlab.models.btyd.estimator import WeightedModel

YEAR = 1 + 0.4 * np.cos(2 * np.pi * np.arange(365) / 365)
CLOCK = Clock(
    end=dt.date(2024, 12, 31),
    season=YEAR / YEAR.mean(),
    special={dt.date(2024, 12, 25): 0.0, dt.date(2025, 11, 28): 3.0},
    covariance=0.01 * np.eye(53),
    drift=0.02,
    dispersion=1.5,
)


@pytest.fixture(scope="module")
def base() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    seen = BGNBD.from_params(r=0.5, alpha=6.0, a=0.8, b=2.5).simulate(rng.integers(8, 60, 300) / 1.0, seed=3)
    spend = GammaGamma.from_params(p=6.0, q=4.0, v=15.0).simulate(seen["frequency"], seed=4)
    return seen.assign(monetary_value=spend["monetary_value"])


PERIODS = BGBB.from_params(alpha=1.2, beta=0.75, gamma=0.66, delta=2.8).simulate([6.0] * 300, seed=1)
THERE = [1000, 869, 743, 653, 593, 551, 517, 491]
MODELS = {
    "BGNBD": lambda base: (BGNBD(draws=200, seed=3).fit(base), base),
    "MBGNBD": lambda base: (MBGNBD(draws=200).fit(base), base),
    "ParetoNBD": lambda base: (ParetoNBD(draws=200).fit(base), base),
    "MBGNBD on a clock": lambda base: (MBGNBD(draws=200, clock=CLOCK).fit(base), base),
    "ParetoNBD on a clock": lambda base: (ParetoNBD(draws=200, clock=CLOCK).fit(base), base),
    "BGBB": lambda _: (BGBB(draws=200).fit(PERIODS), PERIODS),
    "BDW": lambda _: (BDW(draws=200).fit(THERE), pd.DataFrame({"periods": [0, 3, 7]})),
    "SBG": lambda _: (SBG(draws=200).fit(THERE), pd.DataFrame({"periods": [0, 3, 7]})),
}
SAME = {"rtol": 1e-12, "atol": 1e-14}


@pytest.mark.parametrize("name", MODELS)
def test_a_loaded_model_answers_as_the_saved_one(name, base, tmp_path):
    model, rows = MODELS[name](base)
    path = tmp_path / "model.json"
    model.save(path)
    loaded = type(model).load(path)
    for again in (loaded, load_model(str(path))):
        assert type(again) is type(model)
        assert again.params_ == model.params_
        for ask in (
            lambda one: one.probability_alive(rows, level=0.9),
            lambda one: one.expected_purchases(rows, 13, level=0.9),
            lambda one: one.expected_purchases(rows, 13, level=0.9, interval="outcome"),
            lambda one: one.discounted_expected_purchases(rows, 0.002, level=0.9),
            lambda one: one.expected_total(rows, 13, level=0.9),
        ):
            assert np.allclose(ask(again).to_numpy(), ask(model).to_numpy(), **SAME)
    for attribute in ("log_likelihood_", "aic_", "bic_", "n_customers_", "n_states_", "boundary_", "lesser_optima_"):
        assert getattr(loaded, attribute) == getattr(model, attribute)
    assert loaded.covariance_.equals(model.covariance_)
    assert loaded.standard_errors_.equals(model.standard_errors_)
    assert {**loaded.get_params(), "clock": None} == {**model.get_params(), "clock": None}
    assert loaded.effective_sample_size_ == model.effective_sample_size_
    drawn = loaded.sample_posterior(400, seed=1)
    assert np.allclose(np.log(drawn).mean(), np.log(model.sample_posterior(400, seed=1)).mean(), atol=0.4)
    # A second saving is the same file.
    loaded.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == path.read_text()


def test_a_clock_is_read_as_it_was(base, tmp_path):
    MBGNBD(draws=200, clock=CLOCK).fit(base).save(tmp_path / "model.json")
    clock = load_model(tmp_path / "model.json").clock
    assert (clock.end, clock.special, clock.years, clock.drift) == (CLOCK.end, CLOCK.special, np.inf, 0.02)
    for name in ("season", "weekday", "level", "level_error", "spend", "covariance"):
        assert (getattr(clock, name) == getattr(CLOCK, name)).all(), name
    assert clock.at([13.0, -20.0]).tolist() == CLOCK.at([13.0, -20.0]).tolist()


def test_a_normal_posterior_is_kept_by_its_mean_and_root(base, tmp_path, monkeypatch):
    monkeypatch.setattr("crmlab.models.btyd.estimator._LARGE", 10)
    many = BGNBD(draws=200).fit(pd.concat([base.assign(weight=200)]))
    assert many.posterior().normal
    many.save(tmp_path / "model.json")
    assert set(json.loads((tmp_path / "model.json").read_text())["fit"]["posterior"]) == {"draws", "mean", "root"}
    loaded = BGNBD.load(tmp_path / "model.json")
    ours, theirs = (one.expected_purchases(base, 13.0, level=0.9) for one in (many, loaded))
    assert np.allclose(ours, theirs, **SAME)
    assert np.allclose(np.log(loaded.sample_posterior(4000)).std(), np.log(many.sample_posterior(4000)).std(), rtol=0.1)


@pytest.mark.parametrize("level", [0.9, 0.5])
def test_spend_and_its_limit_are_read_as_they_were(base, tmp_path, level):
    for rows in (base, base.assign(monetary_value=12.5)):
        model = GammaGamma(draws=200).fit(rows)
        model.save(tmp_path / "spend.json")
        loaded = GammaGamma.load(tmp_path / "spend.json")
        assert (loaded.constant_, loaded.correlation_) == (model.constant_, model.correlation_)
        for interval in ("mean", "outcome"):
            ours, theirs = (one.expected_spend(rows, level=level, interval=interval) for one in (model, loaded))
            assert np.allclose(ours, theirs, **SAME)


def test_a_boundary_has_no_standard_errors_after_loading_either(tmp_path):
    once = pd.DataFrame({"frequency": [3.0] * 40, "recency": [10.0] * 40, "T": [10.0] * 40})
    model = MBGNBD(draws=200).fit(once)
    assert model.boundary_ is not None
    model.save(tmp_path / "model.json")
    loaded = MBGNBD.load(tmp_path / "model.json")
    assert loaded.boundary_ == model.boundary_
    assert loaded.standard_errors_.isna().all()
    assert loaded.standard_errors_.attrs["reason"] == model.standard_errors_reason_
    ours, theirs = (one.expected_purchases(once, 5.0, level=0.9) for one in (model, loaded))
    assert np.allclose(ours, theirs, **SAME)


def test_value_saves_both_models(base, tmp_path):
    path = tmp_path / "value.json"
    free = base.assign(monetary_value=base["monetary_value"].where(base.index > 5, 0.0))
    value = CustomerValue(purchases=BGNBD(draws=200), margin=0.4, rate=0.12, unit="week").fit(free)
    value.save(path)
    for loaded in (CustomerValue.load(path), load_model(path)):
        for interval in ("mean", "outcome"):
            ours, theirs = (one.residual_value(free, 52.0, level=0.9, interval=interval) for one in (value, loaded))
            assert np.allclose(ours, theirs, **SAME)
        assert (loaded.margin, loaded.rate, loaded.unit, loaded.n_left_out_) == (0.4, 0.12, "week", value.n_left_out_)
        assert loaded.spend is None
        assert not hasattr(loaded.purchases, "params_")
        assert loaded.fit(free).purchases_.params_ == pytest.approx(value.purchases_.params_, rel=1e-9)


def test_value_of_models_that_were_given_is_of_given_models(base, tmp_path):
    value = CustomerValue(MBGNBD(draws=200).fit(base), GammaGamma(draws=200).fit(base))
    value.save(tmp_path / "value.json")
    loaded = CustomerValue.load(tmp_path / "value.json")
    assert not hasattr(loaded, "purchases_")
    assert np.allclose(loaded.residual_value(base, level=0.9), value.residual_value(base, level=0.9), **SAME)


def test_parameters_that_were_given_stay_without_uncertainty(base, tmp_path):
    model = BGNBD.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426)
    model.save(tmp_path / "model.json")
    loaded = BGNBD.load(tmp_path / "model.json")
    assert loaded.expected_purchases(base, 13.0).equals(model.expected_purchases(base, 13.0))
    with pytest.raises(ModelError, match="have no uncertainty"):
        loaded.expected_purchases(base, 13.0, level=0.9)
    with pytest.raises(NotFittedError):
        BGNBD().save(tmp_path / "model.json")
    with pytest.raises(NotFittedError):
        CustomerValue().save(tmp_path / "model.json")
    assert load_model(tmp_path / "model.json").params_ == model.params_


def test_a_file_has_no_customers_and_knows_its_own(base, tmp_path):
    model = MBGNBD(draws=200).fit(base)
    model.save(tmp_path / "model.json")
    loaded = MBGNBD.load(tmp_path / "model.json")
    for one in (model, loaded):
        assert one.was_fitted_to(base.sample(frac=1, random_state=1))
        assert not one.was_fitted_to(base.iloc[1:])
    assert not hasattr(loaded, "states_")
    with pytest.raises(ModelError, match="cross_check: needs a model with the customers .* Found: one that was loaded"):
        cross_check(loaded)
    assert track(loaded, base, None, [13.0, 26.0]).equals(track(model, base, None, [13.0, 26.0]))
    assert SBG(draws=200).fit(THERE).was_fitted_to(THERE)


def test_what_is_no_saved_model_is_refused(base, tmp_path):
    path = tmp_path / "model.json"
    BGNBD(draws=200).fit(base).save(path)
    good = json.loads(path.read_text())

    def refused(content, text, model=BGNBD):
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        with pytest.raises(ModelError, match=text):
            model.load(path)

    refused(good, "MBGNBD: the file .*must be a saved MBGNBD. Got 'BGNBD' instead. load_model", MBGNBD)
    refused(good, "must be a saved CustomerValue", CustomerValue)
    refused("", "must be a model that was saved")
    refused("[1, 2]", "must be a model that was saved")
    refused("{" * 100_000, "must be a model that was saved")
    refused({"format": "another"}, "must be a model that was saved")
    refused({**good, "version": 2, "made_with": {"crmlab": "9.9"}}, "of format 1. Got 2 instead. .*written by 9.9")
    refused({**good, "version": "1"}, "of format 1")
    refused(
        {name: value for name, value in good.items() if name != "params"},
        "is not whole. Expected what .* Found: no params. Save",
    )
    refused({**good, "params": {**good["params"], "r": -1.0}}, "parameters that are not positive")
    refused({**good, "options": {"draws": 200, "power": 3}}, "is not whole")
    fit = good["fit"]
    refused({**good, "fit": {**fit, "covariance": [[1.0]]}}, r"numbers of shape \(1, 1\)")
    refused({**good, "fit": {**fit, "posterior": {**fit["posterior"], "weight": [0.1, 0.2]}}}, "add up to 1")
    path.write_text(json.dumps({**good, "class": "os.system"}))
    with pytest.raises(ModelError, match="a class 'os.system'"):
        load_model(path)
    with pytest.raises(ModelError, match="BGNBD: the file .*cannot be read. No such file"):
        BGNBD.load(tmp_path / "none.json")
    with pytest.raises(ModelError, match="cannot be read"):
        BGNBD.load(tmp_path)


def test_a_file_is_replaced_whole_or_not_at_all(base, tmp_path, monkeypatch):
    path = tmp_path / "model.json"
    model = BGNBD.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426)
    model.save(path)
    before = path.read_text()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("crmlab.models.btyd.saving.os.fsync", full)
    with pytest.raises(ModelError, match="BGNBD: the file 'model.json' cannot be written. No space left on device"):
        BGNBD.from_params(r=1.0, alpha=1.0, a=1.0, b=1.0).save(path)
    assert path.read_text() == before
    assert [one.name for one in tmp_path.iterdir()] == ["model.json"]
    with pytest.raises(ModelError, match="cannot be written"):
        model.save(tmp_path / "no folder" / "model.json")


def test_a_posterior_that_cannot_be_used_is_as_unusable_after_loading(base, tmp_path, monkeypatch):
    def unusable(*_, **__):
        raise ModelError("BGNBD: the posterior sample is not usable.")

    model = BGNBD(draws=200).fit(base)
    monkeypatch.setattr("crmlab.models.btyd.estimator.sample", unusable)
    model.save(tmp_path / "model.json")
    loaded = BGNBD.load(tmp_path / "model.json")
    assert loaded.expected_purchases(base, 13.0).equals(model.expected_purchases(base, 13.0))
    with pytest.raises(ModelError, match="not usable"):
        loaded.expected_purchases(base, 13.0, level=0.9)


def test_every_model_can_be_saved():
    from crmlab.models.btyd.named import NAMED

    def below(kind):
        return [kind, *(one for child in kind.__subclasses__() for one in below(child))]

    kinds = {one.__name__ for one in below(WeightedModel) if hasattr(one, "_age") or one is GammaGamma}
    kinds -= {"Future", "BuyTillYouDie", "WithCovariates", "BetaGeometric", "RegularBuyers", "UnderContract"}
    assert kinds == set(NAMED)

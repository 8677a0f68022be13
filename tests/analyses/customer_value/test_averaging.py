"""Where the data do not tell models apart, the interval of what is said takes in what the others say, on every page alike."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from crmlab.analyses.customer_value import Params, measured, scores, sums
from crmlab.analyses.customer_value.averaging import LEAST, Alternative, alternatives_of, averaged, weights_of
from crmlab.analyses.customer_value.choice import Choice
from crmlab.analyses.customer_value.kinds import MODELS
from crmlab.analyses.customer_value.seasons import Season
from crmlab.analyses.customer_value.valuation import value_customers
from crmlab.errors import ModelError
from crmlab.models.btyd.portfolios import Measure
from crmlab.models.btyd.selection import compare_models
from crmlab.models.intervals import LEVEL, mixture_interval
from tests.worlds.model import model_world

NAMES = ("mbg_nbd", "bg_nbd")
NO_SEASON = Season(by="rounds", tested=pd.DataFrame())
TRUE = {"r": 0.6, "alpha": 6.0, "a": 0.8, "b": 2.4}


def choice_of(truth: str, size: int, by: str = "holdout", name: str = "mbg_nbd", seed: int = 1) -> Choice:
    """A choice between two models, by 40 weeks of customers of one of them."""
    held = MODELS[truth].from_params(**TRUE).simulate([60.0] * size, 40, seed=seed).assign(horizon=40.0)
    models = {key: MODELS[key]().fit(held) for key in NAMES}
    ranking = compare_models(models, held)
    ranked = SimpleNamespace(held=held, models=models, ranking=ranking, best=ranking.index[0])
    return Choice(name=name, by=by, ranked=ranked, untested="", season=NO_SEASON)


def test_many_customers_tell_models_apart_and_few_do_not():
    assert weights_of(choice_of("mbg_nbd", 4000)) == {}
    few = [weights_of(choice_of("mbg_nbd", 100, seed=seed)).get("bg_nbd", 0.0) for seed in range(8)]
    assert np.mean([LEAST <= weight <= 0.5 for weight in few]) >= 0.5
    # What is used keeps half, though all of the others together be better.
    assert weights_of(choice_of("bg_nbd", 4000, by="unclear")) == {"bg_nbd": 0.5}


def test_who_asked_for_a_model_gets_that_one_alone():
    found = choice_of("bg_nbd", 4000, by="unclear")
    assert weights_of(Choice(name="mbg_nbd", by="given", ranked=found.ranked, untested="", season=NO_SEASON)) == {}
    assert weights_of(Choice(name="mbg_nbd", by="aic", ranked=None, untested="too short", season=NO_SEASON)) == {}


def told(value: float, low: float, high: float) -> pd.DataFrame:
    return pd.DataFrame({"value": [value], "low": [low], "high": [high]})


def test_the_ends_are_those_of_the_mixture_and_hold_the_value_that_is_used():
    said = {"mine": told(100.0, 95.0, 105.0), "other": told(200.0, 190.0, 210.0)}
    assert averaged("mine", (), said.__getitem__, LEVEL) is said["mine"]
    found = averaged("mine", (Alternative(0.5, "other"),), said.__getitem__, LEVEL).iloc[0]
    assert found["value"] == 100 and 95 < found["low"] < 97 and 203 < found["high"] < 210
    nearly = averaged("mine", (Alternative(0.99, "other"),), said.__getitem__, LEVEL).iloc[0]
    assert nearly["low"] == 100 and nearly["high"] > 209


@pytest.fixture(scope="module")
def unclear():
    """300 customers of a world where nobody leaves after a single purchase, which is not seen clearly: seed, page."""
    return scores(model_world(0, 500).history(), Params())


@pytest.mark.proof
def test_every_sum_takes_in_what_the_others_say(unclear):
    """Each number of the page, by the models themselves: mixed here by draws."""
    assert [type(alternative.model.purchases).__name__ for alternative in unclear.alternatives] == ["BGNBD"]
    alternative, fit, rng = unclear.alternatives[0], unclear.fit, np.random.default_rng(3)
    measure = {"alive": Measure(lambda worth: float(worth.alive.mean()))}
    alone = measured(SimpleNamespace(**vars(unclear) | alike(unclear, ())), fit.summary, measure).loc["alive"]
    other = alternative.model.purchases.probability_alive(fit.summary).mean()
    found = sums(unclear).loc["all"]
    assert found["alive"] == pytest.approx(alone["value"]) and alone["high"] < other < found["alive_high"] <= 1
    # By draws: half of them of each model's posterior.
    shares = [draws_of_alive(one, fit.summary, rng) for one in (fit.purchases, alternative.model.purchases)]
    mixed = np.concatenate([shares[0][: round(600 * (1 - alternative.weight))], shares[1][: round(600 * alternative.weight)]])
    assert found["alive_high"] == pytest.approx(np.quantile(mixed, 0.95), rel=0.03)
    assert found["alive_low"] == pytest.approx(np.quantile(mixed, 0.05), rel=0.03)
    page = value_customers(unclear)
    assert page.alive["high"] == pytest.approx(found["alive_high"] * len(fit.summary))
    single = unclear.customers["alive_high"]
    assert (single[unclear.customers["frequency"] == 0] > unclear.customers["alive"][unclear.customers["frequency"] == 0]).all()


def alike(found, alternatives) -> dict[str, object]:
    """What ``measured`` asks of scores, with other alternatives."""
    return {
        "alternatives": alternatives,
        "fit": found.fit,
        "level": found.level,
        "horizon": found.horizon,
        "ahead": found.ahead,
    } | {"base": found.base}


def draws_of_alive(model, summary, rng) -> np.ndarray:
    """Mean P(alive) at 600 draws of the posterior."""
    posterior, states = model._posterior(), model.states_of(summary)
    picked = rng.choice(len(posterior.eta), 600, p=posterior.weight)
    means = {}
    for k in set(picked.tolist()):
        chance = model.chance_alive(posterior.where.params(posterior.eta[k])[0], states)
        means[k] = float(states.weight @ chance) / states.n
    return np.array([means[k] for k in picked.tolist()])


@pytest.mark.proof
def test_what_cannot_be_fitted_to_all_is_no_alternative(unclear, monkeypatch):
    def refused(self, base, summary=None, seed=0):
        raise ModelError.needs("BGNBD", "customers who bought again", "none")

    monkeypatch.setattr(Choice, "fit", refused)
    assert alternatives_of(unclear.base, unclear.fit.choice, unclear.fit.model, unclear.fit.summary) == ()


def test_quantiles_of_a_mixture_are_those_of_draws():
    rng = np.random.default_rng(5)
    value, spread, weights = np.array([10.0, 14.0, 30.0]), np.array([0.1, 0.3, 0.05]), [0.5, 0.3, 0.2]
    ends = [value * np.exp(sign * 1.6448536 * spread) for sign in (-1, 1)]
    low, high = mixture_interval(value[:, None], ends[0][:, None], ends[1][:, None], weights)
    which = rng.choice(3, 400_000, p=weights)
    draws = value[which] * np.exp(spread[which] * rng.standard_normal(400_000))
    assert [low[0], high[0]] == pytest.approx(np.quantile(draws, [0.05, 0.95]), rel=0.01)
    one = mixture_interval([[10.0, 0.0, 1e-90]], [[9.0, 0.0, 0.0]], [[12.0, 0.0, 2e-90]], [1.0])
    assert one[0] == pytest.approx([9.0, 0.0, 0.0], abs=1e-12) and one[1] == pytest.approx([12.0, 0.0, 0.0], abs=1e-12)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (([1.0], [1.0], [1.0], [1.0]), "one row per weight"),
        (([[1.0]], [[1.0]], [[1.0]], [0.5]), "add up to 1"),
        (([[np.nan]], [[1.0]], [[1.0]], [1.0]), "finite"),
        (([[1.0]], [[2.0]], [[3.0]], [1.0]), "0 ≤ low ≤ value ≤ high"),
    ],
)
def test_a_mixture_needs_weights_and_ends_in_order(given, said):
    with pytest.raises(ModelError, match=said):
        mixture_interval(*given)

"""Covariates on purchases and on drop-out: what is known of customers explains how often they buy and how soon they leave."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from crmlab.errors import ModelError
from crmlab.models.btyd.bg_nbd import BGNBD
from crmlab.models.btyd.clock import DAYS, Clock
from crmlab.models.btyd.covariates import Covariates
from crmlab.models.btyd.customer_value import CustomerValue
from crmlab.models.btyd.diagnostics import frequency_frame, history_alive_frame, matrix_frame
from crmlab.models.btyd.gamma_gamma import GammaGamma
from crmlab.models.btyd.lifetimes_bridge import to_lifetimes
from crmlab.models.btyd.loading import load_model
from crmlab.models.btyd.mbg_nbd import MBGNBD
from crmlab.models.btyd.pareto_nbd import ParetoNBD
from crmlab.models.btyd.paths import drawn_paths
from crmlab.models.btyd.plots import plot_posterior
from crmlab.models.btyd.seasonality import fit_clock
from crmlab.models.btyd.selection import compare_models
from crmlab.models.btyd.states import compress, over_values
from crmlab.models.btyd.tracking import track

MODELS = [ParetoNBD, BGNBD, MBGNBD]
RATE, LEAVING = 0.5, 0.4


def lived(model, n: int, seed: int, effects: tuple[float, float] = (RATE, LEAVING), *, age: float = 52.0) -> pd.DataFrame:
    """Customers drawn one by one, purchase by purchase; half of them came by the web, and are numbered so too."""
    rng = np.random.default_rng(seed)
    web = rng.integers(0, 2, n)
    rate = rng.gamma(1.2, 1.0, n) / (10 * np.exp(-effects[0] * web))
    if model is ParetoNBD:
        life = rng.exponential(1.0, n) / (rng.gamma(0.8, 1.0, n) / (20 * np.exp(-effects[1] * web)))
        chance = np.zeros(n)
    else:
        life, chance = np.full(n, np.inf), rng.beta(0.8 * np.exp(effects[1] * web), 2.5)
    frequency, recency = np.zeros(n), np.zeros(n)
    for k in range(n):
        gone, time = model is MBGNBD and rng.random() < chance[k], 0.0
        while not gone:
            time += rng.exponential(1 / rate[k])
            if time > min(age, life[k]):
                break
            frequency[k], recency[k] = frequency[k] + 1, time
            gone = rng.random() < chance[k]
    return pd.DataFrame(
        {"frequency": frequency, "recency": recency, "T": age, "web": web, "channel": np.where(web == 1, "web", "shop")}
    )


@pytest.fixture(scope="module")
def people() -> dict[type, pd.DataFrame]:
    """A thousand customers of each model, with further attributes that do not matter."""
    found = {}
    for model in MODELS:
        rng = np.random.default_rng(5)
        frame = lived(model, 1000, 3).assign(age=rng.normal(45, 12, 1000).round(1), vip=rng.random(1000) < 0.3)
        found[model] = frame.assign(country=rng.choice(list("abcde"), 1000, p=[0.5, 0.3, 0.17, 0.02, 0.01]))
    return found


RICH = Covariates(["age", "channel", "country"], dropout=["age", "vip"], equal=["age"], rare=25)


@pytest.fixture(scope="module")
def fitted(people) -> dict[type, ParetoNBD | BGNBD | MBGNBD]:
    return {model: model(covariates=RICH, draws=500).fit(people[model]) for model in MODELS}


def plain(model, k: int, frame: pd.DataFrame):
    """The model without covariates that holds for one customer."""
    states = model.states_of(frame)
    each = [
        float(np.broadcast_to(part, len(states.weight))[states.inverse[k]])
        for part in model.at_states(model.parameters(), states)
    ]
    return type(model).from_params(**dict(zip(type(model).parameter_names, each, strict=True)))


# The likelihood.


def density(model, each: dict[str, float], x: int, tx: float, T: float) -> float:
    """Likelihood of one customer, integrated over rates, chances and the time of leaving as the model's story has it."""
    gamma = stats.gamma(each["r"], scale=1 / each["alpha"])
    if model is ParetoNBD:
        leaving = stats.gamma(each["s"], scale=1 / each["beta"])

        def of_leaving(mu: float) -> float:
            def of_rate(rate: float) -> float:
                gone = mu / (rate + mu) * (np.exp(-(rate + mu) * tx) - np.exp(-(rate + mu) * T))
                return rate**x * (np.exp(-(rate + mu) * T) + gone) * gamma.pdf(rate)

            return integrate.quad(of_rate, 0, np.inf, epsabs=0, epsrel=1e-8, limit=200)[0] * leaving.pdf(mu)

        return integrate.quad(of_leaving, 0, np.inf, epsabs=0, epsrel=1e-7, limit=200)[0]
    first = 1 if model is MBGNBD else 0
    beta = stats.beta(each["a"], each["b"])

    def over_rate(end: float) -> float:
        return integrate.quad(lambda u: u**x * np.exp(-u * end) * gamma.pdf(u), 0, np.inf, epsabs=0, epsrel=1e-11)[0]

    stayed = integrate.quad(lambda p: (1 - p) ** (x + first) * beta.pdf(p), 0, 1, epsabs=0, epsrel=1e-11)[0]
    left = integrate.quad(lambda p: p * (1 - p) ** (x + first - 1) * beta.pdf(p), 0, 1, epsabs=0, epsrel=1e-11)[0]
    return stayed * over_rate(T) + (left * over_rate(tx) if x + first > 0 else 0.0)


@pytest.mark.parametrize("model", [pytest.param(ParetoNBD, marks=pytest.mark.proof), BGNBD, MBGNBD])
def test_likelihood_is_that_of_each_customers_own_story(model):
    frame = pd.DataFrame(
        {
            "frequency": [2, 0, 5],
            "recency": [11.0, 0.0, 30.0],
            "T": [20.0, 25.0, 31.0],
            "age": [0.5, -1.0, 2.0],
            "kind": ["x", "y", "x"],
        }
    )
    some = pd.concat([frame] * 4, ignore_index=True)
    found = model(covariates=Covariates(["age", "kind"], dropout=["age"], rare=1), max_iter=50)
    found._learnt_from(some)
    # γ of age and of kind (y against x), δ of age.
    rest = (0.9, 9.0) if model is ParetoNBD else (0.7, 2.1)
    params = np.array([0.8, 7.0, *rest, 0.3, -0.6, 0.45])
    for k in range(3):
        one = frame.iloc[[k]]
        z, kind = float(one["age"].iloc[0]), float(one["kind"].iloc[0] == "y")
        each = {"r": 0.8, "alpha": 7.0 * np.exp(-0.3 * z + 0.6 * kind)}
        each |= {"s": 0.9, "beta": 9.0 * np.exp(-0.45 * z)} if model is ParetoNBD else {"a": 0.7 * np.exp(0.45 * z), "b": 2.1}
        value = found._log_likelihood(params, compress(found.checked_columns(one)[0]), False)[0]
        expected = density(model, each, int(one["frequency"].iloc[0]), *one[["recency", "T"]].to_numpy()[0])
        assert value == pytest.approx(np.log(expected), abs=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_gradient(model, fitted):
    found = fitted[model]
    where, states = found.coordinates_, found.states_
    objective = found.objective(states, where)
    eta = where.eta(found.parameters()) + 0.05
    assert where.eta(where.params(eta)[0]) == pytest.approx(eta, abs=1e-12)
    step = 1e-5 * np.eye(len(eta))
    numeric = np.array([(objective(eta + h)[0] - objective(eta - h)[0]) / 2e-5 for h in step])
    assert objective(eta)[1] == pytest.approx(numeric, rel=1e-5, abs=1e-4 * np.abs(numeric).max())


@pytest.mark.parametrize("model", MODELS)
def test_coefficients_of_zero_are_no_covariates(model, people):
    frame = people[model]
    base, found = model().fit(frame), model(covariates=["channel", "age"]).fit(frame)
    none = np.append(base.parameters(), np.zeros(4))
    assert found._log_likelihood(none, found.states_, False)[0] == pytest.approx(base.log_likelihood_, rel=1e-12)
    found.params_ = dict(zip(found.all_names, none.tolist(), strict=True))
    assert found.score(frame) == pytest.approx(base.score(frame), rel=1e-12)
    for ask in (
        lambda one: one.probability_alive(frame),
        lambda one: one.expected_purchases(frame, 26.0),
        lambda one: one.expected_purchases(frame, 2000.0),
        lambda one: one.probability_of_purchase(frame, 13.0),
        lambda one: one.discounted_expected_purchases(frame, 0.002),
        lambda one: one.discounted_expected_purchases(frame, 0.002, horizon=52.0),
        lambda one: one.next_purchase(frame, 0.3),
        lambda one: one.expected_purchases_new([4.0, 52.0]),
        lambda one: one.pmf([0, 1, 5], 26.0),
    ):
        there, here = np.asarray(ask(base)), np.asarray(ask(found))
        assert np.isinf(there).tolist() == np.isinf(here).tolist()
        assert here == pytest.approx(there, rel=1e-9)


@pytest.mark.parametrize("model", MODELS)
def test_everybody_is_answered_as_by_a_model_of_their_own(model, people, fitted):
    frame, found = people[model], fitted[model]
    params, states = found.parameters(), found.states_of(frame)
    asked = [0, 17, 500, 999]
    many = {
        "alive": found.probability_alive(frame),
        "expected": found.expected_purchases(frame, 26.0),
        "discounted": found.discounted_expected_purchases(frame, 0.002),
        "any": found.probability_of_purchase(frame, 13.0),
        "next": found.next_purchase(frame, 0.2),
    }
    n = np.arange(5.0)
    for k in asked:
        one, row = plain(found, k, frame), frame.iloc[[k]]
        alone = {
            "alive": one.probability_alive(row),
            "expected": one.expected_purchases(row, 26.0),
            "discounted": one.discounted_expected_purchases(row, 0.002),
            "any": one.probability_of_purchase(row, 13.0),
            "next": one.next_purchase(row, 0.2),
        }
        for name, answer in alone.items():
            assert many[name].iloc[k] == pytest.approx(answer.iloc[0], rel=1e-9), name
        mine = np.full(5, states.inverse[k])
        masses = one.count_mass(one.parameters(), one.states_of(row), np.zeros(5, dtype=int), n, 13.0)
        assert found.count_mass(params, states, mine, n, 13.0) == pytest.approx(masses, abs=1e-12)
        taken, alone_taken = states.taken(mine), one.states_of(row).taken(np.zeros(5, dtype=int))
        assert found._tail(params, n + 1, taken, 13.0) == pytest.approx(one._tail(one.parameters(), n + 1, alone_taken, 13.0))


def test_many_chances_are_interpolated():
    values = np.exp(np.random.default_rng(1).normal(0.0, 0.6, 3000))
    found = over_values(values, lambda a, which: np.column_stack([a / (1 + a), a**1.5])[[0]].repeat(len(values[which]), axis=0))
    assert found == pytest.approx(np.column_stack([values / (1 + values), values**1.5]), rel=1e-10)


# What is recovered.


@pytest.mark.proof
@pytest.mark.parametrize("model", MODELS)
def test_coefficients_are_recovered(model):
    inside, estimates = 0, []
    for seed in range(20):
        found = model(covariates=["channel"], draws=300).fit(lived(model, 1500, 100 + seed)).coefficients(0.9)
        # The more frequent one is the reference: the coefficient is the other's.
        sign = np.where(found["category"] == "web", 1.0, -1.0)
        inside += int(((found["low"] <= sign * [RATE, LEAVING]) & (sign * [RATE, LEAVING] <= found["high"])).sum())
        estimates.append((sign * found["coefficient"]).to_numpy())
    assert stats.binom.cdf(inside, 40, 0.9) > 0.01
    mean, error = np.mean(estimates, axis=0), np.std(estimates, axis=0) / np.sqrt(20)
    assert (np.abs(mean - [RATE, LEAVING]) < 4 * error).all()


@pytest.mark.proof
@pytest.mark.parametrize("model", MODELS)
def test_likelihood_ratio_test_holds_its_level(model):
    rejected = 0
    for seed in range(60):
        frame = lived(model, 400, 700 + seed, (0.0, 0.0))
        found = model(covariates=["channel"]).fit(frame).likelihood_ratio_test(model().fit(frame))
        rejected += bool(found["p_value"] < 0.1)
    assert stats.binom.cdf(rejected, 60, 0.1) > 0.005
    assert stats.binom.sf(rejected - 1, 60, 0.1) > 0.005


@pytest.mark.parametrize("model", MODELS)
def test_tests_of_covariates_add_up(model, people):
    frame = people[model]
    found = model(covariates=["web", "country"]).fit(frame)
    tests = found.covariate_tests(frame)
    assert tests[["covariate", "on"]].to_numpy().tolist() == [
        [name, on] for name in ("web", "country") for on in ("purchase", "dropout", "both")
    ]
    # Five countries of which two are rare: three others than the reference, on each.
    assert tests["degrees_of_freedom"].tolist() == [1, 1, 2, 3, 3, 6]
    without = model(covariates=["country"]).fit(frame)
    both = found.likelihood_ratio_test(without)
    assert tests.iloc[2][["log_likelihood", "statistic"]].tolist() == pytest.approx(
        [without.log_likelihood_, 2 * (found.log_likelihood_ - without.log_likelihood_)], abs=1e-6
    )
    assert both["p_value"] == pytest.approx(stats.chi2.sf(both["statistic"], 2))
    assert both["p_value"] < 0.001 < tests.iloc[5]["p_value"]


@pytest.mark.parametrize("model", MODELS)
def test_equal_coefficients_are_between(model, people):
    frame = people[model]
    free = model(covariates=["web"]).fit(frame)
    same = model(covariates=Covariates(["web"], equal=["web"])).fit(frame)
    assert same.all_names[4:] == ("both:web",)
    ends = sorted([free.params_["purchase:web"], free.params_["dropout:web"]])
    assert ends[0] < same.params_["both:web"] < ends[1]
    found = free.likelihood_ratio_test(same)
    assert found["degrees_of_freedom"] == 1
    assert found["statistic"] > 0
    assert same.coefficients()["on"].tolist() == ["both"]


def test_standard_errors_are_those_of_the_hessian(people):
    found = BGNBD(covariates=["web"]).fit(people[BGNBD])
    params, h = found.parameters(), 1e-4
    step = h * np.diag(np.append(params[:4], [1.0, 1.0]))

    def slope(at):
        return found._log_likelihood(at, found.states_, True)[1]

    hessian = np.array([-(slope(params + row) - slope(params - row)) / (2 * row.sum()) for row in step])
    assert found.standard_errors_.to_numpy() == pytest.approx(np.sqrt(np.diag(np.linalg.inv(hessian))), rel=1e-4)


def test_numbers_and_categories_say_the_same(people):
    frame = people[ParetoNBD]
    number, category = (ParetoNBD(covariates=[name]).fit(frame) for name in ("web", "channel"))
    assert number.log_likelihood_ == pytest.approx(category.log_likelihood_, abs=1e-6)
    side = 1 if category.coefficients()["category"].iloc[0] == "web" else -1
    assert number.params_["purchase:web"] == pytest.approx(side * category.parameters()[4], rel=1e-4)


def test_scale_of_a_number_is_its_own(people):
    frame = people[BGNBD]
    one = BGNBD(covariates=["age"]).fit(frame)
    other = BGNBD(covariates=["age"]).fit(frame.assign(age=(frame["age"] - 1000) * 7))
    assert other.log_likelihood_ == pytest.approx(one.log_likelihood_, abs=1e-6)
    assert 7 * other.params_["purchase:age"] == pytest.approx(one.params_["purchase:age"], rel=1e-3)
    assert other.expected_purchases(frame.assign(age=(frame["age"] - 1000) * 7), 26).to_numpy() == pytest.approx(
        one.expected_purchases(frame, 26).to_numpy(), rel=1e-4
    )


def test_ridge_shrinks_and_is_the_highest_of_what_it_says(people):
    frame = people[BGNBD]
    free = BGNBD(covariates=["web"]).fit(frame)
    held = BGNBD(covariates=Covariates(["web"], ridge=200.0)).fit(frame)
    assert np.abs(held.parameters()[4:]).max() < np.abs(free.parameters()[4:]).max()
    assert held.log_likelihood_ < free.log_likelihood_
    # At the optimum the slope of the likelihood is that of the penalty.
    slope = held._log_likelihood(held.parameters(), held.states_, True)[1][4:]
    assert slope == pytest.approx(200.0 * held.parameters()[4:], rel=1e-3)
    assert held.coefficients()["low"].notna().all()
    assert BGNBD(covariates=Covariates(["web"], ridge=1e7)).fit(frame).parameters()[4:] == pytest.approx([0, 0], abs=1e-4)
    with pytest.raises(ModelError, match=r"needs estimates of maximum likelihood"):
        held.covariate_tests(frame)
    with pytest.raises(ModelError, match=r"needs estimates of maximum likelihood of both. Found: priors or a ridge"):
        free.likelihood_ratio_test(held)
    assert BGNBD(covariates=["web"], priors=True).fit(frame).parameters()[4:] == pytest.approx(free.parameters()[4:], rel=0.05)


# Whatever a model answers.


@pytest.mark.parametrize("model", MODELS)
def test_weights_and_order_of_rows(model, people):
    frame = people[model].iloc[:400]
    weight = np.random.default_rng(1).integers(1, 4, 400)
    options = {"covariates": Covariates(["channel", "vip"], rare=20)}
    one = model(**options).fit(frame.assign(weight=weight))
    other = model(**options).fit(frame.loc[frame.index.repeat(weight)].sample(frac=1, random_state=1))
    assert one.params_ == pytest.approx(other.params_, rel=1e-5)
    assert one.log_likelihood_ == pytest.approx(other.log_likelihood_, rel=1e-11)
    assert one.was_fitted_to(frame.loc[frame.index.repeat(weight)])
    assert not one.was_fitted_to(frame.assign(vip=~frame["vip"], weight=weight))


@pytest.mark.parametrize("model", MODELS)
def test_saved_and_loaded(model, people, fitted, tmp_path):
    frame, found = people[model].iloc[:50], fitted[model]
    found.save(tmp_path / "model.json")
    loaded = load_model(tmp_path / "model.json")
    assert loaded.get_params() == found.get_params()
    pd.testing.assert_frame_equal(loaded.coefficients(), found.coefficients())
    pd.testing.assert_frame_equal(loaded.summary(), found.summary())
    pd.testing.assert_frame_equal(
        loaded.expected_purchases(frame, 26, level=0.9), found.expected_purchases(frame, 26, level=0.9)
    )
    pd.testing.assert_series_equal(loaded.expected_purchases_new([5.0, 50.0]), found.expected_purchases_new([5.0, 50.0]))
    assert loaded.was_fitted_to(people[model])
    with pytest.raises(ModelError, match=r"needs fitted models. Found: 'one that was loaded'"):
        loaded.likelihood_ratio_test(model(covariates=Covariates(["age"], equal=["age"])).fit(people[model]))


@pytest.mark.parametrize("model", MODELS)
def test_simulated_customers_do_what_is_expected_of_them(model, people, fitted):
    found = fitted[model]
    some = people[model].loc[np.arange(1000).repeat(20)].reset_index(drop=True)
    drawn = found.simulate(some["T"], 26.0, seed=4, customers=some)
    assert list(drawn.columns) == ["frequency", "recency", "T", "age", "channel", "country", "vip", "holdout_purchases"]
    expected = found.expected_purchases(drawn, 26.0)
    for _, rows in drawn.groupby("channel"):
        gap = rows["holdout_purchases"] - expected[rows.index]
        assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(len(gap))
    again = model(covariates=RICH).fit(drawn)
    assert again.params_["purchase:channel=web"] == pytest.approx(found.params_["purchase:channel=web"], abs=0.12)
    with pytest.raises(ModelError, match=r"simulate: needs customers, a table with age, channel, country, vip. Found: none"):
        found.simulate(some["T"])
    with pytest.raises(ModelError, match=r"a row of customers for each of 3 ages. Found: 20,000"):
        found.simulate([1.0, 2.0, 3.0], customers=some)
    with pytest.raises(ModelError, match=r"'customers' must be None, as the model has no covariates"):
        model().fit(drawn).simulate([1.0], customers=some)


@pytest.mark.parametrize("model", MODELS)
def test_newcomers_are_as_those_of_the_fit_or_like_one(model, people):
    frame = people[model]
    found = model(covariates=["channel"], draws=300).fit(frame)
    each = [found.expected_purchases_new(52.0, like={"channel": one}) for one in ("shop", "web")]
    share = (frame["channel"] == "web").mean()
    assert found.expected_purchases_new(52.0) == pytest.approx((1 - share) * each[0] + share * each[1])
    masses = [found.pmf([0, 3], 52.0, like={"channel": one}).to_numpy() for one in ("shop", "web")]
    assert found.pmf([0, 3], 52.0).to_numpy() == pytest.approx((1 - share) * masses[0] + share * masses[1])
    assert found.mass_since(found.parameters(), 52.0, np.array([0.0, 3.0])) == pytest.approx(found.pmf([0, 3], 52.0).to_numpy())
    ends = found.expected_purchases_new(52.0, level=0.9)
    assert ends["low"] < ends["expected_purchases"] < ends["high"]
    assert found.expected_purchases_new(52.0, level=0.9, interval="outcome", like={"channel": "web"})["high"] >= 3
    with pytest.raises(ModelError, match=r"needs 'like' for the outcome of one newcomer"):
        found.expected_purchases_new(52.0, level=0.9, interval="outcome")
    with pytest.raises(ModelError, match=r"missing column 'channel'"):
        found.pmf(0, 5.0, like={"chanel": "web"})
    with pytest.raises(ModelError, match=r"'like' must be None, as the model has no covariates"):
        model().fit(frame).pmf(0, 5.0, like={"channel": "web"})
    # And over time: what all newcomers are expected to buy is what each kind is.
    followed = track(found, np.zeros(len(frame)), None, [26.0, 52.0])
    assert followed["cumulative"].iloc[-1] == pytest.approx(len(frame) * found.expected_purchases_new(52.0))
    seen = float(frame["frequency"].sum())
    assert followed["cumulative_low"].iloc[-1] < seen < followed["cumulative_high"].iloc[-1]
    assert frequency_frame(found, frame)["expected"].sum() == pytest.approx(len(frame))


@pytest.mark.parametrize("model", MODELS)
def test_intervals_and_outcomes(model, people, fitted):
    frame, found = people[model].iloc[:60], fitted[model]
    for interval in ("mean", "outcome"):
        for answer in (
            found.expected_purchases(frame, 26, level=0.9, interval=interval),
            found.discounted_expected_purchases(frame, 0.002, horizon=52.0, level=0.9, interval=interval),
        ):
            assert (answer["low"] <= answer["high"]).all()
            assert answer.notna().all(axis=None)
    assert found.expected_total(frame, 26)["low"] < found.expected_purchases(frame, 26).sum()
    assert list(found.sample_posterior(200).columns) == list(found.all_names)
    paths = list(drawn_paths(found, frame, 26.0, each=1))
    mean = sum(len(one.path) for one in paths) / len(paths)
    assert mean == pytest.approx(float(found.expected_purchases(frame, 26).sum()), rel=0.25)
    assert "purchase:channel=" in found._repr_html_()


def test_value_and_comparison_take_the_covariates(people):
    frame = people[BGNBD].assign(monetary_value=lambda all_: np.where(all_["frequency"] > 0, 20.0 + all_["web"], np.nan))
    rng = np.random.default_rng(1)
    frame["monetary_value"] = frame["monetary_value"] * rng.gamma(8.0, 1 / 8, len(frame))
    worth = CustomerValue(BGNBD(covariates=["channel"]), GammaGamma(), unit="week").fit(frame)
    told = worth.residual_value(frame.iloc[:40], 52, level=0.9, interval="outcome")
    assert (told["low"] <= told["high"]).all()
    total = worth.total(frame, 52, interval="outcome")
    assert total["low"] < total["residual_value"] < total["high"]
    drawn = BGNBD(covariates=["channel"]).fit(frame).simulate(frame["T"], 26.0, seed=2, customers=frame).assign(horizon=26.0)
    ranked = compare_models({"with": BGNBD(covariates=["channel"]), "without": BGNBD()}, drawn)
    assert ranked.loc["with", "log_likelihood"] > ranked.loc["without", "log_likelihood"]
    assert len(cross_val_score(BGNBD(covariates=["channel"]), drawn, cv=3)) == 3


def test_clock_with_covariates(people):
    season = 1 + 0.6 * np.cos(2 * np.pi * np.arange(DAYS) / DAYS)
    clock = Clock(end=dt.date(2024, 12, 31), season=season)
    frame = people[MBGNBD]
    found, base = MBGNBD(covariates=["channel"], clock=clock).fit(frame), MBGNBD(clock=clock).fit(frame)
    found.params_ = dict(zip(found.all_names, [*base.parameters(), 0.0, 0.0], strict=True))
    for ask in (
        lambda one: one.expected_purchases(frame, 13.0),
        lambda one: one.discounted_expected_purchases(frame, 0.002),
        lambda one: one.next_purchase(frame, since=np.full(len(frame), -5.0)),
        lambda one: one.probability_alive(frame, since=np.full(len(frame), -5.0)),
    ):
        there, here = np.asarray(ask(base)), np.asarray(ask(found))
        assert np.where(np.isinf(here), -1, here) == pytest.approx(np.where(np.isinf(there), -1, there), rel=1e-8)
    with pytest.raises(ModelError, match=r"ParetoNBD: 'clock' must be None where there are covariates"):
        ParetoNBD(covariates=["channel"], clock=clock).fit(frame)
    with pytest.raises(ModelError, match=r"fit_clock: 'model' must be one without covariates"):
        fit_clock(MBGNBD(covariates=["channel"]), frame, pd.Series(dtype=float), clock.end)


def test_priors_of_ones_own_and_pictures(people):
    frame = people[BGNBD]
    free = BGNBD(covariates=["age"]).fit(frame)
    # A prior of alpha is of the customer with 0 in every number, here of age 0.
    at = free.params_["alpha"]
    held = BGNBD(covariates=["age"], priors={"alpha": (2 * at, 1.01)}).fit(frame)
    assert held.params_["alpha"] == pytest.approx(2 * at, rel=0.02)
    assert held.params_["purchase:age"] > free.params_["purchase:age"]
    near = BGNBD(covariates=["age"], priors={"alpha": (at, 3.0)}).fit(frame)
    assert near.parameters() == pytest.approx(free.parameters(), rel=0.1, abs=0.01)
    assert plot_posterior(free, "purchase:age").get_xlabel() == "purchase:age: log of the purchase rate, per 1 more"
    assert len(plot_posterior(free).get_yticks()) == 4


@pytest.mark.proof
def test_many_coefficients(people):
    rng = np.random.default_rng(3)
    frame = people[MBGNBD].assign(area=rng.choice([f"area {k}" for k in range(8)], 1000))
    found = MBGNBD(covariates=["area"]).fit(frame)
    told = found.coefficients(0.9)
    assert len(told) == 14
    gap = (told["high"] - told["low"]) / (2 * stats.norm.ppf(0.95) * told["standard_error"])
    assert gap.between(0.8, 1.2).all()


def test_what_has_no_covariates_refuses_them(people, fitted):
    found = fitted[BGNBD]
    for ask in (
        lambda: to_lifetimes(found),
        lambda: matrix_frame(found, 26.0),
        lambda: history_alive_frame(found, [4.0], 20.0),
    ):
        with pytest.raises(ModelError, match=r"'model' must be one without covariates"):
            ask()
    with pytest.raises(ModelError, match=r"needs covariates. Found: none"):
        BGNBD().fit(people[BGNBD]).coefficients()


# Categories.


def test_references_and_rare_categories(people):
    frame = people[BGNBD]
    model = BGNBD(covariates=["country"]).fit(frame)  # of fewer than 30: d and e
    assert set(model.coefficients()["category"]) == {"b", "c", "other"}
    assert set(model.coefficients()["reference"]) == {"a"}
    # Never seen: with the rare ones.
    unseen = frame.assign(country="z")
    assert model.expected_purchases(unseen, 9).equals(model.expected_purchases(frame.assign(country="d"), 9))
    strict = BGNBD(covariates=Covariates(["country"], rare=1)).fit(frame)
    with pytest.raises(ModelError, match=r"column 'country' holds 'z', which no customer of the fit had.*: a, b, c, d, e\."):
        strict.expected_purchases(unseen, 9)
    few = frame.assign(country=np.where(frame["country"] == "e", "e", np.where(frame["country"] == "b", "b", "a")))
    assert set(BGNBD(covariates=["country"]).fit(few).coefficients()["category"]) == {"b"}


def test_kinds_of_columns(people):
    frame = people[BGNBD]
    plain = BGNBD(covariates=["vip"]).fit(frame).coefficients()
    assert plain["category"].tolist() == ["True", "True"]
    for other in (frame["vip"].astype("category"), frame["vip"].astype(str), frame["vip"].astype("boolean")):
        told = BGNBD(covariates=["vip"]).fit(frame.assign(vip=other)).coefficients()
        assert told["coefficient"].to_numpy() == pytest.approx(plain["coefficient"].to_numpy())
    for number in (frame["web"].astype("Int64"), frame["web"].map(lambda one: Decimal(int(one)))):
        assert BGNBD(covariates=["web"]).fit(frame.assign(web=number)).coefficients().index[0] == "purchase:web"
    with pytest.raises(ModelError, match=r"column 'channel' must hold categories, such as .*Found: numbers, such as 1"):
        BGNBD(covariates=["channel"]).fit(frame).expected_purchases(frame.assign(channel=1), 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channel": "web"}, r"BGNBD: column 'channel' must hold more than one value. Found: 'web' for every customer\."),
        ({"channel": 3}, r"column 'channel' must hold more than one value. Found: 3 for every customer"),
        (
            {"channel": [f"c{k}" for k in range(1000)]},
            r"at least 30 customers share. Found: 1,000 categories among 1,000 customers",
        ),
        ({"channel": ["web"] * 995 + ["shop"] * 5}, r"at least two categories of at least 30 customers"),
        (
            {"channel": [None] + ["web", "shop", "web"] * 333},
            r"'channel' must not be missing. Found 1 row that is not so, of 1,000",
        ),
        ({"channel": [np.nan, 2.5] + [1.0] * 998}, r"'channel' must be a finite number. Found 1 row"),
        ({"channel": [np.inf, 2.5] + [1.0] * 998}, r"'channel' must be a finite number. Found 1 row"),
        ({"channel": pd.date_range("2024-01-01", periods=1000)}, r"must hold numbers or categories. Found: dates"),
    ],
)
def test_bad_columns(people, change, message):
    with pytest.raises(ModelError, match=message):
        BGNBD(covariates=["channel"]).fit(people[BGNBD].assign(**change))


def test_bad_input(people):
    frame = people[BGNBD]
    with pytest.raises(ModelError, match=r"missing column 'chanel'.*Add it to the table"):
        BGNBD(covariates=["chanel"]).fit(frame)
    with pytest.raises(ModelError, match=r"the covariate 'channel=.*' follows from 'web' for every customer"):
        BGNBD(covariates=["web", "channel"]).fit(frame)
    with pytest.raises(ModelError, match=r"'double' follows from 'age' for every customer. Expected covariates of drop-out"):
        BGNBD(covariates=Covariates(["web"], dropout=["age", "double"])).fit(frame.assign(double=2 * frame["age"] + 1))
    for wrong in ("channel", 3, [1], {"channel"}):
        with pytest.raises(ModelError, match=r"BGNBD: 'covariates' must be None, a list of columns"):
            BGNBD(covariates=wrong).fit(frame)
    with pytest.raises(ModelError, match=r"'covariates' must be at least one column, or None"):
        BGNBD(covariates=[]).fit(frame)
    with pytest.raises(ModelError, match=r"a list that names each column once. Got \['a', 'a'\] instead"):
        Covariates(["a", "a"])
    with pytest.raises(ModelError, match=r"known of a customer from the beginning on"):
        Covariates(["T"])
    with pytest.raises(ModelError, match=r"'equal' must be columns that are in purchase and in dropout. Got 'b' instead"):
        Covariates(["a"], dropout=["b"], equal=["b"])
    with pytest.raises(ModelError, match=r"'ridge' must be a number of at least 0"):
        Covariates(["a"], ridge=-1)
    with pytest.raises(ModelError, match=r"'rare' must be a whole number of at least 1"):
        Covariates(["a"], rare=2.5)
    found = BGNBD(covariates=["web"]).fit(frame)
    with pytest.raises(ModelError, match=r"'simpler' must be fewer coefficients than dropout:web, purchase:web"):
        found.likelihood_ratio_test(BGNBD(covariates=["age"]).fit(frame))
    with pytest.raises(ModelError, match=r"needs models fitted to the same customers"):
        found.likelihood_ratio_test(BGNBD().fit(frame.iloc[:900]))
    with pytest.raises(ModelError, match=r"'simpler' must be a BGNBD"):
        found.likelihood_ratio_test(MBGNBD().fit(frame))
    with pytest.raises(ModelError, match=r"needs the customers that the model was fitted to"):
        found.covariate_tests(frame.iloc[:900])
    assert clone(found).get_params()["covariates"] == ["web"]


def test_a_category_that_never_buys_is_on_the_boundary(people):
    frame = people[BGNBD].copy()
    some = frame.index[:60]
    frame.loc[some, ["frequency", "recency"]] = 0.0
    frame["group"] = np.where(frame.index.isin(some), "idle", "other people")
    found = BGNBD(covariates=Covariates(["group"], dropout=[])).fit(frame)
    assert found.boundary_ == "the coefficient purchase:group=idle falls without end"
    assert found.standard_errors_.isna().all()
    assert found.expected_purchases(frame.loc[some], 26).max() < 0.01

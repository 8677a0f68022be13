"""BdW: published estimates, likelihood and sums by other routes, exact draws, late entries, and what cannot be fitted."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, optimize, special, stats

from crmlab.errors import ModelError, NotIdentifiableError
from crmlab.models import BDW, SBG, retention_frame
from crmlab.models.btyd.special import digamma_rise, log_gamma_rise
from crmlab.models.btyd.states import compress

# Fader and Hardie (2007), table 1: of 1,000 customers those still there after 0 to 12 years.
HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491, 468, 445, 427, 409, 394]
REGULAR = [1000, 631, 468, 382, 326, 289, 262, 241, 223, 207, 194, 183, 173]
TRUTH = BDW.from_params(alpha=0.8, beta=2.5, c=1.4)


# Fader, Hardie, Liu, Davin and Steenburgh (2018): estimates, log-likelihood and survival after 12 years.
@pytest.mark.parametrize(
    ("there", "params", "value", "share"),
    [
        (HIGH_END[:5], (0.2593, 1.7226, 1.5844), -1222.7493, 0.389),
        (REGULAR[:5], (0.5230, 0.8943, 1.1964), -1401.3831, 0.171),
    ],
)
def test_published_estimates_of_four_years(there, params, value, share):
    model = BDW().fit(there)
    assert list(model.params_.values()) == pytest.approx(params, abs=1.5e-4)
    assert model.log_likelihood_ == pytest.approx(value, abs=5e-5)
    assert model.survival(12).iloc[0] == pytest.approx(share, abs=5e-4)
    assert model.boundary_ is None


def test_what_duration_brings_to_the_published_forecast():
    four = SBG().fit(HIGH_END[:5]).survival(12).iloc[0]
    assert four == pytest.approx(0.307, abs=5e-4)
    # 39.4% were seen: the BdW is near after four years, the sBG is not.
    assert abs(BDW().fit(HIGH_END[:5]).survival(12).iloc[0] - 0.394) < 0.006 < abs(four - 0.394)
    assert BDW().fit(HIGH_END[:8]).log_likelihood_ == pytest.approx(-1605.3142, abs=5e-5)
    assert SBG().fit(HIGH_END[:8]).log_likelihood_ == pytest.approx(-1611.1581, abs=5e-5)


# Survival.


def exact(alpha: int, beta: float, u: float) -> Fraction:
    """B(α, β + u) / B(α, β) for a whole α: a product of fractions."""
    found = Fraction(1)
    for j in range(alpha):
        found *= (Fraction(beta) + j) / (Fraction(beta) + Fraction(u) + j)
    return found


@pytest.mark.parametrize(("alpha", "beta", "c"), [(1, 2.5, 1.7), (3, 0.25, 0.4), (7, 200.0, 2.6), (2, 0.001, 1.0)])
def test_survival_is_the_exact_product(alpha, beta, c):
    model = BDW.from_params(alpha=alpha, beta=beta, c=c)
    times = np.array([0.0, 1.0, 2.0, 7.0, 40.0, 3000.0])
    share = np.array([float(exact(alpha, beta, t**c)) for t in times])
    assert model.survival(times).to_numpy() == pytest.approx(share, rel=1e-12)
    later = model.survival([1.0, 5.0], renewed=2).to_numpy()
    assert later == pytest.approx([float(exact(alpha, beta, t**c) / exact(alpha, beta, 2**c)) for t in (3.0, 7.0)], rel=1e-12)
    rate = model.retention_rate([1, 3]).to_numpy()
    expected = [float(exact(alpha, beta, t**c) / exact(alpha, beta, (t - 1) ** c)) for t in (1.0, 3.0)]
    assert rate == pytest.approx(expected, rel=1e-12)


def test_survival_is_the_mean_over_chances_to_leave():
    for t in (1, 2, 5, 12):
        # Over v = θ^α, in which the density of small chances is flat.
        mean = integrate.quad(
            lambda v, t=t: (1 - v**1.25) ** (2.5 - 1 + t**1.4) * 1.25 / special.beta(0.8, 2.5), 0, 1, epsabs=1e-13
        )
        assert TRUTH.survival(t).iloc[0] == pytest.approx(mean[0], rel=1e-10)


def test_differences_of_the_log_of_gamma_keep_their_digits():
    for x in (0.3, 4.0, 15.999, 16.0, 300.0, 1e7, 1e15):
        assert log_gamma_rise(x, 3.0) == pytest.approx(math.log(x) + math.log(x + 1) + math.log(x + 2), rel=1e-13)
        assert digamma_rise(x, 3.0) == pytest.approx(1 / x + 1 / (x + 1) + 1 / (x + 2), rel=1e-12)


def test_with_an_exponent_of_one_it_is_the_sbg():
    one, plain = BDW.from_params(alpha=0.7, beta=3.1, c=1.0), SBG.from_params(alpha=0.7, beta=3.1)
    rows = pd.DataFrame({"periods": [0, 1, 4, 30]})
    for ask in (
        lambda m: m.survival(np.arange(40)),
        lambda m: m.retention_rate(np.arange(1, 40)),
        lambda m: m.probability_alive(rows),
        lambda m: m.expected_purchases(rows, 9),
        lambda m: m.expected_purchases(rows, 5000),
        lambda m: m.discounted_expected_purchases(rows, 0.1),
        lambda m: m.discounted_residual_lifetime(rows, 0.0005),
        lambda m: m.probability_of_purchase(rows, 3),
        lambda m: m.pmf(np.arange(8), 7),
        lambda m: m.next_purchase(rows, 0.3),
    ):
        assert ask(one).to_numpy() == pytest.approx(ask(plain).to_numpy(), rel=1e-9)
    lives = plain.simulate(np.arange(1.0, 9.0).repeat(50), seed=4).assign(entered=0)
    lives["entered"] = np.minimum(lives["periods"], np.arange(400) % 3)
    columns = plain.checked_columns(plain._training(lives), fitting=True)
    states = compress(*columns)
    ours, theirs = (m._log_likelihood(m.parameters(), states, True) for m in (one, plain))
    assert ours[0] == pytest.approx(theirs[0], rel=1e-12)
    assert ours[1][:2] == pytest.approx(theirs[1], rel=1e-9)


# The fit.


def customer_by_customer(params, rows) -> float:
    """The log-likelihood of each customer from survival alone, added up."""
    alpha, beta, c = params

    def there(t: float) -> float:
        return float(np.exp(special.betaln(alpha, beta + t**c) - special.betaln(alpha, beta)))

    total = 0.0
    for periods, still, entered in rows[["periods", "there", "entered"]].itertuples(index=False):
        share = there(periods) if still else there(periods) - there(periods + 1)
        total += math.log(share / there(entered))
    return total


def observed(seed: int, n: int = 600, late: bool = True, truth: BDW = TRUTH) -> pd.DataFrame:
    """Customers of different ages; with ``late`` the records begin late for some, and those gone by then are not in them."""
    rng = np.random.default_rng(seed)
    rows = truth.simulate(rng.integers(1, 9, n).astype(float), seed=seed)
    rows["entered"] = rng.integers(0, 4, n) * late
    return rows[rows["periods"] >= rows["entered"]].reset_index(drop=True)


@pytest.mark.parametrize("kind", [SBG, BDW])
def test_likelihood_and_gradient_by_another_route(kind):
    rows = observed(1, 80)
    params = np.array([0.9, 2.2, 1.3])[: len(kind.parameter_names)]
    whole = np.array([0.9, 2.2, 1.3 if kind is BDW else 1.0])
    states = compress(*kind().checked_columns(kind()._training(rows), fitting=True))
    value, gradient = kind()._log_likelihood(params, states, True)
    assert value == pytest.approx(customer_by_customer(whole, rows), rel=1e-11)
    for k in range(len(params)):
        step = np.zeros(3)
        step[k] = 1e-5
        slope = (customer_by_customer(whole + step, rows) - customer_by_customer(whole - step, rows)) / 2e-5
        assert gradient[k] == pytest.approx(slope, rel=1e-6, abs=1e-6)


def test_the_estimate_is_the_optimum_found_by_another_route():
    rows = observed(2)
    model = BDW().fit(rows)

    def lost(logs):
        return -customer_by_customer(np.exp(logs), rows)

    found = optimize.minimize(lost, np.log([1.0, 2.0, 1.0]), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9})
    assert model.log_likelihood_ == pytest.approx(-found.fun, abs=1e-6)
    assert list(model.params_.values()) == pytest.approx(np.exp(found.x), rel=1e-3)
    assert model.score(rows) == pytest.approx(-found.fun / model.n_customers_, rel=1e-8)


def test_weights_and_counts_are_rows():
    rows = observed(3, 300)
    counted = rows.groupby(["periods", "there", "entered"], as_index=False).size().rename(columns={"size": "weight"})
    assert BDW().fit(counted).params_ == pytest.approx(BDW().fit(rows).params_, rel=1e-8)
    cohort = TRUTH.simulate(np.full(500, 6.0), seed=5)
    there = [500, *(int((cohort["periods"] >= t).sum()) for t in range(1, 7))]
    assert BDW().fit(there).params_ == pytest.approx(BDW().fit(cohort).params_, rel=1e-8)


@pytest.mark.parametrize(("kind", "c"), [(SBG, 1.0), (BDW, 1.4)])
def test_late_entries_are_no_better_customers(kind, c):
    # All are seen from their third renewal on: without saying so, nobody ever left in the first three periods.
    truth = BDW.from_params(alpha=0.8, beta=2.5, c=c)
    rows = observed(4, 60_000, truth=truth)
    model = kind().fit(rows)
    true = truth.params_
    gaps = [abs(model.params_[name] - true[name]) / model.standard_errors_[name] for name in model.parameter_names]
    assert max(gaps) < 3
    times = np.arange(1, 13)
    assert model.survival(times).to_numpy() == pytest.approx(truth.survival(times).to_numpy(), abs=0.01)
    deaf = kind().fit(rows.drop(columns="entered"))
    assert deaf.survival(8).iloc[0] > truth.survival(8).iloc[0] + 0.04


def test_retention_is_counted_among_those_under_observation():
    rows = pd.DataFrame({"periods": [2, 2, 3, 1], "there": [False, True, True, False], "entered": [2, 1, 0, 0]})
    frame = retention_frame(TRUTH, rows)
    # Period 1: the last two; period 2: the second, third and fourth, who leaves; period 3: the first, who leaves, and the third.
    assert frame["customers"].tolist() == [2, 3, 2]
    assert frame["seen"].to_numpy() == pytest.approx([1, 2 / 3, 1 / 2])
    assert frame["survival"].to_numpy() == pytest.approx(TRUTH.survival([1, 2, 3]).to_numpy())


# What a customer is worth.


@pytest.mark.parametrize("made", [0, 1, 7])
@pytest.mark.parametrize("rate", [0.1, 0.02, 0.0005])
def test_residual_lifetime_of_the_sbg_is_the_closed_form(made, rate):
    # Fader and Hardie (2010): just before the next renewal, by Gauss' hypergeometric function of 1 / (1 + d).
    alpha, beta = 0.668, 3.806
    model, today = SBG.from_params(alpha=alpha, beta=beta), pd.DataFrame({"periods": [made]})
    closed = (beta + made) / (alpha + beta + made) * special.hyp2f1(1, beta + made + 1, alpha + beta + made + 1, 1 / (1 + rate))
    found = model.discounted_residual_lifetime(today, np.log1p(rate))[0]
    assert found == pytest.approx(closed, rel=1e-9)
    assert model.discounted_residual_lifetime(today, np.log1p(rate), due=False)[0] == pytest.approx(
        closed / (1 + rate), rel=1e-9
    )
    assert model.discounted_expected_purchases(today, np.log1p(rate))[0] == pytest.approx(closed / (1 + rate), rel=1e-9)


@pytest.mark.parametrize(("alpha", "beta", "c"), [(0.26, 1.72, 1.58), (2.0, 30.0, 0.6), (1e-3, 0.5, 0.3), (40.0, 4e6, 2.5)])
@pytest.mark.parametrize("delta", [0.3, 0.01, 2e-4])
def test_residual_lifetime_of_the_bdw_is_the_sum(alpha, beta, c, delta):
    model = BDW.from_params(alpha=alpha, beta=beta, c=c)
    for made in (0, 3, 60):
        k = np.arange(1.0, 50 / delta)
        stays = log_gamma_rise(beta + made**c, alpha) - log_gamma_rise(beta + (made + k) ** c, alpha)
        whole = np.exp(stays - delta * (k - 1)).sum()
        rows = pd.DataFrame({"periods": [made]})
        assert model.discounted_residual_lifetime(rows, delta)[0] == pytest.approx(whole, rel=1e-9)
        some = np.exp(stays - delta * (k - 1))[:30].sum()
        assert model.discounted_residual_lifetime(rows, delta, horizon=30)[0] == pytest.approx(some, rel=1e-11)
        half = min(5000, len(k))
        assert model.expected_purchases(rows, half)[0] == pytest.approx(np.exp(stays[:half]).sum(), rel=1e-9)


def test_intervals_are_those_of_the_posterior():
    model = BDW(draws=2000).fit(HIGH_END)
    draws = model.sample_posterior(20_000, seed=3)
    each = [BDW.from_params(**dict(row)) for row in draws.iloc[:3000].to_dict("records")]
    today = pd.DataFrame({"periods": [4]})
    told = model.discounted_residual_lifetime(today, 0.1, level=0.9)
    worth = [one.discounted_residual_lifetime(today, 0.1)[0] for one in each[:600]]
    assert told.columns.tolist() == ["discounted_residual_lifetime", "low", "high"]
    assert told.iloc[0, 1:].tolist() == pytest.approx(np.quantile(worth, [0.05, 0.95]).tolist(), rel=0.02)
    share = model.survival([20], renewed=4, level=0.9)
    seen = np.quantile([one.survival(20, renewed=4).iloc[0] for one in each], [0.05, 0.95])
    assert share[["low", "high"]].iloc[0].tolist() == pytest.approx(seen.tolist(), rel=0.03)
    rate = model.retention_rate([13], level=0.9)
    seen = np.quantile([one.retention_rate(13).iloc[0] for one in each], [0.05, 0.95])
    assert rate[["low", "high"]].iloc[0].tolist() == pytest.approx(seen.tolist(), rel=0.01)


# Draws.


def test_draws_are_those_of_the_model():
    n = 200_000
    for truth in (TRUTH, BDW.from_params(alpha=1.5, beta=4.0, c=0.6)):
        lives = truth.simulate(np.full(n, 6.0), 4, seed=7)
        seen = np.bincount(lives["periods"].astype(int), minlength=7)
        there = truth.survival(np.arange(8)).to_numpy()
        mass = np.append(there[:6] - there[1:7], there[6])
        assert stats.chisquare(seen, mass * n).pvalue > 1e-3
        assert lives["there"].mean() == pytest.approx(there[6], abs=4 * math.sqrt(0.25 / n))
        later = lives.loc[lives["there"], "holdout_purchases"]
        mean = truth.expected_purchases(pd.DataFrame({"periods": [6]}), 4)[0]
        assert later.mean() == pytest.approx(mean, abs=4 * later.std() / math.sqrt(len(later)))
        # Of customers who renewed three times, and once more: by the state alone.
        _, life, _ = truth.simulated_lives(truth.parameters(), compress([np.array([3.0])] * 3), np.random.default_rng(8), n)
        k = np.arange(1, 6)
        tail = np.array([(life >= one).mean() for one in k])
        expected = truth.survival(3 + k).to_numpy() / truth.survival(4).iloc[0]
        assert tail == pytest.approx(expected, abs=4 * math.sqrt(0.25 / n))


@pytest.mark.proof
def test_parameters_are_found_again_and_intervals_hold_them():
    times, inside, near = np.array([1, 4, 8, 12]), [], []
    true = TRUTH.survival(times).to_numpy()
    for seed in range(60):
        model = BDW(draws=400).fit(observed(100 + seed, 1500))
        told = model.survival(times, level=0.9)
        inside.append((told["low"] <= true) & (true <= told["high"]))
        near.append(all(abs(model.params_[k] - v) <= 3 * model.standard_errors_[k] for k, v in TRUTH.params_.items()))
    assert 0.82 <= np.mean(inside) <= 0.97
    assert np.mean(near) >= 0.85


# What cannot be.


def test_what_cannot_be_told_is_refused():
    with pytest.raises(NotIdentifiableError, match="BDW: .* Needs at least three periods .* Found: 2. Give those there"):
        BDW().fit([1000, 800, 700])
    with pytest.raises(NotIdentifiableError, match="Needs at least three periods .* Found: two at most"):
        BDW().fit(pd.DataFrame({"periods": [1, 0, 2], "there": [False, True, True]}))
    late = pd.DataFrame({"periods": [4, 5, 5], "there": [False, True, True], "entered": [3, 3, 4]})
    with pytest.raises(NotIdentifiableError, match="Needs at least three periods .* Found: two at most"):
        BDW().fit(late)
    with pytest.raises(NotIdentifiableError, match="Needs at least two periods .* Found: one at most"):
        SBG().fit(late.iloc[[0]].assign(entered=4))
    with pytest.raises(NotIdentifiableError, match="BDW: .* Needs customers who left. Found: nobody left"):
        BDW().fit([100, 100, 100, 100])
    with pytest.raises(ModelError, match="BDW: entered must be at most periods. Found 1 row that is not so, of 2"):
        BDW().fit(pd.DataFrame({"periods": [4, 5], "there": [False, True], "entered": [5, 0]}))
    with pytest.raises(ModelError, match="BDW: entered must be a whole number of at least 0"):
        BDW().fit(pd.DataFrame({"periods": [4, 5], "there": [False, True], "entered": [0.5, 0]}))
    with pytest.raises(ModelError, match="BDW: survivors must never rise"):
        BDW().fit([10, 5, 7, 3])
    with pytest.raises(ModelError, match="BDW: 't' must be numbers of at least 0. Got -1"):
        TRUTH.survival([1, -1])
    with pytest.raises(ModelError, match="BDW: 't' must be numbers of at least 1. Got 0"):
        TRUTH.retention_rate(0)
    with pytest.raises(ModelError, match="BDW: 'renewed' must be a whole number of at least 0. Got 1.5"):
        TRUTH.survival(3, renewed=1.5)
    with pytest.raises(ModelError, match="BDW: 'c' must be a positive number. Got -1"):
        BDW.from_params(alpha=1.0, beta=1.0, c=-1.0)

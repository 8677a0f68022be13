"""Regular buyers: BG/CNBD-k and MBG/CNBD-k against brute force, simulated lives and, with k = 1, BG/NBD and MBG/NBD."""

from __future__ import annotations

import datetime as dt
import json
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import crmlab
from crmlab.errors import ModelError, ParameterError
from crmlab.models import (
    BGCNBD,
    BGNBD,
    MBGCNBD,
    MBGNBD,
    Clock,
    CustomerValue,
    GammaGamma,
    by_cohort,
    compare_models,
    fit_clock,
    load_model,
    track,
)
from crmlab.models.btyd.paths import drawn_paths
from crmlab.models.btyd.renewals import Renewals
from crmlab.models.btyd.states import compress

PARAMS = {"r": 1.3, "alpha": 1.5, "a": 0.6, "b": 2.0}
BOTH = [(BGCNBD, BGNBD), (MBGCNBD, MBGNBD)]
KINDS = [BGCNBD, MBGCNBD]
# Gaps between purchases, and how long ago the last one was.
LIVES = [([], 6.0), ([2.5], 0.0), ([2.5], 9.0), ([1.0, 3.0, 2.0], 4.0), ([0.2] * 12, 3.0)]


def of_lives(lives=LIVES) -> pd.DataFrame:
    rows = [(len(gaps), sum(gaps), sum(gaps) + since, float(np.log(gaps).sum())) for gaps, since in lives]
    return pd.DataFrame(rows, columns=["frequency", "recency", "T", "log_gaps"])


def drawn(kind, n: int, k: int, seed: int, horizon: float | None = None) -> pd.DataFrame:
    ages = np.random.default_rng([seed, 5]).uniform(20, 60, n)
    return kind.from_params(k=k, **PARAMS).simulate(ages, horizon, seed=seed)


@pytest.fixture(scope="module")
def base() -> pd.DataFrame:
    return drawn(MBGCNBD, 1500, 3, 1, 20.0)


# The likelihood


def by_hand(kind, k: int, gaps: list[float], since: float) -> float:
    """Likelihood of one life by numerical integration over the rate and over the chance to drop out."""
    rate, chance = stats.gamma(PARAMS["r"], scale=1 / PARAMS["alpha"]), stats.beta(PARAMS["a"], PARAMS["b"])
    flips = len(gaps) + (kind is MBGCNBD)

    def bought(at: float) -> float:
        return float(np.prod(stats.gamma.pdf(gaps, k, scale=1 / at)))

    def over(function) -> float:
        # In the log of the rate, where the integrand has one peak.
        whole = integrate.quad(
            lambda u: function(np.exp(u)) * rate.pdf(np.exp(u)) * np.exp(u), -18, 6, points=[-1, 0, 1, 2], limit=400
        )
        return whole[0]

    stays = integrate.quad(lambda p: (1 - p) ** flips * chance.pdf(p), 0, 1)[0]
    found = stays * over(lambda at: bought(at) * stats.gamma.sf(since, k, scale=1 / at))
    if flips:
        found += integrate.quad(lambda p: p * (1 - p) ** (flips - 1) * chance.pdf(p), 0, 1)[0] * over(bought)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 2, 3, 7])
def test_likelihood_is_that_of_brute_force(kind, k):
    model = kind.from_params(k=k, **PARAMS)
    for life in LIVES:
        frame = of_lives([life])
        assert model.score(frame) == pytest.approx(np.log(by_hand(kind, k, *life)), abs=2e-7)
    alive = model.probability_alive(of_lives())
    for row, (gaps, since) in enumerate(LIVES):
        flips = len(gaps) + (kind is MBGCNBD)
        stays = stats.beta(PARAMS["a"], PARAMS["b"]).expect(lambda p, flips=flips: (1 - p) ** flips)
        late = integrate.quad(
            lambda u, gaps=gaps, since=since: (
                np.prod(stats.gamma.pdf(gaps, k, scale=np.exp(-u)))
                * stats.gamma.sf(since, k, scale=np.exp(-u))
                * stats.gamma.pdf(np.exp(u), PARAMS["r"], scale=1 / PARAMS["alpha"])
                * np.exp(u)
            ),
            -18,
            6,
            points=[-1, 0, 1, 2],
            limit=400,
        )[0]
        assert alive.iloc[row] == pytest.approx(stays * late / by_hand(kind, k, gaps, since), rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [2, 3, 11])
def test_gradient_is_that_of_differences(kind, k, base):
    model = kind.from_params(k=k, **PARAMS)
    states, at = model.states_of(base), np.array([0.9, 2.1, 0.8, 1.7])
    found = model._log_likelihood(at, states, True)[1]
    for place in range(4):
        step = np.zeros(4)
        step[place] = 1e-5 * at[place]
        rise = model._log_likelihood(at + step, states, False)[0] - model._log_likelihood(at - step, states, False)[0]
        assert found[place] == pytest.approx(rise / (2 * step[place]), rel=2e-6, abs=1e-4)


@pytest.mark.parametrize(("kind", "plain"), BOTH)
def test_one_phase_is_the_model_without_regularity(kind, plain, base):
    columns = base.drop(columns="log_gaps")  # not needed for k = 1
    one, other = kind(k=1, draws=200).fit(columns), plain(draws=200).fit(columns)
    assert one.log_likelihood_ == pytest.approx(other.log_likelihood_, rel=1e-12)
    assert one.params_ == pytest.approx(other.params_, rel=1e-9)
    assert one.score(columns) == pytest.approx(other.score(columns), rel=1e-12)
    some = columns.iloc[:200]
    for method, args in (
        ("probability_alive", ()),
        ("probability_of_purchase", (13.0,)),
        ("expected_purchases", (13.0,)),
        ("discounted_expected_purchases", (0.01,)),
        ("next_purchase", (0.3,)),
    ):
        for how in ({}, {"level": 0.9}, {"level": 0.9, "interval": "outcome"}):
            mine, theirs = (getattr(model, method)(some, *args, **how) for model in (one, other))
            np.testing.assert_allclose(mine.to_numpy(), theirs.to_numpy(), rtol=1e-9)
    np.testing.assert_allclose(one.pmf([0, 1, 5], 26.0), other.pmf([0, 1, 5], 26.0), rtol=1e-9)
    # With more phases the same formulas hold: near one of them nothing but k is different.
    assert kind(k=2).fit(base).log_likelihood_ > one.log_likelihood_ + 100


@pytest.mark.parametrize("kind", KINDS)
def test_the_unit_of_time_shifts_the_log_likelihood(kind, base):
    days = base.assign(recency=base["recency"] * 7, T=base["T"] * 7, log_gaps=base["log_gaps"] + base["frequency"] * np.log(7))
    one, other = kind().fit(base), kind().fit(days)
    assert one.k_ == other.k_
    assert other.log_likelihood_ == pytest.approx(one.log_likelihood_ - base["frequency"].sum() * np.log(7), abs=1e-5)
    assert other.params_ == pytest.approx({**one.params_, "alpha": 7 * one.params_["alpha"]}, rel=1e-4)


def test_weights_are_replication(base):
    some = base.iloc[:400]
    weight = np.random.default_rng(1).integers(1, 4, len(some))
    one, other = MBGCNBD().fit(some.assign(weight=weight)), MBGCNBD().fit(some.loc[some.index.repeat(weight)])
    assert one.k_ == other.k_
    assert one.log_likelihood_ == pytest.approx(other.log_likelihood_, rel=1e-12)
    assert one.profile_ == pytest.approx(other.profile_, rel=1e-12)
    assert one.score(some.assign(weight=weight)) == pytest.approx(one.log_likelihood_ / weight.sum(), rel=1e-12)
    assert (one.aic_, one.bic_) == pytest.approx(
        (8 - 2 * one.log_likelihood_, 4 * np.log(weight.sum()) - 2 * one.log_likelihood_), rel=1e-12
    )


# How many phases


@pytest.mark.parametrize("kind", KINDS)
def test_the_profile_rises_to_k_and_falls(kind, base):
    model = kind().fit(base)
    assert model.k_ == 3
    assert model.profile_.index(max(model.profile_)) == model.k_ - 1
    assert len(model.profile_) == 5
    assert model.log_likelihood_ == max(model.profile_)
    for k, value in enumerate(model.profile_, start=1):
        given = kind(k=k).fit(base)
        assert (given.k_, given.log_likelihood_, given.profile_) == (k, value, [value])
    again = kind(k=3).fit(base)
    assert again.params_ == model.params_
    assert again.expected_purchases(base, 10.0).equals(model.expected_purchases(base, 10.0))


def test_k_is_recovered():
    assert [MBGCNBD().fit(drawn(MBGCNBD, 8000, 3, 20 + seed)).k_ for seed in range(3)] == [3, 3, 3]
    assert BGCNBD().fit(drawn(BGCNBD, 8000, 1, 9)).k_ == 1


@pytest.mark.proof
@pytest.mark.nightly
@pytest.mark.parametrize("kind", KINDS)
def test_k_is_recovered_in_95_of_100(kind):
    assert sum(kind().fit(drawn(kind, 8000, 3, 100 + seed)).k_ == 3 for seed in range(100)) >= 95


def overshoots(kind, plain, seeds) -> tuple[float, float]:
    """By how much a model without regularity, and one with it, forecast too much of what regular buyers do next."""
    off = []
    for seed in seeds:
        data = drawn(kind, 8000, 3, seed, 26.0)
        came = data["holdout_purchases"].sum()
        off.append([model.fit(data).expected_purchases(data, 26.0).sum() / came - 1 for model in (plain(), kind())])
    first, second = np.mean(off, axis=0)
    return float(first), float(second)


@pytest.mark.parametrize(("kind", "plain"), BOTH)
def test_without_regularity_too_much_is_forecast(kind, plain):
    without, with_k = overshoots(kind, plain, range(40, 43))
    assert without > 0.04
    assert abs(with_k) < 0.03


@pytest.mark.proof
@pytest.mark.nightly
@pytest.mark.parametrize(("kind", "plain"), BOTH)
def test_without_regularity_too_much_is_forecast_many(kind, plain):
    without, with_k = overshoots(kind, plain, range(200, 240))
    assert without > 0.04
    assert abs(with_k) < 0.01


def test_customers_who_buy_by_chance_have_one_phase():
    # Platzer and Reutterer (2016) find no regularity among the buyers of CDs.
    orders = crmlab.open_dataset("cdnow_sample").orders
    found = MBGCNBD().fit(crmlab.customer_summary(orders, "1997-09-30", unit="week", log_gaps=True))
    assert found.k_ == 1
    # As published for MBG/NBD, see test_published.py.
    assert found.log_likelihood_ == pytest.approx(-9582.1357, abs=1e-3)


# What is expected


def weighted_lives(kind, k: int, life: tuple[list[float], float], horizon: float, n: int = 200_000):
    """Purchases within a horizon of lives that went as one did: rates and chances drawn from the population and weighed."""
    (gaps, since), rng = life, np.random.default_rng(3)
    rate, p = rng.gamma(PARAMS["r"], 1 / PARAMS["alpha"], n), rng.beta(PARAMS["a"], PARAMS["b"], n)
    flips = len(gaps) + (kind is MBGCNBD)
    bought = np.prod([stats.gamma.pdf(gap, k, scale=1 / rate) for gap in gaps], axis=0) if gaps else np.ones(n)
    late = stats.gamma.sf(since, k, scale=1 / rate)
    alive = bought * late * (1 - p) ** flips
    gone = bought * p * (1 - p) ** (flips - 1) if flips else np.zeros(n)
    # The gap that runs is one that is longer than it has been.
    time = stats.gamma.isf(np.maximum(rng.random(n) * late, 1e-300), k, scale=1 / rate) - since
    count, active = np.zeros(n), np.ones(n, dtype=bool)
    while active.any():
        active &= time <= horizon
        count[active] += 1
        active &= rng.random(n) > p
        time = time + rng.gamma(k, 1, n) / rate
    total = alive.sum() + gone.sum()
    return count, alive, total, float((alive.sum()) ** 2 / (alive**2).sum())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [2, 4])
def test_expectations_are_those_of_lives_that_went_the_same_way(kind, k):
    model = kind.from_params(k=k, **PARAMS)
    for life in LIVES[:4]:
        frame = of_lives([life])
        for horizon in (1.5, 12.0):
            count, weight, total, effective = weighted_lives(kind, k, life, horizon)
            mean = weight @ count / total
            spread = np.sqrt(weight @ (count - weight @ count / weight.sum()) ** 2 / weight.sum() / effective) + 0.01 * mean
            assert model.expected_purchases(frame, horizon)[0] == pytest.approx(mean, abs=4 * spread)
            some = weight @ (count > 0) / total
            assert model.probability_of_purchase(frame, horizon)[0] == pytest.approx(some, abs=4 / np.sqrt(effective) + 0.005)
            states = model.states_of(frame)
            for number in (0, 1, 3):
                share = model.count_mass(model.parameters(), states, [0], np.array([float(number)]), horizon)[0]
                seen = weight @ (count == number) / total + (1 - weight.sum() / total) * (number == 0)
                assert share == pytest.approx(seen, abs=4 / np.sqrt(effective) + 0.005)


@pytest.mark.parametrize("k", [2, 3, 8, 20])
@pytest.mark.parametrize(("r", "a", "b"), [(1.3, 0.42, 0.79), (0.3, 0.05, 2.0), (40.0, 0.01, 0.02), (0.8, 50.0, 80.0)])
def test_the_sum_over_roots_is_the_sum_over_purchases(k, r, a, b):
    for x in (0, 1, 30):
        found = Renewals(k, r, (a, b), lambda x: x + 1.0)
        z = np.geomspace(1e-4, 4.0, 9)
        shape, phase, whole = r + k * x, np.arange(k), np.zeros((9, k))
        for n in range(1, 4000):
            stays = np.exp(stats.betabinom.logpmf(0, n - 1, a, b + x + 1)) if n > 1 else 1.0
            more = stats.nbinom.sf(k * n - phase - 1, shape + phase, (1 / (1 + z))[:, None]) * stays
            whole += more
            if (more < 1e-15 * whole).all():
                break
        np.testing.assert_allclose(found.expected(x, z), whole, rtol=1e-9)
        # Where many are asked for, they are interpolated.
        many = np.geomspace(1e-4, 4.0, 801)
        np.testing.assert_allclose(found.expected(x, many)[::100], whole, rtol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [2, 5])
def test_numbers_of_purchases_add_up(kind, k):
    model, t = kind.from_params(k=k, **PARAMS), 30.0
    mass = model.pmf(np.arange(400), t)
    assert mass.sum() == pytest.approx(1.0, abs=1e-9)
    assert (mass * mass.index).sum() == pytest.approx(model.expected_purchases_new(t), rel=1e-7)
    new = pd.DataFrame({"frequency": [0], "recency": [0.0], "T": [0.0]})
    assert mass[0] + model.probability_of_purchase(new, t)[0] == pytest.approx(1.0, abs=1e-12)
    frame = of_lives()
    states, params = model.states_of(frame), model.parameters()
    for place in range(len(frame)):
        n = np.arange(300.0)
        mass = model.count_mass(params, states, np.full(300, place), n, t)
        assert mass.sum() == pytest.approx(1.0, abs=1e-8)
        assert mass @ n == pytest.approx(model.mean_purchases(params, states, t)[place], rel=1e-6)
        tail = model._tail(params, n[1:], states.taken(np.full(299, place)), t) * model.chance_alive(params, states)[place]
        np.testing.assert_allclose(tail[:20], [mass[number:].sum() for number in range(1, 21)], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_discounted_purchases_are_those_over_time(kind, base):
    model, delta = kind.from_params(k=3, **PARAMS), 0.03
    for frame in (of_lives(), base.iloc[:60]):
        for horizon in (20.0, np.inf):
            found = model.discounted_expected_purchases(frame, delta, horizon=horizon)
            end = min(horizon, 60 / delta)
            at, share = np.polynomial.legendre.leggauss(16)
            edges = np.concatenate([[0.0], np.geomspace(0.05, end, 40)])
            times = ((edges[:-1, None] + edges[1:, None]) / 2 + np.diff(edges)[:, None] / 2 * at).ravel()
            weight = (np.diff(edges)[:, None] / 2 * share).ravel()
            states = model.states_of(frame)
            until = model.purchases_by(model.parameters(), states, times) * model.chance_alive(model.parameters(), states)
            whole = np.exp(-delta * end) * model.mean_purchases(model.parameters(), states, end)
            whole = whole + (delta * weight * np.exp(-delta * times)) @ until
            np.testing.assert_allclose(found.to_numpy(), whole[states.inverse], rtol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_the_next_purchase_comes_by_then_with_that_chance(kind):
    model, frame = kind.from_params(k=3, **PARAMS), of_lives()
    found = model.next_purchase(frame, 0.25)
    for row in np.flatnonzero(np.isfinite(found)):
        assert model.probability_of_purchase(frame.iloc[[row]], float(found[row])).iloc[0] == pytest.approx(0.25, rel=1e-9)
    # One who has just bought is not expected back at once; by chance alone the next day is the likeliest.
    just, late = of_lives([([3.0] * 8, 0.0), ([3.0] * 8, 2.5)]).pipe(lambda rows: (rows.iloc[[0]], rows.iloc[[1]]))
    day = 1 / 7
    assert model.probability_of_purchase(just, day).iloc[0] < 0.1 * model.probability_of_purchase(late, day).iloc[0]


@pytest.mark.parametrize("kind", KINDS)
def test_simulated_futures_are_those_expected(kind):
    model, frame = kind.from_params(k=3, **PARAMS), of_lives()
    states, params, rng = model.states_of(frame), model.parameters(), np.random.default_rng(1)
    count, total = model.simulated_futures(params, states, slice(None), 0.02, 26.0, (20_000, rng))
    error = count.std(axis=1) / np.sqrt(20_000) + 1e-4
    assert (np.abs(count.mean(axis=1) - model.mean_purchases(params, states, 26.0)) < 4 * error).all()
    error = total.std(axis=1) / np.sqrt(20_000) + 1e-4
    assert (np.abs(total.mean(axis=1) - model.mean_discounted(params, states, 0.02, 26.0)) < 4 * error).all()
    # Between edges, and of those who come later.
    alive = model.chance_alive(params, states)
    found = model.simulated_counts(params, (states, alive), np.array([0.0, 4.0, 26.0]), (20_000, rng))
    for part, ends in enumerate(((0.0, 4.0), (4.0, 26.0))):
        told = model.mean_purchases(params, states, ends[1]) - (
            model.mean_purchases(params, states, ends[0]) if ends[0] else 0.0
        )
        error = found[:, :, part].std(axis=1) / np.sqrt(20_000) + 1e-4
        assert (np.abs(found[:, :, part].mean(axis=1) - told) < 4 * error).all()
    new = model.new_customer(), model.chance_alive(params, model.new_customer())
    late = model.simulated_counts(params, new, np.array([-np.inf, 4.0, 26.0]), (20_000, rng), np.array([[6.0]]))[0]
    assert late[:, 0].sum() == 0
    assert late[:, 1].mean() == pytest.approx(model.expected_purchases_new(20.0), abs=4 * late[:, 1].std() / np.sqrt(20_000))
    paths = list(drawn_paths(model, frame, 26.0, each=60))
    bought = sum(np.bincount(one.path % len(frame), minlength=len(frame)) for one in paths) / sum(one.futures for one in paths)
    np.testing.assert_allclose(bought, model.expected_purchases(frame, 26.0), rtol=0.1, atol=0.03)
    assert all((np.diff(one.time)[np.diff(one.path) == 0] > 0).all() for one in paths)


@pytest.mark.parametrize("kind", KINDS)
def test_simulated_customers_agree_with_the_model(kind):
    model = kind.from_params(k=3, **PARAMS)
    data = model.simulate(np.random.default_rng(1).choice([12.0, 24.0, 36.0], 60_000), 20.0, seed=2)
    for age, seen in data.groupby("T"):
        error = seen["frequency"].std() / np.sqrt(len(seen))
        assert seen["frequency"].mean() == pytest.approx(model.expected_purchases_new(age), abs=4 * error)
    told = model.expected_purchases(data, 20.0)
    for _, group in data.assign(told=told).groupby(pd.qcut(told, 8, labels=False, duplicates="drop")):
        gap = group["holdout_purchases"] - group["told"]
        assert abs(gap.mean()) < 4.5 * gap.std() / np.sqrt(len(group))


def test_intervals_hold_what_comes(base):
    model = MBGCNBD(draws=400).fit(base)
    found = model.expected_purchases(base, 20.0, level=0.9, interval="outcome")
    inside = (found["low"] <= base["holdout_purchases"]) & (base["holdout_purchases"] <= found["high"])
    assert inside.mean() > 0.88
    mean = model.expected_purchases(base, 20.0, level=0.9)
    truth = MBGCNBD.from_params(k=3, **PARAMS).expected_purchases(base, 20.0)
    assert ((mean["low"] <= truth) & (truth <= mean["high"])).mean() > 0.6
    assert (mean["low"] <= mean["expected_purchases"]).all() and (mean["expected_purchases"] <= mean["high"]).all()
    total = model.expected_total(base, 20.0, interval="outcome")
    assert total["low"] < base["holdout_purchases"].sum() < total["high"]


# In the house


def test_a_saved_model_keeps_its_k(base, tmp_path):
    model = MBGCNBD(draws=200).fit(base)
    model.save(tmp_path / "model.json")
    for loaded in (load_model(tmp_path / "model.json"), MBGCNBD.load(tmp_path / "model.json")):
        assert (loaded.k, loaded.k_, loaded.profile_) == (None, 3, model.profile_)
        pd.testing.assert_frame_equal(
            loaded.expected_purchases(base, 10.0, level=0.9), model.expected_purchases(base, 10.0, level=0.9), rtol=1e-12
        )
    given = BGCNBD.from_params(k=4, **PARAMS)
    given.save(tmp_path / "given.json")
    assert json.loads((tmp_path / "given.json").read_text())["options"]["k"] == 4
    loaded = load_model(tmp_path / "given.json")
    assert loaded.probability_alive(base).equals(given.probability_alive(base))
    assert clone(MBGCNBD(k=2)).k == 2


def test_they_stand_beside_the_others(base):
    data = base.assign(horizon=20.0)
    found = compare_models([BGNBD(), MBGNBD(), BGCNBD(), MBGCNBD()], data)
    assert found.index[0] == "MBGCNBD"
    assert found["aic"].idxmin() == "MBGCNBD"
    assert found.loc["MBGNBD", "behind_low"] > 0
    spend = GammaGamma.from_params(p=6.0, q=4.0, v=15.0).simulate(base["frequency"], seed=4)
    value = CustomerValue(purchases=MBGCNBD(k=3, draws=100), spend=GammaGamma(draws=100), unit="week").fit(
        base.assign(monetary_value=spend["monetary_value"])
    )
    worth = value.residual_value(base.assign(monetary_value=spend["monetary_value"]).iloc[:50], level=0.9, interval="outcome")
    assert (worth["low"] <= worth["high"]).all() and np.isfinite(worth.to_numpy()).all()
    shown = track(MBGCNBD(k=3, draws=100).fit(base), base, None, [5.0, 20.0, 40.0])
    assert np.isfinite(shown["expected"]).all()


def test_what_cannot_be_is_said(base):
    words = "'k' must be a whole number from 1 to 20, or None for the one of the highest likelihood. Got "
    for k in (0, 21, 2.0, True, "3"):
        with pytest.raises(ModelError, match=words):
            MBGCNBD(k=k).fit(base)
    with pytest.raises(ModelError, match="'k' must be a whole number from 1 to 20"):
        BGCNBD.from_params(k=21, **PARAMS)
    with pytest.raises(ModelError, match="'k' must be a whole number from 1 to 20"):
        BGCNBD.from_params(k=None, **PARAMS)
    plain = base[["frequency", "recency", "T"]]
    for k in (None, 2):
        with pytest.raises(
            ModelError, match=r"MBGCNBD: missing column 'log_gaps'.*customer_summary\(orders, log_gaps=True\), or set k=1"
        ):
            MBGCNBD(k=k).fit(plain)
    bought = int((base["frequency"] > 0).sum())
    with pytest.raises(ModelError, match=rf"log_gaps must be finite where frequency is above 0. Found {bought:,} rows"):
        MBGCNBD().fit(base.assign(log_gaps=-np.inf))
    # Logs of days beside times in weeks.
    days = base["log_gaps"] + base["frequency"] * np.log(7)
    with pytest.raises(
        ModelError, match=r"log_gaps must be at most frequency × log\(recency / frequency\).* in the unit of recency"
    ):
        MBGCNBD().fit(base.assign(log_gaps=days))
    with pytest.raises(ModelError, match="fit_clock: 'model' must be a BGNBD or MBGNBD. Got 'MBGCNBD' instead"):
        fit_clock(MBGCNBD(k=2), base, pd.Series(dtype=float), dt.date(2024, 12, 31))
    with pytest.raises(
        ModelError, match="BGCNBD: needs purchases that come by chance alone, .* Found: k = 2. Learn it with BGNBD"
    ):
        by_cohort(BGCNBD.from_params(k=2, **PARAMS), base, pd.DataFrame(), dt.date(2024, 12, 31))
    with pytest.raises(NotFittedError):
        MBGCNBD(k=3).probability_alive(base)
    with pytest.raises(ModelError, match="fit takes one table with frequency, recency, T and log_gaps"):
        MBGCNBD().fit(base["frequency"], base["recency"], base["T"])


# On a clock


END = dt.date(2024, 12, 31)
WAVE = 1 + 0.6 * np.sin(2 * np.pi * np.arange(365) / 365)
SEASON = Clock(end=END, season=WAVE / WAVE.mean())


def on_the_clock(frame: pd.DataFrame) -> pd.DataFrame:
    """The same customers in operational time, of which their gaps are already."""
    first = SEASON.at(-frame["T"])
    recency = np.where(frame["frequency"] > 0, SEASON.at(frame["recency"] - frame["T"]) - first, 0.0)
    return frame.assign(recency=recency, T=-first)


def any_gaps(data):
    """Logs of gaps that say nothing, but for those of a single gap."""
    x = data["frequency"]
    return np.where(x == 1, np.log(data["recency"].where(x == 1, 1.0)), np.where(x > 1, -99.0, 0.0))


@pytest.mark.parametrize("kind", KINDS)
def test_on_a_clock_the_model_is_the_same_in_its_time(kind):
    truth = kind.from_params(k=3, **PARAMS).set_params(clock=SEASON)
    ages = np.random.default_rng(4).uniform(30, 100, 4000)
    data = truth.simulate(ages, 26.0, seed=4)
    assert (data["recency"] <= data["T"]).all() and data["T"].equals(pd.Series(ages))
    timed, plain = kind(clock=SEASON).fit(data), kind().fit(on_the_clock(data))
    assert timed.k_ == plain.k_ == 3
    assert timed.profile_ == pytest.approx(plain.profile_, abs=1e-4)
    assert timed.params_ == pytest.approx(plain.params_, rel=1e-4)
    assert timed.score(data) == pytest.approx(timed.log_likelihood_ / len(data), rel=1e-9)
    some, reach = data.iloc[:300], timed.elapsed(26.0)
    np.testing.assert_allclose(
        timed.expected_purchases(some, 26.0), plain.expected_purchases(on_the_clock(some), reach), rtol=1e-3
    )
    np.testing.assert_allclose(timed.probability_alive(some), plain.probability_alive(on_the_clock(some)), rtol=1e-3, atol=1e-6)
    # What came in a half year that is not like the year, where one without the clock goes wrong.
    came = data["holdout_purchases"].sum()
    assert timed.expected_purchases(data, 26.0).sum() == pytest.approx(came, rel=0.05)
    unaware = data.assign(log_gaps=any_gaps(data))  # given k they move no parameter
    assert abs(kind(k=3).fit(unaware).expected_purchases(data, 26.0).sum() / came - 1) > 0.1


def test_discounts_on_a_clock_are_those_of_the_calendar(base):
    still = Clock(end=END, season=1 + 1e-9 * np.sin(2 * np.pi * np.arange(365) / 365))
    model, some = MBGCNBD.from_params(k=3, **PARAMS), base.iloc[:200]
    found = model.discounted_expected_purchases(some, 0.005)
    model.set_params(clock=still)
    np.testing.assert_allclose(model.discounted_expected_purchases(some, 0.005), found, rtol=2e-5, atol=1e-9)
    model.set_params(clock=SEASON)
    states, params, rng = model.states_of(of_lives()), model.parameters(), np.random.default_rng(1)
    count, total = model.simulated_futures(params, states, slice(None), 0.02, 26.0, (20_000, rng))
    for drawn_, told in (
        (count, model.mean_purchases(params, states, 26.0)),
        (total, model.mean_discounted(params, states, 0.02, 26.0)),
    ):
        assert (np.abs(drawn_.mean(axis=1) - told) < 4 * drawn_.std(axis=1) / np.sqrt(20_000) + 1e-4).all()


def test_gaps_on_a_clock_are_those_of_its_time():
    days = [dt.date(2023, 3, 1), dt.date(2023, 7, 14), dt.date(2024, 1, 2), dt.date(2024, 11, 30)]
    orders = pd.DataFrame({"customer_id": ["a"] * 4 + ["b"], "ordered_at": [*days, END], "amount": 5.0})
    found = crmlab.customer_summary(orders, END, unit="week", log_gaps=SEASON).order_by("customer_id").to_pandas()
    shown = SEASON.at(-np.array([(END - day).days for day in days]) / 7)
    assert found["log_gaps"].tolist() == pytest.approx([np.log(np.diff(shown)).sum(), 0.0], abs=1e-9)
    assert crmlab.customer_summary(orders, END, unit="week", log_gaps=Clock(end=END)).to_pandas()[
        "log_gaps"
    ].max() == pytest.approx(np.log([(b - a).days / 7 for a, b in pairwise(days)]).sum(), abs=1e-9)
    # Days on which nothing can be bought take no time, and their logs are finite.
    shut = Clock(end=END, special={END: 0.0})
    close = pd.DataFrame({"customer_id": "a", "ordered_at": [END - dt.timedelta(days=1), END], "amount": 5.0})
    assert np.isfinite(crmlab.customer_summary(close, END, unit="week", log_gaps=shut).to_pandas()["log_gaps"]).all()
    for clock, unit in ((SEASON, "day"), (Clock(end=dt.date(2024, 12, 1)), "week")):
        with pytest.raises(ParameterError, match="'log_gaps'.*a clock that ends on 2024-12-31 and has"):
            crmlab.customer_summary(orders, END, unit=unit, log_gaps=clock)


def test_gaps_of_another_time_than_the_clock_are_refused(base):
    late = base[base["frequency"] > 4]
    slow = Clock(end=END, season=np.where(np.arange(365) < 180, 1.9, 0.1) / np.where(np.arange(365) < 180, 1.9, 0.1).mean())
    with pytest.raises(ModelError, match=r"on the clock: customer_summary\(orders, unit='week', log_gaps=clock\)"):
        MBGCNBD(clock=slow).fit(late)


def test_a_season_of_no_waves_is_none(base):
    even = MBGCNBD(k=3, clock=Clock(end=END)).fit(base)
    assert even.params_ == MBGCNBD(k=3).fit(base).params_


def test_a_polars_or_arrow_table_serves(base):
    model = MBGCNBD(k=3).fit(base)
    polars, pyarrow = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    assert MBGCNBD(k=3).fit(polars.from_pandas(base)).params_ == model.params_
    assert MBGCNBD(k=3).fit(pyarrow.Table.from_pandas(base)).params_ == model.params_


def test_states_are_as_few_as_without_gaps(base):
    grid = base.round({"recency": 0, "T": 0})
    grid = grid[(grid["frequency"] == 0) | (grid["recency"] > 0)]
    model = MBGCNBD(k=3).fit(grid.assign(log_gaps=any_gaps(grid)))
    columns = [grid[name].to_numpy(float) for name in ("frequency", "recency", "T")]
    assert model.n_states_ == len(compress(columns).weight) < len(grid)

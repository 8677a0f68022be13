"""Past campaigns together: published values, statsmodels, and simulated histories."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlab.errors import ModelError
from crmlab.models.testing.meta import fade, pool

# Kacker (2004), Combining information from interlaboratory evaluations using a random effects model, Metrologia 41.
KACKER = np.array([61.00, 61.40, 62.21, 62.30, 62.34, 62.60, 62.70, 62.84, 65.90])
KACKER_VARIANCES = np.array([0.2025, 1.2100, 0.0900, 0.2025, 0.3844, 0.5625, 0.0676, 0.0225, 1.8225])


def test_tau_of_kacker():
    assert pool(KACKER, np.sqrt(KACKER_VARIANCES)).tau == pytest.approx(0.8399, abs=5e-5)


def test_pooled_mean_agrees_with_statsmodels():
    from statsmodels.stats.meta_analysis import combine_effects

    peer = combine_effects(KACKER, KACKER_VARIANCES, method_re="iterated", atol=1e-12, use_t=True, alpha=0.1)
    found = pool(KACKER, np.sqrt(KACKER_VARIANCES), level=0.9)
    assert found.tau**2 == pytest.approx(peer.tau2, rel=1e-8)
    assert found.mean == pytest.approx(peer.mean_effect_re, rel=1e-10)
    assert found.q == pytest.approx(peer.q, rel=1e-10)
    low, high = peer.conf_int(alpha=0.1, use_t=True)[3]  # Hartung and Knapp's
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-8)


def test_shrunk_effects_lie_between_raw_and_mean():
    found = pool(KACKER, np.sqrt(KACKER_VARIANCES))
    each = found.effects
    assert ((each["shrunk"] - found.mean) * (each["raw"] - found.mean) >= 0).all()
    assert (np.abs(each["shrunk"] - found.mean) <= np.abs(each["raw"] - found.mean)).all()
    assert each["pull"].to_numpy() == pytest.approx(KACKER_VARIANCES / (KACKER_VARIANCES + found.tau**2))
    assert found.tau_low < found.tau < found.tau_high
    assert found.next_low < found.low < found.mean < found.high < found.next_high
    assert found.prior[0] == found.mean and found.prior[1] > found.tau


def test_equal_effects_have_no_spread_and_are_their_mean():
    found = pool([1.0, 1.0, 1.0], [0.5, 0.4, 0.3])
    assert found.tau == 0 and found.effects["shrunk"].tolist() == pytest.approx([1.0] * 3)
    # Hartung and Knapp's factor would make the interval one point.
    assert found.high - found.low > 2 * 1.6 / np.sqrt(1 / 0.25 + 1 / 0.16 + 1 / 0.09)


@given(st.integers(2, 12), st.integers(0, 10**6), st.floats(0.01, 100), st.floats(-50, 50))
@settings(max_examples=50, deadline=None)
def test_scale_order_and_origin(k, seed, scale, shift):
    rng = np.random.default_rng(seed)
    y, s = rng.normal(0, 2, k), rng.uniform(0.2, 2, k)
    one, other = pool(y, s), pool((scale * y + shift)[::-1], scale * s[::-1])
    assert other.tau == pytest.approx(scale * one.tau, rel=1e-5, abs=1e-5 * scale)
    assert other.low == pytest.approx(scale * one.low + shift, rel=1e-5, abs=1e-5 * scale)
    np.testing.assert_allclose(
        other.effects["shrunk"][::-1], scale * one.effects["shrunk"] + shift, rtol=1e-5, atol=1e-5 * scale
    )
    assert np.isfinite(one.effects.to_numpy()).all()


def histories(runs, k, tau, seed, level=0.9, slope=0.0):
    """How often intervals of pooled mean, next effect, shrunk effects and slope hold the truth."""
    rng, hits = np.random.default_rng(seed), np.zeros(4)
    gained = 0.0
    for _ in range(runs):
        s = rng.uniform(0.5, 1.5, k)
        t = np.arange(k)
        true = 2.0 + slope * t + tau * rng.normal(size=k)
        y = true + s * rng.normal(size=k)
        found, line = pool(y, s, level), fade(y, s, t, level)
        following = 2.0 + tau * rng.normal()
        inside = (found.effects["low"] <= true) & (true <= found.effects["high"])
        hits += [
            found.low <= 2 <= found.high,
            found.next_low <= following <= found.next_high,
            inside.mean(),
            line.low <= slope <= line.high,
        ]
        gained += ((found.effects["shrunk"] - true) ** 2).mean() / ((y - true) ** 2).mean() / runs
    return hits / runs, gained


@pytest.mark.proof
def test_intervals_of_a_history_hold_the_truth_and_shrinking_helps():
    # 300 runs: 90% ± 3 standard errors of 1.7%, on the safe side wider.
    hits, gained = histories(300, 8, 1.0, 6)
    assert (hits >= 0.85).all() and hits[0] <= 0.97
    assert gained < 0.85


@pytest.mark.nightly
@pytest.mark.parametrize(("k", "tau"), [(4, 0.5), (8, 0.0), (8, 1.0), (20, 0.5), (20, 2.0)])
def test_intervals_of_histories_hold_the_truth(k, tau):
    hits, gained = histories(3000, k, tau, 7)
    print((k, tau), hits.round(3), round(gained, 3))
    assert (hits >= 0.875).all()


def test_fade_agrees_with_weighted_least_squares_of_statsmodels():
    import statsmodels.api as sm

    rng = np.random.default_rng(8)
    t = np.array([0.0, 1.0, 2.5, 4.0, 6.0, 7.0, 9.0])
    s = rng.uniform(0.2, 0.6, 7)
    y = 3 - 0.2 * t + rng.normal(0, 1.5, 7)
    found = fade(y, s, t, level=0.9)
    assert found.tau > 0
    # At that tau the weighted sum of squares is its degrees of freedom, and WLS has Knapp and Hartung's errors.
    peer = sm.WLS(y, sm.add_constant(t), weights=1 / (s**2 + found.tau**2)).fit()
    assert peer.scale == pytest.approx(1.0, abs=1e-8)
    assert found.slope == pytest.approx(peer.params[1], rel=1e-9) and found.p_value == pytest.approx(peer.pvalues[1], rel=1e-7)
    assert (found.low, found.high) == pytest.approx(tuple(peer.conf_int(0.1)[1]), rel=1e-7)
    ahead = peer.get_prediction([1.0, 9.0]).conf_int(alpha=0.1)[0]
    assert found.now[1:] == pytest.approx(tuple(ahead), rel=1e-7)


@pytest.mark.proof
def test_fade_is_found_where_effects_fade():
    hits, _ = histories(100, 12, 0.3, 9, slope=-0.5)
    assert hits[3] >= 0.8


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: pool([1.0], [0.1]), "at least 2"),
        (lambda: pool([1.0, 2.0], [0.1, 0.0]), "'errors' must be finite and above 0"),
        (lambda: pool([1.0, float("nan")], [0.1, 0.1]), "'effects' must be finite"),
        (lambda: pool([1.0, 2.0], [0.1]), "each with its error"),
        (lambda: pool([1.0, 2.0], [0.1, 0.1], level=90), "'level'"),
        (lambda: fade([1.0, 2.0], [0.1, 0.1], [0, 1]), "at least 3"),
        (lambda: fade([1.0, 2.0, 3.0], [0.1] * 3, [1, 1, 1]), "not all the same"),
    ],
)
def test_bad_input_is_refused(make, said):
    with pytest.raises(ModelError, match=said):
        make()


@pytest.mark.proof
def test_the_best_of_many_is_not_overestimated_once_it_is_shrunk():
    # The winner's curse: the highest of many measured effects was lucky as well (Efron 2011, Tweedie's formula and selection bias, JASA 106).
    rng = np.random.default_rng(4)
    raw, shrunk = [], []
    for _ in range(200):
        truth, errors = rng.normal(1.0, 0.5, 20), rng.uniform(0.3, 1.0, 20)
        measured = rng.normal(truth, errors)
        effects = pool(measured, errors).effects
        for name, gaps in (("raw", raw), ("shrunk", shrunk)):
            best = int(effects[name].argmax())
            gaps.append(effects[name][best] - truth[best])
    assert np.mean(raw) > 0.5
    assert abs(np.mean(shrunk)) < 4 * np.std(shrunk) / np.sqrt(len(shrunk)) + 0.05

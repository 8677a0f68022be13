"""Measures of probabilities against scikit-learn, published numbers, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from crmlab.errors import ModelError
from crmlab.models.classification import (
    auc,
    average_precision,
    bootstrap,
    brier,
    brier_skill,
    calibration_line,
    expected_maximum_profit,
    top_lift,
)

rows = st.lists(st.tuples(st.booleans(), st.integers(0, 10)), min_size=2, max_size=60).filter(
    lambda found: 0 < sum(y for y, _ in found) < len(found)
)


@settings(deadline=None, max_examples=100)
@given(rows)
def test_ranking_measures_are_those_of_scikit_learn(found):
    y, s = np.array([y for y, _ in found], float), np.array([s for _, s in found]) / 10
    assert auc(y, s) == pytest.approx(roc_auc_score(y, s), abs=1e-12)
    assert average_precision(y, s) == pytest.approx(average_precision_score(y, s), abs=1e-12)
    assert brier(y, s) == pytest.approx(brier_score_loss(y, s), abs=1e-12)


def test_expected_maximum_profit_published():
    # The example of the package empulse for Verbraken, Verbeke and Baesens (2013), with their defaults.
    profit, share = expected_maximum_profit([0, 1, 0, 1, 0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.8, 0.9])
    assert profit == pytest.approx(23.875593418348124, rel=1e-12)
    assert 0 < share < 1


@settings(deadline=None, max_examples=15)
@given(rows, st.floats(20, 500), st.floats(1, 15), st.floats(0.1, 5))
def test_expected_maximum_profit_is_the_integral_of_the_best_cut(found, value, offer, contact):
    y, s = np.array([y for y, _ in found], float), np.array([s for _, s in found]) / 10
    cuts = [-np.inf, *np.unique(s), np.inf]
    rate = y.mean()

    def best(gamma):
        profits = []
        for cut in cuts:
            taken = s >= cut
            hit, miss = (taken & (y == 1)).mean(), (taken & (y == 0)).mean()
            profits.append(hit * (gamma * (value - offer) - contact) - miss * (offer + contact))
        return max(profits) * stats.beta.pdf(gamma, 6, 14)

    direct, _ = integrate.quad(best, 0, 1, limit=400, points=[0.1, 0.2, 0.3, 0.4, 0.6])
    assert rate > 0
    assert expected_maximum_profit(y, s, value=value, offer=offer, contact=contact)[0] == pytest.approx(
        direct, rel=2e-4, abs=2e-4
    )


def test_calibration_line_finds_what_was_bent():
    rng = np.random.default_rng(0)
    odds = rng.normal(-0.5, 1.5, 200_000)
    y = rng.random(len(odds)) < special.expit(0.4 + 0.7 * odds)
    _, slope = calibration_line(y, special.expit(odds))
    assert slope == pytest.approx(0.7, abs=0.02)
    intercept, slope = calibration_line(rng.random(len(odds)) < special.expit(odds + 0.3), special.expit(odds))
    assert intercept == pytest.approx(0.3, abs=0.02)
    assert slope == pytest.approx(1.0, abs=0.02)


def test_calibration_line_where_there_is_none():
    assert np.isnan(calibration_line([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])[1])  # told apart perfectly
    assert np.isnan(calibration_line([0, 1], [0.5, 0.5])).all()
    assert np.isnan(calibration_line([1, 1], [0.4, 0.5])).all()


def test_top_lift_under_ties_is_expected():
    # Ten of twenty are tied at the top and hold two yeses of four: the two taken hold 0.4 on average.
    y = [1, 1] + [0] * 8 + [1, 1] + [0] * 8
    assert top_lift(y, [1.0] * 10 + [0.0] * 10) == pytest.approx((0.4 / 2) / 0.2)
    assert top_lift([1] + [0] * 9, np.arange(10.0)) == 0


def test_skill_of_the_plain_rate_is_zero():
    assert brier_skill([0, 1, 1, 0], [0.5] * 4) == 0


@pytest.mark.proof
def test_bootstrap_covers():
    rng = np.random.default_rng(1)

    def draw(n):
        y = rng.random(n) < 0.3
        return y.astype(float), rng.normal(y * 0.8, 1)

    truth = stats.norm.cdf(0.8 / np.sqrt(2))
    inside = 0
    for seed in range(120):
        found = bootstrap({"auc": auc}, *draw(400), level=0.9, seed=seed).loc["auc"]
        inside += found["low"] <= truth <= found["high"]
    assert 0.83 <= inside / 120 <= 0.96  # nominal 0.9; two deviations of 120 are 0.055


@pytest.mark.parametrize(
    ("y", "score", "said"),
    [
        ([0, 1], [0.5], "one length"),
        ([0, 2], [0.1, 0.2], "0 or 1"),
        ([0, 1], [0.1, float("nan")], "'scores' must be finite numbers"),
        ([], [], "one length"),
    ],
)
def test_bad_input_is_said(y, score, said):
    with pytest.raises(ModelError, match=said):
        auc(y, score)

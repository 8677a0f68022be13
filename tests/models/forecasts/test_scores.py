"""Rulers against brute force, and what they must not depend on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlab.errors import ModelError
from crmlab.models.classification import gini, gini_influence
from crmlab.models.forecasts import (
    covered_share,
    decile_calibration,
    interval_score,
    mean_absolute_error,
    total_ratio,
)
from crmlab.models.forecasts.scores import deciles_of

SMALL = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=9)


def area(actual, scores):
    """Area between the diagonal and the curve of totals, from the highest score down; tied customers arrive together, evenly."""
    table = pd.DataFrame({"y": actual, "s": scores}).groupby("s", sort=True)["y"].agg(["sum", "size"]).iloc[::-1]
    x = np.r_[0.0, np.cumsum(table["size"])] / len(actual)
    y = np.r_[0.0, np.cumsum(table["sum"])] / sum(actual)
    return float(np.trapezoid(y, x)) - 0.5


@given(SMALL)
@settings(max_examples=100, deadline=None)
def test_normalised_gini_is_the_area_over_that_of_the_perfect_order(rows):
    actual, scores = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    found = gini(actual, scores)[0]
    if not actual.sum() or np.ptp(actual) == 0:
        assert np.isnan(found)
        return
    assert found == pytest.approx(area(actual, scores) / area(actual, actual), abs=1e-12)


def test_constant_scores_give_exactly_nothing_and_rows_have_no_order():
    rng = np.random.default_rng(0)
    for n in (2, 3, 7, 100, 5001):
        actual = rng.gamma(0.3, 100.0, n) * (rng.random(n) < 0.6) + rng.random(n)
        scores = rng.integers(0, 5, n).astype(float)
        for order in (np.arange(n), np.argsort(actual), rng.permutation(n)):
            assert gini(actual[order], np.full(n, 0.1))[0] == 0.0
            assert gini(actual[order], scores[order])[0] == gini(actual, scores)[0]
        assert gini(actual, actual)[0] == 1.0


def test_influence_of_the_gini_is_that_of_counting_a_customer_more():
    rng = np.random.default_rng(1)
    actual, scores = rng.gamma(0.5, 1.0, 400), rng.integers(0, 40, 400).astype(float)
    value, influence = gini_influence(actual, scores)
    for k in (0, 7, 133):
        # A 41st part more of the weight on one: all others 40 times, this one 41 times.
        times = np.full(400, 40)
        times[k] += 1
        more = gini(np.repeat(actual, times), np.repeat(scores, times))[0]
        assert (more - value) * times.sum() == pytest.approx(influence[k], rel=0.02, abs=0.02)
    assert influence.mean() == pytest.approx(0.0, abs=1e-12)


def test_total_ratio_covers():
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(300):
        rate = rng.gamma(0.7, 1.0, 300)
        actual = rng.poisson(np.tile(rate, 3)).astype(float)
        _, low, high = total_ratio(actual, np.tile(0.8 * rate, 3), who=[*range(300)] * 3, level=0.9)
        held += low <= 0.8 <= high
    assert 0.85 <= held / 300 <= 0.95
    assert np.isnan(total_ratio([0.0, 0.0], [1.0, 2.0])).all()


def test_errors_by_hand():
    assert mean_absolute_error([1.0, 5.0], [2.0, 2.0])[0] == 2.0
    share, low, high = covered_share([1.0, 2.0, 3.0, 4.0], [1.0, 0.0, 0.0, 0.0], [9.0, 1.0, 3.0, 9.0])
    assert (share, low < 0.75 < high) == (0.75, True)
    assert covered_share(np.ones(100), np.zeros(100), np.ones(100)) == pytest.approx((1.0, 0.967, 1.0), abs=0.002)
    assert covered_share(np.ones(100), np.zeros(100), np.zeros(100)) == pytest.approx((0.0, 0.0, 0.033), abs=0.002)


def test_interval_score_is_least_for_the_true_quantiles():
    rng = np.random.default_rng(3)
    drawn = rng.normal(size=200_000)

    def score(half):
        return interval_score(drawn, np.full(200_000, -half), np.full(200_000, half), 0.9).mean()

    # 2 φ(q) / (α / 2), the expected score of the central interval of a normal variable (Gneiting and Raftery 2007, section 6.2).
    assert score(1.6448536) == pytest.approx(4.1254, rel=0.01)
    assert score(1.6448536) < min(score(1.4), score(1.9), score(0.5), score(4.0))
    assert interval_score([3.0], [1.0], [2.0], 0.5).tolist() == [1.0 + 2 / 0.5 * 1.0]
    with pytest.raises(ModelError, match="'low' must be at most high. Got '2 and 1'"):
        interval_score([3.0], [2.0], [1.0])


@given(st.lists(st.integers(0, 6), min_size=1, max_size=60), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_deciles_do_not_split_ties_and_add_up(values, seed):
    forecast = np.array(values, dtype=float) / 7
    decile = deciles_of(forecast)
    assert ((decile >= 1) & (decile <= 10)).all()
    frame = pd.DataFrame({"f": forecast, "d": decile})
    assert (frame.groupby("f")["d"].nunique() == 1).all()
    assert frame.groupby("f")["d"].first().is_monotonic_increasing
    order = np.random.default_rng(seed).permutation(len(values))
    assert (deciles_of(forecast[order]) == decile[order]).all()
    actual = np.arange(len(values), dtype=float)
    table = decile_calibration(actual, forecast)
    assert table["rows"].sum() == len(values)
    assert (table["rows"] * table["came"]).sum() == pytest.approx(actual.sum())
    assert (table["rows"] * table["told"]).sum() == pytest.approx(forecast.sum())


def test_deciles_of_different_forecasts_are_tenths():
    assert np.bincount(deciles_of(np.random.default_rng(0).random(1000)))[1:].tolist() == [100] * 10
    assert deciles_of(np.full(50, 0.3)).tolist() == [6] * 50


def test_what_does_not_fit_is_refused():
    for ruler in (total_ratio, mean_absolute_error, decile_calibration):
        with pytest.raises(ModelError, match="a forecast for each"):
            ruler([1.0, 2.0], [1.0])
        with pytest.raises(ModelError, match="a forecast for each"):
            ruler([], [])
        with pytest.raises(ModelError, match="finite numbers"):
            ruler([1.0, np.nan], [1.0, 2.0])
        with pytest.raises(ModelError, match="'level' must be between 0 and 1"):
            ruler([1.0, 2.0], [1.0, 2.0], level=90)
        with pytest.raises(ModelError, match="'who' must be one customer for each of 2 rows"):
            ruler([1.0, 2.0], [1.0, 2.0], who=["a"])

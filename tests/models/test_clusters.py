"""Intervals in which each customer is one cluster."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from crmlab.errors import ModelError
from crmlab.models.clusters import by_cluster, clusters_of, interval_of
from crmlab.models.intervals import TEST_LEVEL, normal_quantile


def mean_of(values, who, level=0.9):
    found = np.asarray(values, dtype=float)
    return interval_of(
        found.mean(), by_cluster((found - found.mean()) / len(found), clusters_of("mean", who, len(found))), level
    )


def test_variance_is_that_of_a_regression_on_a_constant():
    rng = np.random.default_rng(0)
    who = rng.integers(0, 400, 1000)
    values = rng.normal(size=400)[who] + rng.normal(size=1000)
    codes = clusters_of("mean", who, 1000)
    by = by_cluster((values - values.mean()) / 1000, codes)
    oracle = sm.OLS(values, np.ones(1000)).fit(cov_type="cluster", cov_kwds={"groups": codes, "df_correction": False})
    assert by @ by == pytest.approx(float(oracle.cov_params()[0, 0]), rel=1e-9)


def test_rows_of_one_customer_are_not_several_customers():
    rng = np.random.default_rng(1)
    values = rng.normal(1.0, 1.0, 50)
    once, thrice = mean_of(values, range(50)), mean_of(np.tile(values, 3), [*range(50)] * 3)
    assert thrice == pytest.approx(once)
    alone = mean_of(np.tile(values, 3), None)
    assert alone[2] - alone[1] < 0.7 * (once[2] - once[1])


def test_p_value_inverts_the_interval():
    rng = np.random.default_rng(2)
    for _ in range(50):
        value, by = rng.normal(), rng.normal(size=20) * rng.gamma(0.3, 1.0, 20)
        found, low, high, p = interval_of(value, by, TEST_LEVEL)
        assert found == value
        assert (p < 1 - TEST_LEVEL) == (not low <= 0 <= high)


def test_few_who_carry_all_give_wide_intervals():
    by = np.r_[3.0, -3.0, np.full(500, 1e-3)]
    _, low, high, _ = interval_of(0.0, by)
    assert high - low > 2.5 * 2 * normal_quantile(0.9) * np.sqrt(by @ by) / 2


def test_where_chance_is_not_known():
    assert np.isnan(interval_of(1.0, np.zeros(1))[1:3]).all()
    assert interval_of(0.0, np.zeros(9))[3] == 1.0
    assert np.isnan(interval_of(float("nan"), np.zeros(9))[:3]).all()
    # All alike: as if one more had done the opposite.
    _, low, high, p = interval_of(1.0, np.zeros(3))
    assert low < 0 < high
    assert p > 0.1
    _, low, high, p = interval_of(1.0, np.zeros(300))
    assert 0.98 < low < 1 < high < 1.02
    assert p < 1e-6


def test_clusters_are_checked():
    assert clusters_of("mean", None, 3).tolist() == [0, 1, 2]
    for who in (["a", "b"], ["a", None, "b"], [[1], [2], [3]]):
        with pytest.raises(ModelError, match="'who' must be"):
            clusters_of("mean", np.array(who, dtype=object), 3)

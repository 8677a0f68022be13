"""Many comparisons at once: published values, and other routes to the same integrals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from crmlab.errors import ModelError
from crmlab.models.testing.max_t import corrected, critical_value, holm, largest


def equal(m, rho=0.5):
    R = np.full((m, m), rho)
    np.fill_diagonal(R, 1.0)
    return R


def test_holm_of_six():
    assert holm([0.01, 0.04, 0.03, 0.005, 0.55, 0.6]) == pytest.approx([0.05, 0.12, 0.12, 0.03, 1, 1], abs=1e-15)


@pytest.mark.proof
def test_holm_agrees_with_statsmodels():
    from statsmodels.stats.multitest import multipletests

    for p in ([0.2], [0.5, 0.001, 0.001], [0.03, 0.9, 0.011, 0.012, 0.0, 1.0, 0.04]):
        assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(max_examples=100, deadline=None)
def test_holm_keeps_order_and_lies_between_raw_and_bonferroni(p):
    found = holm(p)
    assert holm(p[::-1])[::-1].tolist() == found.tolist()
    assert (found >= p).all() and (found <= np.minimum(len(p) * np.array(p), 1)).all()
    assert (np.diff(found[np.argsort(p, kind="stable")]) >= 0).all()


@pytest.mark.parametrize(("m", "published"), [(2, 2.2121), (3, 2.3490), (7, 2.6130)])
def test_critical_value_of_equal_cells(m, published):
    # Two-sided 5% points of the largest of m contrasts with one control, infinite degrees of freedom (Dunnett 1964, Biometrics 20).
    assert critical_value(equal(m)) == pytest.approx(published, abs=5e-5)


def test_critical_value_agrees_with_scipys_dunnett():
    # Its t statistics at a million degrees of freedom are normal; its integral is sampled.
    rng = np.random.default_rng(1)
    cells = [rng.normal(0, 1, 300_000) for _ in range(4)]
    found = stats.dunnett(*cells[:3], control=cells[3], rng=np.random.default_rng(2))
    z = np.array([(c.mean() - cells[3].mean()) / np.sqrt(2 / 300_000) for c in cells[:3]])
    assert largest(z, equal(3)) == pytest.approx(found.pvalue, abs=5e-3)


def test_critical_value_at_the_ends_of_correlation():
    single, sidak = -special.ndtri(0.025), -special.ndtri((1 - 0.95 ** (1 / 4)) / 2)
    assert critical_value(equal(4, 0.0)) == pytest.approx(sidak, abs=1e-9)
    assert critical_value(equal(4, 0.99999)) == pytest.approx(single, abs=0.01)
    assert critical_value([[1.0]]) == pytest.approx(single, abs=1e-9)
    assert critical_value(equal(3, 1.0)) == pytest.approx(single, abs=1e-3)
    assert critical_value([[1.0, -0.5], [-0.5, 1.0]]) == pytest.approx(2.2121, abs=5e-5)


def test_any_correlation_agrees_with_one_control_where_both_apply():
    # 1e-6 off the pattern of one control: the other route is taken.
    R = equal(6)
    R[0, 1] = R[1, 0] = 0.5 + 1e-6
    assert critical_value(R) == pytest.approx(critical_value(equal(6)), abs=3e-4)


def test_any_correlation_agrees_with_draws():
    rng = np.random.default_rng(3)
    A = rng.normal(size=(5, 3))
    R = A @ A.T + np.eye(5)
    R = R / np.sqrt(np.outer(np.diag(R), np.diag(R)))
    drawn = np.abs(rng.multivariate_normal(np.zeros(5), R, 400_000)).max(axis=1)
    c = critical_value(R)
    assert (drawn > c).mean() == pytest.approx(0.05, abs=0.0015)


def test_tiny_p_values_do_not_underflow_and_stay_under_bonferroni():
    found = largest([12.0, 20.0, 1.0], equal(3))
    one = 2 * special.ndtr(-np.array([12.0, 20.0]))
    assert (found[:2] > one).all() and (found[:2] <= 3 * one * (1 + 1e-9)).all()


@given(st.integers(2, 5), st.integers(0, 10**6), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
@settings(max_examples=25, deadline=None)
def test_p_value_at_the_critical_value_is_the_level(m, seed, level):
    loadings = np.random.default_rng(seed).uniform(-0.95, 0.95, m)
    R = np.outer(loadings, loadings)
    np.fill_diagonal(R, 1.0)
    c = critical_value(R, level)
    assert largest([c, -c], R) == pytest.approx([1 - level] * 2, abs=1e-9)
    assert -special.ndtri((1 - level) / 2) - 1e-8 <= c <= -special.ndtri((1 - level) / (2 * m)) + 1e-8


def test_corrections_are_ordered():
    z = np.array([2.5, 1.0, -3.0])
    p, none, c = corrected(z, equal(3), "none", 0.95)
    _, joint, d = corrected(z, equal(3), "max-t", 0.95)
    _, step, e = corrected(z, equal(3), "holm", 0.95)
    assert (p == none).all() and (joint >= p).all() and (step >= p).all()
    assert c < d < e == pytest.approx(-special.ndtri(0.05 / 6))


@pytest.mark.parametrize(("correction", "level"), [("tukey", 0.95), ("max-t", 0.0), ("none", 1.0)])
def test_corrected_refuses(correction, level):
    with pytest.raises(ModelError):
        corrected(np.zeros(2), equal(2), correction, level)

"""Looks at a running campaign: classical constants, and simulated walks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from crmlab.errors import ModelError
from crmlab.models.testing.sequential import KINDS, boundaries, error_of

NORMAL = 1.959963984540054


def walks(runs, t, seed):
    """Statistics at each look, where nothing differs."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(runs, len(t))) * np.sqrt(np.diff(t, prepend=0.0))
    return np.cumsum(steps, axis=1) / np.sqrt(t)


def test_pocock_of_five_looks():
    # Jennison and Turnbull (2000), Group Sequential Methods, table 2.1.
    assert boundaries("pocock", 5)["z"].to_numpy() == pytest.approx([2.413176] * 5, abs=5e-7)


def test_obrien_fleming_of_three_looks():
    # Jennison and Turnbull (2000), table 2.3: C = 2.004.
    found = boundaries("obrien-fleming", 3)["z"].to_numpy()
    assert found == pytest.approx([3.4710914, 2.4544323, 2.0040356], abs=5e-8)


def test_lan_demets_of_five_looks():
    # Lan and DeMets (1983) in the manner of O'Brien and Fleming; Reboussin et al. (2000), Controlled Clinical Trials 21.
    found = boundaries("lan-demets-obf", 5)["z"].to_numpy()
    assert found == pytest.approx([4.87688, 3.35701, 2.68028, 2.28982, 2.03103], abs=6e-6)


def test_looking_five_times_errs_in_one_of_seven_by_integration_and_simulation():
    assert error_of(NORMAL, 5) == pytest.approx(0.142, abs=5e-4)
    z = walks(100_000, np.arange(1, 6) / 5, 4)
    assert (np.abs(z) > NORMAL).any(axis=1).mean() == pytest.approx(error_of(NORMAL, 5), abs=0.0035)


def test_integration_of_two_looks_is_the_bivariate_normal():
    t = [0.3, 1.0]
    both = stats.multivariate_normal([0, 0], [[1, np.sqrt(0.3)], [np.sqrt(0.3), 1]])
    inside = both.cdf([2.5, 2.1], lower_limit=[-2.5, -2.1])
    assert error_of([2.5, 2.1], t) == pytest.approx(1 - inside, abs=1e-7)


@given(st.sampled_from(KINDS), st.integers(1, 8), st.sampled_from([0.01, 0.05, 0.1]))
@settings(max_examples=30, deadline=None)
def test_bars_spend_all_of_alpha(kind, looks, alpha):
    found = boundaries(kind, looks, alpha)
    assert error_of(found["z"], looks) == pytest.approx(alpha, abs=1e-9)
    assert found["alpha_spent"].iloc[-1] == pytest.approx(alpha, abs=1e-9)
    assert (np.diff(found["alpha_spent"]) >= 0).all()
    assert (found["z"] >= -special.ndtri(alpha / 2) - 1e-9).all()


def test_bars_at_unequal_looks_hold_in_simulated_walks():
    t = np.array([0.1, 0.15, 0.6, 1.0])
    z = walks(100_000, t, 5)
    for kind in KINDS:
        bars = boundaries(kind, t)["z"].to_numpy()
        assert (np.abs(z) > bars).any(axis=1).mean() == pytest.approx(0.05, abs=0.0025)


def test_one_look_is_an_ordinary_test():
    for kind in KINDS:
        assert boundaries(kind, 1)["z"].item() == pytest.approx(NORMAL, abs=1e-9)


def test_first_look_too_early_has_a_bar_that_nothing_reaches():
    found = boundaries("lan-demets-obf", [0.01, 1.0])
    assert found["z"].iloc[0] == 10.0 and found["z"].iloc[1] == pytest.approx(NORMAL, abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "looks", "alpha", "said"),
    [
        ("haybittle", 3, 0.05, "'kind' must be one of pocock"),
        ("pocock", 0, 0.05, "'looks' must be at least 1"),
        ("pocock", [0.5, 0.5], 0.05, "rising shares"),
        ("pocock", [0.5, 1.2], 0.05, "rising shares"),
        ("pocock", [], 0.05, "rising shares"),
        ("pocock", 3, 0.0, "'alpha' must be between 0 and 1"),
    ],
)
def test_bad_input_is_refused(kind, looks, alpha, said):
    with pytest.raises(ModelError, match=said):
        boundaries(kind, looks, alpha)


def test_error_of_refuses_bars_of_nothing():
    with pytest.raises(ModelError, match="above 0"):
        error_of(0.0, 3)

"""How much to spend where response diminishes, and what contacts a week bring."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from crmlab.errors import ModelError
from crmlab.models.decisions import PRESSURE, best_spend, pressure, pressure_of_next, spread


def test_best_spend_of_the_published_example():
    spend, profit = best_spend(0.4, 0.05, 200)
    assert (float(spend), float(profit)) == (pytest.approx(27.725887222397812), pytest.approx(32.27411277760219))


def test_best_spend_agrees_with_a_search_and_is_nothing_where_nothing_pays():
    rng = np.random.default_rng(1)
    c, k, V = rng.uniform(0, 1, 50), rng.uniform(0.01, 0.5, 50), rng.uniform(0, 500, 50)
    spend, profit = best_spend(c, k, V)
    for one in zip(c, k, V, spend, profit, strict=True):
        share, speed, worth, found, brings = one
        best = optimize.minimize_scalar(
            lambda s, share=share, speed=speed, worth=worth: s - share * worth * (1 - np.exp(-speed * s)),
            bounds=(0, 2000),
            method="bounded",
            options={"xatol": 1e-9},
        )
        assert brings == pytest.approx(max(0.0, -best.fun), abs=1e-6)
        assert (found == 0) == (share * speed * worth <= 1)


segments = st.lists(
    st.tuples(st.just(0.0) | st.floats(0.01, 1), st.floats(0.01, 0.5), st.just(0.0) | st.floats(1, 500), st.integers(1, 1000)),
    min_size=1,
    max_size=6,
).map(lambda rows: pd.DataFrame(rows, columns=["c", "k", "V", "size"]))


@pytest.mark.proof
@settings(max_examples=60, deadline=None)
@given(segments, st.floats(0, 1))
def test_a_budget_is_spread_so_that_margins_are_equal(table, part):
    whole = float((table["size"] * best_spend(table["c"], table["k"], table["V"])[0]).sum())
    found = spread(part * whole, table)
    rows = found.segments
    assert rows["total"].sum() == pytest.approx(part * whole, rel=1e-9, abs=1e-9)
    some = rows["spend"] > 1e-9
    # The same where anything is spent; where nothing is, the first unit would bring no more.
    np.testing.assert_allclose(rows["next"][some], found.price, rtol=1e-6, atol=1e-6)
    assert (rows["next"][~some] <= found.price + 1e-6).all() or not some.any()
    assert found.price >= -1e-9
    # No other way of spending it that was drawn brings more.
    rng = np.random.default_rng(0)
    for weights in rng.dirichlet(np.ones(len(table)), 20):
        each = weights * part * whole / table["size"]
        profit = table["size"] * (table["c"] * table["V"] * -np.expm1(-table["k"] * each) - each)
        assert profit.sum() <= rows["profit"].sum() + 1e-6 * max(1.0, abs(rows["profit"].sum()))


def test_more_budget_than_is_worth_spending_is_left():
    table = pd.DataFrame({"c": [0.4], "k": [0.05], "V": [200.0], "size": [10]})
    found = spread(1e6, table)
    assert found.segments["spend"][0] == pytest.approx(27.725887222397812)
    assert found.price == 0


def test_pressure_is_as_published_and_concave():
    assert PRESSURE == (0.0, 0.10, 0.17, 0.19, 0.20, 0.205)
    np.testing.assert_allclose(pressure(np.arange(6)), PRESSURE)
    at = np.linspace(0, 8, 200)
    assert (np.diff(pressure(at), 2) <= 1e-12).all()
    assert (np.diff(pressure_of_next(at)) <= 1e-12).all()
    assert pressure_of_next(1) == pytest.approx(0.07)


def test_a_measured_curve_that_rises_unevenly_has_its_steps_averaged():
    np.testing.assert_allclose(pressure([0, 1, 2, 3], [0.0, 1.0, 4.0, 4.5]), [0, 2, 4, 4.5])
    np.testing.assert_allclose(pressure([0, 1, 2, 3], [0.0, 1.0, 2.0, 6.0]), [0, 2, 4, 6])
    np.testing.assert_allclose(pressure([1, 2], [0.0, 3.0, 2.0]), [3, 2])  # too many may do harm


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: best_spend(1.4, 0.05, 200), r"'c' must be shares from 0 to 1. Got 1.4"),
        (lambda: best_spend(0.4, 0, 200), r"'k' must be above 0"),
        (lambda: best_spend(0.4, 0.05, -1), r"'V' must be at least 0"),
        (lambda: best_spend([0.4, 0.3], [0.05, 0.1, 0.2], 1), r"'c, k and V' must be of one shape"),
        (lambda: spread(-1, pd.DataFrame()), r"'budget' must be a number of at least 0"),
        (lambda: spread(1, pd.DataFrame({"c": [0.1], "k": 0.1, "V": 1.0})), r"missing column 'size'"),
        (lambda: spread(1, pd.DataFrame({"c": [0.1], "k": 0.1, "V": 1.0, "size": 0})), r"'size' must be above 0"),
        (lambda: pressure(-1), r"'contacts_a_week' must be at least 0"),
        (lambda: pressure(1, [0.1]), r"'curve' must be finite demand at 0, 1"),
    ],
)
def test_bad_input_is_refused(make, said):
    with pytest.raises(ModelError, match=said):
        make()

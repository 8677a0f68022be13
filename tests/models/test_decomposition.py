"""Decomposition of a change: published sums, limits, exact adding up, and intervals that hold."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlab.errors import ModelError
from crmlab.models.decomposition import FACTORS, GROUPS, apportion, decompose, growth, product_effects

positive = st.floats(0.01, 1000)


def frame(rows):
    """Rows of (occasions, pieces, spend, returned) before and after, and whether the customer is new."""
    names = [f"{kind}_{period}" for period in ("before", "after") for kind in ("occasions", "pieces", "spend", "returned")]
    return pd.DataFrame([[*row] for row in rows], columns=[*names, "is_new"]).astype(dict.fromkeys(names, float))


ROWS = [
    (1, 2, 20.0, 0.0, 2, 5, 60.0, -5.0, False), (2, 3, 33.0, -3.0, 0, 0, 0.0, 0.0, False), (0, 0, 0.0, 0.0, 1, 1, 8.0, 0.0, True),
    (0, 0, 0.0, -2.0, 1, 4, 28.0, 0.0, False), (1, 1, 9.0, 0.0, 1, 1, 10.0, 0.0, False), (0, 0, 0.0, 0.0, 0, 0, 0.0, -4.0, False),
]  # fmt: skip


def test_lmdi_is_the_formula_of_ang():
    # Ang (2005), table 1: the effect of x is L(V1, V0) ln(x1 / x0), with L(a, b) = (a − b) / (ln a − ln b).
    x, y = np.array([120.0, 0.6, 2.5]), np.array([150.0, 0.5, 3.1])
    one, two = x.prod(), y.prod()
    mean = (two - one) / (np.log(two) - np.log(one))
    assert product_effects(x, y) == pytest.approx(mean * np.log(y / x), rel=1e-14)


def test_lmdi_near_no_change_loses_no_digits():
    x = np.array([3.0, 7.0])
    y = x * np.array([1 + 1e-13, 1 - 1e-13])
    assert product_effects(x, y) == pytest.approx(21 * np.array([1e-13, -1e-13]), rel=1e-2)
    assert product_effects(x, x).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("zeros", [(0,), (1, 2)])
def test_lmdi_zeros_are_the_limit_of_small_values(zeros):
    x, y = np.array([4.0, 3.0, 2.0]), np.array([5.0, 6.0, 1.5])
    small = x.copy()
    x[list(zeros)] = 0.0
    small[list(zeros)] = 1e-250 ** (1 / len(zeros))
    exact = product_effects(x, y)
    # The limit is reached as slowly as a logarithm grows.
    assert product_effects(small, y) == pytest.approx(exact, abs=0.02 * y.prod())
    assert exact.sum() == pytest.approx(y.prod())
    assert [k for k in range(3) if exact[k] != 0] == list(zeros)
    assert product_effects(y, x) == pytest.approx(-exact)
    assert product_effects([0.0, 2.0], [3.0, 0.0]).tolist() == [0.0, 0.0]


def test_shapley_is_the_mean_over_all_orders():
    x, y = np.array([120.0, -0.6, 2.5, 1.1]), np.array([150.0, 0.5, 3.1, 0.0])
    found = np.zeros(4)
    for order in permutations(range(4)):
        now = x.copy()
        for k in order:
            before = now.prod()
            now[k] = y[k]
            found[k] += (now.prod() - before) / 24
    assert product_effects(x, y, "shapley") == pytest.approx(found, rel=1e-12)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.one_of(st.just(0.0), positive), st.one_of(st.just(0.0), positive)), min_size=1, max_size=5))
def test_effects_add_up_and_turn_with_time(pairs):
    x, y = np.array(pairs).T
    for method in ("lmdi", "shapley"):
        found, size = product_effects(x, y, method), max(np.maximum(x, y).prod(), 1e-9)
        assert found.sum() == pytest.approx(y.prod() - x.prod(), rel=1e-9, abs=1e-12 * size)
        assert product_effects(y, x, method) == pytest.approx(-found, rel=1e-9, abs=1e-12 * size)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6), st.integers(0, 4))
def test_apportioned_parts_add_up_exactly_and_stay_near(parts, digits):
    found = apportion(parts, sum(parts), digits)
    assert sum(Decimal(str(v)).quantize(Decimal(1).scaleb(-digits)) for v in found) == Decimal(
        str(round(round(sum(parts) * 10**digits) / 10**digits, digits))
    ).quantize(Decimal(1).scaleb(-digits))
    assert np.abs(np.array(found) - parts).max() <= 10.0**-digits * 1.01


@pytest.mark.parametrize("method", ["lmdi", "shapley"])
def test_decompose_parts_add_up_to_the_cent_and_hold_their_points(method):
    found = decompose(frame(ROWS), method)
    assert found["part"].tolist() == [*FACTORS, "returns", "total"]
    effects = [Decimal(str(value)) for value in found["effect"]]
    assert sum(effects[:-1]) == effects[-1] == Decimal("40.0")
    # Customers 3 → 4, occasions per customer 4/3 → 5/4, pieces per occasion 6/4 → 11/5, spend per piece 62/6 → 106/11.
    assert found["before"][:4].tolist() == pytest.approx([3, 4 / 3, 6 / 4, 62 / 6])
    assert found["after"][:4].tolist() == pytest.approx([4, 5 / 4, 11 / 5, 106 / 11])
    assert found[["before", "after"]].iloc[-2:].to_numpy().tolist() == [[-5.0, -9.0], [57.0, 97.0]]
    assert (found["low"] <= found["effect"]).all()
    assert (found["effect"] <= found["high"]).all()


def test_decompose_does_not_depend_on_the_order_of_rows():
    one, two = decompose(frame(ROWS)), decompose(frame(ROWS[::-1]))
    pd.testing.assert_frame_equal(one, two)
    pd.testing.assert_frame_equal(growth(frame(ROWS)), growth(frame(ROWS[::-1])))


def test_decompose_empty_period_goes_to_customers():
    rows = [(*row[:4], 0, 0, 0.0, 0.0, False) for row in ROWS]
    found = decompose(frame(rows)).set_index("part")["effect"]
    assert found["customers"] == -62.0
    assert found[list(FACTORS[1:])].tolist() == [0.0, 0.0, 0.0]
    assert found["returns"] == 5.0
    assert found["total"] == -57.0
    nothing = decompose(frame([(0,) * 8 + (False,)]))
    assert nothing.drop(columns="part").to_numpy().ravel().tolist() == [0.0] * 30
    assert not decompose(frame([]).astype({"is_new": bool})).isna().to_numpy().any()


def test_decompose_free_orders_and_returns_above_spend():
    free = decompose(frame([(1, 1, 0.0, 0.0, 1, 1, 7.0, -30.0, False)])).set_index("part")["effect"]
    # Free before: the price came from 0, and carries all of it; the period is negative in sum.
    assert free["price"] == 7.0
    assert free["returns"] == -30.0
    assert free["total"] == -23.0


def test_decompose_without_pieces_has_three_factors():
    found = decompose(frame(ROWS).drop(columns=["pieces_before", "pieces_after"]))
    assert found["part"].tolist() == ["customers", "occasions per customer", "spend per occasion", "returns", "total"]
    full = decompose(frame(ROWS)).set_index("part")["effect"]
    assert found["effect"][2] == pytest.approx(full["basket"] + full["price"], abs=0.011)


def test_growth_groups_and_identities():
    found = growth(frame(ROWS)).set_index("group")
    assert found["customers"].to_dict() == {"new": 1, "reactivated": 1, "kept": 2, "lost": 1, "returns only": 1, "total": 6}
    assert found["change"].to_dict() == {
        "new": 8.0,
        "reactivated": 30.0,
        "kept": 36.0,
        "lost": -30.0,
        "returns only": -4.0,
        "total": 40.0,
    }
    n = found["customers"]
    assert n["kept"] + n["lost"] + n["new"] + n["reactivated"] - n["lost"] == 4
    assert found.index.tolist() == [*GROUPS, "total"]


def test_two_routes_to_the_change_agree():
    one, two = growth(frame(ROWS)).iloc[-1], decompose(frame(ROWS)).iloc[-1]
    assert one[["change", "low", "high"]].tolist() == pytest.approx(two[["effect", "low", "high"]].tolist(), rel=1e-12)


def simulated(rng, mean_customers=400):
    """Customers who come by chance (Poisson), two periods each; the truth is the decomposition of expected sums."""
    n = rng.poisson(mean_customers)
    one, two = rng.poisson(1.2, n), rng.poisson(1.5, n)
    pieces = [rng.poisson(2.0 * count) + count for count in (one, two)]
    spend = [rng.gamma(np.maximum(4.0 * p, 1e-9), price / 4.0) * (p > 0) for p, price in zip(pieces, (10.0, 9.0), strict=True)]
    return pd.DataFrame(
        {
            "occasions_before": one, "occasions_after": two, "pieces_before": pieces[0], "pieces_after": pieces[1],
            "spend_before": spend[0], "spend_after": spend[1], "returned_before": 0.0, "returned_after": 0.0, "is_new": False,
        }
    )  # fmt: skip


@pytest.mark.proof
def test_decompose_intervals_cover_the_truth():
    c, o = 400 * (1 - np.exp(-np.array([1.2, 1.5]))), 400 * np.array([1.2, 1.5])
    factors = np.array([c, o / c, [3.0, 3.0], [10.0, 9.0]])
    truth = [*product_effects(factors[:, 0], factors[:, 1]), 0.0, 400 * (1.5 * 27 - 1.2 * 30)]
    rng, inside, runs = np.random.default_rng(5), np.zeros(6), 250
    for _ in range(runs):
        found = decompose(simulated(rng), level=0.9)
        inside += (found["low"] <= np.array(truth) + 0.01) & (found["high"] >= np.array(truth) - 0.01)
    # Binomial noise of 250 runs at 90%: four deviations are 0.076.
    assert ((inside / runs)[[0, 1, 2, 3, 5]] > 0.825).all()
    assert ((inside / runs)[[0, 1, 2, 3, 5]] < 0.975).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"spend_before": -1.0}, r"spend_before must be a finite number of at least 0\. Found 6 rows that are not so"),
        ({"occasions_after": np.nan}, "occasions_after must be a finite number"),
        ({"returned_before": np.inf}, "returned_before must be a finite number"),
        ({"pieces_before": 0.0}, "'pieces_before' must be more than 0 in sum"),
    ],
)
def test_decompose_refuses_values(change, said):
    with pytest.raises(ModelError, match=said):
        decompose(frame(ROWS).assign(**change))


def test_decompose_refuses_arguments():
    with pytest.raises(ModelError, match="missing column 'occasions_before'"):
        decompose(pd.DataFrame({"x": [1]}))
    with pytest.raises(ModelError, match="missing column 'is_new'"):
        growth(frame(ROWS).drop(columns="is_new"))
    with pytest.raises(ModelError, match="'lmdi' or 'shapley'"):
        decompose(frame(ROWS), "laspeyres")
    with pytest.raises(ModelError, match="between 0 and 1"):
        decompose(frame(ROWS), level=90)
    with pytest.raises(ModelError, match="of one shape"):
        product_effects([1.0], [1.0, 2.0])
    with pytest.raises(ModelError, match="at least 0 with 'lmdi'"):
        product_effects([-1.0], [1.0])
    with pytest.raises(ModelError, match="finite"):
        product_effects([np.nan], [1.0])

"""Time until something happens: published curves, simulated truth, invariants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlab.errors import ModelError
from crmlab.models.survival import at, cumulative_incidence, given_waited, kaplan_meier, median_time

# Remission of 21 leukaemia patients on 6-MP, in weeks: Freireich et al. (1963), Blood 21; the curve is that of Kalbfleisch and Prentice
# (2002), The Statistical Analysis of Failure Time Data, section 1.4, and of Cox and Oakes (1984), Analysis of Survival Data, table 1.1.
WEEKS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
ENDED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]


def test_curve_of_6_mp_is_the_published_one():
    found = kaplan_meier(WEEKS, np.array(ENDED) == 1, level=0.95)
    assert found["time"].tolist() == [0, 6, 7, 10, 13, 16, 22, 23]
    assert found["survival"].round(3).tolist() == [1, 0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
    assert found["at_risk"].tolist() == [21, 21, 17, 15, 12, 11, 7, 6]
    assert found["events"].tolist() == [0, 3, 1, 1, 1, 1, 1, 1]
    # The intervals on the scale of log(−log S), which statistics packages print for these data under "log-log".
    assert found["low"].round(3).tolist() == [1, 0.620, 0.563, 0.503, 0.432, 0.368, 0.268, 0.188]
    assert found["high"].round(3).tolist() == [1, 0.952, 0.923, 0.889, 0.849, 0.805, 0.747, 0.680]
    assert median_time(found)[0] == 23  # the published median


def test_weights_are_repetition():
    weight = np.array([1, 3, 2, 1, 4])
    t, seen, cause = np.array([2, 3, 5, 5, 8]), np.array([1, 1, 0, 1, 1]), np.array([1, 2, 0, 1, 2])
    again = [np.repeat(values, weight) for values in (t, seen, cause)]
    assert kaplan_meier(t, seen, weight).equals(kaplan_meier(again[0], again[1]))
    assert cumulative_incidence(t, cause, weight).equals(cumulative_incidence(again[0], again[2]))


def test_incidence_without_censoring_is_the_share():
    cause = [1] * 30 + [2] * 70
    found = cumulative_incidence(np.arange(1, 101), cause, level=0.95)
    last = found.groupby("cause").last()
    assert last["incidence"].tolist() == pytest.approx([0.3, 0.7])
    # The delta method's variance is then that of a proportion.
    half = 1.959964 * np.sqrt(0.3 * 0.7 / 100) / (0.7 * -np.log(0.7))
    assert last.loc[1, "low"] == pytest.approx(1 - 0.7 ** np.exp(-half), rel=1e-6)
    assert last.loc[1, "high"] == pytest.approx(1 - 0.7 ** np.exp(half), rel=1e-6)


def test_intervals_cover_the_truth_under_censoring():
    rng = np.random.default_rng(0)
    at, hits = 1.0, np.zeros(2)
    for _ in range(300):
        first, second, end = rng.exponential(2.0, 200), rng.exponential(4.0, 200), rng.uniform(0, 3, 200)
        time = np.minimum.reduce([first, second, end])
        cause = np.where(time == end, 0, np.where(time == first, 1, 2))
        curve = kaplan_meier(time, cause > 0)
        row = curve[curve["time"] <= at].iloc[-1]
        hits[0] += row["low"] <= np.exp(-0.75 * at) <= row["high"]
        shares = cumulative_incidence(time, cause)
        row = shares[(shares["cause"] == 1) & (shares["time"] <= at)].iloc[-1]
        hits[1] += row["low"] <= 2 / 3 * (1 - np.exp(-0.75 * at)) <= row["high"]
    assert (hits / 300 > 0.85).all() and (hits / 300 < 0.95).all()


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3), st.integers(1, 5)), min_size=1, max_size=30))
@settings(max_examples=100, deadline=None)
def test_curves_fall_and_causes_add_up(rows):
    t, cause, weight = (np.array(column) for column in zip(*rows, strict=True))
    curve = kaplan_meier(t, cause > 0, weight)
    assert (np.diff(curve["survival"]) <= 1e-12).all()
    assert ((curve["low"] <= curve["survival"] + 1e-12) & (curve["survival"] <= curve["high"] + 1e-12)).all()
    shares = cumulative_incidence(t, cause, weight)
    assert ((shares["low"] <= shares["incidence"] + 1e-9) & (shares["incidence"] <= shares["high"] + 1e-9)).all()
    if (cause > 0).any():
        total = shares.groupby("time")["incidence"].sum()
        left = curve.set_index("time")["survival"].iloc[1:]
        np.testing.assert_allclose(total[left.index] + left, 1, atol=1e-9)


def test_nothing_that_happened_leaves_the_curve_at_one():
    found = kaplan_meier([3, 5], [False, False])
    assert found[["time", "survival", "low", "high"]].to_numpy().tolist() == [[0, 1, 1, 1]]
    assert median_time(found) == (np.inf, np.inf, np.inf)
    assert cumulative_incidence([3, 5], [0, 0]).empty


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (([], []), "'durations' must be as many"),
        (([1, 2], [True]), "'durations' must be as many"),
        (([1, -2], [True, True]), "'durations' must be numbers of at least 0"),
        (([1, float("nan")], [True, True]), "'durations' must be finite numbers"),
        (([1, 2], [True, True], [0, 0]), "'weights' must be numbers of at least 0"),
    ],
)
def test_curves_refuse_what_makes_no_sense(given, said):
    with pytest.raises(ModelError, match=said):
        kaplan_meier(*given)


def test_greenwoods_error_is_the_published_one():
    # Standard errors .0764 at 6 weeks and .1346 at 23: Kalbfleisch and Prentice (2002), as above.
    found = kaplan_meier(WEEKS, np.array(ENDED) == 1).set_index("time")
    error = found["survival"] * np.sqrt(found["variance"])
    assert error[6] == pytest.approx(0.0764, abs=5e-5)
    assert error[23] == pytest.approx(0.1346, abs=5e-5)


def test_given_waited_is_conditional():
    curve = kaplan_meier(WEEKS, np.array(ENDED) == 1)
    found = given_waited(curve, 10)
    assert found["time"].tolist() == [0, 3, 6, 12, 13]
    assert found["survival"].iloc[-1] == pytest.approx(at(curve, 23)["survival"] / at(curve, 10)["survival"])
    # Who has waited for 10 weeks is as if only the others had been watched.
    rest = [week - 10 for week in WEEKS if week > 10]
    alone = kaplan_meier(rest, [e == 1 for week, e in zip(WEEKS, ENDED, strict=True) if week > 10])
    np.testing.assert_allclose(found["survival"], alone["survival"])
    np.testing.assert_allclose(found["low"], alone["low"])


def test_nothing_ended():
    found = kaplan_meier([3.0, 4.0], [False, False])
    assert found[["time", "survival"]].to_numpy().tolist() == [[0.0, 1.0]]
    assert given_waited(found, 2.0)["survival"].tolist() == [1.0]

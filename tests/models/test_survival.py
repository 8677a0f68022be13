"""Kaplan and Meier's estimate: published numbers, by hand, and coverage of its intervals."""

from __future__ import annotations

import numpy as np
import pytest

from crmlab.errors import ModelError
from crmlab.models.survival import at, given_waited, kaplan_meier

# Freireich et al. (1963), remission in weeks under 6-MP; censored where marked with +. Survival as in Kalbfleisch and Prentice
# (2002), table 1.2: .857, .807, .753, .690, .627, .538, .448; Greenwood's standard error at 6 weeks .0764, at 23 .1346.
WEEKS = [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
ENDED = [True] * 9 + [False] * 12


def test_remission_times_of_freireich():
    found = kaplan_meier(WEEKS, ENDED, level=0.95).set_index("time")
    expected = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    assert found.index.tolist() == [0, *expected]
    for week, survival in expected.items():
        assert found.loc[week, "survival"] == pytest.approx(survival, abs=5e-4)
    error = found["survival"] * np.sqrt(found["variance"])
    assert error[6] == pytest.approx(0.0764, abs=5e-5)
    assert error[23] == pytest.approx(0.1346, abs=5e-5)
    assert found["at_risk"].tolist() == [21, 21, 17, 15, 12, 11, 7, 6]


def test_weights_are_replication():
    twice = kaplan_meier(WEEKS * 2, ENDED * 2)
    weighted = kaplan_meier(WEEKS, ENDED, [2] * 21)
    np.testing.assert_allclose(twice.to_numpy(), weighted.to_numpy())


def test_order_of_rows_does_not_matter():
    order = np.random.default_rng(0).permutation(21)
    again = kaplan_meier(np.array(WEEKS)[order], np.array(ENDED)[order])
    np.testing.assert_allclose(again.to_numpy(), kaplan_meier(WEEKS, ENDED).to_numpy())


def test_late_entry_by_hand():
    # Three watched from 0, one from 2 on: at time 1 three are at risk, at time 3 the two left of them and the late one.
    found = kaplan_meier([1, 3, 5, 4], [True, True, True, True], entry=[0, 0, 0, 2]).set_index("time")
    assert found.loc[1, "at_risk"] == 3
    assert found.loc[3, "at_risk"] == 3
    assert found.loc[3, "survival"] == pytest.approx(2 / 3 * 2 / 3)


def test_given_waited_is_conditional():
    curve = kaplan_meier(WEEKS, ENDED)
    found = given_waited(curve, 10)
    assert found["time"].tolist() == [0, 3, 6, 12, 13]
    assert found["survival"].iloc[-1] == pytest.approx(at(curve, 23)["survival"] / at(curve, 10)["survival"])
    # Who has waited for 10 weeks is as if only the others had been watched.
    rest = [week - 10 for week in WEEKS if week > 10]
    alone = kaplan_meier(rest, [e for week, e in zip(WEEKS, ENDED, strict=True) if week > 10])
    np.testing.assert_allclose(found["survival"], alone["survival"])
    np.testing.assert_allclose(found["low"], alone["low"])


def test_intervals_cover():
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(500):
        life, seen = rng.exponential(10, 150), rng.uniform(0, 25, 150)
        row = at(kaplan_meier(np.minimum(life, seen), life <= seen, level=0.9), 7.0)
        inside += row["low"] <= np.exp(-0.7) <= row["high"]
    assert 0.87 <= inside / 500 <= 0.93  # nominal 0.9; two deviations of 500 are 0.027


@pytest.mark.parametrize(("duration", "ended"), [([], []), ([1.0], [True, False]), ([-1.0], [True]), ([float("nan")], [True])])
def test_bad_input_is_said(duration, ended):
    with pytest.raises(ModelError):
        kaplan_meier(duration, ended)


def test_nothing_ended():
    found = kaplan_meier([3.0, 4.0], [False, False])
    assert found[["time", "survival"]].to_numpy().tolist() == [[0.0, 1.0]]

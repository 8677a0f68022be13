"""Time until something happens: published curves, simulated truth, invariants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlab.errors import ModelError
from crmlab.models.survival import at, cumulative_incidence, given_waited, kaplan_meier, kaplan_meier_by, median_time

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


# Late entries, and groups.


def risk_by_risk(t, seen, entered):
    """Kaplan and Meier's product, time by time and one by one."""
    share, rows = 1.0, []
    for time in sorted({one for one, happened in zip(t, seen, strict=True) if happened}):
        at_risk = sum(begun < time <= end or (begun == 0 and time == 0) for begun, end in zip(entered, t, strict=True))
        events = sum(end == time and happened for end, happened in zip(t, seen, strict=True))
        share *= 1 - events / at_risk
        rows.append((time, at_risk, events, share))
    return rows


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_late_entries_are_at_risk_from_then_on(seed):
    rng = np.random.default_rng(seed)
    t = rng.integers(1, 9, 40)
    entered = np.minimum(rng.integers(0, 6, 40) * (rng.random(40) < 0.6), t - 1)
    seen = rng.random(40) < 0.5
    found = kaplan_meier(t, seen, entered=entered)
    by_hand = risk_by_risk(t.tolist(), seen.tolist(), entered.tolist())
    assert found.iloc[1:][["time", "at_risk", "events", "survival"]].to_numpy() == pytest.approx(
        np.array(by_hand).reshape(-1, 4)
    )
    assert found["at_risk"].iloc[0] == (entered == 0).sum()
    assert kaplan_meier(t, seen, entered=np.zeros(40)).equals(kaplan_meier(t, seen))
    weight = rng.integers(1, 4, 40)
    again = kaplan_meier(np.repeat(t, weight), np.repeat(seen, weight), entered=np.repeat(entered, weight))
    assert kaplan_meier(t, seen, weight, entered=entered).to_numpy() == pytest.approx(again.to_numpy(), nan_ok=True)


def test_late_entries_leave_the_curve_where_it_is():
    # Exponential lives; records begin at a time of each customer's own, and know nothing of those gone by then.
    rng = np.random.default_rng(5)
    life, begun, until = rng.exponential(5.0, 200_000), rng.uniform(0, 4, 200_000), rng.uniform(2, 12, 200_000)
    begun = np.where(rng.random(200_000) < 0.3, 0.0, begun)
    kept = (life > begun) & (until > begun)
    life, begun, until = life[kept], begun[kept], until[kept]
    t, seen = np.minimum(life, until), life <= until
    told, deaf = kaplan_meier(t, seen, entered=begun), kaplan_meier(t, seen)
    for time in (1.0, 4.0, 8.0):
        row = at(told, time)
        assert row["low"] - 0.01 < np.exp(-time / 5) < row["high"] + 0.01
        assert at(deaf, time)["survival"] > np.exp(-time / 5) + 0.05


def test_groups_are_curves_of_their_own():
    rng = np.random.default_rng(6)
    t, seen, group = rng.integers(0, 7, 300), rng.random(300) < 0.4, rng.choice(["2022", "2023", "2024"], 300)
    begun, weight = np.where(rng.random(300) < 0.3, np.maximum(t - 2, 0), 0), rng.integers(1, 5, 300)
    found = kaplan_meier_by(t, seen, group, weights=weight, entered=begun, level=0.8)
    table = kaplan_meier_by(t, seen, group, weights=weight, entered=begun, level=0.8, times=range(9))
    assert found["group"].unique().tolist() == ["2022", "2023", "2024"]
    for name in found["group"].unique():
        some = group == name
        alone = kaplan_meier(t[some], seen[some], weight[some], 0.8, entered=begun[some])
        own = found[found["group"] == name].drop(columns="group")
        assert own.to_numpy() == pytest.approx(alone[own.columns].to_numpy())
        on_grid = table[table["group"] == name]
        assert on_grid["time"].tolist() == list(range(9))
        for row in on_grid.itertuples():
            if row.time <= t[some].max():
                held = at(alone, row.time)
                assert (row.survival, row.low, row.high) == pytest.approx((held["survival"], held["low"], held["high"]))
        assert on_grid["events"].sum() == weight[some & seen].sum()
        # Nobody was followed further.
        assert on_grid["survival"].iloc[-1] != on_grid["survival"].iloc[-1] or on_grid["survival"].iloc[-1] == 0


def test_late_entries_and_groups_that_cannot_be_are_refused():
    with pytest.raises(
        ModelError, match="kaplan_meier: 'entered' must be before the end of the duration. Got '3 with a duration of 2'"
    ):
        kaplan_meier([2, 5], [False, True], entered=[3, 0])
    with pytest.raises(ModelError, match="'entered' must be before the end"):
        kaplan_meier([2, 5], [True, True], entered=[2, 0])
    with pytest.raises(ModelError, match="'entered' must be 2 numbers of at least 0, one of each duration"):
        kaplan_meier([2, 5], [True, True], entered=[1])
    with pytest.raises(ModelError, match="kaplan_meier_by: 'groups' must be 2 of them, none missing"):
        kaplan_meier_by([2, 5], [True, True], ["a", None])
    for wrong in ([2, 1], [-1, 2], []):
        with pytest.raises(ModelError, match="'times' must be numbers of at least 0 that rise"):
            kaplan_meier_by([2, 5], [True, True], ["a", "b"], times=wrong)

"""States of customers: by hand, against a rule followed day by day, on both engines, and blind to what comes later."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from decimal import Decimal

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from crmlab.analyses.lifecycle.naming import CURRENT, NONE, STATES
from crmlab.analyses.lifecycle.reductions import cohorts, spells, states, transitions
from crmlab.analyses.lifecycle.rhythm import Thresholds, thresholds
from crmlab.data.shop.make import make_shop
from crmlab.errors import DataError, ParameterError
from tests.frames import by_customer, orders

START = dt.date(2024, 1, 1)
BASE = Thresholds(20, 40, 70)
OWN = Thresholds(20, 40, 70, multiples=(1.3, 2.1, 4.0), own_from=3)
DATES = [START + dt.timedelta(days=30 * k) for k in range(1, 7)]


def state_on(days, today, limits):
    """The state by the words of the definition: what is known on a day, and nothing else."""
    known = [day for day in days if day <= today]
    if not known:
        return NONE
    slowing, lapsed, lost = limits.of((known[-1] - known[0]) / max(len(known) - 1, 1), len(known))
    silent = today - known[-1]
    if silent > lost:
        return "lost"
    if silent > lapsed:
        return "lapsed"
    if silent > slowing:
        return "slowing"
    if len(known) == 1:
        return "new"
    return "reactivated" if state_on(days, known[-1] - 1, limits) in ("lapsed", "lost") else "active"


def history_of(customers, last=180):
    """Orders of customers given as lists of days since the start; a customer of their own reaches the last day."""
    rows = [(name, START + dt.timedelta(days=day), 5 + day) for name, days in customers.items() for day in days]
    return orders(*rows, ("z", START, 1), ("z", START + dt.timedelta(days=last), 1))


lives = st.lists(st.sets(st.integers(0, 180), min_size=1, max_size=12).map(sorted), min_size=1, max_size=25)
# Not shrunk: every try runs an engine, and a small history is as good as a smaller one.
quietly = settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_states_by_hand():
    customers = {
        "active": [60, 140, 170],
        "back": [0, 30, 170],
        "lapsed": [10, 130],
        "lost": [5],
        "new": [175],
        "slowing": [100, 150],
        "steady": [140, 160, 179],
    }
    found = by_customer(states(history_of(customers), None, BASE))
    assert {name: row["state"] for name, row in found.items()} == {
        "active": "active", "back": "reactivated", "lapsed": "lapsed", "lost": "lost", "new": "new", "slowing": "slowing",
        "steady": "active", "z": "reactivated",
    }  # fmt: skip
    row = found["steady"]
    assert (row["days_since_last"], row["occasions"], row["mean_gap"], bool(row["own"])) == (1, 3, 19.5, False)
    assert [row[f"{name}_after"] for name in ("slowing", "lapsed", "lost")] == [20, 40, 70]
    assert pd.Timestamp(row["since"]) == pd.Timestamp(START) + pd.Timedelta(days=160)  # new until the second purchase
    assert pd.Timestamp(found["slowing"]["since"]) == pd.Timestamp(START) + pd.Timedelta(days=171)
    assert pd.Timestamp(found["lost"]["since"]) == pd.Timestamp(START) + pd.Timedelta(days=76)
    assert np.isnan(found["new"]["mean_gap"])


@pytest.mark.parametrize(
    ("silence", "state"), [(20, "active"), (21, "slowing"), (40, "slowing"), (41, "lapsed"), (70, "lapsed"), (71, "lost")]
)
def test_thresholds_are_passed_on_the_day_after(silence, state):
    found = by_customer(states(history_of({"a": [100 - 5, 100]}, 100 + silence), None, BASE))
    assert found["a"]["state"] == state


def test_a_customer_comes_back_only_where_they_had_lapsed_the_day_before():
    found = by_customer(states(history_of({"a": [0, 41], "b": [0, 42]}, 45), None, BASE))
    assert (found["a"]["state"], found["b"]["state"]) == ("active", "reactivated")


def test_own_rhythm_has_own_thresholds():
    found = by_customer(states(history_of({"slow": [0, 60, 120, 180], "quick": [130, 140, 150]}, 180), None, OWN))
    assert found["slow"]["state"] == "active" and bool(found["slow"]["own"])
    assert [found["slow"][f"{name}_after"] for name in ("slowing", "lapsed", "lost")] == [78, 126, 240]
    # Ten days apart: 13, 21 and 40 days.
    assert found["quick"]["state"] == "lapsed"
    # Who buys on days in a row has a rhythm of a week at least.
    assert OWN.of(1.0, 9) == OWN.of(7.0, 9) == (9, 14, 28)


def test_prospects_are_people_without_an_occasion():
    people = ibis.memtable(
        pd.DataFrame(
            {
                "customer_id": ["a", "p", "later", "unknown"],
                "acquired_at": pd.to_datetime(["2024-01-01", "2024-01-01", "2025-01-01", None]).date,
            }
        )
    )
    found = by_customer(states(history_of({"a": [100]}), None, BASE, people))
    assert {name for name, row in found.items() if row["state"] == "prospect"} == {"p", "unknown"}
    assert pd.isna(found["p"]["since"]) and found["p"]["occasions"] == 0
    assert "later" not in found


@pytest.mark.proof
@given(lives, st.sampled_from([BASE, OWN]), st.integers(60, 180))
@quietly
def test_states_follow_the_definition(days, limits, today):
    customers = {f"c{k}": some for k, some in enumerate(days)}
    found = by_customer(states(history_of(customers), START + dt.timedelta(days=today), limits))
    for name, some in customers.items():
        expected = state_on(some, today, limits)
        assert found[name]["state"] == expected if expected != NONE else name not in found
        if name in found:
            since = (pd.Timestamp(found[name]["since"]) - pd.Timestamp(START)).days
            run = today
            while state_on(some, run - 1, limits) == expected and run > some[0]:
                run -= 1
            # A purchase of someone reactivated who had lapsed again begins another spell; so it is with no day between.
            assert since == run or (expected == "reactivated" and since in some)


@pytest.mark.proof
@given(lives, st.sampled_from([BASE, OWN]))
@quietly
def test_moves_follow_the_definition_and_add_up(days, limits):
    customers = {f"c{k}": some for k, some in enumerate(days)} | {"z": [0, 180]}
    found = transitions(history_of({k: v for k, v in customers.items() if k != "z"}), DATES, limits, longest=3).to_pandas()
    expected, money, silences = Counter(), Counter(), Counter()
    numbers = [(day - START).days for day in DATES]
    for name, some in customers.items():
        for early, late in itertools.pairwise(numbers):
            before, after = state_on(some, early, limits), state_on(some, late, limits)
            if after == NONE:
                continue
            key = (START + dt.timedelta(days=late), before, after)
            expected[key] += 1
            money[key] += sum((1 if name == "z" else 5 + day) for day in some if early < day <= late)
            last = max(day for day in some if day <= late)
            silences[key[0], min(sum(last <= number < late for number in numbers), 3)] += 1
    got = found.assign(date=[pd.Timestamp(day).date() for day in found["date"]])
    sums = got.groupby(["date", "state_before", "state"])[["customers", "spend"]].sum()
    assert sums["customers"].to_dict() == dict(expected)
    assert sums["spend"].to_dict() == pytest.approx(dict(money))
    assert got.groupby(["date", "silence"])["customers"].sum().to_dict() == dict(silences)
    assert ((got["silence_before"] == -1) == (got["state_before"] == NONE)).all()
    # Growth accounting: every date's current customers from the moves on either side of it.
    for early, late in itertools.pairwise(DATES[1:]):
        now, then = got[got["date"] == early], got[got["date"] == late]
        current = now.loc[now["state"].isin(CURRENT), "customers"].sum()
        assert current == then.loc[then["state_before"].isin(CURRENT), "customers"].sum()


@pytest.mark.proof
@given(lives, st.sampled_from([BASE, OWN]))
@quietly
def test_spells_cover_every_day_once(days, limits):
    customers = {f"c{k}": some for k, some in enumerate(days)} | {"z": [0, 180]}
    found = spells(history_of({k: v for k, v in customers.items() if k != "z"}), None, limits).to_pandas()
    seen, ends = Counter(), Counter()
    for some in customers.values():
        line = [state_on(some, day, limits) for day in range(181)]
        for state in line:
            if state != NONE:
                seen[state] += 1
        ends.update((a, b) for a, b in itertools.pairwise(line) if a not in (b, NONE))
    length = found["days"] + found["next_state"].isna()  # a censored spell holds its last day too
    total = (length * found["spells"]).groupby(found["state"]).sum()
    # Two spells of reactivation may touch, and then count their days apart; no other state can follow itself.
    assert total.to_dict() == dict(seen)
    ended = found.dropna(subset="next_state").groupby(["state", "next_state"])["spells"].sum().to_dict()
    assert {key: n for key, n in ended.items() if key[0] != key[1]} == dict(ends)
    assert (found["days"] >= 0).all()


@pytest.mark.proof
@given(lives, st.lists(st.tuples(st.integers(0, 24), st.integers(151, 180)), min_size=1, max_size=10))
@quietly
def test_later_orders_change_no_earlier_state(days, later):
    customers = {f"c{k}": some for k, some in enumerate(days)}
    before = history_of(customers, last=150)
    before = before[before["ordered_at"] <= pd.Timestamp(DATES[4])]
    rows = [(f"c{who}", START + dt.timedelta(days=day), 1000) for who, day in later]
    after = pd.concat([before, orders(*rows)], ignore_index=True)
    listed = [
        states(frame, DATES[4], OWN).to_pandas().sort_values("customer_id", ignore_index=True) for frame in (before, after)
    ]
    pd.testing.assert_frame_equal(*listed)
    first, second = (
        transitions(frame, DATES[:5], OWN, longest=4)
        .to_pandas()
        .sort_values(["date", "state_before", "state", "silence_before", "silence"], ignore_index=True)
        for frame in (before, after)
    )
    pd.testing.assert_frame_equal(first, second)
    assert thresholds_or_none(before) == thresholds_or_none(after)
    assert spells_of(before) == spells_of(after)


def thresholds_or_none(frame):
    try:
        return thresholds(frame, DATES[4])
    except DataError as error:
        return str(error)


def spells_of(frame):
    found = spells(frame, DATES[4], OWN).to_pandas().fillna({"next_state": "censored"})
    return found.set_index(["state", "next_state", "days"])["spells"].to_dict()


def test_thresholds_are_quantiles_of_the_gaps():
    days = {f"c{k}": [0, k + 1] for k in range(100)}  # gaps of 1 to 100 days
    found = thresholds(history_of(days, last=180), START + dt.timedelta(days=170))
    assert found.days == (75, 90, 98)
    assert (found.gaps, found.own_gaps, found.multiples) == (100, 0, None)
    assert found.quantiles == (0.75, 0.9, 0.975)
    assert thresholds(history_of(days, 180), START + dt.timedelta(days=170), (0.1, 0.2, 0.3)).days == (10, 20, 30)


def test_own_multiples_hold_for_the_next_gap():
    # Of customers with a pace of their own, a tenth of the gaps to come should be longer than the multiple for lapsed.
    rng = np.random.default_rng(4)
    rows = []
    for k in range(400):
        pace = rng.gamma(4, 8)
        at = np.cumsum(np.maximum(rng.exponential(pace, 20).round(), 1)).astype(int)
        rows += [(f"c{k}", START + dt.timedelta(days=int(day)), 1) for day in at]
    found = thresholds(orders(*rows))
    assert found.multiples is not None
    frame = pd.DataFrame(rows, columns=["who", "day", "amount"])
    gaps = pd.to_datetime(frame["day"]).groupby(frame["who"]).diff().dt.days
    own = gaps.groupby(frame["who"]).transform(lambda gap: gap.expanding().mean().shift(1)).clip(lower=7)
    number = frame.groupby("who").cumcount() + 1
    longer = (gaps > found.multiples[1] * own)[number > found.own_from]
    assert longer.mean() == pytest.approx(0.1, abs=0.005)


def test_thresholds_stay_apart_where_gaps_are_alike():
    found = thresholds(history_of({f"c{k}": [0, 30] for k in range(40)}), START + dt.timedelta(days=100))
    assert found.days == (30, 31, 32)


def test_what_makes_no_sense_is_refused():
    frame = history_of({"a": [0, 10]})
    with pytest.raises(ParameterError, match="whole days that increase, slowing < lapsed < lost. Got .30, 30, 90. instead."):
        Thresholds(30, 30, 90)
    with pytest.raises(ParameterError, match="'multiples' parameter of lifecycle must be numbers above 0 that increase"):
        Thresholds(30, 60, 90, multiples=(1.0, 3.0, 2.0))
    with pytest.raises(ParameterError, match="'own_from' parameter of lifecycle must be a whole number of at least 3"):
        Thresholds(30, 60, 90, own_from=1)
    with pytest.raises(
        ParameterError, match="'quantiles' parameter of lifecycle must be three numbers between 0 and 1 that increase"
    ):
        thresholds(frame, None, (0.9, 0.75, 0.95))
    with pytest.raises(ParameterError, match="'own_from'"):
        thresholds(frame, None, own_from=2)
    with pytest.raises(DataError, match="lifecycle: needs at least 20 gaps between purchases .* Found: 2."):
        thresholds(frame)
    with pytest.raises(ParameterError, match="'dates' must be before 'the next of the dates'. Got dates 2024-03-31 and"):
        transitions(frame, ["2024-03-31", "2024-02-29"], BASE)
    with pytest.raises(ParameterError, match="'dates' must be before"):
        cohorts(frame, ["2024-03-31", "2024-03-31"])
    with pytest.raises(ParameterError, match="'dates' parameter of lifecycle must be at least two dates. Got '1' instead."):
        transitions(frame, ["2024-03-31"], BASE)
    with pytest.raises(ParameterError, match="'dates' parameter of lifecycle must be a date such as"):
        transitions(frame, ["2024-03-31", "soon"], BASE)
    with pytest.raises(ParameterError, match="after the last order"):
        transitions(frame, ["2024-03-31", "2025-03-31"], BASE)
    with pytest.raises(ParameterError, match="before the first order"):
        states(frame, "2023-01-01", BASE)


def test_cohorts_by_hand():
    frame = history_of({"a": [0, 40, 41, 100], "b": [35, 65], "c": [179]})
    dates = [START + dt.timedelta(days=day) for day in (29, 59, 89, 119)]
    found = cohorts(frame, dates).to_pandas().set_index(["cohort", "period"])["customers"].to_dict()
    assert found == {(0, 0): 2, (0, 1): 1, (0, 3): 1, (1, 1): 1, (1, 2): 1}  # a and z came in the first; c after the last


@pytest.mark.spark
def test_transitions_on_both_engines(both):
    frame = make_shop(60, seed=4).tables["orders"][["customer_id", "ordered_at", "amount"]].copy()
    frame["amount"] = [Decimal(f"{amount:.2f}") for amount in frame["amount"]]
    limits = Thresholds(50, 120, 280, multiples=(1.29, 2.45, 4.61), own_from=4)
    duck, spark = both(lambda orders: transitions(orders, ["2025-01-31", "2025-06-30"], limits), orders=frame)
    assert len(duck)
    pd.testing.assert_frame_equal(duck, spark, check_dtype=False)


@pytest.mark.proof
@pytest.mark.spark
def test_lifecycle_on_both_engines(both):
    shop = make_shop(150, seed=4)
    frame = shop.tables["orders"][["customer_id", "ordered_at", "amount"]].copy()
    frame["amount"] = [Decimal(f"{amount:.2f}") for amount in frame["amount"]]
    dates = ["2025-01-31", "2025-02-28", "2025-06-30", "2025-12-15"]
    limits = Thresholds(50, 120, 280, multiples=(1.29, 2.45, 4.61), own_from=4)
    people = shop.tables["customers"][["customer_id", "acquired_at"]]
    for reduce in (
        lambda orders: transitions(orders, dates, limits),
        lambda orders: transitions(orders, dates, limits, longest=2),
        lambda orders: spells(orders, "2025-12-15", limits),
        lambda orders: cohorts(orders, dates),
    ):
        duck, spark = both(reduce, orders=frame)
        assert len(duck)
        pd.testing.assert_frame_equal(duck, spark, check_dtype=False)
    duck, spark = both(
        lambda orders, customers: states(orders, "2025-12-15", limits, customers), orders=frame, customers=people
    )
    assert set(duck["state"]) == {*STATES, "prospect"}
    for name in ("since", "last_occasion"):
        duck[name], spark[name] = pd.to_datetime(duck[name]), pd.to_datetime(spark[name])
    pd.testing.assert_frame_equal(duck, spark, check_dtype=False)
    counted = both(lambda orders: ibis.memtable(pd.DataFrame({"found": [repr(thresholds(orders, own_from=3))]})), orders=frame)
    pd.testing.assert_frame_equal(*counted)

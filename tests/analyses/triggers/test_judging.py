"""Whether triggers are judged rightly: chance is not recommended, what works is found, bases are those of another route, nothing leaks."""

from __future__ import annotations

import datetime as dt
import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from crmlab.analyses.triggers import judging, naming, pools, rules
from crmlab.analyses.triggers.params import Params
from crmlab.analyses.triggers.rhythm import Rhythm, past_days, rhythm_of
from crmlab.analyses.triggers.study import judgement, occasions_known, study
from crmlab.analyses.triggers.timing import Timing
from crmlab.errors import DataError
from tests.frames import history_of, orders

DAY0 = dt.date(2024, 1, 1)
NO_REBUYS = pd.DataFrame({"customer_id": [], "product_id": [], "day": pd.to_datetime([]), "next": pd.to_datetime([])})
SOME = tuple(trigger for trigger in rules.TRIGGERS if trigger.name not in ("overdue", "product"))


def known_as(days, **given):
    base = {"second": 20.0, "lapse": 40.0, "reach": 60.0, "bands": (10.0, 20.0, 40.0, 60.0), "spend": 80.0}
    until = pd.Timestamp(days[0])
    rest = {"timing": Timing(until=until), "expected": None, "choice": None, "rebuys": pd.Series(dtype=float)}
    return [(rules.Learnt(until=until, **{**base, **given}, **rest), days)]


def simulated(seed, customers=90, length=300, rate=1 / 25):
    """Purchases at random times, each customer with a rate of their own."""
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(customers):
        start, mine = int(rng.integers(0, 150)), rate * rng.gamma(2.0, 0.5)
        days = start + np.cumsum(np.r_[0, rng.exponential(1 / mine, 80)]).astype(int)
        rows += [(f"c{k:03}", DAY0 + dt.timedelta(days=int(day)), 10.0) for day in sorted(set(days[days <= length]))]
    return rows


def random_pool(seed, customers=300, days=6, triggers=7):
    """Triggers that are pure chance among customers who differ."""
    rng = np.random.default_rng(seed)
    who = np.tile(np.arange(customers), days)
    day = np.repeat(np.arange(days), customers)
    bought = rng.random(len(who)) < rng.beta(2, 3, customers)[who]
    fired = {trigger.name: rng.random(len(who)) < 0.05 for trigger in rules.TRIGGERS[:triggers]}
    silent, often = rng.integers(0, 60, len(who)), rng.integers(1, 9, len(who))
    return pools.Pool(who=who, day=day, stratum=day, silent=silent, often=often, bought=bought, fired=fired)


@pytest.mark.proof
def test_chance_is_recommended_no_more_often_than_the_rate_of_false_discoveries():
    worlds = [random_pool(seed) for seed in range(100)]
    found = [judging.judged(rules.TRIGGERS, (pool, pool), 0.9).triggers for pool in worlds]
    assert all((one["works"] != judging.UNKNOWN).all() for one in found)
    assert np.mean([(one["works"] == judging.YES).any() for one in found]) <= 0.1
    assert np.mean([(one["adjusted_all"] <= 0.1).any() for one in found]) <= 0.19  # 10%, and three errors of 100 worlds


def test_what_works_is_found():
    pool = random_pool(1)
    knows = pool.fired["slowing"]
    told = pools.Pool(
        **{**vars(pool), "bought": np.where(knows, np.random.default_rng(2).random(len(knows)) < 0.1, pool.bought)}
    )
    found = judging.judged(rules.TRIGGERS, (told, told), 0.9).triggers.set_index("name")
    assert found["works"].to_dict() == {
        one.name: judging.YES if one.name == "slowing" else judging.NO for one in rules.TRIGGERS
    }
    assert found.at["slowing", "true"] == pytest.approx(0.9, abs=0.06)
    assert found.at["slowing", "lift_rule_low"] > 1


@pytest.mark.proof
def test_simple_rules_are_corrected_and_do_not_loosen_the_correction_of_triggers():
    worlds = [judging.judged(rules.TRIGGERS, (pool, pool), 0.9) for pool in map(random_pool, range(100))]
    assert all(len(one.rules) == 2 for one in worlds)
    # Silence and frequency are drawn at random there: a rule that is advised is a false discovery.
    assert np.mean([one.rules["works"].any() for one in worlds]) <= 0.1
    for one in worlds[:20]:
        assert one.rules["adjusted"].to_numpy() == pytest.approx(stats.false_discovery_control(one.rules["p"]))
        assert one.triggers["adjusted_all"].to_numpy() == pytest.approx(stats.false_discovery_control(one.triggers["p_all"]))
        assert one.rules["works"].equals((one.rules["adjusted"] <= 0.1) & (one.rules["difference"] > 0))


def test_the_base_of_all_eligible_is_one_number_whatever_is_expected():
    pool = random_pool(5)
    late = pool.day >= 3
    fired = {name: flags & (late if name in ("overdue", "slowing") else ~late) for name, flags in pool.fired.items()}
    drift = pools.Pool(**{**vars(pool), "bought": pool.bought & (late | (pool.who % 2 == 0)), "fired": fired})
    found = judging.judged(rules.TRIGGERS, (drift, drift), 0.9)
    base = found.rules.set_index("name")["base"]
    assert base[naming.OFTEN] == pytest.approx(drift.bought.mean(), abs=1e-12)
    assert base[naming.SILENT] == pytest.approx(1 - drift.bought.mean(), abs=1e-12)
    # A trigger is held against the eligible of its own days, which are not all days.
    assert found.triggers.set_index("name").at["slowing", "base_all"] == pytest.approx(1 - drift.bought[late].mean(), abs=0.02)


def test_a_simple_rule_takes_the_same_share_of_the_eligible_on_each_day():
    pool = random_pool(6)
    some = pools.Pool(**{**vars(pool), "often": np.where(pool.bought, 10 + pool.often, pool.often)})
    found = judging.judged(rules.TRIGGERS, (some, some), 0.9).rules.set_index("name")
    chosen = np.logical_or.reduce([some.fired[one.name] for one in rules.TRIGGERS if one.buys and not one.of_products])
    places = chosen.mean() * np.bincount(some.day)
    buyers = np.bincount(some.day, some.bought)
    share = np.minimum(places, buyers).sum() / places.sum()  # those who bought come first, by how they were made
    assert found.at[naming.OFTEN, "true"] == pytest.approx(share) and found.at[naming.OFTEN, "works"]


def test_a_trigger_that_few_had_is_not_judged():
    pool = random_pool(3)
    few = np.zeros(len(pool.who), dtype=bool)
    few[np.flatnonzero(pool.day == 0)[:29]] = True
    few[pool.who == 0] = True  # one of them on every day: still 29 customers
    crowd = pools.Pool(**{**vars(pool), "fired": {**pool.fired, "second": few}})
    row = judging.judged(rules.TRIGGERS, (crowd, pool), 0.9).triggers.set_index("name").loc["second"]
    assert (
        (row["tested"], row["works"]) == (29, judging.UNKNOWN) and np.isnan(row["adjusted_all"]) and np.isnan(row["lift_rule"])
    )


def eligible_by_hand(rows, days, window, reach):
    """Who is eligible on each day: how long silent, how often within reach, and whether a purchase came within the window."""
    bought = pd.DataFrame(rows, columns=["who", "day", "amount"]).groupby("who")["day"].agg(list).to_dict()
    for day in days:
        able = {}
        for who, theirs in bought.items():
            past = [one for one in theirs if one <= day]
            if past and (day - max(past)).days <= reach:
                later = any(day < one <= day + dt.timedelta(days=window) for one in theirs)
                able[who] = ((day - max(past)).days, sum((day - one).days <= reach for one in past), later)
        yield day, able


def by_hand(known, trigger, moments, fresh):
    """Eligible, fired, chosen by the simple rule and what came, counted one customer and day after another; ties shared."""
    true = fired_all = base = rule = 0.0
    for day, everybody in known:
        able = {who: (silent, often, later == trigger.buys) for who, (silent, often, later) in everybody.items()}
        fired = set()
        for who, at, coming in moments:
            if dt.timedelta(0) <= day - at < dt.timedelta(days=min(fresh, trigger.lasts or fresh)) and who in able:
                fired |= {who} if not (trigger.ends and coming is not None and coming <= day) else set()
        if not fired:
            continue
        true += sum(able[who][2] for who in fired)
        fired_all += len(fired)
        base += len(fired) * sum(came for *_, came in able.values()) / len(able)
        left = len(fired)
        keys = {who: (often, -silent) if trigger.buys else (silent,) for who, (silent, often, _) in able.items()}
        for key in sorted(set(keys.values()), reverse=True):
            alike = [who for who in able if keys[who] == key]
            part = min(left, len(alike))
            rule += part * sum(able[who][2] for who in alike) / len(alike)
            left -= part
    return fired_all, *(one / max(fired_all, 1) for one in (true, base, rule))


def test_another_route_finds_the_same_shares():
    rows = simulated(7)
    history = history_of(orders(*rows), DAY0 + dt.timedelta(days=300))
    occasions = occasions_known(history)
    rhythm = Rhythm(window=28, fresh=7, respond=14, learning=84)
    days = past_days(history, rhythm)
    known = known_as(days)
    pool = pools.pools_of(SOME, known, (occasions, NO_REBUYS), rhythm, Params())[0]
    found = judging.judged(SOME, (pool, pool), 0.9).triggers.set_index("name")
    eligible, seen = list(eligible_by_hand(rows, days, 28, 60)), 0
    for trigger in SOME:
        some = rules.moments(trigger, occasions, NO_REBUYS, known[0][0])
        met = [
            (who, at.date(), None if pd.isna(coming) else coming.date())
            for who, at, coming in zip(some["customer_id"], some["at"], some["next"], strict=True)
        ]
        count, *shares = by_hand(eligible, trigger, met, 7)
        row = found.loc[trigger.name]
        assert row["moments"] == count
        if row["works"] != judging.UNKNOWN:
            seen += 1
            assert (row["true"], row["base_all"], row["base_rule"]) == pytest.approx(shares, abs=1e-12)
            assert row["lift_all"] == pytest.approx(shares[0] / shares[1]) and row["lift_rule"] == pytest.approx(
                shares[0] / shares[2]
            )
    assert seen >= 3


def test_what_comes_after_the_window_moves_nothing():
    rows = simulated(8, length=400)
    early, late = (history_of(orders(*rows), DAY0 + dt.timedelta(days=end)) for end in (300, 400))
    rhythm = Rhythm(window=28, fresh=7, respond=14, learning=84)
    days = past_days(early, rhythm)
    tables = []
    for history in (early, late):
        known = known_as(days)
        pool = pools.pools_of(SOME, known, (occasions_known(history), NO_REBUYS), rhythm, Params())[0]
        tables.append(judging.judged(SOME, (pool, pool), 0.9).triggers)
    pd.testing.assert_frame_equal(*tables)
    assert len(days) > 10 and days[-1] + dt.timedelta(days=28) == early.as_of


@pytest.mark.proof
def test_each_past_day_is_learnt_from_what_was_known_then():
    history = history_of(orders(*simulated(9)), DAY0 + dt.timedelta(days=300))
    days = past_days(history, rhythm_of(history, Params()))
    known = pools.learnings(history, days, occasions_known(history), NO_REBUYS)
    assert [day for _, some in known for day in some] == days
    assert all(learnt.until.date() == some[0] for learnt, some in known)


def test_bands_need_thirty_who_had_no_moment():
    pool = random_pool(4, customers=60)
    fired = pool.fired["slowing"] | ((pool.silent > 40) & (pool.who > 20))
    crowded = pools.Pool(**{**vars(pool), "fired": {"slowing": fired}})
    slowing = next(one for one in rules.TRIGGERS if one.name == "slowing")
    found = judging.bands_of(slowing, crowded, (40.0, 60.0), 0.9).set_index("to")
    assert found.at[60.0, "others"] < judging.FEWEST <= found.at[60.0, "tested"]
    assert np.isnan(found.at[60.0, "base"]) and np.isnan(found.at[60.0, "lift"]) and 0 < found.at[60.0, "true"] < 1


@pytest.mark.parametrize(("length", "gap", "window"), [(400, 10, 7), (400, 30, 28), (730, 60, 56), (200, 100, 49)])
def test_the_window_follows_the_rhythm(length, gap, window):
    rows = [(f"c{k}", DAY0 + dt.timedelta(days=day), 10.0) for k in range(20) for day in range(k % 5, length + 1, gap)]
    found = rhythm_of(history_of(orders(*rows), DAY0 + dt.timedelta(days=length)), Params())
    assert found.window == window
    assert found.fresh % 7 == found.respond % 7 == 0 and 7 <= found.fresh <= 28 and found.respond <= 56
    given = rhythm_of(history_of(orders(*rows), DAY0 + dt.timedelta(days=length)), Params(window=20, fresh=3, respond=5))
    assert (given.window, given.fresh, given.respond) == (20, 3, 5)


def test_past_days_are_even_and_share_no_moment():
    history = history_of(orders(*simulated(10)), DAY0 + dt.timedelta(days=300))
    rhythm = rhythm_of(history, Params())
    days = past_days(history, rhythm)
    steps = {(b - a).days for a, b in itertools.pairwise(days)}
    assert len(steps) == 1 and steps.pop() >= rhythm.fresh
    assert days[-1] + dt.timedelta(days=rhythm.window) == history.as_of
    assert 0 <= (days[0] - history.first).days - rhythm.learning < 14


@pytest.mark.nightly
def test_in_a_world_without_memory_no_trigger_is_recommended():
    works = []
    for seed in range(6):
        history = history_of(orders(*simulated(seed, customers=300, rate=1 / 20)), DAY0 + dt.timedelta(days=300))
        table = judgement(history).table.set_index("name")
        works += table["works"].tolist()
        # Who buys at random times is no surer to stay away after a long gap than others of the same rate.
        assert table.at["slowing", "works"] != judging.YES
    assert works.count(judging.YES) <= 2


@pytest.mark.proof
def test_in_a_world_of_habits_slowing_down_works():
    rng = np.random.default_rng(11)
    rows = []
    for k in range(400):
        gap, start, stop = (7, 50)[k % 2], int(rng.integers(0, 60)), int(rng.integers(100, 500))
        days = range(start, min(stop, 400) + 1, gap)
        rows += [(f"c{k:03}", DAY0 + dt.timedelta(days=day + int(rng.integers(0, 3))), 10.0) for day in days]
    history = history_of(orders(*rows), DAY0 + dt.timedelta(days=400))
    found = study(history, Params(window=28))
    row = found.table.set_index("name").loc["slowing"]
    assert row["works"] == judging.YES and row["lift_all_low"] > 1 and row["lift_rule_low"] > 1
    assert (found.moments.loc[found.moments["trigger"] == "slowing", "works"] == judging.YES).all()


def test_each_time_the_rules_are_learnt_it_is_from_what_was_known_then(monkeypatch):
    # The model of purchases too, and whether its season is followed: nothing is handed on from an earlier day, or back from a later one.
    history = history_of(orders(("a", "2024-01-01", 5.0), ("a", "2024-12-01", 5.0)), dt.date(2024, 12, 1))
    asked = []
    monkeypatch.setattr(rules, "chosen", lambda base: asked.append(base.end) or (_ for _ in ()).throw(DataError("none")))
    days = [DAY0 + dt.timedelta(days=100 + 14 * k) for k in range(12)]
    found = pools.learnings(history, days, occasions_known(history), NO_REBUYS)
    assert asked == days[::3] == [known.until.date() for known, _ in found]
    assert [day for _, part in found for day in part] == days and not any(known.seasonal for known, _ in found)


def test_every_trigger_and_simple_rule_has_its_name():
    assert [trigger.name for trigger in rules.TRIGGERS] == list(naming.NAMES)
    assert set(judging.RULES) == {naming.SILENT, naming.OFTEN}

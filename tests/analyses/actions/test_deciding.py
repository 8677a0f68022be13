"""One decision for everybody, and a calendar that no limit, rule or hold-out forbids: small people by hand, and random ones."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from crmlab.analyses.actions import deciding
from crmlab.analyses.actions.deciding import Ground, decide, eligible
from crmlab.analyses.actions.declaring import ALONE, HELD_OUT, Action, Apart, Assumed, Days, Goal, Limits, Order
from crmlab.analyses.actions.effects import ASSUMED, Effect, Priced
from crmlab.analyses.actions.people import People, brought
from crmlab.analyses.campaigns import Holdout

WEEKS, RATE = 8, 0.1
FREE = Limits(contacts=())
SALT = "for ever and ever"
EFFECT = Effect(0.02, 0.0, 0.04, ASSUMED, "assumed, not measured")


def action(name, **more):
    return Action(name=name, effect=Assumed(rise=0.02, low=0.0, high=0.04), **{"cooldown_days": 0} | more)


def ground(
    gains,
    actions=None,
    *,
    home=None,
    refusal=None,
    contacts=(),
    costs=1.0,
    limits=FREE,
    holdout=None,
    budget=None,
    goals=(),
    more=None,
):
    """What a decision rests on, from gains by action (rows: customers c0, c1, …; NaN: may not have it)."""
    gains = pd.DataFrame(gains)
    n, names = len(gains), list(gains.columns)
    ids = [f"c{k}" for k in range(n)]
    frame = pd.DataFrame({"customer_id": ids, "household": home or ids, "refusal": refusal or [""] * n, **(more or {})})
    sent = pd.DataFrame([(*one, False)[:5] for one in contacts], columns=["customer", "day", "offer", "channel", "control"])
    sent = sent.astype({"day": "int64", "control": bool})
    scores = SimpleNamespace(base=SimpleNamespace(data=SimpleNamespace(descriptor=SimpleNamespace(where="own.toml"))))
    actions = actions or [action(name) for name in names]
    priced = tuple(Priced(action=one, effect=EFFECT, contact=1.0, response=0.0) for one in actions)
    return Ground(
        people=People(frame=frame, contacts=sent, scores=scores, margin=0.4),
        actions=priced,
        gains=gains.astype(float),
        costs={name: np.broadcast_to(np.asarray(costs, dtype=float), n).copy() for name in names},
        ends={name: np.zeros((2, n)) for name in names},
        limits=limits,
        goals=goals,
        holdout=holdout,
        budget=budget,
    )  # fmt: skip


def today(some, weeks=1):
    return decide(some, weeks, RATE).today.set_index("customer_id")


def calendar(some, weeks=WEEKS):
    return [tuple(row) for row in decide(some, weeks, RATE).calendar[["customer_id", "day", "action"]].to_numpy()]


def test_everybody_gets_what_brings_most_or_is_left_alone():
    got = today(ground({"a": [3.0, 1.0, -1.0, np.nan, 0.0], "b": [2.0, 4.0, -2.0, np.nan, np.nan]}))
    assert got["action"].tolist() == ["a", "b", ALONE, ALONE, ALONE]
    assert got["gain"].tolist() == [3.0, 4.0, 0.0, 0.0, 0.0] and got["cost"].tolist() == [1.0, 1.0, 0.0, 0.0, 0.0]
    assert got["action_reason"].tolist() == [
        "brings in most (assumed)", "brings in most (assumed)", deciding.COSTS_MORE, deciding.NO_ACTION, deciding.COSTS_MORE,
    ]  # fmt: skip


def test_a_single_action_does_not_bring_most_of_several():
    assert today(ground({"a": [3.0]}))["action_reason"].tolist() == ["brings in more than it costs (assumed)"]


def test_each_reason_is_told_of_whom_it_holds():
    some = ground(
        {"a": [9.0, 8.0, 7.0, 6.0, np.nan, -1.0, 5.0, 1.0, 4.0]},
        home=["h", "h", "x", "c3", "c4", "c5", "c6", "c7", "c8"],
        refusal=["", "", "has not consented", "has complained", "", "", "", "", ""],
        contacts=[("c6", -3, "", "")],
        limits=Limits(contacts=(Days(most=1, days=14),)),
        budget=2.0,
    )
    got = today(some)
    assert got["action_reason"].to_dict() == {
        "c0": "brings in more than it costs (assumed)",
        "c1": deciding.HOUSEHOLD,
        "c2": "has not consented",
        "c3": "has complained",
        "c4": deciding.NO_ACTION,
        "c5": deciding.COSTS_MORE,
        "c6": deciding.NOT_YET,
        "c7": deciding.USED_UP,
        "c8": "brings in more than it costs (assumed)",
    }
    assert set(got.index[got["action"] == "a"]) == {"c0", "c8"}


def test_whoever_is_held_out_is_told_what_it_would_have_been():
    got = decide(ground({"a": [2.0] * 40}, holdout=Holdout(share=0.5, salt=SALT)), WEEKS, RATE)
    held = got.today[got.today["held_out"]]
    assert 5 < len(held) < 35 and set(held["action"]) == {HELD_OUT} and set(held["planned"]) == {"a"}
    assert set(held["action_reason"]) == {"universal control; without it: a"}
    assert not set(held["customer_id"]) & set(got.calendar["customer_id"])
    assert set(got.today["customer_id"]) - set(held["customer_id"]) == set(got.calendar["customer_id"])


def test_who_is_held_out_changes_nobody_elses_decision():
    gains = {"a": np.linspace(1, 9, 60), "b": np.linspace(8, 2, 60)}
    plain, held = (today(ground(gains, budget=20.0, holdout=one)) for one in (None, Holdout(share=0.3, salt=SALT)))
    pd.testing.assert_series_equal(plain["planned"], held["planned"])
    others = ~held["held_out"]
    pd.testing.assert_frame_equal(plain[others].drop(columns="held_out"), held[others].drop(columns="held_out"))


def test_a_smaller_hold_out_is_part_of_a_larger_and_keeps_households_together():
    home = [f"h{k // 3}" for k in range(300)]
    some = ground({"a": [1.0] * 300}, home=home)
    shares = (0.0, 0.05, 0.2, 0.6)
    held = [some.people.held_out(Holdout(share=share, salt=SALT)) for share in shares]
    assert not held[0].any() and all((a <= b).all() and a.sum() < b.sum() for a, b in itertools.pairwise(held))
    for flags in held:
        assert (pd.Series(flags).groupby(home).nunique() == 1).all()
    assert (some.people.held_out(Holdout(share=0.2, salt="another salt")) != held[2]).any()


def test_what_anybody_of_a_household_got_counts_for_limits_of_all_of_them():
    limits = Limits(contacts=(Days(most=1, days=14),))
    home, gains, contacts = ["h", "h", "h", "c3"], {"a": [1.0, 5.0, 2.0, 5.0]}, [("c0", -3, "", "")]
    got = today(ground(gains, home=home, contacts=contacts, limits=limits))
    assert got["action"].tolist() == [ALONE, ALONE, ALONE, "a"]
    assert got.loc["c1", "action_reason"] == deciding.NOT_YET
    # The one who was contacted cannot be now; it was the household all the same.
    refused = ground(gains, home=home, contacts=contacts, refusal=["has complained", "", "", ""], limits=limits)
    assert today(refused)["action"].tolist() == [ALONE, ALONE, ALONE, "a"]
    # Later it may be: once, not once for each.
    assert calendar(ground(gains, home=home, contacts=contacts, limits=limits), 3) == [
        ("c3", 0, "a"),
        ("c1", 14, "a"),
        ("c3", 14, "a"),
    ]


def test_what_comes_only_after_another_comes_after_it_with_the_same_person():
    actions = [action("a", offer="news"), action("b", cooldown_days=0)]
    after = Limits(contacts=(), after=(Order(action="b", earlier="a", days=2),))
    some = {"actions": actions, "home": ["h", "h"], "contacts": [("c0", -3, "news", "")], "limits": after}
    # Of the two the second brings more, and it is the first who got the other action.
    assert today(ground({"a": [np.nan, np.nan], "b": [1.0, 2.0]}, **some))["action"].tolist() == [ALONE, ALONE]
    assert today(ground({"a": [np.nan, np.nan], "b": [2.0, 1.0]}, **some))["action"].tolist() == ["b", ALONE]


def test_the_same_offer_is_not_sent_twice_to_a_household_within_its_cooldown():
    some = ground(
        {"a": [1.0, 5.0]}, [action("a", offer="news", cooldown_days=28)], home=["h", "h"], contacts=[("c0", -3, "news", "")]
    )
    assert calendar(some, 5) == [("c1", 28, "a")]


def test_one_of_each_household_is_chosen_for_what_it_brings():
    got = eligible(ground({"a": [1.0, 5.0, 5.0], "b": [4.0, 2.0, 1.0]}, home=["h", "h", "h"]))
    # The best action decides; of two alike the id does.
    assert got.notna().any(axis=1).tolist() == [False, True, False]
    blocked = eligible(ground({"a": [1.0, 5.0]}, home=["h", "h"], refusal=["", "has complained"]))
    assert blocked.notna().any(axis=1).tolist() == [True, False]


def test_past_contacts_close_as_long_as_the_window_is():
    for ago, free in ((13, 1), (14, 0), (20, 0)):
        some = ground({"a": [2.0]}, contacts=[("c0", -ago, "x", "post")], limits=Limits(contacts=(Days(most=1, days=14),)))
        assert calendar(some)[0][1] == 7 * free
    # Two on one day are two.
    two = [("c0", -3, "x", "post"), ("c0", -3, "y", "email")]
    assert calendar(ground({"a": [2.0]}, contacts=two, limits=Limits(contacts=(Days(most=2, days=7),))))[0][1] == 7


def test_a_cooldown_counts_contacts_with_the_offer():
    cool = action("a", offer="gift", cooldown_days=28)
    assert calendar(ground({"a": [2.0]}, [cool], contacts=[("c0", -7, "gift", "")]))[0][1] == 21
    assert calendar(ground({"a": [2.0]}, [cool], contacts=[("c0", -7, "card", "")]))[0][1] == 0
    assert [day for _, day, _ in calendar(ground({"a": [2.0]}, [cool]))] == [0, 28]


def test_a_contact_with_an_offer_of_two_actions_counts_as_that_of_its_channel_else_for_both():
    two = [
        action("a", offer="gift", channel="email", cooldown_days=14),
        action("b", offer="gift", channel="post", cooldown_days=28),
    ]
    gains = {"a": [2.0, 2.0, 2.0], "b": [1.0, 1.0, 1.0]}
    sent = [("c0", -7, "gift", "email"), ("c1", -7, "gift", "post"), ("c2", -7, "gift", "")]
    first = {who: what for who, day, what in calendar(ground(gains, two, contacts=sent)) if day == 0}
    assert first == {"c0": "b", "c1": "a"}


def test_the_limit_of_a_channel_counts_every_contact_by_it():
    some = ground(
        {"a": [2.0, 2.0, 2.0]},
        [action("a", channel="email", offer="gift")],
        contacts=[("c0", -3, "whatever", "email"), ("c1", -3, "whatever", "post"), ("c2", -3, "", "")],
        limits=Limits(contacts=(), channels={"email": Days(most=1, days=28)}),
    )
    assert calendar(some, 5) == [("c1", 0, "a"), ("c2", 0, "a"), ("c0", 28, "a"), ("c1", 28, "a"), ("c2", 28, "a")]


def test_apart_and_after_hold_over_past_and_plan():
    apart = Limits(contacts=(), apart=(Apart(first="a", second="b", days=21),))
    mail = [action("a", offer="gift"), action("b", offer="card", cooldown_days=365)]
    got = calendar(ground({"a": [np.nan], "b": [5.0]}, mail, contacts=[("c0", -7, "gift", "")], limits=apart))
    assert got == [("c0", 14, "b")]
    after = Limits(contacts=(), after=(Order(action="b", earlier="a", days=14),))
    got = calendar(ground({"a": [1.0], "b": [5.0]}, mail, limits=after))
    assert [what for _, day, what in got if day < 14] == ["a", "a"] and ("c0", 14, "b") in got
    assert calendar(ground({"a": [np.nan], "b": [5.0]}, mail, limits=after)) == []


def test_capacity_and_budgets_hold_on_each_day():
    some = ground(
        {"a": [5.0, 4.0, 3.0, 2.0], "b": [1.0] * 4},
        [action("a", capacity=2), action("b")],
        costs=[1.0, 1.0, 1.0, 2.0],
        budget=4.0,
        goals=(
            Goal(criteria=("tier = A",), goal="keep", budget=1.0),
            Goal(criteria=("tier in A, B",), goal="rest", budget=3.0),
        ),
        more={"tier": ["A", "A", "B", "B"]},
    )
    table = decide(some, WEEKS, RATE).calendar
    tier = table["customer_id"].map({"c0": "A", "c1": "A", "c2": "B", "c3": "B"})
    assert table[table["action"] == "a"].groupby("day").size().max() == 2
    assert table.groupby("day")["cost"].sum().max() <= 4 and (table[tier == "A"].groupby("day")["cost"].sum() <= 1).all()
    # Who is in two segments counts to the first alone.
    assert (table[tier == "B"].groupby("day")["cost"].sum() == 3).all()


def test_nothing_is_spent_where_nothing_may_be():
    none = decide(ground({"a": [5.0, 4.0]}, budget=0.0), WEEKS, RATE)
    assert none.calendar.empty and set(none.today["action_reason"]) == {deciding.USED_UP}
    assert decide(ground({"a": [5.0]}, [action("a", capacity=0)]), WEEKS, RATE).calendar.empty
    closed = decide(ground({"a": [5.0]}, limits=Limits(contacts=(Days(most=0, days=7),))), WEEKS, RATE)
    assert closed.calendar.empty and set(closed.today["action_reason"]) == {deciding.NOT_YET}
    nobody = decide(ground({"a": [-5.0]}), WEEKS, RATE)
    assert nobody.problem is None and nobody.calendar.empty


def test_where_nothing_is_known_to_be_at_risk_one_purchase_counts():
    back, sell = action("back", brings="at_risk"), action("sell")
    some = ground(
        {"back": [1.0] * 2, "sell": [1.0] * 2}, [back, sell], more={"spend": [50.0, 20.0], "at_risk": [np.nan, 300.0]}
    )
    assert [brought(some.people, one).tolist() for one in some.actions] == [[20.0, 300.0], [20.0, 8.0]]


def random_ground(seed, order=None):
    """Random people, actions, limits and contacts before; rows in another order where one is given."""
    rng = np.random.default_rng(seed)
    n, names = 40, ["a", "b", "c"]
    gains = {name: np.where(rng.random(n) < 0.2, np.nan, np.round(rng.normal(2, 2, n), 2)) for name in names}
    actions = [
        action(
            name,
            offer=f"offer {name}",
            channel=str(rng.choice(["email", "post"])),
            cooldown_days=int(rng.choice([0, 10, 28])),
            capacity=None if rng.random() < 0.5 else int(rng.integers(3, 15)),
        )
        for name in names
    ]
    channels = {str(one.channel): Days(most=int(rng.integers(1, 3)), days=int(rng.integers(8, 40))) for one in actions}
    limits = Limits(
        contacts=tuple(Days(most=int(rng.integers(1, 4)), days=int(rng.integers(1, 40))) for _ in range(int(rng.integers(3)))),
        channels=channels if rng.random() < 0.5 else {},
        apart=(Apart(first="a", second="b", days=int(rng.integers(1, 30))),) if rng.random() < 0.5 else (),
        after=(Order(action="c", earlier="a", days=int(rng.integers(1, 30))),) if rng.random() < 0.5 else (),
    )
    offers = ["offer a", "offer b", "offer c", "another", ""]
    sent = [
        (
            f"c{rng.integers(n)}",
            -int(rng.integers(0, 60)),
            str(rng.choice(offers)),
            str(rng.choice(["email", "post", "phone", ""])),
        )
        for _ in range(60)
    ]
    home = [f"h{k // 2}" if k < 16 else f"c{k}" for k in range(n)]
    refusal = ["has complained" if rng.random() < 0.1 else "" for _ in range(n)]
    costs = np.round(rng.uniform(0.5, 2, n), 2)
    some = ground(
        gains, actions, home=home, refusal=refusal, contacts=sent, costs=costs, limits=limits,
        holdout=Holdout(share=0.2, salt=SALT), budget=None if rng.random() < 0.5 else 12.0,
    )  # fmt: skip
    if order is None:
        return some
    mixed = np.random.default_rng(order).permutation(n)
    people = some.people
    moved = People(
        frame=people.frame.iloc[mixed].reset_index(drop=True),
        contacts=people.contacts.sample(frac=1, random_state=order, ignore_index=True),
        scores=people.scores,
        margin=people.margin,
    )
    return Ground(
        people=moved, actions=some.actions, gains=some.gains.iloc[mixed].reset_index(drop=True),
        costs={name: cost[mixed] for name, cost in some.costs.items()}, ends=some.ends, limits=limits, goals=(),
        holdout=some.holdout, budget=some.budget,
    )  # fmt: skip


def breaches(some, calendar):
    """Everything in a calendar that is not allowed, told contact by contact, by a count of its own."""
    by_offer = {one.action.offer: one.name for one in some.actions}
    channel = {one.name: one.action.channel for one in some.actions}
    past = [(who, day, by_offer.get(offer), channel.get(by_offer.get(offer), by) or None) for who, day, offer, by in some.people.contacts[["customer", "day", "offer", "channel"]].itertuples(index=False)]  # fmt: skip
    plan = [(row.customer_id, row.day, row.action, channel[row.action]) for row in calendar.itertuples()]
    limits = some.limits
    for who, day, name, by in plan:
        mine = [one for one in [*past, *plan] if one[0] == who]

        def most(days, which, mine=mine, day=day):
            """Most contacts of a kind in any window that this one is in."""
            when = [at for _, at, what, way in mine if which(what, way)]
            return max(sum(begin <= at < begin + days for at in when) for begin in range(day - days + 1, day + 1))

        for one in limits.contacts:
            if most(one.days, lambda *_: True) > one.most:
                yield f"{who} on {day}: {one}"
        if by in limits.channels and most(limits.channels[by].days, lambda _, way, by=by: way == by) > limits.channels[by].most:
            yield f"{who} on {day}: channel {by}"
        cool = next(one.action.cooldown_days for one in some.actions if one.name == name)
        if cool and most(cool, lambda what, _, name=name: what == name) > 1:
            yield f"{who} on {day}: cooldown of {name}"
        for one in limits.apart:
            other = {one.first: one.second, one.second: one.first}.get(name)
            if other and any(what == other and abs(at - day) < one.days for _, at, what, _ in mine):
                yield f"{who} on {day}: {one}"
        for one in limits.after:
            if name == one.action and not any(what == one.earlier and at <= day - one.days for _, at, what, _ in mine):
                yield f"{who} on {day}: {one}"
        if sum(at == day for _, at, _, _ in mine) > 1:
            yield f"{who} twice on {day}"


@pytest.mark.parametrize("seed", range(12))
def test_random_worlds_break_nothing(seed):
    some = random_ground(seed)
    got = decide(some, WEEKS, RATE)
    people, table = some.people, got.calendar
    assert got.today["customer_id"].tolist() == people.ids.tolist()
    assert list(breaches(some, table)) == []
    frame = people.frame.set_index("customer_id")
    acted = frame.loc[table["customer_id"].unique()]
    held = set(got.today.loc[got.today["held_out"], "customer_id"])
    assert (acted["refusal"] == "").all() and acted["household"].is_unique and not held & set(acted.index)
    capacity = {one.name: one.action.capacity for one in some.actions if one.action.capacity is not None}
    for (_, name), rows in table.groupby(["day", "action"]):
        assert len(rows) <= capacity.get(name, len(rows))
    if some.budget is not None:
        assert (table.groupby("day")["cost"].sum() <= some.budget + 1e-9).all()
    # Today's list is the calendar's first day.
    first = table[table["day"] == 0].set_index("customer_id")["action"].to_dict()
    assert got.today[~got.today["action"].isin([ALONE, HELD_OUT])].set_index("customer_id")["action"].to_dict() == first
    assert (table["gain"] > 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_rows_in_any_order_give_the_same_decision(seed):
    one, other = (decide(random_ground(seed, order), WEEKS, RATE) for order in (None, seed + 1))
    for name in ("today", "calendar"):
        a, b = (getattr(each, name) for each in (one, other))
        by = ["customer_id", "day"] if name == "calendar" else ["customer_id"]
        pd.testing.assert_frame_equal(a.sort_values(by, ignore_index=True), b.sort_values(by, ignore_index=True))


def test_the_own_count_sees_a_breach():
    some = ground({"a": [1.0]}, contacts=[("c0", -3, "", "")], limits=Limits(contacts=(Days(most=1, days=14),)))
    wrong = pd.DataFrame({"customer_id": ["c0"], "day": [7], "action": ["a"]})
    assert len(list(breaches(some, wrong))) == 1 and not list(breaches(some, wrong.assign(day=14)))


def test_the_control_of_a_running_test_counts_as_contacted():
    some = ground(
        {"a": [3.0, 3.0, 3.0]},
        contacts=[("c0", -3, "", "", True), ("c1", -3, "", "")],
        limits=Limits(contacts=(Days(most=1, days=14),)),
    )
    assert today(some)["action_reason"].to_dict() == {
        "c0": deciding.CONTROL,
        "c1": deciding.NOT_YET,
        "c2": "brings in more than it costs (assumed)",
    }
    assert [one for one in calendar(some, 3) if one[0] != "c2"] == [("c0", 14, "a"), ("c1", 14, "a")]

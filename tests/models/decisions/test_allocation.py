"""Choices under limits and rules: allowed, near the best, the same whatever the order of rows, and refused in words where there is none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import optimize

from crmlab.errors import ModelError
from crmlab.models.decisions import After, Apart, Limit, Problem, Window, allocate, exact
from crmlab.models.decisions.allocation import opened
from crmlab.models.decisions.integer import programme
from crmlab.models.decisions.prices import prices_of
from tests.models.decisions.plans import choice_of, plan, problem_of

NAMES = ("a", "b", "c", "d")


@st.composite
def problems(draw) -> Problem:
    """Small plans on any days, under any limits and rules, after any contacts."""
    days = sorted(draw(st.sets(st.integers(0, 40), min_size=1, max_size=4)))
    ids = [f"c{k}" for k in range(draw(st.integers(1, 8)))]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = [
        (one, name, day, round(rng.normal(1, 2), 2), round(rng.uniform(0, 2), 2))
        for one in ids
        for name in NAMES
        for day in days
        if rng.random() < 0.8
    ] or [(ids[0], "a", days[0], 1.0, 1.0)]
    some = st.none() | st.sets(st.sampled_from(NAMES), min_size=1).map(sorted)
    pairs = st.permutations(NAMES)
    rule = st.one_of(
        st.builds(Window, most=st.integers(0, 3), days=st.integers(1, 45), actions=some),
        st.builds(lambda pair, days: Apart(first=pair[0], second=pair[1], days=days), pairs, st.integers(1, 45)),
        # Never in a circle: only later letters after earlier ones.
        st.builds(lambda pair, days: After(action=max(pair[:2]), earlier=min(pair[:2]), days=days), pairs, st.integers(1, 20)),
    )
    limits = [
        Limit(name=f"limit {k}", most=most, actions=actions, of=of)
        for k, (most, actions, of) in enumerate(
            draw(st.lists(st.tuples(st.integers(0, 9), some, st.sampled_from(["contacts", "cost"])), max_size=3))
        )
    ]
    contact = st.tuples(st.sampled_from(ids), st.sampled_from((*NAMES, "another")), st.integers(-50, 45))
    contacts = pd.DataFrame(draw(st.lists(contact, max_size=8)), columns=["customer", "action", "day"])
    candidates = pd.DataFrame(rows, columns=["customer", "action", "day", "value", "cost"])
    candidates = candidates[candidates["day"].isin(days)]
    return Problem.of(candidates, limits, draw(st.lists(rule, max_size=4)), contacts=contacts, actions=NAMES)


@pytest.mark.proof
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(problems())
def test_no_rule_is_broken_and_small_plans_are_the_best_there_are(problem):
    found, best = allocate(problem), exact(problem)
    # Breaches are counted day by day, over every window that slides; the exact route writes rules as rows, allocate walks them.
    assert problem.breaches(choice_of(problem, found.chosen)) == []
    assert problem.breaches(choice_of(problem, best.chosen)) == []
    assert found.value == pytest.approx(best.value, abs=1e-6)
    assert found.bound >= best.value - 1e-6
    assert found.value >= 0


@pytest.mark.proof
@pytest.mark.parametrize("seed", [1, 2])
def test_within_a_percent_of_the_bound_of_an_integer_programme(seed):
    problem = problem_of(150, seed)
    found, best = allocate(problem), exact(problem, time_limit=5)
    assert problem.breaches(choice_of(problem, found.chosen)) == []
    assert found.value >= 0.99 * best.bound
    assert found.bound >= best.value - 1e-6
    assert found.lost <= 0.005
    assert (found.value, found.cost) == pytest.approx((found.chosen["value"].sum(), found.chosen["cost"].sum()))


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(20))
def test_within_a_percent_of_the_bound_of_an_integer_programme_at_1000_by_12_by_4(seed):
    problem = problem_of(1000, seed)
    found, best = allocate(problem), exact(problem, time_limit=60)
    print(f"seed {seed}: {found.value / best.bound:.5f} of HiGHS's bound; HiGHS's own choice {best.value / best.bound:.5f}")
    assert problem.breaches(choice_of(problem, found.chosen)) == []
    assert found.value >= 0.99 * best.bound


@pytest.mark.proof
def test_the_bound_is_that_of_the_linear_programme():
    # Where windows count every action, rows of one customer are intervals of days: parts of calendars are all that the programme mixes.
    problem = problem_of(200, 3, rules=False)
    value, A, low, high, _ = programme(problem)
    G, h = A[np.isfinite(high)], high[np.isfinite(high)]
    best = optimize.linprog(-value, A_ub=G, b_ub=h, bounds=(0, 1), method="highs")
    assert np.isneginf(low).sum() + (low == 0).sum() == len(low)
    trellis, worth = opened(problem)
    prices, _ = prices_of(problem, trellis, worth, 1e-7)
    assert prices.bound == pytest.approx(-best.fun, rel=1e-6)
    # Prices are what one more of each limit brings: budgets and capacities that are not used up have none.
    used = allocate(problem).limits
    assert (used["price"] >= 0).all()
    assert (used.loc[used["used"] < used["most"] - 3, "price"] < 1e-6).all()


def test_prices_are_what_one_more_would_bring():
    problem = problem_of(200, 4)
    trellis, worth = opened(problem)
    here, dual = prices_of(problem, trellis, worth, 1e-8)
    for j in (0, int(np.argmax(here.price[1:])) + 1):
        more = dual.usage.most.copy()
        more[j] += 0.01
        gained = (dual.solve(more, dual.usage.least, start=here.price, tolerance=1e-9).bound - here.bound) / 0.01
        assert gained == pytest.approx(here.price[j], rel=0.02)


@pytest.mark.proof
def test_the_same_list_whatever_the_order_of_rows():
    candidates, limits, rules, contacts = plan(60, 5)
    found = allocate(Problem.of(candidates, limits, rules, contacts=contacts, salt="s"))
    rng = np.random.default_rng(0)
    turned = Problem.of(
        candidates.iloc[rng.permutation(len(candidates))], limits, rules, contacts=contacts.iloc[::-1], salt="s"
    )
    again = allocate(turned)
    pd.testing.assert_frame_equal(found.chosen, again.chosen)
    pd.testing.assert_frame_equal(found.limits, again.limits)
    assert (found.value, found.bound) == (again.value, again.bound)


@pytest.mark.proof
@pytest.mark.parametrize("unit", [1e-3, 1e5])
def test_the_currency_means_nothing(unit):
    candidates, limits, rules, contacts = plan(60, 9)
    found = allocate(Problem.of(candidates, limits, rules, contacts=contacts))
    scaled = candidates.assign(value=candidates["value"] * unit, cost=candidates["cost"] * unit)
    other = [Limit(name="budget", most=limits[0].most * unit, of="cost"), *limits[1:]]
    again = allocate(Problem.of(scaled, other, rules, contacts=contacts))
    assert again.value == pytest.approx(found.value * unit, rel=1e-3)
    assert again.bound == pytest.approx(found.bound * unit, rel=1e-5)


def test_who_is_alike_is_told_apart_by_the_salted_hash():
    ids = [f"c{k}" for k in range(200)]
    candidates = pd.DataFrame({"customer": ids, "action": "mail", "day": 0, "value": 1.0, "cost": 1.0})
    limits = [Limit(name="mails", most=50)]
    lists = [set(allocate(Problem.of(candidates, limits, salt=salt)).chosen["customer"]) for salt in ("s", "s", "t")]
    assert [len(one) for one in lists] == [50, 50, 50]
    assert lists[0] == lists[1] != lists[2]
    # Drawn as by lot: neither the first fifty nor the last.
    assert 3 <= len(lists[0] & set(ids[:50])) <= 25


@pytest.mark.proof
def test_many_who_are_alike_share_what_there_is():
    # At any price all of a segment want the same: what is had lies between prices, and a minimum asks for what nobody would choose.
    n, rng = 2000, np.random.default_rng(6)
    worth = rng.uniform(0, 5, (5, 6, 4)).round(1)
    segment = rng.integers(0, 5, n)
    rows = [
        (f"c{k}", "abcdef"[a], 7 * w, worth[segment[k], a, w], 1.0 + a) for k in range(n) for a in range(6) for w in range(4)
    ]
    candidates = pd.DataFrame(rows, columns=["customer", "action", "day", "value", "cost"])
    limits = [Limit(name="budget", most=1.5 * n, of="cost"), Limit(name="least", least=0.1 * n, actions=("f",))]
    limits += [Limit(name=f"{a}{w}", most=0.07 * n, actions=(a,), days=(7 * w,)) for a in "abcdef" for w in range(4)]
    rules = [Window(most=2, days=28), *(Window(most=1, days=30, actions=(a,)) for a in "abcdef")]
    problem = Problem.of(candidates, limits, rules)
    found = allocate(problem)
    assert problem.breaches(choice_of(problem, found.chosen)) == []
    assert found.lost <= 0.005
    price = found.limits.set_index("limit")["price"]
    assert price["least"] < 0 < price["budget"]


def test_nothing_is_done_where_nothing_pays():
    candidates = pd.DataFrame({"customer": ["a", "b"], "action": "mail", "day": 0, "value": [-1.0, 0.0], "cost": 1.0})
    found = allocate(Problem.of(candidates, [Limit(name="budget", most=10, of="cost")]))
    assert (len(found.chosen), found.value, found.bound, found.lost) == (0, 0.0, 0.0, 0.0)


def test_contacts_of_before_and_launched_ones_count():
    candidates = pd.DataFrame(
        {"customer": "a", "action": "mail", "day": [0, 7, 14, 21, 28], "value": [5.0, 4.0, 3.0, 2.0, 1.0], "cost": 1.0}
    )

    def days(*known, rule=None):
        contacts = pd.DataFrame([("a", "other", day) for day in known], columns=["customer", "action", "day"])
        rules = [rule or Window(most=1, days=14)]
        return allocate(Problem.of(candidates, [], rules, contacts=contacts)).chosen["day"].tolist()

    assert days() == [0, 14, 28]
    assert days(-7) == [7, 21]  # 14 days later, and not a day before
    assert days(-8) == [7, 21]
    assert days(-14) == [0, 14, 28]
    assert days(8) == [28]  # of a campaign that is launched already: nothing within 14 days before it or after it
    assert days(7) == [21]
    assert days(-3, 8, rule=Window(most=2, days=14)) == [14, 28]
    assert days(0, rule=Window(most=2, days=7)) == [7, 14, 21, 28]  # today's action is taken


def test_rules_between_actions():
    candidates = pd.DataFrame(
        [("a", name, day, value, 1.0) for name, value in (("mail", 1.0), ("call", 5.0)) for day in (0, 7, 14)],
        columns=["customer", "action", "day", "value", "cost"],
    )

    def chosen(*rules, known=()):
        contacts = pd.DataFrame(list(known), columns=["customer", "action", "day"])
        found = allocate(Problem.of(candidates, [], rules, contacts=contacts)).chosen
        return list(zip(found["action"], found["day"], strict=True))

    assert chosen() == [("call", 0), ("call", 7), ("call", 14)]
    after = After(action="call", earlier="mail", days=7)
    assert chosen(after) == [("mail", 0), ("call", 7), ("call", 14)]
    assert chosen(After(action="call", earlier="mail", days=8)) == [("mail", 0), ("mail", 7), ("call", 14)]
    assert chosen(after, known=[("a", "mail", -100)]) == [("call", 0), ("call", 7), ("call", 14)]
    assert chosen(Window(most=1, days=15, actions=("call",))) == [("call", 0), ("mail", 7), ("mail", 14)]
    # 15 days after a mail of yesterday; of a call then, and mails before it, only one may be.
    assert chosen(Apart(first="mail", second="call", days=15), known=[("a", "mail", -1)]) == [("call", 14)]


def ten(value: float = 1.0) -> pd.DataFrame:
    return pd.DataFrame(
        {"customer": [f"c{k}" for k in range(10)], "action": "call", "day": 0, "value": value - np.arange(10.0), "cost": 2.0}
    )


@pytest.mark.parametrize("choose", [allocate, exact])
def test_minima_are_met_at_a_price_or_refused_with_it(choose):
    found = choose(Problem.of(ten(), [Limit(name="calls", least=3)]))
    assert (len(found.chosen), found.value) == (3, pytest.approx(1 + 0 - 1))
    limits = [Limit(name="calls", least=8), Limit(name="budget", most=9, of="cost")]
    with pytest.raises(
        ModelError, match=r"the least of the limit 'calls' must be at most 4, all that other limits and rules leave. Got 8"
    ):
        choose(Problem.of(ten(), limits))
    with pytest.raises(ModelError, match=r"The last contact of these costs [0-9]"):
        choose(Problem.of(ten(), [Limit(name="calls", least=11)]))


def test_the_minimum_that_is_at_fault_is_named_and_what_its_last_contact_costs():
    limits = [Limit(name="all", least=2), Limit(name="few", least=9, customers=("c0", "c1", "c5"))]
    with pytest.raises(ModelError, match=r"'few' must be at most 3, .* Got 9 instead. The last contact of these costs 4.00"):
        allocate(Problem.of(ten(), limits))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Limit(name="x", most=1, least=2), r"The limit 'x': 'least' must be at most 1, its most. Got 2"),
        (lambda: Limit(name="x"), r"needs a most or a least. Found: neither"),
        (lambda: Limit(name="x", most=-1), r"'most' must be a number of at least 0. Got -1"),
        (lambda: Limit(name="x", most=float("nan")), r"'most' must be a number of at least 0. Got nan"),
        (lambda: Limit(name="x", most=1, of="euro"), r"There is no unit of a limit 'euro'"),
        (lambda: Limit(name="x", most=1, actions="call"), r"a tuple of names, or left out. Got 'call'"),
        (lambda: Window(most=1.5, days=7), r"'most' must be a whole number of at least 0"),
        (lambda: Window(most=1, days=0), r"'days' must be a whole number of at least 1"),
        (lambda: Apart(first="a", second="a", days=7), r"another action than 'a'"),
        (lambda: After(action="a", earlier="a"), r"another action than 'a'"),
        (lambda: Problem.of(ten(), [Limit(name="x", most=1)] * 2), r"its name must be given once. Got 'two limits of that name'"),
        (lambda: Problem.of(ten(), [Limit(name="x", most=1, actions=("cal",))]), r"no action 'cal'. Did you mean 'call'\?"),
        (lambda: Limit(name="x", most=1, days=(-7,)), r"'days' must be a whole number of at least 0. Got -7"),
        (
            lambda: allocate(Problem.of(ten(), [Limit(name="x", least=1, days=(3,))])),
            r"the least of the limit 'x' must be at most 0, all that other limits and rules leave. Got 1",
        ),
        (lambda: Problem.of(ten(), [], [Window(most=1, days=7, actions=("mail",))]), r"no action 'mail'"),
        (lambda: Problem.of(ten(), [], ["never"]), r"a Window, an Apart or an After. Got 'str'"),
        (
            lambda: Problem.of(ten(), [], [After(action="a", earlier="b"), After(action="b", earlier="a")], actions=["a", "b"]),
            r"free of circles",
        ),
        (lambda: Problem.of(ten().drop(columns="cost")), r"missing column 'cost'"),
        (lambda: Problem.of(ten().iloc[:0]), r"at least one candidate"),
        (lambda: Problem.of(ten().assign(day=-1)), r"0, which is today, or later for candidates. Got -1"),
        (lambda: Problem.of(ten().assign(day=0.5)), r"must hold whole days from today. Found: 0.5"),
        (lambda: Problem.of(ten().assign(day=pd.Timestamp("2024-01-01"))), r"must hold whole days from today. Found: type datetime"),
        (lambda: Problem.of(ten().assign(cost=-1.0)), r"'cost' must be at least 0. Got -1"),
        (lambda: Problem.of(ten().assign(value=np.nan)), r"'value' must be finite numbers"),
        (lambda: Problem.of(ten().assign(customer="c")), r"given once. Got 'c twice with call on day 0'"),
        (lambda: Problem.of(ten().assign(customer=None)), r"an id in each row"),
        (lambda: Problem.of(ten().assign(action=None)), r"a name in each row"),
        (lambda: allocate(Problem.of(ten()), tolerance=0), r"'tolerance' must be above 0 and under 1. Got 0"),
        (lambda: exact(Problem.of(ten()), time_limit=0), r"'time_limit' must be a number of seconds above 0"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(make, said):
    with pytest.raises(ModelError, match=said):
        make()


def test_rules_that_remember_too_much_are_refused(monkeypatch):
    from crmlab.models.decisions import trellis

    monkeypatch.setattr(trellis, "_MOST_STATES", 10)
    with pytest.raises(ModelError, match=r"rules that remember at most 10 different pasts. Found: "):
        allocate(problem_of(20, 1))

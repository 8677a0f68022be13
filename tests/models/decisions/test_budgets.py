"""Profit against budget: concave, with the price of the next unit of money, and where to stop; what limits and rules cost."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crmlab.errors import ModelError
from crmlab.models.decisions import Limit, Problem, Window, allocate, budget_curve, cost_of_rules
from tests.models.decisions.plans import problem_of


@pytest.mark.proof
def test_profit_is_concave_in_the_budget_and_prices_are_its_slope():
    problem = problem_of(150, 7)
    curve = budget_curve(problem, np.linspace(0, 300, 11))
    points = curve.points
    steps = np.diff(points["profit"]) / np.diff(points["budget"])
    rounding = 1e-6 * points["profit"].max()
    assert (np.diff(steps) <= rounding).all()
    assert (steps >= -rounding).all()
    # Between the prices at both ends, and falling with them.
    assert (steps <= points["price"][:-1].to_numpy() + rounding).all()
    assert (steps >= points["price"][1:].to_numpy() - rounding).all()
    assert points["profit"][0] == pytest.approx(0, abs=1e-6)
    # The last point is beyond the stop, where more brings nothing.
    assert points["budget"].iloc[-1] > curve.stop
    assert points["price"].iloc[-1] == pytest.approx(0, abs=1e-6)
    assert curve.profit == pytest.approx(points["profit"].iloc[-1], rel=0.005)


@pytest.mark.proof
def test_the_curve_is_what_lists_of_these_budgets_bring_but_for_what_they_say_is_lost():
    problem = problem_of(100, 8)
    others = [limit for limit in problem.limits if limit.name != "budget"]
    curve = budget_curve(problem, [20, 60])
    for row in curve.points.itertuples():
        found = allocate(problem.under([Limit(name="budget", most=row.budget, of="cost"), *others]))
        assert found.bound == pytest.approx(row.profit, rel=1e-4)
        assert found.value >= (1 - found.lost - 1e-4) * row.profit


def test_money_has_to_bring_the_hurdle_as_well():
    candidates = pd.DataFrame({"customer": list("abc"), "action": "mail", "day": 0, "value": [5.0, 2.0, 0.1], "cost": 1.0})
    problem = Problem.of(candidates)
    curves = [budget_curve(problem, [3], hurdle=hurdle) for hurdle in (0, 0.2, 3)]
    assert [(curve.stop, round(curve.profit, 6)) for curve in curves] == [(3, 7.1), (2, 7.0), (1, 5.0)]


def test_what_each_rule_costs_is_what_could_be_had_without_it():
    candidates = pd.DataFrame(
        {"customer": list("aabb"), "action": "mail", "day": [0, 7] * 2, "value": [5.0, 4.0, 3.0, 3.5], "cost": 1.0}
    )
    limits = [
        Limit(name="budget", most=1, of="cost"),
        Limit(name="today", least=1, days=(0,)),
        Limit(name="b", most=0, customers=("b",)),
    ]
    costs = cost_of_rules(Problem.of(candidates, limits, [Window(most=1, days=28)])).set_index("rule")["cost"]
    # One contact, a's of today. With more money nothing more: b is closed, and a's window is full.
    assert costs.round(6).tolist() == [0, 0, 0, 0]
    costs = cost_of_rules(Problem.of(candidates, limits[1:2], [Window(most=1, days=28)])).set_index("rule")["cost"]
    assert costs.round(6).tolist() == [0, 7.0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"budgets": [-1, 2]}, r"'budgets' must be at least one number of at least 0"),
        ({"budgets": []}, r"'budgets' must be at least one number"),
        ({"budgets": [1], "hurdle": -0.1}, r"'hurdle' must be a number of at least 0"),
        ({"budgets": [1], "limit": "mails"}, r"the limit 'mails' must be a most of cost. Got 'one of contacts'"),
        ({"budgets": [1]}, r"the least of the limit 'mails' must be at most 1,"),
    ],
)
def test_bad_input_is_refused(options, said):
    candidates = pd.DataFrame({"customer": list("abc"), "action": "mail", "day": 0, "value": [5.0, 2.0, 0.1], "cost": 1.0})
    problem = Problem.of(candidates, [Limit(name="mails", least=2)])
    with pytest.raises(ModelError, match=said):
        budget_curve(problem, options.pop("budgets"), **options)

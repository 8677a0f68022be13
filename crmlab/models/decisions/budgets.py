"""Profit against budget, with what the next unit of money would bring and where to stop; and what each limit and each rule costs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.errors import ModelError, shown
from crmlab.models.checked import checked_number, checked_row
from crmlab.models.decisions.allocation import allocate, met_by_parts, opened
from crmlab.models.decisions.prices import prices_of
from crmlab.models.decisions.problem import Problem
from crmlab.models.decisions.rules import Limit

__all__ = ["BudgetCurve", "budget_curve", "cost_of_rules"]


@dataclass(frozen=True, kw_only=True, eq=False)
class BudgetCurve:
    """Profit against budget.

    Attributes
    ----------
    points : DataFrame
        budget, profit, price; by budget. ``profit`` is the most that a list of this budget can bring, net of cost: that of
        :func:`~crmlab.models.decisions.allocation.allocate` is below it by at most its ``lost``. ``price`` is what the next unit of money
        would bring beyond itself.
    stop : float
        Where to stop: what is spent where money is no limit, each unit of it bringing at least the hurdle beyond itself.
    profit : float
        What that brings, net of cost.
    hurdle : float
    """

    points: pd.DataFrame
    stop: float
    profit: float
    hurdle: float


def budget_curve(
    problem: Problem, budgets: npt.ArrayLike, *, limit: str = "budget", hurdle: float = 0.0, tolerance: float = 1e-6
) -> BudgetCurve:
    """Work out what each of several budgets can bring, the other limits staying as they are.

    Parameters
    ----------
    problem : Problem
    budgets : array of shape (k,)
        Money, at least 0.
    limit : str
        The limit of cost that is the budget; where there is none of this name, all cost counts.
    hurdle : float
        What a unit of money has to bring beyond itself, such as 0.2 where it would earn 20% elsewhere.
    tolerance : float
        Share of the profit to which it is known.

    Returns
    -------
    BudgetCurve
        Concave but for the tolerance: what the next unit of money brings falls as the budget grows.

    Raises
    ------
    ModelError
        A budget is no number of at least 0, the limit counts contacts, or a minimum cannot be met with the smallest budget.

    Examples
    --------
    >>> candidates = pd.DataFrame({"customer": ["a", "b", "c"], "action": "mail", "day": 0, "value": [5.0, 2.0, -1.0], "cost": 1.0})
    >>> curve = budget_curve(Problem.of(candidates), [0.5, 1, 1.5, 2, 3])
    >>> curve.points["profit"].round(6).tolist(), curve.stop, curve.profit
    ([2.5, 5.0, 6.0, 7.0, 7.0], 2.0, 7.0)
    """
    levels = np.unique(checked_row("budget_curve", "budgets", budgets))
    if not len(levels) or not (levels >= 0).all():
        raise ModelError.expected("budget_curve", "budgets", "at least one number of at least 0", levels.tolist())
    hurdle = checked_number("budget_curve", "hurdle", hurdle, "of at least 0")
    if not 0 <= hurdle < np.inf:
        raise ModelError.expected("budget_curve", "hurdle", "a number of at least 0", hurdle)
    own = next((one for one in problem.limits if one.name == limit), Limit(name=limit, most=0.0, of="cost"))
    if own.of != "cost" or own.least > 0:
        found = "one of contacts" if own.of != "cost" else "one with a least"
        raise ModelError.must_be(f"budget_curve: the limit {shown(limit)}", "a most of cost", found)
    others = [one for one in problem.limits if one.name != limit]
    lowest = problem.under([replace(own, most=float(levels[0])), *others])
    trellis, value = opened(lowest)
    met_by_parts("budget_curve", lowest, trellis, value)
    first, dual = prices_of(problem.under([replace(own, most=float(levels[-1])), *others]), trellis, value, tolerance)
    rows, price = [], first.price
    for level in levels[::-1]:
        most = np.r_[level, dual.usage.most[1:]]
        best = dual.solve(most, dual.usage.least, start=price, box=0.1, tolerance=tolerance)
        price = best.price
        rows.append((float(level), best.bound, float(price[0])))
    free = problem.under(others)
    last = allocate(replace(free, value=free.value - hurdle * free.cost), tolerance)
    return BudgetCurve(
        points=pd.DataFrame(rows[::-1], columns=["budget", "profit", "price"]),
        stop=last.cost,
        profit=last.value + hurdle * last.cost,
        hurdle=hurdle,
    )


def cost_of_rules(problem: Problem, tolerance: float = 1e-6) -> pd.DataFrame:
    """What each limit and each rule costs: how much more could be had without it, the others staying.

    Parameters
    ----------
    problem : Problem
    tolerance : float

    Returns
    -------
    DataFrame
        rule (the name of a limit, else how the rule is written), cost: the difference of the bounds, at least 0.

    Examples
    --------
    >>> from crmlab.models.decisions import Limit, Window
    >>> candidates = pd.DataFrame(
    ...     {"customer": list("aabb"), "action": "mail", "day": [0, 7] * 2, "value": [5.0, 4.0, 3.0, 3.5], "cost": 1.0}
    ... )
    >>> problem = Problem.of(candidates, [Limit(name="budget", most=3, of="cost")], [Window(most=1, days=28)])
    >>> cost_of_rules(problem).round(6).to_dict("list")
    {'rule': ['budget', 'Window(most=1, days=28, actions=None)'], 'cost': [0.0, 4.0]}
    """

    def bound(one: Problem) -> float:
        trellis, value = opened(one)
        return prices_of(one, trellis, value, tolerance)[0].bound

    whole = bound(problem)
    rows = [
        (limit.name, bound(problem.under([other for other in problem.limits if other is not limit])))
        for limit in problem.limits
    ]
    rows += [
        (str(rule), bound(replace(problem, rules=tuple(o for o in problem.rules if o is not rule)))) for rule in problem.rules
    ]
    return pd.DataFrame({"rule": [name for name, _ in rows], "cost": [max(0.0, found - whole) for _, found in rows]})

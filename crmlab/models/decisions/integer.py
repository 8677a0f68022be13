"""The exact route: every candidate a yes or no, every rule a row of an integer programme; for small problems, and as a check."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, sparse

from crmlab.errors import ConvergenceError, ModelError
from crmlab.models.checked import checked_number
from crmlab.models.decisions.allocation import Allocation, no_way
from crmlab.models.decisions.problem import CLOSED, NOTHING, Problem
from crmlab.models.decisions.rules import After, Apart, Window

__all__ = ["exact", "programme"]

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]


def exact(problem: Problem, time_limit: float = 60.0) -> Allocation:
    """Choose by integer programming: the best choice there is, or the best that was found in time, with its bound.

    Rules are written down as rows here, and not as the automaton that :func:`~crmlab.models.decisions.allocation.allocate` walks.

    Parameters
    ----------
    problem : Problem
    time_limit : float
        Seconds.

    Returns
    -------
    Allocation
        Its limits have no prices: an integer programme knows none.

    Raises
    ------
    ModelError
        The minima cannot be met, or the time is no number above 0.
    ConvergenceError
        Nothing was found in time.

    References
    ----------
    Huangfu and Hall (2018), Parallelizing the dual revised simplex method, Mathematical Programming Computation 10 (HiGHS).

    Examples
    --------
    >>> import pandas as pd
    >>> from crmlab.models.decisions import Limit, Problem
    >>> candidates = pd.DataFrame({"customer": ["a", "b", "c"], "action": "mail", "day": 0, "value": [3.0, 2.0, 4.0], "cost": 1.0})
    >>> found = exact(Problem.of(candidates, [Limit(name="mails", most=2)]))
    >>> found.chosen["customer"].tolist(), found.value, found.lost
    (['a', 'c'], 7.0, 0.0)
    """
    if not checked_number("exact", "time_limit", time_limit, "of seconds above 0") > 0:
        raise ModelError.expected("exact", "time_limit", "a number of seconds above 0", time_limit)
    value, A, low, high, (slot, act, who) = programme(problem)
    if not len(value):
        return Allocation.of(problem, np.full((len(problem.days), problem.n), NOTHING, dtype=np.int16), 0.0)
    found = optimize.milp(
        -value,
        integrality=np.ones(len(value)),
        bounds=optimize.Bounds(0, 1),
        constraints=[optimize.LinearConstraint(A, low, high)] if A.shape[0] else [],
        options={"time_limit": float(time_limit), "mip_rel_gap": 0.0},
    )
    if found.status == 2:
        raise no_way("exact", problem)
    if found.x is None:
        raise ConvergenceError(
            f"exact: nothing was found in {time_limit:g} seconds. Expected an allowed choice. Found: {found.message}. "
            "Allow more time, or use allocate."
        )
    choice = np.full((len(problem.days), problem.n), NOTHING, dtype=np.int16)
    yes = found.x > 0.5
    choice[slot[yes], who[yes]] = act[yes]
    bound = np.inf if found.mip_dual_bound is None else -float(found.mip_dual_bound)
    return Allocation.of(problem, choice, bound)


def programme(problem: Problem) -> tuple[Array, sparse.csr_array, Array, Array, tuple[Whole, Whole, Whole]]:
    """Write a problem down as rows: maximise ``value @ x`` with ``low <= A @ x <= high`` and every x 0 or 1.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    (value, A, low, high, (day, action, customer))
        Of each variable the places of its day, action and customer.
    """
    days = np.array(problem.days)
    open_ = problem.value > CLOSED
    for s, day in enumerate(days):
        open_[s][:, problem.whose[problem.when == day]] = False
    slot, act, who = (part.astype(np.int64) for part in np.nonzero(open_))
    value, cost = problem.value[slot, act, who], problem.cost[slot, act, who]
    rows = _Rows(len(value), who)
    rows.add_by(slot, np.ones(len(value), dtype=bool), np.ones(problem.n))
    for limit in problem.limits:
        mine = problem.members(limit.actions)[act]
        mine &= np.isin(days[slot], list(limit.days)) if limit.days is not None else True
        mine &= np.isin(problem.customers[who], list(limit.customers)) if limit.customers is not None else True
        at = np.flatnonzero(mine)
        rows.add(at, cost[at] if limit.of == "cost" else np.ones(len(at)), limit.least, limit.most)
    for rule in problem.rules:
        if isinstance(rule, Window):
            _window(problem, rule, rows, days[slot], act)
        elif isinstance(rule, Apart):
            _apart(problem, rule, rows, days[slot], act)
        else:
            _after(problem, rule, rows, days[slot], act)
    return value, *rows.all(), (slot, act, who)


class _Rows:
    """Rows of an integer programme, put together."""

    def __init__(self, columns: int, who: Whole):
        self.columns, self.who = columns, who
        self.parts: list[tuple[Whole, Whole, Array]] = []
        self.low: list[Array] = []
        self.high: list[Array] = []
        self.count = 0

    def add(self, at: Whole, weight: Array, low: float, high: float) -> None:
        """One row."""
        self.parts.append((np.zeros(len(at), dtype=np.int64) + self.count, at, weight))
        self._ends(np.array([low]), np.array([high]))

    def add_many(self, row: Whole, at: Whole, weight: Array, high: Array) -> None:
        """Several rows, each at most so much."""
        self.parts.append((row + self.count, at, weight))
        self._ends(np.full(len(high), -np.inf), high)

    def add_by(self, kind: Any, mine: npt.NDArray[np.bool_], room: Array) -> None:
        """A row for each customer and kind among some variables: at most what this customer has room for."""
        at = np.flatnonzero(mine)
        if len(at):
            pair, row = np.unique(np.stack([self.who[at], np.asarray(kind)[at]]), axis=1, return_inverse=True)
            self.add_many(np.asarray(row).ravel(), at, np.ones(len(at)), room[pair[0]])

    def all(self) -> tuple[sparse.csr_array, Array, Array]:
        if not self.parts:
            return sparse.csr_array((0, self.columns)), np.empty(0), np.empty(0)
        row, at, weight = (np.concatenate([part[k] for part in self.parts]) for k in range(3))
        A = sparse.csr_array((weight, (row, at)), shape=(self.count, self.columns))
        return A, np.concatenate(self.low), np.concatenate(self.high)

    def _ends(self, low: Array, high: Array) -> None:
        self.low.append(low)
        self.high.append(high)
        self.count += len(low)


def _window(problem: Problem, rule: Window, rows: _Rows, day: Whole, act: Whole) -> None:
    """A row for each customer and each window that ends with a contact: a day of the plan, or one of a campaign that is launched."""
    inside = problem.members(rule.actions)
    counted = inside[problem.what]
    whose, when = problem.whose[counted], problem.when[counted]
    for end in sorted({*problem.days, *when[when > problem.days[0]].tolist()}):
        known = np.bincount(whose[(when > end - rule.days) & (when <= end)], minlength=problem.n)
        mine = inside[act] & (day > end - rule.days) & (day <= end)
        rows.add_by(np.zeros(len(act), dtype=np.int64), mine, np.maximum(rule.most - known, 0).astype(float))


def _apart(problem: Problem, rule: Apart, rows: _Rows, day: Whole, act: Whole) -> None:
    """A row for each pair of days that are too near, and none of one action where the other is known to be near."""
    first, second = (problem.actions.index(name) for name in (rule.first, rule.second))
    for one, other in ((first, second), (second, first)):
        for start in problem.days:
            near = (problem.what == other) & (np.abs(problem.when - start) < rule.days)
            room = np.ones(problem.n)
            room[problem.whose[near]] = 0.0
            rows.add_by(np.zeros(len(act), dtype=np.int64), (act == one) & (day == start), room)
            for end in problem.days:
                if one == first and abs(end - start) < rule.days:
                    pair = ((act == one) & (day == start)) | ((act == other) & (day == end))
                    rows.add_by(np.zeros(len(act), dtype=np.int64), pair, np.ones(problem.n))


def _after(problem: Problem, rule: After, rows: _Rows, day: Whole, act: Whole) -> None:
    """A row for each candidate that needs another one before it, where what is known does not do already."""
    then, earlier = (problem.actions.index(name) for name in (rule.action, rule.earlier))
    first = np.full(problem.n, np.iinfo(np.int64).max // 2)
    had = problem.what == earlier
    np.minimum.at(first, problem.whose[had], problem.when[had])
    for start in problem.days:
        late = np.flatnonzero((act == then) & (day == start) & (first[rows.who] + rule.days > start))
        if not len(late):
            continue
        place = np.full(problem.n, -1)
        place[rows.who[late]] = np.arange(len(late))
        before = np.flatnonzero((act == earlier) & (day <= start - rule.days) & (place[rows.who] >= 0))
        row = np.r_[np.arange(len(late)), place[rows.who[before]]]
        rows.add_many(row, np.r_[late, before], np.r_[np.ones(len(late)), -np.ones(len(before))], np.zeros(len(late)))

"""What there is to decide: customers, the actions that each may have on each day, what they bring and cost, and what bounds the choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.errors import ModelError
from crmlab.models.checked import checked_amounts, checked_frame
from crmlab.models.decisions.rules import Apart, Limit, Rule, Window, checked_limits, checked_rules
from crmlab.models.hashes import salted_hashes

__all__ = ["CLOSED", "NOTHING", "Choice", "Problem", "Usage"]

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Choice = npt.NDArray[np.int16]  # of each day and customer: the place of an action, or NOTHING
NOTHING = -1
CLOSED = -np.inf  # the value of what a customer may not have
_MOST_ACTIONS = 2**15 - 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """Whom to contact with what, and when: at most one action for each customer and day. Make one with :meth:`of`.

    Attributes
    ----------
    customers : array of shape (n,)
        Ids in the order of their salted hash, which decides between customers who are alike: the first k are a random sample.
    actions : tuple of str
        In alphabetical order, which decides between actions that bring a customer the same.
    days : tuple of int
        Days of the plan from today, which is 0, in order.
    value : array of shape (days, actions, n)
        Expected incremental value less cost of each action on each day; ``CLOSED`` where it may not be.
    cost : array of shape (days, actions, n)
        Money spent on it, which a budget counts; 0 where it may not be.
    limits : tuple of Limit
    rules : tuple of Rule
    whose, what, when : arrays of shape (contacts,)
        Contacts that are known: place of the customer, of the action, and the day; negative before today.

    Examples
    --------
    >>> candidates = pd.DataFrame({"customer": ["a", "b", "b"], "action": "mail", "day": [0, 0, 7], "value": [3.0, 2.0, 2.5], "cost": 1.0})
    >>> problem = Problem.of(candidates, [Limit(name="budget", most=2, of="cost")], [Window(most=1, days=28)])
    >>> problem.days, problem.value.shape
    ((0, 7), (2, 1, 2))
    """

    customers: npt.NDArray[Any]
    actions: tuple[str, ...]
    days: tuple[int, ...]
    value: Array
    cost: Array
    limits: tuple[Limit, ...]
    rules: tuple[Rule, ...]
    whose: Whole
    what: Whole
    when: Whole

    @classmethod
    def of(
        cls,
        candidates: pd.DataFrame,
        limits: Sequence[Limit] = (),
        rules: Sequence[Rule] = (),
        *,
        contacts: pd.DataFrame | None = None,
        actions: Sequence[str] = (),
        salt: str = "",
    ) -> Problem:
        """Put together what there is to decide.

        Parameters
        ----------
        candidates : DataFrame
            What may be done, a row each: ``customer``, ``action``, ``day`` (whole days from today), ``value`` (expected incremental value
            less cost, in money) and ``cost``. The order of rows means nothing.
        limits : sequence of Limit
        rules : sequence of Window, Apart or After
        contacts : DataFrame, optional
            What was done, or is already launched: ``customer``, ``action``, ``day`` (negative before today). Those of customers who are no
            candidates mean nothing.
        actions : sequence of str
            Actions that limits and rules may name beside those of candidates and contacts, as nobody may have them now.
        salt : str
            Who comes first where nothing else decides.

        Raises
        ------
        ModelError
            A column or a value is missing, a cost is below 0, a candidate is given twice or in the past, or limits or rules contradict
            each other or name what there is not.
        """
        candidates = checked_frame(
            "Problem", candidates, ("customer", "action", "day", "value", "cost"), "one row per customer, action and day"
        )
        if candidates.empty:
            raise ModelError.needs("Problem", "at least one candidate", "0 rows")
        done = candidates.iloc[:0] if contacts is None else contacts
        done = checked_frame("Problem", done, ("customer", "action", "day"), "one row per contact")
        day, when = _days("candidates", candidates["day"]), _days("contacts", done["day"])
        if day.min() < 0:
            raise ModelError.expected("Problem", "day", "0, which is today, or later for candidates", int(day.min()))
        value = checked_amounts("Problem", "value", candidates["value"].to_numpy())
        cost = checked_amounts("Problem", "cost", candidates["cost"].to_numpy())
        if (cost < 0).any():
            raise ModelError.expected("Problem", "cost", "at least 0", float(cost.min()))
        who, customers = _in_hash_order(candidates["customer"], salt)
        known = sorted({*_names(candidates["action"]), *_names(done["action"]), *actions})
        if len(known) > _MOST_ACTIONS:
            raise ModelError.expected("Problem", "action", f"one of at most {_MOST_ACTIONS:,} actions", len(known))
        place = pd.Index(known)
        act = place.get_indexer(candidates["action"])
        days, slot = np.unique(day, return_inverse=True)
        shape = (len(days), len(known), len(customers))
        cell = np.ravel_multi_index((slot, act, who), shape)
        if len(pd.unique(cell)) < len(cell):
            first = candidates.loc[pd.Series(cell, index=candidates.index).duplicated()].iloc[0]
            found = f"{first['customer']} twice with {first['action']} on day {first['day']}"
            raise ModelError.must_be("Problem: every candidate", "given once", found)
        worth, money = np.full(shape, CLOSED), np.zeros(shape)
        worth.ravel()[cell], money.ravel()[cell] = value, cost
        whose = pd.Index(customers).get_indexer(done["customer"]) if len(done) else np.empty(0, dtype=np.int64)
        ours = whose >= 0
        return cls(
            customers=customers,
            actions=tuple(known),
            days=tuple(map(int, days)),
            value=worth,
            cost=money,
            limits=checked_limits(limits, known),
            rules=checked_rules(rules, known),
            whose=np.asarray(whose[ours], dtype=np.int64),
            what=np.asarray(place.get_indexer(done["action"])[ours], dtype=np.int64),
            when=when[ours],
        )

    @property
    def n(self) -> int:
        """Number of customers."""
        return len(self.customers)

    def under(self, limits: Sequence[Limit]) -> Problem:
        """Return the same problem under other limits."""
        return replace(self, limits=checked_limits(limits, self.actions))

    def members(self, names: Any) -> npt.NDArray[np.bool_]:
        """Return whether each action is among those named; all are where None is given."""
        return np.array([names is None or one in names for one in self.actions])

    def breaches(self, choice: Choice) -> list[str]:
        """Say of every rule and limit by which a choice is not allowed, counted day by day; of a good choice there is nothing to say.

        Parameters
        ----------
        choice : array of int of shape (days, n)
            Places of actions; -1 for none.
        """
        found = [f"limit {limit.name}: {used:g}" for limit, used in zip(self.limits, Usage(self).of(choice), strict=True)
                 if used > _above(limit.most) or used < _below(limit.least)]  # fmt: skip
        slots, who = np.nonzero(choice >= 0)
        act = choice[slots, who].astype(np.int64)
        if (self.value[slots, act, who] == CLOSED).any():
            found.append("a contact that is no candidate")
        day = np.array(self.days)[slots]
        whose, what, when = np.r_[self.whose, who], np.r_[self.what, act], np.r_[self.when, day]
        new = np.r_[np.zeros(len(self.whose), dtype=bool), np.ones(len(who), dtype=bool)]
        table = pd.DataFrame({"who": whose, "what": what, "when": when, "new": new})
        for customer, mine in table[table["who"].isin(who)].groupby("who"):
            found += [f"{self.customers[customer]}: {text}" for text in _broken(self, mine)]
        return found


def _broken(problem: Problem, mine: pd.DataFrame) -> list[str]:
    """Rules that one customer's contacts break, where a new contact has a part in it."""
    what, when, new = mine["what"].to_numpy(), mine["when"].to_numpy(), mine["new"].to_numpy()
    names = np.array(problem.actions, dtype=object)[what]
    out = ["two contacts on one day" for day in when[new] if (when == day).sum() > 1]
    for rule in problem.rules:
        if isinstance(rule, Window):
            counts = problem.members(rule.actions)[what]
            for start in range(int(when.min()) - rule.days, int(when.max()) + 1):
                inside = counts & (when >= start) & (when < start + rule.days)
                if inside.sum() > rule.most and (inside & new).any():
                    out.append(f"{rule} from day {start}")
        elif isinstance(rule, Apart):
            near = np.abs(when[:, None] - when) < rule.days
            both = (names[:, None] == rule.first) & (names == rule.second)
            if (near & both & (new[:, None] | new)).any():
                out.append(f"{rule}")
        else:
            first = when[names == rule.earlier].min(initial=np.iinfo(np.int64).max // 2)
            if (new & (names == rule.action) & (when < first + rule.days)).any():
                out.append(f"{rule}")
    return out


class Usage:
    """What a choice uses of each limit of a problem.

    Parameters
    ----------
    problem : Problem

    Attributes
    ----------
    part : boolean array of shape (limits, days, actions)
        What counts to each limit.
    money : boolean array of shape (limits,)
        Whether it counts cost; else contacts.
    most, least : arrays of shape (limits,)
    whom : list of boolean array of shape (n,), or None
        The customers of each limit; None for all.
    """

    def __init__(self, problem: Problem):
        limits = problem.limits
        days = np.array(problem.days)
        self.problem = problem
        self.part = np.zeros((len(limits), len(days), len(problem.actions)), dtype=bool)
        for j, limit in enumerate(limits):
            on = np.ones(len(days), dtype=bool) if limit.days is None else np.isin(days, list(limit.days))
            self.part[j] = on[:, None] & problem.members(limit.actions)
        self.money = np.array([limit.of == "cost" for limit in limits], dtype=bool)
        self.most = np.array([limit.most for limit in limits], dtype=float)
        self.least = np.array([limit.least for limit in limits], dtype=float)
        self.whom = [None if one.customers is None else np.isin(problem.customers, list(one.customers)) for one in limits]

    def of(self, choice: Choice) -> Array:
        """Return what a choice of all customers uses, of shape (limits,)."""
        return self.by(choice, np.zeros(choice.shape[1], dtype=np.int64), 1)[:, 0]

    def by(self, choice: Choice, group: Whole, groups: int, rows: Whole | None = None) -> Array:
        """Return what the customers of each group use.

        Parameters
        ----------
        choice : array of int of shape (days, m)
        group : array of int of shape (m,)
        groups : int
        rows : array of int of shape (m,), optional
            Places of the customers; the first m where none are given.

        Returns
        -------
        array of shape (limits, groups)
        """
        slots, many, m = *self.part.shape[1:], choice.shape[1]
        who = np.arange(m) if rows is None else rows
        out = np.zeros((len(self.most), groups))
        some = [j for j, whom in enumerate(self.whom) if whom is not None]
        everybody = np.array([whom is None for whom in self.whom], dtype=bool)
        for s in range(slots):
            at = np.flatnonzero(choice[s] >= 0)
            act = choice[s, at].astype(np.int64)
            key = group[at] * many + act
            spent = self.problem.cost[s, act, who[at]] if self.money.any() else None
            for money in (False, True):
                these = everybody & (self.money == money)
                if these.any():
                    counts = np.bincount(key, weights=spent if money else None, minlength=groups * many).reshape(groups, many)
                    out[these] += self.part[these, s].astype(float) @ counts.T
            for j in some:
                whom = self.whom[j]
                mine = self.part[j, s, act] if whom is None else self.part[j, s, act] & whom[who[at]]
                weight = spent[mine] if self.money[j] and spent is not None else None
                out[j] += np.bincount(group[at][mine], weights=weight, minlength=groups)
        return out

    def each(self, choice: Choice, rows: Whole) -> Array:
        """Return what each of some customers uses, of shape (limits, m): their choices in the columns of ``choice``."""
        return self.by(choice, np.arange(choice.shape[1]), choice.shape[1], rows)

    def charged(self, prices: Array, size: int, value: Array | None = None) -> Array:
        """Return values of the first customers less the prices of what each candidate uses.

        Parameters
        ----------
        prices : array of shape (limits,)
            Of one contact or of one unit of money; below 0 where a minimum is rewarded.
        size : int
        value : array of shape (days, actions, size), optional
            By default the problem's own.

        Returns
        -------
        array of shape (days, actions, size)
        """
        problem = self.problem
        everybody = np.array([whom is None for whom in self.whom], dtype=bool)
        by_contact, by_money = (
            np.tensordot(np.where(everybody & (self.money == money), prices, 0.0), self.part, 1) for money in (False, True)
        )
        cost = problem.cost[:, :, :size]
        out = -by_money[:, :, None] * cost if by_money.any() else np.zeros(cost.shape)
        out += problem.value[:, :, :size] if value is None else value
        out -= by_contact[:, :, None]
        for j, whom in enumerate(self.whom):
            if whom is not None and prices[j] != 0:
                mine = np.flatnonzero(whom[:size])
                for s, a in np.argwhere(self.part[j]):
                    out[s, a, mine] -= prices[j] * (cost[s, a, mine] if self.money[j] else 1.0)
        return out


def _above(most: float) -> float:
    return most + 1e-9 * max(1.0, most) if most < np.inf else most


def _below(least: float) -> float:
    return least - 1e-9 * max(1.0, least)


def _in_hash_order(ids: pd.Series, salt: str) -> tuple[Whole, npt.NDArray[Any]]:
    """Place of each row's customer, and the customers, in the order of salted hash and id."""
    codes, known = pd.factorize(ids)
    if (codes < 0).any():
        raise ModelError.expected("Problem", "customer", "an id in each row", "a missing one")
    first, second = salted_hashes(list(known), salt)
    order = np.lexsort((second, first))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place[codes], np.asarray(known)[order]


def _names(values: pd.Series) -> set[str]:
    names = set(pd.unique(values))
    for name in names:
        if not isinstance(name, str) or not name:
            raise ModelError.expected("Problem", "action", "a name in each row", name)
    return names


def _days(table: str, values: pd.Series) -> Whole:
    if values.dtype.kind in "bMm":  # numpy would count their nanoseconds
        raise ModelError.must_hold(table, "day", "whole days from today", f"type {values.dtype}")
    try:
        found = values.to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        raise ModelError.must_hold(table, "day", "whole days from today", f"type {values.dtype}") from None
    wrong = ~(np.isfinite(found) & (found == np.floor(found)))
    if wrong.any():
        raise ModelError.must_hold(table, "day", "whole days from today", str(found[wrong][0]))
    return found.astype(np.int64)

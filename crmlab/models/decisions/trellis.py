"""The best calendar of every customer at given worths, exact under all rules: a small automaton of the rules, walked back by day.

What rules allow on a day depends on a customer's earlier contacts only through a state, such as "one contact 7 days ago". The states of a
plan are found once, equal ones are merged (as in the minimal automaton of a finite language), and all customers walk through them at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.errors import ModelError
from crmlab.models.decisions.problem import NOTHING, Choice, Problem
from crmlab.models.decisions.rules import After, Apart, Window

__all__ = ["Trellis"]

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
State = tuple[tuple[int, ...], ...]  # of each rule: the days that may still matter to it
_CHUNK, _CELLS = 8192, 2_000_000  # customers at a time, and states of them: what is compared stays near the processor
_MOST_STATES = 20_000
_ROUNDING = 1e-12
_LONG_AGO = -(10**9)


@dataclass(frozen=True)
class _Node:
    """A state of one day: the next state where nothing is done, and each next state with the actions that lead there."""

    idle: int
    edges: tuple[tuple[int, tuple[int, ...]], ...]


class Trellis:
    """The calendars that the rules of a problem allow each customer.

    Parameters
    ----------
    problem : Problem

    Attributes
    ----------
    open : boolean array of shape (days, actions, n)
        Candidates that what is known of a customer's contacts does not rule out.
    states : list of int
        Number of states of each day.

    Raises
    ------
    ModelError
        The rules remember so much that there are more than 20,000 states on a day.

    References
    ----------
    Bellman (1957), Dynamic Programming. Revuz (1992), Minimisation of acyclic deterministic automata in linear time, Theoretical
    Computer Science 92.
    """

    def __init__(self, problem: Problem):
        self._problem = problem
        self._automaton = _Automaton(problem)
        self.open = problem.value > -np.inf
        self._shut()
        starts, self._start = self._starts()
        self._days, self._start = _minimal(self._automaton, starts, self._start)
        self.states = [len(nodes) for nodes in self._days]
        self._next = [_table(nodes, len(problem.actions)) for nodes in self._days]

    def best(self, worth: Array, rows: Whole | None = None) -> tuple[Array, Choice]:
        """Return the most that each customer's calendar can be worth, and that calendar.

        Parameters
        ----------
        worth : array of shape (days, actions, m)
            Of each action; -inf where it may not be. What is worth 0 or less is not done.
        rows : array of int of shape (m,), optional
            Places of the customers; the first m where none are given.

        Returns
        -------
        (worth, choice)
            Arrays of shape (m,) and (days, m). Of calendars that are worth the same, the one with fewer contacts early, then the action
            that stands first.
        """
        m = worth.shape[2]
        who = np.arange(m) if rows is None else rows
        value, choice = np.empty(m), np.empty((len(self._days), m), dtype=np.int16)
        for some in self._parts(m):
            value[some], choice[:, some] = self._walk(worth[:, :, some], self._start[who[some]])
        return value, choice

    def ranked(self, worth: Array, rows: Whole, count: int, within: float) -> tuple[Whole, Choice]:
        """Return the calendars of each customer that are worth most, the best first.

        Parameters
        ----------
        worth : array of shape (days, actions, m)
        rows : array of int of shape (m,)
        count : int
            At most so many of each customer.
        within : float
            None that is worth less than the best by more.

        Returns
        -------
        (at, choice)
            Arrays of shape (calendars,) and (days, calendars): places in ``rows``, and the calendars.

        References
        ----------
        Hart, Nilsson and Raphael (1968), A formal basis for the heuristic determination of minimum cost paths, IEEE Transactions on
        Systems Science and Cybernetics 4; what can still come is known exactly here, so that nothing is looked at in vain.
        """
        at: list[int] = []
        found: list[tuple[int, ...]] = []
        for some in self._parts(len(rows)):
            for k, path in self._search(worth[:, :, some], rows[some], count, within):
                at.append(some.start + k)
                found.append(path)
        choice = np.array(found, dtype=np.int16).reshape(len(found), len(self._days)).T
        return np.array(at, dtype=np.int64), choice

    def _parts(self, m: int) -> Iterator[slice]:
        """Customers a few at a time; fewer where there are many states."""
        step = max(64, min(_CHUNK, _CELLS // sum(self.states)))
        for begin in range(0, m, step):
            yield slice(begin, min(begin + step, m))

    def _search(self, worth: Array, rows: Whole, count: int, within: float) -> Iterator[tuple[int, tuple[int, ...]]]:
        """The best calendars of some customers, one after the other."""
        ahead, _ = self._ahead(worth)
        for k, start in enumerate(self._start[rows].tolist()):
            best = float(ahead[0][start, k])
            least = best - within - _ROUNDING * max(1.0, abs(best))
            heap: list[tuple[float, tuple[int, ...], int, float]] = [(-float(ahead[0][start, k]), (), start, 0.0)]
            left = count
            while heap and left:
                _, path, state, had = heappop(heap)
                s = len(path)
                if s == len(self._days):
                    yield k, path
                    left -= 1
                    continue
                following = self._next[s][state]
                gets = np.r_[0.0, worth[s, :, k]] + had
                hopes = np.where(following >= 0, gets + ahead[s + 1][following, k], -np.inf)
                for step in np.flatnonzero((hopes >= least) & (hopes > -np.inf)).tolist():
                    heappush(heap, (-float(hopes[step]), (*path, step - 1), int(following[step]), float(gets[step])))

    def _walk(self, worth: Array, start: Whole) -> tuple[Array, Choice]:
        ahead, picks = self._ahead(worth)
        everybody = np.arange(worth.shape[2])
        state, choice = start, np.empty((len(self._days), worth.shape[2]), dtype=np.int16)
        for s, (pick, following) in enumerate(zip(picks, self._next, strict=True)):
            choice[s] = pick[state, everybody]
            state = following[state, choice[s].astype(np.int64) + 1]
        return ahead[0][start, everybody], choice

    def _ahead(self, worth: Array) -> tuple[list[Array], list[npt.NDArray[np.int16]]]:
        """What can still come in each state of each day, and after the last; and what is best done there."""
        m = worth.shape[2]
        ahead = [np.zeros((1, m))]
        picks: list[npt.NDArray[np.int16]] = []
        for nodes, day in zip(self._days[::-1], worth[::-1], strict=True):
            tops: dict[tuple[int, ...], tuple[Array, npt.NDArray[np.int16]]] = {}
            now, pick = np.empty((len(nodes), m)), np.full((len(nodes), m), NOTHING, dtype=np.int16)
            for place, node in enumerate(nodes):
                most, which = now[place], pick[place]
                most[:] = ahead[-1][node.idle]
                for to, acts in node.edges:
                    if acts not in tops:
                        tops[acts] = _top(day, acts)
                    top, at = tops[acts]
                    total = top + ahead[-1][to]
                    np.copyto(which, at, where=total > most)
                    np.maximum(total, most, out=most)
            ahead.append(now)
            picks.append(pick)
        return ahead[::-1], picks[::-1]

    def _shut(self) -> None:
        """Close what known contacts rule out by themselves: a day that is taken, a window that is full, an action that is near."""
        problem, days = self._problem, np.array(self._problem.days)
        for s, day in enumerate(days):
            self.open[s][:, problem.whose[problem.when == day]] = False
        for rule in problem.rules:
            if isinstance(rule, Window) and rule.most <= 1:
                inside = problem.members(rule.actions)
                counted = inside[problem.what]
                if rule.most == 0:
                    self.open[:, inside] = False
                else:
                    self._near(problem.whose[counted], problem.when[counted], rule.days, inside)
            elif isinstance(rule, Apart):
                for one, other in ((rule.first, rule.second), (rule.second, rule.first)):
                    had = problem.members((one,))[problem.what]
                    self._near(problem.whose[had], problem.when[had], rule.days, problem.members((other,)))

    def _near(self, whose: Whole, when: Whole, days: int, actions: npt.NDArray[np.bool_]) -> None:
        for s, day in enumerate(self._problem.days):
            who = whose[np.abs(when - day) < days]
            self.open[s][np.ix_(actions, np.unique(who))] = False

    def _starts(self) -> tuple[list[State], Whole]:
        """What is known of each customer's contacts, as the state before the first day: all different ones, and whose is which."""
        problem, blank = self._problem, self._automaton.blank
        columns = [np.full(problem.n, -1, dtype=np.int64) for _ in problem.rules]
        kept: list[list[tuple[int, ...]]] = [[] for _ in problem.rules]
        for k, rule in enumerate(problem.rules):
            had = self._automaton.remembers(k)[problem.what]
            whose, when = problem.whose[had], self._automaton.alike(k, problem.when[had])
            use = when > _LONG_AGO if isinstance(rule, Window) else np.ones(len(when), dtype=bool)
            if not use.any():
                continue
            frame = pd.DataFrame({"who": whose[use], "when": when[use]}).sort_values(["who", "when"])
            days = frame.groupby("who")["when"].agg(tuple)
            if isinstance(rule, After):
                days = days.map(lambda mine: mine[:1])
            codes, known = pd.factorize(days)
            columns[k][days.index.to_numpy()] = codes
            kept[k] = [tuple(map(int, one)) for one in known]
        if not columns:
            return [blank], np.zeros(problem.n, dtype=np.int64)
        known, start = np.unique(np.stack(columns), axis=1, return_inverse=True)
        states = [tuple(kept[k][code] if code >= 0 else blank[k] for k, code in enumerate(codes)) for codes in known.T]
        return states, np.asarray(start, dtype=np.int64).ravel()


class _Automaton:
    """What the rules of a problem allow on a day, and what they have to remember of it."""

    def __init__(self, problem: Problem):
        self.problem = problem
        self.rules = problem.rules
        self.inside = [problem.members(rule.actions) if isinstance(rule, Window) else None for rule in self.rules]
        self.place = {name: a for a, name in enumerate(problem.actions)}
        # A pair of actions remembers the last day of each, as one tuple of two.
        self.blank: State = tuple((_LONG_AGO, _LONG_AGO) if isinstance(rule, Apart) else () for rule in self.rules)

    def remembers(self, k: int) -> npt.NDArray[np.bool_]:
        """Return the actions whose known contacts a rule has to remember; by the others candidates are closed already."""
        rule, inside = self.rules[k], self.inside[k]
        if inside is not None and isinstance(rule, Window) and rule.most > 1:
            return inside
        return self.problem.members((rule.earlier,) if isinstance(rule, After) else ())

    def alike(self, k: int, when: Whole) -> Whole:
        """Return, for each day of a known contact, one that counts in the same windows: few states are left."""
        rule, first = self.rules[k], self.problem.days[0]
        if isinstance(rule, Window):
            ends = np.unique(np.r_[self.problem.days, self.problem.when[self.problem.when >= first]])
            turns = ends - rule.days
            at = np.searchsorted(turns, when, side="left")
            early = np.where(at > 0, turns[np.maximum(at - 1, 0)] + 1, _LONG_AGO)
            late = np.where(when > self.problem.days[-1] + rule.days, _LONG_AGO, when)
            return np.asarray(np.where(when < first, np.minimum(early, first - 1), late))
        return np.asarray(np.where(when + getattr(rule, "days", 0) <= first, _LONG_AGO, when))

    def allows(self, state: State, day: int, action: int) -> bool:
        """Whether an action may be on a day."""
        for k, rule in enumerate(self.rules):
            mine, inside = state[k], self.inside[k]
            if isinstance(rule, Window):
                if inside is None or not inside[action]:
                    continue
                if len(mine) < rule.most:
                    continue
                every = (*mine, day)
                for end in every:
                    if day <= end < day + rule.days and sum(end - rule.days < one <= end for one in every) > rule.most:
                        return False
            elif isinstance(rule, Apart):
                if action == self.place[rule.first] and day - mine[1] < rule.days:
                    return False
                if action == self.place[rule.second] and day - mine[0] < rule.days:
                    return False
            elif action == self.place[rule.action] and not (mine and mine[0] + rule.days <= day):
                return False
        return True

    def after(self, state: State, day: int, action: int, following: int | None) -> State:
        """Return what is remembered on the following day of the plan, once an action was done; nothing after the last."""
        if following is None:
            return ()
        return tuple(self._kept(k, state[k], day, action, following) for k in range(len(self.rules)))

    def _kept(self, k: int, mine: tuple[int, ...], day: int, action: int, following: int) -> tuple[int, ...]:
        rule, inside = self.rules[k], self.inside[k]
        if isinstance(rule, Window):
            every = (*mine, day) if inside is not None and action >= 0 and inside[action] else mine
            return tuple(sorted(one for one in every if one + rule.days > following))
        if isinstance(rule, Apart):
            last = [
                day if action == self.place[name] else one for name, one in zip((rule.first, rule.second), mine, strict=True)
            ]
            return tuple(one if one + rule.days > following else _LONG_AGO for one in last)
        first = min((*mine, day)) if action == self.place[rule.earlier] else min(mine, default=None)
        return () if first is None else (first if first + rule.days > following else _LONG_AGO,)


def _minimal(automaton: _Automaton, starts: list[State], start: Whole) -> tuple[list[list[_Node]], Whole]:
    """States of each day with what follows, equal ones merged, and the merged state of each customer before the first day."""
    days, actions = automaton.problem.days, range(len(automaton.problem.actions))
    layers: list[dict[State, int]] = [{state: place for place, state in enumerate(dict.fromkeys(starts))}]
    moves: list[list[list[int]]] = []
    for s, day in enumerate(days):
        following = days[s + 1] if s + 1 < len(days) else None
        ahead: dict[State, int] = {}
        table = []
        for state in layers[-1]:
            to = [ahead.setdefault(automaton.after(state, day, NOTHING, following), len(ahead))]
            for action in actions:
                fine = automaton.allows(state, day, action)
                to.append(ahead.setdefault(automaton.after(state, day, action, following), len(ahead)) if fine else -1)
            table.append(to)
        if len(ahead) > _MOST_STATES:
            hint = "Shorten the windows, let actions share one, or plan fewer days."
            raise ModelError.needs(
                "Problem", f"rules that remember at most {_MOST_STATES:,} different pasts", f"{len(ahead):,}", hint
            )
        moves.append(table)
        layers.append(ahead)
    merged = np.zeros(len(layers[-1]), dtype=np.int64)
    out: list[list[_Node]] = []
    for table in moves[::-1]:
        found: dict[tuple[int, ...], int] = {}
        here = np.array([found.setdefault(tuple(int(merged[t]) if t >= 0 else -1 for t in to), len(found)) for to in table])
        nodes = []
        for idle, *to in found:
            by: dict[int, list[int]] = {}
            for action, target in enumerate(to):
                if target >= 0:
                    by.setdefault(target, []).append(action)
            nodes.append(_Node(idle, tuple((target, tuple(acts)) for target, acts in by.items())))
        out.append(nodes)
        merged = here
    first = np.array([layers[0][state] for state in starts], dtype=np.int64)
    return out[::-1], merged[first][start]


def _table(nodes: list[_Node], actions: int) -> Whole:
    """The next state of each state and action, nothing first; -1 where it may not be."""
    out = np.full((len(nodes), actions + 1), -1, dtype=np.int64)
    for place, node in enumerate(nodes):
        out[place, 0] = node.idle
        for to, acts in node.edges:
            out[place, [a + 1 for a in acts]] = to
    return out


def _top(worth: Array, acts: tuple[int, ...]) -> tuple[Array, npt.NDArray[np.int16]]:
    """The most of some actions, and which one it is; the first of equal ones."""
    most, which = worth[acts[0]], np.full(worth.shape[1], acts[0], dtype=np.int16)
    for a in acts[1:]:
        more = worth[a] > most
        np.copyto(which, np.int16(a), where=more)
        most = np.maximum(worth[a], most)
    return most, which

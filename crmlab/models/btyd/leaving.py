"""Customers who buy on a clock and leave by the calendar: what Pareto/NBD must integrate over both times at once.

A busy customer's chance to have bought nothing falls fast in operational time, and is smooth in it; the chance to have stayed changes
slowly in the calendar's time. Between the two stands the clock, whose pace changes from day to day. So time is cut into panels that
grow with the distance from the last purchase, and each has the nodes and weights by which polynomials in operational time are
integrated exactly over the calendar, whatever the days in it are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from crmlab.models.btyd.clock import Clock
from crmlab.models.btyd.special import Array, discounted_power, gauss, power_integral, shrinkage

__all__ = ["Standing", "lived", "panels", "worth_lived"]


_NODES = 8  # of a panel
_RATIO = 4  # of the far end of a panel to its near end, both from the last purchase
_LONG = 91.0  # days of a panel at most, for the year has seasons
_FIRST = 6  # nodes of the day of the last purchase, in which time runs evenly
_CELLS = 2_000_000  # numbers held at once
_SAME_DAY = 1e-6  # days


def panels(
    clock: Clock, starts: Array, ends: Array, count: int, *, on_clock: bool = False
) -> tuple[Array, Array, Array, Array]:
    """Nodes and weights by which functions of operational and calendar time are integrated over panels of the calendar.

    Parameters
    ----------
    clock : Clock
    starts, ends : arrays of shape (n,)
        Of the panels, in units of the model's time from the end of the history.
    count : int
        Nodes of each.
    on_clock : bool
        Integrate over operational time; else over the calendar's.

    Returns
    -------
    (run, time, weight, uneven) : arrays of shape (n, count)
        Operational and calendar time of the nodes from the beginning of their panel; weights, which sum to its length; and the mean
        square of what calendar time is off at a node's operational time.

    Notes
    -----
    Gauss's rule for the measure that either time is on the axis of operational time: exact for polynomials in operational time of degree
    2 count − 1, and for such of degree count − 1 times calendar time, which enters by its best polynomial.

    References
    ----------
    Golub and Welsch (1969), Calculation of Gauss quadrature rules, Mathematics of Computation 23; Gautschi (2004), Orthogonal
    Polynomials, section 2.2: Stieltjes's procedure on a measure of points.

    Examples
    --------
    >>> import datetime as dt
    >>> run, time, weight, uneven = panels(Clock(end=dt.date(2024, 12, 31)), np.array([-3.0]), np.array([-1.0]), 4)
    >>> round(float(weight.sum()), 9), bool(np.allclose(run, time)), round(float((weight * run**3).sum()), 9)
    (2.0, True, 4.0)
    """
    days = clock.days_per_unit
    first = np.floor(starts * days + _SAME_DAY)
    cells = np.maximum(np.ceil(ends * days - _SAME_DAY - first), 1)
    out = [np.zeros((len(starts), count)) for _ in range(4)]
    # Panels of much the same length together: a row has a cell for each day, and each cell some points.
    sizes = np.ceil(np.log2(cells)).astype(int)
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        most, each = int(cells[rows].max()), max(-(-4 * count // int(cells[rows].min())), 2)
        step = max(_CELLS // (most * each * count), 1)
        for begin in range(0, len(rows), step):
            some = rows[begin : begin + step]
            start, end = starts[some, None], ends[some, None]
            edges = np.clip((first[some, None] + np.arange(most + 1)) / days, start, end)
            run, time, mass = _points(clock, edges, each)
            length = clock.at(end[:, 0]) - clock.at(start[:, 0])
            if on_clock:
                mass = mass * np.repeat(_paces(clock, edges), each, axis=1)
            for part, found in zip(out, _gauss_of_points((run, time, mass), length, count), strict=True):
                part[some] = found
    return out[0], out[1], out[2], out[3]


def _points(clock: Clock, edges: Array, each: int) -> tuple[Array, Array, Array]:
    """Operational time, calendar time and mass of points in cells in which the clock runs evenly."""
    at, share = gauss(each)
    hands = clock.at(edges)
    width, pace = np.diff(edges)[..., None], np.diff(hands)[..., None]
    run = hands[:, :-1, None] - hands[:, :1, None] + pace * at
    time = edges[:, :-1, None] - edges[:, :1, None] + width * at
    rows = (len(edges), -1)
    return run.reshape(rows), time.reshape(rows), (width * share).reshape(rows)


def _gauss_of_points(points: tuple[Array, Array, Array], length: Array, count: int) -> tuple[Array, Array, Array, Array]:
    """Gauss's rule of a measure of points on [0, length], one in each row, and what calendar time is at its nodes."""
    run, time, mass = points
    place = 2 * run / length[:, None] - 1
    total = mass.sum(axis=1)
    one, before = np.broadcast_to(1 / np.sqrt(total)[:, None], mass.shape), np.zeros_like(mass)
    beside, known = np.zeros(len(mass)), []
    matrix = np.zeros((len(mass), count, count))
    for k in range(count):
        known.append(one)
        heavy = mass * one
        matrix[:, k, k] = np.einsum("ij,ij->i", heavy * one, place)
        rest = (place - matrix[:, k, k, None]) * one - beside[:, None] * before
        beside = np.sqrt(np.einsum("ij,ij->i", mass, rest * rest))
        if k + 1 < count:
            matrix[:, k, k + 1] = matrix[:, k + 1, k] = beside
            one, before = rest / beside[:, None], one
    nodes, vectors = np.linalg.eigh(matrix)
    weight = total[:, None] * vectors[:, 0] ** 2
    at_nodes = vectors / (vectors[:, :1] * np.sqrt(total)[:, None, None])

    def best(values: Array) -> tuple[Array, Array]:
        """A function's best polynomial, at the nodes and at the points."""
        by = np.stack([np.einsum("ij,ij->i", mass * part, values) for part in known], axis=1)
        return np.einsum("ij,ijk->ik", by, at_nodes), sum(by[:, k, None] * part for k, part in enumerate(known))

    smooth, there = best(time)
    uneven, _ = best((time - there) ** 2)
    return (nodes + 1) / 2 * length[:, None], smooth, weight, np.maximum(uneven, 0.0)


@dataclass(frozen=True, eq=False)
class Standing:
    """Where states stand on the calendar, all arrays of shape (n_states,) in units of the model's time.

    Attributes
    ----------
    clock : Clock
    recency, age : arrays
        Of each state, as in the summary.
    begun : array
        When it stood so, from the end of the history; negative before it.
    """

    clock: Clock
    recency: Array
    age: Array
    begun: Array

    def taken(self, which: Any) -> Standing:
        """The same of some states."""
        return Standing(self.clock, self.recency[which], self.age[which], self.begun[which])

    def on(self, clock: Clock) -> Standing:
        """The same on a clock that runs otherwise only after the end of the history."""
        found = Standing(clock, self.recency, self.age, self.begun)
        found.__dict__["_past"] = self._past
        return found

    def __getstate__(self) -> dict[str, Any]:
        # What is worked out from these is worked out again.
        return {name: getattr(self, name) for name in ("clock", "recency", "age", "begun")}

    @cached_property
    def _shown(self) -> Array:
        return self.clock.at(self.begun)

    def reached(self, run: Array) -> Array:
        """Calendar time that operational time takes from each beginning on; ``run`` of shape (n_states, …)."""
        shape = (-1,) + (1,) * (run.ndim - 1)
        back = self.clock.back(self._shown.reshape(shape) + run) - self.begun.reshape(shape)
        out: Array = np.maximum(back, 0.0)
        return out

    def passed(self, time: Array) -> Array:
        """Operational time that passes in calendar time from each beginning on; ``time`` of shape (n_states, …)."""
        shape = (-1,) + (1,) * (time.ndim - 1)
        out: Array = np.maximum(self.clock.at(self.begun.reshape(shape) + time) - self._shown.reshape(shape), 0.0)
        return out

    @cached_property
    def _past(self) -> _Past:
        return _Past(self)

    def ahead(self, run: float) -> tuple[Array, Array, Array, Array]:
        """Nodes of integrals over the operational time ahead, up to ``run``, as of :func:`panels`; all must have begun together."""
        begun = self.begun[:1]
        end = self.clock.back(self._shown[:1] + run)
        days = float((end - begun)[0]) * self.clock.days_per_unit
        rungs = np.concatenate([[0.0, 1 / 16, 1 / 4], _LADDERS[False][1:]])
        near = rungs[rungs < days - _SAME_DAY]
        starts = begun + near / self.clock.days_per_unit
        nodes = panels(self.clock, starts, np.append(starts[1:], end), _NODES, on_clock=True)
        since = (self.clock.at(starts) - self._shown[0])[:, None], (starts - begun)[:, None]
        time = np.maximum(nodes[1] + since[1], 0.0)
        return (nodes[0] + since[0]).ravel(), time.ravel(), nodes[2].ravel(), nodes[3].ravel()

    def since_last(self, p: Array, A: Array, q: Array, B: Array, gradient: bool = False) -> list[Array]:
        """Integrate (1 + v(τ)/A)^−p (1 + τ/B)^−q over the calendar time τ since the last purchase, v(τ) being the operational one.

        Parameters
        ----------
        p, A, q, B : arrays of shape (n_states,)
        gradient : bool
            Whether derivatives are wanted too.

        Returns
        -------
        list of arrays of shape (n_states,)
            The integral, and with ``gradient`` its derivatives by p, A, q and B: as
            :func:`~crmlab.models.btyd.special.power_integral`, which it is where the clock runs evenly.
        """
        return self._past.integral((p, A, q, B), gradient)


class _Past:
    """Nodes between the last purchase of each state and when it stands; those of whole days are shared."""

    def __init__(self, standing: Standing) -> None:
        clock, days = standing.clock, standing.clock.days_per_unit
        end, since = standing.begun, np.maximum(standing.age - standing.recency, 0.0)
        last = end - since
        whole = np.floor(last * days + _SAME_DAY) + 1
        # The rest of the day of the last purchase: in it the clock runs evenly.
        self.first = np.minimum(np.maximum(whole / days - last, 0.0), since)
        self.first_run = np.maximum(clock.at(last + self.first) - clock.at(last), 0.0)
        even = np.abs(last * days - np.round(last * days)) <= _SAME_DAY
        more = since - self.first > _SAME_DAY / days
        key = np.column_stack([whole, end, even])[more]
        rows = np.flatnonzero(more)
        kinds, place = np.unique(key, axis=0, return_inverse=True)
        place = place.reshape(-1)
        spans = kinds[:, 1] * days - kinds[:, 0]
        # Panels end 4, 16, 64 … days from the last purchase.
        off = kinds[:, 2]
        levels = np.array([_steps(span - _SAME_DAY, bool(one)) for span, one in zip(spans, off, strict=True)])
        self.groups: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], list[Array]]] = []
        order = np.zeros(len(kinds), dtype=np.int64)
        for key_of in sorted({(int(level), bool(one)) for level, one in zip(levels, off, strict=True)}):
            mine = (levels == key_of[0]) & (off == key_of[1])
            order[mine] = np.arange(mine.sum())
            nodes = _ladder(clock, kinds[mine, 0] / days, kinds[mine, 1], key_of)
            inside = mine[place]
            self.groups.append((rows[inside], order[place[inside]], nodes))

    def integral(self, parts: tuple[Array, Array, Array, Array], gradient: bool) -> list[Array]:
        out = [np.zeros_like(parts[0]) for _ in range(5 if gradient else 1)]
        self._add_first(out, parts)
        for rows, place, nodes in self.groups:
            step = max(60_000 // nodes[0].shape[1], 1)  # so that the arrays of nodes stay in the processor's cache
            for start in range(0, len(rows), step):
                s, which = rows[start : start + step], place[start : start + step]
                run, time, weight, uneven = (part[which] for part in nodes)
                run += self.first_run[s, None]
                time += self.first[s, None]
                _add(out, s, [part[s, None] for part in parts], (run, time, weight, uneven))
        return out

    def _add_first(self, out: list[Array], parts: tuple[Array, Array, Array, Array]) -> None:
        p, A, q, B = parts
        some = self.first > 0
        falls, fades = self.first_run / A, self.first / B
        steep = some & ((falls > 2) | (p * falls > 4) | (fades > 2) | (q * fades > 4))
        easy = np.flatnonzero(some & ~steep)
        at, share = gauss(_FIRST)
        for start in range(0, len(easy), 8192):
            s = easy[start : start + 8192]
            first = self.first[s, None]
            _add(out, s, [part[s, None] for part in parts], (self.first_run[s, None] * at, first * at, first * share, None))
        s = np.flatnonzero(steep)
        if len(s):
            pace = self.first_run[s] / self.first[s]
            found = power_integral(p[s], A[s] / pace, q[s], B[s], self.first[s], len(out) > 1)
            if len(found) > 1:
                found[2] = found[2] / pace
            for whole, part in zip(out, found, strict=True):
                whole[s] += part


def _steps(span: float, off: bool) -> int:
    return int(np.searchsorted(_LADDERS[off], span))


def _rungs(off: float) -> Array:
    steps = [] if off else [0.0]
    steps += [_RATIO**k - off for k in range(30) if _RATIO**k <= _LONG]
    while steps[-1] < 45000:
        steps.append(steps[-1] + _LONG)
    return np.array(steps)


def _ladder(clock: Clock, starts: Array, ends: Array, kind: tuple[int, bool]) -> list[Array]:
    """Nodes of all panels between day boundaries and ends, from the first on: how many, and whether a whole day went before."""
    shown, parts = clock.at(starts), []
    for near, far in pairwise(_LADDERS[kind[1]][: kind[0] + 1]):
        begin = np.minimum(starts + near / clock.days_per_unit, ends)
        end = np.minimum(starts + far / clock.days_per_unit, ends)
        run, time, weight, uneven = panels(clock, begin, end, _NODES)
        # Where the clock stands still for weeks, a polynomial swings beyond the ends of its panel.
        since = np.maximum(time + (begin - starts)[:, None], 0.0)
        parts.append((run + (clock.at(begin) - shown)[:, None], since, weight, uneven))
    return [np.concatenate(columns, axis=1) for columns in zip(*parts, strict=True)]


def _add(out: list[Array], s: Any, parts: list[Array], nodes: tuple[Array, Array, Array, Array | None]) -> None:
    """Add the sums over nodes of (1 + v/A)^−p (1 + τ/B)^−q, and their derivatives, to the states ``s``."""
    p, A, q, B = parts
    run, time, weight, uneven = nodes
    by_a, by_b = np.log1p(run / A), np.log1p(time / B)
    f = weight * np.exp(-p * by_a - q * by_b)
    more = None
    if uneven is not None:
        # Where calendar time is off at an operational time, the second term of Taylor's series.
        more = f * uneven / (B + time) ** 2
        f += q * (q + 1) / 2 * more
    out[0][s] += f.sum(axis=1)
    if len(out) > 1:
        out[1][s] -= np.einsum("ij,ij->i", f, by_a)
        out[2][s] += (p / A)[:, 0] * np.einsum("ij,ij->i", f, run / (A + run))
        out[3][s] -= np.einsum("ij,ij->i", f, by_b)
        out[4][s] += (q / B)[:, 0] * np.einsum("ij,ij->i", f, time / (B + time))
        if more is not None:
            out[3][s] += (q + 0.5)[:, 0] * more.sum(axis=1)
            out[4][s] -= (q * (q + 1))[:, 0] * (more / (B + time)).sum(axis=1)


_LADDERS = {True: _rungs(1.0), False: _rungs(0.0)}


# What is to come.


def lived(clock: Clock, s: float, length: Array, begun: Array, ends: Array) -> Array:
    """Operational time that those who are alive at their beginnings are expected to live through, up to each end.

    Parameters
    ----------
    clock : Clock
    s : float
        Shape of the Gamma distribution of rates of dropping out.
    length : array of shape (n,)
        Its scale parameter, and the age: the chance to stay for t is (1 + t / length)^−s.
    begun : array of shape (n,)
        Beginnings, from the end of the history.
    ends : array of shape (n_ends,)
        From the end of the history; of one that is before a beginning, nothing.

    Returns
    -------
    array of shape (n_ends, n)

    Examples
    --------
    >>> import datetime as dt
    >>> even = Clock(end=dt.date(2024, 12, 31))
    >>> lived(even, 2.0, np.array([4.0]), np.array([0.0]), np.array([4.0])).round(9)     # 4 · (1 − 4 / 8)
    array([[2.]])
    """
    out = np.empty((len(ends), len(length)))
    days = clock.days_per_unit
    within = np.arange(np.floor(begun.min() * days) + 1, np.ceil(ends.max() * days)) / days
    edges = np.unique(np.concatenate([[begun.min()], within, ends[ends > begun.min()]]))
    pace = _paces(clock, edges)
    place = np.maximum(np.searchsorted(edges, ends), 0)
    for some in _blocks(len(length), len(edges)):
        time = np.maximum(edges - begun[some, None], 0.0)
        scale = length[some, None]
        grown = np.diff(scale * shrinkage(s - 1, np.log1p(time / scale)), axis=1) * pace
        out[:, some] = np.concatenate([np.zeros((len(grown), 1)), np.cumsum(grown, axis=1)], axis=1)[:, place].T
    out[ends[:, None] <= begun] = 0.0
    return out


def worth_lived(clock: Clock, s: float, length: Array, delta: float, horizon: float, money: bool) -> Array:
    """The same from the end of the history up to a horizon of the calendar, each moment times its discount.

    Parameters
    ----------
    clock : Clock
    s : float
    length : array of shape (n,)
    delta : float
        Continuous rate of discount; 0 for none, where the horizon is finite.
    horizon : float
    money : bool
        Whether a moment counts what a purchase then brings, in the season of spend.

    Returns
    -------
    array of shape (n,)
    """
    times, run, _, worth = clock.steps(delta, horizon, money=money)
    pace = worth * np.diff(run) / np.diff(times)
    out = np.empty(len(length))
    for some in _blocks(len(length), len(times)):
        scale = length[some, None]
        out[some] = np.diff(scale * shrinkage(s - 1, np.log1p(times / scale)), axis=1) @ pace
    if horizon > times[-1]:

        def even(end: Array | float) -> Array:
            return length * discounted_power(delta * length, np.array(s), end / length)

        # In a year far ahead fewer stay at its end than at its beginning, as if discounted.
        left = np.array([clock.tail(delta + s / (one + times[-1]), money=money) for one in length])
        out += left * np.maximum(even(horizon) - even(float(times[-1])), 0.0)
    return out


def _paces(clock: Clock, edges: Array) -> Array:
    width = np.diff(edges)
    out: Array = np.diff(clock.at(edges)) / np.where(width > 0, width, 1.0)
    return out


def _blocks(rows: int, columns: int) -> Iterator[slice]:
    step = max(_CELLS // 4 // max(columns, 1), 1)
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))

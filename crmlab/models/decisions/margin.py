"""From the calendars that prices choose to a choice that all limits allow: repair, use of room, and customers at the margin."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import optimize, sparse

from crmlab.models.decisions.prices import Prices
from crmlab.models.decisions.problem import CLOSED, NOTHING, Choice, Problem, Usage
from crmlab.models.decisions.trellis import Trellis

__all__ = ["improved", "repaired", "settled", "slack", "worth_of"]

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
_ROUNDS = 4  # of repair: what meets a minimum may exceed a limit, and the other way round
_TURNS = 200  # repairs a round, each of the limit that is furthest off
_PASSES = 12  # of improvement; few are needed
_AT_MARGIN = 2000  # customers settled together
_CALENDARS = 6000  # that they may have
_NODES = 100  # of the integer programme: a limit of time would not give the same list each time
_NEAR = 1e-5  # share of the bound that is not searched for
_ROUNDING = 1e-9


def slack(level: Array) -> Array:
    """By how much a limit may be exceeded by rounding.

    Examples
    --------
    >>> slack(np.array([0.0, 1e6, np.inf])).tolist()
    [1e-09, 0.001, 0.0]
    """
    return np.where(np.isfinite(level), _ROUNDING * np.maximum(1.0, np.where(np.isfinite(level), level, 0.0)), 0.0)


def worth_of(worth: Array, choice: Choice) -> Array:
    """Sum what each customer's calendar is worth, of shape (m,).

    Examples
    --------
    >>> worth_of(np.array([[[1.0, 2.0]], [[4.0, 8.0]]]), np.array([[0, -1], [0, 0]], dtype=np.int16)).tolist()
    [5.0, 8.0]
    """
    out = np.zeros(choice.shape[1])
    for day, acts in zip(worth, choice, strict=True):
        at = np.flatnonzero(acts >= 0)
        out[at] += day[acts[at].astype(np.int64), at]
    return out


def repaired(trellis: Trellis, usage: Usage, charged: Array, choice: Choice) -> tuple[Choice, bool]:
    """Move customers to other calendars where it costs least, until nothing is over its most, and all minima are met where they can.

    Parameters
    ----------
    trellis : Trellis
    usage : Usage
    charged : array of shape (days, actions, n)
        Values less the prices of what candidates use.
    choice : array of int of shape (days, n)

    Returns
    -------
    (choice, met)
        Nothing is over its most; ``met`` says whether the minima are met as well.
    """
    state = _State(trellis, usage, charged, choice.copy())
    for _ in range(_ROUNDS):
        state.fill_all(tight=False)
        for careful in (True, False):
            state.relieve_all(careful)
        state.fill_all(tight=True)
        if not state.short().any():
            break
    return state.choice, not state.short().any()


class _State:
    """A choice that is being repaired, and what it uses."""

    def __init__(self, trellis: Trellis, usage: Usage, charged: Array, choice: Choice):
        self.trellis, self.usage, self.charged, self.choice = trellis, usage, charged, choice
        self.used = usage.of(choice)
        self.most, self.least = usage.most + slack(usage.most), usage.least - slack(usage.least)

    def over(self) -> Array:
        """By what share each limit is exceeded."""
        return np.where(self.used > self.most, self.used / np.maximum(self.usage.most, _ROUNDING) - 1, 0.0)

    def short(self) -> Array:
        """What share of each minimum is missing."""
        return np.where(self.used < self.least, 1 - self.used / np.maximum(self.usage.least, _ROUNDING), 0.0)

    def fill_all(self, tight: bool) -> None:
        """Meet the minima, that which misses most first, until nothing helps."""
        for _ in range(_TURNS):
            short = self.short()
            if not short.any() or not self.fill(int(np.argmax(short)), tight):
                break

    def relieve_all(self, careful: bool) -> None:
        """Relieve limits that are exceeded, the worst first, until nothing helps."""
        for _ in range(_TURNS * max(1, len(self.most))):
            over = self.over()
            if not over.any():
                break
            j = int(np.argmax(over))
            if not (self.relieve(j, careful, lessen=False) or self.relieve(j, careful, lessen=True)):
                break

    def relieve(self, j: int, careful: bool, lessen: bool) -> bool:
        """Move customers off a limit that is exceeded; whether anybody moved.

        Careful moves break no minimum. Where nothing else helps, contacts are only left out.
        """
        part, whom = self.usage.part[j], self.usage.whom[j]
        mine = np.zeros(self.choice.shape[1], dtype=bool)
        for s, acts in enumerate(self.choice):
            mine |= (acts >= 0) & part[s, acts]
        rows = np.flatnonzero(mine if whom is None else mine & whom)
        charged = self.charged[:, :, rows]
        worth = np.full(charged.shape, CLOSED) if lessen else _shut(self.usage, charged, self.used, rows)
        worth[part] = CLOSED
        held = self.choice[:, rows]
        _reopen(worth, charged, np.where((held >= 0) & ~np.take_along_axis(part, np.maximum(held, 0), 1), held, NOTHING))
        value, other = self.trellis.best(worth, rows)
        loss = worth_of(charged, held) - value
        return self._move(rows, other, loss, j, up=False, free=False, careful=careful)

    def fill(self, j: int, tight: bool) -> bool:
        """Move customers to what a minimum asks for, within other limits or whatever is exceeded by it; whether anybody moved."""
        rows = np.arange(self.choice.shape[1])
        charged, whom = self.charged, self.usage.whom[j]
        finite = charged[charged > CLOSED]
        bonus = 2 * len(charged) * (float(np.abs(finite).max()) + 1.0) if len(finite) else 1.0
        worth = _shut(self.usage, charged, self.used) if tight else charged.copy()
        if tight:
            _reopen(worth, charged, self.choice)
        for s, a in np.argwhere(self.usage.part[j]):
            more = bonus * (self.usage.problem.cost[s, a] if self.usage.money[j] else 1.0)
            worth[s, a] += more if whom is None else np.where(whom, more, 0.0)
        _, other = self.trellis.best(worth)
        loss = worth_of(charged, self.choice) - worth_of(charged, other)
        return self._move(rows, other, loss, j, up=True, free=not tight, careful=True)

    def _move(self, rows: Whole, other: Choice, loss: Array, j: int, *, up: bool, free: bool, careful: bool) -> bool:
        """Move customers one after the other, cheapest first, until limit j holds: up to its least, or down to its most.

        Free moves may exceed other limits; careful ones break no minimum.
        """
        change = self.usage.each(other, rows) - self.usage.each(self.choice[:, rows], rows)
        gain = change[j] if up else -change[j]
        some = np.flatnonzero(gain > _ROUNDING)
        moved = False
        for k in some[np.lexsort((rows[some], loss[some] / gain[some]))]:
            new = self.used + change[:, k]
            fine = (new <= self.most) | (change[:, k] <= 0) | free
            if up:
                fine[j] = new[j] <= self.most[j]
            if careful:
                fine &= (new >= self.least) | (change[:, k] >= 0)
            if not fine.all():
                continue
            self.used, moved = new, True
            self.choice[:, rows[k]] = other[:, k]
            if (self.used[j] >= self.least[j]) if up else (self.used[j] <= self.most[j]):
                break
        self.used = self.usage.of(self.choice)
        return moved


def _shut(usage: Usage, worth: Array, used: Array, rows: Whole | None = None) -> Array:
    """Return worths without the candidates for which a limit has no room left."""
    out = worth.copy()
    room = usage.most + slack(usage.most) - used
    cost = usage.problem.cost
    for j, part in enumerate(usage.part):
        whom = usage.whom[j]
        mine = np.ones(out.shape[2], dtype=bool) if whom is None else whom if rows is None else whom[rows]
        if usage.money[j]:
            if not np.isfinite(room[j]):
                continue
            for s, a in np.argwhere(part):
                dear = (cost[s, a] if rows is None else cost[s, a, rows]) > room[j]
                out[s, a, mine & dear] = CLOSED
        elif room[j] < 1:
            if whom is None:
                out[part] = CLOSED
            else:
                for s, a in np.argwhere(part):
                    out[s, a, mine] = CLOSED
    return out


def _reopen(worth: Array, whole: Array, choice: Choice) -> None:
    """What a customer has takes no room that is not taken."""
    for s, acts in enumerate(choice):
        at = np.flatnonzero(acts >= 0)
        worth[s, acts[at], at] = whole[s, acts[at], at]


def improved(problem: Problem, trellis: Trellis, usage: Usage, choice: Choice) -> Choice:
    """Use what room limits leave: customers move to calendars that bring more, the largest gains first, until nobody can.

    Parameters
    ----------
    problem : Problem
        Without candidates that known contacts rule out.
    trellis : Trellis
    usage : Usage
    choice : array of int of shape (days, n)
        Allowed by all limits.
    """
    choice = choice.copy()
    most, least = usage.most + slack(usage.most), usage.least - slack(usage.least)
    for _ in range(_PASSES):
        used = usage.of(choice)
        worth = _shut(usage, problem.value, used)
        _reopen(worth, problem.value, choice)
        value, other = trellis.best(worth)
        gain = value - worth_of(problem.value, choice)
        rows = np.flatnonzero(gain > _ROUNDING * np.maximum(1.0, np.abs(value)))
        change = usage.each(other[:, rows], rows) - usage.each(choice[:, rows], rows)
        moved = False
        for k in np.lexsort((rows, -gain[rows])):
            new = used + change[:, k]
            if (((new <= most) | (change[:, k] <= 0)) & ((new >= least) | (change[:, k] >= 0))).all():
                used, moved = new, True
                choice[:, rows[k]] = other[:, rows[k]]
        if not moved:
            break
    return choice


def settled(
    problem: Problem, trellis: Trellis, charged: Array, prices: Prices, choice: Choice, met: bool
) -> tuple[Choice, bool]:
    """Settle customers at the margin together, each by one of the calendars that are worth most; the others stay as they are.

    A calendar that is worth less than the best by more than all that can still be gained is in no better choice, and is left out.

    Parameters
    ----------
    problem : Problem
        Without candidates that known contacts rule out.
    trellis : Trellis
    charged : array of shape (days, actions, n)
        Values less the prices of what candidates use.
    prices : Prices
    choice : array of int of shape (days, n)
        To begin with.
    met : bool
        Whether it meets the minima.

    Returns
    -------
    (choice, met)
        A better one, or the same.

    References
    ----------
    Desaulniers, Desrosiers and Solomon (2005), Column Generation, chapter 1 (the restricted master as an integer programme).
    """
    usage = Usage(problem)
    now = float(worth_of(problem.value, choice).sum())
    left = prices.bound - now if met else np.inf
    who = _at_margin(charged, prices, choice, left)
    at, options = trellis.ranked(charged[:, :, who], who, max(_CALENDARS // len(who), 2), left + _ROUNDING)
    own = np.arange(len(who))
    parts = [
        np.vstack([at, options]),
        np.vstack([own, choice[:, who]]),
        np.vstack([own, np.full((len(choice), len(who)), NOTHING)]),
    ]
    table = np.unique(np.concatenate(parts, axis=1), axis=1)
    at, options = table[0].astype(np.int64), table[1:].astype(np.int16)
    value = worth_of(problem.value[:, :, who[at]], options)
    uses = usage.each(options, who[at])
    rest = usage.of(choice) - usage.each(choice[:, who], who).sum(axis=1)
    one_each = sparse.csr_array((np.ones(len(at)), (at, np.arange(len(at)))), shape=(len(who), len(at)))
    bounds = [optimize.LinearConstraint(one_each, 1, 1)]
    if len(uses):
        bounds.append(optimize.LinearConstraint(sparse.csr_array(uses), usage.least - rest, usage.most - rest))
    total = max(float(worth_of(problem.value, choice)[who].sum()), 1e-3 * abs(prices.bound)) if met else abs(prices.bound)
    found = optimize.milp(
        -value,
        integrality=np.ones(len(value)),
        bounds=optimize.Bounds(0, 1),
        constraints=bounds,
        options={"node_limit": _NODES, "mip_rel_gap": _NEAR * abs(prices.bound) / total if total > 0 else 0.0},
    )
    if found.x is None:
        return choice, met
    new = choice.copy()
    yes = found.x > 0.5
    new[:, who[at[yes]]] = options[:, yes]
    used = usage.of(new)
    if (used > usage.most + slack(usage.most)).any() or (used < usage.least - slack(usage.least)).any():
        return choice, met  # within the programme's own tolerance, and not within ours
    better = not met or float(worth_of(problem.value, new).sum()) > now
    return (new, True) if better else (choice, met)


def _at_margin(charged: Array, prices: Prices, choice: Choice, left: float) -> Whole:
    """Customers whose calendar is not their best, or was another one at prices near the best; the nearest, where they are many."""
    n = choice.shape[1]
    if n <= _AT_MARGIN:
        return np.arange(n)
    closest = np.full(n, np.inf)
    for one in prices.choices:
        regret = prices.worth - worth_of(charged, one)
        closest = np.minimum(closest, np.where((one != choice).any(axis=0) & (regret <= left), regret, np.inf))
    return np.sort(np.argsort(closest, kind="stable")[:_AT_MARGIN])

"""Markov chains of customers: what a state is worth, how sure the moves between states are, and where they lead.

A chain has n states. ``P[i, j]`` is the probability of being in state j one step after state i. What is known of it are counts
of moves, by period, of shape (periods, n, n).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from crmlab.errors import ModelError
from crmlab.models.btyd.special import Array
from crmlab.models.checked import checked_level, checked_numbers
from crmlab.models.intervals import LEVEL, normal_quantile

__all__ = [
    "Moves",
    "Projection",
    "markov_value",
    "project",
    "resampled_matrices",
    "transition_probabilities",
]

_TOLERANCE = 1e-8
_LEAST_RATE = 1e-9
_MOST = 1e15  # customers: floats up to there are whole numbers, and so are their sums


def markov_value(P: npt.ArrayLike, reward: npt.ArrayLike, rate: float, horizon: int | None = None) -> Array:
    """Value a customer in each state of a Markov chain.

    The reward of the state that a customer is in now counts in full; that of the state after t steps is divided by
    (1 + rate)^t. A horizon of T counts the rewards at 0, 1, …, T: V = Σ (P / (1 + rate))^t reward.

    Parameters
    ----------
    P : array of shape (n, n)
        Transition probabilities of one step; rows add up to 1.
    reward : array of shape (n,)
        Net contribution of a customer who is in the state, in money: margin less what contacting costs.
    rate : float
        Rate of discount per step, at least 0; at least 1e-9 without a horizon, for rewards without end have no sum else.
    horizon : int, optional
        Number of steps T; None: without end.

    Returns
    -------
    array of shape (n,)
        In money.

    Raises
    ------
    ModelError
        P is not a matrix of probabilities, shapes do not go together, or rate or horizon are out of range.

    References
    ----------
    Pfeifer and Carraway (2000), Modeling customer relationships as Markov chains, Journal of Interactive Marketing 14,
    equations (3) and (5).

    Examples
    --------
    A purchase brings 40, every contact costs 4; who has not bought for five periods is not contacted again.

    >>> P = [[0.3, 0.7, 0, 0, 0], [0.2, 0, 0.8, 0, 0], [0.15, 0, 0, 0.85, 0], [0.05, 0, 0, 0, 0.95], [0, 0, 0, 0, 1]]
    >>> [round(float(value), 3) for value in markov_value(P, [36, -4, -4, -4, 0], 0.2)]
    [52.32, 5.554, 1.251, -1.82, 0.0]
    """
    matrix, r = _matrix("markov_value", P), checked_numbers("markov_value", "reward", reward)
    n = len(matrix)
    if r.shape != (n,) or not np.isfinite(r).all():
        raise ModelError.expected("markov_value", "reward", f"{n} finite numbers, one per state", f"shape {r.shape}")
    known = isinstance(rate, (int, float, np.number)) and not isinstance(rate, bool) and bool(np.isfinite(rate))
    if not known or rate < (_LEAST_RATE if horizon is None else 0):
        expectation = f"above 0, by {_LEAST_RATE:g} or more" if horizon is None else "a number of at least 0"
        raise ModelError.expected("markov_value", "rate", expectation, rate)
    discounted = matrix / (1 + rate)
    if horizon is None:
        endless = np.linalg.solve(np.eye(n) - discounted, r)
        if not np.isfinite(endless).all():
            raise ModelError.expected("markov_value", "reward", "of a size whose sum is finite", r.tolist())
        return np.asarray(endless)
    if not isinstance(horizon, (int, np.integer)) or isinstance(horizon, bool) or horizon < 0:
        raise ModelError.expected("markov_value", "horizon", "a whole number of at least 0, or None", horizon)
    value = r.copy()
    for _ in range(horizon):
        value = r + discounted @ value
    return value


@dataclass(frozen=True, eq=False)
class Moves:
    """Transition probabilities with intervals.

    Attributes
    ----------
    p, low, high : array of shape (n, n)
        NaN in the rows of states that nobody was in.
    n : array of shape (n,)
        Moves out of each state.
    dispersion : array of shape (n,)
        How much more the probabilities of a row vary from period to period than by chance; at least 1.
    """

    p: Array
    low: Array
    high: Array
    n: Array
    dispersion: Array


def transition_probabilities(counts: npt.ArrayLike, level: float = LEVEL) -> Moves:
    """Estimate transition probabilities, with intervals that allow for change from period to period.

    Wilson's interval takes all moves for independent draws of one probability. Where seasons or campaigns move whole periods,
    that is too narrow: so the number of moves out of a state is divided by the dispersion of its row, Pearson's X² over its
    degrees of freedom (at least 1), before the interval is worked out.

    Parameters
    ----------
    counts : array of shape (periods, n, n)
        Moves from state i to state j in each period.
    level : float
        Confidence level, between 0 and 1.

    Returns
    -------
    Moves

    Raises
    ------
    ModelError
        The counts have another shape or are negative.

    References
    ----------
    Wilson (1927), JASA 22. McCullagh and Nelder (1989), Generalized Linear Models, section 4.5 (over-dispersion).

    Examples
    --------
    >>> found = transition_probabilities([[[19, 19], [0, 0]]], level=0.95)
    >>> round(float(found.low[0, 0]), 7), round(float(found.high[0, 0]), 7), bool(np.isnan(found.p[1, 1]))
    (0.3484993, 0.6515007, True)
    """
    moves, share = _counts("transition_probabilities", counts), checked_level("transition_probabilities", level)
    total = moves.sum(axis=0)
    n = total.sum(axis=1)
    p = np.divide(total, n[:, None], out=np.full_like(total, np.nan), where=n[:, None] > 0)
    phi = _dispersion(moves, p)
    size = (n / phi)[:, None]
    z = normal_quantile(share)
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = (p + z * z / (2 * size)) / (1 + z * z / size)
        half = z / (1 + z * z / size) * np.sqrt(p * (1 - p) / size + z * z / (4 * size * size))
    low, high = np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)
    low[p == 0], high[p == 1] = 0.0, 1.0
    low, high = np.minimum(low, p), np.maximum(high, p)
    return Moves(p, low, high, n, phi)


def _dispersion(moves: Array, p: Array) -> Array:
    """Pearson's X² of each row over its degrees of freedom, at least 1."""
    expected = moves.sum(axis=2, keepdims=True) * np.nan_to_num(p)[None]
    # Cells that hardly anybody is expected in make X² jump.
    usable = expected >= 1
    with np.errstate(divide="ignore", invalid="ignore"):
        pearson = np.where(usable, (moves - expected) ** 2 / expected, 0.0).sum(axis=(0, 2))
    periods = usable.any(axis=2).sum(axis=0)
    freedom = usable.sum(axis=(0, 2)) - periods - np.maximum(usable.any(axis=0).sum(axis=1) - 1, 0)
    return np.where(freedom > 0, np.maximum(pearson / np.maximum(freedom, 1), 1.0), 1.0)


def resampled_matrices(counts: npt.ArrayLike, draws: int, seed: int = 0) -> Array:
    """Draw transition matrices by resampling whole periods.

    Whatever moves a whole period together, such as a season, stays together. With one period only, rows are drawn from a
    Dirichlet distribution instead: chance is all that is known then.

    Parameters
    ----------
    counts : array of shape (periods, n, n)
    draws : int
    seed : int

    Returns
    -------
    array of shape (draws, n, n)
        A state that nobody was in, in a draw, takes the row of all periods; in none of them, it stays as it is.

    Examples
    --------
    >>> resampled_matrices([[[3, 1], [0, 2]], [[5, 1], [1, 1]]], 500).shape
    (500, 2, 2)
    """
    moves = _counts("resampled_matrices", counts)
    _whole("resampled_matrices", {"draws": (draws, 1), "seed": (seed, 0)})
    rng = np.random.default_rng(seed)
    total = moves.sum(axis=0)
    typical = _rows(total, np.eye(total.shape[0]))
    if len(moves) == 1:
        out = np.empty((draws, *total.shape))
        for i, row in enumerate(total):
            seen = row > 0
            out[:, i] = typical[i]
            if row.sum() > 0:
                out[:, i, seen] = rng.dirichlet(row[seen] + 0.5, draws)
        return out
    return np.asarray([_rows(total, typical) for total in np.tensordot(_picked(len(moves), draws, seed), moves, axes=1)])


def _picked(periods: int, draws: int, seed: int) -> npt.NDArray[np.int64]:
    """How often each period is in each resample."""
    return np.random.default_rng(seed).multinomial(periods, np.full(periods, 1 / periods), draws)


@dataclass(frozen=True, eq=False)
class Projection:
    """How many customers will be in each state.

    Attributes
    ----------
    expected, low, high : array of shape (steps + 1, n)
        Customers per state after 0, 1, … steps; low and high carry what is not known of the matrix, and chance.
    drawn : array of shape (draws, steps + 1, n)
        What the intervals are taken from.
    """

    expected: Array
    low: Array
    high: Array
    drawn: Array

    def total(self, members: npt.ArrayLike, level: float = LEVEL) -> Array:
        """Customers in any of some states: expected, low and high after each step, of shape (3, steps + 1)."""
        inside = np.asarray(members)
        low, high = _ends(self.drawn[:, :, inside].sum(axis=2), checked_level("project", level))
        return np.asarray([self.expected[:, inside].sum(axis=1), low, high])


def project(
    counts: npt.ArrayLike, start: npt.ArrayLike, steps: int, level: float = LEVEL, draws: int = 500, seed: int = 0
) -> Projection:
    """Project today's customers forward with a fixed matrix. Nobody comes and nobody goes: the sum over states stays.

    Parameters
    ----------
    counts : array of shape (periods, n, n)
        Moves that the matrix is estimated from.
    start : array of shape (n,)
        Customers per state today, whole numbers.
    steps : int
    level : float
    draws : int
        Of matrices (periods resampled), each with one course of chance (multinomial).
    seed : int

    Returns
    -------
    Projection

    Raises
    ------
    ModelError
        Shapes do not go together, or there are no moves at all.

    Examples
    --------
    >>> found = project([[[80, 20], [10, 90]], [[70, 30], [15, 85]]], [100, 0], 12)
    >>> found.expected[1].tolist()
    [75.0, 25.0]
    >>> bool((found.drawn.sum(axis=2) == 100).all())
    True
    """
    moves = _counts("project", counts)
    now = checked_numbers("project", "start", start)
    n = moves.shape[1]
    if now.shape != (n,):
        raise ModelError.expected("project", "start", f"{n} numbers of customers, one per state", f"shape {now.shape}")
    if not ((now >= 0) & (now <= _MOST) & (now == np.floor(now))).all():
        raise ModelError.expected("project", "start", f"whole numbers of customers, at most {_MOST:g}", now.tolist())
    _whole("project", {"steps": (steps, 1), "draws": (draws, 1), "seed": (seed, 0)})
    share = checked_level("project", level)
    if not moves.any():
        raise ModelError.expected("project", "counts", "at least one move", "none")
    total = moves.sum(axis=0)
    matrix = _rows(total, np.eye(n))
    expected = np.empty((steps + 1, n))
    expected[0] = now
    for step in range(steps):
        expected[step + 1] = expected[step] @ matrix
    rng = np.random.default_rng(seed + 1)
    matrices = resampled_matrices(moves, draws, seed)
    drawn = np.zeros((draws, steps + 1, n))
    drawn[:, 0] = now
    for step in range(steps):
        for i in range(n):
            drawn[:, step + 1] += rng.multinomial(drawn[:, step, i].astype(np.int64), matrices[:, i])
    low, high = _ends(drawn, share)
    return Projection(expected, low, high, drawn)


def _ends(drawn: Array, level: float) -> tuple[Array, Array]:
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def _rows(total: Array, otherwise: Array) -> Array:
    """Counts as probabilities; rows without any take those of another matrix."""
    n = total.sum(axis=1, keepdims=True)
    return np.where(n > 0, total / np.maximum(n, 1e-300), otherwise)


def _counts(model: str, counts: Any) -> Array:
    moves = checked_numbers(model, "counts", counts)
    if moves.ndim != 3 or moves.shape[1] != moves.shape[2] or not len(moves):
        raise ModelError.expected(model, "counts", "of shape (periods, n, n)", f"shape {moves.shape}")
    if not ((moves >= 0) & (moves <= _MOST)).all():
        raise ModelError.expected(model, "counts", f"numbers of at least 0, at most {_MOST:g}", "others")
    return moves


def _whole(model: str, given: Mapping[str, tuple[Any, int]]) -> None:
    """Check whole numbers, each with the least that it may be."""
    for name, (value, least) in given.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise ModelError.expected(model, name, f"a whole number of at least {least}", value)


def _matrix(model: str, P: Any) -> Array:
    matrix = checked_numbers(model, "P", P)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
        raise ModelError.expected(model, "P", "a square matrix", f"shape {matrix.shape}")
    if not ((matrix >= 0).all() and np.abs(matrix.sum(axis=1) - 1).max() <= _TOLERANCE):
        raise ModelError.expected(model, "P", "probabilities, each row adding up to 1", matrix.sum(axis=1).tolist())
    return matrix

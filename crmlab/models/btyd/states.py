"""Checking of summaries, and their compression to distinct states with weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.errors import ModelError
from crmlab.frames import as_pandas, is_table
from crmlab.models.btyd.leaving import Standing
from crmlab.models.btyd.special import Array

__all__ = [
    "Group",
    "Index",
    "States",
    "checked",
    "checked_history",
    "checked_weight",
    "compress",
    "floats",
    "framed",
    "one_table",
    "over_values",
    "refuse",
    "typical",
]


Index = npt.NDArray[np.int64]
# Above this many cells a table of all possible states costs more than hashing.
_TABLE_CELLS = 30_000_000
# Above this a float need not be a whole number of 64 bits.
_WHOLE = 2.0**62


@dataclass(frozen=True)
class Group:
    """The distinct values of one column of states, and the place of each state among them."""

    values: Array
    inverse: Index


@dataclass
class States:
    """Distinct states: columns of equal length, weights, and the state of each row of the frame they came from.

    Attributes
    ----------
    columns : list of arrays of shape (n_states,)
        Sorted, so that nothing depends on the order of rows.
    weight : array of shape (n_states,)
        Number of customers in each state.
    inverse : array of shape (n_rows,)
    standing : Standing or None
        Where they stand on the calendar, of a model that buys on a clock and leaves by the calendar.
    """

    columns: list[Array]
    weight: Array
    inverse: Index
    standing: Standing | None = None
    _groups: dict[int, Group] = field(default_factory=dict)

    @property
    def n(self) -> float:
        """Number of customers."""
        return float(self.weight.sum())

    def group(self, column: int) -> Group:
        """Distinct values of a column."""
        if column not in self._groups:
            self._groups[column] = Group(*_unique(self.columns[column]))
        return self._groups[column]

    def retimed(self, recency: Array, ages: Array) -> States:
        """The same states in another time: the recency of each, and the ages of the group of ages, in the same order.

        Recencies that were few become many, and are not looked through for equal ones.
        """
        x, age = self.group(0), self.group(2)
        groups = {0: x, 1: Group(recency, np.arange(len(recency))), 2: Group(ages, age.inverse)}
        return States(
            [self.columns[0], recency, ages[age.inverse], *self.columns[3:]], self.weight, self.inverse, _groups=groups
        )

    def taken(self, which: Any, weight: Array | None = None) -> States:
        """Some of the states, or some several times, which no rows belong to; with weights of their own where they are given."""
        return States(
            [column[which] for column in self.columns],
            self.weight[which] if weight is None else weight,
            np.empty(0, dtype=np.int64),
            None if self.standing is None else self.standing.taken(which),
        )

    def digest(self) -> str:
        """A hash of the states and their weights, by which the same customers are recognised, in whatever order they come."""
        found = hashlib.sha256()
        for part in (*self.columns, self.weight):
            found.update(np.asarray(part, dtype="<f8").tobytes())
        return found.hexdigest()

    def without_rows(self) -> States:
        """The same states, without the rows of which they are."""
        return replace(self, inverse=np.empty(0, dtype=np.int64), _groups={})

    def on_ages(self, function: Callable[[Array], Array], scale: float) -> Array:
        """Work a positive, smooth function of the calendar's age out, as :meth:`on_pairs` does of two; ``standing`` must be there."""
        assert self.standing is not None
        ages, inverse = _unique(self.standing.age)
        count = _nodes_needed(ages, scale)
        if len(ages) <= 2 * count:
            return function(ages)[inverse]
        matrix, nodes = _chebyshev(ages, scale, count)
        out: Array = np.exp(matrix @ np.log(function(nodes)))[inverse]
        return out

    @cached_property
    def pairs(self) -> tuple[Array, Array, Index]:
        """Distinct (first, third) columns, that is (frequency, T), and the pair of each state."""
        first, last = self.group(0), self.group(2)
        key, inverse = _unique(first.inverse * len(last.values) + last.inverse)
        return first.values[key // len(last.values)], last.values[key % len(last.values)], inverse

    def on_pairs(self, function: Callable[[Array, Array], Array], scale: float) -> Array:
        """Work a positive, smooth function of (frequency, T) out once per pair; of several functions at once, one in each column.

        Where one frequency meets many ages, the function is interpolated over log(scale + T) by Chebyshev's polynomials. The
        functions of these models are analytic but for T = −scale, so the error is known beforehand and kept below 1e-11.
        """
        x, T, inverse = self.pairs
        starts = np.flatnonzero(np.concatenate([[True], x[1:] != x[:-1]]))
        ends = np.concatenate([starts[1:], [len(x)]])
        ask_x: list[Array] = []
        ask_t: list[Array] = []
        plan: list[tuple[Any, Any, Any]] = []
        for start, end in zip(starts, ends, strict=True):
            ages = T[start:end]
            count = _nodes_needed(ages, scale)
            if end - start > 2 * count:
                matrix, nodes = _chebyshev(ages, scale, count)
                plan.append((start, end, matrix))
            else:
                nodes = ages
                plan.append((start, end, None))
            ask_x.append(np.full(len(nodes), x[start]))
            ask_t.append(nodes)
        answer = function(np.concatenate(ask_x), np.concatenate(ask_t))
        out, place = np.empty((len(x), *answer.shape[1:])), 0
        for (start, end, matrix), nodes in zip(plan, ask_t, strict=True):
            part = answer[place : place + len(nodes)]
            place += len(nodes)
            out[start:end] = part if matrix is None else np.exp(matrix @ np.log(part))
        return out[inverse]


def _nodes_needed(ages: Array, scale: float, away: float = np.pi) -> int:
    """Number of Chebyshev nodes for 1e-12: the singularity is so far away, π unless told, from the interval of log(scale + T)."""
    half = max(float(np.log((scale + ages[-1]) / (scale + ages[0]))) / 2, 1e-3)
    return int(np.ceil(32 / np.arcsinh(away / half))) + 3


def _chebyshev(ages: Array, scale: float, count: int) -> tuple[Array, Array]:
    """Interpolation matrix to the ages given, and the nodes it starts from (barycentric formula)."""
    y = np.log(ages + scale)
    k = np.arange(count)
    angle = (2 * k + 1) * np.pi / (2 * count)
    nodes = (y[0] + y[-1]) / 2 + (y[-1] - y[0]) / 2 * np.cos(angle)
    gap = y[:, None] - nodes
    exact = gap == 0
    part = (-1.0) ** k * np.sin(angle) / np.where(exact, 1.0, gap)
    matrix = part / part.sum(axis=1, keepdims=True)
    rows = exact.any(axis=1)
    matrix[rows] = exact[rows]
    return matrix, np.maximum(np.exp(nodes) - scale, 0.0)


def over_values(values: Array, function: Callable[[float, Any], Array]) -> Array:
    """Work a positive, smooth function of a positive number out for states that differ by it, of many of them interpolated.

    Parameters
    ----------
    values : array of shape (n_states,)
        The number of each state.
    function : callable
        The number, and which states (places) have it → answers of shape (n, …).

    Returns
    -------
    array of shape (n_states, …)

    Notes
    -----
    Of more values than nodes are needed it is worked out for all states at each of Chebyshev's nodes over the log of the number, and
    interpolated: within 1e-11 where the function has no singularity nearer than π / 2 to the real logs.

    Examples
    --------
    >>> numbers = np.linspace(1.0, 2.0, 200)
    >>> float(np.abs(over_values(numbers, lambda a, which: np.full(len(numbers[which]), 1 + a * a)) - 1 - numbers**2).max()) < 1e-10
    True
    """
    distinct, place = _unique(values)
    if len(distinct) == 1:
        return function(float(distinct[0]), slice(None))
    count = _nodes_needed(distinct, 0.0, np.pi / 2)
    if len(distinct) <= count:
        parts = [(k, function(float(value), np.flatnonzero(place == k))) for k, value in enumerate(distinct)]
        out = np.empty((len(values), *parts[0][1].shape[1:]))
        for k, part in parts:
            out[place == k] = part
        return out
    matrix, nodes = _chebyshev(distinct, 0.0, count)
    each = matrix[place]
    total: Any = 0.0
    for k, node in enumerate(nodes):
        found = np.log(function(float(node), slice(None)))
        total = total + each[:, k].reshape(-1, *([1] * (found.ndim - 1))) * found
    answer: Array = np.exp(total)
    return answer


def _unique(values: Any) -> tuple[Any, Index]:
    """Sorted distinct values and the place of each value, by hashing: sorting a million floats is slower."""
    codes, found = pd.factorize(np.asarray(values), sort=True)
    return np.asarray(found), codes.astype(np.int64)


def compress(columns: Sequence[Array], weight: Array | None = None) -> States:
    """Reduce rows to distinct states.

    Parameters
    ----------
    columns : sequence of arrays of shape (n_rows,)
        Finite.
    weight : array of shape (n_rows,), optional
        Number of customers that a row stands for; 1 where it is not given.

    Returns
    -------
    States

    Examples
    --------
    >>> states = compress([np.array([1.0, 0.0, 1.0]), np.array([2.0, 0.0, 2.0])])
    >>> states.columns[0], states.weight, states.inverse
    (array([0., 1.]), array([1., 2.]), array([1, 0, 1]))
    """
    key: Any = np.zeros(len(columns[0]), dtype=np.int64)
    cells, decode = 1, []
    for column in columns:
        whole = np.minimum(column, _WHOLE).astype(np.int64)
        top = int(whole.max(initial=0)) + 1
        if top <= 100_000 and int(whole.min(initial=0)) >= 0 and (whole == column).all():
            codes, values, size = whole, None, top
        else:
            values, codes = _unique(column)
            size = len(values)
        if cells * size >= 2**62:
            packed, key = _unique(key)
            decode.append((packed, None, 0))
            cells = len(packed)
        key = key * size + codes
        cells *= size
        decode.append((None, values, size))
    if cells <= min(_TABLE_CELLS, max(40 * len(key), 100_000)):
        seen = np.zeros(cells, dtype=bool)
        seen[key] = True
        found = np.flatnonzero(seen)
        table = np.empty(cells, dtype=np.int32)
        table[found] = np.arange(len(found), dtype=np.int32)
        inverse = table[key].astype(np.int64)
    else:
        found, inverse = _unique(key)
    count = np.bincount(inverse, weights=weight, minlength=len(found)).astype(float)
    out: list[Array] = []
    rest = found
    for packed, values, size in reversed(decode):
        if packed is not None:
            rest = packed[rest]
            continue
        code = rest % size
        rest = rest // size
        out.append(code.astype(float) if values is None else values[code].astype(float))
    return States(out[::-1], count, inverse)


def typical(values: Array, weight: Array) -> float:
    """Typical size of positive values, which sets the scale of a search: their mean, none counted as above 100 times the median.

    A few that are absurd, an amount of a billion among twenties, must not move the scale; of usual values it is the plain mean.

    Parameters
    ----------
    values, weight : arrays of shape (n,)
        At least 0, one above; the median is of those above 0.

    Examples
    --------
    >>> typical(np.array([10.0, 20.0, 30.0]), np.ones(3)), typical(np.array([10.0, 20.0, 1e9]), np.ones(3))
    (20.0, 676.6666666666666)
    """
    some = values > 0
    order = np.argsort(values[some], kind="stable")
    ranked, reached = values[some][order], np.cumsum(weight[some][order])
    median = float(ranked[np.searchsorted(reached, reached[-1] / 2)])
    return float(weight @ np.minimum(values, 100 * median) / weight.sum())


def framed(model: str, given: Any) -> pd.DataFrame:
    """Customers as a pandas frame, whose index is that of the answers.

    Parameters
    ----------
    model : str
        Who asks, for the message.
    given : table
        Of pandas, Polars or PyArrow, or an Ibis table, which comes ordered by customer_id.

    Returns
    -------
    DataFrame
        With its own index where it has one; where it has none but 0, 1, 2, …, and a column customer_id, indexed by that.

    Raises
    ------
    ModelError
        It is no table.

    Examples
    --------
    >>> framed("BGNBD", pd.DataFrame({"customer_id": ["a", "b"], "T": [3.0, 4.0]})).index.tolist()
    ['a', 'b']
    >>> framed("BGNBD", pd.DataFrame({"customer_id": ["a", "b"], "T": [3.0, 4.0]}, index=[7, 9])).index.tolist()
    [7, 9]
    """
    frame = as_pandas(given, model, ModelError)
    index = frame.index
    numbered = isinstance(index, pd.RangeIndex) and (index.start, index.step, index.name) == (0, 1, None)
    return frame.set_index("customer_id") if numbered and "customer_id" in frame.columns else frame


def one_table(model: str, needs: str, given: Any, others: Sequence[Any]) -> None:
    """Refuse columns that are given one by one, as lifetimes takes them, where one table is asked for.

    Parameters
    ----------
    model : str
        Who asks, for the message.
    needs : str
        The columns, such as ``"frequency, recency and T"``.
    given : table
    others : sequence
        What was given after it: nothing, or y as scikit-learn gives it beside a table.

    Raises
    ------
    ModelError
        Columns were given one by one.

    Examples
    --------
    >>> one_table("BGNBD", "frequency, recency and T", [1, 2], ([3.0, 4.0], [5.0, 6.0]))
    Traceback (most recent call last):
    crmlab.errors.models.ModelError: BGNBD: fit takes one table with frequency, recency and T. Got 3 arguments instead. Put them into ...
    """
    if len(others) > 1 or (others[0] is not None and not is_table(given)):
        columns = ", ".join(f"'{name}': …" for name in needs.replace(" and ", ", ").split(", "))
        raise ModelError(
            f"{model}: fit takes one table with {needs}. Got {len(others) + 1} arguments instead. "
            f"Put them into one frame, as customer_summary makes it: fit(pandas.DataFrame({{{columns}}}))."
        )


def checked(model: str, frame: Any, columns: Sequence[str]) -> dict[str, Array]:
    """Columns of a table as arrays of float.

    Raises
    ------
    ModelError
        What was given is no table, is empty, or lacks a column.
    """
    frame = as_pandas(frame, model, ModelError)
    for column in columns:
        if column not in frame.columns:
            raise ModelError.missing_column(model, column, frame.columns)
    if frame.empty:
        raise ModelError.empty(model)
    out = {}
    for column in columns:
        out[column] = floats(frame[column])
    return out


def floats(column: pd.Series) -> Array:
    """A column as an array of float; missing for what is no number, such as a word or a date."""
    if column.dtype.kind in "mMc":
        return np.full(len(column), np.nan)
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)


def refuse(model: str, expectation: str, bad: npt.NDArray[np.bool_], frame: pd.DataFrame, hint: str = "") -> None:
    """Raise an error that counts the rows that are bad, if there are any."""
    count = int(bad.sum())
    if count:
        raise ModelError.bad_rows(model, expectation, count, len(bad), frame.index[int(bad.argmax())], hint)


def checked_weight(model: str, frame: pd.DataFrame) -> Array | None:
    """Weights of the rows, or None where there is no such column."""
    if "weight" not in frame.columns:
        return None
    weight = checked(model, frame, ["weight"])["weight"]
    refuse(model, "weight must be a whole number of at least 1", ~((weight >= 1) & (weight == np.floor(weight))), frame)
    return weight


def checked_history(model: str, frame: Any, age: str, hint: str = "") -> list[Array]:
    """Frequency, recency and age, checked row by row."""
    frame = framed(model, frame)
    found = checked(model, frame, ["frequency", "recency", age])
    x, tx, T = found["frequency"], found["recency"], found[age]
    with np.errstate(invalid="ignore"):
        refuse(
            model, "frequency must be a whole number of at least 0", ~((x >= 0) & (x == np.floor(x)) & np.isfinite(x)), frame
        )
        refuse(model, "recency must be a number of at least 0", ~((tx >= 0) & np.isfinite(tx)), frame)
        refuse(model, f"{age} must be a number of at least 0", ~((T >= 0) & np.isfinite(T)), frame)
        refuse(model, f"recency must be at most {age}", tx > T, frame, hint)
        refuse(
            model, "recency must be 0 where frequency is 0", (x == 0) & (tx > 0), frame, "Frequency counts repeat purchases."
        )
    return [x, tx, T]

"""Brings what an engine has computed into Python: the only way out of it, with rows in a fixed order and counted."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import ibis
    import pandas as pd
    import pyarrow as pa

__all__ = [
    "ORDERED",
    "Query",
    "Tally",
    "collect",
    "collect_arrow",
    "collect_batches",
    "collect_row",
    "collect_value",
    "counted",
]

ORDERED: Final = ("its own order",)  # for `by`: the expression ends in an order_by of its own, which leaves no ties


def collect(table: ibis.Table, by: str | Sequence[str]) -> pd.DataFrame:
    """Collect a table as a frame, ordered by its key.

    Parameters
    ----------
    table : ibis.Table
    by : str or sequence of str
        Columns of the key, by which rows are ordered; rows that are equal in them are ordered by the other columns, from left to
        right, so that no order depends on the engine. ``ORDERED``: the table has an order of its own, which is kept.

    Returns
    -------
    DataFrame
        With an index of 0, 1, …; missing values of the key come last.

    Notes
    -----
    The engine sorts. Of a million rows with a text key, DuckDB brings a frame in 0.19 s without order, in 0.25 s ordered by all of
    its six columns, and pandas needs 0.30 s more to sort it by its key alone. Spark takes nearly a fifth longer than it would
    without order. Both compare texts by code point and put missing values last.

    Examples
    --------
    >>> import ibis
    >>> collect(ibis.memtable({"customer_id": ["b", "a"], "spend": [1.0, 2.0]}), "customer_id").values.tolist()
    [['a', 2.0], ['b', 1.0]]
    """
    frame: pd.DataFrame = _left(_ordered(table, by), "to_pandas")
    return frame


def collect_arrow(table: ibis.Table, by: str | Sequence[str]) -> pa.Table:
    """Collect a table as an Arrow table, ordered by its key as :func:`collect` orders; exact, and quicker than a frame.

    Examples
    --------
    >>> import ibis
    >>> collect_arrow(ibis.memtable({"customer_id": ["b", "a"]}), "customer_id")["customer_id"].to_pylist()
    ['a', 'b']
    """
    found: pa.Table = _left(_ordered(table, by), "to_pyarrow")
    return found


def collect_batches(table: ibis.Table, rows: int) -> Iterator[pa.RecordBatch]:
    """Collect a table piece by piece, in no order: for what is too long to be sorted or held at once.

    Whoever takes the pieces must come to the same result in any order of rows.

    Parameters
    ----------
    table : ibis.Table
    rows : int
        Rows of a piece, at most.
    """
    yield from _left(table, "to_pyarrow_batches", chunk_size=rows)


def collect_row(table: ibis.Table) -> dict[str, Any]:
    """Collect a table of exactly one row, by column: aggregates without groups, which are asked for together.

    Examples
    --------
    >>> import ibis
    >>> table = ibis.memtable({"spend": [1, 2]})
    >>> collect_row(table.aggregate(rows=table.count(), spend=table["spend"].sum()))
    {'rows': 2, 'spend': 3}
    """
    (row,) = _left(table, "to_pyarrow").to_pylist()
    return dict(row)


def collect_value(value: ibis.Value) -> Any:
    """Collect a single value, as Python has it.

    Examples
    --------
    >>> import ibis
    >>> collect_value(ibis.memtable({"spend": [1, 2]}).count())
    2
    """
    return _left(value, "to_pyarrow").as_py()


@dataclass(eq=False)
class Query:
    """One query whose rows were collected.

    Attributes
    ----------
    caller : str
        Module and function that collected, as in ``crmlab.history.orders.history``.
    expression : int
        The same for the same expression.
    rows : int
        Rows that it brought; a value is one row.
    """

    caller: str
    expression: int
    rows: int = 0


@dataclass(frozen=True, eq=False)
class Tally:
    """What was collected inside :func:`counted`.

    Attributes
    ----------
    collected : list of Query
        In the order in which they were asked.
    """

    collected: list[Query] = field(default_factory=list)

    @property
    def queries(self) -> int:
        """How many queries were collected."""
        return len(self.collected)

    @property
    def rows(self) -> int:
        """How many rows they brought."""
        return sum(query.rows for query in self.collected)

    @property
    def repeated(self) -> int:
        """How many of the queries had been asked before."""
        return self.queries - len({query.expression for query in self.collected})

    def callers(self) -> dict[str, tuple[int, int]]:
        """Return queries and rows by caller, most queries first."""
        rows: Counter[str] = Counter()
        for query in self.collected:
            rows[query.caller] += query.rows
        asked = Counter(query.caller for query in self.collected)
        return {caller: (queries, rows[caller]) for caller, queries in asked.most_common()}


_TALLIES: ContextVar[tuple[Tally, ...]] = ContextVar("crmlab_tallies", default=())


@contextmanager
def counted() -> Iterator[Tally]:
    """Count the queries and rows that are collected inside a block.

    A tally belongs to the block, not to the process: what other threads collect meanwhile is theirs. A thread that the block
    starts is counted if it runs in a copy of the block's context (:func:`contextvars.copy_context`). A process counts for itself.
    Blocks may stand inside each other; each counts all that is collected inside it.

    Examples
    --------
    >>> import ibis
    >>> with counted() as tally:
    ...     found = collect(ibis.memtable({"customer_id": ["b", "a"]}), "customer_id")
    >>> tally.queries, tally.rows, tally.repeated
    (1, 2, 0)
    """
    tally = Tally()
    token = _TALLIES.set((*_TALLIES.get(), tally))
    try:
        yield tally
    finally:
        _TALLIES.reset(token)


def _ordered(table: ibis.Table, by: str | Sequence[str]) -> ibis.Table:
    import ibis.expr.operations as ops

    if by is ORDERED:
        return table
    below = table.op()
    while isinstance(below, ops.Filter):
        below = below.parent
    if isinstance(below, ops.Distinct):
        # Ordered, distinct rows of what was filtered come back with duplicates from Spark and Postgres: Ibis 12 adds the columns
        # of the filter to those that are to be distinct. Groups are the same rows.
        table = table.group_by(table.columns).agg()
    key = [by] if isinstance(by, str) else list(by)
    # Not every engine can compare what is nested.
    others = [name for name, kind in table.schema().items() if name not in key and not kind.is_nested()]
    return table.order_by([*key, *others])


def _left(expression: ibis.Expr, form: str, **how: Any) -> Any:
    """Let an expression leave its engine in some form, and count it: all collecting comes through here."""
    query = _noted(expression)
    with _nested(expression):
        found = getattr(expression, form)(**how)
    if form == "to_pyarrow_batches":
        return _counting(found, query)
    query.rows = len(found) if hasattr(found, "__len__") and form == "to_pandas" else getattr(found, "num_rows", 1)
    return found


@contextmanager
def _nested(expression: ibis.Expr) -> Iterator[None]:
    """Write each step of an expression as a query of its own, for DuckDB.

    Putting steps into one query, which it does by itself, takes Ibis longer than DuckDB needs for the answer.
    """
    import ibis

    if expression.get_backend().name != "duckdb":
        yield
        return
    sql = ibis.options.sql
    before, sql.fuse_selects = sql.fuse_selects, False
    try:
        yield
    finally:
        sql.fuse_selects = before


def _counting(batches: Iterator[pa.RecordBatch], query: Query) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        query.rows += batch.num_rows
        yield batch


def _noted(expression: ibis.Expr) -> Query:
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals["__name__"] == __name__:
        frame = frame.f_back
    query = Query(f"{frame.f_globals['__name__']}.{frame.f_code.co_name}", hash(expression.op()))
    for tally in _TALLIES.get():
        tally.collected.append(query)
    return query

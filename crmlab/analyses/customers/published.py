"""What is published of customers: its columns, which the dictionary of quantities explains."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from crmlab.analyses.customers.quantities import QUANTITIES
from crmlab.errors import PublishError, listing

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["CUSTOMERS", "DICTIONARY", "PUBLISHED", "SQL_TYPES", "Kind", "Published", "prepared"]


Kind = Literal["text", "number", "count", "date", "flag"]
CUSTOMERS, DICTIONARY = "crmlab_customers", "crmlab_dictionary"
# What a kind is called by DuckDB and Postgres, and what an error message calls its values.
SQL_TYPES: dict[str, str] = {"text": "text", "number": "double precision", "count": "bigint", "date": "date", "flag": "boolean"}
_WORDS = {"text": "text", "number": "numbers", "count": "whole numbers", "date": "dates", "flag": "yes or no"}


@dataclass(frozen=True)
class Published:
    """One published column. ``key`` columns tell rows apart; a ``required`` column has a value in every row."""

    name: str
    kind: Kind
    meaning: str
    required: bool = False
    key: bool = False
    unit: str = ""


_KINDS: dict[str, Kind] = {"text": "text", "date": "date", "flag": "flag", "days": "count"}  # of a unit; of any other "number"


def _column(name: str, *, required: bool = False, key: bool = False) -> Published:
    """A column as the dictionary of quantities has it."""
    found = QUANTITIES[name]
    return Published(name, _KINDS.get(found.unit, "number"), found.meaning, required, key, found.unit)


PUBLISHED: tuple[Published, ...] = (
    _column("customer_id", required=True, key=True),
    _column("as_of", required=True),
    *map(_column, ("value", "value_low", "value_high", "value_level", "currency", "tier", "state", "days_since_last", "churn")),
    *map(_column, ("if_loyal", "value_today", "at_risk", "most_to_spend", "customer_rank")),
    *map(_column, ("next_offers", "triggers", "contactable", "refusal")),
    # Of the report on actions: whoever publishes asks it for them.
    *map(_column, ("action", "action_reason")),
    *map(_column, ("value_model", "churn_model", "offer_model")),
)
_RUN = Published(
    "run", "text", "identifier of the run: the same in every row of every table that was published together", required=True
)
_TERMS = (
    Published("table_name", "text", "published table", required=True, key=True),
    Published("column_name", "text", "column of it", required=True, key=True),
    Published("kind", "text", "kind of its values: text, number, count, date or flag", required=True),
    Published("meaning", "text", "what it means", required=True),
    Published("unit", "text", "what is counted; empty for a pure number", required=True),
)


def prepared(
    frames: Mapping[str, pd.DataFrame], dictionary: Mapping[str, Sequence[Published]]
) -> tuple[dict[str, pa.Table], dict[str, tuple[Published, ...]], str]:
    """Check frames against their dictionary and bring them into the form that is written.

    Parameters
    ----------
    frames : mapping of table names to frames
    dictionary : mapping of table names to columns

    Returns
    -------
    (tables, columns, run)
        Arrow tables in the order of the dictionary's columns, ordered by key, columns that a frame lacks empty; the dictionary itself
        as the table ``crmlab_dictionary``; each with a column ``run``, which is the same for the same contents.

    Raises
    ------
    PublishError
        A column is unknown or missing, a key is there twice, or values are of another kind.
    """
    import pandas as pd
    import pyarrow as pa

    columns = {name: tuple(dictionary[name]) for name in frames}
    tables = {name: _typed(name, frame, columns[name]) for name, frame in frames.items()}
    terms = [
        [name, column.name, column.kind, column.meaning, column.unit]
        for name, known in columns.items()
        for column in (*known, _RUN)
    ] + [[DICTIONARY, column.name, column.kind, column.meaning, column.unit] for column in (*_TERMS, _RUN)]
    frame = pd.DataFrame(terms, columns=[column.name for column in _TERMS])
    columns[DICTIONARY] = _TERMS
    tables[DICTIONARY] = _typed(DICTIONARY, frame, _TERMS)
    digest = hashlib.sha256()
    for name in sorted(tables):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, tables[name].schema) as writer:
            writer.write_table(tables[name].combine_chunks())
        digest.update(name.encode() + sink.getvalue().to_pybytes())
    run = digest.hexdigest()[:16]
    marked = {name: t.append_column("run", pa.array([run] * t.num_rows, pa.string())) for name, t in tables.items()}
    return marked, {name: (*known, _RUN) for name, known in columns.items()}, run


def _typed(name: str, frame: pd.DataFrame, columns: tuple[Published, ...]) -> pa.Table:
    import pyarrow as pa

    known = [column.name for column in columns]
    for column in frame.columns:
        if column not in known:
            raise PublishError.unknown_column(name, str(column), known)
    arrays: dict[str, Any] = {}
    for column in columns:
        if column.name not in frame.columns:
            if column.required:
                raise PublishError(
                    f"{name}: missing column '{column.name}', which must be published. Found: {listing(frame.columns)}. "
                    "Add it to the frame."
                )
            arrays[column.name] = pa.nulls(len(frame), _arrow(column.kind))
            continue
        try:
            array = pa.array(frame[column.name], type=_arrow(column.kind), from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError) as error:
            raise PublishError.wrong_values(
                name, column.name, _WORDS[column.kind], f"type {frame[column.name].dtype}"
            ) from error
        if column.required and array.null_count:
            raise PublishError.wrong_values(name, column.name, "a value in every row", f"{array.null_count:,} empty")
        arrays[column.name] = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    table = pa.table(arrays)
    keys = [column.name for column in columns if column.key]
    if keys:
        distinct = table.select(keys).group_by(keys).aggregate([]).num_rows
        if distinct != table.num_rows:
            raise PublishError.wrong_values(name, ", ".join(keys), "each value once", f"{table.num_rows - distinct:,} repeated")
        table = table.sort_by([(key, "ascending") for key in keys])
    return table


def _arrow(kind: str) -> Any:
    import pyarrow as pa

    return {"text": pa.string(), "number": pa.float64(), "count": pa.int64(), "date": pa.date32(), "flag": pa.bool_()}[kind]

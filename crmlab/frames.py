"""Tables as people bring them: pandas, Polars, PyArrow or Ibis, each taken as the frame that models and tests work on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crmlab.collecting import collect, collect_arrow
from crmlab.errors import shown

if TYPE_CHECKING:
    import ibis
    import narwhals as nw
    import pandas as pd
    import pyarrow as pa

__all__ = ["KINDS", "as_arrow", "as_ibis", "as_pandas", "is_ibis", "is_table"]

KINDS = "a table: a frame of pandas, Polars or PyArrow, or an Ibis table"


def is_table(given: Any) -> bool:
    """Whether something is a table of pandas, Polars or PyArrow, or an Ibis table.

    Examples
    --------
    >>> import pyarrow as pa
    >>> is_table(pa.table({"a": [1]})), is_table([1])
    (True, False)
    """
    import narwhals as nw
    import pandas as pd

    if isinstance(given, pd.DataFrame) or is_ibis(given):
        return True
    return isinstance(nw.from_native(given, pass_through=True), nw.DataFrame | nw.LazyFrame)


def as_pandas(given: Any, what: str, error: type[Exception], key: str = "customer_id") -> pd.DataFrame:
    """Return a table as a pandas frame: one of pandas as it is, any other with an index of 0, 1, ….

    Parameters
    ----------
    given : table
        Of pandas, Polars (a lazy one is collected) or PyArrow, or an Ibis table, whose rows are counted and come ordered by their key.
    what : str
        What the message calls it, such as ``"BGNBD"``.
    error : type of exception
        Raised where it is none.
    key : str
        By which rows of an Ibis table are ordered; its first column where it has none of that name.

    Raises
    ------
    error
        It is no table.

    Examples
    --------
    >>> import ibis
    >>> as_pandas(ibis.memtable({"customer_id": ["b", "a"], "x": [1, 2]}), "orders", ValueError)["x"].tolist()
    [2, 1]
    >>> as_pandas([1], "orders", ValueError)
    Traceback (most recent call last):
    ValueError: orders: expected a table: a frame of pandas, Polars or PyArrow, or an Ibis table. Got 'list' instead.
    """
    import pandas as pd

    if isinstance(given, pd.DataFrame):
        return given
    if is_ibis(given):
        return collect(given, key if key in given.columns else given.columns[0])
    found: pd.DataFrame = _eager(given, what, error).to_pandas()
    return found.reset_index(drop=True)


def as_arrow(given: Any, what: str, error: type[Exception]) -> pa.Table:
    """Return a table as an Arrow table: every column under its name as text, and of a pandas frame the named levels of its index too.

    Values of one column that have no common Arrow type, such as numbers and texts, become texts.

    Parameters
    ----------
    given : table
        As for :func:`as_pandas`; it is not changed. Rows of an Ibis table come ordered by all of its columns.
    what : str
        What the message calls it, such as ``"orders"``.
    error : type of exception
        Raised where it is no table, or two columns have the same name.

    Raises
    ------
    error
        It is no table, or two of its columns have the same name.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"total": [1.5]}, index=pd.Index([7], name="customer"))
    >>> as_arrow(frame, "orders", ValueError).to_pylist()
    [{'customer': 7, 'total': 1.5}]
    """
    import pandas as pd

    if isinstance(given, pd.DataFrame):
        return _arrow_of_pandas(given, what, error)
    if is_ibis(given):
        return collect_arrow(given, list(given.columns))
    table: pa.Table = _eager(given, what, error).to_arrow()
    _distinct(table.column_names, what, error)
    return table


def as_ibis(given: Any, what: str, error: type[Exception]) -> ibis.Table:
    """Return a table as an Ibis table: one of Ibis as it is, any other as :func:`as_arrow` takes it.

    Raises
    ------
    error
        It is no table, or two of its columns have the same name.

    Examples
    --------
    >>> import pandas as pd
    >>> as_ibis(pd.DataFrame({"customer_id": ["a"]}), "customers", ValueError).columns
    ('customer_id',)
    """
    import ibis

    return given if is_ibis(given) else ibis.memtable(as_arrow(given, what, error))


def _eager(given: Any, what: str, error: type[Exception]) -> nw.DataFrame[Any]:
    """A frame of Polars or PyArrow; a lazy one is collected."""
    import narwhals as nw

    found = nw.from_native(given, pass_through=True)
    if isinstance(found, nw.LazyFrame):
        found = found.collect()
    if not isinstance(found, nw.DataFrame):
        raise error(f"{what}: expected {KINDS}. Got {shown(type(given).__name__)} instead.")
    return found


def _arrow_of_pandas(frame: pd.DataFrame, what: str, error: type[Exception]) -> pa.Table:
    import pyarrow as pa

    taken = set(map(str, frame.columns))
    levels = {
        str(name): frame.index.get_level_values(place)
        for place, name in enumerate(frame.index.names)
        if name is not None and str(name) not in taken
    }
    names = [*levels, *map(str, frame.columns)]
    _distinct(names, what, error)
    columns = [*levels.values(), *(frame.iloc[:, place] for place in range(frame.shape[1]))]
    return pa.table([_arrow_of_values(values) for values in columns], names=names)


def _arrow_of_values(values: pd.Series | pd.Index) -> pa.Array | pa.ChunkedArray:
    import pandas as pd
    import pyarrow as pa

    try:
        made = pa.array(values, from_pandas=True)
        if not isinstance(made.type, pa.BaseExtensionType):
            return made
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        pass
    return pa.array(
        [None if missing else str(value) for value, missing in zip(values, pd.isna(values), strict=True)], pa.string()
    )


def _distinct(names: list[str], what: str, error: type[Exception]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        count = names.count(twice)
        raise error(f"{what}: {count} columns of your frame are named {shown(twice)}. Expected one. Drop or rename the others.")


def is_ibis(given: Any) -> bool:
    """Whether something is an Ibis table; where Ibis was never imported, nothing is.

    Examples
    --------
    >>> import ibis
    >>> is_ibis(ibis.memtable({"a": [1]})), is_ibis({"a": [1]})
    (True, False)
    """
    import sys

    ibis = sys.modules.get("ibis")
    return ibis is not None and isinstance(given, ibis.Table)

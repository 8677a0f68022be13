"""Tables as people bring them: pandas, Polars, PyArrow or Ibis, each taken as the frame that models and tests work on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crmlab.collecting import collect
from crmlab.errors import shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["KINDS", "as_pandas", "is_table"]

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

    if isinstance(given, pd.DataFrame) or _is_ibis(given):
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
    import narwhals as nw
    import pandas as pd

    if isinstance(given, pd.DataFrame):
        return given
    if _is_ibis(given):
        return collect(given, key if key in given.columns else given.columns[0])
    found = nw.from_native(given, pass_through=True)
    if isinstance(found, nw.LazyFrame):
        found = found.collect()
    if not isinstance(found, nw.DataFrame):
        raise error(f"{what}: expected {KINDS}. Got {shown(type(given).__name__)} instead.")
    frame: pd.DataFrame = found.to_pandas()
    return frame.reset_index(drop=True)


def _is_ibis(given: Any) -> bool:
    """Whether it is an Ibis table; where Ibis was never imported, nothing is."""
    import sys

    ibis = sys.modules.get("ibis")
    return ibis is not None and isinstance(given, ibis.Table)

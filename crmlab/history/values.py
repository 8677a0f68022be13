"""Values of a frame as columns of orders and order lines: ids, days and amounts, checked value by value.

A date that is none or a missing amount is said, not summed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crmlab.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["CENSUS", "LARGEST_AMOUNT", "no_amount", "no_date", "read_columns"]

LARGEST_AMOUNT = 1e14  # DECIMAL(18, 4) holds 14 digits before the point
CENSUS = "Correct or drop these rows first."


def read_columns(frame: pd.DataFrame, table: str, required: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, pa.Array]:
    """Read columns of a frame, each as what it is by its name.

    Parameters
    ----------
    frame : DataFrame
        Named levels of its index count as columns.
    table : str
        What messages call it.
    required, optional : tuple of str
        Names of columns.

    Returns
    -------
    dict of str to pyarrow.Array
        Those that are there.

    Raises
    ------
    DataError
        A required column is missing, one is there twice or of the wrong type; a value is missing or cannot be read.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"amount": [1.5], "ordered_at": ["2024-01-31"]}, index=pd.Index(["a"], name="customer_id"))
    >>> read_columns(frame, "orders", ("customer_id", "amount"), ())["customer_id"].to_pylist()
    ['a']
    """
    names = [str(name) for name in frame.columns]
    levels = [None if name is None else str(name) for name in frame.index.names]
    columns: dict[str, pa.Array] = {}
    for column in (*required, *optional):
        count = names.count(column)
        if count > 1:
            raise DataError(
                f"{table}: {count} columns of your frame are named '{column}'. Expected one. Drop or rename the others."
            )
        if count or column in levels:
            place = (
                frame.iloc[:, names.index(column)] if count else frame.index.get_level_values(levels.index(column)).to_series()
            )
            columns[column] = _READERS.get(column, _amounts)(place, column, table)
        elif column in required:
            raise DataError.frame_lacks(table, column, names)
    return columns


def _customers(values: pd.Series, column: str, table: str) -> pa.Array:
    import pyarrow as pa

    _complete(values.isna(), values, (table, column), "customer")
    try:
        ids = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        hint = "Convert it with frame.astype({'customer_id': str})."
        raise DataError.must_hold(table, column, "ids of one type", "values of several types", hint) from error
    if pa.types.is_nested(ids.type):
        raise DataError.must_hold(table, column, "ids, one in each row", f"type {ids.type}", "Take one value out of each.")
    return ids


def _ids(values: pd.Series, column: str, table: str) -> pa.Array:
    import pyarrow as pa

    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        hint = f"Convert it with frame.astype({{'{column}': str}})."
        raise DataError.must_hold(table, column, "ids of one type", "values of several types", hint) from error


def _days(values: pd.Series, column: str, table: str) -> pa.Array:
    import pandas as pd
    import pyarrow as pa

    kind = values.dtype
    if isinstance(kind, pd.PeriodDtype) or pd.api.types.is_numeric_dtype(kind) or kind == "timedelta64[ns]":
        raise no_date(table, column, f"type {kind}")
    if not pd.api.types.is_datetime64_any_dtype(kind):
        try:
            read = pd.to_datetime(values.astype(object), format="ISO8601", errors="coerce")
        except (TypeError, ValueError) as error:  # several zones in one column have no common clock
            raise no_date(
                table, column, "times in several zones" if "zone" in str(error).lower() else f"type {kind}"
            ) from error
        _complete(read.isna(), values, (table, column), "date")
        values = read
    _complete(values.isna(), values, (table, column), "date")
    moments = values.dt.tz_localize(None) if getattr(values.dtype, "tz", None) is not None else values
    return pa.array(moments.astype("datetime64[us]"), pa.timestamp("us"))


def _amounts(values: pd.Series, column: str, table: str) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise no_amount(table, column, "values of several types") from error
    except pa.ArrowNotImplementedError as error:
        raise no_amount(table, column, f"type {values.dtype}") from error
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    kind = array.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)):
        raise no_amount(table, column, f"type {values.dtype}" if not pa.types.is_string(kind) else "text")
    numbers = pc.fill_null(array.cast("float64"), float("inf")).to_numpy(zero_copy_only=False)
    wrong = abs(numbers) >= LARGEST_AMOUNT
    if column == "return_amount":
        wrong &= ~values.isna().to_numpy()
    _complete(wrong, values, (table, column), "amount")
    return pc.round(array, 4, "half_towards_infinity").cast(pa.decimal128(18, 4)) if pa.types.is_decimal(kind) else array


_READERS: dict[str, Any] = {"customer_id": _customers, "order_id": _ids, "product_id": _ids, "ordered_at": _days}


def _complete(wrong: Any, values: pd.Series, where: tuple[str, str], word: str) -> None:
    """Raise where a flag is set; names the first row, counted from 1."""
    if wrong.any():
        place = int(wrong.argmax())
        found = values.iloc[place]
        shown = "an empty cell" if found is None or found != found or str(found) in ("<NA>", "NaT") else found
        raise DataError.unparsable(where[0], (None, where[1]), word, int(wrong.sum()), len(values), (place + 1, shown), CENSUS)


def no_date(table: str, column: str, found: str) -> DataError:
    """Return the error of a column that holds no dates."""
    hint = "Convert it with pandas.to_datetime first."
    return DataError.must_hold(table, column, "dates", found, hint)


def no_amount(table: str, column: str, found: str) -> DataError:
    """Return the error of a column that holds no amounts."""
    return DataError.must_hold(table, column, "amounts", found, "Convert it with pandas.to_numeric first.")

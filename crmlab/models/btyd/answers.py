"""Answers, one for each customer: how they come to the rows of a table and into it, and what each method says of that."""

from __future__ import annotations

from collections.abc import Callable
from inspect import cleandoc
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from crmlab.errors import ModelError
from crmlab.models.btyd.special import Array

__all__ = ["beside", "joined", "per_customer"]


Method = TypeVar("Method", bound=Callable[..., Any])

_NOTE = """
Notes
-----
Rows stand in the order of the table that was given; those of an Ibis table, which has no order, by customer_id. Answers keep the
customers' ids: where a table has a column customer_id and no index but 0, 1, 2, …, they are indexed by customer_id. pandas goes by
the index when it puts a column into a frame, and would find no such id in 0, 1, 2, …: give the frame that index first. Polars takes
the values. Answers of several columns are joined.

With pandas::

    frame = frame.set_index("customer_id")
    {pandas}

With Polars::

    {polars}
"""
_COLUMN = 'frame["{name}"] = {asked}', "frame = frame.with_columns({name}={asked}.to_numpy())"
_COLUMNS = "frame = frame.join({asked})", "frame = frame.hstack(polars.from_pandas({asked}))"


def per_customer(asked: str, *, several: bool = False) -> Callable[[Method], Method]:
    """Add to the docstring of a method how its answers, one per customer, are put into the frame that was asked about.

    Parameters
    ----------
    asked : str
        How it is called, such as ``"model.expected_purchases(frame, 26)"``.
    several : bool
        It always answers with several columns.

    Returns
    -------
    callable
        A decorator that returns the method itself.

    Examples
    --------
    >>> @per_customer("model.age(frame)")
    ... def age(frame):
    ...     '''Age of each customer.'''
    >>> "frame = frame.with_columns(age=model.age(frame).to_numpy())" in age.__doc__
    True
    """

    def told(method: Method) -> Method:
        if method.__doc__:  # there is none under python -OO
            lines = (line.format(name=method.__name__, asked=asked) for line in (_COLUMNS if several else _COLUMN))
            method.__doc__ = (
                f"{cleandoc(method.__doc__)}\n{_NOTE.format(**dict(zip(('pandas', 'polars'), lines, strict=True)))}"
            )
        return method

    return told


def joined(
    name: str, index: pd.Index, inverse: Any, point: Array, bounds: tuple[Array, Array] | None, holds: bool = True
) -> pd.Series | pd.DataFrame:
    """Bring results on distinct states back to rows: a Series, or a frame of the point, low and high.

    The interval holds its point: on the boundary the point is an edge of the posterior, and the mean of what may be seen lies beyond
    its quantiles where it is skewed; an interval that leaves its point out would mislead. ``holds`` is false where the interval is of
    something else than the point: of a yes or no, beside its probability.
    """
    if bounds is None:
        return pd.Series(point[inverse], index=index, name=name)
    low, high = bounds
    if holds:
        low, high = np.minimum(low, point), np.maximum(high, point)
    return pd.DataFrame({name: point[inverse], "low": low[inverse], "high": high[inverse]}, index=index)


def beside(model: str, frame: pd.DataFrame, *answers: pd.Series | pd.DataFrame) -> pd.DataFrame:
    """Put answers on the rows of a frame into it, by their places; ends of an interval are named after what they are of."""
    added: dict[str, Array] = {}
    for answer in answers:
        columns = answer.to_frame() if isinstance(answer, pd.Series) else answer
        name = str(columns.columns[0])
        for column in columns:
            added[name if column == name else f"{name}_{column}"] = columns[column].to_numpy()
    for name in added:
        if name in frame.columns:
            raise ModelError.must_be(
                f"{model}: the table", f"without a column '{name}', which is added", name, "Drop it, or give it another name."
            )
    return frame.assign(**added)

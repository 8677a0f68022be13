"""What every method that answers for each customer says of its rows: in which order they stand, and how an answer becomes a column."""

from __future__ import annotations

from collections.abc import Callable
from inspect import cleandoc
from typing import Any, TypeVar

__all__ = ["per_customer"]


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

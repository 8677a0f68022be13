"""Groups of customers that are too small to be shown alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["OTHER", "small_groups", "under"]


OTHER = "Other"  # the name under which groups that are too small to show are added up


def small_groups(sizes: pd.Series, least: int) -> pd.Index:
    """Return the groups that must be shown together because one of them is too small to be shown alone.

    Parameters
    ----------
    sizes : Series
        Group → number of customers.
    least : int
        The smallest size that is shown.

    Returns
    -------
    Index
        The groups with fewer than ``least`` customers, but not those with none. Where these add up to fewer than
        ``least``, the next smallest group is among them: else their number would follow from the total.

    Examples
    --------
    >>> import pandas as pd
    >>> list(small_groups(pd.Series({"a": 90, "b": 7, "c": 3, "d": 0}), 5))
    ['c', 'b']
    """
    some = sizes[sizes > 0].sort_index().sort_values(kind="stable")
    count = int((some < least).sum())
    if count and some.iloc[:count].sum() < least:
        count += 1
    return some.index[:count]


def under(sizes: pd.Series, least: int) -> int:
    """Return a round number that all of some group sizes are under, to write "<5" for each of them.

    Examples
    --------
    >>> import pandas as pd
    >>> under(pd.Series([3, 1]), 5), under(pd.Series([3, 7]), 5)
    (5, 10)
    """
    return least * (int(sizes.max()) // least + 1) if len(sizes) else least

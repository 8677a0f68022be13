"""Changes of measures between two periods, with intervals that know that the same customers are in both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crmlab.errors import ParameterError
from crmlab.models.intervals import normal_quantile
from crmlab.models.special import Array

if TYPE_CHECKING:
    import ibis

# Ratio → top, bottom, sign: what each customer adds to both.
_RATIOS = {
    "margin_share": ("cost", "costed", -1.0),
    "returned_share": ("returns", "sales", -1.0),
    "occasions_per_customer": ("occasions", "customers", 1.0),
    "products_per_customer": ("products", "customers", 1.0),
    "average_order_value": ("sales", "purchases", 1.0),
    "spend_per_occasion": ("spend", "occasions", 1.0),
}
_SUMS = ("occasions", "orders", "revenue", "returns", "cost")


@dataclass(frozen=True, eq=False)
class Panel:
    """Customers of some periods, side by side.

    Attributes
    ----------
    customers : array of str, shape (n,)
        Everybody with anything in one of the periods, ordered.
    columns : mapping of (number, name) to arrays of shape (n,)
        What :func:`crmlab.features.periods.customer_periods` sums, per period, 0 where there is nothing; and ``customers``, 1 for
        who bought.
    """

    customers: Array
    columns: Mapping[tuple[int, str], Array]

    def of(self, number: int, name: str) -> Array | None:
        """What each customer has of a sum in a period; None where the data set does not have it."""
        return self.columns.get((number, name))

    def influence(self, number: int, measure: str) -> tuple[float, Array] | None:
        """Value of a measure in a period, and how much each customer moves it.

        A sum is moved by what a customer adds; a ratio by (top − ratio × bottom) / sum of the bottoms.
        """
        if measure in _RATIOS:
            a, b, sign = _RATIOS[measure]
            top, bottom = self.of(number, a), self.of(number, b)
            if top is None or bottom is None or bottom.sum() <= 0:
                return None
            ratio = float(top.sum() / bottom.sum())
            moved = sign * (top - ratio * bottom) / bottom.sum()
            return (1 - ratio if measure == "margin_share" else sign * ratio), moved
        found = self._added(number, measure)
        return None if found is None else (float(found.sum()), found)

    def _added(self, number: int, measure: str) -> Array | None:
        buyer = self.of(number, "customers")
        if buyer is None:
            return None
        if measure in _SUMS or measure == "customers":
            return self.of(number, measure)
        if measure == "margin_revenue":
            return self.of(number, "costed")
        if measure == "margin":
            top, cost = self.of(number, "costed"), self.of(number, "cost")
            return None if top is None or cost is None else top - cost
        new, before = self.columns[number, "is_new"], self.columns[number, "bought_before"]
        if measure == "new":
            return buyer * new
        earlier = self.of(number - 1, "customers")
        if earlier is None:
            return None
        found = {"kept": buyer * before, "reactivated": buyer * (1 - new) * (1 - before), "lost": earlier * (1 - buyer)}
        return found.get(measure)


def panel(table: ibis.Table, numbers: list[int]) -> Panel:
    """Bring the customers of some periods, and of those just before them, side by side.

    Parameters
    ----------
    table : ibis.Table
        As of :func:`crmlab.features.periods.customer_periods`.
    numbers : list of int
        Places of the periods.

    Returns
    -------
    Panel
    """
    import pandas as pd

    wanted = sorted({n for number in numbers for n in (number - 1, number) if n >= 0})
    frame = table.filter(table["number"].isin(wanted)).to_pandas()
    ids = np.sort(frame["customer_id"].unique()) if len(frame) else np.array([], dtype=object)
    place = pd.Index(ids).get_indexer(frame["customer_id"])
    names = [name for name in frame.columns if name not in ("number", "customer_id")]
    columns: dict[tuple[int, str], Array] = {}
    for number in wanted:
        some = (frame["number"] == number).to_numpy()
        for name in names:
            values = np.zeros(len(ids))
            values[place[some]] = frame.loc[some, name].to_numpy(float, na_value=0.0)
            columns[number, name] = values
        columns[number, "customers"] = (columns[number, "occasions"] > 0).astype(float)
    return Panel(ids, columns)


def change(
    before: tuple[float, Array], after: tuple[float, Array], *, level: float = 0.9, absolute: bool = False
) -> tuple[float, float, float] | None:
    """Change of a measure between two periods, with an interval over customers.

    Parameters
    ----------
    before, after : (value, influence)
        Of both periods, over the same customers in the same order.
    level : float
    absolute : bool
        The difference, as for shares; relative to the earlier value unless given.

    Returns
    -------
    (change, low, high) or None
        0.1 is ten percent more; None where a value is not positive, so that no ratio can be made.

    Raises
    ------
    ParameterError
        ``level`` is not between 0 and 1.

    Notes
    -----
    The log of the ratio has the variance of the sum over customers of squared differences of their influences, each relative to
    its value: who brings the same in both periods adds nothing to it.

    References
    ----------
    Cochran (1977), Sampling Techniques, 3rd edition, section 6.4 (linearised ratios); Deville (1999), Variance estimation for
    complex statistics and estimators, Survey Methodology 25.

    Examples
    --------
    >>> same = np.array([10.0, 20.0])
    >>> change((30.0, same), (30.0, same))
    (0.0, 0.0, 0.0)
    """
    if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0 < level < 1:
        raise ParameterError.expected("changes", "level", "between 0 and 1, both excluded", level)
    (first, moved_first), (second, moved_second) = before, after
    z = normal_quantile(level)
    if absolute:
        half = z * float(np.sqrt(((moved_second - moved_first) ** 2).sum()))
        return second - first, second - first - half, second - first + half
    if not first > 0 or not second > 0:
        return None
    error = float(np.sqrt(((moved_second / second - moved_first / first) ** 2).sum()))
    half, middle = z * error, float(np.log(second / first))
    low, high = float(np.expm1(middle - half)), float(np.expm1(middle + half))
    point = second / first - 1
    return point, min(low, point), max(high, point)

"""Sums of periods → measures with intervals over customers, from the sums of squares and products that the engine worked out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from crmlab.analyses.scorecard.reductions import Period
from crmlab.collecting import collect, collect_arrow
from crmlab.errors import DataError, ParameterError, TooLittleError
from crmlab.frames import as_pandas, is_ibis
from crmlab.models.btyd.special import Array
from crmlab.models.intervals import LEVEL, normal_quantile, share_of_total

if TYPE_CHECKING:
    import ibis
    import pandas as pd

__all__ = ["MEASURES", "Concentration", "Panel", "Row", "change", "concentration", "estimates", "interval_of", "panel"]


# Measure → kind. Counts and sums are of the period; ratios are per customer, per occasion, per receipt, or shares.
MEASURES = {
    "customers": "count",
    "new": "count",
    "kept": "count",
    "resumed": "count",
    "lost": "count",
    "occasions": "count",
    "orders": "count",
    "revenue": "money",
    "returns": "money",
    "cost": "money",
    "margin": "money",
    "margin_revenue": "money",
    "margin_share": "share",
    "returned_share": "share",
    "occasions_per_customer": "ratio",
    "products_per_customer": "ratio",
    "average_order_value": "money",
    "spend_per_occasion": "money",
}
Row = Mapping[str, Any]


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


def estimates(table: Any, spans: Sequence[Period], *, level: float = LEVEL, rhythm: float | None = None) -> pd.DataFrame:
    """Measures of each period, each with an interval.

    Parameters
    ----------
    table : ibis.Table or DataFrame
        As of :func:`crmlab.analyses.scorecard.reductions.periods`.
    spans : sequence of Period
        Those of the table.
    level : float
    rhythm : float, optional
        Median days between purchases, as of :func:`crmlab.analyses.scorecard.reductions.rhythm`: periods that are shorter are flagged.

    Returns
    -------
    DataFrame
        One row per period and measure, in order: number, period (its label), measure, kind, value, low, high, short (whether the
        period is shorter than the rhythm). Measures that the data do not allow (costs without unit costs, ratios without a
        denominator, kept and lost in the first period) are left out: nothing is missing in the frame.

    Notes
    -----
    Customers come and buy independently of each other: a sum over them has the variance of its sum of squares, a ratio that of the
    linearised ratio. Intervals of positive measures are normal on the log scale, of shares on the logit scale.

    References
    ----------
    Cochran (1977), Sampling Techniques, 3rd edition, section 6.4 (ratio estimator).
    """
    import pandas as pd

    if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0 < level < 1:
        raise ParameterError.expected("periods", "level", "between 0 and 1, both excluded", level)
    frame = collect_arrow(table, "number").to_pandas() if is_ibis(table) else as_pandas(table, "periods", DataError)
    found = {int(row["number"]): row for row in frame.to_dict("records")}
    z, rows, earlier = normal_quantile(level), [], 0.0
    for number, span in enumerate(spans):
        row: dict[str, float | None] = {name: _number(value) for name, value in found.get(number, {}).items()}
        if not row:
            row |= dict.fromkeys(frame.columns, 0.0) | {"lost": earlier}
        if number == 0:
            row |= {"kept": None, "lost": None}
        earlier = row["customers"] or 0.0
        short = rhythm is not None and span.days < rhythm
        for name, kind in MEASURES.items():
            point = _OF[name](row)
            if point is None:
                continue
            value, variance = point
            low, high = interval_of(value, variance, kind, z)
            rows.append([number, span.label, name, kind, value, low, high, short])
    return pd.DataFrame(rows, columns=["number", "period", "measure", "kind", "value", "low", "high", "short"])


def _number(value: Any) -> float | None:
    return None if value is None or value != value else float(value)


def interval_of(value: float, variance: float, kind: str, z: float) -> tuple[float, float]:
    """Ends of an interval: on the log scale where a value is positive, on the logit scale for shares, exact for counts of none."""
    half = z * float(np.sqrt(max(variance, 0.0)))
    if kind == "count" and value == 0:
        # None were seen: so many may be expected still, by the exact interval of a Poisson number.
        from scipy import special

        return 0.0, float(-np.log(special.ndtr(-z)))
    if kind == "share" and 0 < value < 1:
        on_logit = half / (value * (1 - value))
        centre = float(np.log(value / (1 - value)))
        return float(1 / (1 + np.exp(on_logit - centre))), float(1 / (1 + np.exp(-on_logit - centre)))
    if kind != "share" and value > 0:
        return value * float(np.exp(-half / value)), value * float(np.exp(half / value))
    return value - half, value + half


def _sum(name: str, shown: str | None = None) -> Callable[[Row], tuple[float, float] | None]:
    def of(row: Row) -> tuple[float, float] | None:
        value = row.get(name)
        return None if value is None else (value, row[shown or f"{name}_2"])

    return of


def _count(name: str) -> Callable[[Row], tuple[float, float] | None]:
    """Customers: each adds 1, and its square is 1."""
    return _sum(name, name)


def _ratio(
    a: str, b: str, both: str | None, sign: float = 1.0, less_from_one: bool = False
) -> Callable[[Row], tuple[float, float] | None]:
    """A / b, or 1 − a / b, by the linearised ratio. ``both`` names the sum of products; None where b counts customers."""

    def of(row: Row) -> tuple[float, float] | None:
        top, bottom = row.get(a), row.get(b)
        if top is None or bottom is None or bottom <= 0:
            return None
        ratio = top / bottom
        cross, square = (top, bottom) if both is None else (row[both], row[f"{b}_2"])
        variance = (row[f"{a}_2"] - 2 * ratio * cross + ratio**2 * square) / bottom**2
        return (1 - ratio if less_from_one else sign * ratio + 0.0), variance

    return of


def _resumed(row: Row) -> tuple[float, float] | None:
    if row.get("kept") is None:
        return None
    value = row["customers"] - row["new"] - row["kept"]
    return value, value


def _margin(row: Row) -> tuple[float, float] | None:
    if row.get("cost") is None:
        return None
    return row["costed"] - row["cost"], row["costed_2"] - 2 * row["cost_x_costed"] + row["cost_2"]


_OF: dict[str, Callable[[Row], tuple[float, float] | None]] = {
    "customers": _count("customers"),
    "new": _count("new"),
    "kept": _count("kept"),
    "resumed": _resumed,
    "lost": _count("lost"),
    "occasions": _sum("occasions"),
    "orders": _sum("orders"),
    "revenue": _sum("revenue"),
    "returns": _sum("returns"),
    "cost": _sum("cost"),
    "margin": _margin,
    "margin_revenue": _sum("costed"),
    "margin_share": _ratio("cost", "costed", "cost_x_costed", less_from_one=True),
    "returned_share": _ratio("returns", "sales", "returns_x_sales", -1.0),
    "occasions_per_customer": _ratio("occasions", "customers", None),
    "products_per_customer": _ratio("products", "customers", None),
    "average_order_value": _ratio("sales", "purchases", "sales_x_purchases"),
    "spend_per_occasion": _ratio("spend", "occasions", "spend_x_occasions"),
}


@dataclass(frozen=True, kw_only=True)
class Concentration:
    """What :func:`concentration` finds.

    Attributes
    ----------
    customers, top : int
        All, and those of the top share.
    share : (value, low, high)
        Of revenue, that the top holds. The ends are NaN where it holds all.
    gini : (value, low, high)
        0 where all customers bring the same, near 1 where one brings all.
    below_zero : int
        Customers whose returns exceed what they bought; they count as 0.
    """

    customers: int
    top: int
    share: tuple[float, float, float]
    gini: tuple[float, float, float]
    below_zero: int


def concentration(revenue: npt.ArrayLike, top: float = 0.1, *, level: float = LEVEL) -> Concentration:
    """Share of revenue of the customers who bring most, and the Gini coefficient, both with intervals over customers.

    Parameters
    ----------
    revenue : array of shape (n,)
        Of each customer, in the currency.
    top : float
        Share of customers, between 0 and 1; their number is rounded up.
    level : float

    Returns
    -------
    Concentration

    Raises
    ------
    DataError
        Fewer than two customers, values that are missing or infinite, or revenue of nothing.
    ParameterError
        ``top`` or ``level`` is not between 0 and 1.

    References
    ----------
    Langel and Tillé (2013), "Variance estimation of the Gini index: revisiting a result several times published", Journal of the
    Royal Statistical Society A 176: linearisation. The share's interval is that of
    :func:`crmlab.models.intervals.share_of_total`, which takes who is in the top as given.

    Examples
    --------
    >>> found = concentration([1.0, 2.0, 3.0, 4.0, 90.0], top=0.2)
    >>> found.top, found.share[0], round(found.gini[0], 3)
    (1, 0.9, 0.72)
    """
    for name, value in (("top", top), ("level", level)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1:
            raise ParameterError.expected("concentration", name, "between 0 and 1, both excluded", value)
    given = np.asarray(revenue, dtype=float)
    x = np.sort(np.maximum(given, 0.0), kind="stable")
    n = len(x)
    if n < 2 or not np.isfinite(given).all() or x.sum() <= 0:
        found = f"{n} customers" if n < 2 else "revenue that is missing, infinite or nothing"
        raise TooLittleError.needs("concentration", "at least two customers with revenue", found)
    # Sorted: who of equals is in the top does not change what it holds.
    count = int(np.ceil(round(top * n, 9)))
    member = np.arange(n) >= n - count
    mean, rank = float(x.mean()), (np.arange(1, n + 1) - 0.5) / n
    gini = float(2 * (x * rank).sum() / x.sum() - 1)
    above = (x.sum() - np.cumsum(x) + x / 2) / n
    influence = 2 / mean * (x * rank + above) - x / mean * (1 + gini)
    half = float(normal_quantile(level) * influence.std(ddof=1) / np.sqrt(n))
    ends = (max(gini - half, 0.0), min(gini + half, 1.0))
    return Concentration(
        customers=n,
        top=count,
        share=share_of_total(x, member, level),
        gini=(gini, *ends),
        below_zero=int((given < 0).sum()),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Panel:
    """Customers of some periods, side by side.

    Attributes
    ----------
    customers : array of str, shape (n,)
        Everybody with anything in one of the periods, ordered.
    columns : mapping of (number, name) to arrays of shape (n,)
        What :func:`crmlab.analyses.scorecard.reductions.customer_periods` sums, per period, 0 where there is nothing; and
        ``customers``, 1 for who bought.
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
        found = {"kept": buyer * before, "resumed": buyer * (1 - new) * (1 - before), "lost": earlier * (1 - buyer)}
        return found.get(measure)


def panel(table: ibis.Table, numbers: list[int]) -> Panel:
    """Bring the customers of some periods, and of those just before them, side by side.

    Parameters
    ----------
    table : ibis.Table
        As of :func:`crmlab.analyses.scorecard.reductions.customer_periods`.
    numbers : list of int
        Places of the periods.

    Returns
    -------
    Panel
    """
    import pandas as pd

    wanted = sorted({n for number in numbers for n in (number - 1, number) if n >= 0})
    frame = collect(table.filter(table["number"].isin(wanted)), ("number", "customer_id"))
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
    return Panel(customers=ids, columns=columns)


def change(
    before: tuple[float, Array], after: tuple[float, Array], *, level: float = LEVEL, absolute: bool = False
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

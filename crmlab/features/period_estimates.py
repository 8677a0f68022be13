"""Sums of periods → measures with intervals over customers, from the sums of squares and products that the engine worked out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from crmlab.errors import ParameterError
from crmlab.features.spans import Period
from crmlab.models.intervals import normal_quantile

if TYPE_CHECKING:
    import ibis
    import pandas as pd

# Measure → kind. Counts and sums are of the period; ratios are per customer, per occasion, per receipt, or shares.
MEASURES = {
    "customers": "count",
    "new": "count",
    "kept": "count",
    "reactivated": "count",
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


def estimates(
    table: ibis.Table | pd.DataFrame, spans: Sequence[Period], *, level: float = 0.9, rhythm: float | None = None
) -> pd.DataFrame:
    """Measures of each period, each with an interval.

    Parameters
    ----------
    table : ibis.Table or DataFrame
        As of :func:`crmlab.features.periods.periods`.
    spans : sequence of Period
        Those of the table.
    level : float
    rhythm : float, optional
        Median days between purchases, as of :func:`crmlab.features.spans.rhythm`: periods that are shorter are flagged.

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
    frame = table if isinstance(table, pd.DataFrame) else table.to_pyarrow().to_pandas()
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


def _reactivated(row: Row) -> tuple[float, float] | None:
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
    "reactivated": _reactivated,
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

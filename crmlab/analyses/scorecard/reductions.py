"""Orders → one row per period: what a scorecard counts, with what its intervals need, summed exactly where the data live."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, pairwise
from typing import TYPE_CHECKING, Any

from crmlab.collecting import collect
from crmlab.errors import DataError, ParameterError, TooLittleError
from crmlab.frames import as_ibis
from crmlab.history.context import EXACT
from crmlab.history.customers import came_back, gaps, occasion_days
from crmlab.history.orders import as_lines, as_orders, between

if TYPE_CHECKING:
    import ibis

__all__ = ["PRODUCT", "SUM", "Period", "calendar", "customer_periods", "periods", "rhythm", "two_periods"]


# Per customer and period, what is summed; of pairs in one ratio, the product too.
_SUMS = ("occasions", "spend", "returned", "revenue", "orders", "purchases", "sales", "returns")
_LINE_SUMS = ("products", "pieces", "cost", "costed")
_PAIRS = (("revenue", "occasions"), ("spend", "occasions"), ("sales", "purchases"), ("returns", "sales"))
_LINE_PAIRS = (("cost", "costed"),)
_COUNTS = ("occasions", "orders", "purchases", "products")
# One factor of a product has a digit more than 18: DuckDB would else keep the product in 18, and squares of money do not fit.
# With two more, Spark would round.
WIDE = "decimal(19, 4)"
PRODUCT, SUM = "decimal(36, 8)", "decimal(38, 8)"  # of two decimals with 4 digits after the point, and sums of such


_MONTHS = {"month": 1, "quarter": 3, "year": 12}


def periods(
    orders: Any,
    spans: Sequence[Period],
    order_lines: Any = None,
    products: Any = None,
) -> ibis.Table:
    """Reduce orders to one row per period.

    Parameters
    ----------
    orders : table
        Canonical orders, as :func:`crmlab.history.orders.as_orders` takes them.
    spans : sequence of Period
        They may overlap; nothing after a period reaches its row.
    order_lines, products : ibis.Table, optional
        Canonical tables: with lines, breadth and pieces; with unit costs, the cost of goods.

    Returns
    -------
    ibis.Table
        One row per period with any customer, in order of ``number`` (place in ``spans``): sums as exact decimals and whole numbers.

        - customers : with an occasion; new : whose first occasion ever is in the period; kept, lost : of the customers of the
          period before in ``spans``, those who bought again in this one, and those who did not; null for the first
        - occasions, spend : purchase occasions and what they add up to; returned : net amount of customers' other days
        - revenue : spend + returned = everything that the rows add up to
        - orders : receipts; purchases, sales : receipts of at least 0 and what they add up to; returns : what came back (≤ 0)
        - products : different products per customer, summed; pieces : on occasions; cost, costed : cost of goods, and the revenue of
          the lines whose cost is known
        - <a>_2 and <a>_x_<b> : sums over customers of squares and of products, of which intervals are made
          (:func:`crmlab.analyses.scorecard.estimation.estimates`)
        - rows : customers with any row, occasion or not

    Raises
    ------
    ParameterError
        No periods, or one that ends before it begins.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({"customer_id": ["a", "a", "b"], "ordered_at": ["2024-01-01", "2024-02-09", "2024-02-09"],
    ...                        "amount": [10.0, 20.0, 5.0]})
    >>> import datetime as dt
    >>> from crmlab.analyses.scorecard import calendar
    >>> spans = calendar(dt.date(2024, 1, 1), dt.date(2024, 2, 29), "month")
    >>> periods(orders, spans).to_pandas()[["number", "customers", "new", "revenue"]].astype(float).values.tolist()
    [[0.0, 1.0, 1.0, 10.0], [1.0, 2.0, 1.0, 25.0]]
    """
    import ibis

    table = as_orders(orders)
    order_lines = None if order_lines is None else as_lines(order_lines)
    products = None if products is None else as_ibis(products, "products", DataError)
    each = customer_periods(table, spans, order_lines, products)
    lined = order_lines is not None
    names = _SUMS + (tuple(name for name in _LINE_SUMS if name in each.columns) if lined else ())
    pairs = _PAIRS + tuple(pair for pair in _LINE_PAIRS if pair[0] in names)

    def exact(name: str) -> Any:
        return each[name].cast(EXACT)

    def wide(name: str) -> Any:
        return each[name].cast(WIDE)

    buyer = each["occasions"] > 0
    columns: dict[str, Any] = {
        "rows": each.count(),
        "customers": each.count(where=buyer),
        "new": each.count(where=buyer & each["is_new"]),
        "kept": each.count(where=buyer & each["bought_before"]),
    }
    # Types are said, not left to be guessed: an engine's products of decimals have more digits than Ibis expects.
    columns |= {name: each[name].sum().cast("int64" if name in _COUNTS else SUM) for name in names}
    # Squares stay exact as well: sums of floats depend on the order in which an engine adds them.
    columns |= {f"{name}_2": (wide(name) * exact(name)).cast(PRODUCT).sum().cast(SUM) for name in names}
    columns |= {f"{a}_x_{b}": (wide(a) * exact(b)).cast(PRODUCT).sum().cast(SUM) for a, b in pairs}
    found = each.group_by("number").agg(**columns)
    window = ibis.window(order_by="number")
    # A period without anybody has no row: then the row before is not that of the period before.
    adjacent = found["number"] - found["number"].lag().over(window) == 1
    earlier = ibis.ifelse(adjacent, found["customers"].lag().over(window), 0)
    none, known = ibis.null("int64"), found["number"] > 0
    joined = found.mutate(_earlier=ibis.coalesce(earlier, 0).cast("int64"))
    kept = joined["kept"].cast("int64")
    joined = joined.mutate(
        kept=ibis.ifelse(known, kept, none),
        lost=ibis.ifelse(known, joined["_earlier"] - kept, none),
    )
    return joined.drop("_earlier").order_by("number")


def customer_periods(
    orders: Any,
    spans: Sequence[Period],
    order_lines: ibis.Table | None = None,
    products: ibis.Table | None = None,
) -> ibis.Table:
    """One row per customer and period with anything in it.

    Parameters
    ----------
    orders, spans, order_lines, products
        As in :func:`periods`.

    Returns
    -------
    ibis.Table
        number, customer_id, what :func:`periods` sums, is_new (first occasion ever in the period) and bought_before (an occasion in
        the period before in ``spans``); in no particular order.
    """
    import ibis

    _checked(spans)
    table = between(as_orders(orders), None, max(span.last for span in spans))
    days = occasion_days(table)
    bought = days["is_occasion"]
    nothing = ibis.literal(0).cast(EXACT)
    days = days.mutate(
        occasion=bought.cast("int64"),
        paid=ibis.ifelse(bought, days["spend"].cast(EXACT), nothing),
        back=ibis.ifelse(bought, nothing, days["spend"].cast(EXACT)),
    )
    dated = _dated(days.select("customer_id", "day", "occasion", "paid", "back"), spans)
    each = dated.group_by("number", "customer_id").agg(
        occasions=dated["occasion"].sum().cast("int64"), spend=dated["paid"].sum(), returned=dated["back"].sum()
    )
    each = each.mutate(revenue=each["spend"] + each["returned"])
    # Taken here, from what is small still: an engine may work out anew what stands on both sides of a join.
    before = each.filter(each["occasions"] > 0).select("customer_id", number=each["number"] + 1, earlier=ibis.literal(1))
    kind = ibis.ifelse(table["amount"] >= 0, 1, 0)
    receipts = table.select(
        "customer_id",
        day=table["ordered_at"].date(),
        purchase=kind.cast("int64"),
        sale=ibis.ifelse(table["amount"] >= 0, table["amount"].cast(EXACT), nothing),
        back=came_back(table).cast(EXACT),
    )
    receipts = _dated(receipts, spans)
    counted = receipts.group_by("number", "customer_id").agg(
        orders=receipts.count(),
        purchases=receipts["purchase"].sum().cast("int64"),
        sales=receipts["sale"].sum(),
        returns=receipts["back"].sum(),
    )
    each = _joined(each, counted)
    if order_lines is not None:
        each = _joined(each, _of_lines(order_lines, products, spans, days.filter(bought)))
    firsts = days.filter(bought).group_by("customer_id").agg(first=days["day"].min())
    begun = _dated(firsts.select("customer_id", day="first"), spans).select("number", "customer_id", came=ibis.literal(1))
    found = _joined(_joined(each, begun), before)
    return found.mutate(is_new=found["came"] == 1, bought_before=found["earlier"] == 1).drop("came", "earlier")


def two_periods(orders: Any, before: Period, after: Period, order_lines: Any = None) -> ibis.Table:
    """One row per customer with anything in either of two periods, both side by side.

    Parameters
    ----------
    orders : table
        Canonical orders, as :func:`crmlab.history.orders.as_orders` takes them.
    before, after : Period
        The second begins after the first has ended.
    order_lines : ibis.Table, optional
        With them, pieces.

    Returns
    -------
    ibis.Table
        customer_id; occasions, spend, returned and, with lines, pieces, each ``_before`` and ``_after`` (exact); is_new: the first
        occasion ever came after the earlier period. What :func:`crmlab.models.decomposition.decompose` and ``growth`` take, cast to
        floats.

    Raises
    ------
    ParameterError
        The periods overlap or are out of order.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({"customer_id": ["a", "a", "b"], "ordered_at": ["2024-01-01", "2024-02-09", "2024-02-09"],
    ...                        "amount": [10.0, 20.0, 5.0]})
    >>> import datetime as dt
    >>> from crmlab.analyses.scorecard import calendar
    >>> spans = calendar(dt.date(2024, 1, 1), dt.date(2024, 2, 29), "month")
    >>> two_periods(orders, *spans).order_by("customer_id").to_pandas().is_new.tolist()
    [False, True]
    """
    if after.first <= before.last:
        raise ParameterError.dates_out_of_order("before", before.last, "after", after.first)
    table = as_orders(orders)
    order_lines = None if order_lines is None else as_lines(order_lines)
    each = customer_periods(table, [before, after], order_lines)
    names = ["occasions", "spend", "returned", *(["pieces"] if order_lines is not None else [])]
    parts: dict[str, Any] = {}
    for number, period in enumerate(("before", "after")):
        here = each["number"] == number
        parts |= {f"{name}_{period}": each[name].sum(where=here) for name in names}
    found = each.group_by("customer_id").agg(**parts)
    found = found.mutate(**{name: found[name].fill_null(0).cast("float64") for name in parts})
    days = occasion_days(between(table, None, before.last))
    known = days.filter(days["is_occasion"]).select(_who="customer_id").distinct()
    joined = found.left_join(known, found["customer_id"] == known["_who"])
    return joined.mutate(is_new=joined["_who"].isnull()).drop("_who")


# How.


def _of_lines(
    order_lines: ibis.Table, products: ibis.Table | None, spans: Sequence[Period], occasions: ibis.Table
) -> ibis.Table:
    """Products, pieces and cost of goods per customer and period."""
    import ibis

    lines = between(order_lines, None, max(span.last for span in spans))
    lines = lines.select("customer_id", "product_id", "quantity", "amount", day=lines["ordered_at"].date())
    costs = products is not None and "unit_cost" in products.columns
    if costs and products is not None:
        prices = products.select(_what="product_id", unit="unit_cost")
        lines = lines.left_join(prices, lines["product_id"] == prices["_what"]).drop("_what")
        lines = lines.mutate(
            cost=(lines["quantity"].cast(WIDE) * lines["unit"].cast(EXACT)).cast(PRODUCT),
            costed=ibis.ifelse(lines["unit"].notnull(), lines["amount"].cast(EXACT), None),
        )
    real = occasions.select(_who="customer_id", _day="day")
    lines = lines.left_join(real, [lines["customer_id"] == real["_who"], lines["day"] == real["_day"]])
    nothing = ibis.literal(0).cast(EXACT)
    lines = lines.mutate(
        piece=ibis.ifelse(lines["_who"].notnull(), lines["quantity"].cast(EXACT), nothing),
        bought=ibis.ifelse(lines["quantity"] > 0, lines["product_id"], None),
    ).drop("_who", "_day")
    dated = _dated(lines, spans)
    columns = {"products": dated["bought"].nunique(), "pieces": dated["piece"].sum()}
    if costs:
        columns |= {"cost": dated["cost"].sum().cast(SUM), "costed": dated["costed"].sum().cast(SUM)}
    return dated.group_by("number", "customer_id").agg(**columns)


def _dated(rows: ibis.Table, spans: Sequence[Period]) -> ibis.Table:
    """Rows with the number of each period that their day falls into."""
    import ibis

    def inside(span: Period, number: int) -> ibis.Table:
        first, last = (ibis.literal(day, type="date") for day in (span.first, span.last))
        some = rows.filter((rows["day"] >= first) & (rows["day"] <= last))
        return some.mutate(number=ibis.literal(number, type="int64"))

    ordered = sorted(spans, key=lambda span: span.first)
    if all(early.last < late.first for early, late in pairwise(ordered)):
        # Apart from each other: one pass tells every row its period.
        number: Any = ibis.null("int64")
        for place, span in enumerate(spans):
            first, last = (ibis.literal(day, type="date") for day in (span.first, span.last))
            number = ibis.ifelse((rows["day"] >= first) & (rows["day"] <= last), ibis.literal(place, type="int64"), number)
        found = rows.mutate(number=number)
        return found.filter(found["number"].notnull())
    parts = [inside(span, number) for number, span in enumerate(spans)]
    return ibis.union(*parts)


def _joined(left: ibis.Table, right: ibis.Table) -> ibis.Table:
    joined = left.left_join(right, ["number", "customer_id"]).drop("number_right", "customer_id_right")
    new = [name for name in right.columns if name not in ("number", "customer_id")]
    return joined.mutate(**{name: joined[name].fill_null(0) for name in new})


def _checked(spans: Sequence[Period]) -> None:
    if not spans:
        raise TooLittleError.needs("periods", "at least one whole period of history", "none")
    for span in spans:
        if span.last < span.first:
            raise ParameterError.dates_out_of_order("first", span.first, "last", span.last)


@dataclass(frozen=True)
class Period:
    """A span of days, both ends included."""

    label: str
    first: dt.date
    last: dt.date

    @property
    def days(self) -> int:
        """Length in days."""
        return (self.last - self.first).days + 1


def calendar(
    first: dt.date, as_of: dt.date, unit: str | int | tuple[int, ...] = "quarter", count: int | None = None
) -> list[Period]:
    """The whole periods of a history, oldest first.

    Parameters
    ----------
    first, as_of : date
        First and last day of history.
    unit : {"month", "quarter", "year"}, int or tuple of int
        Of the calendar; or a number of days: periods of that length, the last of which ends on ``as_of``. Several numbers take turns, from
        the last period backwards: quarters of :data:`crmlab.history.words.QUARTERS`, four of which are a year.
    count : int, optional
        Only the last so many.

    Returns
    -------
    list of Period
        Those that lie inside the history from end to end; none where it is too short.

    Raises
    ------
    ParameterError
        The unit is unknown or not positive, or the count is.

    Examples
    --------
    >>> [period.label for period in calendar(dt.date(2023, 1, 5), dt.date(2024, 1, 30), "quarter")]
    ['2023-Q2', '2023-Q3', '2023-Q4']
    >>> [str(period.first) for period in calendar(dt.date(2023, 1, 5), dt.date(2024, 1, 30), 90, count=2)]
    ['2023-08-04', '2023-11-02']
    >>> from crmlab.history.words import QUARTERS
    >>> [period.days for period in calendar(dt.date(2022, 1, 1), dt.date(2023, 12, 31), QUARTERS, count=5)]
    [91, 92, 91, 91, 91]
    """
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
        raise ParameterError.expected("periods", "count", "a whole number of at least 1", count)
    found: list[Period] = []
    if isinstance(unit, tuple) or (isinstance(unit, int) and not isinstance(unit, bool)):
        lengths = unit if isinstance(unit, tuple) else (unit,)
        if min(lengths, default=0) < 1:
            raise ParameterError.expected("periods", "unit", "at least 1 day", unit)
        last = as_of
        for days in cycle(lengths):
            if (last - first).days + 1 < days or len(found) == count:
                return found
            begin = last - dt.timedelta(days=days - 1)
            found.insert(0, Period(f"{days} days to {last}", begin, last))
            last = begin - dt.timedelta(days=1)
    if unit not in _MONTHS:
        raise ParameterError.expected("periods", "unit", "'month', 'quarter', 'year' or a number of days", unit)
    step = _MONTHS[unit]
    month = (as_of.year * 12 + as_of.month - 1) // step * step
    while (begin := _month(month)) >= first and len(found) != count:
        end = _month(month + step) - dt.timedelta(days=1)
        if end <= as_of:
            found.insert(0, Period(_label(begin, unit), begin, end))
        month -= step
    return found


def rhythm(orders: Any, as_of: str | dt.date | None = None) -> float | None:
    """Median days between a customer's purchase occasions; None where nobody came twice.

    A period shorter than that counts customers who would not have come in it anyhow.
    """
    found = gaps(orders, as_of)
    ended = found.filter(found["ended"])
    counts = collect(ended.group_by("gap").agg(n=ended.count()), "gap")
    if counts.empty:
        return None
    reached = counts["n"].cumsum() * 2 >= counts["n"].sum()
    return float(counts.loc[reached.idxmax(), "gap"])


def _month(number: int) -> dt.date:
    return dt.date(number // 12, number % 12 + 1, 1)


def _label(day: dt.date, unit: str) -> str:
    return {"month": f"{day.year}-{day.month:02d}", "quarter": f"{day.year}-Q{(day.month + 2) // 3}", "year": str(day.year)}[
        unit
    ]

"""Order lines → measures at every level of several dimensions at once, by one query with grouping sets.

This is the one module that holds SQL text: Ibis has no expression for grouping sets. DuckDB, Postgres and Spark write them alike.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from crmlab.collecting import collect_arrow, collect_row
from crmlab.errors import DataError, ParameterError, TooLittleError
from crmlab.frames import as_ibis
from crmlab.history.breakdowns import MEASURES, TIMES, dimensions, facts
from crmlab.history.orders import chosen, extent, to_date
from crmlab.history.plausible import Reach

if TYPE_CHECKING:
    import ibis
    import pandas as pd

    from crmlab.data.dataset import Dataset

__all__ = ["ALL", "MISSING", "OTHER", "cube", "cube_table"]


ALL, MISSING, OTHER = "(all)", "(not known)", "(other)"
MOST = 6  # dimensions of a full cube: 64 levels
_SQL = {
    "revenue": "sum(amount)",
    "orders": "count(distinct order_id)",
    "lines": "count(*)",
    "quantity": "sum(quantity)",
    "customers": "count(distinct customer_id)",
    "occasions": "count(distinct occasion)",
    "sales": "sum(case when amount >= 0 then amount end)",
    "purchases": "count(distinct case when amount >= 0 then order_id end)",
    "cost": "sum(cost)",
    "costed": "sum(costed)",
}
_DISTINCT = ("orders", "customers", "occasions", "purchases")


def cube(
    data: Dataset,
    by: Sequence[str],
    measures: Sequence[str] = ("revenue", "orders", "customers"),
    *,
    as_of: str | dt.date | None = None,
    start: str | dt.date | None = None,
    sets: str | Sequence[Sequence[str]] = "cube",
    customers: Any = None,
    min_group: int = 5,
) -> pd.DataFrame:
    """Slice an order history by several dimensions, with the totals of every level.

    Parameters
    ----------
    data : Dataset
    by : sequence of str
        Dimensions, of :func:`crmlab.history.breakdowns.dimensions`: attributes of customers, category, product, channel, day,
        week (its Monday), month, quarter, year.
    measures : sequence of str
        Of :data:`crmlab.history.breakdowns.MEASURES`. ``margin`` brings two more columns: ``margin_revenue``, the revenue whose
        cost of goods is known, on which it rests, and ``margin_covered``, its share of all.
    as_of, start : date or ISO date, optional
        Last and first day looked at, inclusive; default: all.
    sets : "cube", "rollup" or a list of lists of dimensions
        All combinations of the dimensions; each with all before it; or those listed. An empty list is the grand total.
    customers : table, optional
        Further attributes by customer_id, one row per customer: a value tier, a state.
    min_group : int
        Groups of fewer customers are taken together as ``"(other)"`` within their level, so that totals hold; 1 keeps all.

    Returns
    -------
    DataFrame
        Ordered by level, then by dimensions: ``level`` (``"total"``, ``"month"``, ``"month × channel"``, …), a column per dimension
        (text; ``"(all)"`` where the row is a total over it, ``"(not known)"`` where the value is missing), a flag
        ``<dimension>_is_total`` (by ``GROUPING()``, whatever the values are called), and a column per measure. Money is summed
        exactly, then cast. Counts of different things (customers, orders, occasions) cannot be added up over groups: they are
        missing in ``"(other)"``, and where a level's groups overlap they add up to more than the total.

    Raises
    ------
    ParameterError
        A dimension or measure is unknown or there twice, a set names another dimension, or dates are outside the history.
    DataError
        No rows, or a customer has two rows in ``customers``.
    MissingTableError
        A measure or dimension needs a table that is not there.

    Examples
    --------
    >>> from crmlab.data.dataset import open_dataset
    >>> found = cube(open_dataset("cdnow_sample"), ["year"], ["revenue", "customers"])
    >>> found[["level", "year", "revenue", "customers"]].round(2).values.tolist()
    [['total', '(all)', 244091.94, 2357], ['year', '1997', 201224.82, 2357], ['year', '1998', 42867.12, 515]]
    """
    if not isinstance(min_group, int) or isinstance(min_group, bool) or min_group < 1:
        raise ParameterError.expected("cube", "min_group", "a whole number of at least 1", min_group)
    # Where nothing is asked for, the count behind min_group must not hide it.
    hidden = min_group > 1 and len(measures) > 0 and not isinstance(measures, str) and "customers" not in measures
    asked = [*measures, "customers"] if hidden else measures
    table = cube_table(data, by, asked, as_of=as_of, start=start, sets=sets, customers=customers)
    frame = collect_arrow(table, table.columns).to_pandas()
    if frame.empty or int(frame["_rows"].max()) == 0:
        raise TooLittleError.needs("cube", "at least one order", "none")
    frame = _labelled(frame, list(by), asked)
    if min_group > 1:
        frame = _merged(frame, list(by), min_group)
    frame = _finished(frame, list(by), measures)
    order = {name: i for i, name in enumerate(dict.fromkeys(_level(group) for group in _sets(list(by), sets)))}
    frame = frame.assign(_order=frame["level"].map(order)).sort_values(["_order", *by], kind="stable", ignore_index=True)
    return frame[["level", *by, *(f"{name}_is_total" for name in by), *_columns(measures)]]


def cube_table(
    data: Dataset,
    by: Sequence[str],
    measures: Sequence[str],
    *,
    as_of: str | dt.date | None = None,
    start: str | dt.date | None = None,
    sets: str | Sequence[Sequence[str]] = "cube",
    customers: Any = None,
) -> ibis.Table:
    """The query behind :func:`cube`, where the data live.

    Parameters
    ----------
    data, by, measures, as_of, start, sets, customers
        As in :func:`cube`.

    Returns
    -------
    ibis.Table
        d0, d1, … (dimensions; null where not known, and where the row is a total over it), t0, t1, … (1 where it is such a total),
        the sums and counts asked for as exact decimals and whole numbers, and _rows; in no particular order.
    """
    given = None if customers is None else as_ibis(customers, "customers", DataError)
    _checked(by, measures, dimensions(data, given))
    if given is not None:
        _one_row_each(given)
    first, last = _period(data, start, as_of)
    groups = _sets(list(by), sets)
    table = facts(data, by, measures, first, last, given)
    keys = [f"d{i}" for i in range(len(by))]
    # Engines refuse grouping() of what no set names: there every row is a total over it.
    used = [any(name in group for group in groups) for name in by]
    parts = [key if some else f"cast(null as varchar) as {key}" for key, some in zip(keys, used, strict=True)]
    parts += [
        f"grouping({key}) as t{i}" if some else f"1 as t{i}" for i, (key, some) in enumerate(zip(keys, used, strict=True))
    ]
    parts.append("count(*) as _rows")
    parts += [f"{_SQL[name]} as {name}" for name in _needed(measures)]
    places = {name: f"d{i}" for i, name in enumerate(by)}
    listed = ", ".join("(" + ", ".join(places[name] for name in group) + ")" for group in groups)
    query = f"select {', '.join(parts)} from facts group by grouping sets ({listed})"
    # A frame inside the facts must be known to the engine before text names it.
    table._find_backend()._run_pre_execute_hooks(table)
    return table.alias("facts").sql(query)


def _needed(measures: Sequence[str]) -> list[str]:
    """The sums and counts from which measures are made."""
    found: list[str] = []
    for name in measures:
        found += {"average_order_value": ["sales", "purchases"], "margin": ["revenue", "cost", "costed"]}.get(name, [name])
    return list(dict.fromkeys(found))


def _columns(measures: Sequence[str]) -> list[str]:
    extra = {"margin": ["margin", "margin_revenue", "margin_covered"]}
    return [column for name in measures for column in extra.get(name, [name])]


def _checked(by: Sequence[str], measures: Sequence[str], known: dict[str, str]) -> None:
    for name, values, options in (("by", by, known), ("measures", measures, MEASURES)):
        if isinstance(values, str):
            raise ParameterError.expected("cube", name, "a list of names", values)
        for value in values:
            if value not in options:
                raise ParameterError.unknown(f"cube ({name})", str(value), options)
        if len(set(values)) < len(values):
            raise ParameterError.expected("cube", name, "names that are there once", ", ".join(values))
    if not measures:
        raise ParameterError.expected("cube", "measures", "at least one name", "none")


def _sets(by: list[str], sets: str | Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    if sets == "cube":
        if len(by) > MOST:
            raise ParameterError.expected(
                "cube", "by", f"at most {MOST} dimensions of a full cube; list sets for more", len(by)
            )
        return [group for k in range(len(by) + 1) for group in combinations(by, k)]
    if sets == "rollup":
        return [tuple(by[:k]) for k in range(len(by) + 1)]
    if isinstance(sets, str):
        raise ParameterError.expected("cube", "sets", "'cube', 'rollup' or a list of lists of dimensions", sets)
    found = []
    for group in sets:
        for name in group:
            if name not in by:
                raise ParameterError.unknown("cube (sets)", str(name), by)
        found.append(tuple(name for name in by if name in group))
    if not found:
        raise ParameterError.expected("cube", "sets", "at least one list of dimensions", "none")
    return list(dict.fromkeys(found))


def _period(data: Dataset, start: str | dt.date | None, as_of: str | dt.date | None) -> tuple[dt.date | None, dt.date | None]:
    last = None
    if as_of is not None:
        days = extent(data.orders)
        last = chosen(Reach(*days, *days), as_of, data.until)[1]
    first = to_date(start, "start", "cube") if start is not None else None
    if first is not None and last is not None and first > last:
        raise ParameterError.dates_out_of_order("start", first, "as_of", last)
    return first, last


def _one_row_each(customers: ibis.Table) -> None:
    """A customer with two rows would be counted twice in every sum."""
    if "customer_id" not in customers.columns:
        raise DataError.frame_lacks("customers", "customer_id", customers.columns)
    counted = collect_row(customers.aggregate(rows=customers.count(), ids=customers["customer_id"].nunique()))
    if counted["rows"] != counted["ids"]:
        found = f"{counted['rows']:,} rows of {counted['ids']:,} customers"
        raise ParameterError.expected("cube", "customers", "a table with one row per customer", found)


def _level(group: Sequence[str]) -> str:
    return " × ".join(group) or "total"


def _labelled(frame: pd.DataFrame, by: list[str], measures: Sequence[str]) -> pd.DataFrame:
    out = frame[["_rows", *_needed(measures)]].copy()
    totals = {name: frame[f"t{i}"].to_numpy() == 1 for i, name in enumerate(by)}
    for i, name in enumerate(by):
        out[name] = [
            ALL if total else MISSING if value is None or value != value else _text(value, name)
            for value, total in zip(frame[f"d{i}"], totals[name], strict=True)
        ]
        out[f"{name}_is_total"] = totals[name]
    flags = [totals[name] for name in by]
    out["level"] = [
        _level([n for n, flag in zip(by, row, strict=True) if not flag]) for row in zip(*flags, strict=True)
    ] or "total"
    return out


def _text(value: Any, name: str) -> str:
    """A value as people write it; the first day of a period as the period."""
    if name not in TIMES or not hasattr(value, "year"):
        return str(value)
    forms = {
        "year": f"{value.year}",
        "quarter": f"{value.year}-Q{(value.month + 2) // 3}",
        "month": f"{value.year}-{value.month:02d}",
    }
    return forms.get(name, f"{value.year}-{value.month:02d}-{value.day:02d}")


def _merged(frame: pd.DataFrame, by: list[str], least: int) -> pd.DataFrame:
    """Take small groups of a level together; with one that is large enough, where they would be too small even so."""
    import pandas as pd

    parts = []
    for level, part in frame.groupby("level", sort=True):
        ranked = part.sort_values(["customers", *by], kind="stable", ignore_index=True)
        small = int((ranked["customers"] < least).sum())
        if level == "total" or small == 0:
            parts.append(part)
            continue
        # The customers of several groups are at least as many as those of the largest: so one more group makes enough.
        taken = min(max(small + 1, 2), len(ranked))
        rest, first = ranked.iloc[taken:], ranked.iloc[:taken]
        row: dict[str, Any] = {name: ALL if first[f"{name}_is_total"].iloc[0] else OTHER for name in by}
        row |= {f"{name}_is_total": first[f"{name}_is_total"].iloc[0] for name in by} | {"level": level}
        row |= {name: None if name in _DISTINCT else sum(first[name]) for name in ("_rows", *_SQL) if name in first}
        parts += [rest, pd.DataFrame([row])]
    return pd.concat([part.astype(dict.fromkeys(part.columns, object)) for part in parts], ignore_index=True)


def _finished(frame: pd.DataFrame, by: list[str], measures: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    def money(name: str) -> Any:
        return pd.Series([float(value) if value is not None and value == value else 0.0 for value in frame[name]], frame.index)

    out = frame[["level", *by, *(f"{name}_is_total" for name in by)]].copy()
    out = out.astype({f"{name}_is_total": bool for name in by})
    for name in measures:
        if name in ("revenue", "quantity"):
            out[name] = money(name)
        elif name == "margin":
            out["margin_revenue"] = money("costed")
            # Decimals are taken from each other before they are cast: the margin is exact too.
            pairs = zip(frame["costed"], frame["cost"], strict=True)
            out[name] = [float(a - b) if a is not None and a == a else 0.0 for a, b in pairs]
            revenue = money("revenue")
            out["margin_covered"] = (out["margin_revenue"] / revenue.where(revenue != 0)).astype("Float64")
        elif name == "average_order_value":
            orders = pd.array(frame["purchases"], dtype="Float64")
            # A cell of returns only has no order to take the mean over.
            out[name] = pd.array(money("sales"), dtype="Float64") / pd.Series(orders, frame.index).where(orders != 0).array
        else:
            out[name] = pd.array(frame[name], dtype="Int64")
    return out

"""Outcomes of a campaign → size and centred moments of every cell, in one pass of the engine.

Amounts are exact decimals and so are their sums of squares: they are centred after they were summed, with exact numbers, so that no
digits are lost however large a mean is, and nothing depends on the order in which an engine adds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from crmlab.analyses.campaigns.hashing import hash_column
from crmlab.collecting import collect_arrow, collect_row
from crmlab.errors import CampaignError
from crmlab.frames import as_ibis
from crmlab.models.testing.cells import CellStatistics

if TYPE_CHECKING:
    import ibis
    import pandas as pd

__all__ = ["cell_cubes", "cell_moments", "cell_statistics", "first_days", "state_moments"]


_MONEY, _WIDE = "decimal(18, 4)", "decimal(19, 4)"
_NARROW = 90_000  # up to here squares fit into 64 bits, in which DuckDB multiplies amounts, twice as fast
_CUBE_DIGITS = 9  # cubes are added as floats, in whatever order; what is beyond these digits depends on it
_SKEW_BELOW = 100_000  # customers of a cell, below which skewness moves an interval
_CUBE_REACH = 1e3  # a mean of so many standard deviations leaves no digits to the third moment


def cell_moments(
    table: Any,
    metrics: Sequence[str],
    *,
    by: str = "cell_id",
    covariates: Sequence[str] = (),
    rates: Sequence[str] = (),
    household: str | None = None,
    wide: bool = True,
) -> ibis.Table:
    """Reduce one row per customer to one row per cell: size, sums, sums of squares and of products.

    Parameters
    ----------
    table : table
        One row per customer, of pandas, Polars, PyArrow or Ibis.
    metrics, covariates : sequence of str
        Columns: exact decimals, or whole numbers. Products are those of each metric with each covariate, and among covariates.
    by : str
        Column that names the cell.
    rates : sequence of str
        Metrics whose values are 0 or 1: their squares are their values.
    household : str, optional
        Column of who was assigned together: then sums of squares are over households of their totals.
    wide : bool
        Whether an amount may be 90,000 or more. Households' totals always may.

    Returns
    -------
    ibis.Table
        ``by``, n, then exact ``s_<metric>`` (sum), ``q_<metric>`` (sum of squares; not of rates of lone customers),
        ``p_<a>__<b>`` (sum of products); with
        ``household`` also clusters, ``size2`` (sum of squared sizes) and ``x_<metric>`` (sum of totals times sizes).
    """
    table = as_ibis(table, "cell_moments", CampaignError)
    names = [*metrics, *covariates]
    pairs = _pairs(metrics, covariates)
    small = table.select(
        by, **_exact(table, names, wide=wide or household is not None), **({"_unit": table[household]} if household else {})
    )
    if household is None:
        found: dict[str, Any] = {"n": small.count()}
        for name in names:
            one = small[f"d_{name}"]
            found[f"s_{name}"] = _sum(one)
            if name not in rates:
                found[f"q_{name}"] = _sum(one * one)
        for a, b in pairs:
            found[f"p_{a}__{b}"] = _sum(small[f"d_{a}"] * small[f"d_{b}"])
        return small.group_by(by).agg(**found)
    totals = {f"t_{name}": small[f"d_{name}"].sum().cast(small[f"d_{name}"].type()) for name in names}
    homes = small.group_by(by, "_unit").agg(size=small.count().cast("int32"), **totals)
    found = {"n": homes["size"].sum().cast("int64"), "clusters": homes.count()}
    found["size2"] = (homes["size"] * homes["size"]).sum().cast("int64")
    for name in names:
        one = homes[f"t_{name}"]
        found[f"s_{name}"], found[f"q_{name}"] = _sum(one), _sum(one * one)
        found[f"x_{name}"] = _sum(one * homes["size"])
    for a, b in pairs:
        found[f"p_{a}__{b}"] = _sum(homes[f"t_{a}"] * homes[f"t_{b}"])
    return homes.group_by(by).agg(**found)


def _sum(value: Any) -> Any:
    """A sum with all its digits: a product of amounts has eight behind the point, which Ibis does not know."""
    return value.sum().cast("decimal(38, 8)") if value.type().is_decimal() else value.sum()


def _exact(table: ibis.Table, names: Sequence[str], *, wide: bool) -> dict[str, Any]:
    """Columns that can be multiplied and added without rounding."""
    money = _WIDE if wide else _MONEY
    found: dict[str, Any] = {}
    for name in names:
        kind = table[name].type()
        found[f"d_{name}"] = table[name].cast("int32") if kind.is_integer() or kind.is_boolean() else table[name].cast(money)
    return found


def _is_wide(table: ibis.Table, names: Sequence[str]) -> bool:
    """Whether any amount is large."""
    amounts = [name for name in names if not (table[name].type().is_integer() or table[name].type().is_boolean())]
    if not amounts:
        return False
    ends = {f"{end}_{name}": getattr(table[name], end)() for name in amounts for end in ("min", "max")}
    row = collect_row(table.aggregate(**ends))
    return any(value is not None and abs(value) >= _NARROW for value in row.values())


def _pairs(metrics: Sequence[str], covariates: Sequence[str]) -> list[tuple[str, str]]:
    """Products that an adjustment needs."""
    return [(a, b) for a in metrics for b in covariates] + list(combinations(covariates, 2))


def cell_cubes(table: ibis.Table, metrics: Sequence[str], *, by: str = "cell_id") -> ibis.Table:
    """Sum the cubes of metrics by cell; rows in which all are 0 are passed over, which makes it cheap for what most do not do.

    Parameters
    ----------
    table : ibis.Table
    metrics : sequence of str
    by : str

    Returns
    -------
    ibis.Table
        ``by`` and ``c_<metric>``, floats; cells in which all are 0 are not there.
    """
    import ibis

    some = table.filter(ibis.or_(*(table[name] != 0 for name in metrics)))
    small = some.select(by, **{f"d_{name}": some[name].cast("float64") for name in metrics})
    cubes = {f"c_{name}": (small[f"d_{name}"] * small[f"d_{name}"] * small[f"d_{name}"]).sum() for name in metrics}
    return small.group_by(by).agg(**cubes)


def cell_statistics(
    table: Any,
    metrics: Sequence[str],
    *,
    by: str = "cell_id",
    covariates: Sequence[str] = (),
    rates: Sequence[str] = (),
    household: str | None = None,
) -> dict[str, CellStatistics]:
    """Size and moments of every cell, ready to be compared.

    Parameters
    ----------
    table : table
        One row per customer, of pandas, Polars, PyArrow or Ibis.
    metrics, covariates, by, household
        As in :func:`cell_moments`.
    rates : sequence of str
        Those of the metrics whose values are 0 or 1.

    Returns
    -------
    dict of str to CellStatistics
        In the order of the names. Third moments, which correct intervals for skewness, are there where a cell has fewer than
        100,000 customers: from there on they move nothing, and cost a further pass.

    Examples
    --------
    >>> import ibis
    >>> rows = ibis.memtable({"cell_id": ["a", "a", "b", "b"], "response": [1, 0, 1, 1]})
    >>> found = cell_statistics(rows, ["response"], rates=["response"])
    >>> [(name, cell.n, cell.mean("response")) for name, cell in found.items()]
    [('a', 2, 0.5), ('b', 2, 1.0)]
    """
    table = as_ibis(table, "cell_statistics", CampaignError)
    wide = household is not None or _is_wide(table, [*metrics, *covariates])
    reduced = cell_moments(table, metrics, by=by, covariates=covariates, rates=rates, household=household, wide=wide)
    rows = collect_arrow(reduced, by).to_pylist()
    lone = household is None or all(row["clusters"] == row["n"] for row in rows)
    small = any(row["n"] < _SKEW_BELOW for row in rows)
    skewed = [name for name in metrics if name not in rates] if lone and small else []
    cubes: dict[Any, Mapping[str, Any]] = {}
    if skewed:
        cubes = {row[by]: row for row in collect_arrow(cell_cubes(table, skewed, by=by), by).to_pylist()}
    return {str(row[by]): _statistics(row, metrics, covariates, rates, skewed, cubes.get(row[by], {}), lone) for row in rows}


def _statistics(
    row: Mapping[str, Any],
    metrics: Sequence[str],
    covariates: Sequence[str],
    rates: Sequence[str],
    skewed: Sequence[str],
    cubes: Mapping[str, Any],
    lone: bool,
) -> CellStatistics:
    names, n = (*metrics, *covariates), int(row["n"])
    k = len(names)
    means, scatter, thirds = np.zeros(k), np.full((k, k), np.nan), np.full(k, np.nan)
    with localcontext() as exact:
        exact.prec = 80
        mean = {name: Decimal(row[f"s_{name}"]) / n for name in names}
        for i, name in enumerate(names):
            means[i] = float(mean[name])
            scatter[i, i] = max(float(_about_means(row, f"q_{name}", name, name, mean)), 0.0)
        for a, b in _pairs(metrics, covariates):
            i, j = names.index(a), names.index(b)
            scatter[i, j] = scatter[j, i] = float(_about_means(row, f"p_{a}__{b}", a, b, mean))
    for i, name in enumerate(names):
        m, spread = means[i], float(np.sqrt(scatter[i, i] / n))
        if name in rates and lone:
            thirds[i] = n * m * (1 - m) * (1 - 2 * m)
        elif name in skewed and abs(m) <= _CUBE_REACH * spread:
            third = float(cubes.get(f"c_{name}", 0.0)) - 3 * m * float(row[f"q_{name}"]) + 2 * n * m**3
            thirds[i] = float(f"{third:.{_CUBE_DIGITS}g}")
    clusters = None if lone else int(row["clusters"])
    return CellStatistics(n, names, means, scatter, thirds, frozenset(rates), clusters)


def _about_means(row: Mapping[str, Any], key: str, a: str, b: str, mean: Mapping[str, Decimal]) -> Decimal:
    """Sum of products about the means: of customers, or of households' totals less their sizes times the means."""
    total = Decimal(row[key] if key in row else row[f"s_{a}"])
    if "clusters" not in row:
        return total - int(row["n"]) * mean[a] * mean[b]
    cross = mean[a] * Decimal(row[f"x_{b}"]) + mean[b] * Decimal(row[f"x_{a}"])
    return total - cross + mean[a] * mean[b] * int(row["size2"])


def first_days(table: ibis.Table) -> pd.DataFrame:
    """Count first purchases by cell and day since the window opened.

    Parameters
    ----------
    table : ibis.Table
        As :func:`crmlab.analyses.campaigns.reductions.outcomes` gives it.

    Returns
    -------
    DataFrame
        cell_id, day (0: that on which the window opened), n; only days with purchases.
    """
    import pandas as pd

    bought = table.filter(table["first_day"].notnull())
    counts = bought.group_by("cell_id", "opens", "first_day").agg(n=bought.count())
    frame = collect_arrow(counts, ("cell_id", "opens", "first_day")).to_pandas()
    day = (pd.to_datetime(frame["first_day"]) - pd.to_datetime(frame["opens"])).dt.days.astype("int64")
    frame = pd.DataFrame({"cell_id": frame["cell_id"], "day": day, "n": frame["n"].astype("int64")})
    return frame.groupby(["cell_id", "day"], as_index=False, sort=True)["n"].sum()


def state_moments(table: ibis.Table, outcome: str, salt: str) -> ibis.Table:
    """Sum an outcome by cell, by what was known of customers before, and by a hash that cuts households into 16 parts.

    Parameters
    ----------
    table : ibis.Table
        As :func:`crmlab.analyses.campaigns.reductions.outcomes` gives it.
    outcome : str
        A column of amounts, or a rate.
    salt : str
        Of the hash.

    Returns
    -------
    ibis.Table
        cell_id, part (a hexadecimal digit), recency (0: bought in the last 90 days, 1: in the year before, 2: not in it), buys (0, 1,
        2 for two or three, 3 for more purchases in the year before), n, total, squares. Customers of one state are alike to a score.
    """
    import ibis

    bought = table["orders_before"]
    recency = ibis.ifelse(table["recent"] == 1, 0, ibis.ifelse(table["ever"] == 1, 1, 2))
    buys = ibis.ifelse(bought > 3, 3, ibis.ifelse(bought > 1, 2, bought))
    kind = table[outcome].type()
    value = table[outcome].cast(_WIDE) if kind.is_decimal() else table[outcome].cast("int32")
    small = table.select(
        "cell_id",
        part=hash_column(table, "unit", salt)[:1],
        recency=recency.cast("int32"),
        buys=buys.cast("int32"),
        value=value,
    )
    return small.group_by("cell_id", "part", "recency", "buys").agg(
        n=small.count(),
        total=small["value"].sum().cast("float64"),
        squares=(small["value"] * small["value"]).sum().cast("float64"),
    )

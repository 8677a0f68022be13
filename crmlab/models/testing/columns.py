"""From a frame's columns to the sums of each cell: which cell a row is in, which unit it is of, and what each metric is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.errors import ModelError, listing, shown
from crmlab.frames import as_pandas
from crmlab.models.btyd.special import Array
from crmlab.models.checked import checked_numbers, workable
from crmlab.models.testing.cells import CellStatistics
from crmlab.models.testing.options import DEFAULTS, ComparisonOptions

__all__ = [
    "IDS",
    "KINDS",
    "RatioOf",
    "Units",
    "cell_name",
    "cell_names",
    "kinds_of",
    "names_of",
    "ratio",
    "table_of",
    "units_of",
]

KINDS = ("rate", "mean")
IDS = (
    "customer_id",
    "client_id",
    "user_id",
    "visitor_id",
    "member_id",
)  # what repeats in a column of this name is no unit of its own


@dataclass(frozen=True)
class RatioOf:
    """A ratio of two columns, such as spend per order: sums of both over a cell, one over the other. Made by :func:`ratio`."""

    numerator: str
    denominator: str


def ratio(numerator: str, denominator: str) -> RatioOf:
    """A metric of ``compare`` that is a ratio of two columns: what all spent over all of their orders.

    Not the mean of each customer's own ratio, which customers without orders do not have. Its interval is by the delta method.

    Parameters
    ----------
    numerator, denominator : str
        Names of columns.

    References
    ----------
    Deng, Knoblich and Lu (2018), Applying the delta method in metric analytics, KDD.

    Examples
    --------
    >>> ratio("spend", "orders")
    RatioOf(numerator='spend', denominator='orders')
    """
    return RatioOf(numerator, denominator)


@dataclass(frozen=True, eq=False, kw_only=True)
class Units:
    """What was assigned by chance, customers as a rule, a row each.

    Attributes
    ----------
    cells : Series of str
        The cell of each unit.
    values : DataFrame
        Numbers: columns of metrics and covariates.
    kinds : mapping of metric to {"rate", "mean", "ratio"}
    ratios : mapping of metric to its two columns
    levels : mapping of str to list of str
        Of each column that tells the cell: its values as texts, in their own order.
    notes : tuple of str
        What was done with the columns, in sentences.
    households : Series or None
        Of each unit, where whole households were assigned.
    """

    cells: pd.Series
    values: pd.DataFrame
    kinds: Mapping[str, str]
    ratios: Mapping[str, tuple[str, str]]
    levels: Mapping[str, list[str]]
    notes: tuple[str, ...]
    households: pd.Series | None = None

    def statistics(self, order: Sequence[str]) -> dict[str, CellStatistics]:
        """Sums of each cell, in the order given."""
        rates = [name for name, kind in self.kinds.items() if kind == "rate"]
        found = {}
        for name in order:
            inside = (self.cells == name).to_numpy()
            homes = None if self.households is None else self.households[inside]
            lone = homes is None or homes.is_unique
            values = self.values[inside]
            found[name] = CellStatistics.from_values(values, rates) if lone else _of_households(values, homes, rates)
        return found


def table_of(model: str, frame: Any, columns: Iterable[str], key: str | None) -> pd.DataFrame:
    """Return the columns that are asked for, of any table, as a pandas frame.

    Of an Ibis table only these leave the engine.

    Raises
    ------
    ModelError
        It is no table, is empty, lacks a column, or has one twice.
    """
    wanted = list(dict.fromkeys(columns))
    if type(frame).__module__.startswith("ibis") and hasattr(frame, "columns"):
        found: list[Any] = list(frame.columns)
        frame = frame.select(*(name for name in wanted if name in found)) if set(wanted) & set(found) else frame
        given = as_pandas(frame, model, ModelError, key or wanted[0])
    else:
        given = as_pandas(frame, model, ModelError)
        found = list(given.columns)
    for name in wanted:
        if name not in found:
            hint = "It is in the index: use reset_index() first." if name in given.index.names else ""
            raise ModelError.lacks(model, str(name), found, hint)
        if found.count(name) > 1:
            raise ModelError.expected(model, name, "the name of one column", found.count(name))
    if not len(given):
        raise ModelError.empty(model)
    return given[wanted]


def cell_names(model: str, column: pd.Series) -> pd.Series:
    """Return the cell of each row as text; "none" and "NA" are names, and what is missing is refused.

    Raises
    ------
    ModelError
        A cell is missing, or two different values are written alike, as 1 and "1".

    Examples
    --------
    >>> cell_names("compare", pd.Series(["none", "NA", "letter"])).tolist(), cell_names("compare", pd.Series([0.0, 1.0])).tolist()
    (['none', 'NA', 'letter'], ['0', '1'])
    """
    missing = column.isna()
    if missing.any():
        hint = "Fill these rows in, or leave them out: dropna(subset=[…])."
        if pd.api.types.is_object_dtype(column.dtype) or pd.api.types.is_string_dtype(column.dtype):
            hint += " If a file said 'NA' or 'None' there, read it with keep_default_na=False."
        raise ModelError.bad_rows(
            model,
            f"each row must have a name in '{column.name}'",
            int(missing.sum()),
            len(column),
            column.index[missing][0],
            hint,
        )
    try:
        named = {value: cell_name(value) for value in column.drop_duplicates()}
    except TypeError:
        raise ModelError.expected(
            model, str(column.name), "a column of names or numbers", type(column.iloc[0]).__name__
        ) from None
    if len(set(named.values())) < len(named):
        raise ModelError.expected(model, str(column.name), "cells that are written differently", listing(map(repr, named)))
    return column.astype(object).map(named).astype(object)


def cell_name(value: Any) -> str:
    """Return a cell as text: 1 and 1.0 as "1".

    Examples
    --------
    >>> cell_name(1.0), cell_name(True), cell_name("none")
    ('1', 'True', 'none')
    """
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _in_order(column: pd.Series) -> list[str]:
    """Texts of a column's values: categories in their order, others sorted as what they are."""
    values = list(column.drop_duplicates())
    if isinstance(column.dtype, pd.CategoricalDtype):
        values = [one for one in column.cat.categories if one in set(values)]
    else:
        try:
            values = sorted(values)
        except TypeError:
            values = sorted(values, key=str)
    return [cell_name(value) for value in values]


def kinds_of(model: str, metrics: Any) -> dict[str, str | RatioOf | None]:
    """Return what each metric was said to be; None where nothing was said.

    Raises
    ------
    ModelError
        There is no metric, or what one is said to be is not known.

    Examples
    --------
    >>> kinds_of("compare", ["visit"]), kinds_of("compare", {"spend": "mean"})
    ({'visit': None}, {'spend': 'mean'})
    """
    named = metrics if isinstance(metrics, Mapping) else dict.fromkeys(names_of(model, "metrics", metrics))
    told: dict[str, Any] = dict(named)
    if not told:
        raise ModelError.expected(model, "metrics", 'at least one, such as {"visit": "rate", "spend": "mean"}', "none")
    for name, kind in told.items():
        if not isinstance(name, str):
            raise ModelError.expected(
                model, "metrics", "names of columns; a ratio needs a name of its own, in a mapping", str(name)
            )
        if kind is not None and not isinstance(kind, RatioOf) and kind not in KINDS:
            raise ModelError.expected(model, f"metrics[{name}]", "'rate', 'mean' or ratio(numerator, denominator)", kind)
    return told


def names_of(model: str, argument: str, given: Any) -> list[Any]:
    """Return names of columns as a list; one alone may stand by itself, and None for no name.

    Raises
    ------
    ModelError
        What was given is no name and no sequence of them.

    Examples
    --------
    >>> names_of("compare", "covariates", "history"), names_of("compare", "covariates", None)
    (['history'], [])
    """
    if given is None:
        return []
    if isinstance(given, str | RatioOf):
        return [given]
    if not isinstance(given, Iterable):
        raise ModelError.expected(model, argument, "names of columns", given)
    found = list(given)
    for name in found:
        if not isinstance(name, str | RatioOf):
            raise ModelError.expected(model, argument, "names of columns, as texts", name)
    return found


def units_of(
    model: str,
    frame: Any,
    cells: Sequence[str],
    metrics: Mapping[str, str | RatioOf | None],
    covariates: Sequence[str] = (),
    unit: str | None = None,
    options: ComparisonOptions = DEFAULTS,
) -> tuple[Units, pd.DataFrame]:
    """Read a frame: a row per unit, with the cell and the numbers of each.

    Where units have several rows, means and parts of ratios are added up, a rate becomes whether it happened in any row, and a
    covariate that is the same in all rows of a unit is kept.

    Parameters
    ----------
    model : str
        Who asks.
    frame : table
    cells : sequence of str
        Columns that tell the cell, more than one in a factorial design.
    metrics : mapping
        As of :func:`kinds_of`.
    covariates : sequence of str
    unit : str, optional
        Column with the id of what was assigned.
    options : ComparisonOptions
        Of which ``in_two_cells`` says whether units in two cells are left out of all, and told of, or refused; and ``household`` names who
        was assigned together.

    Returns
    -------
    (units, parts) : Units, DataFrame
        ``parts`` has the columns of ``cells`` as texts, a row per unit.

    Raises
    ------
    ModelError
        A value is missing or no number, a rate is not of 0 and 1, a unit is in two cells, or ids repeat and no unit is named.
    """
    home, leave_out = options.household, options.in_two_cells == "leave out"
    ratios = {name: (kind.numerator, kind.denominator) for name, kind in metrics.items() if isinstance(kind, RatioOf)}
    outcomes = [name for name in metrics if name not in ratios] + [part for pair in ratios.values() for part in pair]
    numeric = list(dict.fromkeys([*outcomes, *covariates]))
    hint_at = None if unit is not None else _ids_in(frame)
    extra = [name for name in (unit, home, hint_at) if name is not None]
    if set(cells) & {*numeric, *extra}:
        raise ModelError.expected(model, "cell", "a column that is no metric, covariate, unit or household", listing(cells))
    table = table_of(model, frame, [*cells, *numeric, *extra], unit)
    parts = pd.DataFrame({name: cell_names(model, table[name]) for name in cells})
    levels = {name: _in_order(table[name]) for name in cells}
    values = pd.DataFrame({name: _numbers(model, table[name], name in covariates) for name in numeric}, index=table.index)
    notes = [
        f"{name} is {kind.numerator} over {kind.denominator}, each added up over a cell."
        for name, kind in metrics.items()
        if isinstance(kind, RatioOf)
    ]
    kinds: dict[str, str] = {}
    for name, kind in metrics.items():
        of_0_and_1 = name in values and bool(values[name].isin((0.0, 1.0)).all())
        if name not in ratios and kind is None:
            kinds[name] = "rate" if of_0_and_1 else "mean"
            if of_0_and_1:
                notes.append(f"{name} holds nothing but 0 and 1, so it was taken as a rate.")
        else:
            kinds[name] = "ratio" if name in ratios else str(kind)
        if kind == "rate" and not of_0_and_1:
            wrong = float(values.loc[~values[name].isin((0.0, 1.0)), name].iloc[0])
            raise ModelError.expected(model, f"metrics[{name}]", "0 or 1 in every row to be a rate", wrong)
    if hint_at is not None and hint_at != home:
        repeated = int(table[hint_at].duplicated().sum())
        if repeated:
            found = f"ids in '{hint_at}' that repeat, in {repeated:,} of {len(table):,} rows"
            how = "first, with groupby" if model == "segment_uplift" else f"with unit='{hint_at}'"
            hint = f"Add rows up by customer {how}; intervals would be too narrow without it."
            raise ModelError.needs(model, "one row for each of the units that were assigned", found, hint)
    homes = None if home is None else table[home]
    if homes is not None:
        inside, out = _in_one_cell(model, homes, parts, leave_out)
        table, parts, values, homes, notes = table[inside], parts[inside], values[inside], homes[inside], notes + out
        people = len(homes) if unit is None else table[unit].nunique()
        notes.append(f"The {people:,} people are of {homes.nunique():,} households ({home}), which is what was assigned.")
    if unit is not None:
        for name, pair in ratios.items():  # what is a rate by itself is still added up as a part of a ratio
            alone = {part: f"sum of {part}" if kinds.get(part) == "rate" else part for part in pair}
            values = values.assign(**{new: values[part] for part, new in alone.items()})
            ratios[name] = (alone[pair[0]], alone[pair[1]])
        inside, out = _in_one_cell(model, table[unit], parts, leave_out)
        if homes is not None:
            homes = homes[inside][~table.loc[inside, unit].duplicated()].reset_index(drop=True)
        parts, values, said = _reduced(table.loc[inside, unit], parts[inside], values[inside], kinds, covariates)
        homes = homes if homes is None or len(homes) == len(parts) else None
        notes += out + said
    name = parts[cells[0]] if len(cells) == 1 else parts.agg(" / ".join, axis=1)
    return Units(
        cells=name, values=values, kinds=kinds, ratios=ratios, levels=levels, notes=tuple(notes), households=homes
    ), parts


def _of_households(values: pd.DataFrame, homes: Any, rates: Sequence[str]) -> CellStatistics:
    """Sums of a cell over households of their totals."""
    code, known = pd.factorize(homes)
    totals = {"size": np.bincount(code).astype(float)}
    totals |= {str(name): np.bincount(code, weights=values[name].to_numpy()) for name in values}
    names = [str(name) for name in values]
    squares = {name: float(one @ one) for name, one in totals.items()}
    products = {(a, b): float(totals[a] @ totals[b]) for a in names for b in ("size", *names) if a != b}
    sums = {name: float(totals[name].sum()) for name in names}
    return CellStatistics.from_clusters(len(values), len(known), sums, squares, products, rates)


def _ids_in(frame: Any) -> str | None:
    """A column that looks like the id of a customer."""
    columns = getattr(frame, "columns", ()) if type(frame).__module__.split(".")[0] != "pyarrow" else frame.column_names
    if type(frame).__name__ == "LazyFrame":
        columns = frame.collect_schema().names()
    return next((name for name in IDS if name in list(columns)), None)


def _numbers(model: str, column: pd.Series, known_before: bool) -> Array:
    missing = column.isna()
    if missing.any():
        hint = "Leave these rows out in every cell, or fill in what was usual." if known_before else (
            "If nothing happened, write 0: fillna(0). If it is not known, leave the rows out with dropna, and ask whether as many "
            "are missing in each cell."
        )  # fmt: skip
        raise ModelError.bad_rows(
            model,
            f"each row must have a value in '{column.name}'",
            int(missing.sum()),
            len(column),
            column.index[missing][0],
            hint,
        )
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    found = checked_numbers(model, str(column.name), column.to_numpy())
    fine = workable(found)
    if not fine.all():
        raise ModelError.expected(model, str(column.name), "finite numbers", found[~fine][0])
    return found


def _in_one_cell(model: str, ids: pd.Series, parts: pd.DataFrame, leave_out: bool) -> tuple[npt.NDArray[np.bool_], list[str]]:
    """Rows of units that are in one cell, and what is to be said of the others."""
    unit, missing = str(ids.name), ids.isna()
    if missing.any():
        raise ModelError.bad_rows(
            model, f"each row must have a unit in '{unit}'", int(missing.sum()), len(ids), ids.index[missing][0], "Leave these rows out."
        )  # fmt: skip
    code, known = pd.factorize(ids)
    first = np.flatnonzero(~pd.Series(code).duplicated().to_numpy())
    moved = np.unique(code[(parts.to_numpy() != parts.to_numpy()[first][code]).any(axis=1)])
    inside = ~np.isin(code, moved)
    if not len(moved):
        return inside, []
    count = f"{len(moved):,}"
    emptied = [
        name for name in parts.agg(" / ".join, axis=1).unique() if name not in set(parts[inside].agg(" / ".join, axis=1))
    ]
    if leave_out and not emptied:
        rows = f"{int((~inside).sum()):,}"
        were, their = ("was", "its") if len(moved) == 1 else ("were", "their")
        said = f"{count} of {len(first):,} units ({unit}) {were} in more than one cell, and {were} left out of all of them"
        return inside, [f"{said}, with {their} {rows} rows."]
    hint = "" if emptied else ", or leave them out of all cells with ComparisonOptions(in_two_cells='leave out')"
    raise ModelError.needs(
        model,
        f"each '{unit}' in one cell",
        f"{count} in more than one, such as {shown(known[moved[0]])}{f', and no others in {listing(emptied)}' if leave_out else ''}",
        f"Find out why before comparing{hint}.",
    )


def _reduced(
    ids: pd.Series, parts: pd.DataFrame, values: pd.DataFrame, kinds: Mapping[str, str], covariates: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """A row per unit, in the order in which they come first."""
    unit, code = str(ids.name), pd.factorize(ids)[0]
    first = np.flatnonzero(~pd.Series(code).duplicated().to_numpy())
    if len(first) == len(ids):
        return parts, values, []
    own = parts.iloc[first].reset_index(drop=True)
    summed: dict[str, Array] = {}
    added, rates = [], []
    for name in values:
        column = values[name].to_numpy()
        total = np.bincount(code, weights=column).astype(float)
        if name in covariates and (column == column[first][code]).all():
            total = column[first]
        elif kinds.get(str(name)) == "rate":
            total = (total > 0).astype(float)
            rates.append(name)
        else:
            added.append(name)
        summed[str(name)] = total
    said = f"{len(ids):,} rows are of {len(first):,} units ({unit}), which is what was compared"
    said += f": {listing(added)} were added up by unit" if added else ""
    said += f"{';' if added else ':'} of {listing(rates)} it counts whether a unit has any" if rates else ""
    return own, pd.DataFrame(summed), [said + "."]

"""Whom each pair concerns, and what it was worth on days whose outcome is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.errors import ModelError
from crmlab.models.intervals import wilson
from crmlab.models.testing.cells import CellStatistics
from crmlab.models.testing.comparisons import compare_cells

__all__ = ["MOST_PAIRS", "Holdings", "best_direction", "promising", "worth_of"]


MOST_PAIRS = 200  # whose reach and worth are worked out: the surest, and as many that promise most


@dataclass(frozen=True, kw_only=True, eq=False)
class Holdings:
    """Who has what on a day, by item, and what they bought in the days after: what reach and worth are counted on.

    Attributes
    ----------
    items : dict of str to int
        Column of each item.
    has, later, earned : scipy.sparse.csc_array of shape (customers, items)
        Owned on the day; bought within the horizon after it, and what was left of that after the cost of goods, or its revenue
        where no margin is known (None where the horizon is not over).
    asked : array of bool, shape (customers,)
        Who may be contacted, as far as is known.
    told : array of bool, shape (customers,)
        Of whom the data say whether they may be.
    margin : array of shape (items,)
        Of one purchase.
    in_range : array of bool, shape (items,)
    """

    items: dict[str, int]
    has: Any
    later: Any
    earned: Any
    asked: npt.NDArray[np.bool_]
    told: npt.NDArray[np.bool_]
    margin: npt.NDArray[np.float64]
    in_range: npt.NDArray[np.bool_]

    def column(self, table: Any, item: str) -> npt.NDArray[np.bool_]:
        """Which customers have an item in a table."""
        return self.values(table, item) != 0

    def values(self, table: Any, item: str) -> npt.NDArray[np.float64]:
        """The column of an item in a table, by customer; 0 where there is nothing."""
        out = np.zeros(table.shape[0])
        place = self.items.get(item)
        if place is not None:
            some = slice(table.indptr[place], table.indptr[place + 1])
            out[table.indices[some]] = table.data[some]
        return out


def _unordered(pairs: pd.DataFrame) -> pd.Series:
    """The two items of each pair, in the order of their ids."""
    both = [tuple(sorted(pair)) for pair in zip(pairs["antecedent"], pairs["consequent"], strict=True)]
    return pd.Series(both, index=pairs.index, dtype=object)


def promising(pairs: pd.DataFrame, now: Holdings) -> pd.DataFrame:
    """Choose the pairs whose reach and worth are worked out: those of the surest lift, and those that promise most.

    Parameters
    ----------
    pairs : DataFrame
        Significant pairs, both directions.
    now : Holdings

    Returns
    -------
    DataFrame
        At most 400 pairs, both directions of each, in their order. Promise: baskets with A and not B, times what B's chance is
        surely higher there, times the margin of B.
    """
    place = pairs["consequent"].map(now.items)
    margin = np.where(place.notna(), now.margin[place.fillna(0).astype(int)], 0.0) if len(now.margin) else np.zeros(len(pairs))
    gain = (pairs["confidence_low"] - pairs["n_consequent"] / pairs["n"]).clip(lower=0)
    promise = (pairs["n_antecedent"] - pairs["n_both"]) * gain * margin
    names = _unordered(pairs)
    most = names[promise.sort_values(ascending=False, kind="stable").index].drop_duplicates().head(MOST_PAIRS)
    chosen = set(names.drop_duplicates().head(MOST_PAIRS)) | set(most)
    return pairs[names.isin(chosen)].reset_index(drop=True)


def worth_of(pairs: pd.DataFrame, now: Holdings, before: Holdings | None, interval: float, least: int = 5) -> pd.DataFrame:
    """Whom each pair concerns, and what those people bought more than others on the days whose outcome is known.

    Parameters
    ----------
    pairs : DataFrame
        antecedent and consequent.
    now, before : Holdings
        Of today, and of a horizon earlier; None where the history is too short for one.
    interval : float
    least : int
        Customers under which nothing is said of a group.

    Returns
    -------
    DataFrame
        In the order of ``pairs``: reach (customers who have A and not B and may be contacted as far as is known) and unknown (of the
        reach, of whom it is not said), in_range (of B), seen (customers who had A and not B then), rate (their share who bought B
        within the horizon) and other (the same of those who had neither), with _low and _high, each with each_low and each_high (what
        one of them brought with B more than one of the others), extra with extra_low and extra_high (that of all whom it reaches:
        each times reach); missing where nothing is known.
    """
    rows = []
    for a, b in zip(pairs["antecedent"], pairs["consequent"], strict=True):
        first, second = now.column(now.has, a), now.column(now.has, b)
        place = now.items.get(b)
        some = first & ~second
        row: dict[str, Any] = {
            "reach": int((some & now.asked).sum()),
            "unknown": int((some & ~now.told).sum()),
            "in_range": bool(place is not None and now.in_range[place]),
        }
        row |= _each(a, b, before, interval, least)
        row |= {f"extra{end}": row["reach"] * row[f"each{end}"] for end in ("", "_low", "_high")}
        rows.append(row)
    columns = ["reach", "unknown", "in_range", *_KNOWN, "extra", "extra_low", "extra_high"]
    return pd.DataFrame(rows, columns=columns, index=pairs.index)


_KNOWN = ("seen", "rate", "rate_low", "rate_high", "other", "other_low", "other_high", "each", "each_low", "each_high")


def _each(a: str, b: str, before: Holdings | None, interval: float, least: int) -> dict[str, float]:
    nothing = dict.fromkeys(_KNOWN, np.nan)
    if before is None:
        return nothing
    first, second = before.column(before.has, a), before.column(before.has, b)
    with_a, neither = first & ~second, ~first & ~second
    n1, n0 = int(with_a.sum()), int(neither.sum())
    if n1 < max(least, 2) or n0 < max(least, 2):
        return nothing
    bought, earned = before.column(before.later, b), before.values(before.earned, b)
    x1, x0 = int((bought & with_a).sum()), int((bought & neither).sum())
    each = _difference(earned[with_a], earned[neither], interval)
    values = (n1, x1 / n1, *wilson(x1, n1, interval), x0 / n0, *wilson(x0, n0, interval), *each)
    return dict(zip(_KNOWN, values, strict=True))


def _difference(mine: npt.NDArray[np.float64], others: npt.NDArray[np.float64], interval: float) -> tuple[float, float, float]:
    """Difference of mean money of two groups, with an interval that keeps to its level where few bought anything."""
    groups = {name: CellStatistics.from_values({"money": values}) for name, values in (("a", mine), ("others", others))}
    try:
        row = compare_cells(groups, control="others", correction="none", level=interval).iloc[0]
    except ModelError:  # nobody bought it, or all spent the same
        return float(mine.mean() - others.mean()), np.nan, np.nan
    return float(row["estimate"]), float(row["low"]), float(row["high"])


def best_direction(pairs: pd.DataFrame) -> pd.DataFrame:
    """One row for each pair, in the direction that surely brings more; what surely brings most comes first.

    That is the lower bound of the extra money in all; where that is not above 0, the extra money itself; where nothing is known of
    money, the surest lift comes first, in the direction that reaches more customers. What is out of range is left out.
    """
    sure, likely = pairs["extra_low"].clip(lower=0).fillna(-1.0), pairs["extra"].fillna(-np.inf)
    keyed = pairs.assign(_pair=_unordered(pairs), _sure=sure, _likely=likely)
    order = ["_sure", "_likely", "lift_low", "reach", "antecedent", "consequent"]
    rising = [False, False, False, False, True, True]
    keyed = keyed[keyed["in_range"].astype(bool)].sort_values(order, ascending=rising, kind="stable")
    return keyed.drop_duplicates("_pair").drop(columns=["_pair", "_sure", "_likely"]).reset_index(drop=True)

"""The lines of a scorecard: each measure now, in the period before and a year ago, its changes with intervals, and its past."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from crmlab.analyses.lifecycle import CURRENT, GONE, NONE, growth, moves_between
from crmlab.analyses.scorecard.board import YEAR, Board
from crmlab.analyses.scorecard.estimation import change, concentration
from crmlab.analyses.scorecard.money import Money, ends_of
from crmlab.history.customers import gaps, occasion_days
from crmlab.history.orders import between
from crmlab.models.btyd.special import Array
from crmlab.models.intervals import normal_quantile, wilson
from crmlab.models.survival import at, kaplan_meier

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AGAIN", "TOP", "Line", "Triple", "lines_of"]


AGAIN = 91  # days within which a second purchase is looked for
TOP = 0.1  # share of customers whose share of revenue is shown
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Line:
    """One measure.

    Attributes
    ----------
    key, group, label, kind : str
        Kind as of :data:`crmlab.page.format.KINDS`.
    now, low, high : float or None
        Of the period, with its interval; None where it is not known.
    last, year : float or None
        Of the period before, and a year ago.
    since_last, since_year : (change, low, high) or None
        Relative; of shares the difference.
    past : mapping of int to float
        Of earlier periods, for the small chart.
    add : str
        What to add so that it is known.
    """

    key: str
    group: str
    label: str
    kind: str
    now: float | None = None
    low: float | None = None
    high: float | None = None
    last: float | None = None
    year: float | None = None
    since_last: Triple | None = None
    since_year: Triple | None = None
    past: Mapping[int, float] = field(default_factory=dict)
    add: str = ""


# Key, group, words, kind.
_SUMS = (
    ("customers", "Customers", "Customers who bought", "count"),
    ("new", "Customers", "New customers", "count"),
    ("reactivated", "Customers", "Came back after a break", "count"),
    ("lost", "Customers", "Bought the period before, not in this", "count"),
    ("revenue", "Money", "Revenue, returns taken off", "money"),
    ("margin", "Money", "Gross margin", "money"),
    ("average_order_value", "Buying", "Average order value", "amount"),
    ("occasions_per_customer", "Buying", "Purchase occasions per customer", "number"),
    ("products_per_customer", "Buying", "Different products per customer", "number"),
    ("returned_share", "Buying", "Returned, share of sales", "share"),
)
_ADD = {
    "margin": "add products.unit_cost, or give the parameter 'margin'",
    "products_per_customer": "add the table order_lines",
}


def lines_of(board: Board, money: Money) -> list[Line]:
    """All measures of the page but the value of the base.

    Parameters
    ----------
    board : Board
    money : Money

    Returns
    -------
    list of Line
        In the order shown. A measure that the data set does not allow is there, with what to add.
    """
    lines = [_summed(board, *spec) for spec in _SUMS]
    place = 1 + [line.key for line in lines].index("margin")
    lines.insert(place, _profit(board, money))
    lines.insert(4, _kept(board))
    lines += [*_lifecycle(board), *_second(board), _contacted(board), _concentrated(board)]
    return [_hidden(line, board) for line in lines]


def _summed(board: Board, key: str, group: str, label: str, kind: str) -> Line:
    found = board.sums[(board.sums["measure"] == key) & (board.sums["number"] == board.now)]
    if found.empty:
        return Line(key, group, label, kind, add=_ADD.get(key, "needs two periods of history"))
    row = found.iloc[0]
    return Line(
        key, group, label, kind, float(row["value"]), float(row["low"]), float(row["high"]), past=board.series(key),
        **_compared(board, lambda n: board.value(key, n), lambda n: board.influence(key, n), kind),
    )  # fmt: skip


def _compared(
    board: Board, value: Callable[[int], float | None], moved: Callable[[int], tuple[float, Array] | None], kind: str
) -> dict[str, Any]:
    """Values of both earlier periods, and the changes since then."""
    out: dict[str, Any] = {}
    now = moved(board.now)
    for name, since, number in (("last", "since_last", board.last), ("year", "since_year", board.year)):
        out[name] = out[since] = None
        if number is not None:
            out[name], then = value(number), moved(number)
            if now is not None and then is not None:
                out[since] = change(then, now, level=board.level, absolute=kind == "share")
    return out


def _profit(board: Board, money: Money) -> Line:
    group, label = "Money", "Profit after the costs that are known"
    found = money.influence("profit", board.now)
    if found is None:
        return Line("profit", group, label, "money", add=money.of("profit").add)
    value, moved = found
    low, high = ends_of(value, moved, board.level)
    amounts = money.of("profit").amounts
    return Line(
        "profit", group, label, "money", value, low, high, past=amounts,
        **_compared(board, amounts.get, lambda n: money.influence("profit", n), "money"),
    )  # fmt: skip


def _kept(board: Board) -> Line:
    key, group, label = "kept_share", "Customers", "Of the customers of the period before: bought again"

    def moved(n: int) -> tuple[float, Array] | None:
        kept, before = board.people.influence(n, "kept"), board.people.of(n - 1, "customers")
        if n < 1 or kept is None or before is None or not before.sum():
            return None
        share = float(kept[0] / before.sum())
        return share, (kept[1] - share * before) / before.sum()

    found = moved(board.now)
    if found is None:
        return Line(key, group, label, "share", add="needs two periods of history")
    n = board.people.of(board.now - 1, "customers")
    assert n is not None
    low, high = wilson(round(found[0] * n.sum()), round(n.sum()), board.level)
    kept, bought = board.series("kept"), board.series("customers")
    past = {k: value / bought[k - 1] for k, value in kept.items() if bought.get(k - 1, 0) > 0}
    return Line(key, group, label, "share", found[0], low, high, past=past, **_compared(board, past.get, moved, "share"))


def _rates(
    board: Board, key: str, label: str, counts: Mapping[int, tuple[int, int]], add: str, group: str = "Lifecycle"
) -> Line:
    """A share of people in each period, from (how many, of how many). Periods are compared as if they were independent."""
    known = {n: pair for n, pair in counts.items() if pair[1] >= board.min_group}
    if board.now not in known:
        return Line(key, group, label, "share", add=add)

    def moved(n: int) -> tuple[float, Array] | None:
        if n not in known:
            return None
        x, of = known[n]
        # Two places, one for each period: independent of each other.
        out = np.zeros(2)
        out[int(n == board.now)] = np.sqrt(x / of * (1 - x / of) / of)
        return x / of, out

    x, of = known[board.now]
    low, high = wilson(x, of, board.level)
    past = {n: a / b for n, (a, b) in known.items()}
    return Line(key, group, label, "share", x / of, low, high, past=past, **_compared(board, past.get, moved, "share"))


def _lifecycle(board: Board) -> list[Line]:
    """Conversion and speed: how many of each state moved on in the period."""
    names = {
        "converted": "New customers who had bought again a period later",
        "lapsing": "Current customers who lapsed",
        "slipped": "Slowing customers who lapsed",
        "won_back": "Lapsed and lost customers who came back",
    }
    if board.life is None:
        return [Line(key, "Lifecycle", label, "share", add=board.why_no_life) for key, label in names.items()]
    counts: dict[str, dict[int, tuple[int, int]]] = {key: {} for key in names}
    ends = [(n, span.last) for n, span in enumerate(board.spans)]
    dates = [day for _, day in ends]
    moves = moves_between(board.data, dates, board.life.limits)
    accounts = {row["date"]: row for row in growth(moves, dates).to_dict("records")} if len(dates) > 1 else {}
    for n, day in ends[1:]:
        some = moves[moves["date"] == day]
        size = some["customers"]
        was, now = some["state_before"], some["state"]
        new = was == "new"
        counts["converted"][n] = int(size[new & (some["occasions"] > 0)].sum()), int(size[new].sum())
        counts["lapsing"][n] = int(accounts[day]["lapsed"]), int(accounts[day]["before"])
        slow = was == "slowing"
        counts["slipped"][n] = int(size[slow & now.isin(GONE)].sum()), int(size[slow].sum())
        gone = was.isin(GONE)
        counts["won_back"][n] = int(size[gone & now.isin(CURRENT)].sum()), int(size[gone].sum())
        assert not (was == NONE).all() or not counts["lapsing"][n][1]
    return [_rates(board, key, label, counts[key], "needs two periods of history") for key, label in names.items()]


def _second(board: Board) -> list[Line]:
    """How many newcomers of a year bought again, and how fast."""
    share, speed = "Newcomers of a year who buy again within 13 weeks", "Days until a quarter of newcomers have bought again"
    keys = (("second_share", share, "share"), ("second_days", speed, "days"))
    found: dict[str, dict[int, Triple]] = {"second_share": {}, "second_days": {}}
    for n in dict.fromkeys((board.now, board.last, board.year)):
        if n is None:
            continue
        end = board.spans[n].last
        waits = gaps(board.data.orders, end)
        begun = end - dt.timedelta(days=YEAR)
        frame = waits.filter((waits["number"] == 1) & (waits["day"] > begun)).select("gap", "ended").to_pandas()
        if len(frame) < max(board.min_group, 30) or (end - board.first).days < AGAIN:
            continue
        curve = kaplan_meier(frame["gap"], frame["ended"], level=board.level)
        row = at(curve, AGAIN)
        found["second_share"][n] = 1 - float(row["survival"]), 1 - float(row["high"]), 1 - float(row["low"])
        times = [_reached(curve, name, 0.75) for name in ("survival", "low", "high")]
        if np.isfinite(times).all():
            found["second_days"][n] = times[0], times[1], times[2]
    lines = []
    for key, label, kind in keys:
        values = found[key]
        if board.now not in values:
            add = "fewer than a quarter come back as far as the history shows" if key == "second_days" else "too few newcomers"
            lines.append(Line(key, "Lifecycle", label, kind, add=add))
            continue
        now, low, high = values[board.now]

        def moved(n: int, values: dict[int, Triple] = values) -> tuple[float, Array] | None:
            if n not in values or values[n][0] <= 0 or values[n][1] <= 0:
                return None
            value, low, high = values[n]
            out = np.zeros(2)
            # From the interval's width on the log scale; each period in a place of its own: independent.
            out[int(n == board.now)] = value * np.log(high / low) / (2 * normal_quantile(board.level))
            return value, out

        past = {n: value[0] for n, value in values.items()}
        lines.append(Line(key, "Lifecycle", label, kind, now, low, high, past=past, **_compared(board, past.get, moved, kind)))
    return lines


def _reached(curve: pd.DataFrame, name: str, share: float) -> float:
    some = curve.loc[curve[name] <= share + 1e-12, "time"]
    return float(some.iloc[0]) if len(some) else float("inf")


def _contacted(board: Board) -> Line:
    key, label = "contacted_share", "Share of customers who were contacted"
    data = board.data
    if "contacts" not in data.tables or "cells" not in data.tables:
        return Line(key, "Reach and risk", label, "share", add="add the tables cells and contacts")
    cells = data.cells
    treated = cells.filter(cells["control_cell_id"].notnull()).select(_cell="cell_id")
    days = occasion_days(between(data.orders, None, board.end))
    known = days.filter(days["is_occasion"]).group_by("customer_id").agg(first=lambda t: t["day"].min())
    asked = data.contacts.join(treated, data.contacts["cell_id"] == treated["_cell"])
    rows = asked.select("customer_id", day=asked["contacted_at"].date()).join(known, "customer_id")
    contacts = rows.select("customer_id", "day", "first").to_pandas().sort_values(["customer_id", "day"])
    firsts = known.select("first").to_pandas()["first"]
    day, first, begun = (
        np.array([_day(v) for v in x], dtype="datetime64[D]") for x in (contacts["day"], contacts["first"], firsts)
    )
    counts = {}
    for n, span in enumerate(board.spans):
        low, high = np.datetime64(span.first), np.datetime64(span.last)
        inside = (day >= low) & (day <= high) & (first <= high)
        counts[n] = int(contacts.loc[inside, "customer_id"].nunique()), int((begun <= high).sum())
    return _rates(board, key, label, counts, "too few customers", "Reach and risk")


def _concentrated(board: Board) -> Line:
    key, label = "top_share", "Share of revenue from the tenth who bring most"

    def moved(n: int) -> tuple[float, Array] | None:
        revenue, buyer = board.people.of(n, "revenue"), board.people.of(n, "customers")
        if revenue is None or buyer is None or buyer.sum() < 10:
            return None
        x = np.where(buyer > 0, np.maximum(revenue, 0.0), 0.0)
        if x.sum() <= 0:
            return None
        count = int(np.ceil(round(TOP * buyer.sum(), 9)))
        # Of equals at the edge the ids decide, so that the order of rows does not.
        top = np.lexsort((np.arange(len(x)), -x))[:count]
        share = float(x[top].sum() / x.sum())
        member = np.zeros(len(x))
        member[top] = 1.0
        return share, x * (member - share) / x.sum()

    found = moved(board.now)
    if found is None:
        return Line(key, "Reach and risk", label, "share", add="needs ten customers with revenue in the period")
    revenue, buyer = board.people.of(board.now, "revenue"), board.people.of(board.now, "customers")
    assert revenue is not None
    assert buyer is not None
    exact = concentration(revenue[buyer > 0], TOP, level=board.level).share
    past = {n: value[0] for n in (board.year, board.last, board.now) if n is not None and (value := moved(n)) is not None}
    return Line(key, "Reach and risk", label, "share", *exact, past=past, **_compared(board, past.get, moved, "share"))


def _hidden(line: Line, board: Board) -> Line:
    """A line without what would tell of fewer customers than may be shown."""
    if line.kind != "count" or line.key == "occasions":
        return line

    def small(value: float | None) -> bool:
        return value is not None and 0 < value < board.min_group

    past = {n: value for n, value in line.past.items() if not small(value)}
    if small(line.now):
        return Line(line.key, line.group, line.label, line.kind, past=past, add=f"fewer than {board.min_group}")
    last, year = (None if small(value) else value for value in (line.last, line.year))
    return Line(
        line.key, line.group, line.label, line.kind, line.now, line.low, line.high, last, year,
        line.since_last if last is not None else None, line.since_year if year is not None else None, past, line.add,
    )  # fmt: skip


def _day(value: object) -> dt.date:
    return dt.date(value.year, value.month, value.day)  # type: ignore[attr-defined]

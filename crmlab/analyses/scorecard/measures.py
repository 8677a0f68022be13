"""The lines of a scorecard: each measure now, in the period before and a year ago, its changes with intervals, and its past."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from crmlab.analyses.lifecycle import CURRENT, GONE, NONE, growth, moves_between
from crmlab.analyses.scorecard.board import Board
from crmlab.analyses.scorecard.estimation import change, concentration
from crmlab.analyses.scorecard.lines import AGAIN, CONTACTED, KEPT, MOVES, PROFIT, SECOND, SUMS, TOP, TOP_SHARE, Line, Triple
from crmlab.analyses.scorecard.money import Money
from crmlab.collecting import collect
from crmlab.history.customers import gaps_until, occasion_days
from crmlab.history.sending import sent
from crmlab.history.words import ROUNDS, YEAR
from crmlab.models.btyd.special import Array
from crmlab.models.intervals import normal_quantile
from crmlab.models.survival import at, kaplan_meier

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["lines_of"]


_ADD = {
    "products_per_customer": "add the table “order_lines”",
}
_NEWCOMERS = ("new", "converted", "second_share", "second_days")
_GOODS = ("margin", "profit", "products_per_customer", "returned_share")


def lines_of(board: Board, money: Money) -> list[Line]:
    """All measures of the page but the value of the base.

    Returns
    -------
    list of Line
        In the order shown. A measure that the data set does not allow is there, with what to add.
    """
    lines = [_summed(board, bare) for bare in SUMS]
    place = 1 + [line.key for line in lines].index("margin")
    lines.insert(place, _profit(board, money))
    lines.insert(4, _kept(board))
    lines += [*_lifecycle(board), *_second(board), _contacted(board), _concentrated(board)]
    told = [replace(line, label=board.speech(line.label)) for line in lines if _makes_sense(line, board)]
    return [_hidden(line, board) for line in told]


def _makes_sense(line: Line, board: Board) -> bool:
    """Whether a line may be told at all: not of newcomers where nobody can be new, nor of goods where people give."""
    if line.key in _NEWCOMERS and board.closed is not None:
        return False
    if board.speech.words is not ROUNDS or line.key not in _GOODS:
        return True
    if board.kept_whole and line.key == "margin":
        return False
    return line.now is not None and any(line.past.values())


def _summed(board: Board, bare: Line) -> Line:
    key = bare.key
    found = board.sums[(board.sums["measure"] == key) & (board.sums["number"] == board.now)]
    if found.empty:
        add = board.margin_lacks if key == "margin" else _ADD.get(key, "needs two periods of history")
        return replace(bare, add=add)
    earlier = _compared(board, lambda n: board.value(key, n), lambda n: board.influence(key, n), bare.kind)
    return replace(bare, now=float(found["value"].iloc[0]), past=board.series(key), **earlier)


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
                out[since] = change(then, now, level=board.params.level, absolute=kind == "share")
    return out


def _profit(board: Board, money: Money) -> Line:
    found, part = money.influence("profit", board.now), money.of("profit")
    bare = replace(PROFIT, label=part.label)
    if found is None or (not money.costed and board.kept_whole):
        return replace(bare, add="needs the gross margin" if part.add else "no costs are known")
    earlier = _compared(board, part.amounts.get, lambda n: money.influence("profit", n), "money")
    return replace(bare, now=found[0], past=part.amounts, **earlier)


def _kept(board: Board) -> Line:
    def moved(n: int) -> tuple[float, Array] | None:
        kept, before = board.people.influence(n, "kept"), board.people.of(n - 1, "customers")
        if n < 1 or kept is None or before is None or not before.sum():
            return None
        share = float(kept[0] / before.sum())
        return share, (kept[1] - share * before) / before.sum()

    found = moved(board.now)
    if found is None:
        return replace(KEPT, add="needs two periods of history")
    kept, bought = board.series("kept"), board.series("customers")
    past = {k: value / bought[k - 1] for k, value in kept.items() if bought.get(k - 1, 0) > 0}
    return replace(KEPT, now=found[0], past=past, **_compared(board, past.get, moved, "share"))


def _rates(board: Board, bare: Line, counts: Mapping[int, tuple[int, int]], add: str) -> Line:
    """A share of people in each period, from (how many, of how many). Periods are compared as if they were independent."""
    known = {n: pair for n, pair in counts.items() if pair[1] >= board.params.min_group}
    if board.now not in known:
        return replace(bare, add=add)

    def moved(n: int) -> tuple[float, Array] | None:
        if n not in known:
            return None
        x, of = known[n]
        # Two places, one for each period: independent of each other.
        out = np.zeros(2)
        out[int(n == board.now)] = np.sqrt(x / of * (1 - x / of) / of)
        return x / of, out

    past = {n: a / b for n, (a, b) in known.items()}
    return replace(bare, now=past[board.now], past=past, **_compared(board, past.get, moved, "share"))


def _lifecycle(board: Board) -> list[Line]:
    """Conversion and speed: how many of each state moved on in the period."""
    if board.life is None:
        return [replace(bare, add=board.why_no_life) for bare in MOVES]
    counts: dict[str, dict[int, tuple[int, int]]] = {bare.key: {} for bare in MOVES}
    ends = [(n, span.last) for n, span in enumerate(board.spans)]
    dates = [day for _, day in ends]
    moves = moves_between(board.history, dates, board.life.limits)
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
    return [_rates(board, bare, counts[bare.key], "needs two periods of history") for bare in MOVES]


def _second(board: Board) -> list[Line]:
    """How many newcomers of a year bought again, and how fast."""
    found: dict[str, dict[int, Triple]] = {bare.key: {} for bare in SECOND}
    for n in dict.fromkeys((board.now, board.last, board.year)):
        if n is None:
            continue
        end = board.spans[n].last
        waits = gaps_until(board.history.orders, end)
        begun = end - dt.timedelta(days=YEAR)
        frame = collect(waits.filter((waits["number"] == 1) & (waits["day"] > begun)).select("gap", "ended"), ("gap", "ended"))
        if len(frame) < max(board.params.min_group, 30) or (end - board.history.first).days < AGAIN:
            continue
        curve = kaplan_meier(frame["gap"], frame["ended"], level=board.params.level)
        row = at(curve, AGAIN)
        found["second_share"][n] = 1 - float(row["survival"]), 1 - float(row["high"]), 1 - float(row["low"])
        times = [_reached(curve, name, 0.75) for name in ("survival", "low", "high")]
        if np.isfinite(times).all():
            found["second_days"][n] = times[0], times[1], times[2]
    lines = []
    for bare in SECOND:
        values = found[bare.key]
        if board.now not in values:
            slow = bare.key == "second_days"
            add = "so far, fewer than a quarter have come back" if slow else board.speech("too few new {many}")
            lines.append(replace(bare, add=add))
            continue
        now, low, high = values[board.now]

        def moved(n: int, values: dict[int, Triple] = values) -> tuple[float, Array] | None:
            if n not in values or values[n][0] <= 0 or values[n][1] <= 0:
                return None
            value, low, high = values[n]
            out = np.zeros(2)
            # From the interval's width on the log scale; each period in a place of its own: independent.
            out[int(n == board.now)] = value * np.log(high / low) / (2 * normal_quantile(board.params.level))
            return value, out

        past = {n: value[0] for n, value in values.items()}
        earlier = _compared(board, past.get, moved, bare.kind)
        lines.append(replace(bare, now=now, low=low, high=high, past=past, **earlier))
    return lines


def _reached(curve: pd.DataFrame, name: str, share: float) -> float:
    some = curve.loc[curve[name] <= share + 1e-12, "time"]
    return float(some.iloc[0]) if len(some) else float("inf")


def _contacted(board: Board) -> Line:
    asked = sent(board.history)
    if asked is None:
        return replace(CONTACTED, add="add the tables “cells” and “contacts”")
    days = occasion_days(board.history.orders)
    known = days.filter(days["is_occasion"]).group_by("customer_id").agg(first=lambda t: t["day"].min())
    rows = asked.select("customer_id", day=asked["contacted_at"].date()).join(known, "customer_id")
    frame = collect(rows.select("customer_id", "day", "first"), ("customer_id", "day"))
    firsts = collect(known.select("first"), "first")["first"]
    day, first, begun = (np.array([_day(v) for v in x], dtype="datetime64[D]") for x in (frame["day"], frame["first"], firsts))
    counts = {}
    for n, span in enumerate(board.spans):
        low, high = np.datetime64(span.first), np.datetime64(span.last)
        inside = (day >= low) & (day <= high) & (first <= high)
        counts[n] = int(frame.loc[inside, "customer_id"].nunique()), int((begun <= high).sum())
    return _rates(board, CONTACTED, counts, board.speech("too few {many}"))


def _concentrated(board: Board) -> Line:
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
        return replace(TOP_SHARE, add=board.speech("needs ten {many} with {revenue} in the period"))
    revenue, buyer = board.people.of(board.now, "revenue"), board.people.of(board.now, "customers")
    assert revenue is not None
    assert buyer is not None
    share = concentration(revenue[buyer > 0], TOP, level=board.params.level).share[0]
    past = {n: value[0] for n in (board.year, board.last, board.now) if n is not None and (value := moved(n)) is not None}
    return replace(TOP_SHARE, now=share, past=past, **_compared(board, past.get, moved, "share"))


def _hidden(line: Line, board: Board) -> Line:
    """A line without what would tell of fewer customers than may be shown."""
    if line.kind != "count" or line.key == "occasions":
        return line

    def small(value: float | None) -> bool:
        return value is not None and 0 < value < board.params.min_group

    past = {n: value for n, value in line.past.items() if not small(value)}
    if small(line.now):
        few = f"fewer than {board.params.min_group}"
        return Line(key=line.key, group=line.group, label=line.label, kind=line.kind, past=past, add=few)
    out = replace(line, past=past)
    if out.last is None or small(out.last):
        out = replace(out, last=None, since_last=None)
    if out.year is None or small(out.year):
        out = replace(out, year=None, since_year=None)
    return out


def _day(value: object) -> dt.date:
    return dt.date(value.year, value.month, value.day)  # type: ignore[attr-defined]

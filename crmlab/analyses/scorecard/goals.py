"""Goals: where each stands, what is expected by its date, and whether it is on track, at risk or missed."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.scorecard.board import Board
from crmlab.analyses.scorecard.estimation import estimates
from crmlab.analyses.scorecard.forecasts import MOST_LEARNT, year_ahead
from crmlab.analyses.scorecard.reductions import Period, calendar, periods
from crmlab.analyses.scorecard.targets import Goal, parse_goals
from crmlab.data.collecting import collect, collect_row
from crmlab.history.words import QUARTER, QUARTERS, YEAR
from crmlab.models.btyd.forecasting import recent_rate, seasonal_factors
from crmlab.models.intervals import normal_quantile

if TYPE_CHECKING:
    from crmlab.analyses.scorecard.forecasts import Ahead
    from crmlab.models.btyd.special import Array

__all__ = ["AT_RISK", "LEAST_TREND", "MISSED", "MOST_TREND", "ON_TRACK", "REACHED", "UNKNOWN", "goals_of"]


ON_TRACK, AT_RISK, MISSED, REACHED, UNKNOWN = "on track", "at risk", "missed", "reached", "not known yet"
LEAST_TREND = 4  # quarters of a trend
MOST_TREND = 8


def goals_of(board: Board, ahead: Ahead | None) -> pd.DataFrame:
    """Say of each goal of the data set where it stands.

    Parameters
    ----------
    board : Board
    ahead : Ahead or None
        Forecast of the quarters ahead.

    Returns
    -------
    DataFrame
        One row per goal, those that need care first: measure, label, kind, owner, by, target, now (the measure of the year, or
        quarter, up to today), expected (by the date; the measure itself where the date is past), low, high, status, why (in words).
        Empty where the data set names no goals.

    Notes
    -----
    Sums of a year: what has come in of the year that ends on the date, and the forecast of the rest. Ends of the intervals of
    quarters are added up, which makes that of a sum a little wide. Where no model forecasts a measure, the trend of its quarters
    (a line through the logs, or logits of shares) is drawn out, with the interval of a prediction.
    """
    descriptor = board.history.data.descriptor
    section = descriptor.sections.get("goals")
    goals = parse_goals(section, descriptor.where) if section is not None else ()
    rows = [_goal(board, goal, ahead) for goal in goals]
    columns = ["measure", "label", "kind", "owner", "by", "target", "now", "expected", "low", "high", "status", "why"]
    frame = pd.DataFrame(rows, columns=columns)
    order = {status: k for k, status in enumerate((MISSED, AT_RISK, UNKNOWN, ON_TRACK, REACHED))}
    return frame.sort_values("status", key=lambda s: s.map(order), kind="stable", ignore_index=True)


def _goal(board: Board, goal: Goal, ahead: Ahead | None) -> dict[str, object]:
    aim, end = goal.aim, board.history.as_of
    row: dict[str, object] = {
        "measure": goal.measure,
        "label": aim.label,
        "kind": aim.kind,
        "owner": goal.owner or "nobody named",
        "by": pd.Timestamp(goal.by),
        "target": goal.target,
        **dict.fromkeys(("expected", "low", "high"), np.nan),
    }
    row["now"] = _measured(board, goal.measure, _window(goal, end))[0]
    if goal.day <= end:
        window = _window(goal, goal.day)
        value = _measured(board, goal.measure, window)[0]
        if value is None or window.first < board.history.first:
            why = "not known: the history begins later" if window.first < board.history.first else _cannot(goal)
            return row | {"status": UNKNOWN, "why": why}
        good = value <= goal.target if aim.less else value >= goal.target
        return row | {"expected": value, "status": REACHED if good else MISSED, "why": "counted: the date is past"}
    reach = end + dt.timedelta(days=YEAR)
    if goal.day > reach:
        return row | {"status": UNKNOWN, "why": f"too far ahead: forecasts reach to {board.history.form.short_day(reach)}"}
    found = _summed(board, goal, ahead) if aim.yearly else _trend(board, goal)
    if isinstance(found, str):
        return row | {"status": UNKNOWN, "why": found}
    value, low, high, basis = found
    best, worst = (low, high) if aim.less else (high, low)
    sign = -1 if aim.less else 1
    if sign * worst >= sign * goal.target:
        status, why = ON_TRACK, f"even the {'high' if aim.less else 'low'} end of the {basis} meets the target"
    elif sign * best < sign * goal.target:
        status, why = MISSED, f"unless something changes: all of the {basis} misses the target"
    elif sign * value >= sign * goal.target:
        status, why = AT_RISK, f"expected to be met, but part of the {basis} misses the target"
    else:
        status, why = AT_RISK, f"expected to be missed, but part of the {basis} meets the target"
    return row | {"expected": value, "low": low, "high": high, "status": status, "why": why}


def _cannot(goal: Goal) -> str:
    hints = {
        "margin": "add products.unit_cost",
        "margin_share": "add products.unit_cost",
        "products_per_customer": "add order_lines",
    }
    return f"not known: {hints.get(goal.measure, 'nobody bought')}"


def _window(goal: Goal, last: dt.date) -> Period:
    """The year, or quarter, up to a day."""
    label, days = ("year", YEAR) if goal.aim.yearly else ("quarter", QUARTER)
    return Period(label, last - dt.timedelta(days=days - 1), last)


def _measured(board: Board, measure: str, *spans: Period) -> list[float | None]:
    """A measure of some spans, by the engine's exact sums; None where it is not known."""
    lines, goods = board.history.lines, board.history.products
    given = list(spans)
    if measure == "lost":
        first = spans[0].first - dt.timedelta(days=1)
        given = [Period("before", first - dt.timedelta(days=QUARTER - 1), first), *given]
    # Lines are read only where something of them is asked for.
    if lines is None or measure not in ("margin", "margin_share", "products_per_customer") or board.params.margin is not None:
        lines = goods = None
    found = estimates(periods(board.history.orders, given, lines, goods), given, level=board.params.level)
    margin = board.params.margin
    if margin is not None and measure == "margin_share":
        return [margin] * len(spans)
    name = "revenue" if margin is not None and measure == "margin" else measure
    values = found[found["measure"] == name].set_index("number")["value"]
    scale = margin if margin is not None and measure == "margin" else 1.0
    return [scale * float(values[n]) if n in values.index else None for n in range(len(given) - len(spans), len(given))]


def _summed(board: Board, goal: Goal, ahead: Ahead | None) -> tuple[float, float, float, str] | str:
    """What has come in of the year that ends on the goal's date, and the forecast of the rest."""
    history = board.history
    window = _window(goal, goal.day)
    got = 0.0
    if window.first <= history.as_of:
        value = _measured(board, goal.measure, Period("so far", window.first, history.as_of))[0]
        if value is None:
            return _cannot(goal)
        got = value
    weights = np.array(
        [
            max((min(span.last, goal.day) - max(span.first, window.first)).days + 1, 0) / span.days
            for span in year_ahead(history.as_of)
        ]
    )
    if goal.measure == "new":
        found = _newcomers(board)
        if isinstance(found, str):
            return found
        middle, low, high = found
    else:
        if ahead is None:
            return "not known: there is no forecast"
        share = _per_spend(board, goal.measure)
        if share is None:
            return _cannot(goal)
        rows = ahead.quarters[ahead.quarters["quarter"] > 0]
        rows = rows[rows["measure"] == ("occasions" if goal.measure == "occasions" else "spend")].sort_values("quarter")
        middle, low, high = (share * rows[name].to_numpy(float) for name in ("expected", "low", "high"))
    return got + float(weights @ middle), got + float(weights @ low), got + float(weights @ high), "forecast"


def _per_spend(board: Board, measure: str) -> float | None:
    """What of each unit of spend on occasions is left after returns, or as margin, over the last year."""
    history = board.history
    if measure == "occasions":
        return 1.0
    year = Period("year", max(history.as_of - dt.timedelta(days=YEAR - 1), history.first), history.as_of)
    value = _measured(board, measure, year)[0]
    spend = collect_row(periods(history.orders, [year]).select("spend"))["spend"]
    return value / float(spend) if value is not None and spend > 0 else None


def _newcomers(board: Board) -> tuple[Array, Array, Array] | str:
    history = board.history
    spans = calendar(history.first, history.as_of, QUARTERS, count=MOST_LEARNT)
    if len(spans) < 3:
        return "not known: fewer than three quarters of history"
    sums = collect(periods(history.orders, spans).select("number", "new", "occasions"), "number").set_index("number")
    sums = sums.astype(float).reindex(range(len(spans)), fill_value=0.0)
    season = seasonal_factors(sums["occasions"].to_numpy() / [span.days for span in spans])
    days = np.array([span.days for span in year_ahead(history.as_of)], dtype=float)
    rate = recent_rate(sums["new"].to_numpy(), days / days.mean() * (1.0 if season is None else season))
    half = normal_quantile(board.params.level) * float(np.sqrt(np.log1p(rate.variance)))
    return rate.expected, rate.expected * np.exp(-half), rate.expected * np.exp(half)


def _trend(board: Board, goal: Goal) -> tuple[float, float, float, str] | str:
    """The line through the quarters so far, drawn out to the one that ends on the goal's date."""
    history = board.history
    from scipy import stats

    # Who is lost bought in the quarter before: of the earliest, it is not known.
    known = calendar(history.first, history.as_of, QUARTERS, count=MOST_TREND + 1)
    spans = known[1:] if goal.measure == "lost" else known[-MOST_TREND:]
    if len(spans) < LEAST_TREND:
        return f"not known: a trend needs {LEAST_TREND} quarters of history"
    series = [value for value in _measured(board, goal.measure, *spans) if value is not None and value > 0]
    if len(series) < len(spans):
        return _cannot(goal)
    y = np.array(series)
    if goal.aim.kind == "share":
        if (y >= 1).any():
            return _cannot(goal)
        y = np.log(y / (1 - y))
    else:
        y = np.log(y)
    x, at = np.array([(span.last - history.as_of).days for span in spans], dtype=float), (goal.day - history.as_of).days
    slope, start = np.polyfit(x, y, 1)
    rest = y - (start + slope * x)
    freedom = len(y) - 2
    spread = float((x - x.mean()) @ (x - x.mean()))
    error = float(np.sqrt(rest @ rest / freedom * (1 + 1 / len(y) + (at - x.mean()) ** 2 / spread)))
    half = float(stats.t.isf((1 - board.params.level) / 2, freedom)) * error
    middle = start + slope * at
    values = np.exp([middle, middle - half, middle + half])
    if goal.aim.kind == "share":
        values = values / (1 + values)
    return float(values[0]), float(values[1]), float(values[2]), "trend"

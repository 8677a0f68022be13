"""Goals: what has come in of each, what is expected by its date, and whether the target will be met."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.scorecard.board import Board, length_of
from crmlab.analyses.scorecard.estimation import estimates
from crmlab.analyses.scorecard.forecasts import LEAST_PAST, newcomers, year_ahead
from crmlab.analyses.scorecard.reductions import Period, calendar, periods
from crmlab.analyses.scorecard.targets import Goal, parse_goals
from crmlab.collecting import collect_row
from crmlab.history.words import QUARTER, QUARTERS, YEAR
from crmlab.models.intervals import normal_quantile

if TYPE_CHECKING:
    from crmlab.analyses.scorecard.forecasts import Ahead

__all__ = [
    "AT_RISK",
    "EVEN",
    "GOOD",
    "LEAST_TREND",
    "LIKELY",
    "MISSED",
    "MOST_TREND",
    "ON_TRACK",
    "REACHED",
    "STATUSES",
    "UNKNOWN",
    "WILL_MISS",
    "goals_of",
    "judged",
]


# What became of a target, or what is expected of it: even the far end of the interval meets it, the point does, only the near end, none.
REACHED, MISSED, UNKNOWN = "reached", "missed", "not known yet"
ON_TRACK, WILL_MISS = "on track", "will be missed"
EVEN = "could go either way"  # the target lies within a tenth of the way from the point to an end
LIKELY, AT_RISK = "more likely met than missed", "more likely missed than met"
STATUSES = (MISSED, WILL_MISS, AT_RISK, EVEN, UNKNOWN, LIKELY, ON_TRACK, REACHED)  # those that need care first
GOOD = (ON_TRACK, REACHED)
_ADDS_UP = ("revenue", "margin", "occasions", "new", "customers")  # so that what has come in is a part of the target
_OF_THE_WHOLE = ("lost", "occasions_per_customer", "products_per_customer")  # says little before the quarter is over
_ONLY_GROWS = ("occasions", "new", "customers")  # so that a target once reached stays reached
_AT_LEAST = (
    "revenue",
    "margin",
    "occasions",
    "customers",
)  # a part of the days has a part of it; of newcomers it may have too many
_EVEN = 0.1
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
        One row per goal, those that need care first: measure, label, kind, owner, by, target; first (day of the year, or quarter,
        that ends on the date), so_far (the measure of that from its first day up to today; missing before it begins, or where the
        measure, such as occasions per customer, says nothing before it is over), done (share
        of the target) and to_go (what is lacking), both missing where the measure does not add up; expected (by the date; the
        measure itself where the date is past), low, high, status (of ``STATUSES``), why (in words). Empty where the data set names
        no goals.

    Notes
    -----
    Sums of a year: what has come in of the year that ends on the date, and the forecast of the rest. Ends of the intervals of
    quarters are added up, which makes that of a sum a little wide. Where no model forecasts a measure, the trend of its quarters
    (a line through the logs, of counts those of half a customer more, or logits of shares) is drawn out, with the interval of a prediction.
    """
    descriptor = board.history.data.descriptor
    section = descriptor.sections.get("goals")
    goals = parse_goals(section, descriptor.where) if section is not None else ()
    rows = [_goal(board, goal, ahead) for goal in goals]
    shown = ["measure", "label", "kind", "owner", "by", "target", "first", "so_far", "done", "to_go"]
    frame = pd.DataFrame(rows, columns=[*shown, "expected", "low", "high", "status", "why"])
    return frame.sort_values("status", key=lambda s: s.map(STATUSES.index), kind="stable", ignore_index=True)


def _goal(board: Board, goal: Goal, ahead: Ahead | None) -> dict[str, object]:
    aim, end = goal.aim, board.history.as_of
    row: dict[str, object] = {
        "measure": goal.measure,
        "label": board.speech(aim.label),
        "kind": aim.kind,
        "owner": goal.owner or "nobody named",
        "by": pd.Timestamp(goal.by),
        "target": goal.target,
        **_come_in(board, goal),
        **dict.fromkeys(("expected", "low", "high"), np.nan),
    }
    if _window(goal, goal.day).first < board.history.first and not (goal.measure in _AT_LEAST and row["to_go"] == 0):
        why = "not known: the history begins later"
        return row | {"status": UNKNOWN, "why": why, **dict.fromkeys(("so_far", "done", "to_go"), np.nan)}
    if goal.day <= end:
        value = row["so_far"]
        if not isinstance(value, float) or value != value:
            return row | {"status": UNKNOWN, "why": _cannot(board, goal)}
        good = value <= goal.target if aim.less else value >= goal.target
        return row | {"expected": value, "status": REACHED if good else MISSED, "why": "counted, as the date has passed"}
    if goal.measure in _ONLY_GROWS and row["to_go"] == 0:
        left = length_of((goal.day - end).days)
        return row | {"expected": row["so_far"], "status": REACHED, "why": f"counted, {left} before the date"}
    reach = end + dt.timedelta(days=YEAR)
    if goal.day > reach:
        return row | {"status": UNKNOWN, "why": f"too far ahead: forecasts reach to {board.history.form.short_day(reach)}"}
    found = _summed(board, goal, ahead) if aim.yearly else _trend(board, goal)
    if isinstance(found, str):
        return row | {"status": UNKNOWN, "why": found}
    value, low, high, basis = found
    status, why = judged(goal, (value, low, high), basis)
    return row | {"expected": value, "low": low, "high": high, "status": status, "why": why}


def _come_in(board: Board, goal: Goal) -> dict[str, object]:
    """What the goal's own year, or quarter, has up to today, and how much of the target that is."""
    window, end = _window(goal, goal.day), board.history.as_of
    row: dict[str, object] = {"first": pd.Timestamp(window.first), **dict.fromkeys(("so_far", "done", "to_go"), np.nan)}
    if window.first > end or (goal.measure in _OF_THE_WHOLE and window.last > end):
        return row
    begun = Period("so far", window.first, min(window.last, end))
    value = _measured(board, goal.measure, begun)[0]
    few = not goal.aim.yearly and (_measured(board, "customers", begun)[0] or 0) < board.params.min_group
    if value is None or (few and window.last > end):
        return row
    row["so_far"] = float(value)
    if goal.measure in _ADDS_UP:
        row |= {"done": value / goal.target, "to_go": max(goal.target - value, 0.0)}
    return row


def judged(goal: Goal, found: tuple[float, float, float], basis: str) -> tuple[str, str]:
    """Say what is expected of a target by an estimate (value, low, high) of its measure on the date, and why.

    Examples
    --------
    >>> goal = Goal("revenue", 100.0, "2026-06-30")
    >>> [judged(goal, (value, value - 20, value + 20), "forecast")[0] for value in (130, 110, 101, 90)]
    ['on track', 'more likely met than missed', 'could go either way', 'more likely missed than met']
    """
    sign = -1 if goal.aim.less else 1
    middle, *ends = (sign * value for value in found)
    target, (best, worst) = sign * goal.target, ("low", "high") if goal.aim.less else ("high", "low")
    if min(ends) >= target:
        return ON_TRACK, f"even the {worst} end of the {basis} meets the target"
    far = min(ends) if middle >= target else max(ends)
    if abs(middle - target) <= _EVEN * abs(far - middle):
        return EVEN, f"the target lies in the middle of the {basis}"
    if middle >= target:
        return LIKELY, f"but the {worst} end of the {basis} misses the target"
    if max(ends) >= target:
        return AT_RISK, f"only the {best} end of the {basis} meets the target"
    return WILL_MISS, f"the whole interval of the {basis} misses the target"


def _cannot(board: Board, goal: Goal) -> str:
    hints = {
        "margin": board.margin_needed,
        "margin_share": board.margin_needed,
        "products_per_customer": "add the table “order_lines”",
    }
    return f"not known: {hints.get(goal.measure, board.speech('nobody {bought}'))}"


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
    if lines is None or measure not in ("margin", "margin_share", "products_per_customer") or board.margin is not None:
        lines = goods = None
    found = estimates(periods(board.history.orders, given, lines, goods), given, level=board.params.level)
    margin = board.margin
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
            return _cannot(board, goal)
        got = value
    if goal.measure == "new":
        found = _newcomers(board, window)
        if isinstance(found, str):
            return found
        middle, low, high = found
    else:
        if ahead is None:
            return "not known: there is no forecast"
        share = _per_spend(board, goal.measure)
        if share is None:
            return _cannot(board, goal)
        measure = "occasions" if goal.measure == "occasions" else "spend"
        rows = ahead.quarters[(ahead.quarters["quarter"] > 0) & (ahead.quarters["measure"] == measure)].sort_values("quarter")
        # Of a quarter that the year takes a part of: as much as the season puts on its days.
        parts = np.array([ahead.part(measure, span, window) for span in year_ahead(history.as_of)])
        middle, low, high = (share * float(parts @ rows[name].to_numpy(float)) for name in ("expected", "low", "high"))
    return got + middle, got + low, got + high, "forecast"


def _per_spend(board: Board, measure: str) -> float | None:
    """What of each unit of spend on occasions is left after returns, or as margin, over the last year."""
    history = board.history
    if measure == "occasions":
        return 1.0
    year = Period("year", max(history.as_of - dt.timedelta(days=YEAR - 1), history.first), history.as_of)
    value = _measured(board, measure, year)[0]
    spend = collect_row(periods(history.orders, [year]).select("spend"))["spend"]
    return value / float(spend) if value is not None and spend > 0 else None


def _newcomers(board: Board, window: Period) -> tuple[float, float, float] | str:
    """Newcomers expected on the days of a year that are still to come, with an interval."""
    history = board.history
    if len(calendar(history.first, history.as_of, QUARTERS, count=LEAST_PAST + 1)) <= LEAST_PAST:
        return "not known: fewer than three quarters of history"
    rate = newcomers(history.orders, history.first, history.as_of).rate()
    by_day = rate.expected((window.last - history.as_of).days)
    middle = float(by_day[max((window.first - history.as_of).days - 1, 0) :].sum())
    half = normal_quantile(board.params.level) * float(np.sqrt(np.log1p(rate.variance)))
    return middle, middle * float(np.exp(-half)), middle * float(np.exp(half))


def _trend(board: Board, goal: Goal) -> tuple[float, float, float, str] | str:
    """The line through the quarters so far, drawn out to the one that ends on the goal's date."""
    history = board.history
    from scipy import stats

    # Who is lost bought in the quarter before: of the earliest, it is not known.
    known = calendar(history.first, history.as_of, QUARTERS, count=MOST_TREND + 1)
    spans = known[1:] if goal.measure == "lost" else known[-MOST_TREND:]
    if len(spans) < LEAST_TREND:
        return f"not known: a trend needs {LEAST_TREND} quarters of history"
    series = [value for value in _measured(board, goal.measure, *spans) if value is not None]
    if len(series) < len(spans):
        return _cannot(board, goal)
    kind, y = goal.aim.kind, np.array(series)
    # A count may be 0: half a customer more has a logarithm, and makes no difference to large counts.
    more = 0.5 if kind == "count" else 0.0
    flat = y[(y + more <= 0) | ((y >= 1) & (kind == "share"))]
    if len(flat):
        return f"not known: a quarter had {history.form.write(flat[0], kind)}, through which no trend can be drawn"
    # Quarters without anybody do not scatter, as small numbers would: at least the chance of a count is in the interval.
    least = float(np.mean(1 / (y + 1))) if (y == 0).any() else 0.0
    y = np.log(y / (1 - y)) if kind == "share" else np.log(y + more)
    x, at = np.array([(span.last - history.as_of).days for span in spans], dtype=float), (goal.day - history.as_of).days
    slope, start = np.polyfit(x, y, 1)
    rest = y - (start + slope * x)
    freedom = len(y) - 2
    spread = float((x - x.mean()) @ (x - x.mean()))
    error = float(np.sqrt(max(rest @ rest / freedom, least) * (1 + 1 / len(y) + (at - x.mean()) ** 2 / spread)))
    half = float(stats.t.isf((1 - board.params.level) / 2, freedom)) * error
    middle = start + slope * at
    values = np.exp([middle, middle - half, middle + half])
    values = values / (1 + values) if kind == "share" else np.maximum(values - more, 0.0)
    return float(values[0]), float(values[1]), float(values[2]), "trend"

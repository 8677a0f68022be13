"""Orders → what a forecast of the quarters ahead needs, and how well the same forecast would have done before."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone

from crmlab.analyses.customer_value import fit_spend
from crmlab.analyses.scorecard.reductions import Period, calendar, periods
from crmlab.data.collecting import collect
from crmlab.errors import ConvergenceError, ModelError, TooLittleError
from crmlab.history.calendars import checked_end
from crmlab.history.customers import occasion_days, summary_until
from crmlab.history.orders import as_orders, between, extent, known_until
from crmlab.history.words import QUARTER, QUARTERS, YEAR
from crmlab.models.btyd.bg_nbd import BGNBD
from crmlab.models.btyd.customer_value import CustomerValue
from crmlab.models.btyd.forecasting import AHEAD, Past, coverage, forecast, seasonal_factors
from crmlab.models.intervals import LEVEL, wilson

if TYPE_CHECKING:
    import ibis
    import pandas as pd

__all__ = ["LEAST_PAST", "MOST_LEARNT", "MOST_PAST", "Ahead", "quarters_ahead", "year_ahead"]


LEAST_PAST = 2  # quarters before an origin
MOST_PAST = 8  # quarters that are kept
MOST_LEARNT = 40  # quarters, ten years, that season and pace are learnt from, however long the history is


@dataclass(frozen=True, kw_only=True, eq=False)
class Ahead:
    """A forecast and its backtest.

    Attributes
    ----------
    quarters : DataFrame
        As of :func:`crmlab.models.btyd.forecasting.forecast`, with first and last (days of each; of all four for quarter 0).
    backtest : DataFrame
        One row per origin, measure and quarter whose outcome is known: origin, measure, quarter, expected, low, high, seen; intervals
        before widening.
    inside, cases : int
        Intervals of the backtest that held what came, of so many.
    covered : (low, high)
        Interval of that share at the same level, as if cases were independent; quarters of one origin are not, so it is too narrow.
    widen : float
        Factor by which intervals were widened; 1 where they held what they claim.
    seasonal : bool
        Whether two years of history allowed seasonal factors.
    said : str
        What was found of the intervals, in a sentence.
    past : DataFrame
        The latest quarters before it, eight at most: last (day), spend (on purchase occasions).
    """

    quarters: pd.DataFrame
    backtest: pd.DataFrame
    inside: int
    cases: int
    covered: tuple[float, float]
    widen: float
    seasonal: bool
    said: str
    past: pd.DataFrame


def quarters_ahead(
    orders: ibis.Table | pd.DataFrame,
    as_of: str | dt.date | None = None,
    *,
    purchases: Any = None,
    level: float = LEVEL,
    origins: int = 4,
    seed: int = 0,
) -> Ahead:
    """Forecast occasions and spend of the next four quarters, 365 days together, with intervals that a backtest has checked.

    Parameters
    ----------
    orders : ibis.Table or DataFrame
        Canonical orders.
    as_of : date or ISO date, optional
        Last day of history; default: the day of the last order. Nothing after it is looked at.
    purchases : BGNBD, MBGNBD or ParetoNBD, or callable, optional
        Model of purchases, not fitted, or which one to use by what was known on a day; BG/NBD unless given.
    level : float
        Of the intervals.
    origins : int
        Rolling origins of the backtest, one to so many quarters before ``as_of``; as many as the history allows.
    seed : int

    Returns
    -------
    Ahead

    Raises
    ------
    DataError
        The history is shorter than three quarters, so that nothing can be checked.
    ModelError
        A model cannot be fitted.
    """
    import pandas as pd

    table, end = known_until(as_orders(orders), as_of)
    first, end = extent(table)[0], checked_end(end)
    table = between(table, None, end)
    spans, ahead = calendar(first, end, QUARTERS, count=MOST_LEARNT), year_ahead(end)
    if len(spans) < LEAST_PAST + 1:
        raise TooLittleError.needs(
            "forecast", f"at least {LEAST_PAST + 1} quarters of {QUARTER} days of history", f"{first} to {end}"
        )
    sums = _sums(table, spans)
    rows = []
    for back in range(min(origins, len(spans) - LEAST_PAST), 0, -1):
        known = len(spans) - back
        try:
            made = _at(table, [*spans, *ahead], sums.iloc[:known], purchases, level, 1.0, seed)[0]
        except (ModelError, ConvergenceError):
            continue  # an origin too early for a model says nothing of its intervals
        made = made[(made["quarter"] > 0) & (made["quarter"] <= back)]
        seen = [float(sums[row.measure].iloc[known + row.quarter - 1]) for row in made.itertuples()]
        rows.append(made.assign(origin=spans[known - 1].last, seen=seen))
    columns = ["origin", "measure", "quarter", "expected", "low", "high", "seen"]
    tested = pd.concat(rows, ignore_index=True)[columns] if rows else pd.DataFrame(columns=columns)
    inside, cases, factor = coverage(tested, level) if rows else (0, 0, 1.0)
    # Wider only where too few held: a factor from few cases is noise otherwise.
    widen = factor if cases and inside < level * cases else 1.0
    found, seasonal = _at(table, [*spans, *ahead], sums, purchases, level, widen, seed)
    begin = [ahead[max(q, 1) - 1].first for q in found["quarter"]]
    last = [ahead[(q or AHEAD) - 1].last for q in found["quarter"]]
    return Ahead(
        quarters=found.assign(first=begin, last=last),
        backtest=tested,
        inside=inside,
        cases=cases,
        covered=wilson(inside, cases, level) if cases else (0.0, 1.0),
        widen=widen,
        seasonal=seasonal,
        said=_said(inside, cases, level, widen),
        past=sums[["spend"]].assign(last=[span.last for span in spans]).tail(MOST_PAST),
    )


def year_ahead(day: dt.date) -> list[Period]:
    """The four quarters of the 365 days after a day: each a year after one of the four up to it."""
    return calendar(day + dt.timedelta(days=1), day + dt.timedelta(days=YEAR), QUARTERS)


def _at(
    table: ibis.Table, spans: list[Period], sums: pd.DataFrame, purchases: Any, level: float, widen: float, seed: int
) -> tuple[pd.DataFrame, bool]:
    """The forecast as it was when the last of the sums was known: of the spans after it, each as long as what came is counted."""
    known = len(sums)
    end, days = spans[known - 1].last, [span.days for span in spans]
    summary = collect(summary_until(table, end, unit="week"), "customer_id")
    chosen = purchases(end) if callable(purchases) else purchases if purchases is not None else BGNBD(seed=seed)
    model, summary, _ = fit_spend(CustomerValue(purchases=clone(chosen).fit(summary), unit="week"), summary)
    occasions = sums["occasions"].to_numpy(float)
    season = seasonal_factors(occasions / days[:known])
    firsts = _first_spends(table, spans[max(known - AHEAD, 0) : known])
    past = Past(sums["new"].to_numpy(float), occasions, *firsts, days=days[known : known + AHEAD])
    return forecast(model, summary, past, season=season, level=level, widen=widen, seed=seed), season is not None


def _sums(table: ibis.Table, spans: list[Period]) -> pd.DataFrame:
    """new, occasions and spend of each span; zeros where nothing happened."""
    found = collect(periods(table, spans).select("number", "new", "occasions", "spend"), "number").set_index("number")
    return found.astype(float).reindex(range(len(spans)), fill_value=0.0)


def _first_spends(table: ibis.Table, spans: list[Period]) -> tuple[float, float, float]:
    """Mean, standard error and standard deviation of spend on the first occasions of recent newcomers; of all, where nobody came."""
    days = occasion_days(between(table, None, spans[-1].last))
    days = days.filter(days["is_occasion"])
    first = days.group_by("customer_id").agg(day=days["day"].min())
    joined = days.join(first, ["customer_id", "day"]).select("customer_id", "day", spend=days["spend"].cast("float64"))
    spends = collect(joined, "customer_id")
    recent = spends.loc[[day >= spans[0].first for day in _days(spends["day"])], "spend"]
    some = (recent if len(recent) > 1 else spends["spend"]).to_numpy(float)
    deviation = float(some.std(ddof=1)) if len(some) > 1 else 0.0
    return float(some.mean()), deviation / float(np.sqrt(len(some))), deviation


def _days(values: Any) -> list[dt.date]:
    return [dt.date(day.year, day.month, day.day) for day in values]


def _said(inside: int, cases: int, level: float, widen: float) -> str:
    if not cases:
        return "No earlier forecast could be held against what came: the intervals are unchecked."
    held = f"In a backtest, {inside} of {cases} intervals at {level:.0%} held what came"
    if widen > 1:
        return f"{held}: too few, so all were widened by a factor of {widen:.2f}."
    return f"{held}; they are shown as they are."

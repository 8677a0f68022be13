"""Orders → what a forecast of the quarters ahead needs, and how well the same forecast would have done before."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone

from crmlab.analyses.customer_value import fit_spend
from crmlab.analyses.scorecard.reductions import Period, calendar, periods
from crmlab.collecting import collect
from crmlab.errors import ConvergenceError, ModelError, TooLittleError
from crmlab.history.calendars import checked_end
from crmlab.history.customers import occasion_days, summary_until
from crmlab.history.orders import as_orders, between, extent, known_until
from crmlab.history.words import QUARTER, QUARTERS, YEAR
from crmlab.models.btyd.arrivals import Arrivals
from crmlab.models.btyd.clock import day_of_year
from crmlab.models.btyd.customer_value import CustomerValue
from crmlab.models.btyd.forecasting import AHEAD, Past, coverage, forecast
from crmlab.models.btyd.mbg_nbd import MBGNBD
from crmlab.models.intervals import LEVEL, wilson

if TYPE_CHECKING:
    import ibis
    import pandas as pd

    from crmlab.models.btyd.clock import Clock

__all__ = ["LEAST_PAST", "MOST_LEARNT", "MOST_PAST", "Ahead", "misses_said", "newcomers", "quarters_ahead", "year_ahead"]


LEAST_PAST = 2  # quarters before an origin
MOST_PAST = 8  # quarters that are kept
MOST_LEARNT = 40  # quarters, ten years, that are counted, however long the history is


@dataclass(frozen=True, kw_only=True, eq=False)
class Ahead:
    """A forecast and its backtest.

    Attributes
    ----------
    quarters : DataFrame
        As of :func:`crmlab.models.btyd.forecasting.forecast`, with first and last (days of each; of all four for quarter 0).
    backtest : DataFrame
        One row per origin, measure and quarter whose outcome is known: origin, measure, quarter, last, expected, low, high, seen; intervals
        before widening.
    inside, cases : int
        Intervals of the backtest that contained the actual figure, of so many.
    covered : (low, high)
        Interval of that share at the same level, as if cases were independent; quarters of one origin are not, so it is too narrow.
    widen : float
        Factor by which intervals were widened; 1 where they held what they claim.
    seasonal : bool
        Whether purchases, newcomers or both follow a season.
    said : str
        What was found of the intervals, in a sentence.
    past : DataFrame
        The latest quarters before it, eight at most: last (day), spend (on purchase occasions).
    pace : DataFrame
        What the season puts on each of the days ahead, over the mean: occasions and spend, indexed by day.
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
    pace: pd.DataFrame

    def part(self, measure: str, quarter: Period, window: Period) -> float:
        """What of a quarter ahead falls on the days of a window, by the season of its days."""
        days = self.pace[measure].loc[quarter.first : quarter.last]
        return float(days.loc[window.first : window.last].sum() / days.sum())


def quarters_ahead(
    orders: Any,
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
    orders : table
        Canonical orders, as :func:`crmlab.history.orders.as_orders` takes them.
    as_of : date or ISO date, optional
        Last day of history; default: the day of the last order. Nothing after it is looked at.
    purchases : MBGNBD, ParetoNBD or BGNBD, or callable, optional
        Model of purchases, not fitted, or which one to use (with which clock) by what was known on a day; MBG/NBD unless given.
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
    sums, made = _sums(table, spans), _Forecaster(table, (first, end), purchases, level, seed)
    rows = []
    for back in range(min(origins, len(spans) - LEAST_PAST), 0, -1):
        known = len(spans) - back
        try:
            told, *_ = made.after(spans[known - 1].last, [span.days for span in [*spans, *ahead][known : known + AHEAD]])
        except (ModelError, ConvergenceError):
            continue  # an origin too early for a model says nothing of its intervals
        told = told[(told["quarter"] > 0) & (told["quarter"] <= back)]
        seen = [float(sums[row.measure].iloc[known + row.quarter - 1]) for row in told.itertuples()]
        ends = [spans[known + quarter - 1].last for quarter in told["quarter"]]
        rows.append(told.assign(origin=spans[known - 1].last, last=ends, seen=seen))
    columns = ["origin", "measure", "quarter", "last", "expected", "low", "high", "seen"]
    tested = pd.concat(rows, ignore_index=True)[columns] if rows else pd.DataFrame(columns=columns)
    inside, cases, factor = coverage(tested, level) if rows else (0, 0, 1.0)
    # Wider only where too few held: a factor from few cases is noise otherwise.
    widen = factor if cases and inside < level * cases else 1.0
    found, clock, seasonal = made.after(end, [span.days for span in ahead], widen)
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
        said=_said(tested, inside, level, widen),
        past=sums[["spend"]].assign(last=[span.last for span in spans]).tail(MOST_PAST),
        pace=_pace(clock, end),
    )


def year_ahead(day: dt.date) -> list[Period]:
    """The four quarters of the 365 days after a day: each a year after one of the four up to it."""
    return calendar(day + dt.timedelta(days=1), day + dt.timedelta(days=YEAR), QUARTERS)


class _Forecaster:
    """Makes the forecast of any day of a history, from what was known on it."""

    def __init__(self, table: ibis.Table, reach: tuple[dt.date, dt.date], purchases: Any, level: float, seed: int) -> None:
        self.table, self.purchases, self.level, self.seed = table, purchases, level, seed
        self.firsts = _firsts(table)
        self.arrivals = _arrivals(self.firsts, *reach)

    def after(self, day: dt.date, days: list[int], widen: float = 1.0) -> tuple[pd.DataFrame, Clock | None, bool]:
        """The forecast of four quarters of so many days after a day, its clock, and whether purchases or newcomers follow a season."""
        summary = collect(summary_until(self.table, day, unit="week"), "customer_id")
        chosen = self.purchases(day) if callable(self.purchases) else self.purchases
        chosen = MBGNBD(seed=self.seed) if chosen is None else chosen
        model, summary, _ = fit_spend(CustomerValue(purchases=clone(chosen).fit(summary), unit="week"), summary)
        rate = self.arrivals.rate(day)
        seasonal = rate.seasonal or (chosen.clock is not None and chosen.clock.seasonal)
        past = Past(rate, *_first_spends(self.firsts, day), days=days)
        return forecast(model, summary, past, level=self.level, widen=widen, seed=self.seed), chosen.clock, seasonal


def _pace(clock: Clock | None, end: dt.date) -> pd.DataFrame:
    """What the season puts on each day of the year after the last, over the mean."""
    import pandas as pd

    days = [end + dt.timedelta(days=k) for k in range(1, YEAR + 1)]
    found = pd.DataFrame({"occasions": np.ones(YEAR), "spend": np.ones(YEAR)}, index=pd.Index(days))
    if clock is None:
        return found
    rate, spend = clock.rates(1, YEAR), clock.spend[day_of_year(np.array(days, dtype="datetime64[D]"))]
    return found.assign(occasions=rate, spend=rate * spend)


def newcomers(orders: ibis.Table, first: dt.date, end: dt.date) -> Arrivals:
    """First purchases by day, and with them how many newcomers will come: everybody who tells of newcomers asks here.

    Parameters
    ----------
    orders : ibis.Table
        Canonical orders.
    first, end : datetime.date
        First and last day of history.
    """
    return _arrivals(_firsts(between(orders, None, end)), first, end)


def _arrivals(firsts: pd.DataFrame, first: dt.date, end: dt.date) -> Arrivals:
    days = (end - first).days + 1
    place = (firsts["day"] - np.datetime64(first, "s")).dt.days.to_numpy()
    return Arrivals(np.bincount(place, minlength=days)[-MOST_LEARNT * QUARTER :], end)


def _sums(table: ibis.Table, spans: list[Period]) -> pd.DataFrame:
    """new, occasions and spend of each span; zeros where nothing happened."""
    found = collect(periods(table, spans).select("number", "new", "occasions", "spend"), "number").set_index("number")
    return found.astype(float).reindex(range(len(spans)), fill_value=0.0)


def _firsts(table: ibis.Table) -> pd.DataFrame:
    """Day and spend of the first occasion of each customer, ordered by customer."""
    import pandas as pd

    days = occasion_days(table)
    days = days.filter(days["is_occasion"])
    first = days.group_by("customer_id").agg(day=days["day"].min())
    joined = days.join(first, ["customer_id", "day"]).select("customer_id", "day", spend=days["spend"].cast("float64"))
    found = collect(joined, "customer_id")
    return found.assign(day=pd.to_datetime(found["day"]))


def _first_spends(firsts: pd.DataFrame, day: dt.date) -> tuple[float, float, float]:
    """Mean, standard error and deviation of spend on first occasions of the last year's newcomers; of all, where nobody came."""
    known = firsts[firsts["day"] <= np.datetime64(day, "s")]
    recent = known.loc[known["day"] > np.datetime64(day - dt.timedelta(days=YEAR), "s"), "spend"]
    some = (recent if len(recent) > 1 else known["spend"]).to_numpy(float)
    deviation = float(some.std(ddof=1)) if len(some) > 1 else 0.0
    return float(some.mean()), deviation / float(np.sqrt(len(some))), deviation


def _said(tested: pd.DataFrame, inside: int, level: float, widen: float) -> str:
    """How far forecasts of earlier days missed, how often their intervals held, and what follows."""
    if tested.empty:
        return "No earlier forecast could be compared with the actual figures, so the intervals are unchecked."
    far = misses_said(tested[tested["measure"] == "spend"])
    many = len(tested)
    some = f"all {many} intervals" if inside == many else f"{inside or 'none'} of the {many} intervals"
    if many == 1:
        some = "the one interval"
    contained = "contained" if inside or many > 1 else "did not contain"
    days, most = tested["origin"].nunique(), int(tested["quarter"].max())
    reach = f", for up to {most} quarters ahead," if most > 1 else ""
    made = f"Forecasts made on {days} earlier {'day' if days == 1 else 'days'}{reach}"
    told = f"{made} {f'were {far}, and' if far else 'were checked:'} {some} at {100 * level:.0f}% {contained} the actual figure"
    return f"{told}: too few, so all were widened by a factor of {widen:.2f}." if widen > 1 else f"{told}."


def misses_said(tested: pd.DataFrame) -> str:
    """By how much forecasts were off, whatever the direction, and which way where all of them missed to one side; empty without any.

    Parameters
    ----------
    tested : DataFrame
        expected, seen; what came to nothing is left out.

    Examples
    --------
    >>> import pandas as pd
    >>> misses_said(pd.DataFrame({"expected": [130.0, 90.0], "seen": [100.0, 100.0]}))
    'off by 20% on average, some too high and some too low'
    >>> misses_said(pd.DataFrame({"expected": [80.0, 90.0], "seen": [100.0, 100.0]}))
    'off by 15% on average, each of them too low'
    >>> misses_said(pd.DataFrame({"expected": [80.0], "seen": [100.0]}))
    '20% too low'
    """
    some = tested[tested["seen"] > 0]
    if some.empty:
        return ""
    off = some["expected"] / some["seen"] - 1
    size = f"{100 * off.abs().mean():.0f}%"
    if size == "0%":
        return "off by less than 1%"
    side = "high" if (off > 0).all() else "low" if (off < 0).all() else ""
    if len(off) == 1:
        return f"{size} too {side}"
    return f"off by {size} on average, {f'each of them too {side}' if side else 'some too high and some too low'}"

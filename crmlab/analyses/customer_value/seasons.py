"""The clock of a customer base: season and level, learnt in one place for everybody, and used only where it tells better what came."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.customer_value.base import Base, base_of
from crmlab.collecting import collect
from crmlab.data.season import CLOSED
from crmlab.errors import ConvergenceError, ModelError
from crmlab.history.customers import occasion_days
from crmlab.history.orders import extent
from crmlab.history.words import ROUNDS
from crmlab.models.btyd.clock import DAYS, Clock
from crmlab.models.btyd.mbg_nbd import MBGNBD
from crmlab.models.btyd.seasonality import SHORTEST, fit_clock, spend_by_day
from crmlab.models.btyd.selection import log_masses
from crmlab.models.intervals import LEVEL, normal_quantile

if TYPE_CHECKING:
    import ibis

__all__ = ["AMPLITUDE", "HORIZON", "Season", "judged", "learnt", "repeat_purchases", "spend_ratios"]


AMPLITUDE = 0.3  # of a season that may be there where none was seen: weeks between 70 and 130% of the mean
HORIZON = 13  # weeks that the clock is judged on, from each origin
_ORIGINS = 4
_AHEAD = 20  # years for which closed days and events to come are looked up: as far as days are valued one by one
_PARTS = 1_000_000  # of the season of spend, in which ratios are counted
_MOST = 5.0  # times a customer's own mean: what one purchase counts at most in the season of spend


@dataclass(frozen=True, kw_only=True, eq=False)
class Season:
    """Whether a customer base has a season that its forecasts follow, and how that is known.

    Attributes
    ----------
    by : {"rounds", "off", "short", "untested", "unclear", "likely", "shown"}
        There is one purchase a year; the data set says that none is to be learnt; the history has no more than a year, or holds too
        little to learn one; no time after a year of it to test the season on, or no model could be fitted then; forecasts with it were no
        better; they were better, perhaps by chance; or they are shown to be better.
    amplitude : float
        Of the season that is allowed for where none was seen.
    tested : DataFrame
        One row per origin: day, seen (repeat purchases in the next 13 weeks), plain and clock (expected of them), gain (log-likelihood
        of the clock over that of none).
    gain : tuple of float
        The gain of all origins, and the ends of its interval, clustered by customer.
    why : str
        Where nothing was learnt or tested though the history is long enough: what failed.
    """

    by: str
    amplitude: float = AMPLITUDE
    tested: pd.DataFrame
    gain: tuple[float, float, float] = (0.0, 0.0, 0.0)
    why: str = ""

    @property
    def used(self) -> bool:
        """Whether forecasts were better with it, and so follow it."""
        return self.by in ("likely", "shown")

    def clock(self, base: Base) -> Clock | None:
        """The clock of a model that is fitted to a base.

        Parameters
        ----------
        base : Base
            The clock is learnt from its history alone.

        Returns
        -------
        Clock or None
            Where the season is not used, one that runs as the calendar does but for days that the data set declares closed, and widens
            intervals by what is not known of it; None with yearly rounds.
        """
        if self.by == "rounds":
            return None
        found = None if self.by == "off" else learnt(base)
        if found is not None and self.used:
            return found
        if found is None:
            amplitude = 0.0 if self.by == "off" else self.amplitude
            found = Clock(end=base.end, unseen=amplitude, years=((base.end - base.first).days + 1) / DAYS)
        else:
            found = found.still()
        return replace(found, special=_closed(base))


def judged(base: Base, amplitude: float = AMPLITUDE) -> Season:
    """Say whether forecasts of a customer base follow a season: judged by what came, never by the years it was learnt from.

    From up to four origins, a quarter apart, each with more than a year of history before it, MBG/NBD with the clock and without it
    forecasts the repeat purchases of each customer in the next 13 weeks. The season is used where the log-likelihood of what came is
    higher with it; it is shown to be there where that is more than its interval, clustered by customer. Of a few hundred customers a
    season that moves totals by a third is often not shown, while one that is not there is learnt as nearly none and does little harm.

    Parameters
    ----------
    base : Base
    amplitude : float
        Of the season that is allowed for where none was seen.
    """
    found = base.history.once(("customer_value.season",), lambda: _judged(base), shared_by_all=True)
    return found if found.amplitude == amplitude else replace(found, amplitude=amplitude)


def _judged(base: Base) -> Season:
    nothing = pd.DataFrame(columns=["day", "seen", "plain", "clock", "gain"])
    if base.words is ROUNDS:
        return Season(by="rounds", tested=nothing)
    if not base.data.descriptor.season.learn:
        return Season(by="off", tested=nothing)
    clock, why = _learning(base)
    if clock is None:
        return Season(by="short", tested=nothing, why=why)
    rows, gains = [], []
    for back in range(1, _ORIGINS + 1):
        day = base.end - dt.timedelta(weeks=HORIZON * back)
        if (day - base.first).days < SHORTEST:
            break
        then = base_of(base.history.earlier(day))
        held = base_of(base.history.earlier(day + dt.timedelta(weeks=HORIZON))).held(HORIZON)
        clock, failed = _learning(then)
        if clock is None:
            why = failed
            continue
        try:
            models = {
                "plain": MBGNBD(clock=Clock(end=day, special=_closed(then))).fit(held),
                "clock": MBGNBD(clock=clock).fit(held),
            }
        except (ModelError, ConvergenceError) as error:
            why = str(error)
            continue  # a day too early for a model says nothing of which is better
        each = {name: log_masses(model, held, held) for name, model in models.items()}
        gains.append(pd.Series(each["clock"] - each["plain"], index=held["customer_id"]))
        expected = {name: float(model.expected_purchases(held, float(HORIZON)).sum()) for name, model in models.items()}
        rows.append({"day": day, "seen": float(held["holdout_purchases"].sum()), **expected, "gain": float(gains[-1].sum())})
    if not rows:
        return Season(by="untested", tested=nothing, why=why)
    total = pd.concat(gains, axis=1).sum(axis=1).to_numpy()
    half = normal_quantile(LEVEL) * float(np.sqrt(((total - total.mean()) ** 2).sum()))
    gain = float(total.sum())
    by = "unclear" if gain <= 0 else "likely" if gain <= half else "shown"
    return Season(by=by, tested=pd.DataFrame(rows), gain=(gain, gain - half, gain + half))


def learnt(base: Base) -> Clock | None:
    """Learn the clock of a base's history; None where it has no more than a year, or holds too little.

    Parameters
    ----------
    base : Base
        In weeks.
    """
    return _learning(base)[0]


def _learning(base: Base) -> tuple[Clock | None, str]:
    """The clock of a base's history, or None and what failed: nothing where the history has no more than a year."""

    def work() -> tuple[Clock | None, str]:
        if (base.end - base.first).days < SHORTEST:
            return None, ""
        known: dict[dt.date, float | str] = {day: 0.0 if mark == CLOSED else mark for day, mark in _declared(base).items()}
        try:
            clock = fit_clock(MBGNBD(), base.summary(), repeat_purchases(base), base.end, known=known)
        except (ModelError, ConvergenceError) as error:
            return None, str(error)
        spent = collect(spend_ratios(base.history.orders, base.end), "day")
        days = pd.DatetimeIndex(pd.to_datetime(spent["day"]))
        ratio, count = (pd.Series(spent[name].to_numpy(float), index=days) for name in ("ratio", "occasions"))
        return replace(clock, spend=spend_by_day(ratio, count, clock.season)), ""

    return base.history.once(("customer_value.clock",), work)


def _declared(base: Base) -> dict[dt.date, str]:
    """What the data set declares of days, past and to come: closed, or the name of an event."""
    until = base.end + dt.timedelta(days=_AHEAD * DAYS)
    marks = base.data.descriptor.season.days_between(base.first, until)
    return {base.first + dt.timedelta(days=k): mark for k, mark in enumerate(marks) if mark is not None}


def _closed(base: Base) -> dict[dt.date, float]:
    """The factor of days that the data set declares closed."""
    return {day: 0.0 for day, mark in _declared(base).items() if mark == CLOSED}


def repeat_purchases(base: Base) -> pd.Series:
    """Repeat purchase occasions of all customers by day, indexed by date."""
    from crmlab.analyses.customer_value.rounds import repeats

    orders = base.history.orders
    found = collect(repeats(orders, base.end, min(base.end, extent(orders)[1])), "day")  # the last days may be quiet
    return pd.Series(found["purchases"].to_numpy(float), index=pd.DatetimeIndex(pd.to_datetime(found["day"])))


def spend_ratios(orders: ibis.Table, until: dt.date) -> ibis.Table:
    """Spend on repeat occasions by day, over what each customer spends on the mean of theirs.

    Parameters
    ----------
    orders : ibis.Table
        Canonical orders.
    until : datetime.date
        Last day looked at.

    Returns
    -------
    ibis.Table
        day, ratio (their sum; one counts as at most five), occasions; only days with any, of customers with two repeat occasions at
        least. One of n occasions counts as 1 − 1/n, and its ratio less 1/n: it is part of the mean that it is held against, and would
        hide so much of the season.
    """
    import ibis

    from crmlab.history.orders import between

    days = occasion_days(between(orders, None, until))
    days = days.filter(days["is_occasion"])
    by = ibis.window(group_by="customer_id", order_by="day")
    again = days.mutate(number=ibis.row_number().over(by)).filter(lambda t: (t["number"] > 0) & (t["spend"] > 0))
    whole = ibis.window(group_by="customer_id")
    held = again.mutate(total=again["spend"].sum().over(whole), many=again.count().over(whole))
    ratio = held["spend"].cast("float64") * held["many"] / held["total"].cast("float64")
    # In whole parts, whose sum does not depend on the order in which an engine adds them up.
    own = 1.0 / held["many"].cast("float64")
    held = held.mutate(
        parts=((ratio.clip(upper=_MOST) - own) * _PARTS).round().cast("int64"),
        others=((1.0 - own) * _PARTS).round().cast("int64"),
    )
    some = held.filter(held["many"] > 1)
    sums = {name: some[of].sum().cast("float64") / _PARTS for name, of in (("ratio", "parts"), ("occasions", "others"))}
    return some.group_by("day").agg(**sums).order_by("day")

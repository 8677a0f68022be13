"""What the season and the level of a customer base look like, and whether its forecasts follow them: in numbers and in words."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.customer_value.reasons import reason_said
from crmlab.analyses.customer_value.seasons import HORIZON, learnt
from crmlab.models.btyd.clock import DAYS, WEEKS
from crmlab.models.intervals import LEVEL, normal_quantile

if TYPE_CHECKING:
    from crmlab.analyses.customer_value.base import Base
    from crmlab.analyses.customer_value.choice import Choice
    from crmlab.analyses.customer_value.seasons import Season
    from crmlab.history.words import Words
    from crmlab.models.btyd.clock import Clock
    from crmlab.page.format import Format

__all__ = ["Seasonal", "Stretch", "levels", "seasonal_of", "stretches", "weeks_of_year"]


_MISSING = {
    "rounds": "With one round of giving a year, there is no season.",
    "off": "No season is learnt: the data set turns it off (learn = false).",
    "short": "No season was seen: the history is too short.",
    "untested": "No season was tested: the history is too short.",
}
_FAILED = {"short": "No season could be learnt", "untested": "No season could be tested on earlier days"}
_IN_A_ROW = 4  # weeks that are called the peak of a season, or its trough
_COMMON = 2023  # a year of 365 days, to name the days of


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Four weeks of the year in a row.

    Attributes
    ----------
    week : int
        The first of them, 0 to 51.
    rate, low, high : float
        What they bring over what four mean weeks of the year bring, and its interval.
    """

    week: int
    rate: float
    low: float
    high: float

    @property
    def first(self) -> tuple[int, int]:
        """Month and day of its first day."""
        day = _day_of(7 * self.week)
        return day.month, day.day

    @property
    def last(self) -> tuple[int, int]:
        """Month and day of its last day."""
        end = (self.week + _IN_A_ROW) % WEEKS
        day = _day_of((7 * end if end else DAYS) - 1)
        return day.month, day.day

    def said(self, form: Format) -> str:
        """Its days, without a year."""
        return " to ".join(form.day_of_year(*day) for day in (self.first, self.last))

    def within(self, first: dt.date, last: dt.date) -> list[tuple[dt.date, dt.date]]:
        """First and last day of each of its times between two days, cut at them."""
        out = []
        for year in range(first.year - 1, last.year + 1):
            begin = dt.date(year, *self.first)
            end = dt.date(year + (self.last < self.first), *self.last)
            if begin <= last and end >= first:
                out.append((max(begin, first), min(end, last)))
        return out


@dataclass(frozen=True, kw_only=True, eq=False)
class Seasonal:
    """Season and level of a customer base, and whether its forecasts follow them.

    Attributes
    ----------
    choice : Choice
        The model of purchases that is used, and how its season was judged.
    clock : Clock or None
        What was learnt of it; None where it was not.
    level : float
        Of the intervals.
    words : Words
        Of the base.
    """

    choice: Choice
    clock: Clock | None
    level: float
    words: Words

    @property
    def season(self) -> Season:
        """How it was judged."""
        return self.choice.season

    @property
    def shown(self) -> bool:
        """Whether there is a season to be looked at: it was learnt, and tested."""
        return self.clock is not None and self.season.by in ("shown", "likely", "unclear")

    @property
    def missing(self) -> str:
        """Why there is none to be looked at; empty where there is."""
        if self.shown:
            return ""
        return (
            f"{_FAILED[self.season.by]}: {reason_said(self.season.why, self.words, 'that needs')}"
            if self.season.why
            else _MISSING[self.season.by]
        )

    @property
    def followed(self) -> bool:
        """Whether forecasts follow it: they were better with it."""
        return self.choice.in_season

    @cached_property
    def weeks(self) -> pd.DataFrame:
        """As of :func:`weeks_of_year`; empty where nothing was learnt."""
        return pd.DataFrame() if self.clock is None else weeks_of_year(self.clock, self.level)

    @cached_property
    def ends(self) -> tuple[Stretch, Stretch]:
        """Peak and trough of what was learnt."""
        assert self.clock is not None
        return stretches(self.clock, self.level)

    @property
    def grown(self) -> tuple[float, float, float]:
        """By which share of it the level is higher than it was a year before, and the interval."""
        assert self.clock is not None
        place = max(len(self.clock.level) - 1 - DAYS, 0)
        change = -float(np.log(self.clock.level[place]))
        half = normal_quantile(self.level) * float(self.clock.level_error[min(place, len(self.clock.level_error) - 1)])
        return float(np.expm1(change)), float(np.expm1(change - half)), float(np.expm1(change + half))

    def said(self, form: Format) -> str:
        """Whether forecasts follow a season, and which, in sentences; empty with yearly rounds."""
        season, amplitude = self.season, self.season.amplitude
        if season.by == "rounds":
            return ""
        if season.by == "off":
            return "No season is learnt: the data set turns it off (learn = false). Forecasts assume an even pace."
        if season.why:
            rest = "So forecasts assume an even pace, and intervals allow for that being wrong."
            return f"{self.missing} {_allowed(amplitude, form) if season.by == 'short' else rest}"
        if season.by == "short":
            text = f"No season can be learnt yet: that takes more than a year of history and enough repeat {self.words.deeds}."
            return f"{text} {_allowed(amplitude, form)}"
        if season.by == "untested":
            return (
                "The season could not be tested: the history is barely over a year, too short to see whether forecasts with a season are "
                "better. So forecasts assume an even pace, and intervals allow for that being wrong."
            )
        if not self.season.used:
            return (
                f"No season is used: forecasts with one were not better{_tested(self, form)}. "
                "So forecasts assume an even pace, and intervals allow for that being wrong."
            )
        peak, trough = self.ends
        who = self.words.many.capitalize()
        text = (
            f"{who} {self.words.blanks['buy']} most from {peak.said(form)}, at {_times(peak, form)} the mean of the year, and least from "
            f"{trough.said(form)}, at {_times(trough, form)}."
        )
        why = "they are clearly better with it"
        if season.by == "likely":
            why = "they were better with it, though perhaps by chance"
        return f"{text} Forecasts use this season because {why}{_tested(self, form)}."

    def level_said(self, form: Format) -> str:
        """How the level is against that of a year before, as a sentence; empty where that is not known."""
        if not self.shown:
            return ""
        value, low, high = self.grown
        what, then = (
            f"The level of {self.words.deeds}, apart from the season and the time since {self.words.many} joined,",
            "a year ago",
        )
        if low * high <= 0:
            found = form.measured(value, low, high, "share")
            return f"{what} shows no clear difference from {then} (change {found.value}, {found.interval})."
        near, far = sorted((abs(low), abs(high)))
        found = form.measured(abs(value), near, far, "share")
        return f"{what} is {found.value} {'higher' if value > 0 else 'lower'} than {then} ({found.interval})."


def _allowed(amplitude: float, form: Format) -> str:
    if not amplitude:
        return "Intervals allow for none."
    return (
        f"There may be one: intervals of sums allow for weeks between {form.share(1 - amplitude)} and {form.share(1 + amplitude)} of the "
        "mean (the parameter unseen_season)."
    )


def _tested(found: Seasonal, form: Format) -> str:
    """How far forecasts of earlier days were off, with the season and without."""
    tested = found.season.tested
    came = float(tested["seen"].sum())
    if not came:
        return ""
    clock, plain = (form.share(float((tested[name] - tested["seen"]).abs().sum()) / came) for name in ("clock", "plain"))
    after = "an earlier day" if len(tested) == 1 else f"each of {len(tested)} earlier days"
    return f" ({found.words.deeds} in the {found.words.span(HORIZON)} after {after}: off by {clock} with it, {plain} without)"


def _times(found: Stretch, form: Format) -> str:
    shown = form.measured(found.rate, found.low, found.high)
    return f"{shown.value} times ({shown.interval})"


def _day_of(number: int) -> dt.date:
    """A day of a year of 365 days, the first being 0."""
    return dt.date(_COMMON, 1, 1) + dt.timedelta(days=number)


def seasonal_of(base: Base, choice: Choice, level: float = LEVEL) -> Seasonal:
    """Say what the season of a base looks like, and whether its forecasts follow it.

    Parameters
    ----------
    base : Base
    choice : Choice
        Of the same base.
    level : float
        Of the intervals.
    """
    clock = None if choice.season.by in ("rounds", "off", "short") else learnt(base)
    return Seasonal(choice=choice, clock=clock, level=level, words=base.words)


def weeks_of_year(clock: Clock, level: float = LEVEL) -> pd.DataFrame:
    """What each week of the year brings over the mean week.

    Parameters
    ----------
    clock : Clock
    level : float
        Of the intervals.

    Returns
    -------
    DataFrame
        One row per week, 52: week (1 to 52), month and day (of its first day), rate, low, high.

    Examples
    --------
    >>> from crmlab.models.btyd.clock import Clock
    >>> year = 1 + 0.5 * np.cos(2 * np.pi * np.arange(365) / 365)
    >>> weeks_of_year(Clock(end=dt.date(2024, 12, 31), season=year)).round(2).iloc[[0, 26]].to_numpy().tolist()
    [[1.0, 1.0, 1.0, 1.5, 1.5, 1.5], [27.0, 7.0, 2.0, 0.5, 0.5, 0.5]]
    """
    rates, covariance = _rates(clock)
    half = normal_quantile(level) * np.sqrt(np.maximum(np.diag(covariance), 0.0))
    days = [_day_of(7 * week) for week in range(WEEKS)]
    return pd.DataFrame(
        {
            "week": np.arange(1, WEEKS + 1),
            "month": [day.month for day in days],
            "day": [day.day for day in days],
            "rate": rates,
            "low": rates * np.exp(-half),
            "high": rates * np.exp(half),
        }
    )


def stretches(clock: Clock, level: float = LEVEL) -> tuple[Stretch, Stretch]:
    """The four weeks in a row of the year that bring most, and those that bring least: peak and trough.

    Parameters
    ----------
    clock : Clock
    level : float
        Of the intervals.

    Examples
    --------
    >>> from crmlab.models.btyd.clock import Clock
    >>> from crmlab.page.format import Format
    >>> year = 1 + 0.5 * np.cos(2 * np.pi * np.arange(365) / 365)
    >>> peak, trough = stretches(Clock(end=dt.date(2024, 12, 31), season=year))
    >>> peak.said(Format()), round(trough.rate, 2)
    ('17 December to 14 January', 0.5)
    """
    rates, covariance = _rates(clock)
    rows = (np.arange(WEEKS)[:, None] + np.arange(_IN_A_ROW)) % WEEKS
    sums = rates[rows].mean(axis=1)
    found = []
    for week in (int(np.argmax(sums)), int(np.argmin(sums))):
        weight = np.zeros(WEEKS)
        weight[rows[week]] = rates[rows[week]] / rates[rows[week]].sum()
        half = normal_quantile(level) * float(np.sqrt(max(weight @ covariance @ weight, 0.0)))
        rate = float(sums[week])
        found.append(Stretch(week=week, rate=rate, low=rate * float(np.exp(-half)), high=rate * float(np.exp(half))))
    return found[0], found[1]


def levels(clock: Clock, first: dt.date, level: float = LEVEL) -> pd.DataFrame:
    """The level of a history by week, against that of its last day, which is 1.

    Parameters
    ----------
    clock : Clock
    first : datetime.date
        First day of the history.
    level : float
        Of the intervals.

    Returns
    -------
    DataFrame
        One row per seven days up to the last: day, level, low, high.
    """
    length = len(clock.level)
    place = np.arange((length - 1) % 7, length, 7)
    half = normal_quantile(level) * np.broadcast_to(clock.level_error, length)[place]
    days = [clock.end - dt.timedelta(days=int(length - 1 - k)) for k in place]
    found = clock.level[place]
    frame = pd.DataFrame({"day": days, "level": found, "low": found * np.exp(-half), "high": found * np.exp(half)})
    return frame[frame["day"] >= first].reset_index(drop=True)


def _rates(clock: Clock) -> tuple[np.ndarray, np.ndarray]:
    """Rate of each week over the mean of the year, and the covariance of its log."""
    week = np.minimum(np.arange(DAYS) // 7, WEEKS - 1)
    rates = np.bincount(week, weights=clock.season) / np.bincount(week)
    rates = rates / clock.season.mean()
    share = np.bincount(week, weights=clock.season) / clock.season.sum()
    less = np.eye(WEEKS) - share
    return rates, less @ clock.covariance[:WEEKS, :WEEKS] @ less.T

"""Newcomers of the days ahead: at the rate of the last year, in the season in which they came where that has told better what came."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np

from crmlab.errors import ModelError
from crmlab.models.btyd.clock import DAYS, day_of_year
from crmlab.models.btyd.effects import effects_of, weeks_of
from crmlab.models.btyd.seasonality import SHORTEST
from crmlab.models.btyd.special import Array
from crmlab.models.threads import one_thread

__all__ = ["ArrivalRate", "Arrivals"]


_QUARTER = 91  # days
_AHEAD = 4  # quarters over which the rule is held against what came
_LONGEST = 4 * DAYS  # that a season is learnt from, the last
_TESTED = 8  # earlier days, the last, on which the rule is held against what came


@dataclass(frozen=True, eq=False)
class ArrivalRate:
    """Newcomers to come after a day, with the variance of what will be seen.

    Attributes
    ----------
    end : datetime.date
        The day.
    daily : float
        Newcomers a day in the mean of a year.
    season : array of shape (365,)
        Factor by day of the year; mean 1.
    variance : float
        Of what comes in a quarter, relative to the square of what is expected.
    seasonal : bool
        Whether a season is followed.
    """

    end: dt.date
    daily: float
    season: Array
    variance: float
    seasonal: bool

    def expected(self, days: int) -> Array:
        """Newcomers expected on each of the next days, of shape (days,)."""
        ahead = np.datetime64(self.end, "D") + np.arange(1, days + 1)
        out: Array = self.daily * self.season[day_of_year(ahead)]
        return out


class Arrivals:
    """First purchases by day, and the rate at which newcomers come after any of the days, as it was known on it.

    Parameters
    ----------
    by_day : array of shape (n_days,)
        Customers who came for the first time on each day, oldest first.
    end : datetime.date
        The last of the days.

    Raises
    ------
    ModelError
        No day, or a number that is negative or missing.

    Notes
    -----
    The rate is that of the last year, or of all days where they are fewer, each day held against its season; where nobody came in the
    last quarter, acquisition has stopped, and nobody is expected. The season is that of the same regression by weeks as for repeat
    purchases (:func:`~crmlab.models.btyd.effects.effects_of`), against days instead of expected purchases. It is followed only
    where there is more than a year to learn it from, and where it was nearer to what came in the quarter after earlier days than the
    same rate without it: at least one such day is needed. The variance is the mean squared relative error of the same rule on earlier
    days, a quarter apart and eight at most, over one to four quarters; and at least that of Poisson numbers: newcomers vary more than
    by chance alone, and their rate drifts.

    Examples
    --------
    >>> rate = Arrivals(np.full(364, 2.0), dt.date(2024, 12, 29)).rate()
    >>> round(rate.expected(91).sum(), 6), rate.seasonal
    (np.float64(182.0), False)
    """

    def __init__(self, by_day: Any, end: dt.date) -> None:
        seen = np.asarray(by_day, dtype=float)
        if seen.ndim != 1 or not len(seen) or not (np.isfinite(seen) & (seen >= 0)).all():
            raise ModelError.expected(
                "Arrivals", "by_day", "at least one number of at least 0, none missing", np.asarray(by_day).tolist()[:5]
            )
        self.by_day, self.end = seen, end
        self._seasons: dict[int, Array] = {}

    def rate(self, day: dt.date | None = None) -> ArrivalRate:
        """The rate after a day; default: after the last."""
        end = self.end if day is None else day
        known = len(self.by_day) - (self.end - end).days
        if not 0 < known <= len(self.by_day):
            first = self.end - dt.timedelta(days=len(self.by_day) - 1)
            raise ModelError.expected("Arrivals", "day", f"between {first} and {self.end}", end)
        follows = self._season_holds(known)
        variance = self._variance(known, follows)
        return ArrivalRate(
            end, self._daily(known, follows), self._season(known) if follows else np.ones(DAYS), variance, follows
        )

    def _day(self, known: int) -> dt.date:
        """Last of so many days."""
        return self.end - dt.timedelta(days=len(self.by_day) - known)

    def _season(self, known: int) -> Array:
        """Season by day of the year, learnt from the first days only."""
        if known not in self._seasons:
            seen = self.by_day[max(known - _LONGEST, 0) : known]
            last = self._day(known)
            weeks = weeks_of(last - dt.timedelta(days=len(seen) - 1), last)
            with one_thread():
                self._seasons[known] = effects_of(weeks.sums(seen), weeks.sums(np.ones(len(seen))), weeks).by_day
        return self._seasons[known]

    def _daily(self, known: int, follows: bool) -> float:
        """Newcomers a day in the mean of a year."""
        seen = self.by_day[:known]
        if not seen[-_QUARTER:].any():
            return 0.0
        year = seen[-DAYS:]
        if not follows:
            return float(year.mean())
        days = np.datetime64(self._day(known), "D") - np.arange(len(year))
        return float(year.sum() / self._season(known)[day_of_year(days)].sum())

    def _told(self, known: int, follows: bool, quarters: int) -> Array:
        """Newcomers expected in each of the quarters after so many days."""
        season = self._season(known) if follows else np.ones(DAYS)
        rate = ArrivalRate(self._day(known), self._daily(known, follows), season, 0.0, follows)
        return rate.expected(quarters * _QUARTER).reshape(quarters, _QUARTER).sum(axis=1)

    def _season_holds(self, known: int) -> bool:
        """Whether the season was nearer to what came in the quarter after each earlier day on which it could be learnt."""
        origins = range(known - _QUARTER, SHORTEST - 1, -_QUARTER)[:_TESTED]
        if not len(origins):
            return False
        off = {
            follows: [
                np.log((self.by_day[k : k + _QUARTER].sum() + 0.5) / (self._told(k, follows, 1)[0] + 0.5)) for k in origins
            ]
            for follows in (True, False)
        }
        return float(np.square(off[True]).sum()) < float(np.square(off[False]).sum())

    def _variance(self, known: int, follows: bool) -> float:
        """Mean squared relative error of the rule on earlier days; at least that of Poisson numbers."""
        errors = []
        for k in range(known - _QUARTER, (SHORTEST if follows else _QUARTER) - 1, -_QUARTER)[:_TESTED]:
            quarters = min((known - k) // _QUARTER, _AHEAD)
            told = self._told(k, follows, quarters)
            came = self.by_day[k : k + quarters * _QUARTER].reshape(quarters, _QUARTER).sum(axis=1)
            errors += ((came[told > 0] / told[told > 0] - 1) ** 2).tolist()
        level = _QUARTER * self._daily(known, False)
        count = max(float(self.by_day[max(known - DAYS, 0) : known].sum()), 1.0)
        poisson = 1 / max(level, 1.0) + 1 / count
        return max(float(np.mean(errors)) if errors else 0.0, poisson)

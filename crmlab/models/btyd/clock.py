"""A seasonal clock: time that runs fast in weeks in which customers buy more, and on which the models of purchases hold unchanged.

In BG/NBD and MBG/NBD customers drop out at purchases. So a rate that varies with the season, λ·s(t), is exactly the same model in the
time τ(t) = ∫ s: no new likelihood is needed, only other ages.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from crmlab.errors import ModelError
from crmlab.models.btyd.special import Array

__all__ = ["DAYS", "WEEKS", "WEEK_OF_DAY", "Clock", "day_of_year", "unseen_variance", "week_of_year"]


DAYS = 365  # of a year of the clock: 29 February counts as 28 February
WEEKS = 52  # of a year of the clock; the last has eight days
WEEK_OF_DAY = np.minimum(np.arange(DAYS) // 7, WEEKS - 1)  # week of each day of the year
_AHEAD = _BEFORE = 60 * DAYS  # days that are worked out one by one; what is later, or was earlier, comes at the mean pace
_MEAN = 1e-6  # that the mean of a season may be off 1
_DOUBT = 1.5  # years: how much a variance is itself in doubt that was learnt of one
_LEAST = 1e-6  # of a rate: time never stands still, so that it can be turned back
_EXACT = 20 * DAYS  # days over which discounts are summed one by one
_LEARNT = 3 * DAYS  # days ahead beyond which what is not known of a clock grows no more
_MONTHS = np.array([0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334])


def day_of_year(days: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Day of the year, 0 to 364; 29 February counts as 28 February.

    Parameters
    ----------
    days : array of datetime64 or of dates

    Examples
    --------
    >>> day_of_year(["2024-02-28", "2024-02-29", "2024-03-01", "2023-12-31"]).tolist()
    [58, 58, 59, 364]
    """
    found = np.asarray(days, dtype="datetime64[D]")
    months = found.astype("datetime64[M]")
    month = months.astype(np.int64) % 12
    day = (found - months.astype("datetime64[D]")).astype(np.int64)
    leap = (month == 1) & (day == 28)
    out: npt.NDArray[np.int64] = _MONTHS[month] + day - leap
    return out


def week_of_year(days: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Week of the year, 0 to 51, counted in sevens from 1 January; the last has eight days.

    Examples
    --------
    >>> week_of_year(["2024-01-07", "2024-01-08", "2023-12-31"]).tolist()
    [0, 1, 51]
    """
    out: npt.NDArray[np.int64] = WEEK_OF_DAY[day_of_year(days)]
    return out


@dataclass(frozen=True, kw_only=True, eq=False)
class Clock:
    """Operational time around the end of a history.

    Parameters
    ----------
    end : datetime.date
        Last day of the history: the clock shows 0 when it is over.
    season : array of shape (365,)
        Rate of purchases by day of the year; mean 1.
    weekday : array of shape (7,)
        The same by day of the week, Monday first; mean 1.
    level : array of shape (n_days,)
        Level of all rates on the last days of the history, oldest first, against that on the last of them, which is 1. Before them it is
        as on the first, and in the future ``ahead``.
    level_error : array of shape (n_days,)
        Standard deviation of the log of ``level``, of each day or one for all; zero where it is known.
    ahead : float
        Level of all rates after the history against that on its last day: 1, unless a forecast is scaled to the total of another.
    spend : array of shape (365,)
        Spend per purchase by day of the year; its mean weighted by ``season`` is 1, or the factor to which spend to come is scaled.
    special : mapping of date to float
        Factors of single days beside the season: 0 for a day on which nothing can be bought, more than 1 for a sale. At least 0.
    covariance : array of shape (53, 53)
        Of the logs of the weeks' rates, and of the level today against the mean of the history; zero where the clock is known.
    drift : float
        Variance of the log of the level, a year.
    dispersion : float
        Variance of what all customers buy in a week over that of a Poisson number; at least 1.
    years : float
        Years of history that the season was learnt from, or in which none was seen; infinite where it is known.
    unseen : float
        Amplitude of a season that may be there and was not seen in those years: they must be finite.

    Attributes
    ----------
    days_per_unit : float
        Days in a unit of the model's time: a clock is for models in weeks.

    Examples
    --------
    >>> year = 1 + 0.8 * np.cos(2 * np.pi * np.arange(365) / 365)
    >>> clock = Clock(end=dt.date(2024, 12, 31), season=year)
    >>> clock.at(13.0).round(2), clock.at(365 / 7).round(2), clock.at(-13.0).round(2)
    (np.float64(19.7), np.float64(52.14), np.float64(-19.58))
    >>> clock.back(clock.at(13.0)).round(6)
    np.float64(13.0)
    """

    end: dt.date
    season: Array = field(default_factory=lambda: np.ones(DAYS))
    weekday: Array = field(default_factory=lambda: np.ones(7))
    level: Array = field(default_factory=lambda: np.ones(1))
    level_error: Array = field(default_factory=lambda: np.zeros(1))
    ahead: float = 1.0
    spend: Array = field(default_factory=lambda: np.ones(DAYS))
    special: Mapping[dt.date, float] = field(default_factory=dict)
    covariance: Array = field(default_factory=lambda: np.zeros((WEEKS + 1, WEEKS + 1)))
    drift: float = 0.0
    dispersion: float = 1.0
    years: float = np.inf
    unseen: float = 0.0
    days_per_unit: ClassVar[float] = 7.0

    def __post_init__(self) -> None:
        for name, size in {"season": DAYS, "weekday": 7, "spend": DAYS}.items():
            values = np.asarray(getattr(self, name), dtype=float)
            if values.shape != (size,) or not np.isfinite(values).all() or (values < 0).any():
                raise ModelError.expected("Clock", name, f"{size} numbers of at least 0", values.shape)
            if name != "spend" and not abs(values.mean() - 1) <= _MEAN:
                raise ModelError.expected("Clock", name, "numbers whose mean is 1", f"a mean of {values.mean():.7g}")
        square, found = (WEEKS + 1, WEEKS + 1), np.asarray(self.covariance, dtype=float)
        if found.shape != square or not np.isfinite(found).all():
            raise ModelError.expected("Clock", "covariance", f"{square[0]} by {square[1]} numbers", found.shape)
        level = np.asarray(self.level, dtype=float)
        if level.ndim != 1 or not len(level) or not (np.isfinite(level) & (level > 0)).all():
            raise ModelError.expected("Clock", "level", "positive numbers, one a day", level.shape)
        for day, factor in self.special.items():
            if not 0 <= factor < np.inf:
                raise ModelError.expected("Clock", "special", "factors of at least 0", f"{factor} on {day}")
        if not 0 < self.ahead < np.inf:
            raise ModelError.expected("Clock", "ahead", "a positive number", self.ahead)
        for name, least in {"drift": 0.0, "dispersion": 1.0, "unseen": 0.0}.items():
            if not least <= getattr(self, name) < np.inf:
                raise ModelError.expected("Clock", name, f"a number of at least {least:g}", getattr(self, name))
        if not self.years >= 0 or (self.unseen > 0 and not self.years < np.inf):
            expected = (
                "the years in which no season was seen, where there may be one" if self.unseen > 0 else "a number of at least 0"
            )
            raise ModelError.expected("Clock", "years", expected, self.years)

    def still(self) -> Clock:
        """A clock that runs as the calendar does, for forecasts that do not follow the season, with what is not known of it.

        The season may be nothing: intervals are widened by what was learnt, which is left out, and by what is not known of that. The
        covariance is the second moment about a season and a level of 1, instead of that about what was learnt.
        """
        years = self.years if np.isfinite(self.years) else 0.0
        weeks = np.minimum(np.arange(DAYS) // 7, WEEKS - 1)
        # Not the logs: a whole year of a season of mean 1 is no more than one of none.
        left_out = np.append(np.bincount(weeks, weights=self.season - 1) / np.bincount(weeks), -np.log(np.mean(self.level)))
        return Clock(
            end=self.end,
            # What is left out is known: it is told as it is, and not as a variance that is in doubt.
            covariance=self.covariance + np.outer(left_out, left_out) / self.doubt,
            drift=self.drift,
            dispersion=self.dispersion,
            years=years,
        )

    # Time.

    @property
    def flat(self) -> bool:
        """Whether it runs as the calendar does."""
        parts = (self.season, self.weekday, self.level, np.array(self.ahead))
        return all(factor == 1 for factor in self.special.values()) and all(bool((part == 1).all()) for part in parts)

    @property
    def seasonal(self) -> bool:
        """Whether its pace depends on the day of the year."""
        return bool((self.season != 1).any())

    @property
    def evenly_spent(self) -> bool:
        """Whether a purchase brings the same in every week."""
        return bool((self.spend == 1).all())

    def rates(self, first: int, last: int) -> Array:
        """Rate of each day from ``first`` to ``last``, counted from the end of the history, whose last day is 0."""
        offsets = np.arange(first, last + 1)
        days = np.datetime64(self.end, "D") + offsets
        found = self.season[day_of_year(days)] * self.weekday[(days.astype(np.int64) + 3) % 7]
        for day, factor in self.special.items():
            place = (day - self.end).days - first
            if 0 <= place < len(found):
                found[place] *= factor
        level = self.level[np.clip(offsets + len(self.level) - 1, 0, len(self.level) - 1)]
        return np.maximum(found * np.where(offsets > 0, self.ahead, level), _LEAST)

    @cached_property
    def _hands(self) -> tuple[Array, Array]:
        """Days from the end of the history, and operational days."""
        oldest = min(self.special, default=self.end)
        before = max(len(self.level), (self.end - oldest).days + 1, _BEFORE)
        days = np.arange(-before, _AHEAD + 1).astype(float)
        run = np.concatenate([[0.0], np.cumsum(self.rates(1 - before, _AHEAD))])
        return days, run - run[before]

    def at(self, t: npt.ArrayLike) -> Array:
        """Operational time at a time from the end of the history, negative before it; both in units of the model."""
        days, run = self._hands
        asked = np.asarray(t, dtype=float) * self.days_per_unit
        found = np.interp(asked, days, run)
        # Beyond what was worked out: at the mean pace.
        found = np.where(asked > days[-1], run[-1] + (asked - days[-1]) * self.ahead, found)
        found = np.where(asked < days[0], run[0] + (asked - days[0]) * self.level[0], found)
        return found / self.days_per_unit

    def back(self, u: npt.ArrayLike) -> Array:
        """Time from the end of the history at which the clock shows ``u``: the inverse of :meth:`at`."""
        days, run = self._hands
        asked = np.asarray(u, dtype=float) * self.days_per_unit
        found = np.interp(asked, run, days)
        found = np.where(asked > run[-1], days[-1] + (asked - run[-1]) / self.ahead, found)
        found = np.where(asked < run[0], days[0] + (asked - run[0]) / self.level[0], found)
        return found / self.days_per_unit

    # What time is worth.

    def steps(self, delta: float, horizon: float, *, money: bool) -> tuple[Array, Array, Array, Array]:
        """Days from the end of the history on, for at most twenty years and at most a horizon.

        Parameters
        ----------
        delta : float
            Continuous rate of discount per unit of time; 0 for none.
        horizon : float
            In units of the model's time; may be infinite.
        money : bool
            Whether a purchase counts what it brings, in the season of spend.

        Returns
        -------
        (times, run, plain, worth) : arrays
            Ends of the days, with 0 before the first; the same in operational time; the discount at the middle of each day; and that
            times the factor of spend.
        """
        reach = min(horizon * self.days_per_unit, float(_EXACT))
        edges = np.append(np.arange(0.0, reach), reach)
        times = edges / self.days_per_unit
        plain = np.exp(-delta * (times[:-1] + times[1:]) / 2)
        spend = self._spend_on(np.arange(1, len(edges))) if money else 1.0
        return times, self.at(times), plain, plain * spend

    def _spend_on(self, days: npt.NDArray[np.int64]) -> Array:
        """Factor of spend on days, counted from the end of the history."""
        return self.spend[day_of_year(np.datetime64(self.end, "D") + days)]

    def tail(self, delta: float, *, money: bool) -> float:
        """What a year's purchases from twenty years ahead on are worth, over what they were worth if they came evenly."""
        rate = self.rates(_EXACT + 1, _EXACT + DAYS)
        spend = self._spend_on(np.arange(_EXACT + 1, _EXACT + DAYS + 1)) if money else 1.0
        weight = np.exp(-delta * (np.arange(DAYS) + 0.5) / self.days_per_unit)
        return float(weight @ (rate * spend) / weight.sum())

    def discounts(self, delta: float, spans: Array, *, money: bool) -> tuple[Array, Array]:
        """Mean and mean square of the discount of purchases that come evenly over spans of operational time.

        With ``money`` the discount is times the factor of spend.
        """
        days, run = self._hands
        ahead = days >= 0
        edges, time = days[ahead], run[ahead]
        worth = np.exp(-delta * (edges[:-1] + 0.5) / self.days_per_unit)
        if money:
            worth = worth * self._spend_on(edges[1:].astype(np.int64))
        parts = [np.concatenate([[0.0], np.cumsum(np.diff(time) * part)]) for part in (worth, worth**2)]
        asked = np.maximum(spans * self.days_per_unit, 1e-9)
        mean, square = (np.interp(asked, time, part) / asked for part in parts)
        return mean, np.maximum(square, mean**2)

    def discount(self, delta: float, u: Array, *, money: bool) -> Array:
        """Discount (times the factor of spend) of a purchase at operational times after the end of the history."""
        t = self.back(u)
        worth = np.exp(-delta * t)
        if money:
            worth = worth * self._spend_on(np.ceil(t * self.days_per_unit).astype(np.int64))
        out: Array = worth
        return out

    # What is not known of it.

    @property
    def doubt(self) -> float:
        """How many times as large the variances are told that were learnt: 1 + 1.5 / ``years``, of a year at least; 1 where they are known.

        They are estimates themselves, of what few years have shown: the variance of what is told of a scale that was learnt is
        ν / (ν − 2) times the estimate (Student's t), and ν grows with the years. How fast is measured: of simulated shops of three or
        four years, those that are no model's included.

        Examples
        --------
        >>> end = dt.date(2024, 12, 31)
        >>> [Clock(end=end, years=years).doubt for years in (1.0, 3.0, np.inf)]
        [2.5, 1.5, 1.0]
        """
        return 1 + _DOUBT / max(self.years, 1.0) if self.years > 0 else 1.0

    def variance(self, horizon: float, start: float = 0.0) -> float:
        """Variance of the log of what a horizon brings that comes from the clock: season, level, and how the level may drift.

        What was learnt is told as :attr:`doubt` says.

        Parameters
        ----------
        horizon : float
            In units of the model's time; of a longer one than three years, as of three.
        start : float
            Where what is asked for begins later than today: only what comes from then on, up to the horizon.
        """
        reach, skipped = (min(t * self.days_per_unit, float(_LEARNT)) for t in (horizon, start))
        last = max(int(np.ceil(reach)), 1)
        first = min(int(np.ceil(skipped)), last - 1) + 1
        rate = self.rates(first, last)
        weeks = week_of_year(np.datetime64(self.end, "D") + np.arange(first, last + 1))
        weight = np.append(np.bincount(weeks, weights=rate, minlength=WEEKS) / rate.sum(), 1.0)
        drifted = self.drift * (skipped + (reach - skipped) / 3) / DAYS
        learnt = max(float(weight @ self.covariance @ weight), 0.0) + drifted
        return learnt * self.doubt + self.unseen_variance(horizon, start)

    def more_than_chance(self, count: npt.ArrayLike, square: npt.ArrayLike = 1.0) -> Array:
        """Variance that weeks which vary more than by chance add to what is bought: of some purchases more, at what each brings.

        It is told as :attr:`doubt` says.

        Parameters
        ----------
        count : float or array
            Purchases expected.
        square : float or array
            Mean square of what one brings; 1 where purchases are counted.

        Examples
        --------
        >>> Clock(end=dt.date(2024, 12, 31), dispersion=3.0).more_than_chance([10.0, 20.0], 4.0).tolist()
        [80.0, 160.0]
        """
        more = self.doubt * (self.dispersion - 1)
        out: Array = more * np.maximum(np.asarray(count, dtype=float), 0.0) * np.asarray(square, dtype=float)
        return out

    def unseen_variance(self, horizon: float, start: float = 0.0) -> float:
        """The part of :meth:`variance` of a season that was not seen; see :func:`unseen_variance`."""
        if not self.unseen:
            return 0.0
        reach, skipped = (min(t * self.days_per_unit, float(_LEARNT)) / DAYS for t in (horizon, start))
        return unseen_variance(self.unseen, self.years, reach, skipped)


def unseen_variance(amplitude: float, known: float, horizon: float, start: float = 0.0) -> float:
    """Variance of the log of what a horizon brings, where there may be a season that was not seen.

    Parameters
    ----------
    amplitude : float
        Of the season that may be there: s(t) = 1 + amplitude · cos, its phase not known.
    known, horizon : float
        Lengths of the history and of the horizon, in years.
    start : float
        What is asked for begins so many years from the end of the history.

    Returns
    -------
    float
        Half the square of the amplitude, times the square of the distance between the mean of a turning pointer over the horizon and
        that over the history: nothing where both are whole years.

    Examples
    --------
    >>> round(unseen_variance(0.3, 0.5, 0.25) ** 0.5, 2), round(unseen_variance(0.3, 1.0, 1.0) ** 0.5, 2)
    (0.3, 0.0)
    """
    turn = 2j * np.pi
    span = horizon - start
    ahead = np.exp(turn * start) * (np.expm1(turn * span) / (turn * span) if span > 0 else 1.0)
    before = -np.expm1(-turn * known) / (turn * known) if known > 0 else 1.0
    return float(amplitude**2 / 2 * abs(ahead - before) ** 2)

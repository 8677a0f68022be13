"""How busy the days of a world are, the clock that follows from it, and purchases that are drawn on that clock.

Operational time passes fast on busy days and slowly on quiet ones; the season averages 1 over the 365 days of a year, and 29 February
is taken for 28 February.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

__all__ = ["Array", "Whole", "Yes", "christmas", "clock", "cosine", "day_of_year", "days_at", "purchases", "times_at"]

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Yes = npt.NDArray[np.bool_]

YEAR = 365
CHRISTMAS = 343  # 10 December, counted from 0
LEAP_DAY = 59  # day of a leap year, counted from 0, that is 29 February


def day_of_year(first: dt.date, days: int) -> Whole:
    """Days of the year from 0 to 364 of so many days from the first on; 29 February is 28 February."""
    dates = pd.date_range(first, periods=days)
    place = dates.day_of_year.to_numpy() - 1
    return np.where(dates.is_leap_year & (place >= LEAP_DAY), place - 1, place).astype(np.int64)


def cosine(amplitude: float, peak: int) -> Array:
    """One plus a cosine with its peak on a day of the year: shape (365,)."""
    return 1 + amplitude * np.cos(2 * np.pi * (np.arange(YEAR) - peak) / YEAR)


def christmas(share: float, width: float = 14.0) -> Array:
    """A flat year but for a share of it that gathers round 10 December, with a standard deviation in days: shape (365,)."""
    away = np.abs(np.arange(YEAR) - CHRISTMAS)
    bell = np.exp(-0.5 * (np.minimum(away, YEAR - away) / width) ** 2)
    return (1 - share) + share * bell / bell.mean()


def clock(intensity: Array) -> Array:
    """Operational time passed as each day begins and as the last one ends: the sums of intensity, of shape (…, days + 1)."""
    return np.concatenate([np.zeros((*intensity.shape[:-1], 1)), np.cumsum(intensity, axis=-1)], axis=-1)


def times_at(knots: Array, day: Array, row: Whole | None = None) -> Array:
    """Operational time at moments given in days since the clock began; with rows, each by its own row of clocks."""
    table = np.atleast_2d(knots)
    whole = np.minimum(np.floor(day).astype(np.int64), table.shape[1] - 2)
    which = np.zeros(len(whole), dtype=np.int64) if row is None else row
    low = table[which, whole]
    return np.asarray(low + (day - whole) * (table[which, whole + 1] - low))


def days_at(knots: Array, time: Array, row: Whole | None = None) -> Whole:
    """The day on which each moment of operational time falls: the inverse of :func:`times_at`, rounded down."""
    table = np.atleast_2d(knots)
    n = table.shape[1]
    if row is None:
        return np.minimum(np.searchsorted(table[0], time, side="right") - 1, n - 2)
    # Rows one after the other make one growing sequence, in which all are found at once.
    apart = float(table[:, -1].max()) + 1.0
    line = (table + apart * np.arange(len(table))[:, None]).ravel()
    place = np.searchsorted(line, time + apart * row, side="right") - 1 - n * row
    return np.minimum(place, n - 2)


def purchases(
    begin: Array,
    end: Array,
    rate: Array,
    rng: np.random.Generator,
    *,
    dropout: Array | None = None,
    shape: Array | None = None,
    waited: Array | None = None,
) -> tuple[Whole, Array, Yes]:
    """Draw the purchases of customers after ``begin`` and before ``end``, both in operational time.

    Parameters
    ----------
    begin, end, rate : arrays of shape (n,)
    rng : numpy.random.Generator
    dropout : array of shape (n,), optional
        Probability of dropping out right after a purchase; default: nobody does.
    shape : array of shape (n,), optional
        Of the gamma distributed gaps: 1 is chance alone, more is more regular; default: 1.
    waited : array of shape (n,), optional
        Time since the last purchase at ``begin``, which matters where gaps are regular.

    Returns
    -------
    who, time, ended : arrays of shape (purchases,)
        Ordered by customer, and by time within a customer; whether the customer dropped out right after it.
    """
    live, now = np.flatnonzero(end > begin), begin[end > begin]
    out_who: list[Whole] = [np.zeros(0, dtype=np.int64)]
    out_time: list[Array] = [np.zeros(0)]
    out_ended: list[Yes] = [np.zeros(0, dtype=bool)]
    first = True
    while live.size:
        if shape is None:
            gap = rng.standard_exponential(live.size) / rate[live]
        elif first and waited is not None:
            k, scale = shape[live], 1 / (shape[live] * rate[live])
            # The gap given that it is longer than what was waited already.
            tail = np.maximum(stats.gamma.sf(waited[live] / scale, k), 1e-300)
            gap = np.maximum(scale * stats.gamma.isf(rng.random(live.size) * tail, k) - waited[live], 0.0)
        else:
            gap = rng.standard_gamma(shape[live]) / (shape[live] * rate[live])
        first = False
        now = now + gap
        inside = now < end[live]
        live, now = live[inside], now[inside]
        out_who.append(live)
        out_time.append(now)
        stay = np.ones(live.size, dtype=bool) if dropout is None else rng.random(live.size) >= dropout[live]
        out_ended.append(~stay)
        live, now = live[stay], now[stay]
    who = np.concatenate(out_who)
    order = np.argsort(who, kind="stable")  # rounds are in the order of time already
    return who[order], np.concatenate(out_time)[order], np.concatenate(out_ended)[order]

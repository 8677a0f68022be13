"""Purchases of customers as they were known on a day, what came in the days after it, and rolling features of both count and spend."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.errors import ModelError, TooLittleError
from crmlab.models.checked import checked_amounts, checked_frame

__all__ = ["SEASONAL_YEAR", "TARGETS", "WEEKS", "Array", "Purchases", "checked_horizon", "checked_target", "day_number"]

Array = npt.NDArray[np.float64]
Day = int | str | dt.date | np.datetime64

TARGETS = ("purchases", "spend")
WEEKS = (4, 13, 26, 52)  # lengths of the rolling windows
SEASONAL_YEAR = 364  # days from one week to the same week of the year before, weekdays included
_WEEK = 7
_COLUMNS = ("customer_id", "day", "spend")


@dataclass(frozen=True, eq=False)
class Purchases:
    """Days on which customers bought, and what they spent, from the first day of a history to its last.

    Make one with :meth:`of`; cut it with :meth:`until`. What is cut off cannot be reached from what is left: a model that is given
    ``purchases.until(day)`` knows nothing of what came later.

    Attributes
    ----------
    ids : Index of shape (n_customers,)
        Customers who had bought by the last day, in order.
    customer : array of int of shape (n,)
        Place of each purchase's customer in ``ids``; purchases are ordered by customer and day.
    day : array of int of shape (n,)
        Days as numbers; calendar days are counted from 1970-01-01.
    spend : array of shape (n,)
    begins, ends : int
        First and last day of the history, both inclusive.

    Examples
    --------
    >>> frame = pd.DataFrame({"customer_id": ["a", "a", "b"], "day": [1, 9, 5], "spend": [10.0, 20.0, 5.0]})
    >>> whole = Purchases.of(frame)
    >>> whole.until(5).features(horizon=4)[["frequency", "days_since_last"]].to_dict("index")
    {'a': {'frequency': 0.0, 'days_since_last': 4.0}, 'b': {'frequency': 0.0, 'days_since_last': 0.0}}
    >>> whole.came(5, horizon=4).to_dict("index")
    {'a': {'purchases': 1.0, 'spend': 20.0}, 'b': {'purchases': 0.0, 'spend': 0.0}}
    """

    ids: pd.Index
    customer: npt.NDArray[np.int64]
    day: npt.NDArray[np.int64]
    spend: Array
    begins: int
    ends: int

    @property
    def days(self) -> int:
        """Days of the history, its first and its last included."""
        return self.ends - self.begins + 1

    @classmethod
    def of(cls, frame: pd.DataFrame, *, begins: Day | None = None, ends: Day | None = None) -> Purchases:
        """Read purchases from a frame.

        Parameters
        ----------
        frame : DataFrame
            customer_id, day (whole numbers, or dates without a time zone; a time of day is dropped) and spend (at least 0). Rows of one
            customer and day are one purchase, whose spend is their sum; rows after ``ends`` are left out.
        begins, ends : day, optional
            First and last day of the history, where the records begin before the first purchase or end after the last.

        Returns
        -------
        Purchases

        Raises
        ------
        ModelError
            A column is missing, a value is missing, spend is negative, or the history begins after the first purchase.
        TooLittleError
            There is no purchase by the last day.
        """
        frame = checked_frame("Purchases", frame, _COLUMNS, "customer_id, day and spend")
        days = _days_of(frame["day"])
        spend = checked_amounts("Purchases", "spend", frame["spend"])
        if (spend < 0).any():
            raise ModelError.expected("Purchases", "spend", "at least 0", float(spend.min()))
        if frame["customer_id"].isna().any():
            raise ModelError.expected("Purchases", "customer_id", "there for each purchase", "a missing one")
        some = days <= (days.max(initial=0) if ends is None else day_number("ends", ends))
        if not some.any():
            raise TooLittleError.needs("Purchases", "at least one purchase", "none by the last day")
        end = int(days.max()) if ends is None else day_number("ends", ends)
        begin = int(days[some].min()) if begins is None else day_number("begins", begins)
        if begin > days[some].min():
            raise ModelError.expected("Purchases", "begins", "at most the day of the first purchase", begin)
        codes, ids = pd.factorize(frame["customer_id"][some], sort=True)
        days, spend = days[some], spend[some]
        order = np.lexsort((spend, days, codes))  # by spend too, so that sums do not know the order of rows
        codes, days, spend = codes[order].astype(np.int64), days[order], spend[order]
        new = np.flatnonzero(np.append(True, (codes[1:] != codes[:-1]) | (days[1:] != days[:-1])))
        return cls(pd.Index(ids, name="customer_id"), codes[new], days[new], np.add.reduceat(spend, new), begin, end)

    def until(self, day: Day) -> Purchases:
        """Return what was known at the end of a day: purchases up to it, of customers who had bought by then.

        Raises
        ------
        ModelError
            The day is outside the history.
        TooLittleError
            Nobody had bought by then.
        """
        last = day_number("day", day)
        if not self.begins <= last <= self.ends:
            raise ModelError.expected("Purchases", "day", f"from {self.begins} to {self.ends}, the days of the history", last)
        some = self.day <= last
        if not some.any():
            raise TooLittleError.needs("Purchases", "at least one purchase", f"none by day {last}")
        known, customer = np.unique(self.customer[some], return_inverse=True)
        return Purchases(self.ids[known], customer, self.day[some], self.spend[some], self.begins, last)

    def came(self, origin: Day, horizon: int) -> pd.DataFrame:
        """Return what customers known at an origin bought and spent in the days after it.

        Parameters
        ----------
        origin : day
            The last day known.
        horizon : int
            Days: from the one after the origin on.

        Returns
        -------
        DataFrame
            Indexed by customer_id, all who had bought by the origin: purchases and spend.

        Raises
        ------
        ModelError
            The history ends before the horizon does.
        """
        last, days = day_number("origin", origin), checked_horizon("Purchases", horizon)
        if last + days > self.ends:
            expectation = f"at most {self.ends - last}, the days that the history holds after the origin"
            raise ModelError.expected("Purchases", "horizon", expectation, days)
        first = np.flatnonzero(np.diff(self.customer, prepend=-1))
        known = self.day[first] <= last
        return self.between(last, last + days)[known]

    def between(self, after: int, until: int) -> pd.DataFrame:
        """Return what each customer bought and spent after one day and up to another, both as numbers.

        Parameters
        ----------
        after, until : int

        Returns
        -------
        DataFrame
            Indexed by customer_id, all of ``ids``: purchases and spend.
        """
        some = (self.day > after) & (self.day <= until)
        counted = [np.bincount(self.customer[some], weight, len(self.ids)) for weight in (None, self.spend[some])]
        return pd.DataFrame({name: one.astype(float) for name, one in zip(TARGETS, counted, strict=True)}, index=self.ids)

    def features(self, horizon: int) -> pd.DataFrame:
        """Return what a model may learn from: of each customer, as of the last day.

        Parameters
        ----------
        horizon : int
            Days ahead: of these, the same weeks are looked at a year ago.

        Returns
        -------
        DataFrame
            Indexed by customer_id. frequency (purchases after the first), recency (days from the first to the last), age (days since
            the first), days_since_last, mean_gap (recency over frequency; missing where frequency is 0), mean_spend (per purchase);
            purchases_4w, spend_4w and so on for the last 13, 26 and 52 weeks, or what the history holds of them; purchases_same and
            spend_same (in the same weeks a year ago; missing where the history does not reach so far).
        """
        days, end = checked_horizon("Purchases", horizon), self.ends
        first = np.flatnonzero(np.diff(self.customer, prepend=-1))
        last = np.append(first[1:], len(self.day)) - 1
        count, span = last - first + 1, self.day[last] - self.day[first]
        frequency = count - 1.0
        columns: dict[str, Array] = {
            "frequency": np.asarray(frequency, dtype=np.float64),
            "recency": span.astype(float),
            "age": (end - self.day[first]).astype(float),
            "days_since_last": (end - self.day[last]).astype(float),
            "mean_gap": np.divide(span.astype(float), frequency, out=np.full(len(span), np.nan), where=frequency > 0),
            "mean_spend": np.asarray(np.add.reduceat(self.spend, first) / count),
        }
        for weeks in WEEKS:
            found = self.between(end - _WEEK * weeks, end)
            columns |= {f"{name}_{weeks}w": found[name].to_numpy() for name in TARGETS}
        ahead, back = min(days, SEASONAL_YEAR), end - SEASONAL_YEAR
        found = self.between(back, back + ahead)
        seen = self.days >= SEASONAL_YEAR
        columns |= {f"{name}_same": found[name].to_numpy() if seen else np.full(len(span), np.nan) for name in TARGETS}
        return pd.DataFrame(columns, index=self.ids)


def checked_horizon(model: str, horizon: int) -> int:
    """Return a number of days ahead; refuse what is no whole number of at least 1."""
    if isinstance(horizon, bool) or not isinstance(horizon, int | np.integer) or horizon < 1:
        raise ModelError.expected(model, "horizon", "a whole number of days, at least 1", horizon)
    return int(horizon)


def checked_target(model: str, target: str) -> str:
    """Return what is to be told; refuse what is neither purchases nor spend."""
    if target not in TARGETS:
        raise ModelError.expected(model, "target", f"one of {', '.join(TARGETS)}", target)
    return target


def day_number(name: str, day: Day) -> int:
    """Return a day as a number: a whole number as it is, a calendar day as the days since 1970-01-01.

    Raises
    ------
    ModelError
        It is neither.

    Examples
    --------
    >>> day_number("origin", 7), day_number("origin", "1970-01-08"), day_number("origin", dt.date(1970, 1, 8))
    (7, 7, 7)
    """
    if isinstance(day, int | np.integer) and not isinstance(day, bool | np.timedelta64):
        return int(day)
    if isinstance(day, str | dt.date | np.datetime64):
        try:
            return (pd.Timestamp(day).normalize() - pd.Timestamp(0)).days
        except (TypeError, ValueError):  # no day, or one of a time zone
            pass
    raise ModelError.expected("Purchases", name, "a day without a time zone, or a whole number", day)


def _days_of(values: pd.Series) -> npt.NDArray[np.int64]:
    """Days of a column as numbers."""
    expectation = "whole numbers, or dates without a time zone, none of them missing"
    if values.isna().any():
        raise ModelError.expected("Purchases", "day", expectation, "a missing one")
    if pd.api.types.is_integer_dtype(values):
        return values.to_numpy(np.int64)
    try:
        dates = values if pd.api.types.is_datetime64_any_dtype(values) else pd.to_datetime(values.astype(str), format="ISO8601")
    except (TypeError, ValueError):
        raise ModelError.expected("Purchases", "day", expectation, values.iloc[0]) from None
    if dates.dt.tz is not None:
        raise ModelError.expected("Purchases", "day", expectation, values.iloc[0])
    return np.asarray(dates.to_numpy("datetime64[D]").astype(np.int64))

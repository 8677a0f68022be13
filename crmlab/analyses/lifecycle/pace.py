"""Silence counted by the season: a day in a busy week counts for more than one in a quiet week, a year for 365."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from crmlab.analyses.customer_value import base_of, clock_followed, learnt
from crmlab.errors import ModelError
from crmlab.models.btyd.clock import DAYS, Clock

if TYPE_CHECKING:
    import ibis
    import numpy.typing as npt

    from crmlab.history.past import History

__all__ = ["EPOCH", "Pace", "day_number", "pace_known", "pace_of"]


EPOCH = dt.date(1970, 1, 1)
_AHEAD = 20 * DAYS  # days after the last for which the season is worked out; later ones count as 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Pace:
    """Days counted by the season.

    Parameters
    ----------
    clock : Clock
        Of the season, of closed days and of sales; its level and its weekdays are left out: a level that falls is no reason for
        silence, and a week is shorter than any threshold.
    first : datetime.date
        First day of the history.

    Examples
    --------
    >>> year = 1 + 0.8 * np.cos(2 * np.pi * np.arange(365) / 365)
    >>> pace = Pace(clock=Clock(end=dt.date(2024, 12, 31), season=year), first=dt.date(2024, 1, 1))
    >>> pace.between(dt.date(2024, 6, 1), dt.date(2024, 7, 31)), pace.between(dt.date(2024, 11, 1), dt.date(2024, 12, 31))
    (14, 100)
    """

    clock: Clock
    first: dt.date

    @cached_property
    def _run(self) -> npt.NDArray[np.int64]:
        """Counted days up to the end of each day, from the first on."""
        calendar = replace(self.clock, level=np.ones(1), level_error=np.zeros(1), weekday=np.ones(7))
        rates = calendar.rates((self.first - self.clock.end).days + 1, _AHEAD)
        out: npt.NDArray[np.int64] = np.round(np.concatenate([[0.0], np.cumsum(rates)])).astype(np.int64)
        return out

    @cached_property
    def _last(self) -> npt.NDArray[np.int64]:
        """Last day, from the first on, up to which so many days are counted."""
        return np.searchsorted(self._run, np.arange(self._run[-1] + 1), side="right") - 1

    def _until(self, day: dt.date) -> int:
        """Counted days up to the end of a day."""
        place = (day - self.first).days
        if place < 0:
            raise ModelError.expected("Pace", "day", f"a day of the history, from {self.first} on", day)
        top = len(self._run) - 1
        return int(self._run[min(place, top)]) + max(place - top, 0)

    def between(self, early: dt.date, late: dt.date) -> int:
        """Counted days of a silence from one day to another.

        Raises
        ------
        ModelError
            One of them is before the first day of the history.
        """
        return self._until(late) - self._until(early)

    def after(self, day: dt.date, counted: int) -> dt.date:
        """Last day by which no more than so many days of silence since a day are counted."""
        run = self._until(day) + counted
        top = len(self._last) - 1
        return self.first + dt.timedelta(days=int(self._last[min(run, top)]) + max(run - top, 0))

    def before(self, day: dt.date, counted: float) -> dt.date:
        """Latest day from which at least so many days are counted up to a day; the first, where there are fewer."""
        reached, run = self._until(day) - counted, self._run[: (day - self.first).days + 1]
        return self.first + dt.timedelta(days=max(int(np.searchsorted(run, reached, side="right")) - 1, 0))

    def counted(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Counted days up to the end of each of some days of the history or later, which are given by their numbers."""
        place, top = numbers - day_number(self.first), len(self._run) - 1
        out: npt.NDArray[np.int64] = self._run[np.minimum(place, top)] + np.maximum(place - top, 0)
        return out

    def last_with(self, counted: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Number of the last day up to which no more than so many days are counted: the inverse of :meth:`counted`."""
        top = len(self._last) - 1
        beyond = self.top[1] + counted - top
        out: npt.NDArray[np.int64] = np.where(
            counted > top, beyond, day_number(self.first) + self._last[np.minimum(counted, top)]
        )
        return out

    @property
    def top(self) -> tuple[int, int]:
        """Most that is counted in the tables, and the number of the last day in them."""
        return len(self._last) - 1, day_number(self.first) + len(self._run) - 1

    def days(self) -> ibis.Table:
        """Number of each day (ran_day) and what is counted up to its end (ran)."""
        return self._table("ran_day", "ran", day_number(self.first) + np.arange(len(self._run)), self._run)

    def ends(self, name: str) -> ibis.Table:
        """What is counted (ran_to) and the number of the last day with no more than that, under a name."""
        return self._table("ran_to", name, np.arange(len(self._last)), day_number(self.first) + self._last)

    @staticmethod
    def _table(key: str, name: str, keys: npt.NDArray[np.int64], values: npt.NDArray[np.int64]) -> ibis.Table:
        import ibis
        import pandas as pd

        return ibis.memtable(pd.DataFrame({key: keys.astype("int64"), name: values.astype("int64")}))


def day_number(day: dt.date) -> int:
    """Number of a day, from 1 January 1970.

    Examples
    --------
    >>> day_number(dt.date(1970, 1, 31))
    30
    """
    return (dt.date(day.year, day.month, day.day) - EPOCH).days


def pace_of(history: History) -> Pace | None:
    """The pace of the season that forecasts of a history follow, by the model that is chosen for it; None where they follow none."""

    def work() -> Pace | None:
        clock = clock_followed(history)
        return None if clock is None else Pace(clock=clock, first=history.first)

    return history.once(("lifecycle.pace",), work)


def pace_known(history: History) -> Pace | None:
    """The pace of the season as it is learnt from a history, whether or not forecasts of that day would follow it; None where none is.

    Asked of days before one whose forecasts follow a season. It is not learnt of a year or less, nor where too few come again.
    """
    clock = learnt(base_of(history))
    return None if clock is None else Pace(clock=clock, first=history.first)

"""Gaps between purchases in the time of the season: a silence over a slow month is not as long as one over a busy one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.triggers.rhythm import WEEK

if TYPE_CHECKING:
    import numpy.typing as npt

    from crmlab.models.btyd.clock import Clock

    Array = npt.NDArray[np.float64]

__all__ = ["Timing"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Timing:
    """How time is counted: by the calendar, or by a clock on which each day counts for as much as is bought on it.

    A day of the clock is a day of the mean of the year, at the level of the day that it was learnt on.

    Attributes
    ----------
    until : Timestamp
        The day that the clock was learnt on.
    clock : Clock or None
        None where every day counts as one: no season is followed, and no day is declared closed.

    Examples
    --------
    >>> import datetime as dt
    >>> from crmlab.models.btyd.clock import Clock
    >>> busy = Clock(end=dt.date(2024, 12, 31), season=np.repeat([0.5, 1.5, 1.0], [180, 180, 5]))
    >>> timing = Timing(until=pd.Timestamp("2024-12-31"), clock=busy)
    >>> days = pd.Series(pd.to_datetime(["2024-03-01", "2024-10-01"]))
    >>> timing.gap(days, days + pd.Timedelta(days=40)).tolist(), timing.wait(days, 30.0).round(9).tolist()
    ([20.0, 60.0], [60.0, 20.0])
    """

    until: pd.Timestamp
    clock: Clock | None = None

    def gap(self, start: pd.Series, end: pd.Series) -> pd.Series:
        """Length of the time from one day to another; missing where either is."""
        if self.clock is None:
            return (end - start).dt.days
        return self._run(end) - self._run(start)

    def wait(self, start: pd.Series, length: npt.ArrayLike) -> Array:
        """Days of the calendar that a length of time takes from a day on."""
        lengths = np.broadcast_to(np.asarray(length, dtype=float), len(start))
        if self.clock is None:
            return lengths
        begun = self.since(start)
        found = WEEK * (self.clock.back(self.clock.at(begun) + lengths / WEEK) - begun)
        # Whole days are told whole: whoever rounds up must not meet the last bit of a float.
        return np.asarray(np.round(found, 6))

    def since(self, day: pd.Series) -> Array:
        """Weeks from the day that the clock was learnt on, negative before it."""
        return ((day - self.until).dt.days / WEEK).to_numpy(float)

    def _run(self, day: pd.Series) -> pd.Series:
        assert self.clock is not None
        return pd.Series(WEEK * self.clock.at(self.since(day)), index=day.index)

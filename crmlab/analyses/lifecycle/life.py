"""What the lifecycle of a customer base is told from: dates, thresholds, states, and moves between them."""

from __future__ import annotations

import calendar
import datetime as dt
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.lifecycle.naming import NONE, STATES
from crmlab.analyses.lifecycle.pace import pace_known, pace_of
from crmlab.analyses.lifecycle.params import STEPS, Params
from crmlab.analyses.lifecycle.reductions import cohorts, spells, states, transitions
from crmlab.analyses.lifecycle.rhythm import Thresholds, thresholds
from crmlab.collecting import collect
from crmlab.errors import DataError
from crmlab.history.consent import Consent
from crmlab.history.past import History
from crmlab.history.words import YEAR, Words
from crmlab.models.btyd.special import Array

if TYPE_CHECKING:
    import ibis
    import numpy.typing as npt

    from crmlab.data.dataset import Dataset

__all__ = ["Chain", "Life", "dates_back", "life_of", "limits_of", "moves_between", "standing", "table_of"]


DEFAULTS = Params()
_LONGEST = 12  # dates since the last occasion that the chain tells apart
_COHORTS = 15  # months of history from which cohorts are of quarters
_KEYS = ["date", "state_before", "silence_before", "state", "silence"]
_NO_MOVES = pd.DataFrame({name: [] for name in (*_KEYS, "customers", "occasions", "spend")})


@dataclass(frozen=True, kw_only=True, eq=False)
class Chain:
    """A Markov chain whose states are those of the lifecycle, split by the number of dates since the last occasion.

    Who has just become lapsed and who is about to be lost move differently: a chain that knows only the six states would mix them.

    Attributes
    ----------
    member : array of int of shape (n,)
        Place in ``STATES`` of each state of the chain.
    counts : array of shape (periods, n, n)
        Moves.
    start : array of shape (n,)
        Customers on the last date.
    """

    member: npt.NDArray[np.int64]
    counts: Array
    start: Array

    def sums(self, values: Array) -> Array:
        """Add up the last axis over the states of the lifecycle: (…, n) → (…, 6)."""
        return values @ (self.member[:, None] == np.arange(len(STATES)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Life:
    """The lifecycle of a customer base as it is known.

    Attributes
    ----------
    history : History
    words : Words
    first, end : datetime.date
        First and last day of history.
    step : int
        Months from one date to the next.
    limits : Thresholds
    dates : list of datetime.date
        A step apart; the last is ``end``.
    customers : DataFrame
        One row per customer and prospect, ordered by id: see :func:`crmlab.analyses.lifecycle.reductions.states`; and whether
        they may be contacted.
    moves : DataFrame
        Of :func:`crmlab.analyses.lifecycle.reductions.transitions`, ordered; empty where the history is shorter than a step.
    even : list of datetime.date
        Dates that are a step of the season apart, the last being ``end``, so that as much is bought between any two; those of
        ``dates`` where no season is followed. What comes is told from moves between these.
    even_moves : DataFrame
        Moves between them.
    back : int
        Steps from the day looked back to, to ``end``; 0 where there is none.
    since : DataFrame
        Moves between these two days.
    spells : DataFrame
    cohorts : DataFrame
        cohort, period, customers.
    cohort_dates : list of datetime.date
    """

    history: History
    words: Words
    first: dt.date
    end: dt.date
    step: int
    limits: Thresholds
    dates: list[dt.date]
    customers: pd.DataFrame
    moves: pd.DataFrame
    even: list[dt.date]
    even_moves: pd.DataFrame
    back: int
    since: pd.DataFrame
    spells: pd.DataFrame
    cohorts: pd.DataFrame
    cohort_dates: list[dt.date]

    def consent(self, *states: str) -> Consent:
        """How many of those in some states, of all where none is named, may be contacted."""
        some = self.customers[self.customers["state"].isin(states)] if states else self.customers
        return Consent.of(some["contactable"], some["refusal"])

    @property
    def periods(self) -> int:
        """Steps that moves are known of."""
        return len(self.dates) - 1

    @property
    def year(self) -> int:
        """Steps in a year."""
        return 12 // self.step

    @property
    def settled(self) -> list[dt.date]:
        """Dates by which a customer of the first day could have lapsed a step before: until then the balance looks too good."""
        return self._settled(self.dates)

    @property
    def settled_even(self) -> list[dt.date]:
        """The same of the even dates."""
        return self._settled(self.even)

    def _settled(self, dates: list[dt.date]) -> list[dt.date]:
        early = self.limits.since(self.first)[1]
        return [late for before, late in pairwise(dates) if before > early]

    @property
    def step_days(self) -> float:
        """Days of a step, in the mean."""
        return YEAR * self.step / 12

    def steps_to(self, days: list[dt.date], start: dt.date | None = None) -> Array:
        """How many even steps it is from a date to later days, as was known on the date: by the season learnt up to it.

        Parameters
        ----------
        days : list of datetime.date
            Increasing, after the date. Without a season each is a step after the one before.
        start : datetime.date, optional
            Default: the last day.

        Returns
        -------
        array of shape (n_days,)
        """
        begin = self.end if start is None else start
        if self.limits.pace is None:
            return np.arange(1, len(days) + 1, dtype=float)
        pace = pace_known(self.history.earlier(begin))
        passed = [(day - begin).days if pace is None else pace.between(begin, day) for day in days]
        return np.asarray(passed, dtype=float) / self.step_days

    def sizes(self) -> pd.Series:
        """Customers per state on the last day, every state named."""
        return self.customers["state"].value_counts().reindex(list(STATES), fill_value=0)

    def counts(self) -> Array:
        """Moves of those who were customers, by period, of shape (periods, 6, 6)."""
        return np.asarray([table_of(self.moves, date) for date in self.dates[1:]])

    def chain(self, last: int | None = None) -> Chain:
        """States split by silence, and the moves between them on even dates; up to a place in ``even`` where one is given."""
        place = len(self.even) - 1 if last is None else last
        known = self.even_moves[self.even_moves["date"].isin(self.even[1 : place + 1])]
        # A silence that hardly anybody's next step is known of would be a state that nobody is seen to leave.
        longest = max(place - 2, 1)
        known = known.assign(**{name: known[name].clip(upper=longest) for name in ("silence_before", "silence")})
        now = known[known["date"] == self.even[place]]
        was = known[known["state_before"] != NONE]
        before = list(zip(was["state_before"], was["silence_before"], strict=True))
        after = list(zip(was["state"], was["silence"], strict=True))
        today = list(zip(now["state"], now["silence"], strict=True))
        found = sorted({*before, *after, *today}, key=lambda pair: (STATES.index(pair[0]), pair[1]))
        index = {pair: k for k, pair in enumerate(found)}
        days = {day: k for k, day in enumerate(self.even[1 : place + 1])}
        counts, start = np.zeros((place, len(found), len(found))), np.zeros(len(found))
        period = [days[day] for day in was["date"]]
        rows = [index[pair] for pair in before]
        np.add.at(counts, (period, rows, [index[pair] for pair in after]), was["customers"].to_numpy(float))
        np.add.at(start, [index[pair] for pair in today], now["customers"].to_numpy(float))
        # Whole years where there are any, so that every season is in as often as the others.
        whole = -(place // self.year * self.year) or -place
        return Chain(
            member=np.asarray([STATES.index(pair[0]) for pair in found]),
            counts=counts[whole:],
            start=start,
        )


def life_of(
    data: Dataset | History,
    limits: Thresholds,
    as_of: str | None = None,
    step: int | None = None,
    periods: int = 24,
) -> Life:
    """Reduce a data set to its lifecycle.

    Parameters
    ----------
    data : Dataset or History
    limits : Thresholds
    as_of : ISO date, optional
        Last day of history; default: that of a history, the day of the last order of a data set.
    step : {1, 3, 12}, optional
        Months from one date to the next; default: 1, with yearly rounds 12.
    periods : int
        At most so many steps back.

    Returns
    -------
    Life
    """
    history = History.of(data, as_of)
    first, end = history.first, history.as_of
    yearly = history.data.descriptor.rounds == "year"
    step = step or (12 if yearly else 1)
    words = replace(history.words, period=STEPS[step][0], periods=STEPS[step][1])
    listed = history.with_consent(collect(states(history, None, limits, history.customers), "customer_id"))
    for name in ("since", "last_occasion"):
        listed[name] = pd.to_datetime(listed[name])
    for name in ("days_since_last", "slowing_after", "lapsed_after", "lost_after"):
        listed[name] = listed[name].astype("Int64")
    dates = dates_back(first, end, step, periods)
    back = max(min(12 // step if step < 12 else 3, len(dates) - 2), 0)
    quarters = 3 if step == 1 and (end - first).days > 31 * _COHORTS else step
    ends = dates_back(first, end, quarters, 12)
    moves = moves_between(history, dates, limits)
    even = _even(limits, first, end, (step, periods)) or dates
    return Life(
        history=history,
        words=words,
        first=first,
        end=end,
        step=step,
        limits=limits,
        dates=dates,
        customers=listed,
        moves=moves,
        even=even,
        even_moves=moves if even is dates else moves_between(history, even, limits),
        back=back,
        since=moves_between(history, [dates[-1 - back], end], limits) if back else _NO_MOVES,
        spells=collect(spells(history, None, limits), ("state", "next_state", "days")),
        cohorts=collect(cohorts(history, ends), ("cohort", "period")) if len(ends) > 1 else pd.DataFrame(),
        cohort_dates=ends,
    )


def _even(limits: Thresholds, first: dt.date, end: dt.date, steps: tuple[int, int]) -> list[dt.date]:
    """Dates that are a step of the season apart, the last being the end; none without a season. ``steps``: months, and how many."""
    if limits.pace is None:
        return []
    step, most = steps
    whole = limits.pace.between(first, end)
    back = np.round(np.arange(most, 0, -1) * YEAR * step / 12)
    return [*dict.fromkeys(limits.pace.before(end, n) for n in back if n <= whole), end]


def limits_of(history: History, params: Params = DEFAULTS) -> Thresholds:
    """Thresholds from the gaps, or as given in days: after how many days a customer is slowing, has lapsed, is lost.

    Days are counted by the season where forecasts follow one, unless a threshold is given in days.

    Raises
    ------
    DataError
        Too few customers came again, and not all thresholds are given in days.
    ParameterError
        They do not increase.
    """
    days = (params.slowing_days, params.lapsed_days, params.lost_days)
    found: Thresholds | None = None
    pace = pace_of(history) if days == (None, None, None) else None
    try:
        found = thresholds(history, None, (params.slowing, params.lapsed, params.lost), params.own_from, pace)
    except DataError:
        if None in days:
            raise
    slowing, lapsed, lost = (
        given if given is not None else getattr(found, name)
        for given, name in zip(days, ("slowing", "lapsed", "lost"), strict=True)
    )
    if found is None:
        return Thresholds(slowing, lapsed, lost)
    return replace(found, slowing=slowing, lapsed=lapsed, lost=lost)


def standing(history: History, params: Params = DEFAULTS) -> ibis.Table:
    """Where each customer stands: the owner of the state, whom everybody asks who shows one.

    Returns
    -------
    ibis.Table
        As of :func:`crmlab.analyses.lifecycle.reductions.states`: everybody who has ordered, and who is in the customers table.

    Raises
    ------
    DataError
        Too few customers came again.
    """
    return states(history, None, limits_of(history, params), history.customers)


def dates_back(first: dt.date, end: dt.date, step: int, most: int) -> list[dt.date]:
    """Dates a number of months apart, the last of them the end of history, none before its first day.

    Where the history ends with a month, so do all.

    Examples
    --------
    >>> [day.isoformat() for day in dates_back(dt.date(2024, 1, 1), dt.date(2024, 4, 30), 1, 12)]
    ['2024-01-31', '2024-02-29', '2024-03-31', '2024-04-30']
    >>> [day.isoformat() for day in dates_back(dt.date(2024, 1, 1), dt.date(2024, 4, 9), 1, 2)]
    ['2024-02-09', '2024-03-09', '2024-04-09']
    """
    at_end = end.day == calendar.monthrange(end.year, end.month)[1]
    found = []
    for k in range(most, -1, -1):
        year, month = divmod(12 * end.year + end.month - 1 - k * step, 12)
        if year < 1:
            continue
        length = calendar.monthrange(year, month + 1)[1]
        found.append(dt.date(year, month + 1, length if at_end else min(end.day, length)))
    return [day for day in found if day >= first]


def table_of(moves: pd.DataFrame, date: dt.date) -> Array:
    """Moves to a date from state to state, of shape (6, 6); those of newcomers left out."""
    some = moves[(moves["date"] == date) & (moves["state_before"] != NONE)]
    table = some.pivot_table("customers", "state_before", "state", "sum", fill_value=0)
    return table.reindex(index=list(STATES), columns=list(STATES), fill_value=0).to_numpy(float)


def moves_between(data: Dataset | History, dates: list[dt.date], limits: Thresholds) -> pd.DataFrame:
    """Moves between neighbouring dates, ordered; empty where there is one date only."""
    if len(dates) < 2:
        return _NO_MOVES
    found = collect(transitions(_orders(data), dates, limits, _LONGEST), _KEYS)
    found["date"] = [dt.date(day.year, day.month, day.day) for day in found["date"]]
    return found


def _orders(data: Dataset | History) -> ibis.Table | History:
    return data if isinstance(data, History) else data.orders

"""The lengths of time of triggers, from the rhythm of the data: how far they look ahead, how long a moment lasts, which days are past."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crmlab.errors import TooLittleError
from crmlab.history.words import ROUNDS, YEAR

if TYPE_CHECKING:
    from crmlab.analyses.triggers.params import Params
    from crmlab.history.past import History
    from crmlab.history.words import Words
    from crmlab.page.format import Format

__all__ = ["DAYS", "SHORTEST", "Rhythm", "past_days", "rhythm_of"]

SHORTEST = 84  # days of history before the first past day; with yearly rounds it is a year
DAYS = 48  # past days on which triggers are judged, at most
WEEK = 7
QUANTILE = 0.75  # of the gaps between purchases that ended: within so long three in four who come again have come
FRESH, RESPOND = (
    28,
    56,
)  # days that a moment lasts at most, and by which to act at the latest: a thank-you cannot wait for a season
SHARE = 4  # the window is at most the fourth part of a history, so that there are past days whose window is over


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """Lengths of time, in days.

    Attributes
    ----------
    window : int
        Within which what a trigger predicts must come true.
    fresh : int
        For which a moment counts as today's.
    respond : int
        After a moment, by which to act.
    learning : int
        Of history that come before the first past day.
    """

    window: int
    fresh: int
    respond: int
    learning: int

    def span(self, words: Words, form: Format) -> str:
        """The window in words.

        Examples
        --------
        >>> from crmlab.page.format import Format
        >>> Rhythm(window=56, fresh=14, respond=28, learning=84).span(ROUNDS, Format())
        '56 days'
        >>> Rhythm(window=365, fresh=28, respond=56, learning=365).span(ROUNDS, Format())
        'a year'
        """
        return "a year" if words is ROUNDS and self.window == YEAR else f"{form.count(self.window)} days"


def rhythm_of(history: History, params: Params) -> Rhythm:
    """Lengths of time for a data set: those given, others from how soon people come again.

    Where people give in yearly rounds, the window is a year. Elsewhere it is the 75% quantile of the gaps that ended, in whole
    weeks, at most a fourth of the history. A moment lasts for a quarter of the window, four weeks at most, and is to be answered within
    half of it, eight weeks at most.

    Raises
    ------
    TooLittleError
        The history is too short for a past day whose window is over.
    """
    rounds = history.words is ROUNDS
    learning, length = YEAR if rounds else SHORTEST, history.days - 1
    least = learning + (params.window or (YEAR if rounds else learning // (SHARE - 1)))
    if length < least:
        raise TooLittleError.needs("triggers", f"at least {least} days of history", f"{length} days")
    window = params.window or (YEAR if rounds else _usual(history, length // SHARE))
    return Rhythm(
        window=window,
        fresh=params.fresh or _weeks(min(window / 4, FRESH)),
        respond=params.respond or _weeks(min(window / 2, RESPOND)),
        learning=learning,
    )


def past_days(history: History, rhythm: Rhythm) -> list[dt.date]:
    """Days that are past, evenly spread from the end of what is learnt first to the last whose window is over.

    They are whole weeks apart, so that all are of the weekday of the last day, and so far that no moment counts on two of them.

    Returns
    -------
    list of date
        In order, at most 48.
    """
    last = history.as_of - dt.timedelta(days=rhythm.window)
    span = (last - history.first).days - rhythm.learning
    step = WEEK * -(-max(rhythm.fresh, -(-span // (DAYS - 1))) // WEEK)
    return [last - dt.timedelta(days=step * k) for k in range(span // step, -1, -1)]


def _usual(history: History, most: int) -> int:
    waits = history.gaps()
    ended = waits.loc[waits["ended"], "gap"]
    return _weeks(min(float(ended.quantile(QUANTILE)), most)) if len(ended) else _weeks(most)


def _weeks(days: float) -> int:
    """Whole weeks, at least one."""
    return WEEK * max(int(days // WEEK), 1)

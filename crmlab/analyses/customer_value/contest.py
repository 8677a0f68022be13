"""Rivals of the models of purchases, held against the one that is used on earlier days: who is shown to be better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from crmlab.analyses.customer_value.forecasters import TARGETS, Field, Told
from crmlab.analyses.customer_value.reasons import reason_said
from crmlab.analyses.customer_value.tiers import FEWEST
from crmlab.history.words import ROUNDS
from crmlab.models.forecasts import Scored, Winners, winners

if TYPE_CHECKING:
    from crmlab.analyses.customer_value.base import Base
    from crmlab.analyses.customer_value.choice import Choice

__all__ = ["ENOUGH", "SHORT", "Contest", "contest_of", "field_of", "origins_of", "span_of", "spans_of"]

ENOUGH = 3  # origins, where the history allows
_SPANS, _ROUNDS = (13, 26), (1, 2)
SHORT = "The history is too short to make forecasts from an earlier day."
_MOST_ORIGINS = 4
_NARROWEST, _STEP = 4, 13  # weeks between two origins: at least, and where the history is long enough
_YEAR_KNOWN = 53  # weeks of history in which a year was seen


def origins_of(length: int, span: int, *, rounds: bool = False) -> list[int]:
    """How many periods before the end of a history forecasts are made: from three days at least where the history allows, four at most.

    A year of history is known at each where that leaves three; else as much as learners need to learn from; else a quarter. Where that
    leaves no three either, one is tried.

    Parameters
    ----------
    length : int
        Periods of history.
    span : int
        Periods ahead.
    rounds : bool
        Whether periods are yearly rounds.

    Returns
    -------
    list of int
        The latest origin first; empty where the history is too short for one.

    Examples
    --------
    >>> origins_of(105, 13), origins_of(105, 26), origins_of(53, 13), origins_of(36, 26), origins_of(6, 1, rounds=True)
    ([13, 26, 39, 52], [26, 39, 52], [13, 24, 35], [], [1, 2, 3, 4])
    """
    leasts, narrowest, step = ((2,), 1, 1) if rounds else ((_YEAR_KNOWN, span + _NARROWEST, _STEP), _NARROWEST, _STEP)
    for least in leasts:
        room = length - span - least
        if room >= (ENOUGH - 1) * narrowest:
            apart = min(step, room // (ENOUGH - 1))
            return [span + apart * k for k in range(min(_MOST_ORIGINS, room // apart + 1))]
    return [span] if length - span >= leasts[-1] else []


def spans_of(*, rounds: bool = False) -> tuple[int, int]:
    """The two horizons that forecasts are held against: 13 and 26 weeks, or one yearly round and two."""
    return _ROUNDS if rounds else _SPANS


def span_of(length: int, *, rounds: bool = False) -> int:
    """The horizon that is spoken of: the longest that learners too can tell from three origins at least, else the shortest.

    Parameters
    ----------
    length : int
        Periods of history.
    rounds : bool
        Whether periods are yearly rounds.

    Returns
    -------
    int
        0 where the history is too short for any.

    Examples
    --------
    >>> span_of(105), span_of(57), span_of(30), span_of(20), span_of(6, rounds=True)
    (26, 13, 13, 0, 2)
    """
    found = 0
    for span in spans_of(rounds=rounds):
        backs = origins_of(length, span, rounds=rounds)
        taught = len(backs) >= ENOUGH and (rounds or length - backs[-1] >= span + _NARROWEST)
        if backs and (taught or not found):
            found = span
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Contest:
    """The model that is used and its rivals (rules and learners), asked on earlier days what the periods after each bring.

    Attributes
    ----------
    used : str
        Name of the forecaster that is used.
    span : int
        Periods ahead; 0 where nothing was tried.
    days : list of Told
        What all told on each origin, the earliest first.
    scored : mapping of str to Scored
        By target: all of them.
    won : mapping of str to Winners
        By target: which rival is shown to be better than the one that is used.
    why : str
        Why nothing was tried; empty where something was.
    """

    used: str
    span: int = 0
    days: list[Told] = field(default_factory=list)
    scored: Mapping[str, Scored] = field(default_factory=dict)
    won: Mapping[str, Winners] = field(default_factory=dict)
    why: str = ""

    @property
    def target(self) -> str:
        """What is spoken of: spend, or where none could be told purchases."""
        return "spend" if "spend" in self.scored else "purchases"

    def winner(self, target: str, aim: str) -> str | None:
        """The rival that is shown to be better at a target; None where none is.

        Parameters
        ----------
        target : {"purchases", "spend"}
        aim : {"rank", "total"}
        """
        found = self.won.get(target)
        return None if found is None else found.rank if aim == "rank" else found.total


def field_of(base: Base, choice: Choice, level: float, seed: int) -> Field:
    """All who take part, the same for everybody who asks: what is fitted once is not fitted again.

    Parameters
    ----------
    base : Base
    choice : Choice
        Of the same base.
    level : float
        Of all intervals, and of what is shown.
    seed : int
    """
    made = Field(base=base, choice=choice, level=level, seed=seed)
    return base.history.once(("customer_value.field", made.key), lambda: made)


def contest_of(field: Field) -> Contest:
    """Hold the model that is used against its rivals, over the horizon that is spoken of.

    A rival is shown to be better by paired differences that count each customer once, corrected for as many rivals as there are (Holm),
    and on most of the origins.

    Parameters
    ----------
    field : Field
    """
    return field.base.history.once(("customer_value.contest", field.key), lambda: _contest(field))


def _contest(field: Field) -> Contest:
    base, used = field.base, field.used
    rounds = base.words is ROUNDS
    people = len(base.summary())
    if people < FEWEST:
        return Contest(
            used=used, why=f"{people} {base.words.many} are too few to compare forecasts: a single one of them could decide it."
        )
    span = span_of(base.length, rounds=rounds)
    if not span:
        return Contest(used=used, why=SHORT)
    days = []
    for back in reversed(origins_of(base.length, span, rounds=rounds)):
        told = field.told(back, span, whole=False)
        if told is not None:
            days.append(told)
    if not days:
        failed = field.failed.get(used)
        said = reason_said(failed, base.words, "that needs")
        return Contest(used=used, why=f"No forecast could be made from an earlier day: {said}" if failed else SHORT)
    scored, won = {}, {}
    for target in TARGETS:
        some = [one for one in days if target in one.trials]
        if not some:
            continue
        # Who could not tell on every origin does not take part: nobody is held against others on days of their own.
        names = [name for name in some[0].trials[target] if all(name in one.trials[target] for one in some)]
        scored[target] = Scored.of({one.day: one.trials[target][names] for one in some})
        if len(names) > 2:  # what came, the one that is used, and a rival
            won[target] = winners(scored[target], used, level=field.level, seed=field.seed)
    return Contest(used=used, span=span, days=days, scored=scored, won=won)

"""What a shop knows of its calendar that past weeks cannot tell: the section ``[season]`` of a data set's TOML file.

Closed days, feasts that move and sales. A day is written ``"2024-12-25"``, or ``"12-25"`` for each year; a range of days has both ends,
``"2024-08-05/2024-08-18"`` or ``"12-24/01-01"``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from crmlab.data.sections import Section, header_lines
from crmlab.data.toml import STRICT, checked, holds, must
from crmlab.errors import DescriptorError, listing, shown
from crmlab.errors.validation import Faults

__all__ = ["CLOSED", "Season", "parse_season"]

CLOSED = "closed"
_DATED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEARLY = re.compile(r"[0-9]{2}-[0-9]{2}")
_LEAP = 2000  # a year that has every month-day
_HALF_YEAR = 183
_LONGEST = 3 * 366
_A_DAY = 'a day ("2024-12-25", or "12-25" for each year) or a range of days ("2024-08-05/2024-08-18")'
_LIST = 'a list of days, such as ["2024-12-25", "2024-08-05/2024-08-18"]'


class _NoDayError(ValueError):
    """What a text must be that names no days; in words."""


def _ends(given: Any) -> tuple[str, str]:
    """The first and the last day that a text names, as ISO days with a year or without: texts that compare as the days do."""
    if isinstance(given, dt.date) and not isinstance(given, dt.datetime):
        return given.isoformat(), given.isoformat()
    if not isinstance(given, str):
        raise _NoDayError(_A_DAY)
    ends = [part.strip() for part in given.split("/")]
    first, last = (ends * 2)[:2]
    if len(ends) > 2 or not all(map(_is_day, ends)):
        raise _NoDayError(_A_DAY)
    if len(first) != len(last):
        raise _NoDayError("a range with the year at both ends or at neither")
    turned = f'a range from its first day to its last, such as "{last}/{first}"'
    if first > last and _DATED.fullmatch(first):
        raise _NoDayError(turned)
    if first > last and len(_spelled(first, last)) > _HALF_YEAR:
        raise _NoDayError(f'{turned}; over the turn of the year "{first}/12-31" and "01-01/{last}"')
    if _DATED.fullmatch(first) and (dt.date.fromisoformat(last) - dt.date.fromisoformat(first)).days >= _LONGEST:
        raise _NoDayError("a range of at most three years")
    return first, last


def _is_day(text: str) -> bool:
    try:
        dt.date.fromisoformat(f"{_LEAP}-{text}" if _YEARLY.fullmatch(text) else text)
    except ValueError:
        return False
    return bool(_YEARLY.fullmatch(text) or _DATED.fullmatch(text))


def _is_days(given: Any) -> bool:
    try:
        return bool(_ends(given))
    except _NoDayError:
        return False


def _spelled(first: str, last: str) -> list[str]:
    """The days of a range, one by one; of a range that comes each year with 29 February, and over the turn of the year where it goes."""
    if first > last:
        return [*_spelled(first, "12-31"), *_spelled("01-01", last)]
    yearly = _YEARLY.fullmatch(first) is not None
    begin, end = (dt.date.fromisoformat(f"{_LEAP}-{day}" if yearly else day).toordinal() for day in (first, last))
    days = [dt.date.fromordinal(day).isoformat() for day in range(begin, end + 1)]
    return [day[5:] for day in days] if yearly else days


def _written(value: Any) -> Any:
    """Lists of days in one form, whatever they were written as."""
    if not isinstance(value, list | tuple) or not all(map(_is_days, value)):
        return value
    return tuple("/".join(dict.fromkeys(_ends(item))) for item in value)


_Days = Annotated[
    tuple[Annotated[str, holds(_is_days)], ...],
    Field(strict=False),
    BeforeValidator(lambda value: _written(value)),
    must(_LIST),
]
_Title = Annotated[
    str,
    BeforeValidator(lambda name: name.strip() if isinstance(name, str) else name),
    holds(lambda name: bool(name) and name.casefold() != CLOSED),
    must(f'a text in quotes, and not "{CLOSED}"'),
]


@dataclass(frozen=True, config=STRICT)
class Season:
    """What is known of the calendar of a shop.

    Attributes
    ----------
    closed : tuple of str
        Days, and ranges of days, on which nothing can be bought.
    events : mapping
        Name → days, and ranges of days, past and coming: a feast that moves, or a sale. No day belongs to two events.
    learn : bool
        Whether a season may be learnt from past years at all.

    Examples
    --------
    >>> season = Season(closed=("12-25",), events={"sale": ("2024-12-23/2024-12-25", "2025-12-22")})
    >>> season.days_between(dt.date(2024, 12, 24), dt.date(2024, 12, 26))
    ('sale', 'closed', None)
    """

    closed: _Days = ()
    events: Mapping[_Title, _Days] = field(default_factory=dict)
    learn: bool = True

    def days_between(self, first: dt.date, last: dt.date) -> tuple[str | None, ...]:
        """Say of each day what it is.

        Parameters
        ----------
        first, last : datetime.date
            Both included.

        Returns
        -------
        tuple of str or None
            One for each day, in order: ``CLOSED``, the name of its event, or None for a day like others. An event does not open a
            closed day.
        """
        marks = {day: name for name, days in self.events.items() for text in days for day in _spelled(*_ends(text))}
        closed = {day for text in self.closed for day in _spelled(*_ends(text))}
        return tuple(
            CLOSED if not closed.isdisjoint((day, day[5:])) else marks.get(day, marks.get(day[5:]))
            for day in (dt.date.fromordinal(place).isoformat() for place in range(first.toordinal(), last.toordinal() + 1))
        )


@dataclass(frozen=True, config=STRICT)
class _Event:
    name: _Title
    days: _Days


def parse_season(content: Any, faults: Faults, text: str = "") -> Season | None:
    """Check the section ``[season]`` of a TOML file.

    Parameters
    ----------
    content : object
        What stands there.
    faults : Faults
        What is wrong is added: an unknown key, a text that names no days, an event without a name or without days, two events of one
        name, a day that is named twice.
    text : str
        The file as it is written, from which the lines of events are told.

    Returns
    -------
    Season or None
        None where it cannot be made.
    """
    if not isinstance(content, dict):
        faults.expected(("season",), "", "a section", content)
        return None
    faults.unknown(("season",), "[season]", content, ("closed", "event", "learn"))
    given = {key: content[key] for key in ("closed", "learn") if key in content}
    if "closed" in given:
        given["closed"] = _told(given["closed"], faults, ("season", "closed"), "[season]")
    events = _events(content.get("event", []), faults, text)
    return checked(Season, given, faults, ("season",), "[season]", events=events)


def _told(days: Any, faults: Faults, at: tuple[str | int, ...], section: str) -> Any:
    """Tell each text of a list that names no days; the others are returned."""
    if not isinstance(days, list):
        return days
    good = []
    for item in days:
        try:
            _ends(item)
            good.append(item)
        except _NoDayError as error:
            faults.expected(at, section, f"made of days: each {error}", item)
    return good


def _events(content: Any, faults: Faults, text: str) -> dict[str, tuple[str, ...]]:
    """Check the events, one by one and with each other."""
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        faults.expected(("season", "event"), "[season]", "given as [[season.event]], once for each event", content)
        return {}
    file, section = faults.where, Section("season.event", content, header_lines(text, "season.event", content))
    events: dict[str, tuple[str, ...]] = {}
    calendar = _Calendar()
    for number, item in enumerate(content):
        faults.where, at = section.where(file, number), ("season", "event", number)
        called = f"the event {shown(item['name'])}" if isinstance(item.get("name"), str) else "an event"
        absent = {
            "name": "an event has no 'name'. Expected one, such as name = \"Easter\".",
            "days": f'{called} has no \'days\'. Expected them, such as days = ["2024-03-29", "2025-04-18/2025-04-21"].',
        }
        given = {**item, "days": _told(item["days"], faults, (*at, "days"), "[[season.event]]")} if "days" in item else item
        if item.get("days") == []:
            faults.expected((*at, "days"), "[[season.event]]", _LIST, "nothing")
        event = checked(_Event, given, faults, at, "[[season.event]]", absent=absent)
        if event is None:
            continue
        if event.name.casefold() in map(str.casefold, events):
            twice = f"there are two events {shown(event.name)}. Expected one, with all its days."
            faults.add(at, DescriptorError(f"{faults.where}: {twice}"))
            continue
        events[event.name] = event.days
        for clash in filter(None, (calendar.taken(event.name, days) for days in event.days)):
            faults.add((*at, "days"), DescriptorError(f"{faults.where}: {clash}"))
    faults.where = file
    return events


class _Calendar:
    """Whose each day is, to find those that are named twice."""

    def __init__(self) -> None:
        self._owners: dict[str, tuple[str, str]] = {}  # by day, or by month-day where it comes each year
        self._dated: dict[str, str] = {}  # month-day → a day of it

    def taken(self, name: str, text: str) -> str:
        """Give an event the days that a text names; say which of them was taken before, and by what."""
        own, days = (name, text), _spelled(*_ends(text))
        clashes = [(day, other) for day in days if (other := self._owner(day))]
        for day in days:
            self._owners.setdefault(day, own)
            if len(day) > len("12-25"):
                self._dated.setdefault(day[5:], day)
        if not clashes:
            return ""
        day, other = clashes[0]
        if name == other[0]:
            return f"the event {shown(name)} has the day {day} twice: {other[1]}, {text}. Expected each day once. Take it out of one."
        both = listing(f"{shown(event)} ({written})" for event, written in (other, own))
        return f"the day {day} is in two events: {both}. Expected at most one for each day. Take it out of one."

    def _owner(self, day: str) -> tuple[str, str] | None:
        return self._owners.get(day) or self._owners.get(day[-5:]) or self._owners.get(self._dated.get(day, ""))

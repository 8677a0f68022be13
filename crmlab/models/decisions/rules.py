"""What bounds a choice of actions: limits that all customers share, and rules that hold for each customer alone.

A limit has a price: what one more unit of it would bring. A rule of one customer has none; it says which calendars this customer may have.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from crmlab.errors import ModelError, hint_at, shown
from crmlab.models.checked import checked_number

__all__ = ["After", "Apart", "Limit", "Rule", "Window", "checked_limits", "checked_rules"]

UNITS = ("contacts", "cost")
_INFINITE = float("inf")


@dataclass(frozen=True, kw_only=True)
class Limit:
    """At most, or at least, so many contacts or so much money, of some actions, on some days, over some customers.

    A budget is ``Limit(name="budget", most=50_000, of="cost")``; the capacity of a call centre on one day of the plan
    ``Limit(name="calls", most=200, actions=("call",), days=(0,))``; a minimum ``Limit(name="test cell", least=500, actions=("mail",))``.

    Parameters
    ----------
    name : str
        What messages and tables call it.
    most, least : float
        Contacts, or money where ``of`` is "cost".
    of : {"contacts", "cost"}
        What is added up.
    actions, days, customers : collection, optional
        What counts; by default everything. A day on which nobody may have anything uses nothing.

    Raises
    ------
    ModelError
        A number is missing or below 0, the least is above the most, or nothing is limited.

    Examples
    --------
    >>> Limit(name="calls", most=10, least=20, actions=("call",))
    Traceback (most recent call last):
    ModelError: The limit 'calls': 'least' must be at most 10, its most. Got 20 instead.
    """

    name: str
    most: float = _INFINITE
    least: float = 0.0
    of: str = "contacts"
    actions: Collection[str] | None = None
    days: Collection[int] | None = None
    customers: Collection[Any] | None = None

    def __post_init__(self) -> None:
        what = f"The limit {shown(self.name)}"
        for name, value in (("most", self.most), ("least", self.least)):
            checked = checked_number(what, name, value, "of at least 0")
            if not checked >= 0 or (name == "least" and checked == _INFINITE):
                raise ModelError.expected(what, name, "a number of at least 0", value)
        if self.of not in UNITS:
            raise ModelError.no_such("unit of a limit", self.of, UNITS)
        if self.least > self.most:
            raise ModelError.expected(what, "least", f"at most {self.most:g}, its most", self.least)
        if self.most == _INFINITE and self.least == 0:
            raise ModelError.needs(what, "a most or a least", "neither", "Leave the limit out.")
        _not_a_text(what, self.actions, self.days, self.customers)
        for day in self.days or ():
            _whole(what, "days", day, 0)


@dataclass(frozen=True, kw_only=True)
class Window:
    """At most so many contacts of one customer within any so many days in a row: a window that slides, of no calendar.

    Contacts of before today and those of campaigns that are already launched count as well. The cooldown of an action is a window of this
    action alone with at most one contact.

    Parameters
    ----------
    most : int
        Contacts.
    days : int
        Length: two contacts with ``days`` between them are in no window together.
    actions : collection of str, optional
        What counts, such as the actions of one channel; by default every contact, whatever it was.

    Raises
    ------
    ModelError
        A number is no whole number, or too small.

    Examples
    --------
    >>> Window(most=2, days=28), Window(most=1, days=30, actions=("call",))
    (Window(most=2, days=28, actions=None), Window(most=1, days=30, actions=('call',)))
    """

    most: int
    days: int
    actions: Collection[str] | None = None

    def __post_init__(self) -> None:
        _whole("Window", "most", self.most, 0)
        _whole("Window", "days", self.days, 1)
        _not_a_text("Window", self.actions)


@dataclass(frozen=True, kw_only=True)
class Apart:
    """Never one action with another within so many days, whichever comes first.

    Parameters
    ----------
    first, second : str
        Two actions.
    days : int
        With as many days between them both may be.

    Raises
    ------
    ModelError
        Both are the same action (its cooldown is a :class:`Window`), or the days are no whole number of at least 1.

    Examples
    --------
    >>> Apart(first="discount", second="thank", days=28)
    Apart(first='discount', second='thank', days=28)
    """

    first: str
    second: str
    days: int

    def __post_init__(self) -> None:
        _whole("Apart", "days", self.days, 1)
        if self.first == self.second:
            raise ModelError.expected("Apart", "second", f"another action than {shown(self.first)}", self.second)


@dataclass(frozen=True, kw_only=True)
class After:
    """An action only for customers who had another one at least so many days before, in the plan or in what is known of them.

    Parameters
    ----------
    action, earlier : str
        Two actions.
    days : int
        Least days from the first contact with ``earlier``.

    Raises
    ------
    ModelError
        Both are the same action, or the days are no whole number of at least 1.

    Examples
    --------
    >>> After(action="call", earlier="mail", days=7)
    After(action='call', earlier='mail', days=7)
    """

    action: str
    earlier: str
    days: int = 1

    def __post_init__(self) -> None:
        _whole("After", "days", self.days, 1)
        if self.action == self.earlier:
            raise ModelError.expected("After", "earlier", f"another action than {shown(self.action)}", self.earlier)


Rule = Window | Apart | After


def checked_limits(limits: Sequence[Limit], actions: Collection[str]) -> tuple[Limit, ...]:
    """Return limits that name only what there is, each with a name of its own.

    Raises
    ------
    ModelError
        Two limits have one name, or a limit names an action that is not known.
    """
    seen: set[str] = set()
    for limit in limits:
        if not isinstance(limit, Limit):
            raise ModelError.must_be("Problem: every limit", "a Limit", type(limit).__name__)
        what = f"The limit {shown(limit.name)}"
        if limit.name in seen:
            raise ModelError.must_be(f"{what}: its name", "given once", "two limits of that name")
        seen.add(limit.name)
        _known(what, limit.actions, actions)
    return tuple(limits)


def checked_rules(rules: Sequence[Rule], actions: Collection[str]) -> tuple[Rule, ...]:
    """Return rules that name only actions that there are, and do not ask for each other in a circle.

    Raises
    ------
    ModelError
        A rule names an action that is not known, or actions may each come only after the other.
    """
    before: dict[str, set[str]] = {}
    for rule in rules:
        if isinstance(rule, Window):
            _known("Window", rule.actions, actions)
        elif isinstance(rule, Apart):
            _known("Apart", (rule.first, rule.second), actions)
        elif isinstance(rule, After):
            _known("After", (rule.action, rule.earlier), actions)
            before.setdefault(rule.action, set()).add(rule.earlier)
        else:
            raise ModelError.must_be("Problem: every rule", "a Window, an Apart or an After", type(rule).__name__)
    for start in before:
        reached: set[str] = set()
        new = {start}
        while new := {earlier for one in new for earlier in before.get(one, ())} - reached:
            reached |= new
        if start in reached:
            hint = "Each would have to come first: leave one of the rules out."
            raise ModelError.must_be(
                "The rules After", "free of circles", f"{shown(start)} only after itself, by way of others", hint
            )
    return tuple(rules)


def _known(what: str, named: Collection[str] | None, actions: Collection[str]) -> None:
    for name in named or ():
        if name not in actions:
            raise ModelError(f"{what}: there is no action {shown(str(name))}. {hint_at(name, actions)}")


def _whole(what: str, name: str, value: Any, least: int) -> None:
    number = checked_number(what, name, value, f"of at least {least}")
    if not (number >= least and number == int(number if number < _INFINITE else -1)):
        raise ModelError.expected(what, name, f"a whole number of at least {least}", value)


def _not_a_text(what: str, *named: Collection[Any] | None) -> None:
    for one in named:
        if isinstance(one, str | bytes) or (one is not None and not len(one)):
            raise ModelError.must_be(f"{what}: what it names", "a tuple of names, or left out", one)

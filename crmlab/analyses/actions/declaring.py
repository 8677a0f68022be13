"""What a data set's TOML file says of actions: what may be done, goals of segments, limits on contacts, and the universal control."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from crmlab.analyses.customers import Condition, conditions
from crmlab.data.sections import Section
from crmlab.data.toml import STRICT, checked, holds, must
from crmlab.errors import CampaignError, DescriptorError
from crmlab.errors.base import hint_at, shown
from crmlab.errors.validation import Faults

__all__ = [
    "ALONE",
    "AT_RISK",
    "CAMPAIGN",
    "HELD_OUT",
    "HELD_WHY",
    "IDLE",
    "MEMORY",
    "NOTHING",
    "PURCHASE",
    "UNDECIDED",
    "Action",
    "Apart",
    "Assumed",
    "Days",
    "Goal",
    "Limits",
    "Order",
    "Service",
    "parse_actions",
    "parse_limits",
    "parse_segment_goals",
    "parse_service",
]

MEMORY, CAMPAIGN = "memory", "campaign:"  # where an effect is from
PURCHASE, AT_RISK = "purchase", "at_risk"  # what a success brings
NOTHING = "none"  # the treatment of a segment that is to be left alone
ALONE, HELD_OUT = "leave alone", "held out"  # what is done with whoever gets no action
HELD_WHY = "held out as universal control"  # and why
UNDECIDED = "undecided"  # of whom nothing can be said until a margin is given
IDLE = (ALONE, HELD_OUT, UNDECIDED)  # nothing is sent today
_TAKEN = (NOTHING, *IDLE, "other", "other actions")  # words that the page uses itself

_Words = Annotated[str, holds(lambda text: bool(text.strip()))]
_Text = Annotated[_Words, must("a text in quotes")]
_Name = Annotated[
    _Words,
    holds(lambda text: text == text.strip() and text.isprintable() and text not in _TAKEN),
    must(f"a text in quotes, without blanks at its ends, that is not one of the page’s own words ({', '.join(_TAKEN)})"),
]
_Texts = Annotated[tuple[_Words, ...], Field(strict=False), must("a list of texts")]
_Cost = Annotated[float, Field(ge=0, allow_inf_nan=False), must("a number of at least 0")]
_Rise = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False), must("a share, such as 0.02 for two more of a hundred")]
_Whole = Annotated[int, Field(ge=0), must("a whole number of at least 0")]
_Number = Annotated[int, Field(ge=1), must("a whole number of at least 1")]
_Span = Annotated[int, Field(ge=1, le=3650), must("a number of days from 1 to 3650")]
_T = TypeVar("_T")
_ListOf = Annotated[tuple[_T, ...], Field(strict=False), must("a list of tables")]


def _table(model: type[Any], like: str, other: str = "") -> tuple[BeforeValidator, Any]:
    """What makes a field of an inline table: the model that it must fit, and what a message says that it must be."""

    def made(given: Any) -> Any:
        return model(**given) if isinstance(given, dict) else given

    return BeforeValidator(made), must(f"{other}a table such as {like}")


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Assumed:
    """An effect that nobody has measured: by how much the share of customers who buy is taken to rise, and within which ends."""

    rise: _Rise
    low: _Rise
    high: _Rise


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Action:
    """Something that may be done with a customer, as ``[[action]]`` declares it.

    Attributes
    ----------
    name : str
    criteria : tuple of str
        Under ``for``: who may have it, in the grammar of campaigns. Nobody else may; all conditions must hold.
    offer : str or None
        As past cells and the campaign memory name it; None for an action without an offer, such as thanks or a call.
    channel : str or None
    cost_per_contact, cost_per_response : float or None
        In money: of each contact, and of each customer who takes the offer, whether they would have bought anyway or not. None: as past
        cells with the offer had it, else the medians of past cells.
    effect : str or Assumed
        ``"memory"``: what past cells with this offer brought; ``"campaign:<name>"``: what that campaign did; or an assumed rise.
    brings : str
        What one customer who was moved brings: ``"purchase"``, the margin of one purchase of theirs; ``"at_risk"``, the margin at risk.
    cooldown_days : int
        Days after which the same customer may have it again; 0: no matter.
    capacity : int or None
        Customers who can have it on one day of the plan.
    goal : str
        What it is for, in words.
    """

    name: _Name
    criteria: _Texts = ()
    offer: _Text | None = None
    channel: _Text | None = None
    cost_per_contact: _Cost | None = None
    cost_per_response: _Cost | None = None
    effect: Annotated[
        str | Assumed,
        *_table(Assumed, "{ rise = 0.02, low = 0.0, high = 0.04 }", f'"{MEMORY}", "{CAMPAIGN}<name>" or '),
    ] = MEMORY
    brings: Annotated[str, holds(lambda text: text in (PURCHASE, AT_RISK)), must(f'"{PURCHASE}" or "{AT_RISK}"')] = PURCHASE
    cooldown_days: _Whole = 28
    capacity: _Whole | None = None
    goal: str = ""

    @property
    def where(self) -> tuple[Condition, ...]:
        """The criteria, read."""
        return conditions(self.criteria)


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Goal:
    """What is aimed at with a segment, as ``[[segment_goal]]`` declares it.

    Attributes
    ----------
    criteria : tuple of str
        Under ``for``: who is in the segment. Of several that a customer is in, the first of the file counts.
    goal : str
        In words.
    treatment : str or None
        The only action that its customers may have, or ``"none"``: they are left alone. None: whatever pays.
    budget : float or None
        Money that may be spent on it on one day of the plan.
    """

    criteria: _Texts
    goal: _Text
    treatment: _Text | None = None
    budget: _Cost | None = None

    @property
    def where(self) -> tuple[Condition, ...]:
        """The criteria, read."""
        return conditions(self.criteria)


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Days:
    """At most so many contacts within any so many days in a row."""

    most: _Whole
    days: _Span


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Apart:
    """Two actions that no customer has within so many days."""

    first: _Text
    second: _Text
    days: _Span


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Order:
    """An action only for customers who had another one at least so many days before."""

    action: _Text
    earlier: _Text
    days: _Span = 1


_Days = Annotated[Days, *_table(Days, "{ most = 2, days = 28 }")]


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Limits:
    """What bounds all actions together, as ``[limits]`` declares it.

    Attributes
    ----------
    contacts : tuple of Days
        Of one customer, whatever the action: a window that slides, of no calendar.
    channels : mapping of str to Days
        The same for the actions of one channel.
    apart : tuple of (first, second, days)
    after : tuple of Order
    budget : float or None
        Money for one day of the plan.
    """

    contacts: _ListOf[_Days] = (Days(most=1, days=14),)
    channels: Annotated[
        Mapping[_Text, _Days], must("a table of channels, each with a table such as { most = 1, days = 91 }")
    ] = dataclasses.field(default_factory=dict)
    apart: _ListOf[Annotated[Apart, *_table(Apart, '{ first = "discount", second = "thanks", days = 28 }')]] = ()
    after: _ListOf[Annotated[Order, *_table(Order, '{ action = "call", earlier = "mail", days = 7 }')]] = ()
    budget: _Cost | None = None


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Service:
    """What serving customers costs beside contacts, as ``[service]`` declares it.

    Attributes
    ----------
    cost_per_return : float or None
        In money: of handling each order that something of came back from, or that was a return by itself.
    cost_per_ticket : float or None
        The same of each complaint and each request to be contacted again. None: not known, and part of no sum.
    """

    cost_per_return: _Cost | None = None
    cost_per_ticket: _Cost | None = None


def parse_actions(section: Section, where: str) -> tuple[Action, ...]:
    """Check the actions of a TOML file.

    Raises
    ------
    DescriptorError
        An action has no effect, one that is neither measured nor assumed within its ends, a name that is there twice, criteria that
        cannot be read, or a value of the wrong type; all of it is told.

    Examples
    --------
    >>> given = {"name": "win back", "for": ["state in slowing, lapsed"], "effect": {"rise": 0.02, "low": 0.0, "high": 0.04}}
    >>> parse_actions(Section("action", [given]), "shop.toml")[0].criteria
    ('state in slowing, lapsed',)
    """
    items = _items(section, where, "action")
    faults = Faults(DescriptorError, where, {"action": items})
    found, seen = [], set()
    for number, item in enumerate(items):
        faults.where, at, name = section.where(where, number), ("action", number), item.get("name")
        called = f"the action {shown(str(name))}" if name else "an action"
        made = _made(Action, item, faults, at, "[[action]]")  # first: it knows which keys were mistyped
        if "effect" not in item:
            hint = (
                'Expected effect = "memory", effect = "campaign:<name>", or an assumption such as effect = '
                "{ rise = 0.02, low = 0.0, high = 0.04 }."
            )
            faults.add((*at, "effect"), DescriptorError(f"{faults.where}: {called} has no 'effect'. {hint}"))
        else:
            _check_effect(item, faults, (*at, "effect"), called)
        if isinstance(name, str) and name in seen:
            faults.add((*at, "name"), DescriptorError(f"{faults.where}: there are two actions {shown(name)}. Rename one."))
        seen.add(name)
        found += [made] if made is not None else []
    faults.tell()
    return tuple(found)


def parse_segment_goals(section: Section, where: str) -> tuple[Goal, ...]:
    """Check the goals of segments of a TOML file.

    Raises
    ------
    DescriptorError
        Criteria cannot be read, or a value is of the wrong type; all of it is told.
    """
    items = _items(section, where, "segment_goal")
    faults = Faults(DescriptorError, where, {"segment_goal": items})
    found = []
    for number, item in enumerate(items):
        faults.where = section.where(where, number)
        made = _made(Goal, item, faults, ("segment_goal", number), "[[segment_goal]]")
        found += [made] if made is not None else []
    faults.tell()
    return tuple(found)


def parse_limits(section: Section, where: str) -> Limits:
    """Check the limits of a TOML file.

    Raises
    ------
    DescriptorError
        A value is of the wrong type, an action is to keep away from itself or to come after itself; all of it is told.

    Examples
    --------
    >>> parse_limits(Section("limits", {"contacts": [{"most": 2, "days": 28}], "budget": 500}), "shop.toml").budget
    500.0
    """
    faults, made = _once(Limits, section, where)
    for pair in made.apart if made is not None else ():
        if pair.first == pair.second:
            said = f"two different actions. Got {shown(pair.first)} twice. For one, use its cooldown_days."
            faults.add(("limits", "apart"), DescriptorError(f"{faults.where}: apart must name {said}"))
    for order in made.after if made is not None else ():
        if order.action == order.earlier:
            said = f"two different actions. Got {shown(order.action)} twice."
            faults.add(("limits", "after"), DescriptorError(f"{faults.where}: after must name {said}"))
    faults.tell()
    assert made is not None
    return made


def parse_service(section: Section, where: str) -> Service:
    """Check the costs of service of a TOML file.

    Raises
    ------
    DescriptorError
        A value is of the wrong type, or a key is not known; all of it is told.

    Examples
    --------
    >>> parse_service(Section("service", {"cost_per_return": 4.5}), "shop.toml").cost_per_return
    4.5
    """
    faults, made = _once(Service, section, where)
    faults.tell()
    assert made is not None
    return made


def _once(model: type[_T], section: Section, where: str) -> tuple[Faults, _T | None]:
    """A model of a section that is given once, and what is wrong with it."""
    content, place, name = section.content, section.where(where), section.name
    if not isinstance(content, dict):
        raise DescriptorError.expected(f"{place}: {name}", f"given as [{name}], once", content)
    faults = Faults(DescriptorError, place, {name: content})
    return faults, checked(model, content, faults, (name,), f"[{name}]", absent=_absent(model, f"[{name}]"))


def _items(section: Section, where: str, name: str) -> list[dict[str, Any]]:
    given = section.content
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise DescriptorError.expected(f"{section.where(where)}: {name}", f"given as [[{name}]], once for each", given)
    return given


def _made(model: Any, item: Mapping[str, Any], faults: Faults, at: tuple[str | int, ...], heading: str) -> Any:
    """A model of one entry, whose criteria stand under ``for``."""
    values = {("criteria" if key == "for" else key): value for key, value in item.items() if key != "criteria"}
    if "criteria" in item:
        known = ["for" if field.name == "criteria" else field.name for field in dataclasses.fields(model)]
        faults.unknown(at, heading, ["criteria"], known)
    given = values.get("criteria")
    if isinstance(given, str) and given.strip():
        values["criteria"] = [given]
    elif given is not None and not (isinstance(given, list) and all(isinstance(one, str) and one.strip() for one in given)):
        # Of the file's own word, which is none that a field could have.
        faults.expected((*at, "for"), heading, "a text in quotes, or a list of them", given)
        values["criteria"] = ()
    made = checked(model, values, faults, at, heading, absent=_absent(model, heading))
    for text in _texts(values.get("criteria")):
        try:
            conditions(text)
        except CampaignError as error:
            faults.add((*at, "for"), DescriptorError(f"{faults.where}: {error}"))
    return made


def _absent(model: Any, heading: str) -> dict[str, str]:
    """What is said of each field that must be given and is not."""
    names = [field.name for field in dataclasses.fields(model) if field.default is field.default_factory is dataclasses.MISSING]
    return {name: f"{heading} {'for' if name == 'criteria' else name} must be given. Got nothing instead." for name in names}


def _texts(given: Any) -> Iterable[str]:
    return [one for one in given if isinstance(one, str)] if isinstance(given, list | tuple) else []


def _check_effect(item: Mapping[str, Any], faults: Faults, at: tuple[str | int, ...], called: str) -> None:
    given = item["effect"]
    if isinstance(given, dict) and {"rise", "low", "high"} <= set(given):
        rise, low, high = given["rise"], given["low"], given["high"]
        numbers = all(isinstance(one, int | float) and one == one and not isinstance(one, bool) for one in (rise, low, high))
        if numbers and not low <= rise <= high:
            said = f"an effect whose rise lies between its low and its high. Got {low:g}, {rise:g}, {high:g} instead."
            faults.add(at, DescriptorError(f"{faults.where}: {called} must have {said}"))
    elif isinstance(given, str) and given != MEMORY and not given.startswith(CAMPAIGN):
        hint = hint_at(given, (MEMORY, f"{CAMPAIGN}<name>"))
        faults.add(at, DescriptorError(f"{faults.where}: {called} has the unknown effect {shown(given)}. {hint}"))
    elif given == MEMORY and "offer" not in item and not faults.mistyped(*at[:-1], "offer"):
        hint = "Name the offer, or give the action an assumed effect."
        said = "takes its effect from past cells with its offer, and names no offer"
        faults.add(at, DescriptorError(f"{faults.where}: {called} {said}. {hint}"))
    elif isinstance(given, str) and given.startswith(CAMPAIGN) and not given.removeprefix(CAMPAIGN).strip():
        faults.add(at, DescriptorError(f'{faults.where}: {called} names no campaign. Expected effect = "{CAMPAIGN}<name>".'))

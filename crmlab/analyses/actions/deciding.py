"""One decision for every customer, and the calendar of the weeks ahead: what pays most within the limits, week by week."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from crmlab.analyses import customer_value
from crmlab.analyses.actions.declaring import ALONE, HELD_OUT, NOTHING, UNDECIDED, Action, Goal, Limits
from crmlab.analyses.actions.effects import Priced
from crmlab.analyses.actions.people import Asked, People
from crmlab.analyses.actions.pressing import LOOKED_BACK, Curve
from crmlab.analyses.campaigns import Holdout
from crmlab.errors import DataError, ModelError, shown
from crmlab.history.words import YEAR
from crmlab.models.decisions import After, Allocation, Apart, Limit, Problem, Window, allocate
from crmlab.models.decisions.allocation import opened
from crmlab.models.decisions.rules import checked_rules

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]

__all__ = [
    "BUDGET",
    "CONTROL",
    "COSTS_MORE",
    "NO_MARGIN",
    "RATE",
    "Before",
    "Decided",
    "Ground",
    "action_of",
    "check_names",
    "decide",
    "eligible",
]

BUDGET = "budget"
WEEK = 7
RATE = customer_value.Params().rate  # of discount
_SALT = "crmlab actions: who comes first among those who are alike"

# Why nothing is done with somebody, those that come first told first.
HOUSEHOLD = "someone else in the household comes first"
NO_ACTION = "no action applies to them"
ASKED_LATER = "has asked to be contacted again on a later day"
COSTS_MORE = "every action would cost more than it brings in"
NOT_YET = "contact limits do not allow another contact yet"
CONTROL = "belongs to the control of a running test"
NO_MARGIN = "not known: needs a margin"
USED_UP = "the budget, or the capacity of the action, is used up"


@dataclass(frozen=True, kw_only=True, eq=False)
class Ground:
    """What decisions rest on.

    Attributes
    ----------
    people : People
    actions : tuple of Priced
    gains : DataFrame
        As of :func:`crmlab.analyses.actions.people.gains_of`; a column per action. Of today: missing where a customer may not have it.
    costs, ends : mapping of str to array
    limits : Limits
    goals : tuple of Goal
    holdout : Holdout or None
    budget : float or None
        Money for one day.
    unpaid : str
        What is said of whoever is no gain with any action.
    asked : Asked or None
        What hangs on requests to be contacted again.
    idle : mapping of str to array, optional
        What each action costs with each customer if it moves nobody. With ``curve``.
    curve : Curve or None
        What another contact brings after those of the last weeks; None: as much as the first.
    base : Ground or None
        The same before any day was looked at; see :meth:`by`.
    """

    people: People
    actions: tuple[Priced, ...]
    gains: pd.DataFrame
    costs: Mapping[str, Array]
    ends: Mapping[str, Array]
    limits: Limits
    goals: tuple[Goal, ...]
    holdout: Holdout | None
    budget: float | None
    unpaid: str = COSTS_MORE
    asked: Asked | None = None
    idle: Mapping[str, Array] | None = None
    curve: Curve | None = None
    base: Ground | None = None

    def by(self, day: int, done: pd.DataFrame) -> Ground:
        """The same so many days from now, when these contacts are done.

        What customers asked for a day that has come is open, and closed for those contacted since; and an action moves fewer of those
        who were contacted often in the weeks before.

        Parameters
        ----------
        day : int
        done : DataFrame
            Contacts of before and of the plan: customer, day.
        """
        base = self if self.base is None else self.base
        gains = base.gains
        if base.asked is not None:
            gains = gains.fillna(base.asked.later.where(pd.Series(base.asked.day <= day, index=gains.index), axis=0))
            last = base.people.ids.map(done.loc[done["day"] <= day].groupby("customer")["day"].max())
            answered = (last.to_numpy(float) >= base.asked.day)[:, None] & base.asked.rests.to_numpy(bool)
            gains = gains.mask(answered)
        return base._pressed(gains, base.left(day, done))

    def left(self, day: int, done: pd.DataFrame) -> Array:
        """What a contact with each customer on a day brings, as a share of what it would bring with one who had none for weeks."""
        if self.curve is None:
            return np.ones(len(self.people))
        recent = done.loc[done["day"].between(day - LOOKED_BACK + 1, day), "customer"].value_counts()
        return self.curve.left(self.people.ids.map(recent).fillna(0.0).to_numpy(float))

    def _pressed(self, gains: pd.DataFrame, left: Array) -> Ground:
        if self.idle is None or not (left < 1).any():
            return replace(self, gains=gains, base=self)
        idle, known = self.idle, np.isfinite(gains.to_numpy(float))
        lower = {name: np.round(left * gains[name] - (1 - left) * idle[name], 4) for name in gains.columns}
        return replace(
            self,
            gains=gains.mask(known, pd.DataFrame(lower, index=gains.index)),
            costs={name: np.round(left * one + (1 - left) * idle[name], 4) for name, one in self.costs.items()},
            ends={name: left * one - (1 - left) * idle[name] for name, one in self.ends.items()},
            base=self,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Decided:
    """What is done with whom.

    Attributes
    ----------
    today : DataFrame
        A row per customer, in the order of ``people``: customer_id, action (of today; :data:`ALONE`, :data:`HELD_OUT`, :data:`UNDECIDED`),
        action_reason, planned (the action before anybody is held out; empty for none), gain and cost of it (0 for none), held_out.
    calendar : DataFrame
        What is planned from today: customer_id, day (0 is today), action, gain, cost; nobody who is held out.
    problem : Problem
        Today's, for what budgets and rules are worth.
    allocation : Allocation or None
        Today's; None where nothing pays with anybody.
    """

    today: pd.DataFrame
    calendar: pd.DataFrame
    problem: Problem | None
    allocation: Allocation | None


def eligible(ground: Ground) -> pd.DataFrame:
    """Gains of whoever may be contacted, one of each household: the one with whom the best action brings most; missing for all others."""
    people = ground.people
    gains = ground.gains.where(pd.Series(people.open, index=ground.gains.index), axis=0)
    best = gains.max(axis=1)
    order = pd.DataFrame({"home": people.frame["household"], "best": best, "id": people.ids}).dropna(subset=["best"])
    first = order.sort_values(["best", "id"], ascending=[False, True], kind="stable").drop_duplicates("home").index
    return gains.where(pd.Series(gains.index.isin(first), index=gains.index), axis=0)


def decide(ground: Ground, weeks: int, discount: float = RATE) -> Decided:
    """Decide for today, then for each week ahead as if nothing else became known.

    Each day takes what pays most by then within the limits, for which what was done before with anybody of a household counts. Who is
    held out is decided for like everybody else, and left out last.

    Parameters
    ----------
    ground : Ground
    weeks : int
        Length of the calendar.
    discount : float
        By how much a year's delay lowers what an action brings; default: the rate at which customers are valued.

    Returns
    -------
    Decided
        ``today``, ``calendar`` and more.

    Raises
    ------
    DataError
        Limits name an action or a channel that there is not, or contradict each other.
    """
    people, gains = ground.people, eligible(ground)
    held = people.held_out(ground.holdout)
    before = _before(ground)
    done = before.contacts
    rows: list[pd.DataFrame] = []
    first: tuple[Problem, Allocation] | None = None
    for week in range(weeks):
        then = ground if week == 0 or (ground.asked is None and ground.curve is None) else ground.by(WEEK * week, done)
        open_then = gains if then is ground else eligible(then)
        heard = _of_homes(ground, open_then, done)
        found = _one_day(then, open_then * (1 + discount) ** (-week * WEEK / YEAR), heard, WEEK * week, before)
        if found is None:
            continue
        first = found if week == 0 else first
        chosen = found[1].chosen.assign(day=WEEK * week)
        rows.append(chosen)
        done = pd.concat([done, chosen[["customer", "action", "day"]]], ignore_index=True)
    planned = (
        pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=["customer", "action", "day", "value", "cost"])
    )
    planned = planned.rename(columns={"customer": "customer_id", "value": "gain"})
    kept = planned[~planned["customer_id"].isin(set(people.ids[held]))].reset_index(drop=True)
    return Decided(
        today=_today(ground, gains, planned, held, first[0] if first else None),
        calendar=kept[["customer_id", "day", "action", "gain", "cost"]].sort_values(["day", "customer_id"], ignore_index=True),
        problem=first[0] if first else None,
        allocation=first[1] if first else None,
    )


def _of_homes(ground: Ground, gains: pd.DataFrame, done: pd.DataFrame) -> pd.DataFrame:
    """Contacts, each told of the one of its household who may be contacted now: for limits, what one of them got all of them got.

    With others of the household an action bears another name: it counts towards limits, and is not what this one had before.
    """
    people = ground.people.frame
    home = people.set_index("customer_id")["household"]
    first = people.loc[gains.notna().any(axis=1).to_numpy()].drop_duplicates("household").set_index("household")["customer_id"]
    now = done["customer"].map(home).map(first)
    others = (now.notna() & (now != done["customer"])).to_numpy()
    names = {one.name: _at_home(one.name) for one in ground.actions}
    return done.assign(
        customer=done["customer"].where(~others, now).astype(object),
        action=done["action"].where(~others, done["action"].replace(names)),
    )


def _at_home(action: str) -> str:
    """An action with somebody else of the household. No action has such a name: none begins with a blank."""
    return f"  {action}"


def _one_day(
    ground: Ground, gains: pd.DataFrame, done: pd.DataFrame, day: int, before: Before
) -> tuple[Problem, Allocation] | None:
    """The problem of one day and what is chosen; None where nothing pays. Contacts of before are told from that day."""
    ids = ground.people.ids.to_numpy(object)
    parts = []
    for name in gains.columns:
        good = np.flatnonzero(gains[name].to_numpy(float) > 0)
        if len(good):
            part = {"customer": ids[good], "value": gains[name].to_numpy(float)[good], "cost": ground.costs[name][good]}
            parts.append(pd.DataFrame(part).assign(action=name, day=0))
    if not parts:
        return None
    names = [one.name for one in ground.actions]
    try:
        problem = Problem.of(
            pd.concat(parts, ignore_index=True),
            _limits(ground),
            _rules(ground, before),
            contacts=done.assign(day=done["day"] - day),
            actions=[*names, *map(_at_home, names), *before.others],
            salt=_SALT,
        )
        return problem, allocate(problem)
    except ModelError as error:
        raise DataError(f"The actions of {ground.people.scores.base.data.descriptor.where}: {error}") from error


def _limits(ground: Ground) -> list[Limit]:
    """What bounds one day: money in all, money of each segment with a budget, customers of each action."""
    found = []
    if ground.budget is not None:
        found.append(Limit(name=BUDGET, most=ground.budget, of="cost"))
    taken = np.zeros(len(ground.people), dtype=bool)
    for number, goal in enumerate(ground.goals, start=1):
        mine = ground.people.fits(goal.where, f"the goal {shown(goal.goal)}") & ~taken
        taken |= mine
        if goal.budget is not None and mine.any():
            ids = tuple(ground.people.ids[mine])
            found.append(Limit(name=f"budget of goal {number}: {goal.goal}", most=goal.budget, of="cost", customers=ids))
    for one in ground.actions:
        if one.action.capacity is not None:
            found.append(Limit(name=f"capacity of {one.name}", most=one.action.capacity, actions=(one.name,)))
    return found


def check_names(actions: Sequence[Action], goals: Sequence[tuple[Goal, str]], limits: Limits, where: str) -> None:
    """Check that goals and limits name only what there is, and that limits do not contradict each other.

    Parameters
    ----------
    actions : sequence of Action
    goals : sequence of (Goal, str)
        Each with its place in the file.
    limits : Limits
    where : str
        Place of the limits in the file.

    Raises
    ------
    DataError
        A goal or a limit names an action or a channel that there is not, or actions may each come only after the other.
    """
    names = [one.name for one in actions]
    for goal, place in goals:
        if goal.treatment is not None and goal.treatment not in (*names, NOTHING):
            raise DataError.no_such(
                "action",
                goal.treatment,
                [*names, NOTHING],
                f"for the goal {shown(goal.goal)} under [[segment_goal]] of {place}",
            )
    channels = sorted({one.channel for one in actions if one.channel is not None})
    for channel in limits.channels:
        if channel not in channels:
            raise DataError.no_such("channel of an action", channel, channels, f"under [limits] of {where}")
    pairs = [(one.first, one.second) for one in limits.apart] + [(one.action, one.earlier) for one in limits.after]
    for name in (name for pair in pairs for name in pair):
        if name not in names:
            raise DataError.no_such("action", name, names, f"under [limits] of {where}")
    try:
        checked_rules([After(action=one.action, earlier=one.earlier, days=one.days) for one in limits.after], names)
    except ModelError as error:
        raise DataError(f"{where}: {error}") from error


def _rules(ground: Ground, before: Before) -> list[Window | Apart | After]:
    """What bounds the contacts of one customer."""
    limits = ground.limits
    found: list[Window | Apart | After] = [Window(most=one.most, days=one.days) for one in limits.contacts]
    channels: dict[str, list[str]] = {}
    for one in ground.actions:
        if one.action.channel is not None:
            channels.setdefault(one.action.channel, []).extend((one.name, _at_home(one.name)))
        if one.action.cooldown_days:
            alike = [name for name, (offer, _) in before.others.items() if offer is not None and offer == one.action.offer]
            found.append(Window(most=1, days=one.action.cooldown_days, actions=(one.name, _at_home(one.name), *alike)))
    for channel, days in limits.channels.items():
        alike = [name for name, (_, its) in before.others.items() if its == channel]
        found.append(Window(most=days.most, days=days.days, actions=(*channels[channel], *alike)))
    found += [Apart(first=one.first, second=one.second, days=one.days) for one in limits.apart]
    found += [After(action=one.action, earlier=one.earlier, days=one.days) for one in limits.after]
    return found


class Before(NamedTuple):
    """What was sent before: customer, action, day; and of what is no single action its offer, where one is declared, and its channel."""

    contacts: pd.DataFrame
    others: dict[str, tuple[str | None, str | None]]


def action_of(actions: Sequence[Action], offer: str, channel: str) -> str | None:
    """The action that a contact counts as: the one with its offer, of several with one offer that of its channel; None for none."""
    alike = [one for one in actions if one.offer == offer]
    mine = alike if len(alike) == 1 else [one for one in alike if one.channel == channel]
    return mine[0].name if len(mine) == 1 else None


def _before(ground: Ground) -> Before:
    """What was sent before, as actions: as of :func:`action_of`.

    Any other contact counts towards limits all the same: to those on all contacts, to that of its channel, and to the cooldown of every
    action with its offer.
    """
    actions = [one.action for one in ground.actions]
    known = ground.people.contacts
    names: dict[tuple[str, str], str] = {}
    others: dict[str, tuple[str | None, str | None]] = {}
    for offer, channel in dict.fromkeys(zip(known["offer"], known["channel"], strict=True)):
        mine = action_of(actions, offer, channel)
        if mine is not None:
            names[offer, channel] = mine
        else:
            alike = any(one.offer == offer for one in actions)
            # No action has a name like this: none begins with a blank.
            name = names[offer, channel] = f" {offer if alike else ''} {channel}"
            others[name] = (offer if alike else None, channel or None)
    called = [names[pair] for pair in zip(known["offer"], known["channel"], strict=True)]
    contacts = known.assign(action=pd.Series(called, index=known.index, dtype=object))[["customer", "action", "day"]]
    return Before(contacts, others)


def _today(ground: Ground, gains: pd.DataFrame, planned: pd.DataFrame, held: Flags, today: Problem | None) -> pd.DataFrame:
    """Action and reason of every customer."""
    people = ground.people
    now = planned[planned["day"] == 0].set_index("customer_id")
    ids = people.ids
    what = ids.map(now["action"]).astype(object).where(ids.isin(now.index), "")
    frame = pd.DataFrame(
        {
            "customer_id": ids,
            "planned": what,
            "gain": ids.map(now["gain"]).fillna(0.0).astype(float),
            "cost": ids.map(now["cost"]).fillna(0.0).astype(float),
            "held_out": held,
        }
    )
    acts = (what != "").to_numpy()
    frame["action_reason"] = np.where(acts, _why(ground, frame), _why_not(ground, gains, today))
    none = np.where(frame["action_reason"] == NO_MARGIN, UNDECIDED, ALONE)
    frame["action"] = np.where(held & acts, HELD_OUT, np.where(acts, what, none))
    return frame[["customer_id", "action", "action_reason", "planned", "gain", "cost", "held_out"]]


def _why(ground: Ground, frame: pd.DataFrame) -> list[str]:
    """Why an action was chosen; for those held out, what it would have been."""
    basis = {one.name: one.effect.told for one in ground.actions}
    many = len(ground.actions) > 1
    told = []
    for name, held in zip(frame["planned"], frame["held_out"], strict=True):
        said = f"brings in most ({basis.get(name, '')})" if many else f"brings in more than it costs ({basis.get(name, '')})"
        told.append(f"universal control; without it: {name}" if held else said)
    return told


def _why_not(ground: Ground, gains: pd.DataFrame, today: Problem | None) -> list[str]:
    """Why nothing is done with a customer today; the first reason that holds is told."""
    people = ground.people
    own, best = (frame.max(axis=1).to_numpy(float) for frame in (ground.gains, gains))
    free = _free(today)
    waits = np.zeros(len(people), dtype=bool) if ground.asked is None else ground.asked.later.notna().any(axis=1).to_numpy()
    sent = people.contacts
    control = set(sent.loc[sent["control"], "customer"]) - set(sent.loc[~sent["control"], "customer"]) if len(sent) else set()
    told = []
    for one, refusal, mine, left, waiting in zip(people.ids, people.frame["refusal"], own, best, waits, strict=True):
        if refusal:
            told.append(str(refusal))
        elif np.isnan(mine):
            told.append(ASKED_LATER if waiting else NO_ACTION)
        elif not mine > 0:
            told.append(ground.unpaid)
        elif np.isnan(left):
            told.append(HOUSEHOLD)
        else:
            told.append(USED_UP if one in free else CONTROL if one in control else NOT_YET)
    return told


def _free(today: Problem | None) -> set[str]:
    """Whom limits on contacts leave an action that pays today."""
    if today is None:
        return set()
    _, value = opened(today)
    return set(today.customers[(value > 0).any(axis=(0, 1))])

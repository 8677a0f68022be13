"""Everything that the page on actions shows, worked out: the decision, what it promises, what budgets bring, and what others would do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, count
from typing import TYPE_CHECKING, Any

import pandas as pd

from crmlab.analyses import customer_value
from crmlab.analyses.actions.comparing import (
    alone_told,
    curve_told,
    lines_told,
    others_told,
    pressure_told,
    rules_told,
    shown_by_holdout,
    total_told,
)
from crmlab.analyses.actions.deciding import COSTS_MORE, NO_MARGIN, Decided, Ground, check_names, decide
from crmlab.analyses.actions.declaring import (
    IDLE,
    UNDECIDED,
    Action,
    Goal,
    Limits,
    Service,
    parse_actions,
    parse_limits,
    parse_segment_goals,
    parse_service,
)
from crmlab.analyses.actions.effects import default_actions, past_cells, priced
from crmlab.analyses.actions.judging import Judged, judged_of
from crmlab.analyses.actions.keeping import kept_of
from crmlab.analyses.actions.params import SECTIONS, Params
from crmlab.analyses.actions.people import check_criteria, gains_of, people_of, too_few
from crmlab.analyses.actions.pressing import curve_of
from crmlab.analyses.actions.serving import beside_value
from crmlab.analyses.campaigns import Holdout, holdout_for
from crmlab.data.memory.campaigns import fingerprint
from crmlab.errors import CrmlabError, shown
from crmlab.page.declarations import Readiness
from crmlab.page.exhibits import Absent
from crmlab.page.result import Output

if TYPE_CHECKING:
    from crmlab.history.context import Margin
    from crmlab.history.past import History
    from crmlab.history.words import Words
    from crmlab.page.result import Context

__all__ = [
    "DEFAULTS",
    "Declared",
    "Study",
    "decisions",
    "declared",
    "ground_of",
    "readiness",
    "slug",
    "slugs",
    "study",
]

DEFAULTS = Params()


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What the data set's file says of actions, or what is taken where it says nothing.

    Attributes
    ----------
    actions : tuple of Action
    given : bool
        Whether the file declares them.
    goals, limits, holdout, service
        As of :mod:`crmlab.analyses.actions.declaring`.
    """

    actions: tuple[Action, ...]
    given: bool
    goals: tuple[Goal, ...]
    limits: Limits
    holdout: Holdout | None
    service: Service


def declared(history: History, level: float) -> Declared:
    """Read what the data set's file says of actions.

    Raises
    ------
    DataError
        Criteria, goals or limits name what there is not, or limits contradict each other.
    """
    descriptor = history.data.descriptor
    sections = descriptor.sections

    def read(name: str, parse: Any) -> Any:
        return parse(sections[name], descriptor.where) if name in sections else None

    actions = read("action", parse_actions)

    def place(name: str, number: int = 0) -> str:
        return sections[name].where(descriptor.where, number) if name in sections else descriptor.where

    found = Declared(
        actions=actions or default_actions(history, level),
        given=bool(actions),
        goals=read("segment_goal", parse_segment_goals) or (),
        limits=read("limits", parse_limits) or Limits(),
        holdout=holdout_for(history.data),
        service=read("service", parse_service) or Service(),
    )
    goals = [(one, place("segment_goal", number)) for number, one in enumerate(found.goals)]
    check_names(found.actions, goals, found.limits, place("limits"))
    for number, one in enumerate(found.actions if found.given else ()):
        check_criteria(history, one.where, f"the action {shown(one.name)}, {place('action', number)}")
    for goal, its in goals:
        check_criteria(history, goal.where, f"the goal {shown(goal.goal)}, {its}")
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """What the page shows.

    Attributes
    ----------
    ground : Ground
    decided : Decided
    lines : DataFrame
        A row per action that is taken today, those that bring most first: action, customers (held out left out), worth, worth_low,
        worth_high (expected of them, net of cost), cost, basis, rise, rise_low, rise_high, source.
    total : (value, low, high)
        Worth of all of them.
    alone : DataFrame
        reason, customers: of everybody with whom nothing is done; whoever is undecided is not among them.
    left_out : tuple of str
        A sentence for each past campaign that no effect rests on.
    kept : DataFrame
        What earlier decisions promised, and what came: as of :func:`crmlab.analyses.actions.keeping.kept_of`.
    beside : DataFrame
        What each customer cost, and whom they brought: as of :func:`crmlab.analyses.actions.serving.beside_value`.
    judged : Judged or None
        What this way of choosing would have brought in past campaigns; None where no margin is known.
    """

    context: Context
    params: Params
    words: Words
    margin: Margin
    declared: Declared
    ground: Ground
    decided: Decided
    lines: pd.DataFrame
    total: tuple[float, float, float]
    alone: pd.DataFrame
    curve: pd.DataFrame | Absent
    rules: pd.DataFrame
    others: pd.DataFrame
    pressure: pd.DataFrame
    detectable: float | None
    judged: Judged | None
    left_out: tuple[str, ...]
    kept: pd.DataFrame
    beside: pd.DataFrame

    @property
    def customers(self) -> int:
        """Customers decided for."""
        return len(self.ground.people)

    @property
    def acted(self) -> int:
        """Customers with whom something is done today."""
        return int((~self.decided.today["action"].isin(IDLE)).sum())

    @property
    def undecided(self) -> int:
        """Customers of whom it is not known whether an action pays, for want of a margin."""
        return int((self.decided.today["action"] == UNDECIDED).sum())

    @property
    def alone_today(self) -> int:
        """Customers with whom nothing is done today, and that is decided."""
        return self.customers - self.acted - self.undecided

    @property
    def held_out(self) -> int:
        """Customers of the universal control."""
        return int(self.decided.today["held_out"].sum())

    @cached_property
    def outputs(self) -> Mapping[str, Output]:
        """The decision of every customer, and the list of each action."""
        people, form, words = self.ground.people.frame, self.context.form, self.words
        values = ["tier", "if_loyal", "value_today", "at_risk", "potential"]
        found = self.decided.today.rename(columns={"gain": "expected_gain", "cost": "expected_cost"})
        found = found.merge(people[["customer_id", *values, "contactable", "refusal"]], "left", "customer_id")
        beside = [name for name in self.beside.columns if name != "customer_id"]
        found = found.merge(self.beside, "left", "customer_id")
        said = ["customer_id", "action", "action_reason", "expected_gain", "expected_cost"]
        consent = ["contactable", "refusal"]
        whole = f"What to do with each of {form.count(self.customers)} {words.many}, and why"
        out = {"decisions": Output(whole, found[[*said, *values, *beside, *consent]], ("customer_id",))}
        files = slugs([one.name for one in self.ground.actions])
        for action in self.lines["action"]:
            mine = found[found["action"] == action].reset_index(drop=True)
            out[f"send_{files[action]}"] = Output(
                f"{words.many.capitalize()} to contact today: {action}", mine[[*said, *consent]], ("customer_id",)
            )
        return out


def slug(name: str) -> str:
    """A name as part of the name of a file.

    Examples
    --------
    >>> slug("10% off")
    '10_off'
    """
    return "_".join("".join(ch if ch.isalnum() else " " for ch in name.lower()).split()) or "action"


def slugs(names: Sequence[str]) -> dict[str, str]:
    """Name → part of the name of its file: those that would share one are numbered.

    Examples
    --------
    >>> slugs(["a b", "a/b"])
    {'a b': 'a_b', 'a/b': 'a_b_2'}
    """
    found: dict[str, str] = {}
    for name in names:
        part = slug(name)
        found[name] = next(one for one in chain([part], (f"{part}_{k}" for k in count(2))) if one not in found.values())
    return found


def readiness(history: History, params: Params) -> Readiness:
    """Whether customers can be valued, and what is declared can be read."""
    found = customer_value.readiness(history, customer_value.Params(margin=params.margin, level=params.level, seed=params.seed))
    if found.why_not:
        return Readiness(why_not=found.why_not)
    if (many := len(history.summary())) < customer_value.FEWEST:
        return Readiness(why_not=str(too_few(many)))
    remarks = [] if history.margin(params.margin).known else ["decides nothing: no margin is known"]
    try:
        priced(history, declared(history, params.level).actions, params.level)
    except CrmlabError as error:
        return Readiness(why_not=str(error), mend=any(name in history.data.descriptor.sections for name in SECTIONS))
    return Readiness(remarks=tuple(remarks))


def decisions(history: History, params: Params = DEFAULTS) -> pd.DataFrame:
    """The decision of every customer: customer_id, action, action_reason. Whoever shows what to do with somebody asks here."""
    return _kept(history, params, lambda: decide(ground_of(history, params)[1], params.weeks))


def _kept(history: History, params: Params, make: Callable[[], Decided]) -> pd.DataFrame:
    """What is told of each customer, once for all reports of a run; another memory of campaigns makes it another decision."""
    key = ("actions.decisions", replace(params, as_of=None), fingerprint())
    return history.once(key, lambda: make().today[["customer_id", "action", "action_reason"]], shared_by_all=True).copy()


def ground_of(history: History, params: Params) -> tuple[Declared, Ground]:
    """Everything that a decision rests on: what is declared, and what each action would bring with each customer.

    Parameters
    ----------
    history : History
    params : Params

    Returns
    -------
    (Declared, Ground)
        What the data set's file says of actions; and what :func:`~crmlab.analyses.actions.deciding.decide` decides by: people, actions,
        gains, limits and more.

    Raises
    ------
    TooLittleError
        Customers are too few to say anything of a single one.
    DataError
        Declared actions, goals or limits name what there is not, or no effect of an action is known.
    ModelError, ConvergenceError
        Customers cannot be valued.
    """
    said = declared(history, params.level)
    actions = priced(history, said.actions, params.level)
    margin = history.margin(params.margin)
    people = people_of(history, _columns(said), margin=params.margin, level=params.level, seed=params.seed)
    gains, costs, ends, idle, asked = gains_of(history, people, actions, said.goals)
    base = Ground(
        people=people,
        actions=actions,
        # Without a margin nothing is known to pay.
        gains=gains if margin.known else gains.where(gains.isna(), -math.inf),
        costs=costs,
        ends=ends,
        limits=said.limits,
        goals=said.goals,
        holdout=said.holdout,
        budget=said.limits.budget if params.budget is None else params.budget,
        unpaid=COSTS_MORE if margin.known else NO_MARGIN,
        asked=asked if margin.known else None,
        idle=idle,
        curve=curve_of(history, params.level),
    )
    return said, base.by(0, people.contacts)


def _columns(said: Declared) -> list[str]:
    """What criteria of actions and goals name."""
    return sorted({one.column for group in (said.actions, said.goals) for declared in group for one in declared.where})


def study(history: History, params: Params) -> Study:
    """Decide for every customer, and work out what that promises.

    Parameters
    ----------
    history : History
    params : Params

    Raises
    ------
    CrmlabError
        As of :func:`ground_of`.
    """
    said, ground = ground_of(history, params)
    margin = history.margin(params.margin)
    decided = decide(ground, params.weeks)
    _kept(history, params, lambda: decided)
    lines = lines_told(ground, decided)
    return Study(
        context=history.context(len(ground.people)),
        params=params,
        words=history.words,
        margin=margin,
        declared=said,
        ground=ground,
        decided=decided,
        lines=lines,
        total=total_told(lines),
        alone=alone_told(decided),
        curve=curve_told(ground, decided),
        rules=rules_told(decided),
        others=others_told(ground, decided) if margin.known else pd.DataFrame(),
        pressure=pressure_told(ground, decided, params.weeks),
        detectable=shown_by_holdout(history, ground, decided),
        judged=_judged(history, said, params) if margin.known else None,
        left_out=past_cells(history, params.level).left_out,
        kept=kept_of(history, margin.share, params.level),
        beside=beside_value(history, ground.people, said.service),
    )


def _judged(history: History, said: Declared, params: Params) -> Judged:
    return judged_of(
        history, said.actions, said.goals, columns=_columns(said), margin=params.margin, level=params.level, seed=params.seed
    )

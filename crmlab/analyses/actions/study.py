"""Everything that the page on actions shows, worked out: the decision, what it promises, what budgets bring, and what others would do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, count
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses import customer_value
from crmlab.analyses.actions.deciding import BUDGET, COSTS_MORE, Decided, Ground, check_names, decide, eligible
from crmlab.analyses.actions.declaring import (
    ALONE,
    HELD_OUT,
    Action,
    Goal,
    Limits,
    parse_actions,
    parse_limits,
    parse_segment_goals,
)
from crmlab.analyses.actions.effects import default_actions, past_cells, priced
from crmlab.analyses.actions.keeping import kept_of
from crmlab.analyses.actions.params import Params
from crmlab.analyses.actions.people import check_criteria, gains_of, people_of, too_few
from crmlab.analyses.actions.serving import beside_value
from crmlab.analyses.campaigns import Holdout, holdout_for
from crmlab.data.memory.campaigns import fingerprint
from crmlab.errors import CrmlabError, ModelError, shown
from crmlab.models.decisions import Limit, allocate, cost_of_rules, pressure
from crmlab.models.testing import Rate, detectable_effect
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
    "SECTIONS",
    "Declared",
    "Study",
    "decisions",
    "declared",
    "ground_of",
    "promised",
    "readiness",
    "slug",
    "slugs",
    "study",
]

DEFAULTS = Params()
SECTIONS = ("action", "segment_goal", "limits", "holdout")
_RATE = customer_value.Params().rate  # of discount
_BUDGETS = 8  # points of the curve
_LINE = [
    "action", "customers", "worth", "worth_low", "worth_high", "cost", "basis", "rise", "rise_low", "rise_high", "source",
]  # fmt: skip
_PRESSED = 28  # days of contacts before today that pressure is counted over
NO_MARGIN = "not known: needs a margin"


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What the data set's file says of actions, or what is taken where it says nothing.

    Attributes
    ----------
    actions : tuple of Action
    given : bool
        Whether the file declares them.
    goals, limits, holdout
        As of :mod:`crmlab.analyses.actions.declaring`.
    """

    actions: tuple[Action, ...]
    given: bool
    goals: tuple[Goal, ...]
    limits: Limits
    holdout: Holdout | None


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
        reason, customers: of everybody with whom nothing is done.
    left_out : tuple of str
        A sentence for each past campaign that no effect rests on.
    kept : DataFrame
        What earlier decisions promised, and what came: as of :func:`crmlab.analyses.actions.keeping.kept_of`.
    beside : DataFrame
        What each customer cost, and whom they brought: as of :func:`crmlab.analyses.actions.serving.beside_value`.
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
        return int((~self.decided.today["action"].isin([ALONE, HELD_OUT])).sum())

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
            out[f"send_{files[action]}"] = Output(f"Whom to contact today: {action}", mine[[*said, *consent]], ("customer_id",))
        return out


def slug(name: str) -> str:
    """A name as part of the name of a file.

    Examples
    --------
    >>> slug("10 % off")
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
    return _kept(history, params, lambda: decide(ground_of(history, params)[1], params.weeks, _RATE))


def _kept(history: History, params: Params, make: Callable[[], Decided]) -> pd.DataFrame:
    """What is told of each customer, once for all reports of a run; another memory of campaigns makes it another decision."""
    key = ("actions.decisions", replace(params, as_of=None), fingerprint())
    return history.once(key, lambda: make().today[["customer_id", "action", "action_reason"]], shared_by_all=True).copy()


def ground_of(history: History, params: Params) -> tuple[Declared, Ground]:
    """Everything that a decision rests on: what is declared, and what each action would bring with each customer.

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
    columns = sorted({one.column for group in (said.actions, said.goals) for action in group for one in action.where})
    people = people_of(history, columns, margin=params.margin, level=params.level, seed=params.seed)
    gains, costs, ends, asked = gains_of(history, people, actions, said.goals)
    return said, Ground(
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
    )


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
    decided = decide(ground, params.weeks, _RATE)
    _kept(history, params, lambda: decided)
    lines = _lines(ground, decided)
    return Study(
        context=history.context(len(ground.people)),
        params=params,
        words=history.words,
        margin=margin,
        declared=said,
        ground=ground,
        decided=decided,
        lines=lines,
        total=_total(lines),
        alone=_alone(decided),
        curve=_curve(ground, decided),
        rules=_rules(decided),
        others=_others(ground, decided) if margin.known else pd.DataFrame(),
        pressure=_pressure(ground, decided, params.weeks),
        detectable=_detectable(history, ground, decided),
        left_out=past_cells(history, params.level).left_out,
        kept=kept_of(history, margin.share, params.level),
        beside=beside_value(history, ground.people),
    )


def _lines(ground: Ground, decided: Decided) -> pd.DataFrame:
    """What each action is done with, and what it promises."""
    today = decided.today
    frame = promised(ground, today.loc[~today["held_out"] & (today["planned"] != "")])
    return frame.sort_values(["worth", "action"], ascending=[False, True], kind="stable", ignore_index=True)


def promised(ground: Ground, chosen: pd.DataFrame) -> pd.DataFrame:
    """What each action of some customers promises: sums of what is expected, and the same at both ends of its effect.

    Parameters
    ----------
    ground : Ground
    chosen : DataFrame
        customer_id, planned, gain, cost.

    Returns
    -------
    DataFrame
        As ``lines`` of :class:`Study`, in the order of the actions.
    """
    place = pd.Index(ground.people.ids)
    rows = []
    for one in ground.actions:
        mine = chosen[chosen["planned"] == one.name]
        if mine.empty:
            continue
        low, high = np.sort(ground.ends[one.name][:, place.get_indexer(mine["customer_id"])].sum(axis=1))
        worth = float(mine["gain"].sum())
        rows.append(
            {
                "action": one.name,
                "customers": len(mine),
                "worth": worth,
                "worth_low": min(float(low), worth),
                "worth_high": max(float(high), worth),
                "cost": float(mine["cost"].sum()),
                "basis": one.effect.basis,
                "rise": one.effect.rise,
                "rise_low": one.effect.low,
                "rise_high": one.effect.high,
                "source": one.effect.source,
            }
        )
    return pd.DataFrame(rows, columns=_LINE)


def _total(lines: pd.DataFrame) -> tuple[float, float, float]:
    """Worth of all actions: what is not known of one effect says nothing of another, so that squares of the distances add up."""
    worth = float(lines["worth"].sum())
    down, up = (math.sqrt(float(((lines["worth"] - lines[end]) ** 2).sum())) for end in ("worth_low", "worth_high"))
    return worth, worth - down, worth + up


def _alone(decided: Decided) -> pd.DataFrame:
    """Why nothing is done, and with how many: those held out last."""
    today = decided.today
    why = today.loc[today["action"] == ALONE, "action_reason"].value_counts()
    frame = pd.DataFrame({"reason": why.index.astype(object), "customers": why.to_numpy()})
    held = int((today["action"] == HELD_OUT).sum())
    if held:
        frame = pd.concat([frame, pd.DataFrame([{"reason": "held out as universal control", "customers": held}])])
    return frame.sort_values(["customers", "reason"], ascending=[False, True], kind="stable", ignore_index=True)


def _curve(ground: Ground, decided: Decided) -> pd.DataFrame | Absent:
    """Profit of today's decision against budget, held-out people counted: budget, profit, low, high, price; the last row is the stop."""
    if ground.unpaid == NO_MARGIN:
        return Absent("What a budget would bring is not known, because no margin is.")
    if decided.problem is None:
        return Absent("Nothing pays today, so no budget brings anything.")
    others = [one for one in decided.problem.limits if one.name != BUDGET]
    whole = allocate(decided.problem.under(others))
    if not whole.cost > 0:
        return Absent("The actions cost nothing, so no budget limits them.")
    rows = [(0.0, 0.0, 0.0, 0.0, math.nan)]
    for budget in np.linspace(0.0, whole.cost, _BUDGETS + 1)[1:]:
        under = decided.problem.under([Limit(name=BUDGET, most=float(budget), of="cost"), *others])
        found = allocate(under)
        chosen = found.chosen.rename(columns={"customer": "customer_id", "action": "planned", "value": "gain"})
        price = float(found.limits.loc[found.limits["limit"] == BUDGET, "price"].iloc[0])
        rows.append((float(budget), *_total(promised(ground, chosen)), price))
    return pd.DataFrame(rows, columns=["budget", "profit", "low", "high", "price"])


def _rules(decided: Decided) -> pd.DataFrame:
    """What each limit and rule costs today: how much more could be had without it, and what one more customer, or unit of money, brings."""
    problem, found = decided.problem, decided.allocation
    if problem is None or found is None or not (problem.limits or problem.rules):
        return pd.DataFrame(columns=["rule", "cost", "price"])
    prices = found.limits.set_index("limit")["price"]
    frame = cost_of_rules(problem).assign(rule=pd.Series([*problem.limits, *problem.rules], dtype=object))
    return frame.assign(price=[float(prices[one.name]) if isinstance(one, Limit) else math.nan for one in frame["rule"]])


def _others(ground: Ground, decided: Decided) -> pd.DataFrame:
    """What other ways to choose would bring with the same money: everybody by priority, and a ranking by value."""
    today, gains = decided.today, eligible(ground)
    spent = float(today["cost"].sum())
    frame = ground.people.frame
    first = np.full(len(frame), np.nan)
    cost = np.zeros(len(frame))
    for one in reversed(ground.actions):
        may = gains[one.name].notna().to_numpy()
        first[may], cost[may] = gains.loc[may, one.name], ground.costs[one.name][may]
    rank = (frame["alive"].fillna(1.0) * frame["value"]).to_numpy(float)
    order = np.argsort(-rank, kind="stable")
    best = max(
        ground.actions, key=lambda one: float(gains[one.name].mean(skipna=True)) if gains[one.name].notna().any() else -math.inf
    )
    able = order[gains[best.name].notna().to_numpy()[order]]
    within = able[np.cumsum(ground.costs[best.name][able]) <= spent + 1e-9]
    open_ = np.flatnonzero(~np.isnan(first))
    rows = [
        ("this page", int((today["planned"] != "").sum()), spent, float(today["gain"].sum())),
        ("everybody, the first action that fits", len(open_), float(cost[open_].sum()), float(first[open_].sum())),
        (
            f"the most valuable first: {best.name}",
            len(within),
            float(ground.costs[best.name][within].sum()),
            float(gains[best.name].to_numpy(float)[within].sum()),
        ),
    ]
    return pd.DataFrame(rows, columns=["choice", "customers", "cost", "worth"])


def _pressure(ground: Ground, decided: Decided, weeks: int) -> pd.DataFrame:
    """Contacts a customer gets: of the last four weeks, and of the calendar with what is launched for it; and what demand they bring."""
    ids = ground.people.ids
    known = ground.people.contacts

    def many(contacts: pd.Series) -> Any:
        return contacts.value_counts().reindex(ids, fill_value=0).to_numpy()

    before = many(known.loc[known["day"].between(1 - _PRESSED, 0), "customer"])
    launched = known.loc[known["day"].between(1, 7 * weeks - 1), "customer"]
    ahead = many(pd.concat([decided.calendar["customer_id"], launched]))
    rows = [("last 4 weeks", before, 4.0), (f"next {weeks} weeks", ahead, float(weeks))]
    return pd.DataFrame(
        [
            {
                "span": name,
                "none": float((count == 0).mean()),
                "one": float((count == 1).mean()),
                "more": float((count > 1).mean()),
                "most": int(count.max()) if len(count) else 0,
                "four_weeks": float(count.mean()) * 4 / span,
                "demand": float(pressure(count / span).mean()),
            }
            for name, count, span in rows
        ]
    )


def _detectable(history: History, ground: Ground, decided: Decided) -> float | None:
    """The smallest rise in the share of buyers that today's universal control can show; None where it can show none, or there is none."""
    today = decided.today
    planned = today["planned"] != ""
    held, sent = int((planned & today["held_out"]).sum()), int((planned & ~today["held_out"]).sum())
    if ground.holdout is None or min(held, sent) < 2:
        return None
    days = max(one.days for one in ground.actions)
    told = customer_value.told(history, days, ground.people.scores.fit.choice)["probability_of_purchase"]
    rate = float(told[planned.to_numpy()].mean())
    if not 0 < rate < 1:
        return None
    try:
        return detectable_effect(Rate(rate), held + sent, share=held / (held + sent))
    except ModelError:
        return None

"""What today's decision promises, beside what budgets, limits and other ways to choose would bring."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses import customer_value
from crmlab.analyses.actions.deciding import BUDGET, NO_MARGIN, Decided, Ground, eligible
from crmlab.analyses.actions.declaring import ALONE, HELD_OUT, HELD_WHY
from crmlab.analyses.actions.pressing import LOOKED_BACK, PUBLISHED
from crmlab.errors import ModelError
from crmlab.models.decisions import Limit, allocate, cost_of_rules
from crmlab.models.testing import Rate, detectable_effect
from crmlab.page.exhibits import Absent

if TYPE_CHECKING:
    from crmlab.history.past import History

__all__ = [
    "alone_told",
    "curve_told",
    "lines_told",
    "others_told",
    "pressure_told",
    "promised",
    "rules_told",
    "shown_by_holdout",
    "total_told",
]

_BUDGETS = 8  # points of the curve
_LINE = [
    "action", "customers", "worth", "worth_low", "worth_high", "cost", "basis", "rise", "rise_low", "rise_high", "source",
]  # fmt: skip


def lines_told(ground: Ground, decided: Decided) -> pd.DataFrame:
    """What each action is done with, and what it promises."""
    today = decided.today
    frame = promised(ground, today.loc[~today["held_out"] & (today["planned"] != "")])
    return frame.sort_values(["worth", "action"], ascending=[False, True], kind="stable", ignore_index=True)


def promised(ground: Ground, chosen: pd.DataFrame) -> pd.DataFrame:
    """What each action of some customers promises: sums of what is expected, and the same at both ends of its effect.

    Parameters
    ----------
    ground : Ground
        As of :func:`~crmlab.analyses.actions.study.ground_of`.
    chosen : DataFrame
        customer_id, planned (the action), gain, cost: rows of ``today`` of :func:`~crmlab.analyses.actions.deciding.decide`.

    Returns
    -------
    DataFrame
        In the order of the actions: action, customers, worth, worth_low, worth_high (expected of them, net of cost), cost, basis, rise,
        rise_low, rise_high, source.
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
                "basis": one.effect.told,
                "rise": one.effect.rise,
                "rise_low": one.effect.low,
                "rise_high": one.effect.high,
                "source": one.effect.source,
            }
        )
    return pd.DataFrame(rows, columns=_LINE)


def total_told(lines: pd.DataFrame) -> tuple[float, float, float]:
    """Worth of all actions: what is not known of one effect says nothing of another, so that squares of the distances add up."""
    worth = float(lines["worth"].sum())
    down, up = (math.sqrt(float(((lines["worth"] - lines[end]) ** 2).sum())) for end in ("worth_low", "worth_high"))
    return worth, worth - down, worth + up


def alone_told(decided: Decided) -> pd.DataFrame:
    """Why nothing is done, and with how many: those held out last."""
    today = decided.today
    why = today.loc[today["action"] == ALONE, "action_reason"].value_counts()
    frame = pd.DataFrame({"reason": why.index.astype(object), "customers": why.to_numpy()})
    held = int((today["action"] == HELD_OUT).sum())
    if held:
        frame = pd.concat([frame, pd.DataFrame([{"reason": HELD_WHY, "customers": held}])])
    return frame.sort_values(["customers", "reason"], ascending=[False, True], kind="stable", ignore_index=True)


def curve_told(ground: Ground, decided: Decided) -> pd.DataFrame | Absent:
    """Profit of today's decision against budget, held-out people counted: budget, profit, low, high, price; the last row is the stop."""
    if ground.unpaid == NO_MARGIN:
        return Absent("What a budget would bring in is not known, because the margin is not known.")
    if decided.problem is None:
        return Absent("Nothing pays today, so no budget brings in anything.")
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
        rows.append((float(budget), *total_told(promised(ground, chosen)), price))
    return pd.DataFrame(rows, columns=["budget", "profit", "low", "high", "price"])


def rules_told(decided: Decided) -> pd.DataFrame:
    """What each limit and rule costs today: how much more could be had without it, and what one more customer, or unit of money, brings."""
    problem, found = decided.problem, decided.allocation
    if problem is None or found is None or not (problem.limits or problem.rules):
        return pd.DataFrame(columns=["rule", "cost", "price"])
    prices = found.limits.set_index("limit")["price"]
    frame = cost_of_rules(problem).assign(rule=pd.Series([*problem.limits, *problem.rules], dtype=object))
    return frame.assign(price=[float(prices[one.name]) if isinstance(one, Limit) else math.nan for one in frame["rule"]])


def others_told(ground: Ground, decided: Decided) -> pd.DataFrame:
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
            f"the most valuable first: “{best.name}”",
            len(within),
            float(ground.costs[best.name][within].sum()),
            float(gains[best.name].to_numpy(float)[within].sum()),
        ),
    ]
    return pd.DataFrame(rows, columns=["choice", "customers", "cost", "worth"])


def shown_by_holdout(history: History, ground: Ground, decided: Decided) -> float | None:
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


def pressure_told(ground: Ground, decided: Decided, weeks: int) -> pd.DataFrame:
    """Contacts a customer gets: of the last four weeks, and of the calendar with what is launched for it; and what demand they bring."""
    ids = ground.people.ids
    known = ground.people.contacts

    def many(contacts: pd.Series) -> Any:
        return contacts.value_counts().reindex(ids, fill_value=0).to_numpy()

    before = many(known.loc[known["day"].between(1 - LOOKED_BACK, 0), "customer"])
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
                "demand": float((ground.curve or PUBLISHED).told(count / span).mean()),
            }
            for name, count, span in rows
        ]
    )

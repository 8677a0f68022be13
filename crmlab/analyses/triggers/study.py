"""Triggers, step by step: moments judged by what came after them, and those of today."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from crmlab.analyses.triggers.params import Params
from crmlab.analyses.triggers.rules import TRIGGERS, Learnt, Trigger, learn, moments, occasions_of, rebuys_of
from crmlab.errors import TooLittleError
from crmlab.history.enough import need_repeat_buyers
from crmlab.models.intervals import wilson
from crmlab.page.declarations import Readiness
from crmlab.page.result import Context, Output

if TYPE_CHECKING:
    from crmlab.history.past import History

__all__ = [
    "SHORTEST",
    "WEEKS",
    "Study",
    "actions",
    "actions_of",
    "judged",
    "occasions_known",
    "readiness",
    "study",
    "summary_of",
]


DEFAULTS = Params()
WEEKS = 26  # of moments that are judged and drawn
SHORTEST = 84  # days of history


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """What the page of triggers shows.

    Attributes
    ----------
    context : Context
    params : Params
    learnt : Learnt
        What the rules know of the base today.
    split : Timestamp
        The day after which moments are judged, by what was learnt up to it.
    past : DataFrame
        Moments since then, of :func:`judged`.
    actions : DataFrame
        Today's moments, of :func:`actions_of`.
    table : DataFrame
        One row per trigger, of :func:`summary_of`.
    with_lines : bool
        Whether there are order lines, to see products that are due again.
    yearly : bool
        Whether people buy (give) once in every year.
    """

    context: Context
    params: Params
    learnt: Learnt
    split: pd.Timestamp
    past: pd.DataFrame
    actions: pd.DataFrame
    table: pd.DataFrame
    with_lines: bool
    yearly: bool

    @property
    def outputs(self) -> Mapping[str, Output]:
        """The list of customers and moments."""
        caption = "List of customers and moments, with the day by which to act"
        return {"actions": Output(caption, self.actions, ("customer_id", "trigger", "product_id"))}


def readiness(history: History, params: Params) -> Readiness:
    """Say whether the history holds what the report asks of it.

    Parameters
    ----------
    history : History
    params : Params

    Raises
    ------
    TooLittleError
        The history is too short, or nobody bought twice.
    """
    length, least = history.days - 1, SHORTEST + params.window
    if length < least:
        raise TooLittleError.needs("triggers", f"at least {least} days of history", f"{length} days")
    need_repeat_buyers(history, "triggers")
    return Readiness()


def study(history: History, params: Params) -> Study:
    """Find today's moments to act, and judge each trigger by moments that are past.

    Raises
    ------
    TooLittleError
        The history is too short, or nobody bought twice.
    """
    readiness(history, params)
    occasions = occasions_known(history)
    rebuys = rebuys_of(history)
    today = pd.Timestamp(history.as_of)
    split = today - pd.Timedelta(days=min(7 * WEEKS, (history.days - 1) // 2))
    now = learn(history, occasions, rebuys)
    past = judged(occasions, rebuys, learn(history.earlier(split.date()), occasions, rebuys), today, params)
    found = actions_of(history, occasions, rebuys, now, params)
    return Study(
        context=history.context(int(occasions["customer_id"].nunique())),
        params=params,
        learnt=now,
        split=split,
        past=past,
        actions=found,
        table=summary_of(found, past, now, params),
        with_lines=history.lines is not None,
        yearly=history.data.descriptor.rounds == "year",
    )


def judged(occasions: pd.DataFrame, rebuys: pd.DataFrame, learnt: Learnt, today: pd.Timestamp, params: Params) -> pd.DataFrame:
    """Moments since what was learnt, and whether what they predict came true within the window.

    Parameters
    ----------
    occasions, rebuys : DataFrame
    learnt : Learnt
        Of the time before the moments.
    today : Timestamp
    params : Params

    Returns
    -------
    DataFrame
        trigger, at, came_true (missing where the window is not over).
    """
    window = pd.Timedelta(days=params.window)
    parts = []
    for trigger in TRIGGERS:
        found = moments(trigger, occasions, rebuys, learnt, params.quantile)
        some = found[(found["at"] > learnt.until) & (found["at"] <= today)]
        bought = some["next"].notna() & (some["next"] > some["at"]) & (some["next"] <= some["at"] + window)
        true = (bought if trigger.buys else ~bought).astype("boolean").where(some["at"] + window <= today)
        parts.append(pd.DataFrame({"trigger": trigger.name, "at": some["at"], "came_true": true}))
    return pd.concat(parts, ignore_index=True)


def actions(history: History, params: Params = DEFAULTS) -> pd.DataFrame:
    """Today's moments to act, as of :func:`actions_of`: the owner of who has one.

    Raises
    ------
    TooLittleError
        There are no orders.
    """

    def work() -> pd.DataFrame:
        occasions, rebuys = occasions_known(history), rebuys_of(history)
        return actions_of(history, occasions, rebuys, learn(history, occasions, rebuys), params)

    return history.once(("triggers.actions", replace(params, as_of=None)), work)


def actions_of(history: History, occasions: pd.DataFrame, rebuys: pd.DataFrame, learnt: Learnt, params: Params) -> pd.DataFrame:
    """Today's moments: one row per customer and trigger (and product), with the day by which to act.

    Returns
    -------
    DataFrame
        customer_id, trigger, product_id, fired, act_by, advice, contactable; ordered by customer and trigger.
    """
    today = pd.Timestamp(history.as_of)
    parts = []
    for trigger in TRIGGERS:
        found = moments(trigger, occasions, rebuys, learnt, params.quantile)
        some = found[(found["at"] > today - pd.Timedelta(days=params.fresh)) & (found["at"] <= today)]
        parts.append(
            pd.DataFrame(
                {
                    "customer_id": some["customer_id"],
                    "trigger": trigger.name,
                    "product_id": some["product_id"],
                    "fired": some["at"],
                    "act_by": some["at"] + pd.Timedelta(days=params.respond),
                    "advice": trigger.advice,
                }
            )
        )
    frame = pd.concat(parts, ignore_index=True)
    frame["contactable"] = history.contactable(frame["customer_id"])
    return frame.sort_values(["customer_id", "trigger", "product_id"], kind="stable", ignore_index=True)


def summary_of(actions: pd.DataFrame, past: pd.DataFrame, learnt: Learnt, params: Params) -> pd.DataFrame:
    """One row per trigger: its rule, its count today, and how often what it predicts came true, with an interval."""
    rows = []
    for trigger in TRIGGERS:
        tested = past.loc[past["trigger"] == trigger.name, "came_true"].dropna()
        n, hits = len(tested), int(tested.sum())
        low, high = wilson(hits, n, params.level) if n else (float("nan"), float("nan"))
        customers = actions.loc[actions["trigger"] == trigger.name, "customer_id"].nunique()
        rows.append(
            {
                "name": trigger.name,
                "label": trigger.label,
                "rule": trigger.rule(learnt, params.quantile),
                "predicts": _predicts(trigger, params.window),
                "advice": trigger.advice,
                "customers": int(customers),
                "tested": n,
                "true": hits / n if n else float("nan"),
                "true_low": low,
                "true_high": high,
            }
        )
    return pd.DataFrame(rows)


def _predicts(trigger: Trigger, window: int) -> str:
    what = "a purchase of it" if trigger.name == "product" else "a purchase" if trigger.buys else "no purchase"
    return f"{what} within {window} days"


def occasions_known(history: History) -> pd.DataFrame:
    """Return the purchase occasions of a history, as of :func:`~crmlab.analyses.triggers.rules.occasions_of`."""
    days = history.occasions()
    spend = days.loc[days["is_occasion"], ["customer_id", "day", "spend"]].astype({"spend": float})
    return occasions_of(history.gaps(), spend)

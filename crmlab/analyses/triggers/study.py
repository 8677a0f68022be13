"""Triggers, step by step: moments judged by what came after them, and those of today."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pandas as pd

from crmlab.analyses.triggers.params import Params
from crmlab.analyses.triggers.rules import TRIGGERS, Learnt, Trigger, moments, occasions_of
from crmlab.history.context import contactable
from crmlab.history.customers import gaps, occasion_days
from crmlab.history.orders import as_orders, between
from crmlab.models.intervals import wilson

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

__all__ = ["SHORTEST", "WEEKS", "actions_of", "judged", "occasion_counts", "summary_of"]


WEEKS = 26  # of moments that are judged and drawn
SHORTEST = 84  # days of history


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


def actions_of(
    data: Dataset, occasions: pd.DataFrame, rebuys: pd.DataFrame, learnt: Learnt, today: pd.Timestamp, params: Params
) -> pd.DataFrame:
    """Today's moments: one row per customer and trigger (and product), with the day by which to act.

    Returns
    -------
    DataFrame
        customer_id, trigger, product_id, fired, act_by, advice, contactable; ordered by customer and trigger.
    """
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
    frame["contactable"] = contactable(data, frame["customer_id"])
    return frame.sort_values(["customer_id", "trigger", "product_id"], kind="stable", ignore_index=True)


def summary_of(actions: pd.DataFrame, past: pd.DataFrame, learnt: Learnt, today: pd.Timestamp, params: Params) -> pd.DataFrame:  # noqa: ARG001
    """One row per trigger: its rule, its count today, and how often what it predicts came true, with an interval."""
    rows = []
    for trigger in TRIGGERS:
        tested = past.loc[past["trigger"] == trigger.name, "came_true"].dropna()
        n, hits = len(tested), int(tested.sum())
        low, high = wilson(hits, n, params.level) if n else (float("nan"), float("nan"))
        customers = actions.loc[actions["trigger"] == trigger.name, "customer_id"].nunique()
        rows.append(
            {
                "name": trigger.name, "label": trigger.label, "rule": trigger.rule(learnt, params.quantile),
                "predicts": _predicts(trigger, params.window),
                "advice": trigger.advice, "customers": int(customers), "tested": n,
                "true": hits / n if n else float("nan"), "true_low": low, "true_high": high,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _predicts(trigger: Trigger, window: int) -> str:
    what = "a purchase of it" if trigger.name == "product" else "a purchase" if trigger.buys else "no purchase"
    return f"{what} within {window} days"


def occasion_counts(data: Dataset, end: dt.date) -> pd.DataFrame:
    """Return the purchase occasions of each customer."""
    orders = between(as_orders(data.orders), None, end)
    days = occasion_days(orders)
    real = days.filter(days["is_occasion"])
    spend = real.select("customer_id", "day", spend=real["spend"].cast("float64")).to_pandas()
    return occasions_of(gaps(data.orders, end).to_pandas(), spend)

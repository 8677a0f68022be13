"""Triggers: the moments at which to act, how many there are today, and how often what they predict came true."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from crmlab import checks
from crmlab.analyses.common import contactable, context_of
from crmlab.composed import trigger_views as views
from crmlab.composed.trigger_rules import TRIGGERS, Learnt, Trigger, learn, moments, occasions_of, rebuys_of
from crmlab.errors import DataError
from crmlab.features.customers import occasion_days
from crmlab.features.gaps import gaps
from crmlab.features.orders import as_orders, between
from crmlab.models.intervals import wilson
from crmlab.result import Estimate, Finding, Findings, Method, Output, Result

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset
    from crmlab.style import Format

NEEDS = ("orders",)
WEEKS = 26  # of moments that are judged and drawn
SHORTEST = 84  # days of history


@dataclass(frozen=True, kw_only=True)
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: str | None = None  # last day of history, ISO date; default: the last order's day
    quantile: float = 0.8  # chance of a purchase by now, from which a customer without one is overdue
    fresh: int = 7  # days for which a moment counts as today's
    respond: int = 14  # days after a moment by which to act
    window: int = 28  # days within which what a trigger predicts must come true
    level: float = 0.9  # of every interval
    min_group: int = 5  # fewer customers are not counted on the page
    seed: int = 0  # of the model's draws

    def __post_init__(self) -> None:
        checks.day("triggers", "as_of", self.as_of)
        checks.share("triggers", "quantile", self.quantile)
        for name in ("fresh", "respond", "window"):
            checks.whole("triggers", name, getattr(self, name), 1, 365)
        checks.share("triggers", "level", self.level)
        checks.whole("triggers", "min_group", self.min_group, 1)
        checks.whole("triggers", "seed", self.seed, 0)


def run(data: Dataset, params: Params = Params()) -> Result:
    """Find today's moments to act, and judge each trigger by moments that are past.

    Parameters
    ----------
    data : Dataset
        Needs orders; products that are due again come from order lines, suppression from customers, where they are there.
    params : Params

    Returns
    -------
    Result
        Tables: triggers. Charts: today, precision, weeks. Outputs: actions.

    Raises
    ------
    ParameterError
        ``as_of`` is outside the history.
    TooLittleError
        The history is too short, or nobody bought twice.
    """
    context = context_of(data, params.as_of)
    length = (context.as_of - context.first_day).days
    if length < SHORTEST + params.window:
        raise DataError.too_little("triggers", f"at least {SHORTEST + params.window} days of history", f"{length} days")
    occasions = _occasions(data, context.as_of)
    if not occasions["next"].notna().any():
        raise DataError.too_little("triggers", "customers who bought on two days at least", "none")
    context = context_of(data, params.as_of, int(occasions["customer_id"].nunique()))
    rebuys = rebuys_of(data, context.as_of)
    today = pd.Timestamp(context.as_of)
    split = today - pd.Timedelta(days=min(7 * WEEKS, length // 2))
    now = learn(occasions, rebuys, today, params.seed)
    past = judged(occasions, rebuys, learn(occasions, rebuys, split, params.seed), today, params)
    actions = actions_of(data, occasions, rebuys, now, today, params)
    table = summary_of(actions, past, now, today, params)
    form = context.form
    return Result(
        title="At which moments to act, and for whom",
        context=context,
        params=params,
        findings=_findings(table, actions, context.customers or 0, form, params),
        metrics=_metrics(table, actions, context.customers or 0, params.level),
        tables={"triggers": views.triggers_table(table, form, params.level, params.window, params.min_group)},
        charts={
            "today": views.today_chart(table, form, params.min_group),
            "precision": views.precision_chart(table, form, params.level, params.window),
            "weeks": views.weeks_chart(past, split, today, form, params.min_group),
        },
        method=_method(now, split, form, params),
        warnings=_warnings(data, now),
        limits=(
            "That something came true after a moment does not show that acting on it would change it: test with a group left alone.",
            "One customer may have several moments at once; the list names them all.",
            "Seasons and campaigns of the last half year are in the numbers of those that came true.",
        ),
        outputs={
            "actions": Output(
                "List of customers and moments, with the day by which to act", actions, ("customer_id", "trigger", "product_id")
            )
        },
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


def _occasions(data: Dataset, end: dt.date) -> pd.DataFrame:
    orders = between(as_orders(data.orders), None, end)
    days = occasion_days(orders)
    real = days.filter(days["is_occasion"])
    spend = real.select("customer_id", "day", spend=real["spend"].cast("float64")).to_pandas()
    return occasions_of(gaps(data.orders, end).to_pandas(), spend)


def _findings(table: pd.DataFrame, actions: pd.DataFrame, customers: int, form: Format, params: Params) -> Findings:
    at = form.share(params.level)
    count = int(actions["customer_id"].nunique())
    low, high = wilson(count, customers, params.level)
    found = [
        Finding(
            form.count(count),
            f"of {form.count(customers)} customers have a moment of the last {params.fresh} days to act on, "
            f"{form.share(count / customers)} of all.",
            f"{form.interval(low, high, 'share')} of customers in such a week, at {at}",
            "customers_share",
        )
    ]
    known = table[(table["tested"] >= max(params.min_group, 30)) & (table["customers"] >= params.min_group)]
    for row in known.sort_values(["true", "name"], ascending=[False, True]).head(2).to_dict("records"):
        found.append(
            Finding(
                form.share(row["true"]),
                f"of past moments “{row['label']}” were followed by {row['predicts']}; {form.count(row['customers'])} "
                "customers have one now: "
                f"{row['advice']}.",
                f"{form.interval(row['true_low'], row['true_high'], 'share')}, at {at}",
                f"came_true_{row['name']}",
            )
        )
    return Findings(found)


def _metrics(table: pd.DataFrame, actions: pd.DataFrame, customers: int, level: float) -> dict[str, Estimate]:
    metrics = {}
    for row in table.to_dict("records"):
        metrics[f"customers_{row['name']}"] = Estimate(float(row["customers"]), unit="customers")
        if row["tested"]:
            metrics[f"came_true_{row['name']}"] = Estimate(row["true"], row["true_low"], row["true_high"], level, "share")
    count = int(actions["customer_id"].nunique())
    metrics["customers_share"] = Estimate(count / customers, *wilson(count, customers, level), level, "share")
    return metrics


def _warnings(data: Dataset, learnt: Learnt) -> tuple[str, ...]:
    out = []
    if learnt.model is None:
        out.append("BG/NBD could not be fitted, so nobody is called overdue.")
    if "order_lines" not in data.tables:
        out.append("There are no order lines, so no product is called due again.")
    elif learnt.rebuys.empty:
        out.append("No product was bought again often enough to know its rhythm.")
    return tuple(out)


def _method(learnt: Learnt, split: pd.Timestamp, form: Format, params: Params) -> Method:
    return Method(
        "Rules on each customer's own purchases; BG/NBD (Fader, Hardie and Lee 2005) for who is overdue.",
        (
            f"A moment is today's where it fired in the last {params.fresh} days; act within {params.respond} days of it.",
            f"How often a prediction came true is counted on moments after {form.day(split.date())} whose "
            f"{params.window} days are over, with "
            "what the rules need learnt before that day only.",
            f"Intervals are Wilson's at {form.share(params.level)}, each trigger by itself. Several moments of one "
            "customer count as several, "
            "which makes them a little narrow.",
            f"{form.count(len(learnt.rebuys))} products were bought again often enough to know their rhythm.",
        ),
        {
            "Moment": "the day on which a rule is met for a customer for the first time since the last purchase",
            "Overdue": "see the rule",
        },
    )

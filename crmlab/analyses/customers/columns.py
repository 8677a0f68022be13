"""What is known of each customer, to draw lists by: outputs of the other analyses, computed only where they are asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from crmlab.analyses.customer_value import TIERS
from crmlab.analyses.lifecycle import NONE, STATES
from crmlab.analyses.rfm import SEGMENTS, segmented
from crmlab.analyses.triggers import TRIGGERS
from crmlab.collecting import collect, collect_arrow
from crmlab.errors import CampaignError
from crmlab.history.follow_ups import FOLLOW_UPS, open_requests, tells_follow_ups
from crmlab.history.past import History

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

__all__ = ["BASE", "DOMAINS", "GROUPS", "Group", "customer_outputs", "known_columns"]


BASE = ("orders", "spend", "days_since_last", "days_as_customer")


@dataclass(frozen=True)
class Group:
    """Outputs that one computation gives: their names, and the values that there can be where these are few."""

    columns: tuple[str, ...]
    compute: Callable[[History], pd.DataFrame]
    domain: tuple[str, ...] | None = None


def _summary(history: History) -> pd.DataFrame:
    found = history.summary()
    return pd.DataFrame(
        {
            "customer_id": found["customer_id"],
            "orders": found["occasions"].astype("int64"),
            "spend": found["total_spend"].astype(float),
            "days_since_last": found["days_since_last"].astype("int64"),
            "days_as_customer": found["T"].astype(float),
        }
    )


def _segment(history: History) -> pd.DataFrame:
    return segmented(history.summary())[["customer_id", "segment"]]


_WORTH = ("tier", "value", "alive", "if_loyal", "value_today", "at_risk", "most_to_spend", "customer_rank")


def _value(history: History) -> pd.DataFrame:
    from crmlab.analyses.customer_value import scores

    found = scores(history)
    return found.told(found.points[["customer_id", *_WORTH]])


def _state(history: History) -> pd.DataFrame:
    from crmlab.analyses.lifecycle import standing

    return collect(standing(history).select("customer_id", "state"), "customer_id")


def _churn(history: History) -> pd.DataFrame:
    from crmlab.analyses.churn import scores

    return scores(history).customers[["customer_id", "churn"]]


def _triggers(history: History) -> pd.DataFrame:
    from crmlab.analyses.triggers import present

    names = present(history).moments.groupby("customer_id")["trigger"].agg(lambda one: tuple(sorted(set(one))))
    return names.rename("trigger").reset_index()


def _offers(history: History) -> pd.DataFrame:
    from crmlab.analyses.cross_sell import next_best_offers

    found = next_best_offers(history).frame.sort_values(["customer_id", "rank"], kind="stable")
    by = found.groupby("customer_id")
    offers = by["product_id"].agg(tuple).rename("offer_product")
    return pd.DataFrame({"offer_product": offers, "offer_chance": by["probability"].max()}).reset_index()


def _refusal(history: History) -> pd.DataFrame:
    people = _people(history)[["customer_id"]]
    return people.assign(refusal=[why or None for why in history.refusals(people["customer_id"])])


def _follow_up(history: History) -> pd.DataFrame:
    asked = open_requests(history).set_index("customer_id")["day"]
    due, later, none = FOLLOW_UPS
    people = _people(history)[["customer_id"]]
    day = people["customer_id"].map(asked)
    today = pd.Timestamp(history.as_of)
    return people.assign(follow_up=[none if pd.isna(one) else due if one <= today else later for one in day])


GROUPS = (
    Group(BASE, _summary),
    Group(("refusal",), _refusal),
    Group(("follow_up",), _follow_up, FOLLOW_UPS),
    Group(("segment",), _segment, tuple(segment.name for segment in SEGMENTS)),
    Group(("state",), _state, (*STATES, NONE)),
    Group(("churn",), _churn),
    Group(("trigger",), _triggers, tuple(one.name for one in TRIGGERS)),
    Group(("offer_product", "offer_chance"), _offers),
    Group(_WORTH, _value),
)
DOMAINS = {
    **{name: group.domain for group in GROUPS for name in group.columns if group.domain},
    "tier": tuple(TIERS),
}


def known_columns(data: Dataset) -> list[str]:
    """Names that criteria may use with a data set: outputs of the analyses, and the columns of its customers table.

    Examples
    --------
    >>> from crmlab.data.dataset import open_dataset
    >>> known_columns(open_dataset("shop"))[:4]
    ['orders', 'spend', 'days_since_last', 'days_as_customer']
    """
    own = list(data.customers.columns) if "customers" in data.tables else []
    told = {"offer_product": "order_lines" in data.tables, "follow_up": tells_follow_ups(data)}
    computed = [name for group in GROUPS if told.get(group.columns[0], True) for name in group.columns]
    return list(dict.fromkeys([*computed, *(name for name in own if name != "customer_id")]))


def customer_outputs(data: Dataset | History, as_of: dt.date | str | None = None, needed: Collection[str] = ()) -> pd.DataFrame:
    """What is known of each customer, as of a date.

    Parameters
    ----------
    data : Dataset or History
    as_of : date or ISO date, optional
        Last day of history; default: that of a history, or the day of the last order.
    needed : collection of str
        Names of :func:`known_columns`. Nothing else is computed.

    Returns
    -------
    DataFrame
        A row per customer of the customers table and of the orders, ordered by ``customer_id``; columns of the customers table, those
        of ``BASE``, and what was asked for. Missing where an analysis says nothing of a customer. ``trigger`` and ``offer_product``
        hold tuples.

    Raises
    ------
    CampaignError
        An unknown name; the message hints at a similar one.
    DataError
        The history is too short for an output.

    Examples
    --------
    >>> from crmlab.data.dataset import open_dataset
    >>> sorted(customer_outputs(open_dataset("shop"), "2025-06-30", ["state"])["state"].unique())[:3]
    ['active', 'lapsed', 'lost']
    """
    history = History.of(data, as_of)
    known = known_columns(history.data)
    for name in needed:
        if name not in known and name != "customer_id":
            raise CampaignError.unknown_column(name, known)
    found = _people(history)
    for group in GROUPS:
        if group.compute is _summary or set(group.columns) & (set(needed) - set(found.columns)):
            found = found.drop(columns=[name for name in group.columns if name in found.columns])
            found = found.merge(group.compute(history), "left", "customer_id")
    found["orders"] = found["orders"].fillna(0).astype("int64")
    found["spend"] = found["spend"].fillna(0.0)
    if "trigger" in found.columns:
        # Who has no moment is known to have none.
        found["trigger"] = found["trigger"].map(lambda one: one if isinstance(one, tuple) else ())
    return found.sort_values("customer_id", kind="stable", ignore_index=True)


def _people(history: History) -> pd.DataFrame:
    """Everybody in the customers table who was won by then, and everybody who bought by then."""
    bought = collect(history.orders.select("customer_id").distinct(), "customer_id")
    if history.customers is None:
        return bought
    people = collect_arrow(history.customers, "customer_id").to_pandas()
    for name in people.columns:
        some = people[name].dropna()
        if len(some) and some.map(lambda one: isinstance(one, dt.date)).all():
            people[name] = pd.to_datetime(people[name])
        elif len(some) and some.map(lambda one: type(one).__name__ == "Decimal").all():
            people[name] = people[name].astype(float)
    return people.merge(bought, "outer", "customer_id")

"""What the next campaign can expect: how many would buy anyway, and how many more a contact makes buy."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from crmlab.analyses import customer_value
from crmlab.analyses.campaigns.lists import ListRules, pull_list
from crmlab.analyses.campaigns.past import GUESSED_RISE
from crmlab.analyses.customers import Where
from crmlab.collecting import collect, collect_arrow
from crmlab.errors import ConvergenceError, DataError, ModelError, ParameterError, TooLittleError
from crmlab.history.customers import occasion_days
from crmlab.history.orders import between
from crmlab.history.sending import sent
from crmlab.models.intervals import wilson

if TYPE_CHECKING:
    from crmlab.analyses.campaigns.past import Past
    from crmlab.history.past import History

__all__ = [
    "FEWEST",
    "GUESSED_BASE",
    "Baseline",
    "Expected",
    "Worth",
    "baseline",
    "expected_effect",
    "together",
    "worth_of_one",
]


GUESSED_BASE = 0.05
FEWEST = 30  # customers from which a response is taken from the data


@dataclass(frozen=True, kw_only=True)
class Expected:
    """A number with its interval, and where it is from; ``low`` and ``high`` are None where it was given or guessed."""

    value: float
    low: float | None = None
    high: float | None = None
    source: str


class Worth(NamedTuple):
    """What one who is moved to buy is taken to spend, in money, and where that is from.

    ``source`` is ``"model"`` (what one purchase of the people on the list is expected to bring in), ``"window"`` (what those spend who
    buy within the window) or ``"list"`` (what a purchase of the people on the list brought in so far).
    """

    spend: float
    source: str


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What people like those on the list do without a campaign.

    Attributes
    ----------
    share : Expected
        Who buy within the window.
    n, buyers : int
        Customers that it was seen of, and whose spend was seen.
    spend, sd : float
        Mean and standard deviation of what a buyer spends within the window, in money.
    season : float
        How much more customers buy in that window than in the days that were looked at, as of
        :func:`crmlab.analyses.customer_value.season_ahead`.
    """

    share: Expected
    n: int
    buyers: int
    spend: float
    sd: float
    season: float = 1.0


def baseline(
    history: History, where: Where, qualify: Where, window: int, level: float, given: float | None = None, after: int = 0
) -> Baseline:
    """Draw the same list a window earlier, and see who of it bought since without having been contacted; what that says of days to come.

    Parameters
    ----------
    history : History
    where, qualify : str or sequence
        As of :func:`~crmlab.analyses.campaigns.lists.pull_list`.
    window : int
        Days.
    level : float
    given : float, optional
        The response, where it is known from elsewhere.
    after : int
        Days from the last day of the history until the window opens.

    Returns
    -------
    Baseline
        Where forecasts follow a season, of the season of that window: who buys at a pace that is so many times as fast.
        Where fewer than 30 such customers are seen, or nobody or everybody of them bought, the response is guessed, and says so.
    """
    before = history.as_of - dt.timedelta(days=window)
    ids: list[str] = []
    if before > history.first:
        listed = pull_list(history.data, where, as_of=before, rules=ListRules(qualify=qualify, contacted_within=None))
        touched = _contacted(history, before)
        ids = [who for who in listed.frame["customer_id"] if who not in touched]
    spend = _spend(history, before)
    mine = spend.reindex(ids).dropna()
    buyers = mine if len(mine) >= 2 else spend
    n, k, season = len(ids), len(mine), 1.0
    if given is not None:
        share = Expected(value=given, source="given")
    elif n < FEWEST or not 0 < k < n:
        share = Expected(value=GUESSED_BASE, source="guess")
    else:
        season = customer_value.season_ahead(history, float(window), float(after))
        value, low, high = (1 - (1 - chance) ** season for chance in (k / n, *wilson(k, n, level)))
        share = Expected(value=value, low=low, high=high, source="data")
    return Baseline(
        share=share,
        n=n,
        buyers=len(buyers),
        spend=float(buyers.mean()) if len(buyers) else float("nan"),
        sd=float(buyers.std(ddof=1)) if len(buyers) >= 2 else 0.0,
        season=season,
    )


def worth_of_one(history: History, listed: pd.DataFrame, base: Baseline) -> Worth:
    """What one purchase of the people on a list is expected to bring in: as what to do now counts it, by the models of value.

    Parameters
    ----------
    history : History
    listed : DataFrame
        Of the list: customer_id; orders and spend, so far.
    base : Baseline
        What stands in where customers are too few for a model, or none can be fitted.
    """
    try:
        found = customer_value.scores(history, customer_value.Params())
        each = None if found.few else customer_value.spend_each(found).reindex(listed["customer_id"]).mean()
    except (ModelError, ConvergenceError, DataError, ParameterError, TooLittleError):
        each = None
    if each is not None and each > 0:
        return Worth(float(each), "model")
    if base.spend > 0:
        return Worth(base.spend, "window")
    orders, spend = float(listed["orders"].sum()), float(listed["spend"].sum())
    return Worth(spend / orders if orders > 0 and spend > 0 else 1.0, "list")


def _spend(history: History, after: dt.date) -> pd.Series:
    """What each customer with a purchase occasion has spent since a day."""
    days = occasion_days(between(history.orders, after + dt.timedelta(days=1), None))
    some = days.filter(days["is_occasion"]).select("customer_id", "spend")
    sums = some.group_by("customer_id").agg(spend=some["spend"].sum().cast("float64"))
    return pd.Series(collect_arrow(sums, "customer_id").to_pandas().set_index("customer_id")["spend"])


def _contacted(history: History, after: dt.date) -> set[str]:
    """Who was sent something since a day."""
    rows = sent(history)
    if rows is None:
        return set()
    some = rows.filter(rows["contacted_at"].date() > after)
    return set(collect(some.select("customer_id").distinct(), "customer_id")["customer_id"])


def expected_effect(past: Past, offer: str, given: float | None = None) -> Expected:
    """How many more a contact is expected to make buy, as a difference of shares.

    Parameters
    ----------
    past : Past
    offer : str
        The one that is planned.
    given : float, optional

    Returns
    -------
    Expected
        ``source``: "given", "offers" (past campaigns with this offer), "past" (past campaigns, whatever they offered), "guess"
        (one customer in a hundred). Numbers and intervals of past campaigns are those of
        :meth:`~crmlab.analyses.campaigns.past.Past.brought`.
    """
    if given is not None:
        return Expected(value=given, source="given")
    for name, source in ((offer, "offers"), (None, "past")):
        found = past.brought(name)
        if found is not None:
            return Expected(value=found[0], low=found[1], high=found[2], source=source)
    return Expected(value=GUESSED_RISE, source="guess")


def together(effects: Sequence[Expected]) -> Expected:
    """What several cells are expected to bring on average; what is not known of them is common to all."""
    value = float(np.mean([one.value for one in effects]))
    first = effects[0]
    if first.low is None or first.high is None:
        return Expected(value=value, source=first.source)
    half = max((one.high - one.low) / 2 for one in effects if one.low is not None and one.high is not None)
    source = "offers" if all(one.source == "offers" for one in effects) else "past"
    return Expected(value=value, low=value - half, high=value + half, source=source)

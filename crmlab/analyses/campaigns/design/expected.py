"""What the next campaign can expect: how many would buy anyway, and what past cells brought beyond their controls."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ibis
import numpy as np
import pandas as pd

from crmlab.analyses.campaigns.lists import ListRules, pull_list
from crmlab.analyses.campaigns.sending import sent
from crmlab.analyses.customers import Where
from crmlab.data.collecting import collect, collect_arrow
from crmlab.history.customers import occasion_days
from crmlab.history.orders import between
from crmlab.models.intervals import normal_quantile, wilson
from crmlab.models.testing.comparisons import sample_ratio
from crmlab.models.testing.meta import pool

if TYPE_CHECKING:
    from crmlab.history.past import History

__all__ = [
    "FEWEST",
    "GUESSED_BASE",
    "GUESSED_LIFT",
    "Baseline",
    "Expected",
    "baseline",
    "expected_effect",
    "past_cells",
    "together",
]


GUESSED_LIFT = 0.1  # of the response without a campaign, where no past campaign says anything
GUESSED_BASE = 0.05
FEWEST = 30  # customers from which a response is taken from the data
_TRUST = 0.001  # p-value under which the sizes of past cells are not as they were planned


@dataclass(frozen=True, kw_only=True)
class Expected:
    """A number with its interval, and where it is from; ``low`` and ``high`` are None where it was given or guessed."""

    value: float
    low: float | None = None
    high: float | None = None
    source: str


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What people like those on the list do without a campaign.

    Attributes
    ----------
    share : Expected
        Who buy within the window.
    n : int
        Customers that it was seen of.
    spend, sd : float
        Mean and standard deviation of what a buyer spends within the window, in money.
    """

    share: Expected
    n: int
    spend: float
    sd: float


def baseline(history: History, where: Where, qualify: Where, window: int, level: float, given: float | None = None) -> Baseline:
    """Draw the same list a window earlier, and see who of it bought since without having been contacted.

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

    Returns
    -------
    Baseline
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
    n, k = len(ids), len(mine)
    if given is not None:
        share = Expected(value=given, source="given")
    elif n < FEWEST or not 0 < k < n:
        share = Expected(value=GUESSED_BASE, source="guess")
    else:
        low, high = wilson(k, n, level)
        share = Expected(value=k / n, low=low, high=high, source="data")
    return Baseline(
        share=share,
        n=n,
        spend=float(buyers.mean()) if len(buyers) else float("nan"),
        sd=float(buyers.std(ddof=1)) if len(buyers) >= 2 else 0.0,
    )


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


def past_cells(history: History) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """What past cells brought beyond their controls: the share who bought from the contact to the end of the window.

    Everybody counts where they were first contacted in a campaign, whatever they did. Campaigns that are not over, and those whose
    sizes are not what was planned, are left out.

    Parameters
    ----------
    history : History

    Returns
    -------
    (frame, left out)
        campaign_id, cell_id, offer, creative, channel, days, n, n_control, share, share_control, effect, error, spend (difference
        per customer), spend_error, cost_per_contact, fixed_cost, ordered by campaign and cell; sentences on the campaigns left out.
    """
    columns = [
        "campaign_id",
        "cell_id",
        "offer",
        "creative",
        "channel",
        "days",
        "n",
        "n_control",
        "share",
        "share_control",
        "spend",
        "spend_error",
    ]
    nothing = pd.DataFrame(columns=[*columns, "effect", "error", "cost_per_contact", "fixed_cost"])
    if history.cells is None or history.contacts is None:
        return nothing, ()
    cells = collect_arrow(history.cells, ("campaign_id", "cell_id")).to_pandas()
    if "closes_on" not in cells.columns:
        return nothing, ()
    closed = pd.to_datetime(cells["closes_on"]).dt.date
    over = cells[(closed <= history.as_of).fillna(False) & ~closed.isna()]
    counts = (
        _counted(history.orders, history.cells, history.contacts)
        if len(over)
        else pd.DataFrame(columns=["cell_id", "n", "buyers", "first"])
    )
    about = over.merge(counts, on="cell_id", how="inner").set_index("cell_id", drop=False).sort_index()
    rows, notes = [], []
    for campaign, mine in about.groupby("campaign_id", sort=True):
        if not mine["control_cell_id"].notna().any():
            continue
        if "planned_share" in mine and mine["planned_share"].notna().all() and len(mine) > 1:
            shares = mine["planned_share"].astype(float)
            found = sample_ratio(dict(mine["n"].astype(int)), dict(shares / shares.sum()))
            if found.p_value < _TRUST:
                notes.append(
                    f"The campaign {campaign} is left out of what past campaigns brought: its cells are not of the sizes planned."
                )
                continue
        rows += [row for row in mine.to_dict("records") if row["control_cell_id"] in mine.index]
    return _effects(pd.DataFrame(rows), about, nothing), tuple(notes)


def _effects(rows: pd.DataFrame, about: pd.DataFrame, nothing: pd.DataFrame) -> pd.DataFrame:
    if rows.empty:
        return nothing
    control = about.loc[rows["control_cell_id"]].reset_index(drop=True)
    n, n0 = rows["n"].astype(float), control["n"].astype(float)
    p, p0 = rows["buyers"].astype(float) / n, control["buyers"].astype(float) / n0
    # Half a customer each way: nobody has bought is not that nobody ever does.
    safe, safe0 = (rows["buyers"] + 0.5) / (n + 1), (control["buyers"] + 0.5) / (n0 + 1)
    error = np.sqrt((safe * (1 - safe) / n + safe0 * (1 - safe0) / n0).astype(float))
    days = (pd.to_datetime(rows["closes_on"]) - pd.to_datetime(rows["first"])).dt.days + 1
    found = rows.reindex(columns=nothing.columns).assign(
        days=days,
        n=rows["n"].astype(int),
        n_control=control["n"].astype(int),
        share=p,
        share_control=p0,
        effect=p - p0,
        error=error,
        spend=rows["spend"] / n - control["spend"] / n0,
        spend_error=np.sqrt(_variance(rows) / n + _variance(control) / n0),
    )
    for name in ("cost_per_contact", "fixed_cost"):
        found[name] = pd.to_numeric(found[name]).astype(float)
    return found.reset_index(drop=True)


def _variance(rows: pd.DataFrame) -> pd.Series:
    """Variance of what each customer of a cell spent."""
    n = rows["n"].astype(float)
    return ((rows["square"] - rows["spend"] ** 2 / n) / (n - 1).clip(lower=1)).clip(lower=0)


def _counted(orders: ibis.Table, cells: ibis.Table, contacts: ibis.Table) -> pd.DataFrame:
    """Customers of each cell, and how many of them bought from the contact to the end of the window."""
    rows = contacts.inner_join(cells.select("campaign_id", "cell_id", "closes_on"), "cell_id")
    rows = rows.select("campaign_id", "cell_id", "customer_id", "closes_on", day=rows["contacted_at"].date())
    window = ibis.window(group_by=["campaign_id", "customer_id"], order_by=["day", "cell_id"])
    rows = rows.mutate(place=ibis.row_number().over(window))
    rows = rows.filter(rows["place"] == 0).drop("place")
    days = occasion_days(orders)
    bought = days.filter(days["is_occasion"]).select(who="customer_id", on=days["day"].cast("date"), spend="spend")
    pairs = rows.left_join(
        bought, [rows["customer_id"] == bought["who"], bought["on"] >= rows["day"], bought["on"] <= rows["closes_on"]]
    )
    each = pairs.group_by("cell_id", "customer_id").agg(
        bought=(pairs["who"].count() > 0).cast("int64"),
        day=pairs["day"].min(),
        spend=pairs["spend"].sum().fill_null(0).cast("decimal(18, 4)"),
    )
    found = each.group_by("cell_id").agg(
        n=each.count(),
        buyers=each["bought"].sum(),
        first=each["day"].min(),
        # Squares are summed exactly too: a sum of floats would depend on the order of rows.
        spend=each["spend"].sum().cast("float64"),
        square=(each["spend"] * each["spend"]).sum().cast("float64"),
    )
    return collect_arrow(found, "cell_id").to_pandas()


def expected_effect(past: pd.DataFrame, offers: Any, base: float, level: float, given: float | None = None) -> Expected:
    """How many more a contact is expected to make buy, as a difference of shares.

    Parameters
    ----------
    past : DataFrame
        Of :func:`past_cells`.
    offers : sequence of str
        Those that are planned.
    base : float
        Share who buy anyway.
    level : float
    given : float, optional

    Returns
    -------
    Expected
        ``source``: "given", "offers" (past cells with these offers, each shrunk to the mean of all), "past" (the mean of all past
        cells), "guess" (a tenth of ``base``). The interval is as wide as that of the next true effect among all past cells.
    """
    if given is not None:
        return Expected(value=given, source="given")
    same = past["offer"].isin(list(offers)).to_numpy(dtype=bool) if len(past) else np.zeros(0, dtype=bool)
    source = "offers" if same.any() else "past"
    if past.empty:
        return Expected(value=GUESSED_LIFT * base, source="guess")
    if len(past) == 1:
        effect, error = float(past["effect"].iloc[0]), float(past["error"].iloc[0])
        half = normal_quantile(level) * error
        return Expected(value=effect, low=effect - half, high=effect + half, source=source)
    found = pool(past["effect"].to_numpy(float), past["error"].to_numpy(float), level)
    value = float(found.effects["shrunk"].to_numpy(float)[same].mean()) if same.any() else found.mean
    half = max((found.next_high - found.next_low) / 2, 0.0)
    return Expected(value=value, low=value - half, high=value + half, source=source)


def together(effects: Sequence[Expected]) -> Expected:
    """What several cells are expected to bring on average; what is not known of them is common to all."""
    value = float(np.mean([one.value for one in effects]))
    first = effects[0]
    if first.low is None or first.high is None:
        return Expected(value=value, source=first.source)
    half = max((one.high - one.low) / 2 for one in effects if one.low is not None and one.high is not None)
    source = "offers" if all(one.source == "offers" for one in effects) else "past"
    return Expected(value=value, low=value - half, high=value + half, source=source)

"""Campaigns of the simulated shop: coded cells with known effects, and the orders that they cause.

What a cell does is exact by construction. Of the people of a campaign's list, some will buy while its window is open
whatever is sent to them; a cell makes some of the *others* buy once, with an order on top of all others.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from crmlab.data.codes import response_codes
from crmlab.data.shop.orders import DAY_SECONDS, Receipts
from crmlab.data.shop.plans import CAMPAIGNS, OFFERS, CampaignPlan
from crmlab.data.shop.truth import IntArray, TimeArray
from crmlab.data.tables import labels

__all__ = [
    "FIRST_HOUR",
    "MEAN_SPEND",
    "NOON",
    "SPEND_SHAPE",
    "Sent",
    "cells_table",
    "contacts_table",
    "send_all",
    "true_effects",
]


MEAN_SPEND, SPEND_SHAPE = 45.0, 4.0  # of the orders that cells cause: gamma distributed
MEAN_DELAY = 6.0  # days from the contact to an order that it causes; the rest of the window cuts it off
SPILL = 0.006  # share of people contacted who get another cell's offer as well, and of controls who get one
COMPLAINS = 0.003
FIRST_HOUR, NOON = 5 * 3600, 12 * 3600  # what is sent is there before the shop opens


@dataclass(frozen=True, eq=False)
class Sent:
    """What one campaign sent, and what came of it.

    ``who`` and ``cell`` hold one value per contact: places of the customer and of the cell in ``plan.cells``; the first
    ``assigned`` of them are the assignment, the others spill. ``extra`` are the orders caused, by cells ``caused_by``.
    """

    plan: CampaignPlan
    opens: np.datetime64
    closes: np.datetime64
    who: IntArray
    cell: IntArray
    at: TimeArray
    assigned: int
    extra: Receipts
    caused_by: IntArray
    seen: float  # share of an effect that falls before the data end
    complained: IntArray = field(repr=False)  # places among the contacts


def send_all(
    customers: pd.DataFrame, receipts: Receipts, start: np.datetime64, days: int, rng: np.random.Generator
) -> list[Sent]:
    """Run every campaign whose list is long enough.

    Parameters
    ----------
    customers : DataFrame
        The customers table.
    receipts : Receipts
        Orders without campaigns.
    start : numpy.datetime64
        First day of the period.
    days : int
        Length of the period.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    list of Sent
        In the order of launch. Lists hold whoever has bought before, may be contacted and has not complained; people of
        one household are in one cell.
    """
    household, _ = pd.factorize(customers["household_id"])
    willing = customers["contactable"].to_numpy().copy()
    result = []
    # A stream of its own for each campaign: a change of one leaves the others as they are.
    for plan, stream in zip(CAMPAIGNS, rng.spawn(len(CAMPAIGNS)), strict=True):
        opens = start + int(plan.launch * days)
        bought = np.zeros(willing.size, dtype=bool)
        bought[receipts.customer[receipts.at < opens]] = True
        people = np.flatnonzero(willing & bought)
        if np.unique(household[people]).size >= 2 * len(plan.cells):
            sent = _send(plan, people, household, receipts, opens, start + days, stream)
            willing[sent.who[sent.complained]] = False
            result.append(sent)
    return result


def _send(
    plan: CampaignPlan,
    people: IntArray,
    household: IntArray,
    receipts: Receipts,
    opens: np.datetime64,
    end: np.datetime64,
    rng: np.random.Generator,
) -> Sent:
    """Assign a list, send it, and let it have its effect. ``end`` is the first day after the data."""
    cell = _assign(household[people], np.array([cell.share for cell in plan.cells]), rng)
    effect, lost = (np.array([getattr(item, name) for item in plan.cells]) for name in ("effect", "lost"))
    kept = rng.random(people.size) >= lost[cell]
    closes = opens + (plan.window - 1)
    day = receipts.at.astype("datetime64[D]")
    buys = np.zeros(household.size, dtype=bool)
    buys[receipts.customer[(day >= opens) & (day <= closes)]] = True
    buys = buys[people]
    # Of those who would not have bought, so that the share of buyers rises by the effect over the list as a whole.
    chance = np.minimum(effect[cell] / max(1 - buys.mean(), 0.5), 1.0)
    moved = kept & ~buys & (rng.random(people.size) < chance)
    left = int((end - opens) / np.timedelta64(1, "D"))
    delay, seen = _delays(people.size, plan.window, left, rng)
    moved &= delay < left
    noon = opens.astype("datetime64[us]") + (delay * DAY_SECONDS + NOON).astype("timedelta64[s]")
    at = noon + rng.integers(0, 10 * 3600, people.size).astype("timedelta64[s]")
    cents = np.rint(100 * rng.gamma(SPEND_SHAPE, MEAN_SPEND / SPEND_SHAPE, people.size)).astype(np.int64)
    extra = Receipts(people[moved], at[moved], np.maximum(cents[moved], 200))
    who, cell_sent, contacted = _contacts(plan, people[kept], cell[kept], opens, end, rng)
    treated = np.array([item.control is not None for item in plan.cells])[cell_sent]
    complained = np.flatnonzero(treated & (rng.random(who.size) < COMPLAINS))
    return Sent(plan, opens, closes, who, cell_sent, contacted, int(kept.sum()), extra, cell[moved], seen, complained)


def _assign(household: IntArray, shares: np.ndarray, rng: np.random.Generator) -> IntArray:
    """Cell of each person: households at random, as many to a cell as its share says (largest remainder)."""
    homes, of = np.unique(household, return_inverse=True)
    exact = shares / shares.sum() * homes.size
    count = np.floor(exact).astype(np.int64)
    count[np.argsort(count - exact, kind="stable")[: homes.size - count.sum()]] += 1
    return np.asarray(rng.permutation(np.repeat(np.arange(shares.size), count))[of])


def _delays(size: int, window: int, left: int, rng: np.random.Generator) -> tuple[IntArray, float]:
    """Whole days until the orders, exponential and cut off by the window; and the share of them before the data end."""
    whole = -np.expm1(-window / MEAN_DELAY)
    delay = np.floor(-MEAN_DELAY * np.log1p(-whole * rng.random(size))).astype(np.int64)
    return np.minimum(delay, window - 1), float(min(-np.expm1(-left / MEAN_DELAY) / whole, 1.0))


def _contacts(
    plan: CampaignPlan, people: IntArray, cell: IntArray, opens: np.datetime64, end: np.datetime64, rng: np.random.Generator
) -> tuple[IntArray, IntArray, TimeArray]:
    """The assignment as sent, then the spill: a few people who get another cell's offer the day after, controls too."""
    treated = np.flatnonzero([item.control is not None for item in plan.cells])
    other = treated[rng.integers(0, treated.size, people.size)]
    spilt = np.flatnonzero((rng.random(people.size) < SPILL) & (other != cell))
    spilt = spilt if opens + 1 < end else spilt[:0]
    morning = opens.astype("datetime64[us]") + np.timedelta64(FIRST_HOUR, "s")
    at = morning + rng.integers(0, 2 * 3600, people.size).astype("timedelta64[s]")
    second = at[spilt] + np.timedelta64(DAY_SECONDS, "s")
    return np.concatenate([people, people[spilt]]), np.concatenate([cell, other[spilt]]), np.concatenate([at, second])


def cells_table(sent: list[Sent]) -> pd.DataFrame:
    """Make the cells table of the campaigns that were sent."""
    codes = {item.plan.campaign_id: _codes(item.plan) for item in sent}
    rows = [
        {
            "campaign_id": item.plan.campaign_id,
            "program_id": cell.program_id,
            "cell_id": cell.cell_id,
            "control_cell_id": cell.control,
            "response_code": codes[item.plan.campaign_id].get(cell.cell_id),
            "offer": cell.offer,
            "list": "buyers who may be contacted",
            "creative": cell.creative,
            "channel": cell.channel,
            "cost_per_contact": cell.cost,
            "fixed_cost": cell.fixed,
            "cost_per_response": OFFERS[cell.offer].gift if cell.offer else None,
            "discount": OFFERS[cell.offer].discount if cell.offer else None,
            "planned_share": cell.share,
            "opens_on": item.opens.astype("datetime64[us]"),
            "closes_on": item.closes.astype("datetime64[us]"),
        }
        for item in sent
        for cell in item.plan.cells
    ]
    return pd.DataFrame(rows).sort_values("cell_id", ignore_index=True) if rows else pd.DataFrame()


def _codes(plan: CampaignPlan) -> dict[str, str]:
    return response_codes([cell.cell_id for cell in plan.cells if cell.control is not None], plan.campaign_id)


def contacts_table(sent: list[Sent], customers: pd.DataFrame) -> pd.DataFrame:
    """Make the contacts table: one row per person and cell, in canonical order."""
    parts = []
    for item in sent:
        codes = _codes(item.plan)
        names = [cell.cell_id for cell in item.plan.cells]
        part = pd.DataFrame({"customer_id": labels(customers["customer_id"], item.who), "cell_id": labels(names, item.cell)})
        part["contacted_at"] = item.at
        part["household_id"] = labels(customers["household_id"], item.who)
        part["response_code"] = labels([codes.get(name) for name in names], item.cell)
        parts.append(part)
    if not parts:
        return pd.DataFrame()
    return pd.concat(parts, ignore_index=True).sort_values(["customer_id", "contacted_at", "cell_id"], ignore_index=True)


def true_effects(sent: list[Sent], margin: float) -> pd.DataFrame:
    """What each cell does to a contact, by construction; ``margin`` is the share of spend left after the cost of goods."""
    rows = [
        {
            "campaign_id": item.plan.campaign_id,
            "cell_id": cell.cell_id,
            "control_cell_id": cell.control,
            "offer": cell.offer,
            "creative": cell.creative,
            "effect": cell.effect,
            "seen": cell.effect * item.seen,
            "spend": cell.effect * item.seen * MEAN_SPEND,
            "margin": cell.effect * item.seen * MEAN_SPEND * margin,
        }
        for item in sent
        for cell in item.plan.cells
    ]
    columns = ["campaign_id", "cell_id", "control_cell_id", "offer", "creative", "effect", "seen", "spend", "margin"]
    return pd.DataFrame(rows, columns=columns)

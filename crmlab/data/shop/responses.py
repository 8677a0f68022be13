"""What people of the simulated shop do when a campaign reaches them: open, click, visit, complain, and order with a code or
without one.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlab.data.codes import ALPHABET
from crmlab.data.shop.campaigns import MEAN_SPEND, SPEND_SHAPE, Sent, cells_table, contacts_table
from crmlab.data.shop.goods import Lines, fill_baskets
from crmlab.data.shop.orders import CHANNELS, DAY_SECONDS, Receipts, canonical, pick
from crmlab.data.shop.truth import Affinity, IntArray, TimeArray
from crmlab.data.tables import CELLS, CONTACTS, RESPONSES, labels

__all__ = [
    "CLICKS",
    "CODED_ANYWAY",
    "CODED_CAUSED",
    "OPENS",
    "VISITS",
    "Part",
    "campaign_tables",
    "caused_orders",
    "margin_of_caused",
    "responses_table",
    "with_caused",
]


OPENS, CLICKS, VISITS = 0.35, 0.12, 0.7  # of e-mails sent; of those opened, those clicked, unless an order follows
CODED_CAUSED, CODED_ANYWAY = 0.7, 0.35  # orders of people contacted that name the code
PASSED_ON = 0.01  # orders of people outside a cell that name its code all the same
MISTYPED = 0.03  # of the codes given
Part = tuple[IntArray, TimeArray, str]


def responses_table(
    sent: list[Sent],
    receipts: Receipts,
    cells: pd.DataFrame,
    customers: pd.DataFrame,
    end: np.datetime64,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Make the responses table, in canonical order.

    Every order of anybody while a window is open is there: with a code (right, mistyped or passed on by a friend) or
    without one, whoever placed it. Opens, clicks, visits and complaints are those of people contacted.

    Parameters
    ----------
    sent : list of Sent
        The campaigns, in the order of launch.
    receipts : Receipts
        All sales, those that campaigns caused included, by place of their number.
    cells, customers : DataFrame
        The canonical tables.
    end : numpy.datetime64
        First day after the data.
    rng : numpy.random.Generator
        Source of randomness.
    """
    if not sent:
        return pd.DataFrame()
    parts = [part for item in sent for part in _reactions(item, end, rng)]
    frames = [
        pd.DataFrame({"customer_id": labels(customers["customer_id"], who), "responded_at": at}).assign(
            kind=kind, response_code=None, order_id=None
        )
        for who, at, kind in parts
    ]
    frames.append(_orders(sent, receipts, cells, customers, rng))
    return _sorted(pd.concat([frame.astype(object) for frame in frames if len(frame)], ignore_index=True))


def _sorted(frame: pd.DataFrame) -> pd.DataFrame:
    frame["responded_at"] = frame["responded_at"].astype("datetime64[us]")
    for name in ("customer_id", "kind", "response_code", "order_id"):
        frame[name] = frame[name].astype("str").where(frame[name].notna())
    return frame.sort_values(["customer_id", "responded_at", "kind", "order_id"], ignore_index=True)


def _reactions(item: Sent, end: np.datetime64, rng: np.random.Generator) -> list[Part]:
    """Opens, clicks and visits of e-mails, and complaints: places of customers, times, kind."""
    plans = item.plan.cells
    treated = np.array([cell.control is not None for cell in plans])
    email = np.array([cell.channel == "email" for cell in plans])
    ordered = np.isin(item.who, item.extra.customer)
    opened = np.flatnonzero((treated & email)[item.cell] & (rng.random(item.who.size) < np.where(ordered, 0.9, OPENS)))
    opened_at = item.at[opened] + rng.exponential(0.3 * DAY_SECONDS, opened.size).astype("timedelta64[s]")
    clicked = np.flatnonzero(rng.random(opened.size) < np.where(ordered[opened], 0.6, CLICKS))
    clicked_at = opened_at[clicked] + rng.integers(5, 300, clicked.size).astype("timedelta64[s]")
    visited = np.flatnonzero(rng.random(clicked.size) < VISITS)
    visited_at = clicked_at[visited] + rng.integers(1, 10, visited.size).astype("timedelta64[s]")
    angry_at = item.at[item.complained] + rng.integers(3600, DAY_SECONDS, item.complained.size).astype("timedelta64[s]")
    parts = [
        (item.who[opened], opened_at, "open"),
        (item.who[opened[clicked]], clicked_at, "click"),
        (item.who[opened[clicked[visited]]], visited_at, "visit"),
        (item.who[item.complained], angry_at, "complaint"),
    ]
    return [(who[at < end], at[at < end], kind) for who, at, kind in parts]


def _orders(
    sent: list[Sent], receipts: Receipts, cells: pd.DataFrame, customers: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """Orders while a window is open, and the codes that they name."""
    day = receipts.at.astype("datetime64[D]")
    n_base = receipts.at.size - sum(item.extra.at.size for item in sent)
    caused = np.arange(receipts.at.size) >= n_base
    inside = np.zeros(receipts.at.size, dtype=bool)
    cell = np.full(receipts.at.size, -1)  # the treated cell of the last contact whose window is open
    number = {name: place for place, name in enumerate(cells["cell_id"])}
    treated = cells["control_cell_id"].notna().to_numpy()
    for item in sent:
        opened = np.flatnonzero((day >= item.opens) & (day <= item.closes))
        inside[opened] = True
        last = np.full(len(customers), -1)
        last[item.who] = [number[item.plan.cells[place].cell_id] for place in item.cell]
        theirs = last[receipts.customer[opened]]
        cell[opened] = np.where(theirs >= 0, theirs, cell[opened])
    contacted = (cell >= 0) & treated[cell]
    coded = inside & contacted & (rng.random(inside.size) < np.where(caused, CODED_CAUSED, CODED_ANYWAY))
    passed = inside & ~coded & (rng.random(inside.size) < PASSED_ON)
    friends = np.flatnonzero(treated)
    named = np.where(coded, cell, friends[rng.integers(0, friends.size, inside.size)])
    codes = cells["response_code"].to_numpy(dtype=object)
    given = codes[named].copy()
    given[~(coded | passed)] = None
    for place in np.flatnonzero((coded | passed) & (rng.random(inside.size) < MISTYPED)):
        given[place] = _mistyped(str(given[place]), rng)
    rows = np.flatnonzero(inside)
    return pd.DataFrame(
        {
            "customer_id": labels(customers["customer_id"], receipts.customer[rows]),
            "responded_at": receipts.at[rows],
            "kind": "order",
            "response_code": given[rows],
            "order_id": [f"O{place + 1:07d}" for place in rows],
        }
    )


def _mistyped(code: str, rng: np.random.Generator) -> str:
    """A code with one wrong character."""
    place = int(rng.integers(len(code)))
    others = ALPHABET.replace(code[place], "")
    return code[:place] + others[int(rng.integers(len(others)))] + code[place + 1 :]


def with_caused(
    sent: list[Sent],
    receipts: Receipts,
    channel: IntArray,
    sold: Lines,
    goods: pd.DataFrame,
    planted: tuple[Affinity, ...],
    rng: np.random.Generator,
) -> tuple[Receipts, IntArray, Lines]:
    """Append the orders that campaigns caused, so that the numbers of all others stay."""
    n = receipts.at.size
    caused = Receipts(*(np.concatenate([getattr(item.extra, of) for item in sent]) for of in ("customer", "at", "cents")))
    if not caused.at.size:
        return receipts, channel, sold
    through = pick(CHANNELS, caused.at.size, rng)  # before the baskets, whose draws depend on what sells together
    lines = fill_baskets(caused.cents, caused.at.astype("datetime64[D]"), goods, planted, rng)
    every = Receipts(*(np.concatenate([getattr(receipts, of), getattr(caused, of)]) for of in ("customer", "at", "cents")))
    shifted = (n + lines.order, lines.product, lines.quantity, lines.cents)
    both = (np.concatenate(pair) for pair in zip((sold.order, sold.product, sold.quantity, sold.cents), shifted, strict=True))
    return every, np.concatenate([channel, through]), Lines(*both)


def campaign_tables(
    sent: list[Sent], receipts: Receipts, customers: pd.DataFrame, end: np.datetime64, rng: np.random.Generator
) -> dict[str, pd.DataFrame]:
    """Make the tables cells, contacts and responses; ``end`` is the first day after the data."""
    cells, contacts = cells_table(sent), contacts_table(sent, customers)
    if not len(contacts):
        return {}
    responses = responses_table(sent, receipts, cells, customers, end, rng)
    return {
        "cells": canonical(CELLS, cells),
        "contacts": canonical(CONTACTS, contacts),
        "responses": canonical(RESPONSES, responses),
    }


def caused_orders(sent: list[Sent], receipts: Receipts, ids: pd.Series[str]) -> pd.DataFrame:
    """List the orders that campaigns caused: ``order_id``, ``customer_id``, ``cell_id``."""
    cells = [item.plan.cells[place].cell_id for item in sent for place in item.caused_by]
    first = receipts.at.size - len(cells)
    customers = labels(ids, receipts.customer[first:])
    orders = [f"O{number:07d}" for number in range(first + 1, receipts.at.size + 1)]
    return pd.DataFrame({"order_id": orders, "customer_id": customers, "cell_id": cells})


def margin_of_caused(
    goods: pd.DataFrame, planted: tuple[Affinity, ...], last_day: np.datetime64, rng: np.random.Generator
) -> float:
    """Share of spend that is left after the cost of goods of orders such as campaigns cause, from 5,000 baskets drawn."""
    cents = np.rint(100 * rng.gamma(SPEND_SHAPE, MEAN_SPEND / SPEND_SHAPE, 5000)).astype(np.int64)
    cents = np.maximum(cents, 200)
    lines = fill_baskets(cents, np.full(cents.size, last_day), goods, planted, rng)
    cost = 100 * goods["unit_cost"].to_numpy()[lines.product] * lines.quantity
    return float(1 - cost.sum() / cents.sum())

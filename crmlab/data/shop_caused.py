"""Books what the campaigns of the simulated shop caused: orders on top of all others, and the tables of campaigns."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlab.data.shop_campaigns import MEAN_SPEND, SPEND_SHAPE, Sent, cells_table, contacts_table
from crmlab.data.shop_goods import Lines, fill_baskets
from crmlab.data.shop_orders import CHANNELS, Receipts, canonical, pick
from crmlab.data.shop_responses import responses_table
from crmlab.data.shop_truth import Affinity, IntArray
from crmlab.data.tables import CELLS, CONTACTS, RESPONSES, labels


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

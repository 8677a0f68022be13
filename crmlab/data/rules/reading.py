"""Rules of which the canonical tables tell nothing any more: what was found, and left out, while a source was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.data.ledger import Breach
from crmlab.data.reading.breaches import GAPS
from crmlab.data.rules.rule import exemplary

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

__all__ = ["LOST", "READING", "lost_rows", "read_breaches"]

LOST = 0.05  # share of the rows of a table that cannot be read from which it matters
# What the rules of reading say, by name; what breaks them is found by crmlab.data.reading.breaches.
READING = {
    "Status": "Every status says whether an order is a sale",
    "Refunds": "What was paid back is taken off",
    "Currency": "All amounts are in one currency, or have a rate",
    "Guests": "Guests are not taken for one customer",
    "Both negative": "Quantity and price are not both below zero",
    "Doubling": "No file is read twice, and no row is in two parts of a table",
    "Parts": "Every day that one part of a table leaves out is in another",
    "Digits": "IDs have all their digits",
    "Totals": "No total stands among the rows",
    "Customers": "Every row has a customer",
    "Readable rows": "Every row can be read",
}
_LOST = {
    "no_customer": (
        "Customers",
        "Some rows have no customer and are left out.",
        "If they are guests, nothing is wrong. If not, check that customer_id names the right column, or add it to fill_down.",
    ),
    "unreadable": (
        "Readable rows",
        "Some rows have a value that is missing or cannot be read, and are left out.",
        'Correct the values, or decimal and date_format in the data set’s file; bad_rows = "error" at its top shows the first one.',
    ),
}


def read_breaches(data: Dataset) -> list[Breach]:
    """Return what broke rules while the data set was read, and the rows that could not be used."""
    told = {(breach.rule, breach.table) for breach in data.breaches}
    return [*data.breaches, *(breach for breach in lost_rows(data) if (breach.rule, breach.table) not in told)]


def lost_rows(data: Dataset) -> list[Breach]:
    """Say of every table that was read how many of its rows have no customer or cannot be read: grave from ``GAPS`` and ``LOST`` on."""
    totals: dict[str, int] = {}
    for row in data.ledger:
        totals[row.table] = totals.get(row.table, 0) + row.rows
    found = []
    for row in data.ledger:
        if row.reason in _LOST:
            name, says, advice = _LOST[row.reason]
            share = row.rows / max(totals[row.table], 1)
            found.append(
                Breach(
                    rule=name,
                    table=row.table,
                    says=says,
                    advice=advice,
                    broken=row.rows,
                    checked=totals[row.table],
                    amount=row.amount,
                    examples=tuple(map(exemplary, row.examples)),
                    grave=share >= (GAPS if row.reason == "no_customer" else LOST),
                )
            )
    return found

"""How an export of a system is declared: the names of its columns, and what becomes of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crmlab.data.personal import plain

__all__ = ["Export", "Part", "find_column", "form_of_name"]


def form_of_name(name: str) -> str:
    """Return the name of a column without regard to case, accents and the signs between its words.

    Examples
    --------
    >>> form_of_name("Financial Status"), form_of_name("financial_status"), form_of_name("ecommerce.transaction_id")
    ('financial status', 'financial status', 'ecommerce transaction id')
    """
    return " ".join(re.findall(r"[^\W_]+|[#%]", plain(name)))


def find_column(name: str, names: Sequence[str]) -> str | None:
    """Return the column of a file that bears a name, however it is written; None where there is none.

    Examples
    --------
    >>> find_column("Lineitem quantity", ["lineitem_quantity", "total"])
    'lineitem_quantity'
    """
    if name in names:
        return name
    wanted = form_of_name(name)
    return next((found for found in names if form_of_name(found) == wanted), None)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One table that an export makes. Names of columns are alternatives: the first that the file has, filled, is taken.

    Attributes
    ----------
    table : str
        The canonical table.
    columns : mapping
        Canonical column → names in the file.
    needs : tuple of str
        Canonical columns without which the table is not made.
    unless : tuple of str
        Columns of the file beside which the table is not made: those of lines, where an order's total is repeated.
    who : tuple of str
        Columns that tell who somebody is (an e-mail, a name), of which the keyed hash is the customer where no id is there.
    only_where, drop_where : tuple of str
        A column that rows of the table have filled, and one that is filled where an order was called off.
    keep, drop : tuple of str
        Statuses that the system has, beside the words of :mod:`crmlab.data.statuses`.
    refunded : tuple of str
        Statuses of orders that were paid back in full: netted where all of them have what was paid back, and else no sale.
    returned : tuple of str
        Statuses of rows that give money back, among those in ``drop``: taken off where they stand below zero, and else asked about.
    returned_by : str
        Where they cannot be taken off the customer who gets the money, what they stand under.
    sale_where : mapping
        Column of the file → what it has where a row is a sale, beside the status.
    sent_again : bool
        Whether the same sale may be sent twice.
    options : mapping
        Further keys of the section, as the TOML file writes them.
    not_cents : mapping
        Where amounts are in cents: the currencies (ISO codes) whose amounts are not, and what they are in instead.
    """

    table: str
    columns: Mapping[str, tuple[str, ...]]
    needs: tuple[str, ...] = ("ordered_at", "amount")
    unless: tuple[str, ...] = ()
    who: tuple[str, ...] = ()
    only_where: tuple[str, ...] = ()
    drop_where: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    refunded: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()
    returned_by: str = ""
    sale_where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sent_again: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    not_cents: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Export:
    """An export of a system.

    Attributes
    ----------
    name : str
        As people call it: "a Shopify order export".
    forms : tuple of tuple of str
        Names of columns by which it is recognised: all of one of the tuples are there. Older and translated files have their own.
    parts : tuple of Part
        The tables that it makes.
    notes : tuple of str
        What is to be known of it, as sentences; they stand in the TOML file.
    zero_is_guest : bool
        Whether the system numbers customers from 1, and writes 0 where there was no account.
    """

    name: str
    forms: tuple[tuple[str, ...], ...]
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()
    zero_is_guest: bool = False

    def fit(self, names: Sequence[str]) -> int:
        """Say how many columns of the file speak for this export; 0: it is another one.

        Examples
        --------
        >>> export = Export(name="a till", forms=(("Bon", "Kasse"),), parts=())
        >>> export.fit(["bon", "kasse", "betrag"]), export.fit(["bon", "betrag"])
        (2, 0)
        """
        found = {form_of_name(name) for name in names}
        return max((len(form) for form in self.forms if all(form_of_name(name) in found for name in form)), default=0)

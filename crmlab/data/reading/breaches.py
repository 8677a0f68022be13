"""What breaks rules that only the source can tell: statuses, guests, currencies, merged cells, ids that lost digits."""

from __future__ import annotations

from crmlab.data.descriptor import Descriptor
from crmlab.data.ledger import Breach, LedgerRow
from crmlab.data.reading.cleaning import Cleaning

__all__ = ["breaches_of"]


def breaches_of(cleaning: Cleaning, descriptor: Descriptor, rows: list[LedgerRow]) -> list[Breach]:
    """Return what breaks rules in a table that was cleaned.

    Parameters
    ----------
    cleaning : Cleaning
        The table, which can be used.
    descriptor : Descriptor
        The rules of the data set.
    rows : list of LedgerRow
        What became of its rows.

    Returns
    -------
    list of Breach
        Empty where nothing does.
    """
    return []

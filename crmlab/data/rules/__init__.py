"""The rules that records should keep: one list, which ``crmlab check`` and the report on data quality share.

Some are broken while a source is read (statuses, guests, currencies): :attr:`crmlab.data.dataset.Dataset.breaches` has them. The others
look at canonical tables, in the engine that holds them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from crmlab.data.ledger import Breach
from crmlab.data.rules import campaigns, contracts, customers, doubling, ids, joins, records
from crmlab.data.rules.reading import LOST, READING, read_breaches
from crmlab.data.rules.records import after
from crmlab.data.rules.rule import Rule, exemplary

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

__all__ = ["LOST", "READING", "RULES", "Rule", "after", "examined", "exemplary", "gravest_first"]

RULES = (*doubling.RULES, *ids.RULES, *customers.RULES, *records.RULES, *joins.RULES, *campaigns.RULES, *contracts.RULES)


def examined(data: Dataset, rules: Iterable[Rule] = RULES) -> list[Breach]:
    """Apply rules to a data set, and add what broke others while it was read.

    Parameters
    ----------
    data : Dataset
    rules : iterable of Rule
        Default: all that look at canonical tables.

    Returns
    -------
    list of Breach
        First those of reading, then one for each rule whose tables are there; ``broken`` is 0 where a rule is kept. What the data set
        says is accepted is not grave.

    Examples
    --------
    >>> import crmlab
    >>> found = examined(crmlab.open_dataset("cdnow_sample"))
    >>> [(breach.rule, breach.broken, breach.grave) for breach in found if breach.broken]
    [('Repeated orders', 21, False)]
    """
    accepted = data.descriptor.accepted
    found = [*read_breaches(data), *(breach for rule in rules if (breach := rule.check(data)) is not None)]
    return [replace(breach, grave=False) if breach.rule in accepted else breach for breach in found]


def gravest_first(breaches: Iterable[Breach]) -> list[Breach]:
    """Return what is broken: the grave first, then by money, then by share."""

    def order(breach: Breach) -> tuple[bool, Decimal, float]:
        return not breach.grave, -abs(Decimal(breach.amount or 0)), -breach.share

    return sorted((breach for breach in breaches if breach.broken), key=order)

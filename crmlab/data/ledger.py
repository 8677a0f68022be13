"""What became of the rows of a source, as data sets, the cache and pages say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["LedgerRow"]


@dataclass(frozen=True)
class LedgerRow:
    """What became of some rows of a source: kept (``reason`` None) or dropped, how many, what they add up to.

    ``examples`` are at most three rows as text, with ids and without attributes of people.
    """

    table: str
    reason: str | None
    rows: int
    amount: str | None = None
    examples: tuple[Mapping[str, str], ...] = ()

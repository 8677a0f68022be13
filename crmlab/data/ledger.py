"""What became of the rows of a source, and what looks wrong about them, as data sets, the cache and pages say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Breach", "LedgerRow"]


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


@dataclass(frozen=True, kw_only=True)
class Breach:
    """What breaks a rule that records should keep: how much of it there is, and what to do.

    Attributes
    ----------
    rule : str
        The name of the rule, as in :mod:`crmlab.data.rules`.
    table : str
        The canonical table.
    says : str
        What was found, as a sentence without rows and money: "The status 'on-hold' is neither kept nor dropped."
    advice : str
        What to write in the TOML file, or to do, as a sentence: 'Put it into keep or drop under [orders].'
    broken, checked : int
        How many rows (or orders, customers, products: ``unit``) break it, and of how many.
    unit : str
        What is counted.
    amount : str or None
        What they add up to, an exact decimal; None where the table has no amounts.
    currency : str or None
        The currency of the amount, where it is not that of the data set.
    examples : tuple of mapping
        At most three of them as text, with ids and without attributes of people.
    grave : bool
        Whether numbers are wrong because of it, or may be: somebody has to decide. The others are worth knowing.
    """

    rule: str
    table: str
    says: str
    advice: str
    broken: int
    checked: int
    unit: str = "rows"
    amount: str | None = None
    currency: str | None = None
    examples: tuple[Mapping[str, str], ...] = ()
    grave: bool = True

    @property
    def share(self) -> float:
        """Share of what was looked at that breaks the rule."""
        return self.broken / self.checked if self.checked else 0.0

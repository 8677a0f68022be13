"""What a rule is: how it finds what breaks it in canonical tables, on any engine, and what it says of that."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from crmlab.collecting import ORDERED, collect_arrow, collect_row, collect_value
from crmlab.data.ledger import Breach

if TYPE_CHECKING:
    import ibis

    from crmlab.data.dataset import Dataset

__all__ = ["EXAMPLES", "Rule", "exemplary"]

EXAMPLES = 3  # rows that are shown of what breaks a rule
_LONGEST = 60  # characters of a value that are shown


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule: what it says, which tables it needs, how grave a breach is, what breaks it, and what to do then.

    Attributes
    ----------
    name : str
        As :class:`~crmlab.data.ledger.Breach` and the key ``accepted`` name it.
    says : str
        The rule, without a full stop: "Every order appears only once".
    found : str
        What was found where it is broken, as a sentence without numbers.
    advice : str
        What to write in the TOML file, or to do, as a sentence.
    unit : str
        What is counted.
    needs : tuple of str
        Canonical tables, the one that the rule is about first.
    grave : bool
        Whether a breach makes numbers wrong, or may: somebody has to decide. The others are worth knowing.
    grave_from : float
        Share of what is counted, or of sales, from which it is; below it is worth knowing.
    base : callable
        How many there are of what is counted.
    broken : callable
        One row per thing that breaks the rule, ids first; None where a column is not there. Where it has a column ``copies``, all
        but one of them are counted; ``money`` is what a row adds up to, and is not shown as part of an example.
    told : callable, optional
        Looks closer at a breach, and says it better.
    """

    name: str
    says: str
    found: str
    advice: str
    unit: str
    needs: tuple[str, ...]
    grave: bool = False
    grave_from: float = 0.0
    base: Callable[[Dataset], Any]
    broken: Callable[[Dataset], ibis.Table | None]
    told: Callable[[Dataset, Breach], Breach] | None = None

    def check(self, data: Dataset, examples: int = EXAMPLES) -> Breach | None:
        """Apply the rule.

        Parameters
        ----------
        data : Dataset
        examples : int
            How many of what broke it are returned, in the order of their ids.

        Returns
        -------
        Breach or None
            With ``broken`` 0 where the rule is kept; None where a table or column that it needs is not there.
        """
        if not set(self.needs) <= set(data.tables):
            return None
        broken = self.broken(data)
        if broken is None:
            return None
        wanted = {"broken": (broken["copies"] - 1).sum() if "copies" in broken.columns else broken.count()}
        if "money" in broken.columns:
            wanted["money"] = broken["money"].sum()
        found = collect_row(broken.aggregate(**wanted))
        count, amount = int(found["broken"] or 0), found.get("money")
        kept = Breach(
            rule=self.name,
            table=self.needs[0],
            says=self.found,
            advice=self.advice,
            broken=count,
            checked=int(collect_value(self.base(data)) or 0),
            unit=self.unit,
            grave=self.grave,
        )
        if not count:
            return kept
        shown = broken.order_by(broken.columns).limit(examples).drop(*(["money"] if "money" in broken.columns else []))
        rows = tuple(map(exemplary, collect_arrow(shown, ORDERED).to_pylist()))
        breach = replace(kept, amount=None if amount is None else str(amount), examples=rows)
        if self.grave_from:
            breach = replace(breach, grave=self.grave and max(breach.share, _share_of_sales(data, breach)) >= self.grave_from)
        return breach if self.told is None else self.told(data, breach)


def _share_of_sales(data: Dataset, breach: Breach) -> float:
    """What a breach adds up to, as a share of all sales."""
    if breach.amount is None or "orders" not in data.tables:
        return 0.0
    amounts = data.orders["amount"]
    sales = collect_value(amounts.sum(where=amounts > 0))
    return float(abs(Decimal(breach.amount)) / Decimal(sales)) if sales else 0.0


def exemplary(row: Mapping[str, Any]) -> dict[str, str]:
    """Write a row as an example: what is empty is left out, and an address that could be somebody's is not shown.

    Examples
    --------
    >>> exemplary({"order_id": "7", "customer_id": "ann@example.com", "amount": Decimal("5.5000"), "channel": None})
    {'order_id': '7', 'customer_id': '(an e-mail address)', 'amount': '5.5'}
    """
    return {str(key): _written(str(key), value) for key, value in row.items() if value not in ("", None)}


def _written(key: str, value: Any) -> str:
    if isinstance(value, dt.datetime):
        return value.isoformat(" ")
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, float):
        return f"{value:.2f}"
    text = str(value)
    if key in ("amount", "quantity") and "." in text:
        return text.rstrip("0").rstrip(".")
    if "@" in text:
        return "(an e-mail address)"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"

"""Rows and money of a file's first rows by the values of a column: what a decision is worth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crmlab.data.guess.roles import Roles

__all__ = ["Count", "Tally", "amounts", "tally"]


@dataclass
class Count:
    """Some rows, and what they add up to; None where the file has no amounts."""

    rows: int = 0
    money: float | None = None

    def __str__(self) -> str:
        """Say it: "12 rows, 340.00"."""
        rows = f"{self.rows:,} row{'' if self.rows == 1 else 's'}"
        return rows if self.money is None else f"{rows}, {self.money + 0.0:,.2f}"


Tally = Mapping[Any, Count]


def amounts(roles: Roles) -> list[float] | None:
    """Return what each row adds up to, 0 where nothing can be read; None where the file has no amounts."""
    columns = roles.columns
    if "amount" in columns:
        return [value or 0.0 for value in columns["amount"].read(roles.decimal)]
    if {"quantity", "unit_price"} <= set(columns):
        pieces, prices = columns["quantity"].read(roles.decimal), columns["unit_price"].read(roles.decimal)
        return [(q or 0.0) * (p or 0.0) for q, p in zip(pieces, prices, strict=True)]
    return None


def tally(values: Sequence[Any], money: Sequence[float] | None, within: Iterable[bool] | None = None) -> Tally:
    """Count rows and money by value, the most rows first; rows without a value are left out.

    Examples
    --------
    >>> {value: str(count) for value, count in tally(["paid", "void", "paid"], [10.0, 2.0, 5.0]).items()}
    {'paid': '2 rows, 15.00', 'void': '1 row, 2.00'}
    """
    counts: dict[Any, Count] = {}
    looked_at = within if within is not None else (value is not None for value in values)
    for place, (value, taken) in enumerate(zip(values, looked_at, strict=True)):
        if not taken:
            continue
        count = counts.setdefault(value, Count(0, None if money is None else 0.0))
        count.rows += 1
        if money is not None:
            count.money = (count.money or 0.0) + money[place]
    return dict(sorted(counts.items(), key=lambda item: (-item[1].rows, str(item[0]))))

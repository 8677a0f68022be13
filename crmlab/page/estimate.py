"""A number that an analysis found, with its interval and its unit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crmlab.page.format import alike

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Estimate"]


@dataclass(frozen=True)
class Estimate:
    """A number with its uncertainty.

    ``low`` and ``high`` are None where the number is a count of what was read, not an estimate. ``level`` is that of the
    interval; ``unit`` names what is counted: "share", "customers", "days", an ISO currency.

    Examples
    --------
    >>> Estimate(0.66, 0.61, 0.71, 0.95, "share")
    Estimate(0.66 [0.61, 0.71] at 95%, share)
    """

    value: float
    low: float | None = None
    high: float | None = None
    level: float | None = None
    unit: str = ""

    def __post_init__(self) -> None:
        if (self.low is None) != (self.high is None) or (self.low is not None and self.level is None):
            raise ValueError("An interval needs low, high and level together.")

    @classmethod
    def of(cls, row: Mapping[str, Any] | pd.Series, level: float, unit: str = "", name: str = "value") -> Estimate:
        """Take an estimate out of a row of a table.

        Parameters
        ----------
        row : mapping or Series
            Its ends are in ``<name>_low`` and ``<name>_high``, or where the row has none of these in ``low`` and ``high``.
        level : float
            Of the interval.
        unit : str
        name : str
            Column of the value.

        Raises
        ------
        KeyError
            The row has no such value, or no ends of it.

        Examples
        --------
        >>> Estimate.of({"share": 0.66, "share_low": 0.61, "share_high": 0.71}, 0.95, "share", "share")
        Estimate(0.66 [0.61, 0.71] at 95%, share)
        """
        before = f"{name}_" if f"{name}_low" in row else ""
        return cls(float(row[name]), float(row[f"{before}low"]), float(row[f"{before}high"]), level, unit)

    @classmethod
    def holding(cls, value: float, low: float, high: float, level: float, unit: str = "") -> Estimate:
        """Make an estimate whose interval holds its value: ends that were drawn by chance may lie on one side of it.

        Examples
        --------
        >>> Estimate.holding(0.66, 0.67, 0.71, 0.9, "share")
        Estimate(0.66 [0.66, 0.71] at 90%, share)
        """
        return cls(value, min(float(low), value), max(float(high), value), level, unit)

    def __repr__(self) -> str:
        value, *ends = alike(number for number in (self.value, self.low, self.high) if number is not None)
        interval = f" [{', '.join(ends)}] at {100 * (self.level or 0):g}%" if ends else ""
        return f"Estimate({value}{interval}{', ' + self.unit if self.unit else ''})"

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate as plain values, None where a value is not finite."""

        def finite(value: float | None) -> float | None:
            return None if value is None or not math.isfinite(value) else float(value)

        ends = {"low": finite(self.low), "high": finite(self.high)}
        return {"value": finite(self.value), **ends, "level": self.level, "unit": self.unit}

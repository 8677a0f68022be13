"""Goals of a data set, as its TOML file names them: which measure, which target, by when, and who answers for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crmlab.errors import DescriptorError

__all__ = ["MEASURES", "Aim", "Goal", "parse_goals"]


@dataclass(frozen=True)
class Aim:
    """A measure that a goal may name: its words, its kind, and whether it is of a year or of a quarter."""

    label: str
    kind: str  # how it is written: "money", "count", "number" or "share"
    yearly: bool  # sums are of the year that ends by the date; rates and numbers of people of the quarter that does
    less: bool = False  # whether less is better


MEASURES: dict[str, Aim] = {
    "revenue": Aim("Revenue of the year", "money", True),
    "margin": Aim("Gross margin of the year", "money", True),
    "occasions": Aim("Purchase occasions of the year", "count", True),
    "new": Aim("New customers of the year", "count", True),
    "customers": Aim("Customers who buy in a quarter", "count", False),
    "lost": Aim("Customers of a quarter who did not buy in the next", "count", False, True),
    "average_order_value": Aim("Average order value", "amount", False),
    "occasions_per_customer": Aim("Purchase occasions per customer and quarter", "number", False),
    "products_per_customer": Aim("Products per customer and quarter", "number", False),
    "margin_share": Aim("Gross margin, share of revenue", "share", False),
    "returned_share": Aim("Returned, share of sales", "share", False, True),
}
_KEYS = ("measure", "target", "by", "owner")


@dataclass(frozen=True)
class Goal:
    """One goal. ``by`` is an ISO date; ``owner`` a role, or nothing."""

    measure: str
    target: float
    by: str
    owner: str = ""

    @property
    def aim(self) -> Aim:
        """What the measure is."""
        return MEASURES[self.measure]

    @property
    def day(self) -> dt.date:
        """The day by which the target is to be reached."""
        return dt.date.fromisoformat(self.by)


def parse_goals(content: Any, where: str) -> tuple[Goal, ...]:
    """Check the goals of a TOML file.

    Parameters
    ----------
    content : list of mappings
        What stands under ``[[goals]]``.
    where : str
        The file's name as messages show it.

    Returns
    -------
    tuple of Goal
        In the order of the file.

    Raises
    ------
    DescriptorError
        A measure is unknown or there twice for one date, a target has no date, or a value is of the wrong type.

    Examples
    --------
    >>> parse_goals([{"measure": "revenue", "target": 1200000, "by": dt.date(2026, 6, 30)}], "shop.toml")
    (Goal(measure='revenue', target=1200000.0, by='2026-06-30', owner=''),)
    """
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise DescriptorError.expected(where, "", "goals", "given as [[goals]], once for each goal", content)
    goals = tuple(_goal(item, where) for item in content)
    seen: set[tuple[str, str]] = set()
    for goal in goals:
        if (goal.measure, goal.by) in seen:
            raise DescriptorError.goal_twice(where, goal.measure, goal.by)
        seen.add((goal.measure, goal.by))
    return goals


def _goal(item: Mapping[str, Any], where: str) -> Goal:
    for key in item:
        if key not in _KEYS:
            raise DescriptorError.unknown_key(where, "[goals]", key, _KEYS)
    measure = item.get("measure")
    if measure is None:
        raise DescriptorError.expected(where, "[goals]", "measure", f"one of {', '.join(MEASURES)}", "nothing")
    if measure not in MEASURES:
        raise DescriptorError.unknown_goal(where, str(measure), MEASURES)
    if "target" not in item:
        raise DescriptorError.goal_lacks(where, measure, "target", "a number, such as target = 1200000")
    if "by" not in item:
        raise DescriptorError.goal_lacks(where, measure, "by", "the date by which it is to be reached, such as by = 2026-06-30")
    target, by, owner = item["target"], item["by"], item.get("owner", "")
    number = isinstance(target, (int, float)) and not isinstance(target, bool) and abs(target) < float("inf")
    share = MEASURES[measure].kind == "share"
    if not number or target <= 0 or (share and target >= 1):
        words = "a share between 0 and 1, such as 0.5" if share else "a number above 0, such as 1200000"
        raise DescriptorError.expected(where, "[goals]", "target", words, target)
    if not isinstance(owner, str):
        raise DescriptorError.expected(where, "[goals]", "owner", "a text in quotes", owner)
    return Goal(measure, float(target), _day(by, where), owner)


def _day(by: Any, where: str) -> str:
    if isinstance(by, dt.datetime):
        by = str(by)
    if isinstance(by, dt.date):
        return by.isoformat()
    try:
        return dt.date.fromisoformat(by).isoformat()
    except (TypeError, ValueError):
        raise DescriptorError.expected(where, "[goals]", "by", "an ISO date, such as 2026-06-30", by) from None

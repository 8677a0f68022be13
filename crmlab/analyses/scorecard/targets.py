"""Goals as ``[[goals]]`` of a data set's TOML file names them: which measure, which target, by when, and who answers for it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo, ValidatorFunctionWrapHandler, WrapValidator
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from crmlab.data.sections import Section
from crmlab.data.toml import STRICT, checked, must
from crmlab.errors import DescriptorError
from crmlab.errors.base import hint_at, shown
from crmlab.errors.validation import Faults

__all__ = ["MEASURES", "Aim", "Goal", "parse_goals"]


@dataclasses.dataclass(frozen=True)
class Aim:
    """A measure that a goal may name: its words, with the blanks of ``Speech``, its kind, and whether it is of a year or of a quarter."""

    label: str
    kind: str  # how it is written: "money", "count", "number" or "share"
    yearly: bool  # sums are of the year that ends on the date; rates and numbers of people of the quarter that does
    less: bool = False  # whether less is better


MEASURES: dict[str, Aim] = {
    "revenue": Aim("Annual {revenue}", "money", True),
    "margin": Aim("Annual gross margin", "money", True),
    "occasions": Aim("{Occasions} in the year", "count", True),
    "new": Aim("New {many} in the year", "count", True),
    "customers": Aim("{Many} who {buy} in a quarter", "count", False),
    "lost": Aim("{Many} of one quarter who did not {buy} in the next", "count", False, True),
    "average_order_value": Aim("Average {order_value}", "amount", False),
    "occasions_per_customer": Aim("{Occasions} per {one} per quarter", "number", False),
    "products_per_customer": Aim("Products per {one} per quarter", "number", False),
    "margin_share": Aim("Gross margin as a share of {revenue}", "share", False),
    "returned_share": Aim("Returns as a share of {sales}", "share", False, True),
}


def _measure(name: Any) -> str:
    if isinstance(name, str) and name in MEASURES:
        return name
    said = f"a goal names the unknown measure {shown(str(name))}. {hint_at(str(name), MEASURES)}"
    raise PydanticCustomError("said", "{said}", {"said": said})


def _target(value: Any, inner: ValidatorFunctionWrapHandler, info: ValidationInfo) -> float:
    measure = info.data.get("measure")
    share = measure is not None and MEASURES[measure].kind == "share"
    try:
        target = float(inner(value))
    except (ValueError, OverflowError):
        target = 0.0  # what is no number is no target either
    if 0 < target < (1 if share else float("inf")):
        return target
    words = "a share between 0 and 1, such as 0.5" if share else "a number above 0, such as 1200000"
    raise PydanticCustomError("must", "must be {must}", {"must": words})


def _day(by: Any) -> str:
    if isinstance(by, dt.datetime) or not isinstance(by, str | dt.date):
        raise ValueError
    return (by if isinstance(by, dt.date) else dt.date.fromisoformat(by)).isoformat()


@dataclass(frozen=True, config=STRICT)
class Goal:
    """One goal. ``by`` is an ISO date; ``owner`` a role, or nothing."""

    measure: Annotated[str, BeforeValidator(_measure)]
    target: Annotated[float, Field(allow_inf_nan=False), WrapValidator(_target)]
    by: Annotated[str, BeforeValidator(_day), must("an ISO date, such as 2026-06-30")]
    owner: str = ""

    @property
    def aim(self) -> Aim:
        """What the measure is."""
        return MEASURES[self.measure]

    @property
    def day(self) -> dt.date:
        """The day by which the target is to be reached."""
        return dt.date.fromisoformat(self.by)


def parse_goals(section: Section, where: str) -> tuple[Goal, ...]:
    """Check the goals of a TOML file.

    Parameters
    ----------
    section : Section
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
        A measure is unknown or there twice for one date, a target has no date, or a value is of the wrong type; all of it is told.

    Examples
    --------
    >>> given = {"measure": "revenue", "target": 1200000, "by": dt.date(2026, 6, 30)}
    >>> parse_goals(Section("goals", [given]), "shop.toml")
    (Goal(measure='revenue', target=1200000.0, by='2026-06-30', owner=''),)
    """
    given = section.content
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise DescriptorError.expected(f"{section.where(where)}: goals", "given as [[goals]], once for each goal", given)
    faults = Faults(DescriptorError, where, {"goals": given})
    goals, seen = [], set()
    for number, item in enumerate(given):
        faults.where, at, measure = section.where(where, number), ("goals", number), item.get("measure")
        absent = {"measure": f"[[goals]] measure must be one of {', '.join(MEASURES)}. Got 'nothing' instead."}
        if "measure" in item:
            lacks = f"the goal for {shown(str(measure))} has no"
            absent["target"] = f"{lacks} 'target'. Expected a number, such as target = 1200000."
            absent["by"] = f"{lacks} 'by'. Expected the date by which it is to be reached, such as by = 2026-06-30."
        goal = checked(Goal, item, faults, at, "[[goals]]", absent=absent)
        goals += [goal] if goal is not None else []
        day = _judged(item.get("by"))
        if isinstance(measure, str) and (measure, day) in seen:
            twice = f"there are two goals for '{measure}' by {day}. Expected one. Take one out, or change its date."
            faults.add(at, DescriptorError(f"{faults.where}: {twice}"))
        elif isinstance(measure, str) and measure in MEASURES and day is not None:
            seen.add((measure, day))
    faults.tell()
    return tuple(goals)


def _judged(by: Any) -> str | None:
    try:
        return _day(by)
    except ValueError:
        return None

"""What all errors share: the base class, how names and values are shown in a message, and errors of parameters.

One grammar: what is wrong, what was expected, what was found, a hint. The constructors (class methods) are the only
places where messages are worded, so that the same mistake always reads the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

__all__ = ["CrmlabError", "MissingTableError", "NotInProjectError", "ParameterError", "hint_at", "listing", "shown"]


def listing(names: Iterable[Any], limit: int = 12) -> str:
    """Join names with commas, cut after ``limit``."""
    items = [str(name) for name in names]
    more = f", … ({len(items)} in all)" if len(items) > limit else ""
    return ", ".join(items[:limit]) + more if items else "nothing"


def shown(value: Any, limit: int = 60) -> str:
    """Show a value for a message: short, on one line."""
    text = repr(value) if isinstance(value, str) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def hint_at(wrong: str, known: Iterable[str]) -> str:
    """Say what was probably meant."""
    options = [str(name) for name in known]
    close = get_close_matches(str(wrong), options, n=1, cutoff=0.6)
    return f"Did you mean '{close[0]}'?" if close else f"Known: {listing(sorted(options))}."


class CrmlabError(Exception):
    """Base of every error that crmlab raises on purpose. Its text is meant for the user."""


class ParameterError(CrmlabError, ValueError):
    """A parameter of an analysis is unknown, of the wrong type or outside its range."""

    @classmethod
    def expected(cls, analysis: str, name: str, expectation: str, got: Any) -> ParameterError:
        """``The 'bins' parameter of rfm must be between 2 and 10. Got 40 instead.``"""
        return cls(f"The '{name}' parameter of {analysis} must be {expectation}. Got {shown(got)} instead.")

    @classmethod
    def unknown(cls, analysis: str, name: str, known: Iterable[str]) -> ParameterError:
        """``Unknown parameter 'bin' for rfm. Did you mean 'bins'?``"""
        return cls(f"Unknown parameter {shown(name)} for {analysis}. {hint_at(name, known)}")

    @classmethod
    def not_an_assignment(cls, text: str) -> ParameterError:
        return cls(f"A parameter must be given as key=value. Got {shown(text)} instead. For example: -p bins=4")

    @classmethod
    def as_of_outside(cls, as_of: Any, first: Any, last: Any, side: str) -> ParameterError:
        where = "before the first order" if side == "before" else "after the last order"
        return cls(
            f"The 'as_of' date {as_of} is {where}. Expected a day from {first} to {last}. "
            "Leave it out to use the day of the last order."
        )

    @classmethod
    def no_customer(cls, customer: str, known: Iterable[str]) -> ParameterError:
        return cls(
            f"The 'customer_id' parameter names {shown(customer)}, whom the data set does not know. {hint_at(customer, known)}"
        )

    @classmethod
    def compare_to_outside(cls, day: Any, first: Any, as_of: Any) -> ParameterError:
        return cls(
            f"The 'compare_to' date {day} is before the first order. Expected a day from {first} on, and before {as_of}. "
            "Leave it out to compare with 91 days before."
        )

    @classmethod
    def dates_out_of_order(cls, early: str, early_value: Any, late: str, late_value: Any) -> ParameterError:
        return cls(f"'{early}' must be before '{late}'. Got {early} {early_value} and {late} {late_value}.")


class MissingTableError(CrmlabError, LookupError):
    """A canonical table was asked for that the data set does not hold."""

    @classmethod
    def absent(cls, table: str, dataset: str, present: Iterable[str], where: str, known: bool = True) -> MissingTableError:
        if not known:
            return cls(f"There is no canonical table '{table}'. {hint_at(table, present)}")
        return cls(
            f"The data set '{dataset}' has no table '{table}'. Found: {listing(present)}. Add a section [{table}] to {where}."
        )


class NotInProjectError(CrmlabError, RuntimeError):
    """The project's folders (notebooks, data) cannot be found."""

    @classmethod
    def nowhere(cls, start: Any) -> NotInProjectError:
        return cls(
            f"No crmlab project at {start} or above it. Expected a folder with notebooks/ and data/. "
            "Change into your clone, or name it in CRMLAB_HOME."
        )

"""What all errors share: the base class with its verbs, how names and values are shown in a message, errors of parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Self

__all__ = ["CrmlabError", "MissingTableError", "NotInProjectError", "ParameterError", "hint_at", "listing", "shown", "visible"]


# What a terminal may take for a command, and what turns the direction of reading: control characters but tab and the end of a line, those
# of C1, other ends of lines, embeddings, overrides and isolates, and half characters, which no terminal can write.
_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufff9-\ufffb\ud800-\udfff]")


def visible(text: str, *, line: bool = False) -> str:
    """Write what a terminal may take for a command as Python escapes it; everything that is printed goes through here.

    Parameters
    ----------
    text : str
    line : bool
        It must stay on one line: its ends of lines and tabs are escaped too.

    Examples
    --------
    >>> visible("Shop \\x1b[31mred \\u202e")
    'Shop \\\\x1b[31mred \\\\u202e'
    """
    plain = _COMMANDS.sub(lambda found: ascii(found.group())[1:-1], text)
    return plain.replace("\n", "\\n").replace("\t", "\\t") if line else plain


def listing(names: Iterable[Any], limit: int = 12) -> str:
    """Join names with commas, cut after ``limit``."""
    items = [str(name) for name in names]
    more = f", … ({len(items)} in all)" if len(items) > limit else ""
    return ", ".join(items[:limit]) + more if items else "nothing"


def shown(value: Any, limit: int = 60) -> str:
    """Show a value for a message: short, on one line."""
    text = repr(value) if isinstance(value, str) else str(value)
    text = visible(" ".join(text.split()))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def hint_at(wrong: str, known: Iterable[str], limit: int = 12) -> str:
    """Say what was probably meant, or what there is: what differs in case, signs or leading zeros alone comes first.

    Examples
    --------
    >>> hint_at("1", ["00001", "00011"]), hint_at("Spring_1", ["spring-01", "spring-10"])
    ("Did you mean '00001'?", "Did you mean 'spring-01'?")
    """
    options = [str(name) for name in known]
    close = [name for name in options if _bare(name) == _bare(str(wrong))]
    close = close or get_close_matches(str(wrong), options, n=1, cutoff=0.6)
    return f"Did you mean '{close[0]}'?" if close else f"Known: {listing(sorted(options), limit)}."


def _bare(name: str) -> str:
    """A name without case, signs and the zeros that numbers are filled up with."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", re.sub(r"[\W_]", "", name.casefold()))


class CrmlabError(Exception):
    """Base of every error that crmlab raises on purpose. Its text is meant for the user, and does nothing to a terminal."""

    def __init__(self, *args: object):
        super().__init__(*(visible(one) if isinstance(one, str) else one for one in args))

    @classmethod
    def must_be(cls, what: str, expectation: str, got: Any, hint: str = "") -> Self:
        """``The 'bins' parameter of rfm must be between 2 and 10. Got 40 instead.``"""
        return cls(_joined(f"{what} must be {expectation}. Got {shown(got)} instead.", hint))

    @classmethod
    def must_hold(cls, table: str, column: str, expectation: str, found: str, hint: str = "") -> Self:
        """``orders: column 'amount' must hold amounts. Found: type bool. Convert it with pandas.to_numeric first.``"""
        return cls(_joined(f"{table}: column '{column}' must hold {expectation}. Found: {found}.", hint))

    @classmethod
    def lacks(cls, table: str, column: str, found: Iterable[Any], hint: str = "") -> Self:
        """``orders: missing column 'customer_id'. Found: cust, date. Map it in data/mine.toml under [orders].``"""
        return cls(_joined(f"{table}: missing column '{column}'. Found: {listing(found)}.", hint))

    @classmethod
    def needs(cls, what: str, needed: str, found: str, hint: str = "") -> Self:
        """``churn: needs at least 20 customers. Found: 3.``"""
        return cls(_joined(f"{what}: needs {needed}. Found: {found}.", hint))

    @classmethod
    def no_such(cls, what: str, name: str, known: Iterable[str], where: str = "") -> Self:
        """``There is no report 'rmf'. Did you mean 'rfm'?``"""
        return cls(f"There is no {_joined(what, shown(name), where)}. {hint_at(name, known)}")

    @classmethod
    def cannot(cls, what: str, do: str, reason: Any = "", hint: str = "") -> Self:
        """``The reports folder /reports cannot be written. Permission denied. Choose another with --out.``"""
        sentence = f"{str(reason).rstrip('.')}." if reason else ""
        return cls(_joined(f"{what} cannot {do}.", sentence, hint))


def _joined(*words: str) -> str:
    return " ".join(word for word in words if word)


class ParameterError(CrmlabError, ValueError):
    """A parameter of an analysis is unknown, of the wrong type or outside its range."""

    @classmethod
    def expected(cls, analysis: str, name: str, expectation: str, got: Any) -> ParameterError:
        """``The 'bins' parameter of rfm must be between 2 and 10. Got 40 instead.``"""
        return cls.must_be(f"The '{name}' parameter of {analysis}", expectation, got)

    @classmethod
    def required(cls, analysis: str, name: str) -> ParameterError:
        """``customer_profile needs customer_id. Got nothing. Add -p customer_id=…``"""
        return cls(f"{analysis} needs {name}. Got nothing. Add -p {name}=…")

    @classmethod
    def unknown(cls, analysis: str, name: str, known: Iterable[str]) -> ParameterError:
        """``Unknown parameter 'bin' for rfm. Did you mean 'bins'?``"""
        return cls(f"Unknown parameter {shown(name)} for {analysis}. {hint_at(name, known)}")

    @classmethod
    def as_of_outside(cls, as_of: Any, first: Any, last: Any, side: str) -> ParameterError:
        where = "before the first order" if side == "before" else "after the last order"
        return cls(
            f"The 'as_of' date {as_of} is {where}. Expected a day from {first} to {last}. "
            "Leave it out to use the day of the last order."
        )

    @classmethod
    def dates_out_of_order(cls, early: str, early_value: Any, late: str, late_value: Any) -> ParameterError:
        return cls(f"'{early}' must be before '{late}'. Got {early} {early_value} and {late} {late_value}.")


class MissingTableError(CrmlabError, LookupError):
    """A canonical table was asked for that the data set does not hold."""


class NotInProjectError(CrmlabError, RuntimeError):
    """The project's folders (notebooks, data) cannot be found."""

    @classmethod
    def nowhere(cls, start: Any) -> NotInProjectError:
        return cls(
            f"No crmlab project at {start} or above it. Expected a folder with notebooks/ and data/. "
            "Change into your clone, or name it in CRMLAB_HOME."
        )

    @classmethod
    def not_own(cls, folder: Any) -> NotInProjectError:
        return cls(
            f"The crmlab project at {folder} must be your own. Found: a folder of another user, or one that others may write to. Its "
            f"notebooks would run with your rights. If you trust whoever made it, name it: CRMLAB_HOME={folder}"
        )

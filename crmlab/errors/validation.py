"""Faults that pydantic finds, in the house's grammar: what is wrong, what was expected, what was found, a hint."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Protocol, Self

from crmlab.errors.base import CrmlabError, ParameterError, hint_at, shown

__all__ = ["Expectation", "Faults", "TomlError", "parameter_error"]


class TomlError(CrmlabError, ValueError):
    """A TOML file cannot be understood. Sections are named as the file writes them: ``[orders]``, ``[[goals]]``."""

    @classmethod
    def unknown_key(cls, where: str, section: str, key: str, known: Iterable[str]) -> Self:
        """``mine.toml: unknown key 'custmer_id' under [orders]. Did you mean 'customer_id'?``"""
        place = f"under {section}" if section else "at the top"
        return cls(f"{where}: unknown key '{key}' {place}. {hint_at(key, known)}")

    @classmethod
    def expected(cls, what: str, expectation: str, got: Any, hint: str = "") -> Self:
        """``mine.toml: [orders] header must be true or false. Got 'no' instead.``"""
        return cls(f"{what} must be {expectation}. Got {shown(got)} instead.{' ' + hint if hint else ''}")


class Faults:
    """The faults of one TOML file: gathered, then told in one error, a line each, in the order of the file.

    Parameters
    ----------
    error : type of TomlError
        What is raised.
    where : str
        The file's name as messages show it.
    content : mapping
        What the file holds.

    Notes
    -----
    A fault is *at* a path into the content, such as ``("orders", "delimiter")`` or ``("cell", 0, "name")``. ``where`` may be
    changed on the way, to name a line say.

    Examples
    --------
    >>> faults = Faults(TomlError, "mine.toml", {"title": 3, "orders": {"header": "no"}})
    >>> faults.expected(("orders", "header"), "[orders]", "true or false", "no")
    >>> faults.expected(("title",), "", "a text in quotes", 3)
    >>> faults.tell()
    Traceback (most recent call last):
    crmlab.errors.validation.TomlError: mine.toml: title must be a text in quotes. Got 3 instead.
    mine.toml: [orders] header must be true or false. Got 'no' instead.
    """

    def __init__(self, error: type[TomlError], where: str, content: Mapping[str, Any]) -> None:
        self.error, self.where, self._content = error, where, content
        self._found: list[tuple[tuple[float, ...], str]] = []
        self._meant: set[tuple[str | int, ...]] = set()

    def add(self, at: tuple[str | int, ...], error: CrmlabError) -> None:
        """Add a fault that is worded already."""
        self._found.append((_place(self._content, at), str(error)))

    def expected(self, at: tuple[str | int, ...], section: str, expectation: str, got: Any) -> None:
        """Add that a key must be something else."""
        place = f"{section} {at[-1]}" if section else at[-1]
        self.add(at, self.error.expected(f"{self.where}: {place}", expectation, got))

    def unknown(self, at: tuple[str | int, ...], section: str, keys: Iterable[str], known: Collection[str]) -> None:
        """Add those of the keys of a section that are not known there."""
        for key in keys:
            if key not in known:
                self.add((*at, key), self.error.unknown_key(self.where, section, key, known))
                self._meant |= {(*at, name) for name in get_close_matches(key, known, n=1, cutoff=0.6)}

    def mistyped(self, *at: str | int) -> bool:
        """Whether an unknown key probably stands for this one: that it is not there is then no fault of its own."""
        return at in self._meant

    def declared(
        self, at: tuple[str | int, ...], section: str, faults: Iterable[Mapping[str, Any]], absent: Mapping[str, str]
    ) -> None:
        """Add what pydantic found in a section: faults as ``ValidationError.errors()`` gives them.

        ``ctx["must"]`` of a fault is what a field says that it must be, ``ctx["said"]`` a wording of the field's own; ``absent``
        has wordings for keys that are not there.
        """
        for fault in faults:
            key = str(
                [part for part in fault["loc"] if part != "[key]"][-1]
            )  # so pydantic marks what is wrong with a key itself
            context = fault.get("ctx", {})
            missing = fault["type"] == "missing"
            said = absent.get(key) if missing else context.get("said")
            if missing and self.mistyped(*at, key):
                continue
            if said:
                self.add((*at, key), self.error(f"{self.where}: {said}"))
            elif missing:
                self.expected((*at, key), section, "given", "nothing")
            else:
                self.expected((*at, key), section, context.get("must") or _must(fault), fault["input"])

    def tell(self) -> None:
        """Raise the one error that tells all faults; where there are none, do nothing."""
        if self._found:
            lines = [line for _, line in sorted(self._found, key=lambda fault: fault[0])]
            raise self.error("\n".join(dict.fromkeys(lines)))


def _place(content: Any, at: tuple[str | int, ...]) -> tuple[float, ...]:
    """Where a path stands in the file, to sort by: what is missing comes after the plain keys of its section."""
    place: list[float] = []
    for step in at:
        if not isinstance(content, dict | list):  # the value is written in short
            break
        if isinstance(content, list) and isinstance(step, int):
            place.append(step)
        elif step in content:
            place.append(list(content).index(step))
        else:
            held = content.values() if isinstance(content, dict) else content
            below = (k for k, value in enumerate(held) if isinstance(value, dict | list))
            return (*place, min(below, default=len(content)) - 0.5)
        content = content[step]
    return tuple(place)


def _must(fault: Mapping[str, Any]) -> str:
    """What a field of a plain type must be."""
    if fault["type"] == "literal_error":
        choices = re.findall("'(.*?)'", fault["ctx"]["expected"])
        return f'"{choices[0]}" or "{choices[1]}"' if len(choices) == 2 else f"one of {', '.join(choices)}"
    text = "a text in quotes"
    return {"bool_type": "true or false", "string_type": text, "string_too_short": text}[fault["type"]]


class Expectation(Protocol):
    """What a declared field says of itself."""

    @property
    def kind(self) -> str:
        """Its type in words: "a whole number"."""

    @property
    def range(self) -> str:
        """What it must be: "between 2 and 10"."""


def parameter_error(analysis: str, faults: Iterable[Mapping[str, Any]], fields: Mapping[str, Expectation]) -> ParameterError:
    """Return one error that tells every fault that was found among the parameters of an analysis, a line each.

    Parameters
    ----------
    analysis : str
        Its name.
    faults : iterable of mapping
        As ``ValidationError.errors()`` gives them: ``type``, ``loc``, ``input`` and, of a check that raised, ``ctx["error"]``.
    fields : mapping
        Name of a parameter → what it says of itself.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> fields = {"bins": SimpleNamespace(kind="a whole number", range="between 2 and 10")}
    >>> fault = {"type": "less_than_equal", "loc": ("bins",), "input": 40}
    >>> str(parameter_error("rfm", [fault], fields))
    "The 'bins' parameter of rfm must be between 2 and 10. Got 40 instead."
    """
    lines = [str(_one(analysis, fault, fields)) for fault in faults]
    return ParameterError("\n".join(dict.fromkeys(lines)))


def _one(analysis: str, fault: Mapping[str, Any], fields: Mapping[str, Expectation]) -> ParameterError:
    raised = fault.get("ctx", {}).get("error")
    if isinstance(raised, ParameterError):
        return raised  # a check of several fields words its own fault
    name = str(fault["loc"][0]) if fault["loc"] else ""
    if name not in fields:
        return ParameterError.unknown(analysis, name, fields)
    if fault["type"] == "missing":
        return ParameterError.required(analysis, name)
    wrong_type = str(fault["type"]).endswith("_type")
    return ParameterError.expected(analysis, name, fields[name].kind if wrong_type else fields[name].range, fault["input"])

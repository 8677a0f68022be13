"""Faults that pydantic finds, in the house's grammar: what is wrong, what was expected, what was found, a hint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from crmlab.errors.base import ParameterError

__all__ = ["Expectation", "parameter_error"]


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
        return ParameterError.expected(analysis, name, "given", "nothing")
    wrong_type = str(fault["type"]).endswith("_type")
    return ParameterError.expected(analysis, name, fields[name].kind if wrong_type else fields[name].range, fault["input"])

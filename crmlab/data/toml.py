"""What models of TOML files share: fields that say what they must be, and a section checked against its model.

A model is a frozen dataclass of pydantic with the configuration ``STRICT``: "5" is no number, True is no 1.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from crmlab.errors.validation import Faults

__all__ = ["STRICT", "Day", "Name", "Texts", "checked", "holds", "must", "names"]

T = TypeVar("T")
STRICT = ConfigDict(strict=True, extra="forbid")


def must(expectation: str) -> WrapValidator:
    """Say, last in ``Annotated``, what a message says that the value must be; the innermost that does not hold is told.

    Examples
    --------
    >>> from typing import Annotated
    >>> from pydantic import Field, TypeAdapter
    >>> size = TypeAdapter(Annotated[int, Field(ge=1), must("a positive whole number")])
    >>> size.validate_python(0)
    Traceback (most recent call last):
    pydantic_core._pydantic_core.ValidationError: 1 validation error for ...
      Value error, must be a positive whole number ...
    """

    def check(value: Any, inner: ValidatorFunctionWrapHandler) -> Any:
        try:
            return inner(value)
        except (ValidationError, OverflowError) as error:
            if isinstance(error, ValidationError) and any("must" in fault.get("ctx", {}) for fault in error.errors()):
                raise
            raise PydanticCustomError("must", "must be {must}", {"must": expectation}) from None

    return WrapValidator(check)


def holds(rule: Callable[[Any], bool]) -> AfterValidator:
    """A rule in ``Annotated`` that a value of the right type must keep; :func:`must` says it in words."""

    def check(value: Any) -> Any:
        if not rule(value):
            raise ValueError
        return value

    return AfterValidator(check)


def names(model: type[Any]) -> tuple[str, ...]:
    """Return the names of a model's fields."""
    return tuple(field.name for field in dataclasses.fields(model))


def checked(
    model: type[T],
    values: Mapping[str, Any],
    faults: Faults,
    at: tuple[str | int, ...],
    section: str,
    absent: Mapping[str, str] | None = None,
    **given: Any,
) -> T | None:
    """Make a model of a section's values; where that fails, its faults are added, and nothing is returned.

    Parameters
    ----------
    model : type
        A dataclass of pydantic.
    values : mapping
        What the section says.
    faults : Faults
    at : tuple
        The section's path in the file.
    section : str
        The section as messages write it, such as ``[orders]``.
    absent : mapping, optional
        What is said of keys that are not there; default: that they must be given.
    **given
        Fields that are not from the file, and are checked like the others.
    """
    known = names(model)
    faults.unknown(at, section, values, known)
    try:
        return model(**{key: value for key, value in values.items() if key in known}, **given)
    except ValidationError as error:
        faults.declared(at, section, error.errors(include_url=False), absent or {})
        return None


# Fields that several sections have.
Name = Annotated[str, Field(min_length=1)]
Texts = Annotated[tuple[Name, ...], Field(strict=False), must('a list of texts, such as ["a", "b"]')]
Day = Annotated[
    dt.date,
    BeforeValidator(lambda value: dt.date.fromisoformat(value) if isinstance(value, str) else value),
    must("a day such as 2024-12-31"),
]

"""Checks that the ``Params`` of analyses share. Each raises :class:`~crmlab.errors.ParameterError`."""

from __future__ import annotations

import dataclasses
import datetime as dt
import inspect
import io
import tokenize
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from crmlab.errors import ParameterError

__all__ = ["REQUIRED", "Spec", "build", "choice", "convert", "day", "plain", "positive", "share", "specs", "whole"]


REQUIRED = dataclasses.MISSING


def whole(analysis: str, name: str, value: Any, low: int, high: int | None = None) -> None:
    """Check a whole number between two bounds, both included.

    Examples
    --------
    >>> whole("rfm", "bins", 40, 2, 10)
    Traceback (most recent call last):
    crmlab.errors.ParameterError: The 'bins' parameter of rfm must be between 2 and 10. Got 40 instead.
    """
    expectation = f"between {low} and {high}" if high is not None else f"a whole number of at least {low}"
    if not isinstance(value, int) or isinstance(value, bool):
        raise ParameterError.expected(analysis, name, f"a whole number, {expectation}" if high else expectation, value)
    if value < low or (high is not None and value > high):
        raise ParameterError.expected(analysis, name, expectation, value)


def share(analysis: str, name: str, value: Any) -> None:
    """Check a share strictly between 0 and 1."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < 1:
        raise ParameterError.expected(analysis, name, "between 0 and 1, both excluded", value)


def day(analysis: str, name: str, value: Any) -> dt.date | None:
    """Check an ISO date or None, and return it as a date."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            pass
    raise ParameterError.expected(analysis, name, "a date such as 2024-12-31", value)


def positive(analysis: str, name: str, value: Any, high: float | None = None) -> None:
    """Check a finite number above 0, and at most ``high``."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 < value < float("inf") or (high is not None and value > high):
        expectation = "a number above 0" if high is None else f"above 0 and at most {high:g}"
        raise ParameterError.expected(analysis, name, expectation, value)


def choice(analysis: str, name: str, value: Any, options: Sequence[str]) -> None:
    """Check that a text is one of several."""
    if value not in options:
        raise ParameterError.expected(analysis, name, f"one of {', '.join(options)}", value)


@dataclass(frozen=True)
class Spec:
    """One parameter: name, type, default (``REQUIRED`` where there is none) and help."""

    name: str
    type: Any
    default: Any
    help: str

    @property
    def type_name(self) -> str:
        """The type as people write it."""
        return str(self.type) if get_origin(self.type) else getattr(self.type, "__name__", str(self.type))


def specs(params: type[Any]) -> tuple[Spec, ...]:
    """Return the parameters of a Params class, in order.

    Examples
    --------
    >>> from crmlab.analyses.rfm import Params
    >>> spec = specs(Params)[2]
    >>> spec.name, spec.default, spec.help
    ('bins', 5, 'score bins per dimension, 2 to 10')
    """
    hints = get_type_hints(params)
    comments = _comments(params)
    result = []
    for field in dataclasses.fields(params):
        default = field.default
        if default is dataclasses.MISSING and field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        result.append(Spec(field.name, hints[field.name], default, comments.get(field.name, "")))
    return tuple(result)


def build(analysis: str, params: type[Any], values: Mapping[str, Any]) -> Any:
    """Make checked Params from given values.

    Parameters
    ----------
    analysis : str
        Name of the report, for messages.
    params : type
        The Params class.
    values : mapping
        Given values; texts (from a command line) are brought to the field's type.

    Returns
    -------
    Params

    Raises
    ------
    ParameterError
        Unknown name, wrong type, out of range, or a required one missing.

    Examples
    --------
    >>> from crmlab.analyses.rfm import Params
    >>> build("rfm", Params, {"bins": "4"}).bins
    4
    >>> build("rfm", Params, {"bin": 4})
    Traceback (most recent call last):
    crmlab.errors.ParameterError: Unknown parameter 'bin' for rfm. Did you mean 'bins'?
    """
    known = {spec.name: spec for spec in specs(params)}
    converted = {}
    for name, value in values.items():
        if name not in known:
            raise ParameterError.unknown(analysis, name, known)
        converted[name] = convert(analysis, known[name], value)
    for spec in known.values():
        if spec.default is REQUIRED and spec.name not in converted:
            raise ParameterError.expected(analysis, spec.name, "given", "nothing")
    return params(**converted)


def convert(analysis: str, spec: Spec, value: Any) -> Any:
    """Bring one value to the type of its parameter.

    Raises
    ------
    ParameterError
        It cannot be.
    """
    kind, optional = _unwrap(spec.type)
    if value is None or (optional and isinstance(value, str) and value.strip().lower() in ("none", "")):
        if optional:
            return None
        raise ParameterError.expected(analysis, spec.name, _words(kind), value)
    try:
        return _converted(kind, value)
    except (TypeError, ValueError) as error:
        raise ParameterError.expected(analysis, spec.name, _words(kind), value) from error


def _unwrap(kind: Any) -> tuple[Any, bool]:
    if get_origin(kind) in (Union, types.UnionType):
        rest = [arg for arg in get_args(kind) if arg is not type(None)]
        return rest[0], len(rest) < len(get_args(kind))
    return kind, False


def _converted(kind: Any, value: Any) -> Any:
    if get_origin(kind) is tuple:
        inner = get_args(kind)[0]
        items = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else list(value)
        return tuple(_converted(inner, item) for item in items)
    if kind is bool:
        if isinstance(value, bool):
            return value
        return (
            {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[str(value).lower()]
            if (str(value).lower() in ("true", "yes", "1", "false", "no", "0"))
            else _refuse()
        )
    if kind is int:
        if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
            _refuse()
        return int(value)
    if kind is float:
        if isinstance(value, bool):
            _refuse()
        return float(value)
    if kind is str:
        return value if isinstance(value, str) else _refuse()
    return value


def _refuse() -> Any:
    raise ValueError


def _words(kind: Any) -> str:
    if get_origin(kind) is tuple:
        return "a list, with commas between"
    return {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}.get(kind, str(kind))


def plain(params: Any) -> dict[str, Any]:
    """Return the values of a Params as plain JSON values.

    Examples
    --------
    >>> from crmlab.analyses.rfm import Params
    >>> plain(Params())["bins"]
    5
    """
    return {
        field.name: list(value) if isinstance(value := getattr(params, field.name), tuple) else value
        for field in dataclasses.fields(params)
    }


def _comments(params: type[Any]) -> dict[str, str]:
    """The comment behind each field of a dataclass, from its source."""
    source = inspect.cleandoc("\n" + inspect.getsource(params))
    result: dict[str, str] = {}
    name, depth = None, 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
        if token.type == tokenize.NAME and token.start[1] == 4 and depth == 0:
            name = token.string
        elif token.type == tokenize.COMMENT and name is not None and token.start[1] > 4:
            result.setdefault(name, token.string.lstrip("# ").strip())
        elif token.type == tokenize.NEWLINE:
            name = None
    return result

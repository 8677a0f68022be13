"""What an analyst may choose: declared fields, from which the notebook's cell, help, forms and messages are made.

``Params`` of an analysis is a frozen class whose fields :func:`param` declares: type, default, help, unit and bounds as data.
pydantic checks them in strict mode: "5" is no number, True is no 1, and every fault is told at once.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, Literal, TypeVar, Union, dataclass_transform, get_args, get_origin, get_type_hints

from pydantic import AfterValidator, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass as validated

from crmlab.errors import CrmlabError, ParameterError
from crmlab.errors.validation import parameter_error

__all__ = ["REQUIRED", "Day", "Spec", "build", "convert", "declared", "param", "plain", "specs"]

T = TypeVar("T")
REQUIRED = dataclasses.MISSING


def _is_day(text: str) -> str:
    dt.date.fromisoformat(text)
    return text


_DAY_WORDS = "a date such as 2024-12-31"
Day = Annotated[str, AfterValidator(_is_day)]  # an ISO date; a text, so that it stands in a notebook's cell as it is


def param(
    *,
    default: Any = REQUIRED,
    help: str,
    unit: str = "",
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    must: str = "",
) -> Any:
    """Declare one parameter.

    Parameters
    ----------
    default : object
        Without one, the parameter must be given.
    help : str
        What it is, for the notebook's cell, ``crmlab describe`` and forms.
    unit : str
        What it is counted in: "days", "customers", "share".
    ge, gt, le, lt : float, optional
        Bounds of a number: at least, above, at most, below.
    must : str
        What the message says that it must be, where type and bounds do not say it well.
    """
    bounds: dict[str, Any] = {
        name: bound for name, bound in {"ge": ge, "gt": gt, "le": le, "lt": lt}.items() if bound is not None
    }
    if bounds:
        bounds["allow_inf_nan"] = False
    if default is not REQUIRED:
        bounds["default"] = default
    return Field(description=help, json_schema_extra={"unit": unit, "must": must}, **bounds)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(param,))
def declared(analysis: str) -> Callable[[type[T]], type[T]]:
    """Make a class of declared fields the Params of an analysis: frozen, keywords only, checked when it is made.

    A check of several fields together stands in ``__post_init__`` and raises :class:`~crmlab.errors.ParameterError`.

    Parameters
    ----------
    analysis : str
        Name of the report, for messages.

    Raises
    ------
    ParameterError
        By the class that is returned, when it is made with a name, type or value that it does not take.

    Examples
    --------
    >>> @declared("rfm")
    ... class Params:
    ...     bins: int = param(default=5, help="score bins per dimension, 2 to 10", ge=2, le=10)
    >>> Params(bins=4).bins
    4
    >>> Params(bins="4")
    Traceback (most recent call last):
    crmlab.errors.ParameterError: The 'bins' parameter of rfm must be a whole number. Got '4' instead.
    """

    def made(plainly: type[T]) -> type[T]:
        cls: Any = validated(frozen=True, kw_only=True, config=ConfigDict(strict=True, extra="forbid"))(plainly)
        check = cls.__init__

        @wraps(check)
        def init(self: Any, /, **values: Any) -> None:
            try:
                check(self, **values)
            except ValidationError as error:
                for raised in (fault.get("ctx", {}).get("error") for fault in error.errors(include_url=False)):
                    if isinstance(raised, CrmlabError) and not isinstance(raised, ParameterError):
                        raise raised from None  # a check of several fields that asked somebody who words it better
                known = {spec.name: spec for spec in specs(cls)}
                raise parameter_error(analysis, error.errors(include_url=False), known) from None

        cls.__init__ = init
        return cls

    return made


@dataclass(frozen=True)
class Spec:
    """One parameter: name, type, default (``REQUIRED`` where there is none), help, unit, choices and bounds."""

    name: str
    type: Any
    default: Any
    help: str
    unit: str = ""
    choices: tuple[Any, ...] = ()
    bounds: Mapping[str, float] = dataclasses.field(default_factory=dict)
    must: str = ""

    @property
    def type_name(self) -> str:
        """The type as people write it."""
        return str(self.type) if get_origin(self.type) else getattr(self.type, "__name__", str(self.type))

    @property
    def kind(self) -> str:
        """The type in words."""
        return self.must or _words(_unwrap(self.type)[0])

    @property
    def range(self) -> str:
        """What a value must be, in words that follow "must be"."""
        if self.must:
            return self.must
        if self.choices:
            return f"one of {', '.join(map(str, self.choices))}"
        low, above = self.bounds.get("ge"), self.bounds.get("gt")
        high, below = self.bounds.get("le"), self.bounds.get("lt")
        if above is not None and below is not None:
            return f"between {above:g} and {below:g}, both excluded"
        if low is not None and high is not None:
            return f"between {low:g} and {high:g}"
        parts = [
            f"{words} {bound:g}"
            for words, bound in (("at least", low), ("above", above), ("at most", high), ("under", below))
            if bound is not None
        ]
        if len(parts) == 1:
            of = "of " if low is not None or high is not None else ""
            return f"{self.kind} {of}{parts[0]}"
        return " and ".join(parts) or self.kind


def specs(params: type[Any]) -> tuple[Spec, ...]:
    """Return the parameters of a Params class, in order.

    Examples
    --------
    >>> from crmlab.analyses.rfm import Params
    >>> spec = specs(Params)[2]
    >>> spec.name, spec.default, spec.help
    ('bins', 5, 'score bins per dimension, 2 to 10')
    """
    hints, whole = get_type_hints(params), get_type_hints(params, include_extras=True)
    result = []
    for name, field in params.__pydantic_fields__.items():
        kind, optional = _unwrap(hints[name])
        is_day = Day in (whole[name], *get_args(whole[name]))
        choices = get_args(kind) if get_origin(kind) is Literal else ()
        if choices:
            kind = type(choices[0])
        bounds = {
            bound: float(getattr(item, bound))
            for item in field.metadata
            for bound in ("ge", "gt", "le", "lt")
            if hasattr(item, bound)
        }
        extra = field.json_schema_extra or {}
        default = REQUIRED if field.is_required() else field.default
        result.append(
            Spec(
                name,
                kind | None if optional else kind,
                default,
                field.description or "",
                extra.get("unit", ""),
                choices,
                bounds,
                extra.get("must", "") or (_DAY_WORDS if is_day else ""),
            )
        )
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
        Unknown name, wrong type, out of range, or a required one missing; every fault of the values is told.

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
    for name in values:
        if name not in known:
            raise ParameterError.unknown(analysis, name, known)
    return params(**{name: convert(known[name], value) for name, value in values.items()})


def convert(spec: Spec, value: Any) -> Any:
    """Bring a text of a command line, or a value of a TOML or JSON file, to the type of its parameter.

    What cannot be brought there is returned as it is: the Params then say what is wrong with it.
    """
    kind, optional = _unwrap(spec.type)
    if optional and isinstance(value, str) and value.strip().lower() in ("none", ""):
        return None
    try:
        return _converted(kind, value)
    except (TypeError, ValueError):
        return value


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


def _unwrap(kind: Any) -> tuple[Any, bool]:
    if get_origin(kind) in (Union, types.UnionType):
        rest = [arg for arg in get_args(kind) if arg is not type(None)]
        return rest[0], len(rest) < len(get_args(kind))
    return kind, False


_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _converted(kind: Any, value: Any) -> Any:
    if get_origin(kind) is tuple:
        items = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else list(value)
        return tuple(_converted(get_args(kind)[0], item) for item in items)
    if isinstance(value, str):
        if kind is bool:
            return _FLAGS.get(value.strip().lower(), value)
        return kind(value) if kind in (int, float) else value
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)  # JSON and notebooks write 3 as 3.0
    return value


def _words(kind: Any) -> str:
    if get_origin(kind) is tuple:
        return "a list, with commas between"
    return {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}.get(kind, str(kind))

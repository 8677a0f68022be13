"""Where the records of a data set are: the section ``[source]`` of its TOML file, and what each kind of source asks for."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from crmlab.data.toml import STRICT, checked, must, names
from crmlab.errors.validation import Faults

__all__ = ["SOURCE_KINDS", "is_section", "parse_source"]


def _variable(name: Any) -> str:
    if isinstance(name, str) and name.isidentifier():
        return name
    # What was found there may be an address with a password.
    said = (
        "[source] url_env must be the name of an environment variable. Got something else, which is not shown. "
        "Addresses and passwords are never written into the TOML file."
    )
    raise PydanticCustomError("said", "{said}", {"said": said})


_Size = Annotated[int, Field(ge=1), must("a positive whole number")]
_Seed = Annotated[int, Field(ge=0), must("a positive whole number")]


@dataclass(frozen=True, config=STRICT)
class _Nothing:
    """The rest of ``[source]`` where its kind says all."""


@dataclass(frozen=True, config=STRICT)
class _DuckDB:
    file: Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, config=STRICT)
class _Postgres:
    url_env: Annotated[str, BeforeValidator(_variable)]


@dataclass(frozen=True, config=STRICT)
class _Donors:
    customers: _Size | None = None
    seed: _Seed | None = None


@dataclass(frozen=True, config=STRICT)
class _Shop(_Donors):
    dirty: bool | None = None
    campaigns: bool | None = None


_SOURCES: dict[str, type[Any]] = {
    "files": _Nothing,
    "duckdb": _DuckDB,
    "postgres": _Postgres,
    "spark": _Nothing,
    "shop": _Shop,
    "donors": _Donors,
    "club": _Donors,
}
SOURCE_KINDS = tuple(_SOURCES)


def is_section(content: Any, key: str, faults: Faults) -> bool:
    """Whether a part of the file is a section; a fault where it is not."""
    if not isinstance(content, dict):
        faults.expected((key,), "", "a section", content)
    return isinstance(content, dict)


def parse_source(content: Any, faults: Faults) -> dict[str, Any] | None:
    """Check where the records are.

    Parameters
    ----------
    content : Any
        What the file says under ``[source]``.
    faults : Faults
        Gets what is wrong.

    Returns
    -------
    dict or None
        The section with its kind; None where not even the kind of source is known.
    """
    if not is_section(content, "source", faults):
        return None
    kind = content.get("kind", "files")
    if kind not in SOURCE_KINDS:
        faults.expected(("source", "kind"), "[source]", f"one of {', '.join(SOURCE_KINDS)}", kind)
        return None
    mistyped = "kind" not in content and bool(get_close_matches("kind", content, n=1))
    options = [key for of, model in _SOURCES.items() for key in names(model) if mistyped or of == kind]
    faults.unknown(("source",), "[source]", content, ("kind", *options))
    if mistyped:
        return None
    checked(_SOURCES[kind], {key: content[key] for key in options if key in content}, faults, ("source",), "[source]")
    return {**content, "kind": kind}

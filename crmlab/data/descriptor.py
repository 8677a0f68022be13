"""What the TOML file of a data set may say: every key, checked.

At the top: how amounts and days are to be read. Then one section per canonical table, saying where its records are and
which column is which. An unknown key is an error, and so is one that could not take effect.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from crmlab.data.goals import Goal, parse_goals
from crmlab.data.tables import TABLES
from crmlab.errors import DescriptorError

__all__ = ["LEAST_CUSTOMERS", "SIMULATED", "SOURCE_KINDS", "Descriptor", "ReportSection", "TableSection", "parse"]

SOURCE_KINDS = ("files", "duckdb", "postgres", "spark", "shop", "donors")
# Simulated data sets, and the tables that each gives itself.
SIMULATED = {
    "shop": ("order_lines", "products", "customers", "cells", "contacts", "responses"),
    "donors": ("orders", "customers"),
}
LEAST_CUSTOMERS = 100  # a smaller simulated shop sends no campaigns: its lists would be too short


@dataclass(frozen=True)
class TableSection:
    """One section of a descriptor: where a table is, and which column is which.

    ``columns`` maps canonical names to the source's. The rest says how a file is read; None means: as it comes.
    """

    table: str
    columns: Mapping[str, str] = field(default_factory=dict)
    file: tuple[str, ...] = ()  # alternatives: the first that exists is read
    package: str | None = None  # an installed Python package that the file belongs to
    from_table: str | None = None  # table of a database, or schema.table
    sheet: str | None = None  # sheet of a workbook; default: the first
    delimiter: str | None = None  # "whitespace" for runs of blanks
    encoding: str | None = None
    header: bool = True
    names: tuple[str, ...] = ()  # the file's column names where it has no header
    decimal: str = "."
    date_format: str | None = None  # strptime form, such as %d/%m/%Y
    attributes: tuple[str, ...] | None = None  # customers only: columns kept; default: all
    personal: tuple[str, ...] = ()  # customers only: columns that must never be shown


@dataclass(frozen=True)
class ReportSection:
    """The section ``[report]``: how pages of the data set look. ``logo`` is a file beside the TOML file."""

    title: str = ""
    logo: str = ""
    contact: str = ""
    language: Literal["en", "de", "es", "fr"] = "en"  # form of numbers and dates
    lists: tuple[str, ...] = ()  # further forms of customer lists: "xlsx"


@dataclass(frozen=True)
class Descriptor:
    """A data set as its TOML file describes it. ``where`` is the file's name as messages show it."""

    name: str
    where: str
    folder: Path
    title: str
    currency: str = ""
    timezone: str = "UTC"
    description: str = ""
    licence: str = ""
    customer: str = "one customer is one customer_id"
    returns: Literal["net", "drop"] = "net"
    free_orders: Literal["count", "ignore"] = "count"
    missing_customer: Literal["drop", "error"] = "drop"
    bad_rows: Literal["error", "drop"] = "error"
    duplicates: Literal["keep", "drop"] = "keep"
    rounds: Literal["none", "year"] = "none"  # whether people may buy (give) at any time, or once in each year
    not_products: tuple[str, ...] = ()
    source: Mapping[str, Any] = field(default_factory=lambda: {"kind": "files"})
    tables: Mapping[str, TableSection] = field(default_factory=dict)
    report: ReportSection = field(default_factory=ReportSection)
    goals: tuple[Goal, ...] = ()

    @property
    def kind(self) -> str:
        """Where the records are: one of ``SOURCE_KINDS``."""
        return str(self.source["kind"])


_CHOICES: dict[str, tuple[str, ...]] = {
    "returns": ("net", "drop"),
    "free_orders": ("count", "ignore"),
    "missing_customer": ("drop", "error"),
    "bad_rows": ("error", "drop"),
    "duplicates": ("keep", "drop"),
    "rounds": ("none", "year"),
}
_TEXTS = ("title", "currency", "timezone", "description", "licence", "customer")
_SOURCE_KEYS = {
    "files": ("kind",),
    "duckdb": ("kind", "file"),
    "postgres": ("kind", "url_env"),
    "spark": ("kind",),
    "shop": ("kind", "customers", "seed", "dirty", "campaigns"),
    "donors": ("kind", "customers", "seed"),
}
_READING = ("decimal", "date_format")
_FILE_KEYS = ("file", "package", "sheet", "delimiter", "encoding", "header", "names", *_READING)
# Options that take effect, by kind of source. Values of a database have types already; a DuckDB file is often a pile of text.
_SECTION_KEYS = {
    "files": _FILE_KEYS,
    "duckdb": ("from_table", *_READING),
    "postgres": ("from_table",),
    "spark": ("from_table",),
    "shop": (),
    "donors": (),
}
_CUSTOMER_ONLY = ("attributes", "personal")
_DELIMITER_WORDS = ("whitespace", "tab", "\\t")


def parse(content: Mapping[str, Any], *, name: str, where: str, folder: Path) -> Descriptor:
    """Turn the content of a TOML file into a checked :class:`Descriptor`.

    Parameters
    ----------
    content : mapping
        The file's content.
    name, where : str
        Name of the data set, and the file's name as messages show it.
    folder : Path
        Where the file lies: relative names are looked for there.

    Returns
    -------
    Descriptor

    Raises
    ------
    DescriptorError
        An unknown key, or a value of the wrong type or out of range.

    Examples
    --------
    >>> parse({"orders": {"file": "o.csv"}}, name="mine", where="mine.toml", folder=Path()).tables["orders"].file
    ('o.csv',)
    """
    known = (*_TEXTS, *_CHOICES, "not_products", "source", "report", "goals", *TABLES)
    for key in content:
        if key not in known:
            raise DescriptorError.unknown_key(where, "", key, known)
    for key in _TEXTS:
        _check(where, "", key, content.get(key, ""), isinstance(content.get(key, ""), str), "a text in quotes")
    for key, options in _CHOICES.items():
        value = content.get(key, options[0])
        _check(where, "", key, value, value in options, f'"{options[0]}" or "{options[1]}"')
    _check_timezone(where, content.get("timezone", "UTC"))
    values = {key: content[key] for key in (*_TEXTS, *_CHOICES) if key in content}
    if not values.get("title", "").strip():
        values["title"] = name.replace("_", " ").capitalize()
    source = _parse_source(content.get("source", {}), where)
    kind = source["kind"]
    tables = {table: _parse_section(table, content[table], where, kind) for table in TABLES if table in content}
    if not tables and kind not in SIMULATED:
        raise DescriptorError.no_tables(where, TABLES)
    return Descriptor(
        name=name,
        where=where,
        folder=folder,
        not_products=_texts(where, "", "not_products", content.get("not_products", [])),
        source=source,
        tables=tables,
        report=_parse_report(content.get("report", {}), where, folder),
        goals=parse_goals(content.get("goals", []), where),
        **values,
    )


def _check(where: str, section: str, key: str, value: Any, ok: bool, expectation: str) -> None:
    if not ok:
        raise DescriptorError.expected(where, section, key, expectation, value)


def _texts(where: str, section: str, key: str, value: Any) -> tuple[str, ...]:
    ok = isinstance(value, list) and all(isinstance(item, str) and item for item in value)
    _check(where, section, key, value, ok, 'a list of texts, such as ["a", "b"]')
    return tuple(value)


def _check_timezone(where: str, value: str) -> None:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(value)
        good = value != "localtime"  # another zone on every machine
    except Exception:
        good = False
    _check(where, "", "timezone", value, good, 'a name such as "Europe/London"')


def _parse_source(content: Any, where: str) -> Mapping[str, Any]:
    _check(where, "", "source", content, isinstance(content, dict), "a section")
    kind = content.get("kind", "files")
    _check(where, "source", "kind", kind, kind in SOURCE_KINDS, f"one of {', '.join(SOURCE_KINDS)}")
    for key, value in content.items():
        if key not in _SOURCE_KEYS[kind]:
            raise DescriptorError.unknown_key(where, "source", key, _SOURCE_KEYS[kind])
        if key in ("customers", "seed"):
            good = isinstance(value, int) and not isinstance(value, bool) and value >= (1 if key == "customers" else 0)
            _check(where, "source", key, value, good, "a positive whole number")
        elif key in ("dirty", "campaigns"):
            _check(where, "source", key, value, isinstance(value, bool), "true or false")
        elif key == "url_env" and (not isinstance(value, str) or not value.isidentifier()):
            raise DescriptorError.no_variable(where)
        else:
            _check(where, "source", key, value, isinstance(value, str) and bool(value), "a text in quotes")
    for key in ("file", "url_env"):
        if key in _SOURCE_KEYS[kind]:
            _check(where, "source", key, content.get(key, "nothing"), key in content, "given")
    return {**content, "kind": kind}


def _parse_report(content: Any, where: str, folder: Path) -> ReportSection:
    _check(where, "", "report", content, isinstance(content, dict), "a section")
    known = tuple(item.name for item in fields(ReportSection))
    for key, value in content.items():
        if key not in known:
            raise DescriptorError.unknown_key(where, "report", key, known)
        if key == "lists":
            _check(where, "report", key, value, value in ([], ["xlsx"]), '["xlsx"] or left out')
        else:
            _check(where, "report", key, value, isinstance(value, str), "a text in quotes")
    language = content.get("language", "en")
    _check(where, "report", "language", language, language in ("en", "de", "es", "fr"), "one of en, de, es, fr")
    logo = content.get("logo", "")
    if logo:
        form = Path(logo).suffix.lower() in (".png", ".svg", ".jpg", ".jpeg")
        _check(where, "report", "logo", logo, form and (folder / logo).is_file(), "a png, svg or jpg file beside it")
    return ReportSection(**{**content, "lists": tuple(content.get("lists", ()))})


def _parse_section(table: str, content: Any, where: str, kind: str) -> TableSection:
    _check(where, "", table, content, isinstance(content, dict), "a section")
    options = (*_SECTION_KEYS[kind], *(_CUSTOMER_ONLY if table == "customers" else ()))
    columns = [column.name for column in TABLES[table].columns]
    given: dict[str, Any] = {}
    mapping: dict[str, str] = {}
    for key, value in content.items():
        if key in columns:
            _check(where, table, key, value, isinstance(value, str) and bool(value), "a column name in quotes")
            mapping[key] = value
        elif key not in options:
            raise DescriptorError.unknown_key(where, table, key, [*columns, *options])
        else:
            given[key] = _option(where, table, key, value)
    if given.get("names") and given.get("header", True):
        raise DescriptorError.expected(where, table, "names", "used together with header = false", list(given["names"]))
    for column, mapped in mapping.items():
        if mapped in given.get("personal", ()):
            raise DescriptorError.personal_used(where, table, mapped, column)
    return TableSection(table, mapping, **given)


def _option(where: str, table: str, key: str, value: Any) -> Any:
    """One checked option of a table's section."""

    def check(ok: bool, expectation: str) -> None:
        _check(where, table, key, value, ok, expectation)

    text = isinstance(value, str) and bool(value)
    if key == "file":
        names = [value] if isinstance(value, str) else value
        good = isinstance(names, list) and bool(names) and all(map(_is_file_name, names))
        check(good, "the name of a file, or a list of such names")
        return tuple(names)
    if key in ("names", "attributes", "personal"):
        return _texts(where, table, key, value)
    if key == "header":
        check(isinstance(value, bool), "true or false")
    elif key == "decimal":
        check(value in (".", ","), '"." or ","')
    elif key == "package":
        check(text and value.isidentifier(), "the name of an installed package")
    elif key == "encoding":
        check(text and _is_encoding(value), 'an encoding such as "cp1252"')
    elif key == "delimiter":
        good = text and (value in _DELIMITER_WORDS or (len(value) == 1 and value not in '"\r\n\0'))
        check(good, 'one character, "tab" or "whitespace"')
    elif key == "date_format":
        # A form without a year would put every order into 1900.
        check(text and any(part in value for part in ("%Y", "%y", "%c", "%x")), 'a form with a year, such as "%d/%m/%Y"')
    else:
        check(text, "a text in quotes")
    return value


def _is_file_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value


def _is_encoding(value: str) -> bool:
    try:
        return codecs.lookup(value)._is_text_encoding
    except (LookupError, ValueError):
        return False

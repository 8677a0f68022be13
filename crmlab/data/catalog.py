"""Reads ``data/*.toml``: the named data sets.

A data set is one TOML file. At the top: how amounts and days are to be read. Then one section per canonical table,
saying where its records are and which column is which. Every key is checked; an unknown one is an error.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from crmlab.data.project import home, private_data
from crmlab.data.tables import TABLES
from crmlab.errors import DescriptorError

SOURCE_KINDS = ("files", "duckdb", "postgres", "spark", "shop")


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
    not_products: tuple[str, ...] = ()
    source: Mapping[str, Any] = field(default_factory=lambda: {"kind": "files"})
    tables: Mapping[str, TableSection] = field(default_factory=dict)
    report: ReportSection = field(default_factory=ReportSection)

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
}
_TEXTS = ("title", "currency", "timezone", "description", "licence", "customer")
_SOURCE_KEYS = {
    "files": ("kind",),
    "duckdb": ("kind", "file"),
    "postgres": ("kind", "url_env"),
    "spark": ("kind",),
    "shop": ("kind", "customers", "seed", "dirty"),
}
_SECTION_TEXTS = ("package", "from_table", "sheet", "delimiter", "encoding", "date_format")
_CUSTOMER_ONLY = ("attributes", "personal")


def dataset_names() -> list[str]:
    """Return the names of the data sets in ``data/``, sorted.

    Examples
    --------
    >>> "cdnow" in dataset_names()
    True
    """
    return sorted(path.stem for path in (home() / "data").glob("*.toml"))


def find(name_or_path: str | os.PathLike[str]) -> Path:
    """Return the TOML file of a data set.

    Parameters
    ----------
    name_or_path : str or path
        A name in ``data/``, or the path of a file that ends in ``.toml``.

    Raises
    ------
    DescriptorError
        Where there is none; the message hints at a similar name.
    """
    text = os.fspath(name_or_path)
    if not text.endswith(".toml"):
        path = home() / "data" / f"{text}.toml"
        if "/" in text or "\\" in text or not path.is_file():
            raise DescriptorError.unknown_dataset(text, dataset_names())
        return path
    for path in (Path(text), home() / text, home() / "data" / text):
        if path.is_file():
            return path
    raise DescriptorError.no_file(text)


def load(name_or_path: str | os.PathLike[str]) -> Descriptor:
    """Read and check the descriptor of a data set.

    Parameters
    ----------
    name_or_path : str or path
        A name in ``data/``, or the path of a TOML file.

    Returns
    -------
    Descriptor

    Raises
    ------
    DescriptorError
        No such file, not TOML, an unknown key, a value out of range.

    Examples
    --------
    >>> load("cdnow").currency
    'USD'
    """
    path = find(name_or_path)
    where = _shown_path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DescriptorError.not_toml(where, error) from error
    return parse(content, name=path.stem, where=where, folder=path.parent)


def parse(content: Mapping[str, Any], *, name: str, where: str, folder: Path) -> Descriptor:
    """Turn the content of a TOML file into a checked :class:`Descriptor`."""
    known = (*_TEXTS, *_CHOICES, "not_products", "source", "report", *TABLES)
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
    tables = {table: _parse_section(table, content[table], where) for table in TABLES if table in content}
    if not tables and source["kind"] != "shop":
        raise DescriptorError.no_tables(where, TABLES)
    return Descriptor(
        name=name,
        where=where,
        folder=folder,
        not_products=_texts(where, "", "not_products", content.get("not_products", [])),
        source=source,
        tables=tables,
        report=_parse_report(content.get("report", {}), where, folder),
        **values,
    )


def locate(section: TableSection, folder: Path) -> tuple[Path | None, list[Path]]:
    """Find the file of a section.

    A relative name is looked for beside the TOML file, then in the folder of the user's own data; a name of a package
    in that package's folder. Folders and globs of Parquet files count as found where they hold at least one.

    Returns
    -------
    (path or None, folders looked in)
    """
    if section.package:
        from importlib.util import find_spec

        spec = find_spec(section.package)
        roots = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    else:
        roots = [folder, private_data()]
    for name in section.file:
        for root in roots:
            path = root / Path(name).expanduser()
            if path.exists() or (any(c in name for c in "*?[") and any(path.parent.glob(path.name))):
                return path, roots
    return None, roots


def _shown_path(path: Path) -> str:
    """A path as messages show it: relative to the project or the working folder where it lies inside."""
    resolved = path.resolve()
    for base in (Path.cwd(), home()):
        if resolved.is_relative_to(base.resolve()):
            return resolved.relative_to(base.resolve()).as_posix()
    return path.name


def _check(where: str, section: str, key: str, value: Any, ok: bool, expectation: str) -> None:
    if not ok:
        raise DescriptorError.expected(where, section, key, expectation, value)


def _texts(where: str, section: str, key: str, value: Any) -> tuple[str, ...]:
    ok = isinstance(value, list) and all(isinstance(item, str) for item in value)
    _check(where, section, key, value, ok, 'a list of texts, such as ["a", "b"]')
    return tuple(value)


def _check_timezone(where: str, value: str) -> None:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(value)
    except Exception as error:
        raise DescriptorError.expected(where, "", "timezone", 'a name such as "Europe/London"', value) from error


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
        elif key == "dirty":
            _check(where, "source", key, value, isinstance(value, bool), "true or false")
        else:
            _check(where, "source", key, value, isinstance(value, str), "a text in quotes")
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


def _parse_section(table: str, content: Any, where: str) -> TableSection:
    _check(where, "", table, content, isinstance(content, dict), "a section")
    options = {item.name for item in fields(TableSection)} - {"table", "columns"}
    if table != "customers":
        options -= set(_CUSTOMER_ONLY)
    columns = [column.name for column in TABLES[table].columns]
    given: dict[str, Any] = {}
    mapping: dict[str, str] = {}
    for key, value in content.items():
        if key in columns:
            _check(where, table, key, value, isinstance(value, str) and bool(value), "a column name in quotes")
            mapping[key] = value
        elif key not in options:
            raise DescriptorError.unknown_key(where, table, key, [*columns, *options])
        elif key == "file":
            _check(where, table, key, value, bool(value), "the name of a file")
            given[key] = (value,) if isinstance(value, str) else _texts(where, table, key, value)
        elif key in ("names", "attributes", "personal"):
            given[key] = _texts(where, table, key, value)
        elif key == "header":
            _check(where, table, key, value, isinstance(value, bool), "true or false")
            given[key] = value
        elif key == "decimal":
            _check(where, table, key, value, value in (".", ","), '"." or ","')
            given[key] = value
        else:
            assert key in _SECTION_TEXTS
            _check(where, table, key, value, isinstance(value, str) and bool(value), "a text in quotes")
            given[key] = value
    return TableSection(table, mapping, **given)

"""What the TOML file of a data set may say: every key, checked.

At the top: how amounts and days are to be read. Then one section per canonical table, saying where its records are and
which column is which. An unknown key is an error, and so is one that could not take effect.
"""

from __future__ import annotations

import codecs
import datetime as dt
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field, replace
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from crmlab.data.outcome_section import TEST_KEYS, TestSection, parse_test
from crmlab.data.season import Season, parse_season
from crmlab.data.sections import SECTIONS, Section, header_lines
from crmlab.data.source_section import is_section, parse_source
from crmlab.data.tables import TABLES, TableSpec
from crmlab.data.toml import STRICT, checked, holds, must, names
from crmlab.errors import DescriptorError, listing
from crmlab.errors.validation import Faults

__all__ = [
    "DROPPED",
    "LEAST_CUSTOMERS",
    "SIMULATED",
    "CampaignsSection",
    "Descriptor",
    "Rate",
    "ReportSection",
    "TableSection",
    "parse",
]

TOLD = {"amounts": "amount", "customer ids": "customer_id"}  # what a source may not tell, and the column that would
DROPPED = "drop"  # in [rates]: rows in that currency are left out
Rate = Decimal | Literal["drop"]
# Simulated data sets, and the tables that each gives itself.
SIMULATED = {
    "shop": ("order_lines", "products", "customers", "cells", "contacts", "responses"),
    "donors": ("orders", "customers"),
}
LEAST_CUSTOMERS = 100  # a smaller simulated shop sends no campaigns: its lists would be too short


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except Exception:
        return False
    return name != "localtime"  # another zone on every machine


def _is_encoding(name: str) -> bool:
    try:
        return codecs.lookup(name)._is_text_encoding
    except (LookupError, ValueError):
        return False


def _rate(value: Any) -> Any:
    """A rate as the file writes it, exactly: 0.1 is a tenth."""
    return Decimal(str(value)) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


_Name = Annotated[str, Field(min_length=1)]
_Column = Annotated[_Name, must("a column name in quotes")]
_Columns = Annotated[
    _Name | Annotated[tuple[_Name, ...], Field(strict=False, min_length=1)],
    must("a column name in quotes, or a list of such names"),
]
_Texts = Annotated[tuple[_Name, ...], Field(strict=False), must('a list of texts, such as ["a", "b"]')]
_Currency = Annotated[str, holds(lambda code: re.fullmatch("[A-Z]{3}", code) is not None), must('a code such as "USD"')]
_Zone = Annotated[str, must("a text in quotes"), holds(_is_zone), must('a name such as "Europe/London"')]
_File = Annotated[str, holds(lambda name: bool(name.strip()) and "\0" not in name)]
_Files = Annotated[
    tuple[_File, ...],
    Field(strict=False, min_length=1),
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    must("the name of a file, or a list of such names"),
]
_Package = Annotated[str, holds(str.isidentifier), must("the name of an installed package")]
_Encoding = Annotated[str, holds(_is_encoding), must('an encoding such as "cp1252"')]
_Delimiter = Annotated[
    str,
    holds(lambda sign: sign in ("whitespace", "tab", "\\t") or (len(sign) == 1 and sign not in '"\r\n\0')),
    must('one character, "tab" or "whitespace"'),
]
# A form without a year would put every order into 1900.
_DATE_WORDS = ("epoch", "epoch_ms", "excel")  # seconds and milliseconds since 1970, and days as spreadsheets count them
_DateFormat = Annotated[
    str,
    holds(lambda form: form in _DATE_WORDS or any(part in form for part in ("%Y", "%y", "%c", "%x"))),
    must('a form with a year, such as "%d/%m/%Y", or "epoch", "epoch_ms" or "excel"'),
]
_Language = Annotated[
    str, holds(lambda code: re.fullmatch("[a-z]{2,3}(_[A-Za-z]{2,4})?", code) is not None), must('a code such as "de"')
]
_Without = Annotated[
    tuple[Literal["amount", "customer_id"], ...], Field(strict=False), must('a list of "amount" and "customer_id"')
]
_Statuses = Annotated[tuple[str, ...] | None, Field(strict=False), must('a list of statuses, such as ["paid", "shipped"]')]
_Escape = Annotated[str, holds(lambda sign: len(sign) == 1 and sign not in '"\r\n\0'), must('one character, such as "\\\\"')]
_Rows = Annotated[int, Field(ge=0, le=10_000), must("a whole number from 0 to 10,000")]
_HeaderRow = Annotated[
    tuple[Annotated[int, Field(ge=1, le=10_000)], ...],
    Field(strict=False, min_length=1, max_length=3),
    BeforeValidator(lambda value: (value,) if isinstance(value, int) and not isinstance(value, bool) else value),
    must("the number of a row, from 1, or a list of such numbers"),
]
_Missing = Annotated[
    Mapping[str, Annotated[tuple[str, ...], Field(strict=False)]],
    must('lists of texts by column, such as {cell_id = ["", "n/a"]}'),
]
_Day = Annotated[
    dt.date,
    BeforeValidator(lambda value: dt.date.fromisoformat(value) if isinstance(value, str) else value),
    must("a day such as 2024-12-31"),
]
_Rate = Annotated[
    Annotated[Decimal, Field(gt=0)] | Literal["drop"],
    BeforeValidator(lambda value: _rate(value)),
    must('a number above 0, or "drop"'),
]
_Rates = Annotated[Mapping[_Currency, _Rate], must("a section of rates, such as USD = 0.92")]
_Margin = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False), must("a share above 0 and at most 1, such as 0.4")]
_Lists = Annotated[tuple[Literal["xlsx"], ...], Field(strict=False, max_length=1), must('["xlsx"] or left out')]


@dataclass(frozen=True, config=STRICT)
class TableSection:
    """One section of a descriptor: where a table is, and which column is which.

    ``columns`` maps canonical names to the source's, one or several, of which the first that a source has is meant. The rest says how a
    file is read; None means: as it comes.

    A table may be read of several parts, each with its own section and days: ``further`` are the sections behind the first. Rows of a part
    before its ``first_day`` or after its ``last_day`` are left out.

    Rows of a file: the first ``skip_rows`` are left out; ``header_row`` says which of those that follow holds the column names (several
    rows are joined), and those above it are left out too; the last ``footer_rows`` are left out. Of what is left, ``only_where`` names a
    column of the source, and rows without a value there are of another kind; ``fill_down`` lists canonical columns whose gaps are filled
    from the row above in the same file, within an order: merged cells, and exports that write an order's fields once; ``fill_across`` fills
    them whatever order a row belongs to, as where a customer stands above several orders.

    Values: ``missing`` says for a canonical column which texts stand for nothing, instead of those that always do (NULL, n/a, …);
    ``amounts_in`` that amounts are whole cents; ``month_language`` in which language (a code of CLDR) the names of months are;
    ``date_format`` is a strptime form or "epoch", "epoch_ms", "excel"; ``customer_hash`` names a column of the source that tells who
    somebody is (an e-mail): customer_id is its keyed hash (:mod:`crmlab.data.identity`), and the column itself is never kept.

    Sales: rows whose ``status`` is in ``keep`` are sales, those in ``drop`` are none; of others the words of :mod:`crmlab.data.statuses`
    decide, but where ``keep`` is given no further status is a sale. A status that nothing decides is left out, and a breach.
    ``drop_where`` names a column of the source whose rows are no sales where it has a value, such as the day of cancelling, nor are other
    rows of the same order.

    ``without`` lists what the source does not tell: "amount" (events: each counts as free of charge) and "customer_id" (receipts of nobody:
    each counts as a customer of its own). Reports that rest on it are passed over.
    """

    table: str
    columns: Mapping[str, _Columns] = field(default_factory=dict)
    file: _Files = ()  # alternatives: the first that exists is read
    package: _Package | None = None  # an installed Python package that the file belongs to
    from_table: _Name | None = None  # table of a database, or schema.table
    sheet: _Name | None = None  # sheet of a workbook; default: the first
    delimiter: _Delimiter | None = None  # "whitespace" for runs of blanks
    encoding: _Encoding | None = None
    header: bool = True
    names: _Texts = ()  # the file's column names where it has no header
    decimal: Literal[".", ","] = "."
    date_format: _DateFormat | None = None  # strptime form, such as %d/%m/%Y, or one of _DATE_WORDS
    month_language: _Language | None = None
    amounts_in: Literal["units", "cents"] = "units"
    skip_rows: _Rows = 0
    header_row: _HeaderRow = (1,)
    footer_rows: _Rows = 0
    escape: _Escape | None = None  # what stands before a quotation mark inside a field; default: another quotation mark
    missing: _Missing = field(default_factory=dict)
    fill_down: _Texts = ()
    fill_across: bool = False
    only_where: _Column | None = None
    drop_where: _Column | None = None
    customer_hash: _Column | None = None
    keep: _Statuses = None
    drop: _Statuses = None
    without: _Without = ()
    attributes: _Texts | None = None  # customers only: columns kept; default: all
    personal: _Texts = ()  # customers only: columns that must never be shown
    first_day: _Day | None = None  # of a part of a table
    last_day: _Day | None = None
    further: tuple[TableSection, ...] = ()
    test: TestSection | None = None  # of the table "test": its cells, outcomes and costs

    @property
    def spec(self) -> TableSpec:
        """The canonical table, with the columns that a test adds to it."""
        plain = TABLES[self.table]
        if self.test is None:
            return plain
        # Whoever maps an id says that each row has one.
        known = [
            replace(column, nullable=column.name not in self.columns) if not column.required else column
            for column in plain.columns
        ]
        return replace(plain, columns=(*known, *self.test.columns))

    @property
    def parts(self) -> tuple[TableSection, ...]:
        """The sections of all parts that the table is read of, this one first."""
        return (self, *self.further)

    def named(self, found: Collection[str]) -> dict[str, str]:
        """Return for each canonical column that is mapped the source's: of several names the first that is found, or else the first.

        Examples
        --------
        >>> TableSection("orders", {"amount": ("Total", "Sum"), "order_id": "No"}).named(["No", "Sum"])
        {'amount': 'Sum', 'order_id': 'No'}
        """
        names = {column: (given,) if isinstance(given, str) else given for column, given in self.columns.items()}
        return {column: next((name for name in given if name in found), given[0]) for column, given in names.items()}


@dataclass(frozen=True, config=STRICT)
class ReportSection:
    """The section ``[report]``: how pages of the data set look. ``logo`` is a file beside the TOML file."""

    title: str = ""
    logo: str = ""
    contact: str = ""
    language: Literal["en", "de", "es", "fr"] = "en"  # form of numbers and dates
    lists: _Lists = ()  # further forms of customer lists: "xlsx"


@dataclass(frozen=True, config=STRICT)
class CampaignsSection:
    """The section ``[campaigns]``: whether campaigns that were launched from the data set are read from the campaign memory."""

    memory: Annotated[bool, must("true or false")] = True


@dataclass(frozen=True, config=STRICT)
class Descriptor:
    """A data set as its TOML file describes it. ``where`` is the file's name as messages show it."""

    name: str
    where: str
    folder: Path
    title: str
    currency: str = ""
    timezone: _Zone = "UTC"
    description: str = ""
    licence: str = ""
    customer: str = "one customer is one customer_id"
    returns: Literal["net", "drop"] = "net"
    free_orders: Literal["count", "ignore"] = "count"
    missing_customer: Literal["drop", "error"] = "drop"
    bad_rows: Literal["error", "drop"] = "error"
    duplicates: Literal["keep", "drop"] = "keep"
    rounds: Literal["none", "year"] = "none"  # whether people may buy (give) at any time, or once in each year
    not_products: _Texts = ()
    guests: Annotated[tuple[str, ...] | None, Field(strict=False), must('a list of ids, such as ["0", "guest"]')] = None
    ids: Literal["exact", "fold"] = "exact"  # whether ids that differ by case, blanks or Unicode form only are one
    negative_price: Literal["keep", "return"] = (
        "keep"  # what quantity and price both below zero are: their product, or a return
    )
    first_day: _Day | None = None  # rows before it are dropped; default: judged from the data, see crmlab.history
    last_day: _Day | None = None
    key_file: str = ""  # of the key of customer_hash; default: private/customers.key in data/, or CRMLAB_KEY
    rates: _Rates = field(default_factory=dict)  # what one unit of another currency is worth in the data set's
    margin: _Margin | None = None  # gross margin, share of spend that is kept, where products have no unit costs
    accepted: _Texts = ()  # names of rules whose breaches somebody has looked at: they are no questions
    source: Mapping[str, Any] = field(default_factory=lambda: {"kind": "files"})
    tables: Mapping[str, TableSection] = field(default_factory=dict)
    report: ReportSection = field(default_factory=ReportSection)
    campaigns: CampaignsSection = field(default_factory=CampaignsSection)
    season: Season = field(default_factory=Season)  # what past weeks cannot tell: closed days, feasts that move, sales
    sections: Mapping[str, Section] = field(default_factory=dict)  # those that a subject checks and reads

    @property
    def kind(self) -> str:
        """Where the records are: one of ``SOURCE_KINDS``."""
        return str(self.source["kind"])

    @property
    def counted(self) -> str:
        """What one customer is, for pages."""
        return (
            self.customer
            if "customer ids" in self.told
            else "one customer is one receipt, because the source does not say who bought"
        )

    @property
    def told(self) -> tuple[str, ...]:
        """What the orders tell beside their days, of "amounts" and "customer ids": reports may need it as they need tables."""
        given = [self.tables[name] for name in ("orders", "order_lines") if name in self.tables][:1]
        silent = {column for section in given for part in section.parts for column in part.without}
        return tuple(name for name, column in TOLD.items() if column not in silent)


_VALUES = ("decimal", "date_format", "month_language", "amounts_in")
_LAYOUT = ("skip_rows", "header_row", "footer_rows", "escape", "fill_down", "fill_across")
_RULES = ("missing", "only_where", "drop_where", "keep", "drop", "without")
# Options that take effect, by kind of source. Values of a database have types already; a DuckDB file is often a pile of text.
_OPTIONS: dict[str, tuple[str, ...]] = {
    "files": (
        "file",
        "package",
        "sheet",
        "delimiter",
        "encoding",
        "header",
        "names",
        *_VALUES,
        *_LAYOUT,
        *_RULES,
        "customer_hash",
    ),
    "duckdb": ("from_table", *_VALUES, *_RULES, "customer_hash"),
    "postgres": ("from_table", *_RULES),
    "spark": ("from_table", *_RULES),
    "shop": (),
    "donors": (),
}
_CUSTOMER_ONLY = ("attributes", "personal")
_SALES_ONLY = ("keep", "drop", "without")  # of tables with a status
_PART_ONLY = ("first_day", "last_day")
_IN_PARTS = ("files", "duckdb")  # kinds of sources whose tables may be read of parts: in the others a view puts them together
_MADE = ("name", "where", "folder", "source", "tables", "report", "campaigns", "season", "sections")
_TOP = tuple(name for name in names(Descriptor) if name not in _MADE)  # plain keys of the file


def parse(
    content: Mapping[str, Any],
    *,
    name: str,
    where: str,
    folder: Path,
    text: str = "",
    readers: Mapping[str, Callable[[Section, str], object]] | None = None,
) -> Descriptor:
    """Turn the content of a TOML file into a checked :class:`Descriptor`.

    Parameters
    ----------
    content : mapping
        The file's content.
    name, where : str
        Name of the data set, and the file's name as messages show it.
    folder : Path
        Where the file lies: relative names are looked for there.
    text : str
        The file as it is written, from which errors tell the line of a subject's section.
    readers : mapping, optional
        Name of a subject's section → what reads it, and raises DescriptorError where it is wrong. Others are kept unchecked.

    Returns
    -------
    Descriptor

    Raises
    ------
    DescriptorError
        Unknown keys, and values of the wrong type or out of range: all of them, a line each, in the order of the file.

    Examples
    --------
    >>> parse({"orders": {"file": "o.csv"}}, name="mine", where="mine.toml", folder=Path()).tables["orders"].file
    ('o.csv',)
    """
    faults = Faults(DescriptorError, where, content)
    faults.unknown((), "", content, (*_TOP, "source", "report", "campaigns", "season", *SECTIONS, *TABLES))
    source = None if faults.mistyped("source") else parse_source(content.get("source", {}), faults)
    kind = str(source["kind"]) if source else None
    tables = {table: _parse_tables(table, content[table], faults, kind, text) for table in TABLES if table in content}
    sections = {key: Section(key, content[key], header_lines(text, key, content[key])) for key in SECTIONS if key in content}
    for key, read in (readers or {}).items():
        try:
            if key in sections:
                read(sections[key], where)
        except DescriptorError as error:
            faults.add((key,), error)
    if not tables and kind not in (None, *SIMULATED) and not any(map(faults.mistyped, TABLES)):
        faults.add((next(iter(TABLES)),), DescriptorError.no_tables(where, TABLES))
    others = [f"[{name}]" for name in TABLES if name in content and name != "test"]
    if "test" in content and others:
        expected = "the only table of its data set; a campaign with orders has the tables cells and contacts"
        faults.expected(("test",), "", expected, listing(others))
    top = {key: content[key] for key in _TOP if key in content}
    if top.get("rates") and not top.get("currency"):
        faults.expected(("rates",), "", "used together with currency, in which the amounts are then", "no currency")
    if isinstance(title := top.get("title", ""), str) and not title.strip():
        top["title"] = name.replace("_", " ").capitalize()
    made = checked(
        Descriptor,
        top,
        faults,
        (),
        "",
        name=name,
        where=where,
        folder=folder,
        source=source or {},
        tables={table: section for table, section in tables.items() if section is not None},
        report=_parse_report(content.get("report", {}), faults, folder) or ReportSection(),
        campaigns=_parse_campaigns(content.get("campaigns", {}), faults) or CampaignsSection(),
        season=parse_season(content.get("season", {}), faults, text) or Season(),
        sections=sections,
    )
    faults.tell()
    assert made is not None
    return made


def _parse_report(content: Any, faults: Faults, folder: Path) -> ReportSection | None:
    if not is_section(content, "report", faults):
        return None
    logo = content.get("logo")
    if isinstance(logo, str) and logo and not _is_picture(folder / logo):
        faults.expected(("report", "logo"), "[report]", "a png, svg or jpg file beside it", logo)
    return checked(ReportSection, content, faults, ("report",), "[report]")


def _parse_campaigns(content: Any, faults: Faults) -> CampaignsSection | None:
    if not is_section(content, "campaigns", faults):
        return None
    return checked(CampaignsSection, content, faults, ("campaigns",), "[campaigns]")


def _is_picture(path: Path) -> bool:
    try:
        return path.suffix.lower() in (".png", ".svg", ".jpg", ".jpeg") and path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _takes_effect(option: str, columns: Sequence[str]) -> bool:
    """Whether an option can take effect in a table with these columns."""
    if option in _SALES_ONLY:
        return "status" in columns
    if option == "customer_hash":
        return "customer_id" in columns
    return option != "amounts_in" or bool(
        {"amount", "acquisition_cost", "unit_cost", "fixed_cost", "cost_per_response"} & set(columns)
    )


def _parse_tables(table: str, content: Any, faults: Faults, kind: str | None, text: str) -> TableSection | None:
    """Check the section of a table, or the sections of its parts: ``[[order_lines]]``, once for each."""
    if not isinstance(content, list) or not content or not all(isinstance(item, dict) for item in content):
        return _parse_table((table,), content, faults, kind) if is_section(content, table, faults) else None
    if TABLES[table].moment is None:
        faults.expected(
            (table,), "", f"one section, [{table}]: only tables whose rows have dates can be read in parts", f"[[{table}]]"
        )
        return None
    if kind not in (None, *_IN_PARTS):
        faults.expected((table,), "", f"one section, [{table}]: in a database, combine the parts in a view", f"[[{table}]]")
        return None
    file, section = faults.where, Section(table, content, header_lines(text, table, content))
    parts: list[TableSection] = []
    for number, item in reversed([*enumerate(content)]):  # the first is told of the others
        faults.where = section.where(file, number)
        behind = None if len(content) == 1 else parts if number == 0 else ()
        part = _parse_table((table, number), item, faults, kind, behind)
        parts = [part, *parts] if part is not None else parts
    faults.where = file
    return parts[0] if len(parts) == len(content) else None


def _parse_table(
    at: tuple[str | int, ...],
    content: Mapping[str, Any],
    faults: Faults,
    kind: str | None,
    further: Sequence[TableSection] | None = None,
) -> TableSection | None:
    """Check one section of a table, or of a part of it. Where the kind of source is wrong, options of any kind are taken.

    ``further`` are the sections of the parts behind it; None where it is the only one.
    """
    table, part = str(at[0]), further is not None
    section = f"[[{table}]]" if len(at) > 1 else f"[{table}]"
    columns = [column.name for column in TABLES[table].columns]
    options = [key for of, keys in _OPTIONS.items() for key in keys if kind in (of, None)]
    options += _CUSTOMER_ONLY if table == "customers" else ()
    options += _PART_ONLY if part else ()
    options = [key for key in options if _takes_effect(key, columns)]
    mapping = {key: value for key, value in content.items() if key in columns}
    given = {key: value for key, value in content.items() if key in options and key not in columns}
    faults.unknown(at, section, content, [*columns, *options, *(TEST_KEYS if table == "test" else ())])
    test = parse_test(content, faults) if table == "test" else None
    if test is not None:
        columns, mapping = [*columns, *test.sources], {**mapping, **test.sources}
        words = given.get("missing", {})
        # "none" and "NA" are names of cells.
        given["missing"] = {"cell": [], **words} if isinstance(words, dict) else words
    more: dict[str, Any] = {"table": table, "columns": mapping, "further": tuple(further or ()), "test": test}
    made = checked(TableSection, given, faults, at, section, **more)
    _check_columns(at, section, given, mapping, columns, faults)
    listed = given.get("names")
    if isinstance(listed, list) and listed and given.get("header", True) is True:
        faults.expected((*at, "names"), section, "used together with header = false", listed)
    if made is not None and made.first_day and made.last_day and made.last_day < made.first_day:
        faults.expected((*at, "last_day"), section, f"first_day, {made.first_day}, or later", made.last_day)
    personal = given.get("personal")
    for column, mapped in _named(mapping):
        if isinstance(personal, list) and mapped in personal:
            faults.add((*at, "personal"), DescriptorError.personal_used(faults.where, table, mapped, column))
    return made


def _named(mapping: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Canonical columns and the source's, a pair for each name that stands there."""
    pairs = [(column, name) for column, names in mapping.items() for name in (names if isinstance(names, list) else [names])]
    return [(column, name) for column, name in pairs if isinstance(name, str)]


def _check_columns(
    at: tuple[str | int, ...],
    section: str,
    given: Mapping[str, Any],
    mapping: Mapping[str, Any],
    columns: Sequence[str],
    faults: Faults,
) -> None:
    """Check options that name canonical columns, and that one id is given in one way."""
    table = str(at[0])
    without = given.get("without")
    for column in without if isinstance(without, list) else ():
        if (isinstance(column, str) and column in mapping) or (column == "customer_id" and "customer_hash" in given):
            faults.expected((*at, "without"), section, "a list of what is not mapped", column)
    for option in ("fill_down", "missing"):
        value = given.get(option, ())
        for name in value if isinstance(value, (list, dict)) else ():
            if name not in columns:
                faults.expected((*at, option), section, f"made of columns of {table}", name)
    if given.get("fill_across") is True and "fill_down" not in given:
        faults.expected((*at, "fill_across"), section, "used together with fill_down", True)
    if "customer_hash" in given and "customer_id" in mapping:
        faults.expected((*at, "customer_hash"), section, "used without customer_id, which it makes", given["customer_hash"])
    hashed, attributes = given.get("customer_hash"), given.get("attributes")
    used = [*_named(mapping), *([("attributes", hashed)] if isinstance(attributes, list) and hashed in attributes else [])]
    for option in [option for option, column in used if hashed is not None and column == hashed]:
        if option != "customer_id":
            faults.add((*at, option), DescriptorError.hashed_used(faults.where, table, str(hashed), option))
    if {"keep", "drop"} <= set(given) and isinstance(given["keep"], list) and isinstance(given["drop"], list):
        for both in [status for status in given["keep"] if status in given["drop"]]:
            faults.expected((*at, "drop"), section, "a list that shares nothing with keep", both)

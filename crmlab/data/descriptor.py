"""What the TOML file of a data set may say: every key, checked.

At the top: how amounts and days are to be read. Then one section per canonical table, saying where its records are and
which column is which. An unknown key is an error, and so is one that could not take effect.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from crmlab.data.season import Season, parse_season
from crmlab.data.sections import SECTIONS, Section, header_lines
from crmlab.data.source_section import is_section, parse_source
from crmlab.data.table_section import TableSection, parse_tables
from crmlab.data.tables import TABLES
from crmlab.data.toml import STRICT, Day, Texts, checked, holds, must, names
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
    "parse",
]

TOLD = {"amounts": "amount", "customer ids": "customer_id"}  # what a source may not tell, and the column that would
DROPPED = "drop"  # in [rates]: rows in that currency are left out
Rate = Decimal | Literal["drop"]
# Simulated data sets, and the tables that each gives itself.
SIMULATED = {
    "shop": ("order_lines", "products", "customers", "cells", "contacts", "responses"),
    "donors": ("orders", "customers"),
    "club": ("contracts", "customers"),
}
LEAST_CUSTOMERS = 100  # a smaller simulated shop sends no campaigns: its lists would be too short


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except Exception:
        return False
    return name != "localtime"  # another zone on every machine


def _rate(value: Any) -> Any:
    """A rate as the file writes it, exactly: 0.1 is a tenth."""
    return Decimal(str(value)) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


_Currency = Annotated[str, holds(lambda code: re.fullmatch("[A-Z]{3}", code) is not None), must('a code such as "USD"')]
_Zone = Annotated[str, must("a text in quotes"), holds(_is_zone), must('a name such as "Europe/London"')]
_Rate = Annotated[
    Annotated[Decimal, Field(gt=0)] | Literal["drop"],
    BeforeValidator(lambda value: _rate(value)),
    must('a number above 0, or "drop"'),
]
_Rates = Annotated[Mapping[_Currency, _Rate], must("a section of rates, such as USD = 0.92")]
_Margin = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False), must("a share above 0 and at most 1, such as 0.4")]
_Lists = Annotated[tuple[Literal["xlsx"], ...], Field(strict=False, max_length=1), must('["xlsx"] or left out')]


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
    not_products: Texts = ()
    guests: Annotated[tuple[str, ...] | None, Field(strict=False), must('a list of ids, such as ["0", "guest"]')] = None
    ids: Literal["exact", "fold"] = "exact"  # whether ids that differ by case, blanks or Unicode form only are one
    negative_price: Literal["keep", "return"] = (
        "keep"  # what quantity and price both below zero are: their product, or a return
    )
    first_day: Day | None = None  # rows before it are dropped; default: judged from the data, see crmlab.history
    last_day: Day | None = None
    key_file: str = ""  # of the key of customer_hash; default: private/customers.key in data/, or CRMLAB_KEY
    rates: _Rates = field(default_factory=dict)  # what one unit of another currency is worth in the data set's
    margin: _Margin | None = None  # gross margin, share of spend that is kept, where products have no unit costs
    accepted: Texts = ()  # names of rules whose breaches somebody has looked at: they are no questions
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
    tables = {table: parse_tables(table, content[table], faults, kind, text) for table in TABLES if table in content}
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

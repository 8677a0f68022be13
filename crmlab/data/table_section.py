"""The section of a canonical table in the TOML file of a data set: where its records are, how they are read, and which column is which."""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field, replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from crmlab.data.outcome_section import TEST_KEYS, TestSection, parse_test
from crmlab.data.sections import Section, header_lines
from crmlab.data.source_section import is_section
from crmlab.data.tables import TABLES, TableSpec
from crmlab.data.toml import STRICT, Day, Name, Texts, checked, holds, must
from crmlab.errors import DescriptorError
from crmlab.errors.validation import Faults

__all__ = ["TableSection", "parse_tables"]


def _is_encoding(name: str) -> bool:
    try:
        return codecs.lookup(name)._is_text_encoding
    except (LookupError, ValueError):
        return False


_Column = Annotated[Name, must("a column name in quotes")]
_Columns = Annotated[
    Name | Annotated[tuple[Name, ...], Field(strict=False, min_length=1)],
    must("a column name in quotes, or a list of such names"),
]
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
    from_table: Name | None = None  # table of a database, or schema.table
    sheet: Name | None = None  # sheet of a workbook; default: the first
    delimiter: _Delimiter | None = None  # "whitespace" for runs of blanks
    encoding: _Encoding | None = None
    header: bool = True
    names: Texts = ()  # the file's column names where it has no header
    decimal: Literal[".", ","] = "."
    date_format: _DateFormat | None = None  # strptime form, such as %d/%m/%Y, or one of _DATE_WORDS
    month_language: _Language | None = None
    amounts_in: Literal["units", "cents"] = "units"
    skip_rows: _Rows = 0
    header_row: _HeaderRow = (1,)
    footer_rows: _Rows = 0
    escape: _Escape | None = None  # what stands before a quotation mark inside a field; default: another quotation mark
    missing: _Missing = field(default_factory=dict)
    fill_down: Texts = ()
    fill_across: bool = False
    only_where: _Column | None = None
    drop_where: _Column | None = None
    customer_hash: _Column | None = None
    keep: _Statuses = None
    drop: _Statuses = None
    without: _Without = ()
    attributes: Texts | None = None  # customers only: columns kept; default: all
    personal: Texts = ()  # customers only: columns that must never be shown
    first_day: Day | None = None  # of a part of a table
    last_day: Day | None = None
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
    "club": (),
}
_CUSTOMER_ONLY = ("attributes", "personal")
_SALES_ONLY = ("keep", "drop", "without")  # of tables with a status
_PART_ONLY = ("first_day", "last_day")
_IN_PARTS = ("files", "duckdb")  # kinds of sources whose tables may be read of parts: in the others a view puts them together


def _takes_effect(option: str, columns: Sequence[str]) -> bool:
    """Whether an option can take effect in a table with these columns."""
    if option in _SALES_ONLY:
        return "status" in columns
    if option == "customer_hash":
        return "customer_id" in columns
    return option != "amounts_in" or bool(
        {"amount", "acquisition_cost", "unit_cost", "fixed_cost", "cost_per_response", "price"} & set(columns)
    )


def parse_tables(table: str, content: Any, faults: Faults, kind: str | None, text: str) -> TableSection | None:
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

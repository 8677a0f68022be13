"""A source's rows as they came, and how messages name one of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis

__all__ = ["Raw", "first_line", "literal", "row_words"]


@dataclass(frozen=True)
class Raw:
    """The columns of a source that are needed, before anything is understood.

    Attributes
    ----------
    table : ibis.Table
        One row per row of the source.
    name : str
        What messages call the source.
    columns : tuple of str
        All columns that the source has, also those that were not loaded.
    header : bool
        Whether rows are counted below a line of column names.
    numbered : bool
        Whether ``rowid`` tells a row's place. Rows of a database have none.
    parts : tuple of (name, rows)
        The files that the rows came from, in order, where they are several.
    rejected : tuple of int
        Places (from 1) of rows that are left out: with too many or too few fields, or with formulas without values.
    doubled : tuple of str
        Files whose content is that of another, earlier one. Their rows are read all the same.
    orderless : str
        A column of order lines that says which of them name no order that was kept; empty where lines tell everything themselves.
    marked : mapping
        Column → row (from 1) → what stands in a cell of a workbook that holds no value: ``"#N/A"``.
    totals : tuple of int
        Rows at the end of each file that read like a total ("Total", "Summe"); they are in the table all the same.
    footer_rows : int
        What ``footer_rows`` would have to be for all of them to be left out; 0 where it cannot leave out just these.
    before : int or None
        Rows of the parts before, where a table is read of several: orders without numbers are numbered from there.
    rounded : tuple of str
        Columns of a workbook with whole numbers of 16 or more digits: a workbook keeps 15 of them, so these are not what they were.
    """

    table: ibis.Table
    name: str
    columns: tuple[str, ...]
    header: bool = False
    numbered: bool = True
    parts: tuple[tuple[str, int], ...] = ()
    rejected: tuple[int, ...] = ()
    doubled: tuple[str, ...] = ()
    orderless: str = ""
    marked: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    rounded: tuple[str, ...] = ()
    totals: tuple[int, ...] = ()
    footer_rows: int = 0
    before: int | None = None

    @property
    def of_parts(self) -> bool:
        """Whether this is one part of a table that is read of several."""
        return self.before is not None

    def starts(self) -> list[int]:
        """The rows of the table (from 1) with which a further file begins; none where all rows are of one."""
        ends, total, kept = [], 0, 0
        for _, rows in self.parts[:-1]:
            kept += rows - sum(total < bad <= total + rows for bad in self.rejected)
            total += rows
            ends.append(kept + 1)
        return ends

    def origin(self, row: int) -> tuple[int, str]:
        """The place of a row of the table in its source: its number, and the file where they are several."""
        for bad in self.rejected:
            row += bad <= row
        return self.of_file(row)

    def of_file(self, row: int) -> tuple[int, str]:
        """The file that a row of all files together is in, and its number there."""
        for name, rows in self.parts:
            if row <= rows:
                return row, name
            row -= rows
        return row, ""

    def place(self, row: int) -> str:
        """Say where a row of the table stands in the source: ``"row 7 below the header of b.csv"``."""
        number, file = self.origin(row)
        return row_words(number, header=self.header) + (f" of {file}" if file else "")


def row_words(row: int, *, header: bool) -> str:
    """Say which row is meant; the line of column names is not counted."""
    return f"row {row:,}{' below the header' if header else ''}"


def first_line(error: object) -> str:
    """The first line of a library's message, short and without folders: the caller has named the file already."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return re.sub(r"(?:[A-Za-z]:)?[/\\](?:[^/\\\s\"']+[/\\])+", "", line)[:200].rstrip(".") + "."


def literal(path: Path) -> str:
    """A path for DuckDB, which takes brackets and stars in it for a pattern.

    Examples
    --------
    >>> literal(Path("orders[1].csv"))
    'orders[[]1].csv'
    """
    return re.sub(r"([*?\[])", r"[\1]", str(path))

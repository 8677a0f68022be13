"""Reads a sheet of a workbook (.xlsx and its relatives) as named columns."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlab.data.descriptor import TableSection
from crmlab.data.reading.raw import first_line
from crmlab.data.reading.texts import given_names, unique
from crmlab.errors import SourceError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["read_sheet"]


def read_sheet(section: TableSection, path: Path) -> tuple[list[str], Callable[[int], pa.Array]]:
    """Read a sheet.

    Parameters
    ----------
    section : TableSection
        Names the sheet (default: the first) and says whether there is a header.
    path : Path
        The workbook.

    Returns
    -------
    (names, column)
        The names of the columns, and a function that gives the column of a place.

    Raises
    ------
    SourceError
        No workbook, no such sheet, an empty one.
    """
    rows = _rows(section, path)
    if not rows:
        raise SourceError.empty(section.table, path.name)
    if section.header:
        names, rows = unique([_text(cell).strip() for cell in rows[0]]), rows[1:]
    else:
        names = unique(given_names(section, len(rows[0])))
    return names, lambda i: _column([row[i] for row in rows], section.date_format)


def _rows(section: TableSection, path: Path) -> list[list[Any]]:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(str(path))
        if section.sheet is not None and section.sheet not in book.sheet_names:
            raise SourceError.no_table(section.table, section.sheet, path.name, book.sheet_names)
        if not book.sheet_names:
            raise SourceError.empty(section.table, path.name)
        sheet = book.get_sheet_by_name(section.sheet or book.sheet_names[0])
        rows: list[list[Any]] = sheet.to_python(skip_empty_area=True)
    except (CalamineError, OSError, ValueError) as error:
        if isinstance(error, SourceError | PermissionError):
            raise
        raise SourceError.unreadable(section.table, path.name, first_line(error)) from error
    return rows


def _column(cells: list[Any], date_format: str | None) -> pa.Array:
    """One column: days and numbers stay what they are where all are; a mixture becomes text."""
    import pyarrow as pa

    values = [None if cell == "" else cell for cell in cells]
    kinds = {type(value) for value in values if value is not None}
    if kinds and kinds <= {dt.datetime, dt.date}:
        moments = [dt.datetime.combine(v, dt.time()) if type(v) is dt.date else v for v in values]
        return pa.array(moments, pa.timestamp("us"))
    if kinds and kinds <= {int, float}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    return pa.array([None if value is None else _text(value, date_format) for value in values], pa.string())


def _text(cell: Any, date_format: str | None = None) -> str:
    # Workbooks store every number as a float: an id 17850 arrives as 17850.0.
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    # Days beside texts are written as the texts are, so that one form reads both.
    if date_format and isinstance(cell, dt.date):
        return cell.strftime(date_format)
    return str(cell)

"""Reads workbooks in a process of its own, with as much memory and time as an honest workbook needs.

:mod:`crmlab.data.reading.workbook` starts it, tells it in one line of JSON what to read, and gets lines of JSON back. Nothing heavy is
imported here. A workbook that asks for more than there is ends this process, and no other.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crmlab.data.reading.extents import Extent, RefusedError, sheet_extents
from crmlab.data.reading.layout import Layout, is_blank

__all__ = ["as_text", "decoded", "serve"]

_EPOCH = dt.datetime(1970, 1, 1)
_ROUNDED = 10**15  # the least whole number of 16 digits: a workbook keeps 15 of them
_TAIL = 60


def as_text(cell: Any, date_format: str | None = None) -> str:
    """Write a cell as text.

    Examples
    --------
    >>> as_text(17850.0), as_text(dt.date(2024, 1, 31), "%d.%m.%Y")
    ('17850', '31.01.2024')
    """
    # Workbooks store every number as a float: an id 17850 arrives as 17850.0.
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    # Days beside texts are written as the texts are, so that one form reads both.
    if date_format and "%" in date_format and isinstance(cell, dt.date):
        return cell.strftime(date_format)
    return str(cell)


def decoded(cell: Any) -> Any:
    """Return a cell as it was before it was written as JSON; None where it is empty."""
    if not isinstance(cell, list):
        return None if cell == "" else cell
    kind, value = cell
    makers: dict[str, Any] = {
        "datetime": dt.datetime.fromisoformat,
        "date": dt.date.fromisoformat,
        "time": dt.time.fromisoformat,
        "timedelta": lambda seconds: dt.timedelta(seconds=seconds),
    }
    return makers[kind](value)


def _coded(cell: Any) -> Any:
    """A cell as JSON can hold it."""
    if isinstance(cell, dt.timedelta):
        return ["timedelta", cell.total_seconds()]
    if isinstance(cell, dt.datetime | dt.date | dt.time):
        return [type(cell).__name__, cell.isoformat()]
    return cell


def serve() -> None:
    """Read what one line of JSON on the input asks for, and write lines of JSON to the output."""
    order = json.loads(sys.stdin.readline())
    _limit(order["memory"], order["seconds"])
    try:
        if order["rows"] is not None:
            _look(Path(order["path"]), order["rows"])
        else:
            _read(Path(order["path"]), order)
    except RefusedError as error:
        _say({"refused": list(error.args)})
    except MemoryError:
        _say({"memory": True})
    except BaseException as error:  # a library that panics says so with one of its own
        _say({"unreadable": str(error).strip() or type(error).__name__})


def _say(content: Any) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


def _limit(memory: int, seconds: int) -> None:
    """Let the system hold this process to its limits, where it can."""
    if sys.platform == "win32":
        return
    import resource

    for kind, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, seconds)):
        soft, hard = resource.getrlimit(kind)
        given = [value for value in (soft, hard, most) if value != resource.RLIM_INFINITY]
        try:
            resource.setrlimit(kind, (min(given), hard))
        except (ValueError, OSError):
            continue  # a system that knows no such limit


def _open(path: Path) -> tuple[Any, dict[str, Extent | RefusedError]]:
    from python_calamine import CalamineWorkbook

    known = sheet_extents(path)
    if known and all(isinstance(extent, RefusedError) for extent in known.values()):
        raise next(extent for extent in known.values() if isinstance(extent, RefusedError))
    return CalamineWorkbook.from_path(str(path)), known


def _rows(sheet: Any) -> Iterator[list[Any]]:
    return iter(sheet.iter_rows()) if sheet.start is not None else iter(())


def _look(path: Path, most: int) -> None:
    """Say of every sheet what stands at its beginning and at its end."""
    book, known = _open(path)
    _say({"sheets": book.sheet_names})
    for name in book.sheet_names:
        extent = known.get(name, Extent())
        if isinstance(extent, RefusedError):
            _say({"refused": list(extent.args)})
            continue
        sheet = book.get_sheet_by_name(name)
        head: list[list[Any]] = []
        tail: deque[list[Any]] = deque(maxlen=_TAIL)
        for row in _rows(sheet):
            (head if len(head) < most else tail).append(row)
        left = sheet.start[1] if sheet.start else 0
        marks = [[row, column - left, what] for (row, column), what in extent.marks.items() if row < most]
        coded = {key: [[*map(_coded, row)] for row in rows] for key, rows in (("head", head), ("tail", tail))}
        _say({**coded, "height": sheet.height and sheet.end[0] + 1, "marks": marks})


def _read(path: Path, order: dict[str, Any]) -> None:
    """Say what the columns of a sheet are called, hear which are wanted, and give those."""
    book, known = _open(path)
    _say({"sheets": book.sheet_names})
    name = order["sheet"] if order["sheet"] is not None else next(iter(book.sheet_names), None)
    if name is None or name not in book.sheet_names:
        return
    extent = known.get(name, Extent())
    if isinstance(extent, RefusedError):
        raise extent
    sheet = book.get_sheet_by_name(name)
    layout = Layout(order["skip_rows"], tuple(order["header_row"]), order["footer_rows"], order["header"])
    rows, above, found = _rows(sheet), list[list[Any]](), None
    for row in rows:
        above.append(row)
        if found := layout.places(above):
            break
    if not found:
        _say({"header": None, "rows": len(above)})
        return
    places, start = found
    width = len(above[-1])
    _say({"header": [[as_text(cell) for cell in above[place]] for place in places], "width": width})
    chosen: list[int] = json.loads(sys.stdin.readline())
    columns: list[list[Any]] = [[] for _ in chosen]
    count = end = 0
    for row in _chained(above[start:], rows):
        count += 1
        if layout.footer_rows and not is_blank(row):
            end = count
        for column, place in zip(columns, chosen, strict=True):
            column.append(row[place])
    left = sheet.start[1]
    count = max(0, end - layout.footer_rows) if layout.footer_rows else count
    for column, place in zip(columns, chosen, strict=True):
        marks = {
            row - start + 1: what
            for (row, at), what in extent.marks.items()
            if at - left == place and start <= row < start + count
        }
        _say(_typed(column[:count], order["date_format"]) | {"marks": marks})


def _chained(first: list[list[Any]], others: Iterator[list[Any]]) -> Iterator[list[Any]]:
    yield from first
    yield from others


def _typed(cells: list[Any], date_format: str | None) -> dict[str, Any]:
    """One column: days and numbers stay what they are where all are; a mixture becomes text."""
    values = [None if cell == "" else cell for cell in cells]
    kinds = {type(value) for value in values if value is not None}
    rounded = any(type(value) is float and abs(value) >= _ROUNDED and value.is_integer() for value in values)
    if kinds and kinds <= {dt.datetime, dt.date}:
        moments = [dt.datetime.combine(v, dt.time()) if type(v) is dt.date else v for v in values]
        return {"kind": "time", "values": [v and (v - _EPOCH) // dt.timedelta(microseconds=1) for v in moments]}
    if kinds and kinds <= {int, float}:
        return {"kind": "number", "values": [v if v is None else float(v) for v in values], "rounded": rounded}
    if kinds == {bool}:
        return {"kind": "bool", "values": values}
    return {"kind": "text", "values": [v if v is None else as_text(v, date_format) for v in values], "rounded": rounded}

"""Finds where in a file the column names stand, and what stands above and below the records: titles, notes, totals."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crmlab.data.guess.date_columns import dates
from crmlab.data.guess.number_columns import number
from crmlab.data.guess.profiles import NOTHING
from crmlab.data.guess.text import unreadable
from crmlab.data.personal import concepts, is_contact
from crmlab.data.reading.layout import is_blank, joined_names, total_word

__all__ = ["Found", "find_layout"]

Row = Sequence[Any]
_ABOVE = 40  # rows in which column names are looked for
_BELOW = 25  # rows at the end in which totals and notes are looked for
_AMONG = 3  # rows of another kind below a total


@dataclass(frozen=True)
class Found:
    """Where the column names and the records of a file stand.

    Attributes
    ----------
    skip_rows, header_row, footer_rows
        As in :class:`~crmlab.data.table_section.TableSection`.
    header, sure : bool
        Whether there are column names, and whether that is sure.
    names : list of str
        The column names as the file has them; none without a header.
    first, last : int
        The place of the first record among the rows, and that after the last one.
    remarks : tuple of (key, sentence)
        What was found there, without any value of the file.
    """

    skip_rows: int
    header_row: tuple[int, ...]
    footer_rows: int
    header: bool
    sure: bool
    names: list[str]
    first: int
    last: int
    remarks: tuple[tuple[str, str], ...] = ()


def find_layout(path: Path, rows: Sequence[Row], tail: Sequence[Row] | None) -> Found:
    """Find out where the column names and the records stand.

    Parameters
    ----------
    path : Path
        The file, for messages.
    rows : sequence of rows
        The first rows of a file, empty ones too; None where a cell is empty.
    tail : sequence of rows or None
        The last rows; None where ``rows`` are all.

    Returns
    -------
    Found

    Raises
    ------
    SourceError
        Column names and records do not go together.
    """
    filled = [_filled(row) for row in rows]
    width = _usual([len(row) for row, count in zip(rows, filled, strict=True) if count])
    top = _top(rows, filled, width)
    header, sure = _has_header(rows[top:])
    if not header:
        _refuse_other_width(path, rows, top, width)
    above, names_at = top, [0]
    if header:
        above, names_at = _header_rows(rows, filled, top)
    first = above + max(names_at) + 1 if header else top
    skip = above if any(filled[:above]) else 0
    remarks = []
    if skip:
        empty = "" if all(filled[:skip]) else ", and empty rows"
        what = "group titles" if header and _covers(rows[above - 1], rows[above]) else "titles or notes"
        remarks.append(("skip_rows", f"{what}{empty} stand above the {'column names' if header else 'records'}"))
    if len(names_at) > 1:
        remarks.append(("header_row", "the column names take two rows, which are joined"))
    header_row = tuple(place + 1 for place in names_at)
    body = [row for row in rows[first:] if not is_blank(row)]
    ends = list(tail) if tail is not None else list(rows[first:])
    names = _named(rows, above, names_at) if header else []
    footer, remark = _footer(ends, body, names, whole=tail is None)
    if footer:
        remarks.append(("footer_rows", remark))
    last = len(rows)
    if tail is None and footer:
        while last > first and is_blank(rows[last - 1]):
            last -= 1
        last -= footer
    return Found(skip, header_row, footer, header, sure, names, first, last, tuple(remarks))


def _filled(row: Row) -> int:
    return sum(cell is not None for cell in row)


def _usual(counts: Sequence[int]) -> int:
    """The most frequent of some numbers; of several, the largest."""
    tally = Counter(count for count in counts if count > 1) or Counter(counts)
    return max(tally, key=lambda count: (tally[count], count), default=0)


def _hits(row: Row) -> int:
    """How many cells of a row read like names of columns that are known."""
    return sum(bool(concepts(cell) - {"?"}) for cell in row if isinstance(cell, str) and len(cell) < 60)


def _top(rows: Sequence[Row], filled: Sequence[int], width: int) -> int:
    """The place of the first row that is as full as records are."""
    least = max(2, math.ceil(0.7 * _usual([count for count in filled[:300] if count])))
    full = [
        i for i, row in enumerate(rows[:_ABOVE]) if filled[i] >= min(least, width) and abs(len(row) - width) <= 1 and filled[i]
    ]
    if not full:
        return next((i for i, count in enumerate(filled) if count), 0)
    top = full[0]
    following = [i for i in full if top < i <= top + 10]
    if str(next((cell for cell in rows[top] if cell is not None), "")).startswith("#"):  # a comment with commas in it
        return next((i for i in following[:3] if _hits(rows[i]) > _hits(rows[top])), top)
    if not _has_header(rows[top:])[0]:  # figures above the column names, perhaps
        named = (i for i in following if _hits(rows[i]) >= max(2, filled[i] / 2) and not any(map(_is_value, rows[i])))
        return next(named, top)
    return top


def _refuse_other_width(path: Path, rows: Sequence[Row], top: int, width: int) -> None:
    """Refuse a file whose column names are not as many as its fields."""
    for i, row in enumerate(rows[:top]):
        if _filled(row) >= 2 and _hits(row) >= max(2, _filled(row) / 2):
            reason = f"Its rows have {width} fields, and row {i + 1}, which seems to hold the column names, has {len(row)}"
            raise unreadable(path, reason, "Expected a name for each column.")


def _header_rows(rows: Sequence[Row], filled: Sequence[int], top: int) -> tuple[int, list[int]]:
    """Return how many rows stand above the column names, and which rows from there hold them."""
    upper = top - 1
    if upper >= 0 and filled[upper] >= 2 and len(rows[upper]) == len(rows[top]) and not any(map(_is_value, rows[upper])):
        return (top, [0]) if _is_complete(rows[top]) else (upper, [0, 1])
    below = top + 1
    if below + 1 < len(rows) and filled[below] and not any(map(_is_value, rows[below])):
        typed = [i for i, cell in enumerate(rows[below]) if cell is not None and _are_values(rows[below + 1 : below + 200], i)]
        others = [i for i in range(len(rows[top])) if _are_values(rows[below + 1 : below + 200], i)]
        if typed and not _is_complete(rows[top]):
            return (below, [0]) if _is_complete(rows[below]) and _hits(rows[below]) >= 2 else (top, [0, 1])
        if len(typed) >= 2 and typed == others and _hits(rows[below]) >= 2:
            return top, [0, 1]
    return top, [0]


def _covers(upper: Row, lower: Row) -> bool:
    """Whether a row holds titles of groups of columns."""
    return _filled(upper) >= 2 and len(upper) == len(lower)


def _is_complete(row: Row) -> bool:
    """Whether a row names every column, each otherwise (the last may be empty: a delimiter at the end)."""
    names = [str(cell).lower() for cell in row[:-1] if cell is not None] + [str(cell).lower() for cell in row[-1:] if cell]
    return len(names) >= len(row) - 1 and len(set(names)) == len(names) and (row[0] is not None or len(row) < 2)


def _named(rows: Sequence[Row], above: int, places: Sequence[int]) -> list[str]:
    held = [["" if cell is None else _cell_text(cell) for cell in rows[above + place]] for place in places]
    return joined_names(held) if len(held) > 1 else [cell.strip() for cell in held[0]]


def _cell_text(cell: Any) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _has_header(rows: Sequence[Row]) -> tuple[bool, bool]:
    """Whether the first row holds column names, and whether that is sure."""
    cells = [cell for cell in rows[0] if cell is not None] if rows else []
    texts = [cell for cell in cells if isinstance(cell, str)]
    hits = sum(bool(concepts(text) - {"?"}) for text in texts)
    if any(isinstance(cell, (dt.date, bool)) or is_contact(cell) for cell in cells) or dates(texts).share > 0:
        return False, True
    if any(_is_number(cell) or str(cell).lower() in NOTHING for cell in cells):
        # A name such as "2023" stands beside real names.
        return hits >= max(2, len(cells) / 2), True
    if hits >= max(1, len(texts) / 3):
        return True, True
    for i, cell in enumerate(rows[0] if rows else ()):
        if cell is not None and _are_values(rows[1:200], i):
            return True, True  # words above numbers are names
    return True, False


def _are_values(rows: Sequence[Row], column: int) -> bool:
    """Whether a column holds numbers or days."""
    below = [row[column] for row in rows if column < len(row) and row[column] is not None]
    return bool(below) and (sum(map(_is_number, below)) > 0.9 * len(below) or dates(below).share > 0.9)


def _is_number(cell: Any) -> bool:
    return number(cell) is not None or number(cell, ",") is not None


def _is_value(cell: Any) -> bool:
    """Whether a cell holds a number or a day, as names of columns do not."""
    return cell is not None and (isinstance(cell, (dt.date, bool)) or _is_number(cell) or dates([cell]).share > 0)


def _footer(ends: Sequence[Row], body: Sequence[Row], names: Sequence[str], *, whole: bool) -> tuple[int, str]:
    """Return how many rows stand below the records, and what they are; empty ones at the very end are none."""
    rows = list(ends)
    while rows and is_blank(rows[-1]):
        rows.pop()
    usual = _usual([_filled(row) for row in body[:300]])
    width = _usual([len(row) for row in body[:300]])
    count, remark = 0, ""
    for i in range(len(rows) - 1, max(0, len(rows) - 1 - _BELOW), -1):
        row = rows[i]
        if is_blank(row):
            continue
        said = _total(row, rows[:i] if whole else None, usual, names) or _note(row, rows[max(0, i - 30) : i], usual, width)
        if said:
            count = len(rows) - i
            remark = remark if remark and "note" not in remark and "note" in said else said
        elif _filled(row) > max(2, usual // 2) or len(rows) - i - count > _AMONG:
            break  # a record; a row with less, such as a tax, may stand below a total
    return count, f"{remark} {'in the last row' if count == 1 else f'in the last {count} rows'}" if count else ""


def _total(row: Row, before: Sequence[Row] | None, usual: int, names: Sequence[str]) -> str:
    """Say why a row is a total; an empty text where it is none."""
    sparse = _filled(row) < usual
    cells = [cell for cell in row if cell is not None]
    for cell in cells:
        word, alone = total_word(cell)
        own = cell is cells[0]
        if word and ((sparse and (own or alone)) or (own and alone and _is_sum(row, before))):
            return f"'{word}'"
    place = _is_sum(row, before) if sparse and _filled(row) <= max(2, usual // 2) else None
    if place is None:
        return ""
    return f"the sum of '{names[place]}'" if place < len(names) and names[place] else "a sum"


def _is_sum(row: Row, before: Sequence[Row] | None) -> int | None:
    """The column in which a row holds what all others add up to; None where there is none, or not all are known."""
    if before is None:
        return None
    for i, cell in enumerate(row):
        for decimal in (".", ","):
            value = number(cell, decimal) if cell is not None else None
            if value is None or value == 0:
                continue
            others = [number(other[i], decimal) for other in before if i < len(other) and other[i] is not None]
            known = [other for other in others if other is not None]
            if len(known) >= 2 and len(known) >= 0.9 * len(others) and abs(sum(known) - value) < 0.006:
                return i
    return None


def _note(row: Row, before: Sequence[Row], usual: int, width: int) -> str:
    """Say that a row is a note below a table: one text where records have several values."""
    cells = [cell for cell in row if cell is not None]
    if not (isinstance(cells[0], str) and cells[0] == row[0] and not _is_number(cells[0])):
        return ""
    alone = len(cells) == 1 or (len(row) != width and len(cells) <= max(1, usual // 2))
    likewise = sum(_filled(other) <= len(cells) for other in before if not is_blank(other))
    return "a note" if usual >= 3 and alone and likewise <= max(1, len(before) // 4) and dates(cells[:1]).share == 0 else ""

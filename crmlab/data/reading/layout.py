"""Where in a file the column names stand, and where its records begin and end: what text files and sheets have in common.

Rows are counted as a person counts them in an editor or a spreadsheet: empty ones too, but for those at the very end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["LONGEST", "WIDEST", "Layout", "is_blank", "joined_names", "total_word"]

LONGEST = 16_000_000  # characters of a line, or of a field
WIDEST = 5_000  # columns
# As controllers of many countries call a sum, longest first.
_TOTALS = (
    *("grand total", "sub total", "subtotal", "total général", "total general", "zwischensumme", "gesamtsumme", "gesamtbetrag"),
    *("totals", "total", "totale", "totaal", "totalt", "totali", "summe", "summa", "sum", "gesamt", "somme", "suma", "soma"),
    *("razem", "celkem", "spolu", "összesen", "yhteensä", "i alt", "toplam", "genel toplam", "итого", "всего", "σύνολο"),
    *("合計", "总计", "合计", "總計", "총계", "합계", "المجموع", "סך הכל"),
)
_TOTAL = re.compile(rf"(?:{'|'.join(map(re.escape, sorted(_TOTALS, key=len, reverse=True)))})(?!\w)", re.IGNORECASE)


def is_blank(row: Sequence[Any]) -> bool:
    """Whether nothing stands in a row.

    Examples
    --------
    >>> is_blank(["", " ", None]), is_blank([]), is_blank([0])
    (True, True, False)
    """
    return all(cell is None or (isinstance(cell, str) and not cell.strip()) for cell in row)


def total_word(cell: Any) -> tuple[str, bool]:
    """Return the word for a total that a cell begins with, and whether it is all that stands there.

    Examples
    --------
    >>> total_word("Summe:"), total_word("Total orders: 20"), total_word("Totality"), total_word(7)
    (('Summe', True), ('Total', False), ('', False), ('', False))
    """
    found = _TOTAL.match(cell.strip()) if isinstance(cell, str) else None
    return (found.group(), not cell.strip()[found.end() :].strip(" :=.")) if found else ("", False)


def joined_names(rows: Sequence[Sequence[str]]) -> list[str]:
    """Join the rows of a header into one name for each column.

    The title of a group stands above the first of its columns and covers the empty cells to its right.

    Examples
    --------
    >>> joined_names([["Order", "", "Amount", ""], ["id", "date", "net", "gross"]])
    ['Order id', 'Order date', 'Amount net', 'Amount gross']
    >>> joined_names([["Date", "Amount", ""], ["", "net", "gross"]])
    ['Date', 'Amount net', 'Amount gross']
    """
    width = max(map(len, rows), default=0)
    parts: list[list[str]] = [[] for _ in range(width)]
    for i, row in enumerate(rows):
        covering = ""
        for place in range(width):
            own = " ".join(row[place].split()) if place < len(row) else ""
            covering = own or (covering if i < len(rows) - 1 else "")
            if covering and covering not in parts[place]:
                parts[place].append(covering)
    return [" ".join(words) for words in parts]


@dataclass(frozen=True)
class Layout:
    """What the TOML file says of the rows of a file; see :class:`crmlab.data.table_section.TableSection`."""

    skip_rows: int = 0
    header_row: tuple[int, ...] = (1,)
    footer_rows: int = 0
    header: bool = True

    def places(self, rows: Sequence[Sequence[Any]]) -> tuple[list[int], int] | None:
        """Return the places (from 0) of the rows with column names, and that of the first record.

        Empty rows above a header in row 1, or above records without a header, are passed over.

        Parameters
        ----------
        rows : sequence of rows
            The first rows of a file.

        Returns
        -------
        (places, first) or None
            None where these rows are too few to tell.

        Examples
        --------
        >>> Layout(skip_rows=1).places([["A title"], [], ["id", "date"]])
        ([2], 3)
        >>> Layout(header_row=(3,)).places([["A title"], [], ["id", "date"]])
        ([2], 3)
        """
        start = self.skip_rows
        if not self.header or self.header_row[0] == 1:
            while start < len(rows) and is_blank(rows[start]):
                start += 1
        if start >= len(rows) or (self.header and start + max(self.header_row) > len(rows)):
            return None
        if not self.header:
            return [], start
        return [start + row - 1 for row in self.header_row], start + max(self.header_row)

    @property
    def plain(self) -> bool:
        """Whether the first row has the column names, or is a record, and the last row is one."""
        return not self.skip_rows and not self.footer_rows and (not self.header or self.header_row == (1,))

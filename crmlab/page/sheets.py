"""Frames as files that people open in a spreadsheet: csv and workbooks in which no text is run as a formula.

Everything that crmlab writes as csv goes through :func:`write_csv`, whether it names customers or holds texts from data. What was written
is read back with :func:`as_it_was`.
"""

from __future__ import annotations

import csv
import datetime as dt
import decimal
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlab.errors import TooLittleError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "LONGEST_SHEET",
    "LONGEST_TEXT",
    "as_it_was",
    "column_as_it_was",
    "cut",
    "neutral",
    "read_csv",
    "too_long",
    "write_csv",
    "write_workbook",
]


LONGEST_SHEET = 1_048_576
LONGEST_TEXT = 32_767  # of a cell, in units of UTF-16

# What a spreadsheet takes for the beginning of a formula, full-width and small forms included.
_SIGNS = r"=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b"
# What may stand before it: blanks of all kinds, marks that nobody sees, our own apostrophe.
_BEFORE = r"\s'\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"
# A text in pieces, so that a long one takes no longer than its length: a sign with what stands before it, or anything else. At the
# beginning of a text, tab, CR and LF alone are enough.
_PIECES = re.compile(rf"([{_BEFORE}]*)[{_SIGNS}]|\A([ ']*[\t\r\n][{_BEFORE}]*)|[{_BEFORE}]+|[^{_BEFORE}{_SIGNS}]+")
_SPLITS = re.compile(r"[;\t\r\n]")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_NO_TEXT = (int, float, complex, decimal.Decimal, dt.date, dt.time, dt.timedelta, type(None))


def neutral(value: Any) -> Any:
    """Put an apostrophe before whatever of a text a spreadsheet would run as a formula.

    A text that another program splits, at a semicolon, a tab or a line's end, has several beginnings. Numbers stay numbers.

    Parameters
    ----------
    value : object
        A text, or anything else: that stays as it is.

    Returns
    -------
    object
        :func:`as_it_was` gives the text back.

    Examples
    --------
    >>> neutral("=1+1"), neutral("a; =1+1"), neutral("plain"), neutral(-3)
    ("'=1+1", "a;' =1+1", 'plain', -3)
    """
    return _PIECES.sub(_defuse, value.replace("\0", "")) if isinstance(value, str) else value


def _defuse(piece: re.Match[str]) -> str:
    """A piece with an apostrophe wherever a cell may begin in it: at its own beginning, and after each end of a cell."""
    before, leading = piece.group(1, 2)
    if before is None and leading is None:
        return piece.group()
    if before is None:
        return "'" + piece.group()
    marked = re.sub(r"([\t\r\n])", r"\1'", before) + piece.group()[len(before) :]
    return "'" + marked if _begins(piece) else marked


def _begins(piece: re.Match[str]) -> bool:
    return piece.start() == 0 or piece.string[piece.start() - 1] == ";"


def as_it_was(text: str) -> str:
    """Return a text as it was before :func:`neutral`.

    Examples
    --------
    >>> [as_it_was(neutral(text)) for text in ("=1", "'=1", "a;\t-1", "it's")]
    ['=1', "'=1", 'a;\t-1', "it's"]
    """
    return _PIECES.sub(_restore, text)


def _restore(piece: re.Match[str]) -> str:
    before, leading = piece.group(1, 2)
    if before is None:
        return piece.group().removeprefix("'" if leading else "")
    plain = re.sub(r"([\t\r\n])'", r"\1", before) + piece.group()[len(before) :]
    return plain.removeprefix("'") if _begins(piece) else plain


def column_as_it_was(column: pd.Series) -> pd.Series:
    """Return a column of texts as it was before :func:`write_csv`; one that crmlab cannot have written stays as it is.

    Parameters
    ----------
    column : Series
        Texts as they were read; what is missing stays missing.
    """
    plain = column.map(as_it_was, na_action="ignore")
    ours = plain.map(neutral, na_action="ignore").eq(column) | column.isna()
    return plain if ours.all() else column


def read_csv(path: Path) -> pd.DataFrame:
    """Read a csv file as texts, with the names of its columns as they were before :func:`write_csv`; empty cells are missing.

    Raises
    ------
    OSError, ValueError
        It cannot be read, or is no csv file in UTF-8.
    """
    import pandas as pd

    frame = pd.read_csv(path, dtype="str", encoding="utf-8-sig", keep_default_na=False, na_values=[""])
    frame.columns = [as_it_was(str(name)) for name in frame.columns]
    return frame


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as UTF-8 csv whose texts no spreadsheet takes for formulas.

    Where a text holds what other programs split at (a semicolon, a tab, the end of a line), all texts are in quotes.
    """
    safe = frame.copy()
    safe.columns = [neutral(str(name)) for name in frame.columns]
    splits = any(map(_SPLITS.search, safe.columns))
    for i in range(frame.shape[1]):
        if frame.dtypes.iloc[i].kind in "iufbM":
            continue
        column = frame.iloc[:, i].map(_text, na_action="ignore").to_numpy(object)
        texts = [value for value in column if isinstance(value, str)]
        splits = splits or any(map(_SPLITS.search, texts))
        if not all(map(_NUMBER.fullmatch, texts)):
            column = [neutral(value) for value in column]
        safe.isetitem(i, column)
    quoting = csv.QUOTE_NONNUMERIC if splits else csv.QUOTE_MINIMAL
    safe.to_csv(path, index=False, encoding="utf-8", lineterminator="\n", quoting=quoting)


def _text(value: Any) -> Any:
    """A value as csv writes it, where that is a text."""
    return value if isinstance(value, (str, *_NO_TEXT)) or hasattr(value, "dtype") else str(value)


def too_long(text: Any) -> bool:
    """Say whether a text does not fit into a cell of a workbook.

    Examples
    --------
    >>> too_long("x" * 32_767), too_long("x" * 32_768), too_long(7)
    (False, True, False)
    """
    return (
        isinstance(text, str) and 2 * len(text) > LONGEST_TEXT and len(text.encode("utf-16-le", "replace")) > 2 * LONGEST_TEXT
    )


def cut(text: Any) -> Any:
    """Return what of a text fits into a cell; whoever writes the workbook says that it was cut."""
    if not too_long(text):
        return text
    return text.encode("utf-16-le", "replace")[: 2 * LONGEST_TEXT].decode("utf-16-le", "ignore")


def write_workbook(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as a workbook: texts are texts, never formulas or links; the same frame gives the same bytes.

    Texts that do not fit into a cell are cut: see :func:`too_long`.

    Raises
    ------
    TooLittleError
        It has more rows than a sheet.
    """
    import pandas as pd

    if len(frame) >= LONGEST_SHEET:
        raise TooLittleError.needs("xlsx", f"at most {LONGEST_SHEET - 1:,} rows for a sheet", f"{len(frame):,}")
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "nan_inf_to_errors": True}
    fits = frame.assign(**{name: frame[name].map(cut) for name in frame.columns if frame[name].map(too_long).any()})
    with pd.ExcelWriter(path, engine="xlsxwriter", engine_kwargs={"options": options}) as writer:
        fits.to_excel(writer, index=False, freeze_panes=(1, 0))
        # A workbook carries the moment of its making unless it is given one.
        writer.book.set_properties({"created": dt.datetime(2000, 1, 1)})

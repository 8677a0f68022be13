"""Looks at the beginning of a text file: its encoding, its delimiter, its first rows.

Of a long file some pieces further down are looked at too, since the first umlaut and the 13th of a month may come late.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from crmlab.errors import SourceError

__all__ = ["HEAD", "ROWS", "TABLE", "TextRows", "cleaned", "read_text", "unreadable"]

TABLE = "new file"  # what messages call a table that has no name yet
ROWS = 5000
HEAD = 400_000
PIECE = 64_000
_MORE = 500  # rows taken of each piece
_FAR = 8_000_000  # how far into a packed file is looked: it has to be unpacked up to there

# In order of preference: decimal commas make a comma look like a delimiter, seldom the other way round.
_DELIMITERS = ("\t", ";", "|", ",", "whitespace")
# The encodings that exports come in. More would only add unlikely answers.
_LEGACY = [
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254"),
    *("cp850", "cp866", "koi8_r", "iso8859_2", "cp932", "gb18030"),
]
_WESTERN = frozenset("äöüßÄÖÜéèêëÉÈÊàâáÀÁçÇîïíÍôöóÓòùûúÚœŒñÑ¿¡ãõøØåÅæÆìý€£§°©®™½²³´·«»–—‘’“”„…\u00a0º")
_MAGIC = {
    b"PK\x03\x04": "a workbook or a zip archive",
    b"PAR1": "Parquet",
    b"\x1f\x8b": "packed with gzip",
    b"%PDF": "a PDF",
    b"SQLite format 3": "an SQLite database",
}


@dataclass(frozen=True)
class TextRows:
    """The first rows of a text file, cells stripped and None where empty.

    ``encoding`` is None for UTF-8. ``usual`` is the share of rows that have the usual number of fields.
    """

    rows: list[list[Any]]
    delimiter: str
    encoding: str | None
    guessed: bool
    usual: float
    complete: bool


def unreadable(path: Path, error: object, hint: str = "") -> SourceError:
    """Word an error of the system or a library for the user, without the folders of the file."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    reason = re.sub(r"\[Errno \d+\] |: '.*'$", "", reason)[:200].rstrip(".")
    return SourceError.unreadable(TABLE, path.name, f"{reason}.", hint)


def cleaned(cell: str | None) -> str | None:
    """Return a cell without surrounding blanks; None where nothing is left."""
    return (cell.strip() or None) if cell is not None else None


def read_text(path: Path) -> TextRows:
    """Read the first rows of a text file, packed or not.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    TextRows

    Raises
    ------
    SourceError
        It is empty, no text, or has one column only.
    """
    head, pieces, complete = _chunks(path)
    for magic, what in _MAGIC.items():
        if head.startswith(magic):
            raise unreadable(path, f"It is no text but {what}", "Correct the ending of its name.")
    codec, encoding, guessed = _encoding(path, head, pieces)
    try:
        text = codecs.getincrementaldecoder(codec)("strict").decode(head, complete)
    except UnicodeError as error:
        raise unreadable(path, "It is no text in any known encoding") from error
    odd = sum(ord(character) < 32 and character not in "\t\n\r\f\v\x1a" for character in text)
    if odd > len(text) * 0.002 or "\x00" in text:
        raise unreadable(path, "It holds binary data, not text")
    if not text.strip():
        raise SourceError.empty(TABLE, path.name)
    delimiter, rows, usual = _delimiter(path, text, complete)
    complete = complete and len(rows) < ROWS
    for piece in pieces:
        # A piece begins and ends somewhere inside a row: only whole rows of the right width are taken.
        lines = re.split(r"\r\n|\n|\r", piece.decode(_inner(codec, head), errors="ignore"))[1:-1]
        further = _records("\n".join(lines), delimiter) or []
        rows += [row for row in further[:_MORE] if len(row) == len(rows[0])]
    return TextRows(rows, delimiter, encoding, guessed, usual, complete)


def _chunks(path: Path) -> tuple[bytes, list[bytes], bool]:
    """The head of a file, pieces further down, and whether the head is all."""
    pieces: list[bytes] = []
    packed = path.name.lower().endswith(".gz")
    opener: Any = gzip.open if packed else open
    with opener(path, "rb") as file:
        head: bytes = file.read(HEAD)
        if len(head) < HEAD:
            return head, [], True
        end = _FAR if packed else path.stat().st_size
        for part in (1, 2, 3):
            # A multiple of four, so that no character of UTF-16 or UTF-32 is cut.
            start = max(HEAD, (HEAD + (end - HEAD) * part // 3 - PIECE) // 4 * 4)
            file.seek(start)
            if piece := file.read(PIECE):
                pieces.append(piece)
    return head, pieces, False


def _encoding(path: Path, head: bytes, pieces: list[bytes]) -> tuple[str, str | None, bool]:
    """The codec, what the TOML file says of it (None: UTF-8), and whether it is a guess."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32", "utf-32", False
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", "utf-16", False
    pairs = len(head) // 2
    even, odd = head[: 2 * pairs : 2].count(0), head[1 : 2 * pairs : 2].count(0)
    if pairs and max(even, odd) > 0.3 * pairs and min(even, odd) <= 0.02 * pairs:
        codec = "utf-16-le" if odd > even else "utf-16-be"
        return codec, codec, False
    if b"\x00" in head:
        raise unreadable(path, "It holds binary data, not text")
    if all(_is_utf8(chunk) for chunk in (head, *pieces)):
        return ("utf-8-sig" if head.startswith(codecs.BOM_UTF8) else "utf-8"), None, False
    if head.startswith(codecs.BOM_UTF8):
        raise unreadable(path, "It begins as UTF-8 but holds other characters")
    codec = _legacy(b"\n".join((head, *pieces)))
    try:
        codecs.getincrementaldecoder(codec)("strict").decode(head, False)
    except UnicodeError:
        codec = "latin-1"  # it can read anything
    return codec, codec, True


def _inner(codec: str, head: bytes) -> str:
    """The codec of a piece from the middle, where no byte order mark stands."""
    if codec in ("utf-16", "utf-32"):
        return codec + ("-le" if head[:1] == b"\xff" else "-be")
    return codec.replace("utf-8-sig", "utf-8")


def _is_utf8(chunk: bytes) -> bool:
    # A piece may begin inside a character.
    first = next((i for i, byte in enumerate(chunk[:4]) if byte & 0xC0 != 0x80), 0)
    try:
        codecs.getincrementaldecoder("utf-8")("strict").decode(chunk[first:], False)
    except UnicodeDecodeError:
        return False
    return True


def _legacy(content: bytes) -> str:
    """Guess an encoding that is not Unicode."""
    lines = [line for line in content.splitlines() if not line.isascii()]
    telling = b"\n".join(lines[:400])[:PIECE]
    try:
        text = telling.decode("cp1252")
        letters = sum(character.isalpha() for character in text)
        foreign = [character for character in text if not character.isascii()]
        usual = sum(character in _WESTERN for character in foreign)
        # Western words are mostly ASCII letters; in Cyrillic ones every letter is foreign.
        if usual >= 0.95 * len(foreign) and len(foreign) <= 0.4 * max(letters, 3):
            return "cp1252"
    except UnicodeDecodeError:
        pass
    from charset_normalizer import from_bytes

    best = from_bytes(telling, cp_isolation=_LEGACY, enable_fallback=False).best()
    return best.encoding if best else "latin-1"


def _records(text: str, delimiter: str) -> list[list[Any]] | None:
    """The rows of a text that are not empty; None where it cannot be taken apart so."""
    if delimiter == "whitespace":
        lines = filter(str.strip, text.splitlines())
        return [[cleaned(cell) for cell in line.split()] for line in islice(lines, ROWS)]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return [[cleaned(cell) for cell in row] for row in islice(filter(None, reader), ROWS)]
    except csv.Error:
        return None


def _delimiter(path: Path, text: str, complete: bool) -> tuple[str, list[list[Any]], float]:
    """The delimiter, the rows that it makes, and the share of them that have the usual width."""
    found: list[tuple[tuple[bool, bool, float, int], str, list[list[Any]], float]] = []
    for candidate in _DELIMITERS:
        rows = _records(text, candidate)
        if rows and not complete and 1 < len(rows) < ROWS:
            rows.pop()  # cut off
        if not rows:
            continue
        width, count = Counter(map(len, rows)).most_common(1)[0]
        usual, fits, blanks = count / len(rows), len(rows[0]) == width, candidate == "whitespace"
        if width < 2 or usual < (0.95 if blanks else 0.5):
            continue
        if fits and usual >= 0.95 and not (blanks and found):
            return candidate, rows, usual
        found.append(((not blanks, fits, round(usual, 1), width), candidate, rows, usual))
    if not found:
        raise unreadable(path, "Only one column was found", "Expected fields apart by a comma, semicolon, tab, | or blanks.")
    _, delimiter, best, usual = max(found, key=lambda item: item[0])
    return delimiter, best, usual

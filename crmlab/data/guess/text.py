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

from crmlab.data.reading.layout import WIDEST
from crmlab.data.reading.lines import named_delimiter
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
    """The first rows of a text file, cells stripped and None where empty; empty rows are rows, but a line ``sep=;`` is none.

    ``encoding`` is None for UTF-8. ``further`` are rows from further down; ``tail`` holds the last ones, None where ``rows`` are all.
    ``escape`` is what stands before quotation marks within fields, where it is not another one.
    """

    rows: list[list[Any]]
    delimiter: str
    encoding: str | None
    guessed: bool
    further: list[list[Any]]
    tail: list[list[Any]] | None
    escape: str | None = None

    @property
    def complete(self) -> bool:
        """Whether ``rows`` are all rows of the file."""
        return self.tail is None


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
    head, pieces, last = _chunks(path)
    complete = last is None
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
    text, named = _without_sep(text)
    if not complete and not re.search(r"[\r\n]", text):
        _refuse_endless(path, text)
    escape = _escape(text, named)
    delimiter, rows = _delimiter(path, text, complete, (named,) if named else _DELIMITERS, escape)
    tail = None
    if last is not None or len(rows) == ROWS:
        ends = (last or head)[-PIECE // 4 * 4 :].decode(_inner(codec, head), errors="ignore")
        tail = _records("\n".join(re.split(r"\r\n|\n|\r", ends)[1:]), delimiter, escape) or []
    further: list[list[Any]] = []
    for piece in pieces:
        # A piece begins and ends somewhere inside a row: only whole rows are taken.
        lines = re.split(r"\r\n|\n|\r", piece.decode(_inner(codec, head), errors="ignore"))[1:-1]
        further += (_records("\n".join(lines), delimiter, escape) or [])[:_MORE]
    return TextRows(rows, delimiter, encoding, guessed, further, tail, escape)


def _without_sep(text: str) -> tuple[str, str | None]:
    """A text without a first line that names the delimiter, and that delimiter."""
    found = re.match(r"[^\r\n]*(?:\r\n|\n|\r|$)", text)
    named = named_delimiter(found.group()) if found else None
    return (text[found.end() :], named) if found and named else (text, None)


def _refuse_endless(path: Path, text: str) -> None:
    """Refuse a file whose first line does not end."""
    most = max(text.count(sign) for sign in _DELIMITERS[:-1])
    columns = f" and more than {most:,} columns" if most > WIDEST else ""
    reason = f"Its first line has more than {len(text):,} characters{columns}; at most {WIDEST:,} columns can be read"
    raise unreadable(path, reason, "Export it with a line for each record, and only the columns needed.")


def _escape(text: str, named: str | None) -> str | None:
    r"""The sign before quotation marks within fields, where it is \ and not another quotation mark."""
    delimiters = re.escape(named) if named else ",;\t|"
    return "\\" if re.search(rf'[^\\]\\"(?!\s*(?:[{delimiters}\r\n]|$))', text) else None


def _chunks(path: Path) -> tuple[bytes, list[bytes], bytes | None]:
    """The head of a file, pieces further down, and its end; None where the head is all."""
    pieces: list[bytes] = []
    packed = path.name.lower().endswith(".gz")
    opener: Any = gzip.open if packed else open
    with opener(path, "rb") as file:
        head: bytes = file.read(HEAD)
        if len(head) < HEAD:
            return head, [], None
        end = _FAR if packed else path.stat().st_size
        seen = HEAD
        for part in (1, 2, 3):
            # A multiple of four, so that no character of UTF-16 or UTF-32 is cut; never twice what was seen already.
            start = max(seen, (HEAD + (end - HEAD) * part // 3 - PIECE) // 4 * 4)
            file.seek(start)
            if piece := file.read(PIECE):
                pieces.append(piece)
            seen = start + PIECE
        return head, pieces, _end(file, packed=packed, size=path.stat().st_size)


def _end(file: Any, *, packed: bool, size: int) -> bytes:
    """The last bytes of a file, from a multiple of four on. A packed one has to be unpacked for them."""
    if not packed:
        file.seek(max(0, size - PIECE) // 4 * 4)
        return bytes(file.read())
    file.seek(0)
    held = b""
    place = 0
    while chunk := file.read(1 << 20):
        held = held[-PIECE:] + chunk
        place += len(chunk)
    start = max(0, place - PIECE) // 4 * 4
    return held[start - (place - len(held)) :]


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


def _records(text: str, delimiter: str, escape: str | None = None) -> list[list[Any]] | None:
    """The rows of a text; None where it cannot be taken apart so."""
    if delimiter == "whitespace":
        return [[cleaned(cell) for cell in line.split()] for line in islice(text.splitlines(), ROWS)]
    if escape == "\\":
        text = text.replace("\\N", "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, escapechar=escape)
    try:
        return [[cleaned(cell) for cell in row] for row in islice(reader, ROWS)]
    except csv.Error:
        return None


def _delimiter(
    path: Path, text: str, complete: bool, candidates: tuple[str, ...], escape: str | None
) -> tuple[str, list[list[Any]]]:
    """The delimiter, and the rows that it makes."""
    found: list[tuple[tuple[bool, bool, float, int], str, list[list[Any]]]] = []
    for candidate in candidates:
        rows = _records(text, candidate, escape)
        if rows and not complete and 1 < len(rows) < ROWS:
            rows.pop()  # cut off
        full = [row for row in rows or () if row]
        if not rows or not full:
            continue
        blanks = candidate == "whitespace"
        widths = Counter(len(row) for row in full if blanks or len(row) > 1)
        width, count = widths.most_common(1)[0] if widths else (1, 0)
        usual, fits = count / len(full), len(full[0]) == width
        if width < 2 or usual < (0.95 if blanks else 0.5 if count < 3 else 0.2):
            continue
        if fits and usual >= 0.95 and not (blanks and found):
            return candidate, rows
        found.append(((not blanks, fits, round(usual, 1), width), candidate, rows))
    if not found:
        raise unreadable(path, "Only one column was found", "Expected fields apart by a comma, semicolon, tab, | or blanks.")
    _, delimiter, best = max(found, key=lambda item: item[0])
    return delimiter, best

"""Words and names as a page writes them: joined, shortened, without what no page can show."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

__all__ = ["joined", "plain", "shortened", "titled"]


def joined(parts: Iterable[str], word: str = "and") -> str:
    """Several things in a row, as people say them.

    Examples
    --------
    >>> joined(["a"]), joined(["a", "b"]), joined(["a", "b", "c"]), joined(["a", "b"], "or"), joined([])
    ('a', 'a and b', 'a, b and c', 'a or b', '')
    """
    *some, last = [*parts] or [""]
    return f"{', '.join(some)} {word} {last}" if some else last


def titled(name: str) -> str:
    """A name out of data as people write it: blanks stand for its underscores.

    Examples
    --------
    >>> titled("offer_by_creative"), titled("Spring-2026")
    ('offer by creative', 'Spring-2026')
    """
    return name.replace("_", " ").strip()


def shortened(text: str, most: int) -> str:
    """A text of at most so many letters, its end left out where it is longer.

    Examples
    --------
    >>> shortened("Winter catalogue", 8), shortened("Winter", 8)
    ('Winter …', 'Winter')
    """
    return text if len(text) <= most else text[: most - 1] + "…"


def plain(text: str) -> str:
    """Take out of a text what no page can show: control characters, marks that turn the direction of reading, NUL.

    Examples
    --------
    >>> plain("a\\x00b\\u202ec")
    'a bc'
    """
    return "".join(_shown(ch) for ch in text) if not text.isascii() or not text.isprintable() else text


def _shown(ch: str) -> str:
    if ch.isprintable() or ch in _JOINERS:
        return ch
    category = unicodedata.category(ch)
    # A space stays the space it is (thin, not breaking); invisible marks go without a trace.
    return ch if category == "Zs" else "" if category == "Cf" else "\ufffd" if category == "Cs" else " "


_JOINERS = ("\u200c", "\u200d")  # between the letters of some scripts, and inside some emoji

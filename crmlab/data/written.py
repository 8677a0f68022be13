"""How people and programs write digits, signs and amounts. The reader of data sets and ``crmlab new`` go by the same forms.

Digits are digits in every script. The apostrophe that spreadsheets put before a text is no part of it, and a minus sign, a
blank or a full stop is one in whatever form a typesetter chose. All patterns mean the same to Python and to the engine.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from decimal import Decimal
from functools import lru_cache

from crmlab.data.currencies import MARK

__all__ = ["BLANKS", "DASHES", "SEPARATORS", "UNSEEN", "WIDE", "amount", "amount_forms", "counted_as", "digits", "tidy"]

BLANKS = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
DASHES = "\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d"  # hyphens, figure and en dash, minus signs
WIDE = {"．": ".", "，": ",", "：": ":", "／": "/", "（": "(", "）": ")"}
UNSEEN = "\u200b\u200e\u200f\u061c\u2066\u2067\u2068\u2069\ufeff"  # marks of the direction of writing, and blanks of no width
SEPARATORS = ("٫", "٬")  # before the decimals, and between thousands, in Arabic and Persian

_GAP = "[ \u00a0\u202f\u2009]"
_LARGEST = 10**14  # of DECIMAL(18,4)


@lru_cache(maxsize=1)
def digits() -> str:
    """Return the digits of all scripts but our own, ten by ten: each script's from 0 to 9.

    Examples
    --------
    >>> digits()[:10], len(digits()) % 10
    ('٠١٢٣٤٥٦٧٨٩', 0)
    """
    everything = map(chr, range(128, sys.maxunicode + 1))
    return "".join(sign for sign in everything if unicodedata.category(sign) == "Nd")


@lru_cache(maxsize=1)
def _table() -> dict[int, str]:
    numerals = {ord(sign): str(unicodedata.decimal(sign)) for sign in digits()}
    blanks, dashes, unseen = ({ord(sign): to for sign in signs} for signs, to in ((BLANKS, " "), (DASHES, "-"), (UNSEEN, "")))
    return {**numerals, **blanks, **dashes, **unseen, **{ord(sign): to for sign, to in WIDE.items()}}


def tidy(text: str) -> str:
    """Return a text with plain digits, signs and blanks, and without an apostrophe before it.

    Examples
    --------
    >>> tidy("'−15.02"), tidy("٣ مارس ٢٠٢٤")
    ('-15.02', '3 مارس 2024')
    """
    if not text.isascii():
        text = text.translate(_table())
    return text.strip().removeprefix("'").strip()


@lru_cache(maxsize=2)
def amount_forms(decimal: str) -> tuple[str, str]:
    """Return the patterns of amounts that a program wrote, and of those that a person reads.

    The latter may have signs of currency, groups of three digits (and of two before them: 1,23,477.00), and a minus in
    front or behind, or brackets for it. 12.- is none of them: it means 12 to some and -12 to others.

    Parameters
    ----------
    decimal : str
        The sign before the decimals: "." or ",".
    """
    point, group = (r"\.", ",") if decimal == "." else (",", r"\.")
    groups = "|".join(rf"(?:{sign}[0-9]{{3}})+" for sign in (group, _GAP, "['’]"))
    lakh = "|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}" if decimal == "." else ""
    whole = rf"(?:[0-9]+|[1-9][0-9]{{0,2}}(?:{groups}){lakh})"
    number, closed = rf"(?:{whole}(?:{point}[0-9]*)?|{point}[0-9]+)", rf"(?:{whole}(?:{point}[0-9]+)?|{point}[0-9]+)"
    sign, money = r"[+\-−]", rf"{_GAP}*{MARK}?{_GAP}*{number}{_GAP}*{MARK}?{_GAP}*"
    forms = (
        rf"{sign}?{money}",  # -€ 12.50
        rf"{MARK}{_GAP}*{sign}{_GAP}*{number}",  # € -12.50
        rf"\({money}\)",  # (12.50)
        rf"{MARK}?{_GAP}*{closed}{_GAP}*-",  # 12.50-
    )
    plain = rf"[+-]?([0-9]+({point}[0-9]*)?|{point}[0-9]+)([eE][+-]?[0-9]{{1,2}})?"
    return f"^{plain}$", f"^(?:{'|'.join(forms)})$"


def amount(text: str, decimal: str = ".") -> Decimal | None:
    """Read an amount; None where the text is none for sure, or too large.

    Examples
    --------
    >>> amount("1.234,50 €", ","), amount("1,23,477.00"), amount("12,50")
    (Decimal('1234.50'), Decimal('123477.00'), None)
    """
    if len(text) > 60:
        return None
    text = tidy(text)
    for separator, sign in zip(SEPARATORS, (decimal, "." if decimal == "," else ","), strict=True):
        text = text.replace(separator, sign)
    program, people = amount_forms(decimal)
    if re.fullmatch(program[1:-1], text):
        found = Decimal(text.replace(decimal, "."))
    elif re.fullmatch(people[1:-1], text):
        found = Decimal(re.sub(f"[^0-9{decimal}]", "", text).replace(decimal, "."))
        found = -found if re.search("[-−(]", text) else found
    else:
        return None
    return found if abs(found) < _LARGEST else None


# From 1990 to 2100.
_COUNTED = {"epoch": (631_152_000, 4_102_444_800), "epoch_ms": (631_152_000_000, 4_102_444_800_000), "excel": (32_874, 73_050)}


def counted_as(number: float) -> str | None:
    """Say how days are counted among which a number would be one of 1990 to 2100; None where it would be none.

    Examples
    --------
    >>> counted_as(1697716800), counted_as(1697716800000), counted_as(45218), counted_as(20240131)
    ('epoch', 'epoch_ms', 'excel', None)
    """
    return next((form for form, (first, end) in _COUNTED.items() if first <= number < end), None)

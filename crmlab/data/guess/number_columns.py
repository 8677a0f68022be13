"""Tries the values of a column as numbers, by the rules of :mod:`crmlab.data.reading.parse`, so that it can read the guess."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from crmlab.data.currencies import CODES, SIGN, SIGNS, code_of
from crmlab.data.personal import plain
from crmlab.data.written import SEPARATORS, amount, tidy

__all__ = ["Numbers", "currencies", "in_cents", "number", "numbers", "sign_beside"]


# Amounts to the eye, also in forms that the reader does not take: Rs. 12.50, 12,-.
_TAKEN_OFF = re.compile(rf"[\s'’٫٬]|[A-Z]{{0,3}}[{SIGNS}]|[A-Z]{{3}}$")
_CODES = "|".join(CODES)
_BESIDE = re.compile(r"[\d.,'’+\-−()\s٫٬]")  # digits and their signs: what is left stands beside them
_LOOSE = re.compile(
    rf"\(?[+\-−]?(?:{_CODES}|[Kk]r\.?|R|Rs\.?|Fr\.?)?[+\-−]?[0-9.,]*[0-9][0-9.,]*(?:{_CODES}|[Kk]r\.?|zł|Kč|Ft|Fr\.?|,-)?\)?-?"
)
# What the hundredth part of a currency is called.
_CENTS = (
    "cent cents cts ct minor subunit subunits pfennig pfennige rappen pence centime centimes centimo centimos centavo centavos "
    "centesimi eurocent eurocents grosz grosze groszy kopeck kopecks kopek kopeks kopeken paise paisa ore oere halere haleru"
)


@dataclass(frozen=True)
class Numbers:
    """The values of a column as numbers.

    Attributes
    ----------
    share : float
        How many can be read.
    loose : float
        How many are amounts to the eye, such as (12.50).
    decimal : str or None
        The decimal sign; None: nothing tells, and a point is tried.
    mixed : bool
        Some values tell of a point and others of a comma.
    unclear : str or None
        The sign of values such as 1.234, where no other value tells what it means.
    fractions : float
        How many of those read are not whole.
    """

    share: float = 0.0
    loose: float = 0.0
    decimal: str | None = None
    mixed: bool = False
    unclear: str | None = None
    fractions: float = 0.0


def number(value: Any, decimal: str = ".") -> float | None:
    """Read a value as the reader of data sets does; None where it cannot.

    Examples
    --------
    >>> number("1.234,50 €", ","), number("1,234.50"), number("12,50")
    (1234.5, 1234.5, None)
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float, Decimal)):
        return None if math.isnan(value) else float(value)
    if not isinstance(value, str):
        return None
    found = amount(value.strip(), decimal)
    return None if found is None else float(found)


def numbers(values: Sequence[Any]) -> Numbers:
    """Try the values of a column as numbers.

    Examples
    --------
    >>> numbers(["1.234,50", "7,00"]).decimal
    ','
    """
    filled = [value for value in values if value is not None]
    amounts = [v for v in filled if isinstance(v, str) and len(v) <= 60 and _LOOSE.fullmatch(_TAKEN_OFF.sub("", tidy(v)))]
    signs = Counter(_sign(text) for text in amounts)
    decided = "," if signs[","] > signs["."] else "." if signs["."] else None
    read = [number(value, decided or ".") for value in filled]
    good = [value for value in read if value is not None]
    alike, total = set(amounts), max(len(filled), 1)
    return Numbers(
        share=len(good) / total,
        loose=sum(n is not None or v in alike for v, n in zip(filled, read, strict=True)) / total,
        decimal=decided,
        mixed=bool(signs[","] and signs["."]),
        unclear=None if decided else next((sign for sign in ".," if signs[f"{sign}?"]), None),
        fractions=sum(not value.is_integer() for value in good) / max(len(good), 1),
    )


def _sign(text: str) -> str:
    """What one number tells about the decimal sign: '.', ',', or '.?' and ',?' where it may group thousands."""
    if any(separator in text for separator in SEPARATORS):
        return ""  # they are what they are beside either sign
    digits = re.sub(r"[^0-9.,]|,-$", "", tidy(text)).rstrip(".,")
    points, commas = digits.count("."), digits.count(",")
    if points and commas:
        return "." if digits.rfind(".") > digits.rfind(",") else ","
    if points + commas == 0:
        return ""
    sign, other = (".", ",") if points else (",", ".")
    if points + commas > 1:
        return other
    whole, _, part = digits.partition(sign)
    return f"{sign}?" if len(part) == 3 and 1 <= len(whole) <= 3 and not whole.startswith("0") else sign


def sign_beside(value: Any) -> str | None:
    """Return the sign or code of a currency that stands beside an amount, as the reader finds it; None where there is none.

    Examples
    --------
    >>> sign_beside("A$10.50"), sign_beside("1 234,50 zł"), sign_beside("12.50"), sign_beside("N/A")
    ('A$', 'zł', None, None)
    """
    if not isinstance(value, str) or len(value) > 60 or not any(sign.isdigit() for sign in value):
        return None
    beside = _BESIDE.sub("", tidy(value))
    return beside if re.fullmatch(SIGN[1:-1], beside) else None


def currencies(values: Iterable[Any], own: str = "") -> set[str]:
    """Return the currencies whose sign or code stands beside amounts, such as ``{"EUR"}``.

    Parameters
    ----------
    values : iterable
        Amounts.
    own : str
        The currency that a sign of several, such as kr, stands for if it can.
    """
    return {code_of(sign, own) for value in set(values) if (sign := sign_beside(value)) is not None}


def in_cents(name: str, found: Numbers) -> bool:
    """Say whether a column's name says that its whole numbers are cents, pence or another hundredth part.

    Examples
    --------
    >>> in_cents("amount_cents", numbers(["2946"])), in_cents("percent", numbers(["12"])), in_cents("total", numbers(["2946"]))
    (True, False, False)
    """
    words = re.findall("[a-z]+", plain(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)))
    return found.share >= 0.8 and found.fractions == 0 and bool(set(_CENTS.split()) & set(words))

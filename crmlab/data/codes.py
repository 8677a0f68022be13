"""Response codes: short, legible, and with a check character that finds what people mistype.

A code is read aloud, written on cards and typed into order forms, so the alphabet has no two characters that look alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

from crmlab.errors import ParameterError

__all__ = ["ALPHABET", "LEAST", "MOST", "check_character", "check_code", "normalised", "response_codes"]

# Neither 0, O, 1 nor I, and of 2 and Z, 5 and S, 8 and B the figure only. 29 characters: a prime.
ALPHABET = "23456789ACDEFGHJKLMNPQRTUVWXY"
LEAST, MOST = 3, 27  # characters before the check character
_PLACE = {character: number for number, character in enumerate(ALPHABET)}


def response_codes(names: Sequence[str], campaign: str, *, length: int = 5, taken: Collection[str] = ()) -> dict[str, str]:
    """Give each cell of a campaign a code.

    Codes follow from the names alone: the same campaign and cell, the same code, unless it is taken.

    Parameters
    ----------
    names : sequence of str
        Names of the cells.
    campaign : str
        Name of the campaign.
    length : int
        Characters before the check character, 3 to 27.
    taken : collection of str
        Codes in use, which are not given again.

    Returns
    -------
    dict of str
        Code by name: ``length`` characters and one to check them.

    Raises
    ------
    ParameterError
        A name comes twice, or ``length`` is out of range.

    Examples
    --------
    >>> response_codes(["spring-1", "spring-2"], "spring")
    {'spring-1': 'AYADH7', 'spring-2': '5VDWQ5'}
    """
    if not isinstance(length, int) or isinstance(length, bool) or not LEAST <= length <= MOST:
        raise ParameterError.expected("response_codes", "length", f"between {LEAST} and {MOST}", length)
    used, codes = {normalised(code) for code in taken}, {}
    for name in names:
        if name in codes:
            raise ParameterError.expected("response_codes", "names", "distinct", name)
        attempt = 0
        while True:
            digest = hashlib.sha256(f"{campaign}\x1f{name}\x1f{attempt}".encode()).digest()
            number = int.from_bytes(digest, "big")
            body = "".join(ALPHABET[number // len(ALPHABET) ** place % len(ALPHABET)] for place in range(length))
            code = body + check_character(body)
            if code not in used:
                break
            attempt += 1
            if attempt > 10_000:
                raise ParameterError.expected("response_codes", "length", "long enough for the codes in use", length)
        used.add(code)
        codes[name] = code
    return codes


def check_character(body: str) -> str:
    """Return the character that makes a code of a body.

    With the k-th character from the right weighing 2 to the power of k, modulo 29, the weighted sum of a code is 0. One
    wrong character moves the sum, as no weight is 0 modulo a prime; so do two neighbours changed round, as the
    difference of their weights is never 0.

    Examples
    --------
    >>> check_character("AYADH")
    '7'
    """
    size = len(ALPHABET)
    total = sum(pow(2, place, size) * _PLACE[character] for place, character in enumerate(reversed(body), start=1))
    return ALPHABET[-total % size]


def normalised(text: str) -> str:
    """Return a code as it was sent, from how people write it: in capitals, without blanks and hyphens.

    Examples
    --------
    >>> normalised(" aya-dh7 ")
    'AYADH7'
    """
    return "".join(character for character in text.upper() if not character.isspace() and character not in "-‐‑–")


def check_code(text: str) -> bool:
    """Say whether a text can be a code: every character is one of the alphabet, and the last one fits the others.

    Finds every single wrong character and every two neighbours changed round. Capitals, blanks and hyphens play no part.

    Examples
    --------
    >>> check_code("AYADH7"), check_code("aya dh7"), check_code("YAADH7"), check_code("AYADH8"), check_code("")
    (True, True, False, False, False)
    """
    code = normalised(text)
    if not LEAST < len(code) <= MOST + 1 or any(character not in _PLACE for character in code):
        return False
    return check_character(code[:-1]) == code[-1]

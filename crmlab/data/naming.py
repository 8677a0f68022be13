"""Names that become parts of paths: one rule for those that are chosen, one way for texts that are not names of files.

A data set and a plan are named by a file, and folders are named after them: such a name is refused where a folder could not bear it, or
where it would lead elsewhere (``..``). A campaign, a channel or the value of a parameter may be any text: it is written as a name.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from typing import TypeVar

from crmlab.errors import CrmlabError

__all__ = ["checked_name", "fault_of", "path_part"]

T = TypeVar("T", bound=CrmlabError)

_LONGEST = 180  # bytes: what a name is made longer by (a key, a variant, .aside) has room beside it in the 255 of file systems
_LONGEST_PART = 80
_KEPT_BY_SYSTEMS = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_SIGNS = "/\\" if os.name == "posix" else '/\\:*?"<>|'  # a backslash nowhere: elsewhere it is a path


def fault_of(name: str) -> str:
    """Say in a sentence why a folder cannot bear a name everywhere; an empty text where it can.

    Examples
    --------
    >>> fault_of("orders 2024 (Köln)")
    ''
    >>> fault_of("..")
    'It begins with a dot.'
    """
    if not name:
        return "It is empty."
    if name[0] in ".-~ ":
        return f"It begins with {_said(name[0])}."
    if name[-1] in ". ":
        return f"It ends with {_said(name[-1])}."
    for sign in name:
        if sign in _SIGNS:
            return f"It holds {_said(sign)}."
        # Control and formatting characters, halves of pairs, ends of lines and paragraphs.
        if unicodedata.category(sign)[0] == "C" or unicodedata.category(sign) in ("Zl", "Zp"):
            return f"It holds the character U+{ord(sign):04X}, which cannot be seen."
    if len(name.encode()) > _LONGEST:
        return f"It is longer than {_LONGEST} bytes."
    if _KEPT_BY_SYSTEMS.fullmatch(name):
        return "Some systems keep it for a device."
    return ""


def checked_name(name: str, what: str, error: type[T]) -> str:
    """Return a name that a folder may bear.

    Parameters
    ----------
    name : str
    what : str
        What it names, for the message: ``"a data set"``.
    error : class
        The error to raise.

    Raises
    ------
    CrmlabError
        Of the given class: the name is refused; the message says why.

    Examples
    --------
    >>> checked_name("shop", "a data set", CrmlabError)
    'shop'
    """
    fault = fault_of(name)
    if fault:
        raise error.must_be(f"The name of {what}", "one that a folder can bear", name, f"{fault} Choose another.")
    return name


def path_part(text: str) -> str:
    """Write a text as the name of a file or folder: the same text always alike, two texts never.

    What is a name already stays as it is; where anything had to be replaced, a digest of the text follows.

    Examples
    --------
    >>> path_part("2025-01-31"), path_part("spring 2025"), path_part("../spring 2025")
    ('2025-01-31', 'spring_2025-c8d68c76', 'spring_2025-f088e7b6')
    """
    plain = re.sub(r"[^\w.-]+", "_", text).strip("._")
    while len(plain.encode()) > _LONGEST_PART:
        plain = plain[:-1]
    if text and plain == text == unicodedata.normalize("NFC", text) and not _KEPT_BY_SYSTEMS.fullmatch(text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain}-{digest}" if plain else digest


def _said(sign: str) -> str:
    return {".": "a dot", " ": "a blank", "-": "a dash", "~": "a tilde"}.get(sign, sign)

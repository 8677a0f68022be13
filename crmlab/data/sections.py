"""Sections of a data set's TOML file that belong to a subject: data know their names, and keep what they say as it stands.

The subject checks such a section with a model of its own, named in ``crmlab.report.registry``. No canonical table depends on one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

__all__ = ["SECTIONS", "Section", "header_lines"]

SECTIONS = ("goals", "action", "segment_goal", "limits", "holdout", "service")


@dataclass(frozen=True)
class Section:
    """A section of a subject, as the TOML file has it.

    Attributes
    ----------
    name : str
        One of ``SECTIONS``.
    content : object
        What stands there: a mapping, or a list of mappings where the section may come several times.
    lines : tuple of int
        The line of each of its headers in the file; empty where they are not known.
    """

    name: str
    content: Any
    lines: tuple[int, ...] = ()

    def where(self, file: str, number: int = 0) -> str:
        """Return the place of the section, or of one of several, for messages.

        Examples
        --------
        >>> Section("goals", [{}, {}], (15, 21)).where("shop.toml", 1)
        'shop.toml, line 21'
        """
        return f"{file}, line {self.lines[number]}" if number < len(self.lines) else file


def header_lines(text: str, name: str, content: Any) -> tuple[int, ...]:
    """Return the lines of a section's headers in the text of a file; nothing where they cannot be told one by one.

    Examples
    --------
    >>> header_lines('[[goals]]\\nby = 1\\n\\n[[goals]]\\n', "goals", [{}, {}])
    (1, 4)
    """
    header = re.compile(rf"\s*(\[\[?)\s*{re.escape(name)}\s*\]")
    lines = tuple(number for number, line in enumerate(text.split("\n"), start=1) if header.match(line))
    return lines if len(lines) == (len(content) if isinstance(content, list) else 1) else ()

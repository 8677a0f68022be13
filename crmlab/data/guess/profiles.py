"""One column of a user's file: what its name and its values say, and how it goes with other columns."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from crmlab.data.guess.date_columns import Dates, as_counted, dates
from crmlab.data.guess.number_columns import Numbers, number, numbers
from crmlab.data.personal import concepts, is_bare_name, is_contact, is_personal
from crmlab.data.reading.parse import NOTHING as KNOWN_NOTHING

__all__ = ["NOTHING", "Profile", "decimal_sign", "is_person", "profile"]


# Texts that stand for "nothing" in exports: those that the reader knows (crmlab.data.reading.parse), and those that it does not.
NOTHING = frozenset((*KNOWN_NOTHING, "na", "nil", "-", "--", "?"))
_CODE = re.compile(r"#?[A-Za-z]{0,4}[-_]?[0-9]{2,12}(?:[-/][0-9]{1,8})?")
_WORD = r"[^\W\d_](?:[^\W\d_]|['.-])*"
_CLOCK_WORDS = frozenset({"ts", "epoch", "unix", "unixtime", "millis", "serial", "utc"})
_PERSON = re.compile(rf"{_WORD},?(?: +{_WORD}){{1,3}}")


@dataclass(frozen=True)
class Profile:
    """One column.

    Attributes
    ----------
    name : str
        As the file has it.
    values : tuple
        Its first values; None where there is none.
    concepts : frozenset of str
        What the words of the name stand for; empty where the file has no header.
    filled, distinct : int
        How many values are there, and how many different ones.
    contacts, persons : float
        The share of e-mail addresses and phone numbers, and of what reads like names of persons.
    nothing : str or None
        A text such as "na" found among the values, which the reader would take for a value.
    """

    name: str
    values: tuple[Any, ...]
    concepts: frozenset[str]
    filled: int
    distinct: int
    numbers: Numbers
    dates: Dates
    contacts: float
    persons: float
    nothing: str | None = None

    @property
    def nameless(self) -> bool:
        """Whether the name says nothing."""
        return not self.concepts - {"?"}

    @property
    def repeats(self) -> bool:
        """Whether some values stand in several rows."""
        return self.distinct < self.filled

    @property
    def unique(self) -> bool:
        """Whether every row has a value of its own."""
        return self.filled == len(self.values) == self.distinct

    @property
    def personal(self) -> bool:
        """Whether the column tells who somebody is: by its name, by e-mail addresses, by names of customers."""
        if is_bare_name(self.concepts) and self.codes:
            return False
        named = self.persons > 0.6 and ("customer" in self.concepts or (self.nameless and self.distinct > self.filled / 2))
        return is_personal(self.concepts) or self.contacts > 0.3 or named

    @property
    def codes(self) -> bool:
        """Whether the values are codes with a digit, such as #1001."""
        return _share(self.values, lambda value: isinstance(value, str) and _CODE.fullmatch(value) is not None) > 0.95

    def read(self, decimal: str) -> list[float | None]:
        """Return the values as numbers; None where one cannot be read."""
        return [number(value, decimal) for value in self.values]

    def decides(self, other: Profile) -> float:
        """Return the share of the repeated values here that always go with the same value there."""
        seen: dict[Any, set[Any]] = defaultdict(set)
        rows: Counter[Any] = Counter()
        for key, value in zip(self.values, other.values, strict=True):
            if key is not None and value is not None:
                seen[key].add(value)
                rows[key] += 1
        repeated = [key for key, count in rows.items() if count > 1]
        return sum(len(seen[key]) == 1 for key in repeated) / len(repeated) if repeated else 0.0


def profile(name: str, values: Sequence[Any], header: bool = True) -> Profile:
    """Look at one column.

    Parameters
    ----------
    name : str
        Its name.
    values : sequence
        Its values; None where there is none.
    header : bool
        Whether the name was given by the file.

    Returns
    -------
    Profile

    Examples
    --------
    >>> profile("Kunden-Nr", ["7", "8", "7", "NULL"]).distinct
    2
    """
    empty = {value for value in set(values) if isinstance(value, str) and value.lower() in NOTHING}
    kept = tuple(None if value in empty else value for value in values) if empty else tuple(values)
    meant = concepts(name) if header else frozenset()
    days = dates(kept)
    return Profile(
        name,
        kept,
        meant,
        sum(value is not None for value in kept),
        len(set(kept) - {None}),
        numbers(kept),
        as_counted(days) if header and _says_when(name, meant) else days,
        _share(kept, is_contact),
        _share(kept, is_person),
        min((value for value in empty if value.lower() not in KNOWN_NOTHING), default=None),
    )


def _says_when(name: str, meant: frozenset[str]) -> bool:
    """Whether a name says that numbers are days: created, order date, ts, but not the number of an order or a day's total."""
    if meant & {"id", "amount", "price", "total", "quantity", "cost", "product", "sku", "birth"}:
        return False
    return bool(meant & {"date", "other date", "joined"} or _CLOCK_WORDS & set(re.findall("[a-z]+", name.lower())))


def _share(values: Iterable[Any], test: Callable[[Any], bool]) -> float:
    counts = Counter(value for value in values if value is not None)
    return sum(count for value, count in counts.items() if test(value)) / max(counts.total(), 1)


def is_person(text: Any) -> bool:
    """Say whether a value reads like the name of a person: a few words without digits.

    Examples
    --------
    >>> is_person("Anna Example"), is_person("C-1001")
    (True, False)
    """
    return isinstance(text, str) and len(text) < 80 and _PERSON.fullmatch(text.strip()) is not None


def decimal_sign(columns: Iterable[Profile]) -> tuple[str, str]:
    """Return the decimal sign of a file, and a doubt about it (empty where there is none).

    Examples
    --------
    >>> decimal_sign([profile("Betrag", ["1.234,50", "12,00"])])
    (',', '')
    """
    amounts = [item for item in columns if item.numbers.loose >= 0.8 and item.dates.share < 0.9]
    votes = {sign: [item for item in amounts if item.numbers.decimal == sign] for sign in ",."}
    if votes[","] and votes["."]:
        chosen = "," if len(votes[","]) >= len(votes["."]) else "."
        first = {sign: items[0].name for sign, items in votes.items()}
        return chosen, f"'{first[',']}' has decimal commas and '{first['.']}' decimal points; a file can have one sign."
    if votes[","] or votes["."]:
        mixed = next((item.name for item in amounts if item.numbers.mixed), None)
        sentence = f"Some numbers in '{mixed}' have decimal commas and others decimal points." if mixed else ""
        return "," if votes[","] else ".", sentence
    hazy = next((item for item in amounts if item.numbers.unclear and not item.nameless), None)
    if hazy is None:
        return ".", ""
    # Money has two decimals where it has any: three digits after the sign are thousands.
    sign = hazy.numbers.unclear
    sentence = f"In '{hazy.name}' three digits follow the '{sign}'; they are taken as thousands: 1{sign}234 is 1234."
    return "," if sign == "." else ".", sentence

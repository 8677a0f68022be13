"""The dictionary of quantities: what every number of a page and every column of a list means, in which unit, to how many digits.

Each subject declares its own in ``quantities.py`` and gives them by its face; a name that several show is declared once, by its
owner. One name has one meaning: declaring it again with another is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from string import Formatter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Quantities", "Quantity", "ends_of"]

_ENDS = {"end": {"low": "lower", "high": "upper"}}
# Unit → digits after the point; of p-values the digits that count, since 3e-59 is not 0. Anything that is counted has two.
_DIGITS = {"": 4, "share": 4, "p": 3, "days": 1, "date": None, "text": None, "flag": None}
_COUNTED = 2


@dataclass(frozen=True)
class Quantity:
    """What one name means, or each name of a family.

    Parameters
    ----------
    name : str
        Of the metric or column. A family has fields: ``value_tier_{tier}``.
    meaning : str
        In plain words, as they stand in a table; may have the fields of the name.
    unit : str
        What is counted: "customers", "share", "days"; "currency" for that of the data set; "date", "text" or "flag" (yes or no)
        where nothing is; empty for a pure number.
    digits : int, optional
        After the point, in files; default: by the unit, None where there is nothing to round.
    label : str
        What people call it; default: the name with blanks.
    counted : bool
        Whether it was merely counted of what is known, and so has no interval; anything else is inferred, and has one.
    values : mapping
        Field of the name → its values, values with the words that they have in the meaning, or a regular expression.

    Examples
    --------
    >>> Quantity("churn", "probability that the customer does not buy within the window", "share").digits
    4
    """

    name: str
    meaning: str
    unit: str = ""
    digits: int | None = None
    label: str = ""
    counted: bool = False
    values: Mapping[str, Iterable[str] | re.Pattern[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.digits is None:
            object.__setattr__(self, "digits", _DIGITS.get(self.unit, _COUNTED))
        if not self.label:
            object.__setattr__(self, "label", self.name.replace("_", " "))

    def each(self) -> dict[str, Quantity]:
        """Regular expression of a name → what it means, for every name of a family."""
        fields = [name for _, name, _, _ in Formatter().parse(self.name) if name]
        if not fields:
            return {self.name: self}
        choices = [_choices(name, self.values[name]) for name in fields]
        out = {}
        for chosen in product(*choices):
            values = {name: value for name, (value, _) in zip(fields, chosen, strict=True)}
            words = {name: word for name, (_, word) in zip(fields, chosen, strict=True)}
            name = self.name.format(**values)
            out[name] = Quantity(name, self.meaning.format(**words), self.unit, self.digits, counted=self.counted)
        return out

    def rounded(self, values: pd.Series) -> pd.Series:
        """Return numbers with the digits that a file shows.

        Examples
        --------
        >>> import pandas as pd
        >>> Quantity("p_value", "p-value", "p").rounded(pd.Series([0.0123456, 3.21987e-59])).tolist()
        [0.0123, 3.22e-59]
        """
        if self.digits is None:
            return values
        if self.unit == "p":
            return values.map(lambda value: float(f"{value:.{self.digits}g}"))
        return values.round(self.digits)


def _choices(name: str, given: Iterable[str] | re.Pattern[str]) -> list[tuple[str, str]]:
    if isinstance(given, re.Pattern):
        return [(given.pattern, name)]
    return list(given.items()) if isinstance(given, Mapping) else [(value, value) for value in given]


def ends_of(name: str, of: str, unit: str = "", digits: int | None = None) -> Quantity:
    """The two ends of an interval, ``<name>_low`` and ``<name>_high``.

    Examples
    --------
    >>> Quantities(ends_of("value", "the value", "currency"))["value_low"].meaning
    'lower end of the interval for the value'
    """
    return Quantity(f"{name}_{{end}}", f"{{end}} end of the interval for {of}", unit, digits, values=_ENDS)


class Quantities:
    """What names mean, families and all.

    Parameters
    ----------
    *declared : Quantity or Quantities
        Those of others among them are what a subject shows and does not own.

    Raises
    ------
    ValueError
        A name is given two meanings.

    Examples
    --------
    >>> found = Quantities(Quantity("value_tier_{tier}", "value of tier {tier}", "currency", values={"tier": "ABCD"}))
    >>> found["value_tier_B"].meaning, "value_tier_E" in found
    ('value of tier B', False)
    >>> Quantities(found, Quantity("value_tier_A", "something else"))
    Traceback (most recent call last):
    ValueError: 'value_tier_A' has two meanings: 'value of tier A' and 'something else'.
    """

    def __init__(self, *declared: Quantity | Quantities) -> None:
        self._declared: list[Quantity] = []
        self._names: dict[str, Quantity] = {}
        for one in declared:
            for quantity in [one] if isinstance(one, Quantity) else one:
                self._add(quantity)

    def _add(self, quantity: Quantity) -> None:
        if quantity in self._declared:
            return
        for name, meant in quantity.each().items():
            known = self._names.setdefault(name, meant)
            if known is not meant:
                raise ValueError(f"{name!r} has two meanings: {known.meaning!r} and {meant.meaning!r}.")
        self._declared.append(quantity)

    def __iter__(self) -> Iterator[Quantity]:
        return iter(self._declared)

    def __len__(self) -> int:
        return len(self._declared)

    def __contains__(self, name: object) -> bool:
        return self._of(str(name)) is not None

    def __getitem__(self, name: str) -> Quantity:
        found = self._of(name)
        if found is None:
            raise KeyError(name)
        return found

    def _of(self, name: str) -> Quantity | None:
        if name in self._names:
            return self._names[name]
        open_ = ((pattern, meant) for pattern, meant in self._names.items() if not pattern.isidentifier())
        return next((replace(meant, name=name) for pattern, meant in open_ if re.fullmatch(pattern, name)), None)

    def of(self, name: str) -> Quantity:
        """What a name means; of one that nobody has declared, nothing is said.

        Examples
        --------
        >>> Quantities().of("mine").meaning
        ''
        """
        return self[name] if name in self else Quantity(name, "", "text")

    def naming(self, names: Iterable[str]) -> Quantities:
        """Those that name some of the given names."""
        wanted = list(names)
        return Quantities(*(one for one in self._declared if any(name in Quantities(one) for name in wanted)))

    def only(self, *names: str) -> Quantities:
        """Some of them, by the names that they were declared with."""
        known = {quantity.name: quantity for quantity in self._declared}
        return Quantities(*(known[name] for name in names))

    def explained(self, *names: str) -> dict[str, str]:
        """What people call some of them, and what they mean: for the definitions of a page."""
        return {self[name].label[:1].upper() + self[name].label[1:]: self[name].meaning for name in names}

    def lacks(self, names: Iterable[str]) -> list[str]:
        """Return the names that mean nothing here."""
        return sorted(name for name in names if name not in self)

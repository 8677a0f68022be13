"""Whom a list is drawn from, in words: "tier in A, B; state = slowing; churn >= 0.5". Read, never evaluated."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from crmlab.analyses.customers.quantities import QUANTITIES
from crmlab.errors import CampaignError, hint_at, shown

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

__all__ = ["OPERATORS", "Condition", "Where", "check_columns", "conditions", "holds", "label"]


OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "in", "not in", "is known", "is missing")
_SAME = {
    "==": "=", "<>": "!=", "is": "=", "is not": "!=", "at most": "<=", "at least": ">=", "under": "<", "above": ">",
}  # fmt: skip
_WORDS = {
    "=": "is", "!=": "is not", "<": "is under", "<=": "is at most", ">": "is above", ">=": "is at least", "in": "is one of",
    "not in": "is none of", "is known": "is known", "is missing": "is missing",
}  # fmt: skip
_FAILED = {
    "=": "is not", "!=": "is", "<": "is not under", "<=": "is above", ">": "is not above", ">=": "is under", "in": "is none of",
    "not in": "is one of", "is known": "is not known", "is missing": "is known",
}  # fmt: skip
_CONDITION = re.compile(
    r"\s*(?P<column>[^\W\d]\w*)\s*"
    r"(?P<operator>(?:is\s+known|is\s+missing|not\s+in|is\s+not|in|is|at\s+most|at\s+least|under|above)\b|<=|>=|==|!=|<>|=|<|>)\s*(?P<value>.*?)\s*$",
    re.I | re.S,
)
_QUOTED = r""""[^"]*"|'[^']*'"""
Where = str | Sequence["str | Condition | tuple[str, str, Any]"]


@dataclass(frozen=True)
class Condition:
    """One condition: a column, an operator of ``OPERATORS``, and the values that it is held against (texts as they were written).

    Examples
    --------
    >>> conditions("orders >= 2")
    (Condition(column='orders', operator='>=', values=('2',)),)
    """

    column: str
    operator: str
    values: tuple[str, ...] = ()

    def words(self) -> str:
        """The condition as people read it.

        Examples
        --------
        >>> Condition("days_since_last", "<=", ("90",)).words()
        'days since the last purchase is at most 90'
        """
        return f"{label(self.column)} {_WORDS[self.operator]} {', '.join(self.values)}".strip()

    def failed(self) -> str:
        """What is so of those for whom it does not hold.

        Examples
        --------
        >>> Condition("days_since_last", "<=", ("90",)).failed()
        'days since the last purchase is above 90'
        """
        return f"{label(self.column)} {_FAILED[self.operator]} {', '.join(self.values)}".strip()


def label(column: str) -> str:
    """What people call a column.

    Examples
    --------
    >>> label("days_since_last"), label("favourite_colour")
    ('days since the last purchase', 'favourite colour')
    """
    return QUANTITIES[column].label if column in QUANTITIES else column.replace("_", " ")


def conditions(where: Where) -> tuple[Condition, ...]:
    """Read criteria.

    Parameters
    ----------
    where : str, or sequence of str, Condition or (column, operator, value)
        In a text, conditions are parted by ``;``, a new line or ``and``; values of ``in`` by commas. Values with such marks stand
        in quotes. Operators are those of ``OPERATORS``, or in words: is, is not, at most, at least, under, above. All conditions
        must hold.

    Returns
    -------
    tuple of Condition

    Raises
    ------
    CampaignError
        A condition cannot be read.

    Examples
    --------
    >>> [found.words() for found in conditions("tier in A, B; churn at least 0.5 and country = 'DE'")]
    ['value tier is one of A, B', 'probability of churn is at least 0.5', 'country is DE']
    >>> conditions([("orders", ">", 2)])
    (Condition(column='orders', operator='>', values=('2',)),)
    """
    if isinstance(where, str):
        return tuple(_read(part) for part in _split(where, r";|\n|\band\b") if part.strip())
    found: list[Condition] = []
    for item in where:
        if isinstance(item, Condition):
            found.append(item)
        elif isinstance(item, str):
            found += conditions(item)
        else:
            found.append(_of_three(item))
    return tuple(found)


def _split(text: str, mark: str) -> list[str]:
    """Part a text at marks that stand outside quotes."""
    parts = [""]
    for piece in re.split(f"({_QUOTED}|{mark})", text, flags=re.I):
        if re.fullmatch(mark, piece, flags=re.I):
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def _read(text: str) -> Condition:
    found = _CONDITION.match(text)
    if found is None:
        raise CampaignError.bad_condition(text.strip(), OPERATORS)
    operator = " ".join(found["operator"].lower().split())
    operator = _SAME.get(operator, operator)
    values = tuple(_unquoted(part) for part in _split(found["value"].strip("()[] "), ","))
    if operator in ("is known", "is missing"):
        if found["value"]:
            raise CampaignError.bad_condition(text.strip(), OPERATORS)
        return Condition(found["column"], operator)
    if "" in values:
        raise CampaignError.bad_condition(text.strip(), OPERATORS)
    if len(values) > 1 and operator in ("=", "!="):
        operator = "in" if operator == "=" else "not in"
    if len(values) > 1 and operator not in ("in", "not in"):
        raise CampaignError.bad_condition(text.strip(), OPERATORS)
    return Condition(found["column"], operator, values)


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _of_three(item: Any) -> Condition:
    if not isinstance(item, (tuple, list)) or len(item) != 3 or str(item[1]).strip().lower() not in (*OPERATORS, *_SAME):
        raise CampaignError.bad_condition(str(item), OPERATORS)
    column, operator, value = str(item[0]), str(item[1]).strip().lower(), item[2]
    several = isinstance(value, Iterable) and not isinstance(value, str)
    values = () if value is None else tuple(str(one) for one in value) if several else (str(value),)
    operator = _SAME.get(operator, operator)
    if (not values) != (operator in ("is known", "is missing")) or (len(values) > 1 and operator not in ("in", "not in")):
        raise CampaignError.bad_condition(str(item), OPERATORS)
    return Condition(column, operator, values)


def holds(
    column: pd.Series, condition: Condition, domain: Sequence[str] | None = None
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Say for whom a condition holds, and for whom that cannot be said.

    Parameters
    ----------
    column : Series
        Numbers, dates, yes or no, texts, or for several values at once tuples of texts: then ``=`` and ``in`` ask for any.
    condition : Condition
    domain : sequence of str, optional
        The only values there are: a value that is none of them is an error with a hint, and capitals play no part.

    Returns
    -------
    (holds, unknown)
        Where the value is missing a condition does not hold, unless it asks for that.

    Raises
    ------
    CampaignError
        A value is of another kind than the column, or outside the domain.

    Examples
    --------
    >>> import pandas as pd
    >>> [flags.tolist() for flags in holds(pd.Series([1.0, 3.0, None]), Condition("orders", ">", ("2",)))]
    [[False, True, False], [False, False, True]]
    """
    missing = column.isna().to_numpy(dtype=bool)
    if condition.operator in ("is known", "is missing"):
        return (missing if condition.operator == "is missing" else ~missing), np.zeros(len(column), dtype=bool)
    values = [_typed(column, condition, text, domain) for text in condition.values]
    result = np.zeros(len(column), dtype=bool)
    known = column[~missing]
    result[~missing] = _compared(known, condition.operator, values)
    return result, missing


def _compared(known: pd.Series, operator: str, values: list[Any]) -> npt.NDArray[np.bool_]:
    if operator in ("=", "in", "!=", "not in"):
        if known.map(lambda one: isinstance(one, tuple)).any():
            among = known.map(lambda one: any(value in one for value in values)).to_numpy(dtype=bool)
        else:
            among = known.isin(values).to_numpy(dtype=bool)
        return among if operator in ("=", "in") else ~among
    import operator as op

    compare = {"<": op.lt, "<=": op.le, ">": op.gt, ">=": op.ge}[operator]
    return np.asarray(compare(known.to_numpy(), values[0]), dtype=bool)


def _typed(column: pd.Series, condition: Condition, text: str, domain: Sequence[str] | None) -> Any:
    """A value as what the column holds."""
    import pandas as pd

    ordered = condition.operator in ("<", "<=", ">", ">=")

    def wrong(expectation: str) -> CampaignError:
        return CampaignError.must_be(f"The value in '{condition.words()}'", expectation, text)

    if domain is not None:
        match = next((known for known in domain if known.casefold() == text.casefold()), None)
        if match is None:
            raise CampaignError(f"{shown(text)} is no value of {shown(condition.column)}. {hint_at(text, domain)}")
        if ordered:
            raise CampaignError.no_order(condition.column, condition.operator)
        return match
    if _flags(column):
        flag = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}.get(text.casefold())
        if flag is None or ordered:
            raise wrong("yes or no, with = or !=")
        return flag
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        try:
            return pd.Timestamp(dt.date.fromisoformat(text))
        except ValueError:
            raise wrong("a date such as 2025-03-01") from None
    if pd.api.types.is_numeric_dtype(column.dtype):
        try:
            number = float(text.rstrip("% ")) / 100 if text.rstrip().endswith("%") else float(text)
        except ValueError:
            raise wrong("a number") from None
        if not np.isfinite(number):
            raise wrong("a number")
        return number
    if ordered:
        raise CampaignError.no_order(condition.column, condition.operator)
    return text


def _flags(column: pd.Series) -> bool:
    """Whether a column holds yes and no, as nullable ones do among objects."""
    import pandas as pd

    if column.dtype != object:
        return bool(pd.api.types.is_bool_dtype(column.dtype))
    known = column.dropna()
    return len(known) > 0 and bool(known.map(lambda one: isinstance(one, (bool, np.bool_))).all())


def check_columns(found: Iterable[Condition], known: Mapping[str, Any] | Iterable[str]) -> None:
    """Raise a hint where a condition names a column that there is not."""
    names = list(known)
    for condition in found:
        if condition.column not in names:
            raise CampaignError.unknown_column(condition.column, names)

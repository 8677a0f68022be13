"""Finds columns beside the status that say a row is no sale: a day of cancelling, a flag of a test, a document that is a credit note."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from crmlab.data.guess.customers import id_text
from crmlab.data.guess.profiles import Profile
from crmlab.data.guess.questions import Answer, Question
from crmlab.data.guess.roles import Roles
from crmlab.data.guess.worth import Count, amounts, tally
from crmlab.data.personal import plain
from crmlab.data.reading.parse import FALSE, TRUE
from crmlab.data.statuses import is_credit_note

__all__ = ["find_flags"]

_CALLED_OFF = re.compile(
    r"cancel|void|storn|annul|anul|geannuleerd|deleted|geloscht|supprime|eliminad|reversed|refunded|erstattet|rembours"
)
_TEST = re.compile(r"(^|[ _-])(is[ _-]?)?test([ _-]?(order|mode|flag|transaction|bestellung))?$|^sandbox$")
_LIVE = re.compile(r"^(is[ _-]?)?live([ _-]?mode)?$|^mode$")
_YES = frozenset((*TRUE, "x", "test", "sandbox"))
_NO = frozenset((*FALSE, "live", "prod", "production"))


def find_flags(roles: Roles, profiles: Sequence[Profile], options: dict[str, Any], remarks: dict[str, str]) -> None:
    """Take a day of cancelling and a flag into account, and ask about credit notes that stand above zero.

    Parameters
    ----------
    roles : Roles
        The mapping of orders or order lines; ``status`` is filled where there is none and a flag does its work.
    profiles : sequence of Profile
        All columns of the file.
    options : dict
        Keys of the table's section; ``drop_where``, ``keep`` and ``drop`` are filled.
    remarks : dict
        What is said beside each key; filled.
    """
    taken = {item.name for item in roles.columns.values()}
    free = [item for item in profiles if item.filled and item.name not in taken and not item.personal]
    for item in free:
        name = plain(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", item.name))
        back = "refund" in item.concepts  # when, or that, something was paid back: a part of it, perhaps
        dated = item.dates.share > 0.8 and item.filled < len(item.values)
        if dated and not back and _CALLED_OFF.search(name) and "drop_where" not in options:
            options["drop_where"] = item.name
            remarks["drop_where"] = (
                f"filled where an order was called off, in {_count(roles, [v is not None for v in item.values])}: no sale"
            )
        elif not (back and "refund" in roles.columns) and (flag := _flag(item, name)):
            _settle_flag(roles, item, flag, options, remarks)
    for item in free:
        _ask_about_credit(roles, item)


def _count(roles: Roles, rows: Sequence[bool]) -> Count:
    return tally(["x" if row else None for row in rows], amounts(roles)).get("x", Count())


def _flag(item: Profile, name: str) -> frozenset[str]:
    """The values of a flag that say "no sale"; empty where the column is none."""
    values = {_text(value) for value in set(item.values) if value is not None}
    if item.distinct > 2 or not values <= _YES | _NO:
        return frozenset()
    if _LIVE.search(name):
        return frozenset(values & ((_NO - {"live", "prod", "production"}) | {"test", "sandbox"}))
    return frozenset(values & _YES) if _TEST.search(name) or _CALLED_OFF.search(name) else frozenset()


def _text(value: Any) -> str:
    """A value of a flag in one writing; 1.0 was a number once."""
    return re.sub(r"^([01])\.0+$", r"\1", id_text(value).lower())


def _settle_flag(roles: Roles, item: Profile, flag: frozenset[str], options: dict[str, Any], remarks: dict[str, str]) -> None:
    """Let a flag be the status where there is none; where there is, say how many rows it has that the status does not tell."""
    gaps = item.filled < len(item.values)
    if "status" not in roles.columns and not gaps:
        counts = tally([id_text(value) for value in item.values], amounts(roles))
        roles.columns["status"] = item
        for key, values in (
            ("keep", [v for v in counts if _text(v) not in flag]),
            ("drop", [v for v in counts if _text(v) in flag]),
        ):
            options[key] = values
            remarks[key] = "; ".join(f"{value}: {counts[value]}" for value in values)
        return
    if gaps and "drop_where" not in options and {_text(value) for value in set(item.values) - {None}} <= flag:
        options["drop_where"] = item.name
        remarks["drop_where"] = f"filled in {_count(roles, [v is not None for v in item.values])}: no sale"
        return
    status, drop = roles.columns.get("status"), options.get("drop", ())
    left = [
        value is not None and _text(value) in flag and (status is None or id_text(other) not in drop)
        for value, other in zip(item.values, status.values if status is not None else item.values, strict=True)
    ]
    if any(left):
        says = f"According to '{item.name}', these are not sales, but they are counted: {_count(roles, left)}."
        roles.doubt("status", f"{says} Remove these rows from the file.")


def _ask_about_credit(roles: Roles, item: Profile) -> None:
    """Ask about rows that a kind of document calls credit notes or returns, and whose amounts are above zero."""
    money = amounts(roles)
    if money is None or item.distinct > 20 or item.numbers.share > 0.5 or item.dates.share > 0.5:
        return
    kinds = ["" if value is None else id_text(value) for value in item.values]
    credits = sorted({kind for kind in kinds if is_credit_note(kind)})
    above = [kind in credits and amount > 0 for kind, amount in zip(kinds, money, strict=True)]
    if not credits or sum(above) < 0.5 * sum(kind in credits for kind in kinds) or all(above):
        return
    names = ", ".join(f"'{value}'" for value in credits)
    sentence = f"'{item.name}' holds {names} in {_count(roles, above)}, above zero: credit notes would be added, not taken off."
    if "status" in roles.columns:
        roles.doubt("status", f"{sentence} Write their amounts with a minus, or take these rows out of the file.")
        return
    others = sorted(kind for kind in {*kinds} - {"", *credits} if not roles.tells_who(kind))
    leave = Answer(label="leave these rows out", columns={"status": item.name}, options={"keep": others, "drop": credits})
    answers = (leave, Answer(label="they are sales"))
    roles.ask(Question(key="status", sentence=f"{sentence} Leave these rows out?", answers=answers))

"""Asks who the customers are: ids that stand for guests, rows without an id, and one id that buys like many."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any

from crmlab.data.guess.profiles import Profile
from crmlab.data.guess.questions import Answer, Question
from crmlab.data.guess.roles import Roles
from crmlab.data.guess.worth import Tally, amounts, tally
from crmlab.data.guests import after_zero, is_guest

__all__ = ["ask_about_customers", "id_text", "person_column"]

_MANY_ROWS, _MANY_TIMES, _MOST_DAYS = 0.05, 20, 0.5  # when one id may be several people
_LOST = 0.2  # share of rows without a customer above which it is a question


def id_text(value: Any) -> str:
    """Write an id or a status as the reader does: a whole number of a workbook has no decimals.

    Examples
    --------
    >>> id_text(0.0), id_text(True), id_text(" Guest ")
    ('0', 'true', 'Guest')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (float, Decimal)) and value == value // 1:  # not where it is no number, or infinite
        return f"{value:.0f}"
    return str(value).strip()


def person_column(roles: Roles) -> Profile | None:
    """Return the column that tells best who bought: e-mail addresses before others, full before gappy."""
    able = [item for item in roles.personal if item.contacts > 0.3 or "customer" in item.concepts]
    return max(able, key=lambda item: (item.contacts > 0.3, _email(item), item.filled), default=None)


def _email(item: Profile) -> float:
    filled = [value for value in item.values if value is not None]
    return sum("@" in str(value) for value in filled) / max(len(filled), 1)


def ask_about_customers(roles: Roles, hashed: Profile | None, settings: dict[str, Any], remarks: dict[str, str]) -> None:
    """Propose which ids are guests, and ask where much has no customer or one customer has much.

    Parameters
    ----------
    roles : Roles
        The mapping of orders or lines; questions are added.
    hashed : Profile or None
        The column whose keyed hash is the customer, where no id is there.
    settings : dict
        Values for the top of the TOML file; filled.
    remarks : dict
        What is said beside each key; filled.
    """
    customer = roles.columns.get("customer_id", hashed)
    if customer is None:
        return
    ids = [None if value is None else id_text(value) for value in customer.values]
    money = amounts(roles)
    counts = tally(ids, money)
    guests = [value for value in counts if is_guest(value)]
    if len(guests) == 1 and not roles.zero_is_guest and _is_ordinary(guests[0], counts):
        zero, guests = guests[0], []
        _ask_about_zero(roles, customer, (zero, str(counts[zero])), settings)
    gaps = len(ids) - customer.filled
    if guests:
        rows = sum(counts[value].rows for value in guests)
        settings["guests"] = guests
        remarks["guests"] = (
            f"{_shares(rows, len(ids), _money(counts, guests), money)}: guests, who are not counted as one customer; "
            "other usual words for guests are recognised too"
        )
    if gaps:
        settings["missing_customer"] = "drop"
        remarks["missing_customer"] = f'{gaps / len(ids):.1%} of the rows have no customer; "error" would refuse the file'
    _ask_who(roles, customer, guests, money)
    if customer is not hashed:
        _ask_about_one(roles, ids, counts, settings)


def _is_ordinary(zero: str, counts: Tally) -> bool:
    """Whether customer 0 has neighbours 1 and 2, and no more rows than the largest of the others."""
    most = max((count.rows for value, count in counts.items() if value != zero), default=0)
    near = after_zero(zero)
    return near is not None and set(near) <= set(counts) and counts[zero].rows <= most


def _ask_about_zero(roles: Roles, customer: Profile, found: tuple[str, str], settings: dict[str, Any]) -> None:
    settings["#guests"] = []
    looks = "is treated as guests but looks like an ordinary customer. If it is one, write guests = [] at the top of the file."
    sentence = f"The customer {found[0]} in '{customer.name}' ({found[1]}) {looks}"
    answers = (
        Answer(label="one customer", settings={"guests": [], "#guests": None}),
        Answer(label="guests", settings={"guests": [found[0]], "#guests": None}),
    )
    roles.ask(Question(key="guests", sentence=sentence, answers=answers))


def _money(counts: Tally, values: list[str]) -> float:
    return sum(counts[value].money or 0.0 for value in values)


def _shares(rows: int, total: int, money: float, all_money: list[float] | None) -> str:
    said = f"{rows / total:.1%} of the rows"
    whole = sum(all_money or ())
    return f"{said} and {money / whole:.1%} of the money" if whole > 0 else said


def _ask_who(roles: Roles, customer: Profile, guests: list[str], money: list[float] | None) -> None:
    """Ask how to tell those apart who have no id, where an e-mail does, or gaps come in runs, or there are many of them."""
    ids = [None if value is None else id_text(value) for value in customer.values]
    lost = [place for place, value in enumerate(ids) if value is None or value in guests]
    share = len(lost) / len(ids)
    person = person_column(roles)
    told = (
        person is not None
        and person is not customer
        and sum(person.values[place] is not None for place in lost) >= 0.5 * len(lost)
    )
    merged = not guests and _in_runs(ids)
    if not lost or not (share > _LOST or (told and share > _MANY_ROWS)):
        return
    name = customer.name
    what = f"{_shares(len(lost), len(ids), sum(money[place] for place in lost) if money else 0.0, money)}"
    named = ", ".join(f"'{value}'" for value in guests[:5])
    sentence = f"{what} have no customer in '{name}'" + (f" (guests: {named})" if guests else "")
    answers = [Answer(label="leave these rows out", settings={"missing_customer": "drop"} if None in ids else {})]
    if merged:
        sentence += f', in runs below a filled cell: were the cells merged? If so, write fill_down = ["customer_id"] under [{roles.table}]'
        filled = _filling(roles, customer)
        yes = ", ".join(f"{key} = {_written(value)}" for key, value in filled.items())
        sentence += f" If so, write {yes}"
        answers.insert(0, Answer(label="yes: each gap is the customer above it", options=filled))
    if told and person is not None:
        hashed = {"customer_hash": person.name}
        answers.append(Answer(label=f"tell customers apart by '{person.name}'", columns={"customer_id": None}, options=hashed))
    elif not merged:
        answers.append(Answer(label="refuse the file", settings={"missing_customer": "error"}))
    advice = "Unless you say otherwise, they are left out." + (
        f' To count them as customers, write customer_hash = "{person.name}" in place of customer_id; its values are stored only as hashes.'
        if told and person
        else ""
    )
    asked = f"{sentence}." if merged else f"{sentence}. {advice}"
    roles.ask(Question(key="customer_id", sentence=asked, answers=tuple(answers)))


def _filling(roles: Roles, customer: Profile) -> dict[str, Any]:
    """The keys that fill merged cells: those of the order too where they are merged, and across orders where a customer has several."""
    gaps = {place for place, value in enumerate(customer.values) if value is None}
    merged = []
    for role in ("order_id", "ordered_at", "status", "currency"):
        item = roles.columns.get(role)
        empty = {place for place, value in enumerate(item.values) if value is None} if item is not None else set()
        if empty and empty <= gaps:
            merged.append(role)
    filled: dict[str, Any] = {"fill_down": ["customer_id", *merged]}
    order = roles.columns.get("order_id")
    if order is not None and "order_id" not in merged:
        told = {order.values[place] for place in range(len(order.values)) if place not in gaps}
        if any(order.values[place] not in told for place in gaps):
            filled["fill_across"] = True
    return filled


def _written(value: Any) -> str:
    return "true" if value is True else "[" + ", ".join(f'"{one}"' for one in value) + "]"


def _in_runs(ids: list[str | None]) -> bool:
    """Whether gaps mostly stand below a filled cell or another gap, as merged cells leave them, the first row being filled."""
    gaps = sum(value is None for value in ids)
    starts = sum(before is not None and value is None for before, value in pairwise(ids))
    filled = [value for value in ids if value is not None]
    repeated = sum(a == b for a, b in pairwise(filled))
    return ids[0] is not None and gaps >= 1.5 * starts > 0 and repeated == 0


def _ask_about_one(roles: Roles, ids: list[str | None], counts: Mapping[str, Any], settings: dict[str, Any]) -> None:
    """Ask about an id with many rows, far more than the next, that buys on most days."""
    known = [value for value in counts if not is_guest(value)]
    if len(known) < 2 or len(ids) < 100:
        return
    first, second = known[:2]
    when = roles.columns.get("ordered_at")
    if counts[first].rows <= _MANY_ROWS * len(ids) or counts[first].rows <= _MANY_TIMES * counts[second].rows or when is None:
        return
    days = {str(value)[:10] for value in when.values if value is not None}
    own = {str(day)[:10] for value, day in zip(ids, when.values, strict=True) if value == first and day is not None}
    if len(own) < _MOST_DAYS * len(days):
        return
    share = counts[first].rows / len(ids)
    many = counts[first].rows // max(counts[second].rows, 1)
    sentence = (
        f"One value of '{roles.columns['customer_id'].name}' has {share:.1%} of the rows, {many} times those of the next, and buys on "
        f"most days. Is it one customer? If it stands for people without an account, add it to guests."
    )
    if roles.tells_who(first):
        roles.doubt("guests", sentence)  # an id that must not be written here
        return
    roles.ask(
        Question(
            key="guests",
            sentence=sentence,
            answers=(
                Answer(label="yes, it is one customer"),
                Answer(label="no, it stands for guests", settings={"guests": [*settings.get("guests", []), first]}),
            ),
        )
    )

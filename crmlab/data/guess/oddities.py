"""Asks about rows that look wrong: the same again, dated in the future or the far past, below zero twice."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

from crmlab.data.guess.profiles import Profile
from crmlab.data.guess.questions import Answer, Question
from crmlab.data.guess.roles import Roles
from crmlab.data.guess.worth import Count, amounts

__all__ = ["ask_about_oddities"]

_OFTEN = 0.2  # share of repeated rows above which a file was probably put together twice
_FAR = 30 * 365  # days before the middle of a history
_EPOCH = dt.datetime(1970, 1, 1)
_UNITS = {"epoch": 1.0, "epoch_ms": 0.001}


def ask_about_oddities(
    roles: Roles, profiles: list[Profile], form: str | None, settings: dict[str, Any], remarks: dict[str, str]
) -> None:
    """Ask about repeated rows, days that cannot be, and quantities and prices that are both negative.

    Parameters
    ----------
    roles : Roles
        The mapping of orders or lines; questions are added.
    profiles : list of Profile
        All columns of the file.
    form : str or None
        The form of its dates, as in the TOML file.
    settings : dict
        Values for the top of the TOML file; filled.
    remarks : dict
        What is said beside each key; filled.
    """
    money = amounts(roles)
    _repeated(roles, profiles, money, settings, remarks)
    _far_days(roles, form, money)
    _both_negative(roles, settings, remarks)


def _counted(places: list[int], money: list[float] | None) -> Count:
    return Count(len(places), None if money is None else sum(money[place] for place in places))


def _repeated(
    roles: Roles, profiles: list[Profile], money: list[float] | None, settings: dict[str, Any], remarks: dict[str, str]
) -> None:
    if any(item.unique for item in profiles):
        return
    seen: Counter[tuple[Any, ...]] = Counter()
    again = []
    customer = roles.columns.get("customer_id")
    for place, row in enumerate(zip(*(item.values for item in profiles), strict=True)):
        if customer is not None and customer.values[place] is None:
            continue  # rows of nobody are alike without being the same
        if seen[row]:
            again.append(place)
        seen[row] += 1
    if not again:
        return
    count = _counted(again, money)
    settings["#duplicates"] = "drop"
    remarks["#duplicates"] = f"{count}: exact copies of other rows; they count unless you remove the first # of this line"
    receipts = roles.table == "orders" and "order_id" in roles.columns
    if not receipts and len(again) < _OFTEN * len(profiles[0].values):
        return  # two of the same thing on one receipt
    order = roles.columns.get("order_id")
    if receipts and order is not None and order.distinct == len(order.values) - len(again):
        roles.doubts = [doubt for doubt in roles.doubts if doubt[0] != "order_id"]  # why its values repeat is known
    twice = Answer(label="no, each row counts once", settings={"duplicates": "drop", "#duplicates": None})
    both = Answer(label="yes, all of them count", settings={"#duplicates": None})
    sentence = f'{count}: exact copies of other rows. Do they all count? If not, write duplicates = "drop" at the top.'
    roles.ask(Question(key="duplicates", sentence=sentence, answers=(twice, both)))


def _far_days(roles: Roles, form: str | None, money: list[float] | None) -> None:
    when = roles.columns.get("ordered_at")
    if when is None:
        return
    days = [_day(value, form) for value in when.values]
    known = sorted(day for day in days if day is not None)
    if not known:
        return
    today, middle = dt.date.today(), known[len(known) // 2]
    late = [place for place, day in enumerate(days) if day is not None and day > today + dt.timedelta(days=1)]
    early = [place for place, day in enumerate(days) if day is not None and (middle - day).days > _FAR and day.year < 1980]
    if late and len(late) < 0.5 * len(known):
        last = next(day for day in reversed(known) if day <= today + dt.timedelta(days=1))
        _ask_day(roles, when, ("last_day", "in the future", max(last, today)), known[-1], _counted(late, money))
    if early:
        first = next(day for day in known if (middle - day).days <= _FAR or day.year >= 1980)
        _ask_day(roles, when, ("first_day", "long before the others", first), known[0], _counted(early, money))


def _ask_day(roles: Roles, when: Profile, rule: tuple[str, str, dt.date], extreme: dt.date, count: Count) -> None:
    key, words, day = rule
    one = count.rows == 1
    worth = "" if count.money is None else f", worth {count.money + 0.0:,.2f},"
    dates = f"has a date {words}" if one else f"have dates {words}"
    sentence = (
        f"{count.rows:,} row{'' if one else 's'}{worth} {dates} in '{when.name}', such as {extreme}. "
        f'To leave {"it" if one else "them"} out, write {key} = "{day}".'
    )
    answers = (
        Answer(label=f'leave {"it" if one else "them"} out ({key} = "{day}")', settings={key: day}),
        Answer(label="keep it: the day is right" if one else "keep them: these days are right"),
    )
    roles.ask(Question(key=key, sentence=sentence, answers=answers))


def _day(value: Any, form: str | None) -> dt.date | None:
    try:
        if isinstance(value, dt.datetime):
            return value.date()
        if value is None or isinstance(value, dt.date):
            return value
        text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
        if form in _UNITS:
            return (_EPOCH + dt.timedelta(seconds=float(text) * _UNITS[form])).date()
        if form == "excel":
            return (dt.datetime(1899, 12, 30) + dt.timedelta(days=float(text))).date()
        return dt.datetime.strptime(text, form).date() if form else dt.date.fromisoformat(text[:10].replace("/", "-"))
    except (ValueError, OverflowError):
        return None


def _both_negative(roles: Roles, settings: dict[str, Any], remarks: dict[str, str]) -> None:
    quantity, price = roles.columns.get("quantity"), roles.columns.get("unit_price")
    if quantity is None or price is None:
        return
    pieces, prices = quantity.read(roles.decimal), price.read(roles.decimal)
    both = [place for place, (q, p) in enumerate(zip(pieces, prices, strict=True)) if (q or 0) < 0 and (p or 0) < 0]
    if not both:
        return
    product = sum((pieces[place] or 0.0) * (prices[place] or 0.0) for place in both)
    settings["#negative_price"] = "return"
    remarks["#negative_price"] = "quantity and price both below zero"
    sentence = (
        f"In {len(both):,} row{'' if len(both) == 1 else 's'} '{quantity.name}' and '{price.name}' are both "
        f"negative, so that their product counts as a sale: {product:,.2f}. Are these returns? "
        'If so, write negative_price = "return" at the top of the TOML file.'
    )
    answers = (
        Answer(label="yes, returns", settings={"negative_price": "return", "#negative_price": None}),
        Answer(label="no, sales", settings={"#negative_price": None}),
    )
    roles.ask(Question(key="negative_price", sentence=sentence, answers=answers))

"""Suggests what holds for a whole data set: currency, time zone, returns, free orders, codes that are no products."""

from __future__ import annotations

import re
from typing import Any

from crmlab.data.currencies import CODES, SIGNS, code_of, is_shared
from crmlab.data.descriptor import DROPPED
from crmlab.data.guess.number_columns import currencies, sign_beside
from crmlab.data.guess.profiles import Profile
from crmlab.data.guess.questions import Answer, Question
from crmlab.data.guess.roles import TIMES, Roles
from crmlab.data.guess.words import is_charge
from crmlab.data.guess.worth import amounts, tally
from crmlab.data.personal import holds_contact

__all__ = ["choose_settings"]


def choose_settings(roles: Roles, profiles: list[Profile], remarks: dict[str, str]) -> dict[str, Any]:
    """Return values for the top of the TOML file. A key that begins with # is only suggested.

    Parameters
    ----------
    roles : Roles
        The mapping; doubts are added.
    profiles : list of Profile
        All columns of the file.
    remarks : dict
        What is said beside each key; filled.
    """
    settings: dict[str, Any] = {}
    currency = _currency(roles, profiles, remarks, settings)
    settings = {("currency" if currency else "#currency"): currency or "EUR", **settings}
    if not currency:
        remarks["#currency"] = "not found in the file: remove the first # of this line and write your currency"
    settings["timezone"] = "UTC"
    when = next((roles.columns[role] for role in TIMES if role in roles.columns), None)
    zoned = when is not None and when.dates.zoned
    remarks["timezone"] = (
        'times are converted to this time zone; write yours, such as "Europe/Berlin"'
        if zoned
        else 'the time zone of the times in the file; write yours, such as "Europe/Berlin"'
    )
    if roles.table not in ("orders", "order_lines"):
        return settings
    numbers = [roles.columns[role] for role in ("amount", "quantity", "unit_price") if role in roles.columns]
    values = [[value for value in item.read(roles.decimal) if value is not None] for item in numbers]
    column = max(values, key=lambda column: sum(v < 0 for v in column), default=[])
    if negative := [value for value in column if value < 0]:
        settings["returns"] = "net"
        money = [value for value in amounts(roles) or () if value < 0]
        of = f" ({sum(money):,.2f})" if money else ""
        rows = f"{len(negative):,} row{'s are' if len(negative) > 1 else ' is'}"
        remarks["returns"] = f'{rows} below zero{of}: returns; "net" counts them, "drop" leaves them out'
    if any(value == 0 for column in values for value in column):
        settings["#free_orders"] = "ignore"
        remarks["#free_orders"] = "amounts of 0 count as purchases; to ignore them, remove the first # of this line"
    product = roles.columns.get("product_id")
    if product is not None and (codes := _charges(product)):
        settings["#not_products"] = codes
        remarks["#not_products"] = "these look like charges, not products; to leave them out, remove the first # of this line"
    return settings


def _charges(product: Profile) -> list[str]:
    """Product codes that are none: named like charges, or words where all others are numbers."""
    codes = sorted({value for value in product.values if isinstance(value, str) and not holds_contact(value)})
    letters = [code for code in codes if not any(character.isdigit() for character in code)]
    odd = set(letters) if len(letters) <= 0.1 * len(codes) else set()
    return [code for code in codes if (code in odd or is_charge(code)) and len(code) <= 40][:20]


def _currency(roles: Roles, profiles: list[Profile], remarks: dict[str, str], settings: dict[str, Any]) -> str:
    """The currency, from a column of its own, the signs beside amounts, or the name of a money column."""
    money = [roles.columns[role] for role in ("amount", "unit_price", "unit_cost") if role in roles.columns]
    own = roles.columns.get("currency")
    if own is None:
        own = next((item for item in profiles if item.concepts in ({"currency"}, {"currency", "id"})), None)
    codes = [None if value is None else str(value).strip().upper() for value in own.values] if own is not None else []
    known = {code for code in codes if code is not None}
    if own is not None and known and all(re.fullmatch("[A-Z]{3}", code) for code in known):
        if len(known) == 1:
            remarks["currency"] = f"from '{own.name}'"
            return known.pop()
        return _several(roles, own, codes, remarks, settings)
    named = set().union(*(_named_currency(item.name) for item in money))
    said = (
        next(iter(named)) if len(named) == 1 else ""
    )  # a sign that several currencies share is that of the name, if it can be
    beside = set().union(*(currencies(item.values, said) for item in money))
    found = beside or named
    if len(beside) > 1:
        amount = max(money, key=lambda item: len(currencies(item.values, said)))
        signs = [next(iter(currencies([value], said)), None) for value in amount.values]
        return _several(roles, amount, signs, remarks, settings)
    if len(found) > 1:
        roles.doubt("currency", f"There are several currencies ({', '.join(sorted(found))}), but a data set has one.")
        return ""
    if not found:
        return ""
    remarks["currency"] = "the sign beside the amounts, which is taken off" if beside else "from the name of the column"
    (code,) = found
    found_signs = {sign for item in money for value in set(item.values) if (sign := sign_beside(value)) is not None}
    shared = sorted(sign for sign in found_signs if is_shared(sign)) if beside and not named else []
    if shared:
        remarks["currency"] += f"; '{shared[0]}' is taken as {code}, and other currencies have it too"
    elif code == "USD" and not beside and not any("USD" in item.name.upper() for item in money):
        remarks["currency"] += "; 'dollar' is taken as US dollars"
    return code


def _several(roles: Roles, own: Profile, codes: list[str | None], remarks: dict[str, str], settings: dict[str, Any]) -> str:
    """Of several currencies the most frequent; the others are left out until somebody says what they are worth."""
    counts = tally(codes, amounts(roles))
    first, *others = counts
    remarks["currency"] = f"the most frequent of '{own.name}': {counts[first]}"
    listed = "; ".join(f"{code} ({counts[code]} {code})" for code in others[:10])
    left_out = f"Amounts in another currency are left out until [rates] says what one unit is worth in {first}."
    sentence = f"'{own.name}' also holds {listed}. {left_out}"
    settings["#rates"] = dict.fromkeys(others, 1.0)
    remarks["#rates"] = f"remove the first # of this line and write what one unit of each is worth in {first}"
    out = {"rates": dict.fromkeys(others, DROPPED), "#rates": None}
    answers = (Answer(label="leave them out", settings=out), Answer(label="say what they are worth", rates=tuple(others)))
    roles.ask(Question(key="rates", sentence=sentence, answers=answers))
    return first


def _named_currency(name: str) -> set[str]:
    words = {"DOLLAR": "USD", "DOLLARS": "USD", "EURO": "EUR", "EUROS": "EUR"}
    parts = re.split(r"[^A-Z]+", name.upper())
    found = {code_of(sign, "") for sign in re.findall(f"[A-Z]{{0,3}}[{SIGNS}]|zł|Kč", name)}
    return found | (set(parts) & set(CODES)) | {code for word, code in words.items() if word in parts}

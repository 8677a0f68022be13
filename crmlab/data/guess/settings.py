"""Suggests what holds for a whole data set: currency, time zone, returns, free orders, codes that are no products."""

from __future__ import annotations

import re
from typing import Any

from crmlab.data.descriptor import DROPPED
from crmlab.data.guess.number_columns import currencies
from crmlab.data.guess.profiles import Profile, is_contact
from crmlab.data.guess.questions import Answer, Question
from crmlab.data.guess.roles import TIMES, Roles
from crmlab.data.guess.words import is_charge
from crmlab.data.guess.worth import amounts, tally

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
        remarks["#currency"] = "nothing in the file tells; name it here"
    settings["timezone"] = "UTC"
    when = next((roles.columns[role] for role in TIMES if role in roles.columns), None)
    zoned = when is not None and when.dates.zoned
    remarks["timezone"] = (
        'the times carry a zone and are brought into this one; for example "Europe/Berlin"'
        if zoned
        else 'where the times were taken; for example "Europe/Berlin"'
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
        remarks["#free_orders"] = "there are amounts of 0: they count as purchases unless this line is used"
    product = roles.columns.get("product_id")
    if product is not None and (codes := _charges(product)):
        settings["#not_products"] = codes
        remarks["#not_products"] = "these look like charges and not like products: they are left out if this line is used"
    return settings


def _charges(product: Profile) -> list[str]:
    """Product codes that are none: named like charges, or words where all others are numbers."""
    codes = sorted({value for value in product.values if isinstance(value, str) and not is_contact(value)})
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
    beside = set().union(*(currencies(item.values) for item in money)) if money else set()
    named = set().union(*(_named_currency(item.name) for item in money)) if money else set()
    found = beside or named
    if len(beside) > 1:
        amount = max(money, key=lambda item: len(currencies(item.values)))
        signs = [next(iter(sorted(currencies([value]))), None) for value in amount.values]
        return _several(roles, amount, signs, remarks, settings)
    if len(found) > 1:
        roles.doubt("currency", f"There are several currencies ({', '.join(sorted(found))}), but a data set has one.")
        return ""
    if not found:
        return ""
    remarks["currency"] = "the sign beside the amounts, which is taken off" if beside else "from the name of the column"
    (code,) = found
    if code == "USD" and not any("USD" in str(value) for item in money for value in (item.name, *item.values)):
        remarks["currency"] += "; '$' or 'dollar' is taken as US dollars"
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
    remarks["#rates"] = f"what one unit of each is worth in {first}: correct the numbers before use"
    out = {"rates": dict.fromkeys(others, DROPPED), "#rates": None}
    answers = (Answer(label="leave them out", settings=out), Answer(label="say what they are worth", rates=tuple(others)))
    roles.ask(Question(key="rates", sentence=sentence, answers=answers))
    return first


def _named_currency(name: str) -> set[str]:
    words = {"DOLLAR": "USD", "DOLLARS": "USD", "EURO": "EUR", "EUROS": "EUR"}
    found = currencies([name, *re.split(r"[^A-Z]+", name.upper())])
    return found | {code for word, code in words.items() if word in re.split(r"[^A-Z]+", name.upper())}

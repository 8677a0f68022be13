"""Suggests what holds for a whole data set: currency, time zone, returns, free orders, codes that are no products."""

from __future__ import annotations

import re
from typing import Any

from crmlab.data.guess.number_columns import currencies
from crmlab.data.guess.profiles import Profile, is_contact
from crmlab.data.guess.roles import TIMES, Roles
from crmlab.data.guess.words import is_charge

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
    currency = _currency(roles, profiles, remarks)
    settings["currency" if currency else "#currency"] = currency or "EUR"
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
    amounts = [roles.columns[role] for role in ("amount", "quantity", "unit_price") if role in roles.columns]
    values = [[value for value in item.read(roles.decimal) if value is not None] for item in amounts]
    negative = sum(value < 0 for value in max(values, key=lambda column: sum(v < 0 for v in column), default=[]))
    if negative:
        settings["returns"] = "net"
        remarks["returns"] = f'{negative:,} rows are below zero: returns; "net" counts them, "drop" leaves them out'
    if any(value == 0 for column in values for value in column):
        settings["#free_orders"] = "ignore"
        remarks["#free_orders"] = "there are amounts of 0: they count as purchases unless this line is used"
    customer = roles.columns.get("customer_id", roles.hashed)
    if customer is not None and customer.filled < len(customer.values):
        settings["missing_customer"] = "drop"
        share = 1 - customer.filled / len(customer.values)
        remarks["missing_customer"] = f'{share:.1%} of the rows have no customer; "error" would refuse the file'
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


def _currency(roles: Roles, profiles: list[Profile], remarks: dict[str, str]) -> str:
    """The currency, from a column of its own, the signs beside amounts, or the name of a money column."""
    money = [roles.columns[role] for role in ("amount", "unit_price", "unit_cost") if role in roles.columns]
    own = next((item for item in profiles if item.concepts in ({"currency"}, {"currency", "id"})), None)
    codes = {str(value).upper() for value in own.values if value is not None} if own is not None else set()
    if own is not None and codes and all(re.fullmatch("[A-Z]{3}", code) for code in codes):
        if len(codes) == 1:
            remarks["currency"] = f"from '{own.name}'"
            return codes.pop()
        listed = ", ".join(sorted(codes)[:5])
        roles.doubt("currency", f"'{own.name}' holds several currencies ({listed}), but a data set has one.")
        return ""
    beside = set().union(*(currencies(item.values) for item in money)) if money else set()
    named = set().union(*(_named_currency(item.name) for item in money)) if money else set()
    found = beside or named
    if len(found) > 1:
        roles.doubt("currency", f"There are several currencies ({', '.join(sorted(found))}), but a data set has one.")
        return ""
    if not found:
        return ""
    remarks["currency"] = "the sign beside the amounts" if beside else "from the name of the column"
    (code,) = found
    if code == "USD" and not any("USD" in str(value) for item in money for value in (item.name, *item.values)):
        roles.doubt("currency", "'$' or 'dollar' is taken as US dollars.")
    if beside:
        roles.doubt("currency", f"Amounts carry a sign or code ({code}), which is taken off.")
    return code


def _named_currency(name: str) -> set[str]:
    words = {"DOLLAR": "USD", "DOLLARS": "USD", "EURO": "EUR", "EUROS": "EUR"}
    found = currencies([name, *re.split(r"[^A-Z]+", name.upper())])
    return found | {code for word, code in words.items() if word in re.split(r"[^A-Z]+", name.upper())}

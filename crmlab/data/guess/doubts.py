"""Checks a mapping against the values, and says in plain sentences what is not sure.

Totals are held against quantity × price, missing columns are named, and what the reader will stumble over is said
before it does.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from crmlab.data.guess.profiles import Profile, is_person
from crmlab.data.guess.questions import Answer, Question
from crmlab.data.guess.roles import NUMBERS, TIMES, Roles, is_possible, name_score
from crmlab.data.personal import holds_contact

__all__ = ["say_missing", "say_unreadable", "settle_money"]


def settle_money(roles: Roles, profiles: list[Profile]) -> None:
    """Find out by calculating which column is the total and which the price of one piece.

    Parameters
    ----------
    roles : Roles
        The mapping; ``amount`` and ``unit_price`` may be changed.
    profiles : list of Profile
        All columns of the file.
    """
    columns = roles.columns
    quantity, price, amount = columns.get("quantity"), columns.get("unit_price"), columns.get("amount")
    if roles.table == "orders":
        _price_as_amount(roles)
    elif quantity and price:
        _compare(roles, profiles, quantity, price)
    elif quantity and amount and "product_id" in columns and _is_price(roles, columns["product_id"], quantity, amount):
        _no_total(roles, f"'{amount.name}' stays the same when more pieces are bought", amount)
    elif quantity and amount and "order_id" in columns:
        order = columns["order_id"]
        if order.distinct < order.filled and order.decides(amount) >= 0.9 > order.decides(quantity):
            why = "it may be the order's total, which would be counted once for every line"
            roles.doubt("amount", f"'{amount.name}' is the same in all lines of an order: {why}.")


def _price_as_amount(roles: Roles) -> None:
    """An order without a total: its price is the amount, unless it would have to be multiplied."""
    columns = roles.columns
    price, quantity = columns.get("unit_price"), columns.get("quantity")
    if price is None or "amount" in columns:
        return
    if quantity is None:
        columns["amount"] = price
        roles.doubt("amount", f"'{price.name}' is used as the order total.")
    else:
        product = f"There is no order total. Add a column with '{quantity.name}' × '{price.name}' to the file"
        roles.doubt("amount", f'{product}, and write amount = "…" with its name under [orders].')


def _compare(roles: Roles, profiles: list[Profile], quantity: Profile, price: Profile) -> None:
    pieces, prices = quantity.read(roles.decimal), price.read(roles.decimal)

    def agreement(item: Profile, each: bool = False, off: Profile | None = None) -> float | None:
        """The share of rows, of those with other than one piece, where a column is the total (or the price) there."""
        less = [abs(value or 0.0) for value in off.read(roles.decimal)] if off is not None else [0.0] * len(pieces)
        rows = [
            abs(a - (p if each else q * p - d)) <= max(0.011, 0.005 * abs(q * p))
            for a, q, p, d in zip(item.read(roles.decimal), pieces, prices, less, strict=True)
            if a is not None and q is not None and p is not None and abs(q) != 1
        ]
        return sum(rows) / len(rows) if rows else None

    chosen = roles.columns.get("amount")
    if chosen is None:
        return
    if chosen.name.lower() != "amount":  # the reader takes a column of this name whatever is mapped
        others = [item for item in profiles if item is not price and is_possible("amount", item)]
        fitting = [i for i in others if name_score("amount", i) >= 0.6 and (agreement(i) or 0) > (agreement(chosen) or 0)]
        if fitting:
            chosen = roles.columns["amount"] = max(fitting, key=lambda item: agreement(item) or 0)
            roles.near.pop("amount", None)
    fit = agreement(chosen)
    if chosen.filled < 0.9 * price.filled and quantity.filled > chosen.filled:
        _no_total(roles, f"'{chosen.name}' is given in fewer rows than '{price.name}'", price)
        return
    if fit is None or fit >= 0.9:
        return
    if (agreement(chosen, each=True) or 0) >= 0.9:
        _no_total(roles, f"'{chosen.name}' equals '{price.name}', the price of one piece", price)
    elif any((agreement(chosen, off=item) or 0) >= 0.9 for item in profiles if "discount" in item.concepts):
        return  # the total is what is left after the discount
    elif "order_id" in roles.columns and roles.columns["order_id"].decides(chosen) >= 0.9:
        _no_total(roles, f"'{chosen.name}' is the same in all lines of an order, so it is the order's total", price)
    else:
        product = f"'{quantity.name}' × '{price.name}'"
        roles.doubt("amount", f"'{chosen.name}' is {product} in only {fit:.0%} of the rows (discounts, tax?).")


def _is_price(roles: Roles, product: Profile, quantity: Profile, amount: Profile) -> bool:
    """Whether an amount stays what it is when more pieces of a product are bought."""
    seen: dict[Any, set[tuple[float, float]]] = defaultdict(set)
    for code, q, a in zip(product.values, quantity.read(roles.decimal), amount.read(roles.decimal), strict=True):
        if code is not None and q is not None and a is not None and q > 0:
            seen[code].add((q, a))
    several = [pairs for pairs in seen.values() if len({q for q, _ in pairs}) > 1]
    return len(several) >= 3 and sum(len({a for _, a in pairs}) == 1 for pairs in several) >= 0.8 * len(several)


def _no_total(roles: Roles, why: str, price: Profile) -> None:
    """What was taken for a total is none: let the reader calculate it."""
    if roles.columns["amount"].name.lower() == "amount":
        advice = "Rename that column in the file and map the price as unit_price, so that the amount is calculated."
        roles.doubt("amount", f"{why}. {advice}")
        return
    del roles.columns["amount"]
    roles.near.pop("amount", None)
    roles.columns["unit_price"] = price
    roles.doubt("unit_price", f"{why}. So the amount is calculated: quantity × unit_price.")


def say_missing(
    roles: Roles, profiles: list[Profile], *, alone: bool = True, none: bool = False, hashed: bool = False
) -> dict[str, str]:
    """Say which columns were not found.

    Parameters
    ----------
    roles : Roles
        The mapping; doubts are added.
    profiles : list of Profile
        All columns of the file.
    alone : bool
        Whether it is the only file of the data set.
    none : bool
        Whether it was said already that the file holds no orders.
    hashed : bool
        Whether a column that tells who somebody is stands for the id.

    Returns
    -------
    dict
        For columns that the user has to decide about, a name that may be meant.
    """
    columns, orders = roles.columns, roles.table in ("orders", "order_lines")
    maybe: dict[str, str] = {}
    if none:
        return maybe
    if not orders:
        advice = "Put this section into the TOML file of your orders."
        if alone:
            roles.doubt(roles.table, f"The file seems to hold {roles.table} and no orders. {advice}")
        own = "product_id" if roles.table == "products" else "customer_id"
        if own not in columns and not (hashed and own == "customer_id"):
            roles.doubt(own, f'No id column was found. Write {own} = "…" with its name under [{roles.table}].')
        return maybe
    if "customer_id" not in columns and not hashed:
        who = next((item for item in profiles if "customer" in item.concepts and item.filled and not item.personal), None)
        if who is not None and name_score("customer_id", who) > 0:
            maybe["customer_id"] = who.name
        if roles.table == "order_lines" and who is None:
            runs = "Without one, reports on products bought together can run; those on customers cannot."
            _ask_without(roles, "customer_id", f"No customer id column was found. {runs}")
        else:
            advice = f'Write customer_id = "…" with its name under [{roles.table}].'
            roles.doubt("customer_id", f"No customer id column was found. {advice}")
    if "ordered_at" not in columns:
        named = next((item for item in profiles if name_score("ordered_at", item) >= 0.6 and item.filled), None)
        if named is None:
            roles.doubt("ordered_at", f'No date column was found. Write ordered_at = "…" with its name under [{roles.table}].')
        else:
            maybe["ordered_at"] = named.name
            why = 'its values cannot be read as such. Write their format, such as date_format = "%d %b %Y"'
            if named.dates.both:
                why = "in some the day comes first and in others the month. Write them all in one format"
            roles.doubt("ordered_at", f"'{named.name}' appears to hold dates, but {why}.")
    if roles.table == "order_lines":
        _missing_in_lines(roles)
    else:
        _missing_in_orders(roles)
    return maybe


def _ask_without(roles: Roles, column: str, sentence: str) -> None:
    """Read a source without what it does not tell, unless somebody names the column."""
    answers = (
        Answer(label="read the file without it"),
        Answer(label="there is one: I will name it in the TOML file", options={"without": None}),
    )
    advice = f'If there is one, remove "{column}" from the line without = […] and write {column} = "…" with the column\'s name.'
    roles.ask(Question(key=column, sentence=f"{sentence} {advice}", answers=answers))
    roles.without.append(column)


def _missing_in_orders(roles: Roles) -> None:
    order = roles.columns.get("order_id")
    if "amount" not in roles.columns and all(key != "amount" for key, _ in roles.doubts):
        runs = "Without one, reports that count purchases can run; those on money cannot."
        _ask_without(roles, "amount", f"No amount column was found. {runs}")
    if order is None:
        roles.doubt("order_id", "No order number column was found, so each row counts as one order.")
    elif order.repeats:
        roles.doubt("order_id", f"Values of '{order.name}' repeat, so the rows may be order lines.")


def _missing_in_lines(roles: Roles) -> None:
    if "order_id" not in roles.columns:
        roles.doubt("order_id", 'No order number column was found. Write order_id = "…" with its name under [order_lines].')
    if "quantity" not in roles.columns:
        roles.doubt("quantity", 'No quantity column was found. Write quantity = "…" with its name under [order_lines].')
    if not {"amount", "unit_price"} & set(roles.columns):
        roles.doubt("amount", 'No amount or price was found. Write amount = "…" or unit_price = "…" under [order_lines].')


def say_unreadable(roles: Roles, form: str | None = None) -> None:
    """Say what competes for a role, and which values the reader will stumble over.

    Parameters
    ----------
    roles : Roles
        The mapping; doubts are added.
    form : str or None
        The form of dates, where it is declared and not guessed.
    """
    for role, item in roles.columns.items():
        if roles.near.get(role) and role not in ("product_name", "product_category", "category", "channel"):
            _ask_which(roles, role, item.name, roles.near[role][:3])
        if item.nothing is not None:
            says = f"'{item.nothing}' in '{item.name}' seems to mean “no value”, but is read as a value."
            roles.doubt(role, f'{says} If so, write missing = {{{role} = ["", "{item.nothing}"]}} under [{roles.table}].')
        if role in NUMBERS:
            read = item.read(roles.decimal)
            bad = [value for value, n in zip(item.values, read, strict=True) if value is not None and n is None]
            if bad:
                count = f"{len(bad):,} of {item.filled:,} values"
                roles.doubt(role, f"{count} of '{item.name}' cannot be read as numbers, such as {_quoted(bad[0])}.")
        if role in TIMES and item.dates.share < 1 and not form:
            share = f"{1 - item.dates.share:.1%} of the values in"
            roles.doubt(role, f"{share} '{item.name}' cannot be read as dates, such as {_quoted(item.dates.unread)}.")
        digits = any(c.isdigit() for value in set(item.values) if value is not None for c in str(value))
        if role == "customer_id" and not digits and not roles.known:
            _ask_names(roles, item)


def _ask_which(roles: Roles, role: str, chosen: str, near: list[str]) -> None:
    """Ask which of several columns is meant."""
    listed = " or ".join(f"'{name}'" for name in near)
    answers = tuple(Answer(label=f"'{name}'", columns={role: name}) for name in (chosen, *near))
    roles.ask(Question(key=role, sentence=f"'{chosen}' was chosen; it could also be {listed}.", answers=answers))


def _ask_names(roles: Roles, item: Profile) -> None:
    """Ask whether words that stand for customers are names of people."""
    advice = f'write customer_hash = "{item.name}" in place of customer_id.'
    sentence = f"'{item.name}' holds words, not numbers. If they are people's names, {advice}"
    names = Answer(label="names: use their keyed hash", columns={"customer_id": None}, options={"customer_hash": item.name})
    roles.ask(Question(key="customer_id", sentence=sentence, answers=(Answer(label="codes: take them as they are"), names)))


def _quoted(value: Any) -> str:
    if holds_contact(value) or is_person(value):
        return "a name or an address"  # from a row that slipped, perhaps; not to be shown
    return f"'{str(value)[:30]}'"

"""Finds what decides about sales: the status of an order and what each value means, refunds, discounts.

A status is taken for one by its name and its values together, the delivery's never. What is not known is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import combinations
from typing import Any

from crmlab.data.exports.declaration import Part
from crmlab.data.guess.customers import id_text
from crmlab.data.guess.profiles import Profile
from crmlab.data.guess.questions import Answer, Question
from crmlab.data.guess.roles import Roles
from crmlab.data.guess.worth import Count, Tally, amounts, tally
from crmlab.data.personal import plain
from crmlab.data.statuses import Meaning, is_other_status, is_refund_name, is_status_name, meaning, spelled

__all__ = ["find_sales", "settle_status"]

_MOST = 40  # different statuses; a column with more is a text
_LISTED = 12
# Words in the name of a status. Payment decides before order, order before nothing said.
_PAYMENT = re.compile(r"financial|payment|paid|zahl|paiement|pago|betaal|transaction|charge")
_ORDER = re.compile(r"order|bestell|auftrag|commande|pedido|sale|invoice|rechnung|facture|document|deal|opportunity")


def find_sales(roles: Roles, profiles: list[Profile]) -> None:
    """Map the status, the refund and the currency of orders or order lines, and ask about a discount.

    Parameters
    ----------
    roles : Roles
        The mapping of a table of orders or lines; filled.
    profiles : list of Profile
        All columns of the file.
    """
    taken = {item.name for item in roles.columns.values()}
    free = [item for item in profiles if item.filled and item.name not in taken and not item.personal]
    status = max(free, key=_status_score, default=None)
    if status is not None and _status_score(status) > 0:
        roles.columns["status"] = status
    refund = next((item for item in free if _is_refund(item)), None)
    if refund is not None:
        _map_refund(roles, refund)
    currency = next((item for item in free if "currency" in item.concepts and _is_codes(item)), None)
    if currency is not None:
        roles.columns["currency"] = currency
    discount = next((item for item in free if "discount" in item.concepts and _is_money(item)), None)
    if discount is not None:
        _settle_discount(roles, profiles, discount)


def _status_score(item: Profile) -> float:
    """How much a column looks like the status of an order: its name, and how many of its rows have a known word."""
    name = plain(item.name)
    if item.distinct > _MOST or is_other_status(item.name) or item.numbers.share > 0.5 or item.dates.share > 0.5:
        return 0.0
    named = is_status_name(item.name) or "status" in item.concepts
    known = [value for value in item.values if value is not None and meaning(str(value)) is not None]
    share = len(known) / item.filled
    if named:
        rank = 1.0 if _PAYMENT.search(name) else 0.8 if _ORDER.search(name) else 0.6
        # Without a known word "state" is a place, "stage" a phase of anything: "status" alone is believed.
        return rank + share if share > 0 or re.search("status|statut", name) else 0.0
    # No name, but what stands there can hardly mean anything else: two known words that say different things.
    different = {meaning(str(value)) for value in set(known)}
    return 0.3 if share > 0.9 and len(different) > 1 and item.distinct <= _LISTED else 0.0


def _is_money(item: Profile) -> bool:
    """Whether a column holds amounts, and neither codes nor parts of a hundred."""
    other = item.concepts & {"id", "date", "kind", "status", "text", "name", "quantity", "personal", "currency"}
    rate = re.search(r"%|percent|pct|prozent|rate|reason|code", plain(item.name))
    return not other and not rate and item.numbers.loose >= 0.8


def _is_refund(item: Profile) -> bool:
    named = is_refund_name(item.name) or ("refund" in item.concepts and "other date" not in item.concepts)
    return named and _is_money(item)


def _is_codes(item: Profile) -> bool:
    return all(re.fullmatch("[A-Za-z]{3}", str(value).strip()) for value in set(item.values) - {None})


def _map_refund(roles: Roles, refund: Profile) -> None:
    order = roles.columns.get("order_id")
    if roles.table == "order_lines" and order is not None and order.repeats and order.decides(refund) > 0.9:
        why = "it is the same in all lines of an order, and would be taken off once for every line"
        roles.doubt("refund", f"'{refund.name}' is not read: {why}.")
        return
    roles.columns["refund"] = refund


def _settle_discount(roles: Roles, profiles: list[Profile], discount: Profile) -> None:
    """Find out by calculating whether a discount is off the amount already; map it where it is not, and else ask."""
    columns, decimal = roles.columns, roles.decimal
    off = [abs(value or 0.0) for value in discount.read(decimal)]
    given = [place for place, value in enumerate(off) if value]
    if not given or "amount" not in columns:
        if given and {"quantity", "unit_price"} <= set(columns):
            _ask_discount(roles, discount, "unit_price", len(given))
        return
    total = columns["amount"].read(decimal)

    def share(candidate: Callable[[int], float | None]) -> float:
        """The share of the rows with a discount in which the total is what a calculation gives."""
        hits = [
            abs(value - (total[place] or 0.0)) <= max(0.011, 0.001 * abs(value))
            for place in given
            if total[place] is not None and (value := candidate(place)) is not None
        ]
        return sum(hits) / len(hits) if hits else 0.0

    if {"quantity", "unit_price"} <= set(columns):
        pieces, prices = columns["quantity"].read(decimal), columns["unit_price"].read(decimal)
        product = [None if q is None or p is None else q * p for q, p in zip(pieces, prices, strict=True)]
        if share(lambda place: product[place]) > 0.9:
            columns["discount"] = discount
            return
        if share(lambda place: None if product[place] is None else (product[place] or 0.0) - off[place]) > 0.9:
            return
    if _adds_up(roles, profiles, off, share):
        return
    _ask_discount(roles, discount, "amount", len(given))


def _adds_up(
    roles: Roles, profiles: list[Profile], off: list[float], share: Callable[[Callable[[int], float | None]], float]
) -> bool:
    """Whether some other amount of the row, less the discount, with or without tax and postage, is the total."""
    amount, none = roles.columns["amount"], {"id", "date", "quantity", "discount", "refund", "personal"}
    others = [
        (item.name, item.read(roles.decimal))
        for item in profiles
        if item is not amount and item.numbers.loose >= 0.8 and not item.concepts & none
    ][:8]
    for name, base in others:
        rest = [values for other, values in others if other != name]
        for added in ([], *([one] for one in rest), *([one, two] for one, two in combinations(rest, 2))):

            def less(place: int, base: list[float | None] = base, added: list[list[float | None]] = added) -> float | None:
                value = base[place]
                return None if value is None else value + sum(one[place] or 0.0 for one in added) - off[place]

            if share(less) > 0.9:
                # What the total is made of is not meant instead of it.
                roles.near["amount"] = [
                    one for one in roles.near.get("amount", ()) if one not in {other for other, _ in others}
                ]
                return True
    return False


def _ask_discount(roles: Roles, discount: Profile, of: str, rows: int) -> None:
    amount = roles.columns[of].name
    held = f"'{discount.name}' holds a discount in {rows:,} row{'' if rows == 1 else 's'}. Is '{amount}' already net of it?"
    sentence = f'{held} If not, write discount = "{discount.name}" under [{roles.table}].'
    roles.ask(
        Question(
            key="discount",
            sentence=sentence,
            answers=(
                Answer(label="yes, nothing is taken off"),
                Answer(label="no, take it off", columns={"discount": discount.name}),
            ),
        )
    )


def settle_status(
    roles: Roles, part: Part | None, options: dict[str, Any], remarks: dict[str, str], *, complete: bool = True
) -> None:
    """Say for each status whether it is a sale, with its rows and money; ask about those that nobody knows.

    Parameters
    ----------
    roles : Roles
        The mapping.
    part : Part or None
        What is declared of a known export.
    options : dict
        Keys of the table's section; ``keep`` and ``drop`` are added.
    remarks : dict
        What is said beside each key; filled.
    complete : bool
        Whether these are all rows. If not, further statuses may come, and known words decide about them.
    """
    status = roles.columns.get("status")
    if status is None:
        return
    counts: Tally = tally([None if value is None else id_text(value) for value in status.values], amounts(roles))
    hidden = [value for value in counts if meaning(value) is None and roles.tells_who(value)]
    paid_back = _paid_back(roles, status)
    keep: list[str] = []
    drop: list[str] = []
    unknown, odd = [], []
    for value in (value for value in counts if value not in hidden):
        said = _declared(value, part) or meaning(value)
        if said is None:
            unknown.append(value)
        elif said == "refunded" and paid_back.get(value) == "yes":
            keep.append(value)
        elif said == "refunded" and paid_back.get(value) == "some":
            odd.append(value)
        else:
            (keep if said == "sale" else drop).append(value)
    by_words = not complete and all(_declared(value, part) is None for value in counts)
    for key, values in (("keep", keep), ("drop", drop)):
        # A list would be all that is kept: where words decide about what was seen, they decide about what comes as well.
        written = f"#{key}" if by_words else key
        declared = [] if complete or part is None else [word for word in getattr(part, key) if word not in ("*", *values)]
        options[written] = [*values, *declared]
        listed = [f"{value}: {counts[value]}" for value in values]
        more = [f"and {len(listed) - _LISTED} more"] if len(listed) > _LISTED else []
        remarks[written] = "; ".join([*listed[:_LISTED], *more])
    if odd:
        names = " and ".join(f"'{value}' ({counts[value]})" for value in odd)
        sentence = f"Of the rows with {names} in '{status.name}', some have a refunded amount and some have none."
        roles.ask(
            Question(
                key="status",
                sentence=f"{sentence} Are they sales? Put each status in keep or drop.",
                answers=(
                    Answer(label="no, none of them is a sale", options={"drop": odd}),
                    Answer(label="yes, less what was paid back", options={"keep": odd}),
                ),
            )
        )
    if hidden:
        rows = Count(sum(counts[value].rows for value in hidden))
        what = "what tells who somebody is. It is not written here, and such rows count as no sales."
        roles.doubt("status", f"'{status.name}' holds in {rows} {what} Is it the right column?")
    if unknown:
        roles.ask(_about_unknown(status, unknown, counts))


def _declared(value: str, part: Part | None) -> Meaning | None:
    if part is None:
        return None
    keep, drop = ({spelled(word) for word in words} for words in (part.keep, part.drop))
    if spelled(value) in keep:
        return "sale"
    return "no sale" if spelled(value) in drop or "*" in part.drop else None


def _paid_back(roles: Roles, status: Profile) -> dict[str, str]:
    """For each status whether its orders can be netted (``yes``): what was paid back is known, or booked in rows of its own.

    ``some`` where only some of them can. As for the reader, it is booked so where rows are below zero and none is above.
    """
    refund, money = roles.columns.get("refund"), amounts(roles)
    if money is None:
        return {}
    back = refund.read(roles.decimal) if refund is not None else [None] * len(money)
    seen: dict[str, list[tuple[bool, float]]] = {}
    for value, paid, amount in zip(status.values, back, money, strict=True):
        if value is not None:
            seen.setdefault(id_text(value), []).append((bool(paid), amount))
    ways = {}
    for value, rows in seen.items():
        booked = min(amount for _, amount in rows) < 0 and max(amount for _, amount in rows) <= 0
        if booked or all(paid for paid, _ in rows):
            ways[value] = "yes"
        elif any(paid for paid, _ in rows):
            ways[value] = "some"
    return ways


def _about_unknown(status: Profile, unknown: list[str], counts: Tally) -> Question:
    shown = "; ".join(f"'{value[:40]}' ({counts[value]})" for value in unknown[:_LISTED])
    more = f" and {len(unknown) - _LISTED} more" if len(unknown) > _LISTED else ""
    one = len(unknown) == 1
    sentence = (
        f"'{status.name}' holds {'an unknown status' if one else 'unknown statuses'}: {shown}{more}. "
        f"{'Is it a sale? Put it' if one else 'Which are sales? Put each'} in keep or drop; "
        f"until then {'it does not count as a sale' if one else 'they do not count as sales'}."
    )
    answers = tuple(
        Answer(label=f"{value[:40]} ({counts[value]})", options={"keep": [value]}, otherwise={"drop": [value]})
        for value in unknown
    )
    return Question(key="status", sentence=sentence, answers=answers, default=None)

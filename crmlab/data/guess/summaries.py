"""Recognises files that are no orders although they have customers and money: summaries of customers, subscriptions, experiments."""

from __future__ import annotations

import re
from collections.abc import Sequence

from crmlab.data.guess.profiles import Profile
from crmlab.data.guess.roles import Roles
from crmlab.data.personal import plain

__all__ = ["no_orders"]

_SUMMED = re.compile(
    r"frequency|recency|monetary|\bltv\b|\bclv\b|lifetime|(order|purchase|transaction|bestell\w*)s?[ _]?(count|anzahl)"
    r"|(number|no|num|total|anzahl)[ _]?(of[ _])?(orders|purchases|transactions|bestellungen)|orders[ _]?(total|placed)?$"
    r"|(total|sum|amount)[ _]?(spent|spend|revenue|sales)|(first|last)[ _]?(order|purchase|visit|seen)|avg|average|mean"
)
_TESTED = re.compile(r"^(variant|variation|group|arm|treatment|bucket|converted|conversion)$")
_SUBSCRIBED = re.compile(r"\b(mrr|arr|subscription|abo|abonnement)\b")


def no_orders(roles: Roles, profiles: Sequence[Profile]) -> str:
    """Say in a sentence what a file is where it is no list of orders; an empty text where it may be one.

    Parameters
    ----------
    roles : Roles
        The mapping, as it was guessed.
    profiles : sequence of Profile
        All columns of the file.
    """
    names = [plain(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", item.name)) for item in profiles]
    customer = roles.columns.get("customer_id")
    once = customer is not None and customer.unique
    dated = "ordered_at" in roles.columns
    if any(_SUBSCRIBED.search(name.replace("_", " ")) for name in names) and any("end" in n or "cancel" in n for n in names):
        return (
            "The file has one row per subscription, with its start and end, but no contracts could be read from it. crmlab needs a "
            "customer, a start, a price and a billing period such as month or year in every row: name these columns in a section "
            "[contracts]. Or export the invoices or payments, one row each, with their dates."
        )
    if once and not dated and sum(_TESTED.search(name) is not None for name in names) >= 1:
        return (
            "The file has one row per customer and no dates: it looks like the results of an experiment, but no column with its cells was "
            "found. crmlab needs such a column, in a section [test]; or the orders, one row each, with their dates."
        )
    summed = [name for name in names if _SUMMED.search(name)]
    order = roles.columns.get("order_id")
    counted = order is None or order.repeats  # the number of orders of a customer, perhaps
    if once and counted and (len(summed) >= 2 or (not dated and (summed or "amount" in roles.columns))):
        return (
            "The file has one row per customer: it is already a summary. "
            "crmlab needs the orders behind it, one row each, with their dates."
        )
    return ""

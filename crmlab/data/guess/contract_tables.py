"""Recognises tables of contracts: subscriptions of Stripe, Chargebee and others, memberships of clubs."""

from __future__ import annotations

from collections.abc import Sequence

from crmlab.data.exports.declaration import form_of_name
from crmlab.data.guess.profiles import Profile
from crmlab.data.guess.roles import Roles, is_possible, name_score
from crmlab.data.reading.billing import period_of
from crmlab.data.tables import CONTRACTS

__all__ = ["contract_table"]

_NAMES = {
    "contract_id": "contract id, contract, contract number, subscription id, subscriptions id, subscription, subscription number, "
    "membership id, membership number, vertrag, vertragsnummer, vertrags id, abo id, abonummer, abonnement id, contrat, contrato",
    "customer_id": "customer id, customer, customers id, member id, member number, member, account id, user id, kunde, kundennummer, "
    "mitglied, mitgliedsnummer",
    "started_at": "started at, start date, start, start utc, started on, subscriptions started at, activated at, activation date, "
    "contract start, subscription start, membership start, member since, begin, valid from, beginn, vertragsbeginn, startdatum, "
    "date de debut, fecha de inicio, created utc, created at",
    "ended_at": "ended at, end date, ended at utc, end, ended on, subscriptions cancelled at, expires at, expiry date, contract end, "
    "subscription end, membership end, valid until, ende, vertragsende, enddatum, date de fin, fecha de fin",
    "cancelled_at": "cancelled at, canceled at, canceled at utc, cancelled on, canceled on, cancellation date, notice date, "
    "subscriptions cancel schedule created at, gekundigt am, kundigungsdatum, date de resiliation, fecha de cancelacion",
    "price": "price, amount, plan amount, unit price, subscriptions plan unit price, fee, recurring amount, rate, preis, betrag, beitrag, "
    "prix, montant, precio, importe, prezzo, prijs",
    "period": "period, interval, billing period, billing interval, billing cycle, billing period unit, subscriptions billing period unit, "
    "plan interval, frequency, billing frequency, turnus, zahlweise, zahlungsrhythmus, periode, periodicite, periodicidad, interval unit",
    "plan": "plan, plan name, plan id, subscriptions plan id, product, product name, tier, tarif, formule, tarifa, subscription type, "
    "membership type",
    "trial_until": "trial until, trial end, trial end utc, trial ends at, subscriptions trial end, trial end date, probezeit bis",
    "currency": "currency, currency code, subscriptions currency code, wahrung, devise, moneda",
}
_DATES = ("started_at", "ended_at", "cancelled_at", "trial_until")
_LATER = ("ended_at", "cancelled_at", "trial_until")  # may be empty in every row today, and be filled in a later export
# Columns by which a price is multiplied, or its period is.
_MANY = (
    "quantity, plan quantity, subscriptions plan quantity, seats, interval count, billing period, subscriptions billing period, "
    "interval"
)
_RUNNING = {"active", "trialing", "trial", "in trial", "past due", "non renewing"}
_ENDED = {"canceled", "cancelled", "expired", "ended", "incomplete expired"}


def contract_table(profiles: Sequence[Profile], decimal: str) -> Roles | None:
    """Say whether a file holds contracts, by names and values, and map it.

    Contracts have a customer, a first day, a price and what it is for: a column of billing periods, each of which is known.

    Parameters
    ----------
    profiles : sequence of Profile
        All columns of the file.
    decimal : str
        Its decimal sign.

    Returns
    -------
    Roles or None
        None where it holds something else.
    """
    found: dict[str, Profile] = {}
    for role, names in _NAMES.items():
        some = [one for one in profiles if one not in found.values()]
        item = _named(names, [one for one in some if _periods(one)]) if role == "period" else None
        item = item or _named(names, some)
        if item is None or not (item.filled or role in _LATER):
            continue
        if role not in _DATES or not item.filled or item.dates.share >= 0.8:
            found[role] = item
    if "customer_id" not in found:
        named = sorted(profiles, key=lambda item: name_score("customer_id", item))[-1:]
        good = (item for item in named if name_score("customer_id", item) >= 0.6 and is_possible("customer_id", item))
        if (customer := next(good, None)) is not None and customer not in found.values():
            found["customer_id"] = customer
    period = found.get("period")
    if period is None or not {"customer_id", "started_at", "price"} <= set(found):
        return None
    if not _periods(period) or found["price"].numbers.loose < 0.8:
        return None
    cancelled = found["cancelled_at"] if "ended_at" not in found and "cancelled_at" in found else None
    if cancelled is not None:
        found["ended_at"] = found.pop("cancelled_at")
    if "contract_id" not in found:
        own = next((item for item in profiles if form_of_name(item.name) == "id" and item not in found.values()), None)
        if own is not None and own.filled:
            found["contract_id"] = own
    roles = Roles(CONTRACTS.name, {one.name: found[one.name] for one in CONTRACTS.columns if one.name in found}, decimal)
    roles.personal = tuple(item for item in profiles if item.personal and item not in found.values())
    if cancelled is not None:
        roles.doubt("ended_at", f"'{cancelled.name}' is taken for the last day of a contract, as there is no column of ends.")
    for item in profiles:
        counted = form_of_name(item.name) in _MANY.split(", ") and item not in found.values()
        if counted and any(value not in (None, "1", 1, 1.0) for value in item.values):
            roles.doubt("price", f"'{item.name}' is not always 1: price must be the total for one period, for all units.")
    _doubt_status(roles, profiles)
    return roles


def _periods(item: Profile) -> bool:
    """Whether every value of a column is a billing period."""
    known = set(item.values) - {None}
    return bool(known) and all(period_of(str(value)) is not None for value in known)


def _doubt_status(roles: Roles, profiles: Sequence[Profile]) -> None:
    """Say what a column of statuses tells that dates do not: contracts that never began or are paused, and ends without a day."""
    item = _named("status, subscription status, subscriptions status, state", profiles)
    if item is None:
        return
    told = {form_of_name(str(value)) for value in item.values if value is not None}
    if odd := sorted(told - _RUNNING - _ENDED):
        roles.doubt(
            "started_at", f"'{item.name}' is not read, and is “{odd[0]}” in some rows: leave out those that are not in force."
        )
    elif told & _ENDED and "ended_at" not in roles.columns:
        roles.doubt("started_at", f"'{item.name}' says that some contracts have ended, but no column says when.")


def _named(names: str, profiles: Sequence[Profile]) -> Profile | None:
    """The column that bears the first of some names that one bears."""
    for name in names.split(", "):
        for item in profiles:
            if form_of_name(item.name) == name:
                return item
    return None

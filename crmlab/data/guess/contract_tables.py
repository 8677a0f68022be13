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
        item = _named(names, [one for one in profiles if one not in found.values()])
        if item is not None and item.filled and (role not in _DATES or item.dates.share >= 0.8):
            found[role] = item
    if "customer_id" not in found:
        named = sorted(profiles, key=lambda item: name_score("customer_id", item))[-1:]
        good = (item for item in named if name_score("customer_id", item) >= 0.6 and is_possible("customer_id", item))
        if (customer := next(good, None)) is not None and customer not in found.values():
            found["customer_id"] = customer
    period = found.get("period")
    if period is None or not {"customer_id", "started_at", "price"} <= set(found):
        return None
    if any(period_of(str(value)) is None for value in set(period.values) - {None}) or found["price"].numbers.loose < 0.8:
        return None
    if "contract_id" not in found:
        own = next((item for item in profiles if form_of_name(item.name) == "id" and item not in found.values()), None)
        if own is not None and own.filled:
            found["contract_id"] = own
    roles = Roles(CONTRACTS.name, {one.name: found[one.name] for one in CONTRACTS.columns if one.name in found}, decimal)
    roles.personal = tuple(item for item in profiles if item.personal and item not in found.values())
    counts = next((item for item in profiles if form_of_name(item.name) in ("quantity", "interval count")), None)
    if counts is not None and any(value not in (None, "1", 1, 1.0) for value in counts.values):
        roles.doubt(
            "price", f"'{counts.name}' is not always 1: price must be what one period costs, all pieces of it together."
        )
    return roles


def _named(names: str, profiles: Sequence[Profile]) -> Profile | None:
    """The column that bears the first of some names that one bears."""
    for name in names.split(", "):
        for item in profiles:
            if form_of_name(item.name) == name:
                return item
    return None

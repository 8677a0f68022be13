"""Recognises the tables of campaigns: test cells, contacts, responses."""

from __future__ import annotations

from collections.abc import Sequence

from crmlab.data.exports.declaration import form_of_name
from crmlab.data.guess.profiles import Profile
from crmlab.data.guess.roles import Roles, is_possible, name_score
from crmlab.data.tables import RESPONSE_KINDS, TABLES

__all__ = ["campaign_table"]

_NAMES = {
    "campaign_id": "campaign id, campaign, campaign name, kampagne, kampagnen id, campagne, campana, campagne id",
    "program_id": "program id, program, programme, programm",
    "cell_id": "cell id, cell, test cell, cell name, zelle, testzelle, cellule, celda, variant, variant id, treatment",
    "control_cell_id": "control cell id, control cell, control, kontrollzelle, kontrolle, controle",
    "response_code": "response code, offer code, code, mail code, keycode, key code, aktionscode, antwortcode",
    "offer": "offer, angebot, offre, oferta, aanbod, incentive",
    "list": "list, list name, liste, lista, lijst, audience",
    "creative": "creative, creative name, motiv, creation, subject line, version",
    "channel": "channel, kanal, canal, kanaal, medium",
    "cost_per_contact": "cost per contact, contact cost, kosten je kontakt, kosten pro kontakt, cost each",
    "fixed_cost": "fixed cost, fixed costs, fixkosten",
    "cost_per_response": "cost per response, offer cost, gift cost, cost of the offer, kosten je antwort, kosten pro antwort",
    "discount": "discount, discount share, rabatt, remise, descuento, korting",
    "opens_on": "opens on, start, start date, starts on, from, begin, startdatum, beginn",
    "closes_on": "closes on, end, end date, ends on, until, to, enddatum, ende",
    "contacted_at": "contacted at, contact date, contacted on, sent at, sent on, sent, send date, mailed at, mail date, mailing date, "
    "versandt am, kontaktiert am, kontaktdatum, envoye le, date",
    "responded_at": "responded at, response date, responded on, event time, event date, event at, occurred at, "
    "timestamp, datum, date, time, at",
    "kind": "kind, response type, event, event type, event name, action, type, response, art, typ",
    "household_id": "household id, household, haushalt",
    "order_id": "order id, order, order number, bestellnummer",
    "follow_up_at": "follow up at, follow up, follow up date, callback, callback date, call back on, wiedervorlage, rappel le",
}


def campaign_table(profiles: Sequence[Profile], decimal: str) -> Roles | None:
    """Say whether a file holds cells, contacts or responses, by names and values, and map it.

    Parameters
    ----------
    profiles : sequence of Profile
        All columns of the file.
    decimal : str
        Its decimal sign.

    Returns
    -------
    Roles or None
        None where it is none of these.
    """
    named = sorted(profiles, key=lambda item: name_score("customer_id", item))[-1:]
    mail = next((item for item in profiles if item.contacts > 0.3), None)  # tells who somebody is where no id does
    customer = next(
        (item for item in named if name_score("customer_id", item) >= 0.6 and is_possible("customer_id", item)), mail
    )
    found = {
        role: item for role in _NAMES if (item := _named(role, profiles)) is not None and item.filled and item is not customer
    }
    table = _table(found, customer)
    if table is None:
        return None
    if customer is not None and customer is not mail:
        found["customer_id"] = customer
    columns = {column.name: found[column.name] for column in TABLES[table].columns if column.name in found}
    roles = Roles(table, columns, decimal)
    roles.personal = tuple(item for item in profiles if item.personal and item not in columns.values())
    return roles


def _named(role: str, profiles: Sequence[Profile]) -> Profile | None:
    for name in _NAMES[role].split(", "):
        for item in profiles:
            if form_of_name(item.name) == form_of_name(name):
                return item
    return None


def _table(found: dict[str, Profile], customer: Profile | None) -> str | None:
    cell, kind = found.get("cell_id"), found.get("kind")
    told = kind is not None and all(str(value) in RESPONSE_KINDS for value in set(kind.values) - {None})
    if customer is not None and told and _is_time(found.get("responded_at")):
        return "responses"
    if customer is not None and cell is not None and cell.repeats and _is_time(found.get("contacted_at")):
        return "contacts"
    about = {"campaign_id", "control_cell_id", "offer", "creative", "cost_per_contact"} & set(found)
    return "cells" if customer is None and cell is not None and cell.unique and len(about) >= 2 else None


def _is_time(item: Profile | None) -> bool:
    return item is not None and item.dates.share >= 0.8

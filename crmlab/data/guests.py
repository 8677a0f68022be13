"""Which ids of customers are none: what shops and tills write where somebody bought without an account."""

from __future__ import annotations

import re

__all__ = ["GUESTS", "NUMBERED_GUEST", "after_zero", "guests_of", "is_guest"]

# In five languages. Each phrase stands between commas; with accents and without, as engines compare texts.
_PHRASES = (
    "0, -1, guest, guests, guest user, guest checkout, guest customer, guest-checkout, anonymous, anonymous user, anon, walk-in, "
    "walk in, walkin, walk-in customer, walk in customer, cash, cash customer, cash sale, pos, pos customer, no customer, no name, "
    "noname, unregistered, not registered, unknown, unknown customer, one-time customer, casual customer, gast, gastbestellung, "
    "anonym, laufkunde, laufkundschaft, barkunde, barverkauf, unbekannt, diverse, diverse kunden, invite, invité, anonyme, "
    "client de passage, client comptoir, client divers, clients divers, inconnu, invitado, anonimo, anónimo, cliente de paso, "
    "cliente contado, clientes varios, cliente generico, cliente genérico, desconocido, gastklant, anoniem, onbekend, passant"
)
GUESTS = tuple(phrase.strip() for phrase in _PHRASES.split(","))
# Guests that are numbered, and ids of many zeros (customers may be numbered from 000), for ids in small letters without blanks around:
# an expression that every engine reads.
NUMBERED_GUEST = "^(0{6,}|(guest|gast)[ _#-]?[0-9]+)$"


def is_guest(customer_id: str) -> bool:
    """Say whether an id stands for guests, without regard to case and to blanks around.

    Examples
    --------
    >>> is_guest("0"), is_guest(" Guest"), is_guest("Invité"), is_guest("guest-0001"), is_guest("17850")
    (True, True, True, True, False)
    """
    found = customer_id.strip().lower()
    return found in GUESTS or re.search(NUMBERED_GUEST, found) is not None


def guests_of(given: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the ids that stand for guests: the known words and those that a data set adds; none where it gives an empty list.

    Where there are any, those that :data:`NUMBERED_GUEST` describes are guests as well.

    Examples
    --------
    >>> guests_of(None) == GUESTS, guests_of(()), guests_of(("T1",))[-1]
    (True, (), 'T1')
    """
    return GUESTS if given is None else (*GUESTS, *given) if given else ()


def after_zero(customer_id: str) -> tuple[str, str] | None:
    """Return the two ids that would follow an id of zeros, where customers are numbered from it; None for any other id.

    Examples
    --------
    >>> after_zero("0"), after_zero("000"), after_zero("guest")
    (('1', '2'), ('001', '002'), None)
    """
    if not customer_id or set(customer_id) != {"0"}:
        return None
    return "1".zfill(len(customer_id)), "2".zfill(len(customer_id))

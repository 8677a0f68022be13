"""Which ids of customers are none: what shops and tills write where somebody bought without an account."""

from __future__ import annotations

from crmlab.data.personal import plain

__all__ = ["GUESTS", "is_guest"]

# Without regard to case and to blanks around; with accents and without, as engines compare.
GUESTS = (
    *(
        "0",
        "guest",
        "guests",
        "guest user",
        "guest checkout",
        "guest customer",
        "guest-checkout",
        "anonymous",
        "anonymous user",
        "anon",
    ),
    *(
        "walk-in",
        "walk in",
        "walkin",
        "walk-in customer",
        "walk in customer",
        "cash customer",
        "cash sale",
        "no customer",
        "unregistered",
    ),
    *("unknown", "unknown customer", "not registered", "one-time customer", "casual customer"),
    *("gast", "gastbestellung", "anonym", "laufkunde", "laufkundschaft", "barkunde", "barverkauf", "unbekannt", "diverse"),
    *(
        "invite",
        "anonyme",
        "client de passage",
        "client comptoir",
        "inconnu",
        "invitado",
        "anonimo",
        "cliente de paso",
        "desconocido",
    ),
    *("gastklant", "anoniem", "onbekend", "passant"),
)


def is_guest(customer_id: str) -> bool:
    """Say whether an id stands for guests.

    Examples
    --------
    >>> is_guest("0"), is_guest("Guest"), is_guest("Invité"), is_guest("17850")
    (True, True, True, False)
    """
    return plain(customer_id.strip()) in GUESTS

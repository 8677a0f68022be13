"""Which ids of customers are none: what shops and tills write where somebody bought without an account."""

from __future__ import annotations

__all__ = ["GUESTS", "guests_of", "is_guest"]

# In five languages. Each phrase stands between commas; with accents and without, as engines compare texts.
_PHRASES = (
    "0, guest, guests, guest user, guest checkout, guest customer, guest-checkout, anonymous, anonymous user, anon, "
    "walk-in, walk in, walkin, walk-in customer, walk in customer, cash customer, cash sale, no customer, unregistered, "
    "not registered, unknown, unknown customer, one-time customer, casual customer, "
    "gast, gastbestellung, anonym, laufkunde, laufkundschaft, barkunde, barverkauf, unbekannt, diverse, "
    "invite, invité, anonyme, client de passage, client comptoir, inconnu, "
    "invitado, anonimo, anónimo, cliente de paso, desconocido, gastklant, anoniem, onbekend, passant"
)
GUESTS = tuple(phrase.strip() for phrase in _PHRASES.split(","))


def is_guest(customer_id: str) -> bool:
    """Say whether an id stands for guests, without regard to case and to blanks around.

    Examples
    --------
    >>> is_guest("0"), is_guest(" Guest"), is_guest("Invité"), is_guest("17850")
    (True, True, True, False)
    """
    return customer_id.strip().lower() in GUESTS


def guests_of(given: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the ids that stand for guests: the known words and those that a data set adds; none where it gives an empty list.

    Examples
    --------
    >>> guests_of(None) == GUESTS, guests_of(()), guests_of(("T1",))[-1]
    (True, (), 'T1')
    """
    return GUESTS if given is None else (*GUESTS, *given) if given else ()

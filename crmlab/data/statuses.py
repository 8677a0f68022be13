"""What the status of an order says: a sale, none, or one that was paid back. A word that is not known is never taken for a sale."""

from __future__ import annotations

import re
from typing import Literal

from crmlab.data.personal import plain

__all__ = [
    "WATCHED",
    "Meaning",
    "is_calling_off",
    "is_credit_note",
    "is_flag_of_paying",
    "is_kind_name",
    "is_other_status",
    "is_refund_name",
    "is_status_name",
    "meaning",
    "spelled",
]

Meaning = Literal["sale", "refunded", "no sale"]

# As shops, payment services and accounts call it, in five languages. Each phrase stands between commas; case, accents, a "wc-" and
# the signs between words make no difference.
_WORDS: dict[Meaning, str] = {
    "sale": (
        "paid, complete, completed, processing, shipped, partially shipped, fulfilled, delivered, closed, closed won, invoiced, "
        "captured, succeeded, success, successful, settled, posted, done, sale, sale order, sold, dispatched, in transit, picked up, "
        "received, confirmed, approved, accepted, payment accepted, paid in full, partially paid, awaiting shipment, "
        "awaiting fulfillment, awaiting pickup, ready for pickup, out for delivery, finalized, finished, partially refunded, "
        "partial refund, partially returned, gebucht, fakturiert, abgerechnet, ausgeliefert, teilgeliefert, versandbereit, bezahlt, "
        "abgeschlossen, versendet, versandt, geliefert, zugestellt, erledigt, in bearbeitung, teilweise erstattet, paiement accepte, "
        "facturee, expedie, livre, payee, paye, terminee, termine, expediee, livree, en cours, partiellement remboursee, "
        "pago aceptado, facturado, cobrado, pagado, completado, enviado, entregado, en proceso, parcialmente reembolsado, betaald, "
        "voltooid, afgerond, verzonden, bezorgd"
    ),
    "refunded": (
        "refunded, fully refunded, refund, credited, gutgeschrieben, returned, reversed, chargeback, charged back, erstattet, "
        "zuruckerstattet, retourniert, remboursee, rembourse, reembolsado, devuelto, terugbetaald, geretourneerd"
    ),
    "no sale": (
        "awaiting payment, not paid, payment failed, payment error, denied, timed out, cancelled, canceled, cancel, failed, pending, "
        "pending payment, payment pending, on hold, voided, void, declined, expired, test, draft, checkout draft, auto draft, "
        "unpaid, abandoned, rejected, refused, error, requires payment method, requires action, requires capture, uncaptured, "
        "authorized, trash, deleted, fraud, suspected fraud, payment review, holded, quotation, quotation sent, closed lost, "
        "uncollectible, zahlung ausstehend, warten auf zahlung, paiement refuse, en attente de paiement, impaye, pendiente de pago, "
        "no pagado, niet betaald, storniert, abgebrochen, fehlgeschlagen, ausstehend, unbezahlt, annulliert, angebot, annulee, "
        "annule, echouee, echoue, en attente, cancelado, anulado, fallido, pendiente, borrador, geannuleerd, mislukt, in afwachting, "
        "concept"
    ),
}
_MEANINGS: dict[str, Meaning] = {word.strip(): kind for kind, words in _WORDS.items() for word in words.split(",")}


def spelled(status: str) -> str:
    """Return a status as the list of known ones spells it.

    Examples
    --------
    >>> spelled("wc-on-hold"), spelled("Partially_Refunded"), spelled("Payée")
    ('on hold', 'partially refunded', 'payee')
    """
    words = re.findall(r"[^\W_]+", plain(status))
    return " ".join(words[1:] if words[:1] == ["wc"] and len(words) > 1 else words)


def meaning(status: str) -> Meaning | None:
    """Say what a status means; None where it is not known.

    Examples
    --------
    >>> meaning("wc-completed"), meaning("Refunded"), meaning("wc-failed"), meaning("Phase 3")
    ('sale', 'refunded', 'no sale', None)
    """
    return _MEANINGS.get(spelled(status))


# Kinds of documents that give money back.
_CREDITS = (
    "credit, credit note, credit memo, creditnote, accreccredit, cn, return, returns, refund, storno, gutschrift, retoure, "
    "rechnungskorrektur, stornorechnung, avoir, note de credit, remboursement, retour, nota de credito, abono, devolucion, creditnota, "
    "creditfactuur, retourzending"
)
_CREDIT_NOTES = frozenset(_CREDITS.split(", "))


def is_credit_note(kind: str) -> bool:
    """Say whether the kind of a document is that of a credit note or a return.

    Examples
    --------
    >>> is_credit_note("Gutschrift"), is_credit_note("Credit-Note"), is_credit_note("Invoice")
    (True, True, False)
    """
    return spelled(kind) in _CREDIT_NOTES


# Words of the names of columns, without accents.
_NAMES = {
    "status": "status state etat statut zustand estado stato stadium bestellstatus zahlungsstatus auftragsstatus",
    "not off": "by user email id policy fee fees amount rate cost costs count qty quantity total url deadline until",
    "no amount": "reason date at id status by type method currency converted grund datum count qty quantity",
}
# In the name of a column of other statuses: of parcels, people, goods, tax.
_OTHERS = re.compile(
    r"fulfil|ship|deliver|liefer|versand|livraison|entrega|stock|inventory|bestand|customer|client|kunde|member|account|tax|steuer"
    r"|feedback|marketing|product|article|artikel|opt ?in|marital|famil|employ|address|billing|country|province|region|us state"
    r"|line ?item|\bline\b|e ?mail|subscription"
)
_BACK = ("refund", "erstatt", "ruckerstatt", "rembours", "reembols", "terugbeta")  # as words of an amount paid back begin
_ENDINGS = ("datum", "date", "grund", "reason", "status")
_WORDS_OF = {kind: frozenset(words.split()) for kind, words in _NAMES.items()}


def _name_words(name: str) -> list[str]:
    return re.findall(r"[^\W_]+", plain(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)))


def is_status_name(name: str) -> bool:
    """Say whether a column's name is that of the status of orders or payments.

    Examples
    --------
    >>> is_status_name("Financial Status"), is_status_name("Fulfillment Status"), is_status_name("billing_state")
    (True, False, False)
    """
    words = _name_words(name)
    return any(word in _WORDS_OF["status"] for word in words) and not is_other_status(name)


def is_other_status(name: str) -> bool:
    """Say whether a column's name is that of something else that has a status: a parcel, a person, a product.

    Examples
    --------
    >>> is_other_status("Product status"), is_other_status("shippingState"), is_other_status("Order status")
    (True, True, False)
    """
    return _OTHERS.search(" ".join(_name_words(name))) is not None


def is_refund_name(name: str) -> bool:
    """Say whether a column's name is that of an amount paid back.

    Examples
    --------
    >>> is_refund_name("Refunded Amount"), is_refund_name("Erstattungsbetrag"), is_refund_name("refunded_at")
    (True, True, False)
    """
    words = _name_words(name)
    back = [word for word in words if word.startswith(_BACK)]
    return bool(back) and not any(word in _WORDS_OF["no amount"] or word.endswith(_ENDINGS) for word in words)


_OFF, _TEST = ("cancel", "storn", "annul", "anul", "geannul", "void"), ("test", "istest", "tests")
_PAID = ("paid", "ispaid", "bezahlt", "valid", "isvalid", "captured", "betaald", "payee", "pagado")
_KINDS = ("type", "typ", "kind", "art", "belegart", "vorgangsart", "doctype", "transactiontype", "documenttype", "tipo")


def is_calling_off(name: str) -> bool:
    """Say whether a column's name is that of a day, a reason or a flag of calling off, or of tests.

    Examples
    --------
    >>> is_calling_off("cancelled_at"), is_calling_off("Storno-Grund"), is_calling_off("is_test"), is_calling_off("cancellation fee")
    (True, True, True, False)
    """
    words = _name_words(name)
    off = any(word.startswith(_OFF) or word in _TEST for word in words)
    return off and not any(word in _WORDS_OF["not off"] for word in words)


def is_flag_of_paying(name: str) -> bool:
    """Say whether a column's name is that of a flag which sales bear: paid, valid, captured.

    Examples
    --------
    >>> is_flag_of_paying("Captured"), is_flag_of_paying("paid_at"), is_flag_of_paying("amount_paid")
    (True, False, False)
    """
    words = [word for word in _name_words(name) if word not in ("is", "flag")]
    return len(words) == 1 and words[0] in _PAID


def is_kind_name(name: str) -> bool:
    """Say whether a column's name is that of the kind of a row: sale, refund, credit note.

    Examples
    --------
    >>> is_kind_name("Type"), is_kind_name("Transaction type"), is_kind_name("Payment type"), is_kind_name("Card type")
    (True, True, False, False)
    """
    words = [
        word for word in _name_words(name) if word not in ("transaction", "document", "order", "line", "row", "record", "doc")
    ]
    return len(words) == 1 and words[0] in _KINDS


# What is looked at where it is not read: the role that a column has by its name.
WATCHED = {
    "status": is_status_name,
    "refund": is_refund_name,
    "off": is_calling_off,
    "paid": is_flag_of_paying,
    "kind": is_kind_name,
}

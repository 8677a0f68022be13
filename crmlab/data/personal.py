"""What the name of a column says, in five languages, whether it is that of a person, and which texts are contacts of one.

A name is taken apart into words, and each word stands for a concept: ``Kunden-Nr``, ``cust_id`` and ``idClient`` are
all *customer* and *id*. Case, accents, underscores, blanks and camelCase make no difference.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

__all__ = ["HIDDEN", "concepts", "holds_contact", "is_bare_name", "is_contact", "is_personal", "masked", "plain"]

HIDDEN = "a value that is not shown"

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"\+[0-9][0-9 ()/.-]{6,20}|\(?0[0-9]{2,5}\)?[ /][0-9][0-9 /-]{4,15}")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?")
_WITHIN = tuple(
    re.compile(rf"(?<![^\W_])(?:{form.pattern})") for form in (_EMAIL, _PHONE, _IBAN)
)  # where another word is not going on

# English, German, French, Spanish, Dutch; without accents, umlauts both as in "stuck" and as in "stueck".
_VOCABULARY = {
    "customer": "customer customers cust client clients kunde kunden kd kdn cliente clientes klant klanten member "
    "mitglied mitglieds user usr buyer account acct shopper acheteur comprador debitor debitoren socio abonne donor "
    "spender patron contact company firma kunnr kunag",
    "id": "id ids no nr num number nummer numero code key identifier identifiant kennung ref reference referenz uuid "
    "guid codigo cod clave cle nro",
    "order": "order orders ordered invoice invoices inv receipt transaction transactions trans txn trx bestellung "
    "bestell bestellungen beleg rechnung auftrag bon kassenbon quittung facture factures commande commandes ticket "
    "pedido pedidos factura facturas recibo bestelling bestel factuur basket cart warenkorb panier purchase purchased "
    "purchases kauf achat achats compra compras aankoop buchung booking booked vorgang document doc vbeln deal deals opportunity "
    "opportunities verkaufsbeleg",
    "sale": "sale sales vente ventes venta ventas verkauf verkaufe verkaeufe verkoop sold",
    "line": "line lines zeile zeilen position positions pos ligne linea regel row rows index",
    "date": "date dates datum fecha datetime timestamp time day tag jour dia zeit uhrzeit zeitpunkt tijd tijdstip "
    "hora heure created creation erstellt erstell anlage erfasst moment dt when at on erdat audat fkdat bldat budat",
    "other date": "ship shipped shipping shipment delivery delivered liefer lieferung versand versendet livraison "
    "expedition entrega envio levering verzend due faellig fallig paid payment zahlung paiement pago betaal updated "
    "update modified changed anderung aenderung expiry expires expiration return returned cancelled canceled "
    "fulfilled fulfillment export exported import imported loaded load until end valid last first previous next",
    "period": "hour hours weekday dow month year week monat jahr woche stunde wochentag mois annee semaine mes ano days tage",
    "joined": "registered registration signup joined acquired since seit anmelde anmeldung registrierung inscription alta",
    "amount": "amount amt revenue umsatz betrag montant importe monto bedrag omzet spend spent turnover value wert "
    "warenwert valor valeur summe sum brutto netto gross net proceeds erloes erlos dollar dollars ingreso ingresos netwr dmbtr",
    "total": "total totals gesamt totaal somme suma subtotal zwischensumme extended",
    "price": "price prices preis prix precio prijs",
    "unit": "unit each per einzel unitaire unitario unitaria eenheids eenheid",
    "quantity": "quantity quantities qty qte quantite menge mengen anzahl stueck stuck stk cantidad cant aantal "
    "hoeveelheid pieces pcs units count kwmeng fkimg",
    "product": "product products prod produkt produkte produit produits producto productos stock item items article "
    "articles artikel art articulo articulos ware material merchandise matnr",
    "sku": "sku ean gtin upc asin isbn barcode plu",
    "text": "description desc descr beschreibung bezeichnung designation libelle descripcion omschrijving title titel kurztext langtext "
    "arktx maktx",
    "name": "name names namen nom nombre naam",
    "category": "category categories kategorie categorie categoria warengruppe gruppe group department dept abteilung "
    "family familie famille familia rayon sortiment matkl",
    "kind": "type typ tipo segment class klasse flag level stufe tier points punkte balance saldo",
    "status": "status statuses state states zustand etat statut estado toestand stage",
    "channel": "channel vertrieb kanal canal kanaal vertriebsweg platform plattform plateforme",
    "currency": "currency currencies waehrung wahrung devise moneda valuta divisa ccy curr waerk waers",
    "country": "country land pays pais region nation",
    "discount": "discount discounts discounted rabatt rabatte nachlass remise remises descuento descuentos korting kortingen",
    "refund": "refund refunds refunded erstattung erstattungen erstattet gutgeschrieben rembourse remboursement remboursements "
    "reembolso reembolsos reembolsado terugbetaling terugbetaald",
    "not revenue": "tax taxes vat mwst ust steuer tva iva btw gst freight "
    "porto fee fees gebuehr gebuhr profit gewinn margin marge weight gewicht rate percent pct prozent tip",
    "cost": "cost costs kosten cout costo coste kostprijs einkauf einkaufs",
    "household": "household haushalt foyer hogar huishouden",
    "contactable": "contactable opt optin newsletter consent einwilligung",
    "birth": "birth birthday birthdate dob born geburt geburts geburtstag naissance nacimiento geboorte age alter edad leeftijd",
    "personal": "email mail phone telephone telefon telefono telefoon tel mobile mobil handy cell fax address addresses "
    "adresse anschrift direccion adres street strasse str rue calle straat city town stadt ort ville ciudad plaats "
    "zip zipcode postcode postal postleitzahl plz hausnummer firstname lastname surname fullname vorname nachname "
    "prenom apellido apellidos voornaam achternaam familienname givenname username iban bic ssn passport gender sex "
    "geschlecht ip latitude longitude employee mitarbeiter cashier kassierer clerk rep salesperson salesman agent "
    "verkaeufer verkaufer vendeur vendedor ansprechpartner salutation anrede phones emails",
}
_CONCEPT = {word: concept for concept, words in _VOCABULARY.items() for word in words.split()}
_SIGNS = {"#": " number ", "№": " number ", "º": "o ", "°": "o "}
_FILLERS = ("the", "der", "die", "das", "des", "incl", "excl", "inkl", "exkl", "eur", "usd", "gbp", "chf", "for", "und")
_SHORT_HEADS = ("kd", "id")  # too short to begin a compound otherwise: "no" would begin "notes"


def plain(text: str) -> str:
    """Return a text without accents and in small letters.

    Examples
    --------
    >>> plain("Stück")
    'stuck'
    """
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()


@lru_cache(maxsize=4096)
def concepts(name: str) -> frozenset[str]:
    """Say what the words of a column's name stand for.

    Parameters
    ----------
    name : str
        The name as the file has it.

    Returns
    -------
    frozenset of str
        Concepts such as ``"customer"``, and ``"?"`` where a word is not known.

    Examples
    --------
    >>> sorted(concepts("Kundennummer")), sorted(concepts("StockCode")), sorted(concepts("colour"))
    (['customer', 'id'], ['id', 'product'], ['?'])
    """
    name = name[:200]
    for sign, word in _SIGNS.items():
        name = name.replace(sign, word)
    decomposed = unicodedata.normalize("NFKD", name)
    bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    words: list[str] = []
    for piece in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-zß]+|[^\W\dA-Za-zß_]+", bare):
        words += _apart(piece.casefold())
    known = [_CONCEPT.get(word, "" if len(word) < 3 or word in _FILLERS else "?") for word in words]
    if "of" in words and "id" in known:  # "number of items" counts, it does not name
        known = ["quantity", *(concept for concept in known if concept not in ("id", "product"))]
    if "paid" in words and {"amount", "total"} & set(known):  # "amount paid" is an amount
        known = [concept for concept in known if concept != "other date"]
    return frozenset(filter(None, known))


@lru_cache(maxsize=4096)
def _apart(word: str) -> tuple[str, ...]:
    """Take a compound apart: kundennummer → kunden, nummer. A word that cannot be taken apart stays whole."""
    if word in _CONCEPT or len(word) > 40:
        return (word,)
    for link in ("s", "n", "en", "es"):  # Rechnungs-Nr
        if len(word) > 6 and word.removesuffix(link) in _CONCEPT:
            return (word.removesuffix(link),)
    for cut in range(len(word) - 2, 1, -1):
        for link in ("", "s", "n", "en", "es"):
            stem = word[:cut].removesuffix(link)
            if stem + link != word[:cut] or stem not in _CONCEPT or (len(stem) < 3 and stem not in _SHORT_HEADS):
                continue
            rest = _apart(word[cut:])
            if all(part in _CONCEPT for part in rest):
                return (stem, *rest)
    return (word,)


def is_personal(found: frozenset[str]) -> bool:
    """Say whether a column's concepts are those of a person: a name, an address, a birthday.

    Examples
    --------
    >>> is_personal(concepts("Customer name")), is_personal(concepts("product_name"))
    (True, False)
    """
    return bool(found & {"personal", "birth"}) or {"name", "customer"} <= found or is_bare_name(found)


def is_bare_name(found: frozenset[str]) -> bool:
    """Say whether a name may be a person's or a thing's: only the values can tell."""
    things = {"product", "sku", "category", "channel", "country", "currency", "text", "line", "kind", "status"}
    return "name" in found and not found & (things | {"personal", "birth", "customer"})


def is_contact(text: Any) -> bool:
    """Say whether a value is an e-mail address, a phone number or an account number.

    Examples
    --------
    >>> is_contact("a.b@example.org"), is_contact("+49 30 1234567"), is_contact("17850")
    (True, True, False)
    """
    return isinstance(text, str) and any(form.fullmatch(text[:80].strip()) for form in (_EMAIL, _PHONE, _IBAN))


def holds_contact(text: Any) -> bool:
    """Say whether a text holds an e-mail address, a phone number or an account number, alone or among other words.

    Examples
    --------
    >>> holds_contact("ask a.b@example.org"), holds_contact("call +49 30 1234567 first"), holds_contact("in review since 2024-05-01")
    (True, True, False)
    """
    return isinstance(text, str) and any(form.search(text[:400]) for form in _WITHIN)


def masked(text: str) -> str:
    """Return a text as messages may show it: one that holds an e-mail address, a phone number or an account number is not.

    Examples
    --------
    >>> masked("on hold"), masked("call anna@example.org")
    ('on hold', 'a value that is not shown')
    """
    return HIDDEN if holds_contact(text) else text

"""Writes order books as shops export them, each with what it truly comes to: statuses, guests, refunds, currencies, zones, forms."""

from __future__ import annotations

import csv
import datetime as dt
import io
import random
from dataclasses import dataclass, field
from decimal import Decimal

__all__ = ["Book", "book"]

NAMES = {
    "order": ("order_id", "Order No", "Bestellnummer", "N° commande", "numero_pedido", "invoice_no"),
    "customer": ("customer_id", "Customer ID", "Kundennummer", "id_client", "Klantnummer", "user_id"),
    "date": ("order_date", "Created at", "Bestelldatum", "date_commande", "fecha_pedido"),
    "amount": ("amount", "Total", "Gesamtbetrag", "montant_total", "order_total"),
    "status": ("status", "Order Status", "Financial Status", "Bestellstatus", "payment_status"),
    "refund": ("Refunded Amount", "refund_amount", "Amount Refunded"),
    "currency": ("Currency", "currency_code", "Währung", "order_currency"),
}
# Words of one system each: those of sales, of orders that were paid back, and of no sales.
STATUSES = (
    (("wc-completed", "wc-processing"), ("wc-refunded",), ("wc-failed", "wc-cancelled", "wc-on-hold", "wc-pending")),
    (("paid", "partially_refunded"), ("refunded",), ("pending", "voided")),
    (("Paid",), ("Refunded",), ("Failed", "Canceled")),
    (("complete", "processing"), ("refunded",), ("canceled", "holded", "pending_payment")),
    (("bezahlt", "versendet"), ("erstattet",), ("storniert", "ausstehend")),
    (("COMPLETED", "SHIPPED"), ("RETURNED",), ("CANCELLED", "DRAFT", "TEST")),
)
UNKNOWN = ("Phase 3", "zur Klärung", "X7", "review later")
DATES = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S",
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%d/%m/%Y %H:%M",
    "%d %b %Y",
    "offset",
    "zulu",
    "epoch",
    "epoch_ms",
)
SIGNS = {"EUR": "€", "USD": "$", "GBP": "£"}


@dataclass
class Book:
    """A file, what it truly comes to, and whether a person would have to be asked.

    Attributes
    ----------
    name, content
        The file.
    truth : Decimal
        What the sales of customers add up to, net of refunds, in the currency that most rows have.
    hard : list of str
        What only somebody who knows the shop can say: a status that is no word, a second currency.
    made_of : dict
        What was drawn, for messages.
    """

    name: str
    content: bytes
    truth: Decimal
    hard: list[str] = field(default_factory=list)
    made_of: dict[str, object] = field(default_factory=dict)


@dataclass
class _Row:
    order: str
    customer: str
    moment: dt.datetime
    amount: Decimal
    status: str
    refund: Decimal
    currency: str


def book(seed: int) -> Book:
    """Draw a book.

    Examples
    --------
    >>> book(1).content == book(1).content
    True
    """
    rng = random.Random(seed)
    sales, refunded, none = rng.choice(STATUSES)
    hard: list[str] = []
    with_status, with_refund = rng.random() < 0.75, rng.random() < 0.5
    own = rng.choice(("EUR", "USD", "GBP"))
    ids = rng.choice(("K{:04d}", "{}", "{:06d}", "cus_{:05d}"))
    first_id = rng.choice((1, 100, 17850))
    guest = rng.choice(("0", "guest", "Guest", "")) if rng.random() < 0.35 else None
    share = rng.uniform(0.03, 0.18)
    returns = rng.random() < 0.3
    start = dt.datetime(2021, 1, 1) + dt.timedelta(days=rng.randrange(900))
    rows: list[_Row] = []
    truth = Decimal(0)
    for k in range(rng.randrange(60, 160)):
        who = ids.format(first_id + min(int(rng.expovariate(0.12)), 40))
        is_guest = guest is not None and rng.random() < share
        amount = Decimal(rng.randrange(100, 250_000)) / 100
        if returns and rng.random() < 0.06:
            amount = -amount
        usual = rng.random() < 0.8 or amount < 0  # a return of its own is booked like a sale
        status = rng.choice(sales) if usual else rng.choice(refunded + none)
        refund = Decimal(0)
        if with_refund and amount > 0:
            if status in refunded:
                refund = amount
            elif "part" in status or "teil" in status:
                refund = (amount * rng.randrange(10, 60) / 100).quantize(Decimal("0.01"))
        row = _Row(
            str(20_000 + k), guest if is_guest else who, start + dt.timedelta(days=rng.randrange(600), seconds=rng.randrange(86_400)),
            amount, status, refund, own,
        )  # fmt: skip
        rows.append(row)
        counts = not with_status or status in sales or (status in refunded and with_refund)
        if not with_status and with_refund:
            counts = True
        if counts and not is_guest:
            truth += amount - (refund if with_refund else 0)
    if not with_status and not with_refund:
        pass
    if with_status and rng.random() < 0.12:
        word = rng.choice(UNKNOWN)
        hard.append(f"status {word}")
        for row in rng.sample(rows, 5):
            if row.status in sales and row.customer != guest:
                row.status = word
    if rng.random() < 0.1:
        other = rng.choice([code for code in SIGNS if code != own])
        hard.append(f"currency {other}")
        for row in rng.sample(rows, len(rows) // 6):
            row.currency = other
    rows.sort(key=lambda row: row.moment, reverse=rng.random() < 0.3)
    return _written(rng, rows, truth, hard, with_status=with_status, with_refund=with_refund, own=own)


def _written(
    rng: random.Random, rows: list[_Row], truth: Decimal, hard: list[str], *, with_status: bool, with_refund: bool, own: str
) -> Book:
    date, comma = rng.choice(DATES), rng.random() < 0.35
    delimiter = rng.choice(";\t") if comma else rng.choice(",;\t")
    grouped, signed = rng.random() < 0.3, rng.random() < 0.2
    with_currency = not signed and (rng.random() < 0.5 or any("currency" in one for one in hard))
    names = {key: rng.choice(options) for key, options in NAMES.items()}
    columns = ["order", "customer", "date", "amount"]
    columns += ["status"] * with_status + ["refund"] * with_refund + ["currency"] * with_currency
    rng.shuffle(columns)
    notes = [["Report of orders"], []] if rng.random() < 0.12 else []
    total = rng.random() < 0.12

    def money(value: Decimal, code: str) -> str:
        text = f"{value:,.2f}" if grouped else f"{value:.2f}"
        if comma:
            text = text.translate(str.maketrans(",.", ".,"))
        return f"{text} {SIGNS[code]}" if signed else text

    def day(moment: dt.datetime) -> str:
        if date == "offset":
            return moment.strftime("%Y-%m-%d %H:%M:%S +0200")
        if date == "zulu":
            return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        if date.startswith("epoch"):
            seconds = int(moment.replace(tzinfo=dt.UTC).timestamp())
            return str(seconds * 1000 if date == "epoch_ms" else seconds)
        return moment.strftime(date)

    def cell(row: _Row, column: str) -> str:
        values = {"order": row.order, "customer": row.customer, "status": row.status, "currency": row.currency}
        if column == "date":
            return day(row.moment)
        return money(getattr(row, column), row.currency) if column in ("amount", "refund") else values[column]

    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerows(notes)
    writer.writerow([names[column] for column in columns])
    writer.writerows([cell(row, column) for column in columns] for row in rows)
    if total:
        end = {"amount": money(sum((row.amount for row in rows), Decimal(0)), own)}
        writer.writerow([end.get(column, "Total" if k == 0 else "") for k, column in enumerate(columns)])
    encoding = rng.choice(("utf-8", "utf-8", "utf-8-sig", "cp1252", "utf-16"))
    trailing = delimiter if rng.random() < 0.08 and not notes else ""
    lines = text.getvalue().split("\r\n")
    content = "\r\n".join([lines[0], *(line + trailing if line else line for line in lines[1:])])
    made = {"date": date, "comma": comma, "delimiter": delimiter, "grouped": grouped, "signed": signed, "encoding": encoding}
    made |= {"notes": bool(notes), "total": total, "trailing": trailing, "columns": [names[column] for column in columns]}
    return Book("book.csv", content.encode(encoding), truth, hard, made)

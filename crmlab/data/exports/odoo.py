"""Odoo: sale orders, with their lines or without; the fields of an order stand on the first row of its lines."""

from __future__ import annotations

from crmlab.data.exports.declaration import Export, Part

__all__ = ["EXPORTS"]

_ORDER = {
    "customer_id": ("partner_id/.id", "partner_id/id", "Customer/ID", "Customer/External ID"),
    "ordered_at": ("Order Date", "date_order", "Creation Date", "Bestelldatum", "Auftragsdatum", "Date de la commande"),
    "order_id": ("Order Reference", "name", "Auftragsreferenz", "Référence de la commande", "Number"),
    "status": ("Status", "state", "Statut"),
    "currency": ("Currency", "currency_id", "Währung", "Devise"),
}
_PERSON = ("Customer", "partner_id", "Kunde", "Client")
_KEEP = ("Sales Order", "sale", "Locked", "done", "Verkaufsauftrag", "Bon de commande")
_DROP = (
    *("Quotation", "draft", "Quotation Sent", "sent", "Cancelled", "cancel"),
    *("Angebot", "Angebot gesendet", "Devis", "Devis envoyé"),
)
_FILLED = {"fill_down": ["order_id", "customer_id", "ordered_at", "status", "currency"]}

EXPORTS = (
    Export(
        name="an Odoo export of sale orders",
        forms=(
            ("Order Reference", "Customer", "Total", "Status"),
            ("Order Reference", "Customer", "Order Lines/Product", "Order Lines/Quantity"),
            ("Auftragsreferenz", "Kunde", "Gesamt", "Status"),
            ("Référence de la commande", "Client", "Total", "Statut"),
            ("name", "partner_id", "date_order", "amount_total", "state"),
            ("name", "partner_id/id", "date_order", "amount_total", "state"),
            ("name", "partner_id/.id", "date_order", "amount_total", "state"),
        ),
        parts=(
            Part(
                table="orders",
                columns={**_ORDER, "amount": ("Total", "amount_total", "Gesamt")},
                who=_PERSON,
                only_where=("Total", "amount_total", "Gesamt"),
                keep=_KEEP,
                drop=_DROP,
            ),
            Part(
                table="order_lines",
                columns={
                    **_ORDER,
                    "product_id": (
                        "Order Lines/Product/ID",
                        "order_line/product_id/id",
                        "Order Lines/Product",
                        "order_line/product_id",
                    ),
                    "product_name": ("Order Lines/Product", "order_line/product_id"),
                    "quantity": ("Order Lines/Quantity", "order_line/product_uom_qty"),
                    "amount": ("Order Lines/Subtotal", "Order Lines/Total", "order_line/price_subtotal"),
                    "unit_price": ("Order Lines/Unit Price", "order_line/price_unit"),
                },
                needs=("ordered_at", "order_id", "product_id", "quantity"),
                who=_PERSON,
                options=_FILLED,
                keep=_KEEP,
                drop=_DROP,
            ),
        ),
    ),
)

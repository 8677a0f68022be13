"""SAP: sales orders (VBAK), their items (VBAP), and both joined; by the technical names of fields or their labels."""

from __future__ import annotations

from crmlab.data.exports.declaration import Export, Part

__all__ = ["EXPORTS"]

_ORDER = {
    "customer_id": ("KUNNR", "KUNAG", "Sold-To Party", "Auftraggeber", "Customer"),
    "ordered_at": ("AUDAT", "ERDAT", "Document Date", "Belegdatum", "Created On", "Angelegt am"),
    "order_id": ("VBELN", "Sales Document", "Verkaufsbeleg"),
    "currency": ("WAERK", "Document Currency", "SD Document Currency", "Belegwährung"),
    "status": ("VBTYP", "AUART", "SD Document Category", "Vertriebsbelegtyp", "Sales Document Type", "Verkaufsbelegart"),
    "channel": ("VTWEG", "Distribution Channel", "Vertriebsweg"),
}
_PIECES = ("KWMENG", "Order Quantity", "Auftragsmenge", "Kumulierte Auftragsmenge")
_NET = ("NETWR", "Net Value", "Nettowert")
# By category of document (VBTYP) and by its usual types (AUART).
_KEEP = ("C", "OR", "TA", "ZOR", "RO", "BV", "CS", "SO")
_DROP = ("A", "B", "E", "F", "G", "H", "I", "K", "L", "IN", "AF", "QT", "AG", "RE", "CR", "G2", "DR", "L2")
# Returns, credit memos and requests for them; as SAP writes them, their values are above zero.
_RETURNED = ("H", "K", "RE", "CR", "G2")

EXPORTS = (
    Export(
        name="an SAP sales order table (VBAK, VBAP)",
        forms=(
            ("VBELN", "KUNNR", "NETWR", "WAERK"),
            ("VBELN", "KUNNR", "ERDAT"),
            ("VBELN", "MATNR", "KWMENG", "NETWR"),
            ("Sales Document", "Sold-To Party", "Net Value"),
            ("Verkaufsbeleg", "Auftraggeber", "Nettowert"),
            ("Sales Document", "Material", "Net Value", "Order Quantity"),
            ("Verkaufsbeleg", "Material", "Nettowert"),
        ),
        parts=(
            Part(
                table="orders",
                columns={**_ORDER, "amount": _NET},
                unless=_PIECES,
                keep=_KEEP,
                drop=_DROP,
                returned=_RETURNED,
            ),
            Part(
                table="order_lines",
                columns={
                    **_ORDER,
                    "product_id": ("MATNR", "Material"),
                    "product_name": ("ARKTX", "MAKTX", "Item Description", "Bezeichnung"),
                    "product_category": ("MATKL", "Material Group", "Warengruppe"),
                    "quantity": _PIECES,
                    "amount": _NET,
                },
                needs=("ordered_at", "order_id", "product_id", "quantity", "amount"),
                drop_where=("ABGRU", "Reason for rejection", "Absagegrund"),
                keep=_KEEP,
                drop=_DROP,
                returned=_RETURNED,
            ),
        ),
    ),
)

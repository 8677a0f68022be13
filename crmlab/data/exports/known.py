"""All exports that are known, and which of them a file is."""

from __future__ import annotations

from collections.abc import Sequence

from crmlab.data.exports import (
    amazon,
    ebay,
    ga4,
    hubspot,
    lightspeed,
    magento,
    odoo,
    paypal,
    quickbooks,
    salesforce,
    sap,
    shopify,
    square,
    stripe,
    woocommerce,
)
from crmlab.data.exports.declaration import Export

__all__ = ["KNOWN", "recognised"]

_SYSTEMS = (
    shopify,
    woocommerce,
    stripe,
    square,
    magento,
    amazon,
    ebay,
    paypal,
    lightspeed,
    hubspot,
    salesforce,
    odoo,
    quickbooks,
    sap,
    ga4,
)
KNOWN: tuple[Export, ...] = tuple(export for system in _SYSTEMS for export in system.EXPORTS)


def recognised(names: Sequence[str]) -> Export | None:
    """Say which export a file is, from the names of its columns.

    Parameters
    ----------
    names : sequence of str
        The file's column names.

    Returns
    -------
    Export or None
        The one of which most columns are there; None where no export is recognised.

    Examples
    --------
    >>> recognised(["VBELN", "KUNNR", "ERDAT", "NETWR", "WAERK"]).name
    'an SAP sales order table (VBAK, VBAP)'
    >>> recognised(["customer", "date", "amount"])
    """
    best = max(KNOWN, key=lambda export: export.fit(names))  # the first of equals
    return best if best.fit(names) else None

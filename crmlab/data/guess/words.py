"""Which product codes are none: postage, discounts, fees."""

from __future__ import annotations

import re

from crmlab.data.personal import plain

__all__ = ["is_charge"]

# Codes that stand among products and are none: postage, discounts, fees.
_CHARGES = (
    "post postage shipping ship versand versandkosten porto freight delivery livraison port envio verzendkosten "
    "discount rabatt remise descuento korting fee fees gebuehr gebuhr charge charges amazonfee handling voucher coupon "
    "gutschein giftcard giftwrap manual adjust adjustment refund deposit pfand tip tax service dot cruk test"
)


def is_charge(code: str) -> bool:
    """Say whether a product code reads like postage, a discount or a fee.

    Examples
    --------
    >>> is_charge("SHIPPING-DE"), is_charge("22423")
    (True, False)
    """
    return any(word in _CHARGES.split() for word in re.findall(r"[a-z]+", plain(code)))

"""Signs of currencies beside amounts, and the codes that they stand for."""

from __future__ import annotations

__all__ = ["SIGN", "code_of"]

# What stands beside an amount, alone: an ISO code, or a sign with the letters of its country.
SIGN = r"^(?:[A-Z]{0,3}\p{Sc}|[A-Z]{3}|kr|zł|Kč|Ft|Fr)$"
_CODES = {
    **{
        "€": "EUR",
        "£": "GBP",
        "¥": "JPY",
        "₹": "INR",
        "₽": "RUB",
        "₺": "TRY",
        "₩": "KRW",
        "₪": "ILS",
        "₫": "VND",
        "₴": "UAH",
        "₦": "NGN",
    },
    **{"฿": "THB", "₱": "PHP", "₡": "CRC", "₲": "PYG", "₸": "KZT", "zł": "PLN", "Kč": "CZK", "Ft": "HUF", "Fr": "CHF"},
    **{"$": "USD", "US$": "USD", "C$": "CAD", "CA$": "CAD", "A$": "AUD", "AU$": "AUD", "NZ$": "NZD", "HK$": "HKD", "S$": "SGD"},
    **{"R$": "BRL", "MX$": "MXN", "NT$": "TWD", "CN¥": "CNY", "JP¥": "JPY", "kr": "SEK"},
}
# Signs that several currencies share: the data set's is meant, if it is one of them.
_SHARED = {
    "$": ("USD", "CAD", "AUD", "NZD", "HKD", "SGD", "MXN", "TWD", "ARS", "CLP", "COP", "UYU"),
    "£": ("GBP", "EGP", "GIP", "FKP", "SHP", "LBP"),
    "¥": ("JPY", "CNY"),
    "kr": ("SEK", "NOK", "DKK", "ISK"),
    "Fr": ("CHF", "XAF", "XOF"),
}


def code_of(sign: str, own: str) -> str:
    """Return the ISO code that a sign or code beside an amount stands for.

    Parameters
    ----------
    sign : str
        As it stands there.
    own : str
        The currency of the data set; empty where it names none.

    Examples
    --------
    >>> code_of("€", "EUR"), code_of("$", "CAD"), code_of("$", "EUR"), code_of("usd", "EUR")
    ('EUR', 'CAD', 'USD', 'USD')
    """
    if own in _SHARED.get(sign, ()):
        return own
    return _CODES.get(sign, sign.upper())

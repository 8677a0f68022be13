"""Signs of currencies beside amounts, and the codes that they stand for."""

from __future__ import annotations

__all__ = ["CODES", "MARK", "SIGN", "SIGNS", "code_of", "is_shared"]

SIGNS = "$¢£¤¥֏؋৲৳૱௹฿៛₠-⃀﷼﹩＄￠￡￥￦"  # within a class of a regular expression
# What stands beside an amount: an ISO code, or a sign with the letters of its country; and the same alone.
MARK = f"(?:[A-Z]{{0,3}}[{SIGNS}]|[A-Z]{{3}}|kr|zł|Kč|Ft|Fr)"
SIGN = f"^{MARK}$"
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
CODES = tuple(dict.fromkeys([*_CODES.values(), *(code for codes in _SHARED.values() for code in codes)]))


def is_shared(sign: str) -> bool:
    """Say whether several currencies have a sign.

    Examples
    --------
    >>> is_shared("kr"), is_shared("A$")
    (True, False)
    """
    return sign in _SHARED


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

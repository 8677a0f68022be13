"""How numbers, money, shares, intervals and dates are written."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from crmlab.page.texts import titled

__all__ = [
    "DASH",
    "KINDS",
    "LANGUAGES",
    "MINUS",
    "THIN",
    "Format",
    "Measured",
    "alike",
]


THIN = "\u202f"  # narrow no-break space, between a number and its sign
MINUS = "\u2212"
DASH = "\u2013"
_SIGNS = {"EUR": "€", "GBP": "£", "USD": "$", "JPY": "¥", "CHF": "CHF", "INR": "₹", "BRL": "R$"}
_WHOLE = frozenset(("JPY", "KRW", "VND", "CLP", "ISK", "HUF", "IDR"))  # nobody writes their hundredths
_SCALES = (("bn", 1e9, 999_500_000.0), ("M", 1e6, 999_500.0), ("k", 1e3, 9_999.5))  # word, size, from where on
_SCALE_WORDS = {
    "en": {"k": "k", "M": "M", "bn": "bn"},
    "de": {"k": "Tsd.", "M": "Mio.", "bn": "Mrd."},
    "es": {"k": "mil", "M": "M", "bn": "mil M"},
    "fr": {"k": "k", "M": "M", "bn": "Md"},
}
_TO = {"en": "to", "de": "bis", "es": "a", "fr": "à"}
_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
}
_SHORT_MONTHS = {
    "en": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "de": "Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez",
    "es": "ene feb mar abr may jun jul ago sep oct nov dic",
    "fr": "janv févr mars avr mai juin juil août sept oct nov déc",
}
_SEPARATORS = {"en": (",", "."), "de": (".", ","), "es": (".", ","), "fr": (THIN, ",")}
LANGUAGES = tuple(_MONTHS)


class Measured(NamedTuple):
    """A number and its interval, written in the same digits; only :meth:`Format.measured` makes them.

    Examples
    --------
    >>> print(Measured("55.6", "55.2 to 55.9"))
    55.6 (55.2 to 55.9)
    """

    value: str
    interval: str

    def __str__(self) -> str:
        return f"{self.value} ({self.interval})" if self.interval and self.interval != self.value else self.value


@dataclass(frozen=True)
class Format:
    """Writes numbers, money, shares and dates as people read them.

    Parameters
    ----------
    currency : str
        ISO code; empty where none is known.
    language : {"en", "de", "es", "fr"}
        Form of numbers and dates.

    Examples
    --------
    >>> Format("GBP").money(5_563_210)
    '£5.6M'
    >>> Format("GBP").measured(0.66, 0.609, 0.709, "share").interval
    '61 to 71%'
    >>> Format().day(dt.date(2011, 12, 9))
    '9 December 2011'
    """

    currency: str = ""
    language: str = "en"

    def number(self, value: float | None, digits: int | None = None) -> str:
        """Write a number: with thousands separated, about three digits where ``digits`` is not given."""
        if _missing(value):
            return DASH
        assert value is not None
        if math.isinf(value):
            return f"{MINUS if value < 0 else ''}∞"
        if digits is None:
            if 0 < abs(value) < 10.0**-_MOST_DIGITS / 2:
                return self._under(10.0**-_MOST_DIGITS, value, _MOST_DIGITS)
            digits = _digits(value)
        text = f"{abs(value):,.{digits}f}"
        sign = MINUS if value < 0 and text.strip("0.,") else ""
        group, point = _SEPARATORS[self.language]
        return sign + text.replace(",", "\0").replace(".", point).replace("\0", group)

    def _under(self, bound: float, value: float, digits: int) -> str:
        """A number that is too small to be written but is not 0."""
        return f"{'>' + MINUS if value < 0 else '<'}{self.number(bound, digits)}"

    @property
    def percent(self) -> str:
        """The sign of per cent as it stands behind a number: close to it in English, after a thin space elsewhere."""
        return "%" if self.language == "en" else f"{THIN}%"

    def _after(self, kind: str) -> str:
        """What stands behind a number of a kind."""
        return {"share": self.percent, "points": f"{THIN}pts"}.get(kind, "")

    def count(self, value: float | None) -> str:
        """Write a whole number."""
        return self.number(value, 0)

    def share(self, value: float | None, digits: int | None = None) -> str:
        """Write a share of 1 as per cent: whole per cents from 10%, more digits where it is small or nearly all."""
        if _missing(value):
            return DASH
        assert value is not None
        if digits is None:
            if 0 < abs(value) < 5e-5:
                return f"{self._under(0.01, value, 2)}{self.percent}"
            if 0.99995 <= value < 1:
                return f">{self.number(99.99, 2)}{self.percent}"
            digits = _share_digits(value)
        return f"{self.number(100 * value, digits)}{self.percent}"

    def whole_share(self, value: float | None) -> str:
        """Write a share of 1 in whole per cents, for a cell of a picture: <1% and >99% where it is almost none or almost all."""
        if _missing(value):
            return DASH
        assert value is not None
        if 0 < value < 0.01:
            return f"<{self.share(0.01, 0)}"
        return f">{self.share(0.99, 0)}" if 0.99 < value < 1 else self.share(value, 0)

    def points(self, value: float | None) -> str:
        """Write a difference of two shares as percentage points."""
        if _missing(value):
            return DASH
        assert value is not None
        return f"{self.number(100 * value, _share_digits(value))}{THIN}pts"

    def money(self, value: float | None) -> str:
        """Write an amount shortly, in thousands or millions where it is large: £5.6M."""
        if _missing(value):
            return DASH
        assert value is not None
        return self._marked(*self._scaled(value), negative=value < 0)

    def tick(self, value: float | None, among: Iterable[float] = ()) -> str:
        """Write an amount at an axis: shortly, without cents where it is whole, and exactly, in one unit with the others there.

        Examples
        --------
        >>> form = Format("EUR")
        >>> [form.tick(place, [0, 7500, 12500]) for place in (0, 7500, 12500)], form.tick(1.0), form.tick(0.5, [0, 0.5])
        (['€0', '€7.5k', '€12.5k'], '€1', '€0.50')
        """
        if _missing(value) or value is None:
            return DASH
        places = [float(place) for place in among] or [float(value)]
        top = max(map(abs, places))
        word, scale = next(((word, scale) for word, scale, bound in _SCALES if top >= bound), ("", 1.0))
        exact = [abs(place) / scale for place in places]
        digits = next((digits for digits in (0, 1) if all(abs(round(one, digits) - one) < 1e-9 for one in exact)), 2)
        digits = self.cents if digits and not word else digits
        return self._marked(self.number(abs(value) / scale, digits if value else 0), word if value else "", negative=value < 0)

    def amount(self, value: float | None) -> str:
        """Write an amount in full: without cents from 100 on."""
        if _missing(value):
            return DASH
        assert value is not None
        return self._marked(self.number(abs(value), self._cents(value)), negative=value < 0)

    def exact(self, value: float | None) -> str:
        """Write an amount to the cent."""
        if _missing(value):
            return DASH
        assert value is not None
        return self._marked(self.number(abs(value), self.cents), negative=value < 0)

    @property
    def cents(self) -> int:
        """Digits behind the point of an amount to the cent: none where nobody writes hundredths of the currency."""
        return 0 if self.currency in _WHOLE else 2

    def one_unit(self, values: Iterable[float | None], kind: str = "money") -> str:
        """Say with which kind of ``KINDS`` several amounts are written in one unit: with theirs where all have the same, else whole.

        Where there are millions among them, and none is under a thousand, they are written in thousands: nobody reads more digits.

        Examples
        --------
        >>> Format("EUR").one_unit([71_200, 14_100]), Format("EUR").one_unit([71_200, 84.17]), Format("EUR").one_unit([12.5, 84.17])
        ('money', 'whole', 'money')
        >>> Format("EUR").one_unit([4_144_591, 911_911]), Format("EUR").one_unit([4_144_591, 911])
        ('thousands', 'whole')
        """
        sizes = [abs(float(value)) for value in values if value is not None and not _missing(value) and value]
        scaled = (self._scaled(size)[1] if kind == "money" else "" for size in sizes)
        units = {(unit, not self._cents(size)) for unit, size in zip(scaled, sizes, strict=True) if math.isfinite(size)}
        if len(units) < 2:
            return kind
        known = [size for size in sizes if math.isfinite(size)]
        return "thousands" if kind == "money" and max(known) >= 999_500 and min(known) >= 1000 else "whole"

    def thousands(self, value: float | None) -> str:
        """Write an amount in whole thousands: £4,145k."""
        if _missing(value):
            return DASH
        assert value is not None
        if not math.isfinite(value):
            return self.money(value)
        return self._marked(self.number(abs(value) / 1e3, 0), "k" if value else "", negative=value < 0)

    def whole(self, value: float | None) -> str:
        """Write an amount in full without cents; under one unit with them, so that it is not written as nothing.

        Examples
        --------
        >>> [Format("EUR").whole(amount) for amount in (0.5, 76.27, 1165.9, 0)]
        ['€0.50', '€76', '€1,166', '€0']
        """
        if _missing(value):
            return DASH
        assert value is not None
        if 0 < abs(value) < 1 and self._cents(value):
            return self.exact(value)
        return self._marked(self.number(abs(value), 0), negative=value < 0)

    def _cents(self, value: float) -> int:
        return 0 if abs(value) >= 99.995 or value == 0 or self.currency in _WHOLE else 2

    def _scaled(self, value: float) -> tuple[str, str]:
        """An amount without sign and currency: number and word of scale."""
        size = abs(value)
        if math.isinf(size):
            return self.number(size), ""
        for word, scale, bound in _SCALES:
            if size >= bound:
                return self.number(size / scale, 1 if size / scale < 99.95 and word != "k" else 0), word
        return self.number(size, self._cents(size)), ""

    def _marked(self, text: str, word: str = "", *, negative: bool = False) -> str:
        """Put sign, currency and scale to a number that is written already."""
        sign = MINUS if negative and text.strip("0.,") else ""
        mark, word = _SIGNS.get(self.currency, self.currency), _SCALE_WORDS[self.language].get(word, "")
        if self.language != "en":
            return sign + THIN.join(part for part in (text, word, mark) if part)
        return f"{sign}{mark}{THIN if len(mark) > 2 else ''}{text}{word}"

    def day(self, value: dt.date | dt.datetime | None) -> str:
        """Write a day: 9 December 2011."""
        return DASH if value is None or _missing(value) else self._date(value, _MONTHS)

    def day_of_year(self, month: int, day: int) -> str:
        """Write a day of no year in particular.

        Examples
        --------
        >>> Format().day_of_year(11, 24), Format(language="de").day_of_year(11, 24)
        ('24 November', '24. November')
        """
        name = _MONTHS[self.language].split()[month - 1]
        return f"{day}{'.' if self.language == 'de' else ''}{' de' if self.language == 'es' else ''} {name}"

    def short_day(self, value: dt.date | dt.datetime | None) -> str:
        """Write a day shortly: 9 Dec 2011."""
        return DASH if value is None or _missing(value) else self._date(value, _SHORT_MONTHS)

    def _date(self, value: dt.date, months: dict[str, str]) -> str:
        month = months[self.language].split()[value.month - 1]
        if self.language == "de":
            return f"{value.day}. {month} {value.year}"
        if self.language == "es" and months is _MONTHS:
            return f"{value.day} de {month} de {value.year}"
        return f"{value.day} {month} {value.year}"

    def month(self, value: dt.date) -> str:
        """Write a month: Dec 2011."""
        return f"{_SHORT_MONTHS[self.language].split()[value.month - 1]} {value.year}"

    def write(self, value: object, kind: str) -> str:
        """Write a value of a table cell or an estimate by its kind (see ``KINDS``)."""
        if value is None or _missing(value):
            return DASH
        return KINDS[kind](self, value) if kind in KINDS else str(value)

    def measured(self, value: float | str | None, low: float | None, high: float | None, kind: str = "number") -> Measured:
        """Write a number and its interval in the same digits and the same unit: enough for the number, and to tell the ends apart.

        There is no other way to write an interval of something: a point rounded otherwise than its ends may lie outside of them.

        Parameters
        ----------
        value, low, high : float or None
            Without both ends the interval is empty, and the value written as :meth:`write` does. A text instead of a value stands
            where the number must not be shown ("under 5"), and hides the interval too. Ends that differ by no more than a
            computer's rounding are one number.
        kind : str
            Of ``KINDS``.

        Examples
        --------
        >>> print(Format().measured(0.556, 0.552, 0.559, "share"))
        55.6% (55.2 to 55.9%)
        >>> print(Format("EUR").measured(1_600, 460, 12_000, "money"))
        €1.6k (€0.5k to €12.0k)
        >>> print(Format().measured(1 / 3, 1 / 3, 1 / 3, "share"))
        33%
        """
        if isinstance(value, str) or low is None or high is None or _missing(low) or _missing(high):
            return Measured(self.write(value, kind), "")
        if value is None or _missing(value):
            return Measured(DASH, self.span(low, high, kind))
        value, low, high = (_unnoised(number) for number in (value, low, high))
        if _same(low, high):
            text = self.write(low, kind)
            return Measured(text if _same(value, low) else self.write(value, kind), text)
        scale, digits, word = self._alike((value, low, high), kind)
        return Measured(self._dressed(value, kind, scale, digits, word), self._joined(low, high, kind, scale, digits, word))

    def in_points(self, value: float, low: float | None, high: float | None) -> Measured:
        """Write a difference of two shares and its interval in percentage points, for a sentence that names them itself.

        Examples
        --------
        >>> print(Format().in_points(0.0213, 0.011, 0.032))
        2.1 (1.1 to 3.2)
        """
        return Measured(*(part.removesuffix(self._after("points")) for part in self.measured(value, low, high, "points")))

    def span(self, low: float | None, high: float | None, kind: str = "number") -> str:
        """Write from where to where something goes that has no single value, such as a range, in the same digits.

        Examples
        --------
        >>> Format().span(0.609, 0.709, "share")
        '61 to 71%'
        """
        if low is None or high is None or _missing(low) or _missing(high):
            return ""
        low, high = _unnoised(low), _unnoised(high)
        return self.write(low, kind) if _same(low, high) else self._joined(low, high, kind, *self._alike((low, high), kind))

    def _dressed(self, value: float, kind: str, scale: float, digits: int, word: str) -> str:
        """A number with what belongs to it: sign of per cent, or currency and unit."""
        if kind in _MONEY:
            return self._marked(self.number(abs(value) / scale, digits), word, negative=value < 0)
        if kind not in _TIMES:
            return self.write(value, kind)
        text = self.number(_TIMES[kind] * value, digits)
        tiny = value and kind != "count" and not text.strip(f"{MINUS}0.,")
        return f"{self._under(10.0**-digits, value, digits) if tiny else text}{self._after(kind)}"

    def _joined(self, low: float, high: float, kind: str, scale: float, digits: int, word: str) -> str:
        """Two ends as one: currency and scale stand at both of them, other units once at the end."""
        to = _TO[self.language]
        if kind in _MONEY:
            return f"{self._dressed(low, kind, scale, digits, word)} {to} {self._dressed(high, kind, scale, digits, word)}"
        if kind not in _TIMES:
            return f"{self.write(low, kind)} {to} {self.write(high, kind)}"
        ends = (self.number(_TIMES[kind] * end, digits) for end in (low, high))
        return f" {to} ".join(ends) + self._after(kind)

    def _alike(self, values: tuple[float, ...], kind: str) -> tuple[float, int, str]:
        """Unit, digits and word of the unit with which all of several numbers are written, the first of them in front."""
        known = [float(value) for value in values if math.isfinite(value)] or [0.0]
        if kind not in _MONEY:
            return 1.0, _digits_of(known, kind), ""
        sizes, cents = [abs(value) for value in known], self.cents
        most, least = max(sizes), min((size for size in sizes if size), default=0.0)
        if kind in ("exact", "whole"):
            return 1.0, cents if kind == "exact" or most < 1 or _apart(known, 1.0) else 0, ""
        if kind == "thousands":
            return 1e3, _apart(known, 1e3), "k"
        for word, scale, bound in _SCALES if kind == "money" else ():
            # In a unit of which the number is less than one, little of it would be left to read.
            if most >= bound and (sizes[0] >= scale or not sizes[0]):
                few = least < 9.95 * scale or (word != "k" and most < 99.95 * scale)
                return scale, max(int(few), _apart(known, scale)), word
        return 1.0, cents if self._cents(most) or _apart(known, 1.0) else 0, ""


def _or_text(write: Callable[[Format, float], str]) -> Callable[[Format, object], str]:
    """Leave a text as it is: it stands where a number must not be shown ("under 5") or there is none ("")."""
    return lambda form, value: value if isinstance(value, str) else write(form, float(value))  # type: ignore[arg-type]


# What a cell or an estimate can be, and how it is written.
KINDS: dict[str, Callable[[Format, object], str]] = {
    "text": lambda form, value: str(value),
    "lines": lambda form, value: str(value),
    "name": lambda form, value: titled(str(value)),
    "count": _or_text(Format.count),
    "number": _or_text(Format.number),
    "share": _or_text(Format.share),
    "points": _or_text(Format.points),
    "money": _or_text(Format.money),
    "amount": _or_text(Format.amount),
    "exact": _or_text(Format.exact),
    "whole": _or_text(Format.whole),
    "thousands": _or_text(Format.thousands),
    "days": _or_text(Format.number),
    "date": lambda form, value: form.short_day(value),  # type: ignore[arg-type]
}
_MOST_DIGITS = 6  # behind the point
_MONEY = ("money", "amount", "exact", "whole", "thousands")
_SHARES = ("share", "points")
_TIMES = {"share": 100.0, "points": 100.0, "number": 1.0, "days": 1.0, "count": 1.0}


def _digits(value: float) -> int:
    """How many digits behind the point make about three in all; more where a number is small."""
    size = abs(value)
    if size >= 99.95 or float(value).is_integer():
        return 0
    if size >= 0.01:
        return 1 if size >= 9.995 else 2
    return min(1 - math.floor(math.log10(size)), _MOST_DIGITS)


def _digits_of(values: list[float], kind: str) -> int:
    """How many digits behind the point several numbers of a kind need, so that each says something and no two ends look alike."""
    if kind == "count" or kind not in _TIMES:
        return 0
    most = max(values, key=abs)
    if kind in _SHARES:
        digits = max(_share_digits(values[0]), _share_digits(most))
    elif all(value.is_integer() for value in values):
        return 0
    else:
        digits = max(_digits(most), min(_digits(values[0]), 2))
    return min(max(digits, _apart(values, 1 / _TIMES[kind])), _MOST_DIGITS)


def _apart(values: list[float], scale: float) -> int:
    """Digits that tell the last two of several numbers apart, in a unit of the given size."""
    width = abs(values[-1] - values[-2]) / scale if len(values) > 1 else 0.0
    return min(max(-math.floor(math.log10(width)), 0), _MOST_DIGITS) if width else 0


def _unnoised(value: float) -> float:
    """A number without the last digits, which are a computer's rounding: 0.9999999999999999 is 1."""
    return float(f"{value:.14g}")


def _same(low: float, high: float) -> bool:
    """Whether two numbers differ by nothing that is shown, or by no more than rounding."""
    return math.isclose(low, high, rel_tol=1e-9, abs_tol=1e-9)


def _share_digits(value: float) -> int:
    size = abs(100 * value)
    if 99.5 <= size < 100:
        return 1 if size < 99.95 else 2  # nearly all is not all
    return 0 if size >= 9.95 or size == 0 else 1 if size >= 0.095 else 2


def _missing(value: object) -> bool:
    try:
        return value is None or bool(value != value)  # NaN and NaT are the values that differ from themselves
    except (TypeError, ValueError):
        return type(value).__name__ == "NAType"  # pandas.NA does not compare


def alike(numbers: Iterable[float]) -> list[str]:
    """Write numbers for a terminal, in about four digits and with as many behind the point for all of them.

    Examples
    --------
    >>> alike([0.56, 0.5523, 0.5592])
    ['0.5600', '0.5523', '0.5592']
    """
    values = list(numbers)
    short = [f"{value:.4g}" for value in values]
    if any("e" in text for text in short):
        return [f"{value:.3e}" for value in values]
    most = max((len(text.partition(".")[2]) for text in short), default=0)
    return [f"{value:.{most}f}" for value in values]

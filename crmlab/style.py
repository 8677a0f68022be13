"""How things look: colours, numbers, money, dates, and charts as SVG.

Colours are tokens. A chart drawn with them becomes an SVG whose colours are CSS variables with a fallback, so that the
same chart is right in light, dark and print, and in JupyterLab.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Token → (light, dark). Blue and orange are told apart by every common form of colour blindness; ratios of text to paper
# are at least 4.5 in both.
TOKENS: dict[str, tuple[str, str]] = {
    "paper": ("#ffffff", "#14171b"),
    "ink": ("#1b1f24", "#e8eaed"),
    "muted": ("#5b6571", "#a4adb8"),
    "rule": ("#d8dde3", "#30363d"),
    "accent": ("#0b63b5", "#6cb0f5"),
    "second": ("#b34e08", "#f0a165"),
    "fill": ("#cfe0f3", "#274460"),
    "wash": ("#f6f8fa", "#1b2026"),
    "onaccent": ("#fefefe", "#10151b"),
}

THIN = "\u202f"  # narrow no-break space, between a number and its sign
MINUS = "\u2212"
DASH = "\u2013"

_SIGNS = {"EUR": "€", "GBP": "£", "USD": "$", "JPY": "¥", "CHF": "CHF", "INR": "₹", "BRL": "R$"}
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


def color(token: str) -> str:
    """Return the light colour of a token, to draw with; :func:`svg` turns it into a variable.

    Examples
    --------
    >>> color("accent")
    '#0b63b5'
    """
    return TOKENS[token][0]


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
    >>> Format("GBP").interval(0.609, 0.709, "share")
    '61–71\\u202f%'
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
        if digits is None:
            size = abs(value)
            digits = 0 if size >= 100 or float(value).is_integer() else 1 if size >= 10 else 2
        text = f"{abs(value):,.{digits}f}"
        sign = MINUS if value < 0 and text.strip("0.,") else ""
        group, point = _SEPARATORS[self.language]
        return sign + text.replace(",", "\0").replace(".", point).replace("\0", group)

    def count(self, value: float | None) -> str:
        """Write a whole number."""
        return self.number(value, 0)

    def share(self, value: float | None, digits: int | None = None) -> str:
        """Write a share of 1 as per cent: whole per cents from 10 %, one decimal below, more where it is tiny."""
        if _missing(value):
            return DASH
        assert value is not None
        if digits is None and 0 < abs(value) < 5e-5:
            return f"{'>' + MINUS if value < 0 else '<'}{self.number(0.01, 2)}{THIN}%"
        return f"{self.number(100 * value, self._share_digits(value) if digits is None else digits)}{THIN}%"

    @staticmethod
    def _share_digits(value: float) -> int:
        size = abs(100 * value)
        return 0 if size >= 9.95 or size == 0 else 1 if size >= 0.095 else 2

    def money(self, value: float | None) -> str:
        """Write an amount shortly, in thousands or millions where it is large: £5.6M."""
        if _missing(value):
            return DASH
        assert value is not None
        size = abs(value)
        for bound, scale, word in ((999_500_000, 1e9, "bn"), (999_500, 1e6, "M"), (9_999.5, 1e3, "k")):
            if size >= bound:
                scaled = size / scale
                return self._priced(math.copysign(scaled, value), 1 if scaled < 99.95 and word != "k" else 0, word)
        return self.amount(value)

    def amount(self, value: float | None) -> str:
        """Write an amount in full: without cents from 100 on."""
        if _missing(value):
            return DASH
        assert value is not None
        return self._priced(value, 0 if abs(value) >= 100 or value == 0 else 2, "")

    def exact(self, value: float | None) -> str:
        """Write an amount to the cent."""
        return DASH if value is None or _missing(value) else self._priced(value, 2, "")

    def _priced(self, value: float, digits: int, word: str) -> str:
        text = self.number(abs(value), digits)
        sign = MINUS if value < 0 else ""
        mark = _SIGNS.get(self.currency, self.currency)
        if not mark:
            return f"{sign}{text}{word}"
        if self.language == "en":
            return f"{sign}{mark}{text}{word}" if len(mark) <= 2 else f"{sign}{mark}{THIN}{text}{word}"
        return f"{sign}{text}{THIN}{word + THIN if word else ''}{mark}"

    def day(self, value: dt.date | dt.datetime | None) -> str:
        """Write a day: 9 December 2011."""
        return DASH if value is None or _missing(value) else self._date(value, _MONTHS)

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

    def interval(self, low: float | None, high: float | None, kind: str = "number") -> str:
        """Write an interval: the sign or currency once, where both ends allow it."""
        if low is None or high is None or _missing(low) or _missing(high):
            return ""
        if kind == "share":
            digits = self._share_digits(max(abs(low), abs(high)))
            if min(low, high) < 0:
                return f"{self.share(low, digits)} to {self.share(high, digits)}"
            return f"{self.number(100 * low, digits)}{DASH}{self.share(high, digits)}"
        if min(low, high) < 0 or kind in ("money", "amount", "exact"):
            joiner = " to " if min(low, high) < 0 else DASH
            return f"{self.write(low, kind)}{joiner}{self.write(high, kind)}"
        if kind in ("number", "days") and not (float(low).is_integer() and float(high).is_integer()):
            digits = 0 if high >= 100 else 1 if high >= 10 else 2
            return f"{self.number(low, digits)}{DASH}{self.number(high, digits)}"
        return f"{self.write(low, kind)}{DASH}{self.write(high, kind)}"


# What a cell or an estimate can be, and how it is written.
KINDS: dict[str, Callable[[Format, object], str]] = {
    "text": lambda form, value: str(value),
    "lines": lambda form, value: str(value),
    "count": lambda form, value: form.count(float(value)),  # type: ignore[arg-type]
    "number": lambda form, value: form.number(float(value)),  # type: ignore[arg-type]
    "share": lambda form, value: form.share(float(value)),  # type: ignore[arg-type]
    "money": lambda form, value: form.money(float(value)),  # type: ignore[arg-type]
    "amount": lambda form, value: form.amount(float(value)),  # type: ignore[arg-type]
    "exact": lambda form, value: form.exact(float(value)),  # type: ignore[arg-type]
    "days": lambda form, value: form.number(float(value)),  # type: ignore[arg-type]
    "date": lambda form, value: form.short_day(value),  # type: ignore[arg-type]
}


def _missing(value: object) -> bool:
    try:
        return value is None or bool(value != value)  # NaN and NaT are the values that differ from themselves
    except (TypeError, ValueError):
        return False


_SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "crmlab",
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "text.color": TOKENS["ink"][0],
    "axes.edgecolor": TOKENS["rule"][0],
    "axes.labelcolor": TOKENS["muted"][0],
    "axes.titlecolor": TOKENS["ink"][0],
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.axisbelow": True,
    "grid.color": TOKENS["rule"][0],
    "grid.linewidth": 0.8,
    "xtick.color": TOKENS["rule"][0],
    "ytick.color": TOKENS["rule"][0],
    "xtick.labelcolor": TOKENS["muted"][0],
    "ytick.labelcolor": TOKENS["muted"][0],
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "text.parse_math": False,  # a "$" in a name is a dollar
    "axes.unicode_minus": True,
}


@contextmanager
def settings() -> Iterator[None]:
    """Matplotlib settings of every chart, for the time of a ``with`` block."""
    import matplotlib as mpl

    with mpl.rc_context(_SETTINGS):
        yield


def svg(draw: Callable[[Figure], None], size: tuple[float, float], label: str, prefix: str) -> str:
    """Draw a chart and return it as an SVG element for a page.

    Parameters
    ----------
    draw : callable
        Gets an empty figure and draws into it, with colours of :func:`color`.
    size : (width, height)
        In inches of 72 px.
    label : str
        A sentence that says what one sees, read aloud by screen readers.
    prefix : str
        Put before every id, so that two charts on one page do not share ids.

    Returns
    -------
    str
        One ``<svg role="img">`` element: text stays text, ids are fixed, colours are CSS variables.
    """
    import io
    from html import escape

    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with settings():
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'<style type="text/css">.*?</style>', "", text, flags=re.S)
    text = re.sub(r"<defs>\s*</defs>", "", text)
    text = re.sub(r"font-family: [^;\"]*(;|(?=\"))", "font-family: inherit;", text)
    text = re.sub(r"font: ([^;\"']*?)px (?:'[^']*'(?:, )?|[\w-]+(?:, )?)+", r"font-size: \1px", text)
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r"url\(#", f"url(#{prefix}-", text)
    text = re.sub(r'xlink:href="#', f'xlink:href="#{prefix}-', text)
    text = re.sub(r' transform="rotate\(-?0 [^"]*\)"', "", text)
    text = re.sub(r"(\d+\.\d{2})\d+", r"\1", text)
    for token, (light, _) in TOKENS.items():
        text = text.replace(light, f"var(--{token},{light})")
    head = f'<svg role="img" aria-label="{escape(label, quote=True)}" style="stroke-linejoin:round;stroke-linecap:butt" '
    text = re.sub(
        r'<svg [^>]*?(viewBox="[^"]*")[^>]*>',
        lambda m: f'{head}{m[1]} xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">',
        text,
        count=1,
    )
    return re.sub(r"\n\s*", "\n", text).strip()

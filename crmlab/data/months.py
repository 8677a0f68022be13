"""Names of months in the languages of CLDR, and days that are written with them.

A day is read where one word of it is the name of a month for sure, long or short, with or without a point, in any case form
that CLDR has. In such a text the name is replaced by a mark, and what stands around it has few forms.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache

from crmlab.data.written import tidy

__all__ = [
    "MARK",
    "MARKED",
    "WRITTEN",
    "buddhist",
    "day_of",
    "form_with_month",
    "is_language",
    "languages_of",
    "marked",
    "month_names",
    "names_pattern",
    "week_names",
    "without_language",
]

MARK = "§"  # stands before and after the number of the month that was a name
MARKED = f"{MARK}([0-9]{{2}}){MARK}"
_BETWEEN = r"[ .,/-]*"
_DAY = r"([0-9]{1,2})(?:er|re|st|nd|rd|th|º|ª|°)?"
_YEAR = r"([0-9]{4})"
_CLOCK = r"(?:(?:t|,? +(?:um |at |à |às |a las |alle |kl\.? ?|om |в |о )?)([0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)(?: uhr)?)?"
# Patterns of days around a marked month, each with what makes an ISO day of them.
WRITTEN = (
    (
        rf"^(?:le |el |den |der |am )?{_DAY}{_BETWEEN}(?:de |d['’] ?|of )?{MARKED}{_BETWEEN}(?:de |del )?{_YEAR}"
        rf"(?: ?(?:г|р)\.?)?{_CLOCK}$",
        r"\3-\2-\1 \4",
    ),
    (rf"^{MARKED}[ .-]*{_DAY}(?:, ?| ){_YEAR}{_CLOCK}$", r"\3-\1-\2 \4"),
    (rf"^{_YEAR}{_BETWEEN}(?:m\. )?{MARKED}{_BETWEEN}{_DAY}(?:\.| d\.)?{_CLOCK}$", r"\1-\2-\3 \4"),
)
_OTHER = r"[\W\d_]"  # no letter
_PARTICLES = ("de ", "d’", "d'")  # before the month, in Catalan and others
# Short names that many programs write and CLDR does not have.
_FURTHER: Mapping[str, Mapping[str, int]] = {"de": {"mrz": 3}}
# Tried first, and taken before others that have the same names.
_COMMON = [
    "de",
    "fr",
    "es",
    "it",
    "pt",
    "nl",
    "pl",
    "ru",
    "uk",
    "sv",
    "da",
    "nb",
    "fi",
    "cs",
    "sk",
    "hu",
    "ro",
    "bg",
    "hr",
    "sr",
    "sl",
    "el",
    "tr",
    "ca",
    "lt",
    "lv",
    "et",
    "ar",
    "he",
    "fa",
    "hi",
    "bn",
    "ta",
    "te",
    "mr",
    "gu",
    "th",
    "vi",
    "id",
    "ms",
    "ko",
    "ja",
    "zh",
]
_BUDDHIST = ("th",)  # years there may be counted from another beginning: 2567 is 2024


def is_language(code: str) -> bool:
    """Say whether CLDR has names of months of a language, such as ``"de"`` or ``"de_AT"``.

    Examples
    --------
    >>> is_language("de"), is_language("xx")
    (True, False)
    """
    from babel.localedata import locale_identifiers

    return code in locale_identifiers()


@lru_cache(maxsize=512)
def month_names(language: str) -> Mapping[str, int]:
    """Return the names of months of a language, in small letters, with the number of the month.

    A name that stands for two months, as may happen among the countries of a language, is left out.

    Examples
    --------
    >>> names = month_names("ru")
    >>> names["марта"], names["март"], names["мар"]
    (3, 3, 3)
    """
    own = _listed(language, "months")
    regions: dict[str, set[int]] = {}
    for code in _regions(language):
        for name, month in _listed(code, "months"):
            regions.setdefault(name, set()).add(month)
    named: dict[str, set[int]] = {}
    for name, month in (*own, *_FURTHER.get(language.split("_")[0], {}).items()):
        named.setdefault(name, set()).add(month)
    return {name: min(months) for name, months in {**regions, **named}.items() if len(months) == 1}


@lru_cache(maxsize=512)
def week_names(language: str) -> frozenset[str]:
    """Return the names of the days of the week of a language, in small letters."""
    return frozenset(name for name, _ in _listed(language, "days"))


def _regions(language: str) -> list[str]:
    from babel.localedata import locale_identifiers

    return sorted(code for code in locale_identifiers() if code.startswith(f"{language}_"))


def _listed(code: str, kind: str) -> list[tuple[str, int]]:
    """The names of months or days of a locale, in all the forms in which they are written."""
    from babel.localedata import load

    result = []
    for context in ("format", "stand-alone"):
        for width in ("wide", "abbreviated"):
            names = load(code).get(kind, {}).get(context, {}).get(width)
            if isinstance(names, tuple):  # another list, and what differs from it
                names = names[1]
            # What is no plain dictionary points to another list, which is read anyway.
            for number, name in names.items() if type(names) is dict else ():
                result += [(form, int(number)) for form in _forms(str(name), code)]
    return result


def _forms(name: str, code: str) -> set[str]:
    """A name as people write it: with and without accents, particles and points."""
    name = unicodedata.normalize("NFC", tidy(name)).rstrip(".").lower().replace("i̇", "i")
    for particle in _PARTICLES:
        name = name.removeprefix(particle)
    if not name or name[0].isdigit():
        return set()
    forms = {name}
    if any("LATIN" in unicodedata.name(letter, "") for letter in name):
        decomposed = unicodedata.normalize("NFD", name)
        forms |= {"".join(c for c in decomposed if not unicodedata.combining(c)).replace("ı", "i")}
        forms |= {name.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")} if code.startswith("de") else set()
    return forms | ({f"ב{name}"} if code.startswith("he") else set())


@lru_cache(maxsize=512)
def names_pattern(names: Iterable[str]) -> str:
    """Return a pattern of names, the longest first."""
    return "|".join(re.escape(name) for name in sorted(names, key=lambda name: (-len(name), name)))


def marked(text: str, language: str) -> str | None:
    """Replace the name of a month by its number between marks; None where there is no month, or several.

    Examples
    --------
    >>> marked("Do, 19. Okt 2023", "de")
    '19. §10§ 2023'
    """
    low = unicodedata.normalize("NFC", tidy(text)).lower().replace("i̇", "i")
    if weeks := names_pattern(week_names(language)):
        low = re.sub(rf"^(?:{weeks})[.,]*\s+", "", low)
    names = month_names(language)
    if not names:
        return None
    pattern = rf"(^|{_OTHER})({names_pattern(tuple(names))})\.?({_OTHER}|$)"
    result, found = re.subn(pattern, lambda match: f"{match[1]}{MARK}{names[match[2]]:02}{MARK}{match[3]}", low)
    return result if found == 1 else None


def day_of(text: str, language: str) -> dt.datetime | None:
    """Read a day or time with the name of a month and four digits of the year; None where it is none for sure.

    Examples
    --------
    >>> day_of("3 février 2024", "fr"), day_of("12 марта 2024 г., 10:15", "ru")
    (datetime.datetime(2024, 2, 3, 0, 0), datetime.datetime(2024, 3, 12, 10, 15))
    """
    found = marked(text, language) or ""
    match = next(filter(None, (re.search(pattern, found) for pattern, _ in WRITTEN)), None)
    if match is None:
        return None
    day, _, clock = match.expand(dict(WRITTEN)[match.re.pattern]).partition(" ")
    year, month, number = map(int, day.split("-"))
    hour, minute, second = [*clock.split(":"), "0", "0"][:3] if clock else ("0", "0", "0")
    try:
        moment = dt.datetime(year, month, number, int(hour), int(minute)) + dt.timedelta(seconds=float(second))
    except (ValueError, OverflowError):
        return None
    return None if buddhist(language) and year > 2400 else moment


def buddhist(language: str) -> bool:
    """Say whether years of a language may be counted from another beginning than ours, and later ones are refused."""
    return language.split("_")[0] in _BUDDHIST


def form_with_month(text: str, language: str) -> str | None:
    """Return the strptime form of a day with the name of a month and two digits of the year; None where it has none.

    Examples
    --------
    >>> form_with_month("19-Okt-23", "de")
    '%d-%b-%y'
    """
    match = re.fullmatch(
        rf"[0-9]{{1,2}}([ ./-]+){MARKED}([ ./-]+)[0-9]{{2}}( [0-9]{{1,2}}:[0-9]{{2}}(:[0-9]{{2}})?)?",
        marked(text, language) or "",
    )
    if not match:
        return None
    clock = f" %H:%M{':%S' if match[5] else ''}" if match[4] else ""
    return f"%d{match[1]}%b{match[3]}%y{clock}"


def without_language(form: str) -> str:
    """Return a strptime form for texts whose month has become a number and whose letters are small.

    A day of the week at the beginning is left out, and so is a point after the name of the month.

    Examples
    --------
    >>> without_language("%a, %d. %b %Y um %H:%M")
    '%d. %m %Y um %H:%M'
    """
    form = re.sub(r"^%[aA][.,]*\s+", "", tidy(form))
    parts = re.split(r"(%-?.)", form)
    small = "".join(part if part.startswith("%") else part.lower() for part in parts)
    return re.sub(r"%[bB]\.?", "%m", small)


def languages_of(texts: Iterable[str]) -> list[str]:
    """Return the languages in which the months of nearly all texts have names, the more common first; where they agree on what is
    read, the first stands for all.

    Examples
    --------
    >>> languages_of(["19. Okt 2023", "3. März 2024"])[0]
    'de'
    """
    texts = list(dict.fromkeys(texts))
    fitting = [code for code in _COMMON if _reads(texts, code)]
    if not fitting:
        from babel.localedata import locale_identifiers

        rest = sorted(code for code in locale_identifiers() if "_" not in code and code not in (*_COMMON, "en", "root"))
        fitting = [code for code in rest if _reads(texts, code)]
    seen: dict[tuple[str, ...], str] = {}
    for code in fitting:
        seen.setdefault(tuple(month for text in texts for month in re.findall(MARKED, marked(text, code) or "")), code)
    return list(seen.values())


def _reads(texts: list[str], code: str) -> bool:
    if not texts or any(marked(text, code) is None for text in texts[:3]):
        return False  # most languages, at once
    return sum(marked(text, code) is not None for text in texts) >= 0.9 * len(texts)

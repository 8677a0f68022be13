"""Tries the values of a column as days and times, in the forms that :mod:`crmlab.data.reading.parse` can read."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from crmlab.data.guess.number_columns import number
from crmlab.data.months import MARK, day_of, form_with_month, languages_of, marked, without_language
from crmlab.data.written import counted_as, tidy

__all__ = ["Dates", "as_counted", "dates"]


_YEAR = r"(?P<y>[0-9]{4}|[0-9]{2})"
_TIME = (
    r"(?:(?P<gap>T|, ?| ?- ?| +)(?P<clock>[0-9]{1,2}:[0-9]{2})(?P<second>:[0-9]{2})?(?P<part>[.,][0-9]{1,6})?"
    r"(?P<half> ?[AaPp][Mm])?)?"
)
# A zone needs the seconds before it: DuckDB wants them.
_ISO = re.compile(
    r"[0-9]{4}([-/])[0-9]{1,2}\1[0-9]{1,2}(?:[T ][0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?P<zone> ?(?:Z|z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?))?)?)?"
)
_NUMERIC = re.compile(r"(?P<a>[0-9]{1,2})(?P<s>[./ -])(?P<b>[0-9]{1,2})(?P=s)(?P<c>[0-9]{4}|[0-9]{2})" + _TIME)
_YEAR_FIRST = re.compile(r"[0-9]{4}(?P<s>[./ -])[0-9]{1,2}(?P=s)[0-9]{1,2}" + _TIME)
_COMPACT = re.compile(r"(?:19[7-9]|20[0-9])[0-9]{5}(?:[0-9]{4}|[0-9]{6}|" + _TIME + ")")
_WEEK, _MONTH = r"(?P<week>[A-Z][a-z]{2}, )?", r"(?P<month>[A-Za-z]{3,9})"
_DAY_MONTH = re.compile(rf"{_WEEK}[0-9]{{1,2}}(?P<s>[ -]|\. ?){_MONTH}(?P<t>[ -]|, ?){_YEAR}{_TIME}")
_MONTH_DAY = re.compile(rf"{_WEEK}{_MONTH}(?P<s>[ -])[0-9]{{1,2}}(?P<t>[ -]|, ?){_YEAR}{_TIME}")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)


@dataclass(frozen=True)
class Dates:
    """The values of a column as days or times.

    Attributes
    ----------
    share : float
        How many can be read in one form.
    form : str or None
        The form, as in strptime; None: ISO, or times already.
    unclear : bool
        Day and month could be exchanged.
    other : str or None
        The form that it would be then.
    sorted_as : str or None
        The one of the two forms in which the rows are in order of time.
    both : bool
        Some values have the day first for sure, and others the month.
    zoned, half : bool
        Times carry a zone; hours go to 12.
    turned : bool
        Years have two digits, and some are 60 to 79: about where a century is taken for another.
    unread : str or None
        A value in another form.
    language : str or None
        The language in which months are written; None: English, or numbers.
    rivals : tuple of str
        Languages in which the same names are other months.
    counted : str or None
        "epoch", "epoch_ms" or "excel" where the values are numbers that would be days of 1990 to 2100. They are days only where
        the name of the column says so: see :func:`as_counted`.
    counts : float
        How many are.
    exchanged : bool
        A spreadsheet may have taken texts with the day first for dates with the month first, where both were possible.
    """

    share: float = 0.0
    form: str | None = None
    unclear: bool = False
    other: str | None = None
    sorted_as: str | None = None
    both: bool = False
    zoned: bool = False
    half: bool = False
    turned: bool = False
    unread: str | None = None
    language: str | None = None
    rivals: tuple[str, ...] = ()
    counted: str | None = None
    counts: float = 0.0
    exchanged: bool = False


def dates(values: Sequence[Any]) -> Dates:
    """Try the values of a column as days.

    Examples
    --------
    >>> dates(["31/12/2024", "05/06/2024"]).form, dates(["05/06/2024"]).unclear
    ('%d/%m/%Y', True)
    """
    filled = [value for value in values if value is not None]
    if not filled:
        return Dates()
    typed = [value for value in filled if isinstance(value, dt.date)]
    if typed:
        # A workbook may hold days beside texts: the reader writes the days as the texts are.
        rest = dates([value for value in filled if not isinstance(value, dt.date)])
        read = len(typed) + rest.share * (len(filled) - len(typed))
        zoned = any(isinstance(value, dt.datetime) and value.tzinfo is not None for value in typed)
        left = len(filled) - len(typed) >= 3 and rest.form is not None and rest.form.startswith("%d") and not rest.unclear
        exchanged = left and len(typed) >= 3 and all(value.day <= 12 for value in typed)
        return replace(rest, share=read / len(filled), zoned=zoned or rest.zoned, exchanged=exchanged)
    texts = [_day_text(value) for value in filled]
    found = _in_one_form(texts)
    if found.share < 1 and (named := _with_months(texts)).share > found.share:
        return named
    return replace(found, **_counted(filled)) if found.share < 0.5 else found


def _in_one_form(texts: list[str]) -> Dates:
    """Texts as days in the form that most of them have."""
    counts = Counter(shape for text in texts if (shape := _shape(text)) is not None)
    if not counts:
        return Dates(unread=next(filter(None, texts), None))
    best = counts.most_common(1)[0][0]
    fitting = [text for text in texts if _shape(text) == best]
    half = "%p" in best
    if best == "ISO":
        good = {text for text in set(fitting) if _is_iso(text)}
        zoned = any((m := _ISO.fullmatch(text)) is not None and m["zone"] is not None for text in good)
        return Dates(_share(texts, good), zoned=zoned, unread=_unread(texts, good))
    forms = _forms(best, fitting)
    # All texts are tried, not only those of the usual shape: "May" is short and long at once.
    tried = {form: {text: _day(text, form) for text in set(texts)} for form in forms}
    fits = {form: sum(day is not None for day in days.values()) for form, days in tried.items()}
    form = max(forms, key=lambda item: fits[item])  # the first of equals
    good = {text for text, day in tried[form].items() if day is not None}
    rival = next((item for item in forms if item != form and fits[item] == fits[form]), None)
    inside = {item: [tried[item][text] for text in texts] for item in (form, rival) if item}
    in_order = [item for item, days in inside.items() if _ascending(days)]
    return Dates(
        _share(texts, good),
        form,
        unclear=rival is not None,
        other=rival,
        sorted_as=in_order[0] if rival and len(in_order) == 1 else None,
        both=len(forms) > 1 and any(fits[f] > 0 and set(_kept(tried[f])) - good for f in forms if f != form),
        half=half,
        turned="%y" in form and any(_is_turned(day) for day in tried[form].values()),
        unread=_unread(texts, good),
    )


# A word between numbers, or before them: what days with names of months look like in any language.
_YEARS = re.compile(r"(?<![0-9])(?:1[89]|2[05])[0-9]{2}(?![0-9])|^[0-9]{1,2}\D+[0-9]{2}(?![0-9])")
_WORDY = re.compile(r"\D{0,20}[0-9]{1,4}\D{1,25}[0-9]{1,4}(?:\D.{0,25})?")


def _with_months(texts: list[str]) -> Dates:
    """Texts as days with names of months that are not English."""
    wordy = [
        text for text in dict.fromkeys(texts) if _WORDY.fullmatch(text) and _YEARS.search(text) and any(map(str.isalpha, text))
    ]
    if len(wordy) < 0.8 * len(set(texts)) or not (languages := languages_of(wordy)):
        return Dates()
    language = languages[0]
    forms = Counter(form for text in wordy if (form := form_with_month(text, language)))
    form = forms.most_common(1)[0][0] if forms else None
    good = {text for text in wordy if _named_day(text, language, form) is not None}
    return Dates(
        _share(texts, good),
        form,
        turned="%y" in (form or "") and any(_is_turned(_named_day(text, language, form)) for text in good),
        unread=_unread(texts, good),
        language=language,
        rivals=tuple(languages[1:]),
    )


def _named_day(text: str, language: str, form: str | None) -> dt.date | None:
    if form is None:
        return day_of(text, language)
    found = marked(text, language)
    return None if found is None else _day(found.replace(MARK, ""), without_language(form))


def _is_turned(day: dt.date | None) -> bool:
    return day is not None and 60 <= day.year % 100 <= 79


def _counted(values: list[Any]) -> dict[str, Any]:
    """The way of counting in which most values are days, and how many are."""
    read = [number(value) for value in values]
    forms = Counter(form for n in read if n is not None and (form := counted_as(n)))
    form, count = forms.most_common(1)[0] if forms else ("", 0)
    return {"counted": form, "counts": count / len(read)} if count >= 0.8 * len(read) else {}


def as_counted(found: Dates) -> Dates:
    """Take numbers as days, where they can be: what the name of a column says, or what nothing else explains.

    Examples
    --------
    >>> as_counted(dates(["1697716800", "1683806400"])).form, dates(["1697716800", "1683806400"]).form
    ('epoch', None)
    """
    if found.counted is None or found.share >= 0.5:
        return found
    unread = found.unread if found.counts < 1 else None
    return replace(found, share=found.counts, form=found.counted, zoned=found.counted != "excel", unread=unread)


def _day_text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a workbook keeps 20241231 as 20241231.0
    return tidy(str(value)[:60])


def _kept(days: dict[str, dt.datetime | None]) -> list[str]:
    return [text for text, day in days.items() if day is not None]


def _share(texts: list[str], good: set[str]) -> float:
    return sum(text in good for text in texts) / len(texts)


def _unread(texts: list[str], good: set[str]) -> str | None:
    return next((text for text in texts if text not in good), None)


def _shape(text: str) -> str | None:
    """The form of a day as a strptime form in which 1 and 2 stand for the parts that may be day, month or year."""
    if _ISO.fullmatch(text):
        return "ISO"
    if match := _NUMERIC.fullmatch(text):
        s, year = match["s"], "%Y" if len(match["c"]) == 4 else "3"
        return f"1{s}2{s}{year}{_clock(match)}"
    if match := _YEAR_FIRST.fullmatch(text):
        return f"%Y{match['s']}%m{match['s']}%d{_clock(match)}"
    if match := _COMPACT.fullmatch(text):
        return "%Y%m%d" + (_clock(match) or {12: "%H%M", 14: "%H%M%S"}.get(len(text), ""))
    for pattern, form in ((_DAY_MONTH, "%d{s}{m}{t}{y}"), (_MONTH_DAY, "{m}{s}%d{t}{y}")):
        if (match := pattern.fullmatch(text)) and (month := _month(match["month"])):
            year = "%Y" if len(match["y"]) == 4 else "%y"
            day = form.format(s=match["s"], m=month, t=match["t"], y=year)
            return f"{'%a, ' if match['week'] else ''}{day}{_clock(match)}"
    return None


def _month(word: str) -> str | None:
    if word.lower() in _MONTHS and word.lower() != "may":
        return "%B"
    return "%b" if word.lower() in [month[:3] for month in _MONTHS] else None


def _clock(match: re.Match[str]) -> str:
    if match["clock"] is None:
        return ""
    part = f"{match['part'][0]}%f" if match["part"] else ""
    half = match["half"].lower().replace("am", "%p").replace("pm", "%p") if match["half"] else ""
    gap = " " if match["gap"].isspace() else match["gap"]
    return f"{gap}{'%I' if half else '%H'}:%M{':%S' if match['second'] else ''}{part}{half}"


def _forms(shape: str, texts: list[str]) -> list[str]:
    """The strptime forms that a shape may mean, the likelier first."""
    if not shape.startswith("1"):
        return [shape]
    day_first = "%d" + shape[1:].replace("2", "%m", 1).replace("3", "%y", 1)
    month_first = "%m" + shape[1:].replace("2", "%d", 1).replace("3", "%y", 1)
    if "3" not in shape or shape[1] not in "-/":
        return [day_first, month_first]
    year_first = "%y" + shape[1:].replace("2", "%m", 1).replace("3", "%d", 1)
    parts = [re.split(r"[/-]", text)[:3] for text in texts]
    if any(int(part[0]) > 31 for part in parts):
        return [year_first]
    # Years change less often than days do: 24-11-05, 24-11-06.
    years_lead = len({part[0] for part in parts}) < len({part[2][:2] for part in parts})
    return [year_first, day_first] if years_lead and shape[1] == "-" else [day_first, month_first]


def _is_iso(text: str) -> bool:
    try:
        dt.datetime(*[int(part) for part in re.findall(r"[0-9]+", text)[:5]])  # type: ignore[arg-type]
    except ValueError:
        return False
    return True


def _day(text: str, form: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(text, form)
    except ValueError:
        return None


def _ascending(days: Sequence[dt.datetime | None]) -> bool:
    known = [day for day in days if day is not None]
    return len(set(known)) >= 8 and all(a <= b for a, b in pairwise(known))

"""Reads days and times: ISO, a strptime form, names of months in any language, seconds since 1970, days of spreadsheets.

Nothing is guessed: what is not in the form that the data set names, and is no ISO day where that says nothing, becomes null.
Instants are brought into the data set's time zone; a time without an offset is there already, unless its row names another.
"""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from typing import TYPE_CHECKING, Any

from crmlab.data.descriptor import Descriptor
from crmlab.data.months import (
    MARK,
    MARKED,
    WRITTEN,
    buddhist,
    is_language,
    month_names,
    names_pattern,
    week_names,
    without_language,
)
from crmlab.data.reading.signs import once, tidied
from crmlab.data.table_section import TableSection
from crmlab.data.written import tidy
from crmlab.errors import DescriptorError

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends import BaseBackend

__all__ = ["COUNTED", "Times", "cell_form", "check_date_format", "is_zone", "zone_name"]

# How days are counted that are written as numbers: decimals kept, the first and the last number, units in a second (in a day).
COUNTED = {
    "epoch": ("decimal(18, 6)", -62_135_596_800, 253_402_300_799),
    "epoch_ms": ("decimal(18, 3)", -62_135_596_800_000, 253_402_300_799_999),
    # Spreadsheets do not agree on days before March 1900, and one of them knows of a February 29 in that year.
    "excel": ("decimal(18, 10)", 61, 2_958_465),
}
_EXCEL_ZERO = dt.datetime(1899, 12, 30)
_DAY = r"[0-9]{4}(-[0-9]{1,2}-|/[0-9]{1,2}/)[0-9]{1,2}"
_CLOCK = r"[T ][0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
_PLAIN_TIME = rf"^{_DAY}({_CLOCK})?$"
_ZONED_TIME = rf"^{_DAY}{_CLOCK} ?(Z|z|UTC|GMT|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)$"
_OFFSET = r"^(?:UTC|GMT)?([+-])(0?[0-9]|1[0-4])(?::?([0-5][0-9]))?$"
_UNKNOWN_ZONES = ("localtime", "Factory")  # names that are no zones


class Times:
    """Reads the days and times of one table of a source.

    Parameters
    ----------
    section : TableSection
        Says how days are written.
    descriptor : Descriptor
        Says which time zone holds.
    backend : str
        Name of the Ibis backend: on DuckDB texts are read, in a database values must have a type.
    """

    def __init__(self, section: TableSection, descriptor: Descriptor, backend: str) -> None:
        self.section, self.descriptor, self.backend = section, descriptor, backend

    @property
    def counted(self) -> bool:
        """Whether days are numbers."""
        return self.section.date_format in COUNTED

    def read(self, value: Any, zone: Any = None) -> ir.Value:
        """Return times as the wall clock of the data set's zone shows them; null where they cannot be read for sure.

        Parameters
        ----------
        value : ibis.expr.types.Value
            Texts, days, times, or numbers where days are counted.
        zone : ibis.expr.types.StringValue, optional
            The zone of each row (see :func:`zone_name`), in which its times are that carry no offset. Days are not moved, nor is
            a column of which every time is midnight: a program that knows no days writes them so.
        """
        import ibis

        moment = self._moment(value, None)
        if zone is not None:
            timed = (_epoch_us(moment) % 86_400_000_000 != 0).any().over()
            moment = ibis.ifelse(timed, self._moment(value, zone), moment)
        # No calendar of Python reaches further, and no order either: infinity, 0044-03-15 (BC).
        first, last = dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999)
        return _ifelse((moment >= first) & (moment <= last), moment)

    def _moment(self, value: Any, zone: Any) -> Any:
        """Times as they are, or as they are moved from the zone of their row."""
        kind = value.type()
        if kind.is_timestamp():
            return self._local(value) if kind.timezone is not None else self._moved(value.cast("timestamp(6)"), zone)
        if kind.is_date():
            return value.cast("timestamp(6)")
        return self._count(value, zone) if kind.is_numeric() else self._text(value, zone)

    def _text(self, text: Any, zone: Any) -> Any:
        import ibis

        form, plain = self.section.date_format, tidied(text)
        if self.counted:
            return once(plain, lambda it: ibis.coalesce(self._count(self._number(it), zone), self._iso(it, zone)))
        if self.section.month_language:
            return self._named(plain, zone)
        # Most texts are as the form is; only the others are looked at again.
        if form:
            return ibis.coalesce(self._strptime(text, form, zone), self._strptime(plain, tidy(form), zone))
        return ibis.coalesce(self._iso(text, zone), once(plain, lambda it: self._iso(it, zone)))

    def _number(self, text: Any) -> Any:
        """A text as a number that is plainly written; the sign before the decimals is a point afterwards."""
        sign = "," if self.section.decimal == "," else r"\."
        return _ifelse(text.re_search(rf"^[+-]?[0-9]{{1,15}}({sign}[0-9]*)?$"), text.replace(",", "."))

    def _iso(self, text: Any, zone: Any) -> Any:
        import ibis

        plain, zoned = text.re_search(_PLAIN_TIME), text.re_search(_ZONED_TIME)
        # DuckDB wants seconds, and the offset right beside them.
        offset = text.re_replace(r" ?(z|Z|UTC|GMT)$", "+00").re_replace(r" ([+-][0-9:]+)$", r"\1")
        offset = offset.re_replace(r"([T ][0-9]{1,2}:[0-9]{2})([+-])", r"\1:00\2")
        return ibis.cases(
            (plain, self._moved(text.try_cast("timestamp(6)"), zone, text.contains(":"))),
            (zoned, self._local(offset.try_cast("timestamp('UTC')"))),
            else_=ibis.null("timestamp(6)"),
        )

    def _strptime(self, text: Any, form: str, zone: Any) -> Any:
        if "%z" in form or "%Z" in form:
            return self._local(_try_strptime(text, form, zoned=True))
        moment = _try_strptime(text, form, zoned=False).cast("timestamp(6)")
        return self._moved(moment, zone) if re.search("%-?[HIcXT]", form) else moment

    def _named(self, plain: Any, zone: Any) -> Any:
        """Days with the name of a month, in the form that is given or in any that has four digits of the year."""
        import ibis

        language, form = str(self.section.month_language), self.section.date_format
        low = _nfc(plain).lower()
        if weeks := names_pattern(week_names(language)):
            low = low.re_replace(rf"^(?:{weeks})[.,]*\s+", "")
        # Each step takes the text once. A text with two months is no day afterwards.
        for month, names in _by_month(language).items():
            low = low.re_replace(rf"(^|[^\p{{L}}])(?:{names_pattern(names)})\.?([^\p{{L}}]|$)", rf"\1{MARK}{month:02}{MARK}\2")
        if form:
            low = low.re_replace(MARKED, r"\1")
            moment = once(
                low, lambda it: ibis.coalesce(self._strptime(it, without_language(form), zone), self._iso(it.upper(), zone))
            )
        else:
            for pattern, iso in WRITTEN:
                low = low.re_replace(pattern, iso)
            moment = once(low.strip().upper(), lambda it: self._iso(it, zone))
        return _ifelse(moment.year() <= 2400, moment) if buddhist(language) else moment

    def _count(self, value: Any, zone: Any) -> Any:
        """Numbers as times: instants since 1970, or days and their fractions as a spreadsheet shows them."""
        form = str(self.section.date_format)
        kind, first, last = COUNTED[form]
        number = value.try_cast(kind)
        # With more digits: the engine multiplies what has 18 within 18, and fails where they do not suffice.
        number = _ifelse((number >= first) & (number < last + 1), number).cast(kind.replace("18", "28"))
        if form == "excel":
            # To the millisecond, as spreadsheets do: fractions of a day are never exact.
            moment = _moment((number * 86_400_000).round(0).cast("int64") * 1000 + _micros(_EXCEL_ZERO))
            return self._moved(moment, zone, number != number.floor())
        return self._local(_instant(_moment((number * (1_000_000 if form == "epoch" else 1_000)).cast("int64"))))

    def _moved(self, moment: Any, zone: Any, clock: Any = None) -> Any:
        """Times of a row's zone in that of the data set. A day without a time stays the day that it is."""
        import ibis

        if zone is None:
            return moment
        moves = zone.notnull() if clock is None else zone.notnull() & clock
        return ibis.ifelse(moves, once(zone, lambda it: self._local(_instant_in(it, moment))), moment)

    def _local(self, value: Any) -> Any:
        """The wall clock of the data set's time zone at an instant."""
        zone = self.descriptor.timezone
        if self.backend == "pyspark":
            return _from_utc_timestamp(value, zone).cast("timestamp(6)")
        return _timezone(zone, value).cast("timestamp(6)")


def _instant_in(zone: Any, moment: Any) -> Any:
    """The instant at which the clocks of a zone, or at an offset from UTC, show a time."""
    import ibis

    hours, minutes = (zone.re_extract(_OFFSET, place).try_cast("int64").fill_null(0) for place in (2, 3))
    behind = ibis.ifelse(zone.re_extract(_OFFSET, 1) == "-", 1, -1) * (hours * 60 + minutes) * 60_000_000
    return ibis.ifelse(zone.re_search(_OFFSET), _instant(_moment(_epoch_us(moment) + behind)), _timezone_of(zone, moment))


def zone_name(text: Any) -> ir.Value:
    """Return texts that name a time zone (Europe/Berlin) or an offset from UTC (+02:00); null for others.

    Parameters
    ----------
    text : ibis.expr.types.StringValue
        A stripped and given column, on DuckDB.
    """
    import ibis

    # As a pattern: the engine compares a text with every item of a list.
    known = names_pattern(frozenset(zoneinfo.available_timezones() - {*_UNKNOWN_ZONES}))
    fits = text.re_search(f"^(?:{known})$|{_OFFSET}")
    return ibis.cases((fits, text), (text == "Z", "UTC"), else_=ibis.null("string"))


def is_zone(text: str) -> bool:
    """Say whether a text is one that :func:`zone_name` takes.

    Examples
    --------
    >>> is_zone("Europe/Berlin"), is_zone("+02:00"), is_zone("CEST")
    (True, True, False)
    """
    return text in zoneinfo.available_timezones() - {*_UNKNOWN_ZONES} or text == "Z" or re.search(_OFFSET, text) is not None


def cell_form(section: TableSection) -> str | None:
    """Return the strptime form in which days of a workbook that stand beside texts are to be written; None: ISO.

    Examples
    --------
    >>> cell_form(TableSection("orders", date_format="%d/%m/%Y")), cell_form(TableSection("orders", date_format="excel"))
    ('%d/%m/%Y', None)
    """
    return None if section.month_language or section.date_format in COUNTED else section.date_format


def check_date_format(con: BaseBackend, section: TableSection, where: str) -> None:
    """Let the engine try the form of days, and CLDR the language of their months.

    Raises
    ------
    DescriptorError
        DuckDB does not know the form, or CLDR has no months in the language.
    """
    language, form = section.month_language, section.date_format
    if language and not (is_language(language) and month_names(language)):
        raise DescriptorError.must_be(
            f"{where}: [{section.table}] month_language", 'a code of a language whose months have names, such as "de"', language
        )
    if form is None or form in COUNTED:
        return
    import duckdb
    import ibis

    tried = without_language(form) if language else tidy(form)
    zoned = "%z" in tried or "%Z" in tried
    try:
        con.to_pyarrow(_try_strptime(ibis.literal("x"), tried, zoned=zoned))
    except duckdb.Error as error:
        reason = str(error).splitlines()[0].rpartition(": ")[0].rpartition(": ")[2] or "it is not known"
        raise DescriptorError.no_date_format(where, section.table, form, f"{reason}.") from error


def _by_month(language: str) -> dict[int, tuple[str, ...]]:
    """The names of each month. A name that is part of another's, such as tháng 1 of tháng 12, comes after it."""
    names = month_names(language)
    return {month: tuple(name for name in names if names[name] == month) for month in range(12, 0, -1)}


def _ifelse(condition: Any, value: Any) -> Any:
    import ibis

    return ibis.ifelse(condition, value, ibis.null(value.type()))


def _micros(moment: dt.datetime) -> int:
    return (moment - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)


# Functions that the engine has and Ibis has no expression for. The bodies are never run: Ibis reads the signature.


def _moment(micros: Any) -> Any:
    import ibis
    from ibis.expr import datatypes as types

    def make_timestamp(micros): ...  # type: ignore[no-untyped-def]

    return ibis.udf.scalar.builtin(make_timestamp, signature=((types.int64,), types.Timestamp(scale=6)))(micros)


def _epoch_us(moment: Any) -> Any:
    import ibis
    from ibis.expr import datatypes as types

    def epoch_us(moment): ...  # type: ignore[no-untyped-def]

    return ibis.udf.scalar.builtin(epoch_us, signature=((types.timestamp,), types.int64))(moment)


def _nfc(text: Any) -> Any:
    import ibis
    from ibis.expr import datatypes as types

    def nfc_normalize(text): ...  # type: ignore[no-untyped-def]

    return ibis.udf.scalar.builtin(nfc_normalize, signature=((types.string,), types.string))(text)


def _try_strptime(text: Any, form: str, *, zoned: bool) -> Any:
    import ibis
    from ibis.expr import datatypes as types

    def try_strptime(text, form): ...  # type: ignore[no-untyped-def]

    signature = ((types.string, types.string), types.Timestamp("UTC") if zoned else types.timestamp)
    return ibis.udf.scalar.builtin(try_strptime, signature=signature)(text, form)


def _timezone(zone: str, value: Any) -> Any:
    import ibis
    from ibis.expr import datatypes as types

    def timezone(zone, value): ...  # type: ignore[no-untyped-def]

    signature = ((types.string, types.Timestamp("UTC")), types.timestamp)
    return ibis.udf.scalar.builtin(timezone, signature=signature)(zone, value)


def _timezone_of(zone: Any, moment: Any) -> Any:
    import ibis
    from ibis.expr import datatypes as types

    def timezone(zone, value): ...  # type: ignore[no-untyped-def]

    signature = ((types.string, types.timestamp), types.Timestamp("UTC"))
    return ibis.udf.scalar.builtin(timezone, signature=signature)(zone, moment)


def _instant(moment: Any) -> Any:
    import ibis

    return _timezone_of(ibis.literal("UTC"), moment)


def _from_utc_timestamp(value: Any, zone: str) -> Any:
    import ibis
    from ibis.expr import datatypes as types

    def from_utc_timestamp(value, zone): ...  # type: ignore[no-untyped-def]

    signature = ((types.Timestamp("UTC"), types.string), types.timestamp)
    return ibis.udf.scalar.builtin(from_utc_timestamp, signature=signature)(value, zone)

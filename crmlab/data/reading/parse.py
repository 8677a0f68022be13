"""Reads values: text as identifiers, days, amounts and yes or no. What cannot be read for sure becomes null.

Nothing is guessed. ``12,50`` with a decimal point is no amount (and not 1250), ``24-01-31`` is no day, and a time that
carries a zone is brought into the data set's. Rows whose value became null are counted by :mod:`crmlab.data.reading.cleaning`.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from crmlab.data.descriptor import Descriptor, TableSection
from crmlab.data.tables import KIND_WORDS, Column, TableSpec
from crmlab.errors import DataError, DescriptorError

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends import BaseBackend

__all__ = ["LARGEST", "MONEY", "NOTHING", "UNIT_PRICE", "Parser", "check_date_format"]


_TRUE = ("1", "true", "t", "yes", "y", "ja", "j", "oui", "o", "si", "sí", "s")
_FALSE = ("0", "false", "f", "no", "n", "nein", "non")
# What programs write where there is nothing.
NOTHING = ("null", "(null)", "\\n", "nan", "nat", "none", "<na>", "#n/a", "n/a")
# Blanks of every kind, as they come with texts copied from pages and spreadsheets.
_BLANKS = " \t\n\r\v\f\x85\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b"
_BLANKS += "\u2028\u2029\u202f\u205f\u3000\ufeff"
_BLANK = r"[\s\v\x{85}\p{Z}\x{200b}\x{feff}]"
_DAY = r"[0-9]{4}(-[0-9]{1,2}-|/[0-9]{1,2}/)[0-9]{1,2}"
_CLOCK = r"[T ][0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
_PLAIN_TIME = rf"^{_DAY}({_CLOCK})?$"
_ZONED_TIME = rf"^{_DAY}{_CLOCK} ?(Z|z|UTC|GMT|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)$"
_GAP = r"[ \x{00a0}\x{202f}\x{2009}]"
_CURRENCY = r"(?:[A-Z]{0,3}\p{Sc}|[A-Z]{3}|kr|zł|Kč|Ft|Fr)"


# Money that a programme wrote, and money that a person reads: signs of currency, groups of three digits, (12.50) and 12.50-.


def _amounts(point: str, group: str) -> tuple[str, str]:
    """The patterns of amounts that a program wrote, and of those that a person reads, for a decimal sign."""
    plain = rf"[+-]?([0-9]+({point}[0-9]*)?|{point}[0-9]+)([eE][+-]?[0-9]{{1,2}})?"
    groups = "|".join(rf"(?:{sign}[0-9]{{3}})+" for sign in (group, _GAP, "['’]"))
    digits = rf"(?:(?:[0-9]+|[1-9][0-9]{{0,2}}(?:{groups}))(?:{point}[0-9]*)?|{point}[0-9]+)"
    sign, amount = r"[+\-−]", rf"{_GAP}*{_CURRENCY}?{_GAP}*{digits}{_GAP}*{_CURRENCY}?{_GAP}*"
    forms = (
        rf"{sign}?{amount}",  # -€ 12.50
        rf"{_CURRENCY}{_GAP}*{sign}{_GAP}*{digits}",  # € -12.50
        rf"\({amount}\)",  # (12.50)
        rf"{_CURRENCY}?{_GAP}*{digits}{_GAP}*-",  # 12.50-
    )
    return f"^{plain}$", f"^(?:{'|'.join(forms)})$"


_AMOUNTS = {".": _amounts(r"\.", ","), ",": _amounts(",", r"\.")}
MONEY = "decimal(18, 4)"
LARGEST = "99999999999999.9999"
# A price may be a fraction of a cent: screws, grams, clicks. Times a quantity it is exact within 38 digits on every engine.
UNIT_PRICE = "decimal(18, 8)"


class Parser:
    """Reads the columns of one table of a source.

    Parameters
    ----------
    spec : TableSpec
        The canonical table to be made.
    section : TableSection
        Says how days and decimals are written.
    descriptor : Descriptor
        Says which time zone holds.
    backend : str
        Name of the Ibis backend: on DuckDB texts are read, in a database values must have a type.
    """

    def __init__(self, spec: TableSpec, section: TableSection, descriptor: Descriptor, backend: str) -> None:
        self.spec, self.section, self.descriptor, self.backend = spec, section, descriptor, backend

    def stripped(self, value: Any) -> ir.Value:
        """Return a source's column without blanks around texts."""
        return _trim(self.backend, value) if value.type().is_string() else value

    def given(self, value: Any) -> ir.Value:
        """Return a stripped column with null where nothing is given: no text, NaN, a word for nothing."""
        kind = value.type()
        if kind.is_string():
            short = value.length() <= max(map(len, NOTHING))
            return _ifelse(~((value == "") | (short & value.lower().isin(NOTHING))), value)
        return _ifelse(~value.isnan(), value) if kind.is_floating() else value

    def parse(self, column: Column, value: Any) -> ir.Value:
        """Return the canonical value of a stripped and given column: null where it cannot be read.

        Raises
        ------
        DataError
            The column has a type that cannot hold such values.
        """
        parser = {"text": self._text, "time": self._time, "date": self._date, "flag": self._flag}
        return parser.get(column.kind, self._decimal)(column, value)

    def _wrong(self, column: Column, value: Any) -> DataError:
        article = "an" if column.kind == "money" else "a"
        expected = KIND_WORDS[column.kind] if column.kind in ("text", "flag") else f"{article} {KIND_WORDS[column.kind]}"
        return DataError.must_hold(
            self.spec.name,
            column.name,
            expected,
            f"type {value.type()}",
            f"Map another column in {self.descriptor.where} under [{self.spec.name}].",
        )

    def _text(self, column: Column, value: Any) -> ir.Value:
        import ibis

        kind = value.type()
        if kind.is_string():
            return value
        if kind.is_floating():
            # Ids are whole where a column of them once had gaps: 17850.0. Beyond 2^53 a float no longer tells ids apart.
            exact = value.abs() < 2.0**53
            small = ibis.ifelse(exact, value, 0.0)
            written = ibis.ifelse(small == small.round(0), small.round(0).cast("int64").cast("string"), small.cast("string"))
            return _ifelse(exact, written)
        if kind.is_decimal() and kind.scale != 0:
            whole = value.cast("decimal(38, 0)")
            return ibis.ifelse(value == whole.cast(kind), whole.cast("string"), value.cast("string"))
        if kind.is_integer() or kind.is_decimal() or kind.is_uuid() or kind.is_boolean():
            return value.cast("string")
        raise self._wrong(column, value)

    def _time(self, column: Column, value: Any) -> ir.Value:
        kind = value.type()
        form = self.section.date_format
        if kind.is_timestamp():
            moment = self._local(value) if kind.timezone is not None else value.cast("timestamp(6)")
        elif kind.is_date():
            moment = value.cast("timestamp(6)")
        elif self.backend != "duckdb" or not (kind.is_string() or (kind.is_numeric() and form)):
            raise self._wrong(column, value)
        else:
            text = self._text(column, value)
            moment = self._strptime(text, form) if form else self._iso(text)
        # No calendar of Python reaches further, and no order either: infinity, 0044-03-15 (BC).
        first, last = dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999)
        return _ifelse((moment >= first) & (moment <= last), moment)

    def _iso(self, text: Any) -> Any:
        import ibis

        plain, zoned = text.re_search(_PLAIN_TIME), text.re_search(_ZONED_TIME)
        # DuckDB wants seconds, and the offset right beside them.
        offset = text.re_replace(r" ?(z|Z|UTC|GMT)$", "+00").re_replace(r" ([+-][0-9:]+)$", r"\1")
        offset = offset.re_replace(r"([T ][0-9]{1,2}:[0-9]{2})([+-])", r"\1:00\2")
        return ibis.cases(
            (plain, text.try_cast("timestamp(6)")),
            (zoned, self._local(offset.try_cast("timestamp('UTC')"))),
            else_=ibis.null("timestamp(6)"),
        )

    def _strptime(self, text: Any, form: str) -> Any:
        if "%z" in form or "%Z" in form:
            return self._local(_try_strptime(text, form, zoned=True))
        return _try_strptime(text, form, zoned=False).cast("timestamp(6)")

    def _local(self, value: Any) -> Any:
        """The wall clock of the data set's time zone at an instant."""
        zone = self.descriptor.timezone
        if self.backend == "pyspark":
            return _from_utc_timestamp(value, zone).cast("timestamp(6)")
        return _timezone(zone, value).cast("timestamp(6)")

    def _date(self, column: Column, value: Any) -> ir.Value:
        return self._time(column, value).date()

    def _decimal(self, column: Column, value: Any) -> ir.Value:
        target = UNIT_PRICE if column.name == "unit_price" else MONEY
        kind = value.type()
        if kind.is_numeric() and not kind.is_boolean():
            return self._to_decimal(value, target)
        if self.backend != "duckdb" or not kind.is_string():
            raise self._wrong(column, value)
        import ibis

        sign = self.section.decimal
        by_program, by_people = _AMOUNTS[sign]
        text = value
        plain = text.replace(",", ".") if sign == "," else text
        digits = text.re_replace(rf"[^0-9{sign}]", "")
        written = (digits.replace(",", ".") if sign == "," else digits).try_cast(target)
        return ibis.cases(
            (text.re_search(by_program), plain.try_cast(target)),
            (text.re_search(by_people), ibis.ifelse(text.re_search(r"[-−(]"), -written, written)),
            else_=ibis.null(target),
        )

    def product(self, quantity: Any, price: Any) -> Any:
        """Quantity × price as an exact amount; null where it is too large."""
        if self.backend != "duckdb":
            return self._to_decimal(quantity * price, MONEY)
        import ibis

        # DuckDB multiplies such decimals within 18 digits, 12 of them behind the point, and fails where they do not suffice.
        # More digits are many times slower, and few lines need them.
        size = (quantity.cast("float64") * price.cast("float64")).abs()
        quick = (quantity * price).try_cast(MONEY)
        wide = (quantity.cast("decimal(26, 8)") * price.cast("decimal(26, 8)")).try_cast(MONEY)
        return ibis.cases((size < 900_000, quick), (size < 2e14, wide), else_=ibis.null(MONEY))

    def _to_decimal(self, value: Any, target: str) -> Any:
        """A number as exact decimals; null where it is too large or no number."""
        if self.backend in ("duckdb", "pyspark"):
            return value.try_cast(target)
        import decimal

        # Postgres has no cast that gives null. NaN is above every number there.
        largest = decimal.Decimal(LARGEST if target == MONEY else "9999999999.9999")
        return _ifelse(value.abs() <= largest, value).cast(target)

    def _flag(self, column: Column, value: Any) -> ir.Value:
        import ibis

        kind = value.type()
        if kind.is_boolean():
            return value
        if kind.is_numeric():
            return ibis.cases((value == 1, True), (value == 0, False), else_=ibis.null("boolean"))
        if not kind.is_string():
            raise self._wrong(column, value)
        text = value.lower()
        return ibis.cases((text.isin(_TRUE), True), (text.isin(_FALSE), False), else_=ibis.null("boolean"))


def check_date_format(con: BaseBackend, section: TableSection, where: str) -> None:
    """Let DuckDB try the form of days.

    Raises
    ------
    DescriptorError
        DuckDB does not know it.
    """
    if section.date_format is None:
        return
    import duckdb
    import ibis

    zoned = "%z" in section.date_format or "%Z" in section.date_format
    try:
        con.to_pyarrow(_try_strptime(ibis.literal("x"), section.date_format, zoned=zoned))
    except duckdb.Error as error:
        reason = str(error).splitlines()[0].rpartition(": ")[0].rpartition(": ")[2] or "it is not known"
        raise DescriptorError.no_date_format(where, section.table, section.date_format, f"{reason}.") from error


def _ifelse(condition: Any, value: Any) -> Any:
    import ibis

    return ibis.ifelse(condition, value, ibis.null(value.type()))


# Functions that the engine has and Ibis has no expression for. The bodies are never run: Ibis reads the signature.


def _trim(backend: str, value: Any) -> Any:
    import ibis
    from ibis.expr import datatypes as types

    def btrim(text, characters): ...  # type: ignore[no-untyped-def]

    signature = ((types.string, types.string), types.string)
    if backend != "duckdb":
        return ibis.udf.scalar.builtin(btrim, signature=signature)(value, _BLANKS)
    # DuckDB compares every character with all of these: only where there is something to take off.
    trimmed = ibis.udf.scalar.builtin(btrim, name="trim", signature=signature)(value, _BLANKS)
    return ibis.ifelse(value.re_search(rf"^{_BLANK}|{_BLANK}$"), trimmed, value)


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


def _from_utc_timestamp(value: Any, zone: str) -> Any:
    import ibis
    from ibis.expr import datatypes as types

    def from_utc_timestamp(value, zone): ...  # type: ignore[no-untyped-def]

    signature = ((types.Timestamp("UTC"), types.string), types.timestamp)
    return ibis.udf.scalar.builtin(from_utc_timestamp, signature=signature)(value, zone)

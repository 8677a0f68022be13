"""Reads values: text as identifiers, days, amounts and yes or no. What cannot be read for sure becomes null.

Nothing is guessed. ``12,50`` with a decimal point is no amount (and not 1250), ``24-01-31`` is no day, and a time that
carries a zone is brought into the data set's. Rows whose value became null are counted by :mod:`crmlab.data.reading.cleaning`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from crmlab.data.descriptor import Descriptor
from crmlab.data.reading.ids import whole
from crmlab.data.reading.signs import separated, tidied
from crmlab.data.reading.times import Times, zone_name
from crmlab.data.table_section import TableSection
from crmlab.data.tables import KIND_WORDS, Column, TableSpec
from crmlab.data.written import amount_forms
from crmlab.errors import DataError

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir

__all__ = ["FALSE", "LARGEST", "MONEY", "NOTHING", "TRUE", "UNIT_PRICE", "Parser"]


TRUE = ("1", "true", "t", "yes", "y", "ja", "j", "oui", "o", "si", "sí", "s")
FALSE = ("0", "false", "f", "no", "n", "nein", "non")
# What programs write where there is nothing.
NOTHING = ("null", "(null)", "\\n", "nan", "nat", "none", "<na>", "#n/a", "n/a")
# Blanks of every kind, as they come with texts copied from pages and spreadsheets.
_BLANKS = " \t\n\r\v\f\x85\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b"
_BLANKS += "\u2028\u2029\u202f\u205f\u3000\ufeff"
_BLANK = r"[\s\v\x{85}\p{Z}\x{200b}\x{feff}]"
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
        self.times = Times(section, descriptor, backend)

    def stripped(self, value: Any) -> ir.Value:
        """Return a source's column without blanks around texts."""
        return _trim(self.backend, value) if value.type().is_string() else value

    def given(self, value: Any, name: str = "") -> ir.Value:
        """Return a stripped column with null where nothing is given: no text, NaN, a word for nothing.

        Parameters
        ----------
        value : ibis.expr.types.Value
            The column.
        name : str
            Its canonical name. Where ``missing`` has a list for it, that list holds and the usual words are values.
        """
        words, kind = self.section.missing.get(name), value.type()
        if kind.is_string():
            nothing = NOTHING if words is None else tuple({word.strip().lower() for word in words} - {""})
            short = value.length() <= max(map(len, nothing), default=0)
            return _ifelse(~((value == "") | (short & value.lower().isin(nothing) if nothing else False)), value)
        if kind.is_floating():
            value = _ifelse(~value.isnan(), value)
        typed = list(filter(None, (_as_typed(word, kind) for word in words or ())))
        return _ifelse(~value.isin(typed), value) if typed else value

    def with_given(self, table: ibis.Table, columns: Mapping[str, str], *, heal: bool) -> ibis.Table:
        """Return a table in which stripped columns hold null where nothing is given, and ids as they were before they were floats.

        Parameters
        ----------
        table : ibis.Table
        columns : mapping
            Canonical name → name in the table.
        heal : bool
            Whether the source is no database: elsewhere ids become floats (17850.0) where a column has gaps.
        """
        given = table.mutate(**{own: self.given(table[own], name) for name, own in columns.items()})
        ids = [own for name, own in columns.items() if name.endswith("_id")] if heal else []
        return given.mutate(**whole(given, ids))

    def parse(self, column: Column, value: Any, zone: Any = None) -> ir.Value:
        """Return the canonical value of a stripped and given column: null where it cannot be read.

        Parameters
        ----------
        column : Column
            What is to be made.
        value : ibis.expr.types.Value
            The source's column.
        zone : ibis.expr.types.Value, optional
            The source's column of time zones, stripped and given: times without an offset are in the zone of their row.

        Raises
        ------
        DataError
            The column has a type that cannot hold such values.
        """
        if column.name == "time_zone":
            return self._zone(column, value)
        if column.kind in ("time", "date"):
            own = None if zone is None else zone_name(zone)
            return self._time(column, value, own) if column.kind == "time" else self._date(column, value, own)
        parser: dict[str, Callable[[Column, Any], ir.Value]] = {
            "text": self._text,
            "flag": self._flag,
            "measure": self._measure,
        }
        return parser.get(column.kind, self._decimal)(column, value)

    def _zone(self, column: Column, value: Any) -> ir.Value:
        if self.backend == "duckdb" and value.type().is_string():
            return zone_name(value)
        advice = "Zones are read row by row from files and DuckDB only; elsewhere let a view bring the times into one zone."
        raise self._wrong(column, value, advice if self.backend != "duckdb" else "")

    def _wrong(self, column: Column, value: Any, hint: str = "") -> DataError:
        article = "an" if column.kind == "money" else "a"
        expected = KIND_WORDS[column.kind] if column.kind in ("text", "flag") else f"{article} {KIND_WORDS[column.kind]}"
        return DataError.must_hold(
            self.spec.name,
            column.name,
            expected,
            f"type {value.type()}",
            hint or f"Map another column in {self.descriptor.where} under [{self.spec.name}].",
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

    def _time(self, column: Column, value: Any, zone: Any = None) -> ir.Value:
        kind = value.type()
        if kind.is_timestamp() or kind.is_date():
            return self.times.read(value, zone)
        if kind.is_numeric() and not kind.is_boolean() and self.backend == "duckdb":
            if self.section.date_format is None:
                forms = 'date_format = "epoch" (seconds since 1970), "epoch_ms" or "excel" (days of a spreadsheet)'
                place = f"in {self.descriptor.where} under [{self.spec.name}]"
                raise self._wrong(column, value, f"If these numbers are times, add {forms}. Else map another column {place}.")
            return self.times.read(value if self.times.counted else self._text(column, value), zone)
        if self.backend != "duckdb" or not kind.is_string():
            raise self._wrong(column, value)
        return self.times.read(value, zone)

    def _date(self, column: Column, value: Any, zone: Any = None) -> ir.Value:
        return self._time(column, value, zone).date()

    def _decimal(self, column: Column, value: Any) -> ir.Value:
        target = UNIT_PRICE if column.name == "unit_price" else MONEY
        return self._of_cents(column, self._number(column, value, target), target)

    def _of_cents(self, column: Column, amount: Any, target: str) -> Any:
        """An amount in units of the currency, exactly."""
        import ibis

        if column.kind != "money" or self.section.amounts_in != "cents":
            return amount
        wide = amount.cast(target.replace("18", "26"))  # as in product
        return (wide * ibis.literal(Decimal("0.01"), "decimal(3, 2)")).try_cast(target)

    def _number(self, column: Column, value: Any, target: str) -> Any:
        kind = value.type()
        if kind.is_numeric() and not kind.is_boolean():
            return self._to_decimal(value, target)
        if self.backend != "duckdb" or not kind.is_string():
            raise self._wrong(column, value)
        import ibis

        sign = self.section.decimal
        by_program, by_people = amount_forms(sign)

        def of_people(text: Any) -> tuple[Any, Any]:
            digits = text.re_replace(rf"[^0-9{sign}]", "")
            written = (digits.replace(",", ".") if sign == "," else digits).try_cast(target)
            return text.re_search(by_people), ibis.ifelse(text.re_search(r"[-−(]"), -written, written)

        plain = value.replace(",", ".") if sign == "," else value
        return ibis.cases(
            (value.re_search(by_program), plain.try_cast(target)),
            of_people(value),
            of_people(separated(tidied(value), sign)),  # only what cannot be read as it stands
            else_=ibis.null(target),
        )

    def _measure(self, column: Column, value: Any) -> ir.Value:
        """A number with all its digits, or yes or no as 1 or 0."""
        kind = value.type()
        if kind.is_boolean():
            return value.cast("float64")
        if kind.is_numeric():
            number = value.cast("float64")
            return _ifelse(~(number.isnan() | number.isinf()), number)
        return self._number(column, value, "float64").fill_null(self._flag(column, value).cast("float64"))

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
        text = value.lower().re_replace(r"^([01])[.,]0+$", r"\1")  # 1.0 was a number once
        return ibis.cases((text.isin(TRUE), True), (text.isin(FALSE), False), else_=ibis.null("boolean"))


def _as_typed(word: str, kind: Any) -> Any:
    """A text that stands for nothing, as a value of a column's type; None where it cannot be one."""
    try:
        if kind.is_numeric() and not kind.is_boolean():
            return Decimal(word) if kind.is_decimal() else float(word)
        return (
            dt.datetime.fromisoformat(word) if kind.is_timestamp() else dt.date.fromisoformat(word) if kind.is_date() else None
        )
    except (ValueError, ArithmeticError):
        return None


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

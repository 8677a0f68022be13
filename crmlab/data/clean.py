"""Brings a source's columns into canonical form, and counts what does not fit.

Nothing is dropped silently: every row of a source is either kept or counted in the ledger under one reason, with what
it added up to. A value that cannot be read is an error that names its row, unless the data set says
``bad_rows = "drop"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crmlab.data.catalog import Descriptor, TableSection
from crmlab.data.tables import KIND_WORDS, ORDER_LINES, Column, TableSpec
from crmlab.errors import DataError

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir

# Reasons for dropping a row, in the order in which they are asked; the first that holds counts.
REASONS = {
    "unreadable": "a value is missing or cannot be read",
    "no_customer": "no customer",
    "not_product": "not a product",
    "return_line": "a return, and returns are dropped",
    "free_order": "free of charge, and free orders are ignored",
    "duplicate": "the same row again",
}

_TRUE = ("1", "true", "t", "yes", "y", "ja", "j", "oui", "o", "si", "sí", "s")
_FALSE = ("0", "false", "f", "no", "n", "nein", "non")
_GROUPED = r"^[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?$"


@dataclass(frozen=True)
class Cleaning:
    """A source on its way to canonical form: one row per source row.

    ``table`` has the canonical columns, ``_row`` (place in the source, from 1), ``_reason`` (why the row is dropped; null
    where it is kept) and ``_bad_<column>`` flags (a value is there and cannot be read).
    """

    spec: TableSpec
    section: TableSection
    table: ibis.Table
    raw: ibis.Table
    mapping: Mapping[str, str]

    def kept(self) -> ibis.Table:
        """The rows that are kept, with the canonical columns (and attributes) only."""
        table = self.table.filter(self.table["_reason"].isnull())
        canonical = [column.name for column in self.spec.columns if column.name in table.columns]
        further = [name for name in table.columns if name not in canonical and not name.startswith("_")]
        return table.select(*canonical, *further)


def clean(spec: TableSpec, section: TableSection, raw: ibis.Table, descriptor: Descriptor) -> Cleaning:
    """Plan the way from a source's columns to a canonical table. Nothing is computed yet.

    Parameters
    ----------
    spec : TableSpec
        The canonical table to make.
    section : TableSection
        The mapping and reading options.
    raw : ibis.Table
        The source as it is. On DuckDB, text columns are parsed; in a database they must have the right type.
    descriptor : Descriptor
        The rules of the data set.

    Returns
    -------
    Cleaning

    Raises
    ------
    DataError
        A required column is missing or of a type that cannot be read.
    """
    import ibis

    mapping = resolve_columns(spec, section, list(raw.columns), descriptor.where)
    parsed: dict[str, ir.Value] = {}
    bad: dict[str, ir.BooleanValue] = {}
    for column in spec.columns:
        if column.name in mapping:
            value = _Parser(spec, section, descriptor, raw).parse(column, raw[mapping[column.name]])
            parsed[column.name] = value
            bad[column.name] = raw[mapping[column.name]].notnull() & value.isnull()
    if spec.name == "orders" and "order_id" not in parsed:
        parsed["order_id"] = (_row(raw) + 1).cast("string").lpad(9, "0")
    if spec is ORDER_LINES and "amount" not in parsed:
        parsed["amount"] = (parsed["quantity"] * parsed["unit_price"]).cast("decimal(18, 4)")
    attributes = _attributes(spec, section, raw, mapping)
    columns = {**parsed, **{f"_bad_{name}": flag for name, flag in bad.items()}, **attributes}
    table = raw.select(**columns, _row=_row(raw) + 1)
    table = table.mutate(_reason=_reason(spec, table, descriptor))
    if descriptor.duplicates == "drop":
        keys = [name for name in table.columns if not name.startswith("_")]
        again = ibis.row_number().over(group_by=[table[name] for name in keys], order_by=table["_row"]) > 0
        table = table.mutate(_reason=ibis.ifelse(table["_reason"].isnull() & again, "duplicate", table["_reason"]))
    return Cleaning(spec, section, table, raw, mapping)


def resolve_columns(spec: TableSpec, section: TableSection, found: list[str], where: str) -> dict[str, str]:
    """Say which column of the source each canonical column comes from.

    A column that is not mapped is looked for under its canonical name.

    Raises
    ------
    DataError
        A mapped column is not in the source, or a required one is neither mapped nor there.
    """
    mapping = {}
    for column in spec.columns:
        mapped = section.columns.get(column.name)
        if mapped is not None and mapped not in found:
            raise DataError.mapped_to_nothing(spec.name, column.name, mapped, found, where)
        if mapped is not None or column.name in found:
            mapping[column.name] = mapped or column.name
    for column in spec.columns:
        if column.required and column.name not in mapping and not _derivable(spec, column, mapping):
            raise DataError.missing_column(spec.name, column.name, found, where)
    return mapping


def _derivable(spec: TableSpec, column: Column, mapping: Mapping[str, str]) -> bool:
    if spec is ORDER_LINES and column.name == "amount":
        return {"quantity", "unit_price"} <= set(mapping)
    # One row of an orders file is one order unless it says otherwise. Products may lack names and categories.
    return (spec.name, column.name) == ("orders", "order_id")


def _row(raw: ibis.Table) -> ir.IntegerValue:
    """The place of each row in its source, from 0. A database has no order of its own: there it is by value."""
    import ibis

    if raw.get_backend().name == "duckdb":
        return raw.rowid()
    return ibis.row_number().over(order_by=[raw[name] for name in raw.columns])


def _attributes(spec: TableSpec, section: TableSection, raw: ibis.Table, mapping: Mapping[str, str]) -> dict[str, ir.Value]:
    """The further columns of a customers table, without the personal ones."""
    if not spec.attributes:
        return {}
    taken = {*mapping.values(), *section.personal}
    wanted = section.attributes if section.attributes is not None else raw.columns
    canonical = {column.name for column in spec.columns}
    return {name: raw[name] for name in wanted if name in raw.columns and name not in taken and name not in canonical}


def _reason(spec: TableSpec, table: ibis.Table, descriptor: Descriptor) -> ir.Value:
    import ibis

    flags = [table[name] for name in table.columns if name.startswith("_bad_")]
    unreadable: Any = ibis.literal(False)
    for flag in flags:
        unreadable = unreadable | flag
    for column in spec.columns:
        if not column.nullable and column.name in table.columns and column.name != "customer_id":
            unreadable = unreadable | table[column.name].isnull()
    cases: list[tuple[Any, str]] = [(unreadable, "unreadable")]
    if "customer_id" in table.columns:
        cases.append((table["customer_id"].isnull(), "no_customer"))
    if "product_id" in table.columns and descriptor.not_products:
        codes = [code.strip().upper() for code in descriptor.not_products]
        cases.append((table["product_id"].upper().isin(codes), "not_product"))
    if descriptor.returns == "drop" and spec.column("amount") is not None:
        is_return = table["amount"] < 0
        if "quantity" in table.columns:
            is_return = is_return | (table["quantity"] < 0)
        cases.append((is_return, "return_line"))
    if descriptor.free_orders == "ignore" and spec.name == "orders":
        cases.append((free(table), "free_order"))
    return ibis.cases(*cases, else_=ibis.null("string"))


@dataclass(frozen=True)
class LedgerRow:
    """What became of some rows of a source: kept (``reason`` None) or dropped, how many, what they add up to.

    ``examples`` are at most three rows as text, with ids and without attributes of people.
    """

    table: str
    reason: str | None
    rows: int
    amount: str | None = None
    examples: tuple[Mapping[str, str], ...] = ()


def problems(cleaning: Cleaning, where: str) -> list[DataError]:
    """Say which columns hold values that cannot be read or are missing, with the first row of each.

    One query over the source; a second one, for the value, only where there is a problem.
    """
    spec, table = cleaning.spec, cleaning.table
    checks: dict[str, tuple[Column, ir.BooleanValue]] = {}
    for column in spec.columns:
        if f"_bad_{column.name}" in table.columns:
            checks[f"bad_{column.name}"] = (column, table[f"_bad_{column.name}"])
        if not column.nullable and column.name in cleaning.mapping and column.name != "customer_id":
            checks[f"no_{column.name}"] = (column, table[column.name].isnull() & ~table[f"_bad_{column.name}"])
    aggregates = {"n": table.count()}
    for name, (_, flag) in checks.items():
        aggregates[f"{name}_n"] = flag.sum().fill_null(0)
        aggregates[f"{name}_row"] = table["_row"].min(where=flag)
    found = table.aggregate(**aggregates).to_pyarrow().to_pylist()[0]
    result = []
    for name, (column, _) in checks.items():
        count = int(found[f"{name}_n"])
        if count:
            row = int(found[f"{name}_row"])
            value = "an empty cell" if name.startswith("no_") else _value_at(cleaning, column, row)
            hint = _hint(column, cleaning.section, where, everything=count == found["n"])
            word = KIND_WORDS[column.kind]
            result.append(DataError.unparsable(spec.name, column.name, word, count, int(found["n"]), row, value, hint))
    return result


def missing_customers(cleaning: Cleaning) -> int:
    """Count the rows without a customer."""
    return int(cleaning.table.filter(cleaning.table["customer_id"].isnull()).count().execute())


def ledger(cleaning: Cleaning) -> list[LedgerRow]:
    """Count the rows of a source by what became of them; the counts add up to the rows read."""
    table = cleaning.table
    aggregates: dict[str, Any] = {"rows": table.count()}
    if "amount" in table.columns:
        aggregates["amount"] = table["amount"].sum()
    found = table.group_by("_reason").agg(**aggregates).to_pyarrow().to_pylist()
    by_reason = {row["_reason"]: row for row in found}
    result = []
    for reason in (None, *REASONS):
        if reason in by_reason:
            row = by_reason[reason]
            amount = row.get("amount")
            shown = () if reason is None else _examples(cleaning, reason)
            result.append(
                LedgerRow(cleaning.spec.name, reason, int(row["rows"]), None if amount is None else str(amount), shown)
            )
    return result


def _examples(cleaning: Cleaning, reason: str) -> tuple[Mapping[str, str], ...]:
    table = cleaning.table
    columns = [column.name for column in cleaning.spec.kept if column.name in table.columns]
    rows = table.filter(table["_reason"] == reason).order_by("_row").limit(3).select("_row", *columns)
    return tuple(
        {"row": str(row.pop("_row")), **{key: "" if value is None else str(value) for key, value in row.items()}}
        for row in rows.to_pyarrow().to_pylist()
    )


def _value_at(cleaning: Cleaning, column: Column, row: int) -> Any:
    source = cleaning.raw
    value = source.select(_row=_row(source) + 1, value=source[cleaning.mapping[column.name]])
    return value.filter(value["_row"] == row).to_pyarrow().to_pylist()[0]["value"]


def _hint(column: Column, section: TableSection, where: str, *, everything: bool) -> str:
    place = f"[{section.table}] of {where}"
    drop = f'Correct the file, or set bad_rows = "drop" at the top of {where} to drop and count such rows.'
    if column.kind in ("time", "date"):
        form = section.date_format or "%d/%m/%Y"
        named = f'"{form}" does not fit: correct date_format' if section.date_format else f'Add date_format = "{form}"'
        return f"{named} in {place}." if everything else f"{named} in {place} if days look like that. {drop}"
    if column.kind in ("money", "number") and section.decimal == ".":
        return f'If amounts look like 1.234,50 add decimal = "," to {place}. {drop}'
    return drop


def free(orders: ibis.Table) -> ir.BooleanValue:
    """Whether each order was free of charge: it adds up to 0 and nothing was returned with it."""
    zero = orders["amount"] == 0
    return zero & (orders["return_amount"].fill_null(0) == 0) if "return_amount" in orders.columns else zero


def derive_orders(lines: ibis.Table) -> ibis.Table:
    """Make orders from order lines: one row per receipt and customer.

    Parameters
    ----------
    lines : ibis.Table
        Canonical order lines.

    Returns
    -------
    ibis.Table
        Canonical orders; ``ordered_at`` is the first line's, ``return_amount`` what the return lines add up to.
    """
    columns = {
        "ordered_at": lines["ordered_at"].min(),
        "amount": lines["amount"].sum().cast("decimal(18, 4)"),
        "return_amount": lines["amount"].sum(where=lines["amount"] < 0).fill_null(0).cast("decimal(18, 4)"),
    }
    if "channel" in lines.columns:
        columns["channel"] = lines["channel"].min()
    return lines.group_by("order_id", "customer_id").agg(**columns)


def derive_products(lines: ibis.Table) -> ibis.Table:
    """Make products from the names that order lines carry: the most frequent name of each, ties by the alphabet."""
    import ibis

    named = {"name": "product_name", "category": "product_category"}
    result = lines.select("product_id").distinct()
    for canonical, given in named.items():
        if given not in lines.columns:
            result = result.mutate(**{canonical: ibis.null("string")})
            continue
        counts = lines.filter(lines[given].notnull()).group_by("product_id", given).agg(n=lambda t: t.count())
        place = ibis.row_number().over(group_by="product_id", order_by=[ibis.desc("n"), ibis.asc(given)])
        best = counts.mutate(place=place).filter(lambda t: t["place"] == 0)
        best = best.select("product_id", **{canonical: best[given]})
        result = result.left_join(best, "product_id").drop("product_id_right")
    return result


class _Parser:
    """Reads the values of one table's columns."""

    def __init__(self, spec: TableSpec, section: TableSection, descriptor: Descriptor, raw: ibis.Table) -> None:
        self.spec, self.section, self.descriptor = spec, section, descriptor
        self.backend = raw.get_backend().name

    def parse(self, column: Column, value: Any) -> ir.Value:
        """Return the canonical value of a source's column: null where it cannot be read."""
        parser = {"text": self._text, "time": self._time, "date": self._date, "flag": self._flag}
        return parser.get(column.kind, self._decimal)(column, value)

    def _wrong(self, column: Column, value: Any) -> DataError:
        article = "an amount" if column.kind == "money" else f"a {KIND_WORDS[column.kind]}"
        return DataError.wrong_type(self.spec.name, column.name, article, f"type {value.type()}", self.descriptor.where)

    def _text(self, column: Column, value: Any) -> ir.Value:
        kind = value.type()
        if kind.is_string():
            return value.strip().nullif("")
        if kind.is_floating():
            import ibis

            whole = value.round(0)
            return ibis.ifelse(value == whole, whole.cast("int64").cast("string"), value.cast("string"))
        if kind.is_decimal() or kind.is_integer() or kind.is_uuid() or kind.is_boolean():
            return value.cast("string")
        raise self._wrong(column, value)

    def _time(self, column: Column, value: Any) -> ir.Value:
        kind = value.type()
        if kind.is_timestamp() and kind.timezone is None:
            return value.cast("timestamp(6)")
        if kind.is_timestamp():
            return self._local(value)
        if kind.is_date():
            return value.cast("timestamp(6)")
        if self.backend != "duckdb" or not (kind.is_string() or (kind.is_integer() and self.section.date_format)):
            raise self._wrong(column, value)
        text = value.cast("string").strip().nullif("")
        if self.section.date_format:
            return _try_strptime(text, self.section.date_format).cast("timestamp(6)")
        import ibis

        zoned = text.re_search(r"(Z|[+-][0-9]{2}:?[0-9]{2})$") & text.contains(":")
        moment = text.try_cast("timestamp(6)")
        return ibis.ifelse(zoned, self._local(text.try_cast("timestamp('UTC')")), moment)

    def _local(self, value: Any) -> ir.Value:
        """The wall clock of the data set's time zone at an instant."""
        if self.backend == "pyspark":
            return _from_utc_timestamp(value, self.descriptor.timezone).cast("timestamp(6)")
        return _timezone(self.descriptor.timezone, value).cast("timestamp(6)")

    def _date(self, column: Column, value: Any) -> ir.Value:
        return self._time(column, value).date()

    def _decimal(self, column: Column, value: Any) -> ir.Value:
        kind = value.type()
        if kind.is_numeric() and not kind.is_boolean():
            return value.try_cast("decimal(18, 4)") if self.backend == "duckdb" else value.cast("decimal(18, 4)")
        if self.backend != "duckdb" or not kind.is_string():
            raise self._wrong(column, value)
        import ibis

        text = value.re_replace(r"[\s\x{00a0}\x{202f}€$£¥']|[A-Z]{3}$", "").nullif("")
        if self.section.decimal == ",":
            plain = text.replace(".", "").replace(",", ".")
        else:
            # A comma counts only where it groups thousands: 1,234.5. "12,50" is a decimal comma and must not become 1250.
            plain = ibis.ifelse(text.re_search(_GROUPED), text.replace(",", ""), text)
        return plain.try_cast("decimal(18, 4)")

    def _flag(self, column: Column, value: Any) -> ir.Value:
        import ibis

        kind = value.type()
        if kind.is_boolean():
            return value
        if kind.is_numeric():
            return value != 0
        if not kind.is_string():
            raise self._wrong(column, value)
        text = value.strip().lower()
        return ibis.cases((text.isin(_TRUE), True), (text.isin(_FALSE), False), else_=ibis.null("boolean"))


# Functions that the engine has and Ibis has no expression for. The bodies are never run: Ibis reads the signature.


def _try_strptime(text: Any, form: str) -> Any:
    import ibis
    from ibis.expr import datatypes as dt

    def try_strptime(text, form): ...  # type: ignore[no-untyped-def]

    signature = ((dt.string, dt.string), dt.timestamp)
    return ibis.udf.scalar.builtin(try_strptime, signature=signature)(text, form)


def _timezone(zone: str, value: Any) -> Any:
    import ibis
    from ibis.expr import datatypes as dt

    def timezone(zone, value): ...  # type: ignore[no-untyped-def]

    signature = ((dt.string, dt.Timestamp("UTC")), dt.timestamp)
    return ibis.udf.scalar.builtin(timezone, signature=signature)(zone, value)


def _from_utc_timestamp(value: Any, zone: str) -> Any:
    import ibis
    from ibis.expr import datatypes as dt

    def from_utc_timestamp(value, zone): ...  # type: ignore[no-untyped-def]

    signature = ((dt.Timestamp("UTC"), dt.string), dt.timestamp)
    return ibis.udf.scalar.builtin(from_utc_timestamp, signature=signature)(value, zone)

"""Brings a source's columns into canonical form, and says of every row whether it is kept or why not.

Nothing is dropped silently: every row of a source is either kept or counted in the ledger under one reason, with what
it added up to. A value that cannot be read is an error that names its row, unless the data set says
``bad_rows = "drop"``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from crmlab.data.descriptor import Descriptor
from crmlab.data.identity import hashed_ids, mapped_columns
from crmlab.data.reading.billing import in_periods
from crmlab.data.reading.derived import free
from crmlab.data.reading.ids import folded, guest
from crmlab.data.reading.parse import Parser
from crmlab.data.reading.raw import Raw
from crmlab.data.reading.sales import Sales, foreign, in_codes, net, not_a_sale, settle, sign_of
from crmlab.data.reading.times import check_date_format
from crmlab.data.statuses import WATCHED
from crmlab.data.table_section import TableSection
from crmlab.data.tables import CONTRACTS, ORDER_LINES, ORDERS, Column, TableSpec
from crmlab.errors import DataError, listing

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir

__all__ = ["REASONS", "Cleaning", "blank", "clean", "columns_of", "needed", "watched"]


# Reasons for dropping a row, in the order in which they are asked; the first that holds counts.
REASONS = {
    "blank": "an empty row",
    "other_row": "no value in the only_where column",
    "outside_part": "of a day that is taken from another part",
    "no_order": "of an order that was not kept",
    "status": "not a sale, according to its status or drop_where",
    "unknown_status": "a status that is neither kept nor dropped",
    "unreadable": "a value is missing or cannot be read",
    "no_customer": "no customer",
    "guest": "a guest",
    "other_currency": "in a currency without a rate",
    "outside": "outside the days of the data set",
    "not_product": "not a product",
    "return_line": "a return (returns are dropped)",
    "free_order": "free of charge (free orders are ignored)",
    "duplicate": "the same row again",
}


_NUMBERED = {"orders": "order_id", "contracts": "contract_id"}  # ids that the places of rows stand for where there are none


@dataclass(frozen=True)
class Cleaning:
    """A source on its way to canonical form: one row per source row.

    Attributes
    ----------
    spec, section, raw
        The canonical table, how it is read, and what it is read from.
    where : str
        The TOML file as messages show it.
    table : ibis.Table
        The canonical columns and ``attributes``, then columns of our own: ``mark + "row"`` (place in the source, from 1),
        ``mark + "reason"`` (why the row is dropped; null where it is kept) and ``mark + "given_" + column`` (whether the
        source has a value there).
    mapping : mapping
        For each canonical column the source's.
    mark : str
        What the names of our own columns begin with; no attribute's does.
    attributes : tuple of str
        Further columns that are kept.
    errors : tuple of DataError
        Columns that are missing or of a wrong type. The others are there all the same.
    sales : Sales
        What was decided about statuses and currencies.
    watched : mapping
        Columns of the source that are not read but looked at, as ``mark + "watched_" + role``: role (status, refund) → the source's.
    """

    spec: TableSpec
    section: TableSection
    raw: Raw
    where: str
    table: ibis.Table
    mapping: Mapping[str, str]
    mark: str = "_"
    attributes: tuple[str, ...] = ()
    errors: tuple[DataError, ...] = field(default=())
    sales: Sales = Sales()
    watched: Mapping[str, str] = field(default_factory=dict)

    def own(self, name: str) -> ir.Column:
        """One of our own columns."""
        return self.table[self.mark + name]

    def bad(self, name: str) -> ir.BooleanValue:
        """Whether the source has a value for a column that cannot be read."""
        return self.own("given_" + name) & self.table[name].isnull()

    def kept(self) -> ibis.Table:
        """The rows that are kept, with the canonical columns and attributes only."""
        table = self.table.filter(self.own("reason").isnull())
        canonical = [column.name for column in self.spec.columns if column.name in table.columns]
        return table.select(*canonical, *self.attributes)


def columns_of(
    spec: TableSpec, section: TableSection, found: Sequence[str], where: str
) -> tuple[dict[str, str], list[str], list[DataError]]:
    """Say which column of the source each canonical column comes from, and which further columns are kept.

    A column that is not mapped is looked for under its canonical name, without regard to case.

    Returns
    -------
    (mapping, attributes, errors)
        Canonical name → the source's; names of attributes; what is missing.
    """
    errors: list[DataError] = []
    mapping, given = {}, mapped_columns(section, found)
    for personal in (*section.personal, *(section.attributes or ())):
        if personal not in found:
            errors.append(
                DataError(
                    f"{spec.name}: '{personal}' is listed in {where} under [{spec.name}] but is not in the file. "
                    f"Found: {listing(found)}.{_meant(personal, found)}"
                )
            )
    free_names = {name.lower(): name for name in found if name not in (*section.personal, section.customer_hash)}
    for column in spec.columns:
        if column.name in section.without:
            continue
        mapped = given.get(column.name)
        if mapped is None:
            if not column.by_name:
                continue
            mapped = column.name if column.name in free_names.values() else free_names.get(column.name)
        elif mapped not in found:
            errors.append(
                DataError(
                    f"{spec.name}: column '{column.name}' is mapped to {_alternatives(section, column)}. Found: {listing(found)}."
                    f"{_meant(mapped, found)} Correct it in {where} under [{spec.name}]."
                )
            )
            continue
        if mapped is not None:
            mapping[column.name] = mapped
    errors += _without_effect(spec, section, mapping, where)
    for option, named in (("only_where", section.only_where), ("drop_where", section.drop_where)):
        if named is not None and named not in found:
            errors.append(
                DataError(
                    f"{spec.name}: {option} names '{named}', which is not in the file. Found: {listing(found)}.{_meant(named, found)} "
                    f"Correct it in {where} under [{spec.name}]."
                )
            )
    for column in spec.columns:
        missing = column.required and column.name not in mapping and column.name not in given
        if missing and column.name not in section.without and not _derivable(spec, column, {**given, **mapping}):
            errors.append(DataError.lacks(spec.name, column.name, found, f"Map it in {where} under [{spec.name}]."))
    return mapping, _attributes(spec, section, found, mapping), errors


def _alternatives(section: TableSection, column: Column) -> str:
    """What a canonical column is mapped to, none of which is there."""
    names = section.columns.get(column.name, section.customer_hash)
    given = [names] if isinstance(names, str) else list(names or ())
    listed = " or ".join(f"'{name}'" for name in given)
    return f"{listed}, {'which is not' if len(given) == 1 else 'none of which is'} in the file"


def _without_effect(spec: TableSpec, section: TableSection, mapping: Mapping[str, str], where: str) -> list[DataError]:
    """Options that could not take effect, because what they are about is not mapped."""
    errors = []
    for option, given in (("keep", section.keep), ("drop", section.drop)):
        if given and "status" not in mapping:
            said = f"{spec.name}: {option} lists statuses, and no column is mapped as status."
            errors.append(DataError(f'{said} Write status = "…" in {where} under [{spec.name}].'))
    for name in section.fill_down:
        if name not in mapping:
            said = f"{spec.name}: fill_down lists '{name}', and no column is mapped as that."
            errors.append(DataError(f"{said} Map it in {where} under [{spec.name}], or take it out."))
    return errors


def _meant(name: str, found: Sequence[str]) -> str:
    close = get_close_matches(name, list(found), n=1, cutoff=0.6)
    return f" Did you mean '{close[0]}'?" if close else ""


def _derivable(spec: TableSpec, column: Column, mapping: Mapping[str, str]) -> bool:
    if spec is ORDER_LINES and column.name == "amount":
        return {"quantity", "unit_price"} <= set(mapping)
    # One row of an orders file is one order, one of contracts one contract, unless it says otherwise.
    return column.name == _NUMBERED.get(spec.name)


def _attributes(spec: TableSpec, section: TableSection, found: Sequence[str], mapping: Mapping[str, str]) -> list[str]:
    """The further columns of a customers table, without the personal ones."""
    if not spec.attributes:
        return []
    taken = {*mapping.values(), *section.personal}
    canonical = {column.name for column in spec.columns}
    wanted = section.attributes if section.attributes is not None else found
    return [name for name in wanted if name in found and name not in taken and name.lower() not in canonical]


def watched(spec: TableSpec, section: TableSection, mapping: Mapping[str, str], found: Sequence[str]) -> dict[str, str]:
    """Return columns of a source that bear on its sums and are not read: role (status, refund, off, paid, kind) → the source's.

    What stands there changes nothing, but it is told where it speaks against the sums. A second status is watched beside the first.
    """
    if spec.column("status") is None:
        return {}
    free = [name for name in found if name not in (*mapping.values(), section.drop_where, section.only_where)]
    chosen: dict[str, str] = {}
    for role, fits in WATCHED.items():
        name = next((one for one in free if fits(one) and one not in chosen.values()), None)
        if name is not None and not (role == "refund" and "refund" in mapping):
            chosen[role] = name
    return chosen


def needed(spec: TableSpec, section: TableSection, found: list[str], where: str) -> list[str]:
    """Return the columns of a source that are to be loaded: personal ones never are, but for the one that ids are made of."""
    mapping, attributes, _ = columns_of(spec, section, found, where)
    wanted = {*mapping.values(), *attributes, *watched(spec, section, mapping, found).values()}
    wanted |= {name for name in (section.only_where, section.drop_where) if name is not None}
    return [name for name in found if name in wanted] or found[:1]  # without any there would be no rows


def clean(spec: TableSpec, section: TableSection, raw: Raw, descriptor: Descriptor) -> Cleaning:
    """Bring a source's columns into canonical form.

    Parameters
    ----------
    spec : TableSpec
        The canonical table to make.
    section : TableSection
        The mapping and reading options.
    raw : Raw
        The source as it is. On DuckDB texts are read, and the result is a table; in a database values must have the right
        type, and the result is an expression.
    descriptor : Descriptor
        The rules of the data set.

    Returns
    -------
    Cleaning
        Its ``errors`` say which columns are missing or cannot be read at all.
    """
    import ibis

    where, con = descriptor.where, raw.table.get_backend()
    mapping, attributes, errors = columns_of(spec, section, raw.columns, where)
    if con.name == "duckdb":
        check_date_format(con, section, where)
    mark = _mark([*attributes, *mapping])
    parser = Parser(spec, section, descriptor, con.name)
    seen = watched(spec, section, mapping, raw.columns)
    table = _prepared(raw, mapping, attributes, seen, mark, parser)
    if section.fill_down:
        table = _filled_down(raw, table, mapping, section, mark, errors)
    if f"{mark}dropped" in table.columns and "order_id" in mapping:
        table = _dropped_whole(raw, table, mapping, spec.name, mark)
    parsed: dict[str, Any] = {}
    zone = table[f"{mark}raw_time_zone"] if "time_zone" in mapping else None
    for name in mapping:
        try:
            column = spec.column(name)
            assert column is not None
            parsed[name] = parser.parse(column, table[f"{mark}raw_{name}"], zone)
            if name == "customer_id" and section.customer_hash is not None:
                parsed[name] = hashed_ids(parsed[name], descriptor)
        except DataError as error:
            errors.append(error)
    if section.test is not None:
        for name in section.test.filled & set(parsed):
            blank_value = table[f"{mark}raw_{name}"].isnull()
            parsed[name] = ibis.ifelse(blank_value, ibis.literal(0).cast(parsed[name].type()), parsed[name])
    given = {f"{mark}given_{name}": table[f"{mark}raw_{name}"].notnull() for name in parsed}
    own = [name for name in table.columns if name.startswith(mark) and not name.startswith(f"{mark}raw_")]
    if (own_id := _NUMBERED.get(spec.name)) is not None and own_id not in mapping:
        parsed[own_id] = _number(table, mark, mapping, raw.before or 0).cast("string").lpad(12, "0")
    if "amount" in section.without:
        parsed["amount"] = ibis.literal(0, "decimal(18, 4)")
    if "customer_id" in section.without and "order_id" in parsed:
        parsed["customer_id"] = parsed["order_id"]
    if "period" in parsed:
        parsed["period"] = in_periods(parsed["period"])
    if descriptor.ids == "fold":
        parsed |= {name: folded(parsed[name]) for name in _ids_of(spec) if name in parsed}
    if (code := _currency(table, spec, parsed.get("currency"), mapping, descriptor, mark)) is not None:
        parsed["currency"] = code
    # Rows of a database cannot be found again by their place: what they hold is kept for messages.
    shown = [] if raw.numbered else [f"{mark}raw_{name}" for name in parsed if name in mapping]
    values = {**parsed, **{name: table[name] for name in (*attributes, *own, *shown)}, **given}
    table = before = _step(raw, f"parsed_{spec.name}", table.select(**values), before=table)
    if spec is ORDER_LINES and "amount" not in mapping and {"quantity", "unit_price"} <= set(parsed):
        both = table["quantity"].notnull() & table["unit_price"].notnull()
        table = table.mutate(**{"amount": _product(table, parser, descriptor), f"{mark}given_amount": both})
    cleaning = Cleaning(spec, section, raw, where, table, mapping, mark, tuple(attributes), tuple(errors), watched=seen)
    if errors:
        return cleaning
    sales = settle(table, section, descriptor)
    table = net(table, sales, parser)
    cleaning = replace(cleaning, table=table, sales=sales, errors=sales.errors)
    table = table.mutate(**{f"{mark}reason": _reason(cleaning, descriptor)})
    if (apart := foreign(table, sales)) is not None and "amount" in table.columns:
        # Amounts of several currencies are never added up: what rows without a rate come to is kept apart.
        table = table.mutate(**{f"{mark}foreign": table["amount"]})
        table = table.mutate(amount=ibis.ifelse(apart, ibis.null("decimal(18, 4)"), table["amount"]))
    if descriptor.duplicates == "drop":
        table = _without_again(replace(cleaning, table=table))
    return replace(cleaning, table=_step(raw, f"clean_{spec.name}", table, before=before))


def _currency(
    table: ibis.Table, spec: TableSpec, named: Any, mapping: Mapping[str, str], descriptor: Descriptor, mark: str
) -> Any:
    """The currency of each row: from a column of its own, else from what stands beside its amount; None where nothing tells."""
    if spec.column("currency") is None:
        return None
    own = descriptor.currency.strip().upper()
    code = None if named is None else in_codes(table, f"{mark}raw_currency", named, own)
    priced = next((f"{mark}raw_{name}" for name in ("amount", "unit_price", "price") if name in mapping), None)
    if priced is None or table.get_backend().name != "duckdb" or not table[priced].type().is_string():
        return code
    signs = sign_of(table, priced, own)
    return code if signs is None else signs if code is None else code.fill_null(signs)


def _ids_of(spec: TableSpec) -> list[str]:
    return [column.name for column in spec.columns if column.name.endswith("_id")]


def _product(table: ibis.Table, parser: Parser, descriptor: Descriptor) -> Any:
    """Quantity × price; where both are below zero, a return if the data set says so."""
    import ibis

    amount = parser.product(table["quantity"], table["unit_price"])
    if descriptor.negative_price == "keep":
        return amount
    return ibis.ifelse((table["quantity"] < 0) & (table["unit_price"] < 0), -amount, amount)


def _prepared(
    raw: Raw, mapping: Mapping[str, str], attributes: Sequence[str], seen: Mapping[str, str], mark: str, parser: Parser
) -> ibis.Table:
    """The source's columns that are used, under names of our own, with null where nothing is given."""
    columns: dict[str, Any] = {f"{mark}raw_{name}": parser.stripped(raw.table[column]) for name, column in mapping.items()}
    columns |= {name: _storable(raw.table[name]) for name in attributes}
    columns |= {f"{mark}watched_{role}": parser.stripped(_storable(raw.table[column])) for role, column in seen.items()}
    where = {"other_row": parser.section.only_where, "dropped": parser.section.drop_where}
    where = {name: column for name, column in where.items() if column in raw.table.columns}
    columns |= {f"{mark}{name}": parser.stripped(_storable(raw.table[column])) for name, column in where.items()}
    if raw.orderless:
        columns[f"{mark}no_order"] = raw.table[raw.orderless]
    if raw.numbered:
        columns[f"{mark}row"] = raw.table.rowid() + 1
    if not columns:
        return raw.table
    name = parser.spec.name
    stripped = _step(raw, f"stripped_{name}", raw.table.select(**columns))
    given: dict[str, Any] = {}
    if "other_row" in where:
        given[f"{mark}other_row"] = parser.given(stripped[f"{mark}other_row"]).isnull()
    if "dropped" in where:
        given[f"{mark}dropped"] = parser.given(stripped[f"{mark}dropped"]).notnull()
    table = parser.with_given(stripped.mutate(**given), {one: f"{mark}raw_{one}" for one in mapping}, heal=raw.numbered)
    return _step(raw, f"given_{name}", table, before=stripped)


def _dropped_whole(raw: Raw, table: ibis.Table, mapping: Mapping[str, str], name: str, mark: str) -> ibis.Table:
    """Let what calls off a row call off the other rows of its order: the same order_id of the same customer."""
    import ibis

    keys = [table[f"{mark}raw_{one}"] for one in ("order_id", "customer_id") if one in mapping]
    order, dropped = keys[0], table[f"{mark}dropped"]
    whole = ibis.ifelse(order.isnull(), dropped, dropped.any().over(ibis.window(group_by=keys)))
    return _step(raw, f"whole_{name}", table.mutate(**{f"{mark}dropped": whole}), before=table)


def _filled_down(
    raw: Raw, table: ibis.Table, mapping: Mapping[str, str], section: TableSection, mark: str, errors: list[DataError]
) -> ibis.Table:
    """Fill the gaps of columns from the row above, in the same file; ``mark + "blank"`` says which rows were empty before.

    The order's number comes first, and what else is filled stays within the order, unless ``fill_across`` says otherwise.
    """
    import ibis

    if not raw.numbered:
        hint = "Fill the gaps in the database, or export its rows to a file."
        errors.append(
            DataError.cannot(f"{section.table}: rows of a database", "be filled from the row above", "They have no order", hint)
        )
        return table
    empty: Any = ibis.literal(True)
    for name in mapping:
        empty = empty & table[f"{mark}raw_{name}"].isnull()
    row, file = table[f"{mark}row"], ibis.literal(0)
    for start in raw.starts():
        file = file + (row >= start).cast("int64")
    table = _step(raw, f"blank_{section.table}", table.mutate(**{f"{mark}blank": empty, f"{mark}file": file}), before=table)
    columns = [name for name in section.fill_down if name in mapping]
    for name in sorted(columns, key=lambda one: one != "order_id"):
        inside = [table[f"{mark}file"]]
        if name != "order_id" and "order_id" in mapping and not section.fill_across:
            inside.append(table[f"{mark}raw_order_id"])
        # A value and the gaps below it are one group: the count of values so far numbers it.
        value = table[f"{mark}raw_{name}"]
        so_far = ibis.window(group_by=inside, order_by=table[f"{mark}row"], preceding=(None, 0))
        numbered = table.mutate(**{f"{mark}group": value.notnull().cast("int64").sum().over(so_far)})
        inside = [numbered[one.get_name()] for one in inside]
        above = numbered[f"{mark}raw_{name}"].max().over(ibis.window(group_by=[*inside, numbered[f"{mark}group"]]))
        filled = ibis.ifelse(numbered[f"{mark}blank"], numbered[f"{mark}raw_{name}"], above)
        made = numbered.mutate(**{f"{mark}raw_{name}": filled}).drop(f"{mark}group")
        table = _step(raw, f"filled_{section.table}_{name}", made, before=table)
    return table


def _number(table: ibis.Table, mark: str, mapping: Mapping[str, str], before: int = 0) -> Any:
    """The places of rows, from 1 and behind those of parts before. A database has no order of its own: there it is by value."""
    import ibis

    if f"{mark}row" in table.columns:
        return table[f"{mark}row"] + before
    return ibis.row_number().over(order_by=[table[f"{mark}raw_{name}"] for name in mapping]) + 1


def _step(raw: Raw, name: str, table: ibis.Table, before: ibis.Table | None = None) -> ibis.Table:
    """A step of the way: in a scratch DuckDB a table of its own, since a value would be computed wherever it is used.

    The table of the step ``before`` goes: one copy of a large source is enough.
    """
    if not raw.numbered:
        return table
    con = table.get_backend()
    made = con.create_table(name, obj=table, temp=True)
    if before is not None:
        con.drop_table(before.op().name)
    return made


def _storable(value: Any) -> Any:
    """An attribute as it is, if every engine can read its type; else as text."""
    kind = value.type()
    plain = kind.is_string() or kind.is_numeric() or kind.is_boolean() or kind.is_date() or kind.is_timestamp()
    return value if plain else value.cast("string")


def _mark(attributes: Sequence[str]) -> str:
    """Underscores enough that no attribute begins with as many."""
    return "_" * (1 + max((len(name) - len(name.lstrip("_")) for name in attributes), default=0))


def _reason(cleaning: Cleaning, descriptor: Descriptor) -> ir.Value:
    import ibis

    spec, table, mark = cleaning.spec, cleaning.table, cleaning.mark
    unreadable: Any = ibis.literal(False)
    for column in spec.columns:
        if column.name in table.columns:
            if cleaning.mark + "given_" + column.name in table.columns:
                unreadable = unreadable | cleaning.bad(column.name)
            if not column.nullable and column.name != "customer_id":
                unreadable = unreadable | table[column.name].isnull()
    cases: list[tuple[Any, str]] = [(blank(cleaning), "blank")]
    if f"{mark}other_row" in table.columns:
        cases.append((cleaning.own("other_row"), "other_row"))
    cases += [(outside, "outside_part") for outside in _outside(cleaning, cleaning.section)]
    if f"{mark}dropped" in table.columns:
        cases.append((cleaning.own("dropped"), "status"))
    if f"{mark}no_order" in table.columns:
        cases.append((cleaning.own("no_order"), "no_order"))
    cases += [*not_a_sale(table, cleaning.sales), (unreadable, "unreadable")]
    if "customer_id" in table.columns:
        cases.append((table["customer_id"].isnull(), "no_customer"))
        if spec in (ORDERS, ORDER_LINES) and "customer_id" not in cleaning.section.without:
            cases.append((guest(table["customer_id"], descriptor.guests), "guest"))
    if (without := foreign(table, cleaning.sales)) is not None:
        cases.append((without, "other_currency"))
    cases += [(outside, "outside") for outside in _outside(cleaning, descriptor)]
    if "product_id" in table.columns and descriptor.not_products:
        cases.append((_is_code(table["product_id"].upper(), descriptor.not_products), "not_product"))
    if descriptor.returns == "drop" and "amount" in table.columns:
        is_return = table["amount"] < 0
        if "quantity" in table.columns:
            is_return = is_return | (table["quantity"] < 0)
        cases.append((is_return, "return_line"))
    if descriptor.free_orders == "ignore" and spec is ORDERS:
        cases.append((free(table), "free_order"))
    return ibis.cases(*cases, else_=ibis.null("string"))


def _is_code(product: ir.StringValue, codes: Sequence[str]) -> ir.BooleanValue:
    """Whether a product is one of some codes; one that ends with a star stands for all that begin so."""
    given = [code.strip().upper() for code in codes]
    found = product.isin(given)
    for code in (code for code in given if code.endswith("*") and code.rstrip("*")):
        found = found | product.startswith(code.rstrip("*"))
    return found


def _outside(cleaning: Cleaning, days: Descriptor | TableSection) -> list[Any]:
    """Whether a row lies outside the days of the data set, or of its part of the table; nothing where all days are its own."""
    import ibis

    name = cleaning.spec.moment
    if name is None or name not in cleaning.table.columns:
        return []
    day = cleaning.table[name].cast("date")
    # A contract that began before the first day of a data set may still hold on it.
    first = None if cleaning.spec is CONTRACTS and isinstance(days, Descriptor) else days.first_day
    found = [] if first is None else [day < ibis.literal(first)]
    return found + ([] if days.last_day is None else [day > ibis.literal(days.last_day)])


def blank(cleaning: Cleaning) -> ir.BooleanValue:
    """Whether nothing at all stands in a row: what spreadsheets leave below a table."""
    import ibis

    if f"{cleaning.mark}blank" in cleaning.table.columns:  # before gaps were filled from the row above
        return cleaning.own("blank")
    result: Any = ibis.literal(True)
    for name in cleaning.mapping:
        result = result & ~cleaning.own("given_" + name)
    for name in cleaning.attributes:
        result = result & cleaning.table[name].isnull()
    return result


def _without_again(cleaning: Cleaning) -> ibis.Table:
    """Mark rows that are the same as one before, in every column that was read."""
    import ibis

    table, reason = cleaning.table, cleaning.own("reason")
    keys = [table[name] for name in (*cleaning.mapping, *cleaning.attributes)]
    order = cleaning.own("row") if cleaning.raw.numbered else keys[0]
    again = (
        ibis.row_number().over(group_by=[*keys, reason.isnull()], order_by=order) > 0
    )  # a row that is dropped is no first one
    return table.mutate(**{f"{cleaning.mark}reason": ibis.ifelse(reason.isnull() & again, "duplicate", reason)})

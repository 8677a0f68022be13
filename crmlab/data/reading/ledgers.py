"""Says what became of the rows of a source, and what is wrong with them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crmlab.collecting import ORDERED, collect_arrow, collect_row, collect_value
from crmlab.data.descriptor import Descriptor
from crmlab.data.ledger import LedgerRow
from crmlab.data.months import day_of, form_with_month, languages_of
from crmlab.data.personal import HIDDEN, masked
from crmlab.data.reading.cleaning import REASONS, Cleaning, blank
from crmlab.data.reading.derived import free
from crmlab.data.table_section import TableSection
from crmlab.data.tables import KIND_WORDS, Column, TableSpec
from crmlab.data.written import amount, counted_as, tidy
from crmlab.errors import CrmlabError, DataError, listing, shown

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir

__all__ = ["form_of", "free_rows", "ledger", "problems", "too_large"]


_EXAMPLES = 3
_USUAL = "%d/%m/%Y"


def ledger(cleaning: Cleaning) -> list[LedgerRow]:
    """Count the rows of a source by what became of them; the counts add up to the rows read."""
    table, reason = cleaning.table, cleaning.mark + "reason"
    aggregates: dict[str, Any] = {"rows": table.count()}
    if "amount" in table.columns:
        aggregates["amount"] = table["amount"].sum()
    found = {row[reason]: row for row in collect_arrow(table.group_by(reason).agg(**aggregates), reason).to_pylist()}
    examples = _examples(cleaning) if set(found) - {None} else {}
    result = []
    for key in (None, *REASONS):
        rejected = len(cleaning.raw.rejected) if key == "unreadable" else 0
        if key in found or rejected:
            row = found.get(key, {"rows": 0})
            amount = row.get("amount")
            shown = [{"row": _row(*cleaning.raw.of_file(place))} for place in cleaning.raw.rejected[:_EXAMPLES] if rejected]
            shown = (shown + examples.get(key or "", []))[:_EXAMPLES]
            result.append(
                LedgerRow(
                    cleaning.spec.name,
                    key,
                    int(row["rows"]) + rejected,
                    None if amount is None else str(amount),
                    tuple(shown),
                )
            )
    return result


def _examples(cleaning: Cleaning) -> dict[str, list[dict[str, str]]]:
    """The first rows of every reason, as text, with canonical columns only."""
    import ibis

    table, reason = cleaning.table, cleaning.own("reason")
    columns = [column.name for column in cleaning.spec.kept if column.name in table.columns]
    order = [cleaning.own("row")] if cleaning.raw.numbered else [table[name] for name in columns]
    numbered = {"_row": cleaning.own("row")} if cleaning.raw.numbered else {}
    place = ibis.row_number().over(group_by=reason, order_by=order)
    first = table.filter(reason.notnull()).select(*columns, _reason=reason, _place=place, **numbered)
    first = first.filter(first["_place"] < _EXAMPLES)
    result: dict[str, list[dict[str, str]]] = {}
    for row in collect_arrow(first, ("_reason", "_place")).to_pylist():
        words = {"row": _row(*cleaning.raw.origin(row["_row"]))} if numbered else {}
        words |= {name: "" if row[name] is None else str(_hidden(row[name], cleaning.section)) for name in columns}
        result.setdefault(row["_reason"], []).append(words)
    return result


def _hidden(value: Any, section: TableSection) -> Any:
    """A value as it may be shown: in a row that slipped, an e-mail stands in any column."""
    personal = section.customer_hash is not None or section.personal
    return masked(value) if personal and isinstance(value, str) else value


def _row(number: int, file: str) -> str:
    return f"{number} of {file}" if file else str(number)


def problems(cleaning: Cleaning, descriptor: Descriptor, rows: list[LedgerRow]) -> list[CrmlabError]:
    """Return everything that keeps a table from being used.

    Parameters
    ----------
    cleaning : Cleaning
        The table, without column errors.
    descriptor : Descriptor
        The rules of the data set.
    rows : list of LedgerRow
        What :func:`ledger` says of the table.

    Returns
    -------
    list of CrmlabError
        Empty where all is well.
    """
    result: list[CrmlabError] = []
    spec = cleaning.spec
    by_reason = {row.reason: row.rows for row in rows}
    if descriptor.bad_rows == "error" and by_reason.get("unreadable"):
        result += _unreadable(cleaning, sum(by_reason.values()))
    if descriptor.missing_customer == "error" and by_reason.get("no_customer"):
        count = by_reason["no_customer"]
        result.append(DataError.not_canonical(spec.name, "no customer", count, "an empty customer_id"))
    if result:
        return result
    if not by_reason.get(None):
        reasons = [f"{row.rows:,} ({REASONS[row.reason]})" for row in rows if row.reason]
        return [
            DataError(
                f"{spec.name}: none of {sum(by_reason.values()):,} rows is left after cleaning. Dropped: {listing(reasons)}. "
                f"{_undecided(cleaning) or 'Check the mapping and the options of the TOML file.'}"
            )
        ]
    return [*result, *_broken_rules(spec, cleaning.kept())]


def _undecided(cleaning: Cleaning) -> str:
    """What to do where statuses that nobody knows are all that there are."""
    unknown = [shown(masked(status)) for status, fate in cleaning.sales.statuses.items() if fate == "unknown_status"]
    if not unknown:
        return ""
    return f"List the statuses of sales in keep under [{cleaning.spec.name}] of {cleaning.where}. Statuses found: {listing(unknown)}."


def _unreadable(cleaning: Cleaning, read: int) -> list[DataError]:
    """Say which columns hold values that cannot be read or are missing, with the first row of each."""
    spec, table, numbered = cleaning.spec, cleaning.table, cleaning.raw.numbered
    empty = blank(cleaning)
    checks: dict[str, tuple[Column, Any]] = {}
    for column in spec.columns:
        if cleaning.mark + "given_" + column.name not in table.columns:
            continue
        checks[f"bad_{column.name}"] = (column, cleaning.bad(column.name))
        # A price may be missing, unless it is what the amount is made of.
        needed = not column.nullable or (column.name == "unit_price" and "amount" not in cleaning.mapping)
        if needed and column.name != "customer_id" and column.name in cleaning.mapping:
            checks[f"no_{column.name}"] = (column, ~cleaning.own("given_" + column.name) & ~empty)
    aggregates: dict[str, Any] = {}
    for name, (_, flagged) in checks.items():
        aggregates[f"{name}_n"] = flagged.sum().fill_null(0)
        if numbered:
            aggregates[f"{name}_row"] = table[cleaning.mark + "row"].min(where=flagged)
    found = collect_row(table.aggregate(**aggregates))
    result = []
    for name, (column, flagged) in checks.items():
        count = int(found[f"{name}_n"])
        if count:
            row = int(found[f"{name}_row"]) if numbered else None
            value = _value_at(cleaning, column, row, flagged)
            result.append(
                DataError.unparsable(
                    spec.name,
                    (cleaning.mapping.get(column.name), column.name),
                    KIND_WORDS[column.kind],
                    count,
                    read,
                    (cleaning.raw.place(row) if row else "", value),
                    _hint(column, cleaning.section, cleaning.where, value, everything=count == read),
                )
            )
    return result


def _value_at(cleaning: Cleaning, column: Column, row: int | None, flagged: Any) -> Any:
    """What the source holds in a row, or in the first by value where rows have no place; None where nothing is there."""
    mapping = cleaning.mapping
    names = [column.name] if column.name in mapping else ["quantity", "unit_price"]
    if row is None:
        held = [cleaning.own(f"raw_{name}").cast("string") for name in names]
        found = cleaning.table.filter(flagged).select(**{f"v{i}": value for i, value in enumerate(held)})
        values = list(collect_row(found.order_by(found.columns).limit(1)).values())
    else:
        source = cleaning.raw.table
        found = source.filter(source.rowid() == row - 1).select(*dict.fromkeys(mapping[name] for name in names))
        line = collect_row(found)
        marked = {name: cleaning.raw.marked.get(mapping[name], {}).get(row) for name in names}
        values = [marked[name] or line[mapping[name]] for name in names]
    if column.name == "customer_id" and cleaning.section.customer_hash is not None:
        return HIDDEN
    values = [_hidden(value, cleaning.section) for value in values]
    return values[0] if len(values) == 1 else " × ".join(map(str, values))


def _hint(column: Column, section: TableSection, where: str, value: Any, *, everything: bool) -> str:
    place = f"[{section.table}] of {where}"
    drop = f'Correct the file, or set bad_rows = "drop" at the top of {where} to drop and count such rows.'
    if (
        value is None
        and column.kind in ("measure", "flag")
        and section.test is not None
        and column.name not in section.test.covariates
    ):
        return f'If an empty one means that nothing happened, add blanks = "zero" to {place}. Else correct the file.'
    if value is None:
        return drop
    if column.kind in ("time", "date"):
        named = _hint_of_day(tidy(str(value)), section, place)
        return named if named and everything else f"{named} {drop}".strip()
    if column.kind in ("money", "number"):
        if isinstance(value, str) and section.decimal == "." and amount(value) is None and amount(value, ",") is not None:
            return f'If amounts look like 1.234,50 add decimal = "," to {place}. {drop}'
        if isinstance(value, str) and section.decimal == "," and amount(value, ",") is None and amount(value) is not None:
            return f'If amounts look like 1,234.50 take decimal = "," out of {place}. {drop}'
        return f"Amounts have at most 14 digits before the decimal sign. {drop}" if _is_huge(value) else drop
    if column.name == "time_zone":
        return f'Expected a name such as "Europe/Berlin", or an offset such as "+02:00". {drop}'
    return drop


_COUNTS = {"epoch": "seconds since 1970", "epoch_ms": "milliseconds since 1970", "excel": "days of a spreadsheet"}


def _hint_of_day(text: str, section: TableSection, place: str) -> str:
    """Name the line of the TOML file in which a day can be read; where it is none in any form, say so."""
    if re.fullmatch(r"[0-9]{1,2}:[0-9]{2}(:[0-9.]+)?", text):
        return "That is a time without a day."
    language, form = _language_of(text), form_of(text)
    if language:
        form = form_with_month(text, language) or ""
    given = {"date_format": section.date_format, "month_language": section.month_language}
    fits = {"date_format": form, "month_language": language}
    lines = " and ".join(f'{key} = "{value}"' for key, value in fits.items() if value)
    counts = f" ({_COUNTS[form]})" if form in _COUNTS else ""
    if not any(given.values()):
        if re.fullmatch(r"[0-9]{4}([-/])[0-9]{1,2}\1[0-9]{1,2}([T ].*)?", text):
            return "That day or time does not exist."
        if not (language or counts) and not _fits(text, form):
            return f'Name the form of the days in {place}, such as date_format = "{_USUAL}".'
        return f"If days look like that, add {lines}{counts} to {place}."
    if all(value == (given[key] or "") for key, value in fits.items()):
        return "That day or time does not exist."
    written = " and ".join(f'{key} = "{value}"' for key, value in given.items() if value)
    wrong = f"{written} {'does' if written.count(' = ') == 1 else 'do'} not fit: correct it in {place}."
    return f"{wrong} That looks like {lines}{counts}." if language or counts else wrong


def _language_of(text: str) -> str:
    """The language of the month in a day that can be read; empty where there is none."""
    if not re.search("[0-9]", text) or not re.search(r"[^\W\d_]{2}", text):
        return ""
    named = ["en"] if day_of(text, "en") else languages_of([text])
    return next((code for code in named if form_with_month(text, code) or day_of(text, code)), "")


def _fits(text: str, form: str) -> bool:
    try:
        dt.datetime.strptime(text, form)
    except ValueError:
        return False
    return True


def _is_huge(value: Any) -> bool:
    return sum(character.isdigit() for character in str(value)) > 14


def form_of(value: str) -> str:
    """Suggest a date_format for a value that is no ISO date.

    Examples
    --------
    >>> form_of("31.12.2024"), form_of("12/31/2024"), form_of("20241231"), form_of("31/12/24 10:15"), form_of("1697716800")
    ('%d.%m.%Y', '%m/%d/%Y', '%Y%m%d', '%d/%m/%y %H:%M', 'epoch')
    """
    if re.fullmatch(r"[0-9]+(\.[0-9]*)?", value) and (counted := counted_as(float(value))):
        return counted
    clock = re.search(r"([ T]+)\d{1,2}:\d{2}(:\d{2})?$", value)
    tail = (clock[1] + ("%H:%M:%S" if clock[2] else "%H:%M")) if clock else ""
    day = value[: clock.start()] if clock else value
    if re.fullmatch(r"\d{8}", day):
        return "%Y%m%d" + tail
    parts = re.fullmatch(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})", day)
    if not parts:
        return _USUAL
    first, sign, second, year = parts.groups()
    month_first = int(second) > 12 >= int(first)
    order = ("%m", "%d") if month_first else ("%d", "%m")
    return sign.join((*order, "%Y" if len(year) == 4 else "%y")) + tail


def _broken_rules(spec: TableSpec, kept: ibis.Table) -> list[DataError]:
    """Rules of the canonical table that single values break."""
    result = []
    name = spec.name
    for column in spec.kept:
        if column.name not in kept.columns:
            continue
        if column.unique:
            twice = kept.group_by(column.name).agg(n=lambda t: t.count()).filter(lambda t: t["n"] > 1)
            again = kept.semi_join(twice, column.name)
            found = collect_row(again.aggregate(n=again.count(), example=again[column.name].min()))
            result += [DataError.not_unique(name, column.name, int(found["n"]), found["example"])] if found["n"] else []
        if column.at_least is not None:
            low = kept.filter(kept[column.name] < column.at_least)
            result += _broken(name, f"'{column.name}' is under {column.at_least:g}", column.name, low)
        if column.one_of is not None:
            words = f"'{column.name}' is none of {', '.join(column.one_of)}"
            result += _broken(name, words, column.name, kept.filter(~kept[column.name].isin(column.one_of)))
    return result


def _broken(table: str, words: str, column: str, rows: ibis.Table) -> list[DataError]:
    found = collect_row(rows.aggregate(n=rows.count(), example=rows[column].min()))
    return [DataError.not_canonical(table, words, int(found["n"]), found["example"])] if found["n"] else []


def free_rows(orders: ibis.Table) -> list[LedgerRow]:
    """Count orders that were derived and are free of charge, as a row of the ledger; nothing where there are none."""
    rows = orders.filter(free(orders))
    count = collect_value(rows.count())
    if not count:
        return []
    shown = rows.order_by("order_id", "customer_id").limit(_EXAMPLES)
    listed = collect_arrow(shown.select("order_id", "customer_id", "ordered_at", "amount"), ORDERED).to_pylist()
    examples: tuple[Mapping[str, str], ...] = tuple({key: str(value) for key, value in row.items()} for row in listed)
    return [LedgerRow("orders", "free_order", count, "0", examples)]


def too_large(lines: ibis.Table) -> list[DataError]:
    """Say where the lines of one order add up to more than an amount can hold."""
    import decimal

    from crmlab.data.reading.parse import LARGEST

    limit = decimal.Decimal(LARGEST)
    total = collect_value(lines["amount"].abs().sum())
    if total is None or decimal.Decimal(total) <= limit:
        return []
    sums: ir.Table = lines.group_by("order_id", "customer_id").agg(sum=lambda t: t["amount"].abs().sum())
    return _broken(
        "orders", "'amount' has more than 14 digits before the decimal sign", "sum", sums.filter(sums["sum"] > limit)
    )

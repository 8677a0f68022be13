"""Applies what is declared of a known export to a file in its form: which column is which, for each table that it makes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from crmlab.data.exports.declaration import Export, Part, find_column
from crmlab.data.guess.profiles import Profile, decimal_sign, profile
from crmlab.data.guess.questions import Answer, Question
from crmlab.data.guess.roles import NUMBERS, TIMES, Roles, is_possible
from crmlab.data.guess.sniff import Sample
from crmlab.data.statuses import spelled
from crmlab.data.tables import TABLES

__all__ = ["Applied", "apply_export"]

_PARTS = {"units": 1, "cents": 100, "thousandths": 1000}
_FULL = 0.95  # of the fullest alternative, from which the earlier one is taken


@dataclass(frozen=True)
class Applied:
    """One table of a known export: what is declared of it, and how the file fills it."""

    part: Part
    roles: Roles
    profiles: list[Profile]
    options: dict[str, Any]


def apply_export(export: Export, source: Sample) -> list[Applied]:
    """Map the columns of a file by the declaration of an export.

    Parameters
    ----------
    export : Export
        What the file was recognised as.
    source : Sample
        Its first rows.

    Returns
    -------
    list of Applied
        One for each table whose columns are there and can be read; empty where the file only looks like the export.
    """
    made = [_applied(part, source) for part in export.parts]
    return [item for item in made if item is not None]


def _applied(part: Part, source: Sample) -> Applied | None:
    if _first(part.unless, source.names):
        return None
    options: dict[str, Any] = {}
    filled = {name for role in part.options.get("fill_down", ()) for name in _names(part, role, source.names)}
    whole = [
        _filled_down(column) if name in filled else column for name, column in zip(source.names, source.columns, strict=True)
    ]
    kept = list(range(source.rows))
    if (only := _first(part.only_where, source.names)) is not None:
        column = source.columns[source.names.index(only)]
        kept = [place for place in kept if column[place] is not None]
        if 0 < len(kept) < source.rows:
            options["only_where"] = only
    if not kept:
        return None
    columns = [tuple(column[place] for place in kept) for column in whole]
    profiles = [profile(name, column) for name, column in zip(source.names, columns, strict=True)]
    decimal, _ = decimal_sign(profiles)
    mapped = {role: item for role in part.columns if (item := _chosen(part, role, profiles)) is not None}
    if not set(part.needs) <= set(mapped):
        return None
    order = [column.name for column in TABLES[part.table].columns]
    roles = Roles(part.table, {role: mapped[role] for role in order if role in mapped}, decimal, known=True)
    who = _fullest([item for name in part.who if (item := _profile(name, profiles)) is not None and item.filled])
    if "customer_id" not in mapped and who is not None:
        options["customer_hash"] = who.name
    elif "customer_id" not in mapped:
        options["without"] = ["customer_id"]
    if (off := _first(part.drop_where, source.names)) is not None:
        options["drop_where"] = off
    part = _without_refunded(part, roles)
    roles.personal = tuple(item for item in profiles if item.personal and item not in mapped.values() and item is not who)
    roles.personal += (who,) if who is not None else ()
    options |= _options(part, roles, {**mapped, **({"customer_id": who} if who is not None else {})}, source)
    return Applied(part, roles, profiles, options)


def _without_refunded(part: Part, roles: Roles) -> Part:
    """What is declared, with orders that were paid back in full as no sales unless all of them have what was paid back."""
    status, refund = roles.columns.get("status"), roles.columns.get("refund")
    declared = {spelled(word) for word in part.refunded}
    if status is None or not declared:
        return part
    back = refund.read(roles.decimal) if refund is not None else [None] * len(status.values)
    known = [
        paid for value, paid in zip(status.values, back, strict=True) if value is not None and spelled(str(value)) in declared
    ]
    return part if known and all(known) else replace(part, drop=(*part.drop, *part.refunded))


def _options(part: Part, roles: Roles, mapped: dict[str, Profile], source: Sample) -> dict[str, Any]:
    """The further keys that are declared, as far as they have something to do here."""
    options = dict(part.options)
    gaps = [role for role in options.get("fill_down", ()) if role in mapped and _has_gaps(mapped[role].name, source)]
    if not gaps:
        options.pop("fill_down", None)
        options.pop("fill_across", None)
    else:
        options["fill_down"] = gaps
    amount = roles.columns.get("amount")
    if options.get("amounts_in") == "cents" and amount is not None and amount.numbers.fractions > 0:
        del options["amounts_in"]  # somebody has divided them already
    elif options.get("amounts_in") == "cents" and amount is not None:
        _settle_cents(part, roles, amount, options)
    when = roles.columns.get("ordered_at")
    if (
        str(options.get("date_format", "")).startswith("epoch")
        and when is not None
        and when.dates.share > 0.8
        and not _is_epoch(when)
    ):
        del options["date_format"]
    return options


def _settle_cents(part: Part, roles: Roles, amount: Profile, options: dict[str, Any]) -> None:
    """Leave cents out where the currency has none; ask where there are currencies of several kinds."""
    currency = roles.columns.get("currency")
    codes = (
        Counter(str(value).strip().upper() for value in currency.values if value is not None)
        if currency is not None
        else Counter()
    )
    units = {code: part.not_cents.get(code, "cents") for code, _ in codes.most_common()}
    if not set(units.values()) - {"cents"}:
        return
    first, unit = next(iter(units.items()))
    if unit == "units":
        del options["amounts_in"]
    if set(units.values()) == {"units"}:
        return
    listed = ", ".join(f"{code} in {of}" for code, of in units.items())
    sentence = f"This export writes '{amount.name}' of {listed}."
    if unit not in ("units", "cents"):
        roles.doubt("amounts_in", f"{sentence} No key says so for {first}: write its amounts in units in the file.")
        return
    worth = [
        f"{_PARTS[unit] / _PARTS[of]:g} {code}" if of in _PARTS else f"nothing known for {code} (leave it out)"
        for code, of in units.items()
        if of != unit
    ]
    as_written = f"All are read in {unit}, as for {first}: a rate under [rates] is to be that of {', '.join(worth)}."
    answers = (
        Answer(label=f"read all in {unit}, as for {first}"),
        Answer(label="all are in cents", options={"amounts_in": "cents"}),
        Answer(label="all are in units", options={"amounts_in": None}),
    )
    roles.ask(Question(key="amounts_in", sentence=f"{sentence} {as_written}", answers=answers))


def _is_epoch(when: Profile) -> bool:
    return when.numbers.share > 0.95 and all(value is None or value > 1e8 for value in when.read("."))


def _has_gaps(name: str, source: Sample) -> bool:
    return any(value is None for value in source.columns[source.names.index(name)])


def _first(names: Sequence[str], found: Sequence[str]) -> str | None:
    return next((column for name in names if (column := find_column(name, found)) is not None), None)


def _names(part: Part, role: str, found: Sequence[str]) -> list[str]:
    wanted = (*part.columns.get(role, ()), *(part.who if role == "customer_id" else ()))
    return [column for name in wanted if (column := find_column(name, found)) is not None]


def _filled_down(column: tuple[Any, ...]) -> tuple[Any, ...]:
    made: list[Any] = []
    for value in column:
        made.append(value if value is not None or not made else made[-1])
    return tuple(made)


def _profile(name: str, profiles: Sequence[Profile]) -> Profile | None:
    found = find_column(name, [item.name for item in profiles])
    return next((item for item in profiles if item.name == found), None) if found is not None else None


def _chosen(part: Part, role: str, profiles: Sequence[Profile]) -> Profile | None:
    """The first of the names declared for a role that is as full as the fullest, if its values allow the role."""
    items = [item for name in part.columns[role] if (item := _profile(name, profiles)) is not None]
    if role not in ("refund", "discount"):
        items = [item for item in items if item.filled]
    if role in NUMBERS:
        items = [item for item in items if not item.filled or item.numbers.loose >= 0.8]
    if role in TIMES and "date_format" not in part.options:
        items = [item for item in items if is_possible(role, item)] or items[:1]
    return _fullest(items)


def _fullest(items: Sequence[Profile]) -> Profile | None:
    most = max((item.filled for item in items), default=0)
    return next((item for item in items if item.filled >= _FULL * most), None)

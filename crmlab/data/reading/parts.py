"""Puts together a table that is read of several parts, each with its own section of the TOML file: two years' files, two sheets, two tills.

What stands in two parts would be counted twice: it is dropped where the data set drops duplicates, and told where it does not.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from crmlab.collecting import ORDERED, collect_arrow, collect_row
from crmlab.data.ledger import Breach, LedgerRow
from crmlab.data.personal import masked
from crmlab.data.reading.cleaning import REASONS, Cleaning
from crmlab.data.tables import TableSpec

if TYPE_CHECKING:
    import ibis
    from ibis.backends import BaseBackend

__all__ = ["Part", "cleared", "days_left", "summed", "united"]

_EXAMPLES = 3
_VIEWS = ("file_", "ibis_")  # what the names of views of files begin with: they are replaced, and hold nothing
_CHANCE = 0.05  # share of the rows of a part, without numbers of orders, that may be those of another by chance


@dataclass(frozen=True)
class Part:
    """The rows of a table that are kept of one part of it.

    ``name`` is what messages call it; ``left`` are its days that are left out, with rows and amount of each; ``numbered`` says that its
    orders have numbers of their own, and not those of their rows.
    """

    name: str
    rows: ibis.Table
    ledger: Sequence[LedgerRow]
    breaches: Sequence[Breach]
    left: Sequence[Mapping[str, Any]] = ()
    numbered: bool = True


@contextmanager
def cleared(con: BaseBackend) -> Iterator[set[str]]:
    """Remove the tables that are made meanwhile in a scratch database, all but those that the set names in the end."""
    before, kept = set(con.list_tables()), set[str]()
    yield kept
    for name in set(con.list_tables()) - before - kept:
        if not name.startswith(_VIEWS):
            con.drop_table(name)


def days_left(cleaning: Cleaning) -> list[dict[str, Any]]:
    """Return the days that a part has and that are not taken from it: day, n (rows) and amount, where the table has amounts."""
    section, moment = cleaning.section, cleaning.spec.moment
    if moment is None or (section.first_day is None and section.last_day is None):
        return []
    left = cleaning.table.filter(cleaning.own("reason") == "outside_part")
    money = {"amount": left["amount"].sum()} if "amount" in left.columns else {}
    return collect_arrow(left.group_by(day=left[moment].cast("date")).agg(n=left.count(), **money), "day").to_pylist()


def united(
    spec: TableSpec, parts: Sequence[Part], *, drop: bool, where: str
) -> tuple[ibis.Table, list[LedgerRow], list[Breach]]:
    """Return the rows of all parts, what became of those that were read, and what breaks rules.

    Parameters
    ----------
    spec : TableSpec
        The table.
    parts : sequence of Part
        In the order of the TOML file.
    drop : bool
        Whether rows that are in an earlier part are dropped; else they are kept, and a breach of a rule.
    where : str
        The TOML file as messages show it.
    """
    import ibis

    names = [column.name for column in spec.columns if any(column.name in part.rows.columns for part in parts)]
    types = {name: part.rows[name].type() for name in names for part in parts if name in part.rows.columns}
    whole: list[ibis.Table] = []
    rows: list[LedgerRow] = []
    breaches: list[Breach] = []
    spans = [_span(part.rows, spec) for part in parts]
    for place, part in enumerate(parts):
        given = {name: part.rows[name] if name in part.rows.columns else ibis.null(types[name]) for name in names}
        mine, ledger, found = part.rows.select(**given), list(part.ledger), list(part.breaches)
        numbered = all(one.numbered for one in parts[: place + 1])
        keys = [column.name for column in spec.kept if column.name in names and (numbered or column.name != "order_id")]
        if whole:
            earlier = ibis.union(*whole) if len(whole) > 1 else whole[0]
            same = [mine[key].identical_to(earlier[key]) for key in keys]
            again = mine.semi_join(earlier, same)
            count, amount = _sums(again)
            if count and drop:
                mine = mine.anti_join(earlier, same)
                ledger = _moved(ledger, spec, count, amount, _shown(again))
            elif count:
                found.append(_told(spec, part, again, where, numbered="order_id" in keys))
        found += _lost(spec, part, [*spans[:place], *spans[place + 1 :]], where)
        whole.append(mine)
        rows += ledger
        breaches += found
    return (ibis.union(*whole) if len(whole) > 1 else whole[0]), summed(rows), _merged(breaches)


def _span(rows: ibis.Table, spec: TableSpec) -> tuple[dt.date, dt.date]:
    """The first and the last day of the rows that are kept of a part, of which there are some."""
    day = rows[spec.moment].cast("date")
    found = collect_row(rows.aggregate(first=day.min().cast("string"), last=day.max().cast("string")))
    return dt.date.fromisoformat(found["first"]), dt.date.fromisoformat(found["last"])


def _lost(spec: TableSpec, part: Part, others: Sequence[tuple[dt.date, dt.date]], where: str) -> Iterator[Breach]:
    """Days that are left out of a part, and that no other part reaches."""
    days = [day for day in part.left if not any(first <= day["day"] <= last for first, last in others)]
    if days:
        amounts = [day["amount"] for day in days if day.get("amount") is not None]
        yield Breach(
            rule="Parts",
            table=spec.name,
            says=f"Rows {_of_days(days[0]['day'], days[-1]['day'])} are left out of {part.name} and are in no other part.",
            advice=f"Correct first_day or last_day under [[{spec.name}]] of {where}.",
            broken=sum(day["n"] for day in days),
            checked=sum(row.rows for row in part.ledger),
            amount=str(sum(amounts, Decimal(0))) if amounts else None,
        )


def _of_days(first: dt.date, last: dt.date) -> str:
    return f"of {first}" if first == last else f"of {first} to {last}"


def _told(spec: TableSpec, part: Part, again: ibis.Table, where: str, *, numbered: bool) -> Breach:
    """Say that rows of a part stand in an earlier one."""
    count, amount = _sums(again)
    kept = sum(row.rows for row in part.ledger if row.reason is None)
    return Breach(
        rule="Doubling",
        table=spec.name,
        says=f"Rows {_of_days(*_span(again, spec))} are in {part.name} and also in an earlier part, and are counted twice.",
        advice=f"Write first_day or last_day under one [[{spec.name}]] of {where}, so that each day is taken from one part; where both "
        'have rows of their own on these days, write duplicates = "drop" at the top instead.',
        broken=count,
        checked=kept,
        amount=amount,
        examples=_shown(again),
        grave=numbered or count > _CHANCE * kept,
    )


def _sums(rows: ibis.Table) -> tuple[int, str | None]:
    money = {"amount": rows["amount"].sum()} if "amount" in rows.columns else {}
    found = collect_row(rows.aggregate(n=rows.count(), **money))
    amount = found.get("amount")
    return int(found["n"]), None if amount is None else str(amount)


def _shown(rows: ibis.Table) -> tuple[Mapping[str, str], ...]:
    first = rows.order_by(rows.columns).limit(_EXAMPLES)
    listed = collect_arrow(first, ORDERED).to_pylist()
    return tuple({name: "" if value is None else masked(str(value)) for name, value in row.items()} for row in listed)


def _moved(
    rows: Iterable[LedgerRow], spec: TableSpec, count: int, amount: str | None, examples: tuple[Mapping[str, str], ...]
) -> list[LedgerRow]:
    """Count rows that were kept as rows that are there again."""
    result = [LedgerRow(spec.name, "duplicate", count, amount, examples)]
    for row in rows:
        if row.reason is None:
            left = None if row.amount is None or amount is None else str(Decimal(row.amount) - Decimal(amount))
            result.append(replace(row, rows=row.rows - count, amount=left))
        else:
            result.append(row)
    return result


def summed(rows: Iterable[LedgerRow]) -> list[LedgerRow]:
    """Add up what became of the rows of the parts of a table, by reason.

    Examples
    --------
    >>> rows = [LedgerRow("orders", None, 2, "3.5"), LedgerRow("orders", "guest", 1, "1"), LedgerRow("orders", None, 1, "0.5")]
    >>> [(row.reason, row.rows, row.amount) for row in summed(rows)]
    [(None, 3, '4.0'), ('guest', 1, '1')]
    """
    known, result = list(rows), []
    for reason in (None, *REASONS):
        mine = [row for row in known if row.reason == reason]
        if mine:
            amounts = [Decimal(row.amount) for row in mine if row.amount is not None]
            examples = tuple(example for row in mine for example in row.examples)[:_EXAMPLES]
            total = str(sum(amounts, Decimal(0))) if amounts else None
            result.append(LedgerRow(mine[0].table, reason, sum(row.rows for row in mine), total, examples))
    return result


def _merged(breaches: Iterable[Breach]) -> list[Breach]:
    """One breach for what is said alike of several parts."""
    found: dict[tuple[Any, ...], Breach] = {}
    for one in breaches:
        key = (one.rule, one.says, one.advice, one.currency, one.grave)
        if (before := found.get(key)) is None:
            found[key] = one
            continue
        amounts = [Decimal(breach.amount) for breach in (before, one) if breach.amount is not None]
        found[key] = replace(
            before,
            broken=before.broken + one.broken,
            checked=before.checked + one.checked,
            amount=str(sum(amounts, Decimal(0))) if amounts else None,
            examples=(*before.examples, *one.examples)[:_EXAMPLES],
        )
    return list(found.values())

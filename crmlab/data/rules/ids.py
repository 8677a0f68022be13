"""Rules of identifiers: digits that a spreadsheet lost, and one id that is written in several ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from crmlab.collecting import collect_row
from crmlab.data.ledger import Breach
from crmlab.data.reading.ids import folded
from crmlab.data.rules.rule import Rule

if TYPE_CHECKING:
    import ibis

    from crmlab.data.dataset import Dataset

__all__ = ["RULES"]

_SCIENTIFIC = r"^[0-9]+([.,][0-9]+)?[eE]\+[0-9]+$"  # 4.91765E+12: as spreadsheets show what is too long for a cell
_LONG, _DIGITS = r"^[0-9]{16,}$", 15  # spreadsheets keep 15 digits and fill up with zeros
_ZEROS, _NEARLY, _LEAST = r"^0+$", 0.95, 5
_SALESFORCE = r"^00[0-9A-Za-z]{13}$"  # ids that differ by case, and mean it

# Where the ids of each kind stand. What is in the first two tables adds up to money.
_PLACES = {
    "customer_id": ("orders", "order_lines", "customers", "contacts", "responses", "contracts"),
    "product_id": ("order_lines", "products"),
    "order_id": ("orders", "order_lines"),
}


def _table(data: Dataset, column: str) -> tuple[str, ibis.Table]:
    """The table in which an id matters most: that of orders, of lines, or the first that has it."""
    name = next(name for name in _PLACES[column] if name in data.tables)
    return name, getattr(data, name)


def _rows(column: str) -> Callable[[Dataset], Any]:
    return lambda data: _table(data, column)[1].count()


def _lost_digits(column: str) -> Callable[[Dataset], ibis.Table]:
    def find(data: Dataset) -> ibis.Table:
        table = _table(data, column)[1]
        ids = table[column]
        cut = ids.re_search(_LONG)
        zeros = cut & ids.substr(_DIGITS).re_search(_ZEROS)
        seen = collect_row(table.aggregate(long=cut.sum(), zeros=zeros.sum(), ids=ids.nunique(where=zeros)))
        filled = int(seen["ids"] or 0) >= _LEAST and int(seen["zeros"] or 0) >= _NEARLY * int(seen["long"] or 0)
        lost = table.filter(ids.re_search(_SCIENTIFIC) | zeros) if filled else table.filter(ids.re_search(_SCIENTIFIC))
        return _shown(lost, column)

    return find


def _shown(rows: ibis.Table, column: str) -> ibis.Table:
    money = {"money": rows["amount"]} if "amount" in rows.columns else {}
    others = [name for name in ("order_id",) if name in rows.columns and name != column]
    return rows.select(column, *others, **money)


def _spellings(column: str) -> Callable[[Dataset], ibis.Table]:
    """Ids of one kind that have a twin that is used more, with the rows and the money of each."""

    def find(data: Dataset) -> ibis.Table:
        import ibis

        table = _table(data, column)[1]
        money = table["amount"].sum() if "amount" in table.columns else None
        ids = table.group_by(column).agg(rows=table.count(), **({} if money is None else {"money": money}))
        ids = ids.filter(~ids[column].re_search(_SALESFORCE)).mutate(one=folded(ids[column]))
        twins = ids.group_by("one").agg(spellings=ids.count())
        found = ids.semi_join(twins.filter(twins["spellings"] > 1), "one")
        window = ibis.window(group_by="one", order_by=[ibis.desc("rows"), column])
        ranked = found.mutate(place=ibis.row_number().over(window), beside=found[column].first().over(window))
        less = ranked.filter(ranked["place"] > 0)
        # One row per row of the table, so that they can be counted: copies are all of them, and one that is not counted.
        return less.select(
            column, "beside", "rows", copies=less["rows"] + 1, **({} if money is None else {"money": less["money"]})
        )

    return find


def _quoted(data: Dataset, breach: Breach) -> Breach:
    """Show the spellings side by side, with their ends."""
    column = next(iter(breach.examples[0]))
    shown = tuple({column: f"'{row[column]}' beside '{row['beside']}'", "rows": row["rows"]} for row in breach.examples)
    return replace(breach, examples=shown, table=_table(data, column)[0])


def _placed(data: Dataset, breach: Breach) -> Breach:
    return replace(breach, table=_table(data, next(iter(breach.examples[0])))[0])


def _whole(column: str, word: str, needs: tuple[str, ...]) -> Rule:
    return Rule(
        name=f"Whole {word} ids",
        says=f"{word.capitalize()} IDs have all their digits",
        found=f"Some {word} IDs have lost digits, as a spreadsheet shows long numbers, so that several may have become one.",
        advice="The digits are gone: export again, with the column as text, and do not save it from a spreadsheet.",
        unit="rows",
        needs=needs,
        grave=True,
        base=_rows(column),
        broken=_lost_digits(column),
        told=_placed,
    )


def _alike(column: str, word: str, needs: tuple[str, ...]) -> Rule:
    return Rule(
        name=f"One spelling of {word} ids",
        says=f"No two {word} IDs differ only in case, spaces or Unicode form",
        found=f"Some {word} IDs differ only in case, spaces or Unicode form, and count as different {word}s.",
        advice='If they are the same, write ids = "fold" at the top of the data set’s file.',
        unit="rows",
        needs=needs,
        grave=True,
        base=_rows(column),
        broken=_spellings(column),
        told=_quoted,
    )


RULES = (
    _whole("order_id", "order", ("orders",)),
    _whole("customer_id", "customer", ("orders",)),
    _whole("product_id", "product", ("order_lines",)),
    _alike("customer_id", "customer", ("orders",)),
    _alike("product_id", "product", ("order_lines",)),
)

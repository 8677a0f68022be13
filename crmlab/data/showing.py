"""What a notebook shows of a data set: its days, customers and orders, what was dropped, its tables and their columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from crmlab.collecting import collect_row, collect_value
from crmlab.data.ledger import LedgerRow
from crmlab.errors import listing

if TYPE_CHECKING:
    import ibis

    from crmlab.data.descriptor import Descriptor

__all__ = ["dropped_rows", "overview"]

_MOST = 40  # names of columns that are listed
_TABLE = Markup('<table><thead><tr><th>Table</th><th class="n">Rows</th><th>Columns</th></tr></thead><tbody>{}</tbody></table>')
# Nothing but lines and spaces: colours are those of the notebook, light or dark.
_STYLE = Markup(
    "<style>.crmlab-data table{border-collapse:collapse;margin:.5rem 0}"
    ".crmlab-data th,.crmlab-data td{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0;border-bottom:1px solid}"
    ".crmlab-data td.n,.crmlab-data th.n{text-align:right}.crmlab-data td:last-child{max-width:40rem;white-space:normal}"
    ".crmlab-data p{margin:.2rem 0}</style>"
)


def dropped_rows(ledger: Sequence[LedgerRow]) -> list[str]:
    """Say in a sentence for each table how many of its rows were dropped, and why.

    Examples
    --------
    >>> dropped_rows([LedgerRow("orders", None, 98), LedgerRow("orders", "no_customer", 2)])
    ['orders: 2 of 100 rows were dropped: no customer (2).']
    """
    from crmlab.data.reading.cleaning import REASONS

    made = []
    for table in dict.fromkeys(row.table for row in ledger):
        of = [row for row in ledger if row.table == table]
        lost = [row for row in of if row.reason is not None and row.rows]
        if lost:
            why = "; ".join(f"{REASONS.get(row.reason or '', row.reason)} ({row.rows:,})" for row in lost)
            count, total = sum(row.rows for row in lost), sum(row.rows for row in of)
            made.append(f"{table}: {count:,} of {total:,} rows {'was' if count == 1 else 'were'} dropped: {why}.")
    return made


def overview(descriptor: Descriptor, tables: Mapping[str, ibis.Table], said: Sequence[str]) -> str:
    """Return a data set as HTML for a notebook; what stands in it is escaped.

    Parameters
    ----------
    descriptor : Descriptor
        Title, name, currency.
    tables : mapping of str to ibis.Table
        The canonical tables.
    said : sequence of str
        Sentences below the tables: what was guessed, what was dropped.

    Returns
    -------
    str
        Title, days, customers and orders; a table of the tables; the sentences.

    Examples
    --------
    >>> import crmlab
    >>> data = crmlab.open_dataset("cdnow_sample")
    >>> "6,919 orders by 2,357 customers, 1997-01-01 to 1998-06-30." in overview(data.descriptor, {"orders": data.orders}, [])
    True
    """
    rows = [_row(name, table) for name, table in tables.items()]
    currency = f", {descriptor.currency}" if descriptor.currency else ""
    parts = [
        Markup("<p><strong>{}</strong> ({}{})</p>").format(descriptor.title, descriptor.name, currency),
        Markup("<p>{}</p>").format(_span(descriptor, tables)),
        _TABLE.format(Markup("").join(rows)),
        *(Markup("<p>{}</p>").format(sentence) for sentence in said),
    ]
    return str(Markup('{}<div class="crmlab-data">{}</div>').format(_STYLE, Markup("").join(parts)))


def _row(name: str, table: ibis.Table) -> Markup:
    count = f"{collect_value(table.count()):,}"
    return Markup('<tr><td>{}</td><td class="n">{}</td><td>{}</td></tr>').format(name, count, listing(table.columns, _MOST))


def _span(descriptor: Descriptor, tables: Mapping[str, ibis.Table]) -> str:
    if "orders" not in tables:
        return "There are no orders."
    orders = tables["orders"]
    moment = orders["ordered_at"]
    found = collect_row(
        orders.aggregate(orders=orders.count(), people=orders["customer_id"].nunique(), first=moment.min(), last=moment.max())
    )
    if not found["orders"]:
        return "There are no orders."
    count, people = found["orders"], found["people"]
    # Where the source does not say who bought, each receipt stands for a customer of its own.
    who = f" by {people:,} customer{'' if people == 1 else 's'}" if "customer ids" in descriptor.told else ""
    return f"{count:,} order{'' if count == 1 else 's'}{who}, {str(found['first'])[:10]} to {str(found['last'])[:10]}."

"""Identifiers as programs mangle them: numbers that were floats once, spellings of one id, and ids that stand for guests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from crmlab.collecting import collect_row
from crmlab.data.guests import NUMBERED_GUEST, guests_of

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir

__all__ = ["folded", "guest", "whole"]

_WHOLE, _TAIL = r"^[0-9]+\.0+$", r"\.0+$"


def whole(table: ibis.Table, columns: Sequence[str]) -> dict[str, Any]:
    """Return ids without ".0", for the columns where every id that has a point is a whole number: a float once, because there were gaps.

    Parameters
    ----------
    table : ibis.Table
    columns : sequence of str
        Columns that hold ids; those that are no texts are passed over.

    Returns
    -------
    dict
        Name of a column → its healed values; only those where there is something to heal. A column with ids such as 90.75 is left alone.
    """
    import ibis

    texts = [name for name in columns if table[name].type().is_string()]
    if not texts:
        return {}
    aggregates: dict[str, Any] = {}
    for name in texts:
        floats, points = table[name].re_search(_WHOLE), table[name].contains(".")
        aggregates |= {f"{name}_floats": floats.any(), f"{name}_others": (points & ~floats).any()}
    found = collect_row(table.aggregate(**aggregates))
    healed = [name for name in texts if found[f"{name}_floats"] and not found[f"{name}_others"]]
    return {name: ibis.ifelse(table[name].re_search(_WHOLE), table[name].re_replace(_TAIL, ""), table[name]) for name in healed}


def folded(ids: ir.StringValue) -> ir.StringValue:
    """Write ids in one way that differ by case, blanks, Unicode form or a decimal point that means nothing.

    Unicode forms are told apart by DuckDB and Postgres only.
    """
    import ibis
    from ibis.expr import datatypes as types

    engine = ids.get_backend().name
    if engine in ("duckdb", "postgres"):

        def nfc_normalize(text): ...  # type: ignore[no-untyped-def]
        def normalize(text): ...  # type: ignore[no-untyped-def]

        made = nfc_normalize if engine == "duckdb" else normalize
        ids = ibis.udf.scalar.builtin(made, signature=((types.string,), types.string))(ids)
    one = ids.lower().re_replace(r"[\s\p{Z}]+" if engine != "postgres" else r"\s+", " ").strip()
    plain: ir.StringValue = ibis.ifelse(one.re_search(_WHOLE), one.re_replace(_TAIL, ""), one)
    return plain


def guest(ids: ir.StringValue, guests: tuple[str, ...] | None) -> ir.BooleanValue:
    """Whether each id stands for guests.

    Parameters
    ----------
    ids : ibis.Value
    guests : tuple of str, optional
        What the data set says of them, for :func:`crmlab.data.guests.guests_of`. Case and blanks around make no difference.
    """
    words, plain = guests_of(guests), ids.strip().lower()
    known: ir.BooleanValue = plain.isin([one.strip().lower() for one in words])
    return known | plain.re_search(NUMBERED_GUEST) if words else known

"""Reads a source again to find out who is behind ids that are keyed hashes: the only way back from an id to an e-mail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from crmlab.collecting import collect_batches
from crmlab.data.descriptor import Descriptor
from crmlab.data.identity import existing_key
from crmlab.data.reading import building
from crmlab.data.reading.parse import Parser
from crmlab.data.reading.raw import Raw
from crmlab.data.table_section import TableSection
from crmlab.errors import DataError

__all__ = ["Persons", "persons_of"]

_PIECE = 50_000  # rows that are in Python at a time


@dataclass(frozen=True)
class Persons:
    """What a source holds of the customers that were asked for.

    Attributes
    ----------
    column : str
        The source's name for it, that of the first table that has such a column.
    values : dict
        For each id that was found the value, without blanks around: of several ways of writing the one that most rows have.
    """

    column: str
    values: dict[str, str] = field(repr=False)


def persons_of(descriptor: Descriptor, ids: Collection[str]) -> Persons:
    """Find the values that ids were made of, in all tables of a data set whose ids are made of a personal column.

    Values pass through in pieces: no more are held than were asked for.

    Parameters
    ----------
    descriptor : Descriptor
        A data set with ``customer_hash``.
    ids : collection of str
        The ids that are asked for.

    Returns
    -------
    Persons

    Raises
    ------
    CustomerKeyError
        There is no key, or it cannot be read.
    SourceError
        The source cannot be read.
    """
    key, wanted = existing_key(descriptor), set(ids)
    columns: list[str] = []
    seen: dict[str, Counter[str]] = {}
    for section in (part for whole in descriptor.tables.values() for part in whole.parts):
        if section.customer_hash is None:
            continue
        columns.append(section.customer_hash)
        with building.loaded(descriptor, section) as raw:
            for value, rows in _values(raw, section, descriptor):
                found = key.id_of(value)
                if found in wanted:
                    seen.setdefault(found, Counter())[" ".join(value.split())] += rows
    return Persons(columns[0], {one: min(forms, key=lambda form: (-forms[form], form)) for one, forms in seen.items()})


def _values(raw: Raw, section: TableSection, descriptor: Descriptor) -> Iterator[tuple[str, int]]:
    """Every value of a personal column as ids are made of it, and in how many rows it is."""
    spec = section.spec
    column = spec.column("customer_id")
    if section.customer_hash not in raw.columns or column is None:
        raise DataError.lacks(section.table, str(section.customer_hash), raw.columns, f"Correct it in {descriptor.where}.")
    parser = Parser(spec, section, descriptor, raw.table.get_backend().name)
    held = raw.table.select(value=parser.stripped(raw.table[section.customer_hash]))
    given = parser.with_given(held, {"customer_id": "value"}, heal=raw.numbered)
    table = given.select(value=parser.parse(column, given["value"]))
    for batch in collect_batches(
        table.filter(table["value"].notnull()).group_by("value").agg(rows=lambda t: t.count()), _PIECE
    ):
        yield from zip(batch["value"].to_pylist(), batch["rows"].to_pylist(), strict=True)

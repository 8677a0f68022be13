"""Opens a data set: canonical Ibis tables, what was read, and what was dropped."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlab.data.catalog import load
from crmlab.data.descriptor import Descriptor
from crmlab.data.ledger import Breach, LedgerRow
from crmlab.data.reading import building, engines
from crmlab.data.reading.breaches import breaches_of
from crmlab.data.reading.cleaning import clean
from crmlab.data.reading.ledgers import ledger, problems
from crmlab.data.reading.raw import Raw, literal
from crmlab.data.tables import TABLES
from crmlab.errors import CrmlabError, MissingTableError, ParameterError, listing

if TYPE_CHECKING:
    import datetime as dt

    import ibis
    from ibis.backends import BaseBackend

__all__ = ["Dataset", "check_source", "open_dataset"]


@dataclass(frozen=True)
class Dataset:
    """Canonical tables of one data set on one engine.

    Attributes
    ----------
    descriptor : Descriptor
        The TOML file: title, currency, time zone, rules.
    con : ibis backend
        The engine that holds the tables.
    ledger : tuple of LedgerRow
        What became of every row that was read.
    breaches : tuple of Breach
        What broke rules while the sources were read: the rules that need what is not in the canonical tables any more.
    fingerprint : str or None
        Changes when the contents of the data set change; None where the source has none.
    until : datetime.date or None
        The last day that is known, where a history was cut off there: nobody need have ordered on it.

    Examples
    --------
    >>> data = open_dataset("cdnow_sample")
    >>> data
    Dataset('cdnow_sample', tables: orders)
    >>> data.orders.count().execute()
    6919
    """

    descriptor: Descriptor
    con: BaseBackend = field(repr=False)
    _tables: Mapping[str, ibis.Table] = field(repr=False)
    ledger: tuple[LedgerRow, ...] = ()
    breaches: tuple[Breach, ...] = ()
    fingerprint: str | None = None
    until: dt.date | None = None

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, tables: {', '.join(self.tables)})"

    @property
    def name(self) -> str:
        """Name of the data set: that of its TOML file."""
        return self.descriptor.name

    @property
    def title(self) -> str:
        """Title for people."""
        return self.descriptor.title

    @property
    def currency(self) -> str:
        """ISO code of the currency; empty where the data set names none."""
        return self.descriptor.currency

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the canonical tables that are present."""
        return tuple(name for name in TABLES if name in self._tables)

    @property
    def holds(self) -> tuple[str, ...]:
        """The tables that are present, and what the orders tell: what a report may need."""
        return (*self.tables, *self.descriptor.told)

    def table(self, name: str) -> ibis.Table:
        """Return a canonical table.

        Raises
        ------
        MissingTableError
            The data set does not hold it; the message says which section to add.
        """
        if name not in self._tables:
            if name not in TABLES:
                raise MissingTableError.no_such("canonical table", name, TABLES)
            raise MissingTableError(
                f"The data set '{self.name}' has no table '{name}'. Found: {listing(self.tables)}. "
                f"Add a section [{name}] to {self.descriptor.where}."
            )
        return self._tables[name]

    @property
    def orders(self) -> ibis.Table:
        """One row per order."""
        return self.table("orders")

    @property
    def order_lines(self) -> ibis.Table:
        """One row per order line."""
        return self.table("order_lines")

    @property
    def products(self) -> ibis.Table:
        """One row per product."""
        return self.table("products")

    @property
    def customers(self) -> ibis.Table:
        """One row per customer, with attributes; personal columns are not there."""
        return self.table("customers")

    @property
    def cells(self) -> ibis.Table:
        """One row per test cell."""
        return self.table("cells")

    @property
    def contacts(self) -> ibis.Table:
        """One row per customer assigned to a cell."""
        return self.table("contacts")

    @property
    def responses(self) -> ibis.Table:
        """One row per response."""
        return self.table("responses")


def open_dataset(name_or_toml_path: str | os.PathLike[str], engine: Any = None) -> Dataset:
    """Open a data set as canonical Ibis tables.

    Files are read, cleaned and kept as Parquet in the cache the first time; after that they open at once. Tables of a
    database stay where they are.

    Parameters
    ----------
    name_or_toml_path : str or path
        A name in ``data/`` (``"shop"``), or the path of a TOML file.
    engine : None, "duckdb", "spark" or a SparkSession
        Where reductions run. Default: DuckDB in this process; for a data set in a database, that database.

    Returns
    -------
    Dataset

    Raises
    ------
    DescriptorError, SourceError, DataError
        The TOML file, the source or the records cannot be used; the message says what to do.
    ParameterError
        The engine is unknown or cannot hold this data set.

    Examples
    --------
    >>> open_dataset("cdnow").orders.count().execute()
    69659
    """
    descriptor = load(name_or_toml_path)
    spark_wanted = engine == "spark" or type(engine).__name__ == "SparkSession"
    if engine not in (None, "duckdb") and not spark_wanted:
        raise ParameterError.expected("open_dataset", "engine", "None, 'duckdb', 'spark' or a SparkSession", engine)
    if descriptor.kind == "spark":
        if not spark_wanted:
            raise ParameterError.expected("open_dataset", "engine", "'spark' for a data set in Spark", engine)
        return _open_database(descriptor, engine)
    if descriptor.kind == "postgres":
        if engine is not None:
            raise ParameterError.expected("open_dataset", "engine", "None for a data set in Postgres", engine)
        return _open_database(descriptor, None)
    kept = building.materialise(descriptor)
    con = engines.spark(engine) if spark_wanted else engines.scratch_duckdb()
    tables = {}
    for name in (name for name in TABLES if name in kept.tables):
        path = kept.tables[name]
        tables[name] = con.read_parquet(
            _spark_literal(path) if spark_wanted else literal(path), table_name=_view(kept.key, name)
        )
    return Dataset(descriptor, con, tables, kept.manifest.ledger, kept.manifest.breaches, kept.key)


def _view(key: str, table: str) -> str:
    """A name for a view that no other data set of the same Spark session has, and that needs no quotation marks."""
    return f"crmlab_{key[:12]}_{table}"


def _spark_literal(path: Path) -> str:
    """A path for Spark, which takes brackets, braces and stars in it for a pattern."""
    return re.sub(r"([*?\[\]{}\\])", r"\\\1", str(path))


def check_source(descriptor: Descriptor) -> tuple[list[LedgerRow], list[Breach], list[CrmlabError]]:
    """Read a data set in files without keeping anything, and collect every problem instead of stopping at the first.

    Returns
    -------
    (ledger, breaches, problems)
        The ledger of the tables that could be read, what broke rules while they were read, and one error per problem.
    """
    return building.check(descriptor)


def _open_database(descriptor: Descriptor, engine: Any) -> Dataset:
    con = engines.connect(descriptor, engine)
    rows: list[LedgerRow] = []
    breaches: list[Breach] = []
    tables: dict[str, ibis.Table] = {}
    for name, section in descriptor.tables.items():
        with engines.explain_errors(name, section.from_table or name):
            outside = engines.database_table(con, section, descriptor.kind)
            raw = Raw(outside, section.from_table or name, tuple(outside.columns), numbered=False)
            cleaning = clean(TABLES[name], section, raw, descriptor)
            found: list[CrmlabError] = list(cleaning.errors)
            if not found:
                counted = ledger(cleaning)
                rows += counted
                found = problems(cleaning, descriptor, counted)
                breaches += [] if found else breaches_of(cleaning, descriptor, counted)
            if found:
                raise found[0]
            tables[name] = cleaning.kept()
    with engines.explain_errors("orders", "what the order lines add up to"):
        rows += building.derive(descriptor, tables)
    made = {name: building.canonical(name, table) for name, table in tables.items()}
    return Dataset(descriptor, con, made, tuple(rows), tuple(breaches), None)

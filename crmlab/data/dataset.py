"""Opens a data set: canonical Ibis tables, what was read, and what was dropped."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from crmlab.data.catalog import load
from crmlab.data.descriptor import Descriptor
from crmlab.data.ledger import Breach, LedgerRow
from crmlab.data.memory.launched import Remembered, joined, remembered
from crmlab.data.reading import building, engines
from crmlab.data.reading.breaches import breaches_of
from crmlab.data.reading.cleaning import clean
from crmlab.data.reading.ledgers import ledger, problems
from crmlab.data.reading.raw import Raw, literal
from crmlab.data.scratch import process_scratch
from crmlab.data.tables import TABLES
from crmlab.errors import CrmlabError, MissingTableError, ParameterError, listing

if TYPE_CHECKING:
    import datetime as dt

    import ibis
    import pyarrow as pa
    from ibis.backends import BaseBackend

    from crmlab.data.memory.reader import CampaignReader

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
    remembered : Remembered or None
        The campaigns launched from it that the campaign memory knows: their cells, contacts and responses are in the tables.
    worked_out : dict
        For :meth:`crmlab.history.past.History.once`.
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
    remembered: Remembered | None = field(default=None, repr=False)
    # What histories of this very data set have worked out and is worth keeping; a changed data set is another one, and begins anew.
    worked_out: dict[object, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

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


def open_dataset(
    name_or_toml_path: str | os.PathLike[str], engine: Any = None, memory: CampaignReader | None = None
) -> Dataset:
    """Open a data set as canonical Ibis tables.

    Files are read, cleaned and kept as Parquet in the cache the first time; after that they open at once. Tables of a
    database stay where they are. Cells, contacts and responses of campaigns that were launched from the data set are read from
    the campaign memory, unless its file says ``memory = false`` under ``[campaigns]``.

    Parameters
    ----------
    name_or_toml_path : str or path
        A name in ``data/`` (``"shop"``), or the path of a TOML file.
    engine : None, "duckdb", "spark" or a SparkSession
        Where reductions run. Default: DuckDB in this process; for a data set in a database, that database.
    memory : CampaignReader, optional
        The campaign memory. Default: that of the project.

    Returns
    -------
    Dataset

    Raises
    ------
    DescriptorError, SourceError, DataError
        The TOML file, the source or the records cannot be used; the message says what to do.
    ParameterError
        The engine is unknown or cannot hold this data set.
    CampaignError
        The campaign memory cannot be read, or knows a campaign by other cells than the data set.

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
        return _with_launched(_open_database(descriptor, engine), memory)
    if descriptor.kind == "postgres":
        if engine is not None:
            raise ParameterError.expected("open_dataset", "engine", "None for a data set in Postgres", engine)
        return _with_launched(_open_database(descriptor, None), memory)
    kept = building.materialise(descriptor)
    con = engines.spark(engine) if spark_wanted else engines.scratch_duckdb()
    tables = {}
    for name in (name for name in TABLES if name in kept.tables):
        path = kept.tables[name]
        tables[name] = con.read_parquet(
            _spark_literal(path) if spark_wanted else literal(path), table_name=_view(kept.key, name)
        )
    opened = Dataset(descriptor, con, tables, kept.manifest.ledger, kept.manifest.breaches, kept.key)
    return _with_launched(opened, memory)


def _with_launched(data: Dataset, memory: CampaignReader | None) -> Dataset:
    """A data set with the campaigns that were launched from it."""
    found = remembered(data.descriptor, memory)
    if found is None:
        return data

    def place(name: str, rows: pa.Table) -> ibis.Table:
        called = f"crmlab_memory_{uuid4().hex[:12]}_{name}"  # a session of Spark may hold several
        if data.con.name == "postgres":
            return data.con.create_table(called, obj=rows, temp=True)
        import pyarrow.parquet as pq

        path = process_scratch() / f"{called}.parquet"
        pq.write_table(rows, path)
        return data.con.read_parquet(_spark_literal(path) if data.con.name == "pyspark" else literal(path), table_name=called)

    tables, found = joined(data._tables, found, place, data.descriptor.where)
    return replace(data, _tables=tables, remembered=found)


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

"""Opens a data set: canonical Ibis tables, what was read, and what was dropped."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from crmlab.data.brought import WHERE, Brought, bring, is_brought
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
from crmlab.data.showing import dropped_rows, overview
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
    notes : tuple of str
        Of a data set made of frames or files that somebody gave: which column was taken for which, what is not sure, what was dropped.
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
    notes: tuple[str, ...] = ()
    # What histories of this very data set have worked out and is worth keeping; a changed data set is another one, and begins anew.
    worked_out: dict[object, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __repr__(self) -> str:
        return "\n  ".join([f"Dataset({self.name!r}, tables: {', '.join(self.tables)})", *self.notes])

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        # The notes of frames and files say already what was dropped.
        said = self.notes or dropped_rows(self.ledger)
        return overview(self.descriptor, {name: self.table(name) for name in self.tables}, said)

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
            if self.descriptor.where == WHERE:
                raise MissingTableError(
                    f"The data set '{self.name}' has no table '{name}'. Found: {listing(self.tables)}. "
                    f'Give it to open_dataset with the others: {{"orders": …, "{name}": …}}.'
                )
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

    @property
    def contracts(self) -> ibis.Table:
        """One row per contract of a subscription or membership, and per change of its price or plan."""
        return self.table("contracts")


def open_dataset(
    source: Any,
    engine: Any = None,
    memory: CampaignReader | None = None,
    *,
    columns: Mapping[str, Any] | None = None,
    title: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Dataset:
    """Open a data set as canonical Ibis tables: one that has a name or a TOML file, or frames and files as they are.

    **A name or a TOML file.** Files are read, cleaned and kept as Parquet in the cache the first time; after that they open at once.
    Tables of a database stay where they are. Cells, contacts and responses of campaigns that were launched from the data set are read from
    the campaign memory, unless its file says ``memory = false`` under ``[campaigns]``.

    **A frame or a file.** Which column is which is guessed as ``crmlab new`` guesses it, and told in ``notes``; what cannot be told for
    sure is asked for in an error. Amounts are exact, returns, doubles and rows that cannot be used are treated and counted as in any data
    set. Nothing of it is kept in the cache: what was read stands in a folder of temporary files, for this user only, until the process
    ends, and each call reads anew. A frame is not changed, and later changes of it do not reach the data set.

    Parameters
    ----------
    source : str, path, table or dict
        A name in ``data/`` (``"shop"``), or the path of a TOML file. Or a table: a frame of pandas, Polars or PyArrow, an Ibis table; the
        path of a csv, Parquet, JSON or workbook file, or of a folder of them. Or a dict with a table or path for each of ``"orders"``,
        ``"order_lines"``, ``"products"``, ``"customers"``, ``"cells"``, ``"contacts"``, ``"responses"`` and ``"contracts"``, of which it
        needs those that you have.
    engine : None, "duckdb", "spark" or a SparkSession
        Where reductions run. Default: DuckDB in this process; for a data set in a database, that database.
    memory : CampaignReader, optional
        The campaign memory. Default: that of the project; for frames and files none.
    columns : dict, optional
        For frames and files: canonical column → yours, such as ``{"customer_id": "Kunde"}``, where it would not be recognised. It holds for
        every table that has the column; a dict for a table, such as ``{"products": {"name": "Artikel"}}``, for that one. ``{"amount":
        None}`` says that there is none.
    title : str, optional
        For frames and files: what pages call the data set. Default: made from the file's name.
    settings : dict, optional
        For frames and files: what else a TOML file of the data set would say, at its top (``{"currency": "EUR", "margin": 0.4}``) or of a
        table (``{"orders": {"date_format": "%d.%m.%Y"}}``).

    Returns
    -------
    Dataset
        The last day of its history is that of the last plausible order; analyses take an earlier one as ``as_of``.

    Raises
    ------
    DescriptorError, SourceError, DataError
        The TOML file, the source or the records cannot be used; the message says what to do.
    ParameterError
        The engine is unknown or cannot hold this data set; what is given is neither a name nor a table, or is not known.
    CampaignError
        The campaign memory cannot be read, or knows a campaign by other cells than the data set.

    Examples
    --------
    >>> open_dataset("cdnow").orders.count().execute()
    69659

    >>> import pandas as pd
    >>> sales = pd.DataFrame({
    ...     "Kunde": ["K1", "K2", "K1"], "Datum": ["2024-01-31", "2024-02-01", "2024-02-14"], "Betrag": [12.5, 7.0, 30.0],
    ... })
    >>> data = open_dataset(sales, title="My shop")
    >>> data.title, data.orders.count().execute()
    ('My shop', 3)
    >>> print(data.notes[0])
    orders: customer_id is 'Kunde', ordered_at is 'Datum', amount is 'Betrag'.
    """
    spark_wanted = engine == "spark" or type(engine).__name__ == "SparkSession"
    if engine not in (None, "duckdb") and not spark_wanted:
        raise ParameterError.expected("open_dataset", "engine", "None, 'duckdb', 'spark' or a SparkSession", engine)
    if is_brought(source):
        if memory is not None:
            settings = {"campaigns": {"memory": True}, **(settings or {})}
        return _open_brought(bring(source, columns, title, settings), engine if spark_wanted else None, memory)
    for name, given in (("columns", columns), ("title", title), ("settings", settings)):
        if given is not None:
            raise ParameterError.expected("open_dataset", name, "left out for a data set that has a name or a TOML file", given)
    if not isinstance(source, str | os.PathLike):
        expected = "the name of a data set, a TOML file, a table, a file, or a dict of tables and files"
        raise ParameterError.expected("open_dataset", "source", expected, type(source).__name__)
    descriptor = load(source)
    if descriptor.kind == "spark":
        if not spark_wanted:
            raise ParameterError.expected("open_dataset", "engine", "'spark' for a data set in Spark", engine)
        return _with_launched(_open_database(descriptor, engine), memory)
    if descriptor.kind == "postgres":
        if engine is not None:
            raise ParameterError.expected("open_dataset", "engine", "None for a data set in Postgres", engine)
        return _with_launched(_open_database(descriptor, None), memory)
    kept = building.materialise(descriptor)
    con, tables = _placed(kept.tables, kept.key, engine if spark_wanted else None)
    opened = Dataset(descriptor, con, tables, kept.manifest.ledger, kept.manifest.breaches, kept.key)
    return _with_launched(opened, memory)


def _placed(paths: Mapping[str, Path], key: str, spark: Any) -> tuple[BaseBackend, dict[str, ibis.Table]]:
    """The engine, and canonical Parquet as tables of it; ``spark`` is None for DuckDB."""
    con = engines.spark(spark) if spark is not None else engines.scratch_duckdb()
    form = _spark_literal if spark is not None else literal
    return con, {name: con.read_parquet(form(paths[name]), table_name=_view(key, name)) for name in TABLES if name in paths}


def _open_brought(brought: Brought, spark: Any, memory: CampaignReader | None) -> Dataset:
    """A data set of frames and files; with a memory only where somebody gives one."""
    paths = {name: brought.folder / f"{name}.parquet" for name in brought.tables}
    con, tables = _placed(paths, brought.fingerprint, spark)
    opened = Dataset(
        brought.descriptor, con, tables, brought.ledger, brought.breaches, brought.fingerprint, notes=brought.notes
    )
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
            cleaning = clean(section.spec, section, raw, descriptor)
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

"""Opens a data set: canonical Ibis tables, what was read, and what was dropped."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlab.data import cache, source
from crmlab.data.catalog import Descriptor, TableSection, load
from crmlab.data.clean import (
    Cleaning,
    LedgerRow,
    clean,
    derive_orders,
    derive_products,
    free,
    ledger,
    missing_customers,
    problems,
)
from crmlab.data.tables import TABLES, schema
from crmlab.errors import CrmlabError, DataError, MissingTableError, ParameterError

if TYPE_CHECKING:
    import ibis
    from ibis.backends import BaseBackend


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
    fingerprint : str or None
        Changes when the contents of the data set change; None where the source has none.

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
    fingerprint: str | None = None

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

    def table(self, name: str) -> ibis.Table:
        """Return a canonical table.

        Raises
        ------
        MissingTableError
            The data set does not hold it; the message says which section to add.
        """
        if name not in self._tables:
            known = name in TABLES
            raise MissingTableError.absent(
                name, self.name, self.tables if known else TABLES, self.descriptor.where, known=known
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
    key = cache.key_of(descriptor, _inputs(descriptor))
    folder, manifest = cache.materialised(descriptor.name, key, lambda aside: _build(descriptor, aside))
    con = source.spark(engine) if spark_wanted else _duckdb()
    names = [name for name in TABLES if name in manifest["tables"]]
    tables = {name: con.read_parquet(str(folder / f"{name}.parquet"), table_name=f"{descriptor.name}_{name}") for name in names}
    rows = tuple(LedgerRow(**{**row, "examples": tuple(row["examples"])}) for row in manifest["ledger"])
    return Dataset(descriptor, con, tables, rows, key)


def check_source(descriptor: Descriptor) -> tuple[list[LedgerRow], list[CrmlabError]]:
    """Read a data set in files without keeping anything, and collect every problem instead of stopping at the first.

    Returns
    -------
    (ledger, problems)
        The ledger of the tables that could be read, and one error per problem.
    """
    import tempfile

    rows: list[LedgerRow] = []
    found: list[CrmlabError] = []
    with tempfile.TemporaryDirectory() as scratch:
        con = _duckdb(Path(scratch))
        for name in _raw_names(descriptor):
            try:
                cleaning = _cleaning(descriptor, con, name, Path(scratch))
                found += _table_problems(cleaning, descriptor)
                rows += ledger(cleaning)
            except CrmlabError as error:
                found.append(error)
    return rows, found


def _duckdb(scratch: Path | None = None) -> BaseBackend:
    import ibis

    settings = {"temp_directory": str(scratch)} if scratch else {}
    con: BaseBackend = ibis.duckdb.connect(**settings)
    return con


def _inputs(descriptor: Descriptor) -> list[tuple[str, str]]:
    """The files of a data set and their digests."""
    if descriptor.kind == "shop":
        return []
    if descriptor.kind == "duckdb":
        path = _database_file(descriptor)
        return [(path.name, cache.file_digest(path))]
    result = []
    for name, section in descriptor.tables.items():
        path = source.file_of(section, descriptor)
        result += [(f"{name}/{file.name}", cache.file_digest(file)) for file in source.files_of(path)]
    return result


def _database_file(descriptor: Descriptor) -> Path:
    return source.file_of(TableSection("source", file=(str(descriptor.source["file"]),)), descriptor)


def _raw_names(descriptor: Descriptor) -> list[str]:
    return ["order_lines", "products", "customers"] if descriptor.kind == "shop" else list(descriptor.tables)


def _raw(descriptor: Descriptor, con: BaseBackend, name: str, scratch: Path) -> ibis.Table:
    """Load one table of a source into a scratch DuckDB."""
    section = _section(descriptor, name)
    if descriptor.kind == "shop":
        import pyarrow as pa

        from crmlab.data.shop import make_shop

        if name == _raw_names(descriptor)[0]:
            arguments = {key: value for key, value in descriptor.source.items() if key in ("seed", "dirty")}
            shop = make_shop(int(descriptor.source.get("customers", 2000)), **arguments)
            for table, frame in shop.tables.items():
                con.create_table(f"raw_{table}", obj=pa.Table.from_pandas(frame, preserve_index=False), temp=True)
        return con.table(f"raw_{name}")
    if descriptor.kind == "duckdb":
        catalog = "source"
        if catalog not in con.list_catalogs():
            source.attach(con, _database_file(descriptor), name)
        outside = source.database_table(con, _qualified(section, catalog), str(descriptor.source["file"]))
        return con.create_table(f"raw_{name}", obj=outside, temp=True)
    return source.read_file(con, section, source.file_of(section, descriptor), scratch)


def _qualified(section: TableSection, catalog: str) -> TableSection:
    from dataclasses import replace

    name = section.from_table or section.table
    return replace(section, from_table=f"{catalog}.{name}" if "." in name else f"{catalog}.main.{name}")


def _section(descriptor: Descriptor, name: str) -> TableSection:
    given = descriptor.tables.get(name)
    if given is not None:
        return given
    return TableSection(name, personal=("email",) if name == "customers" else ())


def _cleaning(descriptor: Descriptor, con: BaseBackend, name: str, scratch: Path) -> Cleaning:
    return clean(TABLES[name], _section(descriptor, name), _raw(descriptor, con, name, scratch), descriptor)


def _table_problems(cleaning: Cleaning, descriptor: Descriptor) -> list[CrmlabError]:
    """Everything that keeps a table from being used."""
    result: list[CrmlabError] = []
    spec = cleaning.spec
    if descriptor.bad_rows == "error":
        result += problems(cleaning, descriptor.where)
    if descriptor.missing_customer == "error" and "customer_id" in cleaning.mapping:
        missing = missing_customers(cleaning)
        if missing:
            result.append(DataError.not_canonical(spec.name, "no customer", missing, "an empty customer_id"))
    if result:
        return result
    kept = cleaning.kept()
    read = int(cleaning.raw.count().execute())
    if kept.count().execute() == 0:
        reasons = [f"{row.rows:,} {row.reason}" for row in ledger(cleaning)]
        return [DataError.nothing_left(spec.name, read, reasons)]
    for column in spec.kept:
        if column.unique:
            twice = kept.group_by(column.name).agg(n=lambda t: t.count()).filter(lambda t: t["n"] > 1)
            found = twice.order_by(column.name).limit(1).to_pyarrow().to_pylist()
            if found:
                count = int(twice.count().execute())
                result.append(
                    DataError.not_canonical(spec.name, f"'{column.name}' is not unique", count, found[0][column.name])
                )
        for words, rule in _rules(column):
            if column.name in kept.columns:
                broken = kept.filter(rule)
                count = int(broken.count().execute())
                if count:
                    example = broken.limit(1).to_pyarrow().to_pylist()[0][column.name]
                    result.append(DataError.not_canonical(spec.name, f"'{column.name}' is {words}", count, example))
    return result


def _rules(column: Any) -> list[tuple[str, Callable[[ibis.Table], Any]]]:
    rules: list[tuple[str, Callable[[ibis.Table], Any]]] = []
    if column.at_least is not None:
        rules.append((f"under {column.at_least:g}", lambda table: table[column.name] < column.at_least))
    if column.one_of is not None:
        rules.append((f"none of {', '.join(column.one_of)}", lambda table: ~table[column.name].isin(column.one_of)))
    return rules


def _build(descriptor: Descriptor, folder: Path) -> dict[str, Any]:
    """Read, clean and write every table of a data set into a folder; return the manifest."""
    import tempfile
    from dataclasses import asdict

    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        con = _duckdb(Path(scratch))
        rows: list[LedgerRow] = []
        tables: dict[str, ibis.Table] = {}
        for name in _raw_names(descriptor):
            cleaning = _cleaning(descriptor, con, name, Path(scratch))
            found = _table_problems(cleaning, descriptor)
            if found:
                raise found[0]
            rows += ledger(cleaning)
            tables[name] = con.create_table(name, obj=cleaning.kept(), temp=True)
        rows += _derive(descriptor, tables)
        sizes = {}
        for name, table in tables.items():
            extra = [column.name for column in TABLES[name].columns if column.input_only and column.name in table.columns]
            table = table.drop(*extra)
            schema(name).validate(table)
            order = [key for key in TABLES[name].order_by if key in table.columns]
            con.to_parquet(table.order_by([*order, *[c for c in table.columns if c not in order]]), folder / f"{name}.parquet")
            sizes[name] = int(table.count().execute())
        con.disconnect()
    return {"format": 1, "tables": sizes, "ledger": [asdict(row) for row in rows]}


def _derive(descriptor: Descriptor, tables: dict[str, ibis.Table]) -> list[LedgerRow]:
    """Add orders and products that follow from order lines, where the data set does not give them."""
    rows: list[LedgerRow] = []
    lines = tables.get("order_lines")
    if lines is None:
        return rows
    if "orders" not in tables:
        orders = derive_orders(lines)
        if descriptor.free_orders == "ignore":
            free_ones = orders.filter(free(orders))
            count = int(free_ones.count().execute())
            if count:
                rows.append(LedgerRow("orders", "free_order", count, "0", _ids(free_ones)))
            orders = orders.filter(~free(orders))
        tables["orders"] = orders
    if "products" not in tables and "product_name" in lines.columns:
        tables["products"] = derive_products(lines)
    return rows


def _ids(orders: ibis.Table) -> tuple[Mapping[str, str], ...]:
    shown = orders.order_by("order_id", "customer_id").limit(3).select("order_id", "customer_id", "ordered_at", "amount")
    return tuple({key: str(value) for key, value in row.items()} for row in shown.to_pyarrow().to_pylist())


def _open_database(descriptor: Descriptor, engine: Any) -> Dataset:
    con = source.connect(descriptor, engine)
    rows: list[LedgerRow] = []
    tables: dict[str, ibis.Table] = {}
    for name, section in descriptor.tables.items():
        raw = source.database_table(con, section, descriptor.kind)
        cleaning = clean(TABLES[name], section, raw, descriptor)
        found = _table_problems(cleaning, descriptor)
        if found:
            raise found[0]
        rows += ledger(cleaning)
        tables[name] = cleaning.kept()
    rows += _derive(descriptor, tables)
    for name, table in tables.items():
        extra = [column.name for column in TABLES[name].columns if column.input_only and column.name in table.columns]
        tables[name] = table.drop(*extra)
    return Dataset(descriptor, con, tables, tuple(rows), None)

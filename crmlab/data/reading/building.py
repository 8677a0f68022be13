"""Makes the canonical tables of a data set in files: reads, cleans, checks and writes them into the cache."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlab.collecting import collect_value
from crmlab.data import cache
from crmlab.data.descriptor import LEAST_CUSTOMERS, SIMULATED, Descriptor
from crmlab.data.kept import Kept, key_of_run
from crmlab.data.ledger import Breach, LedgerRow
from crmlab.data.reading import engines, source, texts
from crmlab.data.reading.breaches import breaches_of
from crmlab.data.reading.cleaning import clean, columns_of, needed
from crmlab.data.reading.derived import derive_orders, derive_products, free
from crmlab.data.reading.joining import with_orders
from crmlab.data.reading.ledgers import free_rows, ledger, problems, too_large
from crmlab.data.reading.parts import Part, cleared, days_left, summed, united
from crmlab.data.reading.raw import Raw
from crmlab.data.room import not_written
from crmlab.data.scratch import scratch_folder
from crmlab.data.table_section import TableSection
from crmlab.data.tables import TABLES, TableSpec, schema
from crmlab.errors import CrmlabError, SourceError, shown

if TYPE_CHECKING:
    import ibis
    import pandas as pd
    from ibis.backends import BaseBackend

__all__ = ["SourceFile", "build", "canonical", "check", "derive", "inputs", "loaded", "materialise", "raw_names", "section_of"]


# How often a source is read again that changed while it was read.
_TRIES = 3


class _ChangedError(Exception):
    """The source is not what it was when its key was taken."""


@dataclass(frozen=True, order=True)
class SourceFile:
    """A file of a source: its name, the sha256 of its contents, and what the system says of it."""

    name: str
    digest: str
    signs: cache.Signs


def materialise(descriptor: Descriptor, key: str | None = None, *, verified: bool = True) -> Kept:
    """Return a data set's canonical Parquet; makes it where it is not there, and again where it is not as it was written.

    Parameters
    ----------
    descriptor : Descriptor
    key : str, optional
        The version of the source that is wanted. Default: the one that the run of this kernel took, else that of today.
    verified : bool
        Whether the tables are to be read, and so must be as they were written.

    Raises
    ------
    CrmlabError
        The source or the records cannot be used, the source changes while it is read, or the cache cannot be written.
    """
    wanted = key or key_of_run(descriptor)
    for _ in range(_TRIES):
        found = wanted or _key(descriptor, inputs(descriptor))
        try:
            return cache.materialised(descriptor.name, found, partial(_built, descriptor, found), verified=verified)
        except _ChangedError:
            if wanted:
                raise SourceError.cannot(
                    f"The data set '{descriptor.name}'",
                    "be read",
                    "Its source was changed while the run was at work",
                    "Run again.",
                ) from None
    raise SourceError.cannot(
        f"The data set '{descriptor.name}'",
        "be read",
        f"Its source changed {_TRIES} times while it was read",
        "Wait until it is written, then try again.",
    )


def _key(descriptor: Descriptor, files: Iterable[SourceFile]) -> str:
    return cache.key_of(descriptor, ((file.name, file.digest) for file in files))


def _built(descriptor: Descriptor, key: str, folder: Path) -> tuple[dict[str, int], list[LedgerRow], list[Breach]]:
    """Build a data set that is, before and afterwards, the one of a key."""
    before = inputs(descriptor)
    if _key(descriptor, before) != key:
        raise _ChangedError
    try:
        made = build(descriptor, folder)
    except CrmlabError:
        if inputs(descriptor) != before:
            raise _ChangedError from None
        raise
    if inputs(descriptor) != before:
        raise _ChangedError
    return made


def inputs(descriptor: Descriptor) -> list[SourceFile]:
    """Return the files of a data set and their digests."""
    if descriptor.kind in SIMULATED:
        return []
    if descriptor.kind == "duckdb":
        path = _database_file(descriptor)
        # What was written last may still be in the log beside it.
        files = [path, *(log for log in [path.with_name(path.name + ".wal")] if log.is_file())]
        with engines.explain_errors("source", path.name):
            return [SourceFile(file.name, *cache.signed_digest(file)) for file in files]
    result = []
    for name, section in ((name, part) for name, whole in descriptor.tables.items() for part in whole.parts):
        path = source.file_of(section, descriptor)
        with engines.explain_errors(name, path.name):
            # A folder may be part of the data: year=2024/.
            base = next(folder for folder in path.parents if folder.exists())
            for file in source.files_of(path):
                result.append(SourceFile(f"{name}/{file.relative_to(base).as_posix()}", *cache.signed_digest(file)))
    return result


def build(descriptor: Descriptor, folder: Path) -> tuple[dict[str, int], list[LedgerRow], list[Breach]]:
    """Read, clean and write every table of a data set into a folder; return their rows, the ledger, and what breaks rules."""
    # Not in the cache: a killed process must not leave what a source holds of people there.
    with _scratch() as scratch:
        con = engines.scratch_duckdb(scratch, folder)
        try:
            rows: list[LedgerRow] = []
            breaches: list[Breach] = []
            tables: dict[str, ibis.Table] = {}
            for name in raw_names(descriptor):
                with engines.explain_errors(name, _source_name(descriptor, name)):
                    seen = _examined(descriptor, con, name, scratch, tables.get("orders"))
                    if seen.kept is None:
                        raise seen.problems[0]
                    rows += seen.ledger
                    breaches += seen.breaches
                    tables[name] = seen.kept
            with engines.explain_errors("orders", "what the order lines add up to"):
                rows += derive(descriptor, tables)
            sizes = {}
            for name, table in tables.items():
                with engines.explain_errors(name, _source_name(descriptor, name)):
                    spec = section_of(descriptor, name).spec
                    sizes[name] = _write(con, spec, canonical(name, table), folder / f"{name}.parquet")
        finally:
            con.disconnect()
    return sizes, rows, breaches


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for temporary files; what keeps it from being made is said."""
    with ExitStack() as held:
        try:
            folder = held.enter_context(scratch_folder())
        except OSError as error:
            raise not_written("temporary", error) from error
        yield folder


@contextmanager
def loaded(descriptor: Descriptor, section: TableSection) -> Iterator[Raw]:
    """Load one table of a source, or a part of it, as it is into a scratch database, which is gone afterwards.

    Raises
    ------
    SourceError
        It cannot be read.
    """
    with _scratch() as scratch:
        con = engines.scratch_duckdb(scratch)
        try:
            with engines.explain_errors(section.table, _source_name(descriptor, section.table)):
                yield _raw(descriptor, con, section, scratch)
        finally:
            con.disconnect()


def check(descriptor: Descriptor) -> tuple[list[LedgerRow], list[Breach], list[CrmlabError]]:
    """Read a data set in files without keeping anything, and collect every problem instead of stopping at the first.

    Returns
    -------
    (ledger, breaches, problems)
        The ledger of the tables that could be read, what broke rules while they were read, and one error per problem.
    """
    rows: list[LedgerRow] = []
    breaches: list[Breach] = []
    found: list[CrmlabError] = []
    tables: dict[str, ibis.Table] = {}
    with _scratch() as scratch:
        con = engines.scratch_duckdb(scratch)
        for name in raw_names(descriptor):
            try:
                with engines.explain_errors(name, _source_name(descriptor, name)):
                    seen = _examined(descriptor, con, name, scratch, tables.get("orders"))
                    rows += seen.ledger
                    breaches += seen.breaches
                    found += seen.problems
                    if seen.kept is not None:
                        tables[name] = seen.kept
            except CrmlabError as error:
                found.append(error)
        if not found:
            try:
                with engines.explain_errors("orders", "what the order lines add up to"):
                    rows += derive(descriptor, tables)
            except CrmlabError as error:
                found.append(error)
        con.disconnect()
    return rows, breaches, found


def raw_names(descriptor: Descriptor) -> list[str]:
    """Return the tables that a data set gives itself."""
    names = list(SIMULATED.get(descriptor.kind, descriptor.tables))
    of = descriptor.source
    if descriptor.kind == "shop" and (not of.get("campaigns", True) or int(of.get("customers", 2000)) < LEAST_CUSTOMERS):
        return names[: names.index("cells")]
    return names


def derive(descriptor: Descriptor, tables: dict[str, ibis.Table]) -> list[LedgerRow]:
    """Add orders and products that follow from order lines, where the data set does not give them.

    Returns
    -------
    list of LedgerRow
        Derived orders that are dropped because they are free of charge.

    Raises
    ------
    DataError
        An order adds up to more than an amount can hold.
    """
    rows: list[LedgerRow] = []
    lines = tables.get("order_lines")
    if lines is None:
        return rows
    if "orders" not in tables:
        for error in too_large(lines):
            raise error
        orders = derive_orders(lines)
        if descriptor.free_orders == "ignore":
            rows += free_rows(orders)
            orders = orders.filter(~free(orders))
        tables["orders"] = orders
    if "products" not in tables and "product_name" in lines.columns:
        tables["products"] = derive_products(lines)
    return rows


def canonical(name: str, table: ibis.Table) -> ibis.Table:
    """Return a table without the columns that were only read to derive others."""
    return table.drop(*(column.name for column in TABLES[name].columns if column.input_only and column.name in table.columns))


def _write(con: BaseBackend, spec: TableSpec, table: ibis.Table, path: Path) -> int:
    """Check a canonical table against its schema and write it, ordered by key and then by everything else."""
    made = con.create_table(f"made_{spec.name}", obj=table, temp=True)
    schema(spec).validate(made)
    first = [key for key in spec.order_by if key in made.columns]
    con.to_parquet(made.order_by([*first, *(column for column in made.columns if column not in first)]), path)
    size: int = collect_value(made.count())
    con.drop_table(made.op().name)
    return size


@dataclass(frozen=True)
class _Examined:
    """A table that was cleaned: its rows, what became of them, what breaks rules, and what keeps it from being used.

    Of a part of a table ``left`` are the days that are not taken from it.
    """

    kept: ibis.Table | None
    ledger: list[LedgerRow]
    breaches: list[Breach]
    problems: list[CrmlabError]
    left: Sequence[Mapping[str, Any]] = ()


def _examined(
    descriptor: Descriptor, con: BaseBackend, name: str, scratch: Path, orders: ibis.Table | None = None
) -> _Examined:
    """Clean one table, and look at everything that is wrong with it; lines may take from orders what they do not tell."""
    sections = section_of(descriptor, name).parts
    if len(sections) == 1:
        return _cleaned(descriptor, _raw(descriptor, con, sections[0], scratch), sections[0], orders)
    parts: list[Part] = []
    found: list[CrmlabError] = []
    before = 0
    for number, section in enumerate(sections, start=1):
        path = _file(descriptor, section)
        called = _part_name(section, path)
        with engines.explain_errors(name, path.name), cleared(con) as left:
            raw = _raw(descriptor, con, section, scratch)
            count = source.row_count(raw)
            places = raw.parts or ((called, count + len(raw.rejected)),)
            seen = _cleaned(descriptor, replace(raw, parts=places, before=before), section, orders)
            before += count
            found += [type(one)(f"{one} This concerns part {number} of [[{name}]], {called}.") for one in seen.problems]
            if not seen.problems:
                left.add(made := f"part_{number}_{name}")
                rows = con.create_table(made, obj=seen.kept, temp=True)
                numbered = "order_id" in columns_of(section.spec, section, raw.columns, descriptor.where)[0]
                parts.append(Part(called, rows, seen.ledger, seen.breaches, seen.left, numbered))
    if found:
        return _Examined(None, summed(row for part in parts for row in part.ledger), [], found)
    rows, counted, breaches = united(sections[0].spec, parts, drop=descriptor.duplicates == "drop", where=descriptor.where)
    return _Examined(rows, counted, breaches, [])


def _part_name(section: TableSection, path: Path) -> str:
    """What messages call a part of a table."""
    inside = section.from_table or (section.sheet if path.name.lower().endswith(source.WORKBOOK_ENDINGS) else None)
    return f"{path.name}, {shown(inside)}" if inside else path.name


def _cleaned(descriptor: Descriptor, raw: Raw, section: TableSection, orders: ibis.Table | None) -> _Examined:
    """Clean one table, or a part of it."""
    name = section.table
    if name == "order_lines":
        raw = with_orders(raw, columns_of(section.spec, section, raw.columns, descriptor.where)[0], orders)
    cleaning = clean(section.spec, section, raw, descriptor)
    if cleaning.errors:
        return _Examined(None, [], [], list(cleaning.errors))
    counted = ledger(cleaning)
    found = problems(cleaning, descriptor, counted)
    if found:
        return _Examined(None, counted, [], found)
    return _Examined(cleaning.kept(), counted, breaches_of(cleaning, descriptor, counted), [], days_left(cleaning))


def section_of(descriptor: Descriptor, name: str) -> TableSection:
    """Return the section of a table; simulated tables need none."""
    given = descriptor.tables.get(name)
    if given is not None:
        return given
    return TableSection(name, personal=("email",) if (descriptor.kind, name) == ("shop", "customers") else ())


def _file(descriptor: Descriptor, section: TableSection) -> Path:
    """The file that a section is read from."""
    return _database_file(descriptor) if descriptor.kind == "duckdb" else source.file_of(section, descriptor)


def _raw(descriptor: Descriptor, con: BaseBackend, section: TableSection, scratch: Path) -> Raw:
    """Load one table of a source, or a part of it, into a scratch DuckDB."""
    name = section.table
    choose = partial(needed, section.spec, section, where=descriptor.where)
    if descriptor.kind in SIMULATED:
        return _simulated_table(descriptor, con, name, choose)
    if descriptor.kind == "duckdb":
        file = str(descriptor.source["file"])
        if not engines.is_attached(con):
            engines.attach(con, _database_file(descriptor), name)
        outside = engines.attached_table(con, section, Path(file).name)
        columns = list(outside.columns)
        return Raw(con.create_table(f"raw_{name}", obj=outside.select(choose(columns)), temp=True), file, tuple(columns))
    path = source.file_of(section, descriptor)
    return source.read_file(con, section, path, scratch, choose, tolerant=descriptor.bad_rows == "drop")


def _simulated_table(descriptor: Descriptor, con: BaseBackend, name: str, choose: texts.Chooser) -> Raw:
    import pyarrow as pa

    if name == raw_names(descriptor)[0]:
        for table, frame in _simulated(descriptor).items():
            con.create_table(f"simulated_{table}", obj=pa.Table.from_pandas(frame, preserve_index=False), temp=True)
    made = con.table(f"simulated_{name}")
    columns = list(made.columns)
    raw = con.create_table(f"raw_{name}", obj=made.select(choose(columns)), temp=True)
    return Raw(raw, f"the {descriptor.kind}", tuple(columns))


def _simulated(descriptor: Descriptor) -> dict[str, pd.DataFrame]:
    arguments = {key: value for key, value in descriptor.source.items() if key in ("seed", "dirty", "campaigns")}
    if descriptor.kind == "donors":
        from crmlab.data import make_donors

        return make_donors(int(descriptor.source.get("customers", 3000)), **arguments).tables
    if descriptor.kind == "club":
        from crmlab.data import make_club

        return make_club(int(descriptor.source.get("customers", 2000)), **arguments).tables
    from crmlab.data import make_shop

    return make_shop(int(descriptor.source.get("customers", 2000)), **arguments).tables


def _database_file(descriptor: Descriptor) -> Path:
    return source.file_of(TableSection("source", file=(str(descriptor.source["file"]),)), descriptor)


def _source_name(descriptor: Descriptor, name: str) -> str:
    """What messages call the source of a table."""
    if descriptor.kind == "files":
        sections = descriptor.tables[name].parts if name in descriptor.tables else ()
        files = [file for section in sections for file in section.file] or ["what the order lines add up to"]
        return Path(files[0]).name if len(files) == 1 else " or ".join(Path(file).name for file in files)
    return str(descriptor.source.get("file", descriptor.kind))

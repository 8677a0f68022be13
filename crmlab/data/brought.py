"""Data sets made of what somebody has at hand: a frame, a file, or one of them for each table.

They are read, cleaned and counted as any other: a frame is written as Parquet, ``crmlab new`` (:mod:`crmlab.data.guess`) says which column
is which, and the reader does the rest. What cannot be guessed for sure is asked for in an error, and what was guessed is told.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from crmlab.data import cache
from crmlab.data.descriptor import Descriptor, parse
from crmlab.data.ledger import Breach, LedgerRow
from crmlab.data.reading import building
from crmlab.data.reading.source import ENDINGS, files_of
from crmlab.data.room import not_written
from crmlab.data.scratch import process_scratch, scratch_folder
from crmlab.data.sealed import file_sha256
from crmlab.data.showing import dropped_rows
from crmlab.data.tables import TABLES
from crmlab.errors import CrmlabError, DataError, NotInProjectError, ParameterError, listing, shown
from crmlab.frames import KINDS, as_arrow, is_table

if TYPE_CHECKING:
    from crmlab.data.guess import Guess

__all__ = ["WHERE", "Brought", "bring", "is_brought"]

WHERE = "open_dataset"  # what messages call the place where other data sets have their TOML file
_KINDS = f"{KINDS}; a file of orders; or a dict with one of them for each table"
# How messages name a line of the data set's file, and how it is given here.
_LINES = (
    (re.compile(r'set (\w+) = ("[^"]*") at the top of (?:the TOML file|open_dataset)'), r'give settings={"\1": \2}'),
    (re.compile(r'in \[(\w+)\] of open_dataset, such as (\w+) = ("[^"]*")'), r'in settings={"\1": {"\2": \3}}'),
    (re.compile(r'(\w+) = ("[^"]*") (?:under|in) \[(\w+)\](?: of open_dataset)?'), r'settings={"\3": {"\1": \2}}'),
)
_TOML = re.compile(r"TOML|(?<!\w)\[\w+\]|at the top")
_SALES = ("orders", "order_lines")
# Columns for which no other may be taken than the one that is meant.
_MEANT = ("customer_id", "order_id", "ordered_at", "amount", "product_id", "quantity", "unit_price")


@dataclass(frozen=True)
class Brought:
    """What was read of frames and files.

    ``folder`` holds a Parquet file for each of ``tables`` and stays until the process ends; ``fingerprint`` changes with the contents.
    ``notes`` say which column was taken for which, what is not sure, and what was dropped.
    """

    descriptor: Descriptor
    folder: Path
    tables: tuple[str, ...]
    ledger: tuple[LedgerRow, ...]
    breaches: tuple[Breach, ...]
    fingerprint: str
    notes: tuple[str, ...]


def is_brought(source: Any) -> bool:
    """Whether a data set is to be made of something at hand, and is none that has a name or a TOML file.

    Examples
    --------
    >>> is_brought({"orders": "sales.csv"}), is_brought("sales.csv"), is_brought("shop"), is_brought("mine.toml")
    (True, True, False, False)
    """
    if isinstance(source, str | os.PathLike):
        text = os.fspath(source)
        return not isinstance(text, bytes) and (
            text.lower().endswith(ENDINGS) or (Path(text).name != text and Path(text).is_dir())
        )
    return isinstance(source, Mapping) or is_table(source)


def bring(
    source: Any,
    columns: Mapping[str, Any] | None = None,
    title: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Brought:
    """Read frames and files as canonical tables; as of :func:`crmlab.open_dataset`.

    Raises
    ------
    ParameterError
        Something given is of the wrong type; a table or a canonical column is not known.
    DataError
        A frame has no rows, lacks a column that was named, or leaves open which column is meant; records cannot be used.
    SourceError, DescriptorError
        A file cannot be read; a setting is unknown or out of range.
    """
    if title is not None and not isinstance(title, str):
        raise ParameterError.expected("open_dataset", "title", "a text", title)
    if settings is not None and not isinstance(settings, Mapping):
        raise ParameterError.expected("open_dataset", "settings", 'a dict such as {"currency": "EUR"}', settings)
    nested, flat = _split(columns)
    with scratch_folder() as raw:  # gone once it is read
        told = {**(settings or {}), **({} if title is None else {"title": title})}
        silent = _silent(nested, flat)
        guesses: list[Guess] = []
        if isinstance(source, Mapping) and "test" in source:
            content = _test_content(source, nested.get("test", flat), told, raw)
        else:
            guesses = _guessed(source, nested, flat, raw)
            for guess in guesses:
                _check(guess, guesses, silent, settings or {})
            content = _content(guesses, silent, told)
        descriptor = parse(content, name=guesses[0].name if guesses else "test", where=WHERE, folder=raw)
        try:
            folder = process_scratch()
            sizes, ledger, breaches = building.build(descriptor, folder)
        except OSError as error:
            if isinstance(error, CrmlabError):
                raise _told(error) from error
            raise not_written("temporary", error) from error
        except NotInProjectError as error:
            hint = (
                'It keeps the key that makes ids of e-mails. Or name an id that is not personal: columns={"customer_id": "…"}.'
            )
            raise NotInProjectError(f"{error} {hint}") from error
        except CrmlabError as error:
            raise _told(error) from error
        fingerprint = _fingerprint(descriptor)
    notes = (
        *(note for guess in guesses for note in _notes(guess, silent.get(guess.table, set()), settings or {})),
        *dropped_rows(ledger),
    )
    return Brought(descriptor, folder, tuple(sizes), tuple(ledger), tuple(breaches), fingerprint, notes)


def _guessed(source: Any, nested: Mapping[str, Mapping[str, Any]], flat: Mapping[str, Any], raw: Path) -> list[Guess]:
    from crmlab.data import guess

    if isinstance(source, Mapping):
        paths = {table: _placed(given, table, raw) for table, given in _tables(source).items()}
        for table in nested:
            if table not in paths:
                raise ParameterError.no_such("table", table, paths, "among those given, for columns")
        own = {table: {**_own(flat, table), **_checked(nested.get(table, {}), table)} for table in paths}
        _there(paths, nested, flat)
        return guess.survey_tables(paths, {table: _named(of) for table, of in own.items()})
    if nested:
        raise ParameterError.expected("open_dataset", "columns", "names of columns, for one table", "a dict for a table")
    path = _placed(source, "orders", raw)
    _there({"": path}, {"": flat}, {})
    found = guess.survey([path], _named(flat))
    for name in flat:
        if not any(TABLES[one.table].column(name) for one in found):
            tables = listing(one.table for one in found)
            raise ParameterError(
                f"open_dataset: '{name}' is no column of {tables}, which your table looks like. "
                f'Say which table it is, such as {{"{_table_of(name)}": …}}.'
            )
    return found


def _test_content(
    source: Mapping[Any, Any], columns: Mapping[str, Any], settings: Mapping[str, Any], raw: Path
) -> dict[str, Any]:
    """What a TOML file would say of a test in one file: nothing of it is guessed."""
    if len(source) > 1:
        others = listing(str(name) for name in source if name != "test")
        raise ParameterError.expected("open_dataset", "source", 'a dict with "test" alone, where it holds a test', others)
    given = settings.get("test", {})
    if not isinstance(given, Mapping):
        raise ParameterError.expected("open_dataset", "settings['test']", "a dict", given)
    section = {"file": str(_placed(source["test"], "test", raw)), **columns, **given}
    return {"campaigns": {"memory": False}, **settings, "test": section}


def _named(columns: Mapping[str, Any]) -> dict[str, str]:
    return {name: own for name, own in columns.items() if own is not None}


def _table_of(name: str) -> str:
    return next(table for table, spec in TABLES.items() if spec.column(name))


def _split(columns: Any) -> tuple[dict[str, Mapping[str, Any]], dict[str, Any]]:
    """What ``columns`` says of single tables, and of all."""
    if columns is not None and not isinstance(columns, Mapping):
        raise ParameterError.expected("open_dataset", "columns", 'a dict such as {"customer_id": "Customer"}', columns)
    given = dict(columns or {})
    nested = {name: value for name, value in given.items() if isinstance(value, Mapping)}
    flat = {name: value for name, value in given.items() if name not in nested}
    return nested, _checked(flat, None)


def _checked(columns: Mapping[str, Any], table: str | None) -> dict[str, Any]:
    """Columns as they were given: canonical names, and those of the source or None."""
    specs = TABLES.values() if table is None else (TABLES[table],)
    known = dict.fromkeys(column.name for spec in specs for column in spec.columns)
    for name, own in columns.items():
        if name not in known:
            of = f"of {table}" if table else ""
            raise ParameterError.no_such("canonical column", str(name), known, of)
        if own is None and name in ("amount", "customer_id"):
            continue
        if isinstance(own, bool) or not isinstance(
            own, str | int | tuple
        ):  # columns of pandas may be numbered, or have several levels
            raise ParameterError.expected("open_dataset", f"columns[{name!r}]", "the name of a column", own)
    return {name: None if own is None else str(own) for name, own in columns.items()}


def _own(flat: Mapping[str, Any], table: str) -> dict[str, Any]:
    return {name: own for name, own in flat.items() if TABLES[table].column(name)}


def _tables(source: Mapping[Any, Any]) -> dict[str, Any]:
    if not source:
        raise ParameterError.expected("open_dataset", "source", f"{_KINDS}, at least one", "an empty dict")
    for table in source:
        if table not in TABLES:
            raise ParameterError.no_such("canonical table", str(table), TABLES)
    return dict(source)


def _placed(given: Any, table: str, raw: Path) -> Path:
    """The file of a table: the one that was named, or the one that a frame is written to."""
    if isinstance(given, str | os.PathLike):
        return Path(os.fspath(given)).expanduser()
    if not is_table(given):
        what = f"{table} of open_dataset"
        raise ParameterError.must_be(what, "a table: a frame, an Ibis table or the path of a file", type(given).__name__)
    import pyarrow.parquet as pq

    rows = as_arrow(given, table, DataError)
    if not rows.num_rows or not rows.num_columns:
        raise DataError(f"{table}: your table is empty. Expected at least one row.")
    path = raw / f"{table}.parquet"
    pq.write_table(rows, path, coerce_timestamps="us", allow_truncated_timestamps=True)
    return path


def _there(paths: Mapping[str, Path], nested: Mapping[str, Mapping[str, Any]], flat: Mapping[str, Any]) -> None:
    """Say which column that was named is nowhere."""
    if not any(nested.values()) and not flat:
        return
    from crmlab.data.guess.sniff import find, samples

    found = {
        table: dict.fromkeys(name for one in samples(place) for name in one.names)
        for table, path in paths.items()
        if not (place := find(path)).is_dir()
    }
    everywhere = dict.fromkeys(name for names in found.values() for name in names)
    for table, names in found.items():
        for name, own in nested.get(table, {}).items():
            if own is not None and own not in names:
                raise DataError.no_such("column", own, names, f"in {table or 'your table'}, for {name}")
    for name, own in flat.items():
        if own is not None and own not in everywhere:
            raise DataError.no_such("column", own, everywhere, f"in your tables, for {name}")


def _silent(nested: Mapping[str, Mapping[str, Any]], flat: Mapping[str, Any]) -> dict[str, set[str]]:
    """For each table the columns of which somebody has said that there are none."""
    given = {table: {**_own(flat, table), **nested.get(table, {})} for table in _SALES}
    return {table: {name for name, own in of.items() if own is None} for table, of in given.items()}


def _content(guesses: Sequence[Guess], silent: Mapping[str, set[str]], settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a TOML file of these guesses would hold, with the settings that somebody gives."""
    from crmlab.data.guess import to_toml

    content = tomllib.loads(to_toml(*guesses))
    content["campaigns"] = {"memory": False}  # nothing was launched from a frame
    content["timezone"] = _zone(guesses) or content.get("timezone", "UTC")
    for key, value in settings.items():
        content[key] = {**content.get(key, {}), **value} if isinstance(value, Mapping) else value
    for table, names in silent.items():
        if names and table in content:
            section = content[table]
            section["without"] = sorted({*section.get("without", ()), *names})
            for name in names:
                section.pop(name, None)
                if name == "customer_id":
                    section.pop("customer_hash", None)
    return content


def _zone(guesses: Sequence[Guess]) -> str | None:
    """The time zone that the times of orders carry: a customer's day is that of its clock. None where it is none that is known."""
    import pyarrow.parquet as pq

    for guess in guesses:
        if (
            guess.table in _SALES
            and guess.path.suffix.lower() == ".parquet"
            and guess.path.is_file()
            and "ordered_at" in guess.columns
        ):
            kind = pq.read_schema(guess.path).field(guess.columns["ordered_at"]).type
            zone = getattr(kind, "tz", None)
            return zone if zone in available_timezones() else None
    return None


def _check(guess: Guess, guesses: Sequence[Guess], silent: Mapping[str, set[str]], settings: Mapping[str, Any]) -> None:
    """Ask for what is not sure, where a wrong choice would be a wrong number."""
    table, none = guess.table, silent.get(guess.table, set())
    for key, sentence in guess.unsure:
        if key == "file" and table in _SALES and not _is_known("ordered_at", guess, none):
            raise DataError(f"{table}: {sentence}")
    missing = [name for name in _required(table, guesses) if not _is_known(name, guess, none)]
    if missing:
        asked = ", ".join(f'"{name}": "{guess.maybe.get(name, "…")}"' for name in missing)
        names = dict.fromkeys((*guess.columns.values(), *guess.personal, *guess.unread))
        lack = ' Where there is none: columns={"amount": None}.' if missing == ["amount"] else ""
        raise DataError(
            f"{table}: no column was recognised as {' or '.join(missing)}. Found: {listing(names)}. "
            f"Say which it is: columns={{{asked}}}.{lack}"
        )
    for question in guess.questions:
        forms = [answer.options["date_format"] for answer in question.answers if "date_format" in answer.options]
        if len(forms) > 1 and "date_format" not in settings.get(table, {}):
            column = guess.columns[TABLES[table].moment or "acquired_at"]
            say = f'settings={{"{table}": {{"date_format": "{forms[0]}"}}}}'
            raise DataError(
                f"{table}: the dates in {shown(column)} may be read as {forms[0]} or as {forms[1]}, day and month exchanged. "
                f"Say which it is: {say}."
            )
        guests = [answer.settings["guests"] for answer in question.answers if "guests" in answer.settings]
        if [] in guests and "guests" not in settings:
            zero = next(ids[0] for ids in guests if ids)
            raise DataError(
                f"{table}: the customer {shown(zero)} may stand for guests, or be a customer as others are. "
                f'Say which it is: settings={{"guests": ["{zero}"]}} for guests, settings={{"guests": []}} for a customer.'
            )
        rivals = list(dict.fromkeys(name for answer in question.answers if (name := answer.columns.get(question.key))))
        if question.key in _MEANT and len(rivals) > 1:
            which = " or ".join(map(shown, rivals))
            say = f'columns={{"{question.key}": "{rivals[0]}"}}'
            raise DataError(f"{table}: {question.key} may be {which}. Say which it is: {say}.")


def _required(table: str, guesses: Sequence[Guess]) -> list[str]:
    """The columns that a table cannot be without. Orders and contracts without ids are one a row; lines may take theirs from orders."""
    names = [column.name for column in TABLES[table].columns if column.required and not column.nullable]
    if table == "orders":
        names.remove("order_id")
    if table == "contracts":
        names.remove("contract_id")
    if table == "order_lines" and any(guess.table == "orders" and "order_id" in guess.columns for guess in guesses):
        names = [name for name in names if name not in ("customer_id", "ordered_at")]
    return names


def _is_known(name: str, guess: Guess, silent: set[str]) -> bool:
    """Whether it is told where a column comes from: it is mapped, worked out of others, or there is none."""
    # The reader takes a column of this very name, and says what is wrong with it.
    by_name = name in {own.lower() for own in (*guess.unread, *guess.personal)}
    worked_out = {"customer_id": "customer_hash" in guess.options, "amount": {"quantity", "unit_price"} <= set(guess.columns)}
    return name in guess.columns or name in silent or by_name or (worked_out.get(name, False) and guess.table != "products")


def _told(error: CrmlabError) -> CrmlabError:
    """An error of reading; where it speaks of lines of a TOML file, it says how they are given here."""
    text = str(error)
    for form, written in _LINES:
        text = form.sub(written, text)
    if _TOML.search(text):
        text += ' With open_dataset, lines of a TOML file are settings, such as settings={"orders": {"decimal": ","}}.'
    return type(error)(text)


def _fingerprint(descriptor: Descriptor) -> str:
    """The key of the contents, wherever they lie."""
    files = [
        (f"{name}/{place}", file_sha256(file))
        for name, section in descriptor.tables.items()
        for path in section.file
        for place, file in enumerate(files_of(descriptor.folder / path))
    ]
    bare = {name: replace(section, file=("given",)) for name, section in descriptor.tables.items()}
    return cache.key_of(replace(descriptor, tables=bare), files)


def _notes(guess: Guess, silent: set[str], settings: Mapping[str, Any]) -> list[str]:
    """What was taken for what, and what is not sure and nobody has settled."""
    mapped = {**guess.columns, **({"customer_id": guess.options["customer_hash"]} if "customer_hash" in guess.options else {})}
    named = [name for name in _in_order(guess.table, mapped) if mapped[name] != name]
    pairs = ", ".join(f"{name} is {shown(mapped[name])}" for name in named) or "every column is taken by its own name"
    private = f" Personal, and not kept: {listing(map(shown, guess.personal))}." if guess.personal else ""
    unread = "" if guess.table == "customers" or not guess.unread else f" Not read: {listing(map(shown, guess.unread))}."
    settled = {*silent, *settings, *settings.get(guess.table, {})}
    doubts = [f"{guess.table}: {sentence}" for key, sentence in guess.unsure if key not in settled]
    return [f"{guess.table}: {pairs}.{private}{unread}", *doubts]


def _in_order(table: str, mapped: Mapping[str, str]) -> list[str]:
    return [column.name for column in TABLES[table].columns if column.name in mapped]

"""Errors of data sets: their TOML files, sources and records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

from crmlab.errors.base import CrmlabError, hint_at, listing, shown
from crmlab.errors.validation import TomlError

__all__ = [
    "CrmlabWarning",
    "CustomerKeyError",
    "DamageWarning",
    "DataError",
    "DescriptorError",
    "NewKeyWarning",
    "SourceError",
    "TooLittleError",
]


# What a cell may hold instead of a value, as messages call it; the errors are those of spreadsheets.
_NO_VALUES = (
    *("an empty cell", "a formula without a value", "an error"),
    *("#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!", "#GETTING_DATA"),
)


class DescriptorError(TomlError):
    """The TOML file of a data set cannot be understood."""

    @classmethod
    def unknown_dataset(cls, name: str, known: Iterable[str]) -> DescriptorError:
        return cls(f"There is no data set {shown(name)}. {hint_at(name, known)} A path must end in .toml.")

    @classmethod
    def no_file(cls, path: Any) -> DescriptorError:
        return cls(f"There is no data set file {path}. Make one from your own file with: crmlab new orders.csv")

    @classmethod
    def not_toml(cls, path: Any, reason: Any) -> DescriptorError:
        return cls(f"{path} is not valid TOML. {reason}. Text must be in quotes; section heads look like [orders].")

    @classmethod
    def no_tables(cls, where: str, tables: Iterable[str]) -> DescriptorError:
        return cls(f"{where}: no table is described. Expected at least one section of: {listing(tables)}.")

    @classmethod
    def no_environment(cls, where: str, variable: str) -> DescriptorError:
        return cls(
            f"{where}: the environment variable {variable} is not set. It must hold the address of the database. "
            "Addresses and passwords are never written into the TOML file."
        )

    @classmethod
    def no_address(cls, where: str, variable: str) -> DescriptorError:
        return cls(
            f"{where}: the environment variable {variable} must hold an address such as postgresql://user@host/database. "
            "Got something else, which is not shown."
        )

    @classmethod
    def other_width(cls, table: str, names: int, width: int) -> DescriptorError:
        return cls(f"{table}: 'names' must name every column of the file, {width} of them. Got {names} names instead.")

    @classmethod
    def personal_used(cls, where: str, section: str, name: str, column: str) -> DescriptorError:
        return cls(
            f"{where}: [{section}] personal must name columns that are not used. Found '{name}', which is mapped to '{column}'. "
            "Map another column, or take it off the list."
        )

    @classmethod
    def hashed_used(cls, where: str, section: str, name: str, option: str) -> DescriptorError:
        return cls(
            f"{where}: [{section}] customer_hash must name a column that is used for nothing else: it is kept nowhere. Found '{name}' in "
            f"'{option}' too. Take it out there."
        )

    @classmethod
    def no_date_format(cls, where: str, section: str, form: str, reason: str) -> DescriptorError:
        return cls(
            f'{where}: [{section}] date_format must be a form of strptime, such as "%d/%m/%Y". '
            f"Got {shown(form)} instead: {reason}"
        )

    @classmethod
    def cannot_read(cls, path: Any, reason: Any) -> DescriptorError:
        return cls(f"{path} cannot be read. {reason}. Expected the TOML file of a data set.")

    @classmethod
    def exists(cls, path: Any) -> DescriptorError:
        return cls(f"{path} exists already. Nothing was written. Delete it, or choose another name with --name.")

    @classmethod
    def cannot_write(cls, path: Any, reason: Any) -> DescriptorError:
        return cls(f"{path} cannot be written. {reason}.")


class SourceError(CrmlabError, OSError):
    """A file or database cannot be opened or read."""

    @classmethod
    def no_file(cls, table: str, names: Sequence[str], looked: Sequence[Any]) -> SourceError:
        return cls(
            f"{table}: there is no file {' or '.join(names)}. Looked in: {listing(dict.fromkeys(map(str, looked)))}. "
            "Put the file there, name its folder in CRMLAB_DATA, or correct 'file' in the TOML file."
        )

    @classmethod
    def no_such_file(cls, name: str, folder: Any) -> SourceError:
        """``There is no file orders.csv in this folder.``"""
        place = "this folder" if str(folder) == "." else f"the folder {folder}"
        return cls(f"There is no file {name} in {place}.")

    @classmethod
    def empty(cls, table: str, name: str) -> SourceError:
        return cls(f"{table}: {name} is empty. Expected a header and at least one row.")

    @classmethod
    def no_rows(cls, table: str, name: str) -> SourceError:
        return cls(f"{table}: {name} has a header but no rows. Expected at least one row.")

    @classmethod
    def empty_folder(cls, table: str, name: str) -> SourceError:
        return cls(f"{table}: the folder {name} holds no .parquet file. Expected at least one. Name a file, or another folder.")

    @classmethod
    def unreadable(cls, table: str, name: str, reason: str, hint: str = "") -> SourceError:
        return cls.cannot(f"{table}: {name}", "be read", reason, hint)

    @classmethod
    def unknown_format(cls, table: str, name: str, known: Iterable[str]) -> SourceError:
        return cls(f"{table}: the format of {name} is not known. Expected a name that ends in {listing(known)}.")

    @classmethod
    def view(cls, table: str, name: str, source: str) -> SourceError:
        return cls(
            f"{table}: '{name}' in {source} must be a table. Found: a view, which could read other files of yours. "
            f"Make it a table where the file comes from: CREATE TABLE {table}_copy AS SELECT * FROM {name}."
        )

    @classmethod
    def no_table(cls, table: str, name: str, source: str, found: Iterable[str]) -> SourceError:
        return cls(f"{table}: there is no table or sheet '{name}' in {source}. Found: {listing(found)}.")


class CustomerKeyError(CrmlabError, ValueError):
    """The key that customers' ids are made with is missing, cannot be used, or is another one."""

    @classmethod
    def open_to_others(cls, path: Any, rights: int) -> CustomerKeyError:
        return cls(
            f"The key file {path} must be for its owner only. Found the rights {rights:03o}: others may read or change it. "
            f"Take them away with: chmod 600 {path}"
        )

    @classmethod
    def no_key(cls, path: Any, length: int, needed: int) -> CustomerKeyError:
        held = f"{length} characters" if length else "nothing"
        return cls(
            f"The key file {path} must hold at least {needed} hexadecimal digits. Found {held}. Restore it from a copy. Delete it only "
            "if no list, campaign or report was ever made with it: then a new key is made."
        )

    @classmethod
    def gone(cls, path: Any, variable: str) -> CustomerKeyError:
        return cls(
            f"There is no key file {path}. Expected the key that the ids were made with. "
            f"Restore it from a copy, or name its file in {variable}."
        )

    @classmethod
    def lost(cls, path: Any, digest: str, campaign: str, variable: str) -> CustomerKeyError:
        return cls(
            f"There is no key file {path}. Expected the key {digest}…, with which the campaign {shown(campaign)} was launched. No new "
            f"key was made, because it would change every customer id. Restore it from a copy, or name its file in {variable}."
        )

    @classmethod
    def another(cls, what: str, expected: str, found: str, variable: str) -> CustomerKeyError:
        return cls(
            f"The customer ids of {what} were made with another key. Expected the key {expected}…. Found the key {found}…, "
            f"with which every customer id is different. Restore the key file from a copy, or name its file in {variable}."
        )


class CrmlabWarning(UserWarning):
    """Something that a user is to know, and that keeps nothing from being done."""


class DamageWarning(CrmlabWarning):
    """Something that crmlab keeps is not as it was written; it was made again."""


class NewKeyWarning(CrmlabWarning):
    """A key was made that the user must back up."""


class DataError(CrmlabError, ValueError):
    """The records are there but do not fit the canonical form."""

    @classmethod
    def frame_lacks(cls, table: str, column: str, found: Iterable[Any]) -> DataError:
        names = [str(name) for name in found]
        close = get_close_matches(column, names, n=1, cutoff=0.6)
        old = close[0] if close else "old"
        hint = f"Rename a column of your frame: frame.rename(columns={{'{old}': '{column}'}})."
        if table in ("orders", "order_lines"):
            frame = "frame" if table == "orders" else f"{{'{table}': frame}}"
            hint += f" Or open it as a data set: crmlab.open_dataset({frame}, columns={{'{column}': '{old}'}}).{table}"
        return cls.lacks(table, column, names, hint)

    @classmethod
    def unparsable(
        cls,
        table: str,
        column: tuple[str | None, str],
        expected: str,
        count: int,
        read: int,
        example: tuple[int | str | None, Any],
        hint: str,
    ) -> DataError:
        """``orders: 2 of 62 rows have no valid date in column 'day' (ordered_at), first in row 61 below the header. Found: 'soon'.``

        ``column`` is what the source calls it, where that is known, and what crmlab does.
        """
        source, name = column
        named = f"'{name}'" if source in (None, name) else f"'{source}' ({name})"
        row, value = example
        first = f", first in {f'row {row:,}' if isinstance(row, int) else row}" if row else ""
        rows = f"{count:,} of {read:,} row{'' if read == 1 else 's'} {'has' if count == 1 else 'have'}"
        found = "an empty cell" if value is None else value if value in _NO_VALUES else shown(value)
        return cls(f"{table}: {rows} no valid {expected} in column {named}{first}. Found: {found}. {hint}")

    @classmethod
    def not_canonical(cls, table: str, problem: str, count: int, example: Any) -> DataError:
        rows = "1 row" if count == 1 else f"{count:,} rows"
        return cls(f"{table}: {problem} in {rows}. Expected none. Found for example: {shown(example)}.")

    @classmethod
    def not_unique(cls, table: str, column: str, count: int, example: Any) -> DataError:
        """``customers: 'customer_id' must be unique, but 4 rows share theirs with another row. Found for example: 'C000'.``"""
        return cls(
            f"{table}: '{column}' must be unique, but {count:,} rows share theirs with another row. Found for example: {shown(example)}."
        )


class TooLittleError(DataError):
    """The data set holds too little for an analysis; a run of all reports passes over it and says why."""

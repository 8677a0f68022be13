"""The tables that the cache keeps: what its manifest says of them, and whether they are still as they were written.

A process hashes the tables of a data set once, before it reads them. A run does so for its kernels: they take its verdict from
their environment, and with it the key that the run took, so that all pages of one run show one version of the source. A verdict
stands as long as the system says of each file what it said then (size, times of change, inode); after that a process hashes for itself.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from crmlab.data.descriptor import Descriptor
from crmlab.data.ledger import Breach, LedgerRow
from crmlab.data.sealed import file_sha256, seal, unseal
from crmlab.data.toml import STRICT
from crmlab.errors import SourceError

__all__ = [
    "MANIFEST",
    "VERDICT",
    "FlawError",
    "Kept",
    "KeptTable",
    "Manifest",
    "described",
    "kept_tables",
    "key_of_run",
    "trust",
    "verdict",
]

# Set by the runner for the kernel of one notebook: what it found of the data set.
VERDICT = "CRMLAB_VERDICT"
MANIFEST = "manifest.json"


class FlawError(Exception):
    """What the cache holds is not what was written; the text says where."""


@dataclass(frozen=True, config=STRICT)
class KeptTable:
    """A table in the cache: how many rows, how many bytes, and their sha256."""

    rows: int
    size: int
    sha256: str


@dataclass(frozen=True, config=STRICT)
class Manifest:
    """What a folder of the cache holds: the key that it was made for, its tables by name, the fate of the rows read, what broke rules."""

    key: str
    tables: dict[str, KeptTable]
    ledger: tuple[LedgerRow, ...]
    breaches: tuple[Breach, ...] = ()

    @property
    def rows(self) -> dict[str, int]:
        """Rows by table."""
        return {name: table.rows for name, table in self.tables.items()}

    def to_bytes(self) -> bytes:
        """The manifest as the file holds it."""
        return seal(asdict(self))


@dataclass(frozen=True)
class Kept:
    """Canonical tables in the cache: their folder, and its manifest."""

    folder: Path
    manifest: Manifest

    @property
    def key(self) -> str:
        """The key of the source, the rules and the code that they were made from."""
        return self.manifest.key

    @property
    def tables(self) -> dict[str, Path]:
        """The Parquet file of each table."""
        return {name: self.folder / f"{name}.parquet" for name in self.manifest.tables}


_MANIFEST: TypeAdapter[Manifest] = TypeAdapter(Manifest)
# What this process has hashed, or was told by its run: the folder, and what the system said of its files then.
_verified: dict[str, list[list[Any]]] = {}


def described(path: Path, rows: int) -> KeptTable:
    """Describe a table that was just written."""
    return KeptTable(rows, path.stat().st_size, file_sha256(path))


def kept_tables(folder: Path, key: str, *, verified: bool) -> Kept | None:
    """Return what the cache keeps in a folder, None where it has no such folder.

    Parameters
    ----------
    folder : Path
    key : str
        What it must have been made for.
    verified : bool
        Whether its tables are to be read: then they are hashed, unless that was done before. Otherwise only the manifest is looked at.

    Raises
    ------
    FlawError
        It is not as it was written, or cannot be read.
    """
    if not os.path.lexists(folder):
        return None
    if folder.is_symlink():
        raise FlawError("its folder is a link")
    try:
        found = Kept(folder, _manifest(folder, key))
        if verified:
            signs = _signs(folder)
            if _verified.get(str(folder), _of_run().get("signs")) != signs:
                _check(found)
            _verified[str(folder)] = signs
    except OSError as error:
        raise FlawError(f"it cannot be read: {error.strerror or error}") from error
    return found


def trust(folder: Path) -> None:
    """Take what was just written into a folder for verified: it was hashed then."""
    _verified[str(folder)] = _signs(folder)


def verdict(descriptor: Descriptor, found: Kept) -> str:
    """Return what a run found of a data set, for the environment of its kernels."""
    said = {"toml": _toml(descriptor), "rules": _rules(descriptor), "key": found.key, "signs": _signs(found.folder)}
    return json.dumps(said)


def key_of_run(descriptor: Descriptor) -> str | None:
    """Return the key that the run of this kernel took for a data set; None where this process is no kernel of a run.

    Raises
    ------
    SourceError
        The TOML file of the data set was changed since the run began.
    """
    said = _of_run()
    if not said or said["toml"] != _toml(descriptor):
        return None
    if said["rules"] != _rules(descriptor):
        raise SourceError.cannot(
            f"The data set '{descriptor.name}'",
            "be read",
            f"{descriptor.where} was changed while the run was at work",
            "Run again.",
        )
    return str(said["key"])


def _of_run() -> Mapping[str, Any]:
    said: Mapping[str, Any] = json.loads(os.environ.get(VERDICT) or "{}")
    return said


def _toml(descriptor: Descriptor) -> str:
    return str((descriptor.folder / f"{descriptor.name}.toml").resolve())


def _rules(descriptor: Descriptor) -> str:
    """A digest of all that the TOML file says."""
    content = {key: value for key, value in asdict(descriptor).items() if key not in ("folder", "where")}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _manifest(folder: Path, key: str) -> Manifest:
    try:
        content = unseal((folder / MANIFEST).read_bytes())
        manifest = _MANIFEST.validate_json(json.dumps(content))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise FlawError("the manifest is missing") from error
    except ValueError as error:  # pydantic's are of this kind too
        raise FlawError("the manifest is damaged") from error
    if manifest.key != key:
        raise FlawError("the manifest is that of another folder")
    return manifest


def _signs(folder: Path) -> list[list[Any]]:
    """What the system says of each file of a folder; lists, as JSON has no tuples."""
    found = []
    for path in sorted(folder.iterdir()):
        state = path.lstat()
        found.append([path.name, state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino])
    return found


def _check(found: Kept) -> None:
    """Hash every table, and see that nothing else is there."""
    for name, path in found.tables.items():
        said = found.manifest.tables[name]
        if path.is_symlink() or not path.is_file():
            raise FlawError(f"{path.name} is missing")
        size = path.stat().st_size
        if size != said.size:
            raise FlawError(f"{path.name} has {size:,} bytes instead of {said.size:,}")
        if described(path, said.rows) != said:
            raise FlawError(f"{path.name} has other contents")
    for path in sorted(found.folder.iterdir()):
        if path.name != MANIFEST and path not in found.tables.values():
            raise FlawError(f"{path.name} does not belong there")

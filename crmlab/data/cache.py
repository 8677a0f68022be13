"""Canonical Parquet, made once: a folder keyed by the contents of the files, the descriptor and this package's code.

A key's folder is written aside under a lock and renamed into place, so that two processes at once are safe and nobody
sees half of one. What is not as it was written any more (:mod:`crmlab.data.kept`) is made again, and that is said.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path

from crmlab.data.descriptor import Descriptor
from crmlab.data.identity import key_digest
from crmlab.data.kept import MANIFEST, FlawError, Kept, Manifest, described, kept_tables, trust
from crmlab.data.ledger import Breach, LedgerRow
from crmlab.data.private import FOLDER, close_to_others, private_folder
from crmlab.data.project import cache_folder
from crmlab.data.room import not_written
from crmlab.data.scratch import scratch_folder, sweep_scratch
from crmlab.data.sealed import file_sha256, seal, unseal
from crmlab.errors import DamageWarning, SourceError

__all__ = [
    "LOOKS",
    "Build",
    "Signs",
    "code_digest",
    "file_digest",
    "key_of",
    "materialised",
    "signed_digest",
    "sweep",
    "write_aside",
]

# What the system says of a file: size, times of change, inode.
Signs = tuple[int, int, int, int]
# Writes the tables of a data set into an empty folder, and returns their rows, the ledger, and what breaks rules.
Build = Callable[[Path], tuple[Mapping[str, int], Sequence[LedgerRow], Sequence[Breach]]]
# Seconds for which a file that was just written is not trusted to show its next change: clocks of file systems are coarse.
_FRESH = 2.0
_TRIES = 5
_ASIDE = ".aside-"


def sweep() -> None:
    """Remove what killed processes left of the sources that they read: in the cache, and among the temporary files."""
    sweep_scratch(cache_folder(), _ASIDE)
    sweep_scratch()


def file_digest(path: Path) -> str:
    """Return the sha256 of a file's contents; remembered while its size and times of change stay the same."""
    return signed_digest(path)[0]


def signed_digest(path: Path) -> tuple[str, Signs]:
    """Return the sha256 of a file's contents, and what the system said of the file before it was hashed and after.

    Raises
    ------
    OSError
        The file cannot be read, or does not stay the same for as long as hashing takes.
    """
    signs = _signs(path)
    known = _remembered(path, signs)
    if known is not None:
        return known, signs
    for _ in range(_TRIES):
        digest = file_sha256(path)
        before, signs = signs, _signs(path)
        if before == signs:
            if all(abs(time.time() - moment / 1e9) > _FRESH for moment in signs[1:3]):
                _remember(path, signs, digest)
            return digest, signs
    raise OSError(errno.EBUSY, "It is being written")


def _signs(path: Path) -> Signs:
    state = path.stat()
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino


def _memo(path: Path) -> Path:
    return cache_folder() / "digests" / f"{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:32]}.json"


def _remembered(path: Path, signs: Signs) -> str | None:
    """The digest of a file that has not changed since it was hashed. A damaged memo is none: the file is hashed again."""
    memo = _memo(path)
    try:
        known = unseal(memo.read_bytes())
        return str(known["sha256"]) if tuple(known["signs"]) == signs else None
    except (ValueError, LookupError, TypeError, IsADirectoryError):
        with contextlib.suppress(OSError):  # where it cannot be removed it is passed over next time, too
            shutil.rmtree(memo) if memo.is_dir() else memo.unlink()
        warnings.warn(
            f"What the cache remembered of {path.name} was damaged. The file was looked at again.", DamageWarning, stacklevel=2
        )
    except OSError:
        pass  # none yet
    return None


def _remember(path: Path, signs: Signs, digest: str) -> None:
    try:
        private_folder(_memo(path).parent)
        write_aside(_memo(path), seal({"signs": signs, "sha256": digest}))
    except OSError:
        pass  # the memo only saves time


def write_aside(path: Path, content: bytes, *, closed: bool = False) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part; ``closed``: for its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".aside-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        if not closed:
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(name, 0o666 & ~umask)  # temporary files are for their owner only
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


# What a data set says of itself that changes pages, not tables.
LOOKS = ("title", "description", "licence", "customer", "margin", "report", "season")


@cache
def code_digest() -> str:
    """Return the sha256 of the code that makes canonical tables: a change of it makes the cache anew."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted({*root.rglob("*.py")} - {root / "sections.py"}):  # names what subjects read: no table depends on it
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def key_of(descriptor: Descriptor, files: Iterable[tuple[str, str]]) -> str:
    """Return the key of a data set: its rules, its files' digests, the code, and the digest of the key that its ids are made with.

    The place of the files plays no part, nor do the sections that subjects read.
    """
    rules = asdict(descriptor)
    for place in ("folder", "where", "sections", "key_file", "campaigns", *LOOKS):
        rules.pop(place)
    content = {"rules": rules, "files": sorted(files), "code": code_digest()}
    if ids := key_digest(descriptor):
        content["ids"] = ids
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def materialised(name: str, key: str, build: Build, *, verified: bool = True) -> Kept:
    """Return what the cache keeps for a key; build it first where it is not there, or is not as it was written.

    Parameters
    ----------
    name : str
        Name of the data set, for people who look into the cache.
    key : str
        The key, as of :func:`key_of`.
    build : callable
        Gets an empty folder, writes ``<table>.parquet`` there for each table and returns their rows, the ledger and the breaches.
    verified : bool
        Whether the tables are to be read: see :func:`crmlab.data.kept.kept_tables`.

    Warns
    -----
    DamageWarning
        What was kept is not as it was written; it was made again.

    Raises
    ------
    SourceError
        The cache folder cannot be written: it is read-only, full or somebody else's. Nothing half-written is left there.
    """
    from filelock import FileLock

    root = cache_folder()
    folder = root / f"{name}-{key[:24]}"
    flaw = ""
    try:
        found, flaw = _sound(folder, key, verified=verified)
        if found is not None:
            return found
        private_folder(root)
        with FileLock(str(folder) + ".lock"):
            found, flaw = _sound(folder, key, verified=verified)  # another process may have made it meanwhile
            if found is None:
                found = _made(folder, key, build)
    except OSError as error:
        if isinstance(error, SourceError):
            raise
        raise not_written("cache", error, f"what it keeps of '{name}' is damaged ({flaw})" if flaw else "") from error
    if flaw:
        text = f"What the cache kept of the data set '{name}' was damaged: {flaw}. It was read from its source again."
        warnings.warn(text, DamageWarning, stacklevel=4)  # points at who opened the data set
    return found


def _sound(folder: Path, key: str, *, verified: bool) -> tuple[Kept | None, str]:
    """What a folder keeps, None where it is to be made; and what is wrong with it, if it is there."""
    try:
        return kept_tables(folder, key, verified=verified), ""
    except FlawError as error:
        return None, str(error)


def _made(folder: Path, key: str, build: Build) -> Kept:
    """Build a folder aside and put it in its place. The caller holds the lock."""
    with scratch_folder(folder.parent, _ASIDE) as aside:
        new = aside / "new"
        new.mkdir(mode=FOLDER)
        rows, ledger, breaches = build(new)
        tables = {name: described(new / f"{name}.parquet", count) for name, count in rows.items()}
        manifest = Manifest(key, tables, tuple(ledger), tuple(breaches))
        (new / MANIFEST).write_bytes(manifest.to_bytes())
        close_to_others(new)
        if os.path.lexists(folder):
            folder.rename(aside / "old")
        new.rename(folder)
    trust(folder)
    return Kept(folder, manifest)

"""Canonical Parquet, made once: a folder keyed by the contents of the files, the descriptor and this package's code.

A key's folder is written aside under a lock and renamed into place, so that two processes at once are safe and nobody
sees half of one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from crmlab.data.descriptor import Descriptor
from crmlab.data.project import cache_folder
from crmlab.errors import SourceError

__all__ = ["LOOKS", "code_digest", "file_digest", "key_of", "materialised", "write_aside"]


def file_digest(path: Path) -> str:
    """Return the sha256 of a file's contents; remembered while its size and times of change stay the same."""
    stat = path.stat()
    seen = {"size": stat.st_size, "mtime": stat.st_mtime_ns, "ctime": stat.st_ctime_ns}
    memo = cache_folder() / "digests" / f"{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:32]}.json"
    try:
        known = json.loads(memo.read_text())
        if {key: known.get(key) for key in seen} == seen:
            return str(known["sha256"])
    except (OSError, ValueError):
        pass
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    try:
        write_aside(memo, json.dumps({**seen, "sha256": digest}).encode())
    except OSError:
        pass  # the memo only saves time
    return digest


def write_aside(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".aside-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)  # temporary files are for their owner only
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


# What a data set says of itself that changes pages, not tables.
LOOKS = ("title", "description", "licence", "customer", "currency", "report")


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
    """Return the key of a data set: its rules, its files' digests and the code.

    The place of the files plays no part, nor do the sections that subjects read.
    """
    rules = asdict(descriptor)
    for place in ("folder", "where", "sections", *LOOKS):
        rules.pop(place)
    content = {"rules": rules, "files": sorted(files), "code": code_digest()}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def materialised(name: str, key: str, build: Callable[[Path], dict[str, Any]]) -> tuple[Path, dict[str, Any]]:
    """Return the folder of a key and its manifest; build it first where it is not there.

    Parameters
    ----------
    name : str
        Name of the data set, for people who look into the cache.
    key : str
        The key, as of :func:`key_of`.
    build : callable
        Gets an empty folder, writes the tables there and returns the manifest.

    Raises
    ------
    SourceError
        The cache folder cannot be written.
    """
    from filelock import FileLock

    root = cache_folder()
    folder = root / f"{name}-{key[:24]}"
    manifest = folder / "manifest.json"
    if manifest.exists():
        return folder, json.loads(manifest.read_text())
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(str(folder) + ".lock"):
            if not manifest.exists():
                _sweep(root, folder.name)
                aside = Path(tempfile.mkdtemp(prefix=f"{folder.name}.aside-", dir=root))
                try:
                    content = build(aside)
                    (aside / "manifest.json").write_text(json.dumps(content, indent=1))
                    aside.rename(folder)
                finally:
                    shutil.rmtree(aside, ignore_errors=True)
    except (PermissionError, FileNotFoundError, NotADirectoryError) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError.cannot(
            f"The cache folder {root}", "be written", error.strerror, "Name another in CRMLAB_CACHE."
        ) from error
    return folder, json.loads(manifest.read_text())


def _sweep(root: Path, name: str) -> None:
    """Remove what a killed process left of the same key. The caller holds the lock, so nobody is writing it."""
    for rest in root.glob(f"{name}.aside-*"):
        shutil.rmtree(rest, ignore_errors=True)

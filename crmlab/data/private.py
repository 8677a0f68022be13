"""Files and folders that name customers: for their owner only, whatever the umask says."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

__all__ = ["FILE", "FOLDER", "close_to_others", "is_own", "like", "private_folder"]

FILE, FOLDER = 0o600, 0o700


def private_folder(path: Path) -> Path:
    """Make a folder, and those above it that are not there, for their owner only; one that is there stays as it is.

    Raises
    ------
    OSError
        It cannot be made.
    """
    missing = [path, *path.parents]
    missing = missing[: next((place for place, one in enumerate(missing) if one.exists()), len(missing))]
    for one in reversed(missing):
        one.mkdir(mode=FOLDER, exist_ok=True)
    if not path.is_dir():
        raise NotADirectoryError(f"{path.name} is no folder")
    return path


def is_own(path: Path, is_kind: Callable[[int], bool]) -> bool:
    """Whether there is something of a kind (``stat.S_ISREG``, say), by itself and not behind a link, that belongs to this user."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return is_kind(found.st_mode) and (not hasattr(os, "geteuid") or found.st_uid == os.geteuid())


def close_to_others(path: Path) -> None:
    """Take the rights of all but the owner from a file, or from a folder and everything in it; links are not followed.

    Libraries that write a file by its name make it with the rights that the umask leaves. Write into a folder that is closed already,
    then call this.
    """
    if path.is_symlink():
        return
    if not path.is_dir():
        path.chmod(FILE)
        return
    path.chmod(FOLDER)
    for item in path.iterdir():
        close_to_others(item)


def like(path: Path, other: Path) -> None:
    """Give a file or a folder, and what is in it, the rights of what it takes the place of: they may have been given on purpose.

    Where there is nothing yet it is closed to others.
    """
    close_to_others(path)
    if not other.exists():
        return
    rights = other.stat().st_mode & 0o777
    if path.is_dir():
        for item in path.iterdir():
            item.chmod(rights & 0o666 | FILE)
    path.chmod(rights | (FOLDER if path.is_dir() else FILE))

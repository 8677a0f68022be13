"""Puts a finished folder in the place of the last one, so that a reader sees one or the other, whole."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import sys
from pathlib import Path

from crmlab.data.private import close_to_others

__all__ = ["put_in_place", "sweep"]

_EXCHANGE = 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS
_HERE = -100  # AT_FDCWD


def put_in_place(new: Path, place: Path, *, closed: bool = False) -> None:
    """Move a folder to its place; what was there is removed afterwards.

    On Linux and macOS the two are exchanged in one step. Elsewhere the old one is renamed first, and :func:`sweep` brings
    it back if a crash came between.

    Parameters
    ----------
    new : Path
        Finished folder, on the same file system; gone afterwards.
    place : Path
        Where it belongs.
    closed : bool
        It names customers: nobody but its owner may read it. Else those may who may read the folder around it.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    if closed:
        close_to_others(new)
    else:
        _make_readable(new)
    if not os.path.lexists(place):
        new.rename(place)
        return
    if _exchange(new, place):
        _remove(new)
        return
    old = place.with_name(f".old-{place.name}")
    _remove(old)
    place.rename(old)
    new.rename(place)
    _remove(old)


def sweep(folder: Path) -> None:
    """Clear what a killed run left aside, and bring back what it had moved away. The caller holds the lock.

    Only what a run writes: a folder is known by what it holds, not by its name alone, and what a link leads to is never touched.
    """
    # One level down: what was written aside into the history, or into a report while it was rendered anew.
    for rest in [*folder.glob(".aside-*"), *folder.glob("*/.aside-*")]:
        if _is_ours(rest):
            _remove(rest)
    for old in folder.glob(".old-*"):
        place = folder / old.name.removeprefix(".old-")
        if not _is_ours(old):
            continue
        if os.path.lexists(place):
            _remove(old)
        else:
            old.rename(place)


# What a folder of a report, or one of columns for lists, holds at most.
_OF_REPORTS = re.compile(
    r"notebook\.ipynb|report\.(html|pdf)|(result|metrics|run)\.json|tables|outputs|\d+\.(json|parquet)|\.aside-\w+"
)


def _is_ours(path: Path) -> bool:
    """Whether a run made this: a folder with nothing but parts of a report, or a file that was being written."""
    if path.is_symlink():
        return False
    if path.is_dir():
        return all(_OF_REPORTS.fullmatch(item.name) and not item.is_symlink() for item in path.iterdir())
    return re.fullmatch(r"\.aside-\w{8}", path.name) is not None


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _make_readable(folder: Path) -> None:
    # Temporary folders are for their owner only; reports are for whoever may read the folder around them.
    umask = os.umask(0)
    os.umask(umask)
    folder.chmod(0o777 & ~umask)


def _exchange(first: Path, second: Path) -> bool:
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        ends = os.fsencode(first), os.fsencode(second)
        if sys.platform.startswith("linux"):
            return bool(libc.renameat2(_HERE, ends[0], _HERE, ends[1], _EXCHANGE) == 0)
        if sys.platform == "darwin":
            return bool(libc.renamex_np(*ends, _EXCHANGE) == 0)
    except (AttributeError, OSError, TypeError):
        pass
    return False

"""Temporary folders that are never left for good: whoever makes the next one removes those whose process was killed.

Such folders hold copies of what people gave. Each has a lock beside it, which its process holds as long as it lives and the
system lets go of when the process dies, however it dies: a folder whose lock is free belongs to nobody any more. Neither process
numbers nor ages are asked, so that a folder in use is never removed: not one of a container that shares the temporary folder,
nor one of a process that was suspended for a day.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from crmlab.data.private import is_own

if TYPE_CHECKING:
    from filelock import BaseFileLock

__all__ = ["PREFIX", "process_scratch", "scratch_folder", "sweep_scratch"]

PREFIX = "crmlab-"
_RANDOM = 5  # bytes at the end of a name, as twice as many hexadecimal digits
_STRAY = 3600  # seconds after which a lock without a folder is nobody's: between the two lie microseconds


@contextlib.contextmanager
def scratch_folder(within: Path | None = None, prefix: str = PREFIX) -> Iterator[Path]:
    """Make a folder for temporary files, for this user only; it is removed at the end, or by the next call after a kill.

    Parameters
    ----------
    within : Path, optional
        Where to make it. Default: the system's folder for temporary files.
    prefix : str
        What its name begins with; folders of other prefixes are not looked at.

    Yields
    ------
    Path
        An empty folder.

    Raises
    ------
    OSError
        The folder cannot be made.

    Examples
    --------
    >>> with scratch_folder() as folder:
    ...     _ = (folder / "copy.csv").write_text("a")
    >>> folder.exists()
    False
    """
    sweep_scratch(within, prefix)
    folder, lock = _made(within, prefix)
    try:
        yield folder
    finally:
        _removed(folder, lock)


def process_scratch() -> Path:
    """Return an empty folder for temporary files that stays until this process ends; each call makes another.

    Raises
    ------
    OSError
        The folder cannot be made.
    """
    global _own
    # A forked process has none yet; and what clears old temporary files away may have taken it.
    if _own is None or _own[0] != os.getpid() or not _own[1].is_dir():
        sweep_scratch()
        folder, lock = _made(None, PREFIX)
        _own = os.getpid(), folder
        atexit.register(_end, os.getpid(), folder, lock)
    return Path(tempfile.mkdtemp(dir=_own[1]))


_own: tuple[int, Path] | None = None


def sweep_scratch(within: Path | None = None, prefix: str = PREFIX) -> int:
    """Remove what killed processes of this user left, and return how many folders that were.

    Only folders that have the form of a name made here, belong to this user, are no symbolic links, and whose lock nobody holds.

    Parameters
    ----------
    within, prefix
        As for :func:`scratch_folder`.
    """
    from filelock import Timeout

    root, count = within or Path(tempfile.gettempdir()), 0
    form = re.compile(re.escape(prefix) + f"[0-9a-f]{{{2 * _RANDOM}}}")
    try:
        names = [entry.name for entry in os.scandir(root) if entry.name.startswith(prefix)]
    except OSError:
        return 0
    for name in names:
        path = root / name
        if form.fullmatch(name) and is_own(path, stat.S_ISDIR) and is_own(_lock_path(path), stat.S_ISREG):
            lock = _lock(path)
            with contextlib.suppress(Timeout, OSError):
                lock.acquire(timeout=0)
                _removed(path, lock)
                count += 1
        elif form.fullmatch(name.removesuffix(".lock")) and name.removesuffix(".lock") not in names:
            with contextlib.suppress(OSError):
                if is_own(path, stat.S_ISREG) and time.time() - path.stat().st_mtime > _STRAY:
                    path.unlink()
    return count


def _made(within: Path | None, prefix: str) -> tuple[Path, BaseFileLock]:
    """A new folder whose lock is held. The lock comes first: no sweep ever sees the folder without it."""
    folder = (within or Path(tempfile.gettempdir())) / f"{prefix}{secrets.token_hex(_RANDOM)}"
    lock = _lock(folder)
    lock.acquire(timeout=0)
    try:
        folder.mkdir(mode=0o700)
    except OSError:
        _removed(folder, lock)
        raise
    return folder, lock


def _end(process: int, folder: Path, lock: BaseFileLock) -> None:
    if os.getpid() == process:  # forked processes inherit what is to be done at the end
        _removed(folder, lock)


def _removed(folder: Path, lock: BaseFileLock) -> None:
    """Remove a folder, then its lock. What cannot be removed keeps its lock file: the next sweep tries again."""
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        _lock_path(folder).unlink(missing_ok=True)
    lock.release()


def _lock_path(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _lock(folder: Path) -> BaseFileLock:
    from filelock import FileLock

    # Not of one thread: a folder may be removed by another than made it.
    return FileLock(_lock_path(folder), mode=0o600, thread_local=False)

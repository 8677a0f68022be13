"""Says of an error that there is too little of something: of room in the cache or for temporary files, or of memory."""

from __future__ import annotations

import errno
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Literal

from crmlab.data.project import cache_folder
from crmlab.data.scratch import PREFIX
from crmlab.errors import ReportError, SourceError

__all__ = ["check_memory", "is_out_of_memory", "no_room", "not_written"]

_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_DENIED = (errno.EROFS, errno.EACCES, errno.EPERM)
_LEAST = 2**31  # bytes of address space: a kernel with its libraries takes one and a half
_NAMES = {"cache": ("The cache folder", "CRMLAB_CACHE"), "temporary": ("The folder for temporary files", "TMPDIR")}


def no_room(error: BaseException) -> SourceError | None:
    """Return the error of a folder that crmlab writes to, or of memory, where an error is of one; None where it is of something else.

    Engines say only in words what failed and where: what is wrong with a source must not be mistaken for it, nor the other way round.
    """
    text = f"{getattr(error, 'filename', None) or ''} {error}"
    if f"{cache_folder()}{os.sep}" in text:
        return not_written("cache", error)
    own = re.escape(str(Path(tempfile.gettempdir()) / PREFIX)) + "[0-9a-f]{10}"
    # Nothing is written where reading is at work but temporary files: a full disk without a name is theirs.
    full = getattr(error, "errno", None) in (*_FULL, errno.EROFS)
    if full or re.search(own, text) or "max_temp_directory_size" in text:  # DuckDB calls this one of memory
        return not_written("temporary", error)
    if is_out_of_memory(error):
        return SourceError.cannot("The data", "be read", "There is not enough memory", "Let the process have more of it.")
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an error, of Python or of an engine, is one of too little memory.

    Examples
    --------
    >>> is_out_of_memory(MemoryError()), is_out_of_memory(OSError(12, "Cannot allocate memory")), is_out_of_memory(OSError(2, "gone"))
    (True, True, False)
    """
    named = type(error).__name__ == "OutOfMemoryException"  # of DuckDB, which is not imported for this
    return named or isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM


def check_memory() -> None:
    """Refuse to run reports where the system lets this process have less address space than libraries take for granted.

    Below that, what loads them may wait for memory without end (OpenBLAS does), or end the process before anything can be said.

    Raises
    ------
    ReportError
        There is a limit (``ulimit -v``), and it is under 2 GB.
    """
    if sys.platform == "win32":
        return
    import resource

    allowed = resource.getrlimit(resource.RLIMIT_AS)[0]
    if allowed != resource.RLIM_INFINITY and allowed < _LEAST:
        raise ReportError.cannot(
            "Reports",
            "be run",
            f"This process may have {allowed >> 20:,} MB of memory, and {_LEAST >> 20:,} MB are needed",
            "Raise the limit (ulimit -v), or lift it.",
        )


def not_written(place: Literal["cache", "temporary"], error: BaseException, further: str = "") -> SourceError:
    """Return the error that names the folder, why it cannot be written and what to do.

    Parameters
    ----------
    place : str
        Which folder.
    error : exception
        What the system or an engine said.
    further : str
        What else is to be known.
    """
    name, variable = _NAMES[place]
    folder = cache_folder() if place == "cache" else tempfile.gettempdir()
    number, reason = _reason(error)
    hint = f"Make room there, or name another in {variable}." if number in _FULL else f"Name another in {variable}."
    return SourceError.cannot(f"{name} {folder}", "be written", f"{reason}; {further}" if further else reason, hint)


def _reason(error: BaseException) -> tuple[int | None, str]:
    """The number and the words of what failed; an engine's message holds the words only."""
    number = getattr(error, "errno", None)
    if isinstance(error, OSError) and number is not None:
        return number, error.strerror or os.strerror(number)
    text = str(error).lower()
    if "max_temp_directory_size" in text:
        return errno.ENOSPC, os.strerror(errno.ENOSPC)
    for known in (*_FULL, *_DENIED):
        if os.strerror(known).lower() in text:
            return known, os.strerror(known)
    return None, str(error).partition("\n")[0].rstrip(".")

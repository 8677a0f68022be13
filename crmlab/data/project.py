"""Where things are: the project's folders, the user's own data, the cache.

The home of a project is the folder that holds ``notebooks/`` and ``data/``: the one named in ``CRMLAB_HOME``, else the
nearest at or above the working folder, else the clone that the package was installed from. Its notebooks are run, so a folder that is
only found, not named, must belong to the user: in a folder that all may write to, such as ``/tmp``, anybody may have put one.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from crmlab.errors import NotInProjectError

__all__ = ["cache_folder", "home", "private_data"]


def _is_home(folder: Path) -> bool:
    return (folder / "notebooks").is_dir() and (folder / "data").is_dir()


def _is_own(folder: Path) -> bool:
    """Whether nobody but the user and the system's administrator decides what is in a folder."""
    if not hasattr(os, "geteuid"):
        return True
    state = folder.stat()
    return state.st_uid == os.geteuid() or (state.st_uid == 0 and not state.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def home() -> Path:
    """Return the project's folder.

    Raises
    ------
    NotInProjectError
        Where there is none, or the one that was found is not the user's own.

    Examples
    --------
    >>> (home() / "notebooks").is_dir()
    True
    """
    named = os.environ.get("CRMLAB_HOME")
    if named:
        if _is_home(Path(named)):
            return Path(named).resolve()
        raise NotInProjectError.nowhere(named)
    start = Path.cwd()
    clone = Path(__file__).resolve().parents[2]
    for folder in (start, *start.parents, clone):
        if _is_home(folder):
            # The code that runs is the clone's already.
            if folder.resolve() != clone and not all(map(_is_own, (folder, folder / "notebooks", folder / "data"))):
                raise NotInProjectError.not_own(folder)
            return folder
    raise NotInProjectError.nowhere(start)


def private_data() -> Path:
    """Return the folder of the user's own files: ``CRMLAB_DATA``, by default ``data/private``."""
    named = os.environ.get("CRMLAB_DATA")
    return Path(named).expanduser() if named else home() / "data" / "private"


def cache_folder() -> Path:
    """Return the folder of the cache: ``CRMLAB_CACHE``, by default ``.cache`` in the project."""
    named = os.environ.get("CRMLAB_CACHE")
    return Path(named).expanduser().absolute() if named else home() / ".cache"

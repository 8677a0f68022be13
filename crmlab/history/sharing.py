"""What several reports need is worked out by the first that asks, and read by the others, of this run and of later ones.

A run gives its kernels a folder for one version of the data set and of the code. Each thing in it is a file that begins with the digest
of the rest: what is not as it was written is worked out again, and that is said. Outside a run nothing is written.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import shutil
import stat
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from crmlab.data.private import FILE, is_own
from crmlab.errors import DamageWarning

__all__ = ["SHARED", "shared"]

T = TypeVar("T")

# Set by the runner for the kernels of one data set: the folder that they share.
SHARED = "CRMLAB_SHARED"
_DIGEST = 32  # bytes


def shared(key: object, make: Callable[[], T]) -> T:
    """Work something out once for all reports that share a folder.

    Parameters
    ----------
    key : object
        Everything that the result depends on but the data set; its ``repr`` names it.
    make : callable
        Works it out. It may ask for other shared things only of earlier days, or of subjects below: two kernels that wait for each
        other would wait for ever. What it raises is not kept.

    Returns
    -------
    object
        What was made, or in another kernel than the first an equal copy.
    """
    folder = os.environ.get(SHARED)
    if not folder:
        return make()
    from filelock import FileLock

    path = Path(folder) / f"{hashlib.sha256(repr(key).encode()).hexdigest()[:32]}.pickle"
    with FileLock(path.with_suffix(".lock")):
        kept = _kept(path)
        if kept is not None:
            return cast(T, pickle.loads(kept))
        found = make()
        content, part = pickle.dumps(found), path.with_suffix(".part")
        try:
            part.touch(FILE)
            part.write_bytes(hashlib.sha256(content).digest() + content)
            part.replace(path)
        except OSError:  # no room, say: then the next works it out again
            with contextlib.suppress(OSError):
                part.unlink()
        return found


def _kept(path: Path) -> bytes | None:
    """What a file holds, None where there is none that can be believed: reading it runs what is in it, so it must be the user's own."""
    if not os.path.lexists(path):
        return None
    try:
        sound = is_own(path, stat.S_ISREG) and not path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        whole = path.read_bytes() if sound else b""
    except OSError:
        whole = b""
    digest, content = whole[:_DIGEST], whole[_DIGEST:]
    if hashlib.sha256(content).digest() == digest:
        return content
    text = f"{path.name}, which earlier reports worked out, is not as it was written. It was worked out again."
    warnings.warn(text, DamageWarning, stacklevel=4)
    with contextlib.suppress(OSError):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return None

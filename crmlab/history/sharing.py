"""What several reports of one run need is worked out by the first that asks, and read by the others.

A run gives its kernels a folder of its own, which is removed when the run ends: so what lies there was worked out from the same version
of the data set, by the same code, and never outlives either. Outside a run nothing is written.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

__all__ = ["SHARED", "shared"]

T = TypeVar("T")

# Set by the runner for the kernels of one data set: the folder that they share.
SHARED = "CRMLAB_SHARED"


def shared(key: object, make: Callable[[], T]) -> T:
    """Work something out once in a run.

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
        if path.exists():
            return cast(T, pickle.loads(path.read_bytes()))
        found = make()
        part = path.with_suffix(".part")
        try:
            part.write_bytes(pickle.dumps(found))
            part.replace(path)
        except OSError:  # no room, say: then the next works it out again
            with contextlib.suppress(OSError):
                part.unlink()
        return found

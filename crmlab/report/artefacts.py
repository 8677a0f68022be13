"""What the reports of a data set work out for each other, kept for the next run on the same contents by the same code.

A page that is asked for by itself would otherwise work out anew what the pages made before it have: who is a customer still, who is
about to leave, what sells to whom. What is kept lies in the cache, for its owner only; it saves time and nothing else, so whatever is
missing, damaged or cannot be written is worked out again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from pathlib import Path

from crmlab.data.private import private_folder
from crmlab.data.project import cache_folder
from crmlab.report.inputs import Inputs
from crmlab.report.keys import installed_digest, source_digest
from crmlab.report.registry import inputs_of, report_names

__all__ = ["FOLDER", "MOST", "folder_of"]

FOLDER = "worked-out"
MOST = 12  # folders, each of one version of a data set and of the code
_AT_WORK = 24 * 3600.0  # seconds: a run may still read what was used within them


def folder_of(inputs: Inputs, engine: str | None) -> Path | None:
    """Return the folder of what was worked out from a data set, made where it is not there; the oldest of others are removed.

    Parameters
    ----------
    inputs : Inputs
        All that they read counts: contents, every section of the TOML file, what is read with them; and crmlab's source, and what is
        installed.
    engine : str or None

    Returns
    -------
    Path or None
        None where the contents of the source cannot be told (a database), or the cache cannot be written.
    """
    if inputs.fingerprint is None:
        return None
    content = {
        "inputs": inputs.fingerprint,
        "sections": {name: section.content for name, section in inputs.descriptor.sections.items()},
        "further": [one.fingerprint() for name in report_names() for one in inputs_of(name)],
        "engine": engine,
        "source": source_digest(),
        "installed": installed_digest(),
    }
    key = hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
    root = cache_folder() / FOLDER
    try:
        place = private_folder(root / f"{inputs.descriptor.name}-{key[:24]}")
        os.utime(place)
        _forget(root)
    except OSError:
        return None
    return place


def _forget(root: Path) -> None:
    """Remove what was not used for longest, but for what a run may be reading."""
    folders = sorted((path for path in root.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in folders[MOST:]:
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _AT_WORK:
                shutil.rmtree(path)

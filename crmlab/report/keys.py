"""Whether a report is up to date: one key of everything that its content depends on.

The notebook's code, the resolved parameters, the contents of the input tables, crmlab's source and the installed versions. A
change of any one makes another key; touching a file does not.
"""

from __future__ import annotations

import hashlib
import json
import platform
from functools import cache
from pathlib import Path
from typing import Any

import crmlab
from crmlab.report.state import read_notebook

__all__ = ["installed", "installed_digest", "notebook_digest", "run_key", "source_digest"]


def run_key(notebook: Path, params: dict[str, Any], data: str, engine: str | None, fingerprint: str | None) -> str | None:
    """Return the key of a run, or None where the contents of its source cannot be told (a database): then it always runs.

    Parameters
    ----------
    notebook : Path
        Its cells count, not its metadata.
    params : dict
        Resolved parameters, plain values.
    data : str
        The data set as it was named: the name is shown in the notebook.
    engine : str or None
    fingerprint : str or None
        Of the contents of the data set.
    """
    if fingerprint is None:
        return None
    content = {
        "notebook": notebook_digest(notebook),
        "params": params,
        "data": data,
        "engine": engine,
        "inputs": fingerprint,
        "source": source_digest(),
        "installed": installed_digest(),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def notebook_digest(path: Path) -> str:
    """Return the sha256 of a notebook's cells.

    Raises
    ------
    ReportError
        It is no notebook.
    """
    cells = read_notebook(path)["cells"]
    content = [(cell["cell_type"], "".join(cell["source"]), cell.get("metadata", {}).get("tags")) for cell in cells]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@cache
def source_digest() -> str:
    """Return the sha256 of crmlab's own source: modules, templates and styles."""
    root = Path(crmlab.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


@cache
def installed_digest() -> str:
    """Return the sha256 of the names and versions of everything that is installed, and of Python's version."""
    return hashlib.sha256(json.dumps([platform.python_version(), sorted(installed().items())]).encode()).hexdigest()


@cache
def installed() -> dict[str, str]:
    """Return the version of every installed distribution, read from the names of their folders (fast)."""
    import sys

    found: dict[str, str] = {}
    for entry in sys.path:
        folder = Path(entry)
        if folder.is_dir():
            for item in folder.glob("*.dist-info"):
                name, _, version = item.name.removesuffix(".dist-info").partition("-")
                found.setdefault(name.lower().replace("_", "-"), version)
    return found

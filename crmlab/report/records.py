"""What happened in each run: ``run.json``, one record per report and run, kept as history."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from crmlab.data.cache import write_aside


@dataclass
class RunRecord:
    """One run of one report.

    Attributes
    ----------
    status : str
        ok, failed, timed_out, kernel_died, cancelled, skipped.
    reason : str
        A plain sentence where the status is not ok.
    error : dict or None
        Type and message of the exception that the runner itself saw, and the place of the failing cell.
    """

    report: str
    dataset: str
    status: str
    reason: str = ""
    error: dict[str, Any] | None = None
    params: dict[str, Any] = field(default_factory=dict)
    data: str = ""
    engine: str | None = None
    inputs: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    started: str = ""
    seconds: float = 0.0
    cell_seconds: float = 0.0
    files: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether a report was made."""
        return self.status == "ok"

    def to_json(self) -> bytes:
        """The record as ``run.json`` holds it."""
        return (json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n").encode()


def keep(record: RunRecord, folder: Path) -> None:
    """Add a record to the history of a data set's reports."""
    stamp = record.started.replace(":", "").replace("-", "").replace("+0000", "Z")
    write_aside(folder / "history" / f"{stamp}-{record.report}.json", record.to_json())


def latest(folder: Path) -> dict[str, RunRecord]:
    """Return the last record of each report, by report; unreadable ones are passed over."""
    found: dict[str, RunRecord] = {}
    for path in sorted((folder / "history").glob("*.json")):
        try:
            record = RunRecord(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError, OSError):
            continue
        found[record.report] = record
    return found


@cache
def versions() -> dict[str, str]:
    """Versions of Python, crmlab and the packages that numbers depend on."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in ("crmlab", "duckdb", "ibis-framework", "matplotlib", "numpy", "pandas", "papermill", "scikit-learn", "scipy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found

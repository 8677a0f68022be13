"""What happened in each run: ``run.json``, one record per report and run, kept as history."""

from __future__ import annotations

import json
import platform
import subprocess
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from crmlab.data.cache import write_aside
from crmlab.data.names import checked_name
from crmlab.data.project import home
from crmlab.errors import ReportError
from crmlab.report.keys import installed

__all__ = ["RunRecord", "git_state", "history", "keep", "latest", "read_record", "settle", "versions"]

# What a run can come to. "running" is what a killed one leaves until the next run tells the truth about it.
STATUSES = ("ok", "up_to_date", "failed", "timed_out", "kernel_died", "cancelled", "skipped", "running")

_NUMBERS_DEPEND_ON = (
    "crmlab",
    "duckdb",
    "ibis-framework",
    "lifetimes",
    "matplotlib",
    "mlxtend",
    "nbconvert",
    "numpy",
    "pandas",
    "papermill",
    "pyarrow",
    "pyspark",
    "scikit-learn",
    "scipy",
)


@dataclass
class RunRecord:
    """One run of one report.

    Attributes
    ----------
    report, dataset, variant : str
        What was run. ``variant`` tells runs of one report apart that differ in a parameter of a plan.
    status : str
        One of ``STATUSES``.
    reason : str
        A plain sentence where the status is not ok.
    error : dict or None
        Type and message of the exception that the runner itself saw, and the place of the failing cell.
    key : str or None
        As of :func:`crmlab.report.keys.run_key`.
    params : dict
        Resolved parameters.
    inputs : dict
        Fingerprint of the data set, and rows by table.
    files : dict
        sha256 of every file made.
    metrics : dict
        What two runs are compared on; empty unless ok.
    """

    report: str
    dataset: str
    status: str
    variant: str = ""
    reason: str = ""
    error: dict[str, Any] | None = None
    key: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    data: str = ""
    engine: str | None = None
    inputs: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    git: dict[str, Any] = field(default_factory=dict)
    started: str = ""
    finished: str = ""
    seconds: float = 0.0
    cell_seconds: float = 0.0
    files: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether there is a report, made now or up to date."""
        return self.status in ("ok", "up_to_date")

    @property
    def place(self) -> str:
        """Name of the report's folder."""
        return f"{self.report}--{self.variant}" if self.variant else self.report

    def to_json(self) -> bytes:
        """The record as ``run.json`` holds it."""
        return (json.dumps(asdict(self), indent=1, ensure_ascii=False, default=str) + "\n").encode()


def read_record(path: Path) -> RunRecord:
    """Read a ``run.json``; a folder means the one in it.

    Raises
    ------
    ReportError
        It is not there or cannot be understood.
    """
    file = path / "run.json" if path.is_dir() else path
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        known = {item.name for item in fields(RunRecord)}
        return RunRecord(**{key: value for key, value in content.items() if key in known})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ReportError(f"{path.name} holds no record of a run. Expected a run.json, or the folder of a report.") from error


def keep(record: RunRecord, folder: Path) -> None:
    """Write a record to the history of a data set's reports; the same run writes the same file again."""
    stamp = "".join(ch for ch in record.started if ch.isdigit())[:17]
    place = checked_name(record.place, "a report", ReportError)  # it may have been read from a file
    write_aside(folder / "history" / f"{stamp}-{place}.json", record.to_json())


def history(folder: Path) -> list[RunRecord]:
    """Return every record of a data set's reports, oldest first; unreadable ones are passed over."""
    found = []
    for path in sorted((folder / "history").glob("*.json")):
        try:
            found.append(read_record(path))
        except ReportError:
            continue
    return found


def latest(folder: Path, place: str) -> RunRecord | None:
    """Return the newest record of a report, None where it was never run."""
    for path in sorted((folder / "history").glob(f"{'[0-9]' * 17}-{place}.json"), reverse=True):
        try:
            return read_record(path)
        except ReportError:
            continue
    return None


def settle(folder: Path) -> None:
    """Tell the truth about runs that were killed: whoever holds the lock knows that nothing is running.

    One that was killed after its folder was put in place has ended as the record in that folder says.
    """
    for path in (folder / "history").glob("*.json"):
        try:
            record = read_record(path)
        except ReportError:
            continue
        if record.status == "running":
            ended = _ended(record, folder)
            if ended is None:
                record.status, record.reason = "cancelled", "The run was killed before it could end."
            write_aside(path, (ended or record).to_json())


def _ended(record: RunRecord, folder: Path) -> RunRecord | None:
    """The record of the same run in the report's folder, or in that of failed ones, where it got as far."""
    for place in (folder / record.place, folder / "failed" / record.place):
        try:
            found = read_record(place / "run.json")
        except ReportError:
            continue
        if found.started == record.started:
            return found
    return None


@cache
def versions() -> dict[str, str]:
    """Versions of Python, crmlab and the packages that numbers depend on."""
    found = installed()
    return {"python": platform.python_version()} | {name: found[name] for name in _NUMBERS_DEPEND_ON if name in found}


@cache
def git_state() -> dict[str, Any]:
    """Commit of the project and whether it has changes; empty where it is no git checkout."""
    try:
        commit = _git("rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_git("status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.SubprocessError):
        return {}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=home(), capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()

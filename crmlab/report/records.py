"""What happened in each run: ``run.json``, one record per report and run, kept as history."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import re
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from crmlab.data.cache import write_aside
from crmlab.data.naming import checked_name
from crmlab.data.project import home
from crmlab.data.sealed import content_digest
from crmlab.data.toml import holds
from crmlab.errors import ReportError
from crmlab.report.keys import installed
from crmlab.report.state import Metric, Say, parsed, quiet, short, typed

__all__ = ["RunRecord", "git_state", "history", "keep", "last_seen", "latest", "read_record", "settle", "versions"]

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


def _is_moment(text: str) -> bool:
    return not text or dt.datetime.fromisoformat(text) is not None


_Status = Annotated[str, holds(lambda text: text in STATUSES)]
_Name = Annotated[str, Field(pattern=r"^\w[\w.-]*$")]  # becomes part of a path
_Variant = Annotated[str, Field(pattern=r"^[\w.-]*$")]
_Moment = Annotated[str, holds(_is_moment)]
_Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Inputs(TypedDict, total=False):
    fingerprint: str | None
    rows: dict[str, int]
    annotated: list[str]
    seen: dict[str, dict[str, Any]]


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
        Fingerprint of the data set, and rows by table; under "seen", by its name, what the run saw of an input beside the data set.
    notes : list of str
        Sentences on such inputs: what was lost or changed since an earlier run.
    files : dict
        sha256 of every file made.
    metrics : dict
        What two runs are compared on; empty unless ok.
    sequence : int
        Its number among the runs of the folder: they are ordered by it, not by a clock, which may be wrong or set back. 0 until
        the record is kept, and in records of versions that had none.
    """

    report: _Name
    dataset: str
    status: _Status
    variant: _Variant = ""
    reason: str = ""
    error: dict[str, Any] | None = None
    key: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    data: str = ""
    engine: str | None = None
    inputs: _Inputs = field(default_factory=_Inputs)
    notes: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    git: dict[str, Any] = field(default_factory=dict)
    started: _Moment = ""
    finished: _Moment = ""
    seconds: _Seconds = 0.0
    cell_seconds: _Seconds = 0.0
    files: dict[str, _Sha256] = field(default_factory=dict)
    metrics: dict[str, Metric] = field(default_factory=dict)
    sequence: Annotated[int, Field(ge=0)] = 0

    @property
    def ok(self) -> bool:
        """Whether there is a report, made now or up to date."""
        return self.status in ("ok", "up_to_date")

    @property
    def place(self) -> str:
        """Name of the report's folder."""
        return f"{self.report}--{self.variant}" if self.variant else self.report

    def to_json(self) -> bytes:
        """The record as ``run.json`` holds it: with a digest of all the rest, so that damage is noticed."""
        content = json.loads(json.dumps(asdict(self), default=str))
        content["digest"] = content_digest(content)
        return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def read_record(path: Path) -> RunRecord:
    """Read a ``run.json``; a folder means the one in it.

    Raises
    ------
    ReportError
        It is not there, has a part of another type, or does not fit its digest. Records of versions that wrote no digest are taken
        as they are.
    """
    if not os.path.lexists(path):
        raise ReportError(f"There is no file or folder {short(path)}. Expected a run.json, or the folder of a report.")
    file = path / "run.json" if path.is_dir() and path.suffix != ".json" else path
    try:
        _, content = parsed(file)
        if not isinstance(content, dict):
            raise ValueError("it is not the record of one run")
        digest, known = content.pop("digest", None), {item.name for item in fields(RunRecord)}
        if digest is None:
            unknown = sorted(content.keys() - known)
            if unknown:
                raise ValueError(f"{unknown[0]} is unknown, and it has no digest")
        elif digest != content_digest(content):
            raise ValueError("it does not fit its digest")
        record: RunRecord = typed(RunRecord, {key: value for key, value in content.items() if key in known})
    except ValueError as error:
        raise ReportError(
            f"{short(file)} holds no record of a run: {error}. Expected a run.json, or the folder of a report."
        ) from error
    return record


_KEPT = re.compile(r"run-(\d{8,15})-(.+)\.json|\d{17}-(.+)\.json")  # the second is how older versions named them, by time
_NUMBERING = threading.Lock()


def _kept(folder: Path) -> Iterator[tuple[int, str, Path]]:
    """Number (0: it has none), place and file of each record, oldest first."""
    found = []
    for path in (folder / "history").glob("*.json"):
        match = _KEPT.fullmatch(path.name)
        if match:
            found.append((int(match[1] or 0), match[2] or match[3], path))
    return iter(sorted(found, key=lambda item: (item[0], item[2].name)))


def _read_kept(number: int, place: str, path: Path) -> RunRecord:
    record = read_record(path)
    if (record.sequence, record.place) != (number, place):
        raise ReportError(f"{short(path)} holds no record of a run: its name is that of another.")
    return record


def keep(record: RunRecord, folder: Path) -> None:
    """Write a record to the history of a data set's reports; the same run writes the same file again.

    The first time, it gets its number. The caller holds the lock of the folder.
    """
    place = checked_name(record.place, "a report", ReportError)  # it may have been read from a file
    with _NUMBERING:
        if not record.sequence:
            record.sequence = 1 + max((number for number, _, _ in _kept(folder)), default=0)
        write_aside(folder / "history" / f"run-{record.sequence:08d}-{place}.json", record.to_json(), closed=True)


def history(folder: Path, say: Say = quiet) -> list[RunRecord]:
    """Return every record of a data set's reports, oldest first; what cannot be read is passed over, and said."""
    found = []
    for kept in _kept(folder):
        try:
            found.append(_read_kept(*kept))
        except ReportError as error:
            say(f"{error} It is passed over.")
    return found


def latest(folder: Path, place: str) -> RunRecord | None:
    """Return the newest record of a report, None where it was never run; what cannot be read is passed over."""
    for kept in reversed([kept for kept in _kept(folder) if kept[1] == place]):
        try:
            return _read_kept(*kept)
        except ReportError:
            continue
    return None


def last_seen(folder: Path, place: str, name: str) -> dict[str, Any]:
    """Return what the newest record of a report that says anything of an input keeps of it; empty where none does."""
    for record in reversed(history(folder)):
        seen = record.inputs.get("seen", {}).get(name) if record.place == place else None
        if seen:
            return dict(seen)
    return {}


def settle(folder: Path, say: Say = quiet) -> None:
    """Tell the truth about runs that were killed: whoever holds the lock knows that nothing is running.

    One that was killed after its folder was put in place has ended as the record in that folder says. A record that cannot be read is
    written anew from the one in that folder, or else set aside; both are said.
    """
    for number, place, path in _kept(folder):
        try:
            record = _read_kept(number, place, path)
        except ReportError as error:
            say(f"{error} {_mended(number, place, path)}")
            continue
        if record.status == "running":
            ended = _ended(place, folder, number, record.started)
            if ended is None:
                record.status, record.reason = "cancelled", "The run was killed before it could end."
            write_aside(path, (ended or record).to_json(), closed=True)


def _mended(number: int, place: str, path: Path) -> str:
    """Set a record that cannot be read aside, write it anew where that is possible, and say so."""
    again = _ended(place, path.parent.parent, number) if number else None
    aside = path.with_name(f"{path.name}.damaged")
    try:
        path.rename(aside)
        if again is not None:
            write_aside(path, again.to_json(), closed=True)
    except OSError as error:
        return f"It is passed over, and could not be set aside: {error.strerror or error}."
    rest = f"was written anew from run.json of {place}" if again else "is passed over"
    return f"It {rest}; what was there is now {aside.name}."


def _ended(place: str, folder: Path, number: int, started: str | None = None) -> RunRecord | None:
    """The record of the same run in the report's folder, or in that of failed ones, where it got as far."""
    for within in (folder / place, folder / "failed" / place):
        try:
            found = read_record(within / "run.json")
        except ReportError:
            continue
        if (found.place, found.sequence) == (place, number) and started in (None, found.started):
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

"""Small files that one run keeps and another reads: believed only where they are what was written.

Disks fail, people edit, and a folder may stand where a file was. Each such file is read by type; one that cannot be believed is a
:class:`~crmlab.errors.ReportError` that names the file and the fault, and whoever reads it goes on without it and says so. Digests
guard against damage and single edits, not against somebody who writes files and digests anew.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NoReturn, NotRequired

from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from crmlab.data.toml import holds
from crmlab.errors import ReportError

__all__ = [
    "Metric",
    "Say",
    "Summary",
    "file_fault",
    "make_way",
    "once",
    "parsed",
    "quiet",
    "read_metrics",
    "read_notebook",
    "read_summary",
    "short",
    "typed",
]

Say = Callable[[str], None]


def _is_day(text: str) -> bool:
    dt.date.fromisoformat(text)
    return True


_Day = Annotated[str, holds(_is_day)]


class _Finding(TypedDict):
    value: str
    text: str
    interval: str
    metric: NotRequired[str]


class Metric(TypedDict):
    """One of ``metrics.json``: what two runs are compared on."""

    value: float | None
    low: float | None
    high: float | None
    level: float | None
    unit: str


class Summary(TypedDict):
    """What ``result.json`` holds: what the index and the page's head say of a report."""

    title: str
    dataset: str
    dataset_title: str
    context: str
    first_day: _Day | None  # None, both: a data set without days
    as_of: _Day | None
    customers: int | None  # None: the page is of one
    params: dict[str, Any]
    findings: list[_Finding]
    warnings: list[str]
    outputs: list[str]
    annotated: NotRequired[list[str]]
    lead: NotRequired[dict[str, list[str]]]  # tables that the index shows, as HTML, by heading
    opens: NotRequired[bool]  # whether the first finding opens the index
    counts: NotRequired[dict[str, float]]  # who is counted, in words, and how many that are


class _Cell(TypedDict):
    cell_type: str
    source: str | list[str]
    metadata: NotRequired[dict[str, Any]]


class _Notebook(TypedDict):
    cells: list[_Cell]
    metadata: Annotated[dict[str, Any], Field(default_factory=dict)]


def quiet(_: str) -> None:
    """Tell nobody."""


def once(say: Say) -> Say:
    """Return what says each sentence once, however often it is told.

    Examples
    --------
    >>> say = once(print)
    >>> say("gone"), say("gone")
    gone
    (None, None)
    """
    told: set[str] = set()

    def told_once(text: str) -> None:
        if text not in told:
            told.add(text)
            say(text)

    return told_once


def short(path: Path) -> str:
    """Return how a file is named in a message: with the folder that it is in."""
    return f"{path.parent.name}/{path.name}".removeprefix("/")


def parsed(path: Path) -> tuple[bytes, Any]:
    """Read a JSON file: its bytes, and what it holds.

    Raises
    ------
    ValueError
        It cannot be read, or is no JSON that crmlab would write; the text says why.
    """
    raw = _bytes(path)
    if not raw.strip(b"\0 \t\r\n"):
        raise ValueError("it is empty")
    try:
        return raw, json.loads(raw.decode("utf-8"), parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise ValueError("it is not JSON") from error


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        if path.is_symlink() and not path.exists():
            raise ValueError("it is a link to nothing") from error
        raise ValueError("it is a folder" if path.is_dir() else _lower(error.strerror or type(error).__name__)) from error


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


@cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    # Digests hold every byte; what a later version adds is no fault.
    return TypeAdapter(model)


def typed(model: Any, content: Any) -> Any:
    """Return content as a model has it: every part of its type, ``"5"`` no number and ``NaN`` none either.

    Raises
    ------
    ValueError
        A part is missing or of another type; the text names the first.
    """
    try:
        return _adapter(model).validate_json(json.dumps(content, allow_nan=False), strict=True)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, fault["loc"])) or "it"
        raise ValueError(f"{place}: {_lower(fault['msg'])}") from error


def file_fault(path: Path, digest: str | None) -> str:
    """Say why a file is not the one of this sha256; nothing where it is.

    Parameters
    ----------
    path : Path
    digest : str or None
        None: there is none on record.
    """
    try:
        raw = _bytes(path)
    except ValueError as error:
        return str(error)
    if digest is None:
        return "no record says what it should hold"
    return "" if hashlib.sha256(raw).hexdigest() == digest else "it is not what its run wrote"


def read_summary(folder: Path, digest: str | None = None) -> Summary:
    """Read the ``result.json`` of a report.

    Parameters
    ----------
    folder : Path
        The report's folder.
    digest : str, optional
        Its sha256 as the record of its run has it; not asked of a result that was written just now.

    Raises
    ------
    ReportError
        It is not there, of another form, or not what the run wrote.
    """
    path = folder / "result.json"
    try:
        raw, content = parsed(path)
        if digest is not None and hashlib.sha256(raw).hexdigest() != digest:
            raise ValueError("it is not what its run wrote")
        summary: Summary = typed(Summary, content)
    except ValueError as error:
        raise ReportError(f"{short(path)} holds no result of a report: {error}.") from error
    return summary


def read_metrics(folder: Path) -> dict[str, Metric]:
    """Read the ``metrics.json`` of a report that was made just now.

    Raises
    ------
    ReportError
        It is not there, or of another form.
    """
    path = folder / "metrics.json"
    try:
        metrics: dict[str, Metric] = typed(dict[str, Metric], parsed(path)[1])
    except ValueError as error:
        raise ReportError(f"{short(path)} holds no metrics of a report: {error}.") from error
    return metrics


def read_notebook(path: Path) -> dict[str, Any]:
    """Read the cells and the metadata of a notebook of the project.

    Raises
    ------
    ReportError
        It is not there, or is no notebook.
    """
    try:
        content: dict[str, Any] = parsed(path)[1]
        typed(_Notebook, content)
    except ValueError as error:
        raise ReportError(f"The notebook {short(path)} cannot be read: {error}.") from error
    return content


def make_way(path: Path, say: Say, *, folder: bool = False) -> None:
    """Move aside what stands where a file (or a folder) of ours belongs and is none; nothing is deleted.

    Parameters
    ----------
    path : Path
        Where the file belongs.
    say : callable
        Told what was moved where.
    folder : bool
        A folder belongs there.
    """
    if not os.path.lexists(path) or (path.is_dir() if folder else path.is_file()):
        return
    number = 1
    while os.path.lexists(aside := path.with_name(f"{path.name}.moved-{number}")):
        number += 1
    what = "a link to nothing" if not path.exists() else "a folder" if path.is_dir() else "no folder"
    path.rename(aside)
    say(f"{short(path)} was {what}. It was moved to {aside.name}, and is made again.")

"""What a report was made from, as a key, and whether the one in place is still what would be made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from crmlab.errors import ReportError
from crmlab.report.annotations import Annotations
from crmlab.report.inputs import Inputs, fingerprint_of, with_sections
from crmlab.report.keys import run_key
from crmlab.report.records import RunRecord, read_record
from crmlab.report.registry import analysis, inputs_of, notebook_path
from crmlab.report.state import Say, file_fault, short

if TYPE_CHECKING:
    pass

__all__ = ["has_lists", "key_of", "read_by", "up_to_date"]


def read_by(name: str, inputs: Inputs) -> str | None:
    """The fingerprint of all that a report reads; None where that of the data set cannot be told."""
    read = with_sections(inputs.fingerprint, analysis(name), inputs.descriptor)
    return fingerprint_of(read, [one.fingerprint() for one in inputs_of(name)])


def key_of(record: RunRecord, read: str | None, joined: Annotations | None) -> str | None:
    """The key of a run, from the fingerprint of what it reads and the columns that are joined to its lists."""
    whole = fingerprint_of(read, [joined.digest] if joined else [])
    return run_key(notebook_path(record.report), record.params, record.data, record.engine, whole)


def has_lists(place: Path) -> bool:
    """Whether a report has lists of customers, as far as its last result tells; where it does not, columns may reach it."""
    try:
        return read_record(place).inputs.get("annotated") != []
    except ReportError:
        return True


def up_to_date(record: RunRecord, place: Path, say: Say) -> bool:
    """Whether the report in place was made from the same, and is whole; where it is damaged, that is said."""
    if record.key is None or not os.path.lexists(place):
        return False
    try:
        last = read_record(place)
    except ReportError as error:
        say(f"{error} The report is made again.")
        return False
    if (last.place, last.dataset) != (record.place, record.dataset):
        say(f"{short(place / 'run.json')} is that of {last.place} of {last.dataset}. The report is made again.")
        return False
    if last.key != record.key or last.status != "ok":
        return False
    for name, digest in last.files.items():
        fault = file_fault(place / name, digest)
        if fault:
            say(f"{short(place / name)} cannot be used: {fault}. The report is made again.")
            return False
    return True

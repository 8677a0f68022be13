"""Makes a report again from its ``run.json``, and says what differs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from crmlab.report.batches import Settings
from crmlab.report.changes import differences
from crmlab.report.jobs import Order
from crmlab.report.records import RunRecord, read_record
from crmlab.report.runner import run_reports

__all__ = ["Rerun", "rerun"]


@dataclass(frozen=True)
class Rerun:
    """What making a report again came to.

    Attributes
    ----------
    record : RunRecord
        Of the new run.
    same, changed, missing, added : tuple of str
        Files with the same bytes, with others, that are not made any more, that are new.
    reasons : tuple of str
        What differs in what the report was made from.
    """

    record: RunRecord
    same: tuple[str, ...]
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    added: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def identical(self) -> bool:
        """Whether every file has the same bytes."""
        return self.record.ok and not (self.changed or self.missing or self.added)


def rerun(path: Path, settings: Settings) -> Rerun:
    """Make the report of a record again.

    Parameters
    ----------
    path : Path
        A ``run.json``, or the folder of a report.
    settings : Settings
        ``out`` is where the new report lands; the engine is that of the record.

    Returns
    -------
    Rerun

    Raises
    ------
    ReportError
        There is no record.
    CrmlabError
        The data set or a parameter is not there any more.
    """
    old = read_record(path)
    order = Order(old.data, (old.report,), dict(old.params))
    new = run_reports([order], replace(settings, engine=old.engine, force=True))[0]
    both = {*old.files, *new.files}
    return Rerun(
        new,
        tuple(sorted(name for name in both if old.files.get(name) == new.files.get(name))),
        tuple(sorted(n for n in both if n in old.files and n in new.files and old.files[n] != new.files[n])),
        tuple(sorted(name for name in old.files if name not in new.files)),
        tuple(sorted(name for name in new.files if name not in old.files)),
        tuple(differences(old, new)),
    )

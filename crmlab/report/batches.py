"""What is run together: how, the kernels of one call, and the reports of one data set with what they share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlab.data import cache
from crmlab.data.descriptor import Descriptor
from crmlab.errors import ReportError
from crmlab.page import params as parameters
from crmlab.report.annotations import Annotations, Source, gather
from crmlab.report.freshness import key_of, read_by, up_to_date
from crmlab.report.inputs import Inputs
from crmlab.report.jobs import Job, Order
from crmlab.report.records import RunRecord, read_record
from crmlab.report.registry import annotating, label
from crmlab.report.state import Say

if TYPE_CHECKING:
    from crmlab.page.declarations import Annotation
    from crmlab.report.execution import Execution
    from crmlab.report.kernels import Kernels


__all__ = ["Batch", "Crew", "Settings"]


def _nothing(*_: Any) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Settings:
    """How reports are run.

    Parameters
    ----------
    out : Path
        Folder of reports.
    engine : None, "duckdb" or "spark"
    jobs : int
        How many notebooks run at a time.
    force : bool
        Run even what is up to date.
    cell_deadline, run_deadline : float, optional
        Seconds that one cell, or one notebook, may take.
    on_start : callable
        Told the name of a report's folder when it begins; called from several threads, as is ``on_end``.
    on_end : callable
        Told the record of a report when it ended.
    on_wait : callable
        Told the folder, when another run is at work in it.
    on_notice : callable
        Told, once per run, each sentence on a kept file that could not be believed, and what happens now.
    """

    out: Path = Path("reports")
    engine: str | None = None
    jobs: int = 2
    force: bool = False
    cell_deadline: float | None = None
    run_deadline: float | None = None
    on_start: Callable[[str], None] = _nothing
    on_end: Callable[[RunRecord], None] = _nothing
    on_wait: Callable[[Path], None] = _nothing
    on_notice: Callable[[str], None] = _nothing


class Crew:
    """The kernels of one call; nothing is imported or started before the first notebook wants one."""

    def __init__(self) -> None:
        self.reports: set[str] = set()
        self.stopped = threading.Event()
        self._lock = threading.Lock()
        self._kernels: Kernels | None = None

    def kernels(self) -> Kernels:
        """What starts kernels; made, and warmed up, on first use."""
        with self._lock:
            if self._kernels is None:
                from crmlab.report.kernels import Kernels

                self._kernels = Kernels(sorted(self.reports))
                if self.stopped.is_set():
                    self._kernels.stop()
                else:
                    self._kernels.warm_up()
            return self._kernels

    def stop(self) -> None:
        """End every kernel, and those that are being born, at once."""
        self.stopped.set()
        if self._kernels is not None:
            self._kernels.stop()

    def __enter__(self) -> Crew:
        cache.sweep()  # what a killed run left, also where this one has nothing to make
        return self

    def __exit__(self, *_: object) -> None:
        if self._kernels is not None:
            self._kernels.__exit__()


@dataclass
class Batch:
    """The jobs of one data set, and what they share."""

    order: Order
    inputs: Inputs
    jobs: list[Job]
    folder: Path
    settings: Settings
    crew: Crew
    say: Say
    shared: Path  # a folder for what several reports work out alike
    running: set[Execution] = field(default_factory=set)
    records: dict[str, RunRecord] = field(default_factory=dict)  # of reports that have ended, by the name of their folder
    _joined: dict[tuple[str, ...], Annotations] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def descriptor(self) -> Descriptor:
        """The data set."""
        return self.inputs.descriptor

    @property
    def aside(self) -> Path:
        """Where columns for lists are kept during the run."""
        return self.folder / ".aside-annotations"

    def verdict(self) -> dict[str, str]:
        """What kernels are told of the tables: hashed before the first of them, and then only if the system says that they changed."""
        with self._lock:
            return self.inputs.verdict()

    def annotations(self, job: Job) -> Annotations | None:
        """The columns that the lists of a job get; None where no report annotates them."""
        declared = annotating()
        if job.name in declared or not declared:
            return None
        both = [key for key in self.order.each if hasattr(job.params, key)]

        def fits(other: Job) -> bool:
            return all(getattr(other.params, key, getattr(job.params, key)) == getattr(job.params, key) for key in both)

        found = {name: [other for other in self.jobs if other.name == name and fits(other)] for name in declared}
        with self._lock:
            kept = {name: None if some else self._kept(name, job) for name, some in found.items()}
            places = (
                *(other.place for some in found.values() for other in some),
                *(name for name, place in kept.items() if place),
            )
            if places not in self._joined:
                sources = [self._source(name, one, found[name], kept[name]) for name, one in declared.items()]
                self._joined[places] = gather(sources, self.aside / f"{len(self._joined)}.json")
            return self._joined[places]

    def _kept(self, name: str, job: Job) -> Path | None:
        """The last good result of a report that was not asked for, where it is of the same day and would be made the same again."""
        try:
            last = read_record(self.folder / name)
        except ReportError:
            return None
        if last.params.get("as_of") != parameters.plain(job.params).get("as_of"):
            return None
        again = RunRecord(
            report=name,
            dataset=self.descriptor.name,
            status="running",
            params=last.params,
            data=self.order.data,
            engine=self.settings.engine,
        )
        again.key = key_of(again, read_by(name, self.inputs), None)
        return self.folder / name if up_to_date(again, self.folder / name, lambda _: None) else None

    def _source(self, name: str, declared: Annotation, jobs: Sequence[Job], kept: Path | None) -> Source:
        if not jobs:
            return Source(label(name), declared, kept, "was not asked for")
        if len(jobs) > 1:
            return Source(label(name), declared, None, "was made with several settings")
        record = self.records[jobs[0].place]
        why = {"skipped": "was passed over", "cancelled": "was stopped"}.get(record.status, "failed")
        return Source(label(name), declared, self.folder / record.place if record.ok else None, why)

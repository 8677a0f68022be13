"""Runs reports: notebooks through papermill, several at a time, each written aside and put in place whole."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlab.data import cache
from crmlab.data.catalog import load
from crmlab.data.descriptor import Descriptor
from crmlab.data.private import close_to_others
from crmlab.data.project import home
from crmlab.data.redaction import Redaction
from crmlab.data.room import check_memory
from crmlab.data.scratch import scratch_folder
from crmlab.data.sealed import file_sha256
from crmlab.errors import CrmlabError, DataError, ReportError, SourceError, listing
from crmlab.history.sharing import SHARED
from crmlab.page import params as parameters
from crmlab.report.annotations import ANNOTATIONS, Annotations, Source, gather
from crmlab.report.inputs import Inputs, fingerprint_of, inspect, secrets_of, with_sections
from crmlab.report.jobs import Job, Order, plan_jobs
from crmlab.report.keys import run_key
from crmlab.report.notebook import TARGET
from crmlab.report.records import RunRecord, git_state, keep, last_seen, latest, read_record, settle, versions
from crmlab.report.registry import analysis, annotating, inputs_of, label, names_customers, notebook_path, report_names
from crmlab.report.site import places, write_index
from crmlab.report.state import Say, file_fault, make_way, once, read_metrics, read_summary, short
from crmlab.report.stops import heard
from crmlab.report.swap import put_in_place, sweep

if TYPE_CHECKING:
    from crmlab.page.declarations import Annotation
    from crmlab.report.execution import Execution
    from crmlab.report.kernels import Kernels

__all__ = ["Batch", "Crew", "Settings", "run_reports"]


# Errors that say that the data do not allow a report. One that nobody asked for by name is then passed over.
TOO_LITTLE = ("TooLittleError", "NotIdentifiableError", "InfiniteMeanError")
_STOP_HEARD_WITHIN = 0.5  # seconds, also where Python dropped its KeyboardInterrupt


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
        again.key = _key(again, _read(name, self), None)
        return self.folder / name if _up_to_date(again, self.folder / name, lambda _: None) else None

    def _source(self, name: str, declared: Annotation, jobs: Sequence[Job], kept: Path | None) -> Source:
        if not jobs:
            return Source(label(name), declared, kept, "was not asked for")
        if len(jobs) > 1:
            return Source(label(name), declared, None, "was made with several settings")
        record = self.records[jobs[0].place]
        why = {"skipped": "was passed over", "cancelled": "was stopped"}.get(record.status, "failed")
        return Source(label(name), declared, self.folder / record.place if record.ok else None, why)


def run_reports(orders: Sequence[Order], settings: Settings = Settings()) -> list[RunRecord]:
    """Make reports.

    Each lands in ``<out>/<data set>/<report>/``, all at once or not at all: where a run fails, the last good report stays, and
    the failed notebook is kept under ``failed/``. What is up to date is not run. Another call at work in the same folder is
    waited for.

    Parameters
    ----------
    orders : sequence of Order
        What is asked for.
    settings : Settings

    Returns
    -------
    list of RunRecord
        One per report, in the order of the jobs; last those that were not asked for and annotate the lists of the others. After
        Ctrl-C, or a polite kill, the rest is "cancelled", no kernel is left, and the records are whole.

    Raises
    ------
    CrmlabError
        A data set, a name or a parameter is wrong, or there is far too little memory; then no report was begun.
    """
    check_memory()
    with heard() as asked, scratch_folder() as shared:
        return _run_reports(orders, settings, asked, shared)


def _run_reports(orders: Sequence[Order], settings: Settings, asked: threading.Event, shared: Path) -> list[RunRecord]:
    crew, say = Crew(), once(settings.on_notice)
    batches = []
    seen: dict[str, Inputs] = {}  # one run reads one version of each data set
    for order in orders:
        try:
            inputs = seen[order.data] = seen.get(order.data) or inspect(order.data)
        except (SourceError, DataError) as error:
            _unreadable(order, settings, error, say)
            raise
        jobs = plan_jobs(order, inputs.holds)
        crew.reports |= {job.name for job in jobs if not job.skipped}
        # Of all reports: every kernel has the whole environment.
        inputs = replace(
            inputs, secrets=secrets_of(inputs.descriptor, (one for name in report_names() for one in inputs_of(name)))
        )
        place = shared / str(list(seen).index(order.data))
        place.mkdir(exist_ok=True)
        batches.append(Batch(order, inputs, jobs, settings.out / inputs.descriptor.name, settings, crew, say, place))
    with _locked({batch.folder for batch in batches}, settings, say), crew:
        try:
            records = _run_all(batches, settings, crew, asked)
        finally:
            for batch in batches:
                shutil.rmtree(batch.aside, ignore_errors=True)
        for batch in {batch.folder: batch for batch in batches}.values():
            _write_index(batch)
    return records


@contextlib.contextmanager
def _locked(folders: set[Path], settings: Settings, say: Say) -> Iterator[None]:
    """Hold the locks of folders of reports, always in the same order; then clear what a killed run left there."""
    from filelock import FileLock, Timeout

    with contextlib.ExitStack() as held:
        for folder in sorted(folders):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                make_way(folder / ".lock", say)
                lock = FileLock(str(folder / ".lock"))
                try:
                    held.enter_context(lock.acquire(timeout=0))
                except Timeout:
                    settings.on_wait(folder)
                    held.enter_context(lock.acquire())
                for name in ("history", "failed"):
                    make_way(folder / name, say, folder=True)
                sweep(folder)
                settle(folder, say)
            except OSError as error:
                raise ReportError.cannot_write(folder, error.strerror or error) from error
        yield


def _run_all(batches: Sequence[Batch], settings: Settings, crew: Crew, asked: threading.Event) -> list[RunRecord]:
    first = annotating()
    done: dict[int, Future[RunRecord]] = {}
    work = [(job, batch) for batch in batches for job in batch.jobs]
    with _imports_end_with(crew.stopped), ThreadPoolExecutor(max_workers=max(1, settings.jobs)) as pool:
        for annotates in (True, False):
            mine = {k: pool.submit(_one, *one) for k, one in enumerate(work) if (one[0].name in first) == annotates}
            while not all(future.done() for future in mine.values()):
                try:
                    wait(mine.values(), timeout=_STOP_HEARD_WITHIN)
                    if asked.is_set() and not crew.stopped.is_set():
                        raise KeyboardInterrupt
                except KeyboardInterrupt:
                    # Threads cannot be interrupted: their kernels are killed, and each thread then records what happened.
                    crew.stopped.set()
                    for batch in batches:
                        for execution in list(batch.running):
                            execution.cancel()
                    crew.stop()
            done |= mine
    return [done[k].result() for k in range(len(work))]


class _Watch:
    """Asked at every import before the real finders: once a run is stopped, its threads import nothing more."""

    def __init__(self, stopped: threading.Event) -> None:
        self._stopped = stopped

    def find_spec(self, *_: object) -> None:
        if self._stopped.is_set() and threading.current_thread() is not threading.main_thread():
            raise KeyboardInterrupt


@contextlib.contextmanager
def _imports_end_with(stopped: threading.Event) -> Iterator[None]:
    """Let threads that import, which nothing else can interrupt, end when a run is stopped: imports take seconds."""
    watch = _Watch(stopped)
    sys.meta_path.insert(0, watch)
    try:
        yield
    finally:
        sys.meta_path.remove(watch)


def _write_index(batch: Batch) -> None:
    try:
        # A stop does not wait for the imports that the list of what was never run needs: the next run lists it again.
        holds, stopped = batch.inputs.holds, batch.crew.stopped.is_set()
        write_index(batch.folder, batch.descriptor, holds, batch.say, absent=not stopped)
    except OSError as error:
        raise ReportError.cannot_write(batch.folder, error.strerror or error) from error


def _one(job: Job, batch: Batch) -> RunRecord:
    """Make one report, or say why not. Never raises for what happens inside."""
    record = batch.records[job.place] = _recorded(job, batch)
    batch.settings.on_end(record)
    return record


def _recorded(job: Job, batch: Batch) -> RunRecord:
    batch.settings.on_start(job.place)
    clock = time.monotonic()
    record = RunRecord(
        report=job.name,
        dataset=batch.descriptor.name,
        status="skipped" if job.skipped else "running",
        variant=job.variant,
        reason=job.skipped,
        params=parameters.plain(job.params),
        data=batch.order.data,
        engine=batch.settings.engine,
        inputs={"fingerprint": batch.inputs.fingerprint, "rows": batch.inputs.rows},
        versions=versions(),
        git=git_state(),
        started=_now(),
    )
    try:
        if batch.crew.stopped.is_set() and not job.skipped:
            record.status, record.reason = "cancelled", "It was stopped before it began."
        elif not job.skipped:
            read = _read(job.name, batch)
            _witness(record, batch.folder)
            joined = batch.annotations(job)
            record.key = _key(record, read, joined if _has_lists(batch.folder / job.place) else None)
            if not batch.settings.force and _up_to_date(record, batch.folder / job.place, batch.say):
                record.status = "up_to_date"
                _no_longer_stale(record, batch.folder)
                return record
            if not batch.settings.force and _still_too_little(record, job, batch):
                return record
            keep(record, batch.folder)
            _make(job, batch, record, clock, read, joined)
    except CrmlabError as error:
        _failed(record, error, batch.inputs.redact(str(error)))
    except OSError as error:
        _failed(record, error, f"The report could not be written: {error.strerror or error}.")
    except KeyboardInterrupt:
        record.status, record.reason = "cancelled", "It was stopped before it began."
    except Exception as error:
        # A fault of crmlab itself must not take the other reports with it, nor leave a record that says "running".
        _failed(record, error, batch.inputs.redact(f"crmlab itself failed: {type(error).__name__}: {error}"))
    record.seconds, record.finished = round(time.monotonic() - clock, 3), _now()
    try:
        keep(record, batch.folder)
    except OSError as error:
        _failed(record, error, f"{record.reason} The record could not be written: {error.strerror or error}.".strip())
    return record


def _read(name: str, batch: Batch) -> str | None:
    """The fingerprint of all that a report reads; None where that of the data set cannot be told."""
    read = with_sections(batch.inputs.fingerprint, analysis(name), batch.descriptor)
    return fingerprint_of(read, [one.fingerprint() for one in inputs_of(name)])


def _witness(record: RunRecord, folder: Path) -> None:
    """Put on record what is seen of inputs beside the data set, and what was lost or changed since an earlier run saw them."""
    for one in inputs_of(record.report):
        seen, notes = one.witness(last_seen(folder, record.place, one.name))
        if seen:
            record.inputs = record.inputs | {"seen": record.inputs.get("seen", {}) | {one.name: seen}}
        record.notes += notes


def _key(record: RunRecord, read: str | None, joined: Annotations | None) -> str | None:
    """The key of a run, from the fingerprint of what it reads and the columns that are joined to its lists."""
    whole = fingerprint_of(read, [joined.digest] if joined else [])
    return run_key(notebook_path(record.report), record.params, record.data, record.engine, whole)


def _has_lists(place: Path) -> bool:
    """Whether a report has lists of customers, as far as its last result tells; where it does not, columns may reach it."""
    try:
        return read_record(place).inputs.get("annotated") != []
    except ReportError:
        return True


def _still_too_little(record: RunRecord, job: Job, batch: Batch) -> bool:
    """Whether the same was passed over last time, because the data held too little for it."""
    last = latest(batch.folder, job.place)
    if job.asked or last is None or last.status != "skipped" or last.key is None or last.key != record.key:
        return False
    record.status, record.reason = "skipped", last.reason
    return True


def _no_longer_stale(record: RunRecord, folder: Path) -> None:
    """Where the last run failed and the report in place is up to date again, put that on record: the index calls it stale."""
    last = latest(folder, record.place)
    if last is None or last.ok:
        return
    record.finished = _now()
    with contextlib.suppress(OSError):
        keep(record, folder)
        shutil.rmtree(folder / "failed" / record.place, ignore_errors=True)


def _unreadable(order: Order, settings: Settings, error: CrmlabError, say: Say) -> None:
    """Put on record, and on the index, that the data cannot be read any more: reports in place are stale."""
    descriptor = load(order.data)
    folder = settings.out / descriptor.name
    if not folder.is_dir():
        return
    reason = Redaction.of_environment(secrets_of(descriptor)).text(str(error))
    with contextlib.suppress(ReportError, OSError), _locked({folder}, settings, say):
        for place in places(folder):
            try:
                last = read_record(folder / place)
            except ReportError:
                continue  # the index says so
            if not order.reports or last.report in order.reports:
                record = RunRecord(last.report, descriptor.name, "running", last.variant, params=last.params, data=order.data)
                record.started = record.finished = _now()
                _failed(record, error, reason)
                keep(record, folder)
        write_index(folder, descriptor, say=say)


def _failed(record: RunRecord, error: BaseException, reason: str) -> None:
    record.status, record.reason = "failed", reason
    record.error = record.error or {"type": type(error).__name__, "message": reason}


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")


def _up_to_date(record: RunRecord, place: Path, say: Say) -> bool:
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


def _make(job: Job, batch: Batch, record: RunRecord, clock: float, read: str | None, joined: Annotations | None) -> None:
    """Run the notebook into a folder aside, render it, and put the folder in place."""
    settings = batch.settings
    kernels = batch.crew.kernels()  # first: it imports in a process of its own while this one does
    from crmlab.report.execution import Execution, execute
    from crmlab.report.render import render_folder, scrub, written

    aside = Path(tempfile.mkdtemp(prefix=f".aside-{job.place[:80]}-", dir=batch.folder))
    try:
        places = (
            batch.verdict()
            | {TARGET: str(aside.resolve()), SHARED: str(batch.shared)}
            | ({ANNOTATIONS: str(joined.path.resolve())} if joined else {})
        )
        execution = Execution(kernels, places, settings.cell_deadline, settings.run_deadline)
        batch.running.add(execution)
        try:
            if batch.crew.stopped.is_set():
                execution.cancel()
            execute(notebook_path(job.name), {"data": record.data, "engine": record.engine, **record.params}, execution)
        finally:
            batch.running.discard(execution)
        record.status, record.cell_seconds = execution.status, round(execution.cell_seconds, 3)
        if execution.notebook is not None:
            text = written(batch.inputs.hide.notebook(scrub(execution.notebook, str(home()))))
            (aside / "notebook.ipynb").write_text(text, encoding="utf-8")
        if execution.status == "failed" and execution.error_type in TOO_LITTLE and not job.asked:
            # Nobody asked for this one by name: the data do not allow it, which is no failure.
            record.status, record.reason = "skipped", batch.inputs.redact(execution.first_line())
            return
        if execution.status != "ok":
            record.reason = batch.inputs.redact(execution.sentence())
            message = batch.inputs.redact(execution.error or "")
            record.error = {"type": execution.error_type, "message": message, "cell": execution.failing_cell}
        elif not (aside / "result.json").is_file():
            found = listing(sorted(item.name for item in aside.iterdir()))
            raise ReportError(
                f"The notebook of '{job.name}' ran but saved no result. Expected one call of crmlab.run_notebook. "
                f"Found: {found}."
            )
        else:
            render_folder(aside, job.name, batch.descriptor)
            if joined:
                lists = read_summary(aside).get("annotated", [])
                record.inputs, record.key = (
                    record.inputs | {"annotated": lists},
                    _key(record, read, joined if lists else None),
                )
            record.metrics = read_metrics(aside)
            record.files = {
                item.relative_to(aside).as_posix(): file_sha256(item) for item in sorted(aside.rglob("*")) if item.is_file()
            }
        record.seconds, record.finished = round(time.monotonic() - clock, 3), _now()
        (aside / "run.json").write_bytes(record.to_json())
        close_to_others(aside / "run.json")  # parameters and messages may name a customer
        failed = batch.folder / "failed" / job.place
        if record.ok:
            put_in_place(aside, batch.folder / job.place, closed=names_customers(job.name))
        else:
            put_in_place(aside, failed, closed=True)  # what a cell printed may be of customers
        if record.ok:
            shutil.rmtree(failed, ignore_errors=True)
    finally:
        shutil.rmtree(aside, ignore_errors=True)

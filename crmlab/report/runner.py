"""Runs reports: notebooks through papermill, several at a time, each written aside and put in place whole."""

from __future__ import annotations

import contextlib
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from crmlab.data.catalog import load
from crmlab.data.redaction import Redaction
from crmlab.data.room import check_memory
from crmlab.data.scratch import scratch_folder
from crmlab.errors import CrmlabError, DataError, ReportError, SourceError
from crmlab.report import artefacts
from crmlab.report.batches import Batch, Crew, Settings
from crmlab.report.inputs import Inputs, inspect, secrets_of
from crmlab.report.jobs import Order, plan_jobs
from crmlab.report.making import make_one, now, record_failure
from crmlab.report.records import RunRecord, keep, read_record, settle
from crmlab.report.registry import annotating, inputs_of, report_names
from crmlab.report.site import places, write_index
from crmlab.report.state import Say, make_way, once
from crmlab.report.stops import heard
from crmlab.report.swap import sweep

if TYPE_CHECKING:
    pass


__all__ = ["run_reports"]


_USUAL = Settings()
_STOP_HEARD_WITHIN = 0.5  # seconds, also where Python dropped its KeyboardInterrupt


def run_reports(orders: Sequence[Order], settings: Settings = _USUAL) -> list[RunRecord]:
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
        # Who asks for everything to be made anew doubts what is kept.
        place = place if settings.force else artefacts.folder_of(inputs, settings.engine) or place
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
            mine = {k: pool.submit(make_one, *one) for k, one in enumerate(work) if (one[0].name in first) == annotates}
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
                record.started = record.finished = now()
                record_failure(record, error, reason)
                keep(record, folder)
        write_index(folder, descriptor, say=say)

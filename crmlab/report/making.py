"""One report made: its notebook run aside, rendered, and put in place whole, with a record of what happened."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from crmlab.data.private import close_to_others
from crmlab.data.project import home
from crmlab.data.sealed import file_sha256
from crmlab.errors import CrmlabError, ReportError, listing
from crmlab.history.sharing import SHARED
from crmlab.page import params as parameters
from crmlab.report.annotations import ANNOTATIONS, Annotations
from crmlab.report.batches import Batch
from crmlab.report.freshness import has_lists, key_of, read_by, up_to_date
from crmlab.report.jobs import Job
from crmlab.report.notebook import TARGET
from crmlab.report.records import RunRecord, git_state, keep, last_seen, latest, versions
from crmlab.report.registry import inputs_of, names_customers, notebook_path
from crmlab.report.state import read_metrics, read_summary
from crmlab.report.swap import put_in_place

if TYPE_CHECKING:
    pass


__all__ = ["TOO_LITTLE", "make_one", "now", "record_failure"]


# Errors that say that the data do not allow a report. One that nobody asked for by name is then passed over.
TOO_LITTLE = ("TooLittleError", "NotIdentifiableError", "InfiniteMeanError")


def make_one(job: Job, batch: Batch) -> RunRecord:
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
        started=now(),
    )
    try:
        if batch.crew.stopped.is_set() and not job.skipped:
            record.status, record.reason = "cancelled", "It was stopped before it began."
        elif not job.skipped:
            read = read_by(job.name, batch.inputs)
            _witness(record, batch.folder)
            joined = batch.annotations(job) if has_lists(batch.folder / job.place) else None
            record.key = key_of(record, read, joined)
            if not batch.settings.force and up_to_date(record, batch.folder / job.place, batch.say):
                record.status = "up_to_date"
                _no_longer_stale(record, batch.folder)
                return record
            if not batch.settings.force and _still_too_little(record, job, batch):
                return record
            keep(record, batch.folder)
            _make(job, batch, record, clock, read, joined or batch.annotations(job))
    except CrmlabError as error:
        record_failure(record, error, batch.inputs.redact(str(error)))
    except OSError as error:
        record_failure(record, error, f"The report could not be written: {error.strerror or error}.")
    except KeyboardInterrupt:
        record.status, record.reason = "cancelled", "It was stopped before it began."
    except Exception as error:
        # A fault of crmlab itself must not take the other reports with it, nor leave a record that says "running".
        record_failure(record, error, batch.inputs.redact(f"crmlab itself failed: {type(error).__name__}: {error}"))
    record.seconds, record.finished = round(time.monotonic() - clock, 3), now()
    try:
        keep(record, batch.folder)
    except OSError as error:
        record_failure(record, error, f"{record.reason} The record could not be written: {error.strerror or error}.".strip())
    return record


def _witness(record: RunRecord, folder: Path) -> None:
    """Put on record what is seen of inputs beside the data set, and what was lost or changed since an earlier run saw them."""
    for one in inputs_of(record.report):
        seen, notes = one.witness(last_seen(folder, record.place, one.name))
        if seen:
            record.inputs = record.inputs | {"seen": record.inputs.get("seen", {}) | {one.name: seen}}
        record.notes += notes


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
    record.finished = now()
    with contextlib.suppress(OSError):
        keep(record, folder)
        shutil.rmtree(folder / "failed" / record.place, ignore_errors=True)


def record_failure(record: RunRecord, error: BaseException, reason: str) -> None:
    """Put on record that a report failed, and why; the first error stays."""
    record.status, record.reason = "failed", reason
    record.error = record.error or {"type": type(error).__name__, "message": reason}


def now() -> str:
    """The moment, in UTC, as records hold it."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")


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
                    key_of(record, read, joined if lists else None),
                )
            record.metrics = read_metrics(aside)
            record.files = {
                item.relative_to(aside).as_posix(): file_sha256(item) for item in sorted(aside.rglob("*")) if item.is_file()
            }
        record.seconds, record.finished = round(time.monotonic() - clock, 3), now()
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

"""Runs reports: notebooks through papermill, several at a time, each written aside and renamed into place."""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crmlab.data.catalog import Descriptor, load
from crmlab.data.dataset import Dataset, open_dataset
from crmlab.data.project import home
from crmlab.errors import ParameterError, ReportError
from crmlab.report import params as parameters
from crmlab.report.notebook import TARGET
from crmlab.report.records import RunRecord, keep, versions
from crmlab.report.registry import analysis, notebook_path, report_names
from crmlab.report.site import source_line, write_index
from crmlab.report.swap import put_in_place, sweep

# One thread per kernel: two kernels on two cores then do not fight, and sums are added in one order.
KERNEL = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "MPLBACKEND": "agg",
}


@dataclass(frozen=True)
class Job:
    """One report to be made: its name, checked parameters, and why it is skipped, if it is."""

    name: str
    params: Any
    skipped: str = ""


@dataclass(frozen=True)
class Batch:
    """What a call of :func:`run_reports` shares between its jobs."""

    data: str
    engine: str | None
    folder: Path
    descriptor: Descriptor
    inputs: Mapping[str, Any]
    cell_deadline: float | None = None
    run_deadline: float | None = None


def plan_jobs(names: Sequence[str], values: Mapping[str, Any], tables: Sequence[str]) -> list[Job]:
    """Check names and parameters before any kernel starts, and say what the data set does not allow.

    Parameters
    ----------
    names : sequence of str
        Reports; empty for all that the data set allows.
    values : mapping
        Given parameters. With several reports each takes those that it knows; one that none knows is an error.
    tables : sequence of str
        Canonical tables of the data set.

    Returns
    -------
    list of Job

    Raises
    ------
    ReportError
        A name is unknown.
    ParameterError
        A parameter is unknown, of the wrong type or out of range.
    """
    chosen = list(dict.fromkeys(names)) or [name for name in report_names() if _runs_unasked(name)]
    modules = {name: analysis(name) for name in chosen}
    known = {name: {spec.name for spec in parameters.specs(module.Params)} for name, module in modules.items()}
    everyone = set().union(*known.values()) if known else set()
    for key in values:
        if key not in everyone:
            raise ParameterError.unknown(", ".join(chosen), key, everyone)
    jobs = []
    for name, module in modules.items():
        mine = {key: value for key, value in values.items() if key in known[name]}
        missing = [table for table in module.NEEDS if table not in tables]
        reason = f"It needs {' and '.join(missing)}, which this data set does not have." if missing else ""
        jobs.append(Job(name, parameters.build(name, module.Params, mine), reason))
    return jobs


def _runs_unasked(name: str) -> bool:
    return all(spec.default is not parameters.REQUIRED for spec in parameters.specs(analysis(name).Params))


def run_reports(
    data: str,
    names: Sequence[str] = (),
    *,
    out: Path = Path("reports"),
    engine: str | None = None,
    values: Mapping[str, Any] | None = None,
    jobs: int = 2,
    cell_deadline: float | None = None,
    run_deadline: float | None = None,
    on_start: Callable[[str], None] = lambda name: None,
    on_end: Callable[[RunRecord], None] = lambda record: None,
) -> list[RunRecord]:
    """Make the reports of a data set.

    Each report lands in ``<out>/<data set>/<report>/``, all at once or not at all: where a run fails, the last good report
    stays, and the failed notebook is kept under ``failed/``.

    Parameters
    ----------
    data : str
        Name of a data set, or the path of a TOML file.
    names : sequence of str
        Reports; default: all that the data set allows.
    out : Path
        Folder of reports.
    engine : None, "duckdb" or "spark"
    values : mapping
        Parameters, by name; texts are brought to their types.
    jobs : int
        How many notebooks run at a time.
    cell_deadline, run_deadline : float, optional
        Seconds that one cell, or one notebook, may take.
    on_start, on_end : callable
        Told when a report begins and how it ended; called from several threads.

    Returns
    -------
    list of RunRecord
        One per report, in the order of the jobs.

    Raises
    ------
    CrmlabError
        The data set, a name or a parameter is wrong; then no report was begun.
    """
    dataset = open_dataset(data, "spark" if load(data).kind == "spark" else None)
    planned = plan_jobs(names, values or {}, dataset.tables)
    folder = out / dataset.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
    except OSError as error:
        raise ReportError.cannot_write(out, error.strerror) from error
    batch = Batch(data, engine, folder, dataset.descriptor, _inputs(dataset), cell_deadline, run_deadline)
    _disconnect(dataset)

    def one(job: Job) -> RunRecord:
        on_start(job.name)
        record = _run(job, batch)
        on_end(record)
        return record

    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        records = list(pool.map(one, planned))
    write_index(folder, dataset.descriptor)
    return records


def _inputs(dataset: Dataset) -> dict[str, Any]:
    rows = {name: int(dataset.table(name).count().execute()) for name in dataset.tables}
    return {"fingerprint": dataset.fingerprint, "rows": rows}


def _disconnect(dataset: Dataset) -> None:
    if dataset.con.name == "duckdb":
        dataset.con.disconnect()


def _run(job: Job, batch: Batch) -> RunRecord:
    """Make one report, or say why not. Never raises for what happens inside."""
    started, clock = dt.datetime.now(dt.UTC), time.monotonic()
    record = RunRecord(
        report=job.name,
        dataset=batch.descriptor.name,
        status="skipped" if job.skipped else "running",
        reason=job.skipped,
        params=parameters.plain(job.params),
        data=batch.data,
        engine=batch.engine,
        inputs=dict(batch.inputs),
        versions=versions(),
        started=started.isoformat(timespec="milliseconds"),
    )
    if not job.skipped:
        try:
            _make(job, batch, record, clock)
        except OSError as error:
            record.status, record.reason = "failed", f"The report could not be written: {error.strerror or error}."
            record.error = {"type": type(error).__name__, "message": str(error.strerror or error)}
        except ReportError as error:
            record.status, record.reason = "failed", str(error)
            record.error = {"type": type(error).__name__, "message": str(error)}
    record.seconds = round(time.monotonic() - clock, 3)
    try:
        keep(record, batch.folder)
    except OSError as error:
        record.reason = record.reason or f"The record could not be written: {error.strerror}."
        record.status = "failed"
    return record


def _make(job: Job, batch: Batch, record: RunRecord, clock: float) -> None:
    """Run the notebook into a folder aside, render it, and put the folder in place."""
    import nbformat

    from crmlab.report.execution import Execution, execute
    from crmlab.report.render import render_folder, scrub

    path = notebook_path(job.name)
    if not path.is_file():
        raise ReportError.no_notebook(job.name, f"notebooks/{job.name}.ipynb")
    aside = Path(tempfile.mkdtemp(prefix=f".aside-{job.name}-", dir=batch.folder))
    try:
        execution = Execution({**KERNEL, TARGET: str(aside.resolve())}, batch.cell_deadline, batch.run_deadline)
        execute(path, {"data": batch.data, "engine": batch.engine, **record.params}, execution)
        record.status, record.cell_seconds = execution.status, round(execution.cell_seconds, 3)
        if execution.notebook is not None:
            nbformat.write(scrub(execution.notebook, str(home())), aside / "notebook.ipynb")
        if execution.status != "ok":
            record.reason = _sentence(execution.status, execution.error_type, execution.error)
            record.error = {"type": execution.error_type, "message": execution.error, "cell": execution.failing_cell}
        elif not (aside / "result.json").is_file():
            raise ReportError.not_saved(job.name, sorted(item.name for item in aside.iterdir()))
        else:
            render_folder(aside, job.name, source_line(batch.descriptor))
            record.files = {
                item.relative_to(aside).as_posix(): _sha256(item) for item in sorted(aside.rglob("*")) if item.is_file()
            }
        record.seconds = round(time.monotonic() - clock, 3)
        (aside / "run.json").write_bytes(record.to_json())
        place = batch.folder / job.name if record.ok else batch.folder / "failed" / job.name
        put_in_place(aside, place)
        if record.ok:
            shutil.rmtree(batch.folder / "failed" / job.name, ignore_errors=True)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _sentence(status: str, kind: str | None, message: str | None) -> str:
    words = {
        "failed": "A cell failed",
        "timed_out": "It took too long",
        "kernel_died": "Its kernel died",
        "cancelled": "It was stopped",
    }
    first = (message or "").strip().splitlines()[0] if (message or "").strip() else kind or "no message"
    return f"{words[status]}: {first}"


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

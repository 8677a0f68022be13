"""Runs one notebook through papermill in a kernel of its own, and says itself how that ended.

papermill's saved status cannot be trusted: after a deadline, a dead kernel or an interrupt the notebook says that every
cell completed. So the exception that reached us, and whether the last cell ran, are kept here.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

__all__ = ["OUT_OF_MEMORY", "Execution", "execute"]

# jsonschema, which nbformat imports, loads a grammar for internationalised addresses where it finds one: seconds, for a
# check that notebooks do not need. Saying that it is not there is the documented way of jsonschema to go without.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

from papermill.clientwrap import PapermillNotebookClient  # noqa: E402
from papermill.engines import NBClientEngine, papermill_engines  # noqa: E402

from crmlab import errors  # noqa: E402
from crmlab.errors import KernelError  # noqa: E402
from crmlab.report.kernels import ENVIRONMENT, QUIET, Kernels, how_ended  # noqa: E402

if TYPE_CHECKING:
    from nbformat import NotebookNode

ENGINE = "crmlab"
# What Python, NumPy, Arrow and DuckDB raise where memory does not suffice.
OUT_OF_MEMORY = ("MemoryError", "_ArrayMemoryError", "ArrowMemoryError", "OutOfMemoryException")
_ENDS = {
    "failed": "A cell failed",
    "timed_out": "It took too long",
    "kernel_died": "Its kernel died",
    "cancelled": "It was stopped",
}
_NO_DEADLINE = 10**7  # seconds: a kernel is waited for as long as it lives, if no deadline was asked for


@dataclass(eq=False)
class Execution:
    """One notebook being run: what its kernel gets, its deadlines, and how it ended.

    ``status`` is one of ok, failed, timed_out, kernel_died, cancelled.
    """

    kernels: Kernels
    environment: Mapping[str, str]
    cell_deadline: float | None = None  # seconds
    run_deadline: float | None = None
    status: str = "running"
    error: str | None = None
    error_type: str | None = None
    failing_cell: int | None = None
    last_cell: int = -1
    notebook: NotebookNode | None = None
    started: float = field(default_factory=time.monotonic)
    cell_seconds: float = 0.0
    limit: float | None = None  # the deadline that the running cell is held to
    _cancelled: threading.Event = field(default_factory=threading.Event)
    _process: Any = None  # of the kernel, once it was born

    def cancel(self) -> None:
        """Stop: the kernel is killed at once, or as soon as it is born. Safe from any thread."""
        self._cancelled.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()

    def born(self, process: Any) -> None:
        """Note the process of the kernel; it is killed at once where the run was stopped meanwhile."""
        self._process = process
        if self.cancelled:
            self.cancel()
            raise KeyboardInterrupt

    def how_kernel_ended(self, patience: float = 2) -> str:
        """Say how the process of the kernel ended; nothing where it has not, or never was."""
        try:
            status = None if self._process is None else self._process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            status = None
        return "" if status is None else how_ended(status)

    @property
    def cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._cancelled.is_set()

    def seconds_left(self, _cell: Any = None) -> int | None:
        """The deadline of the next cell, in whole seconds: its own, or what is left of the run's."""
        bounds = [] if self.cell_deadline is None else [(self.cell_deadline, self.cell_deadline)]
        if self.run_deadline is not None:
            bounds.append((self.run_deadline - (time.monotonic() - self.started), self.run_deadline))
        if not bounds:
            return None
        left, self.limit = min(bounds)
        return max(1, round(left))

    def sentence(self) -> str:
        """Say why there is no report, where it did not end well."""
        if self.error_type in OUT_OF_MEMORY:
            return "There was not enough memory for it. Let the process have more, or run one report at a time: --jobs 1."
        # What crmlab says on purpose is a whole sentence for the user, a condition of the data say: no cell is to blame.
        told = self.status == "failed" and self.own
        return self.first_line() if told else f"{_ENDS[self.status]}: {self.first_line()}"

    @property
    def own(self) -> bool:
        """Whether the notebook ended with one of crmlab's own errors."""
        kind = getattr(errors, self.error_type or "", None) if self.error_type in errors.__all__ else None
        return isinstance(kind, type) and issubclass(kind, errors.CrmlabError)

    def first_line(self) -> str:
        """The first line of the error's message; its type where there is none."""
        message = (self.error or "").strip()
        return message.splitlines()[0] if message else self.error_type or "no message"

    @property
    def overdue(self) -> bool:
        """Whether the run's deadline passed: between cells, that each keep theirs."""
        return self.run_deadline is not None and time.monotonic() - self.started >= self.run_deadline


class _Client(PapermillNotebookClient):
    """papermill's client, that notes which cell runs and stops when told to."""

    execution: Execution

    def create_kernel_manager(self) -> Any:
        if self.execution.cancelled:
            raise KeyboardInterrupt
        manager = super().create_kernel_manager()
        self.execution.kernels.prepare(manager)
        return manager

    def start_new_kernel(self, **kwargs: Any) -> None:
        # Not its asynchronous form: nbclient made this one of its own, which no override of that reaches.
        super().start_new_kernel(**kwargs)
        assert self.km is not None
        self.execution.born(self.km.provisioner.process)

    def papermill_execute_cells(self) -> None:
        from nbclient.exceptions import CellExecutionError, CellTimeoutError

        for index, cell in enumerate(self.nb.cells):
            if self.execution.cancelled:
                raise KeyboardInterrupt
            self.execution.last_cell = index
            if self.execution.overdue:
                self.execution.limit = self.execution.run_deadline
                raise CellTimeoutError
            begun = time.monotonic()
            try:
                self.nb_man.cell_start(cell, index)
                self.execute_cell(cell, index)
            except CellExecutionError as error:
                self.nb_man.cell_exception(self.nb.cells[index], cell_index=index, exception=error)
                raise
            finally:
                self.execution.cell_seconds += time.monotonic() - begun
                self.nb_man.cell_complete(self.nb.cells[index], cell_index=index)


class _Engine(NBClientEngine):
    """A papermill engine that hands an :class:`Execution` to the client."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **kwargs: Any) -> NotebookNode:
        import logging

        execution: Execution = kwargs["execution"]
        execution.notebook = nb_man.nb
        client = _Client(
            nb_man,
            kernel_name=kernel_name,
            timeout_func=execution.seconds_left,
            startup_timeout=round(execution.run_deadline or _NO_DEADLINE),
            shutdown_kernel="immediate",
            extra_arguments=QUIET,
            log=logging.getLogger("crmlab.notebook"),
        )
        client.execution = execution
        result: NotebookNode = client.execute(env={**os.environ, **ENVIRONMENT, **execution.environment})
        return result


papermill_engines.register(ENGINE, _Engine)

_RESOLVING = threading.Lock()
_resolved = threading.Event()


def _resolve_classes() -> None:
    """Let the names of classes in the settings of kernels and clients become classes, in one thread.

    traitlets does that where the first object of a class is made. Two threads that do it at the same time read what the other has
    already replaced, and the second fails: "import_item accepts strings".
    """
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_client.provisioning.factory import KernelProvisionerFactory
    from jupyter_client.provisioning.local_provisioner import LocalProvisioner
    from nbformat.v4 import new_notebook
    from papermill.engines import NotebookExecutionManager

    with _RESOLVING:
        if not _resolved.is_set():
            manager = AsyncKernelManager()
            manager.client()
            KernelProvisionerFactory.instance(parent=manager)
            LocalProvisioner(parent=manager)
            _Client(NotebookExecutionManager(new_notebook(), progress_bar=False), kernel_name="python3")
            _resolved.set()


def execute(notebook: Path, parameters: Mapping[str, Any], execution: Execution) -> None:
    """Run a notebook; never raises for what happens in it, but says it in ``execution``.

    Parameters
    ----------
    notebook : Path
        The notebook; it is read, not written.
    parameters : mapping
        Values for its parameters cell, checked already.
    execution : Execution
        Gets status, error, failing cell and the executed notebook.
    """
    import nbformat
    import papermill
    from jupyter_core.utils import ensure_event_loop
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    last = -1
    try:
        _resolve_classes()
        # Given as a node, not as a path: papermill formats paths with parameters, so that braces in a name would fail.
        node = nbformat.read(notebook, as_version=4)
        last = len(node.cells) + bool(parameters) - 1
        papermill.execute_notebook(
            node,
            None,
            parameters=dict(parameters),
            engine_name=ENGINE,
            kernel_name="python3",
            progress_bar=False,
            request_save_on_cell_execute=False,
            execution=execution,
        )
    except (CellExecutionError, PapermillExecutionError) as error:
        _fail(execution, "failed", getattr(error, "ename", "") or type(error).__name__, getattr(error, "evalue", str(error)))
    except CellTimeoutError:
        _fail(execution, "timed_out", "CellTimeoutError", f"A deadline of {execution.limit:g} s passed.")
    except DeadKernelError:
        _fail(execution, "kernel_died", "DeadKernelError", f"The kernel ended: {_died(execution)}.")
    except KernelError as error:
        _fail(execution, "kernel_died", "KernelError", str(error))
    except KeyboardInterrupt:
        _fail(execution, "cancelled", "KeyboardInterrupt", "The run was stopped.")
    except RuntimeError as error:
        # So says jupyter_client where a kernel ends, or a deadline passes, before it is ready.
        if execution.last_cell < 0 and (how := execution.how_kernel_ended(0.5)):
            _fail(execution, "kernel_died", "DeadKernelError", f"The kernel ended before it was ready: {how}.")
        elif execution.last_cell < 0 and execution.overdue:
            _fail(execution, "timed_out", "CellTimeoutError", f"A deadline of {execution.run_deadline:g} s passed.")
        else:
            _fail(execution, "failed", type(error).__name__, str(error))
    except Exception as error:
        _fail(execution, "failed", type(error).__name__, str(error))
    else:
        if execution.last_cell == last:
            execution.status = "ok"
        else:
            _fail(execution, "failed", "IncompleteRun", f"Only {execution.last_cell + 1} of {last + 1} cells ran.")
    finally:
        # The client makes an event loop for each thread and leaves it open.
        ensure_event_loop().close()
    if execution.cancelled and execution.status != "ok":
        _fail(execution, "cancelled", "KeyboardInterrupt", "The run was stopped.")


def _died(execution: Execution) -> str:
    how = execution.how_kernel_ended() or "it does not answer"
    return f"{how}; it may have run out of memory" if "SIGKILL" in how else how


def _fail(execution: Execution, status: str, kind: str, message: str) -> None:
    execution.status, execution.error_type, execution.error = status, kind, message
    execution.failing_cell = execution.last_cell

"""How kernels are started: forked from a warm process where that can be, with sockets in a private folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from crmlab.report.zygote import ForkedProcess, Zygote, available

# One thread per kernel: two kernels on two cores then do not fight, and sums are added in one order.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "MPLBACKEND": "agg",
    # Frozen modules make the debugger of kernels complain on each start.
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
QUIET = ["--IPKernelApp.log_level=40", "--HistoryManager.enabled=False"]
_LONGEST_SOCKET = 90  # a socket's path must fit into 107 bytes, and gets a suffix


class Kernels:
    """Starts the kernels of one run; use it in a ``with`` block."""

    def __init__(self, reports: Sequence[str] = ()) -> None:
        self._reports = tuple(reports)  # whose analyses are imported once for all
        self._lock = threading.Lock()
        self._zygote: Zygote | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="crmlab-"))

    def __enter__(self) -> Kernels:
        return self

    def __exit__(self, *_: object) -> None:
        if self._zygote is not None:
            self._zygote.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def warm_up(self) -> None:
        """Start the warm process, so that it imports while the runner goes on."""
        with self._lock:
            if self._zygote is None and available():
                self._zygote = Zygote({**os.environ, **ENVIRONMENT}, self._reports)

    def prepare(self, manager: Any) -> None:
        """Make a kernel manager start its kernel from the warm process, and talk with it through private sockets."""
        manager.kernel_id = manager.kernel_id or str(uuid.uuid4())
        connection = self._folder / f"{manager.kernel_id[:8]}.json"
        manager.connection_file = str(connection)
        if os.name == "posix" and len(str(connection)) < _LONGEST_SOCKET:
            # Sockets in a private folder: no port to race for, nothing that others on this machine can connect to.
            manager.transport = "ipc"
            manager.ip = str(connection.with_suffix(""))
        self.warm_up()
        if self._zygote is not None:
            provisioner = _ForkProvisioner(kernel_id=manager.kernel_id, kernel_spec=manager.kernel_spec, parent=manager)
            provisioner.zygote = self._zygote
            manager.provisioner = provisioner


class _ForkProvisioner(LocalProvisioner):
    """Starts a kernel by asking the warm process for it."""

    zygote: Zygote

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        arguments = cmd[cmd.index("ipykernel_launcher") + 1 :]
        environment = kwargs.get("env") or dict(os.environ)
        process: ForkedProcess = self.zygote.fork(arguments, environment, kwargs.get("cwd") or os.getcwd())  # noqa: PTH109
        self.process: Any = process
        self.pid = process.pid
        self.pgid = None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            self.pgid = os.getpgid(process.pid)
        return self.connection_info

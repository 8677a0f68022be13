"""How kernels are started: forked from a warm process where that can be, with sockets in a private folder.

What every notebook imports is imported once per run, not once per notebook. ``python -m crmlab.report.kernels`` is the warm
process: it reads requests from its standard input, one JSON line each, and forks a kernel for each. When its input closes,
because the runner ended or was killed, it kills its kernels and ends; where it is killed itself, the system kills them.
:class:`WarmProcess` is the runner's end. Linux only; elsewhere kernels are started one by one.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from crmlab.data.scratch import scratch_folder, sweep_scratch
from crmlab.errors import KernelError

__all__ = ["ENVIRONMENT", "QUIET", "ForkedProcess", "Kernels", "WarmProcess", "available", "how_ended", "serve"]


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
_LAST_WORDS = 300  # characters of what a process printed that a message repeats


# What a kernel imports sooner or later. Nothing here may start a thread: threads do not survive a fork.
PRELOADED = (
    "pandas",
    "pyarrow.parquet",
    "ibis.backends.duckdb",
    "scipy.stats",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "IPython.core.completer",
)


class Kernels:
    """Starts the kernels of one run; use it in a ``with`` block."""

    def __init__(self, reports: Sequence[str] = ()) -> None:
        self._reports = tuple(reports)  # whose analyses are imported once for all
        self._lock = threading.Lock()
        self._stopped = False
        self._warm: WarmProcess | None = None
        self._held = contextlib.ExitStack()
        self._folder = self._held.enter_context(scratch_folder())

    def __enter__(self) -> Kernels:
        return self

    def __exit__(self, *_: object) -> None:
        if self._warm is not None:
            self._warm.close()
        self._held.close()
        sweep_scratch()  # kernels are killed, and leave what they had too much for memory

    def warm_up(self) -> None:
        """Start the warm process, so that it imports while the runner goes on."""
        with self._lock:
            if self._warm is None and available() and not self._stopped:
                self._warm = WarmProcess({**os.environ, **ENVIRONMENT}, self._reports, self._folder / "printed.txt")

    def stop(self) -> None:
        """End every kernel, and those that are being born, at once; no other is started. Safe from any thread."""
        with self._lock:
            self._stopped = True
            if self._warm is not None:
                self._warm.stop()

    def prepare(self, manager: Any) -> None:
        """Make a kernel manager start its kernel from the warm process, and talk with it through private sockets.

        Raises
        ------
        KeyboardInterrupt
            The run was stopped.
        """
        manager.kernel_id = manager.kernel_id or str(uuid.uuid4())
        connection = self._folder / f"{manager.kernel_id[:8]}.json"
        manager.connection_file = str(connection)
        if os.name == "posix" and len(str(connection)) < _LONGEST_SOCKET:
            # Sockets in a private folder: no port to race for, nothing that others on this machine can connect to.
            manager.transport = "ipc"
            manager.ip = str(connection.with_suffix(""))
        self.warm_up()
        if self._stopped:
            raise KeyboardInterrupt
        if self._warm is not None:
            provisioner = _ForkProvisioner(kernel_id=manager.kernel_id, kernel_spec=manager.kernel_spec, parent=manager)
            provisioner.warm = self._warm
            manager.provisioner = provisioner


class _ForkProvisioner(LocalProvisioner):
    """Starts a kernel by asking the warm process for it."""

    warm: WarmProcess

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        arguments = cmd[cmd.index("ipykernel_launcher") + 1 :]
        environment = kwargs.get("env") or dict(os.environ)
        process: ForkedProcess = self.warm.fork(arguments, environment, kwargs.get("cwd") or os.getcwd())  # noqa: PTH109
        self.process: Any = process
        self.pid = process.pid
        self.pgid = None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            self.pgid = os.getpgid(process.pid)
        return self.connection_info


def available() -> bool:
    """Whether kernels can be forked on this system."""
    return sys.platform.startswith("linux")


def how_ended(status: int) -> str:
    """Say how a process ended.

    Parameters
    ----------
    status : int
        Exit status, negative for a signal.

    Examples
    --------
    >>> how_ended(-9), how_ended(1)
    ('killed by signal 9 (SIGKILL)', 'exit status 1')
    """
    if status >= 0:
        return f"exit status {status}"
    known = -status in {number.value for number in signal.Signals}
    return f"killed by signal {-status}{f' ({signal.Signals(-status).name})' if known else ''}"


class ForkedProcess:
    """A kernel forked by a :class:`WarmProcess`, with the part of ``Popen`` that kernel managers use."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, warm: WarmProcess) -> None:
        self.pid, self._warm = pid, warm

    @property
    def returncode(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""
        return self._warm.exit_of(self.pid)

    def poll(self) -> int | None:
        """As ``Popen.poll``."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """As ``Popen.wait``."""
        return self._warm.wait_for(self.pid, timeout)

    def send_signal(self, number: int) -> None:
        """As ``Popen.send_signal``."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """As ``Popen.kill``."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """As ``Popen.terminate``."""
        self.send_signal(signal.SIGTERM)


class WarmProcess:
    """The runner's end: starts the warm process, asks it for kernels, hears when they end. Safe from any thread."""

    def __init__(self, environment: Mapping[str, str], reports: Sequence[str], printed: Path) -> None:
        self._printed = printed
        # The first argument is read by nobody: it lets people who list processes find kernels under their usual name.
        command = [sys.executable, "-m", "crmlab.report.kernels", "ipykernel_launcher", *reports]
        with printed.open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=dict(environment),
                start_new_session=True,
            )
        self._changed = threading.Condition()
        self._born: dict[int, int] = {}
        self._pids: set[int] = set()  # of kernels that may be alive
        self._exits: dict[int, int] = {}
        self._asked = 0
        self._closed = False
        self._reader = threading.Thread(target=self._read, name="crmlab-warm", daemon=True)
        self._reader.start()

    def fork(self, arguments: Sequence[str], environment: Mapping[str, str], folder: str) -> ForkedProcess:
        """Ask for a kernel, and wait for it as long as the warm process lives: on a slow machine it imports for minutes.

        Raises
        ------
        KernelError
            The warm process ended; the message says how, and what it printed last.
        """
        with self._changed:
            self._asked += 1
            number = self._asked
            request = {"id": number, "arguments": list(arguments), "environment": dict(environment), "folder": folder}
            try:
                assert self._process.stdin is not None
                self._process.stdin.write(json.dumps(request).encode() + b"\n")
                self._process.stdin.flush()
            except OSError as error:
                raise self._ended() from error
            self._changed.wait_for(lambda: number in self._born or self._closed)
            if number not in self._born:
                raise self._ended()
            return ForkedProcess(self._born.pop(number), self)

    def _ended(self) -> KernelError:
        printed = self._printed.read_text(encoding="utf-8", errors="replace") if self._printed.is_file() else ""
        return KernelError.starter_ended(
            how_ended(self._process.wait()), " ".join(printed[-5 * _LAST_WORDS :].split())[-_LAST_WORDS:]
        )

    def exit_of(self, pid: int) -> int | None:
        """Exit status of a kernel, None while it runs; -9 where the warm process itself is gone."""
        with self._changed:
            return self._exits.get(pid, -signal.SIGKILL if self._closed else None)

    def wait_for(self, pid: int, timeout: float | None = None) -> int:
        """Wait until a kernel ends."""
        with self._changed:
            if not self._changed.wait_for(lambda: pid in self._exits or self._closed, timeout=timeout):
                raise subprocess.TimeoutExpired("kernel", timeout or 0)
        return self.exit_of(pid) or 0

    def stop(self) -> None:
        """End the warm process and every kernel at once; who waits for a kernel is told. Safe from any thread."""
        self._process.kill()  # kernels whose birth is not yet known here end with it
        for pid in list(self._pids):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)

    def close(self) -> None:
        """End the warm process and every kernel that is left."""
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(timeout=5)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            with self._changed:
                if "exit" in message:
                    self._exits[message["exit"]] = message["status"]
                    self._pids.discard(message["exit"])
                else:
                    self._born[message["id"]] = message["pid"]
                    self._pids.add(message["pid"])
                self._changed.notify_all()
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class _Watch:
    """Asked at every import before the real finders; ends the process where the runner is gone."""

    def __init__(self) -> None:
        self._input = select.poll()
        self._input.register(0, 0)  # the end of the other side is reported whatever is asked for

    def find_spec(self, *_: object) -> None:
        if any(event & select.POLLHUP for _, event in self._input.poll(0)):
            os._exit(0)


def serve(reports: Sequence[str] = ()) -> None:
    """Be the warm process: import, with the analyses of some reports, then fork a kernel per request until the input closes."""
    import gc
    from importlib import import_module

    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever a library prints must not be taken for a reply
    # Imports take seconds; a runner that is killed meanwhile must not leave this process behind.
    watch = _Watch()
    sys.meta_path.insert(0, watch)
    for name in PRELOADED:
        import_module(name)
    import crmlab.data.dataset
    import crmlab.report.notebook  # noqa: F401  (as they are needed anyway)
    from crmlab.report import registry

    for name in reports:
        registry.analysis(name)
    sys.meta_path.remove(watch)
    gc.collect()
    gc.freeze()  # objects from before the fork are never collected, so that their memory stays shared
    awake, wake = os.pipe()
    os.set_blocking(wake, False)
    import ctypes  # noqa: F401  (kernels need it before anything else)

    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    children: set[int] = set()
    pending = b""
    while True:
        ready, _, _ = select.select([0, awake], [], [])
        if awake in ready:
            os.read(awake, 4096)
            _reap(children, replies)
        if 0 in ready:
            chunk = os.read(0, 1 << 16)
            if not chunk:
                break
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                _fork(json.loads(line), children, replies, (awake, wake))
    for pid in children:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    os._exit(0)


def _end_with(parent: int) -> None:
    """In a child: let the system kill this process where its parent ends, however that ends."""
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)


def _fork(request: dict[str, Any], children: set[int], replies: Any, pipes: tuple[int, int]) -> None:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.setpgid(pid, pid)
        children.add(pid)
        replies.write(json.dumps({"id": request["id"], "pid": pid}).encode() + b"\n")
        return
    try:
        _end_with(parent)
        replies.close()
        _become_kernel(request, parent, pipes)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(1)


def _become_kernel(request: dict[str, Any], parent: int, pipes: tuple[int, int]) -> None:
    """In the child: take the request's environment, and run a kernel until it is told to end."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for descriptor in pipes:
        os.close(descriptor)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    with contextlib.suppress(PermissionError):
        os.setsid()
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.argv = ["ipykernel_launcher", *request["arguments"]]
    from ipykernel.kernelapp import IPKernelApp

    # The kernel watches its parent, and ends by itself when that is gone.
    IPKernelApp.launch_instance(argv=request["arguments"], parent_handle=parent)
    sys.stdout.flush()
    os._exit(0)


def _reap(children: set[int], replies: Any) -> None:
    for pid in list(children):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            children.discard(pid)
            code = os.waitstatus_to_exitcode(status)
            replies.write(json.dumps({"exit": pid, "status": code}).encode() + b"\n")


if __name__ == "__main__":
    serve(sys.argv[2:])

"""What the proofs of the report layer share: the command in a process of its own, small projects, whole reports, Chromium."""

from __future__ import annotations

import contextlib
import csv
import faulthandler
import hashlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psutil

ROOT = Path(__file__).resolve().parents[2]
# A kernel polls once a second whether its parent is there; the promise is 5 s.
SURVIVAL = 5.0
# Not a promise of speed: a process that takes longer hangs.
PATIENCE = 480
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Named in the environment of a command and of all that it starts.
MARK = "CRMLAB_PROOF"
NO_CHROMIUM = "There is no Chromium on this machine: install one to check pages in a browser."
# Run by a forked command before it begins: kernels are started one by one, as on systems without fork; light, so that
# faults which have nothing to do with how kernels start can be many.
LONE_KERNELS = "import crmlab.report.kernels as kernels\nkernels.available = lambda: False\n"
NO_MOUNT = "This user may not mount a small file system, so a full or read-only disk cannot be tried here."


def chromium() -> str | None:
    """The path of an installed Chromium."""
    return next((path for name in CHROMIUM if (path := shutil.which(name))), None)


def environment(cache: Path, **extra: str) -> dict[str, str]:
    """The environment of a command: that of this process, with a cache of its own and nothing else of crmlab's."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CRMLAB_")}
    kept["PYTHONPATH"] = os.pathsep.join(part for part in (str(ROOT), kept.get("PYTHONPATH", "")) if part)
    if kept.pop("PYTHONDONTWRITEBYTECODE", ""):
        # Dozens of processes would each compile all that they import; this costs more than what they do.
        kept["PYTHONPYCACHEPREFIX"] = str(cache.parent / "bytecode")
    return {**kept, "CRMLAB_HOME": str(ROOT), "CRMLAB_CACHE": str(cache), **extra}


def crmlab(*arguments: str | Path, env: dict[str, str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``crmlab`` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "crmlab.cli", *map(str, arguments)],
        env=env,
        cwd=cwd or ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def made(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    """The same, known to have succeeded."""
    assert done.returncode == 0, f"{done.args}\n{done.stdout}\n{done.stderr}"
    return done


@dataclass
class Runner:
    """``crmlab`` at work in a process of its own; it and all that it starts carry a mark by which they are found."""

    pid: int
    mark: str
    wait: Callable[[], tuple[int, str]]
    ended: tuple[int, str] | None = None

    def others(self) -> list[psutil.Process]:
        """Processes that it started, and theirs, that still live."""
        found = []
        for process in psutil.process_iter():
            try:
                mine = process.pid != self.pid and process.status() != psutil.STATUS_ZOMBIE
                if mine and process.environ().get(MARK) == self.mark:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def kernels(self) -> list[psutil.Process]:
        """Kernels that it started; not the process that forks them."""
        found = []
        for process in self.others():
            with contextlib.suppress(psutil.Error):
                if any("ipykernel" in word for word in process.cmdline()):
                    found.append(process)
        parents = {process.ppid() for process in found if process.is_running()}
        return [process for process in found if process.pid not in parents]

    def signal(self, number: int) -> None:
        """Send it a signal; nothing happens where it has ended already."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def end(self) -> tuple[int, str]:
        """Wait for its end; return its exit status (minus the signal that ended it) and what it said."""
        if self.ended is None:
            self.ended = self.wait()
        return self.ended

    def survivors(self) -> list[str]:
        """What still lives 5 s after its end; that is then ended."""
        limit = time.monotonic() + SURVIVAL
        while (left := self.others()) and time.monotonic() < limit:
            time.sleep(0.1)
        names = []
        for process in left:
            with contextlib.suppress(psutil.Error):
                names.append(" ".join(process.cmdline()))
                process.kill()
        return names


def start(*arguments: str | Path, env: dict[str, str]) -> Runner:
    """Start ``crmlab`` in a fresh process."""
    mark = uuid.uuid4().hex
    process = subprocess.Popen(
        [sys.executable, "-m", "crmlab.cli", *map(str, arguments)],
        env={**env, MARK: mark},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    def wait() -> tuple[int, str]:
        said, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, said

    return Runner(process.pid, mark, wait)


class Nursery:
    """A process that has imported crmlab and forks a ``crmlab`` command when asked: faults by the dozen, without the imports."""

    def __init__(self, cache: Path, scratch: Path) -> None:
        self._said = scratch / "said.txt"
        self._last: Runner | None = None
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore::DeprecationWarning", __file__],
            env=environment(cache),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._line() == "ready"

    def _line(self) -> Any:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        if not ready:
            for child in psutil.Process(self._process.pid).children():
                child.send_signal(signal.SIGABRT)  # it says where each of its threads hangs
        line = self._process.stdout.readline()
        assert ready, f"the command hangs: {self._said.read_text(encoding='utf-8', errors='replace')[-5000:]}"
        assert line, "the nursery has ended"
        return json.loads(line)

    def start(self, *arguments: str | Path, env: dict[str, str], prepare: str = "") -> Runner:
        """Start ``crmlab``; ``prepare`` is code that it runs before. One at a time: wait for its end before the next."""
        if self._last is not None and self._last.ended is None:  # a test failed before its end
            self._last.signal(signal.SIGKILL)
            self._last.end()
        mark = uuid.uuid4().hex
        order = {
            "arguments": list(map(str, arguments)),
            "env": {**env, MARK: mark},
            "prepare": prepare,
            "said": str(self._said),
        }
        self._tell(order)
        pid = self._line()

        def wait() -> tuple[int, str]:
            # Only now its process number may be given to another: until then a signal cannot go astray.
            self._tell("wait")
            status = self._line()
            return status, self._said.read_text(encoding="utf-8", errors="replace")

        self._last = Runner(pid, mark, wait)
        return self._last

    def _tell(self, message: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()


def _nurse() -> None:
    """The nursery's own process: fork, wait, say the exit status."""
    import filelock  # noqa: F401
    import nbconvert  # noqa: F401
    import rich.console  # noqa: F401

    import crmlab.cli
    import crmlab.report.execution
    import crmlab.report.progress
    import crmlab.report.reruns
    from crmlab.report.registry import analysis, report_names

    for name in report_names():
        analysis(name)
    print(json.dumps("ready"), flush=True)
    while line := sys.stdin.readline():
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            said = os.open(order["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            for stream, file in ((0, os.open(os.devnull, os.O_RDONLY)), (1, said), (2, said)):
                os.dup2(file, stream)
            faulthandler.enable()
            os.environ.clear()
            os.environ.update(order["env"])
            sys.argv = ["crmlab", *order["arguments"]]
            exec(order["prepare"], {})
            crmlab.cli.main()
            os._exit(0)
        print(json.dumps(pid), flush=True)
        sys.stdin.readline()
        print(json.dumps(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])), flush=True)


def wait_for(look: Any, what: str, patience: float = 120) -> Any:
    """Look again and again until there is something."""
    limit = time.monotonic() + patience
    while time.monotonic() < limit:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError(f"Waited {patience:g} s in vain for {what}.")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file under a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def record_of(place: Path) -> dict[str, Any]:
    return json.loads((place / "run.json").read_text(encoding="utf-8"))


def history_of(folder: Path) -> list[dict[str, Any]]:
    """Records of a data set's reports, oldest first; every one must be readable."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted((folder / "history").glob("*.json"))]


def assert_whole(place: Path) -> dict[str, Any]:
    """The report in place is a good one, and its files are those that its record names, no more, no fewer."""
    record = record_of(place)
    assert record["status"] == "ok"
    assert record["files"], "the record names no files"
    there = {name: hashlib.sha256(content).hexdigest() for name, content in files_of(place).items() if name != "run.json"}
    # A PDF is made on request, beside a finished report.
    there.pop("report.pdf", None)
    assert there == record["files"]
    page = (place / "report.html").read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    return record


def assert_settled(folder: Path) -> None:
    """Nothing of a killed run is left, no record says that one is at work, and the reports in place are those of the records."""
    assert not list(folder.rglob(".aside-*")) + list(folder.rglob(".old-*"))
    records = history_of(folder)
    assert "running" not in {record["status"] for record in records}
    for place in reports_in(folder):
        mine = assert_whole(place)
        twin = [record for record in records if (record["started"], record["report"]) == (mine["started"], mine["report"])]
        assert [record["status"] for record in twin] == ["ok"], (
            f"the history of {place.name} is not that of the report in place"
        )
        assert twin[0]["files"] == mine["files"]


def reports_in(folder: Path) -> list[Path]:
    """Folders of the reports in place."""
    return sorted(path.parent for path in folder.glob("*/report.html"))


def cells(path: Path) -> Iterator[str]:
    """Every cell of a CSV file, headings too."""
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.reader(stream):
            yield from row


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


# --- pages ----------------------------------------------------------------------------------------------------------------


@dataclass
class Seen:
    """What a browser noticed while it showed a page: requests for anything but the page itself, and what it complained of."""

    requests: list[str]
    complaints: list[str]


@contextlib.contextmanager
def shown(browser: Any, page: Path, **options: Any) -> Iterator[tuple[Any, Seen]]:
    """Show a page in a context of its own."""
    context = browser.new_context(**options)
    try:
        tab, seen = context.new_page(), Seen([], [])
        address = page.resolve().as_uri()
        # A picture that is inlined is no request.
        tab.on("request", lambda r: None if r.url.startswith((address, "data:")) else seen.requests.append(r.url))
        tab.on("console", lambda m: seen.complaints.append(m.text) if m.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: seen.complaints.append(str(error)))
        tab.goto(address)
        yield tab, seen
    finally:
        context.close()


def pages_of(folder: Path) -> dict[str, Path]:
    """Every page of a data set's reports: the index, and each report by its name."""
    return {"index": folder / "index.html"} | {place.name: place / "report.html" for place in reports_in(folder)}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        if tag == "a":
            self.links.append(given.get("href") or "")
        if given.get("id"):
            self.ids.append(given["id"] or "")


def read_page(page: Path) -> _Reader:
    """Links, ids and tags of a page, as they are written."""
    reader = _Reader()
    reader.feed(page.read_text(encoding="utf-8"))
    return reader


def broken_links(folder: Path) -> list[str]:
    """Links of a folder's pages that do not lead to a file, or a place on a page, within the folder."""
    found = []
    for name, page in pages_of(folder).items():
        for link in read_page(page).links:
            parts = urlsplit(link)
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            inside = target.is_relative_to(folder.resolve())
            if parts.scheme == "mailto":
                continue
            if parts.scheme or parts.netloc or not inside or not target.is_file():
                found.append(f"{name}: {link}")
            elif parts.fragment and unquote(parts.fragment) not in read_page(target).ids:
                found.append(f"{name}: {link} (no such place)")
    return found


# --- small projects -------------------------------------------------------------------------------------------------------


def notebook(cells_: Sequence[tuple[str, str] | tuple[str, str, list[str]]]) -> str:
    """A notebook as JSON, from (kind, source) or (kind, source, tags)."""
    made_ = []
    for i, (kind, source, *tags) in enumerate(cells_):
        cell: dict[str, Any] = {"cell_type": kind, "id": f"cell-{i}", "metadata": {"tags": tags[0]} if tags else {}}
        cell["source"] = source
        if kind == "code":
            cell |= {"outputs": [], "execution_count": None}
        made_.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return json.dumps({"cells": made_, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5})


@dataclass
class Project:
    """A project folder of its own, whose notebooks copy a report that was saved before: quick, so that faults can be many.

    What is under test here is what runs notebooks, not what they compute.
    """

    home: Path
    cache: Path
    saved: Path
    out: Path
    nursery: Nursery

    @property
    def env(self) -> dict[str, str]:
        return environment(self.cache, CRMLAB_HOME=str(self.home))

    @property
    def folder(self) -> Path:
        """Where the reports of its data set land."""
        return self.out / "cdnow_sample"

    @property
    def rfm(self) -> Path:
        return self.folder / "rfm"

    def write(self, *extra: str, name: str = "rfm", before_saving: Sequence[str] = (), text: str = "What was found.") -> None:
        """Write the notebook anew; ``extra`` cells come last."""
        parameters = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"][1]["source"]
        save = (
            "import os, shutil\n"
            f"if os.environ.get('CRMLAB_TARGET'):\n    shutil.copytree({str(self.saved / name)!r}, os.environ['CRMLAB_TARGET'], "
            "dirs_exist_ok=True)"
        )
        code = [*before_saving, save, "import time\ntime.sleep(0.2)", *extra]
        content = [("markdown", f"# A quick {name}"), ("code", "".join(parameters), ["parameters"])]
        content += [("code", source) for source in code] + [("markdown", text)]
        (self.home / "notebooks" / f"{name}.ipynb").write_text(notebook(content), encoding="utf-8")

    def start(self, *arguments: str | Path, out: Path | None = None, prepare: str = "", lone: bool = True) -> Runner:
        """``crmlab run`` at work, forked from the nursery; ``lone``: with kernels started one by one."""
        command = ("run", "--data", "cdnow_sample", "--out", out or self.out, *arguments)
        return self.nursery.start(*command, env=self.env, prepare=(LONE_KERNELS if lone else "") + prepare)

    def run(self, *arguments: str | Path, **options: Any) -> tuple[int, str]:
        """``crmlab run`` to its end: exit status and what it said."""
        return self.start(*arguments, **options).end()


def new_project(folder: Path, cache: Path, saved: Path, nursery: Nursery, names: Sequence[str] = ("rfm",)) -> Project:
    """A project with the data set cdnow_sample and quick notebooks."""
    home = folder / "home"
    (home / "notebooks").mkdir(parents=True)
    (home / "data").mkdir()
    shutil.copy(ROOT / "data" / "cdnow_sample.toml", home / "data")
    project = Project(home, cache, saved, folder / "reports", nursery)
    for name in names:
        project.write(name=name)
    return project


def save_results(folder: Path, cache: Path) -> None:
    """Save the results of both reports on cdnow_sample, as their notebooks would."""
    script = (
        "import sys, pathlib, crmlab\nfrom crmlab.report.registry import analysis\nfrom crmlab.report.saving import save\n"
        "data = crmlab.open_dataset('cdnow_sample')\n"
        "for name in ('rfm', 'data_quality'):\n"
        "    folder = pathlib.Path(sys.argv[1]) / name\n    folder.mkdir(parents=True)\n"
        "    module = analysis(name)\n    save(module.run(data, module.Params()), folder)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        env=environment(cache),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    _nurse()

"""Progress of a run: one line per notebook with elapsed time; plain lines where there is no terminal."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from crmlab.errors import visible
from crmlab.report.records import RunRecord

__all__ = ["Progress"]

_WORDS = {
    "ok": "done",
    "up_to_date": "up to date",
    "skipped": "skipped",
    "failed": "failed",
    "timed_out": "too long",
    "kernel_died": "kernel died",
    "cancelled": "stopped",
}


class Progress:
    """Shows notebooks as they run. Use it in a ``with`` block; its methods may be called from several threads."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(highlight=False)
        self._lock = threading.Lock()
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}
        self._noted: set[str] = set()  # what several reports would say is said once

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            from rich.progress import Progress as Bars
            from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

            self._bars = Bars(
                SpinnerColumn(finished_text=" "),
                TextColumn("{task.description:<18}"),
                TimeElapsedColumn(),
                TextColumn("{task.fields[state]}"),
                console=self._console,
            )
            self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bars is not None:
            self._bars.stop()

    def started(self, name: str) -> None:
        """A notebook begins."""
        with self._lock:
            if self._bars is not None:
                self._tasks[name] = self._bars.add_task(visible(name, line=True), total=1, state="running")

    def waiting(self, folder: Path) -> None:
        """Another run is at work in the folder."""
        with self._lock:
            self._console.print(visible(f"Another crmlab run is at work in {folder}; waiting for it to end."), markup=False)

    def notice(self, text: str) -> None:
        """A kept file could not be believed."""
        with self._lock:
            self._console.print(text, markup=False, soft_wrap=True)

    def ended(self, record: RunRecord) -> None:
        """A notebook ended, well or not."""
        state = _WORDS.get(record.status, record.status)
        reason = visible(f"  {record.reason}", line=True) if record.reason else ""
        with self._lock:
            if self._bars is not None and record.place in self._tasks:
                from rich.markup import escape

                self._bars.update(self._tasks[record.place], completed=1, state=escape(state + reason))
            else:
                print(f"{visible(record.place, line=True):<18} {record.seconds:6.1f} s  {state}{reason}", flush=True)
            for note in record.notes:
                if note not in self._noted:
                    self._noted.add(note)
                    self._console.print(visible(note), markup=False)

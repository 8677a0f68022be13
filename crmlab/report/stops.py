"""Stops that are asked for by a signal: heard once, wherever the signal lands."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

__all__ = ["heard"]


@contextlib.contextmanager
def heard() -> Iterator[threading.Event]:
    """Note Ctrl-C and a polite kill, each as it arrives, and then raise KeyboardInterrupt as always.

    Python drops an exception that is raised while an object is being finalised: a signal that lands there would be lost. What is
    noted is not. Outside of the main thread, where Python hears no signals, nothing is changed and nothing is noted.

    Yields
    ------
    threading.Event
        Set once a stop was asked for.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def hear(*_: object) -> None:
        asked.set()
        raise KeyboardInterrupt

    dropped = sys.unraisablehook

    def drop(what: Any) -> None:
        if what.exc_type is not KeyboardInterrupt:
            dropped(what)

    # A signal that is ignored on purpose, as by nohup, stays so; one with a handler of somebody else's keeps it.
    ours = (signal.default_int_handler, signal.SIG_DFL)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = {number: handler for number, handler in before.items() if handler in ours}
    sys.unraisablehook = drop
    for number in before:
        signal.signal(number, hear)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = dropped

"""What a command is at, in one line with the time that it takes: on a terminal only, gone when the command has answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from crmlab.cli.grids import say
from crmlab.errors import visible

__all__ = ["show_work"]


@contextmanager
def show_work(first: str) -> Iterator[tuple[Callable[[str], None], Callable[[str], None]]]:
    """Show that a command is at work.

    Parameters
    ----------
    first : str
        What is done first, such as "Reading shop".

    Yields
    ------
    at_work, told : callable
        Takes what is done next; takes a sentence that stays, which goes where errors and notes go. Where nobody looks at a terminal
        the first does nothing.
    """
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda _: None, lambda text: say(text, err=True)
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task(visible(first), total=None)
        yield (
            lambda text: bars.update(task, description=visible(text)),
            lambda text: console.print(visible(text), markup=False, soft_wrap=True),
        )

"""What the command line prints: sentences, and tables that are folded to the width of a terminal, on a pipe a line per row.

Commands print through here and nowhere else: titles, names and values come from files of others, and do nothing to a terminal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import click

from crmlab.errors import visible

__all__ = ["say", "show_table"]


_ENDLESS = 10_000  # columns: nobody looks at a pipe


def say(text: object = "", *, err: bool = False) -> None:
    """Print a text.

    Parameters
    ----------
    text : object
    err : bool
        Where errors and notes go, not what was asked for.

    Examples
    --------
    >>> say("Shop \\x1b[31mred")
    Shop \\x1b[31mred
    """
    click.echo(visible(str(text)), err=err)


def show_table(
    rows: Iterable[Sequence[object]], header: Sequence[str] = (), numbers: Collection[int] = (), indent: int = 2
) -> None:
    """Print rows in aligned columns.

    Parameters
    ----------
    rows : iterable of sequence
        Cells are shown as ``str`` writes them.
    header : sequence of str
        Names of the columns; without them nothing stands above the rows.
    numbers : collection of int
        Places of the columns that are set flush right.
    indent : int
        Blanks before each row.

    Examples
    --------
    >>> show_table([("rfm", 1_200), ("churn", 7)], ("report", "rows"), numbers={1})
      report  rows
      rfm     1200
      churn      7
    """
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    cells = [[Text(visible(str(cell), line=True)) for cell in row] for row in rows]
    if not cells:
        return
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=bool(header), header_style="")
    for place in range(len(cells[0])):
        name = header[place] if header else ""
        table.add_column(Text(visible(name, line=True)), justify="right" if place in numbers else "left", overflow="fold")
    for row in cells:
        table.add_row(*row)
    terminal = Console(highlight=False)
    console = terminal if terminal.is_terminal else Console(highlight=False, width=_ENDLESS)
    with console.capture() as held:
        console.print(Padding(table, (0, 0, 0, indent), expand=False))
    for line in held.get().splitlines():
        say(line.rstrip())

"""Tables of the command line: a script reads whole rows from a pipe, a person sees everything at 80 columns."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from crmlab.cli.grids import show_table

LONG = "customers who bought first in January, and then again in each of the eleven months that followed"
SCRIPT = f"from crmlab.cli.grids import show_table; show_table([('spring-offer-list-creative', 1200, {LONG!r})] * 2, ('cell', 'n', 'who'), {{1}})"
NARROW = {**os.environ, "COLUMNS": "80"}


def test_a_pipe_gets_a_line_per_row_with_nothing_cut_off():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, env=NARROW)
    row = f"  spring-offer-list-creative  1200  {LONG}"
    assert done.stdout.splitlines() == ["  cell                           n  who", row, row]


def test_a_terminal_of_80_columns_shows_every_word():
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", SCRIPT], stdout=theirs, check=True, env=NARROW)
    os.close(theirs)
    lines = os.read(ours, 10_000).decode().splitlines()
    os.close(ours)
    assert max(map(len, lines)) <= 80
    assert " ".join(" ".join(lines).split()).count("spring-offer-list-creative") == 2
    for word in LONG.split():
        assert sum(line.count(word) for line in lines) >= 2, word


def test_nothing_prints_nothing(capsys):
    show_table([], ("cell", "n"))
    assert capsys.readouterr().out == ""


def test_cells_are_no_markup(capsys):
    show_table([("[bold]spring[/bold]", ":smile:")])
    assert capsys.readouterr().out == "  [bold]spring[/bold]  :smile:\n"

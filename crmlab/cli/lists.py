"""The command ``crmlab reveal``: a list of customers whose ids are hashes, with what is needed to send from it."""

from __future__ import annotations

from pathlib import Path

import click

from crmlab.cli.errors import show_errors
from crmlab.cli.grids import say

__all__ = ["reveal_command"]


@click.command("reveal")
@click.argument("list_file", metavar="LIST", type=click.Path(path_type=Path))
@click.option("--data", help="Data set; default: that of the report or the campaign in whose folder LIST lies.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="File to write, csv or xlsx.  [default: LIST-revealed.csv beside LIST]"
)
@show_errors
def reveal_command(list_file: Path, data: str | None, out: Path | None) -> None:
    """Write a copy of LIST for sending, with the e-mail address (or whatever customer_hash names) behind each ID.

    The addresses are looked up in the source and stored nowhere else. Delete the file once you have used it.
    """
    from crmlab.cli.revealing import reveal

    done = reveal(list_file, data=data, out=out)
    say(f"{done.found:,} customers with '{done.column}', for you only:")
    say(str(done.file))
    if done.missing:
        customers = "1 customer is" if done.missing == 1 else f"{done.missing:,} customers are"
        say(f"{customers} not in the source any more and left out.", err=True)

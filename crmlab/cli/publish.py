"""The command ``crmlab publish``: the customer table to where other systems read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from crmlab.cli.errors import show_errors
from crmlab.cli.grids import say
from crmlab.errors import visible

__all__ = ["publish_command"]


@contextmanager
def _progress() -> Iterator[tuple[Callable[[str], None], Callable[[str], None]]]:
    """What says what is being done, in one line with the time that it takes, on a terminal only; and what says a sentence."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda _: None, lambda text: say(text, err=True)
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False), console=console
    ) as bars:
        task = bars.add_task("Starting", total=None)
        yield (
            lambda text: bars.update(task, description=visible(text)),
            lambda text: console.print(visible(text), markup=False, soft_wrap=True),
        )


@click.command("publish")
@click.option("--to", required=True, metavar="URI", help="FILE.duckdb, a folder for Parquet files, or env:NAME for Postgres.")
@click.option("--data", default="shop", show_default=True, help="Data set: a name, or the path of a TOML file.")
@click.option("--engine", type=click.Choice(["duckdb", "spark"]), help="Where reductions run.")
@click.option("--as-of", help="Last day of history, ISO date; default: the last order's day.")
@show_errors
def publish_command(to: str, data: str, engine: str | None, as_of: str | None) -> None:
    """Publish the customer table, with its data dictionary: readers see one run or the next, never both.

    The address of a Postgres is never given on the command line: name the environment variable that holds it.
    """
    from crmlab.analyses.actions import decisions
    from crmlab.analyses.customers import CUSTOMERS, customer_table, publish
    from crmlab.data.dataset import open_dataset
    from crmlab.errors import ConvergenceError, DataError, ModelError, PublishError
    from crmlab.history.past import History

    if to.startswith(("postgres:", "postgresql:")):
        # Said before anything is read: a mistake should not cost the time of the models.
        raise PublishError.address_given()
    with _progress() as (at_work, told):
        at_work(f"Reading {data}")
        dataset = open_dataset(data, engine)
        at_work("Working out what is known of each customer")
        frame = customer_table(dataset, as_of)
        at_work("Deciding what to do with each")
        try:
            frame = frame.merge(decisions(History(dataset, as_of)), "left", "customer_id", validate="one_to_one")
        except (DataError, ModelError, ConvergenceError) as error:
            told(f"What to do with each customer is not decided, so the columns action and action_reason are empty. {error}")
        at_work(f"Writing {len(frame):,} customers to {to}")
        run = publish({CUSTOMERS: frame}, to, on_wait=told)
    say(f"Published {len(frame):,} customers to {to} (run {run}).")

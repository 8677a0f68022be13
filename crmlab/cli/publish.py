"""The command ``crmlab publish``: the customer table to where other systems read it."""

from __future__ import annotations

import click

from crmlab.cli.errors import show_errors
from crmlab.cli.grids import say
from crmlab.cli.working import show_work

__all__ = ["publish_command"]


@click.command("publish")
@click.option("--to", required=True, metavar="URI", help="FILE.duckdb, a folder for Parquet files, or env:NAME for Postgres.")
@click.option("--data", default="shop", show_default=True, help="Data set: a name, or the path of a TOML file.")
@click.option("--engine", type=click.Choice(["duckdb", "spark"]), help="Engine that does the heavy calculations.")
@click.option("--as-of", help="Last day of history (YYYY-MM-DD); default: the day of the last order.")
@show_errors
def publish_command(to: str, data: str, engine: str | None, as_of: str | None) -> None:
    """Publish the customer table, with its data dictionary: readers see one complete run or the next, never a mixture.

    The address of a Postgres database is never given on the command line: name the environment variable that holds it.
    """
    from crmlab.analyses.actions import decisions
    from crmlab.analyses.customers import CUSTOMERS, customer_table, publish
    from crmlab.data.dataset import open_dataset
    from crmlab.errors import ConvergenceError, DataError, ModelError, PublishError
    from crmlab.history.past import History

    if to.startswith(("postgres:", "postgresql:")):
        # Said before anything is read: a mistake should not cost the time of the models.
        raise PublishError.address_given()
    with show_work(f"Reading {data}") as (at_work, told):
        dataset = open_dataset(data, engine)
        at_work("Working out what is known of each customer")
        frame = customer_table(dataset, as_of)
        at_work("Deciding what to do with each")
        try:
            frame = frame.merge(decisions(History(dataset, as_of)), "left", "customer_id", validate="one_to_one")
        except (DataError, ModelError, ConvergenceError) as error:
            told(f"The columns action and action_reason are empty: nothing is decided. {error}")
        at_work(f"Writing {len(frame):,} customers to {to}")
        run = publish({CUSTOMERS: frame}, to, on_wait=told)
    say(f"Published {len(frame):,} customers to {to} (run {run}).")

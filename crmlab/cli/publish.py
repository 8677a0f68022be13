"""The command ``crmlab publish``: the customer table to where other systems read it."""

from __future__ import annotations

import click

from crmlab.cli.errors import show_errors
from crmlab.cli.grids import say

__all__ = ["publish_command"]


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
    from crmlab.analyses.customers import CUSTOMERS, customer_table, publish
    from crmlab.data.dataset import open_dataset
    from crmlab.errors import PublishError

    if to.startswith(("postgres:", "postgresql:")):
        # Said before anything is read: a mistake should not cost the time of the models.
        raise PublishError.address_given()
    frame = customer_table(open_dataset(data, engine), as_of)
    run = publish({CUSTOMERS: frame}, to)
    say(f"Published {len(frame):,} customers to {to} (run {run}).")

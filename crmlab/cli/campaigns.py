"""The commands ``crmlab campaign plan | launch | results | history``: the only ones that write the campaign memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crmlab.cli.errors import show_errors
from crmlab.cli.grids import say, show_table
from crmlab.page.format import alike

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.data.memory.campaigns import CampaignMemory

__all__ = ["campaign", "history", "launch", "plan", "results"]


_memory = click.option(
    "--memory",
    type=click.Path(path_type=Path),
    help="Folder of the campaign memory.  [default: CRMLAB_CAMPAIGNS, or data/private/campaigns]",
)


@click.group()
def campaign() -> None:
    """Plan coded test cells, launch them, and keep what each one earned.

    Start with: crmlab campaign plan spring.toml
    """


def _opened(memory: Path | None) -> CampaignMemory:
    """The memory; one of the form before links is adopted, or read as it is where it cannot be written."""
    from crmlab.data.memory.campaigns import open_memory
    from crmlab.errors import CampaignError

    opened = open_memory(memory)
    note = opened.old_form()
    if note:
        try:
            note = opened.adopt()
        except CampaignError as error:
            note = f"{note} Now it could not: {error}"
        say(note, err=True)
    return opened


@campaign.command()
@click.argument("file", type=click.Path(path_type=Path))
@_memory
@show_errors
def plan(file: Path, memory: Path | None) -> None:
    """Read the plan in FILE (TOML), give its cells response codes, and keep it."""
    from crmlab.analyses.campaigns import check_all_ids, read_plan
    from crmlab.analyses.customers import conditions

    kept = _opened(memory)
    check_all_ids(kept)
    known = kept.cells()
    mine = read_plan(file).campaign
    others = known[known["campaign_id"] != mine]
    planned = read_plan(file, taken=set(others["response_code"].dropna()))
    for rules in ("criteria", "qualify"):
        conditions(tuple(planned.details.get(rules, ())))  # what cannot be read is said now, not at the launch
    kept.plan(planned.campaign, planned.cells, dict(planned.details))
    say(f"Planned {planned.campaign}:")
    columns = ["cell_id", "control_cell_id", "response_code", "offer", "creative", "channel", "planned_share"]
    _show(planned.cells.sort_values("cell_id"), [name for name in columns if planned.cells[name].notna().any()])
    say(f"Next: crmlab campaign launch {planned.campaign} --data NAME")


@campaign.command()
@click.argument("name", metavar="CAMPAIGN")
@click.option("--data", default="shop", show_default=True, help="Data set that the list is drawn from.")
@click.option("--list", "list_file", type=click.Path(path_type=Path), help="A csv file with customer_id: the list, ready made.")
@click.option(
    "--with", "columns", multiple=True, metavar="COLUMN", help="A further column in the files; may be given several times."
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the files.  [default: data/private/lists/CAMPAIGN]")
@_memory
@show_errors
def launch(
    name: str, data: str, list_file: Path | None, columns: tuple[str, ...], out: Path | None, memory: Path | None
) -> None:
    """Assign the list to the cells of CAMPAIGN for ever, and write one file per channel to send from."""
    from crmlab.analyses.campaigns import launch_campaign
    from crmlab.data.dataset import open_dataset
    from crmlab.data.naming import path_part
    from crmlab.data.project import home

    kept = _opened(memory)
    folder = out or home() / "data" / "private" / "lists" / path_part(name)
    done = launch_campaign(name, open_dataset(data), kept, folder, list_file=list_file, columns=columns)
    when = kept.headers(name, "launched")[0].recorded_at[:10]
    say(f"{name} was launched on {when}; its files are written again:" if done.again else f"Launched {name}:")
    sizes = [(f"{size:,}", cell) for cell, size in done.sizes.items()]
    show_table([*sizes, *((f"{count:,}", f"left out: {reason}") for reason, count in done.left_out.items())], numbers={0})
    for path in done.files:
        say(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))


@campaign.command()
@click.argument("name", metavar="CAMPAIGN")
@click.option("--data", default="shop", show_default=True, help="Data set with the orders and responses.")
@click.option("--as-of", help="Last day of history, ISO date.  [default: that of the last order]")
@click.option("--close", is_flag=True, help="The campaign is over: take no further results.")
@_memory
@show_errors
def results(name: str, data: str, as_of: str | None, close: bool, memory: Path | None) -> None:
    """Measure what each cell of CAMPAIGN earned, and add it to the memory."""
    from crmlab.analyses.campaigns import measure_campaign
    from crmlab.data.dataset import open_dataset
    from crmlab.errors.checks import day

    kept = _opened(memory)
    frame, cells, details = measure_campaign(name, open_dataset(data), kept, day("campaign results", "as_of", as_of))
    before = kept.looks(name)
    kept.record_results(name, frame, cells, details)
    look = kept.looks(name)
    say(f"Look {look} at {name}{' (as before)' if look == before else ''}:")
    columns = ["cell_id", "control_cell_id", "metric", "n", "estimate", "low", "high", "level", "p_adjusted"]
    _show(frame.rename(columns={"cell": "cell_id", "control": "control_cell_id"}), columns)
    if close:
        kept.close(name)
        say(f"{name} is closed.")


@campaign.command()
@click.option("--component", default="offer", show_default=True, help="offer, list, creative or channel.")
@click.option("--value", help="Only cells with this offer (list, …).")
@_memory
@show_errors
def history(component: str, value: str | None, memory: Path | None) -> None:
    """Show the campaigns in the memory, and what past cells earned by one of their components."""
    kept = _opened(memory)
    overview = kept.campaigns()
    past = kept.history(component, value)
    if overview.empty:
        say("The campaign memory is empty. Begin with: crmlab campaign plan FILE.toml")
        return
    _show(overview.assign(last_at=overview["last_at"].str[:10]), list(overview.columns))
    if past.empty:
        what = f"{component} {value!r}" if value else component
        say(f"\nNo results of cells by {what} yet. Measure a campaign with: crmlab campaign results CAMPAIGN --data NAME")
        return
    say("")
    columns = ["value", "campaign_id", "cell_id", "metric", "n", "look", "estimate", "low", "high", "level"]
    _show(past.rename(columns={"value": component}), [component, *columns[1:]])


def _show(frame: pd.DataFrame, columns: list[str]) -> None:
    """Show a frame; an estimate and the ends of its interval have the same digits."""
    shown = [name for name in columns if name in frame.columns]
    ends = ["estimate", "low", "high"]
    if set(ends) <= set(shown) and len(frame):
        known = frame[ends].notna().all(axis=1)
        frame = frame.astype(dict.fromkeys(ends, object))
        frame.loc[known, ends] = [alike(row) for row in frame.loc[known, ends].astype(float).to_numpy()]
    show_table(([_word(value) for value in row] for row in frame[shown].itertuples(index=False)), shown)


def _word(value: Any) -> str:
    import pandas as pd

    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return "–"
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)

"""The commands ``crmlab campaign plan | withdraw | launch | responses | results | history``: all that writes the campaign memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crmlab.cli.errors import show_errors
from crmlab.cli.grids import say, show_table
from crmlab.cli.working import show_work
from crmlab.page.format import alike

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.data.memory.campaigns import CampaignMemory

__all__ = ["campaign", "history", "launch", "plan", "responses", "results", "withdraw"]


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
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--data", help="Data set from which the list will be drawn, and in which the plan's columns are looked up.")
@click.option(
    "--from", "origin", type=click.Choice(["actions"]), help="Instead of FILE: plan what the report on actions says to do."
)
@click.option(
    "--control",
    type=float,
    help="With --from: share of each list to leave alone.  [default: 0.2, or 0.5 where the effect is only assumed]",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="With --from: folder of plans and lists.  [default: data/private/plans]"
)
@_memory
@show_errors
def plan(
    file: Path | None, data: str | None, origin: str | None, control: float | None, out: Path | None, memory: Path | None
) -> None:
    """Read the plan in FILE (TOML), say everything that is wrong with it, give its cells response codes, and record it.

    With --from actions --data NAME, each of today's actions becomes a campaign with one cell and a control; its plan and list are written,
    and the plan is recorded.
    """
    from crmlab.analyses.campaigns import check_all_ids
    from crmlab.errors import ParameterError

    if (file is None) == (origin is None):
        got = "neither" if file is None else "both"
        raise ParameterError(f"campaign plan needs a FILE, or --from actions --data NAME. Got {got}.")
    kept = _opened(memory)
    check_all_ids(kept)
    if file is not None:
        _keep_plan(file, data, kept)
    else:
        _plan_actions(data or "shop", control, out, kept)


def _plan_actions(data: str, control: float | None, out: Path | None, kept: CampaignMemory) -> None:
    """Plan what is to be done today, each action a campaign."""
    from crmlab.analyses import actions
    from crmlab.data.dataset import open_dataset
    from crmlab.data.private import FILE, private_folder
    from crmlab.data.project import home
    from crmlab.history.past import History
    from crmlab.page.sheets import write_csv

    with show_work(f"Reading {data}") as (at_work, _):
        past = History(open_dataset(data, memory=kept))
        at_work("Deciding what to do with each customer")
        found = actions.plans_of(past, control=control, memory=kept)
    if not found:
        say("Nothing pays today, so there is nothing to plan.")
        return
    folder = private_folder(out or home() / "data" / "private" / "plans")
    launched = {header.campaign for header in kept.headers(kind="launched")}
    for one in found:
        if one.campaign in launched:
            say(f"{one.campaign} is launched already, so it is not planned again. Decide anew when later orders are there.")
            continue
        plan_file, list_file = folder / f"{one.campaign}.toml", folder / f"{one.campaign}.csv"
        plan_file.write_text(one.text, encoding="utf-8")
        frame = one.people
        write_csv(frame, list_file)
        list_file.chmod(FILE)
        _keep_plan(plan_file, data, kept, list_file)
        kept.decide(one.campaign, one.decided, one.details)


def _keep_plan(file: Path, data: str | None, kept: CampaignMemory, people: Path | None = None) -> None:
    """Check a plan and keep it."""
    from crmlab.analyses.campaigns import plan_checks, read_plan, unchecked_columns
    from crmlab.data.dataset import open_dataset

    with show_work(f"Reading {file.name if data is None else data}"):
        dataset = None if data is None else open_dataset(data, memory=kept)
        known, checks = kept.cells(), plan_checks(kept, dataset)
        mine = read_plan(file, further=checks).campaign
        others = known[known["campaign_id"] != mine]
        planned = read_plan(file, set(others["response_code"].dropna()), checks)
    details = dict(planned.details) if dataset is None else {**planned.details, "data": dataset.name}
    kept.plan(planned.campaign, planned.cells, details)
    say(f"Planned {planned.campaign}:")
    columns = ["cell_id", "control_cell_id", "response_code", "offer", "creative", "channel", "planned_share"]
    _show(planned.cells.sort_values("cell_id"), [name for name in columns if planned.cells[name].notna().any()])
    if planned.cells["control_cell_id"].isna().all():
        say("No cell has a control: what the campaign causes will not be known.")
    if dataset is None and (named := unchecked_columns(planned.details)):
        say(f"Not looked for yet: {', '.join(named)}. See whether your data set has them with --data NAME.")
    ready = f" --list {people}" if people is not None else ""
    say(f"Next: crmlab campaign launch {planned.campaign} --data {data or 'NAME'}{ready}")


@campaign.command()
@click.argument("name", metavar="CAMPAIGN")
@click.option("--note", default="", help="The reason, to be recorded.")
@_memory
@show_errors
def withdraw(name: str, note: str, memory: Path | None) -> None:
    """Record that the planned CAMPAIGN will not be launched. A launched one cannot be withdrawn."""
    kept = _opened(memory)
    kept.withdraw(name, note)
    when = kept.headers(name, "withdrawn")[0].recorded_at[:10]
    say(f"{name} was withdrawn on {when}. Its name and its response codes are not given again.")


@campaign.command()
@click.argument("name", metavar="CAMPAIGN")
@click.option("--data", help="Data set that the list is drawn from.  [default: that of the plan, else shop]")
@click.option("--list", "list_file", type=click.Path(path_type=Path), help="A csv file with customer_id: a ready-made list.")
@click.option(
    "--with", "columns", multiple=True, metavar="COLUMN", help="An extra column for the files; may be given several times."
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the files.  [default: data/private/lists/CAMPAIGN]")
@click.option("--consent-not-known", is_flag=True, help="Launch even though the data do not say who may be contacted.")
@_memory
@show_errors
def launch(
    name: str,
    data: str | None,
    list_file: Path | None,
    columns: tuple[str, ...],
    out: Path | None,
    consent_not_known: bool,
    memory: Path | None,
) -> None:
    """Assign the list to the cells of CAMPAIGN, permanently, and write one file per channel to send from."""
    from crmlab.analyses.campaigns import campaign_data, launch_campaign
    from crmlab.data.dataset import open_dataset
    from crmlab.data.naming import path_part
    from crmlab.data.project import home

    kept = _opened(memory)
    folder = out or home() / "data" / "private" / "lists" / path_part(name)
    source = data or campaign_data(name, kept) or "shop"
    with show_work(f"Reading {source}") as (at_work, _):
        dataset = open_dataset(source, memory=kept)
        at_work("Drawing the list, and assigning it to the cells")
        done = launch_campaign(
            name, dataset, kept, folder, list_file=list_file, columns=columns, consent_not_known=consent_not_known
        )
    when = kept.headers(name, "launched")[0].recorded_at[:10]
    say(f"{name} was launched on {when}; its files are written again:" if done.again else f"Launched {name}:")
    sizes = [(f"{size:,}", cell) for cell, size in done.sizes.items()]
    show_table([*sizes, *((f"{count:,}", f"left out: {reason}") for reason, count in done.left_out.items())], numbers={0})
    if done.consent_unknown:
        who = "1 person" if done.consent_unknown == 1 else f"{done.consent_unknown:,} people"
        say(f"Of {who} on the list it is not known whether they may be contacted. Check before sending.")
    for path in done.files:
        say(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))


@campaign.command()
@click.argument("name", metavar="CAMPAIGN")
@click.argument("file", type=click.Path(path_type=Path))
@_memory
@show_errors
def responses(name: str, file: Path, memory: Path | None) -> None:
    """Add responses to the launched CAMPAIGN from FILE, a csv file with customer_id and responded_at.

    Use it for what the data set's orders do not show: orders taken elsewhere, clicks, complaints and requests. Further columns: kind (open,
    click, visit, order, complaint or request; default: order), response_code, order_id, and follow_up_at, the day on which someone asked
    to be contacted again (a row with one counts as a request unless kind says otherwise).
    """
    from crmlab.analyses.campaigns import campaign_data, read_responses
    from crmlab.data.catalog import dataset_names, load
    from crmlab.errors import CampaignError, shown

    kept = _opened(memory)
    of = campaign_data(name, kept)
    timezone = load(of).timezone if of in dataset_names() else "UTC"
    found, strangers = read_responses(name, file, kept, timezone)
    if found.empty:
        some = (
            f"None of the customers in {file.name} is in the campaign {shown(name)}."
            if strangers
            else f"{file.name} has no rows."
        )
        raise CampaignError(
            f"{some} Expected responses of people on its list. Nothing was added. Compare customer_id with the list that was sent."
        )
    new = kept.record_responses(name, found, {"file": file.name})
    again = len(found) - new
    before = f"; {again:,} {'was' if again == 1 else 'were'} there already" if again else ""
    say(f"{new:,} response{'' if new == 1 else 's'} to {name} added{before}.")
    if strangers:
        rows = "1 row is of somebody" if strangers == 1 else f"{strangers:,} rows are of people"
        say(f"{rows} who {'is' if strangers == 1 else 'are'} not in the campaign: left out.")
    say(f"Next: crmlab campaign results {name}")


@campaign.command()
@click.argument("name", metavar="CAMPAIGN")
@click.option("--data", help="Data set with the orders.  [default: that of the launch, else shop]")
@click.option("--as-of", help="Last day of history (YYYY-MM-DD).  [default: the day of the last order]")
@click.option("--close", is_flag=True, help="Close the campaign: accept no further results.")
@_memory
@show_errors
def results(name: str, data: str | None, as_of: str | None, close: bool, memory: Path | None) -> None:
    """Say what each cell of CAMPAIGN earned over its control and what is new since the last look, and add it to the memory."""
    from crmlab.analyses.campaigns import campaign_data, measure_campaign, news_of, verdicts_of
    from crmlab.data.dataset import open_dataset
    from crmlab.errors.checks import day

    kept = _opened(memory)
    last = day("campaign results", "as_of", as_of)
    source = data or campaign_data(name, kept) or "shop"
    with show_work(f"Reading {source}") as (at_work, _):
        dataset = open_dataset(source, memory=kept)
        at_work("Comparing each cell with its control")
        look, before = measure_campaign(name, dataset, kept, last), kept.looks(name)
    recorded = kept.recorded_since_look(name)
    kept.record_results(name, look.results, look.cells, {"as_of": look.as_of.isoformat(), "data": dataset.name})
    number = kept.looks(name)
    again = number == before
    say(f"Look {number} at {name}{' (as before)' if again else ''}:")
    for line in (*verdicts_of(look, dataset), *news_of(look, before, again=again, data=dataset, recorded=recorded)):
        say(line)
    if close:
        kept.close(name)
        say(f"{name} is closed.")


@campaign.command()
@click.option("--component", default="offer", show_default=True, help="offer, list, creative or channel.")
@click.option("--value", help="Only cells with this value of the component.")
@_memory
@show_errors
def history(component: str, value: str | None, memory: Path | None) -> None:
    """Show the campaigns in the memory, and what past cells earned, grouped by one component."""
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

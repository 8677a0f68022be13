"""The ``crmlab`` command. Heavy imports happen inside functions, so that ``crmlab --help`` is instant."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from crmlab import __version__
from crmlab.cli.campaigns import campaign
from crmlab.cli.checking import check
from crmlab.cli.errors import show_errors
from crmlab.cli.grids import say, show_table
from crmlab.cli.lists import reveal_command
from crmlab.cli.new import new_command
from crmlab.cli.publish import publish_command
from crmlab.errors import hint_at, shown

if TYPE_CHECKING:
    from crmlab.report.jobs import Order

__all__ = ["F", "describe", "diff", "history", "lab", "list_", "main", "render", "rerun", "run"]


F = TypeVar("F", bound=Callable[..., Any])


def _run_options(function: F) -> F:
    """Add the options that all commands have which run notebooks."""
    options = (
        click.option("--out", default="reports", show_default=True, type=click.Path(path_type=Path), help="Folder of reports."),
        click.option("--engine", type=click.Choice(["duckdb", "spark"]), help="Engine that does the heavy calculations."),
        click.option("--jobs", default=2, show_default=True, type=click.IntRange(1, 64), help="Notebooks to run at once."),
        click.option(
            "--force", is_flag=True, help="Run every report, even those that are up to date, and work everything out anew."
        ),
        click.option("--cell-deadline", type=click.FloatRange(min=1), help="Seconds that one cell may take."),
        click.option("--run-deadline", type=click.FloatRange(min=1), help="Seconds that one notebook may take."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="crmlab")
def main() -> None:
    """Customer analytics from your own order history: reports that managers can act on.

    Start with: crmlab run --data shop
    """


@main.command("list")
@show_errors
def list_() -> None:
    """List the available reports and data sets."""
    from crmlab.data.catalog import dataset_names, load
    from crmlab.report import registry

    say("Reports (crmlab describe NAME)")
    show_table((name, registry.question(name)) for name in registry.report_names())
    say("Data sets (crmlab check NAME)")
    known = [(name, load(name)) for name in dataset_names()]
    show_table((name, descriptor.description or descriptor.title) for name, descriptor in known)


@main.command()
@click.argument("name")
@show_errors
def describe(name: str) -> None:
    """Say what a report answers, what it needs, and its parameters."""
    import inspect

    from crmlab.page.params import REQUIRED, specs
    from crmlab.report import registry

    module = registry.analysis(name)
    question, words = registry.question(name), inspect.getdoc(module) or ""
    say(f"{words}\n" if words.startswith(question) else f"{question}\n\n{words}\n")
    say(f"Needs: {', '.join(module.NEEDS)}")
    say("Parameters (-p name=value):")
    rows = []
    for spec in specs(module.Params):
        default = "required" if spec.default is REQUIRED else f"default {spec.default!r}"
        rows.append((spec.name, f"{spec.type_name}, {default}: {spec.help}"))
    show_table(rows)


@main.command()
@click.argument("names", nargs=-1)
@click.option("--data", help="Data set: a name, or the path of a TOML file.  [default: shop]")
@click.option("--plan", help="A named set of runs: plans/NAME.toml.")
@click.option("-p", "params", multiple=True, metavar="KEY=VALUE", help="A parameter; may be given several times.")
@_run_options
@show_errors
def run(names: tuple[str, ...], data: str | None, plan: str | None, params: tuple[str, ...], **options: Any) -> None:
    """Run reports (all, or those NAMED) and render them as pages. Reports that are up to date are not run
    again.
    """
    from crmlab.report.jobs import Order, load_plan
    from crmlab.report.params import assignments

    if plan and (names or data or params):
        raise click.UsageError("--plan says what to run: leave out names, --data and -p.")
    orders = load_plan(plan) if plan else [Order(data or "shop", names, assignments(params))]
    _run(orders, named=bool(names or plan), **options)


def _run(orders: list[Order], *, named: bool, **options: Any) -> None:
    """Run orders with progress; leaves with 1 where a report that was asked for is missing, with 130 after Ctrl-C."""
    from crmlab.report.batches import Settings
    from crmlab.report.progress import Progress
    from crmlab.report.runner import run_reports

    with Progress() as progress:
        told: dict[str, Any] = {"on_start": progress.started, "on_end": progress.ended, "on_wait": progress.waiting}
        told["on_notice"] = progress.notice
        records = run_reports(orders, Settings(**options, **told))
    for name in dict.fromkeys(record.dataset for record in records if record.ok):
        say(str(options["out"] / name / "index.html"))
    # Asked for by name: everything must be made. Asked for all: what the data do not allow is no failure.
    failed = [record for record in records if not record.ok and (named or record.status != "skipped")]
    if any(record.status == "cancelled" for record in records):
        say("crmlab: stopped.", err=True)
        sys.exit(130)
    if failed or not any(record.ok for record in records):
        say(f"crmlab: {_missing([record.status for record in records])}", err=True)
        sys.exit(1)


def _missing(statuses: Sequence[str]) -> str:
    """Say how many reports are missing: those that failed, and apart from them those that the data do not allow.

    Examples
    --------
    >>> _missing(["failed"]), _missing(["failed", "skipped"]), _missing(["skipped", "ok"])
    ('The report could not be made.', '1 of 2 reports could not be made, and 1 was skipped.', '1 of 2 reports was skipped.')
    """
    asked, skipped = len(statuses), statuses.count("skipped")
    failed = sum(status not in ("ok", "up_to_date", "skipped") for status in statuses)
    were = "was" if skipped == 1 else "were"
    if asked == 1:
        return f"The report {'could not be made' if failed else 'was skipped'}."
    if not failed:
        return f"{skipped} of {asked} reports {were} skipped."
    return f"{failed} of {asked} reports could not be made{f', and {skipped} {were} skipped' if skipped else ''}."


@main.command()
@click.argument("record", type=click.Path(path_type=Path))
@_run_options
@show_errors
def rerun(record: Path, **options: Any) -> None:
    """Repeat the run recorded in a run.json, and say what differs."""
    from crmlab.report.batches import Settings
    from crmlab.report.reruns import rerun as make_again

    options.pop("engine"), options.pop("force")
    made = make_again(record, Settings(**options))
    if not made.record.ok:
        say(f"crmlab: {made.record.reason}", err=True)
        sys.exit(1)
    say(f"All {len(made.same)} files are identical." if made.identical else f"{len(made.same)} files are identical.")
    for words, names in (("differ", made.changed), ("are not made any more", made.missing), ("are new", made.added)):
        if names:
            say(f"{len(names)} files {words}: {', '.join(names)}")
    for reason in made.reasons:
        say(f"  {reason}")
    sys.exit(0 if made.identical else 1)


@main.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="Also show what did not change.")
@show_errors
def diff(first: Path, second: Path, everything: bool) -> None:
    """Compare the metrics of two runs of one report (run.json or report folders): what changed, and
    whether by more than its interval.
    """
    from crmlab.page.format import Format
    from crmlab.report.changes import VERDICTS, compare, differences, kind_of, refuse_others, summary
    from crmlab.report.records import read_record

    old, new = read_record(first), read_record(second)
    refuse_others(old, new)
    form = Format()
    for reason in differences(old, new):
        say(reason)
    changes = compare(old.metrics, new.metrics)
    rows = []
    for change in changes:
        if everything or change.verdict != "same":
            before, after = (form.write(value, kind_of(change.unit)) for value in (change.before, change.after))
            rows.append((change.name, before, "→", after, VERDICTS[change.verdict]))
    show_table(rows, ("metric", "first", "", "second", "what happened"), numbers={1, 3})
    say(summary(changes))


def _notice(text: str) -> None:
    """Say what could not be believed, apart from what a command answers."""
    say(text, err=True)


@main.command()
@click.argument("names", nargs=-1)
@click.option("--data", default="shop", show_default=True, help="Data set.")
@click.option("--out", default="reports", show_default=True, type=click.Path(path_type=Path), help="Folder of reports.")
@show_errors
def history(names: tuple[str, ...], data: str, out: Path) -> None:
    """List the runs of a data set's reports, oldest first."""
    from crmlab.data.catalog import dataset_names
    from crmlab.data.naming import checked_name
    from crmlab.errors import DescriptorError
    from crmlab.report.records import history as records_of

    stem = checked_name(Path(data).stem if data.endswith(".toml") else data, "a data set", DescriptorError)
    every = list(records_of(out / stem, _notice))
    if not every:
        known = dataset_names()
        if data.endswith(".toml") and not Path(data).is_file():
            raise DescriptorError.no_file(data)
        if not data.endswith(".toml") and stem not in known:
            raise DescriptorError.unknown_dataset(stem, known)
    chosen = [record for record in every if not names or record.report in names]
    rows = [
        (run.started[:19].replace("T", " "), run.place, run.status, f"{run.seconds:.1f} s", run.reason or "") for run in chosen
    ]
    if not rows:
        say(f"No run{_of(names)} is recorded for {stem} in {out}.{_meant(names)}")
    show_table(rows, ("started (UTC)", "report", "result", "time", "reason"), numbers={3}, indent=0)


def _of(names: Sequence[str]) -> str:
    """Which reports were asked for."""
    return f" of {' or '.join(shown(name) for name in names)}" if names else ""


def _meant(names: Sequence[str]) -> str:
    """What was probably meant by names that are no reports."""
    from crmlab.report.registry import report_names

    known = report_names()
    return "".join(f" {hint_at(name, known)}" for name in names if name not in known)


@main.command()
@click.option("--data", "names", multiple=True, help="Data set; default: every one in the folder.")
@click.option("--out", default="reports", show_default=True, type=click.Path(path_type=Path), help="Folder of reports.")
@click.option("--pdf", is_flag=True, help="Print every report to PDF as well (needs Chromium).")
@show_errors
def render(names: tuple[str, ...], out: Path, pdf: bool) -> None:
    """Rebuild pages from notebooks already run, without running them again."""
    from crmlab.report.pdf import to_pdf
    from crmlab.report.site import render_again

    told: dict[str, None] = {}
    for path in render_again(out, names, lambda text: told.setdefault(text)):
        say(str(path))
        for page in sorted(path.parent.glob("*/report.html")) if pdf else []:
            say(str(to_pdf(page)))
    for text in told:
        _notice(text)
    sys.exit(1 if told else 0)


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1)
@show_errors
def lab(arguments: tuple[str, ...]) -> None:
    """Open JupyterLab in notebooks/."""
    import subprocess

    from crmlab.data.project import home

    command = [sys.executable, "-m", "jupyterlab", "--notebook-dir", str(home() / "notebooks"), *arguments]
    sys.exit(subprocess.run(command, check=False).returncode)


main.add_command(campaign)
main.add_command(check)
main.add_command(new_command)
main.add_command(publish_command)
main.add_command(reveal_command)

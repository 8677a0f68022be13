"""The command ``crmlab check``: what was read, what is wrong with it and what to do, and which reports there can be."""

from __future__ import annotations

import datetime as dt
import re
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from crmlab.cli.errors import show_errors
from crmlab.cli.grids import say, show_table
from crmlab.cli.working import show_work

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset
    from crmlab.data.descriptor import Descriptor
    from crmlab.data.ledger import Breach, LedgerRow
    from crmlab.errors import CrmlabError
    from crmlab.history.past import History
    from crmlab.page.format import Format

__all__ = ["check", "open_doubts", "show_ledger"]

_MINOR = 8  # breaches that are worth knowing, of which a line is said


@click.command("check")
@click.argument("data")
@show_errors
def check(data: str) -> None:
    """Read a data set and say what was read, what was dropped, and what is wrong.

    Questions concern whatever makes, or may make, figures wrong. Each says how much is affected and what to write.
    """
    from crmlab.data.catalog import load
    from crmlab.data.dataset import open_dataset
    from crmlab.errors import CrmlabError
    from crmlab.report.registry import readers

    descriptor = load(data, readers())
    try:
        with show_work(f"Reading {data}"):
            dataset = open_dataset(data, "spark" if descriptor.kind == "spark" else None)
    except CrmlabError:
        if descriptor.kind in ("postgres", "spark"):
            raise
        if not _say_problems(descriptor):
            raise
        sys.exit(1)
    say(f"{descriptor.title} ({descriptor.where})")
    show_ledger(dataset.ledger, descriptor)
    if other := _of_ids(descriptor):
        _list_problems([other])
        sys.exit(1)
    _say_findings(data, dataset)


def _of_ids(descriptor: Descriptor) -> CrmlabError | None:
    """What is wrong with ids that are made with a key: campaigns were launched with another."""
    from crmlab.analyses.campaigns import check_ids
    from crmlab.data.identity import has_hashed_ids
    from crmlab.data.memory import open_memory
    from crmlab.errors import CrmlabError

    if has_hashed_ids(descriptor):
        try:
            check_ids(open_memory(), descriptor)
        except CrmlabError as error:
            return error
    return None


def show_ledger(rows: Iterable[LedgerRow], descriptor: Descriptor) -> None:
    """Print what became of the rows of every table, and what they add up to.

    Parameters
    ----------
    rows : iterable of LedgerRow
    descriptor : Descriptor
        It names the columns that rows were dropped by.
    """
    from crmlab.data.reading.cleaning import REASONS

    known = list(rows)
    for table in dict.fromkeys(row.table for row in known):
        mine = [row for row in known if row.table == table]
        parts = descriptor.tables[table].parts if table in descriptor.tables else ()
        chosen = " or ".join(dict.fromkeys(f"'{part.only_where}'" for part in parts if part.only_where))
        by_column = {"other_row": f"no value in {chosen} (only_where)"} if chosen else {}
        say(f"  {table}: {sum(row.rows for row in mine):,} rows read")
        shown = []
        for row in mine:
            words = "kept" if row.reason is None else f"dropped: {by_column.get(row.reason) or REASONS[row.reason]}"
            amount = "" if row.amount is None else f", adding up to {float(row.amount):,.2f}"
            shown.append((f"{row.rows:,}", words + amount))
        show_table(shown, numbers={0}, indent=4)


def open_doubts(descriptor: Descriptor) -> list[str]:
    """Return what ``crmlab new`` was not sure of and nobody has answered: the lines ``# unsure: …`` that still stand in the TOML file."""
    text = (descriptor.folder / f"{descriptor.name}.toml").read_text(encoding="utf-8-sig")
    return re.findall(r"^[ \t]*#[ \t]*unsure:[ \t]*(.+?)[ \t]*$", text, flags=re.MULTILINE)


def _say_problems(descriptor: Descriptor) -> list[CrmlabError]:
    """Say all that keeps a data set from being read."""
    from crmlab.data.dataset import check_source

    rows, _, problems = check_source(descriptor)
    say(f"{descriptor.title} ({descriptor.where})")
    show_ledger(rows, descriptor)
    _list_problems(problems)
    return problems


def _list_problems(problems: Sequence[CrmlabError]) -> None:
    if problems:
        say(f"\n{len(problems)} problem{'s' if len(problems) > 1 else ''}:", err=True)
    for problem in problems:
        say(f"  - {problem}", err=True)


def _today(descriptor: Descriptor) -> dt.date:
    from zoneinfo import ZoneInfo

    return dt.datetime.now(ZoneInfo(descriptor.timezone)).date()


def _say_findings(data: str, dataset: Dataset) -> None:
    from crmlab.analyses.data_quality import verdict
    from crmlab.collecting import collect_value
    from crmlab.data.rules import RULES, after, examined, gravest_first
    from crmlab.history.context import form_of
    from crmlab.history.past import History

    descriptor, short = dataset.descriptor, 0
    known: Dataset | History = dataset
    if "orders" in dataset.tables:
        known = past = History(dataset)
        with show_work("Looking for what makes numbers wrong"):
            judged, broken = verdict(past, _today(descriptor))
        grave: Sequence[Breach] = judged.grave
        short = judged.days if judged.short else 0
        customers = collect_value(past.orders["customer_id"].nunique())
        say(f"  Orders from {past.first} to {past.as_of}, {customers:,} customer{'' if customers == 1 else 's'}")
    else:
        broken = gravest_first(examined(dataset, (*RULES, after(_today(descriptor)))))
        grave = [breach for breach in broken if breach.grave]
        if "contracts" in dataset.tables:
            known = past = History(dataset)
            customers = collect_value(past.data.contracts["customer_id"].nunique())
            say(f"  Contracts from {past.first} to {past.as_of}, {customers:,} customer{'' if customers == 1 else 's'}")
    unnamed = 'not set (write yours at the top of the TOML file, such as currency = "EUR")'
    say(f"  Currency: {descriptor.currency or unnamed}")
    say(f"  Tables: {', '.join(dataset.tables)}")
    form, doubts = form_of(dataset), open_doubts(descriptor)
    _say_breaches(grave, form)
    _say_minor([breach for breach in broken if breach not in grave], form, _wanted(known))
    if doubts:
        say(f"Points marked “unsure” in {descriptor.where}. Settle each one, then delete its line “# unsure: …”:")
    for doubt in doubts:
        say(f"  - {doubt}")
    faults, allowed = _say_reports(data, known)
    _say_next(data if allowed else "", descriptor, len(grave) + len(doubts) + faults, short)


def _say_breaches(grave: Sequence[Breach], form: Format) -> None:
    """Say the grave breaches: what, how much, an example, what to do."""
    from crmlab.analyses.data_quality import in_figures
    from crmlab.data.rules import exemplary

    if grave:
        say(f"{len(grave)} questions, the most serious first:" if len(grave) > 1 else "1 question:")
        say('  If the data are correct, add the rule\'s name to accepted = ["…"] at the top of the TOML file.')
    for number, breach in enumerate(grave, 1):
        say(f"  {number}. {breach.rule} ({breach.table}): {breach.says}")
        shown = exemplary(breach.examples[0]) if breach.examples else {}
        example = ", ".join(f"{key} {value}" for key, value in shown.items())
        say(f"     {in_figures(breach, form)}{f'; such as {example}' if example else ''}")
        say(f"     {breach.advice}")


def _wanted(known: Dataset | History) -> list[str]:
    """What is to be known of money where no margin is known."""
    from crmlab.history.past import History

    if isinstance(known, History) and "orders" in known.data.tables:
        return known.margin(None).advice("to see what pays")
    return []


def _say_minor(minor: Sequence[Breach], form: Format, also: Sequence[str]) -> None:
    """Say in a line each what is worth knowing."""
    from crmlab.analyses.data_quality import in_figures

    if minor or also:
        say("Worth knowing:")
    for sentence in also:
        say(f"  - {sentence}")
    for breach in minor[:_MINOR]:
        said = breach.says.removesuffix(".")
        say(f"  - {breach.table}: {said}: {in_figures(breach, form)}")
    if len(minor) > _MINOR:
        say(f"  - and {len(minor) - _MINOR} more, in the report data_quality")


def _say_reports(data: str, known: Dataset | History) -> tuple[int, bool]:
    """Say of each report whether it can be made; all are asked of one history.

    Returns how many wait for a correction of the file, and whether any can be made.
    """
    from crmlab.history.past import History
    from crmlab.page.declarations import Readiness
    from crmlab.report.jobs import Order, plan_jobs
    from crmlab.report.registry import readiness_of

    dataset = known.data if isinstance(known, History) else known
    faults = 0
    asked = []
    with show_work("Asking each report whether it can be made") as (at_work, _):
        for job in plan_jobs(Order(data), dataset.holds):
            at_work(f"Asking whether {job.name} can be made")
            asked.append((job, Readiness(job.skipped) if job.skipped else readiness_of(job.name, known, job.params)))
    if asked:
        say("Reports that these data allow:")
    for job, ready in asked:
        if ready.why_not:
            say(f"  no   {job.name}: {ready.why_not.removeprefix(f'{job.name}: ').removeprefix('It ')}")
        else:
            told = f" ({'; '.join(ready.remarks)})" if ready.remarks else ""
            say(f"  yes  {job.name}{told}")
        faults += ready.mend
    return faults, not asked or any(not ready.why_not for _, ready in asked)


def _say_next(data: str, descriptor: Descriptor, questions: int, short: int) -> None:
    """The last line: what is open, and what to do next. It says "No problems" only where the page says "Good".

    ``data`` is empty where no report can be made.
    """
    run = f"crmlab run --data {data}"
    many = "1 open question" if questions == 1 else f"{questions} open questions"
    if questions and not data:
        say(f"{many}: correct {descriptor.where} or the source, then check again.")
    elif not data:
        say("No questions, but these tables allow no report yet: each says above what it needs.")
    elif questions:
        say(
            f"{many}: correct {descriptor.where} or the source, then check again. Or run the reports on the data as they stand: {run}"
        )
    elif short:
        say(f"No questions, but the history is only {short} day{'' if short == 1 else 's'} long. Next: {run}")
    else:
        say(f"No problems. Next: {run}")

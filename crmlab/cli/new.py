"""The command ``crmlab new``: a user's files become the TOML file of a data set, and what is open is asked in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crmlab.cli.errors import show_errors
from crmlab.cli.grids import say
from crmlab.errors import visible

if TYPE_CHECKING:
    from crmlab.data.guess import Answer, Guess, Question

__all__ = ["new_command"]


@click.command("new")
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="FILE...")
@click.option("--name", help="Name of the data set; default: that of the file or folder.")
@click.option("--no-input", is_flag=True, help="Ask nothing; mark doubtful points in the file.")
@show_errors
def new_command(files: tuple[Path, ...], name: str | None, no_input: bool) -> None:
    """Examine your FILEs, or a whole folder, and write data/NAME.toml with a best guess at the tables and columns.

    In a terminal, open questions are asked one by one; Enter takes the answer in brackets. If nothing says what products cost, the
    last question is the gross margin; you may skip it.
    """
    from crmlab.data import guess

    found = guess.survey(files)
    target = guess.target_of(found[0].name, name=name)  # said before anything is asked
    for export in dict.fromkeys(one.export for one in found if one.export):
        say(f"It looks like {export}.")
    if not no_input and sys.stdin.isatty() and sys.stdout.isatty():
        found = _asked(found)
    path = guess.write(found, name=name, folder=target.parent)
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    tables = f" with {', '.join(one.table for one in found)}" if len(found) > 1 else ""
    say(f"Wrote {shown}{tables}")
    for doubt in (doubt for one in found for doubt in one.doubts):
        say(f"  unsure: {doubt}")
    say(f'Next: read that file, then run "crmlab check {path.stem}" and "crmlab run --data {path.stem}".')


def _asked(found: list[Guess]) -> list[Guess]:
    """Ask what is open, one question at a time."""
    from crmlab.data import guess

    total = sum(len(one.questions) for one in found)
    number = 0
    for place in range(len(found)):
        for question in found[place].questions:
            number += 1
            say(f"\nQuestion {number} of {total}: {question.sentence}")
            answer = question.written(_chosen(question))
            if answer.rates:
                answer = _with_rates(answer, str(found[0].settings.get("currency", "")))
            found = guess.answered(found, place, question, answer)
    if "#margin" in found[0].settings:
        found = _with_margin(found)
    elif total:
        say()
    return found


def _chosen(question: Question) -> Sequence[int]:
    for place, answer in enumerate(question.answers, 1):
        say(f"  {place}  {answer.label}")
    last = len(question.answers)

    def numbers(text: str) -> list[int]:
        words = text.replace(",", " ").split()
        if all(word.isdecimal() and 1 <= int(word) <= last for word in words):
            return [int(word) - 1 for word in words]
        raise click.UsageError(f"Expected numbers from 1 to {last}, apart by blanks. Got {visible(text)!r} instead.")

    if question.several:
        return list(
            click.prompt("Which? Numbers, apart by blanks; Enter for none", default="", show_default=False, value_proc=numbers)
        )
    default = (question.default or 0) + 1
    return [int(click.prompt("Answer", default=default, type=click.IntRange(1, last))) - 1]


def _with_margin(found: list[Guess]) -> list[Guess]:
    """Ask for the gross margin, which may be left open."""

    def share(text: str) -> Decimal | None:
        if not text.strip():
            return None
        try:
            given = Decimal(text.strip().replace(",", "."))
        except InvalidOperation:
            given = Decimal(0)
        if not given.is_finite() or not 0 < given <= 1:
            raise click.UsageError(f"Expected a number above 0 and at most 1. Got {visible(text)!r} instead.")
        return given

    say("\nLast question, which you may skip: without a gross margin, money is revenue, and no page says what pays.")
    prompt = "What share of spend is left after the cost of goods, such as 0.4? Press Enter if you do not know"
    margin = click.prompt(prompt, default="", show_default=False, value_proc=share)
    say()
    if margin is None:
        return found
    first = found[0]
    settings = {key: value for key, value in first.settings.items() if key != "#margin"} | {"margin": margin}
    remarks = {**first.remarks, "margin": "gross margin: share of spend left after the cost of goods"}
    return [replace(first, settings=settings, remarks=remarks), *found[1:]]


def _with_rates(answer: Answer, currency: str) -> Answer:
    """Ask what one unit of each currency is worth."""

    def worth(text: str) -> Decimal:
        try:
            rate = Decimal(text.strip())
        except InvalidOperation:
            rate = Decimal(0)
        if not rate.is_finite() or rate <= 0:
            raise click.UsageError(f"Expected a number above 0. Got {visible(text)!r} instead.")
        return rate

    rates: dict[str, Any] = {
        code: click.prompt(f"What is one {code} worth in {currency}", value_proc=worth) for code in answer.rates
    }
    return replace(answer, settings={"rates": rates, "#rates": None})
